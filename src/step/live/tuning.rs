//! A NIC that is tuned while it is a slave: a driver that resets its link for it interrupts that
//! slave alone.

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::host::{Cmd, Host};
use crate::spec::Settings;
use crate::step::Tuned;

/// A NIC and its settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveTuning {
    /// The NIC, as it is before.
    pub nic: Tuned,
    /// What it is to have.
    pub want: Settings,
}

impl LiveTuning {
    pub(in crate::step) fn title(&self) -> String {
        format!("tune {} while it is up", self.nic.device)
    }

    pub(in crate::step) fn undo_title(&self) -> String {
        format!("tune {} as before", self.nic.device)
    }

    fn wanted(&self) -> Tuned {
        Tuned { device: self.nic.device.clone(), was: self.want.clone() }
    }

    pub(in crate::step) fn commands(&self) -> Vec<Cmd> {
        self.wanted().changes()
    }

    pub(in crate::step) fn perform(&self, host: &Host) -> Result<()> {
        self.wanted().restore(host)
    }

    pub(in crate::step) fn undo(&self, host: &Host) -> Result<()> {
        self.nic.restore(host)
    }
}
