//! A rehearsal of a recorded host: `inventory` on the host, `rehearse --inventory` elsewhere.

use std::fs;

use serde_json::{Value, json};

use super::root::{Root, SPEC, at_once, with_spec};

/// The host's inventory in a file beside it.
fn recorded(root: &Root) -> String {
    let file = root.beside("xen01.json");
    fs::write(&file, root.exits(0, &["inventory"]).out).unwrap();
    file
}

fn rehearse<'a>(file: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    ["rehearse", "--inventory", file].iter().chain(SPEC).chain(more).copied().collect()
}

#[test]
fn a_recorded_host_is_rehearsed_as_it_was_and_nothing_reaches_it() {
    at_once(
        [("el7", "openvswitch"), ("el7", "bridge"), ("el5", "openvswitch")],
        |(flavour, backend)| {
            let root = Root::new(flavour, backend);
            let start = root.snapshot();
            let file = recorded(&root);
            let ran = root.transcript().len();
            let run = root.exits(0, &rehearse(&file, &[]));
            assert!(run.out.contains(&format!("on a model of the host that {file} records")));
            assert!(run.out.contains("taken to"), "what is assumed is not said:\n{}", run.out);
            assert!(!run.out.contains("note: only"), "{}", run.out);
            assert!(run.out.contains("Done: the host is as asked, verified."), "{}", run.out);
            assert!(run.out.ends_with("effects).\n") && run.out.contains("the model is as it was"));
            let reboots = run.out.matches("the host reboots").count();
            assert_eq!(reboots, if backend == "openvswitch" { 2 } else { 0 }, "{}", run.out);
            // The steps are those that the host itself plans.
            let plan = root.exits(0, &with_spec(&["plan"])).out;
            for line in plan.lines().filter(|line| line.starts_with("  ") && line.contains(". ")) {
                assert!(
                    run.out.contains(line),
                    "`{line}` is planned, and not rehearsed:\n{}",
                    run.out
                );
            }
            for at in ["3", "9", "17", "30"] {
                root.exits(0, &rehearse(&file, &["--fail-at", at]));
                root.exits(0, &rehearse(&file, &["--power-cut-at", at]));
            }
            assert!(
                root.transcript().len() - ran < 20,
                "the host was asked more than its plan needs"
            );
            start.assert_same(&root, "rehearsals");
        },
    );
}

#[test]
fn what_bars_the_way_is_said_as_plan_on_the_host_says_it() {
    let running = json!({"pool": {"vms": {"vm-web": {"resident_on": "xen01"}}}});
    let root = Root::patched("el7", "openvswitch", &json!({"pool": {"ha_enabled": true}}));
    root.set(&running);
    let file = recorded(&root);
    let plan = root.exits(1, &with_spec(&["plan"]));
    let refused = root.exits(1, &rehearse(&file, &[]));
    assert_eq!(refused.out, format!("{}Refused. Nothing was changed.\n", plan.out));
    let apply = root.exits(1, &with_spec(&["apply", "--yes"]));
    assert_eq!(refused.err, apply.err);
    let document = root.json(1, &rehearse(&file, &[]));
    assert_eq!(document["findings"], root.json(1, &with_spec(&["plan"]))["findings"]);
    assert_eq!(document["result"], "refused");

    root.set(&json!({"pool": {"ha_enabled": false}}));
    let file = recorded(&root);
    let refused = root.exits(1, &rehearse(&file, &[]));
    assert!(refused.err.contains("--accept vms-running"), "{}", refused.err);
    root.exits(0, &rehearse(&file, &["--accept", "vms-running"]));
    root.exits(2, &rehearse(&file, &["--accept", "vms-run"]));
}

#[test]
fn a_host_that_has_its_bond_has_nothing_to_do() {
    let root = Root::new("el7", "bridge");
    root.apply();
    let file = recorded(&root);
    let run = root.exits(0, &rehearse(&file, &[]));
    assert!(run.out.contains("Nothing to do."), "{}", run.out);
    let more = root.exits(0, &rehearse(&file, &["--mtu", "9000"]));
    assert!(more.out.contains("Done: the host is as asked, verified."), "{}", more.out);

    let root = Root::new("el7", "openvswitch");
    root.exits(6, &with_spec(&["apply", "--yes"]));
    let file = recorded(&root);
    let waits = root.exits(1, &rehearse(&file, &[]));
    assert!(waits.err.contains("on that host"), "{}", waits.err);
    assert!(waits.err.contains("xenbond resume"), "{}", waits.err);
}

#[test]
fn a_spec_that_is_not_for_the_host_says_so() {
    let root = Root::new("el7", "bridge");
    let file = recorded(&root);
    let none = root.exits(2, &["rehearse", "--inventory", &file]);
    assert!(none.err.contains("hint: xenbond rehearse --inventory FILE --spec"), "{}", none.err);
    let spec = root.beside("pool.ini");
    let text = "[bond]\nname = bond51\nnics = eth2, eth3\n[addresses]\nxen07 = 172.16.51.17/24\n";
    fs::write(&spec, text).unwrap();
    let other = root.exits(1, &["rehearse", "--inventory", &file, "--spec", &spec]);
    assert!(other.err.contains("no address for this host, which is xen01"), "{}", other.err);
}

#[test]
fn a_file_that_is_no_inventory_is_a_usage_error_with_a_way_to_one() {
    let root = Root::new("el7", "bridge");
    let file = recorded(&root);
    let whole: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let without = |field: &str| {
        let mut value = whole.clone();
        value.as_object_mut().unwrap().remove(field);
        format!("{value:#}")
    };
    let with = |pointer: &str, to: Value| {
        let mut value = whole.clone();
        *value.pointer_mut(pointer).unwrap() = to;
        format!("{value:#}")
    };
    let text = format!("{whole:#}");
    for (text, said) in [
        (String::new(), "not JSON"),
        ("hello\n".into(), "not JSON"),
        (text[..text.len() / 2].to_string(), "not JSON"),
        ("[1]".into(), "not an inventory"),
        ("{}".into(), "`format` is missing"),
        (root.exits(0, &with_spec(&["plan", "--json"])).out, "`format` is missing"),
        (without("format"), "`format` is missing"),
        (with("/format", json!(2)), "format 2"),
        (without("kernel"), "missing field `kernel`"),
        (without("programs"), "missing field `programs`"),
        (
            with("/kernel/devices/eth2/mtu", json!("x")),
            "eth2: mtu: a string, where a number is expected",
        ),
        (with("/kernel/hostname", json!(null)), "`kernel.hostname` is null"),
        (with("/kernel/hostname", json!("../xen01")), "kernel.hostname: `../xen01`"),
        (with("/kernel/devices/eth2/pci", json!("a/b")), "kernel.devices.eth2: `a/b`"),
    ] {
        let bad = root.beside("bad.json");
        fs::write(&bad, &text).unwrap();
        let run = root.exits(2, &rehearse(&bad, &[]));
        assert!(run.err.contains(said) && run.err.contains(&bad), "{said}: {}", run.err);
        assert!(run.err.contains("hint: "), "{said}: {}", run.err);
        assert_eq!(root.json(2, &rehearse(&bad, &[]))["result"], "refused");
    }
    let gone = root.beside("gone.json");
    let run = root.exits(2, &rehearse(&gone, &[]));
    assert!(run.err.contains(&format!("xenbond inventory > {gone}")), "{}", run.err);
}

#[test]
fn an_effect_that_there_is_not_cannot_fail() {
    let root = Root::new("el7", "bridge");
    let whole = root.json(0, &["rehearse"])["effects"].as_u64().unwrap();
    root.exits(0, &["rehearse", "--fail-at", &whole.to_string()]);
    for at in [0, whole + 1] {
        for flag in ["--fail-at", "--power-cut-at"] {
            let run = root.exits(2, &["rehearse", flag, &at.to_string()]);
            assert!(run.err.contains(&format!("has {whole} of them")), "{run:?}");
        }
    }
}
