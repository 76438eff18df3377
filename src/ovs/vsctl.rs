//! Who is in a bond and what is set for it: the texts of `ovs-vsctl show` and `ovs-vsctl list
//! port`, and of `ovs-appctl bond/list`.
//!
//! Knows no state: none of these says whether a slave is enabled. A bond is a port with two or more
//! interfaces (tests/ground/ovs.md, E1).

use std::collections::BTreeMap;

use super::line::{lines, split};
use super::{Mode, mac, name, word};
use crate::net::decimal;
use crate::order;

/// A bond, and who is in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Port {
    /// The bridge that it is a port of; `bond/list` says it in 1.0 and 1.1 only.
    pub bridge: Option<String>,
    /// Its name.
    pub name: String,
    /// Its mode, which `show` does not say.
    pub mode: Option<Mode>,
    /// Its interfaces in the order printed, which has no meaning.
    pub slaves: Vec<String>,
}

/// A record of the table `Port`. `None` is what is not set, or no column of this release.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortRecord {
    /// Its name.
    pub name: Option<String>,
    /// The mode that is set.
    pub mode: Option<Mode>,
    /// `off`, `active` or `passive`.
    pub lacp: Option<String>,
    /// Milliseconds before a link that came up is used.
    pub updelay: Option<u32>,
    /// Milliseconds before a link that went down is left.
    pub downdelay: Option<u32>,
    /// The address of the slave that was the active one last; from 2.4.
    pub active_mac: Option<String>,
    /// The records of its interfaces.
    pub interfaces: Vec<String>,
    /// Keys that have no column.
    pub other_config: BTreeMap<String, String>,
}

/// Reads the bonds of what `ovs-vsctl show` and `ovs-appctl bond/list` print.
#[must_use]
pub fn ports(text: &str) -> Vec<Port> {
    let (mut all, mut bridge, mut head) = (Vec::<Port>::new(), None, None);
    // The indentation gets lost in pastes: an interface is of the port before it.
    let mut inside = false;
    for line in lines(text) {
        let words: Vec<&str> = line.split(' ').collect();
        head = heading(&words).or(head);
        match words[..] {
            ["Bridge", of] => (bridge, inside) = (name(unquoted(of)), false),
            ["Port", of] => {
                let port = name(unquoted(of));
                inside = port.is_some();
                let bridge = bridge.clone();
                all.extend(port.map(|name| Port { bridge, name, ..Port::default() }));
            }
            ["Interface", of] if inside => {
                if let Some(port) = all.last_mut() {
                    port.slaves.extend(name(unquoted(of)));
                }
            }
            _ => match head.as_ref().and_then(|head| row(head, &words)) {
                Some(port) => {
                    inside = false;
                    all.push(port);
                }
                None => inside &= !line.starts_with("ovs_version"),
            },
        }
    }
    all.retain(|port| port.slaves.len() > 1);
    all
}

/// The titles of `bond/list`, which differ by release (tests/ground/ovs.md, C1).
fn heading(words: &[&str]) -> Option<Vec<String>> {
    let first = matches!(words.first(), Some(&"bond" | &"bridge"));
    let last = matches!(words.last(), Some(&"slaves" | &"members"));
    (first && last).then(|| words.iter().map(ToString::to_string).collect())
}

/// A row of `bond/list`: a word below each title, and all others below the last one.
fn row(titles: &[String], words: &[&str]) -> Option<Port> {
    let last = titles.len() - 1;
    let (mut port, slaves) = (Port::default(), words.get(last..)?);
    for (title, word_below) in titles[..last].iter().zip(words) {
        match title.as_str() {
            "bridge" => port.bridge = name(word_below),
            "bond" => port.name = name(word_below)?,
            "type" => port.mode = Some(word(word_below)?),
            _ => {}
        }
    }
    let (end, others) = slaves.split_last()?;
    let others = others.iter().map(|slave| slave.strip_suffix(','));
    port.slaves = others.chain([Some(*end)]).map(|slave| name(slave?)).collect::<Option<_>>()?;
    Some(port)
}

/// Reads the records that `ovs-vsctl list port` prints.
#[must_use]
pub fn records(text: &str) -> Vec<PortRecord> {
    let mut all = Vec::new();
    for line in lines(text) {
        let Some((label, value)) = split(&line).map(|(label, value)| (label.trim_end(), value))
        else {
            continue;
        };
        if label == "_uuid" {
            all.push(PortRecord::default());
        }
        let Some(record) = all.last_mut() else { continue };
        let bare = Some(unquoted(value)).filter(|value| *value != "[]");
        match label {
            "name" => record.name = bare.and_then(name),
            "bond_mode" => record.mode = bare.and_then(word),
            "lacp" => record.lacp = bare.and_then(name),
            "bond_updelay" => record.updelay = decimal(value),
            "bond_downdelay" => record.downdelay = decimal(value),
            "bond_active_slave" => record.active_mac = bare.and_then(mac),
            "interfaces" => {
                record.interfaces = parts(value, ['[', ']']).map(String::from).collect()
            }
            "other_config" => {
                let pairs = parts(value, ['{', '}']).filter_map(|pair| pair.split_once('='));
                let text = |text| unquoted(text).to_string();
                record.other_config = order::map(pairs.map(|(k, v)| (text(k), text(v))));
            }
            _ => {}
        }
    }
    // Other tables have records too; only this one has these columns.
    all.retain(|record| !record.interfaces.is_empty());
    all
}

/// What stands between two brackets, parted by commas outside of quotes. A set of one has none.
fn parts(value: &str, brackets: [char; 2]) -> impl Iterator<Item = &str> {
    let inside = value.strip_prefix(brackets[0]).and_then(|rest| rest.strip_suffix(brackets[1]));
    let mut quoted = false;
    let comma = move |c: char| {
        quoted ^= c == '"';
        c == ',' && !quoted
    };
    inside.unwrap_or(value).split(comma).map(str::trim).filter(|part| !part.is_empty())
}

/// A name with a digit in it is quoted up to 2.12, and bare from then on.
fn unquoted(text: &str) -> &str {
    text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text)
}
