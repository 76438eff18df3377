//! What must hold after every event of a life, judged by the model's state and the files of its
//! root. Must not know the program's code but for the words of its verdicts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use xenbond::model::state::State;
use xenbond::outcome::{Ending, Exit, Outcome};

use super::event::{Act, Ask, Event};
use super::host::{Came, Living, Said, Views, line};

/// All of a host that a change may touch, by name.
type View = BTreeMap<String, String>;

/// Where this host is managed from.
#[derive(Clone)]
struct Management {
    device: String,
    bridge: String,
    addresses: BTreeSet<String>,
}

impl Management {
    fn of(state: &State) -> Self {
        let mut pifs = state.pool.pifs.values();
        let pif = pifs.find(|p| p.management && p.host == state.dom0.me).unwrap();
        let bridge = state.pool.networks[&pif.network].bridge.clone();
        let addresses = state.dom0.addresses.get(&bridge).cloned().unwrap_or_default();
        Self { device: pif.device.clone(), bridge, addresses }
    }
}

/// A transaction as its outcomes told of it.
struct Begun {
    /// How many changes were noted before.
    since: usize,
    before: View,
    act: Act,
    bond: String,
    stands: bool,
}

impl Begun {
    fn removes(&self) -> bool {
        matches!(self.act, Act::Remove(_) | Act::RemoveBack(_) | Act::RemoveTold(_))
    }
}

/// What is known of a bond.
#[derive(Clone, Copy, PartialEq)]
enum Known {
    Asked(Ask),
    /// The same, unless the power goes.
    Volatile(Ask),
    Gone,
}

/// What changed at once, and by which transaction; by others where there is none.
struct Change {
    keys: BTreeSet<String>,
    by: Option<String>,
}

pub struct Observer {
    start: View,
    last: View,
    management: Management,
    changes: Vec<Change>,
    begun: BTreeMap<String, Begun>,
    /// What is known for sure.
    known: BTreeMap<String, Known>,
    /// What was asked for last and is not undone.
    asked: BTreeMap<String, Ask>,
    theirs: BTreeMap<&'static str, Option<String>>,
    lines: Vec<(&'static str, String)>,
    /// Whether others have switched the backend.
    switched: bool,
    /// Bonds whose files others have made.
    made: BTreeSet<&'static str>,
    /// Whether others have moved the management.
    moved: bool,
    /// Whether a bond was removed: the backend is then as that was ordered.
    stays: bool,
    /// Whether some program was to misbehave before the event.
    misbehaves: bool,
    wrong: Vec<String>,
}

fn walk(root: &Path, folder: &Path, all: &mut View) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = path.strip_prefix(root).unwrap().display().to_string();
        let meta = path.symlink_metadata().unwrap();
        if meta.is_symlink() {
            all.insert(name, format!("{:?}", fs::read_link(&path).unwrap()));
        } else if meta.is_dir() {
            walk(root, &path, all);
        } else {
            all.insert(name, fs::read(&path).unwrap().escape_ascii().to_string());
        }
    }
}

fn view(living: &Living) -> View {
    let mut all = View::new();
    let root = living.dom0.root();
    walk(root, &root.join("etc"), &mut all);
    let state = living.model().state();
    for (key, pif) in &state.pool.pifs {
        let mut value = serde_json::to_value(pif).unwrap();
        let fields = value.as_object_mut().unwrap();
        // Another one after a forget; and what XAPI last read from a device.
        fields.remove("uuid");
        fields.remove("mtu");
        // That of then: the bond's, where an old release was told of a slave or scanned it.
        fields.remove("mac");
        all.insert(format!("PIF {key}"), value.to_string().replace('"', ""));
    }
    for (key, vlan) in &state.pool.vlans {
        all.insert(format!("VLAN {key}"), format!("{vlan:?}"));
    }
    for (key, bond) in &state.pool.bonds {
        all.insert(format!("XAPI's bond {key}"), format!("{bond:?}"));
    }
    all.insert("running".into(), state.dom0.running.word().into());
    for (name, bond) in &state.dom0.bonds {
        let slaves: BTreeSet<&str> = bond.slaves.iter().map(|s| s.name.as_str()).collect();
        all.insert(
            format!("bond {name}"),
            format!("{:?}", (&bond.options, bond.up, bond.mtu, slaves)),
        );
    }
    for (name, nic) in &state.dom0.nics {
        all.insert(format!("NIC {name}"), format!("{:?}", (nic.mtu, &nic.master)));
    }
    for (device, addresses) in state.dom0.addresses.iter().filter(|(_, all)| !all.is_empty()) {
        all.insert(format!("addresses of {device}"), format!("{addresses:?}"));
    }
    for (key, route) in &state.dom0.routes {
        all.insert(format!("route {key}"), format!("{route:?}"));
    }
    all
}

fn differing(before: &View, now: &View) -> BTreeSet<String> {
    let keys = before.keys().chain(now.keys());
    keys.filter(|key| before.get(*key) != now.get(*key)).cloned().collect()
}

/// How something differs, a line for each of the two.
fn told(key: &str, before: &View, now: &View) -> String {
    let text = |view: &View| view.get(key).map_or("nothing", String::as_str).to_string();
    format!("\n  {key}\n    was {}\n    is  {}", text(before), text(now))
}

fn number_of(mode: &str) -> u32 {
    let all = ["balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad"];
    u32::try_from(all.iter().position(|known| *known == mode).unwrap()).unwrap()
}

/// What is not as it was asked for.
fn unlike(state: &State, root: &Path, ask: Ask) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut must = |holds: bool, what: String| {
        if !holds {
            wrong.push(what);
        }
    };
    let Some(bond) = state.dom0.bonds.get(ask.bond) else {
        return vec![format!("the kernel has no {}", ask.bond)];
    };
    let nics: BTreeSet<&str> = ask.nics.split(',').collect();
    let slaves: BTreeSet<&str> = bond.slaves.iter().map(|s| s.name.as_str()).collect();
    must(bond.up, "it is down".into());
    must(slaves == nics, format!("its slaves are {slaves:?}"));
    for (key, want) in [("mode", number_of(ask.mode)), ("miimon", ask.miimon)] {
        let is = bond.options.get(key).copied();
        must(is == Some(want), format!("{key} is {is:?}"));
    }
    must(bond.mtu == ask.mtu, format!("its MTU is {}", bond.mtu));
    let addresses = |device: &str| state.dom0.addresses.get(device).cloned().unwrap_or_default();
    let own = BTreeSet::from([ask.address.to_string()]);
    must(addresses(ask.bond) == own, format!("its addresses are {:?}", addresses(ask.bond)));
    for nic in nics {
        must(addresses(nic).is_empty(), format!("{nic} has an address"));
        let mtu = state.dom0.nics.get(nic).map(|nic| nic.mtu);
        must(mtu == Some(ask.mtu), format!("the MTU of {nic} is {mtu:?}"));
        let pif = state.pool.pifs.get(&format!("xen01/{nic}"));
        must(pif.is_none_or(|pif| !pif.managed), format!("XAPI manages {nic}"));
    }
    for device in ask.nics.split(',').chain([ask.bond]) {
        let file = root.join("etc/sysconfig/network-scripts").join(format!("ifcfg-{device}"));
        must(file.exists(), format!("no ifcfg-{device}"));
    }
    wrong
}

/// Whether these words stand in a file below a folder.
fn stands_below(folder: &Path, words: &str) -> bool {
    fs::read_dir(folder).into_iter().flatten().flatten().any(|entry| {
        let path = entry.path();
        let is_folder = path.symlink_metadata().is_ok_and(|meta| meta.is_dir());
        if is_folder {
            return stands_below(&path, words);
        }
        fs::read(&path).is_ok_and(|bytes| String::from_utf8_lossy(&bytes).contains(words))
    })
}

fn bond_of(act: Act) -> Option<&'static str> {
    match act {
        Act::Apply(ask) | Act::Tries(ask) => Some(ask.bond),
        Act::RemoveTold(ask) => Some(ask.bond),
        Act::Again(bond) | Act::Remove(bond) | Act::RemoveBack(bond) | Act::Adopt(bond) => {
            Some(bond)
        }
        _ => None,
    }
}

impl Observer {
    pub fn of(living: &Living) -> Self {
        let start = view(living);
        let state = living.model().state();
        Self {
            last: start.clone(),
            start,
            management: Management::of(&state),
            changes: Vec::new(),
            begun: BTreeMap::new(),
            known: BTreeMap::new(),
            asked: BTreeMap::new(),
            theirs: BTreeMap::new(),
            lines: Vec::new(),
            switched: false,
            made: BTreeSet::new(),
            moved: false,
            stays: false,
            misbehaves: false,
            wrong: Vec::new(),
        }
    }

    /// Whether something follows from the backend, or from where the management is, which others have
    /// changed: the default route goes after that with the next boot.
    fn follows(&self, key: &str) -> bool {
        // What others have made comes up with a boot, and the driver's own bond with it.
        let mut made = self.made.iter().flat_map(|bond| [*bond, "bond0"]);
        if ["bond ", "addresses of ", "route "].iter().any(|begin| key.starts_with(begin))
            && made.any(|bond| key.ends_with(bond))
        {
            return true;
        }
        let derived = ["running", "NIC ", "addresses ", "route "];
        // The driver makes one where no file says max_bonds=0.
        let of_driver = |key: &String| key.contains("modprobe") || key.starts_with("bond ");
        if key == "bond bond0" {
            let mut others = self.changes.iter().filter(|change| change.by.is_none());
            return others.any(|change| change.keys.iter().any(of_driver));
        }
        if key.starts_with("route default ") && self.moved {
            return true;
        }
        self.switched && derived.iter().any(|begin| key.starts_with(begin))
    }

    /// What was wrong since it was asked last.
    pub fn takes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.wrong)
    }

    fn must(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.wrong.push(what());
        }
    }

    /// An event has come and gone.
    pub fn sees(&mut self, living: &Living, event: Event, number: usize, came: &Came) {
        let now = view(living);
        let before = std::mem::replace(&mut self.last, now);
        let act = match event {
            Event::By(act) | Event::Struck(act, ..) => Some(act),
            _ => None,
        };
        match came {
            Came::Said(said) => self.hears(living, act, &before, said, None),
            Came::Seen(views) => {
                self.misbehaves |= matches!(event, Event::Struck(..));
                self.note(&before, None);
                match views {
                    // A program that fails one of the three makes it another moment.
                    Ok(_) if self.misbehaves => {}
                    Ok(views) => self.compares(living, views),
                    Err(_) if self.misbehaves => {}
                    Err(error) => {
                        let text = format!("{error:#}");
                        self.must(false, || format!("a look failed: {text}"));
                    }
                }
            }
            Came::Died(said) => {
                let id = living.current();
                if let (Some(id), Some(act)) = (&id, act) {
                    self.begins(id, act, &before);
                }
                // What was known of the bond is not any more.
                let bond = id.as_ref().and_then(|id| self.begun.get(id)).map(|b| b.bond.clone());
                match bond {
                    Some(bond) => drop(self.known.remove(&bond)),
                    None => self.known.clear(),
                }
                self.known.clear();
                self.asked.clear();
                match said {
                    Some(said) => self.hears(living, None, &before, said, id),
                    None => self.note_boot(&before, id),
                }
            }
            Came::Booted(said) => match said {
                Some(said) => {
                    let id = living.current();
                    self.hears(living, None, &before, said, id);
                }
                None => self.note(&before, None),
            },
            Came::Happened => self.note(&before, None),
        }
        self.learns(living, event, number, &before);
        self.stands(living);
        let dom0 = living.model().state().dom0;
        self.misbehaves = !dom0.lies.is_empty() || dom0.xapi_up_at.is_some();
    }

    /// What a run that died left of what the next boot starts: any later run may take it away.
    fn is_swept(&self, key: &str) -> bool {
        key.contains("xenbond-resume") && !self.last.contains_key(key)
    }

    /// What others did.
    fn learns(&mut self, living: &Living, event: Event, number: usize, before: &View) {
        let text = |path: &str| fs::read_to_string(living.dom0.at(path)).ok();
        match event {
            Event::Writes(path) => drop(self.theirs.insert(path, text(path))),
            Event::Edits(path) if text(path).is_some_and(|t| t.contains(&line(number))) => {
                self.lines.push((path, line(number)));
            }
            Event::Deletes(path) => {
                // What a run that died had in its hands may have gone by the switch of the backend.
                if living.open_bond().is_some() {
                    self.theirs.remove(path);
                } else if self.theirs.contains_key(path) {
                    self.theirs.insert(path, None);
                }
                self.lines.retain(|(of, _)| *of != path);
            }
            // The host's own script deletes files of whomever.
            Event::Switches(_) => {
                self.switched = true;
                // What a run that died had in its hands was gone before, and may come again.
                let open = living.open_bond().is_some();
                self.theirs.retain(|path, was| {
                    *was = text(path);
                    was.is_some() || !open
                });
                self.lines.retain(|(path, line)| text(path).is_some_and(|t| t.contains(line)));
            }
            _ => {}
        }
        let cards: &[&str] = match &event {
            Event::Replaces(nic) | Event::Pulls(nic) => &[nic],
            Event::Swaps(one, other) => &[one, other],
            _ => &[],
        };
        if !cards.is_empty() {
            // A file that names the card that is gone makes it no slave at the boot.
            let bonds = ["bond51", "bond52", "bond60"].map(|bond| format!("bond {bond}"));
            let of_cards = |nic: &&str| [format!("PIF xen01/{nic}"), format!("NIC {nic}")];
            let keys = bonds.into_iter().chain(cards.iter().flat_map(of_cards)).collect();
            self.changes.push(Change { keys, by: None });
            self.known.clear();
        }
        // Of a bond that others have made the NICs are theirs, whoever had them taken from XAPI.
        if let Event::MakesBond(bond, one, other) = event
            && text(&format!("etc/sysconfig/network-scripts/ifcfg-{bond}")).is_some()
        {
            let keys = [one, other].map(|nic| format!("PIF xen01/{nic}")).into();
            self.changes.push(Change { keys, by: None });
            self.made.insert(bond);
        }
        if matches!(event, Event::MovesManagement(_)) {
            let is = Management::of(&living.model().state());
            self.moved |= is.device != self.management.device;
            self.management = is;
        }
        if event == Event::Upgrade {
            self.begun.clear();
            self.asked.clear();
            self.theirs.clear();
            self.lines.clear();
            self.start = self.last.clone();
            // What was forgotten of XAPI's records may come back with a bond's end.
            let keys = (1..6).flat_map(|n| [format!("PIF xen01/eth{n}"), format!("NIC eth{n}")]);
            self.changes.push(Change { keys: keys.collect(), by: None });
        }
        if event == Event::PowerCut {
            self.known.retain(|_, known| !matches!(known, Known::Volatile(_)));
        }
        let harmless = matches!(
            event,
            Event::By(_)
                | Event::Struck(..)
                | Event::Wait(_)
                | Event::Reboot
                | Event::RebootStruck(..)
                | Event::PowerCut
                | Event::Writes(_)
                | Event::Cable(..)
                | Event::MakesVlan(_)
                | Event::MovesManagement(_)
                | Event::Member(_)
        );
        if !harmless && differing(before, &self.last) != BTreeSet::new() {
            self.known.clear();
        }
    }

    fn note(&mut self, before: &View, by: Option<String>) {
        let keys = differing(before, &self.last);
        if !keys.is_empty() {
            self.changes.push(Change { keys, by });
        }
    }

    /// The same of a run that died, and of the boot that came after it: that plugs whatever XAPI
    /// manages, and a power cut undoes what others had asked of it just before.
    fn note_boot(&mut self, before: &View, by: Option<String>) {
        let nics = by.as_ref().and_then(|id| match self.begun.get(id)?.act {
            Act::Apply(ask) | Act::Tries(ask) | Act::RemoveTold(ask) => Some(ask.nics),
            _ => None,
        });
        let own_bond = by.as_ref().and_then(|id| Some(self.begun.get(id)?.bond.clone()));
        let of_others = |key: &String| {
            let nic = key.strip_prefix("PIF xen01/").or_else(|| key.strip_prefix("NIC "));
            let of_management = key.starts_with("route default ") || key.contains(" of xenbr");
            let bonds = ["bond51", "bond52", "bond60"].into_iter();
            let other = bonds.filter(|bond| own_bond.as_deref() != Some(bond));
            let of_kernel = ["bond ", "addresses of ", "route "];
            let of_kernel = of_kernel.iter().any(|begin| key.starts_with(begin));
            let of_other = of_kernel && other.into_iter().any(|bond| key.ends_with(bond));
            of_management
                || of_other
                || nic
                    .is_some_and(|nic| nics.is_none_or(|own| !own.split(',').any(|one| one == nic)))
        };
        let (others, own): (BTreeSet<String>, BTreeSet<String>) =
            differing(before, &self.last).into_iter().partition(of_others);
        self.changes.push(Change { keys: others, by: None });
        self.changes.push(Change { keys: own, by });
    }

    fn begins(&mut self, id: &str, act: Act, before: &View) {
        let Some(bond) = bond_of(act) else { return };
        if !self.begun.contains_key(id) {
            let begun = Begun {
                since: self.changes.len(),
                before: before.clone(),
                act,
                bond: bond.to_string(),
                stands: false,
            };
            self.begun.insert(id.to_string(), begun);
        }
    }

    /// A command, or the boot, gave a verdict.
    fn hears(
        &mut self,
        living: &Living,
        act: Option<Act>,
        before: &View,
        said: &Said,
        died: Option<String>,
    ) {
        let Ok(ended) = &said.ended else {
            let error = format!("{:#}", said.ended.as_ref().unwrap_err());
            let moved = differing(before, &self.last);
            // A boot changes a host without anybody's doing.
            let harmless = moved.is_empty() || act.is_none();
            self.must(harmless, || format!("failed, and touched {moved:?}: {error}"));
            self.note_boot(before, died);
            return;
        };
        if let (Some(id), Some(act)) = (&ended.transaction, act) {
            self.begins(id, act, before);
        }
        let boots = died.is_some();
        let by = ended.transaction.clone().or(died);
        if boots {
            self.note_boot(before, by);
        } else {
            self.note(before, by);
        }
        let mut moved = differing(before, &self.last);
        moved.retain(|key| !self.is_swept(key));
        let code = ended.exit;
        match ended.ending {
            Ending::Refused if act.is_some() => {
                self.must(moved.is_empty(), || {
                    format!("refused, and touched {moved:?}: {:?}", ended.error)
                });
                self.must(code == Exit::Refused, || format!("refused with {code:?}"));
            }
            Ending::NothingToDo => {
                if act.is_some() {
                    self.must(moved.is_empty(), || format!("nothing to do, and touched {moved:?}"));
                }
                if let Some(Act::Apply(ask) | Act::Tries(ask)) = act {
                    self.is_as_asked(living, ask, "nothing to do");
                }
            }
            Ending::Done => self.done(living, ended),
            Ending::RolledBack => self.rolled_back(living, act, ended),
            Ending::RollbackIncomplete => {
                self.known.clear();
                self.must(code == Exit::Incomplete, || format!("incomplete with {code:?}"));
                self.must(!ended.left.is_empty() || ended.error.is_some(), || {
                    "incomplete, and it does not say what is left".into()
                });
            }
            Ending::Closed => {
                self.known.clear();
                if let Some(begun) =
                    ended.transaction.as_ref().and_then(|id| self.begun.get_mut(id))
                {
                    begun.stands = false;
                }
            }
            Ending::WaitingForReboot | Ending::WaitingForConfirmation => {
                self.known.clear();
                let id = ended.transaction.clone().unwrap_or_default();
                if ended.ending == Ending::WaitingForConfirmation
                    && let Some(Act::Tries(ask)) = self.begun.get(&id).map(|begun| begun.act)
                {
                    if act == Some(Act::Tries(ask)) {
                        self.is_as_asked(living, ask, "to be confirmed");
                    }
                    self.asked.insert(ask.bond.to_string(), ask);
                }
                self.must(code == Exit::Waiting, || format!("waiting with {code:?}"));
            }
            Ending::Refused => {}
        }
    }

    fn is_as_asked(&mut self, living: &Living, ask: Ask, said: &str) {
        let wrong = unlike(&living.model().state(), living.dom0.root(), ask);
        let holds = wrong.is_empty();
        self.must(holds, || format!("{said}, and {} is not as asked: {wrong:?}", ask.bond));
    }

    fn done(&mut self, living: &Living, ended: &Outcome) {
        let id = ended.transaction.clone().unwrap_or_default();
        let Some(begun) = self.begun.get_mut(&id) else { return };
        begun.stands = true;
        let (act, bond) = (begun.act, begun.bond.clone());
        self.known.remove(&bond);
        match act {
            Act::Apply(ask) | Act::Tries(ask) => {
                self.asked.insert(bond.clone(), ask);
                if ended.exit != Exit::AsAsked {
                    return;
                }
                self.is_as_asked(living, ask, "done");
                let saved = ended.not_saved.is_empty();
                let known = if saved { Known::Asked(ask) } else { Known::Volatile(ask) };
                self.known.insert(bond, known);
            }
            Act::Again(_) if ended.exit == Exit::AsAsked => {
                if let Some(ask) = self.asked.get(&bond).copied() {
                    self.is_as_asked(living, ask, "done again");
                }
            }
            Act::Remove(_) | Act::RemoveBack(_) | Act::RemoveTold(_) => {
                self.stays = true;
                let state = living.model().state();
                let there = state.dom0.bonds.contains_key(&bond);
                self.must(!there, || format!("removed, and the kernel has {bond}"));
                self.asked.remove(&bond);
                // The driver makes a bond0 by itself where no file says max_bonds=0.
                if bond != "bond0" {
                    self.known.insert(bond, Known::Gone);
                }
            }
            _ => {}
        }
    }

    /// All that was there before the first of what was undone is there again, but for what others
    /// changed since.
    fn rolled_back(&mut self, living: &Living, act: Option<Act>, ended: &Outcome) {
        let id = ended.transaction.clone().unwrap_or_default();
        // With the last bond goes what an earlier one had left for it, which ends the last.
        let bond = match act {
            Some(Act::RollbackOf(bond)) => Some(bond.to_string()),
            _ => self.begun.get(&id).map(|begun| begun.bond.clone()),
        };
        let Some(bond) = bond else { return };
        // Ids are times, so that they sort as they were begun.
        let mut undone = vec![id.clone()];
        // What was before the bond was removed is over.
        let asked = |all: &BTreeMap<String, Begun>| -> Vec<String> {
            let of_bond = || all.iter().filter(|(_, b)| b.bond == bond && b.stands);
            let removal = of_bond().rfind(|(other, b)| b.removes() && **other != id);
            let since = of_bond().filter(|(id, _)| removal.is_none_or(|(last, _)| *id > last));
            since.map(|(id, _)| id.clone()).collect()
        };
        match act {
            Some(Act::RollbackOf(_)) => undone.extend(asked(&self.begun)),
            // Which one it was begun with is not known here.
            Some(Act::RollbackNth(_) | Act::Resume) | None => undone.clear(),
            _ => {}
        }
        self.known.remove(&bond);
        self.asked.remove(&bond);
        if undone.is_empty() {
            for (id, begun) in self.begun.iter_mut().filter(|(_, b)| b.bond == bond) {
                begun.stands &= living.stands_still(id);
            }
            return;
        }
        let first = undone.iter().min().unwrap().clone();
        let others = self.begun.values().any(|b| b.stands && b.bond != bond);
        let Some(begun) = self.begun.get(&first) else { return };
        let foreign = self.changes[begun.since..].iter();
        let foreign = foreign.filter(|c| c.by.as_ref().is_none_or(|by| !undone.contains(by)));
        let foreign: BTreeSet<&String> = foreign.flat_map(|c| &c.keys).collect();
        // With the backend that a boot started NICs are ports of another bridge.
        let booted = foreign.contains(&"running".to_string());
        let port = |key: &String| booted && key.starts_with("NIC ");
        // The backend stays as long as another bond needs it, and what its switch took away.
        let shared = |key: &String| {
            let backend = ["network.conf", "openvswitch", "running", "modprobe"];
            let of_backend = || {
                let was = begun.before.get(key);
                let port = |t: &String| key.starts_with("NIC ") && t.contains("ovs-system");
                was.is_some_and(|t| t.contains("XEMANAGED=yes") || port(t))
            };
            others && (backend.iter().any(|word| key.contains(word)) || of_backend())
        };
        let wrong: Vec<String> = differing(&begun.before, &self.last)
            .into_iter()
            .filter(|key| !foreign.contains(key) && !shared(key) && !self.follows(key))
            .filter(|key| !port(key) && !self.is_swept(key))
            .map(|key| told(&key, &begun.before, &self.last))
            .collect();
        for id in &undone {
            if let Some(begun) = self.begun.get_mut(id) {
                begun.stands = false;
            }
        }
        self.must(wrong.is_empty(), || format!("rolled back, and: {}", wrong.concat()));
    }

    /// `list`, `status` and `verify` agree, and are true.
    fn compares(&mut self, living: &Living, views: &[Views]) {
        for one in views {
            let bond = &one.bond;
            self.must(!one.contradict(), || format!("the verdicts contradict each other: {one:?}"));
            if one.verified == Some(true)
                && let Some(ask) = self.asked.get(bond).copied()
                && self.begun.values().any(|b| b.bond == *bond && b.stands)
            {
                self.is_as_asked(living, ask, "verified");
            }
            let state = living.model().state();
            let calm = state.dom0.lies.is_empty()
                && state.dom0.xapi_up_at.is_none()
                && state.dom0.nics.values().all(|nic| nic.link);
            if let Some(Known::Asked(_) | Known::Volatile(_)) = self.known.get(bond)
                && calm
            {
                self.must(one.verified == Some(true), || {
                    format!("{bond} is as asked, and verify says {:?}", one.wrong)
                });
            }
        }
    }

    /// What holds at any time.
    fn stands(&mut self, living: &Living) {
        let state = living.model().state();
        let Management { device, bridge, addresses } = self.management.clone();
        let has = state.dom0.addresses.get(&bridge) == Some(&addresses);
        let running = state.dom0.running.word();
        if running != "none" {
            self.must(has, || format!("management: {bridge} has not got {addresses:?}"));
            let master = state.dom0.nics.get(&device).and_then(|nic| nic.master.clone());
            let of_bond = master.as_ref().is_none_or(|m| state.dom0.bonds.contains_key(m));
            self.must(!of_bond, || format!("management: {device} is a port of {master:?}"));
        }
        for (path, text) in self.theirs.clone() {
            let is = fs::read_to_string(living.dom0.at(path)).ok();
            // Gone by a switch in whose midst the run died, and kept until somebody goes on with it.
            let kept = || {
                is.is_none()
                    && living.open_bond().is_some()
                    && stands_below(
                        &living.dom0.at("var/lib/xenbond"),
                        text.as_deref().unwrap_or("?"),
                    )
            };
            self.must(is == text || kept(), || format!("others' {path}: was {text:?}, is {is:?}"));
        }
        for (path, words) in self.lines.clone() {
            let is = fs::read_to_string(living.dom0.at(path)).unwrap_or_default();
            let kept =
                is.contains(&words) || stands_below(&living.dom0.at("var/lib/xenbond"), &words);
            self.must(kept, || format!("{path}: what others wrote is lost: {words}"));
        }
        let known: Vec<(String, Known)> = self.known.clone().into_iter().collect();
        for (bond, known) in known {
            match known {
                Known::Asked(ask) | Known::Volatile(ask) => {
                    self.is_as_asked(living, ask, "nothing has touched it")
                }
                Known::Gone => {
                    let there = state.dom0.bonds.contains_key(&bond);
                    self.must(!there, || format!("{bond} was removed, and the kernel has it"));
                }
            }
        }
    }

    /// All bonds are gone: the host is as it was at first, but for what others changed.
    pub fn sees_the_end(&mut self, living: &Living) {
        // One that waited for its reboot may have ended under another command.
        self.stays |= living.has_removed();
        self.switched |= self.stays;
        let backend = ["network.conf", "openvswitch", "blacklist-bridge"];
        let of_backend = |key: &String| backend.iter().any(|word| key.contains(word));
        let of_installer =
            |key: &String| self.start.get(key).is_some_and(|text| text.contains("XEMANAGED=yes"));
        let stays = |key: &String| self.stays && (of_backend(key) || of_installer(key));
        let now = view(living);
        let foreign = self.changes.iter().filter(|change| change.by.is_none());
        let foreign: BTreeSet<&String> = foreign.flat_map(|change| &change.keys).collect();
        let wrong: Vec<String> = differing(&self.start, &now)
            .into_iter()
            .filter(|key| !foreign.contains(key) && !self.follows(key) && !stays(key))
            .map(|key| told(&key, &self.start, &now))
            .collect();
        self.must(wrong.is_empty(), || format!("all is undone, and: {}", wrong.concat()));
    }

    /// What an end changed that was asked for.
    pub fn notes_end(&mut self, living: &Living, by: Option<String>) {
        let now = view(living);
        let before = std::mem::replace(&mut self.last, now);
        self.note(&before, by);
    }
}
