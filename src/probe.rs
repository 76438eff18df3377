//! Does a storage server answer through the bond? Asks by the host's own `ping`, and by a TCP
//! connection where the host is this machine.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::host::{Cmd, Host, Program};
use crate::net::IfName;
use crate::spec::Probe;
use crate::verify::Check;

/// How long an answer may take. A server on the same subnet needs milliseconds; the first packet
/// waits for ARP.
const LIMIT: Duration = Duration::from_secs(3);

/// Asks each server. One that this host has no means to ask gives no row.
#[must_use]
pub fn run(host: &Host, bond: &IfName, probes: &[Probe]) -> Vec<Check> {
    probes
        .iter()
        .flat_map(|probe| [ping(host, bond, probe), connect(host, probe)])
        .flatten()
        .collect()
}

fn ping(host: &Host, bond: &IfName, probe: &Probe) -> Option<Check> {
    if !host.programs().contains_key(&Program::Ping) {
        return None;
    }
    let addr = probe.addr.to_string();
    let wait = LIMIT.as_secs().to_string();
    let args = ["-c", "1", "-W", &wait, "-I", bond.as_str(), &addr];
    let cmd = Cmd::read(Program::Ping, &args, LIMIT + Duration::from_secs(2));
    let answered = host.run(&cmd).is_ok_and(|output| output.success());
    let have = if answered { "answers" } else { "no answer" };
    Some(Check::of(
        format!("ping {addr}"),
        "answers",
        have,
        "is the server up, and in the same VLAN as the switch ports?",
    ))
}

fn connect(host: &Host, probe: &Probe) -> Option<Check> {
    // With another root no socket is used: it is a test's, and its network is not this one.
    let port = probe.port.filter(|_| host.is_real())?;
    let to = SocketAddr::from((probe.addr, port));
    let have = match TcpStream::connect_timeout(&to, LIMIT) {
        Ok(_) => "accepts".to_string(),
        Err(error) => error.to_string(),
    };
    Some(Check::of(
        format!("connect {to}"),
        "accepts",
        have,
        "does the server listen on that port?",
    ))
}
