//! The lines of `bond/show`, and the bond that they make.
//!
//! Must not know where one bond ends and the next begins: that is the reader's.

use super::line::split;
use super::{Bond, Negotiation, Slave, flag, name, set, word};
use crate::net::decimal;

/// A line of a bond's own part. Its value is `None` where it makes no sense.
pub(super) enum Fact {
    Mode(Option<String>),
    Lacp(Option<Negotiation>),
    Fallback(Option<bool>),
    Updelay(Option<u32>),
    Downdelay(Option<u32>),
    Primary(Option<String>),
    ActiveMac(Option<String>),
    /// One that says nothing that is asked here, or what changes from call to call.
    Other,
}

/// A bond in the making.
#[derive(Default)]
pub(super) struct Draft {
    bond: Bond,
    named: Option<String>,
}

/// Reads a line of a bond's own part.
pub(super) fn fact(line: &str) -> Option<Fact> {
    let (label, value) = split(line)?;
    Some(match label {
        "bond_mode" => Fact::Mode((!value.is_empty()).then(|| value.to_string())),
        "lacp_status" => Fact::Lacp(word(value)),
        // `false` is said of a bond without LACP too (1.2 to 1.5).
        "lacp_negotiated" => Fact::Lacp((value == "true").then_some(Negotiation::Negotiated)),
        // 1.1 prints the setting: that LACP is on says nothing of a partner.
        "lacp" if is_setting(value) => Fact::Lacp(word(value)),
        "lacp_fallback_ab" => Fact::Fallback(flag(value)),
        "updelay" => Fact::Updelay(milliseconds(value)),
        "downdelay" => Fact::Downdelay(milliseconds(value)),
        // Behind it may stand `(no such member)`.
        "active-backup primary" => Fact::Primary(value.split(' ').next().and_then(name)),
        "active slave mac" | "active member mac" => Fact::ActiveMac(named(value)),
        "bond may use recirculation"
        | "bond-hash-algorithm"
        | "bond-hash-basis"
        | "bond-detect-mode"
        | "bond-miimon-interval"
        | "lb_output action"
        | "all members active"
        | "next rebalance" => Fact::Other,
        _ => return None,
    })
}

/// Whether a value of `lacp:` is the setting of 1.1's `bond/show`, and not a port's name as in the
/// `lacp/show` of that release.
pub(super) fn is_setting(value: &str) -> bool {
    ["off", "active", "passive"].contains(&value)
}

/// Reads the first line of a slave: its name, and whether it is enabled, which a cut line does not
/// say.
pub(super) fn slave(line: &str) -> Option<(String, Option<bool>)> {
    let (who, state) = split(line)?;
    let who = name(who.strip_prefix("slave ").or_else(|| who.strip_prefix("member "))?)?;
    match state {
        "enabled" => Some((who, Some(true))),
        "disabled" => Some((who, Some(false))),
        cut if "enabled".starts_with(cut) || "disabled".starts_with(cut) => Some((who, None)),
        _ => None,
    }
}

/// `00:1b:21:aa:bb:03(eth3)`, or `(none)`, which is no slave's name.
fn named(value: &str) -> Option<String> {
    name(value.strip_suffix(')')?.split_once('(')?.1)
}

/// The unit must be there: without it the number may be cut too.
fn milliseconds(value: &str) -> Option<u32> {
    decimal(value.strip_suffix(" ms")?)
}

impl Draft {
    pub(super) fn new(name: Option<String>) -> Self {
        Self { bond: Bond { name, ..Bond::default() }, ..Self::default() }
    }

    /// Whether the line can be of this bond: its own lines stand before its slaves, and one mode is
    /// all it has.
    pub(super) fn fits(&self, fact: &Fact) -> bool {
        let again = matches!(fact, Fact::Mode(_)) && self.bond.mode_text.is_some();
        self.bond.slaves.is_empty() && !again
    }

    /// Whether the bond has no slave of that name yet.
    pub(super) fn lacks(&self, slave: &str) -> bool {
        self.bond.slave(slave).is_none()
    }

    pub(super) fn fact(&mut self, fact: Fact) {
        let bond = &mut self.bond;
        match fact {
            Fact::Mode(text) => {
                bond.mode = text.as_deref().and_then(word);
                bond.mode_text = text;
            }
            Fact::Lacp(value) => set(&mut bond.lacp, value),
            Fact::Fallback(value) => set(&mut bond.lacp_fallback_ab, value),
            Fact::Updelay(value) => set(&mut bond.updelay, value),
            Fact::Downdelay(value) => set(&mut bond.downdelay, value),
            Fact::Primary(value) => set(&mut bond.primary, value),
            Fact::ActiveMac(value) => set(&mut self.named, value),
            Fact::Other => {}
        }
    }

    pub(super) fn slave(&mut self, name: String, enabled: Option<bool>) {
        self.bond.slaves.push(Slave { name, enabled, ..Slave::default() });
    }

    /// Takes in a line below a slave's first one.
    pub(super) fn detail(&mut self, line: &str) {
        let Some(slave) = self.bond.slaves.last_mut() else { return };
        let left = |word: &str| line.strip_prefix(word).and_then(milliseconds);
        if line == "active slave" || line == "active member" {
            slave.active = Some(true);
        } else if let Some(value) = line.strip_prefix("may_enable: ") {
            set(&mut slave.may_enable, flag(value));
        } else {
            set(&mut slave.updelay_left, left("updelay expires in "));
            set(&mut slave.downdelay_left, left("downdelay expires in "));
        }
    }

    /// The bond, if the lines were a bond's. Without slaves it takes more than one line to say so,
    /// since keys of other programs' files are called as these.
    pub(super) fn finish(mut self) -> Option<Bond> {
        let bond = &self.bond;
        let mode_and_delay = bond.mode.is_some() && bond.updelay.is_some();
        let any = bond.mode.is_some() || bond.updelay.is_some() || bond.lacp.is_some();
        if bond.slaves.is_empty() && !mode_and_delay && !(any && bond.name.is_some()) {
            return None;
        }
        let marked = bond.slaves.iter().find(|slave| slave.active == Some(true));
        // The line with the address goes on to name the last one when all have gone down, up to 2.7.
        let named = self.named.as_ref().and_then(|name| bond.slave(name));
        let active = marked.or(named.filter(|slave| slave.enabled == Some(true)));
        let active = active.map(|slave| slave.name.clone());
        for slave in &mut self.bond.slaves {
            // The mark stands before `may_enable`: a slave that has that line and no mark is not
            // the active one, nor is one that is disabled.
            let not = slave.may_enable.is_some() || slave.enabled == Some(false);
            let said = match &active {
                Some(name) => Some(slave.name == *name),
                None => not.then_some(false),
            };
            slave.active = slave.active.or(said);
        }
        self.bond.active_slave = active;
        Some(self.bond)
    }
}
