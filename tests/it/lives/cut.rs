//! Lives that once failed, cut down to the events that were needed.

use xenbond::model::state::{Backend, Flavour};

use super::event::Act::{Apply, RollbackNth};
use super::event::Event::{By, PowerCut, Reboot, Switches};
use super::event::{Ask, Birth, Event};

pub const LIVES: &[(Birth, &[Event])] = &[
    // A rollback waited for the reboot that others had made lead elsewhere, for good.
    (
        Birth { flavour: Flavour::El7, backend: Backend::Openvswitch },
        &[
            By(Apply(Ask {
                bond: "bond51",
                nics: "eth2,eth3,eth1",
                mode: "802.3ad",
                miimon: 200,
                mtu: 9000,
                address: "172.16.51.11/24",
            })),
            Reboot,
            By(RollbackNth(0)),
            Switches(Backend::Bridge),
        ],
    ),
    // And for one that was to lead back to what others had switched away from before the change.
    (
        Birth { flavour: Flavour::El7, backend: Backend::Openvswitch },
        &[
            Switches(Backend::Bridge),
            By(Apply(Ask {
                bond: "bond51",
                nics: "eth3,eth2",
                mode: "active-backup",
                miimon: 100,
                mtu: 1500,
                address: "172.16.51.11/24",
            })),
            PowerCut,
        ],
    ),
];
