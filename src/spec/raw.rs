//! A spec as text, from flags and a file, and how its texts become values: which wins, what each
//! host has for itself, and where a fault was said.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use anyhow::{Context, Result, anyhow, bail, ensure};

use super::ini::{self, Entry, Section, Source};
use super::managed;
use super::request::{listed, of_host};
use super::texts::{Given, Texts, host_address, link_delay, list, mtu, routes, take, tuning, word};
use super::vlans;
use super::{BackendChoice, BondKind, NicRef, PifChoice, Probe, Request, Spec, Tuning, Use, Vlan};
use crate::net::{BondMode, HostName, IfName, Ipv4Net, StaticRoute, Tag, Tagged, shown};
use crate::options::{Options, TABLE};

/// Values of a spec as text, from flags and file, before any was looked at.
#[derive(Clone, Debug, Default)]
pub struct Raw {
    common: Texts,
    /// What hosts have for themselves, by the names that their sections give.
    hosts: BTreeMap<String, Texts>,
    addresses: Vec<Given>,
    /// Further networks, by what their sections say of the tag.
    vlans: BTreeMap<String, Vec<Given>>,
}

impl Raw {
    /// A value given as a flag: it wins over the file's. `key` is the file's key for it.
    pub fn flag(&mut self, flag: &str, key: &str, text: String) {
        self.hosts.values_mut().for_each(|texts| drop(texts.remove(key)));
        if key == "address" {
            self.addresses.clear();
            for texts in self.hosts.values_mut().chain([&mut self.common]) {
                texts.remove("netmask");
            }
        }
        self.common.insert(key.to_string(), (Source::Flag(flag.to_string()), text));
    }

    /// Reads a spec file; `file` is its name in messages.
    ///
    /// # Errors
    /// Names the file, the section and the key that it does not understand, and the nearest one
    /// that it does.
    pub fn file(&mut self, file: &str, text: &str) -> Result<()> {
        for Entry { section, key, source, text } in ini::read(file, text)? {
            let texts = match section {
                Section::Bond => &mut self.common,
                Section::Host(host) => self.hosts.entry(host).or_default(),
                Section::Addresses => {
                    self.addresses.push((source, key, text));
                    continue;
                }
                Section::Vlan(tag) => {
                    self.vlans.entry(tag).or_default().push((source, key, text));
                    continue;
                }
            };
            if let Some((other, _)) = texts.get(&key) {
                bail!("{source}: {other} says it for this host already");
            }
            texts.insert(key, (source, text));
        }
        Ok(())
    }

    /// The typed values.
    ///
    /// # Errors
    /// The first thing that is wrong, with where it was said.
    pub fn finish(self) -> Result<Request> {
        let common = Draft::of(self.common.clone())?;
        let given = self.addresses.first().map(|(source, ..)| source.section());
        let addresses = addresses(self.addresses)?;
        let mut sections = self.vlans.values().flatten();
        if let (BondKind::Managed(_), Some((source, ..))) = (&common.kind, sections.next()) {
            bail!(
                "{}: kind = managed has no further networks: leave it out (xe vlan-create)",
                source.section()
            );
        }
        let without = common.without_address();
        if let (Some(purpose), Some(section)) = (without, given) {
            bail!("{section}: {}", managed::no_address(purpose));
        }
        match (common.address, addresses.is_empty()) {
            _ if without.is_some() => {}
            (Some(_), false) => bail!(
                "[bond] address and [addresses] exclude each other: one is for a single host, the other for a pool"
            ),
            (None, true) => bail!(
                "the bond has no address: give --address IP/PREFIX, or one for each host in [addresses]"
            ),
            _ => {}
        }
        let vlans = vlans::read(self.vlans, &addresses)?;
        let mut own = BTreeMap::new();
        for (host, texts) in self.hosts {
            // Flags may have won over all of it.
            let Some((source, _)) = texts.values().next().cloned() else { continue };
            let name: HostName = host.parse().with_context(|| source.to_string())?;
            let mut all = self.common.clone();
            all.extend(texts);
            let draft = Draft::of(all)?;
            ensure!(
                draft.is_like(&common),
                "{source}: kind and use are those of [bond], for every host"
            );
            own.insert(name, draft);
        }
        ensure!(
            common.nics.is_some() || own.values().any(|draft| draft.nics.is_some()),
            "the bond has no slaves: give --nic DEVICE_OR_MAC twice or more, or `nics` in [bond]"
        );
        let each = if addresses.is_empty() {
            for host in vlans::hosts(&vlans) {
                if of_host(&own, &[host.to_string()]).is_empty() {
                    own.insert(host.clone(), common.clone());
                }
            }
            let mut each = BTreeMap::new();
            for (host, draft) in own {
                let vlans = vlans::of(&vlans, &draft.bond, Some(&host))?;
                each.insert(host.clone(), draft.of_host(&host, vlans)?);
            }
            each
        } else {
            of_pool(&common, own, &addresses, &vlans)?
        };
        let single = if common.address.is_some() || without.is_some() {
            let (vlans, address) = (vlans::of(&vlans, &common.bond, None)?, common.address);
            Some(common.spec(address, vlans)?)
        } else {
            None
        };
        Ok(Request::new(single, each))
    }
}

/// The specs of a pool's hosts. A section may name its host in another way than `[addresses]` does.
fn of_pool(
    common: &Draft,
    own: BTreeMap<HostName, Draft>,
    addresses: &BTreeMap<HostName, Ipv4Net>,
    vlans: &[vlans::Section],
) -> Result<BTreeMap<HostName, Spec>> {
    let mut drafts: BTreeMap<&HostName, (HostName, Draft)> = BTreeMap::new();
    for (host, draft) in own {
        let [(name, _)] = of_host(addresses, &[host.to_string()])[..] else {
            bail!(
                "the section of {host} is for a host that [addresses] does not have, or has twice; it has {}",
                listed(addresses)
            );
        };
        ensure!(
            draft.address.is_none(),
            "{host} has an address in its own section and one in [addresses]"
        );
        if let Some((other, _)) = drafts.get(name) {
            bail!("the sections of {other} and of {host} are both for {name}");
        }
        drafts.insert(name, (host, draft));
    }
    let mut each = BTreeMap::new();
    for (host, address) in addresses {
        let spec = match drafts.remove(host) {
            Some((_, draft)) => {
                let vlans = vlans::of(vlans, &draft.bond, Some(host))?;
                draft.spec(Some(*address), vlans).with_context(|| format!("for {host}"))?
            }
            None => {
                let vlans = vlans::of(vlans, &common.bond, Some(host))?;
                common.clone().spec(Some(*address), vlans)?
            }
        };
        each.insert(host.clone(), spec);
    }
    Ok(each)
}

/// The values of a host, those that must be there not yet asked for.
#[derive(Clone, Debug)]
struct Draft {
    bond: IfName,
    kind: BondKind,
    nics: Option<Vec<NicRef>>,
    mode: Option<BondMode>,
    options: Options,
    mtu: Option<u32>,
    vlan: Option<Tagged>,
    routes: Vec<StaticRoute>,
    probes: Vec<Probe>,
    optional_probes: Vec<Probe>,
    backend: BackendChoice,
    pif: PifChoice,
    ethtool: Tuning,
    keep_ethtool: bool,
    link_delay: Option<u32>,
    address: Option<Ipv4Net>,
}

impl Draft {
    fn of(mut texts: Texts) -> Result<Self> {
        let texts = &mut texts;
        let kind = managed::kind(texts)?;
        let unmanaged = kind.is_unmanaged();
        let name = take(texts, "name", str::parse)?;
        let nics = take(texts, "nics", |text| list(text, "NIC"))?;
        let bond = match name {
            Some(name) => name,
            None if unmanaged => {
                bail!("the bond has no name: give --bond NAME or `name` in [bond]")
            }
            None => managed::device(nics.as_deref())?,
        };
        let mode = take(texts, "mode", if unmanaged { str::parse } else { managed::mode })?;
        let mtu = take(texts, "mtu", mtu)?;
        let vlan = take(texts, "vlan", |text| Tagged::of(&bond, text.parse::<Tag>()?))?;
        let routes = take(texts, "routes", routes)?.unwrap_or_default();
        let probes = take(texts, "probes", |text| list(text, "probe"))?.unwrap_or_default();
        let optional_probes =
            take(texts, "optional_probes", |text| list(text, "probe"))?.unwrap_or_default();
        let backend = take(texts, "backend", |text| word(text, &BACKENDS))?.unwrap_or_default();
        let pif = take(texts, "pif", |text| word(text, &PIFS))?.unwrap_or_default();
        let ethtool = take(texts, "ethtool", tuning)?.unwrap_or_default();
        let keep_ethtool =
            take(texts, "keep_ethtool", |text| word(text, &SWITCH))?.unwrap_or_default();
        let link_delay = take(texts, "linkdelay", link_delay)?;
        let address = address(texts)?;
        let mut options = Options::default();
        for row in &TABLE {
            if let Some(value) = take(texts, row.name, |text| row.parse(text))? {
                options.set(row.opt, value);
            }
        }
        if unmanaged {
            options.add_defaults();
        }
        assert!(texts.is_empty(), "every known key is taken: {texts:?}");
        // What the running backend is, XAPI makes do.
        let backend = if unmanaged { backend } else { BackendChoice::Keep };
        Ok(Self {
            bond,
            kind,
            nics,
            mode,
            options,
            mtu,
            vlan,
            routes,
            probes,
            optional_probes,
            backend,
            pif,
            ethtool,
            keep_ethtool,
            link_delay,
            address,
        })
    }

    /// The spec of a host that has its own section, in a file without `[addresses]`.
    fn of_host(self, host: &HostName, vlans: Vec<Vlan>) -> Result<Spec> {
        let address = self.address;
        self.spec(address, vlans).with_context(|| format!("for {host}"))
    }

    /// What it is for, where that is nothing with an address of its own.
    fn without_address(&self) -> Option<Use> {
        match &self.kind {
            BondKind::Managed(managed) => {
                Some(managed.purpose).filter(|use_| *use_ != Use::Storage)
            }
            BondKind::Unmanaged => None,
        }
    }

    /// Whether it is of the same kind, for the same.
    fn is_like(&self, other: &Self) -> bool {
        let managed = |draft: &Self| match &draft.kind {
            BondKind::Managed(managed) => Some(managed.purpose),
            BondKind::Unmanaged => None,
        };
        managed(self) == managed(other)
    }

    /// The spec of a host with this address. Whether it has any NICs is asked when that host is.
    fn spec(self, address: Option<Ipv4Net>, vlans: Vec<Vlan>) -> Result<Spec> {
        let nics = self.nics.unwrap_or_default();
        if let (BondKind::Managed(managed), false) = (&self.kind, nics.is_empty()) {
            managed.check(&nics, self.mode)?;
        }
        let spec = Spec {
            bond: self.bond,
            kind: self.kind,
            nics,
            mode: self.mode.unwrap_or(BondMode::ActiveBackup),
            options: self.options,
            address,
            vlan: self.vlan,
            routes: self.routes,
            mtu: self.mtu,
            probes: self.probes,
            optional_probes: self.optional_probes,
            vlans,
            backend: self.backend,
            pif: self.pif,
            ethtool: self.ethtool,
            keep_ethtool: self.keep_ethtool,
            link_delay: self.link_delay,
        };
        if !spec.nics.is_empty() && spec.managed().is_none() {
            spec.check_nics()?;
        }
        spec.check_networks()?;
        spec.check_reach()?;
        Ok(spec)
    }
}

const BACKENDS: [(&str, BackendChoice); 2] =
    [("bridge", BackendChoice::Bridge), ("keep", BackendChoice::Keep)];

const SWITCH: [(&str, bool); 2] = [("yes", true), ("no", false)];

const PIFS: [(&str, PifChoice); 3] =
    [("auto", PifChoice::Auto), ("forget", PifChoice::Forget), ("unmanaged", PifChoice::Unmanaged)];

/// The bond's own address, with the netmask of its own key if there is one.
fn address(texts: &mut Texts) -> Result<Option<Ipv4Net>> {
    let netmask = take(texts, "netmask", |text| {
        text.parse::<Ipv4Addr>()
            .map_err(|_| anyhow!("`{}` is not a valid netmask (255.255.255.0)", shown(text)))
    })?;
    let address = take(texts, "address", |text| match netmask {
        None => host_address(text),
        Some(mask) => {
            ensure!(
                !text.contains('/'),
                "`{text}` has a prefix, and a netmask was given as well: one of them is enough"
            );
            let addr = text
                .parse()
                .map_err(|_| anyhow!("`{}` is not a valid IPv4 address", shown(text)))?;
            let net = Ipv4Net::with_netmask(addr, mask)?;
            net.check_host()?;
            Ok(net)
        }
    })?;
    ensure!(address.is_some() || netmask.is_none(), "a netmask was given without an address");
    Ok(address)
}

/// The hosts' addresses, each of which is one host's alone.
fn addresses(texts: Vec<(Source, String, String)>) -> Result<BTreeMap<HostName, Ipv4Net>> {
    let mut all: BTreeMap<HostName, Ipv4Net> = BTreeMap::new();
    for (source, host, text) in texts {
        let mut add = || -> Result<()> {
            let host = host.parse()?;
            let net = host_address(&text)?;
            if let Some((other, _)) = all.iter().find(|(_, a)| a.addr == net.addr) {
                bail!("address {} is also that of {other}", net.addr);
            }
            all.insert(host, net);
            Ok(())
        };
        add().with_context(|| source.to_string())?;
    }
    Ok(all)
}
