//! What has come of a rollback so far. Must not know how anything is undone.

use std::collections::BTreeMap;

use super::reports;
use crate::host::Host;
use crate::journal::Transaction;
use crate::ledger::Phase;
use crate::net::IfName;
use crate::outcome::{Item, Outcome, StepReport};
use crate::paths;
use crate::step::{Kept, Step};
use crate::xe::{self, Failure};

/// What may help where no single command does.
const AGAIN: &str = "xenbond rollback";

/// A rollback under way.
pub(super) struct Back<'a> {
    pub(super) why: &'a str,
    /// Whether a person asked for it, and not a failure.
    pub(super) asked: bool,
    /// After its reboot only XAPI can differ, which plugs at boot what was not plugged before.
    pub(super) only_pifs: bool,
    /// Whether this run begins here: since another one undid those before, the power may have gone.
    pub(super) is_first: bool,
    /// Older changes of the same bond that are to be undone after it.
    pub(super) then: Vec<String>,
    /// Changes whose NICs are looked at once more after its reboot.
    pub(super) after: Vec<String>,
    /// The steps that stay: another bond needs what they did.
    pub(super) needed: Vec<usize>,
    /// The steps that are all that is left of it, where the rest was undone before.
    pub(super) rest: Option<Vec<usize>>,
    /// Whether XAPI was waited for.
    pub(super) awaited: bool,
    /// Whether XAPI has hung: it is not asked again in this run.
    pub(super) hung: bool,
    pub(super) kept: Kept,
    pub(super) reports: Vec<StepReport>,
    pub(super) left: Vec<Item>,
    /// What XAPI did not do, which a reboot may mend.
    pub(super) pif_left: Vec<Item>,
    /// The NICs of it, where XAPI answered.
    pub(super) refused: Vec<IfName>,
    /// NICs that the bond did not let go of.
    pub(super) stuck: Vec<IfName>,
    /// NICs of the plan whose names mean other cards now, and how that is said: looked at before
    /// the bond goes, which a card that came in its midst does not outlive.
    pub(super) cards: BTreeMap<IfName, String>,
    /// What XAPI may still do.
    pub(super) late: Vec<Item>,
    /// Why the journal is not whole.
    pub(super) unwritten: Option<String>,
}

impl<'a> Back<'a> {
    pub(super) fn of(tx: &Transaction, why: &'a str, asked: bool) -> Self {
        Self {
            why,
            asked,
            only_pifs: matches!(tx.phase(), Phase::RollbackWaiting { .. }),
            is_first: false,
            then: Vec::new(),
            after: tx.after(),
            needed: Vec::new(),
            rest: None,
            awaited: false,
            hung: false,
            kept: Kept { folder: tx.saved_folder(), ..Kept::default() },
            reports: reports(tx),
            left: Vec::new(),
            pif_left: Vec::new(),
            refused: Vec::new(),
            stuck: Vec::new(),
            cards: BTreeMap::new(),
            late: Vec::new(),
            unwritten: None,
        }
    }

    /// Whether this way back undoes the step.
    pub(super) fn undoes(&self, number: usize) -> bool {
        !self.needed.contains(&number)
            && (self.only_pifs || self.rest.as_ref().is_none_or(|rest| rest.contains(&number)))
    }

    pub(super) fn failed(&mut self, error: &anyhow::Error) {
        self.left.push(Item { what: format!("{error:#}"), command: AGAIN.into() });
    }

    /// The journal could not be written: that changes nothing of what the host is.
    pub(super) fn not_written(&mut self, error: &anyhow::Error) {
        self.unwritten.get_or_insert_with(|| format!("{error:#}"));
    }

    pub(super) fn not_undone(&mut self, step: &Step, left: Item, error: &anyhow::Error) {
        self.hung |= xe::failure(error) == Some(Failure::Hung);
        if let Step::Join(member) = step {
            self.stuck.push(member.nic.clone());
        }
        if let (Some(record), false) = (step.pif(), self.hung || self.sticks(step)) {
            self.refused.push(record.device.clone());
        }
        let all = if step.asks_xapi() { &mut self.pif_left } else { &mut self.left };
        all.push(left);
    }

    /// A NIC that XAPI did not let go of, the management above all, and that undoing the step would
    /// make a slave, now or at a boot.
    pub(super) fn held(&self, step: &Step) -> Option<&IfName> {
        self.refused.iter().find(|nic| {
            enslaved(step).contains(nic)
                || step.file().is_some_and(|file| file.path == paths::ifcfg(nic.as_str()))
        })
    }

    /// What hinders a step whose undoing would make slaves of other cards than the bond had: also one
    /// that sets something of a bond that is not there, which brings it up first.
    pub(super) fn moved(&self, step: &Step, bond: &IfName, host: &Host) -> Option<&String> {
        let mut slaves = enslaved(step).iter();
        let is_there = |nic: &IfName| host.exists(&paths::sys_net(nic.as_str()));
        let brings_up = step.is_live() && !is_there(bond);
        slaves.find_map(|nic| self.cards.get(nic)).or_else(|| {
            let mut others = self.cards.iter().filter(|(nic, _)| brings_up && is_there(nic));
            others.next().map(|(_, said)| said)
        })
    }

    /// Whether a step would have XAPI take back a NIC that is in the bond still: it would put a
    /// slave into a bridge, and record the bond's MTU for the NIC's.
    pub(super) fn sticks(&self, step: &Step) -> bool {
        step.pif().is_some_and(|record| self.stuck.contains(&record.device))
    }

    pub(super) fn waits(self, ended: Outcome) -> Outcome {
        Outcome {
            error: (!self.asked).then(|| self.why.to_string()),
            notes: self.kept.notes,
            steps: self.reports,
            ..ended
        }
    }
}

/// The NICs that undoing the step makes slaves again.
pub(super) fn enslaved(step: &Step) -> &[IfName] {
    match step {
        Step::TakeDown(bond) => &bond.slaves,
        Step::Leave(member) => std::slice::from_ref(&member.nic),
        _ => &[],
    }
}
