//! One NIC of the spec: what else holds it, and whether XAPI's record of it can come back.

use super::one::{NicRule, One, PifRule};
use super::{Code, Finding, counted, files};
use crate::ifcfg;
use crate::inventory::{DeviceKind, Xapi, usual_bridge};
use crate::order;
use crate::xe::{Pif, Vif, Vm};

pub(super) const RULES: &[NicRule] = &[
    in_other_bond,
    port_of_another,
    carries_another,
    has_vlans,
    has_functions,
    mtu_too_large,
    will_be_renamed,
    no_pif,
    no_link,
    speed_unknown,
];

pub(super) const PIF_RULES: &[PifRule] = &[
    mac_mismatch,
    is_management,
    in_managed_bond,
    has_tunnels,
    disallows_unplug,
    has_vifs,
    vms_lose_network,
    network_not_restorable,
    has_ip,
    has_ipv6,
    mtu_pending,
    pif_unreadable,
];

pub(super) fn in_other_bond(one: &One<'_>, found: &mut Vec<Finding>) {
    let managed = one.nic.pif.as_ref().is_some_and(|p| p.bond_slave_of.is_some());
    if let Some(other) = one.slave_of.filter(|_| !one.in_our_bond && !managed) {
        let said = format!("{} is a slave of {other}", one.name);
        found.push(Finding::new(Code::NicInOtherBond, said));
    }
}

/// A port of a bridge that no network of XAPI has: nothing lets it go. Open vSwitch, one master for
/// all, lets go of what XAPI has it hold.
pub(super) fn port_of_another(one: &One<'_>, found: &mut Vec<Finding>) {
    let Some(master) = &one.device.master else { return };
    let unmanaged = one.nic.pif.as_ref().is_some_and(|pif| !pif.is_managed());
    let xapis = one.xapi.networks.iter().any(|network| network.bridge == *master)
        || (master == "ovs-system" && !unmanaged);
    if !xapis && !one.inv.kernel.bonds.contains_key(master) {
        let said = format!("{} is a port of {master}, which is not a bridge of XAPI's", one.name);
        let hint = format!("take {} out of {master} first", one.name);
        found.push(Finding::new(Code::NicInUse, said).hint(hint));
    }
}

/// A macvlan, a team or the like on the NIC; VLANs have a finding of their own.
pub(super) fn carries_another(one: &One<'_>, found: &mut Vec<Finding>) {
    for upper in &one.device.uppers {
        let kind = one.inv.kernel.devices.get(upper).map(|d| d.kind);
        let known = [Some(DeviceKind::Vlan), Some(DeviceKind::Bond)].contains(&kind)
            || one.inv.kernel.bonds.contains_key(upper)
            || one.device.master.as_ref() == Some(upper)
            || upper == "ovs-system";
        if !known {
            let said = format!("{upper} lies on {}", one.name);
            let hint = format!("remove {upper} first");
            found.push(Finding::new(Code::NicInUse, said).hint(hint));
        }
    }
}

/// Tags of XAPI's VLANs and of the kernel's on a NIC.
pub(super) fn has_vlans(one: &One<'_>, found: &mut Vec<Finding>) {
    let own = one.xapi.pifs.iter().filter(|p| p.device == one.name && p.vlan >= 0);
    let mut tags: Vec<u32> = own.filter_map(|p| u32::try_from(p.vlan).ok()).collect();
    let of_xapi = !tags.is_empty();
    tags.extend(one.inv.kernel.vlans_on(one.name).into_iter().map(|(_, tag)| tag));
    order::sort(&mut tags);
    tags.dedup();
    let tags: Vec<String> = tags.iter().map(ToString::to_string).collect();
    if !tags.is_empty() {
        let said = format!("{} carries VLAN {}", one.name, tags.join(", "));
        let pif = one.nic.pif.as_ref().map_or("...".into(), |p| p.uuid.to_string());
        let hint = if of_xapi {
            format!("xe vlan-list untagged-PIF={pif}; xe vlan-destroy uuid=...")
        } else {
            let vlans = one.inv.kernel.vlans_on(one.name);
            let all: Vec<String> =
                vlans.iter().map(|(vlan, _)| format!("ip link delete dev {vlan}")).collect();
            all.join("; ")
        };
        found.push(Finding::new(Code::NicHasVlans, said).hint(hint));
    }
}

pub(super) fn has_functions(one: &One<'_>, found: &mut Vec<Finding>) {
    if let Some(vfs) = one.device.vfs.filter(|vfs| *vfs > 0) {
        let functions = counted(vfs as usize, "SR-IOV virtual function");
        found.push(Finding::new(Code::NicHasTunnels, format!("{} has {functions}", one.name)));
    }
}

pub(super) fn mtu_too_large(one: &One<'_>, found: &mut Vec<Finding>) {
    let (Some(mtu), Some(most)) = (one.mtu, one.device.max_mtu) else { return };
    if mtu > most {
        let driver = format!("the driver of {} takes {most} at the most", one.name);
        let said = format!("MTU {mtu} is asked for, and {driver}");
        let hint = format!("--mtu {most}, or less");
        found.push(Finding::new(Code::MtuTooLarge, said).hint(hint));
    }
}

/// Whether the next boot gives the NIC another name, or its name to another NIC: interface-rename
/// by its rules, or udev by a file with HWADDR (tests/ground/xapi.md, C6,
/// tests/ground/initscripts.md, E3).
pub(super) fn will_be_renamed(one: &One<'_>, found: &mut Vec<Finding>) {
    // One is enough: two NICs that swap their names are said by four.
    if let Some((file, said)) = renamed_by_rule(one).or_else(|| renamed_by_hwaddr(one)) {
        found.push(
            Finding::new(Code::NicWillBeRenamed, format!("the next boot {said}: {file}"))
                .hint(format!("correct {file}, or reboot first and name the NICs anew")),
        );
    }
}

fn calls(one: &One<'_>, name: &str) -> String {
    format!("calls {} ({}) {}", one.name, one.nic.mac, name.escape_debug())
}

fn renamed_by_rule(one: &One<'_>) -> Option<(String, String)> {
    let kernel = &one.inv.kernel;
    let mut said: Option<(String, String)> = None;
    for rule in &one.inv.ground.rename_rules {
        let is_nic = match (&rule.mac, rule.pci.as_deref()) {
            (Some(mac), _) => *mac == one.nic.mac,
            (None, pci) => pci == one.device.pci.as_deref(),
        };
        // A rule for a NIC that is not there does nothing.
        let other = || {
            kernel.devices.iter().any(|(name, other)| match &rule.mac {
                Some(mac) => kernel.permanent_mac(name) == Some(*mac),
                None => other.pci == rule.pci,
            })
        };
        if is_nic && rule.name != one.name {
            said = Some((rule.file.clone(), calls(one, &rule.name)));
        } else if !is_nic && rule.name == one.name && said.is_none() && other() {
            let given = format!("gives the name {} to another NIC", one.name);
            said = Some((rule.file.clone(), given));
        }
    }
    said
}

fn renamed_by_hwaddr(one: &One<'_>) -> Option<(String, String)> {
    files::foreign_ifcfg(one.inv).into_iter().find_map(|(path, text)| {
        let file = ifcfg::parse(&text);
        let is_nic = file.get("HWADDR").and_then(|mac| mac.parse().ok()) == Some(one.nic.mac);
        let name = file.get("DEVICE").filter(|name| is_nic && *name != one.name)?;
        Some((path, calls(one, name)))
    })
}

fn no_pif(one: &One<'_>, found: &mut Vec<Finding>) {
    if one.nic.pif.is_some() || one.in_our_bond || one.adopts || one.xapi.odd_of(one.name).is_some()
    {
        return;
    }
    let device = one.name;
    let host = one.inv.host_uuid().map(|u| u.to_string()).unwrap_or_default();
    let introduce =
        format!("xe pif-introduce host-uuid={host} device={device} mac={}", one.nic.mac);
    // A managed record would have XAPI plug the NIC at the next boot, whoever uses it then.
    let hint = match one.slave_of {
        _ if one.xapi.has_unmanaged() => format!("{introduce} managed=false"),
        Some(bond) => format!("{bond} uses {device}: ifdown {bond} first, if it is to go"),
        None => introduce,
    };
    let said = format!("XAPI has no physical PIF for {device}");
    found.push(Finding::new(Code::NicNotPhysical, said).hint(hint));
}

pub(super) fn no_link(one: &One<'_>, found: &mut Vec<Finding>) {
    if one.device.carrier == Some(false) && (one.in_our_bond || one.nic.pif.is_some()) {
        found.push(Finding::new(Code::NicNoLink, format!("{} has no link", one.name)));
    }
}

/// Links that are up and do not say how fast: their equality, which is asked for, cannot be told.
fn speed_unknown(one: &One<'_>, found: &mut Vec<Finding>) {
    let unknown = one.device.speed.is_none() || one.device.duplex.is_none();
    if one.device.carrier == Some(true) && unknown && !one.in_our_bond {
        let said = format!("{} has a link, and its driver tells no speed or duplex", one.name);
        let hint = format!("ethtool {}", one.name);
        found.push(Finding::new(Code::SpeedUnknown, said).hint(hint));
    }
}

pub(super) fn mac_mismatch(one: &One<'_>, pif: &Pif, found: &mut Vec<Finding>) {
    if pif.mac != one.nic.mac && !one.in_our_bond {
        let (device, mac) = (one.name, one.nic.mac);
        let said = format!("{device} has the permanent MAC {mac}, and its PIF says {}", pif.mac);
        found.push(Finding::new(Code::NicMacMismatch, said));
    }
}

pub(super) fn is_management(one: &One<'_>, pif: &Pif, found: &mut Vec<Finding>) {
    if one.carries_management(pif) {
        let said = format!("{} carries the management of this host", one.name);
        found.push(Finding::new(Code::NicIsManagement, said));
    }
}

pub(super) fn in_managed_bond(one: &One<'_>, pif: &Pif, found: &mut Vec<Finding>) {
    let Some(bond) = &pif.bond_slave_of else { return };
    let name = one.xapi.pifs.iter().find(|p| p.bond_master_of.contains(bond));
    let name = name.map_or("of XAPI", |p| p.device.as_str());
    let said = format!("{} is a slave of the managed bond {name}", one.name);
    let hint = format!(
        "choose another NIC: xe bond-destroy uuid={bond} would cut off every network and VM on {name}"
    );
    found.push(Finding::new(Code::NicInManagedBond, said).hint(hint));
}

pub(super) fn has_tunnels(one: &One<'_>, pif: &Pif, found: &mut Vec<Finding>) {
    for relation in pif.relations.keys() {
        let what = if relation.starts_with("tunnel") { "a tunnel" } else { "an SR-IOV network" };
        let end = if relation.starts_with("tunnel-access") { "ends at" } else { "lies on" };
        let said = format!("{what} {end} the PIF of {}", one.name);
        found.push(Finding::new(Code::NicHasTunnels, said));
    }
}

fn disallows_unplug(one: &One<'_>, pif: &Pif, found: &mut Vec<Finding>) {
    if pif.disallow_unplug && pif.is_managed() {
        let said = format!("the PIF of {} has disallow-unplug=true", one.name);
        let hint = format!("xe pif-param-set uuid={} disallow-unplug=false", pif.uuid);
        found.push(Finding::new(Code::NicDisallowsUnplug, said).hint(hint));
    }
}

/// The most names that one sentence holds.
const NAMES: usize = 10;

fn named(vms: &[&Vm]) -> String {
    let names: Vec<&str> = vms.iter().take(NAMES).map(|vm| vm.name_label.as_str()).collect();
    let more = vms.len().saturating_sub(NAMES);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", names.join(", ").escape_debug())
}

/// The interfaces of VMs on a PIF's network.
fn vifs<'a>(xapi: &'a Xapi, pif: &Pif) -> Vec<&'a Vif> {
    xapi.vifs.iter().filter(|vif| vif.network == pif.network).collect()
}

fn runs_on_it(vifs: &[&Vif], vm: &Vm) -> bool {
    vifs.iter().any(|vif| vif.attached && vif.vm == vm.uuid)
}

/// The VMs that run here and lose the NIC's network at once.
fn has_vifs(one: &One<'_>, pif: &Pif, found: &mut Vec<Finding>) {
    let on = vifs(one.xapi, pif);
    let vms: Vec<&Vm> = one.xapi.vms.iter().filter(|vm| runs_on_it(&on, vm)).collect();
    if pif.is_managed() && !vms.is_empty() {
        let said = format!("running VMs use the network of {}: {}", one.name, named(&vms));
        found.push(Finding::new(Code::NicHasVifs, said));
    }
}

/// The other VMs, which could not start here or move here any more; where no host has a NIC on the
/// network, they would run without uplink and without a word (tests/ground/xapi.md, B1).
fn vms_lose_network(one: &One<'_>, pif: &Pif, found: &mut Vec<Finding>) {
    let on = vifs(one.xapi, pif);
    let here = one.xapi.vms.iter().filter(|vm| !runs_on_it(&on, vm));
    let all = one.xapi.other_vms.iter().chain(here);
    let vms: Vec<&Vm> = all.filter(|vm| on.iter().any(|vif| vif.vm == vm.uuid)).collect();
    if pif.is_managed() && !vms.is_empty() {
        let (device, names) = (one.name, named(&vms));
        found.push(Finding::new(
            Code::VmsLoseNetwork,
            format!("VMs with an interface on the network of {device} could not start on this host or move to it: {names}"),
        ));
    }
}

/// Whether a PIF that is introduced again comes to its network: XAPI looks for the one with the
/// usual bridge, and makes a new one when there is none or several (tests/ground/xapi.md, B3).
fn network_not_restorable(one: &One<'_>, pif: &Pif, found: &mut Vec<Finding>) {
    let device = one.name;
    let Some(expected) = usual_bridge(device).filter(|_| pif.is_managed()) else { return };
    let same = one.xapi.networks.iter().filter(|n| n.bridge == expected).count();
    let why = match one.bridge {
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

pub(super) fn has_ip(one: &One<'_>, pif: &Pif, found: &mut Vec<Finding>) {
    if one.carries_management(pif) {
        return;
    }
    let device = one.name;
    let on = one.inv.kernel.addresses.iter().find(|a| one.carries(&a.device));
    let hint = format!("xe pif-reconfigure-ip uuid={} mode=none", pif.uuid);
    let (said, hint) = if let Some(address) = on {
        let (net, on) = (address.net, address.device.as_str());
        (format!("{device} carries {net} on {on}"), xapi_or(one, pif, on, net, hint))
    } else if pif.ip_mode() != "none" {
        let ip = pif.ip.get("IP").unwrap_or("no address yet");
        (format!("the PIF of {device} has IP configuration mode {} ({ip})", pif.ip_mode()), hint)
    } else {
        return;
    };
    found.push(Finding::new(Code::NicHasIp, said).hint(hint));
}

/// What takes an address away: XAPI's command where it is XAPI's, which refuses an unmanaged PIF.
fn xapi_or(
    one: &One<'_>,
    pif: &Pif,
    on: &str,
    addr: impl std::fmt::Display,
    command: String,
) -> String {
    let xapis = on == one.name || Some(on) == one.bridge;
    if xapis && pif.is_managed() { command } else { format!("ip addr del {addr} dev {on}") }
}

/// IPv6 settings, which a rollback does not bring back.
fn has_ipv6(one: &One<'_>, pif: &Pif, found: &mut Vec<Finding>) {
    if one.carries_management(pif) {
        return;
    }
    let device = one.name;
    let mode = pif.ip.get("IPv6-configuration-mode").unwrap_or("none").to_ascii_lowercase();
    let on = one.inv.kernel.addresses6.iter().find(|(on, _)| one.carries(on));
    let hint = format!("xe pif-reconfigure-ipv6 uuid={} mode=none", pif.uuid);
    let (said, hint) = match on {
        _ if mode != "none" => {
            let ip = pif.ip.get("IPv6").unwrap_or("no address yet");
            (format!("the PIF of {device} has IPv6 configuration mode {mode} ({ip})"), hint)
        }
        Some((on, addr)) => {
            (format!("{device} carries {addr} on {on}"), xapi_or(one, pif, on, addr, hint))
        }
        None => return,
    };
    found.push(Finding::new(Code::NicHasIp, said).hint(hint));
}

/// An MTU that XAPI gives the NIC only when it plugs it the next time, as a rollback would: by the
/// PIF's other-config, else by its network (ocaml/xapi/nm.ml, `determine_mtu`).
pub(super) fn mtu_pending(one: &One<'_>, pif: &Pif, found: &mut Vec<Finding>) {
    let network = one.xapi.networks.iter().find(|n| n.uuid == pif.network);
    let own = pif.other_config.get("mtu").and_then(|mtu| mtu.parse().ok());
    let (Some(next), Some(now)) = (own.or(network.and_then(|n| n.mtu)), one.device.mtu) else {
        return;
    };
    if next != now && pif.is_managed() && pif.attached {
        let device = one.name;
        let said = format!(
            "{device} has an MTU of {now}, and XAPI gives it {next} when it is next plugged: a rollback could not bring {now} back"
        );
        let uuid = &pif.uuid;
        // One that XAPI refuses to unplug gets it all the same (tests/ground/managed.md, H3).
        let hint = match one.managed_for {
            None => format!("xe pif-unplug uuid={uuid}; xe pif-plug uuid={uuid}"),
            Some(_) => format!("xe pif-plug uuid={uuid}"),
        };
        found.push(Finding::new(Code::NicMtuPending, said).hint(hint));
    }
}

pub(super) fn pif_unreadable(one: &One<'_>, pif: &Pif, found: &mut Vec<Finding>) {
    if let Some(error) = one.xapi.unreadable.get(&pif.uuid) {
        let said = format!("the PIF of {} cannot be restored: {error}", one.name);
        found.push(Finding::new(Code::PifUnreadable, said));
    }
}
