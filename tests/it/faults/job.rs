//! What is asked of a host in a scenario, and which end each verdict of it means.

use xenbond::model::state::{Networkd, State};
use xenbond::net::{Backend, IfName};
use xenbond::outcome::Ending;

use super::End;

/// What is asked of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    /// A bond.
    Make,
    /// That its bond becomes another one while it is up.
    Live,
    /// That a bond is taken over which somebody made by hand.
    Adopt,
    /// That its bond goes for good, and the backend with it where there was a switch.
    Remove,
    /// A storage NIC, which XAPI keeps.
    Storage,
    /// That its storage NIC becomes another one.
    StorageLive,
    /// That its storage NIC is given back.
    StorageRemove,
    /// A bond that XAPI makes, for storage.
    XapiBond,
    /// One that the management moves to.
    XapiManagement,
    /// That such a bond has another mode, MTU and address.
    XapiLive,
    /// That such a bond goes for good.
    XapiRemove,
    /// That the first of two bonds is rolled back, while the second stands.
    First,
    /// That the second is rolled back as well, when the first is gone.
    Last,
}

impl Job {
    pub fn name(self) -> &'static str {
        match self {
            Self::Make => "apply",
            Self::Live => "change while up",
            Self::Adopt => "adopt",
            Self::Remove => "remove",
            Self::Storage => "storage NIC",
            Self::StorageLive => "storage NIC changed",
            Self::StorageRemove => "storage NIC removed",
            Self::XapiBond => "XAPI's bond",
            Self::XapiManagement => "XAPI's bond for the management",
            Self::XapiLive => "XAPI's bond changed",
            Self::XapiRemove => "XAPI's bond removed",
            Self::First => "the first of two",
            Self::Last => "the last of two",
        }
    }

    /// Whether it is a change, which a rollback takes back.
    pub fn is_change(self) -> bool {
        !matches!(self, Self::First | Self::Last)
    }

    /// Whether it is about a NIC that XAPI keeps.
    pub fn is_storage(self) -> bool {
        matches!(self, Self::Storage | Self::StorageLive | Self::StorageRemove)
    }

    /// Whether it is about a bond that XAPI makes.
    pub fn is_xapi_bond(self) -> bool {
        use Job::{XapiBond, XapiLive, XapiManagement, XapiRemove};
        matches!(self, XapiBond | XapiManagement | XapiLive | XapiRemove)
    }

    /// The end that a verdict means.
    pub fn means(self, ending: Ending) -> Option<End> {
        match (ending, self.is_change()) {
            (Ending::RolledBack, true) => Some(End::Untouched),
            (Ending::Done, true) | (Ending::RolledBack, false) => Some(End::Wanted),
            _ => None,
        }
    }

    /// The bond that a rollback names.
    pub fn bond(self) -> Option<IfName> {
        match self {
            _ if self.is_change() => None,
            Self::First => Some("bond51".parse().unwrap()),
            _ => Some("bond52".parse().unwrap()),
        }
    }

    /// The backend that is to come after the last bond.
    pub fn backend(self, switch: bool) -> Option<Backend> {
        (self == Self::Remove && switch).then_some(Backend::Openvswitch)
    }
}

/// Two more NICs that are free: without the bond that XAPI manages.
pub fn free_bond0(state: &mut State) {
    state.pool.bonds.remove("xen01/bond0");
    state.pool.pifs.remove("xen01/bond0");
    for nic in ["xen01/eth4", "xen01/eth5"] {
        state.pool.pifs.get_mut(nic).unwrap().currently_attached = false;
    }
    state.dom0.bonds.remove("bond0");
    state.dom0.vswitch.remove("bond0");
    state.dom0.devices.remove("xapi0");
    // What networkd remembers is of the host as it was.
    state.dom0.networkd = Networkd::default();
    for nic in ["eth4", "eth5"] {
        let nic = state.dom0.nics.get_mut(nic).unwrap();
        (nic.master, nic.up) = (None, false);
        nic.mac.clone_from(&nic.permanent_mac);
    }
}
