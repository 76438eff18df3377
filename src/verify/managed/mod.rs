//! Is a bond that XAPI manages as XAPI has it, whoever had it made? XAPI's record against the
//! kernel or Open vSwitch, row by row, as of the bonds that xenbond makes.

mod asked;
mod kernel;
mod vswitch;

use std::time::Duration;

use anyhow::Result;

pub(super) use asked::judge;

use super::{BASE, Check, LACP, Setting, Verdict, excuse, hindering};
use crate::host::Host;
use crate::inventory::{Carrier, Inventory, Kernel, Managed, Nic};
use crate::net::{BondMode, IfName, Ipv4Net, MacAddr};
use crate::paths;
use crate::preflight::Code;

/// The delays that XAPI sets (tests/ground/managed.md, F1), in ms.
const UPDELAY: u32 = 31_000;
const DOWNDELAY: u32 = 200;

/// How long all may take with these delays, without LACP.
pub(super) const USUAL: Duration = Duration::from_secs(35);

/// What is typed where the host is not as XAPI has it.
const AGAIN: &str = "XAPI has it otherwise: xe pif-plug of the bond's PIF, or a restart of the toolstack, makes it again";

/// The longest pause between two readings: Open vSwitch is asked by programs.
const PAUSE: Duration = Duration::from_secs(1);

/// How long all may take to be as XAPI has it: a link that comes back is used after `updelay`.
#[must_use]
pub fn limit(bond: &Managed) -> Duration {
    let delay = bond.setting("updelay", UPDELAY).unwrap_or(UPDELAY);
    let lacp = if bond.mode() == Some(BondMode::Ieee8023ad) { LACP } else { Duration::ZERO };
    // Links need no program to be seen.
    BASE.min(Duration::from_secs(4)) + lacp + Duration::from_millis(delay.into())
}

/// The verdict on a bond. It waits until all that can settle has, or `within` has passed.
///
/// # Errors
/// When the kernel cannot be read.
pub fn managed(
    host: &Host,
    inv: &Inventory,
    bond: &Managed,
    within: Duration,
    waits: &mut dyn FnMut(&str),
) -> Result<Verdict> {
    let mut checks = settled(host, inv, bond, within, &[], waits)?;
    checks.push(asked::on_disk(host, inv, bond));
    Ok(Verdict { bond: bond.device.clone(), checks })
}

/// The rows, once all that can settle has, or `within` has passed.
fn settled(
    host: &Host,
    inv: &Inventory,
    bond: &Managed,
    within: Duration,
    accepted: &[Code],
    waits: &mut dyn FnMut(&str),
) -> Result<Vec<Check>> {
    let start = host.clock().elapsed();
    let mut pause = Duration::from_millis(50);
    let mut told = String::new();
    loop {
        let carrier = Carrier::read(host, inv, bond.device.as_str());
        let mut checks = rows(inv, bond, &Kernel::read(host)?, &carrier);
        excuse(&mut checks, accepted);
        let bad = hindering(&checks);
        let left = within.saturating_sub(host.clock().elapsed().saturating_sub(start));
        if bad.iter().all(|check| !check.settles) || left.is_zero() {
            return Ok(checks);
        }
        let what = bad.iter().find(|check| check.settles).map(|check| check.name.to_string());
        let what = what.unwrap_or_default();
        if what != told {
            waits(&what);
            told = what;
        }
        host.clock().pause(pause.min(left));
        pause = (pause * 2).min(PAUSE);
    }
}

/// Every check that one reading of the kernel and of who carries the bond answers. Pure.
#[must_use]
pub fn rows(inv: &Inventory, bond: &Managed, kernel: &Kernel, carrier: &Carrier) -> Vec<Check> {
    let plugged = if bond.pif.attached { "plugged" } else { "not plugged" };
    let mut checks = vec![
        Check::new(Setting::InXapi(bond.device.clone()), "plugged", Some(plugged.into()))
            .because(format!("xe pif-plug uuid={}", bond.pif.uuid)),
    ];
    let nics = nics(bond, kernel);
    checks.extend(match carrier {
        Carrier::Kernel => kernel::rows(bond, &nics, kernel),
        Carrier::Vswitch(read) => vswitch::rows(bond, &nics, kernel, read.as_deref()),
    });
    checks.extend(on_top(inv, bond, kernel));
    let devices = nics.iter().map(|nic| &nic.device);
    // Beside an Open vSwitch one of that name is the driver's own.
    let kernel_bond = Some(&bond.device).filter(|device| {
        matches!(carrier, Carrier::Kernel) && kernel.bonds.contains_key(device.as_str())
    });
    checks.extend(devices.chain(kernel_bond).map(|device| mtu(device, bond, kernel)));
    checks
}

/// Its slaves with the addresses that they are to have. An old XAPI that reads sysfs has noted the
/// bond's for each, which says nothing of which NIC it is (tests/ground/xapi.md, B2).
fn nics(bond: &Managed, kernel: &Kernel) -> Vec<Nic> {
    let all = bond.nics();
    let noted = all.iter().filter(|(_, mac)| *mac == bond.pif.mac).count();
    let nic = |(device, mac): (IfName, MacAddr)| {
        let misled = noted > 1 && mac == bond.pif.mac;
        let own = kernel.permanent_mac(device.as_str()).filter(|_| misled);
        Nic { device, mac: own.unwrap_or(mac), pif: None }
    };
    all.into_iter().map(nic).collect()
}

/// The mode, which must be known to agree.
fn mode(bond: &Managed, have: Option<BondMode>, text: Option<&String>) -> Check {
    let want = bond.mode().map(|mode| mode.name().to_string());
    let known = want.is_some();
    let want = want.unwrap_or_else(|| match bond.mode_word() {
        Some(word) => crate::net::shown(word),
        None => "what XAPI does not say".to_string(),
    });
    let have = have.map(|mode| mode.name().to_string()).or_else(|| text.cloned());
    let check = Check::new(Setting::Mode, want, have).because(AGAIN);
    if known { check } else { Check { ok: false, ..check } }
}

/// Which slave is active: the primary where there is one, else any.
fn active(have: Option<&String>, primary: Option<&String>) -> Check {
    let want = primary.or(have).cloned().unwrap_or_else(|| "one of the slaves".into());
    Check::new(Setting::ActiveSlave, want, have.cloned())
        .settling()
        .because("no slave, or not the primary, carries the traffic")
}

/// What lies on the bond's bridge: address, MTU, default route, and the host's management.
fn on_top(inv: &Inventory, bond: &Managed, kernel: &Kernel) -> Vec<Check> {
    let Some(bridge) = bond.bridge().and_then(|name| name.parse::<IfName>().ok()) else {
        let have = Some("the bond's network is not known".to_string());
        return vec![Check::new(Setting::Bridge(bond.device.clone()), "a network", have)];
    };
    let mut checks = Vec::new();
    if bond.pif.management {
        let have = inv.management_bridge().map(String::from);
        checks.push(
            Check::new(Setting::ManagementInterface, bridge.as_str(), have)
                .because(format!("{} names another: xe-toolstack-restart", paths::INVENTORY)),
        );
    }
    checks.push(address(bond, bridge.as_str(), kernel));
    checks.push(mtu(&bridge, bond, kernel));
    checks.push(default_route(inv, bond, bridge.as_str(), kernel));
    checks
}

fn joined(all: Vec<String>) -> String {
    if all.is_empty() { "none".into() } else { all.join(", ") }
}

fn address(bond: &Managed, bridge: &str, kernel: &Kernel) -> Check {
    let here = || kernel.addresses.iter().filter(|a| a.device == bridge);
    let on_bridge: Vec<String> = here().map(|a| a.net.to_string()).collect();
    let (want, have) = match (bond.address(), bond.pif.ip_mode().as_str()) {
        (Some(address), _) => {
            let on = kernel.addresses.iter().filter(|a| a.net.addr == address.addr);
            let on: Vec<String> = on.map(|a| format!("{} on {}", a.net, a.device)).collect();
            (format!("{address} on {bridge}"), joined(on))
        }
        (None, "dhcp") if !on_bridge.is_empty() => {
            let have = format!("one by DHCP on {bridge}");
            (have.clone(), have)
        }
        (None, "dhcp") => (format!("one by DHCP on {bridge}"), "none".into()),
        (None, "none") => ("none".to_string(), joined(on_bridge)),
        (None, _) => {
            let want = "the static one that XAPI does not tell".to_string();
            return Check::new(Setting::Address, want, None);
        }
    };
    Check::new(Setting::Address, want, Some(have))
        .settling()
        .because("XAPI and the host differ: xe pif-reconfigure-ip of the bond's PIF, with what it has, sets it again")
}

fn mtu(device: &IfName, bond: &Managed, kernel: &Kernel) -> Check {
    let have = kernel.devices.get(device.as_str()).and_then(|d| d.mtu).map(|mtu| mtu.to_string());
    let name = Setting::Mtu(device.clone());
    match bond.mtu() {
        Some(mtu) => Check::new(name, mtu.to_string(), have)
            .because("the network's MTU is set when the bond is plugged: unplug and plug its PIF"),
        None => {
            let check = Check::new(name, "what XAPI does not say", have);
            Check { ok: false, ..check }
        }
    }
}

/// Through the bond where the host's default route is to be, and not elsewhere.
fn default_route(inv: &Inventory, bond: &Managed, bridge: &str, kernel: &Kernel) -> Check {
    let default = Ipv4Net { addr: [0, 0, 0, 0].into(), prefix: 0 };
    let through: Vec<String> = kernel
        .routes
        .iter()
        .filter(|route| route.to == default && route.device == bridge)
        .map(|route| route.gateway.map_or_else(|| "no gateway".into(), |via| format!("via {via}")))
        .collect();
    let ordered = inv.xapi.as_ref().and_then(|xapi| xapi.gateway.as_ref());
    let ours = ordered.map_or(bond.pif.management, |pif| *pif == bond.pif.uuid);
    let gateway = bond.pif.ip.get("gateway").filter(|_| ours);
    let none = "not through the bond".to_string();
    let want = gateway.map_or_else(|| none.clone(), |gateway| format!("via {gateway}"));
    let have = if through.is_empty() { none } else { through.join(", ") };
    Check::new(Setting::DefaultRoute, want, Some(have))
        .settling()
        .because("XAPI and the host differ: ip route; xe pif-list params=device,gateway")
}
