//! The kernel of a dom0: its devices, addresses and routes, the bonding driver, and what all of
//! it shows under `/proc` and `/sys`. It knows no program and no file but those.

pub(super) mod bonding;
mod devices;
pub(super) mod options;
mod proc_bonding;
mod routes_text;
mod slaves;
pub(super) mod tree;
mod vlan;
mod vswitch;
