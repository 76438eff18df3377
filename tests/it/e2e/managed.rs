//! Bonds of XAPI's that somebody else had made, on stand-ins for both backends: shown, verified,
//! watched and drilled, by device and by the network's name.

use std::process::Command;

use serde_json::{Value, json};

use super::root::{Root, at_once};

const BACKENDS: [&str; 2] = ["bridge", "openvswitch"];

/// The built-in pool's bond0, with an address and in this mode.
fn bond(backend: &str, mode: &str) -> Root {
    let root = Root::new("el7", backend);
    let state = root.state();
    let (bond, pif) = (
        state["pool"]["bonds"]["xen01/bond0"]["uuid"].as_str().unwrap(),
        state["pool"]["pifs"]["xen01/bond0"]["uuid"].as_str().unwrap(),
    );
    xe(&root, &format!("bond-set-mode uuid={bond} mode={mode}"));
    let address = "IP=172.16.51.11 netmask=255.255.255.0";
    xe(&root, &format!("pif-reconfigure-ip uuid={pif} mode=static {address}"));
    // Nobody waits for half a minute: it is as after a while.
    let up = |name: &str| json!({"name": name, "enabled": true, "until": null, "heard_at": 0});
    let mut patch = json!({"dom0": {"clock": state["dom0"]["clock"].as_u64().unwrap() + 200_000}});
    if backend == "openvswitch" {
        patch["dom0"]["vswitch"]["bond0"]["members"] = json!([up("eth4"), up("eth5")]);
    }
    root.set(&patch);
    root
}

fn xe(root: &Root, line: &str) {
    let output = Command::new(root.at("opt/xensource/bin/xe")).args(line.split(' ')).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{line}: {output:?}");
}

fn names(document: &Value) -> Vec<String> {
    let checks = document["checks"].as_array().unwrap().iter();
    let bad = checks.filter(|check| check["ok"] == false);
    bad.map(|check| format!("{}: {}", check["name"], check["have"]).replace('"', "")).collect()
}

#[test]
fn it_is_shown_as_whoever_carries_it_says() {
    for backend in BACKENDS {
        let root = bond(backend, "active-backup");
        for name in ["bond0", "Bond 4+5"] {
            let shown = root.json(0, &["show", name]);
            let bond = &shown["bonds"][0];
            assert_eq!((&bond["name"], &bond["mode"]), (&json!("bond0"), &json!("active-backup")));
            assert_eq!(bond["updelay"], 31_000);
            let used = if backend == "bridge" {
                ("mii_status", json!("up"))
            } else {
                ("enabled", json!(true))
            };
            for slave in bond["slaves"].as_array().unwrap() {
                assert_eq!(slave[used.0], used.1, "{shown}");
            }
            assert!(["eth4", "eth5"].contains(&bond["active_slave"].as_str().unwrap()));
        }
        root.exits(1, &["show", "bond7"]);
        let status = root.json(0, &["status"]);
        let bond = &status["bonds"][0];
        let said = if backend == "bridge" { &bond["kernel"] } else { &bond["vswitch"] };
        assert_eq!((&said["link"], &said["mtu"]), (&json!("up"), &json!(1500)));
        assert_eq!((&bond["ours"], &bond["as_asked"]), (&json!(false), &json!(true)), "{status}");
        let text = root.exits(0, &["status"]).out;
        assert!(text.contains("XAPI's, as XAPI has it"), "{text}");
    }
}

#[test]
fn it_is_verified_and_watched_and_each_way_of_going_bad_is_named() {
    for backend in BACKENDS {
        let root = bond(backend, "active-backup");
        for name in ["bond0", "Bond 4+5"] {
            let run = root.exits(0, &["verify", name]);
            assert!(run.out.contains("bond0 is as asked."), "{run:?}");
        }
        let run = root.exits(0, &["verify", "bond0", "--format", "nagios"]);
        assert!(run.out.starts_with("XENBOND OK - bond0 is as asked, eth"), "{run:?}");
        assert!(run.out.contains("slaves_up=2;2:"), "{run:?}");
        // One that is unplugged is no member that is coming up: it is said at once.
        root.set(&json!({"dom0": {"nics": {"eth5": {"link": false}}}}));
        let run = root.exits(1, &["verify", "bond0", "--format", "nagios"]);
        assert!(run.out.starts_with("XENBOND WARNING - bond0: eth5 link: expected up"), "{run:?}");
        root.set(&json!({"dom0": {"nics": {"eth4": {"link": false}}}}));
        super::root::until("the delay of links that go down", || {
            let run = root.xenbond(&["verify", "bond0", "--format", "nagios"]);
            run.code == 2 && run.out.contains("bond0 link: expected up, found down")
        });
        root.exits(0, &["status"]);
        let text = root.exits(0, &["status"]).out;
        assert!(text.contains("XAPI's, NOT as XAPI has it"), "{text}");
        let run = root.exits(1, &["verify", "bond7"]);
        assert!(run.err.contains("xenbond has made no bond here"), "{run:?}");
        for command in ["verify", "show", "drill"] {
            let run = root.exits(1, &[command, "no such network"]);
            assert!(run.err.contains("on a network called no such network"), "{run:?}");
        }
    }
    // What `xe` said of it does not count.
    let root = bond("bridge", "active-backup");
    root.set(&json!({"dom0": {"bonds": {"bond0": {"options": {"updelay": 0, "mode": 2}}}}}));
    let found = names(&root.json(5, &["verify", "bond0"]));
    assert_eq!(found, ["mode: balance-xor", "updelay: 0"]);
    let root = bond("openvswitch", "active-backup");
    root.set(&json!({"dom0": {"vswitch": {"bond0": {"mode": "balance-slb", "downdelay": 0}}}}));
    let found = names(&root.json(5, &["verify", "bond0"]));
    assert_eq!(found, ["mode: balance-slb", "downdelay: 0"]);
    // A daemon that does not answer is no bond that is sound.
    root.lie("ovs-appctl", "fails", 1000, 0);
    let document = root.json(5, &["verify", "bond0"]);
    assert!(names(&document).contains(&"bond0: null".to_string()), "{document}");
    let shown = root.exits(0, &["show"]);
    assert!(shown.err.contains("Open vSwitch could not be asked"), "{shown:?}");
}

/// Which NIC carries the traffic.
fn active(root: &Root, backend: &str) -> Value {
    let kind = if backend == "bridge" { "bonds" } else { "vswitch" };
    root.state()["dom0"][kind]["bond0"]["active"].clone()
}

#[test]
fn it_is_drilled_and_the_active_member_given_back() {
    let drill = ["drill", "Bond 4+5", "--target", "172.16.51.2"];
    at_once(BACKENDS, |backend| {
        let root = bond(backend, "active-backup");
        let before = active(&root, backend);
        let done = root.json(0, &drill);
        let slaves: Vec<&Value> =
            done["slaves"].as_array().unwrap().iter().map(|slave| &slave["name"]).collect();
        assert_eq!(slaves, [&json!("eth4"), &json!("eth5")], "{done}");
        assert_eq!(active(&root, backend), before);
        let other = if before == "eth5" { "eth4" } else { "eth5" };
        root.set(&json!({"dom0": {"wire": {"silent": [other]}}}));
        let run = root.exits(5, &drill);
        let words = format!("{other} FAILED: 172.16.51.2 does not answer");
        assert!(run.out.contains(&words), "{run:?}");
        assert_eq!(active(&root, backend), before);
    });
    // Old releases know one word for it, new ones two, and a later one may know only the new.
    let root = bond("openvswitch", "active-backup");
    root.set(&json!({"dom0": {"features": {"vswitch": [1, 4]}}}));
    root.json(0, &drill);
    root.wrap(
        "usr/bin/ovs-appctl",
        "case $1 in bond/set-active-slave) echo '\"bond/set-active-slave\" is not a valid command' >&2; exit 2;; esac\nexec \"$real\" \"$@\"\n",
    );
    root.set(&json!({"dom0": {"features": {"vswitch": [3, 1]}}}));
    root.json(0, &drill);
    // No member of these carries all.
    for mode in ["balance-slb", "lacp"] {
        let run = bond("openvswitch", mode).exits(2, &drill);
        assert!(run.err.contains("only --cut-links"), "{run:?}");
    }
}
