//! The model's state while it runs: what `/proc` and `/sys` show of it, what was written there by
//! hand since, the answers that `xe` gives again, and the misbehaviour that was asked for.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use super::dispatch::dispatch;
use super::kernel::tree;
use super::programs::shell::Shell;
use super::state::{Bond, Dom0, How, Nic, Pool, Ran, State, VsBond};
use super::stores;
use super::xe;
use crate::host::{Output, Status};
use crate::order;

/// The state, and what is known of the root.
pub(super) struct Inner {
    pub(super) state: State,
    /// XAPI's records as they are kept on the disk, where they were read from there.
    pub(super) kept: Option<Pool>,
    /// XAPI's records as its database has them, where it writes at once.
    pub(super) written: Option<Pool>,
    /// What was last written under `/proc` and `/sys`.
    tree: tree::Tree,
    /// What the guard of a confirmation holds while it lives.
    pub(super) guard: Option<fs::File>,
    /// The kernel that it shows; `None` where the files may have been altered since.
    shown: Option<Dom0>,
    /// What `xe` answered to questions, as long as neither XAPI's records nor the kernel change.
    answers: (Pool, BTreeMap<Vec<String>, Answer>),
}

/// What `xe` answered: status, stdout, stderr, and the virtual time that it took, in ms.
type Answer = (i32, String, String, u64);

/// A command as it is typed.
fn line(program: &str, args: &[String]) -> String {
    let words = std::iter::once(program).chain(args.iter().map(String::as_str));
    words.collect::<Vec<_>>().join(" ")
}

/// A copy without the notes, which are long and make no difference.
fn without_notes(dom0: &mut Dom0) -> Dom0 {
    let notes = (std::mem::take(&mut dom0.transcript), std::mem::take(&mut dom0.dmesg));
    let copy = dom0.clone();
    (dom0.transcript, dom0.dmesg) = notes;
    copy
}

/// Whether two kernels are the same but for their clocks and what was noted on the way.
fn same_kernel(one: &Dom0, other: &Dom0) -> bool {
    let Dom0 {
        me,
        flavour,
        features,
        kernel,
        running,
        xapi,
        xapi_start,
        xapi_up_at,
        boot,
        reboot_requested,
        boot_runs,
        wall_offset,
        booted_at,
        traffic: _,
        clock: _,
        nics,
        bonds,
        vswitch,
        devices,
        ifindex,
        modules,
        addresses,
        addresses6,
        routes,
        wire,
        mounts,
        lies: _,
        transcript: _,
        executed,
        dmesg: _,
        networkd: _,
        saves: _,
        disk: _,
    } = one;
    let timeless = |bonds: &BTreeMap<String, Bond>| {
        let mut bonds = bonds.clone();
        for slave in bonds.values_mut().flat_map(|b| &mut b.slaves) {
            (slave.until, slave.lacp_at) = (None, 0);
        }
        bonds
    };
    let settled = |bonds: &BTreeMap<String, VsBond>| {
        let mut bonds = bonds.clone();
        for member in bonds.values_mut().flat_map(|b| &mut b.members) {
            (member.until, member.heard_at) = (None, None);
        }
        bonds
    };
    *me == other.me
        && *flavour == other.flavour
        && *features == other.features
        && *kernel == other.kernel
        && *running == other.running
        && *xapi == other.xapi
        && *xapi_start == other.xapi_start
        && *xapi_up_at == other.xapi_up_at
        && *boot == other.boot
        && *reboot_requested == other.reboot_requested
        && *boot_runs == other.boot_runs
        && *wall_offset == other.wall_offset
        && *booted_at == other.booted_at
        && *nics == other.nics
        && timeless(bonds) == timeless(&other.bonds)
        && settled(vswitch) == settled(&other.vswitch)
        && *devices == other.devices
        && *ifindex == other.ifindex
        && *modules == other.modules
        && *addresses == other.addresses
        && *addresses6 == other.addresses6
        && *routes == other.routes
        && *wire == other.wire
        && *mounts == other.mounts
        && *executed == other.executed
}

impl Inner {
    pub(super) fn new(state: State, tree: tree::Tree) -> Self {
        let answers = (state.pool.clone(), BTreeMap::new());
        Self { state, kept: None, written: None, tree, guard: None, shown: None, answers }
    }

    /// What it held is free at once: a process that another thread is just starting has the file
    /// open too, and would hold it a while longer.
    pub(super) fn end_guard(&mut self) -> bool {
        self.guard.take().is_some_and(|file| file.unlock().is_ok())
    }

    /// Takes the files to be as the state is.
    pub(super) fn trust(&mut self) {
        self.shown = Some(without_notes(&mut self.state.dom0));
    }

    /// Whether the files are as the state was when it was last shown.
    pub(super) fn shows(&self) -> bool {
        self.shown.is_some()
    }

    /// Whether `/proc` and `/sys` are as the state is.
    fn is_shown(&self) -> bool {
        // LACP's agreement shows after a time, with nothing else in the state that changes.
        let timed = self.state.dom0.bonds.values().any(|bond| bond.option("mode") == 4);
        !timed && self.shown.as_ref().is_some_and(|shown| same_kernel(shown, &self.state.dom0))
    }

    /// Lets time pass; what was written by hand before has its effect first.
    pub(super) fn pass(&mut self, root: &Path, time: Duration) {
        self.absorb(root);
        let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        // A pause of less than the clock's grain is still a pause.
        self.state.dom0.advance(ms.max(1));
        self.settle(root);
        self.show_or_note(root);
    }

    /// What XAPI and networkd have to write by now is written.
    pub(super) fn settle(&mut self, root: &Path) {
        stores::settle(root, &mut self.state, &mut self.written);
    }

    /// Runs a program of the host, where all that was written by hand is known.
    pub(super) fn execute(&mut self, root: &Path, program: &str, args: &[String]) -> Output {
        let lie = self.lie(program, args);
        let asks = program == "xe"
            && args.first().is_some_and(|a| a.ends_with("-list") || a.ends_with("-param-get"));
        if asks && lie.is_none() {
            return self.ask(root, args);
        }
        let before = (self.state.pool.clone(), without_notes(&mut self.state.dom0));
        let (mut status, mut out, mut err, mut wrote) = (0, String::new(), String::new(), false);
        if !matches!(lie, Some(How::Fails | How::Lies | How::Hangs)) {
            let mut shell = Shell::new(root, &mut self.state);
            status = dispatch(&mut shell, program, args);
            (out, err, wrote) = (shell.out, shell.err, shell.wrote);
            let took = shell.took;
            self.state.dom0.advance(took);
        }
        let end = match lie {
            Some(How::Hangs | How::HangsAfter) => Status::TimedOut,
            Some(How::Fails | How::FailsAfter) => {
                (status, out) = (1, String::new());
                err = format!("{program}: it did not work (the model was told to fail)\n");
                Status::Exited(1)
            }
            Some(How::Lies) | None => Status::Exited(status),
        };
        let state = &self.state;
        let changed = wrote || before.0 != state.pool || !same_kernel(&before.1, &state.dom0);
        let status = if end == Status::TimedOut { -1 } else { status };
        self.state.dom0.transcript.push(Ran { command: line(program, args), status, changed });
        self.settle(root);
        self.show_or_note(root);
        Output { status: end, stdout: out.into_bytes(), stderr: err.into_bytes() }
    }
    /// Runs an `xe` that only looks. One dom0 asks for the same dozens of times.
    fn ask(&mut self, root: &Path, args: &[String]) -> Output {
        if self.answers.0 != self.state.pool || !self.is_shown() {
            self.answers = (self.state.pool.clone(), BTreeMap::new());
        }
        let (status, out, err, took) = match self.answers.1.get(args) {
            Some(known) => known.clone(),
            None => {
                let mut shell = Shell::new(root, &mut self.state);
                let status = xe::run(&mut shell, args);
                let answer = (status, shell.out, shell.err, shell.took);
                self.answers.1.insert(args.to_vec(), answer.clone());
                answer
            }
        };
        self.state.dom0.advance(took);
        let ran = Ran { command: line("xe", args), status, changed: false };
        self.state.dom0.transcript.push(ran);
        self.show_or_note(root);
        Output {
            status: Status::Exited(status),
            stdout: out.into_bytes(),
            stderr: err.into_bytes(),
        }
    }

    /// Writes `/proc` and `/sys` as the state is, when it differs from what they show.
    pub(super) fn show(&mut self, root: &Path) -> Result<()> {
        if self.is_shown() {
            return Ok(());
        }
        let want = tree::wanted(&self.state.dom0);
        tree::sync(root, &self.tree, &want)?;
        self.tree = want;
        self.answers.1.clear();
        self.trust();
        Ok(())
    }

    /// Writes `/proc` and `/sys`, where no error can be given: a root that is gone ends a test, not
    /// the model.
    pub(super) fn show_or_note(&mut self, root: &Path) {
        if let Err(error) = self.show(root) {
            self.shown = None;
            self.state.dom0.dmesg.push(format!("the model: {error:#}"));
        }
    }

    /// Takes what was written since into the attributes that the kernel lets anybody set: those of
    /// bonds, and a device's `flags` and `mtu`.
    pub(super) fn absorb(&mut self, root: &Path) {
        let pci = |nic: &Nic| format!("pci0000:00/{}", nic.pci);
        let nics = self.state.dom0.nics.iter().map(|(name, nic)| (name.clone(), pci(nic)));
        let bonds = self.state.dom0.bonds.keys().map(|name| (name.clone(), "virtual".to_string()));
        for (name, place) in nics.chain(bonds).collect::<Vec<_>>() {
            let folder = format!("sys/devices/{place}/net/{name}");
            if place != "virtual" {
                self.absorb_flags(root, &name, &format!("{folder}/flags"));
            }
            self.absorb_mtu(root, &name, &format!("{folder}/mtu"));
            self.absorb_options(root, &name, &folder);
        }
    }

    /// Puts down that a file is not what it is to show.
    fn was_written(&mut self, path: String, text: String) {
        self.tree.insert(path, tree::Node::File(text));
        self.shown = None;
    }

    /// What the kernel refuses stays as it was.
    fn absorb_options(&mut self, root: &Path, bond: &str, folder: &str) {
        let Some(live) = self.state.dom0.bonds.get(bond) else { return };
        // One may change another: what was written is told by what all of them were before.
        let mut written = Vec::new();
        for (key, value) in tree::attributes(&self.state.dom0, live) {
            let path = format!("{folder}/bonding/{key}");
            let Ok(text) = fs::read_to_string(root.join(&path)) else { continue };
            // An empty one is about to be written: to the kernel nothing has come yet.
            if !text.is_empty() && value.trim() != text.trim() {
                written.push((path, key, text));
            }
        }
        // As the boot scripts write them: a primary joins before it is named.
        order::sort_by_key(&mut written, |(_, key, _)| {
            (key != "slaves", key != "mode", key != "miimon")
        });
        for (path, key, text) in written {
            let _ = self.state.dom0.set_option(bond, &key, &text);
            self.was_written(path, text);
        }
    }

    /// What was written into `flags` of a NIC: whether it is up.
    fn absorb_flags(&mut self, root: &Path, name: &str, path: &str) {
        const IFF_UP: u32 = 1;
        let Ok(text) = fs::read_to_string(root.join(path)) else { return };
        let hex = text.trim().strip_prefix("0x");
        let Some(bits) = hex.and_then(|hex| u32::from_str_radix(hex, 16).ok()) else { return };
        let up = bits & IFF_UP != 0;
        if up != self.state.dom0.is_up(name) {
            self.state.dom0.set_up(name, up);
            self.was_written(path.to_string(), text);
        }
    }

    fn absorb_mtu(&mut self, root: &Path, name: &str, path: &str) {
        let Ok(text) = fs::read_to_string(root.join(path)) else { return };
        if text.is_empty() || text.trim() == self.state.dom0.mtu_of(name).to_string() {
            return;
        }
        if let Ok(mtu) = text.trim().parse() {
            self.state.dom0.set_mtu(name, mtu);
        }
        self.was_written(path.to_string(), text);
    }

    /// The misbehaviour that this call meets, used up.
    fn lie(&mut self, program: &str, args: &[String]) -> Option<How> {
        let first = args.first().map(|a| format!("{program} {a}")).unwrap_or_default();
        let lies = &mut self.state.dom0.lies;
        let key =
            [first.as_str(), program].into_iter().find(|k| lies.contains_key(*k))?.to_string();
        let lie = lies.get_mut(&key)?;
        if lie.after > 0 {
            lie.after -= 1;
            return None;
        }
        let how = lie.how;
        lie.times = lie.times.saturating_sub(1);
        if lie.times == 0 {
            lies.remove(&key);
        }
        Some(how)
    }
}
