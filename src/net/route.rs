//! The kernel's routes, as `/proc/net/route` lists them, and its own addresses among them.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::Ipv4Net;

/// A route of the main table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// The device it goes out by.
    pub device: String,
    /// Where it leads; `0.0.0.0/0` is the default route.
    pub to: Ipv4Net,
    /// The router, when it does not lead to a subnet of this host's own.
    pub gateway: Option<Ipv4Addr>,
    /// Of several routes to one place the kernel takes that of the smallest.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub metric: u32,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(metric: &u32) -> bool {
    *metric == 0
}

impl Route {
    /// Those of a text; addresses are hexadecimal numbers in the machine's own byte order.
    ///
    /// # Errors
    /// When a line is not as the kernel writes it.
    pub fn all(text: &str) -> Result<Vec<Self>> {
        let mut routes = Vec::new();
        for line in text.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let [device, to, gateway, flags, _, _, metric, mask, ..] = fields[..] else { continue };
            let addr = |hex: &str| -> Result<Ipv4Addr> {
                let bits = u32::from_str_radix(hex, 16)
                    .with_context(|| format!("reading /proc/net/route: `{hex}`"))?;
                Ok(Ipv4Addr::from(bits.swap_bytes()))
            };
            // RTF_UP; RTF_REJECT routes go nowhere.
            let flags = u32::from_str_radix(flags, 16).unwrap_or(0);
            if flags & 1 == 0 || flags & 0x200 != 0 {
                continue;
            }
            routes.push(Self {
                device: device.to_string(),
                to: Ipv4Net::with_netmask(addr(to)?, addr(mask)?)?,
                gateway: Some(addr(gateway)?).filter(|g| !g.is_unspecified()),
                metric: metric.parse().unwrap_or(0),
            });
        }
        Ok(routes)
    }
}

/// The `host LOCAL` leaves of `/proc/net/fib_trie` (net/ipv4/fib_trie.c, `fib_trie_seq_show`):
/// an address on a `|--` line, its uses on the lines below it.
#[must_use]
pub fn local_addresses(trie: &str) -> BTreeSet<Ipv4Addr> {
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
    fn reads_routes_in_the_machines_byte_order() {
        let text = "\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
xenbr0\t00000000\t0100140A\t0003\t0\t0\t0\t00000000\t0\t0\t0
xenbr0\t0000140A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
bond51\t003310AC\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
";
        let routes = Route::all(text).unwrap();
        assert_eq!(routes.len(), 3);
        assert_eq!(routes[0].gateway, Some("10.20.0.1".parse().unwrap()));
        assert_eq!(routes[0].to.to_string(), "0.0.0.0/0");
        assert_eq!(routes[2].to.to_string(), "172.16.51.0/24");
        assert_eq!(routes[2].gateway, None);
    }

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
