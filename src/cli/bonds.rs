//! The commands about the bonds that xenbond answers for, and how a bond's name becomes what was
//! asked for it.

use anyhow::{Context, Error, Result, anyhow};

use super::Run;
use super::args;
use super::change::may_ask;
use super::flags::SpecArgs;
use super::look::not_known;
use super::request::{Usage, check_codes, device_or_network, no_such_network, request};
use crate::engine::Engine;
use crate::inventory::{Ask, Inventory, Managed, Standing, several};
use crate::journal;
use crate::ledger::{self, Orders};
use crate::net::{Backend, IfName, shown};
use crate::outcome::{Exit, Hint};
use crate::render::Templates;
use crate::report;
use crate::spec::{Request, Spec};
use crate::status::{self, Records};
use crate::xe;

/// What is said of a bond and a spec in one, and of a list that was written with a blank in it.
fn both(bond: &str, spec: &SpecArgs) -> Error {
    let flags = spec.flags();
    let texts = || flags.iter().map(|(_, _, text)| text.as_str());
    let begun = texts().find(|text| text.ends_with(',')).map(|text| format!("{text}{bond}"));
    let more = || Some(format!("{}{bond}", texts().next()?)).filter(|_| bond.starts_with(','));
    let hint = match begun.or_else(more) {
        Some(list) => format!("write a list without spaces: {list}"),
        None => "the name alone for its recorded spec, or the flags alone for another".into(),
    };
    let said = format!("`{}` and a spec were both given: one of them is enough", shown(bond));
    anyhow!(Hint(hint)).context(said).context(Usage)
}

impl Run {
    /// The bond that is meant, by its device or by the network that one of XAPI's was made on.
    pub(super) fn bond(&self, text: &str) -> Result<IfName> {
        match self.recorded_on(text)? {
            Some(bond) => Ok(bond),
            None if device_or_network(text)?.is_none() => {
                let inv = Inventory::read(&self.host, Ask::default())?;
                let bond = Managed::named(&self.host, &inv, text)?.map(|bond| bond.device);
                no_such_network(Some(text), bond.as_ref())?;
                bond.context("a bond of XAPI's")
            }
            None => text.parse().context("BOND").context(Usage),
        }
    }

    /// The bond that was made on a network of this name, unless a bond itself has it.
    pub(super) fn recorded_on(&self, text: &str) -> Result<Option<IfName>> {
        let changes = ledger::chain(&self.host)?;
        let lies = |spec: &Spec| spec.xapi_bond().is_some_and(|(_, name)| name.as_str() == text);
        let named = changes.iter().any(|change| change.spec.bond.as_str() == text);
        let found = changes.into_iter().filter(|change| !named && lies(&change.spec));
        let mut bonds: Vec<IfName> = Vec::new();
        for change in found {
            if !bonds.contains(&change.spec.bond) {
                bonds.push(change.spec.bond);
            }
        }
        let newest = bonds.first().cloned();
        if bonds.len() > 1 {
            let made = journal::made(&self.host)?;
            bonds.retain(|bond| made.iter().any(|made| made.spec.bond == *bond));
        }
        if bonds.len() > 1 {
            let all: Vec<&str> = bonds.iter().map(IfName::as_str).collect();
            return Err(several(&all, text).context(Usage));
        }
        Ok(bonds.pop().or(newest))
    }

    /// What is asked for: the recorded spec of a bond, or what flags and file say.
    pub(super) fn asked(&self, bond: Option<&str>, spec: &SpecArgs) -> Result<Request> {
        let Some(bond) = bond else { return request(spec) };
        if !spec.is_empty() {
            return Err(both(bond, spec));
        }
        let bond = self.bond(bond)?;
        if let Some(spec) = journal::recorded(&self.host, &bond)? {
            return Ok(Request::of(spec));
        }
        let records = Records::read(&self.host)?;
        let known: Vec<String> = records.made.iter().map(|m| m.spec.bond.to_string()).collect();
        Err(not_known(&known, Some(&bond), &records, "the same command with --spec FILE"))
    }

    pub(super) fn adopt(&self, args: &args::Adopt) -> Result<Exit> {
        let bond = self.bond(&args.name)?;
        check_codes(&args.accept)?;
        may_ask(args.yes)?;
        let templates = Templates::load(None)?;
        self.hold_signals()?;
        let engine = self.engine(&templates, &args.accept);
        self.ended_for(&engine.adopt(&bond, &mut self.teller(args.yes))?, Some(&bond))
    }

    pub(super) fn remove(&self, args: &args::Remove) -> Result<Exit> {
        let bond = self.bond(&args.name)?;
        check_codes(&args.accept)?;
        let file = args.spec.as_deref().map(SpecArgs::of_file);
        let told = file.as_ref().map(request).transpose()?;
        may_ask(args.yes)?;
        let templates = Templates::load(None)?;
        self.hold_signals()?;
        let orders = Orders { reboot: args.reboot, confirm_within: None };
        let engine = Engine { orders, ..self.engine(&templates, &args.accept) };
        let to = args.backend.is_some().then_some(Backend::Openvswitch);
        let mut teller = self.teller(args.yes).ordered(orders, false);
        let outcome = engine.remove(&bond, told.as_ref(), to, &mut teller)?;
        self.ended_for(&outcome, Some(&bond))
    }

    pub(super) fn list(&self) -> Result<Exit> {
        let all = status::list(&self.host, &Templates::load(None)?)?;
        if self.json {
            self.document(report::list_json(&all), None);
        } else {
            report::out(report::list(&all));
        }
        Ok(Exit::AsAsked)
    }

    pub(super) fn spec(&self, bond: &str) -> Result<Exit> {
        let bond = self.bond(bond)?;
        let text = match journal::recorded(&self.host, &bond)? {
            Some(spec) => spec.to_ini(),
            None => {
                let inv = Inventory::read_about(&self.host, &bond)?;
                if let Some(managed) = Managed::named(&self.host, &inv, bond.as_str())? {
                    let names = xe::network_names(&self.host)?;
                    let name = names.get(&managed.pif.network).cloned().unwrap_or_default();
                    managed.to_ini(&name)
                } else {
                    let standing = Standing::of(&bond, &inv).with_context(|| {
                        format!("there is no bond {bond}: neither the kernel nor a file has one")
                    });
                    standing.context(Hint("xenbond list; xenbond show".into()))?.to_ini()
                }
            }
        };
        if self.json {
            self.document(serde_json::json!({"spec": text}), Some(&bond));
        } else {
            report::out_plain(&text);
        }
        Ok(Exit::AsAsked)
    }

    pub(super) fn init(&self) -> Result<Exit> {
        let all = status::candidates(&self.host)?;
        if self.json {
            self.document(report::init_json(&all), None);
        } else {
            report::out_plain(&report::init(&all));
        }
        Ok(Exit::AsAsked)
    }
}
