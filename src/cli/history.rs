//! `log`, and how it names whoever runs the program.

use anyhow::{Context, Result};

use super::Run;
use crate::host::user;
use crate::journal;
use crate::journal::log;
use crate::ledger;
use crate::outcome::Exit;
use crate::report::{self, Past};

impl Run {
    /// What was done in a transaction: the last one, where none is named.
    pub(super) fn log(&self, name: Option<&str>) -> Result<Exit> {
        let names = ledger::names(&self.host)?;
        let tx = match name {
            Some(name) => {
                let found = names.iter().find(|known| *known == name).with_context(|| {
                    let known =
                        if names.is_empty() { "there are none".into() } else { names.join(", ") };
                    format!("there is no transaction {}: {known}", name.escape_debug())
                })?;
                journal::Transaction::named(&self.host, found)?
                    .with_context(|| format!("transaction {found} has no plan"))?
            }
            None => journal::latest(&self.host)?
                .context("there is no log: xenbond has changed nothing on this host")?,
        };
        // One whose record cannot be read is known by its name alone.
        let past = |id: &String| match journal::Transaction::named(&self.host, id) {
            Ok(tx) => tx.as_ref().map(Past::of),
            Err(_) => Some(Past {
                id: id.clone(),
                bond: "?".into(),
                phase: "its record cannot be read".into(),
                started: "?".into(),
            }),
        };
        let all: Vec<Past> = names.iter().filter_map(past).collect();
        let (entries, damaged) = log::entries(&self.host, &tx.header.id)?;
        let path = ledger::log_file(&tx.header.id);
        if damaged > 0 {
            report::err(report::note(&format!("{damaged} lines of {path} cannot be read")));
        } else if entries.is_empty() && !tx.begun().is_empty() {
            report::err(report::note(&format!(
                "{path} is gone or empty, and the journal beside it knows of steps"
            )));
        }
        if self.json {
            self.document(report::history_json(&tx, &entries, &all), None);
        } else {
            report::out(report::history(&tx, &entries, &all));
        }
        Ok(Exit::AsAsked)
    }
}

/// Who runs the program, and from where: `root from 10.0.0.5`, `root (sudo by alice)`.
pub(super) fn who(variable: impl Fn(&str) -> Option<String>) -> String {
    let mut who = user();
    let word = |text: String| -> String {
        let plain = |c: &char| c.is_ascii_alphanumeric() || "._-:@%".contains(*c);
        text.chars().take_while(plain).take(64).collect()
    };
    if let Some(by) = variable("SUDO_USER").map(word).filter(|by| !by.is_empty()) {
        who.push_str(&format!(" (sudo by {by})"));
    }
    let client = variable("SSH_CONNECTION").or_else(|| variable("SSH_CLIENT"));
    if let Some(from) = client.map(word).filter(|from| !from.is_empty()) {
        who.push_str(&format!(" from {from}"));
    }
    who
}
