//! What XAPI and its network daemon keep on disk, as data: how often they write it, what is on
//! disk, and networkd's configuration in the very form of its file.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Map, Pool};

/// How often the two stores are written, in ms; 0: at once, and nothing where there is no such
/// store on this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saves {
    /// XAPI's database, on the master.
    pub xapi: Option<u64>,
    /// networkd's `networkd.db`.
    pub networkd: Option<u64>,
}

impl Default for Saves {
    fn default() -> Self {
        Self { xapi: Some(0), networkd: Some(0) }
    }
}

impl Saves {
    /// How often a real dom0 writes both (xapi `db_cache_impl.ml`, `networkd.ml`): every 300 s.
    pub const REAL: Self = Self { xapi: Some(300_000), networkd: Some(300_000) };
}

/// What is on disk, and when it was written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    /// XAPI's database as its file has it, where that may be older than what XAPI knows.
    pub pool: Option<Box<Pool>>,
    /// The number of the generation that was written last.
    pub generation: u64,
    /// When XAPI wrote last, in ms of the model's clock.
    pub xapi_written: u64,
    /// When networkd writes next.
    pub networkd_next: u64,
}

/// networkd's configuration (xcp-networkd `network_interface.ml`, `config_t`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Networkd {
    /// By interface: bridges are what has addresses.
    #[serde(default)]
    pub interface_config: BTreeMap<String, InterfaceConfig>,
    /// By bridge.
    #[serde(default)]
    pub bridge_config: BTreeMap<String, BridgeConfig>,
    /// Which one has the default route.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway_interface: Option<String>,
    /// Which one has the name servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns_interface: Option<String>,
}

/// A bridge's address and settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceConfig {
    /// `"None4"`, or `["Static4", [[address, prefix]]]`.
    pub ipv4_conf: Ipv4Conf,
    /// The gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv4_gateway: Option<String>,
    /// Always `None6` here.
    pub ipv6_conf: String,
    /// Static routes.
    pub ipv4_routes: Vec<Ipv4Route>,
    /// Name servers, and domains.
    pub dns: (Vec<String>, Vec<String>),
    /// MTU.
    pub mtu: u32,
    /// Speed and the like.
    pub ethtool_settings: Map,
    /// Offloads.
    pub ethtool_offload: Map,
    /// It is made at networkd's start.
    pub persistent_i: bool,
}

/// A route by a router.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ipv4Route {
    /// Where it leads.
    pub subnet: String,
    /// The prefix of that.
    pub netmask: u8,
    /// The router.
    pub gateway: String,
}

/// An address, or none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Ipv4Conf {
    /// A word alone.
    Word(String),
    /// A word, and addresses with their prefixes.
    Static(String, Vec<(String, u8)>),
}

/// A bridge.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BridgeConfig {
    /// By name.
    pub ports: BTreeMap<String, PortConfig>,
    /// The bridge below and the tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vlan: Option<(String, i32)>,
    /// Its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bridge_mac: Option<String>,
    /// The network's `other-config`, as far as networkd is told of it.
    pub other_config: Map,
    /// It is made at networkd's start.
    pub persistent_b: bool,
}

/// A port of a bridge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortConfig {
    /// One NIC, or those of a bond.
    pub interfaces: Vec<String>,
    /// The bond's options.
    pub bond_properties: Map,
    /// The bond's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bond_mac: Option<String>,
    /// Always `Basic_port` here.
    pub kind: String,
}
