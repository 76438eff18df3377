//! What is on the wire before there is a bond: who answers for its address, and which storage
//! servers answer already. Asked by the host's own `arping` and `ping`, about a second each and
//! all at the same time, once XAPI has said which bridge hears which NIC; no socket of ours.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use serde::Serialize;

use super::{Kernel, Xapi};
use crate::host::{Cmd, Host, Meanwhile, Program, Status, meanwhile};
use crate::net::{IfName, MacAddr};
use crate::order;
use crate::spec::{NicRef, Spec, Use};

/// Who answers for the bond's address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// The device that heard it.
    pub device: String,
    /// The MAC address that answered, when it was understood.
    pub mac: Option<MacAddr>,
}

/// What was heard.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Wire {
    /// Answers for the bond's address.
    pub answers: Vec<Answer>,
    /// Servers of the spec's probes that answer already, and the device towards them.
    pub routed: Vec<(Ipv4Addr, String)>,
    /// Whether the gateway answers through NICs that are to carry the management too, where that was
    /// asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateways: Option<Vec<Proof>>,
}

/// Whether the gateway answers through a NIC that does not lead to it now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// The NIC.
    pub nic: IfName,
    /// The gateway.
    pub gateway: Ipv4Addr,
    /// Whether it answers.
    pub answers: bool,
}

/// When a program that waits for an answer for one second is given up.
const LIMIT: Duration = Duration::from_secs(5);

/// What is to be asked for a spec.
pub(super) struct Questions {
    /// The bond's address, where it gets one.
    addr: Option<Ipv4Addr>,
    /// Devices that hear the NICs' wires.
    devices: Vec<String>,
    /// Servers of the spec's probes in its subnet, and the device towards them.
    servers: Vec<(Ipv4Addr, String)>,
    /// NICs that are to carry the management too, where each is heard, and the gateway.
    further: Option<Vec<(IfName, String, Ipv4Addr)>>,
}

impl Questions {
    /// The questions for a spec, none where the bond has its address already.
    pub(super) fn of(kernel: &Kernel, xapi: Option<&Xapi>, spec: &Spec) -> Self {
        let addr = spec.address.map(|net| net.addr);
        let further = further(kernel, xapi, spec);
        if addr.is_none_or(|addr| !kernel.devices_with(addr).is_empty()) {
            return Self { addr, devices: Vec::new(), servers: Vec::new(), further };
        }
        let mut servers = BTreeSet::new();
        servers.extend(spec.servers());
        let known = |probe: &Ipv4Addr| Some((*probe, kernel.device_towards(*probe)?.to_string()));
        Self {
            addr,
            // What is on a tag is not heard beside it.
            devices: if spec.vlan.is_some() { Vec::new() } else { devices(kernel, xapi, spec) },
            servers: servers
                .iter()
                .filter(|server| spec.networks().any(|n| n.address.contains(**server)))
                .filter_map(known)
                .collect(),
            further,
        }
    }

    pub(super) fn ask(&self, host: &Host) -> Wire {
        std::thread::scope(|scope| {
            let asked: Vec<_> = self
                .devices
                .iter()
                .map(|device| meanwhile(scope, || arping(host, device, self.addr?)))
                .collect();
            let proven: Vec<_> = self
                .further
                .iter()
                .flatten()
                .map(|(nic, device, gateway)| {
                    let asks = move || arping(host, device, *gateway).is_some();
                    (nic, *gateway, meanwhile(scope, asks))
                })
                .collect();
            let pinged: Vec<_> = self
                .servers
                .iter()
                .map(|known| meanwhile(scope, || ping(host, known.0).then(|| known.clone())))
                .collect();
            Wire {
                answers: asked.into_iter().filter_map(|t| t.join()).collect(),
                routed: pinged.into_iter().filter_map(|t| t.join()).collect(),
                gateways: self.further.as_ref().map(|_| {
                    let proof = |(nic, gateway, asks): (&IfName, _, Meanwhile<'_, bool>)| Proof {
                        nic: nic.clone(),
                        gateway,
                        answers: asks.join(),
                    };
                    proven.into_iter().map(proof).collect()
                }),
            }
        })
    }
}

/// The NICs that are to carry the management beside the one that does, each with the device that
/// hears its wire, and the gateway of the host.
fn further(
    kernel: &Kernel,
    xapi: Option<&Xapi>,
    spec: &Spec,
) -> Option<Vec<(IfName, String, Ipv4Addr)>> {
    spec.xapi_bond().filter(|(asked, _)| asked.purpose == Use::Management)?;
    let default = kernel.routes.iter().find(|r| r.to.prefix == 0);
    let Some(gateway) = default.and_then(|route| route.gateway) else { return Some(Vec::new()) };
    let up = |name: &str| kernel.devices.get(name).is_some_and(|d| d.carrier == Some(true));
    let one = |nic: &NicRef| {
        let name = kernel.device_of(nic)?;
        let pif = xapi?.nic(name).filter(|pif| !pif.management && pif.bond_slave_of.is_none())?;
        let device = match kernel.devices.get(name)?.master {
            None => name,
            Some(_) => xapi?.bridge_of(pif)?,
        };
        Some((name.parse().ok()?, up(device).then(|| device.to_string())?, gateway))
    };
    Some(spec.nics.iter().filter_map(one).collect())
}

/// Where the wires of the NICs can be heard: a NIC that is a port hears nothing itself, its
/// bridge does. A NIC that is down, or a slave of another bond, is not asked.
fn devices(kernel: &Kernel, xapi: Option<&Xapi>, spec: &Spec) -> Vec<String> {
    let up = |name: &String| kernel.devices.get(name).is_some_and(|d| d.carrier == Some(true));
    let hears = |nic: &NicRef| match kernel.device_of(nic)? {
        name if kernel.devices[name].master.is_none() => Some(name.to_string()),
        // The bond that is to change hears what its slaves hear.
        name if kernel.devices[name].master.as_deref() == Some(spec.bond.as_str()) => {
            Some(spec.bond.to_string())
        }
        name if kernel.devices[name]
            .master
            .as_ref()
            .is_some_and(|m| kernel.bonds.contains_key(m)) =>
        {
            None
        }
        // Without XAPI's word nobody knows which bridge hears it.
        name => Some(xapi?.bridge_of(xapi?.nic(name)?)?.to_string()),
    };
    let all: BTreeSet<String> = order::set(spec.nics.iter().filter_map(hears).filter(up));
    all.into_iter().collect()
}

/// Duplicate address detection (RFC 5227), as the boot scripts do it: exit code 1 is an answer.
fn arping(host: &Host, device: &str, addr: Ipv4Addr) -> Option<Answer> {
    let addr = addr.to_string();
    let args = ["-D", "-c", "1", "-w", "1", "-I", device, &addr];
    let output = host.run(&Cmd::read(Program::Arping, &args, LIMIT)).ok()?;
    let text = output.text();
    let mac = text.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
    let mac = mac.and_then(|(mac, _)| mac.parse().ok());
    let answer = Answer { device: device.to_string(), mac };
    (output.status == Status::Exited(1)).then_some(answer)
}

fn ping(host: &Host, addr: Ipv4Addr) -> bool {
    let args = ["-n", "-c", "1", "-W", "1", &addr.to_string()];
    host.run(&Cmd::read(Program::Ping, &args, LIMIT)).is_ok_and(|output| output.success())
}
