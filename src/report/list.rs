//! `list`, and in one line what a way back leads to.

use serde_json::{Value, json};

use super::table::{Cell, Column, Table, joined};
use super::text::{Mark, Text};
use crate::options::Row;
use crate::spec::{Network, Spec};
use crate::status::Listed;

/// What taking a bond back from one spec to the one before it does: `sets miimon of bond51 back to
/// 100`. Without one before, it goes.
#[must_use]
pub fn leads_to(now: &Spec, before: Option<&Spec>) -> String {
    let Some(before) = before else {
        return match now.is_storage_nic() {
            true => format!("takes {} of {} back", address(now), now.bond),
            false => format!("removes {} ({})", now.bond, address(now)),
        };
    };
    let mut back = Vec::new();
    let mut set = |what: &str, now: String, was: String| {
        if now != was {
            back.push(match was.as_str() {
                "" => format!("takes {what} of {} back", before.bond),
                _ => format!("sets {what} of {} back to {was}", before.bond),
            });
        }
    };
    let nics =
        |spec: &Spec| spec.nics.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let mtu = |spec: &Spec| spec.mtu.map(|mtu| mtu.to_string()).unwrap_or_default();
    let option = |spec: &Spec, row: &Row| {
        let found = spec.options.iter().find(|(of, _)| of.opt == row.opt);
        found.map(|(_, value)| value.to_string()).unwrap_or_default()
    };
    set("the mode", mode(now).unwrap_or_default(), mode(before).unwrap_or_default());
    for row in &crate::options::TABLE {
        set(row.name, option(now, row), option(before, row));
    }
    set("the NICs", nics(now), nics(before));
    set("the address", address(now), address(before));
    set("the networks", networks(now), networks(before));
    set("the MTU", mtu(now), mtu(before));
    match back.len() {
        0 => format!("puts back what the last change of {} found", before.bond),
        _ => back.join("; "),
    }
}

/// The address of a spec, where it has one.
pub(super) fn address(spec: &Spec) -> String {
    spec.address.map_or_else(|| "no address".into(), |address| address.to_string())
}

/// The mode of a bond; one NIC has none.
fn mode(spec: &Spec) -> Option<String> {
    (!spec.is_storage_nic()).then(|| spec.mode.to_string())
}

/// What of a spec's networks is more than an address: tags, routes.
fn networks(spec: &Spec) -> String {
    let one = |network: Network<'_>| {
        let routes: Vec<String> = network.routes.iter().map(ToString::to_string).collect();
        let mut text = network.tagged.map(ToString::to_string).unwrap_or_default();
        if spec.own_network().is_none_or(|own| network.device != own.device) {
            text.push_str(&format!(" {}", network.address));
        }
        if !routes.is_empty() {
            text.push_str(&format!(" with routes {}", routes.join(", ")));
        }
        text.trim().to_string()
    };
    spec.networks().map(one).filter(|text| !text.is_empty()).collect::<Vec<_>>().join("; ")
}

/// The bonds for people.
#[must_use]
pub fn list(all: &[Listed]) -> Text {
    if all.is_empty() {
        return "No bond of this host was made or adopted by xenbond.\n".into();
    }
    let mut table = Table::new(&[Column::PLAIN; 7]);
    table.row(
        ["bond", "kind", "mode", "NICs", "address", "since", "verdict"].map(|head| head.into()),
    );
    for listed in all {
        let spec = &listed.spec;
        let verdict = match listed.ok {
            Some(true) => Cell::marked(Mark::Good, "as asked"),
            Some(false) => Cell::marked(Mark::Bad, "NOT as asked"),
            None => Cell::marked(Mark::Note, "a change has not finished"),
        };
        table.row([
            spec.bond.to_string().into(),
            spec.kind.word().into(),
            mode(spec).unwrap_or_else(|| "-".into()).into(),
            nics(listed).join(", ").into(),
            address(spec).into(),
            listed.since.clone().into(),
            verdict,
        ]);
        table.line(format!("       a rollback of its last change {}", undone(listed)));
    }
    joined(table.lines())
}

fn nics(listed: &Listed) -> Vec<String> {
    listed.nics.iter().map(ToString::to_string).collect()
}

fn undone(listed: &Listed) -> String {
    match &listed.before {
        None if listed.adopted => by_hand(&listed.spec),
        before => leads_to(&listed.spec, before.as_ref()),
    }
}

/// What taking an adoption back does.
pub(super) fn by_hand(spec: &Spec) -> String {
    format!("gives {} back as it was made by hand", spec.bond)
}

/// `list --json`
#[must_use]
pub fn list_json(all: &[Listed]) -> Value {
    let one = |listed: &Listed| {
        let spec = &listed.spec;
        json!({
            "name": spec.bond, "kind": spec.kind.word(), "mode": mode(spec), "nics": nics(listed),
            "address": spec.address, "since": listed.since, "ok": listed.ok,
            "rollback": undone(listed),
        })
    };
    json!({"bonds": all.iter().map(one).collect::<Vec<_>>()})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::tests::usual;

    #[test]
    fn a_way_back_is_said_in_a_line() {
        let usual_one = usual(&[]);
        for (before, said) in [
            (None, "removes bond51 (172.16.51.11/24)"),
            (Some(usual(&[("miimon", "50")])), "sets miimon of bond51 back to 50"),
            (Some(usual(&[("updelay", "200")])), "sets updelay of bond51 back to 200"),
            (Some(usual(&[("mode", "4")])), "sets the mode of bond51 back to 802.3ad"),
            (Some(usual(&[("mtu", "9000")])), "sets the MTU of bond51 back to 9000"),
            (Some(usual(&[])), "puts back what the last change of bond51 found"),
        ] {
            assert_eq!(leads_to(&usual_one, before.as_ref()), said);
        }
        let more = usual(&[("mtu", "9000"), ("miimon", "50")]);
        assert_eq!(
            leads_to(&more, Some(&usual_one)),
            "sets miimon of bond51 back to 100; takes the MTU of bond51 back"
        );
    }
}
