//! The wanted bond: flags and an INI file become a [`Request`] for a whole pool, and that
//! becomes the [`Spec`] of one host. Pure text to values; knows no host.
//!
//! Whatever is wrong here is wrong before any host is looked at: usage, exit code 2.

mod ini;
mod keys;
mod raw;
mod request;
mod value;

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

pub use keys::{Group, Key, keys};
pub use raw::Raw;
pub use request::Request;
pub use value::{BackendChoice, NicRef, PifChoice, Probe};

use crate::net::{BondMode, IfName, Ipv4Net};
use crate::options::Options;

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

#[cfg(test)]
pub(crate) mod tests;
