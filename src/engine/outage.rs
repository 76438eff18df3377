//! What a way back interrupts, for how long, and what is to be known of that before. Pure.

use crate::inventory::Inventory;
use crate::journal::Transaction;
use crate::ledger::Phase;
use crate::net::Backend;
use crate::plan::Plan;
use crate::preflight::{self, Code, Finding};
use crate::spec::Spec;

/// The backend that runs again once those of its steps are undone which are `meant`, where they
/// switched it.
pub(super) fn switches_to(tx: &Transaction, meant: impl Fn(usize) -> bool) -> Option<Backend> {
    let begun = tx.begun();
    let number = tx.header.plan.switches().find(|n| begun.contains(n) && meant(*n))?;
    tx.header.plan.switched_from(number).map(Backend::taken)
}

/// Whether undoing it changes the running backend.
pub(super) fn switched(tx: &Transaction, inv: &Inventory) -> bool {
    let was = switches_to(tx, |_| true);
    was.is_some_and(|was| inv.running_backend().is_some_and(|now| now != was))
}

/// The devices that go down, where the bond `stays` afterwards or goes: the bond with all that lies on it, or tags of it alone.
pub(super) fn goes_down<'a>(
    all: &'a [Transaction],
    stays: bool,
    inv: &'a Inventory,
) -> Vec<&'a str> {
    let mut down: Vec<&str> = match stays {
        true => all.iter().flat_map(|tx| tx.header.plan.takes_down_again()).collect(),
        false => vec![carrier(&all[0].header.plan.spec, inv)],
    };
    down.retain(|device| inv.kernel.devices.contains_key(*device));
    down
}

/// The device that all of a bond goes with: the bond, or the bridge of what XAPI keeps.
fn carrier<'a>(spec: &'a Spec, inv: &'a Inventory) -> &'a str {
    // That of a network which was made for it has a name only since then.
    let made = spec.xapi_bond().and_then(|_| {
        let pifs = inv.xapi.as_ref()?.pifs.iter();
        let mut bond = pifs.filter(|p| p.device == spec.bond.as_str() && p.vlan == -1);
        inv.xapi.as_ref()?.bridge_of(bond.next()?)
    });
    let bridge = spec.managed().and_then(|managed| managed.bridge.as_ref());
    made.unwrap_or_else(|| bridge.unwrap_or(&spec.bond).as_str())
}

/// For how long they carry nothing, about.
pub(super) fn interruption(all: &[Transaction], stays: bool, down: &[&str]) -> u64 {
    if down.is_empty() {
        return 0;
    }
    let plans = all.iter().map(|tx| &tx.header.plan);
    // Without a bond before there is no end to it.
    let seconds = |plan: &Plan| if stays { plan.outage() } else { plan.seconds() };
    plans.map(seconds).sum::<u64>().max(1)
}

pub(super) fn findings(
    all: &[Transaction],
    before: Option<&Spec>,
    down: &[&str],
    reboots: bool,
    inv: &Inventory,
) -> Vec<Finding> {
    // Of one that is not at its end a person wants nothing but the end.
    let stands = all[0].phase().stands() || all[0].phase() == Phase::WaitingForConfirmation;
    let mut found = Vec::new();
    if !stands {
        return found;
    }
    // Without XAPI nobody says which are its own.
    let of_others = if reboots && inv.xapi.is_some() { of_others(all, inv) } else { Vec::new() };
    found.extend(preflight::interrupted(&[down, &of_others].concat(), inv));
    found.extend(of_others.into_iter().map(|bond| {
        let said = format!("{bond} is not of this change, and goes with the bridge backend");
        Finding::new(Code::BondCarriesMore, said)
    }));
    found.extend(before.iter().flat_map(|spec| preflight::come_back(spec, inv)));
    let spec = &all[0].header.plan.spec;
    if down.contains(&spec.bond.as_str()) {
        found.extend(preflight::goes_along(spec, inv));
    }
    if reboots {
        found.extend(preflight::rebooted(inv));
    }
    preflight::sorted(found)
}

/// Bonds of the kernel's that neither XAPI nor these changes have made: the other backend has none.
fn of_others<'a>(all: &[Transaction], inv: &'a Inventory) -> Vec<&'a str> {
    let pifs = inv.xapi.iter().flat_map(|xapi| &xapi.pifs);
    let xapis: Vec<&str> = pifs.map(|pif| pif.device.as_str()).collect();
    let ours = |name: &str| all.iter().any(|tx| tx.header.plan.spec.bond.as_str() == name);
    let bonds = inv.kernel.bonds.keys().map(String::as_str);
    bonds.filter(|name| !xapis.contains(name) && !ours(name)).collect()
}
