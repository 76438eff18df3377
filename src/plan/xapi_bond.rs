//! The plan of a bond that XAPI makes and keeps: its network, the bond, and what `bond-create` does
//! not carry over (tests/ground/managed.md, B2); or all of that taken away. Pure.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

use super::{Plan, Recorded, verified};
use crate::inventory::facts::Scope;
use crate::inventory::{Inventory, Managed, Nic, Xapi};
use crate::net::{Backend, IfName, Uuid};
use crate::spec::{self, NetworkName, Spec, Use};
use crate::step::{
    BondModeChange, BondSettings, Link, Members, NetworkChange, NetworkSettings, NewNetwork,
    PURPOSE, PifChange, PifRecord, PifSetting, Step, XapiBond, not_made_yet,
};
use crate::verify::STORAGE;
use crate::xe::{IpSettings, Network, Pif};

/// A bond that is asked for on this host.
struct Bond<'a> {
    spec: &'a Spec,
    asked: &'a spec::Managed,
    name: &'a NetworkName,
    nics: &'a [Nic],
    inv: &'a Inventory,
    xapi: &'a Xapi,
    host: Uuid,
    /// It, where it stands.
    stands: Option<Managed>,
}

impl<'a> Bond<'a> {
    fn of(spec: &'a Spec, nics: &'a [Nic], inv: &'a Inventory) -> Result<Self> {
        let silent = "XAPI does not answer, and what it knows decides the steps";
        let xapi = inv.xapi.as_ref().context(silent)?;
        let (asked, name) = spec.xapi_bond().context("the spec names no network")?;
        for nic in nics {
            let managed = nic.pif.as_ref().is_some_and(Pif::is_managed);
            anyhow::ensure!(managed, "XAPI does not manage {}", nic.device);
        }
        let host = inv.host_uuid().context("this host has no uuid")?;
        let stands = Managed::of(nics, inv);
        Ok(Self { spec, asked, name, nics, inv, xapi, host, stands })
    }

    fn pifs(&self) -> impl Iterator<Item = &'a Pif> {
        self.nics.iter().filter_map(|nic| nic.pif.as_ref())
    }

    /// The NIC by which XAPI goes (tests/ground/managed.md, B1).
    fn primary(&self) -> Option<&'a Pif> {
        let all = || self.pifs();
        let first = all().find(|pif| pif.management);
        first.or_else(|| all().find(|pif| pif.ip_mode() != "none")).or_else(|| all().next())
    }

    fn members(&self) -> Members {
        Members::of(self.pifs().map(|pif| pif.uuid.clone()))
    }

    /// The bond's PIF as it is, or as XAPI will make it.
    fn pif(&self) -> Result<Pif> {
        if let Some(stands) = &self.stands {
            return Ok(stands.pif.clone());
        }
        let primary = self.primary().context("the bond has no NICs")?;
        Ok(Pif {
            uuid: not_made_yet(),
            device: self.spec.bond.to_string(),
            physical: false,
            attached: true,
            disallow_unplug: self.pifs().any(|pif| pif.disallow_unplug),
            other_config: BTreeMap::new(),
            ..primary.clone()
        })
    }

    fn record(&self, was: Option<Pif>) -> Result<PifRecord> {
        let mac = match &was {
            Some(pif) => pif.mac,
            None => self.primary().context("the bond has no NICs")?.mac,
        };
        let (host, device) = (self.host.clone(), self.spec.bond.clone());
        Ok(PifRecord { host, device, mac, was, in_bridge: false })
    }

    /// The step that sets something of the bond's PIF, where it is another thing.
    fn set(&self, set: PifSetting) -> Result<Option<Step>> {
        let pif = self.pif()?;
        if set.is_like(&set.of(&pif)) {
            return Ok(None);
        }
        Ok(Some(self.setting(pif, set)?))
    }

    fn setting(&self, was: Pif, set: PifSetting) -> Result<Step> {
        let (record, bridge) = (self.record(Some(was))?, self.bridge());
        let change = PifChange { record, bridge, set, members: self.members() };
        Ok(Step::SetPif(Box::new(change)))
    }

    /// The network that it lies on, or is to.
    fn network(&self) -> Option<&'a Network> {
        let of = |pif: &Pif| self.xapi.networks.iter().find(|n| n.uuid == pif.network);
        match &self.stands {
            Some(stands) => of(&stands.pif),
            None => self.xapi.free_networks(self.name).into_iter().next(),
        }
    }

    /// The bridge that it lies on, or is to. A spec that was recorded before XAPI made the network
    /// does not know it.
    fn bridge(&self) -> Option<IfName> {
        let bridge = self.network().and_then(|network| network.bridge.parse().ok());
        bridge.or_else(|| self.asked.bridge.clone())
    }

    /// The step that makes its network, or gives it what is asked.
    fn prepare(&self) -> Result<Option<Step>> {
        let Some(network) = self.network() else {
            return Ok(Some(Step::CreateNetwork(Box::new(self.new_network()))));
        };
        let want = super::managed::wanted(self.spec, &settings(network), self.inv);
        self.set_network(network, want, self.stands.as_ref().map(|bond| bond.pif.clone()))
    }

    /// The step that gives a network other settings, where they are others. `on` is what is plugged
    /// there meanwhile.
    fn set_network(
        &self,
        network: &Network,
        want: NetworkSettings,
        on: Option<Pif>,
    ) -> Result<Option<Step>> {
        let was = settings(network);
        if was == want {
            return Ok(None);
        }
        let bridge = network.bridge.parse().context("its network has no bridge of a usual name")?;
        let record = self.record(on)?;
        let network = network.uuid.clone();
        let change = NetworkChange { record, network, bridge, was, want, pending: false };
        Ok(Some(Step::SetPifNetwork(Box::new(change))))
    }

    fn new_network(&self) -> NewNetwork {
        let routes = NetworkSettings::routes_of(&self.spec.routes);
        let same = |n: &&Network| n.name.as_deref() == Some(self.name.as_str());
        NewNetwork {
            host: self.host.clone(),
            name: self.name.clone(),
            settings: NetworkSettings { mtu: self.spec.mtu, routes },
            members: self.members(),
            others: self.xapi.networks.iter().filter(same).map(|n| n.uuid.clone()).collect(),
        }
    }

    fn xapi_bond(&self) -> XapiBond {
        let record = |nic: &Nic| PifRecord {
            host: self.host.clone(),
            device: nic.device.clone(),
            mac: nic.mac,
            was: nic.pif.clone(),
            in_bridge: true,
        };
        let loose = self.nics.iter().filter(|n| n.pif.as_ref().is_some_and(|pif| !pif.attached));
        let link = |nic: &Nic| {
            let kernel = self.inv.kernel.devices.get(nic.device.as_str())?;
            Some(Link { device: nic.device.clone(), mtu: kernel.mtu, up: kernel.up })
        };
        let plugged = self.pifs().filter(|pif| pif.attached);
        let bridges = plugged.filter_map(|pif| self.xapi.bridge_of(pif)?.parse().ok());
        XapiBond {
            bond: self.spec.bond.clone(),
            network: self.name.clone(),
            on: self.network().map(|network| network.uuid.clone()),
            nics: self.nics.iter().map(record).collect(),
            bridges: bridges.collect(),
            links: loose.filter_map(link).collect(),
            mode: self.spec.mode,
            properties: self.asked.properties(),
            management: self.asked.purpose == Use::Management,
            vswitch: self.inv.running_backend() == Some(Backend::Openvswitch),
        }
    }

    /// Whether it stands, and its PIF says that it is for storage.
    fn is_for_storage(&self) -> bool {
        let purpose = self.stands.as_ref().and_then(|bond| bond.pif.other_config.get(PURPOSE));
        purpose.is_some_and(|text| text == STORAGE)
    }

    /// Whether the kernel has none of its NICs in any bond or bridge. An old Open vSwitch shows no
    /// port's master: then nothing is known.
    fn is_nowhere(&self) -> bool {
        let has_master = |device: &str| {
            self.inv.kernel.devices.get(device).is_some_and(|device| device.master.is_some())
        };
        let mut plugged = self.xapi.pifs.iter().filter(|pif| pif.attached && pif.is_managed());
        plugged.any(|pif| pif.is_nic() && has_master(&pif.device))
            && self.nics.iter().all(|nic| !has_master(nic.device.as_str()))
    }

    /// The step that gives a bond that stands another mode.
    fn mode(&self, stands: &Managed) -> Option<Step> {
        let properties = self.asked.properties();
        let unlike = stands.unlike(&properties);
        let (uuid, mode) = (stands.uuid()?, stands.mode()?);
        if mode == self.spec.mode && unlike.is_empty() {
            return None;
        }
        let had = unlike.iter().filter_map(|((key, _), had)| Some((key.clone(), (*had)?.clone())));
        Some(Step::SetBondMode(Box::new(BondModeChange {
            uuid: uuid.clone(),
            bond: self.spec.bond.clone(),
            was: BondSettings { mode, properties: had.collect() },
            want: BondSettings { mode: self.spec.mode, properties },
        })))
    }

    /// The steps that take from a NIC what XAPI gave it of the bond when somebody destroyed that.
    fn carried_back(&self, nic: &Nic, recorded: &Recorded) -> Result<Vec<Step>> {
        let pif = nic.pif.as_ref().context("XAPI has no PIF of the NIC")?;
        let mut of = recorded.bonds.iter().flat_map(|bond| &bond.nics);
        let was = of.find(|r| r.device == nic.device && r.mac == nic.mac);
        let was = was.and_then(|record| record.was.as_ref());
        if self.spec.address.is_none() || pif.ip.address() != self.spec.address {
            return Ok(Vec::new());
        }
        let sets = [
            PifSetting::DisallowUnplug(was.is_some_and(|was| was.disallow_unplug)),
            PifSetting::Ip(was.map(Pif::static_ip).unwrap_or_default()),
        ];
        let step = |set: PifSetting| {
            let record = PifRecord {
                host: self.host.clone(),
                device: nic.device.clone(),
                mac: nic.mac,
                was: Some(pif.clone()),
                in_bridge: false,
            };
            let bridge = self.xapi.bridge_of(pif).and_then(|bridge| bridge.parse().ok());
            Step::SetPif(Box::new(PifChange { record, bridge, set, members: Members::default() }))
        };
        let unlike = sets.into_iter().filter(|set| !set.is_like(&set.of(pif)));
        Ok(unlike.map(step).collect())
    }

    fn plan(self, steps: Vec<Step>, removes: bool) -> Plan {
        let goes = steps.iter().any(|step| matches!(step, Step::RemoveNetwork(_)));
        let made = goes || steps.iter().any(|step| matches!(step, Step::CreateNetwork(_)));
        // One that goes is another record once it is made again.
        let network = self.network().filter(|_| !goes);
        let scope = Scope {
            bond: self.spec.bond.clone(),
            nics: self.nics.iter().map(|nic| nic.device.clone()).collect(),
            paths: Vec::new(),
            subnet: self.spec.address.map(|address| address.subnet()),
            vlans: Vec::new(),
            further: Vec::new(),
            bridge: network.and_then(|network| network.bridge.parse().ok()),
            network: network.map(|network| network.uuid.clone()),
            named: made.then(|| self.name.clone()),
            tuned: Vec::new(),
        };
        let (spec, nics) = (self.spec.clone(), self.nics.to_vec());
        Plan { spec, nics, steps, scope, removes, adopts: false }
    }
}

/// The plan that makes it as asked; without steps where it is so.
///
/// # Errors
/// When XAPI does not answer or does not manage a NIC.
pub(super) fn change(spec: &Spec, nics: &[Nic], inv: &Inventory) -> Result<Plan> {
    let bond = Bond::of(spec, nics, inv)?;
    let mut steps = Vec::new();
    steps.extend(bond.prepare()?);
    match &bond.stands {
        None => steps.push(Step::MakeBond(Box::new(bond.xapi_bond()))),
        Some(stands) => {
            if stands.pif.attached && bond.is_nowhere() {
                steps.push(Step::CompleteBond(Box::new(bond.xapi_bond())));
            }
            steps.extend(bond.set(PifSetting::Plugged(true))?);
            steps.extend(bond.mode(stands));
        }
    }
    match bond.asked.purpose {
        Use::Storage => {
            let address = spec.address.context("the spec has no address")?;
            steps.extend(bond.set(PifSetting::Ip(IpSettings::fixed(address)))?);
            steps.extend(bond.set(PifSetting::DisallowUnplug(true))?);
            steps.extend(bond.set(PifSetting::Purpose(Some(STORAGE.into())))?);
        }
        // What XAPI's own client moves along (tests/ground/managed.md, B2).
        Use::Management if bond.stands.is_none() => {
            let purpose = bond.primary().and_then(|pif| pif.other_config.get(PURPOSE)).cloned();
            steps.extend(bond.set(PifSetting::Purpose(purpose))?);
        }
        // One that was for storage.
        Use::Network if bond.is_for_storage() => {
            steps.extend(bond.set(PifSetting::Purpose(None))?);
            steps.extend(bond.set(PifSetting::DisallowUnplug(false))?);
            steps.extend(bond.set(PifSetting::Ip(IpSettings::default()))?);
        }
        Use::Management | Use::Network => {}
    }
    if !steps.is_empty() {
        steps.push(verified(spec));
    }
    Ok(bond.plan(steps, false))
}

/// The plan that takes it away: its NICs as they were before it, where that is recorded.
///
/// # Errors
/// As of [`change`].
pub(super) fn remove(
    spec: &Spec,
    nics: &[Nic],
    recorded: &Recorded,
    inv: &Inventory,
) -> Result<Plan> {
    let bond = Bond::of(spec, nics, inv)?;
    let made = recorded.created.iter().find(|made| made.name == *bond.name);
    let there = |n: &Network| n.name.as_deref() == Some(bond.name.as_str());
    let made = made.filter(|_| bond.xapi.networks.iter().any(there));
    let mut steps = Vec::new();
    if let Some(stands) = &bond.stands {
        let was = recorded.bonds.iter().find(|known| known.bond == spec.bond);
        let mut bond_was = bond.xapi_bond();
        bond_was.mode = stands.mode().unwrap_or(spec.mode);
        bond_was.on = bond_was.on.filter(|_| made.is_none());
        bond_was.bridges = bond.bridge().into_iter().collect();
        if let Some(was) = was {
            bond_was.nics.clone_from(&was.nics);
            bond_was.links.clone_from(&was.links);
        } else {
            for record in bond_was.nics.iter_mut().filter_map(|record| record.was.as_mut()) {
                (record.attached, record.bond_slave_of) = (true, None);
            }
        }
        let had = |of: fn(&Pif) -> bool| {
            was.is_some_and(|was| was.nics.iter().filter_map(|n| n.was.as_ref()).any(of))
        };
        // Of one that is made again XAPI has another record.
        let pif = Pif { uuid: not_made_yet(), ..stands.pif.clone() };
        let mut sets = Vec::new();
        if bond.asked.purpose == Use::Storage {
            if bond.is_for_storage() {
                sets.push(PifSetting::Purpose(None));
            }
            // XAPI gives the first NIC whatever address the bond has when it goes.
            sets.push(PifSetting::Ip(was.and_then(first_ip).unwrap_or_default()));
            sets.push(PifSetting::DisallowUnplug(had(|pif| pif.disallow_unplug)));
        }
        for set in sets.into_iter().filter(|set| !set.is_like(&set.of(&pif))) {
            steps.push(bond.setting(pif.clone(), set)?);
        }
        steps.push(Step::TakeApart(Box::new(bond_was)));
    } else if bond.asked.purpose == Use::Storage {
        for nic in nics {
            steps.extend(bond.carried_back(nic, recorded)?);
        }
    }
    let before = |n: &&Network| recorded.networks.iter().find(|(uuid, _)| *uuid == n.uuid);
    if let Some((network, (_, before))) = bond.network().and_then(|n| Some((n, before(&n)?))) {
        let want = super::managed::as_before(spec, settings(network), before);
        steps.extend(bond.set_network(network, want, None)?);
    }
    steps.extend(made.cloned().map(Box::new).map(Step::RemoveNetwork));
    Ok(bond.plan(steps, true))
}

fn settings(network: &Network) -> NetworkSettings {
    NetworkSettings { mtu: network.mtu, routes: network.static_routes.clone() }
}

/// The address that XAPI took from one of the NICs for the bond.
fn first_ip(was: &XapiBond) -> Option<IpSettings> {
    let mut pifs = was.nics.iter().filter_map(|record| record.was.as_ref());
    pifs.find(|pif| pif.ip_mode() != "none").map(Pif::static_ip)
}

/// The devices that a bond of XAPI's is without as long as it is made or taken apart.
pub(super) fn goes_down(bond: &XapiBond) -> impl Iterator<Item = &str> {
    bond.bridges.iter().map(IfName::as_str)
}
