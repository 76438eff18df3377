//! File systems that are full or cannot be written. They are mounted, which only root may.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::root::{Root, at_once, with_spec};

/// A file system that goes with the value.
struct Mounted(PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn mount(args: &[&str], at: &Path) -> Option<Mounted> {
    let output = Command::new("mount").args(args).arg(at).output();
    if output.as_ref().is_ok_and(|o| o.status.success()) {
        return Some(Mounted(at.to_path_buf()));
    }
    eprintln!("skipped: nothing can be mounted here: {output:?}");
    None
}

/// A folder on a file system of its own, with the files that it has and `spare` pages.
fn small(at: &Path, spare: usize) -> Option<Mounted> {
    let copy = at.with_extension("copy");
    let cp = |from: &Path, to: &Path| {
        let status = Command::new("cp").arg("-a").arg(from.join(".")).arg(to).status();
        assert!(status.unwrap().success());
    };
    fs::create_dir(&copy).unwrap();
    cp(at, &copy);
    let pages: usize = pages(at) + spare;
    let options = format!("size={},mode=755", pages * 4096);
    let mounted = mount(&["-t", "tmpfs", "-o", &options, "tmpfs"], at)?;
    cp(&copy, at);
    fs::remove_dir_all(copy).unwrap();
    Some(mounted)
}

fn pages(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    let size = |path: PathBuf| match path.symlink_metadata().unwrap() {
        meta if meta.is_dir() => pages(&path),
        meta => usize::try_from(meta.len()).unwrap().div_ceil(4096),
    };
    entries.map(size).sum()
}

#[test]
fn no_room_for_the_plan_refuses_before_anything_is_touched() {
    at_once([1, 2, 4], |pages| {
        let root = Root::new("el5", "bridge");
        let start = root.snapshot();
        fs::create_dir(root.at("var/lib/xenbond")).unwrap();
        let options = format!("size={},mode=700", pages * 4096);
        let at = root.at("var/lib/xenbond");
        let Some(mounted) = mount(&["-t", "tmpfs", "-o", &options, "tmpfs"], &at) else { return };
        let run = root.exits(1, &with_spec(&["apply", "--yes"]));
        assert!(run.err.contains("No space left"), "{pages} pages: {run:?}");
        start.assert_same(&root, "refused");
        root.exits(0, &["rollback", "--yes"]);
        drop(mounted);
        root.apply();
    });
}

/// Room enough for what the findings ask for, in pages.
const ROOM: usize = 2304;

#[test]
fn a_file_system_that_is_full_is_refused_and_one_that_fills_meanwhile_rolls_back() {
    let folder = "etc/sysconfig/network-scripts";
    let root = Root::new("el5", "bridge");
    {
        let Some(_mounted) = small(&root.at(folder), 1) else { return };
        let start = root.snapshot();
        let run = root.exits(1, &with_spec(&["apply", "--yes"]));
        assert!(run.err.contains("no-space"), "{run:?}");
        start.assert_same(&root, "refused");
    }
    at_once(["el7", "el5"], |flavour| {
        let root = Root::new(flavour, "bridge");
        let Some(_mounted) = small(&root.at(folder), ROOM) else { return };
        let start = root.snapshot();
        root.gate("pif-forget");
        let running = root.start(&with_spec(&["apply", "--yes"]));
        root.until_at_gate();
        let filler = root.at(folder).join("filler");
        fs::write(&filler, vec![1; (ROOM + 1) * 4096]).unwrap_err();
        root.open_gate();
        let run = running.end();
        assert_eq!(run.code, 3, "{run:?}");
        assert!(run.err.contains("No space left"), "{run:?}");
        fs::remove_file(filler).unwrap();
        root.unwrap_program("opt/xensource/bin/xe");
        start.assert_same(&root, "rolled back");
        assert_eq!(root.own_files(), ["history", "lock"]);
    });
}

/// A file that cannot be written any more.
fn read_only(file: &Path) -> Option<[Mounted; 2]> {
    let bound = mount(&["--bind", file.to_str().unwrap()], file)?;
    Some([mount(&["-o", "remount,bind,ro"], file)?, bound])
}

#[test]
fn a_journal_that_cannot_be_written_is_no_reason_for_another_verdict() {
    for (way, code) in [("apply", 3), ("rollback", 0)] {
        let root = Root::new("el7", "bridge");
        let start = root.snapshot();
        let gate = if way == "apply" { "pif-unplug" } else { "pif-introduce" };
        if way == "rollback" {
            root.apply();
        }
        root.gate(gate);
        let words = if way == "apply" { with_spec(&[way, "--yes"]) } else { vec![way, "--yes"] };
        let running = root.start(&words);
        root.until_at_gate();
        let Some(mounted) = read_only(&root.transaction().join("journal")) else { return };
        root.open_gate();
        let run = running.end();
        assert_eq!(run.code, code, "{way}: {run:?}");
        assert!(run.err.contains("Read-only") && run.err.contains("not whole"), "{way}: {run:?}");
        root.unwrap_program("opt/xensource/bin/xe");
        start.assert_same(&root, way);
        drop(mounted);
        // It is at its end, and no run goes on with it.
        root.exits(0, &["status"]);
        root.exits(0, &["resume"]);
        start.assert_same(&root, "afterwards");
        root.apply();
        // Nothing is begun that cannot be written down.
        let Some(mounted) = read_only(&root.transaction().join("journal")) else { return };
        let run = root.exits(1, &["rollback", "--yes"]);
        assert!(run.err.contains("free disk space"), "{run:?}");
        root.exits(0, &["verify"]);
        drop(mounted);
    }
}

#[test]
fn a_file_system_that_cannot_be_written_changes_nothing() {
    at_once(
        [("var/lib", &[1][..]), ("etc/sysconfig/network-scripts", &[1, 3])],
        |(folder, codes)| {
            let root = Root::new("el7", "bridge");
            let at = root.at(folder);
            let start = root.snapshot();
            let Some(_mounted) = mount(&["--bind", at.to_str().unwrap()], &at) else { return };
            let Some(_same) = mount(&["-o", "remount,bind,ro"], &at) else { return };
            let run = root.xenbond(&with_spec(&["apply", "--yes"]));
            assert!(codes.contains(&run.code), "{folder}: {run:?}");
            assert!(run.err.to_lowercase().contains("read-only"), "{folder}: {run:?}");
            start.assert_same(&root, folder);
        },
    );
}
