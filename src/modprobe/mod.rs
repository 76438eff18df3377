//! `modprobe.conf` and the files of `modprobe.d`: reading them as module-init-tools and kmod
//! do, and keeping one marked block of ours in them.
//!
//! It knows the files' grammar and the markers. It must not know which lines xenbond wants
//! (render.rs does) nor which files a host reads (tests/ground/initscripts.md, C3). Editing is
//! done on bytes, since every byte outside the block is the operator's and stays.

mod block;
mod loading;
#[cfg(test)]
mod tests;

use std::ops::RangeInclusive;

pub use block::{block, merge_block, remove_block};
pub use loading::{FOLDERS, Files, KeptOut};

/// The driver's module.
pub const DRIVER: &str = "bonding";

/// One command with the lines it stands on, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// More than one line where a backslash ends all but the last.
    pub lines: RangeInclusive<usize>,
    /// What it says.
    pub directive: Directive,
}

/// What a command says. Names are as written; `-` and `_` are the same in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Directive {
    /// `alias ALIAS MODULE`; ALIAS may be a glob, MODULE may be `off`.
    Alias {
        /// The name that stands for the module.
        alias: String,
        /// The module.
        module: String,
    },
    /// `options MODULE ARGS`; they add up over several lines.
    Options {
        /// The module, or an alias of it.
        module: String,
        /// The words, mostly `key=value`.
        args: Vec<String>,
    },
    /// `install MODULE COMMAND`: a shell command to run instead of loading.
    Install {
        /// The module.
        module: String,
        /// The shell command.
        command: String,
    },
    /// `remove MODULE COMMAND`: a shell command to run instead of unloading.
    Remove {
        /// The module.
        module: String,
        /// The shell command.
        command: String,
    },
    /// `blacklist MODULE`: the aliases that the module itself carries do not count.
    Blacklist {
        /// The module.
        module: String,
    },
    /// Anything else: `softdep`, `include` ([`includes`]), and what modprobe ignores as a bad line.
    Other(String),
}

/// Reads a file. Comments and blank lines are left out.
///
/// As in `getline_wrapped` (module-init-tools) and `freadline_wrapped` (kmod), a backslash
/// before a newline joins two lines, comments too, and before any other character it vanishes.
#[must_use]
pub fn parse(text: &str) -> Vec<Command> {
    let mut commands = Vec::new();
    let mut chars = text.chars();
    let (mut first, mut last) = (1, 1);
    let mut logical = String::new();
    loop {
        let c = chars.next();
        match c {
            Some('\\') => match chars.next() {
                Some('\n') => last += 1,
                escaped => logical.extend(escaped),
            },
            Some('\n') | None => {
                if let Some(directive) = directive(&logical) {
                    commands.push(Command { lines: first..=last, directive });
                }
                if c.is_none() {
                    return commands;
                }
                logical.clear();
                last += 1;
                first = last;
            }
            Some(c) => logical.push(c),
        }
    }
}

/// The text without the commands that are meant, all their lines; `None` where there is none.
pub fn without(bytes: &[u8], meant: impl Fn(&Directive) -> bool) -> Option<Vec<u8>> {
    let commands = parse(&String::from_utf8_lossy(bytes));
    let gone: Vec<&Command> = commands.iter().filter(|c| meant(&c.directive)).collect();
    let stays = |line: &usize| !gone.iter().any(|command| command.lines.contains(line));
    let lines = bytes.split_inclusive(|byte| *byte == b'\n').zip(1..);
    let rest = lines.filter(|(_, number)| stays(number)).flat_map(|(line, _)| line);
    (!gone.is_empty()).then(|| rest.copied().collect())
}

/// What a logical line says; `None` for a comment or a blank line.
fn directive(line: &str) -> Option<Directive> {
    let (verb, rest) = word(line);
    if verb.is_empty() || verb.starts_with('#') {
        return None;
    }
    let (name, tail) = word(rest);
    let (second, _) = word(tail);
    let (module, command) = (name.to_string(), tail.trim_end_matches(BLANK).to_string());
    Some(match verb {
        "blacklist" if !name.is_empty() => Directive::Blacklist { module },
        // The others are bad lines without a second word. An alias ignores a third.
        "alias" if !second.is_empty() => {
            Directive::Alias { alias: module, module: second.to_string() }
        }
        "options" if !second.is_empty() => {
            let args = tail.split(BLANK).filter(|a| !a.is_empty()).map(str::to_string).collect();
            Directive::Options { module, args }
        }
        "install" if !second.is_empty() => Directive::Install { module, command },
        "remove" if !second.is_empty() => Directive::Remove { module, command },
        _ => Directive::Other(line.trim_matches(BLANK).to_string()),
    })
}

/// The files and folders that a file names by `include`, which older tools read in its place
/// (module-init-tools 3.3 modprobe.c, `read_config_file`).
#[must_use]
pub fn includes(text: &str) -> Vec<String> {
    let path = |command: Command| included(&command.directive).map(String::from);
    parse(text).into_iter().filter_map(path).collect()
}

fn included(directive: &Directive) -> Option<&str> {
    let Directive::Other(line) = directive else { return None };
    let (verb, rest) = word(line);
    Some(word(rest).0).filter(|path| verb == "include" && !path.is_empty())
}

/// What separates words; a carriage return does not, it becomes part of the word.
const BLANK: [char; 2] = [' ', '\t'];

/// The first word, and what follows it.
fn word(text: &str) -> (&str, &str) {
    let text = text.trim_start_matches(BLANK);
    let (word, rest) = text.split_once(BLANK).unwrap_or((text, ""));
    (word, rest.trim_start_matches(BLANK))
}

/// The module that `alias` stands for, by name and not by glob: the last line wins, as in the
/// network scripts' look-up in `modprobe -c` (tests/ground/initscripts.md, A3).
#[must_use]
pub fn alias_of<'a>(commands: &'a [Command], alias: &str) -> Option<&'a str> {
    commands.iter().rev().find_map(|c| match &c.directive {
        Directive::Alias { alias: name, module } if same_name(name, alias) => Some(module.as_str()),
        _ => None,
    })
}

/// The names that stand for the bonding driver, globs among them, each once.
#[must_use]
pub fn bonding_aliases(commands: &[Command]) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for command in commands {
        if let Directive::Alias { alias, .. } = &command.directive
            && alias_of(commands, alias) == Some("bonding")
            && !names.iter().any(|n| same_name(n, alias))
        {
            names.push(alias);
        }
    }
    names
}

/// The options given for `module`, which may be an alias, over all lines.
#[must_use]
pub fn options_for<'a>(commands: &'a [Command], module: &str) -> Vec<&'a str> {
    let mut options = Vec::new();
    for command in commands {
        if let Directive::Options { module: name, args } = &command.directive
            && same_name(name, module)
        {
            options.extend(args.iter().map(String::as_str));
        }
    }
    options
}

/// `-` and `_` are the same in the names of modules and aliases.
fn same_name(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).all(|(a, b)| same_byte(a, b))
}

fn same_byte(a: u8, b: u8) -> bool {
    a == b || (b"-_".contains(&a) && b"-_".contains(&b))
}
