//! A NIC's record in XAPI: forgotten, introduced as unmanaged, and brought back whole
//! (tests/ground/xapi.md, B1 to B4). Every change is proved by listing again.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use super::device::is_up;
use crate::host::{Cmd, Host, Output, join};
use crate::net::{IfName, MacAddr, Uuid, shown};
use crate::order;
use crate::paths;
use crate::xe::{self, Pif};

/// A NIC and its record as it was before anything was touched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PifRecord {
    /// XAPI's uuid of the host.
    pub host: Uuid,
    /// The NIC.
    pub device: IfName,
    /// Its permanent MAC address.
    pub mac: MacAddr,
    /// Its record, when it had one.
    pub was: Option<Pif>,
    /// Whether the kernel had it in a bridge, where the kernel shows that.
    #[serde(default)]
    pub in_bridge: bool,
}

impl PifRecord {
    pub(super) fn undo_title(&self) -> String {
        let plugged = self.was.as_ref().is_some_and(|p| p.attached);
        let plug = if plugged { " and plug it" } else { "" };
        format!("re-create the PIF of {} with its old settings{plug} (new UUID)", self.device)
    }

    /// What a person types to bring the record back; its settings are in `plan.json`.
    pub(super) fn by_hand(&self) -> String {
        let managed = self.was.as_ref().is_none_or(Pif::is_managed);
        xe::introduce(&self.host, &self.device, &self.mac, managed).to_string()
    }

    pub(super) fn forget_by_hand(&self) -> String {
        xe::forget_unmanaged(&self.host, &self.device)
    }

    pub(super) fn forget_commands(&self) -> Vec<Cmd> {
        let uuid = self.was.iter().map(|p| p.uuid.to_string());
        uuid.flat_map(|uuid| [xe::unplug(&uuid), xe::forget(&uuid)]).collect()
    }

    pub(super) fn introduce_unmanaged(&self) -> Cmd {
        xe::introduce(&self.host, &self.device, &self.mac, false)
    }

    /// The NIC's record now.
    pub(super) fn now(&self, host: &Host) -> Result<Option<Pif>> {
        Ok(xe::pifs(host, &self.host)?.nic(self.device.as_str())?.cloned())
    }

    /// Fails where the record is not the one that was recorded: somebody else's later work, or
    /// another card under the same name.
    fn ensure_as_recorded(&self, host: &Host) -> Result<()> {
        let Some(now) = self.now(host)?.filter(Pif::is_managed) else { return Ok(()) };
        let Some(was) = &self.was else {
            bail!("pif-list shows a PIF of {} that was not there before: {}", self.device, now.uuid)
        };
        ensure!(
            now.uuid == was.uuid && now.mac == was.mac,
            "the PIF of {} is not the recorded one: it is {} with {}, and was {} with {}",
            self.device,
            now.uuid,
            now.mac,
            was.uuid,
            was.mac
        );
        let now = xe::with_maps(host, &self.host, now)?;
        let changed = changed(was, &now);
        ensure!(
            changed.is_empty(),
            "the PIF of {} was changed since it was recorded: {changed}",
            self.device
        );
        Ok(())
    }

    pub(super) fn forget(&self, host: &Host) -> Result<()> {
        self.ensure_as_recorded(host)?;
        let mut last: Option<(Cmd, Output)> = None;
        for cmd in self.forget_commands() {
            let output = host.run(&cmd)?;
            let failed = !output.success();
            last = Some((cmd, output));
            if failed {
                break;
            }
        }
        match (self.now(host)?, last) {
            (None, _) => Ok(()),
            // An earlier run has come past this step.
            (Some(pif), _) if !pif.is_managed() => Ok(()),
            (Some(_), Some((cmd, output))) => {
                output.check(&cmd)?;
                bail!("`{cmd}` reported success, but pif-list still shows {}", self.device)
            }
            (Some(pif), None) => bail!("XAPI has a PIF of {} again: {}", self.device, pif.uuid),
        }
    }

    pub(super) fn introduce(&self, host: &Host) -> Result<()> {
        // Where an earlier run has come past this step, XAPI refuses a second record of the device
        // and the list shows the first (tests/ground/xapi.md, B2).
        let cmd = self.introduce_unmanaged();
        let output = host.run(&cmd)?;
        match self.now(host)? {
            Some(pif) if !pif.is_managed() => Ok(()),
            now => {
                output.check(&cmd)?;
                bail!(
                    "`{cmd}` reported success, but pif-list shows {}",
                    if now.is_some() { "a PIF that XAPI manages" } else { "no PIF" }
                )
            }
        }
    }

    pub(super) fn forget_unmanaged(&self, host: &Host) -> Result<()> {
        let Some(pif) = self.now(host)?.filter(|p| !p.is_managed()) else { return Ok(()) };
        let cmd = xe::forget(&pif.uuid.to_string());
        let output = host.run(&cmd)?;
        if self.now(host)?.is_some() {
            output.check(&cmd)?;
            bail!("`{cmd}` reported success, but pif-list still shows {}", self.device);
        }
        Ok(())
    }

    /// Brings the record back: introduced where it is gone, every setting that differs set again,
    /// plugged or unplugged as it was; then compared.
    pub(super) fn remember(&self, host: &Host) -> Result<()> {
        let Some(was) = &self.was else { return Ok(()) };
        if was.is_managed() {
            self.forget_unmanaged(host)?;
        }
        if self.now(host)?.is_none() {
            let cmd = xe::introduce(&self.host, &self.device, &self.mac, was.is_managed());
            let output = host.run(&cmd)?;
            if self.now(host)?.is_none() {
                output.check(&cmd)?;
                bail!("`{cmd}` reported success, but pif-list does not show {}", self.device);
            }
        }
        let now =
            self.now(host)?.with_context(|| format!("the PIF of {} is gone again", self.device))?;
        let now = xe::with_maps(host, &self.host, now)?;
        // The very record was never forgotten: what is otherwise in it is others' later work.
        let theirs = now.uuid == was.uuid;
        for cmd in if theirs { Vec::new() } else { xe::restore(&now, was) } {
            host.run(&cmd)?.check(&cmd)?;
        }
        if now.attached != was.attached && was.is_managed() {
            let uuid = &now.uuid.to_string();
            let cmd = if was.attached { xe::plug(uuid) } else { xe::unplug(uuid) };
            host.run(&cmd)?.check(&cmd)?;
        } else if was.attached && was.is_managed() && self.in_bridge && !self.is_port(host) {
            // A boot has plugged it, and our bond, or its end, has taken it out of its bridge or
            // down since.
            let uuid = &now.uuid.to_string();
            for cmd in [xe::unplug(uuid), xe::plug(uuid)] {
                host.run(&cmd)?.check(&cmd)?;
            }
        }
        let now =
            self.now(host)?.with_context(|| format!("the PIF of {} is gone again", self.device))?;
        let now = xe::with_maps(host, &self.host, now)?;
        ensure!(
            now.attached == was.attached,
            "the PIF of {} is {}plugged",
            self.device,
            if now.attached { "" } else { "not " }
        );
        let changed = changed(was, &Pif { network: was.network.clone(), ..now });
        ensure!(
            theirs || changed.is_empty(),
            "the PIF of {} is not as it was: {changed}",
            self.device
        );
        Ok(())
    }

    /// Whether the kernel shows it as a port that is up.
    fn is_port(&self, host: &Host) -> bool {
        let folder = paths::sys_net(self.device.as_str());
        ["master", "brport"].iter().any(|link| host.exists(&join(&folder, link)))
            && is_up(host, self.device.as_str())
    }

    /// What a person types to bring the record back, as far as it is `now`.
    #[must_use]
    pub fn by_hand_from(&self, now: Option<&Pif>) -> String {
        let Some(was) = &self.was else {
            return match now {
                Some(pif) => xe::forget(&pif.uuid.to_string()).to_string(),
                None => format!("xe pif-list device={}", self.device),
            };
        };
        let introduce = xe::introduce(&self.host, &self.device, &self.mac, was.is_managed());
        match now {
            None => introduce.to_string(),
            Some(pif) if pif.is_managed() != was.is_managed() => {
                format!("{}; {introduce}", xe::forget(&pif.uuid.to_string()))
            }
            Some(pif) => {
                let mut all: Vec<String> =
                    xe::restore(pif, was).iter().map(ToString::to_string).collect();
                let uuid = pif.uuid.to_string();
                if pif.attached != was.attached {
                    let cmd = if was.attached { xe::plug(&uuid) } else { xe::unplug(&uuid) };
                    all.push(cmd.to_string());
                }
                if all.is_empty() {
                    format!("xe pif-param-list uuid={uuid}")
                } else {
                    all.join("; ")
                }
            }
        }
    }
}

/// What a forget loses and the commands of [`xe::restore`] set, by the names of `pif-list`.
fn settings(pif: &Pif) -> BTreeMap<String, String> {
    let mut all = BTreeMap::from(pif.static_ip());
    for (field, map) in [("properties", &pif.properties), ("other-config", &pif.other_config)] {
        all.extend(map.iter().map(|(key, value)| (format!("{field}:{key}"), value.clone())));
    }
    all.insert("disallow-unplug".into(), pif.disallow_unplug.to_string());
    all.insert("network-uuid".into(), pif.network.to_string());
    all
}

/// In which of them two records differ, as a sentence; empty where in none.
fn changed(was: &Pif, now: &Pif) -> String {
    let (was, now) = (settings(was), settings(now));
    let keys: BTreeSet<&String> = order::set(was.keys().chain(now.keys()));
    let word = |value: Option<&String>| value.map_or("not set".into(), |value| shown(value));
    let differ = keys.into_iter().filter(|key| was.get(*key) != now.get(*key));
    let said = differ.map(|key| {
        format!("{}: was {}, is {}", shown(key), word(was.get(key)), word(now.get(key)))
    });
    said.collect::<Vec<_>>().join("; ")
}
