//! The model of a dom0 under the engine, with everything written down: each step, each command
//! that changes the host, and how it ended. Things can happen to it before or after a command.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use similar::TextDiff;
use xenbond::engine::Observer;
use xenbond::host::{Cmd, Output, Runner, Status};
use xenbond::inventory::Inventory;
use xenbond::model::state::{Pool, State};
use xenbond::model::{Model, builtin};
use xenbond::outcome::StepState;
use xenbond::plan::Plan;
use xenbond::preflight::Finding;

use super::job::Setup;
use crate::dom0::{Dom0, Entry, Snapshot};

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
    let mut state = builtin::seen_from(me, setup.flavour, setup.backend);
    ensure!(state.host().is_some(), "the pool has no {me}");
    if !setup.vms_stay {
        let other = state.pool.hosts.keys().find(|name| *name != me).cloned();
        for vm in state.pool.vms.values_mut() {
            if !vm.is_control_domain && vm.resident_on.as_deref() == Some(me) {
                vm.resident_on.clone_from(&other);
            }
        }
        state.dom0.devices.retain(|_, device| device.kind != "vif");
    }
    // networkd knows what is plugged on the host as it then is.
    let said = setup.patch.pointer("/dom0/networkd").is_some();
    let mut state = patched(&state, &setup.patch)?;
    if !said {
        state.dom0.networkd = xenbond::model::state::Networkd::default();
    }
    Ok(state)
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
    signal: Mutex<Option<Arc<AtomicBool>>>,
}

impl Witness {
    /// A new host, and its witness.
    pub fn new(setup: &Setup, me: &str) -> Result<(Dom0, Arc<Self>)> {
        let dom0 = Dom0::of(pool(setup, me)?);
        let witness = Arc::new(Self {
            model: Arc::clone(&dom0.model),
            log: Mutex::default(),
            commands: Mutex::default(),
            before: Mutex::new(setup.before.clone()),
            after: Mutex::new(setup.after.clone()),
            signal: Mutex::default(),
        });
        Ok((dom0.run_by(witness.clone()), witness))
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// A signal to stop comes as soon as nothing but the disk is waited for.
    pub fn signals_in_the_wait(&self, signal: &Arc<AtomicBool>) {
        *self.signal.lock().unwrap() = Some(Arc::clone(signal));
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

    fn has_background(&self) -> bool {
        false
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
            let line = format!("    (waits for {what}, at most {} s)\n", limit.as_secs());
            // It is said at each look.
            if !self.0.log().ends_with(&line) {
                self.0.say(&line);
            }
        }
        if what.contains("survive a power cut")
            && let Some(signal) = self.0.signal.lock().unwrap().take()
        {
            self.0.say("    (a signal to stop)\n");
            signal.store(true, Ordering::Relaxed);
        }
    }

    fn note(&mut self, text: &str) {
        self.0.say(&format!("note: {text}\n"));
    }

    fn agrees(&mut self, _: &Plan, _: &[Finding], _: &Inventory) -> bool {
        true
    }
}

/// A host at one time, and its records as they were.
pub struct Taken {
    snapshot: Snapshot,
    pool: Pool,
}

impl Taken {
    /// The host now.
    pub fn of(model: &Model) -> Self {
        let state = model.state();
        Self { snapshot: Snapshot::of(model.root(), &state), pool: state.pool }
    }

    fn etc(&self) -> BTreeMap<&str, &Entry> {
        let files = self.snapshot.files.iter().map(|(path, entry)| (path.as_str(), entry));
        files.filter(|(path, entry)| path.starts_with("etc/") && !entry.is_folder).collect()
    }

    /// `/etc` of this host against a later one.
    pub fn files_diff(&self, later: &Self) -> String {
        let mut text = String::new();
        let (all, others) = (self.etc(), later.etc());
        for path in all.keys().chain(others.keys()).collect::<BTreeSet<_>>() {
            let (was, is) = (all.get(path), others.get(path));
            let same = |a: &Entry, b: &Entry| a.text == b.text && a.mode == b.mode;
            if was.zip(is).is_some_and(|(a, b)| same(a, b)) {
                continue;
            }
            let name = |e: Option<&&Entry>| match e {
                Some(e) => format!("/{path} {:04o}", e.mode),
                None => "/dev/null".into(),
            };
            let content = |e: Option<&&Entry>| e.map(|e| e.text.clone()).unwrap_or_default();
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
    pub fn lost(&self, later: &Self) -> Vec<String> {
        let there = later.etc();
        let gone = |path: &str| {
            path.starts_with("etc/sysconfig/network-scripts/") && !there.contains_key(path)
        };
        let foreign = |entry: &Entry| !entry.text.contains("XEMANAGED=yes");
        let lost = self.etc().into_iter().filter(|(path, entry)| gone(path) && foreign(entry));
        lost.map(|(path, _)| path.to_string()).collect()
    }

    /// XAPI's records of this host against those of a later one: the lines that differ.
    pub fn records_diff(&self, later: &Self) -> Result<String> {
        let (was, is) = (records(&self.pool)?, records(&later.pool)?);
        let diff = TextDiff::from_lines(&was, &is);
        let lines = diff.iter_all_changes().filter(|c| c.tag() != similar::ChangeTag::Equal);
        Ok(lines.map(|c| format!("{} {}", c.tag(), c.value())).collect())
    }

    /// Whether a later host is as this one, but for uuids of PIFs and times; the files that have
    /// another time. A file that two bonds share is written anew by each.
    pub fn ensure_same_but_times(&self, later: &Self) -> Result<Vec<String>> {
        let timeless = |taken: &Self| taken.snapshot.clone().timeless();
        let differences = timeless(self).differences(&timeless(later));
        ensure!(differences.is_empty(), "it is not as it was\n{differences}");
        let (was, is) = (self.etc(), later.etc());
        let other = |path: &&str| was.get(path).map(|e| e.time) != is.get(path).map(|e| e.time);
        Ok(was.keys().copied().filter(other).map(String::from).collect())
    }

    /// Whether a later host is as this one, but for uuids of PIFs.
    pub fn ensure_same(&self, later: &Self) -> Result<()> {
        let differences = self.snapshot.differences(&later.snapshot);
        ensure!(differences.is_empty(), "it is not as it was\n{differences}");
        Ok(())
    }
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

#[test]
fn a_merge_patch_sets_and_removes() {
    let mut value = serde_json::json!({"a": {"b": 1, "c": 2}, "d": [1, 2]});
    merge(&mut value, &serde_json::json!({"a": {"b": null, "e": {"f": 3}}, "d": [3]}));
    assert_eq!(value, serde_json::json!({"a": {"c": 2, "e": {"f": 3}}, "d": [3]}));
}
