//! The bond's device: up by `ifup`, away by `ifdown` and `ip link delete`, since `ifdown` leaves
//! the device behind (tests/ground/initscripts.md, D2).

use std::time::Duration;

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

use super::Tuned;
use super::device::{Device, LINK_LIMIT, flags};
use crate::host::{Cmd, Host, Program, join};
use crate::net::{IfName, MacAddr};
use crate::paths;

/// How long `ifup` and `ifdown` may take: each slave's link, the duplicate check and the
/// announcement take seconds each.
pub(super) const LIMIT: Duration = Duration::from_secs(120);

/// How long a slave's joining or leaving may take to show, and how often it is looked at.
const MOMENT: Duration = Duration::from_millis(10);
const MOMENTS: u32 = 10;

/// A bond's device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BondDevice {
    /// Its name.
    pub bond: IfName,
    /// The slaves of the one that stands and is to change, the one whose address it has first.
    #[serde(default)]
    pub slaves: Vec<IfName>,
    /// Its address, unless that follows the active slave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<MacAddr>,
    /// NICs that are to become its slaves, as they are before.
    #[serde(default)]
    pub links: Vec<Link>,
    /// NICs that are tuned as they join it, as they are before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tuned: Vec<Tuned>,
}

/// What the kernel has of a NIC that enslaving it changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The NIC.
    pub device: IfName,
    /// Its MTU, where it shows one.
    pub mtu: Option<u32>,
    /// Whether it is up, where it says.
    pub up: Option<bool>,
}

impl Link {
    /// Makes the NIC as it was, as far as it differs.
    pub(super) fn restore(&self, host: &Host) -> Result<()> {
        let folder = paths::sys_net(self.device.as_str());
        let read = |name: &str| host.attribute(&join(&folder, name));
        if let Some(mtu) = self.mtu.map(|m| m.to_string())
            && read("mtu").is_some_and(|now| now != mtu)
        {
            let words = ["link", "set", "dev", self.device.as_str(), "mtu", &mtu];
            let cmd = Cmd::change(Program::Ip, &words, LINK_LIMIT);
            host.run(&cmd)?.check(&cmd)?;
        }
        // IFF_UP (linux/if.h), by the attribute: no program that may be run sets it.
        if let (Some(up), Some(flags)) = (self.up, flags(host, self.device.as_str()))
            && (flags & 1 == 1) != up
        {
            host.set_attribute(&join(&folder, "flags"), &format!("{:#x}", flags ^ 1))?;
        }
        Ok(())
    }
}

impl BondDevice {
    pub(super) fn device(&self) -> Device<'_> {
        Device { name: self.bond.as_str(), limit: LIMIT }
    }

    pub(super) fn undo_title(&self) -> String {
        let tuned: Vec<&str> = self.tuned.iter().map(|nic| nic.device.as_str()).collect();
        let rest = match tuned[..] {
            [] => String::new(),
            _ => format!(", and tune {} as before", tuned.join(", ")),
        };
        format!("bring {} down and delete it{rest}", self.bond)
    }

    /// Whether the kernel has it.
    pub fn is_there(&self, host: &Host) -> bool {
        let bond = self.bond.as_str();
        host.exists(&paths::sys_net(bond)) || host.exists(&paths::proc_bonding(bond))
    }

    pub(super) fn bring_up(&self, host: &Host) -> Result<()> {
        // One that an earlier run left half-made is made anew.
        self.take_down(host)?;
        let cmd = self.device().up();
        // Its exit code 0 proves nothing (tests/ground/initscripts.md, B1): the verification that
        // follows does. Any other is a failure that it knows of itself.
        host.run(&cmd)?.check(&cmd)?;
        Ok(())
    }

    pub(super) fn take_down(&self, host: &Host) -> Result<()> {
        self.device().take_down(host, || self.is_there(host))
    }

    /// Takes it down, and makes its NICs as they were before they were its slaves.
    pub(super) fn undo_up(&self, host: &Host) -> Result<()> {
        self.take_down(host)?;
        self.links.iter().try_for_each(|link| link.restore(host))?;
        self.tuned.iter().try_for_each(|tuned| tuned.restore(host))
    }

    /// Brings it up again, its slaves in the order of before; one that was taken down in part only
    /// is made anew.
    pub(super) fn bring_back(&self, host: &Host, taken: bool) -> Result<()> {
        // `ifdown` takes the slaves out first, and the device down last.
        let in_part = !self.device().is_up(host) || (!taken && !self.missing(host).is_empty());
        let unlike =
            taken && (self.device().lacks_routes(host)? || self.device().has_other_mtu(host)?);
        if !self.is_there(host) || in_part || unlike || !self.may_be_filled_up(host, taken) {
            self.bring_up(host)?;
        }
        // `ifup` takes them in the order of their files' names.
        if !self.may_be_filled_up(host, taken) {
            for nic in self.present(host) {
                self.change_slaves(host, '-', nic)?;
            }
        }
        self.enslave_missing(host)?;
        ensure!(
            self.is_there(host),
            "`{}` reported success, but {} is not there",
            self.device().up(),
            self.bond
        );
        Ok(())
    }

    /// A slave whose file others have changed since does not come by `ifup`.
    fn enslave_missing(&self, host: &Host) -> Result<()> {
        for nic in self.missing(host) {
            // The driver takes no NIC that is up (bond_enslave in drivers/net/bonding/bond_main.c).
            Link { device: nic.clone(), mtu: None, up: Some(false) }.restore(host)?;
            self.change_slaves(host, '+', nic)?;
            ensure!(
                !self.missing(host).contains(&nic),
                "{nic} is not a slave of {} again",
                self.bond
            );
        }
        Ok(())
    }

    /// Whether it is as it was once the missing slaves have joined it. A bond has the address of
    /// the slave that joined it first (bond_enslave), and keeps it while others join.
    fn may_be_filled_up(&self, host: &Host, taken: bool) -> bool {
        let present = self.present(host);
        let on_host = |nic: &&IfName| host.exists(&paths::sys_net(nic.as_str()));
        let first = self.slaves.iter().filter(on_host).zip(&present).all(|(a, b)| a == *b);
        let address = host.attribute(&join(&paths::sys_net(self.bond.as_str()), "address"));
        let now = address.and_then(|text| text.parse::<MacAddr>().ok());
        // Without its first slave no order brings the address back: the comparison names it.
        let can_be = !present.is_empty() && self.slaves.first().is_some_and(|nic| on_host(&nic));
        let same = self.mac.is_none() || now.is_none() || now == self.mac;
        // One that was not touched has them in whatever order.
        let whole =
            !taken && self.missing(host).is_empty() && self.mac.is_some() && now == self.mac;
        whole || (first && (same || !can_be))
    }

    /// Puts one in (`+`) or out (`-`), and waits until that shows.
    fn change_slaves(&self, host: &Host, sign: char, nic: &IfName) -> Result<()> {
        host.set_attribute(&self.slaves_file(), &format!("{sign}{nic}"))?;
        for _ in 0..MOMENTS {
            host.clock().pause(MOMENT);
            if self.present(host).contains(&nic) == (sign == '+') {
                break;
            }
        }
        Ok(())
    }

    fn slaves_file(&self) -> String {
        join(&paths::sys_net(self.bond.as_str()), "bonding/slaves")
    }

    /// Those of its slaves that are in it now, in the driver's order.
    fn present(&self, host: &Host) -> Vec<&IfName> {
        let now = host.attribute(&self.slaves_file()).unwrap_or_default();
        let known = |name: &str| self.slaves.iter().find(|nic| nic.as_str() == name);
        now.split_whitespace().filter_map(known).collect()
    }

    /// Those of its slaves that are on the host and not in it now.
    fn missing(&self, host: &Host) -> Vec<&IfName> {
        let present = self.present(host);
        let of =
            |nic: &&IfName| !present.contains(nic) && host.exists(&paths::sys_net(nic.as_str()));
        self.slaves.iter().filter(of).collect()
    }
}
