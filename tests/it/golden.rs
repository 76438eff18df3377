//! Golden files: a case is a folder under `golden/TOPIC/`, with the host before, the spec, and
//! what is wanted; compared whole. `golden/README.md` says how a case is laid out and blessed.
//!
//! What must hold of every case is asserted in code before anything is compared or rewritten,
//! so that nonsense cannot be blessed. A file that no test read is an error.
#![allow(clippy::unwrap_used)]

mod case;
mod findings;
mod job;
mod mistake;
mod model_host;
mod program;
mod story;

use std::collections::BTreeSet;

use case::{Case, folders, golden};

/// Every folder of cases. The cases of `jobs` and `usage` stand in folders by what they show.
const TOPICS: [&str; 10] =
    [JOBS[0], JOBS[1], JOBS[2], JOBS[3], JOBS[4], STORIES, FINDINGS, REFUSED, MISTAKES, RENDER];
/// Whole jobs on the model of a dom0.
const JOBS: [&str; 5] = ["jobs/hosts", "jobs/modes", "jobs/files", "jobs/failures", "jobs/barred"];
/// Bonds that live side by side.
const STORIES: &str = "stories";
/// What is found on a host.
const FINDINGS: &str = "findings";
/// Runs of the real program on an empty root.
const REFUSED: &str = "usage/refused";
/// Runs of the real program on a host of stand-ins.
const MISTAKES: &str = "usage/mistakes";
/// Files rendered by the real program.
const RENDER: &str = "render";

#[test]
fn jobs_on_each_kind_of_host_end_as_written() {
    Case::each(JOBS[0], job::run);
}

#[test]
fn every_mode_with_its_options_ends_as_written() {
    Case::each(JOBS[1], job::run);
}

#[test]
fn files_of_others_are_left_as_written() {
    Case::each(JOBS[2], job::run);
}

#[test]
fn what_fails_is_rolled_back_as_written() {
    Case::each(JOBS[3], job::run);
}

#[test]
fn hosts_that_bar_the_way_are_left_alone_as_written() {
    Case::each(JOBS[4], job::run);
}

#[test]
fn bonds_side_by_side_live_and_go_as_written() {
    Case::each(STORIES, story::run);
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
    Case::each(REFUSED, program::refuse);
}

#[test]
fn mistakes_of_operators_are_answered_as_written() {
    Case::each(MISTAKES, mistake::run);
}

#[test]
fn rendered_files_are_as_written() {
    Case::each(RENDER, program::render);
}

#[test]
fn every_folder_of_goldens_has_its_test() {
    let top = golden();
    let groups: BTreeSet<&str> = TOPICS.iter().filter_map(|t| Some(t.split_once('/')?.0)).collect();
    let mut there = BTreeSet::new();
    for name in folders(&top) {
        if groups.contains(name.as_str()) {
            there.extend(folders(&top.join(&name)).iter().map(|sub| format!("{name}/{sub}")));
        } else {
            there.insert(name);
        }
    }
    let known: BTreeSet<String> = TOPICS.iter().map(ToString::to_string).collect();
    assert_eq!(there, known, "golden/ has folders that no test reads, or lacks some");
    let strays = |folder: &std::path::Path| -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
        let files = entries.filter(|entry| !entry.file_type().unwrap().is_dir());
        files.map(|entry| entry.path().display().to_string()).collect()
    };
    let mut all = strays(&top);
    all.extend(
        groups.iter().map(|g| g.to_string()).chain(known).flat_map(|t| strays(&top.join(t))),
    );
    assert_eq!(all, [top.join("README.md").display().to_string()], "no test reads it");
}
