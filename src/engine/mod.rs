//! Carries a plan out and rolls it back, with the journal. The same engine works on a host, on the
//! stand-ins of the tests and on the model of `rehearse`.
//!
//! Whatever happens, the host ends at one of two ends, wanted or untouched, and the outcome says
//! which because it was compared.

mod adopt;
mod again;
mod apply;
mod back;
mod close;
mod compare;
mod confirm;
mod judged;
mod late;
mod managed;
mod others;
mod outage;
mod reboot;
mod records;
mod remove;
mod repair;
mod rollback;
mod saved;
mod way_back;
mod worker;

pub use apply::Proposal;
pub use confirm::GUARD_WAS_GONE;
pub use way_back::{Aim, FILE_CHANGED, WayBack, may_accept};

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::host::{Cmd, Host, Program};
use crate::inventory::{Ask, Inventory, Nic, on_host, resolve};
use crate::journal::Transaction;
use crate::ledger;
use crate::ledger::{Event, Lock, Orders, Phase};
use crate::outcome::{Ending, Exit, Outcome, StepReport, StepState};
use crate::paths;
use crate::plan::{self, Plan, Recorded};
use crate::preflight::{self, Finding};
use crate::render::Templates;
use crate::spec::{Request, Spec};
use crate::xe;

/// How long XAPI may take to come up after a boot.
const XAPI_START: Duration = Duration::from_secs(600);

/// How long XAPI may then take to answer.
const XAPI_ANSWER: Duration = Duration::from_secs(20);

/// Hears what goes on, and answers the one question.
pub trait Observer {
    /// A step begins, or its undoing.
    fn begins(&mut self, number: usize, total: usize, title: &str);
    /// The step, or its undoing, has ended.
    fn ended(&mut self, state: StepState, took: Duration);
    /// What goes on waits for something, no longer than `limit`.
    fn waits(&mut self, _what: &str, _limit: Duration) {}
    /// A note: something to know.
    fn note(&mut self, text: &str);
    /// What a signal that asks to stop leads to from here on.
    fn on_signal(&mut self, _answer: Answer) {}
    /// The way back begins; `why`, unless a person asked for it.
    fn turns_back(&mut self, why: Option<&str>) {
        if let Some(why) = why {
            self.note(&format!("rolling back: {why}"));
        }
    }
    /// Whether these steps may be taken.
    fn agrees(&mut self, plan: &Plan, findings: &[Finding], inv: &Inventory) -> bool;
}

/// What a signal that asks to stop leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The step under way ends, then everything is rolled back.
    RollsBack,
    /// Nothing: what is rolling back already does so to its end.
    GoesOn,
    /// What is waited for is waited for in the background.
    HandsOver,
    /// Nothing: the work is done in the background, and only followed here.
    WorksOn,
    /// The bond is put back as it was, once what is measured now has been.
    EndsDrill,
}

/// The engine and what it works with.
pub struct Engine<'a> {
    /// The host.
    pub host: &'a Host,
    /// The templates.
    pub templates: &'a Templates,
    /// Codes of warnings that were accepted.
    pub accepted: &'a [String],
    /// What is ordered beyond the change itself.
    pub orders: Orders,
    /// Signals on their way in, and what they may do.
    pub signals: &'a Signals,
}

/// What a signal that asks to stop may do, and that one came.
pub struct Signals {
    /// Set when the run is to stop after the step under way and roll back.
    pub interrupt: Arc<AtomicBool>,
    /// As long as this is set nothing was touched, and the program may just end.
    pub untouched: Arc<AtomicBool>,
}

impl Default for Signals {
    fn default() -> Self {
        Self { interrupt: Arc::default(), untouched: Arc::new(AtomicBool::new(true)) }
    }
}

/// A spec on this host: what is asked for, and what was read.
pub struct Situation {
    /// What is asked for.
    pub spec: Spec,
    /// Which NIC each name of the spec means; `None` where there is none.
    pub nics: Vec<Option<Nic>>,
    /// The host.
    pub inv: Inventory,
    /// What was recorded before the bond was made, where NICs are to leave it.
    pub recorded: Recorded,
    /// Whether the bond is one that somebody made by hand, which is to be taken over.
    pub adopts: bool,
}

impl Situation {
    /// A spec on the host as it was read.
    #[must_use]
    pub fn of(spec: Spec, inv: Inventory) -> Self {
        let nics = resolve(&spec, &inv);
        Self { spec, nics, inv, recorded: Recorded::default(), adopts: false }
    }

    /// What is to be done.
    ///
    /// # Errors
    /// As of [`plan::change`].
    pub fn plan(&self, templates: &Templates) -> Result<Plan> {
        let Self { spec, nics, inv, recorded, adopts } = self;
        match adopts {
            true => plan::adopt(spec, nics, inv, templates),
            false => plan::change(spec, nics, recorded, inv, templates),
        }
    }
}

/// Reads the host for a request.
///
/// # Errors
/// When the host cannot be read, or the spec does not say what this host is to be.
pub fn look(host: &Host, request: &Request) -> Result<Situation> {
    let (nics, named) = (request.nics(), request.network_names());
    let ask = Ask {
        nics: &nics,
        driver: request.asks_driver(),
        tuning: request.tunes(),
        vlans: request.asks_for_vlans(),
        networks: request.is_managed(),
        named: &named,
        request: Some(request),
        ..Ask::default()
    };
    let inv = Inventory::read(host, ask)?;
    let spec = on_host(request.for_host(&inv.names())?, &inv);
    let spec = preflight::keep_tuned(spec, &inv);
    Ok(Situation::of(spec, inv))
}

/// Reads the host for a spec.
///
/// # Errors
/// When the host cannot be read.
pub fn look_for(host: &Host, spec: &Spec) -> Result<Inventory> {
    let ask = Ask {
        nics: &spec.nics,
        driver: spec.asks_driver(),
        tuning: spec.tunes(),
        vlans: spec.tagged().next().is_some(),
        networks: spec.managed().is_some(),
        named: spec.managed().map_or(&[][..], |managed| managed.network.as_slice()),
        ..Ask::default()
    };
    Inventory::read(host, ask)
}

impl Engine<'_> {
    /// Goes on with the transaction that waits or was cut off.
    ///
    /// # Errors
    /// Never for what a step did: that is in the outcome. When the state cannot be read, or
    /// another run holds the lock.
    pub fn resume(&self, observer: &mut dyn Observer) -> Result<Outcome> {
        let ended = self.go_on(Orders::default(), observer)?;
        Ok(self.until_saved(ended, observer))
    }

    /// Goes on with the open transaction; what is ordered now counts from here on.
    fn go_on(&self, orders: Orders, observer: &mut dyn Observer) -> Result<Outcome> {
        let Some(open) = Transaction::open(self.host)? else {
            return Ok(Outcome::new(Ending::NothingToDo, Exit::AsAsked));
        };
        let boot = self.boot_id()?;
        match open.phase() {
            Phase::Done => return Ok(outcome(&open, Ending::NothingToDo, Exit::AsAsked)),
            Phase::WaitingForReboot { boot_id } | Phase::RollbackWaiting { boot_id }
                if boot_id == boot =>
            {
                return self.before_reboot(open, orders, observer);
            }
            Phase::WaitingForConfirmation if open.judged_in() == Some(&boot) => {
                return self.still_awaiting(&open, observer);
            }
            phase if phase.is_saving() && open.judged_in() == Some(&boot) => {
                return Ok(self.with_pending(&open, saving(&open)));
            }
            _ => {}
        }
        let _lock = self.lock(observer)?;
        let mut tx =
            Transaction::open(self.host)?.context("the transaction has just come to its end")?;
        if let Err(error) = self.order(&mut tx, orders) {
            return Ok(self.roll_back(tx, &format!("{error:#}"), false, observer));
        }
        let judged = matches!(tx.phase(), Phase::Saving { .. } | Phase::WaitingForConfirmation);
        let forward =
            judged || matches!(tx.phase(), Phase::Applying | Phase::WaitingForReboot { .. });
        if forward && let Err(error) = self.await_xapi(observer) {
            if tx.phase() == Phase::WaitingForConfirmation {
                return self.still_awaiting(&tx, observer);
            }
            if tx.orders().reboot && !judged {
                // Nobody may be there to wait for it longer.
                let why = format!("XAPI does not answer: {error:#}");
                return Ok(self.roll_back(tx, &why, false, observer));
            }
            // Nothing is wrong yet: XAPI takes minutes to start on a busy host.
            return Ok(Outcome {
                again: true,
                error: Some(format!("XAPI does not answer yet: {error:#}")),
                hint: Some("when `xe host-list` answers: xenbond resume".into()),
                ..outcome(&tx, Ending::WaitingForReboot, Exit::Waiting)
            });
        }
        match tx.phase() {
            Phase::Done => bail!("transaction {} has just become {}", tx.header.id, tx.phase()),
            Phase::Saving { .. } | Phase::WaitingForConfirmation => {
                self.after_power_cut(tx, observer)
            }
            Phase::Applying => Ok(match self.same_nics(&tx) {
                Ok(()) => self.run(tx, true, observer),
                Err(error) => self.roll_back(tx, &format!("{error:#}"), false, observer),
            }),
            Phase::WaitingForReboot { .. } => match self.after_reboot(&mut tx, observer) {
                Ok(()) => Ok(self.run(tx, false, observer)),
                Err(error) => Ok(self.roll_back(tx, &format!("{error:#}"), false, observer)),
            },
            Phase::RollingBack | Phase::RollbackWaiting { .. } | Phase::SavingBack { .. } => {
                let (why, asked) = tx.rollback_reason().unwrap_or(("", true));
                let (why, asked) = (why.to_string(), asked);
                Ok(self.roll_back(tx, &why, asked, observer))
            }
            Phase::RolledBack => {
                let (why, asked) = tx.rollback_reason().unwrap_or(("", true));
                let ended = rolled_back(&tx, why, asked);
                self.disarm()?;
                tx.close(self.host)?;
                Ok(ended)
            }
        }
    }

    /// Orders the reboot that has not happened yet, or says that it is waited for.
    fn before_reboot(
        &self,
        open: Transaction,
        orders: Orders,
        observer: &mut dyn Observer,
    ) -> Result<Outcome> {
        if orders == Orders::default() {
            return Ok(waiting(&open));
        }
        let _lock = self.lock(observer)?;
        let mut tx =
            Transaction::open(self.host)?.context("the transaction has just come to its end")?;
        self.order(&mut tx, orders)?;
        Ok(self.reboot(&tx))
    }

    /// The id of this boot.
    fn boot_id(&self) -> Result<String> {
        ledger::this_boot(self.host)
            .with_context(|| format!("{} is missing: a reboot could not be told", paths::BOOT_ID))
    }

    /// The right to change the host; from here on a signal does not just end the program.
    fn lock(&self, observer: &mut dyn Observer) -> Result<Lock> {
        self.signals.untouched.store(false, Ordering::Relaxed);
        let lock = Lock::take(self.host)?;
        if let Some(dead) = &lock.dead {
            observer.note(&format!("removed the lock of a run that died: {dead}"));
        }
        Ok(lock)
    }

    /// Waits until XAPI answers: by the host's own program for that, then by asking.
    fn await_xapi(&self, observer: &mut dyn Observer) -> Result<()> {
        observer.waits("XAPI to answer", XAPI_START + XAPI_ANSWER);
        if self.host.programs().contains_key(&Program::XapiWaitInitComplete) {
            let seconds = XAPI_START.as_secs().to_string();
            let limit = XAPI_START + Duration::from_secs(10);
            let cmd = Cmd::read(Program::XapiWaitInitComplete, &[&seconds], limit);
            if let Err(error) = self.host.run(&cmd).and_then(|output| output.check(&cmd)) {
                observer.note(&format!("{error:#}"));
            }
        }
        let start = self.host.clock().elapsed();
        loop {
            match xe::hosts(self.host) {
                Ok(_) => return Ok(()),
                Err(error) if self.host.clock().elapsed().saturating_sub(start) >= XAPI_ANSWER => {
                    return Err(error);
                }
                Err(_) => self.host.clock().pause(Duration::from_secs(1)),
            }
        }
    }

    /// Fails when the run is to stop.
    fn check_interrupt(&self) -> Result<()> {
        if self.signals.interrupt.load(Ordering::Relaxed) {
            bail!("interrupted (Ctrl-C or a signal)");
        }
        Ok(())
    }

    /// Runs one step's act, shows it to the observer, and puts into its report how it went.
    fn timed(
        &self,
        reports: &mut [StepReport],
        number: usize,
        title: &str,
        ends: (StepState, StepState),
        observer: &mut dyn Observer,
        act: impl FnOnce(&mut dyn Observer) -> Result<()>,
    ) -> Result<()> {
        observer.begins(number, reports.len(), title);
        let start = self.host.clock().elapsed();
        let result = act(observer);
        let took = self.host.clock().elapsed().saturating_sub(start);
        let state = if result.is_ok() { ends.0 } else { ends.1 };
        observer.ended(state, took);
        reports[number - 1].state = state;
        reports[number - 1].seconds = Some(took.as_secs_f64());
        result
    }

    /// Adds a line to the journal of a transaction.
    fn record(&self, tx: &mut Transaction, event: Event) -> Result<()> {
        tx.record(self.host, event).context("writing the journal")
    }
}

fn reports(tx: &Transaction) -> Vec<StepReport> {
    tx.header
        .plan
        .steps
        .iter()
        .enumerate()
        .map(|(at, step)| StepReport {
            number: at + 1,
            title: step.title(),
            state: if tx.is_done(at + 1) { StepState::Done } else { StepState::Pending },
            seconds: None,
        })
        .collect()
}

fn outcome(tx: &Transaction, ending: Ending, exit: Exit) -> Outcome {
    Outcome {
        transaction: Some(tx.header.id.clone()),
        steps: reports(tx),
        ..Outcome::new(ending, exit)
    }
}

/// The outcome when all is undone and compared. `asked`: by a person, and not because of a failure.
fn rolled_back(tx: &Transaction, why: &str, asked: bool) -> Outcome {
    if asked {
        return outcome(tx, Ending::RolledBack, Exit::AsAsked);
    }
    Outcome {
        error: Some(why.to_string()),
        hint: Some("fix the problem above, then run the same command again".into()),
        ..outcome(tx, Ending::RolledBack, Exit::RolledBack)
    }
}

/// The outcome of a transaction whose verdict was given, and which waits for the disk.
fn saving(tx: &Transaction) -> Outcome {
    match tx.phase() {
        Phase::SavingBack { .. } => {
            let (why, asked) = tx.rollback_reason().unwrap_or(("", true));
            rolled_back(tx, why, asked)
        }
        _ => outcome(tx, Ending::Done, Exit::AsAsked),
    }
}

/// The outcome while nothing goes on before a reboot.
fn waiting(tx: &Transaction) -> Outcome {
    let back = matches!(tx.phase(), Phase::RollbackWaiting { .. });
    let what = if back { "finish the rollback" } else { "go on" };
    let by_itself = tx.orders() != Orders::default();
    Outcome {
        hint: Some(if by_itself {
            format!("reboot this host (shutdown -r now); the boot runs xenbond resume, to {what}")
        } else {
            format!("reboot this host (shutdown -r now), then: xenbond resume, to {what}")
        }),
        ..outcome(tx, Ending::WaitingForReboot, Exit::Waiting)
    }
}
