//! Commands that fail, fail after their effect, or report a success that was none: the host ends
//! at one of its two ends, and the program says which.

use std::fs;

use serde_json::json;

use super::root::{Root, at_once, with_spec};

/// How an apply ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Ends {
    /// It went wrong, and the host is as it was.
    RolledBack,
    /// The exit status was wrong and the effect there, which was looked for.
    Done,
}
use Ends::{Done, RolledBack};

/// On a host that is on bridge already, `command` misbehaves at its call after `after` others.
fn apply_meets(flavour: &str, command: &str, how: &str, after: u32, ends: Ends) {
    let case = format!("{flavour}: {command} {how} after {after}");
    let root = Root::new(flavour, "bridge");
    let start = root.snapshot();
    root.lie(command, how, 1, after);
    let run = root.xenbond(&with_spec(&["apply", "--yes"]));
    assert_eq!(root.state()["dom0"]["lies"], json!({}), "{case}: the command was not run");
    match ends {
        RolledBack => {
            assert_eq!(run.code, 3, "{case}: {run:?}");
            assert!(run.out.contains("rolled back"), "{case}: {run:?}");
            start.assert_same(&root, &case);
            assert_eq!(root.own_files(), ["history", "lock"], "{case}");
        }
        Done => {
            assert_eq!(run.code, 0, "{case}: {run:?}");
            root.exits(0, &["verify"]);
        }
    }
}

#[test]
fn a_pif_unplug_that_misbehaves() {
    apply_meets("el7", "xe pif-unplug", "fails", 0, RolledBack);
    apply_meets("el5", "xe pif-unplug", "fails-after", 1, RolledBack);
    // A forget unplugs by itself (tests/ground/xapi.md, B1).
    apply_meets("el7", "xe pif-unplug", "lies", 1, Done);
}

#[test]
fn a_pif_forget_that_misbehaves() {
    apply_meets("el5", "xe pif-forget", "fails", 1, RolledBack);
    apply_meets("el7", "xe pif-forget", "fails-after", 0, Done);
    apply_meets("el7", "xe pif-forget", "lies", 0, RolledBack);
}

#[test]
fn a_pif_introduce_that_misbehaves() {
    apply_meets("el7", "xe pif-introduce", "fails", 1, RolledBack);
    apply_meets("el5", "xe pif-introduce", "fails-after", 0, Done);
    apply_meets("el5", "xe pif-introduce", "lies", 0, RolledBack);
}

#[test]
fn an_ifup_that_misbehaves() {
    apply_meets("el5", "ifup", "fails", 0, RolledBack);
    apply_meets("el7", "ifup", "fails-after", 0, RolledBack);
    apply_meets("el7", "ifup", "lies", 0, RolledBack);
}

#[test]
fn a_systemctl_that_misbehaves() {
    apply_meets("el7", "systemctl enable", "fails", 0, RolledBack);
    apply_meets("el7", "systemctl enable", "fails-after", 0, RolledBack);
    apply_meets("el7", "systemctl enable", "lies", 0, RolledBack);
    apply_meets("el7", "systemctl daemon-reload", "fails", 0, RolledBack);
}

#[test]
fn a_switch_script_that_misbehaves_leaves_the_backend_as_it_was() {
    at_once([("el7", "fails"), ("el5", "fails-after"), ("el5", "lies")], |(flavour, how)| {
        let case = format!("{flavour}: {how}");
        let root = Root::new(flavour, "openvswitch");
        let start = root.snapshot();
        root.lie("xe-switch-network-backend", how, 1, 0);
        let run = root.exits(3, &with_spec(&["apply", "--yes"]));
        assert!(run.err.contains("xe-switch-network-backend"), "{case}: {run:?}");
        start.assert_same(&root, &case);
        assert_eq!(root.own_files(), ["history", "lock"], "{case}");
    });
}

#[test]
fn a_failure_after_the_reboot_takes_another_one_back() {
    at_once([("el7", "ifup"), ("el5", "xe pif-forget")], |(flavour, command)| {
        let root = Root::new(flavour, "openvswitch");
        let start = root.snapshot();
        root.exits(6, &with_spec(&["apply", "--yes"]));
        root.reboot();
        root.lie(command, "fails", 1, 0);
        let failed = root.json(6, &["resume"]);
        assert_eq!(failed["result"], "waiting-for-reboot");
        let words = failed["error"].as_str().unwrap();
        assert!(words.contains("the model was told to fail"), "{words}");
        root.exits(6, &["resume"]);
        root.reboot();
        let ended = root.json(3, &["resume"]);
        assert_eq!(ended["result"], "rolled-back");
        let words = ended["error"].as_str().unwrap();
        assert!(words.contains("the model was told to fail"), "{words}");
        start.assert_same(&root, command);
        assert_eq!(root.own_files(), ["history", "lock"]);
        root.exits(0, &["resume"]);
    });
}

#[test]
fn a_backend_that_did_not_come_up_is_taken_back() {
    let root = Root::new("el7", "openvswitch");
    let start = root.snapshot();
    root.exits(6, &with_spec(&["apply", "--yes"]));
    // Someone else's blacklist, under a name that the switch script does not know.
    let other = root.at("etc/modprobe.d/local.conf");
    fs::write(&other, "install bridge /bin/true\n").unwrap();
    root.reboot();
    let failed = root.exits(6, &["resume"]);
    assert!(failed.err.contains("blacklisted"), "{failed:?}");
    root.reboot();
    root.exits(3, &["resume"]);
    fs::remove_file(other).unwrap();
    start.assert_same(&root, "after the rollback");
}

#[test]
fn an_ifup_that_leaves_a_slave_out_is_noticed() {
    let root = Root::new("el7", "bridge");
    let start = root.snapshot();
    root.wrap(
        "usr/sbin/ifup",
        "file=$root/etc/sysconfig/network-scripts/ifcfg-eth3\ntext=$(<\"$file\")\nprintf 'DEVICE=eth3\\n' > \"$file\"\n\"$real\" \"$@\"\nstatus=$?\nprintf '%s\\n' \"$text\" > \"$file\"\nexit $status\n",
    );
    let run = root.exits(3, &with_spec(&["apply", "--yes"]));
    assert!(run.err.contains("slaves") && run.err.contains("eth2, eth3"), "{run:?}");
    root.unwrap_program("usr/sbin/ifup");
    start.assert_same(&root, "after the rollback");
}

#[test]
fn an_address_that_another_machine_has_is_noticed() {
    at_once(["el7", "el5"], |flavour| {
        let root = Root::new(flavour, "bridge");
        root.set(&json!({"dom0": {"wire": {"answers": {"172.16.51.11": "00:50:56:00:51:99"}}}}));
        let start = root.snapshot();
        let run = root.exits(1, &with_spec(&["apply", "--yes"]));
        for words in ["address-answers", "172.16.51.11"] {
            assert!(run.err.contains(words), "{flavour}: no {words} in {run:?}");
        }
        assert!(root.changing().is_empty(), "{flavour}: {:?}", root.changing());
        start.assert_same(&root, flavour);
    });
}

#[test]
fn verify_notices_a_cut_link_and_its_return() {
    let root = Root::new("el7", "bridge");
    root.apply();
    root.set(&json!({"dom0": {"nics": {"eth2": {"link": false}}}}));
    let report = root.json(5, &["verify"]);
    assert_eq!(report["ok"], false);
    let failed: Vec<&str> = report["checks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|c| c["ok"] == false)
        .map(|c| c["name"].as_str().unwrap())
        .collect();
    assert!(failed.contains(&"eth2 link"), "{failed:?}");
    root.set(&json!({"dom0": {"nics": {"eth2": {"link": true}}}}));
    root.exits(0, &["verify"]);
}

#[test]
fn verify_notices_what_others_did_to_the_bond() {
    let root = Root::new("el7", "bridge");
    root.apply();
    for (what, patch, back) in [
        (
            "address",
            json!({"addresses": {"bond51": ["172.16.51.12/24"]}}),
            json!({"addresses": {"bond51": ["172.16.51.11/24"]}}),
        ),
        (
            "miimon",
            json!({"bonds": {"bond51": {"options": {"miimon": 0}}}}),
            json!({"bonds": {"bond51": {"options": {"miimon": 100}}}}),
        ),
        (
            "default route",
            json!({"routes": {"0.0.0.0/0 bond51": {"to": "0.0.0.0/0", "dev": "bond51", "via": "172.16.51.1", "metric": 0}}}),
            json!({"routes": {"0.0.0.0/0 bond51": null}}),
        ),
    ] {
        root.set(&json!({"dom0": patch}));
        let run = root.exits(5, &["verify"]);
        assert!(run.out.lines().any(|l| l.contains("BAD") && l.contains(what)), "{what}: {run:?}");
        root.set(&json!({"dom0": back}));
        root.exits(0, &["verify"]);
    }
    root.set(&json!({"pool": {"pifs": {"xen01/eth3": {"managed": true}}}}));
    let run = root.exits(5, &["verify"]);
    assert!(run.out.contains("managed by XAPI"), "{run:?}");
    root.set(&json!({"pool": {"pifs": {"xen01/eth3": {"managed": false}}}}));
    fs::remove_file(root.at("etc/systemd/system/multi-user.target.wants/xenbond-bond51.service"))
        .unwrap();
    let run = root.exits(5, &["verify"]);
    assert!(run.out.contains("next boot"), "{run:?}");
}

#[test]
fn a_rollback_that_cannot_end_names_what_is_left_and_ends_later() {
    at_once(
        [
            ("xe pif-introduce", "fails", "eth2", &["rollback", "--yes"][..]),
            ("xe pif-forget", "lies", "eth3", &["resume"]),
            ("xe pif-plug", "lies", "eth2", &["rollback", "--yes"]),
            ("systemctl disable", "fails", "xenbond-bond51.service", &["rollback", "--yes"]),
            ("ip", "fails", "bond51", &["resume"]),
        ],
        |(command, how, left, ends_by)| {
            let case = format!("{command} {how}");
            let root = Root::new("el7", "bridge");
            let start = root.snapshot();
            root.apply();
            root.lie(command, how, 9, 0);
            let ended = root.json(4, &["rollback", "--yes"]);
            assert_eq!(ended["result"], "rollback-incomplete", "{case}");
            assert!(ended["error"].as_str().unwrap().contains(left), "{case}: {ended}");
            let hint = ended["hint"].as_str().unwrap();
            assert!(hint.contains("xenbond rollback"), "{case}: {hint}");
            // The folder that the hint names holds what it says.
            let originals = hint.rsplit(' ').next().unwrap().trim_start_matches('/');
            assert!(root.at(originals).is_dir(), "{case}: {hint}");
            root.lies_no_more();
            root.exits(0, ends_by);
            start.assert_same(&root, &case);
            assert_eq!(root.own_files(), ["history", "lock"], "{case}");
        },
    );
}

#[test]
fn an_apply_whose_rollback_fails_too_says_both() {
    let root = Root::new("el5", "bridge");
    let start = root.snapshot();
    root.lie("ifup", "fails", 1, 0);
    root.lie("xe pif-plug", "fails", 9, 0);
    let run = root.exits(4, &with_spec(&["apply", "--yes"]));
    assert!(run.err.contains("bring up bond51") && run.err.contains("pif-plug"), "{run:?}");
    root.lies_no_more();
    root.exits(3, &["resume"]);
    start.assert_same(&root, "after the second try");
}

/// What only XAPI could tell is unknown, and the hint is about XAPI.
#[test]
fn what_a_silent_xapi_does_not_tell_is_called_unknown() {
    let root = Root::new("el7", "bridge");
    root.apply();
    root.lie("xe", "fails", 99, 0);
    let run = root.exits(5, &["verify"]);
    let lines: Vec<&str> = run.out.lines().collect();
    let row = |name: &str| lines.iter().position(|line| line.contains(name)).unwrap();
    let power = lines[row("survives a power cut")];
    assert!(power.trim_start().starts_with('?') && power.ends_with("  unknown"), "{run:?}");
    let backend = row("running backend");
    assert!(lines[backend].ends_with("  unknown"), "{run:?}");
    assert!(lines[backend + 1].contains("XAPI does not answer"), "{run:?}");
}

#[test]
fn a_program_that_is_missing_is_said_before_anything_is_changed() {
    at_once(
        [
            ("usr/sbin/ifup", "bridge"),
            ("opt/xensource/bin/xe-switch-network-backend", "openvswitch"),
        ],
        |(program, backend)| {
            let root = Root::new("el7", backend);
            fs::remove_file(root.at(program)).unwrap();
            let start = root.snapshot();
            root.exits(1, &with_spec(&["apply", "--yes"]));
            start.assert_same(&root, program);
        },
    );
}
