//! A NIC that XAPI keeps, and NICs that it is to make a bond of: what bars it from giving them what
//! is asked.

use super::one::{NicRule, One, PifRule};
use super::{Case, Code, Finding, XapiRule, nic, storage};
use crate::inventory::{Managed, Nic, Xapi};
use crate::net::{Backend, BondMode, shown};
use crate::spec::{Spec, Use};
use crate::step::NetworkSettings;
use crate::xe::Pif;

pub(super) const XAPI_RULES: &[XapiRule] = &[
    needs_openvswitch,
    ha_enabled,
    redo_log_enabled,
    network_is_the_pools,
    network_ambiguous,
    properties_differ,
    management_elsewhere,
    settings_lost,
    gateway_not_proven,
];

pub(super) const NIC_RULES: &[NicRule] = &[
    in_other_bond,
    nic::port_of_another,
    nic::carries_another,
    vlans,
    functions,
    nic::mtu_too_large,
    nic::will_be_renamed,
    no_pif,
    nic::no_link,
    storage::boots_host,
];

pub(super) const PIF_RULES: &[PifRule] = &[
    nic::mac_mismatch,
    unmanaged,
    is_management,
    in_managed_bond,
    tunnels,
    has_ip,
    has_ipv6,
    default_route,
    mtu_by_pif,
    mtu_pending,
    is_clustered,
    nic::pif_unreadable,
];

/// Whether what lies on the NIC comes along: on the first of a bond's, by which XAPI goes.
fn comes_along(one: &One<'_>) -> bool {
    one.leads
}

fn in_other_bond(one: &One<'_>, found: &mut Vec<Finding>) {
    if !one.stands {
        nic::in_other_bond(one, found);
    }
}

fn in_managed_bond(one: &One<'_>, pif: &Pif, found: &mut Vec<Finding>) {
    if !one.stands {
        nic::in_managed_bond(one, pif, found);
    }
}

/// XAPI takes no IPv6 configuration along, in no release (tests/ground/managed.md, B2).
fn has_ipv6(one: &One<'_>, pif: &Pif, found: &mut Vec<Finding>) {
    let mode = pif.ip.get("IPv6-configuration-mode").unwrap_or("none").to_ascii_lowercase();
    if comes_along(one) && mode != "none" && mode != "autoconf" {
        let said = format!(
            "the PIF of {} has the IPv6 configuration mode {mode}, which a bond of XAPI's does not take over",
            one.name
        );
        let hint = format!("xe pif-reconfigure-ipv6 uuid={} mode=none", pif.uuid);
        found.push(Finding::new(Code::NicHasIp, said).hint(hint));
    }
}

fn vlans(one: &One<'_>, found: &mut Vec<Finding>) {
    if !comes_along(one) {
        nic::has_vlans(one, found);
    }
}

fn functions(one: &One<'_>, found: &mut Vec<Finding>) {
    if !comes_along(one) {
        nic::has_functions(one, found);
    }
}

fn tunnels(one: &One<'_>, pif: &Pif, found: &mut Vec<Finding>) {
    if !comes_along(one) {
        nic::has_tunnels(one, pif, found);
    }
}

fn no_pif(one: &One<'_>, found: &mut Vec<Finding>) {
    if one.nic.pif.is_none() && one.xapi.odd_of(one.name).is_none() {
        let said = format!("XAPI has no PIF of {}", one.name);
        found.push(Finding::new(Code::NicNotManaged, said).hint(introduce(one)));
    }
}

fn unmanaged(one: &One<'_>, pif: &Pif, found: &mut Vec<Finding>) {
    if !pif.is_managed() {
        let said = format!("the PIF of {} is one that XAPI leaves alone", one.name);
        let hint = format!("xe pif-forget uuid={}; {}", pif.uuid, introduce(one));
        found.push(Finding::new(Code::NicNotManaged, said).hint(hint));
    }
}

fn introduce(one: &One<'_>) -> String {
    let host = one.inv.host_uuid().map(|uuid| uuid.to_string()).unwrap_or_default();
    format!("xe pif-introduce host-uuid={host} device={} mac={}", one.name, one.nic.mac)
}

fn is_management(one: &One<'_>, pif: &Pif, found: &mut Vec<Finding>) {
    if one.managed_for != Some(Use::Management) {
        nic::is_management(one, pif, found);
    }
}

/// An address that is neither what is asked for nor what xenbond gave the NIC.
fn has_ip(one: &One<'_>, pif: &Pif, found: &mut Vec<Finding>) {
    let asked = pif.ip.address().is_some() && pif.ip.address() == one.address;
    if !asked && !one.ours && !comes_along(one) {
        nic::has_ip(one, pif, found);
    }
}

/// The host's default route by the NIC, now or by what its PIF says: XAPI gives it to the PIF that
/// says so, else to that of management (tests/ground/managed.md, H2).
fn default_route(one: &One<'_>, pif: &Pif, found: &mut Vec<Finding>) {
    if one.carries_management(pif) || one.managed_for != Some(Use::Storage) {
        return;
    }
    const KEY: &str = "defaultroute";
    let uuid = &pif.uuid;
    if pif.other_config.get(KEY).is_some_and(|word| word == "true") {
        let said = format!(
            "the PIF of {} has other-config:{KEY}=true: the host's default route would go through it",
            one.name
        );
        let hint =
            format!("xe pif-param-remove uuid={uuid} param-name=other-config param-key={KEY}");
        found.push(Finding::new(Code::DefaultRouteByBond, said).hint(hint));
    }
    let mut default = one.inv.kernel.routes.iter().filter(|route| route.to.prefix == 0);
    if default.any(|route| one.carries(&route.device)) {
        let said = format!("the host's default route leads through {}", one.name);
        let hint =
            format!("give management its gateway; xe pif-reconfigure-ip uuid={uuid} mode=none");
        found.push(Finding::new(Code::DefaultRouteByBond, said).hint(hint));
    }
}

/// A PIF's own MTU, which beats that of its network (tests/ground/managed.md, H3).
fn mtu_by_pif(one: &One<'_>, pif: &Pif, found: &mut Vec<Finding>) {
    let (Some(own), Some(asked)) = (pif.other_config.get("mtu"), one.mtu) else { return };
    if *own != asked.to_string() {
        let said = format!(
            "the PIF of {} has other-config:mtu={}, which beats the MTU of its network, {asked}",
            one.name,
            own.escape_debug()
        );
        let hint =
            format!("xe pif-param-remove uuid={} param-name=other-config param-key=mtu", pif.uuid);
        found.push(Finding::new(Code::PifSetsMtu, said).hint(hint));
    }
}

/// An MTU that is asked for and that the NIC has already is its network's from then on.
fn mtu_pending(one: &One<'_>, pif: &Pif, found: &mut Vec<Finding>) {
    if one.mtu.is_none() || one.mtu != one.device.mtu {
        nic::mtu_pending(one, pif, found);
    }
}

/// A cluster that would lose its address.
fn is_clustered(one: &One<'_>, pif: &Pif, found: &mut Vec<Finding>) {
    if pif.ip.address() != one.address {
        storage::is_clustered(one, found);
    }
}

fn needs_openvswitch(case: &Case<'_>, _: &Xapi, found: &mut Vec<Finding>) {
    let (spec, bridge) = (case.spec, case.inv.running_backend() == Some(Backend::Bridge));
    let what = match (spec.mode, spec.nics.len()) {
        (_, 0 | 1) => return,
        (BondMode::Ieee8023ad, _) => "LACP".to_string(),
        (_, 3..) => format!("a bond of {} NICs", spec.nics.len()),
        _ => return,
    };
    if bridge {
        let said =
            format!("XAPI makes {what} on Open vSwitch alone, and the running backend is bridge");
        found.push(Finding::new(Code::ModeNeedsOpenvswitch, said));
    }
}

/// Whether a plugged PIF is to be changed in what XAPI then keeps as it is
/// (tests/ground/managed.md, A4).
fn changes_what_is_protected(case: &Case<'_>) -> bool {
    let of = |pif: &Pif| {
        let address = pif.ip.address() != case.spec.address || pif.ip.get("gateway").is_some();
        let management = case.spec.nics.len() > 1 && pif.management;
        pif.attached && (management || (case.spec.is_storage_nic() && (address || case.removes)))
    };
    case.found().any(|nic| nic.pif.as_ref().is_some_and(of))
}

fn ha_enabled(case: &Case<'_>, xapi: &Xapi, found: &mut Vec<Finding>) {
    if xapi.pool.as_ref().is_some_and(|pool| pool.ha_enabled) && changes_what_is_protected(case) {
        let said = "high availability is on in this pool: XAPI then changes no address of a PIF";
        found.push(Finding::new(Code::HaEnabled, said));
    }
}

fn redo_log_enabled(case: &Case<'_>, _: &Xapi, found: &mut Vec<Finding>) {
    if case.inv.ground.redo_log && changes_what_is_protected(case) {
        let said = "the pool's redo log is on: XAPI then changes no address of a PIF";
        found.push(Finding::new(Code::RedoLogEnabled, said));
    }
}

/// A network is the whole pool's, and so are its MTU and its routes.
fn network_is_the_pools(case: &Case<'_>, xapi: &Xapi, found: &mut Vec<Finding>) {
    let Spec { mtu, routes, .. } = case.spec;
    if xapi.hosts.len() < 2 || case.removes || !case.spec.is_storage_nic() {
        return;
    }
    for nic in case.found() {
        let network = nic.pif.as_ref().map(|pif| &pif.network);
        let Some(network) = xapi.networks.iter().find(|n| Some(&n.uuid) == network) else {
            continue;
        };
        let routes = NetworkSettings::routes_of(routes);
        let what = match (mtu.is_some() && network.mtu != *mtu, routes.is_some()) {
            (true, false) => "its MTU counts",
            (true, true) => "its MTU and its routes count",
            (false, true) if network.static_routes != routes => "its routes count",
            _ => continue,
        };
        let said = format!(
            "the network of {} is the pool's: {what} on each host, when its NIC is plugged next",
            nic.device
        );
        found.push(Finding::new(Code::NetworkIsThePools, said));
    }
}

/// The bond of XAPI's that is made of these NICs, where it stands.
pub(super) fn standing(case: &Case<'_>) -> Option<Managed> {
    let nics: Vec<Nic> = case.found().cloned().collect();
    Managed::of(&nics, case.inv)
}

/// Whether the bond is to be made, and not only looked at.
fn is_new(case: &Case<'_>) -> bool {
    case.spec.xapi_bond().is_some() && !case.removes && standing(case).is_none()
}

fn network_ambiguous(case: &Case<'_>, xapi: &Xapi, found: &mut Vec<Finding>) {
    let Some((_, name)) = case.spec.xapi_bond().filter(|_| is_new(case)) else { return };
    let all = xapi.free_networks(name);
    if all.len() > 1 {
        let uuids: Vec<String> = all.iter().map(|n| n.uuid.to_string()).collect();
        let name = shown(name.as_str());
        let said = format!("{} networks are called {name}: {}", all.len(), uuids.join(", "));
        found.push(Finding::new(Code::NetworkAmbiguous, said));
    }
}

fn properties_differ(case: &Case<'_>, _: &Xapi, found: &mut Vec<Finding>) {
    if !is_new(case) {
        return;
    }
    let all: Vec<_> = case.found().filter_map(|nic| Some((nic, nic.pif.as_ref()?))).collect();
    if all.windows(2).any(|pair| pair[0].1.properties != pair[1].1.properties) {
        let of = |(nic, pif): &(&Nic, &Pif)| {
            let pairs = pif.properties.iter().map(|(key, value)| format!("{key}={value}"));
            let pairs: Vec<String> = pairs.collect();
            format!("{} {}", nic.device, shown(&pairs.join(" ")))
        };
        let said: Vec<String> = all.iter().map(of).collect();
        let said = format!("the properties of the PIFs differ: {}", said.join(", "));
        found.push(Finding::new(Code::PifPropertiesDiffer, said));
    }
}

/// Whether it is to carry the management and does not stand.
fn is_to_manage(case: &Case<'_>) -> bool {
    case.spec.managed().is_some_and(|managed| managed.purpose == Use::Management) && is_new(case)
}

fn management_elsewhere(case: &Case<'_>, xapi: &Xapi, found: &mut Vec<Finding>) {
    let Some((asked, _)) = case.spec.xapi_bond().filter(|_| !case.removes) else { return };
    let stands = standing(case).is_some_and(|bond| bond.pif.management);
    let mut nics = case.found().filter_map(|nic| nic.pif.as_ref());
    let carries = stands || nics.any(|pif| pif.management);
    match asked.purpose {
        Use::Management if !carries => {
            let on = xapi.pifs.iter().find(|pif| pif.management);
            let on = on.map_or("none of the NICs", |pif| pif.device.as_str());
            let said = format!("the management of this host is on {}", shown(on));
            found.push(Finding::new(Code::ManagementElsewhere, said));
        }
        Use::Storage | Use::Network if stands => {
            let bond = &case.spec.bond;
            let said = format!("{bond} carries the management of this host: use = management");
            found.push(Finding::new(Code::NicIsManagement, said));
        }
        _ => {}
    }
}

/// MTU and routes are those of the network (tests/ground/managed.md, B2).
fn settings_lost(case: &Case<'_>, xapi: &Xapi, found: &mut Vec<Finding>) {
    let Some((_, name)) = case.spec.xapi_bond().filter(|_| is_to_manage(case)) else { return };
    let mut pifs = case.found().filter_map(|nic| nic.pif.as_ref());
    let Some(pif) = pifs.find(|pif| pif.management) else { return };
    let Some(old) = xapi.networks.iter().find(|n| n.uuid == pif.network) else { return };
    let new = xapi.free_networks(name).into_iter().next();
    let mtu = case.spec.mtu.or(new.map_or(Some(1500), |network| network.mtu));
    let routes = NetworkSettings::routes_of(&case.spec.routes);
    let routes = routes.or(new.and_then(|network| network.static_routes.clone()));
    let mut lost = Vec::new();
    lost.extend(old.mtu.filter(|_| old.mtu != mtu).map(|mtu| format!("the MTU {mtu}")));
    let text = old.static_routes.as_ref().filter(|_| old.static_routes != routes);
    lost.extend(text.map(|text| format!("the routes {}", shown(text))));
    if !lost.is_empty() {
        let said = format!(
            "the management network has {}, which the network {} is not to have",
            lost.join(" and "),
            shown(name.as_str())
        );
        found.push(Finding::new(Code::NetworkSettingsLost, said));
    }
}

/// Whichever link comes up first carries the traffic, whatever the primary is
/// (tests/ground/managed.md, C1): each must lead to the gateway.
fn gateway_not_proven(case: &Case<'_>, _: &Xapi, found: &mut Vec<Finding>) {
    let Some(asked) = case.inv.wire.gateways.as_ref().filter(|_| is_to_manage(case)) else {
        return;
    };
    for nic in case.found().filter(|nic| nic.pif.as_ref().is_some_and(|pif| !pif.management)) {
        let device = &nic.device;
        let said = match asked.iter().find(|one| one.nic == *device) {
            Some(one) if one.answers => continue,
            Some(one) => format!("the gateway {} does not answer through {device}", one.gateway),
            None => format!(
                "the gateway could not be asked for through {device}: it has no link or is not plugged, or this host has no default route"
            ),
        };
        let uuid = nic.pif.as_ref().map(|pif| pif.uuid.to_string()).unwrap_or_default();
        let hint = format!(
            "is its switch port on the management VLAN? xe pif-plug uuid={uuid}, then the same command again"
        );
        found.push(Finding::new(Code::GatewayNotProven, said).hint(hint));
    }
}

/// What the toolstack is to be restarted for, where it is: that is ordered by name.
#[must_use]
pub fn restarts(bond: Option<&str>) -> Option<Finding> {
    let bond = bond?;
    let said = format!(
        "XAPI has {bond} plugged and this host has it not: a restart of the toolstack plugs it; XAPI does not answer for a minute then, VMs run on"
    );
    Some(Finding::new(Code::ToolstackRestart, said))
}

/// Whether nobody brings the management back that `moves`, since no confirmation is asked for.
#[must_use]
pub fn unguarded(moves: bool, confirm_within: Option<u64>) -> Option<Finding> {
    let said = "the management interface moves, and with --confirm-within 0 nobody brings it back where this host is cut off";
    (moves && confirm_within == Some(0)).then(|| Finding::new(Code::NoDeadMansSwitch, said))
}
