//! A spec to start from, with the NICs of the host as comments.

use serde_json::{Value, json};

use super::status::clean;
use crate::status::{Candidates, NicView};

/// What stands below the NICs: keys that a storage network may need, in comments.
const KEYS: &str = "\
; This host's address in the storage network. It must be given.
; address = 172.16.51.11/24
; active-backup asks nothing of the switch; 802.3ad asks for LACP on all ports.
mode = active-backup
; Where it is not 1500: the switch and the servers must have it as well.
; mtu = 9000
; Storage servers that must answer through the bond.
; probes = 172.16.51.2:2049
; The tag, where the storage network has one.
; vlan = 51
; Networks behind a router of the storage network.
; routes = 10.99.0.0/16 via 172.16.51.1
; keep: the host stays on the backend that it has.
; backend = bridge
";

/// The spec as the text of a file, which wants an address.
#[must_use]
pub fn init(all: &Candidates) -> String {
    let host = all.host.as_deref().map_or("this host".into(), clean);
    let mut text = format!(
        "; A spec to start from, for {host}. Give it an address; then:\n;   xenbond plan --spec FILE\n"
    );
    for (title, nics) in
        [("NICs that are free for a bond", &all.free), ("NICs that are held", &all.held)]
    {
        text.push_str(&format!(";\n; {title}:\n"));
        if nics.is_empty() {
            text.push_str(";   none\n");
        }
        text.extend(nics.iter().map(|one| format!(";   {}\n", nic(one))));
    }
    text.push_str(&format!("\n[bond]\nname = {}\n", all.bond));
    let nics = all.nics.join(", ");
    match all.nics.len() {
        2 => text.push_str(&format!("nics = {nics}\n")),
        _ => text.push_str(&format!("; A bond needs two NICs or more.\n; nics = {nics}\n")),
    }
    text.push_str(KEYS);
    text
}

/// A NIC in a line.
fn nic(nic: &NicView) -> String {
    let link = match (nic.link, nic.speed_mbps) {
        (Some("up"), Some(speed)) => format!("{speed} Mb/s"),
        (Some("up"), None) => "up".into(),
        (Some(_), _) => "no link".into(),
        (None, _) => "link unknown".into(),
    };
    let dash = || "-".to_string();
    let mut words = vec![
        clean(&nic.device),
        nic.mac.clone().unwrap_or_else(dash),
        link,
        nic.driver.as_deref().map_or_else(dash, clean),
    ];
    words.extend(Some(nic.used_by.join("; ")).filter(|uses| !uses.is_empty()).map(|u| clean(&u)));
    words.join("  ")
}

/// `init --json`
#[must_use]
pub fn init_json(all: &Candidates) -> Value {
    json!({"host": all.host, "free": all.free, "held": all.held, "spec": init(all)})
}
