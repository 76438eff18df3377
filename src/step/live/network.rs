//! Address and routes of a device that stays up.

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

use super::stands;
use crate::host::{Cmd, Host, Program};
use crate::net::{Ipv4Net, Route};
use crate::step::bond::LIMIT;
use crate::step::device::{Device, LINK_LIMIT};

/// A device and its network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveNetwork {
    /// The bond, or a tag of it.
    pub device: String,
    /// What it has now.
    pub was: Attached,
    /// What it is to have.
    pub want: Attached,
}

/// What a device has of a network; what both sides of a change have in common is left alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attached {
    /// The address.
    pub address: Option<Ipv4Net>,
    /// Routes that are not the address's own.
    pub routes: Vec<Route>,
}

impl LiveNetwork {
    /// Whether the address becomes another one: what is connected to the old one is cut off.
    #[must_use]
    pub fn moves(&self) -> bool {
        self.was.address.is_some() && self.was.address != self.want.address
    }

    /// Whether there is anything to do: the kernel keeps routes in an order of its own.
    #[must_use]
    pub fn changes(&self) -> bool {
        let (was, want) = (&self.was, &self.want);
        was.address != want.address
            || [(was, want), (want, was)]
                .iter()
                .any(|(a, b)| !beside(&a.routes, &b.routes).is_empty())
    }

    pub(in crate::step) fn title(&self) -> String {
        format!("{} while it is up", self.words(&self.was, &self.want))
    }

    pub(in crate::step) fn undo_title(&self) -> String {
        format!("{} again", self.words(&self.want, &self.was))
    }

    fn words(&self, from: &Attached, to: &Attached) -> String {
        let device = &self.device;
        let mut all = Vec::new();
        match to.address.filter(|_| from.address != to.address) {
            Some(address) => all.push(format!("set the address of {device} to {address}")),
            None if from.address != to.address => {
                all.push(format!("remove the address of {device}"));
            }
            None => {}
        }
        let named = |routes: Vec<&Route>, act: &str| {
            let all: Vec<String> = routes.iter().map(|route| route.to.to_string()).collect();
            (!all.is_empty()).then(|| format!("{act} the route to {} by {device}", all.join(", ")))
        };
        all.extend(named(beside(&from.routes, &to.routes), "remove"));
        all.extend(named(beside(&to.routes, &from.routes), "set"));
        all.join(", ")
    }

    pub(in crate::step) fn commands(&self) -> Vec<Cmd> {
        self.between(&self.was, &self.want)
    }

    /// What is run to undo it.
    #[must_use]
    pub fn undo_commands(&self) -> Vec<Cmd> {
        self.between(&self.want, &self.was)
    }

    /// What is run to get from one to the other. With an address its routes go, the old one's
    /// before the new one comes: in one subnet the second would go with the first.
    fn between(&self, from: &Attached, to: &Attached) -> Vec<Cmd> {
        let mut all = Vec::new();
        let gone = beside(&from.routes, &to.routes);
        all.extend(gone.into_iter().map(|route| self.route("del", route)));
        let moves = from.address != to.address;
        if moves {
            all.extend(from.address.map(|net| self.address("del", net)));
            all.extend(to.address.map(|net| self.address("add", net)));
        }
        let stay = if moves { Vec::new() } else { from.routes.clone() };
        all.extend(beside(&to.routes, &stay).into_iter().map(|route| self.route("add", route)));
        all
    }

    fn address(&self, act: &str, net: Ipv4Net) -> Cmd {
        let net = net.to_string();
        let mut words = vec!["addr", act, &net];
        if act == "add" {
            words.extend(["broadcast", "+"]);
        }
        words.extend(["dev", &self.device]);
        Cmd::change(Program::Ip, &words, LINK_LIMIT)
    }

    fn route(&self, act: &str, route: &Route) -> Cmd {
        let to = route.to.to_string();
        let mut words = vec!["route", act, &to];
        let via = route.gateway.map(|via| via.to_string());
        words.extend(via.iter().flat_map(|via| ["via", via.as_str()]));
        words.extend(["dev", &self.device]);
        let metric = route.metric.to_string();
        if route.metric > 0 {
            words.extend(["metric", metric.as_str()]);
        }
        Cmd::change(Program::Ip, &words, LINK_LIMIT)
    }

    pub(in crate::step) fn perform(&self, host: &Host) -> Result<()> {
        self.change(host, &self.was, &self.want)
    }

    pub(in crate::step) fn undo(&self, host: &Host) -> Result<()> {
        self.change(host, &self.want, &self.was)
    }

    /// The exit codes say whether something was there before as well; what is there afterwards is
    /// looked at here for the routes, and for the address by the verification and the comparison.
    fn change(&self, host: &Host, from: &Attached, to: &Attached) -> Result<()> {
        stands(host, &self.device)?;
        for cmd in self.between(from, to) {
            host.run(&cmd)?;
        }
        let has = Device { name: &self.device, limit: LIMIT }.routes(host)?;
        if let Some(missing) = beside(&to.routes, &has).first() {
            ensure!(false, "the route to {} of {} is not there", missing.to, self.device);
        }
        let gone = beside(&from.routes, &to.routes);
        if let Some(left) = gone.iter().find(|route| has.contains(route)) {
            ensure!(false, "the route to {} of {} is still there", left.to, self.device);
        }
        Ok(())
    }
}

/// Those that are not among others.
fn beside<'a>(all: &'a [Route], others: &[Route]) -> Vec<&'a Route> {
    all.iter().filter(|route| !others.contains(route)).collect()
}
