//! The bonding driver's options: one table with name, values, modes and how the running kernel
//! shows each. Flags, checks, rendering and verification all read this table.
//!
//! Names and values are those of drivers/net/bonding/bond_options.c; which mode takes which is
//! from its `unsuppmodes` and, where the driver takes an option and then ignores it, from
//! Documentation/networking/bonding.rst.

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;

use anyhow::{Result, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::bonding::BondStatus;
use crate::net::{BondMode, IfName, decimal};

use BondMode::{
    ActiveBackup, BalanceAlb, BalanceRr, BalanceSlb, BalanceTlb, BalanceXor, Broadcast, Ieee8023ad,
};

/// An option of the driver, in the order in which `BONDING_OPTS` holds them: `miimon` right after
/// the mode, delays after it, since EL5 writes them in the order of the file and the driver minds
/// the order (facts/initscripts.md section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "each is the driver's own name; the table says what it does")]
pub enum Opt {
    Miimon,
    Updelay,
    Downdelay,
    UseCarrier,
    ArpInterval,
    ArpIpTarget,
    ArpValidate,
    Primary,
    PrimaryReselect,
    FailOverMac,
    NumGratArp,
    LacpRate,
    AdSelect,
    MinLinks,
    XmitHashPolicy,
}

/// What an option takes.
#[derive(Clone, Copy, Debug)]
pub enum Values {
    /// A whole number in this range.
    Number(u32, u32),
    /// One of these words; the driver's number of each is its place.
    Words(&'static [&'static str]),
    /// A slave's device name.
    Slave,
    /// Up to [`MAX_TARGETS`] IPv4 addresses, with commas.
    Targets,
}

/// `BOND_MAX_ARP_TARGETS`, include/net/bonding.h.
pub const MAX_TARGETS: usize = 16;

/// The most that a time in milliseconds may be: ten minutes.
const MAX_MS: u32 = 600_000;

/// A row of the table.
pub struct Row {
    /// Which option.
    pub opt: Opt,
    /// The driver's name, also the spec file's key and, with dashes, the flag.
    pub name: &'static str,
    /// What it takes.
    pub values: Values,
    /// The modes that have it.
    pub modes: &'static [BondMode],
    /// How `/proc/net/bonding` shows it, when it does.
    pub proc: Option<fn(&BondStatus) -> Option<String>>,
}

const ALL_MODES: &[BondMode] = &BondMode::ALL;
const ARP_MODES: &[BondMode] = &[BalanceRr, ActiveBackup, BalanceXor, Broadcast];
const PRIMARY_MODES: &[BondMode] = &[ActiveBackup, BalanceTlb, BalanceAlb];

/// Every option.
pub const TABLE: [Row; 15] = [
    Row {
        opt: Opt::Miimon,
        name: "miimon",
        values: Values::Number(0, MAX_MS),
        modes: ALL_MODES,
        proc: Some(|s| s.miimon.map(|v| v.to_string())),
    },
    Row {
        opt: Opt::Updelay,
        name: "updelay",
        values: Values::Number(0, MAX_MS),
        modes: ALL_MODES,
        proc: Some(|s| s.updelay.map(|v| v.to_string())),
    },
    Row {
        opt: Opt::Downdelay,
        name: "downdelay",
        values: Values::Number(0, MAX_MS),
        modes: ALL_MODES,
        proc: Some(|s| s.downdelay.map(|v| v.to_string())),
    },
    Row {
        opt: Opt::UseCarrier,
        name: "use_carrier",
        values: Values::Number(0, 1),
        modes: ALL_MODES,
        proc: None,
    },
    Row {
        opt: Opt::ArpInterval,
        name: "arp_interval",
        values: Values::Number(1, MAX_MS),
        modes: ARP_MODES,
        proc: Some(|s| s.arp_interval.map(|v| v.to_string())),
    },
    Row {
        opt: Opt::ArpIpTarget,
        name: "arp_ip_target",
        values: Values::Targets,
        modes: ARP_MODES,
        proc: Some(|s| s.arp_ip_target.as_ref().map(|targets| targets.join(","))),
    },
    Row {
        opt: Opt::ArpValidate,
        name: "arp_validate",
        values: Values::Words(&[
            "none",
            "active",
            "backup",
            "all",
            "filter",
            "filter_active",
            "filter_backup",
        ]),
        // Before Linux 3.15 active-backup alone took it.
        modes: &[ActiveBackup],
        proc: None,
    },
    Row {
        opt: Opt::Primary,
        name: "primary",
        values: Values::Slave,
        modes: PRIMARY_MODES,
        proc: Some(|s| s.primary.clone()),
    },
    Row {
        opt: Opt::PrimaryReselect,
        name: "primary_reselect",
        values: Values::Words(&["always", "better", "failure"]),
        modes: PRIMARY_MODES,
        proc: Some(|s| s.primary_reselect.clone()),
    },
    Row {
        opt: Opt::FailOverMac,
        name: "fail_over_mac",
        values: Values::Words(&["none", "active", "follow"]),
        modes: &[ActiveBackup],
        proc: Some(|s| s.fail_over_mac.clone()),
    },
    Row {
        opt: Opt::NumGratArp,
        name: "num_grat_arp",
        values: Values::Number(0, 255),
        modes: &[ActiveBackup],
        proc: None,
    },
    Row {
        opt: Opt::LacpRate,
        name: "lacp_rate",
        values: Values::Words(&["slow", "fast"]),
        modes: &[Ieee8023ad],
        proc: Some(|s| s.lacp.as_ref()?.lacp_rate.clone()),
    },
    Row {
        opt: Opt::AdSelect,
        name: "ad_select",
        values: Values::Words(&["stable", "bandwidth", "count"]),
        modes: &[Ieee8023ad],
        proc: Some(|s| s.lacp.as_ref()?.ad_select.clone()),
    },
    Row {
        opt: Opt::MinLinks,
        name: "min_links",
        values: Values::Number(0, 16),
        modes: &[Ieee8023ad],
        proc: Some(|s| s.lacp.as_ref()?.min_links.map(|v| v.to_string())),
    },
    Row {
        opt: Opt::XmitHashPolicy,
        name: "xmit_hash_policy",
        values: Values::Words(&[
            "layer2",
            "layer3+4",
            "layer2+3",
            "encap2+3",
            "encap3+4",
            "vlan+srcmac",
        ]),
        modes: &[BalanceXor, Ieee8023ad],
        proc: Some(|s| s.xmit_hash_policy.clone()),
    },
];

impl Opt {
    /// Its row of the table.
    #[must_use]
    pub fn row(self) -> &'static Row {
        let row = &TABLE[self as usize];
        debug_assert_eq!(row.opt, self, "the table is in the order of the enum");
        row
    }

    /// The option with this driver name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        TABLE.iter().find(|row| row.name == name).map(|row| row.opt)
    }
}

/// A value that its option takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A number.
    Number(u32),
    /// One of the option's words.
    Word(&'static str),
    /// A slave.
    Slave(IfName),
    /// Addresses to probe.
    Targets(Vec<Ipv4Addr>),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(n) => write!(f, "{n}"),
            Self::Word(word) => f.write_str(word),
            Self::Slave(name) => write!(f, "{name}"),
            Self::Targets(targets) => {
                let all: Vec<String> = targets.iter().map(ToString::to_string).collect();
                f.write_str(&all.join(","))
            }
        }
    }
}

impl Row {
    /// Reads a value of this option; words may be given by the driver's number too.
    ///
    /// # Errors
    /// When the option does not take it; the sentence says what it takes.
    pub fn parse(&self, text: &str) -> Result<Value> {
        let shown = crate::net::shown(text);
        match self.values {
            Values::Number(min, max) => match decimal(text).filter(|n| (min..=max).contains(n)) {
                Some(n) => Ok(Value::Number(n)),
                None => bail!(
                    "`{shown}` is no value for {}: it takes a whole number from {min} to {max}",
                    self.name
                ),
            },
            Values::Words(words) => {
                let by_number = || decimal(text).and_then(|n| words.get(n as usize));
                match words.iter().find(|w| **w == text).or_else(by_number) {
                    Some(word) => Ok(Value::Word(word)),
                    None => bail!(
                        "`{shown}` is no value for {}: it takes {}",
                        self.name,
                        words.join(", ")
                    ),
                }
            }
            Values::Slave => Ok(Value::Slave(text.parse()?)),
            Values::Targets => {
                let mut targets = Vec::new();
                for part in text.split(',').map(str::trim) {
                    let Ok(target) = part.parse::<Ipv4Addr>() else {
                        bail!(
                            "`{shown}` is no value for {}: it takes IPv4 addresses with commas",
                            self.name
                        );
                    };
                    ensure!(!targets.contains(&target), "{} names {target} twice", self.name);
                    targets.push(target);
                }
                ensure!(
                    targets.len() <= MAX_TARGETS,
                    "{} has {} addresses; the driver takes {MAX_TARGETS}",
                    self.name,
                    targets.len()
                );
                Ok(Value::Targets(targets))
            }
        }
    }

    /// The value in the form in which two readings of it are compared: what `/sys` and `/proc`
    /// print differs in separators and in a number behind the word (`fast 1`).
    #[must_use]
    pub fn normal(&self, text: &str) -> String {
        match self.values {
            Values::Words(_) => text.split_whitespace().next().unwrap_or_default().to_string(),
            Values::Targets => {
                let mut all: Vec<&str> =
                    text.split([',', ' ', '\n', '\t']).filter(|t| !t.is_empty()).collect();
                all.sort_unstable();
                all.join(",")
            }
            Values::Number(..) | Values::Slave => text.trim().to_string(),
        }
    }
}

/// The options that were asked for, each with a value that it takes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, String>", into = "BTreeMap<String, String>")]
pub struct Options(BTreeMap<Opt, Value>);

impl TryFrom<BTreeMap<String, String>> for Options {
    type Error = anyhow::Error;
    fn try_from(texts: BTreeMap<String, String>) -> Result<Self> {
        let mut options = Self::default();
        for (name, text) in texts {
            let Some(opt) = Opt::named(&name) else { bail!("there is no bonding option `{name}`") };
            options.set(opt, opt.row().parse(&text)?);
        }
        Ok(options)
    }
}

impl From<Options> for BTreeMap<String, String> {
    fn from(options: Options) -> Self {
        options.iter().map(|(row, value)| (row.name.to_string(), value.to_string())).collect()
    }
}

/// Link monitoring when nothing else was asked for, in milliseconds: what XAPI sets on its own
/// bonds (facts/xapi.md section F).
pub const DEFAULT_MIIMON: u32 = 100;

impl Options {
    /// Sets one.
    pub fn set(&mut self, opt: Opt, value: Value) {
        self.0.insert(opt, value);
    }

    /// Adds link monitoring when neither kind of it was asked for; without any the driver calls
    /// every link up for ever.
    pub fn add_defaults(&mut self) {
        let miimon = if self.0.contains_key(&Opt::ArpInterval) { 0 } else { DEFAULT_MIIMON };
        self.0.entry(Opt::Miimon).or_insert(Value::Number(miimon));
    }

    /// All of them with their rows, in the table's order.
    pub fn iter(&self) -> impl Iterator<Item = (&'static Row, &Value)> {
        self.0.iter().map(|(opt, value)| (opt.row(), value))
    }

    /// A number, when that option was asked for.
    #[must_use]
    pub fn number(&self, opt: Opt) -> Option<u32> {
        match self.0.get(&opt)? {
            Value::Number(n) => Some(*n),
            _ => None,
        }
    }

    /// A word, when that option was asked for.
    #[must_use]
    pub fn word(&self, opt: Opt) -> Option<&'static str> {
        match self.0.get(&opt)? {
            Value::Word(word) => Some(word),
            _ => None,
        }
    }

    /// The primary slave, when one was asked for.
    #[must_use]
    pub fn primary(&self) -> Option<&IfName> {
        match self.0.get(&Opt::Primary)? {
            Value::Slave(name) => Some(name),
            _ => None,
        }
    }

    /// The addresses of the ARP monitor.
    #[must_use]
    pub fn targets(&self) -> &[Ipv4Addr] {
        match self.0.get(&Opt::ArpIpTarget) {
            Some(Value::Targets(targets)) => targets,
            _ => &[],
        }
    }

    /// `mode=... miimon=... ...`: the words of `BONDING_OPTS` and of the module's options.
    #[must_use]
    pub fn words(&self, mode: BondMode) -> Vec<String> {
        std::iter::once(format!("mode={mode}"))
            .chain(self.iter().map(|(row, value)| format!("{}={value}", row.name)))
            .collect()
    }

    /// Whether the options fit the mode, each other and the number of slaves.
    ///
    /// # Errors
    /// The first rule that is broken, in a sentence of its own.
    pub fn check(&self, mode: BondMode, slaves: usize) -> Result<()> {
        for (row, value) in self.iter() {
            if !row.modes.contains(&mode) {
                let modes: Vec<&str> = row.modes.iter().map(|m| m.name()).collect();
                bail!(
                    "{}={value} is not for mode {mode}: it belongs to {}",
                    row.name,
                    modes.join(", ")
                );
            }
        }
        let miimon = self.number(Opt::Miimon).unwrap_or(0);
        let arp_interval = self.number(Opt::ArpInterval);
        if let Some(interval) = arp_interval {
            ensure!(
                miimon == 0,
                "miimon={miimon} and arp_interval={interval} exclude each other: the driver has one kind of link monitoring at a time"
            );
            ensure!(
                !self.targets().is_empty(),
                "arp_interval={interval} needs arp_ip_target: without a target the ARP monitor has nothing to ask"
            );
        } else {
            ensure!(
                miimon > 0 || matches!(mode, Ieee8023ad | BalanceTlb | BalanceAlb),
                "miimon=0 without arp_interval leaves the links unwatched: the bond would never fail over"
            );
            ensure!(
                miimon > 0,
                "miimon=0 is not for mode {mode}: it needs link monitoring, and the driver would set {DEFAULT_MIIMON} by itself"
            );
            ensure!(self.targets().is_empty(), "arp_ip_target needs arp_interval");
            ensure!(self.word(Opt::ArpValidate).is_none(), "arp_validate needs arp_interval");
        }
        for opt in [Opt::Updelay, Opt::Downdelay] {
            let name = opt.row().name;
            if let Some(delay) = self.number(opt).filter(|d| *d > 0) {
                ensure!(
                    miimon > 0,
                    "{name}={delay} needs miimon: the driver counts delays in monitoring intervals"
                );
                ensure!(
                    delay % miimon == 0,
                    "{name}={delay} is no multiple of miimon={miimon}: the driver would round it down to {}",
                    delay / miimon * miimon
                );
            }
        }
        if self.word(Opt::PrimaryReselect).is_some() {
            ensure!(self.primary().is_some(), "primary_reselect needs primary");
        }
        if let Some(links) = self.number(Opt::MinLinks) {
            ensure!(
                links as usize <= slaves,
                "min_links={links} is more than the bond's {slaves} slaves: it would never be up"
            );
        }
        Ok(())
    }
}

/// Whether the mode needs the switch to be told, and what.
#[must_use]
pub fn switch_support(mode: BondMode) -> Option<&'static str> {
    match mode {
        BalanceRr | BalanceXor | Broadcast => {
            Some("put the ports of all slaves into one static link aggregation group, without LACP")
        }
        Ieee8023ad => Some("put the ports of all slaves into one LACP group (active or passive)"),
        ActiveBackup | BalanceTlb | BalanceAlb | BalanceSlb => None,
    }
}

#[cfg(test)]
mod tests;
