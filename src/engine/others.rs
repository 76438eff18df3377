//! What others did to the host since a change began: their files, and their NICs. It is neither
//! overwritten nor brought back nor held against anybody.

use anyhow::Result;

use super::Engine;
use crate::bonding;
use crate::host::{Host, Kind, join};
use crate::inventory::Nic;
use crate::journal::Transaction;
use crate::ledger::{Event, Phase};
use crate::paths;
use crate::step::{Kept, Step};

impl Engine<'_> {
    /// Files that the switch script may touch, that are not ours, and that others changed since.
    pub(super) fn changed_since(&self, tx: &Transaction) -> Result<Vec<String>> {
        let is_a_rest = tx.phase() == Phase::RolledBack && tx.is_a_rest();
        if !tx.phase().stands() && !is_a_rest {
            return Ok(Vec::new());
        }
        let steps = &tx.header.plan.steps;
        let ours = begun_files(steps, &tx.begun());
        let mut changed = Vec::new();
        for step in steps {
            let Step::SwitchBackend(switch) = step else { continue };
            for file in switch.foreign_files().filter(|f| !ours.contains(&f.path.as_str())) {
                let now = self.host.original(&file.path)?.was;
                if now != Kind::Absent && !now.same_but_time(&file.was) {
                    changed.push(file.path.clone());
                }
            }
        }
        Ok(changed)
    }

    /// Finds what others have made of the files that the switch script may touch, and saves it: it
    /// is neither overwritten nor brought back nor held against them.
    pub(super) fn note_others(
        &self,
        tx: &mut Transaction,
        stays: &[usize],
        kept: &mut Kept,
    ) -> Result<()> {
        let steps = tx.header.plan.steps.clone();
        let found = steps.iter().zip(1..).find_map(|(step, number)| match step {
            Step::SwitchBackend(switch) => Some((switch, number)),
            _ => None,
        });
        let undone = |n: &usize| tx.begun().contains(n) && !stays.contains(n);
        let Some((switch, number)) = found.filter(|(_, n)| undone(n)) else {
            return Ok(());
        };
        // While the script may just have run, a file that is gone may be gone by its doing.
        let under_way = matches!(tx.phase(), Phase::RollingBack) && !tx.is_undone(number);
        if under_way || !tx.is_done(number) {
            // Put back at once what it may have taken: whatever is gone later others have removed.
            let known: Vec<String> = tx.kept().iter().map(ToString::to_string).collect();
            switch.put_back_taken(self.host, &known)?;
        }
        let ours = begun_files(&steps, &tx.begun());
        for now in switch.others_work(self.host)? {
            let gone = now.was == Kind::Absent;
            let known = tx.kept().contains(&now.path.as_str());
            if ours.contains(&now.path.as_str()) || known {
                continue;
            }
            if !gone {
                kept.save(self.host, &now.path, &now.was)?;
            }
            self.record(tx, Event::Kept { path: now.path })?;
        }
        Ok(())
    }
}

/// The files of the steps that were begun: their undo looks at them itself.
fn begun_files<'a>(steps: &'a [Step], begun: &[usize]) -> Vec<&'a str> {
    let begun = steps.iter().zip(1..).filter(|(_, number)| begun.contains(number));
    begun.filter_map(|(step, _)| Some(step.file()?.path.as_str())).collect()
}

/// What stands under a NIC's name now, where that is not the NIC of the plan.
pub(super) fn another_card(host: &Host, nic: &Nic) -> Option<String> {
    let device = nic.device.as_str();
    if !host.exists(&paths::sys_net(device)) {
        return Some(format!("{device} is gone"));
    }
    // A slave shows its bond's address and the driver its own; a port of a bridge shows its own.
    let master = host.link_name(&join(&paths::sys_net(device), "master"));
    let bond = master.map(|master| paths::proc_bonding(&master)).filter(|p| host.exists(p));
    let address = match &bond {
        Some(bond) => {
            let status = bonding::parse(&host.read_text(bond).ok()??);
            status.slave(device)?.perm_hwaddr.clone()?
        }
        None => host.attribute(&join(&paths::sys_net(device), "address"))?,
    };
    let now = address.to_ascii_lowercase();
    (now != nic.mac.to_string())
        .then(|| format!("{device} is another card now, {now} and not {}", nic.mac))
}
