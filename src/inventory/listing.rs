//! The configuration files of the host: those that a step may touch, those that can contradict one,
//! and what their readers find behind links and `include`. Must not know what any of them means.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::host::{Host, Kind, join};
use crate::modprobe;
use crate::paths;
use crate::service::Init;

/// How many texts behind `include` are read at most: a folder may lead into itself.
const MOST_INCLUDED: usize = 256;

/// Configuration files by their paths.
pub(super) struct Listing {
    pub(super) files: BTreeMap<String, Kind>,
    /// Those whose names are no text.
    pub(super) unnamed: Vec<String>,
    /// Pipes, by which who reads them waits.
    pub(super) pipes: Vec<String>,
    /// The texts behind links and `include`.
    pub(super) behind: BTreeMap<String, String>,
}

impl Listing {
    /// Every configuration file that a step may touch or that can contradict one.
    pub(super) fn read(host: &Host, init: Init) -> Result<Self> {
        let mut paths: Vec<String> = vec![paths::NETWORK_CONF.into(), paths::MODPROBE_CONF.into()];
        for (folder, wanted) in [
            (paths::NETWORK_SCRIPTS, &["ifcfg-", "route-", "rule-"][..]),
            (modprobe::FOLDERS[0], &[""]),
            (modprobe::FOLDERS[1], &[""]),
            (modprobe::FOLDERS[2], &[""]),
            (modprobe::FOLDERS[3], &[""]),
            (modprobe::FOLDERS[4], &[""]),
            (paths::SYSTEMD_UNITS, &[paths::SERVICE_PREFIX]),
            (paths::SYSTEMD_WANTS, &[paths::SERVICE_PREFIX, paths::SWITCH_SERVICES]),
            (paths::INIT_SCRIPTS, &[paths::SERVICE_PREFIX]),
        ] {
            for name in host.list(folder)? {
                if wanted.iter().any(|prefix| name.starts_with(prefix)) {
                    paths.push(join(folder, &name));
                }
            }
        }
        for folder in paths::runlevels() {
            for name in host.list(&folder)? {
                // These links begin with S or K and two digits.
                let bare = name.get(3..).unwrap_or_default();
                if bare.starts_with(paths::SERVICE_PREFIX) || bare == paths::SWITCH_SERVICES {
                    paths.push(join(&folder, &name));
                }
            }
        }
        let (mut files, mut unnamed, mut pipes) = (BTreeMap::new(), Vec::new(), Vec::new());
        let mut behind = BTreeMap::new();
        for path in paths {
            match host.original(&path)?.was {
                // What was listed and is not there by that name has another one.
                Kind::Absent if path.contains(char::REPLACEMENT_CHARACTER) => unnamed.push(path),
                Kind::Absent => {}
                was => {
                    let link = matches!(was, Kind::Link { .. });
                    if (link || was == Kind::Other) && host.is_pipe(&path) {
                        pipes.push(path.clone());
                    } else if link && is_read(&path) {
                        behind.insert(path.clone(), read_behind(host, &path));
                    }
                    files.insert(path, was);
                }
            }
        }
        if init == Init::Sysv {
            included(host, &files, &mut behind);
        }
        Ok(Self { files, unnamed, pipes, behind })
    }
}

/// Whether the boot scripts or modprobe read the file, wherever a link leads.
fn is_read(path: &str) -> bool {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    folder == paths::NETWORK_SCRIPTS
        || modprobe::FOLDERS.contains(&folder)
        || path == paths::MODPROBE_CONF
}

/// What stands where a link leads; a device (`/dev/null`) or nothing has no line that counts.
fn read_behind(host: &Host, path: &str) -> String {
    let bytes = host.read(path).ok().flatten().unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads what older tools read beyond those files (module-init-tools 3.3 modprobe.c, `read_config`):
/// folders below `modprobe.d`, and the files and folders that a line `include` names.
fn included(host: &Host, files: &BTreeMap<String, Kind>, behind: &mut BTreeMap<String, String>) {
    let mut to_read: Vec<String> =
        behind.values().flat_map(|text| modprobe::includes(text)).collect();
    for (path, kind) in files {
        match kind {
            Kind::Other if path.starts_with(modprobe::FOLDERS[0]) => to_read.push(path.clone()),
            Kind::File { bytes, .. }
                if is_read(path) && !path.starts_with(paths::NETWORK_SCRIPTS) =>
            {
                to_read.extend(modprobe::includes(&String::from_utf8_lossy(bytes)));
            }
            _ => {}
        }
    }
    let mut read = 0;
    while let Some(path) = to_read.pop() {
        let known = matches!(files.get(&path), Some(Kind::File { .. }));
        if known || behind.contains_key(&path) || host.is_pipe(&path) || read == MOST_INCLUDED {
            continue;
        }
        read += 1;
        let text = read_behind(host, &path);
        to_read.extend(modprobe::includes(&text));
        let names = host.list(&path).unwrap_or_default();
        to_read.extend(names.into_iter().map(|name| join(&path, &name)));
        behind.insert(path, text);
    }
}
