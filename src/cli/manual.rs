//! `man`: a page for each command, made from what `--help` is made from; and completions.

use std::io::IsTerminal;

use anyhow::{Context, Result, anyhow};
use clap::{Arg, Command};

use super::args::{self, Shell};
use super::help;
use super::request::Usage;
use crate::order;
use crate::outcome::Exit;
use crate::report::{self, Page, Part};

/// The manual's section for commands of an administrator.
const SECTION: u8 = 8;

pub(super) fn run(args: &args::Man) -> Result<Exit> {
    let pages = pages();
    if let Some(folder) = &args.out {
        std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        for page in &pages {
            let file = folder.join(format!("{}.{}", page.name, page.section));
            let roff = page.roff();
            std::fs::write(&file, roff).with_context(|| format!("writing {}", file.display()))?;
            report::out(format!("{}\n", file.display()));
        }
        return Ok(Exit::AsAsked);
    }
    let wanted = args.page.as_ref().map_or("xenbond".into(), |page| format!("xenbond-{page}"));
    let found = pages.iter().find(|page| page.name == wanted);
    let known = || {
        let mut names: Vec<&str> =
            pages.iter().map(|page| page.name.trim_start_matches("xenbond-")).collect();
        names.dedup();
        anyhow!("there is no page {}: {}", wanted.escape_debug(), names.join(", ")).context(Usage)
    };
    let page = found.ok_or_else(known)?;
    if std::io::stdout().is_terminal() {
        report::out(page.shown());
    } else {
        report::out_plain(&page.roff());
    }
    Ok(Exit::AsAsked)
}

impl Shell {
    /// Its script for a command. Generators are chosen here: `clap_complete` would bring those of
    /// other shells along.
    #[must_use]
    pub fn script(self, command: &mut clap::Command) -> String {
        use clap_complete::{generate, shells};
        let mut text = Vec::new();
        let mut listed = command.clone().mut_subcommands(|sub| sub.mut_args(help::listed));
        match self {
            Self::Bash => generate(shells::Bash, &mut listed, "xenbond", &mut text),
            Self::Zsh => generate(shells::Zsh, &mut listed, "xenbond", &mut text),
            Self::Fish => generate(shells::Fish, command, "xenbond", &mut text),
        }
        let mut text = String::from_utf8_lossy(&text).into_owned();
        let subs = command.get_subcommands();
        let args =
            subs.flat_map(|sub| sub.get_positionals().map(move |arg| (sub, help::lists(arg))));
        for (sub, folders) in args.filter(|(_, folders)| !folders.is_empty()) {
            // Looked at when the shell asks: in bash between double quotes, in zsh as code.
            let list = |folder: &&str| format!("$(ls {folder} 2>/dev/null)");
            let lists = folders.iter().map(list).collect::<Vec<_>>().join(" ");
            let all = folders.join(" ");
            match self {
                Self::Bash => text = text.replace(&format!(" {all}\""), &format!(" {lists}\"")),
                Self::Zsh => {
                    text = text.replace(&format!("({all})"), &format!("{{compadd -- {lists}}}"));
                }
                Self::Fish => {
                    let name = sub.get_name();
                    let lists = lists.replace("$(", "(");
                    text.push_str(&format!("complete -c xenbond -n \"__fish_xenbond_using_subcommand {name}\" -a \"{lists}\"\n"));
                }
            }
        }
        text
    }
}

/// Every page. That of the spec file comes before that of the command `spec`, which `xenbond spec
/// --help` has as well.
fn pages() -> Vec<Page> {
    let mut command = help::command();
    command.build();
    let mut pages = vec![report::spec_page(), report::templates_page()];
    pages.push(page(&command, "xenbond", &help::JOB));
    for sub in shown(&command) {
        pages.push(page(sub, &format!("xenbond-{}", sub.get_name()), help::of(sub.get_name())));
    }
    pages
}

fn shown(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|sub| sub.get_name() != "help" && !sub.is_hide_set())
}

fn page(command: &Command, name: &str, lines: &[&str]) -> Page {
    let text = |text: Option<&clap::builder::StyledStr>| text.map(ToString::to_string);
    let about = text(command.get_about()).unwrap_or_default();
    let mut page = Page::new(name, SECTION, &about);
    let usage = command.clone().render_usage().to_string();
    page.heading("Synopsis").words(usage.trim_start_matches("Usage: "));
    if let Some(long) = text(command.get_long_about()) {
        page.heading("Description").words(&long);
    }
    page.heading("Options");
    let mut args: Vec<&Arg> = command.get_arguments().filter(|arg| !arg.is_hide_set()).collect();
    order::sort_by_key(&mut args, |arg| arg.get_help_heading());
    let mut group = None;
    for arg in args {
        if arg.get_help_heading() != group {
            group = arg.get_help_heading();
            page.with(Part::Group(group.unwrap_or_default().to_string()));
        }
        page.item(&head(arg), &body(arg));
    }
    if command.has_subcommands() {
        page.heading("Commands");
        for sub in shown(command) {
            let about = text(sub.get_about()).unwrap_or_default();
            page.item(&format!("xenbond-{}(8)", sub.get_name()), &about);
        }
    }
    page.heading("Examples").lines(lines.iter().copied());
    page.heading("Exit status");
    for (code, meaning) in Exit::ALL {
        page.item(&code.to_string(), meaning);
    }
    page
}

/// How an argument is written.
fn head(arg: &Arg) -> String {
    let names = arg.get_value_names().unwrap_or_default().join(" ");
    let short = arg.get_short().map(|short| format!("-{short}"));
    let long = arg.get_long().map(|long| format!("--{long}"));
    let mut words: Vec<String> = short.into_iter().chain(long).collect();
    if arg.get_action().takes_values() || words.is_empty() {
        match words.last_mut() {
            Some(last) => last.push_str(&format!(" {names}")),
            None => words.push(names),
        }
    }
    words.join(", ")
}

/// What an argument's help says, with its values.
fn body(arg: &Arg) -> String {
    let mut text = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let values = arg.get_possible_values();
    if arg.get_action().takes_values() && !values.is_empty() && !arg.is_hide_possible_values_set() {
        let names: Vec<&str> = values.iter().map(|value| value.get_name()).collect();
        text.push_str(&format!(" [one of {}]", names.join(", ")));
    }
    let defaults = arg.get_default_values();
    let told = arg.get_action().takes_values() && !arg.is_hide_default_value_set();
    if let Some(default) = defaults.first().filter(|_| told) {
        text.push_str(&format!(" [default: {}]", default.to_string_lossy()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_with_all_its_parts() {
        let pages = pages();
        assert!(pages.len() > 10, "{}", pages.len());
        for page in pages.iter().filter(|page| page.section == SECTION) {
            let (name, text) = (&page.name, page.roff());
            for part in ["TH", "SH NAME", "SH SYNOPSIS", "SH OPTIONS", "SH EXAMPLES", "SH EXIT"] {
                assert!(text.contains(&format!(".{part}")), "{name} has no {part}\n{text}");
            }
            let title = format!(".TH {} 8", name.to_uppercase());
            assert!(text.contains(&title), "{name}: {title}\n{text}");
        }
    }

    #[test]
    fn only_known_requests_start_a_line_and_a_terminal_of_80_columns_shows_each() {
        for page in pages() {
            let name = &page.name;
            for line in page.roff().lines().filter(|l| l.starts_with(['.', '\''])) {
                let request = line.split(' ').next().unwrap_or_default();
                let known = [".TH", ".SH", ".SS", ".TP", ".nf", ".fi", ".PP"];
                assert!(known.contains(&request), "{name}: {line}");
            }
            let shown = page.shown();
            assert!(page.roff().is_ascii() && shown.is_ascii(), "{name}");
            assert!(shown.lines().all(|line| line.len() <= 88), "{name}: {shown}");
        }
    }

    #[test]
    fn an_option_is_written_as_on_the_command_line() {
        let pages = pages();
        let page = pages.iter().find(|page| page.name == "xenbond-apply").unwrap().shown();
        for line in ["    BOND\n", "    --spec FILE\n", "    -y, --yes\n", "    -h, --help\n"] {
            assert!(page.contains(line), "{line}{page}");
        }
    }
}
