//! `log`: what was done in a transaction.

use serde_json::{Value, json};

use super::table::{Column, Table, joined};

use crate::journal::Transaction;
use crate::journal::log::{Entry, EntryKind};

/// The log of a transaction for people. `all`: the names of all transactions.
#[must_use]
pub fn history(tx: &Transaction, entries: &[Entry], all: &[String]) -> String {
    let header = &tx.header;
    let spec = &header.plan.spec;
    let mut text = format!(
        "{}: {}, began {}, xenbond {}: {}\n\n",
        header.id,
        spec.bond,
        header.started,
        header.program,
        tx.phase()
    );
    let mut who = "";
    let mut table = Table::new(&[Column::PLAIN, Column::PLAIN]);
    for entry in entries {
        if entry.who != who {
            who = &entry.who;
            table.line(format!("by {who}"));
        }
        let what = match entry.kind {
            EntryKind::Begins => entry.what.clone(),
            EntryKind::Ended => String::new(),
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
    text.push_str(&joined(table.lines()));
    if entries.is_empty() && tx.begun().is_empty() {
        text.push_str("Nothing was done yet.\n");
    }
    let others: Vec<&str> =
        all.iter().map(String::as_str).filter(|name| *name != header.id).collect();
    if !others.is_empty() {
        text.push_str(&format!("\nOther transactions: {}\n", others.join(", ")));
    }
    text
}

/// `log --json`
#[must_use]
pub fn history_json(tx: &Transaction, entries: &[Entry]) -> Value {
    json!({
        "transaction": tx.header.id, "bond": tx.header.plan.spec.bond, "started": tx.header.started,
        "phase": tx.phase().to_string(), "entries": entries,
    })
}
