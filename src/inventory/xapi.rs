//! XAPI's view of this host and its pool, in a few lists that are asked for at the same time.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::Ask;
use crate::host::{Host, meanwhile};
use crate::net::{IfName, Uuid};
use crate::order;
use crate::spec::{NetworkName, NicRef, PifChoice};
use crate::xe::{
    self, Bond, ClusterHost, Listed, Network, OddRecord, Pbd, Pif, Pool, PoolHost, Vif, Vm,
};

/// One reading of XAPI.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Xapi {
    /// Hosts of the pool.
    pub hosts: Vec<PoolHost>,
    /// PIFs of this host.
    pub pifs: Vec<Pif>,
    /// Networks of the pool.
    pub networks: Vec<Network>,
    /// VIFs of the pool.
    pub vifs: Vec<Vif>,
    /// VMs that run on this host.
    pub vms: Vec<Vm>,
    /// All other VMs of the pool.
    pub other_vms: Vec<Vm>,
    /// The pool itself.
    pub pool: Option<Pool>,
    /// Managed bonds of the pool.
    pub bonds: Vec<Bond>,
    /// What of this host takes part in a cluster.
    pub cluster_hosts: Vec<ClusterHost>,
    /// Storage that is attached to this host.
    pub pbds: Vec<Pbd>,
    /// Which machines have a disk by which of them; asked for where storage lies on a bond.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub disks: BTreeMap<Uuid, BTreeSet<Uuid>>,
    /// Why that is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disks_error: Option<String>,
    /// PIFs whose maps cannot be read exactly, and why: they could not be restored.
    pub unreadable: BTreeMap<Uuid, String>,
    /// Records with a word in them that makes no sense.
    #[serde(default)]
    pub odd: Vec<OddRecord>,
    /// The PIF that has the default route by order, where one has (`defaultroute=true`); without one
    /// it is the management's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<Uuid>,
}

impl Xapi {
    /// Asks everything at once: an `xe` call is a login to XAPI and, on a pool member, a round
    /// trip to the master.
    ///
    /// # Errors
    /// The first question that was not answered.
    pub(super) fn read(host: &Host, uuid: &Uuid, ask: &Ask<'_>) -> Result<Self> {
        // One limit for all of it: what hangs at one call may hang at each.
        let until = host.clock().elapsed() + xe::LIMIT;
        let (mut read, texts) = Self::lists(host, uuid)?;
        if !ask.named.is_empty() {
            let mut names = xe::network_names(host)?;
            let unused = xe::unused_networks(host)?;
            for network in &mut read.networks {
                network.unused = unused.contains(&network.uuid);
                network.name = names.remove(&network.uuid);
            }
        }
        let named = |pif: &&Pif| ask.networks && ask.nics.iter().any(|nic| is_named(pif, nic));
        let bonds: Vec<&Uuid> =
            read.pifs.iter().filter(named).filter_map(|pif| pif.bond_slave_of.as_ref()).collect();
        let above = |pif: &&Pif| pif.bond_master_of.iter().any(|bond| bonds.contains(&bond));
        let own = read.pifs.iter().filter(|pif| named(pif) || above(pif));
        let asked: BTreeSet<&Uuid> = order::set(own.map(|pif| &pif.network));
        let wanted = |network: &Network| {
            let is = |name: &NetworkName| network.name.as_deref() == Some(name.as_str());
            asked.contains(&network.uuid) || ask.named.iter().any(is)
        };
        for network in read.networks.iter_mut().filter(|network| wanted(network)) {
            match xe::static_routes(host, &network.uuid) {
                Ok(routes) => network.static_routes = routes,
                Err(error) => {
                    let on = read.pifs.iter().filter(|pif| pif.network == network.uuid);
                    let why = format!("its network: {error:#}");
                    read.unreadable.extend(on.map(|pif| (pif.uuid.clone(), why.clone())));
                }
            }
        }
        for pif in &mut read.pifs {
            let config =
                texts.get(&pif.uuid).map(|(_, config)| xe::loose_map(config)).unwrap_or_default();
            if pif.attached && config.get("defaultroute").is_some_and(|word| word == "true") {
                read.gateway = Some(pif.uuid.clone());
            }
            // A bond's settings lie there, in words without a blank.
            if !pif.bond_master_of.is_empty() {
                pif.other_config = config;
            }
            let every = ask.every_nic && pif.is_nic();
            if every || ask.nics.iter().any(|nic| is_named(pif, nic)) {
                match xe::fill_maps(host, pif.clone(), &texts, until) {
                    Ok(whole) => *pif = whole,
                    Err(error) => {
                        read.unreadable.insert(pif.uuid.clone(), format!("{error:#}"));
                    }
                }
            }
        }
        Ok(read)
    }

    /// The lists, and what people wrote about the PIFs.
    fn lists(host: &Host, uuid: &Uuid) -> Result<(Self, xe::PifTexts)> {
        std::thread::scope(|scope| {
            let hosts = meanwhile(scope, || xe::hosts(host));
            let texts = meanwhile(scope, || xe::pif_texts(host, uuid));
            let networks = meanwhile(scope, || xe::networks(host));
            let vifs = meanwhile(scope, || xe::vifs(host));
            let vms = meanwhile(scope, || xe::vms(host));
            let pool = meanwhile(scope, || xe::pool(host));
            let bonds = meanwhile(scope, || xe::bonds(host));
            let cluster_hosts = meanwhile(scope, || xe::cluster_hosts(host, uuid));
            let pbds = meanwhile(scope, || xe::pbds(host, uuid));
            let pifs = xe::pifs(host, uuid);
            let mut odd = Vec::new();
            let hosts = apart(hosts.join()?, &mut odd);
            let all_vms = apart(vms.join()?, &mut odd);
            let (vms, other_vms) =
                all_vms.into_iter().partition(|vm| vm.runs_on.as_ref() == Some(uuid));
            let read = Self {
                hosts,
                pifs: apart(pifs?, &mut odd),
                networks: apart(networks.join()?, &mut odd),
                vifs: apart(vifs.join()?, &mut odd),
                vms,
                other_vms,
                pool: pool.join()?,
                bonds: apart(bonds.join()?, &mut odd),
                cluster_hosts: cluster_hosts.join()?,
                pbds: apart(pbds.join()?, &mut odd),
                disks: BTreeMap::new(),
                disks_error: None,
                unreadable: BTreeMap::new(),
                odd,
                gateway: None,
            };
            Ok((read, texts.join()?))
        })
    }

    /// Names by which a spec may call a host of the pool: its hostname, short too, and its name in
    /// XAPI where no other host has the same.
    #[must_use]
    pub fn names(&self, host: &PoolHost) -> Vec<String> {
        let same = self.hosts.iter().filter(|h| h.name_label == host.name_label).count();
        let label = Some(&host.name_label).filter(|_| same == 1);
        with_short(std::iter::once(&host.hostname).chain(label).cloned().collect())
    }

    /// Whether this XAPI has unmanaged PIFs: `pif-list` shows the field then.
    #[must_use]
    pub fn has_unmanaged(&self) -> bool {
        self.pifs.iter().any(|pif| pif.managed.is_some())
    }

    /// Whether PIFs are to be kept as unmanaged ones, and not only forgotten.
    #[must_use]
    pub fn keeps(&self, choice: PifChoice) -> bool {
        match choice {
            PifChoice::Auto => self.has_unmanaged(),
            PifChoice::Unmanaged => true,
            PifChoice::Forget => false,
        }
    }

    /// The bridge of a PIF's network.
    #[must_use]
    pub fn bridge_of(&self, pif: &Pif) -> Option<&str> {
        self.networks.iter().find(|n| n.uuid == pif.network).map(|n| n.bridge.as_str())
    }

    /// The record that was not understood and may be a NIC's: that of its device, or of one whose
    /// device was not understood either.
    #[must_use]
    pub fn odd_of(&self, device: &str) -> Option<&OddRecord> {
        self.odd.iter().find(|odd| odd.may_be_of(device))
    }

    /// The networks of a name on which no PIF of this host lies.
    #[must_use]
    pub fn free_networks(&self, name: &NetworkName) -> Vec<&Network> {
        let named = self.networks.iter().filter(|n| n.name.as_deref() == Some(name.as_str()));
        named.filter(|network| self.pifs.iter().all(|pif| pif.network != network.uuid)).collect()
    }

    /// The device that XAPI gives its next bond on this host: the first that no PIF has
    /// (tests/ground/xapi.md, B9).
    #[must_use]
    pub fn next_bond(&self) -> IfName {
        let taken = |name: &String| self.pifs.iter().any(|pif| pif.device == *name);
        let free = (0..).map(|n: u32| format!("bond{n}")).find(|name| !taken(name));
        free.unwrap_or_default().parse().expect("bondN is a device")
    }

    /// The record of a NIC on this host.
    #[must_use]
    pub fn nic(&self, device: &str) -> Option<&Pif> {
        self.pifs.iter().find(|pif| pif.is_nic() && pif.device == device)
    }
}

/// The bridge of the network that XAPI looks for when it meets a NIC (tests/ground/xapi.md, B3);
/// none for a NIC of another name than `ethN`.
#[must_use]
pub fn usual_bridge(device: &str) -> Option<String> {
    device.strip_prefix("eth").map(|number| format!("xenbr{number}"))
}

/// The records, with the odd ones put to the others of their kind.
fn apart<T>(listed: Listed<T>, odd: &mut Vec<OddRecord>) -> Vec<T> {
    odd.extend(listed.odd);
    listed.all
}

/// Names, and those with a domain without it too, each once.
pub(super) fn with_short(mut names: Vec<String>) -> Vec<String> {
    let short: Vec<String> =
        names.iter().filter_map(|n| Some(n.split_once('.')?.0.to_string())).collect();
    names.extend(short);
    let mut seen = Vec::new();
    names.retain(|name| {
        !name.is_empty() && !seen.contains(name) && {
            seen.push(name.clone());
            true
        }
    });
    names
}

fn is_named(pif: &Pif, nic: &NicRef) -> bool {
    pif.is_nic()
        && match nic {
            NicRef::Device(name) => pif.device == name.as_str(),
            NicRef::Mac(mac) => pif.mac == *mac,
        }
}
