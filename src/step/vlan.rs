//! The device of a tagged network: up by `ifup` of its own, since that of the bond brings up no
//! tag, and away by `ifdown`, or by `ip link delete` where that leaves it
//! (tests/ground/initscripts.md, J1 and J2).

use std::time::Duration;

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

use super::device::Device;
use crate::host::Host;
use crate::net::Tagged;
use crate::paths;

/// How long `ifup` and `ifdown` may take: the duplicate check takes seconds.
const LIMIT: Duration = Duration::from_secs(60);

/// The device of a tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VlanDevice {
    /// Its name.
    pub device: Tagged,
}

impl VlanDevice {
    pub(super) fn device(&self) -> Device<'_> {
        Device { name: self.device.as_str(), limit: LIMIT }
    }

    /// Whether the kernel has it.
    pub fn is_there(&self, host: &Host) -> bool {
        host.exists(&paths::sys_net(self.device.as_str()))
    }

    pub(super) fn bring_up(&self, host: &Host) -> Result<()> {
        // One that an earlier run left half-made is made anew.
        self.take_down(host)?;
        let cmd = self.device().up();
        host.run(&cmd)?.check(&cmd)?;
        // Without the bond below, the scripts end well and have done nothing.
        ensure!(self.is_there(host), "`{cmd}` reported success, but {} is not there", self.device);
        Ok(())
    }

    pub(super) fn take_down(&self, host: &Host) -> Result<()> {
        self.device().take_down(host, || self.is_there(host))
    }

    pub(super) fn bring_back(&self, host: &Host) -> Result<()> {
        // `ifdown` may have left it down.
        let stands = self.is_there(host) && self.device().is_up(host);
        if stands && !self.device().lacks_routes(host)? { Ok(()) } else { self.bring_up(host) }
    }
}
