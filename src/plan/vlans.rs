//! Which tagged networks a change takes down and which it brings up. Pure.

use crate::inventory::Inventory;
use crate::net::Tagged;
use crate::order;
use crate::paths;
use crate::render::is_ours;
use crate::spec::Spec;
use crate::step::{Step, VlanDevice};
use crate::verify::Setting;

/// The tags of a bond in a change.
pub(super) struct Vlans {
    down: Vec<Tagged>,
    up: Vec<Tagged>,
}

/// Whether a file is one that the boot scripts read for a tag of a bond.
pub(super) fn is_of_tag(spec: &Spec, path: &str) -> bool {
    of_path(path).is_some_and(|tagged| *tagged.below() == spec.bond)
}

fn of_path(path: &str) -> Option<Tagged> {
    let name = path.strip_prefix(paths::NETWORK_SCRIPTS)?;
    name.strip_prefix("/ifcfg-").or_else(|| name.strip_prefix("/route-"))?.parse().ok()
}

/// The tags of a bond that have a file of ours.
pub(super) fn made(spec: &Spec, inv: &Inventory) -> Vec<Tagged> {
    let ours = inv.files.iter().filter(|(_, kind)| is_ours(kind));
    let ours = ours.filter(|(path, _)| !path.contains("/route-"));
    ours.filter_map(|(path, _)| of_path(path)).filter(|tag| *tag.below() == spec.bond).collect()
}

/// The tags of a bond that stand, by its files or by the spec.
pub(super) fn stand(spec: &Spec, inv: &Inventory) -> impl Iterator<Item = VlanDevice> {
    let mut all = made(spec, inv);
    all.extend(spec.tagged().cloned());
    order::sort(&mut all);
    all.dedup();
    all.retain(|tag| inv.kernel.devices.contains_key(tag.as_str()));
    all.into_iter().map(|device| VlanDevice { device })
}

/// Whether all that is not as asked of a tag can be put right while it is up.
pub(super) fn may_stay_up(spec: &Spec, tag: &Tagged, unlike: &[Setting]) -> bool {
    let mut own = unlike.iter().filter(|setting| setting.tag(spec) == Some(tag));
    own.all(|setting| {
        matches!(
            setting,
            Setting::Address | Setting::VlanAddress(_) | Setting::VlanMtu(_) | Setting::Route(_)
        )
    })
}

impl Vlans {
    /// The tags that a change has to do with; `rebuild`: the bond is made anew.
    pub(super) fn of(spec: &Spec, inv: &Inventory, unlike: &[Setting], rebuild: bool) -> Self {
        let stands = |tag: &Tagged| inv.kernel.devices.contains_key(tag.as_str());
        let new = |tag: &&Tagged| rebuild || !may_stay_up(spec, tag, unlike);
        let up: Vec<Tagged> = spec.tagged().filter(new).cloned().collect();
        let asked = |tag: &Tagged| spec.tagged().any(|asked| asked == tag);
        let mut down = made(spec, inv);
        down.retain(|tag| stands(tag) && (up.contains(tag) || rebuild || !asked(tag)));
        Self { down, up }
    }

    /// The steps that come before anything of the bond is touched.
    pub(super) fn take_down(&self) -> impl Iterator<Item = Step> {
        let step = |tag: &Tagged| Step::TakeVlanDown(VlanDevice { device: tag.clone() });
        self.down.iter().map(step)
    }

    /// The steps that come when the bond stands.
    pub(super) fn bring_up(&self) -> impl Iterator<Item = Step> {
        let step = |tag: &Tagged| Step::BringVlanUp(VlanDevice { device: tag.clone() });
        self.up.iter().map(step)
    }
}
