//! What runs something at boot: a systemd unit, or a SysV init script where there is no systemd.
//! Both are a file and a link that the host's own program makes (tests/ground/xapi.md, C7: nothing
//! else runs `ifup` at boot on systemd releases).

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::host::{Cmd, Host, Program, join};
use crate::net::IfName;
use crate::paths;
use std::collections::BTreeMap;

/// How long `systemctl` or `chkconfig` may take over a few links.
const LIMIT: Duration = Duration::from_secs(60);

/// When the bond comes up among SysV services: after `network`, which is 10 and off where this is
/// needed, and before XAPI's networks, which are 13 (tests/ground/xapi.md, C7).
const BOND_ORDER: (u8, u8) = (11, 89);

/// When an interrupted change goes on: when everything else is up.
const RESUME_ORDER: (u8, u8) = (99, 1);

/// A service of ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Its name, without the ending that a unit has.
    pub name: String,
    /// What runs it.
    pub init: Init,
    /// Its start and stop numbers among SysV services.
    pub order: (u8, u8),
}

impl Service {
    /// The service that brings a bond up.
    #[must_use]
    pub fn of_bond(bond: &IfName, init: Init) -> Self {
        Self { name: format!("{}{bond}", paths::SERVICE_PREFIX), init, order: BOND_ORDER }
    }

    /// The service that goes on with a change after a reboot.
    #[must_use]
    pub fn of_resume(init: Init) -> Self {
        Self { name: format!("{}resume", paths::SERVICE_PREFIX), init, order: RESUME_ORDER }
    }

    /// What the host's own program calls it.
    #[must_use]
    pub fn full_name(&self) -> String {
        match self.init {
            Init::Systemd => format!("{}.service", self.name),
            Init::Sysv => self.name.clone(),
        }
    }

    /// Its unit or script.
    #[must_use]
    pub fn file(&self) -> String {
        let folder = match self.init {
            Init::Systemd => paths::SYSTEMD_UNITS,
            Init::Sysv => paths::INIT_SCRIPTS,
        };
        join(folder, &self.full_name())
    }

    /// The mode of that file.
    #[must_use]
    pub fn file_mode(&self) -> u32 {
        match self.init {
            Init::Systemd => 0o644,
            Init::Sysv => 0o755,
        }
    }

    /// The link by which the boot starts it.
    #[must_use]
    pub fn link(&self) -> String {
        match self.init {
            Init::Systemd => join(paths::SYSTEMD_WANTS, &self.full_name()),
            Init::Sysv => join(paths::RUNLEVEL_3, &format!("S{:02}{}", self.order.0, self.name)),
        }
    }

    /// The commands that make the boot start it.
    #[must_use]
    pub fn enable(&self) -> Vec<Cmd> {
        match self.init {
            Init::Systemd => vec![reload(), self.systemctl("enable")],
            Init::Sysv => vec![self.chkconfig("--add")],
        }
    }

    fn systemctl(&self, verb: &str) -> Cmd {
        Cmd::change(Program::Systemctl, &[verb, &self.full_name()], LIMIT)
    }

    fn chkconfig(&self, verb: &str) -> Cmd {
        Cmd::change(Program::Chkconfig, &[verb, &self.name], LIMIT)
    }

    /// The command that makes the boot leave it alone; the file must still be there.
    #[must_use]
    pub fn disable(&self) -> Cmd {
        match self.init {
            Init::Systemd => self.systemctl("disable"),
            Init::Sysv => self.chkconfig("--del"),
        }
    }

    /// Whether the boot starts it.
    #[must_use]
    pub fn is_enabled(&self, host: &Host) -> bool {
        host.exists(&self.link())
    }

    /// Whether its file is there, or what has the boot start it.
    #[must_use]
    pub fn is_there(&self, host: &Host) -> bool {
        host.exists(&self.file()) || self.is_enabled(host)
    }

    /// Makes the boot start it.
    ///
    /// # Errors
    /// When the link is not there afterwards, whatever the program said.
    pub fn turn_on(&self, host: &Host) -> Result<()> {
        for cmd in self.enable() {
            host.run(&cmd)?.check(&cmd)?;
        }
        ensure!(
            self.is_enabled(host),
            "`{}` reported success, but {} is not there",
            self.enable().last().map(ToString::to_string).unwrap_or_default(),
            self.link()
        );
        Ok(())
    }

    /// Makes the boot leave it alone.
    ///
    /// # Errors
    /// When the link is still there afterwards, whatever the program said.
    pub fn turn_off(&self, host: &Host) -> Result<()> {
        if !self.is_enabled(host) {
            return Ok(());
        }
        let cmd = self.disable();
        let output = host.run(&cmd)?;
        if self.is_enabled(host) {
            output.check(&cmd)?;
            bail!("`{cmd}` reported success, but {} is still there", self.link());
        }
        Ok(())
    }

    /// Has the host see that the file is another or gone.
    ///
    /// # Errors
    /// When its program for that fails.
    pub fn reload(&self, host: &Host) -> Result<()> {
        if self.init == Init::Systemd {
            let cmd = reload();
            host.run(&cmd)?.check(&cmd)?;
        }
        Ok(())
    }
}

fn reload() -> Cmd {
    Cmd::change(Program::Systemctl, &["daemon-reload"], LIMIT)
}

/// What runs the services at boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Init {
    /// systemd.
    Systemd,
    /// SysV init scripts.
    Sysv,
}

/// What runs the services of this host at boot.
#[must_use]
pub fn init(host: &Host) -> Init {
    init_by(host, &host.programs())
}

/// What runs the services on a host with these programs.
#[must_use]
pub fn init_by(host: &Host, programs: &BTreeMap<Program, String>) -> Init {
    let systemd = host.exists(paths::SYSTEMD_RUNNING)
        || (programs.contains_key(&Program::Systemctl)
            && !programs.contains_key(&Program::Chkconfig));
    if systemd { Init::Systemd } else { Init::Sysv }
}
