//! The file as text, and that a spec survives being written and read.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

#[test]
fn a_key_without_a_value_does_not_swallow_the_next_line() {
    let said = refused("[bond]\nname\nmode=4\n", &[]);
    assert_eq!(said, "pool.ini, line 2: `name` is neither a [section] nor a `key = value`");
    assert!(refused(&small("downdelay"), &[]).contains("line 5: `downdelay` is neither"));
    assert!(refused(&small("downdelay: 100"), &[]).contains("`downdelay: 100` is neither"));
}

#[test]
fn backslashes_and_quotes_inside_a_value_are_what_they_are() {
    for bad in ["bond\\n51", "bo\"nd\"51", "bond51\\", "bond51'", "\" bond51\""] {
        let said = refused(&small("").replace("bond51", bad), &[]);
        assert!(
            said.contains("name: `") && said.contains("is not a valid device name"),
            "{bad}: {said}"
        );
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
fn a_comment_may_stand_behind_a_value() {
    let plain = here(POOL, &[]);
    for comment in [" ; ours", " # ours", "\t;ours", " ;", "   # a; b # c \"d"] {
        let all: Vec<String> = POOL
            .lines()
            .map(|line| if line.is_empty() { String::new() } else { format!("{line}{comment}") })
            .collect();
        assert_eq!(here(&all.join("\n"), &[]), plain, "{comment:?}");
    }
    assert!(refused(&small("mtu = ; jumbo"), &[]).contains("[bond] mtu: `` is not a valid MTU"));
    for (glued, mark) in [("9000;jumbo", ';'), ("9000#jumbo", '#'), ("\"9000\";x", ';')] {
        let said = refused(&small(&format!("mtu={glued}")), &[]);
        let want = format!(
            "[bond] mtu: `{}`: a comment behind a value needs a blank before its `{mark}`",
            crate::net::shown(glued)
        );
        assert!(said.contains(&want), "{said}");
    }
}

#[test]
fn quotes_round_a_value_or_round_parts_of_a_list_are_taken_off() {
    let plain = here(POOL, &[]);
    for (from, to) in [
        ("bond51", "\"bond51\""),
        ("bond51", "'bond51' ; ours"),
        ("eth2, eth3", "\"eth2, eth3\""),
        ("eth2, eth3", "\"eth2\", 'eth3'"),
        ("eth2, eth3", "'eth2' 'eth3'"),
        ("9000", "\"9000\" # jumbo"),
        ("172.16.51.11/24", "\"172.16.51.11/24\""),
    ] {
        assert!(POOL.contains(from));
        assert_eq!(here(&POOL.replace(from, to), &[]), plain, "{to}");
    }
    for (bad, sentence) in [
        ("\"9000", "9000` has no closing quote"),
        ("'9000\"", "has no closing quote"),
        ("\"90\"00", "00` continues after its closing quote"),
        ("\"\"", "`` is not a valid MTU"),
        ("\"9000 ; x\"", "`9000 ; x` is not a valid MTU"),
    ] {
        let said = refused(&small(&format!("mtu={bad}")), &[]);
        assert!(said.contains(sentence), "{said}");
    }
}

#[test]
fn a_list_has_commas_or_blanks() {
    let plain = here(POOL, &[]);
    for list in ["eth2 eth3", "eth2,eth3", "eth2\t,  eth3", " eth2   eth3 "] {
        assert_eq!(here(&POOL.replace("eth2, eth3", list), &[]), plain, "{list}");
    }
    for bad in ["eth2,,eth3", "eth2, ,eth3", ",eth2 eth3", "eth2 eth3,"] {
        assert!(refused(&POOL.replace("eth2, eth3", bad), &[]).contains("empty NIC"), "{bad}");
    }
}

#[test]
fn control_characters_and_broken_sections_are_refused_by_line() {
    for (file, sentence) in [
        (small("mtu=9\u{0}000"), "pool.ini, line 5: a control character (\\u{0}) stands here"),
        (small("mtu=9\u{1b}[m000"), "line 5: a control character (\\u{1b})"),
        (small("mtu=9000\rmode=4"), "line 5: a control character (\\u{d})"),
        (small("; a comment \u{7}too"), "line 5: a control character (\\u{7})"),
        (
            small("[addresses"),
            "line 5: `[addresses` is not a valid section: it must be [NAME] alone",
        ),
        (small("[addresses];x"), "line 5: `[addresses];x` is not a valid section"),
        (small("[addresses] x"), "line 5: `[addresses] x` is not a valid section"),
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
            address: Some(format!("172.16.51.{last}/24").parse().unwrap()),
            kind: Default::default(),
            vlan: None,
            routes: Vec::new(),
            vlans: Vec::new(),
            mtu: self.mtu,
            probes: self.probes.iter().map(|p| p.parse().unwrap()).collect(),
            optional_probes: Vec::new(),
            backend: BackendChoice::Bridge,
            pif: PifChoice::Auto,
            ethtool: Default::default(),
            keep_ethtool: false,
            link_delay: None,
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
                probes: ["172.16.51.2:2049", "172.16.51.3"]
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

#[test]
fn what_is_written_of_a_spec_is_read_as_the_very_same() {
    for other in [
        &[][..],
        &[
            ("mode", "4"),
            ("lacp_rate", "fast"),
            ("xmit_hash_policy", "layer3+4"),
            ("min_links", "1"),
        ],
        &[("mtu", "9000"), ("probes", "172.16.51.2:2049,172.16.51.3"), ("backend", "keep")],
        &[("arp_interval", "200"), ("arp_ip_target", "172.16.51.2,172.16.51.3"), ("pif", "forget")],
        &[("nics", "eth2,00:1b:21:aa:bb:05"), ("optional_probes", "172.16.51.9")],
        &[("primary", "eth3"), ("updelay", "200"), ("pif", "unmanaged")],
        &[("ethtool", "ring-rx 4096, eth2 gro off"), ("linkdelay", "5")],
        &[("keep_ethtool", "yes")],
    ] {
        let spec = super::usual(other);
        let text = spec.to_ini();
        let read = request(&text, &[]).unwrap().for_host(&[]).unwrap();
        assert_eq!(read, spec, "{text}");
    }
    let tagged = "[bond]\nname = bond51\nnics = eth2, eth3\naddress = 172.16.51.11/24\nvlan = 51\n\
        routes = 10.99.0.0/16 via 172.16.51.1, 10.98.0.0/16 via 172.16.51.1\nmtu = 9000\n\
        probes = 172.16.51.2\n[vlan 52]\naddress = 172.16.52.11/24\nmtu = 1500\n\
        routes = 10.97.0.0/16 via 172.16.52.1\nprobes = 172.16.52.2:2049\n[vlan 53]\n\
        address = 172.16.53.11/24\n";
    let spec = request(tagged, &[]).unwrap().for_host(&[]).unwrap();
    assert_eq!((spec.vlans.len(), spec.routes.len()), (2, 2));
    let read = request(&spec.to_ini(), &[]).unwrap().for_host(&[]).unwrap();
    assert_eq!(read, spec, "{}", spec.to_ini());
}
