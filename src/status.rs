//! The host at one glance: its backend, every NIC and what holds it, every bond as XAPI and as the
//! kernel see it, the transaction, and what is no longer as asked.

mod bonds;
mod candidates;
mod judged;
mod list;
mod nics;
#[cfg(test)]
pub(crate) mod tests;
mod transaction;

use std::collections::BTreeMap;

use anyhow::Result;
use serde::Serialize;

use crate::host::{Host, meanwhile};
use crate::inventory::{Ask, Carrier, Inventory, Managed};
use crate::net;
use crate::order;
use crate::outcome::Hint;
use crate::render::Templates;
use crate::verify::{self, Check, Verdict};
use crate::xe;

pub use bonds::{BondView, KernelBond, KernelSlave, KernelVlan, XapiBond};
pub use candidates::{Candidates, candidates};
pub use judged::{Judge, Records};
pub use list::{Listed, list};
pub use nics::NicView;
pub use transaction::TransactionView;

/// Everything that `status` prints: `status --json`.
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
    /// What is wrong with the record of what was done here, so that no bond of it is judged.
    pub record_error: Option<RecordError>,
    /// What is no longer as asked.
    pub drift: Vec<Drift>,
    /// NICs that XAPI leaves alone and nothing here uses, where nothing is recorded: what an upgrade
    /// from an ISO leaves of a bond.
    pub left_alone: Vec<String>,
}

/// The backend, in the words of `network.conf`.
#[derive(Clone, Debug, Serialize)]
pub struct Backend {
    /// What runs.
    pub running: Option<net::Backend>,
    /// What runs after a reboot.
    pub next_boot: Option<net::Backend>,
}

/// A record that is damaged or another host's.
#[derive(Clone, Debug, Serialize)]
pub struct RecordError {
    /// Which, and how.
    pub what: String,
    /// The way out.
    pub hint: Option<String>,
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
    let kept = Records::read(host).map(|records| records.kept_nics()).unwrap_or_default();
    let (inv, names) = std::thread::scope(|scope| {
        // For people to look at: without them the rest is as good.
        let names = meanwhile(scope, || xe::network_names(host).unwrap_or_default());
        let ask = Ask { any_record: true, nics: &kept, networks: true, ..Ask::default() };
        let inv = Inventory::read(host, ask);
        let names = names.join();
        inv.map(|inv| (inv, names))
    })?;
    let (mut records, record_error) = match Records::read(host) {
        Ok(records) => (records, None),
        Err(error) => {
            let hint = error.downcast_ref::<Hint>().map(|hint| hint.0.clone());
            let all: Vec<String> =
                error.chain().filter(|e| !e.is::<Hint>()).map(ToString::to_string).collect();
            let error = RecordError { what: all.join(": "), hint };
            (Records { made: Vec::new(), latest: None, run: None }, Some(error))
        }
    };
    // XAPI may have taken its time: a run that began meanwhile is in the journal already.
    records.run = records.run.or_else(|| inv.ground.other_run.clone());
    let judge = Judge::at_once(host, &inv, templates, &records);
    let verdicts = judge.all()?;
    let carried: bonds::Carried = order::map(Managed::all(&inv).into_iter().map(|bond| {
        let name = bond.device.to_string();
        let carrier = Carrier::read(host, &inv, &name);
        let rows = verify::managed_rows(&inv, &bond, &inv.kernel, &carrier);
        (name, (verify::failed(&rows).is_empty(), carrier))
    }));
    let transaction =
        records.latest.as_ref().map(|tx| transaction::view(host, tx, records.run.clone()));
    let open = records.open_bond().filter(|bond| records.unfinished(bond).is_some());
    let verdict = |v: &Verdict| (open != Some(&v.bond)).then(|| v.is_good());
    let judged: BTreeMap<String, Option<bool>> =
        order::map(verdicts.iter().map(|v| (v.bond.to_string(), verdict(v))));
    let drift: Vec<Drift> = verdicts
        .iter()
        .filter(|v| open != Some(&v.bond))
        .flat_map(|v| {
            let failed = v.failed().into_iter().cloned();
            failed.map(|check| Drift { bond: v.bond.to_string(), check })
        })
        .collect();
    let mut nics = nics::all(&inv, &names);
    for nic in &mut nics {
        let words = match judged.get(&nic.device) {
            Some(Some(true)) => "storage NIC of xenbond's, as asked",
            Some(Some(false)) => "storage NIC of xenbond's, NOT as asked",
            Some(None) => "of xenbond's change that is not at its end",
            None => continue,
        };
        nic.used_by.push(words.into());
    }
    Ok(Status {
        ok: record_error.is_none()
            && drift.is_empty()
            && !transaction.as_ref().is_some_and(|t| t.open),
        host: inv.names().into_iter().next(),
        release: release(&inv),
        kernel: host.attribute("/proc/sys/kernel/osrelease"),
        backend: Backend { running: inv.running_backend(), next_boot: inv.network_conf.clone() },
        xapi_error: inv.xapi_error.clone(),
        nics,
        bonds: bonds::all(&inv, &judged, &carried),
        transaction,
        left_alone: if record_error.is_none() { left_alone(&inv, &records) } else { Vec::new() },
        record_error,
        drift,
    })
}

fn left_alone(inv: &Inventory, records: &Records) -> Vec<String> {
    if records.latest.is_some() || !records.made.is_empty() {
        return Vec::new();
    }
    let pifs = inv.xapi.iter().flat_map(|xapi| &xapi.pifs);
    let own = pifs.filter(|pif| pif.physical && !pif.is_managed());
    let free = |device: &str| inv.kernel.devices.get(device).is_some_and(|d| d.master.is_none());
    let mut all: Vec<String> =
        own.map(|pif| pif.device.to_string()).filter(|device| free(device)).collect();
    order::sort(&mut all);
    all
}

fn release(inv: &Inventory) -> Option<String> {
    let uuid = inv.host_uuid()?;
    let host = inv.xapi.as_ref()?.hosts.iter().find(|h| h.uuid == uuid)?;
    Some(host.product.clone()).filter(|p| !p.is_empty())
}
