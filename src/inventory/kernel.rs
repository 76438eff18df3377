//! What the running kernel says: devices, bonds, addresses, routes, modules. Only `/proc` and
//! `/sys` are read; no program is run.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::above::{self, VlanOf};
use super::reach::{Address, addresses, addresses6};
use crate::bonding::{self, BondStatus};
use crate::host::{Host, join};
use crate::net::{MacAddr, Route};
use crate::options::{Linux, TABLE};
use crate::order;
use crate::paths::{BOOT_ID, PROC_BONDING, SYS_NET, proc_bonding, sys_net};
use crate::spec::NicRef;

/// A network device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Device {
    /// Its MAC address now: a slave carries its bond's. None where it is no address of a NIC.
    pub address: Option<MacAddr>,
    /// MTU in bytes.
    pub mtu: Option<u32>,
    /// The largest MTU that its driver takes; `None`: unknown.
    pub max_mtu: Option<u32>,
    /// Whether it is administratively up.
    pub up: Option<bool>,
    /// Whether it is InfiniBand, whose addresses are no Ethernet's.
    pub infiniband: bool,
    /// `up`, `down`, `unknown`, ...
    pub operstate: Option<String>,
    /// Whether it has carrier; unknown while it is down.
    pub carrier: Option<bool>,
    /// Speed in Mb/s, where the link says.
    pub speed: Option<u32>,
    /// `full` or `half`.
    pub duplex: Option<String>,
    /// The driver's name.
    pub driver: Option<String>,
    /// The PCI function, such as `0000:03:00.1`.
    pub pci: Option<String>,
    /// How many SR-IOV virtual functions are on; `None` where there can be none.
    pub vfs: Option<u32>,
    /// The device that it is a slave or port of.
    pub master: Option<String>,
    /// The devices that lie on it, as far as the kernel has links to them (3.9 on).
    pub uppers: BTreeSet<String>,
    /// What it is as a VLAN.
    pub vlan: Option<VlanOf>,
    /// What it is besides a NIC.
    pub kind: DeviceKind,
}

/// What a device is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceKind {
    /// A NIC, or anything that does not show to be one of the others.
    #[default]
    Plain,
    /// A bond.
    Bond,
    /// A Linux bridge.
    Bridge,
    /// A VLAN.
    Vlan,
    /// A tun or tap device.
    Tun,
}

impl DeviceKind {
    /// The kind as a word in a sentence.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Plain => "device",
            Self::Bond => "bond",
            Self::Bridge => "bridge",
            Self::Vlan => "VLAN",
            Self::Tun => "tun device",
        }
    }
}

/// One reading of the kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kernel {
    /// Devices by name.
    pub devices: BTreeMap<String, Device>,
    /// The text of `/proc/net/bonding/<bond>` by bond.
    pub bonds: BTreeMap<String, String>,
    /// The driver's options by bond and name, as `/sys` shows them.
    pub bond_options: BTreeMap<String, BTreeMap<String, String>>,
    /// IPv4 addresses, loopback left out.
    pub addresses: Vec<Address>,
    /// IPv6 addresses by device, those of the link and of loopback left out.
    #[serde(default)]
    pub addresses6: Vec<(String, Ipv6Addr)>,
    /// Whether the kernel says which addresses are this host's own (`/proc/net/fib_trie`).
    pub addresses_known: bool,
    /// IPv4 routes.
    pub routes: Vec<Route>,
    /// The VLAN devices as `/proc/net/vlan/config` lists them; `None`: it is not there.
    #[serde(default)]
    pub vlans: Option<BTreeMap<String, VlanOf>>,
    /// Loaded modules.
    pub modules: BTreeSet<String>,
    /// Another one after each boot.
    pub boot_id: Option<String>,
    /// The hostname.
    pub hostname: Option<String>,
    /// The kernel's release (`uname -r`).
    #[serde(default)]
    pub release: Option<String>,
}

impl Kernel {
    /// Reads the running kernel.
    ///
    /// # Errors
    /// When a file that is there cannot be read.
    pub fn read(host: &Host) -> Result<Self> {
        let mut devices = BTreeMap::new();
        let limits = host.max_mtus();
        for name in host.list(SYS_NET)? {
            // `bonding_masters` is a file in the same folder.
            if host.exists(&join(&sys_net(&name), "address")) {
                let max_mtu = limits.get(&name).copied();
                let device = Device { max_mtu, ..device(host, &name) };
                devices.insert(name, device);
            }
        }
        let mut bonds = BTreeMap::new();
        for name in host.list(PROC_BONDING)? {
            if let Some(text) = host.read_text(&proc_bonding(&name))? {
                bonds.insert(name, text);
            }
        }
        let options = |bond: &String| -> BTreeMap<String, String> {
            let shown = TABLE.iter().map(|row| row.name).chain(["mode", "slaves", "active_slave"]);
            order::map(shown.filter_map(|name| {
                let path = format!("{}/bonding/{name}", sys_net(bond));
                Some((name.to_string(), host.attribute(&path)?))
            }))
        };
        let mut bond_options = BTreeMap::new();
        bond_options.extend(bonds.keys().map(|bond| (bond.clone(), options(bond))));
        let routes = Route::all(&host.read_text("/proc/net/route")?.unwrap_or_default())?;
        let trie = host.read_text("/proc/net/fib_trie")?;
        let (addresses, addresses_known) = addresses(host, trie.as_deref(), &routes);
        let modules = host.read_text("/proc/modules")?.unwrap_or_default();
        Ok(Self {
            devices,
            bonds,
            bond_options,
            addresses,
            addresses6: addresses6(&host.read_text("/proc/net/if_inet6")?.unwrap_or_default()),
            addresses_known,
            routes,
            vlans: host.read_text("/proc/net/vlan/config")?.map(|text| above::config(&text)),
            modules: order::set(
                modules.lines().filter_map(|l| l.split_whitespace().next()).map(String::from),
            ),
            boot_id: host.attribute(BOOT_ID),
            hostname: host.hostname(),
            release: host.attribute("/proc/sys/kernel/osrelease"),
        })
    }

    /// Major and minor number of the kernel's release.
    #[must_use]
    pub fn linux(&self) -> Option<Linux> {
        let mut numbers = self.release.as_ref()?.split(|c: char| !c.is_ascii_digit());
        Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
    }

    /// What the driver says of a bond.
    #[must_use]
    pub fn bond(&self, name: &str) -> Option<BondStatus> {
        self.bonds.get(name).map(|text| bonding::parse(text))
    }

    /// What a device is a port or slave of.
    #[must_use]
    pub fn master_of(&self, device: &str) -> Option<&str> {
        self.devices.get(device)?.master.as_deref()
    }

    /// One of the driver's options of a bond, as `/sys` shows it.
    #[must_use]
    pub fn bond_option(&self, bond: &str, name: &str) -> Option<&String> {
        self.bond_options.get(bond)?.get(name)
    }

    /// The device that a name of the spec means. Bridges and VLANs carry the MAC address of the NIC
    /// below them.
    #[must_use]
    pub fn device_of(&self, nic: &NicRef) -> Option<&str> {
        let named = |(name, device): &(&String, &Device)| match nic {
            NicRef::Device(wanted) => name.as_str() == wanted.as_str(),
            NicRef::Mac(mac) => {
                device.kind == DeviceKind::Plain && self.permanent_mac(name) == Some(*mac)
            }
        };
        self.devices.iter().find(named).map(|(name, _)| name.as_str())
    }

    /// The permanent MAC of a device: while it is a slave, only the driver shows it; a slave's own
    /// `address` is the bond's.
    #[must_use]
    pub fn permanent_mac(&self, name: &str) -> Option<MacAddr> {
        for text in self.bonds.values() {
            if let Some(slave) = bonding::parse(text).slaves.into_iter().find(|s| s.name == name) {
                return slave.perm_hwaddr?.parse().ok();
            }
        }
        self.devices.get(name)?.address
    }

    /// The MAC of a bond that stands, which it has from its first slave; `None` where it is that of
    /// whichever slave is active (`fail_over_mac=active`).
    #[must_use]
    pub fn bond_mac(&self, name: &str) -> Option<MacAddr> {
        if !self.bonds.contains_key(name) {
            return None;
        }
        let follows = self.bond_option(name, "fail_over_mac");
        if follows.is_some_and(|shown| shown.starts_with("active")) {
            return None;
        }
        self.devices.get(name)?.address
    }

    /// The device that traffic to an address leaves by, the default route's at the worst.
    #[must_use]
    pub fn device_towards(&self, addr: Ipv4Addr) -> Option<&str> {
        let fits = self.routes.iter().filter(|route| route.to.contains(addr));
        fits.max_by_key(|route| route.to.prefix).map(|route| route.device.as_str())
    }

    /// The devices that have the address.
    #[must_use]
    pub fn devices_with(&self, addr: Ipv4Addr) -> Vec<&str> {
        self.addresses.iter().filter(|a| a.net.addr == addr).map(|a| a.device.as_str()).collect()
    }
}

fn device(host: &Host, name: &str) -> Device {
    let folder = sys_net(name);
    let attribute = |file: &str| host.attribute(&join(&folder, file));
    let has = |file: &str| host.exists(&join(&folder, file));
    let kind = if has("bonding") {
        DeviceKind::Bond
    } else if has("bridge") {
        DeviceKind::Bridge
    } else if host.exists(&format!("/proc/net/vlan/{name}")) {
        DeviceKind::Vlan
    } else if has("tun_flags") {
        DeviceKind::Tun
    } else {
        DeviceKind::Plain
    };
    Device {
        address: attribute("address").and_then(|a| a.parse().ok()),
        mtu: attribute("mtu").and_then(|v| v.parse().ok()),
        max_mtu: None,
        up: attribute("flags").and_then(|flags| is_up(&flags)),
        infiniband: attribute("type").as_deref() == Some(INFINIBAND),
        operstate: attribute("operstate"),
        carrier: attribute("carrier").map(|v| v == "1"),
        // 3.10 prints SPEED_UNKNOWN, -1, as an unsigned number; later kernels as it is.
        speed: attribute("speed").and_then(|v| v.parse().ok()).filter(|mbps| *mbps != u32::MAX),
        duplex: attribute("duplex").filter(|d| d != "unknown"),
        driver: host.link_name(&join(&folder, "device/driver")),
        pci: host.link_name(&join(&folder, "device")),
        vfs: attribute("device/sriov_numvfs").and_then(|v| v.parse().ok()),
        master: host
            .link_name(&join(&folder, "master"))
            .or_else(|| host.link_name(&join(&folder, "brport/bridge"))),
        uppers: uppers(host, &folder),
        vlan: above::read(host, name),
        kind,
    }
}

/// `ARPHRD_INFINIBAND` (include/uapi/linux/if_arp.h).
const INFINIBAND: &str = "32";

/// `IFF_UP` of the flags in hexadecimal digits.
fn is_up(flags: &str) -> Option<bool> {
    Some(u32::from_str_radix(flags.strip_prefix("0x")?, 16).ok()? & 1 == 1)
}

/// The links `upper_NAME` of a device (net/core/dev.c, `netdev_adjacent_sysfs_add`).
fn uppers(host: &Host, folder: &str) -> BTreeSet<String> {
    let names = host.list(folder).unwrap_or_default();
    order::set(names.iter().filter_map(|name| name.strip_prefix("upper_").map(String::from)))
}
