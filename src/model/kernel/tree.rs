//! The kernel's view of the state, as files: everything under `/proc` and `/sys` that a program
//! on dom0 reads. Written anew after each change, each file at once and only when it differs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::{Context, Result};

use super::options::{NUMBERS, WORDS};
use super::proc_bonding::{self, word};
use super::routes_text;
use super::vlan;
use crate::model::state::{Bond, Device, Dom0, Flavour, Nic, uuid_of};

/// A file's text or a link's target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    File(String),
    Link(String),
    Folder,
}

pub(crate) type Tree = BTreeMap<String, Node>;

/// The folders whose whole content is the tree's.
const WHOLE: [&str; 4] = ["proc/net/bonding", "proc/net/vlan", "sys/class/net", "sys/devices"];

/// All of it.
pub(crate) fn wanted(dom0: &Dom0) -> Tree {
    let mut tree = Tree::new();
    let mut file = |path: &str, text: String| {
        tree.insert(path.to_string(), Node::File(text));
    };
    let boot = uuid_of(&format!("{} boot {}", dom0.me, dom0.boot));
    file("proc/sys/kernel/random/boot_id", format!("{boot}\n"));
    file("proc/sys/kernel/hostname", format!("{}\n", dom0.me));
    file("proc/sys/kernel/osrelease", format!("{}\n", dom0.kernel));
    file("proc/net/route", routes_text::route(dom0));
    file("proc/net/fib_trie", routes_text::fib_trie(dom0));
    if !dom0.addresses6.is_empty() {
        file("proc/net/if_inet6", if_inet6(dom0));
    }
    file("proc/net/dev", dev_table(dom0));
    file("proc/modules", modules(dom0));
    let root =
        "/dev/sda1 / ext3 rw,relatime 0 0\nproc /proc proc rw 0 0\nsysfs /sys sysfs rw 0 0\n";
    let mounts: String = dom0.mounts.values().map(|line| format!("{line}\n")).collect();
    file("proc/mounts", format!("{root}{mounts}"));
    for (name, text) in vlan::files(dom0) {
        file(&format!("proc/net/vlan/{name}"), text);
    }
    for (name, bond) in &dom0.bonds {
        file(&format!("proc/net/bonding/{name}"), proc_bonding::text(dom0, name, bond));
    }
    if dom0.modules.contains_key("bonding") {
        let names: Vec<&str> = dom0.bonds.keys().map(String::as_str).collect();
        file("sys/class/net/bonding_masters", format!("{}\n", names.join(" ")));
        tree.insert("proc/net/bonding".to_string(), Node::Folder);
    }
    device(&mut tree, dom0, "lo");
    for name in dom0.device_names() {
        device(&mut tree, dom0, &name);
    }
    tree
}

fn dev_table(dom0: &Dom0) -> String {
    let mut text = String::from(
        "Inter-|   Receive                                                |  Transmit\n face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n",
    );
    for name in std::iter::once("lo".to_string()).chain(dom0.device_names()) {
        text.push_str(&format!(
            "{name:>6}: {:>7} {:>7}    0    0    0     0          0         0 {:>8} {:>7}    0    0    0     0       0          0\n",
            0, 0, 0, 0
        ));
    }
    text
}

fn if_inet6(dom0: &Dom0) -> String {
    let mut text = String::new();
    for (device, all) in &dom0.addresses6 {
        let index = dom0.ifindex.get(device).copied().unwrap_or(99);
        for addr in all {
            let bits = u128::from(*addr);
            text.push_str(&format!("{bits:032x} {index:02x} 40 00 80 {device:>8}\n"));
        }
    }
    text
}

fn modules(dom0: &Dom0) -> String {
    let line = |name: &String| {
        let users = match name.as_str() {
            "bridge" if dom0.modules.contains_key("bonding") => "1 bonding,".to_string(),
            _ => "0 -".to_string(),
        };
        format!("{name} 131072 {users} Live 0xffffffffc0200000\n")
    };
    dom0.modules.keys().map(line).collect()
}

/// Where a device's real folder is.
fn home(dom0: &Dom0, name: &str) -> String {
    match dom0.nics.get(name) {
        Some(nic) => format!("sys/devices/pci0000:00/{}/net/{name}", nic.pci),
        None => format!("sys/devices/virtual/net/{name}"),
    }
}

/// From inside a device's folder to another's.
fn to_device(dom0: &Dom0, from: &str, name: &str) -> String {
    let up = from.matches('/').count();
    format!("{}{}", "../".repeat(up), home(dom0, name).trim_start_matches("sys/"))
}

/// The files of one device.
struct Files<'a> {
    tree: &'a mut Tree,
    dom0: &'a Dom0,
    name: &'a str,
    home: String,
}

impl Files<'_> {
    fn put(&mut self, leaf: &str, node: Node) {
        self.tree.insert(format!("{}/{leaf}", self.home), node);
    }

    fn file(&mut self, leaf: &str, text: impl std::fmt::Display) {
        self.put(leaf, Node::File(format!("{text}\n")));
    }

    /// A link from inside this device's folder to another's.
    fn link(&mut self, leaf: &str, before: &str, name: &str, after: &str) {
        let target = to_device(self.dom0, &self.home, name);
        self.put(leaf, Node::Link(format!("{before}{target}{after}")));
    }

    fn loopback(&mut self) {
        for (leaf, text) in [
            ("address", "00:00:00:00:00:00"),
            ("mtu", "65536"),
            ("operstate", "unknown"),
            ("carrier", "1"),
            ("type", "772"),
            ("ifindex", "1"),
            ("flags", "0x9"),
        ] {
            self.file(leaf, text);
        }
    }

    /// What every device has.
    fn common(&mut self) {
        let (dom0, name) = (self.dom0, self.name);
        let (up, carrier) = (dom0.is_up(name), dom0.carrier(name));
        self.file("address", dom0.mac_of(name).unwrap_or_default());
        self.file("mtu", dom0.mtu_of(name));
        self.file("type", "1");
        self.file("addr_len", "6");
        self.file("ifindex", dom0.ifindex.get(name).copied().unwrap_or(99));
        let slave = dom0.master_of(name).is_some_and(|m| dom0.bonds.contains_key(m));
        let master = dom0.bonds.contains_key(name);
        let flags =
            0x1002 + u32::from(up) + if slave { 0x800 } else { 0 } + if master { 0x400 } else { 0 };
        self.file("flags", format!("0x{flags:x}"));
        self.file("operstate", if carrier { "up" } else { "down" });
        // Reading `carrier` and `speed` of a device that is down gives EINVAL: no file is nearest.
        if up {
            self.file("carrier", u8::from(carrier));
        }
    }

    fn nic(&mut self, nic: &Nic) {
        let (dom0, carrier) = (self.dom0, self.dom0.carrier(self.name));
        let unknown = if dom0.flavour == Flavour::El5 { "4294967295" } else { "-1" };
        if dom0.is_up(self.name) {
            self.file(
                "speed",
                if carrier { nic.speed_now().to_string() } else { unknown.to_string() },
            );
            self.file("duplex", if carrier { nic.duplex.as_str() } else { "unknown" });
        }
        self.put("device", Node::Link(format!("../../../{}", nic.pci)));
        let pci = format!("sys/devices/pci0000:00/{}", nic.pci);
        let driver = format!("../../../bus/pci/drivers/{}", nic.driver);
        self.tree.insert(format!("{pci}/driver"), Node::Link(driver));
        self.tree.insert(format!("{pci}/vendor"), Node::File("0x8086\n".to_string()));
        self.tree.insert(format!("sys/bus/pci/drivers/{}", nic.driver), Node::Folder);
    }

    fn bond(&mut self, bond: &Bond) {
        let dom0 = self.dom0;
        if dom0.carrier(self.name) {
            let speeds = bond.slaves.iter().filter(|s| dom0.carrier(&s.name));
            let speeds: Vec<u32> =
                speeds.filter_map(|s| Some(dom0.nics.get(&s.name)?.speed_now())).collect();
            let one = matches!(bond.option("mode"), 1 | 3);
            let speed =
                if one { speeds.first().copied().unwrap_or(0) } else { speeds.iter().sum() };
            self.file("speed", speed);
            self.file("duplex", "full");
        }
        for (leaf, text) in attributes(dom0, bond) {
            self.file(&format!("bonding/{leaf}"), text);
        }
        for slave in &bond.slaves {
            self.link(&format!("slave_{}", slave.name), "", &slave.name, "");
        }
    }

    /// The links to what lies on it (Linux 3.9 on).
    fn uppers(&mut self) {
        let dom0 = self.dom0;
        if dom0.flavour != Flavour::El7 {
            return;
        }
        let on = |(upper, device): (&String, &Device)| {
            (device.lies_on(upper) == Some(self.name)).then(|| upper.clone())
        };
        let master = dom0.master_of(self.name).map(String::from);
        let all: Vec<String> = dom0.devices.iter().filter_map(on).chain(master).collect();
        for upper in all {
            self.link(&format!("upper_{upper}"), "", &upper, "");
        }
    }

    /// As a slave or a port.
    fn below(&mut self, master: &str) {
        let (dom0, name) = (self.dom0, self.name);
        self.link("master", "", master, "");
        if let Some(bond) = dom0.bonds.get(master) {
            let slave = bond.slaves.iter().find(|s| s.name == name);
            let Some(slave) = slave.filter(|_| dom0.flavour == Flavour::El7) else { return };
            let backup = bond.mode().has_active_slave() && bond.active.as_deref() != Some(name);
            let permanent = dom0.nics.get(name).map(|n| n.permanent_mac.clone());
            self.file("bonding_slave/state", if backup { "backup" } else { "active" });
            self.file("bonding_slave/mii_status", &slave.status);
            self.file("bonding_slave/link_failure_count", slave.failures);
            self.file("bonding_slave/perm_hwaddr", permanent.unwrap_or_default());
            self.file("bonding_slave/queue_id", 0);
        } else if dom0.devices.get(master).is_some_and(|d| d.kind == "bridge") {
            self.file("brport/state", 3);
            self.link("brport/bridge", "../", master, "");
        }
    }

    fn bridge(&mut self) {
        self.file("bridge/stp_state", 0);
        self.put("brif", Node::Folder);
        for port in self.dom0.ports_of(self.name) {
            self.link(&format!("brif/{port}"), "../", &port, "/brport");
        }
    }
}

fn device(tree: &mut Tree, dom0: &Dom0, name: &str) {
    let home = home(dom0, name);
    let class = home.trim_start_matches("sys/");
    tree.insert(format!("sys/class/net/{name}"), Node::Link(format!("../../{class}")));
    let mut files = Files { tree, dom0, name, home };
    if name == "lo" {
        return files.loopback();
    }
    files.common();
    if let Some(nic) = dom0.nics.get(name) {
        files.nic(nic);
    }
    if let Some(bond) = dom0.bonds.get(name) {
        files.bond(bond);
    }
    if let Some(master) = dom0.master_of(name) {
        files.below(master);
    }
    files.uppers();
    match dom0.devices.get(name).map(|device| device.kind.as_str()) {
        Some("tun") => files.file("tun_flags", "0x1002"),
        Some("bridge") => files.bridge(),
        _ => {}
    }
}

/// `bonding/*` of a bond.
pub(crate) fn attributes(dom0: &Dom0, bond: &Bond) -> Vec<(String, String)> {
    let mut list = Vec::new();
    let mut put = |name: &str, text: String| list.push((name.to_string(), text));
    for (key, _) in WORDS {
        if bond.options.contains_key(key) {
            let number = bond.option(key);
            let plain = matches!(key, "use_carrier" | "all_slaves_active");
            put(
                key,
                if plain { number.to_string() } else { format!("{} {number}", word(bond, key)) },
            );
        }
    }
    let lacp = bond.option("mode") == 4;
    for (key, ..) in NUMBERS {
        if bond.options.contains_key(key) {
            let delay = matches!(key, "updelay" | "downdelay" | "peer_notif_delay");
            let number = bond.option(key) * if delay { bond.option("miimon") } else { 1 };
            // Outside of their mode these print nothing.
            let hidden = key.starts_with("ad_") && !lacp;
            put(key, if hidden { String::new() } else { number.to_string() });
        }
    }
    if bond.options.contains_key("ad_user_port_key") {
        let system = bond.ad_actor_system.as_deref().unwrap_or("00:00:00:00:00:00");
        put("ad_actor_system", if lacp { system.to_string() } else { String::new() });
    }
    put("num_unsol_na", bond.option("num_grat_arp").to_string());
    put("arp_ip_target", bond.arp_targets.join(" "));
    let shown = bond.mode().has_active_slave()
        || (dom0.flavour == Flavour::El5 && bond.option("mode") == 7);
    let active = bond.active.as_deref().filter(|_| shown).unwrap_or_default();
    put("active_slave", active.to_string());
    put("primary", bond.primary_slave().unwrap_or_default().to_string());
    let names: Vec<&str> = bond.slaves.iter().map(|s| s.name.as_str()).collect();
    put("slaves", names.join(" "));
    put("queue_id", names.iter().map(|n| format!("{n}:0")).collect::<Vec<_>>().join(" "));
    // On 3.10 this asks whether there is a curr_active_slave, which mode 4 never has.
    let up = if dom0.flavour == Flavour::El5 {
        bond.active.is_some() && bond.option("mode") != 4
    } else {
        bond.carrier()
    };
    put("mii_status", if up { "up" } else { "down" }.to_string());
    if let Some(active) = proc_bonding::aggregator(dom0, bond).filter(|_| bond.option("mode") == 4)
    {
        put("ad_aggregator", active.id.to_string());
        put("ad_num_ports", active.ports.to_string());
        put("ad_actor_key", active.actor_key.to_string());
        put("ad_partner_key", active.partner_key.to_string());
        put("ad_partner_mac", active.partner_mac.to_string());
    }
    list
}

/// Makes the root's files what `want` says; `have` is what was written last.
pub(crate) fn sync(root: &Path, have: &Tree, want: &Tree) -> Result<()> {
    for (path, node) in have {
        if !want.contains_key(path) {
            let real = root.join(path);
            if matches!(node, Node::Folder) {
                let _ = fs::remove_dir(&real);
            } else {
                let _ = fs::remove_file(&real);
            }
            let mut folder = real.parent();
            while let Some(empty) =
                folder.filter(|f| WHOLE.iter().any(|w| f.starts_with(root.join(w))))
            {
                if WHOLE.iter().any(|w| empty == root.join(w)) || fs::remove_dir(empty).is_err() {
                    break;
                }
                folder = empty.parent();
            }
        }
    }
    let mut folders = BTreeSet::new();
    for (path, node) in want {
        if have.get(path) != Some(node) {
            let real = root.join(path);
            let folder = real.parent().unwrap_or(root);
            let made = if folders.insert(folder.to_path_buf()) {
                fs::create_dir_all(folder)
            } else {
                Ok(())
            };
            let written = made.and_then(|()| match node {
                // Nobody reads a host that is just being made.
                Node::File(text) if have.is_empty() => fs::write(&real, text),
                _ => write(root, path, node),
            });
            written.with_context(|| format!("writing {path} of the model"))?;
        }
    }
    Ok(())
}

fn write(root: &Path, path: &str, node: &Node) -> std::io::Result<()> {
    let real = root.join(path);
    let temp = root.join(".dom0").join("new");
    match node {
        Node::Folder => fs::create_dir_all(&real),
        Node::File(text) => {
            fs::write(&temp, text)?;
            fs::rename(&temp, &real)
        }
        Node::Link(target) => {
            let _ = fs::remove_file(&temp);
            symlink(target, &temp)?;
            fs::rename(&temp, &real)
        }
    }
}

/// What is on the disk now of the tree, for a root that another process wrote.
pub(crate) fn present(root: &Path, want: &Tree) -> Tree {
    let mut tree = Tree::new();
    for folder in WHOLE {
        collect(root, &root.join(folder), &mut tree);
    }
    for path in want.keys() {
        if let Ok(text) = fs::read_to_string(root.join(path)) {
            tree.entry(path.clone()).or_insert(Node::File(text));
        }
    }
    tree
}

fn collect(root: &Path, folder: &Path, tree: &mut Tree) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(inside) = path.strip_prefix(root) else { continue };
        let inside = inside.to_string_lossy().into_owned();
        if let Ok(target) = fs::read_link(&path) {
            tree.insert(inside, Node::Link(target.to_string_lossy().into_owned()));
        } else if path.is_dir() {
            collect(root, &path, tree);
        } else if let Ok(text) = fs::read_to_string(&path) {
            tree.insert(inside, Node::File(text));
        }
    }
}
