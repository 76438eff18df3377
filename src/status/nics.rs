//! Every NIC, and what holds or uses it. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::inventory::{DeviceKind, Inventory, storage};
use crate::net::Uuid;
use crate::order;
use crate::xe::Pif;

/// A NIC.
#[derive(Clone, Debug, Serialize)]
pub struct NicView {
    /// Its device.
    pub device: String,
    /// Its permanent MAC address.
    pub mac: Option<String>,
    /// `up` or `down`; `None`: the device is not up, so nothing shows it.
    pub link: Option<&'static str>,
    /// Speed in Mb/s.
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

/// What people call the networks.
type Names = BTreeMap<Uuid, String>;

/// NICs by number and not by letter: eth10 comes after eth9.
pub(super) fn natural(name: &str) -> (String, u64) {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    (stem.to_string(), name[stem.len()..].parse().unwrap_or(0))
}

pub(super) fn all(inv: &Inventory, labels: &Names) -> Vec<NicView> {
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
    let mut names: BTreeSet<String> = order::set(kernel.devices.keys().filter(is_nic).cloned());
    names.extend(enslaved);
    names.extend(pifs.map(|p| p.device.clone()));
    let mut names: Vec<String> = names.into_iter().collect();
    order::sort_by_key(&mut names, |name| natural(name));
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
        mac: kernel.permanent_mac(name).map(|m| m.to_string()).or(pif.map(|p| p.mac.to_string())),
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
    let master = inv.kernel.master_of(name);
    match master {
        Some(bond) if inv.kernel.bonds.contains_key(bond) => {
            let active =
                inv.kernel.bond(bond).and_then(|b| b.active_slave).as_deref() == Some(name);
            uses.push(format!("slave of {bond}{}", if active { " (active)" } else { "" }));
        }
        // Under Open vSwitch every port has the same master, which says nothing.
        Some(other) if Some(other) != bridge && other != "ovs-system" => {
            uses.push(format!("port of {other}"))
        }
        _ => {}
    }
    let Some(xapi) = &inv.xapi else { return uses };
    if let Some(of) = pif.and_then(|p| p.bond_slave_of.as_ref()) {
        let bond = xapi.pifs.iter().find(|p| p.bond_master_of.contains(of));
        let bond = bond.map_or("a bond of XAPI", |b| b.device.as_str());
        if master != Some(bond) {
            uses.push(format!("slave of {bond} in XAPI"));
        }
    }
    let above: Vec<&Pif> = xapi.pifs.iter().filter(|p| p.device == name && p.vlan >= 0).collect();
    let mut tags: Vec<i32> = above.iter().map(|p| p.vlan).collect();
    let vlans = inv.kernel.vlans_on(name).into_iter();
    tags.extend(vlans.filter_map(|(_, tag)| i32::try_from(tag).ok()));
    order::sort(&mut tags);
    tags.dedup();
    if !tags.is_empty() {
        let tags: Vec<String> = tags.iter().map(ToString::to_string).collect();
        uses.push(format!("VLAN {}", tags.join(", ")));
    }
    if let Some(pif) = pif {
        uses.extend(pif.relations.keys().cloned());
    }
    let on = |device: &str| {
        device == name || Some(device) == bridge || inv.kernel.above(name).contains(&device)
    };
    let addresses = inv.kernel.addresses.iter().filter(|a| on(&a.device));
    uses.extend(addresses.map(|a| a.net.to_string()));
    let addresses6 = inv.kernel.addresses6.iter().filter(|(device, _)| on(device));
    uses.extend(addresses6.map(|(_, addr)| addr.to_string()));
    let networks: Vec<&Uuid> =
        pif.iter().map(|p| &p.network).chain(above.iter().map(|p| &p.network)).collect();
    let vifs = xapi.vifs.iter().filter(|vif| vif.attached && networks.contains(&&vif.network));
    let vms = vifs.filter_map(|vif| xapi.vms.iter().find(|vm| vm.uuid == vif.vm));
    let vms: BTreeSet<&str> = order::set(vms.map(|vm| vm.name_label.as_str()));
    uses.extend(vms.iter().map(|vm| format!("VM {vm}")));
    uses.extend(storage::servers(inv).into_iter().filter_map(|path| {
        let by = inv.kernel.device_towards(path.server)?;
        (on(by) || Some(by) == master).then(|| path.used.to_string())
    }));
    uses
}
