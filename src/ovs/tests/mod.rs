//! The reader against [`samples`], and its laws.

mod samples;
mod vsctl;

use std::fmt::{Display, Write};

use proptest::prelude::*;
use serde_json::{Value, json};

use samples::{BONDS, LACP, NEITHER};

use super::*;
use crate::report::ovs::{bond_json, bond_table, lacp_json, lacp_table};

fn known<T: Display>(value: Option<&T>) -> String {
    value.map_or("?".to_string(), ToString::to_string)
}

fn word_of<T: Serialize>(value: Option<T>) -> String {
    json!(value).as_str().unwrap_or("?").to_string()
}

fn signs<const N: usize>(flags: [Option<bool>; N]) -> String {
    flags.map(|flag| flag.map_or('?', |flag| if flag { '+' } else { '-' })).iter().collect()
}

/// A reading: a line for each bond (name, mode, LACP, delays, active slave) and each port (name,
/// status, system and key, rate), one below it for each slave. Of a slave: enabled, active,
/// `may_enable`; current, attached, defaulted, `may_enable`, the partner and both states.
fn digest(readings: &Readings) -> String {
    let mut out = String::new();
    for bond in &readings.bonds {
        let unknown = bond.mode_text.as_ref().filter(|_| bond.mode.is_none());
        let unknown = unknown.map_or(String::new(), |text| format!("({text})"));
        let (name, mode, lacp) =
            (known(bond.name.as_ref()), word_of(bond.mode), word_of(bond.lacp));
        let (up, down) = (known(bond.updelay.as_ref()), known(bond.downdelay.as_ref()));
        let _ = write!(out, "\n{name} {mode}{unknown} {lacp} {up}/{down}");
        for (key, value) in [
            ("fallback", bond.lacp_fallback_ab.map(|flag| flag.to_string())),
            ("primary", bond.primary.clone()),
            ("active", Some(known(bond.active_slave.as_ref()))),
        ] {
            let _ = value.map(|value| write!(out, " {key}={value}"));
        }
        for slave in &bond.slaves {
            let flags = signs([slave.enabled, slave.active, slave.may_enable]);
            let _ = write!(out, "\n {} {flags}", slave.name);
            let _ = slave.updelay_left.map(|left| write!(out, " used={left}"));
            let _ = slave.downdelay_left.map(|left| write!(out, " left={left}"));
        }
    }
    for port in &readings.lacp {
        let (name, status) = (known(port.name.as_ref()), known(port.status.as_ref()));
        let (system, key) = (known(port.sys_id.as_ref()), known(port.key.as_ref()));
        let _ = write!(out, "\n{name} [{status}] {system}/{key} {}", word_of(port.rate));
        for slave in &port.slaves {
            let flags = signs([slave.current, slave.attached, slave.defaulted, slave.may_enable]);
            let partner = known(slave.partner_sys_id.as_ref());
            let _ = write!(out, "\n {} {flags} {partner}/", slave.name);
            let _ = write!(out, "{}", known(slave.partner_key.as_ref()));
            for states in [&slave.actor_state, &slave.partner_state] {
                let _ = write!(out, " {}", letters(states.as_deref()));
            }
        }
    }
    out.trim_start().to_string()
}

fn letters(states: Option<&[PortState]>) -> String {
    let letter = |state: &PortState| match state {
        PortState::Activity => 'A',
        PortState::Timeout => 'T',
        PortState::Aggregation => 'a',
        PortState::Synchronized => 'S',
        PortState::Collecting => 'C',
        PortState::Distributing => 'D',
        PortState::Defaulted => 'd',
        PortState::Expired => 'e',
    };
    match states {
        None => "?".to_string(),
        Some([]) => "-".to_string(),
        Some(states) => states.iter().map(letter).collect(),
    }
}

fn texts() -> impl Iterator<Item = (&'static str, &'static str)> {
    BONDS.iter().chain(LACP).map(|(sentence, text, _)| (*sentence, *text))
}

fn bond(text: &str) -> Bond {
    read(text).bonds.remove(0)
}

fn text_of(sentence: &str) -> &'static str {
    texts().find(|(other, _)| other.starts_with(sentence)).expect("a sample of that name").1
}

#[test]
fn reads_what_every_release_prints() {
    for (sentence, text, reading) in BONDS.iter().chain(LACP) {
        assert_eq!(digest(&read(text)), *reading, "{sentence}");
    }
}

#[test]
fn says_nothing_of_what_is_no_bond() {
    for text in NEITHER {
        assert_eq!(read(text), Readings::default(), "{text}");
    }
}

#[test]
fn all_kinds_in_one_text_are_told_apart() {
    let others = NEITHER.iter().filter(|text| {
        ["ovs-appctl", "recircID", "Bridge", "Bonding Mode"].iter().any(|word| text.contains(word))
    });
    let others = others.copied().collect::<Vec<_>>().join("[root@xen01 ~]# \n");
    let all = texts().map(|(_, text)| format!("{others}{text}\n")).collect::<String>();
    let wanted = BONDS.iter().chain(LACP).map(|(_, _, reading)| *reading);
    assert_eq!(digest(&read(&all)), wanted.collect::<Vec<_>>().join("\n"));
}

/// What a text goes through on its way, none of which takes anything away.
fn pastes(text: &str) -> [(&'static str, String); 8] {
    let each = |line: &dyn Fn(&str) -> String| text.lines().map(line).collect::<String>();
    [
        ("CR LF", text.replace('\n', "\r\n")),
        ("no indentation", each(&|line| format!("{}\n", line.trim_start()))),
        ("blanks for a tab", text.replace('\t', "        ")),
        ("a tab for two blanks", text.replace("\n  ", "\n\t")),
        ("a tab for a blank", text.replace(' ', "\t")),
        ("a page's own indentation", each(&|line| format!("\u{a0}   {line}  \n"))),
        ("a quotation", each(&|line| format!("> # {line}\n"))),
        (
            "no blank lines",
            text.split('\n').filter(|l| !l.is_empty()).collect::<Vec<_>>().join("\n"),
        ),
    ]
}

#[test]
fn damage_done_by_pasting_changes_no_reading() {
    for (sentence, text) in texts() {
        for (damage, paste) in pastes(text) {
            assert_eq!(read(&paste), read(text), "{damage}: {sentence}");
        }
    }
}

#[test]
fn slave_and_member_are_one_word() {
    for (sentence, text) in texts() {
        assert_eq!(read(&text.replace("slave", "member")), read(text), "{sentence}");
    }
}

#[test]
fn a_cut_text_says_nothing_that_the_whole_does_not() {
    fn agrees<T: PartialEq>(cut: &Option<T>, whole: &Option<T>) -> bool {
        cut.is_none() || cut == whole
    }
    for (sentence, text) in texts() {
        let whole = read(text);
        for end in 0..text.len() {
            let cut = read(&text[..end]);
            assert!(cut.bonds.len() <= whole.bonds.len() && cut.lacp.len() <= whole.lacp.len());
            for (part, full) in cut.bonds.iter().zip(&whole.bonds) {
                let good = agrees(&part.name, &full.name)
                    && agrees(&part.mode, &full.mode)
                    && agrees(&part.lacp, &full.lacp)
                    && agrees(&part.updelay, &full.updelay)
                    && agrees(&part.active_slave, &full.active_slave)
                    && part.slaves.iter().zip(&full.slaves).all(|(part, full)| {
                        part.name == full.name
                            && agrees(&part.enabled, &full.enabled)
                            && agrees(&part.active, &full.active)
                            && agrees(&part.may_enable, &full.may_enable)
                    });
                assert!(good, "{sentence}: {part:?} of {:?}", &text[..end]);
            }
        }
    }
}

#[test]
fn json_has_the_fields_of_the_contract() {
    let value = bond_json(&bond(text_of("1.4 says")));
    let wanted = json!({
        "name": null, "mode": "active-backup", "lacp": null, "updelay": 31000, "downdelay": 200,
        "active_slave": "eth2", "lacp_fallback_ab": null, "primary": null, "kernel_driver": false,
        // What only the kernel's bonds have.
        "driver_version": null, "mode_number": null, "mii_status": null, "miimon": null,
        "xmit_hash_policy": null, "lacp_rate": null, "aggregator": null,
    });
    for (key, want) in wanted.as_object().expect("an object") {
        assert_eq!(value.get(key), Some(want), "{key}");
    }
    let slave = &value["slaves"][0];
    let wanted = json!({
        "name": "eth3", "enabled": false, "active": false, "may_enable": true,
        "updelay_left": 24118, "downdelay_left": null,
        "mii_status": null, "speed_mbps": null, "duplex": null, "link_failure_count": null,
        "perm_hwaddr": null, "aggregator_id": null, "queue_id": null,
    });
    for (key, want) in wanted.as_object().expect("an object") {
        assert_eq!(slave.get(key), Some(want), "{key}");
    }
    let port = lacp_json(&read(text_of("2.17 has members, and")).lacp[0]);
    let wanted = json!({
        "name": "bond51", "status": "active", "sys_id": "02:16:3e:51:00:00", "key": null,
        "rate": "fast",
        "slaves": [{
            "name": "eth2", "current": true, "attached": false, "defaulted": false,
            "may_enable": true, "partner_sys_id": null, "partner_key": null,
            "actor_state": null, "partner_state": ["activity"],
        }],
    });
    assert_eq!(port, wanted);
}

#[test]
fn json_of_nothing_is_null_and_never_false() {
    for (key, value) in bond_json(&Bond::default()).as_object().expect("an object") {
        let want = match key.as_str() {
            "slaves" => json!([]),
            "kernel_driver" => json!(false),
            _ => Value::Null,
        };
        assert_eq!(*value, want, "{key}");
    }
}

#[test]
fn a_table_of_a_bond_that_fell_back() {
    let wanted = "\
bond51
  mode            balance-tcp
  LACP            configured, without a partner as active-backup
  active slave    eth3
  updelay         31000, downdelay 200
  driver          Open vSwitch

  slave  enabled  active  may enable
  eth2   yes      no      yes
  eth3   yes      yes     yes
";
    assert_eq!(bond_table(&bond(text_of("2.9 "))), wanted);
}

#[test]
fn a_table_says_what_a_delay_waits_for_and_what_is_not_known() {
    let wanted = "\
?
  mode            active-backup
  LACP            ?
  active slave    eth2
  updelay         31000, downdelay 200
  driver          Open vSwitch

  slave  enabled  active  may enable
  eth3   no       no      yes         used in 24118 ms
  eth2   yes      yes     yes
";
    assert_eq!(bond_table(&bond(text_of("1.4 says"))), wanted);
    let wanted = "\
?
  mode            ?
  LACP            ?
  active slave    ?
  updelay         ?, downdelay ?
  driver          Open vSwitch

  no slave is listed
";
    assert_eq!(bond_table(&Bond::default()), wanted);
}

#[test]
fn a_table_of_a_port_that_speaks_lacp() {
    let wanted = "\
bond51
  LACP            active negotiated
  system          02:16:3e:51:00:00, key 1
  rate            slow
  driver          Open vSwitch

  eth2  partner    none heard, detached, may enable no
                   00:00:00:00:00:00, key 0
        its state  none
        our state  activity, aggregation, defaulted
  eth3  partner    current, attached, may enable no
                   00:23:04:ee:be:51, key 8
        its state  activity, timeout, aggregation
        our state  activity, timeout, aggregation, synchronized, collecting,
                   distributing
";
    assert_eq!(lacp_table(&read(text_of("2.5 has one")).lacp[0]), wanted);
}

fn check(text: &str) {
    let readings = read(text);
    let tables = readings.bonds.iter().map(bond_table);
    for table in tables.chain(readings.lacp.iter().map(lacp_table)) {
        for line in table.lines() {
            let plain = line.chars().all(|c| c == ' ' || c.is_ascii_graphic());
            assert!(plain, "{line:?}");
        }
    }
    readings.bonds.iter().for_each(|bond| drop(bond_json(bond)));
    // No slave comes from nowhere.
    let bonds = readings.bonds.iter().flat_map(|bond| &bond.slaves).map(|slave| &slave.name);
    let lacp = readings.lacp.iter().flat_map(|port| &port.slaves).map(|slave| &slave.name);
    for name in bonds.chain(lacp) {
        assert!(text.contains(name.as_str()) && !name.is_empty());
    }
    drop((ports(text), records(text)));
}

fn line() -> impl Strategy<Value = &'static str> {
    let lines: Vec<&str> = texts().flat_map(|(_, text)| text.lines()).collect();
    prop::sample::select(lines)
}

proptest! {
    #[test]
    fn any_text_has_a_reading(text in "(?s).{0,200}") {
        check(&text);
    }

    #[test]
    fn lines_in_any_order_have_one_that_no_paste_changes(
        lines in prop::collection::vec(line(), 0..40),
    ) {
        let text = lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        check(&text);
        for (_, paste) in pastes(&text) {
            prop_assert_eq!(read(&paste), read(&text));
        }
    }

    #[test]
    fn no_damage_makes_it_panic_or_invent_a_slave(
        sample in prop::sample::select(texts().collect::<Vec<_>>()),
        from in any::<prop::sample::Index>(),
        with in "(?s).{0,5}",
    ) {
        let text = sample.1;
        let at = from.index(text.len());
        check(&format!("{}{with}{}", &text[..at], &text[at..]));
        check(&format!("{with}{}", &text[at..]));
    }
}
