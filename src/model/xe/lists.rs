//! `*-list`: which records an argument asks for, and how records are printed.

use super::answer::{Answer, Args, Fault, Printed, find};
use super::records::{Class, Field, Record, Value, records};
use crate::model::programs::shell::Shell;

/// Arguments that are no filters.
const NO_FILTERS: [&str; 3] = ["params", "database", "minimal"];

/// The field that an argument names, and the key if it names one inside a map or set:
/// `name:key`, or `name-key` as well.
pub(super) fn lookup<'a>(
    record: &'a Record,
    name: &'a str,
) -> Option<(&'a Field, Option<&'a str>)> {
    if let Some(field) = record.field(name) {
        return Some((field, None));
    }
    let parts = record.fields.iter().filter(|f| matches!(f.value, Value::Map(_) | Value::Set(_)));
    let inside = parts.filter_map(|field| {
        let rest = name.strip_prefix(field.name)?;
        Some((field, Some(rest.strip_prefix([':', '-'])?)))
    });
    inside.max_by_key(|(field, _)| field.name.len())
}

/// Keeps the records that each named argument fits. A name is looked up in the first one that is
/// left, so that with none left every name is known.
pub(super) fn filter(found: &mut Vec<Record>, args: &Args, skip: &[&str]) -> Result<(), Fault> {
    let mut seen: Vec<&str> = skip.to_vec();
    for (name, want) in &args.pairs {
        if seen.contains(&name.as_str()) {
            continue;
        }
        seen.push(name);
        let Some(first) = found.first() else { break };
        if lookup(first, name).is_none() {
            return Err(Fault::Plain(format!("Unknown field '{name}'")));
        }
        found.retain(|record| match lookup(record, name) {
            Some((field, None)) if field.name == "MAC" => field.text().eq_ignore_ascii_case(want),
            Some((field, None)) => field.text() == *want,
            Some((field, Some(key))) => match &field.value {
                Value::Map(map) => map.get(key) == Some(want),
                Value::Set(list) => key == "contains" && list.contains(want),
                _ => false,
            },
            None => false,
        });
    }
    Ok(())
}

pub(super) fn list(shell: &Shell<'_>, class: &Class, args: &Args) -> Answer {
    let mut found = records(shell.state, class.name);
    if class.name == "vm" {
        found.retain(|r| r.field("is-a-template").is_some_and(|f| f.text() == "false"));
    }
    filter(&mut found, args, &NO_FILTERS)?;
    let wanted: Option<Vec<&str>> = args.get("params").map(|p| p.split(',').collect());
    let takes = |name: &str| match &wanted {
        Some(list) => list.contains(&"all") || list.contains(&name),
        None => class.shown.contains(&name),
    };
    let row = |r: Record| r.fields.into_iter().filter(|f| takes(f.name)).collect::<Vec<_>>();
    Ok(Printed::Table(found.into_iter().map(row).collect()))
}

/// `*-param-list`.
pub(super) fn one(shell: &Shell<'_>, class: &Class, args: &Args) -> Answer {
    let record = find(shell, class.name, class.kind, args.need("uuid")?)?;
    Ok(Printed::Table(vec![record.fields]))
}

/// Prints what came of a command.
pub(super) fn print(shell: &mut Shell<'_>, printed: Printed, minimal: bool) {
    let escape = |text: String| text.replace('\\', "\\\\").replace(',', "\\,");
    match printed {
        Printed::Nothing => {}
        Printed::Lines(lines) if minimal => {
            shell.say(lines.into_iter().map(escape).collect::<Vec<_>>().join(","));
        }
        Printed::Lines(lines) => lines.iter().for_each(|line| shell.say(line)),
        Printed::Table(rows) if minimal => {
            let firsts = rows.iter().filter_map(|row| row.first()).map(|f| escape(f.text()));
            let line = firsts.collect::<Vec<_>>().join(",");
            shell.say(line);
        }
        Printed::Table(rows) => rows.iter().for_each(|row| shell.say(format!("{}\n", record(row)))),
    }
}

/// `multi_line_record`: the first name padded on its right, the others on their left.
fn record(fields: &[Field]) -> String {
    let width = 4 + fields.iter().map(|f| f.label().len()).max().unwrap_or(0);
    let lines: Vec<String> = fields
        .iter()
        .enumerate()
        .map(|(at, field)| match at {
            0 => format!("{:<width$}: {}", field.label(), field.text()),
            _ => format!("{:>width$}: {}", field.label(), field.text()),
        })
        .collect();
    format!("{}\n", lines.join("\n"))
}
