//! The checks of the running kernel: what was asked for, against `/proc` and `/sys`, and these
//! against each other. Pure.

use super::check::witnesses;
use super::{Check, Setting, lacp, networks};
use crate::bonding::BondStatus;
use crate::inventory::Nic;
use crate::inventory::{DeviceKind, Kernel};
use crate::net::{BondMode, IfName};
use crate::options::{Opt, Row, Value};
use crate::order;
use crate::paths;
use crate::preflight::Code;
use crate::spec::Spec;

/// Every check of a bond that one reading of the kernel answers.
pub(super) fn kernel(spec: &Spec, nics: &[Nic], kernel: &Kernel) -> Vec<Check> {
    let spec =
        &spec.with_devices(|mac| nics.iter().find(|n| n.mac == mac).map(|n| n.device.clone()));
    let bond = spec.bond.as_str();
    let Some(status) = kernel.bond(bond) else {
        return vec![
            Check::new(Setting::Bond(spec.bond.clone()), "there", Some("not there".into()))
                .because(format!("{} is missing: ifup {bond}", paths::proc_bonding(bond))),
        ];
    };
    let mut checks = vec![driver(&status), mode(spec, &status, kernel)];
    for (row, value) in spec.options.iter() {
        checks.push(option(spec, row, value, &status, kernel));
    }
    checks.push(slaves(bond, nics, &status, kernel).because(
        "a NIC that a bridge or another bond holds is not enslaved, and ifup says nothing",
    ));
    let arp = spec.options.number(Opt::ArpInterval).is_some_and(|ms| ms > 0);
    for nic in nics {
        checks.extend(slave(arp, nic, &status, kernel));
    }
    checks.extend(equal_links(nics, &status, kernel));
    checks.push(bond_link(&spec.bond, &status, kernel));
    checks.extend(active_slave(spec, &status, kernel));
    if spec.mode == BondMode::Ieee8023ad {
        checks.extend(lacp::rows(nics, &status));
    }
    checks.extend(networks::rows(spec, kernel));
    if let Some(mtu) = spec.mtu {
        for device in std::iter::once(&spec.bond).chain(nics.iter().map(|n| &n.device)) {
            let name = Setting::Mtu(device.clone());
            checks.push(networks::mtu_of(name, device.as_str(), mtu, kernel));
        }
    }
    checks.extend(networks::unasked(spec, kernel));
    checks
}

/// What nobody asked for: a VLAN device, another device, a further address.
pub(super) fn carries_more(spec: &Spec, kernel: &Kernel) -> Option<Check> {
    let more = kernel.beside(spec);
    let hint = "it goes when the bond is taken down, by a change or a rollback";
    let check = || Check::new(Setting::Carries, "its address alone", Some(more.join(", ")));
    (!more.is_empty()).then(|| check().because(hint))
}

/// Open vSwitch of old imitates the file (tests/ground/xapi.md, F3).
pub(super) fn driver(status: &BondStatus) -> Check {
    let have = match status.is_kernel_driver() {
        Some(true) => Some("the kernel's".into()),
        Some(false) => status.driver_version.clone(),
        None => None,
    };
    Check::new(Setting::Driver, "the kernel's", have)
        .because("another program imitates the bonding driver: is the running backend bridge?")
}

fn mode(spec: &Spec, status: &BondStatus, kernel: &Kernel) -> Check {
    let proc = status.mode.map(|m| m.name().to_string()).or_else(|| status.mode_text.clone());
    let sys = kernel.bond_option(spec.bond.as_str(), "mode");
    let sys = sys.and_then(|text| text.split_whitespace().next().map(String::from));
    let (have, contradiction) = witnesses(proc, sys);
    Check::new(Setting::Mode, spec.mode.name(), have)
        .because(contradiction.unwrap_or_else(|| "a mode can be set only while the bond has no slaves; the boot scripts report success all the same".into()))
}

fn option(spec: &Spec, row: &Row, value: &Value, status: &BondStatus, kernel: &Kernel) -> Check {
    let normal = |text: String| row.normal(&text);
    let proc = row.proc.and_then(|read| read(status)).map(normal);
    let sys = kernel.bond_option(spec.bond.as_str(), row.name).map(|text| row.normal(text));
    let (mut have, contradiction) = witnesses(proc, sys);
    if row.opt == Opt::Miimon && *value == Value::Number(0) && have.is_none() {
        have = Some("0".into());
    }
    let hint = match row.opt {
        Opt::Miimon => {
            "link monitoring is not what was asked for: module options are ignored when the driver is already loaded"
        }
        _ => "the driver did not take the option; `dmesg | grep bond` tells why",
    };
    Check::new(Setting::Option(row.opt), row.normal(&value.to_string()), have)
        .because(contradiction.unwrap_or_else(|| hint.into()))
}

fn joined(mut names: Vec<&str>) -> String {
    order::sort(&mut names);
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

pub(super) fn slaves(bond: &str, nics: &[Nic], status: &BondStatus, kernel: &Kernel) -> Check {
    let want = joined(nics.iter().map(|n| n.device.as_str()).collect());
    let proc = joined(status.slaves.iter().map(|s| s.name.as_str()).collect());
    let sys = kernel.bond_option(bond, "slaves");
    let sys = sys.map(|text| joined(text.split_whitespace().collect()));
    let (have, contradiction) = witnesses(Some(proc), sys);
    let check = Check::new(Setting::Slaves, want, have);
    // Read one after the other, the two may be of different moments.
    match contradiction {
        Some(contradiction) => check.because(contradiction).settling(),
        None => check,
    }
}

pub(super) fn slave(arp: bool, nic: &Nic, status: &BondStatus, kernel: &Kernel) -> Vec<Check> {
    let device = nic.device.as_str();
    let mac = Setting::PermanentMac(nic.device.clone());
    let Some(slave) = status.slave(device) else {
        return vec![
            Check::new(mac, nic.mac.to_string(), Some(without_bond(nic, kernel)))
                .because("names of NICs move when hardware changes: see interface-rename"),
        ];
    };
    let carrier = kernel.devices.get(device).and_then(|d| d.carrier);
    let mii = slave.mii_status.clone();
    let (have, hint) = match (mii.as_deref(), carrier) {
        (Some("up"), Some(false)) => (
            Some("up in /proc, no carrier in /sys".to_string()),
            "the driver does not see that the cable is out: is link monitoring on?".to_string(),
        ),
        (Some("down"), Some(true)) if arp => (
            Some("down in /proc, carrier in /sys".to_string()),
            "the link is there, and no arp_ip_target answers through it".to_string(),
        ),
        (Some("down"), Some(true)) => (
            Some("down in /proc, carrier in /sys".to_string()),
            "the driver does not see that the link is there: is link monitoring on?".to_string(),
        ),
        _ => (mii, format!("check cable and switch port of {device}")),
    };
    vec![
        Check::new(mac, nic.mac.to_string(), slave.perm_hwaddr.clone())
            .because("another NIC has taken this name"),
        Check::new(Setting::Link(nic.device.clone()), "up", have).settling().because(hint),
    ]
}

/// The MAC address of a NIC that is no slave, or where the NIC that is meant has gone.
pub(super) fn without_bond(nic: &Nic, kernel: &Kernel) -> String {
    let plain = |name: &&String| kernel.devices[*name].kind == DeviceKind::Plain;
    let mut others = kernel.devices.keys().filter(plain);
    match kernel.permanent_mac(nic.device.as_str()) {
        Some(mac) if mac == nic.mac => mac.to_string(),
        have => {
            let have = have.map_or_else(|| "no such device".into(), |mac| mac.to_string());
            match others.find(|name| kernel.permanent_mac(name) == Some(nic.mac)) {
                Some(other) => format!("{have}; it is {other} that has this MAC"),
                None => have,
            }
        }
    }
}

/// Speed and duplex, which must be known and the same on all slaves whose link is up; that of a
/// slave whose link is down says nothing, and its own row names it.
pub(super) fn equal_links(nics: &[Nic], status: &BondStatus, kernel: &Kernel) -> Vec<Check> {
    let is_up = |nic: &&Nic| {
        let slave = status.slave(nic.device.as_str());
        slave.is_some_and(|s| s.mii_status.as_deref() == Some("up"))
    };
    let up: Vec<&Nic> = nics.iter().filter(is_up).collect();
    let device = |nic: &Nic| kernel.devices.get(nic.device.as_str());
    let of = |read: &dyn Fn(&Nic) -> Option<String>| -> Vec<Option<String>> {
        up.iter().map(|nic| read(nic)).collect()
    };
    let speeds = of(&|nic| {
        let proc = status.slave(nic.device.as_str()).and_then(|s| s.speed_mbps);
        proc.or_else(|| device(nic)?.speed).map(|mbps| format!("{mbps} Mb/s"))
    });
    let duplexes = of(&|nic| {
        let proc = status.slave(nic.device.as_str()).and_then(|s| s.duplex.clone());
        proc.or_else(|| device(nic)?.duplex.clone()).map(|d| d.to_ascii_lowercase())
    });
    [(Setting::Speed, speeds), (Setting::Duplex, duplexes)]
        .into_iter()
        .map(|(name, values)| {
            let equal = values.iter().all(|value| value.is_some() && *value == values[0]);
            let have = if equal {
                "the same on all".to_string()
            } else {
                let each = up.iter().zip(&values).map(|(nic, value)| {
                    format!("{} {}", nic.device, value.as_deref().unwrap_or("unknown"))
                });
                each.collect::<Vec<_>>().join(", ")
            };
            // What a driver does not tell no switch port mends.
            let silent = up.iter().zip(&values).find(|(_, value)| value.is_none());
            let hint = match silent {
                Some((nic, _)) => format!(
                    "the driver of {0} tells none (as in a virtual machine): ethtool {0}; where it never does, --accept {1}",
                    nic.device, Code::SpeedUnknown
                ),
                None => "set the switch ports alike".into(),
            };
            Check::new(name, "the same on all", Some(have)).settling().because(hint)
        })
        .collect()
}

pub(super) fn bond_link(bond: &IfName, status: &BondStatus, kernel: &Kernel) -> Check {
    let carrier = kernel.devices.get(bond.as_str()).and_then(|d| d.carrier);
    let have = match (status.mii_status.clone(), carrier) {
        (Some(mii), Some(false)) if mii == "up" => {
            Some("up in /proc, no carrier in /sys".to_string())
        }
        (Some(mii), Some(true)) if mii == "down" => {
            Some("down in /proc, carrier in /sys".to_string())
        }
        (mii, _) => mii,
    };
    Check::new(Setting::BondLink(bond.clone()), "up", have)
        .settling()
        .because("no slave carries traffic")
}

fn active_slave(spec: &Spec, status: &BondStatus, kernel: &Kernel) -> Option<Check> {
    if !spec.mode.has_active_slave() {
        return None;
    }
    let sys = kernel.bond_option(spec.bond.as_str(), "active_slave").cloned();
    let (active, contradiction) = witnesses(status.active_slave.clone(), sys);
    if let Some(contradiction) = contradiction {
        let check = Check::new(Setting::ActiveSlave, "one of the slaves", active);
        return Some(check.settling().because(contradiction));
    }
    let check = match spec.options.primary() {
        // With any other choice than `always` a primary that was down stays aside.
        Some(primary) if spec.options.word(Opt::PrimaryReselect).is_none_or(|w| w == "always") => {
            Check::new(Setting::ActiveSlave, primary.to_string(), active)
        }
        _ => {
            let want = active.clone().unwrap_or_else(|| "one of the slaves".into());
            Check::new(Setting::ActiveSlave, want, active)
        }
    };
    Some(check.settling().because("no slave, or not the primary, carries the traffic"))
}
