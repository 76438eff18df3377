//! The switch of the network backend (tests/ground/xapi.md, D2 and D3): the script can exit 0 and
//! do the opposite, stop half-way, and, up to 8.0, delete every `ifcfg` file but that of `lo`.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::Kept;
use crate::host::{Cmd, Host, Kind, Original, Program, join};
use crate::ifcfg;
use crate::net::Backend;
use crate::paths;

/// How long the script may take: it changes a few files and service links.
const LIMIT: Duration = Duration::from_secs(120);

/// A switch and all files that the script may touch, as they were.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switch {
    /// The word of `network.conf`.
    pub from: Backend,
    /// The word that it must have.
    pub to: Backend,
    /// All of network-scripts, `network.conf`, the bridge blacklists, and the links that start
    /// Open vSwitch at boot.
    pub files: Vec<Original>,
}

fn is_xapis(kind: &Kind) -> bool {
    kind.bytes().is_some_and(|bytes| ifcfg::has_xemanaged(&String::from_utf8_lossy(bytes)))
}

impl Switch {
    /// Whether a file is one that the script is meant to change.
    #[must_use]
    pub fn is_its_own(path: &str) -> bool {
        path == paths::NETWORK_CONF
            || paths::BLACKLISTS.contains(&path)
            || paths::is_switch_link(path)
    }

    /// The command that sets this backend.
    #[must_use]
    pub fn command(&self, to: &Backend) -> Cmd {
        Cmd::change(Program::XeSwitchNetworkBackend, &[to.word()], LIMIT)
    }

    /// The files among them that neither the script nor xenbond is to change.
    pub fn foreign_files(&self) -> impl Iterator<Item = &Original> {
        self.files.iter().filter(|f| !Self::is_its_own(&f.path) && !is_xapis(&f.was))
    }

    pub(super) fn perform(&self, host: &Host) -> Result<()> {
        if next_backend(host)? != self.to {
            // What others did to their files since they were recorded is theirs.
            let now = ifcfg_files(host)?;
            self.run(host, &self.to)?;
            return put_back(host, now.iter().filter(|f| !is_xapis(&f.was)));
        }
        put_back(host, self.foreign_files())
    }

    pub(super) fn undo(&self, host: &Host, kept: &mut Kept) -> Result<()> {
        let own: Vec<&Original> = self.files.iter().filter(|f| Self::is_its_own(&f.path)).collect();
        let added: Vec<Vec<u8>> =
            own.iter().map(|file| added_by_others(host, file)).collect::<Result<_>>()?;
        if next_backend(host)? != self.from {
            let now = ifcfg_files(host)?;
            // The script takes no other words; the file itself is put back below, byte for byte.
            let ran = self.run(host, &self.from.taken());
            // Also one that reports failure has taken them.
            put_back(host, now.iter().filter(|f| !is_xapis(&f.was)))?;
            ran?;
        }
        // What XAPI makes itself; whatever else is gone now others have removed.
        let brought = |f: &&Original| !Self::is_its_own(&f.path) && is_xapis(&f.was);
        put_back(host, self.files.iter().filter(brought))?;
        for path in kept.known.iter().filter(|_| !kept.undone) {
            let copy = host.original(&kept.copy(path))?.was;
            if path.starts_with(paths::NETWORK_SCRIPTS) && !host.exists(path) {
                host.put(path, &copy)?;
            }
        }
        for (file, added) in own.iter().zip(added) {
            if added.is_empty() {
                host.put(&file.path, &file.was)?;
                continue;
            }
            let bytes = [file.was.bytes().unwrap_or_default(), &added].concat();
            host.put(&file.path, &Kind::new_file(bytes, 0o644))?;
            kept.notes.push(format!("{}: lines that others added stay", file.path));
            kept.paths.push(file.path.clone());
        }
        Ok(())
    }

    /// Puts back the files of others that the script may have taken, but for those that are `known`
    /// to be gone.
    ///
    /// # Errors
    /// When one cannot be written.
    pub fn put_back_taken(&self, host: &Host, known: &[String]) -> Result<()> {
        put_back(host, self.foreign_files().filter(|file| !known.contains(&file.path)))
    }

    /// What others have made of their files since these were recorded: all that differ, and those
    /// that they made.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn others_work(&self, host: &Host) -> Result<Vec<Original>> {
        let mut all = Vec::new();
        for file in self.files.iter().filter(|f| !Self::is_its_own(&f.path)) {
            let now = host.original(&file.path)?;
            // One of XAPI's comes and goes with the switch.
            let gone = now.was == Kind::Absent || is_xapis(&now.was);
            let comes_and_goes = is_xapis(&file.was) && gone;
            if !comes_and_goes && !now.was.same_but_time(&file.was) {
                all.push(now);
            }
        }
        let recorded = |path: &String| self.files.iter().any(|f| f.path == *path);
        all.extend(
            ifcfg_files(host)?.into_iter().filter(|f| !recorded(&f.path) && !is_xapis(&f.was)),
        );
        Ok(all)
    }

    fn run(&self, host: &Host, to: &Backend) -> Result<()> {
        let cmd = self.command(to);
        host.run(&cmd)?.check(&cmd)?;
        let now = next_backend(host)?;
        ensure!(now == *to, "`{cmd}` reported success, but {} says `{now}`", paths::NETWORK_CONF);
        Ok(())
    }
}

/// The backend for the next boot.
fn next_backend(host: &Host) -> Result<Backend> {
    let text = host
        .read_text(paths::NETWORK_CONF)?
        .with_context(|| format!("{} is missing", paths::NETWORK_CONF))?;
    Ok(text.as_str().into())
}

/// The lines of one of the script's own files that neither it wrote nor the recorded file had.
fn added_by_others(host: &Host, file: &Original) -> Result<Vec<u8>> {
    if file.path == paths::NETWORK_CONF || paths::is_switch_link(&file.path) {
        return Ok(Vec::new());
    }
    let now = host.original(&file.path)?.was;
    let lines = |kind: &Kind| -> Vec<Vec<u8>> {
        let bytes = kind.bytes().unwrap_or_default();
        bytes.split_inclusive(|b| *b == b'\n').map(<[u8]>::to_vec).collect()
    };
    let had = lines(&file.was);
    let scripts = |line: &[u8]| line.trim_ascii() == b"install bridge /bin/true";
    let new =
        |line: &Vec<u8>| !had.contains(line) && !scripts(line) && !line.trim_ascii().is_empty();
    Ok(lines(&now).into_iter().filter(new).collect::<Vec<_>>().concat())
}

fn ifcfg_files(host: &Host) -> Result<Vec<Original>> {
    host.list(paths::NETWORK_SCRIPTS)?
        .iter()
        .filter(|name| name.starts_with("ifcfg-"))
        .map(|name| host.original(&join(paths::NETWORK_SCRIPTS, name)))
        .collect()
}

/// Puts back those of the files that are gone; one that is there is left as it is.
fn put_back<'a>(host: &Host, files: impl Iterator<Item = &'a Original>) -> Result<()> {
    for file in files {
        if file.was != Kind::Absent && !host.exists(&file.path) {
            host.put(&file.path, &file.was)?;
        }
    }
    Ok(())
}
