//! Mode and properties of a bond that XAPI manages and that stands: XAPI plugs it again with them.

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::managed::{LOOKS, PAUSE};
use super::xapi_bond::xapi_word;
use crate::host::{Cmd, Host};
use crate::net::{BondMode, IfName, Uuid};
use crate::xe;

/// A mode, and the properties that are asked for with it, by XAPI's own words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BondSettings {
    /// The mode.
    pub mode: BondMode,
    /// The properties.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub properties: Vec<(String, String)>,
}

/// A change of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BondModeChange {
    /// XAPI's uuid of the bond.
    pub uuid: Uuid,
    /// Its device.
    pub bond: IfName,
    /// What was.
    pub was: BondSettings,
    /// What is to be.
    pub want: BondSettings,
}

impl BondModeChange {
    fn title_to(&self, to: &BondSettings) -> String {
        let mut all = vec![format!("set the mode of {} in XAPI to {}", self.bond, to.mode)];
        all.extend(to.properties.iter().map(|(key, value)| format!("{key} to {value}")));
        all.join(", ")
    }

    pub(super) fn title(&self) -> String {
        self.title_to(&self.want)
    }

    pub(super) fn undo_title(&self) -> String {
        format!("{} again", self.title_to(&self.was))
    }

    fn commands_to(&self, to: &BondSettings, from: &BondSettings) -> Vec<Cmd> {
        let mode =
            (to.mode != from.mode).then(|| xe::set_bond_mode(&self.uuid, xapi_word(to.mode)));
        let set = |(key, value): &(String, String)| {
            xe::set("bond", &self.uuid, &format!("properties:{key}={value}"))
        };
        mode.into_iter().chain(to.properties.iter().map(set)).collect()
    }

    pub(super) fn commands(&self) -> Vec<Cmd> {
        self.commands_to(&self.want, &self.was)
    }

    pub(super) fn undo_commands(&self) -> Vec<Cmd> {
        self.commands_to(&self.was, &self.want)
    }

    pub(super) fn set(&self, host: &Host, back: bool) -> Result<()> {
        let to = if back { &self.was } else { &self.want };
        let cmds = if back { self.undo_commands() } else { self.commands() };
        let mut said = Vec::new();
        for cmd in cmds {
            if self.is_so(host, to)? {
                break;
            }
            said.push((host.run(&cmd)?, cmd));
        }
        for _ in 0..LOOKS {
            if self.is_so(host, to)? {
                return Ok(());
            }
            host.clock().pause(PAUSE);
        }
        for (output, cmd) in said {
            output.check(&cmd)?;
        }
        bail!("XAPI does not show what {} was to have", self.bond)
    }

    fn is_so(&self, host: &Host, to: &BondSettings) -> Result<bool> {
        let all = xe::bonds(host)?.whole()?;
        let now = all.into_iter().find(|bond| bond.uuid == self.uuid);
        let now = now.with_context(|| format!("XAPI has no {} any more", self.bond))?;
        let mut asked = to.properties.iter();
        Ok(now.mode.as_deref() == Some(xapi_word(to.mode))
            && asked.all(|(key, value)| now.properties.get(key) == Some(value)))
    }
}
