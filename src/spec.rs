//! The wanted bond: flags and an INI file become a [`Request`] for a whole pool, and that
//! becomes the [`Spec`] of one host. Pure text to values; knows no host.
//!
//! Whatever is wrong here is wrong before any host is looked at: usage, exit code 2.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::Ipv4Addr;

use anyhow::{Context, Result, anyhow, bail, ensure};
use ini::{Ini, ParseOption};
use serde::{Deserialize, Serialize};

use crate::net::{BondMode, HostName, IfName, Ipv4Net, MacAddr, decimal, shown};
use crate::options::{Options, TABLE};

/// How a NIC was named.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum NicRef {
    /// By its device name.
    Device(IfName),
    /// By its permanent MAC address.
    Mac(MacAddr),
}

impl std::str::FromStr for NicRef {
    type Err = anyhow::Error;
    fn from_str(text: &str) -> Result<Self> {
        if text.contains(':') {
            Ok(Self::Mac(text.parse()?))
        } else {
            Ok(Self::Device(text.parse()?))
        }
    }
}

impl TryFrom<String> for NicRef {
    type Error = anyhow::Error;
    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<NicRef> for String {
    fn from(nic: NicRef) -> Self {
        nic.to_string()
    }
}

impl fmt::Display for NicRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(name) => write!(f, "{name}"),
            Self::Mac(mac) => write!(f, "{mac}"),
        }
    }
}

/// A storage server that must still answer after the change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Probe {
    /// The server.
    pub addr: Ipv4Addr,
    /// A TCP port that accepts connections, such as 2049.
    pub port: Option<u16>,
}

impl std::str::FromStr for Probe {
    type Err = anyhow::Error;
    fn from_str(text: &str) -> Result<Self> {
        let (addr, port) = match text.split_once(':') {
            Some((addr, port)) => (addr, Some(port)),
            None => (text, None),
        };
        let shape = || {
            anyhow!(
                "`{}` is no probe: it must be an IPv4 address, or one with a port (172.16.51.2:2049)",
                shown(text)
            )
        };
        let addr = addr.parse().map_err(|_| shape())?;
        let port = match port {
            None => None,
            Some(port) => Some(
                decimal(port)
                    .and_then(|p| u16::try_from(p).ok())
                    .filter(|p| *p > 0)
                    .ok_or_else(shape)?,
            ),
        };
        Ok(Self { addr, port })
    }
}

impl TryFrom<String> for Probe {
    type Error = anyhow::Error;
    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Probe> for String {
    fn from(probe: Probe) -> Self {
        probe.to_string()
    }
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.addr),
            None => write!(f, "{}", self.addr),
        }
    }
}

/// What is to become of the network backend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BackendChoice {
    /// It must be `bridge`.
    #[default]
    Bridge,
    /// It stays what it is.
    Keep,
}

/// How XAPI is made to leave the NICs alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PifChoice {
    /// `unmanaged` where XAPI has it, else `forget`.
    #[default]
    Auto,
    /// The PIF is forgotten; a rescan brings it back.
    Forget,
    /// The PIF is forgotten and introduced with `managed=false`, which survives a rescan.
    Unmanaged,
}

/// The wanted bond of one host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// The bond's device.
    pub bond: IfName,
    /// Its slaves.
    pub nics: Vec<NicRef>,
    /// The driver's mode.
    pub mode: BondMode,
    /// The driver's options, link monitoring included.
    pub options: Options,
    /// The address on the bond.
    pub address: Ipv4Net,
    /// The MTU of bond and slaves; `None`: whatever it is.
    pub mtu: Option<u32>,
    /// Storage servers to ask.
    pub probes: Vec<Probe>,
    /// The backend.
    pub backend: BackendChoice,
    /// What becomes of the PIFs.
    pub pif: PifChoice,
}

/// What the hosts of one spec have each for themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Addresses {
    /// One address: for whichever host it is run on.
    One(Ipv4Net),
    /// An address for each host of a pool.
    PerHost(BTreeMap<HostName, Ipv4Net>),
}

/// The wanted bond of a pool: one file serves all its hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    common: Spec,
    /// The hosts' addresses.
    pub addresses: Addresses,
    host_nics: BTreeMap<HostName, Vec<NicRef>>,
}

/// The smallest MTU that IPv4 takes (RFC 791), and the largest that a device can have.
const MTU_RANGE: std::ops::RangeInclusive<u32> = 68..=65_535;

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
    let nearest = known.iter().min_by_key(|k| distance(k, &name)).expect("there are keys");
    bail!("{source}: unknown key; did you mean `{nearest}`?")
}

/// How many characters must be changed, added or left out to make one word the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let cost = corner + usize::from(ca != *cb);
            corner = row[j + 1];
            row[j + 1] = cost.min(row[j] + 1).min(corner + 1);
        }
    }
    row[b.len()]
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

fn listed(all: &BTreeMap<HostName, Ipv4Net>) -> String {
    all.keys().map(HostName::as_str).collect::<Vec<_>>().join(", ")
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

impl Spec {
    /// What can be said of the slaves without a host.
    fn check_nics(&self) -> Result<()> {
        for (at, nic) in self.nics.iter().enumerate() {
            ensure!(!self.nics[..at].contains(nic), "NIC {nic} is named twice");
            ensure!(*nic != NicRef::Device(self.bond.clone()), "NIC {nic} has the bond's own name");
        }
        ensure!(
            self.nics.len() >= 2,
            "a bond needs two NICs or more, and {} is the only one named",
            self.nics[0]
        );
        if let Some(primary) = self.options.primary() {
            let by_device = self.nics.iter().all(|nic| matches!(nic, NicRef::Device(_)));
            ensure!(
                !by_device || self.nics.contains(&NicRef::Device(primary.clone())),
                "primary {primary} is no slave of {}",
                self.bond
            );
        }
        self.options.check(self.mode, self.nics.len())
    }

    /// Targets that the bond can reach: it never gets a gateway.
    fn check_targets(&self) -> Result<()> {
        for target in self.options.targets() {
            ensure!(
                self.address.contains(*target) && *target != self.address.addr,
                "arp_ip_target {target} is not another host of {}: the bond has no gateway to reach it by",
                self.address.subnet()
            );
        }
        Ok(())
    }
}

impl Request {
    /// The spec of the host that goes by these names. A host's name in XAPI (`name-label`) is
    /// only among them where no other host has the same.
    ///
    /// # Errors
    /// When the file has no address for it, or two.
    pub fn for_host(&self, names: &[String]) -> Result<Spec> {
        let mine = |host: &HostName| names.iter().any(|name| name == host.as_str());
        let mut spec = self.common.clone();
        if let Addresses::PerHost(all) = &self.addresses {
            let found: Vec<_> = all.iter().filter(|(host, _)| mine(host)).collect();
            spec.address = match found[..] {
                [(_, address)] => *address,
                [] => bail!(
                    "[addresses] has no address for this host, which is {}; it has {}",
                    names.join(" or "),
                    listed(all)
                ),
                [(a, _), (b, _), ..] => {
                    bail!("[addresses] names this host twice, as {a} and as {b}")
                }
            };
        }
        let found: Vec<_> = self.host_nics.iter().filter(|(host, _)| mine(host)).collect();
        match found[..] {
            [] => {}
            [(_, nics)] => spec.nics.clone_from(nics),
            [(a, _), (b, _), ..] => bail!("[nics {a}] and [nics {b}] are both for this host"),
        }
        ensure!(
            !spec.nics.is_empty(),
            "the spec names no NICs for this host: neither [bond] nor a [nics HOST] section does"
        );
        Ok(spec)
    }

    /// For the host that this spec was made for.
    #[must_use]
    pub fn of(spec: Spec) -> Self {
        Self { addresses: Addresses::One(spec.address), common: spec, host_nics: BTreeMap::new() }
    }

    /// Every NIC that it names for any host.
    #[must_use]
    pub fn nics(&self) -> Vec<NicRef> {
        let mut all: Vec<NicRef> =
            self.common.nics.iter().chain(self.host_nics.values().flatten()).cloned().collect();
        all.sort();
        all.dedup();
        all
    }

    /// The bond, which all hosts share.
    #[must_use]
    pub fn bond(&self) -> &IfName {
        &self.common.bond
    }

    /// The mode, which all hosts share.
    #[must_use]
    pub fn mode(&self) -> BondMode {
        self.common.mode
    }

    /// The spec of every host that has an address, with the host's name where it has one.
    #[must_use]
    pub fn by_host(&self) -> Vec<(Option<HostName>, Spec)> {
        match &self.addresses {
            Addresses::One(_) => vec![(None, self.common.clone())],
            Addresses::PerHost(all) => all
                .keys()
                .filter_map(|host| {
                    Some((Some(host.clone()), self.for_host(&[host.to_string()]).ok()?))
                })
                .collect(),
        }
    }

    fn all(&self) -> Vec<Spec> {
        self.by_host().into_iter().map(|(_, spec)| spec).collect()
    }
}

#[cfg(test)]
mod tests;
