//! One direction: the rooms of `src` are a ladder, each of which imports only what is below it or
//! to its right in its row. No circles between files, no long file, no long function, no exceptions.
//! Tests beside the code do not count.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use regex::Regex;

const LADDER: [&[&str]; 17] = [
    &["main", "lib"],
    &["cli"],
    &["rehearse"],
    &["report"],
    &["drill", "status"],
    &["engine"],
    &["journal"],
    &["plan"],
    &["verify"],
    &["preflight"],
    &["inventory"],
    &["step", "render"],
    &["ledger"],
    &[
        "service", "spec", "options", "xe", "bonding", "ovs", "ifcfg", "modprobe", "paths", "net",
        "outcome",
    ],
    &["host"],
    &["model"],
    &["json", "order"],
];

/// What the model stands in for is above it; it may know these of that.
const OF_THE_MODEL: [&str; 5] = ["host", "json", "net", "order", "paths"];

const MOST_LINES_OF_A_FILE: usize = 450;
const MOST_LINES_OF_A_FUNCTION: usize = 80;

/// A file: its module path, and its text without tests.
type Files = BTreeMap<Vec<String>, String>;
/// Which modules each module imports.
type Imports = BTreeMap<Vec<String>, BTreeSet<Vec<String>>>;

fn read(src: &Path, folder: &Path, all: &mut Files) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            read(src, &path, all);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let module = path.strip_prefix(src).unwrap().with_extension("");
            let words = module.iter().map(|word| word.to_str().unwrap().to_string());
            let module = words.filter(|word| word != "mod").collect();
            all.insert(module, fs::read_to_string(&path).unwrap());
        }
    }
}

/// Takes away what is built for tests alone: the end of a file, and whole files.
fn without_tests(files: &mut Files) {
    let tests =
        Regex::new(r"#\[cfg\(test\)\]\n(?:#\[.*\]\n)*(?:pub\(crate\) )?mod (\w+)( \{|;)").unwrap();
    let mut gone = Vec::new();
    for (module, text) in files.iter_mut() {
        for found in tests.captures_iter(&text.clone()) {
            match &found[2] {
                ";" if module == &["lib"] => gone.push(vec![found[1].to_string()]),
                ";" => gone.push([&module[..], &[found[1].to_string()]].concat()),
                _ => text.truncate(text.find(&found[0]).unwrap_or(text.len())),
            }
        }
    }
    files.retain(|module, _| !gone.iter().any(|tests| module.starts_with(tests)));
}

/// The paths that a path with braces stands for: `a::{b, c::d}` for `a::b` and `a::c::d`.
fn expanded(text: &str, before: &[String], all: &mut Vec<Vec<String>>) {
    let word: String = text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    if let Some(list) = text.strip_prefix('{') {
        let (mut depth, mut from) = (0, 0);
        for (at, c) in list.char_indices() {
            depth += i32::from(c == '{') - i32::from(c == '}');
            if depth < 0 || (depth == 0 && c == ',') {
                expanded(list[from..at].trim(), before, all);
                from = at + 1;
            }
            if depth < 0 {
                return;
            }
        }
    }
    let path = [before, std::slice::from_ref(&word)].concat();
    match text[word.len()..].strip_prefix("::") {
        Some(rest) if !word.is_empty() => expanded(rest, &path, all),
        _ => all.push(path),
    }
}

fn imports(files: &Files) -> Imports {
    let noise = Regex::new(r#"//[^\n]*|"(?:\\.|[^"\\])*""#).unwrap();
    let start = Regex::new(r"(?:^|[^:\w])((?:crate|xenbond|(?:super::)*super|self)::)").unwrap();
    let child = Regex::new(r"(?m)^(?:pub(?:\(\w+\))? )?mod (\w+);").unwrap();
    let mut all = Imports::new();
    for (module, text) in files {
        let text = noise.replace_all(text, "");
        let mut paths = Vec::new();
        for found in start.captures_iter(&text).map(|c| c.get(1).unwrap()) {
            let up = found.as_str().matches("super").count();
            let base = match found.as_str() {
                "crate::" | "xenbond::" => &[][..],
                _ => &module[..module.len() - up],
            };
            expanded(&text[found.end()..], base, &mut paths);
        }
        for name in child.captures_iter(&text).map(|c| c[1].to_string()) {
            if text.matches(&format!("{name}::")).count() > 0 && module != &["lib"] {
                paths.push([&module[..], &[name]].concat());
            }
        }
        for mut path in paths {
            while !path.is_empty() && !files.contains_key(&path) {
                path.pop();
            }
            if !path.is_empty() && path != *module {
                all.entry(module.clone()).or_default().insert(path);
            }
        }
    }
    all
}

fn arrows_upwards(files: &Files, imports: &Imports) -> BTreeSet<String> {
    let order: Vec<&str> = LADDER.concat();
    let place = |room: &str| order.iter().position(|other| *other == room);
    let mut wrong = BTreeSet::new();
    for room in files.keys().map(|module| &module[0]) {
        if place(room).is_none() {
            wrong.insert(format!("{room} is in no row of the ladder"));
        }
    }
    for (from, to) in imports.iter().flat_map(|(f, all)| all.iter().map(move |t| (&f[0], &t[0]))) {
        let right = if from == "model" {
            OF_THE_MODEL.contains(&to.as_str())
        } else {
            place(from) < place(to)
        };
        if from != to && !right {
            wrong.insert(format!("{from} imports {to}"));
        }
    }
    wrong
}

/// Files that can come back to themselves by their imports. A file and those of its own folder are
/// one thing to those outside, and are not held against each other.
fn circles(imports: &Imports) -> BTreeSet<String> {
    let next = |module: &Vec<String>| {
        let all = imports.get(module).into_iter().flatten().cloned();
        let kin = module.clone();
        all.filter(move |to| !to.starts_with(&kin) && !kin.starts_with(to)).collect::<Vec<_>>()
    };
    let reach = |from: &Vec<String>| {
        let (mut seen, mut todo) = (BTreeSet::new(), next(from));
        while let Some(module) = todo.pop() {
            if seen.insert(module.clone()) {
                todo.extend(next(&module));
            }
        }
        seen
    };
    let reaches: BTreeMap<_, _> = imports.keys().map(|from| (from, reach(from))).collect();
    let back = |a: &Vec<String>, b: &Vec<String>| reaches.get(b).is_some_and(|r| r.contains(a));
    let circle = |from: &Vec<String>| {
        let names = reaches[from].iter().filter(|to| back(from, to)).map(|to| to.join("::"));
        names.collect::<Vec<_>>().join(", ")
    };
    imports.keys().filter(|from| back(from, from)).map(circle).collect()
}

fn long_files(files: &Files) -> BTreeSet<String> {
    let lines = files.iter().map(|(module, text)| (module.join("/"), text.lines().count()));
    let long = lines.filter(|(_, lines)| *lines > MOST_LINES_OF_A_FILE);
    long.map(|(name, lines)| format!("{name}: {lines} lines")).collect()
}

fn long_functions(files: &Files) -> BTreeSet<String> {
    let head = Regex::new(r"^( *)(?:pub(?:\(\w+\))? )?(?:const )?fn (\w+)").unwrap();
    let mut all = BTreeSet::new();
    for (module, text) in files {
        let lines: Vec<&str> = text.lines().collect();
        for (at, found) in
            lines.iter().enumerate().filter_map(|(n, line)| Some((n, head.captures(line)?)))
        {
            let end = format!("{}}}", &found[1]);
            let length = lines[at..].iter().position(|line| *line == end).unwrap_or(0) + 1;
            let alone = lines[at].ends_with('}') || lines[at].ends_with(';');
            if length > MOST_LINES_OF_A_FUNCTION && !alone {
                all.insert(format!("{}::{}: {length} lines", module.join("::"), &found[2]));
            }
        }
    }
    all
}

#[test]
fn the_rooms_are_a_ladder_of_short_files() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Files::new();
    read(&src, &src, &mut files);
    without_tests(&mut files);
    let imports = imports(&files);
    assert!(files.len() > 50 && imports.len() > 50, "too little was read");
    let mut wrong = String::new();
    for (what, found) in [
        ("arrows upwards", arrows_upwards(&files, &imports)),
        ("circles", circles(&imports)),
        ("files over 450 lines", long_files(&files)),
        ("functions over 80 lines", long_functions(&files)),
    ] {
        println!("{what}: {}", found.len());
        wrong.extend(found.iter().map(|one| format!("{what}: {one}\n")));
    }
    println!("lines: {}", files.values().map(|text| text.lines().count()).sum::<usize>());
    assert!(wrong.is_empty(), "{wrong}");
}
