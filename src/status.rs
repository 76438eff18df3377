//! The host at one glance: its backend, every NIC and what holds it, every bond as XAPI and as the
//! kernel see it, the transaction, and what is no longer as asked.

mod bonds;
mod nics;
#[cfg(test)]
pub(crate) mod tests;
mod transaction;

use std::collections::BTreeMap;

use anyhow::Result;
use serde::Serialize;

use crate::host::Host;
use crate::inventory::{Ask, Inventory, other_run};
use crate::journal::{self, Made};
use crate::net::{self, IfName};
use crate::plan;
use crate::render::Templates;
use crate::verify::{self, Check, Question, Running, Witness};
use crate::xe;

pub use bonds::{BondView, KernelBond, KernelSlave, XapiBond};
pub use nics::NicView;
pub use transaction::TransactionView;

/// Everything that `status` tells: `status --json`.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// Whether the host is as asked.
    pub ok: bool,
    /// The host's name.
    pub host: Option<String>,
    /// What runs on it, as XAPI says.
    pub release: Option<String>,
    /// The kernel's release.
    pub kernel: Option<String>,
    /// The network backend.
    pub backend: Backend,
    /// Why XAPI's view is missing.
    pub xapi_error: Option<String>,
    /// Every NIC.
    pub nics: Vec<NicView>,
    /// Every bond, XAPI's too.
    pub bonds: Vec<BondView>,
    /// The transaction that is open or was begun last.
    pub transaction: Option<TransactionView>,
    /// What is no longer as asked.
    pub drift: Vec<Drift>,
}

/// The backend, in the words of `network.conf`.
#[derive(Clone, Debug, Serialize)]
pub struct Backend {
    /// What runs.
    pub running: Option<net::Backend>,
    /// What runs after a reboot.
    pub next_boot: Option<net::Backend>,
}

/// Something that is no longer as asked.
#[derive(Clone, Debug, Serialize)]
pub struct Drift {
    /// The bond.
    pub bond: String,
    /// What, and how it is.
    #[serde(flatten)]
    pub check: Check,
}

/// Looks at the host.
///
/// # Errors
/// When a file of it that is there cannot be read. What XAPI does not answer is left out and said.
pub fn read(host: &Host, templates: &Templates) -> Result<Status> {
    let (inv, names) = std::thread::scope(|scope| {
        // For people to look at: without them the rest is as good.
        let names = scope.spawn(|| xe::network_names(host).unwrap_or_default());
        let inv = Inventory::read(host, Ask::default());
        let names = names.join().expect("a reading thread does not panic");
        inv.map(|inv| (inv, names))
    })?;
    let made = journal::made(host)?;
    let latest = journal::latest(host)?;
    let mut drift = Vec::new();
    let mut judged: BTreeMap<String, bool> = BTreeMap::new();
    for made in &made {
        let checks = checks(host, made, &inv, templates)?;
        note(&made.spec.bond, checks, &mut drift, &mut judged);
    }
    let open = latest.iter().filter(|tx| tx.phase().is_open()).map(|tx| &tx.header.plan.spec.bond);
    let known: Vec<&IfName> = made.iter().map(|m| &m.spec.bond).chain(open).collect();
    for (bond, checks) in verify::leftovers(&inv, &known) {
        note(&bond, checks, &mut drift, &mut judged);
    }
    // XAPI may have taken its time: a run that began meanwhile is in the journal already.
    let run = other_run(host)?.or_else(|| inv.ground.other_run.clone());
    let transaction = latest.as_ref().map(|tx| transaction::view(host, tx, run));
    Ok(Status {
        ok: drift.is_empty() && !transaction.as_ref().is_some_and(|t| t.open),
        host: inv.names().into_iter().next(),
        release: release(&inv),
        kernel: host.attribute("/proc/sys/kernel/osrelease"),
        backend: Backend { running: inv.running_backend(), next_boot: inv.network_conf.clone() },
        xapi_error: inv.xapi_error.clone(),
        nics: nics::all(&inv, &names),
        bonds: bonds::all(&inv, &judged),
        transaction,
        drift,
    })
}

/// Everything that is to be checked of a bond that xenbond made.
fn checks(host: &Host, made: &Made, inv: &Inventory, templates: &Templates) -> Result<Vec<Check>> {
    let changed = plan::file_changes_of(&made.spec, &made.nics, inv, templates)?;
    let verdict = verify::judge(Question {
        spec: &made.spec,
        nics: &made.nics,
        absent: &[],
        kernel: Running::Read(&inv.kernel),
        witnesses: &[Witness::Host(inv, &made.unlike(changed)), Witness::Disk(host, inv)],
    })?;
    Ok(verdict.checks)
}

fn note(
    bond: &IfName,
    checks: Vec<Check>,
    drift: &mut Vec<Drift>,
    judged: &mut BTreeMap<String, bool>,
) {
    let before = drift.len();
    let bad = checks.into_iter().filter(|c| !c.ok);
    drift.extend(bad.map(|check| Drift { bond: bond.to_string(), check }));
    judged.insert(bond.to_string(), drift.len() == before);
}

fn release(inv: &Inventory) -> Option<String> {
    let uuid = inv.host_uuid()?;
    let host = inv.xapi.as_ref()?.hosts.iter().find(|h| h.uuid == uuid)?;
    Some(host.product.clone()).filter(|p| !p.is_empty())
}
