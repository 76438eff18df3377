//! Units and SysV services as files: where they lie, what they say, whether they are on, and what
//! happens when one is started.

use super::shell::Shell;
use super::{ifup, modprobe};

/// Start and stop numbers of a SysV service, from its script's `# chkconfig:` line.
pub(crate) fn numbers(shell: &Shell<'_>, name: &str) -> Option<(String, String, String)> {
    let text = shell.read(&format!("etc/rc.d/init.d/{name}"))?;
    let line = text.lines().find_map(|l| l.trim().strip_prefix("# chkconfig:"))?;
    let mut words = line.split_whitespace().map(str::to_string);
    Some((words.next()?, words.next()?, words.next()?))
}

/// Whether a SysV service starts in a level; none when it has no link there.
pub(crate) fn starts(shell: &Shell<'_>, name: &str, level: char) -> Option<bool> {
    let links = shell.list(&format!("etc/rc.d/rc{level}.d"));
    let link = links.iter().find(|l| l.len() > 3 && l[3..] == *name)?;
    Some(link.starts_with('S'))
}

/// A unit's file, by systemd's search order.
pub(crate) fn unit_file(shell: &Shell<'_>, unit: &str) -> Option<String> {
    let folders = ["etc/systemd/system", "run/systemd/system", "usr/lib/systemd/system"];
    folders
        .iter()
        .map(|f| format!("{f}/{unit}"))
        .find(|p| shell.path(p).exists() || shell.read(p).is_some())
}

/// Values of a key in a section of a unit file.
pub(crate) fn unit_values(text: &str, section: &str, key: &str) -> Vec<String> {
    let mut inside = false;
    let mut values = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            inside = line == format!("[{section}]");
        } else if inside
            && let Some((name, value)) = line.split_once('=')
            && name.trim() == key
        {
            values.push(value.trim().to_string());
        }
    }
    values
}

/// Whether a path is there; `/sys` is written when the boot is over.
pub(crate) fn exists(shell: &Shell<'_>, path: &str) -> bool {
    match path.strip_prefix("/sys/class/net/") {
        Some(device) => shell.state.dom0.has_device(device),
        None => shell.exists(path),
    }
}

/// The boot starts the program itself in the background: who runs the model sees to that.
pub(crate) fn runs_itself(shell: &mut Shell<'_>, program: &str, args: &[String]) -> i32 {
    if !shell.exists(program) {
        return 127;
    }
    shell.state.dom0.boot_runs.push(args.join(" "));
    0
}

/// Runs a unit's `ExecStart=` lines, as far as they call the network scripts or `modprobe`.
pub(crate) fn run_unit(shell: &mut Shell<'_>, unit: &str) -> i32 {
    let text = unit_file(shell, unit).and_then(|f| shell.read(&f)).unwrap_or_default();
    for path in unit_values(&text, "Unit", "ConditionPathExists") {
        let (wanted, path) = match path.strip_prefix('!') {
            Some(path) => (false, path),
            None => (true, path.as_str()),
        };
        if exists(shell, path) != wanted {
            return 0;
        }
    }
    let commands =
        ["ExecStartPre", "ExecStart"].iter().flat_map(|key| unit_values(&text, "Service", key));
    for line in commands.collect::<Vec<_>>() {
        let forgiven = line.starts_with('-');
        let line = line.trim_start_matches(['-', '@', '+', '!']);
        let words: Vec<String> =
            line.split_whitespace().map(|w| w.trim_matches(['\"', '\'']).to_string()).collect();
        let Some((program, args)) = words.split_first() else { continue };
        let status = match program.rsplit('/').next().unwrap_or_default() {
            "ifup" => ifup::up(shell, args),
            "modprobe" => modprobe::run(shell, args),
            "xenbond" => runs_itself(shell, program, args),
            _ => 0,
        };
        if status != 0 && !forgiven {
            return 1;
        }
    }
    0
}
