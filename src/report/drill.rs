//! The result of a drill for people.

use super::table::{Cell, Column, Table, joined};
use super::text::Text;
use crate::drill::{Report, Turn};

/// A turn that is over, as a line.
#[must_use]
pub fn turn(turn: &Turn) -> String {
    let text = match turn.gap_ms {
        Some(gap) => format!(
            "{} carried: {} sent, {} lost, longest gap {gap} ms",
            turn.name, turn.sent, turn.lost
        ),
        None => format!("{} did not carry: {}", turn.name, turn.why.as_deref().unwrap_or_default()),
    };
    text + "\n"
}

/// The drill for people.
#[must_use]
pub fn text(report: &Report) -> Text {
    let how = if report.cut_links { "all other links cut" } else { "as the active slave" };
    let mut text = Text::from(format!(
        "{} to {}, each slave in turn {how}; a packet every {} ms\n\n",
        report.bond, report.target, report.interval_ms
    ));
    let number = |width| Column::PLAIN.least(width).right();
    let columns = [Column::PLAIN.least(5), number(5), number(5), number(8), Column::PLAIN];
    let mut table = Table::new(&columns).indent(2);
    let titles = ["slave", "sent", "lost", "gap", "time (. = packets lost)"];
    table.row(titles.map(Cell::from));
    for turn in &report.slaves {
        let gap = turn.gap_ms.map_or("-".into(), |gap| format!("{gap} ms"));
        let (sent, lost) = (turn.sent.to_string(), turn.lost.to_string());
        table.row([turn.name.clone(), sent, lost, gap, turn.timeline.clone()].map(Cell::from));
    }
    text.push(joined(table.lines()));
    text.push("\n");
    for turn in report.slaves.iter().filter(|t| !t.ok) {
        text.push(format!("{} FAILED: {}\n", turn.name, turn.why.as_deref().unwrap_or_default()));
    }
    if let Some(error) = &report.error {
        text.push(format!("{error}\n"));
    }
    text.push(if report.ok {
        "Every slave carries the traffic; all is as it was.\n"
    } else {
        "NOT every slave carries the traffic as it should.\n"
    });
    text
}
