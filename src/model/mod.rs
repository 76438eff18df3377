//! The model of a dom0 behind the same seam as a real one: its programs run in process over a
//! small state (XAPI's database, the kernel) and the real files of a root. It is for `rehearse`
//! and the tests, and it is meant to be no kinder than a dom0: commands that exit 0 and did
//! nothing, options refused in passing, files deleted by the way (facts/).
//!
//! Its rooms, each over those before it: `state` (what is true), `kernel` (devices, the bonding
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
#[cfg(test)]
mod tests;
mod xe;

pub use kernel::options::{NUMBERS, WORDS};
pub use machine::{Model, scratch};
pub use state::State;
