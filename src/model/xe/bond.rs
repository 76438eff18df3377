//! `xe bond-*`: the bonds that XAPI manages itself (tests/ground/xapi.md, B9).

use std::collections::BTreeSet;

use super::answer::{Answer, Args, Fault, Printed, bad_value, find, misconfigured, recent, refuse};
use super::host::reach;
use super::network::{connected, upper};
use super::pif::assert_managed;
use crate::model::programs::shell::Shell;
use crate::model::programs::{modprobe, networkd};
use crate::model::state::{BondRecord, Map, Pif, State};
use crate::order;

/// What a bond of mode lacp may be told, with what it is told when nothing is said.
const LACP: [(&str, &str); 3] =
    [("hashing_algorithm", "tcpudp_ports"), ("lacp-fallback-ab", "true"), ("lacp-time", "slow")];

/// `mode=` in any case; an empty word is the default.
fn mode(word: &str) -> Result<&'static str, Fault> {
    match word.to_lowercase().as_str() {
        "" | "balance-slb" => Ok("balance-slb"),
        "active-backup" => Ok("active-backup"),
        "lacp" => Ok("lacp"),
        _ => Err(Fault::Plain(format!("Invalid bond mode. Got {word}"))),
    }
}

/// The properties that a bond of this mode has.
fn properties(mode: &str, args: &Args) -> Result<Map, Fault> {
    let mut map = Map::new();
    if mode == "lacp" {
        map.extend(LACP.map(|(key, value)| (key.to_string(), value.to_string())));
    }
    for (name, value) in &args.pairs {
        let Some(key) = name.strip_prefix("properties:") else { continue };
        if !LACP.iter().any(|(known, _)| *known == key) {
            return Err(bad_value("properties", format!("{key} = {value}")));
        }
        map.insert(key.to_string(), value.clone());
    }
    Ok(map)
}

/// Why these PIFs cannot be one bond.
fn assert_fit(shell: &Shell<'_>, members: &[(String, Pif)]) -> Result<(), Fault> {
    let pool = &shell.state.pool;
    for (key, pif) in members {
        if pool.bonds.values().any(|b| b.slaves.contains(key)) {
            let sentence = "This operation cannot be performed because the pif is bonded.";
            return Err(refuse(sentence, &pif.uuid));
        }
        assert_managed(shell, pif)?;
    }
    if members.iter().any(|(_, pif)| pif.host != members[0].1.host) {
        return Err(Fault::Api("You cannot bond interfaces across different hosts.", Vec::new()));
    }
    let configured = members.iter().filter(|(_, pif)| pif.ip_configuration_mode != "None");
    if configured.count() > 1 && recent(shell.state) {
        let sentence = "Only one PIF on a bond is allowed to have an IP configuration.";
        return Err(Fault::Api(sentence, Vec::new()));
    }
    Ok(())
}

/// Moves an IP configuration and the management from one PIF to another.
fn move_configuration(state: &mut State, from: &str, to: &str) {
    let Some(old) = state.pool.pifs.get(from).cloned() else { return };
    if let Some(new) = state.pool.pifs.get_mut(to) {
        new.management = old.management;
        new.ip_configuration_mode.clone_from(&old.ip_configuration_mode);
        (new.ip, new.netmask, new.gateway, new.dns) = (old.ip, old.netmask, old.gateway, old.dns);
    }
    if let Some(old) = state.pool.pifs.get_mut(from) {
        old.management = false;
        old.ip_configuration_mode = "None".to_string();
        for text in [&mut old.ip, &mut old.netmask, &mut old.gateway, &mut old.dns] {
            text.clear();
        }
    }
}

/// Makes the record; where networkd then fails it stays, with its members taken out of theirs.
pub(super) fn create(shell: &mut Shell<'_>, args: &Args) -> Answer {
    let [network, pifs] = args.need_all(["network-uuid", "pif-uuids"])?;
    let mode = mode(args.get("mode").unwrap_or_default())?;
    let network = find(shell, "network", "network", network)?.key;
    let mut members = Vec::new();
    for uuid in pifs.split(',') {
        let key = find(shell, "pif", "PIF", uuid)?.key;
        let pif = shell.state.pool.pifs[&key].clone();
        members.push((key, pif));
    }
    let host = members[0].1.host.clone();
    reach(shell, &host)?;
    let properties = properties(mode, args)?;
    if let Some(fault) = connected(shell.state, &host, &network) {
        return Err(fault);
    }
    assert_fit(shell, &members)?;
    let primary = members.iter().find(|(_, pif)| pif.management);
    let primary = primary.or(members.iter().find(|(_, p)| p.ip_configuration_mode != "None"));
    let (primary, first) = primary.unwrap_or(&members[0]).clone();
    let params = modprobe::bonding_params(shell, None);
    let state = &mut *shell.state;
    let taken = |n: &u32| state.pool.pifs.contains_key(&format!("{host}/bond{n}"));
    let device = format!("bond{}", (0..).find(|n| !taken(n)).unwrap_or_default());
    let master = format!("{host}/{device}");
    let (uuid, above) = (state.new_uuid(), state.new_uuid());
    let pif = Pif {
        device,
        mac: first.mac.clone(),
        properties: first.properties.clone(),
        disallow_unplug: members.iter().any(|(_, pif)| pif.disallow_unplug),
        ..upper(&above, &first, &network)
    };
    state.pool.pifs.insert(master.clone(), pif);
    let plugged = members.iter().any(|(_, pif)| pif.currently_attached);
    for (key, pif) in members.iter().filter(|(_, pif)| pif.currently_attached) {
        if pif.host == state.dom0.me {
            networkd::bring_down(state, key);
        }
        state.pool.pifs.entry(key.clone()).and_modify(|pif| pif.currently_attached = false);
    }
    move_configuration(state, &primary, &master);
    let slaves: BTreeSet<String> = order::set(members.iter().map(|(key, _)| key.clone()));
    let record = BondRecord {
        uuid: uuid.clone(),
        master: master.clone(),
        slaves: slaves.clone(),
        mode: mode.to_string(),
        properties,
        primary: Some(primary),
    };
    state.pool.bonds.insert(master.clone(), record);
    if !plugged {
        return Ok(Printed::line(uuid));
    }
    if host == state.dom0.me {
        networkd::bring_up(state, &master, &params).map_err(|text| misconfigured(&above, text))?;
    }
    for key in slaves.into_iter().chain([master]) {
        state.pool.pifs.entry(key).and_modify(|pif| pif.currently_attached = true);
    }
    Ok(Printed::line(uuid))
}

pub(super) fn destroy(shell: &mut Shell<'_>, args: &Args) -> Answer {
    let key = find(shell, "bond", "Bond", args.need("uuid")?)?.key;
    let bond = shell.state.pool.bonds[&key].clone();
    let params = modprobe::bonding_params(shell, None);
    let state = &mut *shell.state;
    let master = state.pool.pifs.get(&bond.master).cloned();
    let plugged = master.as_ref().is_some_and(|pif| pif.currently_attached);
    let mine = master.as_ref().is_some_and(|pif| pif.host == state.dom0.me);
    if plugged && mine {
        networkd::bring_down(state, &bond.master);
    }
    let primary = bond.primary.as_ref().or(bond.slaves.first());
    if let Some(primary) = primary.filter(|_| {
        master.as_ref().is_some_and(|p| p.management || p.ip_configuration_mode != "None")
    }) {
        move_configuration(state, &bond.master, primary);
    }
    state.pool.bonds.remove(&key);
    state.pool.pifs.remove(&bond.master);
    for key in bond.slaves.iter().filter(|_| plugged) {
        let went = !mine || networkd::bring_up(state, key, &params).is_ok();
        state.pool.pifs.entry(key.clone()).and_modify(|pif| pif.currently_attached = went);
    }
    Ok(Printed::Nothing)
}

pub(super) fn set_mode(shell: &mut Shell<'_>, args: &Args) -> Answer {
    let [uuid, word] = args.need_all(["uuid", "mode"])?;
    let mode = mode(word)?;
    let key = find(shell, "bond", "Bond", uuid)?.key;
    let properties = properties(mode, args)?;
    shell.state.pool.bonds.entry(key).and_modify(|bond| {
        bond.mode = mode.to_string();
        bond.properties = properties;
    });
    Ok(Printed::Nothing)
}
