//! `drill`.

use anyhow::{Context, Result, anyhow, ensure};

use super::args;
use super::request::Usage;
use crate::drill::Drill;
use crate::journal;
use crate::net::IfName;
use crate::outcome::{Exit, Hint};
use crate::report;

use super::Run;

impl Run {
    pub(super) fn drill(&self, args: &args::Drill) -> Result<Exit> {
        let bond: IfName = args.name.parse().context("BOND").context(Usage)?;
        let made = journal::made(&self.host)?.into_iter().find(|m| m.spec.bond == bond);
        if made.as_ref().is_some_and(|made| made.spec.is_storage_nic()) {
            return Err(anyhow!("{bond} is one NIC: there is no second one to carry its traffic"))
                .context(Hint(format!("xenbond verify {bond}")))
                .context(Usage);
        }
        let probe = made.iter().flat_map(|m| m.spec.required()).next();
        let target = args.target.or(probe.map(|p| p.addr)).with_context(|| {
            format!("nobody is named to send the traffic to, and the spec of {bond} has no probe: give --target IP")
        });
        let target = target.context(Usage)?;
        let drill = Drill {
            host: &self.host,
            bond: &bond,
            target,
            cut_links: args.cut_links,
            made: made.as_ref(),
            signals: &self.signals,
        };
        let mode = drill.mode()?;
        ensure!(
            args.cut_links || mode.has_active_slave(),
            anyhow!("mode {mode} has no active slave to switch: only --cut-links makes one slave carry all")
                .context(Usage)
        );
        self.hold_signals()?;
        let tell = |turn: &crate::drill::Turn| {
            if !self.quiet {
                report::err(report::drill::turn(turn));
            }
        };
        let result = drill.run(&tell)?;
        if self.json {
            report::out_json(&serde_json::to_value(&result)?);
        } else {
            report::out(report::drill::text(&result));
        }
        Ok(if result.ok { Exit::AsAsked } else { Exit::NotAsAsked })
    }
}
