//! The model of a host that `inventory` recorded: its records, its kernel and its files, as far as
//! an inventory holds them. What it does not hold is taken as on a healthy host, or harsher:
//! [`ASSUMED`] says it.

mod files;
mod kernel;
mod pool;

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};

use crate::host::Kind;
use crate::inventory::Inventory;
use crate::model::state::{Backend, Flavour, Saves, State};
use crate::model::{Model, builtin};
use crate::net::{self, BondMode};
use crate::service::Init;
use crate::spec::Spec;

/// What no inventory holds, in words for people.
pub const ASSUMED: &str = "An inventory does not tell what is beyond the cables: the switch is taken to be set as the mode\nneeds it, every storage server to answer, the bond's address to be free, and a NIC that is down to\nhave a good link.\n";

/// Makes the host under `root`. The servers that `spec` names answer.
///
/// # Errors
/// When the inventory lacks what a model needs, or its values cannot be a host's.
pub fn create(root: &Path, inv: &Inventory, spec: &Spec) -> Result<Arc<Model>> {
    check(inv)?;
    let model = Arc::new(Model::create(root, state(inv, spec)?)?);
    files::lay(&model, inv).context("writing the files of the recorded host")?;
    Ok(model)
}

/// Below these lies what an inventory records.
const FOLDERS: [&str; 4] = ["etc", "lib", "run", "usr"];

/// Names become files below the root, and must stay there.
fn check(inv: &Inventory) -> Result<()> {
    let plain = |what: &str, name: &str| -> Result<()> {
        let good = !name.is_empty() && !name.contains(['/', '\0', '\n']) && !name.starts_with('.');
        ensure!(good, "{what}: `{}` cannot be a name", name.escape_debug());
        Ok(())
    };
    for (name, device) in &inv.kernel.devices {
        plain("kernel.devices", name)?;
        for part in [&device.pci, &device.driver, &device.master].into_iter().flatten() {
            plain(&format!("kernel.devices.{name}"), part)?;
        }
    }
    for name in inv.kernel.bonds.keys() {
        plain("kernel.bonds", name)?;
    }
    for name in &inv.ground.fcoe {
        plain("ground.fcoe", name)?;
    }
    if let Some(name) = &inv.kernel.hostname {
        plain("kernel.hostname", name)?;
    }
    for (path, kind) in &inv.files {
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        let good = path.starts_with('/')
            && !path.contains('\0')
            && !parts[0].starts_with('.')
            && parts.iter().all(|part| !["", ".", ".."].contains(part));
        ensure!(good, "files: `{}` cannot be a path", path.escape_debug());
        // What the model writes itself is no recorded file's.
        let top = parts.first().copied().unwrap_or_default();
        ensure!(FOLDERS.contains(&top), "files: {path} is none that an inventory records");
        if let Kind::Link { target } = kind {
            ensure!(stays(parts.len() - 1, target), "files: {path} leads out of the host");
        }
    }
    for path in inv.programs.values() {
        let good =
            path.starts_with('/') && path.split('/').skip(1).all(|part| !part.starts_with('.'));
        ensure!(good, "programs: `{}` cannot be a path", path.escape_debug());
    }
    Ok(())
}

/// Whether a link in a folder so deep ends below the root.
fn stays(depth: usize, target: &str) -> bool {
    let mut depth = if target.starts_with('/') { Some(0) } else { Some(depth) };
    for part in target.split('/') {
        depth = match part {
            ".." => depth.and_then(|d: usize| d.checked_sub(1)),
            "" | "." => depth,
            _ => depth.map(|d| d + 1),
        };
    }
    depth.is_some()
}

/// Its records and its kernel. The rest is as in the built-in pool.
fn state(inv: &Inventory, spec: &Spec) -> Result<State> {
    let xapi = inv.xapi.as_ref().context("`xapi` is null: XAPI did not answer")?;
    let me = inv.kernel.hostname.clone().context("`kernel.hostname` is null")?;
    let running = match inv.running_backend() {
        Some(net::Backend::Bridge) => Backend::Bridge,
        Some(net::Backend::Openvswitch) => Backend::Openvswitch,
        _ => Backend::None,
    };
    let old = inv.init == Init::Sysv;
    let mut state = builtin::pool(if old { Flavour::El5 } else { Flavour::El7 }, running);
    state.pool = pool::database(inv, xapi, &me);
    let dom0 = &mut state.dom0;
    dom0.me = me;
    let runs_slb = inv
        .kernel
        .bonds
        .keys()
        .any(|bond| inv.kernel.bond(bond).and_then(|b| b.mode) == Some(BondMode::BalanceSlb));
    dom0.features.slb = inv.driver_has_slb.unwrap_or(runs_slb);
    dom0.features.slb_default = dom0.features.slb;
    if let Some(kernel) = inv.driver.as_ref().and_then(|driver| driver.kernel.clone()) {
        dom0.kernel = kernel;
    }
    dom0.features.max_mtu = inv.kernel.devices.values().any(|d| d.max_mtu.is_some());
    if inv.has_vlans == Some(false) {
        dom0.features.missing_modules.insert("8021q".to_string());
    }
    // Releases up to 8.0 do it, and no number is asked.
    dom0.features.switch_deletes_ifcfg = true;
    dom0.features.xe_managed = xapi.pifs.iter().all(|pif| pif.managed.is_some());
    dom0.mounts = files::mounts(inv);
    dom0.saves = Saves::REAL;
    kernel::fill(dom0, inv, xapi);
    let storage = crate::inventory::storage::servers(inv).into_iter().map(|path| path.server);
    let gateways = inv.kernel.routes.iter().filter_map(|route| route.gateway);
    let targets = spec.options.targets().iter().copied();
    let wire = &mut dom0.wire;
    wire.reachable.clear();
    wire.answers.clear();
    for server in storage.chain(gateways).chain(spec.servers()).chain(targets) {
        wire.reachable.insert(server.to_string());
        wire.answers.insert(server.to_string(), SERVER.to_string());
    }
    wire.lacp.clear();
    for nic in dom0.nics.keys() {
        wire.lacp.insert(nic.clone());
    }
    Ok(state)
}

/// The MAC address of all that is beyond the cables.
const SERVER: &str = "00:50:56:00:51:02";
