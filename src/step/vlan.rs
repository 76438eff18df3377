//! The device of a tagged network: up by `ifup` of its own, since that of the bond brings up no
//! tag, and away by `ifdown`, or by `ip link delete` where that leaves it
//! (tests/ground/initscripts.md, J1 and J2).

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::host::{Cmd, Host, Program};
use crate::net::Tagged;
use crate::paths;

/// How long `ifup` and `ifdown` may take: the duplicate check takes seconds.
const LIMIT: Duration = Duration::from_secs(60);

/// How long deleting a device may take.
const DELETE_LIMIT: Duration = Duration::from_secs(20);

/// The device of a tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VlanDevice {
    /// Its name.
    pub device: Tagged,
}

impl VlanDevice {
    pub(super) fn up(&self) -> Cmd {
        Cmd::change(Program::Ifup, &[self.device.as_str()], LIMIT)
    }

    pub(super) fn down(&self) -> Cmd {
        Cmd::change(Program::Ifdown, &[self.device.as_str()], LIMIT)
    }

    pub(super) fn delete(&self) -> Cmd {
        let words = ["link", "delete", "dev", self.device.as_str()];
        Cmd::change(Program::Ip, &words, DELETE_LIMIT)
    }

    /// Whether the kernel has it.
    pub fn is_there(&self, host: &Host) -> bool {
        host.exists(&paths::sys_net(self.device.as_str()))
    }

    pub(super) fn bring_up(&self, host: &Host) -> Result<()> {
        // One that an earlier run left half-made is made anew.
        self.take_down(host)?;
        let cmd = self.up();
        host.run(&cmd)?.check(&cmd)?;
        // Without the bond below, the scripts end well and have done nothing.
        ensure!(self.is_there(host), "`{cmd}` reported success, and {} is not there", self.device);
        Ok(())
    }

    pub(super) fn take_down(&self, host: &Host) -> Result<()> {
        if !self.is_there(host) {
            return Ok(());
        }
        let down = self.down();
        let said = host.run(&down);
        if self.is_there(host) {
            let delete = self.delete();
            host.run(&delete)?.check(&delete)?;
        }
        if self.is_there(host) {
            let words = said.map(|o| o.last_words()).unwrap_or_default();
            bail!("{} is still there after `{down}` and `{}`{words}", self.device, self.delete());
        }
        Ok(())
    }

    pub(super) fn bring_back(&self, host: &Host) -> Result<()> {
        if self.is_there(host) { Ok(()) } else { self.bring_up(host) }
    }
}
