//! What speaks against the change: `(spec, inventory) -> findings`. Pure.
//!
//! Each rule is a function that adds what it found; all run, so that the operator sees
//! everything in one go, worst first.

mod address;
mod files;
mod finding;
mod nics;
mod pool;
mod storage;

pub use finding::{Code, Finding, Severity, barring};

use crate::host::Program;
use crate::inventory::Inventory;
use crate::inventory::Nic;
use crate::net::{Backend, BondMode};
use crate::options::{Opt, switch_support};
use crate::paths;
use crate::render::is_ours;
use crate::service::Init;
use crate::service::Service;
use crate::spec::{BackendChoice, Request, Spec};
use crate::xe::Pif;

/// Everything that is to be said about this spec on this host, worst first.
#[must_use]
pub fn check(spec: &Spec, nics: &[Option<Nic>], inv: &Inventory) -> Vec<Finding> {
    let mut found = Vec::new();
    host(inv, &mut found);
    transaction(spec, inv, &mut found);
    // Without XAPI's view there is nothing to judge the rest by.
    if let Some(xapi) = &inv.xapi {
        pool::check(spec, nics, inv, xapi, &mut found);
        nics::check(spec, nics, inv, &mut found);
        found.push(Finding::new(
            Code::AlertsLost,
            format!("XAPI will send no alert when a slave of {} fails", spec.bond),
        ));
    }
    pool::adoption(nics, inv, &mut found);
    bond_name(spec, inv, &mut found);
    if spec.backend == BackendChoice::Bridge {
        files::blacklist(inv, &mut found);
    }
    files::check(spec, nics, inv, &mut found);
    address::check(spec, inv, &mut found);
    mode(spec, inv, &mut found);
    sorted(found)
}

/// The same, and what the spec says of the pool's other hosts.
#[must_use]
pub fn check_request(
    request: &Request,
    spec: &Spec,
    nics: &[Option<Nic>],
    inv: &Inventory,
) -> Vec<Finding> {
    let mut found = check(spec, nics, inv);
    if let Some(xapi) = &inv.xapi {
        pool::spec_hosts(request, inv, xapi, &mut found);
    }
    sorted(found)
}

fn sorted(mut found: Vec<Finding>) -> Vec<Finding> {
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
        pool::silence(inv, error, found);
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
    if inv.ground.bonding_opts == Some(false) && inv.kernel.modules.contains("bonding") {
        found.push(Finding::new(
            Code::NoBondingOpts,
            "the network-functions of this host know no BONDING_OPTS, and the driver is loaded: the options of this bond count only when it is first loaded",
        ));
    }
    let program = match inv.init {
        Init::Systemd => Program::Systemctl,
        Init::Sysv => Program::Chkconfig,
    };
    if !inv.network_service && !inv.programs.contains_key(&program) {
        found.push(Finding::new(
            Code::NothingBringsItUp,
            format!("the network service is off, and without `{program}` no other can be enabled"),
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
    if let Some(words) = &inv.ground.other_run {
        found.push(Finding::new(
            Code::AnotherRun,
            format!("another xenbond is changing this host: {}", words.escape_debug()),
        ));
    }
}

/// Whether the running backend must change, and so the host reboot.
#[must_use]
pub fn needs_reboot(spec: &Spec, inv: &Inventory) -> bool {
    spec.backend == BackendChoice::Bridge
        && inv.running_backend().is_some_and(|b| b != Backend::Bridge)
}

/// Whether the switch script must run.
#[must_use]
fn needs_switch(spec: &Spec, inv: &Inventory) -> bool {
    needs_reboot(spec, inv)
        || (spec.backend == BackendChoice::Bridge && inv.network_conf != Some(Backend::Bridge))
}

/// Whether XAPI manages one of the NICs now, and is to let go of it.
fn takes_nics(nics: &[Option<Nic>]) -> bool {
    let managed = |nic: &Nic| nic.pif.as_ref().is_some_and(Pif::is_managed);
    nics.iter().flatten().any(managed)
}

fn counted(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

fn bond_name(spec: &Spec, inv: &Inventory, found: &mut Vec<Finding>) {
    let bond = spec.bond.as_str();
    // xapi_bond.ml names its bonds bond0, bond1, ...: the lowest number that no bond PIF of this
    // host has; it does not look at the kernel (facts/xapi.md section B9).
    let low = bond.strip_prefix("bond").and_then(crate::net::decimal).is_some_and(|n| n <= 9);
    let pif = inv.xapi.iter().flat_map(|x| &x.pifs).any(|p| p.device == bond);
    let why = if pif {
        Some("a PIF of this host has it")
    } else if low {
        Some("XAPI calls its own bonds bond0 to bond9")
    } else if Service::of_bond(&spec.bond, inv.init).name == Service::of_resume(inv.init).name {
        Some("its service would be the one that goes on after a reboot")
    } else {
        None
    };
    if let Some(why) = why {
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
    // The monitor takes other hosts' broadcasts for an answer (facts/peers.md row 29).
    let arp = spec.options.number(Opt::ArpInterval).is_some_and(|ms| ms > 0);
    let validated = spec.options.word(Opt::ArpValidate).is_some_and(|word| word != "none");
    if mode == BondMode::ActiveBackup && arp && !validated {
        found.push(Finding::new(
            Code::ArpNotValidated,
            "arp_interval without arp_validate: other hosts' broadcasts keep a dead link looking alive",
        ));
    }
}

#[cfg(test)]
mod tests;
