//! Is the host as asked? Setting by setting, from the running kernel and XAPI. Pure, but for
//! [`wait`], which reads again until all holds or the time is up.
//!
//! A value that nothing shows is unknown, and unknown is never good.

use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::bonding::BondStatus;
use crate::host::Host;
use crate::inventory::{Inventory, Kernel};
use crate::net::{BondMode, Ipv4Net};
use crate::options::{Opt, Row, Value};
use crate::preflight::Nic;
use crate::spec::Spec;
use crate::xe::Pif;

/// One setting: what was asked for and what is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Which setting.
    pub name: String,
    /// What was asked for.
    pub want: String,
    /// What is; `None`: nothing tells.
    pub have: Option<String>,
    /// Whether they agree.
    pub ok: bool,
    /// What may be wrong, and what to look at.
    pub hint: Option<String>,
    /// Whether it may still come right by itself, as a link may.
    #[serde(skip)]
    settles: bool,
}

impl Check {
    fn new(name: impl Into<String>, want: impl Into<String>, have: Option<String>) -> Self {
        let (name, want) = (name.into(), want.into());
        let ok = have.as_deref() == Some(want.as_str());
        Self { name, want, have, ok, hint: None, settles: false }
    }

    /// A check of something besides the bond's own settings.
    #[must_use]
    pub fn of(
        name: impl Into<String>,
        want: impl Into<String>,
        have: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self::new(name, want, Some(have.into())).because(hint)
    }

    fn settling(self) -> Self {
        Self { settles: true, ..self }
    }

    fn because(self, hint: impl Into<String>) -> Self {
        if self.ok { self } else { Self { hint: Some(hint.into()), ..self } }
    }
}

impl std::fmt::Display for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}: wanted {}, have {}",
            self.name,
            self.want,
            self.have.as_deref().unwrap_or("unknown")
        )
    }
}

/// The checks that failed.
#[must_use]
pub fn failed(checks: &[Check]) -> Vec<&Check> {
    checks.iter().filter(|c| !c.ok).collect()
}

/// How long a link may take to be seen after `ifup`, with the switch's own time.
const BASE: Duration = Duration::from_secs(10);

/// How long LACP may take: three slow periods of 30 s, for a partner that forgot us must first
/// time out (IEEE 802.1AX, LACP timeouts).
const LACP: Duration = Duration::from_secs(90);

/// The longest pause between two readings.
const PAUSE: Duration = Duration::from_millis(100);

/// How long all may take to be as asked.
#[must_use]
pub fn limit(spec: &Spec) -> Duration {
    let ms = |opt| u64::from(spec.options.number(opt).unwrap_or(0));
    let delays = ms(Opt::Updelay) + 3 * (ms(Opt::Miimon) + ms(Opt::ArpInterval));
    let lacp = if spec.mode == BondMode::Ieee8023ad { LACP } else { Duration::ZERO };
    BASE + lacp + Duration::from_secs(delays.div_ceil(1000))
}

/// Reads the kernel until all that can settle has, or `within` has passed.
///
/// # Errors
/// When the kernel cannot be read.
pub fn wait(host: &Host, spec: &Spec, nics: &[Nic], within: Duration) -> Result<Vec<Check>> {
    let start = host.clock().elapsed();
    let mut pause = Duration::from_millis(10);
    loop {
        let checks = kernel(spec, nics, &Kernel::read(host)?);
        let hopeless = checks.iter().any(|c| !c.ok && !c.settles);
        let left = within.saturating_sub(host.clock().elapsed().saturating_sub(start));
        if failed(&checks).is_empty() || hopeless || left.is_zero() {
            return Ok(checks);
        }
        host.clock().pause(pause.min(left));
        pause = (pause * 2).min(PAUSE);
    }
}

/// Whether the bond is configured as asked, its links aside.
#[must_use]
pub fn is_configured(spec: &Spec, nics: &[Nic], inv: &Inventory) -> bool {
    kernel(spec, nics, &inv.kernel).iter().all(|c| c.ok || c.settles)
}

/// What the kernel tells.
#[must_use]
pub fn kernel(spec: &Spec, nics: &[Nic], kernel: &Kernel) -> Vec<Check> {
    let bond = spec.bond.as_str();
    let Some(status) = kernel.bond(bond) else {
        return vec![
            Check::new(bond, "there", Some("not there".into()))
                .because(format!("/proc/net/bonding/{bond} is missing: ifup {bond}")),
        ];
    };
    let mut checks = vec![driver(&status), mode(spec, &status, kernel)];
    for (row, value) in spec.options.iter() {
        checks.push(option(spec, row, value, &status, kernel));
    }
    checks.extend(slaves(nics, &status));
    for nic in nics {
        checks.extend(slave(nic, &status, kernel));
    }
    checks.extend(equal_links(nics, &status, kernel));
    checks.push(bond_link(bond, &status, kernel));
    checks.extend(active_slave(spec, &status));
    if spec.mode == BondMode::Ieee8023ad {
        checks.push(lacp(nics, &status));
    }
    checks.push(address(spec, kernel));
    if let Some(mtu) = spec.mtu {
        for device in std::iter::once(bond).chain(nics.iter().map(|n| n.device.as_str())) {
            let have = kernel.devices.get(device).and_then(|d| d.mtu).map(|m| m.to_string());
            checks.push(Check::new(format!("{device} MTU"), mtu.to_string(), have));
        }
    }
    checks.push(default_route(bond, kernel));
    checks
}

/// Open vSwitch of old imitates the file (facts/xapi.md section F).
fn driver(status: &BondStatus) -> Check {
    let have = match status.is_kernel_driver() {
        Some(true) => Some("the kernel's".into()),
        Some(false) => status.driver_version.clone(),
        None => None,
    };
    Check::new("driver", "the kernel's", have)
        .because("another program imitates the bonding driver: is the running backend bridge?")
}

/// One value from two witnesses. Where both speak they must agree.
fn witnesses(proc: Option<String>, sys: Option<String>) -> (Option<String>, Option<String>) {
    match (proc, sys) {
        (Some(proc), Some(sys)) if proc != sys => {
            let said = format!("{proc} in /proc, {sys} in /sys");
            (Some(said.clone()), Some(format!("the kernel contradicts itself: {said}")))
        }
        (proc, sys) => (proc.or(sys), None),
    }
}

fn mode(spec: &Spec, status: &BondStatus, kernel: &Kernel) -> Check {
    let proc = status.mode.map(|m| m.name().to_string()).or_else(|| status.mode_text.clone());
    let sys = kernel.bond_option(spec.bond.as_str(), "mode");
    let sys = sys.and_then(|text| text.split_whitespace().next().map(String::from));
    let (have, contradiction) = witnesses(proc, sys);
    Check::new("mode", spec.mode.name(), have)
        .because(contradiction.unwrap_or_else(|| "a mode can be set only while the bond has no slaves; the boot scripts report success all the same".into()))
}

fn option(spec: &Spec, row: &Row, value: &Value, status: &BondStatus, kernel: &Kernel) -> Check {
    let normal = |text: String| row.normal(&text);
    let proc = row.proc.and_then(|read| read(status)).map(normal);
    let sys = kernel.bond_option(spec.bond.as_str(), row.name).map(|text| row.normal(text));
    let (mut have, contradiction) = witnesses(proc, sys);
    if row.opt == Opt::Miimon && *value == Value::Number(0) && have.is_none() {
        have = Some("0".into());
    }
    let hint = match row.opt {
        Opt::Miimon => {
            "link monitoring is not what was asked for: module options are ignored when the driver is already loaded"
        }
        _ => "the driver did not take the option; `dmesg | grep bond` tells why",
    };
    Check::new(row.name, row.normal(&value.to_string()), have)
        .because(contradiction.unwrap_or_else(|| hint.into()))
}

fn joined(mut names: Vec<&str>) -> String {
    names.sort_unstable();
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

fn slaves(nics: &[Nic], status: &BondStatus) -> Vec<Check> {
    let want = joined(nics.iter().map(|n| n.device.as_str()).collect());
    let have = joined(status.slaves.iter().map(|s| s.name.as_str()).collect());
    vec![Check::new("slaves", want, Some(have)).because(
        "a NIC that a bridge or another bond holds is not enslaved, and ifup says nothing",
    )]
}

fn slave(nic: &Nic, status: &BondStatus, kernel: &Kernel) -> Vec<Check> {
    let device = nic.device.as_str();
    let Some(slave) = status.slave(device) else { return Vec::new() };
    let carrier = kernel.devices.get(device).and_then(|d| d.carrier);
    let mii = slave.mii_status.clone();
    let (have, hint) = match (mii.as_deref(), carrier) {
        (Some("up"), Some(false)) => (
            Some("up in /proc, no carrier in /sys".to_string()),
            "the driver does not see that the cable is out: is link monitoring on?".to_string(),
        ),
        _ => (mii, format!("check cable and switch port of {device}")),
    };
    vec![
        Check::new(
            format!("{device} permanent MAC"),
            nic.mac.to_string(),
            slave.perm_hwaddr.clone(),
        )
        .because("another NIC has taken this name"),
        Check::new(format!("{device} link"), "up", have).settling().because(hint),
    ]
}

/// Speed and duplex, which must be known and the same on all slaves whose link is up; that of a
/// slave whose link is down says nothing, and its own row names it.
fn equal_links(nics: &[Nic], status: &BondStatus, kernel: &Kernel) -> Vec<Check> {
    let is_up = |nic: &&Nic| {
        let slave = status.slave(nic.device.as_str());
        slave.is_some_and(|s| s.mii_status.as_deref() == Some("up"))
    };
    let up: Vec<&Nic> = nics.iter().filter(is_up).collect();
    let device = |nic: &Nic| kernel.devices.get(nic.device.as_str());
    let of = |read: &dyn Fn(&Nic) -> Option<String>| -> Vec<Option<String>> {
        up.iter().map(|nic| read(nic)).collect()
    };
    let speeds = of(&|nic| {
        let proc = status.slave(nic.device.as_str()).and_then(|s| s.speed_mbps);
        proc.or_else(|| device(nic)?.speed).map(|mbps| format!("{mbps} Mb/s"))
    });
    let duplexes = of(&|nic| {
        let proc = status.slave(nic.device.as_str()).and_then(|s| s.duplex.clone());
        proc.or_else(|| device(nic)?.duplex.clone()).map(|d| d.to_ascii_lowercase())
    });
    [("speed", speeds), ("duplex", duplexes)]
        .into_iter()
        .map(|(name, values)| {
            let equal = values.iter().all(|value| value.is_some() && *value == values[0]);
            let have = if equal {
                "the same on all".to_string()
            } else {
                let each = up.iter().zip(&values).map(|(nic, value)| {
                    format!("{} {}", nic.device, value.as_deref().unwrap_or("unknown"))
                });
                each.collect::<Vec<_>>().join(", ")
            };
            Check::new(name, "the same on all", Some(have))
                .settling()
                .because("set the switch ports alike")
        })
        .collect()
}

fn bond_link(bond: &str, status: &BondStatus, kernel: &Kernel) -> Check {
    let carrier = kernel.devices.get(bond).and_then(|d| d.carrier);
    let have = match (status.mii_status.clone(), carrier) {
        (Some(mii), Some(false)) if mii == "up" => {
            Some("up in /proc, no carrier in /sys".to_string())
        }
        (mii, _) => mii,
    };
    Check::new(format!("{bond} link"), "up", have).settling().because("no slave carries traffic")
}

fn active_slave(spec: &Spec, status: &BondStatus) -> Option<Check> {
    if !spec.mode.has_active_slave() {
        return None;
    }
    let active = status.active_slave.clone();
    let check = match spec.options.primary() {
        // With any other choice than `always` a primary that was down stays aside.
        Some(primary) if spec.options.word(Opt::PrimaryReselect).is_none_or(|w| w == "always") => {
            Check::new("active slave", primary.as_str(), active)
        }
        _ => {
            let want = active.clone().unwrap_or_else(|| "one of the slaves".into());
            Check::new("active slave", want, active)
        }
    };
    Some(check.settling().because("no slave, or not the primary, carries the traffic"))
}

/// Synchronization, Collecting and Distributing in a port state (IEEE 802.1AX, LACPDU).
const LACP_CARRIES: u32 = 0b0011_1000;

/// Whether both ends of a port use it. The driver tells only who may administer the network, and
/// kernels before 4.2 nobody: aggregator and partner must do there.
fn carries(nic: &Nic, status: &BondStatus) -> bool {
    let Some(slave) = status.slave(nic.device.as_str()) else { return false };
    let states =
        [&slave.actor, &slave.partner].into_iter().flatten().filter_map(|pdu| pdu.port_state);
    states.into_iter().all(|state| state & LACP_CARRIES == LACP_CARRIES)
}

fn lacp(nics: &[Nic], status: &BondStatus) -> Check {
    let active = status.lacp.as_ref().and_then(|l| l.active_aggregator.as_ref());
    let ids: Vec<Option<u32>> = nics
        .iter()
        .map(|n| status.slave(n.device.as_str()).and_then(|s| s.aggregator_id))
        .collect();
    let together = ids.iter().all(|id| id.is_some() && *id == ids[0]);
    let partner = active.and_then(crate::bonding::Aggregator::has_partner);
    let want = format!("{} ports in one aggregator, with a partner", nics.len());
    let shown = |id: &Option<u32>| id.map_or("?".into(), |id| id.to_string());
    let each = || -> String {
        let all = nics.iter().zip(&ids);
        let all = all.map(|(n, id)| format!("{} in aggregator {}", n.device, shown(id)));
        all.collect::<Vec<_>>().join(", ")
    };
    let (have, hint) = if active.is_none() {
        (None, "the driver shows no active aggregator".to_string())
    } else if partner != Some(true) {
        (
            Some(format!(
                "no partner (its MAC reads {}), {}",
                active.and_then(|a| a.partner_mac.as_deref()).unwrap_or("nothing"),
                each()
            )),
            "the switch sends no LACPDU: make its ports an LACP group (active or passive), not a static one".to_string(),
        )
    } else if !together {
        (
            Some(format!("aggregators apart: {}", each())),
            "the switch has the ports in different groups, or with different keys or speeds"
                .to_string(),
        )
    } else if let Some(idle) = nics.iter().find(|nic| !carries(nic, status)) {
        (
            Some(format!("{} is not collecting and distributing yet", idle.device)),
            "the partner has not agreed on the port: is its LACP group complete?".to_string(),
        )
    } else {
        (Some(want.clone()), String::new())
    };
    Check::new("LACP", want, have).settling().because(hint)
}

fn address(spec: &Spec, kernel: &Kernel) -> Check {
    let bond = spec.bond.as_str();
    let on: Vec<String> = kernel
        .addresses
        .iter()
        .filter(|a| a.net.addr == spec.address.addr)
        .map(|a| format!("{} on {}", a.net, a.device))
        .collect();
    // Kernels before 2.6.39 may lack fib_trie: the connected route then tells the subnet only.
    let route = !kernel.addresses_known
        && kernel.routes.iter().any(|r| r.device == bond && r.to == spec.address.subnet());
    let want = format!("{} on {bond}", spec.address);
    let have = if route {
        Some(want.clone())
    } else {
        Some(if on.is_empty() { "nowhere".into() } else { on.join(", ") })
    };
    Check::new("address", want, have)
        .because("ifup leaves the bond without address when another host answers for it")
}

fn default_route(bond: &str, kernel: &Kernel) -> Check {
    let default = Ipv4Net { addr: [0, 0, 0, 0].into(), prefix: 0 };
    let gained = kernel.routes.iter().any(|r| r.device == bond && r.to == default);
    let have = if gained { format!("through {bond}") } else { "not through the bond".into() };
    Check::new("default route", "not through the bond", Some(have))
        .because("remove GATEWAY from its ifcfg file: it takes the default route from the management interface")
}

/// What XAPI tells: it must leave the NICs alone.
#[must_use]
pub fn xapi(nics: &[Nic], pifs: Option<&[Pif]>) -> Vec<Check> {
    nics.iter()
        .map(|nic| {
            let managed = |pif: &Pif| {
                pif.is_nic() && pif.device == nic.device.as_str() && pif.managed != Some(false)
            };
            let have = pifs.map(|all| if all.iter().any(managed) { "managed by XAPI" } else { "left alone" }.to_string());
            Check::new(format!("{} in XAPI", nic.device), "left alone", have)
                .because(match pifs {
                    None => "XAPI does not answer: xe host-list",
                    Some(_) => "XAPI has taken the NIC back, as a rescan does, and would plug it at boot: xenbond apply again",
                })
        })
        .collect()
}

/// What the next boot will do: `missing` are the files that are not as rendered.
#[must_use]
pub fn next_boot(spec: &Spec, inv: &Inventory, missing: &[String]) -> Check {
    let how = if inv.network_service { "the network service" } else { "a unit of its own" };
    let want = format!("{} comes up by {how}", spec.bond);
    let have = if missing.is_empty() {
        want.clone()
    } else {
        format!("not as rendered: {}", missing.join(", "))
    };
    Check::new("next boot", want, Some(have)).because("xenbond apply writes the files again")
}

#[cfg(test)]
mod tests;
