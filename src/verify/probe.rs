//! Does a storage server answer? Asks by the host's own `arping` and `ping`, and by a TCP
//! connection where the host is this machine: before a change by whatever way there is, after it
//! out through the bond, and after a rollback as before.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::os::fd::AsRawFd;
use std::time::Duration;

use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, connect, setsockopt, socket, sockopt,
};

use crate::host::{Cmd, Host, Program};
use crate::inventory::Kernel;
use crate::net::IfName;
use crate::spec::{Probe, Spec};
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
pub enum Way<'a> {
    /// The host's own routes.
    Routes,
    /// Out through the bond, and no other device.
    Bond(&'a IfName),
}

/// Which probes were answered, by name.
pub type Answers = BTreeMap<String, bool>;

/// Which of these were answered.
#[must_use]
pub fn answers(checks: &[Check]) -> Answers {
    let mut answers = Answers::new();
    answers.extend(checks.iter().map(|c| (c.name.to_string(), c.ok)));
    answers
}

/// Those that were answered `before` and are no longer.
#[must_use]
pub fn lost<'a>(checks: impl IntoIterator<Item = &'a Check>, before: &Answers) -> Vec<&'a Check> {
    checks.into_iter().filter(|c| !c.ok && before.get(&c.name.to_string()) == Some(&true)).collect()
}

/// Asks each server of the spec. One that this host has no means to ask gives no row.
#[must_use]
pub fn ask(host: &Host, spec: &Spec, way: Way<'_>) -> Vec<Check> {
    let required = spec.probes.iter().flat_map(|probe| server(host, spec, probe, way));
    let optional = spec.optional_probes.iter().flat_map(|probe| server(host, spec, probe, way));
    required.chain(optional.map(Check::optional)).collect()
}

/// Asks one server.
fn server(host: &Host, spec: &Spec, probe: &Probe, way: Way<'_>) -> Vec<Check> {
    let mut all: Vec<Check> = arp(host, spec, probe.addr, way).into_iter().collect();
    // Nothing that speaks IP can answer on a subnet where it does not answer ARP.
    let silent = all.iter().any(|check| !check.ok);
    all.extend(ping(host, probe.addr, None, way, silent));
    if let Some(mtu) = spec.mtu {
        all.extend(ping(host, probe.addr, Some(mtu), way, silent));
    }
    all.extend(tcp(host, probe, way, silent));
    all
}

/// Asks through the bond until every server answers that must, or the time is up.
#[must_use]
pub(super) fn wait(host: &Host, spec: &Spec) -> Vec<Check> {
    let start = host.clock().elapsed();
    loop {
        let checks = ask(host, spec, Way::Bond(&spec.bond));
        let over = host.clock().elapsed().saturating_sub(start) >= PATIENCE;
        if failed(&checks).is_empty() || over {
            return checks;
        }
        host.clock().pause(Duration::from_millis(500));
    }
}

fn row(name: String, answered: bool, have: &str, hint: &str) -> Check {
    Check::of(Setting::Probe(name), ANSWERS, if answered { ANSWERS } else { have }, hint)
}

fn answered(host: &Host, program: Program, args: &[String]) -> bool {
    let cmd = Cmd::read(program, args, LIMIT + Duration::from_secs(2));
    host.run(&cmd).is_ok_and(|output| output.success())
}

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(String::from).collect()
}

fn arp(host: &Host, spec: &Spec, addr: Ipv4Addr, way: Way<'_>) -> Option<Check> {
    if !host.programs().contains_key(&Program::Arping) {
        return None;
    }
    let device = match way {
        // Beyond the bond's own subnet there is nobody to ask by ARP.
        Way::Bond(bond) => spec.address.contains(addr).then(|| bond.to_string())?,
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
        format!("ARP {addr}"),
        answered(host, Program::Arping, &args),
        "no answer",
        "is the server up, and in the same VLAN as the switch ports?",
    ))
}

/// With a size, as one packet of it that nobody may break up.
fn ping(
    host: &Host,
    addr: Ipv4Addr,
    mtu: Option<u32>,
    way: Way<'_>,
    silent: bool,
) -> Option<Check> {
    if !host.programs().contains_key(&Program::Ping) {
        return None;
    }
    let mut line = format!("-n -c 1 -W {}", LIMIT.as_secs());
    if let Way::Bond(bond) = way {
        line.push_str(&format!(" -I {bond}"));
    }
    let (name, hint) = match mtu {
        None => (
            format!("ping {addr}"),
            "is the server up, in the same VLAN as the switch ports, and does it answer ping?"
                .to_string(),
        ),
        Some(mtu) => {
            line.push_str(&format!(" -M do -s {}", mtu.saturating_sub(HEADERS)));
            (
                format!("ping {addr} with {mtu} bytes"),
                format!(
                    "something on the way carries less than an MTU of {mtu}: switch ports, or the server"
                ),
            )
        }
    };
    let args = words(&format!("{line} {addr}"));
    let ok = !silent && answered(host, Program::Ping, &args);
    Some(row(name, ok, "no answer", &hint))
}

fn tcp(host: &Host, probe: &Probe, way: Way<'_>, silent: bool) -> Option<Check> {
    // With another root no socket is used: it is a test's, and its network is not this one.
    let port = probe.port.filter(|_| host.is_real())?;
    let to = SocketAddrV4::new(probe.addr, port);
    let refused = match way {
        _ if silent => Some("no answer".to_string()),
        Way::Routes => {
            TcpStream::connect_timeout(&SocketAddr::V4(to), LIMIT).err().map(|e| e.to_string())
        }
        Way::Bond(bond) => connect_through(bond, to).err().map(|e| e.desc().to_string()),
    };
    Some(row(
        format!("connect {to}"),
        refused.is_none(),
        refused.as_deref().unwrap_or_default(),
        "does the server listen on that port?",
    ))
}

/// A connection that leaves by that device, whatever the routes say.
fn connect_through(bond: &IfName, to: SocketAddrV4) -> nix::Result<()> {
    let flags = SockFlag::SOCK_CLOEXEC;
    let socket = socket(AddressFamily::Inet, SockType::Stream, flags, None)?;
    setsockopt(&socket, sockopt::BindToDevice, &bond.as_str().into())?;
    let seconds = i64::try_from(LIMIT.as_secs()).unwrap_or(3);
    // It limits the time of a connect too, socket(7).
    setsockopt(&socket, sockopt::SendTimeout, &nix::sys::time::TimeVal::new(seconds, 0))?;
    connect(socket.as_raw_fd(), &SockaddrIn::from(to))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dom0::Dom0;
    use crate::model::state::{Backend, Flavour, State};
    use crate::spec::tests::usual;

    /// What is heard on a host with the bond's address on a device of its own.
    fn heard(
        alter: impl FnOnce(&mut State),
        mtu: Option<u32>,
        way: Way<'_>,
    ) -> Vec<(String, bool)> {
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
        (spec.mtu, spec.probes) = (mtu, vec!["172.16.51.2:2049".parse().unwrap()]);
        ask(&dom0.host, &spec, way).into_iter().map(|c| (c.name.to_string(), c.ok)).collect()
    }

    fn all(names: &[(&str, bool)]) -> Vec<(String, bool)> {
        names.iter().map(|(name, ok)| ((*name).to_string(), *ok)).collect()
    }

    #[test]
    fn a_server_is_asked_by_arp_by_ping_and_at_full_size() {
        let through: IfName = "xenbr2".parse().unwrap();
        for way in [Way::Routes, Way::Bond(&through)] {
            let good = all(&[("ARP 172.16.51.2", true), ("ping 172.16.51.2", true)]);
            assert_eq!(heard(|_| {}, None, way), good);
            let mut full = good.clone();
            full.push(("ping 172.16.51.2 with 1500 bytes".into(), true));
            assert_eq!(heard(|_| {}, Some(1500), way), full);
            full[2].1 = false;
            assert_eq!(heard(|state| state.dom0.wire.mtu = 1400, Some(1500), way), full);
        }
    }

    #[test]
    fn each_way_of_not_answering_is_told_from_the_others() {
        let way = Way::Routes;
        let no_ping = all(&[("ARP 172.16.51.2", true), ("ping 172.16.51.2", false)]);
        assert_eq!(heard(|state| state.dom0.wire.reachable.clear(), None, way), no_ping);
        let silent = all(&[("ARP 172.16.51.2", false), ("ping 172.16.51.2", false)]);
        assert_eq!(heard(|state| state.dom0.wire.answers.clear(), None, way), silent);
        let no_route = heard(|state| state.dom0.routes.clear(), None, way);
        assert!(no_route.iter().all(|(name, _)| !name.starts_with("ARP")), "{no_route:?}");
    }

    #[test]
    fn only_what_was_answered_before_can_be_lost() {
        let check = |name: &str, ok: bool| row(name.into(), ok, "no answer", "");
        let before = Answers::from([("a".into(), true), ("b".into(), false)]);
        let now = [check("a", false), check("b", false), check("c", false)];
        let names: Vec<String> = lost(&now, &before).iter().map(|c| c.name.to_string()).collect();
        assert_eq!(names, ["a"]);
        assert!(lost(&[check("a", true)], &before).is_empty());
    }
}
