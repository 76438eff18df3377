//! The reader: text in, [`BondStatus`] out. It never fails, because a text that is cut, pasted
//! or from a driver nobody has seen still says something.
//!
//! Knows labels and where they may stand. Must not know versions: a line is read by its label
//! and by what came before it, since indentation and blank lines get lost in pastes and the
//! order of a slave's lines differs by kernel (tests/ground/procbonding.md, D5 and E2).

use super::{Aggregator, BondStatus, Lacp, LacpPdu, SlaveStatus, SlbBucket};
use crate::net::{BondMode, decimal};

const DRIVER: &str = "Ethernet Channel Bonding Driver";
const MODE: &str = "Bonding Mode";
const SLAVE: &str = "Slave Interface";

/// Reads the text of `/proc/net/bonding/<bond>`. What is missing or makes no sense is `None`;
/// the lines that were not understood are in `unknown`.
///
/// Of two values that contradict each other the first stands: they come from damage (a slave's
/// first line lost, two files in one paste), where the later line is about something else.
#[must_use]
pub fn parse(text: &str) -> BondStatus {
    let mut parser = Parser::default();
    for line in text.lines().map(trimmed).filter(|line| !line.is_empty()) {
        if !parser.take(line) {
            parser.status.unknown.push(line.to_string());
        }
    }
    parser.status
}

/// Reads every bond of a text: one file after the other, as `cat /proc/net/bonding/*` gives. None,
/// when nothing in it is of a bond.
#[must_use]
pub fn parse_all(text: &str) -> Vec<BondStatus> {
    let mut parts: Vec<String> = Vec::new();
    // A file begins with its driver's line, and where that got lost with its mode.
    let (mut driver, mut mode) = (false, false);
    for line in text.lines() {
        let (label, _) = split(trimmed(line));
        if parts.is_empty() || label == DRIVER && (driver || mode) || label == MODE && mode {
            parts.push(String::new());
            (driver, mode) = (false, false);
        }
        (driver, mode) = (driver || label == DRIVER, mode || label == MODE);
        if let Some(part) = parts.last_mut() {
            part.push_str(line);
            part.push('\n');
        }
    }
    let says = |status: &BondStatus| {
        status.mode_text.is_some() || status.driver_version.is_some() || !status.slaves.is_empty()
    };
    parts.iter().map(|part| parse(part)).filter(says).collect()
}

/// Which part of the file the lines belong to. Labels repeat (`MII Status`, `Aggregator ID`,
/// `system mac address`, `port state`), so the part decides.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Part {
    #[default]
    Master,
    Buckets,
    Slave,
    ActorPdu,
    PartnerPdu,
    /// A slave's lines after its `Slave Interface` line got lost.
    NamelessSlave,
    /// A second file after the first, as `cat /proc/net/bonding/*` gives.
    OtherBond,
}

#[derive(Default)]
struct Parser {
    status: BondStatus,
    part: Part,
}

impl Parser {
    /// Takes in one trimmed line; `false` when it is to be kept aside.
    fn take(&mut self, line: &str) -> bool {
        let (label, value) = split(line);
        let head = label == DRIVER || label == MODE;
        let began =
            !self.status.slaves.is_empty() || (label == DRIVER && self.status.mode_text.is_some());
        if head && began {
            self.part = Part::OtherBond;
        } else if head && self.part == Part::NamelessSlave {
            self.part = Part::Master;
        }
        match self.part {
            Part::OtherBond => false,
            _ if label == SLAVE => self.open_slave(value),
            Part::NamelessSlave => false,
            Part::Master | Part::Buckets => self.master_line(label, value),
            Part::Slave | Part::ActorPdu | Part::PartnerPdu => {
                match self.status.slaves.last_mut() {
                    // Every block has this line once, so a second one belongs to the next slave.
                    Some(slave) if label == "MII Status" && slave.mii_status.is_some() => {
                        self.part = Part::NamelessSlave;
                        false
                    }
                    Some(slave) => slave_line(slave, &mut self.part, label, value),
                    None => false,
                }
            }
        }
    }

    fn open_slave(&mut self, name: &str) -> bool {
        if name.is_empty() {
            self.part = Part::NamelessSlave;
            return false;
        }
        // No case for `None`: here it is a device of that name.
        self.status.slaves.push(SlaveStatus { name: name.to_string(), ..SlaveStatus::default() });
        self.part = Part::Slave;
        true
    }

    fn master_line(&mut self, label: &str, value: &str) -> bool {
        let status = &mut self.status;
        match label {
            DRIVER => set(&mut status.driver_version, word(value)),
            MODE => set_mode(status, value),
            "Transmit Hash Policy" => {
                set(&mut status.xmit_hash_policy, value.split(" (").next().and_then(word))
            }
            "Primary Slave" => set_primary(status, value),
            "Currently Active Slave" => {
                value == "None" || set(&mut status.active_slave, word(value))
            }
            "MII Status" => set(&mut status.mii_status, lower(value)),
            "MII Polling Interval (ms)" => set(&mut status.miimon, decimal(value)),
            "Up Delay (ms)" => set(&mut status.updelay, decimal(value)),
            "Down Delay (ms)" => set(&mut status.downdelay, decimal(value)),
            "Peer Notification Delay (ms)" => set(&mut status.peer_notif_delay, decimal(value)),
            "ARP Polling Interval (ms)" => set(&mut status.arp_interval, decimal(value)),
            "ARP Missed Max" => set(&mut status.arp_missed_max, decimal(value)),
            "ARP IP target/s (n.n.n.n form)" => set(&mut status.arp_ip_target, Some(list(value))),
            "NS IPv6 target/s (xx::xx form)" => set(&mut status.ns_ip6_target, Some(list(value))),
            "Source load balancing info" => {
                status.slb_buckets.get_or_insert_default();
                self.part = Part::Buckets;
                true
            }
            _ if self.part == Part::Buckets && label.starts_with('[') => {
                match (bucket(label), &mut status.slb_buckets) {
                    (Some(bucket), Some(buckets)) => {
                        buckets.push(bucket);
                        true
                    }
                    _ => false,
                }
            }
            _ if lacp_line(&mut status.lacp, label, value) => true,
            _ => {
                // A slave's line before any slave: the text begins inside a slave's block, and
                // a `MII Status` before it was that slave's, not the bond's.
                let headless = status.mode_text.is_none() && status.miimon.is_none();
                let slaves =
                    slave_line(&mut SlaveStatus::default(), &mut Part::Slave, label, value);
                if headless && slaves {
                    status.mii_status = None;
                    self.part = Part::NamelessSlave;
                }
                false
            }
        }
    }
}

/// A line of the `802.3ad info` section. Any line of it opens it, since its title may be lost.
fn lacp_line(section: &mut Option<Lacp>, label: &str, value: &str) -> bool {
    let open = section.is_some();
    let mut lacp = section.take().unwrap_or_default();
    let known = lacp_field(&mut lacp, label, value);
    if open || known {
        *section = Some(lacp);
    }
    known
}

fn lacp_field(lacp: &mut Lacp, label: &str, value: &str) -> bool {
    match label {
        "802.3ad info" => true,
        "LACP active" => set(&mut lacp.lacp_active, lower(value)),
        "LACP rate" => set(&mut lacp.lacp_rate, lower(value)),
        "Min links" => set(&mut lacp.min_links, decimal(value)),
        "Aggregator selection policy (ad_select)" => set(&mut lacp.ad_select, lower(value)),
        "System priority" => set(&mut lacp.system_priority, decimal(value)),
        "System MAC address" => set(&mut lacp.system_mac, lower(value)),
        "Active Aggregator Info" => {
            lacp.active_aggregator.get_or_insert_default();
            true
        }
        // The line has no colon, and the bond's name in its middle.
        _ if label.starts_with("bond ") && label.ends_with(" has no active aggregator") => {
            lacp.no_active_aggregator = true;
            true
        }
        // `Aggregator ID` is a slave's label too: only the title of the block makes it the bond's.
        _ => match &mut lacp.active_aggregator {
            Some(aggregator) => aggregator_field(aggregator, label, value),
            None => false,
        },
    }
}

fn aggregator_field(aggregator: &mut Aggregator, label: &str, value: &str) -> bool {
    match label {
        "Aggregator ID" => set(&mut aggregator.id, decimal(value)),
        "Number of ports" => set(&mut aggregator.ports, decimal(value)),
        "Actor Key" => set(&mut aggregator.actor_key, decimal(value)),
        "Partner Key" => set(&mut aggregator.partner_key, decimal(value)),
        "Partner Mac Address" => set(&mut aggregator.partner_mac, lower(value)),
        _ => false,
    }
}

/// A line of a slave's block, in whatever order.
fn slave_line(slave: &mut SlaveStatus, part: &mut Part, label: &str, value: &str) -> bool {
    match label {
        "MII Status" => set(&mut slave.mii_status, lower(value)),
        "Speed" => value == "Unknown" || set(&mut slave.speed_mbps, speed(value)),
        "Duplex" => value == "Unknown" || set(&mut slave.duplex, lower(value)),
        "Link Failure Count" => set(&mut slave.link_failure_count, value.parse().ok()),
        // Empty for a device without an address (tun).
        "Permanent HW addr" => value.is_empty() || set(&mut slave.perm_hwaddr, lower(value)),
        "Slave queue ID" => set(&mut slave.queue_id, decimal(value)),
        "Promiscuity ref count" => set(&mut slave.promiscuity, decimal(value)),
        "Flags" => set(&mut slave.flags, hexadecimal(value)),
        "Aggregator ID" => value == "N/A" || set(&mut slave.aggregator_id, decimal(value)),
        "Actor Churn State" => set(&mut slave.actor_churn_state, lower(value)),
        "Partner Churn State" => set(&mut slave.partner_churn_state, lower(value)),
        "Actor Churned Count" => set(&mut slave.actor_churned_count, decimal(value)),
        "Partner Churned Count" => set(&mut slave.partner_churned_count, decimal(value)),
        "details actor lacp pdu" => {
            slave.actor.get_or_insert_default();
            *part = Part::ActorPdu;
            true
        }
        "details partner lacp pdu" => {
            slave.partner.get_or_insert_default();
            *part = Part::PartnerPdu;
            true
        }
        _ => match (*part, &mut slave.actor, &mut slave.partner) {
            (Part::ActorPdu, Some(pdu), _) | (Part::PartnerPdu, _, Some(pdu)) => {
                pdu_line(pdu, label, value)
            }
            _ => false,
        },
    }
}

fn pdu_line(pdu: &mut LacpPdu, label: &str, value: &str) -> bool {
    match label {
        "system priority" => set(&mut pdu.system_priority, decimal(value)),
        "system mac address" => set(&mut pdu.system_mac, lower(value)),
        "port key" | "oper key" => set(&mut pdu.key, decimal(value)),
        "port priority" => set(&mut pdu.port_priority, decimal(value)),
        "port number" => set(&mut pdu.port_number, decimal(value)),
        "port state" => set(&mut pdu.port_state, decimal(value)),
        _ => false,
    }
}

/// The words must match whole: two pairs of modes share what stands before the bracket
/// (tests/ground/procbonding.md, C1). Only another bracket may follow.
fn set_mode(status: &mut BondStatus, text: &str) -> bool {
    if status.mode_text.is_some() || text.is_empty() {
        return status.mode_text.as_deref() == Some(text);
    }
    status.mode_text = Some(text.to_string());
    for mode in BondMode::ALL {
        let Some(suffix) = text.strip_prefix(mode.proc_words()) else { continue };
        if suffix.is_empty() || suffix.starts_with(" (") {
            status.mode = Some(mode);
            status.fail_over_mac = fail_over_mac(suffix);
        }
    }
    true
}

fn fail_over_mac(suffix: &str) -> Option<String> {
    match suffix.strip_prefix(" (fail_over_mac")?.strip_suffix(')')?.trim() {
        // 2.6.24 and 25 had a switch in place of the policy: on is what `active` is since.
        "" => Some("active".to_string()),
        policy => word(policy),
    }
}

/// `None`, `eth0` or `eth0 (primary_reselect always)`. A device name has no blank in it
/// (`dev_valid_name`, net/core/dev.c), but may have brackets.
fn set_primary(status: &mut BondStatus, value: &str) -> bool {
    let (name, suffix) = value.split_once(' ').unwrap_or((value, ""));
    // Only a primary that exists has a suffix, so `None (...)` is a device of that name.
    if name == "None" && suffix.is_empty() {
        return true;
    }
    if let Some(policy) =
        suffix.strip_prefix("(primary_reselect ").and_then(|s| s.strip_suffix(')'))
    {
        set(&mut status.primary_reselect, word(policy));
    }
    set(&mut status.primary, word(name))
}

/// ` [007] = eth1`
fn bucket(line: &str) -> Option<SlbBucket> {
    let (index, slave) = line.strip_prefix('[')?.split_once("] = ")?;
    Some(SlbBucket { bucket: index.trim().parse().ok()?, slave: word(slave)? })
}

/// Label and value. The colon that counts is the first before a blank or the end: a label may
/// hold colons (`xx::xx form`), and so may a value. A line without one is all label.
fn split(line: &str) -> (&str, &str) {
    let ends = |at: usize| line[at + 1..].chars().next().is_none_or(char::is_whitespace);
    let colon =
        line.match_indices(':').map(|(at, _)| at).find(|at| ends(*at)).or_else(|| line.find(':'));
    match colon {
        Some(at) => (trimmed(&line[..at]), trimmed(&line[at + 1..])),
        None => (line, ""),
    }
}

/// Cuts the blanks that the kernel or a paste may have put round a text, and no other: to the
/// kernel, wider Unicode blanks are bytes that a device name may hold, while the byte 0xA0 is
/// a blank to it (lib/ctype.c).
fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\u{a0}')
}

/// Fills an empty field. `false` when there is no value, or it is not the one already there.
fn set<T: PartialEq>(field: &mut Option<T>, value: Option<T>) -> bool {
    match (&field, value) {
        (_, None) => false,
        (Some(have), Some(value)) => *have == value,
        (None, value) => {
            *field = value;
            true
        }
    }
}

fn word(value: &str) -> Option<String> {
    (!value.is_empty()).then(|| value.to_string())
}

fn lower(value: &str) -> Option<String> {
    word(value).map(|word| word.to_ascii_lowercase())
}

fn list(value: &str) -> Vec<String> {
    value.split(',').map(trimmed).filter_map(word).collect()
}

/// The unit must be there: without it the number may be cut too.
fn speed(value: &str) -> Option<u32> {
    decimal(value.strip_suffix(" Mbps")?)
}

fn hexadecimal(value: &str) -> Option<u32> {
    u32::from_str_radix(value.strip_prefix("0x")?, 16).ok()
}
