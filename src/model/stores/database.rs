//! XAPI's database as the file of the master has it: XML in one line, a row for each record, its
//! fields as attributes, maps and sets as S-expressions (xapi `db_xml.ml`, `xml_spaces.ml`).

use std::collections::{BTreeMap, BTreeSet};

use crate::model::state::{Pif, Pool, uuid_of};

/// The text of the file.
pub(super) fn text(pool: &Pool, generation: u64) -> String {
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<database><manifest><pair key=\"schema_major_vsn\" value=\"5\"/><pair key=\"schema_minor_vsn\" value=\"602\"/><pair key=\"generation_count\" value=\"{generation}\"/></manifest>"
    );
    for (name, rows) in tables(pool) {
        if rows.is_empty() {
            text.push_str(&format!("<table name=\"{name}\"/>"));
        } else {
            text.push_str(&format!("<table name=\"{name}\">{}</table>", rows.concat()));
        }
    }
    text + "</database>\n"
}

/// A record's reference: another number than its uuid.
fn reference(uuid: &str) -> String {
    format!("OpaqueRef:{}", uuid_of(&format!("ref {uuid}")))
}

fn of<T>(map: &BTreeMap<String, T>, key: &str, uuid: impl Fn(&T) -> &str) -> String {
    map.get(key).map_or_else(|| "OpaqueRef:NULL".into(), |record| reference(uuid(record)))
}

/// White space and percent signs as the file has them, then what XML needs.
fn protected(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            ' ' => out.push_str("%."),
            '\t' => out.push_str("%t"),
            '\n' => out.push_str("%n"),
            '\r' => out.push_str("%r"),
            '%' => out.push_str("%%"),
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

fn map(map: &BTreeMap<String, String>) -> String {
    let pairs: Vec<String> =
        map.iter().map(|(k, v)| format!("({} {})", quoted(k), quoted(v))).collect();
    format!("({})", pairs.join(" "))
}

fn set(set: &BTreeSet<String>) -> String {
    let words: Vec<String> = set.iter().map(|word| quoted(word)).collect();
    format!("({})", words.join(" "))
}

fn row(uuid: &str, fields: &[(&str, String)]) -> String {
    let mut text = format!("<row ref=\"{}\"", reference(uuid));
    for (name, value) in fields {
        text.push_str(&format!(" {name}=\"{}\"", protected(value)));
    }
    text + &format!(" uuid=\"{uuid}\"/>")
}

fn pif(pool: &Pool, pif: &Pif) -> String {
    let slave_of =
        pool.bonds.values().find(|b| b.slaves.iter().any(|s| pool.pifs.get(s) == Some(pif)));
    row(
        &pif.uuid,
        &[
            ("DNS", pif.dns.clone()),
            ("IP", pif.ip.clone()),
            ("MAC", pif.mac.clone()),
            ("MTU", pif.mtu.to_string()),
            ("VLAN", pif.vlan.to_string()),
            (
                "bond_slave_of",
                slave_of.map_or_else(|| "OpaqueRef:NULL".into(), |b| reference(&b.uuid)),
            ),
            ("currently_attached", pif.currently_attached.to_string()),
            ("device", pif.device.clone()),
            ("disallow_unplug", pif.disallow_unplug.to_string()),
            ("gateway", pif.gateway.clone()),
            ("host", of(&pool.hosts, &pif.host, |h| &h.uuid)),
            ("ip_configuration_mode", pif.ip_configuration_mode.clone()),
            ("managed", pif.managed.to_string()),
            ("management", pif.management.to_string()),
            ("netmask", pif.netmask.clone()),
            ("network", of(&pool.networks, &pif.network, |n| &n.uuid)),
            ("other_config", map(&pif.other_config)),
            ("physical", pif.physical.to_string()),
            ("properties", map(&pif.properties)),
        ],
    )
}

/// The tables that networks are made of, by name.
fn tables(pool: &Pool) -> Vec<(&'static str, Vec<String>)> {
    let bonds = pool.bonds.values().map(|bond| {
        let slaves = bond.slaves.iter().map(|s| of(&pool.pifs, s, |p| &p.uuid)).collect();
        let master = of(&pool.pifs, &bond.master, |p| &p.uuid);
        row(
            &bond.uuid,
            &[("master", master), ("mode", bond.mode.clone()), ("slaves", set(&slaves))],
        )
    });
    let vlans = pool.vlans.values().map(|vlan| {
        let pif = |key: &str| of(&pool.pifs, key, |p| &p.uuid);
        row(
            &vlan.uuid,
            &[
                ("tag", vlan.tag.to_string()),
                ("tagged_PIF", pif(&vlan.tagged)),
                ("untagged_PIF", pif(&vlan.untagged)),
            ],
        )
    });
    let hosts = pool.hosts.values().map(|host| {
        row(
            &host.uuid,
            &[
                ("address", host.address.clone()),
                ("enabled", host.enabled.to_string()),
                ("hostname", host.hostname.clone()),
                ("name__label", host.name_label.clone()),
                ("other_config", map(&host.other_config)),
                ("software_version", map(&host.software_version)),
            ],
        )
    });
    let networks = pool.networks.values().map(|network| {
        row(
            &network.uuid,
            &[
                ("MTU", network.mtu.to_string()),
                ("bridge", network.bridge.clone()),
                ("name__description", network.name_description.clone()),
                ("name__label", network.name_label.clone()),
                ("other_config", map(&network.other_config)),
            ],
        )
    });
    let pools = vec![row(
        &pool.uuid,
        &[
            ("ha_enabled", pool.ha_enabled.to_string()),
            ("master", of(&pool.hosts, &pool.master, |h| &h.uuid)),
            ("name_label", pool.name_label.clone()),
            ("other_config", map(&pool.other_config)),
        ],
    )];
    vec![
        ("Bond", bonds.collect()),
        ("PIF", pool.pifs.values().map(|p| pif(pool, p)).collect()),
        ("VLAN", vlans.collect()),
        ("host", hosts.collect()),
        ("network", networks.collect()),
        ("pool", pools),
        ("task", Vec::new()),
    ]
}
