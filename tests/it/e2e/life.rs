//! The life of bonds: two of them, named by their names, listed, judged, mended and taken back one
//! by one.

use std::fs;

use serde_json::{Value, json};

use super::changes::with_free_nics;
use super::root::{IFCFG_BOND, Root, until, with_spec};
use crate::dom0::Snapshot;

pub const SECOND: &[&str] = &[
    "apply",
    "--yes",
    "--bond",
    "bond52",
    "--nic",
    "eth4",
    "--nic",
    "eth5",
    "--address",
    "172.16.52.11/24",
];

/// A host with two bonds, from the backend that it had.
fn two(flavour: &str, backend: &str) -> (Root, Snapshot) {
    let root = with_free_nics(flavour, backend);
    if backend != "bridge" {
        // A boot plugs every NIC, those of the second bond too.
        root.reboot();
        until("XAPI to start", || root.xenbond(&with_spec(&["plan"])).code == 0);
    }
    let start = root.snapshot();
    if backend == "bridge" {
        root.apply();
    } else {
        root.exits(6, &with_spec(&["apply", "--yes"]));
        root.reboot();
        root.exits(0, &["resume"]);
    }
    root.exits(0, SECOND);
    (root, start)
}

fn bonds(checks: &Value) -> Vec<&str> {
    let mut all: Vec<&str> =
        checks["checks"].as_array().unwrap().iter().map(|c| c["bond"].as_str().unwrap()).collect();
    all.dedup();
    all
}

#[test]
fn each_of_two_bonds_is_judged_listed_and_mended_by_its_name() {
    let (root, _) = two("el7", "bridge");
    let verify = root.json(0, &["verify"]);
    assert_eq!(bonds(&verify), ["bond52", "bond51"]);
    let listed = root.json(0, &["list"]);
    let one = &listed["bonds"][0];
    assert_eq!(one["name"], "bond51");
    assert_eq!(one["kind"], "unmanaged");
    assert_eq!(one["mode"], "active-backup");
    assert_eq!(one["nics"], json!(["eth2", "eth3"]));
    assert_eq!(one["address"], "172.16.51.11/24");
    assert_eq!(one["ok"], true);
    assert_eq!(one["rollback"], "removes bond51 (172.16.51.11/24)");
    assert!(one["since"].as_str().unwrap().ends_with('Z'), "{one}");
    assert_eq!(listed["bonds"].as_array().unwrap().len(), 2);

    fs::remove_file(root.at(IFCFG_BOND)).unwrap();
    assert_eq!(root.json(0, &["list"])["bonds"][0]["ok"], false);
    assert_eq!(bonds(&root.json(0, &["verify", "bond52"])), ["bond52"]);
    root.exits(5, &["verify", "bond51"]);
    let nagios = root.exits(1, &["verify", "--format", "nagios"]);
    assert!(nagios.out.starts_with("XENBOND WARNING - bond51: "), "the worst first: {nagios:?}");
    assert_eq!(nagios.out.lines().count(), 1);
    root.exits(5, &["plan", "bond51", "--check"]);
    root.exits(0, &["plan", "bond52", "--check"]);
    root.exits(0, &["apply", "bond51", "--yes"]);
    root.exits(0, &["verify"]);
    assert!(root.exits(0, &["list"]).out.contains("as asked"));

    let unknown = root.exits(1, &["apply", "bond53", "--yes"]);
    assert!(unknown.err.contains("bond51") && unknown.err.contains("--spec"), "{unknown:?}");
    root.exits(2, &["plan", "bond51", "--mtu", "9000"]);
}

#[test]
fn a_spec_that_is_printed_leaves_nothing_to_do() {
    let (root, _) = two("el5", "bridge");
    let file = root.beside("bond52.ini");
    fs::write(&file, root.exits(0, &["spec", "bond52"]).out).unwrap();
    let again = root.exits(0, &["apply", "--yes", "--spec", &file]);
    assert!(again.out.contains("Nothing to do"), "{again:?}");
    // What no record tells the kernel and the files do.
    fs::rename(root.at("var/lib/xenbond"), root.beside("gone")).unwrap();
    let told = root.exits(0, &["spec", "bond52"]).out;
    assert_eq!(told, fs::read_to_string(&file).unwrap());
    let again = root.exits(0, &["apply", "--yes", "--spec", &file]);
    assert!(again.out.contains("Nothing to do"), "{again:?}");
    root.exits(1, &["spec", "bond59"]);
    let none = root.json(0, &["list"]);
    assert_eq!(none["bonds"], json!([]));
}

#[test]
fn a_spec_with_tags_and_routes_that_is_printed_leaves_nothing_to_do() {
    for flavour in ["el5", "el7"] {
        let root = Root::new(flavour, "bridge");
        let asked = root.beside("asked.ini");
        let spec = "[bond]\nname = bond51\nnics = eth2, eth3\nmtu = 9000\naddress = 172.16.51.11/24\n\
            vlan = 51\nroutes = 10.99.0.0/16 via 172.16.51.1\n[vlan 52]\n\
            address = 172.16.52.11/24\nmtu = 1500\nroutes = 10.98.0.0/16 via 172.16.52.1\n\
            [vlan 53]\naddress = 172.16.53.11/24\n";
        fs::write(&asked, spec).unwrap();
        let start = root.snapshot();
        root.exits(0, &["apply", "--yes", "--spec", &asked]);
        let told = root.exits(0, &["spec", "bond51"]).out;
        let file = root.beside("told.ini");
        fs::write(&file, &told).unwrap();
        let again = root.exits(0, &["apply", "--yes", "--spec", &file]);
        assert!(again.out.contains("Nothing to do"), "{again:?}");
        // What no record tells the kernel and the files do.
        let (records, gone) = (root.at("var/lib/xenbond"), root.beside("gone"));
        fs::rename(&records, &gone).unwrap();
        assert_eq!(root.exits(0, &["spec", "bond51"]).out, told);
        let again = root.exits(0, &["apply", "--yes", "--spec", &file]);
        assert!(again.out.contains("Nothing to do"), "{again:?}");
        fs::remove_dir_all(&records).ok();
        fs::rename(&gone, &records).unwrap();
        root.exits(0, &["remove", "bond51", "--yes"]);
        start.assert_same(&root, "after the removal");
        root.exits(0, &["rollback", "--yes"]);
        root.exits(0, &["verify", "--spec", &asked]);
        root.exits(0, &["rollback", "bond51", "--yes"]);
        start.assert_same(&root, "after both");
    }
}

#[test]
fn what_was_accepted_once_need_not_be_accepted_again() {
    let root = with_free_nics("el7", "bridge");
    root.set(&json!({"dom0": {"nics": {"eth3": {"link": false}}}}));
    root.exits(1, &with_spec(&["apply", "--yes"]));
    root.exits(5, &with_spec(&["apply", "--yes", "--accept", "nic-no-link"]));
    root.exits(5, &with_spec(&["apply", "--yes"]));
    fs::remove_file(root.at(IFCFG_BOND)).unwrap();
    root.exits(0, &["plan", "bond51"]);
    root.exits(5, &["apply", "bond51", "--yes"]);
    root.exits(5, &["apply", "bond51", "--yes"]);
    // Another spec is another question.
    root.exits(1, &with_spec(&["apply", "--yes", "--mtu", "9000"]));
}

fn backend(root: &Root) -> String {
    fs::read_to_string(root.at("etc/xensource/network.conf")).unwrap().trim().to_string()
}

fn there(root: &Root, bond: &str) -> bool {
    root.at("proc/net/bonding").join(bond).exists()
}

#[test]
fn the_first_of_two_bonds_goes_and_the_backend_with_the_last() {
    let (root, start) = two("el7", "openvswitch");
    let first = root.json(0, &["rollback", "bond51", "--yes"]);
    assert_eq!(first["result"], "rolled-back");
    assert!(!there(&root, "bond51") && there(&root, "bond52"));
    assert_eq!(backend(&root), "bridge", "bond52 needs it");
    root.exits(0, &["verify"]);
    assert_eq!(root.json(0, &["list"])["bonds"][0]["name"], "bond52");
    // Nothing is left of it to undo, and that is no error.
    let again = root.json(0, &["rollback", "bond51", "--yes"]);
    assert_eq!(again["result"], "nothing-to-do");
    let waits = root.json(6, &["rollback", "bond52", "--yes"]);
    assert_eq!(waits["result"], "waiting-for-reboot");
    assert_eq!(backend(&root), "openvswitch");
    root.reboot();
    root.exits(0, &["resume"]);
    let same = start.timeless().differences(&root.snapshot().timeless());
    assert_eq!(same, "", "after the last bond");
    assert_eq!(root.own_files(), ["history", "lock"]);
}

#[test]
fn once_the_newest_change_is_undone_a_further_one_must_be_named() {
    let (root, start) = two("el5", "bridge");
    root.exits(0, &["rollback", "--yes"]);
    assert!(there(&root, "bond51") && !there(&root, "bond52"));
    for _ in 0..2 {
        let nothing = root.json(0, &["rollback", "--yes"]);
        assert_eq!(nothing["result"], "nothing-to-do");
        assert_eq!(nothing["hint"], "xenbond rollback bond51");
    }
    root.exits(0, &["verify"]);
    root.exits(1, &["rollback", "bond59", "--yes"]);
    root.exits(0, &["rollback", "bond51", "--yes"]);
    start.assert_same(&root, "after both");
}

#[test]
fn a_bond_goes_whole_and_a_change_with_those_after_it() {
    let (root, start) = two("el7", "bridge");
    root.exits(0, &with_spec(&["apply", "--yes", "--mtu", "9000"]));
    let before = root.snapshot();
    let change = root.transaction();
    let change = change.file_name().unwrap().to_str().unwrap();
    root.exits(0, &with_spec(&["apply", "--yes", "--mtu", "4000"]));

    let dry = root.exits(0, &["rollback", "--dry-run"]);
    assert!(dry.out.contains("sets the MTU of bond51 back to 9000"), "{dry:?}");
    let dry = root.json(0, &["rollback", change, "--dry-run"]);
    let headline = dry["headline"].as_str().unwrap();
    assert!(headline.starts_with("takes the MTU of bond51 back, later changes"), "{dry}");
    assert_eq!(dry["transactions"].as_array().unwrap().len(), 2);
    root.exits(0, &["rollback", "--yes"]);
    before.assert_same(&root, "after the newest");
    root.exits(0, &["verify"]);

    let said = root.exits(0, &["rollback", "bond51", "--yes"]);
    assert!(said.err.contains("removes bond51 (172.16.51.11/24), later"), "{said:?}");
    assert!(!there(&root, "bond51") && there(&root, "bond52"));
    root.exits(0, &["verify"]);
    root.exits(0, &["rollback", "bond52", "--yes"]);
    start.assert_same(&root, "after all");
    assert_eq!(root.own_files(), ["history", "lock"]);
}

#[test]
fn the_script_keeps_the_backend_that_another_bond_needs() {
    let (root, _) = two("el7", "openvswitch");
    let history = fs::read_dir(root.at("var/lib/xenbond/history")).unwrap();
    let of = |name: &str| name.ends_with("-bond51");
    let first = history.map(|e| e.unwrap().path()).find(|p| of(p.to_str().unwrap())).unwrap();
    let run = std::process::Command::new("sh")
        .arg(first.join("undo.sh"))
        .env("XENBOND_ROOT", root.path())
        .output()
        .unwrap();
    assert!(run.status.success(), "{run:?}");
    assert_eq!(backend(&root), "bridge");
    assert!(!there(&root, "bond51") && there(&root, "bond52"));
}

/// An attached repository, mounted, that is reached through bond51.
fn attach(root: &Root) {
    root.set(&json!({
        "pool": {
            "srs": {"nfs1": {
                "uuid": "f81316d8-935a-aa1d-6267-b4a9b39c6a99", "name_label": "NFS prod",
                "kind": "nfs", "shared": true,
            }},
            "pbds": {"xen01/nfs1": {
                "uuid": "8efa2e6e-d0dc-0649-230a-5bd7289f8999", "host": "xen01", "sr": "nfs1",
                "currently_attached": true,
                "device_config": {"server": "172.16.51.2", "serverpath": "/x"},
            }},
        },
        "dom0": {"mounts": {"/run/sr-mount/1": "172.16.51.2:/x /run/sr-mount/1 nfs rw 0 0"}},
    }));
}

#[test]
fn storage_on_a_bond_is_named_before_it_is_interrupted() {
    let root = Root::new("el7", "bridge");
    root.apply();
    attach(&root);
    root.exits(0, &with_spec(&["plan"]));
    let words = "bond-carries-storage: storage repository \"NFS prod\" is reached";
    let rebuild = with_spec(&["--mode", "balance-alb"]);
    let plan = root.exits(1, &[&["plan"], &rebuild[..]].concat());
    assert!(plan.out.contains(words), "{plan:?}");
    root.exits(1, &[&["apply", "--yes"], &rebuild[..]].concat());
    for what in
        [&["rollback", "--yes"][..], &["rollback", "bond51", "--yes"], &["rollback", "--dry-run"]]
    {
        let refused = root.exits(1, what);
        assert!(refused.out.contains(words) || refused.err.contains(words), "{refused:?}");
    }
    assert!(there(&root, "bond51"));
    let accept = ["apply", "--yes", "--accept", "bond-carries-storage"];
    root.exits(0, &[&accept, &rebuild[..]].concat());
    // It was accepted for that once.
    root.exits(1, &["rollback", "--yes"]);
    // What goes back on its own does not ask.
    root.lie("ifup", "lies", 1, 0);
    root.exits(
        3,
        &with_spec(&["apply", "--yes", "--accept", "bond-carries-storage", "--mtu", "9000"]),
    );
    root.exits(0, &["rollback", "bond51", "--yes", "--accept", "bond-carries-storage"]);
    assert!(!there(&root, "bond51"));
}

/// Machines on this host, each with a disk in a repository or none.
fn machines(root: &Root, all: &[(&str, Option<&str>)]) {
    for (number, (name, sr)) in (100..).zip(all) {
        let uuid = |kind: u32| format!("8efa2e6e-d0dc-0649-{kind}-5bd7289f8{number}");
        let (key, on) = (format!("machine-{number}"), json!("xen01"));
        root.set(&json!({"pool": {
            "vms": {&key: {
                "uuid": uuid(1000), "name_label": name, "is_control_domain": false,
                "power_state": "running", "resident_on": on, "stays": false,
            }},
            "vbds": {&key: {
                "uuid": uuid(2000), "vm": key, "currently_attached": true,
                "vdi": sr.map(|_| key.clone()),
            }},
        }}));
        if let Some(sr) = sr {
            let vdi = json!({"uuid": uuid(3000), "name_label": "disk", "sr": sr});
            root.set(&json!({"pool": {"vdis": {&key: vdi}}}));
        }
    }
}

#[test]
fn running_machines_with_disks_on_a_bond_are_named() {
    let root = Root::new("el7", "bridge");
    root.apply();
    attach(&root);
    root.set(&json!({"pool": {"srs": {"local1": {
        "uuid": "f81316d8-935a-aa1d-6267-b4a9b39c6a98", "name_label": "disk", "kind": "lvm",
        "shared": false,
    }}}}));
    machines(&root, &[("db1", Some("nfs1")), ("local", Some("local1")), ("diskless", None)]);
    let words = "\"NFS prod\" (with disks of \"db1\") is reached at 172.16.51.2 through bond51";
    let rebuild = with_spec(&["plan", "--mode", "balance-alb"]);
    let plan = root.exits(1, &rebuild);
    assert!(plan.out.contains(words), "{plan:?}");
    for refused in [&["rollback", "--yes"][..], &["remove", "bond51", "--yes"]] {
        let refused = root.exits(1, refused);
        assert!(refused.err.contains(words), "{refused:?}");
    }
    // What was not answered is no sign that there is none.
    root.lie("xe vbd-list", "fails", 1, 0);
    let plan = root.exits(1, &rebuild);
    let unknown = "through bond51; which VMs have disks on it is unknown: ";
    assert!(plan.out.contains(unknown), "{plan:?}");
}

#[test]
fn a_bond_is_removed_as_if_it_had_never_been_and_that_can_be_taken_back() {
    let (root, _) = two("el7", "bridge");
    let stood = root.snapshot();
    root.exits(0, &["remove", "bond52", "--yes"]);
    assert!(there(&root, "bond51") && !there(&root, "bond52"));
    root.exits(0, &["verify"]);
    assert_eq!(root.json(0, &["list"])["bonds"].as_array().unwrap().len(), 1);
    let again = root.json(0, &["remove", "bond52", "--yes"]);
    assert_eq!(again["result"], "nothing-to-do");
    let back = root.exits(0, &["rollback", "--yes"]);
    assert!(back.err.contains("brings bond52 back (172.16.52.11/24)"), "{back:?}");
    stood.assert_same(&root, "after the removal was undone");
    root.exits(0, &["verify"]);
    root.exits(0, &["remove", "bond52", "--yes"]);
    root.undo_sh();
    assert!(there(&root, "bond52"));
    root.exits(0, &["remove", "bond51", "--yes"]);
    assert!(!there(&root, "bond51"));
}

#[test]
fn a_bond_of_which_no_record_is_left_is_removed_too() {
    for flavour in ["el5", "el7"] {
        let root = Root::new(flavour, "bridge");
        root.apply();
        fs::remove_dir_all(root.at("var/lib/xenbond")).unwrap();
        root.exits(0, &["remove", "bond51", "--yes"]);
        assert!(!there(&root, "bond51") && !root.at(IFCFG_BOND).exists());
        let pifs = root.state()["pool"]["pifs"].clone();
        for nic in ["xen01/eth2", "xen01/eth3"] {
            assert_eq!(pifs[nic]["managed"], true, "{pifs}");
            assert_eq!(pifs[nic]["currently_attached"], true, "{pifs}");
        }
        root.exits(0, &["status"]);
    }
}

#[test]
fn after_an_upgrade_nothing_tells_of_the_bond_but_its_spec() {
    let root = Root::new("el7", "bridge");
    root.apply();
    let spec = root.beside("bond51.ini");
    fs::write(&spec, root.exits(0, &["spec", "bond51"]).out).unwrap();
    root.is_upgraded();
    let unknown = root.exits(1, &["remove", "bond51", "--yes"]);
    assert!(unknown.err.contains("--spec FILE"), "{unknown:?}");
    until("XAPI to start", || root.xenbond(&["plan", "--spec", &spec]).code == 0);
    let status = root.exits(0, &["status"]);
    assert!(
        status.out.contains("XAPI leaves eth2, eth3 alone, and nothing uses them"),
        "{status:?}"
    );
    assert_eq!(root.json(0, &["status"])["left_alone"], json!(["eth2", "eth3"]));
    root.exits(0, &["apply", "--yes", "--spec", &spec]);
    root.exits(0, &["verify"]);
    assert_eq!(root.json(0, &["status"])["left_alone"], json!([]));
    root.exits(0, &["rollback", "--yes"]);
    root.exits(0, &["remove", "bond51", "--yes", "--spec", &spec]);
    let pifs = root.state()["pool"]["pifs"].clone();
    assert_eq!(pifs["xen01/eth2"]["managed"], true, "{pifs}");
}

/// A spec of a bond that nothing here knows may name the NICs of another.
#[test]
fn a_removal_by_a_spec_leaves_the_nics_of_another_bond_alone() {
    let root = Root::new("el7", "bridge");
    root.apply();
    let before = root.snapshot();
    let spec = root.beside("bond52.ini");
    let text = "[bond]\nname = bond52\nnics = eth2, eth5\naddress = 172.16.52.11/24\n";
    fs::write(&spec, text).unwrap();
    let refused = root.exits(1, &["remove", "bond52", "--yes", "--spec", &spec]);
    assert!(refused.err.contains("nic-in-other-bond"), "{refused:?}");
    before.assert_same(&root, "after the refusal");
    root.exits(0, &["verify"]);
}

#[test]
fn the_last_bond_takes_the_backend_with_it_where_that_is_ordered() {
    let root = Root::new("el7", "openvswitch");
    let start = root.snapshot();
    root.exits(6, &with_spec(&["apply", "--yes"]));
    root.reboot();
    root.exits(0, &["resume"]);
    // The two files that the script writes anew have the time of then.
    let start = start.timeless();
    let waits = root.json(6, &["remove", "bond51", "--yes", "--backend", "openvswitch"]);
    assert_eq!(waits["result"], "waiting-for-reboot");
    assert_eq!(backend(&root), "openvswitch");
    root.reboot();
    root.exits(0, &["resume"]);
    assert_eq!(start.differences(&root.snapshot().timeless()), "");
}
