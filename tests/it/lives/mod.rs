//! Ten thousand lives: a seed is the life of a host on the model. Operator, another administrator,
//! hardware, XAPI, power: some forty events in random order, and after each of them what must hold
//! at any time is judged by an observer that knows the model and not the program.
//!
//! `cargo test` lives a few lives, always the same; `XENBOND_LIVES=SECONDS` as many as fit in so
//! many seconds, the first of which has the seed `SEED`, or one of the clock. So
//! `XENBOND_LIVES=0 SEED=N` lives life N alone. One that fails is cut down to the shortest list of
//! events that still fails, which is printed as a line for the table in `cut.rs`.

mod cut;
mod event;
mod host;
mod observer;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use xenbond::engine::Aim;
use xenbond::outcome::{Ending, Outcome};

use event::{Birth, Event};
use host::{Came, Living, Said};
use observer::Observer;

/// How many lives `cargo test` lives.
const FEW: u64 = 4;

/// How long it may take to cut a life down.
const LONGEST: Duration = Duration::from_secs(150);

/// How often a rollback may have to be asked for again.
const AGAIN: usize = 3;

/// A life that failed.
#[derive(Clone)]
struct Failure {
    /// After so many events.
    after: usize,
    what: Vec<String>,
}

impl Failure {
    fn text(&self) -> String {
        self.what.join("\n")
    }

    /// What kind it is: whatever else a shorter life shows is another one's.
    fn kind(&self) -> String {
        let text = &self.what[0];
        let words = text.split([':', '{', '[', '"', '(']).next().unwrap_or_default();
        words.split_whitespace().take(5).collect::<Vec<_>>().join(" ")
    }
}

/// A rollback, with the reboots that it asks for.
fn rolled_back(living: &Living, aim: &Aim) -> Said {
    let mut said = living.roll_back(aim);
    for _ in 0..AGAIN {
        let waits = said.ended.as_ref().is_ok_and(|o| o.ending == Ending::WaitingForReboot);
        if !waits {
            break;
        }
        said = living.boots(false).unwrap_or_else(|| living.resume());
    }
    said
}

fn is_over(ended: &Outcome) -> bool {
    let incomplete = ended.ending == Ending::RollbackIncomplete && !ended.left.is_empty();
    incomplete || matches!(ended.ending, Ending::RolledBack | Ending::NothingToDo)
}

/// Everything goes back that xenbond has made: that ends, and leaves the host as it was.
fn dies(living: &Living, observer: &mut Observer) -> Vec<String> {
    living.heals();
    observer.notes_end(living, None);
    if living.has_only_its_end_left() {
        living.resume();
    }
    let mut whole = true;
    let mut bonds: Vec<String> = vec!["bond51".into(), "bond52".into(), "bond60".into()];
    if let Some(open) = living.open_bond() {
        // What is open ends first.
        bonds.retain(|bond| *bond != open);
        bonds.insert(0, open);
    }
    for bond in bonds {
        let aim = Aim::Bond(bond.parse().unwrap());
        let mut said = rolled_back(living, &aim);
        for _ in 1..AGAIN {
            // That of a removal, which waited for its reboot, is over, and the bond is back.
            let ends = |o: &Outcome| match o.ending {
                Ending::RolledBack => !living.answers_for(&bond),
                ending => ending == Ending::NothingToDo,
            };
            if said.ended.as_ref().is_ok_and(ends) {
                break;
            }
            said = rolled_back(living, &aim);
        }
        match &said.ended {
            Ok(ended) if is_over(ended) => {
                if ended.ending == Ending::RollbackIncomplete {
                    whole = false;
                    let closed = living.close();
                    if !closed.ended.as_ref().is_ok_and(|o| o.ending == Ending::Closed) {
                        return vec![format!("not closed: {:?}", closed.ended)];
                    }
                }
                whole &= ended.left.is_empty();
            }
            // A bond of which nothing is known.
            Err(_) if !living.answers_for(&bond) => {}
            Ok(ended) if ended.ending == Ending::Refused && !living.answers_for(&bond) => {}
            other => return vec![format!("a rollback does not end: {bond}: {other:?}")],
        }
        if std::env::var_os("XENBOND_TELL").is_some() {
            println!("the end of {bond}: {}", Came::Said(said).text());
        }
        observer.notes_end(living, Some(bond));
    }
    if whole && !living.has_closed() {
        observer.sees_the_end(living);
    }
    observer.takes()
}

fn lives(birth: Birth, events: &[Event]) -> Result<(), Failure> {
    let tells = std::env::var_os("XENBOND_TELL").is_some();
    let living = Living::born(birth);
    let mut observer = Observer::of(&living);
    for (number, event) in events.iter().enumerate() {
        let came = catch_unwind(AssertUnwindSafe(|| living.meets(*event, number)));
        let fails = |what: Vec<String>| Err(Failure { after: number + 1, what });
        let Ok(came) = came else { return fails(vec!["a panic".into()]) };
        if tells {
            println!("{number:>3} {event:?}: {}", came.text());
        }
        observer.sees(&living, *event, number, &came);
        let wrong = observer.takes();
        if !wrong.is_empty() {
            return fails(wrong);
        }
    }
    let end = catch_unwind(AssertUnwindSafe(|| dies(&living, &mut observer)));
    let wrong = end.unwrap_or_else(|_| vec!["a panic".into()]);
    if wrong.is_empty() { Ok(()) } else { Err(Failure { after: events.len(), what: wrong }) }
}

/// The shortest list of events that fails in the same way: first halves go, then single events.
fn cut_down(birth: Birth, events: &[Event], failure: Failure) -> (Vec<Event>, Failure) {
    let mut left = events[..failure.after].to_vec();
    let mut failure = failure;
    let mut size = (left.len() / 2).max(1);
    let until = Instant::now() + LONGEST;
    loop {
        let (mut at, mut shorter) = (0, false);
        while at < left.len() && Instant::now() < until {
            let mut fewer = left.clone();
            fewer.drain(at..(at + size).min(left.len()));
            match lives(birth, &fewer) {
                Err(other) if other.kind() == failure.kind() => {
                    fewer.truncate(other.after);
                    (left, failure, shorter) = (fewer, other, true);
                }
                _ => at += size,
            }
        }
        if size == 1 && !shorter || Instant::now() >= until {
            return (left, failure);
        }
        size = (size / 2).max(1);
    }
}

/// A line for the table of lives that once failed.
fn line(seed: u64, birth: Birth, events: &[Event]) -> String {
    let list = events.iter().map(|event| format!("        {},\n", event.pasted()));
    let list = list.collect::<String>();
    let Birth { flavour, backend } = birth;
    format!(
        "    // Seed {seed}.\n    (Birth {{ flavour: Flavour::{flavour:?}, backend: Backend::{backend:?} }}, &[\n{list}    ]),"
    )
}

fn one(seed: u64) -> Option<String> {
    let (birth, events) = event::life(seed);
    let failure = lives(birth, &events).err()?;
    let found = format!("life {seed} fails after {} events: {}", failure.after, failure.text());
    println!("{found}");
    let (shortest, last) = cut_down(birth, &events, failure);
    let text = format!("{}\n{}", line(seed, birth, &shortest), last.text());
    println!("{text}");
    Some(format!("life {seed}: {}\n{text}", last.kind()))
}

#[test]
fn what_is_said_of_a_host_is_true_all_its_life() {
    let said = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seconds = said("XENBOND_LIVES");
    let clock = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let first = if seconds.is_some() { said("SEED").unwrap_or_else(clock) } else { 1 };
    let start = Instant::now();
    let is_over = |number: u64| match seconds {
        Some(seconds) => number > 0 && start.elapsed().as_secs() >= seconds,
        None => number >= FEW,
    };
    let (next, failures) = (Mutex::new(0), Mutex::new(Vec::new()));
    let take = || {
        let mut next = next.lock().unwrap();
        (!is_over(*next)).then(|| {
            *next += 1;
            *next - 1
        })
    };
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(number) = take() {
                    let failed = one(first + number);
                    failures.lock().unwrap().extend(failed);
                }
            });
        }
    });
    let (count, failures) = (next.into_inner().unwrap(), failures.into_inner().unwrap());
    println!(
        "{count} lives in {} s, the first of seed {first}, {} failed",
        start.elapsed().as_secs(),
        failures.len()
    );
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn lives_that_once_failed_are_true() {
    let fails = |(number, (birth, events)): (usize, &(Birth, &[Event]))| {
        let failure = lives(*birth, events).err()?;
        Some(format!("life {number} of the table: {}", failure.text()))
    };
    let failed: Vec<String> = cut::LIVES.iter().enumerate().filter_map(fails).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
