//! What the boot scripts share (`network-functions`): how they log, whether a device is there, and
//! how the bonding driver and its options come (tests/ground/initscripts.md, A to D).

use super::ifcfg_shell::{Vars, need_config, source};
use super::modprobe;
use super::shell::Shell;
use crate::model::state::Flavour;
use crate::order;

pub(super) const ETH: &str = "/etc/sysconfig/network-scripts/ifup-eth";

pub(super) fn value<'a>(vars: &'a Vars, key: &str) -> &'a str {
    vars.get(key).map_or("", String::as_str)
}

pub(super) fn is_no(text: &str) -> bool {
    text.eq_ignore_ascii_case("no")
}

/// `net_log`: el7 says where it comes from.
pub(super) fn log(shell: &mut Shell<'_>, level: &str, script: &str, text: &str) {
    match shell.scripts() {
        Flavour::El5 => shell.say(text),
        Flavour::El7 => shell.say(format!("{level:<10}: [{script}] {text}")),
    }
}

pub(super) fn missing(shell: &mut Shell<'_>, what: &str, device: &str) -> Option<i32> {
    shell.took += 1000;
    let text = format!("{what} {device} does not seem to be present, delaying initialization.");
    log(shell, "ERROR", ETH, &text);
    Some(1)
}

/// `install_bonding_driver`: the driver, the bond, and on el7 the options of the bond's file.
pub(super) fn install_driver(shell: &mut Shell<'_>, bond: &str) {
    if !shell.state.dom0.modules.contains_key("bonding") {
        // Its complaints are hidden.
        let _ = modprobe::load(shell, "bonding");
    }
    // The kernel reads the name up to white space: a line end of DOS does not reach it.
    let new = shell.state.dom0.create_bond(bond.trim());
    let Some(file) = need_config(shell, bond) else { return };
    let vars = source(shell, &file);
    if shell.scripts() == Flavour::El5 && new && !is_no(value(&vars, "HOTPLUG")) {
        // net.hotplug starts another ifup beside this one; the model only notes it.
        shell.state.dom0.dmesg.push(format!("net.hotplug: IN_HOTPLUG=1 /sbin/ifup {bond}"));
    }
    if shell.scripts() == Flavour::El7 {
        options(shell, bond, &vars);
    }
}

/// BONDING_OPTS onto the bond, as far as the driver takes them.
pub(super) fn options(shell: &mut Shell<'_>, bond: &str, vars: &Vars) {
    let old = shell.scripts() == Flavour::El5;
    let Some(live) = shell.state.dom0.bonds.get(bond) else { return };
    if !old && !live.slaves.is_empty() {
        return;
    }
    shell.state.dom0.set_up(bond, false);
    let mut words: Vec<String> =
        value(vars, "BONDING_OPTS").split_whitespace().map(str::to_string).collect();
    if !old {
        order::sort_by_key(&mut words, |w| !(w.starts_with("mode=") || w.starts_with("miimon=")));
        order::sort_by_key(&mut words, |w| !w.starts_with("mode="));
    }
    for word in words {
        let (Some((key, _)), Some((_, given))) = (word.split_once('='), word.rsplit_once('='))
        else {
            continue;
        };
        if key == "primary" {
            continue;
        }
        let values: Vec<String> = match key {
            "arp_ip_target" => {
                given.split(',').map(|ip| format!("+{}", ip.trim_start_matches('+'))).collect()
            }
            _ => vec![given.to_string()],
        };
        for given in values {
            let known = |ip: &str| {
                let live = shell.state.dom0.bonds.get(bond);
                live.is_some_and(|bond| greps(ip, &bond.arp_targets.join(" ")))
            };
            if key == "arp_ip_target" && known(given.trim_start_matches('+')) {
                continue;
            }
            if let Err(why) = shell.state.dom0.set_option(bond, key, &given) {
                match old {
                    true => shell.complain(format!("{ETH}: line 134: echo: write error: {why}")),
                    false => log(
                        shell,
                        "ERROR",
                        ETH,
                        &format!("Failed to set value '{given}' [{key}] to {bond} bonding device"),
                    ),
                }
            }
        }
    }
}

/// `grep -q PATTERN`: a dot stands for any character, so that one target is found in another.
fn greps(pattern: &str, text: &str) -> bool {
    let alike = |(want, have): (&u8, &u8)| *want == b'.' || want == have;
    text.as_bytes()
        .windows(pattern.len())
        .any(|part| pattern.as_bytes().iter().zip(part).all(alike))
}

pub(super) fn set_mtu(shell: &mut Shell<'_>, device: &str, mtu: u32) {
    if !shell.state.dom0.set_mtu(device, mtu) {
        shell.complain("RTNETLINK answers: Invalid argument");
    }
}

/// The way by an alias; what the complaint will call the device.
pub(super) fn aliased(shell: &mut Shell<'_>, device: &str) -> &'static str {
    let target = modprobe::alias(&modprobe::lines(shell), device);
    match target.as_deref() {
        None | Some("off") => "Device",
        Some("bonding") => {
            if modprobe::load(shell, device).is_ok() {
                install_driver(shell, device);
            }
            if shell.scripts() == Flavour::El5 { "bonding device" } else { "Device" }
        }
        Some(_) => "Device",
    }
}
