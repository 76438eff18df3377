//! The table of the driver's options, a row each.
//!
//! Names and values are those of drivers/net/bonding/bond_options.c; which mode takes which is
//! from its `unsuppmodes` and, where the driver takes an option and then ignores it, from
//! Documentation/networking/bonding.rst; which is a parameter of the module, from bond_main.c
//! (tests/ground/options.md, A).

use super::{MAX_MS, OLDEST, Opt, Row, Values};
use crate::net::BondMode;

use BondMode::{
    ActiveBackup, BalanceAlb, BalanceRr, BalanceTlb, BalanceXor, Broadcast, Ieee8023ad,
};

const ALL_MODES: &[BondMode] = &BondMode::ALL;
const ARP_MODES: &[BondMode] = &[BalanceRr, ActiveBackup, BalanceXor, Broadcast];
const PRIMARY_MODES: &[BondMode] = &[ActiveBackup, BalanceTlb, BalanceAlb];

/// What most rows have.
const BASE: Row = Row {
    opt: Opt::Miimon,
    name: "",
    word: "",
    help: "",
    values: Values::Slave,
    modes: ALL_MODES,
    proc: None,
    alias: None,
    since: OLDEST,
    later: &[],
    parameter: true,
    default: "0",
    live: Some(OLDEST),
};

/// Every option.
pub const TABLE: [Row; 27] = [
    Row {
        opt: Opt::Miimon,
        name: "miimon",
        word: "MS",
        help: "Link monitoring interval in ms [default: 100]",
        values: Values::Number(0, MAX_MS),
        proc: Some(|s| s.miimon.map(|v| v.to_string())),
        ..BASE
    },
    Row {
        opt: Opt::Updelay,
        name: "updelay",
        word: "MS",
        help: "Time before a link that came up is used, in ms",
        values: Values::Number(0, MAX_MS),
        proc: Some(|s| s.updelay.map(|v| v.to_string())),
        ..BASE
    },
    Row {
        opt: Opt::Downdelay,
        name: "downdelay",
        word: "MS",
        help: "Time before a link that went down is left, in ms",
        values: Values::Number(0, MAX_MS),
        proc: Some(|s| s.downdelay.map(|v| v.to_string())),
        ..BASE
    },
    Row {
        opt: Opt::UseCarrier,
        name: "use_carrier",
        word: "0|1",
        help: "1: ask the driver for the carrier; 0: ask by MII ioctl",
        values: Values::Number(0, 1),
        default: "1",
        ..BASE
    },
    Row {
        opt: Opt::ArpInterval,
        name: "arp_interval",
        word: "MS",
        help: "ARP monitoring interval in ms, instead of miimon",
        values: Values::Number(1, MAX_MS),
        modes: ARP_MODES,
        proc: Some(|s| s.arp_interval.map(|v| v.to_string())),
        ..BASE
    },
    Row {
        opt: Opt::ArpIpTarget,
        name: "arp_ip_target",
        word: "IP",
        help: "Addresses that the ARP monitor asks, with commas",
        values: Values::Targets,
        modes: ARP_MODES,
        proc: Some(|s| s.arp_ip_target.as_ref().map(|targets| targets.join(","))),
        default: "",
        ..BASE
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
        // Before Linux 3.15 active-backup alone took it, and had no filter.
        modes: &[ActiveBackup],
        later: &[("filter", (3, 15)), ("filter_active", (3, 15)), ("filter_backup", (3, 15))],
        default: "none",
        ..BASE
    },
    Row {
        opt: Opt::ArpAllTargets,
        name: "arp_all_targets",
        word: "WHICH",
        help: "How many targets must answer, with arp_validate: any, all",
        values: Values::Words(&["any", "all"]),
        modes: &[ActiveBackup],
        since: (3, 11),
        default: "any",
        ..BASE
    },
    Row {
        opt: Opt::ArpMissedMax,
        name: "arp_missed_max",
        word: "N",
        help: "ARP probes that may fail before a slave is down, 1 to 255",
        values: Values::Number(1, 255),
        modes: ARP_MODES,
        proc: Some(|s| s.arp_missed_max.map(|v| v.to_string())),
        since: (5, 17),
        parameter: false,
        default: "2",
        ..BASE
    },
    Row {
        opt: Opt::Primary,
        name: "primary",
        word: "DEVICE",
        help: "The slave that carries the traffic whenever it can",
        values: Values::Slave,
        modes: PRIMARY_MODES,
        proc: Some(|s| s.primary.clone()),
        default: "",
        ..BASE
    },
    Row {
        opt: Opt::PrimaryReselect,
        name: "primary_reselect",
        word: "WHEN",
        help: "When the primary takes over again: always, better, failure",
        values: Values::Words(&["always", "better", "failure"]),
        modes: PRIMARY_MODES,
        proc: Some(|s| s.primary_reselect.clone()),
        default: "always",
        ..BASE
    },
    Row {
        opt: Opt::FailOverMac,
        name: "fail_over_mac",
        word: "WHICH",
        help: "Whether the MAC address follows the active slave: none, active, follow",
        values: Values::Words(&["none", "active", "follow"]),
        modes: &[ActiveBackup],
        proc: Some(|s| s.fail_over_mac.clone()),
        default: "none",
        live: None,
        ..BASE
    },
    Row {
        opt: Opt::NumGratArp,
        name: "num_grat_arp",
        word: "N",
        help: "Announcements after a failover, 0 to 255",
        values: Values::Number(0, 255),
        modes: &[ActiveBackup],
        alias: Some("num_unsol_na"),
        default: "1",
        ..BASE
    },
    Row {
        opt: Opt::PeerNotifDelay,
        name: "peer_notif_delay",
        word: "MS",
        help: "Time between announcements, in ms; a multiple of miimon",
        values: Values::Number(0, 300_000),
        modes: &[ActiveBackup],
        proc: Some(|s| s.peer_notif_delay.map(|v| v.to_string())),
        since: (5, 3),
        parameter: false,
        ..BASE
    },
    Row {
        opt: Opt::ResendIgmp,
        name: "resend_igmp",
        word: "N",
        help: "IGMP reports after a failover, 0 to 255",
        values: Values::Number(0, 255),
        modes: &[BalanceRr, ActiveBackup, BalanceTlb, BalanceAlb],
        default: "1",
        ..BASE
    },
    Row {
        opt: Opt::AllSlavesActive,
        name: "all_slaves_active",
        word: "0|1",
        help: "1: take frames from inactive slaves too; 0: drop them",
        values: Values::Number(0, 1),
        modes: &[ActiveBackup, Ieee8023ad, BalanceTlb, BalanceAlb],
        ..BASE
    },
    Row {
        opt: Opt::PacketsPerSlave,
        name: "packets_per_slave",
        word: "N",
        help: "Packets before the next slave has its turn; 0: at random",
        values: Values::Number(0, 65_535),
        modes: &[BalanceRr],
        since: (3, 14),
        default: "1",
        ..BASE
    },
    Row {
        opt: Opt::TlbDynamicLb,
        name: "tlb_dynamic_lb",
        word: "0|1",
        help: "1: go by the slaves' load; 0: by xmit_hash_policy",
        values: Values::Number(0, 1),
        modes: &[BalanceTlb, BalanceAlb],
        since: (3, 16),
        parameter: false,
        default: "1",
        live: None,
        ..BASE
    },
    Row {
        opt: Opt::LpInterval,
        name: "lp_interval",
        word: "SECONDS",
        help: "Time between learning packets to the switch, in seconds",
        values: Values::Number(1, 0x7fff_ffff),
        modes: &[BalanceTlb, BalanceAlb],
        since: (3, 13),
        default: "1",
        ..BASE
    },
    Row {
        opt: Opt::LacpRate,
        name: "lacp_rate",
        word: "RATE",
        help: "How often LACP partners are to talk: slow, fast",
        values: Values::Words(&["slow", "fast"]),
        modes: &[Ieee8023ad],
        proc: Some(|s| s.lacp.as_ref()?.lacp_rate.clone()),
        default: "slow",
        live: None,
        ..BASE
    },
    Row {
        opt: Opt::LacpActive,
        name: "lacp_active",
        word: "on|off",
        help: "Whether to speak LACP first: on, off",
        values: Values::Words(&["off", "on"]),
        modes: &[Ieee8023ad],
        proc: Some(|s| s.lacp.as_ref()?.lacp_active.clone()),
        since: (5, 15),
        parameter: false,
        default: "on",
        live: None,
        ..BASE
    },
    Row {
        opt: Opt::AdSelect,
        name: "ad_select",
        word: "HOW",
        help: "How LACP chooses its aggregator: stable, bandwidth, count",
        values: Values::Words(&["stable", "bandwidth", "count"]),
        modes: &[Ieee8023ad],
        proc: Some(|s| s.lacp.as_ref()?.ad_select.clone()),
        default: "stable",
        live: None,
        ..BASE
    },
    Row {
        opt: Opt::AdActorSysPrio,
        name: "ad_actor_sys_prio",
        word: "N",
        help: "LACP system priority, 1 to 65535",
        values: Values::Number(1, 65_535),
        modes: &[Ieee8023ad],
        proc: Some(|s| s.lacp.as_ref()?.system_priority.map(|v| v.to_string())),
        since: (4, 2),
        parameter: false,
        default: "65535",
        live: Some((5, 2)),
        ..BASE
    },
    Row {
        opt: Opt::AdActorSystem,
        name: "ad_actor_system",
        word: "MAC",
        help: "LACP system MAC address",
        values: Values::Mac,
        modes: &[Ieee8023ad],
        proc: Some(|s| s.lacp.as_ref()?.system_mac.clone()),
        since: (4, 2),
        parameter: false,
        default: "00:00:00:00:00:00",
        live: Some((5, 2)),
        ..BASE
    },
    Row {
        opt: Opt::AdUserPortKey,
        name: "ad_user_port_key",
        word: "N",
        help: "Upper ten bits of the LACP port key, 0 to 1023",
        values: Values::Number(0, 1023),
        modes: &[Ieee8023ad],
        since: (4, 2),
        parameter: false,
        live: None,
        ..BASE
    },
    Row {
        opt: Opt::MinLinks,
        name: "min_links",
        word: "N",
        help: "How many links LACP needs to call the bond up",
        values: Values::Number(0, 16),
        modes: &[Ieee8023ad],
        proc: Some(|s| s.lacp.as_ref()?.min_links.map(|v| v.to_string())),
        ..BASE
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
        modes: &[BalanceXor, Ieee8023ad, BalanceTlb, BalanceAlb],
        proc: Some(|s| s.xmit_hash_policy.clone()),
        later: &[("encap2+3", (3, 12)), ("encap3+4", (3, 12)), ("vlan+srcmac", (5, 12))],
        default: "layer2",
        live: Some((3, 11)),
        ..BASE
    },
];

/// What the driver has and a spec does not say, each with the reason.
pub const ELSEWHERE: [(&str, &str); 12] = [
    (
        "ns_ip6_target",
        "it is not supported: the bond has an IPv4 address only, and the ARP monitor asks arp_ip_target",
    ),
    ("slaves", "the slaves are `nics`"),
    (
        "active_slave",
        "the driver chooses it: give `primary`, and `xenbond drill` changes it for a while",
    ),
    ("queue_id", "it is not supported: it steers the traffic of single programs"),
    (
        "prio",
        "it is not supported: the boot scripts cannot set it, since it has no file in /sys; give `primary`",
    ),
    (
        "coupled_control",
        "it is not supported: the boot scripts cannot set it, since it has no file in /sys",
    ),
    (
        "broadcast_neighbor",
        "it is not supported: the boot scripts cannot set it, since it has no file in /sys",
    ),
    (
        "actor_port_prio",
        "it is not supported: the boot scripts cannot set it, since it has no file in /sys",
    ),
    (
        "max_bonds",
        "it is a parameter of the module, for all bonds; xenbond writes 0, so that loading the driver makes no bond0",
    ),
    (
        "tx_queues",
        "it is a parameter of the module, for all bonds, XAPI's too; put it into a modprobe file of your own",
    ),
    ("ad_aggregator", "it is what LACP came to, and cannot be set"),
    ("ad_partner_mac", "it is what LACP came to, and cannot be set"),
];
