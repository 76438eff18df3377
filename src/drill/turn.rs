//! One slave's turn: it carries the traffic alone, which is measured meanwhile. Must not know how
//! many turns there are.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde::Serialize;

use super::before::{Before, IFF_UP};
use super::bond::{Drill, INTERVAL, SWITCH};
use super::measure::Traffic;
use crate::bonding::BondStatus;
use crate::host::{Cmd, Program};
use crate::verify::{Check, Setting};

/// Traffic before a switch, so that its beginning is seen.
const LEAD: Duration = Duration::from_millis(300);

/// How long a slave carries the traffic alone.
const HOLD: Duration = Duration::from_secs(2);

/// Packets without an answer at the end of a turn that may have been on their way: 100 ms.
const TAIL: usize = 10;

/// How long a turn may last in all: a `ping` that nobody interrupts any more ends then.
const LONGEST: Duration = Duration::from_secs(600);

/// The width of a timeline: with the columns before it 80 hold it.
const COLUMNS: usize = 44;

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

impl Turn {
    /// A turn that was not taken.
    pub(super) fn failed(name: &str, why: String) -> Self {
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

impl Drill<'_> {
    /// One slave's turn; it is over when the bond is whole again.
    pub(super) fn turn(&self, name: &str, names: &[String], before: &Before) -> Result<Turn> {
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
            self.device(),
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
            match self.new_fault(before) {
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

    /// Makes a slave the one that carries the traffic.
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

    /// The first thing that is not as asked, but for what a turn is meant to change.
    fn new_fault(&self, before: &Before) -> Result<Option<Check>> {
        let Some(limit) = self.limit() else { return Ok(None) };
        let start = self.host.clock().elapsed();
        loop {
            let meant = |c: &Check| c.name == Setting::ActiveSlave || before.bad.contains(&c.name);
            let bad = self.faults()?.into_iter().find(|check| !meant(check));
            let over = self.host.clock().elapsed().saturating_sub(start) >= limit;
            if bad.is_none() || over || self.is_stopped() {
                return Ok(bad);
            }
            self.host.clock().pause(Duration::from_millis(100));
        }
    }
}
