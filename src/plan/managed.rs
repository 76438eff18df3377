//! The plan of a NIC that XAPI keeps: a storage NIC, given its address, or given back as it was.
//! Pure.

use anyhow::{Context, Result, bail};

use super::{Plan, Recorded};
use crate::inventory::facts::Scope;
use crate::inventory::{Inventory, Nic, Xapi};
use crate::spec::Spec;
use crate::step::{
    Members, NetworkChange, NetworkSettings, PURPOSE, PifChange, PifRecord, PifSetting, Step,
};
use crate::verify::{self, STORAGE, Setting};
use crate::xe::{IpSettings, Network, Pif};

/// The NIC, its record, and its network, all of which there must be.
struct Kept<'a> {
    nic: &'a Nic,
    pif: &'a Pif,
    network: &'a Network,
    inv: &'a Inventory,
    spec: &'a Spec,
}

impl<'a> Kept<'a> {
    fn of(spec: &'a Spec, nics: &'a [Nic], inv: &'a Inventory) -> Result<Self> {
        let silent = "XAPI does not answer, and what it knows decides the steps";
        let xapi: &Xapi = inv.xapi.as_ref().context(silent)?;
        let [nic] = nics else { bail!("a storage NIC is one NIC") };
        let pif = nic.pif.as_ref().filter(|pif| pif.is_managed());
        let pif = pif.with_context(|| format!("XAPI does not manage {}", nic.device))?;
        let network = xapi.networks.iter().find(|network| network.uuid == pif.network);
        let network = network.with_context(|| format!("{} has no network", nic.device))?;
        Ok(Self { nic, pif, network, inv, spec })
    }

    fn record(&self) -> Result<PifRecord> {
        Ok(PifRecord {
            host: self.inv.host_uuid().context("this host has no uuid")?,
            device: self.nic.device.clone(),
            mac: self.nic.mac,
            was: Some(self.pif.clone()),
            in_bridge: true,
        })
    }

    /// The step that sets something of the PIF, where it is another thing or the kernel `lacks` it.
    fn set(&self, set: PifSetting, lacks: bool) -> Result<Option<Step>> {
        if set.is_like(&set.of(self.pif)) && !lacks {
            return Ok(None);
        }
        let bridge = self.spec.managed().and_then(|managed| managed.bridge.clone());
        let change = PifChange { record: self.record()?, bridge, set, members: Members::default() };
        Ok(Some(Step::SetPif(Box::new(change))))
    }

    fn settings(&self) -> NetworkSettings {
        let Network { mtu, static_routes, .. } = self.network;
        NetworkSettings { mtu: *mtu, routes: static_routes.clone() }
    }

    /// The step that sets something of its network, where it is another thing or the kernel `lacks`
    /// it.
    fn set_network(&self, want: NetworkSettings, lacks: bool) -> Result<Option<Step>> {
        let was = self.settings();
        if was == want && !lacks {
            return Ok(None);
        }
        let bridge = self.spec.managed().and_then(|managed| managed.bridge.clone());
        let bridge = bridge.context("its network has no bridge of a usual name")?;
        let (record, network) = (self.record()?, self.network.uuid.clone());
        let now = self.inv.kernel.devices.get(self.nic.device.as_str()).and_then(|d| d.mtu);
        let pending = now.is_some() && was.mtu.is_some() && now != was.mtu;
        let change = NetworkChange { record, network, bridge, was, want, pending };
        Ok(Some(Step::SetPifNetwork(Box::new(change))))
    }

    fn plan(self, mut steps: Vec<Step>, removes: bool) -> Plan {
        let spec = self.spec;
        if !steps.is_empty() && !removes {
            steps.push(super::verified(spec));
        }
        let scope = Scope {
            bond: spec.bond.clone(),
            nics: vec![self.nic.device.clone()],
            paths: Vec::new(),
            subnet: spec.address.map(|address| address.subnet()),
            vlans: Vec::new(),
            further: Vec::new(),
            bridge: spec.managed().and_then(|managed| managed.bridge.clone()),
            network: Some(self.network.uuid.clone()),
            named: None,
            tuned: Vec::new(),
        };
        let (spec, nics) = (spec.clone(), vec![self.nic.clone()]);
        Plan { spec, nics, steps, scope, removes, adopts: false }
    }
}

/// The plan that makes it as asked; without steps where it is so.
///
/// # Errors
/// When XAPI does not answer or does not manage the NIC.
pub(super) fn change(spec: &Spec, nics: &[Nic], inv: &Inventory) -> Result<Plan> {
    let kept = Kept::of(spec, nics, inv)?;
    let address = spec.address.context("the spec has no address")?;
    let unlike = verify::unlike(spec, nics, inv);
    let lacks = |of: &dyn Fn(&Setting) -> bool| unlike.iter().any(of);
    let mut steps = Vec::new();
    let was = kept.settings();
    let want = wanted(spec, &was, inv);
    let stands = kept.pif.attached && kept.pif.ip.address() == Some(address);
    let of_network = lacks(&|s| matches!(s, Setting::Mtu(_)))
        || (stands && lacks(&|s| matches!(s, Setting::Route(_))));
    let unaddressed = lacks(&|s| *s == Setting::Address);
    // A route of a network needs the address first, which brings the routes along.
    steps.extend(kept.set_network(want, of_network && !(unaddressed && stands))?);
    let unplugged = lacks(&|s| matches!(s, Setting::Port(_)));
    steps.extend(kept.set(PifSetting::Plugged(true), unplugged && !kept.pif.attached)?);
    steps.extend(kept.set(PifSetting::Ip(IpSettings::fixed(address)), stands && unaddressed)?);
    steps.extend(kept.set(PifSetting::DisallowUnplug(true), false)?);
    steps.extend(kept.set(PifSetting::Purpose(Some(STORAGE.into())), false)?);
    Ok(kept.plan(steps, false))
}

/// What its network is to have, where it has this.
pub(super) fn wanted(spec: &Spec, was: &NetworkSettings, inv: &Inventory) -> NetworkSettings {
    let routes = match NetworkSettings::routes_of(&spec.routes) {
        // Those that the last change of it set are its own; any other is somebody else's.
        None if was.routes == routes_before(spec, inv) => None,
        None => was.routes.clone(),
        routes => routes,
    };
    NetworkSettings { mtu: spec.mtu.or(was.mtu), routes }
}

/// The routes that the last change of it set.
fn routes_before(spec: &Spec, inv: &Inventory) -> Option<String> {
    let before = inv.transaction.as_ref().map(|last| &last.spec)?;
    let same = before.bond == spec.bond && before.managed().is_some();
    NetworkSettings::routes_of(&before.routes).filter(|_| same)
}

/// What a network is to have again that has this: what the spec asked of it goes, and another
/// setting is somebody else's later work.
pub(super) fn as_before(
    spec: &Spec,
    mut now: NetworkSettings,
    before: &NetworkSettings,
) -> NetworkSettings {
    if now.mtu == spec.mtu {
        now.mtu = before.mtu;
    }
    if now.routes == NetworkSettings::routes_of(&spec.routes) {
        now.routes.clone_from(&before.routes);
    }
    now
}

/// The plan that takes from it what xenbond gave it: as it was before, where that is recorded.
///
/// # Errors
/// As of [`change`].
pub(super) fn remove(
    spec: &Spec,
    nics: &[Nic],
    recorded: &Recorded,
    inv: &Inventory,
) -> Result<Plan> {
    let kept = Kept::of(spec, nics, inv)?;
    let known = recorded.pifs.iter().find(|record| record.device == kept.nic.device);
    // Another card under the name has nothing of what was recorded.
    let was = known.filter(|record| record.mac == kept.nic.mac).and_then(|r| r.was.as_ref());
    let mut steps = Vec::new();
    let purpose = was.and_then(|was| was.other_config.get(PURPOSE).cloned());
    if kept.pif.other_config.get(PURPOSE).is_some_and(|text| text == STORAGE) {
        steps.extend(kept.set(PifSetting::Purpose(purpose), false)?);
    }
    let disallows = was.is_some_and(|was| was.disallow_unplug);
    steps.extend(kept.set(PifSetting::DisallowUnplug(disallows), false)?);
    // Another address is somebody else's later work.
    if kept.pif.ip.address() == spec.address {
        let ip = was.map(Pif::static_ip).unwrap_or_default();
        steps.extend(kept.set(PifSetting::Ip(ip), false)?);
    }
    let before = recorded.networks.iter().find(|(uuid, _)| *uuid == kept.network.uuid);
    if let Some((_, before)) = before {
        let want = as_before(spec, kept.settings(), before);
        steps.extend(kept.set_network(want, false)?);
    }
    if was.is_some_and(|was| !was.attached) {
        steps.extend(kept.set(PifSetting::Plugged(false), false)?);
    }
    Ok(kept.plan(steps, true))
}
