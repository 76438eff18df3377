//! Transactions of the past, and what the host is to be by them.

use std::collections::BTreeMap;

use anyhow::Result;

use super::Transaction;
use crate::host::{Host, Kind};
use crate::inventory::Nic;
use crate::ledger::{Event, Phase, chain, names};
use crate::net::IfName;
use crate::spec::Spec;
use crate::step::{FileChange, Step};

/// A bond that stands by a transaction that is done: what it is to be.
#[derive(Clone, Debug)]
pub struct Made {
    /// The transaction.
    pub transaction: String,
    /// What was asked for.
    pub spec: Spec,
    /// The NICs as they were then: their names, and the MAC addresses of these.
    pub nics: Vec<Nic>,
    /// The files as they were last written, by path.
    pub files: BTreeMap<String, Kind>,
    /// The codes of the warnings that were accepted with it.
    pub accepted: Vec<String>,
    /// When xenbond made it.
    pub since: String,
    /// Whether somebody had made it by hand before xenbond answered for it.
    pub adopted: bool,
}

impl Made {
    /// Those of the files that are not as the built-in templates have them and not as they were
    /// written either, by other templates.
    #[must_use]
    pub fn unlike(&self, mut changed: Vec<FileChange>) -> Vec<FileChange> {
        changed.retain(|now| {
            // A unit that is as written and yet listed is one that is not enabled.
            let as_wanted = now.was.same_but_time(&now.want);
            as_wanted || !self.files.get(&now.path).is_some_and(|was| was.same_but_time(&now.was))
        });
        changed
    }
}

/// The bonds that xenbond made here and that were not rolled back, the last one first. Of a bond
/// whose change is not at its end nothing can be said.
///
/// # Errors
/// When the record cannot be read.
pub fn made(host: &Host) -> Result<Vec<Made>> {
    made_by(host, &|tx| tx.phase().stands())
}

/// What a bond is to be: by the change of it that is under way, else by what stands.
///
/// # Errors
/// When the record cannot be read.
pub fn recorded(host: &Host, bond: &IfName) -> Result<Option<Spec>> {
    let of = |tx: &Transaction| tx.phase().is_open() && tx.header.plan.spec.bond == *bond;
    if let Some(open) = Transaction::open(host)?.filter(of) {
        return Ok(Some(open.header.plan.spec));
    }
    Ok(made(host)?.into_iter().find(|made| made.spec.bond == *bond).map(|made| made.spec))
}

/// The bond of a transaction that is under way, as if that had come to its end.
///
/// # Errors
/// When the record cannot be read.
pub fn going(host: &Host, tx: &Transaction) -> Result<Option<Made>> {
    let counts = |other: &Transaction| other.header.id == tx.header.id || other.phase().stands();
    let all = made_by(host, &counts)?;
    Ok(all.into_iter().find(|made| made.spec.bond == tx.header.plan.spec.bond))
}

fn made_by(host: &Host, counts: &dyn Fn(&Transaction) -> bool) -> Result<Vec<Made>> {
    let mut all: Vec<Made> = Vec::new();
    let mut open: Vec<IfName> = Vec::new();
    for change in chain(host)? {
        let is_over = matches!(change.phase, Phase::RolledBack | Phase::SavingBack { .. });
        if is_over || open.contains(&change.spec.bond) {
            continue;
        }
        let Some(tx) = Transaction::named(host, &change.id)? else { continue };
        if !counts(&tx) || change.removes {
            open.push(change.spec.bond);
        } else {
            add(&mut all, &tx);
        }
    }
    Ok(all)
}

fn add(all: &mut Vec<Made>, tx: &Transaction) {
    let plan = &tx.header.plan;
    let known = all.iter().position(|made| made.spec.bond == plan.spec.bond);
    let at = known.unwrap_or_else(|| {
        all.push(Made {
            transaction: tx.header.id.clone(),
            spec: plan.spec.clone(),
            nics: plan.nics.clone(),
            files: BTreeMap::new(),
            accepted: tx.accepted(),
            since: tx.header.started.clone(),
            adopted: false,
        });
        all.len() - 1
    });
    if known.is_some() {
        all[at].since.clone_from(&tx.header.started);
    }
    all[at].adopted = plan.adopts;
    for file in plan.steps.iter().filter_map(Step::file) {
        // What a later transaction made of a file is newer.
        if known.is_none() || !all[at].files.contains_key(&file.path) {
            all[at].files.insert(file.path.clone(), file.want.clone());
        }
    }
}

/// The transaction that is open, else the one that was begun last by the clock of then, also when
/// it was rolled back since.
///
/// # Errors
/// When its record cannot be read.
pub fn latest(host: &Host) -> Result<Option<Transaction>> {
    if let Some(tx) = Transaction::open(host)?.filter(|tx| tx.phase().is_open()) {
        return Ok(Some(tx));
    }
    for id in names(host)?.into_iter().rev() {
        // One that was cut off before its plan was durable never began.
        if let Some(mut tx) = Transaction::named(host, &id)? {
            // Closed while its journal could not be written: only an end takes the link away.
            if tx.phase().is_open() {
                tx.remember(host, Event::RolledBack);
            }
            return Ok(Some(tx));
        }
    }
    Ok(None)
}
