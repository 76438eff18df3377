//! What is recorded of a bond, and counts when it is changed or goes: what was there before it, and
//! which warnings were accepted with it. Must not know what is done with that.

use anyhow::Result;

use super::{Engine, Situation};
use crate::inventory::Nic;
use crate::journal::{self, Transaction};
use crate::ledger;
use crate::net::IfName;
use crate::plan::{self, Recorded};
use crate::preflight::Code;
use crate::spec::Spec;
use crate::step::Step;

impl Engine<'_> {
    /// The situation with what was recorded of NICs that are to leave the bond.
    pub(super) fn with_records(&self, situation: Situation) -> Result<Situation> {
        let Situation { spec, nics, inv, .. } = &situation;
        let nics: Vec<Nic> = nics.iter().flatten().cloned().collect();
        if plan::leaving(spec, &nics, inv).is_empty() {
            return Ok(situation);
        }
        Ok(Situation { recorded: self.recorded(&spec.bond)?, ..situation })
    }

    /// What is accepted now, and what was with the same spec when its bond was made.
    pub(super) fn accepted_with(&self, spec: &Spec) -> Result<Vec<String>> {
        let mut all = self.accepted.to_vec();
        let made = journal::made(self.host)?.into_iter().find(|made| made.spec == *spec);
        let lasts = |name: &String| {
            let code = Code::ALL.iter().find(|code| code.name() == name);
            code.is_some_and(|code| !code.is_of_the_moment())
        };
        for code in made.into_iter().flat_map(|made| made.accepted).filter(lasts) {
            if !all.contains(&code) {
                all.push(code);
            }
        }
        Ok(all)
    }

    /// What was recorded before the bond was made.
    pub(super) fn recorded(&self, bond: &IfName) -> Result<Recorded> {
        let mut all = Recorded::default();
        let of = |change: &ledger::Change| change.spec.bond == *bond && change.phase.stands();
        for change in ledger::chain(self.host)?.into_iter().filter(of) {
            let Some(tx) = Transaction::named(self.host, &change.id)?.filter(|_| !change.removes)
            else {
                break;
            };
            // The oldest comes last, and what it found counts.
            for step in &tx.header.plan.steps {
                // Those of a bond that was made by hand go with it.
                if let Some(file) = step.file().filter(|_| !tx.header.plan.adopts) {
                    all.files.insert(file.path.clone(), file.was.clone());
                }
                match step {
                    Step::MakeBond(bond) => {
                        all.bonds.retain(|known| known.bond != bond.bond);
                        all.bonds.push((**bond).clone());
                    }
                    Step::CreateNetwork(made) => all.created.push((**made).clone()),
                    _ => {}
                }
                let kept = match step {
                    Step::SetPif(change) => Some(&change.record),
                    Step::SetPifNetwork(change) => {
                        all.networks.retain(|(network, _)| *network != change.network);
                        all.networks.push((change.network.clone(), change.was.clone()));
                        Some(&change.record)
                    }
                    Step::ForgetPif(record) => Some(record),
                    _ => None,
                };
                if let Some(record) = kept {
                    all.pifs.retain(|known| known.device != record.device);
                    all.pifs.push(record.clone());
                }
                let links = match step {
                    Step::BringUp(device) => &device.links[..],
                    Step::Join(member) => member.link.as_slice(),
                    _ => &[],
                };
                for link in links {
                    all.links.retain(|known| known.device != link.device);
                    all.links.push(link.clone());
                }
            }
        }
        Ok(all)
    }
}
