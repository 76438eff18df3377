//! One file: written whole, put back byte for byte. What others did to it since is kept.

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use super::Kept;
use crate::host::{Host, Kind, join, quoted, was_changed};
use crate::modprobe;
use crate::paths::{self, original_name};
use crate::render::is_ours;

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
            _ if self.block_of.is_some() => {
                match (self.block(&self.was).is_some(), self.block(&self.want).is_some()) {
                    (true, true) => format!("change our lines in {}", self.path),
                    (true, false) => format!("remove our lines from {}", self.path),
                    _ => format!("add our lines to {}", self.path),
                }
            }
            _ => format!("replace {}", self.path),
        }
    }

    pub(super) fn undo_title(&self) -> String {
        match (&self.was, &self.want) {
            (Kind::Absent, _) => format!("remove {}", self.path),
            _ if self.block(&self.was).is_some() => {
                format!("put our lines of before into {}", self.path)
            }
            _ if self.block_of.is_some() => format!("remove our lines from {}", self.path),
            _ => format!("restore {}", self.path),
        }
    }

    /// Our lines of a text of the file.
    fn block(&self, kind: &Kind) -> Option<Vec<String>> {
        modprobe::block(kind.bytes()?, self.block_of.as_ref()?).ok()?
    }

    /// A text of the file without our lines.
    fn rest(&self, kind: &Kind) -> Vec<u8> {
        let bytes = kind.bytes().unwrap_or_default();
        let owner = self.block_of.as_ref();
        let rest = owner.and_then(|owner| modprobe::remove_block(bytes, owner).ok()?);
        rest.unwrap_or_else(|| bytes.to_vec())
    }

    /// Whether more than our block is changed of a file that others write too.
    #[must_use]
    pub fn takes_more(&self) -> bool {
        let shared = self.block_of.is_some() && self.want.bytes().is_some();
        shared && self.was.bytes().is_some() && self.rest(&self.was) != self.rest(&self.want)
    }

    /// Whether what stands there now is as wanted; of a file that others write too, our lines.
    #[must_use]
    pub fn is_done(&self, now: &Kind) -> bool {
        if now.same_but_time(&self.want) {
            return true;
        }
        self.block(now).is_some_and(|lines| self.block(&self.want) == Some(lines))
    }

    /// What is to stand there, where `now` does: others may have written meanwhile where they
    /// write too.
    fn wanted(&self, now: &Kind) -> Result<Kind> {
        if now.same_but_time(&self.want) || now.same_but_time(&self.was) {
            return Ok(self.want.clone());
        }
        if self.is_done(now) {
            return Ok(now.clone());
        }
        let want = self.block_of.as_ref().zip(self.want.bytes());
        if let (Some((owner, want)), Kind::File { bytes, .. }) = (want, now)
            && let Some(lines) = modprobe::block(want, owner)?
        {
            return Ok(with_bytes(now, modprobe::merge_block(bytes, owner, &lines)?));
        }
        bail!("{} was changed by somebody after this was planned, and is left as it is", self.path)
    }

    /// What a person types to undo it.
    pub(super) fn by_hand(&self, originals: &str) -> String {
        let path = quoted(&self.path);
        match (&self.was, &self.block_of) {
            (_, Some(bond)) if !self.takes_more() => {
                format!("sed -i '/^# xenbond {bond}: begin/,/^# xenbond {bond}: end/d' {path}")
            }
            (Kind::Absent, _) => format!("rm -f {path}"),
            (Kind::Link { target }, _) => format!("ln -sfn {} {path}", quoted(target)),
            _ => format!("cp -a {} {path}", quoted(&join(originals, &original_name(&self.path)))),
        }
    }

    pub(super) fn perform(&self, host: &Host) -> Result<()> {
        let mut want = self.want.clone();
        again(|| {
            let now = host.original(&self.path)?.was;
            want = self.wanted(&now)?;
            host.put_over(&self.path, &want, &now)
        })?;
        let now = host.original(&self.path)?.was;
        ensure!(
            now.same_but_time(&want),
            "{} was written, and does not hold what was written",
            self.path
        );
        Ok(())
    }

    pub(super) fn undo(&self, host: &Host, kept: &mut Kept) -> Result<()> {
        let said = (kept.notes.len(), kept.paths.len());
        again(|| {
            kept.notes.truncate(said.0);
            kept.paths.truncate(said.1);
            self.undo_once(host, kept)
        })
    }

    fn undo_once(&self, host: &Host, kept: &mut Kept) -> Result<()> {
        let now = host.original(&self.path)?.was;
        if now.same_but_time(&self.want) || now.same_but_time(&self.was) {
            return host.put_over(&self.path, &self.was, &now);
        }
        if let (Some(owner), Kind::File { bytes, .. }) = (&self.block_of, &now) {
            let rest = self
                .without_ours(owner, bytes)
                .with_context(|| format!("taking our lines out of {}", self.path))?;
            let rest = self.with_taken(&rest);
            kept.notes
                .push(format!("{} was changed by others: only our lines are taken out", self.path));
            kept.paths.push(self.path.clone());
            return if rest == *bytes {
                Ok(())
            } else {
                host.put_over(&self.path, &with_bytes(&now, rest), &now)
            };
        }
        if self.takes_lines() && (now == Kind::Absent || now.bytes().is_some()) {
            let lines = self.with_taken(now.bytes().unwrap_or_default());
            kept.notes.push(format!(
                "{} was changed by others: only the lines that were taken out are put back",
                self.path
            ));
            kept.paths.push(self.path.clone());
            let like = if now == Kind::Absent { &self.was } else { &now };
            return host.put_over(&self.path, &with_bytes(like, lines), &now);
        }
        if !kept.done && now != Kind::Absent && !is_ours(&now) {
            // It was refused to be written over.
            kept.notes.push(format!("{} was changed by others: left as it is", self.path));
            kept.paths.push(self.path.clone());
            return Ok(());
        }
        if now != Kind::Absent {
            kept.save(host, &self.path, &now)?;
            kept.notes.push(format!(
                "{} is no longer what xenbond wrote: saved as {}",
                self.path,
                kept.copy(&self.path)
            ));
        }
        host.put_over(&self.path, &self.was, &now)
    }

    /// The lines that the change takes out of what others wrote: those of a bond that somebody made
    /// by hand.
    fn taken(&self) -> Vec<Vec<u8>> {
        if !paths::is_modprobe(&self.path) || is_ours(&self.was) {
            return Vec::new();
        }
        let left = lines(&self.rest(&self.want));
        lines(&self.rest(&self.was)).into_iter().filter(|line| !left.contains(line)).collect()
    }

    /// Whether it only takes lines out.
    fn takes_lines(&self) -> bool {
        let was = lines(self.was.bytes().unwrap_or_default());
        let want = lines(self.want.bytes().unwrap_or_default());
        want.iter().all(|line| was.contains(line)) && !self.taken().is_empty()
    }

    /// A text with the lines again that were taken out, each behind the one that it stood behind.
    fn with_taken(&self, text: &[u8]) -> Vec<u8> {
        let (text, was) = (lines(text), lines(self.was.bytes().unwrap_or_default()));
        let mut all = text.clone();
        for line in self.taken().into_iter().filter(|line| !text.contains(line)) {
            // Not among the lines of another bond of ours, which go with it.
            let block = all.iter().position(|one| one.starts_with(b"# xenbond "));
            let end = block.unwrap_or(all.len());
            let before = was.iter().position(|known| *known == line).unwrap_or_default();
            let place = |known| all[..end].iter().position(|one| one == known);
            let at = was[..before].iter().rev().find_map(place).map_or(end, |at| at + 1);
            for line in all.iter_mut().take(at).filter(|line| !line.ends_with(b"\n")) {
                line.push(b'\n');
            }
            all.insert(at, line);
        }
        all.concat()
    }

    /// The file as others have it now, with our lines as they were before.
    fn without_ours(&self, owner: &str, now: &[u8]) -> Result<Vec<u8>> {
        let before = match self.was.bytes() {
            Some(was) => modprobe::block(was, owner)?,
            None => None,
        };
        match before {
            Some(lines) => modprobe::merge_block(now, owner, &lines),
            None => Ok(modprobe::remove_block(now, owner)?.unwrap_or_else(|| now.to_vec())),
        }
    }
}

/// Lines with their ends.
fn lines(bytes: &[u8]) -> Vec<Vec<u8>> {
    bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

/// How often it is tried where somebody writes the same file at the same moment.
const TRIES: usize = 3;

/// Looks and writes again where somebody wrote between the two.
fn again(mut act: impl FnMut() -> Result<()>) -> Result<()> {
    for _ in 1..TRIES {
        match act() {
            Err(error) if was_changed(&error) => {}
            ended => return ended,
        }
    }
    act()
}

/// The same file with other bytes, written now.
fn with_bytes(kind: &Kind, bytes: Vec<u8>) -> Kind {
    match kind {
        Kind::File { mode, uid, gid, xattrs, .. } => Kind::File {
            bytes,
            mode: *mode,
            uid: *uid,
            gid: *gid,
            mtime: None,
            xattrs: xattrs.clone(),
        },
        other => other.clone(),
    }
}
