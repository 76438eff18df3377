//! The lines of a text, freed of what a terminal, a page or a mail put round them.
//!
//! Must not know what a line says.

/// The tags of forums that stand round a paste.
const TAGS: [&str; 12] =
    ["b", "code", "color", "font", "i", "noparse", "php", "pre", "quote", "size", "spoiler", "u"];

/// The lines that say anything: indentation and line ends are gone, and inside a line one blank
/// stands for any. The texts lose both on the way, so nothing may rest on them.
pub(super) fn lines(text: &str) -> impl Iterator<Item = String> {
    text.lines().map(plain).filter(|line| !line.is_empty())
}

/// The label of a line and the value behind its colon.
pub(super) fn split(line: &str) -> Option<(&str, &str)> {
    line.split_once(':').map(|(label, value)| (label, value.trim_start()))
}

fn plain(line: &str) -> String {
    let mut line = line.trim_matches(blank);
    loop {
        let inner = bare(line).trim_matches(blank);
        if inner == line {
            return line.split(blank).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
        }
        line = inner;
    }
}

/// The line without one mark of a quotation or a comment, or one tag.
fn bare(line: &str) -> &str {
    if let Some((inside, rest)) = line.strip_prefix('[').and_then(|rest| rest.split_once(']'))
        && tag(inside)
    {
        return rest;
    }
    if let Some((rest, inside)) = line.strip_suffix(']').and_then(|rest| rest.rsplit_once('['))
        && tag(inside)
    {
        return rest;
    }
    line.strip_prefix(['>', '#']).unwrap_or(line)
}

fn tag(inside: &str) -> bool {
    let name = inside.strip_prefix('/').unwrap_or(inside).split('=').next().unwrap_or_default();
    TAGS.iter().any(|tag| tag.eq_ignore_ascii_case(name))
}

fn blank(c: char) -> bool {
    c.is_ascii_whitespace() || c == '\u{a0}' || c == '\u{feff}'
}
