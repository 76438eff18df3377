//! The rows of a verification, and the list of all findings.

use serde_json::{Value, json};

use super::table::{Cell, Column, Table, joined};
use super::text::{Mark, Text};
use crate::preflight::Code;
use crate::verify::Verdict;

/// The widest that a wanted value makes its column.
const WANT: usize = 32;

/// The verdicts: the rows of each, and a line for each.
#[must_use]
pub fn verdicts(all: &[Verdict]) -> Text {
    let mut text = Text::default();
    for (at, verdict) in all.iter().enumerate() {
        if at > 0 {
            text.push("\n");
        }
        text.push(checks(verdict));
        let unknown = verdict.failed().iter().all(|check| check.have.is_none());
        let words = match (verdict.is_good(), unknown) {
            (true, _) => "is as asked",
            (false, true) => "is not known to be as asked: `?` could not be read",
            (false, false) => "is NOT as asked",
        };
        text.push(format!("{} {words}.\n", verdict.bond));
    }
    text
}

/// The rows as a table.
#[must_use]
pub fn checks(verdict: &Verdict) -> Text {
    let columns = [Column::PLAIN.least(3), Column::PLAIN, Column::PLAIN.most(WANT), Column::PLAIN];
    let mut table = Table::new(&columns).indent(2);
    table.row(["", "setting", "expected", "found"].map(Cell::from));
    for check in &verdict.checks {
        let (mark, seen) = match (check.ok, check.required, &check.have) {
            (true, _, None) | (false, false, None) => {
                (Cell::marked(Mark::Note, "?"), "unknown".into())
            }
            // Unknown is never good.
            (false, true, None) => (Cell::marked(Mark::Bad, "?"), "unknown".into()),
            (true, _, Some(_)) => (Cell::marked(Mark::Good, "ok"), Cell::default()),
            (false, true, Some(have)) => (Cell::marked(Mark::Bad, "BAD"), have.clone().into()),
            (false, false, Some(have)) => (Cell::marked(Mark::Note, "no"), have.clone().into()),
        };
        table.row([mark, check.name.to_string().into(), check.want.clone().into(), seen]);
        if let Some(hint) = &check.hint {
            table.line(format!("       {hint}"));
        }
    }
    joined(table.lines())
}

/// `verify --json`
#[must_use]
pub fn verdicts_json(all: &[Verdict]) -> Value {
    let rows = |verdict: &Verdict| {
        let bond = verdict.bond.clone();
        let row = move |check: Value| match check {
            Value::Object(mut fields) => {
                fields.insert("bond".into(), json!(bond));
                Value::Object(fields)
            }
            other => other,
        };
        verdict.checks.iter().map(|check| json!(check)).map(row).collect::<Vec<_>>()
    };
    let checks: Vec<Value> = all.iter().flat_map(rows).collect();
    json!({"ok": all.iter().all(Verdict::is_good), "checks": checks})
}

/// `findings`
#[must_use]
pub fn codes() -> Text {
    let exactly = |width| Column::PLAIN.least(width).most(width);
    let mut table = Table::new(&[exactly(26), exactly(8), Column::PLAIN]).gap(1);
    for code in Code::ALL {
        table.row([code.name().into(), code.severity().to_string().into(), code.meaning().into()]);
        table.line(format!("{:>36}{}", "", code.remedy()));
    }
    joined(table.lines())
}

/// `findings --json`
#[must_use]
pub fn codes_json() -> Value {
    let one = |code: &Code| json!({"code": code, "severity": code.severity(), "meaning": code.meaning(), "remedy": code.remedy()});
    json!({"findings": Code::ALL.iter().map(one).collect::<Vec<_>>()})
}
