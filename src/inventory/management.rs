//! How the host is reached for its management.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use super::Inventory;

/// How the host is reached for its management: recorded before a reboot, required after it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Management {
    /// The bridge.
    pub bridge: String,
    /// Its addresses.
    pub addresses: Vec<String>,
    /// The default gateway, when it answered a ping; what never answered proves nothing.
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
