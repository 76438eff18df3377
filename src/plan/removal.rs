//! The plan that takes a bond away for good: the host as if it had never been, by what was recorded
//! before it was made, or by what kernel and files show where no record is left. Pure.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};

use super::{Plan, adoption, device, is_enabled, managed, scope, vlans, xapi_bond};
use crate::host::{Kind, Original};
use crate::ifcfg;
use crate::inventory::{Inventory, Nic};
use crate::modprobe;
use crate::net::{Backend, IfName, Uuid};
use crate::paths;
use crate::render::is_ours;
use crate::service::Service;
use crate::spec::Spec;
use crate::step::{
    BootUnit, FileChange, GiveBack, Link, NetworkSettings, NewNetwork, PifRecord, Step, Switch,
    XapiBond,
};
use crate::xe::Pif;

/// What is known of a bond from before it was made; nothing where no record is left.
#[derive(Clone, Debug, Default)]
pub struct Recorded {
    /// The files that its changes wrote, as they were before the first.
    pub files: BTreeMap<String, Kind>,
    /// XAPI's records of the NICs.
    pub pifs: Vec<PifRecord>,
    /// The NICs in the kernel.
    pub links: Vec<Link>,
    /// Networks of NICs that XAPI keeps.
    pub networks: Vec<(Uuid, NetworkSettings)>,
    /// Bonds that XAPI made, with what their NICs were before.
    pub bonds: Vec<XapiBond>,
    /// Networks that were made for them.
    pub created: Vec<NewNetwork>,
}

impl Recorded {
    /// Whether XAPI's record of a NIC is among it.
    #[must_use]
    pub fn knows(&self, nic: &IfName) -> bool {
        self.pifs.iter().any(|record| record.device == *nic)
    }
}

/// The plan.
///
/// # Errors
/// When XAPI does not answer, or a file of the bond cannot be understood.
pub fn remove(
    spec: &Spec,
    nics: &[Nic],
    recorded: &Recorded,
    switch_to: Option<Backend>,
    inv: &Inventory,
) -> Result<Plan> {
    if spec.xapi_bond().is_some() {
        return xapi_bond::remove(spec, nics, recorded, inv);
    }
    if spec.managed().is_some() {
        return managed::remove(spec, nics, recorded, inv);
    }
    ensure!(inv.xapi.is_some(), "XAPI does not answer, and the NICs are to be given back to it");
    let mut steps = Vec::new();
    let bond = spec.bond.as_str();
    steps.extend(vlans::stand(spec, inv).map(Step::TakeVlanDown));
    if inv.kernel.bonds.contains_key(bond) || inv.kernel.devices.contains_key(bond) {
        steps.push(Step::TakeDown(device(spec, nics, inv)));
    }
    for (path, want) in files(spec, recorded, inv)? {
        let was = inv.file(&path).clone();
        let service = Service::of_bond(&spec.bond, inv.init);
        let block_of = paths::is_shared(&path).then(|| bond.to_string());
        let is_unit = path == service.file();
        if was.same_but_time(&want) && !(is_unit && is_enabled(&service, inv)) {
            continue;
        }
        let file = FileChange { path, was, want, block_of };
        steps.push(if is_unit {
            let was_enabled = is_enabled(&service, inv);
            Step::BootUnit(BootUnit { bond: spec.bond.clone(), service, file, was_enabled })
        } else {
            Step::File(file)
        });
    }
    for nic in nics.iter().filter(|nic| !nic.pif.as_ref().is_some_and(Pif::is_managed)) {
        steps.extend(give_back(nic, recorded, inv)?.map(Box::new).map(Step::GiveBack));
    }
    if let Some(to) = switch_to {
        switch(to, inv, &mut steps);
    }
    let scope = scope(spec, nics, inv, &steps);
    Ok(Plan { spec: spec.clone(), nics: nics.to_vec(), steps, scope, removes: true, adopts: false })
}

fn is_ifcfg(path: &str) -> bool {
    path.strip_prefix(paths::NETWORK_SCRIPTS).is_some_and(|name| name.contains("ifcfg-"))
}

/// Whether a file is one of the bond, or makes it at a boot: also what somebody made by hand, and
/// what a change of a bond found that had been adopted.
fn is_of_bond(path: &str, kind: &Kind, spec: &Spec, inv: &Inventory) -> bool {
    let bond = &spec.bond;
    let own = [
        paths::ifcfg(bond.as_str()),
        paths::routes(bond.as_str()),
        paths::modprobe_file(bond),
        Service::of_bond(bond, inv.init).file(),
    ];
    let makes = || {
        let text = String::from_utf8_lossy(kind.bytes().unwrap_or_default());
        let file = ifcfg::parse(&text);
        ["MASTER", "DEVICE"].iter().any(|key| file.get(key) == Some(bond.as_str()))
    };
    let tag = || vlans::is_of_tag(spec, path);
    is_ifcfg(path) && makes() || is_ours(kind) && (own.iter().any(|own| own == path) || tag())
}

/// The bond's files and what is to stand there.
fn files(spec: &Spec, recorded: &Recorded, inv: &Inventory) -> Result<Vec<(String, Kind)>> {
    let mut all: BTreeMap<String, Kind> = BTreeMap::new();
    let bond = &spec.bond;
    for (path, kind) in &inv.files {
        if is_of_bond(path, kind, spec, inv) {
            let before = recorded.files.get(path).filter(|was| !is_of_bond(path, was, spec, inv));
            all.insert(path.clone(), before.cloned().unwrap_or(Kind::Absent));
        } else if let Some(rest) = adoption::without_lines(path, kind, bond.as_str()) {
            all.insert(path.clone(), rest);
        }
    }
    // What others made of a file since is theirs.
    let missing = recorded.files.iter().filter(|(path, was)| {
        !paths::is_shared(path)
            && *inv.file(path) == Kind::Absent
            && **was != Kind::Absent
            && !is_of_bond(path, was, spec, inv)
    });
    all.extend(missing.map(|(path, was)| (path.clone(), was.clone())));
    if let Kind::File { bytes, mode, uid, gid, .. } = inv.file(paths::MODPROBE_CONF)
        && inv.reads_modprobe_conf()
        && let Some(rest) = modprobe::remove_block(bytes, bond.as_str())
            .with_context(|| format!("taking our lines out of {}", paths::MODPROBE_CONF))?
    {
        let before = recorded.files.get(paths::MODPROBE_CONF);
        let whole = before.filter(|was| was.bytes() == Some(&rest[..])).cloned();
        let want = whole.unwrap_or_else(|| {
            let (mode, uid, gid, xattrs) = (*mode, *uid, *gid, Default::default());
            Kind::File { bytes: rest, mode, uid, gid, mtime: None, xattrs }
        });
        all.insert(paths::MODPROBE_CONF.to_string(), want);
    }
    // The driver's configuration goes last: a boot between the two would load it without.
    let (driver, others): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|(path, _)| paths::is_modprobe(path));
    Ok([others, driver].concat())
}

pub(super) fn give_back(
    nic: &Nic,
    recorded: &Recorded,
    inv: &Inventory,
) -> Result<Option<GiveBack>> {
    let known = recorded.pifs.iter().find(|record| record.device == nic.device);
    let had = nic.pif.clone();
    let link = recorded.links.iter().find(|link| link.device == nic.device).cloned();
    if let Some(record) = known {
        // Another card under the name has nothing of what was recorded.
        let same = record.mac == nic.mac;
        return Ok(match &record.was {
            Some(was) if same && was.is_managed() => {
                Some(GiveBack { record: record.clone(), had, link })
            }
            _ => None,
        });
    }
    let host = inv.host_uuid().context("this host has no uuid")?;
    let (device, mac) = (nic.device.clone(), nic.mac);
    let record = PifRecord { host, device, mac, was: None, in_bridge: false };
    Ok(Some(GiveBack { record, had, link: None }))
}

/// The switch of the backend, and the reboot that it takes.
fn switch(to: Backend, inv: &Inventory, steps: &mut Vec<Step>) {
    let from = inv.network_conf.clone().unwrap_or(Backend::Other(String::new()));
    if from != to {
        let snapped =
            |path: &str| path.starts_with(paths::NETWORK_SCRIPTS) || Switch::is_its_own(path);
        // Not those of the bond, which are gone by then.
        let gone: Vec<String> =
            steps.iter().filter_map(Step::file).map(|file| file.path.clone()).collect();
        let mut files: Vec<Original> = inv
            .files
            .iter()
            .filter(|(path, _)| snapped(path) && !gone.contains(path))
            .map(|(path, was)| Original { path: path.clone(), was: was.clone() })
            .collect();
        for path in paths::BLACKLISTS {
            if !inv.files.contains_key(path) {
                files.push(Original { path: path.into(), was: Kind::Absent });
            }
        }
        steps.push(Step::SwitchBackend(Switch { from, to: to.clone(), files }));
    }
    if inv.running_backend().is_some_and(|running| running != to) {
        steps.push(Step::Reboot { backend: to });
    }
}
