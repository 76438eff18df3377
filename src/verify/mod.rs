//! Is the host as asked? Setting by setting, from the running kernel, XAPI, the files and the
//! storage servers, and by one way to ask: [`judge`]. Must not know who asks.
//!
//! A value that nothing shows is unknown, and unknown is never good.

mod check;
mod drift;
mod durable;
mod kept;
mod kernel;
mod lacp;
mod managed;
mod networks;
pub mod probe;
mod question;
mod setting;
mod tuning;
mod unfinished;

use std::time::Duration;

use anyhow::Result;

use check::excuse;
pub use check::{Check, failed, hindering};
pub use drift::leftovers;
pub use durable::{Unsaved, unsaved, unsaved_networks};
pub use kept::STORAGE;
pub use managed::{limit as managed_limit, managed, rows as managed_rows};
pub use networks::LINK_LOCAL;
pub use question::{Patience, Question, Running, Verdict, Witness, judge};
pub use setting::Setting;
pub use unfinished::unfinished;

use crate::host::Host;
use crate::inventory::{Inventory, Kernel, Nic};
use crate::net::BondMode;
use crate::options::Opt;
use crate::preflight::Code;
use crate::spec::Spec;

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
    if spec.xapi_bond().is_some() {
        return managed::USUAL + lacp;
    }
    BASE + lacp + Duration::from_secs(delays.div_ceil(1000))
}

/// What is waited for, in a few words: the first that has not settled, and what delays it.
fn awaited(spec: &Spec, checks: &[Check]) -> String {
    let failed = hindering(checks);
    let delayed = failed.iter().find(|check| check.have.as_deref() == Some("going back"));
    if let (Some(check), Some(ms)) = (delayed, spec.options.number(Opt::Updelay)) {
        return format!("{}, updelay {ms} ms", check.name);
    }
    let lacp = failed.iter().find(|check| check.name.is_lacp());
    lacp.or(failed.first()).map(|check| check.name.to_string()).unwrap_or_default()
}

/// Every check that one reading of the kernel answers.
fn kernel(spec: &Spec, nics: &[Nic], kernel: &Kernel) -> Vec<Check> {
    match spec.managed() {
        Some(_) => kept::kernel(spec, nics, kernel),
        None => kernel::kernel(spec, nics, kernel),
    }
}

/// Reads the kernel until all that can settle has, or `within` has passed.
fn settles(
    host: &Host,
    spec: &Spec,
    nics: &[Nic],
    accepted: &[Code],
    within: Duration,
    waits: &mut dyn FnMut(&str),
) -> Result<Vec<Check>> {
    let start = host.clock().elapsed();
    let mut pause = Duration::from_millis(10);
    let mut told = String::new();
    loop {
        let mut checks = kernel(spec, nics, &Kernel::read(host)?);
        excuse(&mut checks, accepted);
        let hopeless = checks.iter().any(|c| !c.ok && !c.settles);
        let left = within.saturating_sub(host.clock().elapsed().saturating_sub(start));
        if hindering(&checks).is_empty() || hopeless || left.is_zero() {
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

/// In what the bond and its networks are not configured as asked, their links aside.
#[must_use]
pub fn unlike(spec: &Spec, nics: &[Nic], inv: &Inventory) -> Vec<Setting> {
    let have = |device: &str| inv.tuning.get(device).cloned().unwrap_or_default();
    let mut checks = kernel(spec, nics, &inv.kernel);
    checks.extend(tuning::rows(spec, nics, &have));
    checks.retain(|check| !check.ok && !check.settles);
    checks.into_iter().map(|check| check.name).collect()
}

#[cfg(test)]
mod tests;
