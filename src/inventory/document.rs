//! An inventory as a document, which `inventory` prints and `rehearse` reads on another machine.

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;

use super::Inventory;
use crate::json;
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
            // The names of its fields are somebody else's text.
            let plain = |text: String| text.chars().filter(|c| !c.is_control()).collect::<String>();
            json::of(value).map_err(|error| anyhow!("{}", plain(error.to_string())))
        };
        read().context(Hint(format!(
            "on the host, with this version ({}): xenbond inventory > FILE",
            env!("CARGO_PKG_VERSION")
        )))
    }
}
