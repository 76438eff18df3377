//! `tests/ground/*.md`, the facts that the code rests on, and who cites them: each citation leads
//! to a section that is there, and each section says where it was read.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use regex::Regex;

/// The sections of each page by its name: `xapi` has `C` and `C3`.
type Pages = BTreeMap<String, BTreeSet<String>>;

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every text below a folder, or the file itself, but for the pages and this test.
fn texts(path: PathBuf) -> Vec<(PathBuf, String)> {
    if path.is_dir() {
        let inside = std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path());
        return inside.filter(|p| !p.ends_with("tests/ground")).flat_map(texts).collect();
    }
    if path.ends_with("it/ground.rs") {
        return Vec::new();
    }
    std::fs::read_to_string(&path).map(|text| (path, text)).into_iter().collect()
}

/// The sections of a page, and what is wrong with them.
fn sections(name: &str, text: &str) -> (BTreeSet<String>, Vec<String>) {
    let heading = Regex::new(r"^(##|###) ([A-Z][0-9]*)\. [^ ]").unwrap();
    let (mut found, mut wrong) = (BTreeSet::new(), Vec::new());
    let mut open: Option<(String, bool)> = None;
    for line in text.lines().chain(["## Z. the end"]) {
        if line.starts_with("Source: ") {
            open = None;
        }
        if !line.starts_with("##") {
            continue;
        }
        let Some(parts) = heading.captures(line) else {
            wrong.push(format!("{name}: `{line}` has no number"));
            continue;
        };
        let (deep, id) = (&parts[1] == "###", parts[2].to_string());
        // A heading with sections of its own needs no source.
        if let Some((id, _)) =
            open.filter(|(of, was_deep)| *was_deep || !deep || !id.starts_with(of))
        {
            wrong.push(format!("{name}, {id} does not say where it was read"));
        }
        if deep == (id.len() == 1) || !found.insert(id.clone()) {
            wrong.push(format!("{name}: `{line}` has the wrong number"));
        }
        open = Some((id, deep));
    }
    found.remove("Z");
    (found, wrong)
}

fn pages() -> (Pages, Vec<String>) {
    let (mut all, mut wrong) = (Pages::new(), Vec::new());
    for entry in std::fs::read_dir(top().join("tests/ground")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_string();
        let (found, bad) = sections(&name, &std::fs::read_to_string(&path).unwrap());
        wrong.extend(bad);
        all.insert(name, found);
    }
    (all, wrong)
}

/// The lines that may hold citations, and the one behind each, without what makes them comments.
fn joined(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let near = |n: usize| lines[n].contains(".md") || n > 0 && lines[n - 1].contains(".md");
    let bare = |n: usize| lines[n].trim_start().trim_start_matches(['/', '!', '#']).trim();
    (0..lines.len()).filter(|n| near(*n)).map(bare).collect::<Vec<_>>().join(" ")
}

/// How many citations a text has, and which of them lead nowhere. `here` is the folder of other
/// pages, as it is written in a citation.
fn citations(text: &str, here: &str, pages: &Pages) -> (usize, Vec<String>) {
    // A page in lower case, and the sections behind it, however they are written.
    let id = r"(?:[A-Z][0-9]+|[A-Z0-9]|[0-9]+)(?-u:\b)";
    let cites = Regex::new(&format!(
        r"[A-Za-z0-9_./-]*(?-u:\b)[a-z][a-z-]*\.md(?-u:\b)`?(?:,? (?:sections? |rows? )?({id}(?:(?:, | and | to ){id})*))?"
    ))
    .unwrap();
    let (mut number, mut wrong) = (0, Vec::new());
    for cite in cites.captures_iter(text) {
        let words = &cite[0];
        let path = words.split(".md").next().unwrap();
        let Some(found) = path.strip_prefix(here).and_then(|name| pages.get(name)) else {
            if !top().join(format!("{path}.md")).is_file() {
                wrong.push(format!("`{words}` is not a valid page of {here}"));
            }
            continue;
        };
        number += 1;
        let list = cite.get(1).map_or("", |list| list.as_str());
        let form = format!("{path}.md, {list}");
        if !list.is_empty() && words.replace('`', "") != form {
            wrong.push(format!("`{words}`: it is written `{form}`"));
        }
        for id in list.split(", ").flat_map(|s| s.split(" and ")).flat_map(|s| s.split(" to ")) {
            if !id.is_empty() && !found.contains(id) {
                wrong.push(format!("`{words}`: {path}.md has no section {id}"));
            }
        }
    }
    (number, wrong)
}

#[test]
fn every_citation_leads_to_a_section_and_every_section_to_a_source() {
    let (pages, mut wrong) = pages();
    let mut number = 0;
    for folder in ["src", "tests", "templates", "README.md"] {
        for (path, text) in texts(top().join(folder)) {
            let (more, bad) = citations(&joined(&text), "tests/ground/", &pages);
            number += more;
            wrong.extend(bad.iter().map(|why| format!("{}: {why}", path.display())));
        }
    }
    for name in pages.keys() {
        let text = std::fs::read_to_string(top().join(format!("tests/ground/{name}.md"))).unwrap();
        let (_, bad) = citations(&joined(&text), "", &pages);
        wrong.extend(bad.iter().map(|why| format!("{name}: {why}")));
    }
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(
        number > 80,
        "only {number} citations were found: are they looked for as they are written?"
    );
}

#[test]
fn a_citation_that_leads_nowhere_is_found() {
    let (found, wrong) =
        sections("p", "# P\n\n## A. All\n\n### A1. One\nText.\nSource: x.c 1.0.\n");
    assert!(wrong.is_empty(), "{wrong:?}");
    let pages = Pages::from([("p".into(), found)]);
    let wrong = |text: &str| citations(&joined(text), "tests/ground/", &pages).1;
    for good in [
        "tests/ground/p.md, A1",
        "(tests/ground/p.md,\n    /// A and A1), and",
        "tests/ground/p.md.",
        "see README.md",
    ] {
        assert_eq!(wrong(good), Vec::<String>::new(), "{good}");
    }
    for bad in [
        "facts/p.md section A",
        "p.md section 1",
        "tests/ground/p.md section A",
        "tests/ground/p.md, A2",
        "tests/ground/p.md, A1 to\n//! A3",
        "tests/ground/q.md, A1",
    ] {
        assert_eq!(wrong(bad).len(), 1, "{bad}: {:?}", wrong(bad));
    }
    let (_, wrong) = sections("p", "## A. All\n### A1. One\nText.\n### A1. Again\nSource: x.\n");
    assert_eq!(wrong.len(), 2, "{wrong:?}");
}
