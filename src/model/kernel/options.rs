//! The bonding driver's options, as its sysfs files and module parameters take them
//! (drivers/net/bonding of 3.10 and 4.19 with XenServer's SLB patch, and up to 6.12 where a state's
//! kernel is as new): which there are, and when the driver refuses a value
//! (tests/ground/options.md, A and B).

use std::net::Ipv4Addr;

use crate::model::state::{Bond, Dom0, Flavour};
use crate::net::MacAddr;

/// Why the driver refuses a value, in the words of `strerror`.
pub(crate) const INVALID: &str = "Invalid argument";
const DENIED: &str = "Permission denied";
pub(crate) const NOT_PERMITTED: &str = "Operation not permitted";
const NOT_EMPTY: &str = "Directory not empty";
pub(crate) const BUSY: &str = "Device or resource busy";

/// Options that are words, each with its number; plain numbers have no words.
pub const WORDS: [(&str, &[&str]); 11] = [
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
    (
        "xmit_hash_policy",
        &["layer2", "layer3+4", "layer2+3", "encap2+3", "encap3+4", "vlan+srcmac"],
    ),
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
    ("lacp_active", &["off", "on"]),
];

/// Plain numbers: name, least, most, value of a new bond.
pub const NUMBERS: [(&str, u32, u32, u32); 14] = [
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
    ("peer_notif_delay", 0, 300_000, 0),
    ("arp_missed_max", 1, 255, 2),
    ("ad_actor_sys_prio", 1, 65535, 65535),
    ("ad_user_port_key", 0, 1023, 0),
];

/// The release of Linux that has an option first, where that is not the oldest.
const SINCE: [(&str, (u16, u16)); 10] = [
    ("arp_all_targets", (3, 11)),
    ("lp_interval", (3, 13)),
    ("packets_per_slave", (3, 14)),
    ("tlb_dynamic_lb", (3, 16)),
    ("ad_actor_sys_prio", (4, 2)),
    ("ad_actor_system", (4, 2)),
    ("ad_user_port_key", (4, 2)),
    ("peer_notif_delay", (5, 3)),
    ("lacp_active", (5, 15)),
    ("arp_missed_max", (5, 17)),
];

/// How many words an option has from which release on.
const WORDS_OF: [(&str, (u16, u16), usize); 4] = [
    ("xmit_hash_policy", (3, 12), 3),
    ("xmit_hash_policy", (5, 12), 5),
    ("arp_validate", (3, 15), 4),
    ("mode", (0, 0), 8),
];

/// Options that the module does not take as parameters.
const FILES_ONLY: [&str; 7] = [
    "tlb_dynamic_lb",
    "peer_notif_delay",
    "arp_missed_max",
    "lacp_active",
    "ad_actor_sys_prio",
    "ad_actor_system",
    "ad_user_port_key",
];

/// The options that this release has and older ones have not, with whether each is a parameter of
/// the module.
pub(crate) fn young(release: (u16, u16)) -> impl Iterator<Item = (&'static str, bool)> {
    let here = SINCE.iter().filter(move |(_, since)| *since <= release);
    here.map(|(name, _)| (*name, !FILES_ONLY.contains(name)))
}

/// The words of an option that this release knows.
pub(crate) fn words(key: &str, release: (u16, u16)) -> Option<&'static [&'static str]> {
    let (_, words) = WORDS.iter().find(|(name, _)| *name == key)?;
    let fewer = WORDS_OF.iter().find(|(name, until, _)| *name == key && release < *until);
    Some(&words[..fewer.map_or(words.len(), |(.., known)| *known)])
}

/// The number of an option's value, given as word or number.
pub(crate) fn number(key: &str, value: &str, release: (u16, u16)) -> Result<u32, &'static str> {
    let value = value.trim();
    if let Some(words) = words(key, release) {
        // Before 3.14 these were read as plain numbers.
        let numbers_only = release < (3, 14) && matches!(key, "use_carrier" | "all_slaves_active");
        let by_word = words.iter().position(|w| *w == value).filter(|_| !numbers_only);
        let by_number = value.parse().ok().filter(|n| *n < words.len());
        return by_word.or(by_number).map(|n| n as u32).ok_or(INVALID);
    }
    let (_, least, most, _) = NUMBERS.iter().find(|(name, ..)| *name == key).ok_or(INVALID)?;
    value.parse().ok().filter(|n| (*least..=*most).contains(n)).ok_or(INVALID)
}

/// Options that this kernel's driver does not have at all.
pub(crate) fn lacks(release: (u16, u16), key: &str) -> bool {
    SINCE.iter().any(|(name, since)| *name == key && release < *since)
}

/// Whether the module of this kernel takes it as a parameter.
pub(crate) fn is_parameter(release: (u16, u16), key: &str) -> bool {
    let known = WORDS.iter().map(|(name, _)| *name).chain(NUMBERS.iter().map(|(name, ..)| *name));
    let mut known = known.chain(["primary", "arp_ip_target"]);
    known.any(|name| name == key) && !lacks(release, key) && !FILES_ONLY.contains(&key)
}

/// How `strerror` says that the driver has no such option.
const MISSING: &str = "No such file or directory";

/// What a value may depend on besides the bond.
struct Driver {
    /// That of 3.10.
    old: bool,
    /// The kernel's release.
    release: (u16, u16),
    /// It has mode 7.
    slb: bool,
}

impl Driver {
    /// Whether this mode has an active slave that can be chosen.
    fn chooses(&self, mode: u32) -> bool {
        matches!(mode, 1 | 5 | 6) || (mode == 7 && self.old)
    }

    /// The word for a state that does not allow it: 3.10 has fewer of them.
    fn either(&self, old: &'static str, new: &'static str) -> &'static str {
        if self.old { old } else { new }
    }

    /// Why the driver does not take this number now.
    fn refusal(&self, bond: &Bond, key: &str, want: u32) -> Option<&'static str> {
        let mode = bond.option("mode");
        let no_arp = (4..=6).contains(&mode);
        let (bad, word): (bool, &'static str) = match key {
            "mode" if want == 7 && !self.slb => (true, INVALID),
            "mode" if !bond.slaves.is_empty() => (true, NOT_EMPTY),
            "mode" => (bond.up, self.either(NOT_PERMITTED, BUSY)),
            "fail_over_mac" => (!bond.slaves.is_empty(), self.either(NOT_PERMITTED, NOT_EMPTY)),
            "lacp_rate" if mode != 4 => (true, DENIED),
            "xmit_hash_policy" => (bond.up && self.old, NOT_PERMITTED),
            "lacp_rate" | "ad_select" => (bond.up, self.either(NOT_PERMITTED, BUSY)),
            "updelay" | "downdelay" => (bond.option("miimon") == 0, NOT_PERMITTED),
            "arp_interval" => (no_arp, self.either(INVALID, DENIED)),
            "arp_validate" => {
                let refused = if self.old { mode != 1 } else { no_arp };
                (want > 0 && refused, self.either(INVALID, DENIED))
            }
            "peer_notif_delay" => (bond.option("miimon") == 0, NOT_PERMITTED),
            "arp_missed_max" => (no_arp, DENIED),
            "packets_per_slave" => (mode != 0, DENIED),
            "tlb_dynamic_lb" if mode != 5 && (mode != 6 || self.release < (4, 18)) => {
                (true, DENIED)
            }
            "tlb_dynamic_lb" => (bond.up, BUSY),
            "lacp_active" | "ad_actor_sys_prio" | "ad_user_port_key" if mode != 4 => (true, DENIED),
            "lacp_active" | "ad_user_port_key" => (bond.up, BUSY),
            "ad_actor_sys_prio" => (bond.up && self.release < (5, 2), BUSY),
            _ => return None,
        };
        bad.then_some(word)
    }

    /// Takes the LACP system's address, which must be that of a station.
    fn actor_system(&self, bond: &mut Bond, value: &str) -> Result<(), &'static str> {
        if bond.option("mode") != 4 {
            return Err(DENIED);
        }
        if bond.up && self.release < (5, 2) {
            return Err(BUSY);
        }
        let mac: MacAddr = value.parse().map_err(|_| INVALID)?;
        bond.ad_actor_system = Some(mac.to_string());
        Ok(())
    }

    /// Takes a number, with what the driver alters by the way.
    fn take(&self, bond: &mut Bond, key: &str, want: u32) {
        let miimon = bond.option("miimon");
        let also: &[(&str, u32)] = match key {
            "mode" if !self.old && (4..=6).contains(&want) && miimon == 0 => {
                &[("arp_interval", 0), ("miimon", 100)]
            }
            "mode" if !self.old && (4..=6).contains(&want) => &[("arp_interval", 0)],
            "miimon" if want > 0 => &[("arp_interval", 0), ("arp_validate", 0)],
            "arp_interval" if want > 0 => &[("miimon", 0)],
            _ => &[],
        };
        for (other, value) in also {
            bond.options.insert((*other).to_string(), *value);
        }
        let ticks = matches!(key, "updelay" | "downdelay" | "peer_notif_delay");
        bond.options.insert(key.to_string(), if ticks { want / miimon } else { want });
    }
}

impl Dom0 {
    /// The kernel's release, major and minor number.
    pub(crate) fn linux(&self) -> (u16, u16) {
        let mut numbers = self.kernel.split(|c: char| !c.is_ascii_digit()).map(str::parse);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(major)), Some(Ok(minor))) => (major, minor),
            _ => (3, 10),
        }
    }

    /// `echo VALUE > bonding/KEY`.
    pub(crate) fn set_option(
        &mut self,
        name: &str,
        key: &str,
        value: &str,
    ) -> Result<(), &'static str> {
        let release = self.linux();
        let old = self.flavour == Flavour::El5;
        let driver = Driver { old, release, slb: self.features.slb };
        if !self.bonds.contains_key(name) {
            return Err(MISSING);
        }
        let key = if key == "num_unsol_na" { "num_grat_arp" } else { key };
        if lacks(release, key) {
            return Err(MISSING);
        }
        match key {
            "primary" | "active_slave" => return self.choose(&driver, name, key, value.trim()),
            "slaves" => return self.alter_slaves(name, value.trim()),
            _ => {}
        }
        let Some(bond) = self.bonds.get_mut(name) else { return Err(MISSING) };
        match key {
            "arp_ip_target" => return target(bond, value, driver.old),
            "ad_actor_system" => return driver.actor_system(bond, value.trim()),
            _ => {}
        }
        let mut names = NUMBERS.iter().map(|(n, ..)| *n).chain(WORDS.iter().map(|(n, _)| *n));
        if !names.any(|n| n == key) {
            return Err(MISSING);
        }
        let want = number(key, value, release)?;
        if let Some(word) = driver.refusal(bond, key, want) {
            if word == INVALID && key == "mode" {
                self.dmesg.push(format!("bonding: {name}: Ignoring invalid mode value {value}."));
            }
            return Err(word);
        }
        driver.take(bond, key, want);
        self.settle();
        Ok(())
    }

    /// Names the primary or the active slave.
    fn choose(
        &mut self,
        driver: &Driver,
        name: &str,
        key: &str,
        want: &str,
    ) -> Result<(), &'static str> {
        let Some(bond) = self.bonds.get_mut(name) else { return Err(MISSING) };
        if !driver.chooses(bond.option("mode")) {
            return Err(driver.either(INVALID, DENIED));
        }
        if key == "active_slave" {
            if !bond.slaves.iter().any(|s| s.name == want && s.status == "up") {
                return Err(INVALID);
            }
            bond.active = Some(want.to_string());
            return Ok(());
        }
        bond.primary = Some(want.to_string()).filter(|v| !v.is_empty());
        bond.choose_active(true);
        self.settle();
        Ok(())
    }

    /// `+NIC` or `-NIC`.
    fn alter_slaves(&mut self, name: &str, value: &str) -> Result<(), &'static str> {
        match value.split_at_checked(1) {
            Some(("+", nic)) if self.nics.contains_key(nic) => self.enslave(name, nic),
            Some(("-", nic)) => self.release(name, nic),
            _ => Err(INVALID),
        }
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
