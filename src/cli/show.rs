//! `show`: what the kernel or Open vSwitch says of bonds, from this host or from a text.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde_json::{Value, json};

use super::request::{device_or_network, no_such_network};
use crate::bonding::{self, BondStatus, SlaveStatus};
use crate::host::Host;
use crate::inventory::{Ask, Carrier, Inventory, Kernel, Managed, Vswitch};
use crate::net::{IfName, shown};
use crate::order;
use crate::outcome::{Exit, Hint};
use crate::ovs::{self, Readings};
use crate::paths;
use crate::report;
use crate::xe::Pif;

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
        Some(name) => bonds.named(host, name)?,
        None => {
            for name in host.list(paths::PROC_BONDING)? {
                bonds.of_kernel(host, &name)?;
            }
            if Kernel::read(host)?.modules.contains("openvswitch") {
                bonds.of_vswitch(host)?;
            }
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
    /// Takes in what the kernel says of a bond; `false`: it has none of that name.
    fn of_kernel(&mut self, host: &Host, name: &str) -> Result<bool> {
        let text = host.read_text(&paths::proc_bonding(name))?;
        text.map(|text| self.text(name, Some(name), &text)).transpose().map(|read| read.is_some())
    }

    /// Takes in the bond of a device's name, or that of XAPI's on the network of that name.
    fn named(&mut self, host: &Host, name: &str) -> Result<()> {
        let device = device_or_network(name)?;
        if device.is_some() && self.of_kernel(host, name)? {
            return Ok(());
        }
        let inv = Inventory::read(host, Ask::default())?;
        let Some(bond) = Managed::named(host, &inv, name)? else {
            no_such_network(Some(name), device.as_ref())?;
            let bond = device.context("a device")?;
            let vswitch = inv.has_vswitch().then(|| Vswitch::read(host, bond.as_str()));
            if let Some(Ok(Vswitch { bond: Some(bond), lacp, .. })) = vswitch {
                self.ovs.bonds.push(bond);
                self.ovs.lacp.extend(lacp);
                return Ok(());
            }
            let missing = paths::proc_bonding(bond.as_str());
            return Err(anyhow!(Hint("xenbond show, which shows every bond".into()))
                .context(format!("there is no bond {bond}: {missing} is missing")));
        };
        let device = bond.device.as_str();
        match Carrier::read(host, &inv, device) {
            Carrier::Kernel => ensure!(
                self.of_kernel(host, device)?,
                "there is no bond {device} in the kernel, though XAPI has one"
            ),
            Carrier::Vswitch(Ok(read)) => {
                let Vswitch { bond: Some(bond), lacp, .. } = *read else {
                    bail!("Open vSwitch has no bond {device}, though XAPI has one");
                };
                self.ovs.bonds.push(bond);
                self.ovs.lacp.extend(lacp);
            }
            Carrier::Vswitch(Err(why)) => {
                silent(&why);
                self.kernel.push(by_xapi(&bond));
            }
        }
        Ok(())
    }

    /// Takes in every bond of Open vSwitch's; where it does not answer, what XAPI has.
    fn of_vswitch(&mut self, host: &Host) -> Result<()> {
        let why = match Vswitch::all(host) {
            Ok(all) => {
                self.ovs.bonds.extend(all.bonds);
                self.ovs.lacp.extend(all.lacp);
                return Ok(());
            }
            Err(error) => format!("{error:#}"),
        };
        silent(&why);
        let inv = Inventory::read(host, Ask::default())?;
        if let Some(error) = &inv.xapi_error {
            report::err(report::note(&format!("XAPI could not be asked either: {error}")));
        }
        let managed = Managed::all(&inv);
        let unknown = |bond: &&Managed| !inv.kernel.bonds.contains_key(bond.device.as_str());
        self.kernel.extend(managed.iter().filter(unknown).map(by_xapi));
        Ok(())
    }

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
    order::sort(&mut names);
    names.dedup();
    let Some(first) = names.first() else {
        let hint = "cat /proc/net/bonding/BOND or ovs-appctl bond/show, and all that it prints";
        return anyhow!(Hint(hint.into())).context(format!("{of} says nothing of a bond"));
    };
    let bond = first.parse::<IfName>().map_or("BOND".to_string(), |name| name.to_string());
    let why = format!("{of} names {} and says nothing of a bond's state", shown(&names.join(", ")));
    anyhow!(Hint(format!("ovs-appctl bond/show {bond} | xenbond show -"))).context(why)
}

fn silent(why: &str) {
    report::err(report::note(&format!("Open vSwitch could not be asked: {why}")));
}

/// What XAPI has of a bond, and no more.
fn by_xapi(bond: &Managed) -> (Option<String>, BondStatus) {
    let slave = |pif: &Pif| SlaveStatus { name: pif.device.clone(), ..SlaveStatus::default() };
    let status = BondStatus {
        mode: bond.mode(),
        mode_text: bond.mode_word().map(String::from),
        slaves: bond.slaves.iter().map(slave).collect(),
        ..BondStatus::default()
    };
    (Some(bond.device.to_string()), status)
}
