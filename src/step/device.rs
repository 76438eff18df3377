//! A network device of the boot scripts: up by `ifup`, away by `ifdown`, or by `ip link delete`
//! where that leaves it (tests/ground/initscripts.md, D2 and J2).

use std::time::Duration;

use anyhow::{Result, bail};

use crate::host::{Cmd, Host, Program, join};
use crate::ifcfg;
use crate::net::Route;
use crate::paths;

/// How long `ip link` may take.
pub(super) const LINK_LIMIT: Duration = Duration::from_secs(20);

/// A device by its name.
pub(super) struct Device<'a> {
    pub name: &'a str,
    /// How long `ifup` and `ifdown` of it may take.
    pub limit: Duration,
}

impl Device<'_> {
    pub(super) fn up(&self) -> Cmd {
        Cmd::change(Program::Ifup, &[self.name], self.limit)
    }

    pub(super) fn down(&self) -> Cmd {
        Cmd::change(Program::Ifdown, &[self.name], self.limit)
    }

    pub(super) fn delete(&self) -> Cmd {
        Cmd::change(Program::Ip, &["link", "delete", "dev", self.name], LINK_LIMIT)
    }

    /// Whether it is up, as far as the kernel says.
    pub(super) fn is_up(&self, host: &Host) -> bool {
        is_up(host, self.name)
    }

    /// Whether the kernel gives it another MTU than its file: it came up before the file was back.
    pub(super) fn has_other_mtu(&self, host: &Host) -> Result<bool> {
        let file = host.read_text(&paths::ifcfg(self.name))?.unwrap_or_default();
        let asked = ifcfg::parse(&file).get("MTU").map(String::from);
        let has = host.attribute(&join(&paths::sys_net(self.name), "mtu"));
        Ok(asked.is_some_and(|asked| has.is_some_and(|has| has != asked)))
    }

    /// Whether a route of its file is not in the kernel: it came up before the file was back.
    pub(super) fn lacks_routes(&self, host: &Host) -> Result<bool> {
        let file = host.read_text(&paths::routes(self.name))?.unwrap_or_default();
        let asked = file.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
        let has = self.routes(host)?;
        Ok(has.iter().filter(|route| route.gateway.is_some()).count() < asked.count())
    }

    /// The routes that go out by it.
    pub(super) fn routes(&self, host: &Host) -> Result<Vec<Route>> {
        let text = host.read_text("/proc/net/route")?.unwrap_or_default();
        let mut all = Route::all(&text)?;
        all.retain(|route| route.device == self.name);
        Ok(all)
    }

    /// Takes it away, and looks whether it is gone.
    pub(super) fn take_down(&self, host: &Host, is_there: impl Fn() -> bool) -> Result<()> {
        if !is_there() {
            return Ok(());
        }
        let down = self.down();
        let said = host.run(&down);
        let delete = self.delete();
        if is_there() {
            host.run(&delete)?.check(&delete)?;
        }
        if is_there() {
            let words = said.map(|o| o.last_words()).unwrap_or_default();
            bail!("{} is still there after `{down}` and `{delete}`{words}", self.name);
        }
        Ok(())
    }
}

/// Whether a device is up, as far as the kernel says.
pub(super) fn is_up(host: &Host, device: &str) -> bool {
    // IFF_UP (linux/if.h).
    flags(host, device).is_none_or(|flags| flags & 1 == 1)
}

/// A device's flags (linux/if.h), where the kernel shows them.
pub(super) fn flags(host: &Host, device: &str) -> Option<u32> {
    let shown = host.attribute(&join(&paths::sys_net(device), "flags"))?;
    u32::from_str_radix(shown.strip_prefix("0x")?, 16).ok()
}
