//! Through a reboot: the service that goes on afterwards, the reboot itself, and whether the host
//! that came up is still the one that is managed from outside.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};

use super::others::another_card;
use super::{Engine, Observer, look_for, waiting};
use crate::host::{Cmd, Kind, Program, join};
use crate::inventory::Inventory;
use crate::inventory::Management;
use crate::inventory::addresses;
use crate::inventory::facts::{self, Fact, Facts};
use crate::inventory::{is_leased, resolve};
use crate::journal::Transaction;
use crate::ledger::{Event, Orders};
use crate::net::Backend;
use crate::net::IfName;
use crate::outcome::Outcome;
use crate::paths;
use crate::plan::Plan;
use crate::preflight::{self, Severity};
use crate::render;
use crate::service;
use crate::service::Service;
use crate::step::Step;

/// How long `shutdown` may take to say that it will.
const SHUTDOWN: Duration = Duration::from_secs(60);

/// How long the management interface may take after a boot until it is as it was: a switch port
/// with spanning tree forwards nothing for thirty seconds.
const MANAGEMENT: Duration = Duration::from_secs(90);

/// Where the program keeps itself while a transaction is open.
fn own_copy() -> String {
    join(paths::BIN, "xenbond")
}

impl Engine<'_> {
    /// How the host is managed now, which must be so again after the reboot of a change that takes
    /// one.
    pub(super) fn management(&self, inv: &Inventory, reboots: bool) -> Option<Management> {
        let bridge = inv.management_bridge()?.to_string();
        let gateway = inv.kernel.routes.iter().find(|r| r.to.prefix == 0).and_then(|r| r.gateway);
        Some(Management {
            addresses: addresses(inv, &bridge),
            gateway: gateway.filter(|ip| reboots && self.answers(*ip)),
            bridge,
        })
    }

    pub(super) fn answers(&self, ip: Ipv4Addr) -> bool {
        let ip = ip.to_string();
        let args = ["-n", "-q", "-c", "1", "-W", "1", &ip];
        let cmd = Cmd::read(Program::Ping, &args, Duration::from_secs(10));
        self.host.run(&cmd).is_ok_and(|output| output.success())
    }

    /// Keeps what it takes to go on by itself, and notes what was ordered beyond what is known: in
    /// this order, since what could not be arranged must not be ordered for a later run.
    ///
    /// # Errors
    /// All is as it was before, unless the error says what is left.
    pub(super) fn order(&self, tx: &mut Transaction, orders: Orders) -> Result<()> {
        if orders == Orders::default() {
            return Ok(());
        }
        let by_itself = tx.orders() != Orders::default();
        let ordered = self.arm().and_then(|()| self.record(tx, Event::Ordered(orders)));
        ordered.map_err(|error| {
            // What was arranged before stays.
            match if by_itself { Ok(()) } else { self.disarm() } {
                Ok(()) => error,
                Err(left) => anyhow!("{error:#}; and this is left of it: {left:#}"),
            }
        })
    }

    /// Has the next boot go on with what is under way.
    pub(super) fn arm(&self) -> Result<()> {
        self.arrange().context("arranging that the next boot continues it")
    }

    fn arrange(&self) -> Result<()> {
        let service = Service::of_resume(service::init(self.host));
        self.host.make_dir(paths::BIN, 0o700)?;
        self.host.is_ours(paths::BIN)?;
        // Also where one is there already: what the boot runs as root is this program and no other.
        self.host.put(&own_copy(), &Kind::new_file(self.host.own_program()?, 0o700))?;
        let file = render::resume_service(&service, &own_copy(), self.templates)?;
        self.host.put(&service.file(), &file)?;
        service.turn_on(self.host)
    }

    /// Starts the copy of this program in the background, as the guard or the worker of a
    /// transaction. What then runs as root is this program and no other.
    pub(super) fn detach(&self, what: &str, log: &str) -> Result<()> {
        let copy = own_copy();
        self.host.make_dir(paths::BIN, 0o700)?;
        self.host.is_ours(paths::BIN)?;
        let own = self.host.own_program()?;
        let same = self.host.read(&copy)?.as_ref() == Some(&own);
        if !same || self.host.is_ours(&copy).is_err() {
            self.host.put(&copy, &Kind::new_file(own, 0o700))?;
        }
        self.host.detach(&copy, &[what], log)
    }

    /// Whether anything is there of what [`Engine::arm`] makes.
    pub(super) fn is_armed(&self) -> bool {
        let service = Service::of_resume(service::init(self.host));
        service.is_there(self.host) || self.host.exists(paths::BIN)
    }

    /// Takes away what [`Engine::arm`] left, if it did.
    pub(super) fn disarm(&self) -> Result<()> {
        // Nobody stands beside the end of a wait: what is refused once is tried again.
        self.take_resume_away().or_else(|_| self.take_resume_away()).with_context(|| {
            let service = Service::of_resume(service::init(self.host));
            format!(
                "taking {} away, which the next boot starts (by hand: {})",
                service.full_name(),
                service.disable()
            )
        })
    }

    fn take_resume_away(&self) -> Result<()> {
        let service = Service::of_resume(service::init(self.host));
        let is_there = service.is_there(self.host);
        service.turn_off(self.host)?;
        // Also where it is not there: a run that was cut off may have left a part of it.
        self.host.put(&service.file(), &Kind::Absent)?;
        if is_there {
            service.reload(self.host)?;
        }
        if self.host.exists(paths::BIN) {
            self.host.remove_tree(paths::BIN)?;
        }
        Ok(())
    }

    /// Reboots where that was ordered, and says what is to come.
    pub(super) fn reboot(&self, tx: &Transaction) -> Outcome {
        let mut outcome = waiting(tx);
        if tx.orders().reboot {
            let cmd = Cmd::change(Program::Shutdown, &["-r", "now"], SHUTDOWN);
            match self.host.run(&cmd).and_then(|output| output.check(&cmd)) {
                Ok(_) => {
                    outcome.hint = Some(
                        "the host reboots now and continues by itself; check afterwards: xenbond status"
                            .into(),
                    );
                }
                Err(error) => outcome.notes.push(format!("{error:#}")),
            }
        }
        outcome
    }

    /// Whether the plan may go on after its reboot.
    pub(super) fn after_reboot(
        &self,
        tx: &mut Transaction,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        let plan = tx.header.plan.clone();
        let inv = look_for(self.host, &plan.spec)?;
        if let Some(error) = &inv.xapi_error {
            bail!("after the reboot: XAPI could not be asked: {error}");
        }
        let running = inv.running_backend();
        let wanted = plan.steps.iter().find_map(|step| match step {
            Step::Reboot { backend } => Some(backend.clone()),
            _ => None,
        });
        let wanted = wanted.unwrap_or(Backend::Bridge);
        ensure!(
            running.as_ref() == Some(&wanted),
            "after the reboot the running backend is {}, and not {wanted}: {}",
            running.map_or("unknown".into(), |backend| backend.to_string()),
            match &inv.network_conf {
                Some(Backend::Bridge) => "XAPI did not take up what network.conf says; is the bridge module blacklisted in /etc/modprobe.d?".to_string(),
                Some(other) => format!("network.conf says {other}"),
                None => "network.conf is missing".to_string(),
            }
        );
        let management: Vec<String> = facts::differences(&tx.header.before, &plan.facts(&inv))
            .into_iter()
            .filter(|d| matches!(d.fact, Fact::ManagementBridge(_)))
            .map(|d| d.to_string())
            .collect();
        ensure!(
            management.is_empty(),
            "after the reboot the {wanted} backend does not work: {}; is the bridge module blacklisted in /etc/modprobe.d?",
            management.join("; ")
        );
        self.same_nics(tx)?;
        if !plan.removes {
            unchanged_records(&plan, &tx.header.before, &plan.facts(&inv))?;
        }
        let inv = match &tx.header.management {
            Some(was) => self.await_management(was, inv, &plan.spec)?,
            None => inv,
        };
        let findings = preflight::check(&plan.spec, &resolve(&plan.spec, &inv), &inv);
        // What bars a bond from being made bars none from being gone.
        for finding in findings.iter().filter(|_| !plan.removes) {
            match finding.severity {
                Severity::Error => {
                    bail!("after the reboot: {} ({})", finding.message, finding.code)
                }
                Severity::Warning => {
                    observer.note(&format!("warning: {} ({})", finding.message, finding.code))
                }
                Severity::Note => {}
            }
        }
        let reboot = plan.steps.iter().position(|step| matches!(step, Step::Reboot { .. }));
        if let Some(at) = reboot {
            self.record(tx, Event::Done { step: at + 1 })?;
        }
        Ok(())
    }

    /// Fails where a name no longer means the NIC of the plan.
    pub(super) fn same_nics(&self, tx: &Transaction) -> Result<()> {
        let other = tx.header.plan.nics.iter().find_map(|nic| another_card(self.host, nic));
        match other {
            None => Ok(()),
            Some(other) => bail!("the NICs are not those of the plan: {other}"),
        }
    }

    /// Waits until the host can be reached as it could before; the host as it is then.
    fn await_management(
        &self,
        was: &Management,
        mut inv: Inventory,
        spec: &crate::spec::Spec,
    ) -> Result<Inventory> {
        let start = self.host.clock().elapsed();
        loop {
            let now = addresses(&inv, &was.bridge);
            // A lease may be another one after a boot.
            let same = if is_leased(&inv) { !now.is_empty() } else { now == was.addresses };
            let missing = if !same && !was.addresses.is_empty() {
                let now = if now.is_empty() { "none".into() } else { now.join(", ") };
                format!("{} had the address {} and has {now}", was.bridge, was.addresses.join(", "))
            } else if let Some(ip) = was.gateway.filter(|ip| !self.answers(*ip)) {
                format!(
                    "the gateway {ip} of the management network answered before and does not now"
                )
            } else {
                return Ok(inv);
            };
            if self.host.clock().elapsed().saturating_sub(start) >= MANAGEMENT {
                bail!("after the reboot: {missing}, for {} s", MANAGEMENT.as_secs());
            }
            self.host.clock().pause(Duration::from_secs(1));
            inv = look_for(self.host, spec)?;
        }
    }
}

/// Fails where XAPI's record of a NIC that is to be forgotten was changed since it was recorded, but
/// for being plugged, which a boot does.
fn unchanged_records(plan: &Plan, before: &Facts, now: &Facts) -> Result<()> {
    let nics: Vec<&IfName> = plan.steps.iter().filter_map(Step::pif).map(|p| &p.device).collect();
    let changed = facts::differences(before, now).into_iter().find(|found| match &found.fact {
        Fact::PifField(nic, field) => nics.contains(&nic) && field != "currently-attached",
        _ => false,
    });
    match changed {
        None => Ok(()),
        Some(found) => bail!("XAPI's record was changed since it was recorded: {found}"),
    }
}
