//! What several facts of a host make together: what bars nothing, what comes first.

use super::*;

#[test]
fn a_healthy_host_has_neither_errors_nor_warnings() {
    for flavour in [Flavour::El5, Flavour::El7] {
        for backend in [Backend::Bridge, Backend::Openvswitch] {
            for asked in
                [&[][..], &[("nics", "00:1b:21:0a:01:02,00:1B:21:0A:01:03")], &[("mode", "7")]]
            {
                let spec = spec(asked);
                let found = check(&spec, &read(evacuated(flavour, backend), |_| {}, &spec));
                let bad: Vec<&Finding> = barring(&found, &[]);
                assert!(bad.is_empty(), "{flavour:?} {backend:?} {asked:?}: {bad:#?}");
            }
        }
    }
}

#[test]
fn running_machines_are_no_matter_where_nothing_reboots() {
    let spec = spec(&[]);
    let inv = read(builtin::pool(Flavour::El7, Backend::Bridge), |_| {}, &spec);
    assert!(!needs_reboot(&spec, &inv));
    assert_eq!(codes(&spec, &inv), [NicTunedByXapi, AlertsLost]);
    let inv = read(builtin::pool(Flavour::El7, Backend::Openvswitch), |_| {}, &spec);
    let found = check(&spec, &inv);
    let vms = found.iter().find(|f| f.code == VmsRunning).unwrap();
    assert_eq!(vms.severity, Severity::Warning);
    assert!(vms.message.contains("2 VMs run here: ") && vms.message.contains("vm-db"), "{vms:?}");
    assert!(vms.hint.contains(&inv.host_uuid().unwrap().to_string()), "{vms:?}");
}

#[test]
fn findings_come_worst_first_and_all_at_once() {
    let spec = spec(&[
        ("name", "bond3"),
        ("nics", "eth0,eth4,eth9"),
        ("mode", "4"),
        ("address", "10.20.0.9/24"),
    ]);
    let inv = read(builtin::pool(Flavour::El7, Backend::Openvswitch), |_| {}, &spec);
    let found = check(&spec, &inv);
    assert!(found.is_sorted_by_key(|f| (f.severity, f.code)), "{found:#?}");
    let want = [
        NicMissing,
        NicIsManagement,
        NicInManagedBond,
        BondNameReserved,
        SubnetOverlap,
        VmsRunning,
        PoolBackends,
        SwitchSetup,
        AlertsLost,
    ];
    assert_eq!(codes(&spec, &inv), want);
}

#[test]
fn only_a_warning_can_be_accepted() {
    let all: Vec<Finding> =
        [NicMissing, VmsRunning, NicNoLink, AlertsLost].map(|c| Finding::new(c, "x")).into();
    let left = |accepted: &[&str]| -> Vec<Code> {
        let accepted: Vec<String> = accepted.iter().map(|a| (*a).to_string()).collect();
        barring(&all, &accepted).iter().map(|f| f.code).collect()
    };
    assert_eq!(left(&[]), [NicMissing, VmsRunning, NicNoLink]);
    assert_eq!(left(&["vms-running", "nic-missing"]), [NicMissing, NicNoLink]);
    assert_eq!(left(&["vms-running", "nic-no-link", "alerts-lost"]), [NicMissing]);
    assert_eq!(left(&["VmsRunning", ""]), [NicMissing, VmsRunning, NicNoLink]);
}

#[test]
fn a_transaction_of_the_same_spec_bars_nothing() {
    for (asked, phase) in [
        (&[][..], Phase::Applying),
        (&[], Phase::RollingBack),
        (&[("name", "bond52")], Phase::Done),
        (&[("name", "bond52")], Phase::RolledBack),
    ] {
        let mut inv = healthy();
        inv.transaction = transaction(asked, phase.clone());
        assert_eq!(codes(&spec(&[]), &inv), ALWAYS, "{asked:?} {phase}");
    }
}

#[test]
fn a_bond_that_we_made_bars_nothing() {
    let text = "Bonding Mode: fault-tolerance (active-backup)\n\
        \nSlave Interface: eth2\nPermanent HW addr: 00:1b:21:0a:01:02\n\
        \nSlave Interface: eth3\nPermanent HW addr: 00:1b:21:0a:01:03\n";
    let mut inv = healthy();
    inv.kernel.bonds.insert("bond51".into(), text.into());
    inv.kernel
        .devices
        .insert("bond51".into(), Device { kind: DeviceKind::Bond, ..Device::default() });
    let net = spec(&[]).address.unwrap();
    inv.kernel.addresses.push(Address { device: "bond51".into(), net });
    inv.kernel.routes.push(Route {
        device: "bond51".into(),
        to: net.subnet(),
        gateway: None,
        metric: 0,
    });
    for nic in ["eth2", "eth3"] {
        device(&mut inv, nic).master = Some("bond51".into());
        device(&mut inv, nic).address = Some("00:1b:21:0a:01:02".parse().unwrap());
        device(&mut inv, nic).carrier = Some(false);
    }
    inv.xapi.as_mut().unwrap().pifs.retain(|p| p.device != "eth2");
    let theirs = codes(&spec(&[]), &inv);
    assert_eq!(
        theirs,
        [NicNotPhysical, NicInOtherBond, BondNameTaken, NicNoLink, PoolBackends, AlertsLost]
    );
    for name in ["bond51", "eth2", "eth3"] {
        let ours = file("# xenbond wrote this file for bond51\nDEVICE=x\nMASTER=bond51\n");
        inv.files.insert(format!("/etc/sysconfig/network-scripts/ifcfg-{name}"), ours);
    }
    // A slave without link is one in a bond that stands as well.
    assert_eq!(codes(&spec(&[]), &inv), [NicNoLink, PoolBackends, AlertsLost]);
}

#[test]
fn a_name_of_the_spec_is_the_nic_that_has_it() {
    let inv = healthy();
    let all = resolve(&spec(&[("nics", "00:1B:21:0A:01:03,eth2,eth9,00:00:00:00:00:09")]), &inv);
    let names: Vec<Option<&str>> =
        all.iter().map(|n| n.as_ref().map(|n| n.device.as_str())).collect();
    assert_eq!(names, [Some("eth3"), Some("eth2"), None, None]);
    let first = all[0].as_ref().unwrap();
    assert_eq!(first.mac.to_string(), "00:1b:21:0a:01:03");
    assert_eq!(first.pif.as_ref().unwrap().device, "eth3");
    // The PIF of eth1 itself, and not one of its VLANs.
    let eth1 = resolve(&spec(&[("nics", "eth1,eth2")]), &inv)[0].clone().unwrap();
    assert_eq!(eth1.pif.unwrap().vlan, -1);
}

#[test]
fn other_names_than_those_of_the_boot_scripts_do_for_a_bond() {
    for (name, want) in [
        ("bond10", None),
        ("bond51", None),
        ("storage", None),
        ("bond", None),
        ("bond9", Some(BondNameReserved)),
        ("bond09", None),
        ("resume", Some(BondNameReserved)),
        ("ib0", Some(BondNameScript)),
        ("ibx0", None),
    ] {
        let found = codes(&spec(&[("name", name)]), &healthy());
        assert_eq!(found.iter().find(|c| !ALWAYS.contains(c)), want.as_ref(), "{name}");
    }
}
