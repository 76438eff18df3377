//! Files under the root, replaced atomically and put back exactly; every change is an
//! [`Effect`] that the watchers see.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use rustix::fs::XattrFlags;

use super::attributes::{own, permitted};
use super::inside::name;
use super::{Effect, Host, Kind, Xattrs};

/// Whether a file was left alone since somebody had changed it just then.
#[must_use]
pub fn was_changed(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<std::io::Error>();
    io.is_some_and(|io| io.kind() == ErrorKind::ResourceBusy)
}

impl Host {
    /// Makes the path hold just this, whatever is there now: by a temporary file in the same
    /// folder, made durable and renamed, so that a reader sees the old or the new and nothing
    /// between. Does nothing when it holds it already.
    ///
    /// # Errors
    /// When the folder is missing, or cannot be written; the path is then as it was.
    pub fn put(&self, path: &str, want: &Kind) -> Result<()> {
        self.put_where(path, want, None)
    }

    /// Does as [`Self::put`] where `seen` still stands there at the moment of the change.
    ///
    /// # Errors
    /// As for [`Self::put`]; when something else stands there, one that [`was_changed`] tells.
    pub fn put_over(&self, path: &str, want: &Kind, seen: &Kind) -> Result<()> {
        self.put_where(path, want, Some(seen))
    }

    fn put_where(&self, path: &str, want: &Kind, seen: Option<&Kind>) -> Result<()> {
        let stands = || -> std::io::Result<()> {
            let as_seen = |seen: &Kind| self.original(path).is_ok_and(|now| now.was == *seen);
            match seen {
                Some(seen) if !as_seen(seen) => Err(ErrorKind::ResourceBusy.into()),
                _ => Ok(()),
            }
        };
        let real = self.real_path(path);
        let temp = temp_path(&real);
        self.sweep(path)?;
        let now = self.original(path)?.was;
        if now == *want {
            return Ok(());
        }
        if now == Kind::Other {
            bail!("writing {path}: something that is not a file is in the way");
        }
        match want {
            Kind::Absent => self
                .effect(&Effect::Remove(&real), || stands().and_then(|()| fs::remove_file(&real)))
                .and_then(|()| self.sync_folder_of(&real))
                .with_context(|| format!("removing {path}")),
            Kind::Other => bail!("writing {path}: what stood there was no file"),
            Kind::Link { target } => {
                let made = self
                    .effect(&Effect::Write(&temp), || symlink(name(target), &temp))
                    .and_then(|()| self.move_into_place(&temp, &real, stands));
                made.with_context(|| format!("linking {path}"))
            }
            Kind::File { bytes, mode, uid, gid, mtime, xattrs } => {
                let xattrs = match &now {
                    Kind::File { xattrs: old, .. } if xattrs.is_empty() => old,
                    _ => xattrs,
                };
                let owner = (*uid, *gid);
                let file = NewFile { bytes, mode: *mode, owner, mtime: *mtime, xattrs };
                let written = self
                    .write_temp(&temp, &file)
                    .and_then(|()| self.move_into_place(&temp, &real, stands));
                if written.is_err() {
                    // The error that counts is the one above; what remains is swept by the next `put`.
                    let _ = fs::remove_file(&temp);
                }
                written.with_context(|| format!("writing {path}"))
            }
        }
    }

    /// Removes what a run left beside this path that was cut off between write and rename.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn sweep(&self, path: &str) -> Result<()> {
        let temp = temp_path(&self.real_path(path));
        if temp.symlink_metadata().is_err() {
            return Ok(());
        }
        self.remove_file(&temp).with_context(|| format!("removing the leftover {}", temp.display()))
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

    /// `stands`: whether what is there is what is to be replaced.
    fn move_into_place(
        &self,
        temp: &Path,
        real: &Path,
        stands: impl FnOnce() -> std::io::Result<()>,
    ) -> Result<()> {
        let rename = || stands().and_then(|()| fs::rename(temp, real));
        self.effect(&Effect::Rename(temp, real), rename)?;
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

    /// Adds bytes to the end of a file that nothing rests on: no watcher sees it, nothing waits
    /// until it is durable, and what cannot be written is lost.
    pub fn add_unwatched(&self, path: &str, bytes: &[u8]) {
        let file =
            OpenOptions::new().append(true).create(true).mode(0o600).open(self.real_path(path));
        let _ = file.and_then(|mut file| file.write_all(bytes));
    }

    /// Sets an attribute that the kernel shows in `/sys`, as `echo VALUE > FILE` does.
    ///
    /// # Errors
    /// When there is no such attribute, or the kernel refuses the value.
    pub fn set_attribute(&self, path: &str, value: &str) -> Result<()> {
        let real = self.followed(path);
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
            Ok(_) => bail!("making folder {path}: something that is not a folder is in the way"),
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
        if real.symlink_metadata().is_err() {
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

/// A dot-name in the same folder: a rename within a folder is atomic, and the boot scripts read
/// no name that starts with a dot (tests/ground/initscripts.md, F2).
fn temp_path(real: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(real.file_name().unwrap_or_default());
    name.push(".xenbond");
    real.with_file_name(name)
}
