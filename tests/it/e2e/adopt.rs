//! A bond that somebody made by hand from the recipe, with its faults, is taken over while it
//! carries its traffic on, and given back to the very bytes.

use std::fs;

use serde_json::json;

use super::root::{Root, at_once, until, with_spec};

const SCRIPTS: &str = "etc/sysconfig/network-scripts";

/// A host on which XAPI has forgotten eth2 and eth3, and these files make a bond of them.
fn made_by_hand(flavour: &str, files: &[(&str, &str)], ifup: &str) -> Root {
    let root = Root::new(flavour, "bridge");
    for nic in ["eth2", "eth3"] {
        root.forgets(nic);
    }
    for (path, text) in files {
        let path = root.at(path);
        let before = fs::read_to_string(&path).unwrap_or_default();
        fs::write(path, before + text).unwrap();
    }
    root.runs("sbin/ifup", &[ifup]);
    root
}

fn slave(nic: &str) -> String {
    format!("DEVICE={nic}\nONBOOT=yes\nBOOTPROTO=none\nMASTER=bond51\nSLAVE=yes\nUSERCTL=no\n")
}

const BOND: &str =
    "DEVICE=bond51\nONBOOT=yes\nBOOTPROTO=none\nIPADDR=172.16.51.11\nNETMASK=255.255.255.0\n";

/// The recipe as it is written: the bond's file under another name, its alias the wrong way round
/// beside the right one, options by the bond's name alone.
fn recipe(flavour: &str, more: &str) -> Root {
    let modprobe = if flavour == "el5" { "etc/modprobe.conf" } else { "etc/modprobe.d/nas.conf" };
    let lines = "# the storage bond\nalias bond51 bonding\noptions bond51 miimon=100 mode=1\noptions dummy numdummies=1\n";
    made_by_hand(
        flavour,
        &[
            (modprobe, lines),
            (&format!("{SCRIPTS}/ifcfg-eth2"), &slave("eth2")),
            (&format!("{SCRIPTS}/ifcfg-eth3"), &slave("eth3")),
            (&format!("{SCRIPTS}/ifcfg-bond0"), &format!("{BOND}{more}")),
        ],
        "bond0",
    )
}

/// The commands of the host that touch links, and were run since.
fn links(root: &Root, since: usize) -> Vec<String> {
    let mut ran = root.changing().split_off(since);
    ran.retain(|command| command.starts_with("if") || command.starts_with("ip link"));
    ran
}

#[test]
fn the_recipes_bond_is_taken_over_while_it_is_up_and_given_back_as_it_was() {
    at_once(["el7", "el5"], |flavour| {
        let root = recipe(flavour, "BONDING_OPTS=\"mode=1 miimon=100\"\n");
        let before = root.snapshot();
        let since = root.changing().len();
        let said = root.json(0, &["adopt", "bond51", "--yes"]);
        assert_eq!(said["result"], "done", "{said}");
        assert_eq!(links(&root, since), [""; 0]);
        root.exits(0, &["verify"]);
        root.exits(0, &with_spec(&["plan", "--check"]));
        assert!(!root.at(&format!("{SCRIPTS}/ifcfg-bond0")).exists());
        let list = root.json(0, &["list"]);
        assert_eq!(list["bonds"][0]["rollback"], "gives bond51 back as it was made by hand");
        let again = root.json(0, &["adopt", "bond51", "--yes"]);
        assert_eq!(again["result"], "nothing-to-do", "{again}");
        // It is a bond like any other from then on.
        root.reboot();
        until("XAPI to start", || root.xenbond(&["verify"]).code == 0);
        root.exits(0, &["apply", "bond51", "--yes"]);
        root.exits(0, &["rollback", "bond51", "--yes"]);
        before.assert_same(&root, "after the rollback");
        assert!(root.at("proc/net/bonding/bond51").exists());
    });
}

#[test]
fn an_adoption_that_fails_or_is_undone_by_its_script_changes_nothing() {
    for flavour in ["el7", "el5"] {
        let root = recipe(flavour, "BONDING_OPTS=\"mode=1 miimon=100\"\n");
        let before = root.snapshot();
        root.lie("ip route", "lies", 1, 0);
        root.exits(3, &["adopt", "bond51", "--yes"]);
        before.assert_same(&root, "after the failed adoption");
        root.lies_no_more();
        root.exits(0, &["adopt", "bond51", "--yes"]);
        root.undo_sh();
        before.assert_same(&root, "after the script");
    }
}

/// What a later change found are files of the bond, and not what was there before it.
#[test]
fn an_adopted_bond_that_was_changed_goes_with_all_its_files() {
    at_once(["el7", "el5"], |flavour| {
        let root = recipe(flavour, "BONDING_OPTS=\"mode=1 miimon=100\"\n");
        root.exits(0, &["adopt", "bond51", "--yes"]);
        root.exits(0, &with_spec(&["apply", "--miimon", "250", "--yes"]));
        root.exits(0, &["remove", "bond51", "--yes"]);
        for name in ["ifcfg-bond51", "ifcfg-bond0", "ifcfg-eth2", "ifcfg-eth3"] {
            assert!(!root.at(&format!("{SCRIPTS}/{name}")).exists(), "{flavour}: {name}");
        }
        let conf = ["etc/modprobe.conf", "etc/modprobe.d/bond51.conf", "etc/modprobe.d/nas.conf"];
        for text in conf.iter().filter_map(|path| fs::read_to_string(root.at(path)).ok()) {
            assert!(!text.contains("bond51"), "{flavour}: {text}");
        }
    });
}

/// Others wrote into the file meanwhile: the lines that the adoption took out come back all the same.
#[test]
fn lines_that_an_adoption_took_out_come_back_beside_those_of_others() {
    at_once(
        [("el7", "etc/modprobe.d/nas.conf"), ("el5", "etc/modprobe.conf")],
        |(flavour, path)| {
            let root = recipe(flavour, "BONDING_OPTS=\"mode=1 miimon=100\"\n");
            let before = fs::read_to_string(root.at(path)).unwrap();
            root.exits(0, &["adopt", "bond51", "--yes"]);
            let now = fs::read_to_string(root.at(path)).unwrap();
            let theirs = "options ixgbe foo=1\n";
            fs::write(root.at(path), now + theirs).unwrap();
            root.exits(0, &["rollback", "bond51", "--yes"]);
            assert_eq!(fs::read_to_string(root.at(path)).unwrap(), before + theirs, "{flavour}");
        },
    );
}

/// The driver was loaded before its options were written, and nobody watches the links.
#[test]
fn a_bond_whose_links_nobody_watches_gets_what_was_meant() {
    let root = recipe("el7", "");
    root.set(&json!({"dom0": {"bonds": {"bond51": {"options": {"miimon": 0}}}}}));
    let spec = root.exits(0, &["spec", "bond51"]);
    assert!(
        spec.out.contains("miimon = 100") && spec.out.contains("link monitoring is off"),
        "{spec:?}"
    );
    let since = root.changing().len();
    root.exits(0, &["adopt", "bond51", "--yes"]);
    assert_eq!(links(&root, since), [""; 0]);
    assert_eq!(root.state()["dom0"]["bonds"]["bond51"]["options"]["miimon"], 100);
    root.exits(0, &["rollback", "bond51", "--yes"]);
    assert_eq!(root.state()["dom0"]["bonds"]["bond51"]["options"]["miimon"], 0);
}

#[test]
fn what_cannot_be_taken_over_is_refused_before_anything_is_touched() {
    let root = Root::new("el7", "bridge");
    let none = root.exits(1, &["adopt", "bond51", "--yes"]);
    assert!(none.err.contains("neither the kernel nor a file"), "{none:?}");
    let managed = root.exits(1, &["adopt", "bond0", "--yes"]);
    assert!(managed.err.contains("bond0 is XAPI's own bond"), "{managed:?}");
    root.exits(2, &["adopt", "bond51"]);
    root.apply();
    let ours = root.json(0, &["adopt", "bond51", "--yes"]);
    assert_eq!(ours["result"], "nothing-to-do", "{ours}");
    // The default route of the host goes by a bond that somebody made so.
    let root = recipe("el7", "BONDING_OPTS=\"mode=1 miimon=100\"\n");
    root.set(&json!({"dom0": {"routes": {"default xenbr0": null,
        "default bond51": {"to": "0.0.0.0/0", "dev": "bond51", "via": "172.16.51.1", "metric": 0}}}}));
    let barred = root.exits(1, &["adopt", "bond51", "--yes"]);
    assert!(barred.err.contains("default-route-goes"), "{barred:?}");
    root.exits(0, &["adopt", "bond51", "--yes", "--accept", "default-route-goes"]);
}

#[test]
fn a_bond_that_was_taken_over_is_removed_as_if_it_had_never_been() {
    let root = recipe("el5", "BONDING_OPTS=\"mode=1 miimon=100\"\n");
    root.exits(0, &["adopt", "bond51", "--yes"]);
    root.exits(0, &["remove", "bond51", "--yes"]);
    for name in ["ifcfg-eth2", "ifcfg-eth3", "ifcfg-bond0", "ifcfg-bond51"] {
        assert!(!root.at(&format!("{SCRIPTS}/{name}")).exists(), "{name}");
    }
    assert!(!root.at("proc/net/bonding/bond51").exists());
    let pif = root.state()["pool"]["pifs"]["xen01/eth2"].clone();
    assert_eq!((&pif["managed"], &pif["currently_attached"]), (&json!(true), &json!(true)));
}

/// What made it at a boot goes with it, whoever wrote that, and comes back with a rollback.
#[test]
fn a_bond_made_by_hand_is_removed_for_good_without_being_taken_over() {
    at_once(["el7", "el5"], |flavour| {
        let root = recipe(flavour, "BONDING_OPTS=\"mode=1 miimon=100\"\n");
        let before = root.snapshot();
        root.exits(0, &["remove", "bond51", "--yes"]);
        for name in ["ifcfg-eth2", "ifcfg-eth3", "ifcfg-bond0"] {
            assert!(!root.at(&format!("{SCRIPTS}/{name}")).exists(), "{name}");
        }
        let modprobe =
            if flavour == "el5" { "etc/modprobe.conf" } else { "etc/modprobe.d/nas.conf" };
        let left = fs::read_to_string(root.at(modprobe)).unwrap();
        assert!(!left.contains("bond51") && left.contains("numdummies"), "{left}");
        root.exits(0, &["rollback", "--yes"]);
        before.assert_same(&root, "after the rollback");
        root.exits(0, &["remove", "bond51", "--yes"]);
        root.reboot();
        assert!(!root.at("proc/net/bonding/bond51").exists());
    });
}
