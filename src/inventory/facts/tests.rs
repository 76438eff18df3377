//! The facts by name: what is among them, what is left out, and how a difference reads.

use std::path::Path;

use super::*;
use crate::dom0::Dom0;
use crate::inventory::Ask;
use crate::model::state::{Backend, Flavour, State};
use crate::spec::NicRef;

impl Dom0 {
    fn facts(&self) -> Facts {
        let nics: Vec<NicRef> = ["eth2", "eth3"].map(|n| n.parse().unwrap()).into();
        let inv = Inventory::read(&self.host, Ask { nics: &nics, driver: false, ..Ask::default() })
            .unwrap();
        of(&inv, &scope())
    }

    /// The facts that a change of the host moves, as a sentence calls them.
    fn moved(&self, change: impl FnOnce(&Self)) -> Vec<String> {
        let before = self.facts();
        change(self);
        differences(&before, &self.facts()).into_iter().map(|d| d.fact.words()).collect()
    }
}

const IFCFG: &str = "/etc/sysconfig/network-scripts/ifcfg-eth2";

fn scope() -> Scope {
    Scope {
        vlans: Vec::new(),
        further: Vec::new(),
        tuned: Vec::new(),
        bond: "bond51".parse().unwrap(),
        nics: ["eth2", "eth3"].map(|n| n.parse().unwrap()).into(),
        paths: [IFCFG, "/etc/modprobe.conf"].map(String::from).into(),
        subnet: Some("172.16.51.0/24".parse().unwrap()),
        bridge: None,
        network: None,
        named: None,
    }
}

fn facts(pairs: &[(&str, &str)]) -> Facts {
    let fact = |bridge: &str| Fact::ManagementBridge(bridge.into());
    pairs.iter().map(|(k, v)| (fact(k), Value::Word((*v).to_string()))).collect()
}

#[test]
fn differences_are_named_with_both_values() {
    let before = facts(&[("a", "1"), ("b", "2"), ("gone", "3")]);
    let now = facts(&[("a", "1"), ("b", "20"), ("new", "4")]);
    let all = differences(&before, &now);
    let sentences: Vec<String> = all.iter().map(ToString::to_string).collect();
    assert_eq!(
        sentences,
        [
            "management bridge b: was 2, is 20",
            "management bridge gone: was 3, is not set",
            "management bridge new: was not set, is 4",
        ]
    );
    assert_eq!((all[1].was.clone(), all[1].is.clone()), (Some(Value::Word("3".into())), None));
    assert!(differences(&before, &before).is_empty());
}

#[test]
fn the_digest_tells_any_change_and_nothing_else() {
    let one = facts(&[("a", "1"), ("b", "2")]);
    assert_eq!(digest_of(&one), digest_of(&facts(&[("b", "2"), ("a", "1")])));
    assert_eq!(digest_of(&one).len(), 16);
    for other in [
        facts(&[]),
        facts(&[("a", "1")]),
        facts(&[("a", "2"), ("b", "1")]),
        facts(&[("a", "1"), ("b", "2"), ("c", "")]),
    ] {
        assert_ne!(digest_of(&one), digest_of(&other), "{other:?}");
    }
    // FNV-1a, 64 bits, of the empty text and of `a` (draft-eastlake-fnv).
    assert_eq!(digest(b""), "cbf29ce484222325");
    assert_eq!(digest(b"a"), "af63dc4c8601ec8c");
}

#[test]
fn a_healthy_host_has_all_facts_by_name() {
    let facts = Dom0::new(Flavour::El7, Backend::Bridge).facts();
    let said: BTreeMap<String, String> = facts
        .iter()
        .map(|(fact, value)| (fact.words(), key::value_in_words(fact, value)))
        .collect();
    for (name, value) in [
        ("running backend", "bridge"),
        ("file /etc/modprobe.conf", "absent"),
        ("file /etc/sysconfig/network-scripts/ifcfg-eth2", "absent"),
        ("device bond51", "not there"),
        ("eth2 MAC address", "00:1b:21:0a:01:02"),
        ("eth2 MTU", "1500"),
        ("eth2 master", "xenbr2"),
        ("PIF of eth2", "there"),
        ("PIF of eth2, MAC", "00:1b:21:0a:01:02"),
        ("PIF of eth2, managed", "true"),
        ("PIF of eth2, currently-attached", "true"),
        ("PIF of eth2, disallow-unplug", "false"),
        ("PIF of eth2, properties:gro", "on"),
        ("PIF of eth2, other-config:ethtool-gro", "off"),
        ("addresses in 172.16.51.0/24", "none"),
        ("default route", "xenbr0 via 10.20.0.1"),
    ] {
        assert_eq!(said.get(name).map(String::as_str), Some(value), "{name}: {said:#?}");
    }
    assert!(said.keys().all(|name| !name.contains("uuid") || name.ends_with("network-uuid")));
}

#[test]
fn the_keys_in_the_record_do_not_change() {
    let facts = Dom0::new(Flavour::El7, Backend::Bridge).facts();
    let json = serde_json::to_value(&facts).unwrap();
    for (key, value) in [
        ("running-backend", r#"{"word":"bridge"}"#),
        ("management-bridge xenbr0", r#""there""#),
        ("file /etc/modprobe.conf", r#""absent""#),
        ("device bond51", r#""absent""#),
        ("mac eth2", r#"{"word":"00:1b:21:0a:01:02"}"#),
        ("mtu eth2", r#"{"word":"1500"}"#),
        ("master eth2", r#"{"word":"xenbr2"}"#),
        ("pif eth2", r#""there""#),
        ("pif-field eth2 other-config:ethtool-gro", r#"{"word":"off"}"#),
        ("addresses 172.16.51.0/24", r#"{"list":[]}"#),
        ("default-route", r#"{"list":["xenbr0 via 10.20.0.1"]}"#),
    ] {
        assert_eq!(json[key].to_string(), value, "{key}: {json:#}");
    }
    assert_eq!(serde_json::from_value::<Facts>(json).unwrap(), facts);
    for word in ["", "file-of /x", "mac", "mac eth2:x", "pif-field eth2", "addresses x"] {
        assert!(word.parse::<Fact>().is_err(), "{word}");
    }
}

#[test]
fn each_change_moves_its_own_fact() {
    let pif = |s: &mut State, alter: &dyn Fn(&mut crate::model::state::Pif)| {
        alter(s.pool.pifs.get_mut("xen01/eth2").unwrap());
    };
    let dom0 = Dom0::new(Flavour::El7, Backend::Bridge);
    let state = |alter: &dyn Fn(&mut State)| dom0.moved(|d| d.model.change(alter));
    let disk = |alter: &dyn Fn(&Path)| dom0.moved(|d| alter(&d.at(IFCFG)));
    assert!(state(&|_| {}).is_empty());
    assert_eq!(state(&|s| pif(s, &|p| p.disallow_unplug = true)), ["PIF of eth2, disallow-unplug"]);
    assert_eq!(state(&|s| pif(s, &|p| p.network = "xenbr5".into())), ["PIF of eth2, network-uuid"]);
    assert_eq!(
        state(&|s| pif(s, &|p| drop(p.other_config.insert("x".into(), "y; z: 1".into())))),
        ["PIF of eth2, other-config:x"]
    );
    assert!(state(&|s| pif(s, &|p| p.uuid = crate::model::state::uuid_of("another"))).is_empty());
    assert_eq!(state(&|s| s.dom0.nics.get_mut("eth3").unwrap().mtu = 9000), ["eth3 MTU"]);
    assert!(state(&|s| s.dom0.nics.get_mut("eth5").unwrap().mtu = 9000).is_empty());
    assert!(state(&|s| pif(s, &|p| p.managed = false)).contains(&"PIF of eth2, managed".into()));
    let gone = state(&|s| drop(s.pool.pifs.remove("xen01/eth2")));
    assert!(gone.contains(&"PIF of eth2".to_string()), "{gone:?}");
    let file = [format!("file {IFCFG}")];
    assert_eq!(disk(&|path| std::fs::write(path, "DEVICE=eth2\n").unwrap()), file);
    assert_eq!(disk(&|path| std::fs::write(path, "DEVICE=eth3\n").unwrap()), file);
    assert!(
        disk(&|path| std::fs::write(path, "DEVICE=eth3\n").unwrap()).is_empty(),
        "only the time"
    );
    assert_eq!(
        disk(&|path| {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
        }),
        file
    );
}

#[test]
fn what_dhcp_gave_is_no_fact_and_what_a_person_set_is() {
    let dom0 = Dom0::new(Flavour::El7, Backend::Bridge);
    let set = |mode: &'static str, ip: &'static str| {
        dom0.moved(|d| {
            d.model.change(|s| {
                let pif = s.pool.pifs.get_mut("xen01/eth2").unwrap();
                (pif.ip_configuration_mode, pif.ip) = (mode.into(), ip.into());
            });
        })
    };
    let fixed = set("Static", "10.9.9.9");
    assert!(fixed.contains(&"PIF of eth2, IP".to_string()), "{fixed:?}");
    set("DHCP", "10.9.9.10");
    assert!(set("DHCP", "10.9.9.11").is_empty());
}

#[test]
fn our_own_block_of_modprobe_conf_is_no_fact() {
    let dom0 = Dom0::new(Flavour::El5, Backend::Bridge);
    let conf = dom0.at("/etc/modprobe.conf");
    let was = std::fs::read(&conf).unwrap();
    let lines = ["alias bond51 bonding".to_string()];
    let merged = |bond: &str| modprobe::merge_block(&was, bond, &lines).unwrap();
    let write = |bytes: &[u8]| dom0.moved(|_| std::fs::write(&conf, bytes).unwrap());
    assert!(write(&merged("bond51")).is_empty());
    assert!(write(&was).is_empty());
    let named = ["file /etc/modprobe.conf"];
    assert_eq!(write(&merged("bond52")), named);
    write(&was);
    assert_eq!(write(&[&was[..], b"alias eth9 e1000\n"].concat()), named);
    assert_eq!(dom0.moved(|_| std::fs::remove_file(&conf).unwrap()), named);
}

#[test]
fn links_and_folders_are_told_from_files() {
    let dom0 = Dom0::new(Flavour::El7, Backend::Bridge);
    let path = dom0.at(IFCFG);
    let fact = Fact::File(IFCFG.into());
    let value = || key::value_in_words(&fact, &dom0.facts()[&fact]);
    std::os::unix::fs::symlink("ifcfg-lo", &path).unwrap();
    assert_eq!(value(), "a link to ifcfg-lo");
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert_eq!(value(), "no file");
    std::fs::remove_dir(&path).unwrap();
    std::fs::write(&path, "a").unwrap();
    assert!(value().starts_with("1 bytes, af63dc4c8601ec8c, mode 0"), "{}", value());
}
