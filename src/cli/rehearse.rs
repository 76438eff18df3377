//! `rehearse`: the whole job and its rollback by the very engine, on the model of a dom0 in a
//! folder of its own. An effect can be made to fail, or the power cut at it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use anyhow::{Context, Result, bail};
use serde_json::json;

use super::args::{Flavour, Rehearse};
use super::request;
use crate::bonding;
use crate::engine::{Engine, Observer, Signals};
use crate::host::{Clock, Effect, Host, Runner, Watch};
use crate::journal::Orders;
use crate::model::state::{self, Backend, State};
use crate::model::{self, Model, builtin};
use crate::outcome::{Ending, Exit, Outcome};
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
    quiet: bool,
}

pub(super) fn run(args: &Rehearse, json: bool, quiet: bool) -> Result<Exit> {
    let wanted = if args.spec.is_empty() {
        let mut raw = Raw::default();
        raw.file("built-in spec", DEFAULT)?;
        raw.finish()?
    } else {
        request(&args.spec)?
    };
    let folder = model::scratch().context("making a folder")?;
    let stage = Stage::new(folder.path(), start(args.dom0), args, quiet)?;
    stage.tell("A rehearsal on a model of a dom0: nothing of this machine is touched.\n");
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
    fn new(root: &Path, state: State, args: &Rehearse, quiet: bool) -> Result<Self> {
        let model = Arc::new(Model::create(root, state)?);
        let striker = Arc::new(Striker {
            count: AtomicUsize::new(0),
            at: args.fail_at.or(args.power_cut_at),
            cuts_power: args.power_cut_at.is_some(),
            dead: AtomicBool::new(false),
        });
        let host = Host::new(
            root,
            Arc::clone(&model) as Arc<dyn Runner>,
            Arc::clone(&model) as Arc<dyn Clock>,
        )
        .watched(Arc::clone(&striker) as Arc<dyn Watch>);
        Ok(Self { model, host, striker, templates: Templates::load(None)?, quiet })
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
            accepted: &[],
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
        let text = self.host.read_text(&format!("/proc/net/bonding/{bond}"))?.unwrap_or_default();
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
