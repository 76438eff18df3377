//! The model of a dom0 behind the same seam as a real one: its programs run in process over a
//! small state (XAPI's database, the kernel) and the real files of a root. It is for `rehearse`
//! and the tests, and it is meant to be no kinder than a dom0: commands that exit 0 and did
//! nothing, options refused in passing, files deleted by the way (facts/).

mod bonding;
mod boot;
pub mod builtin;
mod ifcfg_shell;
mod ifup;
mod kernel;
mod modprobe;
mod networkd;
mod pool;
mod proc_bonding;
pub mod recorded;
mod root;
mod routes_text;
mod scripts;
mod services;
mod shell;
mod slaves;
pub mod state;
#[cfg(test)]
mod tests;
mod tree;
mod xe;
mod xe_host;
mod xe_pif;
mod xe_records;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};

use crate::host::{Clock, Cmd, Output, Runner, Status};
use shell::Shell;
pub use state::State;
use state::{Bond, Dom0, How, Pool, Ran};

/// 2026-11-20T13:00:00Z, when every model's clock starts.
const START: u64 = 1_795_179_600;

/// Where the state is kept, below the root.
const FOLDER: &str = ".dom0";

/// There while `/proc` and `/sys` show the state that is kept.
const SHOWN: &str = "shown";

/// A folder for a model, in memory where the machine has such a place: a model writes and syncs
/// hundreds of small files.
///
/// # Errors
/// When no folder can be made.
pub fn scratch() -> std::io::Result<tempfile::TempDir> {
    let mut builder = tempfile::Builder::new();
    let builder = builder.prefix("xenbond-");
    builder.tempdir_in("/dev/shm").or_else(|_| builder.tempdir())
}

/// A dom0 that is a folder and a state.
pub struct Model {
    root: PathBuf,
    inner: Mutex<Inner>,
}

struct Inner {
    state: State,
    /// What was last written under `/proc` and `/sys`.
    tree: tree::Tree,
    /// What the guard of a confirmation holds while it lives.
    guard: Option<fs::File>,
    /// The kernel that it shows; `None` where the files may have been altered since.
    shown: Option<Dom0>,
    /// What `xe` answered to questions, as long as neither XAPI's records nor the kernel change.
    answers: (Pool, BTreeMap<Vec<String>, Answer>),
}

/// What `xe` answered: status, stdout, stderr, and the virtual time that it took, in ms.
type Answer = (i32, String, String, u64);

impl Model {
    /// Makes a host under `root` with all its files. Only [`Self::save`] keeps its state there.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn create(root: &Path, mut state: State) -> Result<Self> {
        fs::create_dir_all(root.join(FOLDER)).context("making the model's folder")?;
        root::write(root, &mut state)?;
        let model = Self {
            root: root.to_path_buf(),
            inner: Mutex::new(Inner::new(state, tree::Tree::new())),
        };
        model.lock().show(root)?;
        Ok(model)
    }

    /// The host that was made under `root` before.
    ///
    /// # Errors
    /// When its state cannot be read.
    pub fn open(root: &Path) -> Result<Self> {
        let pool: Pool = load(&root.join(FOLDER).join("pool.json"))?;
        let dom0: Dom0 = load(&root.join(FOLDER).join("host.json"))?;
        let state = State { pool, dom0 };
        let wanted = tree::wanted(&state.dom0);
        // In the lab the kernel is real and nobody reads these files: reading them back on every
        // call would be most of the work.
        let bare = root.join(FOLDER).join("bare").exists();
        // Nor is there a need where whoever was here last came to an end and left them as they are
        // to be. What was written into them since is taken by `absorb`.
        let shown = fs::remove_file(root.join(FOLDER).join(SHOWN)).is_ok();
        let tree = if bare || shown { wanted } else { tree::present(root, &wanted) };
        let mut inner = Inner::new(state, tree);
        inner.shown = shown.then(|| without_notes(&mut inner.state.dom0));
        Ok(Self { root: root.to_path_buf(), inner: Mutex::new(inner) })
    }

    /// Keeps the state under the root.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self) -> Result<()> {
        let inner = self.lock();
        store(&self.root.join(FOLDER).join("pool.json"), &inner.state.pool)?;
        store(&self.root.join(FOLDER).join("host.json"), &inner.state.dom0)?;
        if inner.shown.is_some() {
            fs::write(self.root.join(FOLDER).join(SHOWN), "")
                .context("marking the state as shown")?;
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // The state is plain data: a panic elsewhere leaves nothing half done that matters.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The root.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The files of all programs that this host has, below the root.
    #[must_use]
    pub fn program_files(&self) -> Vec<&'static str> {
        root::program_files(&self.lock().state)
    }

    /// The state now.
    #[must_use]
    pub fn state(&self) -> State {
        self.lock().state.clone()
    }

    /// Alters the state; `/proc` and `/sys` follow.
    pub fn change(&self, alter: impl FnOnce(&mut State)) {
        let mut inner = self.lock();
        inner.absorb(&self.root);
        alter(&mut inner.state);
        inner.state.dom0.settle();
        inner.show_or_note(&self.root);
    }

    /// Kills the guard of a confirmation; tells whether there was one.
    pub fn kill_guard(&self) -> bool {
        self.lock().end_guard()
    }

    /// Restarts the host. What the boot starts of the program itself is in
    /// [`state::Dom0::boot_runs`] afterwards.
    ///
    /// # Errors
    /// When `/proc` and `/sys` cannot be written.
    pub fn reboot(&self) -> Result<()> {
        let mut inner = self.lock();
        inner.end_guard();
        let mut shell = Shell::new(&self.root, &mut inner.state);
        boot::reboot(&mut shell);
        let (took, said) = (shell.took, shell.out + &shell.err);
        inner.state.dom0.advance(took);
        inner.state.dom0.dmesg.extend(said.lines().map(str::to_string));
        inner.show(&self.root)
    }

    /// Runs a program of the host.
    #[must_use]
    pub fn execute(&self, program: &str, args: &[String]) -> Output {
        let mut inner = self.lock();
        inner.absorb(&self.root);
        let lie = inner.lie(program, args);
        let asks = program == "xe"
            && args.first().is_some_and(|a| a.ends_with("-list") || a.ends_with("-param-get"));
        if asks && lie.is_none() {
            return inner.ask(&self.root, args);
        }
        let before = (inner.state.pool.clone(), without_notes(&mut inner.state.dom0));
        let (mut status, mut out, mut err, mut wrote) = (0, String::new(), String::new(), false);
        if !matches!(lie, Some(How::Fails | How::Lies | How::Hangs)) {
            let mut shell = Shell::new(&self.root, &mut inner.state);
            status = dispatch(&mut shell, program, args);
            (out, err, wrote) = (shell.out, shell.err, shell.wrote);
            let took = shell.took;
            inner.state.dom0.advance(took);
        }
        let end = match lie {
            Some(How::Hangs | How::HangsAfter) => Status::TimedOut,
            Some(How::Fails | How::FailsAfter) => {
                (status, out) = (1, String::new());
                err = format!("{program}: it did not work (the model was told to fail)\n");
                Status::Exited(1)
            }
            Some(How::Lies) | None => Status::Exited(status),
        };
        let state = &inner.state;
        let changed = wrote || before.0 != state.pool || !same_kernel(&before.1, &state.dom0);
        let status = if end == Status::TimedOut { -1 } else { status };
        inner.state.dom0.transcript.push(Ran { command: line(program, args), status, changed });
        inner.show_or_note(&self.root);
        Output { status: end, stdout: out.into_bytes(), stderr: err.into_bytes() }
    }
}

/// A command as it is typed.
fn line(program: &str, args: &[String]) -> String {
    let words = std::iter::once(program).chain(args.iter().map(String::as_str));
    words.collect::<Vec<_>>().join(" ")
}

/// A copy without the notes, which are long and make no difference.
fn without_notes(dom0: &mut Dom0) -> Dom0 {
    let notes = (std::mem::take(&mut dom0.transcript), std::mem::take(&mut dom0.dmesg));
    let copy = dom0.clone();
    (dom0.transcript, dom0.dmesg) = notes;
    copy
}

/// Whether two kernels are the same but for their clocks and what was noted on the way.
fn same_kernel(one: &Dom0, other: &Dom0) -> bool {
    let Dom0 {
        me,
        flavour,
        features,
        kernel,
        running,
        xapi,
        xapi_start,
        xapi_up_at,
        boot,
        reboot_requested,
        boot_runs,
        wall_offset,
        booted_at,
        traffic: _,
        clock: _,
        nics,
        bonds,
        devices,
        ifindex,
        modules,
        addresses,
        routes,
        wire,
        mounts,
        lies: _,
        transcript: _,
        executed,
        dmesg: _,
    } = one;
    let timeless = |bonds: &BTreeMap<String, Bond>| {
        let mut bonds = bonds.clone();
        for slave in bonds.values_mut().flat_map(|b| &mut b.slaves) {
            (slave.until, slave.lacp_at) = (None, 0);
        }
        bonds
    };
    *me == other.me
        && *flavour == other.flavour
        && *features == other.features
        && *kernel == other.kernel
        && *running == other.running
        && *xapi == other.xapi
        && *xapi_start == other.xapi_start
        && *xapi_up_at == other.xapi_up_at
        && *boot == other.boot
        && *reboot_requested == other.reboot_requested
        && *boot_runs == other.boot_runs
        && *wall_offset == other.wall_offset
        && *booted_at == other.booted_at
        && *nics == other.nics
        && timeless(bonds) == timeless(&other.bonds)
        && *devices == other.devices
        && *ifindex == other.ifindex
        && *modules == other.modules
        && *addresses == other.addresses
        && *routes == other.routes
        && *wire == other.wire
        && *mounts == other.mounts
        && *executed == other.executed
}

impl Inner {
    fn new(state: State, tree: tree::Tree) -> Self {
        let answers = (state.pool.clone(), BTreeMap::new());
        Self { state, tree, guard: None, shown: None, answers }
    }

    /// What it held is free at once: a process that another thread is just starting has the file
    /// open too, and would hold it a while longer.
    fn end_guard(&mut self) -> bool {
        self.guard.take().is_some_and(|file| file.unlock().is_ok())
    }

    /// Whether `/proc` and `/sys` are as the state is.
    fn is_shown(&self) -> bool {
        // LACP's agreement shows after a time, with nothing else in the state that changes.
        let timed = self.state.dom0.bonds.values().any(|bond| bond.option("mode") == 4);
        !timed && self.shown.as_ref().is_some_and(|shown| same_kernel(shown, &self.state.dom0))
    }

    /// Runs an `xe` that only looks. One dom0 asks for the same dozens of times.
    fn ask(&mut self, root: &Path, args: &[String]) -> Output {
        if self.answers.0 != self.state.pool || !self.is_shown() {
            self.answers = (self.state.pool.clone(), BTreeMap::new());
        }
        let (status, out, err, took) = match self.answers.1.get(args) {
            Some(known) => known.clone(),
            None => {
                let mut shell = Shell::new(root, &mut self.state);
                let status = xe::run(&mut shell, args);
                let answer = (status, shell.out, shell.err, shell.took);
                self.answers.1.insert(args.to_vec(), answer.clone());
                answer
            }
        };
        self.state.dom0.advance(took);
        let ran = Ran { command: line("xe", args), status, changed: false };
        self.state.dom0.transcript.push(ran);
        self.show_or_note(root);
        Output {
            status: Status::Exited(status),
            stdout: out.into_bytes(),
            stderr: err.into_bytes(),
        }
    }

    /// Writes `/proc` and `/sys` as the state is, when it differs from what they show.
    fn show(&mut self, root: &Path) -> Result<()> {
        if self.is_shown() {
            return Ok(());
        }
        let want = tree::wanted(&self.state.dom0);
        tree::sync(root, &self.tree, &want)?;
        self.tree = want;
        self.answers.1.clear();
        self.shown = Some(without_notes(&mut self.state.dom0));
        Ok(())
    }

    /// The same where no error can be given: a root that is gone ends a test, not the model.
    fn show_or_note(&mut self, root: &Path) {
        if let Err(error) = self.show(root) {
            self.shown = None;
            self.state.dom0.dmesg.push(format!("the model: {error:#}"));
        }
    }

    /// Takes what was written into `/sys/class/net/BOND/bonding/` since as the kernel would.
    fn absorb(&mut self, root: &Path) {
        self.absorb_flags(root);
        for bond in self.state.dom0.bonds.keys().cloned().collect::<Vec<_>>() {
            for key in ["active_slave", "primary", "slaves"] {
                let path = format!("sys/devices/virtual/net/{bond}/bonding/{key}");
                let Ok(text) = fs::read_to_string(root.join(&path)) else { continue };
                let Some(live) = self.state.dom0.bonds.get(&bond) else { continue };
                let shown = tree::attributes(&self.state.dom0, live);
                if shown.iter().any(|(name, value)| name == key && value.trim() != text.trim()) {
                    let _ = self.state.dom0.set_option(&bond, key, &text);
                    self.tree.insert(path, tree::Node::File(text));
                    self.shown = None;
                }
            }
        }
    }

    /// Takes what was written into `flags` of a NIC: whether it is up.
    fn absorb_flags(&mut self, root: &Path) {
        const IFF_UP: u32 = 1;
        for (name, pci) in self
            .state
            .dom0
            .nics
            .iter()
            .map(|(n, nic)| (n.clone(), nic.pci.clone()))
            .collect::<Vec<_>>()
        {
            let path = format!("sys/devices/pci0000:00/{pci}/net/{name}/flags");
            let Ok(text) = fs::read_to_string(root.join(&path)) else { continue };
            let bits =
                text.trim().strip_prefix("0x").and_then(|hex| u32::from_str_radix(hex, 16).ok());
            let Some(up) = bits.map(|bits| bits & IFF_UP != 0) else { continue };
            if up != self.state.dom0.is_up(&name) {
                self.state.dom0.set_up(&name, up);
                self.tree.insert(path, tree::Node::File(text));
                self.shown = None;
            }
        }
    }

    /// The misbehaviour that this call meets, used up.
    fn lie(&mut self, program: &str, args: &[String]) -> Option<How> {
        let first = args.first().map(|a| format!("{program} {a}")).unwrap_or_default();
        let lies = &mut self.state.dom0.lies;
        let key =
            [first.as_str(), program].into_iter().find(|k| lies.contains_key(*k))?.to_string();
        let lie = lies.get_mut(&key)?;
        if lie.after > 0 {
            lie.after -= 1;
            return None;
        }
        let how = lie.how;
        lie.times = lie.times.saturating_sub(1);
        if lie.times == 0 {
            lies.remove(&key);
        }
        Some(how)
    }
}

fn dispatch(shell: &mut Shell<'_>, program: &str, args: &[String]) -> i32 {
    match program {
        "xe" => xe::run(shell, args),
        "xe-switch-network-backend" => scripts::switch(shell, args),
        "xapi-wait-init-complete" => scripts::wait(shell, args),
        "ifup" => ifup::up(shell, args),
        "ifdown" => ifup::down(shell, args),
        "ip" => scripts::ip(shell, args),
        "modprobe" => modprobe::run(shell, args),
        "modinfo" => modprobe::info(shell, args),
        "chkconfig" => services::chkconfig(shell, args),
        "systemctl" => services::systemctl(shell, args),
        "shutdown" => {
            shell.state.dom0.reboot_requested |= args.iter().any(|a| a == "-r");
            0
        }
        "logger" | "wall" => 0,
        "arping" => scripts::arping(shell, args),
        "ping" => scripts::ping(shell, args),
        _ => {
            shell.complain(format!("{program}: command not found"));
            127
        }
    }
}

fn load<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    let text = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("reading {}", path.display()))
}

/// Replaces a file, through a link if it is one: hosts of one pool share theirs.
fn store<T: serde::Serialize>(path: &Path, value: &T) -> Result<()> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let temp = path.with_extension("new");
    let text = serde_json::to_vec_pretty(value)?;
    fs::write(&temp, text)
        .and_then(|()| fs::rename(&temp, &path))
        .with_context(|| format!("writing {}", path.display()))
}

impl Runner for Model {
    fn run(&self, cmd: &Cmd) -> Result<Output> {
        let output = self.execute(cmd.program.name(), &cmd.args);
        if output.status == Status::TimedOut {
            let limit = u64::try_from(cmd.limit.as_millis())?;
            let mut inner = self.lock();
            inner.state.dom0.advance(limit);
            inner.show_or_note(&self.root);
        }
        Ok(output)
    }

    fn run_during(&self, cmd: &Cmd, act: &mut dyn FnMut()) -> Result<Output> {
        ensure!(cmd.program.name() == "ping", "the model runs only `ping` beside something else");
        {
            let mut inner = self.lock();
            inner.absorb(&self.root);
            let traffic = scripts::traffic(&inner.state.dom0, &cmd.args);
            inner.state.dom0.traffic = Some(traffic);
        }
        act();
        let mut inner = self.lock();
        inner.absorb(&self.root);
        let traffic = inner.state.dom0.traffic.take();
        let text = traffic.as_ref().map(scripts::traffic_text).unwrap_or_default();
        let status = i32::from(!text.contains("icmp_seq="));
        inner.state.dom0.transcript.push(Ran { command: cmd.to_string(), status, changed: false });
        inner.show_or_note(&self.root);
        Ok(Output { status: Status::Exited(status), stdout: text.into_bytes(), stderr: Vec::new() })
    }

    fn own_program(&self) -> Result<Vec<u8>> {
        Ok(b"the program itself".to_vec())
    }

    /// Nothing runs in the background of a model: its clock stands still meanwhile. What a guard
    /// shows of itself is there until it is killed or the host reboots.
    fn detach(&self, path: &str, args: &[&str], log: &str) -> Result<()> {
        let inside = |path: &str| self.root.join(path.trim_start_matches('/'));
        fs::metadata(inside(path)).with_context(|| format!("starting {path}"))?;
        ensure!(args == ["guard"], "the model knows no background run of {args:?}");
        let guard = fs::File::create(inside(log).with_file_name("guard"))?;
        guard.lock()?;
        self.lock().guard = Some(guard);
        Ok(())
    }
}

impl Clock for Model {
    fn now(&self) -> SystemTime {
        let start = START.saturating_add_signed(self.lock().state.dom0.wall_offset);
        SystemTime::UNIX_EPOCH + Duration::from_secs(start) + self.elapsed()
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.lock().state.dom0.clock)
    }

    fn since_boot(&self) -> Duration {
        let dom0 = &self.lock().state.dom0;
        Duration::from_millis(dom0.clock - dom0.booted_at)
    }

    fn pause(&self, time: Duration) {
        let mut inner = self.lock();
        inner.absorb(&self.root);
        let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        // A pause of less than the clock's grain is still a pause.
        inner.state.dom0.advance(ms.max(1));
        inner.show_or_note(&self.root);
    }
}
