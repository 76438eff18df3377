//! The templates: built in, or from a folder.

use std::path::Path;

use crate::host::callers;
use crate::order;
use crate::service::Init;
use crate::service::Service;
use anyhow::{Context as _, Result, ensure};
use std::collections::BTreeMap;
use tera::{Context, Tera, Value};

pub(super) const MODPROBE: &str = "modprobe.tera";

pub(super) const NIC: &str = "ifcfg-nic.tera";

pub(super) const BOND: &str = "ifcfg-bond.tera";

pub(super) const VLAN: &str = "ifcfg-vlan.tera";

pub(super) const ROUTES: &str = "route.tera";

pub(super) const UNIT: &str = "bond.service.tera";

pub(super) const SCRIPT: &str = "bond.init.tera";

pub(super) const RESUME_UNIT: &str = "resume.service.tera";

pub(super) const RESUME_SCRIPT: &str = "resume.init.tera";

/// A template that is compiled in.
pub struct BuiltIn {
    /// The name of its file.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
    /// What it makes.
    pub makes: &'static str,
    /// The variables that it is given, of [`VARIABLES`].
    pub variables: &'static [&'static str],
}

const fn built_in(
    name: &'static str,
    text: &'static str,
    makes: &'static str,
    variables: &'static [&'static str],
) -> BuiltIn {
    BuiltIn { name, text, makes, variables }
}

/// Of the service that brings a bond up.
const OF_SERVICE: &[&str] = &["bond", "vlans", "ifup", "ifdown", "ip", "name", "start", "stop"];

/// Of the service that goes on after a reboot.
const OF_RESUME: &[&str] = &["program", "name", "start", "stop"];

/// The templates that are compiled in.
pub const BUILT_IN: [BuiltIn; 9] = [
    built_in(
        MODPROBE,
        include_str!("../../templates/modprobe.tera"),
        "Lines for modprobe: a file in /etc/modprobe.d, or a block of /etc/modprobe.conf",
        &["bond", "options"],
    ),
    built_in(
        NIC,
        include_str!("../../templates/ifcfg-nic.tera"),
        "The ifcfg file of each NIC",
        &["bond", "nic", "mac", "ethtool"],
    ),
    built_in(
        BOND,
        include_str!("../../templates/ifcfg-bond.tera"),
        "The ifcfg file of the bond",
        &["bond", "address", "netmask", "options", "mtu", "linkdelay"],
    ),
    built_in(
        VLAN,
        include_str!("../../templates/ifcfg-vlan.tera"),
        "The ifcfg file of a tagged network",
        &["device", "address", "netmask", "mtu"],
    ),
    built_in(
        ROUTES,
        include_str!("../../templates/route.tera"),
        "The route file of a network",
        &["device", "routes"],
    ),
    built_in(
        UNIT,
        include_str!("../../templates/bond.service.tera"),
        "The systemd unit that brings the bond up at boot",
        OF_SERVICE,
    ),
    built_in(
        SCRIPT,
        include_str!("../../templates/bond.init.tera"),
        "The init script that does so where there is no systemd",
        OF_SERVICE,
    ),
    built_in(
        RESUME_UNIT,
        include_str!("../../templates/resume.service.tera"),
        "The systemd unit that continues a change after a reboot",
        OF_RESUME,
    ),
    built_in(
        RESUME_SCRIPT,
        include_str!("../../templates/resume.init.tera"),
        "The init script that does so where there is no systemd",
        OF_RESUME,
    ),
];

/// The variables of templates, and what each holds; one that has nothing to hold is empty.
pub const VARIABLES: [(&str, &str); 19] = [
    ("bond", "The bond's device."),
    ("nic", "The NIC's device."),
    ("mac", "The NIC's permanent MAC address."),
    ("ethtool", "The NIC's tuning, as ETHTOOL_OPTS takes it."),
    ("options", "The driver's options, mode and miimon first."),
    ("address", "The IPv4 address; empty where the bond's own network is tagged."),
    ("netmask", "Its netmask."),
    ("mtu", "The MTU, where the spec has one."),
    ("linkdelay", "The seconds that ifup waits for links, where the spec has them."),
    ("device", "The device of the network."),
    ("routes", "A list: NET via GATEWAY."),
    ("vlans", "A list: the devices of the tagged networks."),
    ("ifup", "The path of ifup."),
    ("ifdown", "The path of ifdown."),
    ("ip", "The path of ip."),
    ("name", "The name of the service."),
    ("start", "Its place in the order of starting, two digits."),
    ("stop", "Its place in the order of stopping."),
    ("program", "The path of the copy of xenbond that a boot runs."),
];

/// The templates in use.
pub struct Templates(Tera);

impl Templates {
    /// The built-in ones, each replaced by the file of its name in `folder`.
    ///
    /// # Errors
    /// When the folder has a file that is no template's, or a template is broken.
    pub fn load(folder: Option<&Path>) -> Result<Self> {
        let built_in = BUILT_IN.iter().map(|one| (one.name.to_string(), one.text.to_string()));
        let mut texts: BTreeMap<String, String> = order::map(built_in);
        if let Some(folder) = folder {
            let paths = callers::paths_in(folder)
                .with_context(|| format!("reading the template folder {}", folder.display()))?;
            for path in paths {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                ensure!(
                    texts.contains_key(&name),
                    "{}: there is no template of that name; templates are {}",
                    path.display(),
                    BUILT_IN.each_ref().map(|one| one.name).join(", ")
                );
                let text = callers::text(&path)
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

    pub(super) fn render(&self, name: &str, values: &[(&'static str, Value)]) -> Result<String> {
        let mut context = Context::new();
        for (key, value) in values {
            context.insert(*key, value);
        }
        let text =
            self.0.render(name, &context).with_context(|| format!("rendering template {name}"))?;
        // A shell, kmod and systemd each take it for a part of the last word.
        ensure!(!text.contains('\r'), "template {name}: a line ends in a carriage return (CR LF)");
        Ok(text)
    }

    /// The text of a service, from its template as a unit or as a script. It must run all of
    /// `starts`, of which any but the first may fail.
    pub(super) fn service(
        &self,
        service: &Service,
        [unit, script]: [&str; 2],
        values: &[(&'static str, Value)],
        starts: &[String],
    ) -> Result<String> {
        let name = if service.init == Init::Systemd { unit } else { script };
        let mut values = values.to_vec();
        values.push(("name", service.name.clone().into()));
        values.push(("start", format!("{:02}", service.order.0).into()));
        values.push(("stop", format!("{:02}", service.order.1).into()));
        let text = self.render(name, &values)?;
        for (at, start) in starts.iter().enumerate() {
            let line = match service.init {
                Init::Systemd if at == 0 => format!("ExecStart={start}"),
                // One network that does not come up keeps no other away.
                Init::Systemd => format!("ExecStart=-{start}"),
                Init::Sysv => start.clone(),
            };
            let runs = |l: &str| match service.init {
                Init::Systemd => l == line,
                Init::Sysv => l.trim().trim_end_matches(" &").ends_with(&line),
            };
            ensure!(text.lines().any(runs), "template {name}: it has no line `{line}`");
        }
        Ok(text)
    }
}
