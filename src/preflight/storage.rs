//! Storage that this host uses now: through which NIC, and whether a NIC is its own kind of it.

use super::one::{NicRule, One};
use super::{Code, Finding};
use crate::inventory::storage::servers;
use crate::inventory::{Inventory, StoragePath};
use crate::net::IfName;

pub(super) const RULES: &[NicRule] = &[carries_storage, has_fcoe, boots_host, is_clustered];

/// Storage that is reached through the NIC, or the bridge of its network: the address is there.
fn carries_storage(one: &One<'_>, found: &mut Vec<Finding>) {
    for path in servers(one.inv) {
        let by = one.inv.kernel.device_towards(path.server);
        if by.is_some_and(|by| one.carries(by)) {
            let (used, server, device) = (path.used, path.server, one.name);
            let said = format!("{used} is reached at {server} through {device}");
            found.push(Finding::new(Code::NicCarriesStorage, said));
        }
    }
}

/// What of the storage that is in use now goes through a bond that is to be interrupted, or a VLAN of
/// it.
#[must_use]
pub fn interrupted(bond: &IfName, inv: &Inventory) -> Vec<Finding> {
    let above = inv.kernel.above(bond.as_str());
    let by = |path: &StoragePath| {
        let by = inv.kernel.device_towards(path.server);
        by.is_some_and(|by| by == bond.as_str() || above.contains(&by))
    };
    let carried = servers(inv).into_iter().filter(by);
    let one = |StoragePath { used, server }: StoragePath| {
        let said = format!("{used} is reached at {server} through {bond}");
        Finding::new(Code::BondCarriesStorage, said)
    };
    carried.map(one).collect()
}

/// FCoE lies on a NIC or on a VLAN device of it, such as `eth2.100-fcoe`.
fn has_fcoe(one: &One<'_>, found: &mut Vec<Finding>) {
    let device = one.name;
    if one.inv.ground.fcoe.iter().any(|over| over.split('.').next() == Some(device)) {
        found.push(
            Finding::new(Code::NicHasFcoe, format!("FCoE runs over {device}, or is to")).hint(
                format!("move the storage, and set FCOE_ENABLE=no in /etc/fcoe/cfg-{device}"),
            ),
        );
    }
}

fn boots_host(one: &One<'_>, found: &mut Vec<Finding>) {
    let (device, mac) = (one.name, one.nic.mac);
    if one.inv.ground.boot_nics.contains(&mac) {
        let said = format!("the firmware boots this host from iSCSI through {device} ({mac})");
        found.push(Finding::new(Code::NicBootsHost, said));
    }
}

fn is_clustered(one: &One<'_>, found: &mut Vec<Finding>) {
    let Some(pif) = &one.nic.pif else { return };
    let mut clusters = one.xapi.cluster_hosts.iter();
    let Some(cluster) = clusters.find(|c| c.pif.as_ref() == Some(&pif.uuid)) else { return };
    let said = format!("the pool's cluster talks through {}", one.name);
    let hint = format!("choose another NIC, or: xe cluster-host-disable uuid={}", cluster.uuid);
    found.push(Finding::new(Code::NicClustered, said).hint(hint));
}
