//! The caller's own files, which lie under no root: FILE and DIR of the command line.

use std::path::{Path, PathBuf};
use std::{fs, io};

/// The paths of what is in a folder.
///
/// # Errors
/// When it cannot be read.
pub fn paths_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect()
}

/// A file's text.
///
/// # Errors
/// When it cannot be read, or is no text.
pub fn text(file: &Path) -> io::Result<String> {
    fs::read_to_string(file)
}
