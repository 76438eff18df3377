//! The last step of a change and of its way back: what XAPI and networkd were told is on disk, and
//! a power cut would change nothing. Until then the transaction is open, so that the boot after a
//! power cut goes on with it. Waiting holds no lock: whoever changes the host meanwhile ends it.

use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::apply::codes;
use super::{Answer, Engine, Observer, outcome};
use crate::host::{Cmd, Host, Program};
use crate::inventory::Stores;
use crate::journal::Transaction;
use crate::ledger::{self, Event, Line, Lock, Phase};
use crate::net::{IfName, Uuid};
use crate::order;
use crate::outcome::{Ending, Exit, Item, Outcome};
use crate::paths;
use crate::service::{self, Service};
use crate::step::{PifRecord, Step};
use crate::verify::{self, Question, Running, Unsaved, Witness};
use crate::xe::{self, Network, Pif};

/// How long a wait may take: both write at most every 300 s (tests/ground/xapi-measured.md, M20,
/// M21).
const LIMIT: Duration = Duration::from_secs(330);

/// How long it takes at most where nothing is in the way.
const USUAL: Duration = Duration::from_secs(300);

/// The longest pause between two looks.
const PAUSE: Duration = Duration::from_secs(10);

/// How long a NIC may take to leave its bridge.
const LOOK: Duration = Duration::from_secs(20);

/// What is looked for on disk.
struct Awaited {
    host: Uuid,
    nics: Vec<IfName>,
    pifs: Option<Vec<Pif>>,
    /// The network of a NIC that XAPI keeps, where the change is about it.
    networks: Vec<Network>,
    /// The name of a network that was made or taken away, and those that XAPI has of it.
    named: Option<(String, Vec<Uuid>)>,
    stores: Stores,
}

impl Awaited {
    /// What XAPI has of a transaction's NICs: one that changes none of its records may follow one
    /// that did, whose wait it has ended. `None` where nothing tells whose host it is.
    fn of(host: &Host, tx: &Transaction) -> Option<Self> {
        let plan = &tx.header.plan;
        let records: Vec<&PifRecord> = plan.steps.iter().filter_map(Step::pif).collect();
        let uuid = plan.steps.iter().find_map(Step::host).or(tx.header.host.as_ref())?.clone();
        let mut nics: Vec<IfName> = records.iter().map(|record| record.device.clone()).collect();
        nics.extend(plan.nics.iter().map(|nic| nic.device.clone()));
        nics.extend(plan.spec.xapi_bond().map(|_| plan.spec.bond.clone()));
        order::sort(&mut nics);
        nics.dedup();
        let names: Vec<&str> = nics.iter().map(IfName::as_str).collect();
        let stores = Stores::read(host, &names);
        // Where there is nothing to look at XAPI need not be asked.
        let pifs = if stores.tell_something() { list(host, &uuid, &nics) } else { None };
        let above = |pif: &&Pif| !pif.bond_master_of.is_empty();
        let bonds = pifs.iter().flatten().filter(above).map(|pif| &pif.network);
        let network = plan.scope.network.as_ref().filter(|_| pifs.is_some());
        let networks = network.into_iter().chain(bonds);
        let networks = networks.filter_map(|of| network_of(host, of)).collect();
        let named = plan.scope.named.as_ref().filter(|_| pifs.is_some());
        let named = named.and_then(|name| called(host, name.as_str()));
        Some(Self { host: uuid, nics, pifs, networks, named, stores })
    }

    fn left(&self) -> Vec<Unsaved> {
        if self.pifs.is_none() && self.stores.tell_something() {
            return vec![Unsaved::Unlisted];
        }
        let Self { host, nics, pifs, networks, named, stores } = self;
        let mut left = verify::unsaved(stores, host, nics, pifs.as_deref(), networks);
        let named = named.iter();
        left.extend(named.filter_map(|(name, all)| verify::unsaved_networks(stores, name, all)));
        left
    }

    fn again(self, host: &Host) -> Self {
        let names: Vec<&str> = self.nics.iter().map(IfName::as_str).collect();
        let stores = self.stores.again(host, &names);
        let pifs = self.pifs.or_else(|| list(host, &self.host, &self.nics));
        Self { stores, pifs, ..self }
    }
}

/// The NICs' records with all that XAPI has of them.
fn list(host: &Host, uuid: &Uuid, nics: &[IfName]) -> Option<Vec<Pif>> {
    let listed = xe::pifs(host, uuid).ok()?;
    // A record that was not understood is no proof that there is none.
    nics.iter().try_for_each(|nic| listed.nic(nic.as_str()).map(drop)).ok()?;
    let ours = |p: &Pif| nics.iter().any(|n| n.as_str() == p.device);
    let slaves = listed.all.iter().filter(|p| ours(p));
    let bonds: Vec<Uuid> = slaves.filter_map(|p| p.bond_slave_of.clone()).collect();
    let above = |p: &Pif| p.bond_master_of.iter().any(|bond| bonds.contains(bond));
    let is_ours = |p: &Pif| above(p) || (p.is_nic() && ours(p));
    let ours = listed.all.into_iter().filter(is_ours);
    Some(ours.collect())
}

/// The networks of a name.
fn called(host: &Host, name: &str) -> Option<(String, Vec<Uuid>)> {
    let all = xe::network_names(host).ok()?.into_iter();
    let all = all.filter(|(_, label)| label == name).map(|(uuid, _)| uuid);
    Some((name.to_string(), all.collect()))
}

fn network_of(host: &Host, uuid: &Uuid) -> Option<Network> {
    let network = xe::networks(host).ok()?.all.into_iter().find(|one| one.uuid == *uuid)?;
    Some(Network { static_routes: xe::static_routes(host, uuid).ok()?, ..network })
}

fn items(left: &[Unsaved]) -> Vec<Item> {
    let item = |one: &Unsaved| Item { what: one.to_string(), command: one.command().into() };
    left.iter().map(item).collect()
}

impl Engine<'_> {
    /// Ends a transaction whose verdict is given, or has it wait until the verdict survives a power
    /// cut: its phase tells which.
    pub(super) fn ends(
        &self,
        tx: &mut Transaction,
        end: Event,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        if Awaited::of(self.host, tx).is_none_or(|awaited| awaited.left().is_empty()) {
            return self.record(tx, end);
        }
        if let Err(error) = self.arm() {
            observer.note(&format!("a boot would not go on by itself: {error:#}"));
        }
        let back = end == Event::RolledBack;
        if end == Event::Confirmed {
            self.record(tx, end)?;
        }
        self.record(tx, Event::Saving { boot_id: self.boot_id()?, back })
    }

    /// Waits where the transaction of this outcome waits for the disk, and ends what another run left
    /// undone of its end. No lock is held.
    pub(super) fn until_saved(&self, mut ended: Outcome, observer: &mut dyn Observer) -> Outcome {
        let Ok(open) = Transaction::open(self.host) else { return ended };
        let is_over = |tx: &Transaction| matches!(tx.phase(), Phase::Done | Phase::RolledBack);
        match open {
            Some(tx) if !is_over(&tx) && ended.transaction.as_ref() == Some(&tx.header.id) => {
                return self.wait_for_disk(tx, ended, observer);
            }
            // The wait of another command that was cut off: the first that comes by ends it.
            Some(tx)
                if tx.phase().is_saving()
                    && Awaited::of(self.host, &tx).is_none_or(|all| all.left().is_empty()) =>
            {
                let closed = self.try_to_close(&tx, &tx.phase());
                ended.notes.extend(closed.err().map(|e| format!("{e:#}")));
            }
            Some(tx) if !is_over(&tx) => {}
            // A run that was cut off between its last line and its end left this.
            _ if self.is_armed() => {
                if let Ok(_lock) = Lock::take(self.host) {
                    ended.notes.extend(self.disarm().err().map(|e| format!("{e:#}")));
                }
            }
            _ => {}
        }
        ended
    }

    fn wait_for_disk(
        &self,
        tx: Transaction,
        mut ended: Outcome,
        observer: &mut dyn Observer,
    ) -> Outcome {
        let phase = tx.phase();
        let (Phase::Saving { .. } | Phase::SavingBack { .. }) = &phase else { return ended };
        if !matches!(ended.ending, Ending::Done | Ending::RolledBack | Ending::NothingToDo) {
            return ended;
        }
        let Some(mut awaited) = Awaited::of(self.host, &tx) else {
            self.closes(&tx, &phase, &mut ended);
            return ended;
        };
        observer.on_signal(Answer::HandsOver);
        let bond = &tx.header.plan.spec.bond;
        let said = match phase {
            Phase::Saving { .. } if tx.header.plan.removes => {
                format!("{bond} is gone; waiting until that survives a power cut")
            }
            Phase::Saving { .. } => {
                format!("{bond} is up and verified; waiting until it survives a power cut")
            }
            _ => "the host is as it was; waiting until that survives a power cut".into(),
        };
        if !awaited.left().is_empty() {
            observer.note(&format!("{said}: at most {} s", USUAL.as_secs()));
        }
        let start = self.host.clock().elapsed();
        let mut pause = Duration::from_millis(100);
        let mut asked = false;
        loop {
            let left = awaited.left();
            let over = self.host.clock().elapsed().saturating_sub(start) >= LIMIT;
            if left.is_empty() || over {
                ended.not_saved = items(&left);
                if over && !left.is_empty() {
                    ended
                        .notes
                        .push(format!("a power cut would undo some of it still: {}", left[0]));
                }
                self.closes(&tx, &phase, &mut ended);
                return ended;
            }
            if self.goes_to_the_background(&tx, &mut ended) || self.is_ended(&tx, &phase) {
                ended.not_saved = items(&left);
                return ended;
            }
            // Once: every host of the pool is asked, and one that is down makes it hang though the
            // master has written (tests/ground/xapi-measured.md, M20): only the file tells.
            if !asked && left.iter().any(Unsaved::is_of_xapi) {
                asked = true;
                let _ = self.host.run(&xe::sync_database());
            } else {
                observer.waits(&format!("it to survive a power cut: {}", left[0]), LIMIT);
                self.host.clock().pause(pause);
                pause = (pause * 2).min(PAUSE);
            }
            awaited = awaited.again(self.host);
        }
    }

    /// Whether another run has this transaction in its hands, or has ended its wait.
    fn is_ended(&self, tx: &Transaction, phase: &Phase) -> bool {
        let events = |(lines, _): (Vec<Line>, u64)| {
            lines.into_iter().map(|line| line.event).collect::<Vec<_>>()
        };
        let now = ledger::journal(self.host, &ledger::current()).map(events);
        Lock::holder(self.host).is_some()
            || ledger::current_id(self.host).as_ref() != Some(&tx.header.id)
            || !now.is_ok_and(|events| Phase::after(&events) == *phase)
    }

    /// A signal hands the wait to the background, where it goes on.
    fn goes_to_the_background(&self, tx: &Transaction, ended: &mut Outcome) -> bool {
        if self.check_interrupt().is_ok() {
            return false;
        }
        ended.notes.push(match self.detach("guard", &tx.guard_output()) {
            Ok(()) => "waiting continues in the background: xenbond status".into(),
            Err(error) => format!("no longer waiting: {error:#}; xenbond resume waits again"),
        });
        true
    }

    /// The end of the wait. What goes on at the boot must be gone after a way back; after a change
    /// that stands it finds nothing to do, and takes itself away.
    fn closes(&self, tx: &Transaction, phase: &Phase, ended: &mut Outcome) {
        let Err(error) = self.try_to_close(tx, phase) else { return };
        let error = format!("{error:#}");
        if !matches!(phase, Phase::SavingBack { .. }) {
            ended.notes.push(error);
            return;
        }
        (ended.ending, ended.exit) = (Ending::RollbackIncomplete, Exit::Incomplete);
        let why = ended.error.take().into_iter();
        let all = why.chain(["the rollback is incomplete:".into(), error.clone()]);
        ended.error = Some(all.collect::<Vec<_>>().join("\n"));
        ended.hint = Some("run the commands above, then: xenbond rollback".into());
        let command = Service::of_resume(service::init(self.host)).disable().to_string();
        ended.left.push(Item { what: error, command });
    }

    /// Closes the transaction, if nobody else has it in his hands.
    fn try_to_close(&self, tx: &Transaction, phase: &Phase) -> Result<()> {
        let Ok(_lock) = Lock::take(self.host) else { return Ok(()) };
        let now = Transaction::open(self.host)?
            .filter(|now| now.header.id == tx.header.id && now.phase() == *phase);
        match now {
            Some(now) => self.close_wait(now),
            None => Ok(()),
        }
    }

    /// Ends the wait of a transaction; the lock is held.
    pub(super) fn close_wait(&self, mut tx: Transaction) -> Result<()> {
        let back = matches!(tx.phase(), Phase::SavingBack { .. });
        let end = if back { Event::RolledBack } else { Event::Verified };
        // As when it is disarmed: nobody stands beside it. A line that is there twice says no more
        // than one.
        self.record(&mut tx, end.clone()).or_else(|_| self.record(&mut tx, end))?;
        if back {
            self.disarm()?;
            return tx.close(self.host);
        }
        self.disarm()
    }

    /// A boot came between a verdict and the disk, or the person who was to confirm it: the power
    /// may have gone. What does not hold any more is made again; then the verdict is given again.
    pub(super) fn after_power_cut(
        &self,
        tx: Transaction,
        observer: &mut dyn Observer,
    ) -> Result<Outcome> {
        let (holds, others) = match self.still_holds(&tx) {
            Ok(said) => said,
            Err(error) => {
                return Ok(Outcome {
                    error: Some(format!("{error:#}")),
                    hint: Some("xenbond resume continues".into()),
                    ..outcome(&tx, Ending::WaitingForReboot, Exit::Waiting)
                });
            }
        };
        if !holds && others.is_empty() {
            observer.note("the power went before all was on disk: what came back is undone again");
            return Ok(self.run(tx, true, observer));
        }
        if tx.phase() == Phase::WaitingForConfirmation {
            return self.still_awaiting(&tx, observer);
        }
        let mut ended = self.with_pending(&tx, outcome(&tx, Ending::Done, Exit::AsAsked));
        if !others.is_empty() {
            ended.exit = Exit::NotAsAsked;
            ended.error = Some(format!(
                "XAPI manages {} by another record than before: a later change by somebody else",
                others.join(", ")
            ));
            ended.hint = Some("xenbond apply makes the bond again".into());
            self.close_wait(tx)?;
        }
        Ok(ended)
    }

    /// Whether the bond is as asked, and what is others' work since.
    fn still_holds(&self, tx: &Transaction) -> Result<(bool, Vec<String>)> {
        let plan = &tx.header.plan;
        let uuid = plan.steps.iter().find_map(Step::host).cloned();
        let pifs = match &uuid {
            Some(uuid) => {
                let listed = xe::pifs(self.host, uuid).and_then(xe::Listed::whole);
                let mut listed = listed.context("asking XAPI for the PIFs of this host")?;
                if plan.spec.managed().is_some() {
                    let is_ours = |p: &Pif| p.is_nic() && p.device == plan.spec.bond.as_str();
                    for pif in listed.iter_mut().filter(|pif| is_ours(pif)) {
                        *pif = xe::with_maps(self.host, uuid, pif.clone())?;
                    }
                }
                Some(listed)
            }
            None => None,
        };
        let witness = pifs.as_deref().map(|pifs| Witness::Xapi(Some(pifs)));
        let verdict = verify::judge(Question {
            spec: &plan.spec,
            nics: &plan.nics,
            absent: &[],
            accepted: &codes(&tx.accepted()),
            kernel: Running::Settling {
                host: self.host,
                within: verify::limit(&plan.spec),
                waits: &mut |_| {},
            },
            witnesses: witness.as_slice(),
        })?;
        Ok((verdict.hindering().is_empty(), others(tx, pifs.as_deref().unwrap_or_default())))
    }

    /// Takes NICs out of the bridges that networkd put them into at its start: XAPI, which has
    /// forgotten them, does not (tests/ground/xapi-measured.md, M15).
    pub(super) fn take_out_of_bridges<'n>(
        &self,
        nics: impl IntoIterator<Item = &'n IfName>,
    ) -> Result<()> {
        for nic in nics {
            let device = nic.as_str();
            let link = format!("{}/master", paths::sys_net(device));
            let bridge = || {
                let name = self.host.link_name(&link)?;
                self.host.exists(&format!("{}/bridge", paths::sys_net(&name))).then_some(name)
            };
            let Some(name) = bridge() else { continue };
            let leave = Cmd::change(Program::Ip, &["link", "set", "dev", device, "nomaster"], LOOK);
            let said = self.host.run(&leave)?;
            if bridge().is_none() {
                continue;
            }
            // The `ip` of CentOS 5 knows no `nomaster`.
            let delif = Cmd::change(Program::Brctl, &["delif", &name, device], LOOK);
            let output = self.host.run(&delif)?;
            if bridge().is_some() {
                said.check(&leave)?;
                output.check(&delif)?;
                bail!("`{leave}` and `{delif}` reported success, but {device} is still in {name}");
            }
        }
        Ok(())
    }
}

/// NICs that XAPI manages by a record that was not there before the change.
fn others(tx: &Transaction, pifs: &[Pif]) -> Vec<String> {
    let records = tx.header.plan.steps.iter().filter_map(|step| match step {
        Step::ForgetPif(record) => Some(record),
        _ => None,
    });
    let other = |record: &PifRecord| {
        let now = pifs.iter().find(|p| p.is_nic() && p.device == record.device.as_str())?;
        let ours = record.was.as_ref().is_some_and(|was| was.uuid == now.uuid);
        (now.is_managed() && !ours).then(|| format!("{} ({})", record.device, now.uuid))
    };
    records.filter_map(other).collect()
}
