//! Flags and files: what they mean, which wins, and what is refused with which sentence.

use proptest::prelude::*;

use std::collections::BTreeSet;

use super::*;
use crate::options::Opt;

/// The usual spec, with other keys of [bond] where given: for the tests of what works on specs.
pub(crate) fn usual(other: &[(&'static str, &str)]) -> Spec {
    let mut raw = Raw::default();
    for (key, value) in [("name", "bond51"), ("nics", "eth2,eth3"), ("address", "172.16.51.11/24")]
        .iter()
        .chain(other)
    {
        raw.flag(key, key, (*value).to_string());
    }
    raw.finish().unwrap().for_host(&[]).unwrap()
}

const POOL: &str = "\
[bond]
name = bond51
nics = eth2, eth3
mode = active-backup
miimon = 100
mtu = 9000
probes = 172.16.51.2:2049

[addresses]
xen01 = 172.16.51.11/24
xen02 = 172.16.51.12/24

; where a host differs
[nics xen02]
nics = eth4, 00:1b:21:aa:bb:05
";

/// The request of a file and flags, both of which are given as the spec file's keys.
fn request(file: &str, flags: &[(&'static str, &str)]) -> Result<Request> {
    let mut raw = Raw::default();
    if !file.is_empty() {
        raw.file("pool.ini", file)?;
    }
    for (flag, text) in flags {
        let key = match *flag {
            "bond" => "name".into(),
            "nic" => "nics".into(),
            other => other.replace('-', "_"),
        };
        raw.flag(flag, &key, (*text).to_string());
    }
    raw.finish()
}

fn names(all: &[&str]) -> Vec<String> {
    all.iter().map(|n| (*n).to_string()).collect()
}

fn here(file: &str, flags: &[(&'static str, &str)]) -> Spec {
    request(file, flags).unwrap().for_host(&names(&["xen01"])).unwrap()
}

fn shown(nics: &[NicRef]) -> String {
    nics.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// The smallest spec, with `more` in [bond].
fn small(more: &str) -> String {
    format!("[bond]\nname=bond51\nnics=eth2,eth3\naddress=172.16.51.11/24\n{more}\n")
}

#[track_caller]
fn refused(file: &str, flags: &[(&'static str, &str)]) -> String {
    format!("{:#}", request(file, flags).expect_err("it must be refused"))
}

const FLAGS: [(&str, &str); 3] =
    [("bond", "bond51"), ("nic", "eth2,eth3"), ("address", "172.16.51.11/24")];

#[test]
fn the_smallest_spec_has_the_defaults() {
    let spec = here("", &FLAGS);
    assert_eq!(spec.bond.as_str(), "bond51");
    assert_eq!(shown(&spec.nics), "eth2 eth3");
    assert_eq!(spec.mode, BondMode::ActiveBackup);
    assert_eq!(spec.options.words(spec.mode), ["mode=active-backup", "miimon=100"]);
    assert_eq!(spec.address.to_string(), "172.16.51.11/24");
    assert_eq!((spec.mtu, spec.probes.len()), (None, 0));
    assert_eq!((spec.backend, spec.pif), (BackendChoice::Bridge, PifChoice::Auto));
    assert_eq!(here(&small(""), &[]), spec);
}

#[test]
fn one_file_serves_a_pool() {
    let pool = request(POOL, &[]).unwrap();
    let one = pool.for_host(&names(&["xen01"])).unwrap();
    assert_eq!(one.address.to_string(), "172.16.51.11/24");
    assert_eq!(shown(&one.nics), "eth2 eth3");
    assert_eq!(one.mtu, Some(9000));
    assert_eq!(one.probes, ["172.16.51.2:2049".parse().unwrap()]);
    let two = pool.for_host(&names(&["localhost", "xen02"])).unwrap();
    assert_eq!(two.address.to_string(), "172.16.51.12/24");
    assert_eq!(shown(&two.nics), "eth4 00:1b:21:aa:bb:05");
    assert_eq!(shown(&pool.nics()), "eth2 eth3 eth4 00:1b:21:aa:bb:05");
    assert_eq!((pool.bond().as_str(), pool.mode()), ("bond51", BondMode::ActiveBackup));
    let hosts: Vec<String> = pool
        .by_host()
        .iter()
        .map(|(h, s)| format!("{} {}", h.as_ref().unwrap(), s.address))
        .collect();
    assert_eq!(hosts, ["xen01 172.16.51.11/24", "xen02 172.16.51.12/24"]);
}

#[test]
fn every_key_may_be_written_with_dashes_too() {
    let a = small("primary=eth2\nprimary_reselect=better\nfail_over_mac=active\nnum_grat_arp=2");
    assert_eq!(here(&a, &[]), here(&a.replace('_', "-"), &[]));
    assert!(refused(&small("fail_over_mac=0\nfail-over-mac=1"), &[]).contains("stands twice"));
}

#[test]
fn flags_win_over_the_file() {
    for (flag, text, have) in [
        ("bond", "bond52", "name"),
        ("nic", "eth4,eth5", "nics"),
        ("mode", "balance-alb", "mode"),
        ("miimon", "50", "miimon"),
        ("mtu", "1500", "mtu"),
        ("backend", "keep", "backend"),
        ("pif", "forget", "pif"),
    ] {
        let file = "[bond]\nname=bond51\nnics=eth2,eth3\nmode=1\nmiimon=100\nmtu=9000\nbackend=bridge\npif=auto\naddress=172.16.51.11/24\n";
        assert!(file.contains(&format!("{have}=")));
        let by_flag = here(file, &[(flag, text)]);
        let line = file.lines().find(|l| l.starts_with(&format!("{have}="))).unwrap();
        let by_file = here(&file.replace(line, &format!("{have}={text}")), &[]);
        assert_eq!(by_flag, by_file, "--{flag}");
        assert_ne!(by_flag, here(file, &[]), "--{flag}");
    }
}

#[test]
fn an_address_flag_wins_over_every_address_of_the_file() {
    let one = request(POOL, &[("address", "172.16.51.77/24")]).unwrap();
    assert_eq!(one.addresses, Addresses::One("172.16.51.77/24".parse().unwrap()));
    let masked = small("").replace("/24", "") + "netmask=255.255.255.0\n";
    assert_eq!(here(&masked, &[]).address.to_string(), "172.16.51.11/24");
    assert_eq!(here(&masked, &[("address", "10.1.2.3/16")]).address.to_string(), "10.1.2.3/16");
    let flags = [("address", "10.1.2.3"), ("netmask", "255.255.0.0")];
    assert_eq!(here(&masked, &flags).address.to_string(), "10.1.2.3/16");
}

#[test]
fn a_nic_flag_wins_over_the_hosts_own_section() {
    let pool = request(POOL, &[("nic", "eth0,eth1")]).unwrap();
    assert_eq!(shown(&pool.for_host(&names(&["xen02"])).unwrap().nics), "eth0 eth1");
}

#[test]
fn a_flag_is_named_as_the_source_of_its_fault() {
    for (flag, text, sentence) in [
        ("bond", "1", "--bond: `1` is no device name"),
        ("nic", "eth2,", "--nic: `eth2,` has an empty NIC in it"),
        ("nic", "eth2,a b", "--nic: `a b` is no device name"),
        ("mode", "9", "--mode: `9` is no bonding mode"),
        ("mtu", "9k", "--mtu: `9k` is no MTU"),
        ("updelay", "1s", "--updelay: `1s` is no value for updelay"),
        ("fail-over-mac", "x", "--fail-over-mac: `x` is no value for fail_over_mac"),
        ("address", "172.16.51.11", "--address: `172.16.51.11` is no IPv4 address with prefix"),
        ("address", "172.16.51.0/24", "--address: address `172.16.51.0/24` is no host's"),
        ("netmask", "24", "--netmask: `24` is no netmask"),
        ("backend", "ovs", "--backend: `ovs` is not one of bridge, keep"),
        ("pif", "yes", "--pif: `yes` is not one of auto, forget, unmanaged"),
        ("probes", "nas", "--probes: `nas` is no probe"),
    ] {
        let mut flags = FLAGS.to_vec();
        flags.retain(|(name, _)| *name != flag);
        flags.push((flag, text));
        let said = refused("", &flags);
        assert!(said.starts_with(sentence), "{said}");
    }
}

#[test]
fn a_key_is_named_with_its_file_and_section() {
    let said = refused(&small("mtu=9k"), &[]);
    assert!(said.starts_with("pool.ini: [bond] mtu: `9k` is no MTU"), "{said}");
    let said = refused(&POOL.replace(".12/24", ".12"), &[]);
    assert!(said.starts_with("pool.ini: [addresses] xen02: `172.16.51.12` is no IPv4"), "{said}");
    let said = refused(&POOL.replace("eth4, ", "eth 4, "), &[]);
    assert!(said.starts_with("pool.ini: [nics xen02] nics: `eth 4` is no device name"), "{said}");
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
    assert_eq!(said, "pool.ini: [nics xen02] nic: unknown key; this section has only `nics`");
}

#[test]
fn an_unknown_section_names_those_that_there_are() {
    for section in ["bonds", "Bond", "address", "nics", "nicsxen01", "nics\txen01", "", "bond "] {
        let said = refused(&format!("{}[{section}]\nx=1\n", small("")), &[]);
        let known = "sections are [bond], [addresses] and [nics HOST]";
        let twice = "section [bond ] stands twice";
        assert!(said.ends_with(known) || (section == "bond " && said.ends_with(twice)), "{said}");
    }
}

#[test]
fn nothing_may_stand_twice() {
    for (file, sentence) in [
        (small("mode=1\nmode=4"), "pool.ini: [bond] mode: this key stands twice"),
        (small("[bond]\nmode=1"), "pool.ini, line 5: section [bond] stands twice"),
        (small("[ bond ]\nmode=1"), "stands twice"),
        (POOL.replace("xen02 =", "xen01 ="), "pool.ini: [addresses] xen01: this key stands twice"),
        (POOL.to_string() + "nics = eth2, eth3\n", "[nics xen02] nics: this key stands twice"),
        (
            POOL.to_string() + "[nics xen02]\nnics = eth2, eth3\n",
            "section [nics xen02] stands twice",
        ),
        (POOL.replace(".12/", ".11/"), "address 172.16.51.11 is also that of xen01"),
        (small("[addresses]\nxen01=172.16.51.12/24"), "exclude each other"),
        (POOL.replace("eth4, ", "00:1B:21:AA:BB:05, "), "NIC 00:1b:21:aa:bb:05 is named twice"),
        (small("").replace("eth3", "eth2"), "NIC eth2 is named twice"),
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
        (small("primary=eth4"), "primary eth4 is no slave of bond51"),
        (small("mode=4\nmin_links=3"), "min_links=3 is more than the bond's 2 slaves"),
        (small("updelay=150"), "updelay=150 is no multiple of miimon=100"),
        (small("miimon=0"), "miimon=0 without arp_interval"),
        (small("lacp_rate=fast"), "lacp_rate=fast is not for mode active-backup"),
        (POOL.replace("eth4, ", ""), "a bond needs two NICs or more"),
        (
            POOL.replace("miimon = 100", "primary = eth2")
                .replace("eth4, 00:1b:21:aa:bb:05", "eth4,eth5"),
            "primary eth2 is no slave",
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
    assert_eq!(here(&by_mac, &[]).options.primary().unwrap().as_str(), "eth4");
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
    for bad in ["", "0", "67", "65536", "9000 ; jumbo", "0x100", "-1", "+9000"] {
        let said = refused(&small(&format!("mtu={bad}")), &[]);
        assert!(said.contains("is no MTU: it must be a whole number from 68 to 65535"), "{said}");
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
        assert!(refused(&small(&format!("probes={bad}")), &[]).contains("is no probe"), "{bad}");
    }
    assert!(refused(&small("probes="), &[]).contains("has an empty probe in it"));
}

#[test]
fn netmask_and_prefix_exclude_each_other() {
    let said = refused(&small("netmask=255.255.255.0"), &[]);
    assert!(said.contains("has a prefix, and a netmask was given as well"), "{said}");
    let said = refused(&small("netmask=255.0.255.0").replace("/24", ""), &[]);
    assert!(said.contains("has holes"), "{said}");
    let said = refused(&small("netmask=/24").replace("/24", ""), &[]);
    assert!(said.contains("is no netmask (255.255.255.0)"), "{said}");
}

#[test]
fn a_host_must_be_named_once() {
    let pool = request(POOL, &[]).unwrap();
    let said = pool.for_host(&names(&["xen09", "rack7-9"])).unwrap_err().to_string();
    assert_eq!(
        said,
        "[addresses] has no address for this host, which is xen09 or rack7-9; it has xen01, xen02"
    );
    let said = pool.for_host(&names(&["xen01", "xen02"])).unwrap_err().to_string();
    assert_eq!(said, "[addresses] names this host twice, as xen01 and as xen02");
    assert!(pool.for_host(&[]).is_err());
    assert!(pool.for_host(&names(&["XEN01"])).is_err(), "names are taken as they are written");
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

#[test]
fn a_key_without_a_value_does_not_swallow_the_next_line() {
    let said = refused("[bond]\nname\nmode=4\n", &[]);
    assert_eq!(said, "pool.ini, line 2: `name` is neither a [section] nor a `key = value`");
    assert!(refused(&small("downdelay"), &[]).contains("line 5: `downdelay` is neither"));
    assert!(refused(&small("downdelay: 100"), &[]).contains("`downdelay: 100` is neither"));
}

#[test]
fn backslashes_and_quotes_are_what_they_are() {
    for bad in [
        "bond\\n51",
        "'bond51'",
        "\"bond51\"",
        "bo\"nd\"51",
        "bond51\\",
        "bond51 # ours",
        "bond51 ; ours",
    ] {
        let said = refused(&small("").replace("bond51", bad), &[]);
        assert!(said.contains("name: `") && said.contains("is no device name"), "{bad}: {said}");
    }
    let said = refused(&small("downdelay=10\\\n0=1"), &[]);
    assert!(said.contains("[bond]"), "{said}");
}

#[test]
fn a_byte_order_mark_does_not_eat_the_first_section() {
    assert_eq!(here(&format!("\u{feff}{}", small("")), &[]), here(&small(""), &[]));
    let said = refused(&small("\u{feff}[addresses]\nxen01=172.16.51.11/24"), &[]);
    assert!(!said.is_empty());
}

#[test]
fn windows_line_ends_comments_and_blanks_do_no_harm() {
    let plain = here(POOL, &[]);
    assert_eq!(here(&POOL.replace('\n', "\r\n"), &[]), plain);
    assert_eq!(here(&POOL.replace('\n', "\n\n# a = b\n;[bond]\n"), &[]), plain);
    assert_eq!(here(&POOL.replace(" = ", "\t=\t"), &[]), plain);
    assert_eq!(here(&POOL.replace(" = ", "="), &[]), plain);
    assert_eq!(here(POOL.trim_end(), &[]), plain);
    assert_eq!(here(&POOL.replace("\nm", "\n  m"), &[]), plain);
}

#[test]
fn a_comment_may_be_indented() {
    assert_eq!(here(&small("  ; a comment\n\t# another"), &[]), here(&small(""), &[]));
    assert_eq!(here(&format!("# one\n  ; two\n{}", small("")), &[]), here(&small(""), &[]));
}

#[test]
fn control_characters_and_broken_sections_are_refused_by_line() {
    for (file, sentence) in [
        (small("mtu=9\u{0}000"), "pool.ini, line 5: a control character (\\u{0}) stands here"),
        (small("mtu=9\u{1b}[m000"), "line 5: a control character (\\u{1b})"),
        (small("mtu=9000\rmode=4"), "line 5: a control character (\\u{d})"),
        (small("; a comment \u{7}too"), "line 5: a control character (\\u{7})"),
        (small("[addresses"), "line 5: `[addresses` is no section: it must be [NAME] alone"),
        (small("[addresses] ; x"), "line 5: `[addresses] ; x` is no section"),
        ("name=bond51\n[bond]\n".into(), "pool.ini: key `name` stands before the first section"),
    ] {
        let said = refused(&file, &[]);
        assert!(said.contains(sentence), "{said}");
    }
}

#[test]
fn an_empty_file_and_an_empty_value_are_refused() {
    assert!(refused("\n", &[]).starts_with("the bond has no name"));
    assert!(refused("[bond]\n", &[]).starts_with("the bond has no name"));
    assert!(refused("[bond]\nname=\n", &[]).contains("a device name is empty"));
    assert!(refused(&small("").replace("eth2,eth3", ""), &[]).contains("empty NIC"));
    assert!(refused(&small("=1"), &[]).contains("pool.ini"));
    assert!(
        refused("[bond]\nname=bond51\nnics=eth2,eth3\n[addresses]\n", &[]).contains("no address")
    );
}

#[test]
fn a_spec_reads_back_from_json() {
    let more = "mode=1\nupdelay=200\nprimary=eth2\nmtu=9000\nprobes=172.16.51.2:2049\nbackend=keep\npif=unmanaged";
    for spec in [here(&small(""), &[]), here(&small(more), &[]), here(POOL, &[])] {
        let json = serde_json::to_string(&spec).unwrap();
        assert_eq!(serde_json::from_str::<Spec>(&json).unwrap(), spec, "{json}");
    }
}

/// A pool's spec file and what it says.
#[derive(Clone, Debug)]
struct Asked {
    bond: String,
    nics: Vec<String>,
    mode: BondMode,
    options: Vec<(Opt, String)>,
    hosts: BTreeMap<String, (u8, Option<Vec<String>>)>,
    mtu: Option<u32>,
    probes: Vec<String>,
    dashes: bool,
    blanks: String,
}

impl Asked {
    fn ini(&self) -> String {
        let gap = &self.blanks;
        let line = |key: &str, value: &str| {
            let key = if self.dashes { key.replace('_', "-") } else { key.to_string() };
            format!("{gap}{key}{gap}={gap}{value}{gap}\n")
        };
        let mut text = String::from("# made up\n[bond]\n");
        text += &line("mode", self.mode.name());
        text += &line("nics", &self.nics.join(", "));
        for (opt, value) in &self.options {
            text += &line(opt.row().name, value);
        }
        text += &self.mtu.map(|m| line("mtu", &m.to_string())).unwrap_or_default();
        if !self.probes.is_empty() {
            text += &line("probes", &self.probes.join(","));
        }
        text += &line("name", &self.bond);
        for (host, (_, nics)) in &self.hosts {
            if let Some(nics) = nics {
                text += &format!("\n[nics {host}]\nnics={}\n", nics.join(","));
            }
        }
        text += "[addresses]\n";
        for (host, (last, _)) in &self.hosts {
            text += &format!("{host} = 172.16.51.{last}/24\n");
        }
        text
    }

    fn spec(&self, host: &str) -> Spec {
        let (last, nics) = &self.hosts[host];
        let mut options = Options::default();
        for (opt, value) in &self.options {
            options.set(*opt, opt.row().parse(value).unwrap());
        }
        options.add_defaults();
        let nics = nics.as_ref().unwrap_or(&self.nics);
        Spec {
            bond: self.bond.parse().unwrap(),
            nics: nics.iter().map(|n| n.parse().unwrap()).collect(),
            mode: self.mode,
            options,
            address: format!("172.16.51.{last}/24").parse().unwrap(),
            mtu: self.mtu,
            probes: self.probes.iter().map(|p| p.parse().unwrap()).collect(),
            backend: BackendChoice::Bridge,
            pif: PifChoice::Auto,
        }
    }
}

fn nics() -> impl Strategy<Value = Vec<String>> {
    let one = prop_oneof!["eth[0-9]{1,3}", "0[02468ace]:1b:21:[0-9a-f]{2}:0a:0[1-9]"];
    proptest::collection::btree_set(one, 2..6).prop_map(|all| all.into_iter().collect())
}

fn asked() -> impl Strategy<Value = Asked> {
    let option = prop_oneof![
        (1u32..10)
            .prop_map(|n| vec![(Opt::Updelay, (n * 80).to_string()), (Opt::Miimon, "80".into())]),
        Just(vec![
            (Opt::ArpInterval, "500".into()),
            (Opt::ArpIpTarget, "172.16.51.1, 172.16.51.2".into())
        ]),
        Just(vec![(Opt::UseCarrier, "1".into()), (Opt::Downdelay, "200".into())]),
        Just(vec![]),
    ];
    let hosts = proptest::collection::btree_map(
        "[a-z][a-z0-9.-]{0,10}",
        (10u8..250, proptest::option::of(nics())),
        1..5,
    )
    .prop_filter("each host has its own address", |hosts| {
        let all: BTreeSet<u8> = hosts.values().map(|(last, _)| *last).collect();
        all.len() == hosts.len()
    });
    (
        ("[a-z]{1,6}[0-9]{1,3}", nics(), 0usize..4, option, hosts),
        (proptest::option::of(68u32..65_535), 0usize..3, any::<bool>(), "[ \t]{0,2}"),
    )
        .prop_map(|((bond, nics, mode, options, hosts), (mtu, probes, dashes, blanks))| {
            Asked {
                bond: format!("b{bond}"),
                nics,
                mode: BondMode::ALL[mode],
                options,
                hosts,
                mtu,
                probes: ["172.16.51.2:2049", "10.0.0.1"]
                    .into_iter()
                    .take(probes)
                    .map(String::from)
                    .collect(),
                dashes,
                blanks,
            }
        })
}

proptest! {
    #[test]
    fn a_file_says_what_it_was_made_of(asked in asked()) {
        let ini = asked.ini();
        let request = request(&ini, &[]).unwrap_or_else(|e| panic!("{ini}\n{e:#}"));
        for host in asked.hosts.keys() {
            let spec = request.for_host(std::slice::from_ref(host)).unwrap();
            prop_assert_eq!(&spec, &asked.spec(host), "{}", ini);
        }
        prop_assert_eq!(request.by_host().len(), asked.hosts.len());
    }

    #[test]
    fn never_panics(
        text in prop_oneof![
            any::<String>(),
            "\\PC*",
            "(\\[?(bond|addresses|nics a| )\\]?|(name|nics|mode|address|xen01)? ?[=:]? ?[a-z0-9./,:'\"\\\\]{0,8}|[;#] ?x?|\u{feff}|\u{a0}|\u{85}|\u{2028}|\x0b|\r)(\n|\r\n|\r| )".prop_map(|line| line.repeat(3)),
            proptest::collection::vec("(\\[[a-z ]{0,6}\\]|[a-z]{1,6} ?=? ?[a-z0-9./,]{0,8}|.{0,3})\r?\n", 0..12).prop_map(|v| v.concat()),
        ],
        flag in "\\PC{0,12}",
    ) {
        for flags in [vec![], vec![("bond", flag.as_str())], vec![("nic", flag.as_str())], vec![("arp-ip-target", flag.as_str())]] {
            let mut all = FLAGS.to_vec();
            all.extend(&flags);
            for (file, flags) in [(text.as_str(), &flags), (text.as_str(), &all), ("", &all)] {
                match request(file, flags) {
                    Ok(request) => drop((request.nics(), request.for_host(&[]), request.by_host())),
                    Err(error) => assert!(!format!("{error:#}").is_empty()),
                }
            }
        }
    }
}
