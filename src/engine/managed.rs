//! Whose doing it is that something of a NIC that XAPI keeps, or of a bond that XAPI made, is not as
//! it was: ours, where it is what a step of ours gave it. Must not know how it is given back.

use crate::inventory::facts::{Difference, Fact, Value};
use crate::inventory::{Inventory, Managed};
use crate::net::IfName;
use crate::plan::Plan;
use crate::step::{NetworkChange, PURPOSE, PifChange, PifSetting, Step, XapiBond};
use crate::xe::STATIC_ROUTES;

/// The step that made a difference; `None`: none of them did.
pub(super) fn made_by<'a>(plan: &'a Plan, inv: &Inventory, found: &Difference) -> Option<&'a Step> {
    let word = match &found.is {
        Some(Value::Word(word)) => Some(word.as_str()),
        _ => None,
    };
    plan.steps.iter().find(|step| match (step, &found.fact) {
        (Step::SetPif(change), Fact::PifField(nic, field)) => {
            change.record.device == *nic && sets(change, field, word) && stands(change, inv)
        }
        (Step::SetPif(change), Fact::Addresses(_)) => moves_address(change, found),
        (Step::SetPif(change), Fact::Up(nic) | Fact::Master(nic)) => {
            change.record.device == *nic && matches!(change.set, PifSetting::Plugged(_))
        }
        (Step::SetPifNetwork(change), fact) => is_of_network(change, fact, word),
        (Step::CreateNetwork(made) | Step::RemoveNetwork(made), Fact::Networks(name)) => {
            made.name.as_str() == name
        }
        (Step::MakeBond(bond) | Step::TakeApart(bond), _) => is_of_bond(bond, plan, inv, found),
        _ => false,
    })
}

/// Whether it is by a bond that XAPI was to make or to take apart.
fn is_of_bond(bond: &XapiBond, plan: &Plan, inv: &Inventory, found: &Difference) -> bool {
    let all = Managed::all(inv);
    let own = |nic: &IfName| bond.nics.iter().any(|record| record.device == *nic);
    let of_others = |one: &&Managed| one.nics().iter().any(|(nic, _)| !own(nic));
    let others_has = |nic: &IfName| {
        all.iter().filter(of_others).any(|one| one.nics().iter().any(|(other, _)| other == nic))
    };
    let is = |value: &str| found.is == Some(Value::Word(value.into()));
    match &found.fact {
        Fact::PifField(nic, field) if own(nic) && !others_has(nic) => match field.as_str() {
            "bond-slave-of" | "currently-attached" | "disallow-unplug" => true,
            "IP-configuration-mode" | "IP" | "netmask" | "gateway" | "DNS" => {
                let in_bond = all.iter().any(|one| one.nics().iter().any(|(n, _)| n == nic));
                let given = |step: &Step| match step {
                    Step::SetPif(change) => match &change.set {
                        PifSetting::Ip(ip) => ip.get(field).is_some_and(is),
                        _ => false,
                    },
                    _ => false,
                };
                in_bond || plan.steps.iter().any(given)
            }
            _ => false,
        },
        Fact::Up(nic) | Fact::Master(nic) => own(nic) && !others_has(nic),
        Fact::Mtu(nic) => own(nic) && is(&plan.spec.mtu.unwrap_or(1500).to_string()),
        Fact::Device(name) => {
            *name == bond.bond && !all.iter().filter(of_others).any(|one| one.device == *name)
        }
        Fact::DefaultRoute | Fact::ManagementBridge(_) => bond.management,
        _ => false,
    }
}

/// Whether the PIF's address is the step's as a whole: others' may have a netmask like it.
fn stands(change: &PifChange, inv: &Inventory) -> bool {
    let all = inv.xapi.iter().flat_map(|xapi| &xapi.pifs);
    let mut own = all.filter(|pif| pif.is_nic() && pif.device == change.record.device.as_str());
    let mut is = |set: &PifSetting| own.any(|pif| set.is_like(&set.of(pif)));
    !matches!(change.set, PifSetting::Ip(_)) || is(&change.set)
}

/// Whether a field of a PIF is what the step made of it.
fn sets(change: &PifChange, field: &str, is: Option<&str>) -> bool {
    match (&change.set, field) {
        (PifSetting::Plugged(yes), "currently-attached") => is == Some(&yes.to_string()),
        (PifSetting::DisallowUnplug(yes), "disallow-unplug") => is == Some(&yes.to_string()),
        (PifSetting::Purpose(text), field) => {
            field.strip_prefix("other-config:") == Some(PURPOSE) && is == text.as_deref()
        }
        (PifSetting::Ip(ip), "IP-configuration-mode") => {
            is.is_some_and(|mode| mode.eq_ignore_ascii_case(&ip.mode()))
        }
        (PifSetting::Ip(ip), "IP" | "netmask" | "gateway" | "DNS") => is == ip.get(field),
        _ => false,
    }
}

/// Whether an address of the step's has come, or that of before has gone.
fn moves_address(change: &PifChange, found: &Difference) -> bool {
    let PifSetting::Ip(set) = &change.set else { return false };
    let Some(PifSetting::Ip(was)) = change.was() else { return false };
    let on = |ip: Option<crate::net::Ipv4Net>, value: &Option<Value>| {
        let device: &IfName = change.bridge.as_ref().unwrap_or(&change.record.device);
        let text = ip.map(|net| format!("{net} on {device}"));
        // The bridge of a network that is made has a name only then.
        let anywhere = ip.filter(|_| !change.members.is_empty() && change.bridge.is_none());
        let anywhere = anywhere.map(|net| format!("{net} on "));
        let on = |one: &String| {
            text.as_ref() == Some(one) || anywhere.as_ref().is_some_and(|net| one.starts_with(net))
        };
        matches!(value, Some(Value::List(all)) if all.iter().any(on))
    };
    let (set, was) = (set.address(), was.address());
    (on(set, &found.is) && !on(set, &found.was)) || (on(was, &found.was) && !on(was, &found.is))
}

fn is_of_network(change: &NetworkChange, fact: &Fact, is: Option<&str>) -> bool {
    let mtu = change.want.mtu.map(|mtu| mtu.to_string());
    match fact {
        Fact::NetworkField(uuid, field) if *uuid == change.network => match field.as_str() {
            "MTU" => is == mtu.as_deref(),
            STATIC_ROUTES => is == change.want.routes.as_deref(),
            _ => false,
        },
        Fact::Mtu(device) if [&change.record.device, &change.bridge].contains(&device) => {
            change.want.mtu != change.was.mtu && is == mtu.as_deref()
        }
        Fact::Routes(bridge) => *bridge == change.bridge && change.want.routes != change.was.routes,
        _ => false,
    }
}
