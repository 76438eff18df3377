//! `man`: a page for each command, made from what `--help` is made from.

use anyhow::{Context, Result, anyhow};
use clap::Command;
use clap_mangen::Man;

use super::args;
use super::help;
use super::request::Usage;
use crate::outcome::Exit;
use crate::report;

/// The manual's section for commands of an administrator.
const SECTION: &str = "8";

pub(super) fn run(args: &args::Man) -> Result<Exit> {
    let pages = pages();
    if let Some(folder) = &args.out {
        std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        for (name, text) in &pages {
            let file = folder.join(format!("{name}.{SECTION}"));
            std::fs::write(&file, text).with_context(|| format!("writing {}", file.display()))?;
            report::out(format!("{}\n", file.display()));
        }
        return Ok(Exit::AsAsked);
    }
    let wanted = args.page.as_ref().map_or("xenbond".into(), |page| format!("xenbond-{page}"));
    let found = pages.iter().find(|(name, _)| *name == wanted);
    let known = || {
        let names: Vec<&str> =
            pages.iter().map(|(name, _)| name.trim_start_matches("xenbond-")).collect();
        anyhow!("there is no page {}: {}", wanted.escape_debug(), names.join(", ")).context(Usage)
    };
    let (_, text) = found.ok_or_else(known)?;
    report::out_plain(text);
    Ok(Exit::AsAsked)
}

/// Every page by its name.
fn pages() -> Vec<(String, String)> {
    let mut command = help::command();
    command.build();
    let mut pages = vec![("xenbond".to_string(), page(&command, "xenbond", &help::JOB))];
    for sub in command.get_subcommands().filter(|c| c.get_name() != "help" && !c.is_hide_set()) {
        let name = format!("xenbond-{}", sub.get_name());
        pages.push((name.clone(), page(sub, &name, help::of(sub.get_name()))));
    }
    pages
}

fn page(command: &Command, name: &str, lines: &[&str]) -> String {
    let man = Man::new(command.clone())
        .title(name.to_uppercase())
        .section(SECTION)
        .source(format!("xenbond {}", env!("CARGO_PKG_VERSION")))
        .manual("xenbond");
    let mut bytes = Vec::new();
    let parts = [
        Man::render_title,
        Man::render_name_section,
        Man::render_synopsis_section,
        Man::render_description_section,
        Man::render_options_section,
    ];
    // Writing to memory does not fail.
    for part in parts {
        let _ = part(&man, &mut bytes);
    }
    let mut text = String::from_utf8_lossy(&bytes).into_owned();
    if command.has_subcommands() {
        text.push_str(".SH COMMANDS\n");
        for sub in command.get_subcommands().filter(|c| c.get_name() != "help" && !c.is_hide_set())
        {
            let about = sub.get_about().map(ToString::to_string).unwrap_or_default();
            let (name, about) = (escaped(sub.get_name()), escaped(&about));
            text.push_str(&format!(".TP\n\\fBxenbond\\-{name}\\fR(8)\n{about}\n"));
        }
    }
    text.push_str(".SH EXAMPLES\n.nf\n");
    for line in lines {
        text.push_str(&format!("{}\n", escaped(line)));
    }
    text.push_str(".fi\n.SH EXIT STATUS\n");
    for (code, meaning) in Exit::ALL {
        text.push_str(&format!(".TP\n\\fB{code}\\fR\n{}\n", escaped(meaning)));
    }
    text
}

/// Text that roff takes word for word.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_with_all_its_parts() {
        let pages = pages();
        assert!(pages.len() > 10, "{}", pages.len());
        for (name, text) in &pages {
            for part in ["TH", "SH NAME", "SH SYNOPSIS", "SH OPTIONS", "SH EXAMPLES", "SH EXIT"] {
                assert!(text.contains(&format!(".{part}")), "{name} has no {part}\n{text}");
            }
            let title = format!(".TH {} 8", name.to_uppercase());
            assert!(text.contains(&title), "{name}: {title}\n{text}");
        }
    }

    #[test]
    fn only_known_requests_start_a_line() {
        for (name, text) in pages() {
            for line in text.lines().filter(|l| l.starts_with(['.', '\''])) {
                let request = line.split(' ').next().unwrap_or_default();
                let known = [
                    ".TH", ".SH", ".TP", ".RS", ".RE", ".nf", ".fi", ".br", ".PP", ".IP", ".ie",
                    ".el",
                ];
                assert!(known.contains(&request), "{name}: {line}");
            }
            assert!(text.is_ascii(), "{name}");
        }
    }
}
