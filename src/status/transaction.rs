//! The transaction in short, and what to type next.

use serde::Serialize;

use crate::host::Host;
use crate::journal::Transaction;
use crate::ledger::Phase;
use crate::outcome::Item;

/// A transaction in short.
#[derive(Clone, Debug, Serialize)]
pub struct TransactionView {
    /// Its name.
    pub id: String,
    /// The bond.
    pub bond: String,
    /// Where it stands.
    #[serde(flatten)]
    pub phase: Phase,
    /// Whether it has not come to its end.
    pub open: bool,
    /// When it began.
    pub started: String,
    /// When its last line was written.
    pub last: String,
    /// Why it was or is rolled back.
    pub why: Option<String>,
    /// Whether a person asked for the rollback.
    pub asked: Option<bool>,
    /// How many of its steps are done.
    pub done: usize,
    /// How many it has.
    pub steps: usize,
    /// How long a confirmation is still awaited, in seconds.
    pub seconds_left: Option<u64>,
    /// The run that works on it now, if any: its process, and since when.
    pub run: Option<String>,
    /// What its rollback could not bring back.
    pub left: Vec<Item>,
    /// What to type next.
    pub hint: Option<String>,
}

pub(super) fn view(host: &Host, tx: &Transaction, run: Option<String>) -> TransactionView {
    let phase = tx.phase();
    let steps = tx.header.plan.steps.len();
    let rolled_back =
        matches!(phase, Phase::RolledBack | Phase::RollingBack | Phase::SavingBack { .. });
    let reason = tx.rollback_reason().filter(|_| !phase.stands());
    TransactionView {
        id: tx.header.id.clone(),
        bond: tx.header.plan.spec.bond.to_string(),
        open: phase.is_open(),
        started: tx.header.started.clone(),
        last: tx.last_time().to_string(),
        why: reason.map(|(why, _)| why.to_string()),
        asked: reason.map(|(_, asked)| asked),
        done: if rolled_back { 0 } else { (1..=steps).filter(|n| tx.is_done(*n)).count() },
        steps,
        seconds_left: tx.time_left(host).map(|left| left.as_secs()),
        hint: match phase {
            _ if run.is_some() => None,
            Phase::Done => Some("xenbond rollback undoes it".into()),
            Phase::Saving { .. } | Phase::SavingBack { .. } => {
                Some("xenbond resume waits for it".into())
            }
            Phase::RolledBack => None,
            Phase::WaitingForReboot { .. } | Phase::RollbackWaiting { .. } => {
                Some("reboot this host, then: xenbond resume".into())
            }
            Phase::WaitingForConfirmation => Some("xenbond confirm keeps it".into()),
            Phase::Applying => {
                Some("xenbond resume continues it, xenbond rollback undoes it".into())
            }
            Phase::RollingBack => Some("xenbond rollback continues it".into()),
        },
        left: tx.left().to_vec(),
        run,
        phase,
    }
}
