//! A drill as an operator sees it: what it prints, its exit codes, and that all is as it was.

use serde_json::{Value, json};

use super::root::{Root, with_spec};

const DRILL: &[&str] = &["drill", "bond51", "--target", "172.16.51.2"];

/// The slave that carries the traffic, and which NICs are up.
fn carries(root: &Root) -> (Value, Vec<bool>) {
    let state = root.state();
    let up = |nic: &str| state["dom0"]["nics"][nic]["up"] == true;
    (state["dom0"]["bonds"]["bond51"]["active"].clone(), vec![up("eth2"), up("eth3")])
}

fn applied(mode: &str) -> Root {
    let root = Root::new("el7", "bridge");
    root.exits(0, &with_spec(&["apply", "--yes", "--mode", mode]));
    root
}

#[test]
fn every_slave_has_its_turn_and_the_active_slave_comes_back() {
    let root = Root::new("el7", "bridge");
    root.exits(0, &with_spec(&["apply", "--yes", "--probe", "172.16.51.2"]));
    let before = carries(&root);
    // The first probe of the spec is the target where none is named.
    let done = root.json(0, &["drill", "bond51"]);
    assert_eq!((&done["ok"], &done["target"]), (&json!(true), &json!("172.16.51.2")));
    let slaves = done["slaves"].as_array().unwrap();
    assert_eq!(slaves.len(), 2);
    for (slave, name) in slaves.iter().zip(["eth2", "eth3"]) {
        assert_eq!(
            (&slave["name"], &slave["lost"], &slave["gap_ms"]),
            (&json!(name), &json!(0), &json!(0))
        );
        assert!(slave["sent"].as_u64().unwrap() > 0, "{slave}");
    }
    assert_eq!(carries(&root), before);
    root.exits(0, &["verify"]);
}

#[test]
fn a_slave_that_loses_the_target_is_named_and_taken_out_of_service() {
    let root = applied("active-backup");
    let before = carries(&root);
    root.set(&json!({"dom0": {"wire": {"silent": ["eth3"]}}}));
    let run = root.exits(5, DRILL);
    assert!(
        run.out.contains("eth3 FAILED: 172.16.51.2 does not answer while eth3 carries"),
        "{run:?}"
    );
    assert!(run.out.contains("NOT every slave"), "{run:?}");
    assert_eq!(carries(&root), before);
}

#[test]
fn links_are_cut_only_when_that_was_said() {
    let root = applied("balance-rr");
    let usage = root.exits(2, DRILL);
    assert!(usage.err.contains("only --cut-links"), "{usage:?}");
    let cut: Vec<&str> = DRILL.iter().copied().chain(["--cut-links"]).collect();
    assert_eq!(root.json(0, &cut)["cut_links"], true);
    assert_eq!(carries(&root).1, [true, true]);
    root.exits(0, &["verify"]);
}

#[test]
fn a_drill_without_bond_or_target_touches_nothing() {
    let root = applied("active-backup");
    let ran = root.changing().len();
    let run = root.exits(2, &["drill", "bond51"]);
    assert!(run.err.contains("give --target IP"), "{run:?}");
    let run = root.exits(1, &["drill", "bond52", "--target", "172.16.51.2"]);
    assert!(run.err.contains("there is no bond bond52"), "{run:?}");
    let run = root.exits(1, &["drill", "bond51", "--target", "172.16.51.77"]);
    assert!(run.err.contains("does not answer through bond51 even before"), "{run:?}");
    assert_eq!(root.changing().len(), ran);
}
