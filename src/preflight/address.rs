//! The bond's address: whether it is free, its subnet its own, and storage not moved by it.

use std::collections::BTreeSet;

use super::{Case, Code, Finding, Rule};
use crate::inventory::storage::servers;
use crate::net::Ipv4Net;

pub(super) const RULES: &[Rule] = &[
    taken,
    answers,
    subnet_routable,
    subnet_overlap,
    default_route_by_device,
    default_route_by_gateway,
    storage_moves,
];

fn taken(case: &Case<'_>, found: &mut Vec<Finding>) {
    let addr = case.spec.address.addr;
    let devices = case.inv.kernel.devices_with(addr);
    for device in devices.into_iter().filter(|d| *d != case.spec.bond.as_str()) {
        found.push(Finding::new(
            Code::AddressTaken,
            format!("{addr} is already configured here, on {device}"),
        ));
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
    let (addr, heard) = (case.spec.address.addr, heard.join(" and "));
    found.push(
        Finding::new(
            Code::AddressAnswers,
            format!("{addr} is in use: {who} answers for it, heard on {heard}"),
        )
        .hint(format!("choose another address; arping -D -I {} {addr}", first.device)),
    );
}

fn subnet_routable(case: &Case<'_>, found: &mut Vec<Finding>) {
    let subnet = case.spec.address.subnet();
    for (server, device) in &case.inv.wire.routed {
        found.push(Finding::new(
            Code::SubnetRoutable,
            format!("{server} answers already, by way of {device}: the storage subnet {subnet} can be routed to from there, and storage traffic could take that way"),
        ));
    }
}

fn subnet_overlap(case: &Case<'_>, found: &mut Vec<Finding>) {
    let (bond, subnet) = (case.spec.bond.as_str(), case.spec.address.subnet());
    let kernel = &case.inv.kernel;
    let addresses = kernel.addresses.iter().map(|a| (a.device.as_str(), a.net, "the subnet"));
    let routes = kernel.routes.iter().map(|r| (r.device.as_str(), r.to, "the route to"));
    let mut said: BTreeSet<(&str, Ipv4Net)> = BTreeSet::new();
    for (device, net, what) in addresses.chain(routes) {
        let overlaps = device != bond && net.prefix > 0 && net.overlaps(subnet);
        if !overlaps || !said.insert((device, net.subnet())) {
            continue;
        }
        let management = case.inv.management_bridge() == Some(device);
        let role = if management { ", the management subnet" } else { "" };
        found.push(Finding::new(
            Code::SubnetOverlap,
            format!("{subnet} overlaps {what} {} of {device}{role}: traffic would leave by the wrong device", net.subnet()),
        ));
    }
}

fn default_route_by_device(case: &Case<'_>, found: &mut Vec<Finding>) {
    let bond = case.spec.bond.as_str();
    if case.inv.ground.gateway_device.as_deref() == Some(bond) {
        found.push(Finding::new(
            Code::DefaultRouteByBond,
            format!("/etc/sysconfig/network says GATEWAYDEV={bond}: the host's default route would go through the bond"),
        ));
    }
}

fn default_route_by_gateway(case: &Case<'_>, found: &mut Vec<Finding>) {
    let subnet = case.spec.address.subnet();
    if let Some(gateway) = case.inv.ground.gateway.filter(|gateway| subnet.contains(*gateway)) {
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
    let (bond, subnet) = (case.spec.bond.as_str(), case.spec.address.subnet());
    for path in servers(case.inv) {
        let (used, server) = (path.used, path.server);
        if let Some(device) =
            case.inv.kernel.device_towards(server).filter(|device| *device != bond)
            && subnet.contains(server)
        {
            found.push(Finding::new(
                Code::StorageMoves,
                format!("{used} is reached at {server} through {device} now, and would be through {bond} in the midst of its work"),
            ));
        }
    }
}
