//! The model against recordings of the real `xe`: each recorded command that the model has is run
//! on a state as the recordings show it, and must answer what was recorded.
//!
//! The recordings are no story: nothing says which came before which. A list or a value read is
//! run on the records that it shows itself, in a pool with all that other recordings show. Any
//! other command is run on the states that lists of its pool show, one after the other; that in
//! which the real one answered is among them, so that one of them must give its answer. Where no
//! recording shows what the command works on, it is stateless; the reason is printed.

mod evidence;
mod recording;
mod table;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use xenbond::model::state::{Backend, Map, Release, State};
use xenbond::model::{ask, knows};

use evidence::{Evidence, Facts, Fields, Id, MAPS, class_of, id};
use recording::{Recording, is_uuid, release_of, uuids};
use table::{entries, rows, unordered};
use world::{Frame, consistent, state};

/// The commands that the program itself runs (`src/xe`).
const ISSUED: [&str; 19] = [
    "bond-list",
    "cluster-host-list",
    "host-list",
    "network-list",
    "pbd-list",
    "pif-forget",
    "pif-introduce",
    "pif-list",
    "pif-param-get",
    "pif-param-remove",
    "pif-param-set",
    "pif-plug",
    "pif-reconfigure-ip",
    "pif-unplug",
    "pool-list",
    "pool-sync-database",
    "vif-list",
    "vm-list",
    "sr-list",
];

/// Refusals, and the field of the PIF that must have been seen with that value.
const CAUSES: &[(&str, &[&str], &str)] = &[
    (
        "The operation you requested cannot be performed because the specified PIF is not managed",
        &["managed"],
        "false",
    ),
    (
        "The operation you requested cannot be performed because the specified PIF is the management",
        &["management"],
        "true",
    ),
    (
        "The operation you requested cannot be performed because the specified PIF does not allow",
        &["disallow-unplug"],
        "true",
    ),
    (
        "This operation cannot be performed because the pif is bonded",
        &["bond-slave-of", "bond-master-of"],
        "uuid",
    ),
    ("This PIF is a bond", &["bond-slave-of"], "uuid"),
    ("Operation cannot proceed while a VLAN", &["vlan-slave-of", "vlan-master-of"], "uuid"),
    (
        "Operation cannot proceed while a tunnel",
        &["tunnel-transport-PIF-of", "tunnel-access-PIF-of"],
        "uuid",
    ),
];

/// What came of a recording.
enum Outcome {
    Agreed,
    Differs(String),
    /// The model lacks it.
    Unknown(String),
    /// No recording shows the state that it met.
    Stateless(String),
}

/// The recordings of one pool.
struct Pool<'a> {
    recordings: Vec<Recording>,
    evidence: Evidence,
    release: Release,
    backends: Vec<Backend>,
    /// By who asked, the uuid of that host.
    askers: BTreeMap<String, String>,
    nics: BTreeMap<String, Map>,
    base: Facts,
    name: &'a str,
}

/// Groups recordings by pool: who asks of the same uuids asks the same one.
fn pools(recordings: &[Recording]) -> Vec<Vec<Recording>> {
    let mut groups: Vec<(BTreeSet<String>, BTreeSet<String>)> = Vec::new();
    for recording in recordings {
        let (mut hosts, mut seen) = (BTreeSet::from([recording.host.clone()]), recording.uuids());
        let touches = |group: &(BTreeSet<String>, BTreeSet<String>)| {
            group.0.contains(&recording.host) || !group.1.is_disjoint(&seen)
        };
        let (mine, others) = groups.drain(..).partition::<Vec<_>, _>(touches);
        groups = others;
        for (more_hosts, more_seen) in mine {
            hosts.extend(more_hosts);
            seen.extend(more_seen);
        }
        groups.push((hosts, seen));
    }
    let of = |hosts: &BTreeSet<String>| {
        recordings.iter().filter(|r| hosts.contains(&r.host)).cloned().collect()
    };
    groups.iter().map(|(hosts, _)| of(hosts)).collect()
}

impl<'a> Pool<'a> {
    fn of(name: &'a str, release: Release, recordings: Vec<Recording>) -> Self {
        let evidence = Evidence::of(&recordings);
        let mut base = Facts::new();
        for shown in evidence.shown.values().filter(|shown| shown.certain) {
            for (id, fields) in &shown.facts {
                let known = base.entry(id.clone()).or_default();
                for (field, value) in fields {
                    // Machines were up at some time, which is when they matter.
                    let idle = ["halted", evidence::NIL].contains(&value.as_str())
                        || (id.0 == "vif" && value == "false");
                    if !idle || !known.contains_key(field) {
                        known.insert(field.clone(), value.clone());
                    }
                }
            }
        }
        for id in evidence.seen.keys() {
            base.entry(id.clone()).or_default();
        }
        let mut pool = Self {
            recordings,
            evidence,
            release,
            backends: Vec::new(),
            askers: BTreeMap::new(),
            nics: BTreeMap::new(),
            base,
            name,
        };
        pool.backends = pool.backends();
        pool.askers = pool.askers();
        pool.nics = pool.nics();
        pool
    }

    /// What a host says of itself, or either.
    fn backends(&self) -> Vec<Backend> {
        let hosts = self.evidence.seen.iter().filter(|(id, _)| id.0 == "host");
        let texts = hosts.flat_map(|(_, seen)| seen).filter_map(|f| f.get("software-version"));
        let mut words = texts.filter_map(|text| entries(text).remove("network_backend"));
        match words.next().as_deref() {
            Some("bridge") => vec![Backend::Bridge],
            Some("openvswitch") => vec![Backend::Openvswitch],
            _ => vec![Backend::Openvswitch, Backend::Bridge],
        }
    }

    /// Who asked is the host of that name, or of that number among the pool's hosts.
    fn askers(&self) -> BTreeMap<String, String> {
        let mut hosts: Vec<(&str, &str)> = Vec::new();
        for (id, fields) in self.base.iter().filter(|(id, _)| id.0 == "host") {
            hosts.push((fields.get("name-label").map_or("", String::as_str), &id.1));
        }
        hosts.sort_unstable();
        let number = |label: &str| {
            label.trim_start_matches(|c: char| !c.is_ascii_digit()).parse::<usize>().unwrap_or(1)
        };
        // Who asks asks most of its own host.
        let mentions = |label: &String, uuid: &str| {
            let own = self.recordings.iter().filter(|r| r.host == *label);
            own.flat_map(|r| &r.args).filter(|arg| arg.ends_with(uuid)).count()
        };
        let labels: BTreeSet<&String> = self.recordings.iter().map(|r| &r.host).collect();
        let of = |label: &String| {
            let named = hosts.iter().find(|(name, _)| name == label);
            let most = hosts.iter().max_by_key(|(_, uuid)| mentions(label, uuid));
            let most = most.filter(|(_, uuid)| mentions(label, uuid) > 0);
            let at = number(label).saturating_sub(1);
            let only = hosts.first().filter(|_| hosts.len() == 1 && labels.len() == 1);
            let (_, uuid) =
                named.or(most).or(only).or(hosts.get(at).filter(|_| hosts.len() > 2))?;
            Some((label.clone(), (*uuid).to_string()))
        };
        labels.iter().copied().filter_map(of).collect()
    }

    /// The devices that PIFs were of, and those that one was introduced of.
    fn nics(&self) -> BTreeMap<String, Map> {
        let mut nics: BTreeMap<String, Map> = BTreeMap::new();
        let mut put = |host: &str, device: &str, mac: Option<&str>| {
            let known = nics.entry(host.to_string()).or_default();
            let made = || format!("02:00:00:00:00:{:02x}", device.len());
            match mac {
                Some(mac) => drop(known.insert(device.to_string(), mac.to_string())),
                None => drop(known.entry(device.to_string()).or_insert_with(made)),
            }
        };
        for recording in self.recordings.iter().filter(|r| r.command() == "pif-introduce") {
            if let (Some(0), Some(host), Some(device)) =
                (recording.status, recording.arg("host-uuid"), recording.arg("device"))
            {
                put(host, device, recording.arg("mac").filter(|mac| !mac.is_empty()));
            }
        }
        for (_, seen) in self.evidence.seen.iter().filter(|(id, _)| id.0 == "pif") {
            for fields in seen {
                let get = |name: &str| fields.get(name).map(String::as_str);
                if let (Some(host), Some(device)) = (get("host-uuid"), get("device"))
                    && device.starts_with("eth")
                {
                    put(host, device, get("MAC").filter(|mac| *mac != "fe:ff:ff:ff:ff:ff"));
                }
            }
        }
        nics
    }

    /// The facts where this recording's answer holds.
    fn facts(&self, at: Option<usize>, wanted: &BTreeSet<Id>) -> Facts {
        let mut facts = self.base.clone();
        let mut wanted = wanted.clone();
        if let Some(shown) = at.and_then(|at| self.evidence.shown.get(&at)) {
            for (id, fields) in &shown.facts {
                let known = facts.entry(id.clone()).or_default();
                if id.0 == "network" && fields.contains_key("PIF-uuids") {
                    known.remove("PIF-uuids");
                }
                known.extend(fields.clone());
                wanted.insert(id.clone());
            }
            self.leave(&mut facts, shown);
            facts.retain(|id, _| !shown.missing.contains(id));
            wanted.retain(|id| !shown.missing.contains(id));
        }
        consistent(&mut facts, &wanted);
        facts
    }

    /// Takes out of a network or a bond what its row does not say to be in it.
    fn leave(&self, facts: &mut Facts, shown: &evidence::Shown) {
        for ((class, uuid), row) in &shown.facts {
            for (of, field, inside, outside) in [
                ("network", "PIF-uuids", ("pif", "network-uuid"), ""),
                ("network", "VIF-uuids", ("vif", "network-uuid"), ""),
                ("bond", "slaves", ("pif", "bond-slave-of"), evidence::NIL),
            ] {
                let Some(list) = row.get(field).filter(|_| class == of) else { continue };
                for (id, fields) in facts.iter_mut().filter(|(id, _)| id.0 == inside.0) {
                    if fields.get(inside.1) == Some(uuid) && !list.contains(id.1.as_str()) {
                        fields.insert(inside.1.to_string(), outside.to_string());
                    }
                }
            }
        }
    }

    fn frame(&self, recording: &Recording, backend: Backend) -> Frame<'_> {
        let me = self.askers.get(&recording.host).map(String::as_str);
        Frame { release: self.release, backend, me, nics: &self.nics }
    }

    /// What comes of a recording.
    fn replay(&self, at: usize) -> Outcome {
        let recording = &self.recordings[at];
        if let Err(lacks) = knows(self.release, &recording.args) {
            return Outcome::Unknown(lacks);
        }
        if let Some(reason) = self.untold(recording, at) {
            return Outcome::Stateless(reason);
        }
        let mut first = None;
        for facts in self.before(recording, at) {
            for backend in &self.backends {
                let mut model = state(&self.frame(recording, *backend), &facts);
                let known = known(&model);
                let (status, out, err) = ask(&mut model, &recording.args);
                let real = answer(
                    recording,
                    recording.status.unwrap_or(-1),
                    &recording.out,
                    &recording.err,
                    &known,
                );
                let ours = answer(recording, status, &out, &err, &known);
                if real == ours {
                    return Outcome::Agreed;
                }
                first.get_or_insert((real, ours));
            }
        }
        let (real, ours) = first.unwrap_or_default();
        Outcome::Differs(format!("real:\n{real}\nmodel:\n{ours}"))
    }

    /// Why no recording tells what the command met; decided without the model.
    fn untold(&self, recording: &Recording, at: usize) -> Option<String> {
        if recording.status.is_none() {
            return Some("it hung: no list says whether the master answers".into());
        }
        let down = ["Error: Connection refused", "The host toolstack is still"];
        if down.iter().any(|text| recording.err.starts_with(text)) {
            return Some("no list says whether XAPI is up".into());
        }
        let class = class_of(recording.command());
        if let Some((_, "list")) = class
            && recording.status == Some(0)
            && !self.evidence.shown.contains_key(&at)
        {
            let table = recording.minimal() || rows(&recording.out).is_some();
            return Some(if table {
                "nothing says which records its rows are".into()
            } else {
                "line ends in values: its records cannot be told apart".into()
            })
            .filter(|_| recording.out.contains(" ("));
        }
        if recording.command() == "host-evacuate" && recording.err.contains("\nvm: ") {
            return Some("no list says whether a machine can move".into());
        }
        if let Some((class, "param-remove")) = class
            && recording.status == Some(0)
            && !self.had_key(recording, class)
        {
            return Some("no recording shows that key".into());
        }
        if let Some(reason) = self.unseen_cause(recording) {
            return Some(reason);
        }
        if matches!(class, Some((_, "param-get"))) || recording.err.contains("uuid you supplied") {
            return None;
        }
        let named = recording.args.iter().flat_map(|a| uuids(a));
        let unseen = named.into_iter().find(|uuid| !self.base.keys().any(|id| id.1 == *uuid));
        unseen
            .filter(|_| !matches!(class, Some((_, "list"))))
            .map(|uuid| format!("{uuid} is in no list"))
    }

    /// What a refusal rests on and no recording shows.
    fn unseen_cause(&self, recording: &Recording) -> Option<String> {
        let err = &recording.err;
        let seen = |class: &str, uuid: &str, field: &str, fits: &dyn Fn(&str) -> bool| {
            let seen = self.evidence.seen.get(&id(class, uuid)).into_iter().flatten();
            seen.filter_map(|fields| fields.get(field)).any(|value| fits(value))
        };
        for (sentence, fields, value) in CAUSES {
            if !err.starts_with(sentence) {
                continue;
            }
            let fits = |text: &str| if *value == "uuid" { is_uuid(text) } else { text == *value };
            let of = uuids(err);
            let shown = of.iter().any(|u| fields.iter().any(|f| seen("pif", u, f, &fits)));
            return (!shown).then(|| format!("no list shows its {} so", fields.join(" or ")));
        }
        let pif = recording.arg("uuid").or(recording.arg("pif-uuid")).unwrap_or_default();
        if err.starts_with("Could not find bridge required by VM.") {
            let shown = seen("pif", pif, "managed", &|text| text == "false");
            return (!shown).then(|| "no list shows its managed so".to_string());
        }
        let any = |_: &str| true;
        if recording.command() == "pif-reconfigure-ip"
            && (err.starts_with("Lost") || seen("pif", pif, "management", &|text| text == "true"))
        {
            let master = self.base.iter().any(|(id, f)| id.0 == "pool" && f.contains_key("master"));
            let told = master && seen("pif", pif, "management", &|text| text == "true");
            return (!told).then(|| "no list shows the master and its management interface".into());
        }
        if err.starts_with("You tried to create a PIF, but the network") {
            let network = recording.arg("network-uuid").unwrap_or_default();
            let on = |u: &String| seen("pif", u, "network-uuid", &|text| text == network);
            return (!uuids(err).iter().any(on)).then(|| "no list shows who is there".to_string());
        }
        if err.starts_with("Only one PIF on a bond") {
            let of: Vec<String> = recording.args.iter().flat_map(|a| uuids(a)).collect();
            let has = |u: &&String| seen("pif", u, "IP-configuration-mode", &|text| text != "None");
            let few = of.iter().filter(has).count() < 2;
            return few.then(|| "no list shows that two are configured".to_string());
        }
        if err.starts_with("Network has active VIFs") {
            let of = uuids(err);
            let plugged =
                of.iter().any(|u| seen("vif", u, "currently-attached", &|text| text == "true"));
            let runs = self
                .base
                .iter()
                .any(|(id, f)| id.0 == "vm" && f.get("resident-on").is_some_and(|on| is_uuid(on)));
            return (!(plugged && runs)).then(|| "no list shows a machine there".to_string());
        }
        if recording.command().starts_with("host-") {
            let named = |name: &str| {
                let mut hosts = self.base.iter().filter(|(id, _)| id.0 == "host");
                hosts.any(|(id, f)| id.1 == name || f.get("name-label").is_some_and(|n| n == name))
            };
            let told =
                recording.arg("host").is_none_or(|name| recording.status != Some(0) || named(name));
            let many = self.base.keys().filter(|id| id.0 == "host").count() > 1;
            let several = err.contains("Multiple matching");
            return (!told || several && !many).then(|| "no list shows those hosts".to_string());
        }
        if err.starts_with("An unknown error occurred while attempting to configure") {
            let of: Vec<String> = recording.args.iter().flat_map(|a| uuids(a)).collect();
            let told =
                |u: &String| seen("pif", u, "host-uuid", &any) && seen("pif", u, "device", &any);
            let pifs: Vec<&String> =
                of.iter().filter(|u| self.base.contains_key(&id("pif", u))).collect();
            let mine = self.askers.contains_key(&recording.host);
            let told = recording.command() == "pif-reconfigure-ip"
                || mine && !pifs.is_empty() && pifs.into_iter().all(told);
            return (!told).then(|| "no list shows whose device it is".to_string());
        }
        if recording.command() == "network-destroy" && err.contains("contains active") {
            let network = recording.arg("uuid").unwrap_or_default();
            let class = if err.contains("pifs: ") { "pif" } else { "vif" };
            let on = |u: &&String| !seen(class, u, "network-uuid", &|text| text == network);
            return uuids(err).iter().find(on).map(|u| format!("no list shows {u} on the network"));
        }
        if err.starts_with("A PIF with this specified device name") {
            let (host, device) = (recording.arg("host-uuid"), recording.arg("device"));
            let mut pifs = self.base.iter().filter(|(id, _)| id.0 == "pif");
            let there = pifs.any(|(_, fields)| {
                let get = |name: &str| fields.get(name).map(String::as_str);
                get("host-uuid") == host && get("device") == device
            });
            return (!there).then(|| "no list shows that device of that host".to_string());
        }
        None
    }

    /// Whether a record was seen with a key, or given it.
    fn had_key(&self, recording: &Recording, class: &str) -> bool {
        let (Some(uuid), Some(name), Some(key)) =
            (recording.arg("uuid"), recording.arg("param-name"), recording.arg("param-key"))
        else {
            return false;
        };
        let seen = self.evidence.seen.get(&id(class, uuid)).into_iter().flatten();
        let shown = seen.filter_map(|f| f.get(name)).any(|text| entries(text).contains_key(key));
        shown || self.settings(uuid).any(|(field, at, _)| field == name && at == key)
    }

    /// What a record's maps were given: field, key and value.
    fn settings<'b>(&'b self, uuid: &'b str) -> impl Iterator<Item = (&'b str, &'b str, &'b str)> {
        let of = move |r: &&Recording| {
            r.command().ends_with("-param-set")
                && r.arg("uuid") == Some(uuid)
                && r.status == Some(0)
        };
        self.recordings.iter().filter(of).flat_map(|r| &r.args).filter_map(|arg| {
            let (name, value) = arg.split_once('=')?;
            let field = MAPS.iter().find(|field| name.starts_with(*field))?;
            Some((*field, name[field.len()..].strip_prefix([':', '-'])?, value))
        })
    }

    /// The states that the command may have met, the likeliest first.
    fn before<'b>(
        &'b self,
        recording: &'b Recording,
        at: usize,
    ) -> Box<dyn Iterator<Item = Facts> + 'b> {
        let class = class_of(recording.command());
        let mut wanted = BTreeSet::new();
        for uuid in recording.args.iter().flat_map(|a| uuids(a)) {
            wanted.extend(self.base.keys().filter(|id| id.1 == uuid).cloned());
        }
        if matches!(class, Some((_, "list" | "param-get"))) {
            return Box::new(std::iter::once(self.facts(Some(at), &wanted)));
        }
        let of = wanted.clone();
        let near = move |shown: &evidence::Shown| {
            of.iter().any(|id| shown.facts.contains_key(id) || shown.missing.contains(id))
        };
        let shown = self.evidence.shown.iter().filter(move |(_, shown)| near(shown));
        let moments = std::iter::once(None).chain(shown.map(|(other, _)| Some(*other)));
        Box::new(
            moments.flat_map(move |moment| self.variants(recording, self.facts(moment, &wanted))),
        )
    }

    /// The same with what the recordings made at some time not made yet, and with a key that was
    /// set.
    fn variants(&self, recording: &Recording, mut facts: Facts) -> Vec<Facts> {
        // What the command makes is not there before.
        let new = uuids(&recording.out);
        facts.retain(|id, _| !new.contains(&id.1));
        if let (Some("param-remove"), Some(uuid)) =
            (class_of(recording.command()).map(|(_, verb)| verb), recording.arg("uuid"))
        {
            let (name, key) = (recording.arg("param-name"), recording.arg("param-key"));
            let given = self.settings(uuid).find(|(f, k, _)| Some(*f) == name && Some(*k) == key);
            if let (Some((field, key, value)), Some(0)) = (given, recording.status) {
                for (_, fields) in facts.iter_mut().filter(|(id, _)| id.1 == uuid) {
                    let text = fields.entry(field.to_string()).or_default();
                    *text = format!("{key}: {value}; {text}");
                }
            }
        }
        consistent(&mut facts, &BTreeSet::new());
        if let Some(members) = recording.arg("pif-uuids").filter(|_| recording.status == Some(0)) {
            // Of one host, or they could not have been bonded.
            let of = |facts: &Facts, uuid| facts.get(&id("pif", uuid))?.get("host-uuid").cloned();
            if let Some(host) = members.split(',').find_map(|uuid| of(&facts, uuid)) {
                for uuid in members.split(',') {
                    let fields = facts.entry(id("pif", uuid)).or_default();
                    fields.entry("host-uuid".to_string()).or_insert_with(|| host.clone());
                }
            }
        }
        let mut all = vec![facts];
        let mut also = |alter: &dyn Fn(&mut Facts)| {
            let mut more = all.clone();
            more.iter_mut().for_each(alter);
            all.append(&mut more);
        };
        let command = recording.command();
        if command == "pif-introduce" {
            let (host, device) = (recording.arg("host-uuid"), recording.arg("device"));
            also(&|facts| {
                facts.retain(|id, fields| {
                    let get = |name: &str| fields.get(name).map(String::as_str);
                    id.0 != "pif" || get("host-uuid") != host || get("device") != device
                });
            });
        }
        if let (Some(0), Some(network), false) =
            (recording.status, recording.arg("network-uuid"), new.is_empty())
        {
            // What is made on a network finds none of its host there.
            also(&|facts| {
                facts.retain(|id, fields| {
                    id.0 != "pif" || fields.get("network-uuid").is_none_or(|of| of != network)
                });
            });
        }
        // As every PIF is at first, and plugged as after each start of XAPI.
        let usual = match command {
            "pif-unplug" if recording.status == Some(0) => Some("disallow-unplug"),
            "bond-create" | "vlan-create" | "pif-reconfigure-ip" => Some("currently-attached"),
            _ => None,
        };
        if let Some(field) = usual {
            also(&|facts| {
                for (_, fields) in facts.iter_mut().filter(|(id, _)| id.0 == "pif") {
                    fields.remove(field);
                }
            });
        }
        let above = |fields: &Fields| {
            let get = |name: &str| fields.get(name).map_or("", String::as_str);
            get("physical") == "false" || get("device").starts_with("bond")
        };
        let parts: [&[&str]; 5] =
            [&["vif"], &["bond"], &["vlan"], &["tunnel"], &["bond", "vlan", "tunnel", "vif"]];
        let whole = all.clone();
        for (facts, classes) in whole.iter().flat_map(|facts| parts.map(|part| (facts, part))) {
            let mut less = facts.clone();
            less.retain(|id, fields| {
                let bare = classes.len() > 1 && id.0 == "pif" && above(fields);
                !classes.contains(&id.0.as_str()) && !bare
            });
            if less.len() < facts.len() {
                consistent(&mut less, &BTreeSet::new());
                all.push(less);
            }
        }
        all
    }
}

/// The uuids that are in a state before a command.
fn known(state: &State) -> BTreeSet<String> {
    let pool = &state.pool;
    let mut all: BTreeSet<String> = pool.pifs.values().map(|pif| pif.uuid.clone()).collect();
    all.extend(pool.hosts.values().map(|host| host.uuid.clone()));
    all.extend(pool.networks.values().map(|network| network.uuid.clone()));
    all.extend(pool.bonds.values().map(|bond| bond.uuid.clone()));
    all.extend(pool.vlans.values().map(|vlan| vlan.uuid.clone()));
    all.extend(pool.tunnels.values().map(|tunnel| tunnel.uuid.clone()));
    all.extend(pool.vms.values().map(|vm| vm.uuid.clone()));
    all.extend(pool.vifs.values().map(|vif| vif.uuid.clone()));
    all
}

/// An answer with new uuids and all order taken out that means nothing.
fn answer(
    recording: &Recording,
    status: i32,
    out: &str,
    err: &str,
    known: &BTreeSet<String>,
) -> String {
    let list = matches!(class_of(recording.command()), Some((_, "list")));
    let mut text = format!(
        "status {status}\n{}{}",
        unordered(out, list, recording.minimal()),
        unordered(err, false, false)
    );
    let given: BTreeSet<String> = recording.args.iter().flat_map(|a| uuids(a)).collect();
    for uuid in uuids(&text) {
        if !list && is_uuid(&uuid) && !known.contains(&uuid) && !given.contains(&uuid) {
            text = text.replace(&uuid, "<new>");
        }
    }
    text
}

/// A text past the test harness, which keeps to itself what tests that pass print.
fn say(text: &str) {
    let _ = std::io::stdout().write_all(format!("{text}\n").as_bytes());
}

#[test]
fn recorded_commands_are_answered_as_recorded() {
    let mut failures = Vec::new();
    for (name, recordings) in recording::all() {
        let Some(release) = release_of(&name) else {
            say(&format!("replay {name}: no release of the model"));
            continue;
        };
        let (mut agreed, mut unknown, mut stateless, mut replayed) = (0, 0, 0, 0);
        let (mut issued, mut issued_replayed) = (0, 0);
        for group in pools(&recordings) {
            let pool = Pool::of(&name, release, group);
            for at in 0..pool.recordings.len() {
                let recording = &pool.recordings[at];
                let ours = ISSUED.contains(&recording.command());
                issued += usize::from(ours);
                let line = recording.args.join(" ");
                match pool.replay(at) {
                    Outcome::Unknown(why) => {
                        unknown += 1;
                        say(&format!("unknown: {}: {why}", recording.name));
                        continue;
                    }
                    Outcome::Stateless(why) => {
                        stateless += 1;
                        say(&format!("stateless: {}: {why}", recording.name));
                        continue;
                    }
                    Outcome::Agreed => agreed += 1,
                    Outcome::Differs(text) => {
                        failures
                            .push(format!("{} {}: xe {line}\n{text}", pool.name, recording.name));
                    }
                }
                replayed += 1;
                issued_replayed += usize::from(ours);
            }
        }
        let total = recordings.len();
        say(&format!("replay {name}: of the {issued} issued {issued_replayed} were replayed"));
        say(&format!(
            "replay {name}: recorded {total} replayed {replayed} agreed {agreed} unknown {unknown} stateless {stateless} issued {issued}"
        ));
        if 5 * issued_replayed < 4 * issued {
            failures.push(format!("{name}: only {issued_replayed} of {issued} issued commands"));
        }
        if 2 * replayed < total {
            failures.push(format!("{name}: only {replayed} of {total} commands"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}
