//! What XAPI's network daemon does to the kernel when a PIF is plugged, unplugged or forgotten,
//! on either backend (tests/ground/xapi.md, B1 and C).

use std::collections::BTreeMap;

use super::bonds::{self, OVS};
use super::shell::Shell;
use crate::model::state::{
    Backend, BridgeConfig, Dom0, InterfaceConfig, Ipv4Conf, Ipv4Route, Map, Network, Networkd, Pif,
    PortConfig, State,
};
use crate::model::stores;
use crate::net::Ipv4Net;
use crate::order;

/// Plugs a PIF of this host into its bridge. `params` are the bonding driver's, should it have
/// to be loaded.
pub(crate) fn bring_up(state: &mut State, key: &str, params: &Map) -> Result<(), String> {
    let Some(pif) = state.pool.pifs.get(key).cloned() else { return Ok(()) };
    if state.dom0.running == Backend::None {
        return Err(
            "Script /sbin/brctl failed: add bridge failed: Package not installed".to_string()
        );
    }
    if pif.vlan >= 0 {
        let below = state.pool.vlans.get(key).map(|v| v.untagged.clone()).unwrap_or_default();
        bring_up(state, &below, params)?;
        if let Some(untagged) = state.pool.pifs.get_mut(&below) {
            untagged.currently_attached = true;
        }
    }
    configure(state, key, &pif);
    let bridge = bridge_of(state, &pif);
    make(&mut state.dom0, &bridge, params)
}

fn bridge_of(state: &State, pif: &Pif) -> String {
    state.pool.networks.get(&pif.network).map(|n| n.bridge.clone()).unwrap_or_default()
}

/// The routes of a network, where all of them are understood (tests/ground/managed.md, H3).
fn static_routes(network: &Network) -> Vec<Ipv4Route> {
    let text = network.other_config.get("static-routes").map(String::as_str).unwrap_or_default();
    let one = |text: &str| {
        let [subnet, prefix, gateway] = text.split('/').collect::<Vec<_>>()[..] else {
            return None;
        };
        let (subnet, gateway) = (subnet.to_string(), gateway.to_string());
        Some(Ipv4Route { subnet, netmask: prefix.parse().ok()?, gateway })
    };
    let all = text.split(',').filter(|text| !text.is_empty());
    all.map(one).collect::<Option<_>>().unwrap_or_default()
}

/// The MTU that a PIF is plugged with.
pub(crate) fn mtu_of(state: &State, pif: &Pif) -> u32 {
    let mtu = state.pool.networks.get(&pif.network).map_or(1500, |n| n.mtu);
    pif.other_config.get("mtu").and_then(|m| m.parse().ok()).unwrap_or(mtu)
}

/// Takes a PIF into networkd's configuration.
pub(crate) fn configure(state: &mut State, key: &str, pif: &Pif) {
    let (bridge, mtu) = (bridge_of(state, pif), mtu_of(state, pif));
    let device_of = |key: &String| Some(state.pool.pifs.get(key)?.device.clone());
    let mut port = PortConfig {
        interfaces: vec![pif.device.clone()],
        bond_properties: Map::new(),
        bond_mac: None,
        kind: "Basic_port".to_string(),
    };
    if let Some(bond) = state.pool.bonds.get(key) {
        port.interfaces = bond.slaves.iter().filter_map(device_of).collect();
        if bond.slaves.len() > 1 {
            port.bond_properties = bonds::properties(state.release(), pif, bond);
        }
        port.bond_mac = Some(pif.mac.clone());
    }
    let tagged = pif.vlan >= 0;
    let below = state.pool.vlans.get(key).and_then(|v| state.pool.pifs.get(&v.untagged));
    let config = BridgeConfig {
        ports: if tagged { BTreeMap::new() } else { [(pif.device.clone(), port)].into() },
        vlan: below.filter(|_| tagged).map(|below| (bridge_of(state, below), pif.vlan)),
        bridge_mac: Some(pif.mac.clone()),
        other_config: Map::new(),
        // nm.ml: physical ones and bonds, and what has an address.
        persistent_b: !tagged,
    };
    let address = match (pif.ip.parse(), pif.netmask.parse()) {
        (Ok(ip), Ok(mask)) if pif.ip_configuration_mode == "Static" => {
            Ipv4Net::with_netmask(ip, mask).ok()
        }
        _ => None,
    };
    let gateway = Some(pif.gateway.clone()).filter(|gateway| pif.management && !gateway.is_empty());
    let ipv4_routes = state.pool.networks.get(&pif.network).map(static_routes).unwrap_or_default();
    let networkd = &mut state.dom0.networkd;
    if gateway.is_some() {
        networkd.gateway_interface = Some(bridge.clone());
        networkd.dns_interface = Some(bridge.clone());
    }
    let servers = pif.dns.split(',').filter(|ip| !ip.is_empty()).map(str::to_string).collect();
    let interface = InterfaceConfig {
        ipv4_conf: match address {
            Some(net) => {
                Ipv4Conf::Static("Static4".to_string(), vec![(net.addr.to_string(), net.prefix)])
            }
            None => Ipv4Conf::Word("None4".to_string()),
        },
        ipv4_gateway: gateway,
        ipv6_conf: "None6".to_string(),
        ipv4_routes,
        dns: (servers, Vec::new()),
        mtu,
        ethtool_settings: Map::new(),
        ethtool_offload: [("lro".to_string(), "off".to_string())].into(),
        persistent_i: !tagged,
    };
    networkd.bridge_config.insert(bridge.clone(), config);
    networkd.interface_config.insert(bridge, interface);
}

/// Makes a bridge of networkd's configuration in the kernel, or what is missing of it.
fn make(dom0: &mut Dom0, bridge: &str, params: &Map) -> Result<(), String> {
    let Some(config) = dom0.networkd.bridge_config.get(bridge).cloned() else { return Ok(()) };
    let interface = dom0.networkd.interface_config.get(bridge).cloned();
    let mtu = interface.as_ref().map_or(1500, |i| i.mtu);
    let ovs = dom0.running == Backend::Openvswitch;
    let mac = config.bridge_mac.clone().unwrap_or_default();
    if ovs {
        dom0.add_device(OVS, "ovs-system", "0e:00:00:00:00:01");
    }
    dom0.add_device(bridge, if ovs { "ovs" } else { "bridge" }, &mac);
    dom0.set_mtu(bridge, mtu);
    let home = if ovs { OVS } else { bridge };
    if let Some((parent, tag)) = config.vlan.as_ref().filter(|_| !ovs) {
        let below = dom0.networkd.bridge_config.get(parent);
        if let Some(device) = below.and_then(|parent| parent.ports.keys().next().cloned()) {
            let port = format!("{device}.{tag}");
            if dom0.features.missing_modules.contains("8021q") {
                return Err(format!(
                    "script error [script = /sbin/ip, args = link add link {device} name {port} type vlan id {tag}, code = Exit code 2, stdout = , stderr = Error: Unknown device type.\n]"
                ));
            }
            dom0.modules.entry("8021q".to_string()).or_default();
            dom0.add_device(&port, "vlan", &mac);
            dom0.set_master(&port, Some(home));
        }
    }
    let mut trouble = None;
    for (device, port) in &config.ports {
        if port.bond_mac.is_some() {
            bonds::up(dom0, device, port, bridge, mtu, params)?;
        } else if !join(dom0, device, home, mtu) {
            let text = format!("Script /sbin/brctl failed: can't add {device} to bridge {bridge}");
            dom0.dmesg.push(text.clone());
            trouble = Some(text).filter(|_| dom0.features.plug_enslaved_fails);
        }
    }
    dom0.set_up(bridge, true);
    let Some(interface) = interface else { return trouble.map_or(Ok(()), Err) };
    if let Ipv4Conf::Static(_, addresses) = interface.ipv4_conf {
        for (ip, prefix) in addresses {
            dom0.add_address(bridge, &format!("{ip}/{prefix}"));
        }
        if let Some(gateway) = interface.ipv4_gateway {
            dom0.replace_route("0.0.0.0/0", bridge, Some(&gateway));
        }
    }
    // Whose failure nobody looks at; one that is no longer asked for stays
    // (tests/ground/managed.md, H4).
    for route in interface.ipv4_routes {
        let to = format!("{}/{}", route.subnet, route.netmask);
        if dom0.set_route(&to, bridge, Some(&route.gateway)) == Err("File exists") {
            dom0.replace_route(&to, bridge, Some(&route.gateway));
        }
    }
    trouble.map_or(Ok(()), Err)
}

/// networkd's start: it makes the persistent bridges of its file that are not there yet, before
/// any unit that waits for it and before XAPI (tests/ground/xapi-measured.md, M15 and M21).
pub(crate) fn restore(state: &mut State, saved: Networkd, params: &Map) {
    state.dom0.networkd = saved;
    if state.dom0.running == Backend::None {
        return;
    }
    let persistent = |config: &BridgeConfig| config.persistent_b;
    let bridges = state.dom0.networkd.bridge_config.clone();
    for (bridge, _) in bridges.iter().filter(|(_, config)| persistent(config)) {
        // One that cannot be made is logged, and the others are.
        let _ = make(&mut state.dom0, bridge, params);
    }
}

/// `networkd_db`: what networkd's file says of a bridge or an interface.
pub(crate) fn show(shell: &mut Shell<'_>, args: &[String]) -> i32 {
    let Some(saved) = stores::read_networkd(shell.root) else {
        shell.complain("Failed to read networkd_db");
        return 1;
    };
    let asked = |name: &str| {
        let at = args.iter().position(|a| a == name)?;
        args.get(at + 1).cloned()
    };
    let mut status = 0;
    if let Some(bridge) = asked("-bridge") {
        match saved.bridge_config.get(&bridge) {
            Some(config) => {
                let nics: Vec<String> =
                    config.ports.values().flat_map(|p| p.interfaces.clone()).collect();
                shell.say(format!("interfaces={}", nics.join(",")));
                if let Some((parent, tag)) = &config.vlan {
                    shell.say(format!("vlan={tag}\nparent={parent}"));
                }
            }
            None => {
                shell.complain(format!("Could not find bridge {bridge}"));
                status = 1;
            }
        }
    }
    if let Some(iface) = asked("-iface") {
        match saved.interface_config.get(&iface).map(|i| (&i.ipv4_conf, &i.ipv4_gateway)) {
            Some((Ipv4Conf::Static(_, addresses), gateway)) => {
                shell.say("mode=static");
                for (ip, prefix) in addresses {
                    let mask = u32::MAX.checked_shl(32 - u32::from(*prefix)).unwrap_or(0);
                    let mask = std::net::Ipv4Addr::from(mask);
                    shell.say(format!("ipaddr={ip}\nnetmask={mask}"));
                }
                if let Some(gateway) = gateway {
                    shell.say(format!("gateway={gateway}"));
                }
            }
            Some(_) => shell.say("mode=none"),
            None => {
                shell.complain(format!("Could not find interface {iface}"));
                status = 1;
            }
        }
    }
    status
}

/// Makes a NIC a port. A NIC that something else holds stays there.
fn join(dom0: &mut Dom0, nic: &str, home: &str, mtu: u32) -> bool {
    match dom0.master_of(nic) {
        Some(master) if master != home => return false,
        _ => {}
    }
    if !dom0.nics.contains_key(nic) {
        return false;
    }
    dom0.set_mtu(nic, mtu);
    dom0.set_up(nic, true);
    dom0.set_master(nic, Some(home));
    true
}

/// Takes a PIF of this host out of its bridge, and the bridge away with every port on it.
pub(crate) fn bring_down(state: &mut State, key: &str) {
    let Some(pif) = state.pool.pifs.get(key).cloned() else { return };
    let above = format!("{}.", pif.device);
    if pif.vlan < 0 && state.dom0.devices.keys().any(|name| name.starts_with(&above)) {
        // "Not destroying bridge": a VLAN lies on it.
        return;
    }
    destroy(state, &pif);
}

/// The same by force: the bridges of the VLANs on it go too.
pub(crate) fn force_down(state: &mut State, key: &str) {
    let Some(pif) = state.pool.pifs.get(key).cloned() else { return };
    let on: Vec<String> = state
        .pool
        .vlans
        .values()
        .filter(|v| v.untagged == *key)
        .map(|v| v.tagged.clone())
        .collect();
    for pif in on.iter().filter_map(|key| state.pool.pifs.get(key).cloned()).collect::<Vec<_>>() {
        destroy(state, &pif);
    }
    destroy(state, &pif);
}

fn destroy(state: &mut State, pif: &Pif) {
    let bridge = bridge_of(state, pif);
    let dom0 = &mut state.dom0;
    dom0.networkd.bridge_config.remove(&bridge);
    dom0.networkd.interface_config.remove(&bridge);
    let ours = if dom0.running == Backend::Openvswitch { OVS } else { bridge.as_str() };
    let mut ports: Vec<String> = dom0.ports_of(&bridge);
    if dom0.master_of(&pif.device) == Some(ours) && !ports.contains(&pif.device) && pif.vlan < 0 {
        ports.push(pif.device.clone());
    }
    let members = dom0.vswitch.values().filter(|bond| bond.bridge == bridge);
    ports.extend(members.flat_map(|bond| &bond.members).map(|member| member.name.clone()));
    dom0.vswitch.retain(|_, bond| bond.bridge != bridge);
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

/// What networkd knows of a host that runs: what is plugged.
pub(crate) fn know(state: &mut State) {
    let me = &state.dom0.me;
    let plugged = |pif: &Pif| pif.host == *me && pif.managed && pif.currently_attached;
    let is_member = |key: &String| state.pool.bonds.values().any(|b| b.slaves.contains(key));
    let pifs: Vec<(String, Pif)> = state
        .pool
        .pifs
        .iter()
        .filter(|(key, pif)| plugged(pif) && !is_member(key))
        .map(|(key, pif)| (key.clone(), pif.clone()))
        .collect();
    for (key, pif) in pifs {
        configure(state, &key, &pif);
    }
}

/// Plugs what is managed and not plugged; a bond is not where the host has none.
pub(crate) fn plug_again(state: &mut State, params: &Map) {
    let (dom0, pool) = (&state.dom0, &mut state.pool);
    let own = format!("{}/", dom0.me);
    let is_there = |device| dom0.bonds.contains_key(device) || dom0.vswitch.contains_key(device);
    for key in pool.bonds.keys() {
        if key.strip_prefix(&own).is_some_and(|device| !is_there(device))
            && let Some(pif) = pool.pifs.get_mut(key)
        {
            pif.currently_attached = false;
        }
    }
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

/// XAPI's start: has networkd forget what it knows, and plugs all managed physical PIFs of this
/// host, also those that were unplugged, with bonds and VLANs (xapi `xapi_pif.ml`,
/// `start_of_day_best_effort_bring_up`).
pub(crate) fn start(state: &mut State, params: &Map) {
    state.dom0.networkd = Networkd::default();
    let me = state.dom0.me.clone();
    let slaves: Vec<String> = state.pool.bonds.values().flat_map(|b| b.slaves.clone()).collect();
    let mut keys: Vec<(bool, bool, String)> = state
        .pool
        .pifs
        .iter()
        .filter(|(key, pif)| pif.host == me && pif.managed && !slaves.contains(key))
        .map(|(key, pif)| (!pif.management, pif.vlan >= 0, key.clone()))
        .collect();
    order::sort(&mut keys);
    let plugged = |state: &mut State, key: &str, yes: bool| {
        if let Some(pif) = state.pool.pifs.get_mut(key) {
            pif.currently_attached = yes;
        }
    };
    for (_, _, key) in keys {
        let went = bring_up(state, &key, params).is_ok();
        plugged(state, &key, went);
    }
    // Whoever is in a bond is no port itself.
    for key in slaves.iter().filter(|k| k.starts_with(&format!("{me}/"))) {
        plugged(state, key, false);
    }
    plug_machines(state);
}
