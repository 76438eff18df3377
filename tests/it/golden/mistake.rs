//! Mistakes of a tired operator, made with the real program on a host of stand-ins. What is wrong
//! must be said, and what to type; the host must be left as it was.
//!
//! A case has `case.json` (a [`Setup`]), `args` (one argument on each line) and, if need be,
//! `spec.ini` and `host/`, files that lie on the host. Wanted: `want`.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::{Value, json};

use super::case::Case;
use crate::e2e::root::Root;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Setup {
    /// The mistake, in a sentence.
    mistake: String,
    /// The backend that runs.
    #[serde(default = "bridge")]
    backend: String,
    /// What is otherwise than in the built-in pool, as a merge patch.
    #[serde(default = "nothing")]
    patch: Value,
    /// Commands typed before, which end as they should: words and exit code.
    #[serde(default)]
    before: Vec<(String, i32)>,
    /// Files that this host has not.
    #[serde(default)]
    without: Vec<String>,
    /// Texts replaced in files of the host, after `before`.
    #[serde(default)]
    edits: BTreeMap<String, (String, String)>,
    /// What happens then, as a merge patch of the model.
    #[serde(default = "nothing")]
    meanwhile: Value,
    /// Whoever runs it is not root.
    #[serde(default)]
    as_nobody: bool,
    /// The exit code.
    exit: i32,
}

fn bridge() -> String {
    "bridge".into()
}

fn nothing() -> Value {
    json!({})
}

/// Runs a case.
pub fn run(case: &Case) -> Result<()> {
    let setup = case.text("case.json")?.context("the case has no case.json")?;
    let setup: Setup = serde_json::from_str(&setup).context("reading case.json")?;
    ensure!(!setup.mistake.is_empty(), "the case does not say what the mistake is");
    let root = Root::new("el7", &setup.backend);
    root.set(&setup.patch);
    case.lay("host", &root.path())?;
    let spec = root.beside("spec.ini");
    if let Some(text) = case.bytes("spec.ini")? {
        std::fs::write(&spec, text)?;
    }
    let here = |word: &str| word.replace("spec.ini", &spec).replace("HERE/", &root.beside(""));
    for (line, exit) in &setup.before {
        let words: Vec<String> = line.split(' ').map(here).collect();
        root.exits(*exit, &words.iter().map(String::as_str).collect::<Vec<_>>());
    }
    for path in &setup.without {
        std::fs::remove_file(root.at(path)).with_context(|| format!("removing {path}"))?;
    }
    for (path, (from, to)) in &setup.edits {
        let text = std::fs::read_to_string(root.at(path))?;
        ensure!(text.contains(from), "{path} has no {from}");
        std::fs::write(root.at(path), text.replace(from, to))?;
    }
    root.set(&setup.meanwhile);
    let start = root.snapshot();
    let args = case.text("args")?.context("the case has no args")?;
    let args: Vec<String> = args.lines().map(here).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let ran = if setup.as_nobody { root.as_nobody(&args) } else { root.xenbond(&args) };
    start.assert_same(&root, "a mistake changed the host");
    // A machine that others load has more to wait for.
    let signs = |line: &&str| !line.starts_with("reading the host: ");
    let said: String = ran.err.split_inclusive('\n').filter(signs).collect();
    let want = format!("exit {}\n--- stdout\n{}--- stderr\n{said}", ran.code, ran.out);
    ensure!(ran.code == setup.exit, "{want}");
    if ran.code != 0 {
        let told = ["hint: ", "tip: "].iter().any(|word| ran.err.contains(word));
        ensure!(told, "nothing says what to type:\n{want}");
    }
    case.compare(
        "want",
        &timeless(&want.replace(&spec, "spec.ini").replace(&root.beside(""), "HERE/")),
    )
}

/// The text without the times of this run.
fn timeless(text: &str) -> String {
    let stamp = regex::Regex::new(r"[0-9]{14}-bond").expect("it is fixed");
    let took = regex::Regex::new(r"\([0-9]+\.[0-9] s\)").expect("it is fixed");
    let text = stamp.replace_all(text, "TIME-bond");
    took.replace_all(&text, "(T s)").into_owned()
}
