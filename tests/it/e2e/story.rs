//! The main story, from the first `apply` to the last `rollback`.

use serde_json::json;

use super::root::{IFCFG_BOND, Root, at_once, with_spec};

/// With the reboot that a switch of the backend needs.
fn with_a_reboot(flavour: &str, goes_on_by: &[&str]) {
    let root = Root::new(flavour, "openvswitch");
    let start = root.snapshot();
    let apply = with_spec(&["apply", "--yes"]);

    root.exits(6, &apply);
    assert_eq!(root.changing(), ["xe-switch-network-backend bridge"]);
    let (waiting, ran) = (root.snapshot(), root.changing().len());
    let again = root.exits(6, &apply);
    assert!(again.err.contains("shutdown -r now"), "{again:?}");
    let resumed = root.exits(6, &["resume"]);
    assert!(resumed.out.contains("must be rebooted"), "{resumed:?}");
    waiting.assert_same(&root, "apply and resume before the reboot");
    let id = root.transaction().file_name().unwrap().to_str().unwrap().to_string();
    let other = with_spec(&["apply", "--yes", "--mtu", "9000"]);
    let refused = root.exits(1, &other);
    assert!(refused.err.contains(&id), "{refused:?}");
    waiting.assert_same(&root, "another spec before the reboot");
    assert_eq!(root.changing().len(), ran, "{:?}", root.changing());

    root.reboot();
    let done = root.exits(0, goes_on_by);
    assert!(done.out.contains("Done"), "{done:?}");
    as_asked(&root);

    let back = root.exits(6, &["rollback", "--yes"]);
    assert!(back.err.contains("shutdown -r now"), "{back:?}");
    let (waiting, ran) = (root.snapshot(), root.changing().len());
    root.exits(6, &["rollback", "--yes"]);
    root.exits(6, &["resume"]);
    waiting.assert_same(&root, "rollback and resume before the second reboot");
    assert_eq!(root.changing().len(), ran, "{:?}", root.changing());

    root.reboot();
    let back = root.exits(0, &["resume"]);
    assert!(back.out.contains("Rolled back"), "{back:?}");
    as_it_was(&root, &start);
}

/// The bond works, and asking again changes nothing.
fn as_asked(root: &Root) {
    let (stands, ran) = (root.snapshot(), root.changing().len());
    let second = root.exits(0, &with_spec(&["apply", "--yes"]));
    assert!(second.out.contains("Nothing to do"), "{second:?}");
    let resumed = root.exits(0, &["resume"]);
    assert!(resumed.out.contains("Nothing to do"), "{resumed:?}");
    root.exits(0, &["verify"]);
    root.exits(0, &["verify", "bond51"]);
    root.exits(0, &with_spec(&["verify"]));
    root.exits(0, &with_spec(&["plan", "--check"]));
    let shown = root.exits(0, &["show", "bond51"]);
    for word in ["bond51", "active-backup", "eth2", "eth3", "00:1b:21:0a:01:03"] {
        assert!(shown.out.contains(word), "{word}: {shown:?}");
    }
    assert_eq!(root.changing().len(), ran, "{:?}", root.changing());
    stands.assert_same(root, "asking again");
    let state = root.state();
    assert_eq!(state["dom0"]["addresses"]["bond51"], json!(["172.16.51.11/24"]));
    assert_eq!(state["dom0"]["executed"], json!([]), "a shell ran something of a file");
}

fn as_it_was(root: &Root, start: &crate::dom0::Snapshot) {
    start.assert_same(root, "after the rollback");
    assert_eq!(root.own_files(), ["history", "lock"]);
    let ran = root.changing().len();
    for command in [&["resume"][..], &["rollback", "--yes"]] {
        let nothing = root.exits(0, command);
        assert!(nothing.out.contains("Nothing to do"), "{nothing:?}");
    }
    assert_eq!(root.changing().len(), ran, "{:?}", root.changing());
    start.assert_same(root, "after doing nothing");
    assert_eq!(root.own_files(), ["history", "lock"]);
}

#[test]
fn an_el7_host_on_open_vswitch_goes_there_and_back_by_resume() {
    with_a_reboot("el7", &["resume"]);
}

#[test]
fn an_el5_host_on_open_vswitch_goes_there_and_back_by_resume() {
    with_a_reboot("el5", &["resume"]);
}

#[test]
fn an_el7_host_on_open_vswitch_goes_on_by_apply() {
    with_a_reboot("el7", &with_spec(&["apply", "--yes"]));
}

#[test]
fn an_el5_host_on_open_vswitch_goes_on_by_apply() {
    with_a_reboot("el5", &with_spec(&["apply", "--yes"]));
}

#[test]
fn hosts_on_bridge_go_there_and_back_without_a_reboot() {
    at_once(["el7", "el5"], |flavour| {
        let root = Root::new(flavour, "bridge");
        let start = root.snapshot();
        let done = root.exits(0, &with_spec(&["apply", "--yes"]));
        assert!(done.out.contains("Done"), "{done:?}");
        as_asked(&root);
        let back = root.exits(0, &["rollback", "--yes"]);
        assert!(back.out.contains("Rolled back"), "{back:?}");
        as_it_was(&root, &start);
    });
}

#[test]
fn the_bond_is_there_again_after_every_boot() {
    at_once(["el7", "el5"], |flavour| {
        let root = Root::patched(flavour, "bridge", &json!({"dom0": {"xapi_start": 0}}));
        let start = root.snapshot();
        root.apply();
        root.reboot();
        root.exits(0, &["verify"]);
        root.exits(0, &["rollback", "--yes"]);
        start.assert_same(&root, flavour);
        root.reboot();
        assert!(!root.at("proc/net/bonding/bond51").exists());
        assert!(!root.at(IFCFG_BOND).exists());
    });
}

#[test]
fn a_rollback_before_the_first_reboot_needs_none() {
    at_once(["el7", "el5"], |flavour| {
        let root = Root::new(flavour, "openvswitch");
        let start = root.snapshot();
        root.exits(6, &with_spec(&["apply", "--yes"]));
        root.exits(0, &["rollback", "--yes"]);
        as_it_was(&root, &start);
    });
}

#[test]
fn running_machines_are_named_and_their_reboot_must_be_accepted() {
    let root = Root::new("el7", "openvswitch");
    root.set(&json!({"pool": {"vms": {"vm-web": {"resident_on": "xen01"}}}}));
    let start = root.snapshot();
    let refused = root.exits(1, &with_spec(&["apply", "--yes"]));
    assert!(refused.err.contains("vm-web") && refused.err.contains("vms-running"), "{refused:?}");
    start.assert_same(&root, "refused");
    root.exits(6, &with_spec(&["apply", "--yes", "--accept", "vms-running"]));
}

#[test]
fn without_a_terminal_and_yes_nothing_is_done() {
    let root = Root::new("el7", "bridge");
    let start = root.snapshot();
    let refused = root.exits(2, &with_spec(&["apply"]));
    assert!(refused.err.contains("--yes"), "{refused:?}");
    start.assert_same(&root, "not agreed to");
    assert!(root.transcript().is_empty(), "{:?}", root.transcript());
    root.apply();
    let stands = root.snapshot();
    root.exits(2, &["rollback"]);
    stands.assert_same(&root, "not agreed to");
}
