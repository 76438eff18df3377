//! The lines of `lacp/show`, and the port that they make.
//!
//! Must not know where one port ends and the next begins: that is the reader's.

use super::line::split;
use super::{LacpPort, LacpSlave, PortState, flag, mac, name, set, word};
use crate::net::decimal;

/// How fresh what is known of the partner is.
const FRESH: [&str; 3] = ["current", "expired", "defaulted"];

/// A port in the making.
#[derive(Default)]
pub(super) struct Draft {
    port: LacpPort,
}

/// The first line of a slave.
pub(super) struct Heard {
    name: String,
    words: Vec<String>,
}

/// `active` or `passive`, and what may stand behind it.
pub(super) fn status(line: &str) -> Option<String> {
    let (label, value) = split(line)?;
    let mut words = value.split(' ');
    let good = label == "status"
        && matches!(words.next(), Some("active" | "passive"))
        && words.all(|word| word == "heartbeat" || word == "negotiated");
    good.then(|| value.to_string())
}

/// Whether a line is of a port's own part, where it stands below a title.
pub(super) fn is_head(line: &str) -> bool {
    let heads = ["status", "sys_id", "sys_priority", "aggregation key", "lacp_time"];
    split(line).is_some_and(|(label, _)| heads.contains(&label))
}

/// `slave: eth1: current attached`. Inside a port the line may be cut; elsewhere it must be `whole`
/// to count.
pub(super) fn slave(line: &str, whole: bool) -> Option<Heard> {
    let (label, rest) = split(line)?;
    let (who, words) = rest.split_once(':')?;
    let words: Vec<String> = words.split_whitespace().map(String::from).collect();
    let first = words.first().map_or("", String::as_str);
    let known = match whole {
        true => FRESH.contains(&first),
        false => FRESH.iter().any(|word| word.starts_with(first)),
    };
    let good = known && (label == "slave" || label == "member");
    name(who).filter(|_| good).map(|name| Heard { name, words })
}

/// The words of a state. One that is no such word makes the list worthless: what else was lost?
fn states(value: &str) -> Option<Vec<PortState>> {
    value.split_whitespace().map(word).collect()
}

impl Draft {
    pub(super) fn new(name: Option<String>) -> Self {
        Self { port: LacpPort { name, ..LacpPort::default() } }
    }

    /// Whether a status can be of this port: it has none, and no slave, yet.
    pub(super) fn lacks_status(&self) -> bool {
        self.port.status.is_none() && self.port.slaves.is_empty()
    }

    /// Whether the port has no slave of that name yet.
    pub(super) fn lacks(&self, heard: &Heard) -> bool {
        self.port.slaves.iter().all(|slave| slave.name != heard.name)
    }

    pub(super) fn status(&mut self, status: String) {
        set(&mut self.port.status, Some(status));
    }

    pub(super) fn slave(&mut self, heard: Heard) {
        let first = heard.words.first().map(String::as_str);
        let fresh = first.filter(|word| FRESH.contains(word));
        let attached = heard.words.iter().find_map(|word| match word.as_str() {
            "attached" => Some(true),
            "detached" => Some(false),
            _ => None,
        });
        self.port.slaves.push(LacpSlave {
            name: heard.name,
            current: fresh.map(|word| word == "current"),
            defaulted: fresh.map(|word| word == "defaulted"),
            attached,
            ..LacpSlave::default()
        });
    }

    /// Takes in a line of the port, or of its last slave.
    pub(super) fn line(&mut self, line: &str) {
        let Some((label, value)) = split(line) else { return };
        match (label, self.port.slaves.last_mut()) {
            ("sys_id", None) => set(&mut self.port.sys_id, mac(value)),
            ("aggregation key", None) => set(&mut self.port.key, decimal(value)),
            ("lacp_time", None) => set(&mut self.port.rate, word(value)),
            ("may_enable", Some(slave)) => set(&mut slave.may_enable, flag(value)),
            ("partner sys_id", Some(slave)) => set(&mut slave.partner_sys_id, mac(value)),
            ("partner key", Some(slave)) => set(&mut slave.partner_key, decimal(value)),
            ("actor state", Some(slave)) => set(&mut slave.actor_state, states(value)),
            ("partner state", Some(slave)) => set(&mut slave.partner_state, states(value)),
            _ => {}
        }
    }

    /// The port, if the lines were one's: a title alone, or a line that others have too, is none.
    pub(super) fn finish(self) -> Option<LacpPort> {
        let port = self.port;
        let any = port.status.is_some() || !port.slaves.is_empty();
        any.then_some(port)
    }
}
