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
use crate::spec::Spec;
use crate::status;
use crate::verify::{self, Check, probe};

use super::Run;
use crate::report::nagios;

impl Run {
    pub(super) fn verify(&self, args: &args::Verify) -> Result<Exit> {
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
    pub(super) fn checks(
        &self,
        args: &args::Verify,
        within: Option<Duration>,
    ) -> Result<(Spec, Vec<Check>)> {
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
            let open = ledger::summary(&self.host)?.filter(ledger::Summary::is_open);
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
        let nics: Vec<inventory::Nic> = match made {
            Some(made) => made.nics.clone(),
            None => inventory::resolve(&spec, &inv).into_iter().flatten().collect(),
        };
        let found = inventory::resolve(&spec, &inv);
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
        let replies = probe::ask(&self.host, &spec, probe::Way::Bond(&spec.bond));
        checks.extend(replies.into_iter().map(|reply| reply.check));
        Ok((spec, checks))
    }

    pub(super) fn status(&self) -> Result<Exit> {
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
            report::out(&report::status(&status));
        }
        Ok(if status.ok { Exit::AsAsked } else { Exit::NotAsAsked })
    }
}

/// `verify --format nagios`: whatever happens, one line and one of their codes.
pub(super) fn nagios(cli: &Cli, args: &args::Verify) -> u8 {
    let found = Run::new(cli).and_then(|run| {
        let (spec, checks) = run.checks(args, Some(Duration::ZERO))?;
        let status = Kernel::read(&run.host)?.bond(spec.bond.as_str());
        Ok(nagios::verdict(spec.bond.as_str(), &checks, status.as_ref()))
    });
    let (code, line) = found.unwrap_or_else(|error| {
        let chain: Vec<String> =
            error.chain().map(ToString::to_string).filter(|t| *t != Usage.to_string()).collect();
        (nagios::UNKNOWN, nagios::unknown(&chain.join(": ")))
    });
    report::out(&line);
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
