//! Readings held against what bash holds, and greps against those of the scripts.

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
