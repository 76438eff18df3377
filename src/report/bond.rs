//! A [`BondStatus`] for readers: the `show` object of the contract, and a table for a person.
//!
//! Knows names and layout. Must not judge: what the driver did not say is `null` or `?`, and
//! neither is ever replaced by what would be usual.

use serde_json::{Value, json};

use super::table::{Cell, Column, Table, joined};
use super::text::Text;

use crate::bonding::{BondStatus, Lacp, SlaveStatus};
use crate::net::BondMode;

/// Before this column a list of flags is broken.
pub(super) const WIDTH: usize = 80;

/// The object that `show --json` has for one bond. Field names are part of the contract;
/// fields may be added.
#[must_use]
pub fn to_json(name: Option<&str>, status: &BondStatus) -> Value {
    let none = Lacp::default();
    let lacp = status.lacp.as_ref().unwrap_or(&none);
    let aggregator = lacp.active_aggregator.as_ref();
    // Neither said is not "there is none": the reader may lack CAP_NET_ADMIN.
    let no_active_aggregator = match (lacp.no_active_aggregator, aggregator) {
        (true, _) => Some(true),
        (false, Some(_)) => Some(false),
        (false, None) => None,
    };
    json!({
        "name": name,
        "driver_version": status.driver_version,
        "kernel_driver": status.is_kernel_driver(),
        "mode": status.mode.map(BondMode::name),
        "mode_number": status.mode.map(BondMode::number),
        "mode_text": status.mode_text,
        "fail_over_mac": status.fail_over_mac,
        "mii_status": status.mii_status,
        "active_slave": status.active_slave,
        "primary": status.primary,
        "primary_reselect": status.primary_reselect,
        "miimon": status.miimon,
        "updelay": status.updelay,
        "downdelay": status.downdelay,
        "peer_notif_delay": status.peer_notif_delay,
        "arp_interval": status.arp_interval,
        "arp_missed_max": status.arp_missed_max,
        "arp_ip_target": status.arp_ip_target,
        "ns_ip6_target": status.ns_ip6_target,
        "xmit_hash_policy": status.xmit_hash_policy,
        "lacp_active": lacp.lacp_active,
        "lacp_rate": lacp.lacp_rate,
        "min_links": lacp.min_links,
        "ad_select": lacp.ad_select,
        "system_priority": lacp.system_priority,
        "system_mac": lacp.system_mac,
        "aggregator": aggregator,
        "no_active_aggregator": no_active_aggregator,
        "slb_buckets": status.slb_buckets,
        "slaves": status.slaves,
    })
}

/// The bond as a person likes to read it, in plain ASCII. `?` stands for
/// what the driver did not say; lines that the mode does not have are left out.
#[must_use]
pub fn table(name: Option<&str>, status: &BondStatus) -> Text {
    let rows = slave_rows(status);
    let columns = vec![Column::PLAIN; rows[0].len()];
    let mut slaves = Table::new(&columns).indent(2);
    if status.slaves.is_empty() {
        slaves.line("  no slave is listed");
    } else {
        rows.iter().for_each(|row| slaves.row(row.iter().map(|cell| ascii(cell).into())));
    }
    below(name, &top(head(status)), &slaves)
}

/// What is said of a bond as a whole, a line each.
pub(super) fn top(rows: Vec<(&'static str, String)>) -> Table {
    let mut top = Table::new(&[Column::PLAIN.least(15), Column::PLAIN]).indent(2).gap(1);
    for (label, value) in rows {
        top.row([label.to_string(), ascii(&value)].map(Cell::from));
    }
    top
}

/// A name, what is said of it, and its slaves.
pub(super) fn below(name: Option<&str>, top: &Table, slaves: &Table) -> Text {
    let first = [ascii(name.unwrap_or("?")).into()];
    let lines = first.into_iter().chain(top.lines()).chain([Text::default()]).chain(slaves.lines());
    joined(lines)
}

fn head(status: &BondStatus) -> Vec<(&'static str, String)> {
    let mode = match (status.mode, &status.mode_text) {
        (Some(mode), _) => format!("{mode} ({})", mode.number()),
        (None, Some(text)) => format!("? ({text})"),
        (None, None) => "?".to_string(),
    };
    let mut rows = vec![("mode", mode), ("link", known(status.mii_status.as_ref()))];
    if let Some(policy) = &status.fail_over_mac {
        rows.push(("fail_over_mac", policy.clone()));
    }
    if status.active_slave.is_some() || status.mode.is_some_and(BondMode::has_active_slave) {
        rows.push(("active slave", known(status.active_slave.as_ref())));
    }
    if let Some(primary) = &status.primary {
        let reselect = known(status.primary_reselect.as_ref());
        rows.push(("primary", format!("{primary} (reselect {reselect})")));
    }
    let (updelay, downdelay) = (known(status.updelay), known(status.downdelay));
    let miimon = match status.miimon {
        Some(0) => "0 (link polling is off)".to_string(),
        miimon => known(miimon),
    };
    rows.push(("miimon", format!("{miimon}, updelay {updelay}, downdelay {downdelay}")));
    if let Some(interval) = status.arp_interval {
        let targets = status.arp_ip_target.as_ref().map(|targets| targets.join(", "));
        rows.push(("ARP monitor", format!("every {interval} ms, targets {}", known(targets))));
    }
    if let Some(policy) = &status.xmit_hash_policy {
        rows.push(("hash policy", policy.clone()));
    }
    if let Some(lacp) = &status.lacp {
        rows.extend(lacp_rows(lacp));
    }
    if let Some(buckets) = &status.slb_buckets {
        rows.push(("hash buckets", format!("{} in use", buckets.len())));
    }
    rows.push(("driver", known(status.driver_version.as_ref())));
    rows
}

fn lacp_rows(lacp: &Lacp) -> [(&'static str, String); 2] {
    let (rate, select) = (known(lacp.lacp_rate.as_ref()), known(lacp.ad_select.as_ref()));
    let aggregator = match &lacp.active_aggregator {
        Some(aggregator) => {
            let partner = match aggregator.has_partner() {
                Some(false) => "no LACP partner".to_string(),
                _ => format!("partner {}", known(aggregator.partner_mac.as_ref())),
            };
            format!("{}, ports {}, {partner}", known(aggregator.id), known(aggregator.ports))
        }
        None if lacp.no_active_aggregator => "none is active".to_string(),
        None => "?".to_string(),
    };
    [
        ("LACP", format!("rate {rate}, min_links {}, ad_select {select}", known(lacp.min_links))),
        ("aggregator", aggregator),
    ]
}

/// The rows of the slaves' table, the titles first. The address comes last: it is the only
/// column that can be long (20 bytes on InfiniBand), and the line is cut there.
fn slave_rows(status: &BondStatus) -> Vec<Vec<String>> {
    let aggregators = status.lacp.is_some()
        || status.mode == Some(BondMode::Ieee8023ad)
        || status.slaves.iter().any(|slave| slave.aggregator_id.is_some());
    let row = |slave: &SlaveStatus| {
        let mut cells = vec![
            slave.name.clone(),
            known(slave.mii_status.as_ref()),
            slave.speed_mbps.map_or("?".to_string(), |speed| format!("{speed} Mb/s")),
            known(slave.duplex.as_ref()),
            known(slave.link_failure_count),
        ];
        if aggregators {
            cells.push(known(slave.aggregator_id));
        }
        cells.push(known(slave.perm_hwaddr.as_ref()));
        cells
    };
    let mut titles = vec!["slave", "link", "speed", "duplex", "failures"];
    if aggregators {
        titles.push("aggr");
    }
    titles.push("permanent MAC");
    std::iter::once(titles.into_iter().map(str::to_string).collect())
        .chain(status.slaves.iter().map(row))
        .collect()
}

pub(super) fn known<T: ToString>(value: Option<T>) -> String {
    value.map_or("?".to_string(), |value| value.to_string())
}

/// A name or a word of the driver's may hold any byte: none of them reaches a terminal raw.
pub(super) fn ascii(text: &str) -> String {
    let plain = |c: char| c == ' ' || c.is_ascii_graphic();
    text.chars().fold(String::new(), |mut out, c| {
        if plain(c) {
            out.push(c)
        } else {
            out.extend(c.escape_default())
        }
        out
    })
}
