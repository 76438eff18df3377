//! `status` for people: at most 100 columns.

use super::table::{Cell, Column, Table, joined};
use super::text::Text;
use crate::ledger::Phase;
use crate::net::Backend;
use crate::status::{
    BondView, KernelBond, KernelSlave, KernelVlan, NicView, Status, TransactionView, XapiBond,
};

/// The widest name of a network in the table.
const NETWORK: usize = 16;

/// How XAPI itself names the network of a NIC: the bridge says the same in less.
const DEFAULT_NAME: &str = "Pool-wide network associated with ";

/// The whole text.
#[must_use]
pub fn text(status: &Status) -> Text {
    let mut lines: Vec<Text> = vec![title(status).into()];
    let known =
        |word: &Option<Backend>| word.as_ref().map_or("unknown".into(), ToString::to_string);
    let (running, next) = (known(&status.backend.running), known(&status.backend.next_boot));
    let backend = if running == next {
        format!("backend: {running}, now and at the next boot")
    } else {
        format!("backend: {running} now, {next} at the next boot")
    };
    lines.push(backend.into());
    if let Some(error) = &status.xapi_error {
        lines.push(format!("XAPI could not be asked: {}", clean(error)).into());
    }
    lines.push(Text::default());
    let asked = status.xapi_error.is_none();
    lines.extend(nics(&status.nics, asked));
    lines.push(Text::default());
    lines.extend(bonds(&status.bonds, asked));
    lines.extend(plain(drawing(&status.bonds)));
    lines.push(Text::default());
    match &status.record_error {
        Some(error) => {
            lines.push(format!("record: {}", clean(&error.what)).into());
            lines.extend(error.hint.iter().map(|hint| format!("hint: {}", clean(hint)).into()));
        }
        None => lines.extend(plain(transaction(status.transaction.as_ref()))),
    }
    lines.extend(left_alone(status));
    lines.extend(plain(drift(status)));
    joined(lines)
}

/// What an upgrade from an ISO leaves: XAPI's database, and neither the bond's files nor a record.
fn left_alone(status: &Status) -> Vec<Text> {
    if status.left_alone.is_empty() {
        return Vec::new();
    }
    let nics = status.left_alone.join(", ");
    vec![
        format!("XAPI leaves {nics} alone, and nothing uses them here, as after an upgrade from an ISO").into(),
        "hint: xenbond apply --spec FILE makes the bond again; xenbond remove BOND --spec FILE gives its NICs back".into(),
    ]
}

fn plain(lines: Vec<String>) -> impl Iterator<Item = Text> {
    lines.into_iter().map(Text::from)
}

fn title(status: &Status) -> String {
    let mut parts = vec![status.host.clone().unwrap_or_else(|| "this host".into())];
    parts.extend(status.release.clone());
    parts.extend(status.kernel.as_ref().map(|k| format!("kernel {k}")));
    let name = clean(&parts.remove(0));
    if parts.is_empty() { name } else { format!("{name}: {}", clean(&parts.join(", "))) }
}

/// What stands for nothing, or for what nobody could be asked.
fn nothing(asked: bool) -> String {
    if asked { "-" } else { "?" }.to_string()
}

fn nics(nics: &[NicView], asked: bool) -> Vec<Text> {
    let titles = ["NIC", "MAC", "link", "Mb/s", "driver", "PIF", "managed", "network", "used by"];
    let dash = |word: Option<String>| Cell::from(word.unwrap_or_else(|| "-".into()));
    let of_xapi = |word: Option<String>| Cell::from(word.unwrap_or_else(|| nothing(asked)));
    // A long name moves the rest of its own row only.
    let columns: [Column; 9] =
        std::array::from_fn(|at| if at == 7 { Column::PLAIN.most(NETWORK) } else { Column::PLAIN });
    let mut table = Table::new(&columns);
    table.row(titles.map(Cell::from));
    for nic in nics {
        let named = |n: &&String| !n.is_empty() && !n.starts_with(DEFAULT_NAME);
        let network = nic.network.as_ref().filter(named).or(nic.bridge.as_ref());
        let managed = nic.managed.map(|m| if m { "yes" } else { "no" }.to_string());
        let speed = nic.speed_mbps.filter(|_| nic.link == Some("up"));
        let uses: Vec<String> = nic.used_by.iter().map(|u| clean(u)).collect();
        table.row([
            nic.device.clone().into(),
            dash(nic.mac.clone()),
            nic.link.unwrap_or("-").into(),
            dash(speed.map(|mbps| mbps.to_string())),
            dash(nic.driver.clone()),
            // Enough to tell one from another; the whole uuid is in the JSON.
            of_xapi(nic.pif.as_ref().map(|p| p.chars().take(8).collect())),
            of_xapi(managed),
            of_xapi(network.map(|name| clean(name))),
            if uses.is_empty() { "-".into() } else { Cell::list(uses) },
        ]);
    }
    table.lines()
}

fn bonds(bonds: &[BondView], asked: bool) -> Vec<Text> {
    if bonds.is_empty() {
        return vec![
            if asked { "no bonds" } else { "no bonds in the kernel; XAPI's are not known" }.into(),
        ];
    }
    let columns = [Column::PLAIN, Column::PLAIN.least(12), Column::PLAIN.least(12), Column::PLAIN];
    let mut table = Table::new(&columns);
    let vswitch = bonds.iter().any(|bond| bond.vswitch.is_some());
    let last = if vswitch { "kernel, Open vSwitch" } else { "kernel" };
    table.row(["bond", "", "XAPI", last].map(Cell::from));
    for bond in bonds {
        let mut name = bond.name.as_str();
        for (label, xapi, kernel) in rows(bond) {
            let or =
                |word: Option<String>, none: String| word.filter(|w| !w.is_empty()).unwrap_or(none);
            let (xapi, kernel) = (or(xapi, nothing(asked)), or(kernel, nothing(true)));
            table.row([name.into(), label.into(), xapi.into(), kernel.into()]);
            name = "";
        }
        let made = match (bond.ours, bond.as_asked) {
            (true, Some(true)) => "made by xenbond, as asked",
            (true, Some(false)) => "made by xenbond, NOT as asked",
            (true, None) => "of an unfinished change of xenbond",
            (false, Some(true)) => "XAPI's, as XAPI has it",
            (false, Some(false)) => "XAPI's, NOT as XAPI has it: xenbond verify names what is not",
            (false, None) => continue,
        };
        table.row(["".into(), Cell::loose(made)]);
    }
    table.lines()
}

/// The bond as what carries it has it.
fn running(bond: &BondView) -> Option<&KernelBond> {
    bond.kernel.as_ref().or(bond.vswitch.as_ref())
}

/// The way of the traffic: a double line to each slave that carries.
fn drawing(bonds: &[BondView]) -> Vec<String> {
    let all = bonds.iter().filter_map(|bond| Some((bond, running(bond)?)));
    let all: Vec<(&BondView, &KernelBond)> = all.filter(|(_, k)| !k.slaves.is_empty()).collect();
    let width = all.iter().map(|(bond, _)| bond.name.len()).max().unwrap_or_default();
    let mut lines = vec![String::new()];
    for (bond, kernel) in &all {
        let (mut name, mut stem) = (bond.name.as_str(), "==");
        if kernel.slaves.iter().all(|slave| !slave.carries) {
            stem = "--";
        }
        for KernelSlave { name: slave, link, carries } in &kernel.slaves {
            let link = link.as_deref().unwrap_or("unknown");
            let (line, said) = if *carries { ("==", ", carries") } else { ("--", "") };
            lines.push(format!("{name:width$} {stem}+{line} {slave}  {link}{said}"));
            (name, stem) = ("", "  ");
        }
    }
    if all.is_empty() { Vec::new() } else { lines }
}

/// What XAPI and the kernel say of a bond, line by line.
fn rows(bond: &BondView) -> Vec<(&'static str, Option<String>, Option<String>)> {
    let (xapi, kernel) = (bond.xapi.as_ref(), running(bond));
    let said = |word: Option<String>| word.unwrap_or_else(|| "unknown".into());
    let slaves = |k: &KernelBond| {
        let link =
            |s: &KernelSlave| format!("{} {}", s.name, s.link.as_deref().unwrap_or("unknown"));
        let all: Vec<String> = k.slaves.iter().map(link).collect();
        if all.is_empty() { "none".into() } else { all.join(", ") }
    };
    let link = |k: &KernelBond| {
        let monitor = match k.miimon {
            Some(0) => ", no link polling".into(),
            Some(ms) => format!(", polled every {ms} ms"),
            None => String::new(),
        };
        format!("{}{monitor}", said(k.link.clone()))
    };
    let carries = |k: &KernelBond| {
        let mut on = k.addresses.clone();
        let words = |v: &KernelVlan| {
            let all: Vec<&str> = v.addresses.iter().map(String::as_str).collect();
            [&[v.device.as_str()], &all[..]].concat().join(" ")
        };
        on.extend(k.vlans.iter().map(words));
        on.extend(k.mtu.map(|mtu| format!("MTU {mtu}")));
        on.extend(k.bridge.clone());
        on.join(", ")
    };
    let plugged = |x: &XapiBond| if x.plugged { "plugged" } else { "not plugged" }.to_string();
    let mut rows = vec![
        (
            "mode",
            xapi.map(|x| said(x.mode.clone())),
            kernel.map(|k| said(k.mode.map(String::from))),
        ),
        ("slaves", xapi.map(|x| x.slaves.join(", ")), kernel.map(slaves)),
    ];
    if let Some(active) = kernel.and_then(|k| k.active_slave.clone()) {
        rows.push(("active slave", None, Some(active)));
    }
    rows.push(("state", xapi.map(plugged), kernel.map(link)));
    let held = |x: &XapiBond| {
        let mut on: Vec<String> = x.bridge.iter().cloned().collect();
        on.extend(x.management.then(|| "management".to_string()));
        on.extend(x.addresses.clone());
        on.join(", ")
    };
    rows.push(("carries", xapi.map(held), kernel.map(carries)));
    rows
}

fn transaction(tx: Option<&TransactionView>) -> Vec<String> {
    let Some(tx) = tx else {
        return vec!["no transaction: xenbond has changed nothing here".into()];
    };
    let how = match &tx.phase {
        Phase::Done => format!("done {}", tx.last),
        phase if phase.is_saving() => format!("{phase}, since {}", tx.last),
        Phase::RolledBack => format!("rolled back {}", tx.last),
        Phase::RollingBack if tx.run.is_some() => format!("being rolled back, since {}", tx.last),
        Phase::RollingBack if !tx.left.is_empty() => {
            format!("rolled back {}, and not all is as it was", tx.last)
        }
        phase => format!("{phase}, {} of {} steps done, since {}", tx.done, tx.steps, tx.last),
    };
    let mut lines = vec![format!("transaction {} ({}): {how}", tx.id, tx.bond)];
    if let Some(seconds) = tx.seconds_left {
        let left = humantime::format_duration(std::time::Duration::from_secs(seconds));
        lines.push(format!("  it is rolled back in {left} unless it is confirmed"));
    }
    match (&tx.why, tx.asked) {
        (Some(why), Some(false)) => lines.push(format!("  because {}", clean(why))),
        (Some(_), _) => lines.push("  on request".into()),
        _ => {}
    }
    for left in &tx.left {
        lines.push(format!("  left: {}", clean(&left.what)));
        lines.push(format!("    $ {}", left.command));
    }
    lines.extend(tx.run.iter().map(|run| format!("  a run is at work on it: {run}")));
    lines.extend(tx.hint.iter().map(|hint| format!("  {hint}")));
    lines
}

fn drift(status: &Status) -> Vec<String> {
    let mut lines = Vec::new();
    let mut bond = None;
    for drift in &status.drift {
        if bond != Some(&drift.bond) {
            lines.push(String::new());
            lines.push(format!("{} is NOT as asked:", drift.bond));
            bond = Some(&drift.bond);
        }
        lines.push(format!("  {}", clean(&drift.check.to_string())));
        if let Some(hint) = &drift.check.hint {
            lines.push(format!("    {}", clean(hint)));
        }
    }
    lines
}

/// Nothing that a terminal would act on: names are a person's text.
pub(super) fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
