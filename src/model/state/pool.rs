//! XAPI's database as data: part of the state, kept apart since all hosts of a pool share it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// Text by text.
pub type Map = BTreeMap<String, String>;

/// A release of the product, as far as its XAPI answers differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Release {
    /// XenServer 6.2 to 6.5.
    #[serde(rename = "6.2")]
    V6_2,
    /// XCP-ng and Citrix Hypervisor 8.2.
    #[serde(rename = "8.2")]
    V8_2,
    /// XenServer 8: xapi 24.39.
    #[serde(rename = "24.39")]
    V24_39,
    /// xapi 26.1.
    #[serde(rename = "26.1")]
    V26_1,
}

impl Release {
    /// The release of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let all = [
            ("6.2", Self::V6_2),
            ("8.2", Self::V8_2),
            ("24.39", Self::V24_39),
            ("26.1", Self::V26_1),
        ];
        all.into_iter().find(|(known, _)| *known == name).map(|(_, release)| release)
    }
}

/// XAPI's database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    /// Its uuid.
    pub uuid: String,
    /// Its name.
    pub name_label: String,
    /// The master, a key of `hosts`.
    pub master: String,
    /// Whether high availability is on.
    pub ha_enabled: bool,
    /// Whether the redo log is on.
    pub redo_log_enabled: bool,
    /// The pool's `other-config`.
    pub other_config: Map,
    /// How its XAPI answers; without one, as the built-in pool of the host's flavour.
    #[serde(default)]
    pub release: Option<Release>,
    /// Values that no rule of the model makes, by a record's uuid and the field: dates, vendors.
    #[serde(default)]
    pub notes: BTreeMap<String, Map>,
    /// Uuids given out since the start.
    pub counter: u64,
    /// Hosts by name, `xen01`.
    pub hosts: BTreeMap<String, HostRecord>,
    /// Networks by bridge, `xenbr2`.
    pub networks: BTreeMap<String, Network>,
    /// PIFs by host and device, `xen01/eth2`, `xen01/eth1.30`, `xen01/bond0`.
    pub pifs: BTreeMap<String, Pif>,
    /// Managed bonds, by their PIF, `xen01/bond0`.
    pub bonds: BTreeMap<String, BondRecord>,
    /// VLANs by their tagged PIF, `xen01/eth1.30`.
    pub vlans: BTreeMap<String, Vlan>,
    /// Tunnels by any name.
    pub tunnels: BTreeMap<String, Tunnel>,
    /// VMs by name, `vm-web`.
    pub vms: BTreeMap<String, Vm>,
    /// VIFs by VM and device number, `vm-web/0`.
    pub vifs: BTreeMap<String, Vif>,
    /// Storage repositories by name.
    pub srs: BTreeMap<String, Sr>,
    /// PBDs by host and repository.
    pub pbds: BTreeMap<String, Pbd>,
    /// Disks.
    #[serde(default)]
    pub vdis: BTreeMap<String, Vdi>,
    /// Machines' connections to disks.
    #[serde(default)]
    pub vbds: BTreeMap<String, Vbd>,
    /// Hosts' parts in a cluster, by host.
    #[serde(default)]
    pub cluster_hosts: BTreeMap<String, ClusterHost>,
}

/// A host's part in a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterHost {
    /// Its uuid.
    pub uuid: String,
    /// Key of the host.
    pub host: String,
    /// Key of the PIF that the cluster talks through.
    pub pif: String,
    /// Whether it takes part now.
    pub enabled: bool,
}

/// A host as XAPI knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostRecord {
    /// Its uuid, `INSTALLATION_UUID`.
    pub uuid: String,
    /// Its name; not unique, and not the hostname.
    pub name_label: String,
    /// The hostname.
    pub hostname: String,
    /// The management address.
    pub address: String,
    /// Whether it is out of maintenance.
    pub enabled: bool,
    /// Answers. Another host that does not makes operations on it fail; a master that does not
    /// makes every call fail.
    pub live: bool,
    /// As it was at its last start.
    pub software_version: Map,
    /// Its `other-config`.
    pub other_config: Map,
    /// Its NICs with their addresses. Of another host that says none they follow a pattern.
    #[serde(default)]
    pub nics: Map,
}

/// What `managed` was before a state said it.
fn yes() -> bool {
    true
}

/// A network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// Its uuid.
    pub uuid: String,
    /// Its name.
    pub name_label: String,
    /// Its description.
    pub name_description: String,
    /// The bridge.
    pub bridge: String,
    /// MTU of the bridge.
    pub mtu: u32,
    /// XAPI makes its bridge.
    #[serde(default = "yes")]
    pub managed: bool,
    /// Its `other-config`.
    pub other_config: Map,
}

/// A physical interface, a VLAN or a managed bond of one host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pif {
    /// Its uuid.
    pub uuid: String,
    /// Key of the host.
    pub host: String,
    /// The device.
    pub device: String,
    /// The address that XAPI noted.
    pub mac: String,
    /// Whether it stands for a NIC.
    pub physical: bool,
    /// Whether XAPI configures it.
    pub managed: bool,
    /// Whether it is plugged.
    pub currently_attached: bool,
    /// As last read from the device.
    pub mtu: u32,
    /// The tag, -1 for none.
    pub vlan: i32,
    /// Whether it is the management interface.
    pub management: bool,
    /// Key of the network.
    pub network: String,
    /// `None`, `DHCP` or `Static`.
    pub ip_configuration_mode: String,
    /// Address.
    pub ip: String,
    /// Netmask.
    pub netmask: String,
    /// Gateway.
    pub gateway: String,
    /// Name servers, with commas.
    pub dns: String,
    /// Whether XAPI refuses to unplug it.
    pub disallow_unplug: bool,
    /// `gro` and the like.
    pub properties: Map,
    /// Its `other-config`.
    pub other_config: Map,
    /// The SR-IOV network that lies on it, if any.
    pub sriov: Option<String>,
}

/// A managed bond.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BondRecord {
    /// Its uuid.
    pub uuid: String,
    /// Key of its PIF.
    pub master: String,
    /// Keys of the PIFs in it.
    pub slaves: BTreeSet<String>,
    /// `balance-slb`, `active-backup` or `lacp`.
    pub mode: String,
    /// `hashing_algorithm` and the like.
    #[serde(default)]
    pub properties: Map,
    /// Key of the PIF that gave it address and configuration; else the first.
    #[serde(default)]
    pub primary: Option<String>,
}

/// A VLAN.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vlan {
    /// Its uuid.
    pub uuid: String,
    /// Key of the PIF above.
    pub tagged: String,
    /// Key of the PIF below.
    pub untagged: String,
    /// The tag.
    pub tag: i32,
}

/// A tunnel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tunnel {
    /// Its uuid.
    pub uuid: String,
    /// Key of the PIF above.
    pub access: String,
    /// Key of the PIF below.
    pub transport: String,
}

/// A virtual machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vm {
    /// Its uuid.
    pub uuid: String,
    /// Its name.
    pub name_label: String,
    /// Whether it is a dom0.
    pub is_control_domain: bool,
    /// `running`, `halted`, `paused` or `suspended`.
    pub power_state: String,
    /// Key of the host, if it runs.
    pub resident_on: Option<String>,
    /// It cannot move to another host: it has no drivers for that.
    #[serde(default)]
    pub stays: bool,
}

/// A machine's interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vif {
    /// Its uuid.
    pub uuid: String,
    /// Key of the machine.
    pub vm: String,
    /// Its number.
    pub device: String,
    /// Key of the network.
    pub network: String,
    /// Its address.
    pub mac: String,
    /// Whether it is plugged.
    pub currently_attached: bool,
}

/// A storage repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sr {
    /// Its uuid.
    pub uuid: String,
    /// Its name.
    pub name_label: String,
    /// `lvm`, `nfs`, ...
    pub kind: String,
    /// Whether the whole pool has it.
    pub shared: bool,
}

/// A disk in a repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vdi {
    /// Its uuid.
    pub uuid: String,
    /// Its name.
    pub name_label: String,
    /// Key of the repository.
    pub sr: String,
}

/// A machine's connection to a disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vbd {
    /// Its uuid.
    pub uuid: String,
    /// Key of the machine.
    pub vm: String,
    /// Key of the disk; none: a drive that is empty.
    pub vdi: Option<String>,
    /// Whether it is plugged.
    pub currently_attached: bool,
}

/// A host's connection to a repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pbd {
    /// Its uuid.
    pub uuid: String,
    /// Key of the host.
    pub host: String,
    /// Key of the repository.
    pub sr: String,
    /// Whether it is plugged.
    pub currently_attached: bool,
    /// `server`, `serverpath`, ...
    pub device_config: Map,
}
