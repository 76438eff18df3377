//! A state of the model made from facts, which are records as lists print them. What no fact
//! says of a record is as on any healthy host, and nothing that is printed may rest on it.

use std::collections::{BTreeMap, BTreeSet};

use xenbond::model::builtin;
use xenbond::model::state::{
    Backend, BondRecord, Device, Flavour, HostRecord, Map, Network, Nic, Pbd, Pif, Release, Sr,
    State, Tunnel, Vif, Vlan, Vm,
};

use super::evidence::{Facts, Fields, Id, NIL, id};
use super::recording::is_uuid;
use super::table::entries;

/// What a state is made of besides facts.
pub struct Frame<'a> {
    pub release: Release,
    pub backend: Backend,
    /// The uuid of the host that is asked.
    pub me: Option<&'a str>,
    /// Each host's NICs: devices and addresses.
    pub nics: &'a BTreeMap<String, Map>,
}

/// What a record says of a field.
struct Said<'a>(&'a Fields);

impl Said<'_> {
    fn text(&self, name: &str, usual: &str) -> String {
        self.0.get(name).map_or(usual, String::as_str).to_string()
    }
    fn yes(&self, name: &str, usual: bool) -> bool {
        self.0.get(name).map_or(usual, |text| text == "true")
    }
    fn map(&self, name: &str) -> Map {
        entries(self.0.get(name).map_or("", String::as_str))
    }
    fn number<T: std::str::FromStr>(&self, name: &str, usual: T) -> T {
        self.0.get(name).and_then(|text| text.parse().ok()).unwrap_or(usual)
    }
    fn list(&self, name: &str) -> Vec<String> {
        let text = self.0.get(name).map_or("", String::as_str);
        text.split("; ").filter(|uuid| is_uuid(uuid)).map(str::to_string).collect()
    }
}

/// Takes out what cannot be there together with the rest: two records of one device, bonds, VLANs
/// and tunnels without their PIF, or the other way round. `wanted` stay.
pub fn consistent(facts: &mut Facts, wanted: &BTreeSet<Id>) {
    let place = |fields: &Fields| {
        let host = fields.get("host-uuid")?;
        let tag = fields.get("VLAN").map_or("-1", String::as_str);
        Some((host.clone(), fields.get("device")?.clone(), tag.to_string()))
    };
    let of = |id: &Id, facts: &Facts| (id.0 == "pif").then(|| place(&facts[id])).flatten();
    let kept = wanted.iter().filter(|id| facts.contains_key(*id));
    let mut taken: BTreeSet<_> = kept.filter_map(|id| of(id, facts)).collect();
    let others: Vec<Id> = facts.keys().filter(|id| !wanted.contains(*id)).cloned().collect();
    for pif in others {
        if let Some(place) = of(&pif, facts)
            && !taken.insert(place)
        {
            facts.remove(&pif);
        }
    }
    for (name, class) in
        [("bond-master-of", "bond"), ("vlan-master-of", "vlan"), ("tunnel-access-PIF-of", "tunnel")]
    {
        let gone = |fields: &Fields| {
            let uuid = fields.get(name).filter(|uuid| is_uuid(uuid));
            uuid.is_some_and(|uuid| !facts.contains_key(&id(class, uuid)))
        };
        let gone: Vec<Id> = facts
            .iter()
            .filter(|(id, f)| id.0 == "pif" && gone(f))
            .map(|(id, _)| id.clone())
            .collect();
        for pif in gone {
            facts.remove(&pif);
        }
    }
}

/// The state that the facts make.
pub fn state(frame: &Frame<'_>, facts: &Facts) -> State {
    let flavour = if frame.release == Release::V6_2 { Flavour::El5 } else { Flavour::El7 };
    let mut state = builtin::pool(flavour, frame.backend);
    let pool = &mut state.pool;
    pool.release = Some(frame.release);
    pool.hosts.clear();
    pool.networks.clear();
    pool.pifs.clear();
    pool.bonds.clear();
    pool.vlans.clear();
    pool.vms.clear();
    pool.vifs.clear();
    pool.srs.clear();
    pool.pbds.clear();
    let of = |class: &'static str| {
        facts.iter().filter(move |(id, _)| id.0 == class).map(|(id, f)| (id.1.clone(), Said(f)))
    };
    for (uuid, said) in of("pool") {
        pool.name_label = said.text("name-label", "");
        pool.master = said.text("master", "");
        pool.ha_enabled = said.yes("ha-enabled", false);
        pool.other_config = said.map("other-config");
        pool.uuid = uuid;
    }
    for (uuid, said) in of("host") {
        pool.hosts.insert(uuid.clone(), host(frame, &uuid, &said));
    }
    for (uuid, said) in of("network") {
        pool.networks.insert(uuid.clone(), network(&uuid, &said));
    }
    for (uuid, said) in of("pif") {
        pool.pifs.insert(uuid.clone(), pif(&uuid, &said));
    }
    for (uuid, said) in of("vm") {
        pool.vms.insert(uuid.clone(), vm(&uuid, &said));
    }
    for (uuid, said) in of("vif") {
        pool.vifs.insert(uuid.clone(), vif(&uuid, &said));
    }
    for (uuid, said) in of("sr") {
        let sr = Sr {
            uuid: uuid.clone(),
            name_label: said.text("name-label", ""),
            kind: said.text("type", ""),
            shared: said.yes("shared", false),
        };
        pool.srs.insert(uuid, sr);
    }
    for (uuid, said) in of("pbd") {
        let pbd = Pbd {
            uuid: uuid.clone(),
            host: said.text("host-uuid", ""),
            sr: said.text("sr-uuid", ""),
            currently_attached: said.yes("currently-attached", true),
            device_config: said.map("device-config"),
        };
        pool.pbds.insert(uuid, pbd);
    }
    relations(&mut state, facts);
    for ((_, uuid), fields) in facts {
        state.pool.notes.insert(uuid.clone(), fields.clone());
    }
    kernel(&mut state, frame);
    state
}

fn host(frame: &Frame<'_>, uuid: &str, said: &Said<'_>) -> HostRecord {
    let mut software_version = said.map("software-version");
    let backend = frame.backend.word().to_string();
    software_version.entry("network_backend".into()).or_insert(backend);
    HostRecord {
        uuid: uuid.to_string(),
        name_label: said.text("name-label", ""),
        hostname: said.text("hostname", &said.text("name-label", "")),
        address: said.text("address", ""),
        enabled: said.yes("enabled", true),
        live: said.yes("host-metrics-live", true),
        software_version,
        other_config: said.map("other-config"),
        nics: frame.nics.get(uuid).cloned().unwrap_or_default(),
    }
}

fn network(uuid: &str, said: &Said<'_>) -> Network {
    Network {
        uuid: uuid.to_string(),
        name_label: said.text("name-label", ""),
        name_description: said.text("name-description", ""),
        bridge: said.text("bridge", &format!("of {uuid}")),
        mtu: said.number("MTU", 1500),
        managed: said.yes("managed", true),
        other_config: said.map("other-config"),
    }
}

fn pif(uuid: &str, said: &Said<'_>) -> Pif {
    let device = said.text("device", &format!("eth{}", &uuid[..4]));
    let vlan = said.number("VLAN", -1);
    let properties = if said.0.contains_key("properties") {
        said.map("properties")
    } else {
        Map::from([("gro".to_string(), "on".to_string())])
    };
    Pif {
        uuid: uuid.to_string(),
        host: said.text("host-uuid", ""),
        mac: said.text("MAC", "fe:ff:ff:ff:ff:ff"),
        physical: said.yes("physical", device.starts_with("eth") && vlan < 0),
        managed: said.yes("managed", true),
        currently_attached: said.yes("currently-attached", true),
        mtu: said.number("MTU", 1500),
        vlan,
        management: said.yes("management", false),
        network: said.text("network-uuid", ""),
        ip_configuration_mode: said.text("IP-configuration-mode", "None"),
        ip: said.text("IP", ""),
        netmask: said.text("netmask", ""),
        gateway: said.text("gateway", ""),
        dns: said.text("DNS", ""),
        disallow_unplug: said.yes("disallow-unplug", false),
        properties,
        other_config: said.map("other-config"),
        sriov: said.0.get("sriov-physical-PIF-of").filter(|t| !t.is_empty()).cloned(),
        device,
    }
}

fn vm(uuid: &str, said: &Said<'_>) -> Vm {
    let name_label = said.text("name-label", "");
    let on = said.text("resident-on", NIL);
    Vm {
        uuid: uuid.to_string(),
        is_control_domain: said
            .yes("is-control-domain", name_label.starts_with("Control domain on host")),
        name_label,
        power_state: said.text("power-state", "running"),
        resident_on: Some(on).filter(|on| is_uuid(on)),
        stays: false,
    }
}

fn vif(uuid: &str, said: &Said<'_>) -> Vif {
    Vif {
        uuid: uuid.to_string(),
        vm: said.text("vm-uuid", ""),
        device: said.text("device", "0"),
        network: said.text("network-uuid", ""),
        mac: said.text("MAC", ""),
        currently_attached: said.yes("currently-attached", false),
    }
}

/// Bonds, VLANs and tunnels, which the PIFs' records tie together.
fn relations(state: &mut State, facts: &Facts) {
    let pool = &mut state.pool;
    let pifs =
        || facts.iter().filter(|(id, _)| id.0 == "pif").map(|(id, fields)| (&id.1, Said(fields)));
    let among = |name: &str, uuid: &str| -> Vec<String> {
        pifs()
            .filter(|(_, s)| s.list(name).iter().any(|u| u == uuid))
            .map(|(p, _)| p.clone())
            .collect()
    };
    for ((class, uuid), fields) in facts {
        let said = Said(fields);
        match class.as_str() {
            "bond" => {
                let masters = among("bond-master-of", uuid);
                let master = masters.first().cloned();
                let master = master.unwrap_or_else(|| said.text("master", uuid));
                let record = BondRecord {
                    uuid: uuid.clone(),
                    master: master.clone(),
                    slaves: among("bond-slave-of", uuid).into_iter().collect(),
                    mode: said.text("mode", "balance-slb"),
                    properties: said.map("properties"),
                    primary: fields.get("primary-slave").cloned(),
                };
                pool.bonds.insert(master, record);
            }
            "vlan" => {
                let tagged = among("vlan-master-of", uuid).first().cloned().unwrap_or_default();
                let base = among("vlan-slave-of", uuid).first().cloned().unwrap_or_default();
                let tag = pool.pifs.get(&tagged).map_or(0, |p| p.vlan);
                let vlan = Vlan {
                    uuid: uuid.clone(),
                    tag: said.number("tag", tag),
                    tagged: tagged.clone(),
                    untagged: base,
                };
                pool.vlans.insert(if tagged.is_empty() { uuid.clone() } else { tagged }, vlan);
            }
            "tunnel" => {
                let end = |name| among(name, uuid).first().cloned().unwrap_or_default();
                let tunnel = Tunnel {
                    uuid: uuid.clone(),
                    access: end("tunnel-access-PIF-of"),
                    transport: end("tunnel-transport-PIF-of"),
                };
                pool.tunnels.insert(uuid.clone(), tunnel);
            }
            _ => {}
        }
    }
}

/// The kernel of the host that is asked: its NICs, and their bridges.
fn kernel(state: &mut State, frame: &Frame<'_>) {
    let dom0 = &mut state.dom0;
    let spare = dom0.nics.values().next().cloned();
    dom0.me = frame.me.unwrap_or_default().to_string();
    dom0.nics.clear();
    dom0.bonds.clear();
    dom0.vswitch.clear();
    dom0.devices.clear();
    // The recordings were made on a kernel without these (their README).
    for module in ["bonding", "8021q"] {
        dom0.modules.remove(module);
        dom0.features.missing_modules.insert(module.to_string());
    }
    let Some(spare) = spare else { return };
    for (device, mac) in frame.nics.get(&dom0.me).into_iter().flatten() {
        let nic =
            Nic { mac: mac.clone(), permanent_mac: mac.clone(), master: None, ..spare.clone() };
        dom0.nics.insert(device.clone(), nic);
    }
    let me = dom0.me.clone();
    for pif in state.pool.pifs.values().filter(|p| p.host == me && p.physical) {
        let nic = || Nic {
            mac: pif.mac.clone(),
            permanent_mac: pif.mac.clone(),
            master: None,
            ..spare.clone()
        };
        dom0.nics.entry(pif.device.clone()).or_insert_with(nic);
    }
    for pif in state.pool.pifs.values().filter(|p| p.host == me && p.managed && p.vlan < 0) {
        let Some(net) = state.pool.networks.get(&pif.network) else { continue };
        if !pif.currently_attached || !dom0.nics.contains_key(&pif.device) {
            continue;
        }
        let ovs = frame.backend == Backend::Openvswitch;
        let device = Device {
            kind: if ovs { "ovs" } else { "bridge" }.to_string(),
            mac: pif.mac.clone(),
            mtu: 1500,
            up: true,
            master: None,
            below: None,
            tag: None,
        };
        dom0.devices.insert(net.bridge.clone(), device);
        let home = if ovs { "ovs-system".to_string() } else { net.bridge.clone() };
        if let Some(nic) = dom0.nics.get_mut(&pif.device) {
            nic.master = Some(home);
        }
    }
}
