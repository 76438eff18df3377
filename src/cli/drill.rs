//! `drill`.

use anyhow::{Context, Result, anyhow, ensure};

use super::args;
use super::request::{Usage, device_or_network, no_such_network};
use crate::drill::Drill;
use crate::engine::Answer;
use crate::inventory::{Ask, Inventory, Managed};
use crate::journal;
use crate::outcome::{Exit, Hint};
use crate::report;

use super::Run;

impl Run {
    pub(super) fn drill(&self, args: &args::Drill) -> Result<Exit> {
        let name = device_or_network(&args.name)?;
        let made = journal::made(&self.host)?;
        let made = made.into_iter().find(|m| name.as_ref() == Some(&m.spec.bond));
        let by_hand = made.as_ref().is_some_and(|made| made.spec.managed().is_none());
        let inv = if by_hand { None } else { Some(Inventory::read(&self.host, Ask::default())?) };
        let managed = match &inv {
            Some(inv) => Managed::named(&self.host, inv, &args.name)?,
            None => None,
        };
        let bond = match &managed {
            Some(managed) => {
                managed.assert_several()?;
                managed.device.clone()
            }
            None => {
                no_such_network(Some(&args.name), name.as_ref())?;
                name.context("a device")?
            }
        };
        if made.as_ref().is_some_and(|made| made.spec.is_storage_nic()) {
            return Err(anyhow!("{bond} is one NIC: there is no second one to carry its traffic"))
                .context(Hint(format!("xenbond verify {bond}")))
                .context(Usage);
        }
        let probe = made.iter().flat_map(|m| m.spec.required()).next().map(|p| p.addr);
        let gateway = managed.as_ref().and_then(|bond| bond.pif.ip.get("gateway")?.parse().ok());
        let target = args.target.or(probe).or(gateway).with_context(|| {
            format!("no target: give --target IP, or a probe in the spec of {bond}")
        });
        let target = target.context(Usage)?;
        let drill = Drill {
            host: &self.host,
            bond: &bond,
            target,
            cut_links: args.cut_links,
            made: made.as_ref(),
            managed: managed.as_ref().zip(inv.as_ref()),
            signals: &self.signals,
        };
        let mode = drill.mode()?;
        ensure!(
            args.cut_links || mode.has_active_slave(),
            anyhow!("mode {mode} has no active slave to switch: only --cut-links makes one slave carry all")
                .context(Usage)
        );
        self.hold_signals()?;
        self.progress.on_signal(Answer::EndsDrill);
        let tell = |turn: &crate::drill::Turn| {
            if !self.quiet {
                report::err(report::drill::turn(turn));
            }
        };
        let result = drill.run(&tell)?;
        if self.json {
            self.document(serde_json::to_value(&result)?, Some(&bond));
        } else {
            report::out(report::drill::text(&result));
        }
        Ok(if result.ok { Exit::AsAsked } else { Exit::NotAsAsked })
    }
}
