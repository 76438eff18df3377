//! Files under the root: read whole, replaced atomically, put back exactly.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{
    DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, lchown, symlink,
};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use rustix::fs::XattrFlags;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::{Effect, Host};

/// A path below a folder, where both are the host's own.
#[must_use]
pub fn join(folder: &str, name: &str) -> String {
    format!("{}/{name}", folder.trim_end_matches('/'))
}

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

    /// The same thing, but for the time it was written, and for attributes that only one names.
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

    pub fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Blob::Text(text.to_string()),
            Err(_) => Blob::Hex { hex: bytes.iter().map(|b| format!("{b:02x}")).collect() },
        }
        .serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
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

impl Host {
    /// Where a path of the host lies on this machine.
    #[must_use]
    pub fn real_path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// The same, with a symbolic link at its end followed inside the root.
    fn followed(&self, path: &str) -> PathBuf {
        let real = self.real_path(path);
        match fs::read_link(&real) {
            Ok(target) if target.is_absolute() => self.real_path(&target.to_string_lossy()),
            _ => real,
        }
    }

    /// The whole file, or `None` when there is none.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn read(&self, path: &str) -> Result<Option<Vec<u8>>> {
        match fs::read(self.followed(path)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                Ok(None)
            }
            Err(e) => Err(e).with_context(|| format!("reading {path}")),
        }
    }

    /// The whole file as text; what is not UTF-8 is replaced.
    ///
    /// # Errors
    /// As [`Host::read`].
    pub fn read_text(&self, path: &str) -> Result<Option<String>> {
        Ok(self.read(path)?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// A one-line attribute as `/sys` gives it. A missing or unreadable one is unknown: `speed`
    /// of a NIC without link, for example, answers a read with an error.
    #[must_use]
    pub fn attribute(&self, path: &str) -> Option<String> {
        let text = fs::read_to_string(self.real_path(path)).ok()?;
        Some(text.trim().to_string()).filter(|t| !t.is_empty())
    }

    /// Names in a folder, sorted; none when there is no such folder.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn list(&self, folder: &str) -> Result<Vec<String>> {
        let entries = match fs::read_dir(self.real_path(folder)) {
            Ok(entries) => entries,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(e).with_context(|| format!("reading folder {folder}")),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.with_context(|| format!("reading folder {folder}"))?;
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }

    /// Whether anything stands at the path.
    #[must_use]
    pub fn exists(&self, path: &str) -> bool {
        self.real_path(path).symlink_metadata().is_ok()
    }

    /// The last part of where a symbolic link points: how `/sys` names a master or a driver.
    #[must_use]
    pub fn link_name(&self, path: &str) -> Option<String> {
        let target = fs::read_link(self.real_path(path)).ok()?;
        Some(target.file_name()?.to_string_lossy().into_owned())
    }

    /// What stands at the path, whole.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn original(&self, path: &str) -> Result<Original> {
        let real = self.real_path(path);
        let was = match real.symlink_metadata() {
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                Kind::Absent
            }
            Err(e) => return Err(e).with_context(|| format!("reading {path}")),
            Ok(meta) if meta.is_symlink() => Kind::Link {
                target: fs::read_link(&real)
                    .with_context(|| format!("reading link {path}"))?
                    .to_string_lossy()
                    .into_owned(),
            },
            Ok(meta) if meta.is_file() => Kind::File {
                bytes: fs::read(&real).with_context(|| format!("reading {path}"))?,
                mode: meta.mode() & 0o7777,
                uid: meta.uid(),
                gid: meta.gid(),
                mtime: mtime(&meta),
                xattrs: xattrs(&real).with_context(|| format!("reading attributes of {path}"))?,
            },
            Ok(_) => Kind::Other,
        };
        Ok(Original { path: path.to_string(), was })
    }

    /// Makes the path hold just this, whatever is there now: by a temporary file in the same
    /// folder, made durable and renamed, so that a reader sees the old or the new and nothing
    /// between. Does nothing when it holds it already.
    ///
    /// # Errors
    /// When the folder is missing, or cannot be written; the path is then as it was.
    pub fn put(&self, path: &str, want: &Kind) -> Result<()> {
        let real = self.real_path(path);
        let temp = temp_path(&real);
        if temp.symlink_metadata().is_ok() {
            // Left by a run that was cut off between write and rename.
            self.remove_file(&temp)
                .with_context(|| format!("removing the leftover {}", temp.display()))?;
        }
        let now = self.original(path)?.was;
        if now == *want {
            return Ok(());
        }
        if now == Kind::Other {
            bail!("writing {path}: something that is no file is in the way");
        }
        match want {
            Kind::Absent => self.remove_file(&real).with_context(|| format!("removing {path}")),
            Kind::Other => bail!("writing {path}: what stood there was no file"),
            Kind::Link { target } => {
                let made = self
                    .effect(&Effect::Write(&temp), || symlink(target, &temp))
                    .and_then(|()| self.move_into_place(&temp, &real));
                made.with_context(|| format!("linking {path}"))
            }
            Kind::File { bytes, mode, uid, gid, mtime, xattrs } => {
                let xattrs = match &now {
                    Kind::File { xattrs: old, .. } if xattrs.is_empty() => old,
                    _ => xattrs,
                };
                let owner = (*uid, *gid);
                let file = NewFile { bytes, mode: *mode, owner, mtime: *mtime, xattrs };
                let written =
                    self.write_temp(&temp, &file).and_then(|()| self.move_into_place(&temp, &real));
                if written.is_err() {
                    // The error that counts is the one above; what remains is swept by the next `put`.
                    let _ = fs::remove_file(&temp);
                }
                written.with_context(|| format!("writing {path}"))
            }
        }
    }

    fn write_temp(&self, temp: &Path, new: &NewFile<'_>) -> Result<()> {
        self.effect(&Effect::Write(temp), || {
            let mut file =
                OpenOptions::new().write(true).create_new(true).mode(0o600).open(temp)?;
            file.write_all(new.bytes)?;
            file.set_permissions(Permissions::from_mode(new.mode))?;
            own(temp, new.owner)?;
            for (name, value) in new.xattrs {
                let set = rustix::fs::fsetxattr(&file, name, value, XattrFlags::empty());
                permitted(set.map_err(Into::into))?;
            }
            if let Some(nanos) = new.mtime {
                file.set_modified(UNIX_EPOCH + Duration::from_nanos(nanos))?;
            }
            Ok(())
        })?;
        self.sync_file(temp)
    }

    fn move_into_place(&self, temp: &Path, real: &Path) -> Result<()> {
        self.effect(&Effect::Rename(temp, real), || fs::rename(temp, real))?;
        self.sync_folder_of(real)
    }

    fn remove_file(&self, real: &Path) -> Result<()> {
        self.effect(&Effect::Remove(real), || fs::remove_file(real))?;
        self.sync_folder_of(real)
    }

    fn sync_file(&self, real: &Path) -> Result<()> {
        self.effect(&Effect::SyncFile(real), || File::open(real)?.sync_all())
    }

    fn sync_folder_of(&self, real: &Path) -> Result<()> {
        let folder = real.parent().unwrap_or(Path::new("/"));
        self.effect(&Effect::SyncDir(folder), || File::open(folder)?.sync_all())
    }

    /// Adds bytes to the end of a file, made when it is not there, and makes them durable.
    ///
    /// # Errors
    /// When the file cannot be written; a part of the bytes may then stand there.
    pub fn append(&self, path: &str, bytes: &[u8]) -> Result<()> {
        let real = self.real_path(path);
        let new = !real.exists();
        let written = self
            .effect(&Effect::Append(&real), || {
                OpenOptions::new()
                    .append(true)
                    .create(true)
                    .mode(0o600)
                    .open(&real)?
                    .write_all(bytes)
            })
            .and_then(|()| self.sync_file(&real))
            .and_then(|()| if new { self.sync_folder_of(&real) } else { Ok(()) });
        written.with_context(|| format!("appending to {path}"))
    }

    /// Sets an attribute that the kernel shows in `/sys`, as `echo VALUE > FILE` does.
    ///
    /// # Errors
    /// When there is no such attribute, or the kernel refuses the value.
    pub fn set_attribute(&self, path: &str, value: &str) -> Result<()> {
        let real = self.real_path(path);
        self.effect(&Effect::Set(&real), || {
            let mut file = OpenOptions::new().write(true).truncate(true).open(&real)?;
            // In one write: the kernel takes each as a value of its own.
            file.write_all(format!("{value}\n").as_bytes())
        })
        .with_context(|| format!("writing `{value}` to {path}"))
    }

    /// Cuts a file to its first `length` bytes: how a torn last record goes away.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn truncate(&self, path: &str, length: u64) -> Result<()> {
        let real = self.real_path(path);
        self.effect(&Effect::Append(&real), || {
            OpenOptions::new().write(true).open(&real)?.set_len(length)
        })
        .and_then(|()| self.sync_file(&real))
        .with_context(|| format!("cutting {path}"))
    }

    /// Makes a folder with this mode, and those above it, where they are missing.
    ///
    /// # Errors
    /// When one cannot be made, or something else stands there (a symbolic link included).
    pub fn make_dir(&self, path: &str, mode: u32) -> Result<()> {
        let real = self.real_path(path);
        match real.symlink_metadata() {
            Ok(meta) if meta.is_dir() => return Ok(()),
            Ok(_) => bail!("making folder {path}: something that is no folder is in the way"),
            Err(_) => {}
        }
        if let Some((above, _)) = path.trim_end_matches('/').rsplit_once('/')
            && !above.is_empty()
            && !self.exists(above)
        {
            self.make_dir(above, 0o755)?;
        }
        self.effect(&Effect::MakeDir(&real), || fs::DirBuilder::new().mode(mode).create(&real))
            .and_then(|()| self.sync_folder_of(&real))
            .with_context(|| format!("making folder {path}"))
    }

    /// Removes a folder of our own state with all that is in it.
    ///
    /// # Errors
    /// When something in it cannot be removed.
    pub fn remove_tree(&self, path: &str) -> Result<()> {
        let real = self.real_path(path);
        if !real.exists() {
            return Ok(());
        }
        self.effect(&Effect::Remove(&real), || fs::remove_dir_all(&real))
            .and_then(|()| self.sync_folder_of(&real))
            .with_context(|| format!("removing folder {path}"))
    }

    fn effect(&self, effect: &Effect<'_>, act: impl FnOnce() -> std::io::Result<()>) -> Result<()> {
        self.before(effect)?;
        act()?;
        self.after(effect)
    }
}

struct NewFile<'a> {
    bytes: &'a [u8],
    mode: u32,
    owner: (u32, u32),
    mtime: Option<u64>,
    xattrs: &'a Xattrs,
}

/// Gives the file its owner. Not being root, under a test's root, is no error: the contract
/// restores ownership where it is permitted.
fn own(path: &Path, (uid, gid): (u32, u32)) -> std::io::Result<()> {
    permitted(lchown(path, Some(uid), Some(gid)))
}

/// What only root may do, as root.
fn permitted(done: std::io::Result<()>) -> std::io::Result<()> {
    match done {
        Err(e) if e.kind() == ErrorKind::PermissionDenied && !nix::unistd::geteuid().is_root() => {
            Ok(())
        }
        other => other,
    }
}

/// The extended attributes of a file; none where the file system knows none.
fn xattrs(path: &Path) -> std::io::Result<Xattrs> {
    // An empty buffer is no query here, as it is for the system call.
    let size = match rustix::fs::llistxattr_query(path) {
        Ok(0) | Err(Errno::NOTSUP) => return Ok(Xattrs::new()),
        Ok(size) => size,
        Err(error) => return Err(error.into()),
    };
    let mut list = vec![0; size];
    let size = rustix::fs::llistxattr(path, &mut list[..])?;
    let mut all = Xattrs::new();
    for name in list[..size].split(|b| *b == 0).filter(|name| !name.is_empty()) {
        let name = String::from_utf8_lossy(name).into_owned();
        let mut value = vec![0; rustix::fs::lgetxattr_query(path, &*name)?];
        if !value.is_empty() {
            let size = rustix::fs::lgetxattr(path, &*name, &mut value[..])?;
            value.truncate(size);
        }
        all.insert(name, value);
    }
    Ok(all)
}

fn mtime(meta: &fs::Metadata) -> Option<u64> {
    let since = meta.modified().ok()?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    u64::try_from(since.as_nanos()).ok()
}

/// A dot-name in the same folder: a rename within a folder is atomic, and the boot scripts read
/// no name that starts with a dot (facts/initscripts.md section 6).
fn temp_path(real: &Path) -> PathBuf {
    let name = real.file_name().unwrap_or_default().to_string_lossy();
    real.with_file_name(format!(".{name}.xenbond"))
}
