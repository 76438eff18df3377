//! The wanted bond: flags and an INI file become a [`Request`] for a whole pool, and that
//! becomes the [`Spec`] of one host. Pure text to values; knows no host.
//!
//! Whatever is wrong here is wrong before any host is looked at: usage, exit code 2.

mod ini;
mod keys;
mod managed;
mod network;
mod raw;
mod request;
mod texts;
mod tuning;
mod value;
mod vlans;
mod write;

use anyhow::{Result, bail, ensure};
use serde::{Deserialize, Serialize};

pub use keys::{Group, Key, Kinds, keys};
pub use managed::{BondKind, Hashing, LacpTime, Managed, NetworkName, Use};
pub use network::{Network, Vlan};
pub use raw::Raw;
pub use request::{Request, is_called};
pub use tuning::{Group as TuningGroup, Knob, Settings, Tune, Tuning, tunes_of};
pub use value::{BackendChoice, PifChoice, Probe};
pub(crate) use write::section;

pub use crate::net::NicRef;
use crate::net::{BondMode, IfName, Ipv4Net, MacAddr, StaticRoute, Tagged};
use crate::options::{Opt, Options, Value};

/// The wanted bond of one host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// The bond's device; that of a storage NIC is its own.
    pub bond: IfName,
    /// Who makes it and keeps it.
    #[serde(default, skip_serializing_if = "BondKind::is_unmanaged")]
    pub kind: BondKind,
    /// Its slaves.
    pub nics: Vec<NicRef>,
    /// The driver's mode.
    pub mode: BondMode,
    /// The driver's options, link monitoring included.
    pub options: Options,
    /// The address on the bond, or on the device of its tag; `None`: it gets none of the spec.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Ipv4Net>,
    /// The device of the tag that the address is on; the bond has none then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vlan: Option<Tagged>,
    /// Networks behind routers on the subnet of that address.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<StaticRoute>,
    /// The MTU of bond and slaves; `None`: whatever it is.
    pub mtu: Option<u32>,
    /// Storage servers that must answer through the bond.
    pub probes: Vec<Probe>,
    /// Servers that are asked as well, and whose answer nothing depends on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub optional_probes: Vec<Probe>,
    /// Further networks, each on a tag.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vlans: Vec<Vlan>,
    /// The backend.
    pub backend: BackendChoice,
    /// What becomes of the PIFs.
    pub pif: PifChoice,
    /// How the NICs are tuned.
    #[serde(default, skip_serializing_if = "Tuning::is_empty")]
    pub ethtool: Tuning,
    /// Whether what XAPI sets on the NICs is to be taken over; never where it was.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep_ethtool: bool,
    /// How long the boot scripts wait for the links, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_delay: Option<u32>,
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
            let by_device = |nic: &NicRef| matches!(nic, NicRef::Device(_));
            // Only the host tells which device has which MAC.
            let told = self.nics.iter().all(|nic| by_device(nic) == by_device(primary));
            ensure!(
                !told || self.nics.contains(primary),
                "primary {primary} is not a slave of {}",
                self.bond
            );
        }
        self.ethtool.check(&self.nics)?;
        self.options.check(self.mode, self.nics.len())
    }

    /// The same with a primary that was named by its MAC address named by its device, where
    /// `device_of` knows it.
    #[must_use]
    pub fn with_devices(&self, device_of: impl Fn(MacAddr) -> Option<IfName>) -> Self {
        let mut spec = self.clone();
        if let Some(NicRef::Mac(mac)) = self.options.primary()
            && let Some(device) = device_of(*mac)
        {
            spec.options.set(Opt::Primary, Value::Slave(NicRef::Device(device)));
        }
        spec
    }

    /// Takes over an MTU, where it goes with what was asked for.
    pub fn take_over_mtu(&mut self, text: &str) {
        let wanted = Self { mtu: texts::mtu(text).ok(), ..self.clone() };
        if self.mtu.is_none() && wanted.check_networks().is_ok() {
            *self = wanted;
        }
    }

    /// Whether the NICs are to be tuned.
    #[must_use]
    pub fn tunes(&self) -> bool {
        self.keep_ethtool || !self.ethtool.is_empty()
    }

    /// Whether it asks for what not every driver knows, so that this host's must be asked.
    #[must_use]
    pub fn asks_driver(&self) -> bool {
        self.mode == BondMode::BalanceSlb || self.options.young().next().is_some()
    }

    /// Whether the bond can reach whom it is to ask: it never gets a gateway.
    fn check_reach(&self) -> Result<()> {
        let mut optional = self.optional_probes.iter();
        if let Some(probe) = optional.find(|probe| self.required().any(|other| other == *probe)) {
            bail!("{probe} is a probe that must answer and one that need not: name it once");
        }
        let Some(subnet) = self.address.map(Ipv4Net::subnet) else { return Ok(()) };
        for target in self.options.targets() {
            let mut networks = self.networks().map(|network| network.address);
            ensure!(
                networks.any(|net| net.contains(*target) && *target != net.addr),
                "arp_ip_target {target} is not another host of {subnet}: the bond has no gateway to reach it by"
            );
        }
        self.check_probes()
    }
}

#[cfg(test)]
pub(crate) mod tests;
