//! The checks of a bond's networks, one by one: the device of a tag, addresses, MTU, and routes that
//! nobody asked for. Pure.

use super::check::witnesses;
use super::{Check, Setting};
use crate::inventory::Kernel;
use crate::net::{Ipv4Net, Route, StaticRoute, Tagged};
use crate::paths;
use crate::spec::{Network, Spec};

/// Addresses of hosts without any (RFC 3927).
pub const LINK_LOCAL: Ipv4Net =
    Ipv4Net { addr: std::net::Ipv4Addr::new(169, 254, 0, 0), prefix: 16 };

/// The checks of each network: that it is there, and its address.
pub(super) fn rows(spec: &Spec, kernel: &Kernel) -> Vec<Check> {
    let mut checks = Vec::new();
    for network in spec.networks() {
        if let Some(tagged) = network.tagged {
            checks.push(vlan(tagged, kernel));
            checks.push(vlan_link(tagged, kernel));
        }
        checks.push(address(spec, network, kernel));
        if let (Some(tagged), Some(mtu)) = (network.tagged, network.mtu) {
            checks.push(mtu_of(Setting::VlanMtu(tagged.clone()), network.device, mtu, kernel));
        }
        checks.extend(network.routes.iter().map(|route| route_of(route, network.device, kernel)));
    }
    checks
}

/// The checks of what nobody asked for.
pub(super) fn unasked(spec: &Spec, kernel: &Kernel) -> Vec<Check> {
    let mut checks = Vec::new();
    if spec.vlan.is_some() {
        checks.push(no_address(spec, kernel));
    }
    checks.push(default_route(spec, kernel));
    checks.push(link_local_route(spec, kernel));
    checks
}

pub(super) fn mtu_of(name: Setting, device: &str, mtu: u32, kernel: &Kernel) -> Check {
    let have = kernel.devices.get(device).and_then(|d| d.mtu);
    Check::new(name, mtu.to_string(), have.map(|mtu| mtu.to_string()))
}

/// What the device is, by its own file and by the list of all.
fn vlan(tagged: &Tagged, kernel: &Kernel) -> Check {
    let (device, below) = (tagged.as_str(), tagged.below());
    let words = |tag: u32, below: &str| format!("tag {tag} on {below}");
    let own = kernel.devices.get(device).and_then(|d| d.vlan.as_ref());
    let listed = kernel.vlans.as_ref().and_then(|all| all.get(device));
    let (have, _) =
        witnesses(own.map(|v| words(v.tag, &v.device)), listed.map(|v| words(v.tag, &v.device)));
    let there = kernel.devices.contains_key(device);
    let have =
        have.or_else(|| Some(if there { "there, and no VLAN" } else { "not there" }.to_string()));
    Check::new(Setting::Vlan(tagged.clone()), words(tagged.tag().number(), below.as_str()), have)
        .because(format!("ifup {below} does not bring it up: ifup {device}"))
}

fn vlan_link(tagged: &Tagged, kernel: &Kernel) -> Check {
    let device = kernel.devices.get(tagged.as_str());
    let set_down = device.is_none_or(|d| d.up == Some(false));
    let have = device.and_then(|d| match d.carrier {
        _ if set_down => Some("down"),
        Some(true) => Some("up"),
        Some(false) => Some("no carrier"),
        None => None,
    });
    let check = Check::new(Setting::VlanLink(tagged.clone()), "up", have.map(String::from))
        .because("it follows its bond, unless somebody has set it down");
    // Whether it is up is nobody's but ours; its carrier is that of the bond.
    if set_down { check } else { check.settling() }
}

fn address(spec: &Spec, network: Network<'_>, kernel: &Kernel) -> Check {
    let Network { device, address, .. } = network;
    let on: Vec<String> = kernel
        .addresses
        .iter()
        .filter(|a| a.net.addr == address.addr)
        .map(|a| format!("{} on {}", a.net, a.device))
        .collect();
    // Kernels before 2.6.39 may lack fib_trie: the connected route then shows the subnet only.
    let route = !kernel.addresses_known
        && kernel.routes.iter().any(|r| r.device == device && r.to == address.subnet());
    let want = format!("{address} on {device}");
    let have = if route {
        Some(want.clone())
    } else {
        Some(if on.is_empty() { "nowhere".into() } else { on.join(", ") })
    };
    let own = Some(address) == spec.address;
    let name = match network.tagged.filter(|_| !own) {
        Some(tagged) => Setting::VlanAddress(tagged.clone()),
        None => Setting::Address,
    };
    Check::new(name, want, have)
        .because("ifup leaves a device without address when another host answers for it")
}

/// A route as the kernel has it: `ifup` says nothing of one that it could not set.
fn route_of(route: &StaticRoute, device: &str, kernel: &Kernel) -> Check {
    let there = kernel.routes.iter().filter(|r| r.to == route.to);
    let words = |r: &Route| match r.gateway {
        Some(gateway) => format!("via {gateway} on {}", r.device),
        None => format!("on {}", r.device),
    };
    let all: Vec<String> = there.map(words).collect();
    let have = if all.is_empty() { "not there".into() } else { all.join(", ") };
    Check::new(Setting::Route(route.to), format!("via {} on {device}", route.via), Some(have))
        .because(format!("ifup {device} sets it from {}", paths::routes(device)))
}

/// A bond whose own network has a tag has no address of its own.
fn no_address(spec: &Spec, kernel: &Kernel) -> Check {
    let bond = spec.bond.as_str();
    let on = kernel.addresses.iter().filter(|a| a.device == bond);
    let on: Vec<String> = on.map(|a| a.net.to_string()).collect();
    let have = if on.is_empty() { "none".into() } else { on.join(", ") };
    Check::new(Setting::NoAddress(spec.bond.clone()), "none", Some(have))
        .because("the address belongs on the tag: look into its ifcfg file")
}

/// Through which of the bond's devices a route leads.
fn leads(spec: &Spec, to: Ipv4Net, kernel: &Kernel) -> String {
    let own = std::iter::once(spec.bond.as_str()).chain(spec.networks().map(|one| one.device));
    let mut devices = own.chain(spec.tagged().map(Tagged::as_str));
    let through = |device: &&str| kernel.routes.iter().any(|r| r.device == **device && r.to == to);
    match devices.find(through) {
        Some(device) => format!("through {device}"),
        None => no_way(spec),
    }
}

/// That no route leads there.
fn no_way(spec: &Spec) -> String {
    match spec.is_storage_nic() {
        true => format!("not through {}", spec.bond),
        false => "not through the bond".into(),
    }
}

pub(super) fn default_route(spec: &Spec, kernel: &Kernel) -> Check {
    let default = Ipv4Net { addr: [0, 0, 0, 0].into(), prefix: 0 };
    Check::new(Setting::DefaultRoute, no_way(spec), Some(leads(spec, default, kernel)))
        .because("remove GATEWAY from its ifcfg file: it takes the default route from the management interface")
}

/// What the boot scripts add without `NOZEROCONF` (tests/ground/initscripts.md, F4).
fn link_local_route(spec: &Spec, kernel: &Kernel) -> Check {
    let have = leads(spec, LINK_LOCAL, kernel);
    Check::new(Setting::LinkLocalRoute, "not through the bond", Some(have))
        .because("NOZEROCONF=yes is missing in its ifcfg file")
}
