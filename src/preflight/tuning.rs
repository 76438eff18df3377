//! The settings of the NICs: whether they can be set, and what XAPI sets now.

use super::{Case, Code, Finding, Rule, XapiRule};
use crate::host::Program;
use crate::inventory::Xapi;
use crate::net::shown;
use crate::spec::{Tune, TuningGroup};
use crate::xe::Pif;

pub(super) const RULES: &[Rule] = &[unsupported];
pub(super) const XAPI_RULES: &[XapiRule] = &[tuned_by_xapi];

/// The boot scripts hand settings to `ethtool` and throw its status away
/// (tests/ground/initscripts.md, J1).
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
        let Some(pif) = nic.pif.as_ref().filter(|pif| Pif::is_managed(pif)) else { continue };
        let asked = case.spec.ethtool.of(&nic.device, Some(nic.mac));
        let (mut lost, mut flags) = (Vec::new(), Vec::new());
        for (key, value) in &pif.other_config {
            let setting = key.strip_prefix("ethtool-");
            let tune = setting.and_then(|name| tune(nic.device.as_str(), name, value));
            if tune.as_ref().is_some_and(|tune| asked.get(tune.knob).is_some())
                || key == "mtu" && case.spec.mtu.is_some()
                || setting.is_none() && key != "mtu"
            {
                continue;
            }
            lost.push(format!("{}={}", shown(key), shown(value)));
            match tune {
                Some(tune) => flags.push(format!("--ethtool '{tune}'")),
                None if key == "mtu" => flags.push(format!("--mtu {}", shown(value))),
                None => {}
            }
        }
        if lost.is_empty() {
            continue;
        }
        let said = format!(
            "XAPI sets {} on {}, and no longer once it leaves the NIC alone",
            lost.join(", "),
            nic.device
        );
        let finding = Finding::new(Code::NicTunedByXapi, said);
        found.push(match flags.is_empty() {
            true => finding,
            false => finding.hint(format!("to keep it: {}", flags.join(" "))),
        });
    }
}

/// What XAPI's key would be in a spec.
fn tune(device: &str, name: &str, value: &str) -> Option<Tune> {
    let value = match value {
        "true" => "on",
        "false" => "off",
        other => other,
    };
    format!("{device} {name} {value}").parse().ok()
}
