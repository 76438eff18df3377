//! What an operator sees beside the job: the log, syslog, completions, the manual, colour.

use std::fs;

use serde_json::{Value, json};

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
        "remove eth2 from XAPI (forget its PIF)\n",
        "  $ xe pif-forget uuid=",
        ": exit status 0 (",
        "  wrote /etc/sysconfig/network-scripts/ifcfg-bond51\n",
        "  $ ifup bond51: exit status 1 (",
        "FAILED (",
        "---- rolling back: step",
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
    // A newer one of the same second has a longer name.
    let line = log.lines().find(|line| line.split_whitespace().next() == Some(&name));
    assert!(line.is_some_and(|line| line.contains(" bond51 ")), "{log}");
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
        "remove eth2 from XAPI (forget its PIF): done; xe pif-unplug uuid=",
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
    for name in commands.iter().copied().chain(["templates"]) {
        let eight = fs::read_to_string(format!("{folder}/xenbond-{name}.8"));
        // Of the spec file and of the command `spec` the file is what one reads.
        let five = fs::read_to_string(format!("{folder}/xenbond-{name}.5"));
        assert!(eight.is_ok() || name == "templates", "{name}");
        assert_eq!(root.exits(0, &["man", name]).out, five.or(eight).unwrap(), "{name}");
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

#[test]
fn the_log_marks_the_reboot_and_lists_every_transaction() {
    let root = Root::new("el7", "openvswitch");
    root.exits(6, &with_spec(&["apply", "--yes"]));
    root.reboot();
    root.exits(0, &["resume"]);
    let first = root.json(0, &["log"])["transaction"].as_str().unwrap().to_string();
    root.exits(0, &with_spec(&["apply", "--yes", "--mtu", "9000"]));
    let log = root.exits(0, &["log"]).out;
    assert!(!log.contains("was rebooted") && log.contains("\nTransactions:"), "{log}");
    assert_eq!(log.lines().filter(|line| line.ends_with("  done")).count(), 2, "{log}");
    let log = root.exits(0, &["log", &first]).out;
    let at = |part: &str| log.find(part).unwrap_or_else(|| panic!("no {part}: {log}"));
    assert!(at("[1/13]") < at("---- the host was rebooted ----"), "{log}");
    assert!(at("---- the host was rebooted ----") < at("[12/13]"), "{log}");
}

#[test]
fn a_plan_ends_with_what_it_comes_to() {
    let root = Root::new("el7", "openvswitch");
    let plan = root.exits(0, &with_spec(&["plan"])).out;
    let summary = plan.find("\nSummary:\n").unwrap();
    assert!(plan.find("+DEVICE=bond51").unwrap() < summary, "{plan}");
    assert!(plan[summary..].contains("13, about 23 s plus one reboot"), "{plan}");
    let ends = "To do it:\n  xenbond apply --bond bond51 --nic eth2 --nic eth3 --address 172.16.51.11/24\n";
    assert!(plan.ends_with(ends), "{plan}");
    let brief = root.exits(0, &with_spec(&["plan", "--brief"])).out;
    assert!(!brief.contains("+DEVICE=bond51") && brief.ends_with(ends), "{brief}");

    let running = json!({"pool": {"vms": {"vm-web": {"resident_on": "xen01"}}}});
    root.set(&running);
    let plan = root.exits(1, &with_spec(&["plan", "--brief"])).out;
    let last = "Refused: 1 warning must be solved or accepted first. Nothing was changed.\n";
    assert!(plan.ends_with(last), "{plan}");
    assert!(plan.contains("172.16.51.11/24 --accept vms-running\n"), "{plan}");
    assert!(plan.contains("VMs stopped by the reboot  vm-web"), "{plan}");
    root.set(&json!({"pool": {"ha_enabled": true}}));
    let plan = root.exits(1, &with_spec(&["plan", "--brief", "--accept", "vms-running"])).out;
    let last = "Refused: 1 problem must be solved first. Nothing was changed.\n";
    assert!(plan.ends_with(last) && !plan.contains("To do it"), "{plan}");

    root.lie("xe", "fails", 99, 0);
    let plan = root.exits(1, &with_spec(&["plan"])).out;
    assert!(!plan.contains("Steps:") && !plan.contains("reboot") && !plan.contains("VM"), "{plan}");
}

#[test]
fn lines_keep_to_the_width_and_commands_go_on_after_a_backslash() {
    let root = Root::new("el7", "bridge");
    let plan = root.in_width(60, &with_spec(&["plan", "--brief"])).out;
    let next =
        "\n  xenbond apply --bond bond51 --nic eth2 --nic eth3 \\\n    --address 172.16.51.11/24\n";
    assert!(plan.ends_with(next), "{plan}");
    root.apply();
    let commands: [&[&str]; 6] =
        [&["status"], &["verify"], &["list"], &["show"], &["findings"], &["rollback", "--dry-run"]];
    for args in commands {
        let whole = root.xenbond(args);
        let words = |text: &str| {
            text.split_whitespace()
                .filter(|word| *word != "\\")
                .map(String::from)
                .collect::<Vec<_>>()
        };
        for width in [60, 80, 120] {
            let run = root.in_width(width, args);
            assert_eq!(words(&run.out), words(&whole.out), "{args:?}");
            for line in run.out.lines().filter(|line| line.chars().count() > width) {
                // A word that does not fit stays whole.
                let alone = !line.trim().trim_end_matches(" \\").contains(' ');
                assert!(alone, "{args:?} in {width} columns: {line}");
            }
        }
    }
}

#[test]
fn a_long_look_at_the_host_says_what_it_waits_for() {
    let root = Root::new("el7", "bridge");
    root.wrap("opt/xensource/bin/xe", "[ $1 = pif-list ] && sleep 1\nexec \"$real\" \"$@\"\n");
    for args in [&["status"][..], &with_spec(&["plan", "--brief"])] {
        let run = root.xenbond(args);
        assert!(run.err.contains("reading the host: xe pif-list, at most 60 s\n"), "{run:?}");
    }
    let one_line: [&[&str]; 3] =
        [&["status", "-q"], &["status", "--json"], &["verify", "--format", "nagios"]];
    for args in one_line {
        let run = root.xenbond(args);
        assert!(!run.err.contains("reading"), "{args:?} {run:?}");
    }
}

#[test]
fn bash_completes_bonds_and_transactions_that_there_are() {
    let root = Root::new("el7", "bridge");
    let script = root.exits(0, &["completions", "bash"]).out;
    assert!(script.contains("$(ls /proc/net/bonding 2>/dev/null)"));
    assert!(script.contains("balance-tlb") && script.contains("nic-is-management"));
    for shell in ["bash", "zsh", "fish"] {
        let script = root.exits(0, &["completions", shell]).out;
        assert!(!script.contains("guard"), "{shell}: {script}");
    }
}
