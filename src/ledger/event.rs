//! What the journal of a transaction says, line by line, and where the transaction stands by it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::outcome::Item;

/// Where a transaction stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "phase")]
pub enum Phase {
    /// Steps are under way, or were when the run was cut off.
    Applying,
    /// The reboot has not happened since this boot.
    WaitingForReboot {
        /// The boot in which it was asked for.
        boot_id: String,
    },
    /// All is as asked, and it is rolled back unless a person says in time that it may stay.
    WaitingForConfirmation,
    /// All is as asked, and waits until that survives a power cut.
    Saving {
        /// The boot in which that was so.
        boot_id: String,
    },
    /// All is as asked.
    Done,
    /// It is being undone, or was when the run was cut off.
    RollingBack,
    /// All but the running backend is undone.
    RollbackWaiting {
        /// The boot in which the reboot was asked for.
        boot_id: String,
    },
    /// All is undone and compared, and waits until that survives a power cut.
    SavingBack {
        /// The boot in which that was so.
        boot_id: String,
    },
    /// All is undone and compared.
    RolledBack,
}

impl Phase {
    /// What is typed to bring a change to its end.
    #[must_use]
    pub fn way_out(&self) -> &'static str {
        match self {
            Self::WaitingForConfirmation => "xenbond confirm, or xenbond rollback",
            _ => "xenbond resume, or xenbond rollback",
        }
    }

    /// Where a transaction stands after these events.
    #[must_use]
    pub fn after(events: &[Event]) -> Self {
        events.iter().fold(Self::Applying, |phase, event| match event {
            Event::Waiting { boot_id } => Self::WaitingForReboot { boot_id: boot_id.clone() },
            Event::Verified | Event::Confirmed => Self::Done,
            Event::Saving { boot_id, back: false } => Self::Saving { boot_id: boot_id.clone() },
            Event::Saving { boot_id, back: true } => Self::SavingBack { boot_id: boot_id.clone() },
            Event::Awaiting { .. } => Self::WaitingForConfirmation,
            Event::RollingBack { .. } => Self::RollingBack,
            Event::RollbackWaiting { boot_id } => {
                Self::RollbackWaiting { boot_id: boot_id.clone() }
            }
            Event::RolledBack | Event::Closed { .. } => Self::RolledBack,
            Event::Begin { .. } if phase != Self::RollingBack => Self::Applying,
            _ => phase,
        })
    }

    /// Whether the host is at one of the two ends, compared, and nothing but the disk is waited for.
    #[must_use]
    pub fn is_saving(&self) -> bool {
        matches!(self, Self::Saving { .. } | Self::SavingBack { .. })
    }

    /// Whether the bond stands as asked, also where it may not survive a power cut yet.
    #[must_use]
    pub fn stands(&self) -> bool {
        matches!(self, Self::Done | Self::Saving { .. })
    }

    /// Whether the transaction has not come to its end.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !matches!(self, Self::Done | Self::RolledBack)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Applying => "not finished",
            Self::WaitingForReboot { .. } => "waiting for a reboot",
            Self::WaitingForConfirmation => "waiting for a confirmation",
            Self::Saving { .. } => "done, and waiting until it survives a power cut",
            Self::Done => "done",
            Self::RollingBack => "rolled back in part",
            Self::RollbackWaiting { .. } => "waiting for a reboot to finish its rollback",
            Self::SavingBack { .. } => "rolled back, and waiting until that survives a power cut",
            Self::RolledBack => "rolled back",
        })
    }
}

/// What was ordered with a change beyond the change itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orders {
    /// The host may be rebooted where that is needed.
    pub reboot: bool,
    /// In how many seconds after the verdict a person must say that it may stay.
    pub confirm_within: Option<u64>,
}

impl Orders {
    /// Without a confirmation that is ordered not to be asked for.
    #[must_use]
    pub fn plain(self) -> Self {
        Self { confirm_within: self.confirm_within.filter(|seconds| *seconds > 0), ..self }
    }

    /// These orders with those that came later.
    #[must_use]
    pub fn and(self, later: Self) -> Self {
        Self {
            reboot: self.reboot || later.reboot,
            confirm_within: later.confirm_within.or(self.confirm_within),
        }
    }
}

/// One line of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub enum Event {
    /// A step begins.
    Begin {
        /// Its number, from 1.
        step: usize,
    },
    /// A step is done and was looked at.
    Done {
        /// Its number.
        step: usize,
    },
    /// Nothing goes on before a reboot.
    Waiting {
        /// The id of this boot.
        boot_id: String,
    },
    /// More was ordered than the change.
    Ordered(Orders),
    /// Warnings that were accepted by name.
    Accepted {
        /// Their codes.
        codes: Vec<String>,
    },
    /// All is as asked, and a confirmation is awaited.
    Awaiting {
        /// Within how many seconds from here.
        seconds: u64,
        /// Now, in seconds since 1970.
        wall: u64,
        /// Now, in seconds since the boot.
        boot: u64,
        /// The id of this boot.
        boot_id: String,
    },
    /// The verdict is given, and XAPI or networkd has not written yet what it rests on.
    Saving {
        /// The id of this boot.
        boot_id: String,
        /// Whether it is that of a rollback.
        back: bool,
    },
    /// A person said that it may stay.
    Confirmed,
    /// All is as asked.
    Verified,
    /// The rollback begins.
    RollingBack {
        /// Why.
        why: String,
        /// Whether a person asked for it.
        asked: bool,
        /// Older changes of the same bond that are to be undone after it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        then: Vec<String>,
        /// Changes that were undone before the reboot that this way back takes: what XAPI plugs at
        /// the boot of their NICs is looked at once more.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        after: Vec<String>,
    },
    /// A step is not undone with the rest: another bond needs what it did.
    Needed {
        /// Its number.
        step: usize,
    },
    /// A step is undone.
    Undone {
        /// Its number.
        step: usize,
    },
    /// Something that others did is kept and will differ.
    Kept {
        /// The file.
        path: String,
    },
    /// The rollback goes on after a reboot.
    RollbackWaiting {
        /// The id of this boot.
        boot_id: String,
    },
    /// The client of a command was killed at its limit: XAPI may still do what it asked for.
    Killed {
        /// Its arguments to `xe`.
        args: Vec<String>,
        /// When, in seconds since 1970.
        wall: u64,
    },
    /// The rollback has ended, and not all is as it was.
    Incomplete {
        /// What is left.
        left: Vec<Item>,
    },
    /// What failed is tried again by a run that nobody stands beside.
    TriesAgain {
        /// What failed.
        why: String,
        /// In how many seconds.
        seconds: u64,
    },
    /// A person has ended a rollback that could not be brought to its end.
    Closed {
        /// What is left.
        left: Vec<Item>,
    },
    /// The host was compared with what was recorded.
    RolledBack,
}

/// One line of the journal: an event and its time.
#[derive(Serialize, Deserialize)]
pub struct Line {
    /// When, by RFC 3339.
    pub at: String,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}
