//! `modprobe.conf` and the files of `modprobe.d`: reading them as module-init-tools and kmod
//! do, and keeping one marked block of ours in them.
//!
//! It knows the files' grammar and the markers. It must not know which lines xenbond wants
//! (render.rs does) nor which files a host reads (facts/initscripts.md section 3). Editing is
//! done on bytes, since every byte outside the block is the operator's and stays.

use std::ops::RangeInclusive;

use anyhow::{Result, bail, ensure};

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
    /// Anything else: `softdep`, `include`, and what modprobe ignores as a bad line.
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

/// What separates words; a carriage return does not, it becomes part of the word.
const BLANK: [char; 2] = [' ', '\t'];

/// The first word, and what follows it.
fn word(text: &str) -> (&str, &str) {
    let text = text.trim_start_matches(BLANK);
    let (word, rest) = text.split_once(BLANK).unwrap_or((text, ""));
    (word, rest.trim_start_matches(BLANK))
}

/// The module that `alias` stands for, by name and not by glob: the last line wins, as in the
/// network scripts' look-up in `modprobe -c` (facts/initscripts.md section 1).
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
    a.len() == b.len()
        && a.bytes()
            .zip(b.bytes())
            .all(|(a, b)| a == b || (b"-_".contains(&a) && b"-_".contains(&b)))
}

/// Puts `lines` between the markers of `bond`: in place where they are, else at the end.
///
/// A file without a final newline gets one, and one that ends in a continued line gets an
/// empty line, which is then what the backslash swallows instead of our marker. The begin
/// marker tells how many newlines that took, so that [`remove_block`] gives back the very
/// bytes.
///
/// # Errors
/// When the block that is there has no end, no begin or a double, or when one of `lines` would
/// not stay one line between the markers.
pub fn merge_block(bytes: &[u8], bond: &str, lines: &[String]) -> Result<Vec<u8>> {
    let end = end(bond);
    for line in lines {
        ensure!(
            !line.contains(['\n', '\r'])
                && !line.ends_with('\\')
                && read_begin(line.as_bytes(), bond).is_none()
                && line.trim_ascii_end() != end,
            "`{}` is no line for a block in a modprobe file",
            line.escape_debug()
        );
    }
    let (head, tail, had) = match find(bytes, bond)? {
        Some(block) => (&bytes[..block.start], &bytes[block.end..], block.newlines),
        None => (bytes, &[][..], 0),
    };
    let missing = newlines_missing(head);
    let mut merged = head.to_vec();
    merged.resize(head.len() + missing, b'\n');
    merged.extend(begin(bond).bytes());
    if had + missing > 0 {
        merged.extend(format!("{NOTE}{})", had + missing).bytes());
    }
    for line in lines.iter().chain([&end]) {
        merged.push(b'\n');
        merged.extend(line.bytes());
    }
    merged.push(b'\n');
    merged.extend(tail);
    Ok(merged)
}

/// The file without the block of `bond`; `None` when it has none.
///
/// # Errors
/// When the block has no end, no begin or a double.
pub fn remove_block(bytes: &[u8], bond: &str) -> Result<Option<Vec<u8>>> {
    let Some(block) = find(bytes, bond)? else { return Ok(None) };
    let (mut head, tail) = (&bytes[..block.start], &bytes[block.end..]);
    if tail.is_empty() {
        for _ in 0..block.newlines {
            head = head.strip_suffix(b"\n").unwrap_or(head);
        }
    }
    // Else somebody wrote behind the block, and our newline keeps his line from joining ours.
    Ok(Some([head, tail].concat()))
}

/// The lines between the markers of `bond`; `None` when there is no block.
///
/// # Errors
/// When the block has no end, no begin or a double.
pub fn block(bytes: &[u8], bond: &str) -> Result<Option<Vec<String>>> {
    let Some(block) = find(bytes, bond)? else { return Ok(None) };
    let text = String::from_utf8_lossy(&bytes[block.start..block.end]);
    let lines: Vec<String> =
        text.trim_end_matches('\n').split('\n').skip(1).map(str::to_string).collect();
    Ok(lines.split_last().map(|(_, between)| between.to_vec()))
}

/// Where a block is.
struct Block {
    /// Byte offset of the begin marker.
    start: usize,
    /// Byte offset behind the end marker and its newline.
    end: usize,
    /// Newlines before the begin marker that are ours.
    newlines: usize,
    /// The line of the begin marker.
    line: usize,
}

/// What follows the begin marker where newlines were added, up to their number.
const NOTE: &str = " (newlines added before this line: ";

fn begin(bond: &str) -> String {
    format!("# xenbond {bond}: begin")
}

fn end(bond: &str) -> String {
    format!("# xenbond {bond}: end")
}

/// The number of added newlines that a begin marker tells; `None` for any other line. Blanks
/// at the end do not matter: an editor may have put a carriage return there.
fn read_begin(line: &[u8], bond: &str) -> Option<usize> {
    let note = line.trim_ascii_end().strip_prefix(begin(bond).as_bytes())?;
    if note.is_empty() {
        return Some(0);
    }
    let number = std::str::from_utf8(note).ok()?.strip_prefix(NOTE)?.strip_suffix(')')?;
    number.parse::<u8>().ok().map(usize::from)
}

/// Newlines that must follow `head` so that the next line is read as one of its own.
fn newlines_missing(head: &[u8]) -> usize {
    let (text, open) = match head.strip_suffix(b"\n") {
        Some(text) => (text, 0),
        None => (head, usize::from(!head.is_empty())),
    };
    let backslashes = text.iter().rev().take_while(|b| **b == b'\\').count();
    // An even number of them escape each other, see `parse`.
    open + backslashes % 2
}

/// The one block of `bond`, if there is one.
fn find(bytes: &[u8], bond: &str) -> Result<Option<Block>> {
    let end = end(bond);
    let mut found: Option<Block> = None;
    let mut open: Option<Block> = None;
    let mut at = 0;
    for (index, text) in bytes.split_inclusive(|b| *b == b'\n').enumerate() {
        let (start, line) = (at, index + 1);
        at += text.len();
        if let Some(newlines) = read_begin(text, bond) {
            if let Some(first) = open.as_ref().or(found.as_ref()) {
                bail!(
                    "line {line}: a second block of `{bond}` begins; the first is on line {}",
                    first.line
                );
            }
            open = Some(Block { start, end: at, newlines, line });
        } else if text.trim_ascii_end() == end.as_bytes() {
            let Some(block) = open.take() else {
                bail!("line {line}: a block of `{bond}` ends that does not begin");
            };
            found = Some(Block { end: at, ..block });
        }
    }
    if let Some(block) = open {
        bail!("line {}: a block of `{bond}` begins that does not end", block.line);
    }
    Ok(found)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ours() -> Vec<String> {
        vec!["alias bond51 bonding".to_string(), "options bonding max_bonds=0".to_string()]
    }

    fn directives(text: &str) -> Vec<Directive> {
        parse(text).into_iter().map(|c| c.directive).collect()
    }

    fn alias(alias: &str, module: &str) -> Directive {
        Directive::Alias { alias: alias.to_string(), module: module.to_string() }
    }

    #[test]
    fn reads_each_command() {
        let text = "# c\n\n  alias  eth*\tbnx2 and more\nblacklist i8xx_tco\n\
                    options bond51 -o bond51  mode=1 \ninstall ipv6 /bin/true; : # x\n\
                    remove  usb { a ; } \nsoftdep a pre: b\nalias\nalias x\noptions y \n\
                    install z\n";
        let name = str::to_string;
        assert_eq!(
            parse(text).into_iter().map(|c| (*c.lines.start(), c.directive)).collect::<Vec<_>>(),
            [
                (3, alias("eth*", "bnx2")),
                (4, Directive::Blacklist { module: name("i8xx_tco") }),
                (
                    5,
                    Directive::Options {
                        module: name("bond51"),
                        args: ["-o", "bond51", "mode=1"].map(name).to_vec()
                    }
                ),
                (6, Directive::Install { module: name("ipv6"), command: name("/bin/true; : # x") }),
                (7, Directive::Remove { module: name("usb"), command: name("{ a ; }") }),
                (8, Directive::Other(name("softdep a pre: b"))),
                (9, Directive::Other(name("alias"))),
                (10, Directive::Other(name("alias x"))),
                (11, Directive::Other(name("options y"))),
                (12, Directive::Other(name("install z"))),
            ]
        );
    }

    #[test]
    fn joins_continued_lines() {
        for (text, lines, want) in [
            ("alias a \\\n b", 1..=2, alias("a", "b")),
            ("# c\\\nalias x y\nalias a b", 3..=3, alias("a", "b")),
            ("\nal\\\nias a\\\n\\\n b\n", 2..=5, alias("a", "b")),
            ("alias a b\\\n", 1..=2, alias("a", "b")),
            ("alias a b\\", 1..=1, alias("a", "b")),
            ("alias a b\\\\\nx", 1..=1, alias("a", "b\\")),
            ("alias a \\b", 1..=1, alias("a", "b")),
            ("alias a b\r\n", 1..=1, alias("a", "b\r")),
        ] {
            assert_eq!(parse(text)[0], Command { lines, directive: want }, "{text:?}");
        }
    }

    #[test]
    fn lets_the_last_alias_win_and_adds_options_up() {
        let commands = parse(
            "alias bond-51 e1000\nalias bond_51 bonding\nalias bond52 bonding\nalias bond52 off\n\
             alias bond* bonding\noptions bond-51 mode=1\noptions e1000 x=1\n\
             options bond_51 miimon=100\n",
        );
        assert_eq!(alias_of(&commands, "bond_51"), Some("bonding"));
        assert_eq!(alias_of(&commands, "bond52"), Some("off"));
        assert_eq!(alias_of(&commands, "bond53"), None);
        assert_eq!(bonding_aliases(&commands), ["bond-51", "bond*"]);
        assert_eq!(options_for(&commands, "bond_51"), ["mode=1", "miimon=100"]);
        assert!(options_for(&commands, "bonding").is_empty());
    }

    #[test]
    fn puts_the_block_at_the_end_on_lines_of_its_own() {
        const END: &str =
            "\nalias bond51 bonding\noptions bonding max_bonds=0\n# xenbond bond51: end\n";
        for (before, kept) in [
            ("", "# xenbond bond51: begin"),
            ("a\n", "a\n# xenbond bond51: begin"),
            ("a\r\n", "a\r\n# xenbond bond51: begin"),
            ("a", "a\n# xenbond bond51: begin (newlines added before this line: 1)"),
            ("a\\\n", "a\\\n\n# xenbond bond51: begin (newlines added before this line: 1)"),
            ("a\\", "a\\\n\n# xenbond bond51: begin (newlines added before this line: 2)"),
            ("a\\\\\n", "a\\\\\n# xenbond bond51: begin"),
            ("\n", "\n# xenbond bond51: begin"),
        ] {
            let merged = merge_block(before.as_bytes(), "bond51", &ours()).unwrap();
            assert_eq!(String::from_utf8(merged.clone()).unwrap(), format!("{kept}{END}"));
            assert_eq!(remove_block(&merged, "bond51").unwrap().unwrap(), before.as_bytes());
        }
    }

    #[test]
    fn replaces_the_block_in_place() {
        let text = b"a\n\xff\n# xenbond bond51: begin\nold\nolder\n# xenbond bond51: end\nb";
        let merged = merge_block(text, "bond51", &["new".to_string()]).unwrap();
        assert_eq!(merged, b"a\n\xff\n# xenbond bond51: begin\nnew\n# xenbond bond51: end\nb");
        assert_eq!(block(text, "bond51").unwrap().unwrap(), ["old", "older"]);
        assert_eq!(block(&merged, "bond51").unwrap().unwrap(), ["new"]);
        assert_eq!(remove_block(&merged, "bond51").unwrap().unwrap(), b"a\n\xff\nb");
        assert_eq!(remove_block(&merged, "bond5").unwrap(), None);
        assert_eq!(block(&merged, "bond5").unwrap(), None);
    }

    #[test]
    fn does_not_join_lines_that_somebody_wrote_around_the_block() {
        let mut merged = merge_block(b"a", "bond51", &ours()).unwrap();
        merged.extend(b"b\n");
        assert_eq!(remove_block(&merged, "bond51").unwrap().unwrap(), b"a\nb\n");

        let merged = b"a\\\n# xenbond bond51: begin\n# xenbond bond51: end\n";
        let merged = merge_block(merged, "bond51", &[]).unwrap();
        assert!(merged.starts_with(b"a\\\n\n# xenbond bond51: begin (newlines added"));
        assert_eq!(remove_block(&merged, "bond51").unwrap().unwrap(), b"a\\\n");
    }

    #[test]
    fn finds_the_block_after_an_editor_made_it_crlf() {
        let text = b"a\r\n# xenbond bond51: begin\r\nx\r\n# xenbond bond51: end\r\n";
        assert_eq!(block(text, "bond51").unwrap().unwrap(), ["x\r"]);
        assert_eq!(remove_block(text, "bond51").unwrap().unwrap(), b"a\r\n");
    }

    #[test]
    fn refuses_a_broken_block_and_names_the_line() {
        const BEGIN: &str = "# xenbond bond51: begin\n";
        const END: &str = "# xenbond bond51: end\n";
        for (text, want) in [
            (format!("a\n{BEGIN}b\n"), "line 2: a block of `bond51` begins that does not end"),
            (format!("a\n{END}"), "line 2: a block of `bond51` ends that does not begin"),
            (
                format!("{BEGIN}{BEGIN}{END}"),
                "line 2: a second block of `bond51` begins; the first is on line 1",
            ),
            (
                format!("\n{BEGIN}{END}x\n{BEGIN}{END}"),
                "line 5: a second block of `bond51` begins; the first is on line 2",
            ),
            (
                format!("# xenbond bond51: begin (what?)\n{END}"),
                "line 2: a block of `bond51` ends that does not begin",
            ),
        ] {
            let bytes = text.as_bytes();
            for error in [
                block(bytes, "bond51").unwrap_err(),
                remove_block(bytes, "bond51").unwrap_err(),
                merge_block(bytes, "bond51", &ours()).unwrap_err(),
            ] {
                assert_eq!(error.to_string(), want, "{text:?}");
            }
        }
    }

    #[test]
    fn refuses_lines_that_would_break_the_block() {
        for line in ["a\nb", "a\r", "a\\", "# xenbond bond51: end ", "# xenbond bond51: begin"] {
            assert!(merge_block(b"", "bond51", &[line.to_string()]).is_err(), "{line:?}");
        }
    }

    /// Bytes that lean towards what matters here; none of them spell a marker of bond51.
    fn file() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            Just(b"\n".to_vec()),
            Just(b"\\".to_vec()),
            Just(b"\r\n".to_vec()),
            Just(b"alias a b".to_vec()),
            Just(b"# xenbond bond5: begin\n".to_vec()),
            proptest::collection::vec(any::<u8>(), 0..6),
        ];
        proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn removing_gives_back_every_byte(
            file in file(),
            lines in proptest::collection::vec("[a-z =]{0,9}", 0..4),
        ) {
            let merged = merge_block(&file, "bond51", &lines).unwrap();
            prop_assert!(merged.starts_with(&file));
            prop_assert_eq!(block(&merged, "bond51").unwrap().unwrap(), lines);
            prop_assert_eq!(remove_block(&merged, "bond51").unwrap().unwrap(), file.clone());
            prop_assert_eq!(remove_block(&file, "bond51").unwrap(), None);
        }

        #[test]
        fn merging_twice_is_merging_once(file in file(), tail in file()) {
            let once = merge_block(&file, "bond51", &ours()).unwrap();
            prop_assert_eq!(&merge_block(&once, "bond51", &ours()).unwrap(), &once);
            let other = merge_block(&once, "bond51", &[]).unwrap();
            prop_assert_eq!(&merge_block(&other, "bond51", &ours()).unwrap(), &once);

            let edited = [once.clone(), tail.clone()].concat();
            prop_assert_eq!(&merge_block(&edited, "bond51", &ours()).unwrap(), &edited);
            let rest = remove_block(&edited, "bond51").unwrap().unwrap();
            prop_assert!(rest.starts_with(&file) && rest.ends_with(&tail));
        }

        #[test]
        fn blocks_of_two_bonds_come_off_in_reverse(file in file()) {
            let one = merge_block(&file, "bond51", &ours()).unwrap();
            let two = merge_block(&one, "bond52", &ours()).unwrap();
            prop_assert_eq!(remove_block(&two, "bond52").unwrap().unwrap(), one);
        }

        #[test]
        fn nothing_swallows_our_lines_and_we_swallow_none(file in "[a-b#= \\\\\r\n]{0,30}") {
            let merged = merge_block(file.as_bytes(), "bond51", &ours()).unwrap();
            let want = [directives(&file), directives(&ours().join("\n"))].concat();
            prop_assert_eq!(directives(&String::from_utf8(merged).unwrap()), want);
        }

        #[test]
        fn never_panics(text in "\\PC*|[-_a#\\\\ \t\r\n]{0,30}") {
            let commands = parse(&text);
            let _ = (bonding_aliases(&commands), options_for(&commands, &text));
            let _ = block(text.as_bytes(), "a");
            let _ = merge_block(text.as_bytes(), "a", std::slice::from_ref(&text));
        }
    }
}
