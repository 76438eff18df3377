//! The built-in pool: three hosts with six NICs each, as `xenbond rehearse` and most tests use
//! it. What is asked of the model's state is in `state.rs`; this is only its first value.

use std::collections::{BTreeMap, BTreeSet};

use super::programs::networkd;
use super::state::{
    Backend, BondRecord, Disk, Dom0, Features, Flavour, HostRecord, Init, Map, Network, Networkd,
    Nic, Pbd, Pif, Pool, Release, Saves, Sr, State, Vif, Vlan, Vm, Wire, Xapi, uuid_of,
};

use crate::order;

fn map<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Map {
    order::map(pairs.into_iter().map(|(k, v)| (k.to_string(), v.to_string())))
}

/// The hosts of the built-in pool; the first is its master.
const HOSTS: [&str; 3] = ["xen01", "xen02", "xen03"];

/// The built-in pool, seen from its master, which is up.
#[must_use]
pub fn pool(flavour: Flavour, backend: Backend) -> State {
    seen_from(HOSTS[0], flavour, backend)
}

/// The built-in pool, seen from the host of this name.
#[must_use]
pub fn seen_from(me: &str, flavour: Flavour, backend: Backend) -> State {
    let mut state = State { pool: database(flavour, backend), dom0: dom0(me, flavour, backend) };
    state.dom0.wire.first = Some("eth4".to_string());
    networkd::start(&mut state, &Map::new());
    state.dom0.wire.first = None;
    // The machine has been up for a while: nothing is under way any more.
    state.dom0.advance(40_000);
    state.dom0.clock = 0;
    for slave in state.dom0.bonds.values_mut().flat_map(|b| &mut b.slaves) {
        slave.lacp_at = 0;
    }
    state.dom0.dmesg.clear();
    state
}

/// Makes a built-in pool one of this release: how its XAPI answers, what its hosts say that they
/// run, and how its networks are called.
pub fn set_release(state: &mut State, release: Release) {
    state.pool.release = Some(release);
    // 6.2 as first released has no field `managed` (tests/ground/xapi.md, A5).
    state.dom0.features.xe_managed = release > Release::V6_2;
    let (product, xapi) = match release {
        Release::V6_2 => ("6.2.0", "1.3"),
        Release::V8_2 => ("8.2.1", "1.20"),
        Release::V24_39 => ("8.4.0", "24.39"),
        Release::V26_1 => ("8.4.0", "26.1"),
    };
    for host in state.pool.hosts.values_mut() {
        host.software_version.insert("product_version".to_string(), product.to_string());
        host.software_version.insert("xapi".to_string(), xapi.to_string());
    }
    if release < Release::V26_1 {
        return;
    }
    for network in state.pool.networks.values_mut() {
        if let Some(n) = network.name_label.strip_prefix("Pool-wide network associated with eth") {
            network.name_label = format!("Pool-wide network {n}");
        }
    }
}

/// The kernel before XAPI has started.
fn dom0(me: &str, flavour: Flavour, backend: Backend) -> Dom0 {
    let old = flavour == Flavour::El5;
    let features = Features {
        switch_deletes_ifcfg: old,
        xe_managed: true,
        initscripts: flavour,
        init: if old { Init::Sysv } else { Init::Systemd },
        slb: true,
        slb_default: true,
        introduce_permanent_mac: !old,
        plug_enslaved_fails: !old,
        max_mtu: !old,
        missing_modules: BTreeSet::new(),
        vswitch: None,
        refused_options: BTreeSet::new(),
    };
    let number = (1..).zip(HOSTS).find(|(_, name)| *name == me).map_or(0, |(number, _)| number);
    let (mut nics, mut ifindex) = (BTreeMap::new(), BTreeMap::new());
    nics.extend((0..6).map(|n| (format!("eth{n}"), nic(number, n))));
    ifindex.extend(nics.keys().cloned().zip(2..));
    let mut modules = BTreeMap::from([("ixgbe".to_string(), Map::new())]);
    modules.insert(backend.word().to_string(), Map::new());
    let reachable = ["10.20.0.1", "172.16.51.2", "172.16.51.3"];
    Dom0 {
        me: me.to_string(),
        flavour,
        features,
        kernel: if old { "3.10.0+2" } else { "4.19.0+1" }.to_string(),
        running: backend,
        boot_runs: Vec::new(),
        booted_at: 0,
        wall_offset: 0,
        xapi: Xapi::Up,
        xapi_start: 20_000,
        xapi_up_at: None,
        boot: 1,
        reboot_requested: false,
        clock: 0,
        wire: Wire {
            answers: map(reachable.iter().map(|ip| (*ip, "00:50:56:00:51:02"))),
            reachable: order::set(reachable.iter().map(|ip| (*ip).to_string())),
            routed: BTreeSet::new(),
            closed: BTreeSet::new(),
            silent: BTreeSet::new(),
            management: Some("10.20.0.0/24".to_string()),
            apart: order::set(["eth1", "eth2", "eth4", "eth5"].map(String::from)),
            mtu: 9216,
            lacp: order::set(nics.keys().cloned()),
            first: None,
        },
        nics,
        bonds: BTreeMap::new(),
        vswitch: BTreeMap::new(),
        devices: BTreeMap::new(),
        ifindex,
        modules,
        addresses: BTreeMap::new(),
        addresses6: BTreeMap::new(),
        routes: BTreeMap::new(),
        mounts: Map::new(),
        lies: BTreeMap::new(),
        transcript: Vec::new(),
        executed: Vec::new(),
        traffic: None,
        dmesg: Vec::new(),
        networkd: Networkd::default(),
        saves: Saves::default(),
        disk: Disk::default(),
    }
}

fn mac(host: u32, nic: u32) -> String {
    format!("00:1b:21:0a:{host:02x}:{nic:02x}")
}

fn nic(host: u32, n: u32) -> Nic {
    let mac = mac(host, n);
    Nic {
        permanent_mac: mac.clone(),
        mac,
        mtu: 1500,
        max_mtu: 9710,
        up: false,
        link: true,
        speed: 10_000,
        duplex: "full".to_string(),
        driver: "ixgbe".to_string(),
        pci: format!("0000:{:02x}:00.{}", 3 + n / 2, n % 2),
        master: None,
        tuning: BTreeMap::new(),
    }
}

fn network(bridge: &str, name: &str) -> Network {
    Network {
        uuid: uuid_of(&format!("network {bridge}")),
        name_label: name.to_string(),
        name_description: String::new(),
        bridge: bridge.to_string(),
        mtu: 1500,
        managed: true,
        other_config: Map::new(),
    }
}

fn database(flavour: Flavour, backend: Backend) -> Pool {
    let mut pool = Pool {
        uuid: uuid_of("pool"),
        name_label: "pool-rack7".to_string(),
        master: HOSTS[0].to_string(),
        ha_enabled: false,
        redo_log_enabled: false,
        other_config: map([("memory-ratio-hvm", "0.25"), ("memory-ratio-pv", "0.25")]),
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
    };
    for n in 0..6 {
        let bridge = format!("xenbr{n}");
        let name = format!("Pool-wide network associated with eth{n}");
        pool.networks.insert(bridge.clone(), network(&bridge, &name));
    }
    for (bridge, name) in [
        ("xapi0", "Bond 4+5"),
        ("xapi1", "VM network, VLAN 30"),
        ("xapi2", "VM network, VLAN 40"),
        ("xenapi", "Host internal management network"),
    ] {
        pool.networks.insert(bridge.to_string(), network(bridge, name));
    }
    let machines = [("web", "db"), ("mail", "git"), ("ci", "log")];
    for ((number, name), (on_vlan, on_eth1)) in (1..).zip(HOSTS).zip(machines) {
        host(&mut pool, number, name, flavour, backend);
        machine(&mut pool, &format!("vm-{on_vlan}"), Some(name), "xapi1");
        machine(&mut pool, &format!("vm-{on_eth1}"), Some(name), "xenbr1");
    }
    machine(&mut pool, "vm-spare", None, "xapi2");
    pool
}

fn software_version(flavour: Flavour, backend: Backend) -> Map {
    let mut version = match flavour {
        Flavour::El5 => map([
            ("product_version", "6.5.0"),
            ("product_version_text", "6.5"),
            ("product_brand", "XenServer"),
            ("build_number", "90233c"),
            ("platform_name", "XCP"),
            ("platform_version", "1.9.0"),
            ("xapi", "1.3"),
            ("xen", "4.4.1-xs90192"),
            ("linux", "3.10.0+2"),
        ]),
        Flavour::El7 => map([
            ("product_version", "8.2.1"),
            ("product_version_text", "8.2"),
            ("product_brand", "XCP-ng"),
            ("build_number", "release/yangtze/master/58"),
            ("platform_name", "XCP"),
            ("platform_version", "3.2.1"),
            ("xapi", "1.20"),
            ("xen", "4.13.5-9.30"),
            ("linux", "4.19.0+1"),
        ]),
    };
    version.insert("network_backend".to_string(), backend.word().to_string());
    version
}

fn host(pool: &mut Pool, number: u32, name: &str, flavour: Flavour, backend: Backend) {
    let name = name.to_string();
    pool.hosts.insert(
        name.clone(),
        HostRecord {
            uuid: uuid_of(&format!("host {name}")),
            name_label: name.clone(),
            hostname: name.clone(),
            address: format!("10.20.0.1{number}"),
            enabled: true,
            live: true,
            software_version: software_version(flavour, backend),
            other_config: map([("agent_start_time", "1795000000.")]),
            nics: Map::new(),
        },
    );
    let mut pif = |device: &str, shown: &str, n: u32, vlan: i32, network: &str| {
        let key = format!("{name}/{shown}");
        let new = Pif {
            uuid: uuid_of(&format!("pif {key}")),
            host: name.clone(),
            device: device.to_string(),
            mac: mac(number, n),
            physical: vlan < 0 && !device.starts_with("bond"),
            managed: true,
            currently_attached: true,
            mtu: 1500,
            vlan,
            management: false,
            network: network.to_string(),
            ip_configuration_mode: "None".to_string(),
            ip: String::new(),
            netmask: String::new(),
            gateway: String::new(),
            dns: String::new(),
            disallow_unplug: false,
            properties: map([("gro", "on")]),
            other_config: Map::new(),
            sriov: None,
        };
        pool.pifs.insert(key.clone(), new);
        key
    };
    let eth: Vec<String> = (0..6)
        .map(|n| pif(&format!("eth{n}"), &format!("eth{n}"), n, -1, &format!("xenbr{n}")))
        .collect();
    let vlan30 = pif("eth1", "eth1.30", 1, 30, "xapi1");
    let vlan40 = pif("eth1", "eth1.40", 1, 40, "xapi2");
    let bond = pif("bond0", "bond0", 4, -1, "xapi0");
    for (key, tag) in [(vlan30, 30), (vlan40, 40)] {
        let vlan = Vlan {
            uuid: uuid_of(&format!("vlan {key}")),
            tagged: key.clone(),
            untagged: eth[1].clone(),
            tag,
        };
        pool.vlans.insert(key, vlan);
    }
    managed_bond(pool, bond, [&eth[4], &eth[5]]);
    if let Some(first) = pool.pifs.get_mut(&eth[0]) {
        first.management = true;
        first.ip_configuration_mode = "Static".to_string();
        first.ip = format!("10.20.0.1{number}");
        first.netmask = "255.255.255.0".to_string();
        first.gateway = "10.20.0.1".to_string();
        first.dns = "10.20.0.2".to_string();
    }
    if let Some(third) = pool.pifs.get_mut(&eth[2]) {
        third.other_config = map([("ethtool-gro", "off")]);
    }
    furniture(pool, name);
}

/// The bond that XAPI manages on each host.
fn managed_bond(pool: &mut Pool, bond: String, members: [&String; 2]) {
    let slaves = order::set(members.map(Clone::clone));
    let record = BondRecord {
        uuid: uuid_of(&format!("bond {bond}")),
        master: bond.clone(),
        slaves,
        mode: "balance-slb".into(),
        properties: Map::new(),
        primary: None,
    };
    pool.bonds.insert(bond, record);
}

/// What a host has besides its network: its own domain and a local disk.
fn furniture(pool: &mut Pool, name: String) {
    let control = format!("Control domain on host: {name}");
    pool.vms.insert(
        format!("dom0-{name}"),
        Vm {
            uuid: uuid_of(&format!("dom0 {name}")),
            name_label: control,
            is_control_domain: true,
            power_state: "running".to_string(),
            resident_on: Some(name.clone()),
            stays: false,
        },
    );
    let sr = format!("local-{name}");
    let disk = map([("device", "/dev/disk/by-id/scsi-36001405a0b1c2d3e-part3")]);
    pool.pbds.insert(
        format!("{name}/{sr}"),
        Pbd {
            uuid: uuid_of(&format!("pbd {name}")),
            host: name,
            sr: sr.clone(),
            currently_attached: true,
            device_config: disk,
        },
    );
    let storage = Sr {
        uuid: uuid_of(&sr),
        name_label: "Local storage".to_string(),
        kind: "lvm".to_string(),
        shared: false,
    };
    pool.srs.insert(sr, storage);
}

fn machine(pool: &mut Pool, name: &str, host: Option<&str>, network: &str) {
    let running = if host.is_some() { "running" } else { "halted" };
    let uuid = uuid_of(name);
    pool.vifs.insert(
        format!("{name}/0"),
        Vif {
            uuid: uuid_of(&format!("vif {name}")),
            vm: name.to_string(),
            device: "0".to_string(),
            network: network.to_string(),
            mac: format!(
                "52:{}:{}:{}:{}:{}",
                &uuid[0..2],
                &uuid[2..4],
                &uuid[4..6],
                &uuid[6..8],
                &uuid[9..11]
            ),
            currently_attached: host.is_some(),
        },
    );
    let vm = Vm {
        uuid,
        name_label: name.to_string(),
        is_control_domain: false,
        power_state: running.to_string(),
        resident_on: host.map(str::to_string),
        stays: false,
    };
    pool.vms.insert(name.to_string(), vm);
}
