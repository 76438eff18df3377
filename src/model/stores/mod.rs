//! What XAPI and networkd keep on disk, and when it gets there: XAPI's database no sooner than
//! 300 s after it was written last, networkd's file every 300 s, both when they are stopped
//! (tests/ground/xapi-measured.md, M20 and M21). A power cut takes what is not there yet.

use std::fs;
use std::path::{Path, PathBuf};

use super::state::{Networkd, Pool, State, Xapi};
use crate::json;

mod database;

/// The configuration that names the file of XAPI's database.
const DB_CONF: &str = "etc/xensource/db.conf";
/// networkd's file.
const NETWORKD_DB: &str = "var/lib/xcp/networkd.db";

/// A disk that XAPI attaches for high availability.
const HA_DISK: &str = "etc/xensource/static-vdis/ha";

/// What `db.conf` says on a fresh host.
const DB_CONF_TEXT: &str = "[/var/lib/xcp/state.db]\nmode:no_limit\nformat:xml\n";

/// Writes `db.conf` where there is none, and both stores.
pub(super) fn create(root: &Path, state: &mut State) -> std::io::Result<()> {
    fs::create_dir_all(root.join("var/lib/xcp"))?;
    if !root.join(DB_CONF).exists() {
        fs::write(root.join(DB_CONF), DB_CONF_TEXT)?;
    }
    state.dom0.disk.generation = 118_000;
    flush(root, state);
    Ok(())
}

/// The file that `db.conf` names.
fn database_file(root: &Path) -> Option<PathBuf> {
    let text = fs::read_to_string(root.join(DB_CONF)).ok()?;
    let path = text.lines().find_map(|line| line.trim().strip_prefix('[')?.strip_suffix(']'))?;
    Some(root.join(path.trim_start_matches('/')))
}

fn put(path: &Path, text: &[u8]) {
    if fs::read(path).is_ok_and(|now| now == text) {
        return;
    }
    let temp = path.with_extension("tmp");
    let _ = fs::write(&temp, text).and_then(|()| fs::rename(temp, path));
}

fn is_master(state: &State) -> bool {
    state.pool.master == state.dom0.me
}

/// With high availability XAPI attaches a disk on every host, and writes and reads its database
/// there alone.
fn attach_ha_disk(root: &Path, state: &State) {
    let folder = root.join(HA_DISK);
    if state.pool.ha_enabled && !folder.exists() {
        let _ = fs::create_dir_all(&folder)
            .and_then(|()| fs::write(folder.join("reason"), "HA metadata VDI"));
    } else if !state.pool.ha_enabled && folder.exists() {
        let _ = fs::remove_dir_all(folder);
    }
}

/// XAPI writes its database now; a member, its copy.
pub(super) fn write_database(root: &Path, state: &mut State) {
    let Some(every) = state.dom0.saves.xapi.filter(|_| !state.pool.ha_enabled) else { return };
    let disk = &mut state.dom0.disk;
    disk.xapi_written = state.dom0.clock;
    disk.pool = (every > 0).then(|| Box::new(state.pool.clone()));
    let Some(path) = database_file(root) else { return };
    let same = database::text(&state.pool, disk.generation);
    if fs::read(&path).is_ok_and(|now| now == same.as_bytes()) {
        return;
    }
    disk.generation += 1;
    put(&path, database::text(&state.pool, disk.generation).as_bytes());
    put(&path.with_extension("db.generation"), disk.generation.to_string().as_bytes());
}

/// networkd writes its file now.
fn write_networkd(root: &Path, state: &State) {
    if state.dom0.saves.networkd.is_some()
        && let Ok(text) = serde_json::to_vec(&state.dom0.networkd)
    {
        put(&root.join(NETWORKD_DB), &text);
    }
}

/// What networkd finds at its start.
pub(super) fn read_networkd(root: &Path) -> Option<Networkd> {
    json::read(&fs::read(root.join(NETWORKD_DB)).ok()?).ok()
}

/// Both are written now, as when they are stopped.
pub(super) fn flush(root: &Path, state: &mut State) {
    write_database(root, state);
    write_networkd(root, state);
    let every = state.dom0.saves.networkd.unwrap_or_default();
    state.dom0.disk.networkd_next = state.dom0.clock + every;
}

/// Whether XAPI knows something that its file does not.
fn database_is_behind(state: &State) -> bool {
    match (&state.dom0.disk.pool, state.dom0.saves.xapi) {
        _ if state.pool.ha_enabled => false,
        (Some(disk), Some(every)) if every > 0 => is_master(state) && **disk != state.pool,
        _ => false,
    }
}

/// Whether something is still to be written.
pub(super) fn are_behind(root: &Path, state: &State) -> bool {
    let networkd = state.dom0.saves.networkd.is_some_and(|every| every > 0)
        && read_networkd(root).as_ref() != Some(&state.dom0.networkd);
    networkd || database_is_behind(state)
}

/// Writes what is due. `written`: XAPI's records as its file is known to have them, where it writes
/// at once.
pub(super) fn settle(root: &Path, state: &mut State, written: &mut Option<Pool>) {
    attach_ha_disk(root, state);
    let (clock, saves) = (state.dom0.clock, state.dom0.saves);
    if let Some(every) = saves.networkd
        && (every == 0 || clock >= state.dom0.disk.networkd_next)
    {
        write_networkd(root, state);
        let late = clock.saturating_sub(state.dom0.disk.networkd_next);
        state.dom0.disk.networkd_next = clock + every - late.checked_rem(every).unwrap_or(0);
    }
    let Some(every) = saves.xapi else { return };
    let due = match &state.dom0.disk.pool {
        Some(_) if every > 0 => {
            database_is_behind(state)
                && state.dom0.xapi == Xapi::Up
                && clock >= state.dom0.disk.xapi_written + every
        }
        None if every == 0 => written.as_ref() != Some(&state.pool),
        // At once from now on, or nothing was written yet.
        _ => true,
    };
    if due {
        write_database(root, state);
        *written = (every == 0).then(|| state.pool.clone());
    }
}

/// What a power cut leaves of XAPI's records: what the master's disk has. No uuid is given out
/// twice for all that.
pub(super) fn lose(state: &mut State) {
    if !is_master(state) || state.pool.ha_enabled {
        return;
    }
    if let Some(disk) = &state.dom0.disk.pool {
        let counter = state.pool.counter;
        state.pool = (**disk).clone();
        state.pool.counter = counter;
    }
}
