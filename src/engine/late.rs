//! What XAPI may still do for a client that was killed at its limit: "as it was" is not said of a
//! state that can still change by our doing.

use std::time::Duration;

use anyhow::Result;

use super::{Engine, Observer};
use crate::journal::Transaction;
use crate::ledger::{self, Event};
use crate::outcome::Item;
use crate::step::Step;
use crate::xe::{self, Pif};

/// For how long after its client was killed an effect is watched for.
const WATCH: Duration = Duration::from_secs(120);

/// How often.
const LOOK: Duration = Duration::from_secs(2);

impl Engine<'_> {
    /// Writes down that a call was killed, when that is what the error tells of.
    pub(super) fn note_killed(&self, tx: &mut Transaction, error: &anyhow::Error) {
        let Some(cmd) = xe::killed(error) else { return };
        let event = Event::Killed { args: cmd.args.clone(), wall: ledger::wall_seconds(self.host) };
        if self.record(tx, event.clone()).is_err() {
            tx.remember(self.host, event);
        }
    }

    /// Waits for the effects of calls that were killed; those that did not come in time.
    pub(super) fn await_late(
        &self,
        tx: &Transaction,
        observer: &mut dyn Observer,
    ) -> Result<Vec<Item>> {
        let Some(of) = tx.header.plan.steps.iter().find_map(Step::pif).map(|p| p.host.clone())
        else {
            return Ok(Vec::new());
        };
        let mut awaited = tx.killed();
        let mut said = false;
        while !awaited.is_empty() {
            let pifs = xe::pifs(self.host, &of)?.all;
            awaited.retain(|(args, _)| !has_come(args, &pifs));
            let now = ledger::wall_seconds(self.host);
            let left = |since: u64| WATCH.as_secs().saturating_sub(now.saturating_sub(since));
            let longest = awaited.iter().map(|(_, since)| left(*since)).max().unwrap_or(0);
            if longest == 0 {
                break;
            }
            if !said {
                said = true;
                observer.waits("what XAPI may still do", Duration::from_secs(longest));
            }
            self.host.clock().pause(LOOK);
        }
        Ok(awaited.into_iter().map(|(args, _)| named(args)).collect())
    }
}

/// Whether XAPI's records show what a call asked for.
fn has_come(args: &[String], pifs: &[Pif]) -> bool {
    let value = |key: &str| args.iter().find_map(|arg| arg.strip_prefix(key)?.strip_prefix('='));
    let pif = value("uuid").and_then(|uuid| pifs.iter().find(|p| p.uuid.to_string() == uuid));
    match args.first().map(String::as_str) {
        Some("pif-forget") => pif.is_none(),
        Some("pif-unplug") => pif.is_none_or(|p| !p.attached),
        Some("pif-plug") => pif.is_none_or(|p| p.attached),
        Some("pif-introduce") => {
            pifs.iter().any(|p| p.is_nic() && value("device") == Some(p.device.as_str()))
        }
        _ => false,
    }
}

fn named(args: &[String]) -> Item {
    let uuid = args.iter().find(|arg| arg.starts_with("uuid="));
    let look = uuid.map_or("xe pif-list".to_string(), |uuid| format!("xe pif-list {uuid}"));
    Item {
        what: format!(
            "XAPI did not answer `xe {}` in time, has not done it in the {} s since, and may still do it",
            args.join(" "),
            WATCH.as_secs()
        ),
        command: format!("xe task-list; {look}; then: xenbond rollback"),
    }
}
