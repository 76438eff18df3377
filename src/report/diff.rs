//! Unified diffs of files, as patch(1) takes them.

use std::ops::Range;

use similar::DiffTag;
use similar::algorithms::{Capture, Replace, myers};

use super::text::{Mark, Text};

/// How many lines that stay are shown around a change.
const CONTEXT: usize = 3;

/// What makes `new` of `old`; empty when they are the same. Without the crate's own text types,
/// which bring every algorithm for every kind of text into a small binary.
#[must_use]
pub(crate) fn unified(old: &str, new: &str, old_name: &str, new_name: &str) -> Text {
    let old: Vec<&str> = old.split_inclusive('\n').collect();
    let new: Vec<&str> = new.split_inclusive('\n').collect();
    let mut found = Replace::new(Capture::new());
    // What is kept in memory does not fail.
    let _ = myers::diff(&mut found, &old[..], 0..old.len(), &new[..], 0..new.len());
    let mut text = Text::default();
    for hunk in found.into_inner().into_grouped_ops(CONTEXT) {
        let (Some(first), Some(last)) = (hunk.first(), hunk.last()) else { continue };
        if text.is_empty() {
            text.push(Text::line(Mark::Bad, &format!("--- {old_name}"), ""));
            text.push(Text::line(Mark::Good, &format!("+++ {new_name}"), ""));
        }
        let olds = span(first.old_range().start..last.old_range().end);
        let news = span(first.new_range().start..last.new_range().end);
        text.push(Text::line(Mark::Note, &format!("@@ -{olds} +{news} @@"), ""));
        for op in &hunk {
            if op.tag() == DiffTag::Equal {
                lines(&mut text, None, " ", &old[op.old_range()]);
            } else {
                lines(&mut text, Some(Mark::Bad), "-", &old[op.old_range()]);
                lines(&mut text, Some(Mark::Good), "+", &new[op.new_range()]);
            }
        }
    }
    text
}

fn lines(text: &mut Text, mark: Option<Mark>, sign: &str, lines: &[&str]) {
    for line in lines {
        let body = format!("{sign}{}", line.strip_suffix('\n').unwrap_or(line));
        text.push(mark.map_or_else(|| body.as_str().into(), |mark| Text::marked(mark, &body)));
        text.push("\n");
        if !line.ends_with('\n') {
            text.push("\\ No newline at end of file\n");
        }
    }
}

/// Lines from 1 and their number, which is left out when it is 1; none: those before it.
fn span(range: Range<usize>) -> String {
    match range.len() {
        0 => format!("{},0", range.start),
        1 => format!("{}", range.start + 1),
        len => format!("{},{len}", range.start + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diff_is_what_the_crate_itself_prints() {
        let long: String = (0..20).map(|n| format!("line {n}\n")).collect();
        for (old, new) in [
            ("", "a\nb\n"),
            ("a\nb\n", ""),
            ("a\nb\nc\n", "a\nB\nc\n"),
            ("a\nb", "a\nb\n"),
            (long.as_str(), &long.replace("line 3\n", "").replace("line 15", "line x\nline y")),
            ("a\n", "a\n"),
        ] {
            let wanted = similar::TextDiff::from_lines(old, new);
            let wanted = wanted.unified_diff().header("/etc/a", "/etc/b").to_string();
            assert_eq!(*unified(old, new, "/etc/a", "/etc/b"), *wanted);
        }
    }
}
