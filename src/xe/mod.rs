//! Every `xe` command line of the program, and what its answers mean; only what
//! `undo.sh` asks is spelt with that script.
//!
//! State is always read by listing it again: exit codes say little and message texts drift
//! between releases (tests/ground/xapi.md, B0).

mod change;
mod failure;
mod guards;
mod pif;
mod pool;
mod record;

use std::time::Duration;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

pub use change::{
    create_bond, create_network, destroy_bond, destroy_network, forget, forget_unmanaged,
    introduce, manage_through, plug, reconfigure, remove_key, restart_toolstack, restore, set,
    set_bond_mode, sync_database, unplug,
};
pub use failure::{Failure, failure, killed};
pub use guards::{Bond, ClusterHost, Pbd, Pool, bonds, cluster_hosts, disks, pbds, pool};
pub use pif::{IpSettings, Pif, PifTexts, fill_maps, pif_texts, pifs, with_maps};
pub use pool::{
    Network, PoolHost, STATIC_ROUTES, Vif, Vm, hosts, network_names, networks, static_routes,
    unused_networks, vifs, vms,
};
pub(crate) use record::map as loose_map;
use record::{Record, parse};

use crate::host::{Cmd, Host, Output, Program};
use crate::net::Uuid;

/// How long a call may take: dom0 under load has been seen to need 30 s (tests/ground/xapi.md, G1).
pub const LIMIT: Duration = Duration::from_secs(60);

/// Records that were understood, and those that were not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed<T> {
    /// Those that were.
    pub all: Vec<T>,
    /// The others, apart: one odd record is no outage.
    pub odd: Vec<OddRecord>,
}

/// A record with a word in it that makes no sense, as is known after upgrades.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OddRecord {
    /// What it is a record of, as `xe` calls it: `pif`, `vif`.
    pub class: String,
    /// XAPI's uuid.
    pub uuid: Option<Uuid>,
    /// The device that it is of, where it has one.
    pub device: Option<String>,
    /// What was not understood.
    pub why: String,
}

impl<T> Listed<T> {
    /// All records.
    ///
    /// # Errors
    /// When one of them was not understood.
    pub fn whole(self) -> Result<Vec<T>> {
        match self.odd.first() {
            None => Ok(self.all),
            Some(odd) => anyhow::bail!("{odd}"),
        }
    }
}

impl std::fmt::Display for OddRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the {} ", self.class)?;
        if let Some(device) = &self.device {
            write!(f, "of {} ", device.escape_debug())?;
        }
        if let Some(uuid) = &self.uuid {
            write!(f, "{uuid} ")?;
        }
        write!(f, "was not understood: {}", self.why)
    }
}

/// A list to ask for: what, of which, and which fields.
struct List<'a> {
    class: &'static str,
    filters: Vec<String>,
    params: &'a [&'a str],
    /// Fields that a release of XAPI may not have.
    optional: &'a [&'a str],
}

impl<'a> List<'a> {
    fn of(class: &'static str, params: &'a [&'a str]) -> Self {
        Self { class, filters: Vec::new(), params, optional: &[] }
    }

    fn only(mut self, filter: String) -> Self {
        self.filters.push(filter);
        self
    }

    fn maybe(self, optional: &'a [&'a str]) -> Self {
        Self { optional, ..self }
    }

    fn command(&self) -> Cmd {
        let mut args = vec![format!("{}-list", self.class)];
        args.extend_from_slice(&self.filters);
        args.push(format!("params={}", self.params.join(",")));
        Cmd::read(Program::Xe, &args, LIMIT)
    }

    /// What `each` makes of every record.
    fn read<T>(&self, host: &Host, each: impl Fn(&Record) -> Result<T>) -> Result<Listed<T>> {
        let (output, all) = self.answer(host, each)?;
        output.check(&self.command())?;
        all
    }

    /// Reads whatever the exit status: both are the caller's to judge.
    fn answer<T>(
        &self,
        host: &Host,
        each: impl Fn(&Record) -> Result<T>,
    ) -> Result<(Output, Result<Listed<T>>)> {
        let cmd = self.command();
        let mut listed = Listed { all: Vec::new(), odd: Vec::new() };
        let mut keep = |record: &Record| match each(record) {
            Ok(one) => listed.all.push(one),
            Err(error) => listed.odd.push(OddRecord {
                class: self.class.into(),
                uuid: record.uuid().ok(),
                device: record.get("device").map(String::from),
                why: format!("{error:#}"),
            }),
        };
        let mut ended = Ok(());
        let output = host.run_reading(&cmd, &mut |printed| {
            ended = parse(printed, self.params, self.optional, &mut keep);
        })?;
        let ended = ended.with_context(|| format!("reading what `{cmd}` printed"));
        Ok((output, ended.map(|()| listed)))
    }
}
