//! What others did that an undo found, and kept.

use anyhow::Result;

use crate::host::{Host, Kind};
use crate::paths::original_name;

/// What an undo did besides: work of others that it found and kept.
#[derive(Debug, Default)]
pub struct Kept {
    /// Where files that are no longer what we wrote are saved.
    pub folder: String,
    /// A sentence for each thing that was kept.
    pub notes: Vec<String>,
    /// Paths that may differ from what was recorded, since others changed them.
    pub paths: Vec<String>,
    /// Whether the step that is being undone was done to its end.
    pub done: bool,
    /// Whether it was undone before: what is gone since then others have removed.
    pub undone: bool,
    /// Paths that an earlier look found so: those that are there have a copy in the folder.
    pub known: Vec<String>,
}

impl Kept {
    /// Where the copy of a path is.
    #[must_use]
    pub fn copy(&self, path: &str) -> String {
        format!("{}/{}", self.folder, original_name(path))
    }

    /// Saves what stands at a path. What an earlier undo saved of it stays, under a number.
    ///
    /// # Errors
    /// When the copy cannot be written.
    pub fn save(&self, host: &Host, path: &str, now: &Kind) -> Result<()> {
        host.make_dir(&self.folder, 0o700)?;
        let copy = self.copy(path);
        let earlier = host.original(&copy)?.was;
        if earlier != Kind::Absent && !earlier.same_but_time(now) {
            let mut free = (1..).map(|n| format!("{copy}.{n}"));
            let free = free.find(|name| !host.exists(name)).unwrap_or_default();
            host.put(&free, &earlier)?;
        }
        host.put(&copy, now)
    }
}
