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
    assert!(said.err.contains("eth2 ring-rx: wanted 8192, have 512"), "{}", said.err);
    start.assert_same(&root, "rolled back");
}
