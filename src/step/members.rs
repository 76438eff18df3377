//! The NICs of a bond that XAPI manages, by their PIFs: the bond is found by them, whatever XAPI
//! calls it and whoever made it. Must not know what is done with it.

use std::collections::BTreeSet;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::PifRecord;
use crate::host::{Cmd, Host};
use crate::net::{IfName, Uuid};
use crate::order;
use crate::xe::{self, Pif};

/// The PIFs of a bond's NICs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Members(Vec<Uuid>);

/// A bond that some of the NICs are in.
pub(super) struct Found<'a> {
    /// XAPI's uuid of it.
    pub bond: &'a Uuid,
    /// The PIF that stands for it, where it has one.
    pub pif: Option<&'a Pif>,
    /// Whether it has these NICs and no others.
    pub whole: bool,
    /// Whether it has NICs of others.
    pub others: bool,
}

impl Members {
    /// Those of these PIFs.
    #[must_use]
    pub fn of(pifs: impl Iterator<Item = Uuid>) -> Self {
        Self(pifs.collect())
    }

    /// Whether there are none: it is about a NIC itself.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One of them, by which the bond is found in a shell.
    #[must_use]
    pub fn first(&self) -> String {
        self.0.first().map(ToString::to_string).unwrap_or_default()
    }

    pub(super) fn uuids(&self) -> &[Uuid] {
        &self.0
    }

    /// The bond that they are in.
    pub(super) fn found<'a>(&self, pifs: &'a [Pif]) -> Option<Found<'a>> {
        let mut own = pifs.iter().filter(|pif| self.0.contains(&pif.uuid));
        let bond = own.find_map(|pif| pif.bond_slave_of.as_ref())?;
        let slaves = pifs.iter().filter(|pif| pif.bond_slave_of.as_ref() == Some(bond));
        let slaves: BTreeSet<&Uuid> = order::set(slaves.map(|pif| &pif.uuid));
        let ours = |slave: &&Uuid| self.0.contains(slave);
        Some(Found {
            bond,
            pif: pifs.iter().find(|pif| pif.vlan == -1 && pif.bond_master_of.contains(bond)),
            whole: slaves.len() == self.0.len() && slaves.iter().all(ours),
            others: !slaves.iter().all(ours),
        })
    }

    /// The PIF of their bond, on the host of this uuid.
    pub(super) fn pif(&self, host: &Host, of: &Uuid) -> Result<Option<Pif>> {
        let pifs = xe::pifs(host, of)?.whole()?;
        Ok(self.found(&pifs).filter(|found| found.whole).and_then(|found| found.pif.cloned()))
    }

    /// What the shell makes the uuid of their bond of.
    pub fn bond_by_shell(&self) -> String {
        format!("$(xe pif-param-get uuid={} param-name=bond-slave-of)", self.first())
    }

    /// What the shell makes the uuid of their bond's PIF of.
    pub fn pif_by_shell(&self) -> String {
        format!("$(xe bond-param-get uuid={} param-name=master)", self.bond_by_shell())
    }
}

/// The uuid of a record that is still to be made.
#[must_use]
pub fn not_made_yet() -> Uuid {
    "00000000-0000-0000-0000-000000000000".parse().expect("a uuid")
}

/// The commands with another word for the uuid of what is still to be made.
pub(super) fn named(mut cmds: Vec<Cmd>, word: &str) -> Vec<Cmd> {
    let unknown = not_made_yet().to_string();
    for arg in cmds.iter_mut().flat_map(|cmd| &mut cmd.args) {
        *arg = arg.replace(&unknown, word);
    }
    cmds
}

/// The same for a person who types them.
pub(super) fn by_shell(cmds: &[Cmd], expression: &str) -> String {
    let all: Vec<String> = cmds.iter().map(ToString::to_string).collect();
    all.join("; ").replace(&not_made_yet().to_string(), expression)
}

/// The words by which a plan names what XAPI numbers only when it makes it.
pub(super) fn pif_word(bond: &IfName) -> String {
    format!("PIF-OF-{bond}")
}

/// The PIFs of these records.
pub(super) fn of_records(records: &[PifRecord]) -> Members {
    Members::of(records.iter().filter_map(|record| Some(record.was.as_ref()?.uuid.clone())))
}
