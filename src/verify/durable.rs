//! Whether what XAPI and networkd know of a bond's NICs is on disk: what is not, a power cut undoes.
//! Pure. What cannot be looked at is unknown, and no fault.

use std::collections::BTreeSet;
use std::fmt;

use super::{Check, Setting};
use crate::inventory::{Managed, Networkd, Row, Stores};
use crate::net::{IfName, Uuid, shown};
use crate::order;
use crate::paths;
use crate::xe::{Network, Pif, STATIC_ROUTES};

/// Something that a power cut would undo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unsaved {
    /// XAPI's file has another record of the NIC.
    Record(IfName),
    /// XAPI's file still has a record of the NIC that is gone.
    Forgotten(IfName),
    /// networkd's file still has the NIC in this bridge.
    InBridge(IfName, String),
    /// networkd's file does not have the NIC in its bridge yet.
    NotInBridge(IfName),
    /// networkd's file has other addresses on this bridge of the NIC's.
    Addresses(IfName, String),
    /// XAPI's file has another record of the NIC's network.
    Network(IfName),
    /// XAPI's file has other networks of this name.
    Networks(String),
    /// XAPI does not say what it has.
    Unlisted,
}

impl Unsaved {
    /// What to type about it.
    #[must_use]
    pub const fn command(&self) -> &'static str {
        match self {
            Self::Record(_) | Self::Forgotten(_) | Self::Network(_) | Self::Networks(_) => {
                "xe pool-sync-database"
            }
            Self::InBridge(..) | Self::NotInBridge(_) | Self::Addresses(..) => "xenbond verify",
            Self::Unlisted => "xe pif-list",
        }
    }

    /// Whether XAPI can be asked to write it.
    #[must_use]
    pub const fn is_of_xapi(&self) -> bool {
        matches!(self, Self::Record(_) | Self::Forgotten(_) | Self::Network(_) | Self::Networks(_))
    }
}

impl fmt::Display for Unsaved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record(nic) => {
                write!(f, "the PIF of {nic} is not in XAPI's database on disk as it is now")
            }
            Self::Forgotten(nic) => {
                write!(f, "XAPI's database on disk has a PIF of {nic} that is gone")
            }
            Self::InBridge(nic, bridge) => {
                write!(f, "{} has {nic} in {bridge}", paths::NETWORKD_DB)
            }
            Self::Addresses(nic, bridge) => {
                write!(
                    f,
                    "{} has other addresses on {bridge}, the bridge of {nic}",
                    paths::NETWORKD_DB
                )
            }
            Self::Network(nic) => {
                write!(f, "the network of {nic} is not in XAPI's database on disk as it is now")
            }
            Self::Networks(name) => write!(
                f,
                "XAPI's database on disk has not the networks called {} as they are now",
                shown(name)
            ),
            Self::Unlisted => f.write_str("XAPI does not answer, so that nothing tells"),
            Self::NotInBridge(nic) => {
                write!(f, "{} does not have {nic} in its bridge", paths::NETWORKD_DB)
            }
        }
    }
}

/// What is not on disk of these NICs. `pifs` is what XAPI lists of this host; `None`: it was not
/// asked or does not answer, and then only its managed records on disk are known to be wrong.
/// `networks`: those whose settings count.
#[must_use]
pub fn unsaved(
    stores: &Stores,
    host: &Uuid,
    nics: &[IfName],
    pifs: Option<&[Pif]>,
    networks: &[Network],
) -> Vec<Unsaved> {
    let mut found = Vec::new();
    for nic in nics {
        let of_bond = |p: &Pif| p.vlan == -1 && !p.bond_master_of.is_empty();
        let is_it = |p: &&Pif| (p.is_nic() || of_bond(p)) && p.device == nic.as_str();
        let listed = pifs.and_then(|all| all.iter().find(is_it));
        if let (Some(database), Some(_)) = (&stores.database, pifs) {
            let rows = database.of(host, nic.as_str());
            let is = |row: &&Row, pif: &Pif| row.get("uuid") == Some(&pif.uuid.to_string());
            if let Some(pif) = listed
                && !rows.iter().any(|row| is(row, pif) && says(row, pif))
            {
                found.push(Unsaved::Record(nic.clone()));
            } else if rows.iter().any(|row| !listed.is_some_and(|pif| is(row, pif))) {
                found.push(Unsaved::Forgotten(nic.clone()));
            }
        }
        if let Some((bond, all)) = listed.filter(|pif| of_bond(pif)).zip(pifs) {
            let network = networks.iter().find(|network| network.uuid == bond.network);
            bond_on_disk(stores, nic, bond, all, network, &mut found);
            continue;
        }
        // Its bond's bridge has it.
        if listed.is_some_and(|pif| pif.bond_slave_of.is_some()) {
            continue;
        }
        let plugged = listed.is_some_and(|pif| pif.is_managed() && pif.attached);
        match (&stores.networkd, stores.networkd.bridge_of(nic.as_str())) {
            (Networkd::Bridges(_), Some(bridge)) if pifs.is_some() && !plugged => {
                found.push(Unsaved::InBridge(nic.clone(), bridge.to_string()));
            }
            // One of a bond's, which it is in no longer.
            (Networkd::Bridges(all), Some(bridge))
                if plugged && all.get(bridge).is_some_and(|b| b.nics.len() > 1) =>
            {
                found.push(Unsaved::InBridge(nic.clone(), bridge.to_string()));
            }
            (Networkd::Bridges(_), None) if plugged => {
                found.push(Unsaved::NotInBridge(nic.clone()))
            }
            (Networkd::Bridges(_), Some(bridge)) if plugged => {
                let asked = listed.filter(|pif| pif.ip_mode() != "dhcp");
                let has = stores.networkd.addresses_of(bridge).zip(asked);
                if has.is_some_and(|(has, pif)| !has.iter().eq(pif.ip.address().iter())) {
                    found.push(Unsaved::Addresses(nic.clone(), bridge.to_string()));
                }
            }
            _ => {}
        }
        let network = listed.and_then(|pif| networks.iter().find(|n| n.uuid == pif.network));
        let row = network.and_then(|n| Some((n, stores.database.as_ref()?.network(&n.uuid)?)));
        if row.is_some_and(|(network, row)| !has_settings(row, network)) {
            found.push(Unsaved::Network(nic.clone()));
        }
    }
    found
}

/// What is not on disk of a bond of XAPI's: its NICs and its address on the bridge of its network.
fn bond_on_disk(
    stores: &Stores,
    name: &IfName,
    bond: &Pif,
    pifs: &[Pif],
    network: Option<&Network>,
    found: &mut Vec<Unsaved>,
) {
    let (Networkd::Bridges(bridges), Some(network)) = (&stores.networkd, network) else { return };
    let slaves = pifs.iter().filter(|pif| pif.is_slave_of(bond));
    let nics: BTreeSet<String> = order::set(slaves.map(|pif| pif.device.clone()));
    let bridge = network.bridge.as_str();
    if bridges.get(bridge).is_none_or(|have| have.nics != nics) {
        found.push(Unsaved::NotInBridge(name.clone()));
    } else if bond.ip_mode() != "dhcp" {
        let has = stores.networkd.addresses_of(bridge);
        if has.is_some_and(|has| !has.iter().eq(bond.ip.address().iter())) {
            found.push(Unsaved::Addresses(name.clone(), bridge.to_string()));
        }
    }
    let row = stores.database.as_ref().and_then(|all| all.network(&network.uuid));
    if row.is_some_and(|row| !has_settings(row, network)) {
        found.push(Unsaved::Network(name.clone()));
    }
}

/// Whether the networks of a name are not on disk as XAPI has them.
#[must_use]
pub fn unsaved_networks(stores: &Stores, name: &str, listed: &[Uuid]) -> Option<Unsaved> {
    let listed: BTreeSet<String> = order::set(listed.iter().map(ToString::to_string));
    let differ = stores.database.as_ref()?.networks_called(name) != listed;
    differ.then(|| Unsaved::Networks(name.to_string()))
}

/// Whether a row on disk has what XAPI says of a network.
fn has_settings(row: &Row, network: &Network) -> bool {
    let mtu = network.mtu.map(|mtu| mtu.to_string());
    let text = row.get("other_config").unwrap_or_default();
    let routes = match &network.static_routes {
        Some(routes) => text.contains(&format!("('{STATIC_ROUTES}' '{routes}')")),
        None => !text.contains(&format!("('{STATIC_ROUTES}' ")),
    };
    routes && mtu.is_none_or(|mtu| row.get("MTU").is_none_or(|have| have == mtu))
}

/// Whether a row on disk has what XAPI says of a PIF; a field that the release has not is as good.
fn says(row: &Row, pif: &Pif) -> bool {
    let ip = |name: &str| pif.ip.get(name).unwrap_or_default();
    let words = [
        ("managed", pif.is_managed().to_string()),
        ("disallow_unplug", pif.disallow_unplug.to_string()),
        ("ip_configuration_mode", ip("IP-configuration-mode").to_string()),
        ("netmask", ip("netmask").to_string()),
        ("gateway", ip("gateway").to_string()),
        ("IP", ip("IP").to_string()),
    ];
    let dhcp = pif.ip_mode() == "dhcp";
    let same = |(field, want): &(&str, String)| {
        let given = dhcp && ["netmask", "gateway", "IP"].contains(field);
        given || row.get(field).is_none_or(|have| have.eq_ignore_ascii_case(want))
    };
    let maps = [("other_config", &pif.other_config), ("properties", &pif.properties)];
    let has = |text: &str, key: &str, value: &str| {
        let odd = |word: &str| word.contains(['\'', '\\']);
        odd(key) || odd(value) || text.contains(&format!("('{key}' '{value}')"))
    };
    words.iter().all(same)
        && maps.iter().all(|(field, map)| {
            row.get(field).is_none_or(|text| map.iter().all(|(k, v)| has(text, k, v)))
        })
}

/// What of a bond of XAPI's is not on disk: its record, and its bridge with these NICs as networkd
/// makes it at its start.
fn bond_unsaved(stores: &Stores, host: &Uuid, bond: &Managed) -> Option<String> {
    let rows = stores.database.as_ref().map(|all| all.of(host, bond.device.as_str()));
    let uuid = bond.pif.uuid.to_string();
    let is = |row: &&Row| row.get("uuid") == Some(&uuid) && says(row, &bond.pif);
    if rows.is_some_and(|rows| !rows.iter().any(is)) {
        return Some(format!(
            "the PIF of {} is not in XAPI's database on disk as it is now",
            bond.device
        ));
    }
    let Networkd::Bridges(bridges) = &stores.networkd else { return None };
    let nics: BTreeSet<String> = order::set(bond.slaves.iter().map(|pif| pif.device.clone()));
    let bridge = bond.bridge()?;
    match bridges.get(bridge) {
        Some(have) if have.nics == nics => None,
        _ => Some(format!("{} does not have {} in {bridge}", paths::NETWORKD_DB, bond.device)),
    }
}

/// The row of a bond of XAPI's.
pub(super) fn of_bond(stores: &Stores, host: Option<&Uuid>, bond: &Managed) -> Check {
    let found = host.and_then(|host| bond_unsaved(stores, host, bond));
    let known = host.is_some() && stores.database.is_some();
    let have = match found {
        Some(what) => Some(format!("no: {what}")),
        None => known.then(|| "yes".to_string()),
    };
    row(
        have,
        "XAPI and networkd write what they know every 300 s; until then a power cut brings the former network back",
    )
}

/// The row; what cannot be looked at is no fault.
fn row(have: Option<String>, hint: &str) -> Check {
    let unknown = have.is_none();
    let row = Check::new(Setting::SurvivesPowerCut, "yes", have).because(hint);
    if unknown { Check { ok: true, hint: None, ..row } } else { row }
}

/// The row of a verification.
pub(super) fn check(
    stores: &Stores,
    host: Option<&Uuid>,
    nics: &[IfName],
    pifs: Option<&[Pif]>,
    networks: &[Network],
) -> Check {
    let found = host.map(|host| unsaved(stores, host, nics, pifs, networks)).unwrap_or_default();
    let known = host.is_some() && pifs.is_some() && stores.database.is_some();
    let have = match found.first() {
        Some(first) => Some(format!("no: {first}")),
        None => known.then(|| "yes".to_string()),
    };
    row(
        have,
        "XAPI and networkd write what they know every 300 s; until then a power cut brings the NICs back under XAPI",
    )
}
