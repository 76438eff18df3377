//! The programs of a dom0 but `xe`: network scripts, `modprobe`, services, the switch script, the
//! small ones, and the daemon that XAPI has its bridges made by.

mod bonds;
pub(super) mod ethtool;
mod functions;
pub(super) mod ifcfg_shell;
pub(super) mod ifup;
pub(super) mod modprobe;
pub(super) mod networkd;
pub(super) mod scripts;
pub(super) mod services;
pub(super) mod shell;
pub(super) mod units;
mod vlan;
pub(super) mod vswitch;
