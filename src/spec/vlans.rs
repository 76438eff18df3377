//! The sections `[vlan TAG]`: their keys, and which host has which address on which tag.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail, ensure};

use super::ini::Source;
use super::keys::keys;
use super::request::{listed, of_host};
use super::texts::{self, Given};
use super::{Probe, Vlan};
use crate::net::{HostName, IfName, Ipv4Net, StaticRoute, Tag, Tagged, nearest, shown};
use crate::order;

/// The keys of such a section; any other is a host's name.
const KEYS: [&str; 4] = ["address", "mtu", "routes", "probes"];

/// What one section says.
pub(super) struct Section {
    /// What it is called in messages.
    at: String,
    tag: Tag,
    mtu: Option<u32>,
    routes: Vec<StaticRoute>,
    probes: Vec<Probe>,
    addresses: Addresses,
}

/// Whose the addresses are.
enum Addresses {
    /// A single host's.
    Single(Ipv4Net),
    /// Those of hosts, by the names that they have in `[addresses]` where there is that section.
    Pool(BTreeMap<HostName, Ipv4Net>),
}

/// The sections of a file, by what their names say of the tag.
pub(super) fn read(
    texts: BTreeMap<String, Vec<Given>>,
    pool: &BTreeMap<HostName, Ipv4Net>,
) -> Result<Vec<Section>> {
    let mut all: Vec<Section> = Vec::new();
    for (tag, given) in texts {
        let Some((source, ..)) = given.first() else { continue };
        let at = source.section();
        let tag: Tag = tag.parse().with_context(|| at.clone())?;
        all.push(section(at, tag, given, pool)?);
    }
    order::sort_by_key(&mut all, |section| section.tag);
    Ok(all)
}

fn section(
    at: String,
    tag: Tag,
    given: Vec<Given>,
    pool: &BTreeMap<HostName, Ipv4Net>,
) -> Result<Section> {
    let (mut mtu, mut probes, mut single) = (None, Vec::new(), None);
    let mut routes = Vec::new();
    let mut hosts = BTreeMap::new();
    for (source, key, text) in given {
        match key.as_str() {
            "mtu" => mtu = Some(texts::mtu(&text).with_context(|| source.to_string())?),
            "probes" => probes = texts::list(&text, "probe").with_context(|| source.to_string())?,
            "routes" => routes = texts::routes(&text).with_context(|| source.to_string())?,
            "address" => {
                ensure!(
                    pool.is_empty(),
                    "{source}: the hosts of [addresses] have a line each in this section: NAME = IP/PREFIX"
                );
                single = Some(texts::host_address(&text).with_context(|| source.to_string())?);
            }
            _ => {
                let host = host_of(&source, &key, pool)?;
                let net = texts::host_address(&text).with_context(|| source.to_string())?;
                if let Some((other, _)) =
                    hosts.iter().find(|(_, a): &(_, &Ipv4Net)| a.addr == net.addr)
                {
                    bail!("{source}: address {} is also that of {other}", net.addr);
                }
                ensure!(
                    hosts.insert(host.clone(), net).is_none(),
                    "{source}: another line of this section is for {host}"
                );
            }
        }
    }
    let addresses = match single {
        Some(net) => {
            if let Some((host, _)) = hosts.first_key_value() {
                bail!("{at}: `address` and the line of {host} exclude each other");
            }
            Addresses::Single(net)
        }
        None if hosts.is_empty() => bail!(
            "{at}: it has no address: give {}",
            if pool.is_empty() {
                "`address = IP/PREFIX`, or `NAME = IP/PREFIX` for a host"
            } else {
                "`NAME = IP/PREFIX` for each host"
            }
        ),
        None => Addresses::Pool(hosts),
    };
    Ok(Section { at, tag, mtu, routes, probes, addresses })
}

/// The hosts that have lines in these sections.
pub(super) fn hosts(sections: &[Section]) -> BTreeSet<&HostName> {
    let mut all = BTreeSet::new();
    for section in sections {
        if let Addresses::Pool(hosts) = &section.addresses {
            all.extend(hosts.keys());
        }
    }
    all
}

/// The host that a key means: one of `[addresses]`, where there is that section.
fn host_of(source: &Source, key: &str, pool: &BTreeMap<HostName, Ipv4Net>) -> Result<HostName> {
    let name = key.replace('-', "_");
    let (likely, is_near) = match nearest(&name, &KEYS) {
        Some((nearest, true)) => (format!("; did you mean `{nearest}`?"), true),
        _ => (format!("; its keys are {}, and names of hosts", KEYS.join(", ")), false),
    };
    let host = key.parse::<HostName>();
    let is_key = keys().iter().any(|known| known.name == name);
    ensure!(
        !is_key && (!pool.is_empty() || !is_near && host.is_ok()),
        "{source}: unknown key in this section{likely}"
    );
    if pool.is_empty() {
        return host;
    }
    let found = match host {
        Ok(host) => of_host(pool, &[host.to_string()]),
        Err(_) => Vec::new(),
    };
    let [(host, _)] = found[..] else {
        bail!(
            "{source}: `{}` is neither a key of this section nor one host of [addresses], which has {}{likely}",
            shown(key),
            listed(pool)
        );
    };
    Ok(host.clone())
}

/// The networks that a host has by these sections. `host`: one that the file names.
pub(super) fn of(
    sections: &[Section],
    bond: &IfName,
    host: Option<&HostName>,
) -> Result<Vec<Vlan>> {
    let mut all = Vec::new();
    for Section { at, tag, mtu, routes, probes, addresses } in sections {
        let address = match (addresses, host) {
            (Addresses::Single(net), _) => Some(net),
            (Addresses::Pool(hosts), Some(host)) => {
                of_host(hosts, &[host.to_string()]).first().map(|(_, net)| *net)
            }
            (Addresses::Pool(_), None) => None,
        };
        if let Some(address) = address {
            let device = Tagged::of(bond, *tag).with_context(|| at.clone())?;
            let (routes, probes) = (routes.clone(), probes.clone());
            all.push(Vlan { device, address: *address, mtu: *mtu, routes, probes });
        }
    }
    Ok(all)
}
