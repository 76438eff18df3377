//! Which older change a way back goes on with: the next one that was named, the first one of a bond
//! that the change repaired, or what stayed since another bond needed it. Must not know how anything
//! is undone.

use anyhow::Result;

use super::back::Back;
use super::compare::running;
use super::outage::switches_to;
use super::{Engine, look_for};
use crate::host::Host;
use crate::journal::{self, Transaction};
use crate::ledger::{self, Event, Phase};
use crate::spec::BackendChoice;
use crate::step::{Kept, Step};

impl Engine<'_> {
    /// Has a boot go on with this change, and settles which of its steps stay.
    pub(super) fn brings_forward(&self, tx: &mut Transaction, back: &mut Back<'_>) -> Result<()> {
        tx.bring_forward(self.host)?;
        self.closes_those_before(back)?;
        if tx.is_a_rest() {
            back.rest = Some(tx.needed());
            return Ok(());
        }
        let stays = self.stays(tx)?;
        if stays.is_empty() {
            return Ok(());
        }
        for step in stays {
            back.needed.push(step);
            if !tx.needed().contains(&step) {
                // Without the line nothing would bring it back when the last bond goes.
                self.record(tx, Event::Needed { step })?;
            }
        }
        back.kept.notes.push("the backend stays bridge: another bond needs it".into());
        Ok(())
    }

    /// The steps of a change that stay at its end, since another bond needs what they did.
    fn stays(&self, tx: &Transaction) -> Result<Vec<usize>> {
        let switches: Vec<usize> =
            tx.header.plan.switches().filter(|n| tx.begun().contains(n)).collect();
        let bond = &tx.header.plan.spec.bond;
        let needed = !tx.is_a_rest()
            && !switches.is_empty()
            && bridge_is_needed(self.host, |of| of.spec.bond != *bond)?;
        Ok(if needed { switches } else { Vec::new() })
    }

    /// Whether the way back of a change takes a reboot: another backend runs than it found.
    pub(super) fn takes_a_reboot(&self, tx: &Transaction, back: &Back<'_>) -> bool {
        let Some(was) = switches_to(tx, |number| back.undoes(number)) else { return false };
        // What cannot be read is found out by the steps.
        let Ok(inv) = look_for(self.host, &tx.header.plan.spec) else { return false };
        running(&inv).is_some_and(|now| now != was)
    }

    /// The change that the way back goes on with before anything is compared.
    pub(super) fn goes_on_with(
        &self,
        tx: &Transaction,
        back: &mut Back<'_>,
    ) -> Option<Transaction> {
        if !is_clean(back) {
            return None;
        }
        let found = match back.then.first() {
            Some(id) => Transaction::named(self.host, id),
            None => journal::repaired(self.host, &tx.header.plan, &tx.header.id),
        };
        found.unwrap_or_else(|error| {
            back.failed(&error);
            None
        })
    }

    /// A change of which only what other bonds needed is left, now that none of them stands.
    pub(super) fn rest(&self, tx: &Transaction, back: &mut Back<'_>) -> Option<Transaction> {
        if !is_clean(back) || back.rest.is_some() {
            return None;
        }
        self.find_rest(tx).unwrap_or_else(|error| {
            back.failed(&error);
            None
        })
    }

    fn find_rest(&self, tx: &Transaction) -> Result<Option<Transaction>> {
        // What somebody made by hand stands again, and needs it as well.
        if tx.header.plan.gives_back() || bridge_is_needed(self.host, |of| of.id != tx.header.id)? {
            return Ok(None);
        }
        for change in ledger::chain(self.host)? {
            let over = matches!(change.phase, Phase::RolledBack | Phase::RollingBack);
            if !over || change.id == tx.header.id {
                continue;
            }
            let rest = Transaction::named(self.host, &change.id)?;
            if let Some(rest) = rest.filter(|rest| rest.is_a_rest() && !rest.needed().is_empty()) {
                return Ok(Some(rest));
            }
        }
        Ok(None)
    }

    /// After a boot: XAPI may have plugged NICs of changes that were undone before it, or have lost
    /// what it had not written yet.
    pub(super) fn pifs_of_those_before(&self, tx: &Transaction, back: &mut Back<'_>) {
        let all = back.only_pifs || tx.is_a_rest();
        if !all && !back.is_first {
            return;
        }
        // What this change has done with a NIC since is undone by its own steps.
        let own = |step: &Step| {
            let device = step.pif().map(|record| &record.device);
            let steps = tx.header.plan.steps.iter();
            steps.filter_map(Step::pif).any(|record| Some(&record.device) == device)
        };
        for id in back.after.clone() {
            let steps = match Transaction::named(self.host, &id) {
                Ok(tx) => tx.into_iter().flat_map(|tx| tx.header.plan.steps),
                Err(error) => return back.failed(&error),
            };
            let of_pif = |step: &Step| step.pif().is_some() && (all || !own(step));
            let mut steps: Vec<Step> = steps.filter(of_pif).collect();
            steps.reverse();
            for step in steps {
                if let Err(error) = step.undo(self.host, &mut back.kept) {
                    back.failed(&error.context(step.undo_title()));
                }
            }
        }
    }

    /// Closes what is undone: the way back goes on with another change. That one is begun before,
    /// so that a run which is cut off in between goes on with one of the two.
    pub(super) fn leave_to(
        &self,
        mut next: Transaction,
        mut tx: Transaction,
        then: &[String],
        back: &Back<'_>,
    ) -> Result<Transaction, Box<(anyhow::Error, Transaction)>> {
        let mut after = back.after.clone();
        after.push(tx.header.id.clone());
        // As before each way back: once it is under way, what is gone may be gone by the script.
        // The files of the bond for which the script does not run yet are not what others made.
        let mut kept = Kept { folder: next.saved_folder(), ..Kept::default() };
        let noted = self.stays(&next);
        if let Err(error) = noted.and_then(|stays| self.note_others(&mut next, &stays, &mut kept)) {
            return Err(Box::new((error, tx)));
        }
        let (why, asked) = (back.why.to_string(), back.asked);
        let line = Event::RollingBack { why, asked, then: then.to_vec(), after };
        let begun = self.record(&mut next, line).and_then(|()| next.bring_forward(self.host));
        if let Err(error) = begun {
            return Err(Box::new((error, tx)));
        }
        match self.record(&mut tx, Event::RolledBack) {
            Ok(()) => Ok(next),
            Err(error) => Err(Box::new((error, next))),
        }
    }

    /// Closes those that the way back went through before, where a run was cut off before that.
    fn closes_those_before(&self, back: &Back<'_>) -> Result<()> {
        for id in &back.after {
            if let Some(mut tx) = Transaction::named(self.host, id)?
                && tx.phase() == Phase::RollingBack
            {
                self.record(&mut tx, Event::RolledBack)?;
            }
        }
        Ok(())
    }
}

/// Whether a person asked for it and nothing is left so far.
fn is_clean(back: &Back<'_>) -> bool {
    let left = [&back.left, &back.pif_left, &back.late];
    back.asked && left.iter().all(|left| left.is_empty())
}

/// Whether a bond that stands, among those that are `meant`, needs the bridge backend.
pub(super) fn bridge_is_needed(
    host: &Host,
    meant: impl Fn(&ledger::Change) -> bool,
) -> Result<bool> {
    let mut seen = Vec::new();
    for change in ledger::chain(host)? {
        let over = matches!(change.phase, Phase::RolledBack | Phase::SavingBack { .. });
        if over || seen.contains(&change.spec.bond) {
            continue;
        }
        if meant(&change) && change.phase.stands() {
            if !change.removes && change.spec.backend == BackendChoice::Bridge {
                return Ok(true);
            }
            seen.push(change.spec.bond);
        }
    }
    Ok(false)
}
