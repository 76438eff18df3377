//! The result of a drill for people.

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
pub fn text(report: &Report) -> String {
    let how = if report.cut_links { "all other links cut" } else { "as the active slave" };
    let mut text = format!(
        "{} to {}, each slave in turn {how}; a packet every {} ms\n\n",
        report.bond, report.target, report.interval_ms
    );
    let width = report.slaves.iter().map(|t| t.name.len()).max().unwrap_or(0).max(5);
    text.push_str(&format!(
        "  {:<width$}  {:>5}  {:>5}  {:>8}  time, . where packets were lost\n",
        "slave", "sent", "lost", "gap"
    ));
    for turn in &report.slaves {
        let gap = turn.gap_ms.map_or("-".into(), |gap| format!("{gap} ms"));
        text.push_str(
            format!(
                "  {:<width$}  {:>5}  {:>5}  {gap:>8}  {}",
                turn.name, turn.sent, turn.lost, turn.timeline
            )
            .trim_end(),
        );
        text.push('\n');
    }
    text.push('\n');
    for turn in report.slaves.iter().filter(|t| !t.ok) {
        text.push_str(&format!(
            "{} FAILED: {}\n",
            turn.name,
            turn.why.as_deref().unwrap_or_default()
        ));
    }
    if let Some(error) = &report.error {
        text.push_str(&format!("{error}\n"));
    }
    text.push_str(if report.ok {
        "Every slave carries the traffic; all is as it was.\n"
    } else {
        "NOT every slave carries the traffic as it should.\n"
    });
    text
}
