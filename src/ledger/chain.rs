//! The changes of this host as they follow each other: which stand, which bond each is of, and
//! which is at the front. Knows no steps.
//!
//! `current` leads to the newest change that stands. While an older one is being undone it leads to
//! that one, so that a boot goes on with it; a link in that one's folder then leads to the newest.

use anyhow::Result;
use serde::Deserialize;

use super::{Event, Phase, current_id, damaged, history, journal, names, plan_json, point_at};
use crate::host::{Host, Kind, join};
use crate::json;
use crate::spec::Spec;

/// A change in short.
#[derive(Clone, Debug)]
pub struct Change {
    /// Its name.
    pub id: String,
    /// What was asked for.
    pub spec: Spec,
    /// Whether it took the bond away for good.
    pub removes: bool,
    /// Where it stands.
    pub phase: Phase,
    /// The one that it followed.
    pub previous: Option<String>,
}

#[derive(Deserialize)]
struct Head {
    id: String,
    previous: Option<String>,
    plan: HeadPlan,
}

#[derive(Deserialize)]
struct HeadPlan {
    spec: Spec,
    #[serde(default)]
    removes: bool,
}

/// The change of a name.
///
/// # Errors
/// When its files are there and cannot be understood, or are another host's.
pub fn change(host: &Host, id: &str) -> Result<Option<Change>> {
    let folder = history(id);
    let Some(bytes) = plan_json(host, &folder)? else { return Ok(None) };
    let head: Head =
        json::read(&bytes).map_err(|error| damaged(host, &folder, "plan.json", &error.into()))?;
    let events: Vec<Event> = journal(host, &folder)?.0.into_iter().map(|line| line.event).collect();
    let HeadPlan { spec, removes } = head.plan;
    let phase = Phase::after(&events);
    Ok(Some(Change { id: head.id, spec, removes, phase, previous: head.previous }))
}

/// The newest change that was not undone, also while `current` leads to an older one.
#[must_use]
pub fn front(host: &Host) -> Option<String> {
    let current = current_id(host)?;
    Some(host.link_name(&newer(&current)).unwrap_or(current))
}

/// The changes that follow each other, the newest first.
///
/// # Errors
/// As for [`change`].
pub fn chain(host: &Host) -> Result<Vec<Change>> {
    let mut all: Vec<Change> = Vec::new();
    let mut next = front(host);
    // A chain that bites its tail would be of no journal of ours; it must not hang either.
    while let Some(id) = next.filter(|id| all.iter().all(|known| known.id != *id)) {
        let Some(found) = change(host, &id)? else { break };
        next = found.previous.clone();
        all.push(found);
    }
    Ok(all)
}

/// Every change that was ever begun here and has a plan, in no order.
///
/// # Errors
/// As for [`change`].
pub fn changes(host: &Host) -> Result<Vec<Change>> {
    let all = names(host)?.into_iter().filter_map(|id| change(host, &id).transpose());
    all.collect()
}

/// Has `current` lead to a change, the newest being kept in mind.
///
/// # Errors
/// When the state cannot be written.
pub fn bring_forward(host: &Host, id: &str) -> Result<()> {
    if current_id(host).as_deref() == Some(id) {
        return Ok(());
    }
    // A stale one harms nobody: from an undone change the chain goes on to what it followed.
    let link = match front(host).filter(|front| front != id) {
        Some(front) => Kind::Link { target: format!("../{front}") },
        None => Kind::Absent,
    };
    host.put(&newer(id), &link)?;
    point_at(host, Some(id))
}

/// Has `current` lead to the newest change that stands, but for this one, which has ended.
///
/// # Errors
/// When the state cannot be read or written.
pub fn step_back(host: &Host, ended: &str) -> Result<()> {
    let stands = |change: &&Change| change.id != ended && change.phase != Phase::RolledBack;
    let all = chain(host)?;
    point_at(host, all.iter().find(stands).map(|change| change.id.as_str()))
}

fn newer(id: &str) -> String {
    join(&history(id), "newer")
}
