//! `xe` of the releases that were recorded, where they differ from older ones, and what all of
//! them do to a pool by the way.

use super::Dom0;
use crate::model::builtin::set_release;
use crate::model::state::{Backend, Flavour, Release, Xapi};

fn host(release: Release) -> Dom0 {
    Dom0::altered(Flavour::El7, Backend::Bridge, |state| set_release(state, release))
}

fn me(dom0: &Dom0) -> String {
    dom0.model.state().pool.hosts["xen01"].uuid.clone()
}

#[test]
fn booleans_are_taken_in_every_spelling_by_the_later_ones() {
    let dom0 = host(Release::V24_39);
    let me = me(&dom0);
    for (word, managed) in [("t", true), ("YES", true), ("1", true), ("F", false), ("n", false)] {
        dom0.ok(&format!("xe pif-forget uuid={}", dom0.pif("eth2")));
        dom0.ok(&format!("xe pif-introduce host-uuid={me} device=eth2 managed={word}"));
        assert_eq!(dom0.model.state().pool.pifs["xen01/eth2"].managed, managed, "{word}");
    }
    let line = format!("xe pif-introduce host-uuid={me} device=eth2 managed=maybe");
    assert_eq!(
        dom0.bad(&line),
        "Error: Failed to parse parameter 'managed': Expected 'true','t','yes','y','1','false','f','no','n','0' got maybe\n"
    );
    // Fields are OCaml booleans, whatever the release.
    let eth3 = dom0.pif("eth3");
    assert!(
        dom0.bad(&format!("xe pif-param-set uuid={eth3} disallow-unplug=TRUE"))
            .contains("expecting a boolean")
    );
}

#[test]
fn all_unmanaged_nics_share_one_network_without_a_bridge() {
    for (release, name) in [
        (Release::V24_39, "Pool-wide network associated with eth2"),
        (Release::V26_1, "Pool-wide network 2"),
    ] {
        let dom0 = host(release);
        let me = me(&dom0);
        for nic in ["eth2", "eth3"] {
            dom0.ok(&format!("xe pif-forget uuid={}", dom0.pif(nic)));
            dom0.ok(&format!("xe pif-introduce host-uuid={me} device={nic} managed=false"));
        }
        let pool = dom0.model.state().pool;
        let of = |nic: &str| pool.pifs[&format!("xen01/{nic}")].network.clone();
        assert_eq!(of("eth2"), of("eth3"));
        let network = &pool.networks[&of("eth3")];
        assert_eq!((network.bridge.as_str(), network.name_label.as_str()), ("", name));
        assert!(!network.managed);
        for nic in ["eth2", "eth3"] {
            dom0.ok(&format!("xe pif-forget uuid={}", dom0.pif(nic)));
        }
        assert!(dom0.model.state().pool.networks.contains_key(&of("eth2")), "it stays behind");
    }
}

#[test]
fn a_netmask_with_holes_gets_into_the_database_and_unplugs_the_pif() {
    let dom0 = host(Release::V24_39);
    let eth2 = dom0.pif("eth2");
    dom0.ok(&format!(
        "xe pif-reconfigure-ip uuid={eth2} mode=static IP=10.9.0.5 netmask=255.255.255.0 DNS=x"
    ));
    assert_eq!(dom0.model.state().pool.pifs["xen01/eth2"].dns, "", "dropped without a word");
    let line =
        format!("xe pif-reconfigure-ip uuid={eth2} mode=static IP=10.9.0.6 netmask=255.0.255.0");
    assert!(dom0.bad(&line).ends_with(&format!("PIF: {eth2}\nmsg: \n")));
    let pif = dom0.model.state().pool.pifs["xen01/eth2"].clone();
    assert_eq!((pif.ip.as_str(), pif.currently_attached), ("10.9.0.6", false));
    assert!(dom0.read("proc/net/fib_trie").contains("|-- 10.9.0.5\n"), "the bridge keeps its own");
}

#[test]
fn a_restart_of_the_toolstack_plugs_what_is_managed_and_unplugged() {
    let dom0 = host(Release::V24_39);
    let me = me(&dom0);
    dom0.ok(&format!("xe pif-unplug uuid={}", dom0.pif("eth2")));
    dom0.ok(&format!("xe pif-forget uuid={}", dom0.pif("eth3")));
    dom0.ok(&format!("xe pif-introduce host-uuid={me} device=eth3 managed=false"));
    dom0.ok("xe-toolstack-restart");
    let state = dom0.model.state();
    assert_eq!(state.dom0.xapi, Xapi::Starting);
    assert!(state.pool.pifs["xen01/eth2"].currently_attached);
    assert!(!state.pool.pifs["xen01/eth3"].currently_attached);
    assert_eq!(dom0.model.state().dom0.master_of("eth2"), Some("xenbr2"));
    assert_eq!(dom0.sysfs("bond0/bonding/slaves"), "eth4 eth5", "what was up stays as it was");
}

#[test]
fn a_bond_that_networkd_cannot_make_stays_as_a_record() {
    let dom0 = host(Release::V24_39);
    dom0.model.change(|state| {
        state.dom0.delete_bond("bond0");
        state.dom0.modules.remove("bonding");
        state.dom0.features.missing_modules.insert("bonding".into());
    });
    let network = dom0.ok("xe network-create name-label=storage");
    let (two, three) = (dom0.pif("eth2"), dom0.pif("eth3"));
    let line = format!("xe bond-create network-uuid={} pif-uuids={two},{three}", network.trim());
    assert!(dom0.bad(&line).ends_with("msg: \n"));
    let pool = dom0.model.state().pool;
    assert!(pool.bonds.contains_key("xen01/bond1"));
    assert!(!pool.pifs["xen01/eth2"].currently_attached);
    let bond = pool.bonds["xen01/bond1"].uuid.clone();
    dom0.ok(&format!("xe bond-destroy uuid={bond}"));
    assert!(!dom0.model.state().pool.pifs.contains_key("xen01/bond1"));
}

#[test]
fn a_network_is_not_destroyed_under_pifs_or_machines() {
    let dom0 = host(Release::V8_2);
    let uuid = |bridge: &str| dom0.model.state().pool.networks[bridge].uuid.clone();
    let text = dom0.bad(&format!("xe network-destroy uuid={}", uuid("xenbr1")));
    let lines: Vec<&str> = text.lines().map(|line| line.split(": ").next().unwrap()).collect();
    assert_eq!(
        lines,
        ["The network contains active PIFs and cannot be deleted.", "pifs", "<extra>", "<extra>"]
    );
    dom0.model.change(|state| state.pool.pifs.retain(|_, pif| pif.network != "xapi2"));
    dom0.ok(&format!("xe network-destroy uuid={}", uuid("xapi2")));
    assert!(!dom0.model.state().pool.vifs.contains_key("vm-spare/0"), "it goes with its network");
}

#[test]
fn maps_are_changed_key_by_key() {
    let dom0 = host(Release::V24_39);
    let eth2 = dom0.pif("eth2");
    dom0.ok(&format!("xe pif-param-set uuid={eth2} other-config-foo=bar other-config:none"));
    let map = dom0.model.state().pool.pifs["xen01/eth2"].other_config.clone();
    assert_eq!((map["foo"].as_str(), map["none"].as_str()), ("bar", ""));
    for (line, err) in [
        (
            "pif-param-set other-config=x",
            "Error: Field 'other-config' is a map or set. use the 'name:key=value' syntax.\n",
        ),
        (
            "pif-param-set properties:nosuch=x",
            "The value given is invalid\nfield: properties\nvalue: nosuch = x\n",
        ),
        (
            "pif-param-remove param-name=properties param-key=gro",
            "Error: Cannot remove parameters from read-only map\n",
        ),
        (
            "pif-param-remove param-name=other-config param-key=comma",
            "Error: Key comma is not in map\n",
        ),
        (
            "pif-param-get param-name=nosuch",
            "Error code: Missing parameter\nError parameters: nosuch\n",
        ),
    ] {
        assert_eq!(dom0.bad(&format!("xe {line} uuid={eth2}")), err, "{line}");
    }
    assert!(
        dom0.bad(&format!("xe pif-param-add uuid={eth2} param-name=other-config foo=x"))
            .contains("already there")
    );
}
