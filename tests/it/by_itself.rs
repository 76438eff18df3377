//! What goes on by itself, on the model with its own time: boots that run what they find enabled,
//! the dead man's switch, and the power that goes anywhere between. Nobody types a second command.

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Result, bail};
use xenbond::host::{Clock, Effect, Watch};
use xenbond::journal::Transaction;
use xenbond::ledger::{Orders, Phase};
use xenbond::model::state::{Backend, Flavour, Xapi};
use xenbond::outcome::{Ending, Exit, Outcome};
use xenbond::service::Service;

use crate::dom0::{Dom0, Notes, Snapshot, evacuate, request};
use crate::sample::Sample;

const REBOOT: Orders = Orders { reboot: true, confirm_within: None };
const CONFIRM: Orders = Orders { reboot: true, confirm_within: Some(600) };

/// Cuts the power before the effect of a number.
#[derive(Default)]
struct Power {
    count: AtomicUsize,
    cut_at: Mutex<Option<usize>>,
    off: AtomicBool,
}

impl Watch for Power {
    fn before(&self, _: &Effect<'_>) -> Result<()> {
        let number = self.count.fetch_add(1, Ordering::SeqCst) + 1;
        if *self.cut_at.lock().unwrap() == Some(number) {
            self.off.store(true, Ordering::SeqCst);
        }
        if self.off.load(Ordering::SeqCst) {
            bail!("the power is off");
        }
        Ok(())
    }

    fn after(&self, _: &Effect<'_>) -> Result<()> {
        Ok(())
    }
}

/// A host, and its life.
struct Life {
    dom0: Dom0,
    power: Arc<Power>,
    start: Snapshot,
}

impl Deref for Life {
    type Target = Dom0;

    fn deref(&self) -> &Dom0 {
        &self.dom0
    }
}

impl Life {
    fn new(flavour: Flavour, backend: Backend) -> Self {
        let power = Arc::new(Power::default());
        let dom0 = Dom0::altered(flavour, backend, evacuate).watched(power.clone());
        let start = dom0.snapshot().timeless();
        Self { dom0, power, start }
    }

    fn apply(&self, orders: Orders) -> Result<Outcome> {
        self.engine(orders, |e| e.apply(&request(&[]), |_| Ok(()), &mut Notes::default()))
    }

    fn rollback(&self, orders: Orders) -> Result<Outcome> {
        self.engine(orders, |e| {
            e.rollback(&xenbond::engine::Aim::Newest, |_| true, &mut Notes::default())
        })
    }

    fn confirm(&self) -> Outcome {
        self.engine(Orders::default(), |e| e.confirm(&mut Notes::default())).unwrap()
    }

    /// The guard's own process comes to its turn.
    fn guard(&self) -> Outcome {
        assert!(self.model.kill_guard(), "no guard was started");
        self.engine(Orders::default(), |e| e.guard(&mut Notes::default())).unwrap()
    }

    fn wants_boot(&self) -> bool {
        self.power.off.load(Ordering::SeqCst) || self.model.state().dom0.reboot_requested
    }

    /// One boot, with what it starts.
    fn boot(&self) -> Option<Result<Outcome>> {
        self.power.off.store(false, Ordering::SeqCst);
        *self.power.cut_at.lock().unwrap() = None;
        self.model.reboot().unwrap();
        let mut last = None;
        for run in self.model.state().dom0.boot_runs {
            assert_eq!(run, "resume --by-itself");
            last = Some(self.engine(Orders::default(), |e| e.resume(&mut Notes::default())));
        }
        last
    }

    /// Boots as often as it is told to.
    fn live(&self, first: Result<Outcome>) -> Result<Outcome> {
        let mut last = first;
        for _ in 0..5 {
            if !self.wants_boot() {
                break;
            }
            last = self.boot().unwrap_or_else(|| bail!("the boot started nothing"));
        }
        last
    }

    fn assert_as_it_was(&self, when: &str) {
        let differences = self.start.differences(&self.snapshot().timeless());
        assert!(differences.is_empty(), "{when}:\n{differences}");
        let mut left: Vec<_> = std::fs::read_dir(self.model.root().join("var/lib/xenbond"))
            .map(|all| all.map(|e| e.unwrap().file_name().into_string().unwrap()).collect())
            .unwrap_or_default();
        left.sort();
        assert!(left.is_empty() || left == ["history", "lock"], "{when}: {left:?}");
    }

    fn stands(&self) -> bool {
        let dom0 = self.model.state().dom0;
        dom0.bonds.get("bond51").is_some_and(|bond| bond.slaves.len() == 2)
            && dom0.addresses.contains_key("bond51")
    }

    fn assert_stands(&self, when: &str) {
        assert!(self.stands(), "{when}");
        assert!(!self.host.exists("/var/lib/xenbond/bin"), "{when}: still armed");
    }

    fn phase(&self) -> Option<Phase> {
        Transaction::open(&self.host).unwrap().map(|tx| tx.phase())
    }
}

fn end(outcome: &Result<Outcome>) -> (Ending, Exit) {
    let outcome = outcome.as_ref().unwrap_or_else(|error| panic!("{error:#}"));
    (outcome.ending, outcome.exit)
}

const FLAVOURS: [Flavour; 2] = [Flavour::El7, Flavour::El5];

#[test]
fn one_command_does_the_whole_job_and_one_takes_it_back() {
    for flavour in FLAVOURS {
        let dom0 = Life::new(flavour, Backend::Openvswitch);
        let boots = dom0.model.state().dom0.boot;
        let done = dom0.live(dom0.apply(REBOOT));
        assert_eq!(end(&done), (Ending::Done, Exit::AsAsked), "{done:?}");
        dom0.assert_stands("applied");
        assert_eq!(dom0.model.state().dom0.boot, boots + 1, "boots");
        let back = dom0.live(dom0.rollback(REBOOT));
        assert_eq!(end(&back), (Ending::RolledBack, Exit::AsAsked), "{back:?}");
        dom0.assert_as_it_was("rolled back");
        assert_eq!(dom0.model.state().dom0.boot, boots + 2, "boots");
    }
}

#[test]
fn a_reboot_that_was_not_ordered_at_first_can_be_ordered_later() {
    let dom0 = Life::new(Flavour::El7, Backend::Openvswitch);
    let waits = dom0.apply(Orders::default());
    assert_eq!(end(&waits), (Ending::WaitingForReboot, Exit::Waiting));
    assert!(!dom0.wants_boot() && !dom0.host.exists("/var/lib/xenbond/bin"));
    let done = dom0.live(dom0.apply(REBOOT));
    assert_eq!(end(&done), (Ending::Done, Exit::AsAsked), "{done:?}");
    dom0.assert_stands("applied");
}

/// What is wrong with the host after its reboot, and what the reason must name.
type Trouble = (&'static str, fn(&Life), &'static str);

#[test]
fn a_host_that_comes_up_wrong_takes_itself_back() {
    let troubles: [Trouble; 4] = [
        (
            "gateway dead",
            |d| d.model.change(|s| assert!(s.dom0.wire.reachable.remove("10.20.0.1"))),
            "gateway 10.20.0.1",
        ),
        (
            "bridge blacklisted",
            |d| {
                let file = d.model.root().join("etc/modprobe.d/local.conf");
                std::fs::write(file, "install bridge /bin/true\n").unwrap();
            },
            "blacklist",
        ),
        (
            "network.conf set back",
            |d| {
                std::fs::write(d.model.root().join("etc/xensource/network.conf"), "openvswitch\n")
                    .unwrap()
            },
            "running backend is openvswitch",
        ),
        (
            "management address lost",
            |d| {
                d.model
                    .change(|s| s.pool.pifs.get_mut("xen01/eth0").unwrap().ip = "10.20.0.77".into())
            },
            "10.20.0.11",
        ),
    ];
    for flavour in FLAVOURS {
        for (name, trouble, named) in troubles {
            let dom0 = Life::new(flavour, Backend::Openvswitch);
            let first = dom0.apply(REBOOT);
            assert_eq!(end(&first), (Ending::WaitingForReboot, Exit::Waiting), "{name}");
            let before = dom0.model.state();
            trouble(&dom0);
            let last = dom0.live(first);
            // What is wrong is not xenbond's: it is mended before the comparison.
            let _ = std::fs::remove_file(dom0.model.root().join("etc/modprobe.d/local.conf"));
            dom0.model.change(|s| {
                s.dom0.wire = before.dom0.wire.clone();
                s.pool.pifs.get_mut("xen01/eth0").unwrap().ip =
                    before.pool.pifs["xen01/eth0"].ip.clone();
                let address = before.dom0.addresses["xenbr0"].clone();
                s.dom0.addresses.insert("xenbr0".into(), address);
            });
            assert_eq!(end(&last), (Ending::RolledBack, Exit::RolledBack), "{name}: {last:?}");
            let why = last.unwrap().error.unwrap();
            assert!(why.contains(named), "{name}: {why}");
            dom0.assert_as_it_was(name);
        }
    }
}

#[test]
fn a_host_whose_xapi_never_answers_takes_itself_back() {
    let dom0 = Life::new(Flavour::El7, Backend::Openvswitch);
    let first = dom0.apply(REBOOT);
    dom0.model.change(|s| s.dom0.xapi_start = 1_000_000_000);
    assert_eq!(end(&first), (Ending::WaitingForReboot, Exit::Waiting));
    // The backend alone was changed yet: it goes back, and the host into it, without XAPI.
    let last = dom0.live(first);
    assert_eq!(end(&last), (Ending::RolledBack, Exit::RolledBack), "{last:?}");
    let why = last.unwrap().error.unwrap();
    assert!(why.contains("XAPI does not answer"), "{why}");
    let word =
        std::fs::read_to_string(dom0.model.root().join("etc/xensource/network.conf")).unwrap();
    assert_eq!(word, "openvswitch\n", "the next boot is the old one");
    dom0.model.change(|s| (s.dom0.xapi_start, s.dom0.xapi) = (1000, Xapi::Down));
    assert!(dom0.boot().is_none(), "nothing is left to do");
    dom0.assert_as_it_was("after the next boot");
}

#[test]
fn what_is_confirmed_in_time_stays_and_what_is_not_goes_with_its_reboot() {
    for flavour in FLAVOURS {
        let dom0 = Life::new(flavour, Backend::Openvswitch);
        let applied = dom0.live(dom0.apply(CONFIRM));
        assert_eq!(end(&applied), (Ending::WaitingForConfirmation, Exit::Waiting), "{applied:?}");
        dom0.model.pause(Duration::from_secs(500));
        let kept = dom0.confirm();
        assert_eq!((kept.ending, kept.exit), (Ending::Done, Exit::AsAsked), "{kept:?}");
        assert_eq!(dom0.guard().ending, Ending::NothingToDo);
        dom0.assert_stands("confirmed");

        let dom0 = Life::new(flavour, Backend::Openvswitch);
        let applied = dom0.live(dom0.apply(CONFIRM));
        assert_eq!(end(&applied), (Ending::WaitingForConfirmation, Exit::Waiting), "{applied:?}");
        let guarded = dom0.guard();
        assert_eq!(guarded.ending, Ending::WaitingForReboot, "{guarded:?}");
        let late = dom0.confirm();
        assert_eq!(late.ending, Ending::Refused, "{late:?}");
        let back = dom0.live(Ok(guarded));
        assert_eq!(end(&back), (Ending::RolledBack, Exit::RolledBack), "{back:?}");
        assert!(back.unwrap().error.unwrap().contains("not confirmed within 10m"));
        dom0.assert_as_it_was("not confirmed");
        let late = dom0.confirm();
        assert!(late.error.unwrap().contains("not confirmed"), "{flavour:?}");
        let told = dom0.model.state().dom0.transcript;
        let walls = told.iter().filter(|ran| ran.command.starts_with("wall ")).count();
        assert_eq!(walls, 3, "a minute before, when it begins, and how it ended: {told:?}");
    }
}

#[test]
fn the_time_to_confirm_outlives_a_reboot_and_a_clock_that_jumps() {
    let left = |dom0: &Life| {
        let tx = Transaction::open(&dom0.host).unwrap().unwrap();
        tx.time_left(&dom0.host).unwrap().as_secs()
    };
    let dom0 = Life::new(Flavour::El7, Backend::Bridge);
    let applied = dom0.apply(CONFIRM);
    assert_eq!(end(&applied), (Ending::WaitingForConfirmation, Exit::Waiting), "{applied:?}");
    dom0.model.pause(Duration::from_secs(100));
    assert_eq!(left(&dom0), 500);
    // The wall clock counts for nothing within one boot.
    dom0.model.change(|s| s.dom0.wall_offset = -1_000_000_000);
    assert_eq!(left(&dom0), 500);
    dom0.model.change(|s| s.dom0.wall_offset = 1_000_000_000);
    assert_eq!(left(&dom0), 500);
    // Set back before a boot it still gives no more than the boot's own clock leaves.
    dom0.model.change(|s| s.dom0.wall_offset = -1_000_000_000);
    let again = dom0.boot().unwrap();
    assert_eq!(end(&again), (Ending::WaitingForConfirmation, Exit::Waiting), "{again:?}");
    dom0.model.pause(Duration::from_secs(300));
    assert!(left(&dom0) <= 320, "{}", left(&dom0));
    // Set right, the wall clock knows of the boot too: 100 s, the boot's 90 s and 300 s.
    dom0.model.change(|s| s.dom0.wall_offset = 0);
    assert!(left(&dom0) <= 120, "{}", left(&dom0));
    assert_eq!(dom0.guard().ending, Ending::RolledBack);
    dom0.assert_as_it_was("not confirmed");
}

#[test]
fn a_guard_that_is_gone_is_started_again() {
    let dom0 = Life::new(Flavour::El7, Backend::Bridge);
    dom0.apply(CONFIRM).unwrap();
    assert!(dom0.model.kill_guard());
    let mut notes = Notes::default();
    let seen = dom0.engine(Orders::default(), |e| e.resume(&mut notes)).unwrap();
    assert_eq!(seen.ending, Ending::WaitingForConfirmation);
    assert!(notes.0.iter().any(|n| n.contains("was started again")), "{:?}", notes.0);
    assert_eq!(dom0.guard().ending, Ending::RolledBack);
    dom0.assert_as_it_was("not confirmed");
}

/// Cuts the power before effects of a story that nobody attends, one in so many or all.
fn cut_everywhere(flavour: Flavour, orders: Orders, stride: usize) -> (usize, usize, usize) {
    let story = |dom0: &Life| {
        let mut last = dom0.live(dom0.apply(orders));
        if dom0.phase() == Some(Phase::WaitingForConfirmation) {
            dom0.model.kill_guard();
            last = dom0.live(dom0.engine(Orders::default(), |e| e.guard(&mut Notes::default())));
            // A guard that was cut off is watched for by the boot, which starts another.
            if dom0.phase() == Some(Phase::WaitingForConfirmation) {
                last = dom0.live(Ok(dom0.guard()));
            }
        } else if dom0.phase() == Some(Phase::Done) {
            last = dom0.live(dom0.rollback(orders));
        }
        last
    };
    let whole = Life::new(flavour, Backend::Openvswitch);
    let undisturbed = end(&story(&whole));
    whole.assert_as_it_was("undisturbed");
    let effects = whole.power.count.load(Ordering::SeqCst);
    let (mut cuts, mut attended) = (0, 0);
    let sample = Sample::one_in(stride);
    for at in (1..=effects).filter(|at| sample.takes(at - 1)) {
        let dom0 = Life::new(flavour, Backend::Openvswitch);
        *dom0.power.cut_at.lock().unwrap() = Some(at);
        let last = story(&dom0);
        cuts += 1;
        // Where the power goes before all is arranged and ordered, a person is needed.
        let open = Transaction::open(&dom0.host).unwrap();
        let open = open.filter(|tx| tx.phase().is_open());
        if let Some(open) = open {
            attended += 1;
            let service = Service::of_resume(xenbond::service::init(&dom0.host));
            let by_itself = service.is_enabled(&dom0.host) && open.orders() != Orders::default();
            let phase = open.phase();
            assert!(!by_itself, "at {at}: ordered, and not over: {phase} {last:?}");
            dom0.live(dom0.engine(REBOOT, |e| {
                e.rollback(&xenbond::engine::Aim::Newest, |_| true, &mut Notes::default())
            }))
            .unwrap();
            dom0.assert_as_it_was(&format!("cut at {at}, rolled back"));
            continue;
        }
        if dom0.phase() == Some(Phase::Done) {
            dom0.assert_stands(&format!("cut at {at}"));
            continue;
        }
        let ended = xenbond::journal::latest(&dom0.host).unwrap();
        // Whose link was not renamed yet has not begun either.
        let unnamed = dom0.host.exists("/var/lib/xenbond/.current.xenbond");
        if unnamed || ended.is_none_or(|tx| tx.phase() != Phase::RolledBack) {
            // It had not begun. What it has left of our own state is in no later run's way.
            dom0.model.pause(Duration::from_secs(300)); // XAPI starts
            assert_eq!(end(&story(&dom0)), undisturbed, "cut at {at}, and all of it after that");
            dom0.assert_as_it_was(&format!("cut at {at}, and all of it after that"));
        } else {
            dom0.assert_as_it_was(&format!("cut at {at}: {last:?}"));
        }
    }
    (effects, cuts, attended)
}

#[test]
fn wherever_the_power_goes_an_unattended_host_comes_to_one_of_its_two_ends() {
    for (flavour, orders, stride) in
        [(Flavour::El7, CONFIRM, 67), (Flavour::El5, REBOOT, 71), (Flavour::El7, REBOOT, 73)]
    {
        let (effects, cuts, attended) = cut_everywhere(flavour, orders, stride);
        println!(
            "{flavour:?}, {orders:?}: {effects} effects, {cuts} cuts, {attended} needed a person"
        );
    }
}
