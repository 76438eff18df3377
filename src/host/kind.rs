//! What stands at a path, whole: as it is read, compared, kept in a document and put back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Kind {
    /// Nothing.
    Absent,
    /// A plain file, byte for byte.
    File {
        /// Its content.
        #[serde(with = "blob")]
        bytes: Vec<u8>,
        /// Permission bits.
        mode: u32,
        /// Owner.
        uid: u32,
        /// Group.
        gid: u32,
        /// When it was last written, in nanoseconds since 1970; `None`: now.
        mtime: Option<u64>,
        /// Its extended attributes, the SELinux label among them; none: those of the file that it
        /// replaces, or what the kernel gives to a new one.
        #[serde(default, skip_serializing_if = "Xattrs::is_empty")]
        xattrs: Xattrs,
    },
    /// A symbolic link.
    Link {
        /// Where it points, unresolved.
        target: String,
    },
    /// Something that no file of ours may replace: a folder, a device.
    Other,
}

/// Extended attributes by name.
pub type Xattrs = BTreeMap<String, Vec<u8>>;

impl Kind {
    /// A new file of whoever runs this (root, on a host), written now.
    #[must_use]
    pub fn new_file(bytes: impl Into<Vec<u8>>, mode: u32) -> Self {
        let (uid, gid) = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
        Self::File { bytes: bytes.into(), mode, uid, gid, mtime: None, xattrs: Xattrs::new() }
    }

    /// The bytes, when it is a file.
    #[must_use]
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::File { bytes, .. } => Some(bytes),
            _ => None,
        }
    }

    /// Whether both are the same thing, but for the time of writing and for attributes that only
    /// one names.
    #[must_use]
    pub fn same_but_time(&self, other: &Self) -> bool {
        let any = |kind: &Self| matches!(kind, Self::File { xattrs, .. } if xattrs.is_empty());
        let any = any(self) || any(other);
        let timeless = |kind: &Self| {
            let mut kind = kind.clone();
            if let Self::File { mtime, xattrs, .. } = &mut kind {
                *mtime = None;
                if any {
                    xattrs.clear();
                }
            }
            kind
        };
        timeless(self) == timeless(other)
    }
}

/// A path and what stood there before anything was touched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Original {
    /// The host's own path.
    pub path: String,
    /// What stood there.
    #[serde(flatten)]
    pub was: Kind,
}

/// Bytes as text where they are text, else as hexadecimal digits.
mod blob {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Blob {
        Text(String),
        Hex { hex: String },
    }

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Blob::Text(text.to_string()),
            Err(_) => Blob::Hex { hex: bytes.iter().map(|b| format!("{b:02x}")).collect() },
        }
        .serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        match Blob::deserialize(from)? {
            Blob::Text(text) => Ok(text.into_bytes()),
            Blob::Hex { hex } => hex
                .as_bytes()
                .chunks(2)
                .map(|pair| {
                    std::str::from_utf8(pair).ok().and_then(|p| u8::from_str_radix(p, 16).ok())
                })
                .collect::<Option<_>>()
                .ok_or_else(|| D::Error::custom("bytes in hex are broken")),
        }
    }
}
