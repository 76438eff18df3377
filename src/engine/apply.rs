//! The way forward: look, judge, plan, ask, and take the steps one by one.

use anyhow::{Context, Result, bail, ensure};

use super::{Answer, Engine, Observer, Situation, look, look_for, outcome, reports};
use crate::inventory::facts;
use crate::journal::Transaction;
use crate::ledger::{Event, Lock, Phase};
use crate::outcome::{Ending, Exit, Item, Outcome, StepReport, StepState};
use crate::plan::{self, Plan};
use crate::preflight::{self, Code, Finding, Severity, barring};
use crate::render::Templates;
use crate::spec::Request;
use crate::step::Step;
use crate::verify::Check;
use crate::verify::probe::{self, Answers, Way};

/// What `plan` prints and `apply` asks about: a request on this host, its findings and its plan.
pub struct Proposal {
    /// What is asked for and what was read.
    pub situation: Situation,
    /// The findings on it.
    pub findings: Vec<Finding>,
    /// What is to be done; `None` where a finding leaves nothing to plan with.
    pub plan: Option<Plan>,
    /// The codes of the warnings that are accepted: now, or with the same spec before.
    pub accepted: Vec<String>,
}

impl Proposal {
    /// The proposal for a request on a host as it was read.
    ///
    /// # Errors
    /// When nothing can be planned and no finding says why.
    pub fn of(request: &Request, situation: Situation, templates: &Templates) -> Result<Self> {
        let Situation { spec, nics, inv, recorded, .. } = &situation;
        let mut findings = preflight::check_request(request, spec, nics, inv);
        let errors = findings.iter().any(|f| f.severity == Severity::Error);
        let plan = match situation.plan(templates) {
            // What becomes of the NICs, and of which VMs, only XAPI tells.
            Ok(_) if errors && inv.xapi.is_none() => None,
            Ok(plan) => Some(plan),
            // With an error found there may be nothing to plan with; without one there must be.
            Err(_) if errors => None,
            Err(error) => return Err(error),
        };
        if let Some(plan) = &plan {
            let down = plan.takes_down();
            findings.extend(preflight::interrupted(&down, inv));
            findings.extend(preflight::restarts(plan.completes()));
            // What lies on a bond that stays up stays too.
            if !down.contains(&spec.bond.as_str()) {
                findings.retain(|finding| finding.code != Code::BondCarriesMore);
            }
            let kept = plan::not_given_back(spec, nics, recorded, inv);
            findings.extend(preflight::not_given_back(&kept, spec, inv));
            findings = preflight::sorted(findings);
        }
        Ok(Self { situation, findings, plan, accepted: Vec::new() })
    }

    /// The refusal, where a finding bars the way.
    #[must_use]
    pub fn refusal(&self, accepted: &[String]) -> Option<Outcome> {
        let barring = barring(&self.findings, accepted);
        (!barring.is_empty()).then(|| refused(&barring))
    }
}

impl Engine<'_> {
    /// Looks at the host and says what would be done.
    ///
    /// # Errors
    /// When the host cannot be read, or the spec has nothing for it.
    pub fn propose(&self, request: &Request) -> Result<Proposal> {
        let situation = self.with_records(look(self.host, request)?)?;
        let mut proposal = Proposal::of(request, situation, self.templates)?;
        let moves = proposal.plan.as_ref().is_some_and(Plan::moves_management);
        proposal.findings.extend(preflight::unguarded(moves, self.orders.confirm_within));
        proposal.findings = preflight::sorted(proposal.findings);
        let accepted = self.accepted_with(&proposal.situation.spec)?;
        Ok(Proposal { accepted, ..proposal })
    }

    /// Does the whole job. `fresh` is a saved plan's word on whether the host is still what it was
    /// made for.
    ///
    /// # Errors
    /// Only where nothing was touched.
    pub fn apply(
        &self,
        request: &Request,
        fresh: impl FnOnce(&Proposal) -> Result<()>,
        observer: &mut dyn Observer,
    ) -> Result<Outcome> {
        let ended = self.apply_to_verdict(request, fresh, observer)?;
        Ok(self.until_saved(ended, observer))
    }

    fn apply_to_verdict(
        &self,
        request: &Request,
        fresh: impl FnOnce(&Proposal) -> Result<()>,
        observer: &mut dyn Observer,
    ) -> Result<Outcome> {
        if let Some(holder) = Lock::holder(self.host) {
            bail!("another xenbond is changing this host: {holder}");
        }
        let proposal = self.propose(request)?;
        let spec = &proposal.situation.spec;
        if let Some(open) = &proposal.situation.inv.transaction
            && open.is_open()
            && !open.phase.is_saving()
            && open.spec == *spec
        {
            return match open.phase {
                // Nobody asked this command to end a rollback, and it would not make the bond.
                Phase::RollingBack | Phase::RollbackWaiting { .. } => Ok(Outcome {
                    transaction: Some(open.id.clone()),
                    ..Outcome::refused(
                        format!("transaction {} of the same bond is {}", open.id, open.phase),
                        Some("xenbond rollback finishes it; then run the same apply again".into()),
                    )
                }),
                _ => self.go_on(self.orders.plain(), observer),
            };
        }
        // What has moved since a plan was saved is said before what that leads to.
        fresh(&proposal)?;
        if let Some(refused) = proposal.refusal(&proposal.accepted) {
            return Ok(refused);
        }
        let plan = proposal.plan.as_ref().context("nothing can be planned")?;
        if plan.steps.is_empty() {
            return self.nothing_to_do(plan, &proposal.situation, &proposal.accepted);
        }
        self.carry_out(proposal, observer)
    }

    /// Asks, and does what is proposed, which nothing bars.
    pub(super) fn carry_out(
        &self,
        proposal: Proposal,
        observer: &mut dyn Observer,
    ) -> Result<Outcome> {
        let plan = proposal.plan.context("nothing can be planned")?;
        if !observer.agrees(&plan, &proposal.findings, &proposal.situation.inv) {
            return Ok(Outcome::refused("cancelled", None));
        }
        let lock = self.lock(observer)?;
        if let Some(refused) = self.moved(&proposal.situation, &plan)? {
            return Ok(refused);
        }
        if let Some(old) = Transaction::open(self.host)? {
            match old.phase() {
                // Cut off between its last line and its end.
                Phase::RolledBack => old.close(self.host)?,
                Phase::Done => {}
                phase if phase.is_saving() => self.close_wait(old)?,
                phase => bail!("transaction {} has just begun and is {phase}", old.header.id),
            }
        }
        let inv = &proposal.situation.inv;
        let before = plan.facts(inv);
        let answers = probe::answers(&probe::ask(self.host, &plan.spec, Way::Routes));
        let management = self.management(inv, plan.reboots() || plan.moves_management());
        let orders = plan.orders(self.orders);
        let mut tx = Transaction::begin(self.host, plan, before, answers, management)
            .context("recording the plan")?;
        if !proposal.accepted.is_empty() {
            let accepted = Event::Accepted { codes: proposal.accepted };
            if let Err(error) = self.record(&mut tx, accepted) {
                return Ok(self.roll_back(tx, &format!("{error:#}"), false, observer));
            }
        }
        match self.order(&mut tx, orders) {
            Ok(()) if self.hands_over(&tx) => self.hand_over(tx, lock, observer),
            Ok(()) => Ok(self.run(tx, false, observer)),
            Err(error) => Ok(self.roll_back(tx, &format!("{error:#}"), false, observer)),
        }
    }

    /// Reads the host again where the lock is held: the question may have stood for hours, and
    /// another run may have ended meanwhile. The refusal, where the plan would be another one now.
    fn moved(&self, then: &Situation, plan: &Plan) -> Result<Option<Outcome>> {
        let inv = look_for(self.host, &then.spec)?;
        if let Some(error) = &inv.xapi_error {
            let error = format!("XAPI could not be asked whether all is as planned: {error}");
            return Ok(Some(Outcome::refused(error, Some("run the same command again".into()))));
        }
        let (was, is) = (plan.facts(&then.inv), plan.facts(&inv));
        let mut moved: Vec<String> =
            facts::differences(&was, &is).iter().map(ToString::to_string).collect();
        let ids = [&then.inv, &inv].map(|inv| inv.transaction.as_ref().map(|t| (&t.id, &t.phase)));
        if ids[0] != ids[1] {
            moved.push("another change of this host ended in the meantime".into());
        }
        if moved.is_empty() {
            let now = Situation { adopts: then.adopts, ..Situation::of(then.spec.clone(), inv) };
            let again = self.with_records(now)?.plan(self.templates);
            if plan.removes || again.is_ok_and(|again| again == *plan) {
                return Ok(None);
            }
            moved.push("the plan would be different now".into());
        }
        Ok(Some(Outcome::refused(
            format!("the host has changed since this plan was shown: {}", moved.join("; ")),
            Some("run the same command again, and read the new plan".into()),
        )))
    }

    /// Takes the steps that are left. After a run that was `cut_off` every step is taken again:
    /// what it had done to the kernel may be gone, and a step taken twice is as good as once.
    pub(super) fn run(
        &self,
        mut tx: Transaction,
        cut_off: bool,
        observer: &mut dyn Observer,
    ) -> Outcome {
        observer.on_signal(Answer::RollsBack);
        let steps = tx.header.plan.steps.clone();
        let mut run = Run { reports: reports(&tx), probed: Vec::new(), pending: Vec::new() };
        let mut numbered = steps.iter().zip(1..);
        let rebooted = numbered.any(|(s, n)| matches!(s, Step::Reboot { .. }) && tx.is_done(n));
        for (step, number) in steps.iter().zip(1..) {
            let reboot = matches!(step, Step::Reboot { .. });
            // The reboot made the switch durable; what of others' files is gone since is their doing.
            let behind = rebooted && matches!(step, Step::SwitchBackend(_));
            if tx.is_done(number) && (reboot || behind || !cut_off) {
                continue;
            }
            if reboot {
                return match self.wait_for_switch(&mut tx, number) {
                    Ok(()) => Outcome { steps: run.reports, ..self.reboot(&tx) },
                    Err(error) => self.roll_back(tx, &format!("{error:#}"), false, observer),
                };
            }
            let free = match step {
                Step::BringUp(_) if cut_off => {
                    self.take_out_of_bridges(tx.header.plan.nics.iter().map(|nic| &nic.device))
                }
                Step::Join(member) if cut_off => self.take_out_of_bridges([&member.nic]),
                _ => Ok(()),
            };
            let done = free.and_then(|()| self.take(&mut tx, number, step, &mut run, observer));
            if let Err(error) = done {
                let why = format!("step {number}/{} ({}): {error:#}", steps.len(), step.title());
                return self.roll_back(tx, &why, false, observer);
            }
        }
        self.keep(tx, run, observer)
    }

    /// Notes that nothing goes on before a reboot.
    fn wait_for_switch(&self, tx: &mut Transaction, number: usize) -> Result<()> {
        let boot_id = self.boot_id()?;
        self.record(tx, Event::Begin { step: number })?;
        self.record(tx, Event::Waiting { boot_id })
    }

    /// Takes one step.
    fn take(
        &self,
        tx: &mut Transaction,
        number: usize,
        step: &Step,
        run: &mut Run,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        let Run { reports, probed, pending } = run;
        let ends = (StepState::Done, StepState::Failed);
        let result = self.timed(reports, number, &step.title(), ends, observer, |observer| {
            self.check_interrupt()?;
            self.record(tx, Event::Begin { step: number })?;
            if matches!(step, Step::Verify { .. }) {
                let verdict = self.verdict(tx, observer)?;
                let hindering = verdict.hindering();
                ensure!(hindering.is_empty(), "{}", sentence(&hindering, &tx.header.answers));
                if tx.header.plan.moves_management() {
                    self.is_managed_still(tx)?;
                }
                *probed = verdict.servers().cloned().collect();
                *pending = verdict.pending();
                // No step comes after it that would look.
                self.check_interrupt()?;
            } else {
                step.perform(self.host)?;
            }
            self.record(tx, Event::Done { step: number })
        });
        result.inspect_err(|error| self.note_killed(tx, error))
    }

    /// The verdict was good: it stays, or waits for a person to say so.
    fn keep(&self, mut tx: Transaction, run: Run, observer: &mut dyn Observer) -> Outcome {
        let ended = match tx.orders().confirm_within {
            Some(seconds) => self.await_confirmation(&mut tx, seconds),
            None => self
                .ends(&mut tx, Event::Verified, observer)
                .map(|()| outcome(&tx, Ending::Done, Exit::AsAsked)),
        };
        let mut ended = match ended {
            Ok(ended) => ended,
            Err(error) => return self.roll_back(tx, &format!("{error:#}"), false, observer),
        };
        if tx.phase() == Phase::Done {
            ended.notes.extend(self.disarm().err().map(|e| format!("{e:#}")));
        }
        for check in run.probed {
            let rest = match &check.hint {
                Some(hint) if !check.ok => format!(", which is only reported: {hint}"),
                _ => String::new(),
            };
            observer.note(&format!("{}: {}{rest}", check.name, check.have.unwrap_or_default()));
        }
        for pending in &run.pending {
            observer.note(&format!("accepted, and not so yet: {}", pending.what));
        }
        if !run.pending.is_empty() && ended.ending == Ending::Done {
            ended.exit = Exit::NotAsAsked;
        }
        Outcome { steps: run.reports, pending: run.pending, ..ended }
    }
}

/// The way forward as far as this run has come on it.
struct Run {
    reports: Vec<StepReport>,
    /// What the storage servers answered.
    probed: Vec<Check>,
    /// What was accepted and does not hold yet.
    pending: Vec<Item>,
}

pub(super) fn refused(barring: &[&Finding]) -> Outcome {
    let all: Vec<String> = barring.iter().map(|f| format!("\n{f}")).collect();
    let first = barring[0];
    let hint = match first.severity {
        Severity::Warning => format!("{}; or go on with --accept {}", first.hint, first.code),
        _ => first.hint.clone(),
    };
    let count = preflight::first(barring);
    let findings = barring.iter().map(|finding| serde_json::json!(finding)).collect();
    Outcome { findings, ..Outcome::refused(format!("{count}{}", all.concat()), Some(hint)) }
}

/// The findings of these codes.
pub(super) fn codes(accepted: &[String]) -> Vec<Code> {
    let of = |code: &&Code| accepted.iter().any(|name| name == code.name());
    Code::ALL.iter().filter(of).copied().collect()
}

/// What hinders a bond from being kept, and of a server whether it answered `before`.
fn sentence(failed: &[&Check], before: &Answers) -> String {
    let lost = probe::lost(failed.iter().copied(), before);
    let one = |check: &&Check| {
        let mut rest: Vec<String> = check.hint.iter().cloned().collect();
        if lost.contains(check) {
            rest.insert(0, "it answered before the change".into());
        }
        if rest.is_empty() { check.to_string() } else { format!("{check} ({})", rest.join("; ")) }
    };
    failed.iter().map(one).collect::<Vec<_>>().join("; ")
}
