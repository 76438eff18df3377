//! The comparison that alone allows to say "rolled back": what the change changed must be as it
//! was, and nothing else is held against anybody. What others did since is named.

use std::time::Duration;

use super::{Engine, look_for};
use crate::host::{join, quoted};
use crate::inventory::facts::{self, Facts};
use crate::inventory::{DeviceKind, Inventory};
use crate::journal::Transaction;
use crate::outcome::Left;
use crate::paths::{self, original_name};
use crate::plan::Plan;
use crate::step::{Step, Switch};

/// How long the host may take to be as it was: XAPI plugs in the background.
const SETTLE: Duration = Duration::from_secs(5);

/// What the comparison says.
pub(super) struct Compared {
    /// Whether the running backend is another one, which only a reboot brings back.
    pub(super) needs_reboot: bool,
    /// What is ours and not as it was.
    pub(super) left: Vec<Left>,
    /// What others did since.
    pub(super) others: Vec<String>,
    /// Files that others changed since, and that were not known to be changed.
    pub(super) theirs: Vec<String>,
}

/// Whose doing a difference is.
enum Whose {
    Ours,
    Others,
    /// A file of others that is another one now.
    TheirFile,
    /// XAPI's, which does not answer.
    Unknown,
}

impl Engine<'_> {
    /// Reads the host again and compares it with what was recorded, until what is ours is the same
    /// or the time for it is up. Where XAPI hangs, `silent`, its records are left out.
    pub(super) fn compare(&self, tx: &Transaction, silent: bool) -> anyhow::Result<Compared> {
        let plan = &tx.header.plan;
        let start = self.host.clock().elapsed();
        loop {
            let inv = look_for(self.host, &plan.spec)?;
            let compared = judge(tx, &inv);
            let late = self.host.clock().elapsed().saturating_sub(start) >= SETTLE;
            let settled = compared.left.is_empty() && compared.others.is_empty();
            if settled || compared.needs_reboot || late || silent {
                return Ok(compared);
            }
            self.host.clock().pause(Duration::from_millis(200));
        }
    }
}

fn judge(tx: &Transaction, inv: &Inventory) -> Compared {
    let plan = &tx.header.plan;
    let (before, now) = (&tx.header.before, plan.facts(inv));
    let kept = tx.kept();
    let mut compared =
        Compared { needs_reboot: false, left: Vec::new(), others: Vec::new(), theirs: Vec::new() };
    for (name, text) in facts::differences(before, &now) {
        if name == facts::RUNNING_BACKEND && plan.reboots() {
            compared.needs_reboot = running(inv).is_some_and(|b| Some(&b) != before.get(&name));
            continue;
        }
        if name.strip_prefix("file ").is_some_and(|path| kept.contains(&path)) {
            continue;
        }
        match whose(plan, inv, before, &now, &name) {
            Whose::Ours => {
                let command = by_hand(tx, inv, &name);
                compared.left.push(Left { what: text, command });
            }
            Whose::TheirFile => {
                compared.theirs.extend(name.strip_prefix("file ").map(String::from));
                compared.others.push(text);
            }
            Whose::Others => compared.others.push(text),
            Whose::Unknown => {}
        }
    }
    compared
}

/// The running backend as the kernel shows it, where XAPI does not say.
fn running(inv: &Inventory) -> Option<String> {
    if let Some(known) = inv.running_backend() {
        return Some(known);
    }
    let bridge = inv.kernel.devices.get(inv.management_bridge()?)?;
    if bridge.kind == DeviceKind::Bridge {
        Some("bridge".into())
    } else {
        inv.kernel.modules.contains("openvswitch").then(|| "openvswitch".into())
    }
}

/// Whose doing it is that this fact is another one now.
fn whose(plan: &Plan, inv: &Inventory, before: &Facts, now: &Facts, name: &str) -> Whose {
    if let Some(path) = name.strip_prefix("file ") {
        return whose_file(plan, path);
    }
    if name == format!("device {}", plan.spec.bond) {
        return Whose::Ours;
    }
    if name.starts_with("addresses in ") {
        return if own_addresses(plan, before.get(name)) == own_addresses(plan, now.get(name)) {
            Whose::Others
        } else {
            Whose::Ours
        };
    }
    let Some(nic) = plan.scope.nics.iter().find(|nic| {
        [format!("{nic} master"), format!("{nic} MTU"), format!("{nic} MAC address")]
            .contains(&name.to_string())
            || name == format!("PIF of {nic}")
            || name.starts_with(&format!("PIF of {nic}, "))
    }) else {
        return Whose::Others;
    };
    // Another card, or none: whatever is of it is not of ours.
    let known = plan.nics.iter().find(|n| n.device == *nic);
    if known.is_some_and(|known| inv.kernel.permanent_mac(nic.as_str()) != Some(known.mac)) {
        return Whose::Others;
    }
    if name.starts_with("PIF of ") {
        let ours = plan.steps.iter().filter_map(Step::pif).any(|p| p.device == *nic);
        let mac = format!("PIF of {nic}, MAC");
        let right = known.is_some_and(|k| now.get(&mac) == Some(&k.mac.to_string()));
        return if inv.xapi.is_none() {
            Whose::Unknown
        } else if ours && !(name == mac && right) {
            Whose::Ours
        } else {
            Whose::Others
        };
    }
    if name.ends_with(" MTU") {
        // XAPI sets that of what it plugs, by its network; ours is the bond's.
        let plugged = known.is_some_and(|n| n.pif.as_ref().is_some_and(|p| p.attached));
        let bonds = plan.spec.mtu.unwrap_or(1500).to_string();
        return if plugged || before.get(name) == Some(&bonds) {
            Whose::Others
        } else {
            Whose::Ours
        };
    }
    Whose::Ours
}

fn whose_file(plan: &Plan, path: &str) -> Whose {
    let ours = plan.steps.iter().filter_map(Step::file).any(|file| file.path == path);
    let unit =
        plan.steps.iter().any(|s| matches!(s, Step::BootUnit(u) if u.service.link() == path));
    let switch = plan.steps.iter().find_map(|s| match s {
        Step::SwitchBackend(switch) => Some(switch),
        _ => None,
    });
    if ours || unit {
        return Whose::Ours;
    }
    let Some(switch) = switch else { return Whose::Others };
    if Switch::is_its_own(path) {
        return Whose::Ours;
    }
    // What the script took was put back by the step that ran it, or that says so itself.
    if switch.foreign_files().any(|file| file.path == path) {
        Whose::TheirFile
    } else {
        Whose::Ours
    }
}

/// The addresses of the bond and its NICs among those of a subnet.
fn own_addresses<'a>(plan: &Plan, all: Option<&'a String>) -> Vec<&'a str> {
    let own = |device: &str| {
        device == plan.spec.bond.as_str() || plan.scope.nics.iter().any(|n| n.as_str() == device)
    };
    let all = all.map(|text| text.split(", ")).into_iter().flatten();
    all.filter(|one| one.split_once(" on ").is_some_and(|(_, device)| own(device))).collect()
}

/// What a person types to bring a fact back.
fn by_hand(tx: &Transaction, inv: &Inventory, name: &str) -> String {
    let plan = &tx.header.plan;
    if let Some(path) = name.strip_prefix("file ") {
        let original = plan.originals().find(|file| file.path == path);
        let stood = original.is_some_and(|file| file.was.bytes().is_some());
        return if stood {
            let copy = join(&tx.originals_folder(), &original_name(path));
            format!("cp -p {} {}", quoted(&copy), quoted(path))
        } else {
            format!("rm -f {}", quoted(path))
        };
    }
    let nic =
        plan.nics.iter().find(|n| name.split([' ', ',']).any(|word| word == n.device.as_str()));
    if name.starts_with("PIF of ")
        && let Some(record) = plan
            .steps
            .iter()
            .filter_map(Step::pif)
            .find(|p| nic.is_some_and(|n| n.device == p.device))
    {
        let now = inv.xapi.as_ref().and_then(|x| x.nic(record.device.as_str()));
        return record.by_hand(now);
    }
    match nic {
        Some(nic) if name.ends_with(" MTU") => {
            let mtu = tx.header.before.get(name).cloned().unwrap_or_default();
            format!("ip link set dev {} mtu {mtu}", nic.device)
        }
        Some(nic) if name.ends_with(" master") => match tx.header.before.get(name) {
            Some(master) if master != "none" => {
                format!("echo +{} > {}/bonding/slaves", nic.device, paths::sys_net(master))
            }
            _ => format!("ip link set dev {} nomaster", nic.device),
        },
        _ if tx.header.before.get(name).is_some_and(|was| was == "there") => {
            format!("ifup {}", plan.spec.bond)
        }
        _ => format!("ifdown {bond}; ip link delete dev {bond}", bond = plan.spec.bond),
    }
}
