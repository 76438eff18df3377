//! What `ifup` and `ifdown` do about `VLAN=yes` (initscripts 8.45.45 and 9.49.54,
//! tests/ground/initscripts.md, J1 and J2).

use super::ifcfg_shell::Vars;
use super::shell::Shell;
use super::{functions, modprobe};
use crate::model::state::Flavour;

/// The program by which el5 makes and takes away VLANs.
const VCONFIG: &str = "sbin/vconfig";

const IFUP: &str = "/etc/sysconfig/network-scripts/ifup";

/// Makes the VLAN that a file asks for; a status when the script ends here.
pub(super) fn make(shell: &mut Shell<'_>, device: &str, vars: &Vars) -> Option<i32> {
    let old = shell.scripts() == Flavour::El5;
    let value = |key: &str| vars.get(key).map_or("", String::as_str);
    // Without its program el5 knows nothing of VLANs, and misses the device later.
    if value("VLAN") != "yes" || (old && !shell.exists(VCONFIG)) {
        return None;
    }
    let (below, digits) = device.rsplit_once('.')?;
    let tag = digits.parse::<u32>().ok().filter(|_| digits.len() <= 4)?;
    if !shell.state.dom0.modules.contains_key("8021q") && modprobe::load(shell, "8021q").is_err() {
        let text = format!("No 802.1Q VLAN support available in kernel for device {device}");
        functions::log(shell, "ERROR", IFUP, &text);
        return Some(1);
    }
    if !shell.state.dom0.has_device(below) {
        // `is_available` says 2 where no alias leads to a driver, and the script then ends well.
        let module = modprobe::alias(&modprobe::lines(shell), below);
        if module.is_none_or(|module| module == "off") {
            return Some(0);
        }
        functions::aliased(shell, below);
        if !shell.state.dom0.has_device(below) {
            return functions::missing(shell, "device", device);
        }
    }
    if !shell.state.dom0.is_up(below) {
        shell.state.dom0.set_up(below, true);
    }
    if shell.state.dom0.vlan_below(device).is_some() {
        return None;
    }
    // A module that a command stands in for is not there after all.
    let made = if shell.state.dom0.modules.contains_key("8021q") {
        shell.state.dom0.add_vlan(below, tag, device)
    } else {
        Err("Package not installed")
    };
    match (made, old) {
        (Ok(()), true) => shell.say(format!("Added VLAN with VID == {tag} to IF -:{below}:-")),
        (Ok(()), false) => {}
        (Err(why), _) => {
            shell.complain(match old {
                true => format!("ERROR: trying to add VLAN #{tag} to IF -:{below}:-  error: {why}"),
                false => format!("RTNETLINK answers: {why}"),
            });
            let text = format!("ERROR: could not add vlan {tag} as {device} on dev {below}");
            functions::log(shell, "ERROR", IFUP, &text);
            return Some(1);
        }
    }
    None
}

/// Takes the device away at the end of `ifdown`. el5 does so only for names that it knows.
pub(super) fn remove(shell: &mut Shell<'_>, device: &str, vars: &Vars) {
    let old = shell.scripts() == Flavour::El5;
    let said = vars.get("VLAN").is_some_and(|word| !word.is_empty());
    if !said || shell.state.dom0.vlan_below(device).is_none() {
        return;
    }
    if old && !(shell.exists(VCONFIG) && is_known(device)) {
        return;
    }
    shell.state.dom0.drop_device(device);
    if old {
        shell.say(format!("Removed VLAN -:{device}:-"));
    }
}

/// `(eth|bond)[0-9][0-9]*\.[0-9]...`, or `vlan[0-9]...`, anywhere in the name.
fn is_known(device: &str) -> bool {
    let numbered = |rest: &str| {
        let after = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        after.len() < rest.len() && after.strip_prefix('.').is_some_and(digit)
    };
    let at = |word: &str| device.match_indices(word).map(|(at, _)| at + word.len()).collect();
    let (eth, bond, vlan): (Vec<usize>, Vec<usize>, Vec<usize>) =
        (at("eth"), at("bond"), at("vlan"));
    eth.iter().chain(&bond).any(|at| numbered(&device[*at..]))
        || vlan.iter().any(|at| digit(&device[*at..]))
}

fn digit(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
}
