//! The right to change the host, one run at a time.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::{current_id, now};
use crate::host::{Host, join};
use crate::paths;

/// For how long a lock is tried: a run that only looks whether it is free has it for a moment.
const LOOK: Duration = Duration::from_millis(200);

/// The right to change the host: held as long as the value lives, and gone with the process.
pub struct Lock {
    file: File,
    /// The words of a run that held it and died.
    pub dead: Option<String>,
}

impl Drop for Lock {
    /// Closing is not enough: a program that another thread is just starting has the file open
    /// too until its exec, and the lock is the open file's.
    fn drop(&mut self) {
        // Words that stay there only make the next run speak of a dead one.
        let _ = self.file.set_len(0);
        let _ = self.file.unlock();
    }
}

impl Lock {
    /// Takes it.
    ///
    /// # Errors
    /// When another run holds it, with that run's own words about itself.
    pub fn take(host: &Host) -> Result<Self> {
        host.make_dir(paths::STATE, 0o700)?;
        host.make_dir(&join(paths::STATE, "history"), 0o700)?;
        Self::on(host, &join(paths::STATE, "lock"))?
            .map_err(|holder| anyhow::anyhow!("another xenbond is changing this host: {holder}"))
    }

    /// Takes the lock at `path`, or says who holds it.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn on(host: &Host, path: &str) -> Result<std::result::Result<Self, String>> {
        let real = host.real_path(path);
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
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if start.elapsed() < LOOK => {
                    std::thread::sleep(LOOK / 50);
                }
                Err(TryLockError::WouldBlock) => return Ok(Err(words(host, &mut file))),
                Err(TryLockError::Error(e)) => {
                    return Err(e).with_context(|| format!("locking {path}"));
                }
            }
        }
        // A run that ends takes its words away.
        let mut left = String::new();
        let _ = file.read_to_string(&mut left);
        let dead = Some(left.trim().to_string()).filter(|words| !words.is_empty());
        let words = format!("pid {}, since {}\n", std::process::id(), now(host));
        let written = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(words.as_bytes()));
        written.with_context(|| format!("writing {path}"))?;
        Ok(Ok(Self { file, dead }))
    }

    /// Who holds it, when someone does; takes nothing and makes nothing.
    #[must_use]
    pub fn holder(host: &Host) -> Option<String> {
        Self::holder_of(host, &join(paths::STATE, "lock"))
    }

    /// Who holds the lock at `path`.
    #[must_use]
    pub fn holder_of(host: &Host, path: &str) -> Option<String> {
        let mut file = File::open(host.real_path(path)).ok()?;
        match file.try_lock_shared() {
            Ok(()) => {
                let _ = file.unlock();
                None
            }
            Err(TryLockError::WouldBlock) => Some(words(host, &mut file)),
            Err(TryLockError::Error(_)) => None,
        }
    }
}

/// What the holder of the lock says of itself, and what it works on.
fn words(host: &Host, file: &mut File) -> String {
    let mut text = String::new();
    let _ = file.read_to_string(&mut text);
    match current_id(host) {
        Some(id) => format!("{}, transaction {id}", text.trim()),
        None => text.trim().to_string(),
    }
}
