//! Prints what goes on while it does, and asks the one question.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use super::outcome::note;
use super::plan::{View, orders, plan};
use super::text::{Mark, Text};
use super::{Progress, err, out};
use crate::engine::{Answer, Observer};
use crate::host::{Clock, Effect, OsClock, Watch};
use crate::inventory::Inventory;
use crate::journal::log::Log;
use crate::ledger::Orders;
use crate::outcome::StepState;
use crate::plan::Plan;
use crate::preflight::Finding;

/// The observer that prints what goes on, for people.
pub struct Teller {
    quiet: bool,
    yes: bool,
    orders: Orders,
    over_ssh: bool,
    brief: bool,
    pace: Duration,
    tell: fn(Text),
    progress: Arc<Progress>,
    log: Option<Arc<Log>>,
}

impl Teller {
    /// A teller on standard error. `yes`: nobody needs to be asked.
    #[must_use]
    pub fn new(quiet: bool, yes: bool) -> Self {
        Self {
            quiet,
            yes,
            orders: Orders::default(),
            over_ssh: false,
            brief: false,
            pace: Duration::ZERO,
            tell: err,
            progress: Progress::new(err, false),
            log: None,
        }
    }

    /// A teller that also prints what is ordered beyond the plan. `over_ssh`: its reader may be cut
    /// off by it.
    #[must_use]
    pub fn ordered(self, orders: Orders, over_ssh: bool) -> Self {
        Self { orders, over_ssh, ..self }
    }

    /// A teller that leaves the diffs of a plan out.
    #[must_use]
    pub fn brief(self, brief: bool) -> Self {
        Self { brief, ..self }
    }

    /// A teller that waits so long after each step, for a person who looks on.
    #[must_use]
    pub fn pace(self, pace: Duration) -> Self {
        Self { pace, ..self }
    }

    /// A teller that shows waits by `progress` and writes everything to `log`.
    #[must_use]
    pub fn with(self, progress: &Arc<Progress>, log: &Arc<Log>) -> Self {
        Self { progress: Arc::clone(progress), log: Some(Arc::clone(log)), ..self }
    }

    /// A teller that prints to standard output: for a rehearsal, where all this is the result.
    #[must_use]
    pub fn on_stdout(self) -> Self {
        // With a document there, nobody is told of anything.
        let tell: fn(Text) = if self.quiet { |_| {} } else { out };
        Self { tell, progress: Progress::new(tell, false), ..self }
    }
}

impl Observer for Teller {
    fn begins(&mut self, number: usize, total: usize, title: &str) {
        let line = format!("[{number}/{total}] {title}");
        if let Some(log) = &self.log {
            log.begins(&line);
        }
        if !self.quiet {
            self.progress.begins(&format!("{line} ... "));
        }
    }

    fn ended(&mut self, state: StepState, took: Duration) {
        let (mark, word) = match state {
            StepState::Done => (Mark::Good, "done"),
            StepState::Undone => (Mark::Good, "undone"),
            StepState::Failed => (Mark::Bad, "FAILED"),
            StepState::NotUndone => (Mark::Bad, "NOT UNDONE"),
            StepState::Pending => (Mark::Note, "not begun"),
        };
        if let Some(log) = &self.log {
            log.ended(word, took);
        }
        if !self.quiet {
            self.progress.ended(mark, word, &format!(" ({:.1} s)", took.as_secs_f64()));
            if !self.pace.is_zero() {
                OsClock::default().pause(self.pace);
            }
        }
    }

    fn waits(&mut self, what: &str, limit: Duration) {
        if !self.quiet {
            self.progress.waits(what, limit);
        }
    }

    fn note(&mut self, text: &str) {
        if let Some(log) = &self.log {
            log.note(text);
        }
        self.progress.closes();
        (self.tell)(note(text));
    }

    fn on_signal(&mut self, answer: Answer) {
        self.progress.on_signal(answer);
    }

    fn turns_back(&mut self, why: Option<&str>) {
        if let Some(log) = &self.log {
            log.turns_back(why.unwrap_or("on request"));
        }
        if let Some(why) = why {
            self.progress.closes();
            (self.tell)(note(&format!("rolling back: {why}")));
        }
    }

    fn agrees(&mut self, the_plan: &Plan, found: &[Finding], inv: &Inventory) -> bool {
        if !self.quiet {
            let view = View { brief: self.brief, ..View::default() };
            // What would bar the way has been accepted, or this is not asked.
            (self.tell)(plan(the_plan, found, inv, &[], &view));
            (self.tell)(orders(self.orders, the_plan, self.over_ssh).into());
        }
        let steps = the_plan.steps.len();
        self.yes || ask(&format!("Apply these {steps} steps? [y/N] "))
    }
}

/// Shows every command that changes the host before it runs.
pub struct Loud;

impl Watch for Loud {
    fn before(&self, effect: &Effect<'_>) -> Result<()> {
        if let Effect::Run(cmd) = effect {
            err(format!("\n    $ {cmd}\n"));
        }
        Ok(())
    }

    fn after(&self, _: &Effect<'_>) -> Result<()> {
        Ok(())
    }
}

/// Asks a person.
#[must_use]
pub fn ask(question: &str) -> bool {
    err(question);
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
}
