//! A bond that stands is made another one, and back; each rollback goes one step.

use std::fs;

use serde_json::{Value, json};

use super::root::{Root, SPEC, at_once, until, with_spec};

/// eth4 and eth5 are free NICs, and not slaves of a bond of XAPI.
pub fn with_free_nics(flavour: &str, backend: &str) -> Root {
    let plugged = json!({"currently_attached": false});
    let free = json!({"master": null, "up": false});
    Root::patched(
        flavour,
        backend,
        &json!({
            "pool": {
                "bonds": {"xen01/bond0": null},
                "pifs": {"xen01/bond0": null, "xen01/eth4": plugged, "xen01/eth5": plugged},
            },
            "dom0": {
                "bonds": {"bond0": null},
                "devices": {"xapi0": null},
                "nics": {"eth4": free, "eth5": {"master": null, "up": false, "mac": "00:1b:21:0a:01:05"}},
            },
        }),
    )
}

fn slaves(root: &Root) -> Vec<String> {
    let bond = root.state()["dom0"]["bonds"]["bond51"].clone();
    let mut names: Vec<String> = bond["slaves"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["name"].as_str().unwrap().to_string())
        .collect();
    names.sort();
    names
}

/// From the usual bond to another one by `spec`, and all the way back.
fn there_and_back(root: &Root, spec: &[&str], check: impl Fn(&Root)) {
    let start = root.snapshot();
    root.apply();
    let first = root.snapshot();
    let apply: Vec<&str> = ["apply", "--yes"].iter().chain(spec).copied().collect();
    let verify: Vec<&str> = ["verify"].iter().chain(spec).copied().collect();
    root.exits(0, &apply);
    root.exits(0, &verify);
    root.exits(0, &["verify"]);
    check(root);
    let ran = root.changing().len();
    root.exits(0, &apply);
    assert_eq!(root.changing().len(), ran, "{:?}", root.changing());
    root.exits(0, &["rollback", "--yes"]);
    first.assert_same(root, "after the first rollback");
    root.exits(0, &["verify"]);
    root.exits(0, &with_spec(&["plan", "--check"]));
    root.exits(0, &["rollback", "bond51", "--yes"]);
    start.assert_same(root, "after the second rollback");
    assert_eq!(root.own_files(), ["history", "lock"]);
}

#[test]
fn another_mode() {
    at_once(["el7", "el5"], |flavour| {
        let root = Root::new(flavour, "bridge");
        there_and_back(&root, &with_spec(&["--mode", "802.3ad"]), |root| {
            let shown = root.json(0, &["show", "bond51"]);
            assert_eq!(shown["bonds"][0]["mode"], "802.3ad");
        });
    });
}

#[test]
fn another_address() {
    let mut spec = SPEC.to_vec();
    let last = spec.len() - 1;
    spec[last] = "172.16.52.12/25";
    let root = Root::new("el7", "bridge");
    there_and_back(&root, &spec, |root| {
        assert_eq!(root.state()["dom0"]["addresses"]["bond51"], json!(["172.16.52.12/25"]));
    });
}

#[test]
fn another_mtu() {
    let root = Root::new("el5", "bridge");
    there_and_back(&root, &with_spec(&["--mtu", "9000"]), |root| {
        let dom0 = &root.state()["dom0"];
        assert_eq!(dom0["bonds"]["bond51"]["mtu"], 9000);
        assert_eq!(dom0["nics"]["eth3"]["mtu"], 9000);
    });
}

#[test]
fn a_third_slave() {
    let root = with_free_nics("el7", "bridge");
    there_and_back(&root, &with_spec(&["--nic", "eth4"]), |root| {
        assert_eq!(slaves(root), ["eth2", "eth3", "eth4"]);
    });
}

#[test]
fn one_slave_less() {
    let root = with_free_nics("el5", "bridge");
    let start = root.snapshot();
    root.exits(0, &with_spec(&["apply", "--yes", "--nic", "eth4"]));
    let three = root.snapshot();
    root.apply();
    root.exits(0, &["verify"]);
    assert_eq!(slaves(&root), ["eth2", "eth3"]);
    assert!(!root.at("etc/sysconfig/network-scripts/ifcfg-eth4").exists());
    assert_eq!(root.state()["dom0"]["nics"]["eth4"]["master"], Value::Null);
    root.exits(0, &["rollback", "--yes"]);
    three.assert_same(&root, "after the first rollback");
    root.exits(0, &["verify"]);
    root.exits(0, &["rollback", "bond51", "--yes"]);
    start.assert_same(&root, "after the second rollback");
}

#[test]
fn a_nic_that_leaves_is_given_back_to_xapi_as_it_was() {
    for flavour in ["el5", "el7"] {
        let root = with_free_nics(flavour, "bridge");
        let words = json!({"ethtool-gro": "off"});
        let eth4 = json!({"currently_attached": true, "other_config": words});
        root.set(&json!({"pool": {"pifs": {"xen01/eth4": eth4}}}));
        root.reboot();
        until("XAPI to start", || root.xenbond(&with_spec(&["plan"])).code == 0);
        let start = root.snapshot();
        let of = |root: &Root| root.state()["pool"]["pifs"]["xen01/eth4"].clone();
        root.exits(0, &with_spec(&["apply", "--yes", "--nic", "eth4"]));
        let three = root.snapshot();
        let plan = root.exits(0, &with_spec(&["plan"]));
        assert!(
            plan.out.contains("give eth4 back to XAPI with what it had, and plug it"),
            "{plan:?}"
        );
        root.apply();
        root.exits(0, &["verify"]);
        assert_eq!(slaves(&root), ["eth2", "eth3"]);
        let now = of(&root);
        assert_eq!((&now["managed"], &now["currently_attached"]), (&json!(true), &json!(true)));
        assert_eq!(now["other_config"], words, "{now}");
        root.exits(0, &["rollback", "--yes"]);
        three.assert_same(&root, "after the first rollback");
        // Another in its place.
        root.exits(0, &[&["apply", "--yes"], &with_nics(&["eth2", "eth3", "eth5"])[..]].concat());
        assert_eq!(of(&root)["managed"], true);
        root.exits(0, &["verify"]);
        root.exits(0, &["rollback", "bond51", "--yes"]);
        start.assert_same(&root, "after the last rollback");
    }
}

#[test]
fn a_nic_of_which_nothing_is_recorded_is_kept_and_named() {
    let root = with_free_nics("el7", "bridge");
    root.exits(0, &with_spec(&["apply", "--yes", "--nic", "eth4"]));
    fs::remove_dir_all(root.at("var/lib/xenbond")).unwrap();
    let plan = root.exits(0, &with_spec(&["plan"]));
    let words = "nic-not-given-back: eth4 leaves bond51";
    assert!(
        plan.out.contains(words) && plan.out.contains("xe pif-introduce host-uuid="),
        "{plan:?}"
    );
    root.apply();
    assert_eq!(root.state()["pool"]["pifs"]["xen01/eth4"]["managed"], false);
    root.exits(0, &["verify"]);
}

/// The usual bond of other NICs.
fn with_nics<'a>(nics: &[&'a str]) -> Vec<&'a str> {
    let mut all = vec!["--bond", "bond51", "--address", "172.16.51.11/24"];
    all.extend(nics.iter().flat_map(|nic| ["--nic", nic]));
    all
}

#[test]
fn a_change_that_fails_leaves_the_bond_before() {
    let root = Root::new("el7", "bridge");
    root.apply();
    let first = root.snapshot();
    root.lie("ifup", "lies", 1, 0);
    root.exits(3, &with_spec(&["apply", "--yes", "--mtu", "9000"]));
    first.assert_same(&root, "after the failed change");
    root.exits(0, &["verify"]);
    root.exits(0, &with_spec(&["plan", "--check"]));
}
