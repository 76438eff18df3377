//! The checks as one line for Nagios and its like: their codes, their words, performance data
//! (nagios-plugins.org, development guidelines). Pure.

use crate::bonding::BondStatus;
use crate::order;
use crate::verify::{Check, Setting, Verdict};

/// Unknown: the check itself did not work.
pub const UNKNOWN: u8 = 3;

/// The exit code and the line. Critical is what takes storage away; everything else that is not as
/// asked is a warning. The worst bond comes first: some show only the line's beginning.
#[must_use]
pub fn verdict(all: &[Verdict], said: &dyn Fn(&str) -> Option<BondStatus>) -> (u8, String) {
    let mut one: Vec<(u8, String)> = all.iter().map(|v| of_bond(v, said)).collect();
    order::sort_by_key(&mut one, |(code, _)| std::cmp::Reverse(*code));
    let code = one.first().map_or(0, |(code, _)| *code);
    let word = ["OK", "WARNING", "CRITICAL"][usize::from(code)];
    let words: Vec<String> = one.into_iter().map(|(_, words)| words).collect();
    let data = |verdict: &Verdict| {
        let prefix = if all.len() > 1 { format!("{}_", verdict.bond) } else { String::new() };
        let status = said(verdict.bond.as_str())?;
        Some(perfdata(&prefix, &status, verdict.failed().len()))
    };
    let data: Vec<String> = all.iter().filter_map(data).collect();
    let data = if data.is_empty() { String::new() } else { format!(" | {}", data.join(" ")) };
    (code, line(word, &words.join("; "), &data))
}

/// The code and the words for one bond.
fn of_bond(verdict: &Verdict, said: &dyn Fn(&str) -> Option<BondStatus>) -> (u8, String) {
    let bond = &verdict.bond;
    let bad = verdict.failed();
    // Of a bond whose owner does not answer nothing is known, least of all that it is cut.
    let unread = |check: &Check| matches!(check.name, Setting::Bond(_)) && check.have.is_none();
    let cuts = |check: &&&Check| check.name.cuts_storage() && !unread(check);
    let code = match (bad.iter().filter(cuts).count(), bad.len()) {
        (0, 0) => 0,
        (0, _) => 1,
        _ => 2,
    };
    let active = said(bond.as_str()).and_then(|s| s.active_slave);
    let active = active.map(|name| format!(", {name} is active")).unwrap_or_default();
    if bad.is_empty() {
        return (code, format!("{bond} is as asked{active}"));
    }
    let mut ordered: Vec<&&Check> = bad.iter().filter(cuts).collect();
    ordered.extend(bad.iter().filter(|check| !cuts(check)));
    let all: Vec<String> = ordered.iter().map(ToString::to_string).collect();
    (code, format!("{bond}: {}{active}", all.join("; ")))
}

/// The line of a check that did not work.
#[must_use]
pub fn unknown(error: &str) -> String {
    line("UNKNOWN", error, "")
}

fn perfdata(prefix: &str, status: &BondStatus, bad: usize) -> String {
    let all = status.slaves.len();
    let up = status.slaves.iter().filter(|s| s.mii_status.as_deref() == Some("up")).count();
    let failures: i64 = status.slaves.iter().filter_map(|s| s.link_failure_count).sum();
    format!(
        "{prefix}slaves_up={up};{all}:;1:;0;{all} {prefix}bad_checks={bad};0;;0 {prefix}link_failures={failures}c"
    )
}

fn line(word: &str, said: &str, data: &str) -> String {
    // The bar ends the text, and a line end begins what nobody shows.
    let plain = |c: char| {
        if c.is_control() {
            ' '
        } else if c == '|' {
            '/'
        } else {
            c
        }
    };
    let said: String = said.chars().map(plain).collect();
    let words: Vec<&str> = said.split_whitespace().collect();
    format!("XENBOND {word} - {}{data}\n", words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bonding;

    const TEXT: &str = "\
Bonding Mode: fault-tolerance (active-backup)
Currently Active Slave: eth2
MII Status: up
MII Polling Interval (ms): 100

Slave Interface: eth2
MII Status: up
Link Failure Count: 3

Slave Interface: eth3
MII Status: down
Link Failure Count: 1
";

    fn check(name: Setting, ok: bool) -> Check {
        Check::of(name, "good", if ok { "good" } else { "bad" }, "a hint")
    }

    #[test]
    fn the_code_tells_what_takes_storage_away_from_what_does_not() {
        let kernel = |name: &str| (name == "bond51").then(|| bonding::parse(TEXT));
        let data = |bad: usize| {
            format!(" | slaves_up=1;2:;1:;0;2 bad_checks={bad};0;;0 link_failures=4c\n")
        };
        let name = |name: &str| name.parse().unwrap();
        for (setting, ok, code, text) in [
            (Setting::Link(name("eth3")), true, 0, "OK - bond51 is as asked, eth2 is active"),
            (
                Setting::Link(name("eth3")),
                false,
                1,
                "WARNING - bond51: eth3 link: expected good, found bad, eth2 is active",
            ),
            (
                Setting::BondLink(name("bond51")),
                false,
                2,
                "CRITICAL - bond51: bond51 link: expected good, found bad, eth2 is active",
            ),
            (
                Setting::Mtu(name("bond51")),
                false,
                1,
                "WARNING - bond51: bond51 MTU: expected good, found bad, eth2 is active",
            ),
            (
                Setting::Address,
                false,
                2,
                "CRITICAL - bond51: address: expected good, found bad, eth2 is active",
            ),
            (
                Setting::Probe("ping 172.16.51.2".parse().unwrap()),
                false,
                2,
                "CRITICAL - bond51: ping 172.16.51.2: expected good, found bad, eth2 is active",
            ),
        ] {
            let checks = vec![check(Setting::Mode, true), check(setting, ok)];
            let (have, line) = verdict(&[Verdict { bond: name("bond51"), checks }], &kernel);
            assert_eq!((have, line), (code, format!("XENBOND {text}{}", data(usize::from(!ok)))));
        }
        let checks = vec![check(Setting::Mode, false), check(Setting::Bond(name("bond51")), false)];
        let both = [
            Verdict { bond: name("bond52"), checks: vec![check(Setting::Mode, false)] },
            Verdict { bond: name("bond51"), checks },
        ];
        let (code, line) = verdict(&both[1..], &|_| None);
        assert_eq!(code, 2);
        assert!(
            line.starts_with("XENBOND CRITICAL - bond51: bond51: expected"),
            "the worst first: {line}"
        );
        let mut unread = check(Setting::Bond(name("bond51")), false);
        unread.have = None;
        let silent = [Verdict { bond: name("bond51"), checks: vec![unread] }];
        assert_eq!(verdict(&silent, &|_| None).0, 1, "XAPI that is silent cuts nothing");
        let (code, line) = verdict(&both, &kernel);
        assert_eq!(code, 2);
        assert!(line.starts_with("XENBOND CRITICAL - bond51: bond51: expected"), "{line}");
        assert!(line.contains("; bond52: mode") && line.contains(" bond51_slaves_up=1"), "{line}");
    }

    #[test]
    fn nothing_breaks_the_line() {
        let line = unknown("reading x: no\nsuch | thing\u{1b}[31m");
        assert_eq!(line, "XENBOND UNKNOWN - reading x: no such / thing [31m\n");
    }
}
