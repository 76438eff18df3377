//! Golden files: a case is a folder under `golden/TOPIC/`, with the host before, the spec, and
//! what is wanted; compared whole. `UPDATE_GOLDEN=1` rewrites what is wanted and lists it.
//!
//! What must hold of every case is asserted in code before anything is compared or rewritten,
//! so that nonsense cannot be blessed. What a case's folder may hold stands in `golden/job.rs`,
//! `golden/findings.rs` and `golden/program.rs`; a file that no test read is an error.
#![allow(clippy::unwrap_used)]

mod case;
mod findings;
mod job;
mod mistake;
mod model_host;
mod program;

use std::collections::BTreeSet;

use case::{Case, folders, golden};

/// Whole jobs on the model of a dom0.
const JOBS: [&str; 5] = ["hosts", "modes", "files", "failures", "barred"];
/// What is found on a host.
const FINDINGS: &str = "findings";
/// Runs of the real program on an empty root.
const PROGRAMS: [&str; 2] = ["refused", "render"];
/// Runs of the real program on a host of stand-ins.
const HOSTS: [&str; 1] = ["mistakes"];

#[test]
fn jobs_on_each_kind_of_host_end_as_written() {
    Case::each("hosts", job::run);
}

#[test]
fn every_mode_with_its_options_ends_as_written() {
    Case::each("modes", job::run);
}

#[test]
fn files_of_others_are_left_as_written() {
    Case::each("files", job::run);
}

#[test]
fn what_fails_is_rolled_back_as_written() {
    Case::each("failures", job::run);
}

#[test]
fn hosts_that_bar_the_way_are_left_alone_as_written() {
    Case::each("barred", job::run);
}

#[test]
fn what_is_found_on_a_host_is_as_written() {
    Case::each(FINDINGS, findings::run);
}

#[test]
fn every_finding_has_a_case_that_raises_it_and_one_that_does_not() {
    findings::both_ways();
}

#[test]
fn faults_of_a_spec_are_refused_as_written() {
    Case::each("refused", program::refuse);
}

#[test]
fn mistakes_of_operators_are_answered_as_written() {
    Case::each("mistakes", mistake::run);
}

#[test]
fn rendered_files_are_as_written() {
    Case::each("render", program::render);
}

#[test]
fn every_folder_of_goldens_has_its_test() {
    let known: BTreeSet<String> = JOBS
        .iter()
        .chain(&PROGRAMS)
        .chain([&FINDINGS])
        .chain(&HOSTS)
        .map(ToString::to_string)
        .collect();
    let there: BTreeSet<String> = folders(&golden()).into_iter().collect();
    assert_eq!(there, known, "golden/ has folders that no test reads, or lacks some");
    let stray = |folder: &std::path::Path| -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
        let files = entries.filter(|entry| !entry.file_type().unwrap().is_dir());
        files.map(|entry| entry.path().display().to_string()).collect()
    };
    let mut strays = stray(&golden());
    strays.extend(known.iter().flat_map(|topic| stray(&golden().join(topic))));
    assert_eq!(strays, Vec::<String>::new(), "files outside a case, which no test reads");
}
