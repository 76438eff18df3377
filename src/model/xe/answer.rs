//! What the commands of `xe` share: their arguments, their answers, and how they fail.

use super::records::{Field, Record, records};
use crate::model::programs::shell::Shell;
use crate::model::state::{Release, State};

/// How a command fails.
pub(super) enum Fault {
    /// A known API error: the doc sentence, and its parameters.
    Api(&'static str, Vec<(&'static str, String)>),
    /// An exception inside XAPI.
    Server(String),
    /// `Error: text`: what the command line itself found wrong.
    Plain(String),
    /// An API error without a sentence.
    Code(&'static str, String),
    /// `text`, then the hint.
    Usage(String),
    /// The connection broke while the command ran.
    Lost,
}

/// What a command prints.
pub(super) enum Printed {
    /// No line at all.
    Nothing,
    /// Lines; with `--minimal` one, with commas between.
    Lines(Vec<String>),
    /// Records; with `--minimal` the first field of each.
    Table(Vec<Vec<Field>>),
}

impl Printed {
    pub(super) fn line(text: impl Into<String>) -> Self {
        Self::Lines(vec![text.into()])
    }
}

/// What comes of a command.
pub(super) type Answer = Result<Printed, Fault>;

/// A command's named arguments; of a repeated name the first counts, and a bare word is a name
/// without a value.
pub(super) struct Args {
    pub(super) pairs: Vec<(String, String)>,
    pub(super) minimal: bool,
}

impl Args {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str())
    }

    /// An argument whose name may be in any case.
    pub(super) fn any_case(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(k, _)| k.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    pub(super) fn need(&self, name: &str) -> Result<&str, Fault> {
        self.get(name).ok_or_else(|| Fault::Usage(format!("Required parameter not found: {name}")))
    }

    /// Several at once, in the order in which they are missed.
    pub(super) fn need_all<const N: usize>(&self, names: [&str; N]) -> Result<[&str; N], Fault> {
        let mut found = [""; N];
        for (value, name) in found.iter_mut().zip(names) {
            *value = self.need(name)?;
        }
        Ok(found)
    }
}

/// A uuid that no record of the class has.
pub(super) fn invalid(kind: &str, uuid: &str) -> Fault {
    Fault::Api(
        "The uuid you supplied was invalid.",
        vec![("type", kind.to_string()), ("uuid", uuid.to_string())],
    )
}

/// The record of a uuid.
pub(super) fn find(
    shell: &Shell<'_>,
    class: &str,
    kind: &'static str,
    uuid: &str,
) -> Result<Record, Fault> {
    let found = records(shell.state, class).into_iter().find(|r| r.uuid() == uuid);
    found.ok_or_else(|| invalid(kind, uuid))
}

/// Whether XAPI is of XenServer 8 or later.
pub(super) fn recent(state: &State) -> bool {
    state.release() >= Release::V24_39
}

/// A refusal that names a PIF.
pub(super) fn refuse(sentence: &'static str, uuid: &str) -> Fault {
    Fault::Api(sentence, vec![("PIF", uuid.to_string())])
}

/// A network daemon that could not do it.
pub(super) fn misconfigured(uuid: &str, msg: String) -> Fault {
    Fault::Api(
        "An unknown error occurred while attempting to configure an interface.",
        vec![("PIF", uuid.to_string()), ("msg", msg)],
    )
}

/// A value that the API does not take.
pub(super) fn bad_value(field: &str, value: String) -> Fault {
    Fault::Api("The value given is invalid", vec![("field", field.to_string()), ("value", value)])
}
