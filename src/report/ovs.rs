//! What Open vSwitch says of bonds, for readers: `show`'s objects of the contract, and tables.
//!
//! Knows names and layout. Must not judge: what the text did not say is `null` or `?`.

use serde::Serialize;
use serde_json::{Value, json};

use super::bond::{WIDTH, ascii, below, known, to_json, top};
use super::table::{Cell, Column, Table};
use super::text::Text;
use crate::bonding::{BondStatus, SlaveStatus};
use crate::ovs::{Bond, LacpPort, LacpSlave, Slave};

/// The object that `show --json` has for one bond: the fields of the kernel's bonds, `null` where
/// Open vSwitch has no such thing, and its own.
#[must_use]
pub fn bond_json(bond: &Bond) -> Value {
    let alike = BondStatus {
        mode_text: bond.mode_text.clone(),
        active_slave: bond.active_slave.clone(),
        primary: bond.primary.clone(),
        updelay: bond.updelay,
        downdelay: bond.downdelay,
        ..BondStatus::default()
    };
    let slaves = bond.slaves.iter().map(|slave| {
        let alike = SlaveStatus { name: slave.name.clone(), ..SlaveStatus::default() };
        with(json!(alike), &json!(slave))
    });
    let own = json!({
        "kernel_driver": false,
        "mode": bond.mode,
        "lacp": bond.lacp,
        "lacp_fallback_ab": bond.lacp_fallback_ab,
        "slaves": slaves.collect::<Vec<_>>(),
    });
    with(to_json(bond.name.as_deref(), &alike), &own)
}

/// The object that `show --json` has for one port that speaks LACP.
#[must_use]
pub fn lacp_json(port: &LacpPort) -> Value {
    json!(port)
}

/// An object, and the fields of another in place of its own.
fn with(mut object: Value, more: &Value) -> Value {
    for (key, value) in more.as_object().into_iter().flatten() {
        object[key] = value.clone();
    }
    object
}

/// The bond as a person likes to read it, as [`super::table()`] has the kernel's.
#[must_use]
pub fn bond_table(bond: &Bond) -> Text {
    let mode = match (bond.mode, &bond.mode_text) {
        (None, Some(text)) => format!("? ({text})"),
        (mode, _) => word(mode),
    };
    let fallback = match bond.lacp_fallback_ab {
        Some(true) => ", without a partner as active-backup",
        _ => "",
    };
    let mut rows = vec![
        ("mode", mode),
        ("LACP", format!("{}{fallback}", word(bond.lacp))),
        ("active slave", known(bond.active_slave.as_ref())),
    ];
    rows.extend(bond.primary.as_ref().map(|primary| ("primary", primary.clone())));
    let (updelay, downdelay) = (known(bond.updelay), known(bond.downdelay));
    rows.push(("updelay", format!("{updelay}, downdelay {downdelay}")));
    rows.push(("driver", "Open vSwitch".to_string()));
    let mut slaves = Table::new(&[Column::PLAIN; 5]).indent(2);
    if bond.slaves.is_empty() {
        slaves.line("  no slave is listed");
    } else {
        slaves.row(["slave", "enabled", "active", "may enable"].map(Cell::from));
    }
    for slave in &bond.slaves {
        let said = [slave.enabled, slave.active, slave.may_enable].map(yes).map(Cell::from);
        let cells = [ascii(&slave.name).into()].into_iter().chain(said);
        slaves.row(cells.chain([delay(slave).into()]));
    }
    below(bond.name.as_deref(), &top(rows), &slaves)
}

/// The port as a person likes to read it.
#[must_use]
pub fn lacp_table(port: &LacpPort) -> Text {
    let system = format!("{}, key {}", known(port.sys_id.as_ref()), known(port.key));
    let rows = vec![
        ("LACP", known(port.status.as_ref())),
        ("system", system),
        ("rate", word(port.rate)),
        ("driver", "Open vSwitch".to_string()),
    ];
    let mut slaves = Table::new(&[Column::PLAIN; 3]).indent(2).width(WIDTH);
    if port.slaves.is_empty() {
        slaves.line("  no slave is listed");
    }
    for slave in &port.slaves {
        let [heard, partner] = [heard(slave), partner(slave)].map(Cell::from);
        slaves.row([ascii(&slave.name).into(), "partner".into(), heard]);
        slaves.row(["".into(), "".into(), partner]);
        slaves.row(["".into(), "its state".into(), states(slave.partner_state.as_deref())]);
        slaves.row(["".into(), "our state".into(), states(slave.actor_state.as_deref())]);
    }
    below(port.name.as_deref(), &top(rows), &slaves)
}

fn delay(slave: &Slave) -> String {
    match (slave.updelay_left, slave.downdelay_left) {
        (Some(left), _) => format!("used in {left} ms"),
        (None, Some(left)) => format!("left in {left} ms"),
        (None, None) => String::new(),
    }
}

fn heard(slave: &LacpSlave) -> String {
    let heard = match (slave.current, slave.defaulted) {
        (Some(true), _) => "current",
        (_, Some(true)) => "none heard",
        (Some(false), Some(false)) => "expired",
        _ => "?",
    };
    let attached = match slave.attached {
        Some(true) => "attached",
        Some(false) => "detached",
        None => "? attached",
    };
    format!("{heard}, {attached}, may enable {}", yes(slave.may_enable))
}

fn partner(slave: &LacpSlave) -> String {
    format!("{}, key {}", known(slave.partner_sys_id.as_ref()), known(slave.partner_key))
}

fn states<T: Serialize + Copy>(states: Option<&[T]>) -> Cell {
    match states {
        None => "?".into(),
        Some([]) => "none".into(),
        Some(states) => Cell::list(states.iter().map(|state| word(Some(*state))).collect()),
    }
}

fn yes(value: Option<bool>) -> String {
    known(value.map(|value| if value { "yes" } else { "no" }))
}

/// The word that stands for a value in the text.
fn word<T: Serialize>(value: Option<T>) -> String {
    match json!(value) {
        Value::String(word) => word,
        _ => "?".to_string(),
    }
}
