//! The bond's name and mode.

use super::{Case, Code, Finding, Rule, bond_is_ours, vlan_is_ours};
use crate::inventory::Inventory;
use crate::net::{Backend, BondMode, Tagged};
use crate::options::{Opt, switch_support};
use crate::service::Service;
use crate::spec::Spec;

pub(super) const RULES: &[Rule] = &[
    name_reserved,
    name_taken,
    name_of_a_script,
    mode_unknown,
    option_unknown,
    slb_behaviour,
    switch_setup,
    arp_not_validated,
    alerts_lost,
    managed_possible,
    carries_more,
    default_route_goes,
];

fn name_reserved(case: &Case<'_>, found: &mut Vec<Finding>) {
    let (spec, inv) = (case.spec, case.inv);
    let bond = spec.bond.as_str();
    // xapi_bond.ml names its bonds bond0, bond1, ...: the lowest number that no bond PIF of this
    // host has; it does not look at the kernel (tests/ground/xapi.md, B9).
    let low = bond.strip_prefix("bond").and_then(crate::net::decimal).is_some_and(|n| n <= 9);
    let pif = inv.xapi.iter().flat_map(|x| &x.pifs).any(|p| p.device == bond);
    let why = if pif {
        Some("a PIF of this host has it")
    } else if low && !bond_is_ours(spec, inv) {
        Some("XAPI calls its own bonds bond0 to bond9")
    } else if Service::of_bond(&spec.bond, inv.init).name == Service::of_resume(inv.init).name {
        Some("its service would be the one that continues after a reboot")
    } else {
        None
    };
    if let Some(why) = why {
        found
            .push(Finding::new(Code::BondNameReserved, format!("the name {bond} is taken: {why}")));
    }
}

fn name_taken(case: &Case<'_>, found: &mut Vec<Finding>) {
    let bond = case.spec.bond.as_str();
    let ours = bond_is_ours(case.spec, case.inv);
    if let Some(device) = case.inv.kernel.devices.get(bond).filter(|_| !ours) {
        found.push(Finding::new(
            Code::BondNameTaken,
            format!("the kernel has a {} called {bond}", device.kind.word()),
        ));
    }
}

/// `ifup` hands the device to ifup-$DEVICETYPE, the name less its digits, when there is one
/// (tests/ground/initscripts.md, A2).
fn name_of_a_script(case: &Case<'_>, found: &mut Vec<Finding>) {
    let bond = case.spec.bond.as_str();
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

fn mode_unknown(case: &Case<'_>, found: &mut Vec<Finding>) {
    let mode = case.spec.mode;
    if mode != BondMode::BalanceSlb {
        return;
    }
    let mode = format!("mode {mode} ({})", mode.number());
    let said = match case.inv.driver_has_slb {
        Some(true) => return,
        Some(false) => {
            format!("{mode} is not in what `modinfo bonding` says, nor in the module itself")
        }
        None => {
            format!("whether the driver has {mode} cannot be told: modinfo did not answer")
        }
    };
    found.push(Finding::new(Code::ModeUnknown, said));
}

/// `ifup` says nothing of an option that the driver does not know (tests/ground/initscripts.md, B1).
fn option_unknown(case: &Case<'_>, found: &mut Vec<Finding>) {
    for young in case.spec.options.young() {
        let (major, minor) = young.since;
        let since = format!("which Linux has from {major}.{minor} on");
        let said = match &case.inv.driver {
            Some(driver) => match driver.knows(&young) {
                Some(true) => continue,
                Some(false) => {
                    format!("the bonding driver {driver} does not know {young}, {since}")
                }
                None => format!(
                    "whether the bonding driver {driver} knows {young}, {since}, cannot be told: its module cannot be read"
                ),
            },
            None => format!(
                "whether the bonding driver knows {young}, {since}, cannot be told: modinfo did not answer"
            ),
        };
        found.push(Finding::new(Code::OptionUnknown, said));
    }
}

fn slb_behaviour(case: &Case<'_>, found: &mut Vec<Finding>) {
    let mode = case.spec.mode;
    if mode == BondMode::BalanceSlb {
        found.push(Finding::new(
            Code::SlbBehaviour,
            format!("mode {mode} chooses the slave by source MAC: all of dom0's own traffic has one and uses one NIC, and a bond outside a bridge announces nothing when it fails over"),
        ));
    }
}

fn switch_setup(case: &Case<'_>, found: &mut Vec<Finding>) {
    let mode = case.spec.mode;
    let passive = case.spec.options.word(Opt::LacpActive) == Some("off");
    if let Some(setup) = switch_support(mode) {
        let setup = match passive {
            true => {
                "put the ports of all slaves into one LACP group that is active, since lacp_active=off waits for it"
            }
            false => setup,
        };
        found.push(
            Finding::new(
                Code::SwitchSetup,
                format!("mode {mode} needs the switch to be set for it"),
            )
            .hint(setup),
        );
    }
}

/// The monitor takes other hosts' broadcasts for an answer (tests/ground/peers.md, P29).
fn arp_not_validated(case: &Case<'_>, found: &mut Vec<Finding>) {
    let options = &case.spec.options;
    let arp = options.number(Opt::ArpInterval).is_some_and(|ms| ms > 0);
    let validated = options.word(Opt::ArpValidate).is_some_and(|word| word != "none");
    if case.spec.mode == BondMode::ActiveBackup && arp && !validated {
        found.push(Finding::new(
            Code::ArpNotValidated,
            "arp_interval without arp_validate: other hosts' broadcasts keep a dead link looking alive",
        ));
    }
}

fn carries_more(case: &Case<'_>, found: &mut Vec<Finding>) {
    found.extend(goes_along(case.spec, case.inv));
}

/// What lies on the bond of this name that stands, and was not asked for: it goes with the bond when
/// that is taken down or made anew.
#[must_use]
pub fn goes_along(spec: &Spec, inv: &Inventory) -> Vec<Finding> {
    let bond = spec.bond.as_str();
    if !bond_is_ours(spec, inv) || spec.managed().is_some() {
        return Vec::new();
    }
    // A tag of ours that is no longer asked for has a step of its own.
    let ours = |what: &String| what.split(' ').next().is_some_and(|d| vlan_is_ours(inv, d));
    let more = inv.kernel.beside(spec).into_iter().filter(|what| !ours(what));
    let said = |what| format!("{what} lies on {bond}, and goes when {bond} is taken down");
    more.map(|what| Finding::new(Code::BondCarriesMore, said(what))).collect()
}

/// A bond that is not to lead to everywhere, and does: whoever is beyond the management network's
/// router loses the host with it.
fn default_route_goes(case: &Case<'_>, found: &mut Vec<Finding>) {
    let bond = case.spec.bond.as_str();
    let mut own = vec![bond];
    own.extend(case.spec.tagged().map(Tagged::as_str));
    let default = case.inv.kernel.routes.iter().filter(|route| route.to.prefix == 0);
    let (through, others): (Vec<_>, Vec<_>) = default.partition(|r| own.contains(&&*r.device));
    if let (Some(route), true) = (through.first(), others.is_empty()) {
        let via = route.gateway.map(|ip| format!(" via {ip}")).unwrap_or_default();
        let said = format!("the only default route leads through {}{via}, and goes", route.device);
        found.push(Finding::new(Code::DefaultRouteGoes, said));
    }
}

fn alerts_lost(case: &Case<'_>, found: &mut Vec<Finding>) {
    if case.inv.xapi.is_some() {
        found.push(Finding::new(
            Code::AlertsLost,
            format!("XAPI will send no alert when a slave of {} fails", case.spec.bond),
        ));
    }
}

/// The NICs that XAPI makes a bond of on Open vSwitch, and on the Linux bridge
/// (tests/ground/managed.md, F3).
const XAPIS_MOST: (usize, usize) = (4, 2);

/// A bond that is still to be made and that XAPI could make as well, with what each gives.
fn managed_possible(case: &Case<'_>, found: &mut Vec<Finding>) {
    let spec = case.spec;
    let vswitch = case.inv.running_backend() == Some(Backend::Openvswitch);
    let most = if vswitch { XAPIS_MOST.0 } else { XAPIS_MOST.1 };
    let mode = match spec.mode {
        BondMode::ActiveBackup | BondMode::BalanceSlb => true,
        BondMode::Ieee8023ad => vswitch,
        _ => false,
    };
    // What XAPI sets of a bond (tests/ground/managed.md, F1).
    let known = [Opt::Miimon, Opt::Updelay, Opt::Downdelay, Opt::UseCarrier];
    let options = spec.options.iter().all(|(row, _)| known.contains(&row.opt));
    let tagged = spec.tagged().next().is_some();
    let stands = bond_is_ours(spec, case.inv) || case.adopts || case.removes;
    if case.inv.xapi.is_none() || stands || tagged || !mode || !options || spec.nics.len() > most {
        return;
    }
    let reboot = if vswitch { ", without a reboot" } else { "" };
    let said = format!(
        "XAPI could make this bond itself{reboot}: it would survive upgrades and rescans, and everybody could see and change it in XenCenter, with fewer options"
    );
    found.push(Finding::new(Code::ManagedPossible, said));
}
