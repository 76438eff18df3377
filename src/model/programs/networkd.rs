//! What XAPI's network daemon does to the kernel when a PIF is plugged, unplugged or forgotten,
//! on either backend (facts/xapi.md sections B1 and C).

use crate::model::state::{Backend, BondRecord, Map, Pif, State};
use crate::net::Ipv4Net;

/// The device that all Open vSwitch ports have as master.
const OVS: &str = "ovs-system";

/// Plugs a PIF of this host into its bridge. `params` are the bonding driver's, should it have
/// to be loaded.
pub(crate) fn bring_up(state: &mut State, key: &str, params: &Map) -> Result<(), String> {
    let Some(pif) = state.pool.pifs.get(key).cloned() else { return Ok(()) };
    let strict = state.dom0.features.plug_enslaved_fails;
    let bridge =
        state.pool.networks.get(&pif.network).map(|n| n.bridge.clone()).unwrap_or_default();
    if state.dom0.running == Backend::None {
        return Err(
            "Script /sbin/brctl failed: add bridge failed: Package not installed".to_string()
        );
    }
    let ovs = state.dom0.running == Backend::Openvswitch;
    let mtu = state.pool.networks.get(&pif.network).map_or(1500, |n| n.mtu);
    let mtu = pif.other_config.get("mtu").and_then(|m| m.parse().ok()).unwrap_or(mtu);
    if ovs {
        state.dom0.add_device(OVS, "ovs-system", "0e:00:00:00:00:01");
    }
    let mut trouble = None;
    if pif.vlan >= 0 {
        let below = state.pool.vlans.get(key).map(|v| v.untagged.clone()).unwrap_or_default();
        bring_up(state, &below, params)?;
        if let Some(untagged) = state.pool.pifs.get_mut(&below) {
            untagged.currently_attached = true;
        }
    }
    let dom0 = &mut state.dom0;
    dom0.add_device(&bridge, if ovs { "ovs" } else { "bridge" }, &pif.mac);
    dom0.set_mtu(&bridge, mtu);
    let home = if ovs { OVS } else { bridge.as_str() };
    if pif.vlan >= 0 {
        if !ovs {
            let port = format!("{}.{}", pif.device, pif.vlan);
            if dom0.features.missing_modules.contains("8021q") {
                return Err(format!(
                    "script error [script = /sbin/ip, args = link add link {} name {port} type vlan id {}, code = Exit code 2, stdout = , stderr = Error: Unknown device type.\n]",
                    pif.device, pif.vlan
                ));
            }
            dom0.add_device(&port, "vlan", &pif.mac);
            dom0.set_master(&port, Some(home));
        }
    } else if let Some(bond) = state.pool.bonds.get(key).cloned() {
        bond_up(state, &pif.device, &bond, home, mtu, params)?;
    } else if !join(state, &pif.device, home, mtu) {
        let text =
            format!("Script /sbin/brctl failed: can't add {} to bridge {bridge}", pif.device);
        state.dom0.dmesg.push(text.clone());
        trouble = Some(text).filter(|_| strict);
    }
    state.dom0.set_up(&bridge, true);
    if pif.ip_configuration_mode == "Static"
        && let (Ok(ip), Ok(mask)) = (pif.ip.parse(), pif.netmask.parse())
        && let Ok(net) = Ipv4Net::with_netmask(ip, mask)
    {
        state.dom0.add_address(&bridge, &net.to_string());
        if pif.management && !pif.gateway.is_empty() {
            state.dom0.replace_route("0.0.0.0/0", &bridge, Some(&pif.gateway));
        }
    }
    trouble.map_or(Ok(()), Err)
}

/// Makes a managed bond and its NICs the port.
fn bond_up(
    state: &mut State,
    device: &str,
    bond: &BondRecord,
    home: &str,
    mtu: u32,
    params: &Map,
) -> Result<(), String> {
    let slaves: Vec<String> =
        bond.slaves.iter().filter_map(|s| Some(state.pool.pifs.get(s)?.device.clone())).collect();
    let dom0 = &mut state.dom0;
    if home == OVS {
        for nic in &slaves {
            join(state, nic, OVS, mtu);
        }
    } else {
        if !dom0.modules.contains_key("bonding") {
            dom0.load_bonding(params).map_err(str::to_string)?;
            dom0.delete_bond("bond0");
        }
        dom0.create_bond(device);
        let mode = if bond.mode == "lacp" { "802.3ad" } else { bond.mode.as_str() };
        let delays =
            [("mode", mode), ("miimon", "100"), ("downdelay", "200"), ("updelay", "31000")];
        for (option, value) in delays {
            let _ = dom0.set_option(device, option, value);
        }
        for nic in &slaves {
            dom0.set_up(nic, false);
            let _ = dom0.enslave(device, nic);
        }
        dom0.set_up(device, true);
        dom0.set_master(device, Some(home));
    }
    Ok(())
}

/// Makes a NIC a port. A NIC that something else holds stays there.
fn join(state: &mut State, nic: &str, home: &str, mtu: u32) -> bool {
    match state.dom0.master_of(nic) {
        Some(master) if master != home => return false,
        _ => {}
    }
    if !state.dom0.nics.contains_key(nic) {
        return false;
    }
    state.dom0.set_mtu(nic, mtu);
    state.dom0.set_up(nic, true);
    state.dom0.set_master(nic, Some(home));
    true
}

/// Takes a PIF of this host out of its bridge, and the bridge away with every port on it.
pub(crate) fn bring_down(state: &mut State, key: &str) {
    let Some(pif) = state.pool.pifs.get(key).cloned() else { return };
    let bridge =
        state.pool.networks.get(&pif.network).map(|n| n.bridge.clone()).unwrap_or_default();
    let dom0 = &mut state.dom0;
    let above = format!("{}.", pif.device);
    if pif.vlan < 0 && dom0.devices.keys().any(|name| name.starts_with(&above)) {
        // "Not destroying bridge": a VLAN lies on it.
        return;
    }
    let ours = if dom0.running == Backend::Openvswitch { OVS } else { bridge.as_str() };
    let mut ports: Vec<String> = dom0.ports_of(&bridge);
    if dom0.master_of(&pif.device) == Some(ours) && !ports.contains(&pif.device) && pif.vlan < 0 {
        ports.push(pif.device.clone());
    }
    for port in ports {
        dom0.flush(&port);
        dom0.set_master(&port, None);
        dom0.set_up(&port, false);
        if dom0.bonds.contains_key(&port) {
            dom0.delete_bond(&port);
        } else if dom0.devices.get(&port).is_some_and(|d| d.kind == "vlan") {
            dom0.drop_device(&port);
        }
    }
    if dom0.devices.contains_key(&bridge) {
        dom0.drop_device(&bridge);
    }
}

/// Makes the ports of the machines that run here.
pub(crate) fn plug_machines(state: &mut State) {
    let me = state.dom0.me.clone();
    let mut number = 0;
    for (name, vm) in state.pool.vms.clone() {
        if vm.is_control_domain
            || vm.power_state != "running"
            || vm.resident_on.as_ref() != Some(&me)
        {
            continue;
        }
        number += 1;
        for vif in state.pool.vifs.values().filter(|v| v.vm == name && v.currently_attached) {
            let Some(network) = state.pool.networks.get(&vif.network) else { continue };
            let ovs = state.dom0.running == Backend::Openvswitch;
            let port = format!("vif{number}.{}", vif.device);
            state.dom0.add_device(&port, "vif", "fe:ff:ff:ff:ff:ff");
            let home = if ovs { OVS.to_string() } else { network.bridge.clone() };
            state.dom0.add_device(
                &network.bridge,
                if ovs { "ovs" } else { "bridge" },
                "fe:ff:ff:ff:ff:ff",
            );
            state.dom0.set_master(&port, Some(&home));
        }
    }
}

/// Plugs what is managed and not plugged.
pub(crate) fn plug_again(state: &mut State, params: &Map) {
    let (me, pool) = (&state.dom0.me, &state.pool);
    let member = |key: &String| pool.bonds.values().any(|b| b.slaves.contains(key));
    let idle = |(key, pif): &(&String, &Pif)| {
        pif.host == *me && pif.managed && !pif.currently_attached && !member(key)
    };
    let keys: Vec<String> = pool.pifs.iter().filter(idle).map(|(key, _)| key.clone()).collect();
    for key in keys {
        let went = bring_up(state, &key, params).is_ok();
        state.pool.pifs.entry(key).and_modify(|pif| pif.currently_attached = went);
    }
}

/// XAPI's start: plugs all managed physical PIFs of this host, also those that were unplugged,
/// with bonds and VLANs.
pub(crate) fn start(state: &mut State, params: &Map) {
    let me = state.dom0.me.clone();
    let slaves: Vec<String> = state.pool.bonds.values().flat_map(|b| b.slaves.clone()).collect();
    let mut keys: Vec<(bool, bool, String)> = state
        .pool
        .pifs
        .iter()
        .filter(|(key, pif)| pif.host == me && pif.managed && !slaves.contains(key))
        .map(|(key, pif)| (!pif.management, pif.vlan >= 0, key.clone()))
        .collect();
    keys.sort();
    let plugged = |state: &mut State, key: &str, yes: bool| {
        if let Some(pif) = state.pool.pifs.get_mut(key) {
            pif.currently_attached = yes;
        }
    };
    for (_, _, key) in keys {
        let went = bring_up(state, &key, params).is_ok();
        plugged(state, &key, went);
    }
    for key in slaves.iter().filter(|k| k.starts_with(&format!("{me}/"))) {
        plugged(state, key, state.dom0.running != Backend::None);
    }
    plug_machines(state);
}
