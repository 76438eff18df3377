//! All text for people and all JSON. Nothing else in the program prints.

pub mod bond;
mod checks;
mod console;
mod diff;
pub mod drill;
mod history;
mod init;
mod list;
pub mod nagios;
mod outcome;
pub mod ovs;
mod plan;
mod progress;
mod status;
mod table;
mod teller;
mod text;
mod way_back;

use serde_json::Value;

pub use bond::{table, to_json};
pub use checks::{checks, codes, codes_json, verdicts, verdicts_json};
pub use console::{Color, err, out, out_plain, set as set_console};
pub use history::{history, history_json};
pub use init::{init, init_json};
pub use list::{leads_to, list, list_json};
pub use outcome::{error, failure_json, hint, note, outcome, outcome_json, state, usage};
pub use plan::{findings, plan, plan_json, proposal};
pub use progress::Progress;
pub use status::text as status;
pub use teller::{Loud, Teller, ask};
pub use text::{Mark, Text};
pub use way_back::{undone, way_back, way_back_json};

/// Prints a JSON document.
pub fn out_json(value: &Value) {
    out_plain(&format!("{value:#}\n"));
}
