//! Which NICs of a host are free for a bond, and which of them would go together. Must not know how
//! that is printed.

use anyhow::{Result, bail};
use serde::Serialize;

use super::nics::{self, NicView};
use crate::host::Host;
use crate::inventory::{Ask, Inventory, resolve};
use crate::order;
use crate::preflight::{self, Finding, Severity};
use crate::spec::{NicRef, Raw, Spec};

/// The NICs of a host with a view to a bond.
#[derive(Clone, Debug, Serialize)]
pub struct Candidates {
    /// The host's name.
    pub host: Option<String>,
    /// Those that nothing holds.
    pub free: Vec<NicView>,
    /// The others, each with what holds it.
    pub held: Vec<NicView>,
    /// A name that no bond of this host has.
    pub bond: String,
    /// Two that are free and go together; fewer where there are no two.
    pub nics: Vec<String>,
}

/// Looks for them.
///
/// # Errors
/// When the host cannot be read, or XAPI does not answer: what it has on a NIC is unknown then.
pub fn candidates(host: &Host) -> Result<Candidates> {
    let inv = Inventory::read(host, Ask::default())?;
    if let Some(error) = &inv.xapi_error {
        bail!("which NICs are free is unknown, since XAPI does not answer: {error}");
    }
    let mut all = nics::all(&inv, &Default::default());
    let usual = usual()?;
    // What bars a bond of no NICs is no NIC's.
    let others = errors(&Spec { nics: Vec::new(), ..usual.clone() }, &inv);
    for nic in all.iter_mut().filter(|nic| nic.used_by.is_empty()) {
        let Ok(device) = nic.device.parse() else { continue };
        let spec = Spec { nics: vec![NicRef::Device(device)], ..usual.clone() };
        let own = errors(&spec, &inv).into_iter().filter(|found| !others.contains(found));
        nic.used_by.extend(own.map(|found| found.message));
    }
    let (free, held): (Vec<NicView>, Vec<NicView>) =
        all.into_iter().partition(|nic| nic.used_by.is_empty());
    let taken = |name: &String| inv.kernel.devices.contains_key(name);
    let bond = (51..).map(|number| format!("bond{number}")).find(|name| !taken(name));
    Ok(Candidates {
        host: inv.names().into_iter().next(),
        nics: together(&free),
        free,
        held,
        bond: bond.unwrap_or_default(),
    })
}

/// A spec like any other, whose address is for documentation (RFC 5737).
fn usual() -> Result<Spec> {
    let mut raw = Raw::default();
    for (key, value) in [("name", "bond51"), ("nics", "eth0,eth1"), ("address", "192.0.2.1/24")] {
        raw.flag(key, key, value.into());
    }
    raw.finish()?.for_host(&[])
}

fn errors(spec: &Spec, inv: &Inventory) -> Vec<Finding> {
    let mut found = preflight::check(spec, &resolve(spec, inv), inv);
    found.retain(|finding| finding.severity == Severity::Error);
    found
}

/// Two that have a link of the same speed, else two that may have one.
fn together(free: &[NicView]) -> Vec<String> {
    let alike = |a: &NicView, b: &NicView| {
        a.link == Some("up") && b.link == Some("up") && a.speed_mbps == b.speed_mbps
    };
    for (at, first) in free.iter().enumerate() {
        if let Some(second) = free[at + 1..].iter().find(|second| alike(first, second)) {
            return vec![first.device.clone(), second.device.clone()];
        }
    }
    let mut best: Vec<&NicView> = free.iter().collect();
    // One that is not up does not show its link; one without a link shows that.
    order::sort_by_key(&mut best, |nic| match nic.link {
        Some("up") => 0,
        None => 1,
        Some(_) => 2,
    });
    best.truncate(2);
    order::sort_by_key(&mut best, |nic| nics::natural(&nic.device));
    best.into_iter().map(|nic| nic.device.clone()).collect()
}
