//! What a fact is called, in the record and in a sentence.

use std::fmt;
use std::str::FromStr;

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

use crate::net::{IfName, Ipv4Net, Tagged, Uuid, shown, text_form};
use crate::spec::Knob;

/// Which fact. Its text form is the key in plan.json and does not change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Fact {
    /// The backend that runs: the one fact that only a reboot changes.
    RunningBackend,
    /// Whether the management bridge is there.
    ManagementBridge(String),
    /// What stands at a path.
    File(String),
    /// Whether the kernel has a device.
    Device(IfName),
    /// Whether the kernel has the device of a tag.
    Vlan(Tagged),
    /// A NIC's MAC address, or that of a bond that stands.
    Mac(IfName),
    /// A NIC's MTU.
    Mtu(IfName),
    /// Whether a NIC is administratively up.
    Up(IfName),
    /// What a NIC is a slave or port of.
    Master(IfName),
    /// A setting of a NIC's.
    Tuned(IfName, Knob),
    /// Whether XAPI has a record of a NIC.
    Pif(IfName),
    /// A field of that record, by its name in `xe`.
    PifField(IfName, String),
    /// A field of XAPI's record of a network, by its name in `xe`.
    NetworkField(Uuid, String),
    /// How many networks of a name there are on which nothing lies.
    Networks(String),
    /// The host's addresses in a subnet.
    Addresses(Ipv4Net),
    /// The routes by routers through a device.
    Routes(IfName),
    /// The default route.
    DefaultRoute,
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RunningBackend => f.write_str("running-backend"),
            Self::ManagementBridge(bridge) => write!(f, "management-bridge {bridge}"),
            Self::File(path) => write!(f, "file {path}"),
            Self::Device(name) => write!(f, "device {name}"),
            Self::Vlan(device) => write!(f, "vlan {device}"),
            Self::Mac(nic) => write!(f, "mac {nic}"),
            Self::Mtu(nic) => write!(f, "mtu {nic}"),
            Self::Up(nic) => write!(f, "up {nic}"),
            Self::Master(nic) => write!(f, "master {nic}"),
            Self::Tuned(nic, knob) => write!(f, "tuned {nic} {knob}"),
            Self::Pif(nic) => write!(f, "pif {nic}"),
            Self::PifField(nic, field) => write!(f, "pif-field {nic} {field}"),
            Self::NetworkField(uuid, field) => write!(f, "network-field {uuid} {field}"),
            Self::Networks(name) => write!(f, "networks {name}"),
            Self::Addresses(subnet) => write!(f, "addresses {subnet}"),
            Self::Routes(device) => write!(f, "routes {device}"),
            Self::DefaultRoute => f.write_str("default-route"),
        }
    }
}

impl FromStr for Fact {
    type Err = anyhow::Error;
    fn from_str(text: &str) -> Result<Self> {
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        Ok(match word {
            "running-backend" => Self::RunningBackend,
            "management-bridge" => Self::ManagementBridge(rest.into()),
            "file" => Self::File(rest.into()),
            "device" => Self::Device(rest.parse()?),
            "vlan" => Self::Vlan(rest.parse()?),
            "mac" => Self::Mac(rest.parse()?),
            "mtu" => Self::Mtu(rest.parse()?),
            "up" => Self::Up(rest.parse()?),
            "master" => Self::Master(rest.parse()?),
            "tuned" => match rest.split_once(' ') {
                Some((nic, knob)) => Self::Tuned(nic.parse()?, knob.parse()?),
                None => bail!("`{}` names no setting of a NIC", shown(text)),
            },
            "pif" => Self::Pif(rest.parse()?),
            "pif-field" => match rest.split_once(' ') {
                Some((nic, field)) => Self::PifField(nic.parse()?, field.into()),
                None => bail!("`{}` names no field of a PIF", shown(text)),
            },
            "network-field" => match rest.split_once(' ') {
                Some((uuid, field)) => Self::NetworkField(uuid.parse()?, field.into()),
                None => bail!("`{}` names no field of a network", shown(text)),
            },
            "networks" => Self::Networks(rest.into()),
            "addresses" => Self::Addresses(rest.parse()?),
            "routes" => Self::Routes(rest.parse()?),
            "default-route" => Self::DefaultRoute,
            _ => bail!("`{}` is not a valid fact that this xenbond knows", shown(text)),
        })
    }
}

text_form!(Fact);

impl Fact {
    /// Its name in a sentence.
    pub(super) fn words(&self) -> String {
        match self {
            Self::RunningBackend => "running backend".into(),
            Self::ManagementBridge(bridge) => format!("management bridge {}", shown(bridge)),
            Self::File(path) => format!("file {}", path.escape_debug()),
            Self::Device(name) => format!("device {name}"),
            Self::Vlan(device) => format!("device {device}"),
            Self::Mac(nic) => format!("{nic} MAC address"),
            Self::Mtu(nic) => format!("{nic} MTU"),
            Self::Up(nic) => format!("{nic} state"),
            Self::Master(nic) => format!("{nic} master"),
            Self::Tuned(nic, knob) => format!("{nic} {knob}"),
            Self::Pif(nic) => format!("PIF of {nic}"),
            Self::PifField(nic, field) => format!("PIF of {nic}, {}", shown(field)),
            Self::NetworkField(uuid, field) => format!("network {uuid}, {}", shown(field)),
            Self::Networks(name) => format!("unused networks called {}", shown(name)),
            Self::Addresses(subnet) => format!("addresses in {subnet}"),
            Self::Routes(device) => format!("routes through {device}"),
            Self::DefaultRoute => "default route".into(),
        }
    }
}

/// What a fact is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Value {
    /// Nothing tells.
    Unknown,
    /// There is none.
    Absent,
    /// It is there.
    There,
    /// A word of the host's own.
    Word(String),
    /// Several, in the host's order.
    List(Vec<String>),
    /// A symbolic link to this.
    Link(String),
    /// A plain file.
    File {
        /// How many bytes.
        size: usize,
        /// Their digest.
        digest: String,
        /// Permission bits.
        mode: u32,
        /// Owner.
        uid: u32,
        /// Group.
        gid: u32,
    },
    /// A folder, a device: no file.
    NoFile,
}

impl Value {
    /// Whether something is there.
    pub(super) fn there(is: bool) -> Self {
        if is { Self::There } else { Self::Absent }
    }

    /// A word, where something tells.
    pub(super) fn known(word: Option<String>) -> Self {
        word.map_or(Self::Unknown, Self::Word)
    }

    /// Its form in the record.
    pub(super) fn in_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// What is said of a fact's value.
pub(super) fn value_in_words(fact: &Fact, value: &Value) -> String {
    match value {
        Value::Unknown => "unknown".into(),
        Value::Absent => match fact {
            Fact::ManagementBridge(_) | Fact::Device(_) | Fact::Vlan(_) => "not there",
            Fact::File(_) => "absent",
            Fact::PifField(..) => "no such field",
            _ => "none",
        }
        .into(),
        Value::There => "there".into(),
        Value::Word(word) => shown(word),
        Value::List(all) if all.is_empty() => "none".into(),
        Value::List(all) => all.join(", ").escape_debug().to_string(),
        Value::Link(target) => format!("a link to {}", shown(target)),
        Value::File { size, digest, mode, uid, gid } => {
            format!("{size} bytes, {digest}, mode {mode:04o}, owner {uid}:{gid}")
        }
        Value::NoFile => "no file".into(),
    }
}
