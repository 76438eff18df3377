//! Where things are on a dom0: each path of the host stands here, once.

use crate::net::IfName;

/// XAPI's inventory of the host (tests/ground/xapi.md, E1).
pub const INVENTORY: &str = "/etc/xensource-inventory";
/// The backend for the next boot, in one word.
pub const NETWORK_CONF: &str = "/etc/xensource/network.conf";
/// The boot scripts' configuration.
pub const NETWORK_SCRIPTS: &str = "/etc/sysconfig/network-scripts";
/// Module options that module-init-tools reads, and not kmod.
pub const MODPROBE_CONF: &str = "/etc/modprobe.conf";
/// The folder of module options that both read.
pub const MODPROBE_D: &str = "/etc/modprobe.d";
/// systemd runs this host when this folder is there (`sd_booted(3)`).
pub const SYSTEMD_RUNNING: &str = "/run/systemd/system";
/// Where an administrator's units lie.
pub const SYSTEMD_UNITS: &str = "/etc/systemd/system";
/// While it is there, XAPI sets the network up anew at its next start (xapi `xapi_globs.ml`).
pub const NETWORK_RESET: &str = "/var/tmp/network-reset";
/// Where the folder of our own state is made.
pub const VAR_LIB: &str = "/var/lib";
/// The folder whose links systemd starts at boot.
pub const SYSTEMD_WANTS: &str = "/etc/systemd/system/multi-user.target.wants";
/// Where SysV init scripts lie.
pub const INIT_SCRIPTS: &str = "/etc/rc.d/init.d";
/// The links of the runlevel that a dom0 boots into.
pub const RUNLEVEL_3: &str = "/etc/rc.d/rc3.d";
/// How the names of the services begin that the switch script turns on and off
/// (tests/ground/xapi.md, D2).
pub const SWITCH_SERVICES: &str = "openvswitch";
/// How the names of our own services begin.
pub const SERVICE_PREFIX: &str = "xenbond-";
/// Our own state.
pub const STATE: &str = "/var/lib/xenbond";
/// Names the file of XAPI's database (xapi `parse_db_conf.ml`).
pub const DB_CONF: &str = "/etc/xensource/db.conf";
/// What networkd makes at its start (xcp-networkd `network_config.ml`).
pub const NETWORKD_DB: &str = "/var/lib/xcp/networkd.db";
/// Where the driver shows its bonds.
pub const PROC_BONDING: &str = "/proc/net/bonding";
/// Where the kernel shows its devices.
pub const SYS_NET: &str = "/sys/class/net";
/// What is another one after each boot.
pub const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
/// The program itself, while a transaction is open that a boot must go on with.
pub const BIN: &str = "/var/lib/xenbond/bin";

/// What the switch script writes to keep the bridge module out (tests/ground/xapi.md, D2); the
/// name with `.conf` is that of 6.5 and later.
pub const BLACKLISTS: [&str; 2] =
    ["/etc/modprobe.d/blacklist-bridge", "/etc/modprobe.d/blacklist-bridge.conf"];

/// The folders of the SysV runlevels' links.
pub fn runlevels() -> impl Iterator<Item = String> {
    (0..=6).map(|level| format!("/etc/rc.d/rc{level}.d"))
}

/// Whether a path is a link by which the boot starts what the switch script turns on and off.
#[must_use]
pub fn is_switch_link(path: &str) -> bool {
    match path.strip_prefix("/etc/rc.d/rc") {
        Some(link) => link.ends_with(SWITCH_SERVICES),
        None => path
            .strip_prefix(SYSTEMD_WANTS)
            .is_some_and(|name| name.trim_start_matches('/').starts_with(SWITCH_SERVICES)),
    }
}

/// The boot scripts' file of a device.
#[must_use]
pub fn ifcfg(device: &str) -> String {
    format!("{NETWORK_SCRIPTS}/ifcfg-{device}")
}

/// The boot scripts' file of the routes through a device.
#[must_use]
pub fn routes(device: &str) -> String {
    format!("{NETWORK_SCRIPTS}/route-{device}")
}

/// The bond's own file for kmod.
#[must_use]
pub fn modprobe_file(bond: &IfName) -> String {
    format!("{MODPROBE_D}/{bond}.conf")
}

/// What the driver says of a bond.
#[must_use]
pub fn proc_bonding(bond: &str) -> String {
    format!("{PROC_BONDING}/{bond}")
}

/// The kernel's folder of a device.
#[must_use]
pub fn sys_net(device: &str) -> String {
    format!("{SYS_NET}/{device}")
}

/// How the file of an original is called in `originals/`: no two paths alike.
#[must_use]
pub fn original_name(path: &str) -> String {
    let path = path.trim_start_matches('/');
    path.replace('%', "%25").replace('_', "%5F").replace('/', "_")
}

/// Whether modprobe reads its lines there, and people write them.
#[must_use]
pub fn is_modprobe(path: &str) -> bool {
    path == MODPROBE_CONF || path.starts_with("/etc/modprobe.d/")
}

/// Whether the path is one of a file that xenbond shares with others.
#[must_use]
pub fn is_shared(path: &str) -> bool {
    path == MODPROBE_CONF
}
