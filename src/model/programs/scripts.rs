//! The other programs of a dom0: the switch script and the small ones.

use super::ifcfg_shell::FOLDER;
use super::services::{WANTS, service_links};
use super::shell::Shell;
use super::{modprobe, networkd};
use crate::model::state::{Dom0, Flavour, Init, State, Traffic, Xapi};
use crate::model::stores;

const CONF: &str = "etc/xensource/network.conf";
const BLACKLIST: &str = "etc/modprobe.d/blacklist-bridge.conf";
const UNITS: [&str; 2] = ["openvswitch.service", "openvswitch-xapi-sync.service"];

/// `xe-switch-network-backend WORD`, with its faults (tests/ground/xapi.md, D1 to D3).
pub(crate) fn switch(shell: &mut Shell<'_>, args: &[String]) -> i32 {
    shell.took += 1000;
    let [word] = args else {
        shell.complain("Need bridge or openvswitch...");
        return 1;
    };
    let mut new = match word.as_str() {
        "bridge" => "bridge",
        "openvswitch" | "vswitch" => "openvswitch",
        _ => {
            shell.complain("Mode must be \"bridge\" or \"vswitch\"");
            return 1;
        }
    };
    // `set -e`: without the file it ends here.
    let Some(current) = shell.read(CONF) else {
        shell.complain(format!("cat: /{CONF}: No such file or directory"));
        return 1;
    };
    if current.trim() == "vswitch" {
        new = "openvswitch";
    }
    if shell.features().switch_deletes_ifcfg {
        shell.say("Cleaning up old ifcfg files");
        for name in shell.list(FOLDER) {
            if name.starts_with("ifcfg-") && name != "ifcfg-lo" {
                shell.say(format!(" Remove... {name}"));
                shell.remove(&format!("{FOLDER}/{name}"));
            }
        }
    }
    let systemd = shell.features().init == Init::Systemd;
    let on = new == "openvswitch";
    shell.say(if on { "Enabling openvswitch daemon" } else { "Disabling openvswitch daemon" });
    if systemd {
        for unit in UNITS {
            let link = format!("{WANTS}/{unit}");
            if on {
                shell.link(&format!("/usr/lib/systemd/system/{unit}"), &link);
            } else {
                shell.remove(&link);
            }
        }
    } else {
        service_links(shell, "openvswitch", on, true);
    }
    shell.say(format!("Configure system for {new} networking"));
    if on {
        shell.write(BLACKLIST, "install bridge /bin/true\n");
    } else {
        shell.remove(BLACKLIST);
    }
    shell.write(CONF, &format!("{new}\n"));
    shell.complain("You *MUST* now reboot your system");
    0
}

/// `xe-toolstack-restart`: a XAPI that starts plugs every managed PIF of its host that is not
/// plugged, and leaves forgotten and unmanaged NICs alone.
pub(crate) fn restart_toolstack(shell: &mut Shell<'_>) -> i32 {
    stores::write_database(shell.root, shell.state);
    let params = modprobe::bonding_params(shell, None);
    networkd::plug_again(shell.state, &params);
    let dom0 = &mut shell.state.dom0;
    dom0.xapi = if dom0.xapi_start == 0 { Xapi::Up } else { Xapi::Starting };
    dom0.xapi_up_at = (dom0.xapi_start > 0).then_some(dom0.clock + dom0.xapi_start);
    shell.say("Executing xe-toolstack-restart\ndone.");
    0
}

/// `ip`: only what the program is allowed.
pub(crate) fn ip(shell: &mut Shell<'_>, args: &[String]) -> i32 {
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let name = match words.as_slice() {
        ["link", "delete" | "del", "dev", name] | ["link", "delete" | "del", name] => {
            (*name).to_string()
        }
        ["link", "set", "dev", name, rest @ ..] => return set_link(shell, name, rest),
        ["addr" | "address", act @ ("add" | "del"), net, rest @ ..] => {
            return address(shell, act, net, rest);
        }
        ["route", act @ ("add" | "del"), to, rest @ ..] => return route(shell, act, to, rest),
        _ => {
            shell.complain("Command line is not complete. Try option \"help\"");
            return 255;
        }
    };
    if shell.state.dom0.bonds.contains_key(&name) {
        shell.state.dom0.delete_bond(&name);
        return 0;
    }
    if shell.state.dom0.vlan_below(&name).is_some() {
        shell.state.dom0.drop_device(&name);
        return 0;
    }
    if shell.state.dom0.has_device(&name) {
        shell.complain("RTNETLINK answers: Operation not supported");
        return 2;
    }
    shell.complain(format!("Cannot find device \"{name}\""));
    1
}

/// `ip link set dev NAME ...`. The `ip` of CentOS 5 knows no `nomaster`.
fn set_link(shell: &mut Shell<'_>, name: &str, words: &[&str]) -> i32 {
    if !shell.state.dom0.has_device(name) {
        shell.complain(format!("Cannot find device \"{name}\""));
        return 1;
    }
    let old = shell.scripts() == Flavour::El5;
    match words {
        ["nomaster"] if old => {
            let text = "Error: either \"dev\" is duplicate, or \"nomaster\" is a garbage.";
            shell.complain(text);
            255
        }
        ["nomaster"] => {
            leave(shell.state, name);
            0
        }
        ["mtu", mtu] => match mtu.parse() {
            Ok(mtu) if shell.state.dom0.set_mtu(name, mtu) => 0,
            _ => {
                shell.complain("RTNETLINK answers: Invalid argument");
                2
            }
        },
        _ => {
            shell.complain("Command line is not complete. Try option \"help\"");
            255
        }
    }
}

/// `ip addr add|del ADDRESS/PREFIX [broadcast +] dev DEVICE`.
fn address(shell: &mut Shell<'_>, act: &str, net: &str, words: &[&str]) -> i32 {
    let (["broadcast" | "brd", "+", "dev", name] | ["dev", name]) = words else {
        shell.complain("Command line is not complete. Try option \"help\"");
        return 255;
    };
    let dom0 = &mut shell.state.dom0;
    if !dom0.has_device(name) {
        shell.complain(format!("Cannot find device \"{name}\""));
        return 1;
    }
    let (done, why) = match act {
        "add" => (dom0.add_address(name, net), "File exists"),
        _ => (dom0.remove_address(name, net), "Cannot assign requested address"),
    };
    if done {
        return 0;
    }
    shell.complain(format!("RTNETLINK answers: {why}"));
    2
}

/// `ip route add|del TO [via GATEWAY] dev DEVICE [metric N]`.
fn route(shell: &mut Shell<'_>, act: &str, to: &str, words: &[&str]) -> i32 {
    let after = |word: &str| {
        words.iter().position(|w| *w == word).and_then(|at| words.get(at + 1)).copied()
    };
    let (via, metric) = (after("via"), after("metric").and_then(|text| text.parse().ok()));
    let Some(name) = after("dev") else {
        shell.complain("Command line is not complete. Try option \"help\"");
        return 255;
    };
    let dom0 = &mut shell.state.dom0;
    let done = match (act, metric) {
        ("add", None) => dom0.set_route(to, name, via),
        ("add", Some(metric)) if dom0.add_route(to, name, via, metric) => Ok(()),
        ("del", _) if dom0.remove_route(to, name, via) => Ok(()),
        ("del", _) => Err("No such process"),
        _ => Err("File exists"),
    };
    match done {
        Ok(()) => 0,
        Err(why) => {
            shell.complain(format!("RTNETLINK answers: {why}"));
            2
        }
    }
}

/// Takes a device out of what it is a port or slave of.
fn leave(state: &mut State, name: &str) {
    let Some(master) = state.dom0.master_of(name).map(str::to_string) else { return };
    if state.dom0.bonds.contains_key(&master) {
        let _ = state.dom0.release(&master, name);
    } else {
        state.dom0.set_master(name, None);
    }
}

/// `brctl delif BRIDGE DEVICE`.
pub(crate) fn brctl(shell: &mut Shell<'_>, args: &[String]) -> i32 {
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let ["delif", bridge, name] = words.as_slice() else {
        shell.complain("Usage: brctl [commands]");
        return 1;
    };
    if shell.state.dom0.devices.get(*bridge).is_none_or(|d| d.kind != "bridge") {
        shell.complain(format!("bridge {bridge} does not exist!"));
        return 1;
    }
    if !shell.state.dom0.has_device(name) {
        shell.complain(format!("interface {name} does not exist!"));
        return 1;
    }
    if shell.state.dom0.master_of(name) != Some(bridge) {
        shell.complain(format!("device {name} is not a slave of {bridge}"));
        return 1;
    }
    shell.state.dom0.set_master(name, None);
    0
}

/// `xapi-wait-init-complete SECONDS`.
pub(crate) fn wait(shell: &mut Shell<'_>, args: &[String]) -> i32 {
    let limit = args.first().and_then(|a| a.parse::<u64>().ok()).unwrap_or(0) * 1000;
    let left = shell.state.dom0.xapi_up_at.map(|at| at.saturating_sub(shell.state.dom0.clock));
    if shell.state.dom0.xapi != Xapi::Up {
        shell.state.dom0.advance(left.unwrap_or(limit).min(limit));
    }
    i32::from(shell.state.dom0.xapi != Xapi::Up)
}

/// The value of an option such as `-I DEV` or `-IDEV`.
fn option(args: &[String], name: &str) -> Option<String> {
    let at = args.iter().position(|a| a.starts_with(name))?;
    let glued = args[at][name.len()..].to_string();
    if glued.is_empty() { args.get(at + 1).cloned() } else { Some(glued) }
}

/// `arping`.
pub(crate) fn arping(shell: &mut Shell<'_>, args: &[String]) -> i32 {
    let target = args.last().cloned().unwrap_or_default();
    let device = option(args, "-I").unwrap_or_else(|| "eth0".to_string());
    let probe = args.iter().any(|a| a.starts_with('-') && !a.starts_with("--") && a.contains('D'));
    shell.took += 1000;
    if !shell.state.dom0.has_device(&device) {
        shell.complain(format!("arping: unknown iface {device}"));
        return 2;
    }
    if !shell.state.dom0.is_up(&device) {
        shell.complain(format!("arping: Interface \"{device}\" is down"));
        return 2;
    }
    let out = shell.state.dom0.gets_out(&device, target.parse().ok());
    let mac = shell.state.dom0.wire.answers.get(&target).filter(|_| out).cloned();
    shell.say(format!("ARPING {target} from 0.0.0.0 {device}"));
    match &mac {
        Some(mac) => {
            shell.say(format!("Unicast reply from {target} [{}]  0.712ms", mac.to_uppercase()));
            shell.say("Sent 1 probes (1 broadcast(s))\nReceived 1 response(s)");
        }
        None => {
            shell.took += 1500;
            shell.say("Sent 2 probes (2 broadcast(s))\nReceived 0 response(s)");
        }
    }
    i32::from(mac.is_some() == probe)
}

/// A `ping` without an end, at its beginning.
pub(crate) fn traffic(dom0: &Dom0, args: &[String]) -> Traffic {
    let seconds: f64 = option(args, "-i").and_then(|i| i.parse().ok()).unwrap_or(1.0);
    Traffic {
        target: args.last().cloned().unwrap_or_default(),
        device: option(args, "-I"),
        interval: (seconds * 1000.0) as u64,
        next: dom0.clock,
        answered: Vec::new(),
    }
}

/// What such a `ping` prints in all.
#[must_use]
pub(crate) fn traffic_text(traffic: &Traffic) -> String {
    let target = &traffic.target;
    let mut text = format!("PING {target} ({target}) 56(84) bytes of data.\n");
    for (at, _) in traffic.answered.iter().enumerate().filter(|(_, answered)| **answered) {
        let seq = at + 1;
        text.push_str(&format!("64 bytes from {target}: icmp_seq={seq} ttl=64 time=0.214 ms\n"));
    }
    let (sent, got) = (traffic.answered.len(), traffic.answered.iter().filter(|a| **a).count());
    let loss = (sent - got) * 100 / sent.max(1);
    text + &format!(
        "\n--- {target} ping statistics ---\n{sent} packets transmitted, {got} received, {loss}% packet loss, time 0ms\n"
    )
}

/// `ping`.
pub(crate) fn ping(shell: &mut Shell<'_>, args: &[String]) -> i32 {
    let target = args.last().cloned().unwrap_or_default();
    let Ok(ip) = target.parse() else {
        shell.complain(format!("ping: unknown host {target}"));
        return 2;
    };
    let count: u64 = option(args, "-c").and_then(|c| c.parse().ok()).unwrap_or(1);
    let size: u32 = option(args, "-s").and_then(|s| s.parse().ok()).unwrap_or(56);
    let dom0 = &shell.state.dom0;
    let device = option(args, "-I").filter(|d| dom0.has_device(d));
    let device = device.or_else(|| dom0.device_towards(ip).map(str::to_string));
    shell.say(format!("PING {target} ({target}) {size}({}) bytes of data.", size + 28));
    let Some(device) = device else {
        let routed = shell.state.dom0.routes.values().any(|r| r.to == "0.0.0.0/0");
        if !routed {
            shell.complain("connect: Network is unreachable");
            return 2;
        }
        let out = shell.state.dom0.routes.values().find(|r| r.to == "0.0.0.0/0");
        let dom0 = &shell.state.dom0;
        let got = match out {
            Some(route)
                if dom0.gets_out(&route.dev, None) && dom0.wire.routed.contains(&target) =>
            {
                count
            }
            _ => 0,
        };
        let loss = if got > 0 { 0 } else { 100 };
        shell.took += if got > 0 { 1000 * count.saturating_sub(1) + 1 } else { 1000 * count };
        shell.say(format!("\n--- {target} ping statistics ---\n{count} packets transmitted, {got} received, {loss}% packet loss, time 0ms\n"));
        return i32::from(got == 0);
    };
    let dom0 = &shell.state.dom0;
    let fits = size + 28 <= dom0.mtu_of(&device).min(dom0.wire.mtu)
        || (size + 28 <= dom0.mtu_of(&device) && !args.iter().any(|a| a == "do"));
    let answers = dom0.is_answered(&target, Some(&device)) && (fits || dom0.owns(&target));
    let too_long = size + 28 > dom0.mtu_of(&device) && args.iter().any(|a| a == "do");
    if too_long {
        let mtu = dom0.mtu_of(&device);
        shell.say(format!("ping: local error: Message too long, mtu={mtu}"));
    }
    shell.took += if answers { 1000 * count.saturating_sub(1) + 1 } else { 1000 * count };
    let got = if answers { count } else { 0 };
    for n in 1..=got {
        shell.say(format!("{} bytes from {target}: icmp_seq={n} ttl=64 time=0.214 ms", size + 8));
    }
    let loss = if answers { 0 } else { 100 };
    shell.say(format!("\n--- {target} ping statistics ---\n{count} packets transmitted, {got} received, {loss}% packet loss, time 0ms"));
    i32::from(!answers)
}
