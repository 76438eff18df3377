//! What a row of a verification is about: a key with its values. The words for it are made where
//! it is printed, and nothing is ever told from them.

use std::fmt;

use serde::{Serialize, Serializer};

use super::probe::Probing;
use crate::net::{IfName, Ipv4Net, Tagged};
use crate::options::Opt;
use crate::spec::{Knob, Network, NicRef, Spec};

/// What one row is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Setting {
    /// A NIC of the spec, which must be on this host.
    Nic(NicRef),
    /// The bond itself.
    Bond(IfName),
    /// Whose bond it is: the kernel driver's, or another program's.
    Driver,
    /// Its mode.
    Mode,
    /// An option of the driver's.
    Option(Opt),
    /// Which slaves it has.
    Slaves,
    /// Which NIC has this name.
    PermanentMac(IfName),
    /// A slave's link.
    Link(IfName),
    /// The slaves' speed.
    Speed,
    /// The slaves' duplex.
    Duplex,
    /// The bond's own link.
    BondLink(IfName),
    /// Which slave carries the traffic.
    ActiveSlave,
    /// Whether a partner speaks LACP.
    LacpPartner,
    /// Whether all ports are in one aggregator.
    LacpAggregator,
    /// Whether both ends use the ports.
    LacpPorts,
    /// Whether both ends have come to agree.
    LacpChurn,
    /// The address.
    Address,
    /// A device's MTU.
    Mtu(IfName),
    /// What the device of a tag is.
    Vlan(Tagged),
    /// Its link.
    VlanLink(Tagged),
    /// The address on it, where it is not the bond's own network.
    VlanAddress(Tagged),
    /// Its MTU.
    VlanMtu(Tagged),
    /// A route of the spec.
    Route(Ipv4Net),
    /// That a bond has no address beside those of its tags.
    NoAddress(IfName),
    /// A setting of a NIC's.
    Tuned(IfName, Knob),
    /// The default route.
    DefaultRoute,
    /// What lies on the bond.
    Carries,
    /// The route to addresses of hosts without any.
    LinkLocalRoute,
    /// Whether XAPI leaves a NIC alone.
    InXapi(IfName),
    /// What a NIC that XAPI keeps is a port of.
    Port(IfName),
    /// The address that XAPI has for a NIC.
    AddressInXapi(IfName),
    /// Whether XAPI refuses to unplug it.
    DisallowUnplug(IfName),
    /// What XAPI's clients show that it is for.
    Purpose(IfName),
    /// A field of XAPI's record of its network.
    NetworkField(&'static str),
    /// Which record XAPI has of a NIC.
    RecordInXapi(IfName),
    /// The backend that runs.
    RunningBackend,
    /// The backend that is set.
    NextBackend,
    /// A file.
    File(String),
    /// Our block in a file that others write too.
    Block(String),
    /// The files of a bond's slaves.
    SlaveFiles(IfName),
    /// What the next boot does.
    NextBoot,
    /// The change that makes it, or undoes it.
    Change,
    /// Whether what XAPI and networkd know of the NICs is on disk.
    SurvivesPowerCut,
    /// Whether a storage server answers, and to what.
    Probe(Probing),
    /// Whether Open vSwitch uses a member.
    Enabled(IfName),
    /// The bridge that a bond of XAPI's is a port of.
    Bridge(IfName),
    /// How an LACP bond of XAPI's spreads its traffic.
    HashingAlgorithm,
    /// How often its partner is asked to speak.
    LacpTime,
    /// The bridge that the host says it is managed through.
    ManagementInterface,
}

impl Setting {
    /// Whether storage is cut off while it is not as asked.
    #[must_use]
    pub fn cuts_storage(&self) -> bool {
        matches!(
            self,
            Self::Bond(_)
                | Self::BondLink(_)
                | Self::Bridge(_)
                | Self::Address
                | Self::Vlan(_)
                | Self::VlanLink(_)
                | Self::VlanAddress(_)
                | Self::Route(_)
                | Self::Port(_)
                | Self::Probe(_)
        )
    }

    /// The tagged network of a spec that it is about, and not the bond.
    #[must_use]
    pub fn tag<'a>(&'a self, spec: &'a Spec) -> Option<&'a Tagged> {
        match self {
            Self::Vlan(tagged)
            | Self::VlanLink(tagged)
            | Self::VlanAddress(tagged)
            | Self::VlanMtu(tagged) => Some(tagged),
            Self::Address => spec.vlan.as_ref(),
            Self::Route(to) => {
                let has = |n: &Network<'_>| n.routes.iter().any(|route| route.to == *to);
                spec.networks().find(has)?.tagged
            }
            _ => None,
        }
    }

    /// Whether it is a matter of LACP, which takes its time.
    pub(super) fn is_lacp(&self) -> bool {
        matches!(self, Self::LacpPartner | Self::LacpAggregator | Self::LacpPorts | Self::LacpChurn)
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self {
            Self::Nic(nic) => return write!(f, "NIC {nic}"),
            Self::Bond(bond) => return write!(f, "{bond}"),
            Self::Option(opt) => opt.row().name,
            Self::PermanentMac(device) => return write!(f, "{device} permanent MAC"),
            Self::Link(device) | Self::BondLink(device) => return write!(f, "{device} link"),
            Self::Mtu(device) => return write!(f, "{device} MTU"),
            Self::Vlan(device) => return write!(f, "{device}"),
            Self::VlanLink(device) => return write!(f, "{device} link"),
            Self::VlanAddress(device) => return write!(f, "{device} address"),
            Self::VlanMtu(device) => return write!(f, "{device} MTU"),
            Self::Route(to) => return write!(f, "route to {to}"),
            Self::NoAddress(bond) => return write!(f, "{bond} address"),
            Self::Tuned(device, knob) => return write!(f, "{device} {knob}"),
            Self::Enabled(device) => return write!(f, "{device} enabled"),
            Self::Bridge(device) => return write!(f, "{device} bridge"),
            Self::InXapi(device) => return write!(f, "{device} in XAPI"),
            Self::Port(device) => return write!(f, "{device} is a port of"),
            Self::AddressInXapi(device) => return write!(f, "{device} address in XAPI"),
            Self::DisallowUnplug(device) => return write!(f, "{device} disallow-unplug"),
            Self::Purpose(device) => return write!(f, "{device} management_purpose"),
            Self::NetworkField(field) => return write!(f, "network {field}"),
            Self::RecordInXapi(device) => return write!(f, "{device} record in XAPI"),
            Self::File(path) => return write!(f, "file {path}"),
            Self::Block(path) => return write!(f, "file {path} (our block)"),
            Self::SlaveFiles(bond) => return write!(f, "files of the slaves of {bond}"),
            Self::Probe(probing) => return f.write_str(&probing.words()),
            Self::HashingAlgorithm => "hashing algorithm",
            Self::LacpTime => "lacp-time",
            Self::ManagementInterface => "management interface",
            Self::Driver => "driver",
            Self::Mode => "mode",
            Self::Slaves => "slaves",
            Self::Speed => "speed",
            Self::Duplex => "duplex",
            Self::ActiveSlave => "active slave",
            Self::LacpPartner => "LACP partner",
            Self::LacpAggregator => "LACP aggregator",
            Self::LacpPorts => "LACP ports",
            Self::LacpChurn => "LACP churn",
            Self::Address => "address",
            Self::DefaultRoute => "default route",
            Self::Carries => "on the bond",
            Self::LinkLocalRoute => "link-local route",
            Self::RunningBackend => "running backend",
            Self::NextBackend => "backend at the next boot",
            Self::NextBoot => "next boot",
            Self::Change => "change",
            Self::SurvivesPowerCut => "survives a power cut",
        };
        f.write_str(word)
    }
}

impl Serialize for Setting {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}
