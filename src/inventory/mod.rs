//! One read of a dom0: its files, its kernel, and what XAPI knows of it. Everything that a plan
//! rests on is in the [`Inventory`] value; nothing later asks the host again.
//!
//! Features are looked for, never version numbers.

mod above;
mod document;
mod driver;
pub mod facts;
mod ground;
mod kernel;
mod listing;
mod managed;
mod management;
mod nic;
mod reach;
mod standing;
pub mod storage;
mod stores;
mod vswitch;
mod wire;
mod xapi;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Serialize};

pub use above::VlanOf;
pub use driver::Driver;
pub(crate) use ground::other_run;
pub use ground::{Ground, Place, RenameRule};
pub use kernel::{Device, DeviceKind, Kernel};
use listing::Listing;
pub use managed::{Carrier, Managed, several};
pub use management::{Management, Moved, addresses, is_leased};
pub use nic::{Nic, on_host, resolve};
pub use reach::Address;
pub use standing::Standing;
pub use storage::{StoragePath, StorageUse};
pub use stores::{Networkd, Row, Stores};
pub use vswitch::Vswitch;
use wire::Questions;
pub use wire::{Answer, Proof, Wire};
pub use xapi::{Xapi, usual_bridge};

use crate::host::{Cmd, Host, Kind, Program, meanwhile};
use crate::ledger;
use crate::ledger::{Phase, Summary};
use crate::net::{Backend, IfName, Uuid};
use crate::order;
use crate::paths;
use crate::service::Init;
use crate::service::init_by;
use crate::spec::{NetworkName, NicRef, Request, Settings};
use crate::step::settings;

/// How long a program that only looks at this host may take.
const LOOK_LIMIT: Duration = Duration::from_secs(20);

/// Everything that a plan rests on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Inventory {
    /// Whether the program may change this host.
    pub may_change: bool,
    /// `/etc/xensource-inventory`, or `None` when this is no dom0.
    pub xensource: Option<BTreeMap<String, String>>,
    /// Where the programs are.
    pub programs: BTreeMap<Program, String>,
    /// What runs the services.
    pub init: Init,
    /// Whether the `network` service brings interfaces up at boot.
    pub network_service: bool,
    /// `network.conf` as it is, or `None` when it is missing.
    pub network_conf: Option<Backend>,
    /// Configuration files by path: all of network-scripts, modprobe's, our unit's.
    pub files: BTreeMap<String, Kind>,
    /// Files in the same folders whose names are no UTF-8 text, as well as they can be shown: they
    /// cannot be recorded.
    #[serde(default)]
    pub unnamed: Vec<String>,
    /// Pipes in the same folders: who reads one waits for ever.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pipes: Vec<String>,
    /// What is read where those of them lead that are links, and what `modprobe.conf` includes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub behind: BTreeMap<String, String>,
    /// The kernel.
    pub kernel: Kernel,
    /// What else of the host bears on a change.
    pub ground: Ground,
    /// What is on the wire, where it was asked.
    #[serde(skip_deserializing)]
    pub wire: Wire,
    /// XAPI's view, when it gave one.
    pub xapi: Option<Xapi>,
    /// Why it did not.
    pub xapi_error: Option<String>,
    /// Whether the bonding driver has mode 7; `None` when nobody asked, or it is unknown.
    pub driver_has_slb: Option<bool>,
    /// Whether this kernel has the module of VLANs; `None` when nobody asked, or it is unknown.
    #[serde(default)]
    pub has_vlans: Option<bool>,
    /// The bonding driver and what it knows; `None` when nobody asked, or it did not answer.
    #[serde(default)]
    pub driver: Option<Driver>,
    /// How the NICs of the spec are tuned, by device, where that was asked.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tuning: BTreeMap<String, Settings>,
    /// The transaction that is open or was done last.
    pub transaction: Option<Summary>,
    /// The bonds that xenbond made here and that were not undone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub made: Vec<IfName>,
}

/// What to ask beyond the usual.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ask<'a> {
    /// NICs whose PIFs may have to be restored: their maps are read exactly.
    pub nics: &'a [NicRef],
    /// Whether the maps of all NICs' PIFs are read exactly.
    pub every_nic: bool,
    /// Whether it matters what the driver knows.
    pub driver: bool,
    /// Whether it matters how the NICs are tuned.
    pub tuning: bool,
    /// Whether a record of ours that cannot be read bars nothing, since nothing is done by it.
    pub any_record: bool,
    /// Whether the module of VLANs matters.
    pub vlans: bool,
    /// Whether it matters which routes XAPI has for the networks of the NICs.
    pub networks: bool,
    /// The names of networks that matter.
    pub named: &'a [NetworkName],
    /// What is wanted, where the wire is to be asked for it.
    pub request: Option<&'a Request>,
}

impl Inventory {
    /// Reads the host, and all that XAPI has of one device, which may be a NIC that it keeps.
    ///
    /// # Errors
    /// As for [`Self::read`].
    pub fn read_about(host: &Host, device: &IfName) -> Result<Self> {
        let nics = [NicRef::Device(device.clone())];
        Self::read(host, Ask { nics: &nics, networks: true, ..Ask::default() })
    }

    /// Reads the host. What XAPI does not answer is in the value, not an error: the findings say
    /// it together with everything else.
    ///
    /// # Errors
    /// When a file that is there cannot be read.
    pub fn read(host: &Host, ask: Ask<'_>) -> Result<Self> {
        let xensource = host.read_text(paths::INVENTORY)?.map(|text| parse_xensource(&text));
        let uuid = xensource.as_ref().and_then(|x| x.get("INSTALLATION_UUID")?.parse().ok());
        let programs = host.programs();
        let init = init_by(host, &programs);
        // Commands take their time at XAPI's end; everything else is read meanwhile.
        std::thread::scope(|scope| {
            let xapi = meanwhile(scope, || match &uuid {
                _ if !programs.contains_key(&Program::Xe) => {
                    Err(anyhow::anyhow!("there is no `xe` here"))
                }
                None => Err(anyhow::anyhow!("{} has no INSTALLATION_UUID", paths::INVENTORY)),
                Some(uuid) => Xapi::read(host, uuid, &ask),
            });
            let driver = meanwhile(scope, || ask.driver.then(|| Driver::read(host)).flatten());
            let vlans = meanwhile(scope, || ask.vlans.then(|| has_vlans(host)).flatten());
            let service = meanwhile(scope, || network_service(host, &programs));
            let kernel = Kernel::read(host)?;
            let Listing { files, unnamed, pipes, behind } = Listing::read(host, init)?;
            let network_conf =
                host.read_text(paths::NETWORK_CONF)?.map(|text| text.as_str().into());
            let ground = Ground::read(host)?;
            // Of a record that cannot be read nothing is known; `any_record` goes on all the same.
            let transaction = match ledger::summary(host) {
                Err(_) if ask.any_record => None,
                read => read?,
            };
            let made = match made(host) {
                Err(_) if ask.any_record => Vec::new(),
                read => read?,
            };
            let (xapi, xapi_error) = match xapi.join() {
                Ok(xapi) => (Some(xapi), None),
                Err(error) => (None, Some(format!("{error:#}"))),
            };
            let driver = driver.join();
            let tuning = if ask.tuning { tuning(host, &kernel, &ask) } else { BTreeMap::new() };
            let mut inv = Self {
                may_change: host.may_change(),
                xensource,
                init,
                // Where it cannot be asked: SysV releases have it on, systemd releases off
                // (tests/ground/xapi.md, C7).
                network_service: service.join().unwrap_or(init == Init::Sysv),
                programs: programs.clone(),
                network_conf,
                files,
                unnamed,
                pipes,
                behind,
                kernel,
                ground,
                wire: Wire::default(),
                xapi,
                xapi_error,
                driver_has_slb: driver.as_ref().and_then(|driver| driver.has_slb),
                has_vlans: vlans.join(),
                driver,
                tuning,
                transaction,
                made,
            };
            storage::read_disks(host, &mut inv);
            // XAPI says which bridge hears which NIC.
            if let Some(spec) = ask.request.and_then(|request| request.for_host(&inv.names()).ok())
            {
                let spec = on_host(spec, &inv);
                inv.wire = Questions::of(&inv.kernel, inv.xapi.as_ref(), &spec).ask(host);
            }
            Ok(inv)
        })
    }

    /// XAPI's uuid of this host.
    #[must_use]
    pub fn host_uuid(&self) -> Option<Uuid> {
        self.xensource.as_ref()?.get("INSTALLATION_UUID")?.parse().ok()
    }

    /// The bridge that the host is managed through.
    #[must_use]
    pub fn management_bridge(&self) -> Option<&str> {
        self.xensource
            .as_ref()?
            .get("MANAGEMENT_INTERFACE")
            .map(String::as_str)
            .filter(|b| !b.is_empty())
    }

    /// Names by which a spec may call this host: its hostname, short too, and its name in XAPI
    /// where no other host has the same.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.kernel.hostname.iter().cloned().collect();
        if let (Some(xapi), Some(uuid)) = (&self.xapi, self.host_uuid())
            && let Some(me) = xapi.hosts.iter().find(|h| h.uuid == uuid)
        {
            names.extend(xapi.names(me));
        }
        xapi::with_short(names)
    }

    /// The backend that runs now. XAPI says which word it read when it *started*, which a restart
    /// of the toolstack without a reboot makes wrong; the kernel knows better: the management
    /// bridge is a Linux bridge or it is not.
    #[must_use]
    pub fn running_backend(&self) -> Option<Backend> {
        let uuid = self.host_uuid()?;
        let said = self.xapi.as_ref()?.hosts.iter().find(|h| h.uuid == uuid)?.backend.clone();
        let bridge = self.management_bridge().and_then(|b| self.kernel.devices.get(b));
        match bridge.map(|device| device.kind) {
            Some(DeviceKind::Bridge) => Some(Backend::Bridge),
            Some(_) if self.kernel.modules.contains("openvswitch") => Some(Backend::Openvswitch),
            _ => Some(said),
        }
    }

    /// The backend that the next boot takes.
    #[must_use]
    pub fn next_backend(&self) -> Option<Backend> {
        self.network_conf.as_ref().map(Backend::taken)
    }

    /// What stands at a path that the inventory covers.
    #[must_use]
    pub fn file(&self, path: &str) -> &Kind {
        self.files.get(path).unwrap_or(&Kind::Absent)
    }

    /// The text that its readers find at a path that the inventory covers.
    #[must_use]
    pub fn text(&self, path: &str) -> Cow<'_, str> {
        match self.behind.get(path) {
            Some(text) => text.into(),
            None => String::from_utf8_lossy(self.file(path).bytes().unwrap_or_default()),
        }
    }

    /// The same host with other files.
    #[must_use]
    pub fn with_files(&self, files: &[(String, Kind)]) -> Self {
        let mut other = self.clone();
        for (path, kind) in files {
            other.behind.remove(path);
            match kind {
                Kind::Absent => drop(other.files.remove(path)),
                kind => drop(other.files.insert(path.clone(), kind.clone())),
            }
        }
        other
    }

    /// Where this host reads its module options for a bond: kmod does not know
    /// `/etc/modprobe.conf` (tests/ground/initscripts.md, C3).
    #[must_use]
    pub fn reads_modprobe_conf(&self) -> bool {
        self.init == Init::Sysv && *self.file(paths::MODPROBE_CONF) != Kind::Absent
    }
}

/// The bonds of the changes that were not undone.
fn made(host: &Host) -> Result<Vec<IfName>> {
    let mut stand: Vec<IfName> = Vec::new();
    let mut gone: Vec<IfName> = Vec::new();
    for change in ledger::chain(host)? {
        let bond = change.spec.bond;
        let known = stand.contains(&bond) || gone.contains(&bond);
        if change.phase != Phase::RolledBack && !known {
            if change.removes { gone.push(bond) } else { stand.push(bond) }
        }
    }
    Ok(stand)
}

/// How the NICs are tuned that are asked about.
fn tuning(host: &Host, kernel: &Kernel, ask: &Ask<'_>) -> BTreeMap<String, Settings> {
    let of_hardware = |(_, device): &(&String, &Device)| device.driver.is_some();
    let devices: Vec<&str> = if ask.every_nic {
        kernel.devices.iter().filter(of_hardware).map(|(name, _)| name.as_str()).collect()
    } else {
        ask.nics.iter().filter_map(|nic| kernel.device_of(nic)).collect()
    };
    order::map(devices.into_iter().map(|device| (device.to_string(), settings(host, device))))
}

/// `KEY='value'` lines in any order; the last of a key wins (tests/ground/xapi.md, E1).
fn parse_xensource(text: &str) -> BTreeMap<String, String> {
    order::map(text.lines().filter_map(|line| {
        let (key, value) = line.split_once('=')?;
        let value = value.trim();
        let bare = value.strip_prefix('\'').and_then(|v| v.strip_suffix('\'')).unwrap_or(value);
        Some((key.trim().to_string(), bare.trim().to_string()))
    }))
}

/// Whether the `network` service is on, by `chkconfig --list network`.
fn network_service(host: &Host, programs: &BTreeMap<Program, String>) -> Option<bool> {
    if !programs.contains_key(&Program::Chkconfig) {
        return None;
    }
    let cmd = Cmd::read(Program::Chkconfig, &["--list", "network"], LOOK_LIMIT);
    let output = host.run(&cmd).ok().filter(crate::host::Output::success)?.text();
    let line = output.lines().find(|l| l.split_whitespace().next() == Some("network"))?;
    // Runlevel 3 is what a dom0 boots into.
    line.split_whitespace().find_map(|word| word.strip_prefix("3:")).map(|state| state == "on")
}

/// Whether VLANs can be made: 8021q is there already, or `modinfo` finds its file.
fn has_vlans(host: &Host) -> Option<bool> {
    if host.exists("/proc/net/vlan/config") {
        return Some(true);
    }
    let output = host.run(&Cmd::read(Program::Modinfo, &["-n", "8021q"], LOOK_LIMIT)).ok()?;
    Some(output.success())
}

#[cfg(test)]
mod tests;
