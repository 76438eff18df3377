//! What is to be done: `(spec, inventory) -> steps`. A plan is a value; it is printed, saved,
//! compared and carried out. Pure.

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::host::{Kind, Original, Program};
use crate::ifcfg;
use crate::inventory::Inventory;
use crate::inventory::Nic;
use crate::inventory::facts::{self, Facts, Scope};
use crate::net::{Backend, IfName, Tagged};
use crate::order;
use crate::paths;
use crate::paths::is_shared;
use crate::preflight::{hides_its_mac, needs_reboot};
use crate::render::{self, Slave, Target, Templates, is_ours};
use crate::service::Service;
use crate::spec::{BackendChoice, Knob, PifChoice, Spec, TuningGroup};
use crate::step::{BondDevice, BootUnit, FileChange, Link, PifRecord, Step, Switch, Tuned};
use crate::verify;
use crate::xe::Pif;
use vlans::Vlans;

/// A plan for one host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// What was asked for.
    pub spec: Spec,
    /// The bond's slaves.
    pub nics: Vec<Nic>,
    /// What to do, in order.
    pub steps: Vec<Step>,
    /// What it has to do with.
    pub scope: Scope,
    /// Whether it takes the bond away for good.
    #[serde(default, skip_serializing_if = "is_not")]
    pub removes: bool,
    /// Whether it takes a bond over that somebody made by hand.
    #[serde(default, skip_serializing_if = "is_not")]
    pub adopts: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_not(flag: &bool) -> bool {
    !flag
}

/// The plan of a bond of which nothing was recorded before.
///
/// # Errors
/// As of [`change`].
pub fn build(
    spec: &Spec,
    nics: &[Option<Nic>],
    inv: &Inventory,
    templates: &Templates,
) -> Result<Plan> {
    change(spec, nics, &Recorded::default(), inv, templates)
}

/// The plan that makes this host as the spec wants it; one without steps when it is so already.
/// `recorded` is of NICs that may leave the bond.
///
/// # Errors
/// When the spec has a NIC that the host has not (preflight says so before), or a template does
/// not yield the spec.
pub fn change(
    spec: &Spec,
    nics: &[Option<Nic>],
    recorded: &Recorded,
    inv: &Inventory,
    templates: &Templates,
) -> Result<Plan> {
    let nics = all_of(spec, nics)?;
    if spec.xapi_bond().is_some() {
        return xapi_bond::change(spec, &nics, inv);
    }
    if spec.managed().is_some() {
        return managed::change(spec, &nics, inv);
    }
    let files = file_changes_of(spec, &nics, inv, templates)?;
    let pifs = pifs(spec, inv, &nics, spec.pif == PifChoice::Unmanaged)?;
    made_of(spec, nics, recorded, inv, files, pifs)
}

/// The plan that takes a bond over which somebody made by hand, as this spec says that it is.
///
/// # Errors
/// As of [`change`].
pub fn adopt(
    spec: &Spec,
    nics: &[Option<Nic>],
    inv: &Inventory,
    templates: &Templates,
) -> Result<Plan> {
    let nics = all_of(spec, nics)?;
    let files = adoption::changes(spec, &nics, inv, templates)?;
    // A NIC without any record is XAPI's again with the next scan.
    let pifs = pifs(spec, inv, &nics, spec.pif != PifChoice::Forget)?;
    let mut plan = made_of(spec, nics, &Recorded::default(), inv, files, pifs)?;
    // What is as it is to be already is recorded all the same.
    if plan.steps.is_empty() {
        plan.steps.push(verified(spec));
    }
    Ok(Plan { adopts: true, ..plan })
}

/// The NICs of a spec, all of which must be there.
fn all_of(spec: &Spec, nics: &[Option<Nic>]) -> Result<Vec<Nic>> {
    let nics: Vec<Nic> = nics.iter().flatten().cloned().collect();
    ensure!(nics.len() == spec.nics.len(), "not every NIC of the spec is on this host");
    Ok(nics)
}

fn verified(spec: &Spec) -> Step {
    Step::Verify { bond: spec.bond.to_string(), within: verify::limit(spec).as_secs() }
}

/// The plan with these changes of files and of XAPI's records.
fn made_of(
    spec: &Spec,
    nics: Vec<Nic>,
    recorded: &Recorded,
    inv: &Inventory,
    files: Vec<FileChange>,
    pifs: Vec<Step>,
) -> Result<Plan> {
    ensure!(inv.xapi.is_some(), "XAPI does not answer, and what it knows decides the steps");
    let device = device(spec, &nics, inv);
    let stands = inv.kernel.bonds.contains_key(spec.bond.as_str())
        || inv.kernel.devices.contains_key(spec.bond.as_str());
    let mut steps = Vec::new();
    backend(spec, inv, &mut steps);
    // No bond outlives a reboot.
    let reboots = steps.iter().any(|step| matches!(step, Step::Reboot { .. }));
    let unlike = verify::unlike(spec, &nics, inv);
    let live = live::steps(spec, &nics, inv, &unlike, &pifs).filter(|_| !reboots);
    let rebuild = live.is_none();
    let vlans = Vlans::of(spec, inv, &unlike, rebuild);
    // XAPI is done with before a bond that stands is touched, unless it is about its own NICs.
    let of_slave = |step: &Step| step.pif().is_some_and(|p| device.slaves.contains(&p.device));
    let (of_slaves, others) = pifs.into_iter().partition::<Vec<_>, _>(of_slave);
    steps.extend(others);
    steps.extend(vlans.take_down());
    if stands && rebuild {
        steps.push(Step::TakeDown(device.clone()));
    }
    steps.extend(of_slaves);
    for file in files {
        let service = Service::of_bond(&spec.bond, inv.init);
        steps.push(if file.path == service.file() {
            let was_enabled = is_enabled(&service, inv);
            Step::BootUnit(BootUnit { bond: spec.bond.clone(), service, file, was_enabled })
        } else {
            Step::File(file)
        });
    }
    match live {
        Some(live) => steps.extend(live),
        None => steps.push(Step::BringUp(device)),
    }
    steps.extend(vlans.bring_up());
    steps.extend(given_back(spec, &nics, recorded, inv)?);
    if !steps.is_empty() {
        steps.push(verified(spec));
    }
    let scope = scope(spec, &nics, inv, &steps);
    Ok(Plan { spec: spec.clone(), nics, steps, scope, removes: false, adopts: false })
}

/// The files that are not as the spec wants them on these NICs.
///
/// # Errors
/// When a template does not yield the spec.
pub fn file_changes_of(
    spec: &Spec,
    nics: &[Nic],
    inv: &Inventory,
    templates: &Templates,
) -> Result<Vec<FileChange>> {
    if spec.managed().is_some() {
        return Ok(Vec::new());
    }
    Ok(files(spec, inv, rendered(spec, nics, inv, templates)?))
}

/// The files as this spec has them on these NICs.
fn rendered(
    spec: &Spec,
    nics: &[Nic],
    inv: &Inventory,
    templates: &Templates,
) -> Result<Vec<(String, Kind)>> {
    let slave = |nic: &Nic| Slave { device: nic.device.clone(), mac: Some(nic.mac) };
    let slaves: Vec<Slave> = nics.iter().map(slave).collect();
    render::files(spec, &slaves, &target(inv), templates)
}

/// What kind of host the files are for.
fn target(inv: &Inventory) -> Target<'_> {
    let path = |program: Program, usual: &str| {
        inv.programs.get(&program).cloned().unwrap_or_else(|| usual.to_string())
    };
    Target {
        modprobe_conf: inv.reads_modprobe_conf().then(|| inv.file(paths::MODPROBE_CONF)),
        boot: (!inv.network_service).then_some(inv.init),
        ifup: path(Program::Ifup, "/sbin/ifup"),
        ifdown: path(Program::Ifdown, "/sbin/ifdown"),
        ip: path(Program::Ip, "/sbin/ip"),
    }
}

/// The bond's device, with what is to come back of those that take part.
fn device(spec: &Spec, nics: &[Nic], inv: &Inventory) -> BondDevice {
    let stands = inv.kernel.bond(spec.bond.as_str());
    let slaves = stands.map(|bond| bond.slaves).unwrap_or_default();
    let mut slaves: Vec<IfName> = slaves.iter().filter_map(|s| s.name.parse().ok()).collect();
    let mac = inv.kernel.bond_mac(spec.bond.as_str());
    order::sort_by_key(&mut slaves, |nic| {
        mac.is_some() && inv.kernel.permanent_mac(nic.as_str()) != mac
    });
    let attached = |nic: &Nic| nic.pif.as_ref().is_some_and(|p| p.attached);
    // XAPI brings up what it plugs, with the MTU of its network.
    let free = nics.iter().filter(|nic| !slaves.contains(&nic.device) && !attached(nic));
    let links = free.filter_map(|nic| {
        let kernel = inv.kernel.devices.get(nic.device.as_str())?;
        Some(Link { device: nic.device.clone(), mtu: kernel.mtu, up: kernel.up })
    });
    let tuned = tuned(spec, nics, inv);
    let links = links.collect();
    BondDevice { bond: spec.bond.clone(), slaves, mac, links, tuned }
}

/// The NICs that are to be tuned, with what they have of that now; how a link was come by belongs to
/// its speed.
fn tuned(spec: &Spec, nics: &[Nic], inv: &Inventory) -> Vec<Tuned> {
    let one = |nic: &Nic| {
        let asked = spec.ethtool.of(&nic.device, Some(nic.mac));
        let link = asked.iter().any(|(knob, _)| knob.group() == TuningGroup::Link);
        let of_link = |knob: Knob| link && knob.group() == TuningGroup::Link;
        let have = inv.tuning.get(nic.device.as_str())?;
        let was = have.only(|knob| asked.get(knob).is_some() || of_link(knob));
        (!was.is_empty()).then(|| Tuned { device: nic.device.clone(), was })
    };
    nics.iter().filter_map(one).collect()
}

fn backend(spec: &Spec, inv: &Inventory, steps: &mut Vec<Step>) {
    if spec.backend == BackendChoice::Keep {
        return;
    }
    let from = inv.network_conf.clone().unwrap_or(Backend::Other(String::new()));
    if from != Backend::Bridge {
        let is_snapped =
            |path: &str| path.starts_with(paths::NETWORK_SCRIPTS) || Switch::is_its_own(path);
        let mut files: Vec<Original> = inv
            .files
            .iter()
            .filter(|(path, _)| is_snapped(path))
            .map(|(path, was)| Original { path: path.clone(), was: was.clone() })
            .collect();
        for path in paths::BLACKLISTS {
            if !inv.files.contains_key(path) {
                files.push(Original { path: path.into(), was: Kind::Absent });
            }
        }
        steps.push(Step::SwitchBackend(Switch { from, to: Backend::Bridge, files }));
    }
    if needs_reboot(spec, inv) {
        steps.push(Step::Reboot { backend: Backend::Bridge });
    }
}

/// The steps about XAPI's records; `absent`: a NIC without one gets one that XAPI leaves alone.
fn pifs(spec: &Spec, inv: &Inventory, nics: &[Nic], absent: bool) -> Result<Vec<Step>> {
    let host = inv.host_uuid().context("this host has no uuid")?;
    let unmanaged = inv.xapi.as_ref().is_some_and(|xapi| xapi.keeps(spec.pif));
    let mut steps = Vec::new();
    for nic in nics {
        let record = PifRecord {
            host: host.clone(),
            device: nic.device.clone(),
            mac: nic.mac,
            was: nic.pif.clone(),
            in_bridge: inv.kernel.devices.get(nic.device.as_str()).is_some_and(|d| {
                d.master.as_ref().is_some_and(|m| !inv.kernel.bonds.contains_key(m))
            }),
        };
        let managed = nic.pif.as_ref().is_some_and(Pif::is_managed);
        if managed {
            steps.push(Step::ForgetPif(record.clone()));
        }
        let absent = absent && nic.pif.is_none() && !hides_its_mac(&nic.device, nic.mac, inv);
        if unmanaged && (managed || absent) {
            steps.push(Step::IntroduceUnmanaged(record));
        }
    }
    Ok(steps)
}

/// The files that must change: those of the bond that are not as rendered, and ours of NICs and
/// tags that are no longer its own.
fn files(spec: &Spec, inv: &Inventory, rendered: Vec<(String, Kind)>) -> Vec<FileChange> {
    let mut all = Vec::new();
    for (path, kind) in &inv.files {
        let text = String::from_utf8_lossy(kind.bytes().unwrap_or_default());
        let slave = path.starts_with(paths::NETWORK_SCRIPTS)
            && is_ours(kind)
            && ifcfg::parse(&text).get("MASTER") == Some(spec.bond.as_str());
        let tag = vlans::is_of_tag(spec, path) && is_ours(kind);
        let routes = *path == paths::routes(spec.bond.as_str()) && is_ours(kind);
        if (slave || tag || routes) && !rendered.iter().any(|(wanted, _)| wanted == path) {
            all.push((path.clone(), Kind::Absent));
        }
    }
    all.extend(rendered);
    all.into_iter()
        .map(|(path, want)| FileChange {
            was: inv.file(&path).clone(),
            block_of: is_shared(&path).then(|| spec.bond.to_string()),
            path,
            want,
        })
        .filter(|change| {
            let service = Service::of_bond(&spec.bond, inv.init);
            let unlinked = change.path == service.file() && !is_enabled(&service, inv);
            unlinked || !change.was.same_but_time(&change.want)
        })
        .collect()
}

fn is_enabled(service: &Service, inv: &Inventory) -> bool {
    *inv.file(&service.link()) != Kind::Absent
}

fn scope(spec: &Spec, nics: &[Nic], inv: &Inventory, steps: &[Step]) -> Scope {
    let mut devices: Vec<IfName> = nics.iter().map(|nic| nic.device.clone()).collect();
    // Slaves that the bond has now and is to lose come back with a rollback.
    let now = inv.kernel.bond(spec.bond.as_str()).map(|bond| bond.slaves).unwrap_or_default();
    devices.extend(now.iter().filter_map(|slave| slave.name.parse().ok()));
    let mut paths = vec![paths::NETWORK_CONF.to_string()];
    for step in steps {
        if let Some(change) = step.file() {
            paths.push(change.path.clone());
        }
        match step {
            Step::SwitchBackend(switch) => {
                paths.extend(switch.files.iter().map(|f| f.path.clone()))
            }
            Step::BootUnit(unit) => paths.push(unit.service.link()),
            _ => {}
        }
    }
    order::sort(&mut paths);
    paths.dedup();
    order::sort(&mut devices);
    devices.dedup();
    let mut vlans: Vec<Tagged> = spec.tagged().cloned().chain(vlans::made(spec, inv)).collect();
    order::sort(&mut vlans);
    vlans.dedup();
    let tuned = tuned(spec, nics, inv).into_iter();
    let tuned = tuned.flat_map(|nic| {
        let knobs: Vec<Knob> = nic.was.iter().map(|(knob, _)| knob).collect();
        knobs.into_iter().map(move |knob| (nic.device.clone(), knob))
    });
    Scope {
        bond: spec.bond.clone(),
        nics: devices,
        paths,
        subnet: spec.address.map(|address| address.subnet()),
        vlans,
        further: spec.vlans.iter().map(|vlan| vlan.address.subnet()).collect(),
        bridge: None,
        network: None,
        named: None,
        tuned: tuned.collect(),
    }
}

impl Plan {
    /// Every file that a step may change, as it was.
    pub fn originals(&self) -> impl Iterator<Item = Original> {
        self.steps.iter().flat_map(|step| {
            let mut all = match step {
                Step::SwitchBackend(switch) => switch.files.clone(),
                _ => Vec::new(),
            };
            all.extend(step.file().map(|f| Original { path: f.path.clone(), was: f.was.clone() }));
            all
        })
    }

    /// The facts that it rests on, as they are in this inventory.
    #[must_use]
    pub fn facts(&self, inv: &Inventory) -> Facts {
        facts::of(inv, &self.scope)
    }

    /// Whether a reboot is among its steps.
    #[must_use]
    pub fn reboots(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Reboot { .. }))
    }

    /// The numbers of the steps that switch the backend.
    pub fn switches(&self) -> impl Iterator<Item = usize> {
        let steps = self.steps.iter().zip(1..);
        steps.filter(|(step, _)| matches!(step, Step::SwitchBackend(_))).map(|(_, number)| number)
    }

    /// The backend before a step, where that switches it.
    #[must_use]
    pub fn switched_from(&self, number: usize) -> Option<&Backend> {
        match self.steps.get(number.checked_sub(1)?)? {
            Step::SwitchBackend(switch) => Some(&switch.from),
            _ => None,
        }
    }

    /// About how long its steps take on a host in good health, in seconds, without a reboot.
    #[must_use]
    pub fn seconds(&self) -> u64 {
        self.steps.iter().map(Step::seconds).sum()
    }
}

mod adoption;
mod effects;
mod leaving;
mod live;
mod managed;
mod removal;
mod saved;
mod vlans;
mod xapi_bond;

use leaving::given_back;
pub use leaving::{leaving, not_given_back};
pub use removal::{Recorded, remove};
pub use saved::SavedPlan;

#[cfg(test)]
mod tests;
