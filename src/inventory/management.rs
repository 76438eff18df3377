//! How the host is reached for its management.

use std::fmt;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use super::Inventory;
use super::facts::{Fact, Facts};
use crate::net::shown;

/// How the host is reached for its management: recorded with each change, and required after the
/// reboot of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Management {
    /// The bridge.
    pub bridge: String,
    /// Its addresses.
    pub addresses: Vec<String>,
    /// The default gateway, when a reboot is among the steps and it answered a ping; what never
    /// answered proves nothing.
    pub gateway: Option<Ipv4Addr>,
}

/// The addresses of the management bridge.
#[must_use]
pub fn addresses(inv: &Inventory, bridge: &str) -> Vec<String> {
    let on_it = inv.kernel.addresses.iter().filter(|a| a.device == bridge);
    on_it.map(|a| a.net.to_string()).collect()
}

/// Whether the address of the management interface is from DHCP.
#[must_use]
pub fn is_leased(inv: &Inventory) -> bool {
    let pifs = inv.xapi.iter().flat_map(|x| &x.pifs);
    pifs.into_iter().any(|pif| pif.management && pif.ip_mode() == "dhcp")
}

/// How a host is managed otherwise than before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Moved {
    /// Through another interface, or none.
    Interface {
        /// The bridge of before.
        was: String,
        /// The bridge now.
        is: Option<String>,
    },
    /// By other addresses of the same one.
    Addresses {
        /// The bridge.
        bridge: String,
        /// Its addresses before.
        was: Vec<String>,
        /// Its addresses now.
        is: Vec<String>,
    },
}

impl Moved {
    /// What has moved since; a record of an earlier build knows of no addresses.
    #[must_use]
    pub fn since(before: &Facts, was: Option<&Management>, inv: &Inventory) -> Option<Self> {
        let bridge = before.keys().find_map(|fact| match fact {
            Fact::ManagementBridge(bridge) => Some(bridge.as_str()),
            _ => None,
        });
        let (bridge, now) = (bridge?, inv.management_bridge());
        // Where the file is not read nothing tells.
        if now != Some(bridge) && inv.xensource.is_some() {
            return Some(Self::Interface { was: bridge.into(), is: now.map(String::from) });
        }
        let is = addresses(inv, bridge);
        let was = was.filter(|was| was.bridge == bridge && was.addresses != is)?;
        // What never had one waited for its lease, and a lease may be another one each time.
        let by_itself = was.addresses.is_empty() || (is_leased(inv) && !is.is_empty());
        let there = inv.kernel.devices.contains_key(bridge);
        let (bridge, was) = (bridge.into(), was.addresses.clone());
        (there && !by_itself).then_some(Self::Addresses { bridge, was, is })
    }
}

impl Moved {
    /// What gives the addresses back where they are gone: nobody takes them away and leaves the
    /// interface, so it did not come up with its backend.
    #[must_use]
    pub fn by_hand(&self) -> Option<String> {
        let Self::Addresses { bridge, was, is } = self else { return None };
        let add = |address: &String| format!("ip addr add {address} dev {bridge}");
        is.is_empty().then(|| was.iter().map(add).collect::<Vec<_>>().join("; "))
    }
}

impl fmt::Display for Moved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let none = || "none".to_string();
        match self {
            Self::Interface { was, is } => {
                let is = is.as_deref().map_or_else(none, shown);
                write!(f, "management interface: was {}, is {is}", shown(was))
            }
            Self::Addresses { bridge, was, is } => {
                let is = if is.is_empty() { none() } else { is.join(", ") };
                let (bridge, was) = (shown(bridge), was.join(", "));
                write!(f, "management address on {bridge}: was {was}, is {is}")
            }
        }
    }
}
