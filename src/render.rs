//! Templates and a spec make the texts of files. Every rendered text is read back and must
//! yield the spec, so that a template that was overridden cannot say anything else.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use tera::{Context, Tera};

use crate::host::Kind;
use crate::ifcfg;
use crate::inventory::Init;
use crate::modprobe;
use crate::net::{IfName, MacAddr};
use crate::paths;
use crate::service::Service;
use crate::spec::Spec;

/// The first words of every file of ours. None of them is one that the boot scripts grep for
/// (facts/initscripts.md section 5).
const MARK: &str = "# xenbond wrote this file";

const MODPROBE: &str = "modprobe.tera";
const NIC: &str = "ifcfg-nic.tera";
const BOND: &str = "ifcfg-bond.tera";
const UNIT: &str = "bond.service.tera";
const SCRIPT: &str = "bond.init.tera";
const RESUME_UNIT: &str = "resume.service.tera";
const RESUME_SCRIPT: &str = "resume.init.tera";

/// The templates that are compiled in.
const BUILT_IN: [(&str, &str); 7] = [
    (MODPROBE, include_str!("../templates/modprobe.tera")),
    (NIC, include_str!("../templates/ifcfg-nic.tera")),
    (BOND, include_str!("../templates/ifcfg-bond.tera")),
    (UNIT, include_str!("../templates/bond.service.tera")),
    (SCRIPT, include_str!("../templates/bond.init.tera")),
    (RESUME_UNIT, include_str!("../templates/resume.service.tera")),
    (RESUME_SCRIPT, include_str!("../templates/resume.init.tera")),
];

/// The templates in use.
pub struct Templates(Tera);

impl Templates {
    /// The built-in ones, each replaced by the file of its name in `folder`.
    ///
    /// # Errors
    /// When the folder has a file that is no template's, or a template is broken.
    pub fn load(folder: Option<&Path>) -> Result<Self> {
        let mut texts: BTreeMap<String, String> = BUILT_IN
            .iter()
            .map(|(name, text)| ((*name).to_string(), (*text).to_string()))
            .collect();
        if let Some(folder) = folder {
            let entries = std::fs::read_dir(folder)
                .with_context(|| format!("reading the template folder {}", folder.display()))?;
            for entry in entries {
                let path = entry?.path();
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                ensure!(
                    texts.contains_key(&name),
                    "{}: there is no template of that name; templates are {}",
                    path.display(),
                    BUILT_IN.map(|(name, _)| name).join(", ")
                );
                let text = std::fs::read_to_string(&path)
                    .with_context(|| format!("reading the template {}", path.display()))?;
                texts.insert(name, text);
            }
        }
        let mut tera = Tera::default();
        tera.autoescape_on(Vec::<&str>::new());
        for (name, text) in &texts {
            tera.add_raw_template(name, text)
                .with_context(|| format!("reading template {name}"))?;
        }
        Ok(Self(tera))
    }

    fn render(&self, name: &str, values: &[(&'static str, String)]) -> Result<String> {
        let mut context = Context::new();
        for (key, value) in values {
            context.insert(*key, value);
        }
        self.0.render(name, &context).with_context(|| format!("rendering template {name}"))
    }

    /// The text of a service, from its template as a unit or as a script. It must run `start`.
    fn service(
        &self,
        service: &Service,
        [unit, script]: [&str; 2],
        values: &[(&'static str, String)],
        start: &str,
    ) -> Result<String> {
        let (name, line) = match service.init {
            Init::Systemd => (unit, format!("ExecStart={start}")),
            Init::Sysv => (script, start.to_string()),
        };
        let mut values = values.to_vec();
        values.push(("name", service.name.clone()));
        values.push(("start", format!("{:02}", service.order.0)));
        values.push(("stop", format!("{:02}", service.order.1)));
        let text = self.render(name, &values)?;
        let runs = |l: &str| match service.init {
            Init::Systemd => l == line,
            Init::Sysv => l.trim().trim_end_matches(" &").ends_with(&line),
        };
        ensure!(text.lines().any(runs), "template {name}: it has no line `{line}`");
        Ok(text)
    }
}

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

/// Whether the file is one that xenbond wrote.
#[must_use]
pub fn is_ours(kind: &Kind) -> bool {
    kind.bytes().is_some_and(|bytes| bytes.starts_with(MARK.as_bytes()))
}

/// All files of the bond by path, in the order in which they are written: the slaves' before the
/// bond's (facts/initscripts.md section 9).
///
/// # Errors
/// When a template does not render, or its text does not say what the spec says.
pub fn files(
    spec: &Spec,
    slaves: &[Slave],
    target: &Target<'_>,
    templates: &Templates,
) -> Result<Vec<(String, Kind)>> {
    let words = spec.options.words(spec.mode).join(" ");
    let bond = spec.bond.to_string();
    let mut all = Vec::new();

    let text = templates.render(MODPROBE, &[("bond", bond.clone()), ("options", words.clone())])?;
    read_back_modprobe(&text, spec).context(back(MODPROBE))?;
    all.push(match target.modprobe_conf {
        Some(Kind::File { bytes, mode, uid, gid, .. }) => {
            let lines: Vec<String> = text.lines().map(String::from).collect();
            let merged = modprobe::merge_block(bytes, &bond, &lines)
                .with_context(|| format!("editing {}", paths::MODPROBE_CONF))?;
            let (mode, uid, gid, xattrs) = (*mode, *uid, *gid, Default::default());
            let kind = Kind::File { bytes: merged, mode, uid, gid, mtime: None, xattrs };
            (paths::MODPROBE_CONF.to_string(), kind)
        }
        _ => (paths::modprobe_file(&spec.bond), ours(spec, &text)),
    });

    for slave in slaves {
        let values = [
            ("bond", bond.clone()),
            ("nic", slave.device.to_string()),
            ("mac", slave.mac.map(|m| m.to_string()).unwrap_or_default()),
        ];
        let text = templates.render(NIC, &values)?;
        read_back_nic(&text, spec, slave).context(back(NIC))?;
        all.push((paths::ifcfg(&slave.device), ours(spec, &text)));
    }

    let values = [
        ("bond", bond.clone()),
        ("address", spec.address.addr.to_string()),
        ("netmask", spec.address.netmask().to_string()),
        ("options", words),
        ("mtu", spec.mtu.map(|m| m.to_string()).unwrap_or_default()),
    ];
    let text = templates.render(BOND, &values)?;
    read_back_bond(&text, spec).context(back(BOND))?;
    all.push((paths::ifcfg(&spec.bond), ours(spec, &text)));

    if let Some(init) = target.boot {
        let service = Service::of_bond(&spec.bond, init);
        let start = format!("{} {}", target.ifup, spec.bond);
        let values = [
            ("bond", bond),
            ("ifup", target.ifup.clone()),
            ("ifdown", target.ifdown.clone()),
            ("ip", target.ip.clone()),
        ];
        let text = templates.service(&service, [UNIT, SCRIPT], &values, &start)?;
        let header = header(spec);
        all.push((service.file(), Kind::new_file(under(&header, &text), service.file_mode())));
    }
    Ok(all)
}

/// The unit or script that runs `PROGRAM resume` after a reboot.
///
/// # Errors
/// When the template does not render, or its text does not run that.
pub fn resume_service(service: &Service, program: &str, templates: &Templates) -> Result<Kind> {
    let values = [("program", program.to_string())];
    let start = format!("{program} resume");
    let text = templates.service(service, [RESUME_UNIT, RESUME_SCRIPT], &values, &start)?;
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

/// A file for the boot scripts: nothing but comments and constant assignments, and these values.
fn expect(text: &str, wanted: &[(&str, Option<String>)]) -> Result<()> {
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

fn read_back_nic(text: &str, spec: &Spec, slave: &Slave) -> Result<()> {
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

fn read_back_bond(text: &str, spec: &Spec) -> Result<()> {
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
fn refuse_keys(text: &str, refused: &[&str]) -> Result<()> {
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
fn has_lines(text: &str, lines: &[String]) -> Result<()> {
    for line in lines {
        ensure!(text.lines().any(|l| l == line), "it has no line `{line}`, written just so");
    }
    Ok(())
}

fn read_back_modprobe(text: &str, spec: &Spec) -> Result<()> {
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

fn modprobe_line(command: &str, name: &str, rest: &[String]) -> String {
    format!("{command} {name} {}", rest.join(" "))
}

#[cfg(test)]
mod tests;
