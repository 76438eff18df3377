//! Runs that nobody stands beside, at boot and when a confirmation did not come: what failed they
//! try again, and say so.

use std::time::Duration;

use anyhow::Result;

use super::{Engine, Observer};
use crate::host::{Cmd, Program};
use crate::journal::Transaction;
use crate::ledger::{Event, Lock};
use crate::outcome::{self, Ending, Outcome};

/// After how long it is tried again at first; each time twice as long.
const FIRST: Duration = Duration::from_secs(5);

/// The longest pause.
const LONGEST: Duration = Duration::from_secs(600);

/// For how long it is tried.
const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How long `wall` may take.
const TELL: Duration = Duration::from_secs(10);

/// How often it is looked whether the run is to stop.
const LOOK: Duration = Duration::from_secs(1);

impl Engine<'_> {
    /// Goes on with the transaction that waits, as the boot does: what fails is tried again.
    ///
    /// # Errors
    /// As for [`Engine::resume`], once a day has passed.
    pub fn resume_by_itself(&self, observer: &mut dyn Observer) -> Result<Outcome> {
        self.until_it_ends(observer, |engine, observer| engine.resume(observer))
    }

    /// Takes a run again and again until it ends otherwise than by what may pass, for a day.
    pub(super) fn until_it_ends(
        &self,
        observer: &mut dyn Observer,
        mut run: impl FnMut(&Self, &mut dyn Observer) -> Result<Outcome>,
    ) -> Result<Outcome> {
        let start = self.host.clock().elapsed();
        let mut pause = FIRST;
        let mut told = false;
        loop {
            let ended = run(self, observer);
            let why = match &ended {
                Ok(outcome) if may_pass(outcome) => {
                    outcome.error.clone().unwrap_or_else(|| outcome::verdict(outcome).into())
                }
                Ok(outcome) => {
                    if told {
                        self.tell_all(&format!("xenbond: {}", outcome::verdict(outcome)), observer);
                    }
                    return ended;
                }
                Err(error) => format!("{error:#}"),
            };
            let over = self.host.clock().elapsed().saturating_sub(start) >= A_DAY;
            if over || self.check_interrupt().is_err() {
                return ended;
            }
            let first = why.lines().next().unwrap_or_default().to_string();
            let text = format!("xenbond: {first}: tried again in {} s", pause.as_secs());
            if told {
                observer.note(&text);
            } else {
                self.tell_all(&text, observer);
            }
            told = true;
            self.note_again(&first, pause);
            if !self.sleep(pause) {
                return ended;
            }
            pause = (pause * 2).min(LONGEST);
        }
    }

    /// Writes down that it is tried again, where nobody else is writing.
    fn note_again(&self, why: &str, pause: Duration) {
        let Ok(_lock) = Lock::take(self.host) else { return };
        if let Ok(Some(mut tx)) = Transaction::open(self.host)
            && tx.phase().is_open()
        {
            let event = Event::TriesAgain { why: why.into(), seconds: pause.as_secs() };
            let _ = self.record(&mut tx, event);
        }
    }

    /// Whether the pause passed without a signal to stop.
    fn sleep(&self, pause: Duration) -> bool {
        let start = self.host.clock().elapsed();
        loop {
            let passed = self.host.clock().elapsed().saturating_sub(start);
            if passed >= pause {
                return true;
            }
            if self.check_interrupt().is_err() {
                return false;
            }
            self.host.clock().pause(LOOK.min(pause.saturating_sub(passed)));
        }
    }

    /// Says it on every terminal (`wall`), and as a note of the run, which syslog gets too.
    pub(super) fn tell_all(&self, text: &str, observer: &mut dyn Observer) {
        let cmd = Cmd::read(Program::Wall, &[text], TELL);
        let told = self.host.run(&cmd).and_then(|output| output.check(&cmd));
        observer.note(text);
        if let Err(error) = told {
            observer.note(&format!("{error:#}"));
        }
    }
}

/// Whether a run that ended so may end otherwise when it is taken again.
fn may_pass(outcome: &Outcome) -> bool {
    outcome.again || outcome.ending == Ending::RollbackIncomplete
}
