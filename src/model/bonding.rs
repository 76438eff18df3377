//! The bonding driver's options, as its sysfs files and module parameters take them
//! (drivers/net/bonding of 3.10 and 4.19 with XenServer's SLB patch). Slaves are in `slaves.rs`.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use super::state::{Bond, Dom0, Flavour, Map};
use crate::net::BondMode;

/// Why the driver refuses a value, in the words of `strerror`.
pub(super) const INVALID: &str = "Invalid argument";
const DENIED: &str = "Permission denied";
pub(super) const NOT_PERMITTED: &str = "Operation not permitted";
const NOT_EMPTY: &str = "Directory not empty";
pub(super) const BUSY: &str = "Device or resource busy";

/// Options that are words, each with its number; plain numbers have no words.
pub(crate) const WORDS: [(&str, &[&str]); 10] = [
    (
        "mode",
        &[
            "balance-rr",
            "active-backup",
            "balance-xor",
            "broadcast",
            "802.3ad",
            "balance-tlb",
            "balance-alb",
            "balance-slb",
        ],
    ),
    ("lacp_rate", &["slow", "fast"]),
    ("xmit_hash_policy", &["layer2", "layer3+4", "layer2+3", "encap2+3", "encap3+4"]),
    ("fail_over_mac", &["none", "active", "follow"]),
    ("primary_reselect", &["always", "better", "failure"]),
    ("ad_select", &["stable", "bandwidth", "count"]),
    (
        "arp_validate",
        &["none", "active", "backup", "all", "filter", "filter_active", "filter_backup"],
    ),
    ("arp_all_targets", &["any", "all"]),
    ("use_carrier", &["off", "on"]),
    ("all_slaves_active", &["off", "on"]),
];

/// Plain numbers: name, least, most, value of a new bond.
pub(crate) const NUMBERS: [(&str, u32, u32, u32); 10] = [
    ("miimon", 0, i32::MAX as u32, 0),
    ("updelay", 0, i32::MAX as u32, 0),
    ("downdelay", 0, i32::MAX as u32, 0),
    ("arp_interval", 0, i32::MAX as u32, 0),
    ("min_links", 0, i32::MAX as u32, 0),
    ("num_grat_arp", 0, 255, 1),
    ("resend_igmp", 0, 255, 1),
    ("packets_per_slave", 0, 65535, 1),
    ("lp_interval", 1, i32::MAX as u32, 1),
    ("tlb_dynamic_lb", 0, 1, 1),
];

impl Bond {
    /// A number of an option.
    #[must_use]
    pub fn option(&self, name: &str) -> u32 {
        self.options.get(name).copied().unwrap_or_default()
    }

    /// The mode.
    #[must_use]
    pub fn mode(&self) -> BondMode {
        BondMode::ALL[self.option("mode") as usize % 8]
    }

    pub(super) fn monitored(&self) -> bool {
        self.option("miimon") > 0 || self.option("arp_interval") > 0
    }

    /// The bond's own carrier.
    #[must_use]
    pub fn carrier(&self) -> bool {
        let up = self.slaves.iter().filter(|s| s.status != "down").count();
        let least =
            if self.mode() == BondMode::Ieee8023ad { self.option("min_links").max(1) } else { 1 };
        up >= least as usize
    }

    /// `primary_slave`: the primary, when it is a slave.
    #[must_use]
    pub fn primary_slave(&self) -> Option<&str> {
        let name = self.primary.as_deref()?;
        self.slaves.iter().any(|s| s.name == name).then_some(name)
    }
}

/// The number of an option's value, given as word or number.
fn number(key: &str, value: &str, kernel: Flavour) -> Result<u32, &'static str> {
    let value = value.trim();
    if let Some((_, words)) = WORDS.iter().find(|(name, _)| *name == key) {
        let known =
            if key == "xmit_hash_policy" && kernel == Flavour::El5 { 3 } else { words.len() };
        let by_word = words.iter().take(known).position(|w| *w == value);
        let by_number = value.parse().ok().filter(|n| *n < known);
        return by_word.or(by_number).map(|n| n as u32).ok_or(INVALID);
    }
    let (_, least, most, _) = NUMBERS.iter().find(|(name, ..)| *name == key).ok_or(INVALID)?;
    value.parse().ok().filter(|n| (*least..=*most).contains(n)).ok_or(INVALID)
}

/// Options that this kernel's driver does not have at all.
pub(super) fn lacks(kernel: Flavour, key: &str) -> bool {
    let late = ["packets_per_slave", "lp_interval", "tlb_dynamic_lb", "arp_all_targets"];
    kernel == Flavour::El5 && late.contains(&key)
}

impl Dom0 {
    /// Loads the driver with these parameters, as read from the configuration. A loaded driver
    /// takes none of them.
    pub(super) fn load_bonding(&mut self, params: &Map) -> Result<(), &'static str> {
        if self.modules.contains_key("bonding") {
            return Ok(());
        }
        if self.modules.contains_key("openvswitch") && !self.modules.contains_key("bridge") {
            self.dmesg
                .push("bonding: Unknown symbol br_send_gratuitous_switch_learning_packet".into());
            return Err("Unknown symbol in module, or unknown parameter (see dmesg)");
        }
        let mut checked = Map::new();
        for (key, value) in params {
            match key.as_str() {
                "max_bonds" | "tx_queues" | "debug" => {
                    value.parse::<u16>().map_err(|_| INVALID)?;
                }
                "primary" | "arp_ip_target" => {}
                "num_unsol_na" | "num_grat_arp" | "min_links" | "resend_igmp"
                | "all_slaves_active" => {
                    number(&key.replace("unsol_na", "grat_arp"), value, self.flavour)?;
                }
                _ if lacks(self.flavour, key)
                    || number(key, "0", self.flavour).is_err() && key != "lp_interval" =>
                {
                    self.dmesg.push(format!("bonding: unknown parameter '{key}' ignored"));
                    if self.flavour == Flavour::El5 {
                        return Err("Unknown symbol in module, or unknown parameter (see dmesg)");
                    }
                    continue;
                }
                _ => {
                    number(key, value, self.flavour)?;
                    if key == "mode" && number(key, value, self.flavour)? == 7 && !self.features.slb
                    {
                        self.dmesg
                            .push(format!("bonding: Error: Invalid bonding mode \"{value}\""));
                        return Err(INVALID);
                    }
                }
            }
            checked.insert(key.clone(), value.clone());
        }
        let bonds = checked.get("max_bonds").and_then(|n| n.parse().ok()).unwrap_or(1);
        self.modules.insert("bonding".to_string(), checked);
        self.modules.entry("bridge".to_string()).or_default();
        for n in 0..bonds {
            self.create_bond(&format!("bond{n}"));
        }
        Ok(())
    }

    /// `echo +NAME > bonding_masters`.
    pub(crate) fn create_bond(&mut self, name: &str) -> bool {
        if !self.modules.contains_key("bonding") || self.has_device(name) || name.len() > 15 {
            return false;
        }
        let mut options = BTreeMap::new();
        for (key, _) in WORDS {
            options.insert(key.to_string(), 0);
        }
        for (key, _, _, value) in NUMBERS {
            options.insert(key.to_string(), value);
        }
        options.insert("use_carrier".to_string(), 1);
        if self.features.slb_default {
            options.insert("mode".to_string(), 7);
        }
        options.retain(|key, _| !lacks(self.flavour, key));
        let index = self.number(name);
        let bond = Bond {
            mac: random_mac(name, self.clock + u64::from(index)),
            mtu: 1500,
            up: false,
            opened: false,
            master: None,
            options,
            arp_targets: Vec::new(),
            primary: None,
            active: None,
            slaves: Vec::new(),
        };
        self.bonds.insert(name.to_string(), bond);
        let params = self.modules.get("bonding").cloned().unwrap_or_default();
        // bond_check_params: mode and miimon first, then what depends on them.
        for key in ["mode", "miimon"].into_iter().chain(params.keys().map(String::as_str)) {
            if let Some(value) = params.get(key)
                && !(key == "arp_interval" && params.get("miimon").is_some_and(|m| m != "0"))
            {
                let _ = self.set_option(name, key, value);
            }
        }
        let forced =
            self.bonds.get_mut(name).filter(|b| b.option("mode") >= 4 && b.option("mode") <= 6);
        if let Some(bond) = forced.filter(|b| b.option("miimon") == 0) {
            bond.options.insert("miimon".to_string(), 100);
        }
        true
    }

    /// `echo VALUE > bonding/KEY`.
    pub(crate) fn set_option(
        &mut self,
        name: &str,
        key: &str,
        value: &str,
    ) -> Result<(), &'static str> {
        let (kernel, slb) = (self.flavour, self.features.slb);
        let nic_names: Vec<String> = self.nics.keys().cloned().collect();
        let Some(bond) = self.bonds.get_mut(name) else { return Err("No such file or directory") };
        let key = if key == "num_unsol_na" { "num_grat_arp" } else { key };
        if lacks(kernel, key) {
            return Err("No such file or directory");
        }
        let (mode, old) = (bond.option("mode"), kernel == Flavour::El5);
        match key {
            "primary" => {
                if !(mode == 1 || mode == 5 || mode == 6 || (mode == 7 && old)) {
                    return Err(if old { INVALID } else { DENIED });
                }
                bond.primary = Some(value.trim().to_string()).filter(|v| !v.is_empty());
                bond.choose_active(true);
                self.settle();
                return Ok(());
            }
            "active_slave" => {
                if !(mode == 1 || mode == 5 || mode == 6 || (mode == 7 && old)) {
                    return Err(if old { INVALID } else { DENIED });
                }
                let want = value.trim();
                if !bond.slaves.iter().any(|s| s.name == want && s.status == "up") {
                    return Err(INVALID);
                }
                bond.active = Some(want.to_string());
                return Ok(());
            }
            "arp_ip_target" => return target(bond, value, old),
            "slaves" => {
                return match value.trim().split_at_checked(1) {
                    Some(("+", nic)) if nic_names.iter().any(|n| n == nic) => {
                        self.enslave(name, nic)
                    }
                    Some(("-", nic)) => self.release(name, nic),
                    _ => Err(INVALID),
                };
            }
            _ => {}
        }
        let want = if key == "mode"
            || NUMBERS.iter().any(|(n, ..)| *n == key)
            || WORDS.iter().any(|(n, _)| *n == key)
        {
            number(key, value, kernel)?
        } else {
            return Err("No such file or directory");
        };
        match key {
            "mode" => {
                if want == 7 && !slb {
                    self.dmesg
                        .push(format!("bonding: {name}: Ignoring invalid mode value {value}."));
                    return Err(INVALID);
                }
                if !bond.slaves.is_empty() {
                    return Err(NOT_EMPTY);
                }
                if bond.up {
                    return Err(if old { NOT_PERMITTED } else { BUSY });
                }
                if !old && (4..=6).contains(&want) {
                    bond.options.insert("arp_interval".to_string(), 0);
                    if bond.option("miimon") == 0 {
                        bond.options.insert("miimon".to_string(), 100);
                    }
                }
            }
            "fail_over_mac" if !bond.slaves.is_empty() => {
                return Err(if old { NOT_PERMITTED } else { NOT_EMPTY });
            }
            "lacp_rate" if mode != 4 => return Err(DENIED),
            "lacp_rate" | "ad_select" | "xmit_hash_policy"
                if bond.up && (old || key == "ad_select") =>
            {
                return Err(if old { NOT_PERMITTED } else { BUSY });
            }
            "updelay" | "downdelay" => {
                let miimon = bond.option("miimon");
                if miimon == 0 {
                    return Err(NOT_PERMITTED);
                }
                bond.options.insert(key.to_string(), want / miimon);
                return Ok(());
            }
            "miimon" if want > 0 => {
                bond.options.insert("arp_interval".to_string(), 0);
                bond.options.insert("arp_validate".to_string(), 0);
            }
            "arp_interval" => {
                if (4..=6).contains(&mode) {
                    return Err(if old { INVALID } else { DENIED });
                }
                if want > 0 {
                    bond.options.insert("miimon".to_string(), 0);
                }
            }
            "arp_validate"
                if want > 0 && (if old { mode != 1 } else { (4..=6).contains(&mode) }) =>
            {
                return Err(if old { INVALID } else { DENIED });
            }
            "packets_per_slave" if mode != 0 => return Err(DENIED),
            "tlb_dynamic_lb" if mode != 5 => return Err(DENIED),
            "tlb_dynamic_lb" if bond.up => return Err(BUSY),
            _ => {}
        }
        bond.options.insert(key.to_string(), want);
        self.settle();
        Ok(())
    }
}

fn target(bond: &mut Bond, value: &str, old: bool) -> Result<(), &'static str> {
    if !old && (4..=6).contains(&bond.option("mode")) {
        return Err(DENIED);
    }
    let value = value.trim();
    let (remove, ip) = match value.split_at_checked(1) {
        Some(("-", ip)) => (true, ip),
        Some(("+", ip)) => (false, ip),
        _ => (false, value),
    };
    if !ip.parse::<Ipv4Addr>().is_ok_and(|ip| !ip.is_unspecified() && !ip.is_broadcast()) {
        return Err(INVALID);
    }
    let known = bond.arp_targets.iter().position(|t| t == ip);
    match (remove, known) {
        (false, None) if bond.arp_targets.len() < 16 => bond.arp_targets.push(ip.to_string()),
        (true, Some(at)) => {
            bond.arp_targets.remove(at);
        }
        _ => return Err(INVALID),
    }
    Ok(())
}

pub(super) fn random_mac(name: &str, salt: u64) -> String {
    let hex = super::state::uuid_of(&format!("{name} {salt}"));
    format!("{}:{}:{}:{}:{}:{}", "be", &hex[0..2], &hex[2..4], &hex[4..6], &hex[6..8], &hex[9..11])
}
