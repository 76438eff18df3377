//! The record of a PIF, by release (tests/ground/xapi.md, A5).

use super::{GONE, NIL, Record, Row};
use crate::model::state::{Dom0, Flavour, Pif, Pool, Release, State};

/// What lies on a PIF and what it lies in: bonds as master and slave, VLANs as tagged and as
/// base, tunnels as end and carrier.
struct Relations {
    bond_master: String,
    bond_slave: String,
    vlan_master: String,
    vlan_slave: String,
    access: String,
    transport: String,
}

fn relations(pool: &Pool, key: &str) -> Relations {
    fn list<'a, T: 'a>(
        all: impl Iterator<Item = &'a T>,
        fits: impl Fn(&T) -> bool,
        uuid: impl Fn(&T) -> String,
    ) -> String {
        all.filter(|one| fits(one)).map(uuid).collect::<Vec<_>>().join("; ")
    }
    let (bonds, vlans) = (|| pool.bonds.values(), || pool.vlans.values());
    let one = |text: String| if text.is_empty() { NIL.to_string() } else { text };
    let tunnels = || pool.tunnels.values();
    Relations {
        bond_master: list(bonds(), |b| b.master == key, |b| b.uuid.clone()),
        bond_slave: one(list(bonds(), |b| b.slaves.contains(key), |b| b.uuid.clone())),
        vlan_master: one(list(vlans(), |v| v.tagged == key, |v| v.uuid.clone())),
        vlan_slave: list(vlans(), |v| v.untagged == key, |v| v.uuid.clone()),
        access: list(tunnels(), |t| t.access == key, |t| t.uuid.clone()),
        transport: list(tunnels(), |t| t.transport == key, |t| t.uuid.clone()),
    }
}

pub(super) fn pif(state: &State, key: &str, pif: &Pif) -> Record {
    let dom0 = &state.dom0;
    let release = state.release();
    let (managed, new) = (dom0.features.xe_managed, dom0.flavour == Flavour::El7);
    let of = relations(&state.pool, key);
    let mut row = Row::new(state, &pif.uuid);
    row.ro("device", &pif.device);
    row.ro("MAC", &pif.mac);
    row.ro("physical", pif.physical);
    if managed {
        row.ro("managed", pif.managed);
    }
    row.ro("currently-attached", pif.currently_attached);
    row.ro("MTU", pif.mtu);
    row.ro("VLAN", pif.vlan);
    if release >= Release::V24_39 {
        row.ro("vlan-master-of", of.vlan_master);
        row.ro("vlan-slave-of", of.vlan_slave);
    }
    row.ro("bond-master-of", of.bond_master);
    row.ro("bond-slave-of", of.bond_slave);
    if new {
        row.ro("sriov-physical-PIF-of", pif.sriov.as_deref().unwrap_or_default());
        row.noted("sriov-logical-PIF-of", " RO", "");
    }
    row.ro("tunnel-access-PIF-of", of.access);
    row.ro("tunnel-transport-PIF-of", of.transport);
    row.ro("management", pif.management);
    let net = state.pool.networks.get(&pif.network);
    let host = state.pool.hosts.get(&pif.host);
    row.ro("network-uuid", net.map_or(GONE, |n| n.uuid.as_str()));
    row.ro("network-name-label", net.map_or(GONE, |n| n.name_label.as_str()));
    row.ro("host-uuid", host.map_or(GONE, |h| h.uuid.as_str()));
    row.ro("host-name-label", host.map_or(GONE, |h| h.name_label.as_str()));
    row.ro("IP-configuration-mode", &pif.ip_configuration_mode);
    row.ro("IP", &pif.ip);
    row.ro("netmask", &pif.netmask);
    row.ro("gateway", &pif.gateway);
    row.noted("IPv6-configuration-mode", " RO", "None");
    row.noted("IPv6", " RO", "");
    row.noted("IPv6-gateway", " RO", "");
    row.noted("primary-address-type", " RO", "IPv4");
    row.ro("DNS", &pif.dns);
    if managed {
        row.map("properties", false, &pif.properties);
    }
    if new {
        row.noted("capabilities", "SRO", "");
    }
    metrics(&mut row, dom0, pif);
    row.map("other-config", true, &pif.other_config);
    if new {
        let snoops = pif.currently_attached && pif.vlan < 0;
        row.noted("igmp-snooping-status", " RO", if snoops { "disabled" } else { "unknown" });
    }
    row.done(key)
}

/// What is read from the device, and `disallow-unplug` between.
fn metrics(row: &mut Row<'_>, dom0: &Dom0, pif: &Pif) {
    // What is known of another host's links is what its own XAPI last said: all good.
    let mine = pif.host == dom0.me;
    let nic = dom0.nics.get(&pif.device).filter(|_| mine);
    let carrier = if mine { dom0.carrier(&pif.device) } else { true };
    let speed = if carrier { nic.map_or(10_000, |n| n.speed) } else { 0 };
    row.expensive("io_read_kbs");
    row.expensive("io_write_kbs");
    row.noted("carrier", " RO", carrier);
    row.noted("vendor-id", " RO", "8086");
    row.noted("vendor-name", " RO", "Intel Corporation");
    row.noted("device-id", " RO", "10fb");
    row.noted("device-name", " RO", "82599ES 10-Gigabit SFI/SFP+ Network Connection");
    row.noted("speed", " RO", format!("{speed} Mbit/s"));
    row.noted("duplex", " RO", if carrier { "full" } else { "unknown" });
    row.rw("disallow-unplug", pif.disallow_unplug);
    row.noted("pci-bus-path", " RO", nic.map_or("0000:03:00.0", |n| n.pci.as_str()));
}
