//! The emulated `xe`: its argument rules, its commands, and how it prints and fails, as the real
//! one of four releases does (tests/ground/xapi.md, A and B, and what recordings of the real ones
//! say). The records are in `records`, the commands that change something in files of their own.

mod answer;
mod bond;
mod help;
mod host;
mod lists;
mod moves;
mod network;
mod params;
mod pif;
mod records;

use answer::{Answer, Args, Fault, Printed};
pub(crate) use bond::resynchronise;

use crate::model::programs::shell::Shell;
use crate::model::state::{Flavour, Release, Xapi};

/// Words that the client keeps to itself.
const CLIENT: [&str; 9] = [
    "server",
    "port",
    "username",
    "password",
    "passwordfile",
    "nossl",
    "debug",
    "debugonfail",
    "traceparent",
];

/// A command with a function of its own.
type Run = fn(&mut Shell<'_>, &Args) -> Answer;

const COMMANDS: [(&str, Run); 22] = [
    ("pif-forget", pif::forget),
    ("pif-introduce", pif::introduce),
    ("pif-plug", pif::plug),
    ("pif-unplug", pif::unplug),
    ("pif-scan", pif::scan),
    ("pif-reconfigure-ip", pif::reconfigure),
    ("network-create", network::create),
    ("network-destroy", network::destroy),
    ("vlan-create", network::create_vlan),
    ("vlan-destroy", network::destroy_vlan),
    ("bond-create", bond::create),
    ("bond-destroy", bond::destroy),
    ("bond-set-mode", bond::set_mode),
    ("host-disable", host::disable),
    ("host-enable", host::enable),
    ("host-evacuate", host::evacuate),
    ("host-management-reconfigure", bond::manage),
    ("host-is-in-emergency-mode", |_, _| Ok(Printed::line("false"))),
    ("pool-sync-database", |shell, _| host::sync_database(shell)),
    ("network-sriov-list", |_, _| Ok(Printed::Table(Vec::new()))),
    ("message-list", |_, _| Ok(Printed::Table(Vec::new()))),
    ("template-list", |_, _| Ok(Printed::Table(Vec::new()))),
];

/// A command of a class.
type Verb = fn(&mut Shell<'_>, &records::Class, &Args) -> Answer;

const VERBS: [(&str, Verb); 7] = [
    ("list", |shell, class, args| lists::list(shell, class, args)),
    ("param-list", |shell, class, args| lists::one(shell, class, args)),
    ("param-get", |shell, class, args| params::get(shell, class, args)),
    ("param-set", params::set),
    ("param-add", params::add),
    ("param-remove", params::remove),
    ("param-clear", params::clear),
];

/// A command line, taken apart as the client does.
struct Line<'a> {
    command: Option<&'a str>,
    args: Args,
    /// Bare words after the command.
    bare: Vec<&'a str>,
    asks_usage: bool,
}

impl<'a> Line<'a> {
    fn of(argv: &'a [String]) -> Self {
        let mut line = Self {
            command: None,
            args: Args { pairs: Vec::new(), minimal: false },
            bare: Vec::new(),
            asks_usage: false,
        };
        let mut skip = false;
        // The arguments go over the wire joined by line ends, so one with a line end is several.
        for word in argv.iter().flat_map(|a| a.split('\n')) {
            if std::mem::take(&mut skip) {
                continue;
            }
            match word {
                "--minimal" => line.args.minimal = true,
                "--help" | "-help" | "/?" if line.command.is_none() => line.asks_usage = true,
                "-s" | "-h" | "-p" | "-u" | "-pw" | "-pwf" => skip = true,
                _ => line.take(word),
            }
        }
        line
    }

    fn take(&mut self, word: &'a str) {
        let mut pair = |key: &str, value: &str| {
            self.args.pairs.push((key.to_string(), value.to_string()));
        };
        if let Some(switch) = word.strip_prefix("--") {
            return pair(switch, "true");
        }
        match word.split_once('=') {
            Some((key, _)) if CLIENT.contains(&key) => {}
            _ if self.command.is_none() => self.command = Some(word),
            Some((key, value)) => pair(key, value),
            None => {
                pair(word, "");
                self.bare.push(word);
            }
        }
    }
}

/// Whether the model has this command, or why not.
///
/// # Errors
/// What of it the model lacks.
pub(crate) fn knows(release: Release, argv: &[String]) -> Result<(), String> {
    let line = Line::of(argv);
    let Some(command) = line.command else { return Ok(()) };
    if command == "help" {
        let plain = line.args.pairs.len() == line.bare.len();
        let known = plain && help::knows(line.bare.first().copied(), |name| taken(release, name));
        return if known { Ok(()) } else { Err("no help text".to_string()) };
    }
    if ["message-list", "template-list"].contains(&command) {
        return Err(format!("`{command}`: no such records in the model"));
    }
    let known = COMMANDS.iter().any(|(name, _)| *name == command);
    let found = records::class_of(release, command);
    if let Some((class, verb)) = found
        && let Some(field) = unmodelled(class, verb, &line.args)
    {
        return Err(format!("no {} of {}", field, class.name));
    }
    let verb = found.map(|(_, verb)| verb);
    if known || verb.is_some_and(has_verb) || !taken(release, command) {
        return Ok(());
    }
    Err(format!("no `{command}`"))
}

/// The field of a class that is asked for and that the model has not got.
fn unmodelled(class: &records::Class, verb: &str, args: &Args) -> Option<String> {
    let lacks = records::unmodelled(class.name);
    let whole = !lacks.is_empty();
    let params = args.get("params").unwrap_or_default();
    let mut names = params.split(',').chain(args.get("param-name"));
    let filters = args.pairs.iter().map(|(name, _)| name.as_str());
    let filters = filters.map(|name| name.split(':').next().unwrap_or_default());
    let all = verb == "param-list" || params.split(',').any(|name| name == "all");
    if whole && all && !args.minimal {
        return Some("whole record".to_string());
    }
    if verb == "param-list" || params.split(',').any(|name| records::EXPENSIVE.contains(&name)) {
        return Some("expensive field".to_string());
    }
    let mut asked = names.by_ref().chain(filters);
    asked.find(|name| lacks.contains(name)).map(|name| format!("field {name}"))
}

fn has_verb(verb: &str) -> bool {
    VERBS.iter().any(|(name, _)| *name == verb)
}

/// Whether the real `xe` may have a command of this name: what no list here says, the first word
/// of its name does, and a verb that some class has.
fn taken(release: Release, command: &str) -> bool {
    let verbs = [
        "create",
        "destroy",
        "start",
        "shutdown",
        "install",
        "reconfigure",
        "migrate",
        "copy",
        "clone",
        "import",
        "export",
        "add",
        "remove",
        "reboot",
        "suspend",
        "resume",
        "set-mode",
        "set-property",
        "list",
        "eject",
        "insert",
        "join",
        "management-reconfigure",
        "plug",
        "unplug",
        "scan",
        "forget",
        "introduce",
        "disable",
        "enable",
        "evacuate",
        "uninstall",
    ];
    let of_class = records::class_of(release, command).map(|(_, verb)| verb);
    let verb = of_class.or_else(|| command.split_once('-').map(|(_, verb)| verb));
    COMMANDS.iter().any(|(name, _)| *name == command)
        || verb.is_some_and(|verb| verbs.contains(&verb) || verb.starts_with("param-"))
}

/// Runs `xe`; its exit status.
pub(crate) fn run(shell: &mut Shell<'_>, argv: &[String]) -> i32 {
    shell.took += 200;
    let line = Line::of(argv);
    let Some(command) = line.command.filter(|_| !line.asks_usage) else {
        return help::usage(shell);
    };
    if let Some(fault) = refused(shell) {
        return fail(shell, fault);
    }
    if command == "help" {
        help::help(shell, line.bare.first().copied());
        return 0;
    }
    match command_of(shell, command, &line.args) {
        Ok(printed) => {
            lists::print(shell, printed, line.args.minimal);
            0
        }
        Err(fault) => fail(shell, fault),
    }
}

/// Why nothing at all can be asked now.
fn refused(shell: &Shell<'_>) -> Option<Fault> {
    let state = &*shell.state;
    match state.dom0.xapi {
        Xapi::Down => {
            return Some(Fault::Plain("Connection refused (calling connect )".to_string()));
        }
        Xapi::Starting => {
            return Some(Fault::Api(
                "The host toolstack is still initialising. Please wait.",
                Vec::new(),
            ));
        }
        Xapi::Up => {}
    }
    let master = state.pool.hosts.get(&state.pool.master);
    let lost = state.pool.master != state.dom0.me && master.is_some_and(|m| !m.live);
    lost.then_some(Fault::Lost)
}

fn fail(shell: &mut Shell<'_>, fault: Fault) -> i32 {
    match fault {
        Fault::Api(sentence, params) => {
            shell.complain(sentence);
            for (label, value) in params {
                shell.complain(format!("{label}: {value}"));
            }
        }
        Fault::Server(text) => {
            let gap = if shell.state.dom0.flavour == Flavour::El5 { "  " } else { " " };
            shell.complain(format!(
                "The server failed to handle your request, due to an internal error.{gap}The given message may give details useful for debugging the problem."
            ));
            shell.complain(format!("message: {text}"));
        }
        Fault::Plain(text) => shell.complain(format!("Error: {text}")),
        Fault::Code(code, params) => {
            shell.complain(format!("Error code: {code}\nError parameters: {params}"));
        }
        Fault::Usage(text) => shell.complain(format!("{text}\nFor usage run: 'xe help'")),
        Fault::Lost => shell.complain("Lost connection to the server."),
    }
    1
}

fn command_of(shell: &mut Shell<'_>, command: &str, args: &Args) -> Answer {
    if let Some((_, run)) = COMMANDS.iter().find(|(name, _)| *name == command) {
        return run(shell, args);
    }
    let found = records::class_of(shell.state.release(), command);
    let Some((class, verb)) = found else {
        return Err(Fault::Usage(format!("Unknown command: {command}")));
    };
    match VERBS.iter().find(|(name, _)| *name == verb) {
        Some((_, run)) => run(shell, class, args),
        None => Err(Fault::Usage(format!("Unknown command: {command}"))),
    }
}
