//! What single texts of a spec mean, whatever section they stand in.

use std::collections::BTreeMap;

use anyhow::{Context, Result, anyhow, bail, ensure};

use super::ini::Source;
use super::{MTU_RANGE, Tune, Tuning};
use crate::net::{Ipv4Net, StaticRoute, decimal, shown};

/// A line of a section whose keys are not those of `[bond]`: where, key and text.
pub(super) type Given = (Source, String, String);

/// Texts of `[bond]` by the spec's own names for the keys, each with where it was said.
pub(super) type Texts = BTreeMap<String, (Source, String)>;

pub(super) fn take<T>(
    texts: &mut Texts,
    key: &str,
    parse: impl FnOnce(&str) -> Result<T>,
) -> Result<Option<T>> {
    match texts.remove(key) {
        None => Ok(None),
        Some((source, text)) => parse(&text).map(Some).with_context(|| source.to_string()),
    }
}

pub(super) fn word<T: Copy>(text: &str, known: &[(&str, T)]) -> Result<T> {
    match known.iter().find(|(name, _)| *name == text) {
        Some((_, value)) => Ok(*value),
        None => {
            let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
            bail!("`{}` is not one of {}", shown(text), names.join(", "))
        }
    }
}

pub(super) fn mtu(text: &str) -> Result<u32> {
    decimal(text).filter(|mtu| MTU_RANGE.contains(mtu)).ok_or_else(|| {
        anyhow!(
            "`{}` is not a valid MTU: it must be a whole number from {} to {}",
            shown(text),
            MTU_RANGE.start(),
            MTU_RANGE.end()
        )
    })
}

/// Settings of NICs, parted by commas.
pub(super) fn tuning(text: &str) -> Result<Tuning> {
    let all: Result<Vec<Tune>> = text.split(',').map(|one| one.trim().parse()).collect();
    Ok(all?.into())
}

/// The most that `ifup` may wait: some releases wait twice (tests/ground/initscripts.md, K3).
const MOST_DELAY: u32 = 30;

pub(super) fn link_delay(text: &str) -> Result<u32> {
    decimal(text).filter(|n| (1..=MOST_DELAY).contains(n)).ok_or_else(|| {
        anyhow!(
            "`{}` is not a valid linkdelay: it takes whole seconds from 1 to {MOST_DELAY}",
            shown(text)
        )
    })
}

pub(super) fn host_address(text: &str) -> Result<Ipv4Net> {
    let net: Ipv4Net = text.parse()?;
    net.check_host()?;
    Ok(net)
}

/// Routes by commas.
pub(super) fn routes(text: &str) -> Result<Vec<StaticRoute>> {
    text.split(',').map(str::parse).collect()
}

/// A list by commas, blanks or both.
pub(super) fn list<T: std::str::FromStr<Err = anyhow::Error>>(
    text: &str,
    what: &str,
) -> Result<Vec<T>> {
    let parts: Vec<&str> = text.split(',').collect();
    ensure!(
        parts.iter().all(|part| !part.trim().is_empty()),
        "`{}` has an empty {what} in it",
        shown(text)
    );
    let words =
        parts.iter().flat_map(|part| part.split([' ', '\t'])).filter(|word| !word.is_empty());
    words.map(str::parse).collect()
}
