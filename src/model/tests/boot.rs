//! The switch script, services, and the boot.

use super::{BOTH, Dom0};
use crate::host::{Clock, Cmd, Program, Runner, Status};
use crate::model::state::{Backend, Flavour, How, Lie, Xapi};
use std::time::Duration;

const SWITCHED: &str = "You *MUST* now reboot your system\n";

#[test]
fn the_switch_script_of_old_releases_deletes_ifcfg_files() {
    for flavour in BOTH {
        let dom0 = Dom0::new(flavour, Backend::Openvswitch);
        dom0.ifcfg("bond7", "DEVICE=bond7\n");
        assert!(dom0.exists("etc/modprobe.d/blacklist-bridge.conf"));
        let (status, out, err) = dom0.run("xe-switch-network-backend bridge");
        assert_eq!((status, err.as_str()), (0, SWITCHED));
        let old = flavour == Flavour::El5;
        assert_eq!(out.contains(" Remove... ifcfg-bond7\n"), old, "{out}");
        assert_eq!(dom0.exists("etc/sysconfig/network-scripts/ifcfg-bond7"), !old);
        assert!(dom0.exists("etc/sysconfig/network-scripts/ifcfg-lo"));
        assert!(!dom0.exists("etc/modprobe.d/blacklist-bridge.conf"));
        assert_eq!(dom0.read("etc/xensource/network.conf"), "bridge\n");
        assert!(!dom0.exists("etc/systemd/system/multi-user.target.wants/openvswitch.service"));
        assert_eq!(dom0.model.state().dom0.running, Backend::Openvswitch, "until the reboot");
        dom0.model.reboot().expect("up again");
        assert_eq!(dom0.model.state().dom0.running, Backend::Bridge);
        assert_eq!(
            dom0.model.state().pool.hosts["xen01"].software_version["network_backend"],
            "bridge"
        );
    }
}

#[test]
fn the_switch_script_does_the_opposite_for_vswitch_and_stops_without_the_file() {
    let dom0 = Dom0::new(Flavour::El7, Backend::Openvswitch);
    dom0.write("etc/xensource/network.conf", "vswitch\n");
    assert_eq!(dom0.run("xe-switch-network-backend bridge").0, 0);
    assert_eq!(dom0.read("etc/xensource/network.conf"), "openvswitch\n");
    std::fs::remove_file(dom0.root().join("etc/xensource/network.conf")).expect("there");
    assert_eq!(dom0.run("xe-switch-network-backend bridge").0, 1);
    assert_eq!(dom0.bad("xe-switch-network-backend"), "Need bridge or openvswitch...\n");
    assert_eq!(dom0.bad("xe-switch-network-backend x"), "Mode must be \"bridge\" or \"vswitch\"\n");
}

#[test]
fn a_bridge_that_is_still_blacklisted_means_no_network() {
    let dom0 = Dom0::new(Flavour::El7, Backend::Openvswitch);
    dom0.write("etc/xensource/network.conf", "bridge\n");
    dom0.model.reboot().expect("up again");
    let state = dom0.model.state();
    assert_eq!(state.dom0.running, Backend::None);
    assert!(state.dom0.addresses.is_empty() && !state.pool.pifs["xen01/eth0"].currently_attached);
}

#[test]
fn chkconfig_has_the_words_and_statuses_of_the_real_one() {
    let dom0 = Dom0::new(Flavour::El5, Backend::Bridge);
    let on = "network        \t0:off\t1:off\t2:on\t3:on\t4:on\t5:on\t6:off\n";
    assert_eq!(dom0.ok("chkconfig --list network"), on);
    dom0.ok("chkconfig network off");
    assert!(!dom0.ok("chkconfig --list network").contains(":on"));
    assert_eq!(dom0.run("chkconfig network").0, 1);
    dom0.ok("chkconfig network on");
    assert_eq!(dom0.ok("chkconfig --list network"), on);
    assert!(dom0.exists("etc/rc.d/rc3.d/S10network") && dom0.exists("etc/rc.d/rc0.d/K90network"));
    assert!(dom0.bad("chkconfig --list nothing").contains("No such file or directory"));
    assert!(dom0.bad("chkconfig --list openvswitch").contains("not referenced in any runlevel"));
    dom0.ok("chkconfig --add openvswitch");
    dom0.ok("chkconfig --list openvswitch");
    dom0.ok("chkconfig --del openvswitch");
    assert!(
        !Dom0::new(Flavour::El7, Backend::Bridge).ok("chkconfig --list network").contains(":on")
    );
}

const UNIT: &str = "[Unit]\nAfter=xcp-networkd.service\n\n[Service]\nType=oneshot\nExecStart=/sbin/ifup bond51\n\n[Install]\nWantedBy=multi-user.target\n";

#[test]
fn systemctl_links_what_install_says_and_refuses_what_is_not_there() {
    let dom0 = Dom0::new(Flavour::El7, Backend::Bridge);
    assert_eq!(
        dom0.bad("systemctl enable xenbond-bond51.service"),
        "Failed to execute operation: No such file or directory\n"
    );
    dom0.bad("systemctl is-enabled xenbond-bond51.service");
    dom0.write("etc/systemd/system/xenbond-bond51.service", UNIT);
    dom0.ok("systemctl daemon-reload");
    assert_eq!(
        dom0.run("systemctl is-enabled xenbond-bond51.service"),
        (1, "disabled\n".into(), String::new())
    );
    dom0.ok("systemctl enable xenbond-bond51.service");
    assert!(dom0.exists("etc/systemd/system/multi-user.target.wants/xenbond-bond51.service"));
    assert_eq!(dom0.ok("systemctl is-enabled xenbond-bond51.service"), "enabled\n");
    dom0.ok("systemctl disable xenbond-bond51.service");
    assert!(!dom0.exists("etc/systemd/system/multi-user.target.wants/xenbond-bond51.service"));
    assert_eq!(dom0.ok("systemctl is-active xapi.service"), "active\n");
    assert_eq!(dom0.run("systemctl is-active nothing").0, 3);
}

#[test]
fn el5_brings_the_bond_up_at_boot_and_el7_only_with_a_unit() {
    let dom0 = Dom0::new(Flavour::El5, Backend::Bridge);
    dom0.prepared("mode=1 miimon=100");
    dom0.model.reboot().expect("up again");
    assert_eq!(dom0.sysfs("bond51/bonding/slaves"), "eth2 eth3");
    for unit in [false, true] {
        let dom0 = Dom0::new(Flavour::El7, Backend::Bridge);
        dom0.prepared("mode=1 miimon=100");
        if unit {
            dom0.write("etc/systemd/system/xenbond-bond51.service", UNIT);
            dom0.ok("systemctl enable xenbond-bond51.service");
        }
        let boot = dom0.read("proc/sys/kernel/random/boot_id");
        dom0.model.reboot().expect("up again");
        assert_ne!(dom0.read("proc/sys/kernel/random/boot_id"), boot);
        assert_eq!(dom0.sysfs("bond51/bonding/slaves"), if unit { "eth2 eth3" } else { "" });
        assert_eq!(dom0.sysfs("bond0/bonding/slaves"), "eth4 eth5");
    }
}

#[test]
fn a_pif_that_was_unplugged_is_plugged_at_boot_and_takes_its_nic() {
    let dom0 = Dom0::new(Flavour::El7, Backend::Bridge);
    let eth2 = dom0.pif("eth2");
    dom0.ok(&format!("xe pif-unplug uuid={eth2}"));
    assert_eq!(dom0.model.state().dom0.master_of("eth2"), None);
    dom0.write("etc/systemd/system/xenbond-bond51.service", UNIT);
    dom0.ok("systemctl enable xenbond-bond51");
    dom0.ifcfg("eth2", "DEVICE=eth2\nMASTER=bond51\nSLAVE=yes\n");
    dom0.ifcfg("bond51", "DEVICE=bond51\nBONDING_OPTS=\"mode=1\"\n");
    dom0.model.reboot().expect("up again");
    assert_eq!(dom0.model.state().dom0.master_of("eth2"), Some("xenbr2"));
    assert_eq!(dom0.sysfs("bond51/bonding/slaves"), "");
    assert!(dom0.model.state().pool.pifs["xen01/eth2"].currently_attached);
}

#[test]
fn the_network_service_is_misled_by_words_in_comments() {
    let dom0 = Dom0::new(Flavour::El5, Backend::Bridge);
    dom0.prepared("mode=1 miimon=100");
    dom0.ifcfg("eth3", "# was SLAVE=no\nDEVICE=eth3\nONBOOT=yes\nHWADDR=00:1b:21:0a:01:03\nMASTER=bond51\nSLAVE=yes\n");
    dom0.model.reboot().expect("up again");
    assert_eq!(dom0.sysfs("bond51/bonding/slaves"), "eth2 eth3", "it is a slave all the same");
    let log = dom0.model.state().dom0.dmesg;
    assert!(log.iter().any(|l| l == "Bringing up interface eth3:  [FAILED]"), "{log:?}");
    dom0.ifcfg("eth3", "DEVICE=eth3\nONBOOT=no\nMASTER=bond51\nSLAVE=yes\n");
    dom0.model.reboot().expect("up again");
    assert_eq!(
        dom0.sysfs("bond51/bonding/slaves"),
        "eth2 eth3",
        "a slave's ONBOOT is not looked at"
    );
}

#[test]
fn machines_that_ran_here_are_halted_after_a_boot() {
    let dom0 = Dom0::new(Flavour::El7, Backend::Bridge);
    dom0.model.reboot().expect("up again");
    let pool = dom0.model.state().pool;
    assert_eq!(
        (pool.vms["vm-web"].power_state.as_str(), pool.vms["vm-mail"].power_state.as_str()),
        ("halted", "running")
    );
    assert!(!dom0.exists("sys/class/net/vif1.0"));
}

#[test]
fn xapi_needs_its_time_after_a_boot() {
    let dom0 = Dom0::new(Flavour::El7, Backend::Bridge);
    dom0.model.reboot().expect("up again");
    assert_eq!(dom0.model.state().dom0.xapi, Xapi::Starting);
    assert!(dom0.bad("xe host-list").contains("still initialising"));
    assert_eq!(dom0.run("xapi-wait-init-complete 5").0, 1);
    dom0.ok("xapi-wait-init-complete 60");
    dom0.ok("xe host-list");
    dom0.ok("shutdown -r now");
    assert!(dom0.model.state().dom0.reboot_requested);
}

#[test]
fn the_clock_is_virtual_and_a_hang_takes_its_limit() {
    let dom0 = Dom0::new(Flavour::El7, Backend::Bridge);
    assert_eq!(
        humantime::format_rfc3339_seconds(dom0.model.now()).to_string(),
        "2026-11-20T13:00:00Z"
    );
    dom0.model.change(|s| {
        assert!(
            s.dom0
                .lies
                .insert("ifup".into(), Lie { how: How::Hangs, times: 1, after: 0 })
                .is_none()
        )
    });
    let cmd = Cmd::change(Program::Ifup, &["bond51"], Duration::from_secs(90));
    let output = dom0.model.run(&cmd).expect("run");
    assert_eq!((output.status, dom0.model.elapsed().as_secs()), (Status::TimedOut, 90));
}
