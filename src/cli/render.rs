//! `render`: the files that a spec yields.

use anyhow::{Context, Result, anyhow, bail};

use super::args;
use super::request::{Usage, request, templates};
use crate::host::{Host, Kind};
use crate::outcome::Exit;
use crate::render::{self, Slave, Target};
use crate::report;
use crate::service::Init;
use crate::spec::NicRef;

/// Writes the files of each host of the spec, without any host.
pub(super) fn run(args: &args::Render) -> Result<Exit> {
    let request = request(&args.spec)?;
    let templates = templates(args.templates.as_deref())?;
    let here = Host::of_machine(&std::path::absolute(&args.out)?);
    let empty = Kind::new_file(Vec::new(), 0o644);
    let el5 = args.dom0 == args::Flavour::El5;
    let target = Target {
        modprobe_conf: el5.then_some(&empty),
        boot: (!el5).then_some(Init::Systemd),
        ifup: "/sbin/ifup".into(),
        ifdown: "/sbin/ifdown".into(),
        ip: "/sbin/ip".into(),
    };
    let mut rendered = Vec::new();
    for (name, spec) in request.by_host() {
        if spec.managed().is_some() {
            bail!(
                anyhow!("kind = managed: XAPI keeps it, and there are no files to write")
                    .context(Usage)
            );
        }
        let slaves = spec
            .nics
            .iter()
            .map(|nic| match nic {
                NicRef::Device(device) => Ok(Slave { device: device.clone(), mac: None }),
                NicRef::Mac(mac) => bail!(
                    anyhow!("NIC {mac}: without a host its device is not known: name it by device")
                        .context(Usage)
                ),
            })
            .collect::<Result<Vec<_>>>()?;
        if spec.keep_ethtool {
            bail!(
                anyhow!("keep_ethtool: without a host it is not known what XAPI sets on its NICs: say it with ethtool")
                    .context(Usage)
            );
        }
        if let Some(NicRef::Mac(mac)) = spec.options.primary() {
            bail!(
                anyhow!("primary {mac}: without a host its device is not known: name it by device")
                    .context(Usage)
            );
        }
        for (path, kind) in render::files(&spec, &slaves, &target, &templates)? {
            let folder = name.as_ref().map(|n| format!("/{n}")).unwrap_or_default();
            rendered.push((format!("{folder}{path}"), kind));
        }
    }
    std::fs::create_dir_all(&args.out).with_context(|| format!("making {}", args.out.display()))?;
    for (path, kind) in &rendered {
        if let Some((folder, _)) = path.rsplit_once('/') {
            here.make_dir(folder, 0o755)?;
        }
        here.put(path, kind)?;
        report::out(format!("{}\n", here.real_path(path).display()));
    }
    Ok(Exit::AsAsked)
}
