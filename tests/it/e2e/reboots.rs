//! Through the reboot by itself: `apply --reboot`, `rollback --reboot`, and what a boot finds.

use std::fs;

use serde_json::json;

use super::root::{Root, at_once, until, with_spec};
use crate::dom0::Snapshot;

/// What is enabled while a transaction is open, by flavour.
const SERVICE: [(&str, &str, &str); 2] = [
    (
        "el7",
        "etc/systemd/system/xenbond-resume.service",
        "etc/systemd/system/multi-user.target.wants/xenbond-resume.service",
    ),
    ("el5", "etc/rc.d/init.d/xenbond-resume", "etc/rc.d/rc3.d/S99xenbond-resume"),
];

fn is_there(path: &std::path::Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// Nothing of what goes on by itself is left.
fn assert_disarmed(root: &Root) {
    until("the last act", || !is_there(&root.at("var/lib/xenbond/bin")));
    for (_, file, link) in SERVICE {
        assert!(!is_there(&root.at(file)) && !is_there(&root.at(link)), "{file}");
    }
}

fn as_it_was(root: &Root, start: &Snapshot) {
    assert_disarmed(root);
    until("the transaction's end", || !is_there(&root.at("var/lib/xenbond/current")));
    start.assert_same(root, "after the rollback");
    assert_eq!(root.own_files(), ["history", "lock"]);
}

fn log(root: &Root) -> String {
    fs::read_to_string(root.at(".dom0/boot.log")).unwrap_or_default()
}

/// Waits until the run that the boot started is over, and tells what it said.
fn after_boot(root: &Root) -> String {
    let ends =
        ["Done", "Rolled back", "rolled back:", "Waiting", "waiting for", "incomplete", "Nothing"];
    until("the end of what the boot started", || {
        log(root).lines().last().is_some_and(|l| ends.iter().any(|end| l.contains(end)))
    });
    root.until_free();
    log(root)
}

#[test]
fn one_command_takes_a_host_all_the_way_and_one_takes_it_back() {
    at_once(SERVICE, |(flavour, file, link)| {
        let root = Root::new(flavour, "openvswitch");
        let start = root.snapshot();
        let told = root.exits(6, &with_spec(&["apply", "--yes", "--reboot"]));
        assert!(told.err.contains("will reboot automatically"), "{told:?}");
        assert!(root.changing().contains(&"shutdown -r now".to_string()), "{:?}", root.changing());
        assert!(is_there(&root.at(file)) && is_there(&root.at(link)), "{file}");
        root.reboot_when_told();
        let said = after_boot(&root);
        assert!(said.contains("Done: the host is as asked"), "{said}");
        assert_disarmed(&root);
        root.exits(0, &["verify"]);
        let again = root.exits(0, &with_spec(&["apply", "--yes", "--reboot"]));
        assert!(again.out.contains("Nothing to do"), "{again:?}");

        root.exits(6, &["rollback", "--yes", "--reboot"]);
        root.reboot_when_told();
        let said = after_boot(&root);
        assert!(said.contains("Rolled back"), "{said}");
        as_it_was(&root, &start);
    });
}

/// Applied with a time to confirm it, on a host that needs no reboot.
fn awaiting(within: &str) -> (Root, Snapshot) {
    let root = Root::new("el7", "bridge");
    let start = root.snapshot();
    let applied = root.exits(6, &with_spec(&["apply", "--yes", "--confirm-within", within]));
    assert!(applied.out.contains("unless you confirm it in time"), "{applied:?}");
    assert!(applied.err.contains("xenbond confirm"), "{applied:?}");
    (root, start)
}

#[test]
fn what_is_confirmed_stays() {
    let (root, _) = awaiting("10m");
    // Asking again neither shortens the time nor changes anything.
    let again = root.json(6, &with_spec(&["apply", "--yes"]));
    assert_eq!(again["result"], "waiting-for-confirmation", "{again}");
    let refused = root.exits(1, &with_spec(&["apply", "--yes", "--mtu", "9000"]));
    assert!(refused.err.contains("waiting for a confirmation"), "{refused:?}");
    let confirmed = root.json(0, &["confirm"]);
    assert_eq!(confirmed["result"], "done", "{confirmed}");
    assert_disarmed(&root);
    root.exits(0, &["verify"]);
    let again = root.exits(0, &["confirm"]);
    assert!(again.out.contains("Nothing to do"), "{again:?}");
}

#[test]
fn what_nobody_confirms_is_rolled_back_and_everybody_is_told() {
    let (root, start) = awaiting("2s");
    as_it_was(&root, &start);
    let told = |program: &str, words: &str| {
        let ran = root.transcript();
        ran.iter().filter(|(ran, _)| ran.starts_with(program) && ran.contains(words)).count()
    };
    let [begun, ended] = [
        "xenbond: bond51 is being rolled back: not confirmed within 2s",
        "xenbond: Failed and rolled back",
    ];
    until("the last word", || told("logger ", ended) > 0);
    for (program, words) in [("wall ", begun), ("logger ", begun), ("wall ", ended)] {
        assert_eq!(told(program, words), 1, "{program}{words}: {:#?}", root.transcript());
    }
    // The last words too, though the transaction is not the current one any more.
    let log = root.exits(0, &["log"]);
    assert!(log.out.contains("note: xenbond: Failed and rolled back"), "{log:?}");
    let late = root.exits(1, &["confirm"]);
    assert!(late.err.contains("not confirmed within 2s"), "{late:?}");
}

#[test]
fn a_guard_that_was_killed_is_started_again_by_the_next_run_and_by_the_boot() {
    let (root, start) = awaiting("20s");
    root.kill_guard();
    // What is started is this program, whatever has become of its copy.
    fs::write(root.at("var/lib/xenbond/bin/xenbond"), "#!/bin/sh\nexit 0\n").unwrap();
    let status = root.exits(5, &["status"]);
    assert!(status.err.contains("had died and was started again"), "{status:?}");
    assert!(status.out.contains("unless it is confirmed"), "{status:?}");
    let left = root.json(5, &["status"])["transaction"]["seconds_left"].as_u64();
    assert!(left.is_some_and(|left| left <= 20), "{left:?}");
    root.kill_guard();
    let resumed = root.exits(6, &["resume"]);
    assert!(resumed.err.contains("had died and was started again"), "{resumed:?}");
    root.reboot();
    until("the boot's run", || log(&root).contains("unless you confirm it in time"));
    root.exits(6, &["resume"]);
    as_it_was(&root, &start);
}

#[test]
fn a_rollback_that_is_asked_for_needs_no_guard() {
    let (root, start) = awaiting("10m");
    root.exits(0, &["rollback", "--yes"]);
    as_it_was(&root, &start);
}

#[test]
fn times_that_are_none_are_refused() {
    let root = Root::new("el7", "bridge");
    for time in ["", "0", "0s", "10", "tomorrow", "8days", "1500ms"] {
        let refused = root.exits(2, &with_spec(&["apply", "--yes", "--confirm-within", time]));
        assert!(refused.err.contains("--confirm-within"), "{time}: {refused:?}");
    }
    assert!(root.changing().is_empty());
}

#[test]
fn undo_sh_takes_away_what_would_go_on_by_itself() {
    at_once(SERVICE, |(flavour, file, link)| {
        let root = Root::new(flavour, "openvswitch");
        let start = root.snapshot();
        root.exits(6, &with_spec(&["apply", "--yes", "--reboot"]));
        root.undo_sh();
        assert!(!is_there(&root.at(file)) && !is_there(&root.at(link)), "{file}");
        assert!(!is_there(&root.at("var/lib/xenbond/bin")));
        start.assert_same(&root, "after undo.sh");
    });
}

#[test]
fn a_rollback_that_was_cut_off_at_its_end_is_told_by_the_next_run() {
    let root = Root::new("el7", "bridge");
    root.lie("ifup", "fails", 1, 0);
    let failed = root.json(3, &with_spec(&["apply", "--yes"]));
    let id = failed["transaction"].as_str().unwrap();
    // The power went after the last line.
    let current = root.at("var/lib/xenbond/current");
    std::os::unix::fs::symlink(format!("history/{id}"), &current).unwrap();
    let told = root.json(3, &["resume"]);
    assert_eq!(told["error"], failed["error"]);
    assert_eq!((&told["result"], &told["hint"]), (&failed["result"], &failed["hint"]));
    assert!(!is_there(&current));
}

#[test]
fn what_cannot_be_arranged_is_not_ordered() {
    let root = Root::new("el7", "openvswitch");
    let start = root.snapshot();
    root.exits(6, &with_spec(&["apply", "--yes"]));
    root.reboot();
    root.exits(0, &["resume"]);
    let (done, files) = (root.snapshot(), root.own_files());
    root.lie("systemctl enable", "fails", 1, 0);
    let failed = root.exits(1, &["rollback", "--yes", "--reboot"]);
    assert!(failed.err.contains("arranging that the next boot continues it"), "{failed:?}");
    done.assert_same(&root, "after an order that failed");
    assert_eq!(root.own_files(), files);
    // Nor does a later run reboot the host unasked.
    root.exits(6, &["rollback", "--yes"]);
    assert_eq!(root.state()["dom0"]["reboot_requested"], false);
    root.reboot();
    root.exits(0, &["resume"]);
    start.assert_same(&root, "after the rollback");
}

#[test]
fn the_service_that_goes_on_by_itself_is_no_bond() {
    let root = Root::new("el7", "openvswitch");
    root.exits(6, &with_spec(&["apply", "--yes", "--reboot"]));
    assert!(is_there(&root.at(SERVICE[0].1)));
    let status = root.json(5, &["status"]);
    assert_eq!(status["drift"], json!([]));
    assert_eq!(status["transaction"]["open"], true);
}

#[test]
fn after_an_upgrade_that_took_its_parts_status_names_them_and_apply_puts_them_back() {
    for (flavour, service) in
        [("el7", "etc/systemd/system/xenbond-bond51.service"), ("el5", "etc/modprobe.conf")]
    {
        let root = Root::new(flavour, "bridge");
        root.apply();
        let scripts = "etc/sysconfig/network-scripts";
        let mut parts =
            ["ifcfg-bond51", "ifcfg-eth2", "ifcfg-eth3"].map(|f| format!("{scripts}/{f}"));
        parts.sort();
        for part in &parts {
            fs::remove_file(root.at(part)).unwrap();
        }
        if flavour == "el7" {
            fs::remove_file(root.at("etc/modprobe.d/bond51.conf")).unwrap();
            fs::remove_file(root.at(service)).unwrap();
            fs::remove_file(root.at(SERVICE[0].2).with_file_name("xenbond-bond51.service"))
                .unwrap();
        } else {
            fs::write(root.at(service), "alias scsi_hostadapter megaraid_sas\n").unwrap();
        }
        // First boot adopts every NIC.
        let adopted = json!({"managed": true});
        root.set(&json!({"pool": {"pifs": {"xen01/eth2": adopted, "xen01/eth3": adopted}}}));
        root.reboot();
        root.set(&json!({"dom0": {"xapi": "up", "xapi_up_at": null}}));
        let status = root.exits(5, &["status"]);
        for part in parts.iter().map(String::as_str).chain([service]) {
            assert!(status.out.contains(part), "{part}: {status:?}");
        }
        root.exits(0, &with_spec(&["apply", "--yes"]));
        root.exits(0, &["status"]);
        root.exits(0, &["verify"]);
    }
}
