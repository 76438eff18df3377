//! The NICs: which devices the spec means, and what else holds them.

use serde::{Deserialize, Serialize};

use super::{Code, Finding, bond_is_ours};
use crate::inventory::{DeviceKind, Inventory, Xapi};
use crate::net::{IfName, MacAddr};
use crate::spec::{NicRef, PifChoice, Spec};
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
    let kernel = &inv.kernel;
    let device: IfName = match nic {
        NicRef::Device(name) => name.clone(),
        // Bridges and VLANs carry the MAC of the NIC below them.
        NicRef::Mac(mac) => kernel
            .devices
            .iter()
            .filter(|(_, d)| d.kind == DeviceKind::Plain)
            .find(|(name, _)| kernel.permanent_mac(name) == Some(*mac))
            .and_then(|(name, _)| name.parse().ok())?,
    };
    kernel.devices.get(device.as_str())?;
    let mac = kernel.permanent_mac(device.as_str())?;
    let pif = inv.xapi.as_ref().and_then(|x| x.nic(device.as_str())).cloned();
    Some(Nic { device, mac, pif })
}

pub(super) fn check(spec: &Spec, inv: &Inventory, found: &mut Vec<Finding>) {
    let Some(xapi) = &inv.xapi else { return };
    let mut nics: Vec<Nic> = Vec::new();
    for (name, nic) in spec.nics.iter().zip(resolve(spec, inv)) {
        match nic {
            None => found.push(missing(name, inv)),
            Some(nic) if nics.iter().any(|n| n.device == nic.device) => found.push(Finding::new(
                Code::NicNamedTwice,
                format!("{name} is {}, which the spec names already", nic.device),
            )),
            Some(nic) => nics.push(nic),
        }
    }
    for nic in &nics {
        one(spec, inv, xapi, nic, found);
    }
    together(spec, inv, &nics, found);
    if let Some(primary) = spec.options.primary().filter(|p| !nics.iter().any(|n| n.device == **p))
    {
        found.push(Finding::new(
            Code::PrimaryNotSlave,
            format!("primary {primary} is no slave of {}", spec.bond),
        ));
    }
    let knows = xapi.pifs.iter().any(|p| p.managed.is_some());
    if spec.pif == PifChoice::Unmanaged && !knows {
        found.push(Finding::new(
            Code::PifUnmanagedUnsupported,
            "--pif unmanaged was asked for, and pif-list shows no field `managed`",
        ));
    }
}

fn missing(name: &NicRef, inv: &Inventory) -> Finding {
    let plain: Vec<&str> = inv
        .kernel
        .devices
        .iter()
        .filter(|(name, d)| {
            d.kind == DeviceKind::Plain && inv.xapi.as_ref().is_some_and(|x| x.nic(name).is_some())
        })
        .map(|(name, _)| name.as_str())
        .collect();
    Finding::new(
        Code::NicMissing,
        format!("NIC {name} is not on this host, which has {}", plain.join(", ")),
    )
}

fn one(spec: &Spec, inv: &Inventory, xapi: &Xapi, nic: &Nic, found: &mut Vec<Finding>) {
    let device = nic.device.as_str();
    let kernel = &inv.kernel.devices[device];
    let slave_of = kernel.master.as_deref().filter(|m| inv.kernel.bonds.contains_key(*m));
    let in_our_bond = slave_of == Some(spec.bond.as_str()) && bond_is_ours(spec, inv);
    if kernel.kind != DeviceKind::Plain {
        found.push(Finding::new(
            Code::NicNotPhysical,
            format!("{device} is a {}", kernel.kind.word()),
        ));
        return;
    }
    if let Some(other) = slave_of.filter(|_| !in_our_bond)
        && nic.pif.as_ref().is_none_or(|p| p.bond_slave_of.is_none())
    {
        found.push(Finding::new(Code::NicInOtherBond, format!("{device} is a slave of {other}")));
    }
    let mut vlans: Vec<&Pif> =
        xapi.pifs.iter().filter(|p| p.device == device && p.vlan >= 0).collect();
    vlans.sort_by_key(|p| p.vlan);
    if !vlans.is_empty() {
        let tags: Vec<String> = vlans.iter().map(|p| p.vlan.to_string()).collect();
        found.push(
            Finding::new(Code::NicHasVlans, format!("{device} carries VLAN {}", tags.join(", ")))
                .hint(format!(
                    "xe vlan-list untagged-PIF={}; xe vlan-destroy uuid=...",
                    nic.pif.as_ref().map_or("...", |p| p.uuid.as_str())
                )),
        );
    }
    let Some(pif) = &nic.pif else {
        if !in_our_bond {
            found.push(
                Finding::new(
                    Code::NicNotPhysical,
                    format!("XAPI has no physical PIF for {device}"),
                )
                .hint(format!(
                    "xe pif-introduce host-uuid={} device={device} mac={}",
                    inv.host_uuid().map(|u| u.to_string()).unwrap_or_default(),
                    nic.mac
                )),
            );
        }
        return;
    };
    if pif.mac != nic.mac.to_string() && !in_our_bond {
        found.push(Finding::new(
            Code::NicMacMismatch,
            format!(
                "{device} has the permanent MAC {}, and its PIF says {}",
                nic.mac,
                pif.mac.escape_debug()
            ),
        ));
    }
    let bridge = xapi.networks.iter().find(|n| n.uuid == pif.network).map(|n| n.bridge.as_str());
    let is_management = pif.management || (bridge.is_some() && bridge == inv.management_bridge());
    if is_management {
        found.push(Finding::new(
            Code::NicIsManagement,
            format!("{device} carries the management of this host"),
        ));
    }
    if let Some(bond) = &pif.bond_slave_of {
        let name = xapi.pifs.iter().find(|p| p.bond_master_of.contains(bond.as_str()));
        let name = name.map_or("of XAPI", |p| p.device.as_str());
        found.push(
            Finding::new(
                Code::NicInManagedBond,
                format!("{device} is a slave of the managed bond {name}"),
            )
            .hint(format!("xe bond-destroy uuid={bond}")),
        );
    }
    if !pif.relations.is_empty() {
        let all: Vec<&str> = pif.relations.keys().map(String::as_str).collect();
        found.push(Finding::new(
            Code::NicHasTunnels,
            format!("the PIF of {device} is a {}", all.join(" and a ")),
        ));
    }
    if pif.disallow_unplug && pif.managed != Some(false) {
        found.push(
            Finding::new(
                Code::NicDisallowsUnplug,
                format!("the PIF of {device} has disallow-unplug=true"),
            )
            .hint(format!("xe pif-param-set uuid={} disallow-unplug=false", pif.uuid)),
        );
    }
    let vms: Vec<&str> = xapi
        .vifs
        .iter()
        .filter(|vif| vif.network == pif.network)
        .filter_map(|vif| xapi.vms.iter().find(|vm| vm.uuid == vif.vm))
        .map(|vm| vm.name_label.as_str())
        .collect();
    if !vms.is_empty() {
        found.push(Finding::new(
            Code::NicHasVifs,
            format!("running VMs use the network of {device}: {}", vms.join(", ").escape_debug()),
        ));
    }
    addresses(inv, nic, pif, bridge, is_management, found);
    if let Some(error) = xapi.unreadable.get(&pif.uuid) {
        found.push(Finding::new(
            Code::PifUnreadable,
            format!("the PIF of {device} cannot be restored: {error}"),
        ));
    }
    if kernel.carrier == Some(false) && !in_our_bond {
        found.push(Finding::new(Code::NicNoLink, format!("{device} has no link")));
    }
}

fn addresses(
    inv: &Inventory,
    nic: &Nic,
    pif: &Pif,
    bridge: Option<&str>,
    is_management: bool,
    found: &mut Vec<Finding>,
) {
    if is_management {
        return;
    }
    let device = nic.device.as_str();
    let on = inv
        .kernel
        .addresses
        .iter()
        .find(|a| a.device == device || Some(a.device.as_str()) == bridge);
    let said = if let Some(address) = on {
        format!("{device} carries {} on {}", address.net, address.device)
    } else if pif.ip_mode() != "none" {
        let ip = pif.ip.get("IP").map_or("no address yet", String::as_str);
        format!("the PIF of {device} has IP configuration mode {} ({ip})", pif.ip_mode())
    } else {
        return;
    };
    found.push(
        Finding::new(Code::NicHasIp, said)
            .hint(format!("xe pif-reconfigure-ip uuid={} mode=none", pif.uuid)),
    );
}

fn together(spec: &Spec, inv: &Inventory, nics: &[Nic], found: &mut Vec<Finding>) {
    let each = |what: fn(&crate::inventory::Device) -> Option<String>| -> Vec<(String, String)> {
        nics.iter()
            .filter_map(|n| {
                Some((n.device.to_string(), what(&inv.kernel.devices[n.device.as_str()])?))
            })
            .collect()
    };
    let differ = |all: &[(String, String)]| all.windows(2).any(|pair| pair[0].1 != pair[1].1);
    let say = |all: &[(String, String)]| {
        all.iter().map(|(device, v)| format!("{device} {v}")).collect::<Vec<_>>().join(", ")
    };
    let links = each(|d| Some(format!("{} Mb/s {}", d.speed?, d.duplex.as_deref()?)));
    if differ(&links) {
        found.push(Finding::new(
            Code::SpeedsDiffer,
            format!("the links of {} differ: {}", spec.bond, say(&links)),
        ));
    }
    let drivers = each(|d| d.driver.clone());
    if differ(&drivers) {
        found.push(Finding::new(
            Code::DriversDiffer,
            format!("the NICs have different drivers: {}", say(&drivers)),
        ));
    }
}
