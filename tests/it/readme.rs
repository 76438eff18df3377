//! What the README says is what the program does.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::e2e::root::Root;

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
    let tests = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/README.md");
    let tests = std::fs::read_to_string(tests).unwrap();
    let (_, rest) = tests.split_once("| what | measured |").unwrap();
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

/// What a key is where nobody gives it: what its help says, else the driver's own default.
fn default_of(key: &xenbond::spec::Key) -> String {
    if let Some((_, rest)) = key.help.split_once("[default: ") {
        return rest.trim_end_matches(']').to_string();
    }
    let row = xenbond::options::TABLE.iter().find(|row| row.name == key.name);
    let default = row.map(|row| row.default).filter(|default| !default.is_empty());
    default.unwrap_or("-").to_string()
}

#[test]
fn every_key_of_a_spec_is_told_of_with_its_default() {
    let readme = readme();
    let mut missing = String::new();
    for key in xenbond::spec::keys() {
        let help = key.help.split(" [default: ").next().unwrap().replace('|', "\\|");
        let row = format!("| `{}` | {help} | {} |\n", key.name, default_of(&key));
        if !readme.contains(&row) {
            missing.push_str(&row);
        }
    }
    assert!(missing.is_empty(), "README.md does not have these rows:\n{missing}");
}

/// The lines of code of the README that run the program.
fn commands(readme: &str) -> Vec<&str> {
    let code = readme.lines().filter_map(|line| line.strip_prefix("    "));
    let runs = |line: &&str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let ours = words.iter().any(|word| ["xenbond", "./xenbond"].contains(word));
        let others = ["rpm", "scp", "cargo", "ansible-playbook", "*/5"];
        ours && !others.contains(words.first().unwrap_or(&""))
    };
    code.filter(runs).collect()
}

/// Each is run in a shell on one host after the other, where `ssh` only runs what it is given. What
/// each comes to is tested elsewhere; here none may be a mistake of usage.
#[test]
fn every_command_is_one_that_the_program_takes() {
    let root = Root::new("el7", "bridge");
    let readme = readme();
    let (_, rest) = readme.split_once("```ini\n").unwrap();
    let spec = rest.split_once("```").unwrap().0;
    let dir = tempfile::tempdir().unwrap();
    let program = format!(
        "#!/bin/sh\ncase \"$1 $*\" in apply*--yes*|rollback*--dry-run*) ;; apply*|rollback*|adopt*|remove*) set -- \"$@\" --yes ;; esac\nexec {} --root {} \"$@\"\n",
        env!("CARGO_BIN_EXE_xenbond"),
        root.path().display()
    );
    let ssh = "#!/bin/sh\n[ \"$1\" != -t ] || shift\nshift\nexec \"$@\"\n";
    let appctl = "#!/bin/sh\necho '---- bond0 ----'\necho 'bond_mode: active-backup'\necho 'slave eth0: enabled'\n";
    for (name, text) in [("xenbond", program.as_str()), ("ssh", ssh), ("ovs-appctl", appctl)] {
        std::fs::write(dir.path().join(name), text).unwrap();
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(dir.path().join(name), mode).unwrap();
    }
    std::fs::write(dir.path().join("pool.ini"), spec).unwrap();
    let search = format!("{}:{}", dir.path().display(), std::env::var("PATH").unwrap());
    let commands = commands(&readme);
    assert!(commands.len() > 25, "{commands:?}");
    for line in commands {
        let output = Command::new("sh")
            .args(["-c", line])
            .current_dir(dir.path())
            .env("PATH", &search)
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let code = output.status.code().unwrap_or(-1);
        assert!([0, 1, 3, 5, 6].contains(&code), "{line}: {code}\n{said}");
        // A file to start from wants an address, as it says; a bond that was removed has no spec.
        let file = |name: &str| dir.path().join(name);
        if line.ends_with("> bond.ini") {
            let text = std::fs::read_to_string(file("bond.ini")).unwrap();
            let text = text.replace("; address = 172.16.51.11/24", "address = 172.16.53.11/24");
            std::fs::write(file("bond.ini"), text).unwrap();
        }
        if line.ends_with("> bond51.ini") && code != 0 {
            std::fs::write(file("bond51.ini"), spec).unwrap();
        }
    }
}

/// What a person sees of a rehearsal, without what is long: the lines of steps, commands and ends.
fn seen() -> Vec<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_xenbond"))
        .args(["rehearse", "--fast", "--color", "always"])
        .output()
        .unwrap();
    assert!(output.status.success());
    let printed = String::from_utf8(output.stdout).unwrap();
    let mut lines: Vec<String> = Vec::new();
    let mut shows = false;
    for line in printed.lines().skip(1) {
        if let Some(command) = line.strip_prefix("$ xenbond ") {
            shows = command.starts_with("show");
            if !lines.is_empty() {
                lines.push(String::new());
            }
        }
        let ends = ["Stopped", "Done", "Nothing", "Rolled", "Shown", "the model", "bond51 on"];
        let wanted = line.starts_with(['[', '$'])
            || line.contains("... the host reboots")
            || ends.iter().any(|begin| line.starts_with(begin));
        if (wanted || shows) && !line.is_empty() {
            lines.push(line.to_string());
        }
    }
    lines
}

/// The lines as a terminal in a picture.
fn picture(lines: &[String]) -> String {
    const WIDTH: usize = 100;
    const LINE: usize = 17;
    const EDGE: usize = 16;
    let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let height = lines.len() * LINE + 2 * EDGE;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{height}\" viewBox=\"0 0 {0} {height}\">\n<rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#1c1f26\"/>\n<g font-family=\"DejaVu Sans Mono,Menlo,Consolas,monospace\" font-size=\"13\" fill=\"#d7dae0\" xml:space=\"preserve\">\n",
        WIDTH * 8 + 2 * EDGE
    );
    for (at, line) in lines.iter().enumerate() {
        let mut text = String::new();
        for (nth, piece) in line.split("\u{1b}[").enumerate() {
            let (code, rest) = match nth {
                0 => ("0", piece),
                _ => piece.split_once('m').unwrap(),
            };
            let rest = escaped(rest);
            let fill = match code {
                "31" => "#e06c75",
                "32" => "#98c379",
                "33" => "#e5c07b",
                "36" => "#56b6c2",
                "1" => "#ffffff",
                _ if line.starts_with('$') => "#61afef",
                _ => {
                    text.push_str(&rest);
                    continue;
                }
            };
            text.push_str(&format!("<tspan fill=\"{fill}\">{rest}</tspan>"));
        }
        let y = EDGE + (at + 1) * LINE - 4;
        svg.push_str(&format!("<text x=\"{EDGE}\" y=\"{y}\">{text}</text>\n"));
    }
    svg + "</g>\n</svg>\n"
}

/// `UPDATE_GOLDEN=1 cargo test --test it readme::the_picture` draws it anew.
#[test]
fn the_picture_is_drawn_from_what_a_rehearsal_prints() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rehearsal.svg");
    let drawn = picture(&seen());
    if std::env::var("UPDATE_GOLDEN").is_ok_and(|word| word == "1") {
        std::fs::write(file, &drawn).unwrap();
    }
    let kept = std::fs::read_to_string(file).unwrap();
    let advice = "UPDATE_GOLDEN=1 cargo test --test it readme::the_picture";
    assert!(kept == drawn, "tests/rehearsal.svg is of an older run: {advice}");
    assert!(readme().contains("(tests/rehearsal.svg)"));
}
