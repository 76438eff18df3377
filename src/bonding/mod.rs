//! What the bonding driver says of a bond in `/proc/net/bonding/<bond>`: the types and the way
//! to them.
//!
//! Knows the text of every driver from 2.6.12's to today's, XenServer's mode 7 fields and Open
//! vSwitch's imitation (tests/ground/procbonding.md). Must not know where the text comes from, what
//! was asked for, or what is good: a line that is missing is `None`, and what `None` means is
//! for the caller to judge.

mod parser;
#[cfg(test)]
mod tests;

pub use parser::{parse, parse_all};

use serde::Serialize;

use crate::net::BondMode;

/// One bond as its driver prints it. `None` is "the text does not say", never a default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BondStatus {
    /// The text after `Ethernet Channel Bonding Driver:`, date and all. It says little:
    /// v3.7.1 spans nine years and several formats (tests/ground/procbonding.md, B1).
    pub driver_version: Option<String>,
    /// The whole text after `Bonding Mode:`, also when no mode is known by it.
    pub mode_text: Option<String>,
    /// The mode that `mode_text` names.
    pub mode: Option<BondMode>,
    /// `active` or `follow`, from the suffix of the mode line; `None` is also how the driver
    /// says `none`.
    pub fail_over_mac: Option<String>,
    /// The name of the policy, without its number.
    pub xmit_hash_policy: Option<String>,
    /// The primary slave; it need not be up, nor be the active one.
    pub primary: Option<String>,
    /// `always`, `better` or `failure`; printed from 2.6.33, and only with a primary.
    pub primary_reselect: Option<String>,
    /// The slave that carries the traffic, in modes that have one.
    pub active_slave: Option<String>,
    /// The carrier of the bond, in lower case. Not the sum of the slaves' lines.
    pub mii_status: Option<String>,
    /// Milliseconds between polls of the links; 0: nobody polls them.
    pub miimon: Option<u32>,
    /// Milliseconds before a link that came up is used, rounded down by the driver to a multiple of
    /// `miimon`.
    pub updelay: Option<u32>,
    /// Milliseconds before a link that went down is left, rounded down by the driver to a multiple
    /// of `miimon`.
    pub downdelay: Option<u32>,
    /// Milliseconds between announcements after a failover; from kernel 5.3.
    pub peer_notif_delay: Option<u32>,
    /// Milliseconds between ARP probes; printed only while that monitor runs.
    pub arp_interval: Option<u32>,
    /// How many ARP probes may go unanswered; from kernel 5.17.
    pub arp_missed_max: Option<u32>,
    /// The targets in the order printed; an empty list is one that was printed empty.
    pub arp_ip_target: Option<Vec<String>>,
    /// The IPv6 targets; from kernel 5.19, and printed empty beside IPv4 targets.
    pub ns_ip6_target: Option<Vec<String>>,
    /// The `802.3ad info` section.
    pub lacp: Option<Lacp>,
    /// XenServer's `Source load balancing info`: the buckets in use, often none.
    pub slb_buckets: Option<Vec<SlbBucket>>,
    /// The slaves, in the order of enslaving.
    pub slaves: Vec<SlaveStatus>,
    /// The lines that no rule knew, or whose value made no sense, or that contradict an
    /// earlier line; trimmed.
    pub unknown: Vec<String>,
}

/// The bond's own part of an 802.3ad bond.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Lacp {
    /// `on` or `off`; from kernel 5.15.
    pub lacp_active: Option<String>,
    /// `slow` or `fast`.
    pub lacp_rate: Option<String>,
    /// How many links it takes to call the bond up; from kernel 3.2.
    pub min_links: Option<u32>,
    /// `stable`, `bandwidth` or `count`; from 2.6.29.
    pub ad_select: Option<String>,
    /// Priority of the system; from kernel 4.2, for a reader with `CAP_NET_ADMIN`.
    pub system_priority: Option<u32>,
    /// Address of the system in lower case; from kernel 4.2, for a reader with `CAP_NET_ADMIN`.
    pub system_mac: Option<String>,
    /// The active aggregator. `None` alone does not mean that there is none: without
    /// `CAP_NET_ADMIN` kernels from 4.x on leave the section out.
    pub active_aggregator: Option<Aggregator>,
    /// The driver says `has no active aggregator`.
    pub no_active_aggregator: bool,
}

/// The active aggregator of an 802.3ad bond.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Aggregator {
    /// Its number, which the slaves that take part show too.
    pub id: Option<u32>,
    /// How many slaves take part.
    pub ports: Option<u32>,
    /// The driver's key; its meaning differs by kernel.
    pub actor_key: Option<u32>,
    /// The switch's key; 1 without a partner.
    pub partner_key: Option<u32>,
    /// The switch's system address in lower case; all zero without a partner.
    pub partner_mac: Option<String>,
}

/// One hash bucket of mode 7.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SlbBucket {
    /// The hash of the source addresses.
    pub bucket: u32,
    /// The slave that sends for them; on 4.19 it may be one that is down.
    pub slave: String,
}

/// One slave's block.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SlaveStatus {
    /// The device, word for word: the kernel allows names that [`crate::net::IfName`] does not.
    pub name: String,
    /// `up`, `down`, `going down`, `going back`, `unknown`; in lower case.
    pub mii_status: Option<String>,
    /// As printed: a slave that is down may keep its last speed.
    pub speed_mbps: Option<u32>,
    /// `full` or `half`.
    pub duplex: Option<String>,
    /// 2.6.18 prints it signed, and it can be negative.
    pub link_failure_count: Option<i64>,
    /// The permanent address in lower case as printed: six bytes on Ethernet, 4 to 20 on other
    /// devices; a paste may be masked. Not checked here.
    pub perm_hwaddr: Option<String>,
    /// The slave's transmit queue; from 2.6.36.
    pub queue_id: Option<u32>,
    /// The aggregator the slave is in; `N/A` is `None`.
    pub aggregator_id: Option<u32>,
    /// XenServer: how many want the device promiscuous.
    pub promiscuity: Option<u32>,
    /// XenServer: the device's `IFF_` bits.
    pub flags: Option<u32>,
    /// Whether our side churns: `none`, `monitoring` or `churned`; from kernel 4.2, as the rest
    /// below.
    pub actor_churn_state: Option<String>,
    /// Whether the switch's side churns: `none`, `monitoring` or `churned`.
    pub partner_churn_state: Option<String>,
    /// How often our side churned.
    pub actor_churned_count: Option<u32>,
    /// How often the switch's side churned.
    pub partner_churned_count: Option<u32>,
    /// What we send; for a reader with `CAP_NET_ADMIN`.
    pub actor: Option<LacpPdu>,
    /// What the switch sends; for a reader with `CAP_NET_ADMIN`.
    pub partner: Option<LacpPdu>,
}

/// One side's LACP parameters on a slave.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LacpPdu {
    /// Priority of the system.
    pub system_priority: Option<u32>,
    /// Address of the system in lower case; all zero for a partner that is not there.
    pub system_mac: Option<String>,
    /// `port key` of the actor, `oper key` of the partner.
    pub key: Option<u32>,
    /// Priority of the port.
    pub port_priority: Option<u32>,
    /// Number of the port: on the partner's side, the switch's own.
    pub port_number: Option<u32>,
    /// The state bits of IEEE 802.3ad; 63 or 61 is a port that aggregates.
    pub port_state: Option<u32>,
}

impl BondStatus {
    /// Whether the header is the kernel driver's, and not Open vSwitch's `ovs-vswitchd <ver>`;
    /// `None` when the header is cut off.
    #[must_use]
    pub fn is_kernel_driver(&self) -> Option<bool> {
        // `v3.7.1 (...)`, `v6.1.176`; the kernel's documentation of 2004 omits the `v`
        // (tests/ground/procbonding.md, B1).
        let version = self.driver_version.as_deref()?;
        Some(version.strip_prefix('v').unwrap_or(version).starts_with(|c: char| c.is_ascii_digit()))
    }

    /// The block of the slave of that name.
    #[must_use]
    pub fn slave(&self, name: &str) -> Option<&SlaveStatus> {
        self.slaves.iter().find(|slave| slave.name == name)
    }
}

impl Aggregator {
    /// Whether a switch speaks LACP with us: the driver shows a missing partner as an all-zero
    /// address (tests/ground/procbonding.md, C7).
    #[must_use]
    pub fn has_partner(&self) -> Option<bool> {
        self.partner_mac.as_deref().map(|mac| mac != "00:00:00:00:00:00")
    }
}
