//! Counts the effects of a rehearsal, and strikes at one of them.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use anyhow::{Result, bail};

use crate::host::{Effect, Watch};

/// Counts the effects, and strikes at one of them.
pub struct Striker {
    pub count: AtomicUsize,
    pub at: Option<usize>,
    pub cuts_power: bool,
    pub dead: AtomicBool,
}

impl Watch for Striker {
    fn before(&self, effect: &Effect<'_>) -> Result<()> {
        if self.dead.load(Ordering::SeqCst) {
            bail!("the power is off");
        }
        if !matches!(
            effect,
            Effect::Run(_) | Effect::Rename(..) | Effect::Remove(_) | Effect::Append(_)
        ) {
            return Ok(());
        }
        let number = self.count.fetch_add(1, Ordering::SeqCst) + 1;
        if self.at == Some(number) {
            if self.cuts_power {
                self.dead.store(true, Ordering::SeqCst);
                bail!("the power was cut at effect {number}");
            }
            bail!("effect {number} was made to fail");
        }
        Ok(())
    }

    fn after(&self, _: &Effect<'_>) -> Result<()> {
        Ok(())
    }
}
