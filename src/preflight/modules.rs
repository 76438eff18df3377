//! What modprobe's files say of the modules that a bond needs: the bonding driver and the bridge.

use super::{Case, Code, Finding, Rule};
use crate::inventory::Inventory;
use crate::modprobe::{self, DRIVER, Directive, Files};
use crate::net::Backend;
use crate::paths;
use crate::render::is_ours;
use crate::service::Init;
use crate::spec::BackendChoice;

pub(super) const RULES: &[Rule] = &[bonding_blocked, modprobe_contradicts, bridge_blacklisted];

/// What modprobe reads on this host, but what is ours and the file at `without`.
pub(super) fn read(case: &Case<'_>, without: Option<&str>) -> Files {
    let bond = case.spec.bond.as_str();
    let mut all: Vec<(&str, Vec<u8>)> = Vec::new();
    for (path, kind) in &case.inv.files {
        let theirs = !is_ours(kind) && Some(path.as_str()) != without;
        if let Some(bytes) = kind.bytes().filter(|_| theirs) {
            let rest = modprobe::remove_block(bytes, bond).ok().flatten();
            all.push((path, rest.unwrap_or_else(|| bytes.to_vec())));
        }
    }
    let behind = case.inv.behind.iter();
    all.extend(behind.map(|(path, text)| (path.as_str(), text.clone().into_bytes())));
    let files = all.iter().map(|(path, bytes)| (*path, bytes.as_slice()));
    match case.inv.init {
        Init::Sysv => Files::of_init_tools(files),
        Init::Systemd => Files::of_kmod(files),
    }
}

fn remove_line(path: &str) -> String {
    format!("remove that line from {path}")
}

fn bonding_blocked(case: &Case<'_>, found: &mut Vec<Finding>) {
    for kept in read(case, None).keep_out(DRIVER) {
        // A blacklist is for what asks by alias; the boot scripts ask by name.
        if kept.line.starts_with("blacklist ") {
            continue;
        }
        let (line, path) = (kept.line.escape_debug(), &kept.path);
        let said = format!("`{line}` in {path} keeps the bonding driver from loading");
        found.push(Finding::new(Code::BondingBlocked, said).hint(remove_line(path)));
    }
}

/// What other modprobe files say of the driver or the bond. Options by the bond's name count only
/// when that name is what loads the driver, and `BONDING_OPTS` overrides them; but one that
/// nobody asked for would stay.
fn modprobe_contradicts(case: &Case<'_>, found: &mut Vec<Finding>) {
    let bond = case.spec.bond.as_str();
    for (path, directive) in read(case, None).iter() {
        let said = match directive {
            Directive::Alias { alias, module } if alias == bond && module != DRIVER => {
                format!("alias {alias} {module}")
            }
            Directive::Options { module, args }
                if module == bond || (module == DRIVER && *args != ["max_bonds=0"]) =>
            {
                format!("options {module} {}", args.join(" "))
            }
            _ => continue,
        };
        let said = said.escape_debug();
        let said = format!("`{said}` in {path} also sets options for bonding or {bond}");
        found.push(Finding::new(Code::ModprobeContradicts, said).hint(remove_line(path)));
    }
}

/// The file of the switch script that keeps the bridge module out, where the script is to take it
/// away: only the one that it wrote itself, under one of two names (xen-api#1472,
/// tests/ground/xapi.md, D4).
fn own_blacklist(inv: &Inventory) -> Option<&'static str> {
    let names = paths::BLACKLISTS.iter().rev().copied();
    let mut there = names.filter(|path| inv.files.contains_key(*path));
    there.next().filter(|_| inv.next_backend() != Some(Backend::Bridge))
}

fn bridge_blacklisted(case: &Case<'_>, found: &mut Vec<Finding>) {
    if case.spec.backend != BackendChoice::Bridge {
        return;
    }
    let mut paths: Vec<String> = Vec::new();
    for kept in read(case, own_blacklist(case.inv)).keep_out("bridge") {
        if !paths.contains(&kept.path) {
            paths.push(kept.path);
        }
    }
    for path in paths {
        found.push(
            Finding::new(
                Code::BridgeBlacklisted,
                format!("{path} keeps the bridge module from loading"),
            )
            .hint(format!("mv {path} /root/")),
        );
    }
}
