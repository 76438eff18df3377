//! Open vSwitch's bonds over time: which members are enabled, which one is active, and what gets
//! out (tests/ground/ovs.md, D1 to D3).

use std::net::Ipv4Addr;

use crate::model::state::{Dom0, Flavour, VsBond, VsMember};

/// How long a partner takes to be heard.
const LACP: u64 = 1000;

impl VsBond {
    /// Whether LACP is on.
    #[must_use]
    pub fn has_lacp(&self) -> bool {
        self.lacp != "off"
    }

    /// Whether it works as active-backup while no partner answers.
    #[must_use]
    pub fn falls_back(&self) -> bool {
        self.other_config.get("lacp-fallback-ab").is_some_and(|word| word == "true")
    }

    /// The member that is to be the active one where it can, from 2.14 on.
    #[must_use]
    pub fn primary(&self) -> Option<&str> {
        self.other_config.get("bond-primary").map(String::as_str)
    }

    fn enabled(&self, name: &str) -> bool {
        self.members.iter().any(|member| member.name == name && member.enabled)
    }
}

impl Dom0 {
    /// Whether the partner of a member is heard.
    #[must_use]
    pub fn hears_partner(&self, member: &VsMember) -> bool {
        let speaks = self.wire.lacp.contains(&member.name) && self.carrier(&member.name);
        speaks && member.heard_at.is_some_and(|at| at <= self.clock)
    }

    /// Whether LACP has come to an agreement.
    #[must_use]
    pub fn is_negotiated(&self, bond: &VsBond) -> bool {
        bond.has_lacp() && bond.members.iter().any(|member| self.hears_partner(member))
    }

    /// What `enabled` is to be, once the delays have run.
    #[must_use]
    pub fn may_enable(&self, bond: &VsBond, member: &VsMember) -> bool {
        let link = self.carrier(&member.name);
        match (bond.has_lacp(), self.is_negotiated(bond)) {
            (false, _) => link,
            (true, true) => link && self.hears_partner(member),
            (true, false) => link && bond.falls_back(),
        }
    }

    /// Brings every member's state to what the links, the partner and the clock say.
    pub(super) fn settle_vswitch(&mut self) {
        let now = self.clock;
        for name in self.vswitch.keys().cloned().collect::<Vec<_>>() {
            let Some(mut bond) = self.vswitch.get(&name).cloned() else { continue };
            for member in &mut bond.members {
                let link = self.carrier(&member.name);
                member.heard_at = if link { member.heard_at.or(Some(now + LACP)) } else { None };
            }
            let may: Vec<bool> = bond.members.iter().map(|m| self.may_enable(&bond, m)).collect();
            // Up to 2.10 the delays are printed and not used while LACP is on.
            let plain = bond.has_lacp() && self.flavour == Flavour::El5;
            let (up, down) = if plain { (0, 0) } else { (bond.updelay, bond.downdelay) };
            for (member, may) in bond.members.iter_mut().zip(&may) {
                if member.enabled == *may {
                    member.until = None;
                    continue;
                }
                let delay = if *may { up } else { down };
                let until = *member.until.get_or_insert(now + delay);
                if until <= now {
                    (member.enabled, member.until) = (*may, None);
                }
            }
            // With nobody to carry anything the shortest delay is skipped.
            if bond.members.iter().all(|member| !member.enabled) {
                let waiting = bond.members.iter_mut().filter(|m| m.until.is_some());
                if let Some(member) = waiting.min_by_key(|m| m.until) {
                    (member.enabled, member.until) = (true, None);
                }
            }
            let first = bond.members.iter().find(|m| m.enabled).map(|m| m.name.clone());
            let primary = bond.primary().filter(|name| bond.enabled(name)).map(String::from);
            let active = bond.active.take().filter(|name| bond.enabled(name));
            bond.active = primary.or(active).or(first);
            self.vswitch.insert(name, bond);
        }
    }

    /// Whether something of Open vSwitch's bonds changes by itself.
    #[must_use]
    pub fn vswitch_waits(&self) -> bool {
        let mut members = self.vswitch.values().flat_map(|bond| &bond.members);
        members.any(|m| m.until.is_some() || m.heard_at.is_some_and(|at| at > self.clock))
    }

    /// Whether the bond that is a port of this bridge, if there is one, passes a frame.
    pub(super) fn vswitch_passes(&self, bridge: &str, to: Option<Ipv4Addr>) -> bool {
        let vlan = self.networkd.bridge_config.get(bridge).and_then(|config| config.vlan.as_ref());
        let bridge = vlan.map_or(bridge, |(parent, _)| parent.as_str());
        let passes = |name: &str| self.carrier(name) && self.passes(name, to);
        let Some(bond) = self.vswitch.values().find(|bond| bond.bridge == bridge) else {
            let config = self.networkd.bridge_config.get(bridge);
            let nics =
                config.into_iter().flat_map(|c| c.ports.values()).flat_map(|p| &p.interfaces);
            let mut nics = nics.filter(|nic| self.nics.contains_key(*nic)).peekable();
            return nics.peek().is_none() || nics.any(|nic| passes(nic));
        };
        let alone = bond.mode == "active-backup" || bond.has_lacp() && !self.is_negotiated(bond);
        let mut used = bond.members.iter().filter(|m| m.enabled).peekable();
        if alone {
            return bond.active.as_deref().is_some_and(passes);
        }
        used.peek().is_some() && used.all(|member| passes(&member.name))
    }
}
