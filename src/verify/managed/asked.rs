//! Is a bond that XAPI was to make as asked? What was asked against XAPI's record of it, and that
//! record against the host, as of every bond of XAPI's.

use std::time::Duration;

use anyhow::Result;

use super::{limit, settled};
use crate::host::Host;
use crate::inventory::{Ask, Inventory, Managed, Nic, Stores, on_host, resolve};
use crate::spec::{Spec, Use};
use crate::verify::check::{excuse, is_without_link};
use crate::verify::question::{Patience, Question, Running, Verdict, Witness};
use crate::verify::{Check, Setting, durable, hindering, kept, networks, probe};

/// Answers a question about one.
pub(in crate::verify) fn judge(question: Question<'_>) -> Result<Verdict> {
    let Question { spec, nics: _, absent: _, accepted, kernel, witnesses } = question;
    let mut silent = |_: &str| {};
    let (host, within, waits): (_, _, &mut dyn FnMut(&str)) = match kernel {
        Running::Settling { host, within, waits } => (Some(host), within, waits),
        Running::Read(_) => (witnesses.iter().find_map(host_of), Duration::ZERO, &mut silent),
    };
    let bond = spec.bond.clone();
    let Some(host) = host else { return Ok(Verdict { bond, checks: Vec::new() }) };
    let read = match witnesses.iter().find_map(reading) {
        Some(read) => Some(read?),
        None if witnesses.iter().any(|one| matches!(one, Witness::Host(..))) => None,
        None => {
            let ask = Ask { nics: &spec.nics, networks: true, ..Ask::default() };
            Some(Inventory::read(host, ask)?)
        }
    };
    let known = witnesses.iter().find_map(|witness| match witness {
        Witness::Host(inv, _) => Some(*inv),
        _ => None,
    });
    let Some(inv) = read.as_ref().or(known) else {
        return Ok(Verdict { bond, checks: Vec::new() });
    };
    let spec = on_host(spec.clone(), inv);
    let nics: Vec<Nic> = resolve(&spec, inv).into_iter().flatten().collect();
    let Some(stands) = Managed::of(&nics, inv) else {
        return Ok(Verdict { bond: bond.clone(), checks: vec![missing(&bond, inv)] });
    };
    let mut checks = by_xapi(&spec, &stands);
    // The whole of `within` is for what was asked; a bond of XAPI's has a time of its own.
    let within = if within.is_zero() { within } else { limit(&stands) };
    checks.extend(settled(host, inv, &stands, within, accepted, waits)?);
    let kernel = crate::inventory::Kernel::read(host)?;
    let routes = networks::rows(&spec, &kernel).into_iter();
    checks.extend(routes.filter(|check| matches!(check.name, Setting::Route(_))));
    excuse(&mut checks, accepted);
    for witness in witnesses {
        checks.extend(match witness {
            Witness::Servers(_, Patience::UntilAnswered) if !hindering(&checks).is_empty() => {
                Vec::new()
            }
            Witness::Servers(host, Patience::UntilAnswered) if !is_without_link(&checks) => {
                probe::wait(host, &spec)
            }
            Witness::Servers(host, _) => probe::ask(host, &spec, probe::Way::Networks),
            Witness::Disk(host, inv) => vec![on_disk(host, inv, &stands)],
            _ => Vec::new(),
        });
    }
    excuse(&mut checks, accepted);
    Ok(Verdict { bond, checks })
}

fn host_of<'a>(witness: &Witness<'a>) -> Option<&'a Host> {
    match witness {
        Witness::Nics(host) | Witness::Servers(host, _) | Witness::Disk(host, _) => Some(host),
        _ => None,
    }
}

fn reading(witness: &Witness<'_>) -> Option<Result<Inventory>> {
    match witness {
        Witness::Later(read) => Some(read().map(|(inv, _)| inv)),
        _ => None,
    }
}

/// The row of a bond that XAPI does not have.
fn missing(bond: &crate::net::IfName, inv: &Inventory) -> Check {
    let silent = inv.xapi.is_none();
    let have = (!silent).then(|| "not there".to_string());
    Check::new(Setting::Bond(bond.clone()), "there", have).because(match silent {
        true => "XAPI does not answer: xe bond-list",
        false => "XAPI has no bond of these NICs: xenbond apply makes it again",
    })
}

/// What was asked against XAPI's record.
fn by_xapi(spec: &Spec, stands: &Managed) -> Vec<Check> {
    let again = "somebody has changed it since: xenbond apply again";
    let mut checks = Vec::new();
    if stands.mode() != Some(spec.mode) {
        let have = stands.mode_word().map(String::from);
        checks.push(Check::new(Setting::Mode, spec.mode.name(), have).because(again));
    }
    let properties = spec.managed().map(|asked| asked.properties()).unwrap_or_default();
    for ((key, want), have) in stands.unlike(&properties) {
        let name = match key.as_str() {
            "lacp-time" => Setting::LacpTime,
            _ => Setting::HashingAlgorithm,
        };
        checks.push(Check::new(name, want, have.cloned()).because(again));
    }
    if spec.managed().is_some_and(|asked| asked.purpose == Use::Storage) {
        checks.extend(kept::record(spec, &stands.device, &stands.pif, true));
    }
    let management = spec.managed().is_some_and(|asked| asked.purpose == Use::Management);
    if management && !stands.pif.management {
        let bridge = stands.bridge().unwrap_or(stands.device.as_str());
        let check = Check::new(Setting::ManagementInterface, bridge, Some("another".into()));
        checks.push(check.because("another interface has it: xenbond status"));
    }
    if let Some(network) = &stands.network {
        checks.extend(kept::network(spec, network));
    }
    checks
}

/// Whether a power cut would change what XAPI says of it.
pub(super) fn on_disk(host: &Host, inv: &Inventory, bond: &Managed) -> Check {
    let mut stores = Stores::read(host, &[bond.device.as_str()]);
    let pool = inv.xapi.as_ref().and_then(|xapi| xapi.pool.as_ref());
    if pool.is_some_and(|pool| pool.ha_enabled) {
        stores.database = None;
    }
    durable::of_bond(&stores, inv.host_uuid().as_ref(), bond)
}
