//! The bonding driver's slaves: joining, leaving, and their link states over time.

use super::bonding::random_mac;
use super::options::{BUSY, INVALID, NOT_PERMITTED};
use crate::model::state::{Bond, Dom0, Flavour, Slave};
use crate::net::BondMode;

impl Dom0 {
    /// `echo +NIC > bonding/slaves`.
    pub(crate) fn enslave(&mut self, name: &str, nic: &str) -> Result<(), &'static str> {
        let clock = self.clock;
        let (Some(bond), Some(card)) = (self.bonds.get_mut(name), self.nics.get_mut(nic)) else {
            return Err("No such device");
        };
        if card.master.is_some() {
            self.dmesg
                .push(format!("bonding: {name}: Error: Device is in use and cannot be enslaved"));
            return Err(BUSY);
        }
        if card.up && self.flavour == Flavour::El5 {
            self.dmesg.push(format!("{nic} is up. This may be due to an out of date ifenslave."));
            return Err(NOT_PERMITTED);
        }
        if bond.mtu > card.max_mtu {
            return Err(INVALID);
        }
        let (own_mac, own_mtu) = (card.mac.clone(), card.mtu);
        if bond.slaves.is_empty() {
            bond.mac.clone_from(&own_mac);
        }
        let keeps = bond.mode() == BondMode::BalanceAlb || bond.option("fail_over_mac") > 0;
        if !keeps || bond.slaves.is_empty() {
            card.mac.clone_from(&bond.mac);
        }
        card.mtu = bond.mtu;
        card.up = true;
        card.master = Some(name.to_string());
        let delay = u64::from(bond.option("updelay") * bond.option("miimon"));
        let (status, until) = match (bond.monitored(), card.link) {
            (true, false) => ("down", None),
            (true, true) if bond.option("miimon") > 0 && delay > 0 => {
                ("going back", Some(clock + delay))
            }
            _ => ("up", None),
        };
        bond.slaves.push(Slave {
            name: nic.to_string(),
            status: status.to_string(),
            until,
            lacp_at: clock + 2000,
            failures: 0,
            own_mac,
            own_mtu,
        });
        self.settle();
        Ok(())
    }

    /// `echo -NIC > bonding/slaves`.
    pub(crate) fn release(&mut self, name: &str, nic: &str) -> Result<(), &'static str> {
        let clock = self.clock;
        let Some(bond) = self.bonds.get_mut(name) else { return Err("No such device") };
        let Some(at) = bond.slaves.iter().position(|s| s.name == nic) else { return Err(INVALID) };
        let slave = bond.slaves.remove(at);
        if bond.slaves.is_empty() {
            bond.mac = random_mac(name, clock + 7);
        }
        if let Some(card) = self.nics.get_mut(nic) {
            card.mac = slave.own_mac;
            card.mtu = slave.own_mtu;
            card.up = false;
            card.master = None;
        }
        self.settle();
        Ok(())
    }

    pub(crate) fn delete_bond(&mut self, name: &str) {
        let slaves: Vec<String> = self
            .bonds
            .get(name)
            .map(|b| b.slaves.iter().map(|s| s.name.clone()).collect())
            .unwrap_or_default();
        for nic in slaves {
            let _ = self.release(name, &nic);
        }
        self.drop_device(name);
    }

    /// Brings every slave's state to what the links and the clock say.
    pub(crate) fn settle(&mut self) {
        let now = self.clock;
        for bond in self.bonds.values_mut() {
            let miimon = bond.option("miimon");
            let delay = |key: &str| u64::from(bond.option(key) * miimon);
            let (up_delay, down_delay) = (delay("updelay"), delay("downdelay"));
            let lacp = bond.mode() == BondMode::Ieee8023ad;
            let monitored = bond.monitored() && bond.up;
            for at in 0..bond.slaves.len() {
                // bond_miimon_inspect: without an active slave (mode 4 has none) no updelay.
                let no_active = lacp || bond.active.is_none();
                let slave = &mut bond.slaves[at];
                let link = self.nics.get(&slave.name).is_some_and(|n| n.link && n.up);
                let due = slave.until.is_some_and(|at| at <= now);
                let (status, until) = match (slave.status.as_str(), link) {
                    _ if !monitored => continue,
                    ("up", false) if down_delay > 0 && miimon > 0 => {
                        ("going down", Some(now + down_delay))
                    }
                    ("up", false) => ("down", None),
                    ("going down", true) => ("up", None),
                    ("going down", false) if due => ("down", None),
                    ("down", true) if up_delay > 0 && miimon > 0 && !no_active => {
                        ("going back", Some(now + up_delay))
                    }
                    ("down", true) => ("up", None),
                    ("going back", false) => ("down", None),
                    ("going back", true) if due || no_active => ("up", None),
                    _ => continue,
                };
                if status == "down" && slave.status != "going back" {
                    slave.failures += 1;
                }
                if status == "up" && slave.status != "going down" {
                    slave.lacp_at = slave.lacp_at.max(now + 1000);
                }
                slave.status = status.to_string();
                slave.until = until;
                bond.choose_active(true);
            }
            bond.choose_active(false);
            if bond.option("fail_over_mac") == 1
                && let Some(mac) =
                    bond.active.as_ref().and_then(|a| self.nics.get(a)).map(|n| n.mac.clone())
            {
                bond.mac = mac;
            }
        }
        self.settle_vswitch();
    }
}

impl Bond {
    /// The driver looks for a better slave when a link or the primary changed; a slave that was
    /// made active by hand stays until then.
    pub(crate) fn choose_active(&mut self, changed: bool) {
        let usable = |name: &str| {
            self.slaves
                .iter()
                .any(|s| s.name == name && (s.status == "up" || s.status == "going down"))
        };
        let current = self.active.take().filter(|a| usable(a));
        let primary = self.primary_slave().filter(|p| usable(p)).map(str::to_string);
        let first = self.slaves.iter().find(|s| s.status == "up").map(|s| s.name.clone());
        self.active = match (primary, current) {
            (Some(primary), None) => Some(primary),
            (Some(primary), Some(_)) if changed && self.option("primary_reselect") == 0 => {
                Some(primary)
            }
            (_, Some(current)) => Some(current),
            (None, None) => first,
        };
    }
}
