//! What the templates yield, and that a template cannot say anything else than the spec.

use super::*;
use crate::ifcfg;
use crate::render::templates::BUILT_IN;
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
        assert_eq!(read.get("IPADDR"), Some(asked.address.addr.to_string().as_str()));
        assert_eq!(read.get("NETMASK"), Some(asked.address.netmask().to_string().as_str()));
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
    BUILT_IN.iter().find(|(n, _)| *n == name).unwrap().1
}

#[test]
fn a_template_may_say_more_in_comments_and_other_quotes() {
    for (name, template) in [
        (NIC, format!("# our racks\n{}DEFROUTE=no\n", built_in(NIC))),
        (BOND, built_in(BOND).replace("IPV6INIT=no\n", "")),
        (BOND, built_in(BOND).replace("NETMASK={{ netmask }}", "NETMASK=\"{{ netmask }}\"")),
        (MODPROBE, format!("# {{{{ bond }}}}\n\n{}", built_in(MODPROBE))),
        (UNIT, format!("{}# the end\n", built_in(UNIT))),
    ] {
        with_template(name, &template).unwrap_or_else(|e| panic!("{name} {template}: {e:#}"));
    }
}

#[test]
fn a_key_that_no_spec_asks_for_is_refused_whatever_it_is() {
    for line in [
        "TYPE=Bridge",
        "XEMANAGED=yes",
        "IPADDR2=10.0.0.9",
        "IPV6ADDR=fd00::1/64",
        "SRCADDR=10.0.0.9",
        "ETHTOOL_OPTS=\"autoneg off\"",
        "VLAN=yes",
        "HOTPLUG=yes",
        "WHATEVER=1",
        "WHATEVER=",
    ] {
        for name in [NIC, BOND] {
            let template = format!("{}{line}\n", built_in(name));
            let error = format!("{:#}", with_template(name, &template).unwrap_err());
            let key = line.split('=').next().unwrap();
            assert!(error.contains(&format!("{key}=")), "{name} {line}: {error}");
        }
    }
}

#[test]
fn a_template_with_cr_lf_is_refused_for_every_file() {
    for (name, text) in BUILT_IN {
        let resume = name.starts_with("resume");
        let template = text.replace('\n', "\r\n");
        let error = if resume {
            let folder = crate::model::scratch().unwrap();
            std::fs::write(folder.path().join(name), template).unwrap();
            let templates = Templates::load(Some(folder.path())).unwrap();
            let init = if name.contains("init") { Init::Sysv } else { Init::Systemd };
            resume_service(&Service::of_resume(init), "/x/xenbond", &templates).unwrap_err()
        } else if name == SCRIPT {
            continue;
        } else {
            with_template(name, &template).unwrap_err()
        };
        assert!(format!("{error:#}").contains("carriage return"), "{name}: {error:#}");
    }
}

#[test]
fn a_template_that_says_something_else_is_refused() {
    let runs = "and the boot scripts would run it";
    for (name, from, to, sentence) in [
        (NIC, "SLAVE=yes", "SLAVE=yes\nX=$(reboot)", runs),
        (NIC, "SLAVE=yes", "SLAVE=yes\nX=`reboot`", runs),
        (NIC, "SLAVE=yes", "SLAVE=yes\nreboot", runs),
        (NIC, "SLAVE=yes", "SLAVE=yes\nX=y reboot", runs),
        (NIC, "SLAVE=yes", "SLAVE=yes; reboot", runs),
        (NIC, "SLAVE=yes", "SLAVE=yes\nX='", runs),
        (NIC, "SLAVE=yes", "SLAVE = yes", runs),
        (NIC, "\n", "\r\n", "a line ends in a carriage return"),
        (
            NIC,
            "MASTER={{ bond }}",
            "MASTER=bond52",
            "MASTER is `bond52`, and the spec wants `bond51`",
        ),
        (NIC, "MASTER={{ bond }}", "MASTER={{ bond }}\nMASTER=bond52", "MASTER is `bond52`"),
        (NIC, "MASTER={{ bond }}\n", "", "MASTER is missing"),
        (NIC, "SLAVE=yes", "SLAVE=YES", "SLAVE is `YES`, and the spec wants `yes`"),
        (NIC, "DEVICE={{ nic }}", "DEVICE=eth9", "DEVICE is `eth9`, and the spec wants `eth2`"),
        (NIC, "HWADDR={{ mac }}", "HWADDR=00:1b:21:0a:01:09", "HWADDR is `00:1b:21:0a:01:09`"),
        (NIC, "HWADDR={{ mac }}", "", "HWADDR is missing, and the spec wants `00:1b:21:0a:01:02`"),
        (
            NIC,
            "SLAVE=yes",
            "SLAVE=yes\nIPADDR=10.0.0.1",
            "IPADDR is `10.0.0.1`, and the spec wants none",
        ),
        (NIC, "SLAVE=yes", "SLAVE=yes\nGATEWAY=10.0.0.1", "GATEWAY is `10.0.0.1`"),
        (NIC, "SLAVE=yes", "SLAVE=yes\nMTU=1500", "MTU is `1500`"),
        (
            BOND,
            "HOTPLUG=no",
            "HOTPLUG=no\nGATEWAY=172.16.51.1",
            "GATEWAY is `172.16.51.1`, and the spec wants none",
        ),
        (BOND, "HOTPLUG=no", "HOTPLUG=no\nHWADDR=00:1b:21:0a:01:02", "HWADDR is"),
        (BOND, "HOTPLUG=no", "HOTPLUG=no\nBRIDGE=xenbr2", "BRIDGE is `xenbr2`"),
        (BOND, "HOTPLUG=no", "HOTPLUG=no\nPREFIX=16", "PREFIX is `16`"),
        (BOND, "HOTPLUG=no", "HOTPLUG=no\nIPADDR=${X:-10.0.0.1}", runs),
        (
            BOND,
            "BONDING_OPTS=\"{{ options }}\"\n",
            "",
            "BONDING_OPTS is missing, and the spec wants `mode=active-backup miimon=100`",
        ),
        (BOND, "\"{{ options }}\"", "{{ options }}", "BONDING_OPTS is `mode=active-backup`"),
        (BOND, "\"{{ options }}\"", "\"mode=1 miimon=100\"", "BONDING_OPTS is `mode=1 miimon=100`"),
        (BOND, "\"{{ options }}\"", "\"{{ options }} primary=eth2\"", "BONDING_OPTS is"),
        (BOND, "IPADDR={{ address }}", "IPADDR=172.16.51.12", "IPADDR is `172.16.51.12`"),
        (BOND, "NETMASK={{ netmask }}", "NETMASK=255.255.0.0", "NETMASK is `255.255.0.0`"),
        (BOND, "ONBOOT=yes", "ONBOOT=no", "ONBOOT is `no`, and the spec wants `yes`"),
        (
            BOND,
            "{% if mtu %}MTU={{ mtu }}\n{% endif -%}",
            "",
            "MTU is missing, and the spec wants `9000`",
        ),
        (BOND, "DEVICE={{ bond }}", "DEVICE={{ bond }}0", "DEVICE is `bond510`"),
        (
            MODPROBE,
            "alias {{ bond }} bonding",
            "alias bonding {{ bond }}",
            "`alias bonding bond51` is not what the spec wants",
        ),
        (MODPROBE, "alias {{ bond }} bonding\n", "", "the line `alias bond51 bonding` is missing"),
        (
            MODPROBE,
            "max_bonds=0",
            "max_bonds=1",
            "`options bonding max_bonds=1` is not what the spec wants",
        ),
        (MODPROBE, "{{ options }}", "mode=0", "`options bond51 mode=0` is not what the spec wants"),
        (
            MODPROBE,
            "alias {{ bond }} bonding",
            "alias {{ bond }} bonding\nalias {{ bond }} bonding",
            "is not what the spec wants",
        ),
        (
            MODPROBE,
            "alias {{ bond }} bonding",
            "alias {{ bond }} bonding\ninstall bridge /bin/true",
            "`install bridge /bin/true` is not what",
        ),
        (
            MODPROBE,
            "alias {{ bond }} bonding",
            "alias {{ bond }} bonding \\",
            "`alias bond51 bonding \\\\` is not what",
        ),
        (
            UNIT,
            "ExecStart={{ ifup }}",
            "ExecStart=/bin/true",
            "it has no line `ExecStart=/usr/sbin/ifup bond51`",
        ),
        (UNIT, "ExecStart=", "#ExecStart=", "it has no line `ExecStart=/usr/sbin/ifup bond51`"),
    ] {
        let template = built_in(name).replace(from, to);
        assert_ne!(template, built_in(name), "{name} has no {from:?}");
        let error = format!("{:#}", with_template(name, &template).expect_err(&template));
        assert!(error.contains(sentence) && error.contains(name), "{to:?}: {error}");
    }
}

#[test]
fn a_modprobe_comment_cannot_swallow_the_line_below_it() {
    let template = format!("# see the wiki \\\n{}", built_in(MODPROBE));
    assert!(with_template(MODPROBE, &template).is_err());
}

#[test]
fn a_template_cannot_give_the_bond_what_the_spec_does_not() {
    let mut taken = Vec::new();
    for (name, from, to) in [
        (BOND, "BOOTPROTO=none", "BOOTPROTO=dhcp"),
        (BOND, "HOTPLUG=no", "HOTPLUG=no\nIPADDR2=10.20.0.99"),
        (BOND, "HOTPLUG=no", "HOTPLUG=no\nTYPE=Bridge"),
        (BOND, "HOTPLUG=no", "HOTPLUG=no\nMACADDR=02:00:00:00:00:01"),
        (BOND, "HOTPLUG=no", "HOTPLUG=no\nMASTER=bond52\nSLAVE=yes"),
        (BOND, "HOTPLUG=no", "HOTPLUG=no\nXEMANAGED=yes"),
        (BOND, "NOZEROCONF=yes", "NOZEROCONF="),
        (BOND, "HOTPLUG=no", "HOTPLUG=no\nVLAN=yes"),
        (VLAN, "VLAN=yes", "VLAN=true"),
        (VLAN, "VLAN=yes", "VLAN='yes'"),
        (VLAN, "VLAN=yes\n", ""),
        (VLAN, "DEVICE={{ device }}", "DEVICE=bond51.52"),
        (VLAN, "{{ address }}", "172.16.51.99"),
        (VLAN, "HOTPLUG=no", "HOTPLUG=no\nGATEWAY=172.16.51.1"),
        (VLAN, "HOTPLUG=no", "HOTPLUG=no\nPHYSDEV=eth0"),
        (VLAN, "MTU={{ mtu }}", "MTU=1500"),
        (ROUTES, "{{ route }}", "default via 172.16.51.1"),
        (ROUTES, " dev {{ device }}", " dev xenbr0"),
        (ROUTES, " dev {{ device }}", ""),
        (ROUTES, "{{ route }}", "{{ route }} dev {{ device }}\n192.0.2.0/24 via 172.16.51.1"),
        (ROUTES, "{% for", "# ADDRESS0=10.99.0.0\n{% for"),
        (UNIT, "ExecStart={{ ifup }} {{ bond }}", "ExecStart=-{{ ifup }} {{ bond }}"),
        (NIC, "MASTER={{ bond }}", "MASTER='{{ bond }}'"),
        (NIC, "MASTER={{ bond }}", "export MASTER={{ bond }}"),
        (NIC, "HOTPLUG=no", "HOTPLUG=no\nTYPE=Bridge"),
        (NIC, "HOTPLUG=no", "HOTPLUG=no\nMACADDR=02:00:00:00:00:01"),
        (NIC, "HOTPLUG=no", "HOTPLUG=no\nXEMANAGED=yes"),
    ] {
        if with_template(name, &built_in(name).replace(from, to)).is_ok() {
            taken.push(format!("{name}: {to}"));
        }
    }
    assert!(taken.is_empty(), "{taken:#?}");
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
fn a_folder_of_templates_holds_templates_only() {
    for name in ["ifcfg-bond.tera~", "ifcfg-eth.tera", "README", ".swp", "ifcfg-bond.TERA"] {
        let error = with_template(name, "x").unwrap_err().to_string();
        let names = BUILT_IN.map(|(name, _)| name).join(", ");
        assert!(
            error.ends_with(&format!(
                "{name}: there is no template of that name; templates are {names}"
            )),
            "{error}"
        );
    }
    let error = format!("{:#}", Templates::load(Some(Path::new("/nowhere/x"))).err().unwrap());
    assert!(error.starts_with("reading the template folder /nowhere/x"), "{error}");
    let empty = crate::model::scratch().unwrap();
    Templates::load(Some(empty.path())).unwrap();
}

#[test]
fn a_broken_template_is_named() {
    for (template, words) in [
        ("DEVICE={{ bond", "reading template"),
        ("{% if mtu %}", "reading template"),
        ("X={{ nope }}", "rendering template"),
        ("{{ bond | nope }}", "template"),
    ] {
        let error = format!("{:#}", with_template(BOND, template).unwrap_err());
        assert!(error.contains(words) && error.contains(BOND), "{template}: {error}");
    }
}

#[test]
fn markup_is_not_escaped() {
    let template = format!("# {{{{ \"<&'>\" }}}}\n{}", built_in(BOND));
    let all = with_template(BOND, &template).unwrap();
    assert!(text(&all[3].1).contains("# <&'>\n"));
}
