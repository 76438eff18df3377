//! How text meets a terminal: colour where there may be some, and ASCII where the terminal is not
//! known to show more. Colour only repeats what the words say.

use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;

/// When text is coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Everywhere.
    Always,
    /// Nowhere.
    Never,
}

/// What the caller's terminal is like; the same for the whole run.
#[derive(Clone, Copy, Debug, Default)]
struct Setting {
    color: Color,
    no_color: bool,
    utf8: bool,
}

static SETTING: OnceLock<Setting> = OnceLock::new();

/// Sets it, once: `variable` reads the environment.
pub fn set(color: Color, variable: impl Fn(&str) -> Option<String>) {
    let filled = |name: &str| variable(name).filter(|value| !value.is_empty());
    // The first of these that is set counts (POSIX, section 8.2).
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(filled).unwrap_or_default();
    let locale = locale.to_ascii_lowercase().replace('-', "");
    let dumb = variable("TERM").is_some_and(|term| term == "dumb");
    let no_color = dumb || filled("NO_COLOR").is_some();
    let _ = SETTING.set(Setting { color, no_color, utf8: locale.contains("utf8") });
}

impl Setting {
    fn colors(self, terminal: bool) -> bool {
        match self.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && !self.no_color,
        }
    }

    fn shown(self, text: &str, terminal: bool) -> String {
        let text = if terminal && !self.utf8 { ascii(text) } else { text.to_string() };
        if self.colors(terminal) { painted(&text) } else { text }
    }
}

/// Writes text for people to standard output. A reader that went away is no error.
pub fn out(text: &str) {
    let to = io::stdout();
    let text = SETTING.get().copied().unwrap_or_default().shown(text, to.is_terminal());
    write_all(&mut to.lock(), &text);
}

/// Writes text for people to standard error.
pub fn err(text: &str) {
    let to = io::stderr();
    let text = SETTING.get().copied().unwrap_or_default().shown(text, to.is_terminal());
    write_all(&mut to.lock(), &text);
}

/// Writes text for programs to standard output, as it is.
pub fn out_plain(text: &str) {
    write_all(&mut io::stdout().lock(), text);
}

fn write_all(to: &mut dyn Write, text: &str) {
    // Losing a terminal must not stop the work, and there is nobody left to tell.
    let _ = to.write_all(text.as_bytes()).and_then(|()| to.flush());
}

fn ascii(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect()
}

const RED: &str = "31";
const GREEN: &str = "32";
const YELLOW: &str = "33";
const CYAN: &str = "36";
const BOLD: &str = "1";

/// Words at the start of a line, and their colour (ECMA-48 SGR).
const WORDS: [(&str, &str); 14] = [
    ("error", RED),
    ("warning", YELLOW),
    ("note", CYAN),
    ("hint:", BOLD),
    ("state:", BOLD),
    ("Findings:", BOLD),
    ("Steps:", BOLD),
    ("Files:", BOLD),
    ("ok ", GREEN),
    ("BAD ", RED),
    ("done (", GREEN),
    ("undone (", GREEN),
    ("FAILED", RED),
    ("NOT UNDONE", RED),
];

/// The text with its telling words, and the lines of its diffs, in colour.
fn painted(text: &str) -> String {
    let paint = |color: &str, text: &str| format!("\u{1b}[{color}m{text}\u{1b}[0m");
    let line = |line: &str| {
        let (body, end) = line.strip_suffix('\n').map_or((line, ""), |body| (body, "\n"));
        let diff = match body.as_bytes() {
            [b'+', ..] => Some(GREEN),
            [b'-', ..] => Some(RED),
            [b'@', b'@', ..] => Some(CYAN),
            _ => None,
        };
        if let Some(color) = diff {
            return paint(color, body) + end;
        }
        let rest = body.trim_start();
        let (indent, word) = (&body[..body.len() - rest.len()], |w: &str| rest.starts_with(w));
        match WORDS.iter().find(|(w, _)| word(w)) {
            Some((found, color)) => {
                let found = found.trim_end_matches([' ', '(']);
                format!("{indent}{}{}{end}", paint(color, found), &rest[found.len()..])
            }
            None => line.to_string(),
        }
    };
    text.split_inclusive('\n').map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_is_for_terminals_and_can_be_turned_off() {
        for (color, no_color, terminal, colors) in [
            (Color::Auto, false, true, true),
            (Color::Auto, false, false, false),
            (Color::Auto, true, true, false),
            (Color::Always, true, false, true),
            (Color::Never, false, true, false),
        ] {
            let setting = Setting { color, no_color, utf8: true };
            assert_eq!(setting.colors(terminal), colors, "{setting:?}, {terminal}");
        }
    }

    #[test]
    fn without_colour_the_same_words_are_left() {
        let text = "error: no\nhint: do\n+new\n-old\n@@ -1 +1 @@\n  BAD  mode\n  - a\ndone (1 s)\n";
        let mut plain = painted(text);
        assert!(plain.contains("\u{1b}[31merror\u{1b}[0m: no\n"), "{plain:?}");
        assert!(plain.contains("  \u{1b}[31mBAD\u{1b}[0m  mode\n"), "{plain:?}");
        assert!(plain.contains("\u{1b}[32m+new\u{1b}[0m\n"), "{plain:?}");
        assert!(plain.contains("\n  - a\n"), "{plain:?}");
        for code in [RED, GREEN, YELLOW, CYAN, BOLD, "0"] {
            plain = plain.replace(&format!("\u{1b}[{code}m"), "");
        }
        assert_eq!(plain, text);
    }

    #[test]
    fn a_terminal_that_is_not_known_to_show_more_gets_ascii() {
        let shown = |utf8, terminal| {
            Setting { color: Color::Never, no_color: false, utf8 }.shown("VM h\u{f6}st", terminal)
        };
        assert_eq!(shown(false, true), "VM h?st");
        assert_eq!(shown(false, false), "VM h\u{f6}st");
        assert_eq!(shown(true, true), "VM h\u{f6}st");
    }
}
