//! Death at a line of the journal, in debug builds alone: how the tests of the real binary kill a
//! run where no command of a stand-in could. Not in a release.

use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::host::{Effect, Watch};

/// `N`: before the journal's N-th line of this run is written; `N+`: after it.
const VARIABLE: &str = "XENBOND_DIES_AT";

/// A run that ends itself by SIGKILL.
pub struct Death {
    at: usize,
    after: bool,
    lines: AtomicUsize,
}

fn is_journal(effect: &Effect<'_>) -> bool {
    matches!(effect, Effect::Append(path) if path.ends_with("journal"))
}

/// What the environment asks for.
pub fn asked() -> Option<Death> {
    let word = std::env::var(VARIABLE).ok()?;
    let at = word.trim_end_matches('+').parse().ok()?;
    Some(Death { at, after: word.ends_with('+'), lines: AtomicUsize::new(0) })
}

impl Death {
    fn strike(&self, effect: &Effect<'_>, line: usize) -> Result<()> {
        if is_journal(effect) && line == self.at {
            kill(Pid::this(), Signal::SIGKILL)?;
        }
        Ok(())
    }
}

impl Watch for Death {
    fn before(&self, effect: &Effect<'_>) -> Result<()> {
        if is_journal(effect) {
            let line = self.lines.fetch_add(1, Ordering::SeqCst) + 1;
            return if self.after { Ok(()) } else { self.strike(effect, line) };
        }
        Ok(())
    }

    fn after(&self, effect: &Effect<'_>) -> Result<()> {
        let line = self.lines.load(Ordering::SeqCst);
        if self.after { self.strike(effect, line) } else { Ok(()) }
    }
}
