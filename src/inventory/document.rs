//! An inventory as a document, which `inventory` prints and `rehearse` reads on another machine.

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;

use super::Inventory;
use crate::outcome::Hint;

/// The format of the document; another one where a field was taken away or means something else.
const FORMAT: u64 = 1;

impl Inventory {
    /// The document.
    ///
    /// # Errors
    /// When the value has no JSON form, which it always has.
    pub fn to_document(&self) -> Result<Value> {
        let mut document = serde_json::to_value(self)?;
        document["format"] = FORMAT.into();
        Ok(document)
    }

    /// Reads a document. What is on the wire is not in it.
    ///
    /// # Errors
    /// When it is none of this program's format, with what to type to get one.
    pub fn of_document(text: &[u8]) -> Result<Self> {
        let read = || -> Result<Self> {
            let value: Value =
                serde_json::from_slice(text).map_err(|error| anyhow!("it is not JSON: {error}"))?;
            match value.get("format").map(Value::as_u64) {
                Some(Some(FORMAT)) => {}
                Some(_) => {
                    bail!("it has format {}, and this xenbond reads {FORMAT}", value["format"])
                }
                None => {
                    bail!("it is not an inventory for this xenbond: the field `format` is missing")
                }
            }
            // From the text once more: the fault is then told by its line, which has its field.
            serde_json::from_slice(text)
                .map_err(|error| anyhow!("`{}`: {error}", before(text, &error)))
        };
        read().context(Hint(format!(
            "on the host, with this version ({}): xenbond inventory > FILE",
            env!("CARGO_PKG_VERSION")
        )))
    }
}

/// The end of the line up to where a fault was found, without what a terminal would obey.
fn before(text: &[u8], error: &serde_json::Error) -> String {
    let line = text.split(|byte| *byte == b'\n').nth(error.line().saturating_sub(1));
    let line = line.unwrap_or_default();
    let line = String::from_utf8_lossy(&line[..error.column().min(line.len())]);
    let from = line.char_indices().rev().nth(60).map_or(0, |(at, _)| at);
    line[from..].trim().chars().filter(|c| !c.is_control()).collect()
}
