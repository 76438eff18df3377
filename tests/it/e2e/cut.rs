//! "Done" survives a power cut: the wait for what XAPI and networkd write, and who may end it.

use std::fs;
use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::dom0::Snapshot;

use super::root::{Root, until, with_spec};

/// A host whose XAPI starts at once, with these times until its stores are written.
fn root(flavour: &str, xapi: u64, networkd: u64) -> Root {
    let saves = json!({"xapi": xapi, "networkd": networkd});
    Root::patched(flavour, "bridge", &json!({"dom0": {"saves": saves, "xapi_start": 0}}))
}

const NEVER: u64 = 3_600_000;
const UNTIL: &str =
    "bond51 is up and verified; waiting until it survives a power cut: at most 300 s";

fn journal(root: &Root) -> String {
    fs::read_to_string(root.at("var/lib/xenbond/current/journal")).unwrap_or_default()
}

fn is_saving(root: &Root) -> bool {
    journal(root).lines().last().is_some_and(|line| line.contains("\"saving\""))
}

fn slaves(root: &Root) -> String {
    let path = root.at("sys/class/net/bond51/bonding/slaves");
    fs::read_to_string(path).unwrap_or_default().trim().to_string()
}

fn row(report: &Value) -> Value {
    let rows = report["checks"].as_array().unwrap();
    rows.iter().find(|row| row["name"] == "survives a power cut").unwrap().clone()
}

#[test]
fn a_power_cut_in_the_wait_is_mended_by_the_boot() {
    for flavour in ["el7", "el5"] {
        let root = root(flavour, NEVER, NEVER);
        let run = root.start(&with_spec(&["apply", "--yes"]));
        until("the wait", || is_saving(&root));
        let report = root.json(5, &["verify"]);
        assert!(row(&report)["have"].as_str().unwrap().starts_with("no: "), "{report}");
        run.kill();
        root.cut();
        assert_eq!(root.state()["dom0"]["boot_runs"], json!(["resume --by-itself"]));
        root.until_booted("what the boot makes again", || {
            slaves(&root) == "eth2 eth3" && is_saving(&root)
        });
        root.set(&json!({"dom0": {"saves": {"xapi": 0, "networkd": 0}}}));
        root.until_booted("the end of the wait", || !root.at("var/lib/xenbond/bin").exists());
        root.cut();
        root.exits(0, &["verify"]);
        root.exits(0, &["rollback", "--yes"]);
    }
}

/// The steps are taken again after a power cut, but for the switch, which a reboot lies behind.
#[test]
fn what_others_removed_before_a_power_cut_is_not_brought_back_by_the_boot() {
    let saves = json!({"xapi": NEVER, "networkd": NEVER});
    let patch = json!({"dom0": {"saves": saves, "xapi_start": 0}});
    let root = Root::patched("el7", "openvswitch", &patch);
    let theirs = root.at("etc/sysconfig/network-scripts/ifcfg-backup0");
    fs::write(&theirs, "DEVICE=backup0\nONBOOT=no\n").unwrap();
    root.exits(6, &with_spec(&["apply", "--yes"]));
    root.reboot();
    let run = root.start(&["resume"]);
    until("the wait", || is_saving(&root));
    run.kill();
    fs::remove_file(&theirs).unwrap();
    root.cut();
    root.until_booted("what the boot makes again", || {
        slaves(&root) == "eth2 eth3" && is_saving(&root)
    });
    assert!(!theirs.exists());
    root.set(&json!({"dom0": {"saves": {"xapi": 0, "networkd": 0}}}));
    root.until_booted("the end of the wait", || !root.at("var/lib/xenbond/bin").exists());
    root.exits(0, &["verify"]);
}

#[test]
fn the_wait_ends_when_both_have_written_and_says_what_it_is() {
    let root = root("el7", NEVER, 3_000);
    let run = root.exits(0, &with_spec(&["apply", "--yes"]));
    assert!(run.err.contains(UNTIL) && run.out.contains("Done"), "{run:?}");
    assert!(root.transcript().iter().any(|(c, _)| c == "xe pool-sync-database"));
    let report = root.json(0, &["verify"]);
    assert_eq!(row(&report)["have"], "yes");
    root.cut();
    root.exits(0, &["verify"]);
    let document = root.json(0, &["rollback", "--yes"]);
    assert_eq!((&document["result"], &document["not_saved"]), (&json!("rolled-back"), &json!([])));
    root.exits(0, &with_spec(&["apply", "--yes"]));
    let run = root.exits(0, &["remove", "bond51", "--yes"]);
    assert!(run.err.contains("bond51 is gone; waiting until that survives a power cut"), "{run:?}");
}

#[test]
fn a_signal_hands_the_wait_to_the_background_and_a_command_ends_it() {
    let root = root("el7", NEVER, NEVER);
    let start = root.snapshot();
    let run = root.start(&with_spec(&["apply", "--yes", "--json"]));
    until("the wait", || is_saving(&root));
    run.signal(Signal::SIGINT);
    let run = run.end();
    let document: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!((&document["result"], &document["exit"]), (&json!("done"), &json!(0)));
    let not_saved = document["not_saved"].as_array().unwrap();
    assert!(not_saved.iter().any(|i| i["what"].as_str().unwrap().contains("networkd.db")));
    assert!(is_saving(&root));
    // It holds no lock, and goes on in the background until somebody changes the host.
    let back = root.start(&["rollback", "--yes"]);
    until("the wait of the way back", || journal(&root).contains("\"back\":true"));
    root.set(&json!({"dom0": {"saves": {"xapi": 0, "networkd": 0}}}));
    let back = back.end();
    assert_eq!(back.code, 0, "{back:?}");
    start.assert_same(&root, "after the rollback");
}

/// What goes on at the boot cannot be taken away at the end of a wait.
#[test]
fn a_boot_that_still_goes_on_is_named_with_the_command_and_no_way_back_is_whole_with_it() {
    for (flavour, refused, command) in [
        ("el7", "systemctl disable", "systemctl disable xenbond-resume.service"),
        ("el5", "chkconfig --del", "chkconfig --del xenbond-resume"),
    ] {
        let root = root(flavour, NEVER, NEVER);
        let wait = |args: &[&str], refused: &str| {
            root.set(&json!({"dom0": {"saves": {"xapi": NEVER, "networkd": NEVER}}}));
            let run = root.start(args);
            until("the wait", || is_saving(&root));
            root.lie(refused, "fails", 9, 0);
            root.set(&json!({"dom0": {"saves": {"xapi": 0, "networkd": 0}}}));
            let run = run.end();
            root.lies_no_more();
            run
        };
        let run = wait(&with_spec(&["apply", "--yes"]), refused);
        assert_eq!(run.code, 0, "{run:?}");
        assert!(run.err.contains(&format!("by hand: {command}")), "{run:?}");
        root.exits(0, &["resume"]);
        assert!(!root.at("var/lib/xenbond/bin").exists());

        let run = wait(&["rollback", "--yes", "--json"], refused);
        let document: Value = serde_json::from_str(&run.out).unwrap();
        let said = (&document["result"], &document["exit"], &document["left"][0]["command"]);
        assert_eq!(said, (&json!("rollback-incomplete"), &json!(4), &json!(command)), "{document}");
        root.exits(0, &["rollback", "--yes"]);
        assert_eq!(root.own_files(), ["history", "lock"]);
    }
}

#[test]
fn a_dead_member_is_no_reason_to_fail_and_what_cannot_be_looked_at_is_not_waited_for() {
    let root = root("el7", NEVER, 0);
    root.set(&json!({"pool": {"hosts": {"xen03": {"live": false}}}}));
    root.apply();
    root.exits(0, &["verify"]);
    root.exits(0, &["rollback", "--yes"]);
    let root = self::root("el7", NEVER, NEVER);
    for file in ["etc/xensource/db.conf", "var/lib/xcp/networkd.db"] {
        fs::remove_file(root.at(file)).unwrap();
    }
    root.apply();
    let report = root.json(0, &["verify"]);
    assert_eq!((&row(&report)["have"], &row(&report)["ok"]), (&json!(null), &json!(true)));
}

/// A host whose bond was made, broken as by a power cut in a time when nobody waited, and repaired.
fn repaired() -> (Root, Snapshot) {
    let root = root("el7", 0, 0);
    let start = root.snapshot();
    root.apply();
    root.set(&json!({"dom0": {"saves": {"xapi": NEVER, "networkd": NEVER}}}));
    let uuid = root.state()["pool"]["hosts"]["xen01"]["uuid"].as_str().unwrap().to_string();
    let xe = Command::new(root.at("opt/xensource/bin/xe"))
        .args(["pif-scan", &format!("host-uuid={uuid}")])
        .status();
    assert!(xe.unwrap().success());
    root.set(&json!({"dom0": {"saves": {"xapi": 0, "networkd": 0}}}));
    root.apply();
    (root, start)
}

#[test]
fn a_rollback_after_a_repair_goes_back_to_before_the_first_change() {
    let (root, start) = repaired();
    root.exits(0, &["rollback", "--yes"]);
    start.assert_same(&root, "after one rollback");
}

#[test]
fn so_does_the_script_of_a_repair() {
    let (root, start) = repaired();
    for _ in 0..2 {
        let said = root.undo_sh();
        start.assert_same(&root, &said);
    }
}

#[test]
fn a_database_that_is_kept_elsewhere_is_unknown_and_not_waited_for() {
    let root = root("el7", NEVER, 3_000);
    let run = root.start(&with_spec(&["apply", "--yes"]));
    until("the wait", || is_saving(&root));
    // Somebody switches high availability on: from now on XAPI writes to a disk of its own.
    root.set(&json!({"pool": {"ha_enabled": true}}));
    let run = run.end();
    assert_eq!(run.code, 0, "{run:?}");
    let report = root.json(0, &["verify"]);
    assert_eq!((&row(&report)["have"], &row(&report)["ok"]), (&json!(null), &json!(true)));
    root.cut();
    assert_eq!(root.state()["pool"]["pifs"]["xen01/eth2"]["managed"], json!(false));
}
