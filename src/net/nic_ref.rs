//! How people name a NIC: by its device, or by its permanent MAC address in any usual spelling.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{IfName, MacAddr, text_form};

/// How a NIC was named.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum NicRef {
    /// By its device name.
    Device(IfName),
    /// By its permanent MAC address.
    Mac(MacAddr),
}

impl FromStr for NicRef {
    type Err = anyhow::Error;
    fn from_str(text: &str) -> anyhow::Result<Self> {
        // No device name has any of these, nor is it twelve hexadecimal digits.
        if text.contains([':', '-', '.']) || hex_digits(text).is_some() {
            let usual = colons(text);
            Ok(Self::Mac(usual.as_deref().unwrap_or(text).parse()?))
        } else {
            Ok(Self::Device(text.parse()?))
        }
    }
}

text_form!(NicRef);

impl fmt::Display for NicRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(name) => write!(f, "{name}"),
            Self::Mac(mac) => write!(f, "{mac}"),
        }
    }
}

/// Twelve of them, and nothing else.
fn hex_digits(text: &str) -> Option<&str> {
    (text.len() == 12 && text.bytes().all(|b| b.is_ascii_hexdigit())).then_some(text)
}

/// A MAC address as labels and switches show it (`00-1B-21-AA-BB-05`, `001b.21aa.bb05`,
/// `001b21aabb05`) in the form with colons; `None` where it has none of these forms.
fn colons(text: &str) -> Option<String> {
    let lengths = |mark| text.split(mark).map(str::len).collect::<Vec<_>>();
    let usual = lengths('-') == [2; 6] || lengths('.') == [4; 3] || text.len() == 12;
    let plain: String = text.chars().filter(|c| !['-', '.'].contains(c)).collect();
    let digits = hex_digits(&plain).filter(|_| usual)?;
    let pairs: Vec<&str> = (0..6).map(|at| &digits[2 * at..2 * at + 2]).collect();
    Some(pairs.join(":"))
}
