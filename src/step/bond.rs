//! The bond's device: up by `ifup`, away by `ifdown` and `ip link delete`, since `ifdown` leaves
//! the device behind (facts/initscripts.md section 4).

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::host::{Cmd, Host, Program};
use crate::net::IfName;
use crate::paths;

/// How long `ifup` and `ifdown` may take: each slave's link, the duplicate check and the
/// announcement take seconds each.
const LIMIT: Duration = Duration::from_secs(120);

/// How long deleting a device may take.
const DELETE_LIMIT: Duration = Duration::from_secs(20);

/// A bond's device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BondDevice {
    /// Its name.
    pub bond: IfName,
}

impl BondDevice {
    pub(super) fn up(&self) -> Cmd {
        Cmd::change(Program::Ifup, &[self.bond.as_str()], LIMIT)
    }

    pub(super) fn down(&self) -> Cmd {
        Cmd::change(Program::Ifdown, &[self.bond.as_str()], LIMIT)
    }

    pub(super) fn delete(&self) -> Cmd {
        Cmd::change(Program::Ip, &["link", "delete", "dev", self.bond.as_str()], DELETE_LIMIT)
    }

    /// Whether the kernel has it.
    pub fn is_there(&self, host: &Host) -> bool {
        let bond = self.bond.as_str();
        host.exists(&paths::sys_net(bond)) || host.exists(&paths::proc_bonding(bond))
    }

    pub(super) fn bring_up(&self, host: &Host) -> Result<()> {
        // One that an earlier run left half-made is made anew.
        self.take_down(host)?;
        let cmd = self.up();
        // Its exit code 0 proves nothing (facts/initscripts.md section 2): the verification that
        // follows does. Any other is a failure that it knows of itself.
        host.run(&cmd)?.check(&cmd)?;
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
            bail!("{} is still there after `{down}` and `{}`{words}", self.bond, self.delete());
        }
        Ok(())
    }

    pub(super) fn bring_back(&self, host: &Host) -> Result<()> {
        if self.is_there(host) {
            return Ok(());
        }
        self.bring_up(host)?;
        ensure!(
            self.is_there(host),
            "`{}` reported success, and {} is not there",
            self.up(),
            self.bond
        );
        Ok(())
    }
}
