//! What `xe` prints as data: records of fields, and texts without the order that means nothing.

use std::collections::BTreeMap;

/// A record's fields, in order.
pub type Row = Vec<(String, String)>;

/// The field and the value of a line.
fn field(line: &str) -> Option<(String, String)> {
    let (name, rest) = line.split_once(" (")?;
    let (kind, rest) = rest.split_at_checked(3)?;
    let value = rest.strip_prefix(')')?.trim_start().strip_prefix(':')?;
    let kinds = [" RO", " RW", "SRO", "SRW", "MRO", "MRW"];
    let name = name.trim_start();
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    let good = kinds.contains(&kind) && plain && !name.is_empty();
    good.then(|| (name.to_string(), value.strip_prefix(' ').unwrap_or(value).to_string()))
}

/// The records of a table, or nothing where a value breaks its lines.
pub fn rows(text: &str) -> Option<Vec<Row>> {
    let mut rows: Vec<Row> = Vec::new();
    let mut blanks = 2;
    for line in text.lines() {
        if line.is_empty() {
            blanks += 1;
            continue;
        }
        if blanks > 0 {
            // A record begins at the margin, after exactly two empty lines.
            if blanks != 2 || line.starts_with(' ') {
                return None;
            }
            rows.push(Vec::new());
        } else if !line.starts_with("    ") {
            return None;
        }
        blanks = 0;
        rows.last_mut()?.push(field(line)?);
    }
    (rows.is_empty() || blanks == 2).then_some(rows)
}

/// What a minimal list prints, unescaped.
pub fn minimal(text: &str) -> Vec<String> {
    let line = text.strip_suffix('\n').unwrap_or(text);
    let mut parts = vec![String::new()];
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            ',' => parts.push(String::new()),
            '\\' => parts.last_mut().unwrap().extend(chars.next()),
            _ => parts.last_mut().unwrap().push(c),
        }
    }
    if line.is_empty() { Vec::new() } else { parts }
}

/// A map's entries as far as they can be told: what has no `: ` belongs to the value before.
pub fn entries(text: &str) -> BTreeMap<String, String> {
    let mut map: Vec<(String, String)> = Vec::new();
    for part in text.split("; ").filter(|part| !part.is_empty()) {
        let pair = part.split_once(": ").or_else(|| Some((part.strip_suffix(':')?, "")));
        let new = pair.filter(|(key, _)| map.iter().all(|(known, _)| known != key));
        if let Some((key, value)) = new {
            map.push((key.to_string(), value.to_string()));
        } else if let Some((_, before)) = map.last_mut() {
            before.push_str("; ");
            before.push_str(part);
        } else {
            map.push((part.to_string(), String::new()));
        }
    }
    map.into_iter().collect()
}

/// A value whose parts have no order.
fn loose(value: &str) -> String {
    let mut parts: Vec<&str> = value.split("; ").collect();
    parts.sort_unstable();
    parts.join("; ")
}

/// A text whose records, and the parts of whose values, have no order: sorted.
pub fn unordered(text: &str, is_list: bool, is_minimal: bool) -> String {
    if is_minimal && is_list {
        let line = text.strip_suffix('\n').unwrap_or(text);
        let mut parts: Vec<String> = minimal(line).iter().map(|part| loose(part)).collect();
        // Its own escapes stay under test.
        parts.push(format!("{} escapes", line.matches('\\').count()));
        parts.sort();
        return format!("{}{}", parts.join(","), &text[line.len()..]);
    }
    if is_list {
        let mut records: Vec<String> = text
            .split("\n\n\n")
            .map(|record| {
                let lines = record.split('\n').map(|line| match line.split_once(": ") {
                    Some((label, value)) => format!("{label}: {}", loose(value)),
                    None => line.to_string(),
                });
                lines.collect::<Vec<_>>().join("\n")
            })
            .collect();
        records.sort();
        return records.join("\n\n\n");
    }
    // Labels of further parameters say nothing of what they are.
    let label = |line: &str| {
        ["pifs: ", "vifs: ", "<extra>: "]
            .iter()
            .find_map(|l| line.strip_prefix(l).map(str::to_string))
    };
    let mut extra: Vec<String> = text.lines().filter_map(label).collect();
    if extra.len() < 2 {
        return text.split('\n').map(loose).collect::<Vec<_>>().join("\n");
    }
    extra.sort();
    let mut extra = extra.into_iter();
    let lines = text.split('\n').map(|line| match label(line) {
        Some(value) => line.replace(&value, &extra.next().unwrap_or_default()),
        None => line.to_string(),
    });
    lines.collect::<Vec<_>>().join("\n")
}
