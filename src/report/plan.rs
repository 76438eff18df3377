//! A plan in words, as unified diffs and as JSON.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::checks::checks;
use super::diff;
use super::text::{Mark, Text};
use crate::engine::{Proposal, Situation};
use crate::host::{Cmd, Kind, Program, quoted};
use crate::inventory::{Inventory, facts};
use crate::ledger::Orders;
use crate::plan::Plan;
use crate::preflight::{Finding, Severity};
use crate::spec::{Network, Spec};
use crate::step::{FileChange, Step};
use crate::verify;

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
            .and(format!("          {}\n", finding.hint))
    };
    all.iter().map(paragraph).collect()
}

/// What `plan` says, for people.
#[must_use]
pub fn proposal(proposal: &Proposal) -> Text {
    let Situation { spec, inv, .. } = &proposal.situation;
    if let Some(open) = inv.transaction.as_ref().filter(|open| open.spec.bond == spec.bond)
        && let Some(verdict) =
            verify::unfinished(&spec.bond, &open.phase, inv.ground.other_run.as_deref(), &[])
    {
        return Text::from(format!(
            "{}, transaction {}: a change of it is not at its end\n",
            spec.bond, open.id
        ))
        .and(checks(&verdict))
        .and("\n")
        .and(heading("Findings:"))
        .and(findings(&proposal.findings));
    }
    match &proposal.plan {
        Some(the_plan) => plan(the_plan, &proposal.findings, &proposal.situation.inv),
        None => heading("Findings:").and(findings(&proposal.findings)),
    }
}

fn heading(words: &str) -> Text {
    Text::line(Mark::Strong, words, "")
}

/// The plan for people.
#[must_use]
pub fn plan(plan: &Plan, found: &[Finding], inv: &Inventory) -> Text {
    let mut text = Text::default();
    let spec = &plan.spec;
    let nics: Vec<String> = plan.nics.iter().map(|n| format!("{} ({})", n.device, n.mac)).collect();
    let host = inv.kernel.hostname.as_deref().unwrap_or("this host");
    let what = match spec.managed() {
        Some(_) if spec.is_storage_nic() => "storage NIC of XAPI's".to_string(),
        _ => format!("{} over {}", spec.mode, nics.join(", ")),
    };
    text.push(format!("{} on {host}: {what}, {}", spec.bond, networks(spec)));
    if let Some(mtu) = spec.mtu {
        text.push(format!(", MTU {mtu}"));
    }
    text.push("\n\n");
    if !found.is_empty() {
        text = text.and(heading("Findings:")).and(findings(found)).and("\n");
    }
    if !plan.steps.is_empty() {
        text.push(format!("{}\n", effect(plan, inv)));
    }
    if plan.steps.is_empty() {
        text.push("Nothing to do: the host is configured as asked.\n");
        return text;
    }
    text.push(heading("Steps:"));
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
    let diffs: Text = plan.steps.iter().filter_map(Step::file).map(diff).collect();
    if !diffs.is_empty() {
        text = text.and("\n").and(heading("Files:")).and(diffs);
    }
    let lost = plan.cannot_be_undone();
    if !lost.is_empty() {
        text.push("\nA rollback cannot bring back:\n");
        for line in lost {
            text.push(format!("  - {line}\n"));
        }
    }
    text
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
    let stands = inv.kernel.devices.contains_key(plan.spec.bond.as_str());
    if stands && !plan.reboots() {
        text.push_str(&match plan.outage() {
            0 => format!("{} carries its traffic on: no interruption.\n", plan.spec.bond),
            seconds => format!("Storage is interrupted for about {seconds} s.\n"),
        });
    }
    let Some(xapi) = &inv.xapi else { return text + "Which VMs run here is not known.\n" };
    let vms: Vec<&str> = xapi.vms.iter().map(|v| v.name_label.as_str()).collect();
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
pub(crate) fn diff(change: &FileChange) -> Text {
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
        "seconds": plan.map(Plan::seconds),
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
