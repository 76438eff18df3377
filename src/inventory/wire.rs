//! What is on the wire before there is a bond: who answers for its address, and which storage
//! servers answer already. Asked by the host's own `arping` and `ping`, about a second each and
//! all at the same time; no socket of ours.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use serde::Serialize;

use super::{DeviceKind, Inventory};
use crate::host::{Cmd, Host, Program, Status};
use crate::spec::{NicRef, Spec};

/// Who answers for the bond's address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// The device that heard it.
    pub device: String,
    /// The MAC address that answered, when it was understood.
    pub mac: Option<String>,
}

/// What was heard.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Wire {
    /// Answers for the bond's address.
    pub answers: Vec<Answer>,
    /// Servers of the spec's probes that answer already, and the device towards them.
    pub routed: Vec<(Ipv4Addr, String)>,
}

/// When a program that waits for an answer for one second is given up.
const LIMIT: Duration = Duration::from_secs(5);

impl Wire {
    /// Asks, unless the bond has its address already.
    #[must_use]
    pub fn ask(host: &Host, inv: &Inventory, spec: &Spec) -> Self {
        if !inv.kernel.devices_with(spec.address.addr).is_empty() {
            return Self::default();
        }
        let subnet = spec.address.subnet();
        let known = |probe: &Ipv4Addr| Some((*probe, inv.kernel.device_towards(*probe)?));
        let mut servers = BTreeSet::new();
        servers.extend(spec.probes.iter().map(|probe| probe.addr));
        std::thread::scope(|scope| {
            let asked: Vec<_> = devices(inv, spec)
                .into_iter()
                .map(|device| scope.spawn(move || arping(host, device, spec.address.addr)))
                .collect();
            let pinged: Vec<_> = servers
                .iter()
                .filter(|server| subnet.contains(**server))
                .filter_map(known)
                .map(|(server, device)| {
                    let device = device.to_string();
                    scope.spawn(move || ping(host, server).then_some((server, device)))
                })
                .collect();
            let done = "an asking thread does not panic";
            Self {
                answers: asked.into_iter().filter_map(|t| t.join().expect(done)).collect(),
                routed: pinged.into_iter().filter_map(|t| t.join().expect(done)).collect(),
            }
        })
    }
}

/// Where the wires of the NICs can be heard: a NIC that is a port hears nothing itself, its
/// bridge does. A NIC that is down, or a slave already, is not asked.
fn devices<'a>(inv: &'a Inventory, spec: &Spec) -> Vec<&'a str> {
    let kernel = &inv.kernel;
    let mut found: Vec<&str> = Vec::new();
    for nic in &spec.nics {
        let named = |(name, d): &(&'a String, &super::Device)| match nic {
            NicRef::Device(device) => name.as_str() == device.as_str(),
            NicRef::Mac(mac) => {
                d.kind == DeviceKind::Plain && kernel.permanent_mac(name) == Some(*mac)
            }
        };
        let Some((name, device)) = kernel.devices.iter().find(named) else { continue };
        let bridge = || {
            let xapi = inv.xapi.as_ref()?;
            let network = &xapi.nic(name)?.network;
            let bridge = &xapi.networks.iter().find(|n| n.uuid == *network)?.bridge;
            kernel.devices.get_key_value(bridge).map(|(name, _)| name.as_str())
        };
        let hears = match device.master.as_ref() {
            None => Some(name.as_str()),
            Some(master) if kernel.bonds.contains_key(master) => None,
            Some(_) => bridge(),
        };
        let up = |name: &&str| kernel.devices.get(*name).is_some_and(|d| d.carrier == Some(true));
        found.extend(hears.filter(up));
    }
    found
}

/// Duplicate address detection (RFC 5227), as the boot scripts do it: exit code 1 is an answer.
fn arping(host: &Host, device: &str, addr: Ipv4Addr) -> Option<Answer> {
    let addr = addr.to_string();
    let args = ["-D", "-c", "1", "-w", "1", "-I", device, &addr];
    let output = host.run(&Cmd::read(Program::Arping, &args, LIMIT)).ok()?;
    let text = output.text();
    let mac = text.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
    let mac = mac.and_then(|(mac, _)| mac.parse::<crate::net::MacAddr>().ok());
    let answer = Answer { device: device.to_string(), mac: mac.map(|mac| mac.to_string()) };
    (output.status == Status::Exited(1)).then_some(answer)
}

fn ping(host: &Host, addr: Ipv4Addr) -> bool {
    let args = ["-n", "-c", "1", "-W", "1", &addr.to_string()];
    host.run(&Cmd::read(Program::Ping, &args, LIMIT)).is_ok_and(|output| output.success())
}
