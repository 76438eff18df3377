//! What lies on a device: VLANs, bridges, further addresses; and what `/proc/net/vlan` says.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Device, DeviceKind, Kernel};
use crate::host::Host;
use crate::net::Tagged;
use crate::order;
use crate::spec::Spec;

/// The tag of a VLAN device, and what it lies on: its name need not say either.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VlanOf {
    /// The tag.
    pub tag: u32,
    /// The device below.
    pub device: String,
}

impl Kernel {
    /// The devices that lie on a device, on those, and so on: its bridge, VLANs, macvlans. Open
    /// vSwitch's one master for all is nobody's, and what a bond carries is the bond's.
    #[must_use]
    pub fn above(&self, name: &str) -> Vec<&str> {
        let mut found: Vec<&str> = Vec::new();
        let mut next = vec![name];
        while let Some(below) = next.pop() {
            let device = self.devices.get(below);
            let mut uppers: Vec<&str> =
                device.into_iter().flat_map(|d| &d.uppers).map(String::as_str).collect();
            uppers.extend(device.and_then(|d| d.master.as_deref()));
            uppers.extend(self.vlans_on(below).into_iter().map(|(name, _)| name));
            for upper in uppers {
                let bond = self.bonds.contains_key(upper) && below == name;
                if upper != "ovs-system" && upper != name && !bond && !found.contains(&upper) {
                    found.push(upper);
                    next.push(upper);
                }
            }
        }
        found
    }

    /// The VLAN devices on a device with their tags, whatever their names.
    #[must_use]
    pub fn vlans_on<'a>(&'a self, below: &str) -> Vec<(&'a str, u32)> {
        let on = |(name, device): (&'a String, &'a Device)| {
            let tag = match &device.vlan {
                Some(vlan) => (vlan.device == below).then_some(vlan.tag),
                None if device.kind == DeviceKind::Vlan => {
                    crate::net::decimal(name.strip_prefix(below)?.strip_prefix('.')?)
                }
                None => None,
            };
            Some((name.as_str(), tag?))
        };
        self.devices.iter().filter_map(on).collect()
    }

    /// What lies on a bond and on its tags beside what a spec asks for: other VLANs and devices,
    /// further addresses.
    #[must_use]
    pub fn beside(&self, spec: &Spec) -> Vec<String> {
        let asked: BTreeSet<&str> = order::set(spec.networks().map(|network| network.device));
        let mut found = Vec::new();
        for name in std::iter::once(spec.bond.as_str()).chain(spec.tagged().map(Tagged::as_str)) {
            found.extend(self.beside_one(name, &asked, spec));
        }
        found
    }

    fn beside_one(&self, name: &str, asked: &BTreeSet<&str>, spec: &Spec) -> Vec<String> {
        let vlans = self.vlans_on(name);
        let unasked = vlans.iter().filter(|(vlan, _)| !asked.contains(vlan));
        let mut found: Vec<String> =
            unasked.map(|(vlan, tag)| format!("{vlan} (VLAN {tag})")).collect();
        let device = self.devices.get(name);
        let uppers = device.into_iter().flat_map(|d| d.uppers.iter().chain(&d.master));
        let others: BTreeSet<&String> = order::set(
            uppers.filter(|upper| !vlans.iter().any(|(vlan, _)| *vlan == upper.as_str())),
        );
        found.extend(others.into_iter().cloned());
        let own = spec.networks().find(|n| n.device == name).map(|n| n.address.addr);
        let v4 = self.addresses.iter().filter(|a| a.device == name && Some(a.net.addr) != own);
        found.extend(v4.map(|a| a.net.to_string()));
        let v6 = self.addresses6.iter().filter(|(device, _)| device == name);
        found.extend(v6.map(|(_, addr)| addr.to_string()));
        found
    }
}

/// What the kernel says of a VLAN device.
pub(super) fn read(host: &Host, name: &str) -> Option<VlanOf> {
    vlan_of(&host.read_text(&format!("/proc/net/vlan/{name}")).ok()??)
}

/// What `/proc/net/vlan/NAME` says (net/8021q/vlanproc.c, `vlandev_seq_show`).
fn vlan_of(text: &str) -> Option<VlanOf> {
    let (_, tag) = text.split_once("VID: ")?;
    let tag: String = tag.chars().take_while(char::is_ascii_digit).collect();
    let device = text.lines().find_map(|line| line.strip_prefix("Device: "))?;
    Some(VlanOf { tag: tag.parse().ok()?, device: device.trim().to_string() })
}

/// The lines `NAME | TAG | DEVICE` of `/proc/net/vlan/config`, below its two heads
/// (net/8021q/vlanproc.c, `vlan_seq_show`).
pub(super) fn config(text: &str) -> BTreeMap<String, VlanOf> {
    let one = |line: &str| {
        let [name, tag, device] = line.split('|').map(str::trim).collect::<Vec<_>>()[..] else {
            return None;
        };
        Some((name.to_string(), VlanOf { tag: tag.parse().ok()?, device: device.to_string() }))
    };
    order::map(text.lines().filter_map(one))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_list_of_vlans_is_read() {
        let text = "VLAN Dev name\t | VLAN ID\nName-Type: VLAN_NAME_TYPE_RAW_PLUS_VID_NO_PAD\n\
            bond51.51      | 51  | bond51\nnas            | 4094  | eth3\n\nx | y | z\n";
        let all = config(text);
        assert_eq!(all.len(), 2);
        assert_eq!(all["bond51.51"], VlanOf { tag: 51, device: "bond51".into() });
        assert_eq!(all["nas"], VlanOf { tag: 4094, device: "eth3".into() });
        let text = "bond51.51  VID: 51\t REORDER_HDR: 1  dev->priv_flags: 1021\nDevice: bond51\n";
        assert_eq!(vlan_of(text), Some(all["bond51.51"].clone()));
    }
}
