//! XAPI's records as `xe` shows them: fields in order, tags, and which are shown by default
//! (facts/xapi.md section A5).

use crate::model::state::{Flavour, Map, Pif, Pool, State, uuid_of};

/// What a value is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    Set(Vec<String>),
    Map(Map),
}

/// A field of a record.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    /// Written with `param-set`.
    pub(super) writable: bool,
    pub(super) value: Value,
}

impl Field {
    /// As `print_field` shows its kind.
    pub(super) fn label(&self) -> String {
        let kind = match (&self.value, self.writable) {
            (Value::Text(_), false) => " RO",
            (Value::Text(_), true) => " RW",
            (Value::Set(_), false) => "SRO",
            (Value::Set(_), true) => "SRW",
            (Value::Map(_), false) => "MRO",
            (Value::Map(_), true) => "MRW",
        };
        format!("{} ({kind})", self.name)
    }

    /// Its value in one line, nothing escaped.
    pub(super) fn text(&self) -> String {
        match &self.value {
            Value::Text(text) => text.clone(),
            Value::Set(list) => list.join("; "),
            Value::Map(map) => {
                map.iter().map(|(k, v)| format!("{k}: {v}")).collect::<Vec<_>>().join("; ")
            }
        }
    }
}

/// A record: its key in the state, and its fields in order.
pub(super) struct Record {
    pub(super) key: String,
    pub(super) fields: Vec<Field>,
}

impl Record {
    pub(super) fn uuid(&self) -> String {
        self.fields.first().map(Field::text).unwrap_or_default()
    }
    pub(super) fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|f| f.name == name)
    }
}

const NIL: &str = "<not in database>";

fn ro(name: &'static str, value: impl ToString) -> Field {
    Field { name, writable: false, value: Value::Text(value.to_string()) }
}
fn rw(name: &'static str, value: impl ToString) -> Field {
    Field { writable: true, ..ro(name, value) }
}
fn set(name: &'static str, value: Vec<String>) -> Field {
    Field { name, writable: false, value: Value::Set(value) }
}
fn map(name: &'static str, writable: bool, value: &Map) -> Field {
    Field { name, writable, value: Value::Map(value.clone()) }
}

/// Classes: command prefix, name in errors, fields shown by default.
pub(super) const CLASSES: [(&str, &str, &[&str]); 12] = [
    ("host", "host", &["uuid", "name-label", "name-description"]),
    ("pif", "PIF", &["uuid", "device", "VLAN", "mac", "network-uuid", "currently-attached"]),
    ("network", "network", &["uuid", "name-label", "name-description", "bridge"]),
    ("bond", "Bond", &["uuid", "master", "slaves"]),
    ("vlan", "VLAN", &["uuid", "tagged-PIF", "untagged-PIF", "tag"]),
    ("tunnel", "tunnel", &["uuid", "transport-PIF", "access-PIF", "status"]),
    ("vif", "VIF", &["uuid", "vm-uuid", "device", "network-uuid"]),
    ("vm", "VM", &["uuid", "name-label", "power-state"]),
    ("pool", "pool", &["uuid", "name-label", "name-description", "master", "default-SR"]),
    ("pbd", "PBD", &["uuid", "host-uuid", "sr-uuid", "device-config", "currently-attached"]),
    ("sr", "SR", &["uuid", "name-label", "name-description", "host", "type", "content-type"]),
    ("cluster-host", "Cluster_host", &["uuid", "cluster", "pif", "host", "enabled"]),
];

/// All records of a class, in the order of the database: none that means anything.
pub(super) fn records(state: &State, class: &str) -> Vec<Record> {
    let pool = &state.pool;
    let mut list: Vec<Record> = match class {
        "host" => pool.hosts.keys().map(|k| host(state, k)).collect(),
        "pif" => pool.pifs.iter().map(|(k, p)| pif(state, k, p)).collect(),
        "network" => pool.networks.keys().map(|k| network(state, k)).collect(),
        "bond" => pool.bonds.keys().map(|k| bond(state, k)).collect(),
        "vlan" => pool
            .vlans
            .iter()
            .map(|(key, v)| Record {
                key: key.clone(),
                fields: vec![
                    ro("uuid", &v.uuid),
                    ro("tagged-PIF", pif_uuid(state, &v.tagged)),
                    ro("untagged-PIF", pif_uuid(state, &v.untagged)),
                    ro("tag", v.tag),
                ],
            })
            .collect(),
        "tunnel" => pool
            .tunnels
            .iter()
            .map(|(key, t)| Record {
                key: key.clone(),
                fields: vec![
                    ro("uuid", &t.uuid),
                    ro("transport-PIF", pif_uuid(state, &t.transport)),
                    ro("access-PIF", pif_uuid(state, &t.access)),
                    map("status", false, &Map::from([("active".into(), "true".into())])),
                    map("other-config", true, &Map::new()),
                ],
            })
            .collect(),
        "vif" => pool.vifs.keys().map(|k| vif(state, k)).collect(),
        "vm" => pool.vms.keys().map(|k| vm(state, k)).collect(),
        "pool" => vec![pool_record(state)],
        "pbd" => pool.pbds.keys().map(|k| pbd(state, k)).collect(),
        "sr" => pool.srs.keys().map(|k| sr(state, k)).collect(),
        "cluster-host" => pool.cluster_hosts.keys().map(|k| cluster_host(state, k)).collect(),
        _ => Vec::new(),
    };
    list.sort_by_key(Record::uuid);
    list
}

fn pif_uuid(state: &State, key: &str) -> String {
    state.pool.pifs.get(key).map_or_else(|| "<invalid reference>".to_string(), |p| p.uuid.clone())
}

fn host_uuid(state: &State, key: &str) -> String {
    state.pool.hosts.get(key).map_or_else(|| NIL.to_string(), |h| h.uuid.clone())
}

/// What lies on a PIF and what it lies in: bonds as master and slave, tunnels as end and carrier.
fn relations(pool: &Pool, key: &str) -> [String; 4] {
    let bonds = || pool.bonds.values();
    let of =
        bonds().filter(|b| b.master == key).map(|b| b.uuid.clone()).collect::<Vec<_>>().join("; ");
    let slave =
        bonds().find(|b| b.slaves.contains(key)).map_or(NIL.to_string(), |b| b.uuid.clone());
    let tunnels = |fits: &dyn Fn(&crate::model::state::Tunnel) -> bool| {
        pool.tunnels
            .values()
            .filter(|t| fits(t))
            .map(|t| t.uuid.clone())
            .collect::<Vec<_>>()
            .join("; ")
    };
    let access = tunnels(&|t| t.access == key);
    let transport = tunnels(&|t| t.transport == key);
    [of, slave, access, transport]
}

fn pif(state: &State, key: &str, pif: &Pif) -> Record {
    let (pool, dom0) = (&state.pool, &state.dom0);
    let (managed, new) = (dom0.features.xe_managed, dom0.flavour == Flavour::El7);
    let [of, slave, access, transport] = relations(pool, key);
    let net = pool.networks.get(&pif.network);
    let host = pool.hosts.get(&pif.host);
    // What is known of another host's links is what its own XAPI last said: all good.
    let mine = pif.host == dom0.me;
    let nic = dom0.nics.get(&pif.device).filter(|_| mine);
    let carrier = if mine { dom0.carrier(&pif.device) } else { true };
    let speed = if carrier { nic.map_or(10_000, |n| n.speed) } else { 0 };
    let mut fields = vec![
        ro("uuid", &pif.uuid),
        ro("device", &pif.device),
        ro("MAC", &pif.mac),
        ro("physical", pif.physical),
    ];
    if managed {
        fields.push(ro("managed", pif.managed));
    }
    fields.extend([
        ro("currently-attached", pif.currently_attached),
        ro("MTU", pif.mtu),
        ro("VLAN", pif.vlan),
        ro("bond-master-of", of),
        ro("bond-slave-of", slave),
    ]);
    if new {
        fields.push(ro("sriov-physical-PIF-of", pif.sriov.as_deref().unwrap_or_default()));
        fields.push(ro("sriov-logical-PIF-of", ""));
    }
    fields.extend([
        ro("tunnel-access-PIF-of", access),
        ro("tunnel-transport-PIF-of", transport),
        ro("management", pif.management),
        ro("network-uuid", net.map_or("<invalid reference>", |n| n.uuid.as_str())),
        ro("network-name-label", net.map_or("<invalid reference>", |n| n.name_label.as_str())),
        ro("host-uuid", host.map_or("<invalid reference>", |h| h.uuid.as_str())),
        ro("host-name-label", host.map_or("<invalid reference>", |h| h.name_label.as_str())),
        ro("IP-configuration-mode", &pif.ip_configuration_mode),
        ro("IP", &pif.ip),
        ro("netmask", &pif.netmask),
        ro("gateway", &pif.gateway),
        ro("IPv6-configuration-mode", "None"),
        ro("IPv6", ""),
        ro("IPv6-gateway", ""),
        ro("primary-address-type", "IPv4"),
        ro("DNS", &pif.dns),
    ]);
    if managed {
        fields.push(map("properties", false, &pif.properties));
    }
    if new {
        fields.push(set("capabilities", Vec::new()));
    }
    fields.extend([
        ro("io_read_kbs", "0.000"),
        ro("io_write_kbs", "0.000"),
        ro("carrier", carrier),
        ro("vendor-id", "8086"),
        ro("vendor-name", "Intel Corporation"),
        ro("device-id", "10fb"),
        ro("device-name", "82599ES 10-Gigabit SFI/SFP+ Network Connection"),
        ro("speed", format!("{speed} Mbit/s")),
        ro("duplex", if carrier { "full" } else { "unknown" }),
        rw("disallow-unplug", pif.disallow_unplug),
        ro("pci-bus-path", nic.map_or("0000:03:00.0", |n| n.pci.as_str())),
        map("other-config", true, &pif.other_config),
    ]);
    if new {
        fields.push(ro("igmp-snooping-status", "unknown"));
    }
    Record { key: key.to_string(), fields }
}

fn host(state: &State, key: &str) -> Record {
    let h = &state.pool.hosts[key];
    let fields = vec![
        ro("uuid", &h.uuid),
        rw("name-label", &h.name_label),
        rw("name-description", "Default install"),
        set(
            "allowed-operations",
            vec!["provision".into(), "evacuate".into(), "reboot".into(), "shutdown".into()],
        ),
        set("current-operations", Vec::new()),
        ro("enabled", h.enabled),
        ro("API-version-major", 2),
        ro("API-version-minor", 15),
        ro("API-version-vendor", "XenSource"),
        map("logging", true, &Map::new()),
        map("software-version", false, &h.software_version),
        set("capabilities", vec!["xen-3.0-x86_64".into(), "xen-3.0-x86_32p".into()]),
        map("other-config", true, &h.other_config),
        map("cpu_info", false, &Map::from([("cpu_count".into(), "16".into())])),
        rw("hostname", &h.hostname),
        ro("address", &h.address),
        ro("host-metrics-live", h.live),
        set("features", Vec::new()),
        ro("edition", "free"),
    ];
    Record { key: key.to_string(), fields }
}

fn network(state: &State, key: &str) -> Record {
    let n = &state.pool.networks[key];
    let vifs =
        state.pool.vifs.values().filter(|v| v.network == key).map(|v| v.uuid.clone()).collect();
    let pifs =
        state.pool.pifs.values().filter(|p| p.network == key).map(|p| p.uuid.clone()).collect();
    let fields = vec![
        ro("uuid", &n.uuid),
        rw("name-label", &n.name_label),
        rw("name-description", &n.name_description),
        set("VIF-uuids", vifs),
        set("PIF-uuids", pifs),
        rw("MTU", n.mtu),
        ro("bridge", &n.bridge),
        map("other-config", true, &n.other_config),
        set("blobs", Vec::new()),
        Field { writable: true, ..set("tags", Vec::new()) },
        rw("default-locking-mode", "unlocked"),
    ];
    Record { key: key.to_string(), fields }
}

fn bond(state: &State, key: &str) -> Record {
    let b = &state.pool.bonds[key];
    let slaves: Vec<String> = b.slaves.iter().map(|s| pif_uuid(state, s)).collect();
    let fields = vec![
        ro("uuid", &b.uuid),
        ro("master", pif_uuid(state, &b.master)),
        set("slaves", slaves.clone()),
        ro("mode", &b.mode),
        map("properties", false, &Map::new()),
        ro("primary-slave", slaves.first().map_or(NIL, String::as_str)),
        ro("links-up", slaves.len()),
        ro("auto-update-mac", true),
    ];
    Record { key: key.to_string(), fields }
}

fn vif(state: &State, key: &str) -> Record {
    let v = &state.pool.vifs[key];
    let vm = state.pool.vms.get(&v.vm);
    let net = state.pool.networks.get(&v.network);
    let fields = vec![
        ro("uuid", &v.uuid),
        ro("vm-uuid", vm.map_or(NIL, |m| m.uuid.as_str())),
        ro("vm-name-label", vm.map_or(NIL, |m| m.name_label.as_str())),
        set("allowed-operations", vec!["attach".into(), "unplug".into()]),
        set("current-operations", Vec::new()),
        ro("device", &v.device),
        ro("MAC", &v.mac),
        ro("MAC-autogenerated", true),
        ro("MTU", 1500),
        ro("currently-attached", v.currently_attached),
        map("other-config", true, &Map::new()),
        ro("network-uuid", net.map_or("<invalid reference>", |n| n.uuid.as_str())),
        ro("network-name-label", net.map_or("<invalid reference>", |n| n.name_label.as_str())),
        ro("io_read_kbs", "0.000"),
        ro("io_write_kbs", "0.000"),
    ];
    Record { key: key.to_string(), fields }
}

fn vm(state: &State, key: &str) -> Record {
    let v = &state.pool.vms[key];
    let on = v.resident_on.as_ref().map_or_else(|| NIL.to_string(), |h| host_uuid(state, h));
    let fields = vec![
        ro("uuid", &v.uuid),
        rw("name-label", &v.name_label),
        rw("name-description", ""),
        ro("user-version", 1),
        rw("is-a-template", false),
        ro("is-a-snapshot", false),
        ro("is-control-domain", v.is_control_domain),
        ro("power-state", &v.power_state),
        ro("resident-on", on),
        rw("affinity", NIL),
        map("other-config", true, &Map::new()),
    ];
    Record { key: key.to_string(), fields }
}

fn pool_record(state: &State) -> Record {
    let p = &state.pool;
    let fields = vec![
        ro("uuid", &p.uuid),
        rw("name-label", &p.name_label),
        rw("name-description", ""),
        ro("master", host_uuid(state, &p.master)),
        rw("default-SR", NIL),
        rw("crash-dump-SR", NIL),
        rw("suspend-image-SR", NIL),
        map("other-config", true, &p.other_config),
        ro("ha-enabled", p.ha_enabled),
        map("ha-configuration", false, &Map::new()),
        ro("ha-host-failures-to-tolerate", 0),
    ];
    Record { key: "pool".to_string(), fields }
}

fn cluster_host(state: &State, key: &str) -> Record {
    let c = &state.pool.cluster_hosts[key];
    let fields = vec![
        ro("uuid", &c.uuid),
        ro("cluster", uuid_of("cluster")),
        ro("PIF", pif_uuid(state, &c.pif)),
        ro("host", host_uuid(state, &c.host)),
        ro("enabled", c.enabled),
        ro("joined", true),
    ];
    Record { key: key.to_string(), fields }
}

fn pbd(state: &State, key: &str) -> Record {
    let p = &state.pool.pbds[key];
    let sr = state.pool.srs.get(&p.sr);
    let fields = vec![
        ro("uuid", &p.uuid),
        ro("host-uuid", host_uuid(state, &p.host)),
        ro("sr-uuid", sr.map_or("<invalid reference>", |s| s.uuid.as_str())),
        ro("sr-name-label", sr.map_or("<invalid reference>", |s| s.name_label.as_str())),
        map("device-config", false, &p.device_config),
        ro("currently-attached", p.currently_attached),
        map("other-config", true, &Map::new()),
    ];
    Record { key: key.to_string(), fields }
}

fn sr(state: &State, key: &str) -> Record {
    let s = &state.pool.srs[key];
    let hosts: Vec<&String> =
        state.pool.pbds.values().filter(|p| p.sr == key).map(|p| &p.host).collect();
    let on = match hosts.as_slice() {
        [one] => state.pool.hosts.get(*one).map_or(NIL, |h| h.name_label.as_str()),
        [] => NIL,
        _ => "<shared>",
    };
    let pbds = state.pool.pbds.values().filter(|p| p.sr == key).map(|p| p.uuid.clone()).collect();
    let fields = vec![
        ro("uuid", &s.uuid),
        rw("name-label", &s.name_label),
        rw("name-description", ""),
        ro("host", on),
        set("allowed-operations", vec!["plug".into(), "unplug".into()]),
        set("current-operations", Vec::new()),
        set("VDIs", Vec::new()),
        set("PBDs", pbds),
        ro("type", &s.kind),
        ro("content-type", "user"),
        rw("shared", s.shared),
        map("other-config", true, &Map::new()),
    ];
    Record { key: key.to_string(), fields }
}
