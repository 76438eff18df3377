//! The checks of an 802.3ad bond: a partner, one aggregator, ports in use, no churn. Pure.

use super::{Check, Setting};
use crate::bonding::{Aggregator, BondStatus, SlaveStatus};
use crate::inventory::Nic;

/// Synchronization, Collecting and Distributing in a port state (IEEE 802.1AX, LACPDU).
const CARRIES: u32 = 0b0011_1000;

pub(super) fn rows(nics: &[Nic], status: &BondStatus) -> Vec<Check> {
    let mut checks = vec![partner(status), aggregator(nics, status), ports(nics, status)];
    checks.extend(churn(nics, status));
    checks.into_iter().map(Check::settling).collect()
}

fn active(status: &BondStatus) -> Option<&Aggregator> {
    status.lacp.as_ref().and_then(|lacp| lacp.active_aggregator.as_ref())
}

fn partner(status: &BondStatus) -> Check {
    let want = "a partner";
    let (have, hint) = match active(status) {
        None => (None, "the driver shows no active aggregator"),
        Some(active) if active.has_partner() == Some(true) => (Some(want.to_string()), ""),
        Some(active) => (
            Some(format!(
                "none: its MAC reads {}",
                active.partner_mac.as_deref().unwrap_or("nothing")
            )),
            "the switch sends no LACPDU: make its ports an LACP group (active or passive), not a static one",
        ),
    };
    Check::new(Setting::LacpPartner, want, have).because(hint)
}

fn aggregator(nics: &[Nic], status: &BondStatus) -> Check {
    let ids: Vec<Option<u32>> = nics
        .iter()
        .map(|n| status.slave(n.device.as_str()).and_then(|s| s.aggregator_id))
        .collect();
    let want = format!("{} ports in one aggregator, the active one", nics.len());
    let shown = |id: &Option<u32>| id.map_or("?".into(), |id| id.to_string());
    let Some(active) = active(status) else {
        return Check::new(Setting::LacpAggregator, want, None)
            .because("the driver shows no active aggregator");
    };
    let together = ids.iter().all(|id| id.is_some() && *id == active.id);
    let ports = active.ports.is_none_or(|ports| usize::try_from(ports) == Ok(nics.len()));
    let have = if together && ports {
        want.clone()
    } else {
        let each = nics.iter().zip(&ids);
        let each: Vec<String> =
            each.map(|(n, id)| format!("{} in {}", n.device, shown(id))).collect();
        let count = active.ports.map(|p| format!(" with {p} ports")).unwrap_or_default();
        format!("{}, active is {}{count}", each.join(", "), shown(&active.id))
    };
    Check::new(Setting::LacpAggregator, want, Some(have)).because(
        "the switch has the ports in different groups, or with different keys or speeds, or does not speak LACP on all",
    )
}

/// Whether both ends of a port use it. The driver shows it only to who may administer the network,
/// and kernels before 4.2 nobody: aggregator and partner must do there.
fn carries(slave: &SlaveStatus) -> bool {
    let states =
        [&slave.actor, &slave.partner].into_iter().flatten().filter_map(|pdu| pdu.port_state);
    states.into_iter().all(|state| state & CARRIES == CARRIES)
}

fn ports(nics: &[Nic], status: &BondStatus) -> Check {
    let idle: Vec<&str> = nics
        .iter()
        .map(|n| n.device.as_str())
        .filter(|device| !status.slave(device).is_some_and(carries))
        .collect();
    let want = "all collecting and distributing";
    let have = if idle.is_empty() { want.into() } else { format!("not {}", idle.join(", ")) };
    Check::new(Setting::LacpPorts, want, Some(have))
        .because("the partner has not agreed on the port: is its LACP group complete?")
}

/// From kernel 4.2. A port whose two ends have not agreed within 60 s is churned; `monitoring` is
/// what every port says until then.
fn churn(nics: &[Nic], status: &BondStatus) -> Option<Check> {
    let mut churned = Vec::new();
    let mut known = false;
    for slave in nics.iter().filter_map(|n| status.slave(n.device.as_str())) {
        for (end, state) in
            [("actor", &slave.actor_churn_state), ("partner", &slave.partner_churn_state)]
        {
            known |= state.is_some();
            if state.as_deref() == Some("churned") {
                churned.push(format!("{} {end}", slave.name));
            }
        }
    }
    let have = if churned.is_empty() { "none".into() } else { churned.join(", ") };
    known.then(|| {
        Check::new(Setting::LacpChurn, "none", Some(have)).because(
            "that end of the port does not come to agree: compare keys and speeds of the group",
        )
    })
}
