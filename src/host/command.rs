//! A command as data: which program, its arguments, its time limit; and what came of it.

use std::collections::BTreeMap;
use std::fmt;
use std::io::BufRead;
use std::net::SocketAddrV4;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

use super::machine::OwnAddress;

/// How many of the last lines of stderr an error shows.
const TAIL_LINES: usize = 6;

/// How much of a line an error shows, in characters.
const TAIL_WIDTH: usize = 300;

/// Where programs are looked for, in this order: a non-login SSH session's `PATH` lacks the
/// sbin folders and `/opt/xensource/bin`.
const FOLDERS: [&str; 5] = ["sbin", "usr/sbin", "bin", "usr/bin", "opt/xensource/bin"];

macro_rules! programs {
    ($($variant:ident = $name:literal),+ $(,)?) => {
        /// The programs that may be run, and no others.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Program {
            $(#[doc = concat!("`", $name, "`")] #[serde(rename = $name)] $variant,)+
        }
        impl Program {
            /// Every program.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$variant),+];
            /// Its file name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }
    };
}

impl Program {
    /// What it means that it says nothing, and what to look at, where that is known: a member's `xe`
    /// waits for the master without a word (tests/ground/xapi-measured.md, M10).
    const fn silence(self) -> &'static str {
        match self {
            Self::Xe => {
                ": XAPI of the pool's master does not answer; is the master up, and reached from here? there: xe host-list"
            }
            _ => "",
        }
    }
}

programs! {
    Xe = "xe",
    XeSwitchNetworkBackend = "xe-switch-network-backend",
    XapiWaitInitComplete = "xapi-wait-init-complete",
    XeToolstackRestart = "xe-toolstack-restart",
    Ifup = "ifup",
    Ifdown = "ifdown",
    Ip = "ip",
    Brctl = "brctl",
    Modprobe = "modprobe",
    Modinfo = "modinfo",
    Chkconfig = "chkconfig",
    Systemctl = "systemctl",
    Shutdown = "shutdown",
    Logger = "logger",
    Wall = "wall",
    Arping = "arping",
    Ping = "ping",
    Ethtool = "ethtool",
    OvsAppctl = "ovs-appctl",
    OvsVsctl = "ovs-vsctl",
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The program's path as the host itself names it, or nothing when it is not there.
pub(super) fn find(root: &Path, program: Program) -> Option<String> {
    FOLDERS.iter().find_map(|folder| {
        let inside = format!("{folder}/{}", program.name());
        // Of the machine's own root the kernel follows the links: el7's modprobe and modinfo are
        // links to kmod, and its shutdown one to systemctl.
        let meta = std::fs::metadata(super::inside::inside(root, &inside, true)).ok()?;
        (meta.is_file() && meta.permissions().mode() & 0o111 != 0).then(|| format!("/{inside}"))
    })
}

/// A command to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cmd {
    /// Which program.
    pub program: Program,
    /// Its arguments, as they are: no shell is between.
    pub args: Vec<String>,
    /// When its whole process group is killed.
    pub limit: Duration,
    /// Whether it changes the host, other than by looking.
    pub changes: bool,
}

impl Cmd {
    /// A command that only looks.
    #[must_use]
    pub fn read<S: AsRef<str>>(program: Program, args: &[S], limit: Duration) -> Self {
        let args = args.iter().map(|a| a.as_ref().to_string()).collect();
        Self { program, args, limit, changes: false }
    }

    /// A command that changes the host.
    #[must_use]
    pub fn change<S: AsRef<str>>(program: Program, args: &[S], limit: Duration) -> Self {
        Self { changes: true, ..Self::read(program, args, limit) }
    }
}

impl fmt::Display for Cmd {
    /// As it could be pasted into a shell.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.program)?;
        self.args.iter().try_for_each(|arg| write!(f, " {}", quoted(arg)))
    }
}

/// A word as a shell must be given it.
#[must_use]
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_string()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It exited with this code.
    Exited(i32),
    /// This signal ended it.
    Signalled(i32),
    /// It did not end within its limit and was killed.
    TimedOut,
}

/// What a command left behind.
#[derive(Clone, Debug)]
pub struct Output {
    /// How it ended.
    pub status: Status,
    /// What it printed, or the end of it where it was read on the way.
    pub stdout: Vec<u8>,
    /// The end of what it complained of.
    pub stderr: Vec<u8>,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "exit status {code}"),
            Self::Signalled(signal) => write!(f, "ended by signal {signal}"),
            Self::TimedOut => f.write_str("no answer in time, killed"),
        }
    }
}

impl Output {
    /// Whether it exited with 0: never proof that it did what was asked.
    #[must_use]
    pub fn success(&self) -> bool {
        self.status == Status::Exited(0)
    }

    /// Standard output, with anything that is not UTF-8 replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// The output, when the command exited with 0.
    ///
    /// # Errors
    /// Otherwise an error that holds the command, how it ended and its last words.
    pub fn check(self, cmd: &Cmd) -> Result<Self> {
        if self.success() {
            return Ok(self);
        }
        let how = match self.status {
            Status::TimedOut => {
                let limit = cmd.limit.as_secs();
                format!("no answer within {limit} s, killed{}", cmd.program.silence())
            }
            status => status.to_string(),
        };
        let text = format!("running `{cmd}`: {how}{}", self.last_words());
        let said = [self.stderr, self.stdout].map(|b| String::from_utf8_lossy(&b).into_owned());
        Err(Failed { cmd: cmd.clone(), status: self.status, said: said.concat(), text }.into())
    }

    /// The last lines of stderr, or of stdout when stderr is empty (the boot scripts complain
    /// on stdout, tests/ground/initscripts.md, B2), indented, each on a line of its own.
    #[must_use]
    pub fn last_words(&self) -> String {
        let silent = self.stderr.trim_ascii().is_empty();
        let bytes = if silent { &self.stdout } else { &self.stderr };
        let text = String::from_utf8_lossy(bytes);
        let lines: Vec<&str> = text.lines().filter(|l| !l.trim().is_empty()).collect();
        lines[lines.len().saturating_sub(TAIL_LINES)..]
            .iter()
            .map(|line| {
                let clean: String = line
                    .chars()
                    .take(TAIL_WIDTH)
                    .map(|c| if c.is_control() { ' ' } else { c })
                    .collect();
                format!("\n    {}", clean.trim_end())
            })
            .collect()
    }
}

/// A command that did not exit with 0: found in an error by `downcast_ref`.
#[derive(Clone, Debug)]
pub struct Failed {
    /// The command.
    pub cmd: Cmd,
    /// How it ended.
    pub status: Status,
    /// All that is known of what it said.
    pub said: String,
    text: String,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Failed {}

/// Runs commands and answers for the machine itself: this one, by its processes and its kernel, or
/// a model of a dom0. What has a body here is the answer where files under a root are all there is.
pub trait Runner: Send + Sync {
    /// Runs `cmd` to its end or its limit.
    ///
    /// # Errors
    /// When it cannot be started.
    fn run(&self, cmd: &Cmd) -> Result<Output>;

    /// Runs `cmd` to its end or its limit, with `read` reading what it prints while it does: a
    /// large pool's list is longer than all else in memory.
    ///
    /// # Errors
    /// When it cannot be started.
    fn run_reading(&self, cmd: &Cmd, read: &mut dyn FnMut(&mut dyn BufRead)) -> Result<Output> {
        let output = self.run(cmd)?;
        read(&mut output.stdout.as_slice());
        Ok(output)
    }

    /// Runs `cmd` until `act` is over, then interrupts it (SIGINT); its limit counts from there.
    ///
    /// # Errors
    /// When it cannot be started (`act` is not begun then), or this runner cannot do that.
    fn run_during(&self, cmd: &Cmd, act: &mut dyn FnMut()) -> Result<Output> {
        let _ = act;
        bail!("running `{cmd}` beside something else: this runner cannot")
    }

    /// See [`super::Host::may_change`].
    fn may_change(&self) -> bool {
        true
    }

    /// See [`super::Host::own_addresses`].
    fn own_addresses(&self) -> Option<Vec<OwnAddress>> {
        None
    }

    /// See [`super::Host::max_mtus`].
    fn max_mtus(&self) -> BTreeMap<String, u32> {
        BTreeMap::new()
    }

    /// See [`super::Host::connect`].
    fn connect(
        &self,
        to: SocketAddrV4,
        device: Option<&str>,
        limit: Duration,
    ) -> Option<std::result::Result<(), String>> {
        let _ = (to, device, limit);
        None
    }

    /// See [`super::Host::own_program`].
    ///
    /// # Errors
    /// When it cannot be read.
    fn own_program(&self) -> Result<Vec<u8>>;

    /// Whether what is started in the background runs there: in a model nothing does.
    fn has_background(&self) -> bool {
        true
    }

    /// See [`super::Host::detach`].
    ///
    /// # Errors
    /// When it cannot be started.
    fn detach(&self, path: &str, args: &[&str], log: &str) -> Result<()>;
}
