//! Recordings of a real `xe`: one JSON object a line with the words of a shell, what was printed
//! and the exit status. The name of a file begins with the release.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use xenbond::model::state::Release;

/// One command and its answer.
#[derive(Clone, Debug)]
pub struct Recording {
    pub name: String,
    /// Who asked.
    pub host: String,
    pub args: Vec<String>,
    pub out: String,
    pub err: String,
    /// None where it was killed.
    pub status: Option<i32>,
}

impl Recording {
    fn of(line: &str) -> Self {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        let text = |key: &str| value[key].as_str().unwrap_or_default().to_string();
        let mut words = words(&text("cmd"));
        if !words.is_empty() {
            words.remove(0);
        }
        // What was noted of how it ended stands behind a comma.
        let host = text("host").split(',').next().unwrap_or_default().to_string();
        Self {
            name: text("name"),
            host,
            args: words,
            out: text("out"),
            err: text("err"),
            status: value["rc"].as_i64().and_then(|rc| i32::try_from(rc).ok()),
        }
    }

    pub fn command(&self) -> &str {
        self.args.iter().find(|a| !a.starts_with("--")).map_or("", String::as_str)
    }

    /// A named argument.
    pub fn arg(&self, name: &str) -> Option<&str> {
        self.args.iter().find_map(|a| a.strip_prefix(name)?.strip_prefix('='))
    }

    pub fn minimal(&self) -> bool {
        self.args.iter().any(|a| a == "--minimal")
    }

    /// Every uuid in it.
    pub fn uuids(&self) -> BTreeSet<String> {
        let texts = self.args.iter().chain([&self.out, &self.err]);
        texts.flat_map(|text| uuids(text)).collect()
    }
}

/// Whether this is the shape of a uuid.
pub fn is_uuid(word: &str) -> bool {
    let parts: Vec<&str> = word.split('-').collect();
    let hex = |part: &&str| part.chars().all(|c| c.is_ascii_hexdigit());
    parts.iter().map(|p| p.len()).eq([8, 4, 4, 4, 12]) && parts.iter().all(hex)
}

/// The uuids in a text.
pub fn uuids(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_ascii_hexdigit() && c != '-');
    words.filter(|word| is_uuid(word)).map(str::to_string).collect()
}

/// A shell's words: plain, quoted, and `$'..'`.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        if c.is_whitespace() {
            words.extend(word.take());
            continue;
        }
        let text = word.get_or_insert_default();
        match c {
            '\'' => text.extend(chars.by_ref().take_while(|c| *c != '\'')),
            '"' => {
                while let Some(c) = chars.next().filter(|c| *c != '"') {
                    text.push(if c == '\\' { chars.next().unwrap_or('\\') } else { c });
                }
            }
            '$' if chars.next_if_eq(&'\'').is_some() => {
                while let Some(c) = chars.next().filter(|c| *c != '\'') {
                    text.push(if c == '\\' { escaped(&mut chars) } else { c });
                }
            }
            '\\' => text.extend(chars.next()),
            _ => text.push(c),
        }
    }
    words.extend(word);
    words
}

fn escaped(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> char {
    match chars.next() {
        Some('n') => '\n',
        Some('t') => '\t',
        Some('r') => '\r',
        Some('x') => {
            let mut number = 0;
            for _ in 0..2 {
                let Some(digit) = chars.next_if(char::is_ascii_hexdigit) else { break };
                number = number * 16 + digit.to_digit(16).unwrap_or_default();
            }
            char::from_u32(number).unwrap_or_default()
        }
        Some(other) => other,
        None => '\\',
    }
}

/// The folders: those of the environment, or where recordings lie beside the project; and always
/// the project's own.
fn folders() -> Vec<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/replay/recordings");
    let mut folders = match std::env::var("XENBOND_TRANSCRIPTS") {
        Ok(list) => list.split(':').filter(|f| !f.is_empty()).map(PathBuf::from).collect(),
        Err(_) => vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/xe-transcripts")],
    };
    folders.retain(|folder| folder.is_dir());
    folders.push(own);
    folders
}

/// All recordings, by the release that the names of their files begin with.
pub fn all() -> BTreeMap<String, Vec<Recording>> {
    let mut found: BTreeMap<String, Vec<Recording>> = BTreeMap::new();
    for folder in folders() {
        let entries = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        for file in files.iter().filter(|f| f.extension().is_some_and(|e| e == "jsonl")) {
            let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let end = stem.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(stem.len());
            let release = stem[..end].trim_end_matches('.').to_string();
            let text = fs::read_to_string(file).unwrap();
            let lines = text.lines().filter(|l| !l.trim().is_empty());
            found.entry(release).or_default().extend(lines.map(Recording::of));
        }
    }
    // A recording that lies in two folders is one.
    for list in found.values_mut() {
        let mut seen = BTreeSet::new();
        list.retain(|r| seen.insert(format!("{r:?}")));
    }
    found
}

/// The model's release for one of the recordings.
pub fn release_of(name: &str) -> Option<Release> {
    let begins = [
        ("6.", Release::V6_2),
        ("8.2", Release::V8_2),
        ("24.39", Release::V24_39),
        ("26.1", Release::V26_1),
    ];
    begins.into_iter().find(|(begin, _)| name.starts_with(begin)).map(|(_, release)| release)
}
