//! Every finding raised once and not raised once, from a healthy host of the built-in pool.

mod cases;
mod managed;
mod situations;

use std::path::Path;
use std::sync::OnceLock;

use super::*;
use crate::dom0::{Dom0, evacuate};
use crate::host::{Kind, Program};
use crate::inventory::resolve;
use crate::inventory::{
    Address, Answer, Ask, Device, DeviceKind, Place, RenameRule, StoragePath, StorageUse,
};
use crate::ledger::{Phase, Summary};
use crate::model::builtin;
use crate::model::state::{Backend, Flavour, State, Tunnel, Xapi as XapiState};
use crate::net::Route;
use crate::options::Opt;
use crate::service::Init;
use crate::spec::tests::usual as spec;
use crate::spec::{NicRef, PifChoice};

use Bend::{Disk, Not, Value};
use Code::*;
use cases::CASES;

/// The built-in pool with the machines of this host moved to another, and no NIC that XAPI tunes.
fn evacuated(flavour: Flavour, backend: Backend) -> State {
    let mut state = builtin::pool(flavour, backend);
    evacuate(&mut state);
    state.pool.pifs.values_mut().for_each(|pif| pif.other_config.clear());
    state
}

/// What is read of a host with this state, whose files `alter` has been at.
fn read(state: State, alter: impl FnOnce(&Path), spec: &Spec) -> Inventory {
    let dom0 = Dom0::of(state);
    alter(dom0.root());
    let vlans = spec.tagged().next().is_some();
    let tuning = !spec.ethtool.is_empty();
    let ask = Ask { nics: &spec.nics, driver: true, tuning, vlans, ..Ask::default() };
    Inventory::read(&dom0.host, ask).unwrap()
}

/// A healthy host on Open vSwitch, read once.
fn healthy() -> Inventory {
    static READ: OnceLock<Inventory> = OnceLock::new();
    let read = || read(evacuated(Flavour::El7, Backend::Openvswitch), |_| {}, &spec(&[]));
    READ.get_or_init(read).clone()
}

fn codes(spec: &Spec, inv: &Inventory) -> Vec<Code> {
    let mut codes: Vec<Code> = check(spec, inv).iter().map(|f| f.code).collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

fn file(text: &str) -> Kind {
    Kind::new_file(text, 0o644)
}

fn device<'a>(inv: &'a mut Inventory, name: &str) -> &'a mut Device {
    inv.kernel.devices.get_mut(name).unwrap()
}

fn pif<'a>(inv: &'a mut Inventory, name: &str) -> &'a mut crate::xe::Pif {
    let xapi = inv.xapi.as_mut().unwrap();
    xapi.pifs.iter_mut().find(|p| p.device == name && p.vlan == -1).unwrap()
}

fn transaction(other: &[(&'static str, &str)], phase: Phase) -> Option<Summary> {
    Some(Summary { id: "20261120130000-bond52".into(), spec: spec(other), phase })
}

/// How the healthy situation is bent.
enum Bend {
    /// What the host is.
    State(fn(&mut State)),
    /// What lies on its disk.
    Disk(fn(&Path)),
    /// What was read of it, and what is asked for.
    Value(fn(&mut Spec, &mut Inventory)),
    /// Not at all: it is there anyway.
    Not,
}

/// Found on every host of a pool that is on Open vSwitch, as far as XAPI answers.
const ALWAYS: [Code; 2] = [PoolBackends, AlertsLost];

#[test]
fn each_finding_is_raised_by_its_cause_and_by_nothing_else() {
    assert_eq!(codes(&spec(&[]), &healthy()), ALWAYS);
    let mut wrong = Vec::new();
    for (code, asked, bend, also, words) in CASES {
        let mut spec = spec(asked);
        let mut inv = healthy();
        match bend {
            Not => {}
            Value(bend) => bend(&mut spec, &mut inv),
            Bend::State(bend) => {
                let mut state = evacuated(Flavour::El7, Backend::Openvswitch);
                bend(&mut state);
                inv = read(state, |_| {}, &spec);
            }
            Disk(bend) => inv = read(evacuated(Flavour::El7, Backend::Openvswitch), bend, &spec),
        }
        let found = check(&spec, &inv);
        let said = |f: &Finding| format!("{}\n{}", f.message, f.hint);
        let always = ALWAYS.iter().filter(|_| inv.xapi.is_some());
        let mut want: Vec<Code> = [code].into_iter().chain(*also).chain(always).copied().collect();
        want.sort_unstable();
        want.dedup();
        if codes(&spec, &inv) != want
            || !found.iter().any(|f| f.code == *code && said(f).contains(words))
        {
            wrong.push(format!("{code} ({words}), wanted {want:?}: {found:#?}"));
        }
        for finding in found {
            assert_eq!(finding.severity, finding.code.severity());
            assert!(!finding.hint.is_empty(), "{finding:?}");
            // A command's own words stand below, indented.
            let mut lines = finding.message.lines();
            assert!(lines.next().is_some_and(|l| !l.ends_with('.')), "{finding:?}");
            assert!(lines.all(|l| l.starts_with("    ")), "{finding:?}");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn the_table_has_every_code() {
    for code in Code::ALL {
        let has = CASES.iter().any(|case| case.0 == *code)
            || OF_THE_SPEC_S_HOSTS.contains(code)
            || managed::KEPT.iter().chain(managed::BONDS).any(|case| case.0 == *code)
            || [
                ModeNeedsOpenvswitch,
                BondCarriesStorage,
                NicNotGivenBack,
                NoDeadMansSwitch,
                ToolstackRestart,
                ManagedPossible,
            ]
            .contains(code);
        assert!(has, "no case raises {code}");
    }
}

#[test]
fn storage_is_named_that_goes_through_what_is_to_go_down() {
    let mut inv = healthy();
    assert_eq!(interrupted(&["bond51"], &inv), []);
    let server = "172.16.52.2".parse().unwrap();
    let used = StorageUse::Iscsi { connection: "connection1:0".into() };
    inv.ground.storage.push(StoragePath { used, server });
    for device in ["bond51", "bond51.52", "bond51.53"] {
        let device = device.to_string();
        inv.kernel.devices.insert(device.clone(), Device::default());
    }
    let tags = ["bond51.52", "bond51.53"].map(String::from);
    inv.kernel.devices.get_mut("bond51").unwrap().uppers = tags.iter().cloned().collect();
    let to = "172.16.52.0/24".parse().unwrap();
    inv.kernel.routes.push(Route { device: tags[0].clone(), to, gateway: None, metric: 0 });
    for (down, named) in [
        (&["bond51"][..], Some("bond51")),
        (&["bond51.52"], Some("bond51.52")),
        (&["bond51.52", "bond51"], Some("bond51")),
        (&["bond51.53"], None),
        (&["bond52"], None),
        (&[], None),
    ] {
        let found = interrupted(down, &inv);
        let all: Vec<(Code, String)> = found.into_iter().map(|f| (f.code, f.message)).collect();
        let said = |device| format!("iSCSI connection1:0 is reached at {server} through {device}");
        let want: Vec<_> =
            named.map(|device| (BondCarriesStorage, said(device))).into_iter().collect();
        assert_eq!(all, want, "{down:?}");
    }
}

/// Those that are about other hosts of the spec than this one.
const OF_THE_SPEC_S_HOSTS: [Code; 2] = [HostUnknown, HostWithoutAddress];

#[test]
fn the_hosts_of_a_spec_are_held_against_those_of_the_pool() {
    let request = |hosts: &[&str]| {
        let mut raw = crate::spec::Raw::default();
        let lines: Vec<String> =
            (11..).zip(hosts).map(|(n, host)| format!("{host} = 172.16.51.{n}/24\n")).collect();
        let text =
            format!("[bond]\nname = bond51\nnics = eth2, eth3\n[addresses]\n{}", lines.concat());
        raw.file("pool.ini", &text).unwrap();
        raw.finish().unwrap()
    };
    let found = |inv: &Inventory, hosts: &[&str]| -> Vec<(Code, String)> {
        let all = check_request(&request(hosts), &spec(&[]), &resolve(&spec(&[]), inv), inv);
        assert!(all.is_sorted_by_key(|f| (f.severity, f.code)));
        let mine = all.into_iter().filter(|f| OF_THE_SPEC_S_HOSTS.contains(&f.code));
        mine.map(|f| (f.code, f.message)).collect()
    };
    let mut inv = healthy();
    assert_eq!(found(&inv, &["xen01", "xen02", "xen03"]), []);
    let wrong = found(&inv, &["xen01", "xne02", "xen03"]);
    assert_eq!(wrong.iter().map(|(code, _)| *code).collect::<Vec<_>>(), OF_THE_SPEC_S_HOSTS);
    assert!(wrong[0].1.contains("172.16.51.12/24 to xne02"), "{wrong:?}");
    assert!(wrong[1].1.starts_with("xen02 is of this pool too"), "{wrong:?}");
    // By the hostname, in full or short, or by a name-label that is one host's alone.
    let hosts = &mut inv.xapi.as_mut().unwrap().hosts;
    (hosts[1].hostname, hosts[1].name_label) = ("xen02.example.org".into(), "door".into());
    assert_eq!(found(&inv, &["xen01", "xen02", "xen03"]), []);
    assert_eq!(found(&inv, &["xen01", "xen02.example.org", "xen03"]), []);
    assert_eq!(found(&inv, &["xen01", "door", "xen03"]), []);
    inv.xapi.as_mut().unwrap().hosts[2].name_label = "door".into();
    assert_eq!(found(&inv, &["xen01", "door", "xen03"]).len(), 2);
    // One address for whichever host it is run on says nothing of others.
    let one = Request::of(spec(&[]));
    assert_eq!(
        check_request(&one, &spec(&[]), &resolve(&spec(&[]), &inv), &inv),
        check_with_advice(&spec(&[]), &inv)
    );
    inv.xapi = None;
    assert_eq!(found(&inv, &["xne02"]), []);
}

#[test]
fn codes_are_unique_and_written_with_dashes() {
    let mut seen = std::collections::BTreeSet::new();
    for code in Code::ALL {
        let name = code.name();
        assert!(seen.insert(name), "{name} is there twice");
        let plain = |part: &str| {
            !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
        };
        assert!(name.split('-').all(plain), "{name}");
        assert_eq!(serde_json::to_value(code).unwrap(), name);
        assert_eq!(serde_json::from_value::<Code>(name.into()).unwrap(), *code);
        assert!(!code.meaning().is_empty() && !code.remedy().is_empty(), "{name}");
    }
}

#[test]
fn the_spec_of_these_tests_is_what_it_seems() {
    let spec = spec(&[("primary", "eth3")]);
    assert_eq!(spec.nics, ["eth2", "eth3"].map(|n| n.parse::<NicRef>().unwrap()));
    assert_eq!((spec.pif, spec.options.number(Opt::Miimon)), (PifChoice::Auto, Some(100)));
}

/// All but the advice that most specs get.
fn check(spec: &Spec, inv: &Inventory) -> Vec<Finding> {
    let mut all = check_with_advice(spec, inv);
    all.retain(|finding| finding.code != ManagedPossible);
    all
}

fn check_with_advice(spec: &Spec, inv: &Inventory) -> Vec<Finding> {
    super::check(spec, &resolve(spec, inv), inv)
}

#[test]
fn what_xapi_could_make_itself_is_said_and_nothing_else_is() {
    let said = |asked: &[(&'static str, &str)], bridge: bool| {
        let spec = spec(asked);
        let backend = if bridge { Backend::Bridge } else { Backend::Openvswitch };
        let inv = read(evacuated(Flavour::El7, backend), |_| {}, &spec);
        check_with_advice(&spec, &inv).iter().any(|found| found.code == ManagedPossible)
    };
    for (asked, on_bridge, on_openvswitch) in [
        (&[][..], true, true),
        (&[("updelay", "400")], true, true),
        (&[("mode", "802.3ad")], false, true),
        (&[("primary", "eth3")], false, false),
        (&[("mode", "balance-rr")], false, false),
        (&[("nics", "eth2,eth3,eth1")], false, true),
        (&[("vlan", "51")], false, false),
    ] {
        assert_eq!(
            (said(asked, true), said(asked, false)),
            (on_bridge, on_openvswitch),
            "{asked:?}"
        );
    }
}
