//! The one way to ask "is it as asked": which bond, whom to ask, how long to wait. Everybody who
//! wants to know asks here and gives no more than these.

use std::time::Duration;

use anyhow::Result;

use super::check::is_without_link;
use super::{
    Check, drift, durable, excuse, failed, hindering, kept, kernel, managed, probe, settles, tuning,
};
use crate::host::Host;
use crate::inventory::{Inventory, Kernel, Nic, Stores};
use crate::net::IfName;
use crate::outcome::Item;
use crate::preflight::Code;
use crate::spec::{NicRef, Spec};
use crate::step::{FileChange, settings};
use crate::verify::Setting;
use crate::xe::Pif;

/// A bond, and whom to ask about it.
pub struct Question<'a> {
    /// What it is to be.
    pub spec: &'a Spec,
    /// Its NICs.
    pub nics: &'a [Nic],
    /// NICs of the spec that this host has not.
    pub absent: &'a [NicRef],
    /// Warnings that a person has accepted.
    pub accepted: &'a [Code],
    /// The kernel's word.
    pub kernel: Running<'a>,
    /// Who else is heard.
    pub witnesses: &'a [Witness<'a>],
}

/// Where the kernel's word is taken from.
pub enum Running<'a> {
    /// As it was read.
    Read(&'a Kernel),
    /// Read again and again until all that can settle has, or the time is up.
    Settling {
        /// The host.
        host: &'a Host,
        /// How long that may take.
        within: Duration,
        /// Told what is waited for, whenever that becomes another thing.
        waits: &'a mut dyn FnMut(&str),
    },
}

/// Somebody besides the kernel.
pub enum Witness<'a> {
    /// XAPI, by the PIFs that it lists; `None`: it does not answer.
    Xapi(Option<&'a [Pif]>),
    /// One reading of the host: XAPI, the backend, and the files, of which these are not as written.
    Host(&'a Inventory, &'a [FileChange]),
    /// The same, read once the kernel has said its word, and only where that is good.
    Later(&'a dyn Fn() -> Result<(Inventory, Vec<FileChange>)>),
    /// The files of XAPI and networkd, beside one reading of the host.
    Disk(&'a Host, &'a Inventory),
    /// The NICs themselves, where the spec tunes them.
    Nics(&'a Host),
    /// The storage servers of the spec, asked through the bond.
    Servers(&'a Host, Patience),
}

/// How long a server is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Once.
    Once,
    /// Where all else is as asked: until it answers, or a switch port has had its time.
    UntilAnswered,
}

/// The answer.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The bond.
    pub bond: IfName,
    /// Row by row.
    pub checks: Vec<Check>,
}

impl Verdict {
    /// Whether all is as asked.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.failed().is_empty()
    }

    /// The rows about storage servers.
    pub fn servers(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| matches!(check.name, Setting::Probe(_)))
    }

    /// The rows that are not as asked.
    #[must_use]
    pub fn failed(&self) -> Vec<&Check> {
        failed(&self.checks)
    }

    /// Those of them that nobody has accepted.
    #[must_use]
    pub fn hindering(&self) -> Vec<&Check> {
        hindering(&self.checks)
    }

    /// What was accepted and does not hold yet.
    #[must_use]
    pub fn pending(&self) -> Vec<Item> {
        let accepted = self.failed().into_iter().filter(|check| check.accepted);
        let command = format!("xenbond verify {}", self.bond);
        accepted.map(|c| Item { what: c.to_string(), command: command.clone() }).collect()
    }
}

/// Answers a question.
///
/// # Errors
/// When the kernel cannot be read, or the host where that comes later.
pub fn judge(question: Question<'_>) -> Result<Verdict> {
    if question.spec.xapi_bond().is_some() && question.absent.is_empty() {
        return managed::judge(question);
    }
    let Question { spec, nics, absent, accepted, kernel: running, witnesses } = question;
    let gone = |nic: &NicRef| {
        let hint = "xenbond status shows the NICs of this host";
        Check::of(Setting::Nic(nic.clone()), "on this host", "not there", hint)
    };
    let mut checks: Vec<Check> = absent.iter().map(gone).collect();
    checks.extend(match running {
        Running::Read(read) => kernel(spec, nics, read),
        Running::Settling { host, within, waits } => {
            settles(host, spec, nics, accepted, within, waits)?
        }
    });
    excuse(&mut checks, accepted);
    for witness in witnesses {
        checks.extend(match witness {
            Witness::Xapi(pifs) if spec.managed().is_some() => {
                kept::xapi(spec, nics, *pifs, &|_| false)
            }
            Witness::Xapi(pifs) => drift::xapi(nics, *pifs, &|_| false),
            Witness::Host(inv, changed) => drift::settled(spec, nics, inv, changed),
            Witness::Later(_) if !hindering(&checks).is_empty() => Vec::new(),
            Witness::Later(read) => {
                let (inv, changed) = read()?;
                drift::settled(spec, nics, &inv, &changed)
            }
            Witness::Servers(_, Patience::UntilAnswered) if !hindering(&checks).is_empty() => {
                Vec::new()
            }
            Witness::Servers(host, Patience::UntilAnswered) if !is_without_link(&checks) => {
                probe::wait(host, spec)
            }
            Witness::Servers(host, _) => probe::ask(host, spec, probe::Way::Networks),
            Witness::Disk(host, inv) => vec![disk(host, inv, spec, nics)],
            Witness::Nics(host) => tuning::rows(spec, nics, &|device| settings(host, device)),
        });
    }
    // What only the witnesses tell follows from the same warnings.
    excuse(&mut checks, accepted);
    Ok(Verdict { bond: spec.bond.clone(), checks })
}

/// Whether a power cut would change what XAPI says of these NICs.
fn disk(host: &Host, inv: &Inventory, spec: &Spec, nics: &[Nic]) -> Check {
    let devices: Vec<IfName> = nics.iter().map(|nic| nic.device.clone()).collect();
    let names: Vec<&str> = devices.iter().map(IfName::as_str).collect();
    let pifs = inv.xapi.as_ref().map(|xapi| xapi.pifs.as_slice());
    let mut stores = Stores::read(host, &names);
    let pool = inv.xapi.as_ref().and_then(|xapi| xapi.pool.as_ref());
    if pool.is_some_and(|pool| pool.ha_enabled) {
        stores.database = None;
    }
    let networks = inv.xapi.as_ref().filter(|_| spec.managed().is_some());
    let networks = networks.map_or(&[][..], |xapi| &xapi.networks);
    durable::check(&stores, inv.host_uuid().as_ref(), &devices, pifs, networks)
}
