//! `ETHTOOL_OPTS` of a file that somebody wrote, as settings of a spec.

use super::{Group, Knob, TABLE, Tune};
use crate::net::IfName;

/// The settings in it; `None` where it has anything that a spec cannot hold.
#[must_use]
pub fn tunes_of(opts: &str, device: &IfName) -> Option<Vec<Tune>> {
    let mut all = Vec::new();
    for command in opts.split(';').map(str::trim).filter(|command| !command.is_empty()) {
        let mut words = command.split_whitespace().peekable();
        let link = Group::Link.set();
        let set = words.next_if(|word| word.starts_with('-'));
        if set.is_some() {
            let named = words.next()?;
            if ![device.as_str(), "${DEVICE}", "$DEVICE"].contains(&named) {
                return None;
            }
        }
        let set = if set == Some("-s") { link } else { set.unwrap_or(link) };
        let words: Vec<&str> = words.collect();
        if !words.len().is_multiple_of(2) {
            return None;
        }
        for pair in words.chunks(2) {
            let meant = |knob: &Knob| knob.group().set() == set && knob.row().word == pair[0];
            let knob = TABLE.iter().map(|row| row.knob).find(meant)?;
            all.push(format!("{device} {knob} {}", pair[1]).parse().ok()?);
        }
    }
    Some(all)
}
