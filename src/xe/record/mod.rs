//! The text of `xe *-list`: records of `name ( RO): value` lines (tests/ground/xapi.md, A).
//! Knows the printer's form and nothing of what the fields mean.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{self, BufRead};

use anyhow::{Context, Result, bail, ensure};

use crate::net::Uuid;
use crate::order;

/// How a null reference is printed.
pub(crate) const NULL: &str = "<not in database>";

/// One record: values as printed.
#[derive(Debug)]
pub(crate) struct Record<'a> {
    uuid: Option<Uuid>,
    text: &'a str,
    /// The fields that were asked for, and where each has its value in the text.
    asked: &'a [&'a str],
    values: &'a [Option<(usize, usize)>],
    /// Behind the field that was got last.
    next: Cell<usize>,
}

/// Reads all records, one after the other. `asked` are the fields in the order in which they are
/// printed, and each record has all of them but, maybe, those of `optional`.
///
/// # Errors
/// When the text is not of the printer's form, a record is cut or has a field twice, or two
/// have the same uuid: what a name with line ends in it can bring about.
pub(crate) fn parse(
    from: &mut dyn BufRead,
    asked: &[&str],
    optional: &[&str],
    each: &mut dyn FnMut(&Record),
) -> Result<()> {
    let mut list = List {
        asked,
        optional,
        each,
        head: None,
        values: vec![None; asked.len()],
        next: 0,
        uuid: None,
        uuids: Vec::new(),
    };
    // What is not read yet: no more than a record and the lines that came in with its end.
    let (mut text, mut cut) = (String::new(), Vec::new());
    let mut more = true;
    while more {
        let (mut start, mut at) = (0, text.len());
        more = add_lines(from, &mut text, &mut cut)?;
        for line in text[at..].split_inclusive('\n') {
            if let Some(uuid) = list.starts(line) {
                list.record(&text[start..at])?;
                list.uuid = Some(uuid);
                start = at;
            }
            at += line.len();
            list.line(line, at - start)?;
        }
        text.drain(..start);
    }
    ensure!(
        list.head.is_none() || text.ends_with("\n\n"),
        "the answer ends in the middle of a record"
    );
    list.record(&text)?;
    list.uuids.sort_unstable();
    if let Some(pair) = list.uuids.windows(2).find(|pair| pair[0] == pair[1]) {
        bail!("two records have the uuid {}", pair[0]);
    }
    Ok(())
}

/// Adds the whole lines that came in; `cut` keeps the start of the one after them until the rest
/// of it comes, or nothing more. Whether there may be more.
fn add_lines(from: &mut dyn BufRead, text: &mut String, cut: &mut Vec<u8>) -> io::Result<bool> {
    let piece = from.fill_buf()?;
    let more = !piece.is_empty();
    let whole = piece.iter().rposition(|b| *b == b'\n').map_or(0, |last| last + 1);
    cut.extend_from_slice(&piece[..whole]);
    if whole > 0 || !more {
        match str::from_utf8(cut) {
            Ok(lines) => text.push_str(lines),
            Err(_) => text.push_str(&String::from_utf8_lossy(cut)),
        }
        cut.clear();
    }
    cut.extend_from_slice(&piece[whole..]);
    let length = piece.len();
    from.consume(length);
    Ok(more)
}

/// What is known of a list while it is read.
struct List<'a> {
    asked: &'a [&'a str],
    optional: &'a [&'a str],
    each: &'a mut dyn FnMut(&Record),
    /// What stands before the uuid in a record's first line: in one answer, always the same.
    head: Option<String>,
    /// Of the record that has begun: where the value of each field lies from its start.
    values: Vec<Option<(usize, usize)>>,
    /// Behind its last field.
    next: usize,
    /// What its first line says, while nothing was added to that.
    uuid: Option<Uuid>,
    /// Of all records.
    uuids: Vec<Uuid>,
}

impl List<'_> {
    /// The uuid of the record that starts with this line, if one does.
    fn starts(&mut self, line: &str) -> Option<Uuid> {
        let line = line.strip_suffix('\n').unwrap_or(line).trim_end();
        if !line.starts_with("uuid ( RO)") {
            return None;
        }
        let (_, value) = field(line)?;
        let uuid = value.parse().ok()?;
        let head = &line[..line.len() - value.len()];
        (self.head.get_or_insert_with(|| head.into()) == head).then_some(uuid)
    }

    /// One line of the record that has begun, which ends at `end` from its start.
    fn line(&mut self, line: &str, end: usize) -> Result<()> {
        ensure!(
            self.head.is_some() || line.trim().is_empty(),
            "`{}` stands where a record should begin",
            shown(line.trim_end())
        );
        if let Some((at, value)) = self.asked_field(line, end) {
            ensure!(
                self.values[at].is_none(),
                "field `{}` given twice in a record",
                self.asked[at]
            );
            self.values[at] = Some((end - value.len(), end));
            self.next = at + 1;
        } else if self.next > 0 {
            // A line end inside a value is printed raw.
            self.values[self.next - 1].get_or_insert_default().1 = end;
            // But empty lines end a record.
            if line != "\n" {
                self.uuid = None;
            }
        }
        Ok(())
    }

    /// Which of the fields that were asked for this line has, and its value.
    fn asked_field<'l>(&self, line: &'l str, end: usize) -> Option<(usize, &'l str)> {
        // Only a record's first line begins at column 0.
        if end != line.len() && !line.starts_with("    ") {
            return None;
        }
        let (name, value) = field(line)?;
        Some((find(self.asked, name, self.next)?, value))
    }

    /// The record ends here, if one has begun.
    fn record(&mut self, text: &str) -> Result<()> {
        if self.next == 0 {
            return Ok(());
        }
        for (name, value) in self.asked.iter().zip(&self.values) {
            ensure!(
                value.is_some() || self.optional.contains(name),
                "a record has no field `{name}`"
            );
        }
        let (asked, values, next) = (self.asked, &self.values, Cell::default());
        let mut record = Record { uuid: self.uuid.take(), text, asked, values, next };
        if record.uuid.is_none() {
            record.uuid = record.get("uuid").map(|text| text.trim().parse()).transpose()?;
        }
        self.uuids.extend(record.uuid.clone());
        (self.each)(&record);
        self.values.fill(None);
        self.next = 0;
        Ok(())
    }
}

/// Where a name stands among all, when `from` is a good guess.
fn find(all: &[&str], name: &str, from: usize) -> Option<usize> {
    match all.get(from) {
        Some(guess) if *guess == name => Some(from),
        _ => all.iter().position(|one| *one == name),
    }
}

/// A field's name, and its value with what stands behind it. Its column depends on which fields
/// were asked for, so only its shape counts.
fn field(line: &str) -> Option<(&str, &str)> {
    let (name, rest) = line.trim_start_matches(' ').split_once(" (")?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    let (kind, rest) = rest.split_at_checked(4)?;
    if name.is_empty() || !name.bytes().all(plain) || !KINDS.contains(&kind) {
        return None;
    }
    let rest = rest.strip_prefix(" [DEPRECATED]").unwrap_or(rest);
    let value = rest.trim_start_matches(' ').strip_prefix(':')?;
    Some((name, value.strip_prefix(' ').unwrap_or(value)))
}

/// What kinds of field there are.
const KINDS: [&str; 6] = [" RO)", " RW)", "SRO)", "SRW)", "MRO)", "MRW)"];

fn shown(line: &str) -> String {
    line.chars().take(80).collect::<String>().escape_debug().to_string()
}

impl<'a> Record<'a> {
    /// The value as printed, when the field was printed.
    #[must_use]
    pub(crate) fn get(&self, name: &str) -> Option<&'a str> {
        let at = find(self.asked, name, self.next.get())?;
        self.next.set(at + 1);
        let (from, to) = self.values[at]?;
        let mut value = &self.text[from..to];
        while let Some(b'\n') = value.as_bytes().last() {
            value = &value[..value.len() - 1];
        }
        Some(value)
    }

    /// The value as printed, empty when the field was not.
    #[must_use]
    pub(crate) fn text(&self, name: &str) -> String {
        self.get(name).unwrap_or_default().to_string()
    }

    /// The record's own uuid.
    ///
    /// # Errors
    /// When it has none.
    pub(crate) fn uuid(&self) -> Result<Uuid> {
        self.uuid.clone().context("a record has no field `uuid`")
    }

    /// A boolean.
    ///
    /// # Errors
    /// When it is neither `true` nor `false`.
    pub(crate) fn bool(&self, name: &str) -> Result<bool> {
        match self.get(name) {
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            other => bail!("field `{name}` is {other:?}, and not true or false"),
        }
    }

    /// A reference, or `None` when it is null.
    ///
    /// # Errors
    /// When it is neither null nor a uuid.
    pub(crate) fn reference(&self, name: &str) -> Result<Option<Uuid>> {
        match self.get(name) {
            None | Some(NULL | "") => Ok(None),
            Some(text) => Ok(Some(text.parse().with_context(|| format!("field `{name}`"))?)),
        }
    }

    /// A set of references.
    ///
    /// # Errors
    /// When one of them is no uuid.
    pub(crate) fn references(&self, name: &str) -> Result<Vec<Uuid>> {
        let text = self.get(name).filter(|text| !["", NULL].contains(text));
        let all = text.into_iter().flat_map(|text| text.split("; "));
        all.map(|one| one.parse().with_context(|| format!("field `{name}`"))).collect()
    }

    /// A map whose keys and values are the program's own, not people's.
    #[must_use]
    pub(crate) fn map(&self, name: &str) -> BTreeMap<String, String> {
        map(self.get(name).unwrap_or_default())
    }
}

/// `k: v; k2: v2` as a map, right wherever no value holds a separator.
#[must_use]
pub(crate) fn map(text: &str) -> BTreeMap<String, String> {
    let pair = |part: &str| {
        let (key, value) = part.split_once(": ").or_else(|| Some((part.strip_suffix(':')?, "")))?;
        Some((key.to_string(), value.to_string()))
    };
    order::map(text.split("; ").filter_map(pair))
}

/// Whether a map's text may be read in more than one way: its printer escapes nothing.
#[must_use]
pub(crate) fn is_ambiguous(text: &str) -> bool {
    text.contains("; ") || text.matches(": ").count() > 1 || text.contains('\n')
}

#[cfg(test)]
mod tests;
