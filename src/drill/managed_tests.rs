//! Drills of XAPI's own bonds on the model, on both backends.

use std::sync::atomic::Ordering;

use super::*;
use crate::dom0::Dom0;
use crate::engine::Signals;
use crate::inventory::{Ask, Inventory, Managed};
use crate::model::state::{Backend, Flavour, State};

impl Dom0 {
    /// Drills the bond of eth2 and eth3 that XAPI has made.
    fn drill_managed(&self, cut_links: bool, signals: &Signals) -> Result<Report> {
        let inv = Inventory::read(&self.host, Ask::default()).unwrap();
        let managed = Managed::named(&self.host, &inv, "NAS").unwrap().unwrap();
        let drill = Drill {
            host: &self.host,
            bond: &managed.device,
            target: "172.16.51.2".parse().unwrap(),
            cut_links,
            made: None,
            managed: Some((&managed, &inv)),
            signals,
        };
        drill.run(&|_| {})
    }
}

/// Who carries the traffic, and who could.
fn carries(state: &State) -> (Option<String>, Vec<bool>) {
    let up = ["eth2", "eth3"].map(|nic| state.dom0.is_up(nic)).to_vec();
    match state.dom0.vswitch.get("bond1") {
        Some(bond) => (bond.active.clone(), up),
        None => (state.dom0.bonds["bond1"].active.clone(), up),
    }
}

#[test]
fn each_member_of_xapis_own_bond_has_its_turn() {
    for flavour in [Flavour::El5, Flavour::El7] {
        for backend in [Backend::Bridge, Backend::Openvswitch] {
            for first in ["eth2", "eth3"] {
                let dom0 = Dom0::altered(flavour, backend, |s| {
                    s.dom0.wire.first = Some(first.into());
                });
                dom0.managed("mode=active-backup");
                let before = carries(&dom0.model.state());
                assert_eq!(before.0.as_deref(), Some(first));
                let report = dom0.drill_managed(false, &Signals::default()).unwrap();
                assert!(report.ok, "{flavour:?} {backend:?}: {report:?}");
                assert!(report.slaves.iter().all(|t| t.lost == 0 && t.sent > 200), "{report:?}");
                assert_eq!(carries(&dom0.model.state()), before);
            }
        }
    }
}

#[test]
fn a_member_on_a_dead_vlan_is_found_and_the_other_carries_on() {
    for backend in [Backend::Bridge, Backend::Openvswitch] {
        let dom0 =
            Dom0::altered(Flavour::El7, backend, |s| s.dom0.wire.first = Some("eth2".into()));
        dom0.managed("mode=active-backup");
        dom0.change(|s| s.dom0.wire.silent.extend(["eth3".into()]));
        let report = dom0.drill_managed(false, &Signals::default()).unwrap();
        assert!(!report.ok);
        let why = report.slaves[1].why.as_deref().unwrap_or_default();
        assert!(why.contains("does not answer while eth3 carries"), "{report:?}");
        assert_eq!(carries(&dom0.model.state()).0.as_deref(), Some("eth2"));
    }
}

#[test]
fn links_that_were_cut_are_back_after_the_delay_and_a_signal_ends_it() {
    for (backend, mode) in [
        (Backend::Bridge, "active-backup"),
        (Backend::Openvswitch, "active-backup"),
        (Backend::Openvswitch, "balance-slb"),
        (Backend::Openvswitch, "lacp"),
    ] {
        let dom0 = Dom0::new(Flavour::El7, backend);
        dom0.managed(&format!("mode={mode}"));
        let before = carries(&dom0.model.state());
        let report = dom0.drill_managed(true, &Signals::default()).unwrap();
        assert!(report.ok, "{backend:?} {mode}: {report:?}");
        let after = carries(&dom0.model.state());
        assert_eq!(after.1, before.1);
        assert!(mode != "active-backup" || after == before, "{after:?}");
        if let Some(bond) = dom0.model.state().dom0.vswitch.get("bond1") {
            assert!(bond.members.iter().all(|member| member.enabled), "{bond:?}");
        }
        let signals = Signals::default();
        signals.interrupt.store(true, Ordering::Relaxed);
        let report = dom0.drill_managed(true, &signals).unwrap();
        assert!(!report.ok && report.slaves.len() == 1);
        assert_eq!(carries(&dom0.model.state()).1, before.1);
    }
}

#[test]
fn a_member_that_is_still_coming_up_has_no_turn() {
    let dom0 = Dom0::new(Flavour::El7, Backend::Openvswitch);
    dom0.managed("mode=active-backup");
    let active = carries(&dom0.model.state()).0.unwrap();
    let other = if active == "eth2" { "eth3" } else { "eth2" };
    let set = |good| dom0.change(|s| s.dom0.nics.get_mut(other).unwrap().link = good);
    set(false);
    dom0.change(|s| s.dom0.advance(1000));
    set(true);
    let report = dom0.drill_managed(false, &Signals::default()).unwrap();
    let turn = report.slaves.iter().find(|turn| turn.name == other).unwrap();
    assert_eq!(turn.why.as_deref(), Some("its link is going back"), "{report:?}");
    assert!(!report.ok);
}
