//! Reading `ifcfg-*` files as the network scripts do: they source them with bash and, here
//! and there, grep in them (facts/initscripts.md sections 1, 5 and 7).
//!
//! It knows as much of the shell's grammar as such files use, and which file names the scripts
//! pass over. It must not know what xenbond writes (render.rs does) nor where files lie. It
//! never runs, expands or guesses anything: what is more than a plain assignment is kept
//! literally and flagged, and the caller decides whether it can live with that.

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

/// `BONDING_OPTS`, split into words as the scripts split it (facts/initscripts.md section 3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BondingOpts<'a> {
    /// `key=value` words in the order written, which the driver minds; a key may come twice.
    pub pairs: Vec<(&'a str, &'a str)>,
    /// Words without a key or without a `=`: the scripts write nonsense to sysfs for them.
    pub malformed: Vec<&'a str>,
}

/// Builtins whose arguments may be assignments that stay in force in a sourced file.
const DECLARING: [&str; 4] = ["export", "declare", "typeset", "readonly"];

/// Characters that end a word unless quoted (bash(1), "metacharacter").
const META: &str = " \t\n;&|<>()";

/// Reads a file's text. What is no assignment is counted, see [`Ifcfg::foreign`].
#[must_use]
pub fn parse(text: &str) -> Ifcfg {
    let mut ifcfg = Ifcfg { crlf: text.contains("\r\n"), ..Ifcfg::default() };
    let mut reader = Reader { rest: text, line: 1 };
    while !reader.rest.is_empty() {
        let line = reader.line;
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
    /// (facts/initscripts.md section 2).
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
/// `ifcfg-eth2.save`, `.old`, `.tmp` and the like are used (facts/initscripts.md section 6).
/// udev's renaming is another matter: it reads `.orig` too (section 5).
#[must_use]
pub fn is_ignored_name(file_name: &str) -> bool {
    const SUFFIXES: [&str; 6] = ["~", ".bak", ".orig", ".rpmnew", ".rpmorig", ".rpmsave"];
    !file_name.starts_with("ifcfg") || SUFFIXES.iter().any(|s| file_name.ends_with(s))
}

/// Whether any version's grep for the slaves of `bond` finds this file. They look at lines, not
/// at what sourcing yields, and quote differently; and before initscripts 8.45.43 the pattern
/// is a prefix, so `MASTER=bond51` also counts for bond5 (facts/initscripts.md section 1).
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

/// Whether the file carries XenServer's own mark (facts/initscripts.md section 8).
#[must_use]
pub fn has_xemanaged(text: &str) -> bool {
    parse(text).get("XEMANAGED") == Some("yes")
}

/// A word of a statement. With a `key` it is an assignment, and `text` is the value.
struct Word {
    line: usize,
    key: Option<String>,
    append: bool,
    text: String,
    constant: bool,
}

/// The text not yet read.
struct Reader<'a> {
    rest: &'a str,
    line: usize,
}

impl Reader<'_> {
    /// The next character as it stands.
    fn raw(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        self.line += usize::from(c == '\n');
        Some(c)
    }

    /// The next character, unread. A backslash with a newline is nothing at all to bash,
    /// except in single quotes and comments.
    fn peek(&mut self) -> Option<char> {
        while let Some(rest) = self.rest.strip_prefix("\\\n") {
            self.rest = rest;
            self.line += 1;
        }
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        self.peek()?;
        self.raw()
    }

    /// The words up to the next newline or `;`. `None` when it is more than words, or when a
    /// quote is not closed; bash then runs nothing of it, nor of what follows.
    fn statement(&mut self) -> Option<Vec<Word>> {
        let mut words = Vec::new();
        let mut plain = true;
        while let Some(c) = self.peek() {
            if c != '#' && !META.contains(c) {
                match self.word() {
                    Some(word) => words.push(word),
                    None => plain = false,
                }
                continue;
            }
            self.raw();
            match c {
                ' ' | '\t' => {}
                '#' => self.rest = self.rest.find('\n').map_or("", |at| &self.rest[at..]),
                '\n' => break,
                ';' => {
                    // With nothing before it a syntax error.
                    plain &= !words.is_empty();
                    break;
                }
                _ => plain = false,
            }
        }
        plain.then_some(words)
    }

    /// One word with its quotes removed. `None` when the file ends within quotes, brackets or
    /// after a backslash.
    fn word(&mut self) -> Option<Word> {
        let mut word =
            Word { key: None, append: false, line: self.line, text: String::new(), constant: true };
        // Nothing was quoted so far, so a `=` may still make this an assignment.
        let mut bare = true;
        while let Some(c) = self.peek().filter(|c| !META.contains(*c)) {
            self.raw();
            bare &= !"'\"\\$`".contains(c);
            match c {
                '=' if bare && word.key.is_none() => {
                    let name = word.text.strip_suffix('+').unwrap_or(&word.text);
                    bare = is_name(name);
                    if !bare {
                        word.text.push(c);
                        continue;
                    }
                    word.append = name.len() < word.text.len();
                    word.key = Some(name.to_string());
                    word.text.clear();
                    if self.peek() == Some('(') {
                        word.constant = false;
                        self.nested(')', &mut word.text)?;
                    }
                }
                '\'' => loop {
                    match self.raw()? {
                        '\'' => break,
                        c => word.text.push(c),
                    }
                },
                '"' => self.double_quoted(&mut word)?,
                '\\' => word.text.push(self.raw()?),
                '$' | '`' => self.expansion(c, &mut word)?,
                _ => {
                    // A tilde at these places stands for a directory.
                    word.constant &=
                        c != '~' || !(word.text.is_empty() || word.text.ends_with(':'));
                    word.text.push(c);
                }
            }
        }
        Some(word)
    }

    /// The rest of a part in double quotes.
    fn double_quoted(&mut self, word: &mut Word) -> Option<()> {
        loop {
            match self.next()? {
                '"' => return Some(()),
                '\\' => {
                    let c = self.raw()?;
                    if !"$`\"\\".contains(c) {
                        word.text.push('\\');
                    }
                    word.text.push(c);
                }
                c @ ('$' | '`') => self.expansion(c, word)?,
                c => word.text.push(c),
            }
        }
    }

    /// Keeps an expansion that began with `sign` literally. Of a bare `$NAME` only the `$` is
    /// read here, the name is text like any other.
    fn expansion(&mut self, sign: char, word: &mut Word) -> Option<()> {
        word.text.push(sign);
        match (sign, self.peek()) {
            ('`', _) => self.through('`', '`', &mut word.text)?,
            (_, Some('{')) => self.nested('}', &mut word.text)?,
            (_, Some('(')) => self.nested(')', &mut word.text)?,
            (_, Some(c)) if c.is_ascii_alphanumeric() || "_?!#*@-$'\"[".contains(c) => {}
            // A dollar sign that is just that.
            _ => return Some(()),
        }
        word.constant = false;
        Some(())
    }

    /// Copies from the opening bracket that comes next through the one that closes it.
    fn nested(&mut self, close: char, text: &mut String) -> Option<()> {
        let open = self.raw()?;
        text.push(open);
        self.through(open, close, text)
    }

    /// Copies through the `close` that belongs to the `open` just before.
    fn through(&mut self, open: char, close: char, text: &mut String) -> Option<()> {
        let mut depth = 1;
        while depth > 0 {
            let c = self.raw()?;
            text.push(c);
            match c {
                '\\' => text.push(self.raw()?),
                c if c == close => depth -= 1,
                c if c == open => depth += 1,
                _ => {}
            }
        }
        Some(())
    }
}

/// Whether a shell variable can be called this.
fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_values_as_bash_holds_them() {
        for (text, want) in [
            ("K=v", Some("v")),
            ("  K=v  ", Some("v")),
            ("K=", Some("")),
            ("K==v", Some("=v")),
            ("K='a  b' # why", Some("a  b")),
            ("K=\"a b\"\t#why", Some("a b")),
            ("K=a#b", Some("a#b")),
            ("K='\"a\"  '", Some("\"a\"  ")),
            (r#"K="{\"a\": 1}""#, Some("{\"a\": 1}")),
            (r#"K="a\b\\c\$d""#, Some(r"a\b\c$d")),
            (r"K=a\ b\'", Some("a b'")),
            ("K=\"mode=1 primary=\"eth2\" miimon=100\"", Some("mode=1 primary=eth2 miimon=100")),
            ("K='a\nb'", Some("a\nb")),
            ("K=a\\\nb", Some("ab")),
            ("K=\"a \\\n b\"", Some("a  b")),
            ("K=1\nK=2", Some("2")),
            ("K=1; K=2;K=3", Some("3")),
            ("K=1\nK+=2", Some("12")),
            ("J=1 K=2", Some("2")),
            ("export K=v", Some("v")),
            ("export -x K=v", Some("v")),
            ("# K=v", None),
            ("\t#K=v", None),
            ("K = v", None),
            ("K =v", None),
            ("K= v", None),
            ("=export K=v", None),
            ("'K'=v", None),
            ("K=1 true", None),
            ("export K = v", None),
            ("1K=v", None),
            ("K-K=v", None),
            ("K[0]=v", None),
            ("K=\"v", None),
            ("K=v\\", None),
            ("", None),
        ] {
            assert_eq!(parse(text).get("K"), want, "{text:?}");
        }
    }

    #[test]
    fn flags_what_is_not_constant() {
        for (text, value, constant) in [
            ("K=$D", "$D", false),
            ("K=\"-K ${D:-x y} tso off\"", "-K ${D:-x y} tso off", false),
            ("K=a$(echo b; echo $(c d))e", "a$(echo b; echo $(c d))e", false),
            ("K=`date +%s`", "`date +%s`", false),
            ("K=(a b)", "(a b)", false),
            ("K=~/x", "~/x", false),
            ("K=$$", "$$", false),
            ("K=$\\\nD", "$D", false),
            ("K=a:~", "a:~", false),
            ("J=$D\nK=$J\nK+=1", "$J1", false),
            ("K='$D'", "$D", true),
            (r"K=\$D", "$D", true),
            ("K=5$", "5$", true),
            ("K=a~", "a~", true),
        ] {
            let ifcfg = parse(text);
            let k = ifcfg.assignment("K").expect("K is assigned");
            assert_eq!((k.value.as_str(), k.constant), (value, constant), "{text:?}");
            assert_eq!(ifcfg.is_plain(), constant, "{text:?}");
        }
    }

    #[test]
    fn counts_lines_that_are_no_assignments() {
        let text = "\n# c\nA=1\nip link set eth2 up\nB = 2\nC='x\ny'\nif true; then\nD=4 \\\n E=5\n\
                    export F=1 G\n(H=1)\n;\nJ=1 && true\nI=\"\n";
        let ifcfg = parse(text);
        assert_eq!(ifcfg.foreign(), [4, 5, 8, 8, 11, 12, 13, 14, 15]);
        let lines: Vec<_> = ifcfg.assignments().iter().map(|a| (a.key.as_str(), a.line)).collect();
        assert_eq!(lines, [("A", 3), ("C", 6), ("D", 9), ("E", 10), ("F", 11)]);
        assert!(!ifcfg.is_plain());
    }

    #[test]
    fn lists_each_key_once_with_the_value_that_counts() {
        let ifcfg = parse("TYPE=Bond\nMTU=9000\nTYPE=Ethernet\n");
        assert_eq!(ifcfg.iter().collect::<Vec<_>>(), [("MTU", "9000"), ("TYPE", "Ethernet")]);
        assert_eq!(ifcfg.assignments().len(), 3);
    }

    #[test]
    fn keeps_the_carriage_return_as_bash_does() {
        let ifcfg = parse("DEVICE=bond51\r\n\r\nMTU=\"9000\"\r\n");
        assert!(ifcfg.has_crlf() && !ifcfg.is_plain());
        assert_eq!(ifcfg.get("DEVICE"), Some("bond51\r"));
        assert_eq!(ifcfg.get("MTU"), Some("9000\r"));
        assert_eq!(ifcfg.foreign(), [2]);
    }

    #[test]
    fn splits_bonding_opts_as_the_scripts_do() {
        let ifcfg = parse("BONDING_OPTS='mode=1  miimon=100 updelay =0 primary= a=b=c\tmiimon=50'");
        let opts = ifcfg.bonding_opts().expect("it is set");
        assert_eq!(
            opts.pairs,
            [("mode", "1"), ("miimon", "100"), ("primary", ""), ("a", "c"), ("miimon", "50")]
        );
        assert_eq!(opts.malformed, ["updelay", "=0"]);
        assert_eq!((opts.get("miimon"), opts.get("updelay")), (Some("50"), None));
        assert_eq!(
            parse("BONDING_OPTS=mode=1 miimon=100").bonding_opts().map(|o| o.pairs.len()),
            Some(1)
        );
        assert_eq!(parse("#BONDING_OPTS=mode=1").bonding_opts(), None);
    }

    #[test]
    fn ignores_only_names_that_every_version_ignores() {
        for (name, ignored) in [
            ("ifcfg-eth2", false),
            ("ifcfg-eth2.bak", true),
            ("ifcfg-eth2.orig", true),
            ("ifcfg-eth2~", true),
            ("ifcfg-eth2.rpmsave", true),
            ("ifcfg-eth2.rpmnew", true),
            ("ifcfg-eth2.rpmorig", true),
            ("ifcfg-eth2.old", false),
            ("ifcfg-eth2.save", false),
            ("ifcfg-eth2_backup", false),
            ("ifcfg-eth2.bak.1", false),
            (".ifcfg-eth2.new", true),
            ("route-eth2", true),
        ] {
            assert_eq!(is_ignored_name(name), ignored, "{name}");
        }
    }

    #[test]
    fn finds_slaves_as_any_version_greps_for_them() {
        for (line, named) in [
            ("MASTER=bond51", true),
            (" \tMASTER=bond51 # main", true),
            ("MASTER=bond51\r", true),
            ("MASTER=\"bond51\"", true),
            ("MASTER='bond51'", true),
            ("MASTER='bond51'#x", true),
            ("MASTER=bond510", true),
            ("MASTER='bond510'", false),
            ("MASTER=bond5", false),
            ("MASTER = bond51", false),
            ("export MASTER=bond51", false),
            ("#MASTER=bond51", false),
            ("TEAM_MASTER=bond51", false),
            ("MASTER=\\bond51", false),
        ] {
            assert_eq!(names_master(&format!("DEVICE=eth2\n{line}\n"), "bond51"), named, "{line}");
        }
    }

    #[test]
    fn knows_the_mark_of_xenserver() {
        assert!(has_xemanaged("# by xapi\nXEMANAGED=yes\nDEVICE=eth0\n"));
        assert!(has_xemanaged("XEMANAGED='yes'"));
        assert!(!has_xemanaged("#XEMANAGED=yes"));
        assert!(!has_xemanaged("XEMANAGED=no"));
    }

    proptest! {
        #[test]
        fn never_panics(
            text in "[-A-C='\"\\\\$`(){}~#;& \t\r\nä]{0,40}|\\PC*",
            bond in "[a-z0-9]{1,6}",
        ) {
            let ifcfg = parse(&text);
            prop_assert!(ifcfg.iter().count() <= ifcfg.assignments().len());
            let _ = (ifcfg.bonding_opts(), names_master(&text, &bond), is_ignored_name(&text));
        }

        #[test]
        fn reads_back_what_was_quoted(key in "[A-Z_][A-Z0-9_]{0,8}", value in "[^']*") {
            let text = format!("{key}='{value}'\n");
            let ifcfg = parse(&text);
            prop_assert_eq!(ifcfg.get(&key), Some(value.as_str()));
            prop_assert!(ifcfg.foreign().is_empty() && ifcfg.assignments()[0].constant);
        }
    }
}
