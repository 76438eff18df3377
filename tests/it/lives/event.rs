//! What happens to a host in its life, as values that can be pasted into a table, and how they
//! are drawn. Must not know what becomes of them.

use xenbond::model::state::{Backend, Flavour, How};

use crate::faults::strike::Fault;

/// A bond that somebody asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    pub bond: &'static str,
    pub nics: &'static str,
    pub mode: &'static str,
    pub miimon: u32,
    pub mtu: u32,
    pub address: &'static str,
}

/// What the operator types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    Apply(Ask),
    /// `apply --confirm-within 10m`
    Tries(Ask),
    /// `apply BOND`
    Again(&'static str),
    Plan(Ask),
    /// `list`, `status` and `verify`, at one moment.
    Look,
    Rollback,
    RollbackOf(&'static str),
    /// The change that was begun as so-manieth, by its name.
    RollbackNth(usize),
    Close,
    Remove(&'static str),
    /// `remove BOND --backend openvswitch`
    RemoveBack(&'static str),
    /// `remove BOND --spec FILE`
    RemoveTold(Ask),
    Adopt(&'static str),
    Resume,
    Confirm,
    /// What waits for a confirmation in the background wakes.
    Guard,
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    By(Act),
    /// The same, and something goes wrong at an effect of it.
    Struck(Act, usize, Fault),
    /// So many seconds pass.
    Wait(u64),
    Reboot,
    /// The same, and something goes wrong at an effect of what the boot starts.
    RebootStruck(usize, Fault),
    PowerCut,
    /// Another administrator makes or changes a file of his own.
    Writes(&'static str),
    /// He adds a line to a file that is ours or is to be.
    Edits(&'static str),
    Deletes(&'static str),
    /// He makes a bond by hand, by the recipe.
    MakesBond(&'static str, &'static str, &'static str),
    /// `xe vlan-create` on the management NIC.
    MakesVlan(u32),
    Scans,
    Forgets(&'static str),
    Introduces(&'static str),
    /// A NIC is replaced by another one of its kind, in the same slot.
    Replaces(&'static str),
    /// A NIC is pulled out for good.
    Pulls(&'static str),
    /// Two NICs change their slots.
    Swaps(&'static str, &'static str),
    /// The management gets another address, or a NIC of its own.
    MovesManagement(&'static str),
    /// Another host of the pool goes, or comes again.
    Member(bool),
    /// The host is installed anew: XAPI's database is kept, and nothing else.
    Upgrade,
    Switches(Backend),
    /// A cable is pulled, or put in again.
    Cable(&'static str, bool),
    RestartsXapi,
    /// A program of the host misbehaves so many times.
    Misbehaves(&'static str, How, u32),
}

impl Event {
    /// As it is written in a table.
    pub fn pasted(self) -> String {
        match self {
            Self::Struck(act, at, fault) => format!("Struck({act:?}, {at}, Fault::{fault:?})"),
            Self::RebootStruck(at, fault) => format!("RebootStruck({at}, Fault::{fault:?})"),
            Self::Switches(to) => format!("Switches(Backend::{to:?})"),
            Self::Misbehaves(command, how, times) => {
                format!("Misbehaves({command:?}, How::{how:?}, {times})")
            }
            other => format!("{other:?}"),
        }
    }
}

/// Where a life begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Birth {
    pub flavour: Flavour,
    pub backend: Backend,
}

/// Numbers that look random, the same for the same seed (splitmix64).
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

/// How many things happen in a life.
const EVENTS: usize = 40;

const BONDS: [&str; 2] = ["bond51", "bond52"];

/// By bond: NICs that are free, and overlap.
const NICS: [[&str; 4]; 2] = [
    ["eth2,eth3", "eth3,eth2", "eth2,eth3,eth1", "eth2,eth1"],
    ["eth4,eth5", "eth4,eth5", "eth5,eth4", "eth4,eth5,eth1"],
];

const ADDRESSES: [[&str; 2]; 2] =
    [["172.16.51.11/24", "172.16.51.77/24"], ["172.16.52.11/24", "172.16.52.77/24"]];

const MODES: [&str; 4] = ["active-backup", "active-backup", "balance-xor", "802.3ad"];

/// Files of others alone.
const THEIRS: [&str; 3] = [
    "etc/sysconfig/network-scripts/ifcfg-added0",
    "etc/sysconfig/network-scripts/route-added0",
    "etc/modprobe.d/theirs.conf",
];

/// Files that a bond has or may have.
const OURS: [&str; 5] = [
    "etc/sysconfig/network-scripts/ifcfg-eth2",
    "etc/sysconfig/network-scripts/ifcfg-eth5",
    "etc/sysconfig/network-scripts/ifcfg-bond51",
    "etc/sysconfig/network-scripts/ifcfg-bond52",
    "etc/modprobe.conf",
];

const CALLS: [&str; 7] = [
    "xe pif-forget",
    "xe pif-introduce",
    "xe pif-list",
    "xe pool-sync-database",
    "ifup",
    "ifdown",
    "ip link",
];

const FAULTS: [Fault; 10] = [
    Fault::Fails,
    Fault::FailsAfter,
    Fault::Lies,
    Fault::Hangs,
    Fault::Late,
    Fault::DiesBefore,
    Fault::DiesAfter,
    Fault::PowerCut,
    Fault::PowerEmpties,
    Fault::PowerCutUnsaved,
];

fn ask(dice: &mut Dice) -> Ask {
    let which = dice.below(2);
    let ask = Ask {
        bond: BONDS[which],
        nics: dice.of(&NICS[which]),
        mode: dice.of(&MODES),
        miimon: dice.of(&[100, 100, 200]),
        mtu: dice.of(&[1500, 9000]),
        address: dice.of(&ADDRESSES[which]),
    };
    // Sometimes what is asked cannot be.
    match dice.below(40) {
        0 => Ask { nics: "eth2,eth9", ..ask },
        1 => Ask { nics: "eth0,eth3", ..ask },
        2 => Ask { address: "10.20.0.77/24", ..ask },
        3 => Ask { bond: "bond0", ..ask },
        _ => ask,
    }
}

fn act(dice: &mut Dice) -> Act {
    let bond = match dice.below(20) {
        0..=8 => "bond51",
        9..=16 => "bond52",
        17..=18 => "bond60",
        _ => "bond59",
    };
    match dice.below(33) {
        0..=10 => Act::Apply(ask(dice)),
        11 => Act::Tries(ask(dice)),
        12 => Act::Again(bond),
        13 => Act::Plan(ask(dice)),
        14..=16 => Act::Look,
        17..=19 => Act::Rollback,
        20..=21 => Act::RollbackOf(bond),
        22 => Act::RollbackNth(dice.below(6)),
        23 => Act::Close,
        24..=25 => Act::Remove(bond),
        26 => Act::Adopt(bond),
        27..=28 => Act::Resume,
        29 => Act::Confirm,
        30 => Act::RemoveBack(bond),
        31 => Act::RemoveTold(ask(dice)),
        _ => Act::Guard,
    }
}

fn event(dice: &mut Dice) -> Event {
    match dice.below(67) {
        0..=27 => Event::By(act(dice)),
        28..=33 => Event::Struck(act(dice), 1 + dice.below(120), dice.of(&FAULTS)),
        34..=37 => Event::Wait(dice.of(&[1, 30, 120, 400])),
        38..=41 => Event::Reboot,
        42..=43 => Event::PowerCut,
        44..=45 => Event::Writes(dice.of(&THEIRS)),
        46..=47 => Event::Edits(dice.of(&OURS)),
        48 => Event::Deletes(dice.of(&THEIRS)),
        49 => Event::Deletes(dice.of(&OURS)),
        50 => Event::MakesBond("bond60", dice.of(&["eth1", "eth2"]), dice.of(&["eth4", "eth5"])),
        51 => Event::MakesVlan(dice.of(&[30, 31])),
        52 => Event::Scans,
        53 => Event::Forgets(dice.of(&["eth1", "eth4"])),
        54 => Event::Introduces(dice.of(&["eth1", "eth2"])),
        55 => Event::Switches(dice.of(&[Backend::Bridge, Backend::Bridge, Backend::Openvswitch])),
        56..=57 => Event::Cable(dice.of(&["eth1", "eth2", "eth3", "eth5"]), dice.below(2) == 0),
        58 => Event::RestartsXapi,
        59 => Event::Replaces(dice.of(&["eth1", "eth3"])),
        60 => Event::Upgrade,
        61 => Event::RebootStruck(1 + dice.below(120), dice.of(&FAULTS)),
        62 => Event::Pulls(dice.of(&["eth1", "eth3", "eth5"])),
        63 => Event::Swaps("eth2", dice.of(&["eth3", "eth4"])),
        64 => Event::MovesManagement(dice.of(&["eth0", "eth0", "eth1"])),
        65 => Event::Member(dice.below(3) > 0),
        _ => Event::Misbehaves(
            dice.of(&CALLS),
            dice.of(&[How::Fails, How::FailsAfter, How::Lies, How::Hangs]),
            dice.of(&[1, 2]),
        ),
    }
}

/// The life of a seed.
pub fn life(seed: u64) -> (Birth, Vec<Event>) {
    let mut dice = Dice::new(seed);
    let flavour = dice.of(&[Flavour::El5, Flavour::El7]);
    let backend = dice.of(&[Backend::Bridge, Backend::Bridge, Backend::Openvswitch]);
    let events = (0..EVENTS).map(|_| event(&mut dice)).collect();
    (Birth { flavour, backend }, events)
}
