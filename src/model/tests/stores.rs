//! What is on disk, when it gets there, and what a power cut takes.

use super::{BOTH, Dom0};
use crate::model::state::{Backend, Flavour, Saves};

fn slow(flavour: Flavour) -> Dom0 {
    Dom0::altered(flavour, Backend::Bridge, |s| s.dom0.saves = Saves::REAL)
}

const DATABASE: &str = "var/lib/xcp/state.db";
const NETWORKD: &str = "var/lib/xcp/networkd.db";

/// The bridge that networkd's file has a NIC in.
fn bridge_of(dom0: &Dom0, nic: &str) -> Option<String> {
    let file: serde_json::Value = serde_json::from_str(&dom0.read(NETWORKD)).expect("JSON");
    let bridges = file["bridge_config"].as_object().expect("bridges").clone();
    let has = |bridge: &serde_json::Value| {
        let mut ports = bridge["ports"].as_object().expect("ports").values();
        ports.any(|port| port["interfaces"].as_array().expect("a list").contains(&nic.into()))
    };
    bridges.into_iter().find(|(_, bridge)| has(bridge)).map(|(name, _)| name)
}

#[test]
fn what_is_forgotten_is_on_disk_at_once_or_after_its_time() {
    for flavour in BOTH {
        for (dom0, at_once) in [(Dom0::new(flavour, Backend::Bridge), true), (slow(flavour), false)]
        {
            let uuid = dom0.pif("eth2");
            assert_eq!(bridge_of(&dom0, "eth2").as_deref(), Some("xenbr2"));
            assert!(dom0.read(DATABASE).contains(&format!("uuid=\"{uuid}\"")));
            let generation = dom0.read("var/lib/xcp/state.db.generation");
            dom0.ok(&format!("xe pif-forget uuid={uuid}"));
            for seconds in [0, 250, 60] {
                dom0.wait(seconds);
                let saved = at_once || seconds == 60;
                assert_eq!(bridge_of(&dom0, "eth2").is_none(), saved);
                assert_eq!(!dom0.read(DATABASE).contains(&uuid), saved);
                assert_eq!(dom0.read("var/lib/xcp/state.db.generation") != generation, saved);
            }
        }
    }
}

#[test]
fn the_master_writes_when_it_is_asked_even_where_a_member_is_dead() {
    for dead in [false, true] {
        let dom0 = slow(Flavour::El7);
        dom0.model.change(|s| s.pool.hosts.get_mut("xen03").expect("a member").live = !dead);
        let uuid = dom0.pif("eth2");
        dom0.ok(&format!("xe pif-forget uuid={uuid}"));
        assert_eq!(dom0.run("xe pool-sync-database").0, i32::from(dead));
        assert!(!dom0.read(DATABASE).contains(&uuid));
        assert_eq!(bridge_of(&dom0, "eth2").as_deref(), Some("xenbr2"), "networkd is not asked");
    }
}

#[test]
fn after_a_power_cut_networkd_has_the_nics_before_the_bond() {
    for synced in [false, true] {
        let dom0 = slow(Flavour::El7);
        let was = dom0.pif("eth2");
        dom0.prepared("mode=1 miimon=100");
        let unit = "[Unit]\nAfter=xcp-networkd.service\nBefore=xapi.service\n\n[Service]\nType=oneshot\nExecStart=/sbin/ifup bond51\n\n[Install]\nWantedBy=multi-user.target\n";
        dom0.write("etc/systemd/system/xenbond-bond51.service", unit);
        dom0.ok("systemctl enable xenbond-bond51.service");
        dom0.ok("ifup bond51");
        if synced {
            dom0.ok("xe pool-sync-database");
        }
        dom0.model.cut().expect("up again");
        dom0.wait(60);
        assert_eq!(dom0.sysfs("bond51/bonding/slaves"), "", "networkd was first");
        assert!(dom0.read("proc/net/fib_trie").contains("172.16.51.11"), "and ifup said 0");
        assert_eq!(dom0.pif("eth2"), if synced { "" } else { was.as_str() });
        assert_eq!(dom0.model.state().dom0.master_of("eth2"), Some("xenbr2"));
        dom0.wait(300);
        let bridge = bridge_of(&dom0, "eth2");
        assert_eq!(
            bridge.is_some(),
            !synced,
            "XAPI's start has networkd forget what it does not know"
        );
    }
}

#[test]
fn after_a_clean_reboot_nothing_is_lost() {
    for flavour in BOTH {
        let dom0 = slow(flavour);
        dom0.ok(&format!("xe pif-forget uuid={}", dom0.pif("eth2")));
        dom0.model.reboot().expect("up again");
        dom0.wait(60);
        assert_eq!(dom0.pif("eth2"), "");
        assert_eq!(dom0.model.state().dom0.master_of("eth2"), None);
    }
}

#[test]
fn networkd_db_says_what_the_file_says() {
    let dom0 = slow(Flavour::El7);
    let said = dom0.ok("networkd_db -bridge xapi0 -iface xenbr0");
    assert_eq!(
        said,
        "interfaces=eth4,eth5\nmode=static\nipaddr=10.20.0.11\nnetmask=255.255.255.0\ngateway=10.20.0.1\n"
    );
    assert_eq!(dom0.bad("networkd_db -bridge xenbr9"), "Could not find bridge xenbr9\n");
    let said = dom0.ok("networkd_db -bridge xapi1");
    assert_eq!(said, "interfaces=\nvlan=30\nparent=xenbr1\n");
}
