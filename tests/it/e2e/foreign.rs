//! What is not ours, or no longer what we made: a record that is damaged or another host's, names
//! and texts of others, links out of the root, and what a caller leaves to the program.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;

use super::root::{Root, at_once, with_spec};

const SCRIPTS: &str = "etc/sysconfig/network-scripts";

fn stands(root: &Root) -> bool {
    root.at("proc/net/bonding/bond51").exists()
}

#[test]
fn a_damaged_record_is_named_with_the_way_out_and_acted_on_by_nothing() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 4] = [
        ("journal", |folder| {
            let text = fs::read_to_string(folder.join("journal")).unwrap();
            fs::write(folder.join("journal"), text.replacen("\"event\"", "#event", 3)).unwrap();
        }),
        ("plan.json", |folder| fs::write(folder.join("plan.json"), "").unwrap()),
        ("plan.json", |folder| {
            let text = fs::read(folder.join("plan.json")).unwrap();
            fs::write(folder.join("plan.json"), &text[..text.len() / 2]).unwrap();
        }),
        ("plan.json", |folder| fs::remove_file(folder.join("plan.json")).unwrap()),
    ];
    let root = Root::new("el7", "bridge");
    let start = root.snapshot();
    root.apply();
    let folder = root.transaction();
    for (part, damage) in damages {
        let whole: Vec<Vec<u8>> =
            ["journal", "plan.json"].map(|name| fs::read(folder.join(name)).unwrap()).into();
        damage(&folder);
        for command in [&["rollback", "--yes"][..], &["resume"], &["confirm"], &["verify"]] {
            let run = root.exits(1, command);
            assert!(run.err.contains(&format!("/{part}: ")), "{command:?}: {run:?}");
            assert!(run.err.contains("\nhint: ") && run.err.contains("undo.sh"), "{run:?}");
            assert!(stands(&root), "{command:?}");
        }
        // What needs no record is shown, and why no bond is judged.
        let run = root.exits(5, &["status"]);
        for words in ["eth2", &format!("/{part}: "), "\nhint: ", "undo.sh"] {
            assert!(run.out.contains(words), "{words}: {run:?}");
        }
        let status = root.json(5, &["status"]);
        assert!(status["record_error"]["hint"].as_str().unwrap().contains("undo.sh"), "{status}");
        fs::write(folder.join("journal"), &whole[0]).unwrap();
        fs::write(folder.join("plan.json"), &whole[1]).unwrap();
    }
    let current = root.at("var/lib/xenbond/current");
    let target = fs::read_link(&current).unwrap();
    fs::remove_file(&current).unwrap();
    symlink("history/nowhere", &current).unwrap();
    let run = root.exits(1, &["rollback", "--yes"]);
    assert!(run.err.contains("history/nowhere/plan.json: it is gone"), "{run:?}");
    fs::remove_file(&current).unwrap();
    symlink(target, &current).unwrap();
    root.exits(0, &["rollback", "--yes"]);
    start.assert_same(&root, "with the record whole again");
}

#[test]
fn the_state_of_another_host_is_acted_on_by_no_command() {
    let theirs = Root::new("el7", "bridge");
    theirs.apply();
    let root = Root::patched("el7", "bridge", &json!({"dom0": {"me": "xen02"}}));
    root.exits(
        0,
        &[
            "apply",
            "--yes",
            "--bond",
            "bond51",
            "--nic",
            "eth2,eth3",
            "--address",
            "172.16.51.12/24",
        ],
    );
    let own = root.at("var/lib/xenbond");
    fs::rename(&own, root.at("var/lib/aside")).unwrap();
    let copied = Command::new("cp").arg("-a").arg(theirs.at("var/lib/xenbond")).arg(&own).status();
    assert!(copied.unwrap().success());
    for command in
        [&["rollback", "--yes"][..], &["resume"], &["confirm"], &with_spec(&["apply", "--yes"])]
    {
        let run = root.exits(1, command);
        assert!(run.err.contains("the state of another host"), "{command:?}: {run:?}");
        assert!(run.err.contains("hint: mv /var/lib/xenbond "), "{command:?}: {run:?}");
        assert!(stands(&root), "{command:?}");
    }
    let script = root.transaction().join("undo.sh");
    let undone = Command::new("sh").arg(script).env("XENBOND_ROOT", root.path()).status().unwrap();
    assert_eq!(undone.code(), Some(4));
    assert!(stands(&root), "undo.sh");
    fs::remove_dir_all(&own).unwrap();
    fs::rename(root.at("var/lib/aside"), own).unwrap();
    root.exits(0, &["rollback", "--yes"]);
    assert!(!stands(&root));
}

#[test]
fn a_file_whose_name_is_no_utf8_comes_back() {
    at_once([false, true], |by_script| {
        let root = Root::new("el5", "openvswitch");
        let name = OsStr::from_bytes(b"ifcfg-b\xfcro 'x\n%d");
        let file = root.at(SCRIPTS).join(name);
        fs::write(&file, "DEVICE=dummy7\nONBOOT=no\n").unwrap();
        let names = || {
            let all = fs::read_dir(root.at(SCRIPTS)).unwrap();
            all.map(|e| e.unwrap().file_name()).collect::<std::collections::BTreeSet<_>>()
        };
        let start = names();
        root.wrap(
            "opt/xensource/bin/xe-switch-network-backend",
            &format!("for f in \"$root/{SCRIPTS}\"/ifcfg-*; do [ \"${{f##*/}}\" = ifcfg-lo ] || rm -f \"$f\"; done\nexec \"$real\" \"$@\"\n"),
        );
        root.exits(6, &with_spec(&["apply", "--yes"]));
        assert!(file.exists(), "put back after the switch");
        if by_script {
            root.unwrap_program("opt/xensource/bin/xe-switch-network-backend");
            fs::remove_file(&file).unwrap();
            root.undo_sh();
        } else {
            root.exits(0, &["rollback", "--yes"]);
            root.unwrap_program("opt/xensource/bin/xe-switch-network-backend");
        }
        assert_eq!(fs::read_to_string(&file).unwrap(), "DEVICE=dummy7\nONBOOT=no\n");
        assert_eq!(names(), start, "by script: {by_script}");
    });
}

#[test]
fn no_link_leads_out_of_the_root() {
    let root = Root::new("el7", "bridge");
    let outside = Path::new(&root.beside("outside")).to_path_buf();
    fs::create_dir_all(outside.join("modprobe.d")).unwrap();
    let mirrored = root.at(outside.strip_prefix("/").unwrap().to_str().unwrap());
    fs::create_dir_all(&mirrored).unwrap();
    fs::rename(root.at("etc/modprobe.d"), mirrored.join("modprobe.d")).unwrap();
    symlink(outside.join("modprobe.d"), root.at("etc/modprobe.d")).unwrap();
    root.apply();
    assert_eq!(fs::read_dir(outside.join("modprobe.d")).unwrap().count(), 0);
    assert!(mirrored.join("modprobe.d/bond51.conf").exists());
    root.exits(0, &["rollback", "--yes"]);
    assert!(!mirrored.join("modprobe.d/bond51.conf").exists());

    let program = outside.join("ifup");
    fs::write(&program, format!("#!/bin/sh\n: > {}\n", outside.join("ran").display())).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    fs::remove_file(root.at("usr/sbin/ifup")).unwrap();
    symlink(&program, root.at("usr/sbin/ifup")).unwrap();
    assert_ne!(root.xenbond(&with_spec(&["apply", "--yes"])).code, 0);
    assert!(!outside.join("ran").exists(), "a program outside of the root was run");
}

/// Where a link of modprobe's or of the boot scripts leads they read, and old modprobe what a line
/// includes.
#[test]
fn files_behind_links_and_includes_are_read_as_their_readers_do() {
    let root = Root::new("el7", "openvswitch");
    let plan = |root: &Root| root.xenbond(&with_spec(&["plan"])).out;
    let no = "install bridge /bin/true\n";
    fs::create_dir_all(root.at("opt/site")).unwrap();
    fs::write(root.at("opt/site/hardening"), no).unwrap();
    let link = root.at("etc/modprobe.d/hardening.conf");
    symlink("/opt/site/hardening", &link).unwrap();
    assert!(plan(&root).contains("bridge-blacklisted: /etc/modprobe.d/hardening.conf"));
    // As a recorded host it is refused for the same reason.
    let file = root.beside("inventory.json");
    fs::write(&file, root.exits(0, &["inventory"]).out).unwrap();
    let run = root.xenbond(&with_spec(&["rehearse", "--inventory", &file]));
    assert!((run.out + &run.err).contains("bridge-blacklisted"));
    // A link to nothing hides what comes after it.
    fs::remove_file(&link).unwrap();
    let path = root.at("usr/lib/modprobe.d/hardening.conf");
    fs::write(path, format!("{no}install bonding /bin/true\n")).unwrap();
    let out = plan(&root);
    assert!(out.contains("bridge-blacklisted") && out.contains("bonding-blocked"), "{out}");
    symlink("/dev/null", &link).unwrap();
    let out = plan(&root);
    assert!(!out.contains("bridge-blacklisted") && !out.contains("bonding-blocked"), "{out}");
    fs::write(root.at("opt/site/storage"), "DEVICE=eth2\nIPADDR=10.1.1.1\n").unwrap();
    symlink("/opt/site/storage", root.at(SCRIPTS).join("ifcfg-storage")).unwrap();
    assert!(plan(&root).contains("device-named-elsewhere"));

    let root = Root::new("el5", "openvswitch");
    assert!(!plan(&root).contains("bridge-blacklisted"));
    let conf = root.at("etc/modprobe.conf");
    let text = fs::read_to_string(&conf).unwrap() + "include /etc/site.d\n";
    fs::write(conf, text).unwrap();
    fs::create_dir_all(root.at("etc/site.d/more")).unwrap();
    symlink("/etc/site.d", root.at("etc/site.d/round")).unwrap();
    fs::write(root.at("etc/site.d/more/own"), no).unwrap();
    let out = plan(&root);
    assert!(out.contains("bridge-blacklisted: /etc/site.d/more/own"), "{out}");
}

#[test]
fn a_document_from_elsewhere_writes_nowhere_but_in_its_model() {
    let root = Root::new("el7", "openvswitch");
    let document = root.json(0, &["inventory"]);
    let victim = Path::new(&root.beside("victim")).to_path_buf();
    fs::create_dir(&victim).unwrap();
    fs::write(victim.join("x"), "precious").unwrap();
    let link = |to: &Path| json!({"kind": "link", "target": to});
    let conf = "/etc/xensource/network.conf";
    let files = [
        vec![
            (conf, link(Path::new("/etc/xensource/nc2"))),
            ("/etc/xensource/nc2", link(&victim.join("x"))),
        ],
        vec![(conf, link(&victim.join("x")))],
        vec![("/etc/zz", link(&victim)), ("/etc/zz/new", json!({"kind": "other"}))],
        vec![("/proc/net/bonding", link(&victim))],
        vec![("/sys/class/net/bond51", link(&victim))],
        vec![("/var/lib/xenbond", link(&victim))],
    ];
    for files in files {
        let mut other = document.clone();
        for (path, kind) in &files {
            other["files"][*path] = kind.clone();
        }
        let file = root.beside("inventory.json");
        fs::write(&file, other.to_string()).unwrap();
        root.xenbond(&with_spec(&["rehearse", "--inventory", &file]));
        assert_eq!(fs::read_to_string(victim.join("x")).unwrap(), "precious", "{files:?}");
        assert_eq!(fs::read_dir(&victim).unwrap().count(), 1, "{files:?}");
    }
}

fn clean(said: &str) {
    assert!(!said.contains(['\u{1b}', '\u{7}']), "{said:?}");
}

#[test]
fn text_of_others_is_printed_without_its_control_characters() {
    let note = "x\u{1b}]0;title\u{7}y";
    let patch = json!({"pool": {"pifs": {"xen01/eth2": {"other_config": {"note": note}}},
        "networks": {"xenbr2": {"name_label": note}}}});
    let root = Root::patched("el7", "bridge", &patch);
    for command in
        [&["status"][..], &["-v", "status"], &with_spec(&["plan"]), &with_spec(&["apply", "--yes"])]
    {
        let run = root.xenbond(command);
        clean(&(run.out + &run.err));
    }
}

#[test]
fn text_of_others_is_given_back_whole_and_shapes_no_line_of_undo_sh() {
    let note = "h\u{f6}st's \"q\" $(id) `id` uuid=1 %d \\n";
    let patch = json!({"pool": {"pifs": {"xen01/eth2": {"other_config": {"note": note}}}}});
    at_once([false, true], |by_script| {
        let root = Root::patched("el7", "bridge", &patch);
        let start = root.snapshot();
        root.apply();
        if by_script {
            let script = fs::read(root.transaction().join("undo.sh")).unwrap();
            assert!(script.iter().all(|b| *b == b'\n' || (b' '..=b'~').contains(b)));
            clean(&root.undo_sh());
        } else {
            root.exits(0, &["rollback", "--yes"]);
        }
        start.assert_same(&root, "the note as it was");
    });
}

#[test]
fn what_a_caller_leaves_open_or_ignores_does_no_harm() {
    let root = Root::new("el7", "bridge");
    let script = "ls /proc/self/fd > \"$root/.dom0/open\"\nexec \"$real\" \"$@\"\n";
    root.wrap("usr/sbin/ifup", script);
    let line = "trap '' CHLD; exec 9</dev/null; exec \"$@\"";
    let output = Command::new("sh")
        .args(["-c", line, "sh", env!("CARGO_BIN_EXE_xenbond"), "--root"])
        .arg(root.path())
        .args(with_spec(&["apply", "--yes"]))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let open = fs::read_to_string(root.at(".dom0/open")).unwrap();
    assert!(!open.lines().any(|fd| fd == "9"), "{open}");
}

#[test]
fn a_logger_that_hangs_is_asked_once() {
    let root = Root::new("el7", "bridge");
    root.wrap("usr/bin/logger", "echo asked >> \"$root/.dom0/asked\"\nexec sleep 1000\n");
    root.apply();
    assert_eq!(fs::read_to_string(root.at(".dom0/asked")).unwrap(), "asked\n");
}

#[test]
fn a_state_folder_that_others_may_write_is_not_trusted() {
    let root = Root::new("el7", "bridge");
    let folder = root.at("var/lib/xenbond");
    fs::create_dir(&folder).unwrap();
    let mode = |mode: u32| fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).unwrap();
    mode(0o777);
    let run = root.exits(1, &with_spec(&["apply", "--yes"]));
    assert!(run.err.contains("others may write /var/lib/xenbond"), "{run:?}");
    mode(0o700);
    symlink("/etc/passwd", folder.join("lock")).unwrap();
    let run = root.exits(1, &with_spec(&["apply", "--yes"]));
    assert!(run.err.contains("/var/lib/xenbond/lock is neither"), "{run:?}");
    fs::remove_file(folder.join("lock")).unwrap();
    root.apply();
}

#[test]
fn a_spec_without_an_end_is_refused() {
    let root = Root::new("el7", "bridge");
    let run = root.exits(2, &["plan", "--spec", "/dev/zero"]);
    assert!(run.err.contains("/dev/zero is longer than 256 KiB"), "{run:?}");
}

#[test]
fn a_pipe_where_files_are_read_is_refused_and_hangs_nothing() {
    for (flavour, path) in [
        ("el7", "etc/sysconfig/network-scripts/ifcfg-old"),
        ("el7", "etc/modprobe.d/old.conf"),
        ("el5", "etc/sysconfig/network-scripts/ifcfg-eth2"),
    ] {
        let root = Root::new(flavour, "bridge");
        let pipe = root.at(path);
        let _ = fs::remove_file(&pipe);
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRUSR).unwrap();
        let run = root.exits(1, &with_spec(&["apply", "--yes"]));
        assert!(run.err.contains("file-not-plain") && run.err.contains("is a pipe"), "{run:?}");
        fs::remove_file(&pipe).unwrap();
        symlink("pipe", &pipe).unwrap();
        nix::unistd::mkfifo(&pipe.with_file_name("pipe"), nix::sys::stat::Mode::S_IRUSR).unwrap();
        let run = root.exits(1, &with_spec(&["apply", "--yes"]));
        assert!(run.err.contains("is a pipe"), "{run:?}");
    }
}
