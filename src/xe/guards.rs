//! What may bar a change besides the PIFs themselves: high availability, managed bonds,
//! clustering, and storage that is attached.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::record::Record;
use super::{List, Listed};
use crate::host::{Host, Status};
use crate::net::Uuid;
use crate::order;

/// The pool itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    /// Its master.
    pub master: Option<Uuid>,
    /// Whether high availability is on: unplug and forget are then refused
    /// (tests/ground/xapi.md, B1).
    pub ha_enabled: bool,
}

/// A bond that XAPI manages, on any host of the pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bond {
    /// XAPI's uuid.
    pub uuid: Uuid,
    /// The PIF that stands for it; null where the host is gone.
    pub master: Option<Uuid>,
    /// How many PIFs are in it.
    pub slaves: usize,
    /// `balance-slb`, `active-backup` or `lacp`; none where XAPI is too old to say (5.6).
    pub mode: Option<String>,
    /// `hashing_algorithm`, `lacp-time` and the like, where it has any (6.1).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<String, String>,
}

/// This host's part in a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterHost {
    /// XAPI's uuid.
    pub uuid: Uuid,
    /// The PIF that the cluster talks through.
    pub pif: Option<Uuid>,
}

/// A storage repository that is attached to this host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pbd {
    /// XAPI's uuid.
    pub uuid: Uuid,
    /// The repository's name.
    pub sr_name: String,
    /// The servers that it names by address. Nothing else of `device-config` is kept: there are
    /// passwords in it.
    pub servers: BTreeSet<Ipv4Addr>,
}

/// The pool. `xe pool-list` has no field for the redo log (xapi `records.ml`, all releases): that
/// one is seen in the host's static VDIs.
///
/// # Errors
/// As of every reader of this module's parent.
pub fn pool(host: &Host) -> Result<Option<Pool>> {
    let params = ["uuid", "master", "ha-enabled"];
    let pools = List::of("pool", &params).read(host, |record| {
        Ok(Pool { master: record.reference("master")?, ha_enabled: record.bool("ha-enabled")? })
    })?;
    Ok(pools.whole()?.into_iter().next())
}

/// All managed bonds of the pool.
///
/// # Errors
/// As of every reader of this module's parent.
pub fn bonds(host: &Host) -> Result<Listed<Bond>> {
    let params = ["uuid", "master", "slaves", "mode", "properties"];
    List::of("bond", &params).maybe(&["mode", "properties"]).read(host, |record| {
        let slaves = record.text("slaves");
        Ok(Bond {
            uuid: record.uuid()?,
            // A dangling reference is printed as `<invalid reference>`.
            master: record.text("master").parse().ok(),
            slaves: slaves.split("; ").filter(|s| !s.is_empty()).count(),
            mode: record.get("mode").map(String::from),
            properties: record.map("properties"),
        })
    })
}

/// What of this host takes part in a cluster now.
///
/// # Errors
/// As of every reader of this module's parent. That the command is refused is none: releases
/// before 7.5 do not know it, and no exit code tells that from any other refusal
/// (tests/ground/xapi.md, B0); the other lists, asked at the same time, tell whether XAPI answers.
pub fn cluster_hosts(host: &Host, of: &Uuid) -> Result<Vec<ClusterHost>> {
    let params = ["uuid", "PIF", "enabled"];
    let list = List::of("cluster-host", &params).only(format!("host={of}"));
    let (output, found) = list.answer(host, |record| {
        let pif = record.text("PIF").parse().ok();
        Ok(record.bool("enabled")?.then_some(ClusterHost { uuid: record.uuid()?, pif }))
    })?;
    if matches!(output.status, Status::Exited(code) if code != 0) {
        return Ok(Vec::new());
    }
    output.check(&list.command())?;
    Ok(found?.whole()?.into_iter().flatten().collect())
}

/// Keys of `device-config` that name servers (sm drivers NFSSR, LVMoISCSISR, ISOSR, SMBSR).
const SERVER_KEYS: [&str; 5] = ["server", "target", "multihomelist", "location", "serverpath"];

/// The storage that is attached to this host.
///
/// # Errors
/// As of every reader of this module's parent.
pub fn pbds(host: &Host, of: &Uuid) -> Result<Listed<Pbd>> {
    let params = ["uuid", "sr-name-label", "device-config"];
    let list = List::of("pbd", &params).only(format!("host-uuid={of}"));
    list.only("currently-attached=true".into()).read(host, |record| {
        let config = record.map("device-config");
        let named = config.iter().filter(|(key, _)| SERVER_KEYS.contains(&key.as_str()));
        let mut servers = BTreeSet::new();
        servers.extend(named.flat_map(|(_, value)| addresses_in(value)));
        Ok(Pbd { uuid: record.uuid()?, sr_name: record.text("sr-name-label"), servers })
    })
}

/// Which machines of the pool have a disk by which of these connections of this host to storage:
/// only a disk names both (tests/ground/xapi.md, A7).
///
/// # Errors
/// As of every reader of this module's parent.
pub fn disks(
    host: &Host,
    of: &Uuid,
    pbds: &BTreeSet<Uuid>,
) -> Result<BTreeMap<Uuid, BTreeSet<Uuid>>> {
    let plugged = "currently-attached=true";
    // What is going away, and a drive without a disk, have no uuid there.
    let pair = |record: &Record, one: &str, other: &str| {
        let field = |name| record.get(name)?.parse::<Uuid>().ok();
        field(one).zip(field(other))
    };
    let list = List::of("vbd", &["uuid", "vm-uuid", "vdi-uuid"]).only(plugged.into());
    let drives = list.read(host, |record| Ok(pair(record, "vdi-uuid", "vm-uuid")))?;
    let drives: Vec<(Uuid, Uuid)> = drives.all.into_iter().flatten().collect();
    let list = List::of("pbd", &["uuid", "sr-uuid"]).only(format!("host-uuid={of}"));
    let list = list.only(plugged.into());
    let repositories = list.read(host, |record| {
        Ok(record.get("sr-uuid").and_then(|sr| sr.parse().ok()).map(|sr| (record.uuid(), sr)))
    })?;
    let mut found = BTreeMap::new();
    for (pbd, repository) in repositories.all.into_iter().flatten() {
        let (pbd, repository): (Uuid, Uuid) = (pbd?, repository);
        if !pbds.contains(&pbd) {
            continue;
        }
        let list = List::of("vdi", &["uuid"]).only(format!("sr-uuid={repository}"));
        let disks: BTreeSet<Uuid> = order::set(list.read(host, |record| record.uuid())?.all);
        let on = drives.iter().filter(|(disk, _)| disks.contains(disk));
        found.insert(pbd, order::set(on.map(|(_, vm)| vm.clone())));
    }
    Ok(found)
}

/// The IPv4 addresses in a text such as `172.16.51.2:/export` or `10.0.0.1:3260,10.0.0.2:3260`.
fn addresses_in(text: &str) -> impl Iterator<Item = Ipv4Addr> {
    text.split(|c: char| !c.is_ascii_digit() && c != '.').filter_map(|word| word.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_addresses_in_what_names_a_server() {
        for (text, want) in [
            ("172.16.51.2", &["172.16.51.2"][..]),
            ("172.16.51.2:/export/vm", &["172.16.51.2"]),
            ("10.0.0.1:3260,10.0.0.2:3260", &["10.0.0.1", "10.0.0.2"]),
            ("//10.0.0.9/isos", &["10.0.0.9"]),
            ("filer.example.org", &[]),
            ("/dev/disk/by-id/scsi-36001405a0b1c2d3e-part3", &[]),
            ("", &[]),
        ] {
            let found: Vec<String> = addresses_in(text).map(|a| a.to_string()).collect();
            assert_eq!(found, want, "{text}");
        }
    }
}
