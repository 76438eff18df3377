//! The model of a dom0 under the engine, with everything written down: each step, each command
//! that changes the host, and how it ended. Things can happen to it before or after a command.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use similar::TextDiff;
use xenbond::engine::Observer;
use xenbond::host::{Cmd, Host, Output, Runner, Status};
use xenbond::inventory::Inventory;
use xenbond::model::state::{Dom0, Pool, State};
use xenbond::model::{Model, builtin};
use xenbond::outcome::StepState;
use xenbond::plan::Plan;
use xenbond::preflight::Finding;

use super::job::Setup;

/// Takes `patch` into `value` (RFC 7396).
pub fn merge(value: &mut Value, patch: &Value) {
    let Value::Object(fields) = patch else {
        *value = patch.clone();
        return;
    };
    if !value.is_object() {
        *value = Value::Object(serde_json::Map::new());
    }
    for (key, patch) in fields {
        let object = value.as_object_mut().unwrap();
        if patch.is_null() {
            object.remove(key);
        } else {
            merge(object.entry(key).or_insert(Value::Null), patch);
        }
    }
}

fn patched(state: &State, patch: &Value) -> Result<State> {
    let mut value = serde_json::to_value(state)?;
    merge(&mut value, patch);
    serde_json::from_value(value).context("the patch makes no state of the model")
}

/// The built-in pool as one of its hosts sees it.
fn pool(setup: &Setup, me: &str) -> Result<State> {
    let mut state = builtin::pool(setup.flavour, setup.backend);
    if me != state.dom0.me {
        let number = me.trim_start_matches("xen");
        let text = serde_json::to_string(&state.dom0)?
            .replace("00:1b:21:0a:01:", &format!("00:1b:21:0a:{number}:"))
            .replace("10.20.0.11/", &format!("10.20.0.1{}/", number.trim_start_matches('0')))
            .replace("\"me\":\"xen01\"", &format!("\"me\":\"{me}\""));
        state.dom0 = serde_json::from_str(&text)?;
        ensure!(state.host().is_some(), "the pool has no {me}");
    }
    if !setup.vms_stay {
        let other = state.pool.hosts.keys().find(|name| *name != me).cloned();
        for vm in state.pool.vms.values_mut() {
            if !vm.is_control_domain && vm.resident_on.as_deref() == Some(me) {
                vm.resident_on.clone_from(&other);
            }
        }
        state.dom0.devices.retain(|_, device| device.kind != "vif");
    }
    patched(&state, &setup.patch)
}

/// What may happen at a command.
type Events = BTreeMap<String, Value>;

/// The model as runner, with a witness.
pub struct Witness {
    model: Arc<Model>,
    log: Mutex<String>,
    commands: Mutex<Vec<Cmd>>,
    before: Mutex<Events>,
    after: Mutex<Events>,
}

impl Witness {
    /// A new host under `root`.
    pub fn new(root: &Path, setup: &Setup, me: &str) -> Result<Arc<Self>> {
        let model = Arc::new(Model::create(root, pool(setup, me)?)?);
        Ok(Arc::new(Self {
            model,
            log: Mutex::default(),
            commands: Mutex::default(),
            before: Mutex::new(setup.before.clone()),
            after: Mutex::new(setup.after.clone()),
        }))
    }

    /// The seam that the engine works through.
    pub fn host(self: &Arc<Self>) -> Host {
        let clock = Arc::clone(&self.model);
        Host::new(self.model.root(), Arc::clone(self) as Arc<dyn Runner>, clock)
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Writes down a line.
    pub fn say(&self, text: &str) {
        self.log.lock().unwrap().push_str(text);
    }

    /// All that was written down.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// The changing commands since the last call.
    pub fn take_commands(&self) -> Vec<Cmd> {
        std::mem::take(&mut self.commands.lock().unwrap())
    }

    /// Whether everything that was to happen has happened.
    pub fn is_over(&self) -> bool {
        self.before.lock().unwrap().is_empty() && self.after.lock().unwrap().is_empty()
    }

    fn happen(&self, events: &Mutex<Events>, cmd: &Cmd) -> Result<()> {
        let Some(patch) = events.lock().unwrap().remove(&cmd.to_string()) else { return Ok(()) };
        let state = patched(&self.model.state(), &patch)?;
        self.model.change(|now| *now = state);
        self.say(&format!("    (meanwhile: {patch})\n"));
        Ok(())
    }
}

impl Runner for Witness {
    fn run(&self, cmd: &Cmd) -> Result<Output> {
        self.happen(&self.before, cmd)?;
        let pool = self.model.state().pool;
        let output = self.model.run(cmd)?;
        let now = self.model.state();
        if cmd.changes {
            self.commands.lock().unwrap().push(cmd.clone());
            let how = match output.status {
                Status::Exited(0) => String::new(),
                Status::Exited(code) => format!("  -> exit {code}"),
                Status::Signalled(signal) => format!("  -> signal {signal}"),
                Status::TimedOut => "  -> killed at its limit".into(),
            };
            let none = now.dom0.transcript.last().is_some_and(|ran| !ran.changed);
            self.say(&format!("    $ {cmd}{how}{}\n", if none { "  (no effect)" } else { "" }));
        } else {
            ensure!(pool == now.pool, "`{cmd}` is said to look only, and changed XAPI's records");
        }
        self.happen(&self.after, cmd)?;
        Ok(output)
    }

    fn own_program(&self) -> Result<Vec<u8>> {
        self.model.own_program()
    }

    fn detach(&self, path: &str, args: &[&str], log: &str) -> Result<()> {
        self.model.detach(path, args, log)
    }
}

/// Hears the engine, and agrees.
pub struct Scribe<'a>(pub &'a Witness);

impl Observer for Scribe<'_> {
    fn begins(&mut self, number: usize, total: usize, title: &str) {
        self.0.say(&format!("[{number}/{total}] {title}\n"));
    }

    fn ended(&mut self, state: StepState, took: Duration) {
        let word = serde_json::to_value(state).unwrap();
        let word = word.as_str().unwrap().to_string();
        self.0.say(&format!("    {word}, {:.1} s\n", took.as_secs_f64()));
    }

    fn waits(&mut self, what: &str, limit: Duration) {
        // Every resume waits for XAPI; what a step waits for is its own.
        if what != "XAPI to answer" {
            self.0.say(&format!("    (waits for {what}, at most {} s)\n", limit.as_secs()));
        }
    }

    fn note(&mut self, text: &str) {
        self.0.say(&format!("note: {text}\n"));
    }

    fn agrees(&mut self, _: &Plan, _: &[Finding], _: &Inventory) -> bool {
        true
    }
}

/// A file or link.
#[derive(Clone, PartialEq, Eq)]
struct Entry {
    text: String,
    mode: u32,
    time: (i64, i64),
}

/// A host at one time.
pub struct Snapshot {
    etc: BTreeMap<String, Entry>,
    pool: Pool,
    dom0: Dom0,
}

impl Snapshot {
    /// The host now.
    pub fn of(model: &Model) -> Result<Self> {
        let mut etc = BTreeMap::new();
        entries(&model.root().join("etc"), "/etc", &mut etc)?;
        let State { pool, dom0 } = model.state();
        Ok(Self { etc, pool, dom0 })
    }

    /// `/etc` of this host against a later one.
    pub fn files_diff(&self, later: &Self) -> String {
        let mut text = String::new();
        let paths = self.etc.keys().chain(later.etc.keys());
        for path in paths.collect::<std::collections::BTreeSet<_>>() {
            let (was, is) = (self.etc.get(path), later.etc.get(path));
            let same = |a: &Entry, b: &Entry| a.text == b.text && a.mode == b.mode;
            if was.zip(is).is_some_and(|(a, b)| same(a, b)) {
                continue;
            }
            let name = |e: Option<&Entry>| match e {
                Some(e) => format!("{path} {:04o}", e.mode),
                None => "/dev/null".into(),
            };
            let content = |e: Option<&Entry>| e.map(|e| e.text.clone()).unwrap_or_default();
            let diff = TextDiff::from_lines(content(was), content(is))
                .unified_diff()
                .header(&name(was), &name(is))
                .to_string();
            text.push_str(&diff);
        }
        text
    }

    /// Boot configuration that is lost on a later host, XAPI's own aside: the switch script of old
    /// releases deletes it all, and whoever runs it must put it back.
    pub fn lost(&self, later: &Self) -> Vec<&String> {
        let ours = |path: &str| path.starts_with("/etc/sysconfig/network-scripts/");
        let gone = |path: &String| ours(path) && !later.etc.contains_key(path);
        let foreign = |entry: &Entry| !entry.text.contains("XEMANAGED=yes");
        self.etc.iter().filter(|(p, entry)| gone(p) && foreign(entry)).map(|(p, _)| p).collect()
    }

    /// XAPI's records of this host against those of a later one: the lines that differ.
    pub fn records_diff(&self, later: &Self) -> Result<String> {
        let (was, is) = (records(&self.pool)?, records(&later.pool)?);
        let diff = TextDiff::from_lines(&was, &is);
        let lines = diff.iter_all_changes().filter(|c| c.tag() != similar::ChangeTag::Equal);
        Ok(lines.map(|c| format!("{} {}", c.tag(), c.value())).collect())
    }

    /// Whether a later host is as this one, but for uuids of PIFs.
    pub fn ensure_same(&self, later: &Self) -> Result<()> {
        let diff = self.files_diff(later);
        ensure!(diff.is_empty(), "/etc is not as it was\n{diff}");
        for (path, was) in &self.etc {
            let is = &later.etc[path];
            ensure!(was.time == is.time, "{path} has another time than it had");
        }
        for (key, pif) in &self.pool.pifs {
            let other = pif.host != self.dom0.me || !pif.physical;
            let uuid = later.pool.pifs.get(key).map(|p| &p.uuid);
            ensure!(!other || uuid == Some(&pif.uuid), "the PIF {key} has another uuid");
        }
        let (was, is) = (anonymous(&self.pool), anonymous(&later.pool));
        ensure!(was == is, "XAPI's records are not as they were\n{}", self.records_diff(later)?);
        let (was, is) = (kernel(&self.dom0)?, kernel(&later.dom0)?);
        let diff = TextDiff::from_lines(&was, &is).unified_diff().to_string();
        ensure!(was == is, "the kernel is not as it was\n{diff}");
        Ok(())
    }
}

fn entries(folder: &Path, name: &str, all: &mut BTreeMap<String, Entry>) -> Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("reading {name}"))? {
        let entry = entry?;
        let path = format!("{name}/{}", entry.file_name().to_string_lossy());
        let meta = entry.metadata()?;
        if meta.is_dir() {
            entries(&entry.path(), &path, all)?;
            continue;
        }
        // The time and mode of a link say nothing.
        let link = meta.is_symlink();
        let text = if link {
            format!("a link to {}\n", std::fs::read_link(entry.path())?.display())
        } else {
            String::from_utf8_lossy(&std::fs::read(entry.path())?).into_owned()
        };
        let mode = if link { 0o777 } else { meta.permissions().mode() & 0o7777 };
        let time = if link { (0, 0) } else { (meta.mtime(), meta.mtime_nsec()) };
        all.insert(path, Entry { text, mode, time });
    }
    Ok(())
}

/// One field of one record on each line.
fn records(pool: &Pool) -> Result<String> {
    let mut text = String::new();
    let mut add = |kind: &str, key: &str, record: &Value| {
        for (field, value) in record.as_object().into_iter().flatten() {
            text.push_str(&format!("{kind} {key} {field}: {value}\n"));
        }
    };
    for (key, pif) in &pool.pifs {
        add("PIF", key, &serde_json::to_value(pif)?);
    }
    for (key, network) in &pool.networks {
        add("network", key, &serde_json::to_value(network)?);
    }
    for (key, host) in &pool.hosts {
        add("host", key, &serde_json::to_value(&host.software_version)?);
    }
    Ok(text)
}

fn anonymous(pool: &Pool) -> Pool {
    let mut pool = pool.clone();
    pool.counter = 0;
    pool.pifs.values_mut().for_each(|pif| pif.uuid.clear());
    pool
}

/// What a change of the network may leave behind in a kernel: not cables, nor what time changes.
fn kernel(dom0: &Dom0) -> Result<String> {
    let Dom0 { running, mut nics, mut bonds, devices, addresses, routes, .. } = dom0.clone();
    nics.values_mut().for_each(|nic| nic.link = true);
    for slave in bonds.values_mut().flat_map(|bond| &mut bond.slaves) {
        (slave.until, slave.lacp_at, slave.failures) = (None, 0, 0);
        slave.status.clear();
    }
    let addresses: BTreeMap<_, _> = addresses.iter().filter(|(_, all)| !all.is_empty()).collect();
    let value = serde_json::json!({
        "running": running, "nics": nics, "bonds": bonds, "devices": devices,
        "addresses": addresses, "routes": routes,
    });
    Ok(format!("{value:#}\n"))
}

#[test]
fn a_merge_patch_sets_and_removes() {
    let mut value = serde_json::json!({"a": {"b": 1, "c": 2}, "d": [1, 2]});
    merge(&mut value, &serde_json::json!({"a": {"b": null, "e": {"f": 3}}, "d": [3]}));
    assert_eq!(value, serde_json::json!({"a": {"c": 2, "e": {"f": 3}}, "d": [3]}));
}
