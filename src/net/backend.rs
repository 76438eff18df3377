//! The network backend of a dom0, in the words of `network.conf` and of XAPI.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::shown;

/// What dom0's networks are made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Backend {
    /// Linux bridges.
    Bridge,
    /// Open vSwitch.
    Openvswitch,
    /// A word that is neither, such as `vswitch`: kept as it is.
    Other(String),
}

impl Backend {
    /// The word, as it goes into files and command lines.
    #[must_use]
    pub fn word(&self) -> &str {
        match self {
            Self::Bridge => "bridge",
            Self::Openvswitch => "openvswitch",
            Self::Other(word) => word,
        }
    }
}

impl Backend {
    /// What networkd takes it for: what it does not know is Open vSwitch (tests/ground/xapi.md,
    /// D5).
    #[must_use]
    pub fn taken(&self) -> Self {
        if *self == Self::Bridge { Self::Bridge } else { Self::Openvswitch }
    }
}

impl From<&str> for Backend {
    fn from(text: &str) -> Self {
        match text.trim() {
            "bridge" => Self::Bridge,
            "openvswitch" => Self::Openvswitch,
            other => Self::Other(other.to_string()),
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&shown(self.word()))
    }
}

impl From<String> for Backend {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl From<Backend> for String {
    fn from(backend: Backend) -> Self {
        backend.word().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_nobody_knows_is_kept_and_shown_without_harm() {
        for word in ["bridge", "openvswitch", "vswitch", "", "no\u{1b}[2J"] {
            let backend = Backend::from(word);
            assert_eq!(backend.word(), word);
            let json = serde_json::to_string(&backend).unwrap();
            assert_eq!(serde_json::from_str::<Backend>(&json).unwrap(), backend);
            assert!(!backend.to_string().contains('\u{1b}'));
        }
        assert_eq!(Backend::from(" bridge\n"), Backend::Bridge);
    }
}
