//! The bond that is drilled: what its driver says, and whether the target answers through it.

use std::net::Ipv4Addr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::bonding::{self, BondStatus};
use crate::engine::Signals;
use crate::host::{Cmd, Host, Program};
use crate::inventory::{Carrier, Inventory, Kernel, Managed, Vswitch};
use crate::journal::Made;
use crate::net::{BondMode, IfName};
use crate::paths;
use crate::verify::{self, Check, Question, Running};

/// Between two packets: root alone may ask for less than 200 ms.
pub(super) const INTERVAL: Duration = Duration::from_millis(10);

/// How long one packet's answer is waited for.
pub(super) const ANSWER: Duration = Duration::from_secs(3);

/// How long the driver may take to do what it was told, its own delays aside.
pub(super) const SWITCH: Duration = Duration::from_secs(5);

/// A drill to be done.
pub struct Drill<'a> {
    /// The host.
    pub host: &'a Host,
    /// The bond.
    pub bond: &'a IfName,
    /// Whom the traffic goes to.
    pub target: Ipv4Addr,
    /// Whether links are cut; else the active slave is switched.
    pub cut_links: bool,
    /// What the bond is to be, when it is known.
    pub made: Option<&'a Made>,
    /// The bond as XAPI has it, where XAPI manages it, and the reading of the host.
    pub managed: Option<(&'a Managed, &'a Inventory)>,
    /// Signals on their way in.
    pub signals: &'a Signals,
}

impl Drill<'_> {
    /// The bond's mode.
    ///
    /// # Errors
    /// When there is no such bond, or its mode is not known.
    pub fn mode(&self) -> Result<BondMode> {
        self.status()?.mode.with_context(|| format!("the mode of {} is not known", self.bond))
    }

    pub(super) fn status(&self) -> Result<BondStatus> {
        if self.is_of_vswitch() {
            let read = Vswitch::glance(self.host, self.bond.as_str())?;
            let status = read.status(&Kernel::default());
            return status.with_context(|| format!("Open vSwitch has no bond {}", self.bond));
        }
        let path = paths::proc_bonding(self.bond.as_str());
        let text = self.host.read_text(&path)?;
        let text =
            text.with_context(|| format!("there is no bond {}: {path} is missing", self.bond))?;
        Ok(bonding::parse(&text))
    }

    /// Whether Open vSwitch carries it, and not the kernel's driver.
    pub(super) fn is_of_vswitch(&self) -> bool {
        self.managed.is_some_and(|(_, inv)| inv.has_vswitch())
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.signals.interrupt.load(Ordering::Relaxed)
    }

    /// Waits until the driver says so; `false`: not within the time, or a signal came.
    pub(super) fn until(&self, within: Duration, so: impl Fn(&BondStatus) -> bool) -> Result<bool> {
        let start = self.host.clock().elapsed();
        loop {
            if so(&self.status()?) {
                return Ok(true);
            }
            let over = self.host.clock().elapsed().saturating_sub(start) >= within;
            if over || self.is_stopped() {
                return Ok(false);
            }
            self.host.clock().pause(Duration::from_millis(20));
        }
    }

    /// The device that the target is reached through: the bond, or a tag of it; its bridge where
    /// XAPI manages it.
    pub(super) fn device(&self) -> &str {
        if let Some(bridge) = self.managed.and_then(|(bond, _)| bond.bridge()) {
            return bridge;
        }
        let network = self.made.and_then(|made| made.spec.network_to(self.target));
        network.map_or(self.bond.as_str(), |network| network.device)
    }

    pub(super) fn is_answered(&self) -> bool {
        let line = format!("-n -c 1 -W {} -I {} {}", ANSWER.as_secs(), self.device(), self.target);
        let args: Vec<&str> = line.split(' ').collect();
        let cmd = Cmd::read(Program::Ping, &args, ANSWER + Duration::from_secs(2));
        self.host.run(&cmd).is_ok_and(|output| output.success())
    }

    /// How long what was asked for may take to be so again; `None`: nothing was asked.
    pub(super) fn limit(&self) -> Option<Duration> {
        let managed = self.managed.map(|(bond, _)| verify::managed_limit(bond));
        managed.or_else(|| Some(verify::limit(&self.made?.spec)))
    }

    /// The rows of a verification that are not as asked, where something was asked.
    pub(super) fn faults(&self) -> Result<Vec<Check>> {
        if let Some((bond, inv)) = self.managed {
            let carrier = Carrier::read(self.host, inv, self.bond.as_str());
            let mut rows = verify::managed_rows(inv, bond, &Kernel::read(self.host)?, &carrier);
            rows.retain(|check| !check.ok);
            return Ok(rows);
        }
        let Some(made) = self.made else { return Ok(Vec::new()) };
        let verdict = verify::judge(Question {
            spec: &made.spec,
            nics: &made.nics,
            absent: &[],
            accepted: &[],
            kernel: Running::Read(&Kernel::read(self.host)?),
            witnesses: &[],
        })?;
        Ok(verdict.checks.into_iter().filter(|check| !check.ok).collect())
    }
}
