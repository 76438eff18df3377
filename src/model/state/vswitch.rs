//! The bonds of Open vSwitch as data.

use serde::{Deserialize, Serialize};

use super::Map;

/// A release of Open vSwitch: its first two numbers.
pub type Vswitch = (u32, u32);

/// A port of Open vSwitch with two or more NICs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VsBond {
    /// The bridge that it is a port of.
    pub bridge: String,
    /// The address that XAPI set on it.
    pub mac: String,
    /// `active-backup`, `balance-slb` or `balance-tcp`.
    pub mode: String,
    /// `off` or `active`.
    pub lacp: String,
    /// ms before a link that came up is used.
    pub updelay: u64,
    /// ms before a link that went down is left.
    pub downdelay: u64,
    /// Keys without a column of their own.
    pub other_config: Map,
    /// The NIC that is the active one.
    pub active: Option<String>,
    /// Its NICs.
    pub members: Vec<VsMember>,
}

/// A NIC in such a port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VsMember {
    /// The NIC.
    pub name: String,
    /// It may carry traffic now.
    pub enabled: bool,
    /// When a delay that runs ends, in ms of the model's clock.
    pub until: Option<u64>,
    /// When a partner that speaks LACP is heard, in ms of the model's clock; without a link never.
    #[serde(default)]
    pub heard_at: Option<u64>,
}
