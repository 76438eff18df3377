//! The addresses and routes of this host, as the kernel tells them.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use serde::{Deserialize, Serialize};

use crate::host::{Host, OwnAddress};
use crate::net::{Ipv4Net, Route, local_addresses};
use crate::order;

/// An address of this host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Address {
    /// The device that has it.
    pub device: String,
    /// The address and its subnet.
    pub net: Ipv4Net,
}

/// `/proc/net/if_inet6`: address, index, prefix, scope, flags, device (net/ipv6/addrconf.c,
/// `if6_seq_show`). Scopes 10 and 20 are loopback and link.
pub(super) fn addresses6(text: &str) -> Vec<(String, Ipv6Addr)> {
    let one = |line: &str| {
        let [addr, _, _, scope, _, device] = line.split_whitespace().collect::<Vec<_>>()[..] else {
            return None;
        };
        let addr = Ipv6Addr::from(u128::from_str_radix(addr, 16).ok()?);
        (!["10", "20"].contains(&scope)).then(|| (device.to_string(), addr))
    };
    let mut found: Vec<_> = text.lines().filter_map(one).collect();
    order::sort(&mut found);
    found
}

/// This host's own addresses. `fib_trie` shows them without their devices, so each is given to
/// every device with a connected route that holds it; on the machine itself the kernel is asked.
pub(super) fn addresses(host: &Host, trie: Option<&str>, routes: &[Route]) -> (Vec<Address>, bool) {
    if let Some(all) = host.own_addresses() {
        return (interface_addresses(all), true);
    }
    // By prefix and subnet: a host may have tens of thousands of either.
    let mut connected: BTreeMap<u8, BTreeMap<Ipv4Net, Vec<&str>>> = BTreeMap::new();
    for route in routes.iter().filter(|r| r.gateway.is_none() && r.to.prefix > 0) {
        let of = connected.entry(route.to.prefix).or_default();
        of.entry(route.to.subnet()).or_default().push(&route.device);
    }
    let mut found = Vec::new();
    for addr in trie.map(local_addresses).unwrap_or_default() {
        let holders = connected.iter().rev().find_map(|(prefix, subnets)| {
            let net = Ipv4Net { addr, prefix: *prefix };
            subnets.get(&net.subnet()).map(|devices| (net, devices))
        });
        match holders {
            Some((net, devices)) => {
                let on = |device: &&str| Address { device: (*device).into(), net };
                found.extend(devices.iter().map(on));
            }
            None => {
                found.push(Address { device: "?".into(), net: Ipv4Net { addr, prefix: 32 } });
            }
        }
    }
    order::sort(&mut found);
    found.dedup();
    (found, trie.is_some())
}

fn interface_addresses(all: Vec<OwnAddress>) -> Vec<Address> {
    let mut found = Vec::new();
    for one in all.into_iter().filter(|one| !one.addr.is_loopback()) {
        if let Ok(net) = Ipv4Net::with_netmask(one.addr, one.mask) {
            found.push(Address { device: one.device, net });
        }
    }
    order::sort(&mut found);
    found.dedup();
    found
}
