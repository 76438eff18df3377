//! What `ovs-vsctl show`, `ovs-vsctl list port` and `bond/list` say.

use super::*;

const SHOW: &str = "\
[root@xen01 ~]# ovs-vsctl show
51515151-aaaa-4bbb-8ccc-515151515151
    Bridge \"xapi1\"
        fail_mode: standalone
        Port \"bond51\"
            tag: 51
            trunks: [51, 52]
            Interface \"eth2\"
            Interface \"eth3\"
                error: \"could not open network device eth3 (No such device)\"
        Port \"xapi1\"
            Interface \"xapi1\"
                type: internal
    Bridge \"xenbr0\"
        Port \"eth0\"
            Interface \"eth0\"
        Port uplink
            Interface left
            Interface right
            Interface middle
    ovs_version: \"2.5.3\"
";

fn port(bridge: Option<&str>, name: &str, mode: Option<Mode>, slaves: &[&str]) -> Port {
    let slaves = slaves.iter().map(ToString::to_string).collect();
    Port { bridge: bridge.map(String::from), name: name.to_string(), mode, slaves }
}

#[test]
fn a_bond_is_a_port_of_several_interfaces() {
    let wanted = [
        port(Some("xapi1"), "bond51", None, &["eth2", "eth3"]),
        port(Some("xenbr0"), "uplink", None, &["left", "right", "middle"]),
    ];
    assert_eq!(ports(SHOW), wanted);
    assert_eq!(ports(&SHOW.replace('"', "").replace("    ", "")), wanted, "2.13, flat");
    for (damage, paste) in pastes(SHOW) {
        assert_eq!(ports(&paste), wanted, "{damage}");
    }
    assert_eq!(ports(&SHOW.replace("Interface \"eth3\"", "")), wanted[1..]);
}

#[test]
fn an_interface_without_a_port_is_nobodys() {
    let text = "Interface eth0\nPort bond51\n ovs_version: \"1\"\nInterface eth2\nInterface eth3\n";
    assert!(ports(text).is_empty());
}

#[test]
fn knows_the_columns_of_every_bond_list() {
    let slb = Some(Mode::BalanceSlb);
    let slaves = ["eth2", "eth3"];
    for (text, wanted) in [
        ("bridge\tbond\tslaves\nxapi1\tbond51\teth2, eth3\n", (Some("xapi1"), None)),
        (
            "bridge\tbond\ttype\tslaves\nxapi1\tbond51\tbalance-slb\teth2, eth3\n",
            (Some("xapi1"), slb),
        ),
        ("bond\ttype\tslaves\nbond51\tbalance-slb\teth2, eth3\n", (None, slb)),
        ("bond\ttype\trecircID\tslaves\nbond51\tbalance-slb\t0\teth2, eth3\n", (None, slb)),
        ("bond\ttype\trecircID\tmembers\nbond51\tbalance-slb\t7\teth2, eth3\n", (None, slb)),
    ] {
        let wanted = [port(wanted.0, "bond51", wanted.1, &slaves)];
        assert_eq!(ports(text), wanted, "{text}");
        let typed = format!("{text}root@xen01:~# ovs-appctl bond/show bond51, bond52\n");
        assert_eq!(ports(&typed.replace('\t', "   ")), wanted, "{text}");
    }
    assert!(ports("bond\ttype\trecircID\tmembers\n").is_empty());
}

const RECORD: &str = "\
_uuid               : 51515151-aaaa-4bbb-8ccc-515151515151
bond_active_slave   : \"02:16:3E:51:00:02\"
bond_downdelay      : 200
bond_fake_iface     : false
bond_mode           : balance-slb
bond_updelay        : 31000
interfaces          : [0a51, 0b51]
lacp                : off
mac                 : \"02:16:3e:51:00:02\"
name                : \"bond51\"
other_config        : {bond-detect-mode=carrier, \"bond-x\"=\"a, b\"}
tag                 : []
";

#[test]
fn a_record_is_read_by_its_columns() {
    let all = records(RECORD);
    let keys = [("bond-detect-mode", "carrier"), ("bond-x", "a, b")];
    let wanted = PortRecord {
        name: Some("bond51".into()),
        mode: Some(Mode::BalanceSlb),
        lacp: Some("off".into()),
        updelay: Some(31000),
        downdelay: Some(200),
        active_mac: Some("02:16:3e:51:00:02".into()),
        interfaces: vec!["0a51".into(), "0b51".into()],
        other_config: keys.map(|(key, value)| (key.into(), value.into())).into(),
    };
    assert_eq!(all, [wanted]);
    for (damage, paste) in pastes(RECORD) {
        assert_eq!(records(&paste), all, "{damage}");
    }
}

#[test]
fn what_is_not_set_is_none_and_a_set_of_one_has_no_brackets() {
    let text = "\
_uuid             : 51
bond_active_slave : []
bond_mode         : []
interfaces        : 0a51
lacp              : []
name              : uplink
other_config      : {}
_uuid             : 52
name              : another_table
";
    let wanted = PortRecord {
        name: Some("uplink".into()),
        interfaces: vec!["0a51".into()],
        ..PortRecord::default()
    };
    assert_eq!(records(text), [wanted]);
    assert!(records("name : bond51\ninterfaces : [1, 2]\n").is_empty());
}
