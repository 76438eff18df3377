//! `undo.sh`: the rollback of a transaction as a plain shell script, for the day on which the
//! binary is not there. It lies beside the journal and uses the files in `originals/`.
//!
//! It undoes every step whether or not it was taken: each undo looks first whether there is
//! anything to undo. Every value in it was a typed value or is quoted.

mod kept;

use std::os::unix::ffi::OsStrExt;

use crate::host::{Cmd, Kind, name, quoted};
use crate::net::Uuid;
use crate::options::Values;
use crate::paths;
use crate::paths::original_name;
use crate::plan::Plan;
use crate::service::Init;
use crate::service::Service;
use crate::step::{Change, FileChange, LiveOptions, PifRecord, Step, Switch, Tuned};
use crate::xe;

/// The functions that the script's lines call. `XENBOND_ROOT` is for tests alone.
const HEAD: &str = include_str!("undo_script/head.sh");

/// The script's wait for XAPI: without it nothing can be introduced again.
const AWAIT_XAPI: &str = "\nif command -v xapi-wait-init-complete >/dev/null; then try xapi-wait-init-complete 600; fi\n";

/// In the background: a member that is down makes it hang, and the master has written by then.
const SYNC: &str = "\n# XAPI's database on disk; networkd writes its own within 300 s.\nrun xe pool-sync-database >/dev/null 2>&1 &\n";

/// A word as the script must be given it, on one line whatever is in it: what is no printable ASCII
/// is made by `printf`, so that no line of the script is another file's or XAPI's.
fn word(text: &str) -> String {
    let name = name(text);
    let bytes = name.as_bytes();
    if bytes.iter().all(|b| (b' '..=b'~').contains(b)) {
        return quoted(text);
    }
    let mut format = String::new();
    for byte in bytes {
        match byte {
            b'%' => format.push_str("%%"),
            b' '..=b'~' if !b"\\'".contains(byte) => format.push(char::from(*byte)),
            _ => format.push_str(&format!("\\{byte:03o}")),
        }
    }
    // The shell takes line ends off the end of what a command prints.
    format!("\"$(printf '{format}')\"")
}

/// A command as a line of the script; the argument `instead.0` is written as `instead.1`.
fn command(cmd: &Cmd, instead: (&str, &str)) -> String {
    let mut line = cmd.program.to_string();
    for arg in &cmd.args {
        line.push(' ');
        line.push_str(&if arg == instead.0 { instead.1.to_string() } else { word(arg) });
    }
    line
}

/// Another host's record is not acted on.
fn only_here(host: &Uuid) -> String {
    format!(
        "\n# This host's record only.\nif [ -e \"$R{file}\" ] && ! grep -q {host} \"$R{file}\"; then\n    echo 'undo: this is the record of another host ({host}): nothing is done' >&2\n    exit 4\nfi\n",
        file = paths::INVENTORY
    )
}

/// The script of a plan, for the host of this uuid. `first`: the change whose bond it repairs, and
/// which is undone with it.
#[must_use]
pub(crate) fn script(plan: &Plan, host: Option<&Uuid>, first: Option<&str>) -> String {
    let mut text = HEAD.to_string();
    text.extend(host.map(only_here));
    text.push_str(AWAIT_XAPI);
    for (at, step) in plan.steps.iter().enumerate().rev() {
        text.push_str(&format!("\n# {}. {}\n", at + 1, step.undo_title()));
        match step {
            Step::SwitchBackend(switch) => {
                let bond = &plan.spec.bond;
                text.push_str(&format!("if another_bond {bond}; then\n    tell 'the backend stays: another bond needs it'\nelse\n"));
                backend(switch, &mut text);
                text.push_str("fi\n");
            }
            Step::TakeDown(bond) => text.push_str(&format!("bond_up {}\n", bond.bond)),
            Step::BringUp(bond) => {
                text.push_str(&format!("bond_down {}\n", bond.bond));
                maybe(bond.tuned.iter().flat_map(Tuned::changes).collect(), &mut text);
            }
            step if step.is_live() => live(step, &mut text),
            Step::TakeVlanDown(vlan) => text.push_str(&format!("bond_up {}\n", vlan.device)),
            Step::BringVlanUp(vlan) => text.push_str(&format!("bond_down {}\n", vlan.device)),
            Step::ForgetPif(record) => pif(record, &mut text),
            Step::IntroduceUnmanaged(record) => {
                text.push_str(&format!("forget_unmanaged {} {}\n", record.host, record.device));
            }
            Step::GiveBack(given) => {
                let PifRecord { host, device, mac, .. } = &given.record;
                text.push_str(&format!("take_from_xapi {host} {device}\n"));
                if given.had.as_ref().is_some_and(|had| !had.is_managed()) {
                    let introduce = xe::introduce(host, device, mac, false);
                    text.push_str(&format!(
                        "[ -n \"$(pif_of {host} {device})\" ] || try {introduce}\n"
                    ));
                }
            }
            Step::SetPif(change) => text.push_str(&kept::pif(change)),
            Step::SetPifNetwork(change) => text.push_str(&kept::network(change)),
            Step::MakeBond(bond) => text.push_str(&kept::bond(bond)),
            Step::CreateNetwork(made) => text.push_str(&kept::made(made)),
            Step::SetBondMode(_) | Step::TakeApart(_) | Step::RemoveNetwork(_) => {
                text.push_str(&format!("try {}\n", step.by_hand("")));
            }
            Step::File(change) => file(change, &mut text),
            Step::BootUnit(unit) => {
                if unit.goes() {
                    file(&unit.file, &mut text);
                    for cmd in unit.service.enable() {
                        text.push_str(&format!("try {cmd}\n"));
                    }
                    continue;
                }
                if !unit.was_enabled {
                    text.push_str(&format!(
                        "[ ! -e \"$R{}\" ] || try {}\n",
                        unit.file.path,
                        unit.service.disable()
                    ));
                }
                file(&unit.file, &mut text);
                if unit.service.init == Init::Systemd {
                    text.push_str("try systemctl daemon-reload\n");
                }
            }
            _ => {}
        }
    }
    if plan.steps.iter().any(Step::asks_xapi) {
        text.push_str(SYNC);
    }
    if plan.reboots() {
        text.push_str("\ntell 'reboot this host, if it has been rebooted since xenbond changed it: shutdown -r now'\n");
    }
    text.push_str(&going_on());
    text.extend(first.map(|id| {
        let script = word(&format!("/../{id}/undo.sh"));
        format!("\n# And the change whose bond this one repaired.\nsh \"$here\"{script} || bad=1\n")
    }));
    text.push_str("\n[ $bad = 0 ] && tell done\nexit $((bad * 4))\n");
    text
}

/// The lines that keep a boot from going on with the change.
fn going_on() -> String {
    let mut text = String::from("\n# What goes on after a boot.\n");
    for init in [Init::Systemd, Init::Sysv] {
        let service = Service::of_resume(init);
        text.push_str(&format!(
            "if [ -e \"$R{file}\" ]; then try {}; take_away {file}; fi\n",
            service.disable(),
            file = service.file()
        ));
    }
    text + &format!("rm -rf \"$R{}\"\n", paths::BIN)
}

fn file(change: &FileChange, text: &mut String) {
    let (path, name) = (word(&change.path), word(&original_name(&change.path)));
    match (&change.was, &change.block_of) {
        // Lines of others about the bond went with it, and come back with the file.
        (Kind::File { .. }, Some(_)) if change.takes_more() => {
            text.push_str(&format!("put_back {path} {name}\n"));
        }
        (_, Some(bond)) => text.push_str(&format!("take_block_out {path} {bond} {name}\n")),
        (Kind::Absent, None) => text.push_str(&format!("take_away {path}\n")),
        _ => text.push_str(&format!("put_back {path} {name}\n")),
    }
}

/// What was changed of a device that stays up.
fn live(step: &Step, text: &mut String) {
    match step {
        Step::Join(member) => {
            text.push_str(&format!("slave_out {} {}\n", member.bond, member.nic));
        }
        Step::Leave(member) => {
            text.push_str(&format!("slave_in {} {}\n", member.bond, member.nic));
        }
        Step::SetOptions(options) => set_options(options, text),
        Step::SetMtu(_) => text.push_str(&format!("try {}\n", step.by_hand(""))),
        Step::SetNetwork(network) => maybe(network.undo_commands(), text),
        Step::Tune(tuning) => maybe(tuning.nic.changes(), text),
        _ => {}
    }
}

fn maybe(all: Vec<Cmd>, text: &mut String) {
    text.extend(all.iter().map(|cmd| format!("maybe {cmd}\n")));
}

/// Twice, since one may stand in the way of another.
fn set_options(options: &LiveOptions, text: &mut String) {
    let bond = &options.bond;
    for _ in 0..2 {
        for one in options.written_back() {
            let name = one.path.rsplit('/').next().unwrap_or_default();
            text.push_str(&format!("set_option {bond} {name} {}\n", word(&one.value)));
        }
    }
    let single = |change: &&Change| !matches!(change.option.row().values, Values::Targets);
    for Change { option, was, .. } in options.changes.iter().filter(single) {
        text.push_str(&format!("has_option {bond} {option} {}\n", word(was)));
    }
}

fn backend(switch: &Switch, text: &mut String) {
    text.push_str(&format!(
        "[ \"$(cat \"$R{conf}\")\" = {from} ] || try {script} {from}\n",
        conf = paths::NETWORK_CONF,
        from = word(switch.from.word()),
        script = crate::host::Program::XeSwitchNetworkBackend,
    ));
    for original in &switch.files {
        let (path, name) = (word(&original.path), word(&original_name(&original.path)));
        match (&original.was, Switch::is_its_own(&original.path)) {
            (Kind::Absent, _) => text.push_str(&format!("take_away {path}\n")),
            (Kind::Link { target }, _) => {
                let target = word(target);
                text.push_str(&format!("[ -L \"$R\"{path} ] || try ln -s {target} \"$R\"{path}\n"));
            }
            (_, true) => text.push_str(&format!("put_back {path} {name}\n")),
            (_, false) => text.push_str(&format!("put_back_missing {path} {name}\n")),
        }
    }
}

fn pif(record: &PifRecord, text: &mut String) {
    let Some(was) = &record.was else { return };
    let (host, device) = (&record.host, &record.device);
    if was.is_managed() {
        text.push_str(&format!("forget_unmanaged {host} {device}\n"));
    }
    let introduce = xe::introduce(host, device, &record.mac, was.is_managed());
    text.push_str(&format!(
        "[ -n \"$(pif_of {host} {device})\" ] || try {introduce}\npif=$(pif_of {host} {device})\n"
    ));
    // All that the record had, set anew: a script cannot tell what differs.
    let nothing = xe::Pif {
        ip: if was.ip_mode() == "none" { was.ip.clone() } else { Default::default() },
        properties: Default::default(),
        other_config: Default::default(),
        disallow_unplug: false,
        ..was.clone()
    };
    let uuid = format!("uuid={}", was.uuid);
    let found = (uuid.as_str(), "uuid=\"$pif\"");
    let mut cmds = xe::restore(&nothing, was);
    if was.attached {
        cmds.push(xe::plug(&was.uuid.to_string()));
    }
    for cmd in cmds {
        text.push_str(&format!("try {}\n", command(&cmd, found)));
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn any_word_is_one_line_and_gives_its_very_bytes_back() {
        for text in [
            "ifcfg-eth2",
            "",
            "it's",
            "a b\tc",
            "x\ny",
            "100% \\n",
            "$(touch /tmp/x) `id` \"q\"",
            "\u{1b}]0;title\u{7}",
            "h\u{f6}st",
            "b\u{f7fc}ro",
        ] {
            let word = word(text);
            assert!(word.bytes().all(|b| (b' '..=b'~').contains(&b)), "{word}");
            let script = format!("printf %s {word}");
            let output = Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(output.stdout, name(text).as_bytes(), "{script}");
        }
    }

    #[test]
    fn only_a_whole_argument_is_put_in_place_of_the_uuid() {
        let args = ["pif-param-set", "uuid=1", "other-config:x=see uuid=1 here"];
        let cmd = Cmd::change(crate::host::Program::Xe, &args, std::time::Duration::ZERO);
        assert_eq!(
            command(&cmd, ("uuid=1", "uuid=\"$pif\"")),
            "xe pif-param-set uuid=\"$pif\" 'other-config:x=see uuid=1 here'"
        );
    }
}
