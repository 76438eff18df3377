//! The steps of a plan. A step is the smallest unit that can be undone; what it does, how it is
//! undone and the sentences for both stand side by side, in one file for each kind.
//!
//! A step holds everything that its undo needs, captured before anything was touched, so that a
//! rollback needs neither spec nor templates. Both `perform` and `undo` look at the host
//! afterwards and fail when it is not as it should be: exit codes are no proof.

mod backend;
mod bond;
mod device;
mod file;
mod give_back;
mod pif;
mod tuned;
mod unit;
mod vlan;

use anyhow::Result;
use serde::{Deserialize, Serialize};

pub use backend::Switch;
pub use bond::{BondDevice, Link};
pub use file::FileChange;
pub use give_back::GiveBack;
pub use pif::PifRecord;
pub use tuned::{Tuned, settings};
pub use unit::BootUnit;
pub use vlan::VlanDevice;

use crate::host::{Cmd, Host, Kind};
use crate::net::Backend;
use crate::paths::original_name;

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "do")]
pub enum Step {
    /// Set the backend for the next boot.
    SwitchBackend(Switch),
    /// Wait for the reboot that makes it the running one.
    Reboot {
        /// The backend that must run after it.
        backend: Backend,
    },
    /// Take a bond down that must change, and its device away.
    TakeDown(BondDevice),
    /// Make XAPI forget a NIC.
    ForgetPif(PifRecord),
    /// Introduce the NIC again as one that XAPI leaves alone.
    IntroduceUnmanaged(PifRecord),
    /// Give a NIC back to XAPI.
    GiveBack(Box<GiveBack>),
    /// Write or remove a file.
    File(FileChange),
    /// Have the bond come up at every boot.
    BootUnit(BootUnit),
    /// Bring the bond up.
    BringUp(BondDevice),
    /// Take a tagged network down that must change or goes, and its device away.
    TakeVlanDown(VlanDevice),
    /// Bring a tagged network up on the bond.
    BringVlanUp(VlanDevice),
    /// Compare the running kernel with what was asked for.
    Verify {
        /// The bond.
        bond: String,
        /// How long it may take until all is as asked, in seconds.
        within: u64,
    },
}

/// What an undo did besides: work of others that it found and kept.
#[derive(Debug, Default)]
pub struct Kept {
    /// Where files that are no longer what we wrote are saved.
    pub folder: String,
    /// A sentence for each thing that was kept.
    pub notes: Vec<String>,
    /// Paths that may differ from what was recorded, since others changed them.
    pub paths: Vec<String>,
    /// Whether the step that is being undone was done to its end.
    pub done: bool,
    /// Paths that an earlier look found so: those that are there have a copy in the folder.
    pub known: Vec<String>,
}

impl Kept {
    /// Where the copy of a path is.
    #[must_use]
    pub fn copy(&self, path: &str) -> String {
        format!("{}/{}", self.folder, original_name(path))
    }

    /// Saves what stands at a path.
    ///
    /// # Errors
    /// When the copy cannot be written.
    pub fn save(&self, host: &Host, path: &str, now: &Kind) -> Result<()> {
        host.make_dir(&self.folder, 0o700)?;
        host.put(&self.copy(path), now)
    }
}

impl Step {
    /// The step's title: what it does, in the imperative.
    #[must_use]
    pub fn title(&self) -> String {
        match self {
            Self::SwitchBackend(s) => {
                format!("switch the network backend from {} to {}", s.from, s.to)
            }
            Self::Reboot { backend } => format!("reboot, so that the {backend} backend runs"),
            Self::TakeDown(b) => format!("take {} down", b.bond),
            Self::ForgetPif(p) => format!("make XAPI forget the PIF of {}", p.device),
            Self::IntroduceUnmanaged(p) => format!("introduce {} to XAPI as unmanaged", p.device),
            Self::GiveBack(g) => g.title(),
            Self::File(f) => f.title(),
            Self::BootUnit(u) if u.goes() => u.away_title(),
            Self::BootUnit(u) => {
                format!("have {} come up at every boot by {}", u.bond, u.service.full_name())
            }
            Self::BringUp(b) => format!("bring up {}", b.bond),
            Self::TakeVlanDown(v) => format!("take {} down", v.device),
            Self::BringVlanUp(v) => format!("bring up {}", v.device),
            Self::Verify { bond, within } => format!("verify {bond}, within {within} s"),
        }
    }

    /// The title of its undo, in the imperative.
    #[must_use]
    pub fn undo_title(&self) -> String {
        match self {
            Self::SwitchBackend(s) => format!("switch the network backend back to {}", s.from),
            Self::Reboot { .. } => "reboot again, when the backend was switched back".into(),
            Self::TakeDown(b) => format!("bring {} up as it was", b.bond),
            Self::ForgetPif(p) => p.undo_title(),
            Self::IntroduceUnmanaged(p) => {
                format!("make XAPI forget the unmanaged record of {}", p.device)
            }
            Self::GiveBack(g) => g.undo_title(),
            Self::File(f) => f.undo_title(),
            Self::BootUnit(u) if u.goes() => {
                format!("have {} come up at every boot again", u.bond)
            }
            Self::BootUnit(u) => format!("disable and remove {}", u.service.full_name()),
            Self::BringUp(b) => b.undo_title(),
            Self::TakeVlanDown(v) => format!("bring {} up as it was", v.device),
            Self::BringVlanUp(v) => format!("take {} down and its device away", v.device),
            Self::Verify { .. } => "nothing to undo".into(),
        }
    }

    /// About how long it takes on a host in good health, in seconds: an `xe` call takes one on a
    /// busy pool, `ifup` asks the wire for its address for a few (tests/ground/initscripts.md, B5).
    #[must_use]
    pub fn seconds(&self) -> u64 {
        match self {
            Self::SwitchBackend(_) | Self::BringUp(_) => 5,
            Self::ForgetPif(_) | Self::TakeDown(_) | Self::GiveBack(_) | Self::BringVlanUp(_) => 3,
            Self::IntroduceUnmanaged(_) | Self::BootUnit(_) => 2,
            Self::Verify { .. } | Self::TakeVlanDown(_) => 1,
            Self::File(_) | Self::Reboot { .. } => 0,
        }
    }

    /// The commands that it runs, word for word.
    #[must_use]
    pub fn commands(&self) -> Vec<Cmd> {
        match self {
            Self::SwitchBackend(s) => vec![s.command(&s.to)],
            Self::TakeDown(b) => vec![b.device().down(), b.device().delete()],
            Self::ForgetPif(p) => p.forget_commands(),
            Self::IntroduceUnmanaged(p) => vec![p.introduce_unmanaged()],
            Self::GiveBack(g) => g.commands(),
            Self::BootUnit(u) => u.enable_commands(),
            Self::BringUp(b) => vec![b.device().up()],
            Self::TakeVlanDown(v) => vec![v.device().down(), v.device().delete()],
            Self::BringVlanUp(v) => vec![v.device().up()],
            Self::Reboot { .. } | Self::File(_) | Self::Verify { .. } => Vec::new(),
        }
    }

    /// What a person types to undo it; `originals` is where the files lie as they were.
    #[must_use]
    pub fn by_hand(&self, originals: &str) -> String {
        match self {
            Self::SwitchBackend(s) => s.command(&s.from).to_string(),
            Self::TakeDown(b) => b.device().up().to_string(),
            Self::BringUp(b) => format!("{}; {}", b.device().down(), b.device().delete()),
            Self::TakeVlanDown(v) => v.device().up().to_string(),
            Self::BringVlanUp(v) => format!("{}; {}", v.device().down(), v.device().delete()),
            Self::ForgetPif(p) => p.by_hand(),
            Self::IntroduceUnmanaged(p) => p.forget_by_hand(),
            Self::GiveBack(g) => g.record.forget_by_hand().replace(" managed=false", ""),
            Self::File(f) => f.by_hand(originals),
            Self::BootUnit(u) => format!("{}; {}", u.service.disable(), u.file.by_hand(originals)),
            Self::Reboot { .. } => "shutdown -r now".into(),
            Self::Verify { .. } => String::new(),
        }
    }

    /// The file that it changes.
    #[must_use]
    pub fn file(&self) -> Option<&FileChange> {
        match self {
            Self::File(change) => Some(change),
            Self::BootUnit(unit) => Some(&unit.file),
            _ => None,
        }
    }

    /// The record of XAPI's that it changes.
    #[must_use]
    pub fn pif(&self) -> Option<&PifRecord> {
        match self {
            Self::ForgetPif(record) | Self::IntroduceUnmanaged(record) => Some(record),
            Self::GiveBack(given) => Some(&given.record),
            _ => None,
        }
    }

    /// Takes the step and looks whether it is done. Taking it twice is as good as once.
    ///
    /// # Errors
    /// What went wrong; the step must then be undone.
    pub fn perform(&self, host: &Host) -> Result<()> {
        match self {
            Self::SwitchBackend(s) => s.perform(host),
            Self::TakeDown(b) => b.take_down(host),
            Self::ForgetPif(p) => p.forget(host),
            Self::IntroduceUnmanaged(p) => p.introduce(host),
            Self::GiveBack(g) => g.perform(host),
            Self::File(f) => f.perform(host),
            Self::BootUnit(u) => u.perform(host),
            Self::BringUp(b) => b.bring_up(host),
            Self::TakeVlanDown(v) => v.take_down(host),
            Self::BringVlanUp(v) => v.bring_up(host),
            // The engine waits for these.
            Self::Reboot { .. } | Self::Verify { .. } => Ok(()),
        }
    }

    /// Undoes the step, whether it was done whole, in part or not at all.
    ///
    /// # Errors
    /// What could not be undone.
    pub fn undo(&self, host: &Host, kept: &mut Kept) -> Result<()> {
        match self {
            Self::SwitchBackend(s) => s.undo(host, kept),
            Self::TakeDown(b) => b.bring_back(host, kept.done),
            Self::ForgetPif(p) => p.remember(host),
            Self::IntroduceUnmanaged(p) => p.forget_unmanaged(host),
            Self::GiveBack(g) => g.undo(host),
            Self::File(f) => f.undo(host, kept),
            Self::BootUnit(u) => u.undo(host, kept),
            Self::BringUp(b) => b.undo_up(host),
            Self::TakeVlanDown(v) => v.bring_back(host),
            Self::BringVlanUp(v) => v.take_down(host),
            Self::Reboot { .. } | Self::Verify { .. } => Ok(()),
        }
    }
}
