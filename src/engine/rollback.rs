//! The way back: from the journal alone, step by step in reverse, and then the comparison that
//! alone allows to say "rolled back".

use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::repair::repaired;
use super::{Engine, Observer, look_for, outcome, reports, rolled_back};
use crate::host::{Host, Kind};
use crate::inventory::facts::{self, Fact, Value};
use crate::journal::Transaction;
use crate::ledger::{Event, Lock, Orders, Phase};
use crate::outcome::{Ending, Exit, Item, Outcome, StepReport, StepState};
use crate::step::{Kept, Step};
use crate::verify::probe::{self, Way};
use crate::xe;

/// How long the host may take to be as it was: XAPI plugs in the background.
const SETTLE: Duration = Duration::from_secs(5);

/// What accepts that files which are not ours have changed since.
pub const FILE_CHANGED: &str = "file-changed";

/// What may help where no single command does.
const AGAIN: &str = "xenbond rollback";

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
        let ended = self.rollback_to_verdict(agrees, observer)?;
        Ok(self.until_saved(ended, observer))
    }

    fn rollback_to_verdict(
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
        if !tx.phase().stands() {
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
        let mut back = Back::of(&tx, why, asked);
        if let Some(refused) = self.announce(&mut tx, &mut back, observer) {
            return refused;
        }
        self.undo_steps(&mut tx, &mut back, observer);
        self.note_kept(&mut tx, &mut back);
        if let Some(first) = self.repaired_first(&tx, &mut back) {
            return match self.leave_to(first, tx) {
                Ok(first) => self.roll_back(first, why, asked, observer),
                Err((error, tx)) => {
                    back.failed(&error);
                    back.incomplete(&tx)
                }
            };
        }
        match self.judge(&tx, &mut back, observer) {
            Compared::Same => {
                if let Err(error) = self.ends(&mut tx, Event::RolledBack, observer) {
                    back.failed(&error);
                }
            }
            Compared::NeedsReboot => match self.wait_for_reboot(&mut tx) {
                Ok(()) => return back.waits(self.reboot(&tx)),
                Err(error) => back.failed(&error),
            },
            Compared::Different(differences) => back.errors.extend(differences),
        }
        let saving = tx.phase().is_saving();
        if back.errors.is_empty()
            && !saving
            && let Err(error) = self.disarm()
        {
            back.failed(&error);
        }
        if back.errors.is_empty() {
            return self.as_it_was(tx, back);
        }
        // Where nothing can be written the outcome still says it.
        let _ = self.record(&mut tx, Event::Incomplete { left: back.errors.clone() });
        back.incomplete(&tx)
    }

    /// Writes down that the way back begins. The outcome, where it must not begin.
    fn announce(
        &self,
        tx: &mut Transaction,
        back: &mut Back<'_>,
        observer: &mut dyn Observer,
    ) -> Option<Outcome> {
        if !back.asked {
            // The signal that may have led here is answered.
            self.signals.interrupt.store(false, Ordering::Relaxed);
            if !back.only_pifs {
                observer.note(&format!("rolling back: {}", back.why));
            }
        }
        let stood = back.asked && tx.phase().stands();
        let line = Event::RollingBack { why: back.why.to_string(), asked: back.asked };
        let error = self.record(tx, line).err()?;
        // What is done stays done: half undone under a journal that calls it done, no run would
        // ever go on with it.
        if stood {
            let hint = "make room for the journal, and run again: xenbond rollback";
            return Some(Outcome::refused(format!("{error:#}"), Some(hint.into())));
        }
        // Else a journal that cannot be written is no reason to leave the host half-changed:
        // without the line, what is undone here is undone again by the next run.
        back.failed(&error);
        None
    }

    /// Undoes what was begun, the last step first.
    fn undo_steps(&self, tx: &mut Transaction, back: &mut Back<'_>, observer: &mut dyn Observer) {
        let steps = tx.header.plan.steps.clone();
        let begun = begun(self.host, tx);
        for (at, step) in steps.iter().enumerate().rev() {
            let number = at + 1;
            let nothing = matches!(step, Step::Reboot { .. } | Step::Verify { .. });
            let is_pif = step.pif().is_some();
            if !begun.contains(&number) || nothing || (back.only_pifs && !is_pif) {
                continue;
            }
            // After a power cut XAPI may still be starting; what needs it not is undone before.
            if is_pif {
                self.await_xapi_once(back, observer);
            }
            self.tell_of_interrupt(observer);
            let title = step.undo_title();
            let ends = (StepState::Undone, StepState::NotUndone);
            let act = |_: &mut dyn Observer| step.undo(self.host, &mut back.kept);
            match self.timed(&mut back.reports, number, &title, ends, observer, act) {
                Ok(()) => {
                    if let Err(error) = self.record(tx, Event::Undone { step: number }) {
                        back.failed(&error);
                    }
                }
                Err(error) => {
                    let command = step.by_hand(&tx.originals_folder());
                    let left = Item { what: format!("{title}: {error:#}"), command };
                    if is_pif { back.pif_errors.push(left) } else { back.errors.push(left) }
                }
            }
        }
        self.tell_of_interrupt(observer);
    }

    fn await_xapi_once(&self, back: &mut Back<'_>, observer: &mut dyn Observer) {
        if std::mem::replace(&mut back.awaited, true) {
            return;
        }
        if let Err(error) = self.await_xapi(observer) {
            observer.note(&format!("{error:#}"));
        }
    }

    /// Writes down what of others' was kept.
    fn note_kept(&self, tx: &mut Transaction, back: &mut Back<'_>) {
        for path in std::mem::take(&mut back.kept.paths) {
            if let Err(error) = self.record(tx, Event::Kept { path }) {
                back.failed(&error);
            }
        }
    }

    /// The comparison, with what the steps said of themselves.
    fn judge(
        &self,
        tx: &Transaction,
        back: &mut Back<'_>,
        observer: &mut dyn Observer,
    ) -> Compared {
        self.await_xapi_once(back, observer);
        let compared =
            if back.errors.is_empty() { self.compare(tx) } else { Compared::Different(Vec::new()) };
        match compared {
            // Under a backend that does not work XAPI can plug nothing; after the reboot it can.
            Compared::NeedsReboot => {
                back.kept.notes.extend(back.pif_errors.drain(..).map(|left| left.what));
            }
            _ if !back.pif_errors.is_empty() => {
                back.errors.append(&mut back.pif_errors);
                return Compared::Different(Vec::new());
            }
            _ => {}
        }
        compared
    }

    /// The end of a rollback after which the host was compared and is as it was.
    fn as_it_was(&self, tx: Transaction, back: Back<'_>) -> Outcome {
        let ended = rolled_back(&tx, back.why, back.asked);
        let mut ended = Outcome { steps: back.reports, notes: back.kept.notes, ..ended };
        let now = probe::ask(self.host, &tx.header.plan.spec, Way::Routes);
        for check in probe::lost(&now, &tx.header.answers) {
            ended.notes.push(format!(
                "{}: answered before the change, and does not after the rollback, though the host is as it was: the server itself may be down, or a switch port may still hold its traffic back; ask it again",
                check.name
            ));
        }
        if !tx.phase().is_saving()
            && let Err(error) = tx.close(self.host)
        {
            ended.notes.push(format!("{error:#}"));
        }
        ended
    }

    /// The change before, where this one repaired its bond and is undone whole.
    fn repaired_first(&self, tx: &Transaction, back: &mut Back<'_>) -> Option<Transaction> {
        if !back.asked || !back.errors.is_empty() || !back.pif_errors.is_empty() {
            return None;
        }
        match repaired(self.host, tx) {
            Ok(first) => first,
            Err(error) => {
                back.failed(&error);
                None
            }
        }
    }

    /// Closes a repair that is undone: the way back goes on with the change before it.
    fn leave_to(
        &self,
        first: Transaction,
        mut tx: Transaction,
    ) -> Result<Transaction, (anyhow::Error, Transaction)> {
        if let Err(error) = self.record(&mut tx, Event::RolledBack) {
            return Err((error, tx));
        }
        match tx.close(self.host) {
            Ok(()) => Ok(first),
            Err(error) => Err((error, first)),
        }
    }

    fn wait_for_reboot(&self, tx: &mut Transaction) -> Result<()> {
        let touched_xapi = tx.header.plan.steps.iter().any(|step| step.pif().is_some());
        if touched_xapi {
            // A member that is down makes it fail or hang though the master has written
            // (facts/xapi-measured.md M20), and a clean stop of XAPI writes as well.
            let _ = self.host.run(&xe::sync_database());
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
                    let what = format!("reading the host again: {error:#}");
                    return Compared::Different(vec![Item { what, command: AGAIN.into() }]);
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
                let left = |difference: &facts::Difference| Item {
                    what: difference.to_string(),
                    command: tx.by_hand(difference),
                };
                return Compared::Different(differences.iter().map(left).collect());
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
    Different(Vec<Item>),
}

/// A rollback under way.
struct Back<'a> {
    why: &'a str,
    /// Whether a person asked for it, and not a failure.
    asked: bool,
    /// After its reboot only XAPI can differ, which plugs at boot what was not plugged before.
    only_pifs: bool,
    /// Whether XAPI was waited for.
    awaited: bool,
    kept: Kept,
    reports: Vec<StepReport>,
    errors: Vec<Item>,
    /// What XAPI did not do, which a reboot may mend.
    pif_errors: Vec<Item>,
}

impl<'a> Back<'a> {
    fn of(tx: &Transaction, why: &'a str, asked: bool) -> Self {
        Self {
            why,
            asked,
            only_pifs: matches!(tx.phase(), Phase::RollbackWaiting { .. }),
            awaited: false,
            kept: Kept { folder: tx.saved_folder(), ..Kept::default() },
            reports: reports(tx),
            errors: Vec::new(),
            pif_errors: Vec::new(),
        }
    }

    fn failed(&mut self, error: &anyhow::Error) {
        self.errors.push(Item { what: format!("{error:#}"), command: AGAIN.into() });
    }

    fn waits(self, ended: Outcome) -> Outcome {
        Outcome {
            error: (!self.asked).then(|| self.why.to_string()),
            notes: self.kept.notes,
            steps: self.reports,
            ..ended
        }
    }

    fn incomplete(self, tx: &Transaction) -> Outcome {
        let mut all = if self.asked { Vec::new() } else { vec![self.why.to_string()] };
        all.push("the rollback is incomplete:".into());
        all.extend(self.errors.iter().map(|left| left.what.clone()));
        Outcome {
            error: Some(all.join("\n")),
            hint: Some(format!(
                "mend what is named and run again: xenbond rollback; the files as they were lie in {}",
                tx.originals_folder()
            )),
            steps: self.reports,
            notes: self.kept.notes,
            left: self.errors,
            ..outcome(tx, Ending::RollbackIncomplete, Exit::Incomplete)
        }
    }
}
