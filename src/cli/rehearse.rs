//! `rehearse`: the whole job and its rollback by the very engine, on the model of a dom0 in a
//! folder of its own: of the built-in pool, or of a host that `inventory` recorded. An effect can
//! be made to fail, or the power cut at it.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use anyhow::{Context, Result, anyhow, bail};
use serde_json::json;

use super::args::{Flavour, Rehearse};
use super::{Usage, check_codes, request};
use crate::bonding;
use crate::engine::{self, Engine, Observer, Proposal, Signals, Situation};
use crate::host::{Clock, Effect, Host, Runner, Watch};
use crate::inventory::Inventory;
use crate::journal::Orders;
use crate::model::state::{self, Backend, State};
use crate::model::{self, Model, builtin, recorded};
use crate::outcome::{Ending, Exit, Hint, Outcome};
use crate::paths;
use crate::preflight::Finding;
use crate::render::Templates;
use crate::report::{self, Teller};
use crate::spec::{Raw, Request};

/// What is rehearsed when nothing is asked for.
const DEFAULT: &str = "[bond]
name = bond51
nics = eth2, eth3
mode = active-backup
mtu = 9000

[addresses]
xen01 = 172.16.51.11/24
xen02 = 172.16.51.12/24
xen03 = 172.16.51.13/24
";

/// The most reboots that a rehearsal may need: forward, back, and one after a power cut.
const REBOOTS: usize = 4;

/// Counts the effects, and strikes at one of them.
struct Striker {
    count: AtomicUsize,
    at: Option<usize>,
    cuts_power: bool,
    dead: AtomicBool,
}

impl Watch for Striker {
    fn before(&self, effect: &Effect<'_>) -> Result<()> {
        if self.dead.load(Ordering::SeqCst) {
            bail!("the power is off");
        }
        if !matches!(
            effect,
            Effect::Run(_) | Effect::Rename(..) | Effect::Remove(_) | Effect::Append(_)
        ) {
            return Ok(());
        }
        let number = self.count.fetch_add(1, Ordering::SeqCst) + 1;
        if self.at == Some(number) {
            if self.cuts_power {
                self.dead.store(true, Ordering::SeqCst);
                bail!("the power was cut at effect {number}");
            }
            bail!("effect {number} was made to fail");
        }
        Ok(())
    }

    fn after(&self, _: &Effect<'_>) -> Result<()> {
        Ok(())
    }
}

/// The host, its model, and how to say what happens.
struct Stage {
    model: Arc<Model>,
    host: Host,
    striker: Arc<Striker>,
    templates: Templates,
    accepted: Vec<String>,
    quiet: bool,
}

pub(super) fn run(args: &Rehearse, json: bool, quiet: bool) -> Result<Exit> {
    check_codes(&args.accept)?;
    let wanted = wanted(args)?;
    let folder = model::scratch().context("making a folder")?;
    let templates = Templates::load(None)?;
    let (model, about) = match &args.inventory {
        None => (Arc::new(Model::create(folder.path(), start(args.dom0))?), "a dom0".to_string()),
        Some(file) => {
            let inv = recorded(file)?;
            let spec = wanted.for_host(&inv.names())?;
            let about = format!("the host that {file} records");
            let proposal = Proposal::of(&wanted, Situation { spec, inv }, &templates)?;
            if let Some(refused) = proposal.refusal(&args.accept).or_else(|| goes_on(&proposal)) {
                return Ok(refuse(&proposal, &refused, json));
            }
            let Situation { spec, inv } = &proposal.situation;
            let model = recorded::create(folder.path(), inv, spec)
                .with_context(|| format!("making a model of {about}"))
                .context(Usage)?;
            let lost = unlike(&model, &wanted, &templates, &proposal.findings)?;
            if !quiet {
                report::out(recorded::ASSUMED);
                report::out(&lost);
            }
            (model, about)
        }
    };
    let stage = Stage::new(model, args, templates, quiet);
    stage
        .tell(&format!("A rehearsal on a model of {about}: nothing of this machine is touched.\n"));
    let before = stage.snapshot()?;
    let forward = match stage.forward(&wanted) {
        Err(error) if stage.struck() => Outcome::refused(format!("{error:#}"), None),
        other => other?,
    };
    let mut outcome = forward.clone();
    if forward.ending == Ending::Done {
        stage.show_result(&wanted)?;
        outcome = stage.back()?;
    }
    let differences = differences(&before, &stage.snapshot()?);
    let equal = differences.is_empty();
    let refused = forward.ending == Ending::Refused && !stage.struck();
    let exit = if equal && !refused {
        Exit::AsAsked
    } else if refused {
        Exit::Refused
    } else {
        Exit::Incomplete
    };
    outcome.exit = exit;
    if json {
        report::out_json(&json!({
            "result": outcome.ending, "exit": exit.code(), "transaction": outcome.transaction,
            "steps": forward.steps, "error": outcome.error, "hint": outcome.hint,
            "effects": stage.striker.count.load(Ordering::SeqCst), "differences": differences,
        }));
        return Ok(exit);
    }
    if refused {
        report::outcome(&forward);
        return Ok(exit);
    }
    for line in &differences {
        report::err(&format!("  differs: {line}\n"));
    }
    let effects = stage.striker.count.load(Ordering::SeqCst);
    report::out(&if equal {
        format!(
            "Compared {} files and all of XAPI's records: the model is as it was ({effects} effects).\n",
            before.len()
        )
    } else {
        "The model is NOT as it was.\n".to_string()
    });
    Ok(exit)
}

/// What is asked for.
fn wanted(args: &Rehearse) -> Result<Request> {
    if !args.spec.is_empty() {
        return request(&args.spec);
    }
    if args.inventory.is_some() {
        return Err(anyhow!("--inventory: nothing says which bond that host is to get"))
            .context(Hint("xenbond rehearse --inventory FILE --spec bond.ini".into()))
            .context(Usage);
    }
    let mut raw = Raw::default();
    raw.file("built-in spec", DEFAULT)?;
    raw.finish()
}

/// The inventory in a file.
fn recorded(file: &str) -> Result<Inventory> {
    let read = || -> Result<Inventory> {
        let mut text = Vec::new();
        if file == "-" {
            std::io::stdin().read_to_end(&mut text)?;
        } else {
            text = std::fs::read(file).context(Hint(format!(
                "on the host: xenbond inventory > {file}; then copy it here"
            )))?;
        }
        Inventory::of_document(&text)
    };
    read().with_context(|| format!("reading the inventory {file}")).context(Usage)
}

/// The refusal where the host is in the middle of this very change: an inventory has no journal.
fn goes_on(proposal: &Proposal) -> Option<Outcome> {
    let Situation { spec, inv } = &proposal.situation;
    let open = inv.transaction.as_ref().filter(|t| t.is_open() && t.spec == *spec)?;
    Some(Outcome::refused(
        format!("transaction {} of the same spec is {} on that host", open.id, open.phase),
        Some("on the host: xenbond resume, or xenbond rollback; then record it again".into()),
    ))
}

/// Says what bars the way on the recorded host, as `plan` and `apply` there would.
fn refuse(proposal: &Proposal, refused: &Outcome, json: bool) -> Exit {
    if json {
        let mut document = report::outcome_json(refused);
        document["findings"] = json!(proposal.findings);
        report::out_json(&document);
    } else {
        report::out(&report::proposal(proposal));
        report::outcome(refused);
    }
    refused.exit
}

/// What is found on the model and not on the recorded host, or the other way round.
fn unlike(
    model: &Arc<Model>,
    wanted: &Request,
    templates: &Templates,
    found: &[Finding],
) -> Result<String> {
    let shown = Proposal::of(wanted, engine::look(&host_of(model), wanted)?, templates)?.findings;
    let only = |all: &[Finding], others: &[Finding], where_: &str| -> String {
        let only = all.iter().filter(|finding| !others.contains(finding));
        only.map(|finding| format!("note: only {where_}: {}\n", finding.message)).collect()
    };
    Ok(only(found, &shown, "on the host, and not on the model")
        + &only(&shown, found, "on the model, and not on the host"))
}

/// The seam to a model.
fn host_of(model: &Arc<Model>) -> Host {
    let clock = Arc::clone(model) as Arc<dyn Clock>;
    Host::new(model.root(), Arc::clone(model) as Arc<dyn Runner>, clock)
}

/// The built-in pool. This host is about to reboot, so its VMs run elsewhere.
fn start(flavour: Flavour) -> State {
    let flavour = match flavour {
        Flavour::El5 => state::Flavour::El5,
        Flavour::El7 => state::Flavour::El7,
    };
    let mut state = builtin::pool(flavour, Backend::Openvswitch);
    let me = state.dom0.me.clone();
    let other = state.pool.hosts.keys().find(|name| **name != me).cloned();
    for vm in state.pool.vms.values_mut().filter(|vm| vm.resident_on.as_ref() == Some(&me)) {
        vm.resident_on.clone_from(&other);
    }
    state
}

impl Stage {
    fn new(model: Arc<Model>, args: &Rehearse, templates: Templates, quiet: bool) -> Self {
        let striker = Arc::new(Striker {
            count: AtomicUsize::new(0),
            at: args.fail_at.or(args.power_cut_at),
            cuts_power: args.power_cut_at.is_some(),
            dead: AtomicBool::new(false),
        });
        let host = host_of(&model).watched(Arc::clone(&striker) as Arc<dyn Watch>);
        let accepted = args.accept.clone();
        Self { model, host, striker, templates, accepted, quiet }
    }

    /// Whether the effect that was to go wrong did.
    fn struck(&self) -> bool {
        self.striker.at.is_some_and(|at| at <= self.striker.count.load(Ordering::SeqCst))
    }

    fn tell(&self, text: &str) {
        if !self.quiet {
            report::out(text);
        }
    }

    fn with<T>(&self, act: impl FnOnce(&Engine<'_>, &mut dyn Observer) -> Result<T>) -> Result<T> {
        let signals = Signals::default();
        let engine = Engine {
            host: &self.host,
            templates: &self.templates,
            accepted: &self.accepted,
            orders: Orders::default(),
            signals: &signals,
        };
        act(&engine, &mut Teller::new(self.quiet, true).on_stdout())
    }

    /// Boots the host anew; the power is back.
    fn reboot(&self) -> Result<()> {
        self.tell("      ... the host reboots ...\n");
        self.striker.dead.store(false, Ordering::SeqCst);
        self.model.reboot()
    }

    fn forward(&self, request: &Request) -> Result<Outcome> {
        self.tell("\n$ xenbond apply --yes --spec bond.ini\n");
        let applied =
            self.said(self.with(|engine, observer| engine.apply(request, |_| Ok(()), observer)));
        self.to_the_end(applied)
    }

    /// Takes the reboots that a transaction waits for, and the one that a power cut is.
    fn to_the_end(&self, mut outcome: Result<Outcome>) -> Result<Outcome> {
        for _ in 0..REBOOTS {
            let dead = self.striker.dead.load(Ordering::SeqCst);
            match &outcome {
                Ok(o) if o.ending != Ending::WaitingForReboot && !dead => return outcome,
                Err(_) if !dead => return outcome,
                _ => {}
            }
            self.reboot()?;
            self.tell("\n$ xenbond resume\n");
            outcome = self.said(self.with(|engine, observer| engine.resume(observer)));
        }
        outcome
    }

    /// Tells how a command ended.
    fn said(&self, outcome: Result<Outcome>) -> Result<Outcome> {
        match &outcome {
            Ok(outcome) => self.tell(&format!("{}\n", report::verdict(outcome))),
            Err(error) => self.tell(&report::error(&format!("{error:#}"), None)),
        }
        outcome
    }

    fn show_result(&self, request: &Request) -> Result<()> {
        let bond = request.bond();
        let text = self.host.read_text(&paths::proc_bonding(bond.as_str()))?.unwrap_or_default();
        let table = bonding::table(Some(bond.as_str()), &bonding::parse(&text));
        self.tell(&format!("\n$ xenbond show {bond}\n{table}"));
        self.tell("\n$ xenbond apply --yes --spec bond.ini        # once more\n");
        self.said(self.with(|engine, observer| engine.apply(request, |_| Ok(()), observer)))?;
        Ok(())
    }

    fn back(&self) -> Result<Outcome> {
        self.tell("\n$ xenbond rollback --yes\n");
        let again = || self.said(self.with(|engine, observer| engine.rollback(|_| true, observer)));
        let outcome = self.to_the_end(again());
        if matches!(&outcome, Ok(o) if o.ending == Ending::RolledBack) {
            return outcome;
        }
        // What struck was an effect of the rollback itself: the same command finishes it.
        self.tell("\n$ xenbond rollback --yes\n");
        self.to_the_end(again())
    }

    /// Every file of the host but our own state, and XAPI's records without the PIFs' uuids.
    fn snapshot(&self) -> Result<BTreeMap<String, String>> {
        let mut all = BTreeMap::new();
        files(&self.model.root().join("etc"), "/etc", &mut all)?;
        let state = self.model.state();
        for (key, pif) in &state.pool.pifs {
            let mut value = serde_json::to_value(pif)?;
            if let Some(fields) = value.as_object_mut() {
                fields.remove("uuid");
            }
            all.insert(format!("PIF {key}"), value.to_string());
        }
        all.insert("networks".into(), serde_json::to_string(&state.pool.networks)?);
        all.insert("running backend".into(), state.dom0.running.word().into());
        all.insert("bonds".into(), state.dom0.bonds.keys().cloned().collect::<Vec<_>>().join(" "));
        Ok(all)
    }
}

fn files(folder: &Path, name: &str, all: &mut BTreeMap<String, String>) -> Result<()> {
    for entry in
        std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?
    {
        let entry = entry?;
        let path = format!("{name}/{}", entry.file_name().to_string_lossy());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            files(&entry.path(), &path, all)?;
        } else if kind.is_symlink() {
            all.insert(path, format!("link to {}", std::fs::read_link(entry.path())?.display()));
        } else {
            all.insert(path, String::from_utf8_lossy(&std::fs::read(entry.path())?).into_owned());
        }
    }
    Ok(())
}

fn differences(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<String> {
    let short = |text: String| text.chars().take(200).collect::<String>().replace('\n', " ");
    crate::facts::differences(before, after).into_iter().map(|(_, text)| short(text)).collect()
}
