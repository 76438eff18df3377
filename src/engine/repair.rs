//! A change that repaired a bond of ours: its way back leads to the host before the first change,
//! and never to the broken one in between. Must not know how anything is undone.

use anyhow::Result;

use super::Engine;
use super::back::Back;
use crate::host::Host;
use crate::journal::{self, Transaction};
use crate::ledger::{Event, Phase};

impl Engine<'_> {
    /// The change before, where this one repaired its bond and is undone whole.
    pub(super) fn repaired_first(
        &self,
        tx: &Transaction,
        back: &mut Back<'_>,
    ) -> Option<Transaction> {
        let left = [&back.left, &back.pif_left, &back.late];
        if !back.asked || left.iter().any(|left| !left.is_empty()) {
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
    pub(super) fn leave_to(
        &self,
        first: Transaction,
        mut tx: Transaction,
    ) -> Result<Transaction, Box<(anyhow::Error, Transaction)>> {
        if let Err(error) = self.record(&mut tx, Event::RolledBack) {
            return Err(Box::new((error, tx)));
        }
        match tx.close(self.host) {
            Ok(()) => Ok(first),
            Err(error) => Err(Box::new((error, first))),
        }
    }
}

/// The change whose bond this one repaired, if it repaired one.
fn repaired(host: &Host, tx: &Transaction) -> Result<Option<Transaction>> {
    let Some(id) = &tx.header.previous else { return Ok(None) };
    let first = Transaction::named(host, id)?.filter(|first| first.phase() == Phase::Done);
    Ok(first.filter(|first| journal::repairs(&tx.header.plan, &first.header.plan)))
}
