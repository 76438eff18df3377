//! Every bond, as XAPI and as the kernel see it. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::nics::natural;
use crate::bonding::{BondStatus, SlaveStatus};
use crate::inventory::{Carrier, Inventory};
use crate::net::BondMode;
use crate::order;
use crate::xe::Pif;

/// A bond.
#[derive(Clone, Debug, Serialize)]
pub struct BondView {
    /// Its device.
    pub name: String,
    /// Whether xenbond made it.
    pub ours: bool,
    /// Whether it is as asked, or, where xenbond did not make it, as XAPI has it; `None` where
    /// nobody asked for anything, or its change is not at its end.
    pub as_asked: Option<bool>,
    /// What XAPI says, when it manages it.
    pub xapi: Option<XapiBond>,
    /// What the kernel says, when it has it.
    pub kernel: Option<KernelBond>,
    /// What Open vSwitch says, when it has it.
    pub vswitch: Option<KernelBond>,
}

/// A bond in XAPI's eyes.
#[derive(Clone, Debug, Serialize)]
pub struct XapiBond {
    /// XAPI's word for the mode.
    pub mode: Option<String>,
    /// Devices of its PIFs.
    pub slaves: Vec<String>,
    /// Whether its own PIF is plugged.
    pub plugged: bool,
    /// The bridge of its network.
    pub bridge: Option<String>,
    /// Whether the host is managed through it.
    pub management: bool,
    /// The addresses on that bridge.
    pub addresses: Vec<String>,
}

/// A bond in the eyes of the kernel or of Open vSwitch.
#[derive(Clone, Debug, Serialize)]
pub struct KernelBond {
    /// The mode.
    pub mode: Option<&'static str>,
    /// `up` or `down`.
    pub link: Option<String>,
    /// The active slave, in modes that have one.
    pub active_slave: Option<String>,
    /// Link monitoring interval in ms.
    pub miimon: Option<u32>,
    /// MTU in bytes.
    pub mtu: Option<u32>,
    /// Its slaves with their link.
    pub slaves: Vec<KernelSlave>,
    /// Its own addresses.
    pub addresses: Vec<String>,
    /// The VLANs on it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub vlans: Vec<KernelVlan>,
    /// The bridge that it is a port of.
    pub bridge: Option<String>,
}

/// A VLAN on a bond.
#[derive(Clone, Debug, Serialize)]
pub struct KernelVlan {
    /// Its device.
    pub device: String,
    /// Its tag.
    pub tag: u32,
    /// Its MTU.
    pub mtu: Option<u32>,
    /// Its addresses.
    pub addresses: Vec<String>,
}

/// A slave in the kernel's eyes.
#[derive(Clone, Debug, Serialize)]
pub struct KernelSlave {
    /// Its device.
    pub name: String,
    /// `up`, `down`, `going back` or `going down`.
    pub link: Option<String>,
    /// Whether it carries traffic now: the active slave, or one of several that share it.
    pub carries: bool,
}

/// What is said of XAPI's bonds besides: whether they are as XAPI has them, and who carries them.
pub(super) type Carried = BTreeMap<String, (bool, Carrier)>;

pub(super) fn all(
    inv: &Inventory,
    judged: &BTreeMap<String, Option<bool>>,
    carried: &Carried,
) -> Vec<BondView> {
    let pifs: &[Pif] = inv.xapi.as_ref().map_or(&[], |x| &x.pifs);
    let managed = pifs.iter().filter(|p| !p.bond_master_of.is_empty() && p.vlan == -1);
    let mut names: BTreeSet<String> = order::set(inv.kernel.bonds.keys().cloned());
    names.extend(managed.clone().map(|p| p.device.clone()));
    // One whose change is not at its end may not be there yet, or no more.
    let is_nic = |name: &str| inv.xapi.as_ref().is_some_and(|xapi| xapi.nic(name).is_some());
    let judged_bonds = judged.iter().filter(|(name, ok)| ok.is_some() && !is_nic(name));
    names.extend(judged_bonds.map(|(name, _)| name.clone()));
    let mut names: Vec<String> = names.into_iter().collect();
    order::sort_by_key(&mut names, |name| natural(name));
    let view = |name: String| BondView {
        ours: judged.contains_key(&name),
        as_asked: match judged.get(&name) {
            Some(ours) => *ours,
            None => carried.get(&name).map(|(good, _)| *good),
        },
        vswitch: carried.get(&name).and_then(|(_, carrier)| vswitch_bond(inv, &name, carrier)),
        xapi: managed.clone().find(|p| p.device == name).map(|p| xapi_bond(inv, p)),
        kernel: kernel_bond(inv, &name),
        name,
    };
    names.into_iter().map(view).collect()
}

fn xapi_bond(inv: &Inventory, master: &Pif) -> XapiBond {
    let pifs: &[Pif] = inv.xapi.as_ref().map_or(&[], |x| &x.pifs);
    let bonds = inv.xapi.iter().flat_map(|x| &x.bonds);
    let record = bonds.into_iter().find(|b| b.master.as_ref() == Some(&master.uuid));
    let mut slaves: Vec<String> =
        pifs.iter().filter(|p| p.is_slave_of(master)).map(|p| p.device.clone()).collect();
    order::sort_by_key(&mut slaves, |name| natural(name));
    let bridge = inv.xapi.as_ref().and_then(|x| x.bridge_of(master));
    let addresses = inv.kernel.addresses.iter().filter(|a| Some(a.device.as_str()) == bridge);
    XapiBond {
        mode: record.and_then(|b| b.mode.clone()),
        slaves,
        plugged: master.attached,
        bridge: bridge.map(String::from),
        management: master.management,
        addresses: addresses.map(|a| a.net.to_string()).collect(),
    }
}

/// The VLANs on a device.
fn vlans_on(inv: &Inventory, name: &str) -> Vec<KernelVlan> {
    let addresses = |vlan: &str| {
        let on = inv.kernel.addresses.iter().filter(|a| a.device == vlan);
        on.map(|a| a.net.to_string()).collect()
    };
    let one = |(vlan, tag): (&str, u32)| KernelVlan {
        device: vlan.to_string(),
        tag,
        mtu: inv.kernel.devices.get(vlan).and_then(|device| device.mtu),
        addresses: addresses(vlan),
    };
    inv.kernel.vlans_on(name).into_iter().map(one).collect()
}

fn kernel_bond(inv: &Inventory, name: &str) -> Option<KernelBond> {
    let device = inv.kernel.devices.get(name);
    let addresses = inv.kernel.addresses.iter().filter(|a| a.device == name);
    Some(KernelBond {
        mtu: device.and_then(|d| d.mtu),
        addresses: addresses.map(|a| a.net.to_string()).collect(),
        vlans: vlans_on(inv, name),
        bridge: device.and_then(|d| d.master.clone()),
        ..view(inv.kernel.bond(name)?)
    })
}

/// Addresses and MTU lie on the bridge.
fn vswitch_bond(inv: &Inventory, name: &str, carrier: &Carrier) -> Option<KernelBond> {
    let Carrier::Vswitch(Ok(read)) = carrier else { return None };
    let bridge = read.bridge.clone();
    let device = bridge.as_ref().and_then(|bridge| inv.kernel.devices.get(bridge));
    let addresses = inv.kernel.addresses.iter().filter(|a| Some(&a.device) == bridge.as_ref());
    Some(KernelBond {
        mtu: device.and_then(|d| d.mtu),
        addresses: addresses.map(|a| a.net.to_string()).collect(),
        bridge,
        ..view(carrier.status(name, &inv.kernel)?)
    })
}

/// What the driver itself says.
fn view(status: BondStatus) -> KernelBond {
    // Of an 802.3ad bond only the ports of the active aggregator carry (bond_3ad.c).
    let aggregator = status.lacp.as_ref().and_then(|lacp| lacp.active_aggregator.as_ref());
    let aggregator = aggregator.and_then(|active| active.id);
    let active = status.active_slave.clone();
    let slave = |s: SlaveStatus| KernelSlave {
        carries: s.mii_status.as_deref() == Some("up")
            && active.as_ref().is_none_or(|active| *active == s.name)
            && aggregator.is_none_or(|id| s.aggregator_id == Some(id)),
        name: s.name,
        link: s.mii_status,
    };
    KernelBond {
        mode: status.mode.map(BondMode::name),
        link: status.mii_status,
        active_slave: status.active_slave,
        miimon: status.miimon,
        mtu: None,
        slaves: status.slaves.into_iter().map(slave).collect(),
        addresses: Vec::new(),
        vlans: Vec::new(),
        bridge: None,
    }
}
