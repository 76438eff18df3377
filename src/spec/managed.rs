//! The kind of bond that XAPI makes and keeps, and the storage NIC that is one NIC of that kind:
//! its own keys, and what can be said of them without a host.

use std::fmt;
use std::str::FromStr;

use anyhow::{Result, bail, ensure};
use serde::{Deserialize, Serialize};

use super::Spec;
use super::keys::{Kinds, keys};
use super::texts::{Texts, take, word};
use crate::net::{BondMode, IfName, NicRef, shown, text_form};

/// Who makes a bond and keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BondKind {
    /// The driver and the boot scripts; XAPI leaves its NICs alone.
    #[default]
    Unmanaged,
    /// XAPI.
    Managed(Managed),
}

impl BondKind {
    /// Its word in a spec.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Unmanaged => "unmanaged",
            Self::Managed(_) => "managed",
        }
    }

    /// Whether it is the usual kind.
    #[must_use]
    pub const fn is_unmanaged(&self) -> bool {
        matches!(self, Self::Unmanaged)
    }
}

/// What only a bond has that XAPI manages.
#[derive(Clone, Debug, Eq, Serialize, Deserialize)]
pub struct Managed {
    /// The name of its network; a storage NIC keeps its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<NetworkName>,
    /// What it is for.
    #[serde(rename = "use")]
    pub purpose: Use,
    /// How often it hears from its LACP partner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lacp_time: Option<LacpTime>,
    /// By what LACP spreads the traffic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hashing_algorithm: Option<Hashing>,
    /// The bridge of its network, which has the address. Only the host tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bridge: Option<IfName>,
}

impl PartialEq for Managed {
    /// Whether the same is asked for; the bridge is the host's answer.
    fn eq(&self, other: &Self) -> bool {
        let Self { network, purpose, lacp_time, hashing_algorithm, bridge: _ } = self;
        (network, purpose) == (&other.network, &other.purpose)
            && (lacp_time, hashing_algorithm) == (&other.lacp_time, &other.hashing_algorithm)
    }
}

/// What a managed bond is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Use {
    /// It has an address of its own, for storage.
    Storage,
    /// The host is managed through it, by the address that is there.
    Management,
    /// It has no address: networks of VMs.
    Network,
}

/// How often LACP speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "each is XAPI's own word")]
pub enum LacpTime {
    Slow,
    Fast,
}

/// By what LACP spreads the traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "each is XAPI's own word")]
pub enum Hashing {
    SrcMac,
    TcpudpPorts,
}

const KINDS: [(&str, bool); 2] = [("unmanaged", false), ("managed", true)];
const USES: [(&str, Use); 3] =
    [("storage", Use::Storage), ("management", Use::Management), ("network", Use::Network)];
const LACP_TIMES: [(&str, LacpTime); 2] = [("slow", LacpTime::Slow), ("fast", LacpTime::Fast)];
const HASHINGS: [(&str, Hashing); 2] =
    [("src_mac", Hashing::SrcMac), ("tcpudp_ports", Hashing::TcpudpPorts)];

/// A value's word, by the table that its text is read by.
fn word_of<T: Copy + PartialEq>(value: T, table: &[(&'static str, T)]) -> &'static str {
    table.iter().find(|(_, known)| *known == value).map_or("", |(word, _)| word)
}

impl fmt::Display for Use {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(word_of(*self, &USES))
    }
}

/// The name of a network in XAPI: a person's text, on one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NetworkName(String);
text_form!(NetworkName);

impl NetworkName {
    /// The text, as XAPI has it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text as a spec file needs it.
    pub(crate) fn quoted(&self) -> String {
        let plain = !self.0.contains([';', '#', '"', '\'']) && self.0.trim() == self.0;
        match self.0.contains('"') {
            _ if plain => self.0.clone(),
            true => format!("'{}'", self.0),
            false => format!("\"{}\"", self.0),
        }
    }
}

impl FromStr for NetworkName {
    type Err = anyhow::Error;
    fn from_str(text: &str) -> Result<Self> {
        ensure!(!text.trim().is_empty(), "the name of the network is empty");
        // Arguments of `xe` are joined with line ends (tests/ground/xapi.md, A4).
        ensure!(
            !text.contains(char::is_control),
            "`{}` is not a name of a network: it has a control character",
            shown(text)
        );
        // A spec file has no other way to write one.
        ensure!(
            !(text.contains('"') && text.contains('\'')),
            "`{}` has both kinds of quotes in it: rename the network",
            shown(text)
        );
        Ok(Self(text.to_string()))
    }
}

impl fmt::Display for NetworkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The most NICs that XAPI's own clients make a bond of (tests/ground/managed.md, F3).
const MOST_NICS: usize = 4;

/// The kind of a bond and its own keys, taken out of the texts; none of another kind is left.
pub(super) fn kind(texts: &mut Texts) -> Result<BondKind> {
    let managed = take(texts, "kind", |text| word(text, &KINDS))?.unwrap_or_default();
    let others = if managed { Kinds::Unmanaged } else { Kinds::Managed };
    let all = keys();
    for (name, (source, _)) in &*texts {
        if !all.iter().any(|key| key.name == name && key.kinds == others) {
            continue;
        }
        if !managed {
            bail!("{source}: {name} is for kind = managed alone: leave it out, or say that kind");
        }
        let own = all.iter().filter(|key| key.kinds != others).map(|key| key.name);
        bail!(
            "{source}: {name} is not for kind = managed: leave it out; its keys are {}",
            own.collect::<Vec<_>>().join(", ")
        );
    }
    if !managed {
        return Ok(BondKind::Unmanaged);
    }
    let network = take(texts, "network", str::parse)?;
    let Some(purpose) = take(texts, "use", |text| word(text, &USES))? else {
        bail!(
            "kind = managed, and not what for: give --use, or `use` in [bond]: storage, management or network"
        );
    };
    let given = ["address", "netmask"].iter().find_map(|key| texts.get(*key));
    if let Some((source, _)) = given.filter(|_| purpose != Use::Storage) {
        bail!("{source}: {}", no_address(purpose));
    }
    if purpose == Use::Network {
        let keys = ["routes", "probes", "optional_probes"];
        if let Some((source, _)) = keys.iter().find_map(|key| texts.get(*key)) {
            bail!("{source}: with use = network this host has no address there: leave it out");
        }
    }
    Ok(BondKind::Managed(Managed {
        network,
        purpose,
        lacp_time: take(texts, "lacp_time", |text| word(text, &LACP_TIMES))?,
        hashing_algorithm: take(texts, "hashing_algorithm", |text| word(text, &HASHINGS))?,
        bridge: None,
    }))
}

/// Why no address is asked for.
pub(super) fn no_address(purpose: Use) -> String {
    let why = match purpose {
        Use::Management => "takes over the address that is there",
        _ => "has no address",
    };
    format!("use = {purpose} {why}: leave it out, or say use = storage")
}

/// What such a bond is called as long as no host tells its device: that is XAPI's to choose, or
/// the NIC's own.
pub(super) fn device(nics: Option<&[NicRef]>) -> Result<IfName> {
    match nics {
        Some([NicRef::Device(device)]) => Ok(device.clone()),
        Some([NicRef::Mac(_)]) => "nic".parse(),
        _ => "bond".parse(),
    }
}

/// A mode that XAPI has, by its own word too.
pub(super) fn mode(text: &str) -> Result<BondMode> {
    if text.eq_ignore_ascii_case("lacp") {
        return Ok(BondMode::Ieee8023ad);
    }
    match text.to_ascii_lowercase().parse()? {
        mode @ (BondMode::ActiveBackup | BondMode::BalanceSlb | BondMode::Ieee8023ad) => Ok(mode),
        other => bail!(
            "XAPI makes no {other} bond: give active-backup, balance-slb or 802.3ad, or leave out kind = managed"
        ),
    }
}

impl Managed {
    /// What can be said of the NICs without a host; `mode` where one was given.
    pub(super) fn check(&self, nics: &[NicRef], mode: Option<BondMode>) -> Result<()> {
        for (at, nic) in nics.iter().enumerate() {
            ensure!(!nics[..at].contains(nic), "NIC {nic} is named twice");
        }
        let lacp = self.lacp_time.map(|_| "lacp_time");
        let lacp = lacp.or(self.hashing_algorithm.map(|_| "hashing_algorithm"));
        if let [nic] = nics {
            ensure!(
                self.purpose == Use::Storage,
                "use = {} needs a bond, and {nic} is the only NIC named: name two, or say use = storage",
                self.purpose
            );
            let without =
                mode.map(|_| "mode").or(lacp).or(self.network.as_ref().map(|_| "network"));
            if let Some(key) = without {
                bail!(
                    "the storage NIC {nic} is not a bond, and keeps its network: leave out {key}"
                );
            }
            return Ok(());
        }
        ensure!(
            nics.len() <= MOST_NICS,
            "{} NICs are named, and a bond of XAPI's has two to {MOST_NICS}: leave out {}",
            nics.len(),
            nics[MOST_NICS..].iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        );
        ensure!(
            self.network.is_some(),
            "the bond has no network: give --network NAME or `network` in [bond]"
        );
        if let Some(key) = lacp.filter(|_| mode != Some(BondMode::Ieee8023ad)) {
            bail!("{key} is for mode 802.3ad alone: leave it out, or give that mode");
        }
        Ok(())
    }

    /// Its properties in XAPI, by XAPI's own words.
    #[must_use]
    pub fn properties(&self) -> Vec<(String, String)> {
        let time = self.lacp_time.map(|time| ("lacp-time", word_of(time, &LACP_TIMES)));
        let hashing =
            self.hashing_algorithm.map(|by| ("hashing_algorithm", word_of(by, &HASHINGS)));
        let all = time.into_iter().chain(hashing);
        all.map(|(key, value)| (key.to_string(), value.to_string())).collect()
    }

    /// Its own keys and their values, in the order of the file, those of a bond with its mode.
    pub(super) fn texts(&self, nics: usize, mode: BondMode) -> Vec<(&'static str, String)> {
        let Self { network, purpose, lacp_time, hashing_algorithm, bridge: _ } = self;
        let mut all: Vec<(&'static str, String)> = Vec::new();
        all.extend(network.iter().map(|name| ("network", name.quoted())));
        all.extend((nics > 1).then(|| ("mode", mode.to_string())));
        all.push(("use", purpose.to_string()));
        all.extend(lacp_time.map(|time| ("lacp_time", word_of(time, &LACP_TIMES).into())));
        let hashing = hashing_algorithm.map(|by| word_of(by, &HASHINGS));
        all.extend(hashing.map(|by| ("hashing_algorithm", by.into())));
        all
    }
}

impl Spec {
    /// What it is beyond other bonds, where XAPI manages it.
    #[must_use]
    pub fn managed(&self) -> Option<&Managed> {
        match &self.kind {
            BondKind::Unmanaged => None,
            BondKind::Managed(managed) => Some(managed),
        }
    }

    /// What a bond of several NICs is that XAPI manages, and the name of its network.
    #[must_use]
    pub fn xapi_bond(&self) -> Option<(&Managed, &NetworkName)> {
        let managed = self.managed()?;
        Some((managed, managed.network.as_ref()?))
    }

    /// Whether it is one NIC that XAPI manages, for storage.
    #[must_use]
    pub fn is_storage_nic(&self) -> bool {
        self.managed().is_some() && self.nics.len() == 1
    }
}
