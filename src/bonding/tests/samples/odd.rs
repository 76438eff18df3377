//! Texts that no driver of ours prints, or not whole: of vendors, of a later kernel, cut, mixed up.

use super::*;

#[rustfmt::skip]
pub(in super::super) const ODD: &[Sample] = &[
    (
        "a vendor's own lines are kept aside",
        &[
            "Ethernet Channel Bonding Driver: v4.18.0 (Apr 7, 2025)\n\n",
            "Swanmesh Bonding Mode: mesh\n", LACP, UP, "\n802.3ad info\nLACP rate: fast\n", ETH0,
            GIGA, "Slave active: 1\nSlave sm_vars: 0x172\n", AGG1, "Aggregator active: 1\n", Q0,
        ],
        "802.3ad up 100/0/0 hash=layer2 rate=fast\neth0 up 1000/full q=0 agg=1\nunknown=4",
    ),
    (
        "Open vSwitch imitates the file",
        &[
            "Ethernet Channel Bonding Driver: ovs-vswitchd 1.0.99 (Feb 4 2011 12:00:00)\n", SLB,
            "Primary Slave: None\nCurrently Active Slave: None\n", UP,
            "\nSource load balancing info:\n [001] = eth0\n", ETH0, S_UP, F0, MAC1,
        ],
        "imitated balance-slb up 100/0/0 slb=1:eth0\neth0 up fail=0 mac=00:1b:21:aa:bb:01",
    ),
    (
        "a mode from the future has no name",
        &[V61, "Bonding Mode: fault-tolerance\n", UP],
        "? up 100/0/0",
    ),
    (
        "a masked address stays as it is",
        &[V61, RR, UP, ETH0, GIGA, "Permanent HW addr: 80:EE:73:XX:XX:XX\n"],
        "balance-rr up 100/0/0\neth0 up 1000/full mac=80:ee:73:xx:xx:xx",
    ),
    ("an empty text", &[], "?"),
    ("a header alone", &[V371], "?"),
    (
        "a header that is cut off",
        &["...\n", AB, NO_PRIMARY, UP, ETH0, S_UP],
        "headless active-backup up 100/0/0 active=eth0\neth0 up\nunknown=1",
    ),
    (
        "a text that begins inside a slave's block invents no slave and no bond's link",
        &[GIGA, F0, MAC1, ETH1, S_DOWN, MAC2],
        "headless ?\neth1 down mac=00:1b:21:aa:bb:02\nunknown=4",
    ),
    (
        "lines of a slave whose name is lost go to no other slave",
        &[
            V371, RR, UP, ETH0, GIGA, "\n", DARK, "Link Failure Count: 9\n", MAC2,
            "\nSlave Interface:\n", GIGA, ETH1, S_UP,
        ],
        "balance-rr up 100/0/0\neth0 up 1000/full\neth1 up\nunknown=9",
    ),
    (
        "of two files in one text the first is read",
        &[V371, AB, NO_PRIMARY, UP, ETH0, S_UP, "\n", V371, RR, UP, ETH1, S_UP],
        "active-backup up 100/0/0 active=eth0\neth0 up\nunknown=8",
    ),
    (
        "of two files in one text the first is read, also when it has no slave",
        &[V371, AB, UP, "\n", V61, RR, "Primary Slave: eth9\n", ETH1, S_UP],
        "active-backup up 100/0/0\nunknown=5",
    ),
    (
        "a bond whose file follows the tail of another is read",
        &[GIGA, MAC1, "\n", V371, AB, UP, ETH0, S_UP],
        "active-backup up 100/0/0\neth0 up\nunknown=3",
    ),
    (
        "numbers that are none are unknown",
        &[
            V371, RR,
            "MII Polling Interval (ms): ten\nUp Delay (ms): -1\nDown Delay (ms): 99999999999\n",
            ETH0, "Flags: up\n",
        ],
        "balance-rr\neth0\nunknown=4",
    ),
    (
        "a lost title does not lose the LACP lines",
        &[V371, LACP, UP, "LACP rate: fast\nAggregator ID: 7\n"],
        "802.3ad up 100/0/0 hash=layer2 rate=fast\nunknown=1",
    ),
    (
        "of two values the first stands",
        &[
            V371, AB, NO_PRIMARY,
            "Currently Active Slave: eth7\nMII Status: down\nMII Status: up\n", AB, RR,
        ],
        "active-backup down active=eth0\nunknown=3",
    ),
];
