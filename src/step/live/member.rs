//! A slave that joins a bond, or leaves it, while the others carry the traffic.

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

use super::{Written, file, stands, write};
use crate::host::Host;
use crate::net::IfName;
use crate::order;
use crate::paths;
use crate::step::Link;

/// A slave and its bond.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The bond.
    pub bond: IfName,
    /// The NIC.
    pub nic: IfName,
    /// What the kernel had of it before it joined, unless XAPI sets that.
    pub link: Option<Link>,
    /// The slaves that the bond has before, in the driver's order.
    pub slaves: Vec<IfName>,
}

/// How often it is looked whether a NIC has joined or left.
const LOOKS: u32 = 10;

impl Member {
    pub(in crate::step) fn join_title(&self) -> String {
        format!("add {} to {} while it is up", self.nic, self.bond)
    }

    pub(in crate::step) fn leave_title(&self) -> String {
        format!("remove {} from {} while it is up", self.nic, self.bond)
    }

    /// What is written to let it join (`+`) or leave (`-`).
    pub(in crate::step) fn written(&self, sign: char) -> Vec<Written> {
        let value = format!("{sign}{}", self.nic);
        vec![Written { path: file(&self.bond, "slaves"), value }]
    }

    pub(in crate::step) fn join(&self, host: &Host) -> Result<()> {
        stands(host, self.bond.as_str())?;
        self.put_in(host, &self.nic)
    }

    pub(in crate::step) fn undo_join(&self, host: &Host) -> Result<()> {
        self.goes(host)?;
        self.link.iter().try_for_each(|link| link.restore(host))
    }

    pub(in crate::step) fn leave(&self, host: &Host) -> Result<()> {
        self.goes(host)
    }

    /// Takes it out. Where the bond has its address, which a boot may have led to, all others leave
    /// and join anew: else two devices would have one address (bond_release in bond_main.c warns).
    fn goes(&self, host: &Host) -> Result<()> {
        self.take_out(host, &self.nic)?;
        let address = |device: &IfName| {
            host.attribute(&format!("{}/address", paths::sys_net(device.as_str())))
        };
        let own = address(&self.nic);
        if own.is_none() || own != address(&self.bond) {
            return Ok(());
        }
        let mut others: Vec<IfName> =
            self.now(host).iter().filter_map(|name| name.parse().ok()).collect();
        order::sort_by_key(&mut others, |nic| self.slaves.iter().position(|slave| slave == nic));
        others.iter().try_for_each(|nic| self.take_out(host, nic))?;
        others.iter().try_for_each(|nic| self.put_in(host, nic))
    }

    /// Puts it back among the slaves, in the order of before.
    pub(in crate::step) fn undo_leave(&self, host: &Host) -> Result<()> {
        stands(host, self.bond.as_str())?;
        self.put_in(host, &self.nic)?;
        let after = self.slaves.iter().skip_while(|nic| **nic != self.nic).skip(1);
        for nic in after.filter(|nic| self.has(host, nic) && self.is_before_ours(host, nic)) {
            self.take_out(host, nic)?;
            self.put_in(host, nic)?;
        }
        Ok(())
    }

    fn put_in(&self, host: &Host, nic: &IfName) -> Result<()> {
        if self.has(host, nic) {
            return Ok(());
        }
        // The driver of old takes no NIC that is up (bond_enslave in bond_main.c of 3.10).
        Link { device: nic.clone(), mtu: None, up: Some(false) }.restore(host)?;
        write(host, &self.bond, "slaves", &format!("+{nic}"))?;
        self.shows(host, nic, true);
        ensure!(self.has(host, nic), "{} has not taken {nic}: `dmesg | grep bond`", self.bond);
        Ok(())
    }

    /// One that carries the traffic hands it over first: what is on its way then is not lost.
    fn take_out(&self, host: &Host, nic: &IfName) -> Result<()> {
        if !self.has(host, nic) {
            return Ok(());
        }
        let active = host.attribute(&file(&self.bond, "active_slave"));
        if active.as_deref() == Some(nic.as_str()) {
            let up = |other: &&String| {
                let path = format!("{}/bonding_slave/mii_status", paths::sys_net(other));
                other.as_str() != nic.as_str()
                    && host.attribute(&path).is_none_or(|status| status == "up")
            };
            if let Some(other) = self.now(host).iter().find(up) {
                // Where it is refused the driver chooses as the slave leaves.
                let _ = write(host, &self.bond, "active_slave", other);
            }
        }
        write(host, &self.bond, "slaves", &format!("-{nic}"))?;
        self.shows(host, nic, false);
        ensure!(!self.has(host, nic), "{nic} is still a slave of {}", self.bond);
        Ok(())
    }

    fn shows(&self, host: &Host, nic: &IfName, there: bool) {
        for _ in 0..LOOKS {
            if self.has(host, nic) == there {
                return;
            }
            host.clock().pause(super::MOMENT);
        }
    }

    fn now(&self, host: &Host) -> Vec<String> {
        let text = host.attribute(&file(&self.bond, "slaves")).unwrap_or_default();
        text.split_whitespace().map(String::from).collect()
    }

    fn has(&self, host: &Host, nic: &IfName) -> bool {
        self.now(host).iter().any(|name| name == nic.as_str())
    }

    fn is_before_ours(&self, host: &Host, nic: &IfName) -> bool {
        let now = self.now(host);
        let at = |name: &IfName| now.iter().position(|n| n == name.as_str());
        at(nic) < at(&self.nic)
    }
}
