//! One setting, as it was asked for and as it is.

use serde::Serialize;

use super::Setting;

/// One setting: what was asked for and what is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Which setting.
    pub name: Setting,
    /// What was asked for.
    pub want: String,
    /// What is; `None`: nothing tells.
    pub have: Option<String>,
    /// Whether they agree.
    pub ok: bool,
    /// What may be wrong, and what to look at.
    pub hint: Option<String>,
    /// Whether the verdict rests on it; else it is only reported.
    pub required: bool,
    /// Whether it may still come right by itself, as a link may.
    #[serde(skip)]
    pub(super) settles: bool,
}

impl Check {
    pub(super) fn new(name: Setting, want: impl Into<String>, have: Option<String>) -> Self {
        let want = want.into();
        let ok = have.as_deref() == Some(want.as_str());
        Self { name, want, have, ok, hint: None, required: true, settles: false }
    }

    /// A check of something besides the bond's own settings.
    #[must_use]
    pub fn of(
        name: Setting,
        want: impl Into<String>,
        have: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self::new(name, want, Some(have.into())).because(hint)
    }

    pub(super) fn optional(self) -> Self {
        Self { required: false, ..self }
    }

    pub(super) fn settling(self) -> Self {
        Self { settles: true, ..self }
    }

    pub(super) fn because(self, hint: impl Into<String>) -> Self {
        if self.ok { self } else { Self { hint: Some(hint.into()), ..self } }
    }
}

impl std::fmt::Display for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}: wanted {}, have {}",
            self.name,
            self.want,
            self.have.as_deref().unwrap_or("unknown")
        )
    }
}

/// The checks that failed, those that are only reported aside.
#[must_use]
pub fn failed(checks: &[Check]) -> Vec<&Check> {
    checks.iter().filter(|c| !c.ok && c.required).collect()
}
