//! Steps as they go on, each on its own line with its time. A wait says what for, how long it may
//! take and how long it has lasted: in place on a terminal, else a line for every ten seconds. So
//! does reading the host, once it lasts. A signal is answered at once.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Once, Weak};
use std::time::Duration;

use anyhow::Result;

use super::console::err_width;
use super::outcome::note;
use super::text::{Mark, Text};
use crate::engine::Answer;
use crate::host::{Clock, Cmd, Effect, OsClock, Output, Watch};

/// How often it is looked whether there is something to say.
const LOOK: Duration = Duration::from_millis(100);

/// After how long there is a sign of life where no line says what goes on.
const SOON: Duration = Duration::from_millis(350);

/// How often a line is renewed in place.
const RENEW: Duration = Duration::from_secs(1);

/// How often a line is added where there is no terminal.
const ADD: Duration = Duration::from_secs(10);

/// After how long a pause what is read belongs to another reading.
const GAP: Duration = Duration::from_secs(1);

/// The narrowest terminal that must do.
const WIDTH: usize = 80;

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
    /// Commands that only look, and how long each may take.
    reads: Vec<(String, Duration)>,
    /// What is read where no line is open.
    reading: Reading,
    /// What a signal leads to.
    answer: Option<Answer>,
}

/// The host being read.
#[derive(Debug, Default)]
struct Reading {
    since: Duration,
    ended: Option<Duration>,
    told: Option<Duration>,
    /// Whether the terminal's line says so.
    shown: bool,
}

/// The lines of steps and waits, printed by `tell`.
pub struct Progress {
    now: Mutex<Now>,
    tell: fn(Text),
    /// Whether waits are told of.
    waits: bool,
    terminal: bool,
    /// How wide its lines may be, where that is known.
    columns: fn() -> Option<usize>,
    watched: Once,
    me: Weak<Self>,
    /// Set where a signal asks to stop.
    stopped: Arc<AtomicBool>,
    /// What is told of lasts as long for a person as it does here, also on a model.
    clock: OsClock,
}

impl Progress {
    /// A progress on standard error; `waits`: a thread prints what takes long.
    #[must_use]
    pub fn new(tell: fn(Text), waits: bool) -> Arc<Self> {
        let terminal = waits && std::io::stderr().is_terminal();
        Arc::new_cyclic(|me| Self {
            me: Weak::clone(me),
            waits,
            columns: err_width,
            ..Self::unwatched(tell, terminal)
        })
    }

    fn unwatched(tell: fn(Text), terminal: bool) -> Self {
        Self {
            now: Mutex::default(),
            tell,
            waits: false,
            terminal,
            columns: || None,
            watched: Once::new(),
            me: Weak::new(),
            stopped: Arc::default(),
            clock: OsClock::default(),
        }
    }

    /// What a signal that asks to stop is to set, so that it is answered at once.
    #[must_use]
    pub fn stopped(&self) -> Arc<AtomicBool> {
        self.watch();
        Arc::clone(&self.stopped)
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

    fn watch_waits(&self) {
        if self.waits {
            self.watch();
        }
    }

    /// Says from here on of a signal what it leads to.
    pub fn on_signal(&self, answer: Answer) {
        let Ok(mut now) = self.now.lock() else { return };
        self.answers(&mut now);
        now.answer = Some(answer);
    }

    /// Answers the signal that has come, if one has.
    fn answers(&self, now: &mut Now) {
        let Some(answer) = now.answer else { return };
        if self.stopped.swap(false, Ordering::Relaxed) {
            self.clears(now);
            if now.line.is_some() && !now.hidden && !now.broken {
                (self.tell)("\n".into());
            }
            now.broken |= !self.terminal;
            now.told = Some(self.clock.elapsed());
            (self.tell)(note(answered(answer)));
        }
    }

    /// Takes what is said of reading from the terminal.
    fn clears(&self, now: &mut Now) {
        if std::mem::take(&mut now.reading.shown) {
            (self.tell)(Text::whole(format!("\r{:1$}\r", "", self.width())));
        }
    }

    /// The width of a line that does not reach the end of the terminal's.
    fn width(&self) -> usize {
        (self.columns)().unwrap_or(WIDTH).min(WIDTH) - 1
    }

    /// Opens a line.
    pub fn begins(&self, line: &str) {
        self.watch_waits();
        let Ok(mut now) = self.now.lock() else { return };
        self.answers(&mut now);
        self.ends(&mut now);
        let start = Some(self.clock.elapsed());
        (now.line, now.since, now.told) = (Some(line.to_string()), start, start);
        let cut: String = line.chars().take(self.width()).collect();
        if self.terminal && cut != line {
            // Renewed in place it must be in one line.
            now.told = None;
            (self.tell)(Text::whole(cut));
        } else {
            (self.tell)(Text::whole(line));
        }
    }

    /// Says what the open line waits for. Where none is open the wait gets one, once it has lasted.
    pub fn waits(&self, what: &str, limit: Duration) {
        self.watch_waits();
        let Ok(mut now) = self.now.lock() else { return };
        if now.line.is_none() {
            let start = Some(self.clock.elapsed());
            (now.line, now.since, now.told) = (Some(format!("waiting for {what}")), start, start);
            now.hidden = true;
        }
        now.wait = Some((what.to_string(), limit));
    }

    /// Ends the open line with a marked `word`, and what is to be said of it.
    pub fn ended(&self, mark: Mark, word: &str, rest: &str) {
        let Ok(mut now) = self.now.lock() else { return };
        self.answers(&mut now);
        let (line, broken, hidden) = (now.line.take(), now.broken, now.hidden);
        let again = match line {
            Some(line) if broken || hidden => line,
            Some(line) if self.terminal && now.told != now.since => format!("\r{line}"),
            _ => String::new(),
        };
        self.forgets(&mut now);
        let text = Text::from(&again).and(Text::marked(mark, word)).and(rest);
        let blanks =
            if again.starts_with('\r') { self.width().saturating_sub(text.len() - 1) } else { 0 };
        (self.tell)(Text::whole(text.and(" ".repeat(blanks)).and("\n")));
    }

    /// Ends the open line, when there is one, before something else is said.
    pub fn closes(&self) {
        if let Ok(mut now) = self.now.lock() {
            self.ends(&mut now);
        }
    }

    fn ends(&self, now: &mut Now) {
        self.clears(now);
        if now.line.is_some() && !now.broken && !now.hidden {
            (self.tell)("\n".into());
        }
        self.forgets(now);
    }

    /// No line is open any more.
    fn forgets(&self, now: &mut Now) {
        let (reads, answer) = (std::mem::take(&mut now.reads), now.answer);
        let reading = Reading { since: self.clock.elapsed(), ..Reading::default() };
        *now = Now { reads, reading, answer, ..Now::default() };
    }

    /// Prints the wait that is under way, when it is time for that.
    fn tick(&self, at: Duration) {
        let Ok(mut now) = self.now.lock() else { return };
        self.answers(&mut now);
        let every = if self.terminal { RENEW } else { ADD };
        let Some(line) = now.line.clone() else {
            return self.tick_of_reading(&mut now, at, every);
        };
        let since = now.since.unwrap_or_default();
        let lasts = at.saturating_sub(now.told.unwrap_or(since));
        if lasts < if now.hidden { SOON } else { every } {
            return;
        }
        let took = format!("{} s", at.saturating_sub(since).as_secs());
        let wait = now.wait.as_ref().or(now.reads.first());
        let most = wait.map_or_else(String::new, |(what, limit)| {
            format!(" (at most {} s: {what})", limit.as_secs())
        });
        if self.terminal {
            let dots = if line.ends_with(' ') { "" } else { " ... " };
            self.in_place(&format!("{line}{dots}{took}{most}"));
        } else if now.hidden {
            let most = wait
                .map_or_else(String::new, |(_, limit)| format!(", at most {} s", limit.as_secs()));
            (self.tell)(format!("{line}{most}\n").into());
            now.broken = true;
        } else {
            let first = if now.broken { "" } else { "\n" };
            (self.tell)(Text::whole(format!("{first}      {took}{most}\n")));
            now.broken = true;
        }
        now.hidden = false;
        now.told = Some(at);
    }

    /// The same of what is read while no line is open.
    fn tick_of_reading(&self, now: &mut Now, at: Duration, every: Duration) {
        let Some((words, limit)) = now.reads.first().cloned() else { return };
        let Reading { since, told, .. } = now.reading;
        if told.map_or(at.saturating_sub(since) < SOON, |told| at.saturating_sub(told) < every) {
            return;
        }
        let (took, limit) = (at.saturating_sub(since).as_secs(), limit.as_secs());
        if self.terminal {
            self.in_place(&format!("reading the host: {words}, {took} s (at most {limit} s)"));
            now.reading.shown = true;
        } else if told.is_none() {
            (self.tell)(format!("reading the host: {words}, at most {limit} s\n").into());
        } else {
            (self.tell)(format!("      {took} s (at most {limit} s: {words})\n").into());
        }
        now.reading.told = Some(at);
    }

    /// Shows a line in the place of the one before, within the width of the terminal.
    fn in_place(&self, line: &str) {
        let width = self.width();
        let line: String = line.chars().take(width).collect();
        (self.tell)(Text::whole(format!("\r{line:width$}")));
    }
}

/// The first words name a command; uuids would fill the line.
fn named(cmd: &Cmd) -> String {
    let words = cmd.args.first().map(|first| format!("{} {first}", cmd.program));
    words.unwrap_or_else(|| cmd.program.to_string())
}

fn answered(answer: Answer) -> &'static str {
    match answer {
        Answer::RollsBack => "interrupted: stopping after this step, then rolling back",
        Answer::GoesOn => "interrupted: already rolling back, which continues to its end",
        Answer::HandsOver => "interrupted: waiting continues in the background",
        Answer::WorksOn => {
            "interrupted: the work in the background goes on to its end; xenbond rollback undoes it then"
        }
        Answer::EndsDrill => "interrupted: ending the drill; the bond is put back as it was",
    }
}

impl Watch for Progress {
    fn before(&self, effect: &Effect<'_>) -> Result<()> {
        if let (Effect::Run(cmd), Ok(mut now)) = (effect, self.now.lock()) {
            now.wait = Some((named(cmd), cmd.limit));
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

    fn awaits(&self, what: &str, limit: Duration) {
        self.waits(what, limit);
    }

    fn reads(&self, cmd: &Cmd) {
        self.watch_waits();
        let Ok(mut now) = self.now.lock() else { return };
        let at = self.clock.elapsed();
        let ended = now.reading.ended;
        if now.reads.is_empty() && ended.is_none_or(|ended| at.saturating_sub(ended) > GAP) {
            now.reading = Reading { since: at, ..Reading::default() };
        }
        now.reads.push((named(cmd), cmd.limit));
    }

    fn has_read(&self, cmd: &Cmd) {
        let Ok(mut now) = self.now.lock() else { return };
        let words = named(cmd);
        if let Some(at) = now.reads.iter().position(|(name, _)| *name == words) {
            now.reads.remove(at);
        }
        if now.reads.is_empty() {
            self.clears(&mut now);
            now.reading.ended = Some(self.clock.elapsed());
        }
    }
}

fn watch(progress: &Weak<Progress>) {
    loop {
        OsClock::default().pause(LOOK);
        let Some(progress) = progress.upgrade() else { return };
        if progress.waits {
            progress.tick(progress.clock.elapsed());
        } else if let Ok(mut now) = progress.now.lock() {
            progress.answers(&mut now);
        }
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
        assert_eq!(wait(0), "[3/13] ");
        assert_eq!(wait(3), "waiting for XAPI to answer, at most 620 s\n[3/13] ");
        assert_eq!(
            wait(12),
            "waiting for XAPI to answer, at most 620 s\n      11 s (at most 620 s: XAPI to answer)\n[3/13] "
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
            assert_eq!(line.trim_end_matches('\n').len(), WIDTH - 1, "{line:?}");
        }
    }
}
