//! The service that brings the bond up at boot, where no `network` service does.

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::{FileChange, Kept};
use crate::host::{Cmd, Host};
use crate::net::IfName;
use crate::service::Service;

/// A service, its file and its link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootUnit {
    /// The bond that it brings up.
    pub bond: IfName,
    /// The service.
    pub service: Service,
    /// Its file.
    pub file: FileChange,
    /// Whether it was enabled before.
    pub was_enabled: bool,
}

impl BootUnit {
    pub(super) fn enable_commands(&self) -> Vec<Cmd> {
        self.service.enable()
    }

    pub(super) fn perform(&self, host: &Host) -> Result<()> {
        self.file.perform(host)?;
        self.service.turn_on(host)
    }

    pub(super) fn undo(&self, host: &Host, kept: &mut Kept) -> Result<()> {
        if !self.was_enabled {
            self.service.turn_off(host)?;
        }
        self.file.undo(host, kept)?;
        self.service.reload(host)
    }
}
