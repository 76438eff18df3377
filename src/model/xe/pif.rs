//! `xe pif-*`: forget, introduce, plug, unplug, scan, reconfigure-ip, with every check and the
//! words of its refusal (tests/ground/xapi.md, B1 to B8).

use super::answer::{Answer, Args, Fault, Printed, find, misconfigured, recent, refuse};
use super::host::reach;
use super::moves;
use crate::model::programs::shell::Shell;
use crate::model::programs::{modprobe, networkd};
use crate::model::state::{Flavour, Map, Network, Pif, Release, State};
use crate::net::{Ipv4Net, MacAddr};

/// The PIF of an argument `uuid`.
fn wanted(shell: &Shell<'_>, args: &Args) -> Result<(String, Pif), Fault> {
    let uuid = args.need("uuid")?;
    let record = find(shell, "pif", "PIF", uuid)?;
    let pif = shell.state.pool.pifs[&record.key].clone();
    reach(shell, &pif.host)?;
    Ok((record.key, pif))
}

pub(super) const MANAGEMENT: &str = "The operation you requested cannot be performed because the specified PIF is the management interface.";
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

pub(super) fn assert_managed(shell: &Shell<'_>, pif: &Pif) -> Result<(), Fault> {
    if shell.features().xe_managed && !pif.managed {
        Err(refuse(UNMANAGED, &pif.uuid))
    } else {
        Ok(())
    }
}

pub(super) fn forget(shell: &mut Shell<'_>, args: &Args) -> Answer {
    let (key, pif) = wanted(shell, args)?;
    let pool = &shell.state.pool;
    let slave_here = pool.master != pif.host && pif.currently_attached;
    if pif.management && (shell.features().xe_managed || slave_here) {
        return Err(refuse(MANAGEMENT, &pif.uuid));
    }
    if pool.bonds.values().any(|b| b.master == key || b.slaves.contains(&key)) {
        return Err(refuse(
            "This operation cannot be performed because the pif is bonded.",
            &pif.uuid,
        ));
    }
    if pif.vlan >= 0 || pool.vlans.values().any(|v| v.untagged == key) {
        return Err(refuse(
            "Operation cannot proceed while a VLAN exists on this interface.",
            &pif.uuid,
        ));
    }
    if pool.tunnels.values().any(|t| t.access == key || t.transport == key) {
        return Err(refuse(
            "Operation cannot proceed while a tunnel exists on this interface.",
            &pif.uuid,
        ));
    }
    assert_unprotected(shell, &pif)?;
    if pif.sriov.is_some() {
        return Err(refuse("The PIF is still related with a network SR-IOV", &pif.uuid));
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
    Ok(Printed::Nothing)
}

/// A key of the host that an argument names.
fn host_of(shell: &Shell<'_>, args: &Args) -> Result<String, Fault> {
    Ok(find(shell, "host", "host", args.need("host-uuid")?)?.key)
}

/// A boolean of the command line; the later releases take more words, in any case.
fn truth(state: &State, name: &str, word: &str) -> Result<bool, Fault> {
    let lower = word.to_lowercase();
    let (given, yes, no): (&str, &[&str], &[&str]) = if recent(state) {
        (&lower, &["true", "t", "yes", "y", "1"], &["false", "f", "no", "n", "0"])
    } else {
        (word, &["true", "yes"], &["false", "no"])
    };
    if yes.contains(&given) || no.contains(&given) {
        return Ok(yes.contains(&given));
    }
    Err(Fault::Plain(if recent(state) {
        let words: Vec<String> = yes.iter().chain(no).map(|w| format!("'{w}'")).collect();
        format!("Failed to parse parameter '{name}': Expected {} got {word}", words.join(","))
    } else {
        format!("Expected 'true','yes','false','no', got {word}")
    }))
}

/// The MAC that this release's networkd sees on a NIC.
fn seen_mac(state: &State, host: &str, device: &str) -> Option<String> {
    let known = state.pool.hosts.get(host).map(|h| &h.nics).filter(|nics| !nics.is_empty());
    if host != state.dom0.me && known.is_some() {
        return known?.get(device).cloned();
    }
    if host != state.dom0.me {
        let number: u32 = device.strip_prefix("eth")?.parse().ok().filter(|n| *n < 6)?;
        let last = host.trim_start_matches(|c: char| !c.is_ascii_digit());
        return Some(format!("00:1b:21:0a:{last}:{number:02x}"));
    }
    let nic = state.dom0.nics.get(device)?;
    let permanent = state.dom0.features.introduce_permanent_mac;
    Some(if permanent { nic.permanent_mac.clone() } else { nic.mac.clone() })
}

pub(super) fn introduce(shell: &mut Shell<'_>, args: &Args) -> Answer {
    let [_, device] = args.need_all(["host-uuid", "device"])?;
    let (host, device) = (host_of(shell, args)?, device.to_string());
    let managed = match args.get("managed").filter(|_| shell.features().xe_managed) {
        None => true,
        Some(word) => truth(shell.state, "managed", word)?,
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
    Ok(Printed::line(add_pif(state, &host, &device, &mac, managed)))
}

/// The bridge that XAPI makes for a NIC.
fn bridge_of(device: &str) -> String {
    device.strip_prefix("eth").map_or_else(|| format!("br{device}"), |n| format!("xenbr{n}"))
}

/// The network of a new PIF: the one that has its bridge, or a new one. From 24.29 all NICs that
/// XAPI does not manage share one without a bridge, whichever host they are of.
fn network_of(state: &mut State, device: &str, managed: bool) -> String {
    let apart = !managed && recent(state);
    let bridge = if apart { String::new() } else { bridge_of(device) };
    let mut fits = state.pool.networks.iter().filter(|(_, n)| n.bridge == bridge);
    if let (Some((key, _)), None) = (fits.next(), fits.next()) {
        return key.clone();
    }
    let number = device.strip_prefix("eth").filter(|_| state.release() >= Release::V26_1);
    let name_label = match number {
        Some(number) => format!("Pool-wide network {number}"),
        None => format!("Pool-wide network associated with {device}"),
    };
    let stem = if apart { "unmanaged".to_string() } else { bridge.clone() };
    let new = Network {
        uuid: state.new_uuid(),
        name_label,
        name_description: String::new(),
        bridge,
        mtu: 1500,
        managed: !apart,
        other_config: Map::new(),
    };
    let names = (1..).map(|n| if n == 1 { stem.clone() } else { format!("{stem}-{n}") });
    let key = names.into_iter().find(|k| !state.pool.networks.contains_key(k)).unwrap_or_default();
    state.pool.networks.insert(key.clone(), new);
    key
}

/// A new PIF; its uuid.
fn add_pif(state: &mut State, host: &str, device: &str, mac: &str, managed: bool) -> String {
    let uuid = state.new_uuid();
    let network = network_of(state, device, managed);
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

pub(super) fn plug(shell: &mut Shell<'_>, args: &Args) -> Answer {
    shell.took += 800;
    let (key, pif) = wanted(shell, args)?;
    assert_managed(shell, &pif)?;
    if shell.state.pool.bonds.values().any(|b| b.slaves.contains(&key)) {
        let sentence = if recent(shell.state) {
            "This PIF is a bond member and cannot be plugged."
        } else {
            "This PIF is a bond slave and cannot be plugged."
        };
        return Err(refuse(sentence, &pif.uuid));
    }
    if pif.host == shell.state.dom0.me {
        let params = modprobe::bonding_params(shell, None);
        networkd::bring_up(shell.state, &key, &params)
            .map_err(|text| misconfigured(&pif.uuid, text))?;
    }
    moves::attached(shell.state, &key);
    Ok(Printed::Nothing)
}

pub(super) fn unplug(shell: &mut Shell<'_>, args: &Args) -> Answer {
    shell.took += 800;
    let (key, pif) = wanted(shell, args)?;
    assert_managed(shell, &pif)?;
    assert_unprotected(shell, &pif)?;
    if pif.management {
        return Err(refuse(MANAGEMENT, &pif.uuid));
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
            &pif.uuid,
        ));
    }
    // A member of a bond has no bridge of its own that could go.
    let member = shell.state.pool.bonds.values().any(|b| b.slaves.contains(&key));
    if pif.host == shell.state.dom0.me && !member {
        networkd::bring_down(shell.state, &key);
    }
    if let Some(pif) = shell.state.pool.pifs.get_mut(&key) {
        pif.currently_attached = false;
    }
    Ok(Printed::Nothing)
}

pub(super) fn scan(shell: &mut Shell<'_>, args: &Args) -> Answer {
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
    Ok(Printed::Nothing)
}

/// `mode=` in any case.
fn mode(state: &State, word: &str) -> Result<&'static str, Fault> {
    match word.to_lowercase().as_str() {
        "none" => Ok("None"),
        "dhcp" => Ok("DHCP"),
        "static" => Ok("Static"),
        _ if recent(state) => {
            Err(Fault::Plain(format!("Expected one of 'None', 'DHCP', 'Static', got {word}")))
        }
        _ => Err(Fault::Plain(format!("Expected 'dhcp','none' or 'static', got {word}"))),
    }
}

/// What an IP configuration is: address, netmask and gateway.
type Addressing = (String, String, String);

/// The addresses of an argument list; only what looks like an address at all.
fn addressing(args: &Args) -> Result<Addressing, Fault> {
    let text = |value: Option<&str>| value.unwrap_or_default().to_string();
    let (ip, netmask) = (text(args.any_case("IP")), text(args.get("netmask")));
    let gateway = text(args.get("gateway"));
    let given = [("IP", &ip, true), ("netmask", &netmask, true), ("gateway", &gateway, false)];
    for (name, value, needed) in given {
        let bad = value.parse::<std::net::Ipv4Addr>().is_err();
        if bad && (needed || !value.is_empty()) {
            return Err(Fault::Api(
                "A required parameter contained an invalid IP address",
                vec![("parameter", name.to_string())],
            ));
        }
    }
    Ok((ip, netmask, gateway))
}

/// The name servers that are kept: the later releases drop what is no address without a word.
fn servers(state: &State, asked: &str, before: &str) -> String {
    if asked.is_empty() && state.dom0.features.initscripts == Flavour::El5 {
        return before.to_string();
    }
    if !recent(state) {
        return asked.to_string();
    }
    let good = asked.split(',').filter(|s| s.parse::<std::net::IpAddr>().is_ok());
    good.collect::<Vec<_>>().join(",")
}

pub(super) fn reconfigure(shell: &mut Shell<'_>, args: &Args) -> Answer {
    shell.took += 800;
    let [_, word] = args.need_all(["uuid", "mode"])?;
    let (key, pif) = wanted(shell, args)?;
    let mode = mode(shell.state, word)?;
    assert_managed(shell, &pif)?;
    assert_unprotected(shell, &pif)?;
    if pif.management && mode == "None" {
        return Err(refuse(MANAGEMENT, &pif.uuid));
    }
    let new = if mode == "Static" { addressing(args)? } else { Addressing::default() };
    let dns = servers(shell.state, args.any_case("DNS").unwrap_or_default(), &pif.dns);
    let params = modprobe::bonding_params(shell, None);
    let state = &mut *shell.state;
    let bridge =
        state.pool.networks.get(&pif.network).map(|n| n.bridge.clone()).unwrap_or_default();
    // A netmask with holes passes as an address, and only networkd falls over it: by then the
    // database has it, and the old address stays on the bridge.
    let holes = match (new.0.parse(), new.1.parse()) {
        (Ok(ip), Ok(mask)) => Ipv4Net::with_netmask(ip, mask).is_err(),
        _ => false,
    };
    let member = state.pool.bonds.values().any(|b| b.slaves.contains(&key));
    let fails = holes && pif.currently_attached;
    if let Some(pif) = state.pool.pifs.get_mut(&key) {
        pif.ip_configuration_mode = mode.to_string();
        (pif.ip, pif.netmask, pif.gateway) = new;
        pif.dns = dns;
        pif.currently_attached &= !fails;
    }
    if fails {
        return Err(misconfigured(&pif.uuid, String::new()));
    }
    if pif.currently_attached && pif.host == state.dom0.me && !member {
        state.dom0.flush(&bridge);
        let _ = networkd::bring_up(state, &key, &params);
    }
    // A member asks through the very interface that goes away for a moment.
    if pif.management && pif.host == state.dom0.me && state.pool.master != state.dom0.me {
        return Err(Fault::Lost);
    }
    Ok(Printed::Nothing)
}
