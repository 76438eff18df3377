//! `--json`: one document on stdout for every command, with the fields of the contract.

use std::fs;

use serde_json::{Value, json};

use super::root::{Root, with_spec};

fn has(document: &Value, fields: &[&str]) {
    for field in fields {
        assert!(document.get(field).is_some(), "no `{field}` in {document}");
    }
}

const OUTCOME: &[&str] = &["result", "exit", "transaction", "steps", "error", "hint"];

const STATUS: &[&str] = &["host", "backend", "nics", "bonds", "transaction", "drift", "ok"];
const NIC: &[&str] =
    &["device", "mac", "link", "speed_mbps", "driver", "pif", "managed", "network", "used_by"];

#[test]
fn every_command_of_the_story_prints_one_document() {
    let root = Root::new("el7", "openvswitch");
    let plan = root.json(0, &with_spec(&["plan"]));
    has(&plan, &["spec", "findings", "steps", "changes", "digest"]);
    assert_eq!(plan["changes"], true);
    for (at, step) in plan["steps"].as_array().unwrap().iter().enumerate() {
        has(step, &["number", "title", "undo", "commands", "files", "reboot"]);
        assert_eq!(step["number"], at + 1);
        for command in step["commands"].as_array().unwrap() {
            assert!(command[0].as_str().unwrap().starts_with('/'), "{command}");
        }
        for file in step["files"].as_array().unwrap() {
            has(file, &["path", "change", "diff"]);
            assert!(["create", "replace", "remove"].contains(&file["change"].as_str().unwrap()));
        }
    }
    assert_eq!(plan["steps"].as_array().unwrap().iter().filter(|s| s["reboot"] == true).count(), 1);
    for finding in plan["findings"].as_array().unwrap() {
        has(finding, &["code", "severity", "message", "hint"]);
    }

    let waits = root.json(6, &with_spec(&["apply", "--yes"]));
    has(&waits, OUTCOME);
    assert_eq!(waits["result"], "waiting-for-reboot");
    assert_eq!(waits["steps"][0]["state"], "done");
    assert!(waits["steps"][0]["seconds"].is_f64());
    assert_eq!(waits["steps"][2]["seconds"], Value::Null);
    let status = root.json(5, &["status"]);
    has(&status, STATUS);
    assert_eq!(status["transaction"]["id"], waits["transaction"]);
    assert_eq!(status["transaction"]["phase"], "waiting-for-reboot");
    assert_eq!(status["backend"], json!({"running": "openvswitch", "next_boot": "bridge"}));
    let refused = root.json(1, &with_spec(&["apply", "--yes", "--mtu", "9000"]));
    has(&refused, OUTCOME);
    assert_eq!(refused["result"], "refused");
    assert!(refused["error"].as_str().unwrap().contains(waits["transaction"].as_str().unwrap()));
    root.reboot();
    let done = root.json(0, &["resume"]);
    assert_eq!(done["result"], "done");
    assert_eq!(done["transaction"], waits["transaction"]);
    for step in done["steps"].as_array().unwrap() {
        has(step, &["number", "title", "state", "seconds"]);
        assert_eq!(step["state"], "done", "{step}");
    }
    assert_eq!(root.json(0, &with_spec(&["apply", "--yes"]))["result"], "nothing-to-do");
    assert_eq!(root.json(0, &["resume"])["result"], "nothing-to-do");
    assert_eq!(root.json(0, &with_spec(&["plan", "--check"]))["changes"], false);

    let verified = root.json(0, &["verify"]);
    has(&verified, &["ok", "checks"]);
    assert_eq!(verified["ok"], true);
    for check in verified["checks"].as_array().unwrap() {
        has(check, &["name", "want", "have", "ok", "hint"]);
    }
    let status = root.json(0, &["status"]);
    has(&status["nics"][2], NIC);
    assert_eq!((&status["ok"], &status["drift"]), (&json!(true), &json!([])));
    assert_eq!(status["backend"], json!({"running": "bridge", "next_boot": "bridge"}));
    assert_eq!(status["nics"].as_array().unwrap().len(), 6);
    let ours = status["bonds"].as_array().unwrap().iter().find(|b| b["name"] == "bond51").unwrap();
    assert_eq!((&ours["as_asked"], &ours["xapi"]), (&json!(true), &Value::Null));
    assert_eq!(ours["kernel"]["active_slave"], "eth2");
    shown(&root.json(0, &["show", "bond51"]));
    let back = root.json(6, &["rollback", "--yes"]);
    assert_eq!((&back["result"], &back["error"]), (&json!("waiting-for-reboot"), &Value::Null));
    root.reboot();
    let back = root.json(0, &["resume"]);
    assert_eq!((&back["result"], &back["error"]), (&json!("rolled-back"), &Value::Null));
    assert_eq!(root.json(0, &["rollback", "--yes"])["result"], "nothing-to-do");
    let status = root.json(0, &["status"]);
    assert_eq!(status["transaction"]["phase"], "rolled-back");
    assert_eq!(status["backend"]["running"], "openvswitch");
    has(&root.json(0, &["inventory"]), &["network_conf", "files", "kernel", "xapi"]);
    let findings = root.json(0, &["findings"]);
    assert!(findings["findings"].as_array().unwrap().len() > 20);
}

fn shown(document: &Value) {
    let bond = &document["bonds"][0];
    has(
        bond,
        &[
            "name",
            "driver_version",
            "mode",
            "mode_number",
            "mii_status",
            "active_slave",
            "primary",
            "miimon",
            "updelay",
            "downdelay",
            "xmit_hash_policy",
            "lacp_rate",
            "aggregator",
            "slaves",
        ],
    );
    assert_eq!(
        (&bond["name"], &bond["mode"], &bond["mode_number"], &bond["miimon"]),
        (&json!("bond51"), &json!("active-backup"), &json!(1), &json!(100))
    );
    assert_eq!((&bond["lacp_rate"], &bond["aggregator"]), (&Value::Null, &Value::Null));
    let slave = &bond["slaves"][1];
    has(
        slave,
        &[
            "name",
            "mii_status",
            "speed_mbps",
            "duplex",
            "link_failure_count",
            "perm_hwaddr",
            "aggregator_id",
            "queue_id",
        ],
    );
    assert_eq!(slave["perm_hwaddr"], "00:1b:21:0a:01:03");
    assert_eq!(slave["speed_mbps"], 10_000);
}

#[test]
fn a_failed_apply_says_so_in_its_document() {
    let root = Root::new("el7", "bridge");
    root.lie("ifup", "fails", 1, 0);
    let failed = root.json(3, &with_spec(&["apply", "--yes"]));
    assert_eq!(failed["result"], "rolled-back");
    assert!(failed["error"].as_str().unwrap().contains("ifup"), "{failed}");
    let states: Vec<&str> =
        failed["steps"].as_array().unwrap().iter().map(|s| s["state"].as_str().unwrap()).collect();
    assert!(states.contains(&"undone") && states.contains(&"pending"), "{states:?}");
    assert!(!states.contains(&"done"), "{states:?}");
}

#[test]
fn usage_errors_are_documents_too() {
    let root = Root::new("el7", "bridge");
    let start = root.snapshot();
    let odd = root.beside("odd.ini");
    fs::write(&odd, "[bond]\nname = bond51\nnick = eth2\n").unwrap();
    for args in [
        vec!["plan"],
        vec!["apply", "--yes"],
        vec!["no-such-command"],
        vec!["plan", "--no-such-flag"],
        vec!["plan", "--bond"],
        with_spec(&["plan", "--mtu", "0"]),
        with_spec(&["apply"]),
        with_spec(&["apply", "--yes", "--accept", "no-such-code"]),
        with_spec(&["apply", "--yes", "--plan", "/nonexistent"]),
        vec!["apply", "--yes", "--plan", "/nonexistent"],
        vec!["plan", "--spec", &odd],
        vec!["plan", "--spec", "/nonexistent"],
        vec!["rollback"],
        vec!["verify", "../bond51"],
        vec!["show", "bond 51"],
        vec!["render", "--dom0", "el9", "--out", "/nonexistent"],
    ] {
        let document = root.json(2, &args);
        assert_eq!(document["result"], "refused", "{args:?}");
        assert!(!document["error"].as_str().unwrap().is_empty(), "{args:?}");
        assert!(document.get("hint").is_some(), "{args:?}");
    }
    start.assert_same(&root, "usage errors");
    assert!(root.transcript().is_empty(), "{:?}", root.transcript());
}

#[test]
fn refusals_are_documents_too() {
    let root = Root::new("el7", "bridge");
    let start = root.snapshot();
    for (nics, code) in [
        (["eth0", "eth2"], "nic-is-management"),
        (["eth4", "eth2"], "bond"),
        (["eth9", "eth2"], "nic-missing"),
        (["xenbr1", "eth2"], "nic-not-physical"),
    ] {
        let spec = ["--bond", "bond51", "--address", "172.16.51.11/24", "--nic", nics[0]];
        let spec: Vec<&str> = spec.into_iter().chain(["--nic", nics[1]]).collect();
        let apply: Vec<&str> = ["apply", "--yes"].into_iter().chain(spec.clone()).collect();
        let document = root.json(1, &apply);
        assert_eq!(document["result"], "refused", "{nics:?}");
        let error = document["error"].as_str().unwrap();
        assert!(error.contains(code), "{nics:?}: {error}");
        assert!(document["hint"].is_string(), "{nics:?}: {document}");
        let found = document["findings"][0].clone();
        assert_eq!(found["severity"], "error", "{nics:?}: {document}");
        assert!(error.contains(found["code"].as_str().unwrap()), "{nics:?}: {document}");
        let plan: Vec<&str> = ["plan"].into_iter().chain(spec).collect();
        let document = root.json(1, &plan);
        let errors = |f: &&Value| f["severity"] == "error";
        let found = document["findings"].as_array().unwrap();
        assert!(found.iter().filter(errors).count() >= 1, "{nics:?}: {document}");
    }
    root.json(1, &["show", "bond77"]);
    root.json(1, &["verify"]);
    start.assert_same(&root, "refusals");
    assert!(root.changing().is_empty(), "{:?}", root.changing());
    assert!(!root.at("var/lib/xenbond").exists(), "a refusal left something behind");
}

#[test]
fn rehearse_prints_one_document() {
    let root = Root::new("el7", "bridge");
    let document = root.json(0, &["rehearse"]);
    has(&document, &["result", "exit", "steps"]);
    assert!(root.transcript().is_empty());
}

#[test]
fn nagios_gets_one_line_and_its_own_codes() {
    let root = Root::new("el5", "bridge");
    let nagios = ["verify", "--format", "nagios"];
    let unknown = root.exits(3, &nagios);
    assert!(
        unknown.out.starts_with("XENBOND UNKNOWN - xenbond has made no bond here"),
        "{unknown:?}"
    );
    root.apply();
    let good = root.exits(0, &nagios);
    let data = "slaves_up=2;2:;1:;0;2 bad_checks=0;0;;0 link_failures=0c\n";
    assert_eq!(good.out, format!("XENBOND OK - bond51 is as asked, eth2 is active | {data}"));
    root.set(&json!({"dom0": {"nics": {"eth3": {"link": false}}}}));
    let warning = root.exits(1, &nagios);
    assert!(
        warning.out.starts_with("XENBOND WARNING - bond51: eth3 link: expected up"),
        "{warning:?}"
    );
    root.set(&json!({"dom0": {"nics": {"eth2": {"link": false}}}}));
    let critical = root.exits(2, &nagios);
    assert!(critical.out.starts_with("XENBOND CRITICAL - bond51: bond51 link"), "{critical:?}");
    for run in [unknown, good, warning, critical] {
        assert_eq!((run.out.lines().count(), run.err.as_str()), (1, ""));
    }
    root.exits(2, &["verify", "--format", "nagios", "--json"]);
}

#[test]
fn a_nic_that_the_host_has_not_is_a_row_like_any_other() {
    let root = Root::new("el7", "bridge");
    root.apply();
    let spec = ["verify", "--bond", "bond51", "--nic", "eth2,eth9", "--address", "172.16.51.11/24"];
    let checks = root.json(5, &spec)["checks"].clone();
    let bad: Vec<&str> = checks
        .as_array()
        .unwrap()
        .iter()
        .filter(|c| c["ok"] == false)
        .map(|c| c["name"].as_str().unwrap())
        .collect();
    assert!(bad.starts_with(&["NIC eth9", "slaves"]), "{bad:?}");
}
