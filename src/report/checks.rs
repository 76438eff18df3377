//! The rows of a verification, and the list of all findings.

use serde_json::{Value, json};

use crate::preflight::Code;
use crate::verify::{self, Check};

/// The checks as a table.
#[must_use]
pub fn checks(all: &[Check]) -> String {
    let name = all.iter().map(|c| c.name.len()).max().unwrap_or(0);
    let want = all.iter().map(|c| c.want.len()).max().unwrap_or(0).min(32);
    let mut text = String::new();
    for check in all {
        let have = check.have.as_deref().unwrap_or("unknown");
        let mark = if check.ok { "ok " } else { "BAD" };
        let seen = if check.ok { String::new() } else { format!("  is {have}") };
        text.push_str(
            format!("  {mark}  {:<name$}  {:<want$}{seen}", check.name, check.want).trim_end(),
        );
        text.push('\n');
        if let Some(hint) = &check.hint {
            text.push_str(&format!("       {hint}\n"));
        }
    }
    text
}

/// `verify --json`
#[must_use]
pub fn checks_json(all: &[Check]) -> Value {
    json!({"ok": verify::failed(all).is_empty(), "checks": all})
}

/// `findings`
#[must_use]
pub fn codes() -> String {
    let one = |code: &Code| {
        format!(
            "{:<26} {:<8} {}\n{:>36}{}\n",
            code.name(),
            code.severity(),
            code.meaning(),
            "",
            code.remedy()
        )
    };
    Code::ALL.iter().map(one).collect()
}

/// `findings --json`
#[must_use]
pub fn codes_json() -> Value {
    let one = |code: &Code| json!({"code": code, "severity": code.severity(), "meaning": code.meaning(), "remedy": code.remedy()});
    json!({"findings": Code::ALL.iter().map(one).collect::<Vec<_>>()})
}
