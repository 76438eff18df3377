//! A bond that somebody made by hand, taken over while it carries its traffic on. Must not know how
//! anything is changed.

use anyhow::{Context, Result, anyhow};

use super::apply::refused;
use super::{Engine, Observer, Proposal, Situation, look_for};
use crate::inventory::{Ask, Inventory, Standing};
use crate::journal;
use crate::net::{Backend, IfName};
use crate::outcome::{Ending, Exit, Hint, Outcome};
use crate::preflight::{self, barring};
use crate::render::Templates;
use crate::spec::{BackendChoice, Spec};
use crate::step::Step;

impl Proposal {
    /// The proposal for a bond that is to be taken over. What is found is what would be found with
    /// its files as they are to be, and the bond is judged as one of ours.
    ///
    /// # Errors
    /// When nothing can be planned.
    fn of_adoption(situation: Situation, templates: &Templates) -> Result<Self> {
        let plan = situation.plan(templates)?;
        let Situation { spec, nics, inv, .. } = &situation;
        let files = plan.steps.iter().filter_map(Step::file);
        let files: Vec<_> = files.map(|f| (f.path.clone(), f.want.clone())).collect();
        let mut after = inv.with_files(&files);
        after.made.push(spec.bond.clone());
        let mut findings = preflight::check_adoption(spec, nics, &after);
        findings.extend(preflight::interrupted(&plan.takes_down(), inv));
        findings = preflight::sorted(findings);
        Ok(Self { situation, findings, plan: Some(plan), accepted: Vec::new() })
    }
}

impl Engine<'_> {
    /// Takes a bond over: records what is there, and brings files, boot and XAPI's records to what
    /// the bond is.
    ///
    /// # Errors
    /// Only where nothing was touched.
    pub fn adopt(&self, bond: &IfName, observer: &mut dyn Observer) -> Result<Outcome> {
        let ended = self.adopt_to_verdict(bond, observer)?;
        Ok(self.until_saved(ended, observer))
    }

    fn adopt_to_verdict(&self, bond: &IfName, observer: &mut dyn Observer) -> Result<Outcome> {
        if self.is_under_way(bond, |plan| plan.adopts)? {
            return self.go_on(self.orders, observer);
        }
        if journal::recorded(self.host, bond)?.is_some() {
            let mut ended = Outcome::new(Ending::NothingToDo, Exit::AsAsked);
            ended.notes.push(format!("{bond} was made or adopted by xenbond already"));
            ended.hint = Some(format!("xenbond verify {bond}; xenbond apply {bond} repairs it"));
            return Ok(ended);
        }
        let (spec, besides) = self.made_by_hand(bond)?;
        for text in besides {
            observer.note(&format!("of {bond} as it is: {text}"));
        }
        let inv = look_for(self.host, &spec)?;
        let situation = Situation { adopts: true, ..Situation::of(spec, inv) };
        let proposal = Proposal::of_adoption(situation, self.templates)?;
        let barring = barring(&proposal.findings, self.accepted);
        if !barring.is_empty() {
            return Ok(refused(&barring));
        }
        self.carry_out(Proposal { accepted: self.accepted.to_vec(), ..proposal }, observer)
    }

    /// The spec that such a bond has, and what no spec holds of it.
    fn made_by_hand(&self, bond: &IfName) -> Result<(Spec, Vec<String>)> {
        let inv = Inventory::read(self.host, Ask::default())?;
        if let Some(error) = &inv.xapi_error {
            return Err(anyhow!(Hint("xe host-list".into())).context(format!(
                "XAPI does not answer, so it is unknown whether {bond} is XAPI's own: {error}"
            )));
        }
        let managed =
            inv.xapi.iter().flat_map(|xapi| &xapi.pifs).any(|p| p.device == bond.as_str());
        if managed {
            let hint = format!("xe bond-list; xenbond show {bond}");
            return Err(anyhow!(Hint(hint))
                .context(format!("{bond} is XAPI's own bond: there is nothing to take over")));
        }
        let Some(standing) = Standing::of(bond, &inv) else {
            return Err(anyhow!(Hint("xenbond status; xenbond list".into())).context(format!(
                "neither the kernel nor a file of the boot scripts has a bond {bond}"
            )));
        };
        let mut spec = standing.spec().with_context(|| {
            format!(
                "what kernel and files say of {bond} is not enough for a spec: xenbond spec {bond}"
            )
        })?;
        // It goes on as it is on whatever backend runs.
        if inv.running_backend().is_some_and(|running| running != Backend::Bridge) {
            spec.backend = BackendChoice::Keep;
        }
        Ok((spec, standing.besides))
    }
}
