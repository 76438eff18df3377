//! The host itself: whether it is a dom0 that can be changed now, and what else is changing it.

use super::{Case, Code, Finding, Rule};
use crate::host::Program;
use crate::inventory::{Inventory, Xapi};
use crate::paths;
use crate::service::Init;

/// Of bonds of either kind.
pub(super) const ANY: &[Rule] =
    &[not_root, not_a_dom0, xapi_unreachable, host_not_found, transaction_open, another_run];

pub(super) const RULES: &[Rule] = &[no_boot_scripts, no_bonding_opts, nothing_brings_it_up];

fn not_root(case: &Case<'_>, found: &mut Vec<Finding>) {
    if !case.inv.may_change {
        found.push(Finding::new(Code::NotRoot, "only root may change the network of a host"));
    }
}

fn not_a_dom0(case: &Case<'_>, found: &mut Vec<Finding>) {
    if case.inv.xensource.is_none() {
        found.push(Finding::new(
            Code::NotADom0,
            format!("{} is missing: this is not a XenServer or XCP-ng dom0", paths::INVENTORY),
        ));
    }
}

/// A dom0: what makes one is looked for only there.
fn dom0<'a>(case: &Case<'a>) -> Option<&'a Inventory> {
    Some(case.inv).filter(|inv| inv.xensource.is_some())
}

/// Finds why XAPI may not have answered.
fn xapi_unreachable(case: &Case<'_>, found: &mut Vec<Finding>) {
    let Some(inv) = dom0(case) else { return };
    let Some(error) = &inv.xapi_error else { return };
    let master =
        inv.ground.pool_master.as_ref().filter(|_| inv.programs.contains_key(&Program::Xe));
    found.push(match master {
        Some(master) => {
            let master = master.escape_debug();
            Finding::new(
                Code::PoolMasterUnreachable,
                format!("XAPI could not be asked; this host is a member of the pool and asks its master, {master}: {error}"),
            )
            .hint(format!("is {master} up, and reached from here? On both: xe host-list"))
        }
        None => Finding::new(Code::XapiUnreachable, format!("XAPI could not be asked: {error}")),
    });
}

fn host_not_found(case: &Case<'_>, found: &mut Vec<Finding>) {
    let known = |xapi: &Xapi, uuid| xapi.hosts.iter().any(|host| host.uuid == uuid);
    if let (Some(xapi), Some(uuid)) = (&case.inv.xapi, case.inv.host_uuid())
        && !known(xapi, uuid.clone())
    {
        found.push(Finding::new(
            Code::HostNotFound,
            format!("INSTALLATION_UUID is {uuid}, and XAPI has no host with that uuid"),
        ));
    }
}

fn no_boot_scripts(case: &Case<'_>, found: &mut Vec<Finding>) {
    let Some(inv) = dom0(case) else { return };
    if !inv.programs.contains_key(&Program::Ifup) || !inv.programs.contains_key(&Program::Ifdown) {
        found.push(Finding::new(Code::NoBootScripts, "there is no ifup or no ifdown on this host"));
    }
}

fn no_bonding_opts(case: &Case<'_>, found: &mut Vec<Finding>) {
    let Some(inv) = dom0(case) else { return };
    if inv.ground.bonding_opts == Some(false) && inv.kernel.modules.contains("bonding") {
        found.push(Finding::new(
            Code::NoBondingOpts,
            "the network-functions of this host know no BONDING_OPTS, and the driver is loaded: the options of this bond count only when it is first loaded",
        ));
    }
}

fn nothing_brings_it_up(case: &Case<'_>, found: &mut Vec<Finding>) {
    let Some(inv) = dom0(case) else { return };
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

fn transaction_open(case: &Case<'_>, found: &mut Vec<Finding>) {
    let open = case
        .inv
        .transaction
        .as_ref()
        .filter(|t| t.is_open() && !t.phase.is_saving() && t.spec != *case.spec);
    if let Some(open) = open {
        let said = format!("transaction {} for {} is {}", open.id, open.spec.bond, open.phase);
        found.push(Finding::new(Code::TransactionOpen, said).hint(open.phase.way_out()));
    }
}

fn another_run(case: &Case<'_>, found: &mut Vec<Finding>) {
    if let Some(words) = &case.inv.ground.other_run {
        found.push(Finding::new(
            Code::AnotherRun,
            format!("another xenbond is changing this host: {}", words.escape_debug()),
        ));
    }
}
