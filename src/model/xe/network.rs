//! `xe network-*` and `vlan-*`: networks, and the VLANs that lie on PIFs.

use super::answer::{Answer, Args, Fault, Printed, find, misconfigured, refuse};
use super::host::reach;
use super::pif::assert_managed;
use crate::model::programs::shell::Shell;
use crate::model::programs::{modprobe, networkd};
use crate::model::state::{Map, Network, Pif, State, Vlan};

/// The MAC address of a device that has none of its own.
const NO_MAC: &str = "fe:ff:ff:ff:ff:ff";

pub(super) fn create(shell: &mut Shell<'_>, args: &Args) -> Answer {
    let name_label = args.need("name-label")?.to_string();
    let state = &mut *shell.state;
    let free = |n: &u32| state.pool.networks.values().all(|net| net.bridge != format!("xapi{n}"));
    let bridge = args
        .get("bridge")
        .map_or_else(|| format!("xapi{}", (0..).find(free).unwrap_or_default()), str::to_string);
    let uuid = state.new_uuid();
    let new = Network {
        uuid: uuid.clone(),
        name_label,
        name_description: args.get("name-description").unwrap_or_default().to_string(),
        bridge,
        mtu: args.get("MTU").and_then(|mtu| mtu.parse().ok()).unwrap_or(1500),
        managed: true,
        other_config: Map::new(),
    };
    let key = if state.pool.networks.contains_key(&new.bridge) {
        uuid.clone()
    } else {
        new.bridge.clone()
    };
    state.pool.networks.insert(key, new);
    Ok(Printed::line(uuid))
}

/// A refusal that lists uuids: further ones have no label of their own.
fn in_use(sentence: &'static str, label: &'static str, uuids: Vec<String>) -> Fault {
    let labels = std::iter::once(label).chain(std::iter::repeat("<extra>"));
    Fault::Api(sentence, labels.zip(uuids).collect())
}

pub(super) fn destroy(shell: &mut Shell<'_>, args: &Args) -> Answer {
    let key = find(shell, "network", "network", args.need("uuid")?)?.key;
    let pool = &mut shell.state.pool;
    let pifs: Vec<String> =
        pool.pifs.values().filter(|p| p.network == key).map(|p| p.uuid.clone()).collect();
    if !pifs.is_empty() {
        let sentence = "The network contains active PIFs and cannot be deleted.";
        return Err(in_use(sentence, "pifs", pifs));
    }
    let plugged = pool.vifs.values().filter(|v| v.network == key && v.currently_attached);
    let vifs: Vec<String> = plugged.map(|v| v.uuid.clone()).collect();
    if !vifs.is_empty() {
        let sentence = "The network contains active VIFs and cannot be deleted.";
        return Err(in_use(sentence, "vifs", vifs));
    }
    pool.vifs.retain(|_, vif| vif.network != key);
    pool.networks.remove(&key);
    Ok(Printed::Nothing)
}

/// The PIF of this host that is on a network.
pub(super) fn connected(state: &State, host: &str, network: &str) -> Option<Fault> {
    let pif = state.pool.pifs.values().find(|p| p.host == host && p.network == network)?;
    let host = state.pool.hosts.get(host)?;
    // The second parameter is the network in XAPI's own list, and the host in what is raised.
    Some(Fault::Api(
        "You tried to create a PIF, but the network you tried to attach it to is already attached to some other PIF, and so the creation failed.",
        vec![
            ("network", format!("{} ({})", host.uuid, host.name_label)),
            ("connected PIF", pif.uuid.clone()),
        ],
    ))
}

/// A PIF that lies on another one.
pub(super) fn upper(uuid: &str, base: &Pif, network: &str) -> Pif {
    Pif {
        uuid: uuid.to_string(),
        mac: NO_MAC.to_string(),
        physical: false,
        managed: true,
        currently_attached: false,
        mtu: 1500,
        vlan: -1,
        management: false,
        network: network.to_string(),
        ip_configuration_mode: "None".to_string(),
        ip: String::new(),
        netmask: String::new(),
        gateway: String::new(),
        dns: String::new(),
        disallow_unplug: false,
        properties: Map::new(),
        other_config: Map::new(),
        sriov: None,
        ..base.clone()
    }
}

pub(super) fn create_vlan(shell: &mut Shell<'_>, args: &Args) -> Answer {
    let [pif, network, tag] = args.need_all(["pif-uuid", "network-uuid", "vlan"])?;
    let tag: i32 = tag.parse().map_err(|_| {
        Fault::Plain("Failed to parse parameter 'vlan': expecting an integer".into())
    })?;
    let key = find(shell, "pif", "PIF", pif)?.key;
    let network = find(shell, "network", "network", network)?.key;
    let base = shell.state.pool.pifs[&key].clone();
    reach(shell, &base.host)?;
    assert_managed(shell, &base)?;
    if let Some(fault) = connected(shell.state, &base.host, &network) {
        return Err(fault);
    }
    let params = modprobe::bonding_params(shell, None);
    let state = &mut *shell.state;
    let uuid = state.new_uuid();
    let above = format!("{}/{}.{tag}", base.host, base.device);
    state.pool.pifs.insert(above.clone(), Pif { vlan: tag, ..upper(&uuid, &base, &network) });
    let vlan = Vlan { uuid: state.new_uuid(), tagged: above.clone(), untagged: key, tag };
    state.pool.vlans.insert(above.clone(), vlan);
    // Where it fails, both records stay.
    if base.host == state.dom0.me {
        networkd::bring_up(state, &above, &params).map_err(|text| misconfigured(&uuid, text))?;
    }
    state.pool.pifs.entry(above).and_modify(|pif| pif.currently_attached = true);
    Ok(Printed::line(uuid))
}

pub(super) fn destroy_vlan(shell: &mut Shell<'_>, args: &Args) -> Answer {
    let key = find(shell, "vlan", "VLAN", args.need("uuid")?)?.key;
    let above = shell.state.pool.vlans[&key].tagged.clone();
    let Some(pif) = shell.state.pool.pifs.get(&above).cloned() else {
        shell.state.pool.vlans.remove(&key);
        return Ok(Printed::Nothing);
    };
    reach(shell, &pif.host)?;
    if pif.management {
        return Err(refuse(super::pif::MANAGEMENT, &pif.uuid));
    }
    if pif.host == shell.state.dom0.me && pif.currently_attached {
        networkd::bring_down(shell.state, &above);
    }
    shell.state.pool.pifs.remove(&above);
    shell.state.pool.vlans.remove(&key);
    Ok(Printed::Nothing)
}
