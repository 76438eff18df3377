//! A NIC's own settings, by `ethtool`: read, and put back as they were. No other program and no
//! file tells all of them on every kernel.

use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::host::{Cmd, Host, Output, Program};
use crate::net::IfName;
use crate::spec::{Knob, Settings, TuningGroup};

/// How long `ethtool` may take: some drivers reset their link.
const LIMIT: Duration = Duration::from_secs(20);

/// What `ethtool` shows of a NIC; what it does not show is not known.
#[must_use]
pub fn settings(host: &Host, device: &str) -> Settings {
    let mut all = Settings::default();
    if !host.programs().contains_key(&Program::Ethtool) {
        return all;
    }
    for group in TuningGroup::ALL {
        let cmd = Cmd::read(Program::Ethtool, &group.show(device), LIMIT);
        if let Ok(output) = host.run(&cmd).map(|output: Output| output.text()) {
            all.extend(group.read(&output));
        }
    }
    all
}

/// A NIC that the boot scripts are to tune, as it was before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tuned {
    /// The NIC.
    pub device: IfName,
    /// Those of its settings that were asked for, and with them all of its link.
    pub was: Settings,
}

impl Tuned {
    /// Sets what differs from what was. What the driver does not take is found by the comparison
    /// that follows every rollback.
    pub(super) fn restore(&self, host: &Host) -> Result<()> {
        let now = settings(host, self.device.as_str());
        let was = self.restorable();
        let differs = was.only(|knob| now.get(knob) != was.get(knob));
        for cmd in commands(&differs, &self.device) {
            host.run(&cmd)?;
        }
        Ok(())
    }

    /// What sets all of it again, for who cannot tell what differs.
    #[must_use]
    pub fn changes(&self) -> Vec<Cmd> {
        commands(&self.restorable(), &self.device)
    }

    /// Speed and duplex that were agreed on come back by agreeing again.
    fn restorable(&self) -> Settings {
        let agreed = self.was.get(Knob::Autoneg) == Some("on");
        self.was.only(|knob| !agreed || !matches!(knob, Knob::Speed | Knob::Duplex))
    }
}

/// What sets them.
fn commands(settings: &Settings, device: &IfName) -> Vec<Cmd> {
    let command = |words: Vec<String>| {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        Cmd::change(Program::Ethtool, &words, LIMIT)
    };
    settings.commands(device).into_iter().map(command).collect()
}
