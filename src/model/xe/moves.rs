//! What XAPI moves when a bond is made or destroyed: VLANs, tunnels and machines' interfaces
//! (tests/ground/managed.md, B4 and U1).

use std::collections::BTreeSet;

use crate::model::programs::networkd;
use crate::model::state::{Map, Pif, State, Vlan};

/// Notes that a PIF is plugged, with the MTU that is then read from its bridge
/// (tests/ground/xapi.md, B4).
pub(super) fn attached(state: &mut State, key: &str) {
    let mtu = state.pool.pifs.get(key).map_or(1500, |pif| networkd::mtu_of(state, pif));
    state.pool.pifs.entry(key.to_string()).and_modify(|pif| {
        pif.currently_attached = true;
        pif.mtu = mtu;
    });
}

/// Moves everything that lies on these PIFs to another one.
pub(super) fn all(state: &mut State, from: &BTreeSet<String>, to: &str) {
    let network = |state: &State, key: &str| {
        state.pool.pifs.get(key).map(|pif| pif.network.clone()).unwrap_or_default()
    };
    for key in from {
        vlans(state, key, to);
        for tunnel in state.pool.tunnels.values_mut().filter(|t| t.transport == *key) {
            tunnel.transport = to.to_string();
        }
    }
    for key in from {
        machines(state, &network(state, key), &network(state, to), to);
    }
    networkd::plug_machines(state);
}

/// New records on the same networks; of two with one tag the second's machines go to the first's.
fn vlans(state: &mut State, from: &str, to: &str) {
    let of = |v: &Vlan, key: &str| v.untagged == key;
    let on: Vec<(String, Vlan)> = state
        .pool
        .vlans
        .iter()
        .filter(|(_, v)| of(v, from))
        .map(|(key, v)| (key.clone(), v.clone()))
        .collect();
    for (key, old) in on {
        state.pool.vlans.remove(&key);
        let Some(pif) = state.pool.pifs.remove(&old.tagged) else { continue };
        let Some(base) = state.pool.pifs.get(to).cloned() else { continue };
        let above = format!("{}/{}.{}", base.host, base.device, old.tag);
        if let Some(there) = state.pool.pifs.get(&above) {
            let other = there.network.clone();
            machines(state, &pif.network, &other, to);
            continue;
        }
        let (uuid, vlan) = (state.new_uuid(), state.new_uuid());
        let attached = pif.currently_attached;
        let new = Pif { uuid, device: base.device.clone(), currently_attached: false, ..pif };
        state.pool.pifs.insert(above.clone(), new);
        let vlan =
            Vlan { uuid: vlan, tagged: above.clone(), untagged: to.to_string(), tag: old.tag };
        state.pool.vlans.insert(above.clone(), vlan);
        let mine = base.host == state.dom0.me;
        if attached && (!mine || networkd::bring_up(state, &above, &Map::new()).is_ok()) {
            state.pool.pifs.entry(above).and_modify(|pif| pif.currently_attached = true);
        }
    }
}

/// Moves the interfaces of machines that run on the PIF's host, or that can run on no other.
fn machines(state: &mut State, from: &str, to: &str, pif: &str) {
    let Some(host) = state.pool.pifs.get(pif).map(|pif| pif.host.clone()) else { return };
    let pool = &mut state.pool;
    let bonded = |key: &String| pool.bonds.values().any(|b| b.slaves.contains(key));
    let elsewhere =
        pool.pifs.iter().any(|(key, p)| p.host != host && p.network == from && !bonded(key));
    for vif in pool.vifs.values_mut().filter(|vif| vif.network == from) {
        let on = pool.vms.get(&vif.vm).and_then(|vm| vm.resident_on.as_ref());
        if on.map_or(!elsewhere, |on| *on == host) {
            vif.network = to.to_string();
        }
    }
}
