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

/// The templates that are compiled in.
pub(super) const BUILT_IN: [(&str, &str); 9] = [
    (MODPROBE, include_str!("../../templates/modprobe.tera")),
    (NIC, include_str!("../../templates/ifcfg-nic.tera")),
    (BOND, include_str!("../../templates/ifcfg-bond.tera")),
    (VLAN, include_str!("../../templates/ifcfg-vlan.tera")),
    (ROUTES, include_str!("../../templates/route.tera")),
    (UNIT, include_str!("../../templates/bond.service.tera")),
    (SCRIPT, include_str!("../../templates/bond.init.tera")),
    (RESUME_UNIT, include_str!("../../templates/resume.service.tera")),
    (RESUME_SCRIPT, include_str!("../../templates/resume.init.tera")),
];

/// The templates in use.
pub struct Templates(Tera);

impl Templates {
    /// The built-in ones, each replaced by the file of its name in `folder`.
    ///
    /// # Errors
    /// When the folder has a file that is no template's, or a template is broken.
    pub fn load(folder: Option<&Path>) -> Result<Self> {
        let built_in =
            BUILT_IN.iter().map(|(name, text)| ((*name).to_string(), (*text).to_string()));
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
                    BUILT_IN.map(|(name, _)| name).join(", ")
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
