//! The write-ahead record of a transaction and its folder.
//!
//! `var/lib/xenbond/history/ID/` holds a transaction: `plan.json` (what is to be done and all
//! that its undo needs, durable before anything is touched), `journal` (one line before and one
//! after each step), `originals/`, the files as they were, and `undo.sh`. `current` is a link to
//! the one that is open or was done last.

mod history;
mod lock;

use std::fmt;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
pub use history::{Made, latest, made};
pub use lock::Lock;
use serde::{Deserialize, Serialize};

use crate::engine::Management;
use crate::facts::Facts;
use crate::host::{Host, Kind, join};
use crate::outcome::Hint;
use crate::paths;
use crate::plan::Plan;
use crate::probe::Answers;
use crate::spec::Spec;
use crate::undo_script::{self, original_name};

/// The format of `plan.json` and `journal`; a newer one is not touched.
const FORMAT: u32 = 1;

/// Where a transaction stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "phase")]
pub enum Phase {
    /// Steps are under way, or were when the run was cut off.
    Applying,
    /// The reboot has not happened since this boot.
    WaitingForReboot {
        /// The boot in which it was asked for.
        boot_id: String,
    },
    /// All is as asked, and it is rolled back unless a person says in time that it may stay.
    WaitingForConfirmation,
    /// All is as asked.
    Done,
    /// It is being undone, or was when the run was cut off.
    RollingBack,
    /// All but the running backend is undone.
    RollbackWaiting {
        /// The boot in which the reboot was asked for.
        boot_id: String,
    },
    /// All is undone and compared.
    RolledBack,
}

impl Phase {
    /// Whether the transaction has not come to its end.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !matches!(self, Self::Done | Self::RolledBack)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Applying => "not finished",
            Self::WaitingForReboot { .. } => "waiting for a reboot",
            Self::WaitingForConfirmation => "waiting for a confirmation",
            Self::Done => "done",
            Self::RollingBack => "being rolled back",
            Self::RollbackWaiting { .. } => "waiting for a reboot to finish its rollback",
            Self::RolledBack => "rolled back",
        })
    }
}

/// What was ordered with a change beyond the change itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orders {
    /// The host may be rebooted where that is needed.
    pub reboot: bool,
    /// In how many seconds after the verdict a person must say that it may stay.
    pub confirm_within: Option<u64>,
}

impl Orders {
    /// These and what was ordered later.
    fn and(self, later: Self) -> Self {
        Self {
            reboot: self.reboot || later.reboot,
            confirm_within: later.confirm_within.or(self.confirm_within),
        }
    }
}

/// One line of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub enum Event {
    /// A step begins.
    Begin {
        /// Its number, from 1.
        step: usize,
    },
    /// A step is done and was looked at.
    Done {
        /// Its number.
        step: usize,
    },
    /// Nothing goes on before a reboot.
    Waiting {
        /// This boot.
        boot_id: String,
    },
    /// More was ordered than the change.
    Ordered(Orders),
    /// All is as asked, and a confirmation is awaited.
    Awaiting {
        /// Within how many seconds from here.
        seconds: u64,
        /// Now, in seconds since 1970.
        wall: u64,
        /// Now, in seconds since the boot.
        boot: u64,
        /// This boot.
        boot_id: String,
    },
    /// A person said that it may stay.
    Confirmed,
    /// All is as asked.
    Verified,
    /// The rollback begins.
    RollingBack {
        /// Why.
        why: String,
        /// Whether a person asked for it.
        asked: bool,
    },
    /// A step is undone.
    Undone {
        /// Its number.
        step: usize,
    },
    /// Something that others did is kept and will differ.
    Kept {
        /// The file.
        path: String,
    },
    /// The rollback goes on after a reboot.
    RollbackWaiting {
        /// This boot.
        boot_id: String,
    },
    /// The host was compared with what was recorded.
    RolledBack,
}

#[derive(Serialize, Deserialize)]
struct Line {
    at: String,
    #[serde(flatten)]
    event: Event,
}

/// What `plan.json` holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Header {
    format: u32,
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
    /// How it is managed, where a reboot is among the steps.
    #[serde(default)]
    pub management: Option<Management>,
}

/// A transaction in short, for findings and `status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Its name.
    pub id: String,
    /// What was asked for.
    pub spec: Spec,
    /// Where it stands.
    #[serde(flatten)]
    pub phase: Phase,
}

impl Summary {
    /// Whether it has not come to its end.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.phase.is_open()
    }
}

/// An open transaction, or the last one that was done.
pub struct Transaction {
    /// What is known of it from the start.
    pub header: Header,
    events: Vec<Event>,
    /// The rest of the log: when each event was.
    times: Vec<String>,
}

fn current() -> String {
    join(paths::STATE, "current")
}

fn history(id: &str) -> String {
    join(&join(paths::STATE, "history"), id)
}

/// The names of all transactions, oldest first.
///
/// # Errors
/// When the folder is there and cannot be read.
pub fn names(host: &Host) -> Result<Vec<String>> {
    host.list(&history(""))
}

/// The name of the current transaction, when there is one.
#[must_use]
pub fn current_id(host: &Host) -> Option<String> {
    host.link_name(&current())
}

/// Where the log of a transaction is kept.
#[must_use]
pub fn log_file(id: &str) -> String {
    join(&history(id), "log")
}

/// The transaction in short, when there is one.
///
/// # Errors
/// When its files are there and cannot be understood.
pub fn summary(host: &Host) -> Result<Option<Summary>> {
    let open = Transaction::open(host)?.filter(|t| t.phase() != Phase::RolledBack);
    Ok(open.map(|t| Summary {
        id: t.header.id.clone(),
        spec: t.header.plan.spec.clone(),
        phase: t.phase(),
    }))
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
        let plan = join(folder, "plan.json");
        let Some(bytes) = host.read(&plan)? else { return Ok(None) };
        let format: serde_json::Value =
            serde_json::from_slice(&bytes).with_context(|| format!("reading {plan}"))?;
        let format = format.get("format").and_then(serde_json::Value::as_u64);
        if format != Some(u64::from(FORMAT)) {
            let hint = format!("without any xenbond, to undo it: sh {}", join(folder, "undo.sh"));
            return Err(anyhow!(Hint(hint)).context(format!(
                "{plan} has the format {}, and this xenbond knows {FORMAT}: use the xenbond that wrote it",
                format.map_or("unknown".into(), |f| f.to_string())
            )));
        }
        let header = serde_json::from_slice(&bytes).with_context(|| format!("reading {plan}"))?;
        let text = host.read(&join(folder, "journal"))?.unwrap_or_default();
        let (mut events, mut times) = (Vec::new(), Vec::new());
        for line in text.split_inclusive(|b| *b == b'\n') {
            // A last line without its end was never durable, so what it announces never began.
            if line.ends_with(b"\n") {
                let line: Line = serde_json::from_slice(line)
                    .with_context(|| format!("reading the journal of {folder}"))?;
                events.push(line.event);
                times.push(line.at);
            }
        }
        Ok(Some(Self { header, events, times }))
    }

    /// Begins one: when this returns, the plan and all originals are durable.
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
            id,
            started,
            program: env!("CARGO_PKG_VERSION").into(),
            previous: previous.as_ref().map(|p| p.header.id.clone()),
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
        let script = undo_script::script(&header.plan);
        host.put(&join(&folder, "undo.sh"), &Kind::new_file(script, 0o700))?;
        let text = serde_json::to_vec_pretty(&header)?;
        host.put(&join(&folder, "plan.json"), &Kind::new_file(text, 0o600))?;
        point_at(host, Some(&header.id))?;
        Ok(Self { header, events: Vec::new(), times: Vec::new() })
    }

    /// Adds a line and makes it durable: before the act for a beginning, after it for an end.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn record(&mut self, host: &Host, event: Event) -> Result<()> {
        let path = join(&current(), "journal");
        let old = host.read(&path)?.unwrap_or_default();
        let whole = old.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        if whole < old.len() {
            host.truncate(&path, whole as u64)?;
        }
        let at = now(host);
        let mut line = serde_json::to_vec(&Line { at: at.clone(), event: event.clone() })?;
        line.push(b'\n');
        host.append(&path, &line)?;
        self.events.push(event);
        self.times.push(at);
        Ok(())
    }

    /// Where it stands.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.events.iter().fold(Phase::Applying, |phase, event| match event {
            Event::Waiting { boot_id } => Phase::WaitingForReboot { boot_id: boot_id.clone() },
            Event::Verified | Event::Confirmed => Phase::Done,
            Event::Awaiting { .. } => Phase::WaitingForConfirmation,
            Event::RollingBack { .. } => Phase::RollingBack,
            Event::RollbackWaiting { boot_id } => {
                Phase::RollbackWaiting { boot_id: boot_id.clone() }
            }
            Event::RolledBack => Phase::RolledBack,
            Event::Begin { .. } if phase != Phase::RollingBack => Phase::Applying,
            _ => phase,
        })
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
            Event::RollingBack { why, asked } => Some((why.as_str(), *asked)),
            _ => None,
        })
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

    /// Ends it: the transaction that it replaced, when there was one, is the current one again,
    /// for that is what the host is as now.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn close(self, host: &Host) -> Result<()> {
        point_at(host, self.header.previous.as_deref())
    }
}

/// Makes `current` point at a transaction, or at none, in one rename.
fn point_at(host: &Host, id: Option<&str>) -> Result<()> {
    let to = match id {
        Some(id) => Kind::Link { target: format!("history/{id}") },
        None => Kind::Absent,
    };
    host.put(&current(), &to)
}

/// This boot, when the kernel tells.
#[must_use]
pub fn this_boot(host: &Host) -> Option<String> {
    host.attribute(paths::BOOT_ID)
}

/// Seconds since 1970.
#[must_use]
pub fn wall_seconds(host: &Host) -> u64 {
    host.clock().now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn now(host: &Host) -> String {
    humantime::format_rfc3339_seconds(host.clock().now()).to_string()
}

#[cfg(test)]
mod tests;
