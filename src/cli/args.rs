//! The command line: one struct per subcommand. A doc comment is its help.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::PossibleValue;
use clap::{Args, Parser, Subcommand, ValueEnum};

use super::flags::SpecArgs;
use crate::engine::{FILE_CHANGED, may_accept};
use crate::preflight::Code;
use crate::report::Color;

/// Makes, verifies and undoes a NIC bond that XAPI does not manage.
///
/// For dedicated NFS storage on a XenServer or XCP-ng host (dom0) on the Linux bridge backend.
/// `rehearse` shows the whole job on a built-in model of a host and touches nothing.
#[derive(Parser, Debug)]
#[command(name = "xenbond", version, help_expected = true, term_width = 80)]
pub struct Cli {
    /// Take every host file and program from under DIR [default: /]
    #[arg(long, global = true, value_name = "DIR", default_value = "/", hide_default_value = true)]
    pub root: PathBuf,

    /// Print one JSON document on stdout and nothing else there
    #[arg(long, global = true)]
    pub json: bool,

    /// Colour: auto (on a terminal, without NO_COLOR), always, never
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    #[arg(hide_possible_values = true, hide_default_value = true)]
    pub color: Color,

    /// Say less while it works
    #[arg(short, long, global = true)]
    pub quiet: bool,

    /// Show every command that changes the host as it runs
    #[arg(short, long, global = true)]
    pub verbose: bool,

    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

impl ValueEnum for Color {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Auto, Self::Always, Self::Never]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let (word, help) = match self {
            Self::Auto => ("auto", "On a terminal, unless NO_COLOR is set"),
            Self::Always => ("always", "Everywhere"),
            Self::Never => ("never", "Nowhere"),
        };
        Some(PossibleValue::new(word).help(help))
    }
}

/// The subcommands.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Show findings, steps with their undo, commands and diffs; change nothing
    Plan(Plan),
    /// Make the change: plan, ask, change, verify; roll back if anything fails
    Apply(Apply),
    /// Continue a change that waits for a reboot or was interrupted
    Resume(Resume),
    /// Keep a change that was applied with --confirm-within
    Confirm,
    /// Undo the last change and compare the host with what was recorded
    Rollback(Rollback),
    /// Take over a bond made by hand, without interrupting its traffic
    Adopt(Adopt),
    /// Remove a bond for good and give its NICs back to XAPI
    Remove(Remove),
    /// Compare the host with what was asked for, setting by setting
    Verify(Verify),
    /// List the bonds made or adopted by xenbond, and what a rollback would undo
    List,
    /// Print the spec of a bond, as a file for --spec
    Spec(SpecOf),
    /// List the NICs that are free for a bond, and print a spec to start from
    Init,
    /// Show backend, NICs, bonds, the transaction and what is no longer as asked
    Status,
    /// Make each slave carry the traffic in turn, and measure what is lost
    Drill(Drill),
    /// Read text of /proc/net/bonding, or of ovs-appctl bond/show and lacp/show,
    /// as a table or JSON
    Show(Show),
    /// Write the files that a spec yields into a folder, for review
    Render(Render),
    /// Print the facts that a plan is computed from, as JSON
    Inventory,
    /// Run the whole job and its rollback on a model of a host
    Rehearse(Rehearse),
    /// List every finding: code, severity, meaning, remedy
    Findings,
    /// Wait for a confirmation in the background, and roll back without one
    #[command(hide = true)]
    Guard,
    /// Do in the background what would cut off whoever waits for it
    #[command(hide = true)]
    Worker,
    /// Show what was done: each step, command and file, its status and time
    Log(LogArgs),
    /// Print a completion script for a shell
    Completions(Completions),
    /// Show a page of the manual: a command, the spec file, the templates
    Man(Man),
    /// Print the JSON Schema of what a command prints with --json
    Schema {
        /// The command
        #[arg(value_name = "COMMAND")]
        command: String,
    },
}

/// What goes with making a plan.
#[derive(Args, Debug, Default)]
pub struct PlanningArgs {
    /// Use the templates in DIR instead of the built-in ones
    #[arg(long, value_name = "DIR")]
    pub templates: Option<PathBuf>,
    /// Accept a warning by its code; repeatable
    #[arg(long, value_name = "CODE")]
    pub accept: Vec<String>,
    /// Leave out the diffs of the files
    #[arg(long)]
    pub brief: bool,
    /// Restart XAPI's toolstack where XAPI has the bond plugged and this host
    /// has it not; the same as --accept toolstack-restart
    #[arg(long)]
    pub restart_toolstack: bool,
}

impl PlanningArgs {
    /// The codes of the warnings that are accepted, by code or by an order of their own.
    #[must_use]
    pub fn accepted(&self) -> Vec<String> {
        let restarts = self.restart_toolstack.then(|| Code::ToolstackRestart.name().to_string());
        self.accept.iter().cloned().chain(restarts).collect()
    }
}

/// `plan`
#[derive(Args, Debug)]
pub struct Plan {
    /// A bond made or adopted by xenbond: its recorded spec
    #[arg(value_name = "BOND")]
    pub name: Option<String>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub spec: SpecArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub planning: PlanningArgs,
    /// Save the plan, for apply --plan
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Exit with 5 when changes remain
    #[arg(long)]
    pub check: bool,
}

/// `apply`
#[derive(Args, Debug)]
pub struct Apply {
    /// A bond made or adopted by xenbond: its recorded spec, made so again
    #[arg(value_name = "BOND")]
    pub name: Option<String>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub spec: SpecArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub planning: PlanningArgs,
    /// Carry out a saved plan; refused when the host has changed since
    #[arg(long, value_name = "FILE", conflicts_with_all = ["SpecArgs", "name"])]
    pub plan: Option<PathBuf>,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// Reboot if needed, and continue automatically after the boot
    #[arg(long)]
    pub reboot: bool,
    /// Roll back, with a reboot if need be, unless `xenbond confirm` comes
    /// within DUR (such as 10m) after the verdict [default: 10m where XAPI's
    /// bond takes the management over, else none; 0 there: none]
    #[arg(long, value_name = "DUR", value_parser = time_to_confirm, allow_hyphen_values = true)]
    pub confirm_within: Option<Duration>,
}

/// The least and the most time that a person gets.
const CONFIRM: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(7 * 86_400));

fn time_to_confirm(text: &str) -> Result<Duration, String> {
    let (least, most) = CONFIRM;
    let time = humantime::parse_duration(text)
        .map_err(|_| "not a valid time; write it as 90s, 10m or 1h".to_string())?;
    // In full: that nobody is asked must be meant.
    let none = text.trim() == "0";
    if !none && (time < least || time > most || time.subsec_nanos() != 0) {
        let word = humantime::format_duration;
        return Err(format!("it must be whole seconds, from {} to {}", word(least), word(most)));
    }
    Ok(time)
}

fn known_code(text: &str) -> Result<String, String> {
    if may_accept(text) {
        return Ok(text.into());
    }
    Err(format!("there is no such code; it may be {FILE_CHANGED} or one of `xenbond findings`"))
}

/// `resume`
#[derive(Args, Debug)]
pub struct Resume {
    /// As the boot does: what fails is tried again, for a day
    #[arg(long, hide = true)]
    pub by_itself: bool,
}

/// `rollback`
#[derive(Args, Debug)]
pub struct Rollback {
    /// The bond or the change to undo, a change with the later ones of its
    /// bond [default: the newest change, if it was not undone yet]
    #[arg(value_name = "BOND|TRANSACTION", conflicts_with = "close")]
    pub what: Option<String>,
    /// Show what would be undone; undo nothing
    #[arg(long, conflicts_with = "close")]
    pub dry_run: bool,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// Reboot if needed, and continue automatically after the boot
    #[arg(long)]
    pub reboot: bool,
    /// Close a rollback that cannot finish: what is left is recorded, and
    /// nothing more is tried
    #[arg(long, conflicts_with_all = ["reboot", "accept"])]
    pub close: bool,
    /// Accept a warning by its code; repeatable. file-changed: keep files
    /// as they are that others have changed since
    #[arg(long, value_name = "CODE", value_parser = known_code)]
    pub accept: Vec<String>,
}

/// `adopt`
#[derive(Args, Debug)]
pub struct Adopt {
    /// The bond, by its name in the kernel
    #[arg(value_name = "BOND")]
    pub name: String,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// Accept a warning by its code; repeatable
    #[arg(long, value_name = "CODE")]
    pub accept: Vec<String>,
}

/// `remove`
#[derive(Args, Debug)]
pub struct Remove {
    /// The bond; also one of which no record is left
    #[arg(value_name = "BOND")]
    pub name: String,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// Reboot if needed, and continue automatically after the boot
    #[arg(long)]
    pub reboot: bool,
    /// Accept a warning by its code; repeatable
    #[arg(long, value_name = "CODE")]
    pub accept: Vec<String>,
    /// openvswitch: after the last bond, switch the backend back to it
    #[arg(long, value_name = "WHICH", value_parser = ["openvswitch"])]
    pub backend: Option<String>,
    /// Its spec, if this host has no record of it any more (- is stdin)
    #[arg(long, value_name = "FILE")]
    pub spec: Option<String>,
}

/// `verify`
#[derive(Args, Debug)]
pub struct Verify {
    /// A bond made or adopted by xenbond [default: all], or one that XAPI
    /// manages, by its device or its network's name
    #[arg(value_name = "BOND")]
    pub name: Option<String>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub spec: SpecArgs,
    /// Use the templates in DIR instead of the built-in ones
    #[arg(long, value_name = "DIR")]
    pub templates: Option<PathBuf>,
    /// nagios: one line with performance data, and the exit codes 0 OK,
    /// 1 warning, 2 critical, 3 unknown; it looks once and does not wait
    #[arg(long, value_name = "FORMAT", default_value = "text", conflicts_with = "json")]
    pub format: Format,
}

/// `spec`
#[derive(Args, Debug)]
pub struct SpecOf {
    /// The bond; one that is not xenbond's as kernel and files have it
    #[arg(value_name = "BOND")]
    pub name: String,
}

/// How `verify` says what it found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table, and this program's exit codes
    Text,
    /// One line, and the exit codes of Nagios
    Nagios,
}

/// `drill`
#[derive(Args, Debug)]
pub struct Drill {
    /// The bond; one that XAPI manages by its device or its network's name
    #[arg(value_name = "BOND")]
    pub name: String,
    /// Where to send the test traffic [default: the first probe of its spec,
    /// or the gateway of a bond that XAPI manages]
    #[arg(long, value_name = "IP")]
    pub target: Option<std::net::Ipv4Addr>,
    /// Cut the links of all other slaves, instead of switching the active
    /// slave; the only way in modes that have none
    #[arg(long)]
    pub cut_links: bool,
}

/// `show`
#[derive(Args, Debug)]
pub struct Show {
    /// A bond or its network's name, a file (with a /), or - for stdin
    /// [default: every bond]
    #[arg(value_name = "BOND|FILE|-")]
    pub what: Option<String>,
}

/// The kinds of dom0 that files are rendered for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Flavour {
    /// /etc/modprobe.conf, SysV init, network service on (XenServer 6.5)
    El5,
    /// /etc/modprobe.d, systemd, network service off (XenServer 7 and later)
    El7,
}

impl From<Flavour> for crate::model::state::Flavour {
    fn from(flavour: Flavour) -> Self {
        match flavour {
            Flavour::El5 => Self::El5,
            Flavour::El7 => Self::El7,
        }
    }
}

/// `render`
#[derive(Args, Debug)]
pub struct Render {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub spec: SpecArgs,
    /// Use the templates in DIR instead of the built-in ones
    #[arg(long, value_name = "DIR")]
    pub templates: Option<PathBuf>,
    /// The kind of dom0
    #[arg(long, value_name = "FLAVOUR")]
    pub dom0: Flavour,
    /// The folder to write into
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

/// `rehearse`
#[derive(Args, Debug)]
pub struct Rehearse {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub spec: SpecArgs,
    /// Rehearse on the host that `xenbond inventory` recorded in FILE (- is
    /// stdin), instead of the built-in one; nothing is sent to that host
    #[arg(long, value_name = "FILE")]
    pub inventory: Option<String>,
    /// Accept a warning by its code; repeatable
    #[arg(long, value_name = "CODE")]
    pub accept: Vec<String>,
    /// The kind of dom0 that is built in
    #[arg(long, value_name = "FLAVOUR", default_value = "el7", conflicts_with = "inventory")]
    pub dom0: Flavour,
    /// Make the N-th effect fail
    #[arg(long, value_name = "N")]
    pub fail_at: Option<usize>,
    /// Cut the power at the N-th effect
    #[arg(long, value_name = "N", conflicts_with = "fail_at")]
    pub power_cut_at: Option<usize>,
    /// Do not wait after each step, as on a terminal
    #[arg(long)]
    pub fast: bool,
}

/// `log`
#[derive(Args, Debug)]
pub struct LogArgs {
    /// The transaction's name, as `log` lists it [default: the last one]
    #[arg(value_name = "TRANSACTION")]
    pub transaction: Option<String>,
}

/// `completions`
#[derive(Args, Debug)]
pub struct Completions {
    /// The shell: bash, zsh or fish
    #[arg(value_name = "SHELL", hide_possible_values = true)]
    pub shell: Shell,
}

/// The shells that there are completions for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// `man`
#[derive(Args, Debug)]
pub struct Man {
    /// The page: a command, spec (the spec file), or templates [default: all
    /// of xenbond]
    #[arg(value_name = "PAGE")]
    pub page: Option<String>,
    /// Write every page into DIR instead
    #[arg(long, value_name = "DIR", conflicts_with = "page")]
    pub out: Option<PathBuf>,
}
