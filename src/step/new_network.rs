//! A network that XAPI makes for a bond and that goes with it, unless others lie on it by then.
//! It is found by its name, among those that are free for the bond: XAPI gives two networks the
//! same name if it is asked to (tests/ground/managed.md, A1).

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use super::members::{named, not_made_yet};
use super::{Kept, Members, NetworkSettings};
use crate::host::{Cmd, Host};
use crate::net::{Uuid, shown};
use crate::spec::NetworkName;
use crate::xe::{self, Pif};

/// A network that is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewNetwork {
    /// XAPI's uuid of the host.
    pub host: Uuid,
    /// Its name.
    pub name: NetworkName,
    /// Its MTU and routes.
    pub settings: NetworkSettings,
    /// The NICs of the bond that is to lie on it.
    pub members: Members,
    /// Networks of that name that were there before, with other PIFs of this host on them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<Uuid>,
}

/// The networks of a name on which no PIF of this host lies, but for the one of the bond of these
/// NICs.
pub(super) fn free(
    host: &Host,
    of: &Uuid,
    name: &NetworkName,
    members: &Members,
) -> Result<Vec<Uuid>> {
    let pifs = xe::pifs(host, of)?.whole()?;
    let bond = members.found(&pifs).and_then(|found| found.pif);
    let others = |pif: &Pif, network: &Uuid| {
        pif.network == *network && bond.is_none_or(|bond| bond.uuid != pif.uuid)
    };
    let mut all = xe::network_names(host)?;
    all.retain(|uuid, label| label == name.as_str() && !pifs.iter().any(|pif| others(pif, uuid)));
    Ok(all.into_keys().collect())
}

/// The one of them that there must be.
pub(super) fn the_free_one(
    host: &Host,
    of: &Uuid,
    name: &NetworkName,
    members: &Members,
) -> Result<Uuid> {
    match &free(host, of, name, members)?[..] {
        [one] => Ok(one.clone()),
        [] => bail!("there is no network {} that is free for the bond", shown(name.as_str())),
        more => bail!("{} networks are called {}", more.len(), shown(name.as_str())),
    }
}

impl NewNetwork {
    pub(super) fn title(&self) -> String {
        let mut all = vec![format!("create the network {} in XAPI", shown(self.name.as_str()))];
        all.extend(self.settings.mtu.map(|mtu| format!("MTU {mtu}")));
        all.extend(self.settings.routes.iter().map(|routes| format!("routes {}", shown(routes))));
        all.join(", ")
    }

    pub(super) fn undo_title(&self) -> String {
        format!("remove the network {}, if nothing else lies on it", shown(self.name.as_str()))
    }

    pub(super) fn commands(&self) -> Vec<Cmd> {
        let create = xe::create_network(self.name.as_str(), self.settings.mtu);
        let routes = self.routes(&not_made_yet());
        named(std::iter::once(create).chain(routes).collect(), "UUID-OF-THE-NETWORK")
    }

    fn routes(&self, network: &Uuid) -> Option<Cmd> {
        let routes = self.settings.routes.as_ref()?;
        Some(xe::set("network", network, &format!("other-config:{}={routes}", xe::STATIC_ROUTES)))
    }

    /// What a person types to take it away.
    pub(super) fn by_hand(&self) -> String {
        let name = crate::host::quoted(&format!("name-label={}", self.name));
        format!("xe network-destroy uuid=$(xe network-list {name} --minimal)")
    }

    pub(super) fn create(&self, host: &Host) -> Result<()> {
        let free = || free(host, &self.host, &self.name, &self.members);
        if free()?.is_empty() {
            let cmd = xe::create_network(self.name.as_str(), self.settings.mtu);
            let output = host.run(&cmd)?;
            if free()?.is_empty() {
                output.check(&cmd)?;
                bail!("`{cmd}` reported success, and network-list does not show it");
            }
        }
        let uuid = the_free_one(host, &self.host, &self.name, &self.members)?;
        if let Some(cmd) = self.routes(&uuid)
            && xe::static_routes(host, &uuid)? != self.settings.routes
        {
            let output = host.run(&cmd)?;
            if xe::static_routes(host, &uuid)? != self.settings.routes {
                output.check(&cmd)?;
                bail!("`{cmd}` reported success, and XAPI does not show it");
            }
        }
        let all = xe::networks(host)?.all;
        let made = all.iter().find(|network| network.uuid == uuid).context("it is gone again")?;
        ensure!(
            self.settings.mtu.is_none() || made.mtu == self.settings.mtu,
            "the network {} has not the MTU that was asked for",
            shown(self.name.as_str())
        );
        Ok(())
    }

    /// Takes it away where nothing lies on it; what others have put there stays.
    pub(super) fn remove(&self, host: &Host, kept: &mut Kept) -> Result<()> {
        let mut all = xe::network_names(host)?;
        all.retain(|uuid, label| label == self.name.as_str() && !self.others.contains(uuid));
        for uuid in all.into_keys() {
            let unused = || Ok::<_, anyhow::Error>(xe::unused_networks(host)?.contains(&uuid));
            if !unused()? {
                let name = shown(self.name.as_str());
                kept.notes.push(format!("something lies on the network {name}, which stays"));
                continue;
            }
            let cmd = xe::destroy_network(&uuid);
            let output = host.run(&cmd)?;
            if unused()? {
                output.check(&cmd)?;
                bail!("`{cmd}` reported success, and network-list still shows it");
            }
        }
        Ok(())
    }
}
