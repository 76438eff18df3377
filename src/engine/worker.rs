//! The work that moves the management interface, by a run in a session of its own: the one at which
//! a person sits may be cut off in its midst. That one follows the journal, and ends as the work
//! does.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::confirm::{GUARD_START, awaiting};
use super::{Answer, Engine, Observer, look_for, outcome, reports, rolled_back};
use crate::host::join;
use crate::inventory::{addresses, is_leased};
use crate::journal::Transaction;
use crate::ledger::{Event, Lock, Orders, Phase, history};
use crate::outcome::{Ending, Exit, Outcome, StepState};

/// How often the journal is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// How long the management may take until it is as it was, where all else is: a switch port with
/// spanning tree forwards nothing for thirty seconds.
const MANAGEMENT: Duration = Duration::from_secs(90);

impl Engine<'_> {
    /// Whether a change is to be worked on in the background: its way cuts off whoever waits for it.
    pub(super) fn hands_over(&self, tx: &Transaction) -> bool {
        tx.header.plan.moves_management() && self.host.has_background()
    }

    /// Has a worker go on with the change, and follows it to its end.
    pub(super) fn hand_over(
        &self,
        tx: Transaction,
        lock: Lock,
        observer: &mut dyn Observer,
    ) -> Result<Outcome> {
        let id = tx.header.id.clone();
        let log = join(&history(&id), "worker.log");
        drop(lock);
        if let Err(error) = self.detach("worker", &log) {
            let _lock = self.lock(observer)?;
            return Ok(self.roll_back(tx, &format!("{error:#}"), false, observer));
        }
        observer.note(&format!(
            "the management interface moves: the work is done in the background, and goes on where this session is cut off ({log}); afterwards: xenbond status"
        ));
        self.follow(&id, tx.events().len(), &log, observer)
    }

    /// Shows what the worker does until it has ended; its outcome.
    fn follow(
        &self,
        id: &str,
        mut seen: usize,
        log: &str,
        observer: &mut dyn Observer,
    ) -> Result<Outcome> {
        let mut alone = self.host.clock().elapsed();
        let (first, mut shown) = (seen, alone);
        observer.on_signal(Answer::WorksOn);
        loop {
            let tx = Transaction::named(self.host, id)?;
            let tx = tx.with_context(|| format!("transaction {id} is gone"))?;
            let now = self.host.clock().elapsed();
            if tx.events().len() > seen {
                show(&tx, seen, now.saturating_sub(shown), observer);
                shown = now;
            }
            if tx.events().len() > seen || Lock::holder(self.host).is_some() {
                alone = now;
            }
            seen = tx.events().len();
            let works = matches!(tx.phase(), Phase::Applying | Phase::RollingBack)
                || (tx.phase() == Phase::RolledBack && Lock::holder(self.host).is_some());
            let left = |event: &Event| matches!(event, Event::Incomplete { .. });
            if !works || tx.events().iter().skip(first).any(left) {
                return Ok(self.ended_by_worker(&tx));
            }
            if now.saturating_sub(alone) >= GUARD_START {
                bail!(
                    "the run in the background has ended before its time: see {log}; xenbond resume goes on"
                );
            }
            self.host.clock().pause(LOOK);
        }
    }

    fn ended_by_worker(&self, tx: &Transaction) -> Outcome {
        let (why, asked) = tx.rollback_reason().unwrap_or(("", true));
        match tx.phase() {
            Phase::WaitingForConfirmation => awaiting(self, tx),
            Phase::Done | Phase::Saving { .. } => {
                self.with_pending(tx, outcome(tx, Ending::Done, Exit::AsAsked))
            }
            Phase::RolledBack | Phase::SavingBack { .. } => {
                let mut ended = rolled_back(tx, why, asked);
                ended.steps.iter_mut().for_each(|step| step.state = StepState::Undone);
                ended
            }
            _ => {
                let mut all = if asked { Vec::new() } else { vec![why.to_string()] };
                all.push("the rollback is incomplete:".into());
                all.extend(tx.left().iter().map(|left| left.what.clone()));
                Outcome {
                    error: Some(all.join("\n")),
                    hint: Some(
                        "run the commands above, then: xenbond rollback; or close it as it is: xenbond rollback --close".into(),
                    ),
                    left: tx.left().to_vec(),
                    ..outcome(tx, Ending::RollbackIncomplete, Exit::Incomplete)
                }
            }
        }
    }

    /// Runs the worker.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn work(&self, observer: &mut dyn Observer) -> Result<Outcome> {
        let ended = self.go_on(Orders::default(), observer)?;
        Ok(self.until_saved(ended, observer))
    }

    /// Fails where the host is not managed as it was, through the bond that the management has moved
    /// to: by the same address, with the gateway answering as before.
    pub(super) fn is_managed_still(&self, tx: &Transaction) -> Result<()> {
        let Some(was) = &tx.header.management else { return Ok(()) };
        let start = self.host.clock().elapsed();
        loop {
            let inv = look_for(self.host, &tx.header.plan.spec)?;
            let bridge = inv.management_bridge().unwrap_or_default().to_string();
            let now = addresses(&inv, &bridge);
            let same = if is_leased(&inv) { !now.is_empty() } else { now == was.addresses };
            let silent = |ip: &Ipv4Addr| !self.answers(*ip);
            let missing = if !same {
                let now = if now.is_empty() { "none".into() } else { now.join(", ") };
                format!(
                    "the management address was {}, and {bridge} has {now}",
                    was.addresses.join(", ")
                )
            } else if let Some(ip) = was.gateway.filter(silent) {
                format!("the gateway {ip} answered before and does not now")
            } else if let Some(error) = &inv.xapi_error {
                format!("XAPI does not answer: {error}")
            } else {
                return Ok(());
            };
            if self.host.clock().elapsed().saturating_sub(start) >= MANAGEMENT {
                bail!("{missing}, for {} s", MANAGEMENT.as_secs());
            }
            self.host.clock().pause(Duration::from_secs(1));
        }
    }
}

/// Shows what has been written down since the first lines; `took` is the time since the last one.
fn show(tx: &Transaction, seen: usize, took: Duration, observer: &mut dyn Observer) {
    let all = reports(tx);
    let title = |step: usize| all.get(step.wrapping_sub(1)).map_or("", |one| one.title.as_str());
    for event in tx.events().iter().skip(seen) {
        match event {
            &Event::Begin { step } => observer.begins(step, all.len(), title(step)),
            Event::Done { .. } => observer.ended(StepState::Done, took),
            Event::RollingBack { why, asked, .. } => {
                observer.turns_back((!asked).then_some(why.as_str()));
            }
            &Event::Undone { step } => {
                let undo = tx.header.plan.steps.get(step.wrapping_sub(1)).map(|s| s.undo_title());
                observer.begins(step, all.len(), &undo.unwrap_or_default());
                observer.ended(StepState::Undone, took);
            }
            _ => {}
        }
    }
}
