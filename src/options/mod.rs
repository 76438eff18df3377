//! The bonding driver's options: one table with name, help, values, modes and how the running
//! kernel shows each. Flags, help, completions, the keys of a spec, checks, rendering and
//! verification are all made from it. Knows no host and no spec.

mod rules;
mod table;
mod value;

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

pub use rules::switch_support;
pub use table::{ELSEWHERE, TABLE};
pub use value::{MAX_TARGETS, Value, Values};

use crate::bonding::BondStatus;
use crate::net::{BondMode, NicRef, shown, text_form};
use crate::order;

/// An option of the driver, in the order in which `BONDING_OPTS` holds them: `miimon` right after
/// the mode, delays after it, since EL5 writes them in the order of the file and the driver minds
/// the order (tests/ground/initscripts.md, C2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[allow(missing_docs, reason = "each is the driver's own name; the table says what it does")]
pub enum Opt {
    Miimon,
    Updelay,
    Downdelay,
    UseCarrier,
    ArpInterval,
    ArpIpTarget,
    ArpValidate,
    ArpAllTargets,
    ArpMissedMax,
    Primary,
    PrimaryReselect,
    FailOverMac,
    NumGratArp,
    PeerNotifDelay,
    ResendIgmp,
    AllSlavesActive,
    PacketsPerSlave,
    TlbDynamicLb,
    LpInterval,
    LacpRate,
    LacpActive,
    AdSelect,
    AdActorSysPrio,
    AdActorSystem,
    AdUserPortKey,
    MinLinks,
    XmitHashPolicy,
}

/// The most that a time in milliseconds may be: ten minutes.
const MAX_MS: u32 = 600_000;

/// A release of Linux: major and minor number.
pub type Linux = (u16, u16);

/// The oldest kernel of a dom0 that is served: what it knows, every driver knows.
const OLDEST: Linux = (3, 10);

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
    /// Another name that the driver has for it.
    pub alias: Option<&'static str>,
    /// The release of Linux that has it first.
    pub since: Linux,
    /// Its words that a later release has first.
    pub later: &'static [(&'static str, Linux)],
    /// Whether the module takes it as a parameter too. Linux up to 3.10 does not load a module that
    /// is given one that it does not take (tests/ground/options.md, A2).
    pub parameter: bool,
    /// What it is where nobody has set it (`bond_check_params` in bond_main.c, and the module's
    /// parameters).
    pub default: &'static str,
    /// The release of Linux whose driver is the first to take another value while the bond is up
    /// and has slaves; `None`: none does (tests/ground/options.md, B2 and B5).
    pub live: Option<Linux>,
}

impl fmt::Display for Opt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.row().name)
    }
}

impl FromStr for Opt {
    type Err = anyhow::Error;
    fn from_str(name: &str) -> Result<Self> {
        Self::named(name).with_context(|| format!("there is no bonding option `{}`", shown(name)))
    }
}
text_form!(Opt);

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

/// Something that not every driver of a dom0 knows: an option, or one of its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Young {
    /// The option's row.
    pub row: &'static Row,
    /// The word of it that is young, where the option itself need not be.
    pub word: Option<&'static str>,
    /// The release of Linux that has it first.
    pub since: Linux,
}

impl PartialEq for Row {
    fn eq(&self, other: &Self) -> bool {
        self.opt == other.opt
    }
}

impl Eq for Row {}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Young {
    /// Everything that is young.
    pub fn all() -> impl Iterator<Item = Self> {
        let option = |row: &'static Row| {
            (row.since > OLDEST).then_some(Self { row, word: None, since: row.since })
        };
        let words = |row: &'static Row| {
            row.later.iter().map(move |(word, since)| Self { row, word: Some(word), since: *since })
        };
        TABLE.iter().flat_map(move |row| option(row).into_iter().chain(words(row)))
    }

    /// The text by which a driver's module can be told to know it.
    #[must_use]
    pub fn text(&self) -> &'static str {
        self.word.unwrap_or(self.row.name)
    }
}

impl fmt::Display for Young {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.row.name)?;
        self.word.map_or(Ok(()), |word| write!(f, "={word}"))
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
            let opt: Opt = name.parse()?;
            options.set(opt, opt.row().parse(&text)?);
        }
        Ok(options)
    }
}

impl From<Options> for BTreeMap<String, String> {
    fn from(options: Options) -> Self {
        order::map(options.iter().map(|(row, value)| (row.name.to_string(), value.to_string())))
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

    /// `mode=... miimon=... ...`: the words of `BONDING_OPTS`.
    #[must_use]
    pub fn words(&self, mode: BondMode) -> Vec<String> {
        self.said(mode, |_| true)
    }

    /// Those of the words that the module takes as its parameters.
    #[must_use]
    pub fn parameters(&self, mode: BondMode) -> Vec<String> {
        self.said(mode, |row| row.parameter)
    }

    fn said(&self, mode: BondMode, which: impl Fn(&Row) -> bool) -> Vec<String> {
        let options = self.iter().filter(|(row, _)| which(row));
        std::iter::once(format!("mode={mode}"))
            .chain(options.map(|(row, value)| format!("{}={value}", row.name)))
            .collect()
    }

    /// What was asked for and not every driver knows.
    pub fn young(&self) -> impl Iterator<Item = Young> {
        Young::all().filter(|young| match (self.0.get(&young.row.opt), young.word) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(value), Some(word)) => *value == Value::Word(word),
        })
    }
}

#[cfg(test)]
mod tests;
