//! The facts that a change rests on and that its rollback must bring back, each with a name: the
//! same list is the digest of a saved plan and the yardstick of a rollback.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::host::Kind;
use crate::inventory::Inventory;
use crate::modprobe;
use crate::net::{IfName, Ipv4Net};
use crate::paths::is_shared;

/// The one fact that only a reboot changes.
pub const RUNNING_BACKEND: &str = "running backend";

/// A value that nothing tells.
pub const UNKNOWN: &str = "unknown";

/// Begins the name of the fact whether the management bridge is there.
pub const MANAGEMENT_BRIDGE: &str = "management bridge";

/// Facts by name.
pub type Facts = BTreeMap<String, String>;

/// What a change has to do with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// The bond.
    pub bond: IfName,
    /// The NICs.
    pub nics: Vec<IfName>,
    /// The files.
    pub paths: Vec<String>,
    /// The bond's subnet.
    pub subnet: Ipv4Net,
}

/// The facts of this host within the scope.
#[must_use]
pub fn of(inv: &Inventory, scope: &Scope) -> Facts {
    let mut facts = Facts::new();
    let mut say = |name: String, value: String| facts.insert(name, value);
    say(RUNNING_BACKEND.into(), inv.running_backend().unwrap_or_else(|| UNKNOWN.into()));
    if let Some(bridge) = inv.management_bridge() {
        let there = inv.kernel.devices.contains_key(bridge);
        say(
            format!("{MANAGEMENT_BRIDGE} {bridge}"),
            if there { "there" } else { "not there" }.into(),
        );
    }
    for path in &scope.paths {
        say(format!("file {path}"), file(path, inv.file(path), &scope.bond));
    }
    let bond = inv.kernel.bonds.contains_key(scope.bond.as_str())
        || inv.kernel.devices.contains_key(scope.bond.as_str());
    say(format!("device {}", scope.bond), if bond { "there" } else { "not there" }.into());
    for nic in &scope.nics {
        device(inv, nic, &mut say);
        pif(inv, nic, &mut say);
    }
    let own: Vec<String> = inv
        .kernel
        .addresses
        .iter()
        .filter(|a| a.net.overlaps(scope.subnet))
        .map(|a| format!("{} on {}", a.net, a.device))
        .collect();
    say(format!("addresses in {}", scope.subnet), list(&own));
    let default: Vec<String> = inv
        .kernel
        .routes
        .iter()
        .filter(|r| r.to.prefix == 0)
        .map(|r| format!("{} via {}", r.device, r.gateway.map_or("none".into(), |g| g.to_string())))
        .collect();
    say("default route".into(), list(&default));
    facts
}

fn list(all: &[String]) -> String {
    if all.is_empty() { "none".into() } else { all.join(", ") }
}

fn file(path: &str, kind: &Kind, bond: &IfName) -> String {
    match kind {
        Kind::Absent => "absent".into(),
        Kind::Link { target } => format!("a link to {target}"),
        Kind::Other => "no file".into(),
        Kind::File { bytes, mode, uid, gid, .. } => {
            let rest = if is_shared(path) {
                modprobe::remove_block(bytes, bond.as_str()).ok().flatten()
            } else {
                None
            };
            let bytes = rest.as_ref().unwrap_or(bytes);
            format!("{} bytes, {}, mode {mode:04o}, owner {uid}:{gid}", bytes.len(), digest(bytes))
        }
    }
}

fn device(inv: &Inventory, nic: &IfName, say: &mut impl FnMut(String, String) -> Option<String>) {
    let Some(device) = inv.kernel.devices.get(nic.as_str()) else {
        say(format!("device {nic}"), "not there".into());
        return;
    };
    let unknown = || UNKNOWN.to_string();
    // A slave's own is that of its bond.
    let mac = inv.kernel.permanent_mac(nic.as_str()).map(|mac| mac.to_string());
    say(format!("{nic} MAC address"), mac.unwrap_or_else(unknown));
    say(format!("{nic} MTU"), device.mtu.map_or_else(unknown, |m| m.to_string()));
    say(format!("{nic} master"), device.master.clone().unwrap_or_else(|| "none".into()));
}

fn pif(inv: &Inventory, nic: &IfName, say: &mut impl FnMut(String, String) -> Option<String>) {
    let name = |field: &str| format!("PIF of {nic}, {field}");
    let Some(pif) = inv.xapi.as_ref().and_then(|x| x.nic(nic.as_str())) else {
        say(format!("PIF of {nic}"), if inv.xapi.is_some() { "none" } else { UNKNOWN }.into());
        return;
    };
    // The uuid is not among them: XAPI gives another one after a forget.
    say(format!("PIF of {nic}"), "there".into());
    say(name("MAC"), pif.mac.clone());
    say(name("managed"), pif.managed.map_or("no such field".into(), |m| m.to_string()));
    say(name("currently-attached"), pif.attached.to_string());
    say(name("network-uuid"), pif.network.to_string());
    say(name("disallow-unplug"), pif.disallow_unplug.to_string());
    for (field, value) in BTreeMap::from(pif.static_ip()) {
        say(name(&field), value);
    }
    for (field, map) in [("properties", &pif.properties), ("other-config", &pif.other_config)] {
        for (key, value) in map {
            say(name(&format!("{field}:{key}")), value.clone());
        }
    }
}

/// What differs, a sentence for each.
#[must_use]
pub fn differences(before: &Facts, now: &Facts) -> Vec<(String, String)> {
    let names: std::collections::BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    names
        .into_iter()
        .filter(|name| before.get(*name) != now.get(*name))
        .map(|name| {
            let value =
                |facts: &Facts| facts.get(name).map_or("not set", String::as_str).to_string();
            (name.clone(), format!("{name}: was {}, is {}", value(before), value(now)))
        })
        .collect()
}

/// A short name for a set of facts.
#[must_use]
pub fn digest_of(facts: &Facts) -> String {
    let all: Vec<String> = facts.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    digest(all.concat().as_bytes())
}

/// FNV-1a, 64 bits: it tells a change from none; nobody attacks it, for who can write these files
/// is root already.
fn digest(bytes: &[u8]) -> String {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests;
