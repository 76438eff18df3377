//! `xe host-disable`, `host-enable` and `host-evacuate`: what is done to a host before and after
//! its reboot. A host that starts is enabled again by itself (docs.xcp-ng.org/guides/host-reboot).

use super::answer::{Answer, Args, Fault, Printed, find};
use super::lists::filter;
use super::records::records;
use crate::model::programs::shell::Shell;
use crate::model::state::{Pool, Vm};
use crate::model::stores;

pub(super) fn disable(shell: &mut Shell<'_>, args: &Args) -> Answer {
    switch(shell, args, false)
}

pub(super) fn enable(shell: &mut Shell<'_>, args: &Args) -> Answer {
    switch(shell, args, true)
}

/// Every host is asked, also one that is down: the master has written by then, whatever the answer
/// (tests/ground/xapi-measured.md, M20).
pub(super) fn sync_database(shell: &mut Shell<'_>) -> Answer {
    stores::write_database(shell.root, shell.state);
    match shell.state.pool.hosts.values().find(|host| !host.live) {
        None => Ok(Printed::Nothing),
        Some(host) => Err(Fault::Api(
            "You attempted an operation which involves a host which could not be contacted.",
            vec![("host", format!("{} ({})", host.uuid, host.name_label))],
        )),
    }
}

/// Refuses a host that does not answer.
pub(super) fn reach(shell: &Shell<'_>, key: &str) -> Result<(), Fault> {
    match shell.state.pool.hosts.get(key) {
        Some(host) if !host.live => Err(Fault::Api(
            "You attempted an operation which involves a host which could not be contacted.",
            vec![("host", format!("{} ({})", host.uuid, host.name_label))],
        )),
        _ => Ok(()),
    }
}

/// The hosts that arguments select: `host=` is a name or a uuid, any other a filter, and nothing
/// selects all.
fn selected(shell: &Shell<'_>, args: &Args) -> Result<Vec<String>, Fault> {
    let mut found = records(shell.state, "host");
    if let Some(name) = args.get("host") {
        found.retain(|r| {
            r.uuid() == name || r.field("name-label").is_some_and(|f| f.text() == name)
        });
    }
    filter(&mut found, args, &["host", "multiple", "force"])?;
    match found.len() {
        0 => Err(Fault::Plain("No matching hosts found".to_string())),
        1 => Ok(vec![found[0].key.clone()]),
        _ if args.get("multiple").is_some() => Ok(found.into_iter().map(|r| r.key).collect()),
        _ => Err(Fault::Plain(
            "Multiple matching hosts found. --multiple required to complete the operation"
                .to_string(),
        )),
    }
}

fn switch(shell: &mut Shell<'_>, args: &Args, enabled: bool) -> Answer {
    for key in selected(shell, args)? {
        reach(shell, &key)?;
        if let Some(host) = shell.state.pool.hosts.get_mut(&key) {
            host.enabled = enabled;
        }
    }
    Ok(Printed::Nothing)
}

/// Each machine moves to a host that takes machines and has all its networks. The first that
/// cannot ends it; those before it have moved. The host itself need not be disabled.
pub(super) fn evacuate(shell: &mut Shell<'_>, args: &Args) -> Answer {
    let key = find(shell, "host", "host", args.need("uuid")?)?.key;
    if let Some(uuid) = args.get("network-uuid") {
        find(shell, "network", "network", uuid)?;
    }
    reach(shell, &key)?;
    let pool = &mut shell.state.pool;
    let moves = |vm: &Vm| !vm.is_control_domain && vm.resident_on.as_ref() == Some(&key);
    let names: Vec<String> =
        pool.vms.iter().filter(|(_, vm)| moves(vm)).map(|(name, _)| name.clone()).collect();
    for name in names {
        let target = target(pool, &name, &key);
        let Some(vm) = pool.vms.get_mut(&name) else { continue };
        let who = vec![("vm", format!("{} ({})", vm.uuid, vm.name_label))];
        if vm.stays {
            let sentence = "You attempted an operation on a VM which lacks the feature.";
            return Err(Fault::Api(sentence, who));
        }
        if target.is_none() {
            return Err(Fault::Api(
                "You attempted to run a VM on a host which doesn't have a PIF on a Network needed by the VM. The VM has at least one VIF attached to the Network.",
                who,
            ));
        }
        vm.resident_on = target;
    }
    Ok(Printed::Nothing)
}

fn target(pool: &Pool, machine: &str, from: &str) -> Option<String> {
    let networks: Vec<&String> =
        pool.vifs.values().filter(|vif| vif.vm == machine).map(|vif| &vif.network).collect();
    let reaches = |host: &String| {
        networks
            .iter()
            .all(|n| pool.pifs.values().any(|pif| pif.host == *host && pif.network == **n))
    };
    let mut others = pool.hosts.iter().filter(|(key, h)| *key != from && h.enabled && h.live);
    others.find(|(key, _)| reaches(key)).map(|(key, _)| key.clone())
}
