//! What was done to the host: every step, command and file, when, by whom, and how it ended. Kept
//! in the transaction's folder for `xenbond log`, and sent to syslog.
//!
//! Nothing rests on it, unlike on the journal: what cannot be written is lost, and the run goes
//! on.

use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::host::{Cmd, Effect, Host, Output, Program, Status, Watch};
use crate::json;
use crate::ledger;
use crate::paths;

/// How long `logger` may take; it only writes to a socket.
const LOGGER_LIMIT: Duration = Duration::from_secs(2);

/// The longest message, in bytes: RFC 3164 allows 1024 with the header.
const MESSAGE: usize = 900;

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When it was over.
    pub at: String,
    /// Who ran the program, and from where.
    pub who: String,
    /// What it is.
    pub kind: EntryKind,
    /// A step's title, a command as it could be pasted, or a path.
    pub what: String,
    /// How it ended, where it could end in more than one way.
    pub status: Option<String>,
    /// How long it took.
    pub seconds: Option<f64>,
    /// The boot that it was in; older versions wrote none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<String>,
}

/// What a line of the log is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EntryKind {
    /// A step began.
    Begins,
    /// It ended.
    Ended,
    /// A command was run.
    Ran,
    /// A file was written or replaced.
    Wrote,
    /// A file was removed.
    Removed,
    /// Something was said.
    Note,
    /// The way back began.
    Rollback,
}

/// What a transaction's log holds, and how many of its lines cannot be read; a last line that was
/// cut is left out.
///
/// # Errors
/// When the file is there and cannot be read.
pub fn entries(host: &Host, id: &str) -> Result<(Vec<Entry>, usize)> {
    let path = ledger::log_file(id);
    let text = host.read_text(&path).with_context(|| format!("reading {path}"))?;
    let text = text.unwrap_or_default();
    let read = |line: &str| json::read(line.as_bytes()).ok();
    let entries: Vec<Entry> = text.lines().filter_map(read).collect();
    let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    let damaged = whole.filter(|line| read(line).is_none()).count();
    Ok((entries, damaged))
}

/// Writes the log of one run.
pub struct Log {
    host: Host,
    who: String,
    /// The transaction, from its first step on: its end makes another one current.
    id: OnceLock<String>,
    step: Mutex<Step>,
    syslog: Mutex<Option<(Sender<String>, JoinHandle<()>)>>,
}

/// The step under way, for syslog: one message holds all of it.
#[derive(Default)]
struct Step {
    title: String,
    effects: Vec<String>,
}

impl Log {
    /// A log of what `who` does to `host`.
    #[must_use]
    pub fn new(host: &Host, who: String) -> Self {
        Self {
            host: host.clone(),
            who,
            id: OnceLock::new(),
            step: Mutex::default(),
            syslog: Mutex::default(),
        }
    }

    /// A step begins, or its undoing.
    pub fn begins(&self, title: &str) {
        if let Some(id) = self.id() {
            let _ = self.id.set(id);
        }
        self.write(EntryKind::Begins, title, None, None);
        if let Ok(mut step) = self.step.lock() {
            *step = Step { title: title.to_string(), effects: Vec::new() };
        }
    }

    /// The step, or its undoing, has ended.
    pub fn ended(&self, state: &str, took: Duration) {
        let Ok(step) = self.step.lock().map(|mut step| std::mem::take(&mut *step)) else { return };
        self.write(EntryKind::Ended, &step.title, Some(state), Some(took));
        self.tell(&step.title, &step.effects, state);
    }

    /// The way back begins.
    pub fn turns_back(&self, why: &str) {
        self.write(EntryKind::Rollback, why, None, None);
        self.tell(&format!("rolling back: {why}"), &[], "note");
    }

    /// A note: something to know.
    pub fn note(&self, text: &str) {
        self.write(EntryKind::Note, text, None, None);
        self.tell(text, &[], "note");
    }

    fn effect(&self, kind: EntryKind, what: &str, status: Option<&str>, took: Option<Duration>) {
        self.write(kind, what, status, took);
        let text = match (kind, status) {
            (EntryKind::Removed, _) => format!("removed {what}"),
            (EntryKind::Wrote, _) => format!("wrote {what}"),
            (_, Some(status)) => format!("{what} ({status})"),
            (_, None) => what.to_string(),
        };
        match self.step.lock() {
            Ok(mut step) if !step.title.is_empty() => step.effects.push(text),
            _ => self.tell(&text, &[], "done"),
        }
    }

    fn write(&self, kind: EntryKind, what: &str, status: Option<&str>, took: Option<Duration>) {
        let entry = Entry {
            at: humantime::format_rfc3339_millis(self.host.clock().now()).to_string(),
            who: self.who.clone(),
            kind,
            what: what.to_string(),
            status: status.map(String::from),
            seconds: took.map(|t| t.as_secs_f64()),
            boot: self.host.attribute(paths::BOOT_ID),
        };
        let Ok(mut line) = serde_json::to_vec(&entry) else { return };
        line.push(b'\n');
        let Some(id) = self.id() else { return };
        self.host.add_unwatched(&ledger::log_file(&id), &line);
    }

    fn tell(&self, title: &str, effects: &[String], state: &str) {
        let Ok(mut syslog) = self.syslog.lock() else { return };
        let id = self.id().unwrap_or_default();
        let head = format!("{id} by {}: {title}: {state}", self.who);
        // Beside the work: a logger that is slow must not hold it up.
        let (syslog, _) = syslog.get_or_insert_with(|| {
            let (send, messages) = channel();
            let host = self.host.clone();
            (send, std::thread::spawn(move || tell(&host, &messages)))
        });
        for message in messages(&head, effects) {
            let _ = syslog.send(message);
        }
    }

    /// The transaction, or the current one as long as no step began.
    fn id(&self) -> Option<String> {
        self.id.get().cloned().or_else(|| ledger::current_id(&self.host))
    }

    /// A path as the host itself names it, when it is not one of our own state.
    fn host_path(&self, real: &Path) -> Option<String> {
        let path = real.strip_prefix(self.host.real_path("/")).ok()?;
        let path = format!("/{}", path.display());
        (!path.starts_with(paths::STATE)).then_some(path)
    }
}

impl Drop for Log {
    /// Waits until syslog has every message, so that none is lost when the program ends.
    fn drop(&mut self) {
        let told = self.syslog.lock().ok().and_then(|mut syslog| syslog.take());
        if let Some((syslog, teller)) = told {
            drop(syslog);
            let _ = teller.join();
        }
    }
}

impl Watch for Log {
    fn before(&self, _: &Effect<'_>) -> Result<()> {
        Ok(())
    }

    fn after(&self, effect: &Effect<'_>) -> Result<()> {
        let (kind, path) = match effect {
            Effect::Rename(_, to) => (EntryKind::Wrote, to),
            Effect::Remove(path) => (EntryKind::Removed, path),
            _ => return Ok(()),
        };
        if let Some(path) = self.host_path(path) {
            self.effect(kind, &path, None, None);
        }
        Ok(())
    }

    fn ran(&self, cmd: &Cmd, result: &Result<Output>, took: Duration) {
        let status = match result {
            Ok(output) => output.status.to_string(),
            Err(error) => format!("{error:#}"),
        };
        self.effect(EntryKind::Ran, &cmd.to_string(), Some(&status), Some(took));
    }
}

/// The messages of a step: the head with as many effects as fit, and again until all are in one.
fn messages(head: &str, effects: &[String]) -> Vec<String> {
    let cut = |text: &str| {
        let clean = text.chars().map(|c| if c.is_control() { ' ' } else { c });
        clean
            .scan(0, |len, c| {
                *len += c.len_utf8();
                (*len <= MESSAGE).then_some(c)
            })
            .collect::<String>()
    };
    let mut all = vec![head.to_string()];
    for effect in effects {
        let last = all.last_mut().map(|last| (last.len() + effect.len() + 2 <= MESSAGE, last));
        match last {
            Some((true, last)) => {
                last.push_str("; ");
                last.push_str(effect);
            }
            _ => all.push(format!("{head}; {effect}")),
        }
    }
    all.iter().map(|message| cut(message)).collect()
}

/// Hands every message to `logger`, one by one; one that hangs is asked no second time.
fn tell(host: &Host, messages: &Receiver<String>) {
    let mut there = host.programs().contains_key(&Program::Logger);
    for message in messages.iter() {
        if there {
            let words = ["-t", "xenbond", "-p", "user.notice", "--", &message];
            let told = host.run(&Cmd::read(Program::Logger, &words, LOGGER_LIMIT));
            there = told.is_ok_and(|output| output.status != Status::TimedOut);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_holds_what_fits_and_the_rest_follows_under_the_same_head() {
        assert_eq!(messages("tx by root: up: done", &[]), ["tx by root: up: done"]);
        let effects: Vec<String> = (0..40).map(|n| format!("wrote /etc/file-{n:060}")).collect();
        let all = messages("head", &effects);
        assert!(all.len() > 2, "{}", all.len());
        assert!(all.iter().all(|m| m.starts_with("head; wrote") && m.len() <= MESSAGE), "{all:?}");
        let told: usize = all.iter().map(|m| m.matches("wrote").count()).sum();
        assert_eq!(told, effects.len());
        let long = messages("head", &["\u{e9}\n".repeat(1000)]);
        assert!(long.iter().all(|m| m.len() <= MESSAGE && !m.contains('\n')), "{long:?}");
    }
}
