//! Settings of the network of a NIC that XAPI keeps. They come to the kernel when the NIC is plugged
//! (tests/ground/managed.md, H3), also where it is plugged already. What others have set since is
//! theirs.

use std::net::Ipv4Addr;

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use super::device::{Device, LINK_LIMIT};
use super::managed::{LOOKS, PAUSE};
use super::{Kept, PifRecord};
use crate::host::{Cmd, Host, Program, join};
use crate::net::{IfName, Ipv4Net, StaticRoute, Uuid, shown};
use crate::paths;
use crate::xe;

/// What a network gives the NICs that are plugged into it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkSettings {
    /// The MTU.
    pub mtu: Option<u32>,
    /// The routes behind it, in XAPI's own form.
    pub routes: Option<String>,
}

impl NetworkSettings {
    /// Routes in XAPI's own form, `NET/PREFIX/GATEWAY` (tests/ground/managed.md, H3).
    #[must_use]
    pub fn routes_of(routes: &[StaticRoute]) -> Option<String> {
        let one = |route: &StaticRoute| format!("{}/{}", route.to, route.via);
        (!routes.is_empty()).then(|| routes.iter().map(one).collect::<Vec<_>>().join(","))
    }

    fn each_route(&self) -> Vec<(Ipv4Net, Ipv4Addr)> {
        let one = |text: &str| {
            let (to, via) = text.trim().rsplit_once('/')?;
            Some((to.parse().ok()?, via.parse().ok()?))
        };
        self.routes.iter().flat_map(|text| text.split(',')).filter_map(one).collect()
    }
}

/// Settings of the network of a NIC that XAPI keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkChange {
    /// The NIC and its record: plugging it brings them to the kernel.
    pub record: PifRecord,
    /// The network.
    pub network: Uuid,
    /// Its bridge.
    pub bridge: IfName,
    /// What was.
    pub was: NetworkSettings,
    /// What is to be.
    pub want: NetworkSettings,
    /// Whether the kernel had another MTU than the network before: no undo brings that to it.
    pub pending: bool,
}

impl NetworkChange {
    pub(super) fn title(&self) -> String {
        self.title_to(&self.want, &self.was)
    }

    pub(super) fn undo_title(&self) -> String {
        format!("{} again", self.title_to(&self.was, &self.want))
    }

    fn title_to(&self, to: &NetworkSettings, from: &NetworkSettings) -> String {
        let mut all = Vec::new();
        let device = &self.record.device;
        if let Some(mtu) = to.mtu.filter(|_| to.mtu != from.mtu) {
            all.push(format!("set the MTU of the network of {device} to {mtu}"));
        }
        match &to.routes {
            routes if *routes == from.routes => {}
            Some(text) => {
                all.push(format!(
                    "set static-routes of the network of {device} to {}",
                    shown(text)
                ));
            }
            None => all.push(format!("remove static-routes of the network of {device}")),
        }
        if all.is_empty() {
            all.push(format!("bring the settings of the network of {device} to the kernel"));
        }
        all.join(", ")
    }

    pub(super) fn commands(&self) -> Vec<Cmd> {
        self.commands_to(&self.want, &self.was)
    }

    /// What takes it back, word for word.
    #[must_use]
    pub fn undo_commands(&self) -> Vec<Cmd> {
        let mut all = self.commands_to(&self.was, &self.want);
        if self.pending && self.was.routes == self.want.routes {
            all.retain(|cmd| self.plug().as_ref() != Some(cmd));
        }
        all
    }

    fn commands_to(&self, to: &NetworkSettings, from: &NetworkSettings) -> Vec<Cmd> {
        let mut all = self.settings_to(to, from);
        all.extend(self.plug());
        all.extend(self.stale(to, from).into_iter().map(|route| self.unroute(route)));
        all
    }

    fn settings_to(&self, to: &NetworkSettings, from: &NetworkSettings) -> Vec<Cmd> {
        let set = |setting: &str| xe::set("network", &self.network, setting);
        let mut all = Vec::new();
        all.extend(to.mtu.filter(|_| to.mtu != from.mtu).map(|mtu| set(&format!("MTU={mtu}"))));
        let key = xe::STATIC_ROUTES;
        match &to.routes {
            routes if *routes == from.routes => {}
            Some(text) => all.push(set(&format!("other-config:{key}={text}"))),
            None => all.push(xe::remove_key("network", &self.network, "other-config", key)),
        }
        all
    }

    fn plug(&self) -> Option<Cmd> {
        let was = self.record.was.as_ref().filter(|was| was.attached)?;
        Some(xe::plug(&was.uuid.to_string()))
    }

    /// The routes that go: XAPI sets those of a network and takes none away
    /// (tests/ground/managed.md, H4).
    fn stale(&self, to: &NetworkSettings, from: &NetworkSettings) -> Vec<(Ipv4Net, Ipv4Addr)> {
        let stays = to.each_route();
        from.each_route().into_iter().filter(|route| !stays.contains(route)).collect()
    }

    fn unroute(&self, (to, via): (Ipv4Net, Ipv4Addr)) -> Cmd {
        let (to, via) = (to.to_string(), via.to_string());
        let words = ["route", "del", &to, "via", &via, "dev", self.bridge.as_str()];
        Cmd::change(Program::Ip, &words, LINK_LIMIT)
    }

    pub(super) fn perform(&self, host: &Host) -> Result<()> {
        let now = self.now(host)?.context("its network is gone")?;
        let known = |now: &NetworkSettings, is: &NetworkSettings| {
            (now.mtu == is.mtu || is.mtu.is_none(), now.routes == is.routes)
        };
        let (want, was) = (known(&now, &self.want), known(&now, &self.was));
        ensure!(
            (want.0 || was.0) && (want.1 || was.1),
            "the network of {} was changed since this was planned",
            self.record.device
        );
        self.change(host, &now, &self.want)?;
        self.to_kernel(host, &self.want, &self.was, true)
    }

    pub(super) fn undo(&self, host: &Host, kept: &mut Kept) -> Result<()> {
        let Some(now) = self.now(host)? else {
            kept.notes.push(format!("the network of {} is gone", self.record.device));
            return Ok(());
        };
        // What others have set since stays.
        let mut to = self.was.clone();
        if now.mtu != self.want.mtu && now.mtu != self.was.mtu {
            to.mtu = now.mtu;
        }
        if now.routes != self.want.routes && now.routes != self.was.routes {
            to.routes.clone_from(&now.routes);
        }
        if to != self.was {
            let device = &self.record.device;
            kept.notes.push(format!("the network of {device} is in part what others made of it"));
        }
        self.change(host, &now, &to)?;
        to.mtu = to.mtu.filter(|_| !self.pending);
        self.to_kernel(host, &to, &self.want, false)
    }

    fn now(&self, host: &Host) -> Result<Option<NetworkSettings>> {
        let all = xe::networks(host)?.whole()?;
        let Some(network) = all.into_iter().find(|one| one.uuid == self.network) else {
            return Ok(None);
        };
        let routes = xe::static_routes(host, &self.network)?;
        Ok(Some(NetworkSettings { mtu: network.mtu, routes }))
    }

    /// Sets what differs, and looks.
    fn change(&self, host: &Host, now: &NetworkSettings, to: &NetworkSettings) -> Result<()> {
        for cmd in self.settings_to(to, now) {
            let output = host.run(&cmd)?;
            let now = self.now(host)?.context("its network is gone")?;
            if self.settings_to(to, &now).contains(&cmd) {
                output.check(&cmd)?;
                bail!("`{cmd}` reported success, and XAPI does not show it");
            }
        }
        Ok(())
    }

    /// Plugs the NIC again where the kernel has other settings, or `always`; takes away routes that
    /// go.
    fn to_kernel(
        &self,
        host: &Host,
        to: &NetworkSettings,
        from: &NetworkSettings,
        always: bool,
    ) -> Result<()> {
        if let Some(plug) = self.plug()
            && (always || !self.is_in_kernel(host, to)?)
        {
            let output = host.run(&plug)?;
            let mut looks = 0..LOOKS;
            while !self.is_in_kernel(host, to)? {
                output.clone().check(&plug)?;
                let devices = format!("{} and {}", self.record.device, self.bridge);
                ensure!(
                    looks.next().is_some(),
                    "`{plug}` reported success, and {devices} have not the MTU or the routes of the network"
                );
                host.clock().pause(PAUSE);
            }
        }
        for route in self.stale(to, from) {
            if self.has_route(host, route)? {
                let cmd = self.unroute(route);
                let output = host.run(&cmd)?;
                if self.has_route(host, route)? {
                    output.check(&cmd)?;
                    bail!("`{cmd}` reported success, and the route is still there");
                }
            }
        }
        Ok(())
    }

    /// Whether the kernel has these settings; a route whose router is out of reach comes with the
    /// address that leads there.
    fn is_in_kernel(&self, host: &Host, to: &NetworkSettings) -> Result<bool> {
        let mtu = to.mtu.map(|mtu| mtu.to_string());
        let has = |device: &IfName| {
            let shown = host.attribute(&join(&paths::sys_net(device.as_str()), "mtu"));
            shown.is_none_or(|now| mtu.as_ref().is_none_or(|mtu| now == *mtu))
        };
        if !has(&self.record.device) || !has(&self.bridge) {
            return Ok(false);
        }
        let asked = to.each_route();
        if asked.is_empty() {
            return Ok(true);
        }
        let all = self.device().routes(host)?;
        let leads = |via| all.iter().any(|r| r.gateway.is_none() && r.to.contains(via));
        let set = |(to, via)| all.iter().any(|r| r.to == to && r.gateway == Some(via));
        Ok(asked.into_iter().all(|route| set(route) || !leads(route.1)))
    }

    fn device(&self) -> Device<'_> {
        Device { name: self.bridge.as_str(), limit: LINK_LIMIT }
    }

    fn has_route(&self, host: &Host, (to, via): (Ipv4Net, Ipv4Addr)) -> Result<bool> {
        let all = self.device().routes(host)?;
        Ok(all.iter().any(|route| route.to == to && route.gateway == Some(via)))
    }
}
