//! What the README says is what the program does.

use std::process::Command;

fn readme() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap()
}

#[test]
fn the_transcript_is_what_a_rehearsal_prints() {
    let output = Command::new(env!("CARGO_BIN_EXE_xenbond")).arg("rehearse").output().unwrap();
    assert!(output.status.success());
    let printed = String::from_utf8(output.stdout).unwrap();
    let readme = readme();
    let (_, rest) = readme.split_once("```console\n").unwrap();
    let (transcript, _) = rest.split_once("```").unwrap();
    let mut at = 0;
    for part in transcript.split("[...]\n") {
        let found = printed[at..].find(part);
        let found = found.unwrap_or_else(|| {
            panic!(
                "the rehearsal does not print, in this place:\n{part}\n--- it prints:\n{printed}"
            )
        });
        at += found + part.len();
    }
}

#[test]
fn the_exit_codes_are_those_of_the_program() {
    let readme = readme();
    for (code, meaning) in xenbond::outcome::Exit::ALL {
        assert!(readme.contains(&format!("| {code} | {meaning} |")), "{code} {meaning}");
    }
}

#[test]
fn the_table_of_speed_has_the_rows_of_the_benchmark() {
    let benchmark = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bench/run");
    let benchmark = std::fs::read_to_string(benchmark).unwrap();
    let rows = benchmark.split("row(\"").skip(1).map(|rest| rest.split('"').next().unwrap());
    let mut rows: Vec<&str> = rows.collect();
    let readme = readme();
    let (_, rest) = readme.split_once("| what | measured |").unwrap();
    let table = rest.lines().skip(2).take_while(|line| line.starts_with("| "));
    let mut listed: Vec<&str> = table.map(|line| line.split(" | ").next().unwrap()).collect();
    rows.sort_unstable();
    listed.sort_unstable();
    assert_eq!(listed, rows.iter().map(|row| format!("| {row}")).collect::<Vec<_>>());
}
