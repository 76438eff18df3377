//! Files under the root, read whole.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use super::attributes::{mtime, xattrs};
use super::inside::{inside, text};
use super::{Host, Kind, Original};
use crate::order;

/// A path below a folder, where both are the host's own.
#[must_use]
pub fn join(folder: &str, name: &str) -> String {
    format!("{}/{name}", folder.trim_end_matches('/'))
}

impl Host {
    /// Where a path of the host lies on this machine.
    #[must_use]
    pub fn real_path(&self, path: &str) -> PathBuf {
        inside(&self.root, path, false)
    }

    /// Where a path of the host lies, with a symbolic link at its end followed inside the root.
    pub(super) fn followed(&self, path: &str) -> PathBuf {
        inside(&self.root, path, true)
    }

    /// The whole file, or `None` when there is none.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn read(&self, path: &str) -> Result<Option<Vec<u8>>> {
        let real = self.followed(path);
        // A FIFO, a device or a socket would hang or never end.
        if let Ok(found) = fs::metadata(&real)
            && !found.is_file()
            && !found.is_dir()
        {
            anyhow::bail!("reading {path}: it is not a regular file");
        }
        match fs::read(real) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                Ok(None)
            }
            Err(e) => Err(e).with_context(|| format!("reading {path}")),
        }
    }

    /// A regular file, to be read piece by piece; `None` when there is none or it cannot be opened.
    #[must_use]
    pub fn reader(&self, path: &str) -> Option<std::io::BufReader<fs::File>> {
        let real = self.followed(path);
        // A FIFO would hang at its opening.
        fs::metadata(&real).ok().filter(fs::Metadata::is_file)?;
        fs::File::open(real).ok().map(std::io::BufReader::new)
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
        let text = fs::read_to_string(self.followed(path)).ok()?;
        Some(text.trim().to_string()).filter(|t| !t.is_empty())
    }

    /// The hostname, as the kernel has it.
    #[must_use]
    pub fn hostname(&self) -> Option<String> {
        self.attribute("/proc/sys/kernel/hostname")
    }

    /// How many bytes a file has, or `None` when there is none.
    ///
    /// # Errors
    /// When it cannot be told.
    pub fn size(&self, path: &str) -> Result<Option<u64>> {
        match fs::metadata(self.followed(path)) {
            Ok(meta) => Ok(Some(meta.len())),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e).with_context(|| format!("reading {path}")),
        }
    }

    /// Names in a folder, sorted; none when there is no such folder.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn list(&self, folder: &str) -> Result<Vec<String>> {
        let entries = match fs::read_dir(self.followed(folder)) {
            Ok(entries) => entries,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(e).with_context(|| format!("reading folder {folder}")),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.with_context(|| format!("reading folder {folder}"))?;
            names.push(text(&entry.file_name()));
        }
        order::sort(&mut names);
        Ok(names)
    }

    /// Whether a pipe stands at the path, or at the end of the link there.
    #[must_use]
    pub fn is_pipe(&self, path: &str) -> bool {
        self.followed(path).metadata().is_ok_and(|meta| meta.file_type().is_fifo())
    }

    /// Whether anything stands at the path.
    #[must_use]
    pub fn exists(&self, path: &str) -> bool {
        self.real_path(path).symlink_metadata().is_ok()
    }

    /// Whether the folder or file is this user's alone: nobody else may have put something there that
    /// root then reads or runs.
    ///
    /// # Errors
    /// When it is somebody else's, others may write it, or it is a link or no file.
    pub fn is_ours(&self, path: &str) -> Result<()> {
        let meta =
            self.real_path(path).symlink_metadata().with_context(|| format!("reading {path}"))?;
        let me = nix::unistd::geteuid().as_raw();
        ensure!(meta.is_dir() || meta.is_file(), "{path} is neither a folder nor a file");
        ensure!(meta.uid() == me, "{path} belongs to uid {}, and not to {me}", meta.uid());
        ensure!(
            meta.mode() & 0o022 == 0,
            "others may write {path}: mode {:04o}",
            meta.mode() & 0o7777
        );
        Ok(())
    }

    /// The last part of where a symbolic link points: how `/sys` names a master or a driver.
    #[must_use]
    pub fn link_name(&self, path: &str) -> Option<String> {
        let target = fs::read_link(self.real_path(path)).ok()?;
        target.file_name().map(text)
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
                target: text(
                    fs::read_link(&real)
                        .with_context(|| format!("reading link {path}"))?
                        .as_os_str(),
                ),
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
}
