//! Lists as `xe` prints them, cut in every place and forged.

use std::io::BufReader;

use regex::Regex;

use super::*;

const TWO: &str = "\
uuid ( RO)                  : b1e6c2ba-9f0e-7c34-7bb1-6d0f52cf1c11
                device ( RO): eth2
         bond-slave-of ( RO): <not in database>
    currently-attached ( RO): true
          other-config (MRW): management_purpose: Storage; ethtool-gro: off


uuid ( RO)                  : c7d8e9fa-1b2c-3d4e-5f60-718293a4b5c6
                device ( RO): eth3
         bond-slave-of ( RO): b1e6c2ba-9f0e-7c34-7bb1-6d0f52cf1c11
    currently-attached ( RO): false
          other-config (MRW): 


";

const FIELDS: [&str; 5] = ["uuid", "device", "bond-slave-of", "currently-attached", "other-config"];

/// What `each` makes of every record of a text, whatever the pieces that it comes in.
fn all_with<T: PartialEq>(
    text: &str,
    asked: &[&str],
    each: impl Fn(&Record) -> Result<T>,
) -> Result<Vec<T>> {
    let in_pieces = |size: usize| -> Result<Vec<T>> {
        let mut all = Vec::new();
        let mut pieces = BufReader::with_capacity(size, text.as_bytes());
        parse(&mut pieces, asked, &[], &mut |record| all.push(each(record)))?;
        all.into_iter().collect()
    };
    let whole = in_pieces(text.len().max(1));
    for size in [1, 2, 3, 7, 61] {
        let same = match (&whole, in_pieces(size)) {
            (Ok(whole), Ok(cut)) => *whole == cut,
            (Err(whole), Err(cut)) => whole.to_string() == cut.to_string(),
            _ => false,
        };
        assert!(same, "in pieces of {size} bytes: {text}");
    }
    whole
}

/// All values, in the order of the fields.
fn all(text: &str, asked: &[&str]) -> Result<Vec<Vec<String>>> {
    all_with(text, asked, |record| Ok(asked.iter().map(|name| record.text(name)).collect()))
}

#[test]
fn reads_records_whatever_the_column() {
    let records = all_with(TWO, &FIELDS, |record| {
        Ok((
            record.text("device"),
            record.bool("currently-attached")?,
            record.reference("bond-slave-of")?.is_some(),
            record.map("other-config").get("ethtool-gro").cloned(),
            record.get("MAC").map(String::from),
        ))
    });
    let want = [
        ("eth2".into(), true, false, Some("off".into()), None),
        ("eth3".into(), false, true, None, None),
    ];
    assert_eq!(records.unwrap(), want);
    assert!(all("", &FIELDS).unwrap().is_empty());
}

#[test]
fn keeps_a_line_end_inside_a_value() {
    let text = TWO.replace("Storage;", "a\nb\n\n;");
    let records = all(&text, &FIELDS).unwrap();
    let config = "management_purpose: a\nb\n\n; ethtool-gro: off";
    assert_eq!(records[0][4], config);
}

#[test]
fn takes_a_field_that_was_not_asked_for_as_text() {
    let forged = TWO.replace("Storage;", "x\n    MTU ( RO): 1;");
    assert!(
        all(&forged, &FIELDS).unwrap()[0][4].ends_with("x\n    MTU ( RO): 1; ethtool-gro: off")
    );
    let columns =
        TWO.replacen("; ethtool", "\nuuid ( RO) : c7d8e9fa-1b2c-3d4e-5f60-718293a4b5c7\n", 1);
    assert_eq!(all(&columns, &FIELDS).unwrap().len(), 2);
}

#[test]
fn refuses_what_is_not_of_the_printers_form() {
    let twice =
        TWO.replace("c7d8e9fa-1b2c-3d4e-5f60-718293a4b5c6", "b1e6c2ba-9f0e-7c34-7bb1-6d0f52cf1c11");
    let forged = TWO.replace("Storage;", "x\n    device ( RO): eth0\n");
    let broken = TWO.replacen('\n', "\nx\n", 1);
    for (text, want) in [
        ("Error: no\n", "where a record should begin"),
        (TWO.trim_end(), "in the middle"),
        (&TWO[..TWO.len() / 3], "in the middle"),
        (&broken, "is not a valid uuid"),
        (&twice, "two records have the uuid"),
        (&forged, "`device` given twice"),
    ] {
        let error = all(text, &FIELDS).unwrap_err().to_string();
        assert!(error.contains(want), "{error}");
    }
    assert!(all(TWO, &["uuid", "MAC"]).unwrap_err().to_string().contains("no field `MAC`"));
}

proptest::proptest! {
    #[test]
    fn a_field_is_what_the_fact_sheet_says(
        line in "( {0,5}[a-z-]{0,3}( |) ?\\(?( RO| RW|MRW|XX|é)\\)?( \\[DEPRECATED\\])? {0,3}:? {0,2}[a-z:( ]{0,6})|[ a()RO:]{0,12}"
    ) {
        // tests/ground/xapi.md, A1.
        let shape = Regex::new(
            r"^ *([A-Za-z0-9_-]+) \(( RO| RW|SRO|SRW|MRO|MRW)\)(?: \[DEPRECATED\])? *: ?(.*)$",
        )
        .unwrap();
        let want = shape.captures(&line).map(|c| (c[1].to_string(), c[3].to_string()));
        let have = field(&line).map(|(name, value)| (name.to_string(), value.to_string()));
        proptest::prop_assert_eq!(have, want);
    }

    #[test]
    fn a_record_is_read_the_same_whatever_stands_before_it(
        records in proptest::collection::vec(
            "(( {4,6}(device|MAC|VLAN|x) \\( RO\\):( |)( |eth2|:)?\n)|( {0,4}(eth3|: |VLAN \\( RO\\): )?\n)){0,6}\n\n",
            1..5,
        )
    ) {
        let fields = ["uuid", "device", "MAC", "VLAN"];
        let text = |(n, lines): (usize, &String)| {
            format!("uuid ( RO) : b1e6c2ba-9f0e-7c34-7bb1-6d0f52cf1c{n:02}\n{lines}")
        };
        let read = |text: &str| {
            let mut all = Vec::new();
            parse(&mut text.as_bytes(), &fields, &fields, &mut |record| {
                all.push(fields.map(|name| record.get(name).map(String::from)));
            })
            .map(|()| all)
            .map_err(|error| error.to_string())
        };
        let texts: Vec<String> = records.iter().enumerate().map(text).collect();
        let mut alone = Ok(Vec::new());
        for one in &texts {
            alone = alone.and_then(|mut all: Vec<_>| Ok({ all.extend(read(one)?); all }));
        }
        proptest::prop_assert_eq!(read(&texts.concat()), alone);
    }
}

#[test]
fn knows_an_ambiguous_map() {
    for (text, ambiguous) in [("", false), ("a: b", false), ("a: b; c: d", true), ("a: b: c", true)]
    {
        assert_eq!(is_ambiguous(text), ambiguous, "{text}");
    }
}
