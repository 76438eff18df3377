//! Drills on the model: what each costs, and that all is as it was.

use std::sync::Arc;

use super::*;
use crate::dom0::Dom0;
use crate::engine::Signals;
use crate::host::{Cmd, Output, Runner};
use crate::journal;
use crate::model::Model;
use crate::model::state::{Backend, Flavour};
use crate::report::drill::text;

impl Dom0 {
    /// With the usual bond, with more settings or others.
    fn bonded(flavour: Flavour, more: &[(&'static str, &str)]) -> Self {
        let dom0 = Self::new(flavour, Backend::Bridge);
        crate::status::tests::apply(&dom0.host, more);
        dom0
    }

    fn drill(&self, cut_links: bool, signals: &Signals) -> Result<Report> {
        let bond = "bond51".parse().unwrap();
        let made = journal::made(&self.host).unwrap().pop();
        let drill = Drill {
            host: &self.host,
            bond: &bond,
            target: "172.16.51.2".parse().unwrap(),
            cut_links,
            made: made.as_ref(),
            managed: None,
            signals,
        };
        let before = self.links();
        let report = drill.run(&|_| {});
        assert_eq!(self.links(), before, "not as it was");
        report
    }

    /// What a drill must bring back.
    fn links(&self) -> (Option<String>, Vec<(String, bool, String)>) {
        let dom0 = self.model.state().dom0;
        let bond = &dom0.bonds["bond51"];
        let slave = |s: &crate::model::state::Slave| {
            (s.name.clone(), dom0.nics[&s.name].up, s.status.clone())
        };
        // Modes without one keep a pointer of their own, which nobody sees.
        let active = bond.active.clone().filter(|_| bond.mode().has_active_slave());
        (active, bond.slaves.iter().map(slave).collect())
    }
}

/// The model, whose table of routes is nonsense after each measurement.
struct Spoils(Arc<Model>);

impl Runner for Spoils {
    fn run(&self, cmd: &Cmd) -> Result<Output> {
        self.0.run(cmd)
    }

    fn run_during(&self, cmd: &Cmd, act: &mut dyn FnMut()) -> Result<Output> {
        let output = self.0.run_during(cmd, act);
        let route = self.0.root().join("proc/net/route");
        std::fs::write(route, "Iface\neth9\tX\tX\t1\t0\t0\t0\tX\t0\t0\t0\n").unwrap();
        output
    }

    fn own_program(&self) -> Result<Vec<u8>> {
        self.0.own_program()
    }

    fn detach(&self, path: &str, args: &[&str], log: &str) -> Result<()> {
        self.0.detach(path, args, log)
    }
}

#[test]
fn a_kernel_that_cannot_be_read_is_not_taken_for_a_sound_one() {
    let mut dom0 = Dom0::bonded(Flavour::El7, &[]);
    let spoils = Arc::new(Spoils(dom0.model.clone()));
    dom0 = dom0.run_by(spoils);
    let report = dom0.drill(false, &Signals::default()).unwrap();
    let why = report.slaves[0].why.as_deref().unwrap_or_default();
    assert!(why.contains("reading /proc/net/route"), "{report:?}");
    assert!(!report.ok);
}

fn short(report: &Report) -> Vec<(&str, bool, bool)> {
    report.slaves.iter().map(|t| (t.name.as_str(), t.ok, t.lost > 0)).collect()
}

#[test]
fn each_slave_carries_the_traffic_and_the_active_one_is_put_back() {
    for flavour in [Flavour::El5, Flavour::El7] {
        let dom0 = Dom0::bonded(flavour, &[("primary", "eth3")]);
        let report = dom0.drill(false, &Signals::default()).unwrap();
        assert!(report.ok, "{report:?}");
        assert_eq!(short(&report), [("eth2", true, false), ("eth3", true, false)]);
        for turn in &report.slaves {
            assert!(turn.sent > 200 && turn.gap_ms == Some(0), "{turn:?}");
        }
        assert!(text(&report).lines().all(|l| l.chars().count() <= 100), "{}", text(&report));
    }
}

#[test]
fn a_slave_whose_switch_port_passes_nothing_is_found_and_ends_the_drill() {
    let dom0 = Dom0::bonded(Flavour::El7, &[("nics", "eth2,eth3")]);
    dom0.change(|state| state.dom0.wire.silent = ["eth3".to_string()].into());
    let report = dom0.drill(false, &Signals::default()).unwrap();
    assert_eq!(short(&report), [("eth2", true, false), ("eth3", false, true)]);
    assert!(!report.ok && report.error.is_none());
    assert!(
        report.slaves[1].why.as_ref().unwrap().contains("does not answer while eth3"),
        "{report:?}"
    );
    assert!(report.slaves[1].gap_ms.unwrap() >= 2000, "{report:?}");
    assert!(report.slaves[1].timeline.ends_with('.') && report.slaves[1].timeline.starts_with('#'));
}

#[test]
fn a_slave_without_link_has_no_turn_and_the_others_have_theirs() {
    let dom0 = Dom0::bonded(Flavour::El7, &[]);
    dom0.change(|state| state.dom0.nics.get_mut("eth2").unwrap().link = false);
    for cut in [false, true] {
        let report = dom0.drill(cut, &Signals::default()).unwrap();
        assert_eq!(short(&report), [("eth2", false, false), ("eth3", true, false)]);
        assert_eq!((report.slaves[0].gap_ms, report.ok), (None, false));
    }
}

#[test]
fn links_are_cut_and_mended_in_modes_without_an_active_slave() {
    for mode in ["balance-rr", "802.3ad", "active-backup"] {
        let dom0 = Dom0::bonded(Flavour::El7, &[("mode", mode), ("downdelay", "500")]);
        let report = dom0.drill(true, &Signals::default()).unwrap();
        assert!(report.ok, "{mode}: {report:?}");
        // Until the driver leaves a link that went down, packets are lost on it.
        assert!(report.slaves.iter().any(|t| t.lost > 0), "{mode}: {report:?}");
        assert!(report.slaves.iter().all(|t| t.gap_ms.unwrap() <= 1000), "{mode}: {report:?}");
    }
}

#[test]
fn a_signal_ends_it_with_all_as_it_was() {
    let dom0 = Dom0::bonded(Flavour::El7, &[]);
    let signals = Signals::default();
    signals.interrupt.store(true, Ordering::Relaxed);
    let report = dom0.drill(true, &signals).unwrap();
    assert!(!report.ok && report.slaves.len() == 1);
    assert_eq!(report.error.as_deref(), Some("interrupted (Ctrl-C or a signal)"));
}

#[test]
fn what_cannot_be_drilled_is_refused_before_anything_is_touched() {
    let refused =
        |dom0: &Dom0| format!("{:#}", dom0.drill(false, &Signals::default()).unwrap_err());
    let dom0 = Dom0::bonded(Flavour::El5, &[]);
    dom0.change(|state| state.dom0.wire.reachable.clear());
    assert!(refused(&dom0).contains("does not answer through bond51 even before"));
    let dom0 = Dom0::bonded(Flavour::El5, &[]);
    dom0.change(|state| state.dom0.bonds.get_mut("bond51").unwrap().master = Some("xenbr9".into()));
    dom0.change(|state| {
        let bridge = state.dom0.devices["xenbr0"].clone();
        state.dom0.devices.insert("xenbr9".into(), bridge);
    });
    assert!(refused(&dom0).contains("is a port of xenbr9"), "{}", refused(&dom0));
    let dom0 = Dom0::bonded(Flavour::El5, &[]);
    dom0.change(|state| drop(state.dom0.bonds.get_mut("bond51").unwrap().slaves.pop()));
    assert!(refused(&dom0).contains("no other slave can take over"));
}
