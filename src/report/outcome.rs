//! How a run ended, in words and as JSON.

use serde_json::{Value, json};

use super::{err, out};
use crate::outcome::{Exit, Outcome, verdict};

/// An error for people: what went wrong, then what to type.
#[must_use]
pub fn error(text: &str, hint: Option<&str>) -> String {
    let mut lines = format!("error: {text}\n");
    if let Some(hint) = hint {
        lines.push_str(&format!("hint: {hint}\n"));
    }
    lines
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
