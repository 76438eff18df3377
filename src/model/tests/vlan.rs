//! `VLAN=yes`: what the boot scripts make of it, and what the kernel makes of the device.

use super::{BOTH, Dom0};
use crate::model::state::{Backend, Flavour, Map};

const OPTS: &str = "mode=active-backup miimon=100";

/// A bond without an address of its own, and a tag on it.
fn tagged(flavour: Flavour, more: &str) -> Dom0 {
    let dom0 = Dom0::new(flavour, Backend::Bridge);
    dom0.prepared(OPTS);
    dom0.ifcfg(
        "bond51",
        &format!("DEVICE=bond51\nONBOOT=yes\nMTU=9000\nNOZEROCONF=yes\nBONDING_OPTS=\"{OPTS}\"\n"),
    );
    let text = format!(
        "DEVICE=bond51.51\nVLAN=yes\nONBOOT=yes\nNOZEROCONF=yes\nIPADDR=172.16.51.11\nNETMASK=255.255.255.0\n{more}"
    );
    dom0.ifcfg("bond51.51", &text);
    dom0
}

#[test]
fn a_tag_comes_up_by_itself_and_not_with_its_bond() {
    for flavour in BOTH {
        let dom0 = tagged(flavour, "");
        dom0.ok("ifup bond51");
        assert!(!dom0.exists("sys/class/net/bond51.51"), "{flavour:?}");
        dom0.ok("ifup bond51.51");
        let config = dom0.read("proc/net/vlan/config");
        assert!(config.contains("\nbond51.51      | 51  | bond51\n"), "{config}");
        let text = dom0.read("proc/net/vlan/bond51.51");
        assert!(text.starts_with("bond51.51  VID: 51\t REORDER_HDR: 1"), "{text}");
        assert!(text.ends_with("\nDevice: bond51\n"), "{text}");
        assert_eq!(dom0.sysfs("bond51.51/operstate"), "up");
        assert_eq!(dom0.sysfs("bond51.51/mtu"), "9000", "that of the bond");
        assert_eq!(dom0.sysfs("bond51.51/address"), dom0.sysfs("bond51/address"));
        let route = dom0.read("proc/net/route");
        assert!(route.contains("bond51.51\t003310AC\t00000000\t0001"), "{route}");
        assert!(!route.contains("bond51\t"), "{route}");
        dom0.ok("ping -c 1 -I bond51.51 172.16.51.2");
        assert!(dom0.model.state().dom0.executed.is_empty());
    }
}

#[test]
fn a_tag_is_never_above_its_bond() {
    for flavour in BOTH {
        let dom0 = tagged(flavour, "MTU=9001\n");
        dom0.ok("ifup bond51");
        let (status, _, err) = dom0.run("ifup bond51.51");
        assert_eq!((status, err.contains("RTNETLINK answers")), (0, true), "{err}");
        assert_eq!(dom0.sysfs("bond51.51/mtu"), "9000");
        dom0.ok("ip link set dev bond51 mtu 1500");
        assert_eq!(dom0.sysfs("bond51.51/mtu"), "1500");
        dom0.model.change(|s| s.dom0.set_up("bond51", false));
        assert_eq!(dom0.sysfs("bond51.51/flags"), "0x1002");
        dom0.model.change(|s| s.dom0.set_up("bond51", true));
        assert_eq!(dom0.sysfs("bond51.51/operstate"), "up");
        dom0.ok("ip link delete dev bond51");
        assert!(!dom0.exists("sys/class/net/bond51.51") && !dom0.exists("proc/net/vlan/bond51.51"));
    }
}

#[test]
fn the_module_may_be_missing_or_kept_out() {
    for flavour in BOTH {
        let dom0 = tagged(flavour, "");
        dom0.model.change(|s| {
            s.dom0.features.missing_modules.insert("8021q".into());
            s.dom0.modules.remove("8021q");
        });
        assert!(!dom0.exists("proc/net/vlan/config"), "{flavour:?}");
        dom0.ok("ifup bond51");
        let (status, out, _) = dom0.run("ifup bond51.51");
        assert_eq!(status, 1);
        assert!(out.contains("No 802.1Q VLAN support available in kernel for device bond51.51"));
        dom0.bad("modinfo -n 8021q");
        dom0.model.change(|s| s.dom0.features.missing_modules.clear());
        dom0.write("etc/modprobe.d/no-vlans.conf", "install 8021q /bin/true\n");
        let (status, out, _) = dom0.run("ifup bond51.51");
        assert_eq!(status, 1);
        assert!(out.contains("could not add vlan 51 as bond51.51 on dev bond51"), "{out}");
        assert!(!dom0.exists("sys/class/net/bond51.51"));
    }
}

#[test]
fn without_a_bond_nothing_is_made_and_nothing_is_said() {
    for flavour in BOTH {
        let dom0 = tagged(flavour, "");
        assert_eq!(dom0.run("ifup bond51.51"), (0, String::new(), String::new()));
        assert!(!dom0.exists("sys/class/net/bond51.51"));
        // An alias makes a bond without slaves, which takes tags on newer kernels alone.
        dom0.write(
            "etc/modprobe.d/bond51.conf",
            "alias bond51 bonding\noptions bonding max_bonds=0\n",
        );
        let (status, ..) = dom0.run("ifup bond51.51");
        assert_eq!(status, i32::from(flavour == Flavour::El5));
        assert_eq!(dom0.exists("sys/class/net/bond51.51"), flavour == Flavour::El7);
    }
}

#[test]
fn vconfig_is_el5s_own_way_and_it_knows_few_names() {
    let dom0 = tagged(Flavour::El5, "");
    dom0.ok("ifup bond51");
    std::fs::remove_file(dom0.root().join("sbin/vconfig")).expect("it is there");
    let (status, out, _) = dom0.run("ifup bond51.51");
    assert_eq!((status, out.contains("does not seem to be present")), (1, true), "{out}");
    for (flavour, name, stays) in [
        (Flavour::El5, "bond51", false),
        (Flavour::El7, "bond51", false),
        (Flavour::El5, "nas", true),
        (Flavour::El7, "nas", false),
    ] {
        let dom0 = tagged(flavour, "");
        dom0.ok("ifup bond51");
        let vlan = format!("{name}.51");
        let below = name.to_string();
        dom0.model.change(|s| {
            s.dom0.modules.insert("8021q".into(), Map::new());
            s.dom0.add_device(&below, "tun", "00:16:3e:00:00:01");
            s.dom0.add_vlan(&below, 51, &format!("{below}.51")).expect("a tag");
        });
        dom0.ifcfg(&vlan, &format!("DEVICE={vlan}\nVLAN=yes\n"));
        dom0.ok(&format!("ifdown {vlan}"));
        assert_eq!(dom0.exists(&format!("sys/class/net/{vlan}")), stays, "{flavour:?} {vlan}");
        if stays {
            dom0.ok(&format!("ip link delete dev {vlan}"));
            assert!(!dom0.exists(&format!("sys/class/net/{vlan}")));
        }
    }
}

#[test]
fn routes_are_set_last_and_their_errors_are_nobodys() {
    for flavour in BOTH {
        let dom0 = tagged(flavour, "");
        dom0.write(
            "etc/sysconfig/network-scripts/route-bond51.51",
            "# xenbond: behind the router\n10.99.0.0/16 via 172.16.51.1 dev bond51.51\n10.98.0.0/16 via 172.16.77.1\n10.97.0.1/16 via 172.16.51.1\n10.20.0.0/24 via 172.16.51.1\n",
        );
        dom0.model.change(|s| {
            s.dom0.wire.reachable.insert("10.99.0.5".into());
        });
        dom0.ok("ifup bond51");
        let (status, _, err) = dom0.run("ifup bond51.51");
        let said: Vec<&str> =
            err.lines().map(|l| l.trim_start_matches("RTNETLINK answers: ")).collect();
        assert_eq!(
            (status, said),
            (0, vec!["Network is unreachable", "Invalid argument", "File exists"])
        );
        let route = dom0.read("proc/net/route");
        assert!(route.contains("bond51.51\t0000630A\t013310AC\t0003"), "{route}");
        dom0.bad("ping -c 1 -I bond51.51 10.99.0.5");
        dom0.model.change(|s| {
            s.dom0.wire.reachable.insert("172.16.51.1".into());
        });
        dom0.ok("ping -c 1 -I bond51.51 10.99.0.5");
        dom0.ok("ifdown bond51.51");
        assert!(!dom0.read("proc/net/route").contains("bond51.51"));
    }
}

#[test]
fn the_network_service_brings_tags_up_last() {
    let dom0 = tagged(Flavour::El5, "");
    dom0.ifcfg("a.51", "DEVICE=bond51.52\nVLAN=yes\nONBOOT=yes\n");
    dom0.model.reboot().expect("it boots");
    assert_eq!(dom0.sysfs("bond51.51/operstate"), "up");
    assert_eq!(dom0.sysfs("bond51.52/operstate"), "up");
    let dom0 = tagged(Flavour::El7, "");
    dom0.model.reboot().expect("it boots");
    assert!(!dom0.exists("sys/class/net/bond51.51"), "the service is off");
}
