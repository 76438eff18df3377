//! The text of `xe *-list`: records of `name ( RO): value` lines (facts/xapi.md section A).
//! Knows the printer's form and nothing of what the fields mean.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use anyhow::{Context, Result, bail, ensure};
use regex::Regex;

use crate::net::Uuid;

/// How a null reference is printed.
pub const NULL: &str = "<not in database>";

/// What may stand behind a field's name.
const TAGS: [&str; 6] = [" RO", " RW", "SRO", "SRW", "MRO", "MRW"];

/// A record's first line: the only one that starts at column 0.
static START: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^uuid \( RO\) *: [0-9a-fA-F]{8}-[0-9a-fA-F-]{27} *$").expect("a test builds it")
});

/// One record: field names and values as printed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record(BTreeMap<String, String>);

/// Reads all records; each must have every field of `required`.
///
/// # Errors
/// When the text is not of the printer's form, a record is cut or has a field twice, or two
/// have the same uuid: what a name with line ends in it can bring about.
pub fn parse(text: &str, required: &[&str]) -> Result<Vec<Record>> {
    let mut records: Vec<Record> = Vec::new();
    let mut last = String::new();
    for line in text.lines() {
        let starts = line.starts_with("uuid") && START.is_match(line);
        if starts {
            records.push(Record::default());
        }
        let Some(Record(fields)) = records.last_mut() else {
            ensure!(line.trim().is_empty(), "`{}` stands where a record should begin", shown(line));
            continue;
        };
        let may_be_field = starts || line.starts_with("    ");
        match may_be_field.then(|| field(line)).flatten() {
            Some((name, value)) => {
                last = name.to_string();
                let before = fields.insert(last.clone(), value.to_string());
                ensure!(before.is_none(), "field `{last}` stands twice in a record");
            }
            // A line end inside a value is printed raw.
            _ => {
                let value = fields.get_mut(&last).context("a record without fields")?;
                value.push('\n');
                value.push_str(line);
            }
        }
    }
    if !records.is_empty() {
        ensure!(text.ends_with("\n\n"), "the answer ends in the middle of a record");
    }
    let mut uuids = Vec::new();
    for record in &mut records {
        for value in record.0.values_mut() {
            value.truncate(value.trim_end_matches('\n').len());
        }
        for name in required {
            ensure!(record.0.contains_key(*name), "a record has no field `{name}`");
        }
        uuids.push(record.uuid()?);
    }
    uuids.sort();
    if let Some(pair) = uuids.windows(2).find(|pair| pair[0] == pair[1]) {
        bail!("two records have the uuid {}", pair[0]);
    }
    Ok(records)
}

/// A field's name and value. Its column depends on which fields were asked for, so only its shape
/// counts. By hand: a large pool's list has a hundred thousand lines.
fn field(line: &str) -> Option<(&str, &str)> {
    let (name, rest) = line.trim_start_matches(' ').split_once(" (")?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    let (tag, rest) = rest.split_at_checked(3)?;
    if name.is_empty() || !name.bytes().all(plain) || !TAGS.contains(&tag) {
        return None;
    }
    let rest = rest.strip_prefix(')')?;
    let rest = rest.strip_prefix(" [DEPRECATED]").unwrap_or(rest);
    let value = rest.trim_start_matches(' ').strip_prefix(':')?;
    Some((name, value.strip_prefix(' ').unwrap_or(value)))
}

fn shown(line: &str) -> String {
    line.chars().take(80).collect::<String>().escape_debug().to_string()
}

impl Record {
    /// The value as printed, when the field was printed.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
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
        self.get("uuid").context("a record has no field `uuid`")?.trim().parse()
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

    #[test]
    fn reads_records_whatever_the_column() {
        let records = parse(TWO, &["uuid", "device"]).unwrap();
        assert_eq!(records.len(), 2);
        assert_eq!(records[0].get("device"), Some("eth2"));
        assert!(records[0].bool("currently-attached").unwrap());
        assert_eq!(records[0].reference("bond-slave-of").unwrap(), None);
        assert_eq!(records[0].map("other-config")["ethtool-gro"], "off");
        assert!(records[1].reference("bond-slave-of").unwrap().is_some());
        assert_eq!(records[1].get("other-config"), Some(""));
        assert_eq!(parse("", &[]).unwrap(), vec![]);
    }

    #[test]
    fn keeps_a_line_end_inside_a_value() {
        let text = TWO.replace("Storage;", "a\nb\n\n;");
        let records = parse(&text, &[]).unwrap();
        assert_eq!(
            records[0].text("other-config"),
            "management_purpose: a\nb\n\n; ethtool-gro: off"
        );
    }

    #[test]
    fn refuses_what_is_not_of_the_printers_form() {
        let twice = TWO.replace(
            "c7d8e9fa-1b2c-3d4e-5f60-718293a4b5c6",
            "b1e6c2ba-9f0e-7c34-7bb1-6d0f52cf1c11",
        );
        let forged = TWO.replace("Storage;", "x\n    device ( RO): eth0\n");
        for (text, want) in [
            ("Error: no\n", "where a record should begin"),
            (TWO.trim_end(), "in the middle"),
            (&TWO[..TWO.len() / 3], "in the middle"),
            (&twice, "two records have the uuid"),
            (&forged, "`device` stands twice"),
        ] {
            let error = parse(text, &["device"]).unwrap_err().to_string();
            assert!(error.contains(want), "{error}");
        }
        assert!(parse(TWO, &["MAC"]).unwrap_err().to_string().contains("no field `MAC`"));
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
