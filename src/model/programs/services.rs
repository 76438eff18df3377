//! Services: `chkconfig` and `systemctl`. The rc links and the links of `multi-user.target.wants`
//! under the root are the state; nothing else remembers what is on.

use super::shell::Shell;
use super::units::{numbers, run_unit, starts, unit_file, unit_values};
use crate::model::state::{Init, Xapi};

/// Where units are enabled.
pub(crate) const WANTS: &str = "etc/systemd/system/multi-user.target.wants";

/// Makes a service's rc links: on in its levels, or off in all, or none at all.
pub(crate) fn service_links(shell: &mut Shell<'_>, name: &str, on: bool, remove: bool) {
    let Some((levels, start, kill)) = numbers(shell, name) else { return };
    for level in '0'..='6' {
        let folder = format!("etc/rc.d/rc{level}.d");
        for link in shell.list(&folder) {
            if link.len() > 3 && link[3..] == *name {
                shell.remove(&format!("{folder}/{link}"));
            }
        }
        if remove && !on {
            continue;
        }
        let starts = on && levels.contains(level);
        let link = if starts { format!("S{start}{name}") } else { format!("K{kill}{name}") };
        shell.link(&format!("../init.d/{name}"), &format!("{folder}/{link}"));
    }
}

/// `chkconfig`.
pub(crate) fn chkconfig(shell: &mut Shell<'_>, args: &[String]) -> i32 {
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let exists = |shell: &Shell<'_>, name: &str| numbers(shell, name).is_some();
    let unknown = |shell: &mut Shell<'_>, name: &str| {
        shell.complain(format!(
            "error reading information on service {name}: No such file or directory"
        ));
        1
    };
    match words.as_slice() {
        ["--list", name] => {
            if !exists(shell, name) {
                return unknown(shell, name);
            }
            if shell.features().init == Init::Systemd {
                shell.complain("\nNote: This output shows SysV services only and does not include native\n      systemd services. SysV configuration data might be overridden by native\n      systemd configuration.\n\n      If you want to list systemd services use 'systemctl list-unit-files'.\n      To see services enabled on particular target use\n      'systemctl list-dependencies [target]'.\n");
            }
            if starts(shell, name, '3').is_none() {
                shell.complain(format!(
                    "service {name} supports chkconfig, but is not referenced in any runlevel (run 'chkconfig --add {name}')"
                ));
                return 1;
            }
            let states: Vec<String> = ('0'..='6')
                .map(|l| {
                    format!(
                        "{l}:{}",
                        if starts(shell, name, l) == Some(true) { "on" } else { "off" }
                    )
                })
                .collect();
            shell.say(format!("{name:<15}\t{}", states.join("\t")));
            0
        }
        ["--add", name] => {
            if !exists(shell, name) {
                return unknown(shell, name);
            }
            // What has its links keeps them.
            if starts(shell, name, '3').is_none() {
                service_links(shell, name, true, false);
            }
            0
        }
        [name, "on"] | ["--level", _, name, "on"] => {
            if !exists(shell, name) {
                return unknown(shell, name);
            }
            service_links(shell, name, true, false);
            0
        }
        ["--del", name] => {
            if !exists(shell, name) {
                return unknown(shell, name);
            }
            service_links(shell, name, false, true);
            0
        }
        [name, "off"] | ["--level", _, name, "off"] => {
            if !exists(shell, name) {
                return unknown(shell, name);
            }
            service_links(shell, name, false, false);
            0
        }
        [name] if !name.starts_with('-') => {
            i32::from(!(exists(shell, name) && starts(shell, name, '3') == Some(true)))
        }
        _ => {
            shell.complain("chkconfig version 1.3.30.2 - Copyright (C) 1997-2000 Red Hat, Inc.\nusage:   chkconfig --list [name]");
            1
        }
    }
}

fn wants(text: &str) -> Vec<String> {
    let list = |key: &str, end: &str| -> Vec<String> {
        let values = unit_values(text, "Install", key);
        values
            .iter()
            .flat_map(|v| v.split_whitespace())
            .map(|t| format!("etc/systemd/system/{t}.{end}"))
            .collect()
    };
    let mut folders = list("WantedBy", "wants");
    folders.extend(list("RequiredBy", "requires"));
    folders
}

/// A unit's full name.
fn full(unit: &str) -> String {
    if unit.contains('.') { unit.to_string() } else { format!("{unit}.service") }
}

/// The links to a unit by which something starts it.
fn links_to(shell: &Shell<'_>, unit: &str) -> Vec<String> {
    let folders = shell.list("etc/systemd/system").into_iter();
    let folders = folders.filter(|f| f.ends_with(".wants") || f.ends_with(".requires"));
    let links = folders.map(|folder| format!("etc/systemd/system/{folder}/{unit}"));
    links.filter(|link| shell.exists(link)).collect()
}

fn enable(shell: &mut Shell<'_>, units: &[String]) -> i32 {
    for unit in units {
        let file = unit_file(shell, unit);
        let text = file.as_ref().and_then(|f| shell.read(f));
        let (Some(file), Some(text)) = (file, text) else {
            shell.complain("Failed to execute operation: No such file or directory");
            return 1;
        };
        let folders = wants(&text);
        if folders.is_empty() {
            shell.complain("The unit files have no [Install] section. They are not meant to be enabled\nusing systemctl.");
        }
        for folder in folders {
            let link = format!("{folder}/{unit}");
            if !shell.exists(&link) {
                shell.complain(format!("Created symlink from /{link} to /{file}."));
            }
            shell.link(&format!("/{file}"), &link);
        }
    }
    0
}

fn disable(shell: &mut Shell<'_>, units: &[String]) -> i32 {
    for unit in units {
        let links = links_to(shell, unit);
        for link in &links {
            shell.remove(link);
            shell.complain(format!("Removed symlink /{link}."));
        }
        if links.is_empty() && unit_file(shell, unit).is_none() {
            shell.complain("Failed to execute operation: No such file or directory");
            return 1;
        }
    }
    0
}

fn is_enabled(shell: &mut Shell<'_>, units: &[String]) -> i32 {
    let mut status = 0;
    for unit in units {
        let Some(file) = unit_file(shell, unit) else {
            let sysv = unit.trim_end_matches(".service");
            if numbers(shell, sysv).is_none() {
                shell.complain(format!(
                    "Failed to get unit file state for {unit}: No such file or directory"
                ));
                return 1;
            }
            // Redirected to chkconfig.
            let on = starts(shell, sysv, '3') == Some(true);
            shell.complain(format!("{unit} is not a native service, redirecting to /sbin/chkconfig.\nExecuting /sbin/chkconfig {sysv} --level=5"));
            shell.say(if on { "enabled" } else { "disabled" });
            status = i32::from(!on);
            continue;
        };
        let text = shell.read(&file).unwrap_or_default();
        let word = match (links_to(shell, unit).is_empty(), wants(&text).is_empty()) {
            (false, _) => "enabled",
            (true, true) => "static",
            (true, false) => "disabled",
        };
        shell.say(word);
        status = i32::from(word == "disabled");
    }
    status
}

fn is_active(shell: &mut Shell<'_>, units: &[String]) -> i32 {
    let unit = units.first().map_or("", String::as_str);
    let xapi = shell.state.dom0.xapi == Xapi::Up;
    let ovs = shell.state.dom0.modules.contains_key("openvswitch");
    let word = match unit {
        "xapi.service" | "xcp-networkd.service" | "xapi-init-complete.target" if xapi => "active",
        "openvswitch.service" if ovs => "active",
        "dbus.service" | "sshd.service" | "crond.service" => "active",
        _ if unit_file(shell, unit).is_none() => "unknown",
        _ => "inactive",
    };
    shell.say(word);
    if word == "active" { 0 } else { 3 }
}

/// `systemctl`.
pub(crate) fn systemctl(shell: &mut Shell<'_>, args: &[String]) -> i32 {
    let words: Vec<&str> =
        args.iter().map(String::as_str).filter(|a| !a.starts_with("--")).collect();
    let Some((verb, units)) = words.split_first() else { return 0 };
    let units: Vec<String> = units.iter().map(|unit| full(unit)).collect();
    let mut status = 0;
    match *verb {
        "daemon-reload" | "reset-failed" => {}
        "enable" => return enable(shell, &units),
        "disable" => return disable(shell, &units),
        "is-enabled" => return is_enabled(shell, &units),
        "is-active" => return is_active(shell, &units),
        "reboot" => shell.state.dom0.reboot_requested = true,
        "start" | "stop" | "restart" | "show" | "status" | "cat" => {
            let unit = units.first().cloned().unwrap_or_default();
            if unit_file(shell, &unit).is_none() {
                shell.complain(format!("Failed to {verb} {unit}: Unit not found."));
                return 5;
            }
            if *verb == "start" {
                status = run_unit(shell, &unit);
            }
        }
        _ => {
            shell.complain(format!("Unknown operation '{verb}'."));
            return 1;
        }
    }
    status
}
