//! The stage of a rehearsal: the very engine, on the model of a dom0 in a folder of its own.

pub mod recorded;
mod striker;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Result;
use striker::Striker;

use crate::bonding;
use crate::engine::{self, Engine, Observer, Proposal, Signals, Situation};
use crate::host::{Clock, Host, Kind, Runner, Watch, join};
use crate::ledger::Orders;
use crate::model::Model;
use crate::model::builtin;
use crate::model::state::{Backend, Flavour, Saves, State};
use crate::order;
use crate::outcome::{Ending, Outcome, verdict};
use crate::paths;
use crate::preflight::Finding;
use crate::render::Templates;
use crate::report::{self, Teller};
use crate::spec::Request;

/// The most reboots that a rehearsal may need: forward, back, and one after a power cut.
const REBOOTS: usize = 4;

/// Which effect goes wrong, and how.
#[derive(Clone, Copy, Debug, Default)]
pub struct Strike {
    /// The number of the effect, from 1; `None`: none does.
    pub at: Option<usize>,
    /// Whether the power is cut there; else the effect fails.
    pub cuts_power: bool,
}

/// The host, its model, and how to say what happens.
pub struct Stage {
    /// The model.
    pub model: Arc<Model>,
    host: Host,
    /// What strikes, and counts the effects.
    pub striker: Arc<Striker>,
    templates: Templates,
    accepted: Vec<String>,
    quiet: bool,
    pace: Duration,
}

/// The refusal where the host is in the middle of this very change: an inventory has no journal.
pub fn goes_on(proposal: &Proposal) -> Option<Outcome> {
    let Situation { spec, inv, .. } = &proposal.situation;
    let open = inv.transaction.as_ref().filter(|t| t.is_open() && t.spec == *spec)?;
    Some(Outcome::refused(
        format!("transaction {} of the same spec is {} on that host", open.id, open.phase),
        Some("on the host: xenbond resume, or xenbond rollback; then record it again".into()),
    ))
}

/// What is found on the model and not on the recorded host, or the other way round.
pub fn unlike(
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
pub fn host_of(model: &Arc<Model>) -> Host {
    let clock = Arc::clone(model) as Arc<dyn Clock>;
    Host::new(model.root(), Arc::clone(model) as Arc<dyn Runner>, clock)
}

/// The built-in pool. This host is about to reboot, so its VMs run elsewhere.
pub fn start(flavour: Flavour) -> State {
    let mut state = builtin::pool(flavour, Backend::Openvswitch);
    state.dom0.saves = Saves::REAL;
    let me = state.dom0.me.clone();
    let other = state.pool.hosts.keys().find(|name| **name != me).cloned();
    for vm in state.pool.vms.values_mut().filter(|vm| vm.resident_on.as_ref() == Some(&me)) {
        vm.resident_on.clone_from(&other);
    }
    state
}

impl Stage {
    /// Sets the stage; `strike` says what goes wrong.
    #[must_use]
    pub fn new(
        model: Arc<Model>,
        strike: Strike,
        accepted: &[String],
        templates: Templates,
        quiet: bool,
    ) -> Self {
        let striker = Arc::new(Striker {
            count: AtomicUsize::new(0),
            at: strike.at,
            cuts_power: strike.cuts_power,
            dead: AtomicBool::new(false),
        });
        let host = host_of(&model).watched(Arc::clone(&striker) as Arc<dyn Watch>);
        let accepted = accepted.to_vec();
        Self { model, host, striker, templates, accepted, quiet, pace: Duration::ZERO }
    }

    /// The same at a pace that a person can follow: so long after each step.
    #[must_use]
    pub fn pace(self, pace: Duration) -> Self {
        Self { pace, ..self }
    }

    /// Whether the effect that was to go wrong did.
    pub fn struck(&self) -> bool {
        self.striker.at.is_some_and(|at| at <= self.striker.count.load(Ordering::SeqCst))
    }

    /// Prints, unless nobody wants to hear.
    pub fn tell(&self, text: impl Into<report::Text>) {
        if !self.quiet {
            report::out(text);
        }
    }

    /// Has the engine act on the model.
    pub fn with<T>(
        &self,
        act: impl FnOnce(&Engine<'_>, &mut dyn Observer) -> Result<T>,
    ) -> Result<T> {
        let signals = Signals::default();
        let engine = Engine {
            host: &self.host,
            templates: &self.templates,
            accepted: &self.accepted,
            orders: Orders::default(),
            signals: &signals,
        };
        act(&engine, &mut Teller::new(self.quiet, true).pace(self.pace).on_stdout())
    }

    /// Boots the host anew; the power is back.
    pub fn reboot(&self) -> Result<()> {
        self.tell("      ... the host reboots ...\n");
        if self.striker.dead.swap(false, Ordering::SeqCst) {
            return self.model.cut();
        }
        self.model.reboot()
    }

    /// Applies the request, through all its reboots.
    ///
    /// # Errors
    /// As for [`Engine::apply`].
    pub fn forward(&self, request: &Request) -> Result<Outcome> {
        self.tell("\n$ xenbond apply --yes --spec bond.ini\n");
        let applied =
            self.said(self.with(|engine, observer| engine.apply(request, |_| Ok(()), observer)));
        self.to_the_end(applied)
    }

    /// Takes the reboots that a transaction waits for, and the one that a power cut is.
    pub fn to_the_end(&self, mut outcome: Result<Outcome>) -> Result<Outcome> {
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

    /// Prints how a command ended.
    pub fn said(&self, outcome: Result<Outcome>) -> Result<Outcome> {
        match &outcome {
            Ok(outcome) => self.tell(format!("{}\n", verdict(outcome))),
            Err(error) => self.tell(report::error(&format!("{error:#}"), None)),
        }
        outcome
    }

    /// Shows the bond, and that the same request once more changes nothing.
    ///
    /// # Errors
    /// When the model cannot be read.
    pub fn show_result(&self, request: &Request) -> Result<()> {
        for bond in request.bonds() {
            let Some(text) = self.host.read_text(&paths::proc_bonding(bond.as_str()))? else {
                continue;
            };
            let table = report::bond::table(Some(bond.as_str()), &bonding::parse(&text));
            self.tell(format!("\n$ xenbond show {bond}\n{table}"));
        }
        self.tell("\n$ xenbond apply --yes --spec bond.ini        # once more\n");
        self.said(self.with(|engine, observer| engine.apply(request, |_| Ok(()), observer)))?;
        Ok(())
    }

    /// Rolls back, through all reboots.
    ///
    /// # Errors
    /// As for [`Engine::rollback`].
    pub fn back(&self) -> Result<Outcome> {
        self.tell("\n$ xenbond rollback --yes\n");
        let again =
            || {
                self.said(self.with(|engine, observer| {
                    engine.rollback(&engine::Aim::Newest, |_| true, observer)
                }))
            };
        let outcome = self.to_the_end(again());
        if matches!(&outcome, Ok(o) if o.ending == Ending::RolledBack) {
            return outcome;
        }
        // What struck was an effect of the rollback itself: the same command finishes it.
        self.tell("\n$ xenbond rollback --yes\n");
        self.to_the_end(again())
    }

    /// Every file of the host but our own state, and XAPI's records without the PIFs' uuids.
    pub fn snapshot(&self) -> Result<BTreeMap<String, String>> {
        let mut all = BTreeMap::new();
        files(&self.host, "/etc", &mut all)?;
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

fn files(host: &Host, folder: &str, all: &mut BTreeMap<String, String>) -> Result<()> {
    for name in host.list(folder)? {
        let path = join(folder, &name);
        match host.original(&path)?.was {
            Kind::Other => files(host, &path, all)?,
            Kind::Link { target } => drop(all.insert(path, format!("link to {target}"))),
            kind => {
                let text = String::from_utf8_lossy(kind.bytes().unwrap_or_default()).into_owned();
                all.insert(path, text);
            }
        }
    }
    Ok(())
}

/// What differs between two snapshots, a sentence each.
#[must_use]
pub fn differences(
    before: &BTreeMap<String, String>,
    after: &BTreeMap<String, String>,
) -> Vec<String> {
    let short = |text: String| text.chars().take(200).collect::<String>().replace('\n', " ");
    let names: BTreeSet<&String> = order::set(before.keys().chain(after.keys()));
    let value = |of: Option<&String>| of.map_or("not set".to_string(), String::clone);
    let sentence = |name: &String| {
        let (was, is) = (value(before.get(name)), value(after.get(name)));
        (was != is).then(|| short(format!("{name}: was {was}, is {is}")))
    };
    names.into_iter().filter_map(sentence).collect()
}
