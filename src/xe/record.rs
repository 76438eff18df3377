//! The text of `xe *-list`: records of `name ( RO): value` lines (facts/xapi.md section A).
//! Knows the printer's form and nothing of what the fields mean.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{self, BufRead};
use std::sync::LazyLock;

use anyhow::{Context, Result, bail, ensure};
use regex::Regex;

use crate::net::Uuid;

/// How a null reference is printed.
pub const NULL: &str = "<not in database>";

/// A record's first line: the only one that starts at column 0.
static START: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^uuid \( RO\) *: [0-9a-fA-F]{8}-[0-9a-fA-F-]{27} *$").expect("a test builds it")
});

/// One record: values as printed.
#[derive(Debug)]
pub struct Record<'a> {
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
/// have the same uuid: what a name with line ends in it can bring about. Or when `each` fails.
pub fn parse(
    from: &mut dyn BufRead,
    asked: &[&str],
    optional: &[&str],
    each: &mut dyn FnMut(&Record) -> Result<()>,
) -> Result<()> {
    let mut list = List {
        asked,
        optional,
        each,
        head: None,
        heads: vec![String::new(); asked.len()],
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
    each: &'a mut dyn FnMut(&Record) -> Result<()>,
    /// What stands before the uuid in a record's first line: in one answer, always the same.
    head: Option<String>,
    /// The same of each field, once it was seen: a line that begins so needs no closer look.
    heads: Vec<String>,
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
        if !matches!(line.as_bytes(), [b'u', b'u', b'i', b'd', ..]) {
            return None;
        }
        let line = line.trim_end();
        if self.head.is_none() && START.is_match(line) {
            self.head = field(line).map(|(_, value)| line[..line.len() - value.len()].to_string());
        }
        line.strip_prefix(self.head.as_deref()?)?.parse().ok()
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
                "field `{}` stands twice in a record",
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
    fn asked_field<'l>(&mut self, line: &'l str, end: usize) -> Option<(usize, &'l str)> {
        // The next that this release of XAPI has.
        let known = self.heads.iter().enumerate().skip(self.next).find(|(_, h)| !h.is_empty());
        if let Some((at, head)) = known.filter(|(_, h)| begins(line.as_bytes(), h.as_bytes())) {
            return Some((at, &line[head.len()..]));
        }
        // Only a record's first line begins at column 0.
        if end != line.len() && !line.starts_with("    ") {
            return None;
        }
        let (name, value) = field(line)?;
        let at = find(self.asked, name, self.next)?;
        // Without the blank behind its colon it would not fit a value that begins with one.
        let head = &line[..line.len() - value.len()];
        if head.ends_with(' ') && self.heads[at].is_empty() {
            self.heads[at] = head.to_string();
        }
        Some((at, value))
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
        (self.each)(&record)?;
        self.values.fill(None);
        self.next = 0;
        Ok(())
    }
}

/// Whether a line begins so, eight bytes at a time: musl compares one by one.
fn begins(line: &[u8], head: &[u8]) -> bool {
    let Some((line, _)) = line.split_at_checked(head.len()) else { return false };
    let ((line, last), (head, end)) = (line.as_chunks::<8>(), head.as_chunks::<8>());
    line.iter().zip(head).all(|(a, b)| a == b) && last == end
}

/// Where a name stands among all, when `from` is a good guess.
fn find(all: &[&str], name: &str, from: usize) -> Option<usize> {
    match all.get(from) {
        Some(guess) if *guess == name => Some(from),
        _ => all.iter().position(|one| *one == name),
    }
}

/// A field's name and value, with what stands behind it. Its column depends on which fields were asked for, so only its shape
/// counts. By hand: a large pool's list has a hundred thousand lines.
fn field(line: &str) -> Option<(&str, &str)> {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_' || *b == b'-';
    let bytes = line.as_bytes();
    let mut start = 0;
    while bytes[start..].first_chunk() == Some(b"        ") {
        start += 8;
    }
    start += bytes[start..].iter().position(|b| *b != b' ')?;
    let length = bytes[start..].iter().position(|b| !plain(b))?;
    let end = start + length;
    // What kind of field it is: ( RO), ( RW), (SRO), (SRW), (MRO), (MRW).
    let [b' ', b'(', b' ' | b'S' | b'M', b'R', b'O' | b'W', b')', rest @ ..] = &bytes[end..] else {
        return None;
    };
    let mut rest = rest.strip_prefix(b" [DEPRECATED]").unwrap_or(rest);
    while let [b' ', behind @ ..] = rest {
        rest = behind;
    }
    let ([b':', b' ', value @ ..] | [b':', value @ ..]) = rest else { return None };
    (length > 0).then(|| (&line[start..end], &line[line.len() - value.len()..]))
}

fn shown(line: &str) -> String {
    line.chars().take(80).collect::<String>().escape_debug().to_string()
}

impl<'a> Record<'a> {
    /// The value as printed, when the field was printed.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a str> {
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
    pub fn text(&self, name: &str) -> String {
        self.get(name).unwrap_or_default().to_string()
    }

    /// The record's own uuid.
    ///
    /// # Errors
    /// When it has none.
    pub fn uuid(&self) -> Result<Uuid> {
        self.uuid.clone().context("a record has no field `uuid`")
    }

    /// A boolean.
    ///
    /// # Errors
    /// When it is neither `true` nor `false`.
    pub fn bool(&self, name: &str) -> Result<bool> {
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
    pub fn reference(&self, name: &str) -> Result<Option<Uuid>> {
        match self.get(name) {
            None | Some(NULL | "") => Ok(None),
            Some(text) => Ok(Some(text.parse().with_context(|| format!("field `{name}`"))?)),
        }
    }

    /// A map whose keys and values are the program's own, not people's.
    #[must_use]
    pub fn map(&self, name: &str) -> BTreeMap<String, String> {
        map(self.get(name).unwrap_or_default())
    }
}

/// `k: v; k2: v2` as a map, right wherever no value holds a separator.
#[must_use]
pub fn map(text: &str) -> BTreeMap<String, String> {
    let pair = |part: &str| {
        let (key, value) = part.split_once(": ").or_else(|| Some((part.strip_suffix(':')?, "")))?;
        Some((key.to_string(), value.to_string()))
    };
    text.split("; ").filter_map(pair).collect()
}

/// Whether a map's text may be read in more than one way: its printer escapes nothing.
#[must_use]
pub fn is_ambiguous(text: &str) -> bool {
    text.contains("; ") || text.matches(": ").count() > 1 || text.contains('\n')
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    const TWO: &str = "\
uuid ( RO)                  : b1e6c2ba-9f0e-7c34-7bb1-6d0f52cf1c11
                device ( RO): eth2
         bond-slave-of ( RO): <not in database>
    currently-attached ( RO): true
          other-config (MRW): management_purpose: Storage; ethtool-gro: off


uuid ( RO)                  : c7d8e9fa-1b2c-3d4e-5f60-718293a4b5c6
                device ( RO): eth3
         bond-slave-of ( RO): b1e6c2ba-9f0e-7c34-7bb1-6d0f52cf1c11
    currently-attached ( RO): false
          other-config (MRW): 


";

    const FIELDS: [&str; 5] =
        ["uuid", "device", "bond-slave-of", "currently-attached", "other-config"];

    /// What `each` makes of every record of a text, whatever the pieces that it comes in.
    fn all_with<T: PartialEq>(
        text: &str,
        asked: &[&str],
        each: impl Fn(&Record) -> Result<T>,
    ) -> Result<Vec<T>> {
        let in_pieces = |size: usize| -> Result<Vec<T>> {
            let mut all = Vec::new();
            let mut pieces = BufReader::with_capacity(size, text.as_bytes());
            parse(&mut pieces, asked, &[], &mut |record| {
                all.push(each(record)?);
                Ok(())
            })?;
            Ok(all)
        };
        let whole = in_pieces(text.len().max(1));
        for size in [1, 2, 3, 7, 61] {
            let same = match (&whole, in_pieces(size)) {
                (Ok(whole), Ok(cut)) => *whole == cut,
                (Err(whole), Err(cut)) => whole.to_string() == cut.to_string(),
                _ => false,
            };
            assert!(same, "in pieces of {size} bytes: {text}");
        }
        whole
    }

    /// All values, in the order of the fields.
    fn all(text: &str, asked: &[&str]) -> Result<Vec<Vec<String>>> {
        all_with(text, asked, |record| Ok(asked.iter().map(|name| record.text(name)).collect()))
    }

    #[test]
    fn reads_records_whatever_the_column() {
        let records = all_with(TWO, &FIELDS, |record| {
            Ok((
                record.text("device"),
                record.bool("currently-attached")?,
                record.reference("bond-slave-of")?.is_some(),
                record.map("other-config").get("ethtool-gro").cloned(),
                record.get("MAC").map(String::from),
            ))
        });
        let want = [
            ("eth2".into(), true, false, Some("off".into()), None),
            ("eth3".into(), false, true, None, None),
        ];
        assert_eq!(records.unwrap(), want);
        assert!(all("", &FIELDS).unwrap().is_empty());
    }

    #[test]
    fn keeps_a_line_end_inside_a_value() {
        let text = TWO.replace("Storage;", "a\nb\n\n;");
        let records = all(&text, &FIELDS).unwrap();
        let config = "management_purpose: a\nb\n\n; ethtool-gro: off";
        assert_eq!(records[0][4], config);
    }

    #[test]
    fn takes_a_field_that_was_not_asked_for_as_text() {
        let forged = TWO.replace("Storage;", "x\n    MTU ( RO): 1;");
        assert!(
            all(&forged, &FIELDS).unwrap()[0][4].ends_with("x\n    MTU ( RO): 1; ethtool-gro: off")
        );
        let columns =
            TWO.replacen("; ethtool", "\nuuid ( RO) : c7d8e9fa-1b2c-3d4e-5f60-718293a4b5c7\n", 1);
        assert_eq!(all(&columns, &FIELDS).unwrap().len(), 2);
    }

    #[test]
    fn refuses_what_is_not_of_the_printers_form() {
        let twice = TWO.replace(
            "c7d8e9fa-1b2c-3d4e-5f60-718293a4b5c6",
            "b1e6c2ba-9f0e-7c34-7bb1-6d0f52cf1c11",
        );
        let forged = TWO.replace("Storage;", "x\n    device ( RO): eth0\n");
        let broken = TWO.replacen('\n', "\nx\n", 1);
        for (text, want) in [
            ("Error: no\n", "where a record should begin"),
            (TWO.trim_end(), "in the middle"),
            (&TWO[..TWO.len() / 3], "in the middle"),
            (&broken, "is no uuid"),
            (&twice, "two records have the uuid"),
            (&forged, "`device` stands twice"),
        ] {
            let error = all(text, &FIELDS).unwrap_err().to_string();
            assert!(error.contains(want), "{error}");
        }
        assert!(all(TWO, &["uuid", "MAC"]).unwrap_err().to_string().contains("no field `MAC`"));
    }

    proptest::proptest! {
        #[test]
        fn a_field_is_what_the_fact_sheet_says(
            line in "( {0,5}[a-z-]{0,3}( |) ?\\(?( RO| RW|MRW|XX|é)\\)?( \\[DEPRECATED\\])? {0,3}:? {0,2}[a-z:( ]{0,6})|[ a()RO:]{0,12}"
        ) {
            // facts/xapi.md section A1.
            let shape = Regex::new(
                r"^ *([A-Za-z0-9_-]+) \(( RO| RW|SRO|SRW|MRO|MRW)\)(?: \[DEPRECATED\])? *: ?(.*)$",
            )
            .unwrap();
            let want = shape.captures(&line).map(|c| (c[1].to_string(), c[3].to_string()));
            let have = field(&line).map(|(name, value)| (name.to_string(), value.to_string()));
            proptest::prop_assert_eq!(have, want);
        }

        #[test]
        fn a_record_is_read_the_same_whatever_stands_before_it(
            records in proptest::collection::vec(
                "(( {4,6}(device|MAC|VLAN|x) \\( RO\\):( |)( |eth2|:)?\n)|( {0,4}(eth3|: |VLAN \\( RO\\): )?\n)){0,6}\n\n",
                1..5,
            )
        ) {
            let fields = ["uuid", "device", "MAC", "VLAN"];
            let text = |(n, lines): (usize, &String)| {
                format!("uuid ( RO) : b1e6c2ba-9f0e-7c34-7bb1-6d0f52cf1c{n:02}\n{lines}")
            };
            let read = |text: &str| {
                let mut all = Vec::new();
                parse(&mut text.as_bytes(), &fields, &fields, &mut |record| {
                    all.push(fields.map(|name| record.get(name).map(String::from)));
                    Ok(())
                })
                .map(|()| all)
                .map_err(|error| error.to_string())
            };
            let texts: Vec<String> = records.iter().enumerate().map(text).collect();
            let mut alone = Ok(Vec::new());
            for one in &texts {
                alone = alone.and_then(|mut all: Vec<_>| Ok({ all.extend(read(one)?); all }));
            }
            proptest::prop_assert_eq!(read(&texts.concat()), alone);
        }
    }

    #[test]
    fn knows_an_ambiguous_map() {
        for (text, ambiguous) in
            [("", false), ("a: b", false), ("a: b; c: d", true), ("a: b: c", true)]
        {
            assert_eq!(is_ambiguous(text), ambiguous, "{text}");
        }
    }
}
