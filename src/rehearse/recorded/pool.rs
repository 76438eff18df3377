//! XAPI's records of the recorded host and of its pool, as far as the host saw them.

use std::collections::{BTreeMap, BTreeSet};

use crate::inventory::{Inventory, Xapi};
use crate::model::state::{
    BondRecord, ClusterHost, HostRecord, Map, Network, Pbd, Pif, Pool, Sr, Tunnel, Vbd, Vdi, Vif,
    Vlan, Vm, uuid_of,
};
use crate::net::Uuid;
use crate::order;
use crate::xe;

/// The host of records that other hosts have.
const ELSEWHERE: &str = "another host";

/// More than any bond has.
const MOST_SLAVES: usize = 64;

/// The database, with `me` as the key of this host.
pub(super) fn database(inv: &Inventory, xapi: &Xapi, me: &str) -> Pool {
    let keys = Keys::of(inv, xapi, me);
    let mut database = empty(inv, xapi, &keys);
    for host in &xapi.hosts {
        database.hosts.insert(keys.hosts[&host.uuid].clone(), self::host(host));
    }
    for network in &xapi.networks {
        let key = keys.networks[&network.uuid].clone();
        database.networks.insert(key, self::network(inv, network));
    }
    for pif in &xapi.pifs {
        database.pifs.insert(keys.pifs[&pif.uuid].clone(), self::pif(inv, &keys, pif, me));
    }
    if let (Some(master), Some(address)) =
        (database.hosts.get_mut(&database.master), &inv.ground.pool_master)
    {
        master.address.clone_from(address);
    }
    bonds(&mut database, xapi, &keys);
    above(&mut database, xapi, &keys);
    machines(&mut database, xapi, &keys);
    others(&mut database, xapi, &keys, me);
    database
}

/// The pool itself, without its records.
fn empty(inv: &Inventory, xapi: &Xapi, keys: &Keys) -> Pool {
    let pool = xapi.pool.as_ref();
    let master = pool.and_then(|pool| pool.master.clone());
    Pool {
        uuid: uuid_of("pool"),
        name_label: "recorded".into(),
        master: master.and_then(|uuid| keys.hosts.get(&uuid).cloned()).unwrap_or_default(),
        ha_enabled: pool.is_some_and(|pool| pool.ha_enabled),
        redo_log_enabled: inv.ground.redo_log,
        other_config: Map::new(),
        release: None,
        notes: BTreeMap::new(),
        counter: 0,
        hosts: BTreeMap::new(),
        networks: BTreeMap::new(),
        pifs: BTreeMap::new(),
        bonds: BTreeMap::new(),
        vlans: BTreeMap::new(),
        tunnels: BTreeMap::new(),
        vms: BTreeMap::new(),
        vifs: BTreeMap::new(),
        srs: BTreeMap::new(),
        pbds: BTreeMap::new(),
        vdis: BTreeMap::new(),
        vbds: BTreeMap::new(),
        cluster_hosts: BTreeMap::new(),
    }
}

/// Storage and clusters.
fn others(database: &mut Pool, xapi: &Xapi, keys: &Keys, me: &str) {
    for pbd in &xapi.pbds {
        let servers: Vec<String> = pbd.servers.iter().map(ToString::to_string).collect();
        let mut config = Map::new();
        if !servers.is_empty() {
            config.insert("server".into(), servers.join(","));
        }
        let key = pbd.uuid.to_string();
        let sr = Sr {
            uuid: uuid_of(&format!("sr of {key}")),
            name_label: pbd.sr_name.clone(),
            kind: "nfs".into(),
            shared: false,
        };
        let record = Pbd {
            uuid: key.clone(),
            host: me.into(),
            sr: key.clone(),
            currently_attached: true,
            device_config: config,
        };
        for vm in xapi.disks.get(&pbd.uuid).into_iter().flatten() {
            let disk = format!("{key} of {vm}");
            let vbd = Vbd {
                uuid: uuid_of(&format!("vbd {disk}")),
                vm: vm.to_string(),
                vdi: Some(disk.clone()),
                currently_attached: true,
            };
            let uuid = uuid_of(&format!("vdi {disk}"));
            let vdi = Vdi { uuid, name_label: String::new(), sr: key.clone() };
            database.vbds.insert(disk.clone(), vbd);
            database.vdis.insert(disk, vdi);
        }
        database.srs.insert(key.clone(), sr);
        database.pbds.insert(key, record);
    }
    for cluster in &xapi.cluster_hosts {
        let pif = cluster.pif.as_ref().and_then(|uuid| keys.pifs.get(uuid));
        let record = ClusterHost {
            uuid: cluster.uuid.to_string(),
            host: me.into(),
            pif: pif.cloned().unwrap_or_default(),
            enabled: true,
        };
        database.cluster_hosts.insert(cluster.uuid.to_string(), record);
    }
}

/// The keys of records in the state, by uuid.
#[derive(Default)]
struct Keys {
    hosts: BTreeMap<Uuid, String>,
    networks: BTreeMap<Uuid, String>,
    pifs: BTreeMap<Uuid, String>,
}

impl Keys {
    fn of(inv: &Inventory, xapi: &Xapi, me: &str) -> Self {
        let mut keys = Self::default();
        let own = inv.host_uuid();
        for host in &xapi.hosts {
            let name = if own.as_ref() == Some(&host.uuid) { me } else { &host.hostname };
            keys.hosts.insert(host.uuid.clone(), unique(name, &host.uuid, keys.hosts.values()));
        }
        for network in &xapi.networks {
            let key = unique(&network.bridge, &network.uuid, keys.networks.values());
            keys.networks.insert(network.uuid.clone(), key);
        }
        for pif in &xapi.pifs {
            let device = match pif.vlan {
                tag if tag >= 0 => format!("{me}/{}.{tag}", pif.device),
                _ => format!("{me}/{}", pif.device),
            };
            keys.pifs.insert(pif.uuid.clone(), unique(&device, &pif.uuid, keys.pifs.values()));
        }
        keys
    }
}

/// The name, or the uuid where the name is taken or empty.
fn unique<'a>(name: &str, uuid: &Uuid, mut taken: impl Iterator<Item = &'a String>) -> String {
    if name.is_empty() || taken.any(|other| other == name) { uuid.to_string() } else { name.into() }
}

fn host(host: &xe::PoolHost) -> HostRecord {
    let (brand, version) = host.product.rsplit_once(' ').unwrap_or(("", &host.product));
    let mut software_version = Map::new();
    for (key, value) in [
        ("network_backend", host.backend.word()),
        ("product_brand", brand),
        ("product_version", version),
    ] {
        software_version.insert(key.into(), value.into());
    }
    HostRecord {
        uuid: host.uuid.to_string(),
        name_label: host.name_label.clone(),
        hostname: host.hostname.clone(),
        address: String::new(),
        enabled: true,
        live: true,
        software_version,
        other_config: Map::new(),
        nics: Map::new(),
    }
}

fn network(inv: &Inventory, network: &xe::Network) -> Network {
    let routes = network.static_routes.iter().map(|r| (xe::STATIC_ROUTES.to_string(), r.clone()));
    let bridge = inv.kernel.devices.get(&network.bridge);
    Network {
        uuid: network.uuid.to_string(),
        name_label: network
            .name
            .clone()
            .unwrap_or_else(|| format!("the network of {}", network.bridge)),
        name_description: String::new(),
        bridge: network.bridge.clone(),
        mtu: network.mtu.or(bridge.and_then(|device| device.mtu)).unwrap_or(1500),
        managed: true,
        other_config: order::map(routes),
    }
}

fn pif(inv: &Inventory, keys: &Keys, pif: &xe::Pif, me: &str) -> Pif {
    let ip = |name: &str| pif.ip.get(name).unwrap_or_default().to_string();
    let device = inv.kernel.devices.get(&pif.device);
    let sriov = related(pif, "sriov-physical-PIF-of");
    Pif {
        uuid: pif.uuid.to_string(),
        host: me.into(),
        device: pif.device.clone(),
        mac: pif.mac.to_string(),
        physical: pif.physical,
        managed: pif.managed != Some(false),
        currently_attached: pif.attached,
        mtu: device.and_then(|device| device.mtu).unwrap_or(1500),
        vlan: pif.vlan,
        management: pif.management,
        network: keys.networks.get(&pif.network).cloned().unwrap_or_default(),
        ip_configuration_mode: ip("IP-configuration-mode"),
        ip: ip("IP"),
        netmask: ip("netmask"),
        gateway: ip("gateway"),
        dns: ip("DNS"),
        disallow_unplug: pif.disallow_unplug,
        properties: pif.properties.clone(),
        other_config: pif.other_config.clone(),
        sriov: sriov.first().map(ToString::to_string),
    }
}

fn related<'a>(pif: &'a xe::Pif, field: &str) -> &'a [Uuid] {
    pif.relations.get(field).map_or(&[], Vec::as_slice)
}

/// The managed bonds. Of those of other hosts only this is known: a PIF, and how many are in it.
fn bonds(database: &mut Pool, xapi: &Xapi, keys: &Keys) {
    for bond in &xapi.bonds {
        let mut slaves = BTreeSet::new();
        for pif in xapi.pifs.iter().filter(|p| p.bond_slave_of.as_ref() == Some(&bond.uuid)) {
            slaves.insert(keys.pifs[&pif.uuid].clone());
        }
        // Only whether there are more than two counts.
        let more = slaves.len()..bond.slaves.min(MOST_SLAVES);
        for n in more {
            slaves.insert(format!("{ELSEWHERE}/{} {n}", bond.uuid));
        }
        let master = match &bond.master {
            None => format!("{ELSEWHERE}/{}", bond.uuid),
            Some(uuid) => keys.pifs.get(uuid).cloned().unwrap_or_else(|| {
                let key = format!("{ELSEWHERE}/{uuid}");
                database.pifs.insert(key.clone(), foreign(uuid));
                key
            }),
        };
        let record = BondRecord {
            uuid: bond.uuid.to_string(),
            master: master.clone(),
            slaves,
            mode: bond.mode.clone().unwrap_or_else(|| "balance-slb".into()),
            properties: Map::new(),
            primary: None,
        };
        database.bonds.insert(master, record);
    }
}

/// The PIF of a bond of another host.
fn foreign(uuid: &Uuid) -> Pif {
    Pif {
        uuid: uuid.to_string(),
        host: ELSEWHERE.into(),
        device: String::new(),
        mac: String::new(),
        physical: false,
        managed: true,
        currently_attached: true,
        mtu: 1500,
        vlan: -1,
        management: false,
        network: String::new(),
        ip_configuration_mode: "None".into(),
        ip: String::new(),
        netmask: String::new(),
        gateway: String::new(),
        dns: String::new(),
        disallow_unplug: false,
        properties: Map::new(),
        other_config: Map::new(),
        sriov: None,
    }
}

/// VLANs and tunnels, which lie on PIFs of this host.
fn above(database: &mut Pool, xapi: &Xapi, keys: &Keys) {
    for pif in &xapi.pifs {
        let key = &keys.pifs[&pif.uuid];
        if pif.vlan >= 0 {
            let below = xapi.pifs.iter().find(|other| other.device == pif.device && other.vlan < 0);
            let vlan = Vlan {
                uuid: uuid_of(&format!("vlan {key}")),
                tagged: key.clone(),
                untagged: below.map(|other| keys.pifs[&other.uuid].clone()).unwrap_or_default(),
                tag: pif.vlan,
            };
            database.vlans.insert(key.clone(), vlan);
        }
        for (field, ends_here) in
            [("tunnel-access-PIF-of", true), ("tunnel-transport-PIF-of", false)]
        {
            for uuid in related(pif, field) {
                let uuid = uuid.to_string();
                let tunnel = database.tunnels.entry(uuid.clone()).or_insert_with(|| Tunnel {
                    uuid,
                    access: String::new(),
                    transport: String::new(),
                });
                let end = if ends_here { &mut tunnel.access } else { &mut tunnel.transport };
                end.clone_from(key);
            }
        }
    }
}

fn machines(database: &mut Pool, xapi: &Xapi, keys: &Keys) {
    for vm in xapi.vms.iter().chain(&xapi.other_vms) {
        let on = vm.runs_on.as_ref().and_then(|uuid| keys.hosts.get(uuid));
        let record = Vm {
            uuid: vm.uuid.to_string(),
            name_label: vm.name_label.clone(),
            is_control_domain: false,
            power_state: if on.is_some() { "running" } else { "halted" }.into(),
            resident_on: on.cloned(),
            stays: false,
        };
        database.vms.insert(vm.uuid.to_string(), record);
    }
    for (number, vif) in xapi.vifs.iter().enumerate() {
        // Interfaces of templates too: no list shows those.
        database.vms.entry(vif.vm.to_string()).or_insert_with(|| Vm {
            uuid: vif.vm.to_string(),
            name_label: String::new(),
            is_control_domain: true,
            power_state: "halted".into(),
            resident_on: None,
            stays: false,
        });
        let record = Vif {
            uuid: vif.uuid.to_string(),
            vm: vif.vm.to_string(),
            device: number.to_string(),
            network: keys.networks.get(&vif.network).cloned().unwrap_or_default(),
            mac: "fe:ff:ff:ff:ff:ff".into(),
            currently_attached: vif.attached,
        };
        database.vifs.insert(vif.uuid.to_string(), record);
    }
}
