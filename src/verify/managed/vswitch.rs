//! The rows of a bond that Open vSwitch carries (tests/ground/ovs.md, D and F). Pure.

use super::{AGAIN, DOWNDELAY, UPDELAY, active, mode};
use crate::inventory::{Kernel, Managed, Nic, Vswitch};
use crate::net::BondMode;
use crate::options::Opt;
use crate::ovs::{Bond, LacpPort, LacpSlave, Mode, Negotiation, PortState, Rate, Slave};
use crate::verify::kernel::{bond_link, equal_links, slaves};
use crate::verify::{Check, Setting};

/// A partner that nobody is.
const NOBODY: &str = "00:00:00:00:00:00";

/// What both ends of a port must say to carry anything.
const CARRIES: [PortState; 3] =
    [PortState::Synchronized, PortState::Collecting, PortState::Distributing];

/// Every check of the port. `read` is why nothing is known of it where that is so.
pub(super) fn rows(
    asked: &Managed,
    nics: &[Nic],
    kernel: &Kernel,
    read: Result<&Vswitch, &String>,
) -> Vec<Check> {
    let there = |have| Check::new(Setting::Bond(asked.device.clone()), "there", have);
    let vswitch = match read {
        Ok(vswitch) => vswitch,
        Err(why) => return vec![there(None).because(why)],
    };
    let (Some(bond), Some(status)) = (&vswitch.bond, vswitch.status(kernel)) else {
        let hint = format!(
            "ovs-appctl bond/show {} knows none, whatever XAPI says: xe-toolstack-restart",
            asked.device
        );
        return vec![there(Some("not there".into())).because(hint)];
    };
    let lacp = asked.mode() == Some(BondMode::Ieee8023ad);
    let mut checks = vec![mode(asked, status.mode, status.mode_text.as_ref())];
    if lacp {
        checks.push(hashing(asked, bond));
    }
    for (opt, key, usual, have) in [
        (Opt::Updelay, "updelay", UPDELAY, bond.updelay),
        (Opt::Downdelay, "downdelay", DOWNDELAY, bond.downdelay),
    ] {
        let want = asked.setting(key, usual).map_or("?".into(), |ms| ms.to_string());
        let have = have.map(|ms| ms.to_string());
        checks.push(Check::new(Setting::Option(opt), want, have).because(AGAIN));
    }
    checks.push(slaves(asked.device.as_str(), nics, &status, kernel).because(AGAIN));
    for nic in nics {
        let mac = kernel.permanent_mac(nic.device.as_str()).map(|mac| mac.to_string());
        checks.push(
            Check::new(Setting::PermanentMac(nic.device.clone()), nic.mac.to_string(), mac)
                .because("another NIC has taken this name"),
        );
        checks.push(link(nic, kernel));
        checks.push(enabled(nic, bond.slave(nic.device.as_str())));
    }
    checks.extend(equal_links(nics, &status, kernel));
    checks.push(bond_link(&asked.device, &status, kernel));
    // Without a partner it works as active-backup does, and so it has an active one.
    if bond.mode == Some(Mode::ActiveBackup) {
        let ours = bond.primary.as_ref().filter(|name| bond.slave(name).is_some());
        checks.push(active(bond.active_slave.as_ref(), ours));
    }
    if lacp {
        checks.extend(lacp_rows(asked, nics, vswitch));
    }
    if let Some(bridge) = asked.bridge() {
        let name = Setting::Bridge(asked.device.clone());
        checks.push(Check::new(name, bridge, vswitch.bridge.clone()).because(AGAIN));
    }
    checks
}

fn link(nic: &Nic, kernel: &Kernel) -> Check {
    let device = kernel.devices.get(nic.device.as_str());
    let have = device.and_then(|device| match (device.up, device.carrier) {
        (Some(false), _) => Some("set down"),
        (_, Some(true)) => Some("up"),
        (_, Some(false)) => Some("down"),
        _ => None,
    });
    Check::new(Setting::Link(nic.device.clone()), "up", have.map(String::from))
        .settling()
        .because(format!("check cable and switch port of {}", nic.device))
}

/// `enabled` is now, `may_enable` is what will be.
fn enabled(nic: &Nic, slave: Option<&Slave>) -> Check {
    let mut hint = "ovs-appctl bond/show tells why".to_string();
    let have = match slave {
        None => Some("no member".to_string()),
        Some(slave) => slave.enabled.map(|enabled| {
            let (comes, goes) = (slave.updelay_left, slave.downdelay_left);
            match (enabled, slave.may_enable) {
                (true, Some(false)) => "going down".to_string(),
                (true, _) if goes.is_some() => "going down".to_string(),
                (true, _) => "yes".to_string(),
                (false, _) if comes.is_some() => {
                    let ms = comes.unwrap_or(0);
                    hint = format!("its link has come back: it is used in {} s", ms.div_ceil(1000));
                    "coming up".to_string()
                }
                (false, Some(true)) => "coming up".to_string(),
                (false, _) => "no".to_string(),
            }
        }),
    };
    Check::new(Setting::Enabled(nic.device.clone()), "yes", have).settling().because(hint)
}

/// Which mode of Open vSwitch's an LACP bond has is its hash.
fn hashing(asked: &Managed, bond: &Bond) -> Check {
    let have = match bond.mode {
        Some(Mode::BalanceTcp) => Some("tcpudp_ports"),
        Some(Mode::BalanceSlb) => Some("src_mac"),
        _ => None,
    };
    let want = match asked.property("hashing_algorithm", "tcpudp_ports") {
        "src_mac" => "src_mac",
        _ => "tcpudp_ports",
    };
    Check::new(Setting::HashingAlgorithm, want, have.map(String::from)).because(AGAIN)
}

/// What LACP has come to: its rate, a partner, one for all, ports in use.
fn lacp_rows(asked: &Managed, nics: &[Nic], vswitch: &Vswitch) -> Vec<Check> {
    let port = vswitch.lacp.as_ref();
    let rate = port.and_then(|port| port.rate).map(|rate| match rate {
        Rate::Fast => "fast".to_string(),
        Rate::Slow => "slow".to_string(),
    });
    let time = asked.property("lacp-time", "slow");
    let mut checks = vec![Check::new(Setting::LacpTime, time, rate).because(AGAIN)];
    let slave = |nic: &Nic| {
        port.and_then(|port: &LacpPort| port.slaves.iter().find(|s| s.name == nic.device.as_str()))
    };
    let each: Vec<(&str, Option<&LacpSlave>)> =
        nics.iter().map(|nic| (nic.device.as_str(), slave(nic))).collect();
    checks.push(partner(vswitch, &each));
    checks.push(together(&each));
    let idle: Vec<&str> =
        each.iter().filter(|(_, slave)| !slave.is_some_and(carries)).map(|(nic, _)| *nic).collect();
    let want = "all collecting and distributing";
    let have = if idle.is_empty() { want.into() } else { format!("not {}", idle.join(", ")) };
    checks.push(
        Check::new(Setting::LacpPorts, want, Some(have))
            .because("the partner has not agreed on the port: is its LACP group complete?"),
    );
    let lacp = checks.into_iter();
    lacp.map(|check| if check.name == Setting::LacpTime { check } else { check.settling() })
        .collect()
}

/// The partner of a port that is heard now.
fn heard(slave: &LacpSlave) -> Option<(&str, u32)> {
    let id = slave.partner_sys_id.as_deref().filter(|id| *id != NOBODY)?;
    (slave.current == Some(true)).then_some((id, slave.partner_key?))
}

fn partner(vswitch: &Vswitch, each: &[(&str, Option<&LacpSlave>)]) -> Check {
    let want = "a partner";
    let negotiated = vswitch.bond.as_ref().and_then(|bond| bond.lacp);
    let any = each.iter().any(|(_, slave)| slave.and_then(heard).is_some());
    let falls_back = vswitch.bond.as_ref().and_then(|bond| bond.lacp_fallback_ab);
    let have = match (vswitch.lacp.is_some(), negotiated) {
        (true, Some(Negotiation::Negotiated)) if any => Some(want),
        (true, _) if !any && falls_back == Some(true) => Some("none: it works as active-backup"),
        (true, _) if !any => Some("none"),
        (true, Some(_)) => Some("not agreed yet"),
        _ => None,
    };
    Check::new(Setting::LacpPartner, want, have.map(String::from)).because(
        "the switch sends no LACPDU: make its ports an LACP group (active or passive), not a static one",
    )
}

fn together(each: &[(&str, Option<&LacpSlave>)]) -> Check {
    let want = format!("{} ports attached, one partner", each.len());
    let partners: Vec<_> = each.iter().map(|(_, slave)| slave.and_then(heard)).collect();
    let attached = |slave: &Option<&LacpSlave>| slave.is_some_and(|s| s.attached == Some(true));
    let same = partners.iter().all(|one| one.is_some() && *one == partners[0]);
    let have = if same && each.iter().all(|(_, slave)| attached(slave)) {
        want.clone()
    } else {
        let say = |(nic, slave): &(&str, Option<&LacpSlave>)| match slave.and_then(heard) {
            Some((id, key)) if attached(slave) => format!("{nic} with {id}, key {key}"),
            Some((id, key)) => format!("{nic} detached from {id}, key {key}"),
            None => format!("{nic} hears nobody"),
        };
        each.iter().map(say).collect::<Vec<_>>().join("; ")
    };
    Check::new(Setting::LacpAggregator, want, Some(have))
        .because("the switch has the ports in different groups, or does not speak LACP on all")
}

/// Whether both ends of a port use it.
fn carries(slave: &LacpSlave) -> bool {
    let said = slave.partner_state.as_ref();
    slave.may_enable != Some(false)
        && heard(slave).is_some()
        && said.is_some_and(|words| CARRIES.iter().all(|word| words.contains(word)))
}
