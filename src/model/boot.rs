//! The boot of a dom0: the kernel anew, the backend of `network.conf`, the boot services and
//! XAPI's start, in the order in which real hosts have them (tests/ground/xapi.md, C2 and C7,
//! tests/ground/initscripts.md, E4).

use super::programs::ifcfg_shell::{FOLDER, evaluate, files};
use super::programs::ifup;
use super::programs::modprobe;
use super::programs::networkd;

use super::programs::shell::Shell;
use super::programs::units::{exists, run_unit, runs_itself, starts, unit_file, unit_values};
use super::state::{Backend, Flavour, Init, Map, Networkd, State, Xapi};
use super::stores;
use super::xe;
use crate::order;
use crate::paths;

/// When a unit is started.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Slot {
    First,
    /// NICs have their names, and XAPI plugs nothing yet.
    Networks,
    Last,
}

/// Restarts the host as it should be: what keeps something in memory writes it when it is stopped.
pub(super) fn reboot(shell: &mut Shell<'_>) {
    stores::flush(shell.root, shell.state);
    up(shell);
}

/// Restarts the host after a power cut: what was not on disk is lost.
pub(super) fn cut(shell: &mut Shell<'_>) {
    stores::lose(shell.state);
    up(shell);
}

fn up(shell: &mut Shell<'_>) {
    halt_machines(shell);
    kernel(shell);
    shell.depth = 0;
    match shell.features().init {
        // The `network` service is S10; XAPI and its networks come later.
        Init::Sysv => {
            network_service(shell);
            init_scripts(shell, ..13);
            networkd(shell);
            xapi(shell);
            init_scripts(shell, 13..);
        }
        // Units say their order themselves. One that does not say Before=xapi.service may as well
        // come after it, and one that says nothing of networks before there are any.
        Init::Systemd => {
            let units = enabled_units(shell);
            let when = |shell: &Shell<'_>, unit: &String| {
                let text = unit_file(shell, unit).and_then(|f| shell.read(&f)).unwrap_or_default();
                let says = |key: &str, names: &[&str]| {
                    let value = unit_values(&text, "Unit", key).join(" ");
                    names.iter().any(|name| value.contains(name))
                };
                let up = ["xapi.service", "xapi-init-complete", "xapi-domains", "multi-user"];
                match (says("After", &up), says("After", &["xcp-networkd"])) {
                    (true, _) => Slot::Last,
                    (_, true) if says("Before", &["xapi.service"]) => Slot::Networks,
                    (_, true) => Slot::Last,
                    _ => Slot::First,
                }
            };
            let slots: Vec<(Slot, String)> =
                units.into_iter().map(|unit| (when(shell, &unit), unit)).collect();
            let run = |shell: &mut Shell<'_>, slot| {
                for (_, unit) in slots.iter().filter(|(when, _)| *when == slot) {
                    run_unit(shell, unit);
                }
            };
            run(shell, Slot::First);
            network_service(shell);
            networkd(shell);
            run(shell, Slot::Networks);
            xapi(shell);
            run(shell, Slot::Last);
        }
    }
}

/// The machines that ran here were shut down before, and nobody has started them again.
fn halt_machines(shell: &mut Shell<'_>) {
    let State { pool, dom0 } = &mut *shell.state;
    for (name, vm) in &mut pool.vms {
        if !vm.is_control_domain && vm.resident_on.as_ref() == Some(&dom0.me) {
            vm.power_state = "halted".to_string();
            vm.resident_on = None;
            for vif in pool.vifs.values_mut().filter(|v| v.vm == *name) {
                vif.currently_attached = false;
            }
        }
    }
}

/// The kernel as it starts: NICs down with their own addresses, nothing else.
fn kernel(shell: &mut Shell<'_>) {
    let word = shell.read("etc/xensource/network.conf").unwrap_or_default().trim().to_string();
    let blacklisted = modprobe::lines(shell)
        .iter()
        .any(|w| w.len() >= 3 && w[0] == "install" && w[1] == "bridge");
    let dom0 = &mut shell.state.dom0;
    dom0.boot += 1;
    dom0.clock += 90_000;
    dom0.booted_at = dom0.clock;
    dom0.reboot_requested = false;
    dom0.boot_runs.clear();
    dom0.running = match word.as_str() {
        "bridge" if blacklisted => Backend::None,
        "bridge" => Backend::Bridge,
        "openvswitch" | "vswitch" => Backend::Openvswitch,
        // networkd: old ones stop, new ones fall back.
        _ if dom0.flavour == Flavour::El5 => Backend::None,
        _ => Backend::Openvswitch,
    };
    dom0.bonds.clear();
    dom0.vswitch.clear();
    dom0.devices.clear();
    dom0.addresses.clear();
    dom0.routes.clear();
    dom0.mounts.clear();
    dom0.dmesg.clear();
    dom0.networkd = Networkd::default();
    let nics = std::mem::take(&mut dom0.nics);
    for (number, (name, mut nic)) in nics.into_iter().enumerate() {
        // interface-rename gives every NIC its name back.
        let name = if name.starts_with("dev") { format!("eth{number}") } else { name };
        nic.mac.clone_from(&nic.permanent_mac);
        (nic.mtu, nic.up, nic.master) = (1500, false, None);
        nic.tuning.clear();
        dom0.nics.insert(name, nic);
    }
    dom0.ifindex.clear();
    dom0.ifindex.extend(dom0.nics.keys().cloned().zip(2..));
    dom0.modules.clear();
    // That of VLANs comes with the first one.
    dom0.modules.insert("ixgbe".to_string(), Map::new());
    match dom0.running {
        Backend::Bridge => drop(dom0.modules.insert("bridge".to_string(), Map::new())),
        Backend::Openvswitch => drop(dom0.modules.insert("openvswitch".to_string(), Map::new())),
        Backend::None => {}
    }
    dom0.xapi = Xapi::Starting;
}

/// networkd's start.
fn networkd(shell: &mut Shell<'_>) {
    let params = modprobe::bonding_params(shell, None);
    let saved = stores::read_networkd(shell.root).unwrap_or_default();
    networkd::restore(shell.state, saved, &params);
    let every = shell.state.dom0.saves.networkd.unwrap_or_default();
    shell.state.dom0.disk.networkd_next = shell.state.dom0.clock + every;
    shell.state.dom0.disk.xapi_written = shell.state.dom0.clock;
}

/// XAPI's start.
fn xapi(shell: &mut Shell<'_>) {
    let params = modprobe::bonding_params(shell, None);
    let word = shell.read("etc/xensource/network.conf").unwrap_or_default().trim().to_string();
    let state = &mut *shell.state;
    networkd::start(state, &params);
    xe::resynchronise(shell);
    let state = &mut *shell.state;
    let me = state.dom0.me.clone();
    let running = if word == "bridge" { "bridge" } else { "openvswitch" };
    if let Some(host) = state.pool.hosts.get_mut(&me) {
        host.software_version.insert("network_backend".to_string(), running.to_string());
        host.enabled = true;
    }
    state.dom0.xapi_up_at = Some(state.dom0.clock + state.dom0.xapi_start);
    if state.dom0.xapi_start == 0 {
        state.dom0.advance(0);
        state.dom0.xapi = Xapi::Up;
        state.dom0.xapi_up_at = None;
    }
}

/// A file's `DEVICE=`, `TYPE=` or `SLAVE=`, as the service reads it: `eval $(fgrep ...)`, so
/// that a comment with the word in it swallows the rest.
fn grepped(text: &str, key: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|l| l.contains(&format!("{key}="))).collect();
    let mut vars = Map::new();
    evaluate(&lines.join(" "), &mut vars, &mut Vec::new());
    vars.remove(key).unwrap_or_default()
}

/// `service network start`.
fn network_service(shell: &mut Shell<'_>) {
    if starts(shell, "network", '3') != Some(true) {
        return;
    }
    let mut names = files(shell);
    names.retain(|n| n != "ifcfg-lo" && !n.contains(':') && !n.contains("-range"));
    order::sort(&mut names);
    // Those with a dot in their name, VLANs, come last.
    order::sort_by_key(&mut names, |name| name.contains('.'));
    for file in names {
        let text = shell.read(&format!("{FOLDER}/{file}")).unwrap_or_default();
        if grepped(&text, "SLAVE") == "yes" {
            continue;
        }
        let onboot_no = text.lines().any(|l| {
            let rest =
                l.strip_prefix("ONBOOT=").unwrap_or_default().trim_start_matches(['\'', '"']);
            rest.get(..2).is_some_and(|v| v.eq_ignore_ascii_case("no"))
        });
        if onboot_no {
            continue;
        }
        let name = file.trim_start_matches("ifcfg-").to_string();
        let status = ifup::up(shell, &[name.clone(), "boot".to_string()]);
        if status != 0 {
            shell.say(format!("Bringing up interface {name}:  [FAILED]"));
        }
    }
}

/// Starts the SysV services of ours that the runlevel has between these numbers.
fn init_scripts(shell: &mut Shell<'_>, numbers: impl std::ops::RangeBounds<u8>) {
    let mut links = shell.list("etc/rc.d/rc3.d");
    order::sort(&mut links);
    for link in links {
        let Some((number, name)) = link.strip_prefix('S').and_then(|l| l.split_at_checked(2))
        else {
            continue;
        };
        let ours = name.starts_with(paths::SERVICE_PREFIX);
        if ours && number.parse().is_ok_and(|n: u8| numbers.contains(&n)) {
            let text = shell.read(&format!("etc/rc.d/rc3.d/{link}")).unwrap_or_default();
            run_script(shell, &text);
        }
    }
}

/// The lines under `start)`, as far as they call `ifup` or the program itself.
fn run_script(shell: &mut Shell<'_>, text: &str) {
    let start = text.lines().skip_while(|l| l.trim() != "start)").skip(1);
    for line in start.map(str::trim).take_while(|l| *l != ";;") {
        let mut command = line;
        if let Some((test, rest)) = line.split_once("] ||") {
            let path = test.trim_start_matches("[ -e").trim();
            if exists(shell, path) {
                continue;
            }
            command = rest;
        }
        let words: Vec<String> =
            command.split_whitespace().filter(|w| *w != "&").map(str::to_string).collect();
        let Some((program, args)) = words.split_first() else { continue };
        match program.rsplit('/').next().unwrap_or_default() {
            "ifup" => drop(ifup::up(shell, args)),
            "xenbond" => drop(runs_itself(shell, program, args)),
            _ => {}
        }
    }
}

fn enabled_units(shell: &Shell<'_>) -> Vec<String> {
    let mut units = Vec::new();
    for folder in shell.list("etc/systemd/system") {
        if folder.ends_with(".wants") || folder.ends_with(".requires") {
            for unit in shell.list(&format!("etc/systemd/system/{folder}")) {
                // A link to a unit that is gone starts nothing.
                if unit_file(shell, &unit).is_some() && !units.contains(&unit) {
                    units.push(unit);
                }
            }
        }
    }
    units
}
