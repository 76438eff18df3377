//! The record of a transaction: what is durable, what a torn line means, how phases fold.

use std::path::PathBuf;

use super::*;
use crate::dom0::Dom0;
use crate::inventory::{Ask, Inventory};
use crate::journal::latest;
use crate::ledger::Lock;
use crate::ledger::Summary;
use crate::ledger::summary;
use crate::model::state::{Backend, Flavour};
use crate::plan;
use crate::render::Templates;
use crate::spec::Raw;

fn dom0() -> Dom0 {
    Dom0::new(Flavour::El5, Backend::Bridge)
}

impl Dom0 {
    fn own(&self, name: &str) -> PathBuf {
        self.at("var/lib/xenbond").join(name)
    }

    fn own_text(&self, name: &str) -> String {
        std::fs::read_to_string(self.own(name)).unwrap()
    }

    fn planned(&self, bond: &str) -> (Plan, Facts) {
        let mut raw = Raw::default();
        for (key, value) in [("name", bond), ("nics", "eth2,eth3"), ("address", "172.16.51.11/24")]
        {
            raw.flag(key, key, value.to_string());
        }
        let spec = raw.finish().unwrap().for_host(&[]).unwrap();
        let inv =
            Inventory::read(&self.host, Ask { nics: &spec.nics, driver: false, ..Ask::default() })
                .unwrap();
        let nics = crate::inventory::resolve(&spec, &inv);
        let plan = plan::build(&spec, &nics, &inv, &Templates::load(None).unwrap()).unwrap();
        let facts = plan.facts(&inv);
        (plan, facts)
    }

    fn begin(&self, bond: &str) -> Transaction {
        let (plan, facts) = self.planned(bond);
        Transaction::begin(&self.host, plan, facts, Answers::new(), None).unwrap()
    }

    fn open(&self) -> Transaction {
        Transaction::open(&self.host).unwrap().unwrap()
    }
}

fn begin(step: usize) -> Event {
    Event::Begin { step }
}

fn done(step: usize) -> Event {
    Event::Done { step }
}

fn waiting() -> Event {
    Event::Waiting { boot_id: "one".into() }
}

fn rolling_back() -> Event {
    Event::RollingBack {
        why: "ifup failed".into(),
        asked: false,
        then: Vec::new(),
        after: Vec::new(),
    }
}

fn rollback_waiting() -> Event {
    Event::RollbackWaiting { boot_id: "two".into() }
}

#[test]
fn a_host_without_our_state_has_no_transaction() {
    let dom0 = dom0();
    assert!(Transaction::open(&dom0.host).unwrap().is_none());
    assert_eq!(summary(&dom0.host).unwrap(), None);
    assert!(Lock::holder(&dom0.host).is_none());
    assert!(!dom0.own("").exists(), "looking makes nothing");
}

#[test]
fn the_plan_and_the_originals_are_there_before_the_first_step() {
    let dom0 = dom0();
    let conf = std::fs::read(dom0.root().join("etc/modprobe.conf")).unwrap();
    let tx = dom0.begin("bond51");
    assert!(
        tx.header.id.starts_with("2026") && tx.header.id.ends_with("-bond51"),
        "{}",
        tx.header.id
    );
    assert!(tx.header.id.chars().all(|c| c.is_ascii_alphanumeric() || "-+".contains(c)));
    assert_eq!(tx.phase(), Phase::Applying);
    assert!(tx.begun().is_empty() && tx.kept().is_empty() && tx.rollback_reason().is_none());
    let again = dom0.open();
    assert_eq!(again.header.plan, tx.header.plan);
    assert_eq!(again.header.before, tx.header.before);
    assert_eq!((&again.header.id, &again.header.previous), (&tx.header.id, &None));
    assert_eq!(again.header.program, env!("CARGO_PKG_VERSION"));
    let folder = dom0.root().join(tx.originals_folder().trim_start_matches('/'));
    let names: Vec<_> =
        std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["etc_modprobe.conf"], "files that were not there leave none");
    assert_eq!(std::fs::read(folder.join("etc_modprobe.conf")).unwrap(), conf);
    let target = std::fs::read_link(dom0.own("current")).unwrap();
    assert_eq!(target, PathBuf::from(format!("history/{}", tx.header.id)));
}

#[test]
fn our_folder_is_for_root_only() {
    use std::os::unix::fs::PermissionsExt;
    let dom0 = dom0();
    let _lock = Lock::take(&dom0.host).unwrap();
    dom0.begin("bond51").record(&dom0.host, begin(1)).unwrap();
    for (name, mode) in [
        ("", 0o700),
        ("history", 0o700),
        ("current/", 0o700),
        ("current/originals", 0o700),
        ("current/plan.json", 0o600),
        ("current/journal", 0o600),
        ("lock", 0o600),
    ] {
        let meta = std::fs::metadata(dom0.own(name)).unwrap();
        assert_eq!(meta.permissions().mode() & 0o777, mode, "{name}");
    }
}

#[test]
fn every_event_is_a_line_that_a_person_can_read_and_reads_back() {
    let dom0 = dom0();
    let mut tx = dom0.begin("bond51");
    let all = [
        begin(1),
        done(1),
        waiting(),
        begin(2),
        rolling_back(),
        Event::Undone { step: 2 },
        Event::Kept { path: "/etc/modprobe.conf".into() },
        rollback_waiting(),
        Event::RolledBack,
        Event::Verified,
    ];
    for event in &all {
        tx.record(&dom0.host, event.clone()).unwrap();
    }
    let text = dom0.own_text("current/journal");
    assert_eq!(text.lines().count(), all.len());
    assert!(text.ends_with('\n'));
    assert!(text.lines().next().unwrap().contains(r#""event":"begin","step":1"#), "{text}");
    assert!(text.lines().all(|l| l.contains(r#""at":"2026-"#)), "{text}");
    let again = dom0.open();
    assert_eq!(again.events, all);
    assert_eq!(again.times, tx.times);
    assert_eq!(again.begun(), [1, 2]);
    assert!(again.is_done(1) && !again.is_done(2));
    assert_eq!(again.rollback_reason(), Some(("ifup failed", false)));
    assert_eq!(again.kept(), ["/etc/modprobe.conf"]);
}

#[test]
fn phases_fold() {
    let boot = |id: &str| id.to_string();
    let cases: [(Vec<Event>, Phase); 13] = [
        (vec![], Phase::Applying),
        (vec![begin(1)], Phase::Applying),
        (vec![begin(1), done(1)], Phase::Applying),
        (vec![begin(1), done(1), waiting()], Phase::WaitingForReboot { boot_id: boot("one") }),
        (vec![waiting(), done(2)], Phase::WaitingForReboot { boot_id: boot("one") }),
        (vec![waiting(), done(2), begin(3)], Phase::Applying),
        (vec![begin(1), done(1), Event::Verified], Phase::Done),
        (vec![begin(1), rolling_back()], Phase::RollingBack),
        (
            vec![
                begin(1),
                rolling_back(),
                Event::Undone { step: 1 },
                Event::Kept { path: "/x".into() },
            ],
            Phase::RollingBack,
        ),
        (vec![rolling_back(), rollback_waiting()], Phase::RollbackWaiting { boot_id: boot("two") }),
        (vec![rolling_back(), Event::RolledBack], Phase::RolledBack),
        (vec![Event::Verified, rolling_back()], Phase::RollingBack),
        (vec![waiting(), rolling_back(), rollback_waiting(), Event::RolledBack], Phase::RolledBack),
    ];
    let dom0 = dom0();
    let header = dom0.begin("bond51").header;
    for (events, phase) in cases {
        let times = vec![String::new(); events.len()];
        let tx = Transaction { header: header.clone(), events: events.clone(), times, length: 0 };
        assert_eq!(tx.phase(), phase, "{events:?}");
        let open = !matches!(phase, Phase::Done | Phase::RolledBack);
        let summary = Summary { id: "x".into(), spec: header.plan.spec.clone(), phase };
        assert_eq!(summary.is_open(), open, "{events:?}");
        let json = serde_json::to_string(&summary).unwrap();
        assert_eq!(serde_json::from_str::<Summary>(&json).unwrap(), summary, "{json}");
    }
}

#[test]
fn a_torn_last_line_never_was_and_the_next_record_cuts_it() {
    for torn in [
        "{",
        "{\"at\":\"x\",\"event\":\"begin\",\"step\":2}",
        "\0\0\0\0",
        "{\"at\":\"2026\u{fffd}",
        "x",
    ] {
        let dom0 = dom0();
        let mut tx = dom0.begin("bond51");
        tx.record(&dom0.host, begin(1)).unwrap();
        let whole = dom0.own_text("current/journal");
        std::fs::write(dom0.own("current/journal"), format!("{whole}{torn}")).unwrap();
        let mut again = dom0.open();
        assert_eq!(again.events, [begin(1)], "{torn:?}");
        assert_eq!(
            dom0.own_text("current/journal"),
            format!("{whole}{torn}"),
            "looking changes nothing"
        );
        again.record(&dom0.host, done(1)).unwrap();
        assert_eq!(dom0.open().events, [begin(1), done(1)], "{torn:?}");
        let text = dom0.own_text("current/journal");
        assert!(text.starts_with(&whole) && text.lines().count() == 2, "{text}");
    }
}

#[test]
fn a_torn_first_line_is_cut_too() {
    let dom0 = dom0();
    let mut tx = dom0.begin("bond51");
    std::fs::write(dom0.own("current/journal"), "{\"at\"").unwrap();
    assert!(dom0.open().events.is_empty());
    tx.record(&dom0.host, begin(1)).unwrap();
    assert_eq!(dom0.open().events, [begin(1)]);
}

#[test]
fn a_journal_that_is_broken_before_its_end_is_an_error() {
    let dom0 = dom0();
    dom0.begin("bond51").record(&dom0.host, begin(1)).unwrap();
    let whole = dom0.own_text("current/journal");
    for broken in [format!("x\n{whole}"), format!("{whole}\n"), whole.replace("begin", "nope")] {
        std::fs::write(dom0.own("current/journal"), broken).unwrap();
        let error = format!("{:#}", Transaction::open(&dom0.host).err().unwrap());
        assert!(error.contains("/journal: line "), "{error}");
    }
}

#[test]
fn a_plan_of_a_newer_format_is_not_touched() {
    let dom0 = dom0();
    dom0.begin("bond51");
    let text = dom0.own_text("current/plan.json");
    for (new, words) in [
        (
            text.replace("\"format\": 2", "\"format\": 3"),
            "has the format 3, and this xenbond knows 2",
        ),
        (text.replace("\"format\": 2", "\"format\": \"2\""), "has the format \"2\""),
        (text.replace("\"format\": 2,", ""), "has the format unknown"),
        (text[..text.len() / 2].to_string(), "/plan.json: "),
        (String::new(), "/plan.json: "),
    ] {
        assert_ne!(new, text);
        std::fs::write(dom0.own("current/plan.json"), new).unwrap();
        let error = format!("{:#}", Transaction::open(&dom0.host).err().unwrap());
        assert!(error.contains(words), "{error}");
        assert!(summary(&dom0.host).is_err());
    }
}

#[test]
fn a_transaction_cut_off_before_it_began_leaves_the_one_before() {
    let dom0 = dom0();
    let mut first = dom0.begin("bond51");
    first.record(&dom0.host, Event::Verified).unwrap();
    // The folder of the next is there, but `current` does not point at it.
    std::fs::create_dir_all(dom0.own("history/20990101000000-bond52/originals")).unwrap();
    std::fs::write(dom0.own("history/20990101000000-bond52/plan.json"), "{").unwrap();
    assert_eq!(dom0.open().header.id, first.header.id);
}

/// What is said of a record that cannot be used: the error, and its hint.
fn refusal(dom0: &Dom0) -> (String, String) {
    let error = Transaction::open(&dom0.host).err().unwrap();
    let hint = error.downcast_ref::<crate::outcome::Hint>().map(|hint| hint.0.clone());
    (error.to_string(), hint.unwrap())
}

#[test]
fn a_current_that_leads_nowhere_is_damage_and_not_nothing() {
    let dom0 = dom0();
    let id = dom0.begin("bond51").header.id;
    std::fs::remove_file(dom0.own("current/plan.json")).unwrap();
    let (error, hint) = refusal(&dom0);
    assert!(error.contains(&format!("history/{id}/plan.json: it is gone")), "{error}");
    assert!(hint.contains(&format!("sh /var/lib/xenbond/history/{id}/undo.sh")), "{hint}");
    std::fs::remove_file(dom0.own("current")).unwrap();
    std::os::unix::fs::symlink("history/gone", dom0.own("current")).unwrap();
    let (error, hint) = refusal(&dom0);
    assert!(error.contains("history/gone/plan.json"), "{error}");
    assert!(hint.contains("undo.sh of that transaction is gone too"), "{hint}");
}

#[test]
fn an_original_that_is_gone_or_another_one_is_damage() {
    let dom0 = dom0();
    dom0.begin("bond51");
    let original = dom0.own("current/originals/etc_modprobe.conf");
    std::fs::write(&original, "alias eth0 e1000\n").unwrap();
    assert!(refusal(&dom0).0.contains("etc_modprobe.conf does not hold what was recorded"));
    std::fs::remove_file(&original).unwrap();
    assert!(refusal(&dom0).0.contains("etc_modprobe.conf is missing"));
}

#[test]
fn the_record_of_another_host_is_not_used() {
    let dom0 = dom0();
    dom0.begin("bond51");
    let file = dom0.at("etc/xensource-inventory");
    let text = std::fs::read_to_string(&file).unwrap();
    let mine = crate::ledger::this_host(&dom0.host).unwrap().to_string();
    let other = "11111111-2222-3333-4444-555555555555";
    std::fs::write(&file, text.replace(&mine, other)).unwrap();
    let (error, hint) = refusal(&dom0);
    assert!(error.contains(&format!("uuid {mine}, and this host is {other}")), "{error}");
    assert_eq!(hint, format!("mv /var/lib/xenbond /root/xenbond-of-{mine}"));
    std::fs::write(&file, text).unwrap();
    assert!(Transaction::open(&dom0.host).unwrap().is_some());
}

#[test]
fn the_one_before_is_current_again_after_the_end() {
    let dom0 = dom0();
    let mut first = dom0.begin("bond51");
    first.record(&dom0.host, Event::Verified).unwrap();
    let mut second = dom0.begin("bond52");
    assert_eq!(second.header.previous.as_ref(), Some(&first.header.id));
    assert_ne!(second.header.id, first.header.id);
    second.record(&dom0.host, rolling_back()).unwrap();
    assert_eq!(summary(&dom0.host).unwrap().unwrap().phase, Phase::RollingBack);
    second.record(&dom0.host, Event::RolledBack).unwrap();
    assert_eq!(summary(&dom0.host).unwrap(), None, "one that is rolled back is nobody's concern");
    let id = second.header.id.clone();
    second.close(&dom0.host).unwrap();
    let now = summary(&dom0.host).unwrap().unwrap();
    assert_eq!((now.id, now.phase), (first.header.id.clone(), Phase::Done));
    assert_eq!(now.spec.bond.as_str(), "bond51");
    dom0.open().close(&dom0.host).unwrap();
    assert!(!dom0.own("current").exists() && dom0.own("current").symlink_metadata().is_err());
    for id in [id, first.header.id] {
        assert!(dom0.own(&format!("history/{id}/journal")).exists(), "the history stays");
    }
}

#[test]
fn the_open_transaction_is_the_latest_whatever_the_clock_said() {
    let dom0 = dom0();
    let mut first = dom0.begin("bond51");
    first.record(&dom0.host, Event::Verified).unwrap();
    dom0.model.change(|s| s.dom0.wall_offset = -1_000_000);
    let second = dom0.begin("bond52");
    assert!(second.header.id < first.header.id);
    assert_eq!(latest(&dom0.host).unwrap().unwrap().header.id, second.header.id);
}

#[test]
fn two_transactions_of_one_second_have_two_names() {
    let dom0 = dom0();
    let all: Vec<String> = (0..3).map(|_| dom0.begin("bond51").header.id).collect();
    assert_eq!(all.iter().collect::<std::collections::BTreeSet<_>>().len(), 3, "{all:?}");
}

#[test]
fn only_one_run_holds_the_lock_and_it_goes_with_the_value() {
    let dom0 = dom0();
    let lock = Lock::take(&dom0.host).unwrap();
    let other = Host::new(dom0.root(), dom0.model.clone(), dom0.model.clone());
    let me = format!("pid {}, since 2026-", std::process::id());
    let error = Lock::take(&other).err().unwrap().to_string();
    assert!(error.starts_with(&format!("another xenbond is changing this host: {me}")), "{error}");
    assert!(Lock::holder(&other).unwrap().starts_with(&me));
    dom0.begin("bond51");
    let holder = Lock::holder(&other).unwrap();
    assert!(holder.contains(", transaction 2026") && holder.ends_with("-bond51"), "{holder}");
    drop(lock);
    assert!(Lock::holder(&other).is_none());
    let again = Lock::take(&other).unwrap();
    assert_eq!(again.dead, None, "a run that ended is not a dead one");
    assert!(Lock::holder(&dom0.host).is_some());
}

#[test]
fn whoever_only_looks_at_the_lock_keeps_nobody_from_taking_it() {
    let dom0 = dom0();
    drop(Lock::take(&dom0.host).unwrap());
    let over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !over.load(std::sync::atomic::Ordering::Relaxed) {
                    let _ = Lock::holder(&dom0.host);
                }
            });
        }
        let failed: Vec<String> = (0..500)
            .filter_map(|_| Lock::take(&dom0.host).err().map(|e| format!("{e:#}")))
            .collect();
        over.store(true, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(failed, [""; 0]);
    });
}

#[test]
fn a_lock_whose_holder_died_is_taken_over_with_a_word() {
    let dom0 = dom0();
    drop(Lock::take(&dom0.host).unwrap());
    std::fs::write(dom0.own("lock"), "pid 4711, since 2026-11-20T12:00:00Z\n").unwrap();
    let lock = Lock::take(&dom0.host).unwrap();
    assert_eq!(lock.dead.as_deref(), Some("pid 4711, since 2026-11-20T12:00:00Z"));
}

#[test]
fn a_journal_cut_at_any_byte_is_one_with_fewer_lines() {
    let dom0 = dom0();
    let mut tx = dom0.begin("bond51");
    let events = [
        begin(1),
        done(1),
        begin(2),
        waiting(),
        done(2),
        Event::Verified,
        rolling_back(),
        Event::Undone { step: 2 },
        Event::Kept { path: "/etc/a\n\"b\u{e9}".into() },
        rollback_waiting(),
        Event::RolledBack,
    ];
    for event in &events {
        tx.record(&dom0.host, event.clone()).unwrap();
    }
    let whole = std::fs::read(dom0.own("current/journal")).unwrap();
    for cut in 0..=whole.len() {
        std::fs::write(dom0.own("current/journal"), &whole[..cut]).unwrap();
        let lines = whole[..cut].iter().filter(|b| **b == b'\n').count();
        let mut left = dom0.open();
        assert_eq!(left.events, events[..lines], "cut at byte {cut}");
        left.record(&dom0.host, begin(9)).unwrap();
        let after = dom0.open().events;
        assert_eq!(
            (&after[..lines], &after[lines..]),
            (&events[..lines], &[begin(9)][..]),
            "{cut}"
        );
    }
    println!("a journal of {} bytes, cut at each", whole.len());
}
