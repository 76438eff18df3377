//! The seam between the program and a dom0: files under a root, commands and the machine's own
//! answers through a runner, the clock. Every system call of the program is in this room.
//!
//! With a root other than `/` every file and every program comes from under that root, so a
//! test can never reach the real host. The seam knows nothing of bonds, XAPI or plans.

#![allow(clippy::disallowed_methods, reason = "what is banned elsewhere is done here")]

mod attributes;
pub mod callers;
mod command;
mod files;
mod inside;
mod kind;
mod link;
mod lock;
mod machine;
mod meanwhile;
mod process;
mod write;

use std::collections::BTreeMap;
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Result;
use nix::time::{ClockId, clock_gettime};

pub use command::{Cmd, Failed, Output, Program, Runner, Status, quoted};
pub use files::join;
pub use inside::{inside, name, text as text_of};
pub use kind::{Kind, Original, Xattrs};
pub use lock::Locked;
pub use machine::{OwnAddress, alone, is_root, own_session, user};
pub use meanwhile::{Meanwhile, meanwhile};
pub use process::OsRunner;
pub use write::was_changed;

/// The clock: wall time for records, a pause for waits that poll.
pub trait Clock: Send + Sync {
    /// Wall time.
    fn now(&self) -> SystemTime;
    /// Time that never jumps, since some start.
    fn elapsed(&self) -> Duration;
    /// Time since the boot, asleep or not; setting the time of day does not touch it.
    fn since_boot(&self) -> Duration;
    /// Lets `time` pass.
    fn pause(&self, time: Duration);
}

/// This machine's clock.
pub struct OsClock(std::time::Instant);

impl Default for OsClock {
    fn default() -> Self {
        Self(std::time::Instant::now())
    }
}

impl Clock for OsClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
    fn since_boot(&self) -> Duration {
        // Where the kernel has no such clock the time since the start of this program must do.
        clock_gettime(ClockId::CLOCK_BOOTTIME).map_or_else(|_| self.elapsed(), Duration::from)
    }
    fn pause(&self, time: Duration) {
        std::thread::sleep(time);
    }
}

/// One change of the host, as a watcher sees it.
#[derive(Clone, Copy, Debug)]
pub enum Effect<'a> {
    /// A new file's bytes, or a new link, were handed to the kernel; not yet durable.
    Write(&'a Path),
    /// A file's bytes became durable.
    SyncFile(&'a Path),
    /// A file took another's place; durable once its folder is.
    Rename(&'a Path, &'a Path),
    /// A file or link goes away; durable once its folder is.
    Remove(&'a Path),
    /// Bytes were added to the end of a file; not yet durable.
    Append(&'a Path),
    /// An attribute of the kernel was set, in `/sys`.
    Set(&'a Path),
    /// A folder was made.
    MakeDir(&'a Path),
    /// A folder's entries became durable.
    SyncDir(&'a Path),
    /// A command that changes the host.
    Run(&'a Cmd),
}

/// Sees every effect before and after it happens, and may refuse it: how the tests and
/// `rehearse` make an effect fail or the power go.
pub trait Watch: Send + Sync {
    /// # Errors
    /// The effect must then not happen.
    fn before(&self, effect: &Effect<'_>) -> Result<()>;
    /// # Errors
    /// The effect has happened; the caller must see it fail.
    fn after(&self, effect: &Effect<'_>) -> Result<()>;
    /// Hears how a command that changes the host ended, or why it could not be started.
    fn ran(&self, _cmd: &Cmd, _result: &Result<Output>, _took: Duration) {}
    /// Hears that a command begins that only looks; more than one may run at the same time.
    fn reads(&self, _cmd: &Cmd) {}
    /// Hears that it has ended.
    fn has_read(&self, _cmd: &Cmd) {}
    /// Hears what a step waits for, and for how long at most.
    fn awaits(&self, _what: &str, _limit: Duration) {}
}

/// A dom0, real or not.
#[derive(Clone)]
pub struct Host {
    root: PathBuf,
    runner: Arc<dyn Runner>,
    clock: Arc<dyn Clock>,
    watchers: Vec<Arc<dyn Watch>>,
}

impl Host {
    /// A host whose files lie under `root`.
    #[must_use]
    pub fn new(root: &Path, runner: Arc<dyn Runner>, clock: Arc<dyn Clock>) -> Self {
        Self { root: root.to_path_buf(), runner, clock, watchers: Vec::new() }
    }

    /// The machine's own files, or those under another root, with programs run as processes.
    #[must_use]
    pub fn of_machine(root: &Path) -> Self {
        Self::new(root, Arc::new(OsRunner::new(root)), Arc::new(OsClock::default()))
    }

    /// This host with every effect shown to `watch` too.
    #[must_use]
    pub fn watched(mut self, watch: Arc<dyn Watch>) -> Self {
        self.watchers.push(watch);
        self
    }

    fn before(&self, effect: &Effect<'_>) -> Result<()> {
        self.watchers.iter().try_for_each(|watch| watch.before(effect))
    }

    fn after(&self, effect: &Effect<'_>) -> Result<()> {
        self.watchers.iter().try_for_each(|watch| watch.after(effect))
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }

    /// Where each program that may be run lies on this host, as the host itself names it.
    #[must_use]
    pub fn programs(&self) -> BTreeMap<Program, String> {
        // `collect` would bring a sort of 4 KB along for each kind of map; so in other places.
        let mut found = BTreeMap::new();
        for program in Program::ALL {
            found.extend(command::find(&self.root, program).map(|path| (program, path)));
        }
        found
    }

    /// The bytes of this very program.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn own_program(&self) -> Result<Vec<u8>> {
        self.runner.own_program()
    }

    /// Whether what is started in the background runs there: in a model nothing does.
    #[must_use]
    pub fn has_background(&self) -> bool {
        self.runner.has_background()
    }

    /// Starts the program at `path` in the background, to outlive this process and its session.
    /// What it says goes to the end of the file `log`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn detach(&self, path: &str, args: &[&str], log: &str) -> Result<()> {
        self.runner.detach(path, args, log)
    }

    /// Runs a command to its end or its time limit.
    ///
    /// # Errors
    /// When it cannot be started; a bad exit status is the caller's to judge
    /// ([`Output::success`]).
    pub fn run(&self, cmd: &Cmd) -> Result<Output> {
        if !cmd.changes {
            return self.looking(cmd, || self.runner.run(cmd));
        }
        let effect = Effect::Run(cmd);
        self.before(&effect)?;
        let start = self.clock.elapsed();
        let result = self.runner.run(cmd);
        let took = self.clock.elapsed().saturating_sub(start);
        self.watchers.iter().for_each(|watch| watch.ran(cmd, &result, took));
        let output = result?;
        self.after(&effect)?;
        Ok(output)
    }

    /// Runs a command that only looks, and reads what it prints while it does.
    ///
    /// # Errors
    /// As for [`Self::run`].
    pub fn run_reading(&self, cmd: &Cmd, read: &mut dyn FnMut(&mut dyn BufRead)) -> Result<Output> {
        self.looking(cmd, || self.runner.run_reading(cmd, read))
    }

    fn looking<T>(&self, cmd: &Cmd, run: impl FnOnce() -> T) -> T {
        self.watchers.iter().for_each(|watch| watch.reads(cmd));
        let result = run();
        self.watchers.iter().for_each(|watch| watch.has_read(cmd));
        result
    }

    /// Tells those who watch what is waited for.
    pub fn awaits(&self, what: &str, limit: Duration) {
        self.watchers.iter().for_each(|watch| watch.awaits(what, limit));
    }

    /// Runs a command that only looks, as long as `act` lasts: then it is interrupted.
    ///
    /// # Errors
    /// When it cannot be started, and `act` was not begun then; or not be ended.
    pub fn run_during(&self, cmd: &Cmd, act: &mut dyn FnMut()) -> Result<Output> {
        self.runner.run_during(cmd, act)
    }
}
