//! Cases of the real program on an empty root.
//!
//! `args` (one argument on each line; `\n` in it is a line end) and, if need be, `spec.ini`,
//! which lies where the program runs. Wanted: `want` with exit code, stdout and stderr, and for
//! `render` the tree `out/`.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::case::{Case, files};

/// What a run left behind.
struct Ran {
    folder: tempfile::TempDir,
    exit: i32,
    stdout: String,
    stderr: String,
}

impl Ran {
    fn new(case: &Case) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        std::fs::create_dir(folder.path().join("root"))?;
        if let Some(spec) = case.bytes("spec.ini")? {
            std::fs::write(folder.path().join("spec.ini"), spec)?;
        }
        let args = case.text("args")?.context("the case has no args")?;
        let output = Command::new(env!("CARGO_BIN_EXE_xenbond"))
            .args(args.lines().map(|line| line.replace("\\n", "\n")))
            .args(["--root", "root"])
            .current_dir(folder.path())
            .env_clear()
            .stdin(Stdio::null())
            .output()?;
        let left = files(&folder.path().join("root"));
        ensure!(left.is_empty(), "the root has {}", left.join(", "));
        let here = folder.path().to_str().context("a readable folder")?.to_string();
        let text = |bytes| -> Result<String> {
            Ok(String::from_utf8(bytes).context("output")?.replace(&here, "$HERE"))
        };
        let exit = output.status.code().context("it was ended by a signal")?;
        let (stdout, stderr) = (text(output.stdout)?, text(output.stderr)?);
        ensure!(!stderr.contains("panicked"), "it panicked: {stderr}");
        Ok(Self { folder, exit, stdout, stderr })
    }

    fn want(&self) -> String {
        format!("exit {}\n--- stdout\n{}--- stderr\n{}", self.exit, self.stdout, self.stderr)
    }
}

/// A command line or spec that is refused before any host is looked at.
pub fn refuse(case: &Case) -> Result<()> {
    let ran = Ran::new(case)?;
    ensure!(ran.exit == 2, "{}", ran.want());
    if case.text("args")?.is_some_and(|args| args.lines().any(|arg| arg == "--json")) {
        let json: serde_json::Value = serde_json::from_str(&ran.stdout)?;
        ensure!(json["result"] == "refused" && json["exit"] == 2, "{json}");
        ensure!(ran.stderr.is_empty(), "{}", ran.want());
    } else {
        ensure!(ran.stdout.is_empty(), "{}", ran.want());
        ensure!(ran.stderr.starts_with("error: "), "{}", ran.want());
    }
    let raw = |c: char| c.is_control() && c != '\n';
    ensure!(!ran.stderr.contains(raw), "raw control characters in {:?}", ran.stderr);
    case.compare("want", &ran.want())
}

/// `render`, which needs no host.
pub fn render(case: &Case) -> Result<()> {
    let ran = Ran::new(case)?;
    ensure!(ran.exit == 0, "{}", ran.want());
    ensure!(ran.stderr.is_empty(), "{}", ran.want());
    let tree = ran.folder.path().join("out");
    let mut all = BTreeMap::new();
    let mut modes = String::new();
    for file in files(&tree) {
        let path = tree.join(&file);
        let mode = path.metadata()?.permissions().mode() & 0o7777;
        modes.push_str(&format!("{mode:04o} out/{file}\n"));
        all.insert(file.clone(), std::fs::read_to_string(&path)?);
    }
    bonds(&all)?;
    case.compare("want", &format!("{}--- tree\n{modes}", ran.want()))?;
    case.compare_tree("out", &all)
}

/// What every rendered tree must have: each bond its file, its slaves and its alias.
fn bonds(all: &BTreeMap<String, String>) -> Result<()> {
    let name = |file: &str| Path::new(file).file_name().unwrap().to_str().unwrap().to_string();
    let is_bond = |file: &&String| name(file).starts_with("ifcfg-bond");
    ensure!(all.keys().any(|file| is_bond(&file)), "no bond was rendered");
    for file in all.keys().filter(is_bond) {
        let bond = name(file).trim_start_matches("ifcfg-").to_string();
        let host = file.split("etc/").next().unwrap_or_default();
        let text = &all[file];
        for line in [format!("DEVICE={bond}"), "ONBOOT=yes".into(), "BOOTPROTO=none".into()] {
            ensure!(text.lines().any(|l| l == line), "{file} has no {line}");
        }
        if bond.contains('.') {
            ensure!(text.lines().any(|l| l == "VLAN=yes"), "{file} makes no VLAN");
            continue;
        }
        ensure!(text.contains("\nBONDING_OPTS=\"mode="), "{file} sets no mode");
        ensure!(!text.contains("GATEWAY"), "{file} has a gateway");
        let here: Vec<_> = all.iter().filter(|(f, _)| f.starts_with(host)).collect();
        let slaves = here.iter().filter(|(_, t)| t.contains(&format!("\nMASTER={bond}\n"))).count();
        ensure!(slaves >= 2, "{bond} has {slaves} slaves");
        let alias = format!("alias {bond} bonding\n");
        ensure!(here.iter().any(|(_, t)| t.contains(&alias)), "nothing says `{alias}`");
    }
    Ok(())
}
