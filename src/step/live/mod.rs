//! What is changed of a bond while it is up and carries traffic: by the files of the driver, and by
//! `ip`. One that is not there, after a power cut, is brought up by its files first.

mod member;
mod mtu;
mod network;
mod options;
mod tuning;

use std::time::Duration;

use anyhow::Result;

pub use member::Member;
pub use mtu::LiveMtu;
pub use network::{Attached, LiveNetwork};
pub use options::{Change, LiveOptions};
pub use tuning::LiveTuning;

use super::bond::LIMIT;
use super::device::Device;
use crate::host::{Cmd, Host, Program};
use crate::net::IfName;
use crate::paths;

/// A file of the kernel's below `/sys`, and what is written into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The file.
    pub path: String,
    /// The value.
    pub value: String,
}

/// How long what was written may take to show.
const MOMENT: Duration = Duration::from_millis(10);

/// How long syslog may take.
const SYSLOG: Duration = Duration::from_secs(2);

/// Brings the device up by its files where the kernel has none.
fn stands(host: &Host, device: &str) -> Result<()> {
    if host.exists(&paths::sys_net(device)) {
        return Ok(());
    }
    let cmd = Device { name: device, limit: LIMIT }.up();
    host.run(&cmd)?.check(&cmd)?;
    Ok(())
}

/// Writes into a file of a bond that carries traffic, and puts it into syslog before anything else
/// is written: what may have cut the line is then found there, with its time.
fn write(host: &Host, bond: &IfName, name: &str, value: &str) -> Result<()> {
    host.set_attribute(&file(bond, name), value)?;
    if host.programs().contains_key(&Program::Logger) {
        let text = format!("{bond}: {name}: {value}");
        let words = ["-t", "xenbond", "-p", "user.notice", "--", &text];
        // A syslog that does not answer is no reason to stop half-way.
        let _ = host.run(&Cmd::read(Program::Logger, &words, SYSLOG));
    }
    host.clock().pause(MOMENT);
    Ok(())
}

/// A file of the driver's.
fn file(bond: &IfName, name: &str) -> String {
    format!("{}/bonding/{name}", paths::sys_net(bond.as_str()))
}
