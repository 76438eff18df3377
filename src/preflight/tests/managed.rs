//! A NIC that XAPI is to keep: each finding by its cause and by nothing else, on a healthy host.

use super::*;
use crate::dom0::pif;
use crate::inventory::on_host;
use crate::spec::tests::storage_nic;

/// A finding, the keys of the spec that are other than usual, how the host is bent, what else is
/// found with it, and words of its sentence.
type Case =
    (Code, &'static [(&'static str, &'static str)], fn(&mut State), &'static [Code], &'static str);

fn own(state: &mut State, nic: &str) {
    let pif = pif(state, nic);
    (pif.ip_configuration_mode, pif.ip) = ("Static".into(), "192.168.9.1".into());
    pif.netmask = "255.255.255.0".into();
}

const BOND: &[(&str, &str)] = &[("nics", "eth2,eth3"), ("network", "NAS"), ("mode", "lacp")];

pub(super) const KEPT: &[Case] = &[
    (
        NicNotManaged,
        &[],
        |s| pif(s, "eth2").managed = false,
        &[NicInUse],
        "the PIF of eth2 is one that XAPI leaves alone",
    ),
    (
        NicNotManaged,
        &[],
        |s| drop(s.pool.pifs.remove("xen01/eth2")),
        &[],
        "XAPI has no PIF of eth2",
    ),
    (
        PifSetsMtu,
        &[("mtu", "9000")],
        |s| drop(pif(s, "eth2").other_config.insert("mtu".into(), "1500".into())),
        &[NetworkIsThePools],
        "other-config:mtu=1500, which beats the MTU of its network, 9000",
    ),
    (NetworkIsThePools, &[("mtu", "9000")], |_| {}, &[], "its MTU counts on each host"),
    (
        NetworkIsThePools,
        &[("routes", "10.99.0.0/16 via 172.16.51.1")],
        |_| {},
        &[],
        "its routes count on each host",
    ),
    (NicIsManagement, &[("nics", "eth0")], |_| {}, &[], "eth0 carries the management"),
    (
        NicInManagedBond,
        &[("nics", "eth4")],
        |_| {},
        &[],
        "eth4 is a slave of the managed bond bond0",
    ),
    (NicHasVlans, &[("nics", "eth1")], |_| {}, &[], "eth1 carries VLAN 30, 40"),
    (NicHasIp, &[], |s| own(s, "eth2"), &[], "(192.168.9.1)"),
    (
        NicHasIp,
        &[],
        |s| pif(s, "eth2").ip_configuration_mode = "DHCP".into(),
        &[],
        "IP configuration mode dhcp",
    ),
    (
        DefaultRouteByBond,
        &[],
        |s| drop(pif(s, "eth2").other_config.insert("defaultroute".into(), "true".into())),
        &[],
        "other-config:defaultroute=true",
    ),
    (
        NicNoLink,
        &[],
        |s| s.dom0.nics.get_mut("eth2").unwrap().link = false,
        &[],
        "eth2 has no link",
    ),
    (HaEnabled, &[], |s| s.pool.ha_enabled = true, &[], "XAPI then changes no address of a PIF"),
    (RedoLogEnabled, &[], |s| s.pool.redo_log_enabled = true, &[], "the pool's redo log is on"),
    (SubnetOverlap, &[("address", "10.20.0.77/24")], |_| {}, &[], "the management subnet"),
    (
        AddressTaken,
        &[("address", "10.20.0.11/24")],
        |_| {},
        &[SubnetOverlap],
        "10.20.0.11 is already configured here, on xenbr0",
    ),
    (MtuTooLarge, &[("mtu", "9900")], |_| {}, &[NetworkIsThePools], "takes 9710 at the most"),
    (XapiUnreachable, &[], |s| s.dom0.xapi = XapiState::Down, &[], "XAPI could not be asked"),
];

const NAS: (&str, &str) = ("network", "NAS");
const MGT: &[(&str, &str)] = &[("nics", "eth0,eth3"), ("network", "MGT"), ("use", "management")];

/// A network on which nothing lies.
fn network(state: &mut State, name: &str) {
    let bridge = format!("xapi{}", state.pool.networks.len());
    let mut new = state.pool.networks["xenbr2"].clone();
    (new.uuid, new.name_label) = (crate::model::state::uuid_of(&bridge), name.into());
    new.bridge.clone_from(&bridge);
    state.pool.networks.insert(bridge, new);
}

fn two_networks(state: &mut State) {
    network(state, "NAS");
    network(state, "NAS");
}

/// The same of a bond.
pub(super) const BONDS: &[Case] = &[
    (
        NetworkAmbiguous,
        &[("nics", "eth2,eth3"), NAS],
        two_networks,
        &[],
        "2 networks are called NAS",
    ),
    (
        PifPropertiesDiffer,
        &[("nics", "eth2,eth3"), NAS],
        |s| drop(pif(s, "eth3").properties.insert("gro".into(), "off".into())),
        &[],
        "eth2 gro=on, eth3 gro=off",
    ),
    (
        NicInManagedBond,
        &[("nics", "eth2,eth4"), NAS],
        |_| {},
        &[],
        "eth4 is a slave of the managed bond bond0",
    ),
    (
        NicHasIp,
        &[("nics", "eth2,eth3"), NAS],
        |s| {
            own(s, "eth2");
            own(s, "eth3");
        },
        &[],
        "the PIF of eth3 has IP configuration mode static",
    ),
    (
        ManagementElsewhere,
        &[("nics", "eth2,eth3"), ("network", "MGT"), ("use", "management")],
        |_| {},
        &[GatewayNotProven],
        "the management of this host is on eth0",
    ),
    (
        NetworkSettingsLost,
        MGT,
        |s| s.pool.networks.get_mut("xenbr0").unwrap().mtu = 9000,
        &[NicMtuPending],
        "the management network has the MTU 9000",
    ),
    (
        GatewayNotProven,
        MGT,
        |s| s.dom0.wire.apart.extend(["eth3".to_string()]),
        &[],
        "the gateway 10.20.0.1 does not answer through eth3",
    ),
    (
        GatewayNotProven,
        MGT,
        |s| s.dom0.nics.get_mut("eth3").unwrap().link = false,
        &[NicNoLink],
        "does not answer through eth3",
    ),
    (HaEnabled, MGT, |s| s.pool.ha_enabled = true, &[], "high availability is on"),
];

fn found(asked: &[(&'static str, &str)], bend: fn(&mut State), backend: Backend) -> Vec<Finding> {
    let mut state = evacuated(Flavour::El7, backend);
    bend(&mut state);
    let dom0 = Dom0::of(state);
    let spec = storage_nic(asked);
    let named: Vec<_> = spec.xapi_bond().map(|(_, name)| name.clone()).into_iter().collect();
    let request = Request::of(spec.clone());
    let ask = Ask {
        nics: &spec.nics,
        networks: true,
        named: &named,
        request: Some(&request),
        ..Ask::default()
    };
    let mut inv = Inventory::read(&dom0.host, ask).unwrap();
    inv.kernel.devices.values_mut().for_each(|device| device.max_mtu = Some(9710));
    let spec = on_host(spec, &inv);
    check(&spec, &inv)
}

#[test]
fn each_finding_of_a_storage_nic_is_raised_by_its_cause_and_by_nothing_else() {
    for backend in [Backend::Bridge, Backend::Openvswitch] {
        assert_eq!(found(&[], |_| {}, backend), [], "{backend:?}");
    }
    let mut wrong = Vec::new();
    for (code, asked, bend, also, words) in KEPT.iter().chain(BONDS) {
        let all = found(asked, *bend, Backend::Openvswitch);
        let mut has: Vec<Code> = all.iter().map(|finding| finding.code).collect();
        let mut want: Vec<Code> = [code].into_iter().chain(*also).copied().collect();
        has.dedup();
        want.sort_unstable();
        has.sort_unstable();
        if has != want || !all.iter().any(|f| f.code == *code && f.message.contains(words)) {
            wrong.push(format!("{code} ({words}), wanted {want:?}: {all:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn what_the_bridge_backend_cannot_is_refused_there_alone() {
    let three: &[(&str, &str)] = &[("nics", "eth2,eth3,eth1"), ("network", "NAS")];
    for (asked, words) in [(BOND, "XAPI makes LACP"), (three, "XAPI makes a bond of 3 NICs")] {
        let of = |backend| {
            let all = found(asked, |_| {}, backend).into_iter();
            all.filter(|f| f.code == ModeNeedsOpenvswitch).collect::<Vec<_>>()
        };
        assert!(of(Backend::Bridge)[0].message.starts_with(words));
        assert_eq!(of(Backend::Openvswitch), []);
    }
}

#[test]
fn the_nic_by_which_a_bond_goes_may_carry_what_comes_along() {
    let asked = |nics| [("nics", nics), ("network", "MGT")];
    let codes = |nics: &'static str, bend: fn(&mut State)| {
        let all = found(&asked(nics), bend, Backend::Openvswitch).into_iter();
        all.map(|f| f.code).collect::<Vec<_>>()
    };
    // The first has no address, so the other one leads.
    let second: fn(&mut State) = |state| own(state, "eth3");
    assert!(!codes("eth2,eth3", second).contains(&NicHasIp));
    let both: fn(&mut State) = |state| {
        own(state, "eth2");
        own(state, "eth3");
    };
    assert!(codes("eth2,eth3", both).contains(&NicHasIp));
    assert!(!codes("eth1,eth3", |_| {}).contains(&NicHasVlans));
    assert!(codes("eth3,eth1", |_| {}).contains(&NicHasVlans));
    assert!(codes("eth0,eth3", |_| {}).contains(&NicIsManagement), "it is for storage");
}
