//! Makes every slave of a bond carry the traffic in turn, while packets go to a target, and says
//! what each turn cost. However it ends, the active slave is put back and links are mended.

mod before;
mod bond;
#[cfg(test)]
mod managed_tests;
mod measure;
#[cfg(test)]
mod tests;
mod turn;

use std::net::Ipv4Addr;
use std::sync::atomic::Ordering;

use anyhow::{Result, bail, ensure};
use serde::Serialize;

use before::Before;
pub use bond::Drill;
use bond::INTERVAL;
pub use measure::Traffic;
pub use turn::Turn;

use crate::host::Program;
use crate::inventory::Kernel;
use crate::ledger;
use crate::ledger::Lock;

/// What came of a drill: `drill --json`.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Whether every slave carried the traffic, and all is as it was.
    pub ok: bool,
    /// The bond.
    pub bond: String,
    /// Whom the traffic went to.
    pub target: Ipv4Addr,
    /// Whether links were cut.
    pub cut_links: bool,
    /// ms between two packets: gaps are measured in it.
    pub interval_ms: u64,
    /// Each slave's turn.
    pub slaves: Vec<Turn>,
    /// What went wrong besides.
    pub error: Option<String>,
}

impl Drill<'_> {
    /// Does it. `tell` hears of each turn when it is over.
    ///
    /// # Errors
    /// Only where nothing was touched.
    pub fn run(&self, tell: &dyn Fn(&Turn)) -> Result<Report> {
        let status = self.status()?;
        let names: Vec<String> = status.slaves.iter().map(|s| s.name.clone()).collect();
        ensure!(
            names.len() > 1,
            "{} has {} slaves: no other slave can take over",
            self.bond,
            names.len()
        );
        let kernel = Kernel::read(self.host)?;
        let device = kernel.devices.get(self.bond.as_str()).filter(|_| self.managed.is_none());
        if let Some(bridge) = device.and_then(|device| device.master.as_ref()) {
            bail!(
                "{} is a port of {bridge}, and XAPI does not say that it is its own: what a drill cuts off is not known",
                self.bond
            );
        }
        if let Some(open) = ledger::summary(self.host)?.filter(ledger::Summary::is_open) {
            bail!("transaction {} for {} is {}: end it first", open.id, open.spec.bond, open.phase);
        }
        ensure!(
            self.host.programs().contains_key(&Program::Ping),
            "there is no `ping` on this host to measure with"
        );
        ensure!(
            self.is_answered(),
            "{} does not answer through {} even before the drill; nothing was touched",
            self.target,
            self.device()
        );
        self.signals.untouched.store(false, Ordering::Relaxed);
        let _lock = Lock::take(self.host)?;
        let before = Before::read(self, &self.status()?)?;
        let mut slaves = Vec::new();
        let mut error = None;
        for name in &names {
            let turn = match self.turn(name, &names, &before) {
                Ok(turn) => turn,
                Err(failed) => Turn::failed(name, format!("{failed:#}")),
            };
            tell(&turn);
            let stop = !turn.ok && turn.gap_ms.is_some();
            slaves.push(turn);
            if self.is_stopped() {
                error = Some("interrupted (Ctrl-C or a signal)".to_string());
                break;
            }
            if stop {
                break;
            }
        }
        if let Err(failed) = self.put_back(&before, &names) {
            let failed = format!("putting {} back as it was: {failed:#}", self.bond);
            error = Some(error.map_or(failed.clone(), |e| format!("{e}; {failed}")));
        }
        Ok(Report {
            ok: error.is_none() && slaves.len() == names.len() && slaves.iter().all(|t| t.ok),
            bond: self.bond.to_string(),
            target: self.target,
            cut_links: self.cut_links,
            interval_ms: u64::try_from(INTERVAL.as_millis()).unwrap_or(u64::MAX),
            slaves,
            error,
        })
    }
}
