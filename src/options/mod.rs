//! The bonding driver's options: one table with name, help, values, modes and how the running
//! kernel shows each. Flags, help, completions, the keys of a spec, checks, rendering and
//! verification are all made from it. Knows no host and no spec.

mod rules;
mod table;
mod value;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

pub use rules::switch_support;
pub use table::TABLE;
pub use value::{MAX_TARGETS, Value, Values};

use crate::bonding::BondStatus;
use crate::net::{BondMode, NicRef};

/// An option of the driver, in the order in which `BONDING_OPTS` holds them: `miimon` right after
/// the mode, delays after it, since EL5 writes them in the order of the file and the driver minds
/// the order (tests/ground/initscripts.md, C2).
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

/// The most that a time in milliseconds may be: ten minutes.
const MAX_MS: u32 = 600_000;

/// A row of the table.
pub struct Row {
    /// Which option.
    pub opt: Opt,
    /// The driver's name, also the spec file's key and, with dashes, the flag.
    pub name: &'static str,
    /// What stands for a value of it in the help.
    pub word: &'static str,
    /// Its help.
    pub help: &'static str,
    /// What it takes.
    pub values: Values,
    /// The modes that have it.
    pub modes: &'static [BondMode],
    /// How `/proc/net/bonding` shows it, when it does.
    pub proc: Option<fn(&BondStatus) -> Option<String>>,
}

impl Opt {
    /// The option's row of the table.
    #[must_use]
    pub fn row(self) -> &'static Row {
        let row = &TABLE[self as usize];
        assert_eq!(row.opt, self, "the table is in the order of the enum");
        row
    }

    /// The option with this driver name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        TABLE.iter().find(|row| row.name == name).map(|row| row.opt)
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
/// bonds (tests/ground/xapi.md, F1).
pub const DEFAULT_MIIMON: u32 = 100;

impl Options {
    /// Sets an option.
    pub fn set(&mut self, opt: Opt, value: Value) {
        self.0.insert(opt, value);
    }

    /// Adds link monitoring when neither kind of it was asked for; without any the driver calls
    /// every link up for ever.
    pub fn add_defaults(&mut self) {
        let miimon = if self.0.contains_key(&Opt::ArpInterval) { 0 } else { DEFAULT_MIIMON };
        self.0.entry(Opt::Miimon).or_insert(Value::Number(miimon));
    }

    /// The options that were asked for with their rows, in the table's order.
    pub fn iter(&self) -> impl Iterator<Item = (&'static Row, &Value)> {
        self.0.iter().map(|(opt, value)| (opt.row(), value))
    }

    /// The number of an option, when it was asked for.
    #[must_use]
    pub fn number(&self, opt: Opt) -> Option<u32> {
        match self.0.get(&opt)? {
            Value::Number(n) => Some(*n),
            _ => None,
        }
    }

    /// The word of an option, when it was asked for.
    #[must_use]
    pub fn word(&self, opt: Opt) -> Option<&'static str> {
        match self.0.get(&opt)? {
            Value::Word(word) => Some(word),
            _ => None,
        }
    }

    /// The primary slave, when one was asked for.
    #[must_use]
    pub fn primary(&self) -> Option<&NicRef> {
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
}

#[cfg(test)]
mod tests;
