//! What goes wrong, and the watcher that makes it go wrong or records what could have.

use std::sync::{Arc, Mutex};

use anyhow::{Result, bail};
use xenbond::host::{Cmd, Effect, Output, Runner, Status, Watch};
use xenbond::model::Model;

use super::moment::{Loss, Moment, Volatile};

/// What goes wrong at an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// It fails and does not happen.
    Fails,
    /// It happens, and reports failure.
    FailsAfter,
    /// A command reports success and does nothing.
    Lies,
    /// A command hangs past its limit, and did nothing.
    Hangs,
    /// A command does what it should, and hangs past its limit.
    HangsAfter,
    /// The process dies before it.
    DiesBefore,
    /// The process dies after it: before the journal knows.
    DiesAfter,
    /// The power goes before it; what was not made durable is lost.
    PowerCut,
    /// The power goes after it; what was not made durable is torn.
    PowerTear,
    /// The power goes after it; names are there, and bytes that were not made durable are not.
    PowerEmpties,
    /// The power goes before it, and XAPI and networkd had written nothing for a while.
    PowerCutUnsaved,
    /// The power goes some time after the verdict, or while it is waited for the two of them.
    PowerCutLater,
}

/// What comes between a fault and the run that goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Boot {
    /// Nothing: the host runs on.
    None,
    /// A boot, and XAPI and networkd had just written all that they knew.
    Saved,
    /// A boot with what they had written.
    Unsaved,
}

impl Fault {
    /// Those of an effect.
    pub const ALL: [Self; 11] = [
        Self::Fails,
        Self::FailsAfter,
        Self::Lies,
        Self::Hangs,
        Self::HangsAfter,
        Self::DiesBefore,
        Self::DiesAfter,
        Self::PowerCut,
        Self::PowerTear,
        Self::PowerEmpties,
        Self::PowerCutUnsaved,
    ];

    /// Whether it has this name.
    pub fn is_called(self, name: &str) -> bool {
        format!("{self:?}") == name
    }

    /// Whether there is a fault of this name.
    pub fn is_named(name: &str) -> bool {
        Self::ALL.into_iter().chain([Self::PowerCutLater]).any(|fault| fault.is_called(name))
    }

    /// Only a command can do it.
    pub fn is_of_commands(self) -> bool {
        matches!(self, Self::Lies | Self::Hangs | Self::HangsAfter)
    }

    /// The engine lives on and must help itself.
    pub fn is_survived(self) -> bool {
        self.is_of_commands() || matches!(self, Self::Fails | Self::FailsAfter)
    }

    pub fn boot(self) -> Boot {
        match self {
            Self::PowerCut | Self::PowerTear | Self::PowerEmpties => Boot::Saved,
            Self::PowerCutUnsaved | Self::PowerCutLater => Boot::Unsaved,
            _ => Boot::None,
        }
    }
}

/// An effect that was seen, and the host before and after it.
pub struct Seen {
    /// What it was, for people.
    pub text: String,
    pub is_command: bool,
    before: Option<Recorded>,
    after: Option<Recorded>,
}

struct Recorded {
    moment: Moment,
    volatile: Volatile,
}

impl Seen {
    /// The host that a fault that ends the process leaves, where it was recorded.
    pub fn left_by(&self, fault: Fault) -> Option<Moment> {
        let (Some(before), Some(after)) = (&self.before, &self.after) else { return None };
        Some(match fault {
            Fault::DiesBefore => before.moment.clone(),
            Fault::DiesAfter => after.moment.clone(),
            Fault::PowerCut | Fault::PowerCutUnsaved => {
                before.volatile.lost(&before.moment, Loss::All)
            }
            Fault::PowerTear => after.volatile.lost(&after.moment, Loss::Torn),
            Fault::PowerEmpties => after.volatile.lost(&after.moment, Loss::Bytes),
            _ => return None,
        })
    }
}

/// Watches one run of the engine.
pub struct Strike {
    model: Arc<Model>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    count: usize,
    faults: Vec<(usize, Fault)>,
    struck: usize,
    records: bool,
    seen: Vec<Seen>,
    volatile: Volatile,
    last: Option<Moment>,
}

impl Strike {
    pub fn new(model: Arc<Model>) -> Self {
        Self { model, inner: Mutex::default() }
    }

    /// Begins anew: these faults at these effects, counted from 1.
    pub fn arm(&self, faults: &[(usize, Fault)], records: bool) {
        *self.inner.lock().unwrap() =
            Inner { faults: faults.to_vec(), records, ..Inner::default() };
    }

    /// How many of the faults struck.
    pub fn struck(&self) -> usize {
        self.inner.lock().unwrap().struck
    }

    /// The effects that were recorded.
    pub fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.inner.lock().unwrap().seen)
    }

    fn strikes(&self, of: &[Fault]) -> Option<Fault> {
        let mut inner = self.inner.lock().unwrap();
        let count = inner.count;
        let hit = inner.faults.iter().find(|(at, fault)| *at == count && of.contains(fault));
        let fault = hit.map(|(_, fault)| *fault)?;
        inner.struck += 1;
        Some(fault)
    }
}

impl Watch for Strike {
    fn before(&self, effect: &Effect<'_>) -> Result<()> {
        {
            let mut inner = self.inner.lock().unwrap();
            inner.count += 1;
            if inner.records {
                let now = Moment::of(&self.model, inner.last.as_ref());
                if let Some(last) = &inner.last {
                    assert!(
                        last.was_left_alone(&now),
                        "before {effect:?}: a change without effect"
                    );
                }
                let recorded = Recorded { moment: now.clone(), volatile: inner.volatile.clone() };
                inner.volatile.note(self.model.root(), &now, effect);
                inner.seen.push(Seen {
                    text: format!("{effect:?}"),
                    is_command: matches!(effect, Effect::Run(_)),
                    before: Some(recorded),
                    after: None,
                });
                inner.last = Some(now);
            }
        }
        if self.strikes(&[Fault::Fails]).is_some() {
            bail!("{effect:?} was made to fail");
        }
        Ok(())
    }

    fn after(&self, effect: &Effect<'_>) -> Result<()> {
        {
            let mut inner = self.inner.lock().unwrap();
            if inner.records {
                let now = Moment::of(&self.model, inner.last.as_ref());
                if let (Effect::Run(_), Some(before)) = (effect, inner.last.take()) {
                    inner.volatile.note_command(&before, &now);
                }
                let recorded = Recorded { moment: now.clone(), volatile: inner.volatile.clone() };
                inner.seen.last_mut().unwrap().after = Some(recorded);
                inner.last = Some(now);
            }
        }
        if self.strikes(&[Fault::FailsAfter]).is_some() {
            bail!("{effect:?} was made to report failure");
        }
        Ok(())
    }
}

/// The model's programs, one of which may lie or hang.
pub struct Liar {
    pub model: Arc<Model>,
    pub strike: Arc<Strike>,
}

impl Runner for Liar {
    fn run(&self, cmd: &Cmd) -> Result<Output> {
        let commands = [Fault::Lies, Fault::Hangs, Fault::HangsAfter];
        let fault = if cmd.changes { self.strike.strikes(&commands) } else { None };
        let output = |status| Output { status, stdout: Vec::new(), stderr: Vec::new() };
        match fault {
            Some(Fault::Lies) => Ok(output(Status::Exited(0))),
            Some(Fault::Hangs) => Ok(output(Status::TimedOut)),
            Some(_) => self.model.run(cmd).map(|_| output(Status::TimedOut)),
            None => self.model.run(cmd),
        }
    }

    fn own_program(&self) -> Result<Vec<u8>> {
        self.model.own_program()
    }

    fn detach(&self, path: &str, args: &[&str], log: &str) -> Result<()> {
        self.model.detach(path, args, log)
    }
}
