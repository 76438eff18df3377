//! One NIC of the spec with all that its findings look at.

use super::{Case, Finding};
use crate::inventory::{Device, Inventory, Nic, Xapi};
use crate::net::Ipv4Net;
use crate::spec::Use;
use crate::xe::Pif;

/// One NIC of the spec, and what is known of it.
pub(super) struct One<'a> {
    pub inv: &'a Inventory,
    pub xapi: &'a Xapi,
    pub nic: &'a Nic,
    /// Its name.
    pub name: &'a str,
    /// The kernel's view.
    pub device: &'a Device,
    /// The bridge of its network.
    pub bridge: Option<&'a str>,
    /// MTU that is asked for.
    pub mtu: Option<u32>,
    /// Address that is asked for.
    pub address: Option<Ipv4Net>,
    /// What it is for, where XAPI is to keep it.
    pub managed_for: Option<Use>,
    /// Whether it is the one of a bond's NICs by which XAPI goes.
    pub leads: bool,
    /// Whether it is in the bond of XAPI's that is asked for.
    pub stands: bool,
    /// Whether xenbond has given it what XAPI keeps of it.
    pub ours: bool,
    /// The bond that it is a slave of.
    pub slave_of: Option<&'a str>,
    /// Whether that is the one asked for, and made by us.
    pub in_our_bond: bool,
    /// Whether the bond is to be taken over, and with it a NIC that XAPI has no record of.
    pub adopts: bool,
}

/// What looks for one finding of a NIC.
pub(super) type NicRule = fn(&One<'_>, &mut Vec<Finding>);

/// What looks for one finding of a NIC that XAPI has a record of.
pub(super) type PifRule = fn(&One<'_>, &Pif, &mut Vec<Finding>);

impl One<'_> {
    pub(super) fn carries_management(&self, pif: &Pif) -> bool {
        pif.management || (self.bridge.is_some() && self.bridge == self.inv.management_bridge())
    }

    /// Whether what is on this device, or leaves by it, is the NIC's: it is the NIC, its bridge, or
    /// something else that lies on it.
    pub(super) fn carries(&self, device: &str) -> bool {
        device == self.name
            || Some(device) == self.bridge
            || self.inv.kernel.above(self.name).contains(&device)
    }
}

/// The NICs, each once.
pub(super) fn distinct<'a>(case: &Case<'a>) -> Vec<&'a Nic> {
    let mut nics: Vec<&Nic> = Vec::new();
    for nic in case.nics.iter().flatten() {
        if !nics.iter().any(|other| other.device == nic.device) {
            nics.push(nic);
        }
    }
    nics
}
