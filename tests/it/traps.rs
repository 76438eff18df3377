//! `tests/TRAPS.md` is true: what it names is there, and every finding is in it.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use xenbond::preflight::Code;

/// The text of every file of some kind below a folder.
fn texts(folder: &Path, extension: &str) -> String {
    let mut all = String::new();
    let mut todo = vec![folder.to_path_buf()];
    while let Some(next) = todo.pop() {
        for entry in std::fs::read_dir(next).unwrap().map(Result::unwrap) {
            let path: PathBuf = entry.path();
            if path.is_dir() {
                todo.push(path);
            } else if path.extension().is_some_and(|e| e == extension) {
                all.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    all
}

#[test]
fn what_the_list_of_traps_names_is_there() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = std::fs::read_to_string(top.join("tests/TRAPS.md")).unwrap();
    let code = texts(&top.join("src"), "rs") + &texts(&top.join("tests"), "rs");
    let lab = texts(&top.join("tests/lab/cases"), "sh");
    let known: BTreeSet<&str> = Code::ALL.iter().map(|code| code.name()).collect();
    let mut found = BTreeSet::new();
    let mut wrong = Vec::new();
    for row in list.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| trap")) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        assert_eq!(cells.len(), 2, "{row}");
        let mut named = 0;
        let mut words = cells[1].split('`');
        while let (Some(kind), Some(name)) = (words.next(), words.next()) {
            named += 1;
            let there = match kind.rsplit([' ', ',']).find(|w| !w.is_empty()).unwrap_or_default() {
                "finding" => {
                    found.insert(name.to_string());
                    known.contains(name)
                }
                "test" => code.contains(&format!("fn {name}(")),
                "golden" => top.join("golden").join(name).is_dir(),
                "lab" => lab.contains(&format!("#: {name} ")),
                "decision" => top.join(name).is_file(),
                _ => false,
            };
            if !there {
                wrong.push(format!("`{name}` is not there: {row}"));
            }
        }
        if named == 0 {
            wrong.push(format!("nothing is made of it: {row}"));
        }
    }
    wrong.extend(known.iter().filter(|c| !found.contains(**c)).map(|c| format!("{c} is missing")));
    assert!(wrong.is_empty(), "tests/TRAPS.md:\n{}", wrong.join("\n"));
}
