//! All text for people and all JSON. Nothing else in the program prints.

pub mod bond;
mod checks;
mod console;
mod diff;
pub mod drill;
mod formats;
mod history;
mod init;
mod list;
pub mod nagios;
mod outcome;
pub mod ovs;
mod page;
mod plan;
mod progress;
mod schema;
mod status;
mod table;
mod teller;
mod text;
mod way_back;
mod wrap;

use serde_json::Value;

pub use bond::{table, to_json};
pub use checks::{checks, codes, codes_json, verdicts, verdicts_json};
pub use console::{Color, err, out, out_plain, set as set_console};
pub use formats::{spec_page, templates_page};
pub use history::{Past, history, history_json};
pub use init::{init, init_json};
pub use list::{leads_to, list, list_json};
pub use outcome::{error, failure_json, hint, note, outcome, outcome_json, state, usage};
pub use page::{Page, Part};
pub use plan::{View, findings, plan, plan_json, proposal};
pub use progress::Progress;
pub use schema::{documented, schema};
pub use status::text as status;
pub use teller::{Loud, Teller, ask};
pub use text::{Mark, Text};
pub use way_back::{undone, way_back, way_back_json};
pub use wrap::COMMANDS;

/// The version of the documents: another one where a field was taken away or means something else.
const VERSION: u32 = 1;

/// Prints a JSON document, with what each has: the version of its form, the host that it was made
/// on, and the bond that it is about, where there is one.
pub fn out_json(mut document: Value, host: Option<&str>, bond: Option<&str>) {
    document["version"] = VERSION.into();
    for (key, value) in [("host", host), ("bond", bond)] {
        if document.get(key).is_none_or(Value::is_null) {
            document[key] = value.into();
        }
    }
    out_plain(&format!("{document:#}\n"));
}
