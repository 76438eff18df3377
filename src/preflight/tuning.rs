//! The settings of the NICs: whether they can be set, and what XAPI sets now.

use std::collections::BTreeSet;

use super::{Case, Code, Finding, Rule, XapiRule};
use crate::host::Program;
use crate::inventory::{Inventory, Nic, Xapi, resolve};
use crate::net::shown;
use crate::spec::{Knob, Spec, TuningGroup};
use crate::xe::Pif;

pub(super) const RULES: &[Rule] = &[unsupported];
pub(super) const XAPI_RULES: &[XapiRule] = &[tuned_by_xapi];

/// The boot scripts hand settings to `ethtool` and throw its status away
/// (tests/ground/initscripts.md, K1).
fn unsupported(case: &Case<'_>, found: &mut Vec<Finding>) {
    let (spec, inv) = (case.spec, case.inv);
    let mut add = |said: String| found.push(Finding::new(Code::NicTuningUnsupported, said));
    if spec.ethtool.is_empty() {
        return;
    }
    if !inv.programs.contains_key(&Program::Ethtool) {
        return add("there is no ethtool on this host, by which the boot scripts tune a NIC".into());
    }
    for nic in case.found() {
        let (device, have) = (&nic.device, inv.tuning.get(nic.device.as_str()));
        for (knob, _) in spec.ethtool.of(device, Some(nic.mac)).iter() {
            let link = knob.group() == TuningGroup::Link;
            if !link && inv.ground.ethtool_set == Some(false) {
                add(format!(
                    "the boot scripts of this host set speed, duplex and autoneg of a NIC and nothing else: not {knob} of {device}"
                ));
            } else if !link && have.is_none_or(|have| have.get(knob).is_none()) {
                // Nothing is agreed on, and so nothing shown, while there is no link.
                add(format!("ethtool shows no {knob} of {device}: its driver does not have it"));
            }
        }
    }
}

/// A PIF's `other-config`, which a forget loses (tests/ground/xapi.md, B4).
fn tuned_by_xapi(case: &Case<'_>, _: &Xapi, found: &mut Vec<Finding>) {
    for nic in case.found() {
        let Some(pif) = managed(nic) else { continue };
        let asked = case.spec.ethtool.of(&nic.device, Some(nic.mac));
        let (mut lost, mut flags) = (Vec::new(), Vec::new());
        for (key, value, tuned) in by_ethtool(pif) {
            if tuned.is_some_and(|(knob, _)| asked.get(knob).is_some()) {
                continue;
            }
            lost.push(format!("{}={}", shown(key), shown(value)));
            flags.extend(tuned.map(|(knob, value)| {
                format!("--ethtool '{} {knob} {}'", nic.device, shown(value))
            }));
        }
        if let Some(mtu) = pif.other_config.get("mtu").filter(|_| case.spec.mtu.is_none()) {
            lost.push(format!("mtu={}", shown(mtu)));
            flags.push(format!("--mtu {}", shown(mtu)));
        }
        if lost.is_empty() {
            continue;
        }
        let said = format!(
            "XAPI sets {} on {}, which ends when it no longer manages the NIC",
            lost.join(", "),
            nic.device
        );
        let finding = Finding::new(Code::NicTunedByXapi, said);
        found.push(match flags.is_empty() {
            true => finding,
            false => finding.hint(format!("to keep it: --keep-ethtool, or {}", flags.join(" "))),
        });
    }
}

fn managed(nic: &Nic) -> Option<&Pif> {
    nic.pif.as_ref().filter(|pif| pif.is_managed())
}

/// The keys by which XAPI tunes a NIC with their values, and what each would be in a spec.
fn by_ethtool(pif: &Pif) -> impl Iterator<Item = (&str, &str, Option<(Knob, &str)>)> {
    pif.other_config.iter().filter_map(|(key, value)| {
        let name = key.strip_prefix("ethtool-")?;
        Some((key.as_str(), value.as_str(), tuned(name, value)))
    })
}

/// What XAPI's key would be in a spec.
fn tuned<'a>(name: &str, value: &'a str) -> Option<(Knob, &'a str)> {
    let value = match value {
        "true" => "on",
        "false" => "off",
        other => other,
    };
    Some((Knob::named(name)?, value))
}

/// The spec with what XAPI sets on its NICs taken over, where that is asked for. A NIC that XAPI no
/// longer manages keeps what was taken over as it left XAPI. What the spec says itself wins, and
/// what does not go with it stays a note.
#[must_use]
pub fn keep_tuned(mut spec: Spec, inv: &Inventory) -> Spec {
    if !std::mem::take(&mut spec.keep_ethtool) {
        return spec;
    }
    let before = inv.transaction.as_ref().map(|t| &t.spec).filter(|was| was.bond == spec.bond);
    let mut mtus = BTreeSet::new();
    for nic in resolve(&spec, inv).iter().flatten() {
        let (device, mac) = (&nic.device, nic.mac);
        if let Some(pif) = managed(nic) {
            for (knob, value) in by_ethtool(pif).filter_map(|(_, _, tuned)| tuned) {
                spec.ethtool.take_over(device, mac, knob, value);
            }
            mtus.insert(pif.other_config.get("mtu").cloned());
        } else if let Some(before) = before {
            for (knob, value) in before.ethtool.of(device, Some(mac)).iter() {
                spec.ethtool.take_over(device, mac, knob, value);
            }
            mtus.insert(before.mtu.map(|mtu| mtu.to_string()));
        }
    }
    // A bond has one for all of them.
    if let (Some(Some(mtu)), 1) = (mtus.first(), mtus.len()) {
        spec.take_over_mtu(mtu);
    }
    spec
}
