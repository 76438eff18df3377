//! What a program of the model works with while it runs: the state, the root's files, and the
//! text that it prints.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::host::{inside, text_of};
use crate::model::state::{Features, Flavour, State};
use crate::order;

/// A running program's surroundings.
pub(crate) struct Shell<'a> {
    pub(crate) root: &'a Path,
    pub(crate) state: &'a mut State,
    pub(crate) out: String,
    pub(crate) err: String,
    /// A file of the root was changed.
    pub(crate) wrote: bool,
    /// Virtual time that the command took, ms.
    pub(crate) took: u64,
    /// It runs during the boot: XAPI is not asked and nothing is a user's doing.
    pub(crate) depth: u8,
}

impl<'a> Shell<'a> {
    pub(crate) fn new(root: &'a Path, state: &'a mut State) -> Self {
        Self {
            root,
            state,
            out: String::new(),
            err: String::new(),
            wrote: false,
            took: 0,
            depth: 0,
        }
    }

    pub(crate) fn features(&self) -> &Features {
        &self.state.dom0.features
    }

    pub(crate) fn scripts(&self) -> Flavour {
        self.state.dom0.features.initscripts
    }

    pub(crate) fn say(&mut self, line: impl AsRef<str>) {
        self.out.push_str(line.as_ref());
        self.out.push('\n');
    }

    pub(crate) fn complain(&mut self, line: impl AsRef<str>) {
        self.err.push_str(line.as_ref());
        self.err.push('\n');
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        inside(self.root, path, false)
    }

    /// Where a path of the host lies, with a symbolic link at its end followed inside the root.
    fn followed(&self, path: &str) -> PathBuf {
        inside(self.root, path, true)
    }

    pub(crate) fn read(&self, path: &str) -> Option<String> {
        let bytes = fs::read(self.followed(path)).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    pub(crate) fn exists(&self, path: &str) -> bool {
        self.path(path).symlink_metadata().is_ok()
    }

    pub(crate) fn write(&mut self, path: &str, text: &str) -> bool {
        if self.read(path).as_deref() == Some(text) {
            return true;
        }
        self.wrote = true;
        fs::write(self.followed(path), text).is_ok()
    }

    pub(crate) fn remove(&mut self, path: &str) -> bool {
        let gone = fs::remove_file(self.path(path)).is_ok();
        self.wrote |= gone;
        gone
    }

    pub(crate) fn link(&mut self, target: &str, path: &str) -> bool {
        let real = self.path(path);
        if let Some(folder) = real.parent() {
            let _ = fs::create_dir_all(folder);
        }
        if fs::read_link(&real).is_ok_and(|now| now == Path::new(target)) {
            return true;
        }
        let _ = fs::remove_file(&real);
        self.wrote = true;
        symlink(target, real).is_ok()
    }

    /// Names in a folder, sorted.
    pub(crate) fn list(&self, folder: &str) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.followed(folder))
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| text_of(&entry.file_name()))
            .collect();
        order::sort(&mut names);
        names
    }
}
