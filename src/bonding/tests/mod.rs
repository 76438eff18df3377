//! The reader against [`samples`], and its laws.

mod samples;

use std::fmt::{Display, Write};

use proptest::prelude::*;
use serde_json::{Value, json};

use samples::{DRIVERS, ODD, Sample};

use super::*;
use crate::report::table;
use crate::report::to_json;

/// A reading in one line for the bond and one for each slave; what is unknown is left out.
fn digest(status: &BondStatus) -> String {
    fn put(out: &mut String, key: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            let _ = write!(out, " {key}{value}");
        }
    }
    fn joined<T: Display, const N: usize>(parts: [Option<T>; N]) -> String {
        parts.map(|part| part.map_or("?".to_string(), |part| part.to_string())).join(",")
    }
    let three = |a: &Option<u32>, b: &Option<u32>, c: &Option<u32>| {
        (a.is_some() || b.is_some() || c.is_some()).then(|| joined([*a, *b, *c]).replace(',', "/"))
    };
    let mut out = match status.is_kernel_driver() {
        Some(true) => String::new(),
        Some(false) => "imitated ".to_string(),
        None if status.unknown.is_empty() && status.mode_text.is_none() => String::new(),
        None => "headless ".to_string(),
    };
    out += status.mode.map_or("?", BondMode::name);
    put(&mut out, "fom=", status.fail_over_mac.as_ref());
    put(&mut out, "", status.mii_status.as_ref());
    put(&mut out, "", three(&status.miimon, &status.updelay, &status.downdelay));
    put(&mut out, "peer=", status.peer_notif_delay);
    let reselect =
        status.primary_reselect.as_ref().map_or(String::new(), |policy| format!("/{policy}"));
    put(&mut out, "primary=", status.primary.as_ref().map(|name| format!("{name}{reselect}")));
    put(&mut out, "active=", status.active_slave.as_ref());
    put(&mut out, "arp=", status.arp_interval);
    put(&mut out, "missed=", status.arp_missed_max);
    put(&mut out, "ip=", status.arp_ip_target.as_ref().map(|list| list.join("+")));
    put(&mut out, "ns=", status.ns_ip6_target.as_ref().map(|list| list.join("+")));
    put(&mut out, "hash=", status.xmit_hash_policy.as_ref());
    if let Some(lacp) = &status.lacp {
        put(&mut out, "active=", lacp.lacp_active.as_ref());
        put(&mut out, "rate=", lacp.lacp_rate.as_ref());
        put(&mut out, "min=", lacp.min_links);
        put(&mut out, "select=", lacp.ad_select.as_ref());
        let priority = lacp.system_priority.map(|priority| priority.to_string());
        put(
            &mut out,
            "system=",
            priority.map(|priority| joined([Some(priority), lacp.system_mac.clone()])),
        );
        put(&mut out, "agg=", lacp.no_active_aggregator.then_some("none"));
        if let Some(a) = &lacp.active_aggregator {
            let numbers = joined([a.id, a.ports, a.actor_key, a.partner_key]);
            put(&mut out, "agg=", Some(numbers + "," + &joined([a.partner_mac.as_ref()])));
        }
    }
    let buckets = status.slb_buckets.as_ref().map(|buckets| {
        buckets.iter().map(|b| format!("{}:{}", b.bucket, b.slave)).collect::<Vec<_>>().join("+")
    });
    put(&mut out, "slb=", buckets);
    for slave in &status.slaves {
        let _ = write!(out, "\n{}", slave.name);
        put(&mut out, "", slave.mii_status.as_ref());
        let duplex = slave.duplex.as_deref().unwrap_or("?");
        put(&mut out, "", slave.speed_mbps.map(|speed| format!("{speed}/{duplex}")));
        put(&mut out, "fail=", slave.link_failure_count);
        put(&mut out, "mac=", slave.perm_hwaddr.as_ref());
        put(&mut out, "q=", slave.queue_id);
        put(&mut out, "agg=", slave.aggregator_id);
        put(&mut out, "promisc=", slave.promiscuity);
        put(&mut out, "flags=", slave.flags.map(|flags| format!("{flags:#06x}")));
        if let (Some(actor), Some(partner)) = (&slave.actor_churn_state, &slave.partner_churn_state)
        {
            let counts =
                [slave.actor_churned_count, slave.partner_churned_count].map(|n| joined([n]));
            put(&mut out, "churn=", Some(format!("{actor}/{}+{partner}/{}", counts[0], counts[1])));
        }
        for (key, pdu) in [("actor=", &slave.actor), ("partner=", &slave.partner)] {
            put(
                &mut out,
                key,
                pdu.as_ref().map(|p| {
                    let address = joined([p.system_mac.as_ref()]);
                    let rest = joined([p.key, p.port_priority, p.port_number, p.port_state]);
                    format!("{},{address},{rest}", joined([p.system_priority]))
                }),
            );
        }
    }
    if !status.unknown.is_empty() {
        let _ = write!(out, "\nunknown={}", status.unknown.len());
    }
    out
}

fn samples() -> impl Iterator<Item = &'static Sample> {
    DRIVERS.iter().chain(ODD)
}

fn texts() -> impl Iterator<Item = (&'static str, String, &'static str)> {
    samples().map(|(sentence, parts, reading)| (*sentence, parts.concat(), *reading))
}

fn text_of(sentence: &str) -> String {
    texts().find(|sample| sample.0 == sentence).expect("a sample of that name").1
}

#[test]
fn reads_what_every_driver_prints() {
    for (sentence, text, reading) in texts() {
        assert_eq!(digest(&parse(&text)), reading, "{sentence}");
    }
}

#[test]
fn damage_done_by_pasting_changes_no_reading() {
    for (sentence, text, _) in texts() {
        let lines = || text.lines();
        let pastes: [(&str, String); 6] = [
            ("CRLF", text.replace('\n', "\r\n")),
            (
                "no indentation",
                lines()
                    .map(|line| line.trim_start_matches([' ', '\t']).to_string() + "\n")
                    .collect(),
            ),
            ("eight spaces for a tab", text.replace('\t', "        ")),
            (
                "a page's own indentation",
                lines().map(|line| format!("\u{a0}   {line}  \n")).collect(),
            ),
            ("doubled blank lines", text.replace("\n\n", "\n \n\t\n")),
            (
                "no blank lines",
                lines().filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n"),
            ),
        ];
        for (damage, paste) in pastes {
            assert_eq!(parse(&paste), parse(&text), "{damage}: {sentence}");
        }
    }
}

#[test]
fn a_cut_text_says_nothing_that_the_whole_does_not() {
    for (sentence, text, _) in texts() {
        let whole = parse(&text);
        let mut lines = String::new();
        for line in text.split_inclusive('\n') {
            lines += line;
            let part = parse(&lines);
            assert!(part.slaves.len() <= whole.slaves.len(), "{sentence}");
            for (cut, full) in part.slaves.iter().zip(&whole.slaves) {
                assert_eq!(cut.name, full.name, "{sentence}");
                assert!(
                    cut.perm_hwaddr.is_none() || cut.perm_hwaddr == full.perm_hwaddr,
                    "{sentence}"
                );
                assert!(
                    cut.aggregator_id.is_none() || cut.aggregator_id == full.aggregator_id,
                    "{sentence}"
                );
            }
            // A text that begins inside a slave's block is the one where more lines take back.
            assert!(
                part.mode.is_none()
                    || part.mii_status.is_none()
                    || part.mii_status == whole.mii_status
            );
        }
    }
}

#[test]
fn keeps_the_whole_line_that_it_does_not_know() {
    let status =
        parse("Bonding Mode: load balancing (xor)\n\tSlave active:  1\r\nMin links: few\n");
    assert_eq!(status.unknown, ["Slave active:  1", "Min links: few"]);
}

#[test]
fn keeps_the_text_of_a_mode_it_does_not_know() {
    for text in ["load balancing (", "load balancing (xor)x", "source load balancing2", "unknown"] {
        let status = parse(&format!("Bonding Mode: {text}\n"));
        assert_eq!((status.mode, status.mode_text.as_deref()), (None, Some(text)));
    }
}

#[test]
fn knows_every_mode_by_its_words_and_whatever_suffix() {
    for mode in BondMode::ALL {
        for suffix in ["", " (something new)", " (fail_over_mac acti"] {
            let status = parse(&format!("Bonding Mode: {}{suffix}\n", mode.proc_words()));
            assert_eq!((status.mode, status.fail_over_mac), (Some(mode), None), "{mode}{suffix}");
        }
    }
}

#[test]
fn finds_a_slave_by_its_whole_name() {
    let status = parse("Slave Interface: eth10\nSlave queue ID: 3\nSlave Interface: eth1\n");
    assert_eq!(status.slave("eth1").map(|slave| slave.queue_id), Some(None));
    assert_eq!(status.slave("eth"), None);
}

#[test]
fn an_all_zero_partner_is_no_partner() {
    let partner = |mac: Option<&str>| Aggregator {
        partner_mac: mac.map(String::from),
        ..Aggregator::default()
    };
    assert_eq!(partner(None).has_partner(), None);
    assert_eq!(partner(Some("00:00:00:00:00:00")).has_partner(), Some(false));
    assert_eq!(partner(Some("00:23:04:ee:be:0a")).has_partner(), Some(true));
}

#[test]
fn json_has_the_fields_of_the_contract() {
    let value =
        to_json(Some("bond51"), &parse(&text_of("XenServer 4.4 mode 4 with all that root sees")));
    let wanted = json!({
        "name": "bond51", "driver_version": "v3.7.1 (April 27, 2011)", "mode": "802.3ad",
        "mode_number": 4,
        "mii_status": "up", "active_slave": null, "primary": null,
        "miimon": 100, "updelay": 0, "downdelay": 0,
        "xmit_hash_policy": "layer2", "lacp_rate": "slow", "min_links": 0, "ad_select": "stable",
        "fail_over_mac": null, "primary_reselect": null,
        "arp_interval": null, "arp_ip_target": null,
        "no_active_aggregator": false,
    });
    for (key, want) in wanted.as_object().expect("an object") {
        assert_eq!(value.get(key), Some(want), "{key}");
    }
    assert_eq!(
        value["aggregator"],
        json!({"id": 1, "ports": 2, "actor_key": 17, "partner_key": 42,
               "partner_mac": "00:23:04:ee:be:0a"})
    );
    let slave = json!({
        "name": "eth0", "mii_status": "up", "speed_mbps": 1000, "duplex": "full",
        "link_failure_count": 0, "perm_hwaddr": "00:1b:21:aa:bb:01", "aggregator_id": 1,
        "queue_id": 0, "promiscuity": 1, "flags": 0x1943,
        "actor_churn_state": "none", "actor_churned_count": 0,
        "partner_churn_state": "churned", "partner_churned_count": 2,
        "actor": {"system_priority": 65535, "system_mac": "00:1b:21:aa:bb:01", "key": 15,
                  "port_priority": 255, "port_number": 1, "port_state": 63},
        "partner": {"system_priority": 32768, "system_mac": "00:23:04:ee:be:0a", "key": 42,
                    "port_priority": 128, "port_number": 261, "port_state": 61},
    });
    assert_eq!(value["slaves"], json!([slave]));
}

#[test]
fn json_of_nothing_is_null_and_never_zero() {
    let value = to_json(None, &parse(""));
    for (key, value) in value.as_object().expect("an object") {
        let want = if key == "slaves" { json!([]) } else { Value::Null };
        assert_eq!(*value, want, "{key}");
    }
}

#[test]
fn json_tells_no_aggregator_from_an_unseen_one() {
    let of = |sentence| to_json(None, &parse(&text_of(sentence)))["no_active_aggregator"].clone();
    assert_eq!(of("2.6.32 without an active aggregator"), json!(true));
    assert_eq!(of("4.19 without CAP_NET_ADMIN says nothing of the aggregator"), Value::Null);
}

#[test]
fn a_table_of_a_failed_over_bond() {
    let status = parse(&text_of("RHEL5 has a speed without a queue, and a primary that is down"));
    let wanted = "\
bond51
  mode            active-backup (1)
  link            up
  active slave    eth1
  primary         eth0 (reselect always)
  miimon          100, updelay 0, downdelay 0
  driver          v3.4.0-1 (October 7, 2008)

  slave  link  speed      duplex  failures  permanent MAC
  eth0   down  ?          ?       0         00:1b:21:aa:bb:01
  eth1   up    1000 Mb/s  full    0         00:1b:21:aa:bb:02
";
    assert_eq!(table(Some("bond51"), &status), wanted);
}

#[test]
fn a_table_of_an_lacp_bond_without_a_partner() {
    let text = text_of("2.6.37 has the aggregator before the queue")
        .replace("00:23:04:EE:BE:0A", "00:00:00:00:00:00");
    let wanted = "\
bond51
  mode            802.3ad (4)
  link            up
  miimon          100, updelay 0, downdelay 0
  hash policy     layer2
  LACP            rate slow, min_links ?, ad_select bandwidth
  aggregator      1, ports 2, no LACP partner
  driver          v3.6.0 (September 26, 2009)

  slave  link  speed      duplex  failures  aggr  permanent MAC
  eth0   up    1000 Mb/s  full    0         1     00:1b:21:aa:bb:01
";
    assert_eq!(table(Some("bond51"), &parse(&text)), wanted);
}

#[test]
fn a_table_of_nothing_is_all_question_marks() {
    let wanted = "\
?
  mode            ?
  link            ?
  miimon          ?, updelay ?, downdelay ?
  driver          ?

  no slave is listed
";
    assert_eq!(table(None, &parse("")), wanted);
}

#[test]
fn a_table_is_plain() {
    let evil = "Slave Interface: e\u{1b}[2Jé\nMII Status: up\nPermanent HW addr: ".to_string()
        + &"80:".repeat(40);
    for text in texts().map(|sample| sample.1).chain([evil]) {
        check_table(&parse(&text));
    }
}

fn check_table(status: &BondStatus) {
    for line in table(Some("bond51"), status).lines() {
        assert!(line.chars().all(|c| c == ' ' || c.is_ascii_graphic()), "{line:?}");
    }
}

#[derive(Clone, Debug)]
enum Damage {
    Cut(prop::sample::Index),
    Head(prop::sample::Index),
    Double(prop::sample::Index),
    Drop(prop::sample::Index),
    Move(prop::sample::Index, prop::sample::Index),
    Flip(prop::sample::Index, u8),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        at().prop_map(Damage::Cut),
        at().prop_map(Damage::Head),
        at().prop_map(Damage::Double),
        at().prop_map(Damage::Drop),
        (at(), at()).prop_map(|(from, to)| Damage::Move(from, to)),
        (at(), any::<u8>()).prop_map(|(at, bits)| Damage::Flip(at, bits)),
    ]
}

fn damaged(text: &[u8], damage: &Damage) -> Vec<u8> {
    if text.is_empty() {
        return Vec::new();
    }
    let mut lines: Vec<&[u8]> = text.split_inclusive(|b| *b == b'\n').collect();
    match damage {
        Damage::Cut(at) => return text[..at.index(text.len())].to_vec(),
        Damage::Head(at) => return text[at.index(text.len())..].to_vec(),
        Damage::Flip(at, bits) => {
            let mut flipped = text.to_vec();
            flipped[at.index(text.len())] ^= bits;
            return flipped;
        }
        Damage::Double(at) => {
            let at = at.index(lines.len());
            lines.insert(at, lines[at]);
        }
        Damage::Drop(at) => {
            lines.remove(at.index(lines.len()));
        }
        Damage::Move(from, to) => {
            let line = lines.remove(from.index(lines.len()));
            lines.insert(to.index(lines.len() + 1), line);
        }
    }
    lines.concat()
}

proptest! {
    #[test]
    fn no_damage_makes_it_panic_or_invent_a_slave(
        sample in 0..samples().count(),
        all in prop::collection::vec(damage(), 0..8),
    ) {
        let whole = samples().nth(sample).unwrap().1.concat().into_bytes();
        let text = all.iter().fold(whole, |text, one| damaged(&text, one));
        let text = String::from_utf8_lossy(&text);
        let status = parse(&text);
        check_table(&status);
        let value = to_json(None, &status);
        prop_assert_eq!(value["slaves"].as_array().map(Vec::len), Some(status.slaves.len()));
        // No slave comes from nowhere.
        for slave in &status.slaves {
            prop_assert!(text.contains(&slave.name) && !slave.name.is_empty());
        }
        prop_assert!(status.unknown.len() + status.slaves.len() <= text.lines().count());
    }

    #[test]
    fn any_text_has_a_reading(text in "(?s).{0,200}") {
        check_table(&parse(&text));
    }
}
