//! What the recordings of one pool tell of its records: each list, each value read, and what a
//! command that made something was told. Nothing here asks the model.

use std::collections::{BTreeMap, BTreeSet};

use super::recording::{Recording, is_uuid};
use super::table::{entries, minimal, rows};

/// A record: its class, as commands begin, and its uuid.
pub type Id = (String, String);
/// Fields by their names in lists.
pub type Fields = BTreeMap<String, String>;
/// Records and what is known of them.
pub type Facts = BTreeMap<Id, Fields>;

pub const NIL: &str = "<not in database>";
const CLASSES: [&str; 11] =
    ["host", "pif", "network", "bond", "vlan", "tunnel", "vif", "vm", "pool", "pbd", "sr"];
/// Fields that a record keeps for life: by them a row without a uuid is known.
const LASTING: [&str; 9] = [
    "uuid",
    "device",
    "VLAN",
    "MAC",
    "host-uuid",
    "host-name-label",
    "physical",
    "bridge",
    "vm-uuid",
];

/// Fields that are maps.
pub const MAPS: [&str; 6] = [
    "other-config",
    "properties",
    "software-version",
    "device-config",
    "cpu_info",
    "license-server",
];

/// What one recording shows.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    pub facts: Facts,
    /// Its rows say which records they are.
    pub certain: bool,
    /// Records of a class that the answer would have to show and does not.
    pub missing: BTreeSet<Id>,
}

pub fn id(class: &str, uuid: &str) -> Id {
    (class.to_string(), uuid.to_string())
}

/// The class and the rest of a command's name.
pub fn class_of(command: &str) -> Option<(&'static str, &str)> {
    CLASSES.iter().find_map(|c| Some((*c, command.strip_prefix(c)?.strip_prefix('-')?)))
}

/// What all the recordings of a pool show.
#[derive(Default)]
pub struct Evidence {
    /// By recording, those that show something.
    pub shown: BTreeMap<usize, Shown>,
    /// How often each record was seen with each of its values.
    pub seen: BTreeMap<Id, Vec<Fields>>,
    /// Classes' fields as tables order them.
    orders: Vec<(String, Vec<String>)>,
}

impl Evidence {
    pub fn of(recordings: &[Recording]) -> Self {
        let mut all = Self::default();
        for recording in recordings {
            all.orders.extend(order(recording));
        }
        // Tables with uuids first: they are what other answers are read with.
        for (at, recording) in recordings.iter().enumerate() {
            if let Some(facts) = made(recording).or_else(|| plain(recording)) {
                all.note(at, facts, true);
            }
        }
        for recording in recordings {
            for id in named(recording) {
                let fields = Fields::from([("uuid".to_string(), id.1.clone())]);
                all.seen.entry(id).or_default().push(fields);
            }
        }
        for by_uuid in [true, false] {
            for (at, recording) in recordings.iter().enumerate() {
                if let Some((class, rows)) = all.listed(recording)
                    && by_uuid == rows.iter().all(|row| row.contains_key("uuid"))
                    && let Some(facts) = all.identify(class, recording, rows)
                {
                    all.note(at, facts, by_uuid);
                }
            }
        }
        for (at, recording) in recordings.iter().enumerate() {
            let missing = all.missing(recording, at);
            if let Some(missing) = missing {
                all.shown.entry(at).or_default().missing = missing;
            }
        }
        all
    }

    fn note(&mut self, at: usize, facts: Facts, certain: bool) {
        let facts = spread(facts);
        for (id, fields) in facts.iter().filter(|_| certain) {
            self.seen.entry(id.clone()).or_default().push(fields.clone());
        }
        self.shown.entry(at).or_default().certain = certain;
        self.shown.entry(at).or_default().facts.extend(facts);
    }

    /// The host, device and tag of a record, as far as they are known of it.
    fn place(&self, id: &Id) -> Option<[String; 3]> {
        let get = |name: &str| self.seen.get(id)?.iter().find_map(|f| f.get(name)).cloned();
        let tag = get("VLAN").unwrap_or_else(|| "-1".to_string());
        Some([get("host-uuid")?, get("device")?, tag])
    }

    /// The rows of a list that succeeded, with its filters as fields of every row.
    fn listed(&self, recording: &Recording) -> Option<(&'static str, Vec<Fields>)> {
        let (class, verb) = class_of(recording.command())?;
        if verb != "list" || recording.status != Some(0) {
            return None;
        }
        let mut list: Vec<Fields> = if recording.minimal() {
            let name = self.first_field(class, recording)?;
            let values = minimal(&recording.out).into_iter();
            values.map(|value| Fields::from([(name.clone(), value)])).collect()
        } else {
            rows(&recording.out)?.into_iter().map(|row| row.into_iter().collect()).collect()
        };
        for row in &mut list {
            for (name, value) in filters(recording) {
                let (name, value) = match name.split_once(':') {
                    None => (name, value.to_string()),
                    Some((name, "contains")) => (name, value.to_string()),
                    Some((name, key)) => (name, format!("{key}: {value}")),
                };
                row.entry(name.to_string()).or_insert(value);
            }
        }
        Some((class, list))
    }

    /// The field that a minimal list prints.
    fn first_field(&self, class: &str, recording: &Recording) -> Option<String> {
        let Some(params) = recording.arg("params") else { return Some("uuid".to_string()) };
        let names: Vec<&str> = params.split(',').collect();
        if names.contains(&"uuid") || names.contains(&"all") {
            return Some("uuid".to_string());
        }
        if let [one] = names.as_slice() {
            return Some((*one).to_string());
        }
        let mut orders = self.orders.iter().filter(|(of, _)| of == class);
        let (_, order) =
            orders.find(|(_, order)| names.iter().all(|n| order.iter().any(|o| o == n)))?;
        order.iter().find(|name| names.contains(&name.as_str())).cloned()
    }

    /// Gives rows without a uuid one of the records that they may be.
    fn identify(&self, class: &str, recording: &Recording, rows: Vec<Fields>) -> Option<Facts> {
        let mut facts = Facts::new();
        let mut places = BTreeSet::new();
        for (number, row) in rows.into_iter().enumerate() {
            let lasting = |fields: &Fields| {
                fields.iter().all(|(name, value)| {
                    !(LASTING.contains(&name.as_str()) || class == "host" && name == "name-label")
                        || row.get(name).is_none_or(|v| v.eq_ignore_ascii_case(value))
                })
            };
            let known = row.get("uuid").cloned();
            let known = known.or_else(|| {
                let mut fits = self.seen.iter().filter(|((of, uuid), seen)| {
                    let this = id(class, uuid);
                    let free = self.place(&this).is_none_or(|place| !places.contains(&place));
                    of == class && free && !facts.contains_key(&this) && seen.iter().all(lasting)
                });
                fits.next().map(|((_, uuid), _)| uuid.clone())
            });
            // A record that no list names: it has a uuid all the same.
            let uuid = known.unwrap_or_else(|| {
                let salt =
                    recording.name.bytes().fold(7u32, |h, b| h.wrapping_mul(31) + u32::from(b));
                format!("ffffffff-0000-4000-8000-{salt:08x}{number:04x}")
            });
            places.extend(self.place(&id(class, &uuid)));
            facts.insert(id(class, &uuid), row);
        }
        Some(facts)
    }

    /// The records that a list would show if they were there, or were as they were once seen.
    fn missing(&self, recording: &Recording, at: usize) -> Option<BTreeSet<Id>> {
        let (class, verb) = class_of(recording.command())?;
        if verb != "list" || recording.status != Some(0) {
            return None;
        }
        if !recording.minimal() && rows(&recording.out).is_none() {
            return None;
        }
        let shown = self.shown.get(&at);
        let fits = |seen: &Vec<Fields>| {
            filters(recording).all(|(name, want)| {
                let mut values = seen
                    .iter()
                    .filter_map(|fields| match name.split_once(':') {
                        Some((base, key)) => fields
                            .get(base)
                            .map(|text| entries(text).remove(key).unwrap_or_default()),
                        None => fields.get(name).cloned(),
                    })
                    .peekable();
                values.peek().is_none() || values.any(|value| value.eq_ignore_ascii_case(want))
            })
        };
        let others = self.seen.iter().filter(|(id, _)| {
            id.0 == class && shown.is_none_or(|shown| !shown.facts.contains_key(*id))
        });
        // Fields that nobody has tell nothing of what there is.
        let says = recording.out.contains(" (") || recording.minimal() || recording.out.is_empty();
        Some(others.filter(|(_, seen)| says && fits(seen)).map(|(id, _)| id.clone()).collect())
    }
}

/// A list's filters.
pub fn filters(recording: &Recording) -> impl Iterator<Item = (&str, &str)> {
    let pairs = recording.args.iter().filter_map(|a| a.split_once('='));
    pairs.filter(|(name, _)| *name != "params" && !name.starts_with("--"))
}

/// A table's order of fields.
fn order(recording: &Recording) -> Option<(String, Vec<String>)> {
    let (class, verb) = class_of(recording.command())?;
    let first = rows(&recording.out).filter(|_| verb == "list")?.into_iter().next()?;
    Some((class.to_string(), first.into_iter().map(|(name, _)| name).collect()))
}

/// The records that a command names and finds: one that is not there is refused by its uuid.
fn named(recording: &Recording) -> Vec<Id> {
    if recording.err.contains("uuid you supplied") || recording.status.is_none() {
        return Vec::new();
    }
    let own = class_of(recording.command()).filter(|(_, verb)| *verb != "list");
    let arguments = [
        ("uuid", own.map_or("", |(class, _)| class)),
        ("host-uuid", "host"),
        ("network-uuid", "network"),
        ("pif-uuid", "pif"),
        ("pif-uuids", "pif"),
        ("vm-uuid", "vm"),
    ];
    let of = |(name, class): (&str, &str)| -> Vec<Id> {
        let text = recording.arg(name).filter(|_| !class.is_empty()).unwrap_or_default();
        text.split(',').filter(|uuid| is_uuid(uuid)).map(|uuid| id(class, uuid)).collect()
    };
    arguments.into_iter().flat_map(of).filter(|_| own.is_some()).collect()
}

/// A list whose rows say their uuids, or a value that was read.
fn plain(recording: &Recording) -> Option<Facts> {
    let (class, verb) = class_of(recording.command())?;
    let uuid = recording.arg("uuid");
    match verb {
        "param-get" => {
            let id = id(class, uuid.filter(|uuid| is_uuid(uuid))?);
            let name = recording.arg("param-name")?;
            let text = recording.out.strip_suffix('\n').unwrap_or(&recording.out);
            let text =
                if recording.minimal() { minimal(&recording.out).join(",") } else { text.into() };
            let value = match (recording.arg("param-key"), recording.status) {
                (_, Some(0)) if !MAPS.contains(&name) => text,
                (None, Some(0)) => text,
                (Some(key), Some(0)) => format!("{key}: {text}"),
                (Some(_), _) => String::new(),
                _ => return None,
            };
            Some(Facts::from([(id, Fields::from([(name.to_string(), value)]))]))
        }
        _ => None,
    }
}

/// What a command made of its arguments.
fn made(recording: &Recording) -> Option<Facts> {
    let new = recording.out.trim();
    if recording.status != Some(0) || !is_uuid(new) {
        return None;
    }
    let arg = |name: &str| recording.arg(name).unwrap_or_default().to_string();
    let mut facts = Facts::new();
    let mut put = |class: &str, uuid: &str, fields: &[(&str, String)]| {
        let fields = fields.iter().map(|(name, value)| ((*name).to_string(), value.clone()));
        facts.insert(id(class, uuid), fields.collect());
    };
    match recording.command() {
        "pif-introduce" => {
            let managed = arg("managed").to_lowercase();
            let managed = !["false", "f", "no", "n", "0"].contains(&managed.as_str());
            put(
                "pif",
                new,
                &[
                    ("host-uuid", arg("host-uuid")),
                    ("device", arg("device")),
                    ("managed", managed.to_string()),
                    ("physical", "true".into()),
                    ("VLAN", "-1".into()),
                    ("bond-slave-of", NIL.into()),
                ],
            );
        }
        "network-create" => put("network", new, &[("name-label", arg("name-label"))]),
        "bond-create" => {
            put("bond", new, &[("slaves", arg("pif-uuids").replace(',', "; "))]);
        }
        "vlan-create" => {
            put(
                "pif",
                new,
                &[
                    ("VLAN", arg("vlan")),
                    ("physical", "false".into()),
                    ("network-uuid", arg("network-uuid")),
                ],
            );
        }
        "vif-create" => {
            put(
                "vif",
                new,
                &[
                    ("vm-uuid", arg("vm-uuid")),
                    ("network-uuid", arg("network-uuid")),
                    ("device", arg("device")),
                ],
            );
        }
        "vm-create" => put("vm", new, &[("name-label", arg("name-label"))]),
        _ => return None,
    }
    Some(facts)
}

/// What rows say of other records: names of networks and hosts, who is in whom.
pub fn spread(facts: Facts) -> Facts {
    let mut all = facts.clone();
    let mut put = |class: &str, uuid: &str, name: &str, value: &str| {
        if is_uuid(uuid) {
            let fields = all.entry(id(class, uuid)).or_default();
            fields.entry(name.to_string()).or_insert_with(|| value.to_string());
        }
    };
    for ((class, uuid), fields) in &facts {
        let get = |name: &str| fields.get(name).map_or("", String::as_str);
        let list =
            |name: &str| -> Vec<&str> { get(name).split("; ").filter(|u| is_uuid(u)).collect() };
        for (name, of, label) in [
            ("network-uuid", "network", "network-name-label"),
            ("host-uuid", "host", "host-name-label"),
            ("vm-uuid", "vm", "vm-name-label"),
        ] {
            if let Some(text) = fields.get(label) {
                put(of, get(name), "name-label", text);
            } else if !get(name).is_empty() {
                put(of, get(name), "uuid", get(name));
            }
        }
        match class.as_str() {
            "network" => {
                list("PIF-uuids").iter().for_each(|pif| put("pif", pif, "network-uuid", uuid));
                list("VIF-uuids").iter().for_each(|vif| put("vif", vif, "network-uuid", uuid));
            }
            "bond" => {
                list("slaves").iter().for_each(|pif| put("pif", pif, "bond-slave-of", uuid));
                put("pif", get("master"), "bond-master-of", uuid);
            }
            "vlan" => {
                put("pif", get("untagged-PIF"), "vlan-master-of", uuid);
                put("pif", get("untagged-PIF"), "VLAN", get("tag"));
                put("pif", get("untagged-PIF"), "physical", "false");
                put("pif", get("tagged-PIF"), "vlan-slave-of", uuid);
            }
            "tunnel" => {
                put("pif", get("access-PIF"), "tunnel-access-PIF-of", uuid);
                put("pif", get("transport-PIF"), "tunnel-transport-PIF-of", uuid);
            }
            "pif" => {
                put("bond", get("bond-slave-of"), "uuid", get("bond-slave-of"));
                for (name, of) in [
                    ("bond-master-of", "bond"),
                    ("vlan-master-of", "vlan"),
                    ("vlan-slave-of", "vlan"),
                    ("tunnel-access-PIF-of", "tunnel"),
                    ("tunnel-transport-PIF-of", "tunnel"),
                ] {
                    list(name).iter().for_each(|one| put(of, one, "uuid", one));
                }
            }
            "vm" => put("host", get("resident-on"), "uuid", get("resident-on")),
            "pool" => put("host", get("master"), "uuid", get("master")),
            _ => {}
        }
    }
    all
}
