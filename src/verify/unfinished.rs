//! A bond whose change has not come to its end: what it is to be is not what it is now, and there
//! is one thing to say of it, not a row for each setting that has yet to come. Pure.

use super::{Check, Setting, Verdict};
use crate::ledger::Phase;
use crate::net::IfName;
use crate::outcome::Item;

/// The verdict on such a bond; `None` where it can be judged by its settings. `run`: who works on
/// it now; `left`: what a rollback could not bring back.
#[must_use]
pub fn unfinished(
    bond: &IfName,
    phase: &Phase,
    run: Option<&str>,
    left: &[Item],
) -> Option<Verdict> {
    let (have, hint) = match (phase, run) {
        (
            Phase::Done | Phase::Saving { .. } | Phase::RolledBack | Phase::WaitingForConfirmation,
            _,
        ) => return None,
        (Phase::Applying, Some(run)) => (format!("under way: {run}"), "xenbond status"),
        (Phase::Applying, None) => {
            ("cut off half-way".into(), "xenbond resume continues it, xenbond rollback undoes it")
        }
        (Phase::WaitingForReboot { .. }, _) => (
            format!("waits for a reboot: {bond} is not made yet"),
            "reboot this host, then: xenbond resume",
        ),
        (Phase::RollingBack, Some(run)) => (format!("being rolled back: {run}"), "xenbond status"),
        (Phase::RollingBack, None) if left.is_empty() => {
            ("its rollback was cut off half-way".into(), "xenbond rollback continues it")
        }
        (Phase::RollingBack, None) => {
            let each: Vec<&str> = left.iter().map(|left| left.what.as_str()).collect();
            let things = if left.len() == 1 { "thing" } else { "things" };
            (
                format!("rolled back, {} {things} left: {}", left.len(), each.join("; ")),
                "xenbond status names the command for each; then: xenbond rollback",
            )
        }
        (Phase::SavingBack { .. }, _) => (phase.to_string(), "xenbond resume waits for it"),
        (Phase::RollbackWaiting { .. }, _) => (
            "rolled back but for a reboot".into(),
            "reboot this host, then: xenbond resume finishes the rollback",
        ),
    };
    let check = Check::of(Setting::Change, "finished", have, hint);
    Some(Verdict { bond: bond.clone(), checks: vec![check] })
}
