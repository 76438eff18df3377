//! The bond's addresses: whether each is free, its subnet its own, and storage not moved by it.

use std::collections::BTreeSet;

use super::{Case, Code, Finding, Rule, vlan_is_ours};
use crate::inventory::storage::servers;
use crate::net::Ipv4Net;

/// Of bonds of either kind.
pub(super) const ANY: &[Rule] = &[taken, answers, subnet_routable, subnet_overlap, storage_moves];

/// Of those that the boot scripts bring up.
pub(super) const RULES: &[Rule] = &[default_route_by_device, default_route_by_gateway];

/// The devices that the bond's networks are on.
fn is_own(case: &Case<'_>, device: &str) -> bool {
    let made = |(vlan, _): &(&str, u32)| *vlan == device && vlan_is_ours(case.inv, device);
    let bond = case.spec.bond.as_str();
    // What lies on a NIC by which XAPI goes comes along to the bond.
    let comes_along = || {
        let pifs = case.found().filter_map(|nic| nic.pif.as_ref());
        let xapi = case.inv.xapi.as_ref();
        let mut bridges = pifs.filter_map(|pif| xapi?.bridge_of(pif));
        case.spec.xapi_bond().is_some() && bridges.any(|bridge| bridge == device)
    };
    // Without XAPI nobody says which bridge is that of one which XAPI manages.
    let nobody_says = case.spec.managed().is_some() && case.inv.xapi.is_none();
    device == bond
        || nobody_says
        || comes_along()
        || case.spec.own_network().is_some_and(|own| own.device == device)
        || case.spec.tagged().any(|tag| tag.as_str() == device)
        || case.inv.kernel.vlans_on(bond).iter().any(made)
}

fn taken(case: &Case<'_>, found: &mut Vec<Finding>) {
    for network in case.spec.networks() {
        let addr = network.address.addr;
        for device in case.inv.kernel.devices_with(addr) {
            if !is_own(case, device) {
                found.push(Finding::new(
                    Code::AddressTaken,
                    format!("{addr} is already configured here, on {device}"),
                ));
            }
        }
    }
}

fn answers(case: &Case<'_>, found: &mut Vec<Finding>) {
    let answers = &case.inv.wire.answers;
    let Some(first) = answers.first() else { return };
    let who = answers
        .iter()
        .find_map(|answer| answer.mac)
        .map_or_else(|| "a MAC address that was not understood".to_string(), |mac| mac.to_string());
    let heard: Vec<&str> = answers.iter().map(|answer| answer.device.as_str()).collect();
    let Some(addr) = case.spec.address.map(|net| net.addr) else { return };
    let heard = heard.join(" and ");
    found.push(
        Finding::new(
            Code::AddressAnswers,
            format!("{addr} is in use: {who} answers for it, heard on {heard}"),
        )
        .hint(format!("choose another address; arping -D -I {} {addr}", first.device)),
    );
}

fn subnet_routable(case: &Case<'_>, found: &mut Vec<Finding>) {
    for (server, device) in &case.inv.wire.routed {
        let network = case.spec.network_to(*server).map(|network| network.address);
        let Some(subnet) = network.or(case.spec.address).map(Ipv4Net::subnet) else { continue };
        found.push(Finding::new(
            Code::SubnetRoutable,
            format!("{server} answers already, by way of {device}: the storage subnet {subnet} can be routed to from there, and storage traffic could take that way"),
        ));
    }
}

fn subnet_overlap(case: &Case<'_>, found: &mut Vec<Finding>) {
    for network in case.spec.networks() {
        overlaps(case, network.address.subnet(), "", found);
        for route in network.routes {
            overlaps(case, route.to, "the route to ", found);
        }
    }
}

/// Whether a subnet overlaps an address or a route of another device here.
fn overlaps(case: &Case<'_>, subnet: Ipv4Net, words: &str, found: &mut Vec<Finding>) {
    let kernel = &case.inv.kernel;
    let addresses = kernel.addresses.iter().map(|a| (a.device.as_str(), a.net, "the subnet"));
    let routes = kernel.routes.iter().map(|r| (r.device.as_str(), r.to, "the route to"));
    let mut said: BTreeSet<(&str, Ipv4Net)> = BTreeSet::new();
    for (device, net, what) in addresses.chain(routes) {
        let overlaps = !is_own(case, device) && net.prefix > 0 && net.overlaps(subnet);
        if !overlaps || !said.insert((device, net.subnet())) {
            continue;
        }
        let management = case.inv.management_bridge() == Some(device);
        let role = if management { ", the management subnet" } else { "" };
        found.push(Finding::new(
            Code::SubnetOverlap,
            format!("{words}{subnet} overlaps {what} {} of {device}{role}: traffic would leave by the wrong device", net.subnet()),
        ));
    }
}

fn default_route_by_device(case: &Case<'_>, found: &mut Vec<Finding>) {
    let Some(device) = case.inv.ground.gateway_device.as_deref() else { return };
    if is_own(case, device) {
        found.push(Finding::new(
            Code::DefaultRouteByBond,
            format!("/etc/sysconfig/network says GATEWAYDEV={device}: the host's default route would go through the bond"),
        ));
    }
}

fn default_route_by_gateway(case: &Case<'_>, found: &mut Vec<Finding>) {
    let Some(gateway) = case.inv.ground.gateway else { return };
    if case.spec.networks().any(|network| network.address.contains(gateway)) {
        found.push(
            Finding::new(
                Code::DefaultRouteByBond,
                format!("/etc/sysconfig/network says GATEWAY={gateway}, which is on the bond's subnet: the host's default route would go through the bond"),
            )
            .hint("remove GATEWAY from /etc/sysconfig/network"),
        );
    }
}

/// Storage that the host has by another way now is on a subnet that the management interface
/// can be routed to, and the recipe forbids that: its connections move when the bond comes up.
fn storage_moves(case: &Case<'_>, found: &mut Vec<Finding>) {
    for path in servers(case.inv) {
        let (used, server) = (path.used, path.server);
        if let Some(device) =
            case.inv.kernel.device_towards(server).filter(|device| !is_own(case, device))
            && let Some(network) = case.spec.network_to(server)
        {
            let by = network.device;
            found.push(Finding::new(
                Code::StorageMoves,
                format!("{used} is reached at {server} through {device} now, and would be through {by} in the midst of its work"),
            ));
        }
    }
}
