//! The model of a dom0 behind the same seam as a real one: its programs run in process over a
//! small state (XAPI's database, the kernel) and the real files of a root. It is for `rehearse`
//! and the tests, and it is meant to be no kinder than a dom0: commands that exit 0 and did
//! nothing, options refused in passing, files deleted by the way (tests/ground).
//!
//! Its rooms, each over those before it: `state` (what is true), `stores` (what of it is on disk),
//! `kernel` (devices, the bonding
//! driver and what the kernel shows), `programs` (everything but `xe`), `xe`, `boot` and the files
//! of a fresh `root`, and `machine`, which runs it all behind the seam.

#![allow(clippy::disallowed_methods, reason = "it stands in for the machine")]

mod boot;
pub mod builtin;
mod dispatch;
mod inner;
mod kernel;
mod machine;
mod programs;
mod root;
pub mod state;
mod stores;
#[cfg(test)]
mod tests;
mod xe;

pub use kernel::options::{NUMBERS, WORDS};
pub use machine::{Model, scratch};
pub use state::State;

/// Whether the model's `xe` of a release has what these arguments ask for, or why not.
///
/// # Errors
/// What of it the model lacks.
pub fn knows(release: state::Release, args: &[String]) -> Result<(), String> {
    xe::knows(release, args)
}

/// Runs `xe` on a state alone, with no root: its exit status, stdout and stderr. A command that
/// looks at files of the host finds none.
#[must_use]
pub fn ask(state: &mut State, args: &[String]) -> (i32, String, String) {
    let nowhere = std::path::Path::new("/proc/self/nowhere");
    let mut shell = programs::shell::Shell::new(nowhere, state);
    let status = xe::run(&mut shell, args);
    (status, shell.out, shell.err)
}
