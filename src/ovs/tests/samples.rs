//! Texts as the releases print them, written after tests/ground/ovs.md, each with its reading in
//! the words of `tests::digest`. Names and addresses are invented.

/// Sentence, text, reading.
pub(super) type Sample = (&'static str, &'static str, &'static str);

// By hand: the text as it stands on a terminal.
#[rustfmt::skip]
pub(super) const BONDS: &[Sample] = &[
    (
        "1.0 has neither name nor mode, no blank lines, and addresses below the loads",
        "updelay: 0 ms\ndowndelay: 200 ms\nnext rebalance: 4711 ms\nslave eth2: enabled\n\
         \tactive slave\n\thash 17: 3 kB load\n\t\t02:16:3e:51:00:01\nslave eth3: disabled\n",
        "? ? ? 0/200 active=eth2\n eth2 ++?\n eth3 --?",
    ),
    (
        "1.1 prints whether LACP is set, which is the state only when it is off",
        "bond_mode: active-backup\nlacp: off\nbond-detect-mode: miimon\n\
         bond-miimon-interval: 100\nupdelay: 31000 ms\ndowndelay: 200 ms\n\
         \nslave eth7: enabled\n\nslave eth2: enabled\n\tactive slave\n",
        "? active-backup off 31000/200 active=eth2\n eth7 +-?\n eth2 ++?",
    ),
    (
        "1.1 with LACP on says nothing of a partner",
        "bond_mode: balance-tcp\nlacp: passive\nbond-detect-mode: carrier\nupdelay: 0 ms\n\
         downdelay: 0 ms\n\nslave eth2: enabled\n\tactive slave\n",
        "? balance-tcp ? 0/0 active=eth2\n eth2 ++?",
    ),
    (
        "1.4 says of a bond without LACP that it is not negotiated",
        "bond_mode: active-backup\nbond-hash-basis: 0\nupdelay: 31000 ms\ndowndelay: 200 ms\n\
         lacp_negotiated: false\n\nslave eth3: disabled\n\tupdelay expires in 24118 ms\n\
         \tmay_enable: true\n\nslave eth2: enabled\n\tactive slave\n\tmay_enable: true\n",
        "? active-backup ? 31000/200 active=eth2\n eth3 --+ used=24118\n eth2 +++",
    ),
    (
        "1.5 with a partner",
        "bond_mode: stable\nbond-hash-algorithm: balance-tcp\nbond-hash-basis: 3\nupdelay: 0 ms\n\
         downdelay: 0 ms\nlacp_negotiated: true\n\nslave p7p1: enabled\n\tactive slave\n\
         \tmay_enable: true\n",
        "? stable negotiated 0/0 active=p7p1\n p7p1 +++",
    ),
    (
        "2.1 has a title, and a slave that is about to go",
        "---- bond51 ----\nbond_mode: balance-slb\nbond-hash-basis: 0\nupdelay: 31000 ms\n\
         downdelay: 200 ms\nnext rebalance: -12 ms\nlacp_status: off\n\nslave eth2: enabled\n\
         \tdowndelay expires in 150 ms\n\tmay_enable: false\n\thash 51: 2 kB load\n\
         \nslave eth3: enabled\n\tactive slave\n\tmay_enable: true\n\n",
        "bond51 balance-slb off 31000/200 active=eth3\n eth2 +-- left=150\n eth3 +++",
    ),
    (
        "2.5 goes on to name the last slave when all are down",
        "---- bond51 ----\nbond_mode: active-backup\n\
         bond may use recirculation: no, Recirc-ID : -1\nbond-hash-basis: 0\nupdelay: 31000 ms\n\
         downdelay: 200 ms\nlacp_status: off\nactive slave mac: 02:16:3e:51:00:02(eth2)\n\
         \nslave eth2: disabled\n\tmay_enable: false\n\nslave eth3: disabled\n\
         \tmay_enable: false\n\n",
        "bond51 active-backup off 31000/200 active=?\n eth2 ---\n eth3 ---",
    ),
    (
        "2.5 names nobody after a start, though a slave is marked",
        "---- bond51 ----\nbond_mode: balance-tcp\n\
         bond may use recirculation: yes, Recirc-ID : 301\nbond-hash-basis: 0\nupdelay: 0 ms\n\
         downdelay: 0 ms\nlacp_status: configured\nactive slave mac: 00:00:00:00:00:00(none)\n\
         \nslave eth2: enabled\n\tactive slave\n\tmay_enable: true\n\n",
        "bond51 balance-tcp configured 0/0 active=eth2\n eth2 +++",
    ),
    (
        "2.9 has fallen back, still by tabs",
        "---- bond51 ----\nbond_mode: balance-tcp\n\
         bond may use recirculation: yes, Recirc-ID : 4\nbond-hash-basis: 0\nupdelay: 31000 ms\n\
         downdelay: 200 ms\nlacp_status: configured\nlacp_fallback_ab: true\n\
         active slave mac: 02:16:3e:51:00:03(eth3)\n\nslave eth2: enabled\n\
         \tmay_enable: true\n\nslave eth3: enabled\n\tactive slave\n\tmay_enable: true\n\n",
        "bond51 balance-tcp configured 31000/200 fallback=true active=eth3\n eth2 +-+\n eth3 +++",
    ),
    (
        "2.14 has blanks, and a primary that is gone",
        "---- bond51 ----\nbond_mode: active-backup\n\
         bond may use recirculation: no, Recirc-ID : -1\nbond-hash-basis: 0\n\
         lb_output action: disabled, bond-id: -1\nupdelay: 0 ms\ndowndelay: 0 ms\n\
         lacp_status: off\nlacp_fallback_ab: false\n\
         active-backup primary: eth9 (no such slave)\n\
         active slave mac: 02:16:3e:51:00:02(eth2)\n\nslave eth2: enabled\n  active slave\n\
         \x20 may_enable: true\n\nslave eth3: disabled\n  may_enable: false\n\n",
        "bond51 active-backup off 0/0 fallback=false primary=eth9 active=eth2\n eth2 +++\n eth3 ---",
    ),
    (
        "2.17 has members, none of which is enabled although LACP is negotiated",
        "---- bond51 ----\nbond_mode: balance-tcp\n\
         bond may use recirculation: yes, Recirc-ID : 2\nbond-hash-basis: 0\n\
         lb_output action: disabled, bond-id: -1\nupdelay: 0 ms\ndowndelay: 0 ms\n\
         lacp_status: negotiated\nlacp_fallback_ab: false\nactive-backup primary: <none>\n\
         active member mac: 00:00:00:00:00:00(none)\n\nmember eth2: disabled\n\
         \x20 may_enable: false\n\nmember eth3: disabled\n  may_enable: false\n\n",
        "bond51 balance-tcp negotiated 0/0 fallback=false active=?\n eth2 ---\n eth3 ---",
    ),
    (
        "3.1 with all members active",
        "---- bond51 ----\nbond_mode: balance-slb\n\
         bond may use recirculation: no, Recirc-ID : -1\nbond-hash-basis: 0\n\
         lb_output action: disabled, bond-id: -1\nall members active: true\nupdelay: 31000 ms\n\
         downdelay: 200 ms\nnext rebalance: 1799000 ms\nlacp_status: off\n\
         lacp_fallback_ab: false\nactive-backup primary: eth2\n\
         active member mac: 02:16:3e:51:00:02(eth2)\n\nmember eth2: enabled\n  active member\n\
         \x20 may_enable: true\n  hash 1: 4 kB load\n\nmember eth3: enabled\n\
         \x20 may_enable: true\n\n",
        "bond51 balance-slb off 31000/200 fallback=false primary=eth2 active=eth2\n \
         eth2 +++\n eth3 +-+",
    ),
    (
        "a release to come, and words that nobody knows",
        "---- bond51 ----\nbond_mode: balance-all\nupdelay: 5 s\ndowndelay: soon\n\
         lacp_status: <unknown>\nlacp_colour: red\n\nmember eth2: enabled\n  may_enable: perhaps\n\
         \x20 temper: good\n\n",
        "bond51 ?(balance-all) ? ?/? active=?\n eth2 +??",
    ),
    (
        "two bonds, one after the other",
        "---- bond51 ----\nbond_mode: active-backup\nupdelay: 0 ms\ndowndelay: 0 ms\n\
         lacp_status: off\n\nmember eth2: enabled\n  active member\n  may_enable: true\n\n\
         ---- bond52 ----\nbond_mode: balance-slb\nupdelay: 0 ms\ndowndelay: 100 ms\n\
         lacp_status: off\n\nmember eth4: disabled\n  may_enable: false\n\n",
        "bond51 active-backup off 0/0 active=eth2\n eth2 +++\n\
         bond52 balance-slb off 0/100 active=?\n eth4 ---",
    ),
    (
        "two bonds without titles, between what was typed",
        "[root@xen01 ~]# ovs-appctl bond/show bond51\nbond_mode: balance-slb\nupdelay: 0 ms\n\
         downdelay: 0 ms\n\nslave eth2: enabled\n\tactive slave\n\tmay_enable: true\n\
         [root@xen01 ~]# ovs-appctl bond/show bond52\nbond_mode: balance-slb\nupdelay: 0 ms\n\
         downdelay: 0 ms\n\nslave eth2: enabled\n\tactive slave\n\tmay_enable: true\n\
         [root@xen01 ~]# logout\n",
        "? balance-slb ? 0/0 active=eth2\n eth2 +++\n? balance-slb ? 0/0 active=eth2\n eth2 +++",
    ),
    (
        "what was left out is not known, and no mark is no sign before the line that follows it",
        "bond_mode: balance-slb\n[...]\nslave eth2: enabled\n[...]\nslave eth3: disabled\n",
        "? balance-slb ? ?/? active=?\n eth2 +??\n eth3 --?",
    ),
    (
        "marks were left out, and the address names the active slave",
        "active slave mac: 02:16:3e:51:00:03(eth3)\nslave eth2: enabled\nslave eth3: enabled\n",
        "? ? ? ?/? active=eth3\n eth2 +-?\n eth3 ++?",
    ),
    (
        "the head of a text",
        "---- bond51 ----\nbond_mode: active-backup\nupdelay: 31000 m",
        "bond51 active-backup ? ?/? active=?",
    ),
    (
        "a text that ends inside a slave's line",
        "---- bond51 ----\nlacp_status: off\n\nslave eth2: ena",
        "bond51 ? off ?/? active=?\n eth2 ???",
    ),
    (
        "a quotation in a forum",
        "[QUOTE=somebody][CODE]---- bond51 ----\n> bond_mode: active-backup\n> # updelay: 0 ms\n\
         > > downdelay: 0 ms\n>\n> slave eth2: enabled\n>    active slave\n\
         >    may_enable: true[/CODE][/QUOTE]\n",
        "bond51 active-backup ? 0/0 active=eth2\n eth2 +++",
    ),
];

#[rustfmt::skip]
pub(super) const LACP: &[Sample] = &[
    (
        "1.1 has another title and ends a line with a blank",
        "lacp: bond51\n\tstatus: active \n\tsys_id: 02:16:3E:51:00:00\n\tsys_priority: 65534\n\
         \taggregation key: 2\n\nslave: eth2: current attached enabled\n\tport_id: 2\n\
         \tport_priority: 65535\n\n\tactor sys_id: 02:16:3e:51:00:00\n\tactor key: 2\n\
         \tactor state: activity aggregation synchronized collecting distributing \n\n\
         \tpartner sys_id: 01:e0:52:00:51:01\n\tpartner key: 51\n\
         \tpartner state: activity aggregation synchronized collecting distributing \n",
        "bond51 [active] 02:16:3e:51:00:00/2 ?\n \
         eth2 ++-? 01:e0:52:00:51:01/51 AaSCD AaSCD",
    ),
    (
        "1.6 has a heart, and a rate of its own",
        "---- bond51 ----\n\tstatus: passive heartbeat negotiated\n\tsys_id: 02:16:3e:51:00:00\n\
         \tsys_priority: 65534\n\taggregation key: 5\n\tlacp_time: custom (500)\n\
         \nslave: eth2: expired attached\n\tport_id: 1\n\tport_priority: 65535\n\
         \n\tactor state: synchronized collecting distributing expired\n\
         \n\tpartner sys_id: 00:00:00:00:00:00\n\tpartner key: 0\n\tpartner state: timeout\n",
        "bond51 [passive heartbeat negotiated] 02:16:3e:51:00:00/5 ?\n \
         eth2 -+-? 00:00:00:00:00:00/0 SCDe T",
    ),
    (
        "2.5 has one slave whose partner is silent and one whose partner is not in step",
        "---- bond51 ----\n\tstatus: active negotiated\n\tsys_id: 02:16:3e:51:00:00\n\
         \tsys_priority: 65534\n\taggregation key: 1\n\tlacp_time: slow\n\
         \nslave: eth2: defaulted detached\n\tport_id: 2\n\tport_priority: 65535\n\
         \tmay_enable: false\n\n\tactor state: activity aggregation defaulted\n\
         \n\tpartner sys_id: 00:00:00:00:00:00\n\tpartner key: 0\n\tpartner state:\n\
         \nslave: eth3: current attached\n\tport_id: 1\n\tmay_enable: false\n\
         \n\tactor state: activity timeout aggregation synchronized collecting distributing\n\
         \n\tpartner sys_id: 00:23:04:ee:be:51\n\tpartner key: 8\n\
         \tpartner state: activity timeout aggregation\n",
        "bond51 [active negotiated] 02:16:3e:51:00:00/1 slow\n \
         eth2 --+- 00:00:00:00:00:00/0 Aad -\n eth3 ++-- 00:23:04:ee:be:51/8 ATaSCD ATa",
    ),
    (
        "2.17 has members, and the next port follows at once",
        "---- bond51 ----\n  status: active\n  sys_id: 02:16:3e:51:00:00\n  lacp_time: fast\n\
         \nmember: eth2: current detached\n  may_enable: true\n\n  partner state: activity\n\
         ---- eth9 ----\n  status: passive negotiated\n\nmember: eth9: current attached\n",
        "bond51 [active] 02:16:3e:51:00:00/? fast\n eth2 +--+ ?/? ? A\n\
         eth9 [passive negotiated] ?/? ?\n eth9 ++-? ?/? ? ?",
    ),
    (
        "what is broken is not known",
        "---- bond51 ----\n  status: actively\n  sys_id: 02:16:3e:51:00:00\n  aggregation key: -1\n\
         \nslave: eth2: cur\n\nslave: eth3: current\n  partner sys_id: none\n  partner key: x\n\
         \x20 partner state: activity collecting<br>distributing\n",
        "bond51 [?] 02:16:3e:51:00:00/? ?\n eth2 ???? ?/? ? ?\n eth3 +?-? ?/? ? ?",
    ),
    (
        "the title is lost",
        "status: active negotiated\nslave: eth2: current attached\n",
        "? [active negotiated] ?/? ?\n eth2 ++-? ?/? ? ?",
    ),
];

/// Texts that are of no bond, or say nothing of its state.
pub(super) const NEITHER: &[&str] = &[
    "",
    "\n\n",
    "no such bond\novs-appctl: ovs-vswitchd: server returned an error\n",
    "no such lacp object\novs-appctl: ovs-vswitchd: server returned reply code 501\n",
    "bond\ttype\trecircID\tmembers\nbond51\tbalance-slb\t0\teth2, eth3\n",
    "---- a chapter ----\n---- bond51 ----\nstatus: draft\n",
    "bond_mode: active-backup\nlacp: off\nbond_updelay: 0\nupdelay: 0\n",
    "updelay: 0 ms\ndowndelay: 0 ms\n",
    "_uuid : 51\nbond_mode : balance-slb\nlacp : active\nname : bond51\nupdelay : 0 ms\n",
    "slave eth0: up\nmember of team: enabled\nslave <none>: enabled\nslave: enabled\n",
    "member: eth0: promoted\n  partner state: activity\n",
    "Bonding Mode: load balancing (xor)\nUp Delay (ms): 0\nSlave Interface: eth0\nMII Status: up\n",
    "Bridge br0\n    Port bond51\n        Interface eth2\n        Interface eth3\n",
];
