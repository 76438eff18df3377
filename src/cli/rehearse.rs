//! `rehearse`: the whole job and its rollback by the very engine, on the model of a dom0 in a
//! folder of its own: of the built-in pool, or of a host that `inventory` recorded. An effect can
//! be made to fail, or the power cut at it.

use std::io::{IsTerminal, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use serde_json::{Value, json};

use super::args::Rehearse;
use super::request::{Usage, check_codes, request};
use crate::engine::{Proposal, Situation};
use crate::inventory::{Inventory, on_host};
use crate::model::{self, Model};
use crate::net::IfName;
use crate::outcome::{Ending, Exit, Hint, Outcome};
use crate::rehearse::{Stage, Strike, differences, goes_on, recorded, start, unlike};
use crate::render::Templates;
use crate::report::{self, View};
use crate::spec::{Raw, Request};

/// How long a person has to read each step.
const PACE: Duration = Duration::from_millis(400);

/// The spec that is rehearsed when none is given.
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

pub(super) fn run(args: &Rehearse, json: bool, quiet: bool) -> Result<Exit> {
    check_codes(&args.accept)?;
    let wanted = wanted(args)?;
    let folder = model::scratch().context("making a folder")?;
    let templates = Templates::load(None)?;
    let (model, about) = match &args.inventory {
        None => {
            (Arc::new(Model::create(folder.path(), start(args.dom0.into()))?), "a dom0".to_string())
        }
        Some(file) => {
            let about = format!("the host that {file} records");
            let inv = inventory(file)?;
            let made = model_of(inv, &about, folder.path(), &wanted, &templates, args, quiet)?;
            match made {
                Made::Model(model) => (model, about),
                Made::Refused(refused) => return Ok(refuse(&refused.0, &refused.1, json)),
            }
        }
    };
    let stage = Stage::new(
        model,
        Strike { at: args.fail_at.or(args.power_cut_at), cuts_power: args.power_cut_at.is_some() },
        &args.accept,
        templates,
        quiet,
    );
    let watched = std::io::stdout().is_terminal() && !args.fast;
    let stage = stage.pace(if watched { PACE } else { Duration::ZERO });
    stage.tell(format!("A rehearsal on a model of {about}: nothing of this machine is touched.\n"));
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
    let effects = stage.striker.count.load(Ordering::SeqCst);
    if let Some(at) = args.fail_at.or(args.power_cut_at).filter(|at| *at > effects || *at == 0) {
        let fault = format!("there is no effect {at}: this rehearsal has {effects} of them");
        return Err(anyhow!(fault).context(Usage));
    }
    let played = Played {
        differences: differences(&before, &stage.snapshot()?),
        compared: before.len(),
        effects,
        refused: forward.ending == Ending::Refused && !stage.struck(),
        forward,
    };
    outcome.exit = played.exit();
    if json {
        let bond = wanted.bonds().into_iter().next().map(IfName::as_str);
        report::out_json(played.document(&outcome), Some(&stage.model.state().dom0.me), bond);
    } else {
        played.say();
    }
    Ok(outcome.exit)
}

/// What became of the host that an inventory records.
enum Made {
    /// A model of it.
    Model(Arc<Model>),
    /// None, since the change would be refused there.
    Refused(Box<(Proposal, Outcome)>),
}

/// The model of a recorded host, unless the change would be refused there.
fn model_of(
    inv: Inventory,
    about: &str,
    folder: &Path,
    wanted: &Request,
    templates: &Templates,
    args: &Rehearse,
    quiet: bool,
) -> Result<Made> {
    let spec = on_host(wanted.for_host(&inv.names())?, &inv);
    let proposal = Proposal::of(wanted, Situation::of(spec, inv), templates)?;
    if let Some(refused) = proposal.refusal(&args.accept).or_else(|| goes_on(&proposal)) {
        return Ok(Made::Refused(Box::new((proposal, refused))));
    }
    let Situation { spec, inv, .. } = &proposal.situation;
    let model = recorded::create(folder, inv, spec)
        .with_context(|| format!("making a model of {about}"))
        .context(Usage)?;
    let lost = unlike(&model, wanted, templates, &proposal.findings)?;
    if !quiet {
        report::out(recorded::ASSUMED);
        report::out(lost);
    }
    Ok(Made::Model(model))
}

/// How a rehearsal went.
struct Played {
    /// The way forward.
    forward: Outcome,
    /// Whether it was refused there.
    refused: bool,
    /// What is not as it was before.
    differences: Vec<String>,
    /// How many things were compared.
    compared: usize,
    /// How many effects there were.
    effects: usize,
}

impl Played {
    fn exit(&self) -> Exit {
        match (self.refused, self.differences.is_empty()) {
            (true, _) => Exit::Refused,
            (false, true) => Exit::AsAsked,
            (false, false) => Exit::Incomplete,
        }
    }

    fn document(&self, outcome: &Outcome) -> Value {
        json!({
            "result": outcome.ending, "exit": outcome.exit.code(),
            "transaction": outcome.transaction, "steps": self.forward.steps,
            "error": outcome.error, "hint": outcome.hint,
            "effects": self.effects, "differences": self.differences,
        })
    }

    /// What the way forward was.
    fn shown(&self) -> &'static str {
        match self.forward.ending {
            Ending::Done => "the whole job, the same command once more, which changes nothing",
            _ => "a job that fails",
        }
    }

    fn say(&self) {
        if self.refused {
            return report::outcome(&self.forward);
        }
        for line in &self.differences {
            report::err(format!("  differs: {line}\n"));
        }
        report::out(&if self.differences.is_empty() {
            format!(
                "Shown: {}, and the way back. {} files and all of XAPI's records were compared:\n\
                 the model is as it was before ({} effects).\n",
                self.shown(),
                self.compared,
                self.effects
            )
        } else {
            "The model is NOT as it was.\n".to_string()
        });
    }
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
fn inventory(file: &str) -> Result<Inventory> {
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

/// Prints what bars the way on the recorded host, as `plan` and `apply` there would.
fn refuse(proposal: &Proposal, refused: &Outcome, json: bool) -> Exit {
    if json {
        let mut document = report::outcome_json(refused);
        document["findings"] = json!(proposal.findings);
        let Situation { spec, inv, .. } = &proposal.situation;
        let host = inv.kernel.hostname.as_deref();
        report::out_json(document, host, Some(spec.bond.as_str()));
    } else {
        report::out(report::proposal(proposal, &View::default()));
        report::outcome(refused);
    }
    refused.exit
}
