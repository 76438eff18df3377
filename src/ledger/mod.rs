//! Our state on disk: which transactions there are, which is the current one, what their journals
//! say, and who holds the lock. Knows no plan.

mod chain;
mod event;
mod lock;

use anyhow::{Context, Error, Result, anyhow};
pub use chain::{Change, bring_forward, chain, change, changes, front, step_back};
pub use event::{Event, Line, Orders, Phase};
pub use lock::Lock;
use serde::{Deserialize, Serialize};

use crate::host::{Host, Kind, join};
use crate::ifcfg;
use crate::json;
use crate::net::Uuid;
use crate::outcome::Hint;
use crate::paths;
use crate::spec::Spec;

/// The format of `plan.json` and `journal`; another one is not touched.
pub const FORMAT: u32 = 2;

/// A transaction in short, for findings and `status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Its name.
    pub id: String,
    /// What was asked for.
    pub spec: Spec,
    /// Where it stands.
    #[serde(flatten)]
    pub phase: Phase,
}

impl Summary {
    /// Whether it has not come to its end.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.phase.is_open()
    }
}

/// The link to the current transaction.
#[must_use]
pub fn current() -> String {
    join(paths::STATE, "current")
}

/// The folder of a transaction.
#[must_use]
pub fn history(id: &str) -> String {
    join(&join(paths::STATE, "history"), id)
}

/// The names of all transactions, oldest first.
///
/// # Errors
/// When the folder is there and cannot be read.
pub fn names(host: &Host) -> Result<Vec<String>> {
    host.list(&history(""))
}

/// The name of the current transaction, when there is one.
#[must_use]
pub fn current_id(host: &Host) -> Option<String> {
    host.link_name(&current())
}

/// Where the log of a transaction is kept.
#[must_use]
pub fn log_file(id: &str) -> String {
    join(&history(id), "log")
}

/// The transaction in short, when there is one.
///
/// # Errors
/// When its files are there and cannot be understood, or are another host's.
pub fn summary(host: &Host) -> Result<Option<Summary>> {
    let Some(bytes) = plan_json(host, &current())? else { return Ok(None) };
    let head: Head = json::read(&bytes)
        .map_err(|error| damaged(host, &current(), "plan.json", &error.into()))?;
    let events: Vec<Event> =
        journal(host, &current())?.0.into_iter().map(|line| line.event).collect();
    let phase = Phase::after(&events);
    let open = phase != Phase::RolledBack;
    Ok(open.then_some(Summary { id: head.id, spec: head.plan.spec, phase }))
}

/// The part of `plan.json` that is understood here.
#[derive(Deserialize)]
struct Head {
    id: String,
    plan: HeadPlan,
}

#[derive(Deserialize)]
struct HeadPlan {
    spec: Spec,
}

/// What is said of a part of a record that is damaged: which, and the way out, which needs none of
/// the record but its script and the originals.
#[must_use]
pub fn damaged(host: &Host, folder: &str, part: &str, error: &Error) -> Error {
    let script = join(&real_folder(host, folder), "undo.sh");
    let hint = if host.exists(&script) {
        format!(
            "undo it without the record: sh {script} (`xenbond show` still works; what changes this host does not)"
        )
    } else {
        let originals = join(&history("*"), "originals");
        format!(
            "undo.sh of that transaction is gone too: what remains of the files as they were lies in {originals}"
        )
    };
    let state = join(paths::STATE, "current");
    let hint = format!("{hint}; once the host is as it should be: rm {state}");
    anyhow!(Hint(hint)).context(format!(
        "the record of what xenbond did here is damaged, and nothing is done by it: {}: {error:#}",
        join(&real_folder(host, folder), part)
    ))
}

/// The folder itself, where it was named by the link to it.
fn real_folder(host: &Host, folder: &str) -> String {
    match current_id(host) {
        Some(id) if folder == current() => history(&id),
        _ => folder.to_string(),
    }
}

/// The uuid of this host, where its inventory file tells.
#[must_use]
pub fn this_host(host: &Host) -> Option<Uuid> {
    let text = host.read_text(paths::INVENTORY).ok()??;
    ifcfg::parse(&text).get("INSTALLATION_UUID")?.parse().ok()
}

/// The bytes of the `plan.json` in a transaction's folder, when it is there.
///
/// # Errors
/// When it cannot be read, has another format than [`FORMAT`], or is another host's; when `current`
/// leads to a transaction that has none.
pub fn plan_json(host: &Host, folder: &str) -> Result<Option<Vec<u8>>> {
    #[derive(Deserialize)]
    struct Format {
        format: Option<serde_json::Value>,
        host: Option<Uuid>,
    }
    let plan = join(folder, "plan.json");
    let Some(bytes) = host.read(&plan)? else {
        // It is durable before the link is made.
        let cut = folder == current() && host.exists(&current());
        return if cut {
            Err(damaged(host, folder, "plan.json", &anyhow!("it is gone")))
        } else {
            Ok(None)
        };
    };
    let head: Format =
        json::read(&bytes).map_err(|error| damaged(host, folder, "plan.json", &error.into()))?;
    if head.format != Some(FORMAT.into()) {
        let hint = format!("without any xenbond, to undo it: sh {}", join(folder, "undo.sh"));
        return Err(anyhow!(Hint(hint)).context(format!(
            "{plan} has the format {}, and this xenbond knows {FORMAT}: use the xenbond that wrote it",
            head.format.map_or("unknown".into(), |f| f.to_string())
        )));
    }
    if let (Some(theirs), Some(mine)) = (&head.host, &this_host(host))
        && theirs != mine
    {
        let hint = format!("mv {} /root/xenbond-of-{theirs}", paths::STATE);
        return Err(anyhow!(Hint(hint)).context(format!(
            "{} is the state of another host (uuid {theirs}, and this host is {mine}), as from a backup or a cloned disk: nothing is done by it",
            paths::STATE
        )));
    }
    Ok(Some(bytes))
}

/// The lines of the journal in a transaction's folder, and how many bytes they are. A last line
/// without its end was never durable, so what it announces never began.
///
/// # Errors
/// When it cannot be read, or is broken before its end.
pub fn journal(host: &Host, folder: &str) -> Result<(Vec<Line>, u64)> {
    let text = host.read(&join(folder, "journal"))?.unwrap_or_default();
    let whole = &text[..text.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1)];
    let lines = whole
        .split_inclusive(|b| *b == b'\n')
        .enumerate()
        .map(|(at, line)| {
            let read = json::read(line).map_err(anyhow::Error::from);
            read.with_context(|| format!("line {}", at + 1))
        })
        .collect::<Result<_>>()
        .map_err(|error| damaged(host, folder, "journal", &error))?;
    Ok((lines, whole.len() as u64))
}

/// Makes `current` point at a transaction, or at none, in one rename.
pub fn point_at(host: &Host, id: Option<&str>) -> Result<()> {
    let to = match id {
        Some(id) => Kind::Link { target: format!("history/{id}") },
        None => Kind::Absent,
    };
    host.put(&current(), &to)
}

/// The id of this boot, where the kernel shows one.
#[must_use]
pub fn this_boot(host: &Host) -> Option<String> {
    host.attribute(paths::BOOT_ID)
}

/// Seconds since 1970.
#[must_use]
pub fn wall_seconds(host: &Host) -> u64 {
    host.clock().now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// The time now, by RFC 3339 and to the second.
#[must_use]
pub fn now(host: &Host) -> String {
    humantime::format_rfc3339_seconds(host.clock().now()).to_string()
}
