//! `ovs-appctl` and `ovs-vsctl`, as far as the program asks them, in the words of the host's
//! release of Open vSwitch (tests/ground/ovs.md, B1 to C3, E1 and H1).

use super::shell::Shell;
use crate::model::state::{Backend, Dom0, VsBond, VsMember, Vswitch, uuid_of};

/// The partner that the switch is.
const PARTNER: &str = "00:23:04:ee:be:0a";
const NOBODY: &str = "00:00:00:00:00:00";

/// How a release words what it prints.
struct Words {
    release: Vswitch,
    member: &'static str,
    indent: &'static str,
}

impl Words {
    fn of(release: Vswitch) -> Self {
        Self {
            release,
            member: if release >= (2, 15) { "member" } else { "slave" },
            indent: if release >= (2, 10) { "  " } else { "\t" },
        }
    }
}

fn runs(shell: &Shell<'_>) -> bool {
    shell.state.dom0.running == Backend::Openvswitch
}

/// An answer of the daemon's that is an error.
fn refused(shell: &mut Shell<'_>, text: &str) -> i32 {
    shell.complain(text);
    let end = if shell.state.vswitch_release() >= (1, 6) {
        "server returned an error"
    } else {
        "server returned reply code 501"
    };
    shell.complain(format!("ovs-appctl: ovs-vswitchd: {end}"));
    2
}

/// `ovs-appctl COMMAND [BOND [MEMBER]]`.
pub(crate) fn appctl(shell: &mut Shell<'_>, args: &[String]) -> i32 {
    if !runs(shell) {
        shell.complain("ovs-appctl: cannot read pidfile \"/var/run/openvswitch/ovs-vswitchd.pid\" (No such file or directory)");
        return 1;
    }
    let words = Words::of(shell.state.vswitch_release());
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["bond/list"] => {
            let all = &shell.state.dom0.vswitch;
            let lines: Vec<String> = all.iter().map(|(name, b)| row(&words, name, b)).collect();
            shell.say(head(&words));
            lines.iter().for_each(|line| shell.say(line));
            0
        }
        ["bond/show", name] => match shell.state.dom0.vswitch.get(*name) {
            Some(bond) => {
                let text = bond_show(&words, name, bond, &shell.state.dom0);
                shell.out.push_str(&text);
                0
            }
            None => refused(shell, "no such bond"),
        },
        ["lacp/show", name] => match shell.state.dom0.vswitch.get(*name) {
            Some(bond) if bond.has_lacp() => {
                let text = lacp_show(&words, name, bond, &shell.state.dom0);
                shell.out.push_str(&text);
                0
            }
            _ => refused(shell, "no such lacp object"),
        },
        [command @ ("bond/set-active-slave" | "bond/set-active-member"), name, nic]
            if command.ends_with("slave") || words.release >= (2, 15) =>
        {
            set_active(shell, &words, name, nic)
        }
        [command, ..] => refused(shell, &format!("\"{command}\" is not a valid command")),
        [] => {
            shell.complain(
                "ovs-appctl: at least one non-option argument is required (use --help for help)",
            );
            1
        }
    }
}

fn set_active(shell: &mut Shell<'_>, words: &Words, name: &str, nic: &str) -> i32 {
    let Some(bond) = shell.state.dom0.vswitch.get_mut(name) else {
        return refused(shell, "no such bond");
    };
    match bond.members.iter().find(|member| member.name == nic) {
        None => refused(shell, &format!("no such {}", words.member)),
        Some(member) if !member.enabled => {
            refused(shell, &format!("cannot make disabled {} active", words.member))
        }
        Some(_) => {
            let same = bond.active.as_deref() == Some(nic);
            bond.active = Some(nic.to_string());
            shell.say(if same { "no change" } else { "done" });
            0
        }
    }
}

fn head(words: &Words) -> String {
    let last = format!("{}s", words.member);
    match words.release {
        (1, 0) => format!("bridge\tbond\t{last}"),
        (1, 1) => format!("bridge\tbond\ttype\t{last}"),
        release if release < (2, 3) => format!("bond\ttype\t{last}"),
        _ => format!("bond\ttype\trecircID\t{last}"),
    }
}

fn row(words: &Words, name: &str, bond: &VsBond) -> String {
    let members: Vec<&str> = bond.members.iter().rev().map(|m| m.name.as_str()).collect();
    let members = members.join(", ");
    match words.release {
        (1, 0) => format!("{}\t{name}\t{members}", bond.bridge),
        (1, 1) => format!("{}\t{name}\t{}\t{members}", bond.bridge, bond.mode),
        release if release < (2, 3) => format!("{name}\t{}\t{members}", bond.mode),
        _ => format!("{name}\t{}\t0\t{members}", bond.mode),
    }
}

fn onoff(yes: bool, one: &str, other: &str) -> String {
    if yes { one.to_string() } else { other.to_string() }
}

/// The lines about the bond as a whole.
fn own_lines(words: &Words, name: &str, bond: &VsBond, dom0: &Dom0) -> Vec<String> {
    let (release, member) = (words.release, words.member);
    let balanced = bond.mode != "active-backup";
    let negotiated = dom0.is_negotiated(bond);
    let active = bond.members.iter().find(|m| Some(&m.name) == bond.active.as_ref());
    let mac = active.and_then(|m| Some((dom0.mac_of(&m.name)?, m.name.clone())));
    let (mac, who) = mac.unwrap_or((NOBODY.to_string(), "none".to_string()));
    let status = match (bond.has_lacp(), negotiated) {
        (false, _) => "off",
        (true, true) => "negotiated",
        (true, false) => "configured",
    };
    let primary = match bond.primary() {
        None => "<none>".to_string(),
        Some(name) if bond.members.iter().any(|m| m.name == name) => name.to_string(),
        Some(name) => format!("{name} (no such {member})"),
    };
    let rebalances = balanced && !(release >= (2, 11) && bond.has_lacp() && !negotiated);
    let recirculates = bond.mode == "balance-tcp" && negotiated;
    let fallback = bond.has_lacp() && bond.falls_back();
    let lines = [
        (release >= (1, 6), format!("---- {name} ----")),
        (release >= (1, 1), format!("bond_mode: {}", bond.mode)),
        (release == (1, 1), format!("lacp: {}", bond.lacp)),
        (
            release >= (2, 3),
            format!(
                "bond may use recirculation: {}",
                onoff(recirculates, "yes, Recirc-ID : 1", "no, Recirc-ID : -1")
            ),
        ),
        (
            balanced && release > (1, 0) && release < (1, 6),
            format!("bond-hash-algorithm: {}", bond.mode),
        ),
        (release >= (1, 2), "bond-hash-basis: 0".to_string()),
        (release == (1, 1), "bond-detect-mode: carrier".to_string()),
        (release >= (2, 14), "lb_output action: disabled, bond-id: -1".to_string()),
        (release >= (3, 0) && bond.mode == "balance-slb", "all members active: false".to_string()),
        (true, format!("updelay: {} ms", bond.updelay)),
        (true, format!("downdelay: {} ms", bond.downdelay)),
        (rebalances, "next rebalance: 1322080 ms".to_string()),
        (((1, 2)..(1, 6)).contains(&release), format!("lacp_negotiated: {negotiated}")),
        (release >= (1, 6), format!("lacp_status: {status}")),
        (release >= (2, 8), format!("lacp_fallback_ab: {fallback}")),
        (release >= (2, 14), format!("active-backup primary: {primary}")),
        (release >= (2, 3), format!("active {member} mac: {mac}({who})")),
    ];
    lines.into_iter().filter(|(is, _)| *is).map(|(_, line)| line).collect()
}

fn bond_show(words: &Words, name: &str, bond: &VsBond, dom0: &Dom0) -> String {
    let Words { release, member: word, indent } = *words;
    let mut lines = own_lines(words, name, bond, dom0);
    for member in &bond.members {
        if release > (1, 0) {
            lines.push(String::new());
        }
        lines.push(format!(
            "{word} {}: {}",
            member.name,
            onoff(member.enabled, "enabled", "disabled")
        ));
        if bond.active.as_ref() == Some(&member.name) {
            lines.push(format!("{indent}active {word}"));
        }
        if let Some(until) = member.until {
            let delay = if member.enabled { "downdelay" } else { "updelay" };
            let left = until.saturating_sub(dom0.clock);
            lines.push(format!("{indent}{delay} expires in {left} ms"));
        }
        if release >= (1, 2) {
            lines.push(format!("{indent}may_enable: {}", dom0.may_enable(bond, member)));
        }
    }
    if release >= (1, 6) {
        lines.push(String::new());
    }
    lines.join("\n") + "\n"
}

/// The lines about one member of `lacp/show`.
fn lacp_lines(
    words: &Words,
    at: usize,
    bond: &VsBond,
    member: &VsMember,
    dom0: &Dom0,
) -> Vec<String> {
    let indent = words.indent;
    let heard = dom0.hears_partner(member);
    let fast = if bond.other_config.get("lacp-time").is_some_and(|t| t == "fast") {
        " timeout"
    } else {
        ""
    };
    let fresh = if heard { "current" } else { "defaulted" };
    let attached = heard || !dom0.is_negotiated(bond) && bond.falls_back();
    let carries = if attached { " synchronized collecting distributing" } else { "" };
    let defaulted = if heard { "" } else { " defaulted" };
    let (partner, state) = match heard {
        true => (PARTNER, " activity aggregation synchronized collecting distributing"),
        false => (NOBODY, ""),
    };
    let (id, number) = (at + 1, usize::from(heard));
    let mut lines = vec![
        String::new(),
        format!(
            "{}: {}: {fresh} {}",
            words.member,
            member.name,
            onoff(attached, "attached", "detached")
        ),
        format!("{indent}port_id: {id}"),
        format!("{indent}port_priority: 65535"),
    ];
    if words.release >= (1, 8) {
        lines.push(format!("{indent}may_enable: {}", dom0.may_enable(bond, member)));
    }
    let rest = [
        String::new(),
        format!("actor sys_id: {}", bond.mac),
        "actor sys_priority: 65534".to_string(),
        format!("actor port_id: {id}"),
        "actor port_priority: 65535".to_string(),
        "actor key: 1".to_string(),
        format!("actor state: activity{fast} aggregation{carries}{defaulted}"),
        String::new(),
        format!("partner sys_id: {partner}"),
        format!("partner sys_priority: {}", number * 32768),
        format!("partner port_id: {}", number * (id + 100)),
        format!("partner port_priority: {}", number * 32768),
        format!("partner key: {}", number * 32778),
        format!("partner state:{state}"),
    ];
    let indented = |line: String| if line.is_empty() { line } else { format!("{indent}{line}") };
    lines.extend(rest.into_iter().map(indented));
    lines
}

fn lacp_show(words: &Words, name: &str, bond: &VsBond, dom0: &Dom0) -> String {
    let indent = words.indent;
    let time = bond.other_config.get("lacp-time").map_or("slow", String::as_str);
    let negotiated = if dom0.is_negotiated(bond) { " negotiated" } else { "" };
    let mut lines = vec![
        if words.release >= (1, 3) { format!("---- {name} ----") } else { format!("lacp: {name}") },
        format!("{indent}status: {}{negotiated}", bond.lacp),
        format!("{indent}sys_id: {}", bond.mac),
        format!("{indent}sys_priority: 65534"),
        format!("{indent}aggregation key: 1"),
        format!("{indent}lacp_time: {time}"),
    ];
    for (at, member) in bond.members.iter().enumerate() {
        lines.extend(lacp_lines(words, at, bond, member, dom0));
    }
    lines.join("\n") + "\n"
}

/// `ovs-vsctl [--timeout=N] COMMAND`.
pub(crate) fn vsctl(shell: &mut Shell<'_>, args: &[String]) -> i32 {
    if !runs(shell) {
        shell.complain("ovs-vsctl: unix:/var/run/openvswitch/db.sock: database connection failed (No such file or directory)");
        return 1;
    }
    let args: Vec<&str> =
        args.iter().map(String::as_str).filter(|arg| !arg.starts_with("--")).collect();
    let release = shell.state.vswitch_release();
    match args.as_slice() {
        ["port-to-br", name] => {
            let dom0 = &shell.state.dom0;
            let bridge = dom0.vswitch.get(*name).map(|bond| bond.bridge.clone());
            let Some(bridge) = bridge else {
                shell.complain(format!("ovs-vsctl: no port named {name}"));
                return 1;
            };
            shell.say(bridge);
            0
        }
        ["list", table, name] if table.eq_ignore_ascii_case("port") => {
            let Some(bond) = shell.state.dom0.vswitch.get(*name).cloned() else {
                shell.complain(format!("ovs-vsctl: no row \"{name}\" in table Port"));
                return 1;
            };
            for (column, value) in record(release, name, &bond, &shell.state.dom0) {
                shell.say(format!("{column:<20}: {value}"));
            }
            0
        }
        _ => {
            shell.complain(format!(
                "ovs-vsctl: unknown command '{}'; use --help for help",
                args.first().unwrap_or(&"")
            ));
            1
        }
    }
}

/// A record of the table `Port`: a name with a digit in it is quoted up to 2.12.
fn record(release: Vswitch, name: &str, bond: &VsBond, dom0: &Dom0) -> Vec<(&'static str, String)> {
    let quoted = |text: &str| format!("\"{text}\"");
    let bare = |text: &str| if release < (2, 13) { quoted(text) } else { text.to_string() };
    let uuids: Vec<String> =
        bond.members.iter().map(|m| uuid_of(&format!("interface {}", m.name))).collect();
    let pairs: Vec<String> = bond
        .other_config
        .iter()
        .map(|(k, v)| format!("{k}={}", if v.parse::<u64>().is_ok() { quoted(v) } else { bare(v) }))
        .collect();
    let active = bond.active.as_ref().and_then(|nic| dom0.mac_of(nic));
    let mac = active.map_or("[]".to_string(), |mac| quoted(&mac));
    let none = || "[]".to_string();
    let empty = || "{}".to_string();
    let columns = [
        ((1, 0), "_uuid", uuid_of(&format!("port {name}"))),
        ((2, 4), "bond_active_slave", mac),
        ((1, 0), "bond_downdelay", bond.downdelay.to_string()),
        ((1, 0), "bond_fake_iface", "false".to_string()),
        ((1, 1), "bond_mode", bond.mode.clone()),
        ((1, 0), "bond_updelay", bond.updelay.to_string()),
        ((2, 8), "cvlans", none()),
        ((1, 0), "external_ids", empty()),
        ((1, 0), "fake_bridge", "false".to_string()),
        ((1, 0), "interfaces", format!("[{}]", uuids.join(", "))),
        ((1, 1), "lacp", bond.lacp.clone()),
        ((1, 0), "mac", quoted(&bond.mac)),
        ((1, 0), "name", bare(name)),
        ((1, 0), "other_config", format!("{{{}}}", pairs.join(", "))),
        ((2, 8), "protected", "false".to_string()),
        ((1, 1), "qos", none()),
        ((2, 4), "rstp_statistics", empty()),
        ((2, 4), "rstp_status", empty()),
        ((1, 4), "statistics", empty()),
        ((1, 4), "status", empty()),
        ((1, 0), "tag", none()),
        ((1, 0), "trunks", none()),
        ((1, 4), "vlan_mode", none()),
    ];
    let has = columns.into_iter().filter(|(since, ..)| release >= *since);
    has.map(|(_, column, value)| (column, value)).collect()
}
