//! What is on disk of XAPI's records and of networkd's bridges: what a boot begins with when the
//! power was cut (tests/ground/xapi-measured.md, M15, M20 and M21). Must not know what is wanted.

use std::collections::{BTreeMap, BTreeSet};
use std::io::BufRead;

use serde_json::Value;

use super::ground::database_is_elsewhere;
use crate::host::Host;
use crate::net::{Ipv4Net, Uuid};
use crate::order;
use crate::paths;

/// Both stores, as far as they tell of some NICs.
#[derive(Clone, Debug)]
pub struct Stores {
    /// XAPI's database; `None`: there is no such file here, none that can be read, or XAPI writes
    /// to another place.
    pub database: Option<Database>,
    /// networkd's file.
    pub networkd: Networkd,
}

/// What networkd's file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Networkd {
    /// There is none: networkd makes nothing at its start.
    Missing,
    /// It is there and is not of the known form.
    Unreadable,
    /// The bridges that have ports, with what is kept of each.
    Bridges(BTreeMap<String, Bridge>),
}

/// What networkd keeps of a bridge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bridge {
    /// The NICs in its ports.
    pub nics: BTreeSet<String>,
    /// Its fixed addresses; `None`: it has none of that kind, or nothing tells.
    pub addresses: Option<BTreeSet<Ipv4Net>>,
}

/// The PIFs in XAPI's database of NICs that were asked for.
#[derive(Clone, Debug, Default)]
pub struct Database {
    generation: Option<String>,
    rows: Vec<Row>,
    networks: Vec<Row>,
    /// The hosts' uuids by their references.
    hosts: BTreeMap<String, String>,
}

/// A record.
#[derive(Clone, Debug, Default)]
pub struct Row(BTreeMap<String, String>);

impl Row {
    /// A field; `None` where the release has none of that name.
    #[must_use]
    pub fn get(&self, field: &str) -> Option<&str> {
        self.0.get(field).map(String::as_str)
    }
}

impl Stores {
    /// Reads what is on disk of these NICs.
    #[must_use]
    pub fn read(host: &Host, nics: &[&str]) -> Self {
        let elsewhere = database_is_elsewhere(host);
        let database = if elsewhere { None } else { Database::read(host, nics) };
        Self { database, networkd: Networkd::read(host) }
    }

    /// Whether there is anything to look at.
    #[must_use]
    pub fn tell_something(&self) -> bool {
        self.database.is_some() || matches!(self.networkd, Networkd::Bridges(_))
    }

    /// Reads it again: XAPI's database only where another generation was written.
    #[must_use]
    pub fn again(self, host: &Host, nics: &[&str]) -> Self {
        if database_is_elsewhere(host) {
            return Self::read(host, nics);
        }
        let written = database_file(host).and_then(|file| generation(host, &file));
        let database = match self.database {
            Some(known) if written.is_some() && known.generation == written => Some(known),
            _ => Database::read(host, nics),
        };
        Self { database, networkd: Networkd::read(host) }
    }
}

impl Networkd {
    fn read(host: &Host) -> Self {
        let Ok(bytes) = host.read(paths::NETWORKD_DB) else { return Self::Unreadable };
        let Some(bytes) = bytes else { return Self::Missing };
        let config: Option<Value> = serde_json::from_slice(&bytes).ok();
        let bridges = config.as_ref().and_then(|config| config.get("bridge_config"));
        match bridges.and_then(Value::as_object) {
            Some(bridges) => {
                let nics = |bridge: &Value| {
                    let ports = bridge.get("ports").and_then(Value::as_object);
                    let lists = ports.into_iter().flat_map(|ports| ports.values());
                    let lists = lists.filter_map(|port| port.get("interfaces")?.as_array());
                    let nics = lists.flatten().filter_map(Value::as_str);
                    order::set(nics.map(String::from))
                };
                let mut all = BTreeMap::new();
                all.extend(bridges.iter().map(|(name, bridge)| {
                    let interfaces = config.as_ref().and_then(|c| c.get("interface_config"));
                    let addresses = interfaces.and_then(|all| addresses(all.get(name)?));
                    (name.clone(), Bridge { nics: nics(bridge), addresses })
                }));
                Self::Bridges(all)
            }
            None => Self::Unreadable,
        }
    }

    /// The bridge that a NIC is in.
    #[must_use]
    pub fn bridge_of(&self, nic: &str) -> Option<&str> {
        let Self::Bridges(bridges) = self else { return None };
        let (name, _) = bridges.iter().find(|(_, bridge)| bridge.nics.contains(nic))?;
        Some(name)
    }

    /// The fixed addresses of a bridge, where it tells.
    #[must_use]
    pub fn addresses_of(&self, bridge: &str) -> Option<&BTreeSet<Ipv4Net>> {
        let Self::Bridges(bridges) = self else { return None };
        bridges.get(bridge)?.addresses.as_ref()
    }
}

/// `"None4"`, or `["Static4", [[ADDRESS, PREFIX], ...]]`; of any other form nothing is known.
fn addresses(interface: &Value) -> Option<BTreeSet<Ipv4Net>> {
    match interface.get("ipv4_conf")? {
        Value::String(word) if word == "None4" => Some(BTreeSet::new()),
        Value::Array(form) if form.first()? == "Static4" => {
            let one = |pair: &Value| {
                let text = format!("{}/{}", pair.get(0)?.as_str()?, pair.get(1)?.as_u64()?);
                text.parse::<Ipv4Net>().ok()
            };
            let mut all = BTreeSet::new();
            for pair in form.get(1)?.as_array()? {
                all.insert(one(pair)?);
            }
            Some(all)
        }
        _ => None,
    }
}

/// The file that `db.conf` names.
fn database_file(host: &Host) -> Option<String> {
    let text = host.read_text(paths::DB_CONF).ok().flatten()?;
    let mut names = text.lines().filter_map(|l| l.trim().strip_prefix('[')?.strip_suffix(']'));
    names.find(|path| path.starts_with('/') && host.exists(path)).map(String::from)
}

fn generation(host: &Host, file: &str) -> Option<String> {
    let text = host.read_text(&format!("{file}.generation")).ok().flatten()?;
    Some(text.trim().to_string())
}

impl Database {
    fn read(host: &Host, nics: &[&str]) -> Option<Self> {
        let file = database_file(host)?;
        // Before the file itself: what is written in between is read again.
        let generation = generation(host, &file);
        let mut database = Self { generation, ..Self::default() };
        database.fill(host.reader(&file)?, nics)?;
        Some(database)
    }

    /// Takes what is asked for out of a file of many megabytes, tag by tag.
    fn fill(&mut self, mut file: impl BufRead, nics: &[&str]) -> Option<()> {
        // Another beginning is a compressed file.
        if !file.fill_buf().ok()?.starts_with(b"<") {
            return None;
        }
        let (mut tag, mut table, mut ended) = (Vec::new(), String::new(), false);
        loop {
            tag.clear();
            if file.read_until(b'>', &mut tag).ok()? == 0 {
                break;
            }
            let text = String::from_utf8_lossy(&tag);
            let text = text.trim_start();
            if let Some(rest) = text.strip_prefix("<table ") {
                table = attributes(rest).remove("name").unwrap_or_default();
            } else if text.starts_with("</database") {
                ended = true;
            } else if let Some(rest) = text.strip_prefix("<row ") {
                self.take(&table, rest, nics);
            }
        }
        // A file without its end says nothing of what would stand there.
        ended.then_some(())
    }

    fn take(&mut self, table: &str, tag: &str, nics: &[&str]) {
        match table {
            "PIF" => {
                let row = attributes(tag);
                if row.get("device").is_some_and(|device| nics.contains(&device.as_str())) {
                    self.rows.push(Row(row));
                }
            }
            "network" => self.networks.push(Row(attributes(tag))),
            "host" => {
                let mut row = attributes(tag);
                if let (Some(key), Some(uuid)) = (row.remove("ref"), row.remove("uuid")) {
                    self.hosts.insert(key, uuid);
                }
            }
            _ => {}
        }
    }

    /// The record of a network.
    #[must_use]
    pub fn network(&self, uuid: &Uuid) -> Option<&Row> {
        self.networks.iter().find(|row| row.get("uuid") == Some(&uuid.to_string()))
    }

    /// The uuids of the networks of a name.
    #[must_use]
    pub fn networks_called(&self, name: &str) -> BTreeSet<String> {
        let called = self.networks.iter().filter(|row| row.get("name__label") == Some(name));
        order::set(called.filter_map(|row| row.get("uuid").map(String::from)))
    }

    /// The records of a NIC of a host.
    #[must_use]
    pub fn of(&self, host: &Uuid, nic: &str) -> Vec<&Row> {
        let here = |row: &&Row| {
            let uuid = row.get("host").and_then(|key| self.hosts.get(key));
            uuid.is_none_or(|uuid| *uuid == host.to_string())
        };
        let is_nic = |row: &&Row| row.get("VLAN").is_none_or(|tag| tag == "-1");
        let rows = self.rows.iter().filter(|row| row.get("device") == Some(nic));
        rows.filter(is_nic).filter(here).collect()
    }
}

/// The attributes of a tag, in plain text again: XAPI keeps white space apart (`xml_spaces.ml`).
fn attributes(tag: &str) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let mut rest = tag;
    while let Some((name, after)) = rest.split_once('=') {
        let quote = if after.starts_with('\'') { '\'' } else { '"' };
        let Some((value, after)) = after.get(1..).and_then(|a| a.split_once(quote)) else { break };
        all.insert(name.trim().to_string(), plain(value));
        rest = after;
    }
    all
}

fn plain(value: &str) -> String {
    let mut text = value.to_string();
    if text.contains('&') {
        for (word, c) in [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'")] {
            text = text.replace(word, c);
        }
        text = text.replace("&#10;", "\n").replace("&amp;", "&");
    }
    if !text.contains('%') {
        return text;
    }
    let (mut out, mut chars) = (String::new(), text.chars());
    while let Some(c) = chars.next() {
        out.push(match c {
            '%' => match chars.next() {
                Some('.') => ' ',
                Some('t') => '\t',
                Some('n') => '\n',
                Some('r') => '\r',
                Some(other) => other,
                None => '%',
            },
            c => c,
        });
    }
    out
}

#[cfg(test)]
mod tests;
