//! `ethtool` 3.15 on NICs whose driver has rings of up to 4096, no LRO to switch on, and any speed
//! that the cable takes (tests/ground/initscripts.md, K2).

use super::shell::Shell;
use crate::model::state::Nic;

/// A setting: its word, the label of the line that shows it, the value of a driver just loaded.
type Row = (&'static str, &'static str, &'static str);

/// The settings of each flag that sets some, with the flag that shows them.
const SHOWN: [(&str, &str, &[Row]); 4] = [
    ("-G", "-g", &[("rx", "RX", "512"), ("tx", "TX", "512")]),
    ("-A", "-a", &[("autoneg", "Autonegotiate", "off"), ("rx", "RX", "on"), ("tx", "TX", "on")]),
    (
        "-K",
        "-k",
        &[
            ("rx", "rx-checksumming", "on"),
            ("tx", "tx-checksumming", "on"),
            ("sg", "scatter-gather", "on"),
            ("tso", "tcp-segmentation-offload", "on"),
            ("gso", "generic-segmentation-offload", "on"),
            ("gro", "generic-receive-offload", "on"),
            ("lro", "large-receive-offload", "off"),
        ],
    ),
    ("-s", "", &[("speed", "", ""), ("duplex", "", ""), ("autoneg", "", "on")]),
];

/// The largest ring.
const LARGEST: u32 = 4096;

/// `ethtool`.
pub(crate) fn run(shell: &mut Shell<'_>, args: &[String]) -> i32 {
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let (flag, device, rest) = match words[..] {
        [device] if !device.starts_with('-') => ("", device, &[][..]),
        [flag, device, ref rest @ ..] if flag.starts_with('-') => (flag, device, rest),
        _ => {
            shell.complain(
                "ethtool: bad command line argument(s)\nFor more information run ethtool -h",
            );
            return 1;
        }
    };
    let Some(nic) = shell.state.dom0.nics.get(device).cloned() else {
        shell.complain("Cannot get device settings: No such device");
        return 71;
    };
    if let Some((_, show, rows)) = SHOWN.iter().find(|(_, show, _)| *show == flag) {
        return match *show {
            "" => link(shell, device, &nic),
            _ => show_rows(shell, device, &nic, flag, rows),
        };
    }
    match SHOWN.iter().find(|(set, ..)| *set == flag) {
        Some((set, _, rows)) => change(shell, device, set, rows, rest),
        None => {
            shell.complain(
                "ethtool: bad command line argument(s)\nFor more information run ethtool -h",
            );
            1
        }
    }
}

fn show_rows(shell: &mut Shell<'_>, device: &str, nic: &Nic, flag: &str, rows: &[Row]) -> i32 {
    let (title, between) = match flag {
        "-g" => ("Ring parameters", "\t\t"),
        "-a" => ("Pause parameters", "\t\t"),
        _ => ("Features", " "),
    };
    shell.say(format!("{title} for {device}:"));
    if flag == "-g" {
        shell.say(format!(
            "Pre-set maximums:\nRX:\t\t{LARGEST}\nTX:\t\t{LARGEST}\nCurrent hardware settings:"
        ));
    }
    for (word, label, at_first) in rows {
        let key = format!("{} {word}", flag.to_uppercase());
        let value = nic.tuning.get(&key).map_or(*at_first, String::as_str);
        let fixed = if *word == "lro" { " [fixed]" } else { "" };
        shell.say(format!("{label}:{between}{value}{fixed}"));
    }
    0
}

fn link(shell: &mut Shell<'_>, device: &str, nic: &Nic) -> i32 {
    let carrier = shell.state.dom0.carrier(device);
    let autoneg = nic.tuning.get("-s autoneg").map_or("on", String::as_str);
    let (speed, duplex) = match carrier {
        true => {
            let half = nic.duplex == "half";
            (format!("{}Mb/s", nic.speed_now()), if half { "Half" } else { "Full" })
        }
        false => ("Unknown!".to_string(), "Unknown! (255)"),
    };
    shell.say(format!("Settings for {device}:\n\tSpeed: {speed}\n\tDuplex: {duplex}"));
    let seen = if carrier { "yes" } else { "no" };
    shell.say(format!("\tAuto-negotiation: {autoneg}\n\tLink detected: {seen}"));
    0
}

fn change(shell: &mut Shell<'_>, device: &str, flag: &str, rows: &[Row], rest: &[&str]) -> i32 {
    let mut wanted = Vec::new();
    for pair in rest.chunks(2) {
        let [word, value] = pair else {
            shell.complain("ethtool: bad command line argument(s)");
            return 1;
        };
        if !rows.iter().any(|(known, ..)| known == word) {
            shell.complain("ethtool: bad command line argument(s)");
            return 1;
        }
        let good = match flag {
            "-G" => value.parse().is_ok_and(|n: u32| n <= LARGEST),
            "-K" => *word != "lro" || *value == "off",
            _ => true,
        };
        if !good {
            let what = if flag == "-G" { "ring parameters" } else { "feature lro" };
            shell.complain(format!("Cannot set device {what}: Invalid argument"));
            return 81;
        }
        wanted.push((format!("{flag} {word}"), (*value).to_string()));
    }
    if let Some(nic) = shell.state.dom0.nics.get_mut(device) {
        nic.tuning.extend(wanted);
        if nic.tuning.get("-s autoneg").is_some_and(|autoneg| autoneg == "on") {
            nic.tuning.remove("-s speed");
            nic.tuning.remove("-s duplex");
        }
        // What is as a driver just loaded has it was never set.
        for (word, _, at_first) in rows {
            let key = format!("{flag} {word}");
            if nic.tuning.get(&key).is_some_and(|value| value == at_first) {
                nic.tuning.remove(&key);
            }
        }
    }
    0
}

impl Nic {
    /// Its speed, in Mb/s: what it was told, or what the two ends agree on.
    pub(crate) fn speed_now(&self) -> u32 {
        self.tuning.get("-s speed").and_then(|speed| speed.parse().ok()).unwrap_or(self.speed)
    }
}

/// `ETHTOOL_OPTS` of a NIC's file: old scripts know `ethtool -s` alone, and what is begun with a
/// dash anywhere is a command of its own for the newer ones.
pub(crate) fn opts(shell: &mut Shell<'_>, device: &str, text: &str, several: bool) {
    let parts: Vec<&str> = if several { text.split(';').collect() } else { vec![text] };
    for part in parts.into_iter().filter(|part| !part.trim().is_empty()) {
        let mut words: Vec<String> = part.split_whitespace().map(String::from).collect();
        if !several || !part.contains('-') {
            words.splice(0..0, ["-s".to_string(), device.to_string()]);
        }
        // Its status is nobody's.
        run(shell, &words);
    }
}
