//! What the bond was like before the drill, and the way back to it. Must not know what a turn does.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};

use super::bond::{Drill, SWITCH};
use crate::bonding::BondStatus;
use crate::engine::Signals;
use crate::host::Host;
use crate::inventory::Vswitch;
use crate::net::BondMode;
use crate::paths;
use crate::verify::Setting;

/// The bit of a device's flags by which it is up (`IFF_UP`, include/uapi/linux/if.h).
pub(super) const IFF_UP: u32 = 1;

/// The bond before the drill.
pub(super) struct Before {
    active: Option<String>,
    /// Flags of each slave.
    flags: Vec<(String, u32)>,
    /// The slaves whose link was up.
    up: Vec<String>,
    /// How long the driver itself waits with links that come and go.
    pub(super) delays: Duration,
    /// Rows of `verify` that were bad already.
    pub(super) bad: Vec<Setting>,
}

impl Before {
    pub(super) fn read(drill: &Drill<'_>, status: &BondStatus) -> Result<Self> {
        let mut flags = Vec::new();
        for slave in &status.slaves {
            flags.push((slave.name.clone(), flags_of(drill.host, &slave.name)?));
        }
        let up = status.slaves.iter().filter(|s| s.mii_status.as_deref() == Some("up"));
        let ms = [status.miimon, status.updelay, status.downdelay, status.arp_interval];
        let ms: u32 = ms.into_iter().flatten().sum();
        let bad = drill.faults()?.into_iter().map(|check| check.name).collect();
        let has_active = status.mode.is_some_and(BondMode::has_active_slave);
        Ok(Self {
            active: status.active_slave.clone().filter(|_| has_active),
            flags,
            up: up.map(|s| s.name.clone()).collect(),
            delays: Duration::from_millis(u64::from(ms) * 3),
            bad,
        })
    }

    pub(super) fn flags_of(&self, name: &str) -> Result<u32> {
        let found = self.flags.iter().find(|(n, _)| n == name);
        Ok(found.with_context(|| format!("{name} was no slave before"))?.1)
    }
}

impl Drill<'_> {
    pub(super) fn switch_to(&self, name: &str) -> Result<()> {
        if self.is_of_vswitch() {
            return Vswitch::switch(self.host, self.bond.as_str(), name);
        }
        self.host.set_attribute(&self.active_slave_file(), name)
    }

    pub(super) fn active_slave_file(&self) -> String {
        format!("{}/bonding/active_slave", paths::sys_net(self.bond.as_str()))
    }

    pub(super) fn set_flags(&self, name: &str, flags: u32) -> Result<()> {
        self.host.set_attribute(&flags_file(name), &format!("0x{flags:x}"))
    }

    /// Brings up the links that were cut.
    pub(super) fn mend(&self, before: &Before) -> Result<()> {
        let mut failed = Vec::new();
        for (name, flags) in &before.flags {
            let mended = flags_of(self.host, name).and_then(|now| {
                let cut = flags & IFF_UP != 0 && now & IFF_UP == 0;
                if cut { self.set_flags(name, *flags) } else { Ok(()) }
            });
            failed.extend(mended.err().map(|error| format!("{error:#}")));
        }
        ensure!(failed.is_empty(), "{}", failed.join("; "));
        Ok(())
    }

    /// Waits until every link that was up is so again, and an asked bond is as asked.
    pub(super) fn whole(&self, names: &[String], before: &Before) -> Result<()> {
        let up = |s: &BondStatus| {
            let is_up =
                |name: &String| s.slave(name).and_then(|s| s.mii_status.as_deref()) == Some("up");
            names.iter().filter(|n| before.up.contains(n)).all(is_up)
        };
        ensure!(
            self.until(SWITCH + before.delays, up)? || self.is_stopped(),
            "a link that was cut does not come back"
        );
        Ok(())
    }

    /// Puts everything back as it was before the drill; what fails keeps nothing else from it.
    pub(super) fn put_back(&self, before: &Before, names: &[String]) -> Result<()> {
        // A signal has asked to stop the drill, and not this.
        let calm = Signals::default();
        let me = Drill { signals: &calm, ..*self };
        let mut failed = Vec::new();
        let mut note = |result: Result<()>| failed.extend(result.err().map(|e| format!("{e:#}")));
        note(me.mend(before));
        note(me.switch_back(before));
        let answered = me.is_answered();
        note(me.whole(names, before));
        if !answered && !me.is_answered() {
            note(Err(anyhow!("{} does not answer any more", self.target)));
        }
        note(me.is_switched_back(before));
        ensure!(failed.is_empty(), "{}", failed.join("; "));
        Ok(())
    }

    fn switch_back(&self, before: &Before) -> Result<()> {
        match &before.active {
            Some(active) if self.status()?.active_slave.as_ref() != Some(active) => {
                self.switch_to(active)
            }
            _ => Ok(()),
        }
    }

    fn is_switched_back(&self, before: &Before) -> Result<()> {
        let Some(active) = &before.active else { return Ok(()) };
        let so = |s: &BondStatus| s.active_slave.as_ref() == Some(active);
        ensure!(
            self.until(SWITCH, so)?,
            "{active} is not the active slave again: {}",
            match self.is_of_vswitch() {
                true => format!("ovs-appctl bond/set-active-slave {} {active}", self.bond),
                false => format!("echo {active} > {}", self.active_slave_file()),
            }
        );
        Ok(())
    }
}

fn flags_file(name: &str) -> String {
    format!("{}/flags", paths::sys_net(name))
}

fn flags_of(host: &Host, name: &str) -> Result<u32> {
    let path = flags_file(name);
    let text = host.attribute(&path).with_context(|| format!("{path} is missing"))?;
    let hex = text.strip_prefix("0x").unwrap_or(&text);
    u32::from_str_radix(hex, 16)
        .with_context(|| format!("reading {path}: `{}`", text.escape_debug()))
}
