//! Makes, verifies and undoes a NIC bond that XAPI does not manage, on a XenServer or XCP-ng
//! dom0.
//!
//! Data flows one way and each arrow is a plain function:
//!
//! ```text
//! cli -> spec -> inventory -> preflight -> plan -> apply (+ journal) -> verify -> report
//!                                                  rollback <- journal
//! ```
//!
//! `spec`, `preflight`, `plan`, `render`, `verify` and the parsers are pure. Only `inventory`,
//! `step`, `apply`, `rollback` and `journal` touch the host, and only through the seam in `host`.

pub mod bonding;
pub mod cli;
pub mod drill;
pub mod engine;
pub mod facts;
pub mod host;
pub mod ifcfg;
pub mod inventory;
pub mod journal;
pub mod log;
pub mod model;
pub mod modprobe;
pub mod net;
pub mod options;
pub mod outcome;
pub mod paths;
pub mod plan;
pub mod preflight;
pub mod probe;
pub mod render;
pub mod report;
pub mod service;
pub mod spec;
pub mod status;
pub mod step;
pub mod undo_script;
pub mod verify;
pub mod xe;
