//! The bonds that XAPI manages on this host, whoever had them made: what each is to be. Pure, but
//! for the names that people gave to networks.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};

use super::vswitch::silence;
use super::{Inventory, Kernel, Nic, Vswitch};
use crate::bonding::BondStatus;
use crate::host::Host;
use crate::net::{Backend, BondMode, IfName, Ipv4Net, MacAddr, Uuid, shown};
use crate::order;
use crate::outcome::Hint;
use crate::spec::{NetworkName, section};
use crate::xe::{self, Network, Pif};

/// A bond as XAPI has it.
#[derive(Clone, Debug)]
pub struct Managed {
    /// Its device, which is the port's name under Open vSwitch.
    pub device: IfName,
    /// The PIF that stands for it.
    pub pif: Pif,
    /// XAPI's word for its mode; `None`: XAPI is too old to say, or its record is gone.
    mode: Option<String>,
    /// Its properties.
    properties: BTreeMap<String, String>,
    /// Its network.
    pub network: Option<Network>,
    /// The PIFs in it.
    pub slaves: Vec<Pif>,
}

/// The error where a network's name means more than one of these bonds.
#[must_use]
pub fn several(bonds: &[&str], name: &str) -> anyhow::Error {
    let hint = Hint(format!("name one of them: {}", bonds.join(", ")));
    anyhow::anyhow!(hint).context(format!("several bonds lie on a network called {}", shown(name)))
}

/// What is said of a bond by whom it is made of: the kernel's driver or Open vSwitch.
#[derive(Clone, Debug)]
pub enum Carrier {
    /// The bonding driver.
    Kernel,
    /// Open vSwitch; or why it did not answer.
    Vswitch(std::result::Result<Box<Vswitch>, String>),
}

impl Carrier {
    /// Asks for a bond.
    #[must_use]
    pub fn read(host: &Host, inv: &Inventory, bond: &str) -> Self {
        if !inv.has_vswitch() {
            return Self::Kernel;
        }
        let read = Vswitch::read(host, bond).map(Box::new);
        Self::Vswitch(read.map_err(|error| silence(&error)))
    }

    /// The bond in the kernel's words; `None`: there is none, or nobody says.
    #[must_use]
    pub fn status(&self, bond: &str, kernel: &Kernel) -> Option<BondStatus> {
        match self {
            Self::Kernel => kernel.bond(bond),
            Self::Vswitch(read) => read.as_ref().ok()?.status(kernel),
        }
    }
}

impl Inventory {
    /// Whether Open vSwitch runs.
    #[must_use]
    pub fn has_vswitch(&self) -> bool {
        match self.running_backend() {
            Some(backend) => backend == Backend::Openvswitch,
            None => self.kernel.modules.contains("openvswitch"),
        }
    }
}

impl Managed {
    /// Every bond that XAPI manages on this host.
    #[must_use]
    pub fn all(inv: &Inventory) -> Vec<Self> {
        let Some(xapi) = &inv.xapi else { return Vec::new() };
        let of = |pif: &Pif| {
            let device: IfName = pif.device.parse().ok()?;
            let record = xapi.bonds.iter().find(|bond| pif.bond_master_of.contains(&bond.uuid));
            let slaves = xapi.pifs.iter().filter(|p| p.is_slave_of(pif));
            let mut slaves: Vec<Pif> = slaves.cloned().collect();
            order::sort_by_key(&mut slaves, |pif| pif.device.clone());
            Some(Self {
                device,
                pif: pif.clone(),
                mode: record.and_then(|bond| bond.mode.clone()),
                properties: record.map(|bond| bond.properties.clone()).unwrap_or_default(),
                network: xapi.networks.iter().find(|n| n.uuid == pif.network).cloned(),
                slaves,
            })
        };
        let masters = xapi.pifs.iter().filter(|p| !p.bond_master_of.is_empty() && p.vlan == -1);
        let mut all: Vec<Self> = masters.filter_map(of).collect();
        order::sort_by_key(&mut all, |bond| bond.device.clone());
        all
    }

    /// The bond that is made of these NICs and no others.
    #[must_use]
    pub fn of(nics: &[Nic], inv: &Inventory) -> Option<Self> {
        let uuids: Vec<&Uuid> = nics.iter().filter_map(|n| Some(&n.pif.as_ref()?.uuid)).collect();
        let is = |bond: &Self| {
            let ours = |slave: &Pif| uuids.contains(&&slave.uuid);
            bond.slaves.len() == nics.len() && bond.slaves.iter().all(ours)
        };
        Self::all(inv).into_iter().find(is)
    }

    /// XAPI's uuid of it.
    #[must_use]
    pub fn uuid(&self) -> Option<&Uuid> {
        self.pif.bond_master_of.first()
    }

    /// Those of these properties that it has otherwise, with what it has.
    #[must_use]
    pub fn unlike<'a>(
        &self,
        asked: &'a [(String, String)],
    ) -> Vec<(&'a (String, String), Option<&String>)> {
        let pairs = asked.iter().map(|pair| (pair, self.properties.get(&pair.0)));
        pairs.filter(|(pair, have)| *have != Some(&pair.1)).collect()
    }

    /// The bond that is meant by its device or by its network's name.
    ///
    /// # Errors
    /// When XAPI does not answer, or several have that name.
    pub fn named(host: &Host, inv: &Inventory, name: &str) -> Result<Option<Self>> {
        let mut all = Self::all(inv);
        if let Some(at) = all.iter().position(|bond| bond.device.as_str() == name) {
            return Ok(Some(all.swap_remove(at)));
        }
        if all.is_empty() {
            return Ok(None);
        }
        let names = xe::network_names(host)?;
        all.retain(|bond| names.get(&bond.pif.network).is_some_and(|label| label == name));
        if all.len() > 1 {
            let devices: Vec<&str> = all.iter().map(|bond| bond.device.as_str()).collect();
            return Err(several(&devices, name));
        }
        Ok(all.pop())
    }

    /// The bridge of its network, which has its address.
    #[must_use]
    pub fn bridge(&self) -> Option<&str> {
        self.network.as_ref().map(|network| network.bridge.as_str()).filter(|b| !b.is_empty())
    }

    /// XAPI's word for the mode that is in force: a key of the PIF beats the record
    /// (tests/ground/managed.md, F1).
    #[must_use]
    pub fn mode_word(&self) -> Option<&str> {
        self.pif.other_config.get("bond-mode").or(self.mode.as_ref()).map(String::as_str)
    }

    /// That mode.
    #[must_use]
    pub fn mode(&self) -> Option<BondMode> {
        match self.mode_word()? {
            "lacp" => Some(BondMode::Ieee8023ad),
            word => word.parse().ok(),
        }
    }

    /// A setting that XAPI gives to networkd: a key of the PIF, else what is usual.
    #[must_use]
    pub fn setting(&self, key: &str, usual: u32) -> Option<u32> {
        match self.pif.other_config.get(&format!("bond-{key}")) {
            Some(own) => own.parse().ok(),
            None => Some(usual),
        }
    }

    /// A property, else what is usual.
    #[must_use]
    pub fn property<'a>(&'a self, key: &str, usual: &'a str) -> &'a str {
        self.properties.get(key).map_or(usual, String::as_str)
    }

    /// The MTU of its bridge and its slaves.
    #[must_use]
    pub fn mtu(&self) -> Option<u32> {
        let own = self.pif.other_config.get("mtu").and_then(|mtu| mtu.parse().ok());
        own.or(self.network.as_ref()?.mtu)
    }

    /// The static address of its PIF.
    #[must_use]
    pub fn address(&self) -> Option<Ipv4Net> {
        let of = |name: &str| self.pif.ip.get(name).and_then(|text| text.parse().ok());
        let (ip, mask) = (of("IP")?, of("netmask")?);
        Ipv4Net::with_netmask(ip, mask).ok().filter(|_| self.pif.ip_mode() == "static")
    }

    /// Its slaves' devices with the addresses that XAPI noted.
    #[must_use]
    pub fn nics(&self) -> Vec<(IfName, MacAddr)> {
        let nics = self.slaves.iter();
        nics.filter_map(|pif| Some((pif.device.parse().ok()?, pif.mac))).collect()
    }

    /// Its spec as the text of a file, on a network of this name.
    #[must_use]
    pub fn to_ini(&self, network: &str) -> String {
        let nics: Vec<String> = self.nics().iter().map(|(nic, _)| nic.to_string()).collect();
        let storage = self.address().filter(|_| !self.pif.management);
        let purpose = match (self.pif.management, storage) {
            (true, _) => "management",
            (false, Some(_)) => "storage",
            (false, None) => "network",
        };
        let mut keys = vec![
            ("kind", "managed".to_string()),
            ("nics", nics.join(", ")),
            (
                "network",
                network.parse().map_or_else(|_| String::new(), |n: NetworkName| n.quoted()),
            ),
            ("mode", self.mode().map_or("", BondMode::name).to_string()),
            ("use", purpose.to_string()),
        ];
        if self.mode() == Some(BondMode::Ieee8023ad) {
            let of = |key: &str| self.properties.get(key).cloned();
            keys.extend(of("lacp-time").map(|text| ("lacp_time", text)));
            keys.extend(of("hashing_algorithm").map(|text| ("hashing_algorithm", text)));
        }
        keys.extend(storage.map(|net| ("address", net.to_string())));
        keys.extend(self.mtu().filter(|mtu| *mtu != 1500).map(|mtu| ("mtu", mtu.to_string())));
        section("bond", &keys)
    }

    /// Refuses a bond of one NIC, which is none (tests/ground/ovs.md, F2).
    ///
    /// # Errors
    /// Where it is one.
    pub fn assert_several(&self) -> Result<()> {
        let (bond, number) = (&self.device, self.slaves.len());
        ensure!(number > 1, "{bond} has {number} slaves: there is nobody to take over");
        Ok(())
    }
}
