//! The NICs: which devices the spec means, and what else holds them.

use super::{Code, Finding, bond_is_ours, counted, files, storage};
use crate::ifcfg;
use crate::inventory::Nic;
use crate::inventory::{DeviceKind, Inventory, Xapi, usual_bridge};
use crate::spec::{NicRef, PifChoice, Spec};
use crate::xe::Pif;

pub(super) fn check(spec: &Spec, named: &[Option<Nic>], inv: &Inventory, found: &mut Vec<Finding>) {
    let Some(xapi) = &inv.xapi else { return };
    let mut nics: Vec<Nic> = Vec::new();
    for (name, nic) in spec.nics.iter().zip(named) {
        match nic {
            None => found.push(missing(name, inv)),
            Some(nic) if nics.iter().any(|n| n.device == nic.device) => found.push(Finding::new(
                Code::NicNamedTwice,
                format!("{name} is {}, which the spec names already", nic.device),
            )),
            Some(nic) => nics.push(nic.clone()),
        }
    }
    for nic in &nics {
        one(spec, inv, xapi, nic, found);
    }
    together(spec, inv, &nics, found);
    if let Some(primary) = spec.options.primary().filter(|p| !nics.iter().any(|n| n.device == **p))
    {
        found.push(Finding::new(
            Code::PrimaryNotSlave,
            format!("primary {primary} is no slave of {}", spec.bond),
        ));
    }
    if spec.pif == PifChoice::Unmanaged && !xapi.has_unmanaged() {
        found.push(Finding::new(
            Code::PifUnmanagedUnsupported,
            "--pif unmanaged was asked for, and pif-list shows no field `managed`",
        ));
    }
}

fn missing(name: &NicRef, inv: &Inventory) -> Finding {
    let plain: Vec<&str> = inv
        .kernel
        .devices
        .iter()
        .filter(|(name, d)| {
            d.kind == DeviceKind::Plain && inv.xapi.as_ref().is_some_and(|x| x.nic(name).is_some())
        })
        .map(|(name, _)| name.as_str())
        .collect();
    Finding::new(
        Code::NicMissing,
        format!("NIC {name} is not on this host, which has {}", plain.join(", ")),
    )
}

fn one(spec: &Spec, inv: &Inventory, xapi: &Xapi, nic: &Nic, found: &mut Vec<Finding>) {
    let device = nic.device.as_str();
    let kernel = &inv.kernel.devices[device];
    let slave_of = kernel.master.as_deref().filter(|m| inv.kernel.bonds.contains_key(*m));
    let in_our_bond = slave_of == Some(spec.bond.as_str()) && bond_is_ours(spec, inv);
    if kernel.kind != DeviceKind::Plain {
        found.push(Finding::new(
            Code::NicNotPhysical,
            format!("{device} is a {}", kernel.kind.word()),
        ));
        return;
    }
    if let Some(other) = slave_of.filter(|_| !in_our_bond)
        && nic.pif.as_ref().is_none_or(|p| p.bond_slave_of.is_none())
    {
        found.push(Finding::new(Code::NicInOtherBond, format!("{device} is a slave of {other}")));
    }
    let tags = vlans(inv, xapi, device);
    if !tags.is_empty() {
        found.push(
            Finding::new(Code::NicHasVlans, format!("{device} carries VLAN {}", tags.join(", ")))
                .hint(format!(
                    "xe vlan-list untagged-PIF={}; xe vlan-destroy uuid=...",
                    nic.pif.as_ref().map_or("...".into(), |p| p.uuid.to_string())
                )),
        );
    }
    if let Some(vfs) = kernel.vfs.filter(|vfs| *vfs > 0) {
        found.push(Finding::new(
            Code::NicHasTunnels,
            format!("{device} has {}", counted(vfs as usize, "SR-IOV virtual function")),
        ));
    }
    if let (Some(mtu), Some(most)) = (spec.mtu, kernel.max_mtu)
        && mtu > most
    {
        found.push(
            Finding::new(
                Code::MtuTooLarge,
                format!(
                    "MTU {mtu} is asked for, and the driver of {device} takes {most} at the most"
                ),
            )
            .hint(format!("--mtu {most}, or less")),
        );
    }
    renamed(inv, nic, found);
    let bridge = nic.pif.as_ref().and_then(|pif| xapi.bridge_of(pif));
    storage::on_nic(inv, xapi, nic, bridge, found);
    let Some(pif) = &nic.pif else {
        if !in_our_bond {
            found.push(
                Finding::new(
                    Code::NicNotPhysical,
                    format!("XAPI has no physical PIF for {device}"),
                )
                .hint(format!(
                    "xe pif-introduce host-uuid={} device={device} mac={}",
                    inv.host_uuid().map(|u| u.to_string()).unwrap_or_default(),
                    nic.mac
                )),
            );
        }
        return;
    };
    if pif.mac != nic.mac.to_string() && !in_our_bond {
        found.push(Finding::new(
            Code::NicMacMismatch,
            format!(
                "{device} has the permanent MAC {}, and its PIF says {}",
                nic.mac,
                pif.mac.escape_debug()
            ),
        ));
    }
    let is_management = pif.management || (bridge.is_some() && bridge == inv.management_bridge());
    if is_management {
        found.push(Finding::new(
            Code::NicIsManagement,
            format!("{device} carries the management of this host"),
        ));
    }
    if let Some(bond) = &pif.bond_slave_of {
        let name = xapi.pifs.iter().find(|p| p.bond_master_of.contains(&bond.to_string()));
        let name = name.map_or("of XAPI", |p| p.device.as_str());
        found.push(
            Finding::new(
                Code::NicInManagedBond,
                format!("{device} is a slave of the managed bond {name}"),
            )
            .hint(format!("xe bond-destroy uuid={bond}")),
        );
    }
    for relation in pif.relations.keys() {
        let what = if relation.starts_with("tunnel") { "a tunnel" } else { "an SR-IOV network" };
        let end = if relation.starts_with("tunnel-access") { "ends at" } else { "lies on" };
        found.push(Finding::new(Code::NicHasTunnels, format!("{what} {end} the PIF of {device}")));
    }
    if pif.disallow_unplug && pif.is_managed() {
        found.push(
            Finding::new(
                Code::NicDisallowsUnplug,
                format!("the PIF of {device} has disallow-unplug=true"),
            )
            .hint(format!("xe pif-param-set uuid={} disallow-unplug=false", pif.uuid)),
        );
    }
    if pif.is_managed() {
        machines(xapi, device, pif, found);
        restorable(xapi, device, bridge, found);
    }
    addresses(inv, nic, pif, bridge, is_management, found);
    if let Some(error) = xapi.unreadable.get(&pif.uuid) {
        found.push(Finding::new(
            Code::PifUnreadable,
            format!("the PIF of {device} cannot be restored: {error}"),
        ));
    }
    if kernel.carrier == Some(false) {
        found.push(Finding::new(Code::NicNoLink, format!("{device} has no link")));
    }
}

/// Tags of XAPI's VLANs and of the kernel's on a NIC.
fn vlans(inv: &Inventory, xapi: &Xapi, device: &str) -> Vec<String> {
    let own = xapi.pifs.iter().filter(|p| p.device == device && p.vlan >= 0);
    let mut tags: Vec<u32> = own.filter_map(|p| u32::try_from(p.vlan).ok()).collect();
    let above = inv.kernel.devices.iter().filter(|(_, d)| d.kind == DeviceKind::Vlan);
    tags.extend(above.filter_map(|(name, _)| {
        crate::net::decimal(name.strip_prefix(device)?.strip_prefix('.')?)
    }));
    tags.sort_unstable();
    tags.dedup();
    tags.iter().map(ToString::to_string).collect()
}

/// Whether the next boot gives the NIC another name, or its name to another NIC: interface-rename
/// by its rules, or udev by a file with HWADDR (facts/xapi.md section C, initscripts.md section 5).
fn renamed(inv: &Inventory, nic: &Nic, found: &mut Vec<Finding>) {
    let device = nic.device.as_str();
    let pci = inv.kernel.devices[device].pci.as_deref();
    let mut said: Vec<(&str, String)> = Vec::new();
    let called = |name: &str| format!("calls {device} ({}) {}", nic.mac, name.escape_debug());
    for rule in &inv.ground.rename_rules {
        let is_nic = match (&rule.mac, rule.pci.as_deref()) {
            (Some(mac), _) => *mac == nic.mac,
            (None, rule) => rule == pci,
        };
        // A rule for a NIC that is not there does nothing.
        let other = || {
            inv.kernel.devices.iter().any(|(name, other)| match &rule.mac {
                Some(mac) => inv.kernel.permanent_mac(name) == Some(*mac),
                None => other.pci == rule.pci,
            })
        };
        if is_nic && rule.name != device {
            said.insert(0, (&rule.file, called(&rule.name)));
        } else if !is_nic && rule.name == device && other() {
            said.push((&rule.file, format!("gives the name {device} to another NIC")));
        }
    }
    let files = files::foreign_ifcfg(inv);
    for (path, text) in &files {
        let file = ifcfg::parse(text);
        let is_nic = file.get("HWADDR").and_then(|mac| mac.parse().ok()) == Some(nic.mac);
        if let Some(name) = file.get("DEVICE").filter(|name| is_nic && *name != device) {
            said.push((path, called(name)));
        }
    }
    // One is enough: two NICs that swap their names are said by four.
    if let Some((file, said)) = said.first() {
        found.push(
            Finding::new(Code::NicWillBeRenamed, format!("the next boot {said}: {file}"))
                .hint(format!("correct {file}, or reboot first and name the NICs anew")),
        );
    }
}

/// Most names that one sentence holds.
const NAMES: usize = 10;

/// The VMs on the NIC's network: those that run here lose it at once, the others could not start
/// here or move here any more; where no host has a NIC on it, they would run without uplink and
/// without a word (facts/xapi.md section B1).
fn machines(xapi: &Xapi, device: &str, pif: &Pif, found: &mut Vec<Finding>) {
    let on: Vec<_> = xapi.vifs.iter().filter(|vif| vif.network == pif.network).collect();
    let named = |vms: Vec<&crate::xe::Vm>| -> Option<String> {
        let names: Vec<&str> = vms.iter().take(NAMES).map(|vm| vm.name_label.as_str()).collect();
        let more = vms.len().saturating_sub(NAMES);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        (!vms.is_empty()).then(|| format!("{}{more}", names.join(", ").escape_debug()))
    };
    let here = |vm: &&crate::xe::Vm| on.iter().any(|vif| vif.attached && vif.vm == vm.uuid);
    if let Some(names) = named(xapi.vms.iter().filter(here).collect()) {
        found.push(Finding::new(
            Code::NicHasVifs,
            format!("running VMs use the network of {device}: {names}"),
        ));
    }
    let all = xapi.other_vms.iter().chain(xapi.vms.iter().filter(|vm| !here(vm)));
    let others = all.filter(|vm| on.iter().any(|vif| vif.vm == vm.uuid)).collect();
    if let Some(names) = named(others) {
        found.push(Finding::new(
            Code::VmsLoseNetwork,
            format!("VMs with an interface on the network of {device} could not start on this host or move to it: {names}"),
        ));
    }
}

/// Whether a PIF that is introduced again comes to its network: XAPI looks for the one with the
/// usual bridge, and makes a new one when there is none or several (facts/xapi.md section B3).
fn restorable(xapi: &Xapi, device: &str, bridge: Option<&str>, found: &mut Vec<Finding>) {
    let Some(expected) = usual_bridge(device) else { return };
    let same = xapi.networks.iter().filter(|n| n.bridge == expected).count();
    let why = match bridge {
        Some(bridge) if bridge != expected => {
            format!("{device} is on the network with the bridge {}", bridge.escape_debug())
        }
        _ if same != 1 => format!("{} have the bridge {expected}", counted(same, "network")),
        _ => return,
    };
    found.push(Finding::new(
        Code::NetworkNotRestorable,
        format!("{why}, and XAPI looks for the one with {expected} when {device} comes back"),
    ));
}

fn addresses(
    inv: &Inventory,
    nic: &Nic,
    pif: &Pif,
    bridge: Option<&str>,
    is_management: bool,
    found: &mut Vec<Finding>,
) {
    if is_management {
        return;
    }
    let device = nic.device.as_str();
    let on = inv
        .kernel
        .addresses
        .iter()
        .find(|a| a.device == device || Some(a.device.as_str()) == bridge);
    let said = if let Some(address) = on {
        format!("{device} carries {} on {}", address.net, address.device)
    } else if pif.ip_mode() != "none" {
        let ip = pif.ip.get("IP").unwrap_or("no address yet");
        format!("the PIF of {device} has IP configuration mode {} ({ip})", pif.ip_mode())
    } else {
        return;
    };
    found.push(
        Finding::new(Code::NicHasIp, said)
            .hint(format!("xe pif-reconfigure-ip uuid={} mode=none", pif.uuid)),
    );
}

fn together(spec: &Spec, inv: &Inventory, nics: &[Nic], found: &mut Vec<Finding>) {
    let each = |what: fn(&crate::inventory::Device) -> Option<String>| -> Vec<(String, String)> {
        nics.iter()
            .filter_map(|n| {
                Some((n.device.to_string(), what(&inv.kernel.devices[n.device.as_str()])?))
            })
            .collect()
    };
    let differ = |all: &[(String, String)]| all.windows(2).any(|pair| pair[0].1 != pair[1].1);
    let say = |all: &[(String, String)]| {
        all.iter().map(|(device, v)| format!("{device} {v}")).collect::<Vec<_>>().join(", ")
    };
    let links = each(|d| Some(format!("{} Mb/s {}", d.speed?, d.duplex.as_deref()?)));
    if differ(&links) {
        found.push(Finding::new(
            Code::SpeedsDiffer,
            format!("the links of {} differ: {}", spec.bond, say(&links)),
        ));
    }
    let drivers = each(|d| d.driver.clone());
    if differ(&drivers) {
        found.push(Finding::new(
            Code::DriversDiffer,
            format!("the NICs have different drivers: {}", say(&drivers)),
        ));
    }
}
