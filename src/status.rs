//! The host at one glance: its backend, every NIC and what holds it, every bond as XAPI and as the
//! kernel see it, the transaction, and what is no longer as asked.

#[cfg(test)]
pub(crate) mod tests;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use serde::Serialize;

use crate::host::Host;
use crate::inventory::{Ask, DeviceKind, Inventory, other_run, storage};
use crate::journal::{self, Made, Transaction};
use crate::ledger::Phase;
use crate::net::{self, BondMode, IfName, Uuid};
use crate::plan;
use crate::render::Templates;
use crate::verify::{self, Check};
use crate::xe::{self, Pif};

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

/// A NIC.
#[derive(Clone, Debug, Serialize)]
pub struct NicView {
    /// Its device.
    pub device: String,
    /// Its permanent MAC address.
    pub mac: Option<String>,
    /// `up` or `down`; `None`: the device is not up, so nothing tells.
    pub link: Option<&'static str>,
    /// Mb/s.
    pub speed_mbps: Option<u32>,
    /// `full` or `half`.
    pub duplex: Option<String>,
    /// MTU in bytes.
    pub mtu: Option<u32>,
    /// The driver's name.
    pub driver: Option<String>,
    /// The uuid of its PIF.
    pub pif: Option<String>,
    /// Whether XAPI manages it; a PIF of a release that has no such field is managed.
    pub managed: Option<bool>,
    /// Whether its PIF is plugged.
    pub plugged: Option<bool>,
    /// The name-label of its network.
    pub network: Option<String>,
    /// The bridge of its network.
    pub bridge: Option<String>,
    /// What holds or uses it.
    pub used_by: Vec<String>,
}

/// A bond.
#[derive(Clone, Debug, Serialize)]
pub struct BondView {
    /// Its device.
    pub name: String,
    /// Whether xenbond made it.
    pub ours: bool,
    /// Whether it is as asked; `None` where nothing was asked.
    pub as_asked: Option<bool>,
    /// What XAPI says, when it manages it.
    pub xapi: Option<XapiBond>,
    /// What the kernel says, when it has it.
    pub kernel: Option<KernelBond>,
}

/// A bond in XAPI's eyes.
#[derive(Clone, Debug, Serialize)]
pub struct XapiBond {
    /// XAPI's word for the mode.
    pub mode: Option<String>,
    /// Devices of its PIFs.
    pub slaves: Vec<String>,
    /// Whether its own PIF is plugged.
    pub plugged: bool,
    /// The bridge of its network.
    pub bridge: Option<String>,
}

/// A bond in the kernel's eyes.
#[derive(Clone, Debug, Serialize)]
pub struct KernelBond {
    /// The mode.
    pub mode: Option<&'static str>,
    /// `up` or `down`.
    pub link: Option<String>,
    /// The active slave, in modes that have one.
    pub active_slave: Option<String>,
    /// Link monitoring interval in ms.
    pub miimon: Option<u32>,
    /// MTU in bytes.
    pub mtu: Option<u32>,
    /// Its slaves with their link.
    pub slaves: Vec<KernelSlave>,
    /// Its own addresses.
    pub addresses: Vec<String>,
    /// The bridge that it is a port of.
    pub bridge: Option<String>,
}

/// A slave in the kernel's eyes.
#[derive(Clone, Debug, Serialize)]
pub struct KernelSlave {
    /// Its device.
    pub name: String,
    /// `up`, `down`, `going back` or `going down`.
    pub link: Option<String>,
}

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
    /// What to type next.
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

/// What people call the networks.
type Names = BTreeMap<Uuid, String>;

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
        let checks = checks(made, &inv, templates)?;
        note(&made.spec.bond, checks, &mut drift, &mut judged);
    }
    let open = latest.iter().filter(|tx| tx.phase().is_open()).map(|tx| &tx.header.plan.spec.bond);
    let known: Vec<&IfName> = made.iter().map(|m| &m.spec.bond).chain(open).collect();
    for (bond, checks) in verify::leftovers(&inv, &known) {
        note(&bond, checks, &mut drift, &mut judged);
    }
    // XAPI may have taken its time: a run that began meanwhile is in the journal already.
    let run = other_run(host)?.or_else(|| inv.ground.other_run.clone());
    let transaction = latest.as_ref().map(|tx| transaction(host, tx, run));
    Ok(Status {
        ok: drift.is_empty() && !transaction.as_ref().is_some_and(|t| t.open),
        host: inv.names().into_iter().next(),
        release: release(&inv),
        kernel: host.attribute("/proc/sys/kernel/osrelease"),
        backend: Backend { running: inv.running_backend(), next_boot: inv.network_conf.clone() },
        xapi_error: inv.xapi_error.clone(),
        nics: nics(&inv, &names),
        bonds: bonds(&inv, &judged),
        transaction,
        drift,
    })
}

/// Everything that is to be checked of a bond that xenbond made.
fn checks(made: &Made, inv: &Inventory, templates: &Templates) -> Result<Vec<Check>> {
    let changed = plan::file_changes_of(&made.spec, &made.nics, inv, templates)?;
    Ok(verify::all(&made.spec, &made.nics, inv, &made.unlike(changed)))
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

fn transaction(host: &Host, tx: &Transaction, run: Option<String>) -> TransactionView {
    let phase = tx.phase();
    let steps = tx.header.plan.steps.len();
    let rolled_back = phase == Phase::RolledBack || phase == Phase::RollingBack;
    let reason = tx.rollback_reason().filter(|_| phase != Phase::Done);
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
            Phase::RolledBack => None,
            Phase::WaitingForReboot { .. } | Phase::RollbackWaiting { .. } => {
                Some("reboot this host, then: xenbond resume".into())
            }
            Phase::WaitingForConfirmation => Some("xenbond confirm keeps it".into()),
            Phase::Applying => Some("xenbond resume goes on, xenbond rollback undoes it".into()),
            Phase::RollingBack => Some("xenbond rollback goes on".into()),
        },
        run,
        phase,
    }
}

fn release(inv: &Inventory) -> Option<String> {
    let uuid = inv.host_uuid()?;
    let host = inv.xapi.as_ref()?.hosts.iter().find(|h| h.uuid == uuid)?;
    Some(host.product.clone()).filter(|p| !p.is_empty())
}

/// NICs by number and not by letter: eth10 comes after eth9.
fn natural(name: &str) -> (String, u64) {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    (stem.to_string(), name[stem.len()..].parse().unwrap_or(0))
}

fn nics(inv: &Inventory, labels: &Names) -> Vec<NicView> {
    let kernel = &inv.kernel;
    let pifs = inv.xapi.iter().flat_map(|x| &x.pifs).filter(|p| p.is_nic());
    // Virtual devices have no driver of a device below them; a VM's port has Xen's.
    let is_nic = |name: &&String| {
        let device = &kernel.devices[*name];
        device.kind == DeviceKind::Plain && device.driver.as_deref().is_some_and(|d| d != "vif")
    };
    let enslaved: Vec<String> = kernel
        .bonds
        .keys()
        .filter_map(|bond| kernel.bond(bond))
        .flat_map(|status| status.slaves.into_iter().map(|s| s.name))
        .collect();
    let mut names: BTreeSet<String> = kernel.devices.keys().filter(is_nic).cloned().collect();
    names.extend(enslaved);
    names.extend(pifs.map(|p| p.device.clone()));
    let mut names: Vec<String> = names.into_iter().collect();
    names.sort_by_key(|name| natural(name));
    names.iter().map(|name| nic(inv, labels, name)).collect()
}

fn nic(inv: &Inventory, labels: &Names, name: &str) -> NicView {
    let kernel = &inv.kernel;
    let device = kernel.devices.get(name);
    let xapi = inv.xapi.as_ref();
    let pif = xapi.and_then(|x| x.nic(name));
    let bridge = pif.and_then(|p| xapi?.bridge_of(p));
    NicView {
        device: name.to_string(),
        mac: kernel.permanent_mac(name).map(|m| m.to_string()).or(pif.map(|p| p.mac.clone())),
        link: device.and_then(|d| d.carrier).map(|up| if up { "up" } else { "down" }),
        speed_mbps: device.and_then(|d| d.speed),
        duplex: device.and_then(|d| d.duplex.clone()),
        mtu: device.and_then(|d| d.mtu),
        driver: device.and_then(|d| d.driver.clone()),
        pif: pif.map(|p| p.uuid.to_string()),
        managed: pif.map(Pif::is_managed),
        plugged: pif.map(|p| p.attached),
        network: pif.and_then(|p| labels.get(&p.network).cloned()),
        used_by: used_by(inv, name, pif, bridge),
        bridge: bridge.map(String::from),
    }
}

/// What holds a NIC, what must not be cut first.
fn used_by(inv: &Inventory, name: &str, pif: Option<&Pif>, bridge: Option<&str>) -> Vec<String> {
    let mut uses = Vec::new();
    if !inv.kernel.devices.contains_key(name) {
        uses.push("not in the kernel".to_string());
    }
    if pif.is_some_and(|p| p.management) {
        uses.push("management".to_string());
    }
    let master = inv.kernel.devices.get(name).and_then(|d| d.master.as_deref());
    match master {
        Some(bond) if inv.kernel.bonds.contains_key(bond) => {
            let active =
                inv.kernel.bond(bond).and_then(|b| b.active_slave).as_deref() == Some(name);
            uses.push(format!("slave of {bond}{}", if active { " (active)" } else { "" }));
        }
        // Under Open vSwitch every port has the same master, which tells nothing.
        Some(other) if Some(other) != bridge && other != "ovs-system" => {
            uses.push(format!("port of {other}"))
        }
        _ => {}
    }
    let Some(xapi) = &inv.xapi else { return uses };
    if let Some(of) = pif.and_then(|p| p.bond_slave_of.as_ref()) {
        let bond = xapi.pifs.iter().find(|p| p.bond_master_of.contains(&of.to_string()));
        let bond = bond.map_or("a bond of XAPI", |b| b.device.as_str());
        if master != Some(bond) {
            uses.push(format!("slave of {bond} in XAPI"));
        }
    }
    let above: Vec<&Pif> = xapi.pifs.iter().filter(|p| p.device == name && p.vlan >= 0).collect();
    let mut tags: Vec<i32> = above.iter().map(|p| p.vlan).collect();
    tags.sort_unstable();
    if !tags.is_empty() {
        let tags: Vec<String> = tags.iter().map(ToString::to_string).collect();
        uses.push(format!("VLAN {}", tags.join(", ")));
    }
    if let Some(pif) = pif {
        uses.extend(pif.relations.keys().cloned());
    }
    let on = |a: &&crate::inventory::Address| a.device == name || Some(a.device.as_str()) == bridge;
    uses.extend(inv.kernel.addresses.iter().filter(on).map(|a| a.net.to_string()));
    let networks: Vec<&Uuid> =
        pif.iter().map(|p| &p.network).chain(above.iter().map(|p| &p.network)).collect();
    let vms: BTreeSet<&str> = xapi
        .vifs
        .iter()
        .filter(|vif| vif.attached && networks.contains(&&vif.network))
        .filter_map(|vif| xapi.vms.iter().find(|vm| vm.uuid == vif.vm))
        .map(|vm| vm.name_label.as_str())
        .collect();
    uses.extend(vms.iter().map(|vm| format!("VM {vm}")));
    uses.extend(storage::servers(inv).into_iter().filter_map(|(what, server)| {
        let by = inv.kernel.device_towards(server)?;
        (by == name || Some(by) == bridge || Some(by) == master).then_some(what)
    }));
    uses
}

fn bonds(inv: &Inventory, judged: &BTreeMap<String, bool>) -> Vec<BondView> {
    let pifs: &[Pif] = inv.xapi.as_ref().map_or(&[], |x| &x.pifs);
    let managed = pifs.iter().filter(|p| !p.bond_master_of.is_empty() && p.vlan == -1);
    let mut names: BTreeSet<String> = inv.kernel.bonds.keys().cloned().collect();
    names.extend(managed.clone().map(|p| p.device.clone()));
    names.extend(judged.keys().cloned());
    let mut names: Vec<String> = names.into_iter().collect();
    names.sort_by_key(|name| natural(name));
    let view = |name: String| BondView {
        ours: judged.contains_key(&name),
        as_asked: judged.get(&name).copied(),
        xapi: managed.clone().find(|p| p.device == name).map(|p| xapi_bond(inv, p)),
        kernel: kernel_bond(inv, &name),
        name,
    };
    names.into_iter().map(view).collect()
}

fn xapi_bond(inv: &Inventory, master: &Pif) -> XapiBond {
    let pifs: &[Pif] = inv.xapi.as_ref().map_or(&[], |x| &x.pifs);
    let of = |pif: &&Pif| {
        pif.bond_slave_of.as_ref().is_some_and(|b| master.bond_master_of.contains(&b.to_string()))
    };
    let bonds = inv.xapi.iter().flat_map(|x| &x.bonds);
    let record = bonds.into_iter().find(|b| b.master.as_ref() == Some(&master.uuid));
    let mut slaves: Vec<String> = pifs.iter().filter(of).map(|p| p.device.clone()).collect();
    slaves.sort_by_key(|name| natural(name));
    XapiBond {
        mode: record.and_then(|b| b.mode.clone()),
        slaves,
        plugged: master.attached,
        bridge: inv.xapi.as_ref().and_then(|x| x.bridge_of(master)).map(String::from),
    }
}

fn kernel_bond(inv: &Inventory, name: &str) -> Option<KernelBond> {
    let status = inv.kernel.bond(name)?;
    let device = inv.kernel.devices.get(name);
    let addresses = inv.kernel.addresses.iter().filter(|a| a.device == name);
    Some(KernelBond {
        mode: status.mode.map(BondMode::name),
        link: status.mii_status,
        active_slave: status.active_slave,
        miimon: status.miimon,
        mtu: device.and_then(|d| d.mtu),
        slaves: status
            .slaves
            .into_iter()
            .map(|s| KernelSlave { name: s.name, link: s.mii_status })
            .collect(),
        addresses: addresses.map(|a| a.net.to_string()).collect(),
        bridge: device.and_then(|d| d.master.clone()),
    })
}
