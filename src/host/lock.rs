//! Files that one process at a time has locked, with its words about itself in them.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::Host;

/// For how long a lock is tried: a run that only looks whether it is free has it for a moment.
const LOOK: Duration = Duration::from_millis(200);

/// A locked file: locked as long as the value lives, and free with the process.
pub struct Locked(File);

impl Drop for Locked {
    /// Closing is not enough: a program that another thread is just starting has the file open
    /// too until its exec, and the lock is the open file's.
    fn drop(&mut self) {
        // Words that stay there only make the next run speak of a dead one.
        let _ = self.0.set_len(0);
        let _ = self.0.unlock();
    }
}

impl Locked {
    /// What stands in it.
    #[must_use]
    pub fn words(&mut self) -> String {
        words(&mut self.0)
    }

    /// Has it hold these words.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn say(&mut self, words: &str) -> std::io::Result<()> {
        self.0.set_len(0)?;
        self.0.rewind()?;
        self.0.write_all(words.as_bytes())
    }
}

impl Host {
    /// Locks the file at `path`, which is made where it is missing; or the words of who has it.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn lock(&self, path: &str) -> Result<std::result::Result<Locked, String>> {
        let real = self.real_path(path);
        let open = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&real);
        let mut file = open.with_context(|| format!("opening {path}"))?;
        let start = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Ok(Locked(file))),
                Err(TryLockError::WouldBlock) if start.elapsed() < LOOK => {
                    std::thread::sleep(LOOK / 50);
                }
                Err(TryLockError::WouldBlock) => return Ok(Err(words(&mut file))),
                Err(TryLockError::Error(e)) => {
                    return Err(e).with_context(|| format!("locking {path}"));
                }
            }
        }
    }

    /// The words of who has locked the file at `path`; nothing is taken, and nothing made.
    #[must_use]
    pub fn locked_by(&self, path: &str) -> Option<String> {
        let mut file = File::open(self.real_path(path)).ok()?;
        match file.try_lock_shared() {
            Ok(()) => {
                let _ = file.unlock();
                None
            }
            Err(TryLockError::WouldBlock) => Some(words(&mut file)),
            Err(TryLockError::Error(_)) => None,
        }
    }
}

fn words(file: &mut File) -> String {
    let mut text = String::new();
    let _ = file.read_to_string(&mut text);
    text.trim().to_string()
}
