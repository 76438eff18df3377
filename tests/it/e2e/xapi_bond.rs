//! Bonds that XAPI makes by our order, by the real binary on stand-ins for both backends: for
//! storage, and for the management, whose move must outlive whoever ordered it.

use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::root::{Root, until};

const BACKENDS: [(&str, &str); 2] = [("el5", "openvswitch"), ("el7", "bridge")];

pub const NAS: &[&str] = &[
    "--kind",
    "managed",
    "--network",
    "NAS",
    "--nic",
    "eth2,eth3",
    "--mode",
    "active-backup",
    "--use",
    "storage",
    "--address",
    "172.16.51.11/24",
    "--mtu",
    "9000",
];

const MGT: &[&str] = &[
    "--kind",
    "managed",
    "--network",
    "MGT",
    "--nic",
    "eth0,eth3",
    "--mode",
    "active-backup",
    "--use",
    "management",
];

fn with<'a>(words: &[&'a str], spec: &[&'a str]) -> Vec<&'a str> {
    [words, spec].concat()
}

fn xe(root: &Root, line: &str) {
    let output = Command::new(root.at("opt/xensource/bin/xe")).args(line.split(' ')).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{line}: {output:?}");
}

/// Time passes until links that have come up are used: nobody waits for half a minute here.
fn settled(root: &Root) {
    let up = |name: &str| json!({"name": name, "enabled": true, "until": null, "heard_at": 0});
    let state = root.state();
    let mut dom0 = json!({"clock": state["dom0"]["clock"].as_u64().unwrap() + 60_000});
    if let Some(bond) = state["dom0"]["vswitch"]["bond1"].as_object() {
        let members = bond["members"].as_array().unwrap().iter();
        let members: Vec<Value> = members.map(|m| up(m["name"].as_str().unwrap())).collect();
        dom0["vswitch"] = json!({"bond1": {"members": members}});
    }
    root.set(&json!({"dom0": dom0}));
}

fn bad(root: &Root) -> Vec<String> {
    let document = root.json(5, &["verify", "NAS"]);
    let checks = document["checks"].as_array().unwrap().iter();
    let bad = checks.filter(|check| check["ok"] == false);
    bad.map(|check| check["name"].as_str().unwrap().to_string()).collect()
}

#[test]
fn a_storage_bond_is_made_listed_verified_and_taken_back() {
    for (flavour, backend) in BACKENDS {
        let root = Root::new(flavour, backend);
        let start = root.snapshot();
        root.exits(0, &with(&["apply", "--yes"], NAS));
        settled(&root);
        let run = root.exits(0, &with(&["apply", "--yes"], NAS));
        assert!(run.out.contains("Nothing to do"), "{run:?}");
        let list = root.json(0, &["list"]);
        let bond = &list["bonds"][0];
        assert_eq!((&bond["name"], &bond["kind"]), (&json!("bond1"), &json!("managed")));
        assert_eq!((&bond["ok"], &bond["mode"]), (&json!(true), &json!("active-backup")));
        for name in ["bond1", "NAS"] {
            let run = root.exits(0, &["verify", name]);
            assert!(run.out.contains("bond1 management_purpose"), "{run:?}");
            root.exits(0, &["apply", name, "--yes"]);
            let spec = root.exits(0, &["spec", name]).out;
            let file = root.beside("spec.ini");
            std::fs::write(&file, spec).unwrap();
            let run = root.exits(0, &["apply", "--yes", "--spec", &file]);
            assert!(run.out.contains("Nothing to do"), "{run:?}");
        }
        let run = root.exits(0, &["rollback", "NAS", "--dry-run"]);
        assert!(run.out.contains("removes bond1 (172.16.51.11/24)"), "{run:?}");
        root.exits(0, &["rollback", "--yes"]);
        start.assert_same(&root, "rolled back");
        root.exits(0, &with(&["apply", "--yes"], NAS));
        for _ in 0..2 {
            let said = root.undo_sh();
            start.assert_same(&root, &said);
        }
        root.exits(0, &["rollback", "--yes"]);
        start.assert_same(&root, "rolled back after the script");
    }
}

#[test]
fn a_bond_of_the_drivers_own_is_none_of_an_open_vswitchs() {
    let root = Root::new("el5", "openvswitch");
    let bond = json!({
        "mac": "00:00:00:00:00:00", "mtu": 1500, "up": false, "opened": false, "master": null,
        "options": {}, "arp_targets": [], "primary": null, "active": null, "slaves": [],
    });
    root.set(&json!({"dom0": {"bonds": {"bond1": bond}}}));
    let start = root.snapshot();
    root.exits(0, &with(&["apply", "--yes"], NAS));
    settled(&root);
    root.exits(0, &["verify"]);
    let run = root.exits(0, &["status"]);
    assert!(run.out.contains("made by xenbond, as asked"), "{run:?}");
    root.exits(0, &["drill", "bond1", "--target", "172.16.51.2"]);
    root.exits(0, &["rollback", "--yes"]);
    start.assert_same(&root, "rolled back");
}

#[test]
fn what_others_make_of_it_is_named_and_mended() {
    let root = Root::new("el7", "bridge");
    root.exits(0, &with(&["apply", "--yes"], NAS));
    settled(&root);
    let of = |path: &[&str]| {
        let state = root.state();
        path.iter().fold(&state, |at, key| &at[*key])["uuid"].as_str().unwrap().to_string()
    };
    let pif = of(&["pool", "pifs", "xen01/bond1"]);
    let bond = of(&["pool", "bonds", "xen01/bond1"]);
    let network = root.state()["pool"]["pifs"]["xen01/bond1"]["network"].clone();
    let network = of(&["pool", "networks", network.as_str().unwrap()]);
    for (line, names) in [
        (format!("pif-param-set uuid={pif} disallow-unplug=false"), &["bond1 disallow-unplug"][..]),
        (
            format!(
                "pif-param-remove uuid={pif} param-name=other-config param-key=management_purpose"
            ),
            &["bond1 management_purpose"],
        ),
        (
            format!(
                "pif-reconfigure-ip uuid={pif} mode=static IP=172.16.51.12 netmask=255.255.255.0"
            ),
            &["bond1 address in XAPI"],
        ),
        (format!("bond-set-mode uuid={bond} mode=balance-slb"), &["mode"]),
        (format!("network-param-set uuid={network} MTU=1500"), &["network MTU"]),
    ] {
        xe(&root, &line);
        settled(&root);
        let found = bad(&root);
        for name in names {
            assert!(found.iter().any(|one| one == name), "{line}: {found:?}");
        }
        root.exits(0, &["apply", "NAS", "--yes"]);
        settled(&root);
        root.exits(0, &["verify", "NAS"]);
    }
    // Gone altogether, it is made again.
    let bond = of(&["pool", "bonds", "xen01/bond1"]);
    xe(&root, &format!("bond-destroy uuid={bond}"));
    assert_eq!(bad(&root), ["bond1"]);
    root.exits(0, &["apply", "NAS", "--yes"]);
    settled(&root);
    root.exits(0, &["verify", "NAS"]);
}

#[test]
fn a_bond_that_xapi_has_and_the_host_has_not_comes_by_a_restart_that_is_ordered() {
    for (flavour, backend) in BACKENDS {
        let root = Root::new(flavour, backend);
        root.exits(0, &with(&["apply", "--yes"], NAS));
        settled(&root);
        let gone = json!({"bonds": {"bond1": null}, "vswitch": {"bond1": null}, "nics": {
            "eth2": {"master": null, "mac": "00:1b:21:0a:01:02"},
            "eth3": {"master": null, "mac": "00:1b:21:0a:01:03"},
        }});
        root.set(&json!({"dom0": gone}));
        assert_eq!(bad(&root), ["bond1"]);
        let restarts = || {
            let ran = root.state()["dom0"]["transcript"].as_array().unwrap().clone();
            ran.iter().filter(|ran| ran["command"] == "xe-toolstack-restart").count()
        };
        let refused = root.exits(1, &["apply", "NAS", "--yes"]);
        assert!(refused.err.contains("--restart-toolstack orders it"), "{refused:?}");
        assert_eq!(restarts(), 0);
        root.exits(0, &["apply", "NAS", "--yes", "--restart-toolstack"]);
        settled(&root);
        root.exits(0, &["verify", "NAS"]);
        assert_eq!(restarts(), 1);
        let again = root.exits(0, &["apply", "NAS", "--yes", "--restart-toolstack"]);
        assert!(again.out.contains("Nothing to do"), "{again:?}");
        assert_eq!(restarts(), 1);
    }
}

/// The address, and whether XAPI refuses to unplug it.
fn carried(root: &Root, pif: &str) -> (Value, Value) {
    let pif = &root.state()["pool"]["pifs"][format!("xen01/{pif}")];
    (pif["ip"].clone(), pif["disallow_unplug"].clone())
}

#[test]
fn nothing_of_a_bond_stays_on_its_nics_whatever_others_made_of_it() {
    let none = (json!(""), json!(false));
    for (flavour, backend) in BACKENDS {
        let root = Root::new(flavour, backend);
        let start = root.snapshot();
        let uuid = |kind: &str| {
            root.state()["pool"][kind]["xen01/bond1"]["uuid"].as_str().unwrap().to_string()
        };
        let destroyed = || xe(&root, &format!("bond-destroy uuid={}", uuid("bonds")));
        let moved = || {
            let pif = uuid("pifs");
            let ip = "mode=static IP=172.16.51.99 netmask=255.255.255.0";
            xe(&root, &format!("pif-reconfigure-ip uuid={pif} {ip}"));
        };
        let leased = || xe(&root, &format!("pif-reconfigure-ip uuid={} mode=dhcp", uuid("pifs")));
        let others: [&dyn Fn(); 3] = [&destroyed, &moved, &leased];
        for (number, act) in others.iter().enumerate() {
            root.exits(0, &with(&["apply", "--yes"], NAS));
            act();
            root.exits(0, &["rollback", "--yes"]);
            start.assert_same(&root, "rolled back after what others made of it");
            root.exits(0, &with(&["apply", "--yes"], NAS));
            act();
            root.exits(0, &["remove", "NAS", "--yes"]);
            assert_eq!(carried(&root, "eth2"), none, "{backend} {number}");
            start.assert_same(&root, "removed after what others made of it");
        }
        // What was repaired meanwhile leads back to the first.
        root.exits(0, &with(&["apply", "--yes"], NAS));
        moved();
        root.exits(0, &["apply", "NAS", "--yes"]);
        root.exits(0, &["rollback", "--yes"]);
        start.assert_same(&root, "rolled back after a repair");
    }
}

#[test]
fn a_removal_names_the_storage_that_it_cuts_off_and_gives_the_network_back() {
    for (flavour, backend) in BACKENDS {
        let root = Root::new(flavour, backend);
        xe(&root, "network-create name-label=NAS");
        let start = root.snapshot();
        let routed = [NAS, &["--route", "10.99.0.0/16 via 172.16.51.1"]].concat();
        root.exits(0, &with(&["apply", "--yes"], &routed));
        let mount = "172.16.51.2:/x /run/sr-mount/x nfs rw,vers=3,addr=172.16.51.2 0 0";
        root.set(&json!({"dom0": {"mounts": {"/run/sr-mount/x": mount}}}));
        for command in ["rollback", "remove"] {
            let run = root.exits(1, &[command, "NAS", "--yes"]);
            assert!(run.err.contains("bond-carries-storage"), "{command}: {run:?}");
        }
        root.set(&json!({"dom0": {"mounts": {"/run/sr-mount/x": null}}}));
        let run = root.exits(0, &["remove", "NAS", "--yes"]);
        assert!(!format!("{run:?}").contains("keeps carrying"), "{run:?}");
        start.assert_same(&root, "removed");
    }
}

#[test]
fn what_it_is_for_is_part_of_what_is_asked() {
    for (flavour, backend) in BACKENDS {
        let root = Root::new(flavour, backend);
        root.exits(0, &with(&["apply", "--yes"], NAS));
        settled(&root);
        let asked = |purpose: &'static str| {
            ["--kind", "managed", "--network", "NAS", "--nic", "eth2,eth3", "--use", purpose]
        };
        let run = root.exits(1, &with(&["apply", "--yes"], &asked("management")));
        assert!(run.err.contains("management-elsewhere"), "{run:?}");
        root.exits(5, &with(&["verify"], &asked("management")));
        root.exits(0, &with(&["apply", "--yes"], &asked("network")));
        assert_eq!(carried(&root, "bond1"), (json!(""), json!(false)));
        let run = root.exits(0, &with(&["apply", "--yes"], &asked("network")));
        assert!(run.out.contains("Nothing to do"), "{run:?}");
    }
}

#[test]
fn it_is_found_by_its_networks_name_and_without_a_record() {
    let root = Root::new("el7", "openvswitch");
    let made = root.json(0, &with(&["apply", "--yes"], NAS));
    assert_eq!(made["bond"], "bond1");
    let network = root.state()["pool"]["pifs"]["xen01/bond1"]["network"].clone();
    let network = root.state()["pool"]["networks"][network.as_str().unwrap()]["uuid"].clone();
    xe(&root, &format!("network-param-set uuid={} name-label=N/2", network.as_str().unwrap()));
    settled(&root);
    for command in [&["plan", "NAS"][..], &["apply", "bond1", "--yes"]] {
        let run = root.exits(0, command);
        assert!(run.out.contains("Nothing to do"), "{run:?}");
    }
    root.exits(0, &["verify", "N/2"]);
    std::fs::remove_dir_all(root.at("var/lib/xenbond")).unwrap();
    let run = root.exits(1, &["remove", "bond1", "--yes"]);
    assert!(run.err.contains("xenbond spec bond1 > FILE"), "{run:?}");
    let file = root.beside("spec.ini");
    std::fs::write(&file, root.exits(0, &["spec", "bond1"]).out).unwrap();
    let run = root.exits(0, &["plan", "--spec", &file]);
    assert!(run.out.contains("Nothing to do"), "{run:?}");
    root.exits(0, &["remove", "bond1", "--spec", &file, "--yes"]);
    assert_eq!(carried(&root, "eth2"), (json!(""), json!(false)));
    // Two of one name are told apart.
    root.exits(0, &with(&["apply", "--yes"], NAS));
    let bond = root.state()["pool"]["bonds"]["xen01/bond0"]["uuid"].clone();
    xe(&root, &format!("bond-destroy uuid={}", bond.as_str().unwrap()));
    let second =
        ["--kind", "managed", "--network", "NAS", "--nic", "eth4,eth5", "--use", "network"];
    root.exits(0, &with(&["apply", "--yes"], &second));
    for command in [&["verify", "NAS"][..], &["rollback", "NAS", "--dry-run"], &["remove", "NAS"]] {
        let run = root.exits(2, command);
        assert!(run.err.contains("name one of them: bond0, bond1"), "{run:?}");
    }
    root.exits(0, &["remove", "bond0", "--yes"]);
    settled(&root);
    root.exits(0, &["verify", "NAS"]);
}

#[test]
fn without_xapi_its_own_address_is_nobody_elses() {
    let root = Root::new("el7", "openvswitch");
    root.exits(0, &with(&["apply", "--yes"], NAS));
    root.set(&json!({"dom0": {"xapi": "down"}}));
    let run = root.exits(1, &["plan", "NAS"]);
    assert!(!run.out.contains("address-taken"), "{run:?}");
    assert!(!run.out.contains("subnet-overlap"), "{run:?}");
    let run = root.exits(5, &["verify", "NAS"]);
    assert!(run.out.contains("is not known to be as asked"), "{run:?}");
}

#[test]
fn a_bond_that_others_use_by_now_keeps_its_network() {
    let root = Root::new("el7", "bridge");
    root.exits(0, &with(&["apply", "--yes"], NAS));
    let network = root.state()["pool"]["pifs"]["xen01/bond1"]["network"].clone();
    let mut theirs = root.state()["pool"]["pifs"]["xen02/eth2"].clone();
    theirs["network"] = network.clone();
    root.set(&json!({"pool": {"pifs": {"xen02/eth2": theirs}}}));
    let run = root.exits(0, &["rollback", "--yes"]);
    assert!(run.err.contains("something lies on the network NAS, which stays"), "{run:?}");
    let networks = root.state()["pool"]["networks"].clone();
    assert!(!networks[network.as_str().unwrap()].is_null(), "{networks}");
}

#[test]
fn it_is_removed_and_brought_back() {
    for (flavour, backend) in BACKENDS {
        let root = Root::new(flavour, backend);
        let start = root.snapshot();
        root.exits(0, &with(&["apply", "--yes"], NAS));
        root.exits(0, &["remove", "NAS", "--yes"]);
        start.assert_same(&root, "removed");
        root.exits(0, &["remove", "bond1", "--yes"]);
        root.exits(0, &["rollback", "--yes"]);
        settled(&root);
        root.exits(0, &["verify", "NAS"]);
    }
}

/// The bridge that the host is managed through.
fn managed_by(root: &Root) -> String {
    let text = std::fs::read_to_string(root.at("etc/xensource-inventory")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("MANAGEMENT_INTERFACE="));
    line.unwrap().trim_matches('\'').to_string()
}

/// Where the last change stands.
fn phase(root: &Root) -> Value {
    let status = root.xenbond(&["status", "--json"]);
    let status: Value = serde_json::from_str(&status.out).unwrap_or_default();
    status["transaction"]["phase"].clone()
}

#[test]
fn the_management_moves_stays_when_confirmed_and_comes_back() {
    for (flavour, backend) in BACKENDS {
        let root = Root::new(flavour, backend);
        let start = root.snapshot();
        let plan = root.exits(0, &with(&["plan"], MGT)).out;
        assert!(plan.contains("silent for about"), "{plan}");
        let run = root.exits(6, &with(&["apply", "--yes"], MGT));
        assert!(run.out.contains("unless you confirm it in time"), "{run:?}");
        assert_ne!(managed_by(&root), "xenbr0");
        root.exits(0, &["confirm"]);
        settled(&root);
        root.exits(0, &["verify", "MGT"]);
        let run = root.exits(0, &["rollback", "--yes"]);
        assert!(run.err.contains("in the background"), "{run:?}");
        start.assert_same(&root, "rolled back");
        // Nobody confirms it.
        root.exits(6, &with(&["apply", "--yes", "--confirm-within", "2s"], MGT));
        until("the guard has rolled it back", || managed_by(&root) == "xenbr0");
        until("the guard has ended", || {
            phase(&root) == "rolled-back" && root.own_files() == ["history", "lock"]
        });
        start.assert_same(&root, "not confirmed");
    }
}

#[test]
fn the_work_outlives_whoever_ordered_it() {
    let root = Root::new("el7", "bridge");
    let start = root.snapshot();
    root.gate("bond-create");
    let run = root.start(&with(&["apply", "--yes"], MGT));
    root.until_at_gate();
    run.signal(Signal::SIGKILL);
    root.open_gate();
    until("the worker has come to its verdict", || phase(&root) == "waiting-for-confirmation");
    root.until_free();
    assert_ne!(managed_by(&root), "xenbr0");
    root.unwrap_program("opt/xensource/bin/xe");
    root.exits(0, &["rollback", "--yes"]);
    start.assert_same(&root, "rolled back");
}

#[test]
fn without_a_dead_mans_switch_it_moves_only_where_that_is_accepted() {
    let root = Root::new("el7", "openvswitch");
    let unguarded = with(&["apply", "--yes", "--confirm-within", "0"], MGT);
    let run = root.exits(1, &unguarded);
    assert!(run.err.contains("no-dead-mans-switch"), "{run:?}");
    assert_eq!(managed_by(&root), "xenbr0");
    root.exits(0, &with(&unguarded, &["--accept", "no-dead-mans-switch"]));
    assert_ne!(managed_by(&root), "xenbr0");
}
