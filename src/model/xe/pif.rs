//! `xe pif-*`: forget, introduce, plug, unplug, scan, reconfigure-ip, with every check and the
//! words of its refusal (facts/xapi.md sections B1 to B8), and the writable fields.

use super::answer::{Answer, Args, Fault, find};
use crate::model::programs::modprobe;
use crate::model::programs::networkd;
use crate::model::programs::shell::Shell;
use crate::model::state::{Map, Network, Pif, State};
use crate::net::{Ipv4Net, MacAddr};

/// Runs a command that works on PIFs; none when it is another's.
pub(super) fn command(shell: &mut Shell<'_>, name: &str, args: &Args) -> Option<Answer> {
    Some(match name {
        "pif-forget" => forget(shell, args),
        "pif-introduce" => introduce(shell, args),
        "pif-plug" => plug(shell, args),
        "pif-unplug" => unplug(shell, args),
        "pif-scan" => scan(shell, args),
        "pif-reconfigure-ip" => reconfigure(shell, args),
        "network-destroy" => destroy_network(shell, args),
        _ => return None,
    })
}

/// The map that `param-set`, `-add` and `-remove` work on.
pub(super) fn map_of<'a>(
    state: &'a mut State,
    class: &str,
    key: &str,
    field: &str,
) -> Option<&'a mut Map> {
    let pool = &mut state.pool;
    match (class, field) {
        ("pif", "other-config") => pool.pifs.get_mut(key).map(|p| &mut p.other_config),
        ("pif", "properties") if state.dom0.features.xe_managed => {
            pool.pifs.get_mut(key).map(|p| &mut p.properties)
        }
        ("network", "other-config") => pool.networks.get_mut(key).map(|n| &mut n.other_config),
        ("host", "other-config") => pool.hosts.get_mut(key).map(|h| &mut h.other_config),
        ("pool", "other-config") => Some(&mut pool.other_config),
        _ => None,
    }
}

/// `param-set FIELD=VALUE`.
pub(super) fn assign(
    state: &mut State,
    class: &str,
    key: &str,
    name: &str,
    value: &str,
) -> Result<(), Fault> {
    let pool = &mut state.pool;
    match (class, name) {
        ("pif", "disallow-unplug") => {
            let wrong = || {
                Fault::Plain(format!(
                    "Failed to parse parameter '{name}': expecting a boolean (true or false)"
                ))
            };
            let yes = value.parse::<bool>().map_err(|_| wrong())?;
            if let Some(pif) = pool.pifs.get_mut(key) {
                pif.disallow_unplug = yes;
            }
        }
        ("network", "MTU") => {
            let mtu = value
                .parse()
                .map_err(|_| Fault::Plain("Failed to parse parameter 'MTU'".to_string()))?;
            if let Some(network) = pool.networks.get_mut(key) {
                network.mtu = mtu;
            }
        }
        ("network", "name-label") => {
            if let Some(network) = pool.networks.get_mut(key) {
                network.name_label = value.to_string();
            }
        }
        ("network", "name-description") => {
            if let Some(network) = pool.networks.get_mut(key) {
                network.name_description = value.to_string();
            }
        }
        _ => return Err(Fault::Internal(format!("the model does not write {class} {name}"))),
    }
    Ok(())
}

/// The PIF of an argument `uuid`.
fn wanted(shell: &Shell<'_>, args: &Args) -> Result<(String, Pif), Fault> {
    let uuid = args.need("uuid")?;
    let record = find(shell, "pif", "PIF", uuid)?;
    let pif = shell.state.pool.pifs[&record.key].clone();
    let host = &shell.state.pool.hosts[&pif.host];
    if !host.live {
        let who = format!("{} ({})", host.uuid, host.name_label);
        return Err(Fault::Api(
            "You attempted an operation which involves a host which could not be contacted.",
            vec![("host", who)],
        ));
    }
    Ok((record.key, pif))
}

fn refuse(sentence: &'static str, pif: &Pif) -> Fault {
    Fault::Api(sentence, vec![("PIF", pif.uuid.clone())])
}

const MANAGEMENT: &str = "The operation you requested cannot be performed because the specified PIF is the management interface.";
const UNMANAGED: &str = "The operation you requested cannot be performed because the specified PIF is not managed by xapi.";

fn assert_unprotected(shell: &Shell<'_>, pif: &Pif) -> Result<(), Fault> {
    let pool = &shell.state.pool;
    if pif.currently_attached && pool.ha_enabled {
        return Err(Fault::Api(
            "The operation could not be performed because HA is enabled on the Pool",
            Vec::new(),
        ));
    }
    if pif.currently_attached && pool.redo_log_enabled {
        return Err(Fault::Api(
            "The operation could not be performed because a redo log is enabled on the Pool.",
            Vec::new(),
        ));
    }
    Ok(())
}

fn assert_managed(shell: &Shell<'_>, pif: &Pif) -> Result<(), Fault> {
    if shell.features().xe_managed && !pif.managed { Err(refuse(UNMANAGED, pif)) } else { Ok(()) }
}

fn forget(shell: &mut Shell<'_>, args: &Args) -> Answer {
    let (key, pif) = wanted(shell, args)?;
    let pool = &shell.state.pool;
    let slave_here = pool.master != pif.host && pif.currently_attached;
    if pif.management && (shell.features().xe_managed || slave_here) {
        return Err(refuse(MANAGEMENT, &pif));
    }
    if pool.bonds.values().any(|b| b.master == key || b.slaves.contains(&key)) {
        return Err(refuse("This operation cannot be performed because the pif is bonded.", &pif));
    }
    if pif.vlan >= 0 || pool.vlans.values().any(|v| v.untagged == key) {
        return Err(refuse(
            "Operation cannot proceed while a VLAN exists on this interface.",
            &pif,
        ));
    }
    if pool.tunnels.values().any(|t| t.access == key || t.transport == key) {
        return Err(refuse(
            "Operation cannot proceed while a tunnel exists on this interface.",
            &pif,
        ));
    }
    assert_unprotected(shell, &pif)?;
    if pif.sriov.is_some() {
        return Err(refuse("The PIF is still related with a network SR-IOV", &pif));
    }
    let mut cluster = shell.state.pool.cluster_hosts.values();
    if let Some(host) = cluster.find(|c| c.pif == key && c.enabled) {
        return Err(Fault::Api(
            "An operation was attempted while clustering was enabled on the cluster_host.",
            vec![("cluster_host", host.uuid.clone())],
        ));
    }
    if pif.host == shell.state.dom0.me && pif.managed {
        networkd::bring_down(shell.state, &key);
    }
    shell.state.pool.pifs.remove(&key);
    Ok(Vec::new())
}

/// A key of the host that an argument names.
fn host_of(shell: &Shell<'_>, args: &Args) -> Result<String, Fault> {
    Ok(find(shell, "host", "host", args.need("host-uuid")?)?.key)
}

/// The MAC that this release's networkd sees on a NIC.
fn seen_mac(state: &State, host: &str, device: &str) -> Option<String> {
    if host != state.dom0.me {
        let number: u32 = device.strip_prefix("eth")?.parse().ok().filter(|n| *n < 6)?;
        let last = host.trim_start_matches(|c: char| !c.is_ascii_digit());
        return Some(format!("00:1b:21:0a:{last}:{number:02x}"));
    }
    let nic = state.dom0.nics.get(device)?;
    let permanent = state.dom0.features.introduce_permanent_mac;
    Some(if permanent { nic.permanent_mac.clone() } else { nic.mac.clone() })
}

fn introduce(shell: &mut Shell<'_>, args: &Args) -> Answer {
    let host = host_of(shell, args)?;
    let device = args.need("device")?.to_string();
    let managed = match args.get("managed").filter(|_| shell.features().xe_managed) {
        None | Some("true" | "yes") => true,
        Some("false" | "no") => false,
        Some(other) => {
            return Err(Fault::Plain(format!("Expected 'true','yes','false','no', got {other}")));
        }
    };
    let state = &mut *shell.state;
    let seen = seen_mac(state, &host, &device);
    let asked = args.get("mac").unwrap_or_default().to_lowercase();
    let mac = if asked.is_empty() { seen.clone().unwrap_or_default() } else { asked };
    if mac.parse::<MacAddr>().is_err() {
        return Err(Fault::Api("The MAC address specified is not valid.", vec![("MAC", mac)]));
    }
    if state.pool.pifs.values().any(|p| p.host == host && p.physical && p.device == device) {
        return Err(Fault::Api(
            "A PIF with this specified device name already exists.",
            vec![("device", device)],
        ));
    }
    if seen.as_ref() != Some(&mac) {
        return Err(Fault::Api(
            "Could not find a network interface with the specified device name and MAC address.",
            vec![("device", device), ("mac", mac)],
        ));
    }
    Ok(vec![add_pif(state, &host, &device, &mac, managed)])
}

/// A new PIF; its uuid.
fn add_pif(state: &mut State, host: &str, device: &str, mac: &str, managed: bool) -> String {
    let uuid = state.new_uuid();
    let bridge =
        device.strip_prefix("eth").map_or_else(|| format!("br{device}"), |n| format!("xenbr{n}"));
    let fits: Vec<&String> = state
        .pool
        .networks
        .iter()
        .filter(|(_, n)| n.bridge == bridge)
        .map(|(key, _)| key)
        .collect();
    let network = match fits.as_slice() {
        [one] => (*one).clone(),
        _ => {
            let new = Network {
                uuid: state.new_uuid(),
                name_label: format!("Pool-wide network associated with {device}"),
                name_description: String::new(),
                bridge: bridge.clone(),
                mtu: 1500,
                other_config: Map::new(),
            };
            let key = (1..)
                .map(|n| if n == 1 { bridge.clone() } else { format!("{bridge}-{n}") })
                .find(|k| !state.pool.networks.contains_key(k))
                .unwrap_or(bridge);
            state.pool.networks.insert(key.clone(), new);
            key
        }
    };
    let mtu = if host == state.dom0.me { state.dom0.mtu_of(device) } else { 1500 };
    let pif = Pif {
        uuid: uuid.clone(),
        host: host.to_string(),
        device: device.to_string(),
        mac: mac.to_string(),
        physical: true,
        managed,
        currently_attached: false,
        mtu,
        vlan: -1,
        management: false,
        network,
        ip_configuration_mode: "None".to_string(),
        ip: String::new(),
        netmask: String::new(),
        gateway: String::new(),
        dns: String::new(),
        disallow_unplug: false,
        properties: Map::from([("gro".to_string(), "on".to_string())]),
        other_config: Map::new(),
        sriov: None,
    };
    state.pool.pifs.insert(format!("{host}/{device}"), pif);
    uuid
}

fn plug(shell: &mut Shell<'_>, args: &Args) -> Answer {
    shell.took += 800;
    let (key, pif) = wanted(shell, args)?;
    assert_managed(shell, &pif)?;
    if shell.state.pool.bonds.values().any(|b| b.slaves.contains(&key)) {
        return Err(refuse("This PIF is a bond slave and cannot be plugged.", &pif));
    }
    if pif.host == shell.state.dom0.me {
        let params = modprobe::bonding_params(shell, None);
        networkd::bring_up(shell.state, &key, &params).map_err(|text| {
            Fault::Api(
                "An unknown error occurred while attempting to configure an interface.",
                vec![("PIF", pif.uuid.clone()), ("msg", text)],
            )
        })?;
    }
    if let Some(pif) = shell.state.pool.pifs.get_mut(&key) {
        pif.currently_attached = true;
    }
    Ok(Vec::new())
}

fn unplug(shell: &mut Shell<'_>, args: &Args) -> Answer {
    shell.took += 800;
    let (key, pif) = wanted(shell, args)?;
    assert_managed(shell, &pif)?;
    assert_unprotected(shell, &pif)?;
    if pif.management {
        return Err(refuse(MANAGEMENT, &pif));
    }
    let pool = &shell.state.pool;
    let busy = pool.vifs.values().find(|vif| {
        let vm = pool.vms.get(&vif.vm);
        vif.network == pif.network
            && vif.currently_attached
            && vm.is_some_and(|m| {
                ["running", "paused"].contains(&m.power_state.as_str())
                    && m.resident_on.as_ref() == Some(&pif.host)
            })
    });
    if let Some(vif) = busy {
        let network = &pool.networks[&pif.network];
        return Err(Fault::Api(
            "Network has active VIFs",
            vec![
                ("network", format!("{} ({})", network.uuid, network.name_label)),
                ("VIF", vif.uuid.clone()),
            ],
        ));
    }
    if pif.disallow_unplug {
        return Err(refuse(
            "The operation you requested cannot be performed because the specified PIF does not allow unplug.",
            &pif,
        ));
    }
    if pif.host == shell.state.dom0.me {
        networkd::bring_down(shell.state, &key);
    }
    if let Some(pif) = shell.state.pool.pifs.get_mut(&key) {
        pif.currently_attached = false;
    }
    Ok(Vec::new())
}

fn scan(shell: &mut Shell<'_>, args: &Args) -> Answer {
    let host = host_of(shell, args)?;
    let state = &mut *shell.state;
    let devices: Vec<String> = if host == state.dom0.me {
        state.dom0.nics.keys().cloned().collect()
    } else {
        (0..6).map(|n| format!("eth{n}")).collect()
    };
    for device in devices {
        let Some(mac) = seen_mac(state, &host, &device) else { continue };
        let known = state
            .pool
            .pifs
            .values_mut()
            .find(|p| p.host == host && p.physical && p.device == device);
        match known {
            // refresh_all: what the kernel says now is noted, the bond's MAC included.
            Some(pif) => {
                pif.mac = mac;
                if host == state.dom0.me {
                    pif.mtu = state.dom0.nics.get(&device).map_or(pif.mtu, |n| n.mtu);
                }
            }
            None => {
                add_pif(state, &host, &device, &mac, true);
            }
        }
    }
    Ok(Vec::new())
}

fn reconfigure(shell: &mut Shell<'_>, args: &Args) -> Answer {
    shell.took += 800;
    let any = |name: &str| {
        args.pairs
            .iter()
            .find(|(k, _)| k.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.clone())
            .unwrap_or_default()
    };
    let (key, pif) = wanted(shell, args)?;
    let mode = args.need("mode")?.to_string();
    let mode = match mode.to_lowercase().as_str() {
        "none" => "None",
        "dhcp" => "DHCP",
        "static" => "Static",
        _ => return Err(Fault::Plain(format!("Expected 'dhcp','none' or 'static', got {mode}"))),
    };
    assert_managed(shell, &pif)?;
    assert_unprotected(shell, &pif)?;
    if pif.management && mode == "None" {
        return Err(refuse(MANAGEMENT, &pif));
    }
    let (ip, netmask) = (any("IP"), args.get("netmask").unwrap_or_default().to_string());
    let gateway = args.get("gateway").unwrap_or_default().to_string();
    if mode == "Static" {
        let invalid = |what: &str| {
            Fault::Api(
                "A required parameter contained an invalid IP address",
                vec![("parameter", what.to_string())],
            )
        };
        let address = ip.parse().map_err(|_| invalid("IP"))?;
        let mask = netmask.parse().map_err(|_| invalid("netmask"))?;
        Ipv4Net::with_netmask(address, mask).map_err(|_| invalid("netmask"))?;
        if !gateway.is_empty() && gateway.parse::<std::net::Ipv4Addr>().is_err() {
            return Err(invalid("gateway"));
        }
    }
    let dns = any("DNS");
    let keep_dns = dns.is_empty() && shell.scripts() == crate::model::state::Flavour::El5;
    let params = modprobe::bonding_params(shell, None);
    let state = &mut *shell.state;
    let bridge =
        state.pool.networks.get(&pif.network).map(|n| n.bridge.clone()).unwrap_or_default();
    if let Some(pif) = state.pool.pifs.get_mut(&key) {
        pif.ip_configuration_mode = mode.to_string();
        (pif.ip, pif.netmask, pif.gateway) = if mode == "Static" {
            (ip, netmask, gateway)
        } else {
            (String::new(), String::new(), String::new())
        };
        pif.dns = if keep_dns { pif.dns.clone() } else { dns };
    }
    if pif.currently_attached && pif.host == state.dom0.me {
        state.dom0.flush(&bridge);
        let _ = networkd::bring_up(state, &key, &params);
    }
    Ok(Vec::new())
}

fn destroy_network(shell: &mut Shell<'_>, args: &Args) -> Answer {
    let record = find(shell, "network", "network", args.need("uuid")?)?;
    let pool = &mut shell.state.pool;
    let network = &pool.networks[&record.key];
    if pool.pifs.values().any(|p| p.network == record.key) {
        return Err(Fault::Api(
            "The network contains active PIFs and cannot be deleted.",
            vec![("PIF", format!("{} ({})", network.uuid, network.name_label))],
        ));
    }
    pool.vifs.retain(|_, vif| vif.network != record.key);
    pool.networks.remove(&record.key);
    Ok(Vec::new())
}
