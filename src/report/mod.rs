//! All text for people and all JSON. Nothing else in the program prints.

mod console;
mod diff;
mod history;
mod progress;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use crate::engine::{Observer, Proposal};
use crate::facts;
use crate::host::{Cmd, Effect, Kind, Program, Watch, quoted};
use crate::inventory::Inventory;
use crate::journal::Orders;
use crate::log::Log;
use crate::outcome::{Ending, Exit, Outcome, StepState};
use crate::plan::Plan;
use crate::preflight::{Code, Finding};
use crate::step::{FileChange, Step};
use crate::verify::{self, Check};

pub use console::{Color, err, out, out_plain, set as set_console};
pub use history::{history, history_json};
pub use progress::Progress;

/// Prints a JSON document.
pub fn out_json(value: &Value) {
    out_plain(&format!("{value:#}\n"));
}

/// An error for people: what went wrong, then what to type.
#[must_use]
pub fn error(text: &str, hint: Option<&str>) -> String {
    let mut lines = format!("error: {text}\n");
    if let Some(hint) = hint {
        lines.push_str(&format!("hint: {hint}\n"));
    }
    lines
}

/// The findings, one paragraph each.
#[must_use]
pub fn findings(all: &[Finding]) -> String {
    all.iter().map(|f| format!("{f}\n")).collect()
}

/// What `plan` says, for people.
#[must_use]
pub fn proposal(proposal: &Proposal) -> String {
    match &proposal.plan {
        Some(the_plan) => plan(the_plan, &proposal.findings, &proposal.situation.inv),
        None => format!("Findings:\n{}", findings(&proposal.findings)),
    }
}

/// The plan for people.
#[must_use]
pub fn plan(plan: &Plan, found: &[Finding], inv: &Inventory) -> String {
    let mut text = String::new();
    let spec = &plan.spec;
    let nics: Vec<String> = plan.nics.iter().map(|n| format!("{} ({})", n.device, n.mac)).collect();
    let host = inv.kernel.hostname.as_deref().unwrap_or("this host");
    text.push_str(&format!(
        "{} on {host}: {} over {}, {}",
        spec.bond,
        spec.mode,
        nics.join(", "),
        spec.address
    ));
    if let Some(mtu) = spec.mtu {
        text.push_str(&format!(", MTU {mtu}"));
    }
    text.push_str("\n\n");
    if !found.is_empty() {
        text.push_str(&format!("Findings:\n{}\n", findings(found)));
    }
    if !plan.steps.is_empty() {
        text.push_str(&format!("{}\n", effect(plan, inv)));
    }
    if plan.steps.is_empty() {
        text.push_str("Nothing to do: the host is configured as asked.\n");
        return text;
    }
    text.push_str("Steps:\n");
    for (at, step) in plan.steps.iter().enumerate() {
        text.push_str(&format!("  {}. {}\n", at + 1, step.title()));
        for cmd in step.commands() {
            text.push_str(&format!("       $ {}\n", pasteable(&cmd, &inv.programs)));
        }
        text.push_str(&format!("     undo: {}\n", step.undo_title()));
    }
    let diffs: String = plan.steps.iter().filter_map(Step::file).map(diff).collect();
    if !diffs.is_empty() {
        text.push_str(&format!("\nFiles:\n{diffs}"));
    }
    let lost = plan.cannot_be_undone();
    if !lost.is_empty() {
        text.push_str("\nA rollback cannot bring back:\n");
        for line in lost {
            text.push_str(&format!("  - {line}\n"));
        }
    }
    text
}

/// What is ordered with a plan, for people.
fn orders(orders: Orders, plan: &Plan, over_ssh: bool) -> String {
    let mut text = String::new();
    if orders.reboot && plan.reboots() {
        text.push_str("\nThis host reboots by itself (--reboot), and the boot goes on with it.\n");
    }
    match orders.confirm_within {
        Some(seconds) => {
            let time = humantime::format_duration(Duration::from_secs(seconds));
            text.push_str(&format!(
                "\nUnless `xenbond confirm` comes within {time} after the verdict, all of it is rolled back,\nwith a reboot if need be.\n"
            ));
        }
        None if orders.reboot && plan.reboots() && over_ssh => {
            text.push_str("Should you not get back in: --confirm-within 10m would roll it back.\n")
        }
        None => {}
    }
    text
}

/// What a change request says of its effect: how long, the reboot, the VMs.
fn effect(plan: &Plan, inv: &Inventory) -> String {
    let seconds = plan.seconds();
    let mut text = if plan.reboots() {
        format!(
            "Takes about {seconds} s and one reboot of this host, which a rollback takes too.\n"
        )
    } else {
        format!("Takes about {seconds} s, without a reboot.\n")
    };
    let vms: Vec<&str> =
        inv.xapi.iter().flat_map(|x| &x.vms).map(|v| v.name_label.as_str()).collect();
    text.push_str(&match (vms.is_empty(), plan.reboots()) {
        (true, _) => "No VM runs here.\n".to_string(),
        (false, true) => {
            format!("VMs that run here and that the reboot ends: {}.\n", vms.join(", "))
        }
        (false, false) => format!("VMs that run here and go on: {}.\n", vms.join(", ")),
    });
    text
}

/// The whole command line, programs by their path on this host.
fn argv(cmd: &Cmd, programs: &BTreeMap<Program, String>) -> Vec<String> {
    let program = programs.get(&cmd.program).cloned().unwrap_or_else(|| cmd.program.to_string());
    std::iter::once(program).chain(cmd.args.iter().cloned()).collect()
}

fn pasteable(cmd: &Cmd, programs: &BTreeMap<Program, String>) -> String {
    argv(cmd, programs).iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// A unified diff of a file.
#[must_use]
pub fn diff(change: &FileChange) -> String {
    let text = |kind: &Kind| String::from_utf8_lossy(kind.bytes().unwrap_or_default()).into_owned();
    let name = |kind: &Kind| {
        if *kind == Kind::Absent { "/dev/null".to_string() } else { change.path.clone() }
    };
    let (was, want) = (&change.was, &change.want);
    diff::unified(&text(was), &text(want), &name(was), &name(want))
}

/// `plan --json`
#[must_use]
pub fn plan_json(plan: Option<&Plan>, found: &[Finding], inv: &Inventory) -> Value {
    let steps: Vec<Value> = plan
        .iter()
        .flat_map(|p| &p.steps)
        .enumerate()
        .map(|(at, step)| {
            let commands: Vec<Vec<String>> =
                step.commands().iter().map(|c| argv(c, &inv.programs)).collect();
            let files: Vec<Value> = step
                .file()
                .map(|f| json!({"path": f.path, "change": change_word(f), "diff": diff(f)}))
                .into_iter()
                .collect();
            json!({
                "number": at + 1, "title": step.title(), "undo": step.undo_title(),
                "commands": commands, "files": files, "reboot": matches!(step, Step::Reboot { .. }),
            })
        })
        .collect();
    json!({
        "spec": plan.map(|p| &p.spec),
        "findings": found,
        "changes": !steps.is_empty(),
        "steps": steps,
        "digest": plan.map(|p| facts::digest_of(&p.facts(inv))),
        "seconds": plan.map(Plan::seconds),
        "reboot": plan.map(Plan::reboots),
        "vms": inv.xapi.as_ref().map(|x| x.vms.iter().map(|v| &v.name_label).collect::<Vec<_>>()),
        "cannot_be_undone": plan.map(Plan::cannot_be_undone),
    })
}

fn change_word(change: &FileChange) -> &'static str {
    match (&change.was, &change.want) {
        (_, Kind::Absent) => "remove",
        (Kind::Absent, _) => "create",
        _ => "replace",
    }
}

/// How a run ended, for people: the error goes to standard error, the verdict to standard output.
pub fn outcome(outcome: &Outcome) {
    for note in &outcome.notes {
        err(&format!("note: {note}\n"));
    }
    if let Some(text) = &outcome.error {
        err(&error(text, outcome.hint.as_deref()));
    } else if let Some(hint) = &outcome.hint {
        err(&format!("hint: {hint}\n"));
    }
    out(&format!("{}\n", verdict(outcome)));
}

/// The last line: the state that the host is in now.
#[must_use]
pub fn verdict(outcome: &Outcome) -> &'static str {
    match (outcome.ending, outcome.exit) {
        (Ending::Done, _) => "Done: the host is as asked, verified.",
        (Ending::NothingToDo, _) => "Nothing to do.",
        (Ending::Refused, _) => "Refused: the host is as it was.",
        (Ending::RolledBack, Exit::RolledBack) => {
            "Failed and rolled back: the host was compared and is as it was."
        }
        (Ending::RolledBack, _) => "Rolled back: the host was compared and is as it was.",
        (Ending::RollbackIncomplete, _) => "Rollback incomplete: the host is not as it was.",
        (Ending::WaitingForReboot, _) => "Waiting for a reboot.",
        (Ending::WaitingForConfirmation, _) => {
            "Verified, and waiting for a confirmation: without one it is rolled back."
        }
    }
}

/// `apply --json` and its like.
#[must_use]
pub fn outcome_json(outcome: &Outcome) -> Value {
    json!({
        "result": outcome.ending, "exit": outcome.exit.code(), "transaction": outcome.transaction,
        "steps": outcome.steps, "error": outcome.error, "hint": outcome.hint, "notes": outcome.notes,
    })
}

/// An error before there was anything to report on, in the same form.
#[must_use]
pub fn failure_json(text: &str, hint: Option<&str>, exit: Exit) -> Value {
    let failed = Outcome { exit, ..Outcome::refused(text, hint.map(String::from)) };
    outcome_json(&failed)
}

/// The checks as a table.
#[must_use]
pub fn checks(all: &[Check]) -> String {
    let name = all.iter().map(|c| c.name.len()).max().unwrap_or(0);
    let want = all.iter().map(|c| c.want.len()).max().unwrap_or(0).min(32);
    let mut text = String::new();
    for check in all {
        let have = check.have.as_deref().unwrap_or("unknown");
        let mark = if check.ok { "ok " } else { "BAD" };
        let seen = if check.ok { String::new() } else { format!("  is {have}") };
        text.push_str(
            format!("  {mark}  {:<name$}  {:<want$}{seen}", check.name, check.want).trim_end(),
        );
        text.push('\n');
        if let Some(hint) = &check.hint {
            text.push_str(&format!("       {hint}\n"));
        }
    }
    text
}

/// `verify --json`
#[must_use]
pub fn checks_json(all: &[Check]) -> Value {
    json!({"ok": verify::failed(all).is_empty(), "checks": all})
}

/// `findings`
#[must_use]
pub fn codes() -> String {
    let one = |code: &Code| {
        format!(
            "{:<26} {:<8} {}\n{:>36}{}\n",
            code.name(),
            code.severity(),
            code.meaning(),
            "",
            code.remedy()
        )
    };
    Code::ALL.iter().map(one).collect()
}

/// `findings --json`
#[must_use]
pub fn codes_json() -> Value {
    let one = |code: &Code| json!({"code": code, "severity": code.severity(), "meaning": code.meaning(), "remedy": code.remedy()});
    json!({"findings": Code::ALL.iter().map(one).collect::<Vec<_>>()})
}

/// Tells a person what goes on.
pub struct Teller {
    quiet: bool,
    yes: bool,
    orders: Orders,
    over_ssh: bool,
    tell: fn(&str),
    progress: Arc<Progress>,
    log: Option<Arc<Log>>,
}

impl Teller {
    /// On standard error. `yes`: nobody needs to be asked.
    #[must_use]
    pub fn new(quiet: bool, yes: bool) -> Self {
        Self {
            quiet,
            yes,
            orders: Orders::default(),
            over_ssh: false,
            tell: err,
            progress: Progress::new(err, false),
            log: None,
        }
    }

    /// The same, which says with the plan what is ordered besides. `over_ssh`: the one who is
    /// told may be cut off by it.
    #[must_use]
    pub fn ordered(self, orders: Orders, over_ssh: bool) -> Self {
        Self { orders, over_ssh, ..self }
    }

    /// The same with waits told of, and everything logged.
    #[must_use]
    pub fn with(self, progress: &Arc<Progress>, log: &Arc<Log>) -> Self {
        Self { progress: Arc::clone(progress), log: Some(Arc::clone(log)), ..self }
    }

    /// The same on standard output: for a rehearsal, where all this is the result.
    #[must_use]
    pub fn on_stdout(self) -> Self {
        Self { tell: out, progress: Progress::new(out, false), ..self }
    }
}

impl Observer for Teller {
    fn begins(&mut self, number: usize, total: usize, title: &str) {
        let line = format!("[{number}/{total}] {title}");
        if let Some(log) = &self.log {
            log.begins(&line);
        }
        if !self.quiet {
            self.progress.begins(&format!("{line} ... "));
        }
    }

    fn ended(&mut self, state: StepState, took: Duration) {
        let word = match state {
            StepState::Done => "done",
            StepState::Undone => "undone",
            StepState::Failed => "FAILED",
            StepState::NotUndone => "NOT UNDONE",
            StepState::Pending => "not begun",
        };
        if let Some(log) = &self.log {
            log.ended(word, took);
        }
        if !self.quiet {
            self.progress.ended(&format!("{word} ({:.1} s)", took.as_secs_f64()));
        }
    }

    fn waits(&mut self, what: &str, limit: Duration) {
        if !self.quiet {
            self.progress.waits(what, limit);
        }
    }

    fn note(&mut self, text: &str) {
        if let Some(log) = &self.log {
            log.note(text);
        }
        self.progress.closes();
        (self.tell)(&format!("note: {text}\n"));
    }

    fn agrees(&mut self, the_plan: &Plan, found: &[Finding], inv: &Inventory) -> bool {
        if !self.quiet {
            (self.tell)(&plan(the_plan, found, inv));
            (self.tell)(&orders(self.orders, the_plan, self.over_ssh));
        }
        let steps = the_plan.steps.len();
        self.yes || ask(&format!("Apply these {steps} steps? [y/N] "))
    }
}

/// Shows every command that changes the host before it runs.
pub struct Loud;

impl Watch for Loud {
    fn before(&self, effect: &Effect<'_>) -> Result<()> {
        if let Effect::Run(cmd) = effect {
            err(&format!("\n    $ {cmd}\n"));
        }
        Ok(())
    }

    fn after(&self, _: &Effect<'_>) -> Result<()> {
        Ok(())
    }
}

/// Asks a person.
#[must_use]
pub fn ask(question: &str) -> bool {
    err(question);
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
}
