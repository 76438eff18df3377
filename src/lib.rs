//! Makes, verifies and undoes a NIC bond that XAPI does not manage, on a XenServer or XCP-ng dom0.
//!
//! This page is for who wants to change it: the rooms, how a change of a host is built, where a new
//! finding, step, option or command goes, and how to run one test of each kind. What the program
//! does for its user is in `README.md`, what it takes for true of a dom0 in `tests/ground`.
//!
//! # The rooms
//!
//! Each room imports only rooms below its row, or to its right in it; `tests/it/layers.rs` holds
//! them to it. No file is longer than 450 lines and no function longer than 80, tests aside.
//!
//! ```text
//! main.rs lib.rs     the façade: public is only what a caller outside the tests needs
//! cli/               arguments, and which command calls what; clap is known only here
//! rehearse/          the engine on a model: stage, striker, recorded hosts
//! report/            all text for people and all JSON
//! drill/ status      a bond under traffic; everything of a host side by side
//! engine/            the order of things: apply, confirm, reboot, rollback, remove
//! journal/           transactions on disk: history, undo.sh, log
//! plan               the steps for a spec on a host, the saved plan and whether it is still fresh
//! verify/            one way to ask "is it as asked"
//! preflight/         one function per finding
//! inventory/         one read of a host: NICs, management, storage, facts
//! step/ render/      what one step does and undoes; templates to files, and read back
//! ledger/            our state on disk: lock, events, summaries; knows no plan
//! service spec/ options xe/ bonding/ ovs/ ifcfg modprobe paths net outcome
//!                    one subject each, typed; `xe` is the only place that spells `xe`
//! host/              every system call, file access, clock and process of the program
//! model/             a dom0 for rehearsals and tests, behind the same seam
//! json order         typed documents; short lists in order
//! ```
//!
//! Data flows one way, and each arrow is a plain function:
//!
//! ```text
//! cli -> spec -> inventory -> preflight -> plan -> engine (steps, journal) -> verify -> report
//!                                                  engine: rollback <- journal
//! ```
//!
//! `spec`, `preflight`, `plan`, `render`, the parsers and the judgement of `verify` are pure:
//! values in, values out, no host. Only `inventory`, the steps, the journal and the probes touch a
//! host, and only through `host`. So "what would happen" is a value, which is printed, compared
//! with a golden, and run on a model as on a host.
//!
//! # How a change is built
//!
//! 1. `spec` makes a `Request` of flags and file, for a whole pool; `Request::for_host` the `Spec`
//!    of this host. What is wrong in it is a usage error, before any host is looked at.
//! 2. `inventory` reads the host once. Nothing later asks for what is in it.
//! 3. `preflight` says what is found: errors bar the way, warnings do unless they are accepted.
//! 4. `plan::build` makes the steps, which hold all that their undo needs. No steps: nothing to do.
//! 5. `engine` writes plan and originals durably into a transaction, then takes the steps, with a
//!    durable line in the journal before each and after each. A run that was cut off goes on by it.
//! 6. `verify` asks the kernel and XAPI until all is as asked, or the time is up.
//! 7. What fails, and `rollback`, undo the begun steps in reverse and then compare the host with
//!    the facts of before: "rolled back" is only said after that.
//!
//! Exit codes prove nothing here, neither XAPI's nor the boot scripts': each step looks afterwards
//! whether it did what it should, and each undo whether there is anything to undo.
//!
//! # Where something new goes
//!
//! A **finding**: a row in `preflight/finding.rs` (code, severity, meaning, remedy: `findings` and
//! `--accept` are made from it), a function in the file of its subject that pushes it, a case below
//! `golden/findings` that raises it and one that comes near and does not, a row in
//! `tests/TRAPS.md`. What it must know is read by `inventory`, never by itself.
//!
//! A **step**: a variant of `Step` and a file in `step/` with its undo data, `perform` and `undo`;
//! the compiler then asks for its title, its commands and its lines of `undo.sh`. `plan` puts it in
//! its place. If it changes something that the facts do not compare, add it to them, else a
//! rollback cannot see it. The fault matrix (`tests/it/faults`) takes it by itself.
//!
//! An **option of the driver**: a row of `options`' table, whence flags, spec keys, checks,
//! rendering, verification, completions and the help come; a rule that it has with others goes into
//! `Options::check`. The model's driver must know it too (`model/kernel`), as the real one does.
//!
//! A **key of the spec**: `spec`, with its sentence for each way to get it wrong, and whoever acts
//! on it. `plan.json` holds the spec: a change of its form is a change of the journal's format.
//!
//! A **command**: its arguments in `cli/args`, its examples, a function in the file of its kind
//! that calls the rooms below and gives the result to `report`. Its JSON has a row in
//! `report/schema`, to which every document is held that a test in `tests/it/e2e` reads.
//!
//! A **program of the host**: a name in `host/command.rs`, and the same program in the model with
//! its faults; no other may be run.
//!
//! A **check**: a function in `verify` that answers "what was asked, what is, do they agree", with
//! a good and a bad reading in its tests. Unknown is never good.
//!
//! A **fact of the ground**: a section in `tests/ground`, with where it was read; a comment that
//! rests on it cites it (`tests/ground/xapi.md, B1`).
//!
//! Sentences are made in `report` (a step's title and a finding's message beside what they are
//! about), and are never compared, stored or parsed. Keys are typed.
//!
//! # One test of each kind
//!
//! ```text
//! cargo test --lib preflight                  unit tests beside the code
//! cargo test --test it golden                 goldens (golden/README.md: how a case is laid out)
//! UPDATE_GOLDEN=1 cargo test --test it golden blesses them: read the diff before it is kept
//! UPDATE_GOLDEN=1 cargo test --test it readme draws the README's picture anew
//! cargo test --test it e2e::drill             the real binary on stand-ins for a dom0's programs
//! cargo test --test it faults                 a sample of the fault matrix, on the model
//! .ci/thorough                                all of it; `.ci/thorough lab`: all of lab and pool
//! XENBOND_LIVES=60 cargo test --test it lives random lives of a host, as many as fit in 60 s
//! XENBOND_LIVES=0 SEED=7 (the same)           life 7 alone; XENBOND_TELL=1 tells it
//! cargo test --test it -- ground layers       citations and the ladder
//! tests/lab/run --build story-el7             a real kernel's driver in a guest, needs root
//! tests/pool/run roll-out                     three guests over SSH and Ansible
//! cargo run -- rehearse --fail-at 7           by hand: the seventh effect fails
//! ```
//!
//! `.ci/run` is all that must pass. A fault of the program gets a test first, which must fail; the
//! fakes keep state (a model of a dom0, stand-in programs), nothing repeats the calls that are
//! expected.

#![cfg_attr(not(test), warn(unreachable_pub))]
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests prepare their own files"))]

pub mod bonding;
pub mod cli;
pub mod drill;
pub mod engine;
pub mod host;
pub mod ifcfg;
pub mod inventory;
pub mod journal;
mod json;
pub mod ledger;
pub mod model;
pub mod modprobe;
pub mod net;
pub mod options;
mod order;
pub mod outcome;
pub mod ovs;
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
