//! The rows of LACP.

use super::*;

#[test]
fn each_row_of_lacp_has_its_bad_reading() {
    let cases: &[Case] = &[
        (
            "LACP partner",
            |k| proc(k, "00:23:04:ee:be:0a", "00:00:00:00:00:00"),
            Some("none: its MAC reads 00:00:00:00:00:00"),
            "the switch sends no LACPDU",
        ),
        (
            "LACP partner",
            |k| proc(k, "\tPartner Mac Address: 00:23:04:ee:be:0a\n", ""),
            Some("none: its MAC reads nothing"),
            "LACPDU",
        ),
        (
            "LACP aggregator",
            |k| {
                proc(
                    k,
                    "Flags: 0x1803\nAggregator ID: 1\nSlave queue ID: 0\n\nSlave",
                    "Flags: 0x1803\nAggregator ID: 2\nSlave queue ID: 0\n\nSlave",
                )
            },
            Some("eth2 in 2, eth3 in 1, active is 1 with 2 ports"),
            "different groups",
        ),
        (
            "LACP aggregator",
            |k| proc(k, "Flags: 0x1803\nAggregator ID: 1", "Flags: 0x1803\nAggregator ID: N/A"),
            Some("eth2 in ?, eth3 in ?, active is 1 with 2 ports"),
            "different groups",
        ),
        (
            "LACP aggregator",
            |k| proc(k, "\tAggregator ID: 1", "\tAggregator ID: 3"),
            Some("eth2 in 1, eth3 in 1, active is 3 with 2 ports"),
            "different groups",
        ),
        (
            "LACP aggregator",
            |k| proc(k, "Number of ports: 2", "Number of ports: 1"),
            Some("eth2 in 1, eth3 in 1, active is 1 with 1 ports"),
            "different groups",
        ),
        (
            "LACP ports",
            |k| {
                proc(
                    k,
                    "Flags: 0x1803\n",
                    "Flags: 0x1803\ndetails partner lacp pdu:\n    port state: 1\n",
                )
            },
            Some("not eth2, eth3"),
            "has not agreed",
        ),
        (
            "LACP churn",
            |k| {
                proc(
                    k,
                    "Flags: 0x1803\n",
                    "Flags: 0x1803\nActor Churn State: monitoring\nPartner Churn State: churned\n",
                )
            },
            Some("eth2 partner, eth3 partner"),
            "compare keys",
        ),
        // Without CAP_NET_ADMIN kernels from 4.x on leave it out.
        (
            "LACP partner",
            |k| {
                let (head, tail) = LACP_TEXT.split_once("Active Aggregator Info:").unwrap();
                let slaves = &tail[tail.find("\n\nSlave").unwrap()..];
                k.bonds.insert("bond51".into(), format!("{head}{slaves}"));
            },
            None,
            "no active aggregator",
        ),
        (
            "LACP aggregator",
            |k| {
                let (head, tail) = LACP_TEXT.split_once("Active Aggregator Info:").unwrap();
                let slaves = &tail[tail.find("\n\nSlave").unwrap()..];
                k.bonds.insert(
                    "bond51".into(),
                    format!("{head}bond bond51 has no active aggregator{slaves}"),
                );
            },
            None,
            "no active aggregator",
        ),
        (
            "lacp_rate",
            |k| {
                proc(k, "LACP rate: fast", "LACP rate: slow");
                sys(k, "lacp_rate", Some("slow 0"));
            },
            Some("slow"),
            "dmesg",
        ),
        (
            "lacp_rate",
            |k| sys(k, "lacp_rate", Some("slow 0")),
            Some("fast in /proc, slow in /sys"),
            "contradicts",
        ),
        (
            "min_links",
            |k| {
                proc(k, "Min links: 0\n", "");
                sys(k, "min_links", None);
            },
            None,
            "dmesg",
        ),
        (
            "xmit_hash_policy",
            |k| {
                proc(k, "layer3+4 (1)", "layer2 (0)");
                sys(k, "xmit_hash_policy", Some("layer2 0"));
            },
            Some("layer2"),
            "dmesg",
        ),
    ];
    for (name, bend, have, hint) in cases {
        let mut bent = lacp_good();
        bend(&mut bent);
        let checks = kernel(&lacp_asked(), &nics(), &bent);
        let row = row(&checks, name);
        assert!(!row.ok, "{row:?}");
        assert_eq!(row.have.as_deref(), *have, "{row:?}");
        assert!(row.hint.as_deref().unwrap_or_default().contains(hint), "{row:?}");
    }
}
