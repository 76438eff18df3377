//! The service that brings the bond up at boot, where no `network` service does.

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::{FileChange, Kept};
use crate::host::{Cmd, Host, Kind};
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
        if self.goes() { vec![self.service.disable()] } else { self.service.enable() }
    }

    /// Whether it is taken away.
    #[must_use]
    pub fn goes(&self) -> bool {
        self.file.want == Kind::Absent
    }

    pub(super) fn away_title(&self) -> String {
        format!("disable and remove {}", self.service.full_name())
    }

    pub(super) fn perform(&self, host: &Host) -> Result<()> {
        if self.goes() {
            self.service.turn_off(host)?;
            self.file.perform(host)?;
            return self.service.reload(host);
        }
        self.file.perform(host)?;
        self.service.turn_on(host)
    }

    pub(super) fn undo(&self, host: &Host, kept: &mut Kept) -> Result<()> {
        if self.goes() {
            self.file.undo(host, kept)?;
            return if self.was_enabled {
                self.service.turn_on(host)
            } else {
                self.service.reload(host)
            };
        }
        if !self.was_enabled {
            self.service.turn_off(host)?;
        }
        self.file.undo(host, kept)?;
        self.service.reload(host)
    }
}
