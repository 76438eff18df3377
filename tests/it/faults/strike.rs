//! What goes wrong, and the watcher that makes it go wrong or records what could have.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use anyhow::{Result, bail};
use xenbond::host::{Clock, Cmd, Effect, Output, Program, Runner, Status, Watch};
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
    /// A command is killed at its limit, and what it asked XAPI for happens a while later.
    Late,
    /// Others add a line to a file that is theirs and ours.
    AddsLine,
    /// Others change a file of their own.
    ChangesTheirs,
    /// Others remove a file of their own.
    RemovesTheirs,
    /// Others make a file of their own.
    MakesTheirs,
    /// Others edit a file that is of the bond or is to be.
    EditsOurs,
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
    pub const ALL: [Self; 17] = [
        Self::Fails,
        Self::FailsAfter,
        Self::Lies,
        Self::Hangs,
        Self::HangsAfter,
        Self::Late,
        Self::AddsLine,
        Self::ChangesTheirs,
        Self::RemovesTheirs,
        Self::MakesTheirs,
        Self::EditsOurs,
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
        matches!(self, Self::Lies | Self::Hangs | Self::HangsAfter | Self::Late)
    }

    /// Others do something, and nothing goes wrong.
    pub fn is_of_others(self) -> bool {
        matches!(
            self,
            Self::AddsLine
                | Self::ChangesTheirs
                | Self::RemovesTheirs
                | Self::MakesTheirs
                | Self::EditsOurs
        )
    }

    /// What others do: to which file below the root, and what it holds then; nothing: it is gone.
    /// `None` where there is no such file on this host.
    pub fn edit(self, root: &Path) -> Option<(PathBuf, Option<String>)> {
        let scripts = Path::new("etc/sysconfig/network-scripts");
        let path = match self {
            Self::AddsLine => PathBuf::from("etc/modprobe.conf"),
            Self::ChangesTheirs | Self::RemovesTheirs => scripts.join("ifcfg-backup0"),
            Self::MakesTheirs => scripts.join("ifcfg-added0"),
            Self::EditsOurs => scripts.join("ifcfg-eth3"),
            _ => return None,
        };
        let text = std::fs::read_to_string(root.join(&path)).ok();
        if text.is_none() && !matches!(self, Self::MakesTheirs | Self::EditsOurs) {
            return None;
        }
        let new = format!("{}# {EDIT}\n", text.unwrap_or_default());
        Some((path, (self != Self::RemovesTheirs).then_some(new)))
    }

    /// Whether it can strike an effect, by its words.
    pub fn can_strike(self, effect: &str) -> bool {
        match self {
            // Only XAPI goes on when its client was killed.
            Self::Late => effect.contains("program: Xe,"),
            // What is written in the moment in which the host's own script deletes it, nobody saw.
            _ if self.is_of_others() => !effect.contains("XeSwitchNetworkBackend"),
            _ => true,
        }
    }

    /// The engine lives on and must help itself.
    pub fn is_survived(self) -> bool {
        self.is_of_commands()
            || self.is_of_others()
            || matches!(self, Self::Fails | Self::FailsAfter)
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
    /// The host at each minute of a wait for the disk.
    waits: Vec<Moment>,
    /// What XAPI will still do for a client that was killed, and when.
    late: Option<(Cmd, Duration)>,
}

/// What others write.
pub const EDIT: &str = "by others, and not to be lost";

/// How long after its client was killed XAPI does what that asked for.
const LATE: Duration = Duration::from_secs(75);

impl Strike {
    pub fn new(model: Arc<Model>) -> Self {
        Self { model, inner: Mutex::default() }
    }

    /// Begins anew: these faults at these effects, counted from 1.
    pub fn arm(&self, faults: &[(usize, Fault)], records: bool) {
        *self.inner.lock().unwrap() =
            Inner { faults: faults.to_vec(), records, ..Inner::default() };
    }

    /// No more faults; what is late still comes.
    pub fn disarm(&self) {
        self.inner.lock().unwrap().faults.clear();
    }

    /// How many of the faults struck.
    pub fn struck(&self) -> usize {
        self.inner.lock().unwrap().struck
    }

    /// The effects that were recorded.
    pub fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.inner.lock().unwrap().seen)
    }

    /// Does what is due of what XAPI does late.
    pub fn late(&self) {
        let now = self.model.elapsed();
        let due = self.inner.lock().unwrap().late.take_if(|(_, when)| *when <= now);
        if let Some((cmd, _)) = due {
            let _ = self.model.run(&cmd);
        }
    }

    /// The moments of the wait for the disk that were recorded.
    pub fn waits(&self) -> Vec<Moment> {
        std::mem::take(&mut self.inner.lock().unwrap().waits)
    }

    /// Time is about to pass.
    fn passes(&self) {
        let mut inner = self.inner.lock().unwrap();
        if !inner.records || !is_saving(&self.model) {
            return;
        }
        if inner.waits.last().is_none_or(|last| last.is_so_long_ago(&self.model, 60)) {
            inner.waits.push(Moment::of(&self.model));
        }
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
                let now = match &inner.last {
                    Some(last) => Moment::at(&self.model, last, effect),
                    None => Moment::of(&self.model),
                };
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
        let others = Fault::ALL.into_iter().filter(|f| f.is_of_others()).collect::<Vec<_>>();
        if let Some(fault) = self.strikes(&others) {
            let root = self.model.root();
            match fault.edit(root) {
                Some((path, Some(text))) => std::fs::write(root.join(path), text).unwrap(),
                Some((path, None)) => std::fs::remove_file(root.join(path)).unwrap(),
                // There is no such file just then: nobody did anything.
                None => self.inner.lock().unwrap().struck -= 1,
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
                let before = inner.last.take().unwrap();
                let now = Moment::at(&self.model, &before, effect);
                if matches!(effect, Effect::Run(_)) {
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

/// Whether the transaction waits for nothing but the disk.
fn is_saving(model: &Model) -> bool {
    let journal = model.root().join("var/lib/xenbond/current/journal");
    let text = std::fs::read_to_string(journal).unwrap_or_default();
    text.lines().last().is_some_and(|line| line.contains("\"event\":\"saving\""))
}

/// The model's programs, one of which may lie or hang.
pub struct Liar {
    pub model: Arc<Model>,
    pub strike: Arc<Strike>,
}

impl Runner for Liar {
    fn run(&self, cmd: &Cmd) -> Result<Output> {
        self.strike.late();
        let commands = [Fault::Lies, Fault::Hangs, Fault::HangsAfter, Fault::Late];
        let fault = if cmd.changes { self.strike.strikes(&commands) } else { None };
        let output = |status| Output { status, stdout: Vec::new(), stderr: Vec::new() };
        match fault {
            Some(Fault::Lies) => Ok(output(Status::Exited(0))),
            // Only XAPI goes on when its client was killed.
            Some(Fault::Late) if cmd.program == Program::Xe => {
                let due = self.model.elapsed() + LATE;
                self.strike.inner.lock().unwrap().late = Some((cmd.clone(), due));
                Ok(output(Status::TimedOut))
            }
            Some(Fault::Hangs | Fault::Late) => Ok(output(Status::TimedOut)),
            Some(_) => self.model.run(cmd).map(|_| output(Status::TimedOut)),
            None => self.model.run(cmd),
        }
    }

    fn has_background(&self) -> bool {
        false
    }

    fn own_program(&self) -> Result<Vec<u8>> {
        self.model.own_program()
    }

    fn detach(&self, path: &str, args: &[&str], log: &str) -> Result<()> {
        self.model.detach(path, args, log)
    }
}

/// The model's clock: as it goes on, what is late comes.
impl Clock for Liar {
    fn now(&self) -> SystemTime {
        self.model.now()
    }
    fn elapsed(&self) -> Duration {
        self.model.elapsed()
    }
    fn since_boot(&self) -> Duration {
        self.model.since_boot()
    }
    fn pause(&self, time: Duration) {
        self.strike.passes();
        self.model.pause(time);
        self.strike.late();
    }
}
