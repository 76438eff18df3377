//! VLAN devices: how they are made, what they follow of the device below, and their text
//! (net/8021q/vlan.c and vlanproc.c of 3.10 and 4.19).

use crate::model::state::{Device, Dom0, Flavour};

impl Dom0 {
    /// What a VLAN lies on; `None` for any other device.
    pub(crate) fn vlan_below<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.devices.get(name).filter(|d| d.kind == "vlan")?.lies_on(name)
    }

    /// The VLANs on a device.
    pub(crate) fn vlans_on(&self, below: &str) -> Vec<String> {
        let names = self.devices.keys();
        names.filter(|name| self.vlan_below(name) == Some(below)).cloned().collect()
    }

    /// The tag of a VLAN.
    pub(crate) fn tag_of(&self, name: &str) -> u32 {
        let by_name = || name.rsplit_once('.').and_then(|(_, tag)| tag.parse().ok());
        self.devices.get(name).and_then(|d| d.tag).or_else(by_name).unwrap_or(0)
    }

    /// Makes a VLAN, down, with the address and the MTU of the device below.
    pub(crate) fn add_vlan(
        &mut self,
        below: &str,
        tag: u32,
        name: &str,
    ) -> Result<(), &'static str> {
        if !self.has_device(below) {
            return Err("No such device");
        }
        if !(1..=4094).contains(&tag) {
            return Err("Numerical result out of range");
        }
        // Until 3.19 (`bond_fix_features`) a bond without slaves takes none.
        if self.flavour == Flavour::El5
            && self.bonds.get(below).is_some_and(|bond| bond.slaves.is_empty())
        {
            self.dmesg.push(format!("8021q: VLANs not supported on {below}"));
            return Err("Operation not supported");
        }
        let taken = self.vlans_on(below).iter().any(|other| self.tag_of(other) == tag);
        if taken || self.has_device(name) {
            return Err("File exists");
        }
        if name.len() > 15 {
            return Err("Numerical result out of range");
        }
        let device = Device {
            kind: "vlan".to_string(),
            mac: self.mac_of(below).unwrap_or_default(),
            mtu: self.mtu_of(below),
            up: false,
            master: None,
            below: Some(below.to_string()),
            tag: Some(tag),
        };
        self.devices.insert(name.to_string(), device);
        self.number(name);
        Ok(())
    }

    /// The VLANs follow when a device goes up or down (`vlan_device_event`).
    pub(super) fn vlans_follow(&mut self, below: &str, up: bool) {
        for vlan in self.vlans_on(below) {
            if self.is_up(&vlan) != up {
                self.set_up(&vlan, up);
            }
        }
    }

    /// No VLAN has a larger MTU than the device below.
    pub(super) fn clamp_vlans(&mut self, below: &str) {
        let most = self.mtu_of(below);
        for vlan in self.vlans_on(below) {
            if let Some(device) = self.devices.get_mut(&vlan) {
                device.mtu = device.mtu.min(most);
            }
        }
    }
}

/// The files under `/proc/net/vlan`, by name; none while the module is not loaded.
pub(super) fn files(dom0: &Dom0) -> Vec<(String, String)> {
    let mut config =
        String::from("VLAN Dev name\t | VLAN ID\nName-Type: VLAN_NAME_TYPE_RAW_PLUS_VID_NO_PAD\n");
    let mut all = Vec::new();
    for name in dom0.devices.keys() {
        let Some(below) = dom0.vlan_below(name) else { continue };
        let tag = dom0.tag_of(name);
        config.push_str(&format!("{name:<15}| {tag}  | {below}\n"));
        let head = format!("{name}  VID: {tag}\t REORDER_HDR: 1  dev->priv_flags: 1021");
        all.push((name.clone(), format!("{head}\nDevice: {below}\n")));
    }
    if dom0.modules.contains_key("8021q") {
        all.push(("config".to_string(), config));
    }
    all
}
