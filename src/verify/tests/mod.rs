//! One good and one bad reading for each row, after what drivers print
//! (tests/ground/procbonding.md).

mod durable;
mod kept;
mod lacp;
mod managed;
mod rows;

use super::*;
use crate::inventory::{Address, Device, DeviceKind};
use crate::net::Ipv4Net;
use crate::net::Route;
use crate::options::Opt;
use crate::spec::tests::usual as spec;
use crate::xe::Pif;

/// The driver of 4.19, active-backup.
const TEXT: &str = "\
Ethernet Channel Bonding Driver: v3.7.1 (April 27, 2011)

Bonding Mode: fault-tolerance (active-backup)
Primary Slave: eth2 (primary_reselect always)
Currently Active Slave: eth2
MII Status: up
MII Polling Interval (ms): 100
Up Delay (ms): 200
Down Delay (ms): 0

Slave Interface: eth2
MII Status: up
Speed: 10000 Mbps
Duplex: full
Link Failure Count: 0
Permanent HW addr: 00:1b:21:0a:01:02
Slave queue ID: 0

Slave Interface: eth3
MII Status: up
Speed: 10000 Mbps
Duplex: full
Link Failure Count: 0
Permanent HW addr: 00:1b:21:0a:01:03
Slave queue ID: 0
";

/// The driver of 3.10, LACP.
const LACP_TEXT: &str = "\
Ethernet Channel Bonding Driver: v3.7.1 (April 27, 2011)

Bonding Mode: IEEE 802.3ad Dynamic link aggregation
Transmit Hash Policy: layer3+4 (1)
MII Status: up
MII Polling Interval (ms): 100
Up Delay (ms): 0
Down Delay (ms): 0

802.3ad info
LACP rate: fast
Min links: 0
Aggregator selection policy (ad_select): stable
Active Aggregator Info:
	Aggregator ID: 1
	Number of ports: 2
	Actor Key: 33
	Partner Key: 32778
	Partner Mac Address: 00:23:04:ee:be:0a

Slave Interface: eth2
MII Status: up
Speed: 10000 Mbps
Duplex: full
Link Failure Count: 0
Permanent HW addr: 00:1b:21:0a:01:02
Promiscuity ref count: 0
Flags: 0x1803
Aggregator ID: 1
Slave queue ID: 0

Slave Interface: eth3
MII Status: up
Speed: 10000 Mbps
Duplex: full
Link Failure Count: 0
Permanent HW addr: 00:1b:21:0a:01:03
Promiscuity ref count: 0
Flags: 0x1803
Aggregator ID: 1
Slave queue ID: 0
";

fn asked() -> Spec {
    spec(&[("primary", "eth2"), ("updelay", "200"), ("use_carrier", "1"), ("mtu", "9000")])
}

fn lacp_asked() -> Spec {
    spec(&[("mode", "4"), ("lacp_rate", "1"), ("xmit_hash_policy", "1"), ("min_links", "0")])
}

fn nics() -> Vec<Nic> {
    [("eth2", "00:1b:21:0a:01:02"), ("eth3", "00:1b:21:0a:01:03")]
        .map(|(device, mac)| Nic {
            device: device.parse().unwrap(),
            mac: mac.parse().unwrap(),
            pif: None,
        })
        .into()
}

fn reading(text: &str, options: &[(&str, &str)]) -> Kernel {
    let device = |kind| Device {
        address: "00:1b:21:0a:01:02".parse().ok(),
        mtu: Some(9000),
        carrier: Some(true),
        kind,
        ..Device::default()
    };
    let net: Ipv4Net = "172.16.51.11/24".parse().unwrap();
    let mut kernel = Kernel { addresses_known: true, ..Kernel::default() };
    kernel.devices.insert("bond51".into(), device(DeviceKind::Bond));
    for nic in ["eth2", "eth3"] {
        let slave = Device { master: Some("bond51".into()), ..device(DeviceKind::Plain) };
        kernel.devices.insert(nic.into(), slave);
    }
    kernel.bonds.insert("bond51".into(), text.into());
    let options = options.iter().map(|(k, v)| ((*k).to_string(), (*v).to_string())).collect();
    kernel.bond_options.insert("bond51".into(), options);
    kernel.addresses.push(Address { device: "bond51".into(), net });
    kernel.routes.push(Route {
        device: "bond51".into(),
        to: net.subnet(),
        gateway: None,
        metric: 0,
    });
    kernel.routes.push(Route {
        device: "xenbr0".into(),
        to: "0.0.0.0/0".parse().unwrap(),
        gateway: Some([10, 20, 0, 1].into()),
        metric: 0,
    });
    kernel
}

const SYS: [(&str, &str); 6] = [
    ("mode", "active-backup 1"),
    ("miimon", "100"),
    ("updelay", "200"),
    ("downdelay", "0"),
    ("use_carrier", "1"),
    ("primary", "eth2"),
];

const LACP_SYS: [(&str, &str); 5] = [
    ("mode", "802.3ad 4"),
    ("miimon", "100"),
    ("lacp_rate", "fast 1"),
    ("xmit_hash_policy", "layer3+4 1"),
    ("min_links", "0"),
];

fn good() -> Kernel {
    reading(TEXT, &SYS)
}

fn lacp_good() -> Kernel {
    reading(LACP_TEXT, &LACP_SYS)
}

fn row<'a>(checks: &'a [Check], name: &str) -> &'a Check {
    checks
        .iter()
        .find(|c| c.name.to_string() == name)
        .unwrap_or_else(|| panic!("no row {name} in {checks:#?}"))
}

fn names(checks: &[Check]) -> Vec<String> {
    checks.iter().map(|c| c.name.to_string()).collect()
}

/// Replaces a part of the text of `/proc`.
fn proc(kernel: &mut Kernel, from: &str, to: &str) {
    let text = kernel.bonds.get_mut("bond51").unwrap();
    let new = text.replace(from, to);
    assert_ne!(new, *text, "{from:?} is not there");
    *text = new;
}

/// Sets what `/sys` says, or takes it away.
fn sys(kernel: &mut Kernel, name: &str, value: Option<&str>) {
    let options = kernel.bond_options.get_mut("bond51").unwrap();
    match value {
        Some(value) => drop(options.insert(name.into(), value.into())),
        None => drop(options.remove(name)),
    }
}

fn device<'a>(kernel: &'a mut Kernel, name: &str) -> &'a mut Device {
    kernel.devices.get_mut(name).unwrap()
}

/// A row, how the good reading is bent, what the row then has, and a part of its hint.
type Case = (&'static str, fn(&mut Kernel), Option<&'static str>, &'static str);

#[test]
fn a_bond_that_is_as_asked_has_no_bad_row() {
    let checks = kernel(&asked(), &nics(), &good());
    assert!(failed(&checks).is_empty(), "{:#?}", failed(&checks));
    assert!(checks.iter().all(|c| c.hint.is_none()));
    assert_eq!(
        names(&checks),
        [
            "driver",
            "mode",
            "miimon",
            "updelay",
            "use_carrier",
            "primary",
            "slaves",
            "eth2 permanent MAC",
            "eth2 link",
            "eth3 permanent MAC",
            "eth3 link",
            "speed",
            "duplex",
            "bond51 link",
            "active slave",
            "address",
            "bond51 MTU",
            "eth2 MTU",
            "eth3 MTU",
            "default route",
            "link-local route",
        ]
    );
    let checks = kernel(&lacp_asked(), &nics(), &lacp_good());
    assert!(failed(&checks).is_empty(), "{:#?}", failed(&checks));
    assert_eq!(
        names(&checks),
        [
            "driver",
            "mode",
            "miimon",
            "lacp_rate",
            "min_links",
            "xmit_hash_policy",
            "slaves",
            "eth2 permanent MAC",
            "eth2 link",
            "eth3 permanent MAC",
            "eth3 link",
            "speed",
            "duplex",
            "bond51 link",
            "LACP partner",
            "LACP aggregator",
            "LACP ports",
            "address",
            "default route",
            "link-local route",
        ]
    );
}

#[test]
fn a_bond_that_is_not_there_is_the_only_row() {
    let checks = kernel(&asked(), &nics(), &Kernel::default());
    assert_eq!((names(&checks), checks[0].ok), (vec!["bond51".to_string()], false));
    assert!(checks[0].hint.as_ref().unwrap().contains("ifup bond51"));
}

#[test]
fn a_nic_that_moved_is_told_from_one_that_is_gone() {
    let text = &TEXT[..TEXT.find("\nSlave Interface: eth3").unwrap()];
    let mac = "eth3 permanent MAC";
    let mut out = reading(text, &SYS);
    let own = |k: &mut Kernel, name: &str, mac: &str| {
        k.devices.insert(
            name.into(),
            Device { address: mac.parse().ok(), kind: DeviceKind::Plain, ..Device::default() },
        );
    };
    own(&mut out, "eth3", "00:1b:21:0a:01:03");
    let checks = kernel(&asked(), &nics(), &out);
    assert!(row(&checks, mac).ok && !row(&checks, "slaves").ok);
    own(&mut out, "eth3", "00:1b:21:0a:01:09");
    let have = |k: &Kernel| row(&kernel(&asked(), &nics(), k), mac).have.clone();
    assert_eq!(have(&out).as_deref(), Some("00:1b:21:0a:01:09"));
    own(&mut out, "eth7", "00:1b:21:0a:01:03");
    let moved = "00:1b:21:0a:01:09; it is eth7 that has this MAC";
    assert_eq!(have(&out).as_deref(), Some(moved));
    out.devices.retain(|name, _| name != "eth3" && name != "eth7");
    assert_eq!(have(&out).as_deref(), Some("no such device"));
}

#[test]
fn one_witness_is_enough_and_none_is_not() {
    for (without_proc, without_sys) in [(false, true), (true, false)] {
        let mut one = good();
        if without_proc {
            proc(&mut one, "MII Polling Interval (ms): 100\nUp Delay (ms): 200\n", "");
        }
        if without_sys {
            one.bond_options.clear();
        }
        let checks = kernel(&asked(), &nics(), &one);
        for name in ["mode", "miimon", "updelay", "primary"] {
            assert!(row(&checks, name).ok, "{:?}", row(&checks, name));
        }
    }
    let mut none = reading(
        "Slave Interface: eth2\nMII Status: up\n\nSlave Interface: eth3\nMII Status: up\n",
        &[],
    );
    (none.addresses, none.addresses_known) = (Vec::new(), false);
    none.routes.clear();
    for device in none.devices.values_mut() {
        *device = Device::default();
    }
    let known = ["slaves", "eth2 link", "eth3 link", "default route", "link-local route"];
    for check in kernel(&asked(), &nics(), &none) {
        assert_eq!(check.ok, known.contains(&check.name.to_string().as_str()), "{check:?}");
        assert!(check.ok || check.to_string().contains("found "), "{check}");
    }
}

#[test]
fn speed_and_duplex_come_from_sys_where_the_driver_prints_none() {
    let mut old = good();
    proc(&mut old, "Speed: 10000 Mbps\nDuplex: full\n", "");
    for nic in ["eth2", "eth3"] {
        (device(&mut old, nic).speed, device(&mut old, nic).duplex) =
            (Some(10_000), Some("Full".into()));
    }
    assert!(failed(&kernel(&asked(), &nics(), &old)).is_empty());
    device(&mut old, "eth3").speed = Some(1000);
    assert_eq!(
        row(&kernel(&asked(), &nics(), &old), "speed").have.as_deref(),
        Some("eth2 10000 Mb/s, eth3 1000 Mb/s")
    );
}

#[test]
fn without_a_monitor_of_links_miimon_is_zero_wherever_it_is_not_shown() {
    let arp = spec(&[("arp_interval", "500"), ("arp_ip_target", "172.16.51.3,172.16.51.2")]);
    let text = TEXT
        .replace("MII Polling Interval (ms): 100", "MII Polling Interval (ms): 0")
        .replace("Down Delay (ms): 0\n", "Down Delay (ms): 0\nARP Polling Interval (ms): 500\nARP IP target/s (n.n.n.n form): 172.16.51.2, 172.16.51.3\n");
    let checks =
        kernel(&arp, &nics(), &reading(&text, &[("arp_ip_target", "172.16.51.3 172.16.51.2")]));
    assert!(failed(&checks).is_empty(), "{:#?}", failed(&checks));
    let lost = text.replace(", 172.16.51.3", "");
    let checks = kernel(&arp, &nics(), &reading(&lost, &[]));
    let row = row(&checks, "arp_ip_target");
    assert_eq!((row.ok, row.have.as_deref()), (false, Some("172.16.51.2")));
}

#[test]
fn which_slave_is_active_counts_only_where_the_primary_must_be() {
    let other = |k: &mut Kernel| proc(k, "Active Slave: eth2", "Active Slave: eth3");
    for (more, ok) in [
        (&[("primary", "eth2")][..], false),
        (&[("primary", "eth2"), ("primary_reselect", "always")], false),
        (&[("primary", "eth2"), ("primary_reselect", "better")], true),
        (&[("primary", "eth2"), ("primary_reselect", "failure")], true),
        (&[], true),
    ] {
        let mut bent = good();
        other(&mut bent);
        assert_eq!(row(&kernel(&spec(more), &nics(), &bent), "active slave").ok, ok, "{more:?}");
    }
    let xor = spec(&[("mode", "balance-xor")]);
    let text = TEXT.replace("fault-tolerance (active-backup)", "load balancing (xor)");
    assert!(
        kernel(&xor, &nics(), &reading(&text, &[])).iter().all(|c| c.name != Setting::ActiveSlave)
    );
}

#[test]
fn where_addresses_are_not_shown_the_route_tells_of_the_subnet() {
    let mut old = good();
    (old.addresses, old.addresses_known) = (Vec::new(), false);
    assert!(row(&kernel(&asked(), &nics(), &old), "address").ok);
    old.routes.retain(|r| r.device != "bond51");
    assert!(!row(&kernel(&asked(), &nics(), &old), "address").ok);
    let mut new = good();
    new.addresses.clear();
    assert!(!row(&kernel(&asked(), &nics(), &new), "address").ok, "the kernel would have shown it");
}

#[test]
fn only_what_may_come_right_by_itself_is_waited_for() {
    let settles = |spec: &Spec, kernel: &Kernel| -> Vec<String> {
        let checks = super::kernel(spec, &nics(), kernel);
        checks.iter().filter(|c| c.settles).map(|c| c.name.to_string()).collect()
    };
    assert_eq!(
        settles(&asked(), &good()),
        ["eth2 link", "eth3 link", "speed", "duplex", "bond51 link", "active slave"]
    );
    assert_eq!(
        settles(&lacp_asked(), &lacp_good())[5..],
        ["LACP partner", "LACP aggregator", "LACP ports"]
    );
}

#[test]
fn the_limit_counts_delays_and_lacp() {
    for (more, seconds) in [
        (&[][..], 11),
        (&[("updelay", "31000")], 42),
        (&[("miimon", "1000"), ("updelay", "5000"), ("downdelay", "9000")], 18),
        (&[("mode", "4")], 101),
        (&[("mode", "4"), ("updelay", "31000")], 132),
        (&[("arp_interval", "2000"), ("arp_ip_target", "172.16.51.2")], 16),
    ] {
        let spec = spec(more);
        assert_eq!(
            limit(&spec).as_secs(),
            seconds,
            "{:?} {:?}",
            more,
            spec.options.number(Opt::Updelay)
        );
    }
}

fn pif(device: &str, vlan: i32, managed: Option<bool>) -> Pif {
    let uuid: crate::net::Uuid = crate::model::state::uuid_of(device).parse().unwrap();
    Pif {
        uuid: uuid.clone(),
        device: device.into(),
        mac: "00:1b:21:0a:01:02".parse().unwrap(),
        physical: vlan == -1,
        managed,
        attached: true,
        vlan,
        bond_master_of: Vec::new(),
        bond_slave_of: None,
        relations: Default::default(),
        management: false,
        network: uuid,
        disallow_unplug: false,
        ip: Default::default(),
        properties: Default::default(),
        other_config: Default::default(),
    }
}

#[test]
fn xapi_must_leave_the_nics_alone() {
    for (pifs, have) in [
        (Some(vec![]), Some("not managed by XAPI")),
        (Some(vec![pif("eth2", -1, Some(false))]), Some("not managed by XAPI")),
        (
            Some(vec![pif("eth2", 30, Some(true)), pif("eth20", -1, None)]),
            Some("not managed by XAPI"),
        ),
        (Some(vec![pif("eth2", -1, Some(true))]), Some("managed by XAPI")),
        (Some(vec![pif("eth2", -1, None)]), Some("managed by XAPI")),
        (None, None),
    ] {
        let checks = drift::xapi(&nics(), pifs.as_deref(), &|_| false);
        assert_eq!(names(&checks), ["eth2 in XAPI", "eth3 in XAPI"]);
        assert_eq!(checks[0].have.as_deref(), have);
        assert_eq!(checks[0].ok, have == Some("not managed by XAPI"), "{:?}", checks[0]);
        assert_eq!(checks[0].hint.is_some(), !checks[0].ok);
    }
}

#[test]
fn a_record_that_was_not_understood_is_no_proof_that_there_is_none() {
    let checks = drift::xapi(&nics(), Some(&[]), &|device| device == "eth2");
    assert_eq!((checks[0].ok, checks[0].have.as_ref(), checks[1].ok), (false, None, true));
    assert!(checks[0].hint.as_ref().unwrap().contains("not understood"));
}

#[test]
fn the_json_of_a_row_has_the_fields_of_the_contract() {
    let mut bent = good();
    sys(&mut bent, "use_carrier", None);
    let checks = kernel(&asked(), &nics(), &bent);
    let json = serde_json::to_value(row(&checks, "use_carrier")).unwrap();
    let keys: Vec<&String> = json.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["have", "hint", "name", "ok", "required", "want"]);
    assert!(json["have"].is_null() && json["ok"] == false && json["want"] == "1");
}
