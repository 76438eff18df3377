//! Does a storage server answer? Asks by the host's own `arping` and `ping`, and by a TCP
//! connection where the host has sockets: before a change by whatever way there is, after it out
//! through the bond, and after a rollback as before.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::host::{Cmd, Host, Program};
use crate::inventory::Kernel;
use crate::net::{shown, text_form};
use crate::order;
use crate::spec::{Network, Probe, Spec};
use crate::verify::{Check, Setting, failed};

/// How long an answer may take. A server on the same subnet needs milliseconds; the first packet
/// waits for ARP.
const LIMIT: Duration = Duration::from_secs(3);

/// How long a server may take to answer through a bond that has just come up: a switch port with spanning
/// tree passes nothing for twice its forward delay of 15 s (IEEE 802.1D).
const PATIENCE: Duration = Duration::from_secs(35);

/// IPv4 and ICMP headers (RFC 791, RFC 792), which `ping` does not count into its size.
const HEADERS: u32 = 28;

/// What is said of a server that answers.
const ANSWERS: &str = "answers";

/// By which way servers are asked.
#[derive(Clone, Copy, Debug)]
pub enum Way {
    /// The host's own routes.
    Routes,
    /// Out through the device of the network that the server is on, and no other.
    Networks,
}

/// How a server is asked. Its text form is the key in plan.json and does not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Probing {
    /// By ARP.
    Arp(Ipv4Addr),
    /// By a small ICMP echo.
    Ping(Ipv4Addr),
    /// By one of this MTU, which nobody may break up.
    FullSize(Ipv4Addr, u32),
    /// By a TCP connection.
    Connect(SocketAddrV4),
}

impl fmt::Display for Probing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arp(server) => write!(f, "arp {server}"),
            Self::Ping(server) => write!(f, "ping {server}"),
            Self::FullSize(server, mtu) => write!(f, "full-size {server} {mtu}"),
            Self::Connect(to) => write!(f, "connect {to}"),
        }
    }
}

impl FromStr for Probing {
    type Err = anyhow::Error;
    fn from_str(text: &str) -> Result<Self> {
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        Ok(match word {
            "arp" => Self::Arp(rest.parse()?),
            "ping" => Self::Ping(rest.parse()?),
            "full-size" => {
                let (server, mtu) = rest.split_once(' ').context("a full size needs an MTU")?;
                Self::FullSize(server.parse()?, mtu.parse()?)
            }
            "connect" => Self::Connect(rest.parse()?),
            _ => bail!("`{}` is not a valid way to ask a server", shown(text)),
        })
    }
}

text_form!(Probing);

impl Probing {
    /// What the row of its check is called.
    pub(super) fn words(self) -> String {
        match self {
            Self::Arp(server) => format!("ARP {server}"),
            Self::Ping(server) => format!("ping {server}"),
            Self::FullSize(server, mtu) => format!("ping {server} with {mtu} bytes"),
            Self::Connect(to) => format!("connect {to}"),
        }
    }
}

/// Which were answered.
pub type Answers = BTreeMap<Probing, bool>;

/// Which of these were answered.
#[must_use]
pub fn answers(checks: &[Check]) -> Answers {
    let asked = |check: &Check| match check.name {
        Setting::Probe(probing) => Some((probing, check.ok)),
        _ => None,
    };
    order::map(checks.iter().filter_map(asked))
}

/// Those that were answered `before` and are no longer.
#[must_use]
pub fn lost<'a>(checks: impl IntoIterator<Item = &'a Check>, before: &Answers) -> Vec<&'a Check> {
    let answered = |check: &Check| match check.name {
        Setting::Probe(probing) => before.get(&probing) == Some(&true),
        _ => false,
    };
    checks.into_iter().filter(|check| !check.ok && answered(check)).collect()
}

/// Asks each server of the spec. One that this host has no means to ask gives no row.
#[must_use]
pub fn ask(host: &Host, spec: &Spec, way: Way) -> Vec<Check> {
    let required = spec.required().flat_map(|probe| server(host, spec, probe, way));
    let optional = spec.optional_probes.iter().flat_map(|probe| server(host, spec, probe, way));
    required.chain(optional.map(Check::optional)).collect()
}

/// Asks one server.
fn server(host: &Host, spec: &Spec, probe: &Probe, way: Way) -> Vec<Check> {
    let network = spec.network_to(probe.addr);
    let device = match way {
        Way::Routes => None,
        Way::Networks => Some(network.map_or(spec.bond.as_str(), |network| network.device)),
    };
    let mut all: Vec<Check> = arp(host, network, probe.addr, way).into_iter().collect();
    // Nothing that speaks IP can answer on a subnet where it does not answer ARP.
    let silent = all.iter().any(|check| !check.ok);
    all.extend(ping(host, probe.addr, None, device, silent));
    if let Some(mtu) = network.map_or(spec.mtu, |network| network.mtu) {
        all.extend(ping(host, probe.addr, Some(mtu), device, silent));
    }
    all.extend(tcp(host, probe, device, silent));
    all
}

/// Asks through the bond until every server answers that must, or the time is up.
#[must_use]
pub(super) fn wait(host: &Host, spec: &Spec) -> Vec<Check> {
    let start = host.clock().elapsed();
    loop {
        let checks = ask(host, spec, Way::Networks);
        let over = host.clock().elapsed().saturating_sub(start) >= PATIENCE;
        if failed(&checks).is_empty() || over {
            return checks;
        }
        host.clock().pause(Duration::from_millis(500));
    }
}

fn row(probing: Probing, answered: bool, have: &str, hint: &str) -> Check {
    Check::of(Setting::Probe(probing), ANSWERS, if answered { ANSWERS } else { have }, hint)
}

fn answered(host: &Host, program: Program, args: &[String]) -> bool {
    let cmd = Cmd::read(program, args, LIMIT + Duration::from_secs(2));
    host.run(&cmd).is_ok_and(|output| output.success())
}

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(String::from).collect()
}

fn arp(host: &Host, network: Option<Network<'_>>, addr: Ipv4Addr, way: Way) -> Option<Check> {
    if !host.programs().contains_key(&Program::Arping) {
        return None;
    }
    let device = match way {
        // Beyond the subnets of the bond there is nobody to ask by ARP.
        Way::Networks => network.filter(|n| n.address.contains(addr))?.device.to_string(),
        Way::Routes => {
            let kernel = Kernel::read(host).ok()?;
            let direct =
                kernel.routes.iter().filter(|r| r.gateway.is_none() && r.to.contains(addr));
            direct.max_by_key(|r| r.to.prefix)?.device.clone()
        }
    };
    let wait = LIMIT.as_secs();
    let args = words(&format!("-f -c {wait} -w {wait} -I {device} {addr}"));
    Some(row(
        Probing::Arp(addr),
        answered(host, Program::Arping, &args),
        "no answer",
        "is the server up, and in the same VLAN as the switch ports?",
    ))
}

/// Pings a server: with a size, by one packet of it that nobody may break up.
fn ping(
    host: &Host,
    addr: Ipv4Addr,
    mtu: Option<u32>,
    device: Option<&str>,
    silent: bool,
) -> Option<Check> {
    if !host.programs().contains_key(&Program::Ping) {
        return None;
    }
    let mut line = format!("-n -c 1 -W {}", LIMIT.as_secs());
    if let Some(device) = device {
        line.push_str(&format!(" -I {device}"));
    }
    let (probing, hint) = match mtu {
        None => (
            Probing::Ping(addr),
            "is the server up, in the same VLAN as the switch ports, and does it answer ping?"
                .to_string(),
        ),
        Some(mtu) => {
            line.push_str(&format!(" -M do -s {}", mtu.saturating_sub(HEADERS)));
            (
                Probing::FullSize(addr, mtu),
                format!(
                    "something on the way carries less than an MTU of {mtu}: switch ports, or the server"
                ),
            )
        }
    };
    let args = words(&format!("{line} {addr}"));
    let ok = !silent && answered(host, Program::Ping, &args);
    Some(row(probing, ok, "no answer", &hint))
}

fn tcp(host: &Host, probe: &Probe, device: Option<&str>, silent: bool) -> Option<Check> {
    let to = SocketAddrV4::new(probe.addr, probe.port?);
    // A silent one is not asked again, but a host without sockets has no row of it either.
    let limit = if silent { Duration::ZERO } else { LIMIT };
    let refused = match host.connect(to, device, limit)? {
        _ if silent => Some("no answer".to_string()),
        Ok(()) => None,
        Err(why) => Some(why),
    };
    Some(row(
        Probing::Connect(to),
        refused.is_none(),
        refused.as_deref().unwrap_or_default(),
        "does the server listen on that port?",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dom0::Dom0;
    use crate::model::state::{Backend, Flavour, State};
    use crate::spec::tests::usual;

    /// What is heard on a host with the bond's address on a device of its own.
    fn heard(alter: impl FnOnce(&mut State), mtu: Option<u32>, way: Way) -> Vec<(String, bool)> {
        let dom0 = Dom0::new(Flavour::El7, Backend::Bridge);
        dom0.change(|state| {
            state
                .dom0
                .addresses
                .entry("xenbr2".into())
                .or_default()
                .insert("172.16.51.11/24".into());
            state.dom0.routes.insert(
                "172.16.51.0/24 xenbr2".into(),
                crate::model::state::Route {
                    to: "172.16.51.0/24".into(),
                    dev: "xenbr2".into(),
                    via: None,
                    metric: 0,
                },
            );
            alter(state);
        });
        let mut spec = usual(&[]);
        spec.bond = "xenbr2".parse().unwrap();
        (spec.mtu, spec.probes) = (mtu, vec!["172.16.51.2:2049".parse().unwrap()]);
        ask(&dom0.host, &spec, way).into_iter().map(|c| (c.name.to_string(), c.ok)).collect()
    }

    fn all(names: &[(&str, bool)]) -> Vec<(String, bool)> {
        names.iter().map(|(name, ok)| ((*name).to_string(), *ok)).collect()
    }

    const CONNECT: &str = "connect 172.16.51.2:2049";

    #[test]
    fn a_server_is_asked_by_arp_by_ping_at_full_size_and_at_its_port() {
        for way in [Way::Routes, Way::Networks] {
            let good = all(&[("ARP 172.16.51.2", true), ("ping 172.16.51.2", true)]);
            let mut full = [&good[..], &all(&[(CONNECT, true)])].concat();
            assert_eq!(heard(|_| {}, None, way), full);
            full.insert(2, ("ping 172.16.51.2 with 1500 bytes".into(), true));
            assert_eq!(heard(|_| {}, Some(1500), way), full);
            full[2].1 = false;
            assert_eq!(heard(|state| state.dom0.wire.mtu = 1400, Some(1500), way), full);
        }
    }

    #[test]
    fn each_way_of_not_answering_is_told_from_the_others() {
        let way = Way::Routes;
        let said = |arp, ping, port| {
            all(&[("ARP 172.16.51.2", arp), ("ping 172.16.51.2", ping), (CONNECT, port)])
        };
        let no_ping = said(true, false, false);
        assert_eq!(heard(|state| state.dom0.wire.reachable.clear(), None, way), no_ping);
        let silent = said(false, false, false);
        assert_eq!(heard(|state| state.dom0.wire.answers.clear(), None, way), silent);
        let closed = |state: &mut State| {
            state.dom0.wire.closed.insert("172.16.51.2:2049".into());
        };
        assert_eq!(heard(closed, None, way), said(true, true, false));
        let no_route = heard(|state| state.dom0.routes.clear(), None, way);
        assert!(no_route.iter().all(|(name, _)| !name.starts_with("ARP")), "{no_route:?}");
    }

    #[test]
    fn only_what_was_answered_before_can_be_lost() {
        let probing = |text: &str| text.parse::<Probing>().unwrap();
        let check = |text: &str, ok: bool| row(probing(text), ok, "no answer", "");
        let [arp, ping, size] = ["arp 10.0.0.2", "ping 10.0.0.2", "full-size 10.0.0.2 9000"];
        let before = Answers::from([(probing(arp), true), (probing(ping), false)]);
        let now = [check(arp, false), check(ping, false), check(size, false)];
        let lost_now: Vec<&Setting> = lost(&now, &before).iter().map(|c| &c.name).collect();
        assert_eq!(lost_now, [&Setting::Probe(probing(arp))]);
        assert!(lost(&[check(arp, true)], &before).is_empty());
    }

    #[test]
    fn a_probing_is_recorded_in_words_that_do_not_change() {
        for text in
            ["arp 10.0.0.2", "ping 10.0.0.2", "full-size 10.0.0.2 9000", "connect 10.0.0.2:2049"]
        {
            let probing: Probing = text.parse().unwrap();
            let json = serde_json::to_string(&Answers::from([(probing, true)])).unwrap();
            assert_eq!(json, format!("{{\"{text}\":true}}"));
            let read: Answers = serde_json::from_str(&json).unwrap();
            assert_eq!(read, Answers::from([(probing, true)]));
        }
        for text in ["", "arp", "arp x", "full-size 10.0.0.2", "connect 10.0.0.2", "asks 10.0.0.2"]
        {
            assert!(text.parse::<Probing>().is_err(), "{text}");
        }
    }
}
