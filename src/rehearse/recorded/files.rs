//! The files of the recorded host: those that the inventory holds whole, and those of which it
//! holds one fact.

use std::sync::Arc;

use anyhow::Result;

use crate::host::{Clock, Host, Kind, Program, Runner, Xattrs, join};
use crate::inventory::{Ask, Ground, Inventory, RenameRule, StorageUse};
use crate::model::Model;
use crate::model::state::Map;
use crate::paths;

/// Lines of `/proc/mounts` by mount point.
pub(super) fn mounts(inv: &Inventory) -> Map {
    let mut lines = Map::new();
    for (number, path) in inv.ground.storage.iter().enumerate() {
        if let StorageUse::Mount { source, filesystem } = &path.used {
            let at = format!("/run/sr-mount/{number}");
            let line = format!("{source} {at} {filesystem} rw,addr={} 0 0", path.server);
            lines.insert(at, line);
        }
    }
    for mount in inv.ground.places.iter().filter_map(|place| place.read_only.as_ref()) {
        lines.insert(mount.clone(), format!("/dev/sda1 {mount} ext3 ro 0 0"));
    }
    lines
}

/// Makes the files of the model those of the recorded host.
pub(super) fn lay(model: &Arc<Model>, inv: &Inventory) -> Result<()> {
    let runner = Arc::clone(model) as Arc<dyn Runner>;
    let host = Host::new(model.root(), runner, Arc::clone(model) as Arc<dyn Clock>);
    let own = Inventory::read(&host, Ask::default())?;
    for path in own.files.keys().filter(|path| !inv.files.contains_key(*path)) {
        host.put(path, &Kind::Absent)?;
    }
    for (path, kind) in &inv.files {
        match kind {
            Kind::Absent => {}
            // A folder is the least that is no file.
            Kind::Other => host.make_dir(path, 0o755)?,
            // This machine's file system may not take the labels of that one.
            Kind::File { bytes, mode, uid, gid, mtime, .. } => {
                let (bytes, xattrs) = (bytes.clone(), Xattrs::new());
                let (mode, uid, gid, mtime) = (*mode, *uid, *gid, *mtime);
                put(&host, path, &Kind::File { bytes, mode, uid, gid, mtime, xattrs })?;
            }
            Kind::Link { .. } => put(&host, path, kind)?,
        }
    }
    for (path, read) in &inv.behind {
        let target = match inv.files.get(path) {
            Some(Kind::Link { target }) if target.starts_with('/') => target.clone(),
            Some(Kind::Link { target }) => {
                join(path.rsplit_once('/').map_or("", |(folder, _)| folder), target)
            }
            _ => path.clone(),
        };
        // Whatever a recorded link names: it lies in the model.
        if !host.exists(&target) && !read.is_empty() {
            text(&host, &target, read)?;
        }
    }
    if inv.network_service != own.network_service {
        let to = if inv.network_service { "on" } else { "off" };
        let _ = model.execute("chkconfig", &["network".into(), to.into()]);
    }
    programs(&host, &own, inv)?;
    facts(&host, inv)
}

fn put(host: &Host, path: &str, kind: &Kind) -> Result<()> {
    let (folder, _) = path.rsplit_once('/').unwrap_or_default();
    if !host.exists(folder) {
        host.make_dir(folder, 0o755)?;
    }
    host.put(path, kind)
}

fn text(host: &Host, path: &str, text: &str) -> Result<()> {
    put(host, path, &Kind::new_file(text, 0o644))
}

/// Programs where they were, and none that were not there.
fn programs(host: &Host, own: &Inventory, inv: &Inventory) -> Result<()> {
    for program in Program::ALL {
        match (own.programs.get(&program), inv.programs.get(&program)) {
            (Some(path), None) => host.put(path, &Kind::Absent)?,
            (None, Some(path)) => put(host, path, &Kind::new_file("#!/bin/sh\nexit 127\n", 0o755))?,
            _ => {}
        }
    }
    Ok(())
}

/// Writes the files of which the inventory holds one fact.
fn facts(host: &Host, inv: &Inventory) -> Result<()> {
    xensource(host, inv)?;
    boot_scripts(host, &inv.ground)?;
    daemons(host, &inv.ground)?;
    storage(host, &inv.ground)?;
    rules(host, &inv.ground.rename_rules)
}

fn xensource(host: &Host, inv: &Inventory) -> Result<()> {
    let ground = &inv.ground;
    match &inv.xensource {
        None => host.put(paths::INVENTORY, &Kind::Absent)?,
        Some(values) => {
            let lines = values.iter().map(|(key, value)| format!("{key}='{value}'\n"));
            text(host, paths::INVENTORY, &lines.collect::<String>())?;
        }
    }
    let role = ground.pool_master.as_ref().map_or("master".into(), |ip| format!("slave:{ip}"));
    text(host, "/etc/xensource/pool.conf", &role)?;
    if ground.network_reset {
        text(host, paths::NETWORK_RESET, "")?;
    }
    Ok(())
}

fn boot_scripts(host: &Host, ground: &Ground) -> Result<()> {
    let functions = join(paths::NETWORK_SCRIPTS, "network-functions");
    match ground.bonding_opts {
        None => host.put(&functions, &Kind::Absent)?,
        Some(knows) => {
            let word =
                |known: bool, word: &str| if known { format!(" {word}") } else { String::new() };
            let several = word(ground.ethtool_set == Some(true), "ethtool_set");
            text(host, &functions, &format!("#{}{several}\n", word(knows, "BONDING_OPTS")))?;
        }
    }
    let mut network = "NETWORKING=yes\n".to_string();
    if let Some(device) = &ground.gateway_device {
        network.push_str(&format!("GATEWAYDEV=\"{}\"\n", device.replace(['"', '\n'], "")));
    }
    if let Some(gateway) = ground.gateway {
        network.push_str(&format!("GATEWAY={gateway}\n"));
    }
    text(host, "/etc/sysconfig/network", &network)
}

/// The configuration of XAPI and its daemons.
fn daemons(host: &Host, ground: &Ground) -> Result<()> {
    let xapi = "/etc/xapi.conf";
    let rescan = ground.rescan_rules.as_ref().map(|path| format!("non-managed-pifs = {path}\n"));
    let rescan = rescan.unwrap_or_default();
    match &ground.no_linux_bridge {
        Some(file) if file == xapi => {
            text(host, xapi, &format!("{rescan}support-linux-bridge = false\n"))
        }
        file => {
            text(host, xapi, &rescan)?;
            match file.as_ref().filter(|file| in_etc(file)) {
                Some(file) => text(host, file, "support-linux-bridge = false\n"),
                None => Ok(()),
            }
        }
    }
}

fn storage(host: &Host, ground: &Ground) -> Result<()> {
    for device in &ground.fcoe {
        text(host, &format!("/etc/fcoe/cfg-{device}"), "FCOE_ENABLE=\"yes\"\n")?;
    }
    for (number, mac) in ground.boot_nics.iter().enumerate() {
        text(host, &format!("/sys/firmware/ibft/ethernet{number}/mac"), &format!("{mac}\n"))?;
    }
    for (number, path) in ground.storage.iter().enumerate() {
        if let StorageUse::Iscsi { connection } = &path.used {
            let name = connection.replace(['/', '.'], "");
            let name = if name.is_empty() { format!("connection{number}") } else { name };
            let address = format!("/sys/class/iscsi_connection/{name}/address");
            text(host, &address, &format!("{}\n", path.server))?;
        }
    }
    Ok(())
}

/// Whether a file may be written for a fact that names it.
fn in_etc(path: &str) -> bool {
    path.starts_with("/etc/") && path.split('/').skip(1).all(|part| !part.starts_with('.'))
}

/// The rules of interface-rename, in their two files.
fn rules(host: &Host, rules: &[RenameRule]) -> Result<()> {
    let folder = join(paths::NETWORK_SCRIPTS, "interface-rename-data");
    let is_static = |rule: &&RenameRule| rule.file.ends_with(".conf");
    let line = |rule: &RenameRule| match (&rule.mac, &rule.pci) {
        (Some(mac), _) => format!("{}: mac = \"{mac}\"\n", rule.name),
        (None, pci) => format!("{}: pci = \"{}\"\n", rule.name, pci.as_deref().unwrap_or_default()),
    };
    let lines: String = rules.iter().filter(is_static).map(line).collect();
    text(host, &join(&folder, "static-rules.conf"), &lines)?;
    let last: Vec<_> = rules
        .iter()
        .filter(|rule| !is_static(rule))
        .map(|rule| serde_json::json!([rule.mac, "", rule.name]))
        .collect();
    if !last.is_empty() {
        let json = serde_json::json!({"lastboot": last}).to_string();
        text(host, &join(&folder, "dynamic-rules.json"), &json)?;
    }
    Ok(())
}
