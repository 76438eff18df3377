//! `log`: what was done in a transaction.

use serde_json::{Value, json};

use super::table::{Column, Table, joined};
use super::text::{Mark, Text};
use crate::journal::Transaction;
use crate::journal::log::{Entry, EntryKind};

/// A transaction of this host.
#[derive(Debug)]
pub struct Past {
    /// Its name.
    pub id: String,
    /// Its bond.
    pub bond: String,
    /// How far it came.
    pub phase: String,
    /// When it began.
    pub started: String,
}

impl Past {
    /// Of a transaction.
    #[must_use]
    pub fn of(tx: &Transaction) -> Self {
        Self {
            id: tx.header.id.clone(),
            bond: tx.header.plan.spec.bond.to_string(),
            phase: tx.phase().to_string(),
            started: tx.header.started.clone(),
        }
    }
}

/// The log of a transaction for people, and all transactions, the newest first.
#[must_use]
pub fn history(tx: &Transaction, entries: &[Entry], all: &[Past]) -> Text {
    let header = &tx.header;
    let spec = &header.plan.spec;
    let mut text = Text::from(format!(
        "{}: {}, began {}, xenbond {}: {}\n\n",
        header.id,
        spec.bond,
        header.started,
        header.program,
        tx.phase()
    ));
    let (mut who, mut boot) = ("", None);
    let mut table = Table::new(&[Column::PLAIN, Column::PLAIN]);
    for entry in entries {
        if entry.boot.is_some() && boot.is_some_and(|boot| boot != &entry.boot) {
            table.line("---- the host was rebooted ----");
        }
        boot = Some(&entry.boot);
        if entry.kind == EntryKind::Rollback {
            table.line(format!("---- rolling back: {} ----", entry.what.replace('\n', " ")));
            continue;
        }
        if entry.who != who {
            who = &entry.who;
            table.line(format!("by {who}"));
        }
        let what = match entry.kind {
            EntryKind::Begins => entry.what.clone(),
            EntryKind::Ended | EntryKind::Rollback => String::new(),
            EntryKind::Ran => format!("  $ {}", entry.what),
            EntryKind::Wrote => format!("  wrote {}", entry.what),
            EntryKind::Removed => format!("  removed {}", entry.what),
            EntryKind::Note => format!("note: {}", entry.what.replace('\n', "\n    ")),
        };
        let took = entry.seconds.map(|s| format!(" ({s:.1} s)")).unwrap_or_default();
        let status = entry.status.as_deref().unwrap_or_default();
        let end = match (what.is_empty(), status.is_empty()) {
            (true, _) => format!("  {status}{took}"),
            (false, true) => String::new(),
            (false, false) => format!(": {status}{took}"),
        };
        table.row([entry.at.clone().into(), format!("{what}{end}").into()]);
    }
    text.push(joined(table.lines()));
    if entries.is_empty() && tx.begun().is_empty() {
        text.push("Nothing was done yet.\n");
    }
    text.push("\n");
    text.push(Text::line(Mark::Strong, "Transactions:", " xenbond log TRANSACTION shows one"));
    let mut table = Table::new(&[Column::PLAIN; 4]).indent(2);
    for past in all.iter().rev() {
        let Past { id, bond, phase, started } = past;
        table.row([id, bond, started, phase].map(|text| text.as_str().into()));
    }
    text.and(joined(table.lines()))
}

/// `log --json`
#[must_use]
pub fn history_json(tx: &Transaction, entries: &[Entry], all: &[Past]) -> Value {
    let one = |past: &Past| {
        let Past { id, bond, phase, started } = past;
        json!({"id": id, "bond": bond, "phase": phase, "started": started})
    };
    json!({
        "transaction": tx.header.id, "bond": tx.header.plan.spec.bond, "started": tx.header.started,
        "phase": tx.phase().to_string(), "entries": entries,
        "transactions": all.iter().map(one).collect::<Vec<_>>(),
    })
}
