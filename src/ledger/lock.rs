//! The right to change the host, one run at a time.

use anyhow::{Context, Result};

use super::{current_id, now};
use crate::host::{Host, Locked, join};
use crate::paths;

/// The right to change the host: held as long as the value lives, and gone with the process.
pub struct Lock {
    _file: Locked,
    /// The words of a run that held it and died.
    pub dead: Option<String>,
}

impl Lock {
    /// Takes the lock.
    ///
    /// # Errors
    /// When another run holds it, with that run's own words about itself.
    pub fn take(host: &Host) -> Result<Self> {
        host.make_dir(paths::STATE, 0o700)?;
        host.is_ours(paths::STATE)?;
        host.make_dir(&join(paths::STATE, "history"), 0o700)?;
        Self::on(host, &join(paths::STATE, "lock"))?
            .map_err(|holder| anyhow::anyhow!("another xenbond is changing this host: {holder}"))
    }

    /// Takes the lock at `path`, or says who holds it.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn on(host: &Host, path: &str) -> Result<std::result::Result<Self, String>> {
        if host.exists(path) {
            host.is_ours(path)?;
        }
        let mut file = match host.lock(path)? {
            Ok(file) => file,
            Err(words) => return Ok(Err(at_work(host, words))),
        };
        // A run that ends takes its words away.
        let dead = Some(file.words()).filter(|words| !words.is_empty());
        let words = format!("pid {}, since {}\n", std::process::id(), now(host));
        file.say(&words).with_context(|| format!("writing {path}"))?;
        Ok(Ok(Self { _file: file, dead }))
    }

    /// Who holds it, when someone does; takes nothing and makes nothing.
    #[must_use]
    pub fn holder(host: &Host) -> Option<String> {
        Self::holder_of(host, &join(paths::STATE, "lock"))
    }

    /// Who holds the lock at `path`.
    #[must_use]
    pub fn holder_of(host: &Host, path: &str) -> Option<String> {
        host.locked_by(path).map(|words| at_work(host, words))
    }
}

/// What the holder of the lock says of itself, and what it works on.
fn at_work(host: &Host, words: String) -> String {
    match current_id(host) {
        Some(id) => format!("{words}, transaction {id}"),
        None => words,
    }
}
