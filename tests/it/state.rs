//! The state that an earlier build left: whole folders of it, with the host as it was then, are
//! kept in `tests/it/state/`, and every later version rolls each back to the end, byte for byte.
//!
//! Until the first release a change of the format makes them anew, and says so:
//! `UPDATE_STATE=1 cargo test --test it state`.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};
use xenbond::engine::{Engine, Observer, Signals};
use xenbond::host::{Clock, Effect, Host, Kind, Runner, Watch, join};
use xenbond::inventory::Inventory;
use xenbond::ledger::Orders;
use xenbond::model::state::{Backend, Flavour, State};
use xenbond::model::{Model, builtin};
use xenbond::outcome::{Ending, Outcome, StepState};
use xenbond::plan::Plan;
use xenbond::preflight::Finding;
use xenbond::rehearse::differences;
use xenbond::render::Templates;
use xenbond::spec::{Raw, Request};

const OURS: &str = "/var/lib/xenbond";

/// A kept state: its name, the host that it is of, and how it came about.
const CASES: [(&str, Flavour, Backend); 3] = [
    ("done", Flavour::El7, Backend::Bridge),
    ("waiting-for-reboot", Flavour::El5, Backend::Openvswitch),
    ("rollback-cut-off", Flavour::El5, Backend::Bridge),
];

/// The host at that moment, and what it was before anything was touched.
#[derive(Serialize, Deserialize)]
struct Kept {
    state: State,
    files: BTreeMap<String, Kind>,
    before: BTreeMap<String, String>,
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

/// Lets so many commands through, and nothing after them.
struct Cut(AtomicUsize, AtomicBool);

impl Watch for Cut {
    fn before(&self, effect: &Effect<'_>) -> Result<()> {
        if matches!(effect, Effect::Run(_)) && self.0.fetch_sub(1, Ordering::SeqCst) == 0 {
            self.1.store(true, Ordering::SeqCst);
        }
        if self.1.load(Ordering::SeqCst) {
            bail!("cut off");
        }
        Ok(())
    }
    fn after(&self, _: &Effect<'_>) -> Result<()> {
        Ok(())
    }
}

struct Dom0 {
    folder: tempfile::TempDir,
    model: Arc<Model>,
    host: Host,
}

impl Dom0 {
    fn new(state: State) -> Self {
        let folder = xenbond::model::scratch().unwrap();
        let model = Arc::new(Model::create(folder.path(), state).unwrap());
        let runner = Arc::clone(&model) as Arc<dyn Runner>;
        let host = Host::new(folder.path(), runner, Arc::clone(&model) as Arc<dyn Clock>);
        Self { folder, model, host }
    }

    fn run(&self, host: &Host, act: impl FnOnce(&Engine<'_>) -> Result<Outcome>) -> Ending {
        let (templates, signals) = (Templates::load(None).unwrap(), Signals::default());
        let (accepted, orders) = (&[][..], Orders::default());
        let outcome =
            act(&Engine { host, templates: &templates, accepted, orders, signals: &signals });
        let outcome = outcome.unwrap();
        println!("{:?}", outcome.error);
        outcome.ending
    }

    /// Every file below `/etc`.
    fn files(&self) -> BTreeMap<String, Kind> {
        let (mut all, mut folders) = (BTreeMap::new(), vec!["/etc".to_string()]);
        while let Some(folder) = folders.pop() {
            for name in self.host.list(&folder).unwrap() {
                let path = join(&folder, &name);
                match self.host.original(&path).unwrap().was {
                    Kind::Other => folders.push(path),
                    mut kind => {
                        if let Kind::File { xattrs, .. } = &mut kind {
                            xattrs.clear();
                        }
                        all.insert(path, kind);
                    }
                }
            }
        }
        all
    }

    /// What a rollback must bring back.
    fn view(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        for (path, kind) in self.files() {
            all.insert(path, serde_json::to_string(&kind).unwrap());
        }
        let state = self.model.state();
        for (key, pif) in &state.pool.pifs {
            let mut value = serde_json::to_value(pif).unwrap();
            value.as_object_mut().unwrap().remove("uuid");
            all.insert(format!("PIF {key}"), value.to_string());
        }
        all.insert("running".into(), state.dom0.running.word().into());
        all.insert("bonds".into(), format!("{:?}", state.dom0.bonds.keys()));
        for (name, nic) in &state.dom0.nics {
            all.insert(format!("NIC {name}"), format!("{} {:?}", nic.mtu, nic.master));
        }
        all
    }

    fn ours(&self) -> PathBuf {
        self.folder.path().join(&OURS[1..])
    }
}

fn request() -> Request {
    let mut raw = Raw::default();
    let text = "[bond]\nname=bond51\nnics=eth2,eth3\nmtu=9000\naddress=172.16.51.11/24\n";
    raw.file("spec", text).unwrap();
    raw.finish().unwrap()
}

fn folder(case: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/state").join(case)
}

/// A tree with its links. What git does not keep, the rights, is given anew: all of it is root's
/// alone, and scripts can be run.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().unwrap();
        if kind.is_symlink() {
            symlink(fs::read_link(from).unwrap(), to).unwrap();
        } else if kind.is_dir() {
            copy(&from, &to);
        } else {
            let runs = from.metadata().unwrap().permissions().mode() & 0o100;
            fs::copy(from, &to).unwrap();
            fs::set_permissions(to, fs::Permissions::from_mode(0o600 | runs)).unwrap();
        }
    }
    fs::set_permissions(to, fs::Permissions::from_mode(0o700)).unwrap();
}

/// Leads a host to the state and keeps it.
fn make(case: &str, flavour: Flavour, backend: Backend) {
    let mut state = builtin::pool(flavour, backend);
    state.pool.vms.values_mut().filter(|vm| !vm.is_control_domain).for_each(|vm| {
        vm.resident_on = Some("xen02".into());
    });
    let dom0 = Dom0::new(state);
    let lines = "DEVICE=backup0\nONBOOT=no\n";
    fs::write(dom0.folder.path().join("etc/sysconfig/network-scripts/ifcfg-backup0"), lines)
        .unwrap();
    let before = dom0.view();
    let ending = dom0.run(&dom0.host, |e| e.apply(&request(), |_| Ok(()), &mut Silent));
    let want = if backend == Backend::Bridge { Ending::Done } else { Ending::WaitingForReboot };
    assert_eq!(ending, want, "{case}");
    if case == "rollback-cut-off" {
        let cut = Arc::new(Cut(AtomicUsize::new(2), AtomicBool::new(false)));
        let host = dom0.host.clone().watched(cut);
        let ending =
            dom0.run(&host, |e| e.rollback(&xenbond::engine::Aim::Newest, |_| true, &mut Silent));
        assert_eq!(ending, Ending::RollbackIncomplete);
    }
    let to = folder(case);
    let _ = fs::remove_dir_all(&to);
    copy(&dom0.ours(), &to.join("xenbond"));
    let kept = Kept { state: dom0.model.state(), files: dom0.files(), before };
    fs::write(to.join("host.json"), serde_json::to_string_pretty(&kept).unwrap() + "\n").unwrap();
}

/// Whoever runs the test takes the place of the user that made the files.
fn as_me(text: &str) -> String {
    let (uid, gid) = (nix::unistd::geteuid(), nix::unistd::getegid());
    let mine = |text: &str, name: &str, id: u32| {
        let text = text.replace(&format!("\"{name}\": 0"), &format!("\"{name}\": {id}"));
        text.replace(&format!("\\\"{name}\\\":0"), &format!("\\\"{name}\\\":{id}"))
    };
    mine(&mine(text, "uid", uid.as_raw()), "gid", gid.as_raw())
}

fn rolls_back(case: &str) {
    let text = fs::read_to_string(folder(case).join("host.json")).unwrap();
    let kept: Kept = serde_json::from_str(&as_me(&text)).unwrap();
    let dom0 = Dom0::new(kept.state);
    for path in dom0.files().keys().filter(|path| !kept.files.contains_key(*path)) {
        dom0.host.put(path, &Kind::Absent).unwrap();
    }
    for (path, kind) in &kept.files {
        dom0.host.put(path, kind).unwrap();
    }
    copy(&folder(case).join("xenbond"), &dom0.ours());
    for id in fs::read_dir(dom0.ours().join("history")).unwrap().map(Result::unwrap) {
        let plan = id.path().join("plan.json");
        fs::write(&plan, as_me(&fs::read_to_string(&plan).unwrap())).unwrap();
        let _ = fs::create_dir(id.path().join("originals"));
    }
    assert_ne!(differences(&kept.before, &dom0.view()), [""; 0], "{case}: nothing to roll back");
    let ending =
        dom0.run(&dom0.host, |e| e.rollback(&xenbond::engine::Aim::Newest, |_| true, &mut Silent));
    assert_eq!(ending, Ending::RolledBack, "{case}");
    assert_eq!(differences(&kept.before, &dom0.view()), [""; 0], "{case}");
    assert!(!dom0.host.exists(&join(OURS, "current")), "{case}");
}

#[test]
fn the_state_of_an_earlier_build_is_rolled_back_to_the_end() {
    if std::env::var_os("UPDATE_STATE").is_some() {
        assert!(std::env::var_os("CI").is_none(), "UPDATE_STATE is for people, not for CI");
        CASES.iter().for_each(|(case, flavour, backend)| make(case, *flavour, *backend));
    }
    CASES.iter().for_each(|(case, ..)| rolls_back(case));
    let kept = fs::read_dir(folder("")).unwrap().count();
    assert_eq!(kept, CASES.len(), "a folder in tests/it/state that no test reads");
}
