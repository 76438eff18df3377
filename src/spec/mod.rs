//! The wanted bond: flags and an INI file become a [`Request`] for a whole pool, and that
//! becomes the [`Spec`] of one host. Pure text to values; knows no host.
//!
//! Whatever is wrong here is wrong before any host is looked at: usage, exit code 2.

mod raw;

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;

use anyhow::{Result, anyhow, bail, ensure};
use serde::{Deserialize, Serialize};

pub use raw::Raw;

use crate::net::{BondMode, HostName, IfName, Ipv4Net, MacAddr, decimal, shown, text_form};
use crate::options::Options;
use crate::outcome::Hint;

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

text_form!(NicRef);

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

text_form!(Probe);

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
                [] => {
                    let (name, add) = match names.first() {
                        Some(name) => (names.join(" or "), format!("`{name} = IP/PREFIX`")),
                        None => ("of no name".into(), "its line".into()),
                    };
                    let hint = format!(
                        "the same command on one of those hosts; or add {add} to [addresses]"
                    );
                    return Err(anyhow!(Hint(hint)).context(format!(
                        "[addresses] has no address for this host, which is {name}; it has {}",
                        listed(all)
                    )));
                }
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

/// The hosts that have an address, for messages.
fn listed(all: &BTreeMap<HostName, Ipv4Net>) -> String {
    all.keys().map(HostName::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
pub(crate) mod tests;
