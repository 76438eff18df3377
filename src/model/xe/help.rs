//! The usage of `xe` and its help, by release.

use crate::model::programs::shell::Shell;
use crate::model::state::Release;

const OLD: &str = "Usage: xe <cmd> [-s server] [-p port] ([-u username] [-pw password] or [-pwf <password file>]) <other arguments>";
const TRACED: &str = "Usage: xe <cmd> [-s server] [-p port] ([-u username] [-pw password] or [-pwf <password file>]) [--traceparent traceparent] <other arguments>";
const OLD_HELP: &str = "Usage: xe <command> [-s server] [-pw passwd] [-p port] [-u user] [-pwf password-file]\n  [command specific arguments]";

/// The options of the client, from 26.1.
const OPTIONS: &str = "
  xe <command>
    [ -s <server> ]            XenServer host
    [ -p <port> ]              XenServer port number
    [ -u <username> -pw <password> | -pwf <password file> ]
                               User authentication (password or file)
    [ --nossl ]                Disable SSL/TLS
    [ --debug ]                Enable debug output
    [ --debug-on-fail ]        Enable debug output only on failure
    [ --traceparent <value> ]  Distributed tracing context
    [ <other arguments> ... ]  Command-specific options
";

const COMMON: &str = "    cd-list, diagnostic-vm-status, network-list, snapshot-clone
    snapshot-copy, snapshot-disk-list, snapshot-export-to-template
    snapshot-reset-powerstate, snapshot-revert, snapshot-uninstall, sr-list
    template-export, template-uninstall, vm-cd-add, vm-cd-eject
    vm-cd-insert, vm-cd-list, vm-cd-remove, vm-checkpoint, vm-clone
    vm-compute-maximum-memory, vm-copy, vm-disk-add, vm-disk-list
    vm-disk-remove, vm-export, vm-import, vm-install, vm-list, vm-migrate
    vm-pause, vm-reboot, vm-reset-powerstate, vm-restart-device-models
    vm-resume, vm-shutdown, vm-snapshot, vm-snapshot-with-quiesce, vm-start
    vm-suspend, vm-uninstall, vm-unpause, vm-vif-list";

/// Commands whose help is known: required, optional, description.
const COMMANDS: [(&str, &str, &str, &str); 2] = [
    (
        "pif-introduce",
        "host-uuid, device",
        "mac, managed",
        "Create a new PIF object representing a physical interface on a host.",
    ),
    ("vm-create", "name-label", "name-description", "Create a new VM with default parameters."),
];

/// What `xe` alone says, on stderr and with status 0.
pub(super) fn usage(shell: &mut Shell<'_>) -> i32 {
    match shell.state.release() {
        Release::V26_1 => {
            shell.complain(format!(
                "Usage: {OPTIONS}\nA full list of commands can be obtained by running\n  xe help -s <server> -p <port>"
            ));
        }
        release => {
            let text = if release == Release::V24_39 { TRACED } else { OLD };
            shell.complain(format!(
                "{text}\n\nA full list of commands can be obtained by running \n\txe help -s <server> -p <port>"
            ));
        }
    }
    0
}

/// Whether the help of a command can be told. `taken`: whether there is such a command.
pub(super) fn knows(command: Option<&str>, taken: impl Fn(&str) -> bool) -> bool {
    command.is_none_or(|name| COMMANDS.iter().any(|(known, ..)| *known == name) || !taken(name))
}

/// `xe help [COMMAND]`.
pub(super) fn help(shell: &mut Shell<'_>, command: Option<&str>) {
    let Some(name) = command else { return listing(shell) };
    let Some((_, required, optional, text)) = COMMANDS.iter().find(|(known, ..)| *known == name)
    else {
        return shell.say(format!("Unknown command '{name}'"));
    };
    let plain = name == "pif-introduce" && !shell.features().xe_managed;
    let optional = if plain { "mac" } else { *optional };
    shell.say(format!("command name            : {name}"));
    shell.say(format!("        reqd params     : {required}"));
    shell.say(format!("        optional params : {optional}"));
    shell.say(format!("        description     : {text}\n\n"));
}

fn listing(shell: &mut Shell<'_>) {
    let title = "Common command list\n-------------------";
    let text = if shell.state.release() == Release::V26_1 {
        format!(
            "Usage:{OPTIONS}\nTo get help on a specific command:\n  xe help <command>\n\nTo get a full listing of commands:\n  xe help --all\n\n{title}\n\n{COMMON}"
        )
    } else {
        format!(
            "{OLD_HELP}\n\nTo get help on a specific command: xe help <command>\nTo get a full listing of commands: xe help --all\n\n{title}\n{COMMON}"
        )
    };
    shell.say(text);
}
