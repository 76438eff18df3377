//! Storage that this host uses now: through which NIC, and whether a NIC is its own kind of it.

use super::one::{NicRule, One};
use super::{Code, Finding};
use crate::inventory::storage::servers;
use crate::inventory::{Inventory, StoragePath, StorageUse};

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

/// What of the storage that is in use now goes through devices that are to go down, a bond or VLANs
/// of it, or through what lies on them.
#[must_use]
pub fn interrupted(down: &[&str], inv: &Inventory) -> Vec<Finding> {
    let carries = |device: &str, by: &str| by == device || inv.kernel.above(device).contains(&by);
    let disks_error = inv.xapi.as_ref().and_then(|xapi| xapi.disks_error.as_ref());
    let one = |StoragePath { used, server }: StoragePath| {
        let by = inv.kernel.device_towards(server)?;
        // The bond goes after its VLANs, and with all of them.
        let device = down.iter().rev().find(|device| carries(device, by))?;
        let mut said = format!("{used} is reached at {server} through {device}");
        if let (StorageUse::Repository { .. }, Some(why)) = (&used, disks_error) {
            said.push_str(&format!("; which VMs have disks on it is unknown: {why}"));
        }
        Some(Finding::new(Code::BondCarriesStorage, said))
    };
    servers(inv).into_iter().filter_map(one).collect()
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

pub(super) fn boots_host(one: &One<'_>, found: &mut Vec<Finding>) {
    let (device, mac) = (one.name, one.nic.mac);
    if one.inv.ground.boot_nics.contains(&mac) {
        let said = format!("the firmware boots this host from iSCSI through {device} ({mac})");
        found.push(Finding::new(Code::NicBootsHost, said));
    }
}

pub(super) fn is_clustered(one: &One<'_>, found: &mut Vec<Finding>) {
    let Some(pif) = &one.nic.pif else { return };
    let mut clusters = one.xapi.cluster_hosts.iter();
    let Some(cluster) = clusters.find(|c| c.pif.as_ref() == Some(&pif.uuid)) else { return };
    let said = format!("the pool's cluster talks through {}", one.name);
    let hint = format!("choose another NIC, or: xe cluster-host-disable uuid={}", cluster.uuid);
    found.push(Finding::new(Code::NicClustered, said).hint(hint));
}
