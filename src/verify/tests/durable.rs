//! Whether what is known of a NIC survives a power cut: XAPI's list against both files.

use std::fs;

use super::super::durable::{Unsaved, check, unsaved};
use super::*;
use crate::dom0::Dom0;
use crate::inventory::Stores;
use crate::model::state::{Backend, Flavour};
use crate::net::{IfName, Uuid};
use crate::xe;

const DATABASE: &str = "var/lib/xcp/state.db";
const NETWORKD: &str = "var/lib/xcp/networkd.db";

/// XAPI's uuid of the PIF of eth2.
const UUID: &str = "5c1d2297-cbef-796b-b8bd-88f1ec1fdf65";

type Change<'a> = &'a dyn Fn(&Dom0, &mut Vec<Pif>);

/// A file with one text in the place of another, which must be there.
fn edit(dom0: &Dom0, path: &str, from: &str, to: &str) {
    let path = dom0.root().join(path);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{from} in {text}");
    fs::write(path, text.replace(from, to)).unwrap();
}

fn pif_of<'a>(pifs: &'a mut [Pif], nic: &str) -> &'a mut Pif {
    pifs.iter_mut().find(|p| p.is_nic() && p.device == nic).unwrap()
}

fn gone(pifs: &mut Vec<Pif>) {
    pifs.retain(|p| !(p.is_nic() && p.device == "eth2"));
}

/// What is not on disk of eth2 on a host where all was, after a change.
fn after(change: Change<'_>) -> (Vec<Unsaved>, Check) {
    let dom0 = Dom0::new(Flavour::El7, Backend::Bridge);
    let host: Uuid = crate::ledger::this_host(&dom0.host).unwrap();
    let mut pifs = xe::pifs(&dom0.host, &host).unwrap().all;
    change(&dom0, &mut pifs);
    let nics: Vec<IfName> = vec!["eth2".parse().unwrap()];
    let stores = Stores::read(&dom0.host, &["eth2"]);
    let found = unsaved(&stores, &host, &nics, Some(&pifs), &[]);
    (found, check(&stores, Some(&host), &nics, Some(&pifs), &[]))
}

#[test]
fn each_way_of_not_being_on_disk_is_found() {
    let eth2: IfName = "eth2".parse().unwrap();
    let record = || vec![Unsaved::Record("eth2".parse().unwrap())];
    let cases: Vec<(&str, Change<'_>, Vec<Unsaved>)> = vec![
        ("all is there", &|_, _| (), vec![]),
        (
            "another uuid",
            &|d, _| edit(d, DATABASE, UUID, "5c1d2297-cbef-796b-b8bd-000000000000"),
            record(),
        ),
        ("managed", &|_, p| pif_of(p, "eth2").managed = Some(false), {
            let mut both = record();
            both.push(Unsaved::InBridge(eth2.clone(), "xenbr2".into()));
            both
        }),
        ("a lock", &|_, p| pif_of(p, "eth2").disallow_unplug = true, record()),
        (
            "a key",
            &|_, p| drop(pif_of(p, "eth2").other_config.insert("x".into(), "y z".into())),
            record(),
        ),
        // How a quote is written there is not known.
        (
            "a quote",
            &|_, p| drop(pif_of(p, "eth2").other_config.insert("x".into(), "y'z".into())),
            vec![],
        ),
        (
            "forgotten",
            &|d, p| {
                gone(p);
                edit(d, NETWORKD, "\"eth2\"", "\"eth9\"");
            },
            vec![Unsaved::Forgotten(eth2.clone())],
        ),
        (
            "forgotten, and the bridge is not",
            &|_, p| gone(p),
            vec![
                Unsaved::Forgotten(eth2.clone()),
                Unsaved::InBridge(eth2.clone(), "xenbr2".into()),
            ],
        ),
        (
            "in no bridge",
            &|d, _| edit(d, NETWORKD, "\"eth2\"", "\"eth9\""),
            vec![Unsaved::NotInBridge(eth2.clone())],
        ),
        ("no networkd", &|d, _| fs::remove_file(d.root().join(NETWORKD)).unwrap(), vec![]),
    ];
    for (name, change, want) in cases {
        let (found, row) = after(change);
        assert_eq!(found, want, "{name}");
        assert_eq!(row.ok, want.is_empty(), "{name}: {row:?}");
        let have = row.have.unwrap();
        assert!(if want.is_empty() { have == "yes" } else { have.starts_with("no: ") }, "{have}");
    }
}

#[test]
fn what_cannot_be_looked_at_is_unknown_and_no_fault() {
    let (found, row) =
        after(&|d, _| fs::remove_file(d.root().join("etc/xensource/db.conf")).unwrap());
    assert_eq!((found, row.have, row.ok), (vec![], None, true));
    let dom0 = Dom0::new(Flavour::El7, Backend::Bridge);
    let nics: Vec<IfName> = vec!["eth2".parse().unwrap()];
    let stores = Stores::read(&dom0.host, &["eth2"]);
    let host: Uuid = crate::ledger::this_host(&dom0.host).unwrap();
    for (host, pifs) in [(Some(&host), None::<&[Pif]>), (None, Some(&[][..]))] {
        let row = check(&stores, host, &nics, pifs, &[]);
        assert_eq!((row.have, row.ok, row.hint), (None, true, None));
    }
}
