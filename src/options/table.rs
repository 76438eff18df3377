//! The table of the driver's options, a row each.
//!
//! Names and values are those of drivers/net/bonding/bond_options.c; which mode takes which is
//! from its `unsuppmodes` and, where the driver takes an option and then ignores it, from
//! Documentation/networking/bonding.rst.

use super::{MAX_MS, Opt, Row, Values};
use crate::net::BondMode;

use BondMode::{
    ActiveBackup, BalanceAlb, BalanceRr, BalanceTlb, BalanceXor, Broadcast, Ieee8023ad,
};

const ALL_MODES: &[BondMode] = &BondMode::ALL;
const ARP_MODES: &[BondMode] = &[BalanceRr, ActiveBackup, BalanceXor, Broadcast];
const PRIMARY_MODES: &[BondMode] = &[ActiveBackup, BalanceTlb, BalanceAlb];

/// Every option.
pub const TABLE: [Row; 15] = [
    Row {
        opt: Opt::Miimon,
        name: "miimon",
        word: "MS",
        help: "Link monitoring interval in ms [default: 100]",
        values: Values::Number(0, MAX_MS),
        modes: ALL_MODES,
        proc: Some(|s| s.miimon.map(|v| v.to_string())),
    },
    Row {
        opt: Opt::Updelay,
        name: "updelay",
        word: "MS",
        help: "Time before a link that came up is used, in ms",
        values: Values::Number(0, MAX_MS),
        modes: ALL_MODES,
        proc: Some(|s| s.updelay.map(|v| v.to_string())),
    },
    Row {
        opt: Opt::Downdelay,
        name: "downdelay",
        word: "MS",
        help: "Time before a link that went down is left, in ms",
        values: Values::Number(0, MAX_MS),
        modes: ALL_MODES,
        proc: Some(|s| s.downdelay.map(|v| v.to_string())),
    },
    Row {
        opt: Opt::UseCarrier,
        name: "use_carrier",
        word: "0|1",
        help: "1: ask the driver for the carrier; 0: ask by MII ioctl",
        values: Values::Number(0, 1),
        modes: ALL_MODES,
        proc: None,
    },
    Row {
        opt: Opt::ArpInterval,
        name: "arp_interval",
        word: "MS",
        help: "ARP monitoring interval in ms, instead of miimon",
        values: Values::Number(1, MAX_MS),
        modes: ARP_MODES,
        proc: Some(|s| s.arp_interval.map(|v| v.to_string())),
    },
    Row {
        opt: Opt::ArpIpTarget,
        name: "arp_ip_target",
        word: "IP",
        help: "Addresses that the ARP monitor asks, with commas",
        values: Values::Targets,
        modes: ARP_MODES,
        proc: Some(|s| s.arp_ip_target.as_ref().map(|targets| targets.join(","))),
    },
    Row {
        opt: Opt::ArpValidate,
        name: "arp_validate",
        word: "WHICH",
        help: "Which ARP answers count: none, active, backup, all",
        values: Values::Words(&[
            "none",
            "active",
            "backup",
            "all",
            "filter",
            "filter_active",
            "filter_backup",
        ]),
        // Before Linux 3.15 active-backup alone took it.
        modes: &[ActiveBackup],
        proc: None,
    },
    Row {
        opt: Opt::Primary,
        name: "primary",
        word: "DEVICE",
        help: "The slave that carries the traffic whenever it can",
        values: Values::Slave,
        modes: PRIMARY_MODES,
        proc: Some(|s| s.primary.clone()),
    },
    Row {
        opt: Opt::PrimaryReselect,
        name: "primary_reselect",
        word: "WHEN",
        help: "When the primary takes over again: always, better, failure",
        values: Values::Words(&["always", "better", "failure"]),
        modes: PRIMARY_MODES,
        proc: Some(|s| s.primary_reselect.clone()),
    },
    Row {
        opt: Opt::FailOverMac,
        name: "fail_over_mac",
        word: "WHICH",
        help: "Whether the MAC address follows the active slave: none, active, follow",
        values: Values::Words(&["none", "active", "follow"]),
        modes: &[ActiveBackup],
        proc: Some(|s| s.fail_over_mac.clone()),
    },
    Row {
        opt: Opt::NumGratArp,
        name: "num_grat_arp",
        word: "N",
        help: "Announcements after a failover, 0 to 255",
        values: Values::Number(0, 255),
        modes: &[ActiveBackup],
        proc: None,
    },
    Row {
        opt: Opt::LacpRate,
        name: "lacp_rate",
        word: "RATE",
        help: "How often LACP partners are to talk: slow, fast",
        values: Values::Words(&["slow", "fast"]),
        modes: &[Ieee8023ad],
        proc: Some(|s| s.lacp.as_ref()?.lacp_rate.clone()),
    },
    Row {
        opt: Opt::AdSelect,
        name: "ad_select",
        word: "HOW",
        help: "How LACP chooses its aggregator: stable, bandwidth, count",
        values: Values::Words(&["stable", "bandwidth", "count"]),
        modes: &[Ieee8023ad],
        proc: Some(|s| s.lacp.as_ref()?.ad_select.clone()),
    },
    Row {
        opt: Opt::MinLinks,
        name: "min_links",
        word: "N",
        help: "How many links LACP needs to call the bond up",
        values: Values::Number(0, 16),
        modes: &[Ieee8023ad],
        proc: Some(|s| s.lacp.as_ref()?.min_links.map(|v| v.to_string())),
    },
    Row {
        opt: Opt::XmitHashPolicy,
        name: "xmit_hash_policy",
        word: "POLICY",
        help: "What the hash is made of: layer2, layer3+4, layer2+3, ...",
        values: Values::Words(&[
            "layer2",
            "layer3+4",
            "layer2+3",
            "encap2+3",
            "encap3+4",
            "vlan+srcmac",
        ]),
        modes: &[BalanceXor, Ieee8023ad],
        proc: Some(|s| s.xmit_hash_policy.clone()),
    },
];
