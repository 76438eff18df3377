//! Owner, time and extended attributes of a file.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::lchown;
use std::path::Path;
use std::time::SystemTime;

use rustix::io::Errno;

use super::Xattrs;

/// Gives the file its owner. Not being root, under a test's root, is no error: the contract
/// restores ownership where it is permitted.
pub(super) fn own(path: &Path, (uid, gid): (u32, u32)) -> std::io::Result<()> {
    permitted(lchown(path, Some(uid), Some(gid)))
}

/// What only root may do, as root.
pub(super) fn permitted(done: std::io::Result<()>) -> std::io::Result<()> {
    match done {
        Err(e) if e.kind() == ErrorKind::PermissionDenied && !nix::unistd::geteuid().is_root() => {
            Ok(())
        }
        other => other,
    }
}

/// The extended attributes of a file; none where the file system knows none.
pub(super) fn xattrs(path: &Path) -> std::io::Result<Xattrs> {
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

pub(super) fn mtime(meta: &fs::Metadata) -> Option<u64> {
    let since = meta.modified().ok()?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    u64::try_from(since.as_nanos()).ok()
}
