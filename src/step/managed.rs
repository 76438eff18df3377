//! Settings of a NIC that XAPI keeps: set by `xe`, then looked for in XAPI and
//! in the kernel, since neither exit codes nor lists prove anything alone
//! (tests/ground/xapi-measured.md, M6). What others have set since is theirs.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use super::members::{by_shell, named, not_made_yet, pif_word};
use super::{Kept, Members, PifRecord};
use crate::host::{Cmd, Host};
use crate::net::{IfName, Uuid, local_addresses, shown};
use crate::order;
use crate::xe::{self, Failure, IpSettings, Pif};

/// How often it is looked whether a change has come, and how long after one another.
pub(super) const LOOKS: u32 = 10;
pub(super) const PAUSE: Duration = Duration::from_millis(500);

/// The key by which XAPI's clients know what a NIC is for (tests/ground/xapi.md, B8).
pub const PURPOSE: &str = "management_purpose";

/// A setting of a NIC's PIF.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PifSetting {
    /// Whether it is plugged.
    Plugged(bool),
    /// Its IPv4 configuration.
    Ip(IpSettings),
    /// Whether XAPI refuses to unplug it.
    DisallowUnplug(bool),
    /// What clients show that it is for.
    Purpose(Option<String>),
}

impl PifSetting {
    /// The same setting as a record has it.
    #[must_use]
    pub fn of(&self, pif: &Pif) -> Self {
        match self {
            Self::Plugged(_) => Self::Plugged(pif.attached),
            Self::Ip(_) => Self::Ip(pif.static_ip()),
            Self::DisallowUnplug(_) => Self::DisallowUnplug(pif.disallow_unplug),
            Self::Purpose(_) => Self::Purpose(pif.other_config.get(PURPOSE).cloned()),
        }
    }

    /// Whether both say the same.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Ip(one), Self::Ip(other)) => one.is_like(other),
            _ => self == other,
        }
    }

    fn command(&self, pif: &Uuid) -> Cmd {
        match self {
            Self::Plugged(true) => xe::plug(&pif.to_string()),
            Self::Plugged(false) => xe::unplug(&pif.to_string()),
            Self::Ip(ip) => xe::reconfigure(pif, ip),
            Self::DisallowUnplug(yes) => xe::set("pif", pif, &format!("disallow-unplug={yes}")),
            Self::Purpose(Some(text)) => {
                xe::set("pif", pif, &format!("other-config:{PURPOSE}={text}"))
            }
            Self::Purpose(None) => xe::remove_key("pif", pif, "other-config", PURPOSE),
        }
    }

    fn title(&self, device: &IfName) -> String {
        match self {
            Self::Plugged(true) => format!("plug {device}"),
            Self::Plugged(false) => format!("unplug {device}"),
            Self::Ip(ip) => match (ip.address(), ip.mode().as_str()) {
                (Some(net), _) => format!("give {device} the address {net} in XAPI"),
                (None, "dhcp") => format!("have {device} ask for an address by DHCP"),
                (None, _) => format!("take the address of {device} away in XAPI"),
            },
            Self::DisallowUnplug(true) => format!("have XAPI refuse to unplug {device}"),
            Self::DisallowUnplug(false) => format!("let XAPI unplug {device}"),
            Self::Purpose(Some(text)) => format!("set {PURPOSE} of {device} to {}", shown(text)),
            Self::Purpose(None) => format!("remove {PURPOSE} of {device}"),
        }
    }
}

/// A setting of a NIC that XAPI keeps, and the record as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PifChange {
    /// The NIC and its record.
    pub record: PifRecord,
    /// The bridge that has its address.
    pub bridge: Option<IfName>,
    /// What is to be.
    pub set: PifSetting,
    /// The NICs of the bond whose PIF it is; none for a NIC's own.
    #[serde(default, skip_serializing_if = "Members::is_empty")]
    pub members: Members,
}

impl PifChange {
    /// What was before.
    #[must_use]
    pub fn was(&self) -> Option<PifSetting> {
        self.record.was.as_ref().map(|was| self.set.of(was))
    }

    /// The address that is to go, where one was there.
    #[must_use]
    pub fn address_goes(&self) -> bool {
        let Some((PifSetting::Ip(was), PifSetting::Ip(set))) = self.was().map(|w| (w, &self.set))
        else {
            return false;
        };
        was.mode() != "none" && was.address() != set.address()
    }

    pub(super) fn title(&self) -> String {
        self.set.title(&self.record.device)
    }

    pub(super) fn undo_title(&self) -> String {
        let was = self.was().map(|was| was.title(&self.record.device));
        format!("{} again", was.unwrap_or_else(|| "leave it".into()))
    }

    pub(super) fn commands(&self) -> Vec<Cmd> {
        let all = self.record.was.iter().map(|was| self.set.command(&was.uuid)).collect();
        named(all, &pif_word(&self.record.device))
    }

    /// What a person types to take it back.
    pub(super) fn by_hand(&self) -> String {
        by_shell(&self.undo_commands(), &self.members.pif_by_shell())
    }

    /// What takes it back, word for word.
    #[must_use]
    pub fn undo_commands(&self) -> Vec<Cmd> {
        let was = self.record.was.iter().zip(self.was());
        was.map(|(record, was)| was.command(&record.uuid)).collect()
    }

    pub(super) fn perform(&self, host: &Host) -> Result<()> {
        let was = self.was().context("there was no PIF")?;
        let now = self.now(host)?;
        let now = now.with_context(|| format!("the PIF of {} is gone", self.record.device))?;
        let has = self.set.of(&now);
        ensure!(
            has.is_like(&self.set) || has.is_like(&was),
            "the PIF of {} was changed since this was planned: {} is how it is now",
            self.record.device,
            has.title(&self.record.device)
        );
        self.change(host, now, &self.set, &was)
    }

    pub(super) fn undo(&self, host: &Host, kept: &mut Kept) -> Result<()> {
        let (Some(was), device) = (self.was(), &self.record.device) else { return Ok(()) };
        let Some(now) = self.now(host)? else {
            if self.members.is_empty() {
                kept.notes
                    .push(format!("the PIF of {device} is another one now, and is left as it is"));
                return Ok(());
            }
            return self.carry_back(host, &was);
        };
        let has = self.set.of(&now);
        if !has.is_like(&self.set) && !has.is_like(&was) {
            let how = has.title(device);
            // XAPI would give it to a NIC when the bond goes.
            let goes = matches!(self.set, PifSetting::Ip(_))
                && self.record.was.as_ref().is_some_and(|was| was.uuid == not_made_yet());
            if !goes {
                kept.notes.push(format!("the PIF of {device} is what others made of it: {how}"));
                return Ok(());
            }
            kept.notes.push(format!("what others made of {device} goes with it: {how}"));
        }
        self.change(host, now, &was, &self.set)
    }

    /// Takes the bond's address from the NIC that XAPI gave it to, where somebody has destroyed the
    /// bond (tests/ground/managed.md, U1). An address of somebody else's is his.
    fn carry_back(&self, host: &Host, was: &PifSetting) -> Result<()> {
        if !matches!(self.set, PifSetting::Ip(_)) {
            return Ok(());
        }
        for tried in [false, true] {
            let all = xe::pifs(host, &self.record.host)?.whole()?;
            let ours = |pif: &&Pif| {
                self.members.uuids().contains(&pif.uuid) && self.set.of(pif).is_like(&self.set)
            };
            let Some(now) = all.iter().find(ours) else { break };
            let cmd = was.command(&now.uuid);
            ensure!(!tried, "`{cmd}` reported success, and XAPI does not show it");
            host.run(&cmd)?.check(&cmd)?;
        }
        Ok(())
    }

    /// The record, if it is the one that was recorded and XAPI still keeps it.
    fn now(&self, host: &Host) -> Result<Option<Pif>> {
        let recorded = self.record.was.as_ref().map(|was| &was.uuid);
        // A bond's is another one each time that the bond is made.
        let same = |pif: &Pif| {
            pif.is_managed() && (!self.members.is_empty() || recorded == Some(&pif.uuid))
        };
        let now = match self.members.is_empty() {
            true => self.record.now(host)?,
            false => self.members.pif(host, &self.record.host)?,
        };
        let Some(now) = now.filter(same) else { return Ok(None) };
        match self.set {
            PifSetting::Purpose(_) => xe::with_maps(host, &self.record.host, now).map(Some),
            _ => Ok(Some(now)),
        }
    }

    fn change(&self, host: &Host, now: Pif, to: &PifSetting, from: &PifSetting) -> Result<()> {
        if is_so(host, &now, to, from) {
            return Ok(());
        }
        let cmd = to.command(&now.uuid);
        let output = host.run(&cmd)?;
        let mut last = None;
        for _ in 0..LOOKS {
            match self.now(host) {
                Ok(Some(now)) if is_so(host, &now, to, from) => return Ok(()),
                // A host whose address changes drops its connection to the master
                // (tests/ground/managed.md, H3).
                Err(error) if xe::failure(&error) == Some(Failure::NoAnswer) => last = Some(error),
                Err(error) => return Err(error),
                Ok(_) => {
                    output.clone().check(&cmd)?;
                    last = None;
                }
            }
            host.clock().pause(PAUSE);
        }
        match last {
            Some(error) => Err(error),
            None => bail!("`{cmd}` reported success, and XAPI or the kernel does not show it"),
        }
    }
}

/// Whether a record, and of an address the kernel, is so.
fn is_so(host: &Host, now: &Pif, to: &PifSetting, from: &PifSetting) -> bool {
    let in_kernel = match (to, from) {
        (PifSetting::Ip(to), PifSetting::Ip(from)) if now.attached => has_moved(host, to, from),
        _ => true,
    };
    in_kernel && to.of(now).is_like(to)
}

/// Whether the kernel has the one address and not the other; where it does not tell, it may.
fn has_moved(host: &Host, to: &IpSettings, from: &IpSettings) -> bool {
    let Some(local) = local(host) else { return true };
    let (to, from) = (to.address().map(|n| n.addr), from.address().map(|n| n.addr));
    to.is_none_or(|addr| local.contains(&addr))
        && from.filter(|from| Some(*from) != to).is_none_or(|addr| !local.contains(&addr))
}

fn local(host: &Host) -> Option<BTreeSet<Ipv4Addr>> {
    if let Some(all) = host.own_addresses() {
        return Some(order::set(all.iter().map(|one| one.addr)));
    }
    host.read_text("/proc/net/fib_trie").ok()?.map(|text| local_addresses(&text))
}
