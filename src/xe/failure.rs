//! What the failure of an `xe` call means for whoever might try again. Must not know who that is.

use crate::host::{Cmd, Failed, Program, Status};

/// Why a call did not do its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It hung until it was killed: XAPI, or the master behind it, says nothing at all, and may
    /// still do what was asked (tests/ground/xapi-measured.md, M10).
    Hung,
    /// There was nobody to answer, the connection broke, or XAPI is still starting: the next call
    /// may find it well.
    NoAnswer,
    /// XAPI said no.
    Refused,
}

/// What `xe` says when nobody answers, from its client (xapi's ocaml/xe-cli/newcli.ml) and from an
/// XAPI that is starting (HOST_STILL_BOOTING).
const NO_ANSWER: [&str; 7] = [
    "connection refused",
    "connection reset",
    "lost connection",
    "broken pipe",
    "still initialising",
    "still booting",
    "HOST_STILL_BOOTING",
];

/// Why the `xe` call failed that this error tells of; `None` where it tells of none.
#[must_use]
pub fn failure(error: &anyhow::Error) -> Option<Failure> {
    let failed = error.downcast_ref::<Failed>().filter(|f| f.cmd.program == Program::Xe)?;
    let said = failed.said.to_ascii_lowercase();
    Some(match failed.status {
        Status::TimedOut => Failure::Hung,
        _ if NO_ANSWER.iter().any(|word| said.contains(&word.to_ascii_lowercase())) => {
            Failure::NoAnswer
        }
        _ => Failure::Refused,
    })
}

/// The changing call whose client was killed at its limit, by this error: XAPI may still do it.
#[must_use]
pub fn killed(error: &anyhow::Error) -> Option<&Cmd> {
    let failed = error.downcast_ref::<Failed>()?;
    let is = failed.cmd.program == Program::Xe && failed.status == Status::TimedOut;
    (is && failed.cmd.changes).then_some(&failed.cmd)
}
