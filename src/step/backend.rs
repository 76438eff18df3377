//! The switch of the network backend (facts/xapi.md section D): the script can exit 0 and do the
//! opposite, stop half-way, and, up to 8.0, delete every `ifcfg` file but that of `lo`.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

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
            self.run(host, &self.to)?;
        }
        put_back(host, self.foreign_files())
    }

    pub(super) fn undo(&self, host: &Host) -> Result<()> {
        if next_backend(host)? != self.from {
            let now = ifcfg_files(host)?;
            // The script takes no other words; the file itself is put back below, byte for byte.
            self.run(host, &self.from.taken())?;
            put_back(host, now.iter().filter(|f| !is_xapis(&f.was)))?;
        }
        put_back(host, self.files.iter().filter(|f| !Self::is_its_own(&f.path)))?;
        for file in self.files.iter().filter(|f| Self::is_its_own(&f.path)) {
            host.put(&file.path, &file.was)?;
        }
        Ok(())
    }

    fn run(&self, host: &Host, to: &Backend) -> Result<()> {
        let cmd = self.command(to);
        host.run(&cmd)?.check(&cmd)?;
        let now = next_backend(host)?;
        ensure!(now == *to, "`{cmd}` reported success, and {} says `{now}`", paths::NETWORK_CONF);
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
