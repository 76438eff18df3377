//! Tests of the whole program.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]
#![allow(clippy::disallowed_methods)]

mod by_itself;
mod captured;
mod e2e;
mod faults;
mod ground;
mod layers;
mod mutations;
mod packaging;
mod readme;
mod recorded;
mod replay;
mod services;
mod state;
mod traps;

mod golden;
