//! Is the host as asked? Setting by setting, from the running kernel and XAPI. Pure, but for
//! [`wait`], which reads again until all holds or the time is up.
//!
//! A value that nothing shows is unknown, and unknown is never good.

mod drift;
mod kernel;
mod lacp;
pub mod nagios;

use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Serialize};

pub use drift::{leftovers, next_boot, settled, xapi};
pub use kernel::kernel;

use crate::host::Host;
use crate::inventory::{Inventory, Kernel};
use crate::net::BondMode;
use crate::options::Opt;
use crate::preflight::Nic;
use crate::spec::Spec;
use crate::step::FileChange;

/// One setting: what was asked for and what is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Which setting.
    pub name: String,
    /// What was asked for.
    pub want: String,
    /// What is; `None`: nothing tells.
    pub have: Option<String>,
    /// Whether they agree.
    pub ok: bool,
    /// What may be wrong, and what to look at.
    pub hint: Option<String>,
    /// Whether it may still come right by itself, as a link may.
    #[serde(skip)]
    settles: bool,
}

impl Check {
    fn new(name: impl Into<String>, want: impl Into<String>, have: Option<String>) -> Self {
        let (name, want) = (name.into(), want.into());
        let ok = have.as_deref() == Some(want.as_str());
        Self { name, want, have, ok, hint: None, settles: false }
    }

    /// A check of something besides the bond's own settings.
    #[must_use]
    pub fn of(
        name: impl Into<String>,
        want: impl Into<String>,
        have: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self::new(name, want, Some(have.into())).because(hint)
    }

    fn settling(self) -> Self {
        Self { settles: true, ..self }
    }

    fn because(self, hint: impl Into<String>) -> Self {
        if self.ok { self } else { Self { hint: Some(hint.into()), ..self } }
    }
}

impl std::fmt::Display for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}: wanted {}, have {}",
            self.name,
            self.want,
            self.have.as_deref().unwrap_or("unknown")
        )
    }
}

/// The checks that failed.
#[must_use]
pub fn failed(checks: &[Check]) -> Vec<&Check> {
    checks.iter().filter(|c| !c.ok).collect()
}

/// How long a link may take to be seen after `ifup`, with the switch's own time.
const BASE: Duration = Duration::from_secs(10);

/// How long LACP may take: three slow periods of 30 s, for a partner that forgot us must first
/// time out (IEEE 802.1AX, LACP timeouts).
const LACP: Duration = Duration::from_secs(90);

/// The longest pause between two readings.
const PAUSE: Duration = Duration::from_millis(100);

/// How long all may take to be as asked.
#[must_use]
pub fn limit(spec: &Spec) -> Duration {
    let ms = |opt| u64::from(spec.options.number(opt).unwrap_or(0));
    let delays = ms(Opt::Updelay) + 3 * (ms(Opt::Miimon) + ms(Opt::ArpInterval));
    let lacp = if spec.mode == BondMode::Ieee8023ad { LACP } else { Duration::ZERO };
    BASE + lacp + Duration::from_secs(delays.div_ceil(1000))
}

/// What is waited for, in a few words: the first that has not settled, and what delays it.
fn awaited(spec: &Spec, checks: &[Check]) -> String {
    let failed = failed(checks);
    let delayed = failed.iter().find(|check| check.have.as_deref() == Some("going back"));
    if let (Some(check), Some(ms)) = (delayed, spec.options.number(Opt::Updelay)) {
        return format!("{}, updelay {ms} ms", check.name);
    }
    let lacp = failed.iter().find(|check| check.name.starts_with("LACP"));
    lacp.or(failed.first()).map(|check| check.name.clone()).unwrap_or_default()
}

/// Reads the kernel until all that can settle has, or `within` has passed. `waits` is told what for,
/// whenever that becomes another thing.
///
/// # Errors
/// When the kernel cannot be read.
pub fn wait(
    host: &Host,
    spec: &Spec,
    nics: &[Nic],
    within: Duration,
    waits: &mut dyn FnMut(&str),
) -> Result<Vec<Check>> {
    let start = host.clock().elapsed();
    let mut pause = Duration::from_millis(10);
    let mut told = String::new();
    loop {
        let checks = kernel(spec, nics, &Kernel::read(host)?);
        let hopeless = checks.iter().any(|c| !c.ok && !c.settles);
        let left = within.saturating_sub(host.clock().elapsed().saturating_sub(start));
        if failed(&checks).is_empty() || hopeless || left.is_zero() {
            return Ok(checks);
        }
        let what = awaited(spec, &checks);
        if what != told {
            waits(&what);
            told = what;
        }
        host.clock().pause(pause.min(left));
        pause = (pause * 2).min(PAUSE);
    }
}

/// Whether the bond is configured as asked, its links aside.
#[must_use]
pub fn is_configured(spec: &Spec, nics: &[Nic], inv: &Inventory) -> bool {
    kernel(spec, nics, &inv.kernel).iter().all(|c| c.ok || c.settles)
}

/// Everything that one reading of the host tells: `changed` are the files that are not as written.
#[must_use]
pub fn all(spec: &Spec, nics: &[Nic], inv: &Inventory, changed: &[FileChange]) -> Vec<Check> {
    let mut checks = kernel(spec, nics, &inv.kernel);
    checks.extend(settled(spec, nics, inv, changed));
    checks
}

#[cfg(test)]
mod tests;
