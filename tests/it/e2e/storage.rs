//! The storage NIC, which XAPI keeps: there and back on each kind of host.

use std::fs;

use serde_json::{Value, json};

use super::root::{Root, at_once};

const NIC: &[&str] =
    &["--kind", "managed", "--nic", "eth2", "--use", "storage", "--address", "172.16.51.11/24"];

const HOSTS: [(&str, &str); 4] =
    [("el5", "bridge"), ("el5", "openvswitch"), ("el7", "bridge"), ("el7", "openvswitch")];

fn with<'a>(words: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    words.iter().chain(NIC).chain(more).copied().collect()
}

fn pif(root: &Root) -> Value {
    root.state()["pool"]["pifs"]["xen01/eth2"].clone()
}

fn uuid(root: &Root) -> String {
    pif(root)["uuid"].as_str().unwrap().to_string()
}

/// Has the host's own `xe` run.
fn xe(root: &Root, args: &[&str]) {
    let output = std::process::Command::new(root.at("opt/xensource/bin/xe")).args(args).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{args:?}: {output:?}");
}

#[test]
fn a_storage_nic_comes_and_goes_without_a_reboot_on_each_kind_of_host() {
    at_once(HOSTS, |(flavour, backend)| {
        let root = Root::new(flavour, backend);
        let start = root.snapshot();
        let more = ["--mtu", "9000", "--route", "10.99.0.0/16 via 172.16.51.1"];
        let apply = with(&["apply", "--yes"], &more);
        root.exits(5, &with(&["plan", "--check"], &more));
        let done = root.exits(0, &apply);
        assert!(done.out.contains("Done"), "{done:?}");
        let kept = pif(&root);
        assert_eq!(kept["disallow_unplug"], true);
        assert_eq!(kept["other_config"]["management_purpose"], "Storage");
        assert_eq!(root.state()["dom0"]["addresses"]["xenbr2"], json!(["172.16.51.11/24"]));
        assert_eq!(root.state()["dom0"]["running"], backend, "it is not switched");

        let (stands, ran) = (root.snapshot(), root.changing().len());
        assert!(root.exits(0, &apply).out.contains("Nothing to do"));
        root.exits(0, &["apply", "eth2", "--yes"]);
        root.exits(0, &["verify"]);
        root.exits(0, &["verify", "eth2"]);
        root.exits(0, &["status"]);
        root.exits(0, &["plan", "eth2", "--check"]);
        let file = root.beside("eth2.ini");
        fs::write(&file, root.exits(0, &["spec", "eth2"]).out).unwrap();
        let again = root.exits(0, &["apply", "--yes", "--spec", &file]);
        assert!(again.out.contains("Nothing to do"), "{again:?}");
        let nagios = root.exits(0, &["verify", "--format", "nagios"]);
        assert!(nagios.out.starts_with("XENBOND OK - eth2 is as asked"), "{nagios:?}");
        let listed = &root.json(0, &["list"])["bonds"][0];
        assert_eq!(listed["name"], "eth2");
        assert_eq!((&listed["kind"], &listed["mode"]), (&json!("managed"), &Value::Null));
        assert_eq!(listed["rollback"], "takes 172.16.51.11/24 of eth2 back");
        assert_eq!((&listed["ok"], &listed["nics"]), (&json!(true), &json!(["eth2"])));
        let drill = root.exits(2, &["drill", "eth2", "--target", "172.16.51.2"]);
        assert!(drill.err.contains("eth2 is one NIC"), "{drill:?}");
        assert_eq!(root.changing().len(), ran, "{:?}", root.changing());
        stands.assert_same(&root, "asking again");

        let back = root.exits(0, &["rollback", "--yes"]);
        assert!(back.out.contains("Rolled back"), "{back:?}");
        start.assert_same(&root, "after the rollback");
        assert_eq!(root.own_files(), ["history", "lock"]);
        assert!(root.exits(0, &["rollback", "--yes"]).out.contains("Nothing to do"));
    });
}

#[test]
fn each_thing_that_others_change_makes_verify_say_so_and_a_second_apply_mends_it() {
    at_once([("el5", "bridge"), ("el7", "openvswitch")], |(flavour, backend)| {
        let root = Root::new(flavour, backend);
        let apply = with(&["apply", "--yes"], &["--mtu", "9000"]);
        root.exits(0, &apply);
        let of = format!("uuid={}", uuid(&root));
        let network =
            root.state()["pool"]["networks"]["xenbr2"]["uuid"].as_str().unwrap().to_string();
        let network = format!("uuid={network}");
        let other =
            ["pif-reconfigure-ip", &of, "mode=static", "IP=172.16.51.99", "netmask=255.255.255.0"];
        for (args, row) in [
            (&other[..], "eth2 address in XAPI"),
            (&["pif-reconfigure-ip", &of, "mode=none"], "address"),
            (&["pif-param-set", &of, "disallow-unplug=false"], "eth2 disallow-unplug"),
            (
                &["pif-param-set", &of, "other-config:management_purpose=Mine"],
                "eth2 management_purpose",
            ),
            (&["network-param-set", &network, "MTU=1500"], "network MTU"),
        ] {
            xe(&root, args);
            let failed = root.json(5, &["verify", "eth2"]);
            let checks = failed["checks"].as_array().unwrap();
            let bad: Vec<&Value> = checks.iter().filter(|c| c["ok"] == false).collect();
            assert!(bad.iter().any(|c| c["name"] == row), "{args:?}: {bad:#?}");
            assert_eq!(root.json(0, &["list"])["bonds"][0]["ok"], false);
            root.exits(5, &["status"]);
            root.exits(0, &apply);
            root.exits(0, &["verify"]);
        }
    });
}

#[test]
fn what_others_did_since_is_left_as_it_is_by_a_rollback() {
    let root = Root::new("el7", "bridge");
    root.exits(0, &with(&["apply", "--yes"], &["--mtu", "9000"]));
    let of = format!("uuid={}", uuid(&root));
    let other =
        ["pif-reconfigure-ip", &of, "mode=static", "IP=172.16.51.99", "netmask=255.255.255.0"];
    xe(&root, &other);
    xe(&root, &["pif-param-set", &of, "other-config:management_purpose=Mine"]);
    let back = root.exits(0, &["rollback", "--yes"]);
    assert!(back.err.contains("what others made of it"), "{back:?}");
    let kept = pif(&root);
    assert_eq!(kept["ip"], "172.16.51.99");
    assert_eq!(kept["other_config"]["management_purpose"], "Mine");
    assert_eq!(kept["disallow_unplug"], false, "that was ours");
    assert_eq!(root.state()["pool"]["networks"]["xenbr2"]["mtu"], 1500);
}

#[test]
fn a_route_that_went_comes_back_with_the_rollback() {
    let root = Root::new("el7", "bridge");
    root.exits(0, &with(&["apply", "--yes"], &["--route", "10.99.0.0/16 via 172.16.51.1"]));
    let stands = root.snapshot();
    root.exits(0, &with(&["apply", "--yes"], &[]));
    let routes = root.state()["dom0"]["routes"].to_string();
    assert!(!routes.contains("10.99.0.0/16"), "XAPI takes none away: {routes}");
    root.exits(0, &["verify"]);
    root.exits(0, &["rollback", "--yes"]);
    stands.assert_same(&root, "after the rollback");
    root.exits(0, &["verify"]);
}

#[test]
fn it_is_removed_with_and_without_a_record() {
    for recorded in [true, false] {
        let root = Root::new("el7", "openvswitch");
        let start = root.snapshot();
        root.exits(0, &with(&["apply", "--yes"], &[]));
        if !recorded {
            let file = root.exits(0, &["spec", "eth2"]).out;
            fs::rename(root.at("var/lib/xenbond"), root.beside("gone")).unwrap();
            assert_eq!(root.exits(0, &["spec", "eth2"]).out, file, "XAPI tells the same");
        }
        root.exits(0, &["remove", "eth2", "--yes"]);
        start.assert_same(&root, &format!("recorded: {recorded}"));
        assert!(
            root.exits(
                0,
                &["remove", "eth2", "--yes", "--spec", &{
                    let file = root.beside("nic.ini");
                    fs::write(
                        &file,
                        "[bond]\nkind=managed\nnics=eth2\nuse=storage\naddress=172.16.51.11/24\n",
                    )
                    .unwrap();
                    file
                }]
            )
            .out
            .contains("Nothing to do")
        );
    }
}

#[test]
fn the_script_takes_a_storage_nic_back_without_the_program() {
    at_once([("el5", "openvswitch"), ("el7", "bridge")], |(flavour, backend)| {
        let patch = json!({"pool": {"pifs": {"xen01/eth2": {"other_config": {"management_purpose": "it's \"mine\""}}}}});
        let root = Root::patched(flavour, backend, &patch);
        let start = root.snapshot();
        let more = ["--mtu", "9000", "--route", "10.99.0.0/16 via 172.16.51.1"];
        root.exits(0, &with(&["apply", "--yes"], &more));
        for _ in 0..2 {
            let said = root.undo_sh();
            start.assert_same(&root, &said);
        }
        root.exits(0, &["rollback", "--yes"]);
        start.assert_same(&root, "rollback after the script");
    });
}

#[test]
fn a_run_killed_at_a_line_of_its_journal_can_go_both_ways() {
    at_once([("el5", "bridge"), ("el7", "openvswitch")], |(flavour, backend)| {
        let apply = with(&["apply", "--yes"], &["--mtu", "9000"]);
        for (line, by) in [("3", "resume"), ("4+", "rollback"), ("6", "rollback"), ("7+", "resume")]
        {
            let root = Root::new(flavour, backend);
            let start = root.snapshot();
            assert!(root.dies_at(line, &apply), "line {line}");
            root.exits(0, if by == "resume" { &["resume"] } else { &["rollback", "--yes"] });
            if by == "resume" {
                root.exits(0, &["verify"]);
                assert!(root.dies_at("2", &["rollback", "--yes"]), "its rollback");
                root.exits(0, &["rollback", "--yes"]);
            }
            start.assert_same(&root, &format!("{flavour}, line {line}, {by}"));
        }
    });
}
