//! A spec as the text of a file: what [`super::Raw`] reads, written so that it reads the very same.
//! Must not know a host.

use super::{BackendChoice, BondKind, PifChoice, Probe, Spec, Vlan};
use crate::net::{NicRef, StaticRoute};

/// Keys of a section and their values.
type Texts = Vec<(&'static str, String)>;

impl Spec {
    /// The spec as an INI file for one host: `[bond]`, and a section for each further network. Only
    /// what is not the default is said.
    #[must_use]
    pub fn to_ini(&self) -> String {
        let mut text = section("bond", &self.texts());
        for vlan in &self.vlans {
            text.push('\n');
            text.push_str(&section(&format!("vlan {}", vlan.device.tag()), &vlan.texts()));
        }
        text
    }

    /// Its keys and values, in the order of the file.
    fn texts(&self) -> Texts {
        // By name, so that a new field of a spec cannot be left out here.
        let Self {
            bond,
            kind,
            nics,
            mode,
            options,
            address,
            vlan,
            routes,
            mtu,
            probes,
            optional_probes,
            vlans: _,
            backend,
            pif,
            ethtool,
            keep_ethtool,
            link_delay,
        } = self;
        let nic_list = ("nics", list(nics.iter().map(NicRef::to_string)));
        let mut all = match kind {
            BondKind::Unmanaged => {
                vec![("name", bond.to_string()), nic_list, ("mode", mode.to_string())]
            }
            BondKind::Managed(_) => vec![("kind", kind.word().to_string()), nic_list],
        };
        if let BondKind::Managed(managed) = kind {
            all.extend(managed.texts(nics.len(), *mode));
        }
        all.extend(options.iter().map(|(row, value)| (row.name, value.to_string())));
        all.extend(address.map(|address| ("address", address.to_string())));
        all.extend(vlan.iter().map(|vlan| ("vlan", vlan.tag().to_string())));
        all.push(("routes", list(routes.iter().map(StaticRoute::to_string))));
        all.extend(mtu.map(|mtu| ("mtu", mtu.to_string())));
        all.extend([("probes", servers(probes)), ("optional_probes", servers(optional_probes))]);
        match backend {
            BackendChoice::Bridge => {}
            BackendChoice::Keep if !kind.is_unmanaged() => {}
            BackendChoice::Keep => all.push(("backend", "keep".into())),
        }
        match pif {
            PifChoice::Auto => {}
            PifChoice::Forget => all.push(("pif", "forget".into())),
            PifChoice::Unmanaged => all.push(("pif", "unmanaged".into())),
        }
        all.push(("ethtool", list(ethtool.iter().map(ToString::to_string))));
        if *keep_ethtool {
            all.push(("keep_ethtool", "yes".into()));
        }
        all.extend(link_delay.map(|seconds| ("linkdelay", seconds.to_string())));
        all
    }
}

impl Vlan {
    /// The keys and values of its section.
    fn texts(&self) -> Texts {
        let Self { device: _, address, mtu, routes, probes } = self;
        let mut all = vec![
            ("address", address.to_string()),
            ("routes", list(routes.iter().map(StaticRoute::to_string))),
        ];
        all.extend(mtu.map(|mtu| ("mtu", mtu.to_string())));
        all.push(("probes", servers(probes)));
        all
    }
}

/// A section; what has no value is not said.
pub(crate) fn section(name: &str, texts: &[(&'static str, String)]) -> String {
    let mut text = format!("[{name}]\n");
    for (key, value) in texts.iter().filter(|(_, value)| !value.is_empty()) {
        text.push_str(&format!("{key} = {value}\n"));
    }
    text
}

fn list(all: impl Iterator<Item = String>) -> String {
    all.collect::<Vec<_>>().join(", ")
}

fn servers(all: &[Probe]) -> String {
    list(all.iter().map(Probe::to_string))
}
