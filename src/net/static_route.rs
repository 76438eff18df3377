//! Routes to networks behind a router.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use anyhow::{Result, bail, ensure};
use serde::{Deserialize, Serialize};

use super::{Ipv4Net, shown, text_form};

/// A network and the router that leads to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StaticRoute {
    /// The network.
    pub to: Ipv4Net,
    /// The router.
    pub via: Ipv4Addr,
}
text_form!(StaticRoute);

/// The widest network that a route may lead to: two of half the Internet are a default route.
const WIDEST: u8 = 8;

impl FromStr for StaticRoute {
    type Err = anyhow::Error;
    fn from_str(text: &str) -> Result<Self> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let shape =
            || format!("`{}` is not a valid route (10.99.0.0/16 via 172.16.51.1)", shown(text));
        let [to, "via", via] = words[..] else { bail!(shape()) };
        let Ok(via) = via.parse::<Ipv4Addr>() else { bail!(shape()) };
        ensure!(
            to != "default" && to != "0.0.0.0/0",
            "`{}` is a default route: that is the management interface's, and the bond gets none",
            shown(text)
        );
        let Ok(to) = to.parse::<Ipv4Net>() else { bail!(shape()) };
        ensure!(
            to.prefix >= WIDEST,
            "`{to}` is too wide for a route of storage: its prefix must be {WIDEST} or more"
        );
        // The kernel refuses it (fib_table_insert), and the boot scripts go on.
        ensure!(
            to == to.subnet(),
            "`{to}` is not a valid network: its host bits must be zero, as in {}",
            to.subnet()
        );
        let first = to.addr.octets()[0];
        ensure!(
            !(first == 0 || first >= 224 || to.addr.is_loopback() || to.addr.is_link_local()),
            "`{to}` is not a valid network of hosts: it is from a loopback, link-local, multicast or reserved range"
        );
        Ok(Self { to, via })
    }
}

impl fmt::Display for StaticRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{} via {}", self.to, self.via))
    }
}
