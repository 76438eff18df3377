//! What templates of a folder may say, and what is refused.

use super::*;

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
fn the_variables_that_are_told_of_are_those_that_a_template_is_given() {
    for one in BUILT_IN.iter().filter(|one| one.name != SCRIPT && one.name != RESUME_SCRIPT) {
        for (variable, _) in VARIABLES {
            let template = format!("{}# {{{{ {variable} }}}}\n", one.text);
            let renders = if one.name == RESUME_UNIT {
                let folder = crate::model::scratch().unwrap();
                std::fs::write(folder.path().join(one.name), template).unwrap();
                let templates = Templates::load(Some(folder.path())).unwrap();
                let service = Service::of_resume(Init::Systemd);
                resume_service(&service, "/x/xenbond", &templates).is_ok()
            } else {
                with_template(one.name, &template).is_ok()
            };
            assert_eq!(renders, one.variables.contains(&variable), "{} {variable}", one.name);
        }
    }
    let known = |name: &&&str| VARIABLES.iter().any(|(known, _)| known == *name);
    assert!(BUILT_IN.iter().all(|one| one.variables.iter().all(|name| known(&name))));
}

#[test]
fn a_template_with_cr_lf_is_refused_for_every_file() {
    for BuiltIn { name, text, .. } in BUILT_IN {
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

#[test]
fn a_folder_of_templates_holds_templates_only() {
    for name in ["ifcfg-bond.tera~", "ifcfg-eth.tera", "README", ".swp", "ifcfg-bond.TERA"] {
        let error = with_template(name, "x").unwrap_err().to_string();
        let names = BUILT_IN.each_ref().map(|one| one.name).join(", ");
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
