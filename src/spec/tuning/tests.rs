//! Settings of NICs: their table, which win, what excludes what.

use super::*;

fn tuning(text: &str) -> Tuning {
    text.split(',').map(|one| one.parse::<Tune>().unwrap()).collect::<Vec<_>>().into()
}

fn device(name: &str) -> IfName {
    name.parse().unwrap()
}

#[test]
fn the_table_is_in_the_order_of_the_enum() {
    for (at, row) in TABLE.iter().enumerate() {
        assert_eq!(row.knob as usize, at, "{}", row.name);
        assert_eq!(row.name.parse::<Knob>().unwrap(), row.knob);
        let json = serde_json::to_string(&row.knob).unwrap();
        assert_eq!(json, format!("\"{}\"", row.name));
    }
}

#[test]
fn a_nics_own_settings_win_over_those_of_all() {
    let tuning = tuning("gro off,ring-rx 4096,eth2 ring-rx 1024,00:1b:21:0a:01:03 lro off");
    let of = |name: &str, mac: &str| {
        tuning.of(&device(name), mac.parse().ok()).ethtool_opts(&device(name)).unwrap()
    };
    assert_eq!(of("eth2", "00:1b:21:0a:01:02"), "-G eth2 rx 1024; -K eth2 gro off");
    assert_eq!(of("eth3", "00:1b:21:0a:01:03"), "-G eth3 rx 4096; -K eth3 gro off lro off");
    assert_eq!(Tuning::default().of(&device("eth2"), None).ethtool_opts(&device("eth2")), None);
}

#[test]
fn the_link_comes_first_and_without_a_dash() {
    let all = tuning(
        "tx on,pause-tx off,pause-rx on,pause-autoneg off,ring-tx 512,autoneg off,duplex full,speed 1000",
    );
    let settings = all.of(&device("eth2"), None);
    assert_eq!(
        settings.ethtool_opts(&device("eth2")).unwrap(),
        "speed 1000 duplex full autoneg off; -G eth2 tx 512; -A eth2 autoneg off rx on tx off; -K eth2 tx on"
    );
    assert_eq!(settings.commands(&device("eth2"))[0][..3], ["-s", "eth2", "speed"]);
}

#[test]
fn what_is_no_setting_is_refused() {
    for (bad, sentence) in [
        ("", "is not a valid setting of a NIC: it must be `SETTING VALUE`"),
        ("gro", "is not a valid setting of a NIC: it must be `SETTING VALUE`"),
        ("eth2 gro off now", "is not a valid setting of a NIC: it must be `SETTING VALUE`"),
        ("grow off", "did you mean `gro`?"),
        ("gro maybe", "`maybe` is not a valid value for gro: it takes on or off"),
        ("ring-rx 0", "`0` is not a valid value for ring-rx: it takes a whole number from 1 to"),
        ("speed 1000Mb", "`1000Mb` is not a valid value for speed"),
        ("duplex Full", "it takes full or half"),
        ("eth2;reboot gro off", "eth2;reboot"),
        ("gro off;reboot", "is not a valid value for gro"),
    ] {
        let error = bad.parse::<Tune>().expect_err(bad).to_string();
        assert!(error.contains(sentence), "{bad}: {error}");
    }
}

#[test]
fn each_rule_has_its_sentence() {
    let nics: Vec<NicRef> = ["eth2", "eth3"].map(|nic| nic.parse().unwrap()).to_vec();
    for (asked, sentence) in [
        ("gro off,gro on", "ethtool `gro off` and `gro on` are of the same setting"),
        ("eth2 gro off,eth2 gro off", "are of the same setting"),
        ("eth9 gro off", "ethtool `eth9 gro off`: eth9 is not a slave of the bond"),
        ("speed 1000", "ethtool `speed 1000` needs `autoneg off`"),
        ("duplex full,autoneg on", "ethtool `duplex full` needs `autoneg off`"),
        ("speed 1000,autoneg off,eth3 autoneg on", "ethtool `speed 1000` needs `autoneg off`"),
        (
            "pause-autoneg on,eth2 pause-rx off",
            "ethtool `eth2 pause-rx off` and `pause-autoneg on` exclude",
        ),
    ] {
        let error = tuning(asked).check(&nics).expect_err(asked).to_string();
        assert!(error.starts_with(sentence) || error.contains(sentence), "{asked}: {error}");
    }
    for good in [
        "gro off,eth2 gro on",
        "speed 1000,autoneg off",
        "eth2 speed 1000,autoneg off",
        "pause-autoneg off,pause-rx on",
        "00:1b:21:0a:01:02 gro off",
    ] {
        tuning(good).check(&nics).unwrap_or_else(|e| panic!("{good}: {e}"));
    }
}

#[test]
fn what_ethtool_shows_is_read() {
    let shown = |settings: &Settings| -> String {
        settings.iter().map(|(knob, value)| format!("{knob}={value} ")).collect()
    };
    for (group, text, want) in [
        (
            Group::Ring,
            "Ring parameters for eth2:\nPre-set maximums:\nRX:\t\t4096\nTX:\t\t4096\nCurrent hardware settings:\nRX:\t\t512\nRX Mini:\t0\nTX:\t\t256\n",
            "ring-rx=512 ring-tx=256 ",
        ),
        (Group::Ring, "Ring parameters for eth2:\nRX:\t\t4096\n", ""),
        (
            Group::Pause,
            "Pause parameters for eth2:\nAutonegotiate:\toff\nRX:\t\ton\nTX:\t\toff\n",
            "pause-autoneg=off pause-rx=on pause-tx=off ",
        ),
        (
            Group::Offload,
            "Features for eth2:\nrx-checksumming: on\n\ttx-checksum-ipv4: on\ntcp segmentation offload: on\ngeneric-receive-offload: off\nlarge-receive-offload: off [fixed]\n",
            "rx=on tso=on gro=off lro=off ",
        ),
        (
            Group::Link,
            "Settings for eth2:\n\tSpeed: 1000Mb/s\n\tDuplex: Full\n\tAuto-negotiation: off\n",
            "speed=1000 duplex=full autoneg=off ",
        ),
        (Group::Link, "\tSpeed: Unknown!\n\tDuplex: Unknown! (255)\n", ""),
    ] {
        assert_eq!(shown(&group.read(text)), want, "{text}");
    }
}

#[test]
fn it_reads_back_from_json() {
    let all = tuning("eth2 gro off,ring-rx 4096");
    let json = serde_json::to_string(&all).unwrap();
    assert_eq!(json, r#"["eth2 gro off","ring-rx 4096"]"#);
    assert_eq!(serde_json::from_str::<Tuning>(&json).unwrap(), all);
}
