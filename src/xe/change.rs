//! The commands that change XAPI's records of a NIC.

use std::time::Duration;

use super::{IpSettings, LIMIT, Pif};
use crate::host::{Cmd, Program};
use crate::net::{IfName, MacAddr, Uuid};

/// `pif-reconfigure-ip` polls the host for up to 300 s itself (tests/ground/xapi.md, B7), and links
/// go down and up while a bond is made or taken apart (tests/ground/managed.md, C4).
const LONG_LIMIT: Duration = Duration::from_secs(330);

fn change(args: &[String]) -> Cmd {
    let long = [
        "pif-reconfigure-ip",
        "bond-create",
        "bond-destroy",
        "bond-set-mode",
        "host-management-reconfigure",
    ];
    let limit = if long.contains(&args[0].as_str()) { LONG_LIMIT } else { LIMIT };
    Cmd::change(Program::Xe, args, limit)
}

fn of_pif(command: &str, pif: &str) -> Cmd {
    change(&[command.to_string(), format!("uuid={pif}")])
}

/// Unplugs a PIF: it makes the checks for VIFs and `disallow-unplug` that forget does not make
/// (tests/ground/xapi.md, B6).
#[must_use]
pub fn unplug(pif: &str) -> Cmd {
    of_pif("pif-unplug", pif)
}

/// Plugs a PIF.
#[must_use]
pub fn plug(pif: &str) -> Cmd {
    of_pif("pif-plug", pif)
}

/// Forgets a PIF.
#[must_use]
pub fn forget(pif: &str) -> Cmd {
    of_pif("pif-forget", pif)
}

/// What a person types to have the unmanaged record of a NIC forgotten, whatever its uuid.
#[must_use]
pub fn forget_unmanaged(of: &Uuid, device: &IfName) -> String {
    format!(
        "xe pif-forget uuid=$(xe pif-list host-uuid={of} device={device} physical=true VLAN=-1 managed=false --minimal)"
    )
}

/// Introduces the PIF of a NIC; prints its new uuid.
#[must_use]
pub fn introduce(of: &Uuid, device: &IfName, mac: &MacAddr, managed: bool) -> Cmd {
    let mut args = vec![
        "pif-introduce".to_string(),
        format!("host-uuid={of}"),
        format!("device={device}"),
        format!("mac={mac}"),
    ];
    if !managed {
        args.push("managed=false".into());
    }
    change(&args)
}

/// The commands that give a PIF as it is `now` what the recorded one had and a forget loses
/// (tests/ground/xapi.md, B4), all but the plug: only what differs is set.
#[must_use]
pub fn restore(now: &Pif, recorded: &Pif) -> Vec<Cmd> {
    let set = |setting: String| set("pif", &now.uuid, &setting);
    let mut cmds = Vec::new();
    if now.static_ip() != recorded.static_ip() {
        cmds.push(reconfigure(&now.uuid, &recorded.static_ip()));
    }
    for (field, had, has) in [
        ("properties", &recorded.properties, &now.properties),
        ("other-config", &recorded.other_config, &now.other_config),
    ] {
        for (key, value) in had.iter().filter(|(key, value)| has.get(*key) != Some(*value)) {
            cmds.push(set(format!("{field}:{key}={value}")));
        }
        // XAPI sets properties and removes none.
        let removable = field != "properties";
        for key in has.keys().filter(|key| removable && !had.contains_key(*key)) {
            cmds.push(remove_key("pif", &now.uuid, field, key));
        }
    }
    if now.disallow_unplug != recorded.disallow_unplug {
        cmds.push(set(format!("disallow-unplug={}", recorded.disallow_unplug)));
    }
    cmds
}

/// Gives a PIF this IP configuration, and clears what is not in it (tests/ground/xapi.md, B7).
#[must_use]
pub fn reconfigure(pif: &Uuid, ip: &IpSettings) -> Cmd {
    let mut args =
        vec!["pif-reconfigure-ip".into(), format!("uuid={pif}"), format!("mode={}", ip.mode())];
    for name in ["IP", "netmask", "gateway", "DNS"] {
        args.extend(ip.get(name).map(|value| format!("{name}={value}")));
    }
    change(&args)
}

/// Sets a field, or a key of a map, of a record of this class.
#[must_use]
pub fn set(class: &str, of: &Uuid, setting: &str) -> Cmd {
    change(&[format!("{class}-param-set"), format!("uuid={of}"), setting.into()])
}

/// Removes a key of a map.
#[must_use]
pub fn remove_key(class: &str, of: &Uuid, field: &str, key: &str) -> Cmd {
    let (field, key) = (format!("param-name={field}"), format!("param-key={key}"));
    change(&[format!("{class}-param-remove"), format!("uuid={of}"), field, key])
}

/// Writes the pool's database to disk before a reboot.
#[must_use]
pub fn sync_database() -> Cmd {
    change(&["pool-sync-database".into()])
}

/// How long a restart of the toolstack may take: it stops and starts a dozen services.
const RESTART: Duration = Duration::from_secs(600);

/// Restarts XAPI and what belongs to it, and lets VMs run.
#[must_use]
pub fn restart_toolstack() -> Cmd {
    Cmd::change(Program::XeToolstackRestart, &[] as &[&str], RESTART)
}

/// Makes a network; prints its uuid.
#[must_use]
pub fn create_network(name: &str, mtu: Option<u32>) -> Cmd {
    let mut args = vec!["network-create".to_string(), format!("name-label={name}")];
    args.extend(mtu.map(|mtu| format!("MTU={mtu}")));
    change(&args)
}

/// Takes a network away. XAPI refuses where a PIF lies on it, and takes the VIFs that are not
/// plugged along (tests/ground/managed.md, U3).
#[must_use]
pub fn destroy_network(of: &Uuid) -> Cmd {
    change(&["network-destroy".into(), format!("uuid={of}")])
}

/// Makes a bond of these PIFs on a network; prints its uuid.
#[must_use]
pub fn create_bond(
    network: &str,
    pifs: &[Uuid],
    mode: &str,
    properties: &[(String, String)],
) -> Cmd {
    let pifs: Vec<String> = pifs.iter().map(ToString::to_string).collect();
    let mut args = vec![
        "bond-create".to_string(),
        format!("network-uuid={network}"),
        format!("pif-uuids={}", pifs.join(",")),
        format!("mode={mode}"),
    ];
    args.extend(properties.iter().map(|(key, value)| format!("properties:{key}={value}")));
    change(&args)
}

/// Takes a bond apart.
#[must_use]
pub fn destroy_bond(of: &str) -> Cmd {
    change(&["bond-destroy".into(), format!("uuid={of}")])
}

/// Gives a bond another mode.
#[must_use]
pub fn set_bond_mode(of: &Uuid, mode: &str) -> Cmd {
    change(&["bond-set-mode".into(), format!("uuid={of}"), format!("mode={mode}")])
}

/// Has the host be managed through a PIF.
#[must_use]
pub fn manage_through(pif: &Uuid) -> Cmd {
    change(&["host-management-reconfigure".into(), format!("pif-uuid={pif}")])
}
