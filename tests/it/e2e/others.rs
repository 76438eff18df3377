//! What others do between reading and doing, and between a change and its rollback: it is noticed,
//! and neither lost nor in the way.

use std::fs;

use serde_json::json;

use super::life::SECOND;
use super::root::{IFCFG_BOND, Root, at_once, with_spec};

const ETH2: &str = "etc/sysconfig/network-scripts/ifcfg-eth2";

#[test]
fn a_line_added_to_modprobe_conf_before_the_reboot_stays() {
    let root = Root::new("el5", "openvswitch");
    root.exits(6, &with_spec(&["apply", "--yes"]));
    let conf = root.at("etc/modprobe.conf");
    let edited = fs::read_to_string(&conf).unwrap() + "options e1000 debug=1\n";
    fs::write(&conf, &edited).unwrap();
    root.reboot();
    root.exits(0, &["resume"]);
    let text = fs::read_to_string(&conf).unwrap();
    assert!(text.contains("debug=1") && text.contains("alias bond51 bonding"), "{text}");
    root.exits(0, &["verify"]);
}

#[test]
fn a_file_made_before_the_reboot_is_not_written_over() {
    let root = Root::new("el7", "openvswitch");
    root.exits(6, &with_spec(&["apply", "--yes"]));
    let theirs = "DEVICE=eth2\nONBOOT=no\nETHTOOL_OPTS=\"wol g\"\n";
    fs::write(root.at(ETH2), theirs).unwrap();
    root.reboot();
    let run = root.exits(6, &["resume"]);
    assert!(run.err.contains("ifcfg-eth2 was changed by somebody"), "{run:?}");
    root.reboot();
    root.exits(3, &["resume"]);
    assert_eq!(fs::read_to_string(root.at(ETH2)).unwrap(), theirs);
}

#[test]
fn cards_that_were_swapped_over_the_reboot_are_noticed_before_xapi_is_touched() {
    let root = Root::new("el7", "openvswitch");
    root.exits(6, &with_spec(&["apply", "--yes"]));
    let other = "00:1b:21:0a:01:77";
    root.set(&json!({
        "dom0": {"nics": {"eth2": {"mac": other, "permanent_mac": other}}},
        "pool": {"pifs": {"xen01/eth2": {"mac": other}}},
    }));
    root.reboot();
    let run = root.exits(6, &["resume"]);
    assert!(run.err.contains("another card"), "{run:?}");
    assert!(!root.changing().iter().any(|c| c.contains("pif-forget")), "{:?}", root.changing());
}

#[test]
fn the_lines_of_a_bond_in_modprobe_conf_come_back_beside_newer_ones_of_others() {
    let root = Root::new("el5", "bridge");
    root.apply();
    root.exits(0, &with_spec(&["apply", "--yes", "--mode", "balance-xor"]));
    let conf = root.at("etc/modprobe.conf");
    let edited = fs::read_to_string(&conf).unwrap() + "options e1000 debug=1\n";
    fs::write(&conf, edited).unwrap();
    root.exits(0, &["rollback", "--yes"]);
    let text = fs::read_to_string(&conf).unwrap();
    assert!(text.contains("options e1000 debug=1\n"), "{text}");
    assert!(text.contains("options bond51 mode=active-backup"), "{text}");
    root.exits(0, &["verify"]);
}

#[test]
fn a_file_of_others_that_changes_while_a_rollback_waits_for_its_reboot_is_theirs() {
    let root = Root::new("el7", "openvswitch");
    let path = root.at("etc/sysconfig/network-scripts/ifcfg-br7");
    fs::write(&path, "DEVICE=br7\nONBOOT=no\n").unwrap();
    root.exits(6, &with_spec(&["apply", "--yes"]));
    root.reboot();
    root.exits(0, &["resume"]);
    root.exits(6, &["rollback", "--yes"]);
    fs::write(&path, "DEVICE=br7\nONBOOT=no\nNOTE=2\n").unwrap();
    root.reboot();
    root.exits(0, &["resume"]);
    assert!(fs::read_to_string(&path).unwrap().contains("NOTE=2"));
}

#[test]
fn a_gateway_that_changed_since_holds_up_no_rollback() {
    let root = Root::new("el7", "bridge");
    root.apply();
    root.set(&json!({"dom0": {"routes": {"default xenbr0":
        {"to": "0.0.0.0/0", "dev": "xenbr0", "via": "10.20.0.254", "metric": 0}}}}));
    let run = root.exits(0, &["rollback", "--yes"]);
    assert!(run.err.contains("default route") && run.err.contains("left as it is"), "{run:?}");
    assert!(!root.at(IFCFG_BOND).exists());
    root.exits(0, &with_spec(&["apply", "--yes"]));
}

#[test]
fn a_management_that_moved_since_is_named_and_holds_up_no_rollback() {
    let backends = ["bridge", "openvswitch"].into_iter();
    let cases = backends.flat_map(|backend| [false, true].map(|interface| (backend, interface)));
    at_once(cases, |(backend, interface)| {
        let root = Root::new("el7", backend);
        let reboots = backend == "openvswitch";
        root.exits(if reboots { 6 } else { 0 }, &with_spec(&["apply", "--yes"]));
        if reboots {
            root.reboot();
            root.exits(0, &["resume"]);
        }
        let said = if interface {
            // As `xe host-management-reconfigure` leaves it.
            let path = root.at("etc/xensource-inventory");
            let text = fs::read_to_string(&path).unwrap();
            fs::write(&path, text.replace("E='xenbr0'", "E='xenbr1'")).unwrap();
            "management interface: was xenbr0, is xenbr1"
        } else {
            root.set(&json!({"dom0": {"addresses": {"xenbr0": ["10.20.0.77/24"]}}}));
            "management address on xenbr0: was 10.20.0.11/24, is 10.20.0.77/24"
        };
        let said = format!("not by this change, left as it is: {said}\n");
        let run = root.exits(if reboots { 6 } else { 0 }, &["rollback", "--yes"]);
        assert!(run.err.contains(&said), "{run:?}");
        if reboots {
            root.reboot();
            // A boot of the model gives it what it had.
            let run = root.exits(0, &["resume"]);
            assert!(!interface || run.err.contains(&said), "{run:?}");
        }
        root.exits(0, &["status"]);
    });
}

#[test]
fn a_backend_that_others_switched_since_holds_up_no_rollback() {
    let root = Root::new("el7", "bridge");
    root.apply();
    let script = root.at("opt/xensource/bin/xe-switch-network-backend");
    let switched = std::process::Command::new(script).arg("openvswitch").output().unwrap();
    assert!(switched.status.success(), "{switched:?}");
    root.reboot();
    let run = root.exits(0, &["rollback", "--yes"]);
    assert!(
        run.err.contains("not by this change") && run.err.contains("running backend"),
        "{run:?}"
    );
    assert!(run.err.contains("eth2 master"), "{run:?}");
    assert_eq!(root.json(0, &["rollback", "--yes"])["result"], "nothing-to-do");
}

#[test]
fn a_card_that_was_replaced_since_holds_up_no_rollback() {
    for reboots in [false, true] {
        let root = Root::new("el7", "bridge");
        root.apply();
        let other = "00:1b:21:0a:09:03";
        root.set(&json!({"dom0": {"nics": {"eth3": {"mac": other, "permanent_mac": other}}}}));
        if reboots {
            root.reboot();
        }
        let run = root.exits(0, &["rollback", "--yes"]);
        assert_eq!(run.err.matches("eth3 is another card now").count(), 1, "{run:?}");
        assert!(!run.err.contains("not by this change"), "{run:?}");
        let state = root.state();
        assert_eq!(state["pool"]["pifs"]["xen01/eth2"]["managed"], json!(true));
    }
}

#[test]
fn what_others_set_in_a_record_that_was_not_forgotten_yet_stays() {
    let root = Root::new("el7", "bridge");
    let uuid = root.state()["pool"]["pifs"]["xen01/eth3"]["uuid"].as_str().unwrap().to_string();
    root.wrap(
        "opt/xensource/bin/xe",
        &format!("if [ \"$1\" = pif-unplug ] && [ ! -e \"$root/.dom0/once\" ]; then touch \"$root/.dom0/once\"; \"$real\" pif-param-set uuid={uuid} other-config:theirs=1; fi; exec \"$real\" \"$@\""),
    );
    let run = root.exits(3, &with_spec(&["apply", "--yes"]));
    assert!(run.err.contains("other-config:theirs: was not set, is 1"), "{run:?}");
    assert!(!run.err.contains("IpSettings"), "{run:?}");
    let pif = root.state()["pool"]["pifs"]["xen01/eth3"].clone();
    assert_eq!((&pif["other_config"]["theirs"], &pif["uuid"]), (&json!("1"), &json!(uuid)));
}

#[test]
fn what_others_put_on_the_bond_is_named_before_it_goes() {
    let root = Root::new("el7", "bridge");
    root.apply();
    root.set(&json!({"dom0": {"devices": {"nas60": {"kind": "vlan", "mac": "00:1b:21:0a:01:02",
        "mtu": 1500, "up": true, "master": null, "below": "bond51", "tag": 60}}}}));
    let named = "bond-carries-more: nas60 (VLAN 60) lies on bond51";
    let run = root.exits(0, &["rollback", "--dry-run"]);
    assert!(run.out.contains(named), "{run:?}");
    let run = root.exits(0, &["remove", "bond51", "--yes"]);
    assert!((run.out + &run.err).contains(named));
    root.exits(0, &["rollback", "--yes"]);
    let run = root.exits(0, &["rollback", "bond51", "--yes"]);
    assert!((run.out + &run.err).contains("Rolled back"));
}

#[test]
fn a_nic_that_was_up_is_up_again() {
    let unmanaged = json!({"managed": false, "currently_attached": false});
    let up = json!({"master": null, "up": true});
    let root = Root::patched(
        "el7",
        "bridge",
        &json!({
            "pool": {"pifs": {"xen01/eth2": unmanaged, "xen01/eth3": unmanaged}},
            "dom0": {"devices": {"xenbr2": null, "xenbr3": null}, "nics": {"eth2": up, "eth3": up}},
        }),
    );
    let flags = || fs::read_to_string(root.at("sys/class/net/eth2/flags")).unwrap();
    let before = flags();
    root.apply();
    root.exits(0, &["rollback", "--yes"]);
    assert_eq!(flags(), before);
}

#[test]
fn an_apply_ends_no_rollback() {
    let root = Root::new("el7", "bridge");
    root.apply();
    root.lie("xe pif-introduce", "fails", 9, 0);
    let run = root.exits(4, &["rollback", "--yes"]);
    assert!(run.err.contains("xe pif-introduce"), "{run:?}");
    root.lies_no_more();
    let run = root.exits(1, &with_spec(&["apply", "--yes"]));
    assert!(run.err.contains("xenbond rollback finishes it"), "{run:?}");
    root.exits(0, &["rollback", "--yes"]);
}

#[test]
fn a_rollback_that_cannot_come_to_its_end_is_closed_with_what_is_left() {
    let root = Root::new("el7", "bridge");
    root.apply();
    root.lie("xe pif-introduce", "fails", 99, 0);
    let left = root.json(4, &["rollback", "--yes"])["left"].clone();
    let commands: Vec<&str> =
        left.as_array().unwrap().iter().map(|l| l["command"].as_str().unwrap()).collect();
    assert!(commands.iter().any(|c| c.starts_with("xe pif-introduce")), "{commands:?}");
    let ran = root.changing().len();
    let closed = root.json(0, &["rollback", "--close", "--yes"]);
    assert_eq!((&closed["result"], &closed["left"]), (&json!("closed"), &left));
    assert_eq!(root.changing().len(), ran, "closing tried something");
    root.lies_no_more();
    let next = root.xenbond(SECOND);
    assert!(!next.err.contains("transaction-open"), "{next:?}");
}

#[test]
fn a_rollback_is_tried_again_where_nobody_answered() {
    let root = Root::new("el7", "bridge");
    let start = root.snapshot();
    root.apply();
    let real = root.at("opt/xensource/bin/xe");
    let aside = root.at(".dom0/xe");
    fs::rename(&real, &aside).unwrap();
    let once = root.at(".dom0/once");
    let script = format!(
        "#!/bin/sh\nif [ \"$1\" = pif-introduce ] && [ ! -e {once} ]; then touch {once}; echo 'Lost connection to the server.' >&2; exit 1; fi\nexec {xe} \"$@\"\n",
        once = once.display(),
        xe = aside.display(),
    );
    fs::write(&real, script).unwrap();
    fs::set_permissions(&real, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    root.exits(0, &["rollback", "--yes"]);
    assert!(once.exists());
    fs::remove_file(&real).unwrap();
    fs::rename(&aside, &real).unwrap();
    start.assert_same(&root, "after the rollback");
}
