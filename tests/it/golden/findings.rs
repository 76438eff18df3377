//! What is found on a host, alone: the host, the spec, and every finding as it is shown.
//!
//! A case is called by the code that it is about, or by that and a word (`nic-no-link-el5`), or
//! `healthy-...`. It has `case.json` (a [`Found`]), `args`, `spec.ini` and `host/` as those of
//! whole jobs have. Wanted: `want.txt`.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::Value;
use xenbond::engine::{self, Situation};
use xenbond::inventory::Inventory;
use xenbond::model::state::{Backend, Flavour};
use xenbond::preflight::{self, Code, barring};
use xenbond::report;

use super::case::{Case, folders, golden};
use super::job::{Setup, nothing, request};
use super::model_host::{Witness, merge};

/// The host of a case.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Found {
    /// `el5` or `el7`.
    flavour: Flavour,
    /// The backend that runs.
    backend: Backend,
    /// The host of the pool; else `xen01`.
    #[serde(default)]
    me: Option<String>,
    /// The VMs are not moved away before.
    #[serde(default)]
    vms_stay: bool,
    /// What is otherwise than in the built-in pool, as a merge patch (RFC 7396).
    #[serde(default = "nothing")]
    patch: Value,
    /// What is otherwise in the inventory than the model can show, as a merge patch.
    #[serde(default = "nothing")]
    inventory: Value,
}

/// The code that a case is about: the longest that its name begins with.
fn subject(name: &str) -> Option<Code> {
    let fits = |code: &&Code| {
        name.strip_prefix(code.name()).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    Code::ALL.iter().filter(fits).max_by_key(|code| code.name().len()).copied()
}

/// Runs a case.
pub fn run(case: &Case) -> Result<()> {
    let text = case.text("case.json")?.context("the case has no case.json")?;
    let found: Found = serde_json::from_str(&text).context("reading case.json")?;
    let setup = Setup::of_host(found.flavour, found.backend, found.vms_stay, found.patch);
    let folder = xenbond::model::scratch()?;
    let me = found.me.as_deref().unwrap_or("xen01");
    let witness = Witness::new(folder.path(), &setup, me)?;
    case.lay("host", folder.path())?;
    let request = request(case)?.0;
    let Situation { spec, inv } = engine::look(&witness.host(), &request)?;
    let mut value = serde_json::to_value(&inv)?;
    merge(&mut value, &found.inventory);
    let inv: Inventory = serde_json::from_value(value).context("the patched inventory")?;
    let all = preflight::check_request(&request, &spec, &inv);
    ensure!(all.is_sorted_by_key(|f| (f.severity, f.code)), "the worst does not come first");
    ensure!(witness.take_commands().is_empty(), "a command was run that changes the host");
    let name = case.name.split_once('/').context("a topic")?.1;
    if let Some(code) = subject(name) {
        ensure!(all.iter().any(|f| f.code == code), "{code} was not found: {all:#?}");
    } else {
        ensure!(name.starts_with("healthy-"), "the case is called by no code");
        let bars = barring(&all, &[]);
        ensure!(bars.is_empty(), "a healthy host has {bars:#?}");
    }
    case.compare("want.txt", &report::findings(&all))
}

/// Every code has a case that is called by it, which [`run`] sees raise it, and is not in what
/// some other case wants.
pub fn both_ways() {
    let root = golden().join(super::FINDINGS);
    let cases = folders(&root);
    let subjects: BTreeSet<Code> = cases.iter().filter_map(|name| subject(name)).collect();
    let wants: Vec<String> = cases
        .iter()
        .map(|name| std::fs::read_to_string(root.join(name).join("want.txt")).unwrap_or_default())
        .collect();
    for code in Code::ALL {
        assert!(subjects.contains(code), "no case in golden/findings raises {code}");
        let said = format!(" {code}: ");
        assert!(wants.iter().any(|want| !want.contains(&said)), "every case raises {code}");
        assert!(wants.iter().any(|want| want.contains(&said)), "no case wants {code}");
    }
}
