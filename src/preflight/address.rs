//! The bond's address: whether it is free, its subnet its own, and storage not moved by it.

use super::{Code, Finding};
use crate::inventory::Inventory;
use crate::inventory::storage::servers;
use crate::net::Ipv4Net;
use crate::spec::Spec;

pub(super) fn check(spec: &Spec, inv: &Inventory, found: &mut Vec<Finding>) {
    let bond = spec.bond.as_str();
    let subnet = spec.address.subnet();
    for device in inv.kernel.devices_with(spec.address.addr).into_iter().filter(|d| *d != bond) {
        found.push(Finding::new(
            Code::AddressTaken,
            format!("{} is already configured here, on {device}", spec.address.addr),
        ));
    }
    let answers = &inv.wire.answers;
    if let Some(first) = answers.first() {
        let mac = answers.iter().find_map(|answer| answer.mac.as_deref());
        let who = mac.unwrap_or("a MAC address that was not understood");
        let heard: Vec<&str> = answers.iter().map(|answer| answer.device.as_str()).collect();
        let (addr, heard) = (spec.address.addr, heard.join(" and "));
        found.push(
            Finding::new(
                Code::AddressAnswers,
                format!("{addr} is in use: {who} answers for it, heard on {heard}"),
            )
            .hint(format!("choose another address; arping -D -I {} {addr}", first.device)),
        );
    }
    for (server, device) in &inv.wire.routed {
        found.push(Finding::new(
            Code::SubnetRoutable,
            format!("{server} answers already, by way of {device}: the storage subnet {subnet} can be routed to from there, and storage traffic could take that way"),
        ));
    }
    let mut said = Vec::new();
    let management = inv.management_bridge();
    let mut overlap = |device: &str, net: Ipv4Net, what: &str| {
        if device != bond
            && net.prefix > 0
            && net.overlaps(subnet)
            && !said.contains(&(device.to_string(), net.subnet()))
        {
            said.push((device.to_string(), net.subnet()));
            let role = if management == Some(device) { ", the management subnet" } else { "" };
            found.push(Finding::new(
                Code::SubnetOverlap,
                format!("{subnet} overlaps {what} {} of {device}{role}: traffic would leave by the wrong device", net.subnet()),
            ));
        }
    };
    for address in &inv.kernel.addresses {
        overlap(&address.device, address.net, "the subnet");
    }
    for route in &inv.kernel.routes {
        overlap(&route.device, route.to, "the route to");
    }
    if inv.ground.gateway_device.as_deref() == Some(bond) {
        found.push(Finding::new(
            Code::DefaultRouteByBond,
            format!("/etc/sysconfig/network says GATEWAYDEV={bond}: the host's default route would go through the bond"),
        ));
    }
    if let Some(gateway) = inv.ground.gateway.filter(|gateway| subnet.contains(*gateway)) {
        found.push(
            Finding::new(
                Code::DefaultRouteByBond,
                format!("/etc/sysconfig/network says GATEWAY={gateway}, which is on the bond's subnet: the host's default route would go through the bond"),
            )
            .hint("remove GATEWAY from /etc/sysconfig/network"),
        );
    }
    // Storage that the host has by another way now is on a subnet that the management interface
    // can be routed to, and the recipe forbids that: its connections move when the bond comes up.
    for (what, server) in servers(inv) {
        if let Some(device) = inv.kernel.device_towards(server).filter(|device| *device != bond)
            && subnet.contains(server)
        {
            found.push(Finding::new(
                Code::StorageMoves,
                format!("{what} is reached at {server} through {device} now, and would be through {bond} in the midst of its work"),
            ));
        }
    }
}
