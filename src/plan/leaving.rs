//! NICs that leave a bond: given back to XAPI as they were recorded, or kept where nothing is. Pure.

use anyhow::Result;

use super::removal::{Recorded, give_back};
use crate::ifcfg;
use crate::inventory::{Inventory, Nic};
use crate::net::IfName;
use crate::order;
use crate::paths;
use crate::render::is_ours;
use crate::spec::Spec;
use crate::step::Step;
use crate::xe::Pif;

/// The slaves that the bond has, by the kernel or by files of ours, and is not to have any more,
/// and that XAPI does not manage.
#[must_use]
pub fn leaving(spec: &Spec, nics: &[Nic], inv: &Inventory) -> Vec<Nic> {
    if spec.managed().is_some() {
        return Vec::new();
    }
    let bond = spec.bond.as_str();
    let status = inv.kernel.bond(bond);
    let mut names: Vec<String> =
        status.into_iter().flat_map(|s| s.slaves).map(|slave| slave.name).collect();
    for (path, kind) in inv.files.iter().filter(|(_, kind)| is_ours(kind)) {
        let text = String::from_utf8_lossy(kind.bytes().unwrap_or_default());
        let name =
            path.strip_prefix(paths::NETWORK_SCRIPTS).and_then(|n| n.strip_prefix("/ifcfg-"));
        if let Some(name) = name.filter(|_| ifcfg::parse(&text).get("MASTER") == Some(bond)) {
            names.push(name.to_string());
        }
    }
    order::sort(&mut names);
    names.dedup();
    let one = |name: &String| {
        let device: IfName = name.parse().ok()?;
        let mac = inv.kernel.permanent_mac(name)?;
        let pif = inv.xapi.as_ref().and_then(|xapi| xapi.nic(name)).cloned();
        let stays = nics.iter().any(|nic| nic.device == device);
        let managed = pif.as_ref().is_some_and(Pif::is_managed);
        (!stays && !managed).then_some(Nic { device, mac, pif })
    };
    names.iter().filter_map(one).collect()
}

/// The steps that give those of them back of which something was recorded.
pub(super) fn given_back(
    spec: &Spec,
    nics: &[Nic],
    recorded: &Recorded,
    inv: &Inventory,
) -> Result<Vec<Step>> {
    let mut steps = Vec::new();
    for nic in leaving(spec, nics, inv).iter().filter(|nic| recorded.knows(&nic.device)) {
        steps.extend(give_back(nic, recorded, inv)?.map(Box::new).map(Step::GiveBack));
    }
    Ok(steps)
}

/// The others, which are kept as they are.
#[must_use]
pub fn not_given_back(
    spec: &Spec,
    nics: &[Option<Nic>],
    recorded: &Recorded,
    inv: &Inventory,
) -> Vec<Nic> {
    let nics: Vec<Nic> = nics.iter().flatten().cloned().collect();
    let mut all = leaving(spec, &nics, inv);
    all.retain(|nic| !recorded.knows(&nic.device));
    all
}
