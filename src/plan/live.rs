//! What of a change needs no rebuild of the bond: options, slaves, MTU, address, routes and tuning
//! that the driver takes while the bond is up. Pure.

use std::collections::BTreeSet;

use super::{tuned, vlans};
use crate::bonding::SlaveStatus;
use crate::ifcfg;
use crate::inventory::{Inventory, Nic};
use crate::net::{IfName, Ipv4Net, Route, StaticRoute, Tagged};
use crate::options::{Opt, Row, TABLE};
use crate::order;
use crate::paths;
use crate::preflight::hides_its_mac;
use crate::spec::{Network, Spec};
use crate::step::{
    Attached, Change, Link, LiveMtu, LiveNetwork, LiveOptions, LiveTuning, Member, Step,
};
use crate::verify::{self, Setting};

/// The steps that make a bond that stands as asked while it is up; `None`: it must be made anew.
/// `unlike` is what is not as asked, `pifs` are the steps about XAPI's records.
pub(super) fn steps(
    spec: &Spec,
    nics: &[Nic],
    inv: &Inventory,
    unlike: &[Setting],
    pifs: &[Step],
) -> Option<Vec<Step>> {
    let bond = spec.bond.as_str();
    let device = inv.kernel.devices.get(bond)?;
    let status = inv.kernel.bond(bond)?;
    if device.up == Some(false) || pifs.iter().any(|step| is_at_a_slave(step, &status.slaves, inv))
    {
        return None;
    }
    let own: BTreeSet<&Setting> =
        order::set(unlike.iter().filter(|setting| setting.tag(spec).is_none()));
    let slaves: Vec<IfName> = status.slaves.iter().filter_map(|s| s.name.parse().ok()).collect();
    if !own.iter().all(|setting| may_stay_up(setting, &slaves)) {
        return None;
    }
    let (join, leave) = members(spec, nics, &slaves, inv)?;
    let mut steps: Vec<Step> = join.into_iter().map(Step::Join).collect();
    steps.extend(mtus(spec, unlike, inv).into_iter().map(Step::SetMtu));
    let changes = options(spec, nics, unlike, inv)?;
    if !changes.is_empty() {
        steps.push(Step::SetOptions(LiveOptions { bond: spec.bond.clone(), changes }));
    }
    steps.extend(networks(spec, unlike, inv).into_iter().map(Step::SetNetwork));
    let tuning = tuned(spec, nics, inv).into_iter().filter(|nic| {
        own.iter().any(|s| matches!(s, Setting::Tuned(device, _) if *device == nic.device))
    });
    steps.extend(tuning.map(|nic| {
        let mac = nics.iter().find(|n| n.device == nic.device).map(|n| n.mac);
        let want = spec.ethtool.of(&nic.device, mac);
        Step::Tune(LiveTuning { nic, want })
    }));
    steps.extend(leave.into_iter().map(Step::Leave));
    Some(steps)
}

/// Whether a step about XAPI's records needs a slave to be out of the bond: XAPI has plugged what
/// the bond holds, or would not know the NIC.
fn is_at_a_slave(step: &Step, slaves: &[SlaveStatus], inv: &Inventory) -> bool {
    let (record, so) = match step {
        Step::ForgetPif(record) => (record, record.was.as_ref().is_some_and(|was| was.attached)),
        Step::IntroduceUnmanaged(record) => {
            (record, hides_its_mac(&record.device, record.mac, inv))
        }
        _ => return false,
    };
    so && slaves.iter().any(|slave| slave.name == record.device.as_str())
}

/// Whether it can be put right while the bond is up; of an option that is told by its row.
fn may_stay_up(setting: &Setting, slaves: &[IfName]) -> bool {
    match setting {
        Setting::Slaves
        | Setting::Option(_)
        | Setting::Mtu(_)
        | Setting::Address
        | Setting::NoAddress(_)
        | Setting::Route(_)
        | Setting::DefaultRoute
        | Setting::LinkLocalRoute
        | Setting::Tuned(..) => true,
        // Where it is no slave yet, this says no more than that.
        Setting::PermanentMac(nic) => !slaves.contains(nic),
        _ => false,
    }
}

/// Who joins and who leaves; `None`: nobody would carry the traffic meanwhile, or the bond would go
/// on with the address of a card that another may use now (bond_release in bond_main.c warns).
fn members(
    spec: &Spec,
    nics: &[Nic],
    slaves: &[IfName],
    inv: &Inventory,
) -> Option<(Vec<Member>, Vec<Member>)> {
    let asked = |slave: &IfName| nics.iter().any(|nic| nic.device == *slave);
    let goes: Vec<&IfName> = slaves.iter().filter(|slave| !asked(slave)).collect();
    let mac = inv.kernel.bond_mac(spec.bond.as_str());
    let gives = |nic: &&IfName| mac.is_some() && inv.kernel.permanent_mac(nic.as_str()) == mac;
    if goes.len() == slaves.len() || goes.iter().any(gives) {
        return None;
    }
    let link = |nic: &IfName| inv.kernel.devices.get(nic.as_str()).and_then(|nic| nic.carrier);
    let dead = |nic: &Nic| link(&nic.device) == Some(false);
    if goes.iter().any(|slave| link(slave) == Some(true)) && nics.iter().all(dead) {
        return None;
    }
    let member = |nic: &IfName, link: Option<Link>| Member {
        bond: spec.bond.clone(),
        nic: nic.clone(),
        link,
        slaves: slaves.to_vec(),
    };
    let joins = nics.iter().filter(|nic| !slaves.contains(&nic.device)).map(|nic| {
        // XAPI brings up what it plugs, with the MTU of its network.
        let plugged = nic.pif.as_ref().is_some_and(|pif| pif.attached);
        let kernel = inv.kernel.devices.get(nic.device.as_str()).filter(|_| !plugged);
        let link = kernel.map(|k| Link { device: nic.device.clone(), mtu: k.mtu, up: k.up });
        member(&nic.device, link)
    });
    Some((joins.collect(), goes.into_iter().map(|nic| member(nic, None)).collect()))
}

/// The options that are not as asked, and those that a file of the boot scripts still sets and
/// nobody asks for any more; `None`: the driver does not take one of them while the bond is up.
fn options(spec: &Spec, nics: &[Nic], unlike: &[Setting], inv: &Inventory) -> Option<Vec<Change>> {
    let device = |mac| nics.iter().find(|n| n.mac == mac).map(|n| n.device.clone());
    let spec = &spec.with_devices(device);
    let bond = spec.bond.as_str();
    let kind = inv.file(&paths::ifcfg(bond));
    let file = ifcfg::parse(&String::from_utf8_lossy(kind.bytes().unwrap_or_default()));
    let set: Vec<&str> = file.get("BONDING_OPTS").unwrap_or_default().split_whitespace().collect();
    let in_file =
        |row: &Row| set.iter().any(|w| w.split_once('=').is_some_and(|(k, _)| k == row.name));
    let mut changes = Vec::new();
    for row in &TABLE {
        let asked = spec.options.iter().find(|(other, _)| other.opt == row.opt);
        let want = match asked {
            Some((_, value)) => row.normal(&value.to_string()),
            None if in_file(row) && row.modes.contains(&spec.mode) => row.default.to_string(),
            None => continue,
        };
        // No primary and no targets are shown as an empty line.
        let shown = inv.kernel.bond_option(bond, row.name).map(|text| row.normal(text));
        let Some(was) = shown.or_else(|| row.default.is_empty().then(String::new)) else {
            // It cannot be set by a file that is not there.
            if asked.is_some() && unlike.contains(&Setting::Option(row.opt)) {
                return None;
            }
            continue;
        };
        if was == want {
            continue;
        }
        let takes = |since| inv.kernel.linux().is_some_and(|linux| linux >= since);
        row.live.filter(|since| takes(*since))?;
        changes.push(Change { option: row.opt, was, want });
    }
    // Delays are counted in miimon: whichever is set, they are looked at with it.
    if changes.iter().any(|change| change.option == Opt::Miimon) {
        for opt in [Opt::Updelay, Opt::Downdelay, Opt::PeerNotifDelay] {
            let row = opt.row();
            let shown = inv.kernel.bond_option(bond, row.name).map(|text| row.normal(text));
            if let Some(was) = shown.filter(|was| was != "0")
                && !changes.iter().any(|change| change.option == opt)
            {
                changes.push(Change { option: opt, want: was.clone(), was });
            }
        }
        order::sort_by_key(&mut changes, |change| change.option);
    }
    Some(changes)
}

/// The MTU of the bond, and of tags that stand, in the order in which the kernel takes them: what
/// is above a device has no larger one.
fn mtus(spec: &Spec, unlike: &[Setting], inv: &Inventory) -> Vec<LiveMtu> {
    let mut all = Vec::new();
    let mtu = |device: &str| inv.kernel.devices.get(device).and_then(|d| d.mtu);
    let mut set = |device: &str, want: Option<u32>| {
        if let (Some(was), Some(want)) = (mtu(device), want) {
            all.push(LiveMtu { device: device.to_string(), was, want });
        }
    };
    if unlike.iter().any(|s| matches!(s, Setting::Mtu(_))) {
        set(spec.bond.as_str(), spec.mtu);
    }
    for network in spec.networks() {
        let of = |tag: &&Tagged| unlike.contains(&Setting::VlanMtu((*tag).clone()));
        if network.tagged.is_some_and(|tag| of(&tag) && vlans::may_stay_up(spec, tag, unlike)) {
            set(network.device, network.mtu);
        }
    }
    let smaller = all.iter().any(|one| one.want < one.was && one.device == spec.bond.as_str());
    if smaller {
        all.reverse();
    }
    all
}

/// The networks whose addresses or routes are not as asked, where their devices stay up.
fn networks(spec: &Spec, unlike: &[Setting], inv: &Inventory) -> Vec<LiveNetwork> {
    let mut all = Vec::new();
    if spec.vlan.is_some() {
        let bond = spec.bond.as_str();
        let has = |s: &&Setting| matches!(s, Setting::NoAddress(_));
        all.extend(unlike.iter().find(has).and_then(|_| network(bond, None, unlike, inv)));
        all.extend(bare(bond, unlike, inv));
    }
    for one in spec.networks() {
        if one.tagged.is_none_or(|tag| vlans::may_stay_up(spec, tag, unlike)) {
            all.extend(network(one.device, Some(one), unlike, inv));
        }
    }
    all
}

/// A bond without an address of its own, which the boot scripts gave a route all the same.
fn bare(bond: &str, unlike: &[Setting], inv: &Inventory) -> Option<LiveNetwork> {
    let unasked = unasked(bond, unlike, inv);
    let side = |routes| Attached { address: None, routes };
    (!unasked.is_empty()).then(|| LiveNetwork {
        device: bond.to_string(),
        was: side(unasked),
        want: side(Vec::new()),
    })
}

/// What the boot scripts set on a device without being asked.
fn unasked(device: &str, unlike: &[Setting], inv: &Inventory) -> Vec<Route> {
    let through = inv.kernel.routes.iter().filter(|route| route.device == device);
    let goes = |route: &&Route| {
        (route.to.prefix == 0 && unlike.contains(&Setting::DefaultRoute))
            || (route.to == verify::LINK_LOCAL && unlike.contains(&Setting::LinkLocalRoute))
    };
    through.filter(goes).cloned().collect()
}

fn network(
    device: &str,
    asked: Option<Network<'_>>,
    unlike: &[Setting],
    inv: &Inventory,
) -> Option<LiveNetwork> {
    let has: Vec<Ipv4Net> =
        inv.kernel.addresses.iter().filter(|a| a.device == device).map(|a| a.net).collect();
    let address = asked.as_ref().map(|network| network.address);
    let old = address.filter(|net| has.contains(net)).or_else(|| ours(device, &has, inv));
    let wanted: Vec<Route> = asked.iter().flat_map(|n| n.routes).map(|r| way(device, r)).collect();
    let through = inv.kernel.routes.iter().filter(|route| route.device == device);
    let dropped = of_file(device, inv);
    let goes = |route: &Route| {
        route.gateway.is_some() && dropped.contains(route) && !wanted.contains(route)
    };
    let stays = |route: &Route| wanted.contains(route);
    // With another address go the routes behind the old one's network, whoever set them.
    let moves = old != address;
    let behind = |route: &Route| {
        moves && route.gateway.is_some_and(|via| old.is_some_and(|net| net.contains(via)))
    };
    let mut was: Vec<Route> =
        through.filter(|r| goes(r) || stays(r) || behind(r)).cloned().collect();
    was.extend(unasked(device, unlike, inv));
    was.dedup();
    let found = LiveNetwork {
        device: device.to_string(),
        was: Attached { address: old, routes: was },
        want: Attached { address, routes: wanted },
    };
    found.changes().then_some(found)
}

/// The address that the boot scripts gave the device, or the only one that it has.
fn ours(device: &str, has: &[Ipv4Net], inv: &Inventory) -> Option<Ipv4Net> {
    let kind = inv.file(&paths::ifcfg(device));
    let file = ifcfg::parse(&String::from_utf8_lossy(kind.bytes().unwrap_or_default()));
    let addr = file.get("IPADDR").and_then(|text| text.parse().ok());
    let by_file = has.iter().find(|net| Some(net.addr) == addr);
    let only = || if has.len() == 1 { has.first() } else { None };
    by_file.or_else(only).copied()
}

/// The routes that the file of a device has.
fn of_file(device: &str, inv: &Inventory) -> Vec<Route> {
    let kind = inv.file(&paths::routes(device));
    let text = String::from_utf8_lossy(kind.bytes().unwrap_or_default()).into_owned();
    let one = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().take(3).collect();
        Some(way(device, &words.join(" ").parse::<StaticRoute>().ok()?))
    };
    text.lines().filter_map(one).collect()
}

fn way(device: &str, route: &StaticRoute) -> Route {
    Route { device: device.into(), to: route.to, gateway: Some(route.via), metric: 0 }
}
