//! A plan in words, as unified diffs and as JSON.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::checks::checks;
use super::diff;
use super::table::{Cell, Column, Table, joined};
use super::text::{Mark, Text};
use crate::engine::{Proposal, Situation};
use crate::host::{Cmd, Kind, Program, quoted};
use crate::inventory::{Inventory, Managed, facts};
use crate::ledger::Orders;
use crate::plan::Plan;
use crate::preflight::{Finding, Severity, barring, first};
use crate::spec::{Network, Spec};
use crate::step::{FileChange, Step};
use crate::verify;

/// The column of a finding's hint.
const HINT: usize = 10;

/// The findings, one paragraph each.
#[must_use]
pub fn findings(all: &[Finding]) -> Text {
    let paragraph = |finding: &Finding| {
        let mark = match finding.severity {
            Severity::Error => Mark::Bad,
            Severity::Warning => Mark::Warning,
            Severity::Note => Mark::Note,
        };
        let word = finding.severity.to_string();
        let rest = format!(
            "{:blanks$} {}: {}",
            "",
            finding.code,
            finding.message,
            blanks = 7 - word.len()
        );
        Text::from("  ")
            .and(Text::line(mark, &word, &rest))
            .hanging(HINT)
            .and(format!("{:HINT$}{}\n", "", finding.hint))
    };
    all.iter().map(paragraph).collect()
}

/// How a plan is shown.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// Whether the diffs of the files are left out.
    pub brief: bool,
    /// The command that goes on from here, word by word; none where the plan is carried out now.
    pub next: Vec<String>,
}

/// What `plan` says, for people.
#[must_use]
pub fn proposal(proposal: &Proposal, view: &View) -> Text {
    let Situation { spec, inv, .. } = &proposal.situation;
    if let Some(open) = inv.transaction.as_ref().filter(|open| open.spec.bond == spec.bond)
        && let Some(verdict) =
            verify::unfinished(&spec.bond, &open.phase, inv.ground.other_run.as_deref(), &[])
    {
        return Text::from(format!(
            "{}, transaction {}: this change has not finished\n",
            spec.bond, open.id
        ))
        .and(checks(&verdict))
        .and("\n")
        .and(heading("Findings:"))
        .and(findings(&proposal.findings))
        .and(refusal(&proposal.findings, &proposal.accepted));
    }
    let found = &proposal.findings;
    let text = match &proposal.plan {
        Some(the_plan) => plan(the_plan, found, inv, &proposal.accepted, view),
        None => heading("Findings:").and(findings(found)).and("\n"),
    };
    text.and(refusal(found, &proposal.accepted))
}

/// The last line where a finding bars the way; nothing where none does.
fn refusal(found: &[Finding], accepted: &[String]) -> Text {
    let barring = barring(found, accepted);
    if barring.is_empty() {
        return Text::default();
    }
    let rest = format!(" {}. Nothing was changed.", first(&barring));
    Text::line(Mark::Bad, "Refused:", &rest)
}

fn heading(words: &str) -> Text {
    Text::line(Mark::Strong, words, "")
}

/// The plan for people: what is long first, and what it comes to at the end.
#[must_use]
pub fn plan(
    plan: &Plan,
    found: &[Finding],
    inv: &Inventory,
    accepted: &[String],
    view: &View,
) -> Text {
    let mut text = Text::default();
    let spec = &plan.spec;
    let nics: Vec<String> = plan.nics.iter().map(|n| format!("{} ({})", n.device, n.mac)).collect();
    let host = inv.kernel.hostname.as_deref().unwrap_or("this host");
    let what = match spec.managed() {
        Some(_) if spec.is_storage_nic() => "storage NIC of XAPI's".to_string(),
        Some(managed) => {
            format!("{} over {}, by XAPI, for {}", spec.mode, nics.join(", "), managed.purpose)
        }
        _ => format!("{} over {}", spec.mode, nics.join(", ")),
    };
    text.push(format!("{} on {host}: {what}", spec.bond));
    let networks = networks(spec);
    if !networks.is_empty() {
        text.push(format!(", {networks}"));
    }
    if let Some(mtu) = spec.mtu {
        text.push(format!(", MTU {mtu}"));
    }
    text.push("\n\n");
    if !plan.steps.is_empty() {
        text.push(steps(plan, inv));
    }
    let diffs: Text = plan.steps.iter().filter_map(Step::file).map(diff).collect();
    if !diffs.is_empty() && !view.brief {
        text = text.and(heading("Files:")).and(diffs).and("\n");
    }
    let lost = plan.cannot_be_undone();
    if !lost.is_empty() {
        text.push("A rollback cannot bring back:\n");
        text.push(lost.iter().map(|line| format!("  - {line}\n")).collect::<String>());
        text.push("\n");
    }
    if !found.is_empty() {
        text = text.and(heading("Findings:")).and(findings(found)).and("\n");
    }
    if plan.steps.is_empty() {
        return text.and("Nothing to do: the host is configured as asked.\n");
    }
    text.and(heading("Summary:")).and(summary(plan, found, inv, accepted, view))
}

/// Every step with its commands and its undo.
fn steps(plan: &Plan, inv: &Inventory) -> Text {
    let mut text = heading("Steps:");
    for (at, step) in plan.steps.iter().enumerate() {
        text.push(format!("  {}. {}\n", at + 1, step.title()));
        for cmd in step.commands() {
            text.push(format!("       $ {}\n", pasteable(&cmd, &inv.programs)));
        }
        for one in step.sysfs() {
            text.push(format!("       $ echo {} > {}\n", quoted(&one.value), one.path));
        }
        text.push(format!("     undo: {}\n", step.undo_title()));
    }
    text.and("\n")
}

/// The widest line of a summary.
const WIDTH: usize = 80;

/// Whether the bond stands: in the kernel, or by XAPI on Open vSwitch.
fn stands(plan: &Plan, inv: &Inventory) -> bool {
    let bond = &plan.spec.bond;
    let by_xapi = || Managed::all(inv).iter().any(|managed| managed.device == *bond);
    inv.kernel.devices.contains_key(bond.as_str()) || by_xapi()
}

/// What a change request says of its effect: how long, the reboot, the VMs, what is to be thought
/// about, and what to type.
fn summary(
    plan: &Plan,
    found: &[Finding],
    inv: &Inventory,
    accepted: &[String],
    view: &View,
) -> Text {
    let mut table = Table::new(&[Column::PLAIN, Column::PLAIN]).indent(2).width(WIDTH);
    let mut row = |head: &str, cell: Cell| table.row([head.into(), cell]);
    let seconds = plan.seconds_to_verdict();
    row(
        "steps",
        if plan.reboots() {
            format!("{}, about {seconds} s plus one reboot", plan.steps.len())
        } else {
            format!("{}, about {seconds} s, without a reboot", plan.steps.len())
        }
        .into(),
    );
    if plan.reboots() {
        row("undo", "a rollback needs a reboot, too".into());
    }
    let files: Vec<String> =
        plan.steps.iter().filter_map(Step::file).map(|file| file.path.clone()).collect();
    if !files.is_empty() {
        row("files", Cell::list(files));
    }
    if plan.moves_management() {
        row(
            "management",
            format!("silent for about {} s while it moves", plan.silence(false)).into(),
        );
    }
    let bond = &plan.spec.bond;
    if stands(plan, inv) && !plan.reboots() && !plan.removes {
        row(
            "storage",
            match plan.outage() {
                0 => format!("no interruption: {bond} keeps carrying traffic").into(),
                seconds => format!("interrupted for about {seconds} s").into(),
            },
        );
    }
    match &inv.xapi {
        None => row("VMs", "unknown: XAPI does not answer".into()),
        Some(xapi) => {
            let vms: Vec<String> = xapi.vms.iter().map(|vm| vm.name_label.clone()).collect();
            match (vms.is_empty(), plan.reboots()) {
                (true, _) => row("VMs", "none runs here".into()),
                (false, true) => row("VMs stopped by the reboot", Cell::list(vms)),
                // Those with a VIF on what goes down are cut off for as long.
                (false, false) if !plan.takes_down().is_empty() => {
                    row("VMs not stopped", Cell::list(vms));
                }
                (false, false) => row("VMs not affected", Cell::list(vms)),
            }
        }
    }
    for severity in [Severity::Error, Severity::Warning, Severity::Note] {
        let of = |finding: &&Finding| finding.severity == severity;
        let codes: Vec<String> =
            found.iter().filter(of).map(|finding| finding.code.to_string()).collect();
        if !codes.is_empty() {
            row(&format!("{severity}s"), Cell::list(codes));
        }
    }
    let barring = barring(found, accepted);
    let text = joined(table.lines());
    if view.next.is_empty() || barring.iter().any(|f| f.severity == Severity::Error) {
        return text;
    }
    let mut words = view.next.clone();
    for finding in barring {
        words.push("--accept".into());
        words.push(finding.code.to_string());
    }
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    text.and(format!("\nTo do it:\n  {}\n", words.join(" ")))
}

/// The addresses, each with its device where that is not the bond.
fn networks(spec: &Spec) -> String {
    let one = |network: Network<'_>| match network.tagged {
        Some(tagged) => format!("{} on {tagged}", network.address),
        None if spec.managed().is_some() => format!("{} on {}", network.address, network.device),
        None => network.address.to_string(),
    };
    spec.networks().map(one).collect::<Vec<_>>().join(", ")
}

/// What is ordered with a plan, for people.
pub(super) fn orders(orders: Orders, plan: &Plan, over_ssh: bool) -> String {
    let mut text = String::new();
    if orders.reboot && plan.reboots() {
        text.push_str(
            "\nThe host will reboot automatically and continue after the boot (--reboot).\n",
        );
    }
    match plan.orders(orders).confirm_within {
        Some(seconds) => {
            let time = humantime::format_duration(Duration::from_secs(seconds));
            text.push_str(&format!(
                "\nWithout `xenbond confirm` within {time} after the verdict, everything is rolled back,\nwith a reboot if needed.\n"
            ));
        }
        None if orders.reboot && plan.reboots() && over_ssh => text
            .push_str("With --confirm-within 10m it would roll back if you cannot log in again.\n"),
        None => {}
    }
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
pub(crate) fn diff(change: &FileChange) -> Text {
    let text = |kind: &Kind| String::from_utf8_lossy(kind.bytes().unwrap_or_default()).into_owned();
    let name = |kind: &Kind| {
        if *kind == Kind::Absent { "/dev/null".to_string() } else { change.path.clone() }
    };
    let (was, want) = (&change.was, &change.want);
    Text::whole(diff::unified(&text(was), &text(want), &name(was), &name(want)))
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
                .map(|f| json!({"path": f.path, "change": change_word(f), "diff": &*diff(f)}))
                .into_iter()
                .collect();
            let sysfs: Vec<Value> = step
                .sysfs()
                .iter()
                .map(|one| json!({"path": one.path, "value": one.value}))
                .collect();
            json!({
                "number": at + 1, "title": step.title(), "undo": step.undo_title(),
                "commands": commands, "sysfs": sysfs, "files": files, "reboot": matches!(step, Step::Reboot { .. }),
            })
        })
        .collect();
    json!({
        "spec": plan.map(|p| &p.spec),
        "findings": found,
        "changes": !steps.is_empty(),
        "steps": steps,
        "digest": plan.map(|p| facts::digest_of(&p.facts(inv))),
        "seconds": plan.map(Plan::seconds_to_verdict),
        "interrupts": plan.map(Plan::outage),
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
