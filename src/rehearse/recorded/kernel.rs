//! The recorded kernel: NICs, bridges, bonds, addresses and routes.

use std::collections::BTreeMap;

use crate::bonding;
use crate::inventory::{DeviceKind, Inventory, Xapi};
use crate::model::state::{Device, Dom0, Map, Networkd, Nic, Slave};
use crate::model::{NUMBERS, WORDS};
use crate::order;
use crate::spec::{Knob, Settings};

/// What a NIC has that does not say: a link that is down has no speed.
const SPEED: u32 = 10_000;
const MAX_MTU: u32 = 9710;

/// Gives the host the devices of the recorded one, and no others.
pub(super) fn fill(dom0: &mut Dom0, inv: &Inventory, xapi: &Xapi) {
    let kernel = &inv.kernel;
    dom0.networkd = Networkd::default();
    dom0.nics.clear();
    dom0.bonds.clear();
    dom0.vswitch.clear();
    dom0.devices.clear();
    dom0.addresses.clear();
    dom0.routes.clear();
    dom0.modules.clear();
    for name in &kernel.modules {
        dom0.modules.insert(name.clone(), Map::new());
    }
    let names = kernel.devices.keys().filter(|name| *name != "lo");
    dom0.ifindex.clear();
    for name in names.clone() {
        dom0.number(name);
    }
    let is_nic = |name: &str| kernel.devices[name].pci.is_some() || xapi.nic(name).is_some();
    for (number, name) in names.clone().filter(|name| is_nic(name)).enumerate() {
        dom0.nics.insert(name.clone(), nic(inv, name, number));
    }
    for name in names.filter(|name| !is_nic(name)) {
        let recorded = &kernel.devices[name];
        if recorded.kind == DeviceKind::Bond {
            continue;
        }
        let kind = match recorded.kind {
            DeviceKind::Bridge => "bridge",
            DeviceKind::Vlan => "vlan",
            DeviceKind::Tun => "tun",
            _ if below(inv, name).is_some() => "macvlan",
            _ if name.starts_with("vif") => "vif",
            _ if name == "ovs-system" => "ovs-system",
            _ => "ovs",
        };
        let device = Device {
            kind: kind.into(),
            mac: recorded.address.map(|mac| mac.to_string()).unwrap_or_default(),
            mtu: recorded.mtu.unwrap_or(1500),
            up: recorded.up.unwrap_or(recorded.carrier.is_some()),
            master: recorded.master.clone(),
            below: below(inv, name),
            tag: recorded.vlan.as_ref().map(|vlan| vlan.tag),
        };
        dom0.devices.insert(name.clone(), device);
    }
    for name in kernel.bonds.keys() {
        bond(dom0, inv, name);
    }
    for address in kernel.addresses.iter().filter(|a| kernel.devices.contains_key(&a.device)) {
        let all = dom0.addresses.entry(address.device.clone()).or_default();
        all.insert(address.net.to_string());
    }
    dom0.addresses6.clear();
    for (device, addr) in &kernel.addresses6 {
        dom0.addresses6.entry(device.clone()).or_default().insert(*addr);
    }
    for route in &kernel.routes {
        let via = route.gateway.map(|gateway| gateway.to_string());
        dom0.add_route(&route.to.to_string(), &route.device, via.as_deref(), 0);
    }
}

/// What a device lies on, as far as it is told from below.
fn below(inv: &Inventory, name: &str) -> Option<String> {
    if let Some(vlan) = &inv.kernel.devices[name].vlan {
        return Some(vlan.device.clone());
    }
    let lies = |device: &crate::inventory::Device| {
        device.uppers.contains(name) && device.master.as_deref() != Some(name)
    };
    inv.kernel.devices.iter().find(|(_, device)| lies(device)).map(|(below, _)| below.clone())
}

fn nic(inv: &Inventory, name: &str, number: usize) -> Nic {
    let device = &inv.kernel.devices[name];
    let mac = device.address.map(|mac| mac.to_string()).unwrap_or_default();
    let permanent = inv.kernel.permanent_mac(name).map(|mac| mac.to_string());
    Nic {
        permanent_mac: permanent.unwrap_or_else(|| mac.clone()),
        mac,
        mtu: device.mtu.unwrap_or(1500),
        max_mtu: device.max_mtu.unwrap_or(MAX_MTU),
        up: device.up.unwrap_or(device.carrier.is_some()),
        link: device.carrier != Some(false),
        speed: device.speed.unwrap_or(SPEED),
        duplex: device.duplex.clone().unwrap_or_else(|| "full".into()),
        driver: device.driver.clone().unwrap_or_else(|| "unknown".into()),
        pci: device.pci.clone().unwrap_or_else(|| format!("0000:ff:{number:02x}.0")),
        master: device.master.clone(),
        tuning: inv.tuning.get(name).map(tuning).unwrap_or_default(),
    }
}

/// What `ethtool` showed, as the model's `ethtool` would have set it.
fn tuning(settings: &Settings) -> BTreeMap<String, String> {
    let link = |knob: Knob| matches!(knob, Knob::Speed | Knob::Duplex);
    let set = settings.iter().filter(|(knob, _)| !link(*knob));
    order::map(set.map(|(knob, value)| (knob.key(), value.to_string())))
}

/// A bond by what the driver said of it.
fn bond(dom0: &mut Dom0, inv: &Inventory, name: &str) {
    let Some(status) = inv.kernel.bond(name) else { return };
    let device = inv.kernel.devices.get(name).cloned().unwrap_or_default();
    dom0.create_bond(name);
    let shown = |key: &str| {
        let text = inv.kernel.bond_option(name, key)?;
        Some(text.split_whitespace().next().unwrap_or_default().to_string())
    };
    if let (Some(mode), Some(bond)) = (status.mode, dom0.bonds.get_mut(name)) {
        bond.options.insert("mode".into(), mode.number().into());
    }
    // miimon before its delays.
    let keys = NUMBERS.iter().map(|row| row.0).chain(WORDS.iter().map(|row| row.0));
    for key in keys.filter(|key| *key != "mode") {
        let value = shown(key).filter(|value| !(key == "arp_interval" && value == "0"));
        if let Some(value) = value {
            let _ = dom0.set_option(name, key, &value);
        }
    }
    for target in status.arp_ip_target.iter().flatten() {
        let _ = dom0.set_option(name, "arp_ip_target", &format!("+{target}"));
    }
    let Some(bond) = dom0.bonds.get_mut(name) else { return };
    bond.mac = device.address.map(|mac| mac.to_string()).unwrap_or_default();
    bond.mtu = device.mtu.unwrap_or(1500);
    bond.up = device.up.unwrap_or(device.carrier.is_some());
    bond.opened = bond.up;
    bond.master.clone_from(&device.master);
    bond.primary.clone_from(&status.primary);
    bond.active.clone_from(&status.active_slave);
    bond.slaves = status.slaves.iter().map(|slave| self::slave(inv, slave)).collect();
    bond.choose_active(false);
    for slave in &status.slaves {
        if let Some(nic) = dom0.nics.get_mut(&slave.name) {
            nic.master = Some(name.into());
        }
    }
}

fn slave(inv: &Inventory, slave: &bonding::SlaveStatus) -> Slave {
    let own = inv.kernel.devices.get(&slave.name);
    Slave {
        name: slave.name.clone(),
        status: slave.mii_status.clone().unwrap_or_else(|| "up".into()),
        until: None,
        lacp_at: 0,
        failures: slave.link_failure_count.and_then(|n| u32::try_from(n).ok()).unwrap_or(0),
        own_mac: slave.perm_hwaddr.clone().unwrap_or_default(),
        own_mtu: own.and_then(|device| device.mtu).unwrap_or(1500),
    }
}
