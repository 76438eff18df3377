//! What speaks against the change: `(spec, inventory) -> findings`. Pure.
//!
//! Each rule is a function that adds what it found; all run, so that the operator sees
//! everything in one go, worst first.

mod finding;
mod nics;

pub use finding::{Code, Finding, Severity, barring};
pub use nics::{Nic, resolve};

use crate::host::Kind;
use crate::host::Program;
use crate::ifcfg;
use crate::inventory::{BRIDGE, Init, Inventory};
use crate::modprobe::{self, Directive};
use crate::net::BondMode;
use crate::options::switch_support;
use crate::paths;
use crate::render::is_ours;
use crate::spec::{BackendChoice, Spec};

/// Everything that is to be said about this spec on this host, worst first.
#[must_use]
pub fn check(spec: &Spec, inv: &Inventory) -> Vec<Finding> {
    let mut found = Vec::new();
    host(inv, &mut found);
    transaction(spec, inv, &mut found);
    // Without XAPI's view there is nothing to judge the rest by.
    if inv.xapi.is_some() {
        backend(spec, inv, &mut found);
        nics::check(spec, inv, &mut found);
    }
    bond_name(spec, inv, &mut found);
    files(spec, inv, &mut found);
    address(spec, inv, &mut found);
    mode(spec, inv, &mut found);
    found.sort_by_key(|f| (f.severity, f.code));
    found
}

/// Whether the bond that stands under this name now is one that we made.
#[must_use]
pub fn bond_is_ours(spec: &Spec, inv: &Inventory) -> bool {
    is_ours(inv.file(&paths::ifcfg(&spec.bond)))
        || inv.transaction.as_ref().is_some_and(|t| t.spec.bond == spec.bond)
}

fn host(inv: &Inventory, found: &mut Vec<Finding>) {
    if !inv.may_change {
        found.push(Finding::new(Code::NotRoot, "only root may change the network of a host"));
    }
    if inv.xensource.is_none() {
        found.push(Finding::new(
            Code::NotADom0,
            format!("{} is missing: this is no XenServer or XCP-ng dom0", paths::INVENTORY),
        ));
        return;
    }
    if let Some(error) = &inv.xapi_error {
        found
            .push(Finding::new(Code::XapiUnreachable, format!("XAPI could not be asked: {error}")));
    }
    if let (Some(xapi), Some(uuid)) = (&inv.xapi, inv.host_uuid())
        && !xapi.hosts.iter().any(|h| h.uuid == uuid)
    {
        found.push(Finding::new(
            Code::HostNotFound,
            format!("INSTALLATION_UUID is {uuid}, and XAPI has no host with that uuid"),
        ));
    }
    if !inv.programs.contains_key(&Program::Ifup) || !inv.programs.contains_key(&Program::Ifdown) {
        found.push(Finding::new(Code::NoBootScripts, "there is no ifup or no ifdown on this host"));
    }
    if inv.init == Init::Sysv && !inv.network_service {
        found.push(Finding::new(
            Code::NothingBringsItUp,
            "the network service is off in runlevel 3, and this host has no systemd",
        ));
    }
}

fn transaction(spec: &Spec, inv: &Inventory, found: &mut Vec<Finding>) {
    if let Some(open) = inv.transaction.as_ref().filter(|t| t.is_open() && t.spec != *spec) {
        found.push(Finding::new(
            Code::TransactionOpen,
            format!("transaction {} for {} is {}", open.id, open.spec.bond, open.phase),
        ));
    }
}

/// Whether the running backend must change, and so the host reboot.
#[must_use]
pub fn needs_reboot(spec: &Spec, inv: &Inventory) -> bool {
    spec.backend == BackendChoice::Bridge && inv.running_backend().is_some_and(|b| b != BRIDGE)
}

fn backend(spec: &Spec, inv: &Inventory, found: &mut Vec<Finding>) {
    let running = inv.running_backend();
    let next = inv.network_conf.as_deref();
    if let (Some(running), Some(next)) = (&running, next)
        && running != next
        && next != "vswitch"
    {
        found.push(Finding::new(
            Code::BackendDiffers,
            format!("the running backend is {running}, and {} says {next}", paths::NETWORK_CONF),
        ));
    }
    if spec.backend == BackendChoice::Keep {
        if let Some(running) = running.filter(|b| b != BRIDGE) {
            found.push(Finding::new(
                Code::BackendKept,
                format!("the running backend is {running}; XenServer's bonding driver needs the bridge module, which {running} keeps out"),
            ));
        }
        return;
    }
    let switch = needs_reboot(spec, inv) || next != Some(BRIDGE);
    match next {
        None => found.push(Finding::new(Code::NetworkConfMissing, format!("{} is missing", paths::NETWORK_CONF))),
        Some("vswitch") => found.push(Finding::new(
            Code::NetworkConfVswitch,
            format!("{} holds `vswitch`: asked for bridge, the switch script would set openvswitch and report success", paths::NETWORK_CONF),
        )),
        Some(_) if switch && !inv.programs.contains_key(&Program::XeSwitchNetworkBackend) => {
            found.push(Finding::new(Code::NoBridgeBackend, "there is no xe-switch-network-backend on this host"));
        }
        Some(_) => {}
    }
    blacklist(inv, found);
    let vms: Vec<&str> =
        inv.xapi.iter().flat_map(|x| &x.vms).map(|vm| vm.name_label.as_str()).collect();
    if needs_reboot(spec, inv) && !vms.is_empty() {
        let uuid = inv.host_uuid().map(|u| u.to_string()).unwrap_or_default();
        found.push(
            Finding::new(
                Code::VmsRunning,
                format!(
                    "the host must be rebooted, and {} run here: {}",
                    count(vms.len(), "VM"),
                    vms.join(", ").escape_debug()
                ),
            )
            .hint(format!("xe host-disable uuid={uuid}; xe host-evacuate uuid={uuid}")),
        );
    }
}

/// Files that keep the bridge module out and that the switch script will not take away: it removes
/// only the one that it wrote itself, under one of two names (xen-api#1472, facts/xapi.md section D).
fn blacklist(inv: &Inventory, found: &mut Vec<Finding>) {
    let reads = |path: &str| {
        path.starts_with(paths::MODPROBE_D) && (inv.init == Init::Sysv || path.ends_with(".conf"))
    };
    let keeps_out = |kind: &Kind| {
        let text = String::from_utf8_lossy(kind.bytes().unwrap_or_default()).into_owned();
        modprobe::parse(&text).into_iter().any(|command| match command.directive {
            Directive::Install { module, command } => {
                module == BRIDGE && ["/bin/true", "/bin/false", ":"].contains(&command.trim())
            }
            Directive::Blacklist { module } => module == BRIDGE,
            _ => false,
        })
    };
    let mut all: Vec<&String> = inv
        .files
        .iter()
        .filter(|(path, kind)| reads(path) && keeps_out(kind))
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

fn count(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

fn bond_name(spec: &Spec, inv: &Inventory, found: &mut Vec<Finding>) {
    let bond = spec.bond.as_str();
    // xapi_bond.ml names its bonds bond0, bond1, ...: the lowest number that no bond PIF of this
    // host has; it does not look at the kernel (facts/xapi.md section B9).
    let low = bond.strip_prefix("bond").and_then(crate::net::decimal).is_some_and(|n| n <= 9);
    let pif = inv.xapi.iter().flat_map(|x| &x.pifs).any(|p| p.device == bond);
    if low || pif {
        let why = if pif {
            "a PIF of this host has it"
        } else {
            "XAPI calls its own bonds bond0 to bond9"
        };
        found
            .push(Finding::new(Code::BondNameReserved, format!("the name {bond} is taken: {why}")));
    }
    if let Some(device) = inv.kernel.devices.get(bond).filter(|_| !bond_is_ours(spec, inv)) {
        found.push(Finding::new(
            Code::BondNameTaken,
            format!("the kernel has a {} called {bond}", device.kind.word()),
        ));
    }
    // `ifup` hands the device to ifup-$DEVICETYPE, the name less its digits, when there is one
    // (facts/initscripts.md section 1).
    let kind = bond.trim_end_matches(|c: char| c.is_ascii_digit());
    if SCRIPT_TYPES.contains(&kind) {
        found.push(Finding::new(
            Code::BondNameScript,
            format!("the boot scripts would run ifup-{kind} for {bond}, and not what makes a bond"),
        ));
    }
}

/// `ifup-TYPE` scripts of initscripts (rhel5-branch to rhel7-branch, sysconfig/network-scripts).
const SCRIPT_TYPES: [&str; 14] = [
    "aliases", "bnep", "eth", "ib", "ippp", "ipv6", "ipx", "isdn", "plip", "plusb", "ppp", "sit",
    "tunnel", "wireless",
];

fn files(spec: &Spec, inv: &Inventory, found: &mut Vec<Finding>) {
    let bond_file = paths::ifcfg(&spec.bond);
    if !matches!(inv.file(&bond_file), Kind::Absent) && !is_ours(inv.file(&bond_file)) {
        found.push(Finding::new(
            Code::BondFileExists,
            format!("{bond_file} exists, and xenbond did not write it"),
        ));
    }
    let devices: Vec<String> =
        resolve(spec, inv).into_iter().flatten().map(|nic| paths::ifcfg(&nic.device)).collect();
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
    for (path, kind) in &inv.files {
        let Some(name) = path.strip_prefix(paths::NETWORK_SCRIPTS) else { continue };
        let text = String::from_utf8_lossy(kind.bytes().unwrap_or_default());
        if name.starts_with("/ifcfg-")
            && !devices.contains(path)
            && !ifcfg::is_ignored_name(&name[1..])
            && !is_ours(kind)
            && ifcfg::names_master(&text, spec.bond.as_str())
        {
            found.push(
                Finding::new(
                    Code::MasterNamedElsewhere,
                    format!(
                        "{path} makes its device a slave of {}, and ifup {} would run it",
                        spec.bond, spec.bond
                    ),
                )
                .hint(format!("mv {path} /root/")),
            );
        }
    }
}

fn address(spec: &Spec, inv: &Inventory, found: &mut Vec<Finding>) {
    let bond = spec.bond.as_str();
    let subnet = spec.address.subnet();
    for device in inv.kernel.devices_with(spec.address.addr).into_iter().filter(|d| *d != bond) {
        found.push(Finding::new(
            Code::AddressTaken,
            format!("{} is already configured here, on {device}", spec.address.addr),
        ));
    }
    let mut said = Vec::new();
    let management = inv.management_bridge();
    let mut overlap = |device: &str, net: crate::net::Ipv4Net, what: &str| {
        if device != bond
            && net.prefix > 0
            && net.overlaps(subnet)
            && !said.contains(&(device.to_string(), net.subnet()))
        {
            said.push((device.to_string(), net.subnet()));
            let role = if management == Some(device) { ", the management subnet" } else { "" };
            found.push(Finding::new(
                Code::SubnetOverlap,
                format!("{subnet} overlaps {what} {} of {device}{role}: traffic would leave by the wrong device", net.subnet()),
            ));
        }
    };
    for address in &inv.kernel.addresses {
        overlap(&address.device, address.net, "the subnet");
    }
    for route in &inv.kernel.routes {
        overlap(&route.device, route.to, "the route to");
    }
}

fn mode(spec: &Spec, inv: &Inventory, found: &mut Vec<Finding>) {
    let mode = spec.mode;
    if mode == BondMode::BalanceSlb {
        match inv.driver_has_slb {
            Some(true) => {}
            Some(false) => found.push(Finding::new(
                Code::ModeUnknown,
                format!("mode {mode} ({}) is not in what `modinfo bonding` says, nor in the module itself", mode.number()),
            )),
            None => found.push(Finding::new(
                Code::ModeUnknown,
                format!("whether the driver has mode {mode} ({}) cannot be told: modinfo did not answer", mode.number()),
            )),
        }
        found.push(Finding::new(
            Code::SlbBehaviour,
            format!("mode {mode} chooses the slave by source MAC: all of dom0's own traffic has one and uses one NIC, and a bond outside a bridge announces nothing when it fails over"),
        ));
    }
    if let Some(setup) = switch_support(mode) {
        found.push(
            Finding::new(Code::SwitchSetup, format!("mode {mode} needs the switch: {setup}"))
                .hint(setup),
        );
    }
    found.push(Finding::new(
        Code::AlertsLost,
        format!("XAPI will send no alert when a slave of {} fails", spec.bond),
    ));
}

#[cfg(test)]
mod tests;
