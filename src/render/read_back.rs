//! Reads rendered files back: they must say what the spec asks, and nothing else.

use anyhow::{Result, bail, ensure};

use super::{Slave, ethtool_opts};
use crate::ifcfg;
use crate::net::Ipv4Net;
use crate::spec::{Network, Spec};

/// A file for the boot scripts: nothing but comments and constant assignments, and these values.
pub(super) fn expect(text: &str, wanted: &[(&str, Option<String>)]) -> Result<()> {
    let read = ifcfg::parse(text);
    ensure!(
        read.is_plain(),
        "it holds more than comments and plain assignments, and the boot scripts would run it"
    );
    for (key, want) in wanted {
        let have = read.get(key);
        ensure!(
            have == want.as_deref(),
            "{key} is {}, and the spec wants {}",
            have.map_or("missing".into(), |v| format!("`{v}`")),
            want.as_deref().map_or("none".into(), |v| format!("`{v}`"))
        );
    }
    refuse_others(text, wanted)
}

pub(super) fn read_back_nic(text: &str, spec: &Spec, slave: &Slave) -> Result<()> {
    let mut wanted = vec![
        ("DEVICE", Some(slave.device.to_string())),
        ("MASTER", Some(spec.bond.to_string())),
        ("SLAVE", Some("yes".into())),
        ("HWADDR", slave.mac.map(|m| m.to_string())),
        ("IPADDR", None),
        ("GATEWAY", None),
        ("MTU", None),
    ];
    wanted.extend(ethtool_opts(spec, slave).map(|opts| ("ETHTOOL_OPTS", Some(opts))));
    expect(text, &wanted)?;
    has_lines(
        text,
        &[format!("DEVICE={}", slave.device), format!("MASTER={}", spec.bond), "SLAVE=yes".into()],
    )
}

pub(super) fn read_back_bond(text: &str, spec: &Spec) -> Result<()> {
    // A bond whose own network has a tag has no address.
    let own = spec.address.filter(|_| spec.vlan.is_none());
    let mut wanted = wanted_of(spec.bond.as_str(), own, spec.mtu);
    wanted.push(("BONDING_OPTS", Some(spec.options.words(spec.mode).join(" "))));
    wanted.extend(spec.link_delay.map(|n| ("LINKDELAY", Some(n.to_string()))));
    expect(text, &wanted)?;
    has_lines(text, &[format!("DEVICE={}", spec.bond)])
}

pub(super) fn read_back_vlan(text: &str, network: Network<'_>) -> Result<()> {
    let mut wanted = wanted_of(network.device, Some(network.address), network.mtu);
    // The scripts take no other word for it (tests/ground/initscripts.md, J1).
    wanted.push(("VLAN", Some("yes".into())));
    expect(text, &wanted)?;
    has_lines(text, &[format!("DEVICE={}", network.device), "VLAN=yes".into()])
}

/// What the file of a bond or of a tag must say.
fn wanted_of(
    device: &str,
    address: Option<Ipv4Net>,
    mtu: Option<u32>,
) -> Vec<(&'static str, Option<String>)> {
    vec![
        ("DEVICE", Some(device.to_string())),
        ("IPADDR", address.map(|net| net.addr.to_string())),
        ("NETMASK", address.map(|net| net.netmask().to_string())),
        ("PREFIX", None),
        ("ONBOOT", Some("yes".into())),
        ("BOOTPROTO", Some("none".into())),
        ("NOZEROCONF", Some("yes".into())),
        ("MTU", mtu.map(|m| m.to_string())),
        // A gateway would take the default route from the management interface, and a fixed MAC
        // has no place on a bond (tests/ground/initscripts.md, A7 and H1).
        ("GATEWAY", None),
        ("HWADDR", None),
        ("BRIDGE", None),
    ]
}

/// Each line is the arguments of an `ip route add` (tests/ground/initscripts.md, J4): these
/// routes, in this order, and no other.
pub(super) fn read_back_routes(text: &str, network: Network<'_>) -> Result<()> {
    let said = text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'));
    let said: Vec<&str> = said.collect();
    let wanted: Vec<String> =
        network.routes.iter().map(|route| format!("{route} dev {}", network.device)).collect();
    ensure!(
        said == wanted,
        "it says `{}`, and the spec wants `{}`",
        said.join("`, `").escape_debug(),
        wanted.join("`, `")
    );
    // One such line would make the scripts read the file in another way.
    ensure!(!text.contains("ADDRESS"), "it has the word ADDRESS in it");
    Ok(())
}

/// What each file may say besides, in just these words: what keeps other programs away from it, and
/// the default route and the name servers where they are.
const BESIDES: [(&str, &str); 8] = [
    ("ONBOOT", "yes"),
    ("BOOTPROTO", "none"),
    ("PEERDNS", "no"),
    ("DEFROUTE", "no"),
    ("IPV6INIT", "no"),
    ("NM_CONTROLLED", "no"),
    ("USERCTL", "no"),
    ("HOTPLUG", "no"),
];

/// Every other key is refused: nobody can list all that make the boot scripts do something that the
/// spec does not ask for (another kind of device, more addresses, another MAC, an owner).
fn refuse_others(text: &str, wanted: &[(&str, Option<String>)]) -> Result<()> {
    for (key, value) in ifcfg::parse(text).iter() {
        let asked = wanted.iter().any(|(wanted, _)| *wanted == key);
        ensure!(
            asked || BESIDES.contains(&(key, value)),
            "{key}={} is nothing that the spec asks for",
            value.escape_debug()
        );
    }
    Ok(())
}

/// Lines that the boot scripts grep for, so that even their quoting counts
/// (tests/ground/initscripts.md, A4 and G1).
pub(super) fn has_lines(text: &str, lines: &[String]) -> Result<()> {
    for line in lines {
        ensure!(text.lines().any(|l| l == line), "it has no line `{line}`, written just so");
    }
    Ok(())
}

pub(super) fn read_back_modprobe(text: &str, spec: &Spec) -> Result<()> {
    let mut wanted = vec![
        modprobe_line("alias", spec.bond.as_str(), &["bonding".into()]),
        modprobe_line("options", spec.bond.as_str(), &spec.options.parameters(spec.mode)),
        modprobe_line("options", "bonding", &["max_bonds=0".into()]),
    ];
    for line in text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')) {
        match wanted.iter().position(|w| *w == line) {
            Some(at) => drop(wanted.remove(at)),
            None => bail!("`{}` is not what the spec wants", line.escape_debug()),
        }
    }
    ensure!(wanted.is_empty(), "the line `{}` is missing", wanted.join("` and `"));
    ensure!(
        !text.lines().any(|l| l.ends_with('\\')),
        "a line ends in a backslash, which hides the next one"
    );
    Ok(())
}

pub(super) fn modprobe_line(command: &str, name: &str, rest: &[String]) -> String {
    format!("{command} {name} {}", rest.join(" "))
}
