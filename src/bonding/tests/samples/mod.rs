//! Texts as the drivers print them, written after tests/ground/procbonding.md, each with its
//! reading in the words of `tests::digest`. Addresses are invented.

/// Sentence, parts of the text, reading.
pub(super) type Sample = (&'static str, &'static [&'static str], &'static str);

const V303: &str = "Ethernet Channel Bonding Driver: v3.0.3 (March 23, 2006)\n\n";
const V350: &str = "Ethernet Channel Bonding Driver: v3.5.0 (November 4, 2008)\n\n";
const V360: &str = "Ethernet Channel Bonding Driver: v3.6.0 (September 26, 2009)\n\n";
const V371: &str = "Ethernet Channel Bonding Driver: v3.7.1 (April 27, 2011)\n\n";
const V61: &str = "Ethernet Channel Bonding Driver: v6.1.176\n\n";
const RR: &str = "Bonding Mode: load balancing (round-robin)\n";
const AB: &str = "Bonding Mode: fault-tolerance (active-backup)\n";
const XOR: &str = "Bonding Mode: load balancing (xor)\n";
const LACP: &str =
    "Bonding Mode: IEEE 802.3ad Dynamic link aggregation\nTransmit Hash Policy: layer2 (0)\n";
const SLB: &str = "Bonding Mode: source load balancing\n";
const NO_PRIMARY: &str = "Primary Slave: None\nCurrently Active Slave: eth0\n";
const UP: &str =
    "MII Status: up\nMII Polling Interval (ms): 100\nUp Delay (ms): 0\nDown Delay (ms): 0\n";
const ETH0: &str = "\nSlave Interface: eth0\n";
const ETH1: &str = "\nSlave Interface: eth1\n";
const S_UP: &str = "MII Status: up\n";
const S_DOWN: &str = "MII Status: down\n";
const GIGA: &str = "MII Status: up\nSpeed: 1000 Mbps\nDuplex: full\n";
const DARK: &str = "MII Status: down\nSpeed: Unknown\nDuplex: Unknown\n";
const F0: &str = "Link Failure Count: 0\n";
const MAC1: &str = "Permanent HW addr: 00:1b:21:aa:bb:01\n";
const MAC2: &str = "Permanent HW addr: 00:1B:21:AA:BB:02\n";
const Q0: &str = "Slave queue ID: 0\n";
const XEN: &str = "Promiscuity ref count: 1\nFlags: 0x1943\n";
const AGG1: &str = "Aggregator ID: 1\n";
const ACTIVE_AGG: &str = "Active Aggregator Info:\n\tAggregator ID: 1\n\tNumber of ports: 2\n\
     \tActor Key: 17\n\
     \tPartner Key: 42\n\tPartner Mac Address: 00:23:04:EE:BE:0A\n";
const ROOT: &str = "System priority: 65535\nSystem MAC address: 00:1b:21:aa:bb:01\n";
const CHURN: &str = "Actor Churn State: none\nPartner Churn State: churned\n\
     Actor Churned Count: 0\nPartner Churned Count: 2\n";
const PDUS: &str = "details actor lacp pdu:\n    system priority: 65535\n    \
     system mac address: 00:1b:21:aa:bb:01\n    port key: 15\n    port priority: 255\n    \
     port number: 1\n    port state: 63\ndetails partner lacp pdu:\n    \
     system priority: 32768\n    system mac address: 00:23:04:ee:be:0a\n    oper key: 42\n    \
     port priority: 128\n    port number: 261\n    port state: 61\n";

/// What the two details blocks of [`PDUS`] read as.
macro_rules! pdus {
    () => {
        " actor=65535,00:1b:21:aa:bb:01,15,255,1,63 partner=32768,00:23:04:ee:be:0a,42,128,261,61"
    };
}

mod odd;

pub(super) use odd::ODD;

// By hand: one part to a line, as rustfmt has it, hides the text.
#[rustfmt::skip]
pub(super) const DRIVERS: &[Sample] = &[
    (
        "2.5.0 has no permanent address",
        &["Ethernet Channel Bonding Driver: v2.5.0 (December 1, 2003)\n\n", RR, UP, ETH0, S_UP, F0],
        "balance-rr up 100/0/0\neth0 up fail=0",
    ),
    (
        "2.6.0 has no hash policy in mode 2",
        &[
            "Ethernet Channel Bonding Driver: v2.6.0 (January 14, 2004)\n\n", XOR, UP, ETH0,
            S_DOWN, F0, MAC1,
        ],
        "balance-xor up 100/0/0\neth0 down fail=0 mac=00:1b:21:aa:bb:01",
    ),
    (
        "the text of 2004 has no v and no blank line",
        &[
            "Ethernet Channel Bonding Driver: 2.6.1 (October 29, 2004)\n", RR, NO_PRIMARY, UP,
            ETH1, S_UP, F0,
        ],
        "balance-rr up 100/0/0 active=eth0\neth1 up fail=0",
    ),
    (
        "2.6.18 mode 0",
        &[V303, RR, UP, ETH0, S_UP, F0, MAC1, ETH1, S_UP, F0, MAC2],
        "balance-rr up 100/0/0\neth0 up fail=0 mac=00:1b:21:aa:bb:01\neth1 up fail=0 \
         mac=00:1b:21:aa:bb:02",
    ),
    (
        "2.6.18 counts failures below zero",
        &[
            V303, AB, "Primary Slave: None\nCurrently Active Slave: None\n", UP, ETH0, S_DOWN,
            "Link Failure Count: -3\n",
        ],
        "active-backup up 100/0/0\neth0 down fail=-3",
    ),
    (
        "2.6.18 mode 4 has no ad_select, and two meanings of Aggregator ID",
        &[
            V303, LACP, UP, "\n802.3ad info\nLACP rate: slow\n", ACTIVE_AGG, ETH0, S_UP, F0, MAC1,
            AGG1, ETH1, S_UP, F0, MAC2, "Aggregator ID: 2\n",
        ],
        "802.3ad up 100/0/0 hash=layer2 rate=slow agg=1,2,17,42,00:23:04:ee:be:0a\n\
         eth0 up fail=0 mac=00:1b:21:aa:bb:01 agg=1\neth1 up fail=0 mac=00:1b:21:aa:bb:02 agg=2",
    ),
    (
        "2.6.20 with the ARP monitor",
        &[
            "Ethernet Channel Bonding Driver: v3.1.1 (September 26, 2006)\n\n", AB, NO_PRIMARY,
            "MII Status: up\nMII Polling Interval (ms): 0\nUp Delay (ms): 0\nDown Delay (ms): 0\n\
             ARP Polling Interval (ms): 1000\n\
             ARP IP target/s (n.n.n.n form): 172.16.51.1, 172.16.51.2\n",
            ETH0, S_UP, F0,
        ],
        "active-backup up 0/0/0 active=eth0 arp=1000 ip=172.16.51.1+172.16.51.2\neth0 up fail=0",
    ),
    (
        "2.6.24 has fail_over_mac as a switch",
        &[
            "Ethernet Channel Bonding Driver: v3.2.3 (December 6, 2007)\n\n",
            "Bonding Mode: fault-tolerance (active-backup) (fail_over_mac)\n", NO_PRIMARY, UP,
            ETH0, S_UP, F0,
        ],
        "active-backup fom=active up 100/0/0 active=eth0\neth0 up fail=0",
    ),
    (
        "2.6.27 names the fail_over_mac policy",
        &[
            "Ethernet Channel Bonding Driver: v3.3.0 (June 10, 2008)\n\n",
            "Bonding Mode: fault-tolerance (active-backup) (fail_over_mac follow)\n", NO_PRIMARY,
            UP, ETH0, S_UP, F0,
        ],
        "active-backup fom=follow up 100/0/0 active=eth0\neth0 up fail=0",
    ),
    (
        "RHEL5 has a speed without a queue, and a primary that is down",
        &[
            "Ethernet Channel Bonding Driver: v3.4.0-1 (October 7, 2008)\n\n", AB,
            "Primary Slave: eth0 (primary_reselect always)\nCurrently Active Slave: eth1\n", UP,
            ETH0, DARK, F0, MAC1, ETH1, GIGA, F0, MAC2,
        ],
        "active-backup up 100/0/0 primary=eth0/always active=eth1\n\
         eth0 down fail=0 mac=00:1b:21:aa:bb:01\neth1 up 1000/full fail=0 mac=00:1b:21:aa:bb:02",
    ),
    (
        "2.6.32 names a primary without a reselect policy",
        &[V350, AB, "Primary Slave: eth0\nCurrently Active Slave: eth0\n", UP, ETH0, S_UP, F0],
        "active-backup up 100/0/0 primary=eth0 active=eth0\neth0 up fail=0",
    ),
    (
        "2.6.32 without an active aggregator",
        &[
            V350, LACP, UP,
            "\n802.3ad info\nLACP rate: fast\nAggregator selection policy (ad_select): stable\n\
             bond bond51 has no active aggregator\n",
            ETH0, S_UP, F0, MAC1, "Aggregator ID: N/A\n",
        ],
        "802.3ad up 100/0/0 hash=layer2 rate=fast select=stable agg=none\neth0 up fail=0 \
         mac=00:1b:21:aa:bb:01",
    ),
    (
        "2.6.37 has the aggregator before the queue",
        &[
            V360, LACP, UP,
            "\n802.3ad info\nLACP rate: slow\n\
             Aggregator selection policy (ad_select): bandwidth\n",
            ACTIVE_AGG, ETH0, GIGA, F0, MAC1, AGG1, Q0,
        ],
        "802.3ad up 100/0/0 hash=layer2 rate=slow select=bandwidth agg=1,2,17,42,00:23:04:ee:be:0a\n\
         eth0 up 1000/full fail=0 mac=00:1b:21:aa:bb:01 q=0 agg=1",
    ),
    (
        "RHEL6 on InfiniBand cuts the address to six bytes",
        &[
            V360, "Bonding Mode: fault-tolerance (active-backup) (fail_over_mac active)\n",
            "Primary Slave: ib0 (primary_reselect better)\nCurrently Active Slave: ib0\n", UP,
            "\nSlave Interface: ib0\nMII Status: up\nSpeed: 56000 Mbps\nDuplex: full\n", F0,
            "Permanent HW addr: a0:04:02:20:fe:80\n", Q0,
        ],
        "active-backup fom=active up 100/0/0 primary=ib0/better active=ib0\n\
         ib0 up 56000/full fail=0 mac=a0:04:02:20:fe:80 q=0",
    ),
    (
        "3.0 mode 5",
        &[
            V371, "Bonding Mode: transmit load balancing\n", NO_PRIMARY, UP, ETH0, GIGA, F0, MAC1,
            Q0,
        ],
        "balance-tlb up 100/0/0 active=eth0\neth0 up 1000/full fail=0 mac=00:1b:21:aa:bb:01 q=0",
    ),
    (
        "3.10 while links settle",
        &[
            V371, AB, NO_PRIMARY,
            "MII Status: up\nMII Polling Interval (ms): 120\nUp Delay (ms): 30960\n\
             Down Delay (ms): 120\n",
            ETH0, "MII Status: going down\n", ETH1, "MII Status: Going Back\n",
        ],
        "active-backup up 120/30960/120 active=eth0\neth0 going down\neth1 going back",
    ),
    (
        "XenServer 3.10 mode 7 prints primary, active slave and buckets",
        &[
            V371, SLB, NO_PRIMARY, UP,
            "\nSource load balancing info:\n [007] = eth1\n [132] = eth0\n", ETH0, GIGA, F0, MAC1,
            XEN, Q0, ETH1, GIGA, F0, MAC2, XEN, Q0,
        ],
        "balance-slb up 100/0/0 active=eth0 slb=7:eth1+132:eth0\n\
         eth0 up 1000/full fail=0 mac=00:1b:21:aa:bb:01 q=0 promisc=1 flags=0x1943\n\
         eth1 up 1000/full fail=0 mac=00:1b:21:aa:bb:02 q=0 promisc=1 flags=0x1943",
    ),
    (
        "XenServer 3.10 mode 7 that was never opened has no bucket section",
        &[V371, SLB, "Primary Slave: None\nCurrently Active Slave: None\n", UP],
        "balance-slb up 100/0/0",
    ),
    (
        "XenServer 3.10 mode 4 has its lines before the aggregator",
        &[
            V371, LACP, UP,
            "\n802.3ad info\nLACP rate: fast\nMin links: 2\n\
             Aggregator selection policy (ad_select): count\n",
            ACTIVE_AGG, ETH0, GIGA, F0, MAC1, XEN, AGG1, Q0,
        ],
        "802.3ad up 100/0/0 hash=layer2 rate=fast min=2 select=count agg=1,2,17,42,00:23:04:ee:be:0a\n\
         eth0 up 1000/full fail=0 mac=00:1b:21:aa:bb:01 q=0 agg=1 promisc=1 flags=0x1943",
    ),
    (
        "XenServer 4.4 mode 7 has neither primary nor active slave, and no bucket yet",
        &[V371, SLB, UP, "\nSource load balancing info:\n", ETH0, GIGA, F0, MAC1, Q0, XEN],
        "balance-slb up 100/0/0 slb=\neth0 up 1000/full fail=0 mac=00:1b:21:aa:bb:01 q=0 \
         promisc=1 flags=0x1943",
    ),
    (
        "XenServer 4.4 mode 4 with all that root sees",
        &[
            V371, LACP, UP,
            "\n802.3ad info\nLACP rate: slow\nMin links: 0\n\
             Aggregator selection policy (ad_select): stable\n",
            ROOT, ACTIVE_AGG, ETH0, GIGA, F0, MAC1, Q0, XEN, AGG1, CHURN, PDUS,
        ],
        concat!(
            "802.3ad up 100/0/0 hash=layer2 rate=slow min=0 select=stable ",
            "system=65535,00:1b:21:aa:bb:01 agg=1,2,17,42,00:23:04:ee:be:0a\n",
            "eth0 up 1000/full fail=0 mac=00:1b:21:aa:bb:01 q=0 agg=1 promisc=1 flags=0x1943",
            " churn=none/0+churned/2",
            pdus!()
        ),
    ),
    (
        "XenServer 4.19 mode 7 has buckets on a slave that is down",
        &[
            V371, SLB, UP, "\nSource load balancing info:\n [000] = eth1\n [255] = eth1\n", ETH0,
            GIGA, F0, MAC1, Q0, XEN, ETH1, DARK, "Link Failure Count: 1\n", MAC2, Q0,
            "Promiscuity ref count: 0\nFlags: 0x1803\n",
        ],
        "balance-slb up 100/0/0 slb=0:eth1+255:eth1\n\
         eth0 up 1000/full fail=0 mac=00:1b:21:aa:bb:01 q=0 promisc=1 flags=0x1943\n\
         eth1 down fail=1 mac=00:1b:21:aa:bb:02 q=0 promisc=0 flags=0x1803",
    ),
    (
        "2.6.12 has the bond's status from its active slave",
        &[
            "Ethernet Channel Bonding Driver: v2.6.1 (October 29, 2004)\n\n", AB,
            "Primary Slave: eth1\nCurrently Active Slave: eth0\n", UP, ETH0, S_UP, F0, MAC1, ETH1,
            S_DOWN, "Link Failure Count: 4\n", MAC2,
        ],
        "active-backup up 100/0/0 primary=eth1 active=eth0\n\
         eth0 up fail=0 mac=00:1b:21:aa:bb:01\neth1 down fail=4 mac=00:1b:21:aa:bb:02",
    ),
    (
        "2.6.16 mode 3 has no active slave",
        &[
            "Ethernet Channel Bonding Driver: v3.0.1 (January 9, 2006)\n\n",
            "Bonding Mode: fault-tolerance (broadcast)\n", UP, ETH0, S_UP, F0, MAC1,
        ],
        "broadcast up 100/0/0\neth0 up fail=0 mac=00:1b:21:aa:bb:01",
    ),
    (
        "2.6.18 mode 5",
        &[V303, "Bonding Mode: transmit load balancing\n", NO_PRIMARY, UP, ETH0, S_UP, F0, MAC1],
        "balance-tlb up 100/0/0 active=eth0\neth0 up fail=0 mac=00:1b:21:aa:bb:01",
    ),
    (
        "2.6.18 mode 6",
        &[V303, "Bonding Mode: adaptive load balancing\n", NO_PRIMARY, UP, ETH1, S_UP, F0, MAC2],
        "balance-alb up 100/0/0 active=eth0\neth1 up fail=0 mac=00:1b:21:aa:bb:02",
    ),
    (
        "2.6.18 mode 2 has its hash policy",
        &[V303, XOR, "Transmit Hash Policy: layer3+4 (1)\n", UP, ETH0, S_UP, F0, MAC1],
        "balance-xor up 100/0/0 hash=layer3+4\neth0 up fail=0 mac=00:1b:21:aa:bb:01",
    ),
    (
        "2.6.18 mode 1 with nobody looking at the links",
        &[
            V303, AB, NO_PRIMARY,
            "MII Status: up\nMII Polling Interval (ms): 0\nUp Delay (ms): 0\nDown Delay (ms): 0\n",
            ETH0, S_UP, F0, MAC1,
        ],
        "active-backup up 0/0/0 active=eth0\neth0 up fail=0 mac=00:1b:21:aa:bb:01",
    ),
    (
        "2.6.26 with the ARP monitor and no target",
        &[
            "Ethernet Channel Bonding Driver: v3.2.5 (March 21, 2008)\n\n", AB, NO_PRIMARY,
            "MII Status: down\nMII Polling Interval (ms): 0\nUp Delay (ms): 0\nDown Delay (ms): 0\n\
             ARP Polling Interval (ms): 60\nARP IP target/s (n.n.n.n form):\n",
            ETH0, S_DOWN, F0,
        ],
        "active-backup down 0/0/0 active=eth0 arp=60 ip=\neth0 down fail=0",
    ),
    (
        "2.6.29 mode 4 without a partner",
        &[
            V350, LACP, UP,
            "\n802.3ad info\nLACP rate: slow\nAggregator selection policy (ad_select): bandwidth\n\
             Active Aggregator Info:\n\tAggregator ID: 2\n\tNumber of ports: 1\n\tActor Key: 17\n\
             \tPartner Key: 1\n\tPartner Mac Address: 00:00:00:00:00:00\n",
            ETH0, S_UP, F0, MAC1, AGG1, ETH1, S_UP, F0, MAC2, "Aggregator ID: 2\n",
        ],
        "802.3ad up 100/0/0 hash=layer2 rate=slow select=bandwidth agg=2,1,17,1,00:00:00:00:00:00\n\
         eth0 up fail=0 mac=00:1b:21:aa:bb:01 agg=1\neth1 up fail=0 mac=00:1b:21:aa:bb:02 agg=2",
    ),
    (
        "2.6.36 makes up a speed where it knows none",
        &[
            V360, RR, UP, ETH0, "MII Status: down\nSpeed: 100 Mbps\nDuplex: full\n", F0, MAC1, Q0,
        ],
        "balance-rr up 100/0/0\neth0 down 100/full fail=0 mac=00:1b:21:aa:bb:01 q=0",
    ),
    (
        "3.2 mode 4 has min links, and a port in no aggregator",
        &[
            V371, LACP, "MII Status: down\nMII Polling Interval (ms): 100\nUp Delay (ms): 0\n\
             Down Delay (ms): 0\n",
            "\n802.3ad info\nLACP rate: fast\nMin links: 2\n\
             Aggregator selection policy (ad_select): stable\n\
             bond bond51 has no active aggregator\n",
            ETH0, DARK, F0, MAC1, "Aggregator ID: N/A\n", Q0,
        ],
        "802.3ad down 100/0/0 hash=layer2 rate=fast min=2 select=stable agg=none\n\
         eth0 down fail=0 mac=00:1b:21:aa:bb:01 q=0",
    ),
    (
        "XenServer 3.10 mode 7 with a primary that is down",
        &[
            V371, SLB,
            "Primary Slave: eth1 (primary_reselect always)\nCurrently Active Slave: eth0\n", UP,
            "\nSource load balancing info:\n [001] = eth0\n", ETH0, GIGA, F0, MAC1, XEN, Q0, ETH1,
            DARK, "Link Failure Count: 7\n", MAC2, "Promiscuity ref count: 0\nFlags: 0x1803\n", Q0,
        ],
        "balance-slb up 100/0/0 primary=eth1/always active=eth0 slb=1:eth0\n\
         eth0 up 1000/full fail=0 mac=00:1b:21:aa:bb:01 q=0 promisc=1 flags=0x1943\n\
         eth1 down fail=7 mac=00:1b:21:aa:bb:02 q=0 promisc=0 flags=0x1803",
    ),
    (
        "XenServer 3.10 has its lines in every mode",
        &[V371, RR, UP, ETH0, GIGA, F0, MAC1, XEN, Q0],
        "balance-rr up 100/0/0\neth0 up 1000/full fail=0 mac=00:1b:21:aa:bb:01 q=0 promisc=1 \
         flags=0x1943",
    ),
    (
        "XenServer 4.4 mode 7 while a link comes back",
        &[
            V371, SLB,
            "MII Status: up\nMII Polling Interval (ms): 100\nUp Delay (ms): 31000\n\
             Down Delay (ms): 200\n",
            "\nSource load balancing info:\n [016] = eth0\n [017] = eth0\n", ETH0, GIGA, F0, MAC1,
            Q0, XEN, ETH1, "MII Status: going back\nSpeed: 1000 Mbps\nDuplex: full\n",
            "Link Failure Count: 1\n", MAC2, Q0, XEN,
        ],
        "balance-slb up 100/31000/200 slb=16:eth0+17:eth0\n\
         eth0 up 1000/full fail=0 mac=00:1b:21:aa:bb:01 q=0 promisc=1 flags=0x1943\n\
         eth1 going back 1000/full fail=1 mac=00:1b:21:aa:bb:02 q=0 promisc=1 flags=0x1943",
    ),
    (
        "XenServer 4.19 mode 7 without slaves",
        &[V371, SLB, "MII Status: down\nMII Polling Interval (ms): 100\nUp Delay (ms): 31000\n\
           Down Delay (ms): 200\n", "\nSource load balancing info:\n"],
        "balance-slb down 100/31000/200 slb=",
    ),
    (
        "4.19 without CAP_NET_ADMIN says nothing of the aggregator",
        &[
            V371, LACP, UP,
            "\n802.3ad info\nLACP rate: slow\nMin links: 0\n\
             Aggregator selection policy (ad_select): stable\n",
            ETH0, GIGA, F0, MAC1, Q0, AGG1, CHURN,
        ],
        "802.3ad up 100/0/0 hash=layer2 rate=slow min=0 select=stable\n\
         eth0 up 1000/full fail=0 mac=00:1b:21:aa:bb:01 q=0 agg=1 churn=none/0+churned/2",
    ),
    (
        "4.19 prints addresses of any length",
        &[
            V371, "Bonding Mode: fault-tolerance (broadcast)\n", UP, "\nSlave Interface: ib0\n",
            S_UP,
            "Permanent HW addr: 80:00:02:08:fe:80:00:00:00:00:00:00:00:02:c9:03:00:1d:f2:11\n", Q0,
            "\nSlave Interface: tun0\nMII Status: up\nSpeed: 10 Mbps\nDuplex: half\n\
             Permanent HW addr: \n",
            Q0, "\nSlave Interface: gre1\nPermanent HW addr: 0a:00:00:01\n",
        ],
        "broadcast up 100/0/0\n\
         ib0 up mac=80:00:02:08:fe:80:00:00:00:00:00:00:00:02:c9:03:00:1d:f2:11 q=0\n\
         tun0 up 10/half q=0\ngre1 mac=0a:00:00:01",
    ),
    (
        "a slave may be called None, or have brackets",
        &[
            V371, AB,
            "Primary Slave: None (primary_reselect always)\nCurrently Active Slave: e(0)[1],=.\n",
            UP, "\nSlave Interface: None\n", S_UP, "\nSlave Interface: e(0)[1],=.\n", S_UP,
            "\nSlave Interface: é#\u{3000}\n", S_UP,
        ],
        "active-backup up 100/0/0 primary=None/always active=e(0)[1],=.\nNone up\ne(0)[1],=. up\n\
         é#\u{3000} up",
    ),
    (
        "speeds that are huge or cut",
        &[
            V371, XOR, "Transmit Hash Policy: vlan+srcmac (5)\n", UP,
            "\nSlave Interface: veth0\nSpeed: 2147483647 Mbps\n",
            "\nSlave Interface: veth1\nSpeed: 100\n", "\nSlave Interface: veth2\nSpeed: -1 Mbps\n",
        ],
        "balance-xor up 100/0/0 hash=vlan+srcmac\nveth0 2147483647/?\nveth1\nveth2\nunknown=2",
    ),
    (
        "5.3 delays peer notifications",
        &[
            "Ethernet Channel Bonding Driver: v5.10.0-8-amd64\n\n",
            "Bonding Mode: adaptive load balancing\n", NO_PRIMARY, UP,
            "Peer Notification Delay (ms): 300\n", ETH0, GIGA, F0, MAC1, Q0,
        ],
        "balance-alb up 100/0/0 peer=300 active=eth0\neth0 up 1000/full fail=0 \
         mac=00:1b:21:aa:bb:01 q=0",
    ),
    (
        "5.15 says whether LACP is active",
        &[
            "Ethernet Channel Bonding Driver: v5.15.0\n\n", LACP, UP,
            "Peer Notification Delay (ms): 0\n",
            "\n802.3ad info\nLACP active: on\nLACP rate: fast\nMin links: 0\n\
             Aggregator selection policy (ad_select): stable\n",
        ],
        "802.3ad up 100/0/0 peer=0 hash=layer2 active=on rate=fast min=0 select=stable",
    ),
    (
        "6.1 with IPv4 and IPv6 targets",
        &[
            V61, AB, NO_PRIMARY,
            "MII Status: up\nMII Polling Interval (ms): 0\nUp Delay (ms): 0\nDown Delay (ms): 0\n",
            "Peer Notification Delay (ms): 0\nARP Polling Interval (ms): 250\nARP Missed Max: 2\n",
            "ARP IP target/s (n.n.n.n form):\n\
             NS IPv6 target/s (xx::xx form): 2001:db8::, fe80::1\n",
        ],
        "active-backup up 0/0/0 peer=0 active=eth0 arp=250 missed=2 ip= ns=2001:db8::+fe80::1",
    ),
    (
        "6.1 prints an empty IPv6 list",
        &[
            V61, AB, NO_PRIMARY, "ARP Polling Interval (ms): 250\nARP Missed Max: 2\n",
            "ARP IP target/s (n.n.n.n form): 10.0.0.1\nNS IPv6 target/s (xx::xx form):\n",
        ],
        "active-backup active=eth0 arp=250 missed=2 ip=10.0.0.1 ns=",
    ),
    (
        "6.12 mode 4 with all that root sees",
        &[
            "Ethernet Channel Bonding Driver: v6.12.117+deb12-cloud-amd64\n\n", LACP, UP,
            "Peer Notification Delay (ms): 0\n",
            "\n802.3ad info\nLACP active: off\nLACP rate: fast\n", ROOT, ACTIVE_AGG, ETH1, GIGA,
            F0, MAC2, Q0, AGG1, CHURN, PDUS,
        ],
        concat!(
            "802.3ad up 100/0/0 peer=0 hash=layer2 active=off rate=fast ",
            "system=65535,00:1b:21:aa:bb:01 agg=1,2,17,42,00:23:04:ee:be:0a\n",
            "eth1 up 1000/full fail=0 mac=00:1b:21:aa:bb:02 q=0 agg=1 churn=none/0+churned/2",
            pdus!()
        ),
    ),
];
