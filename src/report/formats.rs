//! The pages about the spec file and the templates, from the tables that both are read by.

use super::page::Page;
use crate::net::BondMode;
use crate::options::{Row, TABLE, Values};
use crate::render::{BUILT_IN, VARIABLES};
use crate::spec::keys;

/// The keys of `[vlan TAG]`.
const VLAN_KEYS: [(&str, &str); 5] = [
    (
        "HOST = IP/PREFIX",
        "The address of a host of the pool; a host without a line has no such network.",
    ),
    ("address = IP/PREFIX", "The address, where the spec is for a single host."),
    ("mtu = BYTES", "The MTU; at most that of [bond], which it is by default."),
    ("routes = NET via GATEWAY", "Networks behind a router of this network."),
    ("probes = IP[:PORT]", "Storage servers on this network that must answer."),
];

/// A spec with a section of each kind.
const EXAMPLE: &str = "\
[bond]
name = bond51
nics = eth2, eth3
mode = active-backup
mtu = 9000
probes = 172.16.51.2:2049

[addresses]
xen01 = 172.16.51.11/24
xen02 = 172.16.51.12/24

; where a host differs: any key of [bond]
[bond xen02]
nics = eth4, eth5

; a further network, tagged
[vlan 52]
xen01 = 172.16.52.11/24
xen02 = 172.16.52.12/24
";

/// The page about the spec file.
#[must_use]
pub fn spec_page() -> Page {
    let mut page = Page::new("xenbond-spec", 5, "the file that says which bond is wanted");
    page.heading("Description").words(
        "An INI file for --spec. One file serves a whole pool: [bond] is what all hosts share, \
         [addresses] has a line for each host, [bond HOST] is what one host has otherwise, and \
         each [vlan TAG] is a further, tagged network. A line that begins with ; or # is a \
         comment. Lists have commas. HOST is the hostname, its part before the first dot, or the \
         name that XAPI has for the host. The flag of a key is named with it; a flag wins over \
         the file. Three keys are needed: name, nics, and an address.",
    );
    page.heading("Keys of [bond]");
    for key in keys() {
        let mut body = format!("{} (--{}).", key.help, key.flag);
        if let Some(row) = TABLE.iter().find(|row| row.name == key.name) {
            body.push_str(&of_row(row));
        }
        page.item(&format!("{} = {}", key.name, key.word), &body);
    }
    page.heading("Keys of [addresses]");
    page.item("HOST = IP/PREFIX", "The address of the bond on that host.");
    page.heading("Keys of [vlan TAG]");
    for (head, body) in VLAN_KEYS {
        page.item(head, body);
    }
    page.heading("Example").lines(EXAMPLE.lines());
    page.heading("See also")
        .words("xenbond init prints a spec to start from; xenbond spec BOND one of a bond.");
    page
}

/// What the table says of an option beside its help.
fn of_row(row: &Row) -> String {
    let mut text = match row.values {
        Values::Number(least, most) => format!(" {least} to {most}."),
        Values::Words(words) if !words.iter().all(|word| row.help.contains(word)) => {
            format!(" One of {}.", words.join(", "))
        }
        _ => String::new(),
    };
    if row.modes.len() < BondMode::ALL.len() {
        let modes: Vec<&str> = row.modes.iter().map(|mode| mode.name()).collect();
        text.push_str(&format!(" Modes: {}.", modes.join(", ")));
    }
    if !row.default.is_empty() && !row.help.contains("[default") {
        text.push_str(&format!(" The driver's default: {}.", row.default));
    }
    text
}

/// The page about the templates.
#[must_use]
pub fn templates_page() -> Page {
    let mut page = Page::new("xenbond-templates", 5, "the files that are written, as templates");
    page.heading("Description").words(
        "--templates DIR takes each file of DIR in place of the built-in template of its name. \
         Templates are of the Tera language: {{ variable }}, {% if variable %} ... {% endif %}, \
         {% for one in list %} ... {% endfor %}. What a template yields is read back, and must \
         say what the spec says: it may add comments and leave out what has no effect, and \
         nothing else. xenbond render writes the files into a folder.",
    );
    page.heading("Templates");
    for template in &BUILT_IN {
        let body = format!("{}. Variables: {}.", template.makes, template.variables.join(", "));
        page.item(template.name, &body);
    }
    page.heading("Variables");
    for (name, meaning) in VARIABLES {
        page.item(name, meaning);
    }
    for template in &BUILT_IN {
        page.heading(template.name).lines(template.text.lines());
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Raw;

    #[test]
    fn the_example_is_a_spec_and_every_key_of_a_vlan_is_known() {
        let mut raw = Raw::default();
        raw.file("example", EXAMPLE).unwrap();
        assert_eq!(raw.finish().unwrap().by_host().len(), 2);
        let keys: String = VLAN_KEYS[2..]
            .iter()
            .map(|(head, _)| head.split_once(" = ").unwrap().0)
            .zip(["9000", "10.9.0.0/16 via 172.16.52.1", "172.16.52.2"])
            .map(|(key, value)| format!("{key} = {value}\n"))
            .collect();
        let mut raw = Raw::default();
        raw.file("example", &format!("{EXAMPLE}{keys}")).unwrap();
        raw.finish().unwrap();
    }

    #[test]
    fn pages_have_every_key_and_every_variable() {
        let spec = spec_page().shown();
        for key in keys() {
            assert!(spec.contains(&format!("    {} = {}\n", key.name, key.word)), "{}", key.name);
        }
        let templates = templates_page().shown();
        for (name, _) in VARIABLES {
            assert!(templates.contains(&format!("    {name}\n")), "{name}");
        }
        // The text of a template is as it is.
        assert!(spec.lines().all(|line| line.len() <= 80), "{spec}");
    }
}
