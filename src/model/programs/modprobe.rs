//! `modprobe` and its configuration, read as module-init-tools (el5) and kmod (el7) do: which
//! files count, aliases, options, install lines.

use std::collections::BTreeMap;

use super::shell::Shell;
use crate::model::kernel::options;
use crate::model::state::{Flavour, Map};

/// The lines that count, in reading order, each as its words; line ends after `\` are joined.
pub(crate) fn lines(shell: &Shell<'_>) -> Vec<Vec<String>> {
    let old = shell.scripts() == Flavour::El5;
    let mut texts = Vec::new();
    if old {
        old_texts(shell, "etc/modprobe.conf", 0, &mut texts);
        old_texts(shell, "etc/modprobe.d", 0, &mut texts);
    } else {
        // kmod reads *.conf, by name; a file hides those of its name in later folders.
        let mut taken = BTreeMap::new();
        for folder in ["etc", "run", "usr/local/lib", "usr/lib"] {
            for name in shell.list(&format!("{folder}/modprobe.d")) {
                if name.ends_with(".conf") && !name.starts_with('.') {
                    taken.entry(name).or_insert(folder);
                }
            }
        }
        texts.extend(
            taken.iter().filter_map(|(name, at)| shell.read(&format!("{at}/modprobe.d/{name}"))),
        );
    }
    let text = texts.join("\n").replace("\\\n", " ");
    text.lines()
        .map(|line| line.split_whitespace().map(str::to_string).collect::<Vec<_>>())
        .filter(|words| words.first().is_some_and(|w| !w.starts_with('#')))
        .collect()
}

/// What module-init-tools of el5 reads of a file or of all files of a folder, and what they include.
fn old_texts(shell: &Shell<'_>, path: &str, depth: u8, texts: &mut Vec<String>) {
    if depth == 8 {
        return;
    }
    for name in shell.list(path).iter().filter(|name| !name.starts_with('.')) {
        old_texts(shell, &format!("{path}/{name}"), depth + 1, texts);
    }
    for line in shell.read(path).unwrap_or_default().lines() {
        match line.trim().strip_prefix("include ") {
            Some(more) => old_texts(shell, more.trim().trim_start_matches('/'), depth + 1, texts),
            None => texts.push(line.to_string()),
        }
    }
}

/// The last module that a name is an alias of.
pub(crate) fn alias(lines: &[Vec<String>], name: &str) -> Option<String> {
    let same = |a: &str, b: &str| a.replace('-', "_") == b.replace('-', "_");
    let found = lines.iter().rfind(|w| w.len() >= 3 && w[0] == "alias" && same(&w[1], name));
    found.map(|words| words[2].clone())
}

/// The parameters that the driver would get when loaded by its own name, or through an alias.
pub(crate) fn bonding_params(shell: &Shell<'_>, through: Option<&str>) -> Map {
    let mut params = Map::new();
    for words in lines(shell).iter().filter(|w| w.len() >= 3 && w[0] == "options") {
        if words[1] == "bonding" || Some(words[1].as_str()) == through {
            for word in &words[2..] {
                let (key, value) = word.split_once('=').unwrap_or((word, ""));
                params.insert(key.to_string(), value.trim_matches('"').to_string());
            }
        }
    }
    params
}

/// Whether a command stands in for a module.
fn installed_by(lines: &[Vec<String>], module: &str) -> Option<String> {
    let line = lines.iter().rfind(|w| w.len() >= 3 && w[0] == "install" && w[1] == module)?;
    Some(line[2..].join(" "))
}

/// Whether the module's name is one that this kernel has.
fn known(name: &str) -> bool {
    ["bonding", "bridge", "openvswitch", "ixgbe", "8021q", "mlx4_en"].contains(&name)
}

/// Whether this kernel has not got it after all; that of the driver of bonds is another's word.
fn is_missing(shell: &Shell<'_>, name: &str) -> bool {
    name != "bonding" && shell.features().missing_modules.contains(name)
}

/// Loads a module by name or alias; the complaint otherwise.
pub(crate) fn load(shell: &mut Shell<'_>, name: &str) -> Result<(), String> {
    let lines = lines(shell);
    // An alias counts even for a name that is a module's: that is how a reversed one breaks it.
    let next = alias(&lines, name);
    let through = next.as_ref().map(|_| name.to_string());
    let target = next.unwrap_or_else(|| name.to_string());
    let old = shell.state.dom0.flavour == Flavour::El5;
    if target == "off" {
        return Ok(());
    }
    if let Some(command) = installed_by(&lines, &target) {
        if !command.contains("/bin/true") && command != ":" {
            shell.state.dom0.executed.push(command);
        }
        return Ok(());
    }
    if !known(&target) || is_missing(shell, &target) {
        return Err(match old {
            true => format!("FATAL: Module {target} not found."),
            false => format!(
                "modprobe: FATAL: Module {target} not found in directory /lib/modules/{}",
                shell.state.dom0.kernel
            ),
        });
    }
    if target != "bonding" {
        shell.state.dom0.modules.entry(target).or_default();
        return Ok(());
    }
    let blocked = installed_by(&lines, "bridge").is_some()
        && !shell.state.dom0.modules.contains_key("bridge");
    let params = bonding_params(shell, through.as_deref());
    let went = if blocked && !shell.state.dom0.modules.contains_key("bonding") {
        Err("Unknown symbol in module, or unknown parameter (see dmesg)")
    } else {
        shell.state.dom0.load_bonding(&params)
    };
    went.map_err(|why| match old {
        true => format!(
            "FATAL: Error inserting bonding (/lib/modules/{}/kernel/drivers/net/bonding/bonding.ko): {why}",
            shell.state.dom0.kernel
        ),
        false => format!("modprobe: ERROR: could not insert 'bonding': {why}"),
    })
}

/// `modprobe`.
pub(crate) fn run(shell: &mut Shell<'_>, args: &[String]) -> i32 {
    let flags: Vec<&str> = args.iter().map(String::as_str).filter(|a| a.starts_with('-')).collect();
    let names: Vec<&String> = args.iter().filter(|a| !a.starts_with('-')).collect();
    if flags.contains(&"-c") || flags.contains(&"--showconfig") {
        for words in lines(shell) {
            shell.say(words.join(" "));
        }
        return 0;
    }
    let Some(name) = names.first() else {
        shell.complain("Usage: modprobe [-v] [-V] [-C config-file] [-n] [-i] [-q] [-b] <modname> [parameters...]");
        return 1;
    };
    if flags.iter().any(|f| matches!(*f, "-n" | "--dry-run" | "--show-depends" | "-D")) {
        return i32::from(!known(name) && alias(&lines(shell), name).is_none());
    }
    if flags.iter().any(|f| matches!(*f, "-r" | "--remove")) {
        if name.as_str() == "bonding" {
            for bond in shell.state.dom0.bonds.keys().cloned().collect::<Vec<_>>() {
                shell.state.dom0.delete_bond(&bond);
            }
        }
        return i32::from(shell.state.dom0.modules.remove(name.as_str()).is_none());
    }
    match load(shell, name) {
        Ok(()) => 0,
        Err(text) => {
            if !flags.contains(&"-q") {
                shell.complain(text);
            }
            1
        }
    }
}

/// `modinfo`.
pub(crate) fn info(shell: &mut Shell<'_>, args: &[String]) -> i32 {
    let Some(name) = args.iter().find(|a| !a.starts_with('-')) else {
        shell.complain("Usage: modinfo [-0][-F field][-k kernelversion] module...");
        return 1;
    };
    let old = shell.state.dom0.flavour == Flavour::El5;
    let wants_file = args.iter().any(|a| a == "-n")
        || args.windows(2).any(|a| a[0] == "-F" && a[1] == "filename");
    if name == "8021q" && wants_file && !is_missing(shell, name) {
        let kernel = &shell.state.dom0.kernel;
        shell.say(format!("/lib/modules/{kernel}/kernel/net/8021q/8021q.ko"));
        return 0;
    }
    if name != "bonding" {
        shell.complain(match old {
            true => format!("modinfo: could not find module {name}"),
            false => format!("modinfo: ERROR: Module {name} not found."),
        });
        return 1;
    }
    let file =
        format!("/lib/modules/{}/kernel/drivers/net/bonding/bonding.ko", shell.state.dom0.kernel);
    if wants_file {
        shell.say(file);
        return 0;
    }
    for line in description(shell) {
        shell.say(line);
    }
    0
}

/// What `modinfo bonding` says.
pub(crate) fn description(shell: &Shell<'_>) -> Vec<String> {
    let dom0 = &shell.state.dom0;
    let slb = if dom0.features.slb { ", 7 for balance-slb" } else { "" };
    let row = |name: &str, text: &str| format!("{:<16}{text}", format!("{name}:"));
    let parm = |text: &str| row("parm", text);
    let mut rows = vec![
        row(
            "filename",
            &format!("/lib/modules/{}/kernel/drivers/net/bonding/bonding.ko", dom0.kernel),
        ),
        row("author", "Thomas Davis, tadavis@lbl.gov and many others"),
        row("description", "Ethernet Channel Bonding Driver, v3.7.1"),
        row("version", "3.7.1"),
        row("license", "GPL"),
        row("alias", "rtnl-link-bond"),
        row("depends", "bridge"),
        row("vermagic", &format!("{} SMP mod_unload modversions ", dom0.kernel)),
        parm("max_bonds:Max number of bonded devices (int)"),
        parm("tx_queues:Max number of transmit queues (default = 16) (int)"),
        parm(
            "num_grat_arp:Number of peer notifications to send on failover event (alias of num_unsol_na) (int)",
        ),
        parm(
            "num_unsol_na:Number of peer notifications to send on failover event (alias of num_grat_arp) (int)",
        ),
        parm("miimon:Link check interval in milliseconds (int)"),
        parm("updelay:Delay before considering link up, in milliseconds (int)"),
        parm("downdelay:Delay before considering link down, in milliseconds (int)"),
        parm(
            "use_carrier:Use netif_carrier_ok (vs MII ioctls) in miimon; 0 for off, 1 for on (default) (int)",
        ),
        parm(&format!(
            "mode:Mode of operation; 0 for balance-rr, 1 for active-backup, 2 for balance-xor, 3 for broadcast, 4 for 802.3ad, 5 for balance-tlb, 6 for balance-alb{slb} (charp)"
        )),
        parm("primary:Primary network device to use (charp)"),
        parm(
            "primary_reselect:Reselect primary slave once it comes up; 0 for always (default), 1 for only if speed of primary is better, 2 for only on active slave failure (charp)",
        ),
        parm(
            "lacp_rate:LACPDU tx rate to request from 802.3ad partner; 0 for slow, 1 for fast (charp)",
        ),
        parm(
            "ad_select:803.ad aggregation selection logic; 0 for stable (default), 1 for bandwidth, 2 for count (charp)",
        ),
        parm("min_links:Minimum number of available links before turning on carrier (int)"),
        parm(
            "xmit_hash_policy:balance-xor and 802.3ad hashing method; 0 for layer 2 (default), 1 for layer 3+4, 2 for layer 2+3 (charp)",
        ),
        parm("arp_interval:arp interval in milliseconds (int)"),
        parm("arp_ip_target:arp targets in n.n.n.n form (array of charp)"),
        parm(
            "arp_validate:validate src/dst of ARP probes; 0 for none (default), 1 for active, 2 for backup, 3 for all (charp)",
        ),
        parm(
            "fail_over_mac:For active-backup, do not set all slaves to the same MAC; 0 for none (default), 1 for active, 2 for follow (charp)",
        ),
        parm(
            "all_slaves_active:Keep all frames received on an interface by setting active flag for all slaves; 0 for never (default), 1 for always. (int)",
        ),
        parm("resend_igmp:Number of IGMP membership reports to send on link failure (int)"),
    ];
    let young = options::young(dom0.linux()).filter(|(_, parameter)| *parameter);
    rows.extend(young.map(|(name, _)| parm(&format!("{name}:{}", young_text(name)))));
    rows
}

/// What the driver says of its younger parameters.
fn young_text(name: &str) -> &'static str {
    match name {
        "arp_all_targets" => {
            "fail on any/all arp targets timeout; 0 for any (default), 1 for all (charp)"
        }
        "packets_per_slave" => {
            "Packets to send per slave in balance-rr mode; 0 for a random slave, 1 packet per slave (default), >1 packets per slave. (int)"
        }
        _ => {
            "The number of seconds between instances where the bonding driver sends learning packets to each slaves peer switch. The default is 1. (uint)"
        }
    }
}

/// The texts that the module's file holds: what `modinfo` says, and the names and words of its
/// options.
pub(crate) fn module(shell: &Shell<'_>) -> Vec<String> {
    let release = shell.state.dom0.linux();
    let mut texts = description(shell);
    texts.extend(options::young(release).map(|(name, _)| name.to_string()));
    for key in ["xmit_hash_policy", "arp_validate"] {
        texts.extend(options::words(key, release).into_iter().flatten().map(|w| (*w).to_string()));
    }
    texts
}
