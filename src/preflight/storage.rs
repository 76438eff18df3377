//! Storage that this host uses now: through which NIC, and whether a NIC is its own kind of it.

use std::net::Ipv4Addr;

use super::{Code, Finding, Nic};
use crate::inventory::{Inventory, Xapi};

/// Every server that storage comes from, with what it is: mounts and sessions of the kernel, and
/// repositories that XAPI says are attached.
pub(crate) fn servers(inv: &Inventory) -> Vec<(String, Ipv4Addr)> {
    let mut all: Vec<(String, Ipv4Addr)> = Vec::new();
    for pbd in inv.xapi.iter().flat_map(|x| &x.pbds) {
        let what = format!("storage repository \"{}\"", pbd.sr_name.escape_debug());
        all.extend(pbd.servers.iter().map(|server| (what.clone(), *server)));
    }
    // A repository's own mount says the same once more.
    for path in &inv.ground.storage {
        if !all.iter().any(|(_, server)| *server == path.server) {
            all.push((path.what.escape_debug().to_string(), path.server));
        }
    }
    all
}

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
