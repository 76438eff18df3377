//! Which change repaired the bond of which other one. Must not know what follows from it.

use anyhow::Result;

use super::{Made, Transaction};
use crate::host::{Host, Kind};
use crate::ledger::{Change, Phase, chain};
use crate::plan::Plan;
use crate::spec::Spec;
use crate::step::Step;

/// The change whose bond this plan repairs, if it repairs one. `id`: that of the plan's own change.
///
/// # Errors
/// When the record cannot be read.
pub fn repaired(host: &Host, plan: &Plan, id: &str) -> Result<Option<Transaction>> {
    let chain = chain(host)?;
    // The newest comes first; one that is about to begin is not among them.
    let older = chain.iter().position(|change| change.id == id).map_or(0, |at| at + 1);
    // A change of another bond may have come in between.
    let is = |change: &Change| change.spec.bond == plan.spec.bond && change.phase == Phase::Done;
    let older = chain.into_iter().skip(older).filter(is).take_while(|change| !change.removes);
    let mut all = Vec::new();
    for change in older {
        all.extend(Transaction::named(host, &change.id)?);
    }
    let before: Vec<&Plan> = all.iter().map(|tx| &tx.header.plan).collect();
    let repairs = repairs(plan, &before);
    Ok(all.into_iter().next().filter(|_| repairs))
}

/// What a bond was to be before its last change, and before those that this one repaired; `None`:
/// there was no such bond.
///
/// # Errors
/// When the record cannot be read.
pub fn before(host: &Host, made: &Made) -> Result<Option<Spec>> {
    let Some(mut last) = Transaction::named(host, &made.transaction)? else { return Ok(None) };
    while let Some(first) = repaired(host, &last.header.plan, &last.header.id)? {
        last = first;
    }
    let is_over = |phase: &Phase| matches!(phase, Phase::RolledBack | Phase::SavingBack { .. });
    let mut older = chain(host)?.into_iter().skip_while(|c| c.id != last.header.id).skip(1);
    let older = older.find(|c| c.spec.bond == made.spec.bond && !is_over(&c.phase));
    Ok(older.filter(|c| c.phase.stands() && !c.removes).map(|c| c.spec))
}

/// Whether a change found the bond of the one `before` broken: a NIC of it back under XAPI, or,
/// asked for the same, something else than files of other templates.
fn repairs(plan: &Plan, older: &[&Plan]) -> bool {
    let Some(before) = older.first().filter(|_| !plan.removes) else { return false };
    let had = |step: &Step| match step {
        Step::ForgetPif(record) => before.nics.iter().any(|nic| nic.device == record.device),
        _ => false,
    };
    let written = |path: &str| -> Option<&Kind> {
        let mut files = older.iter().flat_map(|plan| &plan.steps).filter_map(Step::file);
        files.find(|file| file.path == path).map(|file| &file.want)
    };
    let mut files = plan.steps.iter().filter_map(Step::file).peekable();
    let only_renewed = files.peek().is_some()
        && files.all(|file| written(&file.path).is_none_or(|want| want.same_but_time(&file.was)));
    plan.steps.iter().any(had) || (plan.spec == before.spec && !only_renewed)
}
