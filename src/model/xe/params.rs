//! `*-param-get`, `-set`, `-add`, `-remove` and `-clear`.

use super::answer::{Answer, Args, Fault, Printed, bad_value, find};
use super::bond;
use super::lists::lookup;
use super::records::{Class, Field, Record, Value};
use crate::model::programs::shell::Shell;
use crate::model::state::{Map, Release, State};

/// Reads a field, or a key of it. A key of a field without keys is not looked at.
pub(super) fn get(shell: &Shell<'_>, class: &Class, args: &Args) -> Answer {
    let [uuid, name] = args.need_all(["uuid", "param-name"])?;
    let record = find(shell, class.name, class.kind, uuid)?;
    let Some(field) = record.field(name) else {
        return Err(Fault::Code("Missing parameter", name.to_string()));
    };
    match (args.get("param-key"), &field.value) {
        (Some(key), Value::Map(map)) => match map.get(key) {
            Some(value) => Ok(Printed::line(value)),
            None => Err(Fault::Plain(format!("Key {key} not found in map"))),
        },
        (_, Value::Expensive) => Ok(Printed::line("<unknown>")),
        _ => Ok(Printed::line(field.text())),
    }
}

/// Sets fields and keys one after the other, up to the first that is refused.
pub(super) fn set(shell: &mut Shell<'_>, class: &Class, args: &Args) -> Answer {
    let record = find(shell, class.name, class.kind, args.need("uuid")?)?;
    for (name, value) in args.pairs.iter().filter(|(name, _)| name != "uuid") {
        let Some((field, key)) = lookup(&record, name) else {
            return Err(Fault::Plain(format!("Unknown field '{name}'")));
        };
        match key {
            Some(key) if class.name == "bond" && field.name == "properties" => {
                bond::set_property(shell, &record.key, key, value)?;
            }
            Some(key) => put(shell.state, class, &record, field, key, value)?,
            None if matches!(field.value, Value::Map(_) | Value::Set(_)) => {
                return Err(Fault::Plain(format!(
                    "Field '{name}' is a map or set. use the 'name:key=value' syntax."
                )));
            }
            None if !field.writable => {
                return Err(Fault::Plain(format!("Field '{name}' is read-only.")));
            }
            None => {
                let value = passed(shell.state, value)?;
                assign(shell.state, class.name, &record, field.name, &value)?;
            }
        }
    }
    Ok(Printed::Nothing)
}

/// A text as it gets through to XAPI, which takes what XML can hold.
fn passed(state: &State, text: &str) -> Result<String, Fault> {
    let bad = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r') && (c as u32) < 0x80;
    if !text.contains(bad) {
        return Ok(text.to_string());
    }
    if state.release() >= Release::V26_1 {
        return Ok(text.replace(bad, ""));
    }
    Err(bad_value("Invalid UTF-8 string in parameter", format!("S({text})")))
}

/// The map of a field that can be changed, in the state.
fn map_of<'a>(state: &'a mut State, class: &str, key: &str, field: &str) -> Option<&'a mut Map> {
    let pool = &mut state.pool;
    match (class, field) {
        ("pif", "other-config") => pool.pifs.get_mut(key).map(|p| &mut p.other_config),
        ("pif", "properties") => pool.pifs.get_mut(key).map(|p| &mut p.properties),
        ("network", "other-config") => pool.networks.get_mut(key).map(|n| &mut n.other_config),
        ("host", "other-config") => pool.hosts.get_mut(key).map(|h| &mut h.other_config),
        ("pool", "other-config") => Some(&mut pool.other_config),
        _ => None,
    }
}

/// Sets one key.
fn put(
    state: &mut State,
    class: &Class,
    record: &Record,
    field: &Field,
    key: &str,
    value: &str,
) -> Result<(), Fault> {
    if field.name == "properties" {
        // `gro` is the only property, and a switch.
        if key != "gro" || !["on", "off"].contains(&value) {
            return Err(bad_value("properties", format!("{key} = {value}")));
        }
    } else if !field.writable {
        return Err(Fault::Plain(format!("Field '{}' is read-only.", field.name)));
    }
    if key.is_empty() {
        return Err(Fault::Server("Db_exn.Empty_key_in_map".to_string()));
    }
    let (key, value) = (passed(state, key)?, passed(state, value)?);
    match map_of(state, class.name, &record.key, field.name) {
        Some(map) => drop(map.insert(key, value)),
        None => note(state, record, field, |map| drop(map.insert(key, value))),
    }
    Ok(())
}

/// Changes a map that is only noted.
fn note(state: &mut State, record: &Record, field: &Field, alter: impl FnOnce(&mut Map)) {
    let mut map = match &field.value {
        Value::Map(map) => map.clone(),
        _ => Map::new(),
    };
    alter(&mut map);
    let text = map.iter().map(|(k, v)| format!("{k}: {v}")).collect::<Vec<_>>().join("; ");
    state.pool.notes.entry(record.uuid()).or_default().insert(field.name.to_string(), text);
}

/// Sets a field that is a plain value.
fn assign(
    state: &mut State,
    class: &str,
    record: &Record,
    name: &str,
    value: &str,
) -> Result<(), Fault> {
    let pool = &mut state.pool;
    let key = &record.key;
    match (class, name) {
        ("pif", "disallow-unplug") => {
            // `bool_of_string`: these two words and no others.
            let yes = value.parse::<bool>().map_err(|_| {
                Fault::Plain(format!(
                    "Failed to parse parameter '{name}': expecting a boolean (true or false)"
                ))
            })?;
            if let Some(pif) = pool.pifs.get_mut(key) {
                pif.disallow_unplug = yes;
            }
        }
        ("network", "MTU") => {
            let mtu = value.parse().map_err(|_| {
                Fault::Plain(format!("Failed to parse parameter '{name}': expecting an integer"))
            })?;
            if let Some(network) = pool.networks.get_mut(key) {
                network.mtu = mtu;
            }
        }
        ("network", "name-label") => {
            pool.networks.entry(key.clone()).and_modify(|n| n.name_label = value.to_string());
        }
        ("network", "name-description") => {
            pool.networks.entry(key.clone()).and_modify(|n| n.name_description = value.to_string());
        }
        ("host", "name-label") => {
            pool.hosts.entry(key.clone()).and_modify(|h| h.name_label = value.to_string());
        }
        ("pool", "name-label") => pool.name_label = value.to_string(),
        ("vm", "name-label") => {
            pool.vms.entry(key.clone()).and_modify(|vm| vm.name_label = value.to_string());
        }
        _ => {
            let notes = pool.notes.entry(record.uuid()).or_default();
            notes.insert(name.to_string(), value.to_string());
        }
    }
    Ok(())
}

/// The record and the map that an `-add`, `-remove` or `-clear` names.
fn named(
    shell: &Shell<'_>,
    class: &Class,
    args: &Args,
    refusal: &str,
) -> Result<(Record, Field, Map), Fault> {
    let [uuid, name] = args.need_all(["uuid", "param-name"])?;
    let record = find(shell, class.name, class.kind, uuid)?;
    let Some(field) = record.field(name).cloned() else {
        return Err(Fault::Plain(format!("Unknown field '{name}'")));
    };
    match field.value.clone() {
        Value::Map(map) if field.writable => Ok((record, field, map)),
        _ => Err(Fault::Plain(refusal.to_string())),
    }
}

fn alter(shell: &mut Shell<'_>, class: &Class, record: &Record, field: &Field, map: Map) -> Answer {
    match map_of(shell.state, class.name, &record.key, field.name) {
        Some(now) => *now = map,
        None => note(shell.state, record, field, |now| *now = map),
    }
    Ok(Printed::Nothing)
}

/// Removes a key, which must be there.
pub(super) fn remove(shell: &mut Shell<'_>, class: &Class, args: &Args) -> Answer {
    let refusal = "Cannot remove parameters from read-only map";
    let [_, _, key] = args.need_all(["uuid", "param-name", "param-key"])?;
    let (record, field, mut map) = named(shell, class, args, refusal)?;
    if map.remove(key).is_none() {
        let what =
            if shell.state.release() > Release::V6_2 { format!(" {key}") } else { String::new() };
        return Err(Fault::Plain(format!("Key{what} is not in map")));
    }
    alter(shell, class, &record, &field, map)
}

/// Adds keys, none of which may be there.
pub(super) fn add(shell: &mut Shell<'_>, class: &Class, args: &Args) -> Answer {
    let refusal = "Cannot add parameters to read-only map";
    let (record, field, mut map) = named(shell, class, args, refusal)?;
    let new = args.pairs.iter().filter(|(name, _)| name != "uuid" && name != "param-name");
    for (key, value) in new {
        let (key, value) = (passed(shell.state, key)?, passed(shell.state, value)?);
        if map.contains_key(&key) {
            alter(shell, class, &record, &field, map)?;
            return Err(Fault::Api(
                "You tried to add a key-value pair to a map, but that key is already there.",
                vec![
                    ("type", class.kind.to_string()),
                    ("param_name", field.name.replace('-', "_")),
                    ("uuid", record.uuid()),
                    ("new_value", key),
                ],
            ));
        }
        map.insert(key, value);
    }
    alter(shell, class, &record, &field, map)
}

/// Empties a map.
pub(super) fn clear(shell: &mut Shell<'_>, class: &Class, args: &Args) -> Answer {
    let (record, field, _) = named(shell, class, args, "Can only clear RW fields")?;
    alter(shell, class, &record, &field, Map::new())
}
