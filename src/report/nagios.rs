//! The checks as one line for Nagios and its like: their codes, their words, performance data
//! (nagios-plugins.org, development guidelines). Pure.

use crate::bonding::BondStatus;
use crate::verify::{Check, Verdict};

/// Unknown: the check itself did not work.
pub const UNKNOWN: u8 = 3;

/// The exit code and the line. Critical is what takes storage away; everything else that is not as
/// asked is a warning.
#[must_use]
pub fn verdict(bond: &str, verdict: &Verdict, status: Option<&BondStatus>) -> (u8, String) {
    let bad = verdict.failed();
    let cuts = |check: &&&Check| check.name.cuts_storage();
    let critical = bad.iter().filter(cuts).count();
    let (code, word) = match (critical, bad.len()) {
        (0, 0) => (0, "OK"),
        (0, _) => (1, "WARNING"),
        _ => (2, "CRITICAL"),
    };
    let active = status.and_then(|s| s.active_slave.as_deref());
    let active = active.map(|name| format!(", {name} is active")).unwrap_or_default();
    let said = if bad.is_empty() {
        format!("{bond} is as asked{active}")
    } else {
        // What is worst first: some show only the line's beginning.
        let mut ordered: Vec<&&Check> = bad.iter().filter(cuts).collect();
        ordered.extend(bad.iter().filter(|check| !cuts(check)));
        let all: Vec<String> = ordered.iter().map(ToString::to_string).collect();
        format!("{bond}: {}{active}", all.join("; "))
    };
    let data = status.map(|status| perfdata(status, bad.len())).unwrap_or_default();
    (code, line(word, &said, &data))
}

/// The line of a check that did not work.
#[must_use]
pub fn unknown(error: &str) -> String {
    line("UNKNOWN", error, "")
}

fn perfdata(status: &BondStatus, bad: usize) -> String {
    let all = status.slaves.len();
    let up = status.slaves.iter().filter(|s| s.mii_status.as_deref() == Some("up")).count();
    let failures: i64 = status.slaves.iter().filter_map(|s| s.link_failure_count).sum();
    format!(" | slaves_up={up};{all}:;1:;0;{all} bad_checks={bad};0;;0 link_failures={failures}c")
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
    use crate::verify::Setting;

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
        let status = crate::bonding::parse(TEXT);
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
                "WARNING - bond51: eth3 link: wanted good, have bad, eth2 is active",
            ),
            (
                Setting::BondLink(name("bond51")),
                false,
                2,
                "CRITICAL - bond51: bond51 link: wanted good, have bad, eth2 is active",
            ),
            (
                Setting::Mtu(name("bond51")),
                false,
                1,
                "WARNING - bond51: bond51 MTU: wanted good, have bad, eth2 is active",
            ),
            (
                Setting::Address,
                false,
                2,
                "CRITICAL - bond51: address: wanted good, have bad, eth2 is active",
            ),
            (
                Setting::Probe("ping 172.16.51.2".parse().unwrap()),
                false,
                2,
                "CRITICAL - bond51: ping 172.16.51.2: wanted good, have bad, eth2 is active",
            ),
        ] {
            let checks = vec![check(Setting::Mode, true), check(setting, ok)];
            let (have, line) = verdict("bond51", &Verdict { checks }, Some(&status));
            assert_eq!((have, line), (code, format!("XENBOND {text}{}", data(usize::from(!ok)))));
        }
        let checks = vec![check(Setting::Mode, false), check(Setting::Bond(name("bond51")), false)];
        let (code, line) = verdict("bond51", &Verdict { checks }, None);
        assert_eq!(code, 2);
        assert!(
            line.starts_with("XENBOND CRITICAL - bond51: bond51: wanted"),
            "the worst first: {line}"
        );
    }

    #[test]
    fn nothing_breaks_the_line() {
        let line = unknown("reading x: no\nsuch | thing\u{1b}[31m");
        assert_eq!(line, "XENBOND UNKNOWN - reading x: no such / thing [31m\n");
    }
}
