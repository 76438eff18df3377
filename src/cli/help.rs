//! What help and manual say beyond each option: the options' groups, examples and exit codes.

use clap::{Arg, Command, CommandFactory, FromArgMatches};

use super::args::Cli;
use super::flags::heading;
use crate::outcome::Exit;
use crate::spec::Group;

/// The job in three lines.
pub(crate) const JOB: [&str; 3] = [
    "xenbond rehearse",
    "xenbond plan  --bond bond51 --nic eth2,eth3 --address 172.16.51.11/24",
    "xenbond apply --bond bond51 --nic eth2,eth3 --address 172.16.51.11/24",
];

/// Examples of every command.
const EXAMPLES: &[(&str, [&str; 2])] = &[
    (
        "plan",
        [
            "xenbond plan --bond bond51 --nic eth2,eth3 --address 172.16.51.11/24",
            "xenbond plan --spec bond.ini --out bond51.plan",
        ],
    ),
    ("apply", ["xenbond apply --spec bond.ini", "xenbond apply bond51 --yes"]),
    ("resume", ["xenbond resume", "xenbond resume --json"]),
    ("confirm", ["xenbond confirm", "xenbond confirm --json"]),
    ("rollback", ["xenbond rollback --dry-run", "xenbond rollback bond51 --yes"]),
    ("adopt", ["xenbond adopt bond51", "xenbond adopt bond51 --yes --json"]),
    ("remove", ["xenbond remove bond51", "xenbond remove bond51 --backend openvswitch --reboot"]),
    ("verify", ["xenbond verify bond51 --json", "xenbond verify bond0 --format nagios"]),
    ("list", ["xenbond list", "xenbond list --json"]),
    ("spec", ["xenbond spec bond51 > bond51.ini", "xenbond spec bond0"]),
    ("init", ["xenbond init > bond.ini", "xenbond init --json"]),
    ("status", ["xenbond status", "xenbond status --json"]),
    ("show", ["xenbond show bond51", "ssh root@xen01 ovs-appctl bond/show | xenbond show -"]),
    (
        "drill",
        [
            "xenbond drill bond51 --target 172.16.51.2",
            "xenbond drill bond52 --target 172.16.52.2 --cut-links",
        ],
    ),
    (
        "render",
        [
            "xenbond render --spec bond.ini --dom0 el7 --out files",
            "xenbond render --spec bond.ini --dom0 el5 --templates mine --out files",
        ],
    ),
    ("inventory", ["xenbond inventory", "ssh root@xen01 ./xenbond inventory > xen01.json"]),
    (
        "rehearse",
        [
            "xenbond rehearse --spec bond.ini --fail-at 12",
            "xenbond rehearse --inventory xen01.json --spec bond.ini",
        ],
    ),
    ("findings", ["xenbond findings", "xenbond findings --json"]),
    ("log", ["xenbond log", "xenbond log 20261120130201-bond51"]),
    (
        "completions",
        [
            "xenbond completions bash > /etc/bash_completion.d/xenbond",
            "xenbond completions zsh > /usr/share/zsh/site-functions/_xenbond",
        ],
    ),
    ("man", ["xenbond man apply | man -l -", "xenbond man --out /usr/share/man/man8"]),
];

/// The examples of a command.
pub(crate) fn of(command: &str) -> &'static [&'static str] {
    let found = EXAMPLES.iter().find(|(name, _)| *name == command);
    found.map_or(&[], |(_, lines)| lines)
}

/// How to ask for the help of the command in `args`.
pub(crate) fn help_of(args: &[std::ffi::OsString]) -> String {
    let words = args.iter().skip(1).filter_map(|arg| arg.to_str());
    let name = words.into_iter().find(|word| !of(word).is_empty());
    name.map_or("xenbond --help".into(), |name| format!("xenbond {name} --help"))
}

/// The command line with everything that its help says.
pub(crate) fn command() -> Command {
    let mut job = format!("Examples:\n{}\nExit codes:\n", lines(&JOB));
    for (code, meaning) in Exit::ALL {
        job.push_str(&format!("  {code}  {meaning}\n"));
    }
    Cli::command().after_help(job).mut_args(grouped).mut_subcommands(|sub| {
        let text = format!("Examples:\n{}", lines(of(sub.get_name())));
        sub.after_help(text).mut_args(grouped)
    })
}

/// Reads the arguments.
///
/// # Errors
/// With the usage error, or the help that was asked for.
pub(crate) fn parse(args: &[std::ffi::OsString]) -> Result<Cli, clap::Error> {
    let mut command = command();
    let matches = command.try_get_matches_from_mut(args).map_err(plainly)?;
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// The error without the advice to take what is no option for the name of a bond.
fn plainly(mut error: clap::Error) -> clap::Error {
    use clap::error::{ContextKind, ContextValue};
    if let Some(ContextValue::StyledStrs(tips)) = error.get(ContextKind::Suggested) {
        let good = tips.iter().filter(|tip| !tip.to_string().contains("as a value, use"));
        let good = ContextValue::StyledStrs(good.cloned().collect());
        error.insert(ContextKind::Suggested, good);
    }
    error
}

fn lines(all: &[&str]) -> String {
    all.iter().map(|line| format!("  {line}\n")).collect()
}

/// An option in its group; those of a spec come with theirs.
fn grouped(arg: Arg) -> Arg {
    let group = match arg.get_id().as_str() {
        "root" | "json" | "color" | "quiet" | "verbose" => "Global options",
        "templates" | "inventory" | "dom0" => heading(Group::Way),
        "accept" | "yes" | "reboot" | "confirm_within" | "plan" | "check" | "cut_links"
        | "dry_run" => heading(Group::Safety),
        _ => return arg,
    };
    arg.help_heading(group)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<Command> {
        let mut command = command();
        command.build();
        let subs = command
            .get_subcommands()
            .filter(|c| c.get_name() != "help" && !c.is_hide_set())
            .cloned();
        let mut all: Vec<Command> = subs.collect();
        all.push(command);
        all
    }

    #[test]
    fn every_option_has_help_within_80_columns() {
        for mut command in all() {
            for arg in command.get_arguments() {
                let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
                assert!(!help.is_empty(), "{}: {} has no help", command.get_name(), arg.get_id());
            }
            for text in [command.render_help(), command.render_long_help()] {
                for line in text.to_string().lines() {
                    assert!(line.len() <= 80, "{}: {line}", command.get_name());
                    assert!(line.is_ascii(), "{}: {line}", command.get_name());
                }
            }
        }
    }

    #[test]
    fn every_command_has_two_examples_that_it_takes() {
        let mut seen = JOB.to_vec();
        for command in all().iter().filter(|c| c.has_subcommands() == c.get_name().is_empty()) {
            let name = command.get_name();
            assert_eq!(of(name).len(), 2, "examples of {name}: add them to EXAMPLES");
            for line in of(name) {
                assert!(line.contains(&format!("xenbond {name}")), "{name}: {line}");
            }
            seen.extend(of(name));
        }
        for line in seen {
            let words = line.split(['|', '>']).find(|part| part.contains("xenbond ")).unwrap();
            let words = words.split_whitespace().skip_while(|word| !word.ends_with("xenbond"));
            let args: Vec<std::ffi::OsString> = words.map(Into::into).collect();
            assert!(parse(&args).is_ok(), "{line}: {}", parse(&args).unwrap_err());
        }
    }

    #[test]
    fn help_shows_the_job_and_the_exit_codes() {
        let help = command().render_help().to_string();
        assert!(JOB.iter().all(|line| help.contains(line)), "{help}");
        for (code, meaning) in Exit::ALL {
            assert!(help.contains(&format!("  {code}  {meaning}\n")), "{help}");
        }
    }
}
