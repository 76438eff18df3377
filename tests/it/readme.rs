//! What the README says is what the program does.

use std::os::unix::fs::PermissionsExt;
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

/// The line for cron asks XAPI for a message whenever the verdict is another than the one that XAPI
/// took last.
#[test]
fn cron_says_what_xapi_did_not_take_once_more() {
    let readme = readme();
    let line =
        readme.lines().find_map(|line| line.trim().strip_prefix("*/5 * * * * root ")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let path = |name: &str| at(name).display().to_string();
    let line = line
        .replace("/root/xenbond", &path("xenbond"))
        .replace("/var/run/xenbond.said", &path("said"))
        .replace("/etc/xensource-inventory", &path("inventory"));
    for (name, text) in [
        ("xenbond", "#!/bin/sh\ncat \"${0%/*}/verdict\"\n"),
        ("xe", "#!/bin/sh\n[ ! -e \"${0%/*}/down\" ] && echo \"$*\" >>\"${0%/*}/messages\"\n"),
    ] {
        std::fs::write(at(name), text).unwrap();
        std::fs::set_permissions(at(name), std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    std::fs::write(at("inventory"), "INSTALLATION_UUID='4a99'\n").unwrap();
    let search = format!("{}:{}", dir.path().display(), std::env::var("PATH").unwrap());
    let run = |verdict: &str| {
        std::fs::write(at("verdict"), format!("{verdict} | failures=1\n")).unwrap();
        Command::new("sh").args(["-c", &line]).env("PATH", &search).status().unwrap();
        std::fs::read_to_string(at("messages")).unwrap_or_default()
    };
    let message = |body: &str| {
        format!("message-create name=STORAGE_BOND priority=3 body={body} host-uuid=4a99\n")
    };
    let (good, bad) = (message("OK "), message("CRITICAL "));
    assert_eq!(run("OK"), good);
    assert_eq!(run("OK"), good, "it is the same");
    std::fs::write(at("down"), "").unwrap();
    assert_eq!(run("CRITICAL"), good, "XAPI is down");
    std::fs::remove_file(at("down")).unwrap();
    let both = format!("{good}{bad}");
    assert_eq!(run("CRITICAL"), both, "XAPI is back");
    assert_eq!(run("CRITICAL"), both, "it is the same");
}
