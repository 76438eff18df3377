//! A plan that is saved and carried out later, on the very host that it was made for.

use std::fs;

use serde_json::json;

use super::root::{Root, at_once, with_spec};

fn planned(flavour: &str, backend: &str) -> (Root, String) {
    let root = Root::new(flavour, backend);
    let start = root.snapshot();
    let file = root.beside("plan.json");
    root.exits(0, &with_spec(&["plan", "--out", &file]));
    start.assert_same(&root, "plan --out");
    assert!(root.changing().is_empty());
    assert!(!root.at("var/lib/xenbond").exists(), "a plan left something behind");
    (root, file)
}

#[test]
fn a_saved_plan_is_carried_out() {
    at_once([("el7", "bridge"), ("el5", "openvswitch")], |(flavour, backend)| {
        let (root, file) = planned(flavour, backend);
        root.exits(5, &with_spec(&["plan", "--check"]));
        if backend == "openvswitch" {
            root.exits(6, &["apply", "--yes", "--plan", &file]);
            root.reboot();
            root.exits(0, &["apply", "--yes", "--plan", &file]);
        } else {
            root.exits(0, &["apply", "--yes", "--plan", &file]);
        }
        root.exits(0, &["verify"]);
        root.exits(0, &with_spec(&["plan", "--check"]));
    });
}

#[test]
fn a_saved_plan_is_refused_when_a_fact_has_moved() {
    type Move = fn(&Root);
    let moves: [(&str, Move); 5] = [
        ("ifcfg-eth2", |root| {
            let path = "etc/sysconfig/network-scripts/ifcfg-eth2";
            fs::write(root.at(path), "# xenbond wrote this file for bond51;\nDEVICE=eth2\n")
                .unwrap();
        }),
        ("PIF of eth3, currently-attached", |root| {
            root.set(&json!({"pool": {"pifs": {"xen01/eth3": {"currently_attached": false}}}}));
        }),
        // It would be a finding of its own too.
        ("PIF of eth2, disallow-unplug", |root| {
            root.set(&json!({"pool": {"pifs": {"xen01/eth2": {"disallow_unplug": true}}}}));
        }),
        ("eth2 MTU", |root| root.set(&json!({"dom0": {"nics": {"eth2": {"mtu": 9000}}}}))),
        ("PIF of eth2, other-config:ethtool-gro", |root| {
            root.set(
                &json!({"pool": {"pifs": {"xen01/eth2": {"other_config": {"ethtool-gro": "on"}}}}}),
            );
        }),
    ];
    at_once(moves, |(fact, moved)| {
        let (root, file) = planned("el7", "bridge");
        moved(&root);
        let start = root.snapshot();
        let run = root.exits(1, &["apply", "--yes", "--plan", &file]);
        assert!(run.err.contains(fact), "{fact}: {run:?}");
        start.assert_same(&root, fact);
        assert!(root.changing().is_empty(), "{fact}: {:?}", root.changing());
    });
}

#[test]
fn a_saved_plan_is_refused_on_another_host() {
    let (_, file) = planned("el7", "bridge");
    let path = std::env::temp_dir().join(format!("xenbond-plan-{}", std::process::id()));
    let other = Root::new("el5", "bridge");
    let (_root, plan) = planned("el7", "bridge");
    fs::copy(&plan, &path).unwrap();
    let start = other.snapshot();
    let run = other.exits(1, &["apply", "--yes", "--plan", path.to_str().unwrap()]);
    assert!(run.err.contains("the saved plan is stale"), "{run:?}");
    fs::remove_file(path).unwrap();
    start.assert_same(&other, "a plan of another host");
    assert!(!std::path::Path::new(&file).exists());
}

#[test]
fn a_saved_plan_is_refused_when_it_was_edited_or_cut() {
    let (root, file) = planned("el7", "bridge");
    let text = fs::read_to_string(&file).unwrap();
    let start = root.snapshot();
    for (bad, code, words) in [
        (text[..text.len() / 2].to_string(), 2, "reading the plan"),
        (String::new(), 2, "reading the plan"),
        ("{}".to_string(), 2, "reading the plan"),
        (text.replace("ifcfg-bond51", "ifcfg-../../../tmp/x"), 1, "its facts were changed"),
        (text.replace("/etc/modprobe.d/bond51.conf", "/etc/passwd"), 1, "its facts were changed"),
        (text.replace("\"bond51\"", "\"bond51;reboot\""), 2, "bond51;reboot"),
        (text.replace("MASTER=bond51", "MASTER=bond52"), 1, "would be different now"),
    ] {
        assert_ne!(bad, text, "{words}");
        fs::write(&file, bad).unwrap();
        let run = root.exits(code, &["apply", "--yes", "--plan", &file]);
        assert!(run.err.contains(words), "{words}: {run:?}");
        start.assert_same(&root, "refused");
    }
}
