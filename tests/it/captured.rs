//! What a real driver printed (`tests/lab/captured`, taken by `tests/lab/capture`), read by the
//! parser and compared with what `/sys` said at the same moment: a witness that is not ours.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use xenbond::bonding::{BondStatus, parse};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/captured")
}

fn read(name: &str) -> BondStatus {
    parse(&fs::read_to_string(folder().join(name).with_extension("txt")).expect(name))
}

/// The values of `/sys` by name, and the slaves: name, status, MAC, failures, aggregator.
fn witness(name: &str) -> (BTreeMap<String, String>, Vec<Vec<String>>) {
    let text = fs::read_to_string(folder().join(name).with_extension("want")).expect(name);
    let (mut values, mut slaves) = (BTreeMap::new(), Vec::new());
    for line in text.lines() {
        let (key, value) = line.split_once(' ').unwrap_or((line, ""));
        if key == "slave" {
            let words: Vec<&str> = value.split_whitespace().collect();
            // A status may be two words.
            let at = words.len() - 3;
            let mut slave = vec![words[0].to_string(), words[1..at].join(" ")];
            slave.extend(words[at..].iter().map(ToString::to_string));
            slaves.push(slave);
        } else {
            values.insert(key.to_string(), value.to_string());
        }
    }
    (values, slaves)
}

/// The same values as the parser reads them; `None`: the text does not show it.
fn reading(status: &BondStatus, key: &str) -> Option<String> {
    let lacp = status.lacp.as_ref();
    let active = lacp.and_then(|l| l.active_aggregator.as_ref());
    let number = |n: Option<u32>| n.map(|n| n.to_string());
    let name = |n: &Option<String>| Some(n.clone().unwrap_or_default());
    match key {
        "mode" => status.mode.map(|m| m.name().to_string()),
        "mii_status" => status.mii_status.clone(),
        "miimon" => number(status.miimon),
        "updelay" => number(status.updelay),
        "downdelay" => number(status.downdelay),
        // Not printed while the ARP monitor is off.
        "arp_interval" => number(status.arp_interval.or(Some(0))),
        "arp_ip_target" => Some(status.arp_ip_target.clone().unwrap_or_default().join(" ")),
        "active_slave" => name(&status.active_slave),
        "primary" => name(&status.primary),
        "fail_over_mac" => status.fail_over_mac.clone(),
        "xmit_hash_policy" => status.xmit_hash_policy.clone(),
        "lacp_rate" => lacp.and_then(|l| l.lacp_rate.clone()),
        "min_links" => number(lacp.and_then(|l| l.min_links)),
        "ad_aggregator" => number(active.and_then(|a| a.id)),
        "ad_num_ports" => number(active.and_then(|a| a.ports)),
        "ad_partner_mac" => active.and_then(|a| a.partner_mac.clone()),
        other => panic!("the capture has `{other}`, and this test does not read it"),
    }
}

#[test]
fn the_parser_reads_what_sys_says() {
    let mut names: Vec<String> = fs::read_dir(folder())
        .expect("tests/lab/captured")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "txt"))
        .map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert!(names.len() >= 20, "only {} texts were captured: {names:?}", names.len());
    let mut wrong = Vec::new();
    for name in &names {
        let (values, slaves) = witness(name);
        let status = read(name);
        for (key, want) in &values {
            let have = reading(&status, key);
            if have.as_ref() != Some(want) {
                wrong.push(format!("{name}: {key}: /sys {want:?}, read {have:?}"));
            }
        }
        let have: Vec<Vec<String>> = status
            .slaves
            .iter()
            .map(|s| {
                let shown = |text: Option<String>| text.unwrap_or_else(|| "?".into());
                vec![
                    s.name.clone(),
                    shown(s.mii_status.clone()),
                    shown(s.perm_hwaddr.clone()),
                    shown(s.link_failure_count.map(|n| n.to_string())),
                    s.aggregator_id.map_or("N/A".into(), |n| n.to_string()),
                ]
            })
            .collect();
        if have != slaves {
            wrong.push(format!("{name}: slaves: /sys {slaves:?}, read {have:?}"));
        }
        if !status.unknown.is_empty() {
            wrong.push(format!("{name}: lines that no rule knew: {:?}", status.unknown));
        }
        if status.is_kernel_driver() != Some(true) {
            wrong.push(format!("{name}: not taken for the kernel's driver"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_mode_and_situation_was_captured() {
    // What each name promises, so that a capture that came too early or too late is seen.
    let mode = |name: &str| read(name).mode.map(|m| m.number());
    for (name, number) in [
        ("mode-0", 0),
        ("mode-1-primary", 1),
        ("mode-2", 2),
        ("mode-3", 3),
        ("mode-4-partner", 4),
        ("mode-5", 5),
        ("mode-6", 6),
    ] {
        assert_eq!(mode(name), Some(number), "{name}");
    }
    let slave =
        |name: &str, slave: &str| read(name).slave(slave).and_then(|s| s.mii_status.clone());
    assert_eq!(slave("mode-0-one-link-down", "eth5").as_deref(), Some("down"));
    assert_eq!(slave("mode-1-going-down", "eth5").as_deref(), Some("going down"));
    assert_eq!(slave("mode-1-going-back", "eth5").as_deref(), Some("going back"));
    assert_eq!(read("mode-1-primary-down").active_slave.as_deref(), Some("eth4"));
    assert_eq!(read("mode-1-primary-back").active_slave.as_deref(), Some("eth5"));
    assert_eq!(read("mode-1-no-link").active_slave, None);
    assert_eq!(read("mode-1-no-link").mii_status.as_deref(), Some("down"));
    assert_eq!(read("mode-1-fail-over-mac-follow").fail_over_mac.as_deref(), Some("follow"));
    let arp = read("mode-1-arp");
    assert_eq!((arp.miimon, arp.arp_interval), (Some(0), Some(100)));
    assert_eq!(read("mode-1-no-monitor").miimon, Some(0));
    assert!(read("no-slaves-down").slaves.is_empty());
    let partner = |name: &str| {
        let lacp = read(name).lacp.expect("an 802.3ad section");
        lacp.active_aggregator.and_then(|a| a.has_partner())
    };
    assert_eq!(partner("mode-4-no-partner"), Some(false));
    assert_eq!(partner("mode-4-partner"), Some(true));
}
