//! The storage that is reached from this host: what it is, which server it comes from, and which
//! machines have disks on it.

use std::collections::BTreeSet;
use std::fmt;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use super::Inventory;
use crate::host::Host;
use crate::net::Uuid;
use crate::order;
use crate::xe;

/// A server that this host has storage from now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoragePath {
    /// What comes from it.
    #[serde(flatten)]
    pub used: StorageUse,
    /// The server.
    pub server: Ipv4Addr,
}

/// A use of storage that comes over the network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum StorageUse {
    /// A mounted file system.
    Mount {
        /// What is mounted, as `/proc/mounts` has it.
        source: String,
        /// The type of the file system.
        filesystem: String,
    },
    /// A connection of an iSCSI session.
    Iscsi {
        /// Its name in the kernel.
        connection: String,
    },
    /// A repository that XAPI says is attached.
    Repository {
        /// Its name.
        name: String,
        /// Machines that run here and have a disk on it, as far as that was asked.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        machines: Vec<String>,
    },
}

impl fmt::Display for StorageUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mount { source, filesystem } => {
                let (source, filesystem) = (source.escape_debug(), filesystem.escape_debug());
                write!(f, "the {filesystem} mount of {source}")
            }
            Self::Iscsi { connection } => write!(f, "iSCSI {}", connection.escape_debug()),
            Self::Repository { name, machines } => {
                write!(f, "storage repository \"{}\"", name.escape_debug())?;
                if machines.is_empty() {
                    return Ok(());
                }
                let quoted = |name: &String| format!("\"{}\"", name.escape_debug());
                let all: Vec<String> = machines.iter().map(quoted).collect();
                write!(f, " (with disks of {})", all.join(", "))
            }
        }
    }
}

/// Every server that storage comes from: mounts and sessions of the kernel, and repositories that
/// XAPI says are attached.
pub(crate) fn servers(inv: &Inventory) -> Vec<StoragePath> {
    let mut all = Vec::new();
    for pbd in inv.xapi.iter().flat_map(|x| &x.pbds) {
        let used = StorageUse::Repository {
            name: pbd.sr_name.clone(),
            machines: machines(inv, &pbd.uuid),
        };
        let path = |server: &Ipv4Addr| StoragePath { used: used.clone(), server: *server };
        all.extend(pbd.servers.iter().map(path));
    }
    // A repository's own mount says the same once more.
    for path in &inv.ground.storage {
        if !all.iter().any(|other| other.server == path.server) {
            all.push(path.clone());
        }
    }
    all
}

/// The machines that run here and have a disk by a connection to storage.
fn machines(inv: &Inventory, pbd: &Uuid) -> Vec<String> {
    let Some(xapi) = &inv.xapi else { return Vec::new() };
    let Some(of) = xapi.disks.get(pbd) else { return Vec::new() };
    let here = xapi.vms.iter().filter(|vm| of.contains(&vm.uuid));
    here.map(|vm| vm.name_label.clone()).collect()
}

/// Asks which machines have disks on storage that lies on a bond which XAPI does not manage. On any
/// other host nobody needs to know: a pool may have thousands of disks.
pub(super) fn read_disks(host: &Host, inv: &mut Inventory) {
    let kernel = &inv.kernel;
    let ours = || {
        kernel
            .bonds
            .keys()
            .filter(|bond| kernel.devices.get(*bond).is_none_or(|device| device.master.is_none()))
    };
    let on_a_bond = |by: &str| ours().any(|bond| by == bond || kernel.above(bond).contains(&by));
    let Some(of) = inv.host_uuid() else { return };
    let Some(xapi) = inv.xapi.as_ref().filter(|xapi| !xapi.vms.is_empty()) else { return };
    let lies = |pbd: &&xe::Pbd| {
        let mut by = pbd.servers.iter().filter_map(|server| kernel.device_towards(*server));
        by.any(on_a_bond)
    };
    let pbds: BTreeSet<Uuid> =
        order::set(xapi.pbds.iter().filter(lies).map(|pbd| pbd.uuid.clone()));
    if pbds.is_empty() {
        return;
    }
    let read = xe::disks(host, &of, &pbds);
    if let Some(xapi) = &mut inv.xapi {
        match read {
            Ok(disks) => xapi.disks = disks,
            Err(error) => xapi.disks_error = Some(format!("{error:#}")),
        }
    }
}
