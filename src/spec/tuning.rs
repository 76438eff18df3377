//! How NICs are tuned: the settings of `ethtool` that a spec may have, each typed, what the boot
//! scripts are given for them, and how `ethtool` shows them. Knows no host.

mod opts;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use anyhow::{Result, anyhow, bail, ensure};
use serde::{Deserialize, Serialize};

use super::NicRef;
use crate::net::{IfName, MacAddr, decimal, nearest, shown, text_form};
use crate::order;

pub use opts::tunes_of;

/// A setting of a NIC's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "each is the spec's own name; the table says what it does")]
pub enum Knob {
    Speed,
    Duplex,
    Autoneg,
    RingRx,
    RingTx,
    PauseAutoneg,
    PauseRx,
    PauseTx,
    Rx,
    Tx,
    Sg,
    Tso,
    Gso,
    Gro,
    Lro,
}

/// Settings that `ethtool` sets in one go and shows in one go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// The link.
    Link,
    /// The sizes of the rings.
    Ring,
    /// Pause frames.
    Pause,
    /// What the NIC does in place of the kernel.
    Offload,
}

/// What a setting takes.
enum Takes {
    Number(u32, u32),
    Words(&'static [&'static str]),
}

struct Row {
    knob: Knob,
    name: &'static str,
    group: Group,
    /// Its word on the command line of `ethtool`.
    word: &'static str,
    /// Its line in what `ethtool` shows.
    label: &'static str,
    takes: Takes,
}

const SWITCH: Takes = Takes::Words(&["on", "off"]);

const fn row(
    knob: Knob,
    group: Group,
    [name, word, label]: [&'static str; 3],
    takes: Takes,
) -> Row {
    Row { knob, name, group, word, label, takes }
}

/// Every setting, in the order of the enum (tests/ground/initscripts.md, K2).
const TABLE: [Row; 15] = [
    row(Knob::Speed, Group::Link, ["speed", "speed", "Speed"], Takes::Number(10, 400_000)),
    row(Knob::Duplex, Group::Link, ["duplex", "duplex", "Duplex"], Takes::Words(&["full", "half"])),
    row(Knob::Autoneg, Group::Link, ["autoneg", "autoneg", "Auto-negotiation"], SWITCH),
    row(Knob::RingRx, Group::Ring, ["ring-rx", "rx", "RX"], Takes::Number(1, 1 << 20)),
    row(Knob::RingTx, Group::Ring, ["ring-tx", "tx", "TX"], Takes::Number(1, 1 << 20)),
    row(Knob::PauseAutoneg, Group::Pause, ["pause-autoneg", "autoneg", "Autonegotiate"], SWITCH),
    row(Knob::PauseRx, Group::Pause, ["pause-rx", "rx", "RX"], SWITCH),
    row(Knob::PauseTx, Group::Pause, ["pause-tx", "tx", "TX"], SWITCH),
    row(Knob::Rx, Group::Offload, ["rx", "rx", "rx-checksumming"], SWITCH),
    row(Knob::Tx, Group::Offload, ["tx", "tx", "tx-checksumming"], SWITCH),
    row(Knob::Sg, Group::Offload, ["sg", "sg", "scatter-gather"], SWITCH),
    row(Knob::Tso, Group::Offload, ["tso", "tso", "tcp-segmentation-offload"], SWITCH),
    row(Knob::Gso, Group::Offload, ["gso", "gso", "generic-segmentation-offload"], SWITCH),
    row(Knob::Gro, Group::Offload, ["gro", "gro", "generic-receive-offload"], SWITCH),
    row(Knob::Lro, Group::Offload, ["lro", "lro", "large-receive-offload"], SWITCH),
];

impl Group {
    /// Every group.
    pub const ALL: [Self; 4] = [Self::Link, Self::Ring, Self::Pause, Self::Offload];

    /// The flag that sets it.
    const fn set(self) -> &'static str {
        match self {
            Self::Link => "-s",
            Self::Ring => "-G",
            Self::Pause => "-A",
            Self::Offload => "-K",
        }
    }

    /// The arguments by which `ethtool` shows it of a device.
    #[must_use]
    pub fn show(self, device: &str) -> Vec<&str> {
        match self {
            Self::Link => vec![device],
            Self::Ring => vec!["-g", device],
            Self::Pause => vec!["-a", device],
            Self::Offload => vec!["-k", device],
        }
    }

    /// What `ethtool` showed of it. What a line does not say in a value that the setting takes is
    /// not known.
    #[must_use]
    pub fn read(self, text: &str) -> Settings {
        // The largest sizes come before the present ones.
        let text = match self {
            Self::Ring => text.split_once("Current hardware settings").map_or("", |(_, now)| now),
            _ => text,
        };
        let mut found = Settings::default();
        for line in text.lines() {
            let Some((label, value)) = line.trim().split_once(':') else { continue };
            // ethtool up to 2.6.33 writes blanks.
            let label =
                label.replace(" segmentation ", "-segmentation-").replace(" receive ", "-receive-");
            let value = value.trim().trim_end_matches("Mb/s").to_ascii_lowercase();
            let value = value.split_whitespace().next().unwrap_or_default();
            let row = TABLE.iter().find(|row| row.group == self && row.label == label);
            if let Some((row, value)) = row.and_then(|row| Some((row, row.parse(value).ok()?))) {
                found.0.insert(row.knob, value);
            }
        }
        found
    }
}

impl Row {
    fn parse(&self, text: &str) -> Result<String> {
        let good = match self.takes {
            Takes::Number(min, max) => decimal(text).is_some_and(|n| (min..=max).contains(&n)),
            Takes::Words(words) => words.contains(&text),
        };
        ensure!(
            good,
            "`{}` is not a valid value for {}: it takes {}",
            shown(text),
            self.name,
            match self.takes {
                Takes::Number(min, max) => format!("a whole number from {min} to {max}"),
                Takes::Words(words) => words.join(" or "),
            }
        );
        Ok(text.to_string())
    }
}

impl Knob {
    fn row(self) -> &'static Row {
        let row = &TABLE[self as usize];
        assert_eq!(row.knob, self, "the table is in the order of the enum");
        row
    }

    /// The group that it is set and shown with.
    #[must_use]
    pub fn group(self) -> Group {
        self.row().group
    }

    /// The flag and the word that set it.
    #[must_use]
    pub fn key(self) -> String {
        format!("{} {}", self.group().set(), self.row().word)
    }

    /// The arguments of `ethtool` that set it.
    #[must_use]
    pub fn set_by(self, device: &IfName, value: &str) -> String {
        format!("{} {device} {} {value}", self.group().set(), self.row().word)
    }

    /// The setting of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        TABLE.iter().find(|row| row.name == name).map(|row| row.knob)
    }
}

impl fmt::Display for Knob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.row().name)
    }
}

impl FromStr for Knob {
    type Err = anyhow::Error;
    fn from_str(text: &str) -> Result<Self> {
        Self::named(text)
            .ok_or_else(|| anyhow!("`{}` is not a valid setting of a NIC", shown(text)))
    }
}

/// Settings of one NIC, each with a value that it takes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings(BTreeMap<Knob, String>);

impl Settings {
    /// The value of a setting.
    #[must_use]
    pub fn get(&self, knob: Knob) -> Option<&str> {
        self.0.get(&knob).map(String::as_str)
    }

    /// All, in the table's order.
    pub fn iter(&self) -> impl Iterator<Item = (Knob, &str)> {
        self.0.iter().map(|(knob, value)| (*knob, value.as_str()))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds others; theirs win.
    pub fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// Those that `which` wants.
    #[must_use]
    pub fn only(&self, which: impl Fn(Knob) -> bool) -> Self {
        let kept = self.0.iter().filter(|(knob, _)| which(**knob));
        Self(order::map(kept.map(|(knob, value)| (*knob, value.clone()))))
    }

    /// The arguments of `ethtool` for each group of them.
    #[must_use]
    pub fn commands(&self, device: &IfName) -> Vec<Vec<String>> {
        let of = |group: Group| {
            let mut words = vec![group.set().to_string(), device.to_string()];
            for (knob, value) in self.iter().filter(|(knob, _)| knob.group() == group) {
                words.extend([knob.row().word.to_string(), value.to_string()]);
            }
            words
        };
        Group::ALL.into_iter().map(of).filter(|words| words.len() > 2).collect()
    }

    /// The value of `ETHTOOL_OPTS`: what is not begun with a dash is handed to `ethtool -s DEVICE`,
    /// and old scripts know nothing else (tests/ground/initscripts.md, K1).
    #[must_use]
    pub fn ethtool_opts(&self, device: &IfName) -> Option<String> {
        let all: Vec<String> = self
            .commands(device)
            .into_iter()
            .map(|words| words[if words[0] == Group::Link.set() { 2 } else { 0 }..].join(" "))
            .collect();
        (!all.is_empty()).then(|| all.join("; "))
    }
}

/// One setting of the spec: of one NIC, or of all.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Tune {
    /// The NIC; `None`: all.
    pub nic: Option<NicRef>,
    /// Which setting.
    pub knob: Knob,
    value: String,
}

impl FromStr for Tune {
    type Err = anyhow::Error;
    fn from_str(text: &str) -> Result<Self> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (nic, name, value) = match words[..] {
            [name, value] => (None, name, value),
            [nic, name, value] => (Some(nic.parse()?), name, value),
            _ => bail!(
                "`{}` is not a valid setting of a NIC: it must be `SETTING VALUE`, or `NIC SETTING VALUE` for one NIC (ring-rx 4096, eth2 gro off)",
                shown(text)
            ),
        };
        let Some(knob) = Knob::named(name) else {
            let names: Vec<&str> = TABLE.iter().map(|row| row.name).collect();
            let (near, _) = nearest(name, &names).unwrap_or(("", false));
            bail!(
                "`{}` is not a valid setting of a NIC: did you mean `{near}`? There are {}",
                shown(name),
                names.join(", ")
            );
        };
        Ok(Self { nic, knob, value: knob.row().parse(value)? })
    }
}

text_form!(Tune);

impl fmt::Display for Tune {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(nic) = &self.nic {
            write!(f, "{nic} ")?;
        }
        write!(f, "{} {}", self.knob, self.value)
    }
}

/// How the NICs of a spec are tuned.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tuning(Vec<Tune>);

impl From<Vec<Tune>> for Tuning {
    fn from(all: Vec<Tune>) -> Self {
        Self(all)
    }
}

impl Tuning {
    /// All settings, as they were asked for.
    pub fn iter(&self) -> impl Iterator<Item = &Tune> {
        self.0.iter()
    }

    /// Whether nothing is tuned.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The settings of a NIC: its own win over those of all.
    #[must_use]
    pub fn of(&self, device: &IfName, mac: Option<MacAddr>) -> Settings {
        let is_meant = |nic: &NicRef| match nic {
            NicRef::Device(name) => name == device,
            NicRef::Mac(wanted) => Some(*wanted) == mac,
        };
        let of_all = self.0.iter().filter(|tune| tune.nic.is_none());
        let own = self.0.iter().filter(|tune| tune.nic.as_ref().is_some_and(is_meant));
        Settings(order::map(of_all.chain(own).map(|tune| (tune.knob, tune.value.clone()))))
    }

    /// Adds a setting of one NIC, unless its own is asked for already, or the two do not go together.
    pub fn take_over(&mut self, device: &IfName, mac: MacAddr, knob: Knob, value: &str) {
        let Ok(value) = knob.row().parse(value) else { return };
        let is_own = |tune: &Tune| match &tune.nic {
            Some(NicRef::Device(name)) => name == device,
            Some(NicRef::Mac(other)) => *other == mac,
            None => true,
        };
        if self.0.iter().any(|tune| tune.knob == knob && is_own(tune)) {
            return;
        }
        self.0.push(Tune { nic: Some(NicRef::Device(device.clone())), knob, value });
        if self.check(&[NicRef::Device(device.clone()), NicRef::Mac(mac)]).is_err() {
            self.0.pop();
        }
    }

    /// What can be said of it without a host.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub(super) fn check(&self, nics: &[NicRef]) -> Result<()> {
        for (at, tune) in self.0.iter().enumerate() {
            let same = |other: &&Tune| (&other.nic, other.knob) == (&tune.nic, tune.knob);
            if let Some(other) = self.0[..at].iter().find(same) {
                bail!("ethtool `{other}` and `{tune}` are of the same setting");
            }
            let by_device = |nic: &NicRef| matches!(nic, NicRef::Device(_));
            if let Some(nic) = &tune.nic {
                // Only the host tells which device has which MAC.
                let told = nics.iter().all(|other| by_device(other) == by_device(nic));
                ensure!(
                    !told || nics.contains(nic),
                    "ethtool `{tune}`: {nic} is not a slave of the bond"
                );
            }
        }
        let mut each: Vec<Option<&NicRef>> = vec![None];
        each.extend(self.0.iter().filter_map(|tune| tune.nic.as_ref()).map(Some));
        for nic in each {
            let meant = self.0.iter().filter(|tune| tune.nic.is_none() || tune.nic.as_ref() == nic);
            let mut meant: Vec<&Tune> = meant.collect();
            order::sort_by_key(&mut meant, |tune| tune.nic.is_some());
            let of = |knob: Knob| meant.iter().rfind(|tune| tune.knob == knob);
            let forced = of(Knob::Speed).or_else(|| of(Knob::Duplex));
            if let Some(tune) = forced {
                ensure!(
                    of(Knob::Autoneg).is_some_and(|autoneg| autoneg.value == "off"),
                    "ethtool `{tune}` needs `autoneg off`: else both ends agree on what they like"
                );
            }
            for knob in [Knob::PauseRx, Knob::PauseTx] {
                let both = of(knob).zip(of(Knob::PauseAutoneg).filter(|tune| tune.value == "on"));
                if let Some((tune, autoneg)) = both {
                    bail!(
                        "ethtool `{tune}` and `{autoneg}` exclude each other: both ends agree on pause frames then"
                    );
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
