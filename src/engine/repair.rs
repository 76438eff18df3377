//! A change that repaired a bond of ours: its way back leads to the host before the first change,
//! and never to the broken one in between. Must not know how anything is undone.

use anyhow::Result;

use crate::host::{Host, Kind};
use crate::journal::Transaction;
use crate::ledger::Phase;
use crate::step::Step;

/// The change whose bond this one repaired, if it repaired one.
pub(super) fn repaired(host: &Host, tx: &Transaction) -> Result<Option<Transaction>> {
    let Some(id) = &tx.header.previous else { return Ok(None) };
    let first = Transaction::named(host, id)?.filter(|first| first.phase() == Phase::Done);
    Ok(first.filter(|first| repairs(tx, first)))
}

/// Whether a change found the bond of an earlier one broken: a NIC of it back under XAPI, or, asked
/// for the same, something else than files of other templates.
fn repairs(tx: &Transaction, first: &Transaction) -> bool {
    let (plan, before) = (&tx.header.plan, &first.header.plan);
    if plan.spec.bond != before.spec.bond {
        return false;
    }
    let had = |step: &Step| match step {
        Step::ForgetPif(record) => before.nics.iter().any(|nic| nic.device == record.device),
        _ => false,
    };
    let written = |path: &str| -> Option<&Kind> {
        let mut files = before.steps.iter().filter_map(Step::file);
        files.find(|file| file.path == path).map(|file| &file.want)
    };
    let mut files = plan.steps.iter().filter_map(Step::file).peekable();
    let only_renewed = files.peek().is_some()
        && files.all(|file| written(&file.path).is_none_or(|want| want.same_but_time(&file.was)));
    plan.steps.iter().any(had) || (plan.spec == before.spec && !only_renewed)
}
