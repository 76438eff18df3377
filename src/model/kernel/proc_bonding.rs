//! `/proc/net/bonding/<bond>` as the driver prints it: 3.10 for el5, 4.19 for el7, both with
//! XenServer's SLB patch (tests/ground/procbonding.md).

use std::fmt::Write;

use super::options::WORDS;
use crate::model::state::{Bond, Dom0, Flavour, Nic, Slave};
use crate::net::BondMode;

/// What LACP has come to.
pub(crate) struct Aggregator {
    pub(crate) id: u32,
    pub(crate) ports: usize,
    pub(crate) actor_key: u32,
    pub(crate) partner_key: u32,
    pub(crate) partner_mac: &'static str,
}

const NO_PARTNER: &str = "00:00:00:00:00:00";
const PARTNER: &str = "00:23:04:ee:be:0a";

pub(crate) fn word(bond: &Bond, key: &str) -> &'static str {
    let words = WORDS.iter().find(|(name, _)| *name == key).map_or(&[][..], |(_, words)| words);
    words.get(bond.option(key) as usize).copied().unwrap_or("unknown")
}

/// Whether this slave's port has found its partner.
fn partnered(dom0: &Dom0, slave: &Slave) -> bool {
    dom0.wire.lacp.contains(&slave.name) && dom0.carrier(&slave.name) && slave.lacp_at <= dom0.clock
}

fn aggregator_of(dom0: &Dom0, bond: &Bond, at: usize) -> u32 {
    let first = bond.slaves.iter().position(|s| partnered(dom0, s));
    let id = if partnered(dom0, &bond.slaves[at]) { first.unwrap_or(at) } else { at };
    u32::try_from(id + 1).unwrap_or(1)
}

/// The active aggregator.
pub(crate) fn aggregator(dom0: &Dom0, bond: &Bond) -> Option<Aggregator> {
    let alive = |s: &Slave| dom0.carrier(&s.name) && s.status != "down";
    let best = bond
        .slaves
        .iter()
        .position(|s| partnered(dom0, s))
        .or_else(|| bond.slaves.iter().position(alive))?;
    let id = aggregator_of(dom0, bond, best);
    let partner = partnered(dom0, &bond.slaves[best]);
    let ports = (0..bond.slaves.len()).filter(|at| aggregator_of(dom0, bond, *at) == id).count();
    Some(Aggregator {
        id,
        ports,
        actor_key: actor_key(dom0, bond, &bond.slaves[best]),
        partner_key: if partner { 32778 } else { 1 },
        partner_mac: if partner { PARTNER } else { NO_PARTNER },
    })
}

/// The key holds the user's part, the speed's bit and the duplex; its coding changed between the
/// kernels.
fn actor_key(dom0: &Dom0, bond: &Bond, slave: &Slave) -> u32 {
    let Some(nic) = dom0.nics.get(&slave.name).filter(|n| n.up && n.link) else { return 0 };
    let full = u32::from(nic.duplex == "full");
    let code = match (dom0.flavour, nic.speed_now()) {
        (Flavour::El5, 10_000..) => 32,
        (Flavour::El5, 1000..) => 16,
        (Flavour::El7, 10_000..) => 14,
        (Flavour::El7, 1000..) => 8,
        (_, 100..) => 4,
        _ => 2,
    };
    64 * bond.option("ad_user_port_key") + code + full
}

/// The file's whole text.
#[must_use]
pub(crate) fn text(dom0: &Dom0, name: &str, bond: &Bond) -> String {
    let version = match dom0.linux() >= (5, 6) {
        true => dom0.kernel.clone(),
        false => "3.7.1 (April 27, 2011)".to_string(),
    };
    let mut text = format!("Ethernet Channel Bonding Driver: v{version}\n\n");
    // Writing to a String cannot fail.
    let _ = master(&mut text, dom0, name, bond);
    for (at, slave) in bond.slaves.iter().enumerate() {
        if let Some(nic) = dom0.nics.get(&slave.name) {
            let _ = self::slave(&mut text, dom0, bond, at, nic);
        }
    }
    text
}

fn master(out: &mut String, dom0: &Dom0, name: &str, bond: &Bond) -> std::fmt::Result {
    let (mode, old) = (bond.mode(), dom0.flavour == Flavour::El5);
    write!(out, "Bonding Mode: {}", mode.proc_words())?;
    if mode == BondMode::ActiveBackup && bond.option("fail_over_mac") > 0 {
        write!(out, " (fail_over_mac {})", word(bond, "fail_over_mac"))?;
    }
    writeln!(out)?;
    let release = dom0.linux();
    let by_load = old || bond.option("tlb_dynamic_lb") != 0;
    let hashes = matches!(mode, BondMode::BalanceXor | BondMode::Ieee8023ad)
        || (!by_load && matches!(mode, BondMode::BalanceTlb | BondMode::BalanceAlb));
    if hashes {
        let (policy, number) = (word(bond, "xmit_hash_policy"), bond.option("xmit_hash_policy"));
        writeln!(out, "Transmit Hash Policy: {policy} ({number})")?;
    }
    if mode.has_active_slave() || (old && mode == BondMode::BalanceSlb) {
        match bond.primary_slave() {
            Some(primary) => {
                let policy = word(bond, "primary_reselect");
                writeln!(out, "Primary Slave: {primary} (primary_reselect {policy})")?;
            }
            None => writeln!(out, "Primary Slave: None")?,
        }
        writeln!(out, "Currently Active Slave: {}", bond.active.as_deref().unwrap_or("None"))?;
    }
    let miimon = bond.option("miimon");
    writeln!(out, "MII Status: {}", if bond.carrier() { "up" } else { "down" })?;
    writeln!(out, "MII Polling Interval (ms): {miimon}")?;
    writeln!(out, "Up Delay (ms): {}", bond.option("updelay") * miimon)?;
    writeln!(out, "Down Delay (ms): {}", bond.option("downdelay") * miimon)?;
    if release >= (5, 3) {
        let delay = bond.option("peer_notif_delay") * miimon;
        writeln!(out, "Peer Notification Delay (ms): {delay}")?;
    }
    if bond.option("arp_interval") > 0 {
        writeln!(out, "ARP Polling Interval (ms): {}", bond.option("arp_interval"))?;
        if release >= (5, 17) {
            writeln!(out, "ARP Missed Max: {}", bond.option("arp_missed_max"))?;
        }
        let targets: Vec<String> = bond.arp_targets.iter().map(|t| format!(" {t}")).collect();
        writeln!(out, "ARP IP target/s (n.n.n.n form):{}", targets.join(","))?;
        if release >= (5, 19) {
            writeln!(out, "NS IPv6 target/s (xx::xx form):")?;
        }
    }
    if mode == BondMode::Ieee8023ad {
        lacp(out, dom0, name, bond)?;
    }
    if mode == BondMode::BalanceSlb && bond.opened {
        writeln!(out, "\nSource load balancing info:")?;
        if let Some(active) = &bond.active
            && dom0.addresses.contains_key(name)
        {
            // One source MAC, dom0's, so one bucket: the last octet, folded.
            let bucket = u8::from_str_radix(bond.mac.rsplit(':').next().unwrap_or_default(), 16);
            writeln!(out, " [{:03}] = {active}", bucket.unwrap_or_default())?;
        }
    }
    Ok(())
}

/// Priority and address of our LACP system.
fn system(bond: &Bond) -> (u32, &str) {
    let priority = bond.options.get("ad_actor_sys_prio").copied().unwrap_or(65535);
    (priority, bond.ad_actor_system.as_deref().unwrap_or(&bond.mac))
}

/// The section `802.3ad info`.
fn lacp(out: &mut String, dom0: &Dom0, name: &str, bond: &Bond) -> std::fmt::Result {
    writeln!(out, "\n802.3ad info")?;
    if dom0.linux() >= (5, 15) {
        writeln!(out, "LACP active: {}", word(bond, "lacp_active"))?;
    }
    writeln!(out, "LACP rate: {}", word(bond, "lacp_rate"))?;
    writeln!(out, "Min links: {}", bond.option("min_links"))?;
    writeln!(out, "Aggregator selection policy (ad_select): {}", word(bond, "ad_select"))?;
    if dom0.flavour != Flavour::El5 {
        let (priority, mac) = system(bond);
        writeln!(out, "System priority: {priority}\nSystem MAC address: {mac}")?;
    }
    match aggregator(dom0, bond) {
        None => writeln!(out, "bond {name} has no active aggregator")?,
        Some(active) => {
            writeln!(out, "Active Aggregator Info:\n\tAggregator ID: {}", active.id)?;
            writeln!(out, "\tNumber of ports: {}", active.ports)?;
            writeln!(
                out,
                "\tActor Key: {}\n\tPartner Key: {}",
                active.actor_key, active.partner_key
            )?;
            writeln!(out, "\tPartner Mac Address: {}", active.partner_mac)?;
        }
    }
    Ok(())
}

fn slave(out: &mut String, dom0: &Dom0, bond: &Bond, at: usize, nic: &Nic) -> std::fmt::Result {
    let (slave, old) = (&bond.slaves[at], dom0.flavour == Flavour::El5);
    writeln!(out, "\nSlave Interface: {}\nMII Status: {}", slave.name, slave.status)?;
    if nic.link && nic.speed > 0 {
        writeln!(out, "Speed: {} Mbps\nDuplex: {}", nic.speed_now(), nic.duplex)?;
    } else {
        writeln!(out, "Speed: Unknown\nDuplex: Unknown")?;
    }
    writeln!(out, "Link Failure Count: {}", slave.failures)?;
    writeln!(out, "Permanent HW addr: {}", nic.permanent_mac)?;
    let lacp = bond.mode() == BondMode::Ieee8023ad;
    let id = if lacp { aggregator_of(dom0, bond, at) } else { 0 };
    let slb = "Promiscuity ref count: 0\nFlags: 0x1803";
    if old {
        if dom0.features.slb {
            writeln!(out, "{slb}")?;
        }
        if lacp {
            writeln!(out, "Aggregator ID: {id}")?;
        }
        return writeln!(out, "Slave queue ID: 0");
    }
    writeln!(out, "Slave queue ID: 0")?;
    if dom0.features.slb {
        writeln!(out, "{slb}")?;
    }
    if lacp {
        let good = partnered(dom0, slave);
        let churn = if good { "none" } else { "monitoring" };
        writeln!(
            out,
            "Aggregator ID: {id}\nActor Churn State: {churn}\nPartner Churn State: {churn}"
        )?;
        writeln!(out, "Actor Churned Count: 0\nPartner Churned Count: 0")?;
        let (state, key) = (if good { 61 } else { 69 }, actor_key(dom0, bond, slave));
        let (priority, mac) = system(bond);
        writeln!(out, "details actor lacp pdu:\n    system priority: {priority}")?;
        writeln!(out, "    system mac address: {mac}\n    port key: {key}")?;
        writeln!(
            out,
            "    port priority: 255\n    port number: {}\n    port state: {state}",
            at + 1
        )?;
        let (mac, key, state) = if good { (PARTNER, 32778, 61) } else { (NO_PARTNER, 1, 1) };
        writeln!(
            out,
            "details partner lacp pdu:\n    system priority: {}",
            if good { 32667 } else { 65535 }
        )?;
        writeln!(out, "    system mac address: {mac}\n    oper key: {key}")?;
        writeln!(out, "    port priority: {}", if good { 32768 } else { 255 })?;
        writeln!(
            out,
            "    port number: {}\n    port state: {state}",
            if good { at + 257 } else { 1 }
        )?;
    }
    Ok(())
}
