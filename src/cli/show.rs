//! `show`: what the kernel says of bonds, from it or from a file.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::json;

use super::request::Usage;
use crate::bonding::{self, BondStatus, SlaveStatus};
use crate::host::Host;
use crate::inventory::{Ask, Inventory, Kernel};
use crate::net::{BondMode, IfName};
use crate::outcome::{Exit, Hint};
use crate::paths;
use crate::report;
use crate::status;

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
                if let Some(text) = host.read_text(&paths::proc_bonding(&name))? {
                    bonds.push((Some(name), text));
                }
            }
        }
    }
    let mut read: Vec<(Option<&str>, BondStatus)> = Vec::new();
    for (name, text) in &bonds {
        let all = bonding::parse_all(text);
        let of = name.as_deref().or(what).unwrap_or("-");
        ensure!(
            !all.is_empty(),
            anyhow!(Hint("cat /proc/net/bonding/BOND, and nothing before its lines".into()))
                .context(format!("{of} says nothing of a bond"))
        );
        // A file that holds several is named after none of them.
        let name = name.as_deref().filter(|_| all.len() == 1);
        read.extend(all.into_iter().map(|status| (name, status)));
    }
    let of_xapi = if what.is_none() { managed(host)? } else { Vec::new() };
    read.extend(of_xapi.iter().map(|(name, status)| (Some(name.as_str()), status.clone())));
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
        report::out(all.join("\n"));
    }
    Ok(Exit::AsAsked)
}

/// The bonds that XAPI made and that the kernel does not know, since Open vSwitch has them: what
/// XAPI says of them, and no more.
fn managed(host: &Host) -> Result<Vec<(String, BondStatus)>> {
    if !Kernel::read(host)?.modules.contains("openvswitch") {
        return Ok(Vec::new());
    }
    let inv = Inventory::read(host, Ask::default())?;
    if let Some(error) = &inv.xapi_error {
        report::err(report::note(&format!(
            "XAPI could not be asked, so bonds of Open vSwitch are not shown: {error}"
        )));
    }
    let views = status::bonds(&inv).into_iter().filter(|view| view.kernel.is_none());
    Ok(views
        .filter_map(|view| {
            let xapi = view.xapi?;
            let slave = |name: String| SlaveStatus { name, ..SlaveStatus::default() };
            let mode = xapi.mode.as_deref().and_then(|mode| mode.parse::<BondMode>().ok());
            let slaves = xapi.slaves.into_iter().map(slave).collect();
            let status = BondStatus { mode, mode_text: xapi.mode, slaves, ..BondStatus::default() };
            Some((view.name, status))
        })
        .collect())
}
