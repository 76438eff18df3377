//! The way forward: look, judge, plan, ask, and take the steps one by one.

use anyhow::{Context, Result, bail, ensure};

use super::{Engine, Observer, Situation, look, outcome, reports};
use crate::host::Host;
use crate::journal::Transaction;
use crate::ledger::{Event, Lock, Phase};
use crate::outcome::{Ending, Exit, Outcome, StepState};
use crate::plan::{self, Plan};
use crate::preflight::{self, Finding, Severity, barring};
use crate::render::Templates;
use crate::spec::Request;
use crate::step::Step;
use crate::verify::probe::{self, Answers, Way};
use crate::verify::{self, Check};
use crate::xe::{self, Pif};

/// Everything that is to be said of a request on this host.
pub struct Proposal {
    /// What is asked for and what was read.
    pub situation: Situation,
    /// What speaks against it.
    pub findings: Vec<Finding>,
    /// What is to be done; `None` where a finding leaves nothing to plan with.
    pub plan: Option<Plan>,
}

impl Proposal {
    /// What is to be said of a request on a host as it was read.
    ///
    /// # Errors
    /// When nothing can be planned and no finding says why.
    pub fn of(request: &Request, situation: Situation, templates: &Templates) -> Result<Self> {
        let findings = preflight::check_request(request, &situation.spec, &situation.inv);
        let errors = findings.iter().any(|f| f.severity == Severity::Error);
        let plan = match plan::build(&situation.spec, &situation.inv, templates) {
            Ok(plan) => Some(plan),
            // With an error found there may be nothing to plan with; without one there must be.
            Err(_) if errors => None,
            Err(error) => return Err(error),
        };
        Ok(Self { situation, findings, plan })
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
        Proposal::of(request, look(self.host, request)?, self.templates)
    }

    /// The job. `fresh` is a saved plan's word on whether the host is still what it was made for.
    ///
    /// # Errors
    /// Only where nothing was touched.
    pub fn apply(
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
            && open.spec == *spec
        {
            return self.go_on(self.orders, observer);
        }
        if let Some(refused) = proposal.refusal(self.accepted) {
            return Ok(refused);
        }
        fresh(&proposal)?;
        let plan = proposal.plan.context("nothing can be planned")?;
        if plan.steps.is_empty() {
            return Ok(nothing_to_do(&plan, &proposal.situation));
        }
        if !observer.agrees(&plan, &proposal.findings, &proposal.situation.inv) {
            return Ok(Outcome::refused("not agreed to: nothing was changed", None));
        }
        let _lock = self.lock(observer)?;
        if let Some(old) = Transaction::open(self.host)? {
            match old.phase() {
                // Cut off between its last line and its end.
                Phase::RolledBack => old.close(self.host)?,
                Phase::Done => {}
                phase => bail!("transaction {} has just begun and is {phase}", old.header.id),
            }
        }
        let inv = &proposal.situation.inv;
        let before = plan.facts(inv);
        let answers = probe::answers(&probe::ask(self.host, &plan.spec, Way::Routes));
        let management = if plan.reboots() { self.management(inv) } else { None };
        let mut tx = Transaction::begin(self.host, plan, before, answers, management)
            .context("recording the plan")?;
        match self.order(&mut tx, self.orders) {
            Ok(()) => Ok(self.run(tx, false, observer)),
            Err(error) => Ok(self.roll_back(tx, &format!("{error:#}"), false, observer)),
        }
    }

    /// Takes the steps that are left. After a run that was `cut_off` every step is taken again:
    /// what it had done to the kernel may be gone, and a step taken twice is as good as once.
    pub(super) fn run(
        &self,
        mut tx: Transaction,
        cut_off: bool,
        observer: &mut dyn Observer,
    ) -> Outcome {
        let steps = tx.header.plan.steps.clone();
        let mut reports = reports(&tx);
        let mut probed: Vec<Check> = Vec::new();
        let mut listed: Listed = None;
        for (at, step) in steps.iter().enumerate() {
            let number = at + 1;
            let reboot = matches!(step, Step::Reboot { .. });
            if tx.is_done(number) && (reboot || !cut_off) {
                continue;
            }
            if reboot {
                let recorded = self.boot_id().and_then(|boot_id| {
                    self.record(&mut tx, Event::Begin { step: number })?;
                    self.record(&mut tx, Event::Waiting { boot_id })
                });
                return match recorded {
                    Ok(()) => Outcome { steps: reports, ..self.reboot(&tx) },
                    Err(error) => self.roll_back(tx, &format!("{error:#}"), false, observer),
                };
            }
            let act = |observer: &mut dyn Observer| {
                self.check_interrupt()?;
                self.record(&mut tx, Event::Begin { step: number })?;
                let plan = &tx.header.plan;
                match step {
                    // It waits for seconds for another owner of the address, and XAPI has nothing
                    // to do with it: time to ask XAPI for the verdict.
                    Step::BringUp(_) => {
                        let look = || list(self.host, plan);
                        let (said, done) = self.host.beside(look, || step.perform(self.host));
                        listed = said;
                        done?;
                    }
                    Step::Verify { .. } => {
                        let listed = listed.take().or_else(|| list(self.host, plan));
                        verify_now(self.host, plan, listed, observer)?;
                        probed = probe_now(self.host, plan, &tx.header.answers)?;
                    }
                    _ => step.perform(self.host)?,
                }
                self.record(&mut tx, Event::Done { step: number })
            };
            let ends = (StepState::Done, StepState::Failed);
            if let Err(error) = self.timed(&mut reports, number, &step.title(), ends, observer, act)
            {
                let why = format!("step {number}/{} ({}): {error:#}", steps.len(), step.title());
                return self.roll_back(tx, &why, false, observer);
            }
        }
        let ended = match tx.orders().confirm_within {
            Some(seconds) => self.await_confirmation(&mut tx, seconds),
            None => self
                .record(&mut tx, Event::Verified)
                .map(|()| outcome(&tx, Ending::Done, Exit::AsAsked)),
        };
        let mut ended = match ended {
            Ok(ended) => ended,
            Err(error) => return self.roll_back(tx, &format!("{error:#}"), false, observer),
        };
        if ended.ending == Ending::Done {
            ended.notes.extend(self.disarm().err().map(|e| format!("{e:#}")));
        }
        // A server that did not answer before is told, and no reason to take a sound bond back.
        for check in probed {
            let rest = match &check.hint {
                Some(hint) if !check.ok => format!(", as before the change: {hint}"),
                _ => String::new(),
            };
            observer.note(&format!("{}: {}{rest}", check.name, check.have.unwrap_or_default()));
        }
        Outcome { steps: reports, ..ended }
    }
}

fn refused(barring: &[&Finding]) -> Outcome {
    let all: Vec<String> = barring.iter().map(|f| format!("\n{f}")).collect();
    let first = barring[0];
    let hint = match first.severity {
        Severity::Warning => format!("{}; or go on with --accept {}", first.hint, first.code),
        _ => first.hint.clone(),
    };
    let count = if all.len() == 1 {
        "a finding bars".into()
    } else {
        format!("{} findings bar", all.len())
    };
    Outcome::refused(format!("{count} the way{}", all.concat()), Some(hint))
}

/// Nothing is left to do, when the bond is not only configured but works.
fn nothing_to_do(plan: &Plan, situation: &Situation) -> Outcome {
    let Situation { spec, inv } = situation;
    let mut checks = verify::kernel(spec, &plan.nics, &inv.kernel);
    checks.extend(verify::xapi(&plan.nics, inv.xapi.as_ref().map(|x| x.pifs.as_slice())));
    let failed = verify::failed(&checks);
    let mut outcome = if failed.is_empty() {
        Outcome::new(Ending::NothingToDo, Exit::AsAsked)
    } else {
        let all: Vec<String> = failed.iter().map(ToString::to_string).collect();
        let hint = failed.iter().find_map(|c| c.hint.clone());
        Outcome::refused(
            format!(
                "{} is configured as asked and does not work as asked: {}",
                spec.bond,
                all.join("; ")
            ),
            hint,
        )
    };
    outcome.transaction = inv.transaction.as_ref().map(|t| t.id.clone());
    outcome
}

/// What XAPI lists of this host's PIFs, where the plan changes any.
type Listed = Option<Result<Vec<Pif>>>;

fn list(host: &Host, plan: &Plan) -> Listed {
    let record = plan.steps.iter().find_map(Step::pif)?;
    Some(xe::pifs(host, &record.host))
}

/// The verdict of an apply: the kernel's word on the bond, what XAPI has listed since its last
/// change, and the files for the next boot.
fn verify_now(host: &Host, plan: &Plan, listed: Listed, observer: &mut dyn Observer) -> Result<()> {
    let within = verify::limit(&plan.spec);
    let waits = &mut |what: &str| observer.waits(what, within);
    let mut checks = verify::wait(host, &plan.spec, &plan.nics, within, waits)?;
    if verify::failed(&checks).is_empty()
        && let Some(pifs) = listed
    {
        checks.extend(verify::xapi(&plan.nics, Some(&pifs?)));
    }
    let failed = verify::failed(&checks);
    ensure!(failed.is_empty(), "{}", sentence(&failed));
    for change in plan.steps.iter().filter_map(Step::file) {
        let now = host.original(&change.path)?.was;
        ensure!(now.same_but_time(&change.want), "{} is no longer what was written", change.path);
    }
    Ok(())
}

/// The storage servers through the bond: each that answered before must answer again.
fn probe_now(host: &Host, plan: &Plan, before: &Answers) -> Result<Vec<Check>> {
    let replies = probe::wait(host, &plan.spec, before);
    let lost = probe::lost(&replies, before);
    ensure!(
        lost.is_empty(),
        "answered before the change and no longer does, through {}: {}",
        plan.spec.bond,
        sentence(&lost.iter().map(|reply| &reply.check).collect::<Vec<_>>())
    );
    Ok(replies.into_iter().map(|reply| reply.check).collect())
}

fn sentence(failed: &[&Check]) -> String {
    let all: Vec<String> = failed
        .iter()
        .map(|c| match &c.hint {
            Some(hint) => format!("{c} ({hint})"),
            None => c.to_string(),
        })
        .collect();
    all.join("; ")
}
