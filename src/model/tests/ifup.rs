//! `ifup` and `ifdown`.

use super::{BOTH, Dom0};
use crate::model::state::{Backend, Flavour};

const OPTS: &str = "mode=active-backup miimon=100";

fn bonded(flavour: Flavour, opts: &str) -> Dom0 {
    let dom0 = Dom0::new(flavour, Backend::Bridge);
    dom0.prepared(opts);
    dom0
}

fn slaves(dom0: &Dom0) -> String {
    dom0.sysfs("bond51/bonding/slaves")
}

#[test]
fn a_good_bond_comes_up() {
    for flavour in BOTH {
        let dom0 = bonded(flavour, OPTS);
        dom0.ok("ifup bond51");
        assert_eq!(slaves(&dom0), "eth2 eth3");
        assert_eq!(dom0.sysfs("bond51/bonding/mode"), "active-backup 1");
        assert_eq!(dom0.sysfs("bond51/bonding/active_slave"), "eth2");
        assert_eq!(dom0.sysfs("bond51/operstate"), "up");
        assert_eq!(dom0.sysfs("eth3/address"), "00:1b:21:0a:01:02");
        assert!(
            dom0.read("proc/net/bonding/bond51").contains("Permanent HW addr: 00:1b:21:0a:01:03\n")
        );
        assert!(dom0.read("proc/net/fib_trie").contains("|-- 172.16.51.11\n"));
        assert!(
            dom0.read("proc/net/route")
                .contains("bond51\t003310AC\t00000000\t0001\t0\t0\t0\t00FFFFFF")
        );
        assert!(dom0.model.state().dom0.executed.is_empty());
    }
}

#[test]
fn a_target_that_is_a_part_of_one_before_it_is_left_out() {
    for flavour in BOTH {
        for (given, set) in [
            ("172.16.51.20,172.16.51.2", "172.16.51.20"),
            ("172.16.51.2,172.16.51.20", "172.16.51.2 172.16.51.20"),
            ("192.1.203.4,1.2.3.4", "192.1.203.4"),
        ] {
            let opts =
                format!("mode=active-backup miimon=0 arp_interval=500 arp_ip_target={given}");
            let dom0 = bonded(flavour, &opts);
            dom0.ok("ifup bond51");
            assert_eq!(dom0.sysfs("bond51/bonding/arp_ip_target"), set, "{flavour:?}");
        }
    }
}

#[test]
fn a_held_nic_is_silently_not_taken() {
    for flavour in BOTH {
        let dom0 = Dom0::new(flavour, Backend::Bridge);
        dom0.prepared(OPTS);
        let me = dom0.model.state().pool.hosts["xen01"].uuid.clone();
        let uuid = dom0.ok(&format!("xe pif-introduce host-uuid={me} device=eth3"));
        dom0.ok(&format!("xe pif-plug uuid={}", uuid.trim()));
        let (status, out, err) = dom0.run("ifup bond51");
        assert_eq!((status, out.as_str(), err.as_str()), (0, "", ""));
        assert_eq!(slaves(&dom0), "eth2");
    }
}

#[test]
fn a_mode_that_is_refused_still_exits_0_in_the_drivers_default() {
    for (flavour, opts) in [
        (Flavour::El5, "mode=Active-Backup miimon=100"),
        (Flavour::El7, "mode=Active-Backup miimon=100"),
    ] {
        let dom0 = bonded(flavour, opts);
        let (status, out, err) = dom0.run("ifup bond51");
        assert_eq!(status, 0);
        assert_eq!(dom0.sysfs("bond51/bonding/mode"), "balance-slb 7");
        match flavour {
            Flavour::El5 => assert!(err.contains("echo: write error: Invalid argument"), "{err}"),
            Flavour::El7 => assert_eq!(
                out.matches("Failed to set value 'Active-Backup' [mode] to bond51 bonding device")
                    .count(),
                3,
                "{out}"
            ),
        }
    }
    let dom0 = Dom0::altered(Flavour::El7, Backend::Bridge, |s| {
        s.dom0.features.slb = false;
        s.dom0.features.slb_default = false;
    });
    dom0.prepared("mode=7 miimon=100");
    dom0.ok("ifup bond51");
    assert_eq!(dom0.sysfs("bond51/bonding/mode"), "balance-rr 0");
    assert!(!dom0.ok("modinfo bonding").contains("balance-slb"));
}

#[test]
fn el5_writes_options_in_the_given_order_and_el7_mode_and_miimon_first() {
    for (flavour, rate, delay) in [(Flavour::El5, "slow 0", "0"), (Flavour::El7, "fast 1", "200")] {
        let dom0 = bonded(flavour, "lacp_rate=1 updelay=200 mode=4 miimon=100");
        dom0.ok("ifup bond51");
        assert_eq!(dom0.sysfs("bond51/bonding/lacp_rate"), rate);
        assert_eq!(dom0.sysfs("bond51/bonding/updelay"), delay);
    }
}

#[test]
fn master_lines_are_matched_with_each_generations_quotes() {
    // (text of the MASTER line, found by el5, found by el7)
    let cases = [
        ("MASTER=bond51", true, true),
        ("MASTER=\"bond51\"", true, true),
        ("MASTER='bond51'", false, true),
        ("  MASTER=bond51 # x", true, true),
        ("export MASTER=bond51", false, false),
        ("MASTER=bond5", false, false),
        ("MASTER=bond511", false, false),
    ];
    for (line, old, new) in cases {
        for (flavour, want) in [(Flavour::El5, old), (Flavour::El7, new)] {
            let dom0 = bonded(flavour, OPTS);
            dom0.ifcfg("eth3", &format!("DEVICE=eth3\n{line}\nSLAVE=yes\n"));
            dom0.ok("ifup bond51");
            assert_eq!(slaves(&dom0).contains("eth3"), want, "{flavour:?} {line}");
        }
    }
}

#[test]
fn slave_must_be_exactly_yes() {
    for flavour in BOTH {
        let dom0 = bonded(flavour, OPTS);
        dom0.ifcfg("eth3", "DEVICE=eth3\nMASTER=bond51\nSLAVE=YES\n");
        dom0.ok("ifup bond51");
        assert_eq!(slaves(&dom0), "eth2");
    }
}

#[test]
fn backups_with_foreign_suffixes_are_used() {
    for (suffix, old, new) in
        [(".bak", false, false), (".old", true, false), (".save", true, true), ("~", false, false)]
    {
        for (flavour, want) in [(Flavour::El5, old), (Flavour::El7, new)] {
            let dom0 = bonded(flavour, OPTS);
            std::fs::remove_file(dom0.root().join("etc/sysconfig/network-scripts/ifcfg-eth3"))
                .expect("there");
            dom0.ifcfg(&format!("eth3{suffix}"), "DEVICE=eth3\nMASTER=bond51\nSLAVE=yes\n");
            dom0.ok("ifup bond51");
            assert_eq!(slaves(&dom0).contains("eth3"), want, "{flavour:?} {suffix}");
        }
    }
    let dom0 = bonded(Flavour::El5, OPTS);
    dom0.ifcfg("eth4-backup", "DEVICE=eth4\nMASTER=bond51\nSLAVE=yes\n");
    assert!(dom0.ok("ifup bond51").contains("Missing config file ifcfg-eth4."));
}

#[test]
fn a_wrong_hwaddr_is_ignored_by_el7_and_renames_on_el5() {
    let text = "DEVICE=eth3\nHWADDR=00:1B:21:0A:01:05\nMASTER=bond51\nSLAVE=yes\n";
    let free = |dom0: &Dom0| {
        dom0.model.change(|s| {
            s.pool.bonds.clear();
            s.pool.pifs.remove("xen01/bond0");
            s.dom0.delete_bond("bond0");
        });
    };
    let dom0 = bonded(Flavour::El7, OPTS);
    free(&dom0);
    dom0.ifcfg("eth3", text);
    let out = dom0.ok("ifup bond51");
    assert!(
        out.contains("Device eth3 has different MAC address than expected, ignoring."),
        "{out}"
    );
    assert!(out.contains("Unable to start slave device ifcfg-eth3 for master bond51."), "{out}");
    assert_eq!(slaves(&dom0), "eth2");

    let dom0 = bonded(Flavour::El5, OPTS);
    free(&dom0);
    dom0.ifcfg("eth3", text);
    dom0.ok("ifup bond51");
    assert_eq!(dom0.model.state().dom0.nics["eth3"].permanent_mac, "00:1b:21:0a:01:05");
    assert!(!dom0.model.state().dom0.nics.contains_key("eth5"));
}

#[test]
fn a_second_ifup_does_no_harm_but_complains_of_hwaddr() {
    for flavour in BOTH {
        let dom0 = bonded(flavour, OPTS);
        for (nic, n) in [("eth2", 2), ("eth3", 3)] {
            dom0.ifcfg(
                nic,
                &format!("DEVICE={nic}\nHWADDR=00:1b:21:0a:01:0{n}\nMASTER=bond51\nSLAVE=yes\n"),
            );
        }
        dom0.ok("ifup bond51");
        let (status, out, err) = dom0.run("ifup bond51");
        assert_eq!(status, 0);
        assert!(
            out.contains("Device eth3 has different MAC address than expected, ignoring."),
            "{out}"
        );
        assert_eq!(err.contains("Directory not empty"), flavour == Flavour::El5, "{err}");
        assert_eq!(
            (slaves(&dom0).as_str(), dom0.sysfs("bond51/operstate").as_str()),
            ("eth2 eth3", "up")
        );
    }
}

#[test]
fn without_a_mask_the_class_decides() {
    let dom0 = bonded(Flavour::El7, OPTS);
    dom0.ifcfg("bond51", "DEVICE=bond51\nIPADDR=10.51.0.11\nBONDING_OPTS=\"mode=1\"\n");
    dom0.ok("ifup bond51");
    let dom0 = dom0.model.state().dom0;
    assert!(dom0.addresses["bond51"].contains("10.51.0.11/8"));
    assert!(dom0.routes.contains_key("169.254.0.0/16 bond51"), "no NOZEROCONF");
}

#[test]
fn a_gateway_takes_the_default_route_and_ifdown_leaves_none() {
    for flavour in BOTH {
        let dom0 = bonded(flavour, OPTS);
        let text = dom0.read("etc/sysconfig/network-scripts/ifcfg-bond51");
        dom0.ifcfg("bond51", &format!("{text}GATEWAY=172.16.51.1\n"));
        dom0.ok("ifup bond51");
        assert_eq!(
            dom0.model.state().dom0.routes["default bond51"].via.as_deref(),
            Some("172.16.51.1")
        );
        assert!(!dom0.model.state().dom0.routes.contains_key("default xenbr0"));
        dom0.ok("ifdown bond51");
        assert!(!dom0.model.state().dom0.routes.values().any(|r| r.to == "0.0.0.0/0"));
    }
}

#[test]
fn a_duplicate_address_leaves_the_bond_up_without_one() {
    for flavour in BOTH {
        let dom0 = bonded(flavour, OPTS);
        dom0.model.change(|s| {
            drop(s.dom0.wire.answers.insert("172.16.51.11".into(), "00:50:56:00:00:09".into()))
        });
        let (status, out, _) = dom0.run("ifup bond51");
        assert_eq!(status, 1);
        assert!(out.contains("already uses address 172.16.51.11."), "{out}");
        assert_eq!(
            (slaves(&dom0).as_str(), dom0.sysfs("bond51/operstate").as_str()),
            ("eth2 eth3", "up")
        );
        assert!(!dom0.read("proc/net/fib_trie").contains("172.16.51.11"));
    }
}

#[test]
fn without_a_link_everything_seems_well() {
    let dom0 = bonded(Flavour::El7, OPTS);
    dom0.link("eth2", false);
    dom0.link("eth3", false);
    dom0.ok("ifup bond51");
    assert_eq!(dom0.sysfs("bond51/operstate"), "down");
    assert!(dom0.read("proc/net/fib_trie").contains("|-- 172.16.51.11\n"));
}

#[test]
fn ifdown_leaves_the_device_and_its_mode() {
    for flavour in BOTH {
        let dom0 = bonded(flavour, OPTS);
        dom0.ok("ifup bond51");
        dom0.ok("ifdown bond51");
        assert_eq!(
            (slaves(&dom0).as_str(), dom0.sysfs("bond51/bonding/mode").as_str()),
            ("", "active-backup 1")
        );
        assert_eq!(dom0.sysfs("eth3/address"), "00:1b:21:0a:01:03");
        assert_ne!(dom0.sysfs("bond51/address"), "00:1b:21:0a:01:02");
        dom0.ok("ip link delete dev bond51");
        assert!(!dom0.exists("sys/class/net/bond51") && !dom0.exists("proc/net/bonding/bond51"));
        assert_eq!(dom0.bad("ip link delete dev bond51"), "Cannot find device \"bond51\"\n");
    }
}

#[test]
fn ifdown_of_a_bond_whose_file_has_another_name_takes_down_a_slave_only() {
    for flavour in BOTH {
        let dom0 = bonded(flavour, OPTS);
        let folder = dom0.root().join("etc/sysconfig/network-scripts");
        std::fs::rename(folder.join("ifcfg-bond51"), folder.join("ifcfg-bond0")).expect("renamed");
        dom0.ifcfg("eth2", "DEVICE=eth2\nHWADDR=00:1b:21:0a:01:02\nMASTER=bond51\nSLAVE=yes\n");
        dom0.ok("ifup bond51");
        assert_eq!(slaves(&dom0), "eth2 eth3");
        dom0.ok("ifdown bond51");
        assert_eq!(slaves(&dom0), "eth3");
    }
}

#[test]
fn el5_puts_back_a_saved_resolv_conf_and_starts_a_second_ifup_by_hotplug() {
    for (peerdns, want) in
        [("", "nameserver 192.0.2.1\n"), ("PEERDNS=no\nHOTPLUG=no\n", "nameserver 10.20.0.2\n")]
    {
        let dom0 = bonded(Flavour::El5, OPTS);
        dom0.write("etc/resolv.conf.save", "nameserver 192.0.2.1\n");
        for name in ["eth2", "eth3", "bond51"] {
            let text = dom0.read(&format!("etc/sysconfig/network-scripts/ifcfg-{name}"));
            dom0.ifcfg(name, &format!("{text}{peerdns}"));
        }
        dom0.ok("ifup bond51");
        let noted = dom0.model.state().dom0.dmesg.iter().any(|l| l.contains("IN_HOTPLUG=1"));
        assert_eq!(noted, peerdns.is_empty());
        dom0.ok("ifdown bond51");
        assert_eq!(dom0.read("etc/resolv.conf"), want);
    }
}

#[test]
fn two_files_for_one_device_are_as_good_as_none() {
    let dom0 = Dom0::new(Flavour::El7, Backend::Bridge);
    for name in ["a", "b"] {
        dom0.ifcfg(name, "DEVICE=bond51\nBONDING_OPTS=\"mode=1\"\n");
    }
    assert_eq!(
        dom0.bad("ifup bond51"),
        "/sbin/ifup: configuration for bond51 not found.\nUsage: ifup <device name>\n"
    );
}

#[test]
fn a_file_with_dos_line_ends_leaves_a_stray_bond() {
    for flavour in BOTH {
        let dom0 = bonded(flavour, OPTS);
        let text = dom0.read("etc/sysconfig/network-scripts/ifcfg-bond51").replace('\n', "\r\n");
        dom0.ifcfg("bond51", &text);
        let (status, out, _) = dom0.run("ifup bond51");
        assert!(status == 1 && out.contains("does not seem to be present"), "{status} {out}");
        assert_eq!(dom0.sysfs("bond51/bonding/mode"), "balance-slb 7");
    }
}

#[test]
fn what_a_shell_would_run_is_noted() {
    let dom0 = bonded(Flavour::El7, OPTS);
    dom0.ifcfg("bond51", "DEVICE=bond51\nIPADDR=$(touch /tmp/x)\nX=\"`id`\"\nBONDING_OPTS=mode=1 miimon=100\nFOO=1 reboot now\n");
    dom0.run("ifup bond51");
    let state = dom0.model.state().dom0;
    for want in ["touch /tmp/x", "id", "reboot now"] {
        assert!(state.executed.iter().any(|e| e == want), "{:?}", state.executed);
    }
    assert_eq!(state.bonds["bond51"].option("miimon"), 0, "unquoted options end at the blank");
}

#[test]
fn a_slave_alone_makes_the_bond_on_el7_and_nothing_on_el5() {
    for flavour in BOTH {
        let dom0 = bonded(flavour, OPTS);
        dom0.ok("ifup eth2");
        assert_eq!(dom0.exists("sys/class/net/bond51"), flavour == Flavour::El7);
        assert_eq!(
            dom0.sysfs("bond51/operstate"),
            if flavour == Flavour::El7 { "down" } else { "" }
        );
    }
}

#[test]
fn old_scripts_hand_ethtool_the_link_alone_and_newer_ones_several_settings() {
    let opts = "speed 1000 duplex full autoneg off; -G eth2 rx 4096; -K eth2 gso off";
    for flavour in BOTH {
        let dom0 = Dom0::new(flavour, Backend::Bridge);
        dom0.prepared("mode=1 miimon=100");
        let file = "etc/sysconfig/network-scripts/ifcfg-eth2";
        dom0.write(file, &format!("{}ETHTOOL_OPTS=\"{opts}\"\n", dom0.read(file)));
        dom0.ok("ifup bond51");
        let tuning = dom0.model.state().dom0.nics["eth2"].tuning.clone();
        let set = |key: &str| tuning.get(key).map(String::as_str);
        let new = flavour == Flavour::El7;
        assert_eq!(set("-s speed"), new.then_some("1000"), "el5 hands all of it to one `-s`");
        assert_eq!(set("-G rx"), new.then_some("4096"));
        assert_eq!(set("-K gso"), new.then_some("off"));
        dom0.write(file, &dom0.read(file).replace(opts, "speed 1000 duplex full autoneg off"));
        dom0.ok("ifup bond51");
        assert_eq!(dom0.sysfs("eth2/speed"), "1000");
        assert!(dom0.ok("ethtool eth2").contains("Speed: 1000Mb/s\n"));
        assert_eq!(dom0.sysfs("eth3/speed"), "10000");
    }
}

#[test]
fn ethtool_sets_what_the_driver_takes_until_it_is_loaded_anew() {
    let dom0 = Dom0::new(Flavour::El7, Backend::Bridge);
    let rings =
        |dom0: &Dom0| dom0.ok("ethtool -g eth2").split_once("Current").unwrap().1.to_string();
    assert!(rings(&dom0).contains("RX:\t\t512\n"));
    dom0.ok("ethtool -G eth2 rx 4096 tx 1024");
    assert!(rings(&dom0).contains("RX:\t\t4096\nTX:\t\t1024\n"));
    let (status, _, err) = dom0.run("ethtool -G eth2 rx 8192");
    assert!(status > 1 && err.contains("Invalid argument"), "{status} {err}");
    let (status, _, err) = dom0.run("ethtool -K eth2 lro on");
    assert!(status > 1 && err.contains("Invalid argument"), "{status} {err}");
    assert!(dom0.bad("ethtool -K eth2 grow on").contains("bad command line"));
    let (status, _, err) = dom0.run("ethtool -g eth9");
    assert!(status > 1 && err.contains("No such device"), "{status} {err}");
    dom0.ok("ethtool -A eth2 rx off");
    assert!(dom0.ok("ethtool -a eth2").contains("Autonegotiate:\t\toff\nRX:\t\toff\nTX:\t\ton\n"));
    assert!(dom0.ok("ethtool -k eth2").contains("large-receive-offload: off [fixed]\n"));
    dom0.model.reboot().expect("up again");
    assert!(rings(&dom0).contains("RX:\t\t512\n"), "a boot loads the driver anew");
}
