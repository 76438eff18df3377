//! Commands as real processes: a fixed environment, no standard input, a process group of
//! their own that is killed whole when the time is up.

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use super::command::{Cmd, Output, Runner, Status, find};
use super::printed::Printed;

/// The whole environment of a command. No `XE_EXTRA_ARGS` and no `~/.xe`, both of which can
/// point `xe` at another server or user (facts/xapi.md section A4).
const ENVIRONMENT: [(&str, &str); 4] = [
    ("LC_ALL", "C"),
    ("PATH", "/sbin:/usr/sbin:/bin:/usr/bin:/opt/xensource/bin"),
    ("HOME", "/nonexistent"),
    ("TERM", "dumb"),
];

/// The most that is kept of what a command prints; a longer answer is an error.
const STDOUT_LIMIT: usize = 32 << 20;

/// How much of the end of stderr is kept.
const STDERR_LIMIT: usize = 64 << 10;

/// How long a finished command's pipes are read on: a daemon that it left behind may hold them.
const LINGER: Duration = Duration::from_secs(3);

/// Between two looks whether a command has ended: twice as long each time.
const SHORTEST_NAP: Duration = Duration::from_micros(100);
const LONGEST_NAP: Duration = Duration::from_millis(5);

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
}

/// A process that was started, and what it has printed since.
struct Started {
    child: Child,
    stdout: Pipe,
    stderr: Pipe,
}

/// One of its pipes, which a thread empties.
struct Pipe {
    printed: Arc<Mutex<Printed>>,
    /// Nothing comes through; it ends with the pipe.
    open: Receiver<()>,
}

impl OsRunner {
    fn start(&self, cmd: &Cmd) -> Result<Started> {
        let Some(inside) = find(&self.root, cmd.program) else {
            bail!("running `{cmd}`: this host has no program `{}`", cmd.program);
        };
        let mut child = Command::new(self.root.join(&inside[1..]))
            .args(&cmd.args)
            .env_clear()
            .envs(ENVIRONMENT)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .with_context(|| format!("starting `{cmd}`"))?;
        let stdout = Pipe::drain(child.stdout.take(), STDOUT_LIMIT);
        let stderr = Pipe::drain(child.stderr.take(), STDERR_LIMIT);
        Ok(Started { child, stdout, stderr })
    }
}

impl Started {
    fn finish(mut self, cmd: &Cmd) -> Result<Output> {
        let status = self.wait(cmd.limit).with_context(|| format!("waiting for `{cmd}`"))?;
        let stdout = self.stdout.rest();
        if stdout.len() > STDOUT_LIMIT {
            bail!("running `{cmd}`: its answer is longer than {} MiB", STDOUT_LIMIT >> 20);
        }
        let mut stderr = self.stderr.rest().whole();
        stderr.drain(..stderr.len().saturating_sub(STDERR_LIMIT));
        Ok(Output { status, stdout, stderr })
    }

    /// Waits for the child, and kills its process group when `limit` has passed. One that closes
    /// its standard output is about to end, so that ends a nap.
    fn wait(&mut self, limit: Duration) -> Result<Status> {
        let start = Instant::now();
        let (mut nap, mut closed) = (SHORTEST_NAP, false);
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(match status.signal() {
                    Some(signal) => Status::Signalled(signal),
                    None => Status::Exited(status.code().unwrap_or(-1)),
                });
            }
            if start.elapsed() >= limit {
                let group = Pid::from_raw(i32::try_from(self.child.id())?);
                killpg(group, Signal::SIGKILL).context("killing its process group")?;
                self.child.wait()?;
                return Ok(Status::TimedOut);
            }
            if self.stdout.open.recv_timeout(nap) == Err(RecvTimeoutError::Timeout) {
                nap = (nap * 2).min(LONGEST_NAP);
            } else {
                nap = if closed { (nap * 2).min(LONGEST_NAP) } else { SHORTEST_NAP };
                closed = true;
                std::thread::sleep(nap);
            }
        }
    }
}

impl Runner for OsRunner {
    fn run(&self, cmd: &Cmd) -> Result<Output> {
        self.start(cmd)?.finish(cmd)
    }

    fn run_during(&self, cmd: &Cmd, act: &mut dyn FnMut()) -> Result<Output> {
        let started = self.start(cmd)?;
        act();
        // One that has ended already is told so by what it printed.
        let _ = kill(Pid::from_raw(i32::try_from(started.child.id())?), Signal::SIGINT);
        started.finish(cmd)
    }

    fn own_program(&self) -> Result<Vec<u8>> {
        let me = std::env::current_exe().context("finding this program's own file")?;
        std::fs::read(&me).with_context(|| format!("reading {}", me.display()))
    }

    /// The program makes a session of its own ([`nix::unistd::setsid`]) as soon as it runs.
    fn detach(&self, path: &str, args: &[&str], log: &str) -> Result<()> {
        let inside = |path: &str| self.root.join(path.trim_start_matches('/'));
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

impl Pipe {
    /// Reads a pipe in a thread of its own, so that a full pipe never stops the child.
    fn drain(pipe: Option<impl Read + Send + 'static>, limit: usize) -> Self {
        let (end, open) = channel();
        let printed = Arc::new(Mutex::new(Printed::default()));
        let keep = Arc::clone(&printed);
        if let Some(mut pipe) = pipe {
            std::thread::spawn(move || {
                let _end: Sender<()> = end;
                let mut buffer = vec![0u8; 64 << 10];
                let mut seen = 0;
                while let Ok(n @ 1..) = pipe.read(&mut buffer) {
                    // Past twice the limit nothing is kept, but the pipe is still emptied.
                    seen += n;
                    if seen <= 2 * limit {
                        locked(&keep).push(buffer[..n].to_vec());
                    }
                }
            });
        }
        Self { printed, open }
    }

    /// What came through until it ended, or for as long as anybody waits for that.
    fn rest(&self) -> Printed {
        let _ = self.open.recv_timeout(LINGER);
        std::mem::take(&mut locked(&self.printed))
    }
}

fn locked(printed: &Mutex<Printed>) -> MutexGuard<'_, Printed> {
    printed.lock().unwrap_or_else(PoisonError::into_inner)
}
