//! Commands as real processes: a fixed environment, no standard input, a process group of
//! their own that is killed whole when the time is up.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, BufRead, BufReader, PipeReader, Read};
use std::net::SocketAddrV4;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;

use super::command::{Cmd, Output, Runner, Status, find};
use super::machine::{self, OwnAddress};
use super::{inside, link};

/// The whole environment of a command. No `XE_EXTRA_ARGS` and no `~/.xe`, both of which can
/// point `xe` at another server or user (tests/ground/xapi.md, A4).
const ENVIRONMENT: [(&str, &str); 4] = [
    ("LC_ALL", "C"),
    ("PATH", "/sbin:/usr/sbin:/bin:/usr/bin:/opt/xensource/bin"),
    ("HOME", "/nonexistent"),
    ("TERM", "dumb"),
];

/// The most that is taken of what a command prints; a longer answer is an error.
const STDOUT_LIMIT: usize = 32 << 20;

/// How much of the end of stderr is kept.
const STDERR_LIMIT: usize = 64 << 10;

/// How much of the end of an answer is kept that was read on the way.
const TAIL: usize = 4 << 10;

/// How much is read at once: what a pipe holds.
const PIECE: usize = 64 << 10;

/// How long a finished command's pipes are read on: a daemon that it left behind may hold them.
const LINGER: Duration = Duration::from_secs(3);

/// Runs programs from under a root as processes of this machine.
pub struct OsRunner {
    root: PathBuf,
}

impl OsRunner {
    /// Programs are taken from under `root`.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_path_buf() }
    }

    fn start(&self, cmd: &Cmd) -> Result<Running> {
        let path = find(&self.root, cmd.program).with_context(|| {
            format!("running `{cmd}`: this host has no program `{}`", cmd.program)
        })?;
        let start = || -> io::Result<Running> {
            let (ended, end) = io::pipe()?;
            let mut child = Command::new(inside::inside(&self.root, &path, true))
                .arg0(inside::inside(&self.root, &path, false))
                .args(&cmd.args)
                .env_clear()
                .envs(ENVIRONMENT)
                .current_dir("/")
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .process_group(0)
                .spawn()?;
            let pid = Pid::from_raw(child.id().cast_signed());
            std::thread::spawn(move || {
                let _end = end;
                // It stays to be waited for, so that its number is nobody else's.
                let exited = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
                while waitid(Id::Pid(pid), exited) == Err(Errno::EINTR) {}
            });
            Ok(Running {
                stdout: child.stdout.take(),
                stderr: child.stderr.take(),
                ended: Some(ended),
                child,
                pid,
                until: Instant::now().checked_add(cmd.limit),
                timed_out: false,
                printed: 0,
                tail: Vec::new(),
                complaint: Vec::new(),
            })
        };
        start().with_context(|| format!("starting `{cmd}`"))
    }
}

/// A process that was started. Whoever reads its standard output keeps its time limit with that,
/// and its other pipe empty: it never waits for a full one.
struct Running {
    child: Child,
    pid: Pid,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    /// A pipe that ends with the process; a daemon that it left behind does not hold this one.
    ended: Option<PipeReader>,
    /// When its time is up, and once it has ended, how long its pipes are read on.
    until: Option<Instant>,
    timed_out: bool,
    /// How much it has printed.
    printed: usize,
    /// The end of that.
    tail: Vec<u8>,
    /// The end of what it complained of.
    complaint: Vec<u8>,
}

impl Running {
    /// Waits for something to read on standard output, or until there is nothing to come any more:
    /// whether there is. `all`: until the process and both pipes have ended.
    fn wait(&mut self, all: bool) -> io::Result<bool> {
        loop {
            if self.stdout.is_none() && !(all && (self.stderr.is_some() || self.ended.is_some())) {
                return Ok(false);
            }
            let left = self.until.map(|until| until.saturating_duration_since(Instant::now()));
            // Rounded up: a wait must not end before the time is up.
            let timeout = left.map_or(PollTimeout::NONE, |left| {
                PollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX)
            });
            let fds = [
                self.stdout.as_ref().map(AsFd::as_fd),
                self.stderr.as_ref().map(AsFd::as_fd),
                self.ended.as_ref().map(AsFd::as_fd),
            ];
            let mut polled: Vec<PollFd> =
                fds.iter().flatten().map(|fd| PollFd::new(*fd, PollFlags::POLLIN)).collect();
            match poll(&mut polled, timeout) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
            let mut ready = polled.iter().map(|fd| fd.any() == Some(true));
            let [stdout, stderr, ended] = fds.map(|fd| fd.is_some() && ready.next() == Some(true));
            if stderr {
                self.hear()?;
            }
            if ended {
                self.ended = None;
                self.until = Some(Instant::now() + LINGER);
            }
            if stdout {
                return Ok(true);
            }
            if left.is_some_and(|left| left.is_zero()) {
                let kill = self.ended.is_some() && !self.timed_out;
                if !kill {
                    (self.stdout, self.stderr, self.ended) = (None, None, None);
                    return Ok(false);
                }
                self.timed_out = true;
                killpg(self.pid, Signal::SIGKILL)?;
                self.until = Some(Instant::now() + LINGER);
            }
        }
    }

    /// Takes in what it complains of.
    fn hear(&mut self) -> io::Result<()> {
        let mut piece = vec![0; TAIL];
        let read = self.stderr.as_mut().map_or(Ok(0), |pipe| pipe.read(&mut piece))?;
        if read == 0 {
            self.stderr = None;
        }
        keep_end(&mut self.complaint, &piece[..read], STDERR_LIMIT);
        Ok(())
    }

    /// Waits until it has ended. `stdout` is what was read of its standard output.
    fn finish(mut self, cmd: &Cmd, stdout: Option<Vec<u8>>) -> Result<Output> {
        let mut rest = vec![0; TAIL];
        let mut over = || -> io::Result<Option<std::process::ExitStatus>> {
            while self.read(&mut rest)? > 0 {}
            self.wait(true)?;
            self.child.try_wait()
        };
        let status = over().with_context(|| format!("waiting for `{cmd}`"))?;
        ensure!(
            self.printed <= STDOUT_LIMIT,
            "running `{cmd}`: its answer is longer than {} MiB",
            STDOUT_LIMIT >> 20
        );
        let status = match status.filter(|_| !self.timed_out) {
            None => Status::TimedOut,
            Some(status) => match status.signal() {
                Some(signal) => Status::Signalled(signal),
                None => Status::Exited(status.code().unwrap_or(-1)),
            },
        };
        Ok(Output { status, stdout: stdout.unwrap_or(self.tail), stderr: self.complaint })
    }
}

impl Read for Running {
    /// Of standard output; past its limit nothing comes any more, but the pipe is still emptied.
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while self.wait(false)? {
            let read = self.stdout.as_mut().map_or(Ok(0), |pipe| pipe.read(to))?;
            if read == 0 {
                self.stdout = None;
            }
            self.printed += read;
            keep_end(&mut self.tail, &to[..read], TAIL);
            if self.printed <= STDOUT_LIMIT {
                return Ok(read);
            }
        }
        Ok(0)
    }
}

/// Adds a piece of a text of which only the end is kept.
fn keep_end(text: &mut Vec<u8>, piece: &[u8], limit: usize) {
    text.extend_from_slice(&piece[piece.len().saturating_sub(limit)..]);
    text.drain(..text.len().saturating_sub(limit));
}

impl Runner for OsRunner {
    fn run(&self, cmd: &Cmd) -> Result<Output> {
        let mut running = self.start(cmd)?;
        let mut stdout = Vec::new();
        running.read_to_end(&mut stdout).with_context(|| format!("reading from `{cmd}`"))?;
        running.finish(cmd, Some(stdout))
    }

    fn run_reading(&self, cmd: &Cmd, read: &mut dyn FnMut(&mut dyn BufRead)) -> Result<Output> {
        let mut running = self.start(cmd)?;
        read(&mut BufReader::with_capacity(PIECE, &mut running));
        running.finish(cmd, None)
    }

    fn run_during(&self, cmd: &Cmd, act: &mut dyn FnMut()) -> Result<Output> {
        let mut running = self.start(cmd)?;
        let pid = running.pid;
        running.until = None;
        let (send, printed) = channel();
        std::thread::scope(|scope| -> Result<Output> {
            scope.spawn(move || {
                let mut stdout = Vec::new();
                let read = running.read_to_end(&mut stdout);
                let _ = send.send((read, running, stdout));
            });
            act();
            // One that has ended already is told so by what it printed; nobody has waited for it
            // yet, so the number is still its own.
            let _ = kill(pid, Signal::SIGINT);
            let in_time = printed.recv_timeout(cmd.limit);
            if in_time.is_err() {
                killpg(pid, Signal::SIGKILL)?;
            }
            let timed_out = in_time.is_err();
            let (read, mut running, stdout) = in_time.or_else(|_| printed.recv())?;
            read?;
            running.timed_out = timed_out;
            running.until = Instant::now().checked_add(cmd.limit);
            running.finish(cmd, Some(stdout))
        })
        .with_context(|| format!("running `{cmd}`"))
    }

    fn may_change(&self) -> bool {
        !machine::is_own(&self.root) || machine::is_root()
    }

    fn own_addresses(&self) -> Option<Vec<OwnAddress>> {
        if machine::is_own(&self.root) { machine::addresses() } else { None }
    }

    fn max_mtus(&self) -> BTreeMap<String, u32> {
        if machine::is_own(&self.root) { link::max_mtus() } else { BTreeMap::new() }
    }

    fn connect(
        &self,
        to: SocketAddrV4,
        device: Option<&str>,
        limit: Duration,
    ) -> Option<std::result::Result<(), String>> {
        machine::is_own(&self.root).then(|| machine::open(to, device, limit))
    }

    fn own_program(&self) -> Result<Vec<u8>> {
        let me = std::env::current_exe().context("finding this program's own file")?;
        std::fs::read(&me).with_context(|| format!("reading {}", me.display()))
    }

    /// The program makes a session of its own ([`nix::unistd::setsid`]) as soon as it runs.
    fn detach(&self, path: &str, args: &[&str], log: &str) -> Result<()> {
        let inside = |path: &str| inside::inside(&self.root, path, false);
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(inside(log))
            .with_context(|| format!("opening {log}"))?;
        Command::new(inside(path))
            .arg("--root")
            .arg(&self.root)
            .args(args)
            .env_clear()
            .envs(ENVIRONMENT)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("starting {path} in the background"))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use nix::sys::signal;

    use super::super::command::Program;
    use super::*;

    /// A root whose `xe` is a shell, and a call of it with this script; `$0` is the root.
    fn script(text: &str, limit: Duration) -> (tempfile::TempDir, OsRunner, Cmd) {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("bin")).unwrap();
        let xe = root.path().join("bin/xe");
        std::fs::write(&xe, "#!/bin/sh\nexec /bin/sh \"$@\"\n").unwrap();
        std::fs::set_permissions(&xe, std::fs::Permissions::from_mode(0o755)).unwrap();
        let args = ["-c", text, root.path().to_str().unwrap()];
        let (runner, cmd) = (OsRunner::new(root.path()), Cmd::read(Program::Xe, &args, limit));
        (root, runner, cmd)
    }

    const LONG: Duration = Duration::from_secs(600);

    #[test]
    fn takes_in_both_pipes_and_keeps_the_end_of_a_long_complaint() {
        let (_root, runner, cmd) = script(
            "i=0; while [ $i -lt 30000 ]; do echo noise $i >&2; echo line $i; i=$((i+1)); done
             echo 'the reason' >&2; exit 3",
            LONG,
        );
        let output = runner.run(&cmd).unwrap();
        assert_eq!(output.status, Status::Exited(3));
        assert!(output.text().starts_with("line 0\n") && output.text().ends_with("line 29999\n"));
        assert!(output.last_words().ends_with("the reason"), "{}", output.last_words());
        assert_eq!(output.stderr.len(), STDERR_LIMIT);
    }

    #[test]
    fn kills_the_whole_group_when_the_time_is_up() {
        let text = "sleep 1000 & echo $!; exec >&- 2>&-; wait";
        let (_root, runner, cmd) = script(text, Duration::from_millis(300));
        let output = runner.run(&cmd).unwrap();
        assert_eq!(output.status, Status::TimedOut);
        let pid = Pid::from_raw(output.text().trim().parse().unwrap());
        // Whoever has taken it over may not have waited for it yet.
        let stat = || std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        while !stat().is_empty() && !stat().contains(") Z ") {
            std::thread::yield_now();
        }
    }

    #[test]
    fn does_not_wait_for_a_daemon_that_holds_the_pipes() {
        let (_root, runner, cmd) = script("sleep 1000 & echo $!", LONG);
        let output = runner.run(&cmd).unwrap();
        assert_eq!(output.status, Status::Exited(0));
        let pid = Pid::from_raw(output.text().trim().parse().unwrap());
        signal::kill(pid, Signal::SIGKILL).unwrap();
    }

    #[test]
    fn reads_on_the_way_as_much_as_the_reader_likes() {
        let (_root, runner, cmd) = script("yes line | head -n 3000000; exit 1", LONG);
        let mut lines = 0;
        let output = runner
            .run_reading(&cmd, &mut |printed| lines = printed.lines().take(1000).count())
            .unwrap();
        assert_eq!((lines, output.status), (1000, Status::Exited(1)));
        assert!(output.stdout.len() == TAIL && output.text().ends_with("line\nline\n"));
    }

    #[test]
    fn refuses_an_answer_without_an_end() {
        let (_root, runner, cmd) = script("yes line | head -c 40000000", LONG);
        let mut read = 0;
        let error = runner
            .run_reading(&cmd, &mut |printed| {
                read = io::copy(printed, &mut io::sink()).unwrap();
            })
            .unwrap_err();
        assert!(error.to_string().contains("longer than 32 MiB"), "{error:#}");
        assert!(read <= STDOUT_LIMIT as u64, "{read}");
    }

    /// A shell cannot trap a signal that was ignored when it began, as in `cargo test &` of a
    /// script. What has a handler here begins with the default in what is started from here.
    fn heed_int() {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
        let ignored = u64::from_str_radix(mask.trim(), 16).unwrap();
        let int = signal_hook::consts::SIGINT;
        if ignored & (1 << (int - 1)) != 0 {
            signal_hook::flag::register(int, std::sync::Arc::default()).unwrap();
        }
    }

    #[test]
    fn interrupts_what_runs_beside_something_else() {
        heed_int();
        let text = "trap 'echo over; exit 4' INT; : > $0/on; while :; do sleep 0.01; done";
        let (root, runner, cmd) = script(text, LONG);
        let on = root.path().join("on");
        let mut act = || while !on.exists() {};
        let output = runner.run_during(&cmd, &mut act).unwrap();
        assert_eq!((output.status, output.text().as_str()), (Status::Exited(4), "over\n"));
        let (_root, runner, cmd) = script("exit 5", LONG);
        let ended = runner.run_during(&cmd, &mut act).unwrap().status;
        assert!(matches!(ended, Status::Exited(5) | Status::Signalled(2)), "{ended:?}");
        let deaf = "trap '' INT; : > $0/on; exec sleep 1000";
        let (root, runner, cmd) = script(deaf, Duration::from_millis(300));
        let on = root.path().join("on");
        let mut act = || while !on.exists() {};
        assert_eq!(runner.run_during(&cmd, &mut act).unwrap().status, Status::TimedOut);
    }
}
