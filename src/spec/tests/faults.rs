//! What is refused, by whose words, and where.

use super::*;
use crate::outcome::Hint;

#[test]
fn a_key_is_named_with_its_file_and_section() {
    let said = refused(&small("mtu=9k"), &[]);
    assert!(said.starts_with("pool.ini: [bond] mtu: `9k` is not a valid MTU"), "{said}");
    let said = refused(&POOL.replace(".12/24", ".12"), &[]);
    assert!(
        said.starts_with("pool.ini: [addresses] xen02: `172.16.51.12` is not a valid IPv4"),
        "{said}"
    );
    let said = refused(&POOL.replace("eth4, ", "eth/4, "), &[]);
    assert!(
        said.starts_with("pool.ini: [nics xen02] nics: `eth/4` is not a valid device name"),
        "{said}"
    );
}

#[test]
fn an_unknown_key_names_the_nearest_one() {
    for (key, nearest) in [
        ("mimon", "miimon"),
        ("nic", "nics"),
        ("bond", "mode"),
        ("adress", "address"),
        ("arp_ip_targets", "arp_ip_target"),
        ("Mode", "mode"),
        ("upd-elay", "updelay"),
        ("probe", "probes"),
        ("lacp", "lacp_rate"),
        ("primary_", "primary_reselect"),
    ] {
        let said = refused(&small(&format!("{key}=1")), &[]);
        let want = format!("pool.ini: [bond] {key}: unknown key; did you mean `");
        assert!(said.starts_with(&want), "{said}");
        if key != "bond" {
            assert!(said.ends_with(&format!("`{nearest}`?")), "{said}");
        }
    }
    let said = refused(&POOL.replace("nics = eth4", "nic = eth4"), &[]);
    assert_eq!(
        said,
        "pool.ini: [nics xen02] nic: unknown key; this section has only `nics`, and [bond HOST] has every key"
    );
    let said = refused(&POOL.replace("[nics xen02]\nnics", "[bond xen02]\nnic"), &[]);
    assert_eq!(said, "pool.ini: [bond xen02] nic: unknown key; did you mean `nics`?");
}

#[test]
fn an_unknown_section_names_those_that_there_are() {
    for section in ["bonds", "Bond", "address", "nics", "nicsxen01", "nics\txen01", "", "bond "] {
        let said = refused(&format!("{}[{section}]\nx=1\n", small("")), &[]);
        let known = "sections are [bond], [bond HOST], [addresses] and [vlan TAG]";
        let twice = "section [bond ] given twice";
        assert!(said.ends_with(known) || (section == "bond " && said.ends_with(twice)), "{said}");
    }
}

#[test]
fn nothing_may_stand_twice() {
    for (file, sentence) in [
        (small("mode=1\nmode=4"), "pool.ini: [bond] mode: key given twice"),
        (small("[bond]\nmode=1"), "pool.ini, line 5: section [bond] given twice"),
        (small("[ bond ]\nmode=1"), "given twice"),
        (POOL.replace("xen02 =", "xen01 ="), "pool.ini: [addresses] xen01: key given twice"),
        (POOL.to_string() + "nics = eth2, eth3\n", "[nics xen02] nics: key given twice"),
        (
            POOL.to_string() + "[nics xen02]\nnics = eth2, eth3\n",
            "section [nics xen02] given twice",
        ),
        (POOL.replace(".12/", ".11/"), "address 172.16.51.11 is also that of xen01"),
        (small("[addresses]\nxen01=172.16.51.12/24"), "exclude each other"),
        (POOL.replace("eth4, ", "00:1B:21:AA:BB:05, "), "NIC 00:1b:21:aa:bb:05 is named twice"),
        (small("").replace("eth3", "eth2"), "NIC eth2 is named twice"),
        (
            POOL.to_string() + "[bond xen02]\nnics = eth2, eth3\n",
            "[bond xen02] nics: pool.ini: [nics xen02] nics says it for this host already",
        ),
        (
            POOL.to_string() + "[bond xen02]\naddress = 172.16.51.9/24\n",
            "xen02 has an address in its own section and one in [addresses]",
        ),
    ] {
        let said = refused(&file, &[]);
        assert!(said.contains(sentence), "{said}");
    }
}

#[test]
fn a_host_has_one_section_however_its_blanks_are_written() {
    let twice = POOL.to_string() + "[nics  xen02]\nnics = eth2, eth3\n";
    assert!(refused(&twice, &[]).contains("twice"));
}

#[test]
fn what_is_missing_is_said() {
    for (drop, sentence) in [
        ("bond", "the bond has no name: give --bond NAME"),
        ("nic", "the bond has no slaves: give --nic DEVICE_OR_MAC twice"),
        ("address", "the bond has no address: give --address IP/PREFIX"),
    ] {
        let flags: Vec<_> = FLAGS.into_iter().filter(|(flag, _)| *flag != drop).collect();
        let said = refused("", &flags);
        assert!(said.starts_with(sentence), "{said}");
    }
    assert!(refused("", &[]).starts_with("the bond has no name"));
    let only_mask = [("bond", "bond51"), ("nic", "eth2,eth3"), ("netmask", "255.255.255.0")];
    assert_eq!(refused("", &only_mask), "a netmask was given without an address");
}

#[test]
fn faults_of_the_slaves_are_found_without_a_host() {
    for (file, sentence) in [
        (
            small("").replace("eth2,eth3", "eth2"),
            "a bond needs two NICs or more, and eth2 is the only",
        ),
        (small("").replace("eth2,eth3", "eth2,bond51"), "NIC bond51 has the bond's own name"),
        (small("primary=eth4"), "primary eth4 is not a slave of bond51"),
        (small("mode=4\nmin_links=3"), "min_links=3 is more than the bond's 2 slaves"),
        (small("updelay=150"), "updelay=150 is not a multiple of miimon=100"),
        (small("miimon=0"), "miimon=0 without arp_interval"),
        (small("lacp_rate=fast"), "lacp_rate=fast is not for mode active-backup"),
        (POOL.replace("eth4, ", ""), "a bond needs two NICs or more"),
        (
            POOL.replace("miimon = 100", "primary = eth2")
                .replace("eth4, 00:1b:21:aa:bb:05", "eth4,eth5"),
            "for xen02: primary eth2 is not a slave",
        ),
        (
            small("arp_interval=500\narp_ip_target=10.0.0.1"),
            "arp_ip_target 10.0.0.1 is not another host of 172.16.51.0/24",
        ),
        (small("arp_interval=500\narp_ip_target=172.16.51.11"), "is not another host of"),
    ] {
        let said = refused(&file, &[]);
        assert!(said.contains(sentence), "{said}");
    }
    // A MAC may be the primary's: only the host tells.
    let by_mac = small("primary=eth4").replace("eth3", "00:1b:21:aa:bb:05");
    assert_eq!(here(&by_mac, &[]).options.primary().unwrap().to_string(), "eth4");
}

#[test]
fn targets_must_be_near_to_every_host_of_the_pool() {
    let arp = POOL.replace("miimon = 100", "arp_interval = 500\narp_ip_target = 172.16.51.2");
    request(&arp, &[]).unwrap();
    let said = refused(&arp.replace("51.12/24", "52.12/24"), &[]);
    assert!(said.contains("172.16.51.2 is not another host of 172.16.52.0/24"), "{said}");
}

#[test]
fn an_mtu_is_a_number_that_a_device_can_have() {
    for good in ["68", "1500", "9000", "65535"] {
        assert_eq!(here(&small(&format!("mtu={good}")), &[]).mtu, good.parse().ok());
    }
    for bad in ["", "0", "67", "65536", "0x100", "-1", "+9000"] {
        let said = refused(&small(&format!("mtu={bad}")), &[]);
        assert!(
            said.contains("is not a valid MTU: it must be a whole number from 68 to 65535"),
            "{said}"
        );
    }
}

#[test]
fn probes_are_addresses_with_or_without_a_port() {
    let spec = here(&small("probes = 172.16.51.2:2049 , 172.16.51.3"), &[]);
    let all: Vec<String> = spec.probes.iter().map(ToString::to_string).collect();
    assert_eq!(all, ["172.16.51.2:2049", "172.16.51.3"]);
    for bad in [
        "nas",
        "172.16.51.2:",
        "172.16.51.2:0",
        "172.16.51.2:65536",
        "172.16.51.2:nfs",
        ":2049",
        "172.16.51.2:1:2",
        "172.16.51.2:01",
    ] {
        assert!(
            refused(&small(&format!("probes={bad}")), &[]).contains("is not a valid probe"),
            "{bad}"
        );
    }
    assert!(refused(&small("probes="), &[]).contains("has an empty probe in it"));
}

#[test]
fn an_optional_probe_is_asked_beside_the_others() {
    let spec =
        here(&small("probes=172.16.51.2\noptional-probes=172.16.51.3:2049, 172.16.51.4"), &[]);
    let all: Vec<String> = spec.optional_probes.iter().map(ToString::to_string).collect();
    assert_eq!(all, ["172.16.51.3:2049", "172.16.51.4"]);
    assert_eq!(spec.servers().map(|a| a.octets()[3]).collect::<Vec<_>>(), [2, 3, 4]);
    let by_flag =
        here(&small("optional_probes=172.16.51.9"), &[("optional-probes", "172.16.51.3")]);
    assert_eq!(by_flag.optional_probes, ["172.16.51.3".parse().unwrap()]);
    let said = refused(&small("probes=172.16.51.2\noptional_probes=172.16.51.2"), &[]);
    assert!(
        said.starts_with("172.16.51.2 is a probe that must answer and one that need not"),
        "{said}"
    );
}

#[test]
fn a_server_that_the_bond_does_not_reach_is_no_probe() {
    for (key, server, hint) in [
        ("probes", "172.16.52.2:2049", Some("172.16.51.11/21 holds both")),
        ("optional_probes", "172.16.52.2", Some("172.16.51.11/21 holds both")),
        ("probes", "10.99.0.7", None),
    ] {
        let said = request(&small(&format!("{key}={server}")), &[]).unwrap_err();
        let whole = format!("{said:#}");
        assert!(whole.contains("is not in 172.16.51.0/24, the subnet of bond51"), "{whole}");
        let given = said.downcast_ref::<Hint>().map(|hint| hint.0.clone()).unwrap_or_default();
        assert_eq!(given, hint.map(|h| format!("is the netmask right? {h}")).unwrap_or_default());
    }
    // Every host of the pool is asked for, not the first alone.
    let said = refused(&POOL.replace("51.12/24", "52.12/24"), &[]);
    assert!(said.contains("172.16.51.2 is not in 172.16.52.0/24"), "{said}");
}

#[test]
fn netmask_and_prefix_exclude_each_other() {
    let said = refused(&small("netmask=255.255.255.0"), &[]);
    assert!(said.contains("has a prefix, and a netmask was given as well"), "{said}");
    let said = refused(&small("netmask=255.0.255.0").replace("/24", ""), &[]);
    assert!(said.contains("has holes"), "{said}");
    let said = refused(&small("netmask=/24").replace("/24", ""), &[]);
    assert!(said.contains("is not a valid netmask (255.255.255.0)"), "{said}");
}

#[test]
fn a_host_must_be_named_once() {
    let pool = request(POOL, &[]).unwrap();
    let said = pool.for_host(&names(&["xen09", "rack7-9"])).unwrap_err().to_string();
    assert_eq!(
        said,
        "[addresses] has no address for this host, which is xen09 or rack7-9; it has xen01, xen02 (names are compared without regard to case, and by what is before the dot)"
    );
    let said = pool.for_host(&names(&["xen01", "xen02"])).unwrap_err().to_string();
    assert_eq!(said, "[addresses] names this host twice, as xen01 and as xen02");
    assert!(pool.for_host(&[]).is_err());
}

#[test]
fn a_host_without_any_nics_is_refused() {
    let pool = request(&POOL.replace("nics = eth2, eth3\n", ""), &[]).unwrap();
    assert_eq!(shown(&pool.for_host(&names(&["xen02"])).unwrap().nics), "eth4 00:1b:21:aa:bb:05");
    let said = pool.for_host(&names(&["xen01"])).unwrap_err().to_string();
    assert!(said.starts_with("the spec names no NICs for this host"), "{said}");
}

#[test]
fn a_host_that_two_nics_sections_name_is_refused() {
    let twice = "[bond]\nname=bond51\naddress=172.16.51.11/24\n[nics xen02]\nnics=eth4,eth5\n[nics xen02.example]\nnics = eth2, eth5\n";
    let pool = request(twice, &[]).unwrap();
    assert!(pool.for_host(&names(&["xen02", "xen02.example"])).is_err());
}

#[test]
fn a_nics_section_of_a_host_without_an_address_is_refused() {
    let said = refused(&POOL.replace("[nics xen02]", "[nics xen20]"), &[]);
    assert!(said.contains("xen20"), "{said}");
}

#[test]
fn a_request_for_one_host_is_its_spec() {
    let spec = here(POOL, &[]);
    let again = Request::of(spec.clone());
    assert_eq!(again.for_host(&names(&["anything"])).unwrap(), spec);
    assert_eq!(again.by_host(), [(None, spec)]);
}

// The traps of rust-ini, each closed.
