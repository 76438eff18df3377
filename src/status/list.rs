//! The bonds that xenbond answers for, each with its verdict. Must not know how it is printed.

use anyhow::Result;

use super::{Judge, Records};
use crate::host::Host;
use crate::inventory::{Ask, Inventory};
use crate::journal;
use crate::net::IfName;
use crate::order;
use crate::render::Templates;
use crate::spec::Spec;

/// A bond that xenbond answers for.
#[derive(Clone, Debug)]
pub struct Listed {
    /// What it is to be.
    pub spec: Spec,
    /// The devices of its NICs.
    pub nics: Vec<IfName>,
    /// When xenbond made it.
    pub since: String,
    /// Whether it is as asked; `None`: its change is not at its end.
    pub ok: Option<bool>,
    /// What it was to be before its last change; `None`: there was no such bond.
    pub before: Option<Spec>,
    /// Whether somebody had made it by hand before.
    pub adopted: bool,
}

/// All of them, by name.
///
/// # Errors
/// When host or records cannot be read.
pub fn list(host: &Host, templates: &Templates) -> Result<Vec<Listed>> {
    let records = Records::read(host)?;
    let nics = records.kept_nics();
    let inv = Inventory::read(host, Ask { nics: &nics, networks: true, ..Ask::default() })?;
    let judge = Judge::at_once(host, &inv, templates, &records);
    let mut all = Vec::new();
    for made in &records.made {
        all.push(Listed {
            spec: made.spec.clone(),
            nics: made.nics.iter().map(|nic| nic.device.clone()).collect(),
            since: made.since.clone(),
            ok: Some(judge.made(made)?.is_good()),
            before: journal::before(host, made)?,
            adopted: made.adopted,
        });
    }
    if let Some(tx) = records.latest.as_ref().filter(|tx| tx.phase().is_open()) {
        let plan = &tx.header.plan;
        // One that is saving or waits to be confirmed was judged above.
        if all.iter().all(|listed| listed.spec.bond != plan.spec.bond) {
            all.push(Listed {
                spec: plan.spec.clone(),
                nics: plan.nics.iter().map(|nic| nic.device.clone()).collect(),
                since: tx.header.started.clone(),
                ok: None,
                before: None,
                adopted: plan.adopts,
            });
        }
    }
    order::sort_by_key(&mut all, |one| one.spec.bond.clone());
    Ok(all)
}
