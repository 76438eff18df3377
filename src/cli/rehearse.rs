//! `rehearse`: the whole job and its rollback by the very engine, on the model of a dom0 in a
//! folder of its own: of the built-in pool, or of a host that `inventory` recorded. An effect can
//! be made to fail, or the power cut at it.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::{Context, Result, anyhow};
use serde_json::json;

use super::args::Rehearse;
use super::request::{Usage, check_codes, request};
use crate::engine::{Proposal, Situation};
use crate::inventory::Inventory;
use crate::model::{self, Model};
use crate::outcome::{Ending, Exit, Hint, Outcome};
use crate::rehearse::Stage;
use crate::rehearse::Strike;
use crate::rehearse::differences;
use crate::rehearse::goes_on;
use crate::rehearse::recorded;
use crate::rehearse::start;
use crate::rehearse::unlike;
use crate::render::Templates;
use crate::report::{self};
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
            let inv = recorded(file)?;
            let spec = wanted.for_host(&inv.names())?;
            let about = format!("the host that {file} records");
            let proposal = Proposal::of(&wanted, Situation::of(spec, inv), &templates)?;
            if let Some(refused) = proposal.refusal(&args.accept).or_else(|| goes_on(&proposal)) {
                return Ok(refuse(&proposal, &refused, json));
            }
            let Situation { spec, inv, .. } = &proposal.situation;
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
    let stage = Stage::new(
        model,
        Strike { at: args.fail_at.or(args.power_cut_at), cuts_power: args.power_cut_at.is_some() },
        &args.accept,
        templates,
        quiet,
    );
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
