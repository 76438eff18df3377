//! Services: `chkconfig` and `systemctl`. The rc links and the links of `multi-user.target.wants`
//! under the root are the state; nothing else remembers what is on.

use super::shell::Shell;
use super::state::{Init, Xapi};

/// Where units are enabled.
pub(super) const WANTS: &str = "etc/systemd/system/multi-user.target.wants";

/// Start and stop numbers of a SysV service, from its script's `# chkconfig:` line.
fn numbers(shell: &Shell<'_>, name: &str) -> Option<(String, String, String)> {
    let text = shell.read(&format!("etc/rc.d/init.d/{name}"))?;
    let line = text.lines().find_map(|l| l.trim().strip_prefix("# chkconfig:"))?;
    let mut words = line.split_whitespace().map(str::to_string);
    Some((words.next()?, words.next()?, words.next()?))
}

/// Makes a service's rc links: on in its levels, or off in all, or none at all.
pub(super) fn service_links(shell: &mut Shell<'_>, name: &str, on: bool, remove: bool) {
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

/// Whether a SysV service starts in a level; none when it has no link there.
pub(super) fn starts(shell: &Shell<'_>, name: &str, level: char) -> Option<bool> {
    let links = shell.list(&format!("etc/rc.d/rc{level}.d"));
    let link = links.iter().find(|l| l.len() > 3 && l[3..] == *name)?;
    Some(link.starts_with('S'))
}

/// `chkconfig`.
pub(super) fn chkconfig(shell: &mut Shell<'_>, args: &[String]) -> i32 {
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

/// A unit's file, by systemd's search order.
pub(super) fn unit_file(shell: &Shell<'_>, unit: &str) -> Option<String> {
    let folders = ["etc/systemd/system", "run/systemd/system", "usr/lib/systemd/system"];
    folders
        .iter()
        .map(|f| format!("{f}/{unit}"))
        .find(|p| shell.path(p).exists() || shell.read(p).is_some())
}

/// Values of a key in a section of a unit file.
pub(super) fn unit_values(text: &str, section: &str, key: &str) -> Vec<String> {
    let mut inside = false;
    let mut values = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            inside = line == format!("[{section}]");
        } else if inside
            && let Some((name, value)) = line.split_once('=')
            && name.trim() == key
        {
            values.push(value.trim().to_string());
        }
    }
    values
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

/// `systemctl`.
pub(super) fn systemctl(shell: &mut Shell<'_>, args: &[String]) -> i32 {
    let words: Vec<&str> =
        args.iter().map(String::as_str).filter(|a| !a.starts_with("--")).collect();
    let Some((verb, units)) = words.split_first() else { return 0 };
    let full = |u: &str| if u.contains('.') { u.to_string() } else { format!("{u}.service") };
    let mut status = 0;
    match *verb {
        "daemon-reload" | "reset-failed" => {}
        "enable" | "disable" => {
            for unit in units {
                let unit = full(unit);
                let file = unit_file(shell, &unit);
                let text = file.as_ref().and_then(|f| shell.read(f));
                if *verb == "enable" {
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
                    continue;
                }
                let mut found = false;
                for folder in shell.list("etc/systemd/system") {
                    let link = format!("etc/systemd/system/{folder}/{unit}");
                    if (folder.ends_with(".wants") || folder.ends_with(".requires"))
                        && shell.remove(&link)
                    {
                        shell.complain(format!("Removed symlink /{link}."));
                        found = true;
                    }
                }
                if text.is_none() && !found {
                    shell.complain("Failed to execute operation: No such file or directory");
                    return 1;
                }
            }
        }
        "is-enabled" => {
            for unit in units {
                let unit = full(unit);
                let linked = shell.list("etc/systemd/system").iter().any(|folder| {
                    (folder.ends_with(".wants") || folder.ends_with(".requires"))
                        && shell.exists(&format!("etc/systemd/system/{folder}/{unit}"))
                });
                let Some(file) = unit_file(shell, &unit) else {
                    let sysv = unit.trim_end_matches(".service");
                    if numbers(shell, sysv).is_some() {
                        // Redirected to chkconfig.
                        let on = starts(shell, sysv, '3') == Some(true);
                        shell.complain(format!("{unit} is not a native service, redirecting to /sbin/chkconfig.\nExecuting /sbin/chkconfig {sysv} --level=5"));
                        shell.say(if on { "enabled" } else { "disabled" });
                        status = i32::from(!on);
                        continue;
                    }
                    shell.complain(format!(
                        "Failed to get unit file state for {unit}: No such file or directory"
                    ));
                    return 1;
                };
                let text = shell.read(&file).unwrap_or_default();
                let word = match (linked, wants(&text).is_empty()) {
                    (true, _) => "enabled",
                    (false, true) => "static",
                    (false, false) => "disabled",
                };
                shell.say(word);
                status = i32::from(word == "disabled");
            }
        }
        "is-active" => {
            let unit = full(units.first().copied().unwrap_or_default());
            let xapi = shell.state.dom0.xapi == Xapi::Up;
            let ovs = shell.state.dom0.modules.contains_key("openvswitch");
            let word = match unit.as_str() {
                "xapi.service" | "xcp-networkd.service" | "xapi-init-complete.target" if xapi => {
                    "active"
                }
                "openvswitch.service" if ovs => "active",
                "dbus.service" | "sshd.service" | "crond.service" => "active",
                _ if unit_file(shell, &unit).is_none() => "unknown",
                _ => "inactive",
            };
            shell.say(word);
            status = if word == "active" { 0 } else { 3 };
        }
        "reboot" => shell.state.dom0.reboot_requested = true,
        "start" | "stop" | "restart" | "show" | "status" | "cat" => {
            let unit = full(units.first().copied().unwrap_or_default());
            if unit_file(shell, &unit).is_none() {
                shell.complain(format!("Failed to {verb} {unit}: Unit not found."));
                return 5;
            }
            if *verb == "start" {
                status = super::boot::run_unit(shell, &unit);
            }
        }
        _ => {
            shell.complain(format!("Unknown operation '{verb}'."));
            return 1;
        }
    }
    status
}
