//! Whose doing it is that something of a NIC that XAPI keeps is not as it was: ours, where it is what
//! a step of ours gave it. Must not know how it is given back.

use crate::inventory::Inventory;
use crate::inventory::facts::{Difference, Fact, Value};
use crate::net::IfName;
use crate::plan::Plan;
use crate::step::{NetworkChange, PURPOSE, PifChange, PifSetting, Step};
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
        _ => false,
    })
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
        matches!(value, Some(Value::List(all)) if text.is_some_and(|text| all.contains(&text)))
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
