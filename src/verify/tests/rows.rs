//! Every other row, and what `/proc` and `/sys` say of the same thing.

use super::*;
use crate::net::IfName;
use crate::preflight::Code;
use crate::verify::probe::Probing;

#[test]
fn each_row_has_its_bad_reading() {
    let cases: &[Case] = &[
        (
            "driver",
            |k| proc(k, "v3.7.1 (April 27, 2011)", "ovs-vswitchd 1.4.2 (Jun 1 2012 10:00:00)"),
            Some("ovs-vswitchd 1.4.2 (Jun 1 2012 10:00:00)"),
            "imitates the bonding driver",
        ),
        (
            "driver",
            |k| proc(k, "Ethernet Channel Bonding Driver: v3.7.1 (April 27, 2011)\n", ""),
            None,
            "imitates",
        ),
        (
            "mode",
            |k| {
                proc(k, "fault-tolerance (active-backup)", "load balancing (round-robin)");
                sys(k, "mode", Some("balance-rr 0"));
            },
            Some("balance-rr"),
            "only while the bond has no slaves",
        ),
        (
            "mode",
            |k| sys(k, "mode", Some("balance-rr 0")),
            Some("active-backup in /proc, balance-rr in /sys"),
            "the kernel contradicts itself: active-backup in /proc, balance-rr in /sys",
        ),
        (
            "mode",
            |k| {
                proc(k, "fault-tolerance (active-backup)", "unknown");
                sys(k, "mode", None);
            },
            Some("unknown"),
            "",
        ),
        (
            "mode",
            |k| {
                proc(k, "Bonding Mode: fault-tolerance (active-backup)\n", "");
                sys(k, "mode", None);
            },
            None,
            "",
        ),
        (
            "miimon",
            |k| {
                proc(k, "Interval (ms): 100", "Interval (ms): 0");
                sys(k, "miimon", Some("0"));
            },
            Some("0"),
            "module options are ignored when the driver is already loaded",
        ),
        (
            "miimon",
            |k| sys(k, "miimon", Some("0")),
            Some("100 in /proc, 0 in /sys"),
            "contradicts itself",
        ),
        (
            "miimon",
            |k| {
                proc(k, "MII Polling Interval (ms): 100\n", "");
                sys(k, "miimon", None);
            },
            None,
            "",
        ),
        (
            "updelay",
            |k| {
                proc(k, "Up Delay (ms): 200", "Up Delay (ms): 0");
                sys(k, "updelay", Some("0"));
            },
            Some("0"),
            "dmesg",
        ),
        ("use_carrier", |k| sys(k, "use_carrier", Some("0")), Some("0"), "dmesg"),
        ("use_carrier", |k| sys(k, "use_carrier", None), None, "dmesg"),
        (
            "primary",
            |k| {
                proc(k, "Primary Slave: eth2 (primary_reselect always)", "Primary Slave: None");
                sys(k, "primary", None);
            },
            None,
            "dmesg",
        ),
        (
            "primary",
            |k| {
                proc(k, "Primary Slave: eth2", "Primary Slave: eth3");
                sys(k, "primary", Some("eth3"));
            },
            Some("eth3"),
            "dmesg",
        ),
        (
            "slaves",
            |k| {
                let at = TEXT.find("\nSlave Interface: eth3").unwrap();
                k.bonds.insert("bond51".into(), TEXT[..at].into());
            },
            Some("eth2"),
            "a NIC that a bridge or another bond holds is not enslaved",
        ),
        ("slaves", |k| proc(k, "Interface: eth3", "Interface: eth30"), Some("eth2, eth30"), ""),
        (
            "slaves",
            |k| {
                let more = format!("{TEXT}\nSlave Interface: eth5\nMII Status: up\n");
                k.bonds.insert("bond51".into(), more);
            },
            Some("eth2, eth3, eth5"),
            "",
        ),
        (
            "eth3 permanent MAC",
            |k| proc(k, "01:03", "01:05"),
            Some("00:1b:21:0a:01:05"),
            "another NIC has taken",
        ),
        ("eth3 permanent MAC", |k| proc(k, "Permanent HW addr: 00:1b:21:0a:01:03\n", ""), None, ""),
        (
            "eth3 link",
            |k| {
                proc(k, "eth3\nMII Status: up", "eth3\nMII Status: down");
                device(k, "eth3").carrier = Some(false);
            },
            Some("down"),
            "cable and switch port of eth3",
        ),
        (
            "eth3 link",
            |k| proc(k, "eth3\nMII Status: up", "eth3\nMII Status: going back"),
            Some("going back"),
            "cable",
        ),
        ("eth3 link", |k| proc(k, "eth3\nMII Status: up", "eth3"), None, "cable"),
        (
            "eth3 link",
            |k| device(k, "eth3").carrier = Some(false),
            Some("up in /proc, no carrier in /sys"),
            "is link monitoring on?",
        ),
        (
            "speed",
            |k| proc(k, "eth3\nMII Status: up\nSpeed: 10000", "eth3\nMII Status: up\nSpeed: 1000"),
            Some("eth2 10000 Mb/s, eth3 1000 Mb/s"),
            "set the switch ports alike",
        ),
        (
            "speed",
            |k| proc(k, "Speed: 10000 Mbps", "Speed: Unknown"),
            Some("eth2 unknown, eth3 unknown"),
            "the driver of eth2 tells none",
        ),
        (
            "duplex",
            |k| {
                proc(
                    k,
                    "eth3\nMII Status: up\nSpeed: 10000 Mbps\nDuplex: full",
                    "eth3\nMII Status: up\nSpeed: 10000 Mbps\nDuplex: half",
                )
            },
            Some("eth2 full, eth3 half"),
            "alike",
        ),
        (
            "bond51 link",
            |k| {
                proc(k, "eth2\nMII Status: up\nMII Polling", "eth2\nMII Status: down\nMII Polling");
                device(k, "bond51").carrier = Some(false);
            },
            Some("down"),
            "no slave carries traffic",
        ),
        (
            "bond51 link",
            |k| device(k, "bond51").carrier = Some(false),
            Some("up in /proc, no carrier in /sys"),
            "",
        ),
        (
            "active slave",
            |k| proc(k, "Active Slave: eth2", "Active Slave: eth3"),
            Some("eth3"),
            "not the primary",
        ),
        ("active slave", |k| proc(k, "Active Slave: eth2", "Active Slave: None"), None, "no slave"),
        ("address", |k| k.addresses.clear(), Some("nowhere"), "another host answers for it"),
        (
            "address",
            |k| k.addresses[0].device = "xenbr5".into(),
            Some("172.16.51.11/24 on xenbr5"),
            "",
        ),
        ("address", |k| k.addresses[0].net.prefix = 16, Some("172.16.51.11/16 on bond51"), ""),
        (
            "address",
            |k| {
                let also = Address { device: "xenbr5".into(), ..k.addresses[0].clone() };
                k.addresses.push(also);
            },
            Some("172.16.51.11/24 on bond51, 172.16.51.11/24 on xenbr5"),
            "",
        ),
        ("bond51 MTU", |k| device(k, "bond51").mtu = Some(1500), Some("1500"), ""),
        ("eth3 MTU", |k| device(k, "eth3").mtu = None, None, ""),
        (
            "default route",
            |k| {
                k.routes.push(Route {
                    device: "bond51".into(),
                    to: "0.0.0.0/0".parse().unwrap(),
                    gateway: Some([172, 16, 51, 1].into()),
                    metric: 0,
                })
            },
            Some("through bond51"),
            "remove GATEWAY",
        ),
        (
            "link-local route",
            |k| {
                k.routes.push(Route {
                    device: "bond51".into(),
                    to: Ipv4Net { addr: [169, 254, 0, 0].into(), prefix: 16 },
                    gateway: None,
                    metric: 0,
                })
            },
            Some("through bond51"),
            "NOZEROCONF",
        ),
    ];
    let rows = kernel(&asked(), &nics(), &good());
    for name in names(&rows) {
        let of_pair = name.replace("eth2", "eth3");
        assert!(cases.iter().any(|c| c.0 == of_pair), "no bad reading of {name}");
    }
    for (name, bend, have, hint) in cases {
        let mut bent = good();
        bend(&mut bent);
        let checks = kernel(&asked(), &nics(), &bent);
        let row = row(&checks, name);
        assert!(!row.ok, "{row:?}");
        assert_eq!(row.have.as_deref(), *have, "{row:?}");
        assert!(row.hint.as_deref().unwrap_or_default().contains(hint), "{row:?}");
    }
}

#[test]
fn what_proc_and_sys_say_is_compared() {
    let cases: &[Case] = &[
        (
            "slaves",
            |k| sys(k, "slaves", Some("eth3")),
            Some("eth2, eth3 in /proc, eth3 in /sys"),
            "contradicts",
        ),
        (
            "active slave",
            |k| sys(k, "active_slave", Some("eth3")),
            Some("eth2 in /proc, eth3 in /sys"),
            "contradicts",
        ),
        (
            "eth3 link",
            |k| {
                let text = k.bonds.get_mut("bond51").unwrap();
                let at = text.rfind("MII Status: up").unwrap();
                text.replace_range(at..at + 14, "MII Status: down");
                device(k, "eth3").carrier = Some(true);
            },
            Some("down in /proc, carrier in /sys"),
            "is link monitoring on?",
        ),
        (
            "bond51 link",
            |k| {
                proc(k, "MII Status: up\nMII Polling", "MII Status: down\nMII Polling");
                device(k, "bond51").carrier = Some(true);
            },
            Some("down in /proc, carrier in /sys"),
            "no slave",
        ),
    ];
    for (name, bend, have, hint) in cases {
        let mut bent = good();
        sys(&mut bent, "slaves", Some("eth3 eth2"));
        sys(&mut bent, "active_slave", Some("eth2"));
        assert!(failed(&kernel(&asked(), &nics(), &bent)).is_empty());
        bend(&mut bent);
        let checks = kernel(&asked(), &nics(), &bent);
        let bad: Vec<String> = failed(&checks).iter().map(|c| c.name.to_string()).collect();
        assert_eq!(bad, [*name]);
        let row = row(&checks, name);
        assert_eq!(row.have.as_deref(), *have, "{row:?}");
        assert!(row.hint.as_deref().unwrap_or_default().contains(hint), "{row:?}");
    }
}

/// What a missing link excuses, once that was accepted: a primary that carries nothing yet, and all
/// that takes a link where there is none. One that is there must bear the servers.
#[test]
fn an_accepted_link_excuses_what_follows_from_it_and_no_more() {
    let server = Probing::Ping("172.16.51.2".parse().unwrap());
    let check = |name: Setting, want: &str, have: &str| Check::of(name, want, have, "");
    for (links, active, want) in [
        (["up", "down"], "eth2", &["ping 172.16.51.2"][..]),
        (["down", "up"], "eth3", &["ping 172.16.51.2"]),
        (["up", "up"], "eth3", &["active slave", "ping 172.16.51.2"]),
        (["down", "down"], "none", &[]),
    ] {
        let nics = ["eth2", "eth3"].map(|nic| nic.parse::<IfName>().unwrap());
        let mut checks: Vec<Check> = nics
            .into_iter()
            .zip(links)
            .map(|(nic, link)| check(Setting::Link(nic), "up", link))
            .chain([
                check(Setting::ActiveSlave, "eth2", active),
                check(Setting::Probe(server), "answers", "no answer"),
            ])
            .collect();
        check::excuse(&mut checks, &[Code::NicNoLink]);
        let left: Vec<String> = hindering(&checks).iter().map(|c| c.name.to_string()).collect();
        assert_eq!(left, want, "{links:?}");
    }
}
