//! Killed, told to stop, or abandoned in the middle; two at once; a journal that is cut.

use std::fs;

use nix::sys::signal::Signal;
use serde_json::Value;

use super::root::{Root, Running, at_once, until, with_spec};

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
    at_once([true, false], |resumes| {
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
    });
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
    at_once([&["resume"][..], &["rollback", "--yes"]], |goes_on_by| {
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
    });
}

#[test]
fn a_reboot_in_the_middle_of_an_apply_can_go_both_ways() {
    at_once([true, false], |resumes| {
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
    });
}

#[test]
fn a_run_that_is_told_to_stop_ends_its_step_and_rolls_back() {
    at_once([Signal::SIGTERM, Signal::SIGINT], |signal| {
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
    });
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

/// Stops the run at its first `pif-forget` and at its first `pif-introduce`.
fn two_gates(root: &Root) {
    let mode = nix::sys::stat::Mode::from_bits_truncate(0o600);
    for gate in ["pif-forget", "pif-introduce"] {
        nix::unistd::mkfifo(&root.at(".dom0").join(gate), mode).unwrap();
    }
    root.wrap(
        "opt/xensource/bin/xe",
        "gate=$root/.dom0/$1\nif [ -p \"$gate\" ] && [ ! -e \"$gate.here\" ]; then\n  : > \"$gate.here\"\n  read -r _ < \"$gate\"\nfi\nexec \"$real\" \"$@\"\n",
    );
}

#[test]
fn a_second_signal_is_told_that_the_rollback_goes_on() {
    let root = Root::new("el7", "bridge");
    let start = root.snapshot();
    two_gates(&root);
    let running = root.start(&with_spec(&["apply", "--yes", "--pif", "forget"]));
    for gate in ["pif-forget", "pif-introduce"] {
        let gate = root.at(".dom0").join(gate);
        until("a command at a gate", || gate.with_extension("here").exists());
        running.signal(Signal::SIGINT);
        fs::write(gate, "\n").unwrap();
    }
    let run = running.end();
    assert_eq!(run.code, 3, "{run:?}");
    assert!(run.err.contains("stopping after this step, then rolling back"), "{run:?}");
    assert!(run.err.contains("already rolling back"), "{run:?}");
    root.unwrap_program("opt/xensource/bin/xe");
    start.assert_same(&root, "after the rollback");

    // One that was asked for is not stopped either.
    root.apply();
    fs::remove_file(root.at(".dom0/pif-introduce.here")).unwrap();
    fs::remove_file(root.at(".dom0/pif-forget")).unwrap();
    root.wrap("opt/xensource/bin/xe", "gate=$root/.dom0/$1\nif [ -p \"$gate\" ] && [ ! -e \"$gate.here\" ]; then\n  : > \"$gate.here\"\n  read -r _ < \"$gate\"\nfi\nexec \"$real\" \"$@\"\n");
    let running = root.start(&["rollback", "--yes"]);
    let gate = root.at(".dom0/pif-introduce");
    until("a command at a gate", || gate.with_extension("here").exists());
    running.signal(Signal::SIGTERM);
    fs::write(gate, "\n").unwrap();
    let run = running.end();
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.err.contains("already rolling back"), "{run:?}");
    root.unwrap_program("opt/xensource/bin/xe");
    start.assert_same(&root, "after the second rollback");
}

#[test]
fn commands_inherit_no_signal_that_is_blocked_or_ignored() {
    let root = Root::new("el7", "bridge");
    root.wrap(
        "usr/sbin/ifup",
        "printf '%s\\n' \"$(</proc/$$/status)\" > \"$root/.dom0/status\"\nexec \"$real\" \"$@\"\n",
    );
    root.apply();
    let status = fs::read_to_string(root.at(".dom0/status")).unwrap();
    let mask = |name: &str| {
        let line = status.lines().find_map(|l| l.strip_prefix(name)).unwrap();
        u64::from_str_radix(line.trim(), 16).unwrap()
    };
    let bit = |signal: Signal| 1u64 << (signal as i32 - 1);
    assert_eq!(mask("SigBlk:"), 0, "{status}");
    let ours = [Signal::SIGHUP, Signal::SIGINT, Signal::SIGTERM].map(bit).iter().sum::<u64>();
    assert_eq!(mask("SigIgn:") & ours, 0, "{status}");
}

#[test]
fn the_lock_of_a_run_that_was_killed_is_taken_over_with_a_word() {
    let root = Root::new("el7", "bridge");
    let running = hanging(&root, "ifup", "hangs");
    let words = format!("pid {}, since ", running.pid());
    running.kill();
    let run = root.exits(0, &["rollback", "--yes"]);
    assert!(run.err.contains("removed the lock") && run.err.contains(&words), "{run:?}");
    assert_eq!(fs::read_to_string(root.at("var/lib/xenbond/lock")).unwrap(), "");
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
    let holder = format!("pid {}, since 20", first.pid());
    let transaction = root.transaction().file_name().unwrap().to_str().unwrap().to_string();
    let held = root.snapshot();
    for args in [
        with_spec(&["apply", "--yes"]),
        with_spec(&["apply", "--yes", "--mtu", "9000"]),
        vec!["rollback", "--yes"],
        vec!["resume"],
    ] {
        let second = root.exits(1, &args);
        assert!(second.err.contains(&holder), "{args:?}: {second:?}");
        assert!(second.err.contains(&format!("transaction {transaction}")), "{second:?}");
    }
    held.assert_same(&root, "the second run");
    root.open_gate();
    let run = first.end();
    assert_eq!(run.code, 0, "{run:?}");
    root.exits(0, &["verify"]);
}

#[test]
fn a_journal_with_a_torn_last_line_can_go_both_ways() {
    at_once([(1, true), (1, false), (9, false), (40, true)], |(tear, resumes)| {
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
    });
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
    at_once(["", "{\"at\":\"2026"], |content| {
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
    });
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
    fs::write(&plan, text.replacen("\"format\": 2", "\"format\": 3", 1)).unwrap();
    for args in [
        with_spec(&["apply", "--yes"]),
        with_spec(&["plan"]),
        vec!["resume"],
        vec!["rollback", "--yes"],
        vec!["verify"],
    ] {
        let run = root.exits(1, &args);
        assert!(run.err.contains("format 3"), "{args:?}: {run:?}");
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
