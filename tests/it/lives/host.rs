//! A host that lives: the model, and what each event does to it. Must not judge.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Result;
use xenbond::engine::{Aim, Engine, FILE_CHANGED, Observer};
use xenbond::host::Clock;
use xenbond::inventory::{Ask as Asks, Inventory};
use xenbond::ledger::{self, Orders};
use xenbond::model::state::{Backend, Lie, Nic, Saves};
use xenbond::outcome::{Outcome, StepState};
use xenbond::plan::Plan;
use xenbond::preflight::{Code, Finding, Severity};
use xenbond::render::Templates;
use xenbond::spec::{Raw, Request};
use xenbond::status::{self, Judge, Records};
use xenbond::{journal, model::Model, net};

use super::event::{Act, Ask, Birth, Event};
use crate::dom0::{Dom0, Snapshot, evacuate};
use crate::faults::job::free_bond0;
use crate::faults::stage::free_eth1;
use crate::faults::strike::{Boot, Fault, Liar, Strike};

/// What a command said.
pub struct Said {
    pub ended: Result<Outcome>,
    /// All that was printed beside the verdict.
    pub notes: Vec<String>,
}

/// What `list`, `status` and `verify` say of a bond at one moment.
#[derive(Clone, Debug)]
pub struct Views {
    pub bond: String,
    pub listed: Option<Option<bool>>,
    pub status: Option<Option<bool>>,
    pub verified: Option<bool>,
    /// What `verify` finds wrong.
    pub wrong: Vec<String>,
}

impl Views {
    /// Whether the three do not agree.
    pub fn contradict(&self) -> bool {
        match (self.listed, self.status, self.verified) {
            (Some(Some(list)), status, verify) => {
                status.flatten().is_some_and(|status| status != list)
                    || verify.is_some_and(|verify| verify != list)
            }
            (_, Some(Some(status)), Some(verify)) => status != verify,
            _ => false,
        }
    }
}

/// What came of an event.
pub enum Came {
    /// A command ended.
    Said(Said),
    /// The bonds were looked at.
    Seen(Result<Vec<Views>>),
    /// A run died or the power went, and this the next boot said.
    Died(Option<Said>),
    /// The host has booted, and this the boot said.
    Booted(Option<Said>),
    /// Anything else.
    Happened,
}

pub struct Living {
    pub dom0: Dom0,
    strike: Arc<Strike>,
    /// The host as it was installed.
    born: Snapshot,
}

/// What a run says, to whom nobody listens for a day: one that tries again in vain is stopped after
/// the first long pauses.
#[derive(Default)]
struct Heard {
    notes: Vec<String>,
    stops: Arc<AtomicBool>,
}

impl Observer for Heard {
    fn begins(&mut self, _: usize, _: usize, _: &str) {}
    fn ended(&mut self, _: StepState, _: Duration) {}
    fn note(&mut self, text: &str) {
        self.notes.push(text.to_string());
        let long = |note: &&String| note.contains("tried again in 600 s");
        if self.notes.iter().filter(long).count() > 2 {
            self.stops.store(true, Ordering::Relaxed);
        }
    }
    fn agrees(&mut self, _: &Plan, _: &[Finding], _: &Inventory) -> bool {
        true
    }
}

const SCRIPTS: &str = "etc/sysconfig/network-scripts";

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_string).collect()
}

fn request(ask: Ask) -> Result<Request> {
    let mut raw = Raw::default();
    let Ask { bond, nics, mode, miimon, mtu, address } = ask;
    let text = format!(
        "[bond]\nname={bond}\nnics={nics}\nmode={mode}\nmiimon={miimon}\nmtu={mtu}\naddress={address}\n"
    );
    raw.file("spec", &text)?;
    raw.finish()
}

impl Came {
    /// In a few words, for people.
    pub fn text(&self) -> String {
        let told = |said: &Said| match &said.ended {
            Ok(o) => format!(
                "{:?} {:?} {:?} left {:?} {:?}",
                o.ending, o.exit, o.error, o.left, said.notes
            ),
            Err(error) => format!("{error:#}"),
        };
        match self {
            Self::Said(said) => told(said),
            Self::Seen(views) => format!("{views:?}"),
            Self::Died(said) => format!("died; {:?}", said.as_ref().map(told)),
            Self::Booted(said) => format!("booted; {:?}", said.as_ref().map(told)),
            Self::Happened => String::new(),
        }
    }
}

impl Living {
    pub fn born(birth: Birth) -> Self {
        let dom0 = Dom0::new(birth.flavour, birth.backend);
        dom0.model.change(|state| {
            state.dom0.saves = Saves::REAL;
            free_eth1(state);
            free_bond0(state);
            evacuate(state);
        });
        dom0.model.reboot().unwrap();
        dom0.model.pause(Duration::from_secs(60));
        let model = Arc::clone(&dom0.model);
        let strike = Arc::new(Strike::new(Arc::clone(&model)));
        let liar = Liar { model, strike: Arc::clone(&strike) };
        let dom0 = dom0.run_by(Arc::new(liar)).watched(strike.clone());
        Self { born: dom0.snapshot(), dom0, strike }
    }

    pub fn model(&self) -> &Model {
        &self.dom0.model
    }

    /// The transaction that `current` leads to.
    pub fn current(&self) -> Option<String> {
        let to = fs::read_link(self.dom0.at("var/lib/xenbond/current")).ok()?;
        Some(to.file_name()?.to_str()?.to_string())
    }

    /// The bond of the transaction that is open.
    pub fn open_bond(&self) -> Option<String> {
        self.current()?;
        let summary = ledger::summary(&self.dom0.host).ok()??;
        summary.is_open().then(|| summary.spec.bond.to_string())
    }

    /// Whether nothing is under way but a removal that waits for the disk, or what a run left that
    /// died at its very end: no rollback of a bond is about that, and the next boot ends it.
    pub fn has_only_its_end_left(&self) -> bool {
        let changes = ledger::changes(&self.dom0.host).unwrap_or_default();
        changes.iter().all(|c| !c.phase.is_open() || c.removes && c.phase.is_saving())
    }

    /// Whether a change of this bond stands or is open.
    pub fn answers_for(&self, bond: &str) -> bool {
        let changes = ledger::changes(&self.dom0.host).unwrap_or_default();
        changes
            .iter()
            .any(|c| c.spec.bond.as_str() == bond && (c.phase.stands() || c.phase.is_open()))
    }

    /// Whether a transaction stands.
    pub fn stands_still(&self, id: &str) -> bool {
        let changes = ledger::changes(&self.dom0.host).unwrap_or_default();
        changes.iter().any(|change| change.id == id && change.phase.stands())
    }

    /// Whether a removal stands.
    pub fn has_removed(&self) -> bool {
        let changes = ledger::changes(&self.dom0.host).unwrap_or_default();
        changes.iter().any(|change| change.removes && change.phase.stands())
    }

    /// Whether somebody has closed a rollback that left something.
    pub fn has_closed(&self) -> bool {
        let folders = fs::read_dir(self.dom0.at("var/lib/xenbond/history")).into_iter().flatten();
        let journals = folders.flatten().map(|folder| folder.path().join("journal"));
        let mut texts = journals.filter_map(|path| fs::read_to_string(path).ok());
        texts.any(|text| text.contains("\"event\":\"closed\""))
    }

    pub fn pause(&self, seconds: u64) {
        self.model().pause(Duration::from_secs(seconds));
        self.strike.late();
    }

    /// No program misbehaves any more, all cables are in, and what is late has come.
    pub fn heals(&self) {
        self.model().change(|state| {
            state.dom0.lies.clear();
            for nic in state.dom0.nics.values_mut() {
                nic.link = true;
            }
        });
        self.strike.disarm();
        self.pause(120);
    }

    fn engine(&self, act: impl FnOnce(&Engine<'_>, &mut Heard) -> Result<Outcome>) -> Said {
        self.ordered(Orders::default(), act)
    }

    fn ordered(
        &self,
        orders: Orders,
        act: impl FnOnce(&Engine<'_>, &mut Heard) -> Result<Outcome>,
    ) -> Said {
        let mut accepted: Vec<String> = vec![FILE_CHANGED.to_string()];
        let codes = Code::ALL.iter().filter(|code| code.severity() == Severity::Warning);
        accepted.extend(codes.map(|code| code.name().to_string()));
        let mut heard = Heard::default();
        let ended = self.dom0.engine(orders, |engine| {
            heard.stops = Arc::clone(&engine.signals.interrupt);
            act(&Engine { accepted: &accepted, ..*engine }, &mut heard)
        });
        Said { ended, notes: heard.notes }
    }

    fn apply(&self, asked: Result<Request>) -> Said {
        self.engine(|engine, notes| engine.apply(&asked?, |_| Ok(()), notes))
    }

    pub fn roll_back(&self, aim: &Aim) -> Said {
        self.engine(|engine, notes| engine.rollback(aim, |_| true, notes))
    }

    pub fn close(&self) -> Said {
        self.engine(|engine, notes| engine.close(|_| true, notes))
    }

    pub fn resume(&self) -> Said {
        self.engine(|engine, notes| engine.resume(notes))
    }

    fn types(&self, act: Act) -> Came {
        Came::Said(match act {
            Act::Look => return Came::Seen(self.views()),
            Act::Plan(ask) => self.engine(|engine, notes| {
                engine.propose(&request(ask)?)?;
                notes.notes.clear();
                Ok(Outcome::refused("only planned", None))
            }),
            Act::Apply(ask) => self.apply(request(ask)),
            Act::Tries(ask) => {
                let orders = Orders { confirm_within: Some(600), ..Orders::default() };
                self.ordered(orders, |engine, notes| {
                    engine.apply(&request(ask)?, |_| Ok(()), notes)
                })
            }
            Act::Again(bond) => {
                let recorded = journal::recorded(&self.dom0.host, &bond.parse().unwrap());
                self.apply(recorded.and_then(|spec| {
                    spec.map(Request::of).ok_or_else(|| anyhow::anyhow!("no record of {bond}"))
                }))
            }
            Act::Rollback => self.roll_back(&Aim::Newest),
            Act::RollbackOf(bond) => self.roll_back(&Aim::Bond(bond.parse().unwrap())),
            Act::RollbackNth(which) => {
                let names = ledger::names(&self.dom0.host).unwrap_or_default();
                let name = names.get(which).cloned().unwrap_or_else(|| "20260101-none".into());
                self.roll_back(&Aim::Transaction(name))
            }
            Act::Close => self.close(),
            Act::Remove(bond) => self
                .engine(|engine, notes| engine.remove(&bond.parse().unwrap(), None, None, notes)),
            Act::RemoveBack(bond) => self.engine(|engine, notes| {
                let to = Some(net::Backend::Openvswitch);
                engine.remove(&bond.parse().unwrap(), None, to, notes)
            }),
            Act::RemoveTold(ask) => self.engine(|engine, notes| {
                engine.remove(&ask.bond.parse()?, Some(&request(ask)?), None, notes)
            }),
            Act::Adopt(bond) => {
                self.engine(|engine, notes| engine.adopt(&bond.parse().unwrap(), notes))
            }
            Act::Resume => self.resume(),
            Act::Confirm => self.engine(|engine, notes| engine.confirm(notes)),
            Act::Guard => self.engine(|engine, notes| engine.guard(notes)),
        })
    }

    /// What is said at one moment: time passes while it is read, in which XAPI may save, so that
    /// what contradicts itself is read again.
    fn views(&self) -> Result<Vec<Views>> {
        let first = self.views_once()?;
        if first.iter().any(Views::contradict) { self.views_once() } else { Ok(first) }
    }

    fn views_once(&self) -> Result<Vec<Views>> {
        let templates = Templates::load(None)?;
        let host = &self.dom0.host;
        let listed = status::list(host, &templates)?;
        let said = status::read(host, &templates)?;
        let inv = Inventory::read(host, Asks::default())?;
        let records = Records::read(host)?;
        let verdicts = Judge::at_once(host, &inv, &templates, &records).all()?;
        let mut names: Vec<String> = listed.iter().map(|one| one.spec.bond.to_string()).collect();
        names.extend(verdicts.iter().map(|verdict| verdict.bond.to_string()));
        names.extend(said.bonds.iter().filter(|bond| bond.ours).map(|bond| bond.name.clone()));
        names.sort();
        names.dedup();
        let view = |bond: String| {
            let list = listed.iter().find(|one| one.spec.bond.as_str() == bond);
            let status = said.bonds.iter().find(|one| one.name == bond && one.ours);
            let verdict = verdicts.iter().find(|one| one.bond.as_str() == bond);
            let wrong = verdict.map(|v| v.failed().iter().map(|c| format!("{c:?}")).collect());
            Views {
                listed: list.map(|one| one.ok),
                status: status.map(|one| one.as_asked),
                verified: verdict.map(xenbond::verify::Verdict::is_good),
                wrong: wrong.unwrap_or_default(),
                bond,
            }
        };
        Ok(names.into_iter().map(view).collect())
    }

    /// What the boot starts of the program itself.
    pub fn boots(&self, cut: bool) -> Option<Said> {
        if cut {
            self.model().cut().unwrap()
        } else {
            self.model().reboot().unwrap()
        }
        let runs = self.model().state().dom0.boot_runs;
        let said = runs
            .iter()
            .any(|run| run.contains("resume"))
            .then(|| self.engine(|engine, notes| engine.resume_by_itself(notes)));
        self.pause(60);
        said
    }

    /// A run that is struck; one that dies leaves the host as it was at that effect.
    fn struck(&self, at: usize, fault: Fault, run: impl FnOnce() -> Came) -> Came {
        if fault.is_survived() {
            self.strike.arm(&[(at, fault)], false);
            let came = run();
            self.strike.disarm();
            self.pause(90);
            return came;
        }
        self.strike.arm(&[], true);
        let came = run();
        let mut seen = self.strike.seen();
        self.strike.arm(&[], false);
        if seen.is_empty() {
            return came;
        }
        let left = seen.swap_remove(at % seen.len()).left_by(fault);
        let Some(left) = left else { return came };
        left.put(self.model());
        match fault.boot() {
            Boot::None => Came::Died(None),
            Boot::Saved => Came::Died(self.boots(false)),
            Boot::Unsaved => Came::Died(self.boots(true)),
        }
    }

    /// Another card in the place of one: while the power is off.
    fn replaces(&self, nic: &str, number: usize) -> Option<Said> {
        self.model().change(|state| {
            if let Some(nic) = state.dom0.nics.get_mut(nic) {
                nic.permanent_mac = format!("00:1b:21:0b:02:{number:02x}");
            }
        });
        self.boots(false)
    }

    fn upgrades(&self) -> Option<Said> {
        self.born.install(self.dom0.root(), &self.model().state());
        self.boots(false)
    }

    fn xe(&self, line: &str) {
        let _ = self.model().execute("xe", &words(line));
    }

    /// Another address on the management NIC, or a NIC that XAPI manages takes it over.
    fn moves_management(&self, to: &str, number: usize) {
        let state = self.model().state();
        let Some(pif) = state.pool.pifs.get(&format!("xen01/{to}")) else { return };
        let is_member =
            state.pool.bonds.values().any(|b| b.slaves.contains(&format!("xen01/{to}")));
        let Some(nic) = state.dom0.nics.get(to) else { return };
        let is_slave = nic.master.as_ref().is_some_and(|of| state.dom0.bonds.contains_key(of));
        if !pif.managed || !pif.currently_attached || is_member || is_slave {
            return;
        }
        let ip = format!("10.20.0.{}", 100 + number);
        let (uuid, mask) = (&pif.uuid, "255.255.255.0");
        self.xe(&format!(
            "pif-reconfigure-ip uuid={uuid} mode=static IP={ip} netmask={mask} gateway=10.20.0.1"
        ));
        let Some(bridge) = state.pool.networks.get(&pif.network).map(|n| n.bridge.clone()) else {
            return;
        };
        let has = |bridge: &String| self.model().state().dom0.addresses.get(bridge).cloned();
        if has(&bridge).is_none_or(|all| all.iter().all(|one| !one.starts_with(&ip))) {
            return;
        }
        self.model().change(|state| {
            for (key, pif) in &mut state.pool.pifs {
                if key.starts_with("xen01/") {
                    pif.management = *key == format!("xen01/{to}");
                }
            }
        });
        let path = self.dom0.at("etc/xensource-inventory");
        let text = fs::read_to_string(&path).unwrap();
        let lines = text.lines().map(|line| match line.split_once('=') {
            Some(("MANAGEMENT_INTERFACE", _)) => format!("MANAGEMENT_INTERFACE='{bridge}'\n"),
            _ => format!("{line}\n"),
        });
        fs::write(&path, lines.collect::<String>()).unwrap();
        // Whoever does that looks after it until it is on disk.
        self.pause(400);
    }

    fn is_management(&self, nic: &str) -> bool {
        let state = self.model().state();
        state.pool.pifs.get(&format!("xen01/{nic}")).is_some_and(|pif| pif.management)
    }

    fn forgets(&self, nic: &str) {
        let state = self.model().state();
        let Some(pif) = state.pool.pifs.get(&format!("xen01/{nic}")) else { return };
        if pif.managed {
            self.xe(&format!("pif-unplug uuid={}", pif.uuid));
            self.xe(&format!("pif-forget uuid={}", pif.uuid));
        }
    }

    /// By the recipe; of NICs that are in use already he keeps his hands.
    fn makes_bond(&self, bond: &str, nics: [&str; 2]) {
        let state = self.model().state();
        let file = |name: &str| self.dom0.at(&format!("{SCRIPTS}/ifcfg-{name}"));
        let cannot = |nic: &str| {
            let card = state.dom0.nics.get(nic);
            card.is_none_or(|card| {
                card.master.as_ref().is_some_and(|master| state.dom0.bonds.contains_key(master))
            })
        };
        let is_taken = |nic: &str| cannot(nic) || self.is_management(nic) || file(nic).exists();
        if file(bond).exists() || nics.iter().any(|nic| is_taken(nic)) {
            return;
        }
        for nic in nics {
            self.forgets(nic);
            let text =
                format!("DEVICE={nic}\nONBOOT=yes\nBOOTPROTO=none\nMASTER={bond}\nSLAVE=yes\n");
            fs::write(file(nic), text).unwrap();
        }
        let mut text = format!("DEVICE={bond}\nONBOOT=yes\nBOOTPROTO=none\n");
        writeln!(text, "IPADDR=172.16.60.11\nNETMASK=255.255.255.0").unwrap();
        writeln!(text, "BONDING_OPTS=\"mode=1 miimon=100\"").unwrap();
        fs::write(file(bond), text).unwrap();
        let _ = self.model().execute("ifup", &words(bond));
    }

    fn edit(&self, path: &str, line: &str) {
        let path = self.dom0.at(path);
        if let Ok(text) = fs::read_to_string(&path) {
            fs::write(path, format!("{text}# {line}\n")).unwrap();
        }
    }

    /// Has an event happen, the so-manieth of this life.
    pub fn meets(&self, event: Event, number: usize) -> Came {
        match event {
            Event::By(act) => return self.types(act),
            Event::Struck(act, at, fault) => return self.struck(at, fault, || self.types(act)),
            Event::RebootStruck(at, fault) => {
                return self.struck(at, fault, || Came::Booted(self.boots(false)));
            }
            Event::Reboot => return Came::Booted(self.boots(false)),
            Event::PowerCut => return Came::Booted(self.boots(true)),
            Event::Replaces(nic) => return Came::Booted(self.replaces(nic, number)),
            Event::Pulls(nic) if self.is_management(nic) => {}
            Event::Pulls(nic) => {
                self.model().change(|state| drop(state.dom0.nics.remove(nic)));
                return Came::Booted(self.boots(false));
            }
            Event::Swaps(one, other) => {
                self.model().change(|state| swap(&mut state.dom0.nics, one, other));
                return Came::Booted(self.boots(false));
            }
            Event::Upgrade => return Came::Booted(self.upgrades()),
            Event::MovesManagement(to) => self.moves_management(to, number),
            Event::Member(lives) => self.model().change(|state| {
                let others = state.pool.hosts.iter_mut().filter(|(key, _)| *key != "xen01");
                others.for_each(|(_, host)| host.live = lives);
            }),
            Event::Wait(seconds) => self.pause(seconds),
            Event::Writes(path) => {
                let path = self.dom0.at(path);
                if path.parent().unwrap().is_dir() {
                    fs::write(path, format!("# {}\n", line(number))).unwrap();
                }
            }
            Event::Edits(path) => self.edit(path, &line(number)),
            Event::Deletes(path) => drop(fs::remove_file(self.dom0.at(path))),
            Event::MakesBond(bond, one, other) => self.makes_bond(bond, [one, other]),
            Event::MakesVlan(tag) => {
                let state = self.model().state();
                let (pif, net) = (&state.pool.pifs["xen01/eth0"], &state.pool.networks["xenbr5"]);
                let (pif, net) = (&pif.uuid, &net.uuid);
                self.xe(&format!("vlan-create pif-uuid={pif} network-uuid={net} vlan={tag}"));
            }
            Event::Scans => {
                let uuid = self.model().state().host().unwrap().uuid.clone();
                self.xe(&format!("pif-scan host-uuid={uuid}"));
            }
            Event::Forgets(nic) => self.forgets(nic),
            Event::Introduces(nic) => {
                let state = self.model().state();
                let Some(card) = state.dom0.nics.get(nic) else { return Came::Happened };
                let (uuid, mac) = (&state.host().unwrap().uuid, &card.permanent_mac);
                self.xe(&format!("pif-introduce host-uuid={uuid} device={nic} mac={mac}"));
            }
            Event::Switches(to) => {
                let word = if to == Backend::Bridge { "bridge" } else { "openvswitch" };
                let _ = self.model().execute("xe-switch-network-backend", &words(word));
            }
            Event::Cable(nic, is_in) => {
                self.model().change(|state| {
                    if let Some(nic) = state.dom0.nics.get_mut(nic) {
                        nic.link = is_in;
                    }
                });
            }
            Event::RestartsXapi => {
                let _ = self.model().execute("xe-toolstack-restart", &[]);
            }
            Event::Misbehaves(command, how, times) => self.model().change(|state| {
                state.dom0.lies.insert(command.into(), Lie { how, times, after: 0 });
            }),
        }
        Came::Happened
    }
}

/// Exchanges the cards of two slots.
fn swap(nics: &mut BTreeMap<String, Nic>, one: &str, other: &str) {
    let macs = [one, other].map(|name| nics.get(name).map(|nic| nic.permanent_mac.clone()));
    if let [Some(first), Some(second)] = macs {
        for (name, mac) in [(one, second), (other, first)] {
            if let Some(nic) = nics.get_mut(name) {
                nic.permanent_mac = mac;
            }
        }
    }
}

/// What others write, told apart by when.
pub fn line(number: usize) -> String {
    format!("by others, event {number}")
}
