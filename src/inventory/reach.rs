//! The addresses and routes of this host, as the kernel tells them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use crate::host::{Host, OwnAddress};
use crate::net::{Ipv4Net, Route};
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

/// The `host LOCAL` leaves of `/proc/net/fib_trie` (net/ipv4/fib_trie.c, `fib_trie_seq_show`):
/// an address on a `|--` line, its uses on the lines below it.
fn local_addresses(trie: &str) -> BTreeSet<Ipv4Addr> {
    let mut found = BTreeSet::new();
    let mut leaf = None;
    for line in trie.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("|-- ") {
            leaf = text.parse::<Ipv4Addr>().ok();
        } else if line == "/32 host LOCAL"
            && let Some(addr) = leaf.filter(|a| !a.is_loopback())
        {
            found.insert(addr);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_local_addresses_from_the_trie() {
        let text = "\
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     |-- 172.16.51.0
        /24 link UNICAST
Local:
  +-- 0.0.0.0/0 3 0 5
     |-- 127.0.0.1
        /32 host LOCAL
     |-- 172.16.51.11
        /32 host LOCAL
     |-- 172.16.51.255
        /32 link BROADCAST
";
        let found: Vec<String> = local_addresses(text).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["172.16.51.11"]);
    }
}
