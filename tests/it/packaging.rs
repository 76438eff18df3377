//! Completion scripts in their own shells, and the manual in `man`. Those that a machine may not
//! have are asked with `XENBOND_SERVICES=all`, where they must be there.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// What `timeout` is told: a shell that waits for ever has failed.
const PATIENCE: &str = "60";

fn xenbond(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_xenbond")).args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn all() -> bool {
    std::env::var("XENBOND_SERVICES").is_ok_and(|word| word == "all")
}

/// What a script of a shell prints; it must succeed and complain of nothing.
fn run(words: &[&str], folder: &Path) -> String {
    let output = Command::new("timeout")
        .arg(PATIENCE)
        .args(words)
        .current_dir(folder)
        .env("HOME", folder)
        .env("TERM", "vt100")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    );
    assert!(output.status.success() && err.is_empty(), "{words:?}: {}\n{out}{err}", output.status);
    out
}

/// Begun words, and what must become of the last of each.
const BEGUN: [(&str, &str); 7] = [
    ("xenbond reh", "rehearse"),
    ("xenbond apply --confirm", "--confirm-within"),
    ("xenbond rehearse --inv", "--inventory"),
    ("xenbond verify --format na", "nagios"),
    ("xenbond verify bond7", "bond77"),
    ("xenbond rollback 2026", "20260102-bond77"),
    ("xenbond log 2026", "20260102-bond77"),
];

/// Asks the function that bash would call.
const BASH: &str = r#"
set -u
source ./xenbond.bash
complete -p xenbond >/dev/null
COMP_WORDS=($1) COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_xenbond xenbond "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
echo "${COMPREPLY[@]}"
"#;

/// Types the words and a tab on a terminal, and waits for what the shell makes of them.
const ZSH: &str = r#"
zmodload zsh/zpty || exit 3
zpty z zsh -f -i
zpty -w z "fpath=($PWD \$fpath); autoload -U compinit; compinit -u -D; PS1=; echo DO''NE"
zpty -r -m z said '*DONE*' || exit 4
zpty -w -n z "$1"$'\t'
zpty -r -m z said "*$2*" || exit 5
print -r -- "$2"
zpty -d z
"#;

const HISTORY: &str = "/var/lib/xenbond/history";

const FISH: &str = "source ./xenbond.fish; complete -C $argv[1]";

#[test]
fn completions_complete_in_their_shells() {
    let folder = tempfile::tempdir().unwrap();
    for (shell, file) in [("bash", "xenbond.bash"), ("zsh", "_xenbond"), ("fish", "xenbond.fish")] {
        let script = xenbond(&["completions", shell]);
        assert!(script.contains("rehearse"), "{script}");
        // What a host would list: of bonds and transactions the folders are looked at.
        let mut script = script;
        for (of_host, one) in [("/proc/net/bonding", "bond77"), (HISTORY, "20260102-bond77")] {
            let here = folder.path().join(one).join(one);
            fs::create_dir_all(&here).unwrap();
            script = script.replace(of_host, here.parent().unwrap().to_str().unwrap());
        }
        fs::write(folder.path().join(file), script).unwrap();
    }
    let has = |shell: &str| Command::new(shell).arg("--version").output().is_ok();
    for (begun, whole) in BEGUN {
        for (shell, words) in [
            ("bash", vec!["bash", "-c", BASH, "bash", begun]),
            ("zsh", vec!["zsh", "-f", "-c", ZSH, "zsh", begun, whole]),
            ("fish", vec!["fish", "-N", "-c", FISH, begun]),
        ] {
            if all() || has(shell) {
                let said = run(&words, folder.path());
                let first = said.split_whitespace().next();
                assert_eq!(first, Some(whole), "{shell}: `{begun}`: {said}");
            }
        }
    }
}

#[test]
fn every_page_of_the_manual_is_rendered_without_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("man8");
    xenbond(&["man", "--out", out.to_str().unwrap()]);
    let pages: Vec<_> = fs::read_dir(&out).unwrap().map(|page| page.unwrap().path()).collect();
    assert!(pages.iter().any(|page| page.ends_with("xenbond-rehearse.8")), "{pages:?}");
    if !all() {
        return;
    }
    for page in &pages {
        let page = page.to_str().unwrap();
        let man = ["env", "LC_ALL=C", "MANWIDTH=80", "man", "--warnings=w", "-l", page];
        let said = run(&man, folder.path());
        let name = Path::new(page).file_stem().unwrap().to_str().unwrap();
        // The pages about files, of section 5, have no commands to show.
        let part = if page.ends_with(".8") { "SYNOPSIS" } else { "DESCRIPTION" };
        assert!(said.contains(part) && said.contains(name), "{page}: {said}");
    }
}

fn of_collection(file: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pool/ansible/");
    fs::read_to_string(format!("{folder}{file}")).unwrap()
}

/// What a line has between two texts.
fn between<'a>(line: &'a str, before: &str, after: &str) -> Option<&'a str> {
    line.strip_prefix(before)?.split_once(after).map(|(found, _)| found)
}

#[test]
fn every_variable_of_the_collection_is_told_of_where_ansible_and_a_reader_look() {
    let defaults = of_collection("roles/xenbond/defaults/main.yml");
    let names: Vec<&str> = defaults
        .lines()
        .filter(|line| line.starts_with("xenbond_"))
        .map(|line| line.split(':').next().unwrap())
        .collect();
    assert!(names.len() > 5, "{names:?}");
    let specs = of_collection("roles/xenbond/meta/argument_specs.yml");
    let given: Vec<&str> = specs.lines().filter_map(|l| between(l, "      ", ":")).collect();
    let given: Vec<&str> = given.into_iter().filter(|word| word.starts_with("xenbond_")).collect();
    let readme = of_collection("README.md");
    let rows: Vec<&str> = readme.lines().filter_map(|line| between(line, "| `", "`")).collect();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    for list in [&given, &rows] {
        let mut list = list.clone();
        list.sort_unstable();
        assert_eq!(list, sorted);
    }
    for text in specs.lines().filter_map(|line| line.strip_prefix("        description: ")) {
        assert!(readme.contains(&format!("| {text} |")), "README.md has no row with: {text}");
    }
}

#[test]
fn the_collection_has_the_version_of_the_program() {
    let version = format!("\nversion: {}\n", env!("CARGO_PKG_VERSION"));
    assert!(of_collection("galaxy.yml").contains(&version));
}
