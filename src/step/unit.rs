//! The unit that brings the bond up at boot, where no `network` service does.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

use super::{FileChange, Kept};
use crate::host::{Cmd, Host, Program};
use crate::net::IfName;
use crate::paths;

/// How long `systemctl` may take over a unit's links.
const LIMIT: Duration = Duration::from_secs(60);

/// A systemd unit and its link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootUnit {
    /// The bond that it brings up.
    pub bond: IfName,
    /// Its name.
    pub unit: String,
    /// Its file.
    pub file: FileChange,
    /// Whether it was enabled before.
    pub was_enabled: bool,
}

impl BootUnit {
    pub(super) fn enable_commands(&self) -> Vec<Cmd> {
        vec![reload(), self.systemctl("enable")]
    }

    fn systemctl(&self, verb: &str) -> Cmd {
        Cmd::change(Program::Systemctl, &[verb, &self.unit], LIMIT)
    }

    fn is_enabled(&self, host: &Host) -> bool {
        host.exists(&paths::unit_link(&self.bond))
    }

    pub(super) fn perform(&self, host: &Host) -> Result<()> {
        self.file.perform(host)?;
        for cmd in self.enable_commands() {
            host.run(&cmd)?.check(&cmd)?;
        }
        ensure!(
            self.is_enabled(host),
            "`{}` reported success, and {} is not there",
            self.systemctl("enable"),
            paths::unit_link(&self.bond)
        );
        Ok(())
    }

    pub(super) fn undo(&self, host: &Host, kept: &mut Kept) -> Result<()> {
        if !self.was_enabled && self.is_enabled(host) {
            let cmd = self.systemctl("disable");
            let output = host.run(&cmd)?;
            if self.is_enabled(host) {
                output.check(&cmd)?;
                anyhow::bail!(
                    "`{cmd}` reported success, and {} is still there",
                    paths::unit_link(&self.bond)
                );
            }
        }
        self.file.undo(host, kept)?;
        let cmd = reload();
        host.run(&cmd)?.check(&cmd)?;
        Ok(())
    }
}

fn reload() -> Cmd {
    Cmd::change(Program::Systemctl, &["daemon-reload"], LIMIT)
}
