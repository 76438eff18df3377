//! One file: written whole, put back byte for byte. What others did to it since is kept.

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::Kept;
use crate::host::{Host, Kind, join, quoted};
use crate::modprobe;
use crate::paths::original_name;

/// A file's change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileChange {
    /// The host's own path.
    pub path: String,
    /// What stood there.
    pub was: Kind,
    /// What is to stand there.
    pub want: Kind,
    /// Whose block is merged into it, where the rest of the file is others'.
    pub block_of: Option<String>,
}

impl FileChange {
    pub(super) fn title(&self) -> String {
        match (&self.was, &self.want) {
            (_, Kind::Absent) => format!("remove {}", self.path),
            (Kind::Absent, _) => format!("create {}", self.path),
            _ if self.block_of.is_some() => format!("add our lines to {}", self.path),
            _ => format!("replace {}", self.path),
        }
    }

    pub(super) fn undo_title(&self) -> String {
        match (&self.was, &self.want) {
            (Kind::Absent, _) => format!("remove {}", self.path),
            _ if self.block_of.is_some() => format!("take our lines out of {}", self.path),
            _ => format!("put back {} as it was", self.path),
        }
    }

    /// What a person types to undo it.
    pub(super) fn by_hand(&self, originals: &str) -> String {
        let path = quoted(&self.path);
        match (&self.was, &self.block_of) {
            (_, Some(bond)) => {
                format!("sed -i '/^# xenbond {bond}: begin/,/^# xenbond {bond}: end/d' {path}")
            }
            (Kind::Absent, None) => format!("rm -f {path}"),
            (Kind::Link { target }, None) => format!("ln -sfn {} {path}", quoted(target)),
            _ => format!("cp -a {} {path}", quoted(&join(originals, &original_name(&self.path)))),
        }
    }

    pub(super) fn perform(&self, host: &Host) -> Result<()> {
        host.put(&self.path, &self.want)?;
        let now = host.original(&self.path)?.was;
        ensure!(
            now.same_but_time(&self.want),
            "{} was written, and does not hold what was written",
            self.path
        );
        Ok(())
    }

    pub(super) fn undo(&self, host: &Host, kept: &mut Kept) -> Result<()> {
        let now = host.original(&self.path)?.was;
        if now.same_but_time(&self.want) || now.same_but_time(&self.was) {
            return host.put(&self.path, &self.was);
        }
        if let (Some(owner), Kind::File { bytes, mode, uid, gid, .. }) = (&self.block_of, &now) {
            let rest = modprobe::remove_block(bytes, owner)
                .with_context(|| format!("taking our lines out of {}", self.path))?;
            kept.notes
                .push(format!("{} was changed by others: only our lines are taken out", self.path));
            kept.paths.push(self.path.clone());
            return match rest {
                None => Ok(()),
                Some(rest) => {
                    let (mode, uid, gid, xattrs) = (*mode, *uid, *gid, Default::default());
                    let want = Kind::File { bytes: rest, mode, uid, gid, mtime: None, xattrs };
                    host.put(&self.path, &want)
                }
            };
        }
        if now != Kind::Absent {
            let copy = format!("{}/{}", kept.folder, original_name(&self.path));
            host.make_dir(&kept.folder, 0o700)?;
            host.put(&copy, &now)?;
            kept.notes
                .push(format!("{} is no longer what xenbond wrote: saved as {copy}", self.path));
        }
        host.put(&self.path, &self.was)
    }
}
