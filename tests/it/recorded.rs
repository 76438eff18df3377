//! Inventories that somebody has damaged: no panic, no file outside the model's own folder, and an
//! end.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use xenbond::engine;
use xenbond::inventory::{Ask, Inventory, resolve};
use xenbond::model::scratch;
use xenbond::model::state::{Backend, Flavour};
use xenbond::preflight;
use xenbond::rehearse::recorded;

use crate::dom0::{Dom0, request};

/// A path for each kind of place in a document: of the members of a list or a map with names of a
/// host only the first.
fn places(value: &Value, at: &str, kind: &str, seen: &mut BTreeSet<String>, all: &mut Vec<String>) {
    if !kind.is_empty() && seen.insert(kind.to_string()) {
        all.push(at.to_string());
    }
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let named = key.contains(['/', '-', '.'])
                    || key.chars().any(|c| c.is_ascii_digit() || c.is_ascii_uppercase());
                let part = if named { "*" } else { key };
                let key = key.replace('~', "~0").replace('/', "~1");
                places(value, &format!("{at}/{key}"), &format!("{kind}/{part}"), seen, all);
            }
        }
        Value::Array(list) => {
            for (n, value) in list.iter().enumerate() {
                places(value, &format!("{at}/{n}"), &format!("{kind}/*"), seen, all);
            }
        }
        _ => {}
    }
}

/// Whatever it is, it is refused or makes a host.
fn take(text: &str, outside: &Path) -> bool {
    let Ok(inv) = Inventory::of_document(text.as_bytes()) else { return false };
    let Ok(spec) = request(&[]).for_host(&inv.names()) else { return false };
    let _ = preflight::check(&spec, &resolve(&spec, &inv), &inv);
    let folder = tempfile::tempdir_in(outside).unwrap();
    let root = folder.path().join("root");
    fs::create_dir(&root).unwrap();
    let Ok(model) = recorded::create(&root, &inv, &spec) else { return false };
    let dom0 = Dom0::around(model);
    let _ = engine::look(&dom0.host, &request(&[]));
    dom0.model.reboot().unwrap();
    let _ = engine::look(&dom0.host, &request(&[]));
    let beside = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(beside, 1, "a file was written outside the root");
    true
}

#[test]
fn a_damaged_inventory_is_refused_or_makes_a_host() {
    let dom0 = Dom0::new(Flavour::El7, Backend::Bridge);
    let scripts = "etc/sysconfig/network-scripts";
    fs::write(dom0.at(scripts).join("ifcfg-old"), "DEVICE=old\n").unwrap();
    std::os::unix::fs::symlink("ifcfg-old", dom0.at(scripts).join("ifcfg-link")).unwrap();
    let ask = Ask { every_nic: true, driver: true, tuning: true, ..Ask::default() };
    let whole = Inventory::read(&dom0.host, ask).unwrap().to_document().unwrap();
    let mut all = Vec::new();
    places(&whole, "", "", &mut BTreeSet::new(), &mut all);
    assert!(all.len() > 100, "{all:?}");
    let outside = scratch().unwrap();
    assert!(take(&whole.to_string(), outside.path()), "the whole document makes no host");
    let (mut made, mut refused) = (0, 0);
    for at in &all {
        let scraps = match whole.pointer(at).unwrap() {
            Value::String(_) => vec![json!("../../x\n$(reboot)'\""), json!("/../../../x")],
            Value::Number(_) => vec![json!(-1), json!(u64::from(u32::MAX))],
            Value::Bool(yes) => vec![json!(!yes)],
            _ => vec![],
        };
        for scrap in scraps.into_iter().chain([Value::Null]) {
            let mut value = whole.clone();
            *value.pointer_mut(at).unwrap() = scrap;
            if take(&value.to_string(), outside.path()) { made += 1 } else { refused += 1 }
        }
    }
    for name in ["..", "../x", "a/b", "", ".", "/", "x\0", "a-name-that-is-far-too-long-for-it"] {
        for map in ["devices", "bonds"] {
            let mut value = whole.clone();
            let devices = value["kernel"][map].as_object_mut().unwrap();
            let first = devices.values().next().unwrap().clone();
            devices.insert(name.into(), first);
            take(&value.to_string(), outside.path());
        }
    }
    let link = |target: &str| json!({"kind": "link", "target": target});
    let file =
        json!({"kind": "file", "bytes": "x", "mode": 420, "uid": 0, "gid": 0, "mtime": null});
    let out = outside.path().to_str().unwrap();
    for (one, two) in [
        (("/etc/x", link(out)), ("/etc/x/y", file.clone())),
        (("/etc/x", link("../../..")), ("/etc/x/y", file.clone())),
        (("/etc/modprobe.d/x.conf", link("../../../../y")), ("/../y", file.clone())),
        (
            ("/etc/modprobe.d/blacklist-bridge.conf", link(&format!("{out}/y"))),
            ("/y/../../z", file),
        ),
    ] {
        let mut value = whole.clone();
        value["files"][one.0] = one.1;
        take(&value.to_string(), outside.path());
        value["files"][two.0] = two.1;
        take(&value.to_string(), outside.path());
        assert!(!outside.path().join("y").exists(), "{}: it was written through", one.0);
    }
    assert!(made > 50 && refused > 50, "{made} made, {refused} refused");
}
