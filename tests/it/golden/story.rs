//! Stories of bonds that live side by side on one host of the model: commands one after the other,
//! with the reboots that they ask for, and what the host is in between.
//!
//! A case has `case.json` (a [`Story`]) and `story`: on each line the exit code that is wanted and a
//! command as it is typed. `^C` before a command: a signal comes while nothing but the disk is
//! waited for. `power cut`: the power goes, and the boot goes on. `upgrade`: the host is installed
//! anew. `host/` holds files that somebody made before. Wanted: `want.txt`.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use serde::Deserialize;
use serde_json::Value;
use xenbond::cli::{Cli, Command};
use xenbond::engine::{Aim, Engine, Signals, WayBack};
use xenbond::host::{Clock, Status};
use xenbond::ledger::Orders;
use xenbond::model::state::{Backend, Flavour};
use xenbond::net;
use xenbond::outcome::{Ending, Outcome};
use xenbond::render::Templates;
use xenbond::report;
use xenbond::spec::Raw;

use super::case::Case;
use super::job::{Setup, nothing, verdict};
use super::model_host::{Scribe, Taken, Witness};
use crate::dom0::{Dom0, Snapshot};

/// The host of a story.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Story {
    /// `el5` or `el7`.
    flavour: Flavour,
    /// The backend that runs before.
    backend: Backend,
    /// What is otherwise than in the built-in pool, as a merge patch (RFC 7396).
    #[serde(default = "nothing")]
    patch: Value,
    /// What somebody ran by hand before, once his files were there.
    #[serde(default)]
    by_hand: Vec<String>,
}

/// Runs a case. At its end the host is as it was.
pub fn run(case: &Case) -> Result<()> {
    let text = case.text("case.json")?.context("the case has no case.json")?;
    let setup: Story = serde_json::from_str(&text).context("reading case.json")?;
    let host = Setup::of_host(setup.flavour, setup.backend, false, setup.patch);
    let (dom0, witness) = Witness::new(&host, "xen01")?;
    let installed = dom0.snapshot();
    // A boot plugs every NIC: what the story begins with is a host that has booted.
    witness.model().reboot()?;
    witness.model().pause(Duration::from_secs(60));
    let (templates, signal) = (Templates::load(None)?, Cell::default());
    case.lay("host", dom0.root())?;
    for line in &setup.by_hand {
        let words: Vec<String> = line.split_whitespace().map(str::to_string).collect();
        let (program, args) = words.split_first().context("an empty command")?;
        let said = witness.model().execute(program, args);
        ensure!(said.status == Status::Exited(0), "{line}: {said:?}");
        witness.say(&format!("=== by hand: {line}\n"));
    }
    let told = Told { installed, dom0, witness, templates, signal };
    let before = told.now();
    for line in case.text("story")?.context("the case has no story")?.lines() {
        if let Err(error) = told.line(line) {
            bail!("{line}: {error:#}\nup to there:\n{}", told.witness.log());
        }
    }
    let after = told.now();
    let times = before.ensure_same_but_times(&after)?;
    told.witness.say("\n=== compared with the host before: all is the same");
    for file in times {
        told.witness.say(&format!(", but for the time of /{file}"));
    }
    let uuids = before.records_diff(&after)?;
    told.witness.say(if uuids.is_empty() { "\n" } else { ", but for uuids\n" });
    told.witness.say(&uuids);
    case.compare("want.txt", &told.witness.log())
}

/// A story as far as it was told.
struct Told {
    /// The host as its installer left it.
    installed: Snapshot,
    dom0: Dom0,
    witness: Arc<Witness>,
    templates: Templates,
    /// Whether the next run gets a signal.
    signal: Cell<bool>,
}

impl Told {
    fn now(&self) -> Taken {
        Taken::of(self.witness.model())
    }

    fn engine<T>(
        &self,
        accepted: &[String],
        act: impl FnOnce(&Engine<'_>, &mut Scribe<'_>) -> Result<T>,
    ) -> Result<T> {
        let (signals, orders) = (Signals::default(), Orders::default());
        if self.signal.take() {
            self.witness.signals_in_the_wait(&signals.interrupt);
        }
        let (host, templates) = (&self.dom0.host, &self.templates);
        let engine = Engine { host, templates, accepted, orders, signals: &signals };
        act(&engine, &mut Scribe(&self.witness))
    }

    fn line(&self, line: &str) -> Result<()> {
        let (exit, typed) = line.split_once(' ').context("no exit code")?;
        if typed == "power cut" {
            return self.power_cut(exit);
        }
        if typed == "upgrade" {
            self.installed.install(self.dom0.root(), &self.witness.model().state());
            self.witness.model().reboot()?;
            self.witness.model().pause(Duration::from_secs(60));
            self.witness
                .say("=== the host is upgraded: installed anew, with XAPI's database kept\n");
            self.witness.say(&format!("--- {}\n\n", self.host()));
            return Ok(());
        }
        self.signal.set(typed.starts_with("^C "));
        let typed = typed.trim_start_matches("^C ");
        self.witness.say(&format!("=== xenbond {typed}\n"));
        self.witness.take_commands();
        let before = self.now();
        let words = ["xenbond"].into_iter().chain(typed.split_whitespace());
        let mut outcome = match Cli::try_parse_from(words)?.command {
            Command::Apply(args) => {
                let mut raw = Raw::default();
                for (flag, key, value) in args.spec.flags() {
                    raw.flag(&flag, &key, value);
                }
                let request = raw.finish()?;
                self.engine(&args.planning.accept, |engine, scribe| {
                    engine.apply(&request, |_| Ok(()), scribe)
                })?
            }
            Command::Rollback(args) => self.roll_back(args.what.as_deref(), &args.accept)?,
            Command::Remove(args) => self.engine(&args.accept, |engine, scribe| {
                let to = args.backend.is_some().then_some(net::Backend::Openvswitch);
                engine.remove(&args.name.parse()?, None, to, scribe)
            })?,
            Command::Adopt(args) => self
                .engine(&args.accept, |engine, scribe| engine.adopt(&args.name.parse()?, scribe))?,
            other => bail!("no story has {other:?}"),
        };
        verdict(&self.witness, &outcome);
        for _ in 0..2 {
            if outcome.ending == Ending::WaitingForReboot {
                self.witness.say("=== the host reboots; xenbond resume\n");
                self.witness.model().reboot()?;
                outcome = self.engine(&[], |engine, scribe| engine.resume(scribe))?;
                verdict(&self.witness, &outcome);
            }
        }
        ensure!(!self.signal.get(), "nothing was run");
        ensure!(outcome.exit.code().to_string() == exit, "ended with {:?}", outcome.exit);
        if matches!(outcome.ending, Ending::NothingToDo | Ending::Refused) {
            let ran = self.witness.take_commands();
            ensure!(ran.is_empty(), "commands were run: {ran:?}");
            before.ensure_same(&self.now())?;
        }
        self.witness.say(&format!("--- {}\n\n", self.host()));
        Ok(())
    }

    /// The power goes; what the boot then runs.
    fn power_cut(&self, exit: &str) -> Result<()> {
        self.witness.model().cut()?;
        let runs = self.witness.model().state().dom0.boot_runs;
        ensure!(runs == ["resume --by-itself"], "the boot runs {runs:?}");
        self.witness.say("=== the power goes, and the host boots; xenbond resume --by-itself\n");
        let outcome = self.engine(&[], |engine, scribe| engine.resume_by_itself(scribe))?;
        verdict(&self.witness, &outcome);
        ensure!(outcome.exit.code().to_string() == exit, "ended with {:?}", outcome.exit);
        self.witness.say(&format!("--- {}\n\n", self.host()));
        Ok(())
    }

    fn roll_back(&self, what: Option<&str>, accepted: &[String]) -> Result<Outcome> {
        let aim = match what {
            None => Aim::Newest,
            Some(bond) => Aim::Bond(bond.parse()?),
        };
        let agrees = |way: &WayBack| {
            self.witness.say(&report::way_back(way));
            true
        };
        self.engine(accepted, |engine, scribe| engine.rollback(&aim, agrees, scribe))
    }

    /// What the host has now, in a line.
    fn host(&self) -> String {
        let dom0 = self.witness.model().state().dom0;
        let bonds: Vec<String> = dom0.bonds.keys().cloned().collect();
        let bonds = if bonds.is_empty() { "no bond".into() } else { bonds.join(", ") };
        let backend = if dom0.running == Backend::Bridge { "bridge" } else { "openvswitch" };
        format!("the kernel has {bonds}; the backend is {backend}")
    }
}
