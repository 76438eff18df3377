//! The commands that change a host, and `plan`, which says what they would do.

use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result, anyhow, ensure};

use super::args;
use super::request::{Usage, check_codes, templates};
use crate::engine::{Aim, Engine, Proposal, WayBack};
use crate::host::own_session;
use crate::journal;
use crate::json;
use crate::ledger::{self, Orders};
use crate::outcome::{Exit, Hint, Outcome};
use crate::plan::SavedPlan;
use crate::preflight::barring;
use crate::render::Templates;
use crate::report::{self, Teller, View};
use crate::spec::Request;

use super::Run;

impl Run {
    pub(super) fn plan(&self, args: &args::Plan) -> Result<Exit> {
        let request = self.asked(args.name.as_deref(), &args.spec)?;
        let accepted = args.planning.accepted();
        check_codes(&accepted)?;
        let templates = templates(args.planning.templates.as_deref())?;
        let proposal = self.engine(&templates, &accepted).propose(&request)?;
        let Proposal { situation, findings, plan, accepted } = &proposal;
        if self.json {
            let document = report::plan_json(plan.as_ref(), findings, &situation.inv);
            self.document(document, Some(&situation.spec.bond));
        } else {
            let brief = args.planning.brief;
            let view = View { brief, next: next(args, &std::env::args().collect::<Vec<_>>()) };
            report::out(report::proposal(&proposal, &view));
        }
        if let (Some(file), Some(plan)) = (&args.out, plan) {
            let saved = serde_json::to_value(SavedPlan::of(plan, &situation.inv))?;
            let saved = serde_json::to_vec_pretty(&saved)?;
            std::fs::write(file, saved).with_context(|| format!("writing {}", file.display()))?;
        }
        Ok(if !barring(findings, accepted).is_empty() {
            Exit::Refused
        } else if args.check && plan.as_ref().is_some_and(|p| !p.steps.is_empty()) {
            Exit::NotAsAsked
        } else {
            Exit::AsAsked
        })
    }

    pub(super) fn apply(&self, args: &args::Apply) -> Result<Exit> {
        let saved = args.plan.as_deref().map(saved_plan).transpose()?;
        let request = match &saved {
            Some(saved) => Request::of(saved.plan.spec.clone()),
            None => self.asked(args.name.as_deref(), &args.spec)?,
        };
        let accepted = args.planning.accepted();
        check_codes(&accepted)?;
        may_ask(args.yes)?;
        let templates = templates(args.planning.templates.as_deref())?;
        ensure!(
            args.confirm_within.is_none_or(|time| !time.is_zero())
                || !request.network_names().is_empty(),
            anyhow!(
                "--confirm-within 0 is for a bond that XAPI makes for the management: leave it out"
            )
            .context(Usage)
        );
        self.hold_signals()?;
        let orders = Orders {
            reboot: args.reboot,
            confirm_within: args.confirm_within.map(|time| time.as_secs()),
        };
        let engine = Engine { orders, ..self.engine(&templates, &accepted) };
        let fresh = |now: &Proposal| match &saved {
            Some(saved) => saved.still_fresh(now.plan.as_ref(), &now.situation.inv),
            None => Ok(()),
        };
        let mut teller = self.teller(args.yes).ordered(orders, over_ssh());
        teller = teller.brief(args.planning.brief);
        let outcome = engine.apply(&request, fresh, &mut teller)?;
        // One of XAPI's is called as XAPI has called it.
        let network = request.network_names().into_iter().next();
        let made = network.as_ref().and_then(|name| self.recorded_on(name.as_str()).ok());
        let asked = request.bonds().into_iter().next().filter(|_| network.is_none());
        self.ended_for(&outcome, made.flatten().as_ref().or(asked))
    }

    pub(super) fn rollback(&self, args: &args::Rollback) -> Result<Exit> {
        let templates = Templates::load(None)?;
        let aim = self.aim(args.what.as_deref())?;
        if args.dry_run {
            return self.dry_run(&self.engine(&templates, &args.accept), &aim, &args.accept);
        }
        may_ask(args.yes)?;
        self.hold_signals()?;
        let orders = Orders { reboot: args.reboot, confirm_within: None };
        let engine = Engine { orders, ..self.engine(&templates, &args.accept) };
        if args.close {
            let agrees = |tx: &journal::Transaction| {
                let id = &tx.header.id;
                args.yes || report::ask(&format!("End {id} with what is left as it is? [y/N] "))
            };
            return self.ended(&engine.close(agrees, &mut self.teller(true))?);
        }
        let agrees = |way: &WayBack| {
            if !self.quiet {
                report::err(report::way_back(way));
            }
            args.yes || report::ask(&format!("Undo these {} steps? [y/N] ", report::undone(way)))
        };
        self.ended(&engine.rollback(&aim, agrees, &mut self.teller(true))?)
    }

    /// What is to be undone: a change goes by its name before a bond does.
    fn aim(&self, what: Option<&str>) -> Result<Aim> {
        let Some(what) = what else { return Ok(Aim::Newest) };
        if ledger::names(&self.host)?.iter().any(|name| name == what) {
            return Ok(Aim::Transaction(what.into()));
        }
        Ok(Aim::Bond(self.bond(what)?))
    }

    /// Says what a rollback would undo.
    fn dry_run(&self, engine: &Engine<'_>, aim: &Aim, accepted: &[String]) -> Result<Exit> {
        let way = match engine.way_back(aim)? {
            Ok(way) => way,
            Err(outcome) => return self.ended(&outcome),
        };
        if self.json {
            let bond = &way.newest().header.plan.spec.bond;
            self.document(report::way_back_json(&way), Some(bond));
        } else {
            report::out(report::way_back(&way));
        }
        let bars = !barring(&way.findings, accepted).is_empty();
        Ok(if bars { Exit::Refused } else { Exit::AsAsked })
    }

    /// Has the engine go on with what is under way, as a run that changes the host.
    pub(super) fn goes_on(
        &self,
        act: impl FnOnce(&Engine<'_>, &mut Teller) -> Result<Outcome>,
    ) -> Result<Exit> {
        self.hold_signals()?;
        let templates = Templates::load(None)?;
        let engine = self.engine(&templates, &[]);
        self.ended(&act(&engine, &mut self.teller(true))?)
    }

    /// Runs the guard of a confirmation or a worker: in a session of its own, so that it outlives
    /// ours.
    pub(super) fn in_background(
        &self,
        act: impl FnOnce(&Engine<'_>, &mut Teller) -> Result<Outcome>,
    ) -> Result<Exit> {
        own_session();
        outlive_the_terminal().context("setting up signals")?;
        let templates = Templates::load(None)?;
        let engine = self.engine(&templates, &[]);
        let mut teller = Teller::new(false, true).with(&self.progress, &self.log);
        self.ended(&act(&engine, &mut teller)?)
    }

    /// Takes the signals over: from here on a lost terminal does not end the run. INT and TERM end
    /// it at once as long as nothing was touched, and later after the step under way, with a
    /// rollback. Handlers, not a blocked mask: that a child would inherit.
    pub(super) fn hold_signals(&self) -> Result<()> {
        use signal_hook::consts::{SIGINT, SIGTERM};
        use signal_hook::flag::{register, register_conditional_shutdown};
        let register_all = || -> std::io::Result<()> {
            for signal in [SIGINT, SIGTERM] {
                let untouched = Arc::clone(&self.signals.untouched);
                register_conditional_shutdown(signal, Exit::Refused.code().into(), untouched)?;
                register(signal, Arc::clone(&self.signals.interrupt))?;
                register(signal, self.progress.stopped())?;
            }
            outlive_the_terminal()
        };
        register_all().context("setting up signals")
    }
}

/// The command that does what this `plan` shows: that of the caller with another word, without what
/// `apply` does not take; from a file where the plan was saved.
fn next(args: &args::Plan, words: &[String]) -> Vec<String> {
    let mut next = vec!["xenbond".to_string(), "apply".to_string()];
    if let Some(file) = &args.out {
        next.extend(["--plan".into(), file.display().to_string()]);
        next.extend(
            args.planning.accepted().into_iter().flat_map(|code| ["--accept".into(), code]),
        );
        return next;
    }
    let mut words = words.iter().skip(1).skip_while(|word| *word != "plan").skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--brief" | "--check" | "--json" | "-q" | "-v" | "--quiet" | "--verbose" => {}
            "--root" | "--color" => drop(words.next()),
            word if word.starts_with("--root=") || word.starts_with("--color=") => {}
            _ => next.push(word.clone()),
        }
    }
    next
}

/// The plan that a file holds.
fn saved_plan(file: &Path) -> Result<SavedPlan> {
    let read = || -> Result<SavedPlan> { Ok(json::read(&std::fs::read(file)?)?) };
    read().with_context(|| format!("reading the plan {}", file.display())).context(Usage)
}

/// Lets a hangup change nothing, by a handler: a signal that is ignored stays so in a child.
fn outlive_the_terminal() -> std::io::Result<()> {
    let hangup = signal_hook::consts::SIGHUP;
    signal_hook::flag::register(hangup, Arc::new(AtomicBool::new(false))).map(drop)
}

/// Whether this run came over SSH, so that the change may cut off whoever runs it.
fn over_ssh() -> bool {
    std::env::var_os("SSH_CONNECTION").is_some()
}

/// Refuses a run that would have to ask where there is no terminal to ask on.
pub(super) fn may_ask(yes: bool) -> Result<()> {
    ensure!(
        yes || std::io::stdin().is_terminal(),
        anyhow!("there is no terminal to ask on: give --yes")
            .context(Hint("the same command with --yes, once its plan has been read".into()))
            .context(Usage)
    );
    Ok(())
}
