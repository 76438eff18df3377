//! What a rollback that a person asks for would undo: found, judged, shown and asked about before
//! anything is touched.

use anyhow::{Result, bail};

use super::close::moved_on;
use super::outage::{findings, goes_down, interruption, switched};
use super::repair::bridge_is_needed;
use super::{Engine, Observer, look_for};
use crate::host::Host;
use crate::journal::{Transaction, repaired};
use crate::ledger::{self, Change, Event, Lock, Orders, Phase};
use crate::net::IfName;
use crate::order;
use crate::outcome::{Ending, Exit, Outcome};
use crate::preflight::{Code, Finding, barring};
use crate::spec::Spec;
use crate::step::Step;

/// The code that accepts that files which are not ours have changed since.
pub const FILE_CHANGED: &str = "file-changed";

/// What a rollback is asked to undo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Aim {
    /// The newest change, if it was not undone yet.
    Newest,
    /// A bond whole.
    Bond(IfName),
    /// A change, and the later ones of its bond.
    Transaction(String),
}

/// What would be undone, and what is to be known of it.
pub struct WayBack {
    /// The changes of one bond, the newest first.
    pub transactions: Vec<Transaction>,
    /// What stayed of an older change for other bonds, and goes with the last of them.
    pub rest: Option<Transaction>,
    /// Whether the backend stays, since another bond needs it.
    pub backend_stays: bool,
    /// What the bond is to be afterwards; `None`: there is none then.
    pub before: Option<Spec>,
    /// Whether the bond stands afterwards as somebody had made it by hand.
    pub by_hand: bool,
    /// Whether there is a bond afterwards.
    pub stays: bool,
    /// What a rollback would find, worst first.
    pub findings: Vec<Finding>,
    /// Whether the running backend changes, and so the host must reboot.
    pub reboots: bool,
    /// For how many seconds the bond carries nothing, about; 0: it goes on.
    pub interrupts: u64,
    /// Files that others changed since.
    changed: Vec<String>,
}

impl WayBack {
    /// The newest of the changes.
    #[must_use]
    pub fn newest(&self) -> &Transaction {
        &self.transactions[0]
    }

    /// The steps that are undone, in order.
    #[must_use]
    pub fn steps(&self) -> Vec<&Step> {
        let mut all = Vec::new();
        for tx in &self.transactions {
            let goes = |step: &&Step| match step {
                Step::CompleteBond(_) | Step::Verify { .. } => false,
                Step::SwitchBackend(_) | Step::Reboot { .. } => !self.backend_stays,
                _ => true,
            };
            all.extend(tx.header.plan.steps.iter().rev().filter(goes));
        }
        // The rest of it was undone before.
        let rest = |step: &&Step| matches!(step, Step::SwitchBackend(_) | Step::Reboot { .. });
        let steps = self.rest.iter().flat_map(|tx| tx.header.plan.steps.iter().rev());
        all.extend(steps.filter(rest));
        all
    }

    /// What a rollback cannot bring back, a sentence for each.
    #[must_use]
    pub fn cannot_be_undone(&self) -> Vec<String> {
        self.transactions.iter().flat_map(|tx| tx.header.plan.cannot_be_undone()).collect()
    }

    fn state(&self) -> (Vec<(&str, Phase)>, &[String]) {
        let all = self.transactions.iter().map(|tx| (tx.header.id.as_str(), tx.phase()));
        (all.collect(), &self.changed)
    }
}

/// Either what is to be done, or why nothing is.
type Found<T> = std::result::Result<T, Outcome>;

impl Engine<'_> {
    /// Undoes what is aimed at.
    ///
    /// # Errors
    /// Only where nothing was touched.
    pub fn rollback(
        &self,
        aim: &Aim,
        agrees: impl FnOnce(&WayBack) -> bool,
        observer: &mut dyn Observer,
    ) -> Result<Outcome> {
        let ended = self.rollback_to_verdict(aim, agrees, observer)?;
        Ok(self.until_saved(ended, observer))
    }

    /// What a rollback would undo, or why it would undo nothing.
    ///
    /// # Errors
    /// When host or records cannot be read.
    pub fn way_back(&self, aim: &Aim) -> Result<Found<WayBack>> {
        let transactions = match self.aimed_at(aim)? {
            Ok(all) => all,
            Err(outcome) => return Ok(Err(outcome)),
        };
        let newest = &transactions[0].header.plan;
        let (bond, begins) = (newest.spec.bond.clone(), &transactions[transactions.len() - 1]);
        let undone = |id: &str| transactions.iter().any(|tx| tx.header.id == id);
        let mut older = ledger::chain(self.host)?.into_iter();
        let stays = |c: &Change| c.spec.bond == bond && c.phase.stands() && !undone(&c.id);
        let before = older.find(stays).filter(|c| !c.removes).map(|c| c.spec);
        let by_hand = before.is_none() && begins.header.plan.adopts;
        let given_back = before.is_none() && begins.header.plan.gives_back();
        let stays = before.is_some() || given_back;
        let needed = given_back || bridge_is_needed(self.host, |c| c.spec.bond != bond)?;
        let rest = if needed { None } else { self.rest_of(&transactions, before.as_ref())? };
        let mut changed = Vec::new();
        for tx in transactions.iter().filter(|_| !needed).chain(&rest) {
            changed.extend(self.changed_since(tx)?);
        }
        order::sort(&mut changed);
        changed.dedup();
        let inv = look_for(self.host, before.as_ref().unwrap_or(&begins.header.plan.spec))?;
        let switches = transactions.iter().filter(|_| !needed).chain(&rest);
        let reboots = switches.into_iter().any(|tx| switched(tx, &inv));
        let down = goes_down(&transactions, stays, &inv);
        let interrupts = interruption(&transactions, stays, &down);
        let findings = findings(&transactions, before.as_ref(), &down, reboots, &inv);
        let backend_stays = needed;
        Ok(Ok(WayBack {
            transactions,
            rest,
            backend_stays,
            before,
            by_hand,
            stays,
            findings,
            reboots,
            interrupts,
            changed,
        }))
    }

    fn rollback_to_verdict(
        &self,
        aim: &Aim,
        agrees: impl FnOnce(&WayBack) -> bool,
        observer: &mut dyn Observer,
    ) -> Result<Outcome> {
        if let Some(open) = Transaction::open(self.host)?
            && let Phase::RollbackWaiting { boot_id } = open.phase()
            && boot_id == self.boot_id()?
            && self.means(aim, &open)?
        {
            return self.before_reboot(open, self.orders, observer);
        }
        if let Some(holder) = Lock::holder(self.host) {
            bail!("another xenbond is changing this host: {holder}");
        }
        let way = match self.way_back(aim)? {
            Ok(way) => way,
            Err(outcome) => return Ok(outcome),
        };
        if let Some(refused) = self.refuses(&way) {
            return Ok(refused);
        }
        if !agrees(&way) {
            return Ok(Outcome::refused("cancelled", None));
        }
        let lock = self.lock(observer)?;
        // The question may have stood for hours.
        let open = way.newest();
        let now = match self.way_back(aim)? {
            Ok(now) => now,
            Err(_) => return Ok(moved_on(open, "it has come to its end")),
        };
        if now.newest().header.id != open.header.id {
            let newest = &now.newest().header.id;
            return Ok(moved_on(open, &format!("{newest} is the newest change now")));
        }
        if now.newest().phase() != open.phase() {
            return Ok(moved_on(open, &format!("it is {} now", now.newest().phase())));
        }
        if now.state() != way.state() {
            return Ok(moved_on(open, "files of others have changed meanwhile"));
        }
        if now.findings != way.findings {
            return Ok(moved_on(open, "what it would interrupt has changed meanwhile"));
        }
        self.ends_the_wait_of_another(open)?;
        let then = now.transactions[1..].iter().map(|tx| tx.header.id.clone()).collect();
        let Some(mut tx) = now.transactions.into_iter().next() else {
            return Ok(moved_on(open, "it has come to its end"));
        };
        tx.bring_forward(self.host)?;
        self.order(&mut tx, Orders { confirm_within: None, ..self.orders })?;
        if self.hands_over(&tx) {
            let (why, after) = ("on request".to_string(), tx.after());
            self.record(&mut tx, Event::RollingBack { why, asked: true, then, after })?;
            return self.hand_over(tx, lock, observer);
        }
        Ok(self.roll_back_with(tx, then, "on request", true, observer))
    }

    /// A change of another bond that only waits for the disk is over.
    fn ends_the_wait_of_another(&self, aimed_at: &Transaction) -> Result<()> {
        match Transaction::open(self.host)? {
            Some(open) if open.phase().is_saving() && open.header.id != aimed_at.header.id => {
                self.close_wait(open)
            }
            _ => Ok(()),
        }
    }

    /// The refusal, where something bars the way back.
    fn refuses(&self, way: &WayBack) -> Option<Outcome> {
        if !way.changed.is_empty() && !self.accepted.iter().any(|code| code == FILE_CHANGED) {
            return Some(Outcome::refused(
                format!(
                    "changed since xenbond recorded them, and not by xenbond: {} ({FILE_CHANGED})",
                    way.changed.join(", ")
                ),
                Some(format!(
                    "they would be left as they are now: xenbond rollback --accept {FILE_CHANGED}"
                )),
            ));
        }
        let barring = barring(&way.findings, self.accepted);
        (!barring.is_empty()).then(|| super::apply::refused(&barring))
    }

    /// The changes that are aimed at, the newest first; or why there are none.
    fn aimed_at(&self, aim: &Aim) -> Result<Found<Vec<Transaction>>> {
        let current = Transaction::open(self.host)?;
        if let Some(open) = current.as_ref().filter(|tx| tx.phase().is_open()) {
            let undone = matches!(open.phase(), Phase::SavingBack { .. });
            let goes_on = undone && self.means(aim, open)?;
            if open.phase().is_saving() && !goes_on {
                // Whoever changes the host ends the wait.
                return self.of_those_that_stand(aim);
            }
            return self.with_the_open_one(aim, open);
        }
        self.of_those_that_stand(aim)
    }

    /// The same while none is open.
    fn of_those_that_stand(&self, aim: &Aim) -> Result<Found<Vec<Transaction>>> {
        let chain = ledger::chain(self.host)?;
        let standing: Vec<&Change> = chain.iter().filter(|c| c.phase.stands()).collect();
        let ids: Vec<String> = match aim {
            Aim::Newest => {
                let Some(newest) = chain.first() else { return Ok(Err(nothing())) };
                if self.newest_is_undone(&newest.id)? {
                    return Ok(Err(named(&standing, "the newest change is undone already")));
                }
                vec![newest.id.clone()]
            }
            Aim::Bond(bond) => {
                let of: Vec<&&Change> = standing.iter().filter(|c| c.spec.bond == *bond).collect();
                match of.first() {
                    Some(newest) if newest.removes => {
                        let hint = format!("xenbond rollback {}", newest.id);
                        return Ok(Err(Outcome { hint: Some(hint), ..nothing() }));
                    }
                    Some(_) => of.iter().take_while(|c| !c.removes).map(|c| c.id.clone()).collect(),
                    None => return Ok(Err(self.no_bond(bond, &standing)?)),
                }
            }
            Aim::Transaction(id) => {
                let Some(named) = ledger::change(self.host, id)? else {
                    return Ok(Err(Outcome::refused(
                        format!("there is no transaction {}", id.escape_debug()),
                        Some("xenbond log; xenbond list".into()),
                    )));
                };
                if !named.phase.stands() {
                    return Ok(Err(nothing()));
                }
                later_than(&standing, &named)
            }
        };
        Ok(Ok(with_repaired(self.host, ids, aim)?))
    }

    /// The same while a change is not at its end.
    fn with_the_open_one(&self, aim: &Aim, open: &Transaction) -> Result<Found<Vec<Transaction>>> {
        let header = &open.header;
        if !self.means(aim, open)? {
            return Ok(Err(Outcome {
                transaction: Some(header.id.clone()),
                ..Outcome::refused(
                    format!(
                        "transaction {} of {} is {}: finish it before undoing anything else",
                        header.id,
                        header.plan.spec.bond,
                        open.phase()
                    ),
                    Some(open.phase().way_out().into()),
                )
            }));
        }
        // A rollback that was cut off goes on as it was asked for.
        let mut ids = vec![header.id.clone()];
        ids.extend(open.then());
        if let Aim::Bond(bond) = aim {
            let chain = ledger::chain(self.host)?;
            let of = |c: &&Change| c.spec.bond == *bond && c.phase.stands() && !ids.contains(&c.id);
            let older = chain.iter().filter(of).take_while(|c| !c.removes);
            let older: Vec<String> = older.map(|c| c.id.clone()).collect();
            ids.extend(older);
        }
        Ok(Ok(read(self.host, &ids)?))
    }

    /// Whether an open change is what is aimed at, or what the way back from there goes through.
    fn means(&self, aim: &Aim, open: &Transaction) -> Result<bool> {
        let mut all = vec![(open.header.id.clone(), open.header.plan.spec.bond.clone())];
        for id in open.after() {
            all.extend(ledger::change(self.host, &id)?.map(|change| (id, change.spec.bond)));
        }
        Ok(match aim {
            Aim::Newest => true,
            Aim::Bond(bond) => all.iter().any(|(_, of)| of == bond),
            Aim::Transaction(named) => all.iter().any(|(id, _)| id == named),
        })
    }

    /// Whether a change that followed this one was undone: then it is not the newest.
    fn newest_is_undone(&self, standing: &str) -> Result<bool> {
        let all = ledger::changes(self.host)?;
        let followed = |c: &Change| c.previous.as_deref() == Some(standing);
        Ok(all.iter().any(|c| followed(c) && c.phase == Phase::RolledBack))
    }

    fn no_bond(&self, bond: &IfName, standing: &[&Change]) -> Result<Outcome> {
        if ledger::changes(self.host)?.iter().any(|c| c.spec.bond == *bond) {
            return Ok(named(standing, &format!("no change of {bond} stands any more")));
        }
        Ok(Outcome::refused(
            format!("xenbond has no record of a bond {bond} on this host"),
            Some("xenbond list".into()),
        ))
    }

    /// What stayed of an older change, where no bond needs it after this.
    fn rest_of(
        &self,
        undone: &[Transaction],
        before: Option<&Spec>,
    ) -> Result<Option<Transaction>> {
        if before.is_some() {
            return Ok(None);
        }
        let of = |id: &str| undone.iter().any(|tx| tx.header.id == id);
        for change in ledger::chain(self.host)?.iter().filter(|c| !of(&c.id)) {
            if change.phase == Phase::RolledBack
                && let Some(tx) = Transaction::named(self.host, &change.id)?
                && !tx.needed().is_empty()
            {
                return Ok(Some(tx));
            }
        }
        Ok(None)
    }
}

/// The changes of a bond from the newest down to one of them.
fn later_than(standing: &[&Change], named: &Change) -> Vec<String> {
    let of = standing.iter().filter(|c| c.spec.bond == named.spec.bond).map(|c| c.id.clone());
    let all: Vec<String> = of.collect();
    let at = all.iter().position(|id| *id == named.id).map_or(0, |at| at + 1);
    all.into_iter().take(at).collect()
}

fn read(host: &Host, ids: &[String]) -> Result<Vec<Transaction>> {
    let mut all = Vec::new();
    for id in ids {
        match Transaction::named(host, id)? {
            Some(tx) => all.push(tx),
            None => bail!("transaction {id} has no plan"),
        }
    }
    Ok(all)
}

/// The changes, and those that the last of them repaired.
fn with_repaired(host: &Host, ids: Vec<String>, aim: &Aim) -> Result<Vec<Transaction>> {
    let mut all = read(host, &ids)?;
    while let Aim::Newest = aim
        && let Some(last) = all.last()
        && let Some(first) = repaired(host, &last.header.plan, &last.header.id)?
    {
        all.push(first);
    }
    Ok(all)
}

fn nothing() -> Outcome {
    Outcome::new(Ending::NothingToDo, Exit::AsAsked)
}

/// Nothing is undone, and what could be is named.
fn named(standing: &[&Change], why: &str) -> Outcome {
    let mut bonds: Vec<&IfName> = Vec::new();
    for change in standing.iter().filter(|c| !c.removes) {
        if !bonds.contains(&&change.spec.bond) {
            bonds.push(&change.spec.bond);
        }
    }
    if bonds.is_empty() {
        return nothing();
    }
    let all: Vec<String> = bonds.iter().map(|bond| format!("xenbond rollback {bond}")).collect();
    Outcome {
        notes: vec![format!("{why}; what could still be undone must be named")],
        hint: Some(all.join(", or ")),
        ..nothing()
    }
}

/// Whether a code may be accepted by a way back.
#[must_use]
pub fn may_accept(name: &str) -> bool {
    name == FILE_CHANGED || Code::ALL.iter().any(|code| code.name() == name)
}
