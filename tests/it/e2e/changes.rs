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

/// From the usual bond to another one by `spec`, and back; `live`: without taking it down.
fn there_and_back(root: &Root, spec: &[&str], live: bool, check: impl Fn(&Root)) {
    let start = root.snapshot();
    root.apply();
    let first = root.snapshot();
    let apply: Vec<&str> = ["apply", "--yes"].iter().chain(spec).copied().collect();
    let verify: Vec<&str> = ["verify"].iter().chain(spec).copied().collect();
    let before = root.changing().len();
    let plan = root.json(0, &[&["plan"], spec].concat());
    root.exits(0, &apply);
    root.exits(0, &verify);
    root.exits(0, &["verify"]);
    check(root);
    let ran = root.changing().len();
    root.exits(0, &apply);
    assert_eq!(root.changing().len(), ran, "{:?}", root.changing());
    root.exits(0, &["rollback", "--yes"]);
    first.assert_same(root, "after the first rollback");
    let ran = root.changing().split_off(before);
    let scripts = |command: &&String| command.starts_with("ifup") || command.starts_with("ifdown");
    assert_eq!(ran.iter().any(|c| scripts(&c)), !live, "{ran:?}");
    assert_eq!(plan["interrupts"].as_u64().unwrap() > 1, !live, "{plan}");
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
        there_and_back(&root, &with_spec(&["--mode", "802.3ad"]), false, |root| {
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
    there_and_back(&root, &spec, true, |root| {
        assert_eq!(root.state()["dom0"]["addresses"]["bond51"], json!(["172.16.52.12/25"]));
    });
}

#[test]
fn another_mtu() {
    let root = Root::new("el5", "bridge");
    there_and_back(&root, &with_spec(&["--mtu", "9000"]), true, |root| {
        let dom0 = &root.state()["dom0"];
        assert_eq!(dom0["bonds"]["bond51"]["mtu"], 9000);
        assert_eq!(dom0["nics"]["eth3"]["mtu"], 9000);
    });
}

#[test]
fn another_primary_and_another_way_to_watch_the_links() {
    at_once(["el7", "el5"], |flavour| {
        let root = Root::new(flavour, "bridge");
        let more = ["--primary", "eth3", "--miimon", "200", "--updelay", "400"];
        there_and_back(&root, &with_spec(&more), true, |root| {
            let options = &root.state()["dom0"]["bonds"]["bond51"]["options"];
            assert_eq!((&options["miimon"], &options["updelay"]), (&json!(200), &json!(2)));
            assert_eq!(root.state()["dom0"]["bonds"]["bond51"]["active"], "eth3");
        });
        let arp = ["--arp-interval", "500", "--arp-ip-target", "172.16.51.2"];
        there_and_back(&root, &with_spec(&arp), true, |root| {
            let options = &root.state()["dom0"]["bonds"]["bond51"]["options"];
            assert_eq!((&options["miimon"], &options["arp_interval"]), (&json!(0), &json!(500)));
        });
    });
}

/// Where files alone are not as they were written, no link is touched.
#[test]
fn a_file_that_others_edited_is_mended_while_the_bond_is_up() {
    let root = Root::new("el7", "bridge");
    root.apply();
    let before = root.changing().len();
    let path = root.at("etc/sysconfig/network-scripts/ifcfg-eth3");
    fs::write(path, "DEVICE=eth3\nONBOOT=no\n").unwrap();
    fs::remove_file(root.at("etc/sysconfig/network-scripts/ifcfg-bond51")).unwrap();
    root.exits(5, &["verify"]);
    assert_eq!(root.json(0, &["plan", "bond51"])["interrupts"], 0);
    root.exits(0, &["apply", "bond51", "--yes"]);
    root.exits(0, &["plan", "bond51", "--check"]);
    let ran = root.changing().split_off(before);
    assert!(ran.iter().all(|c| !c.starts_with("if")), "{ran:?}");
    root.exits(0, &["verify"]);
}

#[test]
fn a_third_slave() {
    let root = with_free_nics("el7", "bridge");
    there_and_back(&root, &with_spec(&["--nic", "eth4"]), true, |root| {
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
            plan.out.contains("give eth4 back to XAPI with its old settings and plug it"),
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
    root.exits(3, &with_spec(&["apply", "--yes", "--mode", "802.3ad"]));
    first.assert_same(&root, "after the failed change");
    root.lie("ip", "fails", 1, 0);
    root.exits(3, &with_spec(&["apply", "--yes", "--mtu", "9000", "--miimon", "200"]));
    first.assert_same(&root, "after the failed change of the bond that stands");
    root.exits(0, &["verify"]);
    root.exits(0, &with_spec(&["plan", "--check"]));
}
