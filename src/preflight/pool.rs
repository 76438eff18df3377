//! The pool and the backend: what a switch, a reboot or a forget would run into.

use super::{Case, Code, Finding, Rule, XapiRule, counted, hides_its_mac, needs_reboot};
use crate::host::Program;
use crate::ifcfg;
use crate::inventory::{Inventory, Nic, Xapi};
use crate::net::{Backend, shown};
use crate::order;
use crate::paths;
use crate::spec::{BackendChoice, Request, is_called};
use crate::xe::{Pif, PoolHost};

/// Of the host's own files.
pub(super) const RULES: &[Rule] = &[rescan_rules_changed];

/// Of the same, for bonds of either kind.
pub(super) const ANY: &[Rule] = &[network_reset_pending];

/// The word that makes the switch script do the opposite of what is asked (tests/ground/xapi.md, D2
/// and D3).
const VSWITCH: &str = "vswitch";

pub(super) const XAPI_RULES: &[XapiRule] = &[
    backend_differs,
    backend_kept,
    management_becomes_slave,
    network_conf,
    no_bridge_backend,
    bonds_need_openvswitch,
    tunnels_need_openvswitch,
    pool_backends,
    vms_running,
    ha_enabled,
    redo_log_enabled,
    forget_does_not_last,
];

fn vms_running(case: &Case<'_>, _: &Xapi, found: &mut Vec<Finding>) {
    if needs_reboot(case.spec, case.inv) {
        found.extend(rebooted(case.inv));
    }
}

/// What a reboot of this host would end.
#[must_use]
pub fn rebooted(inv: &Inventory) -> Option<Finding> {
    let xapi = inv.xapi.as_ref().filter(|xapi| !xapi.vms.is_empty())?;
    let uuid = inv.host_uuid().map(|u| u.to_string()).unwrap_or_default();
    let vms: Vec<&str> = xapi.vms.iter().map(|vm| vm.name_label.as_str()).collect();
    Some(
        Finding::new(
            Code::VmsRunning,
            format!(
                "the host must be rebooted, and {} run here: {}",
                counted(vms.len(), "VM"),
                vms.join(", ").escape_debug()
            ),
        )
        .hint(format!("xe host-disable uuid={uuid}; xe host-evacuate uuid={uuid}")),
    )
}

/// What protects the pool bars unplug and forget (tests/ground/xapi.md, B1), and nothing where
/// XAPI has let go of the NICs already.
fn ha_enabled(case: &Case<'_>, xapi: &Xapi, found: &mut Vec<Finding>) {
    if case.takes_nics() && xapi.pool.as_ref().is_some_and(|pool| pool.ha_enabled) {
        found.push(Finding::new(
            Code::HaEnabled,
            "high availability is on in this pool: XAPI then neither unplugs nor forgets a PIF",
        ));
    }
}

fn redo_log_enabled(case: &Case<'_>, _: &Xapi, found: &mut Vec<Finding>) {
    if case.takes_nics() && case.inv.ground.redo_log {
        found.push(Finding::new(
            Code::RedoLogEnabled,
            "the pool's redo log is on: XAPI then neither unplugs nor forgets a PIF",
        ));
    }
}

fn forget_does_not_last(case: &Case<'_>, xapi: &Xapi, found: &mut Vec<Finding>) {
    if case.takes_nics() && !xapi.keeps(case.spec.pif) {
        found.push(Finding::new(
            Code::ForgetDoesNotLast,
            "the NICs' PIFs are forgotten and not kept as unmanaged: a rescan of the host's NICs takes them back, and the next boot then plugs them",
        ));
    }
    let hidden = |nic: &&Nic| nic.pif.is_none() && hides_its_mac(&nic.device, nic.mac, case.inv);
    for nic in case.found().filter(|nic| case.adopts && hidden(nic)) {
        let said = format!(
            "XAPI has no record of {}, and may not know it while it is a slave: a rescan of the host's NICs would take it back",
            nic.device
        );
        let hint = format!(
            "run xenbond verify from cron; or, while {0} is out of the bond: xe pif-introduce host-uuid={1} device={0} mac={2} managed=false",
            nic.device,
            case.inv.host_uuid().map(|uuid| uuid.to_string()).unwrap_or_default(),
            nic.mac
        );
        found.push(Finding::new(Code::ForgetDoesNotLast, said).hint(hint));
    }
}

fn backend_differs(case: &Case<'_>, _: &Xapi, found: &mut Vec<Finding>) {
    let running = case.inv.running_backend();
    let said = case.inv.network_conf.as_ref().filter(|next| next.word() != VSWITCH);
    let (Some(running), Some(said), Some(next)) = (running, said, case.inv.next_backend()) else {
        return;
    };
    if running != next || *said != next {
        let taken = if *said == next { "" } else { ", which is taken for openvswitch" };
        let file = paths::NETWORK_CONF;
        found.push(Finding::new(
            Code::BackendDiffers,
            format!("the running backend is {running}, and {file} says {said}{taken}"),
        ));
    }
}

fn backend_kept(case: &Case<'_>, _: &Xapi, found: &mut Vec<Finding>) {
    if case.spec.backend != BackendChoice::Keep {
        return;
    }
    if let Some(running) = case.inv.running_backend().filter(|b| *b != Backend::Bridge) {
        found.push(Finding::new(
            Code::BackendKept,
            format!("the running backend is {running}; XenServer's bonding driver needs the bridge module, which {running} keeps out"),
        ));
    }
}

/// What Open vSwitch keeps from coming up at a boot: somebody's bond that has the NIC of the
/// management. With the bridge backend it cuts this host off.
fn management_becomes_slave(case: &Case<'_>, xapi: &Xapi, found: &mut Vec<Finding>) {
    let running = case.inv.running_backend();
    if case.spec.backend == BackendChoice::Keep || running.is_none_or(|b| b == Backend::Bridge) {
        return;
    }
    let carries = |pif: &&Pif| pif.management && pif.vlan == -1;
    for one in xapi.pifs.iter().filter(carries) {
        let members = xapi.pifs.iter().filter(|pif| pif.is_slave_of(one));
        for nic in members.chain([one]) {
            let path = paths::ifcfg(&nic.device);
            let Some(bytes) = case.inv.file(&path).bytes() else { continue };
            let file = ifcfg::parse(&String::from_utf8_lossy(bytes));
            let Some(master) = file.get("MASTER").filter(|_| file.get("ONBOOT") != Some("no"))
            else {
                continue;
            };
            let (nic, master) = (&nic.device, shown(master));
            let said = format!(
                "{path} makes {nic}, which carries the management, a slave of {master} once the backend is bridge"
            );
            found.push(Finding::new(Code::ManagementBecomesSlave, said));
        }
    }
}

fn network_conf(case: &Case<'_>, _: &Xapi, found: &mut Vec<Finding>) {
    if case.spec.backend == BackendChoice::Keep {
        return;
    }
    match &case.inv.network_conf {
        None => found.push(Finding::new(
            Code::NetworkConfMissing,
            format!("{} is missing", paths::NETWORK_CONF),
        )),
        Some(next) if next.word() == VSWITCH => found.push(Finding::new(
            Code::NetworkConfVswitch,
            format!("{} holds `vswitch`: asked for bridge, the switch script would set openvswitch and report success", paths::NETWORK_CONF),
        )),
        Some(_) => {}
    }
}

fn no_bridge_backend(case: &Case<'_>, _: &Xapi, found: &mut Vec<Finding>) {
    let usual = case.inv.network_conf.as_ref().is_some_and(|next| next.word() != VSWITCH);
    if case.spec.backend == BackendChoice::Bridge
        && usual
        && case.needs_switch()
        && let Some(why) = without_bridge(case.inv)
    {
        found.push(Finding::new(Code::NoBridgeBackend, why));
    }
}

/// Release 9 of either product has no bridge backend, whatever else it still carries
/// (tests/ground/xapi.md, D6).
const FIRST_WITHOUT_BRIDGE: u32 = 9;

/// The reason why this release cannot be switched to the bridge backend.
fn without_bridge(inv: &Inventory) -> Option<String> {
    if let Some(file) = &inv.ground.no_linux_bridge {
        return Some(format!("{file} says support-linux-bridge = false"));
    }
    let value = |key: &str| inv.xensource.as_ref()?.get(key).map(String::as_str);
    let version = value("PRODUCT_VERSION").unwrap_or_default();
    let major = version.split('.').next().and_then(crate::net::decimal);
    if major.is_some_and(|major| major >= FIRST_WITHOUT_BRIDGE) {
        let brand = value("PRODUCT_BRAND").unwrap_or("the product");
        return Some(format!("this is {brand} {}", version.escape_debug()));
    }
    let script = inv.programs.contains_key(&Program::XeSwitchNetworkBackend);
    (!script).then(|| "there is no xe-switch-network-backend on this host".into())
}

/// The managed bonds of this host that only Open vSwitch can do.
fn bonds_need_openvswitch(case: &Case<'_>, xapi: &Xapi, found: &mut Vec<Finding>) {
    if !case.needs_switch() {
        return;
    }
    for pif in &xapi.pifs {
        let Some(bond) = xapi.bonds.iter().find(|b| b.master.as_ref() == Some(&pif.uuid)) else {
            continue;
        };
        let what = match bond.mode.as_deref() {
            Some("lacp") => "speaks LACP".to_string(),
            _ if bond.slaves > 2 => format!("has {} NICs", bond.slaves),
            _ => continue,
        };
        found.push(
            Finding::new(
                Code::BondsNeedOpenvswitch,
                format!("the managed bond {} {what}, which the bridge backend cannot do", pif.device),
            )
            .hint(format!("xe bond-param-list uuid={}; make it one of two NICs without LACP, or leave this host on Open vSwitch", bond.uuid)),
        );
    }
}

/// The tunnels of this host. Each host has PIFs of its own for a private network, so those of other
/// hosts say nothing about this one: their own plan will.
fn tunnels_need_openvswitch(case: &Case<'_>, xapi: &Xapi, found: &mut Vec<Finding>) {
    let tunnels: Vec<&str> = xapi
        .pifs
        .iter()
        .filter(|pif| pif.relations.contains_key("tunnel-access-PIF-of"))
        .filter_map(|pif| xapi.bridge_of(pif))
        .collect();
    if case.needs_switch() && !tunnels.is_empty() {
        found.push(Finding::new(
            Code::TunnelsNeedOpenvswitch,
            format!(
                "{} of this host run through tunnels ({}), which the bridge backend cannot do",
                counted(tunnels.len(), "private network"),
                tunnels.join(", ")
            ),
        ));
    }
}

/// Finds how far the rest of the pool is.
fn pool_backends(case: &Case<'_>, xapi: &Xapi, found: &mut Vec<Finding>) {
    let on = |bridge: bool| -> Vec<&str> {
        let mut names: Vec<&str> = xapi
            .hosts
            .iter()
            .filter(|h| (h.backend == Backend::Bridge) == bridge)
            .map(|h| h.name_label.as_str())
            .collect();
        order::sort(&mut names);
        names
    };
    let (there, left) = (on(true), on(false));
    let me = case.inv.host_uuid();
    if xapi.hosts.iter().all(|h| Some(&h.uuid) == me.as_ref() || h.backend == Backend::Bridge) {
        return;
    }
    let list = |names: &[&str]| match names {
        [] => String::new(),
        names => format!(" ({})", names.join(", ").escape_debug()),
    };
    found.push(Finding::new(
        Code::PoolBackends,
        format!(
            "{} of {} hosts of the pool run the bridge backend{}; still on another{}",
            there.len(),
            xapi.hosts.len(),
            list(&there),
            list(&left)
        ),
    ));
}

/// Whether the spec and the pool know the same hosts. It bars nothing: what is asked of this host
/// is whole, and a pool may have hosts without storage of their own, or a spec may serve two.
pub(super) fn spec_hosts(
    request: &Request,
    inv: &Inventory,
    xapi: &Xapi,
    found: &mut Vec<Finding>,
) {
    let Some(addresses) = request.addresses() else { return };
    let mine = inv.names();
    let pool: Vec<(&PoolHost, Vec<String>)> =
        xapi.hosts.iter().map(|host| (host, xapi.names(host))).collect();
    for (name, address) in &addresses {
        if !pool.iter().any(|(_, names)| is_called(name, names)) && !is_called(name, &mine) {
            let labels: Vec<&str> = pool.iter().map(|(host, _)| host.name_label.as_str()).collect();
            found.push(Finding::new(
                Code::HostUnknown,
                format!(
                    "[addresses] gives {address} to {name}, and no host of this pool goes by that name; it has {}",
                    labels.join(", ").escape_debug()
                ),
            ));
        }
    }
    let me = inv.host_uuid();
    for (host, names) in pool.iter().filter(|(host, _)| Some(&host.uuid) != me.as_ref()) {
        if !addresses.keys().any(|name| is_called(name, names)) {
            found.push(Finding::new(
                Code::HostWithoutAddress,
                format!(
                    "{} is of this pool too, and [addresses] has no address for it",
                    host.name_label.escape_debug()
                ),
            ));
        }
    }
}

/// What XAPI's next start would do to the NICs.
fn network_reset_pending(case: &Case<'_>, found: &mut Vec<Finding>) {
    if case.inv.ground.network_reset {
        found.push(
            Finding::new(
                Code::NetworkResetPending,
                format!("{} is there: at its next start XAPI sets up the network anew and takes every NIC", paths::NETWORK_RESET),
            )
            .hint(format!("xe-toolstack-restart and look again, or: rm {}", paths::NETWORK_RESET)),
        );
    }
}

/// What a rescan would do to the NICs.
fn rescan_rules_changed(case: &Case<'_>, found: &mut Vec<Finding>) {
    let Some(program) = &case.inv.ground.rescan_rules else { return };
    let nics: Vec<&str> = case.found().map(|nic| nic.device.as_str()).collect();
    found.push(
        Finding::new(
            Code::RescanRulesChanged,
            format!(
                "a rescan asks {} which NICs to leave alone, and not XAPI's own program",
                program.escape_debug()
            ),
        )
        .hint(format!("does it name {}?", nics.join(" or "))),
    );
}
