//! Never half: at every effect of apply, resume and rollback something goes wrong, and whatever it
//! is, the host ends at one of two ends, wanted or untouched, which is compared whole.
//!
//! `cargo test` takes a sample spread over all effects; `XENBOND_FAULTS=all` takes them all, and
//! `XENBOND_STORY` those of one story, or of one kind of fault (`PowerCutUnsaved`); `XENBOND_JOB`
//! those of the jobs whose names begin so (`remove`, `storage`).

pub mod job;
pub mod moment;
pub mod stage;
pub mod strike;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Mutex;

use anyhow::Result;
use xenbond::model::state::{Flavour, How};
use xenbond::outcome::{Ending, Outcome};

use crate::sample::Sample;
use job::Job;
use moment::Moment;
use stage::{Act, Later, SCENARIOS, Scenario, Scene, Stage};
use strike::{Boot, Fault, Seen};

/// One in so many faults is in the sample of `cargo test`.
const SAMPLE: usize = 400;

/// Where a host ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    Untouched,
    Wanted,
}

#[derive(Default)]
struct Counts {
    /// By scenario: effects, faults injected, and how many ended untouched and wanted.
    rows: BTreeMap<usize, [usize; 4]>,
    kinds: BTreeMap<Fault, [usize; 3]>,
    recoveries: usize,
    failures: Vec<String>,
}

impl Counts {
    fn take(
        &mut self,
        number: usize,
        stage: &Stage,
        fault: Fault,
        what: &str,
        end: Result<End, String>,
    ) {
        let (row, kind) =
            (self.rows.entry(number).or_default(), self.kinds.entry(fault).or_default());
        row[1] += 1;
        kind[0] += 1;
        let place = match &end {
            Ok(End::Untouched) => 0,
            Ok(End::Wanted) => 1,
            Err(text) => {
                let text = format!("{}, {fault:?} at {what}: {text}", stage.story);
                // A whole matrix takes minutes: what is wrong is shown at once.
                println!("UNRECOVERED {text}");
                self.failures.push(text);
                return;
            }
        };
        row[2 + place] += 1;
        kind[1 + place] += 1;
    }
}

/// The recoveries of a scenario that were run.
///
/// A recovery sees the host and nothing else: from a moment that was recovered already it would
/// end the same. Most effects leave the same moment in several ways (a death after one effect is a
/// death before the next; a power cut with nothing volatile is a reboot), so that each is run once.
#[derive(Default)]
struct Known(Vec<(Moment, Boot, Act, Result<End, String>)>);

impl Known {
    /// As many as may be equal: those of the same few effects.
    const SIZE: usize = 24;
}

struct Case<'a> {
    scene: &'a Scene,
    scenario: Scenario,
    runs: usize,
    /// Hosts as wanted from which the way back was taken.
    wanted: Vec<Moment>,
}

impl Case<'_> {
    fn say(&self, what: &str, last: &Result<Outcome>) -> String {
        let last = match last {
            Ok(o) => format!("{:?} {:?}", o.ending, o.error),
            Err(e) => format!("{e:#}"),
        };
        format!("{}: {what}; last: {last}; {:#?}", self.scenario.name(), self.scene.differences())
    }

    /// The host must be at one of its two ends now, and from the wanted one there is a way back.
    fn end(&mut self, last: &Result<Outcome>) -> Result<End, String> {
        self.runs += 1;
        if self.scene.is_untouched() {
            return Ok(End::Untouched);
        }
        let wanted = self.scene.now().timeless();
        if self.wanted.contains(&wanted) {
            return Ok(End::Wanted);
        }
        let differences = self.scene.differences();
        if !self.scene.is_as_wanted() {
            let what = format!("neither wanted nor untouched, {differences:#?}");
            return Err(self.say(&what, last));
        }
        let back = self.scene.goes_on();
        if self.scene.has_gone_on() {
            self.wanted.push(wanted);
            Ok(End::Wanted)
        } else {
            Err(self.say("wanted, and cannot go back", &back))
        }
    }

    /// The engine lived on: what it says must be so, and what it leaves open both ways must end.
    fn survived(&mut self, stage: &Stage, ended: &Result<Outcome>) -> Vec<Result<End, String>> {
        let untouched = self.scene.is_untouched();
        let refused = |o: &Outcome| o.ending == Ending::Refused;
        let moved = || self.scene.now().view() != stage.start.view();
        let means = ended.as_ref().ok().and_then(|o| self.scenario.job.means(o.ending));
        match ended {
            Ok(_) if means == Some(End::Untouched) && untouched => vec![Ok(End::Untouched)],
            Ok(_) if means == Some(End::Untouched) => {
                vec![Err(self.say("said rolled back", ended))]
            }
            Ok(o) if refused(o) && moved() => {
                vec![Err(self.say("said refused", ended))]
            }
            Ok(_) if means == Some(End::Wanted) && untouched => {
                vec![Err(self.say("said to be as wanted", ended))]
            }
            Ok(_) if means == Some(End::Wanted) => vec![self.end(ended)],
            _ => {
                let left = self.scene.now();
                [Act::Resume, Act::Rollback].map(|by| self.recovered(&left, Boot::None, by)).into()
            }
        }
    }

    /// Others did something at an effect: it is neither lost nor in the way.
    fn edited(&mut self, stage: &Stage, at: usize, fault: Fault) -> Vec<Result<End, String>> {
        self.scene.load(&stage.start, Boot::None);
        let Some((path, text)) = fault.edit(self.scene.root()) else { return Vec::new() };
        let Some(ended) = self.scene.strike(stage, at, fault) else { return Vec::new() };
        self.runs += 1;
        let means = ended.as_ref().ok().and_then(|o| self.scenario.job.means(o.ending));
        let end = means.unwrap_or(End::Wanted);
        let last = match end {
            End::Untouched => ended,
            End::Wanted => self.scene.goes_on(),
        };
        let harm = self.scene.harm(end, &path, text.as_deref());
        vec![match &last {
            Ok(o)
                if matches!(o.ending, Ending::RolledBack | Ending::NothingToDo)
                    && harm.is_empty() =>
            {
                Ok(end)
            }
            _ => Err(format!("{}; {harm:#?}", self.say("others' work", &last))),
        }]
    }

    fn recovered(&mut self, left: &Moment, boot: Boot, by: Act) -> Result<End, String> {
        self.scene.load(left, boot);
        let last = self.scene.run_to_the_end(by);
        // Where nothing has begun, or all is undone, the transaction before is the last one.
        let before = by == Act::Rollback && left.view() == self.scene.untouched.view();
        if before && self.scene.is_earlier() {
            self.runs += 1;
            return Ok(End::Untouched);
        }
        self.end(&last).map_err(|text| format!("recovered by {by:?}: {text}"))
    }

    /// The power goes when the verdict was given: it holds all the same.
    fn later(&mut self, later: &Later, said: Ending) -> Vec<Result<End, String>> {
        let end = self.scenario.job.means(said).unwrap_or(End::Wanted);
        // Whose job is a rollback goes on to its end by another one.
        let undone = if self.scenario.job.is_change() { End::Untouched } else { End::Wanted };
        let mut ways = vec![(Boot::Unsaved, Act::Resume, end)];
        if later.waits {
            // Whoever changes the host ends the wait, after a power cut or without one.
            ways.push((Boot::None, Act::Resume, end));
            ways.push((Boot::None, Act::Rollback, undone));
            ways.push((Boot::Unsaved, Act::Rollback, undone));
        }
        let one = |(boot, by, wanted): (Boot, Act, End)| {
            let is = self.recovered(&later.moment, boot, by)?;
            let name = self.scenario.name();
            let wrong = || format!("{name}: {said:?} was said, and by {by:?} it is {is:?}");
            if is == wanted { Ok(is) } else { Err(wrong()) }
        };
        ways.into_iter().map(one).collect()
    }

    /// A fault at an effect of a stage, and all that may follow it.
    fn strike(
        &mut self,
        stage: &Stage,
        at: usize,
        fault: Fault,
        known: &mut Known,
    ) -> Vec<Result<End, String>> {
        if fault.is_survived() {
            // A fault that the given one forestalls cannot strike.
            if fault.is_of_others() {
                return self.edited(stage, at, fault);
            }
            return match self.scene.strike(stage, at, fault) {
                Some(ended) => {
                    self.scene.lets_late_come();
                    self.survived(stage, &ended)
                }
                None => Vec::new(),
            };
        }
        let Some(left) = stage.seen[at - 1].left_by(fault) else { return Vec::new() };
        let boot = fault.boot();
        let mut ends = Vec::new();
        for by in [Act::Resume, Act::Rollback] {
            let same = known.0.iter().find(|k| k.1 == boot && k.2 == by && k.0 == left);
            if let Some((.., end)) = same {
                ends.push(end.clone());
                continue;
            }
            let end = self.recovered(&left, boot, by);
            if known.0.len() == Known::SIZE {
                drop(known.0.remove(0));
            }
            known.0.push((left.clone(), boot, by, end.clone()));
            ends.push(end);
        }
        ends
    }
}

fn struck(number: usize, scenario: Scenario, only: Option<&str>, counts: &Mutex<Counts>) {
    let scene = Scene::new(scenario);
    let mut case = Case { scene: &scene, scenario, runs: 0, wanted: Vec::new() };
    let sample = Sample::one_in(SAMPLE);
    for (which, stage) in scene.stages().iter().enumerate() {
        let kind = only.filter(|only| Fault::is_named(only));
        if only.is_some_and(|only| kind.is_none() && only != stage.story) {
            continue;
        }
        let mut known = Known::default();
        // What comes before a fault that is given is another stage's.
        let first = stage.given.map_or(1, |(at, _)| at + 1);
        for at in first..=stage.seen.len() {
            let seen = &stage.seen[at - 1];
            counts.lock().unwrap().rows.entry(number).or_default()[0] += 1;
            for (which_kind, fault) in Fault::ALL.into_iter().enumerate() {
                if kind.is_some_and(|kind| !fault.is_called(kind)) || !fault.can_strike(&seen.text)
                {
                    continue;
                }
                if fault.is_of_commands() && !seen.is_command {
                    continue;
                }
                let turn = at * 7 + which_kind * 31 + which * 13 + number * 17;
                if !sample.takes(turn) {
                    continue;
                }
                let what = format!("effect {at} ({})", seen.text);
                for end in case.strike(stage, at, fault, &mut known) {
                    counts.lock().unwrap().take(number, stage, fault, &what, end);
                }
            }
        }
        let Some((said, minutes)) = &stage.later else { continue };
        if kind.is_some_and(|kind| !Fault::PowerCutLater.is_called(kind)) {
            continue;
        }
        for (minute, later) in minutes.iter().enumerate() {
            let turn = minute * 7 + which * 13 + number * 17;
            if !Sample::one_in(SAMPLE / 8).takes(turn) {
                continue;
            }
            let when = if later.waits { "of the wait" } else { "after it" };
            let what = format!("{said:?}, moment {minute}, {when}");
            for end in case.later(later, *said) {
                counts.lock().unwrap().take(number, stage, Fault::PowerCutLater, &what, end);
            }
        }
    }
    counts.lock().unwrap().recoveries += case.runs;
}

#[test]
fn every_fault_at_every_effect_ends_at_one_of_two_ends() {
    let only = std::env::var("XENBOND_STORY").ok();
    let counts = Mutex::<Counts>::default();
    let job = std::env::var("XENBOND_JOB").ok();
    let asked =
        |s: &Scenario| job.as_ref().is_none_or(|job| s.job.name().starts_with(job.as_str()));
    let queue = Mutex::new(SCENARIOS.into_iter().enumerate().filter(|(_, s)| asked(s)));
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().unwrap().next();
                    let Some((number, scenario)) = next else { return };
                    struck(number, scenario, only.as_deref(), &counts);
                }
            });
        }
    });
    let counts = counts.into_inner().unwrap();
    let mut table = String::new();
    writeln!(
        table,
        "{:<52} {:>8} {:>8} {:>10} {:>8}",
        "scenario", "effects", "faults", "untouched", "wanted"
    )
    .unwrap();
    for (number, [effects, faults, untouched, wanted]) in &counts.rows {
        let name = SCENARIOS[*number].name();
        writeln!(table, "{name:<52} {effects:>8} {faults:>8} {untouched:>10} {wanted:>8}").unwrap();
    }
    writeln!(table).unwrap();
    for (fault, [faults, untouched, wanted]) in &counts.kinds {
        let name = format!("{fault:?}");
        writeln!(table, "{name:<61} {faults:>8} {untouched:>10} {wanted:>8}").unwrap();
    }
    let sum = |at: usize| counts.rows.values().map(|row| row[at]).sum::<usize>();
    println!(
        "{table}{} scenarios, {} effects, {} faults injected, {} ends compared, {} unrecovered",
        counts.rows.len(),
        sum(0),
        sum(1),
        counts.recoveries,
        counts.failures.len()
    );
    assert!(
        counts.failures.is_empty(),
        "{}",
        counts.failures[..counts.failures.len().min(8)].join("\n")
    );
}

/// Others edit a file of the bond while a change is taken back that had not come to it.
#[test]
fn a_file_that_a_change_had_not_come_to_is_left_to_others() {
    let scenario = SCENARIOS.into_iter().find(|s| s.job == Job::Adopt).unwrap();
    let scene = Scene::new(scenario);
    let mut case = Case { scene: &scene, scenario, runs: 0, wanted: Vec::new() };
    let stages = scene.stages();
    let stage = stages.iter().find(|stage| stage.story == "failing apply").unwrap();
    let (given, _) = stage.given.unwrap();
    for at in given + 1..=stage.seen.len() {
        for end in case.edited(stage, at, Fault::EditsOurs) {
            assert!(end.is_ok(), "effect {at}: {end:?}");
        }
    }
    assert!(case.runs > 0);
}

/// What a second person does while a question stands, and what becomes of the first.
#[test]
fn a_second_run_at_a_question_is_noticed() {
    let made = |s: &Scenario| s.job == Job::Make && !s.switch && s.replaces.is_none();
    let mut questions = 0;
    for scenario in SCENARIOS.into_iter().filter(made) {
        let name = scenario.name();
        questions += 4;
        let dom0 = Scene::new(scenario);
        let done =
            |outcome: Result<Outcome>| assert_eq!(outcome.unwrap().ending, Ending::Done, "{name}");
        let refused = |act: Act, what: &str, meanwhile: &dyn Fn()| {
            let left = std::cell::RefCell::new(None);
            let ended = dom0.run_asked(act, &|| {
                meanwhile();
                *left.borrow_mut() = Some(dom0.now().view());
            });
            assert_eq!(ended.unwrap().ending, Ending::Refused, "{name}: {what}");
            assert_eq!(Some(dom0.now().view()), left.into_inner(), "{name}: {what}");
        };
        refused(Act::Apply, "another apply", &|| done(dom0.run_other(scenario, scenario.nics)));
        let first = dom0.now();
        refused(Act::Rollback, "another rollback", &|| {
            assert_eq!(dom0.run(Act::Rollback).unwrap().ending, Ending::RolledBack, "{name}");
        });
        assert!(dom0.is_untouched(), "{name}: {:#?}", dom0.differences());
        dom0.load(&first, Boot::None);
        refused(Act::Rollback, "a newer apply", &|| done(dom0.run(Act::Apply)));
        dom0.load(&dom0.untouched, Boot::None);
        refused(Act::Apply, "an edit", &|| {
            let path = dom0.root().join("etc/sysconfig/network-scripts/ifcfg-eth3");
            std::fs::write(path, "DEVICE=eth3\n").unwrap();
        });
    }
    println!("{questions} questions with a second run in their midst, 0 unnoticed");
}

/// Files, bond and backend go back without XAPI; what is left for XAPI is named, and done when it is
/// back.
#[test]
fn a_rollback_goes_as_far_as_it_can_while_xapi_hangs() {
    for scenario in [SCENARIOS[0], SCENARIOS[4], SCENARIOS[6]] {
        let name = scenario.name();
        let scene = Scene::new(scenario);
        assert_eq!(scene.run_to_the_end(Act::Apply).unwrap().ending, Ending::Done, "{name}");
        scene.lie("xe", How::Hangs, u32::MAX);
        let mut ended = scene.run(Act::Rollback).unwrap();
        if ended.ending == Ending::WaitingForReboot {
            scene.reboot();
            ended = scene.run(Act::Resume).unwrap();
        }
        assert_eq!(ended.ending, Ending::RollbackIncomplete, "{name}: {:?}", ended.error);
        let introduced = |nic: &str| {
            let command = |c: &str| c.starts_with("xe pif-introduce") && c.contains(nic);
            ended.left.iter().any(|left| command(&left.command))
        };
        assert!(introduced("eth2") && introduced("eth3"), "{name}: {:#?}", ended.left);
        let wrong = scene.wrong_without_xapi();
        assert!(wrong.is_empty(), "{name}: {wrong:#?}");
        scene.lie("xe", How::Hangs, 0);
        let ended = scene.run_to_the_end(Act::Resume).unwrap();
        assert_eq!(ended.ending, Ending::RolledBack, "{name}: {:?}", ended.error);
        assert!(scene.is_untouched(), "{name}: {:#?}", scene.differences());
    }
}

/// The master is gone from this call of a run on, and back when the run has ended: what was said is
/// so, and what waits for XAPI comes to its end. Whether the run made so many calls.
fn without_master(case: &mut Case<'_>, start: &Moment, first: Act, call: u32) -> bool {
    let scene = case.scene;
    scene.load(start, Boot::None);
    scene.lies_after(call, "xe", How::Hangs, u32::MAX);
    let ended = scene.run_to_the_end(first);
    let lied = scene.has_lied("xe");
    scene.lie("xe", How::Hangs, 0);
    let what = format!("{}: {first:?}, call {call}", case.scenario.name());
    match &ended {
        Ok(o) if o.ending == Ending::RolledBack => {
            assert!(scene.is_untouched(), "{what}: {:#?}", scene.differences());
        }
        Ok(o) if o.ending == Ending::RollbackIncomplete => {
            assert!(!o.left.is_empty(), "{what}");
            let wrong = scene.wrong_without_xapi();
            assert!(wrong.is_empty(), "{what}: {wrong:#?}");
        }
        _ => {}
    }
    let left = scene.now();
    for by in [Act::Resume, Act::Rollback] {
        let end = case.recovered(&left, Boot::None, by);
        assert!(end.is_ok(), "{what}: {end:?}");
    }
    lied
}

#[test]
fn the_master_may_go_at_any_call() {
    let sample = Sample::one_in(16);
    for (number, scenario) in [SCENARIOS[0], SCENARIOS[4], SCENARIOS[6]].into_iter().enumerate() {
        let scene = Scene::new(scenario);
        let mut case = Case { scene: &scene, scenario, runs: 0, wanted: Vec::new() };
        for (which, first) in [Act::Apply, Act::Rollback].into_iter().enumerate() {
            scene.load(&scene.untouched, Boot::None);
            if first == Act::Rollback {
                assert_eq!(scene.run_to_the_end(Act::Apply).unwrap().ending, Ending::Done);
            }
            let start = scene.now();
            let mut calls = (0..).filter(|call| sample.takes(*call as usize + which + number));
            while without_master(&mut case, &start, first, calls.next().unwrap()) {}
        }
    }
}

#[test]
fn what_nobody_stands_beside_is_tried_again() {
    let scene = Scene::new(SCENARIOS[4]);
    assert_eq!(scene.run(Act::Apply).unwrap().ending, Ending::Done);
    scene.lie("xe pif-introduce", How::Fails, 2);
    assert_eq!(scene.run(Act::Rollback).unwrap().ending, Ending::RollbackIncomplete);
    scene.lie("xe pif-introduce", How::Fails, 4);
    let ended = scene.run_by_itself().unwrap();
    assert_eq!(ended.ending, Ending::RolledBack, "{:?}", ended.error);
    assert!(scene.is_untouched(), "{:#?}", scene.differences());
}

fn asked_for(job: Job, flavour: Flavour) -> Scenario {
    let is = |s: &Scenario| s.job == job && s.flavour == flavour;
    SCENARIOS.into_iter().find(is).unwrap()
}

/// Strikes some effects of the last of these acts; each must lead to one of the two ends.
fn struck_by_name(
    scenario: Scenario,
    acts: &[Act],
    faults: &[Fault],
    which: impl Fn(&[Seen]) -> Vec<usize>,
) {
    let scene = Scene::new(scenario);
    let mut case = Case { scene: &scene, scenario, runs: 0, wanted: Vec::new() };
    let stages = scene.recorded(acts);
    let mut struck = 0;
    for stage in &stages {
        for at in which(&stage.seen) {
            for fault in faults {
                let mut known = Known::default();
                for end in case.strike(stage, at + 1, *fault, &mut known) {
                    struck += 1;
                    assert!(end.is_ok(), "{fault:?} at {}: {end:?}", stage.seen[at].text);
                }
            }
        }
    }
    assert!(struck > 0, "{}", scenario.name());
}

/// The effects that some words are of.
fn with_words<'a>(words: &'a str) -> impl Fn(&[Seen]) -> Vec<usize> + 'a {
    move |seen| (0..seen.len()).filter(|at| seen[*at].text.contains(words)).collect()
}

#[test]
fn a_removal_that_goes_back_gives_the_bond_its_address_and_its_order() {
    for flavour in [Flavour::El5, Flavour::El7] {
        let mut scene = Scene::new(asked_for(Job::Remove, flavour));
        scene.turn_slaves();
        scene.lie("xe pif-introduce", How::Fails, 1);
        let ended = scene.run(Act::Apply).unwrap();
        assert_eq!(ended.ending, Ending::RolledBack, "{:?}", ended.error);
        assert!(scene.is_untouched(), "{flavour:?}: {:#?}", scene.differences());
    }
}

#[test]
fn the_last_lines_of_a_rollback_may_be_refused_once() {
    let last = |seen: &[Seen]| {
        let lines = with_words("Append(")(seen);
        lines[lines.len().saturating_sub(3)..].to_vec()
    };
    let faults = [Fault::Fails, Fault::FailsAfter];
    let removal = asked_for(Job::Remove, Flavour::El5);
    struck_by_name(removal, &[Act::Apply, Act::Rollback], &faults, last);
    struck_by_name(asked_for(Job::First, Flavour::El7), &[Act::Apply], &faults, last);
}

#[test]
fn a_slave_that_a_boot_made_a_port_comes_back_to_its_bond() {
    struck_by_name(
        asked_for(Job::Remove, Flavour::El7),
        &[Act::Apply, Act::Rollback],
        &[Fault::PowerCutUnsaved],
        with_words("\"enable\", \"xenbond-resume"),
    );
}

#[test]
fn a_nic_that_a_boot_gave_back_to_xapi_is_up_after_the_rollback() {
    let stays = |s: &Scenario| s.job == Job::Make && s.flavour == Flavour::El7 && !s.switch;
    struck_by_name(
        SCENARIOS.into_iter().find(stays).unwrap(),
        &[Act::Apply],
        &[Fault::PowerCutUnsaved],
        with_words("\"enable\", \"xenbond-resume"),
    );
}

#[test]
fn a_slave_that_stays_for_its_file_goes_back_to_xapi_later() {
    let grows = |s: &Scenario| s.replaces.is_some() && s.flavour == Flavour::El7;
    struck_by_name(
        SCENARIOS.into_iter().find(grows).unwrap(),
        &[Act::Apply, Act::Rollback],
        &[Fault::Fails],
        with_words("ifcfg-eth1\")"),
    );
}

#[test]
fn what_others_remove_between_two_ways_back_stays_gone() {
    struck_by_name(
        asked_for(Job::Last, Flavour::El7),
        &[Act::Apply],
        &[Fault::RemovesTheirs],
        with_words("-bond51/journal"),
    );
}
