//! How a run ends: the exit codes and the results, each once.

use serde::{Deserialize, Serialize};

macro_rules! exits {
    ($($variant:ident = $code:literal $meaning:literal;)+) => {
        /// Exit codes: part of the contract.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Exit {
            $(#[doc = $meaning] $variant = $code,)+
        }
        impl Exit {
            /// All of them with their meaning, for `--help`.
            pub const ALL: &[(u8, &str)] = &[$(($code, $meaning)),+];
        }
    };
}

exits! {
    AsAsked = 0 "the host is as asked: done, or nothing to do";
    Refused = 1 "refused or failed before any change: the host is as it was";
    Usage = 2 "usage";
    RolledBack = 3 "an apply failed and was rolled back: the host was compared and is as it was";
    Incomplete = 4 "failed, rollback incomplete: it says what is left and how to finish by hand";
    NotAsAsked = 5 "verify, status, drill, plan --check: the host is not as asked";
    Waiting = 6 "waiting: a reboot is needed, or a confirmation is awaited";
}

impl Exit {
    /// The number.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }
}

/// What to type after an error: a context that is printed on a line of its own.
#[derive(Clone, Debug)]
pub struct Hint(pub String);

impl std::fmt::Display for Hint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Hint {}

/// What became of a run that changes the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// All is as asked.
    Done,
    /// It was so already.
    NothingToDo,
    /// Nothing was touched.
    Refused,
    /// All is as it was.
    RolledBack,
    /// Something is neither.
    RollbackIncomplete,
    /// A person has ended a rollback that could not be brought to its end.
    Closed,
    /// The next thing is a reboot.
    WaitingForReboot,
    /// All is as asked, and it is rolled back unless a person confirms it in time.
    WaitingForConfirmation,
}

/// How far a step came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepState {
    /// Not begun.
    Pending,
    /// Done and looked at.
    Done,
    /// Went wrong.
    Failed,
    /// Undone and looked at.
    Undone,
    /// Could not be undone.
    NotUndone,
}

/// A step in a report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepReport {
    /// Its number, from 1.
    pub number: usize,
    /// What it does.
    pub title: String,
    /// How far it came.
    pub state: StepState,
    /// How long it took; `None`: not in this run.
    pub seconds: Option<f64>,
}

/// Something that is not as it is to be, and what to type about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// What.
    pub what: String,
    /// The command.
    pub command: String,
}

/// How a run ended, with all that there is to say.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What became of it.
    pub ending: Ending,
    /// The exit code.
    pub exit: Exit,
    /// The transaction.
    pub transaction: Option<String>,
    /// Its steps.
    pub steps: Vec<StepReport>,
    /// What went wrong.
    pub error: Option<String>,
    /// What to type next.
    pub hint: Option<String>,
    /// The findings that barred the way, as a document has them.
    pub findings: Vec<serde_json::Value>,
    /// Other things to know.
    pub notes: Vec<String>,
    /// What was accepted and does not hold yet.
    pub pending: Vec<Item>,
    /// What a power cut would undo.
    pub not_saved: Vec<Item>,
    /// What could not be brought back.
    pub left: Vec<Item>,
    /// Whether the same run, tried again, may end better by what happens elsewhere.
    pub again: bool,
}

impl Outcome {
    /// An outcome without steps.
    #[must_use]
    pub fn new(ending: Ending, exit: Exit) -> Self {
        Self {
            ending,
            exit,
            transaction: None,
            steps: Vec::new(),
            error: None,
            hint: None,
            findings: Vec::new(),
            notes: Vec::new(),
            pending: Vec::new(),
            again: false,
            not_saved: Vec::new(),
            left: Vec::new(),
        }
    }

    /// The outcome of a refusal: nothing was touched.
    #[must_use]
    pub fn refused(error: impl Into<String>, hint: Option<String>) -> Self {
        Self { error: Some(error.into()), hint, ..Self::new(Ending::Refused, Exit::Refused) }
    }
}

/// The last line: the state that the host is in now.
#[must_use]
pub fn verdict(outcome: &Outcome) -> &'static str {
    match (outcome.ending, outcome.exit) {
        (Ending::Done, Exit::NotAsAsked) => {
            "Done: verified, except for what was accepted and is not yet so."
        }
        (Ending::Done, _) => "Done: the host is as asked, verified.",
        (Ending::NothingToDo, Exit::NotAsAsked) => {
            "Nothing to do; what was accepted is not yet so."
        }
        (Ending::NothingToDo, _) => "Nothing to do.",
        (Ending::Refused, _) => "Refused. Nothing was changed.",
        (Ending::RolledBack, Exit::RolledBack) => {
            "Failed and rolled back: the host was compared and is as it was."
        }
        (Ending::RolledBack, _) => "Rolled back: the host was compared and is as it was.",
        (Ending::Closed, _) => {
            "Closed: the transaction has ended; what is listed was left as it is."
        }
        (Ending::RollbackIncomplete, _) => "Rollback incomplete: the host is not as it was.",
        (Ending::WaitingForReboot, _) => {
            "Stopped: this host must be rebooted. Then run: xenbond resume"
        }
        (Ending::WaitingForConfirmation, _) => {
            "Verified. It is rolled back unless you confirm it in time: xenbond confirm"
        }
    }
}
