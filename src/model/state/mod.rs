//! The state of the model as data: what XAPI's database and the kernel of one dom0 hold.
//! Files under the root (ifcfg files, `network.conf`, service links) are not in it: the root
//! itself holds those, since the program under test reads and writes them.
//!
//! Every collection has readable keys, so that a test can alter any field with an RFC 7396
//! merge patch. No behaviour here.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

mod pool;
mod stores;
mod vswitch;

pub use pool::*;
pub use stores::*;
pub use vswitch::*;

/// The whole model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// XAPI's database, which all hosts of the pool share.
    pub pool: Pool,
    /// This host.
    pub dom0: Dom0,
}

/// Which userland a dom0 has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flavour {
    /// XenServer 6.5: CentOS 5, kernel 3.10, SysV, `/etc/modprobe.conf`.
    El5,
    /// XCP-ng 8.2: CentOS 7, kernel 4.19, systemd, `/etc/modprobe.d`.
    El7,
}

/// What dom0's networks are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Backend {
    /// Linux bridges.
    Bridge,
    /// Open vSwitch.
    Openvswitch,
    /// Neither works: `bridge` was selected while its module is still blacklisted.
    None,
}

impl Backend {
    /// The word of `network.conf` and `software-version`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Bridge => "bridge",
            Self::Openvswitch => "openvswitch",
            Self::None => "none",
        }
    }
}

/// Where XAPI's life cycle is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Xapi {
    /// Answers.
    Up,
    /// Refuses connections.
    Down,
    /// Says that it is still initialising.
    Starting,
}

/// Which initscripts a dom0 has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Init {
    /// `chkconfig` and rc links.
    Sysv,
    /// Units.
    Systemd,
}

/// How this dom0's programs differ from those of others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Features {
    /// The switch script deletes `ifcfg-*` (up to CH 8.0).
    pub switch_deletes_ifcfg: bool,
    /// `xe` has the field `managed`, and `pif-introduce` takes it (6.2 SP1).
    pub xe_managed: bool,
    /// The network scripts.
    pub initscripts: Flavour,
    /// The init.
    pub init: Init,
    /// The bonding driver has mode 7.
    pub slb: bool,
    /// A new bond starts in mode 7.
    pub slb_default: bool,
    /// `pif-introduce` and `pif-scan` see the permanent MAC of a NIC that is in a bond; older
    /// releases see its present one.
    pub introduce_permanent_mac: bool,
    /// The kernel tells the most that a driver takes (`IFLA_MAX_MTU`, Linux 4.19).
    #[serde(default)]
    pub max_mtu: bool,
    /// Plugging a PIF whose NIC is in a foreign bond is an error; else it seems to work.
    pub plug_enslaved_fails: bool,
    /// Modules that this kernel has not got.
    #[serde(default)]
    pub missing_modules: BTreeSet<String>,
    /// The release of Open vSwitch; without one, that of the host's own.
    #[serde(default)]
    pub vswitch: Option<Vswitch>,
    /// Options of the bonding driver that it refuses to networkd, which logs that and goes on.
    #[serde(default)]
    pub refused_options: BTreeSet<String>,
}

/// A NIC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nic {
    /// The present address.
    pub mac: String,
    /// The permanent one.
    pub permanent_mac: String,
    /// MTU.
    pub mtu: u32,
    /// The most that the driver takes.
    pub max_mtu: u32,
    /// Whether it is administratively up.
    pub up: bool,
    /// The cable and the switch port are good.
    pub link: bool,
    /// Speed in Mb/s.
    pub speed: u32,
    /// `full` or `half`.
    pub duplex: String,
    /// The kernel driver.
    pub driver: String,
    /// The PCI function.
    pub pci: String,
    /// What it is a port or slave of.
    pub master: Option<String>,
    /// What `ethtool` has set since the driver was loaded, by the flag and the word that set it:
    /// `-G rx`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tuning: BTreeMap<String, String>,
}

/// A bridge, of either backend, or another virtual device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// `bridge`, `ovs`, `ovs-system`, `vlan`, `vif` or `tun`.
    pub kind: String,
    /// Its address.
    pub mac: String,
    /// MTU.
    pub mtu: u32,
    /// Whether it is administratively up.
    pub up: bool,
    /// What it is a port of.
    pub master: Option<String>,
    /// The device that it lies on, where its name does not say so: of a VLAN, a macvlan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<String>,
    /// The tag of a VLAN whose name does not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<u32>,
}

impl Device {
    /// What it lies on: a VLAN by its name, `eth2.50`, where nothing else is said.
    #[must_use]
    pub fn lies_on<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        let by_name = || name.split_once('.').filter(|_| self.kind == "vlan").map(|(nic, _)| nic);
        self.below.as_deref().or_else(by_name)
    }
}

/// A bond of the kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bond {
    /// Its address.
    pub mac: String,
    /// MTU.
    pub mtu: u32,
    /// Whether it is administratively up.
    pub up: bool,
    /// Whether it has been up since it was made.
    pub opened: bool,
    /// What it is a port of.
    pub master: Option<String>,
    /// Options as numbers, by sysfs name; delays in ticks of miimon.
    pub options: BTreeMap<String, u32>,
    /// ARP targets.
    pub arp_targets: Vec<String>,
    /// The LACP system's address, where one was set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ad_actor_system: Option<String>,
    /// The name asked for as primary.
    pub primary: Option<String>,
    /// The slave that carries the traffic, in the modes that have one.
    pub active: Option<String>,
    /// The slaves in the order of enslaving.
    pub slaves: Vec<Slave>,
}

/// A NIC in a bond.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slave {
    /// The NIC.
    pub name: String,
    /// `up`, `down`, `going back` or `going down`.
    pub status: String,
    /// When a status that is under way ends, in ms of the model's clock.
    pub until: Option<u64>,
    /// When LACP has settled, in ms of the model's clock.
    pub lacp_at: u64,
    /// How often the link was lost.
    pub failures: u32,
    /// The NIC's own address, given back at the end.
    pub own_mac: String,
    /// The NIC's MTU before.
    pub own_mtu: u32,
}

/// A route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// `0.0.0.0/0` is the default route.
    pub to: String,
    /// The device.
    pub dev: String,
    /// The gateway, if any.
    pub via: Option<String>,
    /// Metric.
    pub metric: u32,
}

/// What is beyond the cables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wire {
    /// Addresses in use by others, with their MAC: they answer ARP on every device.
    pub answers: Map,
    /// Addresses that answer a ping to a device that carries their subnet.
    pub reachable: BTreeSet<String>,
    /// Addresses beyond the gateway that answer a ping.
    #[serde(default)]
    pub routed: BTreeSet<String>,
    /// Ports that nobody listens on, as `IP:PORT`, of addresses that answer.
    #[serde(default)]
    pub closed: BTreeSet<String>,
    /// NICs whose switch port gives a link and passes nothing: another VLAN, say.
    #[serde(default)]
    pub silent: BTreeSet<String>,
    /// The subnet of the management network, as `NET/PREFIX`.
    #[serde(default)]
    pub management: Option<String>,
    /// NICs whose switch port is in another network: nobody of that subnet answers through them.
    #[serde(default)]
    pub apart: BTreeSet<String>,
    /// The largest frame that the switches carry.
    pub mtu: u32,
    /// The switch speaks LACP with these NICs.
    pub lacp: BTreeSet<String>,
    /// The NIC whose link comes first when XAPI makes a bond; without one, the last of its NICs.
    #[serde(default)]
    pub first: Option<String>,
}

/// How a command misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// Exit 1, no effect.
    Fails,
    /// Exit 1, but the effect.
    FailsAfter,
    /// Exit 0, no effect.
    Lies,
    /// Never ends, no effect.
    Hangs,
    /// Never ends, but the effect.
    HangsAfter,
}

/// A `ping` under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// Whom it asks.
    pub target: String,
    /// The device that it is bound to.
    pub device: Option<String>,
    /// ms between two packets.
    pub interval: u64,
    /// When the next one leaves, in ms of the model's clock.
    pub next: u64,
    /// For each packet, whether it was answered.
    pub answered: Vec<bool>,
}

/// A command's misbehaviour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lie {
    /// In which way.
    pub how: How,
    /// For how many more calls.
    pub times: u32,
    /// How many matching calls go well before.
    #[serde(default)]
    pub after: u32,
}

/// A command that was run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ran {
    /// Program and arguments.
    pub command: String,
    /// Its exit status; -1 when it hung.
    pub status: i32,
    /// It changed the pool, the kernel or a file.
    pub changed: bool,
}

/// One host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dom0 {
    /// Its key in `pool.hosts`.
    pub me: String,
    /// Userland and kernel.
    pub flavour: Flavour,
    /// How its programs differ.
    pub features: Features,
    /// The kernel's release.
    pub kernel: String,
    /// What its networks are made of now.
    pub running: Backend,
    /// XAPI.
    pub xapi: Xapi,
    /// How long XAPI takes to start after a reboot, ms.
    pub xapi_start: u64,
    /// When a XAPI that starts will be up.
    pub xapi_up_at: Option<u64>,
    /// Changes with every boot.
    pub boot: u32,
    /// `shutdown -r` was called.
    pub reboot_requested: bool,
    /// What the last boot started of the program itself: its arguments.
    #[serde(default)]
    pub boot_runs: Vec<String>,
    /// Virtual time since the start, ms.
    pub clock: u64,
    /// How far the time of day is off, in seconds.
    #[serde(default)]
    pub wall_offset: i64,
    /// When it booted last, in that time.
    #[serde(default)]
    pub booted_at: u64,
    /// NICs by name.
    pub nics: BTreeMap<String, Nic>,
    /// Kernel bonds by name.
    pub bonds: BTreeMap<String, Bond>,
    /// Open vSwitch's bonds by the name of their port.
    #[serde(default)]
    pub vswitch: BTreeMap<String, VsBond>,
    /// Bridges, VLAN devices and machines' ports by name.
    pub devices: BTreeMap<String, Device>,
    /// Devices' numbers.
    pub ifindex: BTreeMap<String, u32>,
    /// Loaded modules, with the parameters that they were loaded with.
    pub modules: BTreeMap<String, Map>,
    /// Addresses with prefix, by device.
    pub addresses: BTreeMap<String, BTreeSet<String>>,
    /// IPv6 addresses without prefix, by device; those of the link are not told.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub addresses6: BTreeMap<String, BTreeSet<std::net::Ipv6Addr>>,
    /// Routes by destination and device.
    pub routes: BTreeMap<String, Route>,
    /// What is beyond the cables.
    pub wire: Wire,
    /// Lines of `/proc/mounts` besides the root's, by mount point.
    pub mounts: Map,
    /// Misbehaviour, by program and first argument (`xe pif-forget`), or program alone.
    pub lies: BTreeMap<String, Lie>,
    /// What was run, in order.
    pub transcript: Vec<Ran>,
    /// Commands that a shell would have run when it sourced a configuration file.
    pub executed: Vec<String>,
    /// A `ping` that runs beside whatever else happens.
    #[serde(default)]
    pub traffic: Option<Traffic>,
    /// The kernel's complaints, and what the last boot printed.
    pub dmesg: Vec<String>,
    /// What networkd knows.
    #[serde(default)]
    pub networkd: Networkd,
    /// How often the two stores are written.
    #[serde(default)]
    pub saves: Saves,
    /// What is on disk of them.
    #[serde(default)]
    pub disk: Disk,
}

impl State {
    /// XAPI's record of this host.
    #[must_use]
    pub fn host(&self) -> Option<&HostRecord> {
        self.pool.hosts.get(&self.dom0.me)
    }

    /// How XAPI answers.
    #[must_use]
    pub fn release(&self) -> Release {
        self.pool.release.unwrap_or(match self.dom0.flavour {
            Flavour::El5 => Release::V6_2,
            Flavour::El7 => Release::V8_2,
        })
    }

    /// The release of Open vSwitch (tests/ground/ovs.md, A1).
    #[must_use]
    pub fn vswitch_release(&self) -> Vswitch {
        self.dom0.features.vswitch.unwrap_or(match self.release() {
            Release::V6_2 => (1, 4),
            Release::V8_2 => (2, 5),
            _ => (2, 17),
        })
    }

    /// A new uuid, the same in every run.
    pub fn new_uuid(&mut self) -> String {
        self.pool.counter += 1;
        uuid_of(&format!("new {}", self.pool.counter))
    }
}

/// A uuid from a text, always the same.
#[must_use]
pub fn uuid_of(text: &str) -> String {
    let half = |salt: u64| {
        text.bytes().chain([0x5c; 4]).fold(0xcbf2_9ce4_8422_2325 ^ salt, |hash: u64, byte| {
            let mixed = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            mixed ^ (mixed >> 29)
        })
    };
    let hex = format!("{:016x}{:016x}", half(0), half(0x9e37_79b9_7f4a_7c15));
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
