//! XAPI's records as `xe` shows them: which classes there are, and of what a record is made.

mod pif;
mod pool;
mod rest;

use crate::model::state::{Map, Release, State};
use crate::order;

/// What a value is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    Set(Vec<String>),
    Map(Map),
    /// Read from the host that measures it, so that no list asks for it.
    Expensive,
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
            (Value::Text(_) | Value::Expensive, false) => " RO",
            (Value::Text(_) | Value::Expensive, true) => " RW",
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
            Value::Expensive => "<expensive field>".to_string(),
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

/// A reference to nothing.
const NIL: &str = "<not in database>";
/// A reference to what is gone.
const GONE: &str = "<invalid reference>";

/// A record in the making. Fields without a rule of their own have the values that the state
/// notes for them.
struct Row<'a> {
    fields: Vec<Field>,
    notes: Option<&'a Map>,
}

impl<'a> Row<'a> {
    fn new(state: &'a State, uuid: &str) -> Self {
        let mut row = Self { fields: Vec::new(), notes: state.pool.notes.get(uuid) };
        row.ro("uuid", uuid);
        row
    }

    fn put(&mut self, name: &'static str, writable: bool, value: Value) {
        self.fields.push(Field { name, writable, value });
    }

    fn ro(&mut self, name: &'static str, value: impl ToString) {
        self.put(name, false, Value::Text(value.to_string()));
    }

    fn rw(&mut self, name: &'static str, value: impl ToString) {
        self.put(name, true, Value::Text(value.to_string()));
    }

    fn set(&mut self, name: &'static str, list: Vec<String>) {
        self.put(name, false, Value::Set(list));
    }

    fn map(&mut self, name: &'static str, writable: bool, map: &Map) {
        self.put(name, writable, Value::Map(map.clone()));
    }

    /// A field of this kind that has no rule: as noted, or the usual value.
    fn noted(&mut self, name: &'static str, kind: &str, usual: impl ToString) {
        let text = self.notes.and_then(|notes| notes.get(name)).cloned();
        let text = text.unwrap_or_else(|| usual.to_string());
        let parts = || text.split("; ").filter(|part| !part.is_empty());
        let value = match kind {
            "SRO" | "SRW" => Value::Set(parts().map(str::to_string).collect()),
            "MRO" | "MRW" => Value::Map(order::map(parts().map(|part| {
                let pair = part.split_once(": ").unwrap_or((part.trim_end_matches(':'), ""));
                (pair.0.to_string(), pair.1.to_string())
            }))),
            _ => Value::Text(text),
        };
        self.put(name, kind.ends_with("RW"), value);
    }

    fn expensive(&mut self, name: &'static str) {
        self.put(name, false, Value::Expensive);
    }

    fn done(self, key: &str) -> Record {
        Record { key: key.to_string(), fields: self.fields }
    }
}

/// A class of records.
pub(super) struct Class {
    /// What its commands begin with.
    pub(super) name: &'static str,
    /// Its name in errors.
    pub(super) kind: &'static str,
    /// Fields shown when none are asked for.
    pub(super) shown: &'static [&'static str],
}

const fn class(name: &'static str, kind: &'static str, shown: &'static [&'static str]) -> Class {
    Class { name, kind, shown }
}

const CLASSES: [Class; 14] = [
    class("host", "host", &["uuid", "name-label", "name-description"]),
    class("pif", "PIF", &["uuid", "device", "VLAN", "mac", "network-uuid", "currently-attached"]),
    class("network", "network", &["uuid", "name-label", "name-description", "bridge"]),
    class("bond", "Bond", &["uuid", "master", "slaves"]),
    class("vlan", "VLAN", &["uuid", "tagged-PIF", "untagged-PIF", "tag"]),
    class("tunnel", "tunnel", &["uuid", "transport-PIF", "access-PIF", "status"]),
    class("vif", "VIF", &["uuid", "vm-uuid", "device", "network-uuid"]),
    class("vm", "VM", &["uuid", "name-label", "power-state"]),
    class("pool", "pool", &["uuid", "name-label", "name-description", "master", "default-SR"]),
    class("pbd", "PBD", &["uuid", "host-uuid", "sr-uuid", "device-config", "currently-attached"]),
    class("sr", "SR", &["uuid", "name-label", "name-description", "host", "type", "content-type"]),
    class("vdi", "VDI", &["uuid", "name-label", "sr-uuid"]),
    class("vbd", "VBD", &["uuid", "vm-uuid", "vdi-uuid", "device"]),
    class("cluster-host", "Cluster_host", &["uuid", "cluster", "pif", "host", "enabled"]),
];

/// `pif-list` of 23.31 and later: `mac` matched no field.
const PIF: Class = class(
    "pif",
    "PIF",
    &["uuid", "device", "MAC", "currently-attached", "VLAN", "network-uuid", "host-uuid"],
);

/// The class that a command works on, and the rest of its name.
pub(super) fn class_of(release: Release, command: &str) -> Option<(&'static Class, &str)> {
    let (class, verb) = CLASSES
        .iter()
        .find_map(|class| Some((class, command.strip_prefix(class.name)?.strip_prefix('-')?)))?;
    match class.name {
        // Clusters came with 7.5.
        "cluster-host" if release < Release::V8_2 => None,
        "pif" if release >= Release::V24_39 => Some((&PIF, verb)),
        _ => Some((class, verb)),
    }
}

/// Fields that are measured when they are asked for.
pub(super) const EXPENSIVE: [&str; 3] = ["io_read_kbs", "io_write_kbs", "supported-sr-types"];

/// Fields of the real records that these have not got, by class.
const UNMODELLED: [(&str, &str); 7] = [
    (
        "host",
        "display suspend-image-sr-uuid crash-dump-sr-uuid chipset-info \
         supported-bootloaders blobs memory-overhead memory-total memory-free \
         memory-free-computed patches updates ha-statefiles ha-network-peers \
         external-auth-type external-auth-service-name external-auth-configuration \
         license-server power-on-mode power-on-config local-cache-sr tags ssl-legacy \
         guest_VCPUs_params virtual-hardware-platform-versions control-domain-uuid \
         resident-vms updates-requiring-reboot iscsi_iqn multipathing editions \
         uefi-certificates pending-guidances pending-guidances-recommended \
         pending-guidances-full tls-verification-enabled last-software-update \
         last-update-hash latest-synced-updates-applied numa-affinity-policy https-only \
         uuid-of-host hvm-capable recommended-guidances license-params",
    ),
    (
        "vm",
        "snapshot-of snapshots snapshot-time parent children memory-actual memory-target \
         memory-static-max memory-static-min memory-dynamic-max memory-dynamic-min \
         memory-overhead suspend-VDI-uuid suspend-SR-uuid VCPUs-params VCPUs-max \
         VCPUs-at-startup actions-after-shutdown actions-after-reboot actions-after-crash \
         console-uuids hvm platform allowed-operations current-operations \
         blocked-operations HVM-boot-policy HVM-boot-params NVRAM PV-kernel PV-ramdisk \
         PV-args dom-id reference-label recommendations xenstore-data ha-always-run \
         ha-restart-priority blobs start-time install-time VCPUs-number VCPUs-utilisation \
         os-version networks tags domain-type possible-hosts live start-delay order",
    ),
    (
        "vif",
        "qos_algorithm_type qos_algorithm_params locking-mode ipv4-allowed ipv6-allowed \
         ipv4-configuration-mode reserved-pci",
    ),
    (
        "sr",
        "virtual-allocation physical-utilisation physical-size sm-config blobs is-tools-sr \
         introduced-by tags local-cache-enabled clustered",
    ),
    ("pbd", "host-name-label sr-type"),
    (
        "vdi",
        "is-a-snapshot snapshot-of snapshots snapshot-time allowed-operations \
         current-operations crashdump-uuids virtual-size physical-utilisation location type \
         sharable read-only storage-lock managed parent missing is-tools-iso other-config \
         xenstore-data sm-config on-boot allow-caching metadata-latest metadata-of-pool tags \
         cbt-enabled name-description",
    ),
    (
        "vbd",
        "allowed-operations current-operations device userdevice bootable mode type unpluggable \
         attachable storage-lock status-code status-detail qos_algorithm_type \
         qos_algorithm_params qos_supported_algorithms other-config io_read_kbs io_write_kbs",
    ),
];

/// Fields of the real records of a class that these have not got.
pub(super) fn unmodelled(class: &str) -> Vec<&'static str> {
    let known = UNMODELLED.iter().find(|(name, _)| *name == class);
    known.map(|(_, names)| names.split_whitespace().collect()).unwrap_or_default()
}

/// All records of a class, in the order of the database: none that means anything.
pub(super) fn records(state: &State, class: &str) -> Vec<Record> {
    let pool = &state.pool;
    let mut list: Vec<Record> = match class {
        "host" => pool.hosts.keys().map(|k| rest::host(state, k)).collect(),
        "pif" => pool.pifs.iter().map(|(k, p)| pif::pif(state, k, p)).collect(),
        "network" => pool.networks.keys().map(|k| rest::network(state, k)).collect(),
        "bond" => pool.bonds.keys().map(|k| rest::bond(state, k)).collect(),
        "vlan" => pool.vlans.keys().map(|k| rest::vlan(state, k)).collect(),
        "tunnel" => pool.tunnels.keys().map(|k| rest::tunnel(state, k)).collect(),
        "vif" => pool.vifs.keys().map(|k| rest::vif(state, k)).collect(),
        "vm" => pool.vms.keys().map(|k| rest::vm(state, k)).collect(),
        "pool" => vec![pool::pool(state)],
        "pbd" => pool.pbds.keys().map(|k| rest::pbd(state, k)).collect(),
        "sr" => pool.srs.keys().map(|k| rest::sr(state, k)).collect(),
        "vdi" => pool.vdis.keys().map(|k| rest::vdi(state, k)).collect(),
        "vbd" => pool.vbds.keys().map(|k| rest::vbd(state, k)).collect(),
        "cluster-host" => pool.cluster_hosts.keys().map(|k| rest::cluster_host(state, k)).collect(),
        _ => Vec::new(),
    };
    list.sort_by_key(Record::uuid);
    list
}

fn pif_uuid(state: &State, key: &str) -> String {
    state.pool.pifs.get(key).map_or_else(|| GONE.to_string(), |p| p.uuid.clone())
}

fn host_uuid(state: &State, key: &str) -> String {
    state.pool.hosts.get(key).map_or_else(|| NIL.to_string(), |h| h.uuid.clone())
}
