//! Flags and files: what they mean, which wins, and what is refused with which sentence.

mod faults;
mod text;

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
    assert_eq!(one.addresses(), None);
    assert_eq!(one.for_host(&[]).unwrap().address.to_string(), "172.16.51.77/24");
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
