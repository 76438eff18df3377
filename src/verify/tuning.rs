//! The settings of the NICs: what was asked for against what `ethtool` shows. Knows no other
//! witness.

use super::{Check, Setting};
use crate::inventory::Nic;
use crate::spec::{Settings, Spec, TuningGroup};

/// A row for each setting that was asked for; `have` says how a device is tuned.
pub(super) fn rows(spec: &Spec, nics: &[Nic], have: &dyn Fn(&str) -> Settings) -> Vec<Check> {
    let mut checks = Vec::new();
    for nic in nics {
        let device = &nic.device;
        let asked = spec.ethtool.of(device, Some(nic.mac));
        if asked.is_empty() {
            continue;
        }
        let have = have(device.as_str());
        for (knob, want) in asked.iter() {
            let shows = knob.group().show(device.as_str()).join(" ");
            let have = have.get(knob).map(String::from);
            let check = Check::new(Setting::Tuned(device.clone(), knob), want, have);
            // The two ends of a link agree in their own time.
            let check = if knob.group() == TuningGroup::Link { check.settling() } else { check };
            checks
                .push(check.because(format!("what its driver takes is shown by: ethtool {shows}")));
        }
    }
    checks
}
