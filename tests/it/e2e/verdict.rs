//! One verdict, in every state: what `apply`, `verify`, `status`, nagios and `plan` say of the same
//! host is the same, and what is not known is not said.

use std::fs;

use serde_json::{Value, json};

use super::root::{Root, Run, at_once, until, with_spec};

const SERVER: &str = "172.16.51.2";
/// Nobody has this address.
const NOBODY: &str = "172.16.51.99";

fn silent(root: &Root) {
    root.set(&json!({"dom0": {"wire": {"answers": {SERVER: null}, "reachable": []}}}));
}

fn names(rows: &Value, ok: bool) -> Vec<&str> {
    let rows = rows["checks"].as_array().unwrap().iter();
    rows.filter(|row| row["ok"] == ok).map(|row| row["name"].as_str().unwrap()).collect()
}

/// Says none of what would be said of a bond that is there and wrong.
fn invents_nothing(run: &Run) {
    for words in ["ifup bond51", "is missing", "managed by XAPI", "being rolled back"] {
        assert!(!run.out.contains(words) && !run.err.contains(words), "{words}: {run:?}");
    }
}

/// To the end of its time the verification waits in real time: all who see that do so at once.
#[test]
fn what_is_waited_for_in_vain_is_judged_at_the_end_of_its_time() {
    let all: [fn(); 3] = [
        a_server_that_was_asked_for_must_answer_though_it_did_not_before,
        what_was_accepted_by_name_does_not_fail_the_same_run,
        what_follows_from_an_accepted_warning_does_not_fail_the_run_either,
    ];
    at_once(all, |test| test());
}

fn a_server_that_was_asked_for_must_answer_though_it_did_not_before() {
    at_once([&[][..], &["--mtu", "9000"]], |mtu| {
        let root = Root::new("el7", "bridge");
        if mtu.is_empty() {
            silent(&root);
        } else {
            root.set(&json!({"dom0": {"wire": {"mtu": 1500}}}));
        }
        let start = root.snapshot();
        let apply = [&["apply", "--yes", "--probe", SERVER][..], mtu].concat();
        let failed = root.json(3, &with_spec(&apply));
        assert_eq!(failed["result"], "rolled-back", "{failed}");
        let error = failed["error"].as_str().unwrap();
        assert!(error.contains(SERVER) && error.contains("no answer"), "{error}");
        start.assert_same(&root, "after the rollback");
    });
}

#[test]
fn a_server_that_falls_silent_is_the_same_fault_in_every_command() {
    let root = Root::new("el7", "bridge");
    root.exits(0, &with_spec(&["apply", "--yes", "--probe", SERVER]));
    root.exits(0, &["verify"]);
    silent(&root);
    let verify = root.json(5, &["verify"]);
    assert_eq!(names(&verify, false), [format!("ARP {SERVER}"), format!("ping {SERVER}")]);
    let status = root.json(5, &["status"]);
    assert_eq!((&status["ok"], &status["bonds"][1]["as_asked"]), (&json!(false), &json!(false)));
    let nagios = root.exits(2, &["verify", "--format", "nagios"]);
    assert!(nagios.out.contains(&format!("ping {SERVER}")), "{nagios:?}");
    let again = root.exits(1, &with_spec(&["apply", "--yes", "--probe", SERVER]));
    assert!(again.err.contains("does not work as asked"), "{again:?}");
}

#[test]
fn an_optional_server_is_only_reported() {
    let root = Root::new("el7", "bridge");
    let applied = root.exits(0, &with_spec(&["apply", "--yes", "--probe-optional", NOBODY]));
    assert!(applied.err.contains("which is only reported"), "{applied:?}");
    let verify = root.json(0, &["verify"]);
    assert_eq!(names(&verify, false).len(), 2, "{verify}");
    let rows = verify["checks"].as_array().unwrap();
    assert!(rows.iter().all(|row| row["ok"] == row["required"]), "{verify}");
    assert!(rows.iter().all(|row| row["bond"] == "bond51"), "{verify}");
    assert!(root.exits(0, &["verify"]).out.contains("no   "), "told apart from a fault");
    root.exits(0, &["status"]);
    root.exits(0, &["verify", "--format", "nagios"]);
    root.exits(0, &with_spec(&["apply", "--yes", "--probe-optional", NOBODY]));
}

#[test]
fn what_waits_for_a_reboot_is_not_judged_as_if_it_were_there() {
    let root = Root::new("el7", "openvswitch");
    root.exits(6, &with_spec(&["apply", "--yes"]));
    let words = "waits for a reboot: bond51 is not made yet";
    for args in [&["verify"][..], &["verify", "bond51"], &with_spec(&["verify"])] {
        let run = root.exits(5, args);
        assert!(run.out.contains(words), "{run:?}");
        invents_nothing(&run);
    }
    let verify = root.json(5, &["verify"]);
    assert_eq!((names(&verify, false), names(&verify, true).len()), (vec!["change"], 0));
    let status = root.exits(5, &["status"]);
    assert!(status.out.contains("waiting for a reboot"), "{status:?}");
    assert!(!status.out.contains("NOT as asked"), "{status:?}");
    invents_nothing(&status);
    let nagios = root.exits(1, &["verify", "--format", "nagios"]);
    assert!(nagios.out.contains(words), "{nagios:?}");
    let plan = root.exits(0, &with_spec(&["plan"]));
    assert!(plan.out.contains(words) && !plan.out.contains("Steps:"), "{plan:?}");
}

#[test]
fn what_a_rollback_left_is_listed_with_the_command_for_each_also_later() {
    let root = Root::new("el7", "bridge");
    let start = root.snapshot();
    root.apply();
    let kept = root.json(0, &with_spec(&["apply", "--yes"]));
    for list in ["pending", "not_saved", "left"] {
        assert_eq!(kept[list], json!([]), "{list}");
    }
    root.lie("xe pif-introduce", "fails", 9, 0);
    let ended = root.json(4, &["rollback", "--yes"]);
    let left = ended["left"].as_array().unwrap();
    assert_eq!(left.len(), 2, "{ended}");
    for (left, nic) in left.iter().zip(["eth3", "eth2"]) {
        assert!(left["what"].as_str().unwrap().contains(nic), "{left}");
        let command = left["command"].as_str().unwrap();
        assert!(command.starts_with("xe pif-introduce ") && command.contains(nic), "{left}");
    }
    let status = root.json(5, &["status"]);
    assert_eq!(status["transaction"]["left"], ended["left"]);
    let status = root.exits(5, &["status"]);
    // Whole: it is there to be copied.
    for left in left {
        let command = format!("    $ {}\n", left["command"].as_str().unwrap());
        assert!(status.out.contains(&command), "{status:?}");
    }
    invents_nothing(&status);
    let verify = root.exits(5, &["verify"]);
    assert!(verify.out.contains("rolled back, 2 things left"), "{verify:?}");
    invents_nothing(&verify);
    root.lies_no_more();
    assert_eq!(root.json(0, &["rollback", "--yes"])["left"], json!([]));
    start.assert_same(&root, "after the second try");
    let gone = root.exits(1, &["verify", "bond51"]);
    assert!(gone.err.contains("bond51 was rolled back"), "{gone:?}");
}

#[test]
fn a_bond_that_waits_for_its_reboot_is_not_removed_as_if_it_would_not_come() {
    let root = Root::new("el7", "openvswitch");
    root.exits(6, &with_spec(&["apply", "--yes"]));
    let run = root.exits(1, &["remove", "bond51", "--yes"]);
    assert!(run.err.contains("xenbond rollback"), "{run:?}");
    root.exits(0, &["rollback", "--yes"]);
    root.exits(0, &["remove", "bond51", "--yes"]);
}

#[test]
fn without_xapi_nothing_is_claimed() {
    let root = Root::new("el7", "bridge");
    root.set(&json!({"dom0": {"xapi": "down"}}));
    let plan = root.exits(1, &with_spec(&["plan"]));
    for words in ["Steps:", "without a reboot", "No VM runs here", "Nothing to do"] {
        assert!(!plan.out.contains(words), "{words}: {plan:?}");
    }
    let document = root.json(1, &with_spec(&["plan"]));
    assert_eq!((&document["vms"], &document["reboot"]), (&json!(null), &json!(null)));
    let status = root.exits(0, &["status"]);
    let eth2 = status.out.lines().find(|line| line.starts_with("eth2 ")).unwrap();
    assert!(eth2.contains('?'), "{eth2}");
}

#[test]
fn a_text_that_is_no_bond_is_refused_and_one_of_several_is_read_whole() {
    let root = Root::new("el7", "bridge");
    root.apply();
    let one = fs::read_to_string(root.at("proc/net/bonding/bond51")).unwrap();
    let two = one.clone() + "\n" + &one.replace("eth2", "eth6").replace("eth3", "eth7");
    let utf16: Vec<u8> = one.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let quoted = one.lines().map(|line| format!("> {line}\n")).collect::<String>();
    for (name, bytes) in [
        ("empty", Vec::new()),
        ("another", b"eth2: flags=4163<UP>  mtu 1500\n".to_vec()),
        ("utf16", utf16),
        ("quoted", quoted.into_bytes()),
    ] {
        let file = root.beside(name);
        fs::write(&file, bytes).unwrap();
        let run = root.exits(1, &["show", &file]);
        assert!(run.out.is_empty() && run.err.contains("says nothing of a bond"), "{run:?}");
    }
    let file = root.beside("two");
    fs::write(&file, two).unwrap();
    let shown = root.json(0, &["show", &file]);
    let slaves = |at: usize| shown["bonds"][at]["slaves"][0]["name"].as_str().unwrap();
    assert_eq!(
        (shown["bonds"].as_array().unwrap().len(), slaves(0), slaves(1)),
        (2, "eth2", "eth6")
    );
}

#[test]
fn a_bond_of_xapi_is_shown_under_open_vswitch_too() {
    let root = Root::new("el7", "openvswitch");
    let shown = root.json(0, &["show"]);
    assert_eq!(
        (&shown["bonds"][0]["name"], &shown["bonds"][0]["mode"]),
        (&json!("bond0"), &json!("balance-slb"))
    );
    assert_eq!(shown["bonds"][0]["slaves"].as_array().unwrap().len(), 2);
    assert_eq!(shown["bonds"][0]["mii_status"], json!(null), "XAPI does not say");
    assert_eq!(root.json(0, &["show", "bond0"])["bonds"], shown["bonds"], "by its name too");
    root.exits(1, &["show", "bond1"]);
}

#[test]
fn what_open_vswitch_says_is_shown_beside_what_the_kernel_says() {
    let root = Root::new("el7", "bridge");
    root.apply();
    let kernel = fs::read_to_string(root.at("proc/net/bonding/bond51")).unwrap();
    let slaves = "\nmember eth6: enabled\n  active member\n  may_enable: true\n\n\
                  member eth7: disabled\n  updelay expires in 900 ms\n  may_enable: true\n";
    let bond = format!("---- bond0 ----\nbond_mode: balance-slb\nlacp_status: off\n{slaves}\n");
    let lacp = "---- bond1 ----\n  status: active negotiated\n\nmember: eth8: current attached\n";
    let shown = |name: &str, text: &str| {
        let file = root.beside(name);
        fs::write(&file, text).unwrap();
        let tables = root.exits(0, &["show", &file]).out;
        (root.json(0, &["show", &file]), tables)
    };
    let (document, tables) = shown("all", &format!("{bond}{lacp}{kernel}{bond}"));
    let names: Vec<_> = document["bonds"].as_array().unwrap().iter().map(|b| &b["name"]).collect();
    assert_eq!(names, [&json!(null), &json!("bond0"), &json!("bond0")], "{document}");
    assert_eq!(document["bonds"][1]["slaves"][1]["may_enable"], true);
    assert_eq!(document["lacp"][0]["slaves"][0]["attached"], true);
    for words in ["active slave    eth2", "used in 900 ms", "LACP            active negotiated"] {
        assert!(tables.contains(words), "{words}: {tables}");
    }
    let (document, _) = shown("ovs", &bond.replace('\n', "\r\n"));
    assert_eq!(document["bonds"].as_array().unwrap().len(), 1);
    assert_eq!(document["lacp"], json!([]));

    let file = root.beside("vsctl");
    fs::write(&file, "Bridge xapi1\n  Port bond0\n    Interface eth6\n    Interface eth7\n")
        .unwrap();
    let run = root.exits(1, &["show", &file]);
    assert!(run.out.is_empty() && run.err.contains("names bond0 and says nothing"), "{run:?}");
    assert!(run.err.contains("ovs-appctl bond/show bond0"), "{run:?}");
}

#[test]
fn a_hint_is_one_that_xapi_takes() {
    let root = Root::new("el7", "bridge");
    root.set(&json!({
        "pool": {"pifs": {"xen01/eth2": {"managed": false, "currently_attached": false}}},
        "dom0": {
            "nics": {"eth2": {"master": null}},
            "devices": {"xenbr2": null},
            "addresses": {"eth2": ["172.16.60.11/24"]},
            "routes": {"172.16.60.0/24 eth2": {"to": "172.16.60.0/24", "dev": "eth2", "via": null, "metric": 0}},
        },
    }));
    let plan = root.exits(1, &with_spec(&["plan"]));
    assert!(plan.out.contains("ip addr del 172.16.60.11/24 dev eth2"), "{plan:?}");
    assert!(!plan.out.contains("pif-reconfigure-ip"), "{plan:?}");
    let root = Root::new("el7", "bridge");
    root.set(&json!({"pool": {"pifs": {"xen01/eth2": null}}}));
    let plan = root.exits(1, &with_spec(&["plan"]));
    let hint = plan.out.lines().rfind(|line| line.contains("xe pif-introduce")).unwrap();
    assert!(hint.contains("device=eth2") && hint.ends_with("managed=false"), "{hint}");
}

/// XAPI tells a PIF's IPv6 settings, and a forget loses them.
#[test]
fn ipv6_settings_of_a_pif_are_refused_before_they_are_lost() {
    let root = Root::new("el7", "bridge");
    let start = root.snapshot();
    let uuid = root.state()["pool"]["pifs"]["xen01/eth3"]["uuid"].as_str().unwrap().to_string();
    for mode in ["Static", "DHCP", "Autoconf"] {
        let told = format!(
            "/^uuid .*{uuid}/,/^$/{{ s/(IPv6-configuration-mode .*: )None/\\1{mode}/; s/( IPv6 .*: ).*/\\1fd00:51::3\\/64/ }}"
        );
        root.wrap(
            "opt/xensource/bin/xe",
            &format!("\"$real\" \"$@\" | sed -E '{told}'\nexit \"${{PIPESTATUS[0]}}\"\n"),
        );
        let run = root.exits(1, &with_spec(&["apply", "--yes"]));
        let said = format!("IPv6 configuration mode {} (fd00:51::3/64)", mode.to_lowercase());
        assert!(run.err.contains(&said), "{run:?}");
        let hint = format!("xe pif-reconfigure-ipv6 uuid={uuid} mode=none");
        assert!(run.err.contains(&hint), "{run:?}");
    }
    root.unwrap_program("opt/xensource/bin/xe");
    start.assert_same(&root, "refused");
}

fn what_was_accepted_by_name_does_not_fail_the_same_run() {
    let root = Root::new("el7", "bridge");
    let link = |up: bool| json!({"dom0": {"nics": {"eth3": {"link": up}}}});
    root.set(&link(false));
    let apply = with_spec(&["apply", "--yes", "--accept", "nic-no-link"]);
    let applied = root.json(5, &apply);
    assert_eq!(applied["result"], "done", "{applied}");
    let pending = applied["pending"].as_array().unwrap();
    assert!(pending.iter().any(|p| p["what"].as_str().unwrap().starts_with("eth3 link")));
    let again = root.json(5, &apply);
    assert_eq!(
        (&again["result"], &again["pending"]),
        (&json!("nothing-to-do"), &applied["pending"])
    );
    root.exits(5, &["verify"]);
    root.set(&link(true));
    root.exits(0, &["verify"]);
    assert_eq!(root.json(0, &apply)["pending"], json!([]));
}

/// What follows from a link that is not there yet: a primary that carries nothing, servers that do
/// not answer through a bond without any.
fn what_follows_from_an_accepted_warning_does_not_fail_the_run_either() {
    let accept = ["apply", "--yes", "--accept", "nic-no-link"];
    let server = json!({"dom0": {"wire": {"reachable": ["172.16.51.2"]}}});
    let cases = [
        (&["eth3"][..], &["--primary", "eth3"][..], "active slave: expected eth3"),
        (&["eth2", "eth3"], &["--probe", "172.16.51.2", "--primary", "eth2"], "ping 172.16.51.2"),
    ];
    at_once(cases, |(down, more, waits)| {
        let link = |up: bool| {
            let nics: serde_json::Map<String, Value> =
                down.iter().map(|nic| ((*nic).to_string(), json!({"link": up}))).collect();
            json!({"dom0": {"nics": nics}})
        };
        let root = Root::patched("el7", "bridge", &server);
        root.set(&link(false));
        let applied = root.json(5, &with_spec(&[&accept[..], more].concat()));
        assert_eq!(applied["result"], "done", "{applied}");
        let pending = applied["pending"].as_array().unwrap();
        assert!(
            pending.iter().any(|p| p["what"].as_str().unwrap().starts_with(waits)),
            "{applied}"
        );
        root.exits(5, &["verify"]);
        root.exits(5, &with_spec(&[&accept[..], more].concat()));
        root.set(&link(true));
        until("the links", || root.xenbond(&["verify"]).code == 0);
    });
}

#[test]
fn what_was_accepted_and_is_not_so_is_5_in_every_command_that_keeps_the_change() {
    let down = json!({"dom0": {"nics": {"eth3": {"link": false}}, "xapi_start": 0}});
    let root = Root::patched("el7", "bridge", &down);
    let accept = ["apply", "--yes", "--accept", "nic-no-link"];
    root.exits(6, &with_spec(&[&accept[..], &["--confirm-within", "10m"]].concat()));
    let confirmed = root.json(5, &["confirm"]);
    assert_eq!(confirmed["result"], "done", "{confirmed}");
    let pending = confirmed["pending"].as_array().unwrap();
    assert!(pending.iter().any(|p| p["what"].as_str().unwrap().starts_with("eth3 link")));

    // The power goes before XAPI has written: the boot mends it, and the link is still missing.
    let never = json!({"saves": {"xapi": 3_600_000, "networkd": 3_600_000}});
    let root = Root::patched("el7", "bridge", &down);
    root.set(&json!({"dom0": never}));
    let run = root.start(&with_spec(&accept));
    let journal =
        || fs::read_to_string(root.at("var/lib/xenbond/current/journal")).unwrap_or_default();
    until("the wait", || journal().lines().last().is_some_and(|l| l.contains("\"saving\"")));
    run.kill();
    let back = root.start(&["resume", "--json"]);
    root.set(&json!({"dom0": {"saves": {"xapi": 0, "networkd": 0}}}));
    let back = back.end();
    assert_eq!(back.code, 5, "{back:?}");
    assert!(back.out.contains("eth3 link"), "{back:?}");
}
