//! The grammar of modprobe files, and the block that comes and goes without a trace.

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
