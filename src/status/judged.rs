//! Which bonds xenbond answers for on this host, and the verdict on each: the same for `status`,
//! `verify` and nagios. Must not know how a verdict is printed.

use std::time::Duration;

use anyhow::Result;

use crate::host::Host;
use crate::inventory::{Inventory, Managed, Nic, other_run, resolve};
use crate::journal::{self, Made, Transaction};
use crate::ledger::Phase;
use crate::net::IfName;
use crate::plan;
use crate::render::Templates;
use crate::spec::{NicRef, Spec};
use crate::verify::{self, Patience, Question, Running, Verdict, Witness};

/// What the records say: the bonds that stand by them, and the change that came last.
pub struct Records {
    /// The bonds that are to be as asked.
    pub made: Vec<Made>,
    /// The transaction that is open or was begun last.
    pub latest: Option<Transaction>,
    /// The run that changes this host now.
    pub run: Option<String>,
}

impl Records {
    /// Reads them.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn read(host: &Host) -> Result<Self> {
        let mut made = journal::made(host)?;
        let latest = journal::latest(host)?;
        // What waits for a confirmation is there, and can be judged.
        if let Some(tx) = latest.as_ref().filter(|tx| tx.phase() == Phase::WaitingForConfirmation) {
            made.extend(journal::going(host, tx)?);
        }
        Ok(Self { made, latest, run: other_run(host)? })
    }

    /// The NICs that XAPI keeps of the bonds that are judged: more is asked about them.
    #[must_use]
    pub fn kept_nics(&self) -> Vec<NicRef> {
        let managed = self.made.iter().filter(|made| made.spec.managed().is_some());
        managed.flat_map(|made| made.spec.nics.clone()).collect()
    }

    /// The verdict on a bond whose change has not come to its end.
    #[must_use]
    pub fn unfinished(&self, bond: &IfName) -> Option<Verdict> {
        let tx = self.latest.as_ref().filter(|tx| tx.header.plan.spec.bond == *bond)?;
        verify::unfinished(bond, &tx.phase(), self.run.as_deref(), tx.left())
    }

    /// The bond of the change that has not come to its end.
    #[must_use]
    pub fn open_bond(&self) -> Option<&IfName> {
        let open = self.latest.as_ref().filter(|tx| tx.phase().is_open())?;
        Some(&open.header.plan.spec.bond)
    }
}

/// Judges bonds by one reading of the host.
pub struct Judge<'a> {
    /// The host.
    pub host: &'a Host,
    /// The reading.
    pub inv: &'a Inventory,
    /// The templates that its files are of.
    pub templates: &'a Templates,
    /// What the records say.
    pub records: &'a Records,
    /// How long the kernel may take; `None`: the driver's own time for what was asked.
    pub within: Option<Duration>,
    /// Told what is waited for, and how long at most.
    pub waits: &'a dyn Fn(&str, Duration),
}

impl<'a> Judge<'a> {
    /// One that waits for nothing.
    #[must_use]
    pub fn at_once(
        host: &'a Host,
        inv: &'a Inventory,
        templates: &'a Templates,
        records: &'a Records,
    ) -> Self {
        Self { host, inv, templates, records, within: Some(Duration::ZERO), waits: &|_, _| {} }
    }

    /// The verdict on every bond: those that were made, the one whose change is not at its end,
    /// and those of which only files are left.
    ///
    /// # Errors
    /// When the kernel cannot be read, or a template does not yield a spec.
    pub fn all(&self) -> Result<Vec<Verdict>> {
        let mut all = Vec::new();
        for made in &self.records.made {
            all.push(self.made(made)?);
        }
        let open = self.records.open_bond();
        all.extend(open.and_then(|bond| self.records.unfinished(bond)));
        let mut known: Vec<&IfName> = self.records.made.iter().map(|m| &m.spec.bond).collect();
        known.extend(open);
        let left = verify::leftovers(self.inv, &known).into_iter();
        all.extend(left.map(|(bond, checks)| Verdict { bond, checks }));
        Ok(all)
    }

    /// The verdict on a bond that was made.
    ///
    /// # Errors
    /// As for [`Self::all`].
    pub fn made(&self, made: &Made) -> Result<Verdict> {
        self.judge(&made.spec, &made.nics, &[], Some(made))
    }

    /// The verdict on a spec.
    ///
    /// # Errors
    /// As for [`Self::all`].
    pub fn spec(&self, spec: &Spec) -> Result<Verdict> {
        if let Some(unfinished) = self.records.unfinished(&spec.bond) {
            return Ok(unfinished);
        }
        // With a record of the same NICs their MAC addresses of then are what is asked for.
        let same = |made: &&Made| made.spec.bond == spec.bond && made.spec.nics == spec.nics;
        if let Some(made) = self.records.made.iter().find(same) {
            return self.judge(spec, &made.nics, &[], Some(made));
        }
        let found = resolve(spec, self.inv);
        let gone = spec.nics.iter().zip(&found).filter(|(_, nic)| nic.is_none());
        let absent: Vec<NicRef> = gone.map(|(name, _)| name.clone()).collect();
        let nics: Vec<Nic> = found.into_iter().flatten().collect();
        self.judge(spec, &nics, &absent, None)
    }

    /// The verdict on a bond that XAPI manages, by what XAPI says of it.
    ///
    /// # Errors
    /// As for [`Self::all`].
    pub fn managed(&self, bond: &Managed) -> Result<Verdict> {
        let within = self.within.unwrap_or_else(|| verify::managed_limit(bond));
        let mut waits = |what: &str| (self.waits)(what, within);
        verify::managed(self.host, self.inv, bond, within, &mut waits)
    }

    fn judge(
        &self,
        spec: &Spec,
        nics: &[Nic],
        absent: &[NicRef],
        made: Option<&Made>,
    ) -> Result<Verdict> {
        let changed = plan::file_changes_of(spec, nics, self.inv, self.templates)?;
        let changed = made.map_or(changed.clone(), |made| made.unlike(changed));
        let within = self.within.unwrap_or_else(|| verify::limit(spec));
        verify::judge(Question {
            spec,
            nics,
            absent,
            accepted: &[],
            kernel: Running::Settling {
                host: self.host,
                within,
                waits: &mut |what: &str| (self.waits)(what, within),
            },
            witnesses: &[
                Witness::Nics(self.host),
                Witness::Host(self.inv, &changed),
                Witness::Disk(self.host, self.inv),
                Witness::Servers(self.host, Patience::Once),
            ],
        })
    }
}
