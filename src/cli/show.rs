//! `show`: what the kernel says of bonds, from it or from a file.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::json;

use super::request::Usage;
use crate::bonding;
use crate::host::Host;
use crate::net::IfName;
use crate::outcome::{Exit, Hint};
use crate::paths;
use crate::report;

pub(super) fn run(host: &Host, what: Option<&str>, as_json: bool) -> Result<Exit> {
    let mut bonds: Vec<(Option<String>, String)> = Vec::new();
    match what {
        Some("-") => {
            let mut bytes = Vec::new();
            std::io::stdin().read_to_end(&mut bytes).context("reading standard input")?;
            bonds.push((None, String::from_utf8_lossy(&bytes).into_owned()));
        }
        Some(file) if file.contains('/') => {
            let bytes = std::fs::read(file).with_context(|| format!("reading {file}"))?;
            let name = Path::new(file).file_name().map(|n| n.to_string_lossy().into_owned());
            bonds.push((name, String::from_utf8_lossy(&bytes).into_owned()));
        }
        Some(bond) => {
            let bond: IfName = bond.parse().context("BOND").context(Usage)?;
            let path = paths::proc_bonding(bond.as_str());
            let text = host
                .read_text(&path)?
                .with_context(|| format!("there is no bond {bond}: {path} is missing"))
                .context(Hint("xenbond show, which shows every bond".into()))?;
            bonds.push((Some(bond.to_string()), text));
        }
        None => {
            for name in host.list(paths::PROC_BONDING)? {
                let text = host.read_text(&paths::proc_bonding(&name))?.unwrap_or_default();
                bonds.push((Some(name), text));
            }
        }
    }
    let read: Vec<_> =
        bonds.iter().map(|(name, text)| (name.as_deref(), bonding::parse(text))).collect();
    if as_json {
        let all: Vec<_> =
            read.iter().map(|(name, status)| report::bond::to_json(*name, status)).collect();
        report::out_json(&json!({"bonds": all}));
    } else if read.is_empty() {
        report::out("This host has no bonds.\n");
    } else {
        let all: Vec<String> = read
            .iter()
            .map(|(name, status)| report::bond::table(*name, status).to_string())
            .collect();
        report::out(&all.join("\n"));
    }
    Ok(Exit::AsAsked)
}
