//! What the two files on disk tell, and what they are worth where they are cut, of another form, or
//! not where XAPI writes.

use std::fs;

use super::*;
use crate::dom0::Dom0;
use crate::model::state::{Backend, Flavour};

const DATABASE: &str = "var/lib/xcp/state.db";
const HOST: &str = "156a7ca7-f672-c98b-8db0-c12173e13940";

fn dom0() -> Dom0 {
    Dom0::new(Flavour::El7, Backend::Bridge)
}

fn put(dom0: &Dom0, path: &str, text: &str) {
    let path = dom0.root().join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// A database with these rows, between the tables that are of no interest.
fn database(rows: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?>\n<database><manifest/><table name=\"VM\"><row ref=\"OpaqueRef:9\" device=\"eth2\"/></table><table name=\"host\"><row ref=\"OpaqueRef:1\" uuid=\"{HOST}\"/></table><table name=\"PIF\">{rows}</table></database>\n"
    )
}

fn rows(text: &str, nics: &[&str]) -> Option<Vec<(String, String)>> {
    let dom0 = dom0();
    put(&dom0, DATABASE, text);
    let database = Stores::read(&dom0.host, nics).database?;
    let host: Uuid = HOST.parse().unwrap();
    let all = nics.iter().flat_map(|nic| database.of(&host, nic));
    let word = |row: &Row, field: &str| row.get(field).unwrap_or("-").to_string();
    Some(all.map(|row| (word(row, "uuid"), word(row, "other_config"))).collect())
}

#[test]
fn the_records_of_a_nic_of_this_host_are_read_and_no_others() {
    let row = |uuid: &str, rest: &str| format!("<row ref=\"OpaqueRef:x\" uuid=\"{uuid}\" {rest}/>");
    let here = "host=\"OpaqueRef:1\"";
    for (text, want) in [
        (row("a", &format!("device=\"eth2\" VLAN=\"-1\" {here}")), &[("a", "-")][..]),
        (row("a", &format!("device='eth2' VLAN='-1' {here}")), &[("a", "-")]),
        // A VLAN of it, another NIC's, another host's.
        (row("a", &format!("device=\"eth2\" VLAN=\"50\" {here}")), &[]),
        (row("a", &format!("device=\"eth20\" VLAN=\"-1\" {here}")), &[]),
        (
            format!(
                "</table><table name=\"host\"><row ref=\"OpaqueRef:2\" uuid=\"{}\"/></table><table name=\"PIF\">{}",
                HOST.replace('1', "2"),
                row("a", "device=\"eth2\" VLAN=\"-1\" host=\"OpaqueRef:2\"")
            ),
            &[],
        ),
        // White space and marks as XAPI writes them.
        (
            row(
                "a",
                &format!(
                    "device=\"eth2\" {here} other_config=\"(('a%.b'%.'1%n&lt;&quot;%%&amp;amp;'))\""
                ),
            ),
            &[("a", "(('a b' '1\n<\"%&amp;'))")],
        ),
        (
            [
                row("a", &format!("device=\"eth2\" {here}")),
                row("b", &format!("device=\"eth2\" {here}")),
            ]
            .concat(),
            &[("a", "-"), ("b", "-")],
        ),
    ] {
        let found = rows(&database(&text), &["eth2"]).unwrap();
        let found: Vec<(&str, &str)> =
            found.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        assert_eq!(found, want, "{text}");
    }
}

#[test]
fn a_file_that_does_not_tell_all_tells_nothing() {
    let whole =
        database("<row ref=\"OpaqueRef:x\" uuid=\"a\" device=\"eth2\" host=\"OpaqueRef:1\"/>");
    assert!(rows(&whole, &["eth2"]).is_some());
    for text in
        ["", "\u{1f}\u{8b}compressed", &whole[..whole.len() / 2], &whole[..whole.len() - 12]]
    {
        assert_eq!(rows(text, &["eth2"]), None, "{text}");
    }
}

#[test]
fn where_xapi_writes_is_what_db_conf_says() {
    let there = |change: &dyn Fn(&Dom0)| {
        let dom0 = dom0();
        change(&dom0);
        Stores::read(&dom0.host, &["eth2"]).database.is_some()
    };
    assert!(there(&|_| ()));
    assert!(there(&|d| put(d, "etc/xensource/db.conf", "# x\n[ /x ]\n [/var/lib/xcp/state.db]\n")));
    assert!(!there(&|d| put(d, "etc/xensource/db.conf", "[/var/lib/xcp/other.db]\n")));
    assert!(!there(&|d| fs::remove_file(d.root().join("etc/xensource/db.conf")).unwrap()));
    for (reason, tells) in
        [("HA metadata VDI", false), ("general metadata VDI\n", false), ("HA statefile", true)]
    {
        assert_eq!(
            there(&|d| put(d, "etc/xensource/static-vdis/7/reason", reason)),
            tells,
            "{reason}"
        );
    }
    assert!(there(&|d| {
        put(d, "etc/xensource/static-vdis/7/reason", "HA metadata VDI");
        put(d, "etc/xensource/static-vdis/7/delete-next-boot", "");
    }));
}

#[test]
fn it_is_read_again_when_another_generation_was_written() {
    let dom0 = dom0();
    let uuids = |stores: &Stores| {
        let database = stores.database.as_ref().unwrap();
        database.of(&HOST.parse().unwrap(), "eth2").len()
    };
    let stores = Stores::read(&dom0.host, &["eth2"]);
    assert_eq!(uuids(&stores), 1);
    put(&dom0, DATABASE, &database(""));
    let stores = stores.again(&dom0.host, &["eth2"]);
    assert_eq!(uuids(&stores), 1, "the same generation is the same text");
    put(&dom0, "var/lib/xcp/state.db.generation", "999999\n");
    assert_eq!(uuids(&stores.again(&dom0.host, &["eth2"])), 0);
}

#[test]
fn networkd_is_missing_of_another_form_or_tells_the_bridges() {
    let read = |text: Option<&str>| {
        let dom0 = dom0();
        let path = dom0.root().join("var/lib/xcp/networkd.db");
        match text {
            Some(text) => fs::write(path, text).unwrap(),
            None => fs::remove_file(path).unwrap(),
        }
        Stores::read(&dom0.host, &[]).networkd
    };
    assert_eq!(read(None), Networkd::Missing);
    for text in ["", "{", "[]", "{\"interface_config\":{}}", "{\"bridge_config\":[]}"] {
        assert_eq!(read(Some(text)), Networkd::Unreadable, "{text}");
    }
    let known = read(Some(
        "{\"bridge_config\":{\"xenbr2\":{\"ports\":{\"eth2\":{\"interfaces\":[\"eth2\"]}}},\"xapi1\":{\"ports\":{\"bond0\":{\"interfaces\":[\"eth0\",\"eth1\"]}}},\"xenbr9\":{}}}",
    ));
    for (nic, bridge) in [("eth2", Some("xenbr2")), ("eth1", Some("xapi1")), ("bond0", None)] {
        assert_eq!(known.bridge_of(nic), bridge);
    }
    assert_eq!(known.addresses_of("xenbr2"), None, "nothing tells");
    for (conf, want) in [
        ("\"None4\"", Some(vec![])),
        (
            "[\"Static4\",[[\"172.16.51.11\",24],[\"10.0.0.1\",8]]]",
            Some(vec!["10.0.0.1/8", "172.16.51.11/24"]),
        ),
        ("\"DHCP4\"", None),
        ("[\"Static4\",[[\"172.16.51.11\"]]]", None),
        ("{}", None),
    ] {
        let read = read(Some(&format!(
            "{{\"interface_config\":{{\"xenbr2\":{{\"ipv4_conf\":{conf}}}}},\"bridge_config\":{{\"xenbr2\":{{\"ports\":{{}}}}}}}}"
        )));
        let all = read.addresses_of("xenbr2");
        let all = all.map(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(all, want.map(|w| w.iter().map(ToString::to_string).collect()), "{conf}");
    }
}
