//! What Open vSwitch says of its bonds: the texts of `ovs-appctl bond/show` and `lacp/show`, and
//! what `bond/list` and `ovs-vsctl` say of the ports.
//!
//! Knows the words of every release from 1.0 to 3.7 (tests/ground/ovs.md), `slave` and `member`
//! alike. Must not know where a text comes from, what was asked for, or what is good: a line that
//! is missing is `None`, and what `None` means is for the caller to judge.

mod bond;
mod lacp;
mod line;
mod reader;
#[cfg(test)]
mod tests;
mod vsctl;

pub use reader::read;
pub use vsctl::{Port, PortRecord, ports, records};

use serde::de::DeserializeOwned;
use serde::de::value::{Error, StrDeserializer};
use serde::{Deserialize, Serialize};

/// All that a text says of bonds and of LACP, in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Readings {
    /// What `bond/show` says.
    pub bonds: Vec<Bond>,
    /// What `lacp/show` says.
    pub lacp: Vec<LacpPort>,
}

/// One bond as `bond/show` prints it. `None` is "the text does not say", never a default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Bond {
    /// The port's name; printed from 1.6 on (tests/ground/ovs.md, B1).
    pub name: Option<String>,
    /// The whole text after `bond_mode:`, also when no mode is known by it.
    pub mode_text: Option<String>,
    /// The mode that `mode_text` names. It is the one asked for, also where LACP has fallen back to
    /// active-backup.
    pub mode: Option<Mode>,
    /// How far LACP is.
    pub lacp: Option<Negotiation>,
    /// Whether the bond works as active-backup while no partner answers; from 2.8.
    pub lacp_fallback_ab: Option<bool>,
    /// Milliseconds before a link that came up is used.
    pub updelay: Option<u32>,
    /// Milliseconds before a link that went down is left.
    pub downdelay: Option<u32>,
    /// The primary slave, which need not be one of the bond's; from 2.14.
    pub primary: Option<String>,
    /// The slave that is marked as the active one; without a mark the one that the line of its
    /// address names, if that slave is enabled (tests/ground/ovs.md, B3).
    pub active_slave: Option<String>,
    /// The slaves in the order printed.
    pub slaves: Vec<Slave>,
}

/// One slave of `bond/show`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Slave {
    /// The interface.
    pub name: String,
    /// Whether it may carry traffic now.
    pub enabled: Option<bool>,
    /// Whether it is the active one.
    pub active: Option<bool>,
    /// What `enabled` should be and will be once a delay has run (tests/ground/ovs.md, D1); from
    /// 1.2.
    pub may_enable: Option<bool>,
    /// Milliseconds until it is used; printed only while that delay runs.
    pub updelay_left: Option<u32>,
    /// Milliseconds until it is left; printed only while that delay runs.
    pub downdelay_left: Option<u32>,
}

/// One port that speaks LACP, as `lacp/show` prints it; it may be no bond.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LacpPort {
    /// The port's name.
    pub name: Option<String>,
    /// `active` or `passive`, and `negotiated` behind it; as printed.
    pub status: Option<String>,
    /// Our system's address in lower case.
    pub sys_id: Option<String>,
    /// Our key.
    pub key: Option<u32>,
    /// How often the partner is asked to speak; from 1.2.
    pub rate: Option<Rate>,
    /// The slaves in the order printed.
    pub slaves: Vec<LacpSlave>,
}

/// One slave of `lacp/show`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LacpSlave {
    /// The interface.
    pub name: String,
    /// Whether what is known of the partner is fresh: neither expired nor made up.
    pub current: Option<bool>,
    /// Whether it is in the aggregate.
    pub attached: Option<bool>,
    /// Whether no partner was heard, so that what is said of one is made up.
    pub defaulted: Option<bool>,
    /// Whether LACP lets it carry traffic; from 1.8.
    pub may_enable: Option<bool>,
    /// The partner's system in lower case; all zero without one.
    pub partner_sys_id: Option<String>,
    /// The partner's key; 0 without one.
    pub partner_key: Option<u32>,
    /// What we say of ourselves.
    pub actor_state: Option<Vec<PortState>>,
    /// What the partner says of itself.
    pub partner_state: Option<Vec<PortState>>,
}

/// How a bond of Open vSwitch spreads its traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// One slave carries all.
    ActiveBackup,
    /// By source address and VLAN.
    BalanceSlb,
    /// By what the packets hold; only with LACP.
    BalanceTcp,
    /// By a hash that the flows choose; 1.2 to 1.10.
    Stable,
}

/// How far LACP is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Negotiation {
    /// The bond does not speak it.
    Off,
    /// It is on, and no partner agreed.
    Configured,
    /// A partner agreed; not enough to call the bond good (tests/ground/ovs.md, D2).
    Negotiated,
}

/// How often a partner is asked to speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rate {
    /// Every second.
    Fast,
    /// Every 30 seconds.
    Slow,
}

/// One bit of a port's LACP state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PortState {
    /// Speaks unasked.
    Activity,
    /// Asks for the fast rate.
    Timeout,
    /// May be one of several.
    Aggregation,
    /// Is in the aggregate.
    Synchronized,
    /// Takes traffic.
    Collecting,
    /// Sends traffic.
    Distributing,
    /// Has not heard the other side.
    Defaulted,
    /// Has not heard the other side in time.
    Expired,
}

impl Bond {
    /// The slave of that name.
    #[must_use]
    pub fn slave(&self, name: &str) -> Option<&Slave> {
        self.slaves.iter().find(|slave| slave.name == name)
    }
}

/// The value that a word stands for.
fn word<T: DeserializeOwned>(text: &str) -> Option<T> {
    T::deserialize(StrDeserializer::<Error>::new(text)).ok()
}

/// `true` or `false`.
fn flag(text: &str) -> Option<bool> {
    text.parse().ok()
}

/// The name of a port or an interface: what is none (`<none>`, `<del>`) is bracketed so.
fn name(text: &str) -> Option<String> {
    let good =
        !text.is_empty() && !text.contains(char::is_whitespace) && !text.starts_with(['<', '&']);
    good.then(|| text.to_string())
}

/// Six bytes, in lower case.
fn mac(text: &str) -> Option<String> {
    let byte = |b: &str| b.len() == 2 && b.bytes().all(|b| b.is_ascii_hexdigit());
    let good = text.split(':').count() == 6 && text.split(':').all(byte);
    good.then(|| text.to_ascii_lowercase())
}

/// Fills an empty field: of two values the first stands.
fn set<T>(field: &mut Option<T>, value: Option<T>) {
    *field = field.take().or(value);
}
