//! The lines of `undo.sh` about a NIC that XAPI keeps: each looks first whether the setting is what
//! xenbond gave it.

use super::{command, word};
use crate::host::Cmd;
use crate::step::{
    NetworkChange, NewNetwork, PURPOSE, PifChange, PifSetting, XapiBond, not_made_yet,
};
use crate::xe::STATIC_ROUTES;

/// A command as a line of the script.
fn line(cmd: &Cmd) -> String {
    let words = cmd.args.iter().map(|arg| word(arg));
    std::iter::once(cmd.program.to_string()).chain(words).collect::<Vec<_>>().join(" ")
}

fn tries(cmds: &[Cmd]) -> String {
    cmds.iter().map(|cmd| format!("try {}", line(cmd))).collect::<Vec<_>>().join("; ")
}

/// The lines about a setting of the PIF.
pub(super) fn pif(change: &PifChange) -> String {
    if !change.members.is_empty() {
        return of_bond(change);
    }
    let (host, device) = (&change.record.host, &change.record.device);
    let of = |field: &str| format!("\"$(setting_of {host} {device} {field})\"");
    let Some(was) = &change.record.was else { return String::new() };
    let (has, set) = match &change.set {
        PifSetting::Plugged(yes) => (of("currently-attached"), yes.to_string()),
        PifSetting::DisallowUnplug(yes) => (of("disallow-unplug"), yes.to_string()),
        PifSetting::Ip(ip) => match ip.get("IP") {
            Some(addr) => (of("IP"), addr.to_string()),
            None => (of("IP-configuration-mode"), "None".into()),
        },
        PifSetting::Purpose(text) => {
            (format!("\"$(in_map pif {} {PURPOSE})\"", was.uuid), text.clone().unwrap_or_default())
        }
    };
    format!("if [ {has} = {} ]; then {}; fi\n", word(&set), tries(&change.undo_commands()))
}

/// The lines about a setting of a bond's PIF, which is another record each time that it is made.
fn of_bond(change: &PifChange) -> String {
    let of = |field: &str| format!("\"$(run xe pif-param-get uuid=\"$pif\" param-name={field})\"");
    let (has, set) = match &change.set {
        PifSetting::DisallowUnplug(yes) => (of("disallow-unplug"), yes.to_string()),
        PifSetting::Ip(ip) => match ip.get("IP") {
            Some(addr) => (of("IP"), addr.to_string()),
            None => (of("IP-configuration-mode"), "None".into()),
        },
        PifSetting::Purpose(Some(text)) => {
            (format!("\"$(in_map pif \"$pif\" {PURPOSE})\""), text.clone())
        }
        PifSetting::Purpose(None) | PifSetting::Plugged(_) => return String::new(),
    };
    let unknown = format!("uuid={}", not_made_yet());
    let cmds = change.undo_commands();
    let cmds: Vec<String> = cmds
        .iter()
        .map(|cmd| format!("try {}", command(cmd, (&unknown, "uuid=\"$pif\""))))
        .collect();
    let nic = change.members.first();
    format!(
        "pif=$(bond_pif {nic})\nif [ -n \"$pif\" ] && [ {has} = {} ]; then {}; fi\n",
        word(&set),
        cmds.join("; ")
    )
}

/// The lines about a bond that XAPI made.
pub(super) fn bond(bond: &XapiBond) -> String {
    let mut text = String::new();
    let pifs: Vec<_> = bond.nics.iter().filter_map(|nic| Some((nic, nic.was.as_ref()?))).collect();
    let Some((_, first)) = pifs.first() else { return text };
    text.push_str(&format!("bond_away {}\n", first.uuid));
    for (nic, was) in pifs {
        let (host, device, uuid) = (&nic.host, &nic.device, &was.uuid);
        let verb = if was.attached { "pif-plug" } else { "pif-unplug" };
        text.push_str(&format!(
            "[ \"$(setting_of {host} {device} disallow-unplug)\" = {protected} ] || try xe pif-param-set uuid={uuid} disallow-unplug={protected}\n[ \"$(setting_of {host} {device} currently-attached)\" = {} ] || try xe {verb} uuid={uuid}\n",
            was.attached,
            protected = was.disallow_unplug,
        ));
    }
    text
}

/// The line about a network that was made for a bond.
pub(super) fn made(network: &NewNetwork) -> String {
    format!("network_away {}\n", word(&format!("name-label={}", network.name)))
}

/// The lines about its network.
pub(super) fn network(change: &NetworkChange) -> String {
    let (uuid, want) = (&change.network, &change.want);
    let mut text = String::new();
    for cmd in change.undo_commands() {
        let is = |part: &str| cmd.args.iter().any(|arg| arg.contains(part));
        let (has, set) = if is("MTU=") {
            let mtu = want.mtu.map(|mtu| mtu.to_string()).unwrap_or_default();
            (format!("xe network-param-get uuid={uuid} param-name=MTU"), mtu)
        } else if is(STATIC_ROUTES) {
            (
                format!("in_map network {uuid} {STATIC_ROUTES}"),
                want.routes.clone().unwrap_or_default(),
            )
        } else if cmd.args.first().is_some_and(|arg| arg == "pif-plug") {
            text.push_str(&format!("try {}\n", line(&cmd)));
            continue;
        } else {
            text.push_str(&format!("maybe {}\n", line(&cmd)));
            continue;
        };
        let run = if is("MTU=") { "run " } else { "" };
        text.push_str(&format!(
            "if [ \"$({run}{has})\" = {} ]; then try {}; fi\n",
            word(&set),
            line(&cmd)
        ));
    }
    text
}
