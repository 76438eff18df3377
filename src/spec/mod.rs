//! The wanted bond: flags and an INI file become a [`Request`] for a whole pool, and that
//! becomes the [`Spec`] of one host. Pure text to values; knows no host.
//!
//! Whatever is wrong here is wrong before any host is looked at: usage, exit code 2.

mod ini;
mod keys;
mod raw;
mod request;
mod value;
mod write;

use std::net::Ipv4Addr;

use anyhow::{Error, Result, anyhow, bail, ensure};
use serde::{Deserialize, Serialize};

pub use keys::{Group, Key, keys};
pub use raw::Raw;
pub use request::{Request, is_called};
pub use value::{BackendChoice, PifChoice, Probe};

pub use crate::net::NicRef;
use crate::net::{BondMode, IfName, Ipv4Net, MacAddr};
use crate::options::{Opt, Options, Value};
use crate::outcome::Hint;

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
    /// Storage servers that must answer through the bond.
    pub probes: Vec<Probe>,
    /// Servers that are asked as well, and whose answer nothing depends on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub optional_probes: Vec<Probe>,
    /// The backend.
    pub backend: BackendChoice,
    /// What becomes of the PIFs.
    pub pif: PifChoice,
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
                "primary {primary} is no slave of {}",
                self.bond
            );
        }
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

    /// Whether the bond can reach whom it is to ask: it never gets a gateway.
    fn check_reach(&self) -> Result<()> {
        let subnet = self.address.subnet();
        for target in self.options.targets() {
            ensure!(
                self.address.contains(*target) && *target != self.address.addr,
                "arp_ip_target {target} is not another host of {subnet}: the bond has no gateway to reach it by"
            );
        }
        if let Some(probe) = self.optional_probes.iter().find(|probe| self.probes.contains(probe)) {
            bail!("{probe} is a probe that must answer and one that need not: name it once");
        }
        match self.servers().find(|server| !self.address.contains(*server)) {
            Some(server) => Err(self.out_of_reach(server)),
            None => Ok(()),
        }
    }

    /// The servers of all probes.
    pub fn servers(&self) -> impl Iterator<Item = Ipv4Addr> {
        self.probes.iter().chain(&self.optional_probes).map(|probe| probe.addr)
    }

    fn out_of_reach(&self, server: Ipv4Addr) -> Error {
        let Self { bond, address, .. } = self;
        let subnet = address.subnet();
        let fault = format!(
            "the storage server {server} is not in {subnet}, the subnet of {bond}, and is not reached through it"
        );
        // The longest usual prefix that holds both may be what was meant.
        let same = (u32::from(address.addr) ^ u32::from(server)).leading_zeros();
        if same < NEAR {
            return anyhow!(fault);
        }
        let prefix = same.min(24);
        let hint = format!("is the netmask right? {}/{prefix} holds both", address.addr);
        anyhow!(Hint(hint)).context(fault)
    }
}

/// How many leading bits two addresses share that a wrong netmask may have parted.
const NEAR: u32 = 16;

#[cfg(test)]
pub(crate) mod tests;
