//! Lines within a width. Words go to the next line; a command goes on there after a backslash, so
//! that it can be pasted.

use super::text::{Layout, Text};

/// What can be typed after `xenbond`: there a command begins, and not a sentence about it.
pub const COMMANDS: [&str; 22] = [
    "adopt",
    "apply",
    "completions",
    "confirm",
    "drill",
    "findings",
    "init",
    "inventory",
    "list",
    "log",
    "man",
    "plan",
    "rehearse",
    "remove",
    "render",
    "resume",
    "rollback",
    "schema",
    "show",
    "spec",
    "status",
    "verify",
];

/// The narrowest that lines are broken for.
const LEAST: usize = 20;

/// How far a cell stands in that goes below its row.
const BELOW: usize = 8;

/// The text with its long lines broken, none cut: a word that does not fit stays as it is.
pub(super) fn wrapped(text: &Text, width: usize) -> Text {
    if width < LEAST {
        return text.clone();
    }
    let mut at = 0;
    let mut edits = Vec::new();
    for line in text.split_inclusive('\n') {
        let layout = text.layout(at);
        if layout != Some(Layout::Whole) && !line.contains('\r') {
            let found = breaks(line.trim_end_matches('\n'), layout, width);
            edits.extend(found.into_iter().map(|(start, end, new)| (start + at, end + at, new)));
        }
        at += line.len();
    }
    text.edited(&edits)
}

/// The blanks at which a line is broken, from where to where, and what comes instead of them.
fn breaks(line: &str, layout: Option<Layout>, width: usize) -> Vec<(usize, usize, String)> {
    let lead = line.len() - line.trim_start_matches(' ').len();
    let head = line[lead..].split(' ').next().unwrap_or_default();
    let numbered = head.strip_suffix('.').is_some_and(|n| n.parse::<u8>().is_ok());
    let (column, indent) = match layout {
        Some(Layout::Hang(column)) if column * 3 <= width * 2 => (Some(column), column),
        // The last column begins too far to the right: its cells go below their rows.
        Some(Layout::Hang(column)) if lead >= column => {
            return vec![(0, lead, " ".repeat(BELOW))];
        }
        Some(Layout::Hang(column)) if column <= width => (Some(column), BELOW),
        Some(Layout::Hang(_)) => (None, BELOW),
        _ if head == "$" => (None, lead + 4),
        _ if numbered => (None, lead + head.len() + 1),
        _ if head.ends_with(':') || head == "-" => (None, lead + 2),
        _ => (None, lead),
    };
    let below = column.is_some_and(|column| column != indent);
    let mut found: Vec<(usize, usize, String)> = Vec::new();
    // The last blanks that would do, and the column that the word after them begins in.
    let mut candidate: Option<(usize, usize, usize, bool)> = None;
    let (mut col, mut typed) = (lead, Typed::new(head == "$"));
    let (mut flag, mut rest) = (false, &line[lead..]);
    while !rest.is_empty() {
        let start = line.len() - rest.len();
        let blanks = rest.len() - rest.trim_start_matches(' ').len();
        let word_end = rest[blanks..].find(' ').map_or(rest.len(), |at| at + blanks);
        let word = &rest[blanks..word_end];
        let after = rest[word_end..].split(' ').nth(1).unwrap_or_default();
        let inside = typed.word(word, after);
        // All of the last cell goes below.
        let pinned = below && found.is_empty() && candidate.is_some();
        // A flag keeps its value.
        let value = inside.command && flag && candidate.is_some() && !word.starts_with('-');
        flag = word.starts_with("--") && !word.contains('=');
        if blanks > 0
            && !value
            && !pinned
            && !inside.quoted
            && column.is_none_or(|least| col + blanks >= least)
        {
            candidate = Some((start, start + blanks, col + blanks, inside.command));
        }
        col += blanks + word.chars().count();
        // Room for the backslash, where the command goes on.
        let room = if typed.command && !after.is_empty() { 2 } else { 0 };
        if col + room > width
            && let Some((from, to, begins, command)) = candidate.take()
        {
            // Below a hint, where the hint's own lines stand.
            let more = if command && column.is_none() && head != "$" { 2 } else { 0 };
            let slash = if command { " \\" } else { "" };
            let blanks = indent + more;
            found.push((from, to, format!("{slash}\n{:blanks$}", "")));
            col = col - begins + blanks;
        }
        rest = &rest[word_end..];
    }
    found
}

/// Where a word stands: what its blanks before it may become.
struct Inside {
    command: bool,
    quoted: bool,
}

/// Whether what is read is a command, word by word.
struct Typed {
    command: bool,
    quoted: bool,
    /// Whether all of the line is one.
    all: bool,
}

impl Typed {
    fn new(all: bool) -> Self {
        Self { command: all, quoted: false, all }
    }

    /// Takes a word, and the one after it; tells of the blanks before it.
    fn word(&mut self, word: &str, after: &str) -> Inside {
        let before = Inside { command: self.command, quoted: self.quoted };
        let name = word.trim_start_matches(['`', '(']);
        let after = after.trim_end_matches([',', ';', '.', ')', '`', ':']);
        let begins = (name == "xenbond" && COMMANDS.contains(&after))
            || (name == "xe" && after.contains('-'))
            || (name.starts_with('/') && name.contains("bin/") && !after.is_empty());
        self.command |= begins;
        if self.command && word.matches('\'').count() % 2 == 1 {
            self.quoted = !self.quoted;
        }
        let ends = word.ends_with([',', ';', ':', ')', '`', '.']);
        if !self.all && !self.quoted && ends {
            self.command = false;
        }
        before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(width: usize, text: &str) -> String {
        wrapped(&text.into(), width).to_string()
    }

    #[test]
    fn words_go_to_the_next_line_below_the_first() {
        for (width, text, want) in [
            (30, "short\n", "short\n"),
            (
                30,
                "note: the bond is up, and waits for the disk\n",
                "note: the bond is up, and\n  waits for the disk\n",
            ),
            (24, "  - a list of things in it\n", "  - a list of things in\n    it\n"),
            (
                20,
                "    averyveryverylongwordindeed end\n",
                "    averyveryverylongwordindeed\n    end\n",
            ),
            (
                0,
                "no width, no break at all in this line\n",
                "no width, no break at all in this line\n",
            ),
            (
                24,
                "h\u{f6}st xen01 h\u{e4}t zw\u{f6}lf NICs\n",
                "h\u{f6}st xen01 h\u{e4}t zw\u{f6}lf\nNICs\n",
            ),
        ] {
            assert_eq!(at(width, text), want, "{width} {text:?}");
        }
    }

    #[test]
    fn a_command_goes_on_after_a_backslash_and_a_sentence_does_not() {
        for (width, text, want) in [
            (
                40,
                "hint: xenbond rollback bond51 --accept file-changed\n",
                "hint: xenbond rollback bond51 \\\n    --accept file-changed\n",
            ),
            (
                40,
                "error: xenbond has made no bond on this host of yours\n",
                "error: xenbond has made no bond on this\n  host of yours\n",
            ),
            (
                40,
                "hint: free the disk for the journal of it, then: xenbond rollback\n",
                "hint: free the disk for the journal of\n  it, then: xenbond rollback\n",
            ),
            (
                40,
                "       $ /opt/xensource/bin/xe pif-plug uuid=0123456789\n",
                "       $ /opt/xensource/bin/xe \\\n           pif-plug uuid=0123456789\n",
            ),
            (
                30,
                "    xenbond apply bond51 --nic 'eth2 and eth3' --yes\n",
                "    xenbond apply bond51 \\\n      --nic 'eth2 and eth3' \\\n      --yes\n",
            ),
        ] {
            assert_eq!(at(width, text), want, "{width} {text:?}");
            assert!(at(width, text).lines().all(|line| line.chars().count() <= width), "{text:?}");
        }
    }

    #[test]
    fn what_must_stay_whole_does_and_a_column_goes_on_below_itself() {
        let diff = Text::whole("+a line of a file that is longer than any screen\n");
        assert_eq!(&*wrapped(&diff, 20), &*diff);
        let row = Text::from("  ok   mode   balance-xor is what it is\n").hanging(14);
        assert_eq!(&*wrapped(&row, 30), "  ok   mode   balance-xor is\n              what it is\n");
        let far = Text::from("  ok   a long name   found\n").hanging(21);
        assert_eq!(&*wrapped(&far, 24), "  ok   a long name\n        found\n");
        let all = Text::from("  ok   a long name   one two\n").hanging(21);
        assert_eq!(&*wrapped(&all, 26), "  ok   a long name\n        one two\n");
        let below = Text::from("                     more\n").hanging(21);
        assert_eq!(&*wrapped(&below, 24), "        more\n");
    }

    #[test]
    fn marks_stay_on_their_words() {
        use super::super::text::Mark;
        let text = Text::from("one two three four ").and(Text::marked(Mark::Bad, "five")).and("\n");
        let broken = wrapped(&text, 20);
        assert_eq!(&*broken, "one two three four\nfive\n");
        let marked: Vec<_> = broken.pieces().filter(|(mark, _)| mark.is_some()).collect();
        assert_eq!(marked, [(Some(Mark::Bad), "five")]);
    }
}
