//! Newtypes of the network's words, valid by construction: nothing else makes a name, an address or
//! a mode out of text. They end up in files that root's shell sources (tests/ground/initscripts.md,
//! G1), so each accepts only characters that mean nothing to a shell.

mod backend;
mod nic_ref;
mod route;
mod static_route;
mod tagged;

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use anyhow::{Result, bail, ensure};
pub use backend::Backend;
pub use nic_ref::NicRef;
pub use route::{Route, local_addresses};
use serde::{Deserialize, Serialize};
pub use static_route::StaticRoute;
pub use tagged::{Tag, Tagged};

/// A value as a message shows it: nothing that a terminal would act on, and not too long.
#[must_use]
pub fn shown(text: &str) -> String {
    const LONGEST: usize = 80;
    let start: String = text.chars().take(LONGEST).collect();
    let more = if start.len() < text.len() { "..." } else { "" };
    format!("{}{more}", start.escape_debug())
}

/// Gives a type that has a text form, by `FromStr` and `Display`, that same form in JSON.
macro_rules! text_form {
    ($name:ident) => {
        impl TryFrom<String> for $name {
            type Error = anyhow::Error;
            fn try_from(text: String) -> anyhow::Result<Self> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }
    };
}
pub(crate) use text_form;

/// Gives a string newtype its text forms; the only way in is its `FromStr`.
macro_rules! text_newtype {
    ($name:ident) => {
        impl $name {
            /// The text, as it goes into files and command lines.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
        text_form!($name);
    };
}

/// A network device name as the kernel takes it (`dev_valid_name` in net/core/dev.c: 1 to 15
/// bytes, no `/`, `:` or white space), narrowed to a letter followed by letters, digits and
/// `_`: a `.` or a second `-` in an `ifcfg-NAME` file changes what the boot scripts read
/// (tests/ground/initscripts.md, A1 and F1).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct IfName(String);
text_newtype!(IfName);

/// The longest device name: `IFNAMSIZ` less its NUL.
pub const IFNAME_MAX: usize = 15;

impl FromStr for IfName {
    type Err = anyhow::Error;
    fn from_str(text: &str) -> Result<Self> {
        ensure!(!text.is_empty(), "a device name is empty");
        ensure!(
            text.len() <= IFNAME_MAX,
            "`{}` is not a valid device name: it has {} characters, the kernel takes {IFNAME_MAX}",
            shown(text),
            text.chars().count()
        );
        ensure!(
            text.starts_with(|c: char| c.is_ascii_alphabetic())
                && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'),
            "`{}` is not a valid device name: it must be a letter, then letters, digits and `_`",
            shown(text)
        );
        ensure!(
            !["all", "default", "lo", "bonding_masters"].contains(&text),
            "`{text}` is not a valid name for a NIC or a bond: the kernel uses it itself"
        );
        Ok(Self(text.to_string()))
    }
}

/// A unicast Ethernet address, in lower case with colons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MacAddr([u8; 6]);

impl FromStr for MacAddr {
    type Err = anyhow::Error;
    fn from_str(text: &str) -> Result<Self> {
        let mut bytes = [0u8; 6];
        let mut parts = text.split(':');
        for byte in &mut bytes {
            match parts.next() {
                Some(hex) if hex.len() == 2 && hex.bytes().all(|b| b.is_ascii_hexdigit()) => {
                    *byte = u8::from_str_radix(hex, 16)?;
                }
                _ => bail!("`{}` is not a valid MAC address (00:1b:21:aa:bb:02)", shown(text)),
            }
        }
        let six = parts.next().is_none();
        ensure!(six, "`{}` is not a valid MAC address: it has more than six parts", shown(text));
        ensure!(
            bytes != [0; 6] && bytes[0] & 1 == 0,
            "`{text}` is not a valid MAC address of a NIC: it is zero or a group address"
        );
        Ok(Self(bytes))
    }
}

text_form!(MacAddr);

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// A XAPI uuid: 36 characters of hexadecimal digits and dashes; opaque otherwise.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Uuid(u128);
text_form!(Uuid);

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = format!("{:032x}", self.0);
        [8, 13, 18, 23].iter().for_each(|at| text.insert(*at, '-'));
        f.pad(&text)
    }
}

impl FromStr for Uuid {
    type Err = anyhow::Error;
    fn from_str(text: &str) -> Result<Self> {
        let mut value = 0;
        let mut good = text.len() == 36;
        for (at, b) in text.bytes().enumerate() {
            let dash = matches!(at, 8 | 13 | 18 | 23);
            let digit = match b {
                b'0'..=b'9' => b - b'0',
                b'a'..=b'f' => b - b'a' + 10,
                b'A'..=b'F' => b - b'A' + 10,
                _ => {
                    good &= dash && b == b'-';
                    continue;
                }
            };
            good &= !dash;
            value = value << 4 | u128::from(digit);
        }
        ensure!(good, "`{}` is not a valid uuid", shown(text));
        Ok(Self(value))
    }
}

/// A host's name as a key of the spec file: letters, digits, `.`, `-` and `_`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostName(String);
text_newtype!(HostName);

impl FromStr for HostName {
    type Err = anyhow::Error;
    fn from_str(text: &str) -> Result<Self> {
        ensure!(
            (1..=64).contains(&text.len())
                && text.starts_with(|c: char| c.is_ascii_alphanumeric())
                && text.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c)),
            "`{}` is not a valid host name: it must be up to 64 letters, digits, `.`, `-` and `_`",
            shown(text)
        );
        Ok(Self(text.to_string()))
    }
}

/// A mode of the bonding driver. Mode 7 exists only in XenServer's kernels
/// (bonding-balance-slb.patch, tests/ground/xapi.md, F2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum BondMode {
    /// 0: packets in turn over all slaves; the switch ports must be one static LAG.
    BalanceRr,
    /// 1: one slave carries everything, another takes over.
    ActiveBackup,
    /// 2: a hash picks the slave; the switch ports must be one static LAG.
    BalanceXor,
    /// 3: everything on every slave.
    Broadcast,
    /// 4: LACP.
    Ieee8023ad,
    /// 5: the driver balances what is sent.
    BalanceTlb,
    /// 6: the driver balances what is sent and, by ARP, what is received.
    BalanceAlb,
    /// 7: XenServer's source load balancing.
    BalanceSlb,
}

impl BondMode {
    /// Every mode, by number.
    pub const ALL: [Self; 8] = [
        Self::BalanceRr,
        Self::ActiveBackup,
        Self::BalanceXor,
        Self::Broadcast,
        Self::Ieee8023ad,
        Self::BalanceTlb,
        Self::BalanceAlb,
        Self::BalanceSlb,
    ];

    /// Name and the words of `/proc/net/bonding` (drivers/net/bonding/bond_main.c,
    /// `bond_mode_name`; tests/ground/procbonding.md, C1).
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::BalanceRr => ("balance-rr", "load balancing (round-robin)"),
            Self::ActiveBackup => ("active-backup", "fault-tolerance (active-backup)"),
            Self::BalanceXor => ("balance-xor", "load balancing (xor)"),
            Self::Broadcast => ("broadcast", "fault-tolerance (broadcast)"),
            Self::Ieee8023ad => ("802.3ad", "IEEE 802.3ad Dynamic link aggregation"),
            Self::BalanceTlb => ("balance-tlb", "transmit load balancing"),
            Self::BalanceAlb => ("balance-alb", "adaptive load balancing"),
            Self::BalanceSlb => ("balance-slb", "source load balancing"),
        }
    }

    /// The name that `BONDING_OPTS`, sysfs and `modinfo` use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.words().0
    }

    /// The words after `Bonding Mode:` in `/proc/net/bonding/<bond>`, without any suffix.
    #[must_use]
    pub const fn proc_words(self) -> &'static str {
        self.words().1
    }

    /// The driver's number.
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8
    }

    /// One slave at a time is the active one, and `primary` has a meaning
    /// (`USES_PRIMARY`, drivers/net/bonding/bonding.h).
    #[must_use]
    pub const fn has_active_slave(self) -> bool {
        matches!(self, Self::ActiveBackup | Self::BalanceTlb | Self::BalanceAlb)
    }
}

/// The known word that was most likely meant, and whether it is near: one that `word` begins, else
/// the one that differs in the fewest characters, near when in no more than about a third.
#[must_use]
pub fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<(&'a str, bool)> {
    if let Some(begun) = known.iter().find(|k| word.len() >= 3 && k.starts_with(word)) {
        return Some((begun, true));
    }
    let (far, k) = known.iter().map(|k| (distance(k, word), *k)).min_by_key(|(far, _)| *far)?;
    Some((k, far <= 1 + word.chars().count() / 3))
}

/// How many characters must be changed, added or left out to make one word the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let cost = corner + usize::from(ca != *cb);
            corner = row[j + 1];
            row[j + 1] = cost.min(row[j] + 1).min(corner + 1);
        }
    }
    row[b.len()]
}

impl FromStr for BondMode {
    type Err = anyhow::Error;
    fn from_str(text: &str) -> Result<Self> {
        for mode in Self::ALL {
            if text == mode.name() || text == mode.number().to_string() {
                return Ok(mode);
            }
        }
        let known: Vec<String> =
            Self::ALL.iter().map(|m| format!("{} ({})", m.name(), m.number())).collect();
        let likely = match text.to_ascii_lowercase().as_str() {
            "lacp" | "8023ad" | "802.1ax" => Some("802.3ad"),
            "slb" => Some("balance-slb"),
            other => {
                let near = nearest(&other.replace('_', "-"), &Self::ALL.map(Self::name));
                near.and_then(|(name, near)| near.then_some(name))
            }
        };
        let likely = likely.map(|name| format!("; did you mean {name}?")).unwrap_or_default();
        let (text, known) = (shown(text), known.join(", "));
        bail!("`{text}` is not a valid bonding mode; the modes are {known}{likely}")
    }
}

text_form!(BondMode);

impl fmt::Display for BondMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// An IPv4 address with its prefix length: a host's address, or a route's destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Ipv4Net {
    /// The address, host bits and all.
    pub addr: Ipv4Addr,
    /// Bits of the netmask that are one, 0 to 32.
    pub prefix: u8,
}

impl Ipv4Net {
    /// A subnet from an address and a netmask in dotted form.
    ///
    /// # Errors
    /// When the mask has holes.
    pub fn with_netmask(addr: Ipv4Addr, mask: Ipv4Addr) -> Result<Self> {
        let bits = u32::from(mask);
        ensure!(
            bits.leading_ones() + bits.trailing_zeros() >= 32,
            "netmask `{mask}` has holes: its one bits must come before its zero bits"
        );
        Ok(Self { addr, prefix: u8::try_from(bits.leading_ones())? })
    }

    /// The netmask in dotted form.
    #[must_use]
    pub fn netmask(self) -> Ipv4Addr {
        Ipv4Addr::from(self.mask_bits())
    }

    fn mask_bits(self) -> u32 {
        u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0)
    }

    /// The subnet: the same with the host bits zero.
    #[must_use]
    pub fn subnet(self) -> Self {
        Self { addr: Ipv4Addr::from(u32::from(self.addr) & self.mask_bits()), prefix: self.prefix }
    }

    /// Whether `addr` lies in this subnet.
    #[must_use]
    pub fn contains(self, addr: Ipv4Addr) -> bool {
        Self { addr, prefix: self.prefix }.subnet() == self.subnet()
    }

    /// Whether the two subnets share an address.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        self.contains(other.addr) || other.contains(self.addr)
    }

    /// Checks that this is an address that a host may have in its subnet.
    ///
    /// # Errors
    /// When it is the subnet's own or its broadcast address, has no room for a peer, or is
    /// from a range that is not for hosts.
    pub fn check_host(self) -> Result<()> {
        let Self { addr, prefix } = self;
        ensure!(
            !(addr.is_loopback()
                || addr.is_multicast()
                || addr.is_link_local()
                || addr.is_broadcast()
                || addr.octets()[0] == 0
                || addr.octets()[0] >= 240),
            "address `{self}` is not for a host: it is from a loopback, link-local, multicast or reserved range"
        );
        ensure!(
            (8..=31).contains(&prefix),
            "address `{self}` needs a prefix of 8 to 31: a storage server must fit in the same subnet"
        );
        let host_bits = u32::from(addr) & !self.mask_bits();
        ensure!(
            prefix == 31 || (host_bits != 0 && host_bits != !self.mask_bits()),
            "address `{self}` is not that of a host: it is the {} address of {}",
            if host_bits == 0 { "network" } else { "broadcast" },
            self.subnet()
        );
        Ok(())
    }
}

impl FromStr for Ipv4Net {
    type Err = anyhow::Error;
    fn from_str(text: &str) -> Result<Self> {
        let seen = shown(text);
        let shape =
            || format!("`{seen}` is not a valid IPv4 address with prefix (172.16.51.11/24)");
        let Some((addr, prefix)) = text.split_once('/') else { bail!(shape()) };
        let Ok(addr) = addr.parse::<Ipv4Addr>() else { bail!(shape()) };
        let Some(prefix) = decimal(prefix).filter(|p| *p <= 32) else { bail!(shape()) };
        Ok(Self { addr, prefix: u8::try_from(prefix)? })
    }
}

text_form!(Ipv4Net);

impl fmt::Display for Ipv4Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/{}", self.addr, self.prefix))
    }
}

/// A decimal number without sign, blanks or needless zeros.
#[must_use]
pub fn decimal(text: &str) -> Option<u32> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests;
