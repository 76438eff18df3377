//! A spec as the text of a file: what [`super::Raw`] reads, written so that it reads the very same.
//! Must not know a host.

use super::{BackendChoice, PifChoice, Probe, Spec};
use crate::net::NicRef;

impl Spec {
    /// The spec as an INI file, `[bond]` alone, for one host. Only what is not the default is said.
    #[must_use]
    pub fn to_ini(&self) -> String {
        let mut text = String::from("[bond]\n");
        for (key, value) in self.texts() {
            text.push_str(&format!("{key} = {value}\n"));
        }
        text
    }

    /// Its keys and values, in the order of the file.
    fn texts(&self) -> Vec<(&'static str, String)> {
        // By name, so that a new field of a spec cannot be left out here.
        let Self { bond, nics, mode, options, address, mtu, probes, optional_probes, backend, pif } =
            self;
        let list = |all: Vec<String>| all.join(", ");
        let servers = |all: &[Probe]| list(all.iter().map(Probe::to_string).collect());
        let mut all = vec![
            ("name", bond.to_string()),
            ("nics", list(nics.iter().map(NicRef::to_string).collect())),
            ("mode", mode.to_string()),
        ];
        all.extend(options.iter().map(|(row, value)| (row.name, value.to_string())));
        all.push(("address", address.to_string()));
        all.extend(mtu.map(|mtu| ("mtu", mtu.to_string())));
        all.extend([("probes", servers(probes)), ("optional_probes", servers(optional_probes))]);
        match backend {
            BackendChoice::Bridge => {}
            BackendChoice::Keep => all.push(("backend", "keep".into())),
        }
        match pif {
            PifChoice::Auto => {}
            PifChoice::Forget => all.push(("pif", "forget".into())),
            PifChoice::Unmanaged => all.push(("pif", "unmanaged".into())),
        }
        all.retain(|(_, value)| !value.is_empty());
        all
    }
}
