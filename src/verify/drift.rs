//! What may have become of a bond behind xenbond's back, and does not come right by waiting: XAPI
//! has taken a NIC back, files are gone, the backend is to be another one. Pure.

use std::collections::BTreeMap;

use super::kernel::carries_more;
use super::{Check, Setting, kept};
use crate::host::Kind;
use crate::ifcfg;
use crate::inventory::Inventory;
use crate::inventory::Nic;
use crate::modprobe;
use crate::net::{Backend, IfName};
use crate::paths;
use crate::paths::is_shared;
use crate::render::is_ours;
use crate::service::Service;
use crate::spec::{BackendChoice, PifChoice, Spec};
use crate::step::FileChange;
use crate::xe::Pif;

/// The hint where only XAPI could tell.
const SILENT: &str = "XAPI does not answer: xe host-list";

/// The checks that waiting does not change: XAPI's view, the backend, and the files for the next
/// boot.
pub(super) fn settled(
    spec: &Spec,
    nics: &[Nic],
    inv: &Inventory,
    changed: &[FileChange],
) -> Vec<Check> {
    if spec.managed().is_some() {
        return kept::settled(spec, nics, inv);
    }
    let unclear =
        |device: &str| inv.xapi.as_ref().is_some_and(|xapi| xapi.odd_of(device).is_some());
    let mut checks = xapi(nics, inv.xapi.as_ref().map(|x| x.pifs.as_slice()), &unclear);
    checks.extend(unmanaged(spec, nics, inv));
    checks.extend(backend(spec, inv));
    checks.extend(changed.iter().map(file));
    let paths: Vec<String> = changed.iter().map(|c| c.path.clone()).collect();
    checks.push(next_boot(spec, inv, &paths));
    checks.extend(carries_more(spec, &inv.kernel));
    checks
}

/// The checks of XAPI: it must leave the NICs alone. A record that is `unclear` is no proof that
/// there is none.
pub(super) fn xapi(
    nics: &[Nic],
    pifs: Option<&[Pif]>,
    unclear: &dyn Fn(&str) -> bool,
) -> Vec<Check> {
    nics.iter()
        .map(|nic| {
            let managed = |pif: &Pif| {
                pif.is_nic() && pif.device == nic.device.as_str() && pif.is_managed()
            };
            let clear = !unclear(nic.device.as_str());
            let have = pifs.filter(|_| clear).map(|all| if all.iter().any(managed) { "managed by XAPI" } else { "not managed by XAPI" }.to_string());
            Check::new(Setting::InXapi(nic.device.clone()), "not managed by XAPI", have)
                .because(match pifs {
                    None => SILENT,
                    Some(_) if !clear => "its record in XAPI was not understood: xenbond plan names it",
                    Some(_) => "XAPI has taken the NIC back, as a rescan does, and would plug it at boot: xenbond apply again",
                })
        })
        .collect()
}

/// What the next boot will do: `missing` are the files that are not as rendered.
fn next_boot(spec: &Spec, inv: &Inventory, missing: &[String]) -> Check {
    let how = if inv.network_service { "the network service" } else { "its own service" };
    let want = format!("{} is started by {how}", spec.bond);
    let have = if missing.is_empty() {
        want.clone()
    } else {
        format!("not as rendered: {}", missing.join(", "))
    };
    Check::new(Setting::NextBoot, want, Some(have)).because("xenbond apply writes the files again")
}

/// Where the NIC was to be introduced as unmanaged, a rescan adopts it when that record is gone.
fn unmanaged(spec: &Spec, nics: &[Nic], inv: &Inventory) -> Vec<Check> {
    let Some(xapi) = inv.xapi.as_ref().filter(|_| spec.pif == PifChoice::Unmanaged) else {
        return Vec::new();
    };
    let one = |nic: &Nic| {
        let have = match xapi.nic(nic.device.as_str()) {
            Some(pif) if !pif.is_managed() => "an unmanaged PIF",
            Some(_) => "a managed PIF",
            None => "no PIF",
        };
        Check::new(Setting::RecordInXapi(nic.device.clone()), "an unmanaged PIF", Some(have.into()))
            .because("a rescan adopts a NIC that has no record: xenbond apply again")
    };
    nics.iter().map(one).collect()
}

fn backend(spec: &Spec, inv: &Inventory) -> Vec<Check> {
    if spec.backend == BackendChoice::Keep {
        return Vec::new();
    }
    let word = |backend: Option<Backend>| backend.map(|backend| backend.to_string());
    let want = Backend::Bridge.to_string();
    let running = inv.running_backend();
    let hint = match running {
        Some(_) => "the bonding driver is not to be used beside Open vSwitch: xenbond apply again",
        None => SILENT,
    };
    vec![
        Check::new(Setting::RunningBackend, want.clone(), word(running)).because(hint),
        Check::new(Setting::NextBackend, want, word(inv.network_conf.clone()))
            .because("someone has switched it since: xe-switch-network-backend bridge"),
    ]
}

fn file(change: &FileChange) -> Check {
    let want = if change.want == Kind::Absent { "not there" } else { "as written" };
    let have = match &change.was {
        Kind::Absent => "missing",
        Kind::Link { .. } | Kind::Other => "no plain file",
        Kind::File { .. } if change.was.same_but_time(&change.want) => "not enabled",
        Kind::File { .. } if change.want == Kind::Absent => "there",
        Kind::File { .. } if is_shared(&change.path) => "without our block, or with another",
        Kind::File { .. } => "changed",
    };
    Check::new(Setting::File(change.path.clone()), want, Some(have.into())).because(
        match &change.was {
            Kind::Absent => {
                "an upgrade, or the switch script of releases up to 8.0, has deleted it: xenbond apply writes it again"
            }
            _ => "someone has changed it since: xenbond apply writes it again",
        },
    )
}

/// The bond configurations of ours that no record has, each with the parts that it has lost: what
/// an upgrade or a cleaner leaves.
#[must_use]
pub fn leftovers(inv: &Inventory, known: &[&IfName]) -> BTreeMap<IfName, Vec<Check>> {
    let mut slaves: BTreeMap<IfName, Vec<IfName>> = BTreeMap::new();
    for (path, kind) in &inv.files {
        let Some(name) = path.strip_prefix(&format!("{}/", paths::NETWORK_SCRIPTS)) else {
            continue;
        };
        let device = name.strip_prefix("ifcfg-").and_then(|d| d.parse::<IfName>().ok());
        let (Some(device), true) = (device, is_ours(kind)) else { continue };
        let text = String::from_utf8_lossy(kind.bytes().unwrap_or_default()).into_owned();
        match ifcfg::parse(&text).get("MASTER").and_then(|m| m.parse().ok()) {
            Some(bond) => slaves.entry(bond).or_default().push(device),
            None => drop(slaves.entry(device).or_default()),
        }
    }
    for (path, kind) in &inv.files {
        let bond = path
            .strip_prefix(&format!("{}/", paths::MODPROBE_D))
            .and_then(|f| f.strip_suffix(".conf"))
            .or_else(|| {
                let unit = path.strip_prefix(paths::SYSTEMD_UNITS)?.strip_prefix('/')?;
                unit.strip_prefix(paths::SERVICE_PREFIX)?.strip_suffix(".service")
            })
            .filter(|_| *path != Service::of_resume(inv.init).file());
        if let Some(bond) = bond.and_then(|b| b.parse().ok())
            && is_ours(kind)
        {
            slaves.entry(bond).or_default();
        }
    }
    slaves.retain(|bond, _| !known.contains(&bond));
    let mut left = BTreeMap::new();
    left.extend(slaves.into_iter().map(|(bond, of)| (bond.clone(), parts(inv, &bond, &of))));
    left
}

fn parts(inv: &Inventory, bond: &IfName, slaves: &[IfName]) -> Vec<Check> {
    let part = |what: Setting, there: bool| {
        Check::new(what, "there", Some(if there { "there" } else { "missing" }.into())).because(
            format!("{bond} has lost this part: xenbond apply with its spec writes it again"),
        )
    };
    let ours = |path: String| {
        let there = is_ours(inv.file(&path));
        part(Setting::File(path), there)
    };
    let mut checks = vec![ours(paths::ifcfg(bond.as_str()))];
    checks.extend(slaves.iter().map(|slave| ours(paths::ifcfg(slave.as_str()))));
    let now = inv.kernel.bond(bond.as_str()).map(|status| status.slaves).unwrap_or_default();
    for slave in now.iter().filter_map(|s| s.name.parse::<IfName>().ok()) {
        if !slaves.contains(&slave) {
            checks.push(ours(paths::ifcfg(slave.as_str())));
        }
    }
    if slaves.len() < 2 && now.is_empty() {
        let have = format!("{} of them", slaves.len());
        checks.push(
            Check::new(Setting::SlaveFiles(bond.clone()), "two or more", Some(have))
                .because("xenbond apply with its spec writes them again"),
        );
    }
    if inv.reads_modprobe_conf() {
        let conf = inv.file(paths::MODPROBE_CONF).bytes().unwrap_or_default();
        let block = modprobe::block(conf, bond.as_str()).ok().flatten().is_some();
        checks.push(part(Setting::Block(paths::MODPROBE_CONF.into()), block));
    } else {
        checks.push(ours(paths::modprobe_file(bond)));
    }
    if !inv.network_service {
        let service = Service::of_bond(bond, inv.init);
        checks.push(ours(service.file()));
        let link = service.link();
        let there = *inv.file(&link) != Kind::Absent;
        checks.push(part(Setting::File(link), there));
    }
    checks
}
