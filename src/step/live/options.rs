//! Options of the driver's that are set while the bond is up.

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

use super::{Written, file, stands, write};
use crate::host::Host;
use crate::net::IfName;
use crate::options::{Opt, Values};

/// Options of one bond.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveOptions {
    /// The bond.
    pub bond: IfName,
    /// The options, in the order of the table.
    pub changes: Vec<Change>,
}

/// An option's change, its values in their normal form (`Row::normal`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Which.
    pub option: Opt,
    /// What it is now.
    pub was: String,
    /// What it is to be.
    pub want: String,
}

/// How often all of them are gone through: one may change another (miimon the delays that are
/// counted in it), and be refused as long as another stands.
const PASSES: usize = 3;

impl LiveOptions {
    pub(in crate::step) fn title(&self) -> String {
        format!("set {} while it is up", self.list("", |change| &change.want))
    }

    pub(in crate::step) fn undo_title(&self) -> String {
        format!("set {}", self.list("back ", |change| &change.was))
    }

    /// Those that change; the others are only to stay as they are.
    fn changed(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(|change| change.was != change.want)
    }

    /// The options with one of their values, in words.
    fn list(&self, back: &str, value: impl Fn(&Change) -> &String) -> String {
        let one = |(at, change): (usize, &Change)| {
            let (of, back) = match at {
                0 => (format!(" of {}", self.bond), back),
                _ => (String::new(), ""),
            };
            let value = match value(change).as_str() {
                "" => "nothing",
                text => text,
            };
            format!("{}{of} {back}to {value}", change.option)
        };
        self.changed().enumerate().map(one).collect::<Vec<_>>().join(", ")
    }

    pub(in crate::step) fn written(&self) -> Vec<Written> {
        self.files(|change| (&change.was, &change.want))
    }

    /// What is written to set them back.
    #[must_use]
    pub fn written_back(&self) -> Vec<Written> {
        self.files(|change| (&change.want, &change.was))
    }

    fn files(&self, way: impl Fn(&Change) -> (&String, &String)) -> Vec<Written> {
        let of = |change: &Change| {
            let path = file(&self.bond, &change.option.to_string());
            let (from, to) = way(change);
            let lines = lines(change.option, from, to).into_iter();
            lines.map(move |value| Written { path: path.clone(), value }).collect::<Vec<_>>()
        };
        self.changed().flat_map(of).collect()
    }

    pub(in crate::step) fn perform(&self, host: &Host) -> Result<()> {
        self.set(host, |change| &change.want)
    }

    pub(in crate::step) fn undo(&self, host: &Host) -> Result<()> {
        self.set(host, |change| &change.was)
    }

    fn set(&self, host: &Host, to: impl Fn(&Change) -> &String) -> Result<()> {
        stands(host, self.bond.as_str())?;
        let differs = |change: &&Change| self.now(host, change.option).as_ref() != Some(to(change));
        for pass in 1..=PASSES {
            // A primary that is no slave now is not shown, and would count again as one.
            let hidden = |change: &Change| {
                pass == 1 && change.option == Opt::Primary && to(change).is_empty()
            };
            for change in self.changes.iter().filter(|c| differs(c) || hidden(c)) {
                let now = self.now(host, change.option).unwrap_or_default();
                for line in lines(change.option, &now, to(change)) {
                    let set = write(host, &self.bond, &change.option.to_string(), &line);
                    if pass == PASSES {
                        set?;
                    }
                }
            }
            if !self.changes.iter().any(|change| differs(&change)) {
                return Ok(());
            }
        }
        let bad = self.changes.iter().find(differs);
        let (option, value) = bad.map(|bad| (bad.option, to(bad).as_str())).unzip();
        bail!(
            "the driver has not taken {} for {} of {}: `dmesg | grep bond` tells why",
            value.unwrap_or_default(),
            option.map(|option| option.to_string()).unwrap_or_default(),
            self.bond
        )
    }

    fn now(&self, host: &Host, option: Opt) -> Option<String> {
        let path = file(&self.bond, &option.to_string());
        let text = host.attribute(&path).or_else(|| host.exists(&path).then(String::new))?;
        Some(option.row().normal(&text))
    }
}

/// What is written to get from one value to another: addresses are added and taken out one by one.
fn lines(option: Opt, now: &str, want: &str) -> Vec<String> {
    if !matches!(option.row().values, Values::Targets) {
        return vec![want.to_string()];
    }
    let split = |text: &str| -> Vec<String> {
        text.split(',').filter(|t| !t.is_empty()).map(String::from).collect()
    };
    let (now, want) = (split(now), split(want));
    let more = want.iter().filter(|t| !now.contains(t)).map(|t| format!("+{t}"));
    let fewer = now.iter().filter(|t| !want.contains(t)).map(|t| format!("-{t}"));
    more.chain(fewer).collect()
}
