//! Where a path of the host lies on this machine: below the root, whatever links are on the way,
//! and by a text for every name, also one that is no UTF-8.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// How many links are followed on one way, as in the kernel (`MAXSYMLINKS`).
const MOST_LINKS: usize = 40;

/// Where in Unicode's private use the bytes stand that are part of no character, each as one: a
/// name with them can then be compared, kept in a document and found again.
const BYTES: u32 = 0xf700;

/// A name as text, of which [`name`] makes the same bytes again.
pub fn text(name: &OsStr) -> String {
    let byte =
        |b: &u8| char::from_u32(BYTES + u32::from(*b)).unwrap_or(char::REPLACEMENT_CHARACTER);
    let mut text = String::new();
    for chunk in name.as_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            if is_byte(c) {
                // A name that has such a character itself is not to become another one.
                text.extend(c.encode_utf8(&mut [0; 4]).as_bytes().iter().map(byte));
            } else {
                text.push(c);
            }
        }
        text.extend(chunk.invalid().iter().map(byte));
    }
    text
}

/// The name that a text stands for.
pub fn name(text: &str) -> OsString {
    let mut bytes = Vec::with_capacity(text.len());
    for c in text.chars() {
        match u8::try_from(u32::from(c).wrapping_sub(BYTES)) {
            Ok(byte) => bytes.push(byte),
            Err(_) => bytes.extend(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    OsString::from_vec(bytes)
}

fn is_byte(c: char) -> bool {
    (BYTES..BYTES + 0x100).contains(&u32::from(c))
}

/// Where `path` lies, as the host itself would follow it: an absolute link leads to the root, and
/// nothing out of it. `last`: whether a link at its end is followed too.
#[must_use]
pub fn inside(root: &Path, path: &str, last: bool) -> PathBuf {
    let path = name(path);
    let relative = path.as_bytes().iter().position(|b| *b != b'/').unwrap_or(path.len());
    let relative = OsStr::from_bytes(&path.as_bytes()[relative..]);
    if root == Path::new("/") {
        // The kernel does the same.
        return root.join(relative);
    }
    let mut to_go: Vec<OsString> = parts(relative);
    let (mut at, mut links) = (root.to_path_buf(), 0);
    while let Some(part) = to_go.pop() {
        if part == ".." {
            if at != root {
                at.pop();
            }
            continue;
        }
        at.push(&part);
        if to_go.is_empty() && !last {
            break;
        }
        let Ok(target) = fs::read_link(&at) else { continue };
        links += 1;
        if links > MOST_LINKS {
            break;
        }
        at.pop();
        if target.is_absolute() {
            at = root.to_path_buf();
        }
        to_go.extend(parts(target.as_os_str()));
    }
    at
}

/// The parts of a path, the last one first.
fn parts(path: &OsStr) -> Vec<OsString> {
    let all = path.as_bytes().split(|b| *b == b'/');
    let real = all.filter(|part| !part.is_empty() && *part != b".");
    let mut all: Vec<OsString> = real.map(|part| OsStr::from_bytes(part).to_os_string()).collect();
    all.reverse();
    all
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_name_of_any_bytes_has_a_text_of_its_own() {
        let names: [&[u8]; 6] = [
            b"ifcfg-eth0",
            "b\u{fc}ro".as_bytes(),
            b"b\xfcro",
            b"\xff\xfe\x80",
            "\u{f7fc}".as_bytes(),
            "\u{f6ff}\u{f800}".as_bytes(),
        ];
        let mut seen = std::collections::BTreeSet::new();
        for bytes in names {
            let text = text(OsStr::from_bytes(bytes));
            assert_eq!(name(&text).as_bytes(), bytes, "{text:?}");
            assert!(seen.insert(text));
        }
        assert_eq!(text(OsStr::new("ifcfg-eth0")), "ifcfg-eth0");
    }

    #[test]
    fn no_link_leads_out_of_the_root() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        fs::create_dir_all(root.join("etc/real")).unwrap();
        fs::create_dir_all(folder.path().join("outside")).unwrap();
        let outside = folder.path().join("outside");
        let link = |target: &Path, path: &str| symlink(target, root.join(path)).unwrap();
        link(&outside, "etc/absolute");
        link(Path::new("../../../../../../../../etc/real"), "etc/climbs");
        link(Path::new("real"), "etc/relative");
        link(Path::new("loop"), "etc/loop");
        link(Path::new("/etc/relative"), "etc/twice");
        let below = |path: &str, last| {
            let at = inside(&root, path, last);
            at.strip_prefix(&root).unwrap().to_str().unwrap().to_string()
        };
        let far = outside.strip_prefix("/").unwrap().to_str().unwrap();
        assert_eq!(below("/etc/absolute/x", false), format!("{far}/x"));
        assert_eq!(below("/etc/absolute", false), "etc/absolute");
        assert_eq!(below("/etc/absolute", true), far);
        assert_eq!(below("/etc/climbs/x", false), "etc/real/x");
        assert_eq!(below("/etc/relative/x", false), "etc/real/x");
        assert_eq!(below("/etc/twice/x", true), "etc/real/x");
        assert_eq!(below("/../../etc/./x", false), "etc/x");
        assert_eq!(below("//etc//x", false), "etc/x");
        let _ = below("/etc/loop/x", true);
        assert_eq!(inside(Path::new("/"), "/etc/x", true), Path::new("/etc/x"));
    }
}
