//! Hostile values through flags and through the file: refused as usage before any host is
//! looked at. And what is rendered means to a shell exactly what was asked for.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::root::SPEC;
use crate::dom0::walk;

/// Flag, key of the file, and values that it must refuse.
const BAD: &[(&str, &str, &[&str])] = &[
    (
        "bond",
        "name",
        &[
            "",
            " ",
            "bond 51",
            "bond51;reboot",
            "bond51\nIPADDR=1.2.3.4",
            "$(reboot)",
            "`reboot`",
            "bond51&",
            "bond51|sh",
            "b\u{43e}nd51",
            "bond\u{661}",
            "bond51\u{200b}",
            "bond51\t",
            "bond51\u{1b}[2J",
            "bondbondbondbond",
            "../bond51",
            "bond/51",
            "/etc/passwd",
            ".",
            "..",
            "-bond51",
            "--yes",
            "51bond",
            "bond51:1",
            "bond51.30",
            "bond%d",
            "lo",
            "all",
            "default",
            "bond51'",
            "bond51\"",
            "bond51\\",
            "bond51#",
            "bond51=1",
            "*",
            "bond5?",
            "~root",
            "BOND51\u{0}",
            "bond51\r",
            "bond51\n[addresses]",
            "bond51;",
            "${IFS}reboot",
            "bond51>x",
            "bond51<x",
            "bond\u{2010}51",
            "\u{ff42}ond51",
            "!bond51",
            "{a,b}",
            "bond51\u{202e}",
        ],
    ),
    (
        "nic",
        "nics",
        &[
            "eth2,",
            ",",
            "",
            "eth2,eth2",
            "eth2",
            "eth2,../eth3",
            "eth2,eth3;ls",
            "eth2,bond51",
            "eth2,e\u{442}h3",
            "eth2,00:1b:21:0a:01",
            "eth2,00:1b:21:0a:01:02:03",
            "eth2,ff:ff:ff:ff:ff:ff",
            "eth2,00:00:00:00:00:00",
            "eth2,01:00:5e:00:00:01",
            "eth2,00:1b:21:0a:01:0g",
            "eth2,-eth3",
            "eth2,eth3\nONBOOT=yes",
            "eth2,$(reboot)",
            "eth2,`id`",
            "eth2,--yes",
            "eth2,eth3\u{0}",
            "eth2,eth\u{ff13}",
            "eth2,/dev/null",
            "eth2;eth3",
            "eth2,ethethethetheth3",
        ],
    ),
    (
        "mode",
        "mode",
        &[
            "8",
            "-1",
            "01",
            "1.0",
            "Active-Backup",
            "active_backup",
            "active-backup miimon=0",
            "",
            "0x1",
            "\u{661}",
            "active-backup\nMTU=1",
            "99999999999999999999",
        ],
    ),
    (
        "address",
        "address",
        &[
            "172.16.51.11",
            "172.16.51.11/33",
            "172.16.51.11/-1",
            "172.16.51.11/024",
            "172.16.51.0/24",
            "172.16.51.255/24",
            "172.16.51.256/24",
            "172.16.51/24",
            "0.0.0.0/0",
            "127.0.0.1/8",
            "224.0.0.1/24",
            "255.255.255.255/32",
            "fe80::1/64",
            "172.16.51.11/24;ls",
            "172.16.51.11/24\nGATEWAY=172.16.51.1",
            "172.16.51.011/24",
            "0xac10330b/24",
            " ",
            "\u{661}72.16.51.11/24",
            "172.16.51.11/24/24",
            "$(ip)/24",
        ],
    ),
    ("mtu", "mtu", &["0", "67", "65536", "-1", "+1500", "1500 ", "1e3", "9000\nX=1", "", "0x5dc"]),
    (
        "miimon",
        "miimon",
        &["-1", "1s", "100 updelay=1", "4294967296", "", "\u{ff11}00", "0", "100\n"],
    ),
    ("updelay", "updelay", &["150", "-100", "x", "100;ls", "18446744073709551616"]),
    ("primary", "primary", &["eth9", "../eth2", "eth2 mode=0", "", "eth2\n"]),
    ("xmit-hash-policy", "xmit_hash_policy", &["layer9", "layer2;ls", "layer2"]),
    ("lacp-rate", "lacp_rate", &["fast", "2", "FAST"]),
    ("arp-ip-target", "arp_ip_target", &["172.16.51.2", "x", "0.0.0.0", "172.16.51.2;ls"]),
    ("backend", "backend", &["openvswitch", "vswitch", "", "bridge;ls", "Bridge"]),
    ("pif", "pif", &["never", "", "forget unmanaged"]),
];

/// A folder with a program in every place that leaves a mark when it is run.
fn trap(at: &Path) {
    for folder in ["sbin", "usr/sbin", "bin", "usr/bin", "opt/xensource/bin"] {
        fs::create_dir_all(at.join(folder)).unwrap();
        for name in [
            "xe",
            "xe-switch-network-backend",
            "ifup",
            "ifdown",
            "ip",
            "modprobe",
            "modinfo",
            "chkconfig",
            "systemctl",
            "shutdown",
            "xapi-wait-init-complete",
            "logger",
            "wall",
            "arping",
            "ping",
            "reboot",
        ] {
            let path = at.join(folder).join(name);
            fs::write(&path, format!("#!/bin/sh\n: > '{}/ran'\n", at.display())).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }
}

fn xenbond(root: &Path, args: &[String]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_xenbond"))
        .arg("--root")
        .arg(root)
        .args(args)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!said.contains("panicked"), "{args:?}: {said}");
    (output.status.code().unwrap_or(-1), said)
}

/// The usual spec as a file, with `key` set to `value`.
fn ini(key: &str, value: &str) -> String {
    let mut keys = BTreeMap::from([
        ("name", "bond51"),
        ("nics", "eth2, eth3"),
        ("mode", "active-backup"),
        ("address", "172.16.51.11/24"),
    ]);
    keys.insert(key, value);
    let lines: Vec<String> = keys.iter().map(|(k, v)| format!("{k} = {v}\n")).collect();
    format!("[bond]\n{}", lines.concat())
}

#[test]
fn hostile_values_are_usage_errors_and_touch_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (empty, trapped) = (folder.path().join("empty"), folder.path().join("trapped"));
    fs::create_dir(&empty).unwrap();
    trap(&trapped);
    let (mut tried, mut wrong) = (0, Vec::new());
    for (flag, key, values) in BAD {
        for (number, value) in values.iter().enumerate() {
            // A flag that stands twice is refused for that: the usual one makes room.
            let mut words: Vec<String> = vec![["plan", "apply"][number % 2].into()];
            if number % 2 == 1 {
                words.push("--yes".into());
            }
            let mut usual = SPEC.chunks(2).filter(|pair| pair[0] != format!("--{flag}"));
            words.extend(usual.by_ref().flatten().map(ToString::to_string));
            words.push(format!("--{flag}={value}"));
            // The kernel's own interface takes no NUL in an argument.
            if !value.contains('\0') {
                tried += 1;
                let root = [&empty, &trapped][number % 2];
                let (code, said) = xenbond(root, &words);
                if code != 2 {
                    wrong.push(format!("--{flag}={value:?} exits {code}: {said}"));
                }
            }
            // Blanks and line ends round a value are none of it in a file.
            if value.trim() == *value {
                tried += 1;
                let file = folder.path().join("spec.ini");
                fs::write(&file, ini(key, value)).unwrap();
                let words = ["plan".into(), "--spec".into(), file.display().to_string()];
                let root = [&trapped, &empty][number % 2];
                let (code, said) = xenbond(root, &words);
                if code != 2 {
                    wrong.push(format!("[bond] {key} = {value:?} exits {code}: {said}"));
                }
            }
        }
    }
    println!("{tried} hostile values tried, {} passed", wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(tried >= 200, "{tried}");
    assert_eq!(fs::read_dir(&empty).unwrap().count(), 0, "a file appeared");
    assert!(!trapped.join("ran").exists(), "a program was run");
    assert!(!trapped.join("var").exists() && !trapped.join("etc").exists(), "a file appeared");
}

#[test]
fn hostile_files_are_usage_errors() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let good = ini("mtu", "9000");
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("not text", b"[bond]\nname = \xff\xfe\n".to_vec()),
        ("empty", Vec::new()),
        ("another section", good.replace("[bond]", "[bind]").into_bytes()),
        ("no section", good.replace("[bond]\n", "").into_bytes()),
        ("the key twice", format!("{good}mtu = 1500\n").into_bytes()),
        ("the section twice", format!("{good}[bond]\nmtu = 1500\n").into_bytes()),
        ("a key without a value", format!("{good}miimon\n").into_bytes()),
        ("an unknown key", format!("{good}mimon = 100\n").into_bytes()),
        ("a key in capitals", format!("{good}MIIMON = 100\n").into_bytes()),
        ("an open section", format!("{good}[addresses\nxen01 = 172.16.51.11/24\n").into_bytes()),
        ("a host of another land", format!("{good}[addresses]\nx;ls = 172.16.51.11/24\n").into()),
        ("a NUL", good.replace("bond51", "bond51\0").into_bytes()),
        (
            "two hosts with one address",
            good.replace("address = 172.16.51.11/24\n", "")
                .replace("[bond]", "[addresses]\na = 172.16.51.11/24\nb = 172.16.51.11/24\n[bond]")
                .into_bytes(),
        ),
        ("nics of a host with a path", format!("{good}[nics ../x]\nnics = eth4, eth5\n").into()),
        ("an endless line", format!("{good}probes = {}\n", "1".repeat(100_000)).into_bytes()),
    ];
    for (what, bytes) in cases {
        let file = folder.path().join("spec.ini");
        fs::write(&file, bytes).unwrap();
        let (code, said) =
            xenbond(&empty, &["plan".into(), "--spec".into(), file.display().to_string()]);
        assert_eq!(code, 2, "{what}: {said}");
        assert!(said.len() < 4000, "{what}: a message of {} bytes", said.len());
        assert!(!said.contains('\u{1b}') && !said.contains('\0'), "{what}: {said:?}");
    }
    assert_eq!(fs::read_dir(&empty).unwrap().count(), 0);
}

#[test]
fn messages_never_carry_control_characters_of_a_value() {
    let folder = tempfile::tempdir().unwrap();
    for flag in ["bond", "nic", "mode", "address", "mtu", "miimon", "primary", "backend", "pif"] {
        let mut words: Vec<String> = vec!["plan".into()];
        let usual = SPEC.chunks(2).filter(|pair| pair[0] != format!("--{flag}"));
        words.extend(usual.flatten().map(ToString::to_string));
        words.push(format!("--{flag}=x\u{1b}]0;owned\u{7}\u{202e},y"));
        let (code, said) = xenbond(folder.path(), &words);
        assert_eq!(code, 2, "{flag}: {said:?}");
        let bad = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!said.contains(bad), "{flag}: {said:?}");
    }
}

/// What a shell knows after it has sourced a file and did not before.
fn sourced(file: &Path) -> BTreeMap<String, String> {
    let script = "before=$(compgen -v); . \"$1\"; for name in $(compgen -v); do\
        \n case $'\\n'\"$before\"$'\\n' in *$'\\n'\"$name\"$'\\n'*) continue;; esac\
        \n case $name in before|name|BASH_*|_|PIPESTATUS) continue;; esac\
        \n printf '%s=%s\\n' \"$name\" \"${!name}\"; done";
    let output = Command::new("/bin/bash")
        .args(["--norc", "--noprofile", "-euc", script, "bash"])
        .arg(file)
        .env("PATH", "")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key.to_string(), value.to_string()))
        .collect()
}

#[test]
fn rendered_files_mean_to_a_shell_what_was_asked_for() {
    for (flavour, more, options, mtu) in [
        ("el7", &[][..], "mode=active-backup miimon=100", None),
        (
            "el5",
            &["--mode=4", "--miimon=50", "--updelay=200", "--lacp-rate=fast", "--mtu=9000"],
            "mode=802.3ad miimon=50 updelay=200 lacp_rate=fast",
            Some("9000"),
        ),
        (
            "el7",
            &[
                "--arp-interval=1000",
                "--miimon=0",
                "--arp-ip-target=172.16.51.2,172.16.51.3",
                "--primary=eth3",
            ],
            "mode=active-backup primary=eth3 arp_interval=1000 arp_ip_target=172.16.51.2,172.16.51.3",
            None,
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out").display().to_string();
        let mut words: Vec<String> =
            ["render", "--dom0", flavour, "--out", &out].map(String::from).to_vec();
        words.extend(SPEC.iter().chain(more).map(ToString::to_string));
        let (code, said) = xenbond(folder.path(), &words);
        assert_eq!(code, 0, "{said}");
        let scripts = Path::new(&out).join("etc/sysconfig/network-scripts");
        let pairs = |list: &[(&str, &str)]| -> BTreeMap<String, String> {
            list.iter().map(|(k, v)| ((*k).to_string(), (*v).to_string())).collect()
        };
        for nic in ["eth2", "eth3"] {
            let want = pairs(&[
                ("DEVICE", nic),
                ("ONBOOT", "yes"),
                ("BOOTPROTO", "none"),
                ("MASTER", "bond51"),
                ("SLAVE", "yes"),
                ("PEERDNS", "no"),
                ("HOTPLUG", "no"),
                ("USERCTL", "no"),
                ("NM_CONTROLLED", "no"),
            ]);
            assert_eq!(sourced(&scripts.join(format!("ifcfg-{nic}"))), want);
        }
        let mut bond = sourced(&scripts.join("ifcfg-bond51"));
        let have: std::collections::BTreeSet<String> =
            bond.remove("BONDING_OPTS").unwrap().split(' ').map(String::from).collect();
        let asked = options.split(' ').map(String::from).collect();
        let extra: Vec<&String> = have.symmetric_difference(&asked).collect();
        assert!(extra.iter().all(|o| *o == "miimon=0"), "{have:?}, asked for {asked:?}");
        let mut want = pairs(&[
            ("DEVICE", "bond51"),
            ("ONBOOT", "yes"),
            ("BOOTPROTO", "none"),
            ("IPADDR", "172.16.51.11"),
            ("NETMASK", "255.255.255.0"),
            ("PEERDNS", "no"),
            ("DEFROUTE", "no"),
            ("NOZEROCONF", "yes"),
            ("IPV6INIT", "no"),
            ("NM_CONTROLLED", "no"),
            ("USERCTL", "no"),
            ("HOTPLUG", "no"),
        ]);
        want.extend(mtu.map(|m| ("MTU".to_string(), m.to_string())));
        assert_eq!(bond, want);
        let mut all = BTreeMap::new();
        walk(Path::new(&out), Path::new(&out), &[], &mut all);
        let files: Vec<&String> =
            all.iter().filter(|(_, entry)| !entry.is_folder).map(|(path, _)| path).collect();
        let modprobe =
            if flavour == "el5" { "etc/modprobe.conf" } else { "etc/modprobe.d/bond51.conf" };
        assert!(files.iter().any(|f| *f == modprobe), "{files:?}");
        assert_eq!(files.len(), if flavour == "el5" { 4 } else { 5 }, "{files:?}");
    }
}
