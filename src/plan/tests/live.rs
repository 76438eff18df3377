//! What is changed of a bond that stays up, there and back.

use super::*;

/// Every kind of change that the driver takes while the bond is up, there and back, and what it
/// refuses: the bond is then made anew.
#[test]
fn what_the_driver_takes_is_changed_while_the_bond_is_up() {
    type Keys = &'static [(&'static str, &'static str)];
    const XOR: Keys = &[("mode", "2")];
    const LACP: Keys = &[("mode", "4")];
    const ARP: Keys = &[
        ("miimon", "0"),
        ("arp_interval", "1000"),
        ("arp_ip_target", "172.16.51.2,172.16.51.3"),
        ("arp_validate", "all"),
    ];
    const ARP_MORE: Keys =
        &[("miimon", "0"), ("arp_interval", "500"), ("arp_ip_target", "172.16.51.3,172.16.51.4")];
    let cases: &[(Keys, Keys, &str)] = &[
        (&[], &[("miimon", "250")], "miimon to 250"),
        (&[], &[("updelay", "400"), ("downdelay", "200")], "updelay to 400, downdelay to 200"),
        (
            &[("updelay", "400"), ("downdelay", "200")],
            &[("miimon", "200"), ("updelay", "400")],
            "miimon to 200, downdelay to 0",
        ),
        (
            &[],
            &[("primary", "eth3"), ("primary_reselect", "failure")],
            "primary to eth3, primary_reselect to failure",
        ),
        (&[("primary", "eth3")], &[("primary", "eth2")], "primary to eth2"),
        (&[("primary", "eth3")], &[], "primary to nothing"),
        (
            &[],
            &[("num_grat_arp", "5"), ("resend_igmp", "3")],
            "num_grat_arp to 5, resend_igmp to 3",
        ),
        (
            &[],
            &[("use_carrier", "0"), ("all_slaves_active", "1")],
            "use_carrier to 0, all_slaves_active to 1",
        ),
        (
            &[],
            ARP,
            "miimon to 0, arp_interval to 1000, arp_ip_target to 172.16.51.2,172.16.51.3, arp_validate to all",
        ),
        (
            ARP,
            &[("miimon", "100")],
            "miimon to 100, arp_interval to 0, arp_ip_target to nothing, arp_validate to none",
        ),
        (
            ARP,
            ARP_MORE,
            "arp_interval to 500, arp_ip_target to 172.16.51.3,172.16.51.4, arp_validate to none",
        ),
        (LACP, &[("mode", "4"), ("min_links", "2")], "min_links to 2"),
        (LACP, &[("mode", "4"), ("lacp_rate", "fast")], ""),
        (LACP, &[("mode", "4"), ("ad_select", "count")], ""),
        (&[], &[("fail_over_mac", "active")], ""),
        (&[], XOR, ""),
    ];
    for flavour in [EL5, EL7] {
        let hash = if flavour == EL5 { "" } else { "xmit_hash_policy to layer3+4" };
        let more: (Keys, Keys, &str) = (XOR, &[("mode", "2"), ("xmit_hash_policy", "1")], hash);
        for (before, after, words) in cases.iter().chain([&more]) {
            let dom0 = Dom0::new(flavour, Backend::Bridge);
            let (before, after) = (spec(before), spec(after));
            dom0.become_as(&before);
            let plan = dom0.plan(&after);
            let live = plan.steps.iter().find(|step| matches!(step, Step::SetOptions(_)));
            let title = live.map(Step::title).unwrap_or_default();
            let wanted = match *words {
                "" => String::new(),
                words => {
                    format!("set {} while it is up", words.replacen(" to", " of bond51 to", 1))
                }
            };
            assert_eq!(title, wanted, "{flavour:?}");
            assert_eq!(plan.outage() > 0, words.is_empty(), "{flavour:?} {words}");
            dom0.become_as(&after);
            dom0.needs(&after, &[]);
            dom0.take_back(&plan);
            dom0.needs(&before, &[]);
        }
    }
}

#[test]
fn mtu_and_address_are_changed_while_the_bond_is_up() {
    for flavour in [EL5, EL7] {
        for (before, after, title, outage) in [
            (
                spec(&[]),
                spec(&[("mtu", "9000")]),
                "set the MTU of bond51 to 9000 while it is up",
                0,
            ),
            (
                spec(&[("mtu", "9000")]),
                spec(&[("mtu", "1500")]),
                "set the MTU of bond51 to 1500 while it is up",
                0,
            ),
            (
                spec(&[]),
                spec(&[("address", "172.16.51.77/25")]),
                "set the address of bond51 to 172.16.51.77/25 while it is up",
                1,
            ),
        ] {
            let dom0 = Dom0::new(flavour, Backend::Bridge);
            dom0.become_as(&before);
            let plan = dom0.plan(&after);
            let titles = titles(&plan);
            assert!(titles.iter().any(|t| t == title), "{flavour:?} {titles:?}");
            assert_eq!(plan.outage(), outage, "{title}");
            dom0.become_as(&after);
            dom0.needs(&after, &[]);
            dom0.take_back(&plan);
            dom0.needs(&before, &[]);
        }
    }
}
