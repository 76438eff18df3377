//! The checks of a NIC that XAPI keeps: what the kernel shows of it and of its bridge, and what XAPI
//! has of it, each against what was asked. Pure.

use super::kernel::without_bond;
use super::{Check, Setting, networks};
use crate::inventory::{Inventory, Kernel, Nic};
use crate::net::IfName;
use crate::spec::Spec;
use crate::step::{NetworkSettings, PURPOSE};
use crate::xe::{Network, Pif, STATIC_ROUTES};

/// What XAPI's clients are to show that a storage NIC is for.
pub const STORAGE: &str = "Storage";

/// The master of every port of Open vSwitch.
const OVS: &str = "ovs-system";

/// Every check that one reading of the kernel answers.
pub(super) fn kernel(spec: &Spec, nics: &[Nic], kernel: &Kernel) -> Vec<Check> {
    let bridge = spec.managed().and_then(|managed| managed.bridge.as_ref());
    let mut checks = Vec::new();
    for nic in nics {
        let device = nic.device.as_str();
        let mac = Setting::PermanentMac(nic.device.clone());
        let check = Check::new(mac, nic.mac.to_string(), Some(without_bond(nic, kernel)));
        checks
            .push(check.because("names of NICs move when hardware changes: see interface-rename"));
        let carrier = kernel.devices.get(device).and_then(|device| device.carrier);
        let have = carrier.map(|up| if up { "up" } else { "down" }.to_string());
        // Without it nothing is left: it is the whole's.
        let link = Check::new(Setting::BondLink(nic.device.clone()), "up", have);
        checks.push(link.settling().because(format!("check cable and switch port of {device}")));
        checks.extend(bridge.map(|bridge| port(nic, bridge, kernel)));
    }
    let again = "XAPI sets it when it plugs the NIC: xenbond apply again";
    checks.extend(networks::rows(spec, kernel).into_iter().map(|check| check.because(again)));
    if let Some(mtu) = spec.mtu {
        for device in nics.iter().map(|nic| &nic.device).chain(bridge) {
            let name = Setting::Mtu(device.clone());
            let check = networks::mtu_of(name, device.as_str(), mtu, kernel);
            checks.push(check.because(again));
        }
    }
    let default = networks::default_route(spec, kernel);
    checks.push(default.because("look into other-config:defaultroute of the host's PIFs"));
    checks
}

/// Whether the bridge that has the address has the NIC.
fn port(nic: &Nic, bridge: &IfName, kernel: &Kernel) -> Check {
    let master = kernel.devices.get(nic.device.as_str()).and_then(|d| d.master.clone());
    let there = kernel.devices.contains_key(bridge.as_str());
    // Open vSwitch has one for all its bridges.
    let have = match master {
        Some(master) if master == OVS && there => bridge.to_string(),
        Some(master) => master,
        None => "nothing".into(),
    };
    Check::new(Setting::Port(nic.device.clone()), bridge.as_str(), Some(have))
        .because("XAPI makes it a port when it plugs it: xe pif-plug uuid=...")
}

/// The checks of XAPI's records of the NICs; of a record that is `unclear` nothing is known.
pub(super) fn xapi(
    spec: &Spec,
    nics: &[Nic],
    pifs: Option<&[Pif]>,
    unclear: &dyn Fn(&str) -> bool,
) -> Vec<Check> {
    let mut checks = Vec::new();
    for nic in nics {
        let device = &nic.device;
        let clear = pifs.filter(|_| !unclear(device.as_str()));
        let of = |all: &'_ [Pif]| {
            all.iter().find(|pif| pif.is_nic() && pif.device == device.as_str()).cloned()
        };
        let pif = clear.map(of);
        let state = |pif: &Option<Pif>| match pif {
            None => "no PIF",
            Some(pif) if !pif.is_managed() => "left alone",
            Some(pif) if pif.attached => "managed and plugged",
            Some(_) => "managed, and not plugged",
        };
        let have = pif.as_ref().map(|pif| state(pif).to_string());
        let silent = "XAPI does not answer, or its record was not understood: xe pif-list";
        let hint = if pif.is_none() { silent } else { "xenbond apply again" };
        let row = Check::new(Setting::InXapi(device.clone()), "managed and plugged", have);
        checks.push(row.because(hint));
        let Some(Some(pif)) = pif else { continue };
        // Its maps may not have been asked for; each NIC's PIF has one key of one of them.
        let whole = !pif.other_config.is_empty() || !pif.properties.is_empty();
        checks.extend(record(spec, device, &pif, whole));
    }
    checks
}

/// The checks of one record, which is read `whole` or without what people wrote.
pub(super) fn record(spec: &Spec, device: &IfName, pif: &Pif, whole: bool) -> Vec<Check> {
    let again = "somebody has changed it since: xenbond apply again";
    let mut checks = Vec::new();
    if let Some(asked) = spec.address {
        let have = match (pif.ip.address(), pif.ip.get("gateway")) {
            (Some(net), None) => net.to_string(),
            (Some(net), Some(gateway)) => format!("{net} with the gateway {gateway}"),
            (None, _) => pif.ip_mode(),
        };
        let name = Setting::AddressInXapi(device.clone());
        checks.push(Check::new(name, asked.to_string(), Some(have)).because(again));
    }
    let name = Setting::DisallowUnplug(device.clone());
    let have = pif.disallow_unplug.to_string();
    checks.push(Check::new(name, "true", Some(have)).because(again));
    if whole {
        let have = pif.other_config.get(PURPOSE).map_or("none", String::as_str);
        let name = Setting::Purpose(device.clone());
        checks.push(Check::new(name, STORAGE, Some(have.into())).because(again));
    }
    checks
}

/// The checks that waiting does not change: XAPI's records of the NICs and of their network.
pub(super) fn settled(spec: &Spec, nics: &[Nic], inv: &Inventory) -> Vec<Check> {
    let xapis = inv.xapi.as_ref();
    let unclear = |device: &str| xapis.is_some_and(|xapi| xapi.odd_of(device).is_some());
    let mut checks = xapi(spec, nics, xapis.map(|x| x.pifs.as_slice()), &unclear);
    let pif = nics.iter().find_map(|nic| xapis?.nic(nic.device.as_str()));
    let network = pif.and_then(|pif| xapis?.networks.iter().find(|n| n.uuid == pif.network));
    let Some(network) = network else { return checks };
    checks.extend(self::network(spec, network));
    checks
}

/// The checks of what XAPI gives by a network.
pub(super) fn network(spec: &Spec, network: &Network) -> Vec<Check> {
    let mut checks = Vec::new();
    let hint =
        "XAPI gives the NIC what its network has when it is next plugged: xenbond apply again";
    if let Some(mtu) = spec.mtu {
        let have = network.mtu.map(|mtu| mtu.to_string());
        checks.push(Check::new(Setting::NetworkField("MTU"), mtu.to_string(), have).because(hint));
    }
    if let Some(routes) = NetworkSettings::routes_of(&spec.routes) {
        let have = network.static_routes.clone().unwrap_or_else(|| "none".into());
        let name = Setting::NetworkField(STATIC_ROUTES);
        checks.push(Check::new(name, routes, Some(have)).because(hint));
    }
    checks
}
