//! Reading `ifcfg-*` files as the network scripts do: they source them with bash and, here
//! and there, grep in them (tests/ground/initscripts.md, A1, E1 and G1).
//!
//! It knows as much of the shell's grammar as such files use, and which file names the scripts
//! pass over. It must not know what xenbond writes (render does) nor where files lie. It
//! never runs, expands or guesses anything: what is more than a plain assignment is kept
//! literally and flagged, and the caller decides whether it can live with that.

mod shell;
#[cfg(test)]
mod tests;

use shell::{Reader, Word};

/// What bash holds after sourcing a file, as far as that can be read without running it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ifcfg {
    assignments: Vec<Assignment>,
    foreign: Vec<usize>,
    crlf: bool,
}

/// One assignment, quotes removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The line on which it starts, from 1.
    pub line: usize,
    /// The variable.
    pub key: String,
    /// The value; for `KEY+=more` with what it was before.
    pub value: String,
    /// Whether bash would hold exactly `value`; otherwise it has expansions, kept literally.
    pub constant: bool,
}

/// `BONDING_OPTS`, split into words as the scripts split it (tests/ground/initscripts.md, C1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BondingOpts<'a> {
    /// `key=value` words in the order written, which the driver minds; a key may come twice.
    pub pairs: Vec<(&'a str, &'a str)>,
    /// Words without a key or without a `=`: the scripts write nonsense to sysfs for them.
    pub malformed: Vec<&'a str>,
}

/// Builtins whose arguments may be assignments that stay in force in a sourced file.
const DECLARING: [&str; 4] = ["export", "declare", "typeset", "readonly"];

/// Reads a file's text. What is no assignment is counted, see [`Ifcfg::foreign`].
#[must_use]
pub fn parse(text: &str) -> Ifcfg {
    let mut ifcfg = Ifcfg { crlf: text.contains("\r\n"), ..Ifcfg::default() };
    let mut reader = Reader::new(text);
    while let Some(line) = reader.more() {
        let words = reader.statement();
        ifcfg.take(line, words);
    }
    ifcfg
}

impl Ifcfg {
    /// The assignment of `key` that counts: the last one.
    #[must_use]
    pub fn assignment(&self, key: &str) -> Option<&Assignment> {
        self.assignments.iter().rfind(|a| a.key == key)
    }

    /// The value of `key`, see [`Ifcfg::assignment`].
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.assignment(key).map(|a| a.value.as_str())
    }

    /// Every key with the value that counts, in the order of the assignments that count.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.assignments
            .iter()
            .filter(|a| self.assignment(&a.key).is_some_and(|last| std::ptr::eq(last, *a)))
            .map(|a| (a.key.as_str(), a.value.as_str()))
    }

    /// Every assignment in order, those that a later one makes void too.
    #[must_use]
    pub fn assignments(&self) -> &[Assignment] {
        &self.assignments
    }

    /// The lines on which something other than an assignment or a comment starts: commands
    /// (`KEY = value` is one), compound statements, an unclosed quote. Assignments inside or
    /// after them may not take place.
    #[must_use]
    pub fn foreign(&self) -> &[usize] {
        &self.foreign
    }

    /// Whether lines end in CR LF. The CR is part of each value then, as it is for bash
    /// (tests/ground/initscripts.md, B4).
    #[must_use]
    pub fn has_crlf(&self) -> bool {
        self.crlf
    }

    /// Whether this reading is surely what bash holds: constants, nothing foreign, no CR LF.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        !self.crlf && self.foreign.is_empty() && self.assignments.iter().all(|a| a.constant)
    }

    /// `BONDING_OPTS`, if it is set.
    #[must_use]
    pub fn bonding_opts(&self) -> Option<BondingOpts<'_>> {
        self.get("BONDING_OPTS").map(BondingOpts::split)
    }

    /// Takes in what one statement assigns. `None` is one that is not just words.
    fn take(&mut self, line: usize, words: Option<Vec<Word>>) {
        let Some(mut words) = words else { return self.foreign.push(line) };
        let declares =
            words.first().is_some_and(|w| w.key.is_none() && DECLARING.contains(&w.text.as_str()));
        words.drain(..usize::from(declares));
        if words.iter().any(|w| w.key.is_none()) {
            self.foreign.push(line);
            if !declares {
                // `KEY=value command`: the assignment lasts as long as the command.
                return;
            }
        }
        for Word { line, key, append, mut text, mut constant } in words {
            let Some(key) = key else { continue };
            if let Some(before) = self.assignment(&key).filter(|_| append) {
                text.insert_str(0, &before.value);
                constant &= before.constant;
            }
            self.assignments.push(Assignment { line, key, value: text, constant });
        }
    }
}

impl<'a> BondingOpts<'a> {
    /// Splits a value into its words: the key ends at the first `=`, the value starts after
    /// the last one (`${arg%%=*}` and `${arg##*=}` in the scripts).
    #[must_use]
    pub fn split(value: &'a str) -> Self {
        let mut opts = Self::default();
        for word in value.split([' ', '\t', '\n']).filter(|w| !w.is_empty()) {
            match (word.split_once('='), word.rsplit_once('=')) {
                (Some((key, _)), Some((_, value))) if !key.is_empty() => {
                    opts.pairs.push((key, value));
                }
                _ => opts.malformed.push(word),
            }
        }
        opts
    }

    /// The value of `key` that is written last.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&'a str> {
        self.pairs.iter().rfind(|(k, _)| *k == key).map(|(_, value)| *value)
    }
}

/// Whether every version of the scripts passes over a file of this name in network-scripts/:
/// it does not start like a configuration, or ends in a suffix that all of them know.
/// `ifcfg-eth2.save`, `.old`, `.tmp` and the like are used (tests/ground/initscripts.md, F1).
/// udev's renaming is another matter: it reads `.orig` too (tests/ground/initscripts.md, E3).
#[must_use]
pub fn is_ignored_name(file_name: &str) -> bool {
    const SUFFIXES: [&str; 6] = ["~", ".bak", ".orig", ".rpmnew", ".rpmorig", ".rpmsave"];
    !file_name.starts_with("ifcfg") || SUFFIXES.iter().any(|s| file_name.ends_with(s))
}

/// Whether any version's grep for the slaves of `bond` finds this file. They look at lines, not
/// at what sourcing yields, and quote differently; and before initscripts 8.45.43 the pattern
/// is a prefix, so `MASTER=bond51` also counts for bond5 (tests/ground/initscripts.md, A4).
#[must_use]
pub fn names_master(text: &str, bond: &str) -> bool {
    let space = |c: char| c.is_ascii_whitespace() || c == '\x0b';
    text.split('\n').any(|line| {
        let Some(value) = line.trim_start_matches(space).strip_prefix("MASTER=") else {
            return false;
        };
        let el5 = value.strip_prefix('"').unwrap_or(value).starts_with(bond);
        // EL6 and EL7 take ' as well, and match the whole value.
        let el6 = value.strip_prefix('\'').and_then(|v| v.strip_prefix(bond)).is_some_and(|rest| {
            let rest = rest.strip_prefix(['\'', '"']).unwrap_or(rest);
            rest.is_empty() || rest.starts_with(|c| c == '#' || space(c))
        });
        el5 || el6
    })
}

/// Whether the file carries XenServer's own mark (tests/ground/initscripts.md, H1).
#[must_use]
pub fn has_xemanaged(text: &str) -> bool {
    parse(text).get("XEMANAGED") == Some("yes")
}
