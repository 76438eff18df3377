//! What help and manual say beyond each option: the options' groups, examples and exit codes.

use clap::builder::PossibleValuesParser;
use clap::{Arg, Command, CommandFactory, FromArgMatches};

use super::args::Cli;
use super::flags::heading;
use crate::engine::FILE_CHANGED;
use crate::net::BondMode;
use crate::options::{TABLE, Values};
use crate::outcome::Exit;
use crate::preflight::Code;
use crate::report;
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
    ("man", ["xenbond man spec", "xenbond man --out /usr/share/man/man8"]),
    ("schema", ["xenbond schema plan", "xenbond schema status > status.schema.json"]),
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

/// The same with every value that an argument is known to take and without hidden commands, for
/// completions: what is refused, and how, is the arguments' own.
pub(crate) fn with_values() -> Command {
    let whole = command().mut_subcommands(|sub| sub.mut_args(valued));
    let shown = whole.get_subcommands().filter(|sub| !sub.is_hide_set()).cloned();
    let bare = Command::new("xenbond").version(env!("CARGO_PKG_VERSION"));
    bare.args(whole.get_arguments().cloned()).subcommands(shown)
}

/// The folders whose names are the values of an argument.
const LISTS: [(&str, &str); 2] =
    [("BOND", "/proc/net/bonding"), ("TRANSACTION", "/var/lib/xenbond/history")];

/// The folders that list the bonds or the transactions that an argument may be.
pub(crate) fn lists(arg: &Arg) -> Vec<&'static str> {
    let names = arg.get_value_names().unwrap_or_default().join(" ");
    let lists = LISTS.iter().filter(|(word, _)| names.contains(word) && arg.is_positional());
    lists.map(|(_, folder)| *folder).collect()
}

/// The argument with those folders for its values.
pub(crate) fn listed(arg: Arg) -> Arg {
    let lists = lists(&arg);
    if lists.is_empty() { arg } else { arg.value_parser(PossibleValuesParser::new(lists)) }
}

fn valued(arg: Arg) -> Arg {
    let option = |id: &str| TABLE.iter().find(|row| row.name == id);
    let values: Vec<&'static str> = match arg.get_id().as_str() {
        _ if !arg.get_possible_values().is_empty() => return arg,
        "mode" => BondMode::ALL.iter().map(|mode| mode.name()).collect(),
        "accept" => Code::ALL.iter().map(|code| code.name()).chain([FILE_CHANGED]).collect(),
        "backend" => vec!["bridge", "keep"],
        "pif" => vec!["auto", "forget", "unmanaged"],
        "command" => report::documented().collect(),
        id => match option(id).map(|row| row.values) {
            Some(Values::Words(words)) => words.to_vec(),
            _ => return arg,
        },
    };
    arg.value_parser(PossibleValuesParser::new(values))
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

/// The error without the advice to take what is no option for the name of a bond, and with a word
/// of warning where it suggests a command that changes the host.
fn plainly(mut error: clap::Error) -> clap::Error {
    use clap::error::{ContextKind, ContextValue};
    if let Some(ContextValue::StyledStrs(tips)) = error.get(ContextKind::Suggested) {
        let mut good = tips.clone();
        good.retain(|tip| !tip.to_string().contains("as a value, use"));
        // A list of none would leave an empty line.
        error.remove(ContextKind::Suggested);
        if !good.is_empty() {
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(good));
        }
    }
    // Nobody is to type a command that changes the host because a wrong one was like it.
    if let Some(ContextValue::Strings(near)) = error.get(ContextKind::SuggestedSubcommand) {
        let said = near.iter().map(|name| match CHANGING.contains(&name.as_str()) {
            true => format!("{name} (changes this host)"),
            false => name.clone(),
        });
        let said = ContextValue::Strings(said.collect());
        error.insert(ContextKind::SuggestedSubcommand, said);
    }
    error
}

/// The commands that change a host.
const CHANGING: [&str; 7] = ["apply", "resume", "confirm", "rollback", "adopt", "remove", "drill"];

fn lines(all: &[&str]) -> String {
    all.iter().map(|line| format!("  {line}\n")).collect()
}

/// An option in its group; those of a spec come with theirs.
fn grouped(arg: Arg) -> Arg {
    let group = match arg.get_id().as_str() {
        "root" | "json" | "color" | "quiet" | "verbose" => "Global options",
        "templates" | "inventory" | "dom0" | "brief" | "fast" => heading(Group::Way),
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
    fn what_is_broken_as_a_command_is_one() {
        let mut names: Vec<String> = all().iter().map(|c| c.get_name().to_string()).collect();
        names.retain(|name| !command().get_name().eq(name));
        names.sort();
        assert_eq!(names, crate::report::COMMANDS);
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
    fn no_mistyped_command_suggests_one_that_changes_the_host_without_saying_so() {
        let said = |word: &str| {
            let args: Vec<std::ffi::OsString> = vec!["xenbond".into(), word.into()];
            parse(&args).unwrap_err().to_string()
        };
        assert!(said("aply").contains("apply (changes this host)"), "{}", said("aply"));
        assert!(said("rolback").contains("rollback (changes this host)"));
        assert!(said("statsu").contains("'status'"), "{}", said("statsu"));
    }

    #[test]
    fn completions_know_every_value_that_is_known_and_none_that_an_option_has_not() {
        let mut command = with_values();
        command.build();
        let apply = command.find_subcommand("apply").unwrap();
        let values = |id: &str| {
            let arg = apply.get_arguments().find(|arg| arg.get_id() == id).unwrap();
            let values = arg.get_possible_values();
            values.iter().map(|value| value.get_name().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(values("mode").len(), BondMode::ALL.len());
        assert_eq!(values("accept").len(), Code::ALL.len() + 1);
        assert_eq!(values("lacp_rate"), ["slow", "fast"]);
        assert_eq!(values("mtu"), [""; 0]);
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
