//! A bond that stands, or of which only files are left, as a spec: what the running kernel and the
//! boot scripts' files say of it. Pure. Must not know what xenbond has recorded.

use std::collections::BTreeMap;

use anyhow::Result;

use super::Inventory;
use crate::ifcfg;
use crate::modprobe::{self, Directive};
use crate::net::{IfName, Ipv4Net, StaticRoute, Tag, Tagged};
use crate::options::{DEFAULT_MIIMON, Opt, TABLE};
use crate::order;
use crate::paths;
use crate::spec::{Raw, Spec, section, tunes_of};

/// What can be said of such a bond.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Keys of a spec and their values, in the order of a file.
    pub keys: Vec<(&'static str, String)>,
    /// Further networks: their tags, and the same of each.
    pub vlans: Vec<(Tag, Vec<(&'static str, String)>)>,
    /// What a spec cannot hold or nothing tells, a sentence each.
    pub besides: Vec<String>,
}

impl Standing {
    /// The bond of a name, where the kernel or a file of the boot scripts has one.
    #[must_use]
    pub fn of(bond: &IfName, inv: &Inventory) -> Option<Self> {
        let files = Files::of(bond, inv);
        let status = inv.kernel.bond(bond.as_str());
        if status.is_none() && files.own.is_none() && files.slaves.is_empty() {
            return Self::storage_nic(bond, inv);
        }
        let mut said = Self::default();
        said.keys.push(("name", bond.to_string()));
        said.nics(inv, &files);
        let mode = status.as_ref().and_then(|s| s.mode);
        let meant = files.option("mode").and_then(|text| text.parse().ok());
        if let (Some(runs), Some(meant)) = (mode, meant.filter(|_| mode != meant)) {
            said.besides.push(format!("mode is {meant} by its files, and {runs} now"));
        }
        let mode = mode.or(meant);
        match mode {
            Some(mode) => said.keys.push(("mode", mode.to_string())),
            None => said.besides.push("its mode is not known".into()),
        }
        said.options(inv, mode, &files);
        said.networks(inv, &files);
        if status.is_none() {
            said.besides.push(format!("the kernel has no {bond}: this is what its files say"));
        }
        said.files(&files);
        said.beside(inv);
        Some(said)
    }

    /// A NIC with a fixed address that XAPI keeps.
    fn storage_nic(nic: &IfName, inv: &Inventory) -> Option<Self> {
        let xapi = inv.xapi.as_ref()?;
        let pif = xapi.nic(nic.as_str())?;
        let address = pif.ip.address()?;
        if !pif.is_managed() || pif.management || pif.bond_slave_of.is_some() {
            return None;
        }
        let keys = [("kind", "managed"), ("use", "storage")];
        let mut said = Self::default();
        said.keys.push(("nics", nic.to_string()));
        said.keys.extend(keys.map(|(key, word)| (key, word.to_string())));
        said.keys.push(("address", address.to_string()));
        let network = xapi.networks.iter().find(|network| network.uuid == pif.network)?;
        let mtu = network.mtu.filter(|mtu| *mtu != 1500);
        said.keys.extend(mtu.map(|mtu| ("mtu", mtu.to_string())));
        for text in network.static_routes.iter().flat_map(|text| text.split(',')) {
            let route = text.rsplit_once('/').map(|(to, via)| format!("{to} via {via}"));
            match route.and_then(|text| text.parse::<StaticRoute>().ok()) {
                Some(route) => match said.keys.iter_mut().find(|(key, _)| *key == "routes") {
                    Some((_, all)) => all.push_str(&format!(", {route}")),
                    None => said.keys.push(("routes", route.to_string())),
                },
                None => {
                    said.besides.push(format!("its network has the route {}", text.escape_debug()))
                }
            }
        }
        if let Some(gateway) = pif.ip.get("gateway") {
            said.besides.push(format!("its PIF has the gateway {gateway}"));
        }
        Some(said)
    }

    fn bond(&self) -> &str {
        self.keys.first().map_or("", |(_, bond)| bond)
    }

    fn nics(&mut self, inv: &Inventory, files: &Files) {
        let status = inv.kernel.bond(self.bond());
        let mut nics: Vec<String> =
            status.iter().flat_map(|s| &s.slaves).map(|s| s.name.clone()).collect();
        // The order of a spec is nobody's; the kernel's is that of enslaving.
        order::sort(&mut nics);
        for slave in &files.slaves {
            if status.is_none() {
                nics.push(slave.clone());
            } else if !nics.contains(slave) {
                self.besides.push(format!("{slave} is a slave by its file, and not of the kernel"));
            }
        }
        if nics.is_empty() {
            self.besides.push("nothing names its NICs".into());
        } else {
            self.keys.push(("nics", nics.join(", ")));
        }
    }

    fn options(&mut self, inv: &Inventory, mode: Option<crate::net::BondMode>, files: &Files) {
        let bond = self.bond().to_string();
        let status = inv.kernel.bond(&bond);
        for row in &TABLE {
            let shown = || row.proc?(status.as_ref()?);
            let runs = inv.kernel.bond_option(&bond, row.name).cloned().or_else(shown);
            let runs = runs.map(|text| row.normal(&text));
            let file = files.option(row.name).map(|text| row.normal(text));
            let Some(value) = runs.clone().or_else(|| file.clone()) else { continue };
            let takes = mode.is_none_or(|mode| row.modes.contains(&mode));
            if row.opt == Opt::Miimon && value == "0" && !self.watches_by_arp(inv) {
                self.unwatched(files);
                continue;
            }
            let asked = file.is_some() || row.opt == Opt::Miimon || value != row.default;
            if !takes || value.is_empty() || !asked {
                continue;
            }
            match row.parse(&value) {
                Ok(value) => self.keys.push((row.name, value.to_string())),
                Err(_) => self.besides.push(format!("{} is {}", row.name, value.escape_debug())),
            }
            if let (Some(runs), Some(file)) = (&runs, &file)
                && runs != file
            {
                let file = file.escape_debug();
                self.besides.push(format!("{} is {file} by its file, and {runs} now", row.name));
            }
        }
        for (name, value) in &files.options {
            let known = TABLE.iter().any(|row| row.name == name) || name == "mode";
            if !known {
                let (name, value) = (name.escape_debug(), value.escape_debug());
                self.besides.push(format!("its file sets {name} to {value}"));
            }
        }
    }

    fn watches_by_arp(&self, inv: &Inventory) -> bool {
        let interval = inv.kernel.bond_option(self.bond(), Opt::ArpInterval.row().name);
        interval.is_some_and(|text| text != "0")
    }

    /// Links that nobody watches, where the driver was loaded before its options were written: the
    /// interval that was meant, or the usual one.
    fn unwatched(&mut self, files: &Files) {
        let meant = files.option("miimon").and_then(crate::net::decimal).filter(|ms| *ms > 0);
        let miimon = meant.unwrap_or(DEFAULT_MIIMON).to_string();
        self.besides
            .push(format!("miimon is 0 now, so link monitoring is off; intended is {miimon}"));
        self.keys.push(("miimon", miimon));
    }

    /// The bond's own network, tagged or not, and the further ones.
    fn networks(&mut self, inv: &Inventory, files: &Files) {
        let bond = self.bond().to_string();
        let own = self.network(inv, &bond, files.own.as_ref());
        self.mtu(inv, files);
        let mtu = self.keys.iter().find(|(key, _)| *key == "mtu").map(|(_, mtu)| mtu.clone());
        let below = inv.kernel.devices.get(&bond).and_then(|device| device.mtu);
        let mut tags: BTreeMap<Tag, Tagged> =
            order::map(files.tags.keys().map(|t| (t.tag(), t.clone())));
        let kernel = inv.kernel.vlans_on(&bond).into_iter();
        // One of another name no spec can mean; what lies on the bond beside it is said below.
        let named = kernel.filter_map(|(name, tag)| {
            name.parse::<Tagged>().ok().filter(|tagged| tagged.tag().number() == tag)
        });
        tags.extend(named.map(|tagged| (tagged.tag(), tagged)));
        let mut found = own.map(|keys| (None, keys)).into_iter().collect::<Vec<_>>();
        for (tag, tagged) in tags {
            let file = files.tags.get(&tagged);
            let Some(mut keys) = self.network(inv, tagged.as_str(), file) else { continue };
            let runs = inv.kernel.devices.get(tagged.as_str()).and_then(|device| device.mtu);
            if let Some(other) = runs.filter(|_| runs != below).map(|mtu| mtu.to_string())
                && mtu.as_ref() != Some(&other)
            {
                keys.push(("mtu", other));
            }
            found.push((Some(tag), keys));
        }
        let mut found = found.into_iter();
        let Some((tag, keys)) = found.next() else {
            self.besides.push("it has no address, which a spec must have".into());
            return;
        };
        // The bond's own network has the bond's MTU.
        self.keys.extend(keys.into_iter().filter(|(key, _)| *key != "mtu"));
        self.keys.extend(tag.map(|tag| ("vlan", tag.to_string())));
        self.vlans.extend(found.filter_map(|(tag, keys)| Some((tag?, keys))));
    }

    /// Address and routes of a device; `None` where it has no address.
    fn network(
        &mut self,
        inv: &Inventory,
        device: &str,
        file: Option<&ifcfg::Ifcfg>,
    ) -> Option<Vec<(&'static str, String)>> {
        let on = inv.kernel.addresses.iter().filter(|a| a.device == device);
        let mut has: Vec<Ipv4Net> = on.map(|a| a.net).collect();
        let file = file.and_then(address);
        // The file's comes first where the device has it: others lie beside it.
        order::sort_by_key(&mut has, |net| file.as_ref() != Some(net));
        let net = has.first().copied().or(file)?;
        let mut routes: Vec<String> = Vec::new();
        let through = inv.kernel.routes.iter().filter(|r| r.device == device);
        for (to, via) in through.filter_map(|route| Some((route.to, route.gateway?))) {
            match format!("{to} via {via}").parse::<StaticRoute>() {
                Ok(route) => routes.push(route.to_string()),
                Err(_) => {
                    self.besides.push(format!("the route to {to} goes by {device}, via {via}"));
                }
            }
        }
        let mut keys = vec![("address", net.to_string())];
        if !routes.is_empty() {
            keys.push(("routes", routes.join(", ")));
        }
        Some(keys)
    }

    /// What lies on it that is no network of the spec.
    fn beside(&mut self, inv: &Inventory) {
        let all = match self.spec() {
            Ok(spec) => inv.kernel.beside(&spec),
            Err(_) => inv.kernel.above(self.bond()).into_iter().map(String::from).collect(),
        };
        self.besides.extend(all.into_iter().map(|what| format!("{what} lies on it")));
    }

    fn mtu(&mut self, inv: &Inventory, files: &Files) {
        let file = files.key("MTU").and_then(|text| text.trim().parse::<u32>().ok());
        let runs = inv.kernel.devices.get(self.bond()).and_then(|device| device.mtu);
        if let Some(mtu) = runs.filter(|mtu| *mtu != 1500 || file.is_some()).or(file) {
            self.keys.push(("mtu", mtu.to_string()));
        }
    }

    fn files(&mut self, files: &Files) {
        self.tuning(files);
        for key in ["GATEWAY", "IPADDR2", "IPADDR_START", "BRIDGE", "MACADDR", "HWADDR"] {
            if let Some(value) = files.key(key) {
                self.besides.push(format!("its file says {key}={}", value.escape_debug()));
            }
        }
    }

    /// How the files of its slaves have them tuned and waited for.
    fn tuning(&mut self, files: &Files) {
        let mut tunes = Vec::new();
        let mut delays = Vec::new();
        for (slave, key, value) in &files.tuned {
            let device = slave.parse::<IfName>().ok();
            match *key {
                "LINKDELAY" => delays.push(value.clone()),
                _ => match device.and_then(|device| tunes_of(value, &device)) {
                    Some(known) => tunes.extend(known.iter().map(ToString::to_string)),
                    None => {
                        let value = value.escape_debug();
                        self.besides.push(format!("the file of {slave} says {key}={value}"));
                    }
                },
            }
        }
        if !tunes.is_empty() {
            self.keys.push(("ethtool", tunes.join(", ")));
        }
        // A spec has one for all.
        delays.dedup();
        match &delays[..] {
            [] => {}
            [one] if crate::net::decimal(one).is_some() => {
                self.keys.push(("linkdelay", one.clone()));
            }
            _ => self
                .besides
                .push(format!("files of its slaves say LINKDELAY={}", delays.join(", "))),
        }
    }

    /// The spec, where all is said that one must have.
    ///
    /// # Errors
    /// In which way it is none.
    pub fn spec(&self) -> Result<Spec> {
        let mut raw = Raw::default();
        raw.file(self.bond(), &self.text())?;
        raw.finish()?.for_host(&[])
    }

    /// An INI file, with a comment for what it cannot hold.
    #[must_use]
    pub fn to_ini(&self) -> String {
        let mut text = String::new();
        for line in &self.besides {
            text.push_str(&format!("; {line}\n"));
        }
        match self.spec() {
            Ok(spec) => text.push_str(&spec.to_ini()),
            Err(error) => {
                text.push_str(&format!("; as it stands this is not a valid spec: {error:#}\n"));
                text.push_str(&self.text());
            }
        }
        text
    }

    /// Its keys as the text of a file.
    fn text(&self) -> String {
        let mut text = section("bond", &self.keys);
        for (tag, keys) in &self.vlans {
            text.push_str(&section(&format!("vlan {tag}"), keys));
        }
        text
    }
}

/// What the boot scripts' files say of a bond.
struct Files {
    /// Its own file, read.
    own: Option<ifcfg::Ifcfg>,
    /// The devices whose files make them its slaves.
    slaves: Vec<String>,
    /// `options` of modprobe for it, and over them `BONDING_OPTS` of its file.
    options: BTreeMap<String, String>,
    /// How those of its slaves have them tuned and waited for.
    tuned: Vec<(String, &'static str, String)>,
    /// Those of its tags, read.
    tags: BTreeMap<Tagged, ifcfg::Ifcfg>,
}

impl Files {
    fn of(bond: &IfName, inv: &Inventory) -> Self {
        let (slaves, options, tags) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        let mut read = Self { own: None, slaves, options, tuned: Vec::new(), tags };
        read.options.extend(modprobe_options(bond, inv));
        for path in inv.files.keys() {
            let name = path.strip_prefix(paths::NETWORK_SCRIPTS).map(|n| n.trim_start_matches('/'));
            let Some(name) = name.and_then(|name| name.strip_prefix("ifcfg-")) else { continue };
            let file = ifcfg::parse(&inv.text(path));
            let device = file.get("DEVICE").unwrap_or(name).to_string();
            if file.get("MASTER") == Some(bond.as_str()) && !read.slaves.contains(&device) {
                for key in ["ETHTOOL_OPTS", "LINKDELAY"] {
                    let text = file.get(key).map(String::from);
                    read.tuned.extend(text.map(|text| (device.clone(), key, text)));
                }
                read.slaves.push(device);
            } else if device == bond.as_str() && (read.own.is_none() || name == bond.as_str()) {
                let words = file.get("BONDING_OPTS").unwrap_or_default().split_whitespace();
                let pairs = words.filter_map(|word| word.split_once('='));
                read.options.extend(pairs.map(|(k, v)| (k.to_string(), v.to_string())));
                read.own = Some(file);
            } else if let Ok(tagged) = device.parse::<Tagged>()
                && tagged.below() == bond
            {
                read.tags.insert(tagged, file);
            }
        }
        read
    }

    fn key(&self, key: &str) -> Option<&str> {
        self.own.as_ref()?.get(key)
    }

    fn option(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(String::as_str)
    }
}

/// What files of modprobe mean for the bond by its name: it counts only where that loads the driver.
fn modprobe_options(bond: &IfName, inv: &Inventory) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (_, kind) in inv.files.iter().filter(|(path, _)| paths::is_modprobe(path)) {
        let text = String::from_utf8_lossy(kind.bytes().unwrap_or_default()).into_owned();
        for command in modprobe::parse(&text) {
            if let Directive::Options { module, args } = command.directive
                && module == bond.as_str()
            {
                let pairs = args.iter().filter_map(|word| word.split_once('='));
                all.extend(pairs.map(|(k, v)| (k.to_string(), v.to_string())));
            }
        }
    }
    all
}

/// The address that a file of the boot scripts gives.
fn address(file: &ifcfg::Ifcfg) -> Option<Ipv4Net> {
    let addr = file.get("IPADDR")?;
    if let Some(prefix) = file.get("PREFIX") {
        return format!("{addr}/{prefix}").parse().ok();
    }
    Ipv4Net::with_netmask(addr.parse().ok()?, file.get("NETMASK")?.parse().ok()?).ok()
}
