//! The write-ahead record of a transaction and its folder.
//!
//! `var/lib/xenbond/history/ID/` holds a transaction: `plan.json` (what is to be done and all
//! that its undo needs, durable before anything is touched), `journal` (one line before and one
//! after each step), `originals/`, the files as they were, and `undo.sh`. `current` is a link to
//! the one that is open or was done last.

use std::time::Duration;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::{repaired, stored, undo_script};
use crate::host::{Host, Kind, join};
use crate::inventory::Management;
use crate::inventory::facts::{Difference, Fact, Facts, Value};
use crate::ledger::{
    self, Event, FORMAT, Line, Orders, Phase, current, history, now, point_at, this_boot,
    wall_seconds,
};
use crate::net::Uuid;
use crate::outcome::Item;
use crate::paths::{self, original_name};
use crate::plan::Plan;
use crate::step::Step;
use crate::verify::probe::Answers;

/// What `plan.json` holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Header {
    format: u32,
    /// XAPI's uuid of the host that it is of.
    pub host: Option<Uuid>,
    /// Its name: when it began, and the bond.
    pub id: String,
    /// When it began.
    pub started: String,
    /// Which version of the program made it.
    pub program: String,
    /// The transaction that this one replaced.
    pub previous: Option<String>,
    /// What is to be done.
    pub plan: Plan,
    /// The host before anything was touched.
    pub before: Facts,
    /// Which storage servers answered then.
    #[serde(default)]
    pub answers: Answers,
    /// How it was managed; an earlier build recorded that where a reboot was among the steps.
    #[serde(default)]
    pub management: Option<Management>,
}

/// An open transaction, or the last one that was done.
pub struct Transaction {
    /// What is known of it from the start.
    pub header: Header,
    events: Vec<Event>,
    /// The rest of the log: when each event was.
    times: Vec<String>,
    /// How long the journal is with all of them.
    length: u64,
}

impl Transaction {
    /// The current transaction, when there is one.
    ///
    /// # Errors
    /// When its files cannot be read, are broken before their end, or of a newer format.
    pub fn open(host: &Host) -> Result<Option<Self>> {
        Self::read(host, &current())
    }

    /// The transaction of a name, whatever became of it.
    ///
    /// # Errors
    /// As for [`Self::open`].
    pub fn named(host: &Host, id: &str) -> Result<Option<Self>> {
        Self::read(host, &history(id))
    }

    fn read(host: &Host, folder: &str) -> Result<Option<Self>> {
        let Some(bytes) = ledger::plan_json(host, folder)? else { return Ok(None) };
        let header = stored::read(host, &join(folder, "originals"), &bytes)
            .map_err(|error| ledger::damaged(host, folder, "plan.json", &error))?;
        let (lines, length) = ledger::journal(host, folder)?;
        let (times, events) = lines.into_iter().map(|line| (line.at, line.event)).unzip();
        Ok(Some(Self { header, events, times, length }))
    }

    /// All that was written down.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Begins a transaction: when this returns, the plan and all originals are durable.
    ///
    /// # Errors
    /// When the state cannot be written; nothing else was touched then.
    pub fn begin(
        host: &Host,
        plan: Plan,
        before: Facts,
        answers: Answers,
        management: Option<Management>,
    ) -> Result<Self> {
        let previous = Self::open(host)?;
        let started = now(host);
        let stamp: String = started.chars().filter(char::is_ascii_digit).collect();
        let mut id = format!("{stamp}-{}", plan.spec.bond);
        while host.exists(&history(&id)) || previous.as_ref().is_some_and(|p| p.header.id == id) {
            id.push('+');
        }
        let header = Header {
            format: FORMAT,
            host: ledger::this_host(host),
            id,
            started,
            program: env!("CARGO_PKG_VERSION").into(),
            previous: ledger::front(host),
            plan,
            before,
            answers,
            management,
        };
        let folder = history(&header.id);
        for dir in [paths::STATE, &history(""), &folder, &join(&folder, "originals")] {
            host.make_dir(dir.trim_end_matches('/'), 0o700)?;
        }
        for original in header.plan.originals() {
            if original.was.bytes().is_some() {
                let name = original_name(&original.path);
                host.put(&join(&join(&folder, "originals"), &name), &original.was)?;
            }
        }
        // The way back of a repair leads to the host before the first change.
        let first = repaired(host, &header.plan, &header.id)?.map(|first| first.header.id);
        let script = undo_script::script(&header.plan, header.host.as_ref(), first.as_deref());
        host.put(&join(&folder, "undo.sh"), &Kind::new_file(script, 0o700))?;
        let text = stored::text(&header)?;
        // Before anything rests on it.
        stored::read(host, &join(&folder, "originals"), &text).context("reading it back")?;
        host.put(&join(&folder, "plan.json"), &Kind::new_file(text, 0o600))?;
        let last = ledger::current_id(host);
        if let Err(error) = point_at(host, Some(&header.id)) {
            // It may lead there for all that.
            let _ = point_at(host, last.as_deref());
            return Err(error);
        }
        Ok(Self { header, events: Vec::new(), times: Vec::new(), length: 0 })
    }

    /// Adds a line and makes it durable: before the act for a beginning, after it for an end.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn record(&mut self, host: &Host, event: Event) -> Result<()> {
        let folder = history(&self.header.id);
        let path = join(&folder, "journal");
        if host.size(&path)?.unwrap_or(0) != self.length {
            // A torn last line, or not the journal that was read.
            let (_, whole) = ledger::journal(host, &folder)?;
            host.truncate(&path, whole)?;
            self.length = whole;
        }
        let at = now(host);
        let mut line = serde_json::to_vec(&Line { at: at.clone(), event: event.clone() })?;
        line.push(b'\n');
        if let Err(error) = host.append(&path, &line) {
            // What is said not to be written must not be read by the next run.
            if host.size(&path).is_ok_and(|size| size.unwrap_or(0) != self.length) {
                let _ = host.truncate(&path, self.length);
            }
            return Err(error);
        }
        self.length += line.len() as u64;
        self.events.push(event);
        self.times.push(at);
        Ok(())
    }

    /// Knows of an event for the rest of this run whose line could not be written.
    pub fn remember(&mut self, host: &Host, event: Event) {
        self.events.push(event);
        self.times.push(now(host));
    }

    /// Where the transaction stands.
    #[must_use]
    pub fn phase(&self) -> Phase {
        Phase::after(&self.events)
    }

    /// When its last line was written; when it began, as long as it has none.
    #[must_use]
    pub fn last_time(&self) -> &str {
        self.times.last().unwrap_or(&self.header.started)
    }

    /// What was ordered with it.
    #[must_use]
    pub fn orders(&self) -> Orders {
        self.events.iter().fold(Orders::default(), |all, event| match event {
            Event::Ordered(more) => all.and(*more),
            _ => all,
        })
    }

    /// The codes of the warnings that were accepted with it.
    #[must_use]
    pub fn accepted(&self) -> Vec<String> {
        let codes = |event: &Event| match event {
            Event::Accepted { codes } => codes.clone(),
            _ => Vec::new(),
        };
        self.events.iter().flat_map(codes).collect()
    }

    /// How long a confirmation is still awaited; `None` when none is.
    ///
    /// Within one boot the boot's clock counts, which nobody sets. After another boot it is the
    /// wall clock, and at least as long as the boot's clock says; whichever way the wall clock
    /// jumped, the time is never longer than it was at first.
    #[must_use]
    pub fn time_left(&self, host: &Host) -> Option<Duration> {
        let event = self.events.iter().rev().find(|e| matches!(e, Event::Awaiting { .. }))?;
        let Event::Awaiting { seconds, wall, boot, boot_id } = event else { return None };
        if self.phase() != Phase::WaitingForConfirmation {
            return None;
        }
        let since_boot = host.clock().since_boot().as_secs();
        let by_boot = if since_boot >= *boot { since_boot - boot } else { since_boot };
        let passed = if this_boot(host).as_ref() == Some(boot_id) {
            by_boot
        } else {
            by_boot.max(wall_seconds(host).saturating_sub(*wall))
        };
        Some(Duration::from_secs(seconds.saturating_sub(passed)))
    }

    /// The boot in which the verdict that waits for something was given.
    #[must_use]
    pub fn judged_in(&self) -> Option<&str> {
        self.events.iter().rev().find_map(|event| match event {
            Event::Awaiting { boot_id, .. } | Event::Saving { boot_id, .. } => {
                Some(boot_id.as_str())
            }
            _ => None,
        })
    }

    /// The numbers of the steps that were begun, whether or not they were done.
    #[must_use]
    pub fn begun(&self) -> Vec<usize> {
        let begun = |event: &Event| match event {
            Event::Begin { step } => Some(*step),
            _ => None,
        };
        self.events.iter().filter_map(begun).collect()
    }

    /// Whether a step is done.
    #[must_use]
    pub fn is_done(&self, number: usize) -> bool {
        self.events.iter().any(|e| matches!(e, Event::Done { step } if *step == number))
    }

    /// Why it is being rolled back, and whether a person asked for that.
    #[must_use]
    pub fn rollback_reason(&self) -> Option<(&str, bool)> {
        self.events.iter().rev().find_map(|e| match e {
            Event::RollingBack { why, asked, .. } => Some((why.as_str(), *asked)),
            _ => None,
        })
    }

    /// The older changes of its bond that are to be undone after it.
    #[must_use]
    pub fn then(&self) -> Vec<String> {
        self.goes_through().0.to_vec()
    }

    /// The changes whose NICs are looked at once more after its reboot.
    #[must_use]
    pub fn after(&self) -> Vec<String> {
        self.goes_through().1.to_vec()
    }

    /// The changes that its way back goes through after it, and went through before it.
    fn goes_through(&self) -> (&[String], &[String]) {
        let last = self.events.iter().rev().find_map(|e| match e {
            Event::RollingBack { then, after, .. } => Some((&then[..], &after[..])),
            _ => None,
        });
        last.unwrap_or_default()
    }

    /// The steps that stay since another bond needs what they did.
    #[must_use]
    pub fn needed(&self) -> Vec<usize> {
        let needed = self.events.iter().filter_map(|e| match e {
            Event::Needed { step } => Some(*step),
            _ => None,
        });
        needed.filter(|step| !self.is_undone(*step)).collect()
    }

    /// Whether all of it but what another bond needs was undone before.
    #[must_use]
    pub fn is_a_rest(&self) -> bool {
        self.events.iter().any(|e| matches!(e, Event::RolledBack | Event::Closed { .. }))
    }

    /// Whether the undoing of a step is done.
    #[must_use]
    pub fn is_undone(&self, number: usize) -> bool {
        self.events.iter().any(|e| matches!(e, Event::Undone { step } if *step == number))
    }

    /// Calls whose client was killed, and when by the wall clock: those that no outcome has named
    /// yet.
    #[must_use]
    pub fn killed(&self) -> Vec<(&[String], u64)> {
        let named = self.events.iter().rposition(|e| matches!(e, Event::Incomplete { .. }));
        let since = self.events.iter().skip(named.map_or(0, |at| at + 1));
        since
            .filter_map(|e| match e {
                Event::Killed { args, wall } => Some((args.as_slice(), *wall)),
                _ => None,
            })
            .collect()
    }

    /// What the last rollback could not bring back.
    #[must_use]
    pub fn left(&self) -> &[Item] {
        let last = self.events.iter().rev().find_map(|e| match e {
            Event::Incomplete { left } | Event::Closed { left } => Some(left.as_slice()),
            Event::RolledBack => Some(&[][..]),
            _ => None,
        });
        last.unwrap_or_default()
    }

    /// What is tried again by itself, when that is the last that was written down.
    #[must_use]
    pub fn tries_again(&self) -> Option<(&str, u64)> {
        match self.events.last() {
            Some(Event::TriesAgain { why, seconds }) => Some((why, *seconds)),
            _ => None,
        }
    }

    /// What a person types to bring back what a comparison names.
    #[must_use]
    pub fn by_hand(&self, difference: &Difference) -> String {
        let steps = &self.header.plan.steps;
        let of = |is: &dyn Fn(&Step) -> bool| {
            let step = steps.iter().find(|step| is(step))?;
            Some(step.by_hand(&self.originals_folder()))
        };
        let typed = match (&difference.fact, &difference.was) {
            (Fact::File(path), _) => of(&|step| step.file().is_some_and(|f| f.path == *path)),
            (Fact::Pif(nic), _) => {
                of(&|step| matches!(step, Step::ForgetPif(record) if record.device == *nic))
            }
            (Fact::RunningBackend, _) => of(&|step| matches!(step, Step::SwitchBackend(_))),
            (Fact::Device(device), Some(Value::Absent)) => {
                Some(format!("ip link delete dev {device}"))
            }
            (Fact::Vlan(device), Some(Value::Absent)) => {
                Some(format!("ip link delete dev {device}"))
            }
            (Fact::Mac(bond), Some(Value::Word(mac))) if *bond == self.header.plan.spec.bond => {
                Some(format!("ip link set dev {bond} address {mac}"))
            }
            (Fact::Mtu(nic), Some(Value::Word(mtu))) => {
                Some(format!("ip link set dev {nic} mtu {mtu}"))
            }
            (Fact::Up(nic), Some(Value::Word(state))) => {
                Some(format!("ip link set dev {nic} {state}"))
            }
            (Fact::Tuned(nic, knob), Some(Value::Word(value))) => {
                Some(format!("ethtool {}", knob.set_by(nic, value)))
            }
            (Fact::Master(nic), Some(Value::Absent)) => {
                Some(format!("ip link set dev {nic} nomaster"))
            }
            _ => None,
        };
        typed.unwrap_or_else(|| "xenbond rollback".into())
    }

    /// Files that others changed and that may differ from what was recorded.
    #[must_use]
    pub fn kept(&self) -> Vec<&str> {
        self.events
            .iter()
            .filter_map(|e| if let Event::Kept { path } = e { Some(path.as_str()) } else { None })
            .collect()
    }

    /// Where the guard of its confirmation says that it is there.
    #[must_use]
    pub fn guard_file(&self) -> String {
        join(&history(&self.header.id), "guard")
    }

    /// What the guard says, which nobody sees.
    #[must_use]
    pub fn guard_output(&self) -> String {
        join(&history(&self.header.id), "guard.log")
    }

    /// Where the files lie as they were.
    #[must_use]
    pub fn originals_folder(&self) -> String {
        join(&history(&self.header.id), "originals")
    }

    /// Where work of others is saved that a rollback replaces.
    #[must_use]
    pub fn saved_folder(&self) -> String {
        join(&history(&self.header.id), "changed-since")
    }

    /// Has a boot go on with it, should this run be cut off.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn bring_forward(&self, host: &Host) -> Result<()> {
        ledger::bring_forward(host, &self.header.id)
    }

    /// Ends the transaction: the newest one that stands, when there is one, is the current one
    /// again, for that is what the host is as now.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn close(&self, host: &Host) -> Result<()> {
        ledger::step_back(host, &self.header.id)
    }
}

#[cfg(test)]
mod tests;
