//! The way back: from the journal alone, step by step in reverse, and then the comparison that
//! alone allows to say "rolled back".

use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::{Engine, Observer, look_for, outcome, reports, rolled_back};
use crate::host::{Host, Kind};
use crate::inventory::facts::{self, Fact, Value};
use crate::journal::Transaction;
use crate::ledger::{Event, Lock, Orders, Phase};
use crate::outcome::{Ending, Exit, Outcome, StepState};
use crate::step::{Kept, Step};
use crate::verify::probe::{self, Way};
use crate::xe;

/// How long the host may take to be as it was: XAPI plugs in the background.
const SETTLE: Duration = Duration::from_secs(5);

/// What accepts that files which are not ours have changed since.
pub const FILE_CHANGED: &str = "file-changed";

impl Engine<'_> {
    /// Undoes the last transaction.
    ///
    /// # Errors
    /// Only where nothing was touched.
    pub fn rollback(
        &self,
        agrees: impl FnOnce(&Transaction) -> bool,
        observer: &mut dyn Observer,
    ) -> Result<Outcome> {
        let Some(open) = Transaction::open(self.host)? else {
            return Ok(Outcome::new(Ending::NothingToDo, Exit::AsAsked));
        };
        let waits = match open.phase() {
            Phase::RollbackWaiting { boot_id } => boot_id == self.boot_id()?,
            _ => false,
        };
        if waits {
            return self.before_reboot(open, self.orders, observer);
        }
        if let Some(holder) = Lock::holder(self.host) {
            bail!("another xenbond is changing this host: {holder}");
        }
        let changed = self.changed_since(&open)?;
        if !changed.is_empty() && !self.accepted.iter().any(|code| code == FILE_CHANGED) {
            return Ok(Outcome::refused(
                format!(
                    "changed since xenbond recorded them, and not by xenbond: {} ({FILE_CHANGED})",
                    changed.join(", ")
                ),
                Some(format!(
                    "they would be left as they are now: xenbond rollback --accept {FILE_CHANGED}"
                )),
            ));
        }
        if !agrees(&open) {
            return Ok(Outcome::refused("not agreed to: nothing was changed", None));
        }
        let _lock = self.lock(observer)?;
        let mut tx =
            Transaction::open(self.host)?.context("the transaction has just come to its end")?;
        self.order(&mut tx, Orders { confirm_within: None, ..self.orders })?;
        for path in changed {
            self.record(&mut tx, Event::Kept { path })?;
        }
        Ok(self.roll_back(tx, "asked for", true, observer))
    }

    /// Files that the switch script may touch, that are not ours, and that others changed since.
    fn changed_since(&self, tx: &Transaction) -> Result<Vec<String>> {
        if tx.phase() != Phase::Done {
            return Ok(Vec::new());
        }
        let steps = &tx.header.plan.steps;
        let ours: Vec<&str> =
            steps.iter().filter_map(Step::file).map(|f| f.path.as_str()).collect();
        let mut changed = Vec::new();
        for step in steps {
            let Step::SwitchBackend(switch) = step else { continue };
            for file in switch.foreign_files().filter(|f| !ours.contains(&f.path.as_str())) {
                let now = self.host.original(&file.path)?.was;
                if now != Kind::Absent && !now.same_but_time(&file.was) {
                    changed.push(file.path.clone());
                }
            }
        }
        Ok(changed)
    }

    /// Undoes what was begun, and compares. `asked`: by a person, and not because of a failure.
    pub(super) fn roll_back(
        &self,
        mut tx: Transaction,
        why: &str,
        asked: bool,
        observer: &mut dyn Observer,
    ) -> Outcome {
        // The signal that may have led here is answered.
        if !asked {
            self.signals.interrupt.store(false, Ordering::Relaxed);
        }
        let mut errors: Vec<String> = Vec::new();
        let mut reports = reports(&tx);
        // After the reboot only XAPI can differ, which plugs at boot what was not plugged before.
        let only_pifs = matches!(tx.phase(), Phase::RollbackWaiting { .. });
        if !asked && !only_pifs {
            observer.note(&format!("rolling back: {why}"));
        }
        let line = Event::RollingBack { why: why.to_string(), asked };
        let stood = asked && tx.phase() == Phase::Done;
        if let Err(error) = self.record(&mut tx, line) {
            // What is done stays done: half undone under a journal that calls it done, no run would
            // ever go on with it.
            if stood {
                let hint = "make room for the journal, and run again: xenbond rollback";
                return Outcome::refused(format!("{error:#}"), Some(hint.into()));
            }
            // Else a journal that cannot be written is no reason to leave the host half-changed:
            // without the line, what is undone here is undone again by the next run.
            errors.push(format!("{error:#}"));
        }
        let mut kept = Kept { folder: tx.saved_folder(), ..Kept::default() };
        // Under a backend that does not work XAPI can plug nothing; after the reboot it can.
        let mut pif_errors: Vec<String> = Vec::new();
        let steps = tx.header.plan.steps.clone();
        let begun = begun(self.host, &tx);
        let mut awaited = false;
        for (at, step) in steps.iter().enumerate().rev() {
            let number = at + 1;
            let nothing = matches!(step, Step::Reboot { .. } | Step::Verify { .. });
            let is_pif = step.pif().is_some();
            let undone = only_pifs && !is_pif;
            if !begun.contains(&number) || nothing || undone {
                continue;
            }
            // After a power cut XAPI may still be starting; what needs it not is undone before.
            if is_pif && !awaited {
                awaited = true;
                if let Err(error) = self.await_xapi(observer) {
                    observer.note(&format!("{error:#}"));
                }
            }
            self.tell_of_interrupt(observer);
            let title = step.undo_title();
            let ends = (StepState::Undone, StepState::NotUndone);
            let act = |_: &mut dyn Observer| step.undo(self.host, &mut kept);
            match self.timed(&mut reports, number, &title, ends, observer, act) {
                Ok(()) => errors.extend(
                    self.record(&mut tx, Event::Undone { step: number })
                        .err()
                        .map(|e| format!("{e:#}")),
                ),
                Err(error) if is_pif => pif_errors.push(format!("{title}: {error:#}")),
                Err(error) => errors.push(format!("{title}: {error:#}")),
            }
        }
        self.tell_of_interrupt(observer);
        for path in std::mem::take(&mut kept.paths) {
            errors
                .extend(self.record(&mut tx, Event::Kept { path }).err().map(|e| format!("{e:#}")));
        }
        if !awaited && let Err(error) = self.await_xapi(observer) {
            observer.note(&format!("{error:#}"));
        }
        let mut compared =
            if errors.is_empty() { self.compare(&tx) } else { Compared::Different(Vec::new()) };
        if let Compared::NeedsReboot = compared {
            kept.notes.append(&mut pif_errors);
        } else if !pif_errors.is_empty() {
            errors.append(&mut pif_errors);
            compared = Compared::Different(Vec::new());
        }
        let done = match compared {
            Compared::Same => self.record(&mut tx, Event::RolledBack).err(),
            Compared::NeedsReboot => match self.wait_for_reboot(&mut tx) {
                Ok(()) => {
                    return Outcome {
                        error: (!asked).then(|| why.to_string()),
                        notes: kept.notes,
                        steps: reports,
                        ..self.reboot(&tx)
                    };
                }
                Err(error) => Some(error),
            },
            Compared::Different(differences) => {
                errors.extend(differences);
                None
            }
        };
        errors.extend(done.map(|e| format!("{e:#}")));
        if errors.is_empty() {
            errors.extend(self.disarm().err().map(|e| format!("{e:#}")));
        }
        let ended = if errors.is_empty() {
            rolled_back(&tx, why, asked)
        } else {
            outcome(&tx, Ending::RollbackIncomplete, Exit::Incomplete)
        };
        let mut ended = Outcome { steps: reports, notes: kept.notes, ..ended };
        if errors.is_empty() {
            // The host is as it was; a server that is silent now has its own reasons.
            let before = &tx.header.answers;
            let now = probe::ask(self.host, &tx.header.plan.spec, Way::Routes);
            for reply in probe::lost(&now, before) {
                ended.notes.push(format!(
                    "{}: answered before the change, and does not after the rollback: look at the server",
                    reply.check.name
                ));
            }
            if let Err(error) = tx.close(self.host) {
                ended.notes.push(format!("{error:#}"));
            }
            return ended;
        }
        let mut all = if asked { Vec::new() } else { vec![why.to_string()] };
        all.push("the rollback is incomplete:".into());
        all.extend(errors);
        ended.error = Some(all.join("\n"));
        ended.hint = Some(format!(
            "mend what is named and run again: xenbond rollback; the files as they were lie in {}",
            tx.originals_folder()
        ));
        ended
    }

    fn wait_for_reboot(&self, tx: &mut Transaction) -> Result<()> {
        let touched_xapi = tx.header.plan.steps.iter().any(|step| step.pif().is_some());
        if touched_xapi {
            let cmd = xe::sync_database();
            self.host.run(&cmd)?.check(&cmd)?;
        }
        let boot_id = self.boot_id()?;
        self.record(tx, Event::RollbackWaiting { boot_id })
    }

    /// Reads the host again and compares it with what was recorded, until it is the same or the
    /// time for it is up.
    fn compare(&self, tx: &Transaction) -> Compared {
        let plan = &tx.header.plan;
        let kept = tx.kept();
        let is_kept =
            |fact: &Fact| matches!(fact, Fact::File(path) if kept.contains(&path.as_str()));
        let start = self.host.clock().elapsed();
        loop {
            let now = match look_for(self.host, &plan.spec) {
                Ok(inv) => plan.facts(&inv),
                Err(error) => {
                    return Compared::Different(vec![format!("reading the host again: {error:#}")]);
                }
            };
            let mut differences = facts::differences(&tx.header.before, &now);
            differences.retain(|d| !is_kept(&d.fact));
            if differences.is_empty() {
                return Compared::Same;
            }
            let backend = differences.iter().any(|d| d.fact == Fact::RunningBackend);
            let known = now.get(&Fact::RunningBackend).is_some_and(|word| *word != Value::Unknown);
            if backend && known && plan.reboots() {
                return Compared::NeedsReboot;
            }
            if self.host.clock().elapsed().saturating_sub(start) >= SETTLE {
                return Compared::Different(differences.iter().map(ToString::to_string).collect());
            }
            self.host.clock().pause(Duration::from_millis(200));
        }
    }
}

/// The steps to undo: those that were begun, and the bond's way up with them when it is there. Where
/// the power went before that step, the boot may have brought it up by files that were half changed.
fn begun(host: &Host, tx: &Transaction) -> Vec<usize> {
    let mut begun = tx.begun();
    let steps = || tx.header.plan.steps.iter().zip(1..);
    let elsewhere = |step: &Step| matches!(step, Step::SwitchBackend(_) | Step::Reboot { .. });
    if steps().any(|(step, number)| begun.contains(&number) && !elsewhere(step)) {
        let up = |step: &Step| matches!(step, Step::BringUp(bond) if bond.is_there(host));
        begun.extend(steps().filter(|(step, _)| up(step)).map(|(_, number)| number));
    }
    begun
}

enum Compared {
    Same,
    NeedsReboot,
    Different(Vec<String>),
}
