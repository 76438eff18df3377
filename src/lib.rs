//! Makes, verifies and undoes a NIC bond that XAPI does not manage, on a XenServer or XCP-ng
//! dom0.
//!
//! Data flows one way and each arrow is a plain function:
//!
//! ```text
//! cli -> spec -> inventory -> preflight -> plan -> engine (steps, journal) -> verify -> report
//!                                                  engine: rollback <- journal
//! ```
//!
//! `spec`, `preflight`, `plan`, `render` and the parsers are pure, and so is what `verify` and
//! `status` make of a reading. The host is touched only through the seam in `host`: read by
//! `inventory`, `probe` and `verify`, changed by `step`, `service`, `drill` and `engine`, with the
//! record of it in `journal` and `log`. `model` stands in for a host.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests prepare their own files"))]

pub mod bonding;
pub mod cli;
pub mod drill;
pub mod engine;
pub mod host;
pub mod ifcfg;
pub mod inventory;
pub mod journal;
pub mod ledger;
pub mod model;
pub mod modprobe;
pub mod net;
pub mod options;
pub mod outcome;
pub mod paths;
pub mod plan;
pub mod preflight;
pub mod rehearse;
pub mod render;
pub mod report;
pub mod service;
pub mod spec;
pub mod status;
pub mod step;
pub mod verify;
pub mod xe;

// The tests beside the code share their dom0 with those of the whole.
#[cfg(test)]
extern crate self as xenbond;
#[cfg(test)]
#[path = "../tests/dom0.rs"]
mod dom0;
