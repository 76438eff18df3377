//! `show`: what the kernel or Open vSwitch says of bonds, from this host or from a text.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use serde_json::{Value, json};

use super::request::Usage;
use crate::bonding::{self, BondStatus, SlaveStatus};
use crate::host::Host;
use crate::inventory::{Ask, Inventory, Kernel};
use crate::net::{BondMode, IfName, shown};
use crate::outcome::{Exit, Hint};
use crate::ovs::{self, Readings};
use crate::paths;
use crate::report;
use crate::status;

pub(super) fn run(host: &Host, what: Option<&str>, as_json: bool) -> Result<Exit> {
    let mut bonds = Bonds::default();
    match what {
        Some("-") => {
            let mut bytes = Vec::new();
            std::io::stdin().read_to_end(&mut bytes).context("reading standard input")?;
            bonds.text("-", None, &String::from_utf8_lossy(&bytes))?;
        }
        Some(file) if file.contains('/') => {
            let bytes = std::fs::read(file).with_context(|| format!("reading {file}"))?;
            let name = Path::new(file).file_name().map(|name| name.to_string_lossy());
            bonds.text(file, name.as_deref(), &String::from_utf8_lossy(&bytes))?;
        }
        Some(bond) => {
            let bond: IfName = bond.parse().context("BOND").context(Usage)?;
            let (path, name) = (paths::proc_bonding(bond.as_str()), bond.as_str());
            match host.read_text(&path)? {
                Some(text) => bonds.text(name, Some(name), &text)?,
                None => {
                    let managed = managed(host)?.into_iter().find(|(other, _)| other == name);
                    let (name, status) = managed
                        .with_context(|| format!("there is no bond {bond}: {path} is missing"))
                        .context(Hint("xenbond show, which shows every bond".into()))?;
                    bonds.kernel.push((Some(name), status));
                }
            }
        }
        None => {
            for name in host.list(paths::PROC_BONDING)? {
                if let Some(text) = host.read_text(&paths::proc_bonding(&name))? {
                    bonds.text(&name, Some(&name), &text)?;
                }
            }
            bonds.kernel.extend(managed(host)?.into_iter().map(|(name, bond)| (Some(name), bond)));
        }
    }
    if as_json {
        let alone = bonds.kernel.first().filter(|_| bonds.kernel.len() == 1);
        let alone = alone.and_then(|(name, _)| name.as_deref());
        report::out_json(bonds.json(), host.hostname().as_deref(), alone);
    } else {
        report::out(bonds.tables());
    }
    Ok(Exit::AsAsked)
}

/// What was read of bonds, of either kind.
#[derive(Default)]
struct Bonds {
    kernel: Vec<(Option<String>, BondStatus)>,
    ovs: Readings,
}

impl Bonds {
    /// Takes in a text. `of` is what it is called, `name` is its file's.
    fn text(&mut self, of: &str, name: Option<&str>, text: &str) -> Result<()> {
        let kernel = bonding::parse_all(text);
        let ovs = ovs::read(text);
        if kernel.is_empty() && ovs == Readings::default() {
            return Err(no_bond(of, text));
        }
        // A file that holds several is named after none of them.
        let alone = kernel.len() == 1 && ovs == Readings::default();
        let name = name.filter(|_| alone).map(String::from);
        self.kernel.extend(kernel.into_iter().map(|status| (name.clone(), status)));
        self.ovs.bonds.extend(ovs.bonds);
        self.ovs.lacp.extend(ovs.lacp);
        Ok(())
    }

    fn json(&self) -> Value {
        let kernel = self.kernel.iter().map(|(name, b)| report::to_json(name.as_deref(), b));
        let bonds = kernel.chain(self.ovs.bonds.iter().map(report::ovs::bond_json));
        let lacp = self.ovs.lacp.iter().map(report::ovs::lacp_json);
        json!({"bonds": bonds.collect::<Vec<_>>(), "lacp": lacp.collect::<Vec<_>>()})
    }

    fn tables(&self) -> String {
        let kernel = self.kernel.iter().map(|(name, bond)| report::table(name.as_deref(), bond));
        let ovs = self.ovs.bonds.iter().map(report::ovs::bond_table);
        let lacp = self.ovs.lacp.iter().map(report::ovs::lacp_table);
        let all: Vec<_> = kernel.chain(ovs).chain(lacp).map(|table| table.to_string()).collect();
        if all.is_empty() { "This host has no bonds.\n".to_string() } else { all.join("\n") }
    }
}

/// Why nothing of a text can be shown. Some texts name bonds, and do not say how they are.
fn no_bond(of: &str, text: &str) -> anyhow::Error {
    let records = ovs::records(text).into_iter().filter(|record| record.interfaces.len() > 1);
    let records = records.filter_map(|record| record.name);
    let ports = ovs::ports(text).into_iter().map(|port| port.name);
    let mut names: Vec<_> = ports.chain(records).collect();
    names.sort();
    names.dedup();
    let Some(first) = names.first() else {
        let hint = "cat /proc/net/bonding/BOND or ovs-appctl bond/show, and all that it prints";
        return anyhow!(Hint(hint.into())).context(format!("{of} says nothing of a bond"));
    };
    let bond = first.parse::<IfName>().map_or("BOND".to_string(), |name| name.to_string());
    let why = format!("{of} names {} and says nothing of a bond's state", shown(&names.join(", ")));
    anyhow!(Hint(format!("ovs-appctl bond/show {bond} | xenbond show -"))).context(why)
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
