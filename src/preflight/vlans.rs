//! Tagged networks: whether their devices can be made here, and are nobody else's.

use super::{Case, Code, Finding, Rule, modules, vlan_is_ours};

pub(super) const RULES: &[Rule] = &[taken, unsupported, blocked];

/// The module that makes them.
const MODULE: &str = "8021q";

/// A device of such a name, or the tag on the bond under another one, which nobody of ours made.
fn taken(case: &Case<'_>, found: &mut Vec<Finding>) {
    let kernel = &case.inv.kernel;
    for tagged in case.spec.tagged().filter(|tag| !vlan_is_ours(case.inv, tag.as_str())) {
        if let Some(device) = kernel.devices.get(tagged.as_str()) {
            let said = format!(
                "the kernel has a {} called {tagged}, and xenbond did not make it",
                device.kind.word()
            );
            let hint = format!("what is on it? ip link delete dev {tagged}");
            found.push(Finding::new(Code::VlanTaken, said).hint(hint));
            continue;
        }
        let on = kernel.vlans_on(tagged.below().as_str());
        let same = |(_, tag): &&(&str, u32)| *tag == tagged.tag().number();
        if let Some((other, tag)) = on.iter().find(same) {
            let said = format!("tag {tag} on {} is the device {other} already", tagged.below());
            let hint = format!("what is on it? ip link delete dev {other}");
            found.push(Finding::new(Code::VlanTaken, said).hint(hint));
        }
    }
}

fn unsupported(case: &Case<'_>, found: &mut Vec<Finding>) {
    if case.spec.tagged().next().is_none() {
        return;
    }
    if case.inv.has_vlans == Some(false) {
        let said = format!("this kernel has no module {MODULE}: modinfo does not find it");
        found.push(Finding::new(Code::VlanUnsupported, said));
    }
    if case.inv.ground.no_vconfig {
        let said = "the boot scripts make VLANs by /sbin/vconfig, and it is not there";
        found.push(Finding::new(Code::VlanUnsupported, said).hint("install vconfig again"));
    }
}

/// The boot scripts load the module by its name, which `install` and `alias` lines turn aside.
fn blocked(case: &Case<'_>, found: &mut Vec<Finding>) {
    if case.spec.tagged().next().is_none() {
        return;
    }
    for kept in modules::read(case, None).keep_out(MODULE) {
        if kept.line.starts_with("blacklist ") {
            continue;
        }
        let (line, path) = (kept.line.escape_debug(), &kept.path);
        let said = format!("`{line}` in {path} keeps the module of VLANs from loading");
        found.push(
            Finding::new(Code::VlanBlocked, said).hint(format!("remove that line from {path}")),
        );
    }
}
