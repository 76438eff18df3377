//! NICs that the spec tunes: set by `ifup`, read by `ethtool`, and as they were after each way back.

use serde_json::json;

use super::root::{Root, with_spec};

const TUNED: &[&str] = &["--ethtool", "ring-rx 4096", "--ethtool", "eth2 gro off"];

fn tuning(root: &Root, nic: &str) -> String {
    root.state()["dom0"]["nics"][nic]["tuning"].to_string()
}

/// One NIC has been tuned before, by hand.
fn root() -> Root {
    let patch = json!({"dom0": {"nics": {"eth3": {"tuning": {"-G rx": "1024"}}}}});
    Root::patched("el7", "bridge", &patch)
}

#[test]
fn the_nics_are_tuned_and_are_as_before_after_a_rollback() {
    let root = root();
    let start = root.snapshot();
    let apply = [&with_spec(&["apply", "--yes"])[..], TUNED].concat();
    root.exits(0, &apply);
    assert_eq!(tuning(&root, "eth2"), r#"{"-G rx":"4096","-K gro":"off"}"#);
    assert_eq!(tuning(&root, "eth3"), r#"{"-G rx":"4096"}"#);
    root.exits(0, &["verify"]);
    root.exits(0, &["rollback", "--yes"]);
    start.assert_same(&root, "rolled back");
}

#[test]
fn a_setting_that_somebody_changed_is_seen_and_mended() {
    let root = root();
    let start = root.snapshot();
    let apply = [&with_spec(&["apply", "--yes"])[..], TUNED].concat();
    root.exits(0, &apply);
    root.set(&json!({"dom0": {"nics": {"eth2": {"tuning": {"-K gro": "on"}}}}}));
    let seen = root.exits(5, &["verify"]);
    assert!(seen.out.contains("eth2 gro"), "{}", seen.out);
    root.exits(0, &apply);
    assert_eq!(tuning(&root, "eth2"), r#"{"-G rx":"4096","-K gro":"off"}"#);
    let changes = root.changing().len();
    root.exits(0, &apply);
    assert_eq!(root.changing().len(), changes, "there is nothing left to do");
    root.exits(0, &["rollback", "--yes"]);
    start.assert_same(&root, "a repair of no file, rolled back");
}

#[test]
fn the_script_tunes_them_as_before_too() {
    let root = root();
    let start = root.snapshot();
    root.exits(0, &[&with_spec(&["apply", "--yes"])[..], TUNED].concat());
    for _ in 0..2 {
        let said = root.undo_sh();
        start.assert_same(&root, &said);
    }
}

#[test]
fn a_setting_that_the_driver_refuses_fails_the_change_and_comes_back() {
    let root = root();
    let start = root.snapshot();
    let refused = ["--ethtool", "ring-rx 8192", "--ethtool", "eth2 gso off"];
    let said = root.exits(3, &[&with_spec(&["apply", "--yes"])[..], &refused].concat());
    assert!(said.err.contains("eth2 ring-rx: expected 8192, found 512"), "{}", said.err);
    start.assert_same(&root, "rolled back");
}

#[test]
fn what_xapi_sets_on_a_nic_is_kept_where_that_is_asked_for() {
    let nine = json!({"mtu": 9000});
    let dom0 = json!({
        "nics": {"eth2": nine, "eth3": nine},
        "devices": {"xenbr2": nine, "xenbr3": nine},
    });
    let patch = json!({"dom0": dom0, "pool": {"pifs": {
        "xen01/eth2": {"mtu": 9000, "other_config": {"ethtool-gro": "off", "mtu": "9000", "note": "x"}},
        "xen01/eth3": {"mtu": 9000, "other_config": {"ethtool-tx": "false", "ethtool-ufo": "on", "mtu": "9000"}},
    }}});
    let root = Root::patched("el7", "bridge", &patch);
    let start = root.snapshot();
    let apply = [&with_spec(&["apply", "--yes"])[..], &["--keep-ethtool"]].concat();
    let said = root.exits(0, &apply);
    assert!(said.err.contains("XAPI sets ethtool-ufo=on on eth3"), "{}", said.err);
    assert_eq!(tuning(&root, "eth2"), r#"{"-K gro":"off"}"#);
    assert_eq!(tuning(&root, "eth3"), r#"{"-K tx":"off"}"#);
    assert_eq!(root.state()["dom0"]["bonds"]["bond51"]["mtu"], json!(9000));
    root.exits(0, &["verify"]);
    let said = root.exits(0, &apply);
    assert!(said.out.contains("Nothing to do"), "{}", said.out);
    root.exits(0, &["rollback", "--yes"]);
    start.assert_same(&root, "rolled back");
}
