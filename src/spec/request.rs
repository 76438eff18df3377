//! What one spec asks of every host of a pool, and which of it is for this host.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use anyhow::{Result, anyhow, bail, ensure};

use super::{NetworkName, NicRef, Spec};
use crate::net::{HostName, IfName, Ipv4Net};
use crate::order;
use crate::outcome::Hint;

/// The wanted bond of a pool: one file serves all its hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// For a host that is not among `each`; a file with `[addresses]` serves no other host.
    common: Option<Spec>,
    /// For the hosts that the file names.
    each: BTreeMap<HostName, Spec>,
}

impl Request {
    /// Of the parts of a file, at least one of which there must be.
    pub(super) fn new(common: Option<Spec>, each: BTreeMap<HostName, Spec>) -> Self {
        assert!(common.is_some() || !each.is_empty(), "a request is for some host");
        Self { common, each }
    }

    /// The request of a single host's spec.
    #[must_use]
    pub fn of(spec: Spec) -> Self {
        Self { common: Some(spec), each: BTreeMap::new() }
    }

    /// The spec of the host that goes by these names. A host's name in XAPI (`name-label`) is
    /// only among them where no other host has the same.
    ///
    /// # Errors
    /// When the file has no address for it, or two.
    pub fn for_host(&self, names: &[String]) -> Result<Spec> {
        let found = of_host(&self.each, names);
        let spec = match (&found[..], &self.common) {
            ([(_, spec)], _) => *spec,
            ([], Some(spec)) => spec,
            ([], None) => return Err(self.no_address(names)),
            ([(a, _), (b, _), ..], Some(_)) => {
                bail!("the sections of {a} and of {b} are both for this host")
            }
            ([(a, _), (b, _), ..], None) => {
                bail!("[addresses] names this host twice, as {a} and as {b}")
            }
        };
        ensure!(
            !spec.nics.is_empty(),
            "the spec names no NICs for this host: neither [bond] nor a [bond HOST] section does"
        );
        Ok(spec.clone())
    }

    fn no_address(&self, names: &[String]) -> anyhow::Error {
        let (name, add) = match names.first() {
            Some(name) => (names.join(" or "), format!("`{name} = IP/PREFIX`")),
            None => ("of no name".into(), "its line".into()),
        };
        let hint = format!("the same command on one of those hosts; or add {add} to [addresses]");
        anyhow!(Hint(hint)).context(format!(
            "[addresses] has no address for this host, which is {name}; it has {} ({COMPARED})",
            listed(&self.each)
        ))
    }

    /// Every NIC that it names for any host.
    #[must_use]
    pub fn nics(&self) -> Vec<NicRef> {
        let mut all: Vec<NicRef> = self.specs().flat_map(|spec| spec.nics.clone()).collect();
        order::sort(&mut all);
        all.dedup();
        all
    }

    /// The bonds that hosts get, most often one.
    #[must_use]
    pub fn bonds(&self) -> BTreeSet<&IfName> {
        order::set(self.specs().map(|spec| &spec.bond))
    }

    /// Whether a host's NICs are to be tuned.
    #[must_use]
    pub fn tunes(&self) -> bool {
        self.specs().any(Spec::tunes)
    }

    /// Whether XAPI is to manage a host's bond.
    #[must_use]
    pub fn is_managed(&self) -> bool {
        self.specs().any(|spec| spec.managed().is_some())
    }

    /// The names of the networks of such bonds.
    #[must_use]
    pub fn network_names(&self) -> Vec<NetworkName> {
        self.specs().filter_map(|spec| Some(spec.xapi_bond()?.1.clone())).collect()
    }

    /// Whether a host is to have what not every driver knows.
    #[must_use]
    pub fn asks_driver(&self) -> bool {
        self.specs().any(Spec::asks_driver)
    }

    /// The address of each host of `[addresses]`, where there is that section.
    #[must_use]
    pub fn addresses(&self) -> Option<BTreeMap<HostName, Ipv4Net>> {
        let each = self.each.iter().filter_map(|(host, spec)| Some((host.clone(), spec.address?)));
        self.common.is_none().then(|| order::map(each))
    }

    /// The spec of every host that has an address, with the host's name where it has one.
    #[must_use]
    pub fn by_host(&self) -> Vec<(Option<HostName>, Spec)> {
        match &self.common {
            Some(spec) => vec![(None, spec.clone())],
            None => {
                let whole = self.each.iter().filter(|(_, spec)| !spec.nics.is_empty());
                whole.map(|(host, spec)| (Some(host.clone()), spec.clone())).collect()
            }
        }
    }

    /// Whether a host is to have a tagged network.
    #[must_use]
    pub fn asks_for_vlans(&self) -> bool {
        self.specs().any(|spec| spec.tagged().next().is_some())
    }

    fn specs(&self) -> impl Iterator<Item = &Spec> {
        self.common.iter().chain(self.each.values())
    }
}

/// How names are compared, for messages.
const COMPARED: &str = "names are compared without regard to case, and by what is before the dot";

/// Whether a name of the spec is one of a host's names: the whole name without regard to case, or
/// its first part, where the host has no whole name that begins with it and goes on differently.
#[must_use]
pub fn is_called(host: &HostName, names: &[String]) -> bool {
    is_whole(host, names) || is_short(host, names)
}

fn is_whole(host: &HostName, names: &[String]) -> bool {
    names.iter().any(|name| name.eq_ignore_ascii_case(host.as_str()))
}

fn is_short(host: &HostName, names: &[String]) -> bool {
    // What is no name, such as an address, has no first part either.
    let first = |name: &str| match name.split_once('.') {
        Some((first, _)) if name.parse::<Ipv4Addr>().is_err() => first.to_ascii_lowercase(),
        _ => name.to_ascii_lowercase(),
    };
    let mine = first(host.as_str());
    let alike = names.iter().filter(|name| first(name) == mine);
    let mut same = alike.peekable();
    let dotted = |name: &str| name.contains('.');
    same.peek().is_some() && !(dotted(host.as_str()) && same.any(|name| dotted(name)))
}

/// The entries that are for a host of these names: those that have a whole name of it, else those
/// that have its first part.
pub(super) fn of_host<'a, T>(
    all: &'a BTreeMap<HostName, T>,
    names: &[String],
) -> Vec<(&'a HostName, &'a T)> {
    let whole: Vec<_> = all.iter().filter(|(host, _)| is_whole(host, names)).collect();
    if !whole.is_empty() {
        return whole;
    }
    all.iter().filter(|(host, _)| is_short(host, names)).collect()
}

/// The hosts of a map, for messages.
pub(super) fn listed<T>(all: &BTreeMap<HostName, T>) -> String {
    all.keys().map(HostName::as_str).collect::<Vec<_>>().join(", ")
}
