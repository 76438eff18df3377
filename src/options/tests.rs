//! The table of options: its order, its ranges, its words and its rules.

use super::*;

fn row(name: &str) -> &'static Row {
    Opt::named(name).unwrap_or_else(|| panic!("there is no {name}")).row()
}

/// Options from `name=value` words.
fn options(words: &str) -> Options {
    let mut options = Options::default();
    for word in words.split_whitespace() {
        let (name, value) = word.split_once('=').unwrap();
        options.set(Opt::named(name).unwrap(), row(name).parse(value).unwrap());
    }
    options
}

#[test]
fn the_table_is_in_the_order_of_the_enum() {
    for (at, row) in TABLE.iter().enumerate() {
        assert_eq!(row.opt as usize, at, "{}", row.name);
        assert_eq!(row.opt.row().name, row.name);
        assert_eq!(Opt::named(row.name), Some(row.opt));
        assert!(!row.modes.is_empty(), "{} is for no mode", row.name);
    }
    assert_eq!(Opt::named("mode"), None);
    assert_eq!(Opt::named("Miimon"), None);
}

#[test]
fn every_number_takes_the_ends_of_its_range_and_nothing_beyond() {
    let mut numbers = Vec::new();
    for row in &TABLE {
        let Values::Number(min, max) = row.values else { continue };
        for good in [min, max] {
            assert_eq!(row.parse(&good.to_string()).unwrap(), Value::Number(good), "{}", row.name);
        }
        let mut bad = vec![
            (max + 1).to_string(),
            String::new(),
            "x".into(),
            "-1".into(),
            "+1".into(),
            " 1".into(),
            "01".into(),
            "1 ".into(),
            "1ms".into(),
            "4294967296".into(),
        ];
        bad.extend(min.checked_sub(1).map(|n| n.to_string()));
        for text in bad {
            let error = row.parse(&text).expect_err(row.name).to_string();
            let want = format!(
                "is not a valid value for {}: it takes a whole number from {min} to {max}",
                row.name
            );
            assert!(error.contains(&want), "{text:?}: {error}");
        }
        numbers.push((row.name, min, max));
    }
    assert_eq!(
        numbers,
        [
            ("miimon", 0, 600_000),
            ("updelay", 0, 600_000),
            ("downdelay", 0, 600_000),
            ("use_carrier", 0, 1),
            ("arp_interval", 1, 600_000),
            ("arp_missed_max", 1, 255),
            ("num_grat_arp", 0, 255),
            ("peer_notif_delay", 0, 300_000),
            ("resend_igmp", 0, 255),
            ("all_slaves_active", 0, 1),
            ("packets_per_slave", 0, 65_535),
            ("tlb_dynamic_lb", 0, 1),
            ("lp_interval", 1, 0x7fff_ffff),
            ("ad_actor_sys_prio", 1, 65_535),
            ("ad_user_port_key", 0, 1023),
            ("min_links", 0, 16),
        ]
    );
}

#[test]
fn every_word_may_be_given_by_the_drivers_number() {
    // drivers/net/bonding/bond_options.c: the tables of values, in order.
    let driver: [(&str, &[&str]); 8] = [
        (
            "arp_validate",
            &["none", "active", "backup", "all", "filter", "filter_active", "filter_backup"],
        ),
        ("arp_all_targets", &["any", "all"]),
        ("lacp_active", &["off", "on"]),
        ("primary_reselect", &["always", "better", "failure"]),
        ("fail_over_mac", &["none", "active", "follow"]),
        ("lacp_rate", &["slow", "fast"]),
        ("ad_select", &["stable", "bandwidth", "count"]),
        (
            "xmit_hash_policy",
            &["layer2", "layer3+4", "layer2+3", "encap2+3", "encap3+4", "vlan+srcmac"],
        ),
    ];
    let in_table = TABLE.iter().filter(|row| matches!(row.values, Values::Words(_))).count();
    assert_eq!(in_table, driver.len());
    for (name, words) in driver {
        for (number, word) in words.iter().enumerate() {
            assert_eq!(row(name).parse(word).unwrap(), Value::Word(word), "{name}");
            assert_eq!(row(name).parse(&number.to_string()).unwrap(), Value::Word(word), "{name}");
        }
        let beyond = words.len().to_string();
        for bad in [beyond.as_str(), "", "0x0", "-1", "00", &words[0].to_uppercase(), "fast\n"] {
            let error = row(name).parse(bad).expect_err(bad).to_string();
            let want = format!("is not a valid value for {name}: it takes {}", words.join(", "));
            assert!(error.contains(&want), "{error}");
        }
    }
}

#[test]
fn arp_targets_are_up_to_sixteen_addresses_each_named_once() {
    let row = row("arp_ip_target");
    let many = |n: u8| (1..=n).map(|i| format!("10.0.0.{i}")).collect::<Vec<_>>().join(",");
    let Value::Targets(all) = row.parse(&many(16)).unwrap() else { panic!("no targets") };
    assert_eq!(all.len(), MAX_TARGETS);
    assert_eq!(row.parse("10.0.0.1, 10.0.0.2").unwrap().to_string(), "10.0.0.1,10.0.0.2");
    assert_eq!(row.parse("10.0.0.1 10.0.0.2").unwrap().to_string(), "10.0.0.1,10.0.0.2");
    for (bad, sentence) in [
        (many(17).as_str(), "has 17 addresses; the driver takes 16"),
        ("10.0.0.1,10.0.0.1", "names 10.0.0.1 twice"),
        ("", "it takes IPv4 addresses with commas"),
        ("10.0.0.1,", "it takes IPv4 addresses with commas"),
        ("+10.0.0.1", "it takes IPv4 addresses with commas"),
        ("nas", "it takes IPv4 addresses with commas"),
    ] {
        let error = row.parse(bad).expect_err(bad).to_string();
        assert!(error.contains(sentence), "{bad:?}: {error}");
    }
}

#[test]
fn arp_targets_are_in_an_order_that_the_boot_scripts_set_whole() {
    // `grep -q TARGET` among those set: a dot is any character, a blank parts two of them.
    for (given, want) in [
        ("172.16.51.20,172.16.51.2", "172.16.51.2,172.16.51.20"),
        ("172.16.51.2,172.16.51.20", "172.16.51.2,172.16.51.20"),
        ("10.0.0.3,10.0.0.20,10.0.0.1,10.0.0.2", "10.0.0.3,10.0.0.1,10.0.0.2,10.0.0.20"),
        ("10.0.0.100,10.0.0.10,10.0.0.1", "10.0.0.1,10.0.0.10,10.0.0.100"),
        ("192.1.203.4,1.2.3.4", "1.2.3.4,192.1.203.4"),
        ("9.9.9.1,2.3.4.5,1.2.3.4", "9.9.9.1,1.2.3.4,2.3.4.5"),
    ] {
        assert_eq!(row("arp_ip_target").parse(given).unwrap().to_string(), want, "{given}");
    }
}

#[test]
fn the_primary_is_a_device_name() {
    assert_eq!(row("primary").parse("eth2").unwrap().to_string(), "eth2");
    assert!(row("primary").parse("eth2 mode=0").is_err());
    assert!(row("primary").parse("00:1b:21:0a:01").is_err());
    let by_mac = row("primary").parse("001B.210A.0102").unwrap();
    assert_eq!(by_mac.to_string(), "00:1b:21:0a:01:02");
}

#[test]
fn words_put_mode_and_miimon_first_whatever_the_order_of_asking() {
    let asked = options("downdelay=200 primary=eth2 updelay=300 use_carrier=1 miimon=100");
    let want = [
        "mode=active-backup",
        "miimon=100",
        "updelay=300",
        "downdelay=200",
        "use_carrier=1",
        "primary=eth2",
    ];
    assert_eq!(asked.words(BondMode::ActiveBackup), want);
    assert_eq!(
        options("lacp_rate=1 xmit_hash_policy=1 miimon=80").words(BondMode::Ieee8023ad),
        ["mode=802.3ad", "miimon=80", "lacp_rate=fast", "xmit_hash_policy=layer3+4"]
    );
    let mut arp = options("arp_ip_target=10.0.0.2,10.0.0.1 arp_interval=500");
    arp.add_defaults();
    assert_eq!(
        arp.words(BondMode::BalanceRr),
        ["mode=balance-rr", "miimon=0", "arp_interval=500", "arp_ip_target=10.0.0.2,10.0.0.1"]
    );
}

#[test]
fn links_are_watched_unless_another_way_was_asked_for() {
    for (asked, miimon) in [
        ("", 100),
        ("miimon=50", 50),
        ("miimon=0", 0),
        ("arp_interval=9", 0),
        ("arp_interval=9 miimon=7", 7),
        ("lacp_rate=fast", 100),
    ] {
        let mut options = options(asked);
        options.add_defaults();
        assert_eq!(options.number(Opt::Miimon), Some(miimon), "{asked:?}");
    }
}

#[test]
fn each_option_belongs_to_the_modes_that_heed_it() {
    // Documentation/networking/bonding.rst and bond_options.c, by the driver's numbers.
    let wanted: [(&str, &[u8]); 27] = [
        ("miimon=100", &[0, 1, 2, 3, 4, 5, 6, 7]),
        ("updelay=100", &[0, 1, 2, 3, 4, 5, 6, 7]),
        ("downdelay=100", &[0, 1, 2, 3, 4, 5, 6, 7]),
        ("use_carrier=1", &[0, 1, 2, 3, 4, 5, 6, 7]),
        ("arp_interval=100", &[0, 1, 2, 3]),
        ("arp_ip_target=10.0.0.1", &[0, 1, 2, 3]),
        ("arp_validate=all", &[1]),
        ("arp_all_targets=all", &[1]),
        ("arp_missed_max=3", &[0, 1, 2, 3]),
        ("primary=eth2", &[1, 5, 6]),
        ("primary_reselect=better", &[1, 5, 6]),
        ("fail_over_mac=active", &[1]),
        ("num_grat_arp=3", &[1]),
        ("peer_notif_delay=200", &[1]),
        ("resend_igmp=2", &[0, 1, 5, 6]),
        ("all_slaves_active=1", &[1, 4, 5, 6]),
        ("packets_per_slave=8", &[0]),
        ("tlb_dynamic_lb=0", &[5, 6]),
        ("lp_interval=2", &[5, 6]),
        ("lacp_rate=fast", &[4]),
        ("lacp_active=off", &[4]),
        ("ad_select=count", &[4]),
        ("ad_actor_sys_prio=1000", &[4]),
        ("ad_actor_system=02:00:00:00:51:01", &[4]),
        ("ad_user_port_key=7", &[4]),
        ("min_links=1", &[4]),
        ("xmit_hash_policy=layer3+4", &[2, 4, 5, 6]),
    ];
    for ((asked, modes), row) in wanted.into_iter().zip(&TABLE) {
        assert!(asked.starts_with(&format!("{}=", row.name)), "{asked} is not {}", row.name);
        for mode in BondMode::ALL {
            let said =
                options(asked).check(mode, 2).err().map(|e| e.to_string()).unwrap_or_default();
            let refused =
                said.starts_with(&format!("{asked} is not for mode {mode}: it belongs to "));
            assert_eq!(!refused, modes.contains(&mode.number()), "{asked} in mode {mode}: {said}");
        }
    }
}

#[test]
fn each_rule_has_its_sentence() {
    use BondMode::{ActiveBackup, BalanceAlb, BalanceRr, BalanceSlb, BalanceTlb, Ieee8023ad};
    for (mode, asked, sentence) in [
        (
            ActiveBackup,
            "miimon=100 lacp_rate=fast",
            "lacp_rate=fast is not for mode active-backup: it belongs to 802.3ad",
        ),
        (
            ActiveBackup,
            "miimon=100 arp_interval=500 arp_ip_target=10.0.0.1",
            "miimon=100 and arp_interval=500 exclude each other",
        ),
        (ActiveBackup, "miimon=0 arp_interval=500", "arp_interval=500 needs arp_ip_target"),
        (ActiveBackup, "miimon=0", "miimon=0 without arp_interval leaves the links unwatched"),
        (BalanceSlb, "miimon=0", "miimon=0 without arp_interval leaves the links unwatched"),
        (Ieee8023ad, "miimon=0", "miimon=0 is not for mode 802.3ad: it needs link monitoring"),
        (BalanceTlb, "miimon=0", "miimon=0 is not for mode balance-tlb"),
        (BalanceAlb, "miimon=0", "miimon=0 is not for mode balance-alb"),
        (ActiveBackup, "miimon=100 arp_ip_target=10.0.0.1", "arp_ip_target needs arp_interval"),
        (ActiveBackup, "miimon=100 arp_validate=all", "arp_validate needs arp_interval"),
        (
            BalanceRr,
            "miimon=0 arp_interval=500 arp_ip_target=10.0.0.1 updelay=100",
            "updelay=100 needs miimon",
        ),
        (
            BalanceRr,
            "miimon=0 arp_interval=500 arp_ip_target=10.0.0.1 downdelay=100",
            "downdelay=100 needs miimon",
        ),
        (
            ActiveBackup,
            "miimon=100 updelay=250",
            "updelay=250 is not a multiple of miimon=100: the driver would round it down to 200",
        ),
        (
            ActiveBackup,
            "miimon=120 downdelay=31000",
            "downdelay=31000 is not a multiple of miimon=120: the driver would round it down to 30960",
        ),
        (
            ActiveBackup,
            "miimon=100 peer_notif_delay=150",
            "peer_notif_delay=150 is not a multiple of miimon=100: the driver would round it down to 100",
        ),
        (
            ActiveBackup,
            "miimon=0 arp_interval=500 arp_ip_target=10.0.0.1 peer_notif_delay=500",
            "peer_notif_delay=500 needs miimon",
        ),
        (
            ActiveBackup,
            "miimon=100 peer_notif_delay=500 num_grat_arp=0",
            "peer_notif_delay=500 and num_grat_arp=0 exclude each other",
        ),
        (
            ActiveBackup,
            "arp_interval=500 arp_ip_target=10.0.0.1 arp_all_targets=all",
            "arp_all_targets=all needs arp_validate",
        ),
        (
            ActiveBackup,
            "arp_interval=500 arp_ip_target=10.0.0.1 arp_validate=none arp_all_targets=any",
            "arp_all_targets=any needs arp_validate",
        ),
        (ActiveBackup, "miimon=100 arp_missed_max=3", "arp_missed_max needs arp_interval"),
        (
            BalanceTlb,
            "miimon=100 xmit_hash_policy=layer3+4",
            "xmit_hash_policy=layer3+4 in mode balance-tlb needs tlb_dynamic_lb=0",
        ),
        (
            BalanceAlb,
            "miimon=100 xmit_hash_policy=layer2 tlb_dynamic_lb=1",
            "xmit_hash_policy=layer2 in mode balance-alb needs tlb_dynamic_lb=0",
        ),
        (ActiveBackup, "miimon=100 primary_reselect=better", "primary_reselect needs primary"),
        (Ieee8023ad, "miimon=100 min_links=3", "min_links=3 is more than the bond's 2 slaves"),
    ] {
        let error = options(asked).check(mode, 2).expect_err(asked).to_string();
        assert!(error.starts_with(sentence), "{asked}: {error}");
    }
}

#[test]
fn what_breaks_no_rule_is_taken() {
    use BondMode::{
        ActiveBackup, BalanceAlb, BalanceRr, BalanceSlb, BalanceTlb, BalanceXor, Ieee8023ad,
    };
    for (mode, asked) in [
        (ActiveBackup, "miimon=100"),
        (
            ActiveBackup,
            "miimon=100 updelay=31000 downdelay=200 use_carrier=1 primary=eth2 primary_reselect=failure fail_over_mac=follow num_grat_arp=0",
        ),
        (ActiveBackup, "miimon=100 updelay=0 downdelay=0"),
        (
            ActiveBackup,
            "miimon=0 updelay=0 arp_interval=500 arp_ip_target=10.0.0.1 arp_validate=filter",
        ),
        (ActiveBackup, "arp_interval=500 arp_ip_target=10.0.0.1"),
        (BalanceRr, "miimon=0 arp_interval=1 arp_ip_target=10.0.0.1"),
        (BalanceXor, "miimon=1 xmit_hash_policy=encap3+4"),
        (Ieee8023ad, "miimon=100 min_links=2 lacp_rate=fast ad_select=bandwidth"),
        (BalanceAlb, "miimon=100 primary=eth3"),
        (ActiveBackup, "miimon=100 num_grat_arp=5 peer_notif_delay=300 resend_igmp=0"),
        (ActiveBackup, "miimon=100 num_grat_arp=0 peer_notif_delay=0 all_slaves_active=1"),
        (
            ActiveBackup,
            "arp_interval=500 arp_ip_target=10.0.0.1 arp_validate=all arp_all_targets=all arp_missed_max=5",
        ),
        (BalanceRr, "miimon=100 packets_per_slave=0"),
        (BalanceTlb, "miimon=100 tlb_dynamic_lb=0 xmit_hash_policy=vlan+srcmac lp_interval=5"),
        (
            Ieee8023ad,
            "miimon=100 lacp_active=off ad_actor_sys_prio=1 ad_actor_system=02:00:00:00:51:01 ad_user_port_key=1023",
        ),
        (BalanceSlb, "miimon=100 updelay=31000 downdelay=200 use_carrier=1"),
    ] {
        options(asked).check(mode, 2).unwrap_or_else(|e| panic!("{asked}: {e}"));
    }
}

#[test]
fn two_ways_of_showing_a_value_are_one_in_normal_form() {
    for (name, shown, normal) in [
        ("lacp_rate", "fast 1", "fast"),
        ("xmit_hash_policy", "layer3+4 1\n", "layer3+4"),
        ("fail_over_mac", "", ""),
        ("miimon", "100\n", "100"),
        ("primary", "eth2\n", "eth2"),
        ("arp_ip_target", "10.0.0.2 10.0.0.1\n", "10.0.0.1,10.0.0.2"),
        ("arp_ip_target", "10.0.0.1,10.0.0.2", "10.0.0.1,10.0.0.2"),
        ("arp_ip_target", "", ""),
        ("lacp_active", "on 1", "on"),
        ("arp_all_targets", "all 1\n", "all"),
        ("ad_actor_system", "02:00:00:00:51:AB\n", "02:00:00:00:51:ab"),
    ] {
        assert_eq!(row(name).normal(shown), normal, "{name} {shown:?}");
    }
}

#[test]
fn options_read_back_from_json_and_refuse_what_no_option_takes() {
    for asked in [
        "",
        "miimon=100 updelay=200 primary=eth2 primary_reselect=better",
        "arp_interval=5 arp_ip_target=10.0.0.2,10.0.0.1",
        "lacp_rate=fast xmit_hash_policy=layer3+4 min_links=16",
        "ad_actor_system=02:00:00:00:51:01 lacp_active=off",
    ] {
        let asked = options(asked);
        let json = serde_json::to_string(&asked).unwrap();
        assert_eq!(serde_json::from_str::<Options>(&json).unwrap(), asked, "{json}");
    }
    for bad in [r#"{"nope":"1"}"#, r#"{"miimon":"x"}"#, r#"{"primary":"a b"}"#] {
        assert!(serde_json::from_str::<Options>(bad).is_err(), "{bad}");
    }
}

#[test]
fn the_switch_must_be_told_of_the_modes_that_share_its_ports() {
    let told: Vec<u8> = BondMode::ALL
        .iter()
        .filter(|m| switch_support(**m).is_some())
        .map(|m| m.number())
        .collect();
    assert_eq!(told, [0, 2, 3, 4]);
    assert!(switch_support(BondMode::Ieee8023ad).unwrap().contains("LACP group"));
    assert!(switch_support(BondMode::BalanceXor).unwrap().contains("without LACP"));
}

#[test]
fn the_lacp_system_is_a_station() {
    let row = row("ad_actor_system");
    let parsed = |text: &str| row.parse(text).map(|value| value.to_string());
    assert_eq!(parsed("00:1B:21:AA:bb:01").unwrap(), "00:1b:21:aa:bb:01");
    for bad in
        ["00:00:00:00:00:00", "01:80:c2:00:00:02", "ff:ff:ff:ff:ff:ff", "eth2", "", "1 mode=0"]
    {
        let error = parsed(bad).expect_err(bad).to_string();
        assert!(error.contains("it takes the MAC address of one station"), "{error}");
    }
}

#[test]
fn what_not_every_driver_knows_is_told() {
    // bond_options.c and bond_main.c at each release (tests/ground/options.md, A1).
    let all: Vec<String> =
        Young::all().map(|y| format!("{y} {}.{}", y.since.0, y.since.1)).collect();
    assert_eq!(
        all,
        [
            "arp_validate=filter 3.15",
            "arp_validate=filter_active 3.15",
            "arp_validate=filter_backup 3.15",
            "arp_all_targets 3.11",
            "arp_missed_max 5.17",
            "peer_notif_delay 5.3",
            "packets_per_slave 3.14",
            "tlb_dynamic_lb 3.16",
            "lp_interval 3.13",
            "lacp_active 5.15",
            "ad_actor_sys_prio 4.2",
            "ad_actor_system 4.2",
            "ad_user_port_key 4.2",
            "xmit_hash_policy=encap2+3 3.12",
            "xmit_hash_policy=encap3+4 3.12",
            "xmit_hash_policy=vlan+srcmac 5.12",
        ]
    );
    let young = |asked: &str| -> Vec<String> {
        options(asked).young().map(|young| young.to_string()).collect()
    };
    assert!(young("miimon=100 primary=eth2 xmit_hash_policy=layer2 arp_validate=all").is_empty());
    assert_eq!(
        young("xmit_hash_policy=vlan+srcmac lp_interval=3"),
        ["lp_interval", "xmit_hash_policy=vlan+srcmac"]
    );
}

#[test]
fn the_module_is_given_its_parameters_and_no_other_option() {
    let lacp = options("lacp_rate=fast lacp_active=off ad_actor_sys_prio=7 min_links=1");
    assert_eq!(
        lacp.parameters(BondMode::Ieee8023ad),
        ["mode=802.3ad", "lacp_rate=fast", "min_links=1"]
    );
    assert_eq!(lacp.words(BondMode::Ieee8023ad).len(), 5);
    let none: Vec<&str> = TABLE.iter().filter(|row| !row.parameter).map(|row| row.name).collect();
    let files = [
        "arp_missed_max",
        "peer_notif_delay",
        "tlb_dynamic_lb",
        "lacp_active",
        "ad_actor_sys_prio",
        "ad_actor_system",
        "ad_user_port_key",
    ];
    assert_eq!(none, files);
}

#[test]
fn what_stands_elsewhere_is_no_option_of_the_table() {
    for (name, why) in ELSEWHERE {
        assert_eq!(Opt::named(name), None, "{name}");
        assert!(!why.is_empty() && !why.ends_with('.'), "{name}: {why}");
    }
}
