//! The bonding driver, its module and its configuration, and the kernel's files.

use super::{BOTH, Dom0};
use crate::model::state::{Backend, Flavour};

/// A host without managed bonds, so that the driver is not loaded yet.
fn without_bonds(flavour: Flavour) -> Dom0 {
    let dom0 = Dom0::altered(flavour, Backend::Bridge, |s| {
        s.dom0.delete_bond("bond0");
        s.dom0.modules.remove("bonding");
        s.pool.bonds.clear();
        s.pool.pifs.retain(|k, _| !k.ends_with("bond0"));
    });
    assert!(!dom0.exists("proc/net/bonding"));
    dom0
}

fn conf(flavour: Flavour) -> &'static str {
    if flavour == Flavour::El5 { "etc/modprobe.conf" } else { "etc/modprobe.d/bond51.conf" }
}

#[test]
fn options_lines_count_only_when_the_driver_is_first_loaded() {
    for flavour in BOTH {
        let text =
            "alias bond51 bonding\noptions bond51 mode=1 miimon=100\noptions bonding max_bonds=0\n";
        let file = "DEVICE=bond51\nIPADDR=172.16.51.11\nNETMASK=255.255.255.0\n";
        for loaded in [false, true] {
            let dom0 =
                if loaded { Dom0::new(flavour, Backend::Bridge) } else { without_bonds(flavour) };
            dom0.write(conf(flavour), text);
            dom0.ifcfg("bond51", file);
            dom0.ok("ifup bond51");
            let want = if loaded { ("balance-slb 7", "0") } else { ("active-backup 1", "100") };
            let have = (dom0.sysfs("bond51/bonding/mode"), dom0.sysfs("bond51/bonding/miimon"));
            assert_eq!((have.0.as_str(), have.1.as_str()), want);
            assert_eq!(dom0.exists("sys/class/net/bond0"), loaded);
        }
    }
}

#[test]
fn a_driver_loaded_without_max_bonds_makes_a_stray_bond0() {
    let dom0 = without_bonds(Flavour::El7);
    dom0.prepared("mode=1 miimon=100");
    dom0.ok("ifup bond51");
    assert_eq!(dom0.sysfs("bonding_masters"), "bond0 bond51");
}

#[test]
fn only_el5_reads_modprobe_conf_and_a_reversed_alias_breaks_it() {
    for flavour in BOTH {
        let dom0 = without_bonds(flavour);
        dom0.write("etc/modprobe.conf", "alias bonding bond51\n");
        let (status, _, err) = dom0.run("modprobe bonding");
        assert_eq!(status, i32::from(flavour == Flavour::El5), "{err}");
        dom0.write("etc/modprobe.conf", "");
        dom0.write("etc/modprobe.d/x.conf", "alias bonding bond51\n");
        assert_eq!(dom0.run("modprobe -r bonding").0, status, "loaded before or not");
        assert!(dom0.bad("modprobe bonding").contains("Module bond51 not found"));
    }
    let dom0 = without_bonds(Flavour::El7);
    dom0.write("etc/modprobe.d/bond51", "alias bond51 bonding\n");
    dom0.ifcfg("bond51", "DEVICE=bond51\n");
    assert_eq!(dom0.run("ifup bond51").0, 1, "kmod reads *.conf only");
}

#[test]
fn with_open_vswitch_the_driver_cannot_be_loaded_and_nics_are_held() {
    for flavour in BOTH {
        let dom0 = Dom0::new(flavour, Backend::Openvswitch);
        assert!(dom0.bad("modprobe bonding").contains("Unknown symbol in module"));
        dom0.prepared("mode=1 miimon=100");
        let (status, out, _) = dom0.run("ifup bond51");
        assert!(status == 1 && out.contains("bond51 does not seem to be present"), "{out}");
        assert!(dom0.read("proc/modules").contains("openvswitch "));
        assert_eq!(dom0.model.state().dom0.master_of("eth0"), Some("ovs-system"));
        assert!(!dom0.exists("sys/class/net/xenbr0/bridge"));
    }
}

#[test]
fn the_driver_minds_modes_order_and_exclusions() {
    let dom0 = Dom0::new(Flavour::El7, Backend::Bridge);
    dom0.model.change(|s| {
        let d = &mut s.dom0;
        assert!(d.create_bond("bond51"));
        let mut set = |key: &str, value: &str| d.set_option("bond51", key, value);
        assert_eq!(set("mode", "1"), Ok(()));
        assert_eq!(set("updelay", "200"), Err("Operation not permitted"));
        assert_eq!(set("lacp_rate", "1"), Err("Permission denied"));
        assert_eq!(set("miimon", "120"), Ok(()));
        assert_eq!(set("updelay", "31000"), Ok(()));
        assert_eq!(set("arp_interval", "1000"), Ok(()));
        assert_eq!(set("arp_ip_target", "+172.16.51.2"), Ok(()));
        assert_eq!(set("arp_ip_target", "+0.0.0.0"), Err("Invalid argument"));
        assert_eq!(set("xmit_hash_policy", "layer9"), Err("Invalid argument"));
        assert_eq!(d.bonds["bond51"].option("miimon"), 0);
        assert_eq!(d.set_option("bond51", "miimon", "120"), Ok(()));
        assert_eq!(d.bonds["bond51"].option("arp_interval"), 0);
    });
    assert_eq!(dom0.sysfs("bond51/bonding/updelay"), "30960");
    dom0.model.change(|s| {
        for mode in ["802.3ad", "balance-tlb", "balance-alb"] {
            assert_eq!(s.dom0.set_option("bond51", "miimon", "0"), Ok(()));
            assert_eq!(s.dom0.set_option("bond51", "mode", mode), Ok(()));
            assert_eq!(s.dom0.bonds["bond51"].option("miimon"), 100, "{mode}");
            assert_eq!(s.dom0.set_option("bond51", "arp_interval", "1"), Err("Permission denied"));
        }
    });
}

/// What each kernel's driver has, takes and shows: mode, option, value, what it answers (none: it
/// takes it) and what `/sys` shows then.
#[test]
fn each_kernels_driver_knows_its_own_options() {
    const NONE: &str = "No such file or directory";
    const INVALID: &str = "Invalid argument";
    const DENIED: &str = "Permission denied";
    const NOT_PERMITTED: &str = "Operation not permitted";
    let mut hosts = std::collections::BTreeMap::new();
    for (kernel, mode, option, value, want) in [
        ("3.10.0+2", "1", "arp_all_targets", "1", Err(NONE)),
        ("3.10.0+2", "0", "packets_per_slave", "8", Err(NONE)),
        ("3.10.0+2", "5", "lp_interval", "2", Err(NONE)),
        ("3.10.0+2", "4", "ad_actor_system", "02:00:00:00:51:01", Err(NONE)),
        ("3.10.0+2", "1", "all_slaves_active", "on", Err(INVALID)),
        ("3.10.0+2", "1", "all_slaves_active", "1", Ok("1")),
        ("3.10.0+2", "2", "xmit_hash_policy", "encap2+3", Err(INVALID)),
        ("4.19.0+1", "1", "all_slaves_active", "on", Ok("1")),
        ("4.19.0+1", "2", "xmit_hash_policy", "encap2+3", Ok("encap2+3 3")),
        ("4.19.0+1", "2", "xmit_hash_policy", "vlan+srcmac", Err(INVALID)),
        ("4.19.0+1", "1", "arp_all_targets", "all", Ok("all 1")),
        ("4.19.0+1", "1", "resend_igmp", "256", Err(INVALID)),
        ("4.19.0+1", "1", "num_unsol_na", "7", Ok("7")),
        ("4.19.0+1", "0", "packets_per_slave", "0", Ok("0")),
        ("4.19.0+1", "1", "packets_per_slave", "8", Err(DENIED)),
        ("4.19.0+1", "5", "lp_interval", "0", Err(INVALID)),
        ("4.19.0+1", "5", "lp_interval", "30", Ok("30")),
        ("4.19.0+1", "5", "tlb_dynamic_lb", "0", Ok("0")),
        ("4.19.0+1", "6", "tlb_dynamic_lb", "0", Ok("0")),
        ("4.4.0+2", "6", "tlb_dynamic_lb", "0", Err(DENIED)),
        ("4.19.0+1", "1", "tlb_dynamic_lb", "0", Err(DENIED)),
        ("4.19.0+1", "4", "ad_actor_sys_prio", "0", Err(INVALID)),
        ("4.19.0+1", "4", "ad_actor_sys_prio", "1000", Ok("1000")),
        ("4.19.0+1", "4", "ad_actor_system", "02:00:00:00:51:01", Ok("02:00:00:00:51:01")),
        ("4.19.0+1", "4", "ad_actor_system", "01:80:c2:00:00:02", Err(INVALID)),
        ("4.19.0+1", "1", "ad_actor_system", "02:00:00:00:51:01", Err(DENIED)),
        ("4.19.0+1", "4", "ad_user_port_key", "1023", Ok("1023")),
        ("4.19.0+1", "4", "ad_user_port_key", "1024", Err(INVALID)),
        ("4.19.0+1", "1", "peer_notif_delay", "200", Err(NONE)),
        ("5.10.0", "1", "peer_notif_delay", "200", Err(NOT_PERMITTED)),
        ("5.10.0", "4", "peer_notif_delay", "200", Ok("200")),
        ("5.10.0", "4", "lacp_active", "off", Err(NONE)),
        ("6.1.0", "4", "lacp_active", "off", Ok("off 0")),
        ("6.1.0", "1", "lacp_active", "off", Err(DENIED)),
        ("6.1.0", "1", "arp_missed_max", "5", Ok("5")),
        ("6.1.0", "1", "arp_missed_max", "0", Err(INVALID)),
        ("6.1.0", "4", "arp_missed_max", "5", Err(DENIED)),
        ("6.1.0", "2", "xmit_hash_policy", "vlan+srcmac", Ok("vlan+srcmac 5")),
    ] {
        let dom0 = hosts.entry(kernel).or_insert_with(|| {
            let flavour = if kernel.starts_with("3.10") { Flavour::El5 } else { Flavour::El7 };
            Dom0::altered(flavour, Backend::Bridge, |s| s.dom0.kernel = kernel.to_string())
        });
        let mut have = Ok(());
        dom0.model.change(|s| {
            s.dom0.delete_bond("bond51");
            assert!(s.dom0.create_bond("bond51"));
            s.dom0.set_option("bond51", "mode", mode).unwrap();
            have = s.dom0.set_option("bond51", option, value);
        });
        assert_eq!(have, want.map(|_| ()), "{kernel}: {option}={value} in mode {mode}");
        if let Ok(shown) = want {
            assert_eq!(
                dom0.sysfs(&format!("bond51/bonding/{option}")),
                shown,
                "{kernel}: {option}"
            );
        }
    }
}

#[test]
fn a_newer_driver_says_more_in_proc() {
    let dom0 = Dom0::altered(Flavour::El7, Backend::Bridge, |s| s.dom0.kernel = "6.1.0".into());
    dom0.prepared("mode=4 miimon=100 peer_notif_delay=300 lacp_active=off ad_actor_sys_prio=7 ad_actor_system=02:00:00:00:51:01 ad_user_port_key=2");
    dom0.ok("ifup bond51");
    let text = dom0.read("proc/net/bonding/bond51");
    for line in [
        "Ethernet Channel Bonding Driver: v6.1.0\n",
        "Peer Notification Delay (ms): 300\n",
        "LACP active: off\nLACP rate: slow\n",
        "System priority: 7\nSystem MAC address: 02:00:00:00:51:01\n",
        "\tActor Key: 143\n",
    ] {
        assert!(text.contains(line), "{line}{text}");
    }
    dom0.model.change(|s| {
        for (option, why) in [
            ("lacp_active", "Device or resource busy"),
            ("ad_user_port_key", "Device or resource busy"),
        ] {
            assert_eq!(s.dom0.set_option("bond51", option, "1"), Err(why), "{option}: it is up");
        }
        assert_eq!(s.dom0.set_option("bond51", "ad_actor_sys_prio", "8"), Ok(()));
    });
    let dom0 = Dom0::altered(Flavour::El7, Backend::Bridge, |s| s.dom0.kernel = "6.1.0".into());
    dom0.prepared("mode=1 arp_interval=200 arp_ip_target=172.16.51.2 arp_missed_max=4");
    dom0.ok("ifup bond51");
    let text = dom0.read("proc/net/bonding/bond51");
    assert!(
        text.contains("ARP Missed Max: 4\nARP IP target/s (n.n.n.n form): 172.16.51.2\n"),
        "{text}"
    );
}

#[test]
fn the_module_takes_its_parameters_and_the_oldest_nothing_else() {
    for (flavour, word, loads) in [
        (Flavour::El5, "resend_igmp=3", true),
        (Flavour::El5, "packets_per_slave=3", false),
        (Flavour::El7, "packets_per_slave=3", true),
        (Flavour::El7, "tlb_dynamic_lb=0", true),
    ] {
        let dom0 = without_bonds(flavour);
        dom0.write(conf(flavour), &format!("options bonding max_bonds=0 {word}\n"));
        assert_eq!(dom0.run("modprobe bonding").0 == 0, loads, "{word}");
        let noted =
            dom0.model.state().dom0.dmesg.iter().any(|line| line.contains("unknown parameter"));
        assert_eq!(
            noted,
            word != "resend_igmp=3" && word != "packets_per_slave=3" || !loads,
            "{word}"
        );
    }
}

#[test]
fn a_lost_link_fails_over_and_updelay_delays_its_return() {
    for flavour in BOTH {
        let dom0 = Dom0::new(flavour, Backend::Bridge);
        dom0.prepared("mode=1 miimon=100 updelay=31000 primary=eth2");
        dom0.ok("ifup bond51");
        let text = || dom0.read("proc/net/bonding/bond51");
        assert!(text().contains("Slave Interface: eth3\nMII Status: going back\n"), "{}", text());
        dom0.wait(32);
        assert!(!text().contains("going back"));
        assert!(text().contains(
            "Primary Slave: eth2 (primary_reselect always)\nCurrently Active Slave: eth2\n"
        ));
        dom0.link("eth2", false);
        assert!(
            text().contains("Currently Active Slave: eth3\n")
                && text().contains("Link Failure Count: 1\n")
        );
        dom0.link("eth2", true);
        assert!(text().contains("Slave Interface: eth2\nMII Status: going back\n"));
        dom0.wait(32);
        assert!(text().contains("Currently Active Slave: eth2\n"));
        dom0.write("sys/class/net/bond51/bonding/active_slave", "eth3");
        dom0.wait(1);
        assert!(text().contains("Currently Active Slave: eth3\n"), "sysfs is written to");
    }
}

#[test]
fn without_miimon_a_dead_slave_stays_up() {
    let dom0 = Dom0::new(Flavour::El7, Backend::Bridge);
    dom0.prepared("mode=1");
    dom0.ok("ifup bond51");
    dom0.link("eth2", false);
    dom0.wait(10);
    assert!(
        dom0.read("proc/net/bonding/bond51").contains("Slave Interface: eth2\nMII Status: up\n")
    );
    assert_eq!(dom0.run("ping -c 1 172.16.51.2").0, 1, "and nothing gets out");
}

#[test]
fn lacp_needs_time_and_a_partner() {
    for (flavour, key) in [(Flavour::El5, "33"), (Flavour::El7, "15")] {
        let dom0 = Dom0::new(flavour, Backend::Bridge);
        dom0.model.change(|s| assert!(s.dom0.wire.lacp.remove("eth3")));
        dom0.prepared("mode=4 miimon=100");
        dom0.ok("ifup bond51");
        dom0.wait(5);
        let text = dom0.read("proc/net/bonding/bond51");
        assert!(text.contains(&format!("\tNumber of ports: 1\n\tActor Key: {key}\n")), "{text}");
        assert!(text.contains("\tPartner Mac Address: 00:23:04:ee:be:0a\n"));
        dom0.model.change(|s| assert!(s.dom0.wire.lacp.insert("eth3".into())));
        dom0.wait(5);
        assert!(dom0.read("proc/net/bonding/bond51").contains("\tNumber of ports: 2\n"));
        dom0.model.change(|s| s.dom0.wire.lacp.clear());
        let text = dom0.read("proc/net/bonding/bond51");
        assert!(
            text.contains("\tPartner Key: 1\n\tPartner Mac Address: 00:00:00:00:00:00\n"),
            "{text}"
        );
    }
}

#[test]
fn the_slave_block_has_its_kernels_order() {
    for (flavour, want) in [
        (
            Flavour::El5,
            "Promiscuity ref count: 0\nFlags: 0x1803\nAggregator ID: 1\nSlave queue ID: 0\n",
        ),
        (
            Flavour::El7,
            "Slave queue ID: 0\nPromiscuity ref count: 0\nFlags: 0x1803\nAggregator ID: 1\nActor Churn State: ",
        ),
    ] {
        let dom0 = Dom0::new(flavour, Backend::Bridge);
        dom0.prepared("mode=4 miimon=100");
        dom0.ok("ifup bond51");
        let text = dom0.read("proc/net/bonding/bond51");
        assert!(text.contains(want), "{text}");
        let slb = dom0.read("proc/net/bonding/bond0");
        assert!(
            slb.contains("Bonding Mode: source load balancing\n")
                && slb.contains("\nSource load balancing info:\n")
        );
        assert_eq!(slb.contains("Currently Active Slave"), flavour == Flavour::El5);
    }
}

#[test]
fn sysfs_links_lead_where_the_kernels_do() {
    let dom0 = Dom0::new(Flavour::El7, Backend::Bridge);
    let real = |path: &str| {
        std::fs::canonicalize(dom0.root().join(path)).expect("a link that leads somewhere")
    };
    assert!(real("sys/class/net/eth2/master").ends_with("sys/devices/virtual/net/xenbr2"));
    assert!(real("sys/class/net/eth2/device").ends_with("0000:04:00.0"));
    assert!(real("sys/class/net/eth2/device/driver").ends_with("sys/bus/pci/drivers/ixgbe"));
    assert!(real("sys/class/net/eth2/brport/bridge").ends_with("xenbr2"));
    assert!(real("sys/class/net/xenbr2/brif/eth2").ends_with("eth2/brport"));
    assert!(real("sys/class/net/bond0/slave_eth4").ends_with("net/eth4"));
    assert_eq!(
        (dom0.sysfs("eth2/speed").as_str(), dom0.sysfs("eth2/duplex").as_str()),
        ("10000", "full")
    );
    dom0.link("eth2", false);
    assert_eq!(
        (dom0.sysfs("eth2/speed").as_str(), dom0.sysfs("eth2/carrier").as_str()),
        ("-1", "0")
    );
}

#[test]
fn an_opened_model_is_the_one_that_was_saved() {
    let dom0 = Dom0::new(Flavour::El7, Backend::Bridge);
    dom0.prepared("mode=1 miimon=100");
    dom0.ok("ifup bond51");
    dom0.model.save().expect("saved");
    let again = super::Model::open(dom0.root()).expect("opened");
    assert_eq!(again.state(), dom0.model.state());
    let output =
        again.execute("ip", &["link".into(), "delete".into(), "dev".into(), "bond51".into()]);
    assert!(output.success());
    assert!(!dom0.exists("sys/class/net/bond51") && !dom0.exists("sys/devices/virtual/net/bond51"));
}

#[test]
fn the_commands_that_ran_are_kept_and_a_new_host_has_none() {
    let dom0 = Dom0::new(Flavour::El7, Backend::Bridge);
    dom0.ok("ip link set dev eth2 mtu 1500");
    dom0.ok("xe host-list");
    let ran = dom0.model.state().dom0.transcript;
    dom0.model.save().expect("saved");
    let recalled = || {
        let model = super::Model::open(dom0.root()).expect("opened");
        model.recall().expect("recalled");
        let ran = model.state().dom0.transcript;
        model.save().expect("saved");
        ran
    };
    assert_eq!((recalled(), recalled()), (ran.clone(), ran));
    super::Model::create(dom0.root(), dom0.model.state()).expect("made").save().expect("saved");
    assert!(recalled().is_empty());
}

#[test]
fn pings_and_arpings_answer_over_a_device_that_carries_the_subnet() {
    let dom0 = Dom0::new(Flavour::El7, Backend::Bridge);
    dom0.prepared("mode=1 miimon=100");
    assert_eq!(dom0.run("ping -c 1 172.16.51.2").0, 1);
    dom0.ok("ifup bond51");
    dom0.ok("ping -c 1 -I bond51 172.16.51.2");
    assert_eq!(dom0.run("ping -c 1 -M do -s 8972 172.16.51.2").0, 1, "MTU 1500");
    dom0.ok("arping -c 2 -w 3 -I bond51 172.16.51.2");
    assert_eq!(dom0.run("arping -D -c 2 -I bond51 172.16.51.2").0, 1, "a duplicate");
    dom0.ok("arping -D -c 2 -I bond51 172.16.51.99");
    assert_eq!(dom0.run("arping -D -c 2 -I eth9 172.16.51.2").0, 2);
}
