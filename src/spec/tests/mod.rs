//! Flags and files: what they mean, which wins, and what is refused with which sentence.

mod faults;
mod managed;
mod text;
mod vlans;

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

/// The usual storage NIC, with other keys of [bond] where given.
pub(crate) fn storage_nic(other: &[(&'static str, &str)]) -> Spec {
    let mut raw = Raw::default();
    let keys = [("kind", "managed"), ("nics", "eth2"), ("use", "storage")];
    let address = [("address", "172.16.51.11/24")];
    // Only storage has one.
    let address = address.iter().filter(|_| other.iter().all(|(key, _)| *key != "use"));
    for (key, value) in keys.iter().chain(address).chain(other) {
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
    assert_eq!(spec.address.unwrap().to_string(), "172.16.51.11/24");
    assert_eq!((spec.mtu, spec.probes.len()), (None, 0));
    assert_eq!((spec.backend, spec.pif), (BackendChoice::Bridge, PifChoice::Auto));
    assert_eq!(here(&small(""), &[]), spec);
}

#[test]
fn one_file_serves_a_pool() {
    let pool = request(POOL, &[]).unwrap();
    let one = pool.for_host(&names(&["xen01"])).unwrap();
    assert_eq!(one.address.unwrap().to_string(), "172.16.51.11/24");
    assert_eq!(shown(&one.nics), "eth2 eth3");
    assert_eq!(one.mtu, Some(9000));
    assert_eq!(one.probes, ["172.16.51.2:2049".parse().unwrap()]);
    let two = pool.for_host(&names(&["localhost", "xen02"])).unwrap();
    assert_eq!(two.address.unwrap().to_string(), "172.16.51.12/24");
    assert_eq!(shown(&two.nics), "eth4 00:1b:21:aa:bb:05");
    assert_eq!(shown(&pool.nics()), "eth2 eth3 eth4 00:1b:21:aa:bb:05");
    assert_eq!(pool.bonds(), [&"bond51".parse().unwrap()].into());
    assert!(!pool.asks_driver());
    let hosts: Vec<String> = pool
        .by_host()
        .iter()
        .map(|(h, s)| format!("{} {}", h.as_ref().unwrap(), s.address.unwrap()))
        .collect();
    assert_eq!(hosts, ["xen01 172.16.51.11/24", "xen02 172.16.51.12/24"]);
}

#[test]
fn every_key_may_be_written_with_dashes_too() {
    let a = small("primary=eth2\nprimary_reselect=better\nfail_over_mac=active\nnum_grat_arp=2");
    assert_eq!(here(&a, &[]), here(&a.replace('_', "-"), &[]));
    assert!(refused(&small("fail_over_mac=0\nfail-over-mac=1"), &[]).contains("key given twice"));
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
    assert_eq!(one.for_host(&[]).unwrap().address.unwrap().to_string(), "172.16.51.77/24");
    let masked = small("").replace("/24", "") + "netmask=255.255.255.0\n";
    assert_eq!(here(&masked, &[]).address.unwrap().to_string(), "172.16.51.11/24");
    assert_eq!(
        here(&masked, &[("address", "10.1.2.3/16")]).address.unwrap().to_string(),
        "10.1.2.3/16"
    );
    let flags = [("address", "10.1.2.3"), ("netmask", "255.255.0.0")];
    assert_eq!(here(&masked, &flags).address.unwrap().to_string(), "10.1.2.3/16");
}

#[test]
fn a_nic_flag_wins_over_the_hosts_own_section() {
    let pool = request(POOL, &[("nic", "eth0,eth1")]).unwrap();
    assert_eq!(shown(&pool.for_host(&names(&["xen02"])).unwrap().nics), "eth0 eth1");
}

#[test]
fn a_host_may_differ_in_any_key() {
    let pool = POOL.replace("nics = eth2, eth3", "nics = eth2, eth3\nprimary = eth2").replace(
        "[nics xen02]\n",
        "[bond xen02]\nprimary = 001b.21AA.bb05\nmode=1\nmtu = 1500\nname = bond52\nprobes=172.16.51.9\nupdelay=200\n",
    );
    let pool = request(&pool, &[]).unwrap();
    let (one, two) = (pool.for_host(&names(&["xen01"])), pool.for_host(&names(&["xen02"])));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!(one.options.words(one.mode)[1..], ["miimon=100", "primary=eth2"]);
    let words = ["miimon=100", "updelay=200", "primary=00:1b:21:aa:bb:05"];
    assert_eq!(two.options.words(two.mode)[1..], words);
    assert_eq!((two.bond.as_str(), two.mtu), ("bond52", Some(1500)));
    assert_eq!(two.probes, ["172.16.51.9".parse().unwrap()]);
    assert_eq!(pool.bonds().len(), 2);
    let here =
        two.with_devices(|mac| (mac.to_string().ends_with("05")).then(|| "eth5".parse().unwrap()));
    assert_eq!(here.options.primary().unwrap().to_string(), "eth5");
}

#[test]
fn a_flag_wins_over_what_a_host_has_for_itself() {
    let pool = POOL.replace("[nics xen02]\n", "[bond xen02]\nmtu = 1500\n");
    let pool =
        request(&pool, &[("mtu", "8000"), ("address", "10.0.0.1/24"), ("probes", "10.0.0.2")]);
    let two = pool.unwrap().for_host(&names(&["xen02"])).unwrap();
    assert_eq!((two.mtu, two.address.unwrap().to_string().as_str()), (Some(8000), "10.0.0.1/24"));
    assert_eq!(shown(&two.nics), "eth4 00:1b:21:aa:bb:05");
}

#[test]
fn names_of_hosts_are_compared_as_people_mean_them() {
    let pool = |name: &str| request(&POOL.replace("xen02", name), &[]).unwrap();
    for (written, host, same) in [
        ("xen02", &["XEN02"][..], true),
        ("Xen02", &["xen02"], true),
        ("xen02.san.example", &["xen02"], true),
        ("xen02", &["xen02.san.example", "xen02"], true),
        ("xen02.san.example", &["XEN02.SAN.example", "XEN02"], true),
        ("xen02.san.example", &["xen02.lab.example", "xen02"], false),
        ("xen02", &["xen020"], false),
        ("10.0.0.2", &["10.1.1.1"], false),
    ] {
        let found = pool(written).for_host(&names(host));
        assert_eq!(found.is_ok(), same, "{written} {host:?}: {found:?}");
    }
    // A section and [addresses] may spell one host in two ways.
    let two = request(&POOL.replace("[nics xen02]", "[nics XEN02.example]"), &[]).unwrap();
    assert_eq!(shown(&two.for_host(&names(&["xen02"])).unwrap().nics), "eth4 00:1b:21:aa:bb:05");
    let said = refused(&(POOL.to_string() + "[bond XEN02]\nmtu=1500\n"), &[]);
    assert_eq!(said, "the sections of XEN02 and of xen02 are both for xen02");
}

#[test]
fn a_mac_address_is_taken_as_labels_and_switches_show_it() {
    let want = here(&small("").replace("eth3", "ac:1f:6b:aa:bb:05"), &[]);
    for spelt in ["AC:1F:6B:AA:BB:05", "ac-1f-6b-aa-bb-05", "ac1f.6baa.bb05", "AC1F6BAABB05"] {
        assert_eq!(here(&small("").replace("eth3", spelt), &[]), want, "{spelt}");
    }
    for bad in ["ac-1f-6b-aa-bb", "ac1f.6b.aabb05", "ac-1f:6b-aa-bb-05", "ac1f-6baa-bb05", "-", "."]
    {
        let said = refused(&small("").replace("eth3", bad), &[]);
        assert!(said.contains(&format!("`{bad}` is not a valid MAC address")), "{said}");
    }
}

#[test]
fn a_flag_is_named_as_the_source_of_its_fault() {
    for (flag, text, sentence) in [
        ("bond", "1", "--bond: `1` is not a valid device name"),
        ("nic", "eth2,", "--nic: `eth2,` has an empty NIC in it"),
        ("nic", "eth2,a/b", "--nic: `a/b` is not a valid device name"),
        ("mode", "9", "--mode: `9` is not a valid bonding mode"),
        ("mtu", "9k", "--mtu: `9k` is not a valid MTU"),
        ("updelay", "1s", "--updelay: `1s` is not a valid value for updelay"),
        ("fail-over-mac", "x", "--fail-over-mac: `x` is not a valid value for fail_over_mac"),
        (
            "address",
            "172.16.51.11",
            "--address: `172.16.51.11` is not a valid IPv4 address with prefix",
        ),
        ("address", "172.16.51.0/24", "--address: address `172.16.51.0/24` is not that of a host"),
        ("netmask", "24", "--netmask: `24` is not a valid netmask"),
        ("backend", "ovs", "--backend: `ovs` is not one of bridge, keep"),
        ("pif", "yes", "--pif: `yes` is not one of auto, forget, unmanaged"),
        ("probes", "nas", "--probes: `nas` is not a valid probe"),
    ] {
        let mut flags = FLAGS.to_vec();
        flags.retain(|(name, _)| *name != flag);
        flags.push((flag, text));
        let said = refused("", &flags);
        assert!(said.starts_with(sentence), "{said}");
    }
}
