//! The way back: from the journal alone, step by step in reverse, and then the comparison that
//! alone allows to say "rolled back".

use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Result, bail};

use super::back::{Back, enslaved};
use super::others::another_card;
use super::{Answer, Engine, Observer, outcome, rolled_back};
use crate::host::Host;
use crate::inventory::Nic;
use crate::journal::Transaction;
use crate::ledger::Event;
use crate::order;
use crate::outcome::{Ending, Exit, Item, Outcome, StepState};
use crate::step::Step;
use crate::verify::probe::{self, Way};
use crate::xe::{self, Failure};

/// After how many seconds a call that nobody answered is made again.
const PAUSES: [u64; 3] = [1, 3, 9];

impl Engine<'_> {
    /// Undoes what was begun, and compares. `asked`: by a person, and not because of a failure.
    pub(super) fn roll_back(
        &self,
        tx: Transaction,
        why: &str,
        asked: bool,
        observer: &mut dyn Observer,
    ) -> Outcome {
        let then = tx.then();
        self.roll_back_with(tx, then, why, asked, observer)
    }

    /// The same, and then older changes of the same bond.
    pub(super) fn roll_back_with(
        &self,
        mut tx: Transaction,
        then: Vec<String>,
        why: &str,
        asked: bool,
        observer: &mut dyn Observer,
    ) -> Outcome {
        let mut back = Back { then, is_first: true, ..Back::of(&tx, why, asked) };
        if let Err(error) = self.brings_forward(&mut tx, &mut back) {
            back.failed(&error);
        }
        // Before the journal says that it is rolled back: what is theirs is told by it.
        if let Err(error) = self.note_others(&mut tx, &back.needed, &mut back.kept) {
            back.failed(&error);
        }
        self.undo_all(tx, back, observer)
    }

    /// The same with the next change, of whose files it is noted what others made of them: what is
    /// gone since then is not gone by the script, which has not run yet.
    fn goes_on_to(
        &self,
        mut tx: Transaction,
        then: Vec<String>,
        why: &str,
        asked: bool,
        observer: &mut dyn Observer,
    ) -> Outcome {
        let mut back = Back { then, ..Back::of(&tx, why, asked) };
        if let Err(error) = self.brings_forward(&mut tx, &mut back) {
            back.failed(&error);
        }
        self.undo_all(tx, back, observer)
    }

    fn undo_all(
        &self,
        mut tx: Transaction,
        mut back: Back<'_>,
        observer: &mut dyn Observer,
    ) -> Outcome {
        let other = |nic: &Nic| Some((nic.device.clone(), another_card(self.host, nic)?));
        let plan = &tx.header.plan;
        // Also those that the bond has given back.
        let given = plan.steps.iter().filter_map(|step| match step {
            Step::GiveBack(given) => Some(&given.record),
            _ => None,
        });
        let given = given.map(|r| Nic { device: r.device.clone(), mac: r.mac, pif: None });
        back.cards =
            order::map(plan.nics.iter().cloned().chain(given).filter_map(|nic| other(&nic)));
        back.kept.notes.extend(back.cards.values().map(|card| left_alone(card)));
        if let Some(refused) = self.announce(&mut tx, &mut back, observer) {
            return refused;
        }
        self.undo_steps(&mut tx, &mut back, observer);
        for original in tx.header.plan.originals() {
            self.host.sweep(&original.path).unwrap_or_else(|error| back.failed(&error));
        }
        self.pifs_of_those_before(&tx, &mut back);
        self.note_kept(&mut tx, &mut back);
        if let Some(next) = self.goes_on_with(&tx, &mut back) {
            let then = back.then.split_off(1.min(back.then.len()));
            return self.leave_and_go_on(next, then, tx, back, observer);
        }
        if self.judge(&mut tx, &mut back, observer) {
            match self.wait_for_reboot(&mut tx, &back) {
                Ok(()) => return back.waits(self.reboot(&tx)),
                Err(error) => back.failed(&error),
            }
        }
        if let Some(rest) = self.rest(&tx, &mut back) {
            return self.leave_and_go_on(rest, Vec::new(), tx, back, observer);
        }
        // A line that was refused may be there all the same, and says that it waits for the disk.
        if back.left.is_empty()
            && let Err(error) = self
                .ends(&mut tx, Event::RolledBack, observer)
                .or_else(|_| self.ends(&mut tx, Event::RolledBack, observer))
        {
            tx.remember(self.host, Event::RolledBack);
            back.not_written(&error);
        }
        if back.left.is_empty()
            && !tx.phase().is_saving()
            && let Err(error) = self.disarm()
        {
            back.failed(&error);
        }
        if back.left.is_empty() { self.as_it_was(tx, back) } else { self.incomplete(tx, back) }
    }

    /// Leaves what is undone, and undoes the next; where it cannot be left, it is at its end.
    fn leave_and_go_on(
        &self,
        next: Transaction,
        then: Vec<String>,
        tx: Transaction,
        mut back: Back<'_>,
        observer: &mut dyn Observer,
    ) -> Outcome {
        match self.leave_to(next, tx, &then, &back) {
            Ok(next) => self.goes_on_to(next, then, back.why, back.asked, observer),
            Err(stuck) => {
                let (error, tx) = *stuck;
                back.failed(&error);
                self.incomplete(tx, back)
            }
        }
    }

    /// Writes down that the way back begins. The outcome, where it must not begin.
    fn announce(
        &self,
        tx: &mut Transaction,
        back: &mut Back<'_>,
        observer: &mut dyn Observer,
    ) -> Option<Outcome> {
        // Half a rollback is neither end.
        observer.on_signal(Answer::GoesOn);
        if !back.only_pifs {
            observer.turns_back((!back.asked).then_some(back.why));
        }
        let stood = back.asked && tx.phase().stands();
        let (why, asked) = (back.why.to_string(), back.asked);
        let (then, after) = (back.then.clone(), back.after.clone());
        let line = Event::RollingBack { why, asked, then, after };
        let error = self.record(tx, line.clone()).err()?;
        // What is done stays done: half undone under a journal that calls it done, no run would
        // ever go on with it.
        if stood {
            let hint = "free disk space for the journal, then: xenbond rollback";
            return Some(Outcome::refused(format!("{error:#}"), Some(hint.into())));
        }
        // Else a journal that cannot be written is no reason to leave the host half-changed, and
        // the comparison tells all the same what came of it.
        tx.remember(self.host, line);
        back.not_written(&error);
        None
    }

    /// Adds a line to the journal of a rollback; where it cannot be written this run knows of it.
    pub(super) fn say(&self, tx: &mut Transaction, event: Event, back: &mut Back<'_>) {
        if let Err(error) = self.record(tx, event.clone()) {
            tx.remember(self.host, event);
            back.not_written(&error);
        }
    }

    /// Undoes what was begun, the last step first.
    fn undo_steps(&self, tx: &mut Transaction, back: &mut Back<'_>, observer: &mut dyn Observer) {
        let steps = tx.header.plan.steps.clone();
        let begun = begun(self.host, tx);
        back.kept.known = tx.kept().iter().map(ToString::to_string).collect();
        // Under the backend that came with the removal no bond comes up: the one of before does so
        // after the reboot.
        let later = tx.header.plan.removes && self.takes_a_reboot(tx, back);
        for (at, step) in steps.iter().enumerate().rev() {
            let number = at + 1;
            let stood = was_up(step);
            let nothing = matches!(step, Step::Reboot { .. } | Step::CompleteBond(_) | Step::Verify { .. })
                // The bond goes with an older change: it is not brought up in between.
                || (stood && (!back.then.is_empty() || later))
                || !back.undoes(number);
            let is_pif = step.asks_xapi();
            let not_now = back.only_pifs && !is_pif && !(stood && tx.header.plan.removes);
            if !begun.contains(&number) || nothing || not_now {
                continue;
            }
            // After a power cut XAPI may still be starting; what needs it not is undone before.
            if is_pif && !self.may_ask_xapi(tx, back, step, observer) {
                continue;
            }
            let title = step.undo_title();
            let ends = (StepState::Undone, StepState::NotUndone);
            back.kept.done = tx.is_done(number);
            back.kept.undone = tx.is_undone(number);
            let held = back.held(step).cloned();
            let sticks = back.sticks(step);
            let moved = back.moved(step, &tx.header.plan.spec.bond, self.host).cloned();
            let act = |observer: &mut dyn Observer| {
                if let Some(nic) = &held {
                    bail!("XAPI does not let go of {nic}");
                }
                if sticks {
                    bail!("{} has not let go of it", tx.header.plan.spec.bond);
                }
                if let Some(card) = &moved {
                    bail!("{card}");
                }
                // `ifup` passes over a slave that is a port.
                self.take_out_of_bridges(enslaved(step))?;
                self.patiently(observer, || step.undo(self.host, &mut back.kept))
            };
            match self.timed(&mut back.reports, number, &title, ends, observer, act) {
                Ok(()) => self.say(tx, Event::Undone { step: number }, back),
                Err(error) => {
                    self.note_killed(tx, &error);
                    let command = step.by_hand(&tx.originals_folder());
                    let left = Item { what: format!("{title}: {error:#}"), command };
                    back.not_undone(step, left, &error);
                }
            }
        }
        // It has had its answer.
        self.signals.interrupt.store(false, Ordering::Relaxed);
    }

    /// Whether a step that needs XAPI can be undone now: what XAPI may still do was waited for, it
    /// has not hung in this run, and the NIC is the one of the plan.
    fn may_ask_xapi(
        &self,
        tx: &Transaction,
        back: &mut Back<'_>,
        step: &Step,
        observer: &mut dyn Observer,
    ) -> bool {
        if !std::mem::replace(&mut back.awaited, true) {
            let ready = self.await_xapi(observer);
            let late = match &ready {
                Ok(()) => self.await_late(tx, observer),
                Err(_) => Ok(Vec::new()),
            };
            match late {
                Ok(late) => back.late = late,
                Err(error) => back.hung |= xe::failure(&error) == Some(Failure::Hung),
            }
            if let Err(error) = ready {
                observer.note(&format!("{error:#}"));
                back.hung |= xe::failure(&error) == Some(Failure::Hung);
            }
        }
        if let Some(record) = step.pif() {
            let nic = tx.header.plan.nics.iter().find(|n| n.device == record.device);
            let now = || nic.and_then(|nic| another_card(self.host, nic));
            if back.cards.contains_key(&record.device) {
                return false;
            }
            if let Some(other) = now() {
                back.kept.notes.push(left_alone(&other));
                back.cards.insert(record.device.clone(), other);
                return false;
            }
        }
        if back.hung {
            let what = format!("{}: XAPI does not answer", step.undo_title());
            let command = step.by_hand(&tx.originals_folder());
            back.pif_left.push(Item { what, command });
        }
        !back.hung
    }

    /// Does it again where nobody answered, after 1, 3 and 9 s.
    fn patiently(
        &self,
        observer: &mut dyn Observer,
        mut act: impl FnMut() -> Result<()>,
    ) -> Result<()> {
        for seconds in PAUSES {
            match act() {
                Err(error) if xe::failure(&error) == Some(Failure::NoAnswer) => {
                    observer.note(&format!("{error:#}: again in {seconds} s"));
                    self.host.clock().pause(Duration::from_secs(seconds));
                }
                ended => return ended,
            }
        }
        act()
    }

    /// Writes down what of others' was kept.
    fn note_kept(&self, tx: &mut Transaction, back: &mut Back<'_>) {
        for path in std::mem::take(&mut back.kept.paths) {
            self.say(tx, Event::Kept { path }, back);
        }
    }

    /// The comparison, with what the steps said of themselves. Whether a reboot is needed for what
    /// differs.
    fn judge(
        &self,
        tx: &mut Transaction,
        back: &mut Back<'_>,
        observer: &mut dyn Observer,
    ) -> bool {
        if !back.awaited
            && let Err(error) = self.await_xapi(observer)
        {
            observer.note(&format!("{error:#}"));
            back.hung |= xe::failure(&error) == Some(Failure::Hung);
        }
        let compared = match self.compare(tx, back.hung, &back.cards) {
            Ok(compared) => compared,
            Err(error) => {
                back.failed(&error.context("reading the host again"));
                back.left.append(&mut back.pif_left);
                return false;
            }
        };
        for path in compared.theirs {
            self.say(tx, Event::Kept { path }, back);
        }
        let others = compared.others.into_iter();
        back.kept
            .notes
            .extend(others.map(|text| format!("not by this change, left as it is: {text}")));
        // Under a backend that does not work XAPI can plug nothing; after the reboot it can.
        if compared.needs_reboot && back.left.is_empty() {
            let notes = back.pif_left.drain(..).chain(back.late.drain(..)).map(|left| left.what);
            back.kept.notes.extend(notes);
            return true;
        }
        back.left.append(&mut back.pif_left);
        back.left.append(&mut back.late);
        let known: Vec<String> = back.left.iter().map(|l| l.command.clone()).collect();
        back.left.extend(compared.left.into_iter().filter(|l| !known.contains(&l.command)));
        false
    }

    /// The end of a rollback after which the host was compared and is as it was.
    fn as_it_was(&self, tx: Transaction, mut back: Back<'_>) -> Outcome {
        let closed = if tx.phase().is_saving() { Ok(()) } else { tx.close(self.host) };
        let unwritten = back.unwritten.take();
        match closed {
            // Neither a line nor the link says that it has ended: a later run would go on with it.
            Err(error) if unwritten.is_some() => {
                back.failed(&error);
                return self.incomplete(tx, back);
            }
            closed => back.kept.notes.extend(closed.err().map(|error| format!("{error:#}"))),
        }
        back.kept.notes.extend(unwritten.map(|why| {
            format!(
                "{why}: the record of this rollback is not whole; what it says of the host is true"
            )
        }));
        let ended = rolled_back(&tx, back.why, back.asked);
        let mut ended = Outcome { steps: back.reports, notes: back.kept.notes, ..ended };
        let now = probe::ask(self.host, &tx.header.plan.spec, Way::Routes);
        for check in probe::lost(&now, &tx.header.answers) {
            ended.notes.push(format!(
                "{}: answered before the change, and does not after the rollback, though the host is as it was: the server itself may be down, or a switch port may still hold its traffic back; ask it again",
                check.name
            ));
        }
        ended
    }

    /// The end of a rollback that leaves something of ours on the host.
    fn incomplete(&self, mut tx: Transaction, back: Back<'_>) -> Outcome {
        let recorded = self.record(&mut tx, Event::Incomplete { left: back.left.clone() });
        let mut all = if back.asked { Vec::new() } else { vec![back.why.to_string()] };
        all.push("the rollback is incomplete:".into());
        all.extend(back.left.iter().map(|left| left.what.clone()));
        all.extend(recorded.err().map(|e| format!("{e:#}")));
        Outcome {
            error: Some(all.join("\n")),
            hint: Some(format!(
                "run the commands above, then: xenbond rollback; or close it as it is: xenbond rollback --close; the original files are in {}",
                tx.originals_folder()
            )),
            steps: back.reports,
            notes: back.kept.notes,
            left: back.left,
            ..outcome(&tx, Ending::RollbackIncomplete, Exit::Incomplete)
        }
    }

    fn wait_for_reboot(&self, tx: &mut Transaction, back: &Back<'_>) -> Result<()> {
        let touched_xapi = tx.header.plan.steps.iter().any(Step::asks_xapi);
        if touched_xapi && !back.hung {
            // A member that is down makes it fail or hang though the master has written
            // (tests/ground/xapi-measured.md, M20), and a clean stop of XAPI writes as well.
            let _ = self.host.run(&xe::sync_database());
        }
        let boot_id = self.boot_id()?;
        self.record(tx, Event::RollbackWaiting { boot_id })
    }
}

/// The steps to undo: those that were begun, and the bond's way up with them when it is there. Where
/// the power went before that step, the boot may have brought it up by files that were half changed.
fn begun(host: &Host, tx: &Transaction) -> Vec<usize> {
    let mut begun = tx.begun();
    let steps = || tx.header.plan.steps.iter().zip(1..);
    let elsewhere = |step: &Step| matches!(step, Step::SwitchBackend(_) | Step::Reboot { .. });
    // One that stood and was not touched yet stays up.
    if steps().any(|(step, n)| was_up(step) && !begun.contains(&n)) {
        return begun;
    }
    if steps().any(|(step, number)| begun.contains(&number) && !elsewhere(step)) {
        let up = |step: &Step| match step {
            Step::BringUp(bond) => bond.is_there(host),
            Step::BringVlanUp(vlan) => vlan.is_there(host),
            // By files that were changed before it the boot may have done the same.
            step => step.is_live(),
        };
        begun.extend(steps().filter(|(step, _)| up(step)).map(|(_, number)| number));
    }
    begun
}

/// What is said of a NIC's name that means another card now, or none.
fn left_alone(card: &str) -> String {
    format!("{card}: what is of that name, XAPI's record too, is left as it is")
}

/// Whether a step takes down what stood.
fn was_up(step: &Step) -> bool {
    matches!(step, Step::TakeDown(_) | Step::TakeVlanDown(_))
}
