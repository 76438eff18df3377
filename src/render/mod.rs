//! Templates and a spec make the texts of files. Every rendered text is read back and must
//! yield the spec, so that a template that was overridden cannot say anything else.

mod read_back;
mod templates;

use anyhow::{Context as _, Result, bail};
use tera::Value;

pub use templates::{BUILT_IN, BuiltIn, Templates, VARIABLES};

use crate::host::Kind;
use crate::modprobe;
use crate::net::{IfName, MacAddr, NicRef, Tagged};
use crate::paths;
use crate::render::read_back::read_back_bond;
use crate::render::read_back::read_back_modprobe;
use crate::render::read_back::read_back_nic;
use crate::render::read_back::read_back_routes;
use crate::render::read_back::read_back_vlan;
use crate::render::templates::BOND;
use crate::render::templates::MODPROBE;
use crate::render::templates::NIC;
use crate::render::templates::RESUME_SCRIPT;
use crate::render::templates::RESUME_UNIT;
use crate::render::templates::ROUTES;
use crate::render::templates::SCRIPT;
use crate::render::templates::UNIT;
use crate::render::templates::VLAN;
use crate::service::Init;
use crate::service::Service;
use crate::spec::{Network, Spec};

/// The first words of every file of ours. None of them is one that the boot scripts grep for
/// (tests/ground/initscripts.md, E1).
const MARK: &str = "# xenbond wrote this file";

/// A slave as its file names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slave {
    /// Its device.
    pub device: IfName,
    /// What pins it, where it is known.
    pub mac: Option<MacAddr>,
}

/// What kind of host the files are for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// `/etc/modprobe.conf` as it is, where the host reads it.
    pub modprobe_conf: Option<&'a Kind>,
    /// What must bring the bond up at boot, where the `network` service does not.
    pub boot: Option<Init>,
    /// The path of `ifup`, for the service.
    pub ifup: String,
    /// The path of `ifdown`.
    pub ifdown: String,
    /// The path of `ip`.
    pub ip: String,
}

/// How a slave is tuned, as the boot scripts take it.
fn ethtool_opts(spec: &Spec, slave: &Slave) -> Option<String> {
    spec.ethtool.of(&slave.device, slave.mac).ethtool_opts(&slave.device)
}

/// Whether the file is one that xenbond wrote.
#[must_use]
pub fn is_ours(kind: &Kind) -> bool {
    kind.bytes().is_some_and(|bytes| bytes.starts_with(MARK.as_bytes()))
}

/// All files of the bond by path, in the order in which they are written: the slaves' before the
/// bond's, and that before its tags' (tests/ground/initscripts.md, I4).
///
/// # Errors
/// When a template does not render, or its text does not say what the spec says.
pub fn files(
    spec: &Spec,
    slaves: &[Slave],
    target: &Target<'_>,
    templates: &Templates,
) -> Result<Vec<(String, Kind)>> {
    let device_of = |mac| slaves.iter().find(|slave| slave.mac == Some(mac));
    let spec = &spec.with_devices(|mac| device_of(mac).map(|slave| slave.device.clone()));
    if let Some(NicRef::Mac(mac)) = spec.options.primary() {
        bail!("primary {mac}: its device is not known");
    }
    let mut all = vec![modprobe_file(spec, target, templates)?];
    for slave in slaves {
        let values = [
            ("bond", spec.bond.to_string().into()),
            ("nic", slave.device.to_string().into()),
            ("mac", slave.mac.map(|m| m.to_string()).unwrap_or_default().into()),
            ("ethtool", ethtool_opts(spec, slave).unwrap_or_default().into()),
        ];
        let text = templates.render(NIC, &values)?;
        read_back_nic(&text, spec, slave).context(back(NIC))?;
        all.push((paths::ifcfg(slave.device.as_str()), ours(spec, &text)));
    }
    let own = spec.own_network().context("the bond has no address")?;
    let mut values = match own.tagged {
        None => network_values(own),
        Some(_) => Vec::from([("address", Value::from("")), ("netmask", Value::from(""))]),
    };
    values.retain(|(key, _)| *key != "mtu" && *key != "device");
    values.push(("bond", spec.bond.to_string().into()));
    values.push(("options", spec.options.words(spec.mode).join(" ").into()));
    values.push(("mtu", spec.mtu.map(|m| m.to_string()).unwrap_or_default().into()));
    let delay = spec.link_delay.map(|n| n.to_string());
    values.push(("linkdelay", delay.unwrap_or_default().into()));
    let text = templates.render(BOND, &values)?;
    read_back_bond(&text, spec).context(back(BOND))?;
    if own.tagged.is_none() {
        all.extend(routes_file(spec, own, templates)?);
    }
    all.push((paths::ifcfg(spec.bond.as_str()), ours(spec, &text)));
    for network in spec.networks().filter(|network| network.tagged.is_some()) {
        let text = templates.render(VLAN, &network_values(network))?;
        read_back_vlan(&text, network).context(back(VLAN))?;
        all.extend(routes_file(spec, network, templates)?);
        all.push((paths::ifcfg(network.device), ours(spec, &text)));
    }
    if let Some(init) = target.boot {
        all.push(boot_file(spec, init, target, templates)?);
    }
    Ok(all)
}

/// What says which driver the bond is of, and its options.
fn modprobe_file(
    spec: &Spec,
    target: &Target<'_>,
    templates: &Templates,
) -> Result<(String, Kind)> {
    let bond = spec.bond.to_string();
    let parameters = spec.options.parameters(spec.mode).join(" ");
    let values = [("bond", bond.clone().into()), ("options", parameters.into())];
    let text = templates.render(MODPROBE, &values)?;
    read_back_modprobe(&text, spec).context(back(MODPROBE))?;
    Ok(match target.modprobe_conf {
        Some(Kind::File { bytes, mode, uid, gid, .. }) => {
            let lines: Vec<String> = text.lines().map(String::from).collect();
            let merged = modprobe::merge_block(bytes, &bond, &lines)
                .with_context(|| format!("editing {}", paths::MODPROBE_CONF))?;
            let (mode, uid, gid, xattrs) = (*mode, *uid, *gid, Default::default());
            let kind = Kind::File { bytes: merged, mode, uid, gid, mtime: None, xattrs };
            (paths::MODPROBE_CONF.to_string(), kind)
        }
        _ => (paths::modprobe_file(&spec.bond), ours(spec, &text)),
    })
}

/// What of a network stands in the file of its device.
fn network_values(network: Network<'_>) -> Vec<(&'static str, Value)> {
    vec![
        ("device", network.device.into()),
        ("address", network.address.addr.to_string().into()),
        ("netmask", network.address.netmask().to_string().into()),
        ("mtu", network.mtu.map(|m| m.to_string()).unwrap_or_default().into()),
    ]
}

/// The routes through a network's device, where it has any: `ifup` runs them last.
fn routes_file(
    spec: &Spec,
    network: Network<'_>,
    templates: &Templates,
) -> Result<Option<(String, Kind)>> {
    if network.routes.is_empty() {
        return Ok(None);
    }
    let routes: Vec<String> = network.routes.iter().map(ToString::to_string).collect();
    let values = [("device", network.device.into()), ("routes", routes.into())];
    let text = templates.render(ROUTES, &values)?;
    read_back_routes(&text, network).context(back(ROUTES))?;
    Ok(Some((paths::routes(network.device), ours(spec, &text))))
}

/// The service that brings the bond and its tags up at boot.
fn boot_file(
    spec: &Spec,
    init: Init,
    target: &Target<'_>,
    templates: &Templates,
) -> Result<(String, Kind)> {
    let service = Service::of_bond(&spec.bond, init);
    let vlans: Vec<&str> = spec.tagged().map(Tagged::as_str).collect();
    let devices = std::iter::once(spec.bond.as_str()).chain(vlans.iter().copied());
    let starts: Vec<String> = devices.map(|device| format!("{} {device}", target.ifup)).collect();
    let values = [
        ("bond", spec.bond.to_string().into()),
        ("vlans", vlans.clone().into()),
        ("ifup", target.ifup.clone().into()),
        ("ifdown", target.ifdown.clone().into()),
        ("ip", target.ip.clone().into()),
    ];
    let text = templates.service(&service, [UNIT, SCRIPT], &values, &starts)?;
    let kind = Kind::new_file(under(&header(spec), &text), service.file_mode());
    Ok((service.file(), kind))
}

/// The unit or script that runs `PROGRAM resume --by-itself` after a reboot.
///
/// # Errors
/// When the template does not render, or its text does not run that.
pub fn resume_service(service: &Service, program: &str, templates: &Templates) -> Result<Kind> {
    let values = [("program", program.into())];
    let starts = [format!("{program} resume --by-itself")];
    let text = templates.service(service, [RESUME_UNIT, RESUME_SCRIPT], &values, &starts)?;
    let header = format!("{MARK}; it goes when the change under way is over.\n");
    Ok(Kind::new_file(under(&header, &text), service.file_mode()))
}

fn back(template: &str) -> String {
    format!("reading back what template {template} rendered")
}

fn header(spec: &Spec) -> String {
    format!("{MARK} for {}; `xenbond rollback` puts back what was here.\n", spec.bond)
}

fn ours(spec: &Spec, text: &str) -> Kind {
    Kind::new_file(header(spec) + text, 0o644)
}

/// The text under a header; a script's first line stays the first.
fn under(header: &str, text: &str) -> String {
    match text.split_once('\n') {
        Some((first, rest)) if first.starts_with("#!") => format!("{first}\n{header}{rest}"),
        _ => header.to_string() + text,
    }
}

#[cfg(test)]
mod tests;
