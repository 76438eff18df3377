//! The networks of a bond: that of its own address, tagged or not, and further tagged ones.

use std::net::Ipv4Addr;

use anyhow::{Context, Error, Result, anyhow, bail, ensure};
use serde::{Deserialize, Serialize};

use super::{Probe, Spec};
use crate::net::{IfName, Ipv4Net, StaticRoute, Tagged};
use crate::outcome::Hint;

/// A further network of a bond, which has a tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vlan {
    /// Its device.
    pub device: Tagged,
    /// The address on it.
    pub address: Ipv4Net,
    /// Its MTU, where it is to be another than the bond's.
    pub mtu: Option<u32>,
    /// Networks behind routers on its subnet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<StaticRoute>,
    /// Storage servers that must answer through it.
    pub probes: Vec<Probe>,
}

/// One network of a bond, whichever it is.
#[derive(Clone, Copy, Debug)]
pub struct Network<'a> {
    /// The device that the address is on.
    pub device: &'a str,
    /// The same, where it has a tag.
    pub tagged: Option<&'a Tagged>,
    /// The address.
    pub address: Ipv4Net,
    /// The MTU of the device; `None`: whatever it is.
    pub mtu: Option<u32>,
    /// Networks behind routers on the subnet of the address.
    pub routes: &'a [StaticRoute],
}

impl Network<'_> {
    /// How much of an address the narrowest subnet of this network has that leads to it.
    fn reach(&self, addr: Ipv4Addr) -> Option<u8> {
        let nets = std::iter::once(self.address).chain(self.routes.iter().map(|route| route.to));
        nets.filter(|net| net.contains(addr)).map(|net| net.prefix).max()
    }
}

/// The MTU of a device that nobody gave one (ETH_DATA_LEN, include/uapi/linux/if_ether.h).
const USUAL_MTU: u32 = 1500;

/// How many leading bits two addresses share that a wrong netmask may have parted.
const NEAR: u32 = 16;

impl Spec {
    /// The network of the bond's own address, where the spec gives it one.
    #[must_use]
    pub fn own_network(&self) -> Option<Network<'_>> {
        let (tagged, address) = (self.vlan.as_ref(), self.address?);
        let device = tagged.map_or(self.bond.as_str(), Tagged::as_str);
        // Where XAPI manages it, the bridge has the address.
        let bridge = self.managed().and_then(|managed| managed.bridge.as_ref());
        let device = bridge.map_or(device, IfName::as_str);
        Some(Network { device, tagged, address, mtu: self.mtu, routes: &self.routes })
    }

    /// All networks, the bond's own first.
    pub fn networks(&self) -> impl Iterator<Item = Network<'_>> {
        let further = self.vlans.iter().map(|vlan| Network {
            device: vlan.device.as_str(),
            tagged: Some(&vlan.device),
            address: vlan.address,
            mtu: vlan.mtu.or(self.mtu),
            routes: &vlan.routes,
        });
        self.own_network().into_iter().chain(further)
    }

    /// The devices of its tags.
    pub fn tagged(&self) -> impl Iterator<Item = &Tagged> {
        self.vlan.iter().chain(self.vlans.iter().map(|vlan| &vlan.device))
    }

    /// The network that leads to an address.
    #[must_use]
    pub fn network_to(&self, addr: Ipv4Addr) -> Option<Network<'_>> {
        let all = self.networks().filter_map(|network| Some((network.reach(addr)?, network)));
        all.max_by_key(|(prefix, _)| *prefix).map(|(_, network)| network)
    }

    /// The servers that must answer, of all networks.
    pub fn required(&self) -> impl Iterator<Item = &Probe> {
        self.probes.iter().chain(self.vlans.iter().flat_map(|vlan| &vlan.probes))
    }

    /// The servers of all probes.
    pub fn servers(&self) -> impl Iterator<Item = Ipv4Addr> {
        self.required().chain(&self.optional_probes).map(|probe| probe.addr)
    }

    /// Whether the networks can stand side by side.
    pub(super) fn check_networks(&self) -> Result<()> {
        let all: Vec<Network<'_>> = self.networks().collect();
        for (at, network) in all.iter().enumerate() {
            for other in &all[..at] {
                ensure!(network.device != other.device, "{} is named twice", network.device);
                let (one, two) = (network.address.subnet(), other.address.subnet());
                ensure!(
                    !one.overlaps(two),
                    "{one} of {} overlaps {two} of {}: each network needs a subnet of its own",
                    network.device,
                    other.device
                );
            }
        }
        for (at, network) in all.iter().enumerate() {
            for (nth, route) in network.routes.iter().enumerate() {
                let before = all[..at].iter().flat_map(|other| other.routes);
                let twice = before.chain(&network.routes[..nth]).any(|other| other.to == route.to);
                ensure!(!twice, "route {route}: another one leads to {} already", route.to);
                check_route(route, network, &all)?;
            }
        }
        for vlan in &self.vlans {
            self.check_mtu(vlan).with_context(|| format!("[vlan {}] mtu", vlan.device.tag()))?;
        }
        Ok(())
    }

    /// The kernel gives no tag a larger MTU than the device below it (net/8021q/vlan_dev.c,
    /// `vlan_dev_change_mtu`), and `ifup` goes on.
    fn check_mtu(&self, vlan: &Vlan) -> Result<()> {
        let Some(mtu) = vlan.mtu else { return Ok(()) };
        match self.mtu {
            Some(below) => ensure!(
                mtu <= below,
                "{mtu} is above {below}, the MTU of {}: a tag can have no larger one",
                self.bond
            ),
            None => ensure!(
                mtu <= USUAL_MTU,
                "{mtu} is above {USUAL_MTU}, and {} has no MTU given: give it by `mtu` in [bond]",
                self.bond
            ),
        }
        Ok(())
    }

    /// That a server of a network's own probes is on it.
    pub(super) fn check_probes(&self) -> Result<()> {
        for (vlan, network) in
            self.vlans.iter().zip(self.networks().skip(usize::from(self.address.is_some())))
        {
            let mut probes = vlan.probes.iter();
            if let Some(probe) = probes.find(|probe| network.reach(probe.addr).is_none()) {
                return Err(out_of_reach(&[network], probe.addr));
            }
        }
        match self.servers().find(|server| self.network_to(*server).is_none()) {
            Some(server) => Err(out_of_reach(&self.networks().collect::<Vec<_>>(), server)),
            None => Ok(()),
        }
    }
}

/// Whether a route of a network leads out of all of them, by a router on its own.
fn check_route(route: &StaticRoute, network: &Network<'_>, all: &[Network<'_>]) -> Result<()> {
    let subnet = network.address.subnet();
    ensure!(
        subnet.contains(route.via) && route.via != network.address.addr,
        "route {route}: the gateway {} is not another host of {subnet}, the subnet of {}",
        route.via,
        network.device
    );
    if let Some(other) = all.iter().find(|other| other.address.overlaps(route.to)) {
        bail!(
            "route {route}: {} overlaps {}, the subnet of {} itself",
            route.to,
            other.address.subnet(),
            other.device
        );
    }
    Ok(())
}

/// What is wrong with a server that none of these networks leads to.
fn out_of_reach(networks: &[Network<'_>], server: Ipv4Addr) -> Error {
    let of = |n: &Network<'_>| format!("{}, the subnet of {}", n.address.subnet(), n.device);
    let all: Vec<String> = networks.iter().map(of).collect();
    let fault = format!(
        "the storage server {server} is not in {}, and is not reached through it",
        all.join(", nor in ")
    );
    // The longest usual prefix that holds both may be what was meant.
    let same = |n: &Network<'_>| (u32::from(n.address.addr) ^ u32::from(server)).leading_zeros();
    match networks.iter().max_by_key(|network| same(network)) {
        Some(nearest) if same(nearest) >= NEAR => {
            let (addr, prefix) = (nearest.address.addr, same(nearest).min(24));
            anyhow!(Hint(format!("is the netmask right? {addr}/{prefix} holds both")))
                .context(fault)
        }
        _ => anyhow!(fault),
    }
}
