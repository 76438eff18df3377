//! The bonding driver: how it is loaded, its bonds, and what they are at first
//! (drivers/net/bonding of 3.10 and 4.19 with XenServer's SLB patch).

use std::collections::BTreeMap;

use super::options::{INVALID, NUMBERS, WORDS, is_parameter, lacks, number};
use crate::model::state::{Bond, Dom0, Flavour, Map};
use crate::net::BondMode;
use crate::order;

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

    pub(crate) fn monitored(&self) -> bool {
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

impl Dom0 {
    /// Loads the driver with these parameters, as read from the configuration. A loaded driver
    /// takes none of them.
    pub(crate) fn load_bonding(&mut self, params: &Map) -> Result<(), &'static str> {
        if self.modules.contains_key("bonding") {
            return Ok(());
        }
        if self.features.missing_modules.contains("bonding") {
            return Err("");
        }
        if self.modules.contains_key("openvswitch") && !self.modules.contains_key("bridge") {
            self.dmesg
                .push("bonding: Unknown symbol br_send_gratuitous_switch_learning_packet".into());
            return Err("Unknown symbol in module, or unknown parameter (see dmesg)");
        }
        let (mut checked, release) = (Map::new(), self.linux());
        for (key, value) in params {
            match key.as_str() {
                "max_bonds" | "tx_queues" | "debug" => {
                    value.parse::<u16>().map_err(|_| INVALID)?;
                }
                "primary" | "arp_ip_target" => {}
                "num_unsol_na" | "num_grat_arp" | "min_links" | "resend_igmp"
                | "all_slaves_active" => {
                    number(&key.replace("unsol_na", "grat_arp"), value, release)?;
                }
                _ if !is_parameter(release, key) => {
                    self.dmesg.push(format!("bonding: unknown parameter '{key}' ignored"));
                    if self.flavour == Flavour::El5 {
                        return Err("Unknown symbol in module, or unknown parameter (see dmesg)");
                    }
                    continue;
                }
                _ => {
                    let number = number(key, value, release)?;
                    if key == "mode" && number == 7 && !self.features.slb {
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

    /// The options of a new bond, as this kernel's driver has them.
    fn defaults(&self) -> BTreeMap<String, u32> {
        let words =
            WORDS.map(|(key, _)| (key, u32::from(matches!(key, "use_carrier" | "lacp_active"))));
        let numbers = NUMBERS.map(|(key, _, _, value)| (key, value));
        let all = words.into_iter().chain(numbers);
        let release = self.linux();
        order::map(all.filter(|(key, _)| !lacks(release, key)).map(|(key, n)| (key.to_string(), n)))
    }

    /// Gives bonds that a state came with the options that its kernel's driver has, no others.
    pub(crate) fn complete_options(&mut self) {
        let defaults = self.defaults();
        for bond in self.bonds.values_mut() {
            let mut options = defaults.clone();
            let kept = std::mem::take(&mut bond.options);
            options.extend(kept.into_iter().filter(|(key, _)| defaults.contains_key(key)));
            bond.options = options;
        }
    }

    /// `echo +NAME > bonding_masters`.
    pub(crate) fn create_bond(&mut self, name: &str) -> bool {
        if !self.modules.contains_key("bonding") || self.has_device(name) || name.len() > 15 {
            return false;
        }
        let mut options = self.defaults();
        if self.features.slb_default {
            options.insert("mode".to_string(), 7);
        }
        let index = self.number(name);
        let bond = Bond {
            mac: random_mac(name, self.clock + u64::from(index)),
            mtu: 1500,
            up: false,
            opened: false,
            master: None,
            options,
            arp_targets: Vec::new(),
            ad_actor_system: None,
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
}

pub(crate) fn random_mac(name: &str, salt: u64) -> String {
    let hex = crate::model::state::uuid_of(&format!("{name} {salt}"));
    format!("{}:{}:{}:{}:{}:{}", "be", &hex[0..2], &hex[2..4], &hex[4..6], &hex[6..8], &hex[9..11])
}
