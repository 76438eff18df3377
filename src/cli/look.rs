//! The commands that look at a host.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};

use super::args::{self, Cli};
use super::request::{Usage, request, templates};
use crate::engine;
use crate::inventory::{self, Kernel};
use crate::journal;
use crate::ledger;
use crate::net::IfName;
use crate::outcome::{Exit, Hint};
use crate::plan;
use crate::render::Templates;
use crate::report;
use crate::spec::{NicRef, Spec};
use crate::status;
use crate::verify::{self, Question, Running, Verdict, Witness};

use super::Run;
use crate::report::nagios;

impl Run {
    pub(super) fn verify(&self, args: &args::Verify) -> Result<Exit> {
        let (spec, verdict) = self.verdict(args, None)?;
        let ok = verdict.is_good();
        if self.json {
            report::out_json(&report::checks_json(&verdict));
        } else {
            let words = if ok { "is as asked" } else { "is NOT as asked" };
            report::out(report::checks(&verdict));
            report::out(format!("{} {words}.\n", spec.bond));
        }
        Ok(if ok { Exit::AsAsked } else { Exit::NotAsAsked })
    }

    /// Everything that `verify` looks at; `within` is how long it may take to be good.
    pub(super) fn verdict(
        &self,
        args: &args::Verify,
        within: Option<Duration>,
    ) -> Result<(Spec, Verdict)> {
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
            let to_come = |open: &ledger::Summary| open.is_open() && !open.phase.is_saving();
            let open = ledger::summary(&self.host)?.filter(to_come);
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
        let found = inventory::resolve(&spec, &inv);
        let absent: Vec<NicRef> = spec
            .nics
            .iter()
            .zip(&found)
            .filter(|(_, nic)| made.is_none() && nic.is_none())
            .map(|(name, _)| name.clone())
            .collect();
        let nics: Vec<inventory::Nic> =
            made.map_or_else(|| found.into_iter().flatten().collect(), |made| made.nics.clone());
        let changed = plan::file_changes_of(&spec, &nics, &inv, &templates)?;
        let changed = made.map_or(changed.clone(), |made| made.unlike(changed));
        let within = within.unwrap_or_else(|| verify::limit(&spec));
        let verdict = verify::judge(Question {
            spec: &spec,
            nics: &nics,
            absent: &absent,
            kernel: Running::Settling {
                host: &self.host,
                within,
                waits: &mut |what: &str| self.progress.waits(what, within),
            },
            witnesses: &[
                Witness::Host(&inv, &changed),
                Witness::Disk(&self.host, &inv),
                Witness::Servers(&self.host),
            ],
        })?;
        self.progress.closes();
        Ok((spec, verdict))
    }

    pub(super) fn status(&self) -> Result<Exit> {
        let templates = Templates::load(None)?;
        // The one thing that it may do: a guard that was killed holds nobody to the time.
        match self.engine(&templates, &[]).watch_guard() {
            Ok(false) => {}
            Ok(true) => report::err(report::note(engine::GUARD_WAS_GONE)),
            Err(error) => report::err(report::note(&format!("{error:#}"))),
        }
        let status = status::read(&self.host, &templates)?;
        if self.json {
            report::out_json(&serde_json::to_value(&status)?);
        } else {
            report::out(report::status(&status));
        }
        Ok(if status.ok { Exit::AsAsked } else { Exit::NotAsAsked })
    }
}

/// `verify --format nagios`: whatever happens, one line and one of their codes.
pub(super) fn nagios(cli: &Cli, args: &args::Verify) -> u8 {
    let found = Run::new(cli).and_then(|run| {
        let (spec, verdict) = run.verdict(args, Some(Duration::ZERO))?;
        let status = Kernel::read(&run.host)?.bond(spec.bond.as_str());
        Ok(nagios::verdict(spec.bond.as_str(), &verdict, status.as_ref()))
    });
    let (code, line) = found.unwrap_or_else(|error| {
        let chain: Vec<String> =
            error.chain().map(ToString::to_string).filter(|t| *t != Usage.to_string()).collect();
        (nagios::UNKNOWN, nagios::unknown(&chain.join(": ")))
    });
    report::out(line);
    code
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
