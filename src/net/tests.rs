//! Each word of the network: what is one, what is none, and that its text reads back.

use std::fmt::{Debug, Display};

use proptest::prelude::*;

use super::*;
use crate::spec::{NicRef, Probe};

/// Reads the text as a `T`; what it shows is read again and must be the same.
fn round<T>(text: &str) -> Result<T>
where
    T: FromStr<Err = anyhow::Error> + Display + PartialEq + Debug,
{
    let value: T = text.parse()?;
    let shown = value.to_string();
    let again: T = shown.parse().unwrap_or_else(|e| panic!("`{text}` shows `{shown}`: {e}"));
    assert_eq!(again, value, "`{text}` shows `{shown}`");
    Ok(value)
}

#[track_caller]
fn refuses<T: FromStr<Err = anyhow::Error> + Debug>(texts: &[&str], sentence: &str) {
    for text in texts {
        let error = text.parse::<T>().expect_err(text).to_string();
        assert!(error.contains(sentence), "{text:?}: {error}");
        assert!(!error.contains(['\n', '\r', '\t', '\0']), "{error:?} is not one clean line");
    }
}

fn net(text: &str) -> Ipv4Net {
    text.parse().unwrap()
}

#[test]
fn takes_device_names_that_mean_nothing_to_a_shell() {
    for text in ["a", "eth0", "bond51", "enp3s0f0np0", "p1p1_1", "Storage", "abcdefghijklmno"] {
        assert_eq!(round::<IfName>(text).unwrap().as_str(), text);
    }
}

#[test]
fn refuses_device_names_that_kernel_shell_or_boot_scripts_read_otherwise() {
    refuses::<IfName>(&[""], "is empty");
    refuses::<IfName>(&["abcdefghijklmnop"], "has 16 characters, the kernel takes 15");
    refuses::<IfName>(
        &[
            "1eth", "_eth", "-eth", ".", "..", "eth.30", "eth-2", "eth0:1", "a/b", "eth 0",
            " eth0", "eth0 ", "eth0\n", "eth0\r", "a\tb", "a\0", "eth$", "$(id)", "`id`", "a;b",
            "a&b", "a|b", "a>b", "a*", "a?", "a[0]", "a'b", "a\"b", "a\\", "a#b", "a=b", "ä",
            "éth0",
        ],
        "it must be a letter",
    );
    refuses::<IfName>(&["all", "default", "lo"], "the kernel uses it itself");
}

#[test]
fn takes_unicast_macs_in_either_case_and_shows_them_in_lower_case() {
    for (text, shown) in [
        ("00:1b:21:aa:bb:05", "00:1b:21:aa:bb:05"),
        ("00:1B:21:AA:BB:05", "00:1b:21:aa:bb:05"),
        ("02:00:00:00:00:00", "02:00:00:00:00:00"),
        ("fe:ff:ff:ff:ff:ff", "fe:ff:ff:ff:ff:ff"),
    ] {
        assert_eq!(round::<MacAddr>(text).unwrap().to_string(), shown);
    }
}

#[test]
fn refuses_what_is_no_mac_of_a_nic() {
    refuses::<MacAddr>(
        &[
            "",
            ":",
            "::::::",
            "00:1b:21:aa:bb",
            "00:1b:21:aa:bb:",
            "00-1b-21-aa-bb-05",
            "001b21aabb05",
            "0:1b:21:aa:bb:5",
            "000:1b:21:aa:bb:5",
            "00:1b:21:aa:bb:0g",
            "00:1b:21:aa:bb:+5",
            " 00:1b:21:aa:bb:05",
            "00:1b:21:aa:bb:05\n",
            "00:1b:21:aa:bb:é",
        ],
        "is not a valid MAC address (",
    );
    refuses::<MacAddr>(&["00:1b:21:aa:bb:05:06", "00:1b:21:aa:bb:05:"], "more than six parts");
    refuses::<MacAddr>(
        &["00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01", "03:00:00:00:00:00"],
        "zero or a group address",
    );
}

#[test]
fn takes_uuids_and_shows_them_in_lower_case() {
    for text in ["6f1b3c2a-0d5e-4f8a-9b7c-1a2b3c4d5e6f", "6F1B3C2A-0D5E-4F8A-9B7C-1A2B3C4D5E6F"] {
        assert_eq!(
            round::<Uuid>(text).unwrap().to_string(),
            "6f1b3c2a-0d5e-4f8a-9b7c-1a2b3c4d5e6f"
        );
    }
    refuses::<Uuid>(
        &[
            "",
            "6f1b3c2a0d5e4f8a9b7c1a2b3c4d5e6f",
            "6f1b3c2a-0d5e-4f8a-9b7c-1a2b3c4d5e6",
            "6f1b3c2a-0d5e-4f8a-9b7c-1a2b3c4d5e6fa",
            "6f1b3c2a-0d5e-4f8a-9b7c-1a2b3c4d5e6g",
            "6f1b3c2a00d5e-4f8a-9b7c-1a2b3c4d5e6f",
            "<not in database>",
            "OpaqueRef:NULL",
            "{f1b3c2a-0d5e-4f8a-9b7c-1a2b3c4d5e6}",
        ],
        "is not a valid uuid",
    );
}

#[test]
fn takes_host_names_with_dots_and_dashes() {
    let longest = "x".repeat(64);
    for text in ["xen01", "xen-01.storage.example", "1a", "XEN_01", longest.as_str()] {
        assert_eq!(round::<HostName>(text).unwrap().as_str(), text);
    }
    let too_long = "x".repeat(65);
    refuses::<HostName>(
        &["", ".xen", "-xen", "_xen", "xen 01", "xen01\n", "xen/1", "xen;1", "höst", &too_long],
        "is not a valid host name",
    );
}

#[test]
fn takes_modes_by_name_and_by_number() {
    let names = [
        "balance-rr",
        "active-backup",
        "balance-xor",
        "broadcast",
        "802.3ad",
        "balance-tlb",
        "balance-alb",
        "balance-slb",
    ];
    for (number, name) in (0u8..).zip(names) {
        let mode = round::<BondMode>(name).unwrap();
        assert_eq!(mode, BondMode::ALL[usize::from(number)]);
        assert_eq!((mode.number(), mode.name()), (number, name));
        assert_eq!(number.to_string().parse::<BondMode>().unwrap(), mode);
    }
    refuses::<BondMode>(
        &[
            "",
            "8",
            "01",
            "+1",
            " 1",
            "-1",
            "Active-Backup",
            "active_backup",
            "lacp",
            "balance-rr\n",
        ],
        "is not a valid bonding mode; the modes are balance-rr (0), active-backup (1)",
    );
}

#[test]
fn the_mode_that_was_likely_meant_is_named() {
    for (text, likely) in [
        ("lacp", "802.3ad"),
        ("active_backup", "active-backup"),
        ("Active-Backup", "active-backup"),
        ("balance-arp", "balance-rr"),
        ("slb", "balance-slb"),
    ] {
        let said = text.parse::<BondMode>().unwrap_err().to_string();
        assert!(said.ends_with(&format!("; did you mean {likely}?")), "{said}");
    }
    assert!(!"8".parse::<BondMode>().unwrap_err().to_string().contains("did you mean"));
}

#[test]
fn proc_words_tell_each_mode() {
    let words: std::collections::BTreeSet<&str> =
        BondMode::ALL.iter().map(|m| m.proc_words()).collect();
    assert_eq!(words.len(), BondMode::ALL.len());
    let active: Vec<u8> =
        BondMode::ALL.iter().filter(|m| m.has_active_slave()).map(|m| m.number()).collect();
    assert_eq!(active, [1, 5, 6]);
}

#[test]
fn takes_addresses_with_a_prefix() {
    for (text, mask, subnet) in [
        ("172.16.51.11/24", "255.255.255.0", "172.16.51.0/24"),
        ("172.16.51.11/31", "255.255.255.254", "172.16.51.10/31"),
        ("172.16.51.11/32", "255.255.255.255", "172.16.51.11/32"),
        ("10.20.30.40/9", "255.128.0.0", "10.0.0.0/9"),
        ("0.0.0.0/0", "0.0.0.0", "0.0.0.0/0"),
        ("255.255.255.255/0", "0.0.0.0", "0.0.0.0/0"),
    ] {
        let net = round::<Ipv4Net>(text).unwrap();
        assert_eq!(net.to_string(), text);
        assert_eq!(net.netmask().to_string(), mask);
        assert_eq!(net.subnet().to_string(), subnet);
        assert!(net.subnet().contains(net.addr));
    }
    refuses::<Ipv4Net>(
        &[
            "",
            "/",
            "172.16.51.11",
            "172.16.51.11/",
            "/24",
            "172.16.51.11/33",
            "172.16.51.11/024",
            "172.16.51.11/-1",
            "172.16.51.11/+1",
            "172.16.51.11/ 24",
            " 172.16.51.11/24",
            "172.16.51.11/24 ",
            "172.16.51.11/24/24",
            "172.16.51/24",
            "172.16.51.256/24",
            "172.16.051.11/24",
            "172.16.51.11/255.255.255.0",
            "fe80::1/64",
            "xen01/24",
            "172.16.51.11/4294967320",
        ],
        "is not a valid IPv4 address with prefix",
    );
}

#[test]
fn every_prefix_is_its_netmask_and_no_mask_with_holes_is_one() {
    let addr = Ipv4Addr::new(172, 16, 51, 11);
    for prefix in 0..=32 {
        let net = Ipv4Net { addr, prefix };
        assert_eq!(Ipv4Net::with_netmask(addr, net.netmask()).unwrap(), net);
    }
    for mask in ["255.0.255.0", "0.255.255.255", "255.255.255.1", "0.0.0.1", "128.0.0.1"] {
        let error = Ipv4Net::with_netmask(addr, mask.parse().unwrap()).expect_err(mask);
        assert!(error.to_string().contains("has holes"), "{error}");
    }
}

#[test]
fn tells_whose_address_a_host_may_have() {
    for good in [
        "172.16.51.11/24",
        "10.0.0.1/8",
        "10.0.0.0/31",
        "10.0.0.1/31",
        "10.1.0.0/8",
        "10.0.0.255/16",
        "192.168.1.253/30",
        "100.64.0.1/10",
        "223.255.255.254/24",
    ] {
        net(good).check_host().unwrap_or_else(|e| panic!("{good}: {e}"));
    }
    let reserved = "is not for a host: it is from a loopback, link-local, multicast or reserved";
    for (bad, sentence) in [
        ("127.0.0.1/8", reserved),
        ("169.254.1.1/16", reserved),
        ("224.0.0.1/24", reserved),
        ("239.1.1.1/24", reserved),
        ("240.0.0.1/24", reserved),
        ("255.255.255.255/24", reserved),
        ("0.0.0.0/24", reserved),
        ("0.1.2.3/24", reserved),
        ("10.0.0.1/7", "needs a prefix of 8 to 31"),
        ("10.0.0.1/0", "needs a prefix of 8 to 31"),
        ("172.16.51.11/32", "needs a prefix of 8 to 31"),
        ("172.16.51.0/24", "is not that of a host: it is the network address of 172.16.51.0/24"),
        ("10.0.0.0/8", "it is the network address of 10.0.0.0/8"),
        ("172.16.51.255/24", "it is the broadcast address of 172.16.51.0/24"),
        ("192.168.1.3/30", "it is the broadcast address of 192.168.1.0/30"),
    ] {
        let error = net(bad).check_host().expect_err(bad).to_string();
        assert!(error.contains(sentence), "{bad}: {error}");
    }
}

#[test]
fn tells_which_subnets_share_an_address() {
    for (a, b, shared) in [
        ("172.16.51.11/24", "172.16.51.99/24", true),
        ("172.16.51.11/24", "172.16.51.200/25", true),
        ("172.16.51.11/25", "172.16.51.200/25", false),
        ("172.16.51.11/24", "172.16.52.11/24", false),
        ("172.16.51.11/24", "172.16.0.0/16", true),
        ("172.16.51.11/24", "0.0.0.0/0", true),
        ("172.16.51.11/24", "172.16.51.0/32", true),
        ("10.0.0.0/31", "10.0.0.2/31", false),
    ] {
        assert_eq!(net(a).overlaps(net(b)), shared, "{a} and {b}");
        assert_eq!(net(b).overlaps(net(a)), shared, "{b} and {a}");
    }
    assert!(net("172.16.51.11/24").contains(Ipv4Addr::new(172, 16, 51, 255)));
    assert!(!net("172.16.51.11/24").contains(Ipv4Addr::new(172, 16, 52, 0)));
}

#[test]
fn reads_plain_decimal_numbers_only() {
    for (text, number) in [("0", 0), ("1", 1), ("100", 100), ("4294967295", u32::MAX)] {
        assert_eq!(decimal(text), Some(number));
    }
    for text in ["", "00", "01", "+1", "-1", " 1", "1 ", "1.0", "1e3", "0x10", "4294967296", "١"] {
        assert_eq!(decimal(text), None, "{text:?}");
    }
}

#[test]
fn json_lets_nothing_in_that_text_does_not() {
    assert_eq!(serde_json::to_string(&net("172.16.51.11/24")).unwrap(), "\"172.16.51.11/24\"");
    assert_eq!(serde_json::from_str::<BondMode>("\"1\"").unwrap(), BondMode::ActiveBackup);
    assert_eq!(serde_json::to_string(&BondMode::ActiveBackup).unwrap(), "\"active-backup\"");
    assert!(serde_json::from_str::<IfName>("\"a;b\"").is_err());
    assert!(serde_json::from_str::<MacAddr>("\"ff:ff:ff:ff:ff:ff\"").is_err());
    assert!(serde_json::from_str::<Uuid>("\"x\"").is_err());
    assert!(serde_json::from_str::<HostName>("\"a b\"").is_err());
    assert!(serde_json::from_str::<Ipv4Net>("\"172.16.51.11\"").is_err());
}

/// Any text, with those that come near to a value among them.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,20}",
        "[0-9a-fA-F:.]{0,20}",
        "[0-9./]{0,20}",
        "[0-9a-f-]{36}",
        "([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}",
        "[0-9]{1,3}(\\.[0-9]{1,3}){3}/[0-9]{1,2}",
        "[0-9]{1,3}(\\.[0-9]{1,3}){3}:[0-9]{1,6}",
        "[ \t\r\n\0$`;|&<>'\"\\\\a]{0,6}",
        "[a-z][a-z0-9_]{0,16}",
        any::<String>(),
    ]
}

proptest! {
    #[test]
    fn never_panics_and_what_is_taken_reads_back(text in text()) {
        let names = [
            round::<IfName>(&text).map(|v| v.to_string()),
            round::<HostName>(&text).map(|v| v.to_string()),
            round::<Uuid>(&text).map(|v| v.to_string()),
            round::<MacAddr>(&text).map(|v| v.to_string()),
            round::<BondMode>(&text).map(|v| v.to_string()),
            round::<Ipv4Net>(&text).map(|v| v.to_string()),
            round::<NicRef>(&text).map(|v| v.to_string()),
            round::<Probe>(&text).map(|v| v.to_string()),
        ];
        for shown in names.into_iter().flatten() {
            let harmless = |c: char| c.is_ascii_alphanumeric() || "._-:/".contains(c);
            prop_assert!(shown.chars().all(harmless), "{shown:?} from {text:?}");
        }
    }

    #[test]
    fn every_address_lies_in_its_subnet_and_overlap_is_mutual(
        (a, p, b, q) in (any::<u32>(), 0u8..=32, any::<u32>(), 0u8..=32),
    ) {
        let (a, b) = (Ipv4Net { addr: a.into(), prefix: p }, Ipv4Net { addr: b.into(), prefix: q });
        prop_assert!(a.contains(a.addr) && a.overlaps(a) && a.subnet().subnet() == a.subnet());
        prop_assert_eq!(a.overlaps(b), b.overlaps(a));
        prop_assert_eq!(a.overlaps(b), a.subnet().overlaps(b.subnet()));
        prop_assert_eq!(round::<Ipv4Net>(&a.to_string()).unwrap(), a);
        let _ = a.check_host();
    }
}
