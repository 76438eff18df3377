//! Which program a command is.

use super::programs::shell::Shell;
use super::programs::{ethtool, ifup, modprobe, networkd, scripts, services, vswitch};
use super::xe;

/// Runs a program by its name; its exit status.
pub(super) fn dispatch(shell: &mut Shell<'_>, program: &str, args: &[String]) -> i32 {
    match program {
        "xe" => xe::run(shell, args),
        "xe-switch-network-backend" => scripts::switch(shell, args),
        "xe-toolstack-restart" => {
            let status = scripts::restart_toolstack(shell);
            xe::resynchronise(shell);
            status
        }
        "xapi-wait-init-complete" => scripts::wait(shell, args),
        "ifup" => ifup::up(shell, args),
        "ifdown" => ifup::down(shell, args),
        "ip" => scripts::ip(shell, args),
        "brctl" => scripts::brctl(shell, args),
        "ovs-vsctl" => vswitch::vsctl(shell, args),
        "ovs-appctl" => vswitch::appctl(shell, args),
        "networkd_db" => networkd::show(shell, args),
        "modprobe" => modprobe::run(shell, args),
        "modinfo" => modprobe::info(shell, args),
        "chkconfig" => services::chkconfig(shell, args),
        "systemctl" => services::systemctl(shell, args),
        "shutdown" => {
            shell.state.dom0.reboot_requested |= args.iter().any(|a| a == "-r");
            0
        }
        "logger" | "wall" => 0,
        "arping" => scripts::arping(shell, args),
        "ping" => scripts::ping(shell, args),
        "ethtool" => ethtool::run(shell, args),
        _ => {
            shell.complain(format!("{program}: command not found"));
            127
        }
    }
}
