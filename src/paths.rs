//! Where things are on a dom0: each path of the host stands here, once.

use crate::net::IfName;

/// XAPI's inventory of the host (facts/xapi.md section E).
pub const INVENTORY: &str = "/etc/xensource-inventory";
/// The backend for the next boot, in one word.
pub const NETWORK_CONF: &str = "/etc/xensource/network.conf";
/// The boot scripts' configuration.
pub const NETWORK_SCRIPTS: &str = "/etc/sysconfig/network-scripts";
/// Read by module-init-tools, and not by kmod.
pub const MODPROBE_CONF: &str = "/etc/modprobe.conf";
/// Read by both.
pub const MODPROBE_D: &str = "/etc/modprobe.d";
/// systemd runs this host when this folder is there (`sd_booted(3)`).
pub const SYSTEMD_RUNNING: &str = "/run/systemd/system";
/// Where an administrator's units lie.
pub const SYSTEMD_UNITS: &str = "/etc/systemd/system";
/// While it is there, XAPI sets the network up anew at its next start (xapi `xapi_globs.ml`).
pub const NETWORK_RESET: &str = "/var/tmp/network-reset";
/// Where the folder of our own state is made.
pub const VAR_LIB: &str = "/var/lib";
/// Our own state.
pub const STATE: &str = "/var/lib/xenbond";

/// What the switch script writes to keep the bridge module out (facts/xapi.md section D); the
/// name with `.conf` is that of 6.5 and later.
pub const BLACKLISTS: [&str; 2] =
    ["/etc/modprobe.d/blacklist-bridge", "/etc/modprobe.d/blacklist-bridge.conf"];

/// The boot scripts' file of a device.
#[must_use]
pub fn ifcfg(device: &IfName) -> String {
    format!("{NETWORK_SCRIPTS}/ifcfg-{device}")
}

/// The bond's own file for kmod.
#[must_use]
pub fn modprobe_file(bond: &IfName) -> String {
    format!("{MODPROBE_D}/{bond}.conf")
}

/// The name of the unit that brings the bond up.
#[must_use]
pub fn unit_name(bond: &IfName) -> String {
    format!("xenbond-{bond}.service")
}

/// Its file.
#[must_use]
pub fn unit_file(bond: &IfName) -> String {
    format!("{SYSTEMD_UNITS}/{}", unit_name(bond))
}

/// The folder whose links systemd starts at boot.
#[must_use]
pub fn unit_link(bond: &IfName) -> String {
    format!("{SYSTEMD_UNITS}/multi-user.target.wants/{}", unit_name(bond))
}
