//! A NIC that XAPI keeps: each row as it should be, and going bad.

use super::*;
use crate::dom0::{Dom0, pif};
use crate::host::Host;
use crate::inventory::{Ask, Inventory, Nic, on_host, resolve};
use crate::ledger::Orders;
use crate::model::state::{Backend, Flavour, State};
use crate::spec::tests::storage_nic;
use crate::spec::{Raw, Request};
use crate::verify::{Patience, Question, Running, Witness, judge};

const FULL: &[(&str, &str)] =
    &[("mtu", "9000"), ("routes", "10.99.0.0/16 via 172.16.51.1"), ("probes", "172.16.51.2")];

fn request() -> Request {
    let mut raw = Raw::default();
    let usual = [("kind", "managed"), ("nics", "eth2"), ("use", "storage")];
    for (key, text) in usual.iter().chain(&[("address", "172.16.51.11/24")]).chain(FULL) {
        raw.flag(key, key, (*text).to_string());
    }
    raw.finish().unwrap()
}

struct Ready;

impl crate::engine::Observer for Ready {
    fn begins(&mut self, _: usize, _: usize, _: &str) {}
    fn ended(&mut self, _: crate::outcome::StepState, _: Duration) {}
    fn note(&mut self, _: &str) {}
    fn agrees(
        &mut self,
        _: &crate::plan::Plan,
        _: &[crate::preflight::Finding],
        _: &Inventory,
    ) -> bool {
        true
    }
}

/// A host of the model with its storage NIC.
fn made(flavour: Flavour, backend: Backend) -> Dom0 {
    let dom0 = Dom0::new(flavour, backend);
    let ended = dom0.engine(Orders::default(), |engine| {
        engine.apply(&request(), |_| Ok(()), &mut Ready).unwrap()
    });
    assert_eq!(ended.exit, crate::outcome::Exit::AsAsked, "{:?}", ended.error);
    dom0
}

/// The rows that are not as asked, by their words.
fn wrong(host: &Host) -> Vec<String> {
    let verdict = verdict(host, &[]);
    verdict.failed().into_iter().map(ToString::to_string).collect()
}

fn verdict(host: &Host, accepted: &[crate::preflight::Code]) -> crate::verify::Verdict {
    verdict_after(host, accepted, || {})
}

/// The verdict, where something happens on disk once XAPI was asked.
fn verdict_after(
    host: &Host,
    accepted: &[crate::preflight::Code],
    happens: impl FnOnce(),
) -> crate::verify::Verdict {
    let spec = storage_nic(FULL);
    let ask = Ask { nics: &spec.nics, networks: true, ..Ask::default() };
    let inv = Inventory::read(host, ask).unwrap();
    let spec = on_host(spec, &inv);
    let nics: Vec<Nic> = resolve(&spec, &inv).into_iter().flatten().collect();
    happens();
    let verdict = judge(Question {
        spec: &spec,
        nics: &nics,
        absent: &[],
        accepted,
        kernel: Running::Read(&inv.kernel),
        witnesses: &[
            Witness::Host(&inv, &[]),
            Witness::Disk(host, &inv),
            Witness::Servers(host, Patience::Once),
        ],
    });
    verdict.unwrap()
}

/// How a host is changed, and a row that is wrong then.
type Case = (fn(&mut State), &'static str);

const CASES: &[Case] = &[
    (|s| s.dom0.nics.get_mut("eth2").unwrap().link = false, "eth2 link: expected up, found down"),
    (
        |s| drop(s.dom0.nics.get_mut("eth2").unwrap().master.take()),
        "eth2 is a port of: expected xenbr2, found nothing",
    ),
    (
        |s| drop(s.dom0.addresses.remove("xenbr2")),
        "address: expected 172.16.51.11/24 on xenbr2, found nowhere",
    ),
    (|s| s.dom0.nics.get_mut("eth2").unwrap().mtu = 1500, "eth2 MTU: expected 9000, found 1500"),
    (
        |s| s.dom0.devices.get_mut("xenbr2").unwrap().mtu = 1500,
        "xenbr2 MTU: expected 9000, found 1500",
    ),
    (
        |s| s.dom0.routes.retain(|_, route| route.to != "10.99.0.0/16"),
        "route to 10.99.0.0/16: expected via 172.16.51.1 on xenbr2, found not there",
    ),
    (
        |s| {
            s.dom0
                .routes
                .values_mut()
                .filter(|r| r.to == "0.0.0.0/0")
                .for_each(|r| r.dev = "xenbr2".into())
        },
        "default route: expected not through eth2, found through xenbr2",
    ),
    (
        |s| pif(s, "eth2").managed = false,
        "eth2 in XAPI: expected managed and plugged, found left alone",
    ),
    (
        |s| pif(s, "eth2").currently_attached = false,
        "eth2 in XAPI: expected managed and plugged, found managed, and not plugged",
    ),
    (
        |s| drop(s.pool.pifs.remove("xen01/eth2")),
        "eth2 in XAPI: expected managed and plugged, found no PIF",
    ),
    (
        |s| pif(s, "eth2").ip = "172.16.51.12".into(),
        "eth2 address in XAPI: expected 172.16.51.11/24, found 172.16.51.12/24",
    ),
    (
        |s| pif(s, "eth2").gateway = "172.16.51.1".into(),
        "eth2 address in XAPI: expected 172.16.51.11/24, found 172.16.51.11/24 with the gateway 172.16.51.1",
    ),
    (
        |s| pif(s, "eth2").ip_configuration_mode = "DHCP".into(),
        "eth2 address in XAPI: expected 172.16.51.11/24, found dhcp",
    ),
    (
        |s| pif(s, "eth2").disallow_unplug = false,
        "eth2 disallow-unplug: expected true, found false",
    ),
    (
        |s| drop(pif(s, "eth2").other_config.remove("management_purpose")),
        "eth2 management_purpose: expected Storage, found none",
    ),
    (
        |s| s.pool.networks.get_mut("xenbr2").unwrap().mtu = 1500,
        "network MTU: expected 9000, found 1500",
    ),
    (
        |s| s.pool.networks.get_mut("xenbr2").unwrap().other_config.clear(),
        "network static-routes: expected 10.99.0.0/16/172.16.51.1, found none",
    ),
    (|s| s.dom0.wire.answers.clear(), "ARP 172.16.51.2: expected answers, found no answer"),
    (
        |s| s.dom0.xapi = crate::model::state::Xapi::Down,
        "eth2 in XAPI: expected managed and plugged, found unknown",
    ),
];

#[test]
fn each_row_of_a_storage_nic_goes_bad_by_its_cause() {
    for (flavour, backend) in
        [(Flavour::El7, Backend::Bridge), (Flavour::El5, Backend::Openvswitch)]
    {
        let dom0 = made(flavour, backend);
        assert_eq!(wrong(&dom0.host), Vec::<String>::new(), "{flavour:?}");
        let good = dom0.model.state();
        for (bend, want) in CASES {
            dom0.change(bend);
            let rows = wrong(&dom0.host);
            assert!(rows.iter().any(|row| row == want), "{flavour:?}, wanted {want}: {rows:#?}");
            dom0.change(|state| *state = good.clone());
        }
    }
}

#[test]
fn a_missing_link_that_was_accepted_excuses_what_follows_from_it_and_nothing_else() {
    let dom0 = made(Flavour::El7, Backend::Bridge);
    let accepted = [crate::preflight::Code::NicNoLink];
    dom0.change(|state| state.dom0.wire.answers.clear());
    assert!(!verdict(&dom0.host, &accepted).hindering().is_empty(), "there is a link");
    dom0.change(|state| state.dom0.nics.get_mut("eth2").unwrap().link = false);
    let verdict = verdict(&dom0.host, &accepted);
    assert_eq!(verdict.hindering(), Vec::<&Check>::new());
    assert!(verdict.pending().iter().any(|item| item.what == "eth2 link: expected up, found down"));
    let link = verdict.failed().into_iter().find(|check| check.name.to_string() == "eth2 link");
    assert!(link.is_some_and(|check| check.name.cuts_storage()), "nagios: critical");
}

#[test]
fn what_is_not_on_disk_yet_is_a_row() {
    const ADDRESS: (&str, &str) = ("172.16.51.11", "172.16.51.99");
    for (path, (is, other), want) in [
        (
            "var/lib/xcp/networkd.db",
            ADDRESS,
            "/var/lib/xcp/networkd.db has other addresses on xenbr2, the bridge of eth2",
        ),
        (
            "var/lib/xcp/state.db",
            ADDRESS,
            "the PIF of eth2 is not in XAPI's database on disk as it is now",
        ),
        (
            "var/lib/xcp/state.db",
            ("MTU=\"9000\" bridge", "MTU=\"1500\" bridge"),
            "the network of eth2 is not in XAPI's database on disk as it is now",
        ),
    ] {
        let dom0 = made(Flavour::El7, Backend::Bridge);
        let path = dom0.at(path);
        let verdict = verdict_after(&dom0.host, &[], || {
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(text.contains(is), "{want}: {text}");
            std::fs::write(&path, text.replace(is, other)).unwrap();
        });
        let rows: Vec<String> = verdict.failed().into_iter().map(ToString::to_string).collect();
        let row = format!("survives a power cut: expected yes, found no: {want}");
        assert!(rows.contains(&row), "wanted {row}: {rows:#?}");
    }
}
