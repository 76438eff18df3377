//! From the command line to the exit code: reads arguments, calls the engine, hands what came of
//! it to `report`.

mod args;
mod examples;
mod history;
mod manual;
mod rehearse;
mod render;
mod show;

use std::io::{IsTerminal, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use serde::{Deserialize, Serialize};

pub use args::{Cli, Command, SpecArgs};

use crate::drill::{self, Drill};
use crate::engine::{self, Engine, Proposal, Signals};
use crate::facts::{self, Facts};
use crate::host::{Host, Watch};
use crate::inventory::{Ask, Inventory, Kernel};
use crate::journal::{self, Orders};
use crate::log::Log;
use crate::net::IfName;
use crate::outcome::{Exit, Hint, Outcome};
use crate::plan::{self, Plan};
use crate::preflight::{self, barring};
use crate::probe;
use crate::render::Templates;
use crate::report::{self, Progress, Teller};
use crate::spec::{Raw, Request, Spec};
use crate::status;
use crate::verify::{self, Check};

/// What was wrong with the command line or the spec, before any host was looked at.
#[derive(Debug)]
struct Usage;

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("usage")
    }
}

/// Runs the program; its exit code.
#[must_use]
pub fn main(args: &[std::ffi::OsString]) -> u8 {
    let json = args.iter().skip(1).any(|a| a == "--json");
    let usual = examples::help_of(args);
    let cli = match examples::parse(args) {
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
                report::out_json(&report::failure_json(first, Some(hint), Exit::Usage));
            } else {
                report::err(&text);
                report::err(&hint.map(|hint| format!("hint: {hint}\n")).unwrap_or_default());
            }
            return Exit::Usage.code();
        }
    };
    if let Command::Verify(args) = &cli.command
        && args.format == args::Format::Nagios
    {
        return nagios(&cli, args);
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
            let nobody = error.chain().any(denied) && !nix::unistd::geteuid().is_root();
            let root = nobody.then_some("log in as root and run it again");
            let hint = hint.as_deref().or(root).or(usual);
            let text = chain.join(": ");
            if json {
                report::out_json(&report::failure_json(&text, hint, exit));
            } else {
                report::err(&report::error(&text, hint));
                if exit == Exit::Refused && !quiet {
                    report::err("state: nothing was changed by this run\n");
                }
            }
            exit.code()
        }
    }
}

/// `verify --format nagios`: whatever happens, one line and one of their codes.
fn nagios(cli: &Cli, args: &args::Verify) -> u8 {
    let found = Run::new(cli).and_then(|run| {
        let (spec, checks) = run.checks(args, Some(Duration::ZERO))?;
        let status = Kernel::read(&run.host)?.bond(spec.bond.as_str());
        Ok(verify::nagios::verdict(spec.bond.as_str(), &checks, status.as_ref()))
    });
    let (code, line) = found.unwrap_or_else(|error| {
        let chain: Vec<String> =
            error.chain().map(ToString::to_string).filter(|t| *t != Usage.to_string()).collect();
        (verify::nagios::UNKNOWN, verify::nagios::unknown(&chain.join(": ")))
    });
    report::out(&line);
    code
}

struct Run {
    host: Host,
    json: bool,
    quiet: bool,
    signals: Signals,
    progress: Arc<Progress>,
    log: Arc<Log>,
}

/// A plan on disk.
#[derive(Serialize, Deserialize)]
struct SavedPlan {
    xenbond: String,
    digest: String,
    plan: Plan,
    facts: Facts,
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
        let quiet = cli.quiet || cli.json;
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
            Command::Resume => self.goes_on(|engine, teller| engine.resume(teller)),
            Command::Confirm => self.goes_on(|engine, teller| engine.confirm(teller)),
            Command::Guard => self.guard(),
            Command::Rollback(args) => self.rollback(args),
            Command::Verify(args) => self.verify(args),
            Command::Status => self.status(),
            Command::Drill(args) => self.drill(args),
            Command::Show(args) => show::run(&self.host, args.what.as_deref(), self.json),
            Command::Render(args) => render::run(args),
            Command::Inventory => {
                let ask = Ask { every_nic: true, driver_modes: true, ..Ask::default() };
                report::out_json(&Inventory::read(&self.host, ask)?.to_document()?);
                Ok(Exit::AsAsked)
            }
            Command::Rehearse(args) => rehearse::run(args, self.json, self.quiet),
            Command::Findings => {
                if self.json {
                    report::out_json(&report::codes_json());
                } else {
                    report::out(&report::codes());
                }
                Ok(Exit::AsAsked)
            }
            Command::Log(args) => self.log(args.transaction.as_deref()),
            Command::Completions(args) => {
                report::out_plain(&args.shell.script(&mut examples::command()));
                Ok(Exit::AsAsked)
            }
            Command::Man(args) => manual::run(args),
        }
    }

    /// Tells of everything that goes on, to people and to the log.
    fn teller(&self, yes: bool) -> Teller {
        Teller::new(self.quiet, yes).with(&self.progress, &self.log)
    }

    fn engine<'a>(&'a self, templates: &'a Templates, accepted: &'a [String]) -> Engine<'a> {
        let orders = Orders::default();
        Engine { host: &self.host, templates, accepted, orders, signals: &self.signals }
    }

    /// Takes the engine on with what is under way, as a run that changes the host.
    fn goes_on(
        &self,
        act: impl FnOnce(&Engine<'_>, &mut Teller) -> Result<Outcome>,
    ) -> Result<Exit> {
        self.hold_signals()?;
        let templates = Templates::load(None)?;
        let engine = self.engine(&templates, &[]);
        self.ended(&act(&engine, &mut self.teller(true))?)
    }

    /// The guard of a confirmation: in a session of its own, so that it outlives ours.
    fn guard(&self) -> Result<Exit> {
        // A leader of its group has a session of its own already.
        let _ = nix::unistd::setsid();
        outlive_the_terminal().context("setting up signals")?;
        let templates = Templates::load(None)?;
        let engine = self.engine(&templates, &[]);
        self.ended(&engine.guard(&mut Teller::new(false, true).with(&self.progress, &self.log))?)
    }

    /// From here on a lost terminal does not end the run. INT and TERM end it at once as long as
    /// nothing was touched, and later after the step under way, with a rollback. Handlers, not a
    /// blocked mask: that a child would inherit.
    fn hold_signals(&self) -> Result<()> {
        use signal_hook::consts::{SIGINT, SIGTERM};
        use signal_hook::flag::{register, register_conditional_shutdown};
        let register_all = || -> std::io::Result<()> {
            for signal in [SIGINT, SIGTERM] {
                let untouched = Arc::clone(&self.signals.untouched);
                register_conditional_shutdown(signal, Exit::Refused.code().into(), untouched)?;
                register(signal, Arc::clone(&self.signals.interrupt))?;
            }
            outlive_the_terminal()
        };
        register_all().context("setting up signals")
    }

    fn ended(&self, outcome: &Outcome) -> Result<Exit> {
        if self.json {
            report::out_json(&report::outcome_json(outcome));
        } else {
            report::outcome(outcome);
        }
        Ok(outcome.exit)
    }

    fn plan(&self, args: &args::Plan) -> Result<Exit> {
        let request = request(&args.spec)?;
        check_codes(&args.planning.accept)?;
        let templates = templates(args.planning.templates.as_deref())?;
        let proposal = self.engine(&templates, &args.planning.accept).propose(&request)?;
        let Proposal { situation, findings, plan } = &proposal;
        if self.json {
            report::out_json(&report::plan_json(plan.as_ref(), findings, &situation.inv));
        } else {
            report::out(&report::proposal(&proposal));
        }
        if let (Some(file), Some(plan)) = (&args.out, plan) {
            let facts = plan.facts(&situation.inv);
            let saved = SavedPlan {
                xenbond: env!("CARGO_PKG_VERSION").into(),
                digest: facts::digest_of(&facts),
                plan: plan.clone(),
                facts,
            };
            std::fs::write(file, serde_json::to_vec_pretty(&saved)?)
                .with_context(|| format!("writing {}", file.display()))?;
        }
        Ok(if !barring(findings, &args.planning.accept).is_empty() {
            Exit::Refused
        } else if args.check && plan.as_ref().is_some_and(|p| !p.steps.is_empty()) {
            Exit::NotAsAsked
        } else {
            Exit::AsAsked
        })
    }

    fn apply(&self, args: &args::Apply) -> Result<Exit> {
        let saved: Option<SavedPlan> = match &args.plan {
            None => None,
            Some(file) => {
                let read =
                    || -> Result<SavedPlan> { Ok(serde_json::from_slice(&std::fs::read(file)?)?) };
                Some(
                    read()
                        .with_context(|| format!("reading the plan {}", file.display()))
                        .context(Usage)?,
                )
            }
        };
        let request = match &saved {
            Some(saved) => Request::of(saved.plan.spec.clone()),
            None => request(&args.spec)?,
        };
        check_codes(&args.planning.accept)?;
        may_ask(args.yes)?;
        let templates = templates(args.planning.templates.as_deref())?;
        self.hold_signals()?;
        let orders = Orders {
            reboot: args.reboot,
            confirm_within: args.confirm_within.map(|time| time.as_secs()),
        };
        let engine = Engine { orders, ..self.engine(&templates, &args.planning.accept) };
        let fresh = |now: &Proposal| match &saved {
            Some(saved) => still_fresh(saved, now),
            None => Ok(()),
        };
        let mut teller = self.teller(args.yes).ordered(orders, over_ssh());
        self.ended(&engine.apply(&request, fresh, &mut teller)?)
    }

    fn rollback(&self, args: &args::Rollback) -> Result<Exit> {
        may_ask(args.yes)?;
        let templates = Templates::load(None)?;
        self.hold_signals()?;
        let orders = Orders { reboot: args.reboot, confirm_within: None };
        let engine = Engine { orders, ..self.engine(&templates, &args.accept) };
        let agrees = |tx: &journal::Transaction| {
            let steps = &tx.header.plan.steps;
            if !self.quiet {
                let undo: Vec<String> =
                    steps.iter().rev().map(|s| format!("  - {}\n", s.undo_title())).collect();
                report::err(&format!("Undoing {}:\n{}", tx.header.id, undo.concat()));
            }
            args.yes || report::ask(&format!("Undo these {} steps? [y/N] ", steps.len()))
        };
        self.ended(&engine.rollback(agrees, &mut self.teller(true))?)
    }

    fn verify(&self, args: &args::Verify) -> Result<Exit> {
        let (spec, checks) = self.checks(args, None)?;
        let ok = verify::failed(&checks).is_empty();
        if self.json {
            report::out_json(&report::checks_json(&checks));
        } else {
            let verdict = if ok { "is as asked" } else { "is NOT as asked" };
            report::out(&format!("{}{} {verdict}.\n", report::checks(&checks), spec.bond));
        }
        Ok(if ok { Exit::AsAsked } else { Exit::NotAsAsked })
    }

    /// Everything that `verify` looks at; `within` is how long it may take to be good.
    fn checks(&self, args: &args::Verify, within: Option<Duration>) -> Result<(Spec, Vec<Check>)> {
        let templates = templates(args.templates.as_deref())?;
        let made = journal::made(&self.host)?;
        let (spec, inv) = if args.spec.is_empty() {
            let name = args
                .name
                .as_deref()
                .map(str::parse::<IfName>)
                .transpose()
                .context("BOND")
                .context(Usage)?;
            // Of an open transaction the spec is what is to come.
            let open = journal::summary(&self.host)?.filter(journal::Summary::is_open);
            let spec = match open.filter(|o| name.as_ref().is_none_or(|n| o.spec.bond == *n)) {
                Some(open) => open.spec,
                None => known_spec(&made, name.as_ref())?,
            };
            let inv = engine::look_for(&self.host, &spec)?;
            (spec, inv)
        } else {
            ensure!(
                args.name.is_none(),
                anyhow!("a bond and a spec were both given: one of them is enough").context(Usage)
            );
            let situation = engine::look(&self.host, &request(&args.spec)?)?;
            (situation.spec, situation.inv)
        };
        // With a record of the same NICs their MAC addresses of then are what is asked for.
        let made = made.iter().find(|m| m.spec.bond == spec.bond && m.spec.nics == spec.nics);
        let nics: Vec<preflight::Nic> = match made {
            Some(made) => made.nics.clone(),
            None => preflight::resolve(&spec, &inv).into_iter().flatten().collect(),
        };
        let found = preflight::resolve(&spec, &inv);
        let absent =
            spec.nics.iter().zip(&found).filter(|(_, nic)| made.is_none() && nic.is_none());
        let absent: Vec<Check> = absent
            .map(|(name, _)| {
                let hint = "xenbond status shows the NICs of this host";
                Check::of(format!("NIC {name}"), "on this host", "not there", hint)
            })
            .collect();
        let within = within.unwrap_or_else(|| verify::limit(&spec));
        let mut checks = absent;
        let waits = &mut |what: &str| self.progress.waits(what, within);
        checks.extend(verify::wait(&self.host, &spec, &nics, within, waits)?);
        self.progress.closes();
        let changed = plan::file_changes_of(&spec, &nics, &inv, &templates)?;
        let changed = made.map_or(changed.clone(), |made| made.unlike(changed));
        checks.extend(verify::settled(&spec, &nics, &inv, &changed));
        checks.extend(probe::ask(&self.host, &spec, probe::Way::Bond(&spec.bond)));
        Ok((spec, checks))
    }

    fn status(&self) -> Result<Exit> {
        let templates = Templates::load(None)?;
        // The one thing that it may do: a guard that was killed holds nobody to the time.
        match self.engine(&templates, &[]).watch_guard() {
            Ok(false) => {}
            Ok(true) => report::err(&format!("note: {}\n", engine::GUARD_WAS_GONE)),
            Err(error) => report::err(&format!("note: {error:#}\n")),
        }
        let status = status::read(&self.host, &templates)?;
        if self.json {
            report::out_json(&serde_json::to_value(&status)?);
        } else {
            report::out(&status::text(&status));
        }
        Ok(if status.ok { Exit::AsAsked } else { Exit::NotAsAsked })
    }

    fn drill(&self, args: &args::Drill) -> Result<Exit> {
        let bond: IfName = args.name.parse().context("BOND").context(Usage)?;
        let made = journal::made(&self.host)?.into_iter().find(|m| m.spec.bond == bond);
        let probe = made.iter().flat_map(|m| &m.spec.probes).next();
        let target = args.target.or(probe.map(|p| p.addr)).with_context(|| {
            format!("nobody is named to send the traffic to, and the spec of {bond} has no probe: give --target IP")
        });
        let target = target.context(Usage)?;
        let drill = Drill {
            host: &self.host,
            bond: &bond,
            target,
            cut_links: args.cut_links,
            made: made.as_ref(),
            signals: &self.signals,
        };
        let mode = drill.mode()?;
        ensure!(
            args.cut_links || mode.has_active_slave(),
            anyhow!("mode {mode} has no active slave to switch: only --cut-links makes one slave carry all")
                .context(Usage)
        );
        self.hold_signals()?;
        let tell = |text: &str| {
            if !self.quiet {
                report::err(text);
            }
        };
        let result = drill.run(&tell)?;
        if self.json {
            report::out_json(&serde_json::to_value(&result)?);
        } else {
            report::out(&drill::text(&result));
        }
        Ok(if result.ok { Exit::AsAsked } else { Exit::NotAsAsked })
    }
}

/// The spec of a bond that xenbond made here.
fn known_spec(made: &[journal::Made], bond: Option<&IfName>) -> Result<Spec> {
    if let Some(made) = made.iter().find(|m| bond.is_none_or(|b| m.spec.bond == *b)) {
        return Ok(made.spec.clone());
    }
    let hint = Hint("xenbond verify --spec FILE, or with the flags of the apply".into());
    Err(anyhow!(hint).context(if made.is_empty() {
        "xenbond has made no bond here, so there is nothing to compare with: give the spec".into()
    } else {
        let all: Vec<&str> = made.iter().map(|m| m.spec.bond.as_str()).collect();
        format!(
            "xenbond has made {} here, and not {}: give the spec",
            all.join(", "),
            bond.map_or("", IfName::as_str)
        )
    }))
}

/// A hangup changes nothing. A handler, since a signal that is ignored stays so in a child.
fn outlive_the_terminal() -> std::io::Result<()> {
    let hangup = signal_hook::consts::SIGHUP;
    signal_hook::flag::register(hangup, Arc::new(AtomicBool::new(false))).map(drop)
}

/// Whether whoever runs this may be cut off by it.
fn over_ssh() -> bool {
    std::env::var_os("SSH_CONNECTION").is_some()
}

/// The spec that flags and file ask for.
fn request(args: &SpecArgs) -> Result<Request> {
    let read = || -> Result<Request> {
        let mut raw = Raw::default();
        if let Some(file) = &args.spec {
            let (name, bytes) = if file == "-" {
                let mut bytes = Vec::new();
                std::io::stdin().read_to_end(&mut bytes).context("reading standard input")?;
                ("standard input", bytes)
            } else {
                (file.as_str(), std::fs::read(file).with_context(|| format!("reading {file}"))?)
            };
            let text = String::from_utf8(bytes).map_err(|_| anyhow!("{name} is not UTF-8 text"))?;
            raw.file(name, &text)?;
        }
        for (flag, key, value) in args.flags() {
            raw.flag(flag, &key, value);
        }
        raw.finish()
    };
    read().context(Usage)
}

fn templates(folder: Option<&Path>) -> Result<Templates> {
    Templates::load(folder).context(Usage)
}

fn check_codes(accept: &[String]) -> Result<()> {
    for code in accept {
        ensure!(
            preflight::Code::ALL.iter().any(|c| c.name() == code),
            anyhow!(
                "--accept {}: there is no finding of that code; `xenbond findings` lists them",
                code.escape_debug()
            )
            .context(Usage)
        );
    }
    Ok(())
}

/// Without a terminal there is nobody to ask.
fn may_ask(yes: bool) -> Result<()> {
    ensure!(
        yes || std::io::stdin().is_terminal(),
        anyhow!("there is no terminal to ask on: give --yes")
            .context(Hint("the same command with --yes, once its plan has been read".into()))
            .context(Usage)
    );
    Ok(())
}

fn still_fresh(saved: &SavedPlan, now: &Proposal) -> Result<()> {
    let facts = saved.plan.facts(&now.situation.inv);
    let moved: Vec<String> =
        facts::differences(&saved.facts, &facts).into_iter().map(|(_, text)| text).collect();
    let version = env!("CARGO_PKG_VERSION");
    let why = if saved.digest != facts::digest_of(&saved.facts) {
        "its facts were changed since it was written".to_string()
    } else if !moved.is_empty() {
        moved.join("; ")
    } else if now.plan.as_ref() == Some(&saved.plan) {
        return Ok(());
    } else if saved.xenbond == version {
        "made now, the plan would be another one".to_string()
    } else {
        format!("xenbond {} made it, and this one, {version}, plans otherwise", saved.xenbond)
    };
    Err(anyhow!("the saved plan is stale: {why}"))
        .context(Hint("xenbond plan --out FILE again, read it, and apply that one".into()))
}

/// What to type where a list was written with a space after its comma.
fn after_comma(error: &clap::Error, args: &[std::ffi::OsString]) -> Option<String> {
    use clap::error::{ContextKind, ContextValue};
    let ContextValue::String(extra) = error.get(ContextKind::InvalidArg)? else { return None };
    let before = args.windows(2).find(|pair| pair[1] == **extra)?[0].to_str()?;
    let list = before.strip_suffix(',').or(extra.strip_prefix(',').map(|_| before))?;
    let next = extra.trim_start_matches(',');
    Some(format!("write a list without spaces: {list},{next}"))
}
