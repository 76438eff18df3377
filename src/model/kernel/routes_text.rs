//! `/proc/net/route` and `/proc/net/fib_trie` as the kernel prints them
//! (net/ipv4/fib_trie.c: `fib_route_seq_show`, `fib_trie_seq_show`).

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::Ipv4Addr;

use crate::model::state::{Dom0, Flavour};
use crate::net::Ipv4Net;
use crate::order;

/// The text of `/proc/net/route`: the main table, every line padded to 127 characters.
pub(crate) fn route(dom0: &Dom0) -> String {
    let head =
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT";
    let mut text = format!("{head:<127}\n");
    let mut rows: Vec<_> =
        dom0.routes.values().filter_map(|r| Some((r.to.parse::<Ipv4Net>().ok()?, r))).collect();
    order::sort_by_key(&mut rows, |(net, r)| (net.addr, net.prefix, r.metric));
    for (net, route) in rows {
        let hex = |ip: Ipv4Addr| u32::from_le_bytes(ip.octets());
        let via = route.via.as_ref().and_then(|v| v.parse().ok());
        let gateway: Ipv4Addr = via.unwrap_or(Ipv4Addr::UNSPECIFIED);
        let flags = 1 + if via.is_some() { 2 } else { 0 } + if net.prefix == 32 { 4 } else { 0 };
        let line = format!(
            "{}\t{:08X}\t{:08X}\t{flags:04X}\t0\t0\t{}\t{:08X}\t0\t0\t0",
            route.dev,
            hex(net.addr),
            hex(gateway),
            route.metric,
            hex(net.netmask())
        );
        let _ = writeln!(text, "{line:<127}");
    }
    text
}

type Leaves = BTreeMap<Ipv4Addr, Vec<(u8, &'static str, &'static str)>>;

/// The text of `/proc/net/fib_trie`. Since 4.1 both tables share one trie and both are printed
/// whole.
pub(crate) fn fib_trie(dom0: &Dom0) -> String {
    let (mut main, mut local) = (Leaves::new(), Leaves::new());
    let mut put = |to_main: bool, ip: Ipv4Addr, entry: (u8, &'static str, &'static str)| {
        let tables = if dom0.flavour == Flavour::El7 {
            [Some(&mut main), Some(&mut local)]
        } else if to_main {
            [Some(&mut main), None]
        } else {
            [Some(&mut local), None]
        };
        for table in tables.into_iter().flatten() {
            let list = table.entry(ip).or_default();
            if !list.contains(&entry) {
                list.push(entry);
                order::sort_by_key(list, |(prefix, ..)| std::cmp::Reverse(*prefix));
            }
        }
    };
    for route in dom0.routes.values() {
        if let Ok(net) = route.to.parse::<Ipv4Net>() {
            let scope = if route.via.is_some() { "universe" } else { "link" };
            put(true, net.addr, (net.prefix, scope, "UNICAST"));
        }
    }
    let mut own: Vec<(String, bool)> = vec![("127.0.0.1/8".to_string(), true)];
    for (dev, list) in &dom0.addresses {
        own.extend(list.iter().map(|a| (a.clone(), dom0.is_up(dev))));
    }
    for (address, up) in own {
        let Ok(net) = address.parse::<Ipv4Net>() else { continue };
        put(false, net.addr, (32, "host", "LOCAL"));
        if net.addr.is_loopback() {
            put(false, net.subnet().addr, (8, "host", "LOCAL"));
        }
        if up && net.prefix < 31 {
            let last = u32::from(net.subnet().addr) | !u32::from(net.netmask());
            put(false, net.subnet().addr, (32, "link", "BROADCAST"));
            put(false, Ipv4Addr::from(last), (32, "link", "BROADCAST"));
        }
    }
    let mut text = String::new();
    for (name, table) in [("Main", &main), ("Local", &local)] {
        let _ = writeln!(text, "{name}:");
        let keys: Vec<u32> = table.keys().map(|ip| u32::from(*ip)).collect();
        node(&mut text, &keys, table, 0);
    }
    text
}

/// One node: a leaf, or the shortest prefix at which the keys part.
fn node(text: &mut String, keys: &[u32], table: &Leaves, depth: usize) {
    let pad = "   ".repeat(depth);
    match keys {
        [] => {}
        [key] => {
            let ip = Ipv4Addr::from(*key);
            let _ = writeln!(text, "{pad}  |-- {ip}");
            for (prefix, scope, kind) in &table[&ip] {
                let _ = writeln!(text, "{pad}     /{prefix} {scope} {kind}");
            }
        }
        [first, .., last] => {
            let same = (first ^ last).leading_zeros();
            let shown = if depth == 0 { 0 } else { same };
            let base = Ipv4Addr::from(first & u32::MAX.checked_shl(32 - shown).unwrap_or(0));
            let (low, high) = keys.split_at(keys.partition_point(|k| k & (1 << (31 - same)) == 0));
            let empty = u32::from(depth == 0) * (same + 1).min(4);
            let _ = writeln!(text, "{pad}  +-- {base}/{shown} 1 0 {empty}");
            node(text, low, table, depth + 1);
            node(text, high, table, depth + 1);
        }
    }
}
