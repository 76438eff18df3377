//! Whether the bond of a change is as asked: at its last step, where nothing is left to do, and where
//! it is kept though something that was accepted does not hold yet.

use std::time::Duration;

use anyhow::Result;

use super::apply::codes;
use super::{Engine, Observer, Situation, look_for};
use crate::journal::{self, Transaction};
use crate::outcome::{Ending, Exit, Outcome};
use crate::plan::{self, Plan};
use crate::verify::{self, Patience, Question, Running, Verdict, Witness};

impl Engine<'_> {
    /// The outcome of a change that is kept, with what was accepted and does not hold now either.
    pub(super) fn with_pending(&self, tx: &Transaction, ended: Outcome) -> Outcome {
        let accepted = codes(&tx.accepted());
        if accepted.is_empty() || ended.ending != Ending::Done {
            return ended;
        }
        let Plan { spec, nics, .. } = &tx.header.plan;
        let pending = verify::judge(Question {
            spec,
            nics,
            absent: &[],
            accepted: &accepted,
            kernel: Running::Settling {
                host: self.host,
                within: Duration::ZERO,
                waits: &mut |_| {},
            },
            witnesses: &[],
        });
        match pending.map(|verdict| verdict.pending()) {
            Ok(pending) if pending.is_empty() => ended,
            Ok(pending) => Outcome { pending, exit: Exit::NotAsAsked, ..ended },
            // What could not be looked at is not said to be as asked.
            Err(error) => {
                let mut ended = Outcome { exit: Exit::NotAsAsked, ..ended };
                ended.notes.push(format!("{error:#}"));
                ended
            }
        }
    }

    /// Whether the bond of a change is as asked, once its last step is taken.
    pub(super) fn verdict(&self, tx: &Transaction, observer: &mut dyn Observer) -> Result<Verdict> {
        let Plan { spec, nics, .. } = &tx.header.plan;
        let made = journal::going(self.host, tx)?;
        let read = || {
            let inv = look_for(self.host, spec)?;
            let changed = plan::file_changes_of(spec, nics, &inv, self.templates)?;
            let changed = match &made {
                Some(made) => made.unlike(changed),
                None => changed,
            };
            Ok((inv, changed))
        };
        let accepted = codes(&tx.accepted());
        let within = verify::limit(spec);
        verify::judge(Question {
            spec,
            nics,
            absent: &[],
            accepted: &accepted,
            kernel: Running::Settling {
                host: self.host,
                within,
                waits: &mut |what: &str| observer.waits(what, within),
            },
            witnesses: &[
                Witness::Nics(self.host),
                Witness::Later(&read),
                Witness::Servers(self.host, Patience::UntilAnswered),
            ],
        })
    }

    /// The outcome where nothing is left to do: the bond must not only be configured but work.
    pub(super) fn nothing_to_do(
        &self,
        plan: &Plan,
        situation: &Situation,
        accepted: &[String],
    ) -> Result<Outcome> {
        let Situation { spec, inv, .. } = situation;
        let verdict = verify::judge(Question {
            spec,
            nics: &plan.nics,
            absent: &[],
            accepted: &codes(accepted),
            kernel: Running::Read(&inv.kernel),
            witnesses: &[
                Witness::Nics(self.host),
                Witness::Host(inv, &[]),
                Witness::Servers(self.host, Patience::Once),
            ],
        })?;
        let (failed, pending) = (verdict.hindering(), verdict.pending());
        let mut outcome = if failed.is_empty() {
            let exit = if pending.is_empty() { Exit::AsAsked } else { Exit::NotAsAsked };
            Outcome { pending, ..Outcome::new(Ending::NothingToDo, exit) }
        } else {
            let all: Vec<String> = failed.iter().map(ToString::to_string).collect();
            let hint = failed.iter().find_map(|c| c.hint.clone());
            let error = format!(
                "{} is configured as asked and does not work as asked: {}",
                spec.bond,
                all.join("; ")
            );
            Outcome::refused(error, hint)
        };
        outcome.transaction = inv.transaction.as_ref().map(|t| t.id.clone());
        Ok(outcome)
    }
}
