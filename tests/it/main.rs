//! Tests of the whole program.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]
#![allow(clippy::disallowed_methods)]

mod by_itself;
mod captured;
#[path = "../dom0.rs"]
mod dom0;
mod e2e;
mod faults;
mod ground;
mod layers;
mod lives;
mod mutations;
mod packaging;
mod readme;
mod recorded;
mod replay;
mod sample;
mod services;
mod state;
mod traps;

mod golden;
