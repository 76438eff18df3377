//! What an option takes, and a value that it took.

use std::fmt;
use std::net::Ipv4Addr;

use anyhow::{Result, anyhow, bail, ensure};

use super::Row;
use crate::net::{MacAddr, NicRef, decimal, shown};
use crate::order;

/// What an option takes.
#[derive(Clone, Copy, Debug)]
pub enum Values {
    /// A whole number in this range.
    Number(u32, u32),
    /// One of these words; the driver's number of each is its place.
    Words(&'static [&'static str]),
    /// A slave, by its device or its MAC address; the driver takes the device only.
    Slave,
    /// Up to [`MAX_TARGETS`] IPv4 addresses, with commas.
    Targets,
    /// The MAC address of one station.
    Mac,
}

/// `BOND_MAX_ARP_TARGETS`, include/net/bonding.h.
pub const MAX_TARGETS: usize = 16;

/// A value that its option takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A number.
    Number(u32),
    /// One of the option's words.
    Word(&'static str),
    /// A slave.
    Slave(NicRef),
    /// Addresses to probe.
    Targets(Vec<Ipv4Addr>),
    /// A MAC address.
    Mac(MacAddr),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(n) => write!(f, "{n}"),
            Self::Word(word) => f.write_str(word),
            Self::Slave(name) => write!(f, "{name}"),
            Self::Mac(mac) => write!(f, "{mac}"),
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
        let shown = shown(text);
        match self.values {
            Values::Number(min, max) => match decimal(text).filter(|n| (min..=max).contains(n)) {
                Some(n) => Ok(Value::Number(n)),
                None => bail!(
                    "`{shown}` is not a valid value for {}: it takes a whole number from {min} to {max}",
                    self.name
                ),
            },
            Values::Words(words) => {
                let by_number = || decimal(text).and_then(|n| words.get(n as usize));
                match words.iter().find(|w| **w == text).or_else(by_number) {
                    Some(word) => Ok(Value::Word(word)),
                    None => bail!(
                        "`{shown}` is not a valid value for {}: it takes {}",
                        self.name,
                        words.join(", ")
                    ),
                }
            }
            Values::Slave => Ok(Value::Slave(text.parse()?)),
            Values::Targets => Ok(Value::Targets(self.targets(text)?)),
            Values::Mac => match text.parse() {
                Ok(mac) => Ok(Value::Mac(mac)),
                Err(_) => bail!(
                    "`{shown}` is not a valid value for {}: it takes the MAC address of one station (02:00:00:00:51:01), neither zero nor a group's",
                    self.name
                ),
            },
        }
    }

    fn targets(&self, text: &str) -> Result<Vec<Ipv4Addr>> {
        let mut targets = Vec::new();
        let parts = text.split(',').flat_map(|part| match part.trim() {
            "" => vec![""],
            part => part.split([' ', '\t']).filter(|word| !word.is_empty()).collect(),
        });
        for part in parts {
            let Ok(target) = part.parse::<Ipv4Addr>() else {
                bail!(
                    "`{}` is not a valid value for {}: it takes IPv4 addresses with commas",
                    shown(text),
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
        settable(targets).map_err(|hidden| {
            anyhow!(
                "the boot scripts would leave out {} {hidden}: they find it in the other addresses",
                self.name
            )
        })
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
                order::sort(&mut all);
                all.join(",")
            }
            Values::Number(..) | Values::Slave => text.trim().to_string(),
            Values::Mac => text.trim().to_ascii_lowercase(),
        }
    }
}

/// The targets in an order in which `ifup` sets all of them, as near to the given one as may be. It
/// leaves out one that it finds among those that are set, and it looks with `grep`, so that
/// 172.16.51.2 is found in 172.16.51.20 (tests/ground/initscripts.md, C1).
fn settable(mut left: Vec<Ipv4Addr>) -> Result<Vec<Ipv4Addr>, Ipv4Addr> {
    let mut order: Vec<Ipv4Addr> = Vec::new();
    while !left.is_empty() {
        let hides = |at: usize| {
            let set: Vec<String> =
                order.iter().chain([&left[at]]).map(ToString::to_string).collect();
            let set = set.join(" ");
            let others = left.iter().enumerate().filter(|(other, _)| *other != at);
            others.map(|(_, ip)| *ip).find(|ip| finds(&ip.to_string(), &set))
        };
        let Some(next) = (0..left.len()).find(|at| hides(*at).is_none()) else {
            return Err(hides(0).unwrap_or(left[0]));
        };
        order.push(left.remove(next));
    }
    Ok(order)
}

/// Whether `grep` finds this address in a text: a dot of a pattern is any character.
fn finds(address: &str, text: &str) -> bool {
    let alike = |(want, have): (&u8, &u8)| *want == b'.' || want == have;
    text.as_bytes()
        .windows(address.len())
        .any(|part| address.as_bytes().iter().zip(part).all(alike))
}
