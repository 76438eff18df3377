//! Files on the host: those that would be replaced, those that would get in the way, and whether
//! there is room for ours.

use super::{Case, Code, Finding, Rule, bond_is_ours};
use crate::host::Kind;
use crate::ifcfg;
use crate::inventory::{Device, Inventory, Nic, Place};
use crate::net::{IfName, MacAddr, Tagged, shown};
use crate::order;
use crate::paths;
use crate::render::is_ours;
use crate::service::Init;
use crate::spec::Spec;

pub(super) const RULES: &[Rule] = &[
    bond_file_exists,
    nic_file_exists,
    file_not_plain,
    name_not_text,
    named_elsewhere,
    bond_edited,
    master_name_begins,
    route_file_exists,
];

/// Of bonds of either kind.
pub(super) const ANY: &[Rule] = &[cannot_write, no_space, nic_of_another_bond];

/// Whether a file stands there that we did not write.
fn is_foreign(inv: &Inventory, path: &str) -> bool {
    !matches!(inv.file(path), Kind::Absent) && !is_ours(inv.file(path))
}

fn bond_file_exists(case: &Case<'_>, found: &mut Vec<Finding>) {
    for path in bond_files(case).into_iter().filter(|path| is_foreign(case.inv, path)) {
        found.push(Finding::new(
            Code::BondFileExists,
            format!("{path} exists, and xenbond did not write it"),
        ));
    }
}

/// The boot scripts' files of the bond and its tags.
fn bond_files(case: &Case<'_>) -> Vec<String> {
    let tags = case.spec.tagged().map(Tagged::as_str);
    std::iter::once(case.spec.bond.as_str()).chain(tags).map(paths::ifcfg).collect()
}

/// The boot scripts' files of the NICs.
fn nic_files(case: &Case<'_>) -> Vec<String> {
    case.found().map(|nic| paths::ifcfg(nic.device.as_str())).collect()
}

fn nic_file_exists(case: &Case<'_>, found: &mut Vec<Finding>) {
    for path in nic_files(case).iter().filter(|path| is_foreign(case.inv, path)) {
        found.push(Finding::new(
            Code::NicFileExists,
            format!("{path} exists, and will be replaced"),
        ));
    }
}

/// A card that was replaced, or whose bond did not come up, is no slave in the kernel, and its file
/// still makes it one of another bond of ours.
fn nic_of_another_bond(case: &Case<'_>, found: &mut Vec<Finding>) {
    for path in nic_files(case) {
        let kind = case.inv.file(&path);
        let text = kind.bytes().filter(|_| is_ours(kind)).map(String::from_utf8_lossy);
        let file = text.map(|text| ifcfg::parse(&text));
        let names = |key: &str| file.as_ref().and_then(|file| file.get(key));
        let (Some(nic), Some(other)) = (names("DEVICE"), names("MASTER")) else { continue };
        let ours = case.inv.made.iter().any(|bond| bond.as_str() == other);
        let stands = ours || *case.inv.file(&paths::ifcfg(other)) != Kind::Absent;
        let in_kernel = |device: &Device| device.master.as_deref() == Some(other);
        if !stands
            || other == case.spec.bond.as_str()
            || case.inv.kernel.devices.get(nic).is_some_and(in_kernel)
        {
            continue;
        }
        let other = shown(other);
        let said = format!("{path} has {} in {other}, which it is not in now", shown(nic));
        let hint = format!("give {other} other NICs, or: xenbond remove {other}");
        found.push(Finding::new(Code::NicInOtherBond, said).hint(hint));
    }
}

fn file_not_plain(case: &Case<'_>, found: &mut Vec<Finding>) {
    let bond = &case.spec.bond;
    let own = [paths::MODPROBE_CONF.into(), paths::modprobe_file(bond)];
    for path in &case.inv.pipes {
        let said = format!("{} is a pipe: who reads it waits for ever", path.escape_debug());
        found.push(Finding::new(Code::FileNotPlain, said).hint(format!("mv {path} /root/")));
    }
    for path in nic_files(case).into_iter().chain(bond_files(case)).chain(own) {
        let plain = !matches!(case.inv.file(&path), Kind::Link { .. } | Kind::Other);
        if !plain && !case.inv.pipes.contains(&path) {
            found.push(Finding::new(Code::FileNotPlain, format!("{path} is not a plain file")));
        }
    }
}

/// Slaves of the bond that stands which no file makes its slaves any more, and none of this change
/// will: they would not come back with the bond.
fn bond_edited(case: &Case<'_>, found: &mut Vec<Finding>) {
    let bond = &case.spec.bond;
    let stands = case.inv.kernel.bond(bond.as_str()).filter(|_| bond_is_ours(case.spec, case.inv));
    for slave in stands.map(|bond| bond.slaves).unwrap_or_default() {
        let Ok(device) = slave.name.parse::<IfName>() else { continue };
        let path = paths::ifcfg(device.as_str());
        let text = String::from_utf8_lossy(case.inv.file(&path).bytes().unwrap_or_default());
        let stays = case.found().any(|nic| nic.device == device);
        if !stays && ifcfg::parse(&text).get("MASTER") != Some(bond.as_str()) {
            found.push(Finding::new(
                Code::BondEdited,
                format!("{path} no longer makes {device} a slave of {bond}, which it is"),
            ));
        }
    }
}

/// The boot scripts' files of devices that are not ours, by path; those that they skip left out.
pub(super) fn foreign_ifcfg(inv: &Inventory) -> Vec<(String, String)> {
    let read = |(path, kind): (&String, &Kind)| {
        let name = path.strip_prefix(paths::NETWORK_SCRIPTS)?;
        let used = name.starts_with("/ifcfg-") && !ifcfg::is_ignored_name(&name[1..]);
        (used && !is_ours(kind)).then(|| (path.clone(), inv.text(path).into_owned()))
    };
    inv.files.iter().filter_map(read).collect()
}

/// Files of other names that make the bond, its tags or its slaves.
#[must_use]
pub fn files_elsewhere(spec: &Spec, nics: &[Nic], inv: &Inventory) -> Vec<String> {
    let names: Vec<&str> = std::iter::once(spec.bond.as_str())
        .chain(nics.iter().map(|nic| nic.device.as_str()))
        .chain(spec.tagged().map(Tagged::as_str))
        .collect();
    let own: Vec<String> = names.iter().map(|name| paths::ifcfg(name)).collect();
    let makes = |text: &str| {
        let file = ifcfg::parse(text);
        let of_nic = |mac: &str| mac.parse().is_ok_and(|mac| nics.iter().any(|n| n.mac == mac));
        match file.get("DEVICE").filter(|device| !device.is_empty()) {
            Some(device) => names.contains(&device),
            None => file.get("HWADDR").is_some_and(of_nic),
        }
    };
    let all = foreign_ifcfg(inv).into_iter();
    let meant = all.filter(|(path, text)| {
        !own.contains(path) && (ifcfg::names_master(text, spec.bond.as_str()) || makes(text))
    });
    meant.map(|(path, _)| path).collect()
}

/// What files of other names do to the bond or its slaves.
fn named_elsewhere(case: &Case<'_>, found: &mut Vec<Finding>) {
    let own = [nic_files(case), bond_files(case)].concat();
    for (path, text) in foreign_ifcfg(case.inv).iter().filter(|(path, _)| !own.contains(path)) {
        found.extend(named_in(case, path, text));
    }
}

/// Files that could not be recorded, and that the switch script or a person may touch.
fn name_not_text(case: &Case<'_>, found: &mut Vec<Finding>) {
    for path in &case.inv.unnamed {
        let said = format!("the name of {} is not UTF-8 text", path.escape_debug());
        let folder = path.rsplit_once('/').map_or("/", |(folder, _)| folder);
        found.push(Finding::new(Code::NameNotText, said).hint(format!("ls -b {folder}")));
    }
}

/// What a file of another name does to them.
fn named_in(case: &Case<'_>, path: &str, text: &str) -> Option<Finding> {
    let bond = &case.spec.bond;
    let away = format!("mv {path} /root/");
    if ifcfg::names_master(text, bond.as_str()) {
        let said =
            format!("{path} makes its device a slave of {bond}, and ifup {bond} would run it");
        return Some(Finding::new(Code::MasterNamedElsewhere, said).hint(away));
    }
    let said = configures(case, path, text)?;
    let said = format!("{path} configures {said} as well, and the boot scripts would run it");
    Some(Finding::new(Code::DeviceNamedElsewhere, said).hint(away))
}

/// Which of the bond, its NICs and what lies on them a file configures.
fn configures(case: &Case<'_>, path: &str, text: &str) -> Option<String> {
    let file = ifcfg::parse(text);
    let device = file.get("DEVICE").unwrap_or_default();
    let is_named = |name: &str| case.names().any(|own| own.as_str() == name);
    // `bond51:0` is an alias and `eth2.30` a VLAN: ifup brings them up with what is below.
    let below = device.split([':', '.']).next().unwrap_or_default();
    if !device.is_empty() && is_named(below) {
        return Some(device.to_string());
    }
    let vlan = file.get("VLAN").is_some_and(|yes| ["yes", "true"].contains(&yes));
    if let Some(below) = file.get("PHYSDEV").filter(|below| vlan && is_named(below)) {
        let name = if device.is_empty() { "a VLAN" } else { device };
        return Some(format!("{name} on {below}"));
    }
    // A range of addresses for the bond (network-scripts/ifup-aliases).
    let range = format!("{}/ifcfg-{}-range", paths::NETWORK_SCRIPTS, case.spec.bond);
    if path.starts_with(&range) {
        return Some(format!("addresses of {}", case.spec.bond));
    }
    // Without a name the scripts look for the device by its address.
    let mac: MacAddr = file.get("HWADDR").filter(|_| device.is_empty())?.parse().ok()?;
    let nic = case.found().find(|nic| nic.mac == mac)?;
    Some(format!("{} ({mac})", nic.device))
}

/// Bonds of which one's name begins with the other's: the scripts of SysV releases match the
/// beginning of MASTER (up to initscripts 8.45.42, tests/ground/initscripts.md, A4), so bringing up
/// the shorter runs the other's slaves too.
fn master_name_begins(case: &Case<'_>, found: &mut Vec<Finding>) {
    let (bond, inv) = (case.spec.bond.as_str(), case.inv);
    let folder = |path: &&String| path.starts_with(paths::NETWORK_SCRIPTS);
    let mut others: Vec<String> = inv
        .files
        .iter()
        .filter(|(path, kind)| inv.init == Init::Sysv && folder(path) && is_ours(kind))
        .filter_map(|(_, kind)| {
            let text = String::from_utf8_lossy(kind.bytes().unwrap_or_default()).into_owned();
            ifcfg::parse(&text).get("MASTER").map(String::from)
        })
        .filter(|other| other != bond && (other.starts_with(bond) || bond.starts_with(&**other)))
        .collect();
    order::sort(&mut others);
    others.dedup();
    for other in others {
        let (short, long) =
            if bond.len() < other.len() { (bond, &*other) } else { (&*other, bond) };
        found.push(
            Finding::new(
                Code::MasterNamedElsewhere,
                format!("ifup {short} of this release would run the slaves of {long} as well"),
            )
            .hint("give the bond a name that neither begins the other's nor is begun by it"),
        );
    }
}

/// `ifup-post` adds what these say, a default route too (tests/ground/initscripts.md, A7).
fn route_file_exists(case: &Case<'_>, found: &mut Vec<Finding>) {
    let devices = case.spec.tagged().map(Tagged::as_str);
    for device in std::iter::once(case.spec.bond.as_str()).chain(devices) {
        for kind in ["route", "rule"] {
            let path = format!("{}/{kind}-{device}", paths::NETWORK_SCRIPTS);
            if is_foreign(case.inv, &path) {
                found.push(
                    Finding::new(
                        Code::RouteFileExists,
                        format!("{path} exists: ifup {device} would set the {kind}s in it"),
                    )
                    .hint(format!("mv {path} /root/")),
                );
            }
        }
    }
}

/// What a change writes at the most: its files, the journal with the originals, and the copy of
/// this program that goes on after a reboot.
const ROOM: u64 = 8 << 20;

/// The places that a change writes to: XAPI itself writes what it keeps.
fn places<'a>(case: &Case<'a>) -> impl Iterator<Item = &'a Place> {
    let all = case.spec.managed().is_none();
    case.inv.ground.places.iter().filter(move |place| all || place.folder == paths::VAR_LIB)
}

fn cannot_write(case: &Case<'_>, found: &mut Vec<Finding>) {
    for place in places(case) {
        let Some(mount) = &place.read_only else { continue };
        let said = format!("{} lies on a file system that is read-only, {mount}", place.folder);
        let remount = format!("mount -o remount,rw {mount}");
        found.push(Finding::new(Code::CannotWrite, said).hint(remount));
    }
}

fn no_space(case: &Case<'_>, found: &mut Vec<Finding>) {
    for place in places(case).filter(|place| place.read_only.is_none()) {
        let Some(free) = place.free.filter(|free| *free < ROOM) else { continue };
        let (folder, left, need) = (&place.folder, free >> 10, ROOM >> 10);
        let said = format!("{folder} has {left} KiB left, and a change may need {need} KiB");
        found.push(Finding::new(Code::NoSpace, said).hint(format!("df -h {folder}")));
    }
}
