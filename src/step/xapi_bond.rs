//! A bond that XAPI makes and keeps. Neither what `bond-create` and `bond-destroy` report nor the
//! lists alone prove anything: the connection may break with the very interface that moves, the work
//! goes on without its client, and what the driver refuses is only logged (tests/ground/managed.md,
//! C2 and C3). So both are waited for by looking at XAPI and at the kernel.

use std::time::Duration;

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

use super::managed::LOOKS;
use super::members::{Found, named, not_made_yet, of_records};
use super::new_network::{free, the_free_one};
use super::{Kept, Link, Members, PifRecord};
use crate::host::{Cmd, Host, Output, Program, join};
use crate::net::{BondMode, IfName, Uuid, shown};
use crate::paths;
use crate::spec::NetworkName;
use crate::xe::{self, Pif};

/// For how long it is looked whether it has come, whatever was reported
/// (tests/ground/managed.md, C2).
const LIMIT: Duration = Duration::from_secs(300);

/// How often: at first, and at the most.
const PAUSE: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(5);

/// The master of every port of Open vSwitch.
const OVS: &str = "ovs-system";

/// A bond, and what its NICs are without it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct XapiBond {
    /// Its device, which XAPI chooses: the first that is free.
    pub bond: IfName,
    /// The name of its network.
    pub network: NetworkName,
    /// The network, where it was there before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<Uuid>,
    /// Its NICs, with their records as they are without the bond.
    pub nics: Vec<PifRecord>,
    /// Their bridges, which go as long as it stands.
    pub bridges: Vec<IfName>,
    /// Those that XAPI had not plugged, as the kernel has them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Link>,
    /// Its mode.
    pub mode: BondMode,
    /// Its properties, by XAPI's own words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub properties: Vec<(String, String)>,
    /// Whether the host is managed through it.
    pub management: bool,
    /// Whether Open vSwitch carries it.
    pub vswitch: bool,
}

/// XAPI's word for a mode.
pub(super) fn xapi_word(mode: BondMode) -> &'static str {
    match mode {
        BondMode::Ieee8023ad => "lacp",
        other => other.name(),
    }
}

impl XapiBond {
    /// How long the second NIC of one that was just made carries nothing, in seconds: its `updelay`
    /// (tests/ground/managed.md, F).
    pub const SETTLES: u64 = 31;

    /// About how long making it takes, and then how long its NICs carry nothing, in seconds: as
    /// measured (tests/ground/xapi-measured.md, M18).
    pub(super) fn seconds(&self, away: bool) -> u64 {
        match (self.vswitch, away) {
            (false, false) => 15,
            (false, true) => 14,
            (true, false) => 21,
            (true, true) => 29,
        }
    }

    /// How long the host is silent meanwhile where it is managed through it: as measured, and on
    /// Open vSwitch all the time.
    #[must_use]
    pub fn silence(&self, away: bool) -> u64 {
        match (self.vswitch, away) {
            (false, false) => 9,
            (false, true) => 5,
            (true, _) => self.seconds(away),
        }
    }

    fn nic_names(&self) -> String {
        let mut all: Vec<&str> = self.nics.iter().map(|nic| nic.device.as_str()).collect();
        let last = all.pop().unwrap_or_default();
        if all.is_empty() { last.to_string() } else { format!("{} and {last}", all.join(", ")) }
    }

    pub(super) fn title(&self) -> String {
        let network = shown(self.network.as_str());
        format!("make {} of {} on the network {network}", self.bond, self.nic_names())
    }

    pub(super) fn complete_title(&self) -> String {
        format!("restart XAPI's toolstack, which plugs {} again", self.bond)
    }

    pub(super) fn away_title(&self) -> String {
        format!("take {} apart, and give {} back", self.bond, self.nic_names())
    }

    pub(super) fn members(&self) -> Members {
        of_records(&self.nics)
    }

    fn host(&self) -> Result<&Uuid> {
        match self.nics.first() {
            Some(record) => Ok(&record.host),
            None => bail!("{} has no NICs", self.bond),
        }
    }

    fn create(&self, network: &str) -> Cmd {
        let members = self.members();
        xe::create_bond(network, members.uuids(), xapi_word(self.mode), &self.properties)
    }

    pub(super) fn commands(&self) -> Vec<Cmd> {
        let network = self.on.clone().unwrap_or_else(not_made_yet).to_string();
        named(vec![self.create(&network)], "UUID-OF-THE-NETWORK")
    }

    pub(super) fn away_commands(&self) -> Vec<Cmd> {
        vec![xe::destroy_bond(&format!("UUID-OF-{}", self.bond))]
    }

    /// What a person types to take it apart.
    pub(super) fn away_by_hand(&self) -> String {
        format!("xe bond-destroy uuid={}", self.members().bond_by_shell())
    }

    /// What a person types to make it.
    pub(super) fn by_hand(&self) -> String {
        let name = crate::host::quoted(&format!("name-label={}", self.network));
        let found = format!("$(xe network-list {name} --minimal)");
        let network = self.on.clone().unwrap_or_else(not_made_yet).to_string();
        self.create(&network).to_string().replace(&not_made_yet().to_string(), &found)
    }

    /// What of it no rollback brings back (tests/ground/managed.md, U2), a sentence for each.
    #[must_use]
    pub fn cannot_be_undone(&self) -> Vec<String> {
        let nics = self.nic_names();
        vec![format!(
            "VIFs and VLANs that lie on the networks of {nics} all come back to the first of them, VLANs with other uuids"
        )]
    }

    fn pifs(&self, host: &Host) -> Result<Vec<Pif>> {
        xe::pifs(host, self.host()?)?.whole()
    }

    /// Makes it, where it is not there.
    pub(super) fn make(&self, host: &Host) -> Result<()> {
        let members = self.members();
        let mut said = None;
        if members.found(&self.pifs(host)?).is_none() {
            let network = match &self.on {
                Some(network) => network.clone(),
                None => the_free_one(host, self.host()?, &self.network, &members)?,
            };
            let cmd = self.create(&network.to_string());
            said = Some((host.run(&cmd)?, cmd));
        }
        self.await_it(host, said, &|pifs| self.lacks(host, pifs))?;
        let pifs = self.pifs(host)?;
        match members.found(&pifs).and_then(|found| found.pif).filter(|_| self.management) {
            Some(pif) => manage_through(host, pif),
            None => Ok(()),
        }
    }

    /// Has XAPI, which has it, plug it on a host that has it not: each start of XAPI does
    /// (tests/ground/managed.md, D1). What the script reports counts where it never comes.
    pub(super) fn complete(&self, host: &Host) -> Result<()> {
        let stands = |pifs: &[Pif]| {
            let lacks = self.lacks(host, pifs)?;
            let missing = || format!("the host has no {}", self.bond);
            Ok(lacks.or_else(|| (!self.is_left(host)).then(missing)))
        };
        if stands(&self.pifs(host)?)?.is_none() {
            return Ok(());
        }
        let cmd = xe::restart_toolstack();
        let said = host.run(&cmd)?;
        self.await_it(host, Some((said, cmd)), &stands)
    }

    /// Whether the host has it still though XAPI has lost its record: networkd makes at a boot what
    /// it had written, and XAPI reads what that had (tests/ground/managed.md, D3).
    fn is_left(&self, host: &Host) -> bool {
        let bond = self.bond.as_str();
        if !self.vswitch {
            let of = |nic: &PifRecord| {
                let link = join(&paths::sys_net(nic.device.as_str()), "master");
                host.link_name(&link).is_some_and(|master| master == bond)
            };
            return self.nics.iter().any(of);
        }
        let cmd = Cmd::read(Program::OvsVsctl, &["--timeout=10", "port-to-br", bond], LIMIT);
        host.run(&cmd).is_ok_and(|output| output.success())
    }

    /// Gives XAPI its record back, by which alone it and networkd let go of it.
    fn claim(&self, host: &Host) -> Result<()> {
        let members = self.members();
        if self.on.is_none() && free(host, self.host()?, &self.network, &members)?.is_empty() {
            let cmd = xe::create_network(self.network.as_str(), None);
            host.run(&cmd)?.check(&cmd)?;
        }
        self.make(host)
    }

    /// What is missing yet; `None`: it stands.
    fn lacks(&self, host: &Host, pifs: &[Pif]) -> Result<Option<String>> {
        let bond = &self.bond;
        let Some(Found { pif: Some(pif), whole, .. }) = self.members().found(pifs) else {
            return Ok(Some(format!("XAPI has no {bond}")));
        };
        if !whole {
            return Ok(Some(format!("{bond} has other NICs than were asked for")));
        }
        if pif.device != bond.as_str() {
            bail!("XAPI has called the bond {}, and it was to be {bond}", shown(&pif.device));
        }
        if !pif.attached {
            return Ok(Some(format!("{bond} is not plugged")));
        }
        let out = self.nics.iter().find(|nic| !self.is_in_kernel(host, &nic.device));
        Ok(out.map(|nic| format!("the kernel does not have {} in {bond}", nic.device)))
    }

    /// Whether the kernel has the NIC in the bond, where it says.
    fn is_in_kernel(&self, host: &Host, nic: &IfName) -> bool {
        let master = host.link_name(&join(&paths::sys_net(nic.as_str()), "master"));
        master.is_none_or(|master| master == self.bond.as_str() || master == OVS)
    }

    /// Looks until nothing is missing any more. What was reported counts where that never comes.
    fn await_it(
        &self,
        host: &Host,
        said: Option<(Output, Cmd)>,
        lacks: &dyn Fn(&[Pif]) -> Result<Option<String>>,
    ) -> Result<()> {
        let until = host.clock().elapsed() + LIMIT;
        let mut pause = PAUSE;
        loop {
            let error = match self.pifs(host) {
                Ok(pifs) => match lacks(&pifs)? {
                    None => return Ok(()),
                    Some(missing) => anyhow::anyhow!(missing),
                },
                // A member asks the master through the very interface that moves.
                Err(error) if xe::failure(&error).is_some() => error,
                Err(error) => return Err(error),
            };
            if host.clock().elapsed() >= until {
                if let Some((output, cmd)) = said {
                    output.check(&cmd)?;
                }
                return Err(error.context(format!("it has not come in {} s", LIMIT.as_secs())));
            }
            host.awaits(&format!("{error:#}"), LIMIT);
            host.clock().pause(pause);
            pause = (pause * 2).min(LONGEST);
        }
    }

    /// Takes it apart, where it is there, and makes its NICs as they were without it.
    pub(super) fn take_apart(&self, host: &Host, kept: &mut Kept) -> Result<()> {
        let members = self.members();
        let mut pifs = self.pifs(host)?;
        if members.found(&pifs).is_none() && self.is_left(host) {
            self.claim(host)?;
            pifs = self.pifs(host)?;
        }
        if let Some(Found { bond, others, .. }) = members.found(&pifs) {
            if others {
                kept.notes
                    .push(format!("{} has NICs of others by now, and is left as it is", self.bond));
                return Ok(());
            }
            let cmd = xe::destroy_bond(&bond.to_string());
            let output = host.run(&cmd)?;
            self.await_it(host, Some((output, cmd)), &|pifs| self.remains(host, pifs))?;
        }
        for record in &self.nics {
            give_back(host, record, kept)?;
        }
        self.links.iter().try_for_each(|link| link.restore(host))?;
        let managed = |pif: &&Pif| pif.management;
        let was = self.nics.iter().filter_map(|nic| nic.was.as_ref()).find(managed);
        let Some(was) = was.filter(|_| self.management) else { return Ok(()) };
        let now = self.pifs(host)?.into_iter().find(|pif| pif.uuid == was.uuid);
        now.map_or(Ok(()), |pif| manage_through(host, &pif))
    }

    /// What is still there; `None`: it is gone.
    fn remains(&self, host: &Host, pifs: &[Pif]) -> Result<Option<String>> {
        let bond = &self.bond;
        let stands = |pif: &Pif| !pif.bond_master_of.is_empty() && pif.device == bond.as_str();
        if self.members().found(pifs).is_some() || pifs.iter().any(stands) {
            return Ok(Some(format!("XAPI still has {bond}")));
        }
        // A bond that the driver makes at its loading is no part of an Open vSwitch.
        let left = || match self.vswitch {
            true => self.is_left(host),
            false => host.exists(&paths::proc_bonding(bond.as_str())),
        };
        Ok(left().then(|| format!("the host still has {bond}")))
    }
}

/// Has the host be managed through a PIF, where its own file names another bridge: it may have been
/// written and XAPI's database not, or the other way round.
fn manage_through(host: &Host, pif: &Pif) -> Result<()> {
    let networks = xe::networks(host)?.all;
    let Some(network) = networks.into_iter().find(|network| network.uuid == pif.network) else {
        return Ok(());
    };
    let line = format!("MANAGEMENT_INTERFACE='{}'", network.bridge);
    let is_so = || -> Result<bool> {
        let text = host.read_text(paths::INVENTORY)?.unwrap_or_default();
        Ok(text.lines().any(|one| one.trim() == line))
    };
    if is_so()? {
        return Ok(());
    }
    let cmd = xe::manage_through(&pif.uuid);
    let output = host.run(&cmd)?;
    if !is_so()? {
        output.check(&cmd)?;
        bail!("`{cmd}` reported success, and {} does not show it", paths::INVENTORY);
    }
    Ok(())
}

/// Plugs a NIC's PIF or not, and has XAPI refuse to unplug it or not, as it was before. The bond's
/// address has come back to the first of them with its end (tests/ground/managed.md, U1).
fn give_back(host: &Host, record: &PifRecord, kept: &mut Kept) -> Result<()> {
    let Some(was) = &record.was else { return Ok(()) };
    for look in 0.. {
        let now = xe::pifs(host, &record.host)?.whole()?;
        let Some(now) = now.into_iter().find(|pif| pif.uuid == was.uuid) else {
            kept.notes.push(format!("the PIF of {} is gone", record.device));
            return Ok(());
        };
        let protects = |yes: bool| xe::set("pif", &now.uuid, &format!("disallow-unplug={yes}"));
        let uuid = now.uuid.to_string();
        let cmd = match (now.attached, was.attached) {
            (true, false) if now.disallow_unplug => protects(false),
            (true, false) => xe::unplug(&uuid),
            (false, true) => xe::plug(&uuid),
            _ if now.disallow_unplug != was.disallow_unplug => protects(was.disallow_unplug),
            _ => return Ok(()),
        };
        let output = host.run(&cmd)?;
        if look >= LOOKS {
            output.check(&cmd)?;
            bail!("`{cmd}` reported success, and XAPI does not show it");
        }
        output.check(&cmd)?;
    }
    Ok(())
}
