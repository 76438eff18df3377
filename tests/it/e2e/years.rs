//! What a host meets in five years: a NIC that has left a bond and is used by others when an older
//! change is undone, a change of what was adopted, a slave that alone has a link.

use std::fs;

use serde_json::{Value, json};

use super::root::{Root, at_once, until, with_spec};

/// The bond with eth6 in the place of eth3.
const SWAPPED: [&str; 6] =
    ["--bond", "bond51", "--nic", "eth2,eth6", "--address", "172.16.51.11/24"];

/// eth6 and eth7, which nothing uses.
fn spare() -> Value {
    let mut all = json!({"dom0": {"nics": {}}, "pool": {"networks": {}, "pifs": {}}});
    for n in [6, 7] {
        let (nic, mac) = (format!("eth{n}"), format!("00:1b:21:0a:01:0{n}"));
        all["dom0"]["nics"][&nic] = json!({"mac": mac, "permanent_mac": mac, "mtu": 1500,
            "max_mtu": 9710, "up": true, "link": true, "speed": 10000, "duplex": "full",
            "driver": "ixgbe", "pci": format!("0000:0{n}:00.0"), "master": null});
        all["pool"]["networks"][format!("xenbr{n}")] = json!({
            "uuid": format!("11111111-2222-3333-4444-55555555550{n}"), "name_label": nic,
            "name_description": "", "bridge": format!("xenbr{n}"), "mtu": 1500, "other_config": {}});
        all["pool"]["pifs"][format!("xen01/{nic}")] = json!({
            "uuid": format!("5c1d2297-cbef-796b-b8bd-88f1ec1fdf0{n}"), "host": "xen01",
            "device": nic, "mac": mac, "physical": true, "managed": true,
            "currently_attached": false, "mtu": 1500, "vlan": -1, "management": false,
            "network": format!("xenbr{n}"), "ip_configuration_mode": "None", "ip": "",
            "netmask": "", "gateway": "", "dns": "", "disallow_unplug": false,
            "properties": {"gro": "on"}, "other_config": {}, "sriov": null});
    }
    all
}

fn host(flavour: &str) -> Root {
    let root = Root::patched(flavour, "bridge", &spare());
    root.apply();
    root
}

/// Swaps eth3 for eth6, or removes the bond.
fn lets_go(root: &Root, removes: bool) {
    if removes {
        root.exits(0, &["remove", "bond51", "--yes"]);
    } else {
        root.exits(0, &[&["apply", "--yes"], &SWAPPED[..]].concat());
    }
}

/// What a rollback of the newest change of bond51 refuses, with the host as it was.
fn is_refused(root: &Root, finding: &str) {
    let history = fs::read_dir(root.at("var/lib/xenbond/history")).unwrap();
    let all = history.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let id = all.filter(|id| id.contains("-bond51")).max().unwrap();
    let before = root.snapshot();
    let run = root.exits(1, &["rollback", &id, "--yes"]);
    assert!(run.err.contains(finding), "{}", run.err);
    before.assert_same(root, finding);
}

#[test]
fn a_nic_that_others_use_now_is_not_taken_back_into_its_bond() {
    at_once([("el7", false), ("el5", true)], |(flavour, removes)| {
        let root = host(flavour);
        lets_go(&root, removes);
        let other = ["--bond", "bond52", "--nic", "eth3,eth7", "--address", "172.16.52.11/24"];
        root.exits(0, &[&["apply", "--yes"], &other[..]].concat());
        is_refused(&root, "nic-in-other-bond: eth3 is a slave of bond52");
        root.exits(0, &["rollback", "bond52", "--yes"]);
        root.set(&json!({"pool": {"pifs": {"xen01/eth3": {"ip_configuration_mode": "Static",
            "ip": "172.16.99.7", "netmask": "255.255.255.0"}}}}));
        is_refused(&root, "nic-has-ip: the PIF of eth3");
        root.set(&json!({"pool": {"pifs": {"xen01/eth3": {"ip_configuration_mode": "None",
            "ip": "", "netmask": ""}}}}));
    });
}

#[test]
fn another_card_under_the_name_is_not_taken_into_the_bond() {
    let root = host("el7");
    lets_go(&root, false);
    let mac = "00:1b:21:0a:01:33";
    root.set(&json!({"dom0": {"nics": {"eth3": {"mac": mac, "permanent_mac": mac}}}}));
    let before = root.state()["pool"]["pifs"]["xen01/eth3"].clone();
    let run = root.exits(4, &["rollback", "--yes"]);
    assert!(run.err.contains("eth3 is another card now, 00:1b:21:0a:01:33"), "{}", run.err);
    let now = root.state();
    assert_eq!(now["pool"]["pifs"]["xen01/eth3"], before);
    assert_ne!(now["dom0"]["nics"]["eth3"]["master"], "bond51");
    root.exits(0, &["rollback", "--close", "--yes"]);
}

/// bond52 of eth6 and eth7, made by hand as the recipe says.
fn makes_by_hand(root: &Root) {
    let scripts = root.at("etc/sysconfig/network-scripts");
    for nic in ["eth6", "eth7"] {
        root.forgets(nic);
        let text = format!("DEVICE={nic}\nONBOOT=yes\nBOOTPROTO=none\nMASTER=bond52\nSLAVE=yes\n");
        fs::write(scripts.join(format!("ifcfg-{nic}")), text).unwrap();
    }
    let text = "DEVICE=bond52\nONBOOT=yes\nBOOTPROTO=none\nIPADDR=172.16.52.11\nNETMASK=255.255.255.0\nBONDING_OPTS=\"mode=1 miimon=100\"\n";
    fs::write(scripts.join("ifcfg-bond52"), text).unwrap();
    root.runs("sbin/ifup", &["bond52"]);
}

#[test]
fn a_bond_that_goes_back_to_whoever_made_it_keeps_its_backend() {
    for adopts in [true, false] {
        let root = Root::patched("el7", "openvswitch", &spare());
        root.exits(6, &with_spec(&["apply", "--yes"]));
        root.reboot();
        root.exits(0, &["resume"]);
        makes_by_hand(&root);
        if adopts {
            root.exits(0, &["adopt", "bond52", "--yes"]);
            root.exits(0, &["rollback", "bond51", "--yes"]);
            root.exits(0, &["rollback", "bond52", "--yes"]);
            let dom0 = &root.state()["dom0"];
            assert_eq!(
                (&dom0["running"], &dom0["bonds"]["bond52"]["up"]),
                (&json!("bridge"), &json!(true))
            );
        } else {
            let run = root.exits(0, &["rollback", "bond51", "--dry-run"]);
            let said = "bond52 is not of this change, and goes with the bridge backend";
            assert!(run.out.contains(said), "{}{}", run.out, run.err);
        }
    }
}

#[test]
fn nics_that_nothing_was_recorded_of_are_given_back_by_a_removal() {
    let root = Root::new("el7", "bridge");
    root.apply();
    root.is_upgraded();
    let answers = || root.runs("opt/xensource/bin/xe", &["host-list", "--minimal"]).contains('-');
    until("XAPI's start", answers);
    root.apply();
    root.exits(0, &["rollback", "--yes"]);
    root.exits(0, &["remove", "bond51", "--yes"]);
    assert_eq!(root.state()["pool"]["pifs"]["xen01/eth2"]["managed"], true);
    let again = root.exits(0, &["remove", "bond51", "--yes"]);
    assert!(again.out.contains("Nothing to do"), "{}{}", again.out, again.err);
}

#[test]
fn what_a_rollback_of_a_repair_comes_to_is_listed() {
    let root = Root::new("el7", "bridge");
    root.apply();
    let edited = || {
        let path = root.at("etc/sysconfig/network-scripts/ifcfg-eth2");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(path, text + "ETHTOOL_OPTS=\"-G eth2 rx 4096\"\n").unwrap();
        root.exits(0, &["apply", "bond51", "--yes"]);
        root.exits(0, &["list"]).out
    };
    let first = edited();
    assert!(first.contains("a rollback of its last change removes bond51"), "{first}");
    root.exits(0, &with_spec(&["apply", "--miimon", "200", "--yes"]));
    let second = edited();
    assert!(second.contains("sets miimon of bond51 back to 100"), "{second}");
    root.exits(0, &["rollback", "--yes"]);
    let options = &root.state()["dom0"]["bonds"]["bond51"]["options"];
    assert_eq!(options["miimon"], 100);
}

#[test]
fn a_bond_whose_only_link_goes_is_interrupted() {
    let root = host("el7");
    let down = json!({"link": false});
    root.set(&json!({"dom0": {"nics": {"eth2": down, "eth6": down}, "mounts": {
        "/run/sr-mount/x": "172.16.51.2:/x /run/sr-mount/x nfs rw,vers=3,addr=172.16.51.2 0 0"}}}));
    let run =
        root.exits(1, &[&["apply", "--yes", "--accept", "nic-no-link"], &SWAPPED[..]].concat());
    assert!(run.err.contains("bond-carries-storage"), "{}", run.err);
}

#[test]
fn routes_in_any_order_are_asked_for_once() {
    at_once(["el7", "el5"], |flavour| {
        let root = Root::new(flavour, "bridge");
        let routes = ["--route", "10.99.0.0/16 via 172.16.51.1,10.98.0.0/16 via 172.16.51.1"];
        let apply = [&with_spec(&["apply", "--yes"])[..], &routes].concat();
        root.exits(0, &apply);
        let again = root.exits(0, &apply);
        assert!(again.out.contains("Nothing to do"), "{}{}", again.out, again.err);
        assert_eq!(fs::read_dir(root.at("var/lib/xenbond/history")).unwrap().count(), 1);
    });
}
