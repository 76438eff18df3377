//! The steps of a plan. A step is the smallest unit that can be undone; what it does, how it is
//! undone and the sentences for both stand side by side, in one file for each kind.
//!
//! A step holds everything that its undo needs, captured before anything was touched, so that a
//! rollback needs neither spec nor templates. Both `perform` and `undo` look at the host
//! afterwards and fail when it is not as it should be: exit codes are no proof.

mod backend;
mod bond;
mod bond_mode;
mod device;
mod file;
mod give_back;
mod kept;
mod live;
mod managed;
mod members;
mod new_network;
mod pif;
mod pif_network;
mod tuned;
mod unit;
mod vlan;
mod xapi_bond;

use anyhow::Result;
use serde::{Deserialize, Serialize};

pub use backend::Switch;
pub use bond::{BondDevice, Link};
pub use bond_mode::{BondModeChange, BondSettings};
pub use file::FileChange;
pub use give_back::GiveBack;
pub use kept::Kept;
pub use live::{Attached, Change, LiveMtu, LiveNetwork, LiveOptions, LiveTuning, Member, Written};
pub use managed::{PURPOSE, PifChange, PifSetting};
pub use members::{Members, not_made_yet};
pub use new_network::NewNetwork;
pub use pif::PifRecord;
pub use pif_network::{NetworkChange, NetworkSettings};
pub use tuned::{Tuned, settings};
pub use unit::BootUnit;
pub use vlan::VlanDevice;
pub use xapi_bond::XapiBond;

use crate::host::{Cmd, Host};
use crate::net::{Backend, Uuid};

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
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
    /// Add a slave to a bond that stays up.
    Join(Member),
    /// Take a slave out of a bond that stays up.
    Leave(Member),
    /// Set options of a bond that stays up.
    SetOptions(LiveOptions),
    /// Set the MTU of a device that stays up.
    SetMtu(LiveMtu),
    /// Set address and routes of a device that stays up.
    SetNetwork(LiveNetwork),
    /// Tune a slave of a bond that stays up.
    Tune(LiveTuning),
    /// Take a tagged network down that must change or goes, and its device away.
    TakeVlanDown(VlanDevice),
    /// Bring a tagged network up on the bond.
    BringVlanUp(VlanDevice),
    /// Have XAPI set something of a NIC that it keeps.
    SetPif(Box<PifChange>),
    /// Have XAPI set something of the network of such a NIC.
    SetPifNetwork(Box<NetworkChange>),
    /// Have XAPI make a network.
    CreateNetwork(Box<NewNetwork>),
    /// Have XAPI take away a network that it made for a bond.
    RemoveNetwork(Box<NewNetwork>),
    /// Have XAPI make a bond.
    MakeBond(Box<XapiBond>),
    /// Have XAPI take a bond apart.
    TakeApart(Box<XapiBond>),
    /// Restart XAPI, which plugs then what it has of a bond and the host has not.
    CompleteBond(Box<XapiBond>),
    /// Have XAPI give a bond that stands another mode.
    SetBondMode(Box<BondModeChange>),
    /// Compare the running kernel with what was asked for.
    Verify {
        /// The bond.
        bond: String,
        /// How long it may take until all is as asked, in seconds.
        within: u64,
    },
}

impl Step {
    /// The step's title: what it does, in the imperative.
    #[must_use]
    pub fn title(&self) -> String {
        match self {
            Self::SwitchBackend(s) => {
                format!("switch the network backend from {} to {}", s.from, s.to)
            }
            Self::Reboot { backend } => format!("reboot to start the {backend} backend"),
            Self::TakeDown(b) => format!("bring {} down", b.bond),
            Self::ForgetPif(p) => format!("remove {} from XAPI (forget its PIF)", p.device),
            Self::IntroduceUnmanaged(p) => {
                format!("create an unmanaged PIF for {} in XAPI", p.device)
            }
            Self::GiveBack(g) => g.title(),
            Self::File(f) => f.title(),
            Self::BootUnit(u) if u.goes() => u.away_title(),
            Self::BootUnit(u) => {
                format!("enable {} (brings {} up at boot)", u.service.full_name(), u.bond)
            }
            Self::BringUp(b) => format!("bring up {}", b.bond),
            Self::Join(m) => m.join_title(),
            Self::Leave(m) => m.leave_title(),
            Self::SetOptions(o) => o.title(),
            Self::SetMtu(m) => m.title(),
            Self::SetNetwork(n) => n.title(),
            Self::Tune(t) => t.title(),
            Self::TakeVlanDown(v) => format!("bring {} down", v.device),
            Self::BringVlanUp(v) => format!("bring up {}", v.device),
            Self::SetPif(p) => p.title(),
            Self::SetPifNetwork(n) => n.title(),
            Self::CreateNetwork(n) => n.title(),
            Self::RemoveNetwork(n) => n.undo_title(),
            Self::MakeBond(b) => b.title(),
            Self::TakeApart(b) => b.away_title(),
            Self::CompleteBond(b) => b.complete_title(),
            Self::SetBondMode(m) => m.title(),
            Self::Verify { bond, within } => format!("verify {bond}, within {within} s"),
        }
    }

    /// The title of its undo, in the imperative.
    #[must_use]
    pub fn undo_title(&self) -> String {
        match self {
            Self::SwitchBackend(s) => format!("switch the network backend back to {}", s.from),
            Self::Reboot { .. } => "reboot again, if the backend was switched back".into(),
            Self::TakeDown(b) => format!("bring {} up as it was", b.bond),
            Self::ForgetPif(p) => p.undo_title(),
            Self::IntroduceUnmanaged(p) => {
                format!("delete the unmanaged PIF of {}", p.device)
            }
            Self::GiveBack(g) => g.undo_title(),
            Self::File(f) => f.undo_title(),
            Self::BootUnit(u) if u.goes() => {
                format!("enable {} again (brings {} up at boot)", u.service.full_name(), u.bond)
            }
            Self::BootUnit(u) => format!("disable and remove {}", u.service.full_name()),
            Self::BringUp(b) => b.undo_title(),
            Self::Join(m) => format!("remove {} from {} again", m.nic, m.bond),
            Self::Leave(m) => format!("add {} to {} again", m.nic, m.bond),
            Self::SetOptions(o) => o.undo_title(),
            Self::SetMtu(m) => m.undo_title(),
            Self::SetNetwork(n) => n.undo_title(),
            Self::Tune(t) => t.undo_title(),
            Self::TakeVlanDown(v) => format!("bring {} up as it was", v.device),
            Self::BringVlanUp(v) => format!("bring {} down and delete it", v.device),
            Self::SetPif(p) => p.undo_title(),
            Self::SetPifNetwork(n) => n.undo_title(),
            Self::CreateNetwork(n) => n.undo_title(),
            Self::RemoveNetwork(n) => n.title(),
            Self::MakeBond(b) => b.away_title(),
            Self::TakeApart(b) => b.title(),
            Self::SetBondMode(m) => m.undo_title(),
            Self::CompleteBond(_) | Self::Verify { .. } => "nothing to undo".into(),
        }
    }

    /// About how long it takes on a host in good health, in seconds: an `xe` call takes one on a
    /// busy pool, `ifup` asks the wire for its address for a few (tests/ground/initscripts.md, B5).
    #[must_use]
    pub fn seconds(&self) -> u64 {
        match self {
            Self::MakeBond(b) => b.seconds(false),
            Self::CompleteBond(_) => 60,
            Self::TakeApart(b) => b.seconds(true),
            Self::SetBondMode(_) => 5,
            Self::SwitchBackend(_) | Self::BringUp(_) => 5,
            Self::ForgetPif(_) | Self::TakeDown(_) | Self::GiveBack(_) | Self::BringVlanUp(_) => 3,
            Self::IntroduceUnmanaged(_) | Self::BootUnit(_) | Self::SetPifNetwork(_) => 2,
            Self::Verify { .. }
            | Self::TakeVlanDown(_)
            | Self::Join(_)
            | Self::Leave(_)
            | Self::SetOptions(_)
            | Self::SetMtu(_)
            | Self::SetNetwork(_)
            | Self::Tune(_)
            | Self::CreateNetwork(_)
            | Self::RemoveNetwork(_)
            | Self::SetPif(_) => 1,
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
            Self::SetMtu(m) => vec![m.command(m.want)],
            Self::SetNetwork(n) => n.commands(),
            Self::Tune(t) => t.commands(),
            Self::TakeVlanDown(v) => vec![v.device().down(), v.device().delete()],
            Self::BringVlanUp(v) => vec![v.device().up()],
            Self::SetPif(p) => p.commands(),
            Self::SetPifNetwork(n) => n.commands(),
            Self::CreateNetwork(n) => n.commands(),
            Self::MakeBond(b) => b.commands(),
            Self::TakeApart(b) => b.away_commands(),
            Self::CompleteBond(_) => vec![crate::xe::restart_toolstack()],
            Self::SetBondMode(m) => m.commands(),
            Self::RemoveNetwork(_) => Vec::new(),
            Self::Join(_) | Self::Leave(_) | Self::SetOptions(_) => Vec::new(),
            Self::Reboot { .. } | Self::File(_) | Self::Verify { .. } => Vec::new(),
        }
    }

    /// What it writes into files of the running kernel.
    #[must_use]
    pub fn sysfs(&self) -> Vec<Written> {
        match self {
            Self::Join(m) => m.written('+'),
            Self::Leave(m) => m.written('-'),
            Self::SetOptions(o) => o.written(),
            _ => Vec::new(),
        }
    }

    /// Whether it changes a device that stays up: undone as well where it was not begun, since a
    /// boot in between may have brought the device up by files that were changed before.
    #[must_use]
    pub fn is_live(&self) -> bool {
        matches!(
            self,
            Self::Join(_)
                | Self::Leave(_)
                | Self::SetOptions(_)
                | Self::SetMtu(_)
                | Self::SetNetwork(_)
                | Self::Tune(_)
        )
    }

    /// What a person types to undo it; `originals` is where the files lie as they were.
    #[must_use]
    pub fn by_hand(&self, originals: &str) -> String {
        match self {
            Self::SwitchBackend(s) => s.command(&s.from).to_string(),
            Self::TakeDown(b) => b.device().up().to_string(),
            Self::BringUp(b) => format!("{}; {}", b.device().down(), b.device().delete()),
            Self::Join(m) => by_echo(&m.written('-')),
            Self::Leave(m) => by_echo(&m.written('+')),
            Self::SetOptions(o) => by_echo(&o.written_back()),
            Self::SetMtu(m) => m.command(m.was).to_string(),
            Self::SetNetwork(n) => by_commands(&n.undo_commands()),
            Self::Tune(t) => by_commands(&t.nic.changes()),
            Self::TakeVlanDown(v) => v.device().up().to_string(),
            Self::BringVlanUp(v) => format!("{}; {}", v.device().down(), v.device().delete()),
            Self::SetPif(p) => p.by_hand(),
            Self::CreateNetwork(n) => n.by_hand(),
            Self::RemoveNetwork(n) => by_commands(&n.commands()),
            Self::MakeBond(b) => b.away_by_hand(),
            Self::TakeApart(b) => b.by_hand(),
            Self::SetBondMode(m) => by_commands(&m.undo_commands()),
            Self::SetPifNetwork(n) => by_commands(&n.undo_commands()),
            Self::ForgetPif(p) => p.by_hand(),
            Self::IntroduceUnmanaged(p) => p.forget_by_hand(),
            Self::GiveBack(g) => g.record.forget_by_hand().replace(" managed=false", ""),
            Self::File(f) => f.by_hand(originals),
            Self::BootUnit(u) => format!("{}; {}", u.service.disable(), u.file.by_hand(originals)),
            Self::Reboot { .. } => "shutdown -r now".into(),
            Self::CompleteBond(_) | Self::Verify { .. } => String::new(),
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
            Self::SetPif(change) => Some(&change.record),
            Self::SetPifNetwork(change) => Some(&change.record),
            _ => None,
        }
    }

    /// XAPI's uuid of the host, where it is about a record of XAPI's.
    #[must_use]
    pub fn host(&self) -> Option<&Uuid> {
        match self {
            Self::MakeBond(b) | Self::TakeApart(b) | Self::CompleteBond(b) => {
                b.nics.first().map(|record| &record.host)
            }
            Self::CreateNetwork(n) | Self::RemoveNetwork(n) => Some(&n.host),
            _ => self.pif().map(|record| &record.host),
        }
    }

    /// Whether XAPI is asked to do it, or its undoing.
    #[must_use]
    pub fn asks_xapi(&self) -> bool {
        let of_bond = matches!(
            self,
            Self::CreateNetwork(_)
                | Self::RemoveNetwork(_)
                | Self::MakeBond(_)
                | Self::TakeApart(_)
                | Self::CompleteBond(_)
                | Self::SetBondMode(_)
        );
        of_bond || self.pif().is_some()
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
            Self::Join(m) => m.join(host),
            Self::Leave(m) => m.leave(host),
            Self::SetOptions(o) => o.perform(host),
            Self::SetMtu(m) => m.set(host, m.want),
            Self::SetNetwork(n) => n.perform(host),
            Self::Tune(t) => t.perform(host),
            Self::TakeVlanDown(v) => v.take_down(host),
            Self::BringVlanUp(v) => v.bring_up(host),
            Self::SetPif(p) => p.perform(host),
            Self::SetPifNetwork(n) => n.perform(host),
            Self::CreateNetwork(n) => n.create(host),
            Self::RemoveNetwork(n) => n.remove(host, &mut Kept::default()),
            Self::MakeBond(b) => b.make(host),
            Self::CompleteBond(b) => b.complete(host),
            Self::TakeApart(b) => b.take_apart(host, &mut Kept::default()),
            Self::SetBondMode(m) => m.set(host, false),
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
            Self::Join(m) => m.undo_join(host),
            Self::Leave(m) => m.undo_leave(host),
            Self::SetOptions(o) => o.undo(host),
            Self::SetMtu(m) => m.set(host, m.was),
            Self::SetNetwork(n) => n.undo(host),
            Self::Tune(t) => t.undo(host),
            Self::TakeVlanDown(v) => v.bring_back(host),
            Self::BringVlanUp(v) => v.take_down(host),
            Self::SetPif(p) => p.undo(host, kept),
            Self::SetPifNetwork(n) => n.undo(host, kept),
            Self::CreateNetwork(n) => n.remove(host, kept),
            Self::RemoveNetwork(n) => n.create(host),
            Self::MakeBond(b) => b.take_apart(host, kept),
            Self::TakeApart(b) => b.make(host),
            Self::SetBondMode(m) => m.set(host, true),
            Self::Reboot { .. } | Self::CompleteBond(_) | Self::Verify { .. } => Ok(()),
        }
    }
}

/// Writing into files of the kernel, for a person.
fn by_echo(all: &[Written]) -> String {
    let line = |one: &Written| format!("echo {} > {}", one.value, one.path);
    all.iter().map(line).collect::<Vec<_>>().join("; ")
}

fn by_commands(all: &[Cmd]) -> String {
    all.iter().map(Cmd::to_string).collect::<Vec<_>>().join("; ")
}
