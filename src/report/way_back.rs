//! What a rollback would undo, for people and as JSON.

use serde_json::{Value, json};

use super::leads_to;
use super::list::{address, by_hand};
use super::plan::findings;
use super::text::{Mark, Text};
use crate::engine::WayBack;
use crate::journal::Transaction;

/// What it leads to, in one line.
fn headline(way: &WayBack) -> String {
    let newest = way.newest();
    let plan = &newest.header.plan;
    let mut text = if plan.removes {
        match &way.before {
            Some(spec) => format!("brings {} back ({})", spec.bond, address(spec)),
            None => leads_to(&plan.spec, None),
        }
    } else if way.by_hand {
        by_hand(&plan.spec)
    } else {
        leads_to(&plan.spec, way.before.as_ref())
    };
    let later: Vec<&str> = way.transactions.iter().rev().skip(1).map(id).collect();
    if !later.is_empty() {
        text.push_str(&format!(", later changes included: {}", later.join(", ")));
    }
    if way.backend_stays && switches(way) {
        text.push_str("; the backend stays: another bond needs it");
    }
    if way.reboots {
        text.push_str("; the backend changes back, with a reboot");
    }
    text
}

/// Whether one of its changes switched the backend.
fn switches(way: &WayBack) -> bool {
    way.transactions.iter().any(|tx| tx.header.plan.switches().next().is_some())
}

fn id(tx: &Transaction) -> &str {
    &tx.header.id
}

/// For how long storage is interrupted, in words.
fn outage(way: &WayBack) -> String {
    let silence: u64 = way.transactions.iter().map(|tx| tx.header.plan.silence(true)).sum();
    if silence > 0 {
        return format!("the management interface moves back, silent for about {silence} s");
    }
    match (way.interrupts, way.stays) {
        (0, _) => "no interruption".into(),
        (_, false) => {
            format!("{} carries nothing from then on", way.newest().header.plan.spec.bond)
        }
        (seconds, _) => format!("storage is interrupted for about {seconds} s"),
    }
}

/// The titles of what is undone, in order.
fn steps(way: &WayBack) -> Vec<String> {
    way.steps().into_iter().map(|step| step.undo_title()).collect()
}

/// How many steps are undone.
#[must_use]
pub fn undone(way: &WayBack) -> usize {
    steps(way).len()
}

/// What it would undo, for people.
#[must_use]
pub fn way_back(way: &WayBack) -> Text {
    let mut text = Text::line(
        Mark::Strong,
        &format!("Undoing {}:", id(way.newest())),
        &format!(" {}; {}", headline(way), outage(way)),
    );
    if !way.findings.is_empty() {
        text = text.and(Text::line(Mark::Strong, "Findings:", "")).and(findings(&way.findings));
    }
    text.push(steps(way).iter().map(|step| format!("  - {step}\n")).collect::<String>());
    for lost in way.cannot_be_undone() {
        text.push(format!("  not brought back: {lost}\n"));
    }
    text
}

/// `rollback --dry-run --json`
#[must_use]
pub fn way_back_json(way: &WayBack) -> Value {
    json!({
        "headline": headline(way),
        "transactions": way.transactions.iter().map(id).collect::<Vec<_>>(),
        "findings": way.findings,
        "steps": steps(way),
        "interrupts": if !way.stays && way.interrupts > 0 { None } else { Some(way.interrupts) },
        "reboot": way.reboots,
        "cannot_be_undone": way.cannot_be_undone(),
    })
}
