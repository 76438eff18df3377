//! The storage that is reached from this host: which server each path goes to.

use std::net::Ipv4Addr;

use super::Inventory;

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
