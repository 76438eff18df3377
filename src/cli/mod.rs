//! From the command line to the exit code: reads arguments, calls the engine, hands what came of
//! it to `report`.

#![allow(clippy::disallowed_methods, reason = "the caller's own files and environment")]

mod args;
mod bonds;
mod change;
mod drill;
mod flags;
mod help;
mod history;
mod look;
mod manual;
mod rehearse;
mod render;
mod request;
mod show;

use std::sync::Arc;

use anyhow::{Context, Result, anyhow, ensure};
pub use args::{Cli, Command};
pub use flags::SpecArgs;
use request::{Usage, after_comma};

use crate::engine::{Engine, Signals};
use crate::host::{Host, Watch, is_root};
use crate::inventory::{Ask, Inventory};
use serde_json::Value;

use crate::journal::Transaction;
use crate::journal::log::Log;
use crate::ledger::Orders;
use crate::net::IfName;
use crate::outcome::{Exit, Hint, Outcome};
use crate::render::Templates;
use crate::report::{self, Progress, Teller};

/// Runs the program; its exit code.
#[must_use]
pub fn main(args: &[std::ffi::OsString]) -> u8 {
    let json = args.iter().skip(1).any(|a| a == "--json");
    let usual = help::help_of(args);
    let cli = match help::parse(args) {
        Ok(cli) => cli,
        Err(error) if !error.use_stderr() => {
            report::out_plain(&error.to_string());
            return Exit::AsAsked.code();
        }
        Err(error) => {
            let text = error.to_string();
            let hint = after_comma(&error, args);
            if json {
                let first = text.trim_start_matches("error: ").lines().next().unwrap_or_default();
                let hint = hint.as_deref().unwrap_or(&usual);
                report::out_json(report::failure_json(first, Some(hint), Exit::Usage), None, None);
            } else {
                report::err(report::usage(&text));
                if let Some(hint) = &hint {
                    report::err(report::hint(hint));
                }
            }
            return Exit::Usage.code();
        }
    };
    if let Command::Verify(args) = &cli.command
        && args.format == args::Format::Nagios
    {
        return look::nagios(&cli, args);
    }
    let quiet = cli.quiet;
    report::set_console(cli.color, |name| std::env::var(name).ok());
    match Run::new(&cli).and_then(|run| run.command(&cli.command)) {
        Ok(exit) => exit.code(),
        Err(error) => {
            let hint = error.downcast_ref::<Hint>().map(|hint| hint.0.clone());
            let (exit, usual) = match error.downcast_ref::<Usage>() {
                Some(_) => (Exit::Usage, Some(usual.as_str())),
                None => (Exit::Refused, None),
            };
            let chain: Vec<String> = error
                .chain()
                .map(ToString::to_string)
                .filter(|t| *t != Usage.to_string() && Some(t) != hint.as_ref())
                .collect();
            let denied = |e: &(dyn std::error::Error + 'static)| {
                let io = e.downcast_ref::<std::io::Error>();
                io.is_some_and(|e| e.kind() == std::io::ErrorKind::PermissionDenied)
            };
            let nobody = error.chain().any(denied) && !is_root();
            let root = nobody.then_some("log in as root and run it again");
            let hint = hint.as_deref().or(root).or(usual);
            let text = chain.join(": ");
            if json {
                let host = Host::of_machine(&cli.root).hostname();
                report::out_json(report::failure_json(&text, hint, exit), host.as_deref(), None);
            } else {
                report::err(report::error(&text, hint));
                if exit == Exit::Refused && !quiet {
                    report::err(report::state("nothing was changed by this run"));
                }
            }
            exit.code()
        }
    }
}

struct Run {
    host: Host,
    json: bool,
    quiet: bool,
    signals: Signals,
    progress: Arc<Progress>,
    log: Arc<Log>,
}

impl Run {
    fn new(cli: &Cli) -> Result<Self> {
        let root = std::path::absolute(&cli.root)
            .with_context(|| format!("--root {}", cli.root.display()))?;
        ensure!(
            root.is_dir(),
            anyhow!("--root {}: there is no such folder", cli.root.display()).context(Usage)
        );
        let mut host = Host::of_machine(&root);
        let log = Arc::new(Log::new(&host, history::who(|name| std::env::var(name).ok())));
        // Monitoring wants one line and nothing else.
        let nagios =
            matches!(&cli.command, Command::Verify(args) if args.format == args::Format::Nagios);
        let quiet = cli.quiet || cli.json || nagios;
        let progress = Progress::new(report::err, !quiet);
        host = host
            .watched(Arc::clone(&progress) as Arc<dyn Watch>)
            .watched(Arc::clone(&log) as Arc<dyn Watch>);
        if cli.verbose {
            host = host.watched(Arc::new(report::Loud));
        }
        Ok(Self { host, json: cli.json, quiet, signals: Signals::default(), progress, log })
    }

    fn command(&self, command: &Command) -> Result<Exit> {
        match command {
            Command::Plan(args) => self.plan(args),
            Command::Apply(args) => self.apply(args),
            Command::Resume(args) if args.by_itself => {
                self.goes_on(|engine, teller| engine.resume_by_itself(teller))
            }
            Command::Resume(_) => self.goes_on(|engine, teller| engine.resume(teller)),
            Command::Confirm => self.goes_on(|engine, teller| engine.confirm(teller)),
            Command::Guard => self.in_background(|engine, teller| engine.guard(teller)),
            Command::Worker => self.in_background(|engine, teller| engine.work(teller)),
            Command::Rollback(args) => self.rollback(args),
            Command::Adopt(args) => self.adopt(args),
            Command::Remove(args) => self.remove(args),
            Command::Verify(args) => self.verify(args),
            Command::List => self.list(),
            Command::Spec(args) => self.spec(&args.name),
            Command::Init => self.init(),
            Command::Status => self.status(),
            Command::Drill(args) => self.drill(args),
            Command::Show(args) => show::run(&self.host, args.what.as_deref(), self.json),
            Command::Render(args) => render::run(args),
            Command::Inventory => {
                let ask = Ask { every_nic: true, driver: true, tuning: true, ..Ask::default() };
                self.document(Inventory::read(&self.host, ask)?.to_document()?, None);
                Ok(Exit::AsAsked)
            }
            Command::Rehearse(args) => rehearse::run(args, self.json, self.quiet),
            Command::Findings => {
                if self.json {
                    self.document(report::codes_json(), None);
                } else {
                    report::out(report::codes());
                }
                Ok(Exit::AsAsked)
            }
            Command::Log(args) => self.log(args.transaction.as_deref()),
            Command::Completions(args) => {
                report::out_plain(&args.shell.script(&mut help::with_values()));
                Ok(Exit::AsAsked)
            }
            Command::Man(args) => manual::run(args),
            Command::Schema { command } => {
                let schema = report::schema(command).ok_or_else(|| {
                    let known: Vec<&str> = report::documented().collect();
                    let name = command.escape_debug();
                    anyhow!("{name} prints no JSON; these do: {}", known.join(", ")).context(Usage)
                })?;
                report::out_plain(&format!("{schema:#}\n"));
                Ok(Exit::AsAsked)
            }
        }
    }

    /// The observer that prints everything that goes on, and logs it.
    fn teller(&self, yes: bool) -> Teller {
        Teller::new(self.quiet, yes).with(&self.progress, &self.log)
    }

    fn engine<'a>(&'a self, templates: &'a Templates, accepted: &'a [String]) -> Engine<'a> {
        let orders = Orders::default();
        Engine { host: &self.host, templates, accepted, orders, signals: &self.signals }
    }

    /// Prints a JSON document about a bond, or about all.
    fn document(&self, document: Value, bond: Option<&IfName>) {
        report::out_json(document, self.host.hostname().as_deref(), bond.map(IfName::as_str));
    }

    fn ended(&self, outcome: &Outcome) -> Result<Exit> {
        self.ended_for(outcome, None)
    }

    /// Prints how a run ended that was about this bond; else its transaction tells which.
    fn ended_for(&self, outcome: &Outcome, bond: Option<&IfName>) -> Result<Exit> {
        if self.json {
            let tx = outcome.transaction.as_ref().filter(|_| bond.is_none());
            let tx = tx.and_then(|id| Transaction::named(&self.host, id).ok()?);
            let bond = bond.or(tx.as_ref().map(|tx| &tx.header.plan.spec.bond));
            self.document(report::outcome_json(outcome), bond);
        } else {
            report::outcome(outcome);
        }
        Ok(outcome.exit)
    }
}
