//! Steps as they go on, each on its own line with its time. A wait says what for, how long it may
//! take and how long it has lasted: in place on a terminal, else a line for every ten seconds.

use std::fmt::Write as _;
use std::io::IsTerminal;
use std::sync::{Arc, Mutex, Once, Weak};
use std::time::Duration;

use anyhow::Result;

use super::text::{Mark, Text};
use crate::host::{Clock, Cmd, Effect, OsClock, Output, Watch};

/// How often a line is renewed in place.
const RENEW: Duration = Duration::from_secs(1);

/// How often a line is added where there is no terminal.
const ADD: Duration = Duration::from_secs(10);

/// The narrowest terminal that must do, less the column of the cursor.
const WIDTH: usize = 79;

/// What is going on; shared with the thread that prints waits.
#[derive(Debug, Default)]
struct Now {
    /// The beginning of the line, when a line is open.
    line: Option<String>,
    /// Since when.
    since: Option<Duration>,
    /// What is waited for, and how long that may take.
    wait: Option<(String, Duration)>,
    /// When it was last printed.
    told: Option<Duration>,
    /// Whether the open line was ended by lines about its wait.
    broken: bool,
    /// Whether the line is shown only once it has lasted.
    hidden: bool,
}

/// The lines of steps and waits, printed by `tell`.
pub struct Progress {
    now: Mutex<Now>,
    tell: fn(Text),
    terminal: bool,
    watched: Once,
    me: Weak<Self>,
    /// What is told of lasts as long for a person as it does here, also on a model.
    clock: OsClock,
}

impl Progress {
    /// A progress on standard error; `waits`: a thread prints what takes long.
    #[must_use]
    pub fn new(tell: fn(Text), waits: bool) -> Arc<Self> {
        let terminal = waits && std::io::stderr().is_terminal();
        Arc::new_cyclic(|me| {
            let me = if waits { Weak::clone(me) } else { Weak::new() };
            Self { me, ..Self::unwatched(tell, terminal) }
        })
    }

    fn unwatched(tell: fn(Text), terminal: bool) -> Self {
        Self {
            now: Mutex::default(),
            tell,
            terminal,
            watched: Once::new(),
            me: Weak::new(),
            clock: OsClock::default(),
        }
    }

    /// Starts the thread that prints what lasts.
    fn watch(&self) {
        self.watched.call_once(|| {
            let me = Weak::clone(&self.me);
            if me.strong_count() > 0 {
                std::thread::spawn(move || watch(&me));
            }
        });
    }

    /// Opens a line.
    pub fn begins(&self, line: &str) {
        self.closes();
        self.watch();
        let Ok(mut now) = self.now.lock() else { return };
        let start = Some(self.clock.elapsed());
        *now = Now { line: Some(line.to_string()), since: start, told: start, ..Now::default() };
        (self.tell)(line.into());
    }

    /// Says what the open line waits for. Where none is open the wait gets one, once it has lasted.
    pub fn waits(&self, what: &str, limit: Duration) {
        self.watch();
        let Ok(mut now) = self.now.lock() else { return };
        if now.line.is_none() {
            let line = Some(format!("waiting for {what} ... "));
            let start = Some(self.clock.elapsed());
            *now = Now { line, since: start, told: start, hidden: true, ..Now::default() };
        }
        now.wait = Some((what.to_string(), limit));
    }

    /// Ends the open line with a marked `word`, and what is to be said of it.
    pub fn ended(&self, mark: Mark, word: &str, rest: &str) {
        let Ok(mut now) = self.now.lock() else { return };
        let Now { line, broken, told, since, hidden, .. } = std::mem::take(&mut *now);
        let again = match line {
            Some(line) if broken || hidden => line,
            Some(line) if self.terminal && told != since => format!("\r{line}"),
            _ => String::new(),
        };
        let text = Text::from(&again).and(Text::marked(mark, word)).and(rest);
        let blanks = if again.starts_with('\r') { WIDTH.saturating_sub(text.len() - 1) } else { 0 };
        (self.tell)(text.and(" ".repeat(blanks)).and("\n"));
    }

    /// Ends the open line, when there is one, before something else is said.
    pub fn closes(&self) {
        let Ok(mut now) = self.now.lock() else { return };
        let Now { line, broken, hidden, .. } = std::mem::take(&mut *now);
        if line.is_some() && !broken && !hidden {
            (self.tell)("\n".into());
        }
    }

    /// Prints the wait that is under way, when it is time for that.
    fn tick(&self, at: Duration) {
        let Ok(mut now) = self.now.lock() else { return };
        let every = if self.terminal { RENEW } else { ADD };
        let (Some(line), Some(since), Some(told)) = (&now.line, now.since, now.told) else {
            return;
        };
        if at.saturating_sub(told) < every {
            return;
        }
        let mut text = format!("{} s", at.saturating_sub(since).as_secs());
        if let Some((what, limit)) = &now.wait {
            let _ = write!(text, " (at most {} s: {what})", limit.as_secs());
        }
        if self.terminal {
            let whole: String = format!("{line}{text}").chars().take(WIDTH).collect();
            (self.tell)(format!("\r{whole:WIDTH$}").into());
        } else {
            let first = match (now.hidden, now.broken) {
                (true, _) => format!("{line}\n"),
                (false, false) => "\n".into(),
                (false, true) => String::new(),
            };
            (self.tell)(format!("{first}      {text}\n").into());
            now.broken = true;
        }
        now.hidden = false;
        now.told = Some(at);
    }
}

impl Watch for Progress {
    fn before(&self, effect: &Effect<'_>) -> Result<()> {
        if let (Effect::Run(cmd), Ok(mut now)) = (effect, self.now.lock()) {
            // The first words name it; uuids would fill the line.
            let words = cmd.args.first().map(|a| format!("{} {a}", cmd.program));
            now.wait = Some((words.unwrap_or_else(|| cmd.program.to_string()), cmd.limit));
        }
        Ok(())
    }

    fn after(&self, _: &Effect<'_>) -> Result<()> {
        Ok(())
    }

    fn ran(&self, _: &Cmd, _: &Result<Output>, _: Duration) {
        if let Ok(mut now) = self.now.lock() {
            now.wait = None;
        }
    }
}

fn watch(progress: &Weak<Progress>) {
    loop {
        OsClock::default().pause(RENEW);
        let Some(progress) = progress.upgrade() else { return };
        progress.tick(progress.clock.elapsed());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::cell::RefCell;

    thread_local! {
        static SAID: RefCell<String> = const { RefCell::new(String::new()) };
    }

    fn say(text: Text) {
        SAID.with_borrow_mut(|said| said.push_str(&text));
    }

    /// What is printed while a step lasts `seconds`, looked at every second.
    fn said(terminal: bool, seconds: u64) -> String {
        let progress = Progress::unwatched(say, terminal);
        progress.begins("[1/2] bring up bond51 ... ");
        let cmd = Cmd::change(crate::host::Program::Ifup, &["bond51"], Duration::from_secs(120));
        progress.before(&Effect::Run(&cmd)).unwrap();
        let start = progress.clock.elapsed();
        for second in 1..=seconds {
            progress.tick(start + Duration::from_secs(second) + Duration::from_millis(500));
        }
        progress.ended(Mark::Good, "done", " (3.0 s)");
        SAID.take()
    }

    #[test]
    fn a_short_step_is_one_line() {
        assert_eq!(said(false, 3), "[1/2] bring up bond51 ... done (3.0 s)\n");
        assert_eq!(said(true, 0), "[1/2] bring up bond51 ... done (3.0 s)\n");
    }

    #[test]
    fn a_long_one_tells_every_ten_seconds_and_ends_on_a_line_of_its_own() {
        let want = "[1/2] bring up bond51 ... 
      10 s (at most 120 s: ifup bond51)
      20 s (at most 120 s: ifup bond51)
[1/2] bring up bond51 ... done (3.0 s)
";
        assert_eq!(said(false, 25), want);
    }

    #[test]
    fn what_a_step_waits_for_is_said_as_it_changes() {
        let progress = Progress::unwatched(say, false);
        progress.begins("[13/13] verify bond51, within 36 s ... ");
        let start = progress.clock.elapsed();
        let limit = Duration::from_secs(36);
        for (second, what) in [(10, "eth3 link, updelay 5000 ms"), (20, "bond51 link")] {
            progress.waits(what, limit);
            progress.tick(start + Duration::from_secs(second) + Duration::from_millis(500));
        }
        progress.ended(Mark::Bad, "FAILED", " (20.5 s)");
        let want = "[13/13] verify bond51, within 36 s ... 
      10 s (at most 36 s: eth3 link, updelay 5000 ms)
      20 s (at most 36 s: bond51 link)
[13/13] verify bond51, within 36 s ... FAILED (20.5 s)
";
        assert_eq!(SAID.take(), want);
    }

    #[test]
    fn a_wait_between_steps_is_told_of_once_it_lasts() {
        let wait = |seconds| {
            let progress = Progress::unwatched(say, false);
            progress.waits("XAPI to answer", Duration::from_secs(620));
            let start = progress.clock.elapsed();
            for second in 1..=seconds {
                progress.tick(start + Duration::from_secs(second));
            }
            progress.begins("[3/13] ");
            SAID.take()
        };
        assert_eq!(wait(3), "[3/13] ");
        assert_eq!(
            wait(12),
            "waiting for XAPI to answer ... \n      10 s (at most 620 s: XAPI to answer)\n[3/13] "
        );
    }

    #[test]
    fn a_terminal_is_written_in_place_within_its_width() {
        let said = said(true, 2);
        let lines: Vec<&str> = said.split('\r').collect();
        assert_eq!(lines.len(), 4, "{said:?}");
        assert!(lines[1].starts_with("[1/2] bring up bond51 ... 1 s (at most 120 s: ifup bond51)"));
        assert_eq!(lines[3].trim_end(), "[1/2] bring up bond51 ... done (3.0 s)");
        assert!(said.is_ascii());
        for line in &lines[1..] {
            assert_eq!(line.trim_end_matches('\n').len(), WIDTH, "{line:?}");
        }
    }
}
