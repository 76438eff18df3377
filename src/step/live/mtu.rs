//! The MTU of a device that stays up: a bond's goes to its slaves as well (bond_change_mtu in
//! bond_main.c), and what is above it is made smaller with it.

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

use super::stands;
use crate::host::{Cmd, Host, Program, join};
use crate::paths;
use crate::step::device::LINK_LIMIT;

/// A device and its MTU.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveMtu {
    /// The bond, or a tag of it.
    pub device: String,
    /// What it is now.
    pub was: u32,
    /// What it is to be.
    pub want: u32,
}

impl LiveMtu {
    pub(in crate::step) fn title(&self) -> String {
        format!("set the MTU of {} to {} while it is up", self.device, self.want)
    }

    pub(in crate::step) fn undo_title(&self) -> String {
        format!("set the MTU of {} back to {}", self.device, self.was)
    }

    pub(in crate::step) fn command(&self, mtu: u32) -> Cmd {
        let words = ["link", "set", "dev", &self.device, "mtu", &mtu.to_string()];
        Cmd::change(Program::Ip, &words, LINK_LIMIT)
    }

    pub(in crate::step) fn set(&self, host: &Host, mtu: u32) -> Result<()> {
        stands(host, &self.device)?;
        let file = join(&paths::sys_net(&self.device), "mtu");
        let cmd = self.command(mtu);
        if host.attribute(&file) != Some(mtu.to_string()) {
            host.run(&cmd)?.check(&cmd)?;
        }
        let now = host.attribute(&file).unwrap_or_default();
        ensure!(now == mtu.to_string(), "the MTU of {} is {now} after `{cmd}`", self.device);
        Ok(())
    }
}
