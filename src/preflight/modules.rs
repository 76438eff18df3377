//! What modprobe's files say of the modules that a bond needs: the bonding driver and the bridge.

use super::{Case, Code, Finding, Rule};
use crate::host::Kind;
use crate::inventory::{BRIDGE, Inventory};
use crate::modprobe::{self, Directive};
use crate::paths;
use crate::render::is_ours;
use crate::service::Init;
use crate::spec::BackendChoice;

pub(super) const RULES: &[Rule] = &[bonding_files, bridge_blacklisted];

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
fn bonding_files(case: &Case<'_>, found: &mut Vec<Finding>) {
    let bond = case.spec.bond.as_str();
    for (path, kind) in case.inv.files.iter().filter(|(path, _)| modprobe_reads(case.inv, path)) {
        if is_ours(kind) {
            continue;
        }
        let bytes = kind.bytes().unwrap_or_default();
        let rest = modprobe::remove_block(bytes, bond).ok().flatten();
        let text = String::from_utf8_lossy(rest.as_deref().unwrap_or(bytes)).into_owned();
        for command in modprobe::parse(&text) {
            found.extend(bonding_line(bond, path, command.directive));
        }
    }
}

/// What one command of such a file does.
fn bonding_line(bond: &str, path: &str, directive: Directive) -> Option<Finding> {
    let (blocks, said) = match directive {
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
        _ => return None,
    };
    let said = said.escape_debug();
    let finding = if blocks {
        let said = format!("`{said}` in {path} keeps the bonding driver from loading");
        Finding::new(Code::BondingBlocked, said)
    } else {
        let said = format!("`{said}` in {path} speaks of the driver or of {bond} as well");
        Finding::new(Code::ModprobeContradicts, said)
    };
    Some(finding.hint(format!("remove that line from {path}")))
}

/// The driver's module.
const DRIVER: &str = "bonding";

/// Commands of `install` that load nothing.
const NOTHING: [&str; 3] = ["/bin/true", "/bin/false", ":"];

/// Files that keep the bridge module out and that the switch script will not take away: it removes
/// only the one that it wrote itself, under one of two names (xen-api#1472, facts/xapi.md section D).
fn bridge_blacklisted(case: &Case<'_>, found: &mut Vec<Finding>) {
    let inv = case.inv;
    if case.spec.backend != BackendChoice::Bridge {
        return;
    }
    let keeps_out = |kind: &Kind| {
        let text = String::from_utf8_lossy(kind.bytes().unwrap_or_default()).into_owned();
        modprobe::parse(&text).into_iter().any(|command| match command.directive {
            Directive::Install { module, command } => {
                module == BRIDGE && NOTHING.contains(&command.trim())
            }
            Directive::Blacklist { module } => module == BRIDGE,
            _ => false,
        })
    };
    let mut all: Vec<&String> = inv
        .files
        .iter()
        .filter(|(path, kind)| modprobe_reads(inv, path) && keeps_out(kind))
        .map(|(path, _)| path)
        .collect();
    if inv.network_conf.as_deref() != Some(BRIDGE)
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
