//! The end of a rollback that cannot come to its end, and the refusal of a question that is no
//! longer about the host as it is.

use std::collections::BTreeMap;

use anyhow::Result;

use super::{Engine, Observer, outcome};
use crate::journal::Transaction;
use crate::ledger::{Event, Phase};
use crate::outcome::{Ending, Exit, Outcome};

impl Engine<'_> {
    /// Ends the open transaction whose rollback cannot come to its end, with what is left in its
    /// record. Nothing is tried; what a killed run left half-written beside its files is removed.
    ///
    /// # Errors
    /// Only where nothing was touched.
    pub fn close(
        &self,
        agrees: impl FnOnce(&Transaction) -> bool,
        observer: &mut dyn Observer,
    ) -> Result<Outcome> {
        let Some(open) = Transaction::open(self.host)? else {
            return Ok(Outcome::new(Ending::NothingToDo, Exit::AsAsked));
        };
        if !matches!(open.phase(), Phase::RollingBack | Phase::RollbackWaiting { .. }) {
            return Ok(Outcome {
                transaction: Some(open.header.id.clone()),
                ..Outcome::refused(
                    format!(
                        "transaction {} is {}: only a rollback that cannot come to its end is closed",
                        open.header.id,
                        open.phase()
                    ),
                    Some("xenbond rollback".into()),
                )
            });
        }
        if !agrees(&open) {
            return Ok(Outcome::refused("cancelled", None));
        }
        let _lock = self.lock(observer)?;
        let Some(mut tx) = Transaction::open(self.host)?
            .filter(|tx| tx.header.id == open.header.id && tx.phase() == open.phase())
        else {
            return Ok(moved_on(&open, "it has moved on"));
        };
        let mut left = tx.left().to_vec();
        if left.is_empty() {
            left = self.compare(&tx, true, &BTreeMap::new())?.left;
        }
        self.record(&mut tx, Event::Closed { left: left.clone() })?;
        let mut ended = Outcome { left, ..outcome(&tx, Ending::Closed, Exit::AsAsked) };
        ended.notes.extend(self.disarm().err().map(|e| format!("{e:#}")));
        // A run that died between writing and renaming leaves a file that is ours alone.
        let swept = tx.header.plan.originals().map(|original| self.host.sweep(&original.path));
        ended.notes.extend(swept.filter_map(Result::err).map(|e| format!("{e:#}")));
        tx.close(self.host)?;
        for left in &ended.left {
            observer.note(&format!("left: {}; to put it right: {}", left.what, left.command));
        }
        Ok(ended)
    }
}

/// The refusal where the host is no longer what the question spoke of.
pub(super) fn moved_on(asked: &Transaction, how: &str) -> Outcome {
    Outcome {
        transaction: Some(asked.header.id.clone()),
        ..Outcome::refused(
            format!("the question was about {}, and {how}", asked.header.id),
            Some("look again, and type the same command again: xenbond rollback".into()),
        )
    }
}
