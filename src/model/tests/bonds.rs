//! The bonds of XAPI's: what `bond-create` and its like do to records, kernel and Open vSwitch.

use super::Dom0;
use crate::model::builtin;
use crate::model::state::{Backend, Flavour, How, Lie, Pool, Release, Saves, State};
use crate::ovs;

const BACKENDS: [Backend; 2] = [Backend::Bridge, Backend::Openvswitch];

impl Dom0 {
    /// Makes a network; its uuid.
    fn network(&self, name: &str) -> String {
        self.ok(&format!("xe network-create name-label={name}")).trim().to_string()
    }

    fn uuids(&self, nics: &[&str]) -> String {
        nics.iter().map(|nic| self.pif(nic)).collect::<Vec<_>>().join(",")
    }

    /// Makes a bond of these NICs; its uuid.
    fn bond(&self, nics: &[&str], more: &str) -> String {
        let (network, pifs) = (self.network("NAS"), self.uuids(nics));
        let line = format!("xe bond-create network-uuid={network} pif-uuids={pifs} {more}");
        self.ok(line.trim()).trim().to_string()
    }

    fn field(&self, class: &str, uuid: &str, field: &str) -> String {
        let line = format!("xe {class}-param-get uuid={uuid} param-name={field}");
        self.ok(&line).trim().to_string()
    }
}

fn altered(backend: Backend, alter: impl FnOnce(&mut State)) -> Dom0 {
    Dom0::altered(Flavour::El7, backend, alter)
}

#[test]
fn what_a_bond_of_the_management_takes_along_and_gives_back() {
    for backend in BACKENDS {
        let dom0 = altered(backend, |s| {
            s.pool.pifs.get_mut("xen01/eth3").unwrap().disallow_unplug = true;
        });
        let before = dom0.model.state();
        let bond = dom0.bond(&["eth3", "eth0"], "mode=active-backup");
        let state = dom0.model.state();
        let pif = &state.pool.pifs["xen01/bond1"];
        assert_eq!((pif.ip.as_str(), pif.gateway.as_str()), ("10.20.0.11", "10.20.0.1"));
        assert!(pif.management && pif.currently_attached && pif.disallow_unplug, "{pif:?}");
        assert_eq!(pif.mac, before.pool.pifs["xen01/eth0"].mac, "of the primary, named second");
        for nic in ["xen01/eth0", "xen01/eth3"] {
            let pif = &state.pool.pifs[nic];
            assert!(!pif.currently_attached && !pif.management && !pif.disallow_unplug, "{nic}");
            assert_eq!((pif.ip_configuration_mode.as_str(), pif.ip.as_str()), ("None", ""));
        }
        assert!(state.dom0.addresses["xapi3"].contains("10.20.0.11/24"));
        assert!(state.dom0.routes.values().any(|r| r.to == "0.0.0.0/0" && r.dev == "xapi3"));
        for gone in ["xenbr0", "xenbr3"] {
            assert!(!state.dom0.has_device(gone), "{gone}");
            assert!(!state.dom0.networkd.bridge_config.contains_key(gone), "{gone}");
        }
        let port = &state.dom0.networkd.bridge_config["xapi3"].ports["bond1"];
        assert_eq!(port.interfaces, ["eth0", "eth3"]);
        assert_eq!(port.bond_properties["updelay"], "31000");
        assert!(dom0.read("etc/xensource-inventory").contains("MANAGEMENT_INTERFACE='xapi3'\n"));
        dom0.ok(&format!("xe bond-destroy uuid={bond}"));
        let after = dom0.model.state();
        assert_eq!(after.pool.bonds, before.pool.bonds);
        assert_eq!(after.dom0.addresses, before.dom0.addresses);
        assert_eq!(after.dom0.routes, before.dom0.routes);
        assert_eq!(after.dom0.vswitch, before.dom0.vswitch);
        assert!(dom0.read("etc/xensource-inventory").contains("MANAGEMENT_INTERFACE='xenbr0'\n"));
        let (was, is) = (&before.pool.pifs, &after.pool.pifs);
        assert_eq!(is["xen01/eth0"].ip, was["xen01/eth0"].ip);
        assert!(
            is["xen01/eth0"].disallow_unplug && !is["xen01/eth3"].disallow_unplug,
            "to the primary"
        );
    }
}

#[test]
fn the_nic_whose_link_comes_first_is_active_and_the_other_waits() {
    for backend in BACKENDS {
        for first in ["eth2", "eth3"] {
            let dom0 = altered(backend, |s| s.dom0.wire.first = Some(first.into()));
            dom0.bond(&["eth2", "eth3"], "mode=active-backup");
            let links = |s: &State| match s.dom0.vswitch.get("bond1") {
                Some(bond) => {
                    let enabled = bond.members.iter().filter(|m| m.enabled).count();
                    (bond.active.clone().unwrap(), enabled)
                }
                None => {
                    let bond = &s.dom0.bonds["bond1"];
                    let names: Vec<&str> = bond.slaves.iter().map(|s| s.name.as_str()).collect();
                    assert_eq!(names, ["eth2", "eth3"], "in XAPI's order");
                    let up = bond.slaves.iter().filter(|s| s.status == "up").count();
                    (bond.active.clone().unwrap(), up)
                }
            };
            assert_eq!(links(&dom0.model.state()), (first.to_string(), 1), "{backend:?}");
            let uuid = dom0.model.state().pool.bonds["xen01/bond1"].uuid.clone();
            assert_eq!(dom0.field("bond", &uuid, "links-up"), "1");
            dom0.wait(32);
            assert_eq!(links(&dom0.model.state()), (first.to_string(), 2), "{backend:?}");
            assert_eq!(dom0.field("bond", &uuid, "links-up"), "2");
        }
    }
}

#[test]
fn vlans_and_machines_move_with_new_records_and_come_back_to_the_primary() {
    for backend in BACKENDS {
        let dom0 = altered(backend, |_| {});
        let before = dom0.model.state().pool;
        let bond = dom0.bond(&["eth1", "eth2"], "");
        let now = dom0.model.state().pool;
        assert!(!now.vlans.contains_key("xen01/eth1.30"));
        let (old, new) = (&before.pifs["xen01/eth1.30"], &now.pifs["xen01/bond1.30"]);
        assert_eq!(new.network, old.network, "the same network");
        assert!(new.uuid != old.uuid && new.currently_attached);
        let home = |pool: &Pool, vm: &str| pool.vifs[&format!("{vm}/0")].network.clone();
        assert_eq!(home(&now, "vm-db"), "xapi3", "it runs here");
        assert_eq!(home(&now, "vm-git"), "xenbr1", "it runs elsewhere");
        assert_eq!(home(&now, "vm-web"), "xapi1", "on a VLAN, whose network stays");
        dom0.ok(&format!("xe bond-destroy uuid={bond}"));
        let after = dom0.model.state().pool;
        assert_eq!(home(&after, "vm-db"), "xenbr1");
        assert_eq!(after.pifs["xen01/eth1.30"].network, old.network);
        assert!(after.pifs["xen01/eth1.30"].currently_attached);
    }
}

#[test]
fn what_is_refused_before_anything_is_made() {
    let dom0 = altered(Backend::Openvswitch, |s| {
        s.pool.release = Some(Release::V24_39);
        s.pool.pifs.get_mut("xen01/eth3").unwrap().properties.insert("gro".into(), "off".into());
    });
    let network = dom0.network("NAS");
    let pools = dom0.model.state().pool;
    let bad = |pifs: &str, more: &str| {
        let line = format!("xe bond-create network-uuid={network} pif-uuids={pifs} {more}");
        dom0.bad(line.trim())
    };
    let two = dom0.uuids(&["eth1", "eth2"]);
    assert!(bad(&two, "mode=balance-tlb").contains("Invalid bond mode. Got balance-tlb"));
    assert!(bad(&two, "mac=nonsense").contains("MAC address specified is not valid"));
    assert!(bad(&two, "properties:lacp-time=fast").contains("value: lacp-time = fast"), "no LACP");
    assert!(bad(&two, "mode=lacp properties:lacp-time=often").contains("lacp-time = often"));
    assert!(bad(&dom0.uuids(&["eth2", "eth3"]), "").contains("their properties are different"));
    assert!(bad(&dom0.uuids(&["eth2", "eth4"]), "").contains("because the pif is bonded"));
    let vlan = pools.pifs["xen01/eth1.30"].uuid.clone();
    assert!(
        bad(&format!("{},{vlan}", dom0.pif("eth2")), "").contains("it already exists.\nPIF: eth1")
    );
    let other = pools.pifs["xen02/eth2"].uuid.clone();
    assert!(bad(&format!("{},{other}", dom0.pif("eth2")), "").contains("across different hosts"));
    dom0.change(|s| s.pool.ha_enabled = true);
    assert!(bad(&dom0.uuids(&["eth0", "eth2"]), "").contains("while HA is on"));
    assert_eq!(dom0.model.state().pool.bonds, pools.bonds);
    assert_eq!(dom0.model.state().pool.pifs, pools.pifs);
}

#[test]
fn a_bond_that_networkd_could_not_make_stands_half() {
    let dom0 = altered(Backend::Bridge, |s| {
        s.dom0.delete_bond("bond0");
        s.dom0.modules.remove("bonding");
        s.dom0.features.missing_modules.insert("bonding".into());
    });
    let (network, pifs) = (dom0.network("NAS"), dom0.uuids(&["eth2", "eth3"]));
    let err = dom0.bad(&format!("xe bond-create network-uuid={network} pif-uuids={pifs}"));
    assert!(err.contains("An unknown error occurred while attempting to configure"), "{err}");
    let state = dom0.model.state();
    let bond = state.pool.bonds["xen01/bond1"].uuid.clone();
    assert!(!state.pool.pifs["xen01/bond1"].currently_attached);
    assert!(!state.dom0.has_device("xenbr2"), "the old bridges are gone");
    let again = dom0.bad(&format!("xe bond-create network-uuid={network} pif-uuids={pifs}"));
    assert!(again.contains("already attached to some other PIF"), "{again}");
    dom0.ok(&format!("xe bond-destroy uuid={bond}"));
    assert!(!dom0.model.state().pool.pifs["xen01/eth2"].currently_attached, "as it was not");
}

#[test]
fn success_proves_nothing_and_neither_does_failure() {
    let dom0 = altered(Backend::Bridge, |s| {
        s.dom0.features.refused_options.extend(["mode".into(), "updelay".into()]);
    });
    dom0.bond(&["eth2", "eth3"], "mode=active-backup");
    assert_eq!(dom0.sysfs("bond1/bonding/updelay"), "0");
    assert!(!dom0.sysfs("bond1/bonding/mode").starts_with("active-backup"));
    assert!(dom0.model.state().dom0.dmesg.iter().any(|l| l.contains("\"mode\" on bond bond1")));
    // A member's `xe` loses its connection, and the bond is there.
    let dom0 = Dom0::of(builtin::seen_from("xen02", Flavour::El7, Backend::Openvswitch));
    let pool = dom0.model.state().pool;
    let network = dom0.network("MGT");
    let pif = |nic: &str| pool.pifs[&format!("xen02/{nic}")].uuid.clone();
    let pifs = format!("{},{}", pif("eth0"), pif("eth3"));
    let err = dom0.bad(&format!("xe bond-create network-uuid={network} pif-uuids={pifs}"));
    assert_eq!(err, "Lost connection to the server.\n");
    assert!(dom0.model.state().pool.pifs["xen02/bond1"].management);
    // And where the client was killed it is made as well.
    let dom0 = altered(Backend::Openvswitch, |s| {
        let lie = Lie { how: How::HangsAfter, times: 1, after: 0 };
        s.dom0.lies.insert("xe bond-create".into(), lie);
    });
    let (network, pifs) = (dom0.network("NAS"), dom0.uuids(&["eth2", "eth3"]));
    let (status, _, _) =
        dom0.run(&format!("xe bond-create network-uuid={network} pif-uuids={pifs}"));
    assert_eq!(status, -1);
    assert!(dom0.model.state().dom0.vswitch.contains_key("bond1"));
}

#[test]
fn keys_of_the_pif_beat_the_record_at_the_next_plug() {
    for backend in BACKENDS {
        let dom0 = altered(backend, |_| {});
        let bond = dom0.bond(&["eth2", "eth3"], "mode=active-backup");
        let pif = dom0.model.state().pool.pifs["xen01/bond1"].uuid.clone();
        dom0.ok(&format!("xe pif-param-set uuid={pif} other-config:bond-updelay=200 other-config:bond-mode=balance-slb"));
        let updelay = |dom0: &Dom0| match dom0.model.state().dom0.vswitch.get("bond1") {
            Some(bond) => (bond.updelay.to_string(), bond.mode.clone()),
            None => (
                dom0.sysfs("bond1/bonding/updelay"),
                dom0.sysfs("bond1/bonding/mode").split(' ').next().unwrap().to_string(),
            ),
        };
        assert_eq!(updelay(&dom0), ("31000".into(), "active-backup".into()));
        dom0.ok(&format!("xe pif-plug uuid={pif}"));
        assert_eq!(updelay(&dom0), ("200".into(), "balance-slb".into()), "{backend:?}");
        assert_eq!(dom0.field("bond", &bond, "mode"), "active-backup");
    }
}

#[test]
fn modes_and_properties_reach_open_vswitch_and_leave_their_keys_behind() {
    let dom0 = altered(Backend::Openvswitch, |_| {});
    let bond = dom0.bond(&["eth2", "eth3"], "");
    dom0.ok(&format!("xe bond-set-mode uuid={bond} mode=lacp"));
    dom0.ok(&format!("xe bond-param-set uuid={bond} properties:hashing_algorithm=src_mac properties:lacp-time=fast"));
    let port = dom0.model.state().dom0.vswitch["bond1"].clone();
    assert_eq!((port.lacp.as_str(), port.mode.as_str()), ("active", "balance-slb"));
    assert_eq!(port.other_config["lacp-time"], "fast");
    assert_eq!(port.other_config["bond-rebalance-interval"], "1800000", "of the former mode");
    dom0.ok(&format!("xe bond-set-mode uuid={bond} mode=active-backup"));
    let port = dom0.model.state().dom0.vswitch["bond1"].clone();
    assert_eq!((port.lacp.as_str(), port.mode.as_str()), ("off", "active-backup"));
    assert_eq!(port.other_config["lacp-time"], "fast", "never removed");
    let err = dom0.bad(&format!("xe bond-param-set uuid={bond} properties:lacp-time=slow"));
    assert!(err.contains("lacp-time = slow"), "{err}");
}

#[test]
fn the_mtu_is_the_networks_and_a_later_one_waits_for_a_plug() {
    for backend in BACKENDS {
        let dom0 = altered(backend, |_| {});
        let network = dom0.network("NAS");
        dom0.ok(&format!("xe network-param-set uuid={network} MTU=9000"));
        let pifs = dom0.uuids(&["eth2", "eth3"]);
        dom0.ok(&format!("xe bond-create network-uuid={network} pif-uuids={pifs}"));
        let mtus =
            |dom0: &Dom0| ["xapi3", "eth2", "eth3"].map(|d| dom0.model.state().dom0.mtu_of(d));
        assert_eq!(mtus(&dom0), [9000; 3], "{backend:?}");
        dom0.ok(&format!("xe network-param-set uuid={network} MTU=1500"));
        assert_eq!(mtus(&dom0), [9000; 3]);
        let pif = dom0.model.state().pool.pifs["xen01/bond1"].uuid.clone();
        dom0.ok(&format!("xe pif-unplug uuid={pif}"));
        dom0.ok(&format!("xe pif-plug uuid={pif}"));
        assert_eq!(mtus(&dom0), [1500; 3], "{backend:?}");
    }
}

#[test]
fn a_power_cut_before_the_stores_are_written_undoes_it() {
    for saved in [false, true] {
        let dom0 = altered(Backend::Openvswitch, |s| s.dom0.saves = Saves::REAL);
        dom0.bond(&["eth2", "eth3"], "mode=active-backup");
        dom0.wait(if saved { 301 } else { 60 });
        assert_eq!(dom0.read("var/lib/xcp/networkd.db").contains("\"bond1\""), saved);
        dom0.model.cut().unwrap();
        dom0.wait(60);
        let state = dom0.model.state();
        assert_eq!(state.dom0.vswitch.contains_key("bond1"), saved);
        assert_eq!(state.dom0.has_device("xenbr2"), !saved);
    }
}

#[test]
fn a_member_makes_the_masters_bonds_again_at_each_start() {
    let member = || {
        let state = builtin::seen_from("xen02", Flavour::El7, Backend::Openvswitch);
        let dom0 = Dom0::of(state);
        let bond = dom0.model.state().pool.bonds["xen02/bond0"].uuid.clone();
        dom0.ok(&format!("xe bond-destroy uuid={bond}"));
        dom0
    };
    let nics = |dom0: &Dom0| -> Vec<String> {
        let bond = dom0.model.state().dom0.vswitch["bond0"].clone();
        bond.members.into_iter().map(|member| member.name).collect()
    };
    let dom0 = member();
    assert!(!dom0.model.state().dom0.vswitch.contains_key("bond0"));
    dom0.ok("xe-toolstack-restart");
    assert_eq!(nics(&dom0), ["eth4", "eth5"]);
    // One of other NICs on the same network gives way, and one of its own stays.
    let dom0 = member();
    let pool = dom0.model.state().pool;
    let pif = |nic: &str| pool.pifs[&format!("xen02/{nic}")].uuid.clone();
    let network = &pool.networks["xapi0"].uuid;
    dom0.ok(&format!(
        "xe bond-create network-uuid={network} pif-uuids={},{}",
        pif("eth2"),
        pif("eth3")
    ));
    assert_eq!(nics(&dom0), ["eth2", "eth3"]);
    dom0.model.reboot().unwrap();
    assert_eq!(nics(&dom0), ["eth4", "eth5"]);
}

#[test]
fn open_vswitch_speaks_in_the_words_of_its_release() {
    for (release, member, head) in [
        ((1, 4), "slave", "bond_mode: "),
        ((2, 5), "slave", "---- bond0 ----\n"),
        ((2, 10), "slave", "---- bond0 ----\n"),
        ((2, 17), "member", "---- bond0 ----\n"),
        ((3, 1), "member", "---- bond0 ----\n"),
    ] {
        let dom0 = altered(Backend::Openvswitch, |s| s.dom0.features.vswitch = Some(release));
        let text = dom0.ok("ovs-appctl bond/show bond0");
        assert!(text.starts_with(head), "{release:?}: {text}");
        assert!(text.contains(&format!("\n{member} eth4: enabled\n")), "{text}");
        let read = ovs::read(&text).bonds.remove(0);
        assert_eq!(read.mode, Some(ovs::Mode::BalanceSlb));
        assert_eq!((read.updelay, read.slaves.len()), (Some(31_000), 2));
        assert!(read.slaves.iter().all(|s| s.enabled == Some(true) && s.may_enable == Some(true)));
        let ports = ovs::ports(&dom0.ok("ovs-appctl bond/list"));
        assert_eq!((ports.len(), ports[0].slaves.len()), (1, 2), "{release:?}");
        let record = ovs::records(&dom0.ok("ovs-vsctl --timeout=10 list port bond0")).remove(0);
        assert_eq!((record.lacp.as_deref(), record.updelay), (Some("off"), Some(31_000)));
        assert_eq!(dom0.ok("ovs-vsctl --timeout=10 port-to-br bond0"), "xapi0\n");
        let (status, _, err) = dom0.run("ovs-appctl bond/show bond7");
        assert!(status == 2 && err.starts_with("no such bond\n"), "{err}");
        let (status, _, err) = dom0.run("ovs-appctl bond/set-active-member bond0 eth5");
        assert_eq!(status == 0, release >= (2, 15), "{err}");
        dom0.ok("ovs-appctl bond/set-active-slave bond0 eth4");
        dom0.link("eth5", false);
        dom0.wait(1);
        let text = dom0.ok("ovs-appctl bond/show bond0");
        assert!(text.contains(&format!("\n{member} eth5: disabled\n")), "{text}");
        dom0.link("eth5", true);
        let text = dom0.ok("ovs-appctl bond/show bond0");
        assert!(text.contains("updelay expires in 31000 ms\n"), "{text}");
        let (_, _, err) = dom0.run("ovs-appctl bond/set-active-slave bond0 eth5");
        assert!(err.starts_with(&format!("cannot make disabled {member} active\n")), "{err}");
    }
    let dom0 = altered(Backend::Bridge, |_| {});
    assert!(dom0.bad("ovs-appctl bond/list").contains("cannot read pidfile"));
    assert!(dom0.bad("ovs-vsctl port-to-br bond0").contains("database connection failed"));
}

#[test]
fn lacp_is_negotiated_falls_back_or_carries_nothing() {
    for (fallback, lacp, status, enabled) in [
        ("true", ["eth2", "eth3"].as_slice(), "negotiated", 2),
        ("true", &["eth2"], "negotiated", 1),
        ("true", &[], "configured", 2),
        ("false", &[], "configured", 0),
    ] {
        let dom0 = altered(Backend::Openvswitch, |s| {
            s.dom0.wire.lacp = lacp.iter().map(ToString::to_string).collect();
        });
        dom0.bond(&["eth2", "eth3"], &format!("mode=lacp properties:lacp-fallback-ab={fallback}"));
        dom0.wait(70);
        let text = dom0.ok("ovs-appctl bond/show bond1");
        let read = ovs::read(&text).bonds.remove(0);
        assert!(text.contains(&format!("lacp_status: {status}\n")), "{text}");
        let on = read.slaves.iter().filter(|s| s.enabled == Some(true)).count();
        assert_eq!(on, enabled, "{text}");
        let port = ovs::read(&dom0.ok("ovs-appctl lacp/show bond1")).lacp.remove(0);
        let current = port.slaves.iter().filter(|s| s.current == Some(true)).count();
        assert_eq!(current, lacp.len());
    }
}

/// A text without what changes from call to call: numbers of ms and ids, and addresses.
fn timeless(text: &str) -> String {
    let word = |word: &str| {
        let mac = word.matches(':').count() == 5;
        let number = !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit());
        let who = word.split_once('(').map_or("", |(_, who)| who);
        if mac {
            format!("MAC({who}")
        } else if number {
            "N".to_string()
        } else {
            word.to_string()
        }
    };
    let line = |line: &str| line.split(' ').map(word).collect::<Vec<_>>().join(" ");
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// What the real Open vSwitch 3.1 printed of such bonds (`tests/lab/capture-ovs`).
macro_rules! captured {
    ($name:literal) => {
        include_str!(concat!("../../../tests/lab/captured/ovs/", $name, ".txt"))
    };
}

#[test]
fn open_vswitch_prints_what_the_real_one_printed() {
    let dom0 = altered(Backend::Openvswitch, |s| {
        s.dom0.features.vswitch = Some((3, 1));
        s.dom0.wire.first = Some("eth2".into());
        s.dom0.vswitch.get_mut("bond0").unwrap().active = Some("eth5".into());
    });
    dom0.bond(&["eth2", "eth3"], "mode=active-backup");
    dom0.wait(32);
    let is = |command: &str, bond: &str, captured: &str| {
        let text = dom0.ok(&format!("ovs-appctl {command} {bond}"));
        assert_eq!(timeless(&text), timeless(captured), "{command}");
    };
    is("bond/show", "bond1", captured!("ab-good"));
    let slb = captured!("slb-good").replace("bond2", "bond0");
    is("bond/show", "bond0", &slb);
    dom0.link("eth3", false);
    dom0.wait(1);
    is("bond/show", "bond1", captured!("ab-down"));
    dom0.link("eth3", true);
    dom0.wait(1);
    is("bond/show", "bond1", captured!("ab-coming"));
    dom0.link("eth2", false);
    dom0.wait(1);
    is("bond/show", "bond1", captured!("ab-failover"));
    dom0.link("eth3", false);
    dom0.wait(1);
    is("bond/show", "bond1", captured!("ab-none"));
    let columns = |text: &str| -> Vec<String> {
        text.lines().filter_map(|l| Some(l.split_once(':')?.0.to_string())).collect()
    };
    let record = dom0.ok("ovs-vsctl list port bond1");
    assert_eq!(columns(&record), columns(captured!("record")));
    assert!(record.contains("other_config        : {bond-detect-mode=carrier, bond-miimon-interval=\"100\", bond-rebalance-interval=\"1800000\"}\n"), "{record}");
    assert!(dom0.ok("ovs-appctl bond/list").starts_with(captured!("list").lines().next().unwrap()));
}

#[test]
fn lacp_prints_what_the_real_one_printed() {
    for heard in [true, false] {
        let dom0 = altered(Backend::Openvswitch, |s| {
            s.dom0.features.vswitch = Some((3, 1));
            s.dom0.wire.first = Some("eth2".into());
            if !heard {
                s.dom0.wire.lacp.clear();
            }
        });
        dom0.bond(&["eth2", "eth3"], "mode=lacp");
        dom0.wait(if heard { 40 } else { 5 });
        let (bond, lacp) = match heard {
            true => (captured!("lacp-good"), captured!("lacp-good-lacp")),
            false => (captured!("lacp-configured"), captured!("lacp-configured-lacp")),
        };
        // The partner that was captured asks for the fast rate, and is another.
        let alike = |text: &str| {
            let text =
                text.replace("bond3", "bond1").replace("eth6", "eth2").replace("eth7", "eth3");
            timeless(&text.replace(" timeout", ""))
        };
        assert_eq!(alike(&dom0.ok("ovs-appctl bond/show bond1")), alike(bond));
        assert_eq!(alike(&dom0.ok("ovs-appctl lacp/show bond1")), alike(lacp));
    }
}
