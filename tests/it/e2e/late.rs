//! A rollback long after: what others did meanwhile is theirs, and stays or is kept.

use std::fs;

use super::root::{IFCFG_BOND, Root, with_spec};

const OTHER_BOND: &str = "etc/sysconfig/network-scripts/ifcfg-bond77";
const OTHER_TEXT: &str = "# storage, by hand\nDEVICE=bond77\nONBOOT=no\n";

/// A file in the folder where a rollback saves the work of others.
fn saved(root: &Root, id: &str, name: &str) -> Option<String> {
    fs::read_to_string(root.at("var/lib/xenbond/history").join(id).join("changed-since").join(name))
        .ok()
}

fn id(root: &Root) -> String {
    root.transaction().file_name().unwrap().to_str().unwrap().to_string()
}

#[test]
fn a_line_that_others_added_to_modprobe_conf_stays() {
    let root = Root::new("el5", "bridge");
    let start = root.snapshot();
    let conf = root.at("etc/modprobe.conf");
    let before = fs::read_to_string(&conf).unwrap();
    root.apply();
    let with_ours = fs::read_to_string(&conf).unwrap();
    fs::write(&conf, format!("alias eth7 e1000\n{with_ours}options e1000 debug=1\n")).unwrap();
    let run = root.exits(0, &["rollback", "--yes"]);
    assert!(run.err.contains("/etc/modprobe.conf"), "{run:?}");
    let after = fs::read_to_string(&conf).unwrap();
    assert_eq!(after, format!("alias eth7 e1000\n{before}options e1000 debug=1\n"));
    let differences = start.differences(&root.snapshot());
    assert!(differences.lines().all(|l| l.starts_with("etc/modprobe.conf")), "{differences}");
}

#[test]
fn our_block_that_others_took_out_of_modprobe_conf_is_not_missed() {
    let root = Root::new("el5", "bridge");
    root.apply();
    fs::write(root.at("etc/modprobe.conf"), "alias eth7 e1000\n").unwrap();
    root.exits(0, &["rollback", "--yes"]);
    let after = fs::read_to_string(root.at("etc/modprobe.conf")).unwrap();
    assert_eq!(after, "alias eth7 e1000\n");
}

#[test]
fn a_bond_file_that_was_edited_is_saved_and_named() {
    let root = Root::new("el7", "bridge");
    let start = root.snapshot();
    root.apply();
    let id = id(&root);
    let edited = fs::read_to_string(root.at(IFCFG_BOND)).unwrap() + "DNS1=172.16.51.1\n";
    fs::write(root.at(IFCFG_BOND), &edited).unwrap();
    let run = root.exits(0, &["rollback", "--yes"]);
    let name = "etc_sysconfig_network-scripts_ifcfg-bond51";
    assert_eq!(saved(&root, &id, name).as_deref(), Some(edited.as_str()));
    assert!(run.err.contains("ifcfg-bond51") && run.err.contains("changed-since"), "{run:?}");
    start.assert_same(&root, "after the rollback");
    assert_eq!(root.own_files(), ["history", "lock"]);
}

#[test]
fn a_file_of_ours_that_was_removed_by_hand_is_no_obstacle() {
    let root = Root::new("el7", "bridge");
    let start = root.snapshot();
    root.apply();
    fs::remove_file(root.at(IFCFG_BOND)).unwrap();
    root.exits(5, &["verify"]);
    root.exits(0, &["rollback", "--yes"]);
    start.assert_same(&root, "after the rollback");
}

/// On el5 the switch script deletes every `ifcfg` file.
fn with_another_bond() -> Root {
    let root = Root::new("el5", "openvswitch");
    fs::write(root.at(OTHER_BOND), OTHER_TEXT).unwrap();
    root
}

#[test]
fn a_file_of_others_that_the_switch_script_deletes_is_put_back() {
    let root = with_another_bond();
    let start = root.snapshot();
    root.exits(6, &with_spec(&["apply", "--yes"]));
    assert_eq!(fs::read_to_string(root.at(OTHER_BOND)).unwrap(), OTHER_TEXT);
    root.reboot();
    root.exits(0, &["resume"]);
    assert_eq!(fs::read_to_string(root.at(OTHER_BOND)).unwrap(), OTHER_TEXT);
    root.exits(6, &["rollback", "--yes"]);
    assert_eq!(fs::read_to_string(root.at(OTHER_BOND)).unwrap(), OTHER_TEXT);
    root.reboot();
    root.exits(0, &["resume"]);
    start.assert_same(&root, "after the rollback");
}

#[test]
fn a_file_of_others_that_changed_since_must_be_accepted() {
    let root = with_another_bond();
    root.exits(6, &with_spec(&["apply", "--yes"]));
    root.reboot();
    root.exits(0, &["resume"]);
    let newer = format!("{OTHER_TEXT}MTU=9000\n");
    fs::write(root.at(OTHER_BOND), &newer).unwrap();
    let added = root.at("etc/sysconfig/network-scripts/ifcfg-bond78");
    fs::write(&added, OTHER_TEXT).unwrap();
    let stands = root.snapshot();
    let run = root.exits(1, &["rollback", "--yes"]);
    assert!(run.err.contains("ifcfg-bond77") && run.err.contains("file-changed"), "{run:?}");
    stands.assert_same(&root, "refused");
    root.exits(6, &["rollback", "--yes", "--accept", "file-changed"]);
    assert_eq!(fs::read_to_string(root.at(OTHER_BOND)).unwrap(), newer);
    root.reboot();
    root.exits(0, &["resume"]);
    assert_eq!(fs::read_to_string(root.at(OTHER_BOND)).unwrap(), newer);
    assert_eq!(fs::read_to_string(&added).unwrap(), OTHER_TEXT, "a file made since is gone");
    assert!(!root.at(IFCFG_BOND).exists());
}
