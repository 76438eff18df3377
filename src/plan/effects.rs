//! What a plan interrupts, for how long, and what of it no rollback brings back. Pure.

use super::Plan;
use crate::ledger::Orders;
use crate::step::{Step, XapiBond};

/// How long a person has to confirm that the management interface may stay where it moved, in
/// seconds, unless something else is asked.
const CONFIRM: u64 = 600;

impl Plan {
    /// About how long until its verdict can be given, in seconds, without a reboot.
    #[must_use]
    pub fn seconds_to_verdict(&self) -> u64 {
        let makes = self.steps.iter().any(|step| matches!(step, Step::MakeBond(_)));
        self.seconds() + if makes { XapiBond::SETTLES } else { 0 }
    }

    /// About how long the bond that stands carries nothing, in seconds; 0: it goes on.
    #[must_use]
    pub fn outage(&self) -> u64 {
        let down = |step: &Step| matches!(step, Step::TakeDown(_) | Step::TakeVlanDown(_));
        let up = |step: &Step| matches!(step, Step::BringUp(_) | Step::BringVlanUp(_));
        let Some(from) = self.steps.iter().position(down) else {
            let cuts = |step: &&Step| !of_xapi(step).is_empty() || moved(step).is_some();
            return self.steps.iter().filter(cuts).map(Step::seconds).sum();
        };
        // Without an end to it all the rest counts.
        let to = self.steps.iter().rposition(up).map_or(self.steps.len(), |last| last + 1);
        self.steps[from..to.max(from)].iter().map(Step::seconds).sum()
    }

    /// Whether the management interface of this host moves.
    #[must_use]
    pub fn moves_management(&self) -> bool {
        self.steps.iter().any(|step| match step {
            Step::MakeBond(bond) | Step::TakeApart(bond) => bond.management,
            _ => false,
        })
    }

    /// For how long the management interface is silent while it moves, or while it moves `back`, in
    /// seconds, about; 0: it does not move.
    #[must_use]
    pub fn silence(&self, back: bool) -> u64 {
        let of = |step: &Step| match step {
            Step::MakeBond(bond) if bond.management => bond.silence(back),
            Step::TakeApart(bond) if bond.management => bond.silence(!back),
            _ => 0,
        };
        self.steps.iter().map(of).sum()
    }

    /// What is ordered with it: where the management interface moves to a bond somebody must confirm
    /// it within ten minutes, unless another time was given, or 0.
    #[must_use]
    pub fn orders(&self, given: Orders) -> Orders {
        let usual = Some(CONFIRM).filter(|_| self.moves_management() && !self.removes);
        Orders { confirm_within: given.confirm_within.or(usual), ..given }.plain()
    }

    /// The devices that it takes down: the bond with all that lies on it, or tags alone.
    #[must_use]
    pub fn takes_down(&self) -> Vec<&str> {
        let down = self.steps.iter().filter_map(|step| match step {
            Step::TakeDown(bond) => Some(bond.bond.as_str()),
            Step::TakeVlanDown(vlan) => Some(vlan.device.as_str()),
            _ => moved(step),
        });
        down.chain(self.steps.iter().flat_map(of_xapi)).collect()
    }

    /// The bond that a restart of the toolstack is to plug.
    #[must_use]
    pub fn completes(&self) -> Option<&str> {
        self.steps.iter().find_map(|step| match step {
            Step::CompleteBond(bond) => Some(bond.bond.as_str()),
            _ => None,
        })
    }

    /// Whether its way back leaves a bond to whoever made it by hand. One that did not stand was
    /// brought up by it, and goes again.
    #[must_use]
    pub fn gives_back(&self) -> bool {
        self.adopts && !self.comes_up()
    }

    /// Whether it brings a bond up that did not stand.
    fn comes_up(&self) -> bool {
        let any = |meant: fn(&Step) -> bool| self.steps.iter().any(meant);
        any(|s| matches!(s, Step::BringUp(_))) && !any(|s| matches!(s, Step::TakeDown(_)))
    }

    /// The devices that its way back takes down.
    #[must_use]
    pub fn takes_down_again(&self) -> Vec<&str> {
        let up = self.steps.iter().filter_map(|step| match step {
            Step::BringUp(bond) => Some(bond.bond.as_str()),
            Step::BringVlanUp(vlan) => Some(vlan.device.as_str()),
            _ => moved(step),
        });
        up.collect()
    }

    /// What a rollback cannot bring back, a sentence for each.
    #[must_use]
    pub fn cannot_be_undone(&self) -> Vec<String> {
        let mut all = Vec::new();
        for step in &self.steps {
            if let Step::ForgetPif(record) = step {
                let uuid = record.was.as_ref().map(|p| p.uuid.to_string()).unwrap_or_default();
                all.push(format!("the PIF of {} gets another uuid than {uuid}", record.device));
            }
            if let Step::MakeBond(bond) = step {
                all.extend(bond.cannot_be_undone());
            }
            if let Step::IntroduceUnmanaged(record) = step {
                all.push(format!(
                    "a Network object that XAPI may make for the unmanaged {} stays",
                    record.device
                ));
            }
        }
        all
    }
}

/// The bridges that are without their NICs as long as XAPI makes a bond or takes it apart.
fn of_xapi(step: &Step) -> Vec<&str> {
    match step {
        Step::MakeBond(bond) | Step::TakeApart(bond) => super::xapi_bond::goes_down(bond).collect(),
        _ => Vec::new(),
    }
}

/// The device whose address becomes another one, and with it what is connected to it.
fn moved(step: &Step) -> Option<&str> {
    match step {
        Step::SetNetwork(network) if network.moves() => Some(&network.device),
        Step::SetPif(change) if change.address_goes() => {
            Some(change.bridge.as_ref().unwrap_or(&change.record.device).as_str())
        }
        _ => None,
    }
}
