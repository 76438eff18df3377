//! A bond taken away for good, whether or not its record is still there. Must not know how anything
//! is taken away.

use anyhow::{Context, Result, anyhow};

use super::apply::refused;
use super::repair::bridge_is_needed;
use super::{Engine, Observer, Proposal, Situation, look_for};
use crate::inventory::{Inventory, Managed, Nic, Standing, on_host, resolve};
use crate::journal::{self, Transaction};
use crate::ledger;
use crate::net::{Backend, IfName};
use crate::outcome::{Ending, Exit, Hint, Outcome};
use crate::plan::{self, Plan};
use crate::preflight::{self, barring};
use crate::spec::{Request, Spec};

impl Engine<'_> {
    /// Takes a bond away. `told` is its spec, where nothing on this host tells of it any more;
    /// `to` the backend that is to come after the last bond.
    ///
    /// # Errors
    /// Only where nothing was touched.
    pub fn remove(
        &self,
        bond: &IfName,
        told: Option<&Request>,
        to: Option<Backend>,
        observer: &mut dyn Observer,
    ) -> Result<Outcome> {
        let ended = self.remove_to_verdict(bond, told, to, observer)?;
        Ok(self.until_saved(ended, observer))
    }

    fn remove_to_verdict(
        &self,
        bond: &IfName,
        told: Option<&Request>,
        to: Option<Backend>,
        observer: &mut dyn Observer,
    ) -> Result<Outcome> {
        if self.is_under_way(bond, |plan| plan.removes)? {
            return self.go_on(self.orders.plain(), observer);
        }
        if let Some(refused) = self.is_being_made(bond)? {
            return Ok(refused);
        }
        let Some(known) = self.spec_of(bond, told)? else {
            return Ok(Outcome::new(Ending::NothingToDo, Exit::AsAsked));
        };
        let needed = bridge_is_needed(self.host, |of| of.spec.bond != *bond)?;
        if to.is_some() && needed {
            return Ok(Outcome::refused(
                "another bond of this host needs the bridge backend",
                Some("xenbond list; leave out --backend".into()),
            ));
        }
        let proposal = self.propose_removal(known, to.clone())?;
        let barring = barring(&proposal.findings, self.accepted);
        if !barring.is_empty() {
            return Ok(refused(&barring));
        }
        let plan = proposal.plan.as_ref().context("nothing can be planned")?;
        if plan.steps.is_empty() {
            return Ok(Outcome::new(Ending::NothingToDo, Exit::AsAsked));
        }
        let last = to.is_none()
            && !needed
            && plan.spec.managed().is_none()
            && proposal.situation.inv.running_backend() == Some(Backend::Bridge);
        if last {
            observer.note("the backend stays bridge; --backend openvswitch would switch it back");
        }
        self.carry_out(proposal, observer)
    }

    /// The refusal, where a change of this very bond is not at its end: it may not be there yet, and
    /// come after the reboot that is awaited.
    fn is_being_made(&self, bond: &IfName) -> Result<Option<Outcome>> {
        let open = Transaction::open(self.host)?.filter(|open| {
            let phase = open.phase();
            phase.is_open() && !phase.is_saving() && open.header.plan.spec.bond == *bond
        });
        Ok(open.map(|open| {
            let (id, phase) = (open.header.id.clone(), open.phase());
            Outcome {
                transaction: Some(id.clone()),
                ..Outcome::refused(
                    format!("transaction {id} of {bond} is {phase}"),
                    Some(format!("{}; then run the same command again", phase.way_out())),
                )
            }
        }))
    }

    /// Whether a change of the bond that is `meant` is not at its verdict yet.
    pub(super) fn is_under_way(&self, bond: &IfName, meant: fn(&Plan) -> bool) -> Result<bool> {
        let open = Transaction::open(self.host)?;
        Ok(open.is_some_and(|open| {
            let (phase, plan) = (open.phase(), &open.header.plan);
            phase.is_open() && !phase.is_saving() && meant(plan) && plan.spec.bond == *bond
        }))
    }

    /// The bond's spec, and whether this host itself knows it; `None` where the bond is gone already.
    fn spec_of(&self, bond: &IfName, told: Option<&Request>) -> Result<Option<(Spec, bool)>> {
        if let Some(spec) = journal::recorded(self.host, bond)? {
            return Ok(Some((spec, true)));
        }
        let inv = Inventory::read_about(self.host, bond)?;
        if let Some(told) = told {
            return told.for_host(&inv.names()).map(|spec| Some((on_host(spec, &inv), false)));
        }
        if Managed::all(&inv).iter().any(|managed| managed.device == *bond) {
            let hint = format!("xenbond spec {bond} > FILE; xenbond remove {bond} --spec FILE");
            return Err(anyhow!(Hint(hint)).context(format!(
                "XAPI has a bond {bond}, and no record of this host says that xenbond made it"
            )));
        }
        if let Some(standing) = Standing::of(bond, &inv) {
            let spec = standing.spec().with_context(|| {
                format!("what kernel and files say of {bond} is not enough to remove it")
            });
            return spec.map(|spec| Some((on_host(spec, &inv), true)));
        }
        let was = ledger::changes(self.host)?.into_iter().filter(|c| c.spec.bond == *bond);
        let was = was.max_by(|one, other| one.id.cmp(&other.id));
        if let Some(spec) = was.map(|change| change.spec) {
            // Where nothing of the time before was recorded they are left to nobody.
            let left = |nic: &Nic| nic.pif.as_ref().is_some_and(|pif| !pif.is_managed());
            let any = resolve(&spec, &inv).iter().flatten().any(left);
            return Ok((any && spec.managed().is_none()).then_some((spec, false)));
        }
        let hint = format!("xenbond remove {bond} --spec FILE, with the spec that it had");
        Err(anyhow!(Hint(hint))
            .context(format!("no record, device or file of this host mentions {bond}")))
    }

    fn propose_removal(
        &self,
        (spec, is_known): (Spec, bool),
        to: Option<Backend>,
    ) -> Result<Proposal> {
        let recorded = self.recorded(&spec.bond)?;
        let situation = Situation::of(spec.clone(), look_for(self.host, &spec)?);
        let inv = &situation.inv;
        let master = |device: &str| inv.kernel.master_of(device);
        let own = |master: &str| master == spec.bond.as_str();
        // What somebody has taken for another bond since is his.
        let of_others = |master: &str| !own(master) && inv.kernel.bonds.contains_key(master);
        let mut nics: Vec<Nic> = situation.nics.iter().flatten().cloned().collect();
        nics.retain(|nic| !master(nic.device.as_str()).is_some_and(of_others));
        for record in &recorded.pifs {
            // One that has left the bond since it was made, and was not given back.
            let device = record.device.as_str();
            let mac = inv.kernel.permanent_mac(device);
            let free = master(device).is_none_or(own);
            if let Some(mac) =
                mac.filter(|_| free && nics.iter().all(|n| n.device != record.device))
            {
                let pif = inv.xapi.as_ref().and_then(|xapi| xapi.nic(device)).cloned();
                nics.push(Nic { device: record.device.clone(), mac, pif });
            }
        }
        let mut findings = preflight::check_removal(&spec, &situation.nics, inv, is_known);
        let errors = !findings.is_empty();
        let plan = match plan::remove(&spec, &nics, &recorded, to, inv) {
            Ok(plan) => Some(plan),
            Err(_) if errors => None,
            Err(error) => return Err(error),
        };
        if let Some(plan) = &plan {
            findings.extend(preflight::interrupted(&plan.takes_down(), inv));
            findings.extend(preflight::goes_along(&spec, inv));
            if plan.reboots() {
                findings.extend(preflight::rebooted(inv));
            }
        }
        findings = preflight::sorted(findings);
        Ok(Proposal { situation, findings, plan, accepted: self.accepted.to_vec() })
    }
}
