//! A NIC of a spec as this host has it: device, permanent MAC address, PIF.

use serde::{Deserialize, Serialize};

use super::Inventory;
use crate::net::{IfName, MacAddr};
use crate::spec::{NicRef, Spec};
use crate::xe::Pif;

/// A NIC of the spec as this host has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nic {
    /// Its device.
    pub device: IfName,
    /// Its permanent MAC address.
    pub mac: MacAddr,
    /// Its record in XAPI, when it has one.
    pub pif: Option<Pif>,
}

/// Which NIC each name of the spec means, in the spec's order; `None` where there is none.
#[must_use]
pub fn resolve(spec: &Spec, inv: &Inventory) -> Vec<Option<Nic>> {
    spec.nics.iter().map(|nic| find(nic, inv)).collect()
}

fn find(nic: &NicRef, inv: &Inventory) -> Option<Nic> {
    let device: IfName = inv.kernel.device_of(nic)?.parse().ok()?;
    let mac = inv.kernel.permanent_mac(device.as_str())?;
    let pif = inv.xapi.as_ref().and_then(|x| x.nic(device.as_str())).cloned();
    Some(Nic { device, mac, pif })
}
