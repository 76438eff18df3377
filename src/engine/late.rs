//! What XAPI may still do for a client that was killed at its limit: "as it was" is not said of a
//! state that can still change by our doing.

use std::time::Duration;

use anyhow::Result;

use super::{Engine, Observer};
use crate::journal::Transaction;
use crate::ledger::{self, Event};
use crate::net::Uuid;
use crate::outcome::Item;
use crate::step::Step;
use crate::xe::{self, Bond, Network, Pif};

/// For how long after its client was killed an effect is watched for.
const WATCH: Duration = Duration::from_secs(120);

/// How often.
const LOOK: Duration = Duration::from_secs(2);

impl Engine<'_> {
    /// Writes down that a call was killed, when that is what the error tells of.
    pub(super) fn note_killed(&self, tx: &mut Transaction, error: &anyhow::Error) {
        let Some(cmd) = xe::killed(error) else { return };
        let event = Event::Killed { args: cmd.args.clone(), wall: ledger::wall_seconds(self.host) };
        if self.record(tx, event.clone()).is_err() {
            tx.remember(self.host, event);
        }
    }

    /// Waits for the effects of calls that were killed; those that did not come in time.
    pub(super) fn await_late(
        &self,
        tx: &Transaction,
        observer: &mut dyn Observer,
    ) -> Result<Vec<Item>> {
        let Some(of) = tx.header.plan.steps.iter().find_map(Step::host).cloned() else {
            return Ok(Vec::new());
        };
        let mut awaited = tx.killed();
        let mut said = false;
        while !awaited.is_empty() {
            let mut pifs = xe::pifs(self.host, &of)?.all;
            if awaited.iter().any(|(args, _)| args.iter().any(|arg| arg.contains("other-config"))) {
                for pif in pifs.iter_mut().filter(|pif| pif.is_nic() && pif.is_managed()) {
                    // One that cannot be read is none that was changed: its change was barred.
                    *pif = xe::with_maps(self.host, &of, pif.clone()).unwrap_or(pif.clone());
                }
            }
            let networks = self.networks_of(&awaited)?;
            let bonds = self.bonds_of(&awaited)?;
            awaited.retain(|(args, _)| !has_come(args, &pifs, &networks, &bonds));
            let now = ledger::wall_seconds(self.host);
            let left = |since: u64| WATCH.as_secs().saturating_sub(now.saturating_sub(since));
            let longest = awaited.iter().map(|(_, since)| left(*since)).max().unwrap_or(0);
            if longest == 0 {
                break;
            }
            if !said {
                said = true;
                observer.waits("what XAPI may still do", Duration::from_secs(longest));
            }
            self.host.clock().pause(LOOK);
        }
        Ok(awaited.into_iter().map(|(args, _)| named(args)).collect())
    }
}

impl Engine<'_> {
    /// The networks that such calls are about.
    fn networks_of(&self, awaited: &[(&[String], u64)]) -> Result<Vec<Network>> {
        let of = |network: &Network| {
            let uuid = format!("uuid={}", network.uuid);
            let mut calls = awaited.iter().filter(|(args, _)| args[0].starts_with("network-"));
            calls.any(|(args, _)| args.contains(&uuid))
        };
        if !awaited.iter().any(|(args, _)| args[0].starts_with("network-")) {
            return Ok(Vec::new());
        }
        let mut all = xe::networks(self.host)?.all;
        if awaited.iter().any(|(args, _)| args[0] == "network-create") {
            let names = xe::network_names(self.host)?;
            all.iter_mut().for_each(|network| network.name = names.get(&network.uuid).cloned());
            return Ok(all);
        }
        all.retain(of);
        for network in &mut all {
            network.static_routes = xe::static_routes(self.host, &network.uuid)?;
        }
        Ok(all)
    }

    /// The bonds, where such calls are about their modes.
    fn bonds_of(&self, awaited: &[(&[String], u64)]) -> Result<Vec<Bond>> {
        let is = |args: &[String]| ["bond-set-mode", "bond-param-set"].contains(&args[0].as_str());
        match awaited.iter().any(|(args, _)| is(args)) {
            true => Ok(xe::bonds(self.host)?.all),
            false => Ok(Vec::new()),
        }
    }
}

/// Whether XAPI's records show what a call asked for.
fn has_come(args: &[String], pifs: &[Pif], networks: &[Network], bonds: &[Bond]) -> bool {
    let value = |key: &str| args.iter().find_map(|arg| arg.strip_prefix(key)?.strip_prefix('='));
    let pif = value("uuid").and_then(|uuid| pifs.iter().find(|p| p.uuid.to_string() == uuid));
    let mut of = networks.iter().filter(|n| value("uuid") == Some(n.uuid.to_string().as_str()));
    let in_map = |arg: &String| {
        let (key, value) = arg.strip_prefix("other-config:")?.split_once('=')?;
        Some((key.to_string(), value.to_string()))
    };
    let pair = args.iter().find_map(in_map);
    let key = || value("param-key").unwrap_or_default();
    match args.first().map(String::as_str) {
        Some("pif-forget") => pif.is_none(),
        Some("pif-unplug") => pif.is_none_or(|p| !p.attached),
        Some("pif-plug") => pif.is_none_or(|p| p.attached),
        Some("pif-reconfigure-ip") => pif.is_none_or(|p| {
            let same = |key: &str| value(key).is_none_or(|v| p.ip.get(key) == Some(v));
            value("mode").is_some_and(|mode| mode.eq_ignore_ascii_case(&p.ip_mode())) && same("IP")
        }),
        Some("pif-param-set") => pif.is_none_or(|p| match &pair {
            Some((key, value)) => p.other_config.get(key) == Some(value),
            None => {
                value("disallow-unplug").is_some_and(|yes| yes == p.disallow_unplug.to_string())
            }
        }),
        Some("pif-param-remove") => pif.is_none_or(|p| !p.other_config.contains_key(key())),
        Some("network-param-set") => of.next().is_none_or(|n| match &pair {
            Some((_, routes)) => n.static_routes.as_ref() == Some(routes),
            None => value("MTU") == n.mtu.map(|mtu| mtu.to_string()).as_deref(),
        }),
        Some("network-param-remove") => of.next().is_none_or(|n| n.static_routes.is_none()),
        Some("network-create") => networks.iter().any(|n| n.name.as_deref() == value("name-label")),
        Some("network-destroy") => of.next().is_none(),
        Some("bond-create") => value("pif-uuids").is_some_and(|uuids| {
            let is = |pif: &&Pif| uuids.contains(&pif.uuid.to_string());
            pifs.iter().filter(is).all(|pif| pif.bond_slave_of.is_some())
        }),
        Some("bond-destroy") => {
            let is = |bond: &Uuid| value("uuid") == Some(bond.to_string().as_str());
            !pifs.iter().any(|pif| pif.bond_master_of.iter().any(is))
        }
        Some("bond-set-mode" | "bond-param-set") => {
            let is = |bond: &&Bond| value("uuid") == Some(bond.uuid.to_string().as_str());
            bonds.iter().find(is).is_none_or(|bond| {
                let set =
                    args.iter().find_map(|arg| arg.strip_prefix("properties:")?.split_once('='));
                let same = |(key, value): (&str, &str)| {
                    bond.properties.get(key).is_some_and(|v| v == value)
                };
                set.map_or_else(|| bond.mode.as_deref() == value("mode"), same)
            })
        }
        Some("pif-introduce") => {
            pifs.iter().any(|p| p.is_nic() && value("device") == Some(p.device.as_str()))
        }
        _ => false,
    }
}

fn named(args: &[String]) -> Item {
    let uuid = args.iter().find(|arg| arg.starts_with("uuid="));
    let class = args[0].split('-').next().unwrap_or("pif");
    let look = uuid.map_or(format!("xe {class}-list"), |uuid| format!("xe {class}-list {uuid}"));
    Item {
        what: format!(
            "XAPI did not answer `xe {}` in time, has not done it in the {} s since, and may still do it",
            args.join(" "),
            WATCH.as_secs()
        ),
        command: format!("xe task-list; {look}; then: xenbond rollback"),
    }
}
