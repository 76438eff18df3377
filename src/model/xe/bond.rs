//! `xe bond-*`: the bonds that XAPI manages itself (tests/ground/xapi.md, B9, tests/ground/managed.md,
//! A to C and U1). Nothing of it is undone where it fails on the way.

use std::collections::BTreeSet;

use super::answer::{Answer, Args, Fault, Printed, bad_value, find, misconfigured, recent, refuse};
use super::host::reach;
use super::moves;
use super::network::{connected, upper};
use super::pif::assert_managed;
use crate::model::programs::shell::Shell;
use crate::model::programs::{modprobe, networkd};
use crate::model::state::{Backend, BondRecord, Flavour, Map, Pif, Release, State};
use crate::net::MacAddr;
use crate::order;

/// What a bond of mode lacp may be told, with what it is told when nothing is said.
const LACP: [(&str, &str, &[&str]); 4] = [
    ("hashing_algorithm", "tcpudp_ports", &["src_mac", "tcpudp_ports"]),
    ("lacp-fallback-ab", "true", &["true", "false"]),
    ("lacp-time", "slow", &["fast", "slow"]),
    ("lacp-aggregation-key", "", &[]),
];

/// `mode=` in any case; an empty word is the default.
fn mode(word: &str) -> Result<&'static str, Fault> {
    match word.to_lowercase().as_str() {
        "" | "balance-slb" => Ok("balance-slb"),
        "active-backup" => Ok("active-backup"),
        "lacp" => Ok("lacp"),
        _ => Err(Fault::Plain(format!("Invalid bond mode. Got {word}"))),
    }
}

/// Refuses what a bond of this mode cannot be told.
fn assert_property(mode: &str, key: &str, value: &str) -> Result<(), Fault> {
    let takes = |words: &[&str]| match words {
        [] => value.parse::<u16>().is_ok(),
        words => words.contains(&value),
    };
    let known = LACP.iter().any(|(known, _, words)| *known == key && takes(words));
    if known && mode == "lacp" {
        return Ok(());
    }
    Err(bad_value("properties", format!("{key} = {value}")))
}

/// The properties that a bond of this mode has, with those of `before` that fit.
fn properties(mode: &str, args: &Args, before: &Map) -> Result<Map, Fault> {
    let mut map = Map::new();
    if mode == "lacp" {
        let set = LACP.iter().filter(|(_, value, _)| !value.is_empty());
        map.extend(set.map(|(key, value, _)| (key.to_string(), value.to_string())));
        map.extend(before.clone());
    }
    for (name, value) in &args.pairs {
        let Some(key) = name.strip_prefix("properties:") else { continue };
        assert_property(mode, key, value)?;
        map.insert(key.to_string(), value.clone());
    }
    Ok(map)
}

/// With high availability on nobody takes the management away.
fn assert_no_ha(state: &State, management: bool) -> Result<(), Fault> {
    if state.pool.ha_enabled && management {
        let sentence = "This operation cannot be performed because creating or deleting a bond involving the management interface is not allowed while HA is on. In order to do that, disable HA, create or delete the bond then re-enable HA.";
        return Err(Fault::Api(sentence, Vec::new()));
    }
    Ok(())
}

/// Why a PIF cannot be in a bond.
fn assert_member(shell: &Shell<'_>, key: &str, pif: &Pif) -> Result<(), Fault> {
    let (pool, new) = (&shell.state.pool, recent(shell.state));
    if new {
        assert_managed(shell, pif)?;
    }
    if pool.bonds.values().any(|b| b.slaves.contains(key)) {
        let sentence = "This operation cannot be performed because the pif is bonded.";
        return Err(refuse(sentence, &pif.uuid));
    }
    if pif.vlan >= 0 {
        let sentence = "You tried to create a PIF, but it already exists.";
        return Err(Fault::Api(sentence, vec![("PIF", pif.device.clone())]));
    }
    if pool.tunnels.values().any(|t| t.access == key) {
        let sentence = if new {
            "Cannot create a VLAN or tunnel on top of a tunnel access PIF - use the underlying transport PIF instead."
        } else {
            "You tried to create a VLAN or tunnel on top of a tunnel access PIF - use the underlying transport PIF instead."
        };
        return Err(refuse(sentence, &pif.uuid));
    }
    assert_no_ha(shell.state, pif.management)?;
    assert_managed(shell, pif)
}

/// Why these PIFs cannot be one bond.
fn assert_fit(shell: &Shell<'_>, members: &[(String, Pif)]) -> Result<(), Fault> {
    members.iter().try_for_each(|(key, pif)| assert_member(shell, key, pif))?;
    let (_, first) = &members[0];
    let sentence = if members.iter().any(|(_, pif)| pif.host != first.host) {
        "You cannot bond interfaces across different hosts."
    } else if members.iter().any(|(_, pif)| pif.properties != first.properties) {
        match recent(shell.state) {
            true => "These PIFs cannot be bonded, because their properties are different.",
            false => "These PIFs can not be bonded, because their properties are different.",
        }
    } else {
        let configured = members.iter().filter(|(_, pif)| pif.ip_configuration_mode != "None");
        if configured.count() < 2 || shell.state.release() == Release::V6_2 {
            return Ok(());
        }
        "Only one PIF on a bond is allowed to have an IP configuration."
    };
    Err(Fault::Api(sentence, Vec::new()))
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

/// What the host's own inventory says of its management.
fn note_management(shell: &mut Shell<'_>, pif: &str) {
    const FILE: &str = "etc/xensource-inventory";
    let pool = &shell.state.pool;
    let Some(pif) = pool.pifs.get(pif).filter(|p| p.management && p.host == shell.state.dom0.me)
    else {
        return;
    };
    let bridge = pool.networks.get(&pif.network).map_or("", |n| n.bridge.as_str());
    let own = format!("MANAGEMENT_INTERFACE='{bridge}'");
    let Some(text) = shell.read(FILE) else { return };
    let line = |line: &str| match line.starts_with("MANAGEMENT_INTERFACE=") {
        true => own.clone(),
        false => line.to_string(),
    };
    let lines: Vec<String> = text.lines().map(line).collect();
    shell.write(FILE, &(lines.join("\n") + "\n"));
}

/// A member's `xe` is connected through the very interface that moves.
fn answer(shell: &Shell<'_>, management: bool, host: &str, printed: Printed) -> Answer {
    let me = &shell.state.dom0.me;
    if management && host == me && shell.state.pool.master != *me {
        return Err(Fault::Lost);
    }
    Ok(printed)
}

/// How long it takes: links go down and up (tests/ground/xapi-measured.md, M18).
fn takes(shell: &mut Shell<'_>, host: &str, bridge: u64, vswitch: u64) {
    if host == shell.state.dom0.me {
        let ovs = shell.state.dom0.running == Backend::Openvswitch;
        shell.took += if ovs { vswitch } else { bridge };
    }
}

/// The PIFs of `pif-uuids=`, each once.
fn members(shell: &Shell<'_>, uuids: &str) -> Result<Vec<(String, Pif)>, Fault> {
    let mut all: Vec<(String, Pif)> = Vec::new();
    for uuid in uuids.split(',') {
        let key = find(shell, "pif", "PIF", uuid)?.key;
        if all.iter().all(|(other, _)| *other != key) {
            let pif = shell.state.pool.pifs[&key].clone();
            all.push((key, pif));
        }
    }
    Ok(all)
}

/// Makes the records, then brings it up, then moves to it what lies on its members.
pub(super) fn create(shell: &mut Shell<'_>, args: &Args) -> Answer {
    let [network, pifs] = args.need_all(["network-uuid", "pif-uuids"])?;
    let mode = mode(args.get("mode").unwrap_or_default())?;
    let network = find(shell, "network", "network", network)?.key;
    let members = members(shell, pifs)?;
    let host = members[0].1.host.clone();
    reach(shell, &host)?;
    if let Some(fault) = connected(shell.state, &host, &network) {
        return Err(fault);
    }
    let mac = args.get("mac").unwrap_or_default().to_lowercase();
    if !mac.is_empty() && mac.parse::<MacAddr>().is_err() {
        return Err(Fault::Api("The MAC address specified is not valid.", vec![("MAC", mac)]));
    }
    let properties = properties(mode, args, &Map::new())?;
    assert_fit(shell, &members)?;
    let primary = members.iter().find(|(_, pif)| pif.management);
    let primary = primary.or(members.iter().find(|(_, p)| p.ip_configuration_mode != "None"));
    let (primary, first) = primary.unwrap_or(&members[0]).clone();
    takes(shell, &host, 15_000, 21_000);
    let state = &mut *shell.state;
    let taken = |n: &u32| state.pool.pifs.contains_key(&format!("{host}/bond{n}"));
    let device = format!("bond{}", (0..).find(|n| !taken(n)).unwrap_or_default());
    let master = format!("{host}/{device}");
    let (uuid, above) = (state.new_uuid(), state.new_uuid());
    let pif = Pif {
        device,
        mac: if mac.is_empty() { first.mac.clone() } else { mac },
        properties: first.properties.clone(),
        ..upper(&above, &first, &network)
    };
    state.pool.pifs.insert(master.clone(), pif);
    let slaves: BTreeSet<String> = order::set(members.iter().map(|(key, _)| key.clone()));
    let record = BondRecord {
        uuid: uuid.clone(),
        master: master.clone(),
        slaves: slaves.clone(),
        mode: mode.to_string(),
        properties,
        primary: Some(primary.clone()),
    };
    state.pool.bonds.insert(master.clone(), record);
    move_configuration(state, &primary, &master);
    bring_up(shell, &slaves, &master).map_err(|text| misconfigured(&above, text))?;
    note_management(shell, &master);
    moves::all(shell.state, &slaves, &master);
    let protected = members.iter().any(|(_, pif)| pif.disallow_unplug);
    for (key, pif) in &mut shell.state.pool.pifs {
        if *key == master || slaves.contains(key) {
            pif.disallow_unplug = protected && *key == master;
        }
    }
    answer(shell, first.management, &host, Printed::line(uuid))
}

/// Takes the members' bridges away, by force, and makes the bond's, even where no member was
/// plugged.
fn bring_up(shell: &mut Shell<'_>, slaves: &BTreeSet<String>, master: &str) -> Result<(), String> {
    let params = modprobe::bonding_params(shell, None);
    let state = &mut *shell.state;
    let mine = |state: &State, key: &str| state.pool.pifs[key].host == state.dom0.me;
    for key in slaves {
        if mine(state, key) && state.pool.pifs[key].currently_attached {
            networkd::force_down(state, key);
        }
        state.pool.pifs.entry(key.clone()).and_modify(|pif| pif.currently_attached = false);
    }
    if mine(state, master) {
        networkd::bring_up(state, master, &params)?;
    }
    moves::attached(state, master);
    Ok(())
}

/// Gives everything to the primary, whatever lay where.
pub(super) fn destroy(shell: &mut Shell<'_>, args: &Args) -> Answer {
    let key = find(shell, "bond", "Bond", args.need("uuid")?)?.key;
    let bond = shell.state.pool.bonds[&key].clone();
    let Some(master) = shell.state.pool.pifs.get(&bond.master).cloned() else {
        shell.state.pool.bonds.remove(&key);
        return Ok(Printed::Nothing);
    };
    reach(shell, &master.host)?;
    assert_no_ha(shell.state, master.management)?;
    takes(shell, &master.host, 14_000, 29_000);
    let params = modprobe::bonding_params(shell, None);
    let state = &mut *shell.state;
    let (plugged, mine) = (master.currently_attached, master.host == state.dom0.me);
    if plugged && mine {
        networkd::force_down(state, &bond.master);
    }
    let primary = bond.primary.as_ref().or(bond.slaves.first()).cloned().unwrap_or_default();
    if master.management || master.ip_configuration_mode != "None" {
        move_configuration(state, &bond.master, &primary);
    }
    state.pool.bonds.remove(&key);
    let mut failed = None;
    for key in bond.slaves.iter().filter(|_| plugged) {
        let went = if mine { networkd::bring_up(state, key, &params) } else { Ok(()) };
        match went {
            Ok(()) => moves::attached(state, key),
            Err(text) => failed = Some((key.clone(), text)),
        }
    }
    moves::all(state, &BTreeSet::from([bond.master.clone()]), &primary);
    if master.disallow_unplug {
        state.pool.pifs.entry(primary.clone()).and_modify(|pif| pif.disallow_unplug = true);
    }
    state.pool.pifs.remove(&bond.master);
    note_management(shell, &primary);
    if let Some((key, text)) = failed {
        return Err(misconfigured(&shell.state.pool.pifs[&key].uuid, text));
    }
    answer(shell, master.management, &master.host, Printed::Nothing)
}

/// Brings a bond that is up again to what its record says: XAPI plugs it once more.
fn plug_again(shell: &mut Shell<'_>, key: &str) -> Result<(), Fault> {
    let params = modprobe::bonding_params(shell, None);
    let pif = shell.state.pool.pifs.get(key).cloned();
    let Some(pif) = pif.filter(|p| p.currently_attached && p.host == shell.state.dom0.me) else {
        return Ok(());
    };
    // Up to 7.0 the bridge backend takes nothing of it.
    let (old, bridge) = (shell.state.dom0.flavour == Flavour::El5, Backend::Bridge);
    if old && shell.state.dom0.running == bridge {
        return Ok(());
    }
    networkd::bring_up(shell.state, key, &params).map_err(|text| misconfigured(&pif.uuid, text))
}

pub(super) fn set_mode(shell: &mut Shell<'_>, args: &Args) -> Answer {
    let [uuid, word] = args.need_all(["uuid", "mode"])?;
    let mode = mode(word)?;
    let key = find(shell, "bond", "Bond", uuid)?.key;
    let before = shell.state.pool.bonds[&key].properties.clone();
    let properties = properties(mode, args, &before)?;
    shell.state.pool.bonds.entry(key.clone()).and_modify(|bond| {
        bond.mode = mode.to_string();
        bond.properties = properties;
    });
    plug_again(shell, &key)?;
    Ok(Printed::Nothing)
}

/// `bond-param-set properties:K=V`.
pub(super) fn set_property(
    shell: &mut Shell<'_>,
    bond: &str,
    key: &str,
    value: &str,
) -> Result<(), Fault> {
    let Some(record) = shell.state.pool.bonds.get_mut(bond) else { return Ok(()) };
    assert_property(&record.mode, key, value)?;
    record.properties.insert(key.to_string(), value.to_string());
    plug_again(shell, bond)
}

/// What a member's XAPI does at each of its starts: it makes the bonds of the master that it lacks,
/// of NICs of the same names, and those that have others anew; what fails is a line in its log
/// (tests/ground/managed.md, E1).
pub(crate) fn resynchronise(shell: &mut Shell<'_>) {
    let (me, master) = (shell.state.dom0.me.clone(), shell.state.pool.master.clone());
    if me == master || !shell.state.pool.hosts.get(&master).is_some_and(|host| host.live) {
        return;
    }
    let all: Vec<BondRecord> = shell.state.pool.bonds.values().cloned().collect();
    for theirs in &all {
        let pool = &shell.state.pool;
        let home = |bond: &BondRecord| pool.pifs.get(&bond.master).cloned();
        let Some(pif) = home(theirs).filter(|pif| pif.host == master) else { continue };
        let names = |bond: &BondRecord| -> BTreeSet<String> {
            order::set(
                bond.slaves.iter().filter_map(|key| Some(pool.pifs.get(key)?.device.clone())),
            )
        };
        let wanted = names(theirs);
        let ours = all.iter().find(|bond| {
            home(bond).is_some_and(|own| own.host == me && own.network == pif.network)
        });
        let nics = pool.pifs.values().filter(|p| p.host == me && p.physical && p.vlan < 0);
        let nics = nics.filter(|p| wanted.contains(&p.device)).map(|p| p.uuid.clone());
        let nics: Vec<String> = nics.collect();
        let Some(network) = pool.networks.get(&pif.network) else { continue };
        if nics.is_empty() || ours.is_some_and(|bond| names(bond) == wanted) {
            continue;
        }
        let of = |pairs: Vec<(&str, String)>| Args {
            pairs: pairs.into_iter().map(|(key, value)| (key.to_string(), value)).collect(),
            minimal: false,
        };
        let mut new = of(vec![
            ("network-uuid", network.uuid.clone()),
            ("pif-uuids", nics.join(",")),
            ("mode", theirs.mode.clone()),
        ]);
        let properties = theirs.properties.iter();
        new.pairs
            .extend(properties.map(|(key, value)| (format!("properties:{key}"), value.clone())));
        if let Some(ours) = ours {
            let _ = destroy(shell, &of(vec![("uuid", ours.uuid.clone())]));
        }
        let _ = create(shell, &new);
    }
}

/// `host-management-reconfigure`: the management goes to a PIF that has an address.
pub(super) fn manage(shell: &mut Shell<'_>, args: &Args) -> Answer {
    let key = find(shell, "pif", "PIF", args.need("pif-uuid")?)?.key;
    let pif = shell.state.pool.pifs[&key].clone();
    reach(shell, &pif.host)?;
    assert_no_ha(shell.state, true)?;
    // One that XAPI leaves alone has no bridge.
    if !pif.managed {
        let sentence = "Could not find bridge required by VM.";
        return Err(Fault::Api(sentence, vec![("bridge", String::new())]));
    }
    if pif.ip_configuration_mode == "None" {
        let sentence = "PIF has no IP configuration (mode currently set to 'none')";
        return Err(refuse(sentence, &pif.uuid));
    }
    for (other, record) in &mut shell.state.pool.pifs {
        if record.host == pif.host {
            record.management = *other == key;
        }
    }
    let params = modprobe::bonding_params(shell, None);
    if pif.host == shell.state.dom0.me {
        networkd::bring_up(shell.state, &key, &params)
            .map_err(|text| misconfigured(&pif.uuid, text))?;
        shell.state.pool.pifs.entry(key.clone()).and_modify(|pif| pif.currently_attached = true);
    }
    note_management(shell, &key);
    Ok(Printed::Nothing)
}
