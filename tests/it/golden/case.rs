//! One case and the golden workflow: read, compare, rewrite. Knows nothing of what is tested.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, anyhow, bail, ensure};
use similar::TextDiff;

const VARIABLE: &str = "UPDATE_GOLDEN";

const ADVICE: &str = "if this is as it should be: UPDATE_GOLDEN=1 cargo test --test it golden";

/// Where all cases lie.
pub fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}

/// The folders in a folder, by name.
pub fn folders(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("reading {}: {error}", folder.display()))
        .map(Result::unwrap);
    let mut all: Vec<String> = entries
        .filter(|entry| entry.file_type().unwrap().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    all.sort();
    all
}

/// Every file below a folder, by its path from there.
pub fn files(folder: &Path) -> Vec<String> {
    let mut all = Vec::new();
    let mut todo = vec![folder.to_path_buf()];
    while let Some(next) = todo.pop() {
        let Ok(entries) = std::fs::read_dir(&next) else { continue };
        for entry in entries.map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                todo.push(entry.path());
            } else {
                let path = entry.path().strip_prefix(folder).unwrap().to_path_buf();
                all.push(path.into_os_string().into_string().unwrap());
            }
        }
    }
    all.sort();
    all
}

/// Whether goldens are rewritten; decided by the environment alone.
fn updates(variable: Option<&str>, ci: bool) -> Result<bool> {
    match variable {
        None => Ok(false),
        Some("1") if ci => bail!("{VARIABLE}=1 under CI: goldens are rewritten by people"),
        Some("1") => Ok(true),
        Some(other) => bail!("{VARIABLE}={other}: it takes 1 and nothing else"),
    }
}

/// A case under test.
pub struct Case {
    /// `TOPIC/CASE`.
    pub name: String,
    folder: PathBuf,
    update: bool,
    read: Mutex<BTreeSet<String>>,
    written: Mutex<Vec<String>>,
}

impl Case {
    /// Runs every case of a topic, on every processor, and fails with all that differs.
    pub fn each(topic: &str, run: fn(&Self) -> Result<()>) {
        let variable = std::env::var_os(VARIABLE).map(|v| v.to_string_lossy().into_owned());
        let update = updates(variable.as_deref(), std::env::var_os("CI").is_some())
            .unwrap_or_else(|error| panic!("{error}"));
        let names = folders(&golden().join(topic));
        assert!(!names.is_empty(), "golden/{topic} has no cases");
        let (next, failures) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
        let work = || {
            while let Some(name) = names.get(next.fetch_add(1, Ordering::SeqCst)) {
                let case = Self::new(topic, name, update);
                if let Err(error) = case.judge(run) {
                    failures.lock().unwrap().insert(case.name, format!("{error:#}"));
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
                scope.spawn(work);
            }
        });
        let failures = failures.into_inner().unwrap();
        let all: Vec<String> =
            failures.iter().map(|(name, why)| format!("golden/{name}: {why}\n")).collect();
        assert!(all.is_empty(), "{} of {} cases\n\n{}", all.len(), names.len(), all.join("\n"));
    }

    fn new(topic: &str, name: &str, update: bool) -> Self {
        Self {
            name: format!("{topic}/{name}"),
            folder: golden().join(topic).join(name),
            update,
            read: Mutex::default(),
            written: Mutex::default(),
        }
    }

    fn judge(&self, run: fn(&Self) -> Result<()>) -> Result<()> {
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(self))).unwrap_or_else(
            |panic| {
                let text = panic.downcast_ref::<String>().map(String::as_str);
                let text = text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("no words");
                Err(anyhow!("panicked: {text}"))
            },
        )?;
        let unread = self.unread();
        ensure!(unread.is_empty(), "no test reads {}", unread.join(", "));
        // Past the capture of the test harness: what was rewritten must be seen.
        std::io::stderr().write_all(self.written.lock().unwrap().concat().as_bytes())?;
        Ok(())
    }

    fn unread(&self) -> Vec<String> {
        let read = self.read.lock().unwrap();
        files(&self.folder).into_iter().filter(|file| !read.contains(file)).collect()
    }

    /// A file of the case, when it has it.
    pub fn bytes(&self, file: &str) -> Result<Option<Vec<u8>>> {
        self.read.lock().unwrap().insert(file.to_string());
        match std::fs::read(self.folder.join(file)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("reading {file}")),
        }
    }

    /// A text of the case, when it has it.
    pub fn text(&self, file: &str) -> Result<Option<String>> {
        let bytes = self.bytes(file)?;
        bytes.map(|b| String::from_utf8(b).with_context(|| format!("reading {file}"))).transpose()
    }

    /// Copies what lies below `from` over the files below `to`.
    pub fn lay(&self, from: &str, to: &Path) -> Result<()> {
        for file in files(&self.folder.join(from)) {
            let bytes = self.bytes(&format!("{from}/{file}"))?.unwrap_or_default();
            let path = to.join(&file);
            std::fs::create_dir_all(path.parent().context("a file has a folder")?)?;
            std::fs::write(&path, bytes).with_context(|| format!("writing {}", path.display()))?;
        }
        Ok(())
    }

    /// Compares what came with what is wanted, or makes it so.
    pub fn compare(&self, file: &str, came: &str) -> Result<()> {
        let wanted = self.text(file)?;
        if wanted.as_deref() == Some(came) {
            return Ok(());
        }
        if self.update {
            let path = self.folder.join(file);
            std::fs::create_dir_all(path.parent().context("a file has a folder")?)?;
            std::fs::write(&path, came)?;
            self.written.lock().unwrap().push(format!("wrote golden/{}/{file}\n", self.name));
            return Ok(());
        }
        let wanted = wanted.with_context(|| format!("{file} is not there yet; {ADVICE}"))?;
        let diff = TextDiff::from_lines(wanted.as_str(), came);
        let diff = diff.unified_diff().header(&format!("{file}, wanted"), "came").to_string();
        bail!("{file} differs\n{diff}{ADVICE}")
    }

    /// The same for all files below a folder of the case.
    pub fn compare_tree(&self, below: &str, came: &BTreeMap<String, String>) -> Result<()> {
        for file in files(&self.folder.join(below)) {
            if !came.contains_key(&file) {
                let name = format!("{below}/{file}");
                ensure!(self.update, "{name} is wanted and did not come; {ADVICE}");
                std::fs::remove_file(self.folder.join(&name))?;
                self.written.lock().unwrap().push(format!("removed golden/{}/{name}\n", self.name));
            }
        }
        let all = came.iter().map(|(file, text)| self.compare(&format!("{below}/{file}"), text));
        let wrong: Vec<String> = all.filter_map(|r| Some(format!("{:#}", r.err()?))).collect();
        ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
        Ok(())
    }
}

/// A case in a folder of its own, outside `golden/`.
fn scratch(update: bool) -> (tempfile::TempDir, Case) {
    let folder = tempfile::tempdir().unwrap();
    let mut case = Case::new("scratch", "case", update);
    case.folder = folder.path().to_path_buf();
    (folder, case)
}

#[test]
fn goldens_are_rewritten_only_when_a_person_says_1() {
    assert!(!updates(None, false).unwrap());
    assert!(!updates(None, true).unwrap());
    assert!(updates(Some("1"), false).unwrap());
    assert!(updates(Some("1"), true).is_err());
    for other in ["", "0", "yes", "true", "2"] {
        let error = updates(Some(other), false).unwrap_err().to_string();
        assert!(error.starts_with("UPDATE_GOLDEN="), "{error}");
    }
}

#[test]
fn a_mismatch_shows_a_diff_and_how_to_accept_it() {
    let (folder, case) = scratch(false);
    std::fs::write(folder.path().join("want.txt"), "one\ntwo\n").unwrap();
    let error = case.judge(|case| case.compare("want.txt", "one\n2\n")).unwrap_err().to_string();
    assert!(error.contains("-two\n+2\n"), "{error}");
    assert_eq!(error.lines().last(), Some(ADVICE));
    let error = case.judge(|case| case.compare("new.txt", "one\n")).unwrap_err().to_string();
    assert!(error.ends_with(ADVICE), "{error}");
    assert!(!folder.path().join("new.txt").exists());
}

#[test]
fn a_golden_that_no_test_reads_is_an_error() {
    let (folder, case) = scratch(false);
    std::fs::create_dir(folder.path().join("host")).unwrap();
    std::fs::write(folder.path().join("host/old"), "").unwrap();
    let error = case.judge(|_| Ok(())).unwrap_err().to_string();
    assert_eq!(error, "no test reads host/old");
    let error = case.judge(|case| case.compare_tree("host", &BTreeMap::new())).unwrap_err();
    assert!(error.to_string().starts_with("host/old is wanted and did not come"), "{error}");
}

#[test]
fn rewriting_writes_what_came_and_says_so() {
    let (folder, case) = scratch(true);
    std::fs::create_dir(folder.path().join("out")).unwrap();
    std::fs::write(folder.path().join("out/stale"), "").unwrap();
    case.compare("want.txt", "one\n").unwrap();
    case.compare_tree("out", &BTreeMap::from([("etc/new".into(), "two\n".into())])).unwrap();
    let read = |file: &str| std::fs::read_to_string(folder.path().join(file)).unwrap();
    assert_eq!((read("want.txt").as_str(), read("out/etc/new").as_str()), ("one\n", "two\n"));
    assert!(!folder.path().join("out/stale").exists());
    let written = case.written.lock().unwrap().concat();
    assert_eq!(
        written,
        "wrote golden/scratch/case/want.txt\nremoved golden/scratch/case/out/stale\nwrote golden/scratch/case/out/etc/new\n"
    );
}
