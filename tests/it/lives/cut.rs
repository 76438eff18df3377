//! Lives that once failed, cut down to the events that were needed.

use xenbond::model::state::{Backend, Flavour, How};

use crate::faults::strike::Fault;

use super::event::Act::{
    Adopt, Again, Apply, Close, Confirm, Look, Remove, RemoveBack, RemoveTold, Resume, Rollback,
    RollbackNth, RollbackOf, Tries,
};
use super::event::Event::{
    By, Cable, Deletes, Edits, MakesBond, Misbehaves, MovesManagement, PowerCut, Pulls, Reboot,
    RebootStruck, Replaces, RestartsXapi, Scans, Struck, Swaps, Switches, Writes,
};
use super::event::{Ask, Birth, Event};

pub const LIVES: &[(Birth, &[Event])] = &[
    // The switch of the backend let a bond of others take the NIC of the management.
    (
        Birth { flavour: Flavour::El5, backend: Backend::Openvswitch },
        &[
            MakesBond("bond60", "eth1", "eth4"),
            PowerCut,
            MovesManagement("eth1"),
            By(Apply(Ask {
                bond: "bond52",
                nics: "eth4,eth5",
                mode: "active-backup",
                miimon: 100,
                mtu: 9000,
                address: "172.16.52.11/24",
            })),
            Reboot,
        ],
    ),
    // A bond was made of a NIC that another one's file still had, and lost it with that one.
    (
        Birth { flavour: Flavour::El5, backend: Backend::Bridge },
        &[
            By(Apply(Ask {
                bond: "bond51",
                nics: "eth2,eth3,eth1",
                mode: "active-backup",
                miimon: 200,
                mtu: 9000,
                address: "172.16.51.77/24",
            })),
            Replaces("eth1"),
            Scans,
            By(Apply(Ask {
                bond: "bond52",
                nics: "eth4,eth5,eth1",
                mode: "active-backup",
                miimon: 200,
                mtu: 9000,
                address: "172.16.52.11/24",
            })),
            By(RollbackNth(0)),
        ],
    ),
    // A rollback was closed before its reboot: the next one went on to the other backend.
    (
        Birth { flavour: Flavour::El7, backend: Backend::Openvswitch },
        &[
            By(Apply(Ask {
                bond: "bond52",
                nics: "eth4,eth5",
                mode: "802.3ad",
                miimon: 200,
                mtu: 9000,
                address: "172.16.52.11/24",
            })),
            Reboot,
            By(RollbackOf("bond52")),
            By(Close),
            Misbehaves("xe pif-introduce", How::Fails, 2),
            By(Apply(Ask {
                bond: "bond51",
                nics: "eth3,eth2",
                mode: "active-backup",
                miimon: 100,
                mtu: 9000,
                address: "172.16.51.77/24",
            })),
            Reboot,
            By(Rollback),
        ],
    ),
    // A confirmation while XAPI started said that all was as asked, and had not looked.
    (
        Birth { flavour: Flavour::El5, backend: Backend::Bridge },
        &[
            By(Tries(Ask {
                bond: "bond51",
                nics: "eth2,eth3",
                mode: "active-backup",
                miimon: 200,
                mtu: 1500,
                address: "172.16.51.77/24",
            })),
            Switches(Backend::Openvswitch),
            RestartsXapi,
            By(Confirm),
        ],
    ),
    // So did one where a file had been edited.
    (
        Birth { flavour: Flavour::El5, backend: Backend::Bridge },
        &[
            By(Tries(Ask {
                bond: "bond51",
                nics: "eth2,eth3,eth1",
                mode: "active-backup",
                miimon: 200,
                mtu: 1500,
                address: "172.16.51.77/24",
            })),
            Edits("etc/sysconfig/network-scripts/ifcfg-bond51"),
            RestartsXapi,
            By(Confirm),
            By(Look),
        ],
    ),
    // The other backend's ports stay as long as another bond needs it.
    (
        Birth { flavour: Flavour::El5, backend: Backend::Openvswitch },
        &[
            By(Tries(Ask {
                bond: "bond52",
                nics: "eth4,eth5",
                mode: "802.3ad",
                miimon: 100,
                mtu: 1500,
                address: "172.16.52.77/24",
            })),
            Pulls("eth1"),
            By(Confirm),
            By(Apply(Ask {
                bond: "bond51",
                nics: "eth2,eth3",
                mode: "active-backup",
                miimon: 100,
                mtu: 1500,
                address: "172.16.51.11/24",
            })),
            By(RollbackOf("bond52")),
        ],
    ),
    // A scan had an old release write down the bond's address for a slave's.
    (
        Birth { flavour: Flavour::El5, backend: Backend::Bridge },
        &[MakesBond("bond60", "eth1", "eth4"), Scans, By(Adopt("bond60")), By(Rollback)],
    ),
    // A change that was kept with what had been accepted is what is asked from then on.
    (
        Birth { flavour: Flavour::El7, backend: Backend::Bridge },
        &[
            By(Apply(Ask {
                bond: "bond51",
                nics: "eth2,eth3",
                mode: "802.3ad",
                miimon: 100,
                mtu: 9000,
                address: "172.16.51.77/24",
            })),
            Cable("eth2", false),
            By(Apply(Ask {
                bond: "bond51",
                nics: "eth2,eth1",
                mode: "active-backup",
                miimon: 100,
                mtu: 9000,
                address: "172.16.51.77/24",
            })),
            Edits("etc/sysconfig/network-scripts/ifcfg-eth2"),
            By(Again("bond51")),
        ],
    ),
    // The end of the last bond is told of the backend, which an earlier one had left for it.
    (
        Birth { flavour: Flavour::El7, backend: Backend::Bridge },
        &[
            Switches(Backend::Openvswitch),
            By(Apply(Ask {
                bond: "bond52",
                nics: "eth4,eth5",
                mode: "active-backup",
                miimon: 100,
                mtu: 9000,
                address: "172.16.52.77/24",
            })),
            By(Apply(Ask {
                bond: "bond51",
                nics: "eth3,eth2",
                mode: "balance-xor",
                miimon: 100,
                mtu: 9000,
                address: "172.16.51.11/24",
            })),
            By(RollbackOf("bond52")),
            By(RollbackOf("bond51")),
        ],
    ),
    // Others' bond came up with the reboot that the end of ours asked for.
    (
        Birth { flavour: Flavour::El5, backend: Backend::Bridge },
        &[
            By(Apply(Ask {
                bond: "bond52",
                nics: "eth4,eth5,eth1",
                mode: "802.3ad",
                miimon: 100,
                mtu: 1500,
                address: "172.16.52.11/24",
            })),
            By(RemoveBack("bond52")),
            PowerCut,
            MakesBond("bond60", "eth1", "eth4"),
        ],
    ),
    // After a resumed rollback the earlier change of the bond stands, and needs the backend.
    (
        Birth { flavour: Flavour::El5, backend: Backend::Bridge },
        &[
            By(Apply(Ask {
                bond: "bond51",
                nics: "eth3,eth2",
                mode: "active-backup",
                miimon: 200,
                mtu: 9000,
                address: "172.16.51.77/24",
            })),
            By(Apply(Ask {
                bond: "bond51",
                nics: "eth2,eth1",
                mode: "balance-xor",
                miimon: 100,
                mtu: 9000,
                address: "172.16.51.11/24",
            })),
            By(Rollback),
            Switches(Backend::Openvswitch),
            By(Resume),
            By(Apply(Ask {
                bond: "bond52",
                nics: "eth5,eth4",
                mode: "balance-xor",
                miimon: 100,
                mtu: 9000,
                address: "172.16.52.77/24",
            })),
            By(RollbackOf("bond52")),
        ],
    ),
    // The rollback of a live change brought its bond up over another card.
    (
        Birth { flavour: Flavour::El5, backend: Backend::Bridge },
        &[
            By(Apply(Ask {
                bond: "bond52",
                nics: "eth4,eth5",
                mode: "active-backup",
                miimon: 100,
                mtu: 9000,
                address: "172.16.52.11/24",
            })),
            By(Apply(Ask {
                bond: "bond51",
                nics: "eth3,eth2",
                mode: "active-backup",
                miimon: 100,
                mtu: 1500,
                address: "172.16.51.77/24",
            })),
            By(Apply(Ask {
                bond: "bond51",
                nics: "eth2,eth3",
                mode: "active-backup",
                miimon: 200,
                mtu: 1500,
                address: "172.16.51.11/24",
            })),
            Deletes("etc/sysconfig/network-scripts/ifcfg-bond52"),
            By(Apply(Ask {
                bond: "bond52",
                nics: "eth4,eth5",
                mode: "active-backup",
                miimon: 100,
                mtu: 1500,
                address: "172.16.52.11/24",
            })),
            Deletes("etc/sysconfig/network-scripts/ifcfg-bond51"),
            By(Rollback),
            Swaps("eth2", "eth4"),
        ],
    ),
    // The power went in the rollback of a removal: the boot loaded the driver without its options.
    (
        Birth { flavour: Flavour::El5, backend: Backend::Bridge },
        &[
            By(Apply(Ask {
                bond: "bond51",
                nics: "eth3,eth2",
                mode: "active-backup",
                miimon: 100,
                mtu: 1500,
                address: "172.16.51.11/24",
            })),
            Struck(
                RemoveTold(Ask {
                    bond: "bond51",
                    nics: "eth3,eth2",
                    mode: "active-backup",
                    miimon: 200,
                    mtu: 1500,
                    address: "172.16.51.11/24",
                }),
                41,
                Fault::Hangs,
            ),
            Struck(Rollback, 33, Fault::PowerCut),
            By(Rollback),
        ],
    ),
    // A second rollback saved what others wrote over what the first had saved of theirs.
    (
        Birth { flavour: Flavour::El7, backend: Backend::Bridge },
        &[
            By(Apply(Ask {
                bond: "bond52",
                nics: "eth4,eth5",
                mode: "active-backup",
                miimon: 100,
                mtu: 1500,
                address: "172.16.52.11/24",
            })),
            Struck(
                Apply(Ask {
                    bond: "bond52",
                    nics: "eth4,eth5",
                    mode: "802.3ad",
                    miimon: 200,
                    mtu: 9000,
                    address: "172.16.52.77/24",
                }),
                90,
                Fault::Lies,
            ),
            Switches(Backend::Openvswitch),
            RebootStruck(28, Fault::Lies),
            Edits("etc/sysconfig/network-scripts/ifcfg-bond52"),
            By(Rollback),
            Edits("etc/sysconfig/network-scripts/ifcfg-bond52"),
            Struck(Resume, 8, Fault::Late),
        ],
    ),
    // So did the resume of a rollback.
    (
        Birth { flavour: Flavour::El5, backend: Backend::Openvswitch },
        &[
            By(Apply(Ask {
                bond: "bond51",
                nics: "eth2,eth1",
                mode: "active-backup",
                miimon: 100,
                mtu: 1500,
                address: "172.16.51.77/24",
            })),
            PowerCut,
            By(Resume),
            Edits("etc/sysconfig/network-scripts/ifcfg-eth2"),
            By(Rollback),
            PowerCut,
            MakesBond("bond60", "eth2", "eth4"),
            Struck(RollbackOf("bond51"), 42, Fault::DiesAfter),
            Struck(Resume, 74, Fault::Lies),
        ],
    ),
    // A removal died while it waited for the disk.
    (
        Birth { flavour: Flavour::El7, backend: Backend::Openvswitch },
        &[
            MakesBond("bond60", "eth1", "eth5"),
            Struck(
                RemoveTold(Ask {
                    bond: "bond51",
                    nics: "eth2,eth3,eth1",
                    mode: "802.3ad",
                    miimon: 100,
                    mtu: 9000,
                    address: "172.16.51.77/24",
                }),
                92,
                Fault::DiesBefore,
            ),
        ],
    ),
    // The switch back of the first bond, for the last one's end, brought files of the second again.
    (
        Birth { flavour: Flavour::El7, backend: Backend::Openvswitch },
        &[
            By(Apply(Ask {
                bond: "bond51",
                nics: "eth2,eth1",
                mode: "balance-xor",
                miimon: 100,
                mtu: 9000,
                address: "172.16.51.77/24",
            })),
            Reboot,
            By(Resume),
            By(Apply(Ask {
                bond: "bond52",
                nics: "eth4,eth5",
                mode: "802.3ad",
                miimon: 200,
                mtu: 9000,
                address: "172.16.52.11/24",
            })),
            By(Apply(Ask {
                bond: "bond51",
                nics: "eth2,eth3",
                mode: "active-backup",
                miimon: 100,
                mtu: 1500,
                address: "172.16.51.77/24",
            })),
        ],
    ),
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
    // A bond made by hand was removed, and its files stayed: the boot made it again.
    (
        Birth { flavour: Flavour::El5, backend: Backend::Bridge },
        &[MakesBond("bond60", "eth1", "eth4"), By(Remove("bond60")), Reboot],
    ),
    // A change that could not be begun was taken for one that was cut off half-way.
    (
        Birth { flavour: Flavour::El5, backend: Backend::Bridge },
        &[
            By(Apply(Ask {
                bond: "bond52",
                nics: "eth4,eth5",
                mode: "balance-xor",
                miimon: 100,
                mtu: 9000,
                address: "172.16.52.11/24",
            })),
            Struck(
                Apply(Ask {
                    bond: "bond52",
                    nics: "eth5,eth4",
                    mode: "active-backup",
                    miimon: 200,
                    mtu: 1500,
                    address: "172.16.52.77/24",
                }),
                22,
                Fault::FailsAfter,
            ),
            By(Look),
        ],
    ),
    // A rollback of a whole bond, cut off where it came to the first change, ended with the second.
    (
        Birth { flavour: Flavour::El5, backend: Backend::Bridge },
        &[
            By(Apply(Ask {
                bond: "bond52",
                nics: "eth4,eth5",
                mode: "active-backup",
                miimon: 200,
                mtu: 9000,
                address: "172.16.52.11/24",
            })),
            Struck(
                Apply(Ask {
                    bond: "bond52",
                    nics: "eth4,eth5",
                    mode: "active-backup",
                    miimon: 100,
                    mtu: 9000,
                    address: "172.16.52.11/24",
                }),
                100,
                Fault::DiesAfter,
            ),
            Struck(RollbackOf("bond52"), 109, Fault::DiesBefore),
            By(RollbackOf("bond52")),
        ],
    ),
    // What others removed after the switch back came again with the next try of the rollback.
    (
        Birth { flavour: Flavour::El7, backend: Backend::Openvswitch },
        &[
            Struck(
                Apply(Ask {
                    bond: "bond51",
                    nics: "eth2,eth3",
                    mode: "802.3ad",
                    miimon: 100,
                    mtu: 1500,
                    address: "172.16.51.77/24",
                }),
                78,
                Fault::DiesAfter,
            ),
            MakesBond("bond60", "eth2", "eth4"),
            Writes("etc/sysconfig/network-scripts/ifcfg-added0"),
            By(Rollback),
            Deletes("etc/sysconfig/network-scripts/ifcfg-added0"),
            By(Resume),
        ],
    ),
    // A removal was undone though the management had moved to one of its NICs: that became a slave.
    (
        Birth { flavour: Flavour::El7, backend: Backend::Bridge },
        &[
            By(Apply(Ask {
                bond: "bond52",
                nics: "eth4,eth5,eth1",
                mode: "802.3ad",
                miimon: 200,
                mtu: 9000,
                address: "172.16.52.77/24",
            })),
            By(RemoveBack("bond52")),
            MovesManagement("eth1"),
            By(Rollback),
        ],
    ),
    // The same of a change that was undone: the next boot made the management's NIC a slave.
    (
        Birth { flavour: Flavour::El5, backend: Backend::Bridge },
        &[
            By(Apply(Ask {
                bond: "bond51",
                nics: "eth2,eth1",
                mode: "balance-xor",
                miimon: 100,
                mtu: 9000,
                address: "172.16.51.11/24",
            })),
            By(Apply(Ask {
                bond: "bond51",
                nics: "eth2,eth3",
                mode: "active-backup",
                miimon: 100,
                mtu: 9000,
                address: "172.16.51.77/24",
            })),
            MovesManagement("eth1"),
            By(Rollback),
            Event::Swaps("eth2", "eth4"),
        ],
    ),
    // A confirmation said Done of files that somebody's switch of the backend had taken.
    (
        Birth { flavour: Flavour::El5, backend: Backend::Bridge },
        &[
            By(Tries(Ask {
                bond: "bond52",
                nics: "eth4,eth5",
                mode: "active-backup",
                miimon: 200,
                mtu: 1500,
                address: "172.16.52.77/24",
            })),
            Switches(Backend::Bridge),
            By(Confirm),
        ],
    ),
    // The end was looked at where a rollback of the bond's removal had only then been over.
    (
        Birth { flavour: Flavour::El5, backend: Backend::Bridge },
        &[
            By(Apply(Ask {
                bond: "bond51",
                nics: "eth2,eth3",
                mode: "balance-xor",
                miimon: 100,
                mtu: 1500,
                address: "172.16.51.77/24",
            })),
            By(RemoveBack("bond51")),
            Reboot,
            By(Rollback),
        ],
    ),
    // A backend that a removal was told to switch back was looked for as it had been at first: the
    // removal had ended under another command.
    (
        Birth { flavour: Flavour::El5, backend: Backend::Bridge },
        &[
            Struck(
                Apply(Ask {
                    bond: "bond52",
                    nics: "eth4,eth5",
                    mode: "802.3ad",
                    miimon: 100,
                    mtu: 1500,
                    address: "172.16.52.77/24",
                }),
                44,
                Fault::Late,
            ),
            By(RemoveBack("bond52")),
            RebootStruck(15, Fault::DiesBefore),
            Struck(
                RemoveTold(Ask {
                    bond: "bond52",
                    nics: "eth0,eth3",
                    mode: "802.3ad",
                    miimon: 100,
                    mtu: 1500,
                    address: "172.16.52.77/24",
                }),
                86,
                Fault::DiesAfter,
            ),
        ],
    ),
    // A part of what the next boot starts stayed behind a removal that had died at its very end.
    (
        Birth { flavour: Flavour::El5, backend: Backend::Bridge },
        &[
            By(Apply(Ask {
                bond: "bond51",
                nics: "eth2,eth3,eth1",
                mode: "balance-xor",
                miimon: 100,
                mtu: 9000,
                address: "172.16.51.11/24",
            })),
            Struck(Remove("bond51"), 115, Fault::DiesBefore),
        ],
    ),
    // A rollback that was refused, for its line in the journal, stood there for begun.
    (
        Birth { flavour: Flavour::El5, backend: Backend::Bridge },
        &[
            By(Apply(Ask {
                bond: "bond52",
                nics: "eth4,eth5,eth1",
                mode: "802.3ad",
                miimon: 100,
                mtu: 1500,
                address: "172.16.52.77/24",
            })),
            By(Remove("bond52")),
            By(Apply(Ask {
                bond: "bond51",
                nics: "eth2,eth1",
                mode: "802.3ad",
                miimon: 200,
                mtu: 9000,
                address: "172.16.51.11/24",
            })),
            Struck(RollbackNth(2), 2, Fault::Fails),
            By(Look),
        ],
    ),
    // The same where the power went at the very end of a rollback.
    (
        Birth { flavour: Flavour::El5, backend: Backend::Bridge },
        &[
            By(Apply(Ask {
                bond: "bond51",
                nics: "eth2,eth3,eth1",
                mode: "active-backup",
                miimon: 200,
                mtu: 1500,
                address: "172.16.51.77/24",
            })),
            By(RemoveTold(Ask {
                bond: "bond51",
                nics: "eth2,eth3,eth1",
                mode: "active-backup",
                miimon: 100,
                mtu: 9000,
                address: "172.16.51.77/24",
            })),
            Struck(Rollback, 81, Fault::FailsAfter),
            Event::Replaces("eth3"),
            Event::Pulls("eth1"),
            Struck(RollbackOf("bond51"), 111, Fault::PowerEmpties),
        ],
    ),
    // Others' file was deleted where a rollback had died that had just put it back.
    (
        Birth { flavour: Flavour::El7, backend: Backend::Openvswitch },
        &[
            Writes("etc/sysconfig/network-scripts/route-added0"),
            By(Apply(Ask {
                bond: "bond52",
                nics: "eth5,eth4",
                mode: "active-backup",
                miimon: 100,
                mtu: 1500,
                address: "172.16.52.11/24",
            })),
            Struck(Rollback, 117, Fault::DiesBefore),
            Deletes("etc/sysconfig/network-scripts/route-added0"),
            By(Rollback),
        ],
    ),
    // Others' file was looked for where the power had gone in the midst of a switch of the backend.
    (
        Birth { flavour: Flavour::El5, backend: Backend::Bridge },
        &[
            Writes("etc/sysconfig/network-scripts/ifcfg-added0"),
            By(Apply(Ask {
                bond: "bond52",
                nics: "eth4,eth5",
                mode: "active-backup",
                miimon: 100,
                mtu: 9000,
                address: "172.16.52.11/24",
            })),
            Struck(RemoveBack("bond52"), 105, Fault::PowerCut),
        ],
    ),
    // The rollback of a removal made a bond of other cards than it had been of.
    (
        Birth { flavour: Flavour::El5, backend: Backend::Bridge },
        &[
            By(Apply(Ask {
                bond: "bond51",
                nics: "eth3,eth2",
                mode: "active-backup",
                miimon: 100,
                mtu: 1500,
                address: "172.16.51.11/24",
            })),
            By(Remove("bond51")),
            Event::Swaps("eth2", "eth3"),
            By(Rollback),
        ],
    ),
    // What XAPI had not written of the newer of two changes was not undone again after the power cut.
    (
        Birth { flavour: Flavour::El7, backend: Backend::Bridge },
        &[
            By(Apply(Ask {
                bond: "bond52",
                nics: "eth4,eth5",
                mode: "active-backup",
                miimon: 100,
                mtu: 9000,
                address: "172.16.52.77/24",
            })),
            By(Apply(Ask {
                bond: "bond52",
                nics: "eth4,eth5,eth1",
                mode: "active-backup",
                miimon: 200,
                mtu: 1500,
                address: "172.16.52.77/24",
            })),
            Struck(RollbackOf("bond52"), 91, Fault::PowerCutUnsaved),
        ],
    ),
    // A rollback that died between writing a file and renaming it was closed, and its own half stayed.
    (
        Birth { flavour: Flavour::El7, backend: Backend::Openvswitch },
        &[
            By(Apply(Ask {
                bond: "bond52",
                nics: "eth4,eth5",
                mode: "balance-xor",
                miimon: 200,
                mtu: 9000,
                address: "172.16.52.77/24",
            })),
            Struck(Rollback, 119, Fault::DiesAfter),
            By(Close),
            By(Tries(Ask {
                bond: "bond52",
                nics: "eth4,eth5,eth1",
                mode: "802.3ad",
                miimon: 200,
                mtu: 1500,
                address: "172.16.52.11/24",
            })),
            By(Rollback),
        ],
    ),
    // What a rollback that died had in its hands of others' came again after their own switch.
    (
        Birth { flavour: Flavour::El5, backend: Backend::Bridge },
        &[
            Switches(Backend::Openvswitch),
            Writes("etc/sysconfig/network-scripts/ifcfg-added0"),
            By(Apply(Ask {
                bond: "bond51",
                nics: "eth2,eth3,eth1",
                mode: "802.3ad",
                miimon: 100,
                mtu: 9000,
                address: "172.16.51.11/24",
            })),
            Struck(Rollback, 112, Fault::DiesAfter),
            Switches(Backend::Bridge),
            Struck(Rollback, 34, Fault::Hangs),
        ],
    ),
    // A bond that had not come up lost a slave to a second one, which gave it back to the first when
    // that was gone.
    (
        Birth { flavour: Flavour::El5, backend: Backend::Bridge },
        &[
            By(Apply(Ask {
                bond: "bond52",
                nics: "eth4,eth5,eth1",
                mode: "active-backup",
                miimon: 200,
                mtu: 9000,
                address: "172.16.52.11/24",
            })),
            Deletes("etc/sysconfig/network-scripts/ifcfg-bond52"),
            Pulls("eth3"),
            By(Apply(Ask {
                bond: "bond51",
                nics: "eth2,eth1",
                mode: "balance-xor",
                miimon: 100,
                mtu: 9000,
                address: "172.16.51.77/24",
            })),
            By(Remove("bond52")),
        ],
    ),
    // What others made of a file of XAPI's was not saved before the switch back deleted it.
    (
        Birth { flavour: Flavour::El5, backend: Backend::Openvswitch },
        &[
            By(Apply(Ask {
                bond: "bond52",
                nics: "eth4,eth5",
                mode: "balance-xor",
                miimon: 100,
                mtu: 1500,
                address: "172.16.52.11/24",
            })),
            MakesBond("bond60", "eth1", "eth5"),
            Edits("etc/sysconfig/network-scripts/ifcfg-eth5"),
            Struck(RollbackOf("bond52"), 70, Fault::DiesAfter),
        ],
    ),
    // XAPI saved between a list and the verdict after it, which did not agree then.
    (
        Birth { flavour: Flavour::El5, backend: Backend::Bridge },
        &[
            Event::Cable("eth3", false),
            Struck(
                Tries(Ask {
                    bond: "bond52",
                    nics: "eth4,eth5,eth1",
                    mode: "balance-xor",
                    miimon: 200,
                    mtu: 9000,
                    address: "172.16.52.77/24",
                }),
                30,
                Fault::Late,
            ),
            Event::Wait(30),
            Struck(
                Apply(Ask {
                    bond: "bond51",
                    nics: "eth2,eth3",
                    mode: "active-backup",
                    miimon: 100,
                    mtu: 1500,
                    address: "172.16.51.11/24",
                }),
                35,
                Fault::Fails,
            ),
            By(Look),
        ],
    ),
];
