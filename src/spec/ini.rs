//! A spec file as text: its sections, keys and values, and what rust-ini would let pass. Knows
//! which sections there are, and not what a value means.

use std::collections::BTreeSet;
use std::fmt;

use anyhow::{Context, Result, bail, ensure};
use ini::{Ini, ParseOption};

use super::keys::keys;
use crate::net::{nearest, shown};
use crate::options::ELSEWHERE;

/// Where a value came from, for the sentence that refuses it.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// A flag of the command line.
    Flag(String),
    /// A key of a file.
    Key { file: String, section: String, key: String },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "--{flag}"),
            Self::Key { file, section, key } => write!(f, "{file}: [{section}] {key}"),
        }
    }
}

impl Source {
    /// The section, with its file.
    pub(super) fn section(&self) -> String {
        match self {
            Self::Flag(_) => self.to_string(),
            Self::Key { file, section, .. } => format!("{file}: [{section}]"),
        }
    }
}

/// A section of a spec file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Section {
    /// What all hosts share.
    Bond,
    /// The hosts' addresses.
    Addresses,
    /// A further network, by what its section says of the tag.
    Vlan(String),
    /// What one host has for itself; `[nics HOST]` is an older spelling, for its NICs alone.
    Host(String),
}

/// What a file calls the sections that there are.
const SECTIONS: &str = "sections are [bond], [bond HOST], [addresses] and [vlan TAG]";

impl Section {
    fn named(name: &str) -> Option<Self> {
        match name {
            "bond" => Some(Self::Bond),
            "addresses" => Some(Self::Addresses),
            _ => {
                if let Some(tag) = name.strip_prefix("vlan ") {
                    return Some(Self::Vlan(tag.trim().to_string()));
                }
                let host = name.strip_prefix("bond ").or_else(|| name.strip_prefix("nics "))?;
                Some(Self::Host(host.trim().to_string()))
            }
        }
    }
}

/// A value of a file.
pub(super) struct Entry {
    pub(super) section: Section,
    /// The spec's own name for the key.
    pub(super) key: String,
    pub(super) source: Source,
    pub(super) text: String,
}

/// Reads a spec file; `file` is its name in messages.
pub(super) fn read(file: &str, text: &str) -> Result<Vec<Entry>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    check_lines(file, text)?;
    // rust-ini takes an indented comment for the end of the line above.
    let text = text.lines().map(|line| bare(line.trim())).collect::<Vec<_>>().join("\n");
    let options =
        ParseOption { enabled_quote: false, enabled_escape: false, ..ParseOption::default() };
    let ini = Ini::load_from_str_opt(&text, options).with_context(|| format!("reading {file}"))?;
    let mut all = Vec::new();
    let mut seen = BTreeSet::new();
    for (name, properties) in &ini {
        let Some(name) = name.map(str::trim) else {
            if let Some((key, _)) = properties.iter().next() {
                bail!("{file}: key `{}` stands before the first section; {SECTIONS}", shown(key));
            }
            continue;
        };
        if properties.is_empty() && matches!(Section::named(name), Some(Section::Vlan(_))) {
            bail!("{file}: [{}] has no address: it is empty", shown(name));
        }
        for (key, value) in properties.iter() {
            let source = Source::Key { file: file.into(), section: name.into(), key: key.into() };
            let Some(section) = Section::named(name) else {
                bail!("{file}: unknown section [{}]; {SECTIONS}", shown(name))
            };
            let key = match section {
                Section::Addresses | Section::Vlan(_) => key.to_string(),
                _ if name.starts_with("nics ") => {
                    ensure!(
                        key == "nics",
                        "{source}: unknown key; this section has only `nics`, and [bond HOST] has every key"
                    );
                    key.to_string()
                }
                _ => bond_key(&source, key)?,
            };
            ensure!(seen.insert((name.to_string(), key.clone())), "{source}: key given twice");
            let text = plain(value.trim()).with_context(|| source.to_string())?;
            all.push(Entry { section, key, source, text });
        }
    }
    Ok(all)
}

/// The line of a section without the comment behind it; any other line as it is.
fn bare(line: &str) -> &str {
    let Some((section, rest)) = line.split_once(']').filter(|_| line.starts_with('[')) else {
        return line;
    };
    let comment = rest.trim_start();
    let behind = comment.len() < rest.len() && comment.starts_with([';', '#']);
    if behind { &line[..=section.len()] } else { line }
}

/// A value without its quotes and without the comment behind it. Quotes are round the whole value
/// or round a part of a list; a comment begins with `;` or `#` after a blank.
fn plain(text: &str) -> Result<String> {
    let mut value = String::new();
    let mut quote = None;
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        let rest = &text[at + c.len_utf8()..];
        let starts = before.is_whitespace() || before == ',';
        match quote {
            Some(mark) if c == mark => {
                ensure!(
                    rest.is_empty() || rest.starts_with([',', ' ', '\t', ';', '#']),
                    "`{}` continues after its closing quote",
                    shown(text)
                );
                quote = None;
            }
            Some(_) => value.push(c),
            None if starts && ['"', '\''].contains(&c) => quote = Some(c),
            None if [';', '#'].contains(&c) => {
                ensure!(
                    before.is_whitespace(),
                    "`{}`: a comment behind a value needs a blank before its `{c}`; a value with a `{c}` in it needs quotes",
                    shown(text)
                );
                return Ok(value.trim_end().to_string());
            }
            None => value.push(c),
        }
        before = c;
    }
    ensure!(quote.is_none(), "`{}` has no closing quote", shown(text));
    Ok(value)
}

/// rust-ini lets a key without `=` swallow the line end, and reads control characters as they
/// are; both are refused before it sees them.
fn check_lines(file: &str, text: &str) -> Result<()> {
    let mut sections = BTreeSet::new();
    for (number, line) in text.lines().enumerate() {
        let at = format!("{file}, line {}", number + 1);
        let line = bare(line.trim());
        if let Some(c) = line.chars().find(|c| c.is_control() && *c != '\t') {
            bail!("{at}: a control character ({}) stands here", c.escape_unicode());
        }
        if line.is_empty() || line.starts_with([';', '#']) {
            continue;
        }
        if let Some(section) = line.strip_prefix('[') {
            let Some(section) = section.strip_suffix(']') else {
                bail!(
                    "{at}: `{}` is not a valid section: it must be [NAME] alone on its line",
                    shown(line)
                );
            };
            let name = section.split_whitespace().collect::<Vec<_>>().join(" ");
            ensure!(sections.insert(name), "{at}: section [{}] given twice", shown(section));
        } else {
            ensure!(
                line.contains('='),
                "{at}: `{}` is neither a [section] nor a `key = value`",
                shown(line)
            );
        }
    }
    Ok(())
}

/// The spec's own name for a key of `[bond]`, where dashes do as well as underscores.
fn bond_key(source: &Source, key: &str) -> Result<String> {
    let name = key.replace('-', "_");
    let keys = keys();
    let known: Vec<&str> = keys.iter().map(|key| key.name).collect();
    if let Some(key) = keys.iter().find(|key| key.name == name || key.alias == Some(&name)) {
        return Ok(key.name.to_string());
    }
    if let Some((_, why)) = ELSEWHERE.iter().find(|(elsewhere, _)| *elsewhere == name) {
        bail!("{source}: {name} is an option of the driver that a spec does not have: {why}");
    }
    let (nearest, near) = nearest(&name, &known).expect("there are keys");
    let all = if near { String::new() } else { format!(" The keys are {}", known.join(", ")) };
    bail!("{source}: unknown key; did you mean `{nearest}`?{all}")
}
