//! Makes every slave of a bond carry the traffic in turn, while packets go to a target, and says
//! what each turn cost. However it ends, the active slave is put back and links are mended.

mod measure;
#[cfg(test)]
mod tests;

use std::net::Ipv4Addr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde::Serialize;

pub use measure::Traffic;

use crate::bonding::{self, BondStatus};
use crate::engine::Signals;
use crate::host::{Cmd, Host, Program};
use crate::inventory::Kernel;
use crate::journal::Made;
use crate::ledger;
use crate::ledger::Lock;
use crate::net::{BondMode, IfName};
use crate::paths;
use crate::verify::{self, Check};

/// Between two packets: root alone may ask for less than 200 ms.
const INTERVAL: Duration = Duration::from_millis(10);

/// Traffic before a switch, so that its beginning is seen.
const LEAD: Duration = Duration::from_millis(300);

/// How long a slave carries the traffic alone.
const HOLD: Duration = Duration::from_secs(2);

/// Packets without an answer at the end of a turn that may have been on their way: 100 ms.
const TAIL: usize = 10;

/// How long one packet's answer is waited for.
const ANSWER: Duration = Duration::from_secs(3);

/// How long the driver may take to do what it was told, its own delays aside.
const SWITCH: Duration = Duration::from_secs(5);

/// How long a turn may last in all: a `ping` that nobody interrupts any more ends then.
const LONGEST: Duration = Duration::from_secs(600);

/// The bit of a device's flags by which it is up (`IFF_UP`, include/uapi/linux/if.h).
const IFF_UP: u32 = 1;

/// The width of a timeline.
const COLUMNS: usize = 60;

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
    /// Signals on their way in.
    pub signals: &'a Signals,
}

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

/// A slave's turn.
#[derive(Clone, Debug, Serialize)]
pub struct Turn {
    /// The slave.
    pub name: String,
    /// Whether it carried the traffic.
    pub ok: bool,
    /// Packets sent.
    pub sent: usize,
    /// Packets without an answer.
    pub lost: usize,
    /// The longest time without an answer; `None`: it had no turn.
    pub gap_ms: Option<u64>,
    /// Why it failed.
    pub why: Option<String>,
    /// The time from left to right: `#` all answered, `.` not all.
    pub timeline: String,
}

impl Drill<'_> {
    /// The bond's mode.
    ///
    /// # Errors
    /// When there is no such bond, or its mode is not known.
    pub fn mode(&self) -> Result<BondMode> {
        self.status()?.mode.with_context(|| format!("the mode of {} is not known", self.bond))
    }

    /// Does it. `tell` hears of each turn when it is over.
    ///
    /// # Errors
    /// Only where nothing was touched.
    pub fn run(&self, tell: &dyn Fn(&Turn)) -> Result<Report> {
        let status = self.status()?;
        let names: Vec<String> = status.slaves.iter().map(|s| s.name.clone()).collect();
        ensure!(
            names.len() > 1,
            "{} has {} slaves: there is nobody to take over",
            self.bond,
            names.len()
        );
        let kernel = Kernel::read(self.host)?;
        if let Some(bridge) = kernel.devices.get(self.bond.as_str()).and_then(|d| d.master.as_ref())
        {
            bail!(
                "{} is a port of {bridge}: XAPI manages it, and a drill could cut off the host",
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
            self.bond
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
                error = Some("a signal asked to stop".to_string());
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

    fn status(&self) -> Result<BondStatus> {
        let path = paths::proc_bonding(self.bond.as_str());
        let text = self.host.read_text(&path)?;
        let text =
            text.with_context(|| format!("there is no bond {}: {path} is missing", self.bond))?;
        Ok(bonding::parse(&text))
    }

    fn is_stopped(&self) -> bool {
        self.signals.interrupt.load(Ordering::Relaxed)
    }

    /// Waits until the driver says so; `false`: not within the time, or a signal came.
    fn until(&self, within: Duration, so: impl Fn(&BondStatus) -> bool) -> Result<bool> {
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

    fn is_answered(&self) -> bool {
        let line = format!("-n -c 1 -W {} -I {} {}", ANSWER.as_secs(), self.bond, self.target);
        let args: Vec<&str> = line.split(' ').collect();
        let cmd = Cmd::read(Program::Ping, &args, ANSWER + Duration::from_secs(2));
        self.host.run(&cmd).is_ok_and(|output| output.success())
    }

    /// One slave's turn; it is over when the bond is whole again.
    fn turn(&self, name: &str, names: &[String], before: &Before) -> Result<Turn> {
        let link = |s: &BondStatus| s.slave(name).and_then(|s| s.mii_status.clone());
        let now = link(&self.status()?);
        if now.as_deref() != Some("up") {
            return Ok(Turn::failed(
                name,
                format!("its link is {}", now.as_deref().unwrap_or("unknown")),
            ));
        }
        let line = format!(
            "-n -i {} -w {} -I {} {}",
            INTERVAL.as_secs_f64(),
            LONGEST.as_secs(),
            self.bond,
            self.target
        );
        let args: Vec<&str> = line.split(' ').collect();
        let cmd = Cmd::read(Program::Ping, &args, Duration::from_secs(10));
        let mut done: Result<bool> = Ok(false);
        let clock = self.host.clock();
        let output = self.host.run_during(&cmd, &mut || {
            clock.pause(LEAD);
            done = self.carry(name, names, before).map(|()| {
                let end = clock.elapsed() + HOLD;
                while clock.elapsed() < end && !self.is_stopped() {
                    clock.pause(Duration::from_millis(50));
                }
                self.is_answered()
            });
            // Whatever came of it: the next turn begins with a whole bond.
            if self.cut_links {
                let mended = self.mend(before).and_then(|()| self.whole(names, before));
                done = std::mem::replace(&mut done, Ok(false)).and_then(|d| mended.map(|()| d));
            }
            clock.pause(LEAD);
        })?;
        let answered = done?;
        let traffic = Traffic::parse(&output.text());
        let traffic = if answered { traffic.without_tail(TAIL) } else { traffic };
        ensure!(traffic.sent() > 0, "running `{cmd}`: it sent nothing{}", output.last_words());
        let why = if self.is_stopped() {
            Some("stopped by a signal".to_string())
        } else if answered {
            match self.faults(before) {
                Ok(fault) => fault.map(|check| check.to_string()),
                Err(error) => Some(format!("{error:#}")),
            }
        } else {
            Some(format!("{} does not answer while {name} carries the traffic", self.target))
        };
        let gap = u64::try_from(traffic.longest_gap()).unwrap_or(u64::MAX);
        Ok(Turn {
            name: name.to_string(),
            ok: why.is_none(),
            sent: traffic.sent(),
            lost: traffic.lost(),
            gap_ms: Some(gap * u64::try_from(INTERVAL.as_millis()).unwrap_or(1)),
            why,
            timeline: traffic.timeline(COLUMNS),
        })
    }

    /// Makes it the one that carries.
    fn carry(&self, name: &str, names: &[String], before: &Before) -> Result<()> {
        if !self.cut_links {
            self.switch_to(name)?;
            let so = |s: &BondStatus| s.active_slave.as_deref() == Some(name);
            let switched = self.until(SWITCH, so)?;
            ensure!(
                switched || self.is_stopped(),
                "the driver did not make {name} the active slave"
            );
            return Ok(());
        }
        for other in names.iter().filter(|n| *n != name) {
            let flags = before.flags_of(other)?;
            self.set_flags(other, flags & !IFF_UP)?;
        }
        let down = |s: &BondStatus| {
            s.slaves
                .iter()
                .filter(|s| s.name != name)
                .all(|s| s.mii_status.as_deref() == Some("down"))
        };
        let cut = self.until(SWITCH + before.delays, down)?;
        ensure!(cut || self.is_stopped(), "the driver does not see that the other links are cut");
        Ok(())
    }

    fn switch_to(&self, name: &str) -> Result<()> {
        self.host.set_attribute(&self.active_slave_file(), name)
    }

    fn active_slave_file(&self) -> String {
        format!("{}/bonding/active_slave", paths::sys_net(self.bond.as_str()))
    }

    fn set_flags(&self, name: &str, flags: u32) -> Result<()> {
        self.host.set_attribute(&flags_file(name), &format!("0x{flags:x}"))
    }

    /// Brings up what was cut.
    fn mend(&self, before: &Before) -> Result<()> {
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
    fn whole(&self, names: &[String], before: &Before) -> Result<()> {
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

    /// The first thing that is not as asked, but for what a turn is meant to change.
    fn faults(&self, before: &Before) -> Result<Option<Check>> {
        let Some(made) = self.made else { return Ok(None) };
        let start = self.host.clock().elapsed();
        loop {
            let kernel = Kernel::read(self.host)?;
            let checks = verify::kernel(&made.spec, &made.nics, &kernel);
            let bad = checks
                .into_iter()
                .find(|c| !c.ok && c.name != "active slave" && !before.bad.contains(&c.name));
            let over =
                self.host.clock().elapsed().saturating_sub(start) >= verify::limit(&made.spec);
            if bad.is_none() || over || self.is_stopped() {
                return Ok(bad);
            }
            self.host.clock().pause(Duration::from_millis(100));
        }
    }

    /// Everything as it was before the drill; what fails keeps nothing else from being put back.
    fn put_back(&self, before: &Before, names: &[String]) -> Result<()> {
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
            "{active} is not the active slave again: echo {active} > {}",
            self.active_slave_file()
        );
        Ok(())
    }
}

/// The bond before the drill.
struct Before {
    active: Option<String>,
    /// Flags of each slave.
    flags: Vec<(String, u32)>,
    /// The slaves whose link was up.
    up: Vec<String>,
    /// How long the driver itself waits with links that come and go.
    delays: Duration,
    /// Rows of `verify` that were bad already.
    bad: Vec<String>,
}

impl Before {
    fn read(drill: &Drill<'_>, status: &BondStatus) -> Result<Self> {
        let mut flags = Vec::new();
        for slave in &status.slaves {
            flags.push((slave.name.clone(), flags_of(drill.host, &slave.name)?));
        }
        let up = status.slaves.iter().filter(|s| s.mii_status.as_deref() == Some("up"));
        let ms = [status.miimon, status.updelay, status.downdelay, status.arp_interval];
        let ms: u32 = ms.into_iter().flatten().sum();
        let bad = match drill.made {
            Some(made) => {
                let checks = verify::kernel(&made.spec, &made.nics, &Kernel::read(drill.host)?);
                checks.into_iter().filter(|c| !c.ok).map(|c| c.name).collect()
            }
            None => Vec::new(),
        };
        let has_active = status.mode.is_some_and(BondMode::has_active_slave);
        Ok(Self {
            active: status.active_slave.clone().filter(|_| has_active),
            flags,
            up: up.map(|s| s.name.clone()).collect(),
            delays: Duration::from_millis(u64::from(ms) * 3),
            bad,
        })
    }

    fn flags_of(&self, name: &str) -> Result<u32> {
        let found = self.flags.iter().find(|(n, _)| n == name);
        Ok(found.with_context(|| format!("{name} was no slave before"))?.1)
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

impl Turn {
    /// One that was not taken.
    fn failed(name: &str, why: String) -> Self {
        Self {
            name: name.to_string(),
            ok: false,
            sent: 0,
            lost: 0,
            gap_ms: None,
            why: Some(why),
            timeline: String::new(),
        }
    }
}
