//! A spec to start from, on hosts that have free NICs and hosts that have not.

use std::fs;

use serde_json::{Value, json};

use super::changes::with_free_nics;
use super::root::{Root, with_spec};

fn devices(nics: &Value) -> Vec<&str> {
    nics.as_array().unwrap().iter().map(|nic| nic["device"].as_str().unwrap()).collect()
}

#[test]
fn a_spec_to_start_from_wants_only_an_address() {
    let root = with_free_nics("el7", "bridge");
    root.set(&json!({"dom0": {"nics": {"eth3": {"link": false}}}}));
    let text = root.exits(0, &["init"]).out;
    for line in [
        ";   eth2  00:1b:21:0a:01:02  10000 Mb/s  ixgbe\n",
        ";   eth3  00:1b:21:0a:01:03  no link  ixgbe\n",
        ";   eth0  00:1b:21:0a:01:00  10000 Mb/s  ixgbe  management; 10.20.0.11/24\n",
        "\nname = bond51\nnics = eth2, eth4\n",
    ] {
        assert!(text.contains(line), "no `{line}` in {text}");
    }
    let file = root.beside("bond.ini");
    fs::write(&file, &text).unwrap();
    let refused = root.exits(2, &["plan", "--spec", &file]);
    assert!(refused.err.contains("address"), "{refused:?}");
    let given = text.replace("; address = ", "address = ");
    fs::write(&file, given.replace("eth4", "eth3").replace("; mtu", "mtu")).unwrap();
    root.exits(1, &["apply", "--yes", "--spec", &file]);
    fs::write(&file, given).unwrap();
    root.exits(0, &["apply", "--yes", "--spec", &file]);
    let after = root.json(0, &["init"]);
    assert_eq!(devices(&after["free"]), ["eth3", "eth5"]);
    let held = after["held"].as_array().unwrap();
    let eth2 = held.iter().find(|nic| nic["device"] == "eth2").unwrap();
    assert!(eth2["used_by"][0].as_str().unwrap().starts_with("slave of bond51"), "{eth2}");
    let spec = after["spec"].as_str().unwrap();
    assert!(spec.contains("name = bond52\nnics = eth3, eth5\n"), "{spec}");
    // Nothing was changed by looking.
    root.exits(0, &["verify"]);
}

#[test]
fn where_no_two_are_free_or_xapi_is_silent_none_is_called_so() {
    let root = Root::new("el5", "bridge");
    root.apply();
    let text = root.exits(0, &["init"]).out;
    assert!(text.contains("; A bond needs two NICs or more.\n; nics = "), "{text}");
    root.lie("xe", "fails", 1000, 0);
    let unknown = root.exits(1, &["init"]);
    assert!(unknown.err.contains("unknown, since XAPI does not answer"), "{unknown:?}");
    assert_eq!(unknown.out, "");
    root.lies_no_more();
    root.exits(0, &with_spec(&["verify"]));
}
