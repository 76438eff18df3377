//! The model as a host: a root with files, a state, and what the seam asks of both. It knows no
//! program.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};

use super::boot;
use super::inner::Inner;
use super::kernel::tree;
use super::programs::networkd;
use super::programs::scripts;
use super::programs::shell::Shell;
use super::root;
use super::state::{Dom0, Networkd, Pool, Ran, State};
use super::stores;
use crate::host::{Clock, Cmd, Output, Runner, Status};
use crate::json;
use crate::order;

/// 2026-11-20T13:00:00Z, when every model's clock starts.
const START: u64 = 1_795_179_600;

/// Where the state is kept, below the root.
const FOLDER: &str = ".dom0";

/// The commands that ran, a line of JSON each: beside the state, which every command reads and writes.
const TRANSCRIPT: &str = "transcript";

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

impl Model {
    /// Makes a host under `root` with all its files. Only [`Self::save`] keeps its state there.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn create(root: &Path, mut state: State) -> Result<Self> {
        fs::create_dir_all(root.join(FOLDER)).context("making the model's folder")?;
        // Another host may have stood here.
        let _ = fs::remove_file(root.join(FOLDER).join(TRANSCRIPT));
        if state.dom0.networkd == Networkd::default() {
            networkd::know(&mut state);
        }
        state.dom0.complete_options();
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
        inner.kept = Some(inner.state.pool.clone());
        // A member's copy may be older than the records that it shares.
        if !root.join(FOLDER).join("pool.json").is_symlink() {
            inner.written.clone_from(&inner.kept);
        }
        if shown {
            inner.trust();
        }
        Ok(Self { root: root.to_path_buf(), inner: Mutex::new(inner) })
    }

    /// Keeps the state under the root.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self) -> Result<()> {
        let mut inner = self.lock();
        if inner.kept.as_ref() != Some(&inner.state.pool) {
            store(&self.root.join(FOLDER).join("pool.json"), &inner.state.pool)?;
            inner.kept = Some(inner.state.pool.clone());
        }
        let ran = std::mem::take(&mut inner.state.dom0.transcript);
        store(&self.root.join(FOLDER).join("host.json"), &inner.state.dom0)?;
        // Last: whoever sees a command there finds what it did, also if it is killed then.
        note(&self.root.join(FOLDER).join(TRANSCRIPT), &ran)?;
        if inner.shows() {
            fs::write(self.root.join(FOLDER).join(SHOWN), "").context("noting what is shown")?;
        }
        Ok(())
    }

    /// Takes the commands that ran before this model was opened into its state, from which
    /// [`Self::save`] keeps them again.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn recall(&self) -> Result<()> {
        let path = self.root.join(FOLDER).join(TRANSCRIPT);
        if !path.exists() {
            return Ok(());
        }
        let text = fs::read_to_string(&path)?;
        let before: Vec<Ran> = text
            .lines()
            .map(|line| json::read(line.as_bytes()))
            .collect::<serde_json::Result<_>>()?;
        self.lock().state.dom0.transcript.splice(..0, before);
        fs::remove_file(&path).context("taking the transcript")
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
        inner.settle(&self.root);
        inner.show_or_note(&self.root);
    }

    /// Kills the guard of a confirmation; returns whether there was one.
    pub fn kill_guard(&self) -> bool {
        self.lock().end_guard()
    }

    /// Restarts the host. What the boot starts of the program itself is in
    /// `Dom0::boot_runs` afterwards.
    ///
    /// # Errors
    /// When `/proc` and `/sys` cannot be written.
    pub fn reboot(&self) -> Result<()> {
        self.boots(boot::reboot)
    }

    /// Cuts the power and boots the host: what XAPI and networkd had not written is lost.
    ///
    /// # Errors
    /// When `/proc` and `/sys` cannot be written.
    pub fn cut(&self) -> Result<()> {
        self.boots(boot::cut)
    }

    /// Whether XAPI or networkd knows something that is not on disk.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        stores::are_behind(&self.root, &self.lock().state)
    }

    fn boots(&self, boot: fn(&mut Shell<'_>)) -> Result<()> {
        let mut inner = self.lock();
        inner.end_guard();
        let mut shell = Shell::new(&self.root, &mut inner.state);
        boot(&mut shell);
        let (took, said) = (shell.took, shell.out + &shell.err);
        inner.state.dom0.advance(took);
        inner.state.dom0.dmesg.extend(said.lines().map(str::to_string));
        inner.settle(&self.root);
        inner.show(&self.root)
    }

    /// Runs a program of the host.
    #[must_use]
    pub fn execute(&self, program: &str, args: &[String]) -> Output {
        let mut inner = self.lock();
        inner.absorb(&self.root);
        inner.execute(&self.root, program, args)
    }

    /// Lets time pass and runs a program of the host then.
    #[must_use]
    pub fn execute_after(&self, time: Duration, program: &str, args: &[String]) -> Output {
        let mut inner = self.lock();
        inner.pass(&self.root, time);
        inner.execute(&self.root, program, args)
    }
}

fn load<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    let text = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    json::read(&text).with_context(|| format!("reading {}", path.display()))
}

/// Adds commands to those that are kept.
fn note(path: &Path, ran: &[Ran]) -> Result<()> {
    let mut text = Vec::new();
    for one in ran {
        serde_json::to_writer(&mut text, one)?;
        text.push(b'\n');
    }
    let file = fs::File::options().create(true).append(true).open(path);
    file.and_then(|mut file| file.write_all(&text))
        .with_context(|| format!("writing {}", path.display()))
}

/// Replaces a file, through a link if it is one: hosts of one pool share theirs.
fn store<T: serde::Serialize>(path: &Path, value: &T) -> Result<()> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let temp = path.with_extension("new");
    let text = serde_json::to_vec(value)?;
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
            inner.settle(&self.root);
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

    fn max_mtus(&self) -> BTreeMap<String, u32> {
        let inner = self.lock();
        let told = inner.state.dom0.nics.iter().filter(|_| inner.state.dom0.features.max_mtu);
        order::map(told.map(|(name, nic)| (name.clone(), nic.max_mtu)))
    }

    fn connect(
        &self,
        to: SocketAddrV4,
        device: Option<&str>,
        limit: Duration,
    ) -> Option<std::result::Result<(), String>> {
        let mut inner = self.lock();
        inner.absorb(&self.root);
        let dom0 = &mut inner.state.dom0;
        let answered = dom0.is_answered(&to.ip().to_string(), device);
        let closed = dom0.wire.closed.contains(&to.to_string());
        if !answered {
            dom0.advance(u64::try_from(limit.as_millis()).unwrap_or(u64::MAX));
            inner.show_or_note(&self.root);
        }
        Some(match (answered, closed) {
            (true, false) => Ok(()),
            (true, true) => Err("Connection refused".into()),
            (false, _) => Err("connection timed out".into()),
        })
    }

    fn has_background(&self) -> bool {
        false
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
        self.lock().pass(&self.root, time);
    }
}
