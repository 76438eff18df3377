//! How a run ended, in words and as JSON.

use serde_json::{Value, json};

use super::text::{Mark, Text};
use super::{err, out};
use crate::outcome::{Exit, Outcome, verdict};

/// An error for people: what went wrong, then what to type.
#[must_use]
pub fn error(text: &str, hint: Option<&str>) -> Text {
    let error = Text::line(Mark::Bad, "error", &format!(": {text}"));
    match hint {
        Some(text) => error.and(self::hint(text)),
        None => error,
    }
}

/// The words of the reader of arguments, which begin with `error`.
#[must_use]
pub fn usage(text: &str) -> Text {
    match text.strip_prefix("error") {
        Some(rest) => Text::marked(Mark::Bad, "error").and(rest),
        None => text.into(),
    }
}

/// What to type.
#[must_use]
pub fn hint(text: &str) -> Text {
    Text::line(Mark::Strong, "hint:", &format!(" {text}"))
}

/// A note: something to know.
#[must_use]
pub fn note(text: &str) -> Text {
    Text::line(Mark::Note, "note", &format!(": {text}"))
}

/// The state that the host is in.
#[must_use]
pub fn state(text: &str) -> Text {
    Text::line(Mark::Strong, "state:", &format!(" {text}"))
}

/// How a run ended, for people: the error goes to standard error, the verdict to standard output.
pub fn outcome(outcome: &Outcome) {
    for text in &outcome.notes {
        err(note(text));
    }
    if let Some(text) = &outcome.error {
        err(error(text, outcome.hint.as_deref()));
    } else if let Some(text) = &outcome.hint {
        err(hint(text));
    }
    out(format!("{}\n", verdict(outcome)));
}

/// `apply --json` and its like.
#[must_use]
pub fn outcome_json(outcome: &Outcome) -> Value {
    json!({
        "result": outcome.ending, "exit": outcome.exit.code(), "transaction": outcome.transaction,
        "steps": outcome.steps, "error": outcome.error, "hint": outcome.hint,
        "findings": outcome.findings, "notes": outcome.notes,
        "pending": outcome.pending, "not_saved": outcome.not_saved, "left": outcome.left,
    })
}

/// An error before there was anything to report on, in the same form.
#[must_use]
pub fn failure_json(text: &str, hint: Option<&str>, exit: Exit) -> Value {
    let failed = Outcome { exit, ..Outcome::refused(text, hint.map(String::from)) };
    outcome_json(&failed)
}
