//! How networkd makes the bonds of XAPI, on either backend (tests/ground/managed.md, C1, C3, F1 to
//! F3, tests/ground/ovs.md, F1 and F2).

use crate::model::state::{
    BondRecord, Dom0, Flavour, Map, Pif, PortConfig, Release, VsBond, VsMember,
};
use crate::order;

/// The device that all Open vSwitch ports have as master.
pub(super) const OVS: &str = "ovs-system";

/// What is written to sysfs, in this order, and nothing else.
const SYSFS: [&str; 5] = ["mode", "miimon", "downdelay", "updelay", "use_carrier"];

/// The bond's settings as XAPI gives them to networkd; `bond-K` of its PIF beats each.
pub(super) fn properties(release: Release, pif: &Pif, bond: &BondRecord) -> Map {
    let property = |key: &str, unset: &str| {
        bond.properties.get(key).cloned().unwrap_or_else(|| unset.to_string())
    };
    let lacp = bond.mode == "lacp";
    let mut all = Map::new();
    let mut set = |key: &str, value: String| drop(all.insert(key.to_string(), value));
    set("mode", bond.mode.clone());
    for (key, value) in
        [("miimon", "100"), ("downdelay", "200"), ("updelay", "31000"), ("use_carrier", "1")]
    {
        set(key, value.to_string());
    }
    set("hashing-algorithm", property("hashing_algorithm", ""));
    if lacp {
        set("lacp-time", property("lacp-time", "slow"));
        if release > Release::V6_2 {
            set("lacp-fallback-ab", property("lacp-fallback-ab", "true"));
        }
    } else {
        set("rebalance-interval", "1800000".to_string());
    }
    let own = |(key, value): (&String, &String)| {
        Some((key.strip_prefix("bond-")?.to_string(), value.clone()))
    };
    all.extend(pif.other_config.iter().filter_map(own));
    all
}

/// Makes a bond and its NICs the port of a bridge.
pub(super) fn up(
    dom0: &mut Dom0,
    device: &str,
    port: &PortConfig,
    bridge: &str,
    mtu: u32,
    params: &Map,
) -> Result<(), String> {
    let ovs = dom0.devices.get(bridge).is_some_and(|d| d.kind == "ovs");
    // "Sometimes a Bond is not actually a bond".
    match port.interfaces.as_slice() {
        [] => return Ok(()),
        [nic] if ovs => {
            plug(dom0, nic, mtu);
            return Ok(());
        }
        [_] => {
            return Err(format!(
                "Script /usr/sbin/brctl failed: interface {device} does not exist!"
            ));
        }
        _ => {}
    }
    if ovs {
        return vswitch(dom0, device, port, bridge, mtu);
    }
    if !dom0.modules.contains_key("bonding") {
        dom0.load_bonding(params).map_err(str::to_string)?;
        dom0.delete_bond("bond0");
    }
    // One that the driver made by itself is no port of a bridge yet.
    let made = dom0.create_bond(device) || dom0.master_of(device) != Some(bridge);
    kernel(dom0, device, port, made);
    if !dom0.set_mtu(device, mtu) {
        dom0.dmesg.push(format!("{device}: MTU {mtu} is refused"));
    }
    dom0.set_up(device, true);
    if let Some(bond) = dom0.bonds.get_mut(device) {
        let place = |name: &String| port.interfaces.iter().position(|nic| nic == name);
        order::sort_by_key(&mut bond.slaves, |slave| place(&slave.name));
    }
    dom0.set_master(device, Some(bridge));
    Ok(())
}

/// The NICs in the order in which their links come.
fn by_link(dom0: &Dom0, port: &PortConfig) -> Vec<String> {
    let mut nics = port.interfaces.clone();
    let first = dom0.wire.first.as_ref().and_then(|nic| nics.iter().position(|n| n == nic));
    let first = nics.remove(first.unwrap_or(nics.len() - 1));
    nics.insert(0, first);
    nics
}

/// The driver's bond. What it refuses is a line in the log, and no more.
fn kernel(dom0: &mut Dom0, device: &str, port: &PortConfig, made: bool) {
    let wanted = |key: &str| {
        let value = port.bond_properties.get(key).map_or("", String::as_str);
        Some(if value == "lacp" { "802.3ad" } else { value }).filter(|value| !value.is_empty())
    };
    let is = |dom0: &Dom0, key: &str| {
        let bond = &dom0.bonds[device];
        let ticks = |n: u32| if key.ends_with("delay") { n * bond.option("miimon") } else { n };
        let now = match key {
            "mode" => bond.mode().name().to_string(),
            _ => ticks(bond.option(key)).to_string(),
        };
        wanted(key).is_none_or(|value| value == now)
    };
    // Up to 7.0 what is set of a bond that is there stays.
    let alike = SYSFS.iter().all(|key| is(dom0, key));
    let keeps = !made && (alike || dom0.flavour == Flavour::El5);
    if !keeps {
        for nic in dom0.bonds[device].slaves.iter().map(|s| s.name.clone()).collect::<Vec<_>>() {
            let _ = dom0.release(device, &nic);
        }
        dom0.set_up(device, false);
        for (key, value) in SYSFS.iter().filter_map(|key| Some((*key, wanted(key)?))) {
            let refused = dom0.features.refused_options.contains(key);
            if refused || dom0.set_option(device, key, value).is_err() {
                dom0.dmesg.push(format!(
                    "xcp-networkd: Failed to set property \"{key}\" on bond {device}"
                ));
            }
        }
    }
    for nic in by_link(dom0, port) {
        if dom0.master_of(&nic) != Some(device) {
            dom0.set_up(&nic, false);
            let _ = dom0.enslave(device, &nic);
        }
    }
    let Some(bond) = dom0.bonds.get_mut(device) else { return };
    if let Some(mac) = &port.bond_mac {
        bond.mac.clone_from(mac);
        for slave in &bond.slaves {
            dom0.nics.entry(slave.name.clone()).and_modify(|nic| nic.mac.clone_from(mac));
        }
    }
}

/// Makes a NIC a port of Open vSwitch's.
fn plug(dom0: &mut Dom0, nic: &str, mtu: u32) {
    if dom0.nics.contains_key(nic) && dom0.master_of(nic).is_none_or(|master| master == OVS) {
        dom0.set_mtu(nic, mtu);
        dom0.set_master(nic, Some(OVS));
        dom0.set_up(nic, true);
    }
}

/// `ovs-vsctl --may-exist add-bond`, with its settings, which are set and never removed; then the
/// links come up.
fn vswitch(
    dom0: &mut Dom0,
    device: &str,
    port: &PortConfig,
    bridge: &str,
    mtu: u32,
) -> Result<(), String> {
    let new = |name: &String| VsMember { name: name.clone(), ..VsMember::default() };
    let known = dom0.vswitch.get(device).map(|bond| &bond.members);
    let names =
        |members: &Vec<VsMember>| members.iter().map(|m| m.name.clone()).collect::<Vec<_>>();
    if let Some(members) = known.map(names).filter(|names| *names != port.interfaces) {
        return Err(format!(
            "ovs-vsctl: \"--may-exist add-bond {bridge} {device}\" but {device} actually has interface(s) {}",
            members.join(", ")
        ));
    }
    let mut bond = dom0.vswitch.get(device).cloned().unwrap_or_else(|| VsBond {
        bridge: bridge.to_string(),
        mac: String::new(),
        mode: "active-backup".to_string(),
        lacp: "off".to_string(),
        updelay: 0,
        downdelay: 0,
        other_config: Map::new(),
        active: None,
        members: port.interfaces.iter().map(new).collect(),
    });
    bond.mac = port.bond_mac.clone().unwrap_or_default();
    let hash = port.bond_properties.get("hashing-algorithm").map_or("", String::as_str);
    for (key, value) in &port.bond_properties {
        let (key, value) = (key.as_str(), value.as_str());
        let ms = || value.parse().unwrap_or_default();
        let to = match key {
            "hashing-algorithm" => continue,
            "mode" => {
                let (lacp, mode) = match value {
                    "lacp" if hash == "src_mac" => ("active", "balance-slb"),
                    "lacp" => ("active", "balance-tcp"),
                    "active-backup" | "balance-slb" => ("off", value),
                    _ => {
                        return Err(format!(
                            "ovs-vsctl: constraint violation: {value} is not one of the allowed values ([active-backup, balance-slb, balance-tcp])"
                        ));
                    }
                };
                (bond.lacp, bond.mode) = (lacp.to_string(), mode.to_string());
                continue;
            }
            "updelay" => {
                bond.updelay = ms();
                continue;
            }
            "downdelay" => {
                bond.downdelay = ms();
                continue;
            }
            "miimon" => ("bond-miimon-interval", value),
            "use_carrier" => ("bond-detect-mode", if value == "1" { "carrier" } else { "miimon" }),
            "rebalance-interval" => ("bond-rebalance-interval", value),
            "lacp-time" | "lacp-fallback-ab" => (key, value),
            _ => {
                bond.other_config.insert(format!("bond-{key}"), value.to_string());
                continue;
            }
        };
        bond.other_config.insert(to.0.to_string(), to.1.to_string());
    }
    if !dom0.vswitch.contains_key(device) {
        port.interfaces.iter().for_each(|nic| dom0.set_up(nic, false));
    }
    dom0.vswitch.insert(device.to_string(), bond);
    for nic in by_link(dom0, port) {
        plug(dom0, &nic, mtu);
    }
    Ok(())
}
