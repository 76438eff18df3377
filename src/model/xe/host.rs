//! `xe host-disable`, `host-enable` and `host-evacuate`: what is done to a host before and after
//! its reboot. A host that starts is enabled again by itself (docs.xcp-ng.org/guides/host-reboot).

use super::answer::{Answer, Args, Fault, find};
use crate::model::programs::shell::Shell;
use crate::model::state::{Pool, Vm};

/// Runs a command that works on hosts; none when it is another's.
pub(super) fn command(shell: &mut Shell<'_>, name: &str, args: &Args) -> Option<Answer> {
    Some(match name {
        "host-disable" => enable(shell, args, false),
        "host-enable" => enable(shell, args, true),
        "host-evacuate" => evacuate(shell, args),
        _ => return None,
    })
}

/// The host of an argument `uuid`, which must be there to do anything.
fn wanted(shell: &Shell<'_>, args: &Args) -> Result<String, Fault> {
    let key = find(shell, "host", "host", args.need("uuid")?)?.key;
    let host = &shell.state.pool.hosts[&key];
    if host.live {
        return Ok(key);
    }
    Err(Fault::Api(
        "You attempted an operation which involves a host which could not be contacted.",
        vec![("host", format!("{} ({})", host.uuid, host.name_label))],
    ))
}

fn enable(shell: &mut Shell<'_>, args: &Args, enabled: bool) -> Answer {
    let key = wanted(shell, args)?;
    if let Some(host) = shell.state.pool.hosts.get_mut(&key) {
        host.enabled = enabled;
    }
    Ok(Vec::new())
}

/// Each machine moves to a host that takes machines and has all its networks. The first that
/// cannot ends it; those before it have moved.
fn evacuate(shell: &mut Shell<'_>, args: &Args) -> Answer {
    let key = wanted(shell, args)?;
    let pool = &mut shell.state.pool;
    if pool.hosts[&key].enabled {
        return Err(Fault::Api(
            "This operation cannot be performed because the host is not disabled. Please disable the host and then try again.",
            vec![("host", format!("{} ({})", pool.hosts[&key].uuid, pool.hosts[&key].name_label))],
        ));
    }
    let moves = |vm: &Vm| !vm.is_control_domain && vm.resident_on.as_ref() == Some(&key);
    let names: Vec<String> =
        pool.vms.iter().filter(|(_, vm)| moves(vm)).map(|(name, _)| name.clone()).collect();
    for name in names {
        let target = target(pool, &name, &key);
        let Some(vm) = pool.vms.get_mut(&name) else { continue };
        if target.is_none() {
            return Err(Fault::Api(
                "You attempted to run a VM on a host which doesn't have a PIF on a Network needed by the VM. The VM has at least one VIF attached to the Network.",
                vec![("vm", format!("{} ({})", vm.uuid, vm.name_label))],
            ));
        }
        vm.resident_on = target;
    }
    Ok(Vec::new())
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
