//! The one way to ask "is it as asked": which bond, whom to ask, how long to wait. Everybody who
//! wants to know asks here and gives no more than these.

use std::time::Duration;

use anyhow::Result;

use super::{Check, drift, durable, failed, kernel, probe, settles};
use crate::host::Host;
use crate::inventory::{Inventory, Kernel, Nic, Stores};
use crate::net::{IfName, Uuid};
use crate::spec::{NicRef, Spec};
use crate::step::FileChange;
use crate::verify::Setting;
use crate::xe::{self, Pif};

/// A bond, and whom to ask about it.
pub struct Question<'a> {
    /// What it is to be.
    pub spec: &'a Spec,
    /// Its NICs.
    pub nics: &'a [Nic],
    /// NICs of the spec that this host has not.
    pub absent: &'a [NicRef],
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
    /// XAPI, asked for the PIFs of this host once the kernel has said its word.
    Lists(&'a Host, &'a Uuid),
    /// One reading of the host: XAPI, the backend, and the files, of which these are not as written.
    Host(&'a Inventory, &'a [FileChange]),
    /// The files of XAPI and networkd, beside one reading of the host.
    Disk(&'a Host, &'a Inventory),
    /// The storage servers of the spec, asked through the bond.
    Servers(&'a Host),
}

/// The answer.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Row by row.
    pub checks: Vec<Check>,
}

impl Verdict {
    /// Whether all is as asked.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.failed().is_empty()
    }

    /// The rows that are not as asked.
    #[must_use]
    pub fn failed(&self) -> Vec<&Check> {
        failed(&self.checks)
    }
}

/// Answers a question.
///
/// # Errors
/// When the kernel cannot be read, or XAPI does not answer where it is asked.
pub fn judge(question: Question<'_>) -> Result<Verdict> {
    let Question { spec, nics, absent, kernel: running, witnesses } = question;
    let gone = |nic: &NicRef| {
        let hint = "xenbond status shows the NICs of this host";
        Check::of(Setting::Nic(nic.clone()), "on this host", "not there", hint)
    };
    let mut checks: Vec<Check> = absent.iter().map(gone).collect();
    checks.extend(match running {
        Running::Read(read) => kernel(spec, nics, read),
        Running::Settling { host, within, waits } => settles(host, spec, nics, within, waits)?,
    });
    for witness in witnesses {
        checks.extend(match witness {
            Witness::Xapi(pifs) => drift::xapi(nics, *pifs),
            Witness::Lists(host, uuid) => {
                let listed = xe::pifs(host, uuid)?;
                // A record that was not understood is no proof that there is none.
                nics.iter().try_for_each(|nic| listed.nic(nic.device.as_str()).map(drop))?;
                drift::xapi(nics, Some(&listed.all))
            }
            Witness::Host(inv, changed) => drift::settled(spec, nics, inv, changed),
            Witness::Disk(host, inv) => vec![disk(host, inv, nics)],
            Witness::Servers(host) => probe::ask(host, spec, probe::Way::Bond(&spec.bond)),
        });
    }
    Ok(Verdict { checks })
}

/// Whether a power cut would change what XAPI says of these NICs.
fn disk(host: &Host, inv: &Inventory, nics: &[Nic]) -> Check {
    let devices: Vec<IfName> = nics.iter().map(|nic| nic.device.clone()).collect();
    let names: Vec<&str> = devices.iter().map(IfName::as_str).collect();
    let pifs = inv.xapi.as_ref().map(|xapi| xapi.pifs.as_slice());
    durable::check(&Stores::read(host, &names), inv.host_uuid().as_ref(), &devices, pifs)
}
