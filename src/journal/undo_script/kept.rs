//! The lines of `undo.sh` about a NIC that XAPI keeps: each looks first whether the setting is what
//! xenbond gave it.

use super::word;
use crate::host::Cmd;
use crate::step::{NetworkChange, PURPOSE, PifChange, PifSetting};
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
