//! Storage that this host uses now: through which NIC, and whether a NIC is its own kind of it.

use super::{Code, Finding, Nic};
use crate::inventory::storage::servers;
use crate::inventory::{Inventory, Xapi};

/// What of it a NIC carries. `bridge` is that of its network: the address is there.
pub(super) fn on_nic(
    inv: &Inventory,
    xapi: &Xapi,
    nic: &Nic,
    bridge: Option<&str>,
    found: &mut Vec<Finding>,
) {
    let device = nic.device.as_str();
    for (what, server) in servers(inv) {
        let by = inv.kernel.device_towards(server);
        if by.is_some_and(|by| by == device || Some(by) == bridge) {
            found.push(Finding::new(
                Code::NicCarriesStorage,
                format!("{what} is reached at {server} through {device}"),
            ));
        }
    }
    // FCoE lies on a NIC or on a VLAN device of it, such as `eth2.100-fcoe`.
    let carries = |over: &String| over.split('.').next() == Some(device);
    if inv.ground.fcoe.iter().any(carries) {
        found.push(
            Finding::new(Code::NicHasFcoe, format!("FCoE runs over {device}, or is to")).hint(
                format!("move the storage, and set FCOE_ENABLE=no in /etc/fcoe/cfg-{device}"),
            ),
        );
    }
    if inv.ground.boot_nics.contains(&nic.mac) {
        found.push(Finding::new(
            Code::NicBootsHost,
            format!("the firmware boots this host from iSCSI through {device} ({})", nic.mac),
        ));
    }
    let cluster = xapi
        .cluster_hosts
        .iter()
        .find(|c| c.pif.is_some() && c.pif.as_ref() == nic.pif.as_ref().map(|p| &p.uuid));
    if let Some(cluster) = cluster {
        found.push(
            Finding::new(Code::NicClustered, format!("the pool's cluster talks through {device}"))
                .hint(format!(
                    "choose another NIC, or: xe cluster-host-disable uuid={}",
                    cluster.uuid
                )),
        );
    }
}
