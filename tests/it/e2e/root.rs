//! A root of the model of a dom0 with its stand-in programs, and the binary that works on it.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{schema, struck};
use crate::dom0::Snapshot;

/// What most tests ask for.
pub const SPEC: &[&str] =
    &["--bond", "bond51", "--nic", "eth2", "--nic", "eth3", "--address", "172.16.51.11/24"];

/// The bond's file.
pub const IFCFG_BOND: &str = "etc/sysconfig/network-scripts/ifcfg-bond51";

/// How long anything may take before a test gives up on it: on a machine that others load as well
/// a step that takes two seconds alone has taken forty.
const PATIENCE: Duration = Duration::from_secs(180);

/// A dom0.
pub struct Root {
    folder: TempDir,
}

/// What a finished run of the program left.
#[derive(Debug)]
pub struct Run {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// `words` and the usual spec.
pub fn with_spec<'a>(words: &[&'a str]) -> Vec<&'a str> {
    words.iter().chain(SPEC).copied().collect()
}

fn standin() -> PathBuf {
    let me = std::env::current_exe().unwrap();
    let path = me.parent().unwrap().parent().unwrap().join("examples/standin");
    assert!(path.exists(), "{}: `cargo build --example standin` makes it", path.display());
    path
}

/// Waits until something is so.
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(3));
    }
}

/// Where roots are made: in memory, where programs may be run from there, files may have
/// attributes, and there is room. A run of the program makes every file that it writes durable,
/// and on a disk most of its time goes into that.
fn place() -> &'static Path {
    static PLACE: OnceLock<PathBuf> = OnceLock::new();
    PLACE.get_or_init(|| {
        let memory = PathBuf::from("/dev/shm");
        if is_fit(&memory).unwrap_or(false) { memory } else { std::env::temp_dir() }
    })
}

fn is_fit(place: &Path) -> std::io::Result<bool> {
    const ENOUGH: u64 = 2 << 30;
    let folder = tempfile::Builder::new().prefix("xenbond-").tempdir_in(place)?;
    let script = folder.path().join("script");
    fs::write(&script, "#!/bin/sh\n")?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
    rustix::fs::lsetxattr(&script, "user.xenbond", b"1", rustix::fs::XattrFlags::empty())?;
    let room = rustix::fs::statvfs(place)?;
    Ok(Command::new(&script).status()?.success() && room.f_bavail * room.f_frsize >= ENOUGH)
}

impl Root {
    /// The built-in pool's master, without machines that a reboot would stop.
    pub fn new(flavour: &str, backend: &str) -> Self {
        Self::patched(flavour, backend, &json!({}))
    }

    /// The same, altered.
    pub fn patched(flavour: &str, backend: &str, patch: &Value) -> Self {
        let folder = tempfile::Builder::new().prefix("xenbond-").tempdir_in(place()).unwrap();
        let root = Self { folder };
        fs::create_dir(root.path()).unwrap();
        let mut patch = patch.clone();
        for vm in ["vm-web", "vm-db"] {
            patch["pool"]["vms"][vm]["resident_on"] = "xen02".into();
        }
        let file = root.patch_file(&patch);
        root.standin(&["create", root.path().to_str().unwrap(), flavour, backend, &file]);
        // Twenty times faster than real time: nobody waits for half a minute here.
        fs::write(root.at(".dom0/speed"), "20").unwrap();
        root
    }

    /// Where it lies.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("dom0")
    }

    /// A path in it.
    pub fn at(&self, path: &str) -> PathBuf {
        self.path().join(path)
    }

    /// A path beside it, for a caller's own files.
    pub fn beside(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_string()
    }

    fn patch_file(&self, patch: &Value) -> String {
        let file = self.beside("patch.json");
        fs::write(&file, patch.to_string()).unwrap();
        file
    }

    fn standin(&self, args: &[&str]) -> String {
        let output = Command::new(standin()).args(args).output().unwrap();
        assert!(
            output.status.success(),
            "standin {args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// Waits for what the boot has started; what that said is shown where it was in vain.
    pub fn until_booted(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        let start = Instant::now();
        while !is_so() {
            if start.elapsed() >= PATIENCE {
                let said = fs::read_to_string(self.at(".dom0/boot.log")).unwrap_or_default();
                panic!("waited in vain: {what}; the boot's run said:\n{said}");
            }
            std::thread::sleep(Duration::from_millis(3));
        }
    }

    /// Restarts the host.
    pub fn reboot(&self) {
        self.standin(&["reboot", self.path().to_str().unwrap()]);
    }

    /// Cuts the power and boots the host: what was not on disk is lost, and every run of ours.
    pub fn cut(&self) {
        self.standin(&["cut", self.path().to_str().unwrap()]);
    }

    /// Waits until the host was told to reboot and the run that told it is over; reboots it.
    pub fn reboot_when_told(&self) {
        until("the order to reboot", || self.state()["dom0"]["reboot_requested"] == true);
        self.until_free();
        self.reboot();
    }

    /// Kills the guard of a confirmation, as the kernel does when memory is short.
    pub fn kill_guard(&self) {
        let bin = fs::canonicalize(self.at("var/lib/xenbond/bin")).unwrap();
        let mut killed = 0;
        for entry in fs::read_dir("/proc").unwrap().map(Result::unwrap) {
            let exe = fs::read_link(entry.path().join("exe")).unwrap_or_default();
            if exe.starts_with(&bin) {
                let pid = entry.file_name().to_str().unwrap().parse().unwrap();
                kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
                until("the guard's end", || {
                    !entry.path().exists()
                        || fs::read_to_string(entry.path().join("stat"))
                            .is_ok_and(|stat| stat.contains(") Z "))
                });
                killed += 1;
            }
        }
        assert_eq!(killed, 1, "guards that run");
    }

    /// The model's state.
    pub fn state(&self) -> Value {
        serde_json::from_str(&self.standin(&["state", self.path().to_str().unwrap()])).unwrap()
    }

    /// Alters it by a merge patch.
    pub fn set(&self, patch: &Value) {
        let file = self.patch_file(patch);
        self.standin(&["set", self.path().to_str().unwrap(), &file]);
    }

    /// Makes a command misbehave.
    pub fn lie(&self, command: &str, how: &str, times: u32, after: u32) {
        let lie = json!({"how": how, "times": times, "after": after});
        self.set(&json!({"dom0": {"lies": {command: lie}}}));
    }

    /// Makes all commands behave.
    pub fn lies_no_more(&self) {
        let lies = self.state()["dom0"]["lies"].as_object().unwrap().clone();
        let none: serde_json::Map<_, _> = lies.into_iter().map(|(k, _)| (k, Value::Null)).collect();
        self.set(&json!({"dom0": {"lies": none}}));
    }

    fn command(&self, args: &[impl AsRef<OsStr>]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xenbond"));
        command.arg("--root").arg(self.path()).args(args).stdin(Stdio::null());
        command.env_remove("COLUMNS");
        command
    }

    /// Runs the program to its end.
    pub fn xenbond(&self, args: &[&str]) -> Run {
        Self::run_of(&mut self.command(args), args)
    }

    /// The same where lines may be so wide.
    pub fn in_width(&self, width: usize, args: &[&str]) -> Run {
        Self::run_of(self.command(args).env("COLUMNS", width.to_string()), args)
    }

    fn run_of(command: &mut Command, args: &[&str]) -> Run {
        let output = command.output().unwrap();
        let run = Run {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        };
        assert!(!run.err.contains("panicked"), "{args:?}: {run:?}");
        run
    }

    /// The same by somebody who is not root, and may not read the state of the program.
    pub fn as_nobody(&self, args: &[&str]) -> Run {
        const NOBODY: u32 = 65_534;
        // The test's own user may not be let through to where the binary was built.
        let binary = self.beside("xenbond");
        fs::copy(env!("CARGO_BIN_EXE_xenbond"), &binary).unwrap();
        fs::set_permissions(self.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let state = self.at("var/lib/xenbond");
        let mut command = Command::new(&binary);
        command.arg("--root").arg(self.path()).args(args).stdin(Stdio::null());
        if nix::unistd::geteuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        } else {
            fs::set_permissions(&state, fs::Permissions::from_mode(0o000)).unwrap();
        }
        let output = command.output().unwrap();
        fs::set_permissions(&state, fs::Permissions::from_mode(0o700)).unwrap();
        Run {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The same, with the exit code that it must have.
    pub fn exits(&self, code: i32, args: &[&str]) -> Run {
        let run = self.xenbond(args);
        assert_eq!(run.code, code, "{args:?}\n{}{}", run.out, run.err);
        run
    }

    /// Runs the program with `--json`: one document, and the exit code in it where it has one.
    pub fn json(&self, code: i32, args: &[&str]) -> Value {
        let all: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
        let run = self.exits(code, &all);
        let document: Value = serde_json::from_str(&run.out)
            .unwrap_or_else(|e| panic!("{args:?}: {e}: {}{}", run.out, run.err));
        if let Some(exit) = document.get("exit") {
            assert_eq!(exit, code, "{args:?}: {document}");
        }
        schema::hold(args, &document);
        document
    }

    /// Runs the program and kills it at a line of its journal: `N` before it is written, `N+`
    /// after. Whether it came there.
    pub fn dies_at(&self, line: &str, args: &[&str]) -> bool {
        let number = line.trim_end_matches('+').parse().unwrap();
        let came = struck::at_journal_line(self.command(args), number, line.ends_with('+'));
        // A child that it had just forked has its lock until it is the program that it is to be.
        self.until_free();
        came
    }

    /// Waits until nobody changes the host.
    pub fn until_free(&self) {
        let lock = || fs::File::open(self.at("var/lib/xenbond/lock"));
        until("the end of the run", || lock().is_ok_and(|lock| lock.try_lock().is_ok()));
    }

    /// Starts the program.
    pub fn start(&self, args: &[&str]) -> Running {
        let child = self.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        Running(Some(child.unwrap()))
    }

    /// Applies the usual spec; the host must be as asked then.
    pub fn apply(&self) {
        self.exits(0, &with_spec(&["apply", "--yes"]));
    }

    fn ran(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.at(".dom0/transcript")).unwrap_or_default();
        // A line may be just being written.
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// The commands that were run, and whether each changed anything.
    pub fn transcript(&self) -> Vec<(String, bool)> {
        let pair = |r: &Value| {
            (r["command"].as_str().unwrap().to_string(), r["changed"].as_bool().unwrap())
        };
        self.ran().iter().map(pair).collect()
    }

    /// Their exit statuses; -1 for one that hangs.
    pub fn transcript_statuses(&self) -> Vec<i64> {
        self.ran().iter().map(|r| r["status"].as_i64().unwrap()).collect()
    }

    /// The commands that changed anything. One that only looks never does: what changes meanwhile
    /// is the kernel's own doing, such as a link that settles.
    pub fn changing(&self) -> Vec<String> {
        let looks = |command: &str| {
            let words: Vec<&str> = command.split(' ').collect();
            let xe = words[0] == "xe"
                && words.get(1).is_some_and(|w| w.ends_with("-list") || w.ends_with("-param-get"));
            xe || words.contains(&"--list")
                || ["modinfo", "xapi-wait-init-complete"].contains(&words[0])
        };
        let all = self.transcript().into_iter();
        all.filter(|(c, changed)| *changed && !looks(c)).map(|(c, _)| c).collect()
    }

    /// The folder of the transaction that is current.
    pub fn transaction(&self) -> PathBuf {
        fs::canonicalize(self.at("var/lib/xenbond/current")).unwrap()
    }

    /// Undoes the transaction without the program; tells what was said.
    pub fn undo_sh(&self) -> String {
        let script = self.transaction().join("undo.sh");
        let output = Command::new("sh").arg(script).env("XENBOND_ROOT", self.path()).output();
        let output = output.unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{said}");
        said
    }

    /// Runs a program of the host, as another administrator would, and gives what it printed.
    pub fn runs(&self, program: &str, args: &[&str]) -> String {
        let output = Command::new(self.at(program)).args(args).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// Upgrades a host of el7 with the usual bond from an ISO: a new /etc, no state of ours, and a
    /// boot. XAPI's database is kept, and the NICs are unmanaged in it.
    pub fn is_upgraded(&self) {
        fs::remove_dir_all(self.at("var/lib/xenbond")).unwrap();
        for file in [
            "sysconfig/network-scripts/ifcfg-bond51",
            "sysconfig/network-scripts/ifcfg-eth2",
            "sysconfig/network-scripts/ifcfg-eth3",
            "modprobe.d/bond51.conf",
            "systemd/system/xenbond-bond51.service",
            "systemd/system/multi-user.target.wants/xenbond-bond51.service",
        ] {
            fs::remove_file(self.at("etc").join(file)).unwrap();
        }
        self.reboot();
    }

    /// Has XAPI forget a NIC.
    pub fn forgets(&self, nic: &str) {
        let xe = |args: &[&str]| self.runs("opt/xensource/bin/xe", args);
        let device = format!("device={nic}");
        let list = ["pif-list", &device, "host-name-label=xen01", "params=uuid", "--minimal"];
        let uuid = format!("uuid={}", xe(&list).trim());
        xe(&["pif-unplug", &uuid]);
        xe(&["pif-forget", &uuid]);
    }

    /// What lies in our own folder.
    pub fn own_files(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.at("var/lib/xenbond"))
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// What a rollback must bring back.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::of(&self.path(), &serde_json::from_value(self.state()).unwrap())
    }

    /// Puts a shell script in a program's place; the program itself is `$real` in it.
    pub fn wrap(&self, program: &str, script: &str) {
        let path = self.at(program);
        let name = path.file_name().unwrap().to_str().unwrap();
        let real = self.at(".dom0/real").join(name);
        fs::create_dir_all(real.parent().unwrap()).unwrap();
        let _ = fs::remove_file(&real);
        symlink(standin(), &real).unwrap();
        let text = format!(
            "#!/bin/bash\nroot='{}'\nreal='{}'\n{script}",
            self.path().display(),
            real.display()
        );
        // The file itself is what comes back, with its time.
        let kept = self.kept(program);
        if kept.exists() {
            fs::remove_file(&path).unwrap();
        } else {
            fs::create_dir_all(kept.parent().unwrap()).unwrap();
            fs::rename(&path, kept).unwrap();
        }
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn kept(&self, program: &str) -> PathBuf {
        self.at(".dom0/kept").join(Path::new(program).file_name().unwrap())
    }

    /// Undoes [`Root::wrap`].
    pub fn unwrap_program(&self, program: &str) {
        fs::rename(self.kept(program), self.at(program)).unwrap();
    }

    /// Makes `xe SUBCOMMAND` wait at a gate until [`Root::open_gate`].
    pub fn gate(&self, subcommand: &str) {
        let mode = nix::sys::stat::Mode::from_bits_truncate(0o600);
        nix::unistd::mkfifo(&self.at(".dom0/gate"), mode).unwrap();
        let script = format!(
            "if [ \"$1\" = {subcommand} ] && [ ! -e \"$root/.dom0/at-gate\" ]; then\n  : > \"$root/.dom0/at-gate\"\n  read -r _ < \"$root/.dom0/gate\"\nfi\nexec \"$real\" \"$@\"\n"
        );
        self.wrap("opt/xensource/bin/xe", &script);
    }

    /// Waits until a command stands at the gate.
    pub fn until_at_gate(&self) {
        until("a command at the gate", || self.at(".dom0/at-gate").exists());
    }

    /// Lets it go on.
    pub fn open_gate(&self) {
        fs::write(self.at(".dom0/gate"), "\n").unwrap();
    }
}

impl Snapshot {
    /// The host must be as it was.
    pub fn assert_same(&self, root: &Root, when: &str) {
        let differences = self.differences(&root.snapshot());
        assert!(differences.is_empty(), "{when}:\n{differences}");
    }
}

/// A run of the program that has not ended.
pub struct Running(Option<Child>);

impl Running {
    /// Its process.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.0.as_ref().unwrap().id()).unwrap())
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    /// Closes our ends of its pipes, as a lost session does.
    pub fn hang_up(&mut self) {
        let child = self.0.as_mut().unwrap();
        drop(child.stdout.take());
        drop(child.stderr.take());
    }

    /// Kills it, and the command that it was waiting for, which has a process group of its own.
    pub fn kill(mut self) {
        let commands = children(self.pid());
        let mut child = self.0.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        for pid in commands {
            let _ = kill(pid, Signal::SIGKILL);
        }
    }

    /// Waits for its end.
    pub fn end(mut self) -> Run {
        let child = self.0.as_mut().unwrap();
        until("the end of the program", || child.try_wait().unwrap().is_some());
        let output = self.0.take().unwrap().wait_with_output().unwrap();
        Run {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Drop for Running {
    /// A test that failed leaves nothing behind.
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let commands = children(Pid::from_raw(i32::try_from(child.id()).unwrap_or(0)));
            let _ = child.kill();
            let _ = child.wait();
            for pid in commands {
                let _ = kill(pid, Signal::SIGKILL);
            }
        }
    }
}

fn children(parent: Pid) -> Vec<Pid> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let is_child = |pid: &i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // The name in brackets may hold anything; state and parent follow it.
        let rest = stat.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
        rest.split_whitespace().nth(1) == Some(parent.as_raw().to_string().as_str())
    };
    entries
        .filter_map(|e| e.ok()?.file_name().to_str()?.parse::<i32>().ok())
        .filter(is_child)
        .map(Pid::from_raw)
        .collect()
}

/// Runs each case in a thread of its own: they wait more than they work.
pub fn at_once<T: Send>(cases: impl IntoIterator<Item = T>, run: impl Fn(T) + Sync) {
    std::thread::scope(|scope| {
        for case in cases {
            scope.spawn(|| run(case));
        }
    });
}
