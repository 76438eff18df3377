//! What an operator sees beside the job: the log, syslog, completions, the manual, colour.

use std::fs;

use serde_json::Value;

use super::root::{Root, with_spec};

#[test]
fn the_log_shows_each_step_command_and_file_with_status_and_time() {
    let root = Root::new("el7", "bridge");
    let none = root.exits(1, &["log"]);
    assert!(none.err.contains("nothing on this host"), "{}", none.err);
    root.lie("ifup", "fails", 1, 0);
    root.exits(3, &with_spec(&["apply", "--yes"]));
    let log = root.exits(0, &["log"]).out;
    for part in [
        "rolled back",
        "make XAPI forget the PIF of eth2\n",
        "  $ xe pif-forget uuid=",
        ": exit status 0 (",
        "  wrote /etc/sysconfig/network-scripts/ifcfg-bond51\n",
        "  $ ifup bond51: exit status 1 (",
        "FAILED (",
        "note: rolling back",
        "  removed /etc/sysconfig/network-scripts/ifcfg-bond51\n",
        "undone (",
        "\nby ",
    ] {
        assert!(log.contains(part), "no {part:?} in\n{log}");
    }
    // In the order in which it happened.
    let at = |part: &str| log.find(part).unwrap();
    assert!(at("pif-forget") < at("wrote") && at("FAILED") < at("removed"), "{log}");
    let document = root.json(0, &["log"]);
    let name = document["transaction"].as_str().unwrap().to_string();
    let ran = |e: &&Value| e["kind"] == "ran" && e["seconds"].is_f64() && e["status"].is_string();
    assert!(document["entries"].as_array().unwrap().iter().filter(ran).count() > 3, "{document}");
    root.apply();
    let log = root.exits(0, &["log"]).out;
    assert!(log.contains(&format!("Other transactions: {name}\n")), "{log}");
    assert!(!log.contains("FAILED"), "{log}");
    assert!(root.exits(0, &["log", &name]).out.contains("FAILED"));
    let unknown = root.exits(1, &["log", "../../current"]);
    assert!(unknown.err.contains("there is no transaction") && unknown.err.contains(&name));
}

#[test]
fn a_log_that_was_damaged_says_so() {
    let root = Root::new("el7", "bridge");
    root.apply();
    let path = root.transaction().join("log");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen('{', "", 2)).unwrap();
    let run = root.exits(0, &["log"]);
    assert!(run.err.contains("2 lines of /var/lib/xenbond/history/"), "{run:?}");
    fs::write(&path, "").unwrap();
    let run = root.exits(0, &["log"]);
    assert!(run.err.contains("/log is gone or empty"), "{run:?}");
    assert!(!run.out.contains("Nothing was done"), "{run:?}");
}

#[test]
fn syslog_hears_of_each_step_who_did_it_and_in_which_transaction() {
    let root = Root::new("el7", "bridge");
    root.wrap("usr/bin/logger", "printf '%s\\n' \"$*\" >> \"$root/.dom0/syslog\"\n");
    root.apply();
    let syslog = fs::read_to_string(root.at(".dom0/syslog")).unwrap();
    let id = root.transaction().file_name().unwrap().to_str().unwrap().to_string();
    for line in syslog.lines() {
        assert!(line.starts_with(&format!("-t xenbond -p user.notice -- {id} by ")), "{line}");
    }
    for part in [
        "bring up bond51: done; ifup bond51 (exit status 0)",
        "make XAPI forget the PIF of eth2: done; xe pif-unplug uuid=",
        "wrote /etc/sysconfig/network-scripts/ifcfg-eth2",
    ] {
        assert!(syslog.contains(part), "no {part:?} in\n{syslog}");
    }
}

#[test]
fn a_run_goes_on_without_log_and_syslog() {
    let root = Root::new("el7", "bridge");
    root.wrap("usr/bin/logger", "exit 1\n");
    // A folder where the log is to be written.
    root.gate("pif-forget");
    let running = root.start(&with_spec(&["apply", "--yes"]));
    root.until_at_gate();
    let log = root.transaction().join("log");
    fs::remove_file(&log).unwrap();
    fs::create_dir(&log).unwrap();
    root.open_gate();
    let run = running.end();
    assert_eq!(run.code, 0, "{run:?}");
}

#[test]
fn completions_and_manual_name_every_command() {
    let root = Root::new("el7", "bridge");
    let help = root.exits(0, &["--help"]).out;
    let commands: Vec<&str> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert!(commands.len() >= 13, "{commands:?}");
    for shell in ["bash", "zsh", "fish"] {
        let script = root.exits(0, &["completions", shell]).out;
        for name in &commands {
            assert!(script.contains(name), "{shell}: no {name}");
        }
        assert!(script.contains("xmit-hash-policy"), "{shell}");
    }
    root.exits(2, &["completions", "powershell"]);
    let folder = root.beside("man8");
    root.exits(0, &["man", "--out", &folder]);
    for name in &commands {
        let page = fs::read_to_string(format!("{folder}/xenbond-{name}.8")).unwrap();
        assert_eq!(root.exits(0, &["man", name]).out, page, "{name}");
    }
    let main = fs::read_to_string(format!("{folder}/xenbond.8")).unwrap();
    assert_eq!(root.exits(0, &["man"]).out, main);
    root.exits(2, &["man", "nothing"]);
}

#[test]
fn colour_is_asked_for_and_says_nothing_of_its_own() {
    let root = Root::new("el7", "bridge");
    let plain = root.exits(0, &with_spec(&["plan"])).out;
    assert!(!plain.contains('\u{1b}'), "{plain}");
    let colored = root.exits(0, &with_spec(&["plan", "--color", "always"])).out;
    assert!(colored.contains("\u{1b}[32m+DEVICE=bond51\u{1b}[0m\n"), "{colored}");
    let mut stripped = colored;
    for code in ["0", "1", "31", "32", "33", "36"] {
        stripped = stripped.replace(&format!("\u{1b}[{code}m"), "");
    }
    assert_eq!(stripped, plain);
    let document = root.json(0, &with_spec(&["plan", "--color", "always"]));
    assert!(document["steps"].is_array());
}
