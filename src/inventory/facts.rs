//! The facts that a change rests on and that its rollback must bring back, each by a key that no
//! later version words otherwise: the same list is the digest of a saved plan and the yardstick of
//! a rollback. What a fact is called in a sentence is said in [`Difference`] alone.

mod key;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

pub use key::{Fact, Value};
use serde::{Deserialize, Serialize};

use crate::host::Kind;
use crate::inventory::Inventory;
use crate::modprobe;
use crate::net::{IfName, Ipv4Net, Tagged, Uuid};
use crate::order;
use crate::paths::is_shared;
use crate::spec::{Knob, NetworkName};
use crate::xe::{Network, STATIC_ROUTES};

/// Facts by key.
pub type Facts = BTreeMap<Fact, Value>;

/// What a change has to do with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// The bond.
    pub bond: IfName,
    /// The NICs.
    pub nics: Vec<IfName>,
    /// The files.
    pub paths: Vec<String>,
    /// The bond's subnet, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnet: Option<Ipv4Net>,
    /// The devices of its tags, those that it has now and is to lose too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vlans: Vec<Tagged>,
    /// The subnets of its further networks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub further: Vec<Ipv4Net>,
    /// The bridge of a NIC that XAPI keeps, which has the address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bridge: Option<IfName>,
    /// The network of that NIC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Uuid>,
    /// The name of a network that is made or goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub named: Option<NetworkName>,
    /// The settings of NICs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tuned: Vec<(IfName, Knob)>,
}

/// The facts of this host within the scope.
#[must_use]
pub fn of(inv: &Inventory, scope: &Scope) -> Facts {
    let mut facts = Facts::new();
    let there = |device: &str| Value::there(inv.kernel.devices.contains_key(device));
    let running = inv.running_backend().map(|backend| backend.word().to_string());
    facts.insert(Fact::RunningBackend, Value::known(running));
    if let Some(bridge) = inv.management_bridge() {
        facts.insert(Fact::ManagementBridge(bridge.into()), there(bridge));
    }
    for path in &scope.paths {
        facts.insert(Fact::File(path.clone()), file(path, inv.file(path), &scope.bond));
    }
    let bond = inv.kernel.bonds.contains_key(scope.bond.as_str())
        || inv.kernel.devices.contains_key(scope.bond.as_str());
    facts.insert(Fact::Device(scope.bond.clone()), Value::there(bond));
    if let Some(mac) = inv.kernel.bond_mac(scope.bond.as_str()) {
        facts.insert(Fact::Mac(scope.bond.clone()), Value::Word(mac.to_string()));
    }
    for vlan in &scope.vlans {
        facts.insert(Fact::Vlan(vlan.clone()), there(vlan.as_str()));
    }
    for nic in &scope.nics {
        device(inv, nic, &mut facts);
        pif(inv, nic, &mut facts);
    }
    for subnet in scope.subnet.iter().chain(&scope.further) {
        let own = inv.kernel.addresses.iter().filter(|a| a.net.overlaps(*subnet));
        let own = own.map(|a| format!("{} on {}", a.net, a.device)).collect();
        facts.insert(Fact::Addresses(*subnet), Value::List(own));
    }
    if let Some(bridge) = &scope.bridge {
        let mtu = inv.kernel.devices.get(bridge.as_str()).and_then(|device| device.mtu);
        facts.insert(Fact::Mtu(bridge.clone()), Value::known(mtu.map(|mtu| mtu.to_string())));
        let through = inv.kernel.routes.iter().filter(|r| r.device == bridge.as_str());
        let through = through.filter_map(|r| Some(format!("{} via {}", r.to, r.gateway?)));
        facts.insert(Fact::Routes(bridge.clone()), Value::List(through.collect()));
    }
    if let Some(uuid) = &scope.network {
        network(inv, uuid, &mut facts);
    }
    if let Some(name) = &scope.named {
        let is = |n: &&Network| n.unused && n.name.as_deref() == Some(name.as_str());
        let count = inv.xapi.as_ref().map(|xapi| xapi.networks.iter().filter(is).count());
        let value = count.map_or(Value::Unknown, |count| Value::Word(count.to_string()));
        facts.insert(Fact::Networks(name.to_string()), value);
    }
    for (nic, knob) in &scope.tuned {
        let settings = inv.tuning.get(nic.as_str());
        let value = settings.and_then(|settings| settings.get(*knob)).map(String::from);
        // Agreed on anew with each link, and none of anybody's doing.
        let agreed = settings.and_then(|settings| settings.get(Knob::Autoneg)) != Some("off");
        if !(agreed && matches!(knob, Knob::Speed | Knob::Duplex)) {
            facts.insert(Fact::Tuned(nic.clone(), *knob), Value::known(value));
        }
    }
    let default = inv.kernel.routes.iter().filter(|r| r.to.prefix == 0);
    let gateway = |ip: Option<std::net::Ipv4Addr>| ip.map_or("none".into(), |ip| ip.to_string());
    let default = default.map(|r| format!("{} via {}", r.device, gateway(r.gateway))).collect();
    facts.insert(Fact::DefaultRoute, Value::List(default));
    facts
}

fn file(path: &str, kind: &Kind, bond: &IfName) -> Value {
    match kind {
        Kind::Absent => Value::Absent,
        Kind::Link { target } => Value::Link(target.clone()),
        Kind::Other => Value::NoFile,
        Kind::File { bytes, mode, uid, gid, .. } => {
            let rest = if is_shared(path) {
                modprobe::remove_block(bytes, bond.as_str()).ok().flatten()
            } else {
                None
            };
            let bytes = rest.as_ref().unwrap_or(bytes);
            let (mode, uid, gid) = (*mode, *uid, *gid);
            Value::File { size: bytes.len(), digest: digest(bytes), mode, uid, gid }
        }
    }
}

fn device(inv: &Inventory, nic: &IfName, facts: &mut Facts) {
    let Some(device) = inv.kernel.devices.get(nic.as_str()) else {
        facts.insert(Fact::Device(nic.clone()), Value::Absent);
        return;
    };
    // A slave's own is that of its bond.
    let mac = inv.kernel.permanent_mac(nic.as_str()).map(|mac| mac.to_string());
    facts.insert(Fact::Mac(nic.clone()), Value::known(mac));
    facts.insert(Fact::Mtu(nic.clone()), Value::known(device.mtu.map(|mtu| mtu.to_string())));
    let state = device.up.map(|up| if up { "up" } else { "down" });
    facts.insert(Fact::Up(nic.clone()), Value::known(state.map(String::from)));
    let master = device.master.clone().map_or(Value::Absent, Value::Word);
    facts.insert(Fact::Master(nic.clone()), master);
}

fn pif(inv: &Inventory, nic: &IfName, facts: &mut Facts) {
    let Some(pif) = inv.xapi.as_ref().and_then(|x| x.nic(nic.as_str())) else {
        let unknown = if inv.xapi.is_some() { Value::Absent } else { Value::Unknown };
        facts.insert(Fact::Pif(nic.clone()), unknown);
        return;
    };
    // The uuid is not among them: XAPI gives another one after a forget.
    facts.insert(Fact::Pif(nic.clone()), Value::There);
    let mut say = |field: String, value: Value| {
        facts.insert(Fact::PifField(nic.clone(), field), value);
    };
    say("MAC".into(), Value::Word(pif.mac.to_string()));
    say("managed".into(), pif.managed.map_or(Value::Absent, |m| Value::Word(m.to_string())));
    say("currently-attached".into(), Value::Word(pif.attached.to_string()));
    say("network-uuid".into(), Value::Word(pif.network.to_string()));
    if pif.bond_slave_of.is_some() {
        say("bond-slave-of".into(), Value::There);
    }
    say("disallow-unplug".into(), Value::Word(pif.disallow_unplug.to_string()));
    for (field, value) in BTreeMap::from(pif.static_ip()) {
        say(field, Value::Word(value));
    }
    for (field, map) in [("properties", &pif.properties), ("other-config", &pif.other_config)] {
        for (key, value) in map {
            say(format!("{field}:{key}"), Value::Word(value.clone()));
        }
    }
}

fn network(inv: &Inventory, uuid: &Uuid, facts: &mut Facts) {
    let known = inv.xapi.as_ref().map(|xapi| xapi.networks.iter().find(|n| n.uuid == *uuid));
    let mut say = |field: &str, of: &dyn Fn(&Network) -> Option<String>| {
        let value = match known {
            None => Value::Unknown,
            Some(found) => found.and_then(of).map_or(Value::Absent, Value::Word),
        };
        facts.insert(Fact::NetworkField(uuid.clone(), field.into()), value);
    };
    say("MTU", &|network| network.mtu.map(|mtu| mtu.to_string()));
    say(STATIC_ROUTES, &|network| network.static_routes.clone());
}

/// A fact that is another one now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Which.
    pub fact: Fact,
    /// What it was; `None`: there was none.
    pub was: Option<Value>,
    /// What it is.
    pub is: Option<Value>,
}

impl fmt::Display for Difference {
    /// A sentence; what others wrote is shown so that a terminal takes no harm.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = |value: &Option<Value>| match value {
            None => "not set".to_string(),
            Some(value) => key::value_in_words(&self.fact, value),
        };
        write!(f, "{}: was {}, is {}", self.fact.words(), value(&self.was), value(&self.is))
    }
}

/// What differs.
#[must_use]
pub fn differences(before: &Facts, now: &Facts) -> Vec<Difference> {
    let all: BTreeSet<&Fact> = order::set(before.keys().chain(now.keys()));
    all.into_iter()
        .filter(|fact| before.get(*fact) != now.get(*fact))
        .map(|fact| Difference {
            fact: fact.clone(),
            was: before.get(fact).cloned(),
            is: now.get(fact).cloned(),
        })
        .collect()
}

/// A short name for a set of facts.
#[must_use]
pub fn digest_of(facts: &Facts) -> String {
    let mut all = String::new();
    for (fact, value) in facts {
        all.push_str(&format!("{fact}={}\n", value.in_json()));
    }
    digest(all.as_bytes())
}

/// FNV-1a, 64 bits: it tells a change from none; nobody attacks it, for who can write these files
/// is root already.
#[must_use]
pub fn digest(bytes: &[u8]) -> String {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests;
