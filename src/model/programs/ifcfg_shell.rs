//! How the boot scripts find and read an ifcfg file: `need_config`, the sourcing, the greps
//! (tests/ground/initscripts.md, A1, F1 and G1). A small shell: assignments, quotes, comments,
//! `$NAME`; anything that would run is noted in the state and not run.

use std::collections::BTreeMap;

use super::shell::Shell;
use crate::model::state::Flavour;

/// Where the files are.
pub(crate) const FOLDER: &str = "etc/sysconfig/network-scripts";

/// A sourced file's variables.
pub(crate) type Vars = BTreeMap<String, String>;

/// Whether a file name is one that `is_ignored_file` skips.
pub(crate) fn ignored(scripts: Flavour, name: &str) -> bool {
    let common = ["~", ".bak", ".orig", ".rpmnew", ".rpmorig", ".rpmsave"];
    common.iter().any(|end| name.ends_with(end))
        || (scripts == Flavour::El7 && name.ends_with(".old"))
}

/// All `ifcfg-*` files that count.
pub(crate) fn files(shell: &Shell<'_>) -> Vec<String> {
    let names = shell.list(FOLDER).into_iter();
    names.filter(|n| n.starts_with("ifcfg-") && !ignored(shell.scripts(), n)).collect()
}

/// Whether the text has a line `KEY=value`, quoted as this generation's grep allows.
fn has_line(
    text: &str,
    key: &str,
    value: &str,
    quotes: &str,
    blanks: bool,
    any_case: bool,
) -> bool {
    text.lines().any(|line| {
        let line = if blanks { line.trim_start() } else { line };
        let Some(rest) = line.strip_prefix(key).and_then(|r| r.strip_prefix('=')) else {
            return false;
        };
        let rest = rest.strip_prefix(|c| quotes.contains(c)).unwrap_or(rest);
        let same = rest
            .get(..value.len())
            .is_some_and(|have| have == value || (any_case && have.eq_ignore_ascii_case(value)));
        if !same {
            return false;
        }
        let rest = &rest[value.len()..];
        let rest = rest.strip_prefix(|c| quotes.contains(c)).unwrap_or(rest);
        rest.is_empty() || rest.starts_with(|c: char| c.is_whitespace() || c == '#')
    })
}

/// Files whose `MASTER=` names the bond.
pub(crate) fn slaves_of(shell: &Shell<'_>, bond: &str) -> Vec<String> {
    let quotes = if shell.scripts() == Flavour::El5 { "\"" } else { "\"'" };
    let names = files(shell).into_iter();
    names
        .filter(|name| {
            let text = shell.read(&format!("{FOLDER}/{name}")).unwrap_or_default();
            has_line(&text, "MASTER", bond, quotes, true, false)
        })
        .collect()
}

/// `need_config`: the name of the file for a name.
pub(crate) fn need_config(shell: &Shell<'_>, name: &str) -> Option<String> {
    let exact = format!("ifcfg-{name}");
    for candidate in [exact.as_str(), name] {
        if !candidate.contains('/') && shell.path(FOLDER).join(candidate).is_file() {
            return Some(candidate.to_string());
        }
    }
    let old = shell.scripts() == Flavour::El5;
    let quotes = if old { "" } else { "\"'" };
    let names = files(shell);
    let matching = |key: &str, value: &str, any_case: bool| -> Vec<String> {
        let fits = |n: &&String| {
            let text = shell.read(&format!("{FOLDER}/{n}")).unwrap_or_default();
            has_line(&text, key, value, quotes, true, any_case)
        };
        names.iter().filter(fits).cloned().collect()
    };
    if !old {
        let by_name = names.iter().find(|n| {
            let text = shell.read(&format!("{FOLDER}/{n}")).unwrap_or_default();
            text.lines().any(|l| l.trim_start() == format!("NAME=\"{name}\""))
        });
        if let Some(found) = by_name {
            return Some(found.clone());
        }
    }
    if let Some(mac) = shell.state.dom0.mac_of(name)
        && let [one] = matching("HWADDR", &mac, true).as_slice()
    {
        return Some(one.clone());
    }
    match matching("DEVICE", name, false).as_slice() {
        [one] => Some(one.clone()),
        _ => None,
    }
}

/// What el5 takes for the file that this one builds on: the name without its last `-part`.
pub(crate) fn parent(file: &str) -> Option<String> {
    let (parent, _) = file.strip_prefix("ifcfg-")?.rsplit_once('-')?;
    Some(format!("ifcfg-{parent}"))
}

/// Sources a file: its variables, on top of those of `/etc/sysconfig/network`.
pub(crate) fn source(shell: &mut Shell<'_>, file: &str) -> Vars {
    let mut vars = Vars::new();
    let mut paths = vec!["etc/sysconfig/network".to_string()];
    if shell.scripts() == Flavour::El5 {
        paths.extend(parent(file).map(|p| format!("{FOLDER}/{p}")));
    }
    paths.push(format!("{FOLDER}/{file}"));
    for path in paths {
        let text = shell.read(&path).unwrap_or_default();
        evaluate(&text, &mut vars, &mut shell.state.dom0.executed);
    }
    vars
}

/// One word of a shell line: its text, and whether it is complete.
fn word(
    chars: &mut std::iter::Peekable<std::str::Chars<'_>>,
    vars: &Vars,
    ran: &mut Vec<String>,
) -> String {
    let mut text = String::new();
    let mut quote = None;
    while let Some(&c) = chars.peek() {
        if quote.is_none() && (c.is_whitespace() && c != '\r' || c == ';' || c == '&' || c == '|') {
            break;
        }
        chars.next();
        match (c, quote) {
            ('\'', None) => quote = Some('\''),
            ('"', None) => quote = Some('"'),
            ('\'', Some('\'')) | ('"', Some('"')) => quote = None,
            ('\\', None | Some('"')) => text.extend(chars.next()),
            ('`', None | Some('"')) => ran.push(chars.by_ref().take_while(|c| *c != '`').collect()),
            ('$', None | Some('"')) if chars.peek() == Some(&'(') => {
                chars.next();
                ran.push(chars.by_ref().take_while(|c| *c != ')').collect());
            }
            ('$', None | Some('"')) => {
                let braced = chars.next_if_eq(&'{').is_some();
                let mut name = String::new();
                while let Some(c) = chars.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
                    name.push(c);
                }
                if braced {
                    chars.next_if_eq(&'}');
                }
                text.push_str(vars.get(&name).map_or("", String::as_str));
            }
            _ => text.push(c),
        }
    }
    text
}

/// Runs a file's assignments.
pub(crate) fn evaluate(text: &str, vars: &mut Vars, ran: &mut Vec<String>) {
    let mut chars = text.chars().peekable();
    loop {
        while chars.next_if(|c| c.is_whitespace() || *c == ';' || *c == '&' || *c == '|').is_some()
        {
        }
        if chars.peek().is_none() {
            return;
        }
        // One simple command: assignments, perhaps followed by words that would be run.
        let (mut set, mut words) = (Vec::new(), Vec::new());
        loop {
            while chars.next_if(|c| *c == ' ' || *c == '\t').is_some() {}
            match chars.peek() {
                None | Some('\n' | ';' | '&' | '|') => break,
                Some('#') => {
                    while chars.next_if(|c| *c != '\n').is_some() {}
                    continue;
                }
                _ => {}
            }
            let before = ran.len();
            let text = word(&mut chars, vars, ran);
            let assignment = text.split_once('=').filter(|(name, _)| {
                words.is_empty()
                    && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                    && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            });
            match assignment {
                Some((name, value)) => set.push((name.to_string(), value.to_string())),
                None if words.is_empty() && text == "export" => {}
                None if text.is_empty() && before != ran.len() => {}
                None => words.push(text),
            }
        }
        if words.is_empty() {
            vars.extend(set);
        } else {
            ran.push(words.join(" "));
        }
    }
}
