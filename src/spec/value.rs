//! Single values of a spec: whom to ask, what becomes of backend and PIFs.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use anyhow::{Result, anyhow};
use serde::{Deserialize, Serialize};

use crate::net::{decimal, shown, text_form};

/// A storage server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Probe {
    /// The server.
    pub addr: Ipv4Addr,
    /// A TCP port that accepts connections, such as 2049.
    pub port: Option<u16>,
}

impl FromStr for Probe {
    type Err = anyhow::Error;
    fn from_str(text: &str) -> Result<Self> {
        let (addr, port) = match text.split_once(':') {
            Some((addr, port)) => (addr, Some(port)),
            None => (text, None),
        };
        let shape = || {
            anyhow!(
                "`{}` is not a valid probe: it must be an IPv4 address, or one with a port (172.16.51.2:2049)",
                shown(text)
            )
        };
        let addr = addr.parse().map_err(|_| shape())?;
        let port = match port {
            None => None,
            Some(port) => Some(
                decimal(port)
                    .and_then(|p| u16::try_from(p).ok())
                    .filter(|p| *p > 0)
                    .ok_or_else(shape)?,
            ),
        };
        Ok(Self { addr, port })
    }
}

text_form!(Probe);

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.addr),
            None => write!(f, "{}", self.addr),
        }
    }
}

/// What is to become of the network backend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BackendChoice {
    /// It must be `bridge`.
    #[default]
    Bridge,
    /// It stays what it is.
    Keep,
}

/// How XAPI is made to leave the NICs alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PifChoice {
    /// `unmanaged` where XAPI has it, else `forget`.
    #[default]
    Auto,
    /// The PIF is forgotten; a rescan brings it back.
    Forget,
    /// The PIF is forgotten and introduced with `managed=false`, which survives a rescan.
    Unmanaged,
}
