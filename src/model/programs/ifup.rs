//! `ifup` and `ifdown` of initscripts 8.45 (el5) and 9.49 (el7), for bonds, their slaves and
//! plain devices. Their faults are the point: exit status 0 for nearly everything, options
//! refused in passing, slaves that are silently not taken (tests/ground/initscripts.md, A to D).

use std::net::Ipv4Addr;

use super::ethtool;
use super::functions::{
    ETH, aliased, install_driver, is_no, log, missing, options, set_mtu, value,
};
use super::ifcfg_shell::{Vars, need_config, slaves_of, source};
use super::shell::Shell;
use super::{modprobe, vlan};
use crate::model::state::Flavour;
use crate::net::Ipv4Net;

/// `ifup NAME [boot]`.
pub(crate) fn up(shell: &mut Shell<'_>, args: &[String]) -> i32 {
    let Some(name) = args.first() else {
        shell.complain("Usage: ifup <device name>");
        return 1;
    };
    let Some(file) = need_config(shell, name) else {
        shell.complain(format!("/sbin/ifup: configuration for {name} not found."));
        shell.complain("Usage: ifup <device name>");
        return 1;
    };
    // el5 sources the part before a second dash first.
    if shell.scripts() == Flavour::El5
        && let Some(parent) = super::ifcfg_shell::parent(&file)
        && !shell.exists(&format!("{}/{parent}", super::ifcfg_shell::FOLDER))
    {
        shell.say(format!("Missing config file {parent}."));
        return 1;
    }
    let vars = source(shell, &file);
    if args.get(1).is_some_and(|a| a == "boot") && is_no(value(&vars, "ONBOOT")) {
        return 0;
    }
    shell.took += 300;
    let device = value(&vars, "DEVICE").to_string();
    if let Some(status) = vlan::make(shell, &device, &vars) {
        return status;
    }
    let is_slave = value(&vars, "SLAVE") == "yes" && !value(&vars, "MASTER").is_empty();
    let status = if shell.state.dom0.nics.contains_key(&device) || !is_bond(shell, &device, &vars) {
        card(shell, &device, &vars, is_slave)
    } else {
        bond(shell, &device, &vars)
    };
    if let Some(status) = status {
        return status;
    }
    addresses(shell, &device, &vars)
}

fn is_bond(shell: &Shell<'_>, device: &str, vars: &Vars) -> bool {
    shell.state.dom0.bonds.contains_key(device)
        || !value(vars, "BONDING_OPTS").is_empty()
        || modprobe::alias(&modprobe::lines(shell), device.trim()).is_some()
}

/// A NIC's part; a status when the script ends here.
fn card(shell: &mut Shell<'_>, device: &str, vars: &Vars, is_slave: bool) -> Option<i32> {
    let old = shell.scripts() == Flavour::El5;
    let want = value(vars, "HWADDR").to_lowercase();
    if !want.is_empty() && shell.state.dom0.has_device(device) {
        let have = shell.state.dom0.mac_of(device).unwrap_or_default();
        let forced = value(vars, "MACADDR").eq_ignore_ascii_case(&have);
        if have != want && (old || !forced) {
            let holder =
                shell.state.dom0.nics.iter().find(|(_, n)| n.mac == want).map(|(k, _)| k.clone());
            match holder.filter(|_| old) {
                Some(holder) => rename(shell, &holder, device),
                None => {
                    let text = format!(
                        "Device {device} has different MAC address than expected, ignoring."
                    );
                    log(shell, "ERROR", ETH, &text);
                    return Some(1);
                }
            }
        }
    }
    if !shell.state.dom0.has_device(device) {
        return missing(shell, "Device", device);
    }
    if !is_slave {
        if let Ok(mtu) = value(vars, "MTU").parse() {
            set_mtu(shell, device, mtu);
        }
        shell.state.dom0.set_up(device, true);
        return None;
    }
    let bond = value(vars, "MASTER").to_string();
    if !old {
        install_driver(shell, &bond);
    } else if !shell.state.dom0.bonds.contains_key(&bond) {
        shell.complain(format!(
            "grep: /sys/class/net/{bond}/bonding/slaves: No such file or directory"
        ));
        shell.complain(format!(
            "{ETH}: line 193: /sys/class/net/{bond}/bonding/slaves: No such file or directory"
        ));
        return Some(0);
    }
    let taken = shell.state.dom0.master_of(device) == Some(bond.as_str());
    if !taken {
        shell.state.dom0.set_up(device, false);
        // The result is discarded: a NIC that something else holds is silently not taken.
        let _ = shell.state.dom0.enslave(&bond, device);
    }
    ethtool::opts(shell, device, value(vars, "ETHTOOL_OPTS"), !old);
    Some(0)
}

/// el5 renames NICs to suit HWADDR, and pushes the present holder of the name away.
fn rename(shell: &mut Shell<'_>, from: &str, to: &str) {
    let dom0 = &mut shell.state.dom0;
    let spare = format!("dev{}", dom0.clock % 30_000 + 1000);
    let mut steps = vec![(from.to_string(), to.to_string())];
    if dom0.nics.contains_key(to) {
        steps.insert(0, (to.to_string(), spare));
    }
    for (old, new) in steps {
        if let Some(mut nic) = dom0.nics.remove(&old) {
            nic.up = false;
            dom0.nics.insert(new.clone(), nic);
            let index = dom0.ifindex.remove(&old).unwrap_or(99);
            dom0.ifindex.insert(new, index);
        }
    }
}

/// The bond's part; a status when the script ends here.
fn bond(shell: &mut Shell<'_>, device: &str, vars: &Vars) -> Option<i32> {
    let old = shell.scripts() == Flavour::El5;
    if !shell.state.dom0.has_device(device) && !value(vars, "BONDING_OPTS").is_empty() {
        install_driver(shell, device);
    }
    if !shell.state.dom0.has_device(device) {
        let what = if shell.state.dom0.has_device(device.trim()) {
            "Device"
        } else {
            aliased(shell, device)
        };
        if !shell.state.dom0.has_device(device) {
            return missing(shell, what, device);
        }
    }
    options(shell, device, vars);
    let mtu = value(vars, "MTU").parse::<u32>().ok();
    if let Some(mtu) = mtu.filter(|_| !old) {
        set_mtu(shell, device, mtu);
    }
    shell.state.dom0.set_up(device, true);
    for file in slaves_of(shell, device) {
        if shell.depth > 3 {
            break;
        }
        shell.depth += 1;
        let status = up(shell, std::slice::from_ref(&file));
        shell.depth -= 1;
        if status != 0 && !old {
            let text = format!("Unable to start slave device {file} for master {device}.");
            log(shell, "WARN", ETH, &text);
        }
    }
    // On el7 the first slave's own look at the options took the bond down again.
    shell.state.dom0.set_up(device, true);
    let words = value(vars, "BONDING_OPTS").to_string();
    if let Some(primary) = words.split_whitespace().find_map(|w| w.strip_prefix("primary="))
        && let Err(why) = shell.state.dom0.set_option(device, "primary", primary)
    {
        shell.complain(format!("{ETH}: line 161: echo: write error: {why}"));
    }
    if let Some(mtu) = mtu.filter(|_| old) {
        set_mtu(shell, device, mtu);
    }
    // LINKDELAY, and the time in which the first slave comes up.
    let delay = value(vars, "LINKDELAY").parse::<u64>().unwrap_or(0);
    shell.state.dom0.advance(100 + delay * 1000);
    None
}

/// The mask of the address's class, which the scripts take when none is given.
fn class_prefix(ip: Ipv4Addr) -> u8 {
    match ip.octets()[0] {
        0..=127 => 8,
        128..=191 => 16,
        _ => 24,
    }
}

fn addresses(shell: &mut Shell<'_>, device: &str, vars: &Vars) -> i32 {
    let old = shell.scripts() == Flavour::El5;
    let ip = value(vars, "IPADDR").to_string();
    if let Ok(addr) = ip.parse::<Ipv4Addr>() {
        let mask =
            value(vars, "NETMASK").parse().ok().and_then(|m| Ipv4Net::with_netmask(addr, m).ok());
        let prefix = value(vars, "PREFIX").parse::<u8>().ok().filter(|p| *p <= 32);
        let prefix =
            if old { mask.map(|m| m.prefix).or(prefix) } else { prefix.or(mask.map(|m| m.prefix)) };
        let net = Ipv4Net { addr, prefix: prefix.unwrap_or_else(|| class_prefix(addr)) };
        let there =
            shell.state.dom0.addresses.get(device).is_some_and(|a| a.contains(&net.to_string()));
        let checks = old || !is_no(value(vars, "ARPCHECK"));
        if !there && checks {
            // arping -c 2 -w 3 -D
            shell.took += 2500;
            let other = shell.state.dom0.wire.answers.get(&ip).cloned();
            if let Some(mac) = other.filter(|_| shell.state.dom0.gets_out(device, None)) {
                let text = match old {
                    true => format!("Error, some other host already uses address {ip}."),
                    false => format!(
                        "Error, some other host ({}) already uses address {ip}.",
                        mac.to_uppercase()
                    ),
                };
                log(shell, "ERROR", ETH, &text);
                return 1;
            }
        }
        if !shell.state.dom0.add_address(device, &net.to_string()) && !there {
            log(shell, "ERROR", ETH, &format!("Error adding address {ip} for {device}."));
        }
        if value(vars, "NOZEROCONF").is_empty() {
            let metric = 1000 + shell.state.dom0.ifindex.get(device).copied().unwrap_or(1);
            if old {
                shell.state.dom0.replace_route("169.254.0.0/16", device, None);
            } else if !shell.state.dom0.add_route("169.254.0.0/16", device, None, metric) {
                shell.complain("RTNETLINK answers: File exists");
            }
        }
        let gateway = value(vars, "GATEWAY").to_string();
        let elsewhere = value(vars, "GATEWAYDEV");
        let kept = (!elsewhere.is_empty() && elsewhere != device)
            || (!old && is_no(value(vars, "DEFROUTE")));
        if !kept && gateway.parse::<Ipv4Addr>().is_ok_and(|g| net.contains(g)) {
            shell.state.dom0.replace_route("0.0.0.0/0", device, Some(&gateway));
        }
    }
    routes(shell, device);
    0
}

/// `ifup-routes` (tests/ground/initscripts.md, J4): lines of `route-DEVICE` as arguments of `ip route`.
fn routes(shell: &mut Shell<'_>, device: &str) {
    let text =
        shell.read(&format!("{}/route-{device}", super::ifcfg_shell::FOLDER)).unwrap_or_default();
    for line in text.lines().filter(|l| !l.trim_start().starts_with('#')) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let after = |word: &str| {
            words.iter().position(|w| *w == word).and_then(|at| words.get(at + 1)).copied()
        };
        let (via, dev) = (after("via"), after("dev").unwrap_or(device));
        match words.first().copied() {
            Some("default") => shell.state.dom0.replace_route("0.0.0.0/0", dev, via),
            Some(to) if to.parse::<Ipv4Net>().is_ok() => {
                if let Err(why) = shell.state.dom0.set_route(to, dev, via) {
                    // Nothing of it comes back to who called ifup.
                    shell.complain(format!("RTNETLINK answers: {why}"));
                }
            }
            _ => {}
        }
    }
}

/// `ifdown NAME`.
pub(crate) fn down(shell: &mut Shell<'_>, args: &[String]) -> i32 {
    let Some(name) = args.first() else {
        shell.complain("Usage: ifdown <device name>");
        return 1;
    };
    let Some(file) = need_config(shell, name) else {
        shell.complain("usage: ifdown <device name>");
        return 1;
    };
    shell.took += 500;
    let vars = source(shell, &file);
    let device = value(&vars, "DEVICE").to_string();
    if !shell.state.dom0.has_device(&device) {
        if shell.scripts() == Flavour::El7 {
            return 0;
        }
        shell.complain(format!("Cannot find device \"{device}\""));
        return 1;
    }
    if shell.state.dom0.bonds.contains_key(&device) {
        for slave in slaves_of(shell, &device) {
            if shell.depth > 3 {
                break;
            }
            shell.depth += 1;
            down(shell, std::slice::from_ref(&slave));
            shell.depth -= 1;
        }
        if let Some(bond) = shell.state.dom0.bonds.get_mut(&device) {
            bond.arp_targets.clear();
        }
    }
    let master = value(&vars, "MASTER").to_string();
    if value(&vars, "SLAVE") == "yes" && shell.state.dom0.bonds.contains_key(&master) {
        let _ = shell.state.dom0.release(&master, &device);
    }
    // ifdown-post puts back what another interface's DNS1 has left there.
    let saved = shell.read("etc/resolv.conf.save");
    if let Some(text) =
        saved.filter(|_| shell.scripts() == Flavour::El5 && !is_no(value(&vars, "PEERDNS")))
    {
        shell.write("etc/resolv.conf", &text);
        shell.remove("etc/resolv.conf.save");
    }
    let had_default =
        shell.state.dom0.routes.values().any(|r| r.dev == device && r.to == "0.0.0.0/0");
    shell.state.dom0.flush(&device);
    shell.state.dom0.set_up(&device, false);
    // "set default route if none": the gateway of /etc/sysconfig/network, when it can be reached.
    let gateway = value(&vars, "GATEWAY").to_string();
    if had_default
        && let Ok(ip) = gateway.parse::<Ipv4Addr>()
        && let Some(dev) = shell.state.dom0.device_towards(ip).map(str::to_string)
    {
        shell.state.dom0.replace_route("0.0.0.0/0", &dev, Some(&gateway));
    }
    vlan::remove(shell, &device, &vars);
    0
}
