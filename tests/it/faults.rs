//! Never half: at every effect of apply, resume and rollback something goes wrong, and whatever it
//! is, the host ends at one of two ends, wanted or untouched, which is compared whole.
//!
//! `cargo test` takes a sample spread over all effects; `XENBOND_FAULTS=all` takes them all.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Result, bail};
use xenbond::engine::{Engine, Observer, Signals};
use xenbond::host::{Clock, Cmd, Effect, Host, Output, Runner, Status, Watch};
use xenbond::inventory::Inventory;
use xenbond::journal::Orders;
use xenbond::model::state::{Backend, Flavour, State};
use xenbond::model::{Model, builtin};
use xenbond::outcome::{Ending, Outcome, StepState};
use xenbond::plan::Plan;
use xenbond::preflight::Finding;
use xenbond::render::Templates;
use xenbond::spec::{Raw, Request};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// The effect fails and does not happen.
    Fails,
    /// It happens, and reports failure.
    FailsAfter,
    /// A command reports success and does nothing.
    Lies,
    /// A command hangs past its limit, and did nothing.
    Hangs,
    /// The process dies before it.
    DiesBefore,
    /// The process dies after it.
    DiesAfter,
    /// The power goes before it; what was not made durable is lost.
    PowerCut,
    /// The power goes after it; what was not made durable is torn.
    PowerTear,
}

const FAULTS: [Fault; 8] = [
    Fault::Fails,
    Fault::FailsAfter,
    Fault::Lies,
    Fault::Hangs,
    Fault::DiesBefore,
    Fault::DiesAfter,
    Fault::PowerCut,
    Fault::PowerTear,
];

/// A change that is not durable yet, and how it is lost.
enum Pending {
    /// A file that grew or was made: its former bytes.
    Bytes { file: PathBuf, was: Option<Vec<u8>> },
    /// An entry of a folder that changed: what it was.
    Entry { folder: PathBuf, path: PathBuf, was: Entry },
}

enum Entry {
    Nothing,
    File(Vec<u8>, std::fs::Permissions),
    Link(PathBuf),
    Folder,
}

impl Entry {
    fn of(path: &Path) -> Self {
        match path.symlink_metadata() {
            Err(_) => Self::Nothing,
            Ok(meta) if meta.is_symlink() => Self::Link(std::fs::read_link(path).unwrap()),
            Ok(meta) if meta.is_dir() => Self::Folder,
            Ok(meta) => Self::File(std::fs::read(path).unwrap(), meta.permissions()),
        }
    }

    fn put(&self, path: &Path) {
        match path.symlink_metadata() {
            Ok(meta) if meta.is_dir() => drop(std::fs::remove_dir_all(path)),
            Ok(_) => drop(std::fs::remove_file(path)),
            Err(_) => {}
        }
        match self {
            Self::Nothing => {}
            Self::File(bytes, mode) => {
                std::fs::write(path, bytes).unwrap();
                std::fs::set_permissions(path, mode.clone()).unwrap();
            }
            Self::Link(to) => std::os::unix::fs::symlink(to, path).unwrap(),
            Self::Folder => std::fs::create_dir_all(path).unwrap(),
        }
    }
}

#[derive(Default)]
struct Strike {
    count: AtomicUsize,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    at: Option<(usize, Fault)>,
    dead: bool,
    struck: bool,
    pending: Vec<Pending>,
    /// The numbers of the effects that are commands.
    commands: Vec<usize>,
}

impl Inner {
    /// Takes note of what is about to change and is not durable yet.
    fn note(&mut self, effect: &Effect<'_>) {
        let entry = |path: &Path| Pending::Entry {
            folder: path.parent().unwrap().to_path_buf(),
            path: path.to_path_buf(),
            was: Entry::of(path),
        };
        match effect {
            Effect::Write(path) | Effect::Append(path) => {
                let was = std::fs::read(path).ok();
                self.pending.push(Pending::Bytes { file: path.to_path_buf(), was });
            }
            Effect::Rename(from, to) => {
                self.pending.push(entry(from));
                self.pending.push(entry(to));
            }
            Effect::Remove(path) | Effect::MakeDir(path) => self.pending.push(entry(path)),
            Effect::SyncFile(path) => {
                self.pending.retain(|p| !matches!(p, Pending::Bytes { file, .. } if file == path))
            }
            Effect::SyncDir(path) => self
                .pending
                .retain(|p| !matches!(p, Pending::Entry { folder, .. } if folder == path)),
            Effect::Run(_) | Effect::Set(_) => {}
        }
    }

    /// The power goes: what is pending is lost, or half of the newest bytes reach the disk.
    fn lose(&mut self, torn: bool) {
        for pending in self.pending.drain(..).rev() {
            match pending {
                Pending::Bytes { file, was } => {
                    let Ok(now) = std::fs::read(&file) else { continue };
                    let old = was.unwrap_or_default().len().min(now.len());
                    let keep = if torn { old + (now.len() - old) / 2 } else { old };
                    std::fs::write(&file, &now[..keep]).unwrap();
                }
                Pending::Entry { path, was, .. } => was.put(&path),
            }
        }
    }

    fn die(&mut self, number: usize) -> Result<()> {
        self.dead = true;
        self.struck = true;
        bail!("died at effect {number}")
    }
}

impl Watch for Strike {
    fn before(&self, effect: &Effect<'_>) -> Result<()> {
        let mut inner = self.inner.lock().unwrap();
        if inner.dead {
            bail!("dead");
        }
        let number = self.count.fetch_add(1, Ordering::SeqCst) + 1;
        if let Some((at, fault)) = inner.at
            && at == number
        {
            match fault {
                Fault::Fails => {
                    inner.struck = true;
                    bail!("effect {number} was made to fail");
                }
                Fault::DiesBefore => return inner.die(number),
                Fault::PowerCut => {
                    inner.lose(false);
                    return inner.die(number);
                }
                _ => {}
            }
        }
        if let Effect::Run(_) = effect {
            inner.commands.push(number);
        }
        inner.note(effect);
        Ok(())
    }

    fn after(&self, _: &Effect<'_>) -> Result<()> {
        let mut inner = self.inner.lock().unwrap();
        let number = self.count.load(Ordering::SeqCst);
        match inner.at {
            Some((at, Fault::FailsAfter)) if at == number => {
                inner.struck = true;
                bail!("effect {number} was made to report failure");
            }
            Some((at, Fault::DiesAfter)) if at == number => inner.die(number),
            Some((at, Fault::PowerTear)) if at == number => {
                inner.lose(true);
                inner.die(number)
            }
            _ => Ok(()),
        }
    }
}

/// The model's programs, one of which may lie or hang.
struct Liar {
    model: Arc<Model>,
    strike: Arc<Strike>,
}

impl Runner for Liar {
    fn run(&self, cmd: &Cmd) -> Result<Output> {
        let at = self.strike.inner.lock().unwrap().at;
        if cmd.changes && at.is_some_and(|(at, _)| at == self.strike.count.load(Ordering::SeqCst)) {
            let status = match at {
                Some((_, Fault::Lies)) => Some(Status::Exited(0)),
                Some((_, Fault::Hangs)) => Some(Status::TimedOut),
                _ => None,
            };
            if let Some(status) = status {
                self.strike.inner.lock().unwrap().struck = true;
                return Ok(Output { status, stdout: Vec::new(), stderr: Vec::new() });
            }
        }
        self.model.run(cmd)
    }

    fn own_program(&self) -> Result<Vec<u8>> {
        self.model.own_program()
    }

    fn detach(&self, path: &str, args: &[&str], log: &str) -> Result<()> {
        self.model.detach(path, args, log)
    }
}

struct Silent;

impl Observer for Silent {
    fn begins(&mut self, _: usize, _: usize, _: &str) {}
    fn ended(&mut self, _: StepState, _: Duration) {}
    fn note(&mut self, _: &str) {}
    fn agrees(&mut self, _: &Plan, _: &[Finding], _: &Inventory) -> bool {
        true
    }
}

#[derive(Clone, Copy, Debug)]
struct Scenario {
    name: &'static str,
    flavour: Flavour,
    backend: Backend,
    spec: &'static str,
    existing: bool,
}

const TWO: &str = "[bond]\nname=bond51\nnics=eth2,eth3\nmtu=9000\naddress=172.16.51.11/24\n";
const FORGET: &str = "[bond]\nname=bond51\nnics=eth3,eth2\npif=forget\naddress=172.16.51.11/24\n";

const SCENARIOS: [Scenario; 5] = [
    Scenario {
        name: "el7, switch",
        flavour: Flavour::El7,
        backend: Backend::Openvswitch,
        spec: TWO,
        existing: false,
    },
    Scenario {
        name: "el5, switch, existing files",
        flavour: Flavour::El5,
        backend: Backend::Openvswitch,
        spec: TWO,
        existing: true,
    },
    Scenario {
        name: "el7, bridge, forget",
        flavour: Flavour::El7,
        backend: Backend::Bridge,
        spec: FORGET,
        existing: false,
    },
    Scenario {
        name: "el5, bridge",
        flavour: Flavour::El5,
        backend: Backend::Bridge,
        spec: TWO,
        existing: false,
    },
    Scenario {
        name: "el7, bridge, existing files",
        flavour: Flavour::El7,
        backend: Backend::Bridge,
        spec: TWO,
        existing: true,
    },
];

struct Stage {
    model: Arc<Model>,
    host: Host,
    strike: Arc<Strike>,
    request: Request,
    _folder: tempfile::TempDir,
}

impl Stage {
    fn new(scenario: Scenario) -> Self {
        let folder = xenbond::model::scratch().unwrap();
        let mut state: State = builtin::pool(scenario.flavour, scenario.backend);
        for vm in state.pool.vms.values_mut() {
            vm.resident_on = Some("xen02".into());
        }
        let model = Arc::new(Model::create(folder.path(), state).unwrap());
        if scenario.existing {
            let scripts = folder.path().join("etc/sysconfig/network-scripts");
            std::fs::write(scripts.join("ifcfg-eth2"), "DEVICE=eth2\nONBOOT=no\n").unwrap();
            std::fs::write(scripts.join("ifcfg-backup0"), "DEVICE=backup0\nONBOOT=no\n").unwrap();
        }
        let strike = Arc::new(Strike::default());
        let liar = Liar { model: Arc::clone(&model), strike: Arc::clone(&strike) };
        let host = Host::new(folder.path(), Arc::new(liar), Arc::clone(&model) as Arc<dyn Clock>)
            .watched(Arc::clone(&strike) as Arc<dyn Watch>);
        let mut raw = Raw::default();
        raw.file("spec", scenario.spec).unwrap();
        Self { model, host, strike, request: raw.finish().unwrap(), _folder: folder }
    }

    fn with<T>(&self, act: impl FnOnce(&Engine<'_>) -> T) -> T {
        let templates = Templates::load(None).unwrap();
        let signals = Signals::default();
        act(&Engine {
            host: &self.host,
            templates: &templates,
            accepted: &[],
            orders: Orders::default(),
            signals: &signals,
        })
    }

    fn apply(&self) -> Result<Outcome> {
        self.with(|e| e.apply(&self.request, |_| Ok(()), &mut Silent))
    }

    fn resume(&self) -> Result<Outcome> {
        self.with(|e| e.resume(&mut Silent))
    }

    fn rollback(&self) -> Result<Outcome> {
        self.with(|e| e.rollback(|_| true, &mut Silent))
    }

    fn is_dead(&self) -> bool {
        self.strike.inner.lock().unwrap().dead
    }

    /// A new process; after a power cut, on a machine that has booted.
    fn revive(&self) {
        let power = {
            let mut inner = self.strike.inner.lock().unwrap();
            inner.dead = false;
            inner.pending.clear();
            matches!(inner.at.take(), Some((_, Fault::PowerCut | Fault::PowerTear)))
        };
        if power {
            self.model.reboot().unwrap();
        }
    }

    /// Takes the reboots that are asked for, until the run ends or dies.
    fn to_the_end(&self, first: Result<Outcome>) -> Result<Outcome> {
        let mut last = first;
        for _ in 0..3 {
            match &last {
                Ok(o) if o.ending == Ending::WaitingForReboot && !self.is_dead() => {}
                _ => break,
            }
            self.model.reboot().unwrap();
            last = self.resume();
        }
        last
    }

    /// The whole story, in which the fault strikes wherever it was put.
    fn story(&self) -> (&'static str, Result<Outcome>) {
        let forward = self.to_the_end(self.apply());
        if self.is_dead() || !matches!(&forward, Ok(o) if o.ending == Ending::Done) {
            return ("apply", forward);
        }
        ("rollback", self.to_the_end(self.rollback()))
    }

    /// Everything that must be as it was: `/etc`, XAPI's records but for uuids, devices.
    fn snapshot(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        read_tree(&self.model.root().join("etc"), &mut all);
        let state = self.model.state();
        for (key, pif) in &state.pool.pifs {
            let mut value = serde_json::to_value(pif).unwrap();
            value.as_object_mut().unwrap().remove("uuid");
            all.insert(format!("PIF {key}"), value.to_string());
        }
        all.insert("running".into(), state.dom0.running.word().into());
        all.insert("bond51".into(), state.dom0.bonds.contains_key("bond51").to_string());
        for nic in ["eth2", "eth3"] {
            all.insert(nic.into(), format!("{:?}", state.dom0.nics[nic].master));
        }
        all.insert("executed".into(), state.dom0.executed.join(";"));
        all
    }

    fn is_as_wanted(&self) -> bool {
        matches!(self.apply(), Ok(o) if o.ending == Ending::NothingToDo)
    }
}

pub fn read_tree(folder: &Path, all: &mut BTreeMap<String, String>) {
    use std::os::unix::fs::PermissionsExt;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let meta = path.symlink_metadata().unwrap();
        let name = path.to_string_lossy().split_once("/etc/").unwrap().1.to_string();
        if meta.is_dir() {
            read_tree(&path, all);
        } else if meta.is_symlink() {
            all.insert(name, format!("{:?}", std::fs::read_link(&path).unwrap()));
        } else {
            let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            all.insert(name, format!("{:o} {text}", meta.permissions().mode()));
        }
    }
}

/// Runs one fault and its recovery; what is wrong at the end, if anything.
fn run(
    scenario: Scenario,
    at: usize,
    fault: Fault,
    by_resume: bool,
) -> Result<&'static str, String> {
    let stage = Stage::new(scenario);
    let before = stage.snapshot();
    stage.strike.inner.lock().unwrap().at = Some((at, fault));
    let (during, ended) = stage.story();
    if !stage.strike.inner.lock().unwrap().struck {
        return Ok("not struck");
    }
    stage.revive();
    let say = |what: &str, last: &Result<Outcome>| {
        let last = match last {
            Ok(o) => format!("{:?} {:?}", o.ending, o.error),
            Err(e) => format!("{e:#}"),
        };
        let differences: Vec<String> = xenbond::facts::differences(&before, &stage.snapshot())
            .into_iter()
            .map(|(_, text)| text.chars().take(160).collect())
            .collect();
        format!(
            "{}, effect {at}, {fault:?} during {during}, recovered by {}: {what}; last: {last}; {differences:#?}",
            scenario.name,
            if by_resume { "resume" } else { "rollback" }
        )
    };
    let clean = stage.snapshot() == before;
    match &ended {
        // It said so itself.
        Ok(o) if o.ending == Ending::RolledBack => {
            return if clean { Ok("untouched") } else { Err(say("said rolled back", &ended)) };
        }
        Ok(o) if o.ending == Ending::Refused && !clean => return Err(say("said refused", &ended)),
        _ => {}
    }
    let mut last = stage.to_the_end(if by_resume { stage.resume() } else { stage.rollback() });
    if matches!(&last, Ok(o) if o.ending == Ending::RollbackIncomplete) || last.is_err() {
        last = stage.to_the_end(stage.rollback());
    }
    if stage.snapshot() == before {
        return Ok("untouched");
    }
    if !stage.is_as_wanted() {
        return Err(say("neither wanted nor untouched", &last));
    }
    let back = stage.to_the_end(stage.rollback());
    if stage.snapshot() == before {
        Ok("wanted")
    } else {
        Err(say("wanted, and cannot go back", &back))
    }
}

#[test]
fn every_fault_at_every_effect_ends_at_one_of_two_ends() {
    let all = std::env::var("XENBOND_FAULTS").is_ok_and(|v| v == "all");
    let mut jobs: Vec<(Scenario, usize, Fault, bool)> = Vec::new();
    let mut lines = String::new();
    for (which, scenario) in SCENARIOS.into_iter().enumerate() {
        let stage = Stage::new(scenario);
        let before = stage.snapshot();
        let (_, ended) = stage.story();
        assert_eq!(ended.unwrap().ending, Ending::RolledBack, "{}", scenario.name);
        assert_eq!(stage.snapshot(), before, "{}", scenario.name);
        let effects = stage.strike.count.load(Ordering::SeqCst);
        let commands = stage.strike.inner.lock().unwrap().commands.clone();
        lines.push_str(&format!("{:<32} {effects} effects\n", scenario.name));
        for at in 1..=effects {
            for (kind, fault) in FAULTS.into_iter().enumerate() {
                if matches!(fault, Fault::Lies | Fault::Hangs) && !commands.contains(&at) {
                    continue;
                }
                if all {
                    jobs.push((scenario, at, fault, true));
                    jobs.push((scenario, at, fault, false));
                } else if (at * 7 + kind * 5 + which * 3) % 101 == 0 {
                    jobs.push((scenario, at, fault, (at + kind) % 2 == 0));
                }
            }
        }
    }
    let total = jobs.len();
    let queue = Mutex::new(jobs);
    let ends: Mutex<BTreeMap<(String, &'static str), usize>> = Mutex::default();
    let failures: Mutex<Vec<String>> = Mutex::default();
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let Some((scenario, at, fault, by_resume)) = queue.lock().unwrap().pop() else {
                        return;
                    };
                    match run(scenario, at, fault, by_resume) {
                        Ok(end) => {
                            *ends.lock().unwrap().entry((format!("{fault:?}"), end)).or_default() +=
                                1
                        }
                        Err(text) => failures.lock().unwrap().push(text),
                    }
                }
            });
        }
    });
    for ((fault, end), count) in ends.into_inner().unwrap() {
        lines.push_str(&format!("{fault:<12} {end:<12} {count}\n"));
    }
    let failures = failures.into_inner().unwrap();
    println!("{lines}{total} faults injected, {} unrecovered", failures.len());
    assert!(
        failures.is_empty(),
        "{} of {total}:\n{}",
        failures.len(),
        failures[..failures.len().min(5)].join("\n")
    );
}
