//! One setting, as it was asked for and as it is.

use serde::Serialize;

use super::Setting;
use crate::preflight::Code;

/// One setting: what was asked for and what is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Which setting.
    pub name: Setting,
    /// What was asked for.
    pub want: String,
    /// What is; `None`: nothing shows it.
    pub have: Option<String>,
    /// Whether they agree.
    pub ok: bool,
    /// What may be wrong, and what to look at.
    pub hint: Option<String>,
    /// Whether the verdict rests on it; else it is only reported.
    pub required: bool,
    /// Whether a person has accepted by name that it does not hold yet.
    #[serde(skip)]
    pub accepted: bool,
    /// Whether it may still come right by itself, as a link may.
    #[serde(skip)]
    pub(super) settles: bool,
}

impl Check {
    pub(super) fn new(name: Setting, want: impl Into<String>, have: Option<String>) -> Self {
        let want = want.into();
        let ok = have.as_deref() == Some(want.as_str());
        Self { name, want, have, ok, hint: None, required: true, accepted: false, settles: false }
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

    /// The slave whose link it is about.
    fn slave(&self) -> Option<String> {
        match &self.name {
            Setting::Link(slave) => Some(slave.to_string()),
            _ => None,
        }
    }

    pub(super) fn because(self, hint: impl Into<String>) -> Self {
        // The first that was found is the nearest.
        if self.ok || self.hint.is_some() {
            return self;
        }
        Self { hint: Some(hint.into()), ..self }
    }
}

impl std::fmt::Display for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}: expected {}, found {}",
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

/// Those of them that nobody has accepted.
#[must_use]
pub fn hindering(checks: &[Check]) -> Vec<&Check> {
    failed(checks).into_iter().filter(|check| !check.accepted).collect()
}

/// Marks what follows from warnings that were accepted.
pub(super) fn excuse(checks: &mut [Check], accepted: &[Code]) {
    if [Code::SpeedsDiffer, Code::SpeedUnknown].iter().any(|code| accepted.contains(code)) {
        mark(checks, |name| matches!(name, Setting::Speed | Setting::Duplex));
    }
    if !accepted.contains(&Code::NicNoLink) {
        return;
    }
    let links = || checks.iter().filter(|check| matches!(check.name, Setting::Link(_)));
    let (down, all) = (links().filter(|check| !check.ok).count(), links().count());
    let idle: Vec<String> =
        links().filter(|link| !link.ok).filter_map(|link| link.slave()).collect();
    mark(checks, |name| matches!(name, Setting::Link(_)));
    if down > 0 {
        mark(checks, |name| name.is_lacp() && *name != Setting::LacpPartner);
    }
    // A primary without a link carries nothing yet.
    let waits = |check: &&mut Check| {
        check.name == Setting::ActiveSlave && check.have.is_some() && idle.contains(&check.want)
    };
    checks.iter_mut().filter(waits).for_each(|check| check.accepted = true);
    // A bond none of whose slaves has a link has none itself, and no server answers through it. A NIC
    // alone has no link beside its own.
    let own = |check: &Check| matches!(check.name, Setting::BondLink(_)) && !check.ok;
    if down == all && (all > 0 || checks.iter().any(own)) {
        mark(checks, |name| {
            matches!(
                name,
                Setting::BondLink(_)
                    | Setting::VlanLink(_)
                    | Setting::ActiveSlave
                    | Setting::Probe(_)
            )
        });
        mark(checks, Setting::is_lacp);
    }
}

/// Whether the bond has no link, and that was accepted.
pub(super) fn is_without_link(checks: &[Check]) -> bool {
    checks.iter().any(|c| matches!(c.name, Setting::BondLink(_)) && !c.ok && c.accepted)
}

fn mark(checks: &mut [Check], of: impl Fn(&Setting) -> bool) {
    for check in checks.iter_mut().filter(|check| of(&check.name)) {
        check.accepted = true;
    }
}

/// One value from two witnesses. Where both speak they must agree.
pub(super) fn witnesses(
    proc: Option<String>,
    sys: Option<String>,
) -> (Option<String>, Option<String>) {
    match (proc, sys) {
        (Some(proc), Some(sys)) if proc != sys => {
            let said = format!("{proc} in /proc, {sys} in /sys");
            (Some(said.clone()), Some(format!("the kernel contradicts itself: {said}")))
        }
        (proc, sys) => (proc.or(sys), None),
    }
}
