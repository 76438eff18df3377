//! The storage that is reached from this host: what it is, and which server it comes from.

use std::fmt;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use super::Inventory;

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
            Self::Repository { name } => {
                write!(f, "storage repository \"{}\"", name.escape_debug())
            }
        }
    }
}

/// Every server that storage comes from: mounts and sessions of the kernel, and repositories that
/// XAPI says are attached.
pub(crate) fn servers(inv: &Inventory) -> Vec<StoragePath> {
    let mut all = Vec::new();
    for pbd in inv.xapi.iter().flat_map(|x| &x.pbds) {
        let used = StorageUse::Repository { name: pbd.sr_name.clone() };
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
