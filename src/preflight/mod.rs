//! The findings: `(spec, inventory) -> findings`. Pure.
//!
//! Each finding is a function that adds what it found, and the tables of the rooms below say which
//! there are; all run, so that the operator sees everything in one go, worst first.

mod address;
mod bond;
mod files;
mod finding;
mod host;
mod managed;
mod modules;
mod nic;
mod nics;
mod one;
mod pool;
mod storage;
mod tuning;
mod vlans;

pub use bond::goes_along;
pub use files::files_elsewhere;
pub use finding::{Code, Finding, Severity, barring, first};
pub use managed::{restarts, unguarded};
pub use nics::not_given_back;
pub use pool::rebooted;
pub use storage::interrupted;
pub use tuning::keep_tuned;

use crate::inventory::{Inventory, Nic, Xapi, resolve};
use crate::net::{Backend, IfName, MacAddr};
use crate::order;
use crate::paths;
use crate::render::is_ours;
use crate::spec::{BackendChoice, Request, Spec};
use crate::xe::Pif;

/// A spec on a host, as the findings look at it.
struct Case<'a> {
    spec: &'a Spec,
    inv: &'a Inventory,
    /// Which NIC each name of the spec means.
    nics: &'a [Option<Nic>],
    /// Whether the bond is to be taken over from whoever made it by hand.
    adopts: bool,
    /// Whether it is to be taken away.
    removes: bool,
}

/// What looks for one finding.
type Rule = fn(&Case<'_>, &mut Vec<Finding>);

/// What looks for one finding and needs XAPI's view.
type XapiRule = fn(&Case<'_>, &Xapi, &mut Vec<Finding>);

/// Everything that is to be said about this spec, and the NICs that it means, on this host, worst
/// first.
#[must_use]
pub fn check(spec: &Spec, nics: &[Option<Nic>], inv: &Inventory) -> Vec<Finding> {
    check_case(&Case { spec, inv, nics, adopts: false, removes: false })
}

/// Everything that is to be said about a bond that is to be taken over, on this host as its files
/// are to be.
#[must_use]
pub fn check_adoption(spec: &Spec, nics: &[Option<Nic>], inv: &Inventory) -> Vec<Finding> {
    check_case(&Case { spec, inv, nics, adopts: true, removes: false })
}

fn check_case(case: &Case<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let any = [host::ANY, pool::ANY, files::ANY, address::ANY].concat();
    let unmanaged = [
        host::RULES,
        bond::RULES,
        vlans::RULES,
        pool::RULES,
        files::RULES,
        modules::RULES,
        address::RULES,
        tuning::RULES,
    ]
    .concat();
    let is_managed = case.spec.managed().is_some();
    for rule in any.iter().chain(unmanaged.iter().filter(|_| !is_managed)) {
        rule(case, &mut found);
    }
    let rules = match is_managed {
        true => managed::XAPI_RULES.to_vec(),
        false => [pool::XAPI_RULES, nics::XAPI_RULES, tuning::XAPI_RULES].concat(),
    };
    // Without XAPI's view there is nothing to judge these by.
    if let Some(xapi) = &case.inv.xapi {
        for rule in nics::ANY.iter().chain(&rules) {
            rule(case, xapi, &mut found);
        }
    }
    sorted(found)
}

/// Everything that [`check`] says, and what the spec says of the pool's other hosts.
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

/// What of all that is found bars a bond from being taken away: the host itself, and who else is at
/// it. What is wrong with the bond bars nobody from removing it; but of a bond that nothing here
/// knows, the spec may name the NICs of another.
#[must_use]
pub fn check_removal(
    spec: &Spec,
    nics: &[Option<Nic>],
    inv: &Inventory,
    is_known: bool,
) -> Vec<Finding> {
    const BARS: [Code; 11] = [
        Code::NotRoot,
        Code::NotADom0,
        Code::XapiUnreachable,
        Code::PoolMasterUnreachable,
        Code::HostNotFound,
        Code::TransactionOpen,
        Code::AnotherRun,
        Code::CannotWrite,
        Code::NoSpace,
        Code::HaEnabled,
        Code::RedoLogEnabled,
    ];
    let mut found = check_case(&Case { spec, inv, nics, adopts: false, removes: true });
    let of_others = [Code::NicInOtherBond, Code::NicInUse];
    found.retain(|finding| {
        BARS.contains(&finding.code) || !is_known && of_others.contains(&finding.code)
    });
    found
}

/// What others have put on the NICs that a way back takes into the bond again, which is to be as
/// this spec says then.
#[must_use]
pub fn come_back(spec: &Spec, inv: &Inventory) -> Vec<Finding> {
    const HELD: [Code; 12] = [
        Code::NicInOtherBond,
        Code::NicInUse,
        Code::NicInManagedBond,
        Code::NicIsManagement,
        Code::NicHasVlans,
        Code::NicHasTunnels,
        Code::NicHasVifs,
        Code::VmsLoseNetwork,
        Code::NicHasIp,
        Code::NicDisallowsUnplug,
        Code::NicCarriesStorage,
        Code::NicClustered,
    ];
    let bond = spec.bond.as_str();
    let is_in = |nic: &Nic| {
        let device = inv.kernel.devices.get(nic.device.as_str());
        device.and_then(|device| device.master.as_deref()) == Some(bond)
    };
    let nics: Vec<Option<Nic>> =
        resolve(spec, inv).into_iter().map(|nic| nic.filter(|nic| !is_in(nic))).collect();
    let mut found = Vec::new();
    if let Some(xapi) = inv.xapi.as_ref().filter(|_| spec.managed().is_none()) {
        let case = Case { spec, inv, nics: &nics, adopts: false, removes: false };
        nics::each(&case, xapi, &mut found);
        found.retain(|finding| HELD.contains(&finding.code));
    }
    found
}

/// Findings in the order in which they are shown, the worst first.
#[must_use]
pub fn sorted(mut found: Vec<Finding>) -> Vec<Finding> {
    order::sort_by_key(&mut found, |f| (f.severity, f.code));
    found
}

impl Case<'_> {
    /// The NICs that are there.
    fn found(&self) -> impl Iterator<Item = &Nic> {
        self.nics.iter().flatten()
    }

    /// The bond's name, and those of its NICs that are there.
    fn names(&self) -> impl Iterator<Item = &IfName> {
        self.found().map(|nic| &nic.device).chain([&self.spec.bond])
    }

    /// Whether XAPI manages one of the NICs now, and is to let go of it.
    fn takes_nics(&self) -> bool {
        self.found().any(|nic| nic.pif.as_ref().is_some_and(Pif::is_managed))
    }

    /// Whether the switch script must run.
    fn needs_switch(&self) -> bool {
        needs_reboot(self.spec, self.inv)
            || (self.spec.backend == BackendChoice::Bridge
                && self.inv.network_conf != Some(Backend::Bridge))
    }
}

/// Whether the bond that stands under this name now is one that we made.
#[must_use]
pub fn bond_is_ours(spec: &Spec, inv: &Inventory) -> bool {
    is_ours(inv.file(&paths::ifcfg(spec.bond.as_str())))
        || inv.made.contains(&spec.bond)
        || inv.transaction.as_ref().is_some_and(|t| t.spec.bond == spec.bond)
}

/// Whether the device of a tag is one that we made.
fn vlan_is_ours(inv: &Inventory, device: &str) -> bool {
    is_ours(inv.file(&paths::ifcfg(device)))
}

/// Whether the running backend must change, and so the host reboot.
#[must_use]
pub fn needs_reboot(spec: &Spec, inv: &Inventory) -> bool {
    spec.backend == BackendChoice::Bridge
        && inv.running_backend().is_some_and(|b| b != Backend::Bridge)
}

/// Whether XAPI may not know a slave by its permanent MAC address: up to 8.2 it reads the one that
/// `/sys` shows, which is the bond's (tests/ground/xapi.md, B2).
#[must_use]
pub fn hides_its_mac(nic: &IfName, mac: MacAddr, inv: &Inventory) -> bool {
    let shown = inv.kernel.devices.get(nic.as_str()).and_then(|device| device.address);
    shown.is_some_and(|shown| shown != mac)
}

fn counted(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

#[cfg(test)]
mod tests;
