//! VLAN tags, and the devices that carry them on a bond.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context, Result, anyhow, ensure};
use serde::{Deserialize, Serialize};

use super::{IFNAME_MAX, IfName, decimal, shown, text_form};

/// A tag that a network may have: 0 means none, and 4095 is reserved (IEEE 802.1Q).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Tag(u16);
text_form!(Tag);

/// The largest of them.
const LAST: u32 = 4094;

impl FromStr for Tag {
    type Err = anyhow::Error;
    fn from_str(text: &str) -> Result<Self> {
        let tag = decimal(text).filter(|tag| (1..=LAST).contains(tag));
        let tag = tag.and_then(|tag| u16::try_from(tag).ok());
        tag.map(Self).ok_or_else(|| {
            anyhow!(
                "`{}` is not a valid VLAN tag: it must be a whole number from 1 to {LAST}",
                shown(text)
            )
        })
    }
}

impl Tag {
    /// As a number.
    #[must_use]
    pub fn number(self) -> u32 {
        self.0.into()
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The device of a tagged network on a bond, `bond51.52`: the only name that the boot scripts take
/// for a tag on a device without being told (tests/ground/initscripts.md, J1).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Tagged {
    below: IfName,
    tag: Tag,
    name: String,
}
text_form!(Tagged);

impl Tagged {
    /// The device of a tag on a bond.
    ///
    /// # Errors
    /// When its name is too long for the kernel.
    pub fn of(below: &IfName, tag: Tag) -> Result<Self> {
        let name = format!("{below}.{tag}");
        ensure!(
            name.len() <= IFNAME_MAX,
            "the device of tag {tag} would be `{name}`, which has {} characters, and the kernel takes {IFNAME_MAX}: give the bond a shorter name",
            name.len()
        );
        Ok(Self { below: below.clone(), tag, name })
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// The device that it lies on.
    #[must_use]
    pub fn below(&self) -> &IfName {
        &self.below
    }

    /// The tag.
    #[must_use]
    pub fn tag(&self) -> Tag {
        self.tag
    }
}

impl FromStr for Tagged {
    type Err = anyhow::Error;
    fn from_str(text: &str) -> Result<Self> {
        let (below, tag) = text.split_once('.').with_context(|| {
            format!("`{}` is not a valid device of a tag (bond51.52)", shown(text))
        })?;
        Self::of(&below.parse()?, tag.parse()?)
    }
}

impl fmt::Display for Tagged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name)
    }
}
