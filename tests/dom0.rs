//! A dom0 for tests: the model with its own time, in a folder that goes with the value, and the
//! seam on it; and what of a host must be as it was. One for the tests beside the code and for
//! those of the whole: a test that needs more adds that by an `impl Dom0` of its own.
#![allow(dead_code, clippy::unwrap_used, reason = "each of the two test programs uses a part")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use xenbond::engine::{Engine, Observer, Signals};
use xenbond::host::{Host, Runner, Watch};
use xenbond::inventory::Inventory;
use xenbond::ledger::Orders;
use xenbond::model::state::{Backend, Flavour, Pif, State};
use xenbond::model::{Model, builtin};
use xenbond::outcome::StepState;
use xenbond::plan::Plan;
use xenbond::preflight::Finding;
use xenbond::render::Templates;
use xenbond::spec::{Raw, Request};

/// A host.
pub struct Dom0 {
    pub model: Arc<Model>,
    pub host: Host,
    _folder: Option<tempfile::TempDir>,
}

impl Dom0 {
    /// The built-in pool's master.
    pub fn new(flavour: Flavour, backend: Backend) -> Self {
        Self::of(builtin::pool(flavour, backend))
    }

    /// The same, altered before its files are made.
    pub fn altered(flavour: Flavour, backend: Backend, alter: impl FnOnce(&mut State)) -> Self {
        let mut state = builtin::pool(flavour, backend);
        alter(&mut state);
        Self::of(state)
    }

    /// A host in this state.
    pub fn of(state: State) -> Self {
        let folder = xenbond::model::scratch().unwrap();
        let model = Arc::new(Model::create(folder.path(), state).unwrap());
        Self { _folder: Some(folder), ..Self::around(model) }
    }

    /// The host that this model is.
    pub fn around(model: Arc<Model>) -> Self {
        let host = Host::new(model.root(), model.clone(), model.clone());
        Self { model, host, _folder: None }
    }

    /// The same host, with another in the place of the model's programs.
    pub fn run_by(mut self, runner: Arc<dyn Runner>) -> Self {
        self.host = Host::new(self.model.root(), runner, self.model.clone());
        self
    }

    /// The same host, with every effect shown to `watch` too.
    pub fn watched(mut self, watch: Arc<dyn Watch>) -> Self {
        self.host = self.host.watched(watch);
        self
    }

    /// Where its files lie.
    pub fn root(&self) -> &Path {
        self.model.root()
    }

    /// A path of the host, in its root.
    pub fn at(&self, path: &str) -> PathBuf {
        self.root().join(path.trim_start_matches('/'))
    }

    /// Alters the state.
    pub fn change(&self, alter: impl FnOnce(&mut State)) -> &Self {
        self.model.change(alter);
        self
    }

    /// An engine on it, which is told nothing more than these orders.
    pub fn engine<T>(&self, orders: Orders, act: impl FnOnce(&Engine<'_>) -> T) -> T {
        let (templates, signals) = (Templates::load(None).unwrap(), Signals::default());
        let (host, accepted) = (&self.host, &[][..]);
        act(&Engine { host, templates: &templates, accepted, orders, signals: &signals })
    }

    /// The host now.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::of(self.root(), &self.model.state())
    }
}

/// Moves the machines of `xen01` to another host.
pub fn evacuate(state: &mut State) {
    for vm in state.pool.vms.values_mut().filter(|vm| !vm.is_control_domain) {
        if vm.resident_on.as_deref() == Some("xen01") {
            vm.resident_on = Some("xen02".into());
        }
    }
}

/// XAPI's record of a NIC of `xen01`.
pub fn pif<'a>(state: &'a mut State, nic: &str) -> &'a mut Pif {
    state.pool.pifs.get_mut(&format!("xen01/{nic}")).unwrap()
}

/// The usual bond, with more settings or others.
pub fn request(more: &[(&'static str, &str)]) -> Request {
    let usual = [("name", "bond51"), ("nics", "eth2,eth3"), ("address", "172.16.51.11/24")];
    let mut raw = Raw::default();
    for (key, value) in usual.iter().filter(|(key, _)| more.iter().all(|(k, _)| k != key)) {
        raw.flag(key, key, (*value).to_string());
    }
    for (key, value) in more {
        raw.flag(key, key, (*value).to_string());
    }
    raw.finish().unwrap()
}

/// Hears the engine, keeps its notes, and agrees to everything.
#[derive(Default)]
pub struct Notes(pub Vec<String>);

impl Observer for Notes {
    fn begins(&mut self, _: usize, _: usize, _: &str) {}
    fn ended(&mut self, _: StepState, _: Duration) {}
    fn note(&mut self, text: &str) {
        self.0.push(text.to_string());
    }
    fn agrees(&mut self, _: &Plan, _: &[Finding], _: &Inventory) -> bool {
        true
    }
}

/// A file, link or folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its content, or what it is.
    pub text: String,
    pub mode: u32,
    pub is_folder: bool,
    owner: (u32, u32),
    pub time: (i64, i64),
}

/// Everything of a host that a rollback must bring back, from outside the program's own state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// By path in the root.
    pub files: BTreeMap<String, Entry>,
    /// The kernel and XAPI's records, by name.
    facts: BTreeMap<String, String>,
}

/// Not files of the host that a rollback must bring back: the model's own, what shows the kernel,
/// the program's own state, and the stores of XAPI and networkd, which count what was written to
/// them. What they hold is compared as the pool's records.
const NOT_FILES: [&str; 5] = [".dom0", "proc", "sys", "var/lib/xenbond", "var/lib/xcp"];

impl Snapshot {
    /// The host in this root, with this state.
    pub fn of(root: &Path, state: &State) -> Self {
        let mut files = BTreeMap::new();
        walk(root, root, &NOT_FILES.map(|path| root.join(path)), &mut files);
        // XAPI writes it whenever the management moves.
        if let Some(entry) = files.get_mut("etc/xensource-inventory") {
            entry.time = Default::default();
        }
        Self { files, facts: facts(state) }
    }

    /// What is not as it was, one line each.
    pub fn differences(&self, now: &Self) -> String {
        let mut text = String::new();
        differ(&self.files, &now.files, &mut text);
        differ(&self.facts, &now.facts, &mut text);
        text
    }

    /// What an installer does to a host that it upgrades: the system is as it was installed, this
    /// snapshot, but for what it takes over, which is the backend with its files and the management
    /// interface. What xenbond keeps is gone.
    pub fn install(&self, root: &Path, state: &State) {
        let kept = |path: &str| {
            let is = |word: &str| path.contains(word) && !path.contains("/.");
            is("network.conf")
                || is("openvswitch")
                || is("blacklist")
                || is("ifcfg-xenbr")
                || is("ifcfg-eth0")
        };
        let mut files = Self::of(root, state).files;
        files.retain(|path, _| path.starts_with("etc/"));
        for (path, is) in files.iter().rev() {
            let was = self.files.get(path);
            if kept(path) || is.is_folder || was.is_some_and(|was| was.text == is.text) {
                continue;
            }
            match was {
                Some(was) => fs::write(root.join(path), &was.text).unwrap(),
                None => fs::remove_file(root.join(path)).unwrap(),
            }
        }
        let gone = self.files.iter().filter(|(path, was)| {
            !was.is_folder && !files.contains_key(*path) && path.starts_with("etc/") && !kept(path)
        });
        for (path, was) in gone {
            match was.text.strip_prefix("a link to ") {
                Some(to) => std::os::unix::fs::symlink(to.trim_end(), root.join(path)).unwrap(),
                None => fs::write(root.join(path), &was.text).unwrap(),
            }
        }
        let _ = fs::remove_dir_all(root.join("var/lib/xenbond"));
    }

    /// The same but for the times and owners of its files.
    pub fn timeless(mut self) -> Self {
        for entry in self.files.values_mut() {
            (entry.time, entry.owner) = ((0, 0), (0, 0));
        }
        self
    }
}

fn differ<T: PartialEq + std::fmt::Debug>(
    before: &BTreeMap<String, T>,
    now: &BTreeMap<String, T>,
    text: &mut String,
) {
    for (key, was) in before {
        match now.get(key) {
            Some(is) if is == was => {}
            Some(is) => writeln!(text, "{key}: was {was:?}, is {is:?}").unwrap(),
            None => writeln!(text, "{key}: was {was:?}, is gone").unwrap(),
        }
    }
    for (key, is) in now.iter().filter(|(key, _)| !before.contains_key(*key)) {
        writeln!(text, "{key}: is new: {is:?}").unwrap();
    }
}

/// Every file below `folder`, by its path from `base`.
pub fn walk(base: &Path, folder: &Path, but: &[PathBuf], all: &mut BTreeMap<String, Entry>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if but.contains(&path) {
            continue;
        }
        let meta = path.symlink_metadata().unwrap();
        let (mode, owner) = (meta.permissions().mode() & 0o7777, (meta.uid(), meta.gid()));
        let plain = meta.is_file();
        // The time and mode of a link say nothing, and a folder's time is its files'.
        let (text, mode) = if meta.is_symlink() {
            (format!("a link to {}\n", fs::read_link(&path).unwrap().display()), 0o777)
        } else if meta.is_dir() {
            walk(base, &path, but, all);
            ("a folder".to_string(), mode)
        } else {
            let text = String::from_utf8(fs::read(&path).unwrap());
            (text.unwrap_or_else(|e| e.as_bytes().escape_ascii().to_string()), mode)
        };
        let time = if plain { (meta.mtime(), meta.mtime_nsec()) } else { (0, 0) };
        let name = path.strip_prefix(base).unwrap().to_str().unwrap().to_string();
        all.insert(name, Entry { text, mode, is_folder: meta.is_dir(), owner, time });
    }
}

/// What a change of the network may leave behind in the kernel and in XAPI's records: not what
/// time alone changes, nor the uuid of a NIC, of which XAPI gives another after a forget.
fn facts(state: &State) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let dom0 = serde_json::to_value(&state.dom0).unwrap();
    for part in ["running", "nics", "devices", "addresses", "routes"] {
        flatten(&format!("dom0.{part}"), &dom0[part], &mut all);
    }
    for (name, bond) in dom0["bonds"].as_object().unwrap() {
        let mut bond = bond.clone();
        bond.as_object_mut().unwrap().remove("active");
        for slave in bond["slaves"].as_array_mut().unwrap() {
            for field in ["status", "until", "lacp_at", "failures"] {
                slave.as_object_mut().unwrap().remove(field);
            }
        }
        flatten(&format!("dom0.bonds.{name}"), &bond, &mut all);
    }
    flatten("pool", &serde_json::to_value(&state.pool).unwrap(), &mut all);
    let mine = state.pool.pifs.iter().filter(|(_, p)| p.host == state.dom0.me && p.physical);
    for (key, _) in mine {
        all.remove(&format!("pool.pifs.{key}.uuid"));
    }
    all.retain(|key, value| {
        // Ports of machines that were moved away go with the next boot; a cable is nobody's work.
        let away = key.starts_with("dom0.devices.vif");
        let cable = key.starts_with("dom0.nics.") && key.ends_with(".link");
        let empty = key.starts_with("dom0.addresses.") && value == "[]";
        !away && !cable && !empty && key != "pool.counter"
    });
    all
}

fn flatten(name: &str, value: &Value, all: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                flatten(&format!("{name}.{key}"), value, all);
            }
        }
        other => {
            all.insert(name.to_string(), other.to_string());
        }
    }
}
