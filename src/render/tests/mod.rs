//! What the templates yield, and that a template cannot say anything else than the spec.

mod templates;

use super::*;
use crate::ifcfg;
use crate::spec::tests::usual as spec;
use std::path::Path;

fn slaves(macs: bool) -> Vec<Slave> {
    [("eth2", "00:1b:21:0a:01:02"), ("eth3", "00:1b:21:0a:01:03")]
        .map(|(device, mac)| Slave {
            device: device.parse().unwrap(),
            mac: macs.then(|| mac.parse().unwrap()),
        })
        .into()
}

fn target(modprobe_conf: Option<&Kind>, unit: bool) -> Target<'_> {
    Target {
        modprobe_conf,
        boot: unit.then_some(Init::Systemd),
        ifup: "/usr/sbin/ifup".into(),
        ifdown: "/sbin/ifdown".into(),
        ip: "/sbin/ip".into(),
    }
}

fn text(kind: &Kind) -> String {
    String::from_utf8(kind.bytes().unwrap().to_vec()).unwrap()
}

/// The texts by the last part of their paths.
fn rendered(spec: &Spec, slaves: &[Slave], target: &Target<'_>) -> Vec<(String, String)> {
    let all = files(spec, slaves, target, &Templates::load(None).unwrap()).unwrap();
    all.iter().map(|(path, kind)| (path.clone(), text(kind))).collect()
}

const HEADER: &str =
    "# xenbond wrote this file for bond51; `xenbond rollback` puts back what was here.\n";

const SLAVE: &str = "ONBOOT=yes\nBOOTPROTO=none\nMASTER=bond51\nSLAVE=yes\nPEERDNS=no\nHOTPLUG=no\nUSERCTL=no\nNM_CONTROLLED=no\n";

const MODPROBE_LINES: &str = "alias bond51 bonding\n\
    options bond51 mode=active-backup miimon=100\n\
    options bonding max_bonds=0\n";

fn bond(mtu: &str) -> String {
    format!(
        "{HEADER}DEVICE=bond51\nONBOOT=yes\nBOOTPROTO=none\nIPADDR=172.16.51.11\n\
         NETMASK=255.255.255.0\nBONDING_OPTS=\"mode=active-backup miimon=100\"\nPEERDNS=no\n\
         DEFROUTE=no\nNOZEROCONF=yes\nIPV6INIT=no\nNM_CONTROLLED=no\nUSERCTL=no\nHOTPLUG=no\n{mtu}"
    )
}

#[test]
fn all_files_are_rendered_in_the_order_in_which_they_are_written() {
    let scripts = "/etc/sysconfig/network-scripts";
    let all = rendered(&spec(&[("mtu", "9000")]), &slaves(true), &target(None, true));
    let want = [
        ("/etc/modprobe.d/bond51.conf".to_string(), format!("{HEADER}{MODPROBE_LINES}")),
        (
            format!("{scripts}/ifcfg-eth2"),
            format!("{HEADER}DEVICE=eth2\nHWADDR=00:1b:21:0a:01:02\n{SLAVE}"),
        ),
        (
            format!("{scripts}/ifcfg-eth3"),
            format!("{HEADER}DEVICE=eth3\nHWADDR=00:1b:21:0a:01:03\n{SLAVE}"),
        ),
        (format!("{scripts}/ifcfg-bond51"), bond("MTU=9000\n")),
    ];
    assert_eq!(all[..4], want);
    assert_eq!((all.len(), all[4].0.as_str()), (5, "/etc/systemd/system/xenbond-bond51.service"));
    for line in [
        "ExecStart=/usr/sbin/ifup bond51",
        "ExecStop=/sbin/ifdown bond51",
        "Type=oneshot",
        "RemainAfterExit=yes",
        "WantedBy=multi-user.target",
    ] {
        assert!(all[4].1.lines().any(|l| l == line), "{line} is not in {}", all[4].1);
    }
}

#[test]
fn without_the_optional_fields_no_line_of_them_is_left() {
    let all = rendered(&spec(&[]), &slaves(false), &target(None, false));
    assert_eq!(all.len(), 4);
    assert_eq!(all[1].1, format!("{HEADER}DEVICE=eth2\n{SLAVE}"));
    assert_eq!(all[3].1, bond(""));
    for (path, text) in all {
        assert!(
            text.ends_with('\n') && !text.contains("\n\n") && !text.contains('\r'),
            "{path}: {text:?}"
        );
        assert!(text.lines().all(|l| l == l.trim()), "{path}: {text:?}");
    }
}

#[test]
fn every_option_arrives_in_both_places_mode_and_miimon_first() {
    let asked = spec(&[
        ("mode", "4"),
        ("xmit_hash_policy", "1"),
        ("updelay", "200"),
        ("lacp_rate", "fast"),
    ]);
    let words = "mode=802.3ad miimon=100 updelay=200 lacp_rate=fast xmit_hash_policy=layer3+4";
    let all = rendered(&asked, &slaves(true), &target(None, false));
    assert!(all[0].1.contains(&format!("\noptions bond51 {words}\n")), "{}", all[0].1);
    assert!(all[3].1.contains(&format!("\nBONDING_OPTS=\"{words}\"\n")), "{}", all[3].1);
    let targets = spec(&[("arp_interval", "500"), ("arp_ip_target", "172.16.51.2,172.16.51.3")]);
    let all = rendered(&targets, &slaves(true), &target(None, false));
    let words =
        "mode=active-backup miimon=0 arp_interval=500 arp_ip_target=172.16.51.2,172.16.51.3";
    assert!(all[3].1.contains(&format!("BONDING_OPTS=\"{words}\"")), "{}", all[3].1);
}

#[test]
fn where_modprobe_conf_is_read_our_lines_are_merged_into_it() {
    let theirs = "alias eth0 e1000\noptions ixgbe max_vfs=0";
    let Kind::File { uid, gid, .. } = Kind::new_file("", 0) else { panic!("no file") };
    let was = Kind::File {
        bytes: theirs.into(),
        mode: 0o640,
        uid,
        gid,
        mtime: Some(5),
        xattrs: Default::default(),
    };
    let all = files(
        &spec(&[]),
        &slaves(true),
        &target(Some(&was), false),
        &Templates::load(None).unwrap(),
    );
    let (path, kind) = all.unwrap().remove(0);
    assert_eq!(path, "/etc/modprobe.conf");
    let Kind::File { bytes, mode, mtime, .. } = &kind else { panic!("{kind:?}") };
    assert_eq!((*mode, *mtime), (0o640, None));
    let lines: Vec<String> = MODPROBE_LINES.lines().map(String::from).collect();
    assert!(bytes.starts_with(theirs.as_bytes()));
    assert_eq!(modprobe::block(bytes, "bond51").unwrap(), Some(lines));
    assert_eq!(modprobe::remove_block(bytes, "bond51").unwrap().unwrap(), theirs.as_bytes());
    assert!(!is_ours(&kind), "the file is not ours, though a block of it is");
}

#[test]
fn our_comments_hold_no_word_that_the_boot_scripts_look_for() {
    let all = rendered(&spec(&[("mtu", "9000")]), &slaves(true), &target(None, true));
    for (path, text) in &all {
        assert!(text.starts_with(HEADER), "{path}: {text}");
        for comment in text.lines().filter(|l| l.trim_start().starts_with(['#', ';'])) {
            for word in [
                "DEVICE=",
                "TYPE=",
                "SLAVE=",
                "MASTER=",
                "HWADDR=",
                "ONBOOT=",
                "NAME=",
                "XEMANAGED",
            ] {
                assert!(!comment.contains(word), "{path}: {comment}");
            }
        }
    }
}

#[test]
fn a_file_is_ours_by_its_first_words() {
    for (kind, ours) in [
        (Kind::new_file(HEADER, 0o644), true),
        (Kind::new_file(format!("\n{HEADER}"), 0o644), false),
        (Kind::new_file("DEVICE=eth2\n", 0o644), false),
        (Kind::new_file("", 0o644), false),
        (Kind::Absent, false),
        (Kind::Link { target: "x".into() }, false),
        (Kind::Other, false),
    ] {
        assert_eq!(is_ours(&kind), ours, "{kind:?}");
    }
}

#[test]
fn the_texts_read_back_as_the_spec() {
    for asked in [
        spec(&[]),
        spec(&[("mode", "7"), ("mtu", "1500")]),
        spec(&[("address", "10.0.0.0/31"), ("primary", "eth2"), ("num_grat_arp", "3")]),
    ] {
        let all = rendered(&asked, &slaves(true), &target(None, true));
        let read = ifcfg::parse(&all[3].1);
        assert!(read.is_plain());
        assert_eq!(read.get("IPADDR"), Some(asked.address.unwrap().addr.to_string().as_str()));
        assert_eq!(
            read.get("NETMASK"),
            Some(asked.address.unwrap().netmask().to_string().as_str())
        );
        assert_eq!(read.get("MTU").map(str::to_string), asked.mtu.map(|m| m.to_string()));
        let opts = read.bonding_opts().unwrap();
        assert!(opts.malformed.is_empty());
        let words: Vec<String> = opts.pairs.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(words, asked.options.words(asked.mode));
        let lines = modprobe::parse(&all[0].1);
        assert_eq!(modprobe::alias_of(&lines, "bond51"), Some("bonding"));
        assert_eq!(modprobe::options_for(&lines, "bonding"), ["max_bonds=0"]);
        for (path, text) in &all[1..3] {
            assert!(ifcfg::names_master(text, "bond51"), "{path}");
        }
    }
}

/// What comes of templates of a folder in which one has this text.
fn with_template(name: &str, template: &str) -> Result<Vec<(String, Kind)>> {
    let folder = crate::model::scratch().unwrap();
    std::fs::write(folder.path().join(name), template).unwrap();
    let templates = Templates::load(Some(folder.path()))?;
    let more = match name {
        VLAN => ("vlan", "51"),
        ROUTES => ("routes", ROUTE),
        _ => ("use_carrier", "1"),
    };
    let asked = match more {
        ("use_carrier", _) => spec(&[("mtu", "9000")]),
        more => spec(&[("mtu", "9000"), more]),
    };
    files(&asked, &slaves(true), &target(None, true), &templates)
}

fn built_in(name: &str) -> &'static str {
    BUILT_IN.iter().find(|one| one.name == name).unwrap().text
}

const ROUTE: &str = "10.99.0.0/16 via 172.16.51.1, 10.98.0.0/24 via 172.16.51.2";

#[test]
fn routes_stand_in_the_file_of_the_device_that_the_address_is_on() {
    let lines = |device: &str| {
        format!(
            "{HEADER}10.99.0.0/16 via 172.16.51.1 dev {device}\n10.98.0.0/24 via 172.16.51.2 dev {device}\n"
        )
    };
    let all = rendered(&spec(&[("routes", ROUTE)]), &slaves(true), &target(None, true));
    assert!(all[3].0.ends_with("/route-bond51") && all[4].0.ends_with("/ifcfg-bond51"));
    assert_eq!(all[3].1, lines("bond51"));
    let tagged = spec(&[("routes", ROUTE), ("vlan", "51")]);
    let all = rendered(&tagged, &slaves(true), &target(None, true));
    assert!(all[4].0.ends_with("/route-bond51.51") && all[5].0.ends_with("/ifcfg-bond51.51"));
    assert_eq!(all[4].1, lines("bond51.51"));
}

#[test]
fn tags_have_files_of_their_own_and_the_bond_no_address() {
    let asked = spec(&[("mtu", "9000"), ("vlan", "51")]);
    let all = rendered(&asked, &slaves(true), &target(None, true));
    let names: Vec<&str> = all.iter().filter_map(|(path, _)| path.rsplit('/').next()).collect();
    let unit = "xenbond-bond51.service";
    assert_eq!(
        names,
        ["bond51.conf", "ifcfg-eth2", "ifcfg-eth3", "ifcfg-bond51", "ifcfg-bond51.51", unit]
    );
    let bond = bond("MTU=9000\n");
    let without = bond.replace("IPADDR=172.16.51.11\nNETMASK=255.255.255.0\n", "");
    assert_eq!(all[3].1, without);
    let options = "BONDING_OPTS=\"mode=active-backup miimon=100\"\n";
    let vlan = bond.replace("DEVICE=bond51\n", "DEVICE=bond51.51\nVLAN=yes\n").replace(options, "");
    assert_eq!(all[4].1, vlan);
    assert!(all[5].1.contains("\nExecStart=/usr/sbin/ifup bond51\nExecStart=-/usr/sbin/ifup bond51.51\nExecStop=-/sbin/ifdown bond51.51\nExecStop=/sbin/ifdown bond51\n"), "{}", all[5].1);
    let sysv = Target { boot: Some(Init::Sysv), ..target(None, true) };
    let script = &rendered(&asked, &slaves(true), &sysv)[5].1;
    assert!(script.contains("    [ -e /sys/class/net/bond51 ] || /usr/sbin/ifup bond51\n    [ -e /sys/class/net/bond51.51 ] || /usr/sbin/ifup bond51.51\n    touch"), "{script}");
}

#[test]
fn markup_is_not_escaped() {
    let template = format!("# {{{{ \"<&'>\" }}}}\n{}", built_in(BOND));
    let all = with_template(BOND, &template).unwrap();
    assert!(text(&all[3].1).contains("# <&'>\n"));
}
