//! `undo.sh`: the rollback of a transaction as a plain shell script, for the day on which the
//! binary is not there. It lies beside the journal and uses the files in `originals/`.
//!
//! It undoes every step whether or not it was taken: each undo looks first whether there is
//! anything to undo. Every value in it was a typed value or is quoted.

use crate::host::{Kind, quoted};
use crate::paths;
use crate::paths::original_name;
use crate::plan::Plan;
use crate::service::Init;
use crate::service::Service;
use crate::step::{FileChange, PifRecord, Step, Switch};
use crate::xe;

/// The functions that the script's lines call. `XENBOND_ROOT` is for tests alone.
const HEAD: &str = r#"#!/bin/sh
# Undoes what xenbond did, without xenbond. Run it as root: sh undo.sh
# Running it twice is as good as once. It does not compare the host afterwards: look yourself.
set -u
R=${XENBOND_ROOT:-}
PATH="$R/opt/xensource/bin:$R/sbin:$R/usr/sbin:$R/bin:$R/usr/bin:/sbin:/usr/sbin:/bin:/usr/bin"
LC_ALL=C
export PATH LC_ALL
here=$(cd "$(dirname "$0")" && pwd) || exit 4
bad=0

tell() { echo "undo: $*"; }
run() { program=$(command -v "$1") && shift && "$program" "$@" </dev/null; }
try() { tell "$@"; run "$@" || { tell "FAILED: $*"; bad=1; }; }

# put_back PATH NAME: the file as it was, by a temporary file and a rename.
put_back() {
    if cmp -s "$here/originals/$2" "$R$1"; then touch -r "$here/originals/$2" "$R$1"; return; fi
    tell "put back $1"
    temp=$(dirname "$R$1")/.undo.xenbond
    { cp -p "$here/originals/$2" "$temp" && mv -f "$temp" "$R$1"; } || { tell "FAILED: $1"; bad=1; }
}

# take_away PATH: there was no such file.
take_away() {
    if [ -e "$R$1" ] || [ -L "$R$1" ]; then try rm -f "$R$1"; fi
}

# put_back_missing PATH NAME: only where the file is gone.
put_back_missing() {
    if [ ! -e "$R$1" ]; then put_back "$1" "$2"; fi
}

# take_block_out PATH BOND NAME: our lines out of a file that others write too.
take_block_out() {
    grep -q "^# xenbond $2: begin" "$R$1" 2>/dev/null || return
    tell "take our lines out of $1"
    temp=$(dirname "$R$1")/.undo.xenbond
    { cp -p "$R$1" "$temp" && sed "/^# xenbond $2: begin/,/^# xenbond $2: end/d" "$R$1" >"$temp" && mv -f "$temp" "$R$1"; } ||
        { tell "FAILED: $1"; bad=1; }
    if cmp -s "$here/originals/$3" "$R$1"; then touch -r "$here/originals/$3" "$R$1"; fi
}

bond_down() {
    [ -e "$R/sys/class/net/$1" ] || return
    try ifdown "$1"
    if [ -e "$R/sys/class/net/$1" ]; then try ip link delete dev "$1"; fi
}

bond_up() {
    if [ ! -e "$R/sys/class/net/$1" ]; then try ifup "$1"; fi
}

# pif_of HOST DEVICE: the uuid of the NIC's record, if it has one.
pif_of() {
    run xe pif-list host-uuid="$1" device="$2" physical=true VLAN=-1 params=uuid --minimal
}

# forget_unmanaged HOST DEVICE
forget_unmanaged() {
    pif=$(run xe pif-list host-uuid="$1" device="$2" physical=true VLAN=-1 managed=false params=uuid --minimal 2>/dev/null)
    if [ -n "$pif" ]; then try xe pif-forget uuid="$pif"; fi
}
"#;

/// Without XAPI nothing can be introduced again.
const AWAIT_XAPI: &str = "\nif command -v xapi-wait-init-complete >/dev/null; then try xapi-wait-init-complete 600; fi\n";

/// The script of a plan.
#[must_use]
pub fn script(plan: &Plan) -> String {
    let mut text = HEAD.to_string() + AWAIT_XAPI;
    for (at, step) in plan.steps.iter().enumerate().rev() {
        text.push_str(&format!("\n# {}. {}\n", at + 1, step.undo_title()));
        match step {
            Step::SwitchBackend(switch) => backend(switch, &mut text),
            Step::TakeDown(bond) => text.push_str(&format!("bond_up {}\n", bond.bond)),
            Step::BringUp(bond) => text.push_str(&format!("bond_down {}\n", bond.bond)),
            Step::ForgetPif(record) => pif(record, &mut text),
            Step::IntroduceUnmanaged(record) => {
                text.push_str(&format!("forget_unmanaged {} {}\n", record.host, record.device));
            }
            Step::File(change) => file(change, &mut text),
            Step::BootUnit(unit) => {
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
            Step::Reboot { .. } | Step::Verify { .. } => {}
        }
    }
    if plan.reboots() {
        text.push_str("\ntry xe pool-sync-database\ntell 'reboot this host, if it has been rebooted since xenbond changed it: shutdown -r now'\n");
    }
    text.push_str(&going_on());
    text.push_str("\n[ $bad = 0 ] && tell done\nexit $((bad * 4))\n");
    text
}

/// What would go on with the change after a boot is not to.
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
    let (path, name) = (quoted(&change.path), quoted(&original_name(&change.path)));
    match (&change.was, &change.block_of) {
        (_, Some(bond)) => text.push_str(&format!("take_block_out {path} {bond} {name}\n")),
        (Kind::Absent, None) => text.push_str(&format!("take_away {path}\n")),
        _ => text.push_str(&format!("put_back {path} {name}\n")),
    }
}

fn backend(switch: &Switch, text: &mut String) {
    text.push_str(&format!(
        "[ \"$(cat \"$R{conf}\")\" = {from} ] || try {script} {from}\n",
        conf = paths::NETWORK_CONF,
        from = quoted(switch.from.word()),
        script = crate::host::Program::XeSwitchNetworkBackend,
    ));
    for original in &switch.files {
        let (path, name) = (quoted(&original.path), quoted(&original_name(&original.path)));
        match (&original.was, Switch::is_its_own(&original.path)) {
            (Kind::Absent, _) => text.push_str(&format!("take_away {path}\n")),
            (Kind::Link { target }, _) => {
                let target = quoted(target);
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
    let mut cmds = xe::restore(&nothing, was);
    if was.attached {
        cmds.push(xe::plug(&was.uuid.to_string()));
    }
    for cmd in cmds {
        text.push_str(&format!("try {}\n", cmd.to_string().replace(&uuid, "uuid=\"$pif\"")));
    }
}
