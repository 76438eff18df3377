//! How text meets a terminal: colour where there may be some, and ASCII where the terminal is not
//! known to show more. Colour only repeats what the words say.

use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::OnceLock;

use super::text::{Mark, Text};
use super::wrap::wrapped;

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
    /// What `COLUMNS` says.
    columns: Option<usize>,
}

static SETTING: OnceLock<Setting> = OnceLock::new();

/// Sets how text meets the terminal, once: `variable` reads the environment.
pub fn set(color: Color, variable: impl Fn(&str) -> Option<String>) {
    let filled = |name: &str| variable(name).filter(|value| !value.is_empty());
    // The first of these that is set counts (POSIX, section 8.2).
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(filled).unwrap_or_default();
    let locale = locale.to_ascii_lowercase().replace('-', "");
    let dumb = variable("TERM").is_some_and(|term| term == "dumb");
    let no_color = dumb || filled("NO_COLOR").is_some();
    let columns = variable("COLUMNS").and_then(|text| text.parse().ok());
    let utf8 = locale.contains("utf8");
    let _ = SETTING.set(Setting { color, no_color, utf8, columns });
}

impl Setting {
    fn colors(self, terminal: bool) -> bool {
        match self.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && !self.no_color,
        }
    }

    /// The width of what is written there: that of `COLUMNS`, else of the terminal, else none.
    fn width(self, to: &(impl AsFd + IsTerminal)) -> Option<usize> {
        let of_terminal = || {
            let size =
                to.is_terminal().then(|| rustix::termios::tcgetwinsize(to).ok()).flatten()?;
            Some(usize::from(size.ws_col))
        };
        self.columns.or_else(of_terminal).filter(|width| *width > 0)
    }

    fn shown(self, text: &Text, terminal: bool) -> String {
        let colors = self.colors(terminal);
        let piece = |(mark, piece): (Option<Mark>, &str)| {
            let piece = harmless(piece);
            let piece = if terminal && !self.utf8 { ascii(&piece) } else { piece };
            match mark {
                Some(mark) if colors => format!("\u{1b}[{}m{piece}\u{1b}[0m", color(mark)),
                _ => piece,
            }
        };
        text.pieces().map(piece).collect()
    }
}

/// Writes text for people to standard output. A reader that went away is no error.
pub fn out(text: impl Into<Text>) {
    let to = io::stdout();
    let text = fitted(&text.into(), &to);
    write_all(&mut to.lock(), &text);
}

/// Writes text for people to standard error.
pub fn err(text: impl Into<Text>) {
    let to = io::stderr();
    let text = fitted(&text.into(), &to);
    write_all(&mut to.lock(), &text);
}

fn fitted(text: &Text, to: &(impl AsFd + IsTerminal)) -> String {
    let setting = SETTING.get().copied().unwrap_or_default();
    let terminal = to.is_terminal();
    match setting.width(to) {
        Some(width) => setting.shown(&wrapped(text, width), terminal),
        None => setting.shown(text, terminal),
    }
}

/// How wide a line on standard error may be.
pub(super) fn err_width() -> Option<usize> {
    SETTING.get().copied().unwrap_or_default().width(&io::stderr())
}

/// Writes text for programs to standard output, as it is.
pub fn out_plain(text: &str) {
    write_all(&mut io::stdout().lock(), text);
}

fn write_all(to: &mut dyn Write, text: &str) {
    // Losing a terminal must not stop the work, and there is nobody left to tell.
    let _ = to.write_all(text.as_bytes()).and_then(|()| to.flush());
}

/// Without what a terminal acts on or what turns the order of letters about: text of a file or of
/// XAPI's is in what is printed. The line ends, and the carriage return of a line that is renewed in
/// place, are the program's own.
fn harmless(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let acts = |c: char| (c.is_control() && !"\n\r\t".contains(c)) || turns(c);
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if acts(c) { shown.extend(c.escape_unicode()) } else { shown.push(c) }
    }
    shown
}

fn ascii(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect()
}

/// The colour of a mark (ECMA-48, SGR).
fn color(mark: Mark) -> &'static str {
    match mark {
        Mark::Bad => "31",
        Mark::Good => "32",
        Mark::Warning => "33",
        Mark::Note => "36",
        Mark::Strong => "1",
    }
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
            let setting = Setting { color, no_color, utf8: true, columns: None };
            assert_eq!(setting.colors(terminal), colors, "{setting:?}, {terminal}");
        }
    }

    #[test]
    fn without_colour_the_same_words_are_left() {
        let text = Text::from("  ").and(Text::marked(Mark::Bad, "BAD")).and("  mode\n");
        let text = text.and(Text::line(Mark::Strong, "hint:", " error"));
        let shown = |color| {
            Setting { color, no_color: false, utf8: true, columns: None }.shown(&text, true)
        };
        let painted = "  \u{1b}[31mBAD\u{1b}[0m  mode\n\u{1b}[1mhint:\u{1b}[0m error\n";
        assert_eq!(shown(Color::Always), painted);
        assert_eq!(shown(Color::Never), "  BAD  mode\nhint: error\n");
    }

    #[test]
    fn nothing_that_a_terminal_acts_on_comes_through() {
        let setting = Setting { color: Color::Always, no_color: false, utf8: true, columns: None };
        let text = "a\u{1b}]0;x\u{7}b\u{9b}2J\u{202e}c\u{7f}\n\r\td";
        let shown = r"a\u{1b}]0;x\u{7}b\u{9b}2J\u{202e}c\u{7f}".to_string() + "\n\r\td";
        assert_eq!(setting.shown(&text.into(), true), shown);
        let marked = setting.shown(&Text::marked(Mark::Bad, "x\u{1b}c"), true);
        assert_eq!(marked, "\u{1b}[31mx\\u{1b}c\u{1b}[0m");
    }

    #[test]
    fn a_terminal_that_is_not_known_to_show_more_gets_ascii() {
        let shown = |utf8, terminal| {
            Setting { color: Color::Never, no_color: false, utf8, columns: None }
                .shown(&"VM h\u{f6}st".into(), terminal)
        };
        assert_eq!(shown(false, true), "VM h?st");
        assert_eq!(shown(false, false), "VM h\u{f6}st");
        assert_eq!(shown(true, true), "VM h\u{f6}st");
    }
}
