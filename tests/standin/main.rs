//! The model of a dom0 as programs: called as `xe`, `ifup` and so on, or with the path of such a
//! program's file, whose interpreter it then is, it is that program of the root that the path lies
//! in; called as `standin`, it makes and alters such roots.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::disallowed_methods)]

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use xenbond::host::{Clock, Status};
use xenbond::model::state::{Backend, Flavour, Networkd, Release, State};
use xenbond::model::{Model, builtin};

const USAGE: &str = "usage: standin create ROOT el5|el7 bridge|openvswitch [6.2|8.2|24.39|26.1] [PATCH_JSON_FILE] | reboot ROOT | cut ROOT | state ROOT | set ROOT PATCH_JSON_FILE | tick ROOT";

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    match run(&args) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("standin: {error:#}");
            ExitCode::from(125)
        }
    }
}

fn run(args: &[OsString]) -> Result<u8> {
    let called = PathBuf::from(args.first().context("no name")?);
    let name = called.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let words: Vec<String> = args[1..].iter().map(|a| a.to_string_lossy().into_owned()).collect();
    if !name.starts_with("standin") {
        return program(&root_of(&called)?, &name, &words);
    }
    // As the interpreter of a program's file, which lies in the root: no program of a root is a
    // link out of it.
    if let Some((file, rest)) = words.split_first().filter(|(file, _)| file.contains('/')) {
        let called = Path::new(file);
        let name = called.file_name().unwrap_or_default().to_string_lossy().into_owned();
        return program(&root_of(called)?, &name, rest);
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["create", root, flavour, backend, patch @ ..] if patch.len() < 3 => {
            create(Path::new(root), flavour, backend, patch)?;
        }
        ["reboot", root] => boot(Path::new(root), Model::reboot)?,
        ["cut", root] => boot(Path::new(root), Model::cut)?,
        ["state", root] => {
            let state = with(Path::new(root), |model| {
                model.recall()?;
                Ok(model.state())
            })?;
            println!("{}", serde_json::to_string_pretty(&state)?);
        }
        ["set", root, patch] => {
            let patch = read_patch(patch)?;
            with(Path::new(root), |model| {
                model.recall()?;
                let state = patched(model.state(), &patch)?;
                model.change(|now| *now = state);
                Ok(pace(model))
            })?
            .is_some()
            .then(|| keep_time(Path::new(root)));
        }
        ["tick", root] => tick(Path::new(root)),
        _ => bail!(USAGE),
    }
    Ok(0)
}

/// The root that a program's path lies in.
fn root_of(called: &Path) -> Result<PathBuf> {
    let called = std::path::absolute(called)?;
    let root = called.ancestors().skip(1).find(|folder| folder.join(".dom0").is_dir());
    Ok(root
        .with_context(|| format!("{} lies in no root of the model", called.display()))?
        .to_path_buf())
}

/// Works on the model of a root at the time that it is there by now.
fn with<T>(root: &Path, work: impl FnOnce(&Model) -> Result<T>) -> Result<T> {
    with_time(root, |model, passed| {
        model.pause(passed);
        work(model)
    })
}

/// Opens the model of a root alone, works on it and keeps it; the work has to let the real time pass
/// that it is given, which is what went by since somebody was here.
fn with_time<T>(root: &Path, work: impl FnOnce(&Model, Duration) -> Result<T>) -> Result<T> {
    let lock = OpenOptions::new()
        .create(true)
        .append(true)
        .open(root.join(".dom0/lock"))
        .context("opening the lock")?;
    lock.lock().context("locking the model")?;
    let pool = root.join(".dom0/pool.json");
    let _turn = if pool.is_symlink() {
        Some(Turn::take(fs::canonicalize(pool)?.with_extension("turn"))?)
    } else {
        None
    };
    let since = fs::metadata(root.join(".dom0/host.json"))?.modified()?;
    let model = Model::open(root)?;
    let real = SystemTime::now().duration_since(since).unwrap_or_default();
    let passed = (real * speed(root)).min(Duration::from_secs(600));
    let result = work(&model, passed)?;
    model.save()?;
    Ok(result)
}

/// How much faster than real time the model's passes: what `.dom0/speed` says, where it is there.
fn speed(root: &Path) -> u32 {
    let said = fs::read_to_string(root.join(".dom0/speed")).ok();
    said.and_then(|text| text.trim().parse().ok()).unwrap_or(1)
}

/// The right to use the pool's records, which is a folder: guests that share them have a kernel
/// each, which knows nothing of the others' file locks.
struct Turn(PathBuf);

impl Turn {
    /// Whoever holds it for longer than this was killed.
    const LIMIT: Duration = Duration::from_secs(20);

    fn take(path: PathBuf) -> Result<Self> {
        loop {
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error).context("taking the pool's turn"),
            }
            let held = fs::metadata(&path).and_then(|m| m.modified());
            if held.is_ok_and(|since| since.elapsed().is_ok_and(|age| age > Self::LIMIT)) {
                let _ = fs::remove_dir(&path);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

/// A `ping` without an end: one packet after the other in real time, until it is interrupted.
fn endless_ping(root: &Path, words: &[String]) -> Result<u8> {
    let stop = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGINT, Arc::clone(&stop))?;
    let target = words.last().context("no target")?;
    let once: Vec<String> =
        ["-c", "1"].iter().map(ToString::to_string).chain(words.to_vec()).collect();
    let (mut sent, mut got) = (0, 0);
    println!("PING {target} ({target}) 56(84) bytes of data.");
    while !stop.load(Ordering::Relaxed) {
        sent += 1;
        let output = with(root, |model| Ok(model.execute("ping", &once)))?;
        if output.status == Status::Exited(0) {
            got += 1;
            println!("64 bytes from {target}: icmp_seq={sent} ttl=64 time=0.214 ms");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    println!("\n--- {target} ping statistics ---\n{sent} packets transmitted, {got} received");
    Ok(u8::from(got == 0))
}

/// Restarts a host, or cuts its power: what runs of the program itself from its own disk dies, and
/// what the boot starts of it runs in the background.
fn boot(root: &Path, boots: fn(&Model) -> Result<()>) -> Result<()> {
    let bin = fs::canonicalize(root)?.join("var/lib/xenbond/bin");
    for entry in fs::read_dir("/proc")? {
        let process = entry?;
        let runs = fs::read_link(process.path().join("exe")).is_ok_and(|exe| exe.starts_with(&bin));
        if runs && let Ok(pid) = process.file_name().to_string_lossy().parse() {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
    let runs = with(root, |model| {
        boots(model)?;
        Ok(model.state().dom0.boot_runs)
    })?;
    for args in runs {
        let mut run = Command::new(bin.join("xenbond"));
        run.arg("--root").arg(root).args(args.split(' ')).process_group(0);
        let log = File::create(root.join(".dom0/boot.log"))?;
        run.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        run.spawn().context("starting what the boot starts")?;
    }
    Ok(())
}

fn program(root: &Path, name: &str, words: &[String]) -> Result<u8> {
    if name == "ping" && !words.iter().any(|w| w == "-c") {
        return endless_ping(root, words);
    }
    let (output, pace) = with_time(root, |model, passed| {
        Ok((model.execute_after(passed, name, words), pace(model)))
    })?;
    if pace.is_some() {
        keep_time(root);
    }
    if output.status == Status::TimedOut {
        std::thread::sleep(Duration::from_secs(3600));
    }
    std::io::stdout().write_all(&output.stdout)?;
    std::io::stderr().write_all(&output.stderr)?;
    match output.status {
        Status::Exited(code) => Ok(u8::try_from(code & 0xff)?),
        _ => Ok(124),
    }
}

/// How often time must be let pass while something is under way; `None`: nothing is.
fn pace(model: &Model) -> Option<Duration> {
    let dom0 = model.state().dom0;
    let mut slaves = dom0.bonds.values().flat_map(|b| &b.slaves);
    let waits = slaves.any(|s| s.until.is_some()) || dom0.vswitch_waits();
    if waits || dom0.xapi_up_at.is_some() {
        return Some(Duration::from_millis(100));
    }
    let saves = [dom0.saves.xapi, dom0.saves.networkd].into_iter().flatten().filter(|ms| *ms > 0);
    let often = saves.min().filter(|_| model.is_behind())?;
    Some(Duration::from_millis((often / 10).clamp(100, 1000)))
}

/// Leaves a process behind that rewrites `/proc` while something of the kernel is under way.
fn keep_time(root: &Path) {
    let Ok(me) = std::env::current_exe() else { return };
    let null = Stdio::null;
    let mut tick = Command::new(me);
    tick.arg0("standin")
        .arg("tick")
        .arg(root)
        .stdin(null())
        .stdout(null())
        .stderr(null())
        .process_group(0);
    // Without it time stands still between commands, which only makes a test slower.
    let _ = tick.spawn();
}

/// Lets time pass until nothing is under way, or the root is gone. One at a time.
fn tick(root: &Path) {
    let Ok(alone) = File::create(root.join(".dom0/tick")) else { return };
    if alone.try_lock().is_err() {
        return;
    }
    let start = std::time::Instant::now();
    let mut next = Duration::from_millis(100);
    while start.elapsed() < Duration::from_secs(400) {
        std::thread::sleep(next);
        match with(root, |model| Ok(pace(model))) {
            Ok(Some(pace)) => next = pace,
            _ => return,
        }
    }
}

fn create(root: &Path, flavour: &str, backend: &str, rest: &[&str]) -> Result<()> {
    let release = rest.first().and_then(|word| Release::named(word));
    let patch = rest.get(usize::from(release.is_some())).copied();
    let flavour: Flavour = serde_json::from_value(Value::from(flavour)).context(USAGE)?;
    let backend: Backend = serde_json::from_value(Value::from(backend)).context(USAGE)?;
    let patch = patch.map(read_patch).transpose()?;
    let me = patch.as_ref().and_then(|patch| patch["dom0"]["me"].as_str());
    let mut state = match me {
        Some(me) => builtin::seen_from(me, flavour, backend),
        None => builtin::pool(flavour, backend),
    };
    if let Some(release) = release {
        builtin::set_release(&mut state, release);
    }
    if let Some(patch) = &patch {
        state = patched(state, patch)?;
        if patch.pointer("/dom0/networkd").is_none() {
            // networkd knows what is plugged on the host as it now is.
            state.dom0.networkd = Networkd::default();
        }
    }
    let model = Model::create(root, state)?;
    model.save()?;
    let me = std::env::current_exe()?;
    for path in model.program_files() {
        let real = root.join(path);
        fs::write(&real, format!("#!{}\n", me.display()))
            .with_context(|| format!("replacing {path}"))?;
    }
    Ok(())
}

fn read_patch(path: &str) -> Result<Value> {
    let text = fs::read(path).with_context(|| format!("reading {path}"))?;
    serde_json::from_slice(&text).with_context(|| format!("reading {path}"))
}

/// RFC 7396.
fn patched(state: State, patch: &Value) -> Result<State> {
    let mut value = serde_json::to_value(state)?;
    merge(&mut value, patch);
    serde_json::from_value(value).context("the patched state is no state")
}

fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    let Value::Object(target) = target else { return };
    for (key, value) in patch {
        if value.is_null() {
            target.remove(key);
        } else {
            merge(target.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}
