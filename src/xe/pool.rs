//! The pool as a whole: its hosts, its networks, its VMs and their interfaces.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::pif::exact_map;
use super::{LIMIT, List, Listed};
use crate::host::Host;
use crate::net::{Backend, Uuid};
use crate::order;

/// A host of the pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolHost {
    /// XAPI's uuid; that of this host is `INSTALLATION_UUID` of its inventory file.
    pub uuid: Uuid,
    /// What an administrator calls it; neither unique nor the hostname.
    pub name_label: String,
    /// Its hostname.
    pub hostname: String,
    /// The backend that was running when its XAPI started; a host too old to say is on `bridge`
    /// (tests/ground/xapi.md, D5).
    pub backend: Backend,
    /// Product and version, for people.
    pub product: String,
}

/// A network and its bridge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// XAPI's uuid.
    pub uuid: Uuid,
    /// Its bridge.
    pub bridge: String,
    /// The MTU that its NICs are to have when they are next plugged.
    #[serde(default)]
    pub mtu: Option<u32>,
    /// What people call it, where that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether nothing of any host lies on it, where that was asked for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unused: bool,
    /// Its `static-routes`, where they were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub static_routes: Option<String>,
}

/// A virtual interface of a VM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vif {
    /// XAPI's uuid.
    pub uuid: Uuid,
    /// Its VM.
    pub vm: Uuid,
    /// Its network.
    pub network: Uuid,
    /// Whether it is plugged.
    pub attached: bool,
}

/// A VM; no dom0, template or snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vm {
    /// XAPI's uuid.
    pub uuid: Uuid,
    /// What people call it.
    pub name_label: String,
    /// The host that it runs on, or is paused on.
    pub runs_on: Option<Uuid>,
}

/// All hosts of the pool.
///
/// # Errors
/// When XAPI does not answer, or not in its own form.
pub fn hosts(host: &Host) -> Result<Listed<PoolHost>> {
    let params = ["uuid", "name-label", "hostname", "software-version"];
    List::of("host", &params).maybe(&["hostname"]).read(host, |record| {
        let version = record.map("software-version");
        let part = |key: &str| version.get(key).cloned().unwrap_or_default();
        Ok(PoolHost {
            uuid: record.uuid()?,
            name_label: record.text("name-label"),
            hostname: record.text("hostname"),
            backend: version
                .get("network_backend")
                .map_or(Backend::Bridge, |word| word.as_str().into()),
            product: format!("{} {}", part("product_brand"), part("product_version"))
                .trim()
                .to_string(),
        })
    })
}

/// All networks of the pool.
///
/// # Errors
/// As of [`hosts`].
pub fn networks(host: &Host) -> Result<Listed<Network>> {
    let params = ["uuid", "bridge", "MTU"];
    List::of("network", &params).maybe(&["MTU"]).read(host, |record| {
        Ok(Network {
            uuid: record.uuid()?,
            bridge: record.text("bridge"),
            mtu: record.get("MTU").and_then(|mtu| mtu.parse().ok()),
            name: None,
            unused: false,
            static_routes: None,
        })
    })
}

/// The `static-routes` of a network's `other-config`, which is read apart: people write there.
///
/// # Errors
/// As of [`hosts`], and when the map cannot be read exactly.
pub fn static_routes(host: &Host, of: &Uuid) -> Result<Option<String>> {
    let list = List::of("network", &["uuid", "other-config"]).only(format!("uuid={of}"));
    let texts = list.read(host, |record| Ok((record.uuid()?, record.text("other-config"))))?;
    let text = texts.whole()?.into_iter().find(|(uuid, _)| uuid == of).map(|(_, text)| text);
    let until = host.clock().elapsed() + LIMIT;
    let map = exact_map(host, ("network", of), "other-config", &text.unwrap_or_default(), until)?;
    Ok(map.get(STATIC_ROUTES).cloned())
}

/// The key of the routes behind a network (tests/ground/managed.md, H3).
pub const STATIC_ROUTES: &str = "static-routes";

/// What people call the pool's networks. Asked for apart from the rest: a name is a person's text.
///
/// # Errors
/// As of [`hosts`].
pub fn network_names(host: &Host) -> Result<BTreeMap<Uuid, String>> {
    let names = List::of("network", &["uuid", "name-label"])
        .read(host, |record| Ok((record.uuid()?, record.text("name-label"))))?;
    Ok(order::map(names.all))
}

/// The networks on which neither a PIF of any host nor a VIF lies.
///
/// # Errors
/// As of [`hosts`].
pub fn unused_networks(host: &Host) -> Result<Vec<Uuid>> {
    let params = ["uuid", "PIF-uuids", "VIF-uuids"];
    let all = List::of("network", &params).read(host, |record| {
        let empty = |field| record.get(field).is_some_and(str::is_empty);
        Ok((record.uuid()?, empty("PIF-uuids") && empty("VIF-uuids")))
    })?;
    Ok(all.whole()?.into_iter().filter(|(_, unused)| *unused).map(|(uuid, _)| uuid).collect())
}

/// All VIFs of the pool.
///
/// # Errors
/// As of [`hosts`].
pub fn vifs(host: &Host) -> Result<Listed<Vif>> {
    let params = ["uuid", "vm-uuid", "network-uuid", "currently-attached"];
    let vifs = List::of("vif", &params).read(host, |record| {
        // Those of a VM or network that is going away are nobody's.
        let field = |name| record.get(name)?.parse::<Uuid>().ok();
        let (Some(vm), Some(network)) = (field("vm-uuid"), field("network-uuid")) else {
            return Ok(None);
        };
        let attached = record.bool("currently-attached")?;
        Ok(Some(Vif { uuid: record.uuid()?, vm, network, attached }))
    })?;
    Ok(Listed { all: vifs.all.into_iter().flatten().collect(), odd: vifs.odd })
}

/// The VMs of the pool. The command itself leaves out templates, and with them snapshots.
///
/// # Errors
/// As of [`hosts`].
pub fn vms(host: &Host) -> Result<Listed<Vm>> {
    let params = ["uuid", "name-label", "power-state", "resident-on"];
    List::of("vm", &params).only("is-control-domain=false".into()).read(host, |record| {
        let up = matches!(record.get("power-state"), Some("running" | "paused"));
        let on = record.text("resident-on").parse().ok();
        Ok(Vm {
            uuid: record.uuid()?,
            name_label: record.text("name-label"),
            runs_on: on.filter(|_| up),
        })
    })
}
