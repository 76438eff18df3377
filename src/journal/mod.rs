//! The record of a transaction: what was to be done, what was done, the way back without the
//! program, and the log for people.

mod history;
pub mod log;
mod repair;
mod stored;
mod transaction;
mod undo_script;

pub use history::{Made, going, latest, made, recorded};
pub use repair::{before, repaired};
pub use transaction::{Header, Transaction};
