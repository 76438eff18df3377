//! The rows of a bond that the kernel's driver carries. `xe` succeeds whatever the driver refuses,
//! so each setting is looked at (tests/ground/managed.md, C3 and G3). Pure.

use super::{AGAIN, DOWNDELAY, UPDELAY, active, mode};
use crate::inventory::{Kernel, Managed, Nic};
use crate::net::BondMode;
use crate::options::Opt;
use crate::paths;
use crate::verify::check::witnesses;
use crate::verify::kernel::{bond_link, driver, equal_links, slave, slaves};
use crate::verify::{Check, Setting, lacp};

/// Every check of the driver's bond.
pub(super) fn rows(bond: &Managed, nics: &[Nic], kernel: &Kernel) -> Vec<Check> {
    let name = bond.device.as_str();
    let Some(status) = kernel.bond(name) else {
        return vec![
            Check::new(Setting::Bond(bond.device.clone()), "there", Some("not there".into()))
                .because(format!(
                    "{} is missing, whatever XAPI says: xe-toolstack-restart",
                    paths::proc_bonding(name)
                )),
        ];
    };
    let mut checks = vec![driver(&status), mode(bond, status.mode, status.mode_text.as_ref())];
    let usual = [
        (Opt::Miimon, "miimon", 100),
        (Opt::Updelay, "updelay", UPDELAY),
        (Opt::Downdelay, "downdelay", DOWNDELAY),
        (Opt::UseCarrier, "use_carrier", 1),
    ];
    for (opt, key, usual) in usual {
        let row = opt.row();
        let want = bond.setting(key, usual).map_or("?".into(), |n| row.normal(&n.to_string()));
        let proc = row.proc.and_then(|read| read(&status)).map(|text| row.normal(&text));
        let sys = kernel.bond_option(name, row.name).map(|text| row.normal(text));
        // Drivers of today have no such option any more: they do as it says.
        if opt == Opt::UseCarrier && proc.is_none() && sys.is_none() {
            continue;
        }
        let (have, contradiction) = witnesses(proc, sys);
        let hint = contradiction.unwrap_or_else(|| {
            "the driver did not take it, which XAPI only logs; `dmesg | grep bond` tells why".into()
        });
        checks.push(Check::new(Setting::Option(opt), want, have).because(hint));
    }
    checks.push(slaves(name, nics, &status, kernel).because(AGAIN));
    nics.iter().for_each(|nic| checks.extend(slave(false, nic, &status, kernel)));
    checks.extend(equal_links(nics, &status, kernel));
    checks.push(bond_link(&bond.device, &status, kernel));
    if status.mode == Some(BondMode::ActiveBackup) {
        checks.push(active(status.active_slave.as_ref(), status.primary.as_ref()));
    }
    if bond.mode() == Some(BondMode::Ieee8023ad) {
        checks.extend(lacp::rows(nics, &status));
    }
    if let Some(bridge) = bond.bridge() {
        let have = kernel.devices.get(name).map(|d| d.master.clone().unwrap_or("none".into()));
        checks.push(Check::new(Setting::Bridge(bond.device.clone()), bridge, have).because(AGAIN));
    }
    checks
}
