//! The dead man's switch: what was applied with a time to confirm it is rolled back by a guard in
//! the background unless a person says in time that it may stay.

use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::{Engine, Observer, Situation, look_for, outcome, saving};
use crate::journal::{self, Transaction};
use crate::ledger;
use crate::ledger::{Event, Lock, Orders, Phase};
use crate::outcome::{Ending, Exit, Outcome};

/// How long before the end everybody who is logged in is warned.
const WARNING: Duration = Duration::from_secs(60);

/// How long the guard may take to be there.
pub(super) const GUARD_START: Duration = Duration::from_secs(10);

/// How often the guard looks whether it is still needed.
const LOOK: Duration = Duration::from_secs(1);

/// The note of a run that found the guard of a confirmation gone and started it again.
pub const GUARD_WAS_GONE: &str = "the timer of the confirmation had died and was started again";

impl Engine<'_> {
    /// Begins the wait for a confirmation: the verdict was good, and from here on the time runs.
    pub(super) fn await_confirmation(&self, tx: &mut Transaction, seconds: u64) -> Result<Outcome> {
        let event = Event::Awaiting {
            seconds,
            wall: ledger::wall_seconds(self.host),
            boot: self.host.clock().since_boot().as_secs(),
            boot_id: self.boot_id()?,
        };
        self.record(tx, event)?;
        self.start_guard(tx)?;
        Ok(awaiting(self, tx))
    }

    /// Starts the guard where there is none; returns whether it had to.
    fn start_guard(&self, tx: &Transaction) -> Result<bool> {
        let is_there = || Lock::holder_of(self.host, &tx.guard_file()).is_some();
        if is_there() {
            return Ok(false);
        }
        self.detach("guard", &tx.guard_output())?;
        let start = self.host.clock().elapsed();
        while !is_there() {
            if self.host.clock().elapsed().saturating_sub(start) >= GUARD_START {
                bail!("the timer of the confirmation did not start: see {}", tx.guard_output());
            }
            self.host.clock().pause(Duration::from_millis(10));
        }
        Ok(true)
    }

    /// Starts the guard again where a confirmation is awaited and it is gone; returns whether it
    /// was.
    ///
    /// # Errors
    /// When the state cannot be read, or the guard cannot be started.
    pub fn watch_guard(&self) -> Result<bool> {
        match Transaction::open(self.host)? {
            Some(tx) if tx.phase() == Phase::WaitingForConfirmation => self.start_guard(&tx),
            _ => Ok(false),
        }
    }

    /// A transaction that waits for a confirmation, looked at by a run that is not the guard.
    pub(super) fn still_awaiting(
        &self,
        tx: &Transaction,
        observer: &mut dyn Observer,
    ) -> Result<Outcome> {
        if self.start_guard(tx)? {
            observer.note(GUARD_WAS_GONE);
        }
        Ok(awaiting(self, tx))
    }

    /// Keeps what was applied.
    ///
    /// # Errors
    /// When the state cannot be read or written.
    pub fn confirm(&self, observer: &mut dyn Observer) -> Result<Outcome> {
        let ended = self.confirm_to_verdict(observer)?;
        Ok(self.until_saved(ended, observer))
    }

    fn confirm_to_verdict(&self, observer: &mut dyn Observer) -> Result<Outcome> {
        let Some(open) = Transaction::open(self.host)? else { return self.nothing_to_confirm() };
        match open.phase() {
            Phase::WaitingForConfirmation => {}
            Phase::Done | Phase::Saving { .. } => return self.nothing_to_confirm(),
            phase => {
                let hint = match phase {
                    Phase::WaitingForReboot { .. } => {
                        "the time starts at the verdict, after the reboot"
                    }
                    Phase::Applying => "the time starts at the verdict",
                    _ => "xenbond status",
                };
                let refused = Outcome::refused(
                    format!(
                        "there is nothing to confirm: transaction {} is {phase}",
                        open.header.id
                    ),
                    Some(hint.into()),
                );
                return Ok(Outcome { transaction: Some(open.header.id.clone()), ..refused });
            }
        }
        let _lock = self.lock(observer)?;
        let mut tx =
            Transaction::open(self.host)?.context("the transaction has just come to its end")?;
        if tx.time_left(self.host).is_none_or(|left| left.is_zero()) {
            // The guard holds to its time, and so does this.
            let refused = Outcome::refused(
                format!(
                    "too late: the time to confirm {} is over, and it is being rolled back",
                    tx.header.id
                ),
                Some("xenbond status".into()),
            );
            self.start_guard(&tx)?;
            return Ok(refused);
        }
        self.ends(&mut tx, Event::Confirmed, observer)?;
        let mut ended = self.with_pending(&tx, outcome(&tx, Ending::Done, Exit::AsAsked));
        if tx.phase() == Phase::Done
            && let Err(error) = self.disarm()
        {
            ended.notes.push(format!("{error:#}"));
        }
        observer.note("confirmed: the change stays");
        let bond = &tx.header.plan.spec.bond;
        // It stays, whatever is seen; XAPI may be starting.
        let looked = self.needs_nothing(&tx).or_else(|_| {
            self.await_xapi(observer)?;
            self.needs_nothing(&tx)
        });
        match looked {
            Ok(true) => {}
            Ok(false) if ended.exit == Exit::AsAsked => {
                ended.exit = Exit::NotAsAsked;
                ended.error = Some(format!("{bond} has been changed since it was made"));
                ended.hint = Some(format!("xenbond verify {bond}; xenbond apply {bond} mends it"));
            }
            Ok(false) => {}
            Err(error) => {
                ended.exit = Exit::NotAsAsked;
                ended.error = Some(format!("{bond} could not be looked at: {error:#}"));
                ended.hint = Some(format!("xenbond verify {bond}"));
            }
        }
        Ok(ended)
    }

    /// Whether nothing has come between the verdict and the person who confirms it.
    fn needs_nothing(&self, tx: &Transaction) -> Result<bool> {
        let spec = tx.header.plan.spec.clone();
        let inv = look_for(self.host, &spec)?;
        Ok(Situation::of(spec, inv).plan(self.templates)?.steps.is_empty())
    }

    /// The outcome where there is nothing to confirm: it says what became of the last change.
    fn nothing_to_confirm(&self) -> Result<Outcome> {
        let Some(last) = journal::latest(self.host)? else {
            return Ok(Outcome::new(Ending::NothingToDo, Exit::AsAsked));
        };
        if last.phase() != Phase::RolledBack {
            return Ok(outcome(&last, Ending::NothingToDo, Exit::AsAsked));
        }
        let why = last.rollback_reason().map_or("", |(why, _)| why);
        let when = last.last_time();
        Ok(Outcome::refused(
            format!(
                "there is nothing to confirm: {} was rolled back ({why}) at {when}",
                last.header.id
            ),
            Some("run the apply again".into()),
        ))
    }

    /// Runs the guard: waits until the time is over or nobody waits any more, and rolls back in the
    /// first case, with the reboot that this may take.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn guard(&self, observer: &mut dyn Observer) -> Result<Outcome> {
        let ended = self.guard_to_verdict(observer)?;
        Ok(self.until_saved(ended, observer))
    }

    fn guard_to_verdict(&self, observer: &mut dyn Observer) -> Result<Outcome> {
        let nothing = || Ok(Outcome::new(Ending::NothingToDo, Exit::AsAsked));
        let Some(tx) = Transaction::open(self.host)? else { return nothing() };
        if tx.phase().is_saving() {
            return Ok(saving(&tx));
        }
        let Ok(_guard) = Lock::on(self.host, &tx.guard_file())? else { return nothing() };
        let mut warned = tx.orders().confirm_within.is_some_and(|s| s <= WARNING.as_secs());
        loop {
            let Some(tx) = Transaction::open(self.host)? else { return nothing() };
            let Some(left) = tx.time_left(self.host) else { return nothing() };
            if left.is_zero() {
                // Whoever is at it just now may be the one who confirms.
                match Lock::holder(self.host) {
                    None => break,
                    Some(_) => self.host.clock().pause(LOOK),
                }
                continue;
            }
            if !warned && left <= WARNING {
                warned = true;
                self.tell_all(
                    &format!(
                        "xenbond: {} will be rolled back in {} s unless somebody runs: xenbond confirm",
                        tx.header.plan.spec.bond,
                        left.as_secs()
                    ),
                    observer,
                );
            }
            self.host.clock().pause(LOOK.min(left));
        }
        let lock = self.lock(observer)?;
        let mut tx =
            Transaction::open(self.host)?.context("the transaction has just come to its end")?;
        if tx.time_left(self.host) != Some(Duration::ZERO) {
            return nothing();
        }
        let seconds = tx.orders().confirm_within.unwrap_or_default();
        let why = format!("not confirmed within {}", duration(seconds));
        let text = format!("xenbond: {} is being rolled back: {why}", tx.header.plan.spec.bond);
        self.tell_all(&text, observer);
        // Nobody may be able to log in any more: the reboot is part of the way back.
        let orders = Orders { reboot: true, confirm_within: None };
        for result in [self.arm(), self.record(&mut tx, Event::Ordered(orders))] {
            if let Err(error) = result {
                observer.note(&format!("{error:#}"));
            }
        }
        let ended = self.roll_back(tx, &why, false, observer);
        self.tell_all(&format!("xenbond: {}", crate::outcome::verdict(&ended)), observer);
        if ended.ending != Ending::RollbackIncomplete {
            return Ok(ended);
        }
        drop(lock);
        self.until_it_ends(observer, |engine, observer| engine.resume(observer))
    }
}

fn duration(seconds: u64) -> String {
    humantime::format_duration(Duration::from_secs(seconds)).to_string()
}

/// The outcome while the time runs.
pub(super) fn awaiting(engine: &Engine<'_>, tx: &Transaction) -> Outcome {
    let left = tx.time_left(engine.host).unwrap_or_default();
    Outcome {
        hint: Some(format!(
            "from a new login, within {}: xenbond confirm; else it is rolled back",
            duration(left.as_secs())
        )),
        ..outcome(tx, Ending::WaitingForConfirmation, Exit::Waiting)
    }
}
