//! Killed, told to stop, or abandoned in the middle; two at once; a journal that is cut.

use std::fs;

use nix::sys::signal::Signal;
use serde_json::Value;

use super::root::{Root, Running, until, with_spec};

/// Starts an apply and waits until it waits for a command that hangs.
fn hanging(root: &Root, command: &str, how: &str) -> Running {
    root.lie(command, how, 1, 0);
    let running = root.start(&with_spec(&["apply", "--yes"]));
    until("a command that hangs", || root.transcript_statuses().contains(&-1));
    let journal = fs::read_to_string(root.at("var/lib/xenbond/current/journal")).unwrap();
    let last: Value = serde_json::from_str(journal.lines().last().unwrap()).unwrap();
    assert_eq!(last["event"], "begin", "the beginning of the step was not durable: {journal}");
    running
}

/// Both ways on from a run that was killed while `command` hung.
fn killed_in(flavour: &str, backend: &str, command: &str, how: &str) {
    for resumes in [true, false] {
        let case = format!("{flavour}: {command} {how}, resumes: {resumes}");
        let root = Root::new(flavour, backend);
        let start = root.snapshot();
        hanging(&root, command, how).kill();
        if resumes {
            let run = root.xenbond(&["resume"]);
            if backend == "openvswitch" {
                assert_eq!(run.code, 6, "{case}: {run:?}");
                root.reboot();
                root.exits(0, &["resume"]);
            } else {
                assert_eq!(run.code, 0, "{case}: {run:?}");
            }
            root.exits(0, &["verify"]);
        } else {
            root.exits(0, &["rollback", "--yes"]);
            start.assert_same(&root, &case);
            assert_eq!(root.own_files(), ["history", "lock"], "{case}");
        }
    }
}

#[test]
fn a_run_killed_in_ifup_can_go_both_ways() {
    killed_in("el7", "bridge", "ifup", "hangs");
    killed_in("el5", "bridge", "ifup", "hangs-after");
}

#[test]
fn a_run_killed_in_pif_forget_can_go_both_ways() {
    killed_in("el5", "bridge", "xe pif-forget", "hangs");
    killed_in("el7", "bridge", "xe pif-forget", "hangs-after");
}

#[test]
fn a_run_killed_in_the_switch_script_can_go_both_ways() {
    killed_in("el7", "openvswitch", "xe-switch-network-backend", "hangs");
    killed_in("el5", "openvswitch", "xe-switch-network-backend", "hangs-after");
}

#[test]
fn a_rollback_that_was_killed_goes_on() {
    for goes_on_by in [&["resume"][..], &["rollback", "--yes"]] {
        let root = Root::new("el7", "bridge");
        let start = root.snapshot();
        root.apply();
        root.lie("xe pif-introduce", "hangs-after", 1, 0);
        let running = root.start(&["rollback", "--yes"]);
        until("a command that hangs", || root.transcript_statuses().contains(&-1));
        running.kill();
        root.exits(0, goes_on_by);
        start.assert_same(&root, "after the second rollback");
        assert_eq!(root.own_files(), ["history", "lock"]);
    }
}

#[test]
fn a_reboot_in_the_middle_of_an_apply_can_go_both_ways() {
    for resumes in [true, false] {
        let root = Root::new("el5", "bridge");
        let start = root.snapshot();
        hanging(&root, "ifup", "hangs").kill();
        root.reboot();
        if resumes {
            root.exits(0, &["resume"]);
            root.exits(0, &["verify"]);
        } else {
            root.exits(0, &["rollback", "--yes"]);
            start.assert_same(&root, "after the reboot and the rollback");
        }
    }
}

#[test]
fn a_run_that_is_told_to_stop_ends_its_step_and_rolls_back() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let root = Root::new("el7", "bridge");
        let start = root.snapshot();
        root.gate("pif-forget");
        let running = root.start(&with_spec(&["apply", "--yes"]));
        root.until_at_gate();
        running.signal(signal);
        root.open_gate();
        let run = running.end();
        assert_eq!(run.code, 3, "{signal}: {run:?}");
        assert!(run.err.contains("signal"), "{signal}: {run:?}");
        let forgot = root.transcript().iter().filter(|(c, _)| c.contains("pif-forget")).count();
        assert!(forgot >= 1, "the step under way was cut off");
        assert!(!root.transcript().iter().any(|(c, _)| c.starts_with("ifup")), "it went on");
        root.unwrap_program("opt/xensource/bin/xe");
        start.assert_same(&root, "after the rollback");
    }
}

#[test]
fn a_lost_session_does_not_stop_the_work() {
    let root = Root::new("el7", "bridge");
    root.gate("pif-forget");
    let mut running = root.start(&with_spec(&["apply", "--yes"]));
    root.until_at_gate();
    running.hang_up();
    running.signal(Signal::SIGHUP);
    root.open_gate();
    let run = running.end();
    assert_eq!(run.code, 0, "{run:?}");
    root.exits(0, &["verify"]);
}

#[test]
fn a_reader_that_went_away_is_no_error() {
    let root = Root::new("el7", "bridge");
    for args in [with_spec(&["plan"]), vec!["findings"], vec!["show"], vec!["inventory"]] {
        let mut running = root.start(&args);
        running.hang_up();
        let run = running.end();
        assert_eq!(run.code, 0, "{args:?}: {run:?}");
    }
    let mut running = root.start(&with_spec(&["apply", "--yes", "--json"]));
    running.hang_up();
    assert_eq!(running.end().code, 0);
    let mut running = root.start(&["rollback", "--yes"]);
    running.hang_up();
    assert_eq!(running.end().code, 0);
}

#[test]
fn a_second_run_names_the_first_and_changes_nothing() {
    let root = Root::new("el7", "bridge");
    root.gate("pif-forget");
    let first = root.start(&with_spec(&["apply", "--yes"]));
    root.until_at_gate();
    let holder = format!("pid {}", first.pid());
    let held = root.snapshot();
    for args in [
        with_spec(&["apply", "--yes"]),
        with_spec(&["apply", "--yes", "--mtu", "9000"]),
        vec!["rollback", "--yes"],
        vec!["resume"],
    ] {
        let second = root.exits(1, &args);
        assert!(second.err.contains(&holder), "{args:?}: {second:?}");
    }
    held.assert_same(&root, "the second run");
    root.open_gate();
    let run = first.end();
    assert_eq!(run.code, 0, "{run:?}");
    root.exits(0, &["verify"]);
}

#[test]
fn a_journal_with_a_torn_last_line_can_go_both_ways() {
    for (tear, resumes) in [(1, true), (1, false), (9, false), (40, true)] {
        let root = Root::new("el7", "bridge");
        let start = root.snapshot();
        hanging(&root, "ifup", "hangs").kill();
        let journal = root.at("var/lib/xenbond/current/journal");
        let mut bytes = fs::read(&journal).unwrap();
        bytes.truncate(bytes.len() - tear);
        fs::write(&journal, bytes).unwrap();
        if resumes {
            root.exits(0, &["resume"]);
            root.exits(0, &["verify"]);
        } else {
            root.exits(0, &["rollback", "--yes"]);
            start.assert_same(&root, "after the rollback");
        }
        let text = fs::read_to_string(latest_journal(&root)).unwrap();
        for line in text.lines() {
            serde_json::from_str::<Value>(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        }
    }
}

fn latest_journal(root: &Root) -> std::path::PathBuf {
    let mut all: Vec<_> = fs::read_dir(root.at("var/lib/xenbond/history"))
        .unwrap()
        .map(|e| e.unwrap().path().join("journal"))
        .collect();
    all.sort();
    all.pop().unwrap()
}

#[test]
fn a_journal_that_holds_nothing_yet_is_a_transaction_that_did_nothing_yet() {
    for content in ["", "{\"at\":\"2026"] {
        let root = Root::new("el5", "bridge");
        let start = root.snapshot();
        root.gate("pif-unplug");
        let running = root.start(&with_spec(&["apply", "--yes"]));
        root.until_at_gate();
        running.kill();
        root.unwrap_program("opt/xensource/bin/xe");
        fs::write(root.at("var/lib/xenbond/current/journal"), content).unwrap();
        if content.is_empty() {
            fs::remove_file(root.at("var/lib/xenbond/current/journal")).unwrap();
            root.exits(0, &["rollback", "--yes"]);
            start.assert_same(&root, "after the rollback");
        } else {
            root.exits(0, &with_spec(&["apply", "--yes"]));
            root.exits(0, &["verify"]);
        }
    }
}

#[test]
fn a_last_line_that_was_not_durable_is_taken_again() {
    let root = Root::new("el7", "bridge");
    let start = root.snapshot();
    root.apply();
    let journal = root.at("var/lib/xenbond/current/journal");
    let bytes = fs::read(&journal).unwrap();
    fs::write(&journal, &bytes[..bytes.len() - 5]).unwrap();
    root.exits(0, &["resume"]);
    root.exits(0, &["verify"]);
    root.exits(0, &["rollback", "--yes"]);
    start.assert_same(&root, "after the rollback");
}

#[test]
fn a_journal_that_is_broken_in_its_middle_is_refused() {
    let root = Root::new("el7", "bridge");
    root.apply();
    let stands = root.snapshot();
    let journal = root.at("var/lib/xenbond/current/journal");
    let text = fs::read_to_string(&journal).unwrap();
    fs::write(&journal, text.replacen("\"begin\"", "\"bgein\"", 1)).unwrap();
    for args in [with_spec(&["apply", "--yes"]), vec!["resume"], vec!["rollback", "--yes"]] {
        let run = root.exits(1, &args);
        assert!(run.err.contains("journal"), "{args:?}: {run:?}");
    }
    stands.assert_same(&root, "refused");
}

#[test]
fn a_transaction_of_a_newer_format_is_left_alone() {
    let root = Root::new("el7", "bridge");
    root.apply();
    let stands = root.snapshot();
    let plan = root.at("var/lib/xenbond/current/plan.json");
    let text = fs::read_to_string(&plan).unwrap();
    fs::write(&plan, text.replacen("\"format\": 1", "\"format\": 2", 1)).unwrap();
    for args in [
        with_spec(&["apply", "--yes"]),
        with_spec(&["plan"]),
        vec!["resume"],
        vec!["rollback", "--yes"],
        vec!["verify"],
    ] {
        let run = root.exits(1, &args);
        assert!(run.err.contains("format 2"), "{args:?}: {run:?}");
    }
    stands.assert_same(&root, "refused");
}

#[test]
fn a_plan_that_is_cut_off_is_refused() {
    let root = Root::new("el7", "bridge");
    root.apply();
    let stands = root.snapshot();
    let plan = root.at("var/lib/xenbond/current/plan.json");
    let bytes = fs::read(&plan).unwrap();
    fs::write(&plan, &bytes[..bytes.len() / 2]).unwrap();
    for args in [vec!["resume"], vec!["rollback", "--yes"]] {
        let run = root.exits(1, &args);
        assert!(run.err.contains("plan.json"), "{args:?}: {run:?}");
    }
    stands.assert_same(&root, "refused");
}
