//! Files on the host: those that would be replaced, those that would get in the way, and whether
//! there is room for ours.

use super::{Code, Finding, bond_is_ours};
use crate::host::Kind;
use crate::ifcfg;
use crate::inventory::{Inventory, Nic};
use crate::modprobe::{self, Directive};
use crate::net::Backend;
use crate::paths;
use crate::render::is_ours;
use crate::service::Init;
use crate::spec::Spec;

pub(super) fn check(spec: &Spec, nics: &[Option<Nic>], inv: &Inventory, found: &mut Vec<Finding>) {
    let bond_file = paths::ifcfg(&spec.bond);
    if !matches!(inv.file(&bond_file), Kind::Absent) && !is_ours(inv.file(&bond_file)) {
        found.push(Finding::new(
            Code::BondFileExists,
            format!("{bond_file} exists, and xenbond did not write it"),
        ));
    }
    let devices: Vec<String> = nics.iter().flatten().map(|nic| paths::ifcfg(&nic.device)).collect();
    for path in &devices {
        if !matches!(inv.file(path), Kind::Absent) && !is_ours(inv.file(path)) {
            found.push(Finding::new(
                Code::NicFileExists,
                format!("{path} exists, and will be replaced"),
            ));
        }
    }
    let written = devices
        .iter()
        .chain([&bond_file])
        .cloned()
        .chain([paths::MODPROBE_CONF.into(), paths::modprobe_file(&spec.bond)]);
    for path in written {
        if matches!(inv.file(&path), Kind::Link { .. } | Kind::Other) {
            found.push(Finding::new(Code::FileNotPlain, format!("{path} is no plain file")));
        }
    }
    for (path, text) in foreign_ifcfg(inv) {
        if devices.contains(&path) || path == bond_file {
            continue;
        }
        named_elsewhere(spec, nics, &path, &text, found);
    }
    edited(spec, nics, inv, found);
    longer_names(spec, inv, found);
    routes(spec, inv, found);
    modprobe_files(spec, inv, found);
    places(inv, found);
}

/// Slaves of the bond that stands which no file makes its slaves any more, and none of this change
/// will: they would not come back with the bond.
fn edited(spec: &Spec, nics: &[Option<Nic>], inv: &Inventory, found: &mut Vec<Finding>) {
    let stands = inv.kernel.bond(spec.bond.as_str()).filter(|_| bond_is_ours(spec, inv));
    for slave in stands.map(|bond| bond.slaves).unwrap_or_default() {
        let Ok(device) = slave.name.parse() else { continue };
        let path = paths::ifcfg(&device);
        let text = String::from_utf8_lossy(inv.file(&path).bytes().unwrap_or_default());
        let stays = nics.iter().flatten().any(|nic| nic.device == device);
        if !stays && ifcfg::parse(&text).get("MASTER") != Some(spec.bond.as_str()) {
            found.push(Finding::new(
                Code::BondEdited,
                format!("{path} no longer makes {device} a slave of {}, which it is", spec.bond),
            ));
        }
    }
}

/// The boot scripts' files of devices that are not ours, by path; those that they skip left out.
pub(super) fn foreign_ifcfg(inv: &Inventory) -> Vec<(String, String)> {
    let read = |(path, kind): (&String, &Kind)| {
        let name = path.strip_prefix(paths::NETWORK_SCRIPTS)?;
        let used = name.starts_with("/ifcfg-") && !ifcfg::is_ignored_name(&name[1..]);
        let text = String::from_utf8_lossy(kind.bytes().unwrap_or_default()).into_owned();
        (used && !is_ours(kind)).then(|| (path.clone(), text))
    };
    inv.files.iter().filter_map(read).collect()
}

/// What a file of another name does to the bond or its slaves.
fn named_elsewhere(
    spec: &Spec,
    nics: &[Option<Nic>],
    path: &str,
    text: &str,
    found: &mut Vec<Finding>,
) {
    let bond = &spec.bond;
    if ifcfg::names_master(text, bond.as_str()) {
        found.push(
            Finding::new(
                Code::MasterNamedElsewhere,
                format!("{path} makes its device a slave of {bond}, and ifup {bond} would run it"),
            )
            .hint(format!("mv {path} /root/")),
        );
        return;
    }
    let device = ifcfg::parse(text).get("DEVICE").map(String::from).unwrap_or_default();
    let named = nics.iter().flatten().map(|nic| &nic.device).chain([bond]);
    // `bond51:0` is an alias of it and `bond51.30` a VLAN on it: ifup brings them up with it.
    let on_bond = device.strip_prefix(bond.as_str()).is_some_and(|r| r.starts_with([':', '.']));
    if on_bond || named.into_iter().any(|name| *name.as_str() == device) {
        found.push(
            Finding::new(
                Code::DeviceNamedElsewhere,
                format!("{path} configures {device} as well, and the boot scripts would run it"),
            )
            .hint(format!("mv {path} /root/")),
        );
    }
}

/// Bonds of which one's name begins with the other's: the scripts of SysV releases match the
/// beginning of MASTER (up to initscripts 8.45.42, facts/initscripts.md section 1), so bringing up
/// the shorter runs the other's slaves too.
fn longer_names(spec: &Spec, inv: &Inventory, found: &mut Vec<Finding>) {
    let bond = spec.bond.as_str();
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
    others.sort();
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

/// `ifup-post` adds what these say, a default route too (facts/initscripts.md section 1).
fn routes(spec: &Spec, inv: &Inventory, found: &mut Vec<Finding>) {
    for kind in ["route", "rule"] {
        let path = format!("{}/{kind}-{}", paths::NETWORK_SCRIPTS, spec.bond);
        if *inv.file(&path) != Kind::Absent {
            found.push(
                Finding::new(
                    Code::RouteFileExists,
                    format!("{path} exists: ifup {} would set the {kind}s in it", spec.bond),
                )
                .hint(format!("mv {path} /root/")),
            );
        }
    }
}

/// Whether this host reads a file as modprobe's: kmod reads `*.conf` in the folder, older tools
/// `modprobe.conf` and everything in it (facts/initscripts.md section 3).
fn modprobe_reads(inv: &Inventory, path: &str) -> bool {
    match inv.init {
        Init::Sysv => path == paths::MODPROBE_CONF || path.starts_with(paths::MODPROBE_D),
        Init::Systemd => path.starts_with(paths::MODPROBE_D) && path.ends_with(".conf"),
    }
}

/// What other modprobe files say of the driver or the bond. Options by the bond's name count only
/// when that name is what loads the driver, and `BONDING_OPTS` overrides them; but one that
/// nobody asked for would stay.
fn modprobe_files(spec: &Spec, inv: &Inventory, found: &mut Vec<Finding>) {
    let bond = spec.bond.as_str();
    for (path, kind) in inv.files.iter().filter(|(path, _)| modprobe_reads(inv, path)) {
        if is_ours(kind) {
            continue;
        }
        let bytes = kind.bytes().unwrap_or_default();
        let rest = modprobe::remove_block(bytes, bond).ok().flatten();
        let text = String::from_utf8_lossy(rest.as_deref().unwrap_or(bytes)).into_owned();
        for command in modprobe::parse(&text) {
            let (blocks, said) = match command.directive {
                Directive::Alias { alias, module } if alias == DRIVER && module != DRIVER => {
                    (true, format!("alias {alias} {module}"))
                }
                Directive::Install { module, command }
                    if module == DRIVER && NOTHING.contains(&command.trim()) =>
                {
                    (true, format!("install {module} {command}"))
                }
                Directive::Alias { alias, module } if alias == bond && module != DRIVER => {
                    (false, format!("alias {alias} {module}"))
                }
                Directive::Options { module, args }
                    if module == bond || (module == DRIVER && args != ["max_bonds=0"]) =>
                {
                    (false, format!("options {module} {}", args.join(" ")))
                }
                _ => continue,
            };
            let said = said.escape_debug();
            found.push(if blocks {
                Finding::new(
                    Code::BondingBlocked,
                    format!("`{said}` in {path} keeps the bonding driver from loading"),
                )
                .hint(format!("remove that line from {path}"))
            } else {
                Finding::new(
                    Code::ModprobeContradicts,
                    format!("`{said}` in {path} speaks of the driver or of {bond} as well"),
                )
                .hint(format!("remove that line from {path}"))
            });
        }
    }
}

/// The driver's module.
const DRIVER: &str = "bonding";

/// Commands of `install` that load nothing.
const NOTHING: [&str; 3] = ["/bin/true", "/bin/false", ":"];

/// What a change writes at the most: its files, the journal with the originals, and the copy of
/// this program that goes on after a reboot.
const ROOM: u64 = 8 << 20;

fn places(inv: &Inventory, found: &mut Vec<Finding>) {
    for place in &inv.ground.places {
        if let Some(mount) = &place.read_only {
            found.push(
                Finding::new(
                    Code::CannotWrite,
                    format!("{} lies on a file system that is read-only, {mount}", place.folder),
                )
                .hint(format!("mount -o remount,rw {mount}")),
            );
        } else if let Some(free) = place.free.filter(|free| *free < ROOM) {
            found.push(
                Finding::new(
                    Code::NoSpace,
                    format!(
                        "{} has {} KiB left, and a change may need {} KiB",
                        place.folder,
                        free >> 10,
                        ROOM >> 10
                    ),
                )
                .hint(format!("df -h {}", place.folder)),
            );
        }
    }
}

/// What the kernel's bridge is called as a module.
const MODULE: &str = "bridge";

/// Files that keep the bridge module out and that the switch script will not take away: it removes
/// only the one that it wrote itself, under one of two names (xen-api#1472, facts/xapi.md section D).
pub(super) fn blacklist(inv: &Inventory, found: &mut Vec<Finding>) {
    let keeps_out = |kind: &Kind| {
        let text = String::from_utf8_lossy(kind.bytes().unwrap_or_default()).into_owned();
        modprobe::parse(&text).into_iter().any(|command| match command.directive {
            Directive::Install { module, command } => {
                module == MODULE && NOTHING.contains(&command.trim())
            }
            Directive::Blacklist { module } => module == MODULE,
            _ => false,
        })
    };
    let mut all: Vec<&String> = inv
        .files
        .iter()
        .filter(|(path, kind)| modprobe_reads(inv, path) && keeps_out(kind))
        .map(|(path, _)| path)
        .collect();
    if inv.network_conf != Some(Backend::Bridge)
        && let Some(own) = all.iter().rposition(|path| paths::BLACKLISTS.contains(&path.as_str()))
    {
        all.remove(own);
    }
    for path in all {
        found.push(
            Finding::new(
                Code::BridgeBlacklisted,
                format!("{path} keeps the bridge module from loading"),
            )
            .hint(format!("mv {path} /root/")),
        );
    }
}
