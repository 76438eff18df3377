//! The NICs of the spec together: which devices it means, and how they go with each other.

use super::one::{One, distinct};
use super::{Case, Code, Finding, XapiRule, bond_is_ours, managed, nic, storage};
use crate::inventory::{Device, DeviceKind, Inventory, Managed, Nic, Xapi};
use crate::net::IfName;
use crate::spec::{NicRef, PifChoice, Spec};
use crate::xe::{self, OddRecord, Pif};

/// Of NICs of either kind.
pub(super) const ANY: &[XapiRule] =
    &[missing, infiniband, record_unreadable, record_not_understood, named_twice, each];

pub(super) const XAPI_RULES: &[XapiRule] =
    &[speeds_differ, drivers_differ, primary_not_slave, pif_unmanaged_unsupported];

fn missing(case: &Case<'_>, xapi: &Xapi, found: &mut Vec<Finding>) {
    let devices = case.inv.kernel.devices.iter();
    let nics = devices.filter(|(name, d)| d.kind == DeviceKind::Plain && xapi.nic(name).is_some());
    let has: Vec<&str> = nics.map(|(name, _)| name.as_str()).collect();
    for (name, nic) in case.spec.nics.iter().zip(case.nics) {
        if nic.is_none() && infiniband_of(case, name).is_none() {
            found.push(Finding::new(
                Code::NicMissing,
                format!("NIC {name} is not on this host, which has {}", has.join(", ")),
            ));
        }
    }
}

/// The device of that name, where it is InfiniBand: it has no MAC address by which it could be
/// meant or held.
fn infiniband_of<'a>(case: &'a Case<'_>, name: &NicRef) -> Option<&'a str> {
    let devices = &case.inv.kernel.devices;
    let (device, known) = match name {
        NicRef::Device(name) => devices.get_key_value(name.as_str())?,
        NicRef::Mac(_) => return None,
    };
    known.infiniband.then_some(device.as_str())
}

fn infiniband(case: &Case<'_>, _: &Xapi, found: &mut Vec<Finding>) {
    for device in case.spec.nics.iter().filter_map(|name| infiniband_of(case, name)) {
        let said = format!("{device} is InfiniBand, which is not supported");
        found.push(Finding::new(Code::NicInfiniband, said));
    }
}

/// Records of the NICs themselves: without them nothing could be brought back.
fn record_unreadable(case: &Case<'_>, xapi: &Xapi, found: &mut Vec<Finding>) {
    for nic in distinct(case) {
        if let Some(odd) = xapi.odd_of(nic.device.as_str()) {
            let said = format!("the PIF of {} cannot be restored: {odd}", nic.device);
            let uuid = odd.uuid.as_ref().map_or("...".into(), ToString::to_string);
            let hint = format!("xe pif-param-list uuid={uuid}");
            found.push(Finding::new(Code::PifUnreadable, said).hint(hint));
        }
    }
}

/// Records of others, which bar nothing.
fn record_not_understood(case: &Case<'_>, xapi: &Xapi, found: &mut Vec<Finding>) {
    let ours = |odd: &&OddRecord| case.found().any(|nic| odd.may_be_of(nic.device.as_str()));
    for odd in xapi.odd.iter().filter(|odd| !ours(odd)) {
        let uuid = odd.uuid.as_ref().map_or("...".into(), ToString::to_string);
        let hint = format!("xe {}-param-list uuid={uuid}", odd.class);
        found.push(Finding::new(Code::RecordNotUnderstood, odd.to_string()).hint(hint));
    }
}

fn named_twice(case: &Case<'_>, _: &Xapi, found: &mut Vec<Finding>) {
    for (at, (name, nic)) in case.spec.nics.iter().zip(case.nics).enumerate() {
        let Some(nic) = nic else { continue };
        if case.nics[..at].iter().flatten().any(|other| other.device == nic.device) {
            found.push(Finding::new(
                Code::NicNamedTwice,
                format!("{name} is {}, which the spec names already", nic.device),
            ));
        }
    }
}

/// What each NIC has, where it says, when they differ in it.
fn differing<'a>(case: &Case<'a>, what: fn(&Device) -> Option<String>) -> Option<String> {
    let devices = &case.inv.kernel.devices;
    let has = |nic: &'a Nic| Some((&nic.device, what(&devices[nic.device.as_str()])?));
    let all: Vec<_> = distinct(case).into_iter().filter_map(has).collect();
    let said: Vec<String> = all.iter().map(|(device, v)| format!("{device} {v}")).collect();
    all.windows(2).any(|pair| pair[0].1 != pair[1].1).then(|| said.join(", "))
}

/// Looks at each NIC.
pub(super) fn each(case: &Case<'_>, xapi: &Xapi, found: &mut Vec<Finding>) {
    let managed = case.spec.managed();
    let (rules, pif_rules) = match managed {
        None => ([nic::RULES, storage::RULES].concat(), nic::PIF_RULES),
        Some(_) => (managed::NIC_RULES.to_vec(), managed::PIF_RULES),
    };
    let open = case.inv.transaction.as_ref().filter(|t| t.is_open());
    let bond = &case.spec.bond;
    let stands = stands(case);
    let made = case.inv.made.contains(bond) || open.is_some_and(|open| open.spec.bond == *bond);
    for nic in distinct(case) {
        let name = nic.device.as_str();
        let device = &case.inv.kernel.devices[name];
        if device.kind != DeviceKind::Plain {
            let said = format!("{name} is a {}", device.kind.word());
            found.push(Finding::new(Code::NicNotPhysical, said));
            continue;
        }
        let slave_of = device.master.as_deref().filter(|m| case.inv.kernel.bonds.contains_key(*m));
        let one = One {
            inv: case.inv,
            xapi,
            nic,
            name,
            device,
            bridge: nic.pif.as_ref().and_then(|pif| xapi.bridge_of(pif)),
            mtu: case.spec.mtu,
            address: case.spec.address,
            managed_for: managed.map(|managed| managed.purpose),
            leads: leads(case) == Some(&nic.device),
            stands,
            ours: managed.is_some() && made,
            slave_of,
            adopts: case.adopts,
            in_our_bond: slave_of == Some(case.spec.bond.as_str())
                && bond_is_ours(case.spec, case.inv),
        };
        rules.iter().for_each(|rule| rule(&one, found));
        if let Some(pif) = &nic.pif {
            pif_rules.iter().for_each(|rule| rule(&one, pif, found));
        }
    }
}

/// Whether the bond of XAPI's that is asked for is there, on a network of the name, or of the name
/// that it had when it was made.
fn stands(case: &Case<'_>) -> bool {
    let Some((_, name)) = case.spec.xapi_bond() else { return false };
    let Some(Managed { device, network: Some(network), .. }) = managed::standing(case) else {
        return false;
    };
    let made = case.inv.transaction.as_ref().map(|last| &last.spec);
    let made = made.filter(|made| made.bond == device && case.inv.made.contains(&device));
    let same = made.and_then(|made| made.xapi_bond()).is_some_and(|(_, had)| had == name);
    same || network.name.as_deref().is_none_or(|n| n == name.as_str())
}

/// The NIC by which XAPI goes when it makes a bond: that of management, else the first with an
/// address, else the first (tests/ground/managed.md, B1).
fn leads<'a>(case: &Case<'a>) -> Option<&'a IfName> {
    if case.spec.managed().is_none() || case.spec.nics.len() < 2 {
        return None;
    }
    let nics = distinct(case);
    let has = |is: fn(&Pif) -> bool| {
        nics.iter().find(|nic| nic.pif.as_ref().is_some_and(is)).map(|nic| &nic.device)
    };
    let first = || nics.first().map(|nic| &nic.device);
    has(|pif| pif.management).or_else(|| has(|pif| pif.ip_mode() != "none")).or_else(first)
}

fn speeds_differ(case: &Case<'_>, _: &Xapi, found: &mut Vec<Finding>) {
    let speed = |d: &Device| Some(format!("{} Mb/s {}", d.speed?, d.duplex.as_deref()?));
    if let Some(said) = differing(case, speed) {
        let bond = &case.spec.bond;
        let said = format!("the links of {bond} differ: {said}");
        found.push(Finding::new(Code::SpeedsDiffer, said));
    }
}

fn drivers_differ(case: &Case<'_>, _: &Xapi, found: &mut Vec<Finding>) {
    if let Some(said) = differing(case, |d| d.driver.clone()) {
        let said = format!("the NICs have different drivers: {said}");
        found.push(Finding::new(Code::DriversDiffer, said));
    }
}

fn primary_not_slave(case: &Case<'_>, _: &Xapi, found: &mut Vec<Finding>) {
    let Some(primary) = case.spec.options.primary() else { return };
    let is_primary = |nic: &Nic| match primary {
        NicRef::Device(device) => nic.device == *device,
        NicRef::Mac(mac) => nic.mac == *mac,
    };
    if !case.found().any(is_primary) {
        found.push(Finding::new(
            Code::PrimaryNotSlave,
            format!("primary {primary} is not a slave of {}", case.spec.bond),
        ));
    }
}

fn pif_unmanaged_unsupported(case: &Case<'_>, xapi: &Xapi, found: &mut Vec<Finding>) {
    if case.spec.pif == PifChoice::Unmanaged && !xapi.has_unmanaged() {
        found.push(Finding::new(
            Code::PifUnmanagedUnsupported,
            "--pif unmanaged was asked for, and pif-list shows no field `managed`",
        ));
    }
}

/// NICs that leave a bond and are `kept` without XAPI, each with what gives it back.
#[must_use]
pub fn not_given_back(kept: &[Nic], spec: &Spec, inv: &Inventory) -> Vec<Finding> {
    let Some(host) = inv.host_uuid() else { return Vec::new() };
    let one = |Nic { device, mac, pif }: &Nic| {
        let said = format!(
            "{device} leaves {}, and what XAPI had of it before is not recorded: it stays without XAPI",
            spec.bond
        );
        let forget = pif.iter().map(|pif| xe::forget(&pif.uuid.to_string()).to_string());
        let introduce = xe::introduce(&host, device, mac, true).to_string();
        let plug =
            format!("xe pif-plug uuid=$(xe pif-list host-uuid={host} device={device} --minimal)");
        let typed: Vec<String> = forget.chain([introduce, plug]).collect();
        Finding::new(Code::NicNotGivenBack, said).hint(typed.join("; "))
    };
    kept.iter().map(one).collect()
}
