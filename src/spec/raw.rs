//! A spec as text, from flags and from an INI file: which keys there are, what rust-ini would let
//! pass, and where a fault was said.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::Ipv4Addr;

use anyhow::{Context, Result, anyhow, bail, ensure};
use ini::{Ini, ParseOption};

use super::{Addresses, BackendChoice, MTU_RANGE, NicRef, PifChoice, Request, Spec, listed};
use crate::net::{BondMode, HostName, IfName, Ipv4Net, decimal, nearest, shown};
use crate::options::{Options, TABLE};

/// Keys of `[bond]` that are no option of the driver.
const KEYS: [&str; 9] =
    ["name", "nics", "mode", "mtu", "probes", "backend", "pif", "address", "netmask"];

/// Where a value came from, for the sentence that refuses it.
#[derive(Clone, Debug)]
enum Source {
    Flag(&'static str),
    Key { file: String, section: String, key: String },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "--{flag}"),
            Self::Key { file, section, key } => write!(f, "{file}: [{section}] {key}"),
        }
    }
}

/// Values of a spec as text, from flags and file, before any was looked at.
#[derive(Clone, Debug, Default)]
pub struct Raw {
    values: BTreeMap<String, (Source, String)>,
    addresses: Vec<(Source, String, String)>,
    host_nics: Vec<(Source, String, String)>,
}

impl Raw {
    /// A value given as a flag: it wins over the file's. `key` is the file's key for it.
    pub fn flag(&mut self, flag: &'static str, key: &str, text: String) {
        if key == "nics" {
            self.host_nics.clear();
        }
        if key == "address" {
            self.addresses.clear();
            self.values.remove("netmask");
        }
        self.values.insert(key.to_string(), (Source::Flag(flag), text));
    }

    /// Reads a spec file; `file` is its name in messages.
    ///
    /// # Errors
    /// Names the file, the section and the key that it does not understand, and the nearest one
    /// that it does.
    pub fn file(&mut self, file: &str, text: &str) -> Result<()> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        check_lines(file, text)?;
        // rust-ini takes an indented comment for the end of the line above.
        let text = text.lines().map(str::trim).collect::<Vec<_>>().join("\n");
        let options =
            ParseOption { enabled_quote: false, enabled_escape: false, ..ParseOption::default() };
        let ini =
            Ini::load_from_str_opt(&text, options).with_context(|| format!("reading {file}"))?;
        let mut seen = BTreeSet::new();
        for (section, properties) in &ini {
            let Some(section) = section.map(str::trim) else {
                if let Some((key, _)) = properties.iter().next() {
                    bail!(
                        "{file}: key `{}` stands before the first section; sections are [bond], [addresses] and [nics HOST]",
                        shown(key)
                    );
                }
                continue;
            };
            for (key, value) in properties.iter() {
                let source =
                    Source::Key { file: file.into(), section: section.into(), key: key.into() };
                let value = value.trim().to_string();
                let name = match section {
                    "bond" => bond_key(&source, key)?,
                    "addresses" => key.to_string(),
                    _ if section.starts_with("nics ") => {
                        ensure!(
                            key == "nics",
                            "{source}: unknown key; this section has only `nics`"
                        );
                        key.to_string()
                    }
                    _ => bail!(
                        "{file}: unknown section [{}]; sections are [bond], [addresses] and [nics HOST]",
                        shown(section)
                    ),
                };
                ensure!(
                    seen.insert((section.to_string(), name.clone())),
                    "{source}: this key stands twice"
                );
                match section {
                    "bond" => {
                        self.values.insert(name, (source, value));
                    }
                    "addresses" => self.addresses.push((source, name, value)),
                    _ => {
                        let host = section["nics ".len()..].trim().to_string();
                        self.host_nics.push((source, host, value));
                    }
                }
            }
        }
        Ok(())
    }

    fn take<T>(&mut self, key: &str, parse: impl FnOnce(&str) -> Result<T>) -> Result<Option<T>> {
        match self.values.remove(key) {
            None => Ok(None),
            Some((source, text)) => parse(&text).map(Some).with_context(|| source.to_string()),
        }
    }

    /// The typed values.
    ///
    /// # Errors
    /// The first thing that is wrong, with where it was said.
    pub fn finish(mut self) -> Result<Request> {
        let bond: IfName = self
            .take("name", str::parse)?
            .ok_or_else(|| anyhow!("the bond has no name: give --bond NAME or `name` in [bond]"))?;
        let nics = self.take("nics", nic_list)?;
        let mode = self.take("mode", str::parse)?.unwrap_or(BondMode::ActiveBackup);
        let mtu = self.take("mtu", |text| {
            decimal(text).filter(|mtu| MTU_RANGE.contains(mtu)).ok_or_else(|| {
                anyhow!(
                    "`{}` is no MTU: it must be a whole number from {} to {}",
                    shown(text),
                    MTU_RANGE.start(),
                    MTU_RANGE.end()
                )
            })
        })?;
        let probes = self.take("probes", |text| list(text, "probe"))?.unwrap_or_default();
        let backend = self.take("backend", |text| {
            word(text, &[("bridge", BackendChoice::Bridge), ("keep", BackendChoice::Keep)])
        })?;
        let pif = self.take("pif", |text| {
            word(
                text,
                &[
                    ("auto", PifChoice::Auto),
                    ("forget", PifChoice::Forget),
                    ("unmanaged", PifChoice::Unmanaged),
                ],
            )
        })?;
        let addresses = self.addresses()?;
        let host_nics = self.host_nics()?;
        let mut options = Options::default();
        for row in &TABLE {
            if let Some(value) = self.take(row.name, |text| row.parse(text))? {
                options.set(row.opt, value);
            }
        }
        options.add_defaults();
        debug_assert!(self.values.is_empty(), "every known key is taken: {:?}", self.values);

        if nics.is_none() && host_nics.is_empty() {
            bail!(
                "the bond has no slaves: give --nic DEVICE_OR_MAC twice or more, or `nics` in [bond]"
            );
        }
        let first = match &addresses {
            Addresses::One(address) => *address,
            Addresses::PerHost(all) => {
                *all.values().next().expect("`addresses` refuses an empty list")
            }
        };
        let common = Spec {
            bond,
            nics: nics.clone().unwrap_or_default(),
            mode,
            options,
            address: first,
            mtu,
            probes,
            backend: backend.unwrap_or_default(),
            pif: pif.unwrap_or_default(),
        };
        for nics in nics.iter().chain(host_nics.values()) {
            Spec { nics: nics.clone(), ..common.clone() }.check_nics()?;
        }
        if let Addresses::PerHost(all) = &addresses
            && let Some(host) = host_nics.keys().find(|host| !all.contains_key(*host))
        {
            bail!(
                "[nics {host}] is for a host that [addresses] does not have; it has {}",
                listed(all)
            );
        }
        let request = Request { common, addresses, host_nics };
        for spec in request.all() {
            spec.check_targets()?;
        }
        Ok(request)
    }

    fn addresses(&mut self) -> Result<Addresses> {
        let netmask = self.take("netmask", |text| {
            text.parse::<Ipv4Addr>()
                .map_err(|_| anyhow!("`{}` is no netmask (255.255.255.0)", shown(text)))
        })?;
        let single = self.take("address", |text| {
            let net = match netmask {
                Some(mask) => {
                    ensure!(!text.contains('/'), "`{text}` has a prefix, and a netmask was given as well: one of them is enough");
                    let addr = text.parse().map_err(|_| anyhow!("`{}` is no IPv4 address", shown(text)))?;
                    Ipv4Net::with_netmask(addr, mask)?
                }
                None => text.parse()?,
            };
            net.check_host()?;
            Ok(net)
        })?;
        ensure!(single.is_some() || netmask.is_none(), "a netmask was given without an address");
        let mut all: BTreeMap<HostName, Ipv4Net> = BTreeMap::new();
        for (source, host, text) in std::mem::take(&mut self.addresses) {
            let parsed: Result<(HostName, Ipv4Net)> = (|| {
                let host = host.parse()?;
                let net: Ipv4Net = text.parse()?;
                net.check_host()?;
                if let Some((other, _)) = all.iter().find(|(_, a)| a.addr == net.addr) {
                    bail!("address {} is also that of {other}", net.addr);
                }
                Ok((host, net))
            })();
            let (host, net) = parsed.with_context(|| source.to_string())?;
            all.insert(host, net);
        }
        match (single, all.is_empty()) {
            (Some(_), false) => bail!(
                "[bond] address and [addresses] exclude each other: one is for a single host, the other for a pool"
            ),
            (Some(address), true) => Ok(Addresses::One(address)),
            (None, false) => Ok(Addresses::PerHost(all)),
            (None, true) => bail!(
                "the bond has no address: give --address IP/PREFIX, or one for each host in [addresses]"
            ),
        }
    }

    fn host_nics(&mut self) -> Result<BTreeMap<HostName, Vec<NicRef>>> {
        let mut all = BTreeMap::new();
        for (source, host, text) in std::mem::take(&mut self.host_nics) {
            let parsed: Result<_> = (|| Ok((host.parse::<HostName>()?, nic_list(&text)?)))();
            let (host, nics) = parsed.with_context(|| source.to_string())?;
            all.insert(host, nics);
        }
        Ok(all)
    }
}

/// rust-ini lets a key without `=` swallow the line end, and reads control characters as they
/// are; both are refused before it sees them.
fn check_lines(file: &str, text: &str) -> Result<()> {
    let mut sections = BTreeSet::new();
    for (number, line) in text.lines().enumerate() {
        let at = format!("{file}, line {}", number + 1);
        let line = line.trim();
        if let Some(c) = line.chars().find(|c| c.is_control() && *c != '\t') {
            bail!("{at}: a control character ({}) stands here", c.escape_unicode());
        }
        if line.is_empty() || line.starts_with([';', '#']) {
            continue;
        }
        if let Some(section) = line.strip_prefix('[') {
            let Some(section) = section.strip_suffix(']') else {
                bail!("{at}: `{}` is no section: it must be [NAME] alone on its line", shown(line));
            };
            let name = section.split_whitespace().collect::<Vec<_>>().join(" ");
            ensure!(sections.insert(name), "{at}: section [{}] stands twice", shown(section));
        } else {
            ensure!(
                line.contains('='),
                "{at}: `{}` is neither a [section] nor a `key = value`",
                shown(line)
            );
        }
    }
    Ok(())
}

/// The spec's own name for a key of `[bond]`, where dashes do as well as underscores.
fn bond_key(source: &Source, key: &str) -> Result<String> {
    let name = key.replace('-', "_");
    let known: Vec<&str> = KEYS.into_iter().chain(TABLE.iter().map(|row| row.name)).collect();
    if known.contains(&name.as_str()) {
        return Ok(name);
    }
    let (nearest, near) = nearest(&name, &known).expect("there are keys");
    let all = if near { String::new() } else { format!(" The keys are {}", known.join(", ")) };
    bail!("{source}: unknown key; did you mean `{nearest}`?{all}")
}

fn list<T: std::str::FromStr<Err = anyhow::Error>>(text: &str, what: &str) -> Result<Vec<T>> {
    text.split(',')
        .map(|part| part.trim_matches([' ', '\t']))
        .map(|part| {
            ensure!(!part.is_empty(), "`{}` has an empty {what} in it", shown(text));
            part.parse()
        })
        .collect()
}

fn nic_list(text: &str) -> Result<Vec<NicRef>> {
    list(text, "NIC")
}

fn word<T: Copy>(text: &str, known: &[(&str, T)]) -> Result<T> {
    match known.iter().find(|(name, _)| *name == text) {
        Some((_, value)) => Ok(*value),
        None => {
            let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
            bail!("`{}` is not one of {}", shown(text), names.join(", "))
        }
    }
}
