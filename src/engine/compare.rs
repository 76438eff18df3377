//! The comparison that alone allows to say "rolled back": what the change changed must be as it
//! was, and nothing else is held against anybody. What others did since is named.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Engine, look_for, managed};
use crate::host::Program;
use crate::inventory::facts::{self, Difference, Fact, Value};
use crate::inventory::{DeviceKind, Inventory, Moved, Nic};
use crate::journal::Transaction;
use crate::net::{Backend, IfName};
use crate::outcome::Item;
use crate::paths;
use crate::plan::Plan;
use crate::step::Step;

/// How long the host may take to be as it was: XAPI plugs in the background.
const SETTLE: Duration = Duration::from_secs(5);

/// What the comparison says.
pub(super) struct Compared {
    /// Whether the running backend is another one, which only a reboot brings back.
    pub(super) needs_reboot: bool,
    /// What is ours and not as it was.
    pub(super) left: Vec<Item>,
    /// What others did since.
    pub(super) others: Vec<String>,
    /// Files that others changed since, and that were not known to be changed.
    pub(super) theirs: Vec<String>,
}

/// Whose doing a difference is.
enum Whose {
    Ours,
    /// A file of ours.
    OurFile(String),
    Others,
    /// A file of others.
    TheirFile(String),
    /// XAPI's, which does not answer.
    Unknown,
}

impl Engine<'_> {
    /// Reads the host again and compares it with what was recorded, until what is ours is the same
    /// or the time for it is up. Where XAPI hangs, `silent`, its records are left out. `cards`: NICs
    /// whose names meant other cards before.
    pub(super) fn compare(
        &self,
        tx: &Transaction,
        silent: bool,
        cards: &BTreeMap<IfName, String>,
    ) -> anyhow::Result<Compared> {
        let plan = &tx.header.plan;
        let mut switches = plan.reboots();
        // Those that were undone before it in the same way back were not compared.
        for id in tx.after() {
            let before = Transaction::named(self.host, &id)?;
            switches |= before.is_some_and(|tx| tx.header.plan.reboots());
        }
        let start = self.host.clock().elapsed();
        loop {
            let inv = look_for(self.host, &plan.spec)?;
            let compared = judge(tx, &inv, cards, switches);
            let late = self.host.clock().elapsed().saturating_sub(start) >= SETTLE;
            let settled = compared.left.is_empty() && compared.others.is_empty();
            if settled || compared.needs_reboot || late || silent {
                return Ok(compared);
            }
            self.host.clock().pause(Duration::from_millis(200));
        }
    }
}

fn judge(
    tx: &Transaction,
    inv: &Inventory,
    cards: &BTreeMap<IfName, String>,
    switches: bool,
) -> Compared {
    let plan = &tx.header.plan;
    let now = plan.facts(inv);
    let kept = tx.kept();
    let mut compared =
        Compared { needs_reboot: false, left: Vec::new(), others: Vec::new(), theirs: Vec::new() };
    // What stays for another bond is not held against this change, and is all that a rest is about.
    let (needed, rest) = (!tx.needed().is_empty(), tx.is_a_rest());
    let found = facts::differences(&tx.header.before, &now);
    // Somebody has switched it since, and with it what each NIC is a port of.
    let switched = !switches && found.iter().any(|d| d.fact == Fact::RunningBackend);
    let moved = Moved::since(&tx.header.before, tx.header.management.as_ref(), inv);
    for found in found {
        let of_switch = is_of_switch(plan, &found, rest);
        if (of_switch && needed && !rest) || (!of_switch && rest) {
            continue;
        }
        if found.fact == Fact::RunningBackend && switches {
            judge_backend(plan, inv, &found, &mut compared);
            continue;
        }
        if is_said_elsewhere(&found, cards, moved.as_ref(), compared.needs_reboot) {
            continue;
        }
        let whose = match &found.fact {
            Fact::Mac(bond) if *bond == plan.spec.bond => {
                // Nor does one that is gone, or that was not there.
                if found.was.is_none() || found.is.is_none() {
                    continue;
                }
                whose_bond_mac(tx, inv, found.was.as_ref())
            }
            Fact::Mtu(nic) | Fact::Up(nic) | Fact::Master(nic)
                if switched && plugged(plan, nic) =>
            {
                Whose::Others
            }
            // What the change had not come to is nobody's but theirs who touched it.
            Fact::File(path) if !has_begun(tx, path) => Whose::Others,
            _ => whose(plan, inv, &found),
        };
        match whose {
            Whose::Ours => {
                let command = by_hand(tx, inv, &found);
                compared.left.push(Item { what: found.to_string(), command });
            }
            Whose::TheirFile(path) if kept.contains(&path.as_str()) => {}
            // The script takes it along, and comes to no end that could bring it back.
            Whose::TheirFile(_) if found.is == Some(Value::Absent) && script_failed(tx) => {
                let command = tx.by_hand(&found);
                compared.left.push(Item { what: found.to_string(), command });
            }
            Whose::TheirFile(path) => {
                compared.others.push(found.to_string());
                compared.theirs.push(path);
            }
            Whose::OurFile(path) if kept.contains(&path.as_str()) => {}
            Whose::OurFile(_) => {
                let command = tx.by_hand(&found);
                compared.left.push(Item { what: found.to_string(), command });
            }
            Whose::Others => compared.others.push(found.to_string()),
            Whose::Unknown => {}
        }
    }
    if let Some(moved) = moved {
        match moved.by_hand().filter(|_| plan.reboots() && (rest || !needed)) {
            Some(command) => compared.left.push(Item { what: moved.to_string(), command }),
            None => compared.others.push(moved.to_string()),
        }
    }
    compared
}

/// Whether the switch of the backend was to be undone and was not.
fn script_failed(tx: &Transaction) -> bool {
    let steps = tx.header.plan.steps.iter().zip(1..);
    let mut switches = steps.filter(|(step, _)| matches!(step, Step::SwitchBackend(_)));
    let begun = tx.begun();
    switches.any(|(_, n)| begun.contains(&n) && !tx.is_undone(n) && !tx.needed().contains(&n))
}

/// What is to be said where another backend runs than did: a reboot brings that back, unless the
/// next boot starts another one by what others wrote before the change or since.
fn judge_backend(plan: &Plan, inv: &Inventory, found: &Difference, compared: &mut Compared) {
    let word = |backend: Backend| Value::Word(backend.word().to_string());
    let running = running(inv).map(word);
    if running.is_none() || running == found.was {
        return;
    }
    let next = inv.next_backend();
    match (&found.was, next) {
        (Some(Value::Word(was)), Some(next)) if next.word() != was => {
            let what = format!("{found}; {} says {next}", paths::NETWORK_CONF);
            if plan.switches().next().is_none() {
                compared.others.push(what);
            } else {
                let command = format!("{} {was}", Program::XeSwitchNetworkBackend.name());
                compared.left.push(Item { what, command });
            }
        }
        _ => compared.needs_reboot = true,
    }
}

/// Whether one sentence says a difference with others, or a record of an earlier build knows nothing
/// of what it is about.
fn is_said_elsewhere(
    found: &Difference,
    cards: &BTreeMap<IfName, String>,
    moved: Option<&Moved>,
    awaits_reboot: bool,
) -> bool {
    match &found.fact {
        Fact::ManagementBridge(_) => matches!(moved, Some(Moved::Interface { .. })),
        // Another card, or none: nothing of it is of ours.
        Fact::Device(nic)
        | Fact::Mac(nic)
        | Fact::Mtu(nic)
        | Fact::Up(nic)
        | Fact::Master(nic)
        | Fact::Tuned(nic, _)
        | Fact::Pif(nic)
        | Fact::PifField(nic, _)
            if cards.contains_key(nic) =>
        {
            true
        }
        // Before the reboot it is as XAPI's forget left it.
        Fact::Up(_) => found.was.is_none() || awaits_reboot,
        _ => false,
    }
}

/// Whether a fact is one that a switch of the backend changes.
fn is_of_switch(plan: &Plan, found: &Difference, rest: bool) -> bool {
    let is_there = |value: &Option<Value>| matches!(value, Some(Value::Word(_)));
    match &found.fact {
        Fact::RunningBackend | Fact::ManagementBridge(_) => true,
        // A port of the one backend's bridge is one of the other's.
        Fact::Master(_) => {
            let bond = Value::Word(plan.spec.bond.to_string());
            let port = is_there(&found.was) && is_there(&found.is);
            rest || (port && found.is != Some(bond))
        }
        Fact::File(path) => {
            let of = |step: &Step| match step {
                Step::SwitchBackend(switch) => switch.files.iter().any(|file| file.path == *path),
                _ => false,
            };
            let ours = plan.steps.iter().filter_map(Step::file).any(|file| file.path == *path);
            path == paths::NETWORK_CONF || (!ours && plan.steps.iter().any(of))
        }
        _ => false,
    }
}

/// The running backend as the kernel shows it, where XAPI does not say.
pub(super) fn running(inv: &Inventory) -> Option<Backend> {
    if let Some(known) = inv.running_backend() {
        return Some(known);
    }
    let bridge = inv.kernel.devices.get(inv.management_bridge()?)?;
    if bridge.kind == DeviceKind::Bridge {
        return Some(Backend::Bridge);
    }
    inv.kernel.modules.contains("openvswitch").then_some(Backend::Openvswitch)
}

/// Whose doing it is that a fact is another one now.
fn whose(plan: &Plan, inv: &Inventory, found: &Difference) -> Whose {
    if plan.spec.managed().is_some() {
        let of_xapi =
            matches!(found.fact, Fact::Pif(_) | Fact::PifField(..) | Fact::NetworkField(..));
        return match managed::made_by(plan, inv, found) {
            _ if of_xapi && inv.xapi.is_none() => Whose::Unknown,
            Some(_) => Whose::Ours,
            None => Whose::Others,
        };
    }
    match &found.fact {
        Fact::File(path) => whose_file(plan, path),
        Fact::Device(name) if *name == plan.spec.bond => Whose::Ours,
        Fact::Vlan(_) => Whose::Ours,
        Fact::Addresses(_) => {
            let own =
                own_addresses(plan, found.was.as_ref()) == own_addresses(plan, found.is.as_ref());
            if own { Whose::Others } else { Whose::Ours }
        }
        Fact::Mac(nic)
        | Fact::Mtu(nic)
        | Fact::Up(nic)
        | Fact::Master(nic)
        | Fact::Tuned(nic, _)
        | Fact::Pif(nic)
        | Fact::PifField(nic, _) => whose_of_nic(plan, inv, nic, found),
        _ => Whose::Others,
    }
}

/// A bond that was not taken down has what it got by a boot, and one without the card of its address
/// cannot have that.
fn whose_bond_mac(tx: &Transaction, inv: &Inventory, was: Option<&Value>) -> Whose {
    let plan = &tx.header.plan;
    let begun = tx.begun();
    let mut steps = plan.steps.iter().zip(1..);
    let touched = steps.any(|(s, n)| matches!(s, Step::TakeDown(_)) && begun.contains(&n));
    let of = |nic: &&Nic| was == Some(&Value::Word(nic.mac.to_string()));
    let card = plan.nics.iter().find(of);
    let gone = |nic: &Nic| inv.kernel.permanent_mac(nic.device.as_str()) != Some(nic.mac);
    if touched && !card.is_some_and(gone) { Whose::Ours } else { Whose::Others }
}

fn whose_of_nic(plan: &Plan, inv: &Inventory, nic: &IfName, found: &Difference) -> Whose {
    let known = plan.nics.iter().find(|n| n.device == *nic);
    let plugged = plugged(plan, nic);
    // Another card, or none: whatever is of it is not of ours.
    if known.is_some_and(|known| inv.kernel.permanent_mac(nic.as_str()) != Some(known.mac)) {
        return Whose::Others;
    }
    match &found.fact {
        Fact::Pif(_) | Fact::PifField(..) if inv.xapi.is_none() => Whose::Unknown,
        // The very record of before, which was never forgotten: only its plug is by our doing.
        Fact::PifField(_, field)
            if field != "currently-attached"
                && known.and_then(|n| n.pif.as_ref()).is_some_and(|was| {
                    let now = inv.xapi.as_ref().and_then(|x| x.nic(nic.as_str()));
                    now.is_some_and(|now| now.uuid == was.uuid)
                }) =>
        {
            Whose::Others
        }
        Fact::Pif(_) | Fact::PifField(..) => {
            let ours = plan.steps.iter().filter_map(Step::pif).any(|p| p.device == *nic);
            // XAPI may have recorded the bond's address; the NIC's own is given back.
            let right = matches!(&found.fact, Fact::PifField(_, field) if field == "MAC")
                && known.is_some_and(|k| found.is == Some(Value::Word(k.mac.to_string())));
            if ours && !right { Whose::Ours } else { Whose::Others }
        }
        Fact::Mtu(_) => {
            // XAPI sets that of what it plugs, by its network; ours is the bond's, which the way back
            // of a removal brings again.
            let bonds = Value::Word(plan.spec.mtu.unwrap_or(1500).to_string());
            let theirs = plugged || (found.was == Some(bonds) && !plan.removes);
            if theirs { Whose::Others } else { Whose::Ours }
        }
        // A boot brings up what it is told to by others, and XAPI what it plugs.
        Fact::Up(_) if plan.reboots() => Whose::Others,
        Fact::Up(_) if plugged && found.was == Some(Value::Word("down".into())) => Whose::Others,
        _ => Whose::Ours,
    }
}

/// Whether XAPI had the NIC plugged before the change.
fn plugged(plan: &Plan, nic: &IfName) -> bool {
    let known = plan.nics.iter().find(|n| n.device == *nic);
    known.is_some_and(|n| n.pif.as_ref().is_some_and(|p| p.attached))
}

/// Whether a step was begun that makes the file what it is to be, or a switch of the backend, whose
/// script takes files.
fn has_begun(tx: &Transaction, path: &str) -> bool {
    let switches = |step: &Step| matches!(step, Step::SwitchBackend(_));
    let steps = &tx.header.plan.steps;
    let begun = |number: usize| steps.get(number - 1);
    tx.begun().into_iter().filter_map(begun).any(|step| is_of_file(step, path) || switches(step))
}

/// Whether a step is about this very file.
fn is_of_file(step: &Step, path: &str) -> bool {
    let unit = matches!(step, Step::BootUnit(u) if u.service.link() == path);
    unit || step.file().is_some_and(|file| file.path == path)
}

fn whose_file(plan: &Plan, path: &str) -> Whose {
    if plan.steps.iter().any(|step| is_of_file(step, path)) {
        return Whose::OurFile(path.into());
    }
    let switch = plan.steps.iter().find_map(|s| match s {
        Step::SwitchBackend(switch) => Some(switch),
        _ => None,
    });
    match switch {
        // What the script took was put back by the step that ran it, or that says so itself.
        Some(switch) if switch.foreign_files().any(|file| file.path == path) => {
            Whose::TheirFile(path.into())
        }
        Some(_) => Whose::OurFile(path.into()),
        None => Whose::Others,
    }
}

/// The addresses of the bond and its NICs among those of a subnet.
fn own_addresses<'a>(plan: &Plan, all: Option<&'a Value>) -> Vec<&'a str> {
    let Some(Value::List(all)) = all else { return Vec::new() };
    let own = |device: &str| {
        device == plan.spec.bond.as_str()
            || plan.scope.nics.iter().any(|n| n.as_str() == device)
            || plan.scope.vlans.iter().any(|v| v.as_str() == device)
    };
    let all = all.iter().map(String::as_str);
    all.filter(|one| one.split_once(" on ").is_some_and(|(_, device)| own(device))).collect()
}

/// What a person types to bring a fact back.
fn by_hand(tx: &Transaction, inv: &Inventory, found: &Difference) -> String {
    let plan = &tx.header.plan;
    let bond = Value::Word(plan.spec.bond.to_string());
    if let Some(step) = managed::made_by(plan, inv, found) {
        return step.by_hand(&tx.originals_folder());
    }
    match &found.fact {
        Fact::Master(nic) if found.was == Some(bond) => {
            format!("echo +{nic} > {}/bonding/slaves", paths::sys_net(plan.spec.bond.as_str()))
        }
        Fact::Master(_) if found.was == Some(Value::Absent) => tx.by_hand(found),
        Fact::Up(nic) if !plugged(plan, nic) => tx.by_hand(found),
        // XAPI puts a NIC back into its bridge, and brings it up.
        Fact::Pif(nic) | Fact::PifField(nic, _) | Fact::Master(nic) | Fact::Up(nic) => {
            let now = inv.xapi.as_ref().and_then(|x| x.nic(nic.as_str()));
            let record = plan.steps.iter().filter_map(Step::pif).find(|p| p.device == *nic);
            record.map_or_else(|| tx.by_hand(found), |record| record.by_hand_from(now))
        }
        Fact::Vlan(device) if found.was != Some(Value::Absent) => format!("ifup {device}"),
        Fact::Device(_) | Fact::Addresses(_) if found.was != Some(Value::Absent) => {
            format!("ifup {}", plan.spec.bond)
        }
        _ => tx.by_hand(found),
    }
}
