//! `status` for people: at most 100 columns.

use crate::ledger::Phase;
use crate::net::Backend;
use crate::status::{BondView, KernelSlave, NicView, Status, TransactionView};

/// The widest line.
const WIDTH: usize = 100;

/// The widest name of a network in the table.
const NETWORK: usize = 16;

/// How XAPI itself names the network of a NIC: the bridge says the same in less.
const DEFAULT_NAME: &str = "Pool-wide network associated with ";

/// The whole text.
#[must_use]
pub fn text(status: &Status) -> String {
    let mut lines = vec![title(status)];
    let known =
        |word: &Option<Backend>| word.as_ref().map_or("unknown".into(), ToString::to_string);
    let (running, next) = (known(&status.backend.running), known(&status.backend.next_boot));
    lines.push(if running == next {
        format!("backend: {running}, now and at the next boot")
    } else {
        format!("backend: {running} now, {next} at the next boot")
    });
    if let Some(error) = &status.xapi_error {
        lines.extend(wrapped("XAPI could not be asked: ", error));
    }
    lines.push(String::new());
    lines.extend(nics(&status.nics));
    lines.push(String::new());
    lines.extend(bonds(&status.bonds));
    lines.push(String::new());
    lines.extend(transaction(status.transaction.as_ref()));
    lines.extend(drift(status));
    lines.iter().map(|line| clipped(line.trim_end()) + "\n").collect()
}

fn title(status: &Status) -> String {
    let mut parts = vec![status.host.clone().unwrap_or_else(|| "this host".into())];
    parts.extend(status.release.clone());
    parts.extend(status.kernel.as_ref().map(|k| format!("kernel {k}")));
    let name = clean(&parts.remove(0));
    if parts.is_empty() { name } else { format!("{name}: {}", clean(&parts.join(", "))) }
}

fn nics(nics: &[NicView]) -> Vec<String> {
    let titles = ["NIC", "MAC", "link", "Mb/s", "driver", "PIF", "managed", "network", "used by"];
    let dash = |word: Option<String>| word.unwrap_or_else(|| "-".into());
    let mut rows: Vec<Vec<String>> = vec![titles.map(String::from).to_vec()];
    let mut uses: Vec<Vec<String>> = vec![Vec::new()];
    for nic in nics {
        let named = |n: &&String| !n.is_empty() && !n.starts_with(DEFAULT_NAME);
        let network = nic.network.as_ref().filter(named).or(nic.bridge.as_ref());
        let managed = nic.managed.map(|m| if m { "yes" } else { "no" }.to_string());
        rows.push(vec![
            nic.device.clone(),
            dash(nic.mac.clone()),
            nic.link.unwrap_or("-").to_string(),
            nic.speed_mbps.filter(|_| nic.link == Some("up")).map_or("-".into(), |s| s.to_string()),
            dash(nic.driver.clone()),
            // Enough to tell one from another; the whole uuid is in the JSON.
            dash(nic.pif.as_ref().map(|p| p.chars().take(8).collect())),
            dash(managed),
            cut(&dash(network.map(|n| clean(n))), NETWORK),
            if nic.used_by.is_empty() { "-".into() } else { String::new() },
        ]);
        uses.push(nic.used_by.iter().map(|u| clean(u)).collect());
    }
    let last = titles.len() - 1;
    let width = |at: usize| rows.iter().map(|r| r[at].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..last).map(width).collect();
    let indent = widths.iter().sum::<usize>() + 2 * last;
    let mut lines = Vec::new();
    for (row, uses) in rows.iter().zip(&uses) {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}  "));
        let mut line = cells.collect::<String>() + &row[last];
        for (at, one) in uses.iter().enumerate() {
            let comma = if at + 1 < uses.len() { "," } else { "" };
            let fits = line.chars().count() + one.chars().count() + comma.len() < WIDTH;
            if !fits && line.trim_end().chars().count() > indent {
                lines.push(std::mem::replace(&mut line, " ".repeat(indent)));
            }
            let blank = if line.ends_with(' ') { "" } else { " " };
            line.push_str(&format!("{blank}{one}{comma}"));
        }
        lines.push(line);
    }
    lines
}

fn bonds(bonds: &[BondView]) -> Vec<String> {
    if bonds.is_empty() {
        return vec!["no bonds".into()];
    }
    let mut rows = vec![["bond".into(), String::new(), "XAPI".to_string(), "kernel".to_string()]];
    for bond in bonds {
        let (xapi, kernel) = (bond.xapi.as_ref(), bond.kernel.as_ref());
        let unknown = || "unknown".to_string();
        let mut row = |label: &str, of_xapi: Option<String>, of_kernel: Option<String>| {
            let name = if label == "mode" { bond.name.clone() } else { String::new() };
            let x = if xapi.is_some() { of_xapi.unwrap_or_default() } else { String::new() };
            let k = if kernel.is_some() { of_kernel.unwrap_or_default() } else { String::new() };
            rows.push([name, label.to_string(), x, k]);
        };
        let said = |word: Option<String>| Some(word.unwrap_or_else(unknown));
        row(
            "mode",
            said(xapi.and_then(|x| x.mode.clone())),
            said(kernel.and_then(|k| k.mode.map(String::from))),
        );
        row(
            "slaves",
            xapi.map(|x| x.slaves.join(", ")),
            kernel.map(|k| {
                let link = |s: &KernelSlave| {
                    format!("{} {}", s.name, s.link.as_deref().unwrap_or("unknown"))
                };
                let all: Vec<String> = k.slaves.iter().map(link).collect();
                if all.is_empty() { "none".into() } else { all.join(", ") }
            }),
        );
        if let Some(active) = kernel.and_then(|k| k.active_slave.clone()) {
            row("active slave", None, Some(active));
        }
        row(
            "state",
            xapi.map(|x| if x.plugged { "plugged" } else { "not plugged" }.to_string()),
            kernel.map(|k| {
                let monitor = match k.miimon {
                    Some(0) => ", no link polling".into(),
                    Some(ms) => format!(", polled every {ms} ms"),
                    None => String::new(),
                };
                format!("{}{monitor}", k.link.clone().unwrap_or_else(unknown))
            }),
        );
        let on = kernel.map(|k| {
            let mut on = k.addresses.clone();
            on.extend(k.mtu.map(|mtu| format!("MTU {mtu}")));
            on.extend(k.bridge.clone());
            on.join(", ")
        });
        row("carries", xapi.and_then(|x| x.bridge.clone()), on);
        let made = match (bond.ours, bond.as_asked) {
            (true, Some(true)) => "made by xenbond, as asked",
            (true, _) => "made by xenbond, NOT as asked",
            (false, _) => continue,
        };
        rows.push([String::new(), made.into(), String::new(), String::new()]);
    }
    // A bond that one of the two does not know: a whole column says nothing else.
    let width = |at: usize| {
        let all = rows.iter().filter(|r| at == 0 || !(r[2].is_empty() && r[3].is_empty()));
        all.map(|r| r[at].chars().count()).max().unwrap_or(0)
    };
    let (a, b, c) = (width(0), width(1).max(12), width(2).max(12));
    let line = |r: &[String; 4]| {
        let dash = |word: &str| {
            if word.is_empty() && !r[1].starts_with("made") { "-" } else { word }.to_string()
        };
        let (x, k) =
            if r[0] == "bond" { (r[2].clone(), r[3].clone()) } else { (dash(&r[2]), dash(&r[3])) };
        format!("{:<a$}  {:<b$}  {x:<c$}  {k}", r[0], r[1])
    };
    rows.iter().map(line).collect()
}

fn transaction(tx: Option<&TransactionView>) -> Vec<String> {
    let Some(tx) = tx else {
        return vec!["no transaction: xenbond has changed nothing here".into()];
    };
    let how = match &tx.phase {
        Phase::Done => format!("done {}", tx.last),
        Phase::RolledBack => format!("rolled back {}", tx.last),
        phase => format!("{phase}, {} of {} steps done, since {}", tx.done, tx.steps, tx.last),
    };
    let mut lines = vec![format!("transaction {} ({}): {how}", tx.id, tx.bond)];
    if let Some(seconds) = tx.seconds_left {
        let left = humantime::format_duration(std::time::Duration::from_secs(seconds));
        lines.push(format!("  it is rolled back in {left} unless it is confirmed"));
    }
    match (&tx.why, tx.asked) {
        (Some(why), Some(false)) => lines.extend(wrapped("  because ", why)),
        (Some(_), _) => lines.push("  because it was asked for".into()),
        _ => {}
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
        lines.extend(wrapped("  ", &drift.check.to_string()));
        if let Some(hint) = &drift.check.hint {
            lines.extend(wrapped("    ", hint));
        }
    }
    lines
}

/// A paragraph after `start`, its other lines indented as far as the first blanks and two more.
fn wrapped(start: &str, text: &str) -> Vec<String> {
    let indent = " ".repeat(start.len() - start.trim_start().len() + 2);
    let mut lines = Vec::new();
    let mut line = start.to_string();
    let mut empty = true;
    for word in clean(text).split_whitespace() {
        if !empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push(std::mem::replace(&mut line, indent.clone()));
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    lines.push(line);
    lines
}

/// Nothing that a terminal would act on: names are a person's text.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        text.to_string()
    } else {
        text.chars().take(width - 3).collect::<String>() + "..."
    }
}

fn clipped(line: &str) -> String {
    cut(line, WIDTH)
}
