//! The commands that look at a host.

use std::time::Duration;

use anyhow::{Error, Result, anyhow, ensure};

use super::Run;
use super::args::{self, Cli};
use super::request::{Usage, device_or_network, no_such_network, request, templates};
use crate::engine;
use crate::inventory::{Ask, Inventory, Kernel, Managed, Vswitch};
use crate::ledger::Phase;
use crate::net::{IfName, shown};
use crate::outcome::{Exit, Hint};
use crate::render::Templates;
use crate::report::{self, nagios};
use crate::status::{self, Judge, Records};
use crate::verify::Verdict;

impl Run {
    pub(super) fn verify(&self, args: &args::Verify) -> Result<Exit> {
        let verdicts = self.verdicts(args, None)?;
        let ok = verdicts.iter().all(Verdict::is_good);
        if self.json {
            let mut bonds = verdicts.iter().map(|verdict| &verdict.bond);
            let alone = bonds.next().filter(|_| bonds.next().is_none());
            self.document(report::verdicts_json(&verdicts), alone);
        } else {
            report::out(report::verdicts(&verdicts));
        }
        Ok(if ok { Exit::AsAsked } else { Exit::NotAsAsked })
    }

    /// The verdict on each bond that is asked about; `within` is how long it may take to be good.
    fn verdicts(&self, args: &args::Verify, within: Option<Duration>) -> Result<Vec<Verdict>> {
        // What is wrong with the arguments is said before the host is read.
        let templates = templates(args.templates.as_deref())?;
        let text = args.name.as_deref();
        let name = text.map(device_or_network).transpose()?.flatten();
        let asked = if args.spec.is_empty() { None } else { Some(request(&args.spec)?) };
        ensure!(
            asked.is_none() || text.is_none(),
            anyhow!("a bond and a spec were both given: one of them is enough").context(Usage)
        );
        let records = Records::read(&self.host)?;
        // One that was made by xenbond is asked about with all that was asked for.
        let made = text.and_then(|text| self.recorded_on(text).transpose()).transpose()?;
        let name = made.or(name);
        let (spec, inv) = match &asked {
            Some(request) => {
                let situation = engine::look(&self.host, request)?;
                (Some(situation.spec), situation.inv)
            }
            None => {
                let nics = records.kept_nics();
                let ask = Ask { nics: &nics, networks: true, ..Ask::default() };
                (None, Inventory::read(&self.host, ask)?)
            }
        };
        let judge = Judge {
            host: &self.host,
            inv: &inv,
            templates: &templates,
            records: &records,
            within,
            waits: &|what: &str, within| self.progress.waits(what, within),
        };
        let ours = |name: &IfName| {
            records.made.iter().any(|made| made.spec.bond == *name)
                || records.latest.as_ref().is_some_and(|tx| tx.header.plan.spec.bond == *name)
        };
        // A network may be called like nothing that a device can be called.
        let managed = match (text, &name) {
            (Some(_), Some(name)) if ours(name) => None,
            (Some(text), _) => {
                let silent = inv.xapi_error.as_ref();
                ensure!(
                    silent.is_none(),
                    "XAPI does not say whether it has a bond {}: {}",
                    shown(text),
                    silent.map_or("", String::as_str)
                );
                Managed::named(&self.host, &inv, text)?
            }
            (None, _) => None,
        };
        let verdicts = match (&spec, &managed) {
            (Some(spec), _) => vec![judge.spec(spec)?],
            (None, Some(bond)) => vec![judge.managed(bond)?],
            (None, None) => {
                no_such_network(text, name.as_ref())?;
                known(judge.all()?, name.as_ref(), &records)?
            }
        };
        self.progress.closes();
        Ok(verdicts)
    }

    pub(super) fn status(&self) -> Result<Exit> {
        let templates = Templates::load(None)?;
        // The one thing that it may do: a guard that was killed holds nobody to the time.
        match self.engine(&templates, &[]).watch_guard() {
            Ok(false) => {}
            Ok(true) => report::err(report::note(engine::GUARD_WAS_GONE)),
            // The status says what is wrong with the record.
            Err(error) if error.is::<Hint>() => {}
            Err(error) => report::err(report::note(&format!("{error:#}"))),
        }
        let status = status::read(&self.host, &templates)?;
        if self.json {
            self.document(serde_json::to_value(&status)?, None);
        } else {
            report::out(report::status(&status));
        }
        Ok(if status.ok { Exit::AsAsked } else { Exit::NotAsAsked })
    }
}

/// `verify --format nagios`: whatever happens, one line and one of their codes.
pub(super) fn nagios(cli: &Cli, args: &args::Verify) -> u8 {
    let found = Run::new(cli).and_then(|run| {
        let verdicts = run.verdicts(args, Some(Duration::ZERO))?;
        let kernel = Kernel::read(&run.host)?;
        let vswitch = kernel.modules.contains("openvswitch");
        let of_vswitch = |bond: &str| Vswitch::read(&run.host, bond).ok()?.status(&kernel);
        let said = |bond: &str| {
            let status = if vswitch { of_vswitch(bond) } else { None };
            status.or_else(|| kernel.bond(bond))
        };
        Ok(nagios::verdict(&verdicts, &said))
    });
    let (code, line) = found.unwrap_or_else(|error| {
        let chain: Vec<String> =
            error.chain().map(ToString::to_string).filter(|t| *t != Usage.to_string()).collect();
        (nagios::UNKNOWN, nagios::unknown(&chain.join(": ")))
    });
    report::out(line);
    code
}

/// The verdicts on the bond that is meant, or on all.
fn known(mut all: Vec<Verdict>, bond: Option<&IfName>, records: &Records) -> Result<Vec<Verdict>> {
    let bonds: Vec<String> = all.iter().map(|verdict| verdict.bond.to_string()).collect();
    all.retain(|verdict| bond.is_none_or(|bond| verdict.bond == *bond));
    if !all.is_empty() {
        return Ok(all);
    }
    Err(not_known(
        &bonds,
        bond,
        records,
        "xenbond verify --spec FILE, or with the flags of the apply",
    ))
}

/// What is said where xenbond does not answer for the bond, or for any.
pub(super) fn not_known(
    bonds: &[String],
    bond: Option<&IfName>,
    records: &Records,
    hint: &str,
) -> Error {
    let undone = records.latest.as_ref().filter(|tx| {
        tx.phase() == Phase::RolledBack && bond.is_none_or(|b| tx.header.plan.spec.bond == *b)
    });
    anyhow!(Hint(hint.into())).context(match (undone, bond) {
        (Some(tx), _) => format!(
            "{} was rolled back, at {} (transaction {}), so there is nothing to compare with: give the spec",
            tx.header.plan.spec.bond,
            tx.last_time(),
            tx.header.id
        ),
        (None, Some(bond)) if !bonds.is_empty() => format!(
            "xenbond has made {} here, and not {bond}: give the spec",
            bonds.join(", ")
        ),
        _ => "xenbond has made no bond here, so there is nothing to compare with: give the spec"
            .into(),
    })
}
