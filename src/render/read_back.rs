//! Reads rendered files back: they must say what the spec asks, and nothing else.

use anyhow::{Result, bail, ensure};

use super::Slave;
use crate::ifcfg;
use crate::spec::Spec;

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
    Ok(())
}

pub(super) fn read_back_nic(text: &str, spec: &Spec, slave: &Slave) -> Result<()> {
    expect(
        text,
        &[
            ("DEVICE", Some(slave.device.to_string())),
            ("MASTER", Some(spec.bond.to_string())),
            ("SLAVE", Some("yes".into())),
            ("HWADDR", slave.mac.map(|m| m.to_string())),
            ("IPADDR", None),
            ("GATEWAY", None),
            ("MTU", None),
        ],
    )?;
    refuse_keys(text, &["TYPE", "MACADDR", "XEMANAGED", "BRIDGE"])?;
    has_lines(
        text,
        &[format!("DEVICE={}", slave.device), format!("MASTER={}", spec.bond), "SLAVE=yes".into()],
    )
}

pub(super) fn read_back_bond(text: &str, spec: &Spec) -> Result<()> {
    expect(
        text,
        &[
            ("DEVICE", Some(spec.bond.to_string())),
            ("IPADDR", Some(spec.address.addr.to_string())),
            ("NETMASK", Some(spec.address.netmask().to_string())),
            ("PREFIX", None),
            ("BONDING_OPTS", Some(spec.options.words(spec.mode).join(" "))),
            ("ONBOOT", Some("yes".into())),
            ("BOOTPROTO", Some("none".into())),
            ("NOZEROCONF", Some("yes".into())),
            ("MTU", spec.mtu.map(|m| m.to_string())),
            // A gateway would take the default route from the management interface, and a fixed
            // MAC has no place on a bond (facts/initscripts.md sections 1 and 8).
            ("GATEWAY", None),
            ("HWADDR", None),
            ("BRIDGE", None),
        ],
    )?;
    refuse_keys(text, &["TYPE", "MACADDR", "MASTER", "SLAVE", "XEMANAGED"])?;
    has_lines(text, &[format!("DEVICE={}", spec.bond)])
}

/// Keys that change what the boot scripts do, beyond what the spec can ask for: other kinds of
/// device, more addresses, another MAC, XenServer's own mark (facts/initscripts.md section 8).
pub(super) fn refuse_keys(text: &str, refused: &[&str]) -> Result<()> {
    for (key, value) in ifcfg::parse(text).iter() {
        // IPADDR0, NETMASK1 and so on are addresses of their own.
        let numbered = key.trim_end_matches(|c: char| c.is_ascii_digit());
        let more =
            numbered != key && ["IPADDR", "NETMASK", "PREFIX", "GATEWAY"].contains(&numbered);
        ensure!(
            !more && !refused.contains(&key),
            "{key}={value} is nothing that the spec asks for"
        );
    }
    Ok(())
}

/// Lines that the boot scripts grep for, so that even their quoting counts (facts/initscripts.md
/// sections 1 and 7).
pub(super) fn has_lines(text: &str, lines: &[String]) -> Result<()> {
    for line in lines {
        ensure!(text.lines().any(|l| l == line), "it has no line `{line}`, written just so");
    }
    Ok(())
}

pub(super) fn read_back_modprobe(text: &str, spec: &Spec) -> Result<()> {
    let mut wanted = vec![
        modprobe_line("alias", spec.bond.as_str(), &["bonding".into()]),
        modprobe_line("options", spec.bond.as_str(), &spec.options.words(spec.mode)),
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
