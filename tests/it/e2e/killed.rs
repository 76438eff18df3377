//! `kill -9` at each line of the journal of an apply and of a rollback, by the real binary.
//!
//! `cargo test` takes a sample; of the whole (`XENBOND_FAULTS=all`) each line is taken, before it is
//! written and after, and the host is recovered both ways.

use std::fs;

use super::root::{Root, with_spec};
use crate::sample::Sample;

/// One in so many is in the sample.
const SAMPLE: usize = 13;

fn lines(root: &Root) -> usize {
    let journal = root.at("var/lib/xenbond/current/journal");
    fs::read_to_string(journal).unwrap_or_default().lines().count()
}

/// Kills a run at each of its lines; how often.
fn killed(flavour: &str, backend: &str, apply: &[&str], rolls_back: bool) -> usize {
    let rollback = ["rollback", "--yes"];
    let root = Root::new(flavour, backend);
    root.exits(0, apply);
    let applied = lines(&root);
    let journal = root.transaction().join("journal");
    root.exits(0, &rollback);
    let all = fs::read_to_string(journal).unwrap().lines().count();
    let (lines, args) = if rolls_back { (all - applied, &rollback[..]) } else { (applied, apply) };
    let sample = Sample::one_in(SAMPLE);
    let mut kills = 0;
    for line in 1..=lines {
        for (turn, (when, by)) in
            [("", "resume"), ("", "rollback"), ("+", "resume"), ("+", "rollback")]
                .iter()
                .enumerate()
        {
            if !sample.takes(line * 4 + turn + usize::from(rolls_back)) {
                continue;
            }
            let case = format!("{flavour}, rolls back: {rolls_back}, line {line}{when}, {by}");
            let root = Root::new(flavour, backend);
            let start = root.snapshot();
            if rolls_back {
                root.exits(0, apply);
            }
            assert!(root.dies_at(&format!("{line}{when}"), args), "{case}: it was not killed");
            kills += 1;
            if *by == "resume" && !rolls_back {
                root.exits(0, &["resume"]);
                root.exits(0, &["verify"]);
                root.exits(0, &rollback);
            } else if *by == "resume" {
                root.exits(0, &["resume"]);
                if line == 1 && when.is_empty() {
                    // Its first line announces it: before that nothing has begun.
                    root.exits(0, &["verify"]);
                    root.exits(0, &rollback);
                }
            } else {
                root.exits(0, &rollback);
            }
            start.assert_same(&root, &case);
            assert_eq!(root.own_files(), ["history", "lock"], "{case}");
        }
    }
    kills
}

#[test]
fn a_run_killed_at_any_line_of_its_journal_can_go_both_ways() {
    let unmanaged = with_spec(&["apply", "--yes", "--pif", "forget"]);
    let managed = [&["apply", "--yes"], super::xapi_bond::NAS].concat();
    let hosts = [
        ("el7", "bridge", &unmanaged[..]),
        ("el5", "bridge", &unmanaged),
        ("el7", "bridge", &managed),
        ("el5", "openvswitch", &managed),
    ];
    let counts: Vec<usize> = std::thread::scope(|scope| {
        let mut runs = Vec::new();
        for (flavour, backend, apply) in hosts {
            for back in [false, true] {
                runs.push(scope.spawn(move || killed(flavour, backend, apply, back)));
            }
        }
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    println!(
        "killed {} times at a line of the journal, 0 unrecovered",
        counts.iter().sum::<usize>()
    );
    assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
}
