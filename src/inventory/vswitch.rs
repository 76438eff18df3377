//! What Open vSwitch says of its bonds, asked by its own programs. Must not know what is wanted.

use anyhow::{Result, anyhow};

use super::Kernel;
use crate::bonding::{BondStatus, SlaveStatus};
use crate::host::{Cmd, Host, Output, Program, meanwhile};
use crate::inventory::LOOK_LIMIT;
use crate::net::{BondMode, shown};
use crate::order;
use crate::ovs::{self, Bond, LacpPort, Mode, Negotiation, PortRecord, Readings, Slave};

/// One port of Open vSwitch's, by its name.
#[derive(Clone, Debug)]
pub struct Vswitch {
    /// What `bond/show` says; `None`: there is no such bond.
    pub bond: Option<Bond>,
    /// What `lacp/show` says, where LACP is on.
    pub lacp: Option<LacpPort>,
    /// What is set for it, as far as that could be read.
    pub record: Option<PortRecord>,
    /// The bridge that it is a port of, as far as that could be read.
    pub bridge: Option<String>,
}

/// What a program said, or why it said nothing that is asked for.
fn ask(host: &Host, program: Program, args: &[&str]) -> Result<String> {
    let cmd = Cmd::read(program, args, LOOK_LIMIT);
    Ok(host.run(&cmd)?.check(&cmd)?.text())
}

/// The same of the daemon; `None`: it knows no such bond, or none that speaks LACP.
fn show(host: &Host, command: &str, bond: &str) -> Result<Option<String>> {
    let cmd = Cmd::read(Program::OvsAppctl, &[command, bond], LOOK_LIMIT);
    let output = host.run(&cmd)?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.success() && ["no such bond", "no such lacp object"].iter().any(|w| said.contains(w))
    {
        return Ok(None);
    }
    Ok(Some(output.check(&cmd)?.text()))
}

/// The one of that name, or the only one of a text that names none.
fn named<T>(all: Vec<T>, bond: &str, name: impl Fn(&T) -> Option<&String>) -> Option<T> {
    all.into_iter().find(|one| name(one).is_none_or(|name| name == bond))
}

impl Vswitch {
    /// Reads a port.
    ///
    /// # Errors
    /// When the daemon does not answer, or not in its own form.
    pub fn read(host: &Host, name: &str) -> Result<Self> {
        let (record, bridge) = std::thread::scope(|scope| {
            let record = meanwhile(scope, || vsctl(host, &["list", "port", name]));
            let bridge = vsctl(host, &["port-to-br", name]);
            (record.join(), bridge)
        });
        let record = record.and_then(|text| ovs::records(&text).into_iter().next());
        let bridge = bridge.map(|text| text.trim().to_string()).filter(|text| !text.is_empty());
        let bond = bond(host, name)?;
        let silent = bond.as_ref().is_none_or(|bond| bond.lacp == Some(Negotiation::Off));
        let lacp = if silent {
            None
        } else {
            let text = show(host, "lacp/show", name)?.unwrap_or_default();
            named(ovs::read(&text).lacp, name, |port| port.name.as_ref())
        };
        Ok(Self { bond, lacp, record, bridge })
    }

    /// Reads no more of a port than tells its members' states and its mode.
    ///
    /// # Errors
    /// As for [`Self::read`].
    pub fn glance(host: &Host, name: &str) -> Result<Self> {
        let bond = bond(host, name)?;
        // Of old nothing else says whether LACP is on.
        let record = match bond.as_ref().is_some_and(|bond| bond.lacp.is_none()) {
            true => vsctl(host, &["list", "port", name]),
            false => None,
        };
        let record = record.and_then(|text| ovs::records(&text).into_iter().next());
        Ok(Self { bond, lacp: None, record, bridge: None })
    }

    /// Every bond of Open vSwitch's, whoever made it, as `bond/show` and `lacp/show` say.
    ///
    /// # Errors
    /// When the daemon does not answer.
    pub fn all(host: &Host) -> Result<Readings> {
        let list = ask(host, Program::OvsAppctl, &["bond/list"])?;
        let mut names: Vec<String> = ovs::ports(&list).into_iter().map(|port| port.name).collect();
        order::sort(&mut names);
        let mut all = Readings::default();
        for name in names {
            let port = Self::read(host, &name)?;
            all.bonds.extend(port.bond);
            all.lacp.extend(port.lacp);
        }
        Ok(all)
    }

    /// Whether LACP is on; `None`: nothing says it.
    #[must_use]
    pub fn speaks_lacp(&self) -> Option<bool> {
        let said = self.bond.as_ref().and_then(|bond| bond.lacp).map(|n| n != Negotiation::Off);
        let set = || Some(self.record.as_ref()?.lacp.as_deref()? != "off");
        said.or_else(set)
    }

    /// The bond in the words that the kernel's have, as far as there are any.
    #[must_use]
    pub fn status(&self, kernel: &Kernel) -> Option<BondStatus> {
        let bond = self.bond.as_ref()?;
        let mode = match (bond.mode, self.speaks_lacp()) {
            (Some(_), Some(true)) => Some(BondMode::Ieee8023ad),
            (Some(Mode::ActiveBackup), Some(false)) => Some(BondMode::ActiveBackup),
            (Some(Mode::BalanceSlb), Some(false)) => Some(BondMode::BalanceSlb),
            _ => None,
        };
        let slaves = bond.slaves.iter().map(|slave| SlaveStatus {
            name: slave.name.clone(),
            mii_status: state(slave).map(String::from),
            perm_hwaddr: kernel.permanent_mac(&slave.name).map(|mac| mac.to_string()),
            ..SlaveStatus::default()
        });
        let slaves: Vec<SlaveStatus> = slaves.collect();
        let enabled = bond.slaves.iter().any(|slave| slave.enabled == Some(true));
        let known = bond.slaves.iter().all(|slave| slave.enabled.is_some());
        let link = if enabled { Some("up") } else { known.then_some("down") };
        Some(BondStatus {
            mode_text: bond.mode_text.clone(),
            mode,
            primary: bond.primary.clone(),
            active_slave: bond.active_slave.clone(),
            mii_status: link.map(String::from),
            updelay: bond.updelay,
            downdelay: bond.downdelay,
            slaves,
            ..BondStatus::default()
        })
    }

    /// Makes a member the one that carries the traffic, where the mode has such a one.
    ///
    /// # Errors
    /// When Open vSwitch refuses.
    pub fn switch(host: &Host, bond: &str, member: &str) -> Result<()> {
        // The first is known to all releases, the second from 2.15 on.
        let words = ["bond/set-active-slave", "bond/set-active-member"];
        let run = |word: &str| -> Result<(Output, Cmd)> {
            let cmd = Cmd::change(Program::OvsAppctl, &[word, bond, member], LOOK_LIMIT);
            Ok((host.run(&cmd)?, cmd))
        };
        let (mut output, mut cmd) = run(words[0])?;
        if String::from_utf8_lossy(&output.stderr).contains("is not a valid command") {
            (output, cmd) = run(words[1])?;
        }
        output.check(&cmd).map(drop)
    }
}

/// What `bond/show` says of a bond.
fn bond(host: &Host, name: &str) -> Result<Option<Bond>> {
    let Some(text) = show(host, "bond/show", name)? else { return Ok(None) };
    let bond = named(ovs::read(&text).bonds, name, |bond| bond.name.as_ref())
        .ok_or_else(|| anyhow!("`ovs-appctl bond/show {name}` says nothing of {name}"))?;
    Ok(Some(Bond { name: Some(name.to_string()), ..bond }))
}

fn vsctl(host: &Host, args: &[&str]) -> Option<String> {
    // Without a limit of its own it waits for a database that is not there.
    let args = [&["--timeout=10"], args].concat();
    ask(host, Program::OvsVsctl, &args).ok()
}

/// The state of a member in the words of the kernel's driver (tests/ground/ovs.md, D1).
fn state(slave: &Slave) -> Option<&'static str> {
    let comes = slave.updelay_left.is_some() || slave.may_enable == Some(true);
    let goes = slave.downdelay_left.is_some() || slave.may_enable == Some(false);
    Some(match slave.enabled? {
        true if goes => "going down",
        true => "up",
        false if comes => "going back",
        false => "down",
    })
}

/// Why Open vSwitch's word is missing, in one line.
pub(crate) fn silence(error: &anyhow::Error) -> String {
    shown(format!("{error:#}").lines().last().unwrap_or_default().trim())
}
