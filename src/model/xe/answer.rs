//! What the commands of `xe` share: their arguments, their answers, and how they fail.

use super::records::{Record, records};
use crate::model::programs::shell::Shell;

/// How a command fails.
pub(super) enum Fault {
    /// A known API error: the doc sentence, and its parameters.
    Api(&'static str, Vec<(&'static str, String)>),
    /// `Failure` inside XAPI.
    Internal(String),
    /// `Error: text`.
    Plain(String),
    /// Usage: `text`, then the hint.
    Usage(String),
}

/// What a command prints: records or lines.
pub(super) type Answer = Result<Vec<String>, Fault>;

/// A command's named arguments; of a repeated name the first counts.
pub(super) struct Args {
    pub(super) pairs: Vec<(String, String)>,
    pub(super) minimal: bool,
}

impl Args {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str())
    }
    pub(super) fn need(&self, name: &str) -> Result<&str, Fault> {
        self.get(name).ok_or_else(|| Fault::Usage(format!("Required parameter not found: {name}")))
    }
}

/// The record of a uuid.
pub(super) fn find(
    shell: &Shell<'_>,
    class: &str,
    kind: &'static str,
    uuid: &str,
) -> Result<Record, Fault> {
    records(shell.state, class).into_iter().find(|r| r.uuid() == uuid).ok_or_else(|| {
        Fault::Api(
            "The uuid you supplied was invalid.",
            vec![("type", kind.to_string()), ("uuid", uuid.to_string())],
        )
    })
}
