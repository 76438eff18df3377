//! A host of the model at one moment, as a value: taken, compared, altered and put back. Reading
//! it is what a reboot or a new process would find, so a death or a power cut is only a moment.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use xenbond::host::{Clock, Effect};
use xenbond::model::Model;
use xenbond::model::state::State;

/// The folders in which anything changes; `/proc` and `/sys` follow from the state.
const FOLDERS: [&str; 3] = ["etc", "run", "var"];

/// Written without an effect: its content is only for people, and a leftover means nothing.
const LOCK: &str = "var/lib/xenbond/lock";

/// XAPI and networkd write there themselves, in their own time and durably.
const OTHERS: &str = "var/lib/xcp";

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    Folder(u32),
    Link(PathBuf),
    File { bytes: Arc<Vec<u8>>, mode: u32, mtime: u64 },
}

/// Files below the root, by path in it.
pub type Files = BTreeMap<PathBuf, Entry>;

/// A host at one moment.
#[derive(Clone)]
pub struct Moment {
    files: Arc<Files>,
    /// The model but for its clock and its notes.
    state: Arc<State>,
    clock: u64,
    /// When XAPI wrote last and networkd writes next.
    saves: (u64, u64),
}

/// But for the clock: every wait has a start of its own.
impl PartialEq for Moment {
    fn eq(&self, other: &Self) -> bool {
        self.files == other.files && self.state == other.state
    }
}

fn entry(path: &Path) -> Option<Entry> {
    let meta = path.symlink_metadata().ok()?;
    Some(if meta.is_symlink() {
        Entry::Link(fs::read_link(path).unwrap())
    } else if meta.is_dir() {
        Entry::Folder(meta.mode() & 0o7777)
    } else {
        let since = meta.modified().unwrap().duration_since(UNIX_EPOCH).unwrap();
        Entry::File {
            bytes: Arc::new(fs::read(path).unwrap()),
            mode: meta.mode() & 0o7777,
            mtime: u64::try_from(since.as_nanos()).unwrap(),
        }
    })
}

/// Reads what is at a path in the root, and below it.
fn read(root: &Path, path: &Path, all: &mut Files) {
    let Some(entry) = entry(&root.join(path)).filter(|_| path != Path::new(LOCK)) else { return };
    let is_folder = matches!(entry, Entry::Folder(_));
    all.insert(path.to_path_buf(), entry);
    if is_folder {
        read_below(root, path, all);
    }
}

fn read_below(root: &Path, folder: &Path, all: &mut Files) {
    for name in fs::read_dir(root.join(folder)).into_iter().flatten() {
        read(root, &folder.join(name.unwrap().file_name()), all);
    }
}

fn files_of(root: &Path) -> Files {
    let mut all = Files::new();
    for folder in FOLDERS {
        read_below(root, Path::new(folder), &mut all);
    }
    all
}

impl Moment {
    /// Now.
    pub fn of(model: &Model) -> Self {
        Self::with(model, files_of(model.root()), None)
    }

    /// Now, before or after an effect, where nothing but that and what XAPI and networkd write has
    /// changed a file since `last`. Whether it is so is seen at the next command, around which all
    /// is read. What is as it was shares its memory.
    pub fn at(model: &Model, last: &Self, effect: &Effect<'_>) -> Self {
        let root = model.root();
        let touched = match effect {
            Effect::Run(_) => return Self::with(model, files_of(root), Some(last)),
            Effect::Write(path)
            | Effect::Append(path)
            | Effect::Remove(path)
            | Effect::MakeDir(path) => vec![inside(root, path)],
            Effect::Rename(from, to) => vec![inside(root, from), inside(root, to)],
            Effect::SyncFile(_) | Effect::SyncDir(_) | Effect::Set(_) => Vec::new(),
        };
        let mut files = (*last.files).clone();
        let ours = touched.iter().filter(|p| FOLDERS.iter().any(|folder| p.starts_with(folder)));
        for path in ours.map(PathBuf::as_path).chain([Path::new(OTHERS)]) {
            restore(&mut files, path, None);
            read(root, path, &mut files);
        }
        Self::with(model, files, Some(last))
    }

    fn with(model: &Model, mut files: Files, last: Option<&Self>) -> Self {
        let mut state = model.state();
        let clock = state.dom0.clock;
        (state.dom0.clock, state.dom0.transcript, state.dom0.dmesg) = (0, Vec::new(), Vec::new());
        let disk = &mut state.dom0.disk;
        let saves = (disk.xapi_written, disk.networkd_next);
        (disk.xapi_written, disk.networkd_next) = (0, 0);
        if let Some(last) = last {
            for (path, entry) in &mut files {
                if let (Entry::File { bytes, .. }, Some(Entry::File { bytes: old, .. })) =
                    (entry, last.files.get(path))
                    && bytes == old
                {
                    *bytes = Arc::clone(old);
                }
            }
        }
        let files = match last {
            Some(last) if *last.files == files => Arc::clone(&last.files),
            _ => Arc::new(files),
        };
        let state = match last {
            Some(last) if *last.state == state => Arc::clone(&last.state),
            _ => Arc::new(state),
        };
        Self { files, state, clock, saves }
    }

    /// Whether so many seconds have passed since.
    pub fn is_so_long_ago(&self, model: &Model, seconds: u64) -> bool {
        model.elapsed() >= Duration::from_millis(self.clock) + Duration::from_secs(seconds)
    }

    /// Whether files and XAPI's records are the same: what no time that passes changes.
    pub fn was_left_alone(&self, later: &Self) -> bool {
        let ours = |files: &Files| -> Vec<(PathBuf, Entry)> {
            let all = files.iter().filter(|(path, _)| !path.starts_with(OTHERS));
            all.map(|(path, entry)| (path.clone(), entry.clone())).collect()
        };
        (Arc::ptr_eq(&self.files, &later.files) || ours(&self.files) == ours(&later.files))
            && self.state.pool == later.state.pool
    }

    /// The same but for when its files were written and what happened when: no undo looks at
    /// the time of a file that is ours, or of a journal's line.
    pub fn timeless(&self) -> Self {
        let mut files = (*self.files).clone();
        for (path, entry) in &mut files {
            let Entry::File { bytes, mtime, .. } = entry else { continue };
            *mtime = 0;
            if path.ends_with("journal") {
                let lines = bytes.split(|b| *b == b'\n').filter(|line| !line.is_empty());
                let events = lines.map(|line| {
                    let event = serde_json::from_slice(line).ok();
                    let Some(serde_json::Value::Object(mut event)) = event else {
                        return line.to_vec();
                    };
                    event.remove("at");
                    serde_json::Value::Object(event).to_string().into_bytes()
                });
                *bytes = Arc::new(events.collect::<Vec<_>>().join(&b'\n'));
            }
        }
        Self { files: Arc::new(files), ..self.clone() }
    }

    /// Makes the model's host this one.
    pub fn put(&self, model: &Model) {
        let root = model.root();
        let now = files_of(root);
        for (path, entry) in now.iter().rev() {
            let wanted = self.files.get(path);
            let stays = match (entry, wanted) {
                (Entry::Folder(_), Some(Entry::Folder(_))) => true,
                (_, Some(wanted)) => wanted == entry,
                (_, None) => false,
            };
            if !stays {
                let real = root.join(path);
                match entry {
                    Entry::Folder(_) => fs::remove_dir_all(real).unwrap(),
                    _ => fs::remove_file(real).unwrap(),
                }
            }
        }
        for (path, entry) in &*self.files {
            if now.get(path) == Some(entry) {
                continue;
            }
            let real = root.join(path);
            match entry {
                Entry::Folder(mode) => {
                    fs::create_dir_all(&real).unwrap();
                    fs::set_permissions(&real, fs::Permissions::from_mode(*mode)).unwrap();
                }
                Entry::Link(to) => symlink(to, &real).unwrap(),
                Entry::File { bytes, mode, mtime } => {
                    // The upper ones are no entries, and a rollback takes away what is empty.
                    fs::create_dir_all(real.parent().unwrap()).unwrap();
                    fs::write(&real, bytes.as_slice()).unwrap();
                    fs::set_permissions(&real, fs::Permissions::from_mode(*mode)).unwrap();
                    let file = fs::File::options().write(true).open(&real).unwrap();
                    file.set_modified(UNIX_EPOCH + Duration::from_nanos(*mtime)).unwrap();
                }
            }
        }
        model.change(|state| {
            *state = (*self.state).clone();
            state.dom0.clock = self.clock;
            (state.dom0.disk.xapi_written, state.dom0.disk.networkd_next) = self.saves;
        });
    }

    /// Everything that a rollback must bring back, by name.
    pub fn view(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        for (path, entry) in self.files.iter().filter(|(path, _)| path.starts_with("etc")) {
            let text = match entry {
                // XAPI writes it whenever the management moves.
                Entry::File { bytes, .. } if path.ends_with("xensource-inventory") => {
                    bytes.escape_ascii().to_string()
                }
                Entry::File { bytes, mode, mtime } => {
                    format!("{mode:o} {mtime} {}", bytes.escape_ascii())
                }
                other => format!("{other:?}"),
            };
            all.insert(path.display().to_string(), text);
        }
        let state = &self.state;
        for (key, pif) in &state.pool.pifs {
            let mut value = serde_json::to_value(pif).unwrap();
            let fields = value.as_object_mut().unwrap();
            // XAPI gives another one after a forget.
            fields.remove("uuid");
            if !pif.managed {
                // Read-only, what the NIC had when XAPI was told of it; nothing goes by it.
                fields.remove("mtu");
            }
            all.insert(format!("PIF {key}"), value.to_string());
        }
        for (key, network) in &state.pool.networks {
            if ["NAS", "MGT"].contains(&network.name_label.as_str()) {
                all.insert(format!("network called {}", network.name_label), String::new());
            }
            if network.mtu != 1500 || !network.other_config.is_empty() {
                let settings = format!("{} {:?}", network.mtu, network.other_config);
                all.insert(format!("network {key}"), settings);
            }
        }
        all.insert("running".into(), state.dom0.running.word().into());
        for (name, bond) in &state.dom0.bonds {
            let slaves: Vec<&str> = bond.slaves.iter().map(|s| s.name.as_str()).collect();
            // One that is no slave is shown by no file, and an empty line written over an empty one
            // is nothing that the model can see.
            let rest = (&bond.options, bond.primary_slave(), bond.up, bond.mtu, slaves);
            all.insert(format!("bond {name}"), format!("{rest:?}"));
        }
        for (name, bond) in &state.dom0.vswitch {
            let members: Vec<&str> = bond.members.iter().map(|one| one.name.as_str()).collect();
            all.insert(format!("Open vSwitch {name}"), format!("{} {members:?}", bond.mode));
        }
        for (name, nic) in &state.dom0.nics {
            all.insert(format!("NIC {name}"), format!("{:?}", (&nic.mac, nic.mtu, &nic.master)));
        }
        all.insert("addresses".into(), format!("{:?}", state.dom0.addresses));
        all.insert("routes".into(), format!("{:?}", state.dom0.routes));
        all.insert("executed".into(), state.dom0.executed.join(";"));
        all
    }
}

/// A change that is not durable yet, and what was before it.
#[derive(Clone)]
enum Pending {
    /// A file's bytes.
    Bytes { file: PathBuf, was: Vec<u8> },
    /// An entry of a folder.
    Entry { path: PathBuf, was: Option<Entry> },
    /// A file has another name since.
    Renamed { from: PathBuf, to: PathBuf },
    /// An entry that a command changed, which syncs nothing itself. Any sync of ours takes it
    /// along, as the journal of ext3 and ext4 does.
    Command { path: PathBuf, was: Option<Entry> },
}

/// What is left of a moment when the power goes.
#[derive(Clone, Copy)]
pub enum Loss {
    /// Nothing that was not made durable.
    All,
    /// Half of the newest bytes, and no newer names.
    Torn,
    /// All names, with none of the bytes: delayed allocation without an fsync.
    Bytes,
}

/// What is not durable.
#[derive(Clone, Default)]
pub struct Volatile(Vec<Pending>);

/// A path in the root, with links on its way followed: `current` is one.
fn inside(root: &Path, real: &Path) -> PathBuf {
    let folder = fs::canonicalize(real.parent().unwrap()).unwrap();
    folder.strip_prefix(root).unwrap().join(real.file_name().unwrap())
}

impl Volatile {
    /// Takes note of an effect that is about to happen to a host that is as `now`.
    pub fn note(&mut self, root: &Path, now: &Moment, effect: &Effect<'_>) {
        let entry = |path: &PathBuf| Pending::Entry {
            path: path.clone(),
            was: now.files.get(path).cloned(),
        };
        match effect {
            Effect::Write(path) | Effect::Append(path) => {
                let file = inside(root, path);
                let was = match now.files.get(&file) {
                    Some(Entry::File { bytes, .. }) => bytes.to_vec(),
                    _ => Vec::new(),
                };
                if !now.files.contains_key(&file) {
                    self.0.push(entry(&file));
                }
                self.0.push(Pending::Bytes { file, was });
            }
            Effect::Rename(from, to) => {
                let (from, to) = (inside(root, from), inside(root, to));
                self.0.extend([entry(&from), entry(&to)]);
                self.0.push(Pending::Renamed { from, to });
            }
            Effect::Remove(path) | Effect::MakeDir(path) => {
                let path = inside(root, path);
                let below = now.files.range(path.clone()..);
                for (path, _) in below.take_while(|(p, _)| p.starts_with(&path)) {
                    self.0.push(entry(path));
                }
                self.0.push(entry(&path));
            }
            Effect::SyncFile(path) => {
                let synced = inside(root, path);
                self.0.retain(|p| match p {
                    Pending::Bytes { file, .. } => *file != synced,
                    Pending::Command { .. } => false,
                    _ => true,
                });
            }
            Effect::SyncDir(path) => {
                let folder = fs::canonicalize(path).unwrap();
                let folder = folder.strip_prefix(root).unwrap().to_path_buf();
                let here = |path: &Path| path.parent() == Some(&folder);
                // A name that is durable now is where bytes that are not will be missed.
                let names: Vec<(PathBuf, PathBuf)> =
                    self.renames().filter(|(_, to)| here(to)).collect();
                for pending in &mut self.0 {
                    if let Pending::Bytes { file, .. } = pending
                        && let Some((_, to)) = names.iter().find(|(from, _)| from == file)
                    {
                        *file = to.clone();
                    }
                }
                self.0.retain(|p| match p {
                    Pending::Entry { path, .. } => !here(path),
                    Pending::Renamed { to, .. } => !here(to),
                    Pending::Command { .. } => false,
                    Pending::Bytes { .. } => true,
                });
            }
            Effect::Run(_) | Effect::Set(_) => {}
        }
    }

    /// Takes note of what a command did.
    pub fn note_command(&mut self, before: &Moment, after: &Moment) {
        let paths = before.files.keys().chain(after.files.keys());
        let paths = paths.filter(|path| !path.starts_with(OTHERS));
        for path in paths.collect::<std::collections::BTreeSet<_>>() {
            let was = before.files.get(path);
            if was != after.files.get(path) {
                self.0.push(Pending::Command { path: path.clone(), was: was.cloned() });
            }
        }
    }

    fn renames(&self) -> impl Iterator<Item = (PathBuf, PathBuf)> {
        self.0.iter().filter_map(|p| match p {
            Pending::Renamed { from, to } => Some((from.clone(), to.clone())),
            _ => None,
        })
    }

    /// The host after the power went.
    pub fn lost(&self, moment: &Moment, how: Loss) -> Moment {
        let mut files = (*moment.files).clone();
        if let Loss::Bytes = how {
            for pending in &self.0 {
                if let Pending::Bytes { file, was } = pending {
                    let mut name = file.clone();
                    for (from, to) in self.renames() {
                        name = if name == from { to } else { name };
                    }
                    cut(&mut files, &name, was, false);
                }
            }
        } else {
            for pending in self.0.iter().rev() {
                match pending {
                    Pending::Bytes { file, was } => {
                        cut(&mut files, file, was, matches!(how, Loss::Torn));
                    }
                    Pending::Entry { path, was } | Pending::Command { path, was } => {
                        restore(&mut files, path, was.clone());
                    }
                    Pending::Renamed { .. } => {}
                }
            }
        }
        Moment { files: Arc::new(files), ..moment.clone() }
    }
}

/// Takes the newest bytes of a file away, or half of them.
fn cut(files: &mut Files, file: &Path, was: &[u8], torn: bool) {
    let Some(Entry::File { bytes, .. }) = files.get_mut(file) else { return };
    let old = was.len().min(bytes.len());
    let half = if torn { (bytes.len() - old) / 2 } else { 0 };
    let left = if bytes.len() < was.len() { was.to_vec() } else { bytes[..old + half].to_vec() };
    *bytes = Arc::new(left);
}

fn restore(files: &mut Files, path: &Path, was: Option<Entry>) {
    match was {
        Some(entry) => drop(files.insert(path.to_path_buf(), entry)),
        None => files.retain(|p, _| !p.starts_with(path)),
    }
}
