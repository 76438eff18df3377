//! A NIC of a spec as this host has it: device, permanent MAC address, PIF.

use serde::{Deserialize, Serialize};

use super::{Inventory, Managed};
use crate::net::{IfName, MacAddr};
use crate::spec::{BondKind, NicRef, Spec};
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

/// The spec with what only the host tells of a bond that XAPI manages: its device, and the bridge
/// that has the address.
#[must_use]
pub fn on_host(mut spec: Spec, inv: &Inventory) -> Spec {
    let nics = resolve(&spec, inv);
    let BondKind::Managed(managed) = &mut spec.kind else { return spec };
    if let Some(name) = &managed.network {
        let Some(xapi) = &inv.xapi else { return spec };
        let nics: Vec<Nic> = nics.into_iter().flatten().collect();
        let bond = Managed::of(&nics, inv);
        let network = match &bond {
            Some(bond) => bond.network.as_ref(),
            None => match &xapi.free_networks(name)[..] {
                [one] => Some(*one),
                _ => None,
            },
        };
        managed.bridge = network.and_then(|network| network.bridge.parse().ok());
        spec.bond = bond.map_or_else(|| xapi.next_bond(), |bond| bond.device);
        return spec;
    }
    let [Some(nic)] = &nics[..] else { return spec };
    spec.bond = nic.device.clone();
    let of_xapi = || inv.xapi.as_ref()?.bridge_of(nic.pif.as_ref()?);
    // XAPI may not answer: what holds the NIC is its bridge, unless that is Open vSwitch's for all.
    let of_kernel = || {
        let device = inv.kernel.devices.get(nic.device.as_str())?;
        device.master.as_deref().filter(|_| inv.xapi.is_none())
    };
    managed.bridge = of_xapi().or_else(of_kernel).and_then(|bridge| bridge.parse().ok());
    spec
}

fn find(nic: &NicRef, inv: &Inventory) -> Option<Nic> {
    let device: IfName = inv.kernel.device_of(nic)?.parse().ok()?;
    let mac = inv.kernel.permanent_mac(device.as_str())?;
    let pif = inv.xapi.as_ref().and_then(|x| x.nic(device.as_str())).cloned();
    Some(Nic { device, mac, pif })
}
