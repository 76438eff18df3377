//! The rows of XAPI's own bonds, on the model's kernel, driver and Open vSwitch: each good and each
//! going bad.

use crate::dom0::Dom0;
use crate::inventory::{Ask, Carrier, Inventory, Managed};
use crate::model::state::{Backend, Flavour, State};
use crate::net::Ipv4Net;
use crate::verify::{self, Check, Verdict, failed};

const BACKENDS: [Backend; 2] = [Backend::Bridge, Backend::Openvswitch];

impl Dom0 {
    fn said(&self, line: &str) -> String {
        let words: Vec<String> = line.split_whitespace().map(str::to_string).collect();
        let output = self.model.execute(&words[0], &words[1..]);
        assert!(output.success(), "{line}: {output:?}");
        output.text().trim().to_string()
    }

    /// Has XAPI make a bond of eth2 and eth3 with an address, which is up; its PIF's uuid.
    pub(crate) fn managed(&self, more: &str) -> String {
        let network = self.said("xe network-create name-label=NAS");
        let state = self.model.state();
        let uuid = |nic: &str| state.pool.pifs[&format!("xen01/{nic}")].uuid.clone();
        let pifs = format!("{},{}", uuid("eth2"), uuid("eth3"));
        self.said(&format!("xe bond-create network-uuid={network} pif-uuids={pifs} {more}"));
        let pif = self.model.state().pool.pifs["xen01/bond1"].uuid.clone();
        self.said(&format!(
            "xe pif-reconfigure-ip uuid={pif} mode=static IP=172.16.51.11 netmask=255.255.255.0"
        ));
        self.model.change(|s| s.dom0.advance(40_000));
        pif
    }

    fn verdict(&self, name: &str, waits: bool) -> Verdict {
        let inv = Inventory::read(&self.host, Ask::default()).unwrap();
        let bond = Managed::named(&self.host, &inv, name).unwrap().expect("a bond of that name");
        let within = if waits { verify::managed_limit(&bond) } else { std::time::Duration::ZERO };
        verify::managed(&self.host, &inv, &bond, within, &mut |_| {}).unwrap()
    }
}

fn host(backend: Backend, more: &str) -> Dom0 {
    let dom0 = Dom0::new(Flavour::El7, backend);
    dom0.managed(more);
    dom0
}

/// The rows that are bad, with what they have.
fn bad(verdict: &Verdict) -> Vec<(String, String)> {
    let pair = |c: &&Check| (c.name.to_string(), c.have.clone().unwrap_or("unknown".into()));
    verdict.failed().iter().map(pair).collect()
}

#[track_caller]
fn is_good(verdict: &Verdict) {
    assert!(verdict.is_good(), "{:#?}", bad(verdict));
}

#[test]
fn a_sound_bond_is_as_xapi_has_it_by_device_and_by_network() {
    for flavour in [Flavour::El5, Flavour::El7] {
        for backend in BACKENDS {
            for mode in ["active-backup", "balance-slb", "lacp"] {
                let dom0 = Dom0::new(flavour, backend);
                dom0.managed(&format!("mode={mode}"));
                is_good(&dom0.verdict("bond1", false));
                is_good(&dom0.verdict("NAS", false));
            }
        }
    }
    // One that nobody of us has touched, whose network has a blank in its name.
    for backend in BACKENDS {
        is_good(&Dom0::new(Flavour::El7, backend).verdict("Bond 4+5", false));
    }
}

/// The same on both backends.
type BendBoth = (&'static str, fn(&mut State), &'static str, &'static str);

/// How a row goes bad, on which backend, and what it then has.
type Bend = (Backend, &'static str, fn(&mut State), &'static str, &'static str);

fn bond(state: &mut State) -> &mut crate::model::state::Bond {
    state.dom0.bonds.get_mut("bond1").unwrap()
}

fn port(state: &mut State) -> &mut crate::model::state::VsBond {
    state.dom0.vswitch.get_mut("bond1").unwrap()
}

use Backend::{Bridge, Openvswitch as Ovs};

#[rustfmt::skip]
const BENDS: &[Bend] = &[
    (Bridge, "", |s| s.pool.pifs.get_mut("xen01/bond1").unwrap().currently_attached = false, "bond1 in XAPI", "not plugged"),
    (Bridge, "", |s| s.dom0.delete_bond("bond1"), "bond1", "not there"),
    (Bridge, "", |s| { let _ = bond(s).options.insert("mode".into(), 1); }, "mode", "active-backup"),
    (Bridge, "", |s| { let _ = bond(s).options.insert("updelay".into(), 0); }, "updelay", "0"),
    (Bridge, "", |s| { let _ = bond(s).options.insert("downdelay".into(), 0); }, "downdelay", "0"),
    (Bridge, "", |s| { let _ = bond(s).options.insert("use_carrier".into(), 0); }, "use_carrier", "0"),
    (Bridge, "", |s| { let _ = s.dom0.release("bond1", "eth3"); }, "slaves", "eth2"),
    (Bridge, "", |s| s.dom0.nics.get_mut("eth3").unwrap().link = false, "eth3 link", "down"),
    (Bridge, "", |s| s.dom0.nics.get_mut("eth3").unwrap().speed = 1000, "speed", "eth2 10000 Mb/s, eth3 1000 Mb/s"),
    (Bridge, "", |s| s.dom0.nics.get_mut("eth3").unwrap().duplex = "half".into(), "duplex", "eth2 full, eth3 half"),
    (Bridge, "", |s| s.dom0.set_master("bond1", Some("xenbr1")), "bond1 bridge", "xenbr1"),
    (Bridge, "", |s| { let _ = s.dom0.set_mtu("eth3", 1400); }, "eth3 MTU", "1400"),
    (Bridge, "mode=lacp", |s| s.dom0.wire.lacp.clear(), "LACP partner", "none: its MAC reads 00:00:00:00:00:00"),
    (Ovs, "", |s| { let _ = s.dom0.vswitch.remove("bond1"); }, "bond1", "not there"),
    (Ovs, "", |s| s.dom0.running = Bridge, "bond1", "unknown"),
    (Ovs, "", |s| port(s).mode = "active-backup".into(), "mode", "active-backup"),
    (Ovs, "", |s| port(s).lacp = "active".into(), "mode", "802.3ad"),
    (Ovs, "", |s| port(s).updelay = 0, "updelay", "0"),
    (Ovs, "", |s| port(s).downdelay = 0, "downdelay", "0"),
    (Ovs, "", |s| { let _ = port(s).members.pop(); }, "slaves", "eth2"),
    (Ovs, "", |s| { let _ = port(s).members.pop(); }, "eth3 enabled", "no member"),
    (Ovs, "", |s| s.dom0.nics.get_mut("eth3").unwrap().link = false, "eth3 link", "down"),
    (Ovs, "", |s| s.dom0.nics.get_mut("eth3").unwrap().link = false, "eth3 enabled", "no"),
    (Ovs, "", |s| s.dom0.set_up("eth3", false), "eth3 link", "set down"),
    (Ovs, "", |s| s.dom0.nics.get_mut("eth3").unwrap().mac = "00:1b:21:0a:01:77".into(), "eth3 permanent MAC", "00:1b:21:0a:01:77"),
    (Ovs, "", |s| s.dom0.nics.get_mut("eth3").unwrap().speed = 1000, "speed", "eth2 10000 Mb/s, eth3 1000 Mb/s"),
    (Ovs, "", |s| port(s).bridge = "xenbr1".into(), "bond1 bridge", "xenbr1"),
    (Ovs, "", |s| { let _ = s.dom0.set_mtu("eth3", 1400); }, "eth3 MTU", "1400"),
    (Ovs, "mode=lacp", |s| port(s).mode = "balance-slb".into(), "hashing algorithm", "src_mac"),
    (Ovs, "mode=lacp", |s| { let _ = port(s).other_config.insert("lacp-time".into(), "fast".into()); }, "lacp-time", "fast"),
    (Ovs, "mode=lacp", |s| s.dom0.wire.lacp.clear(), "LACP partner", "none"),
    (Ovs, "mode=lacp", |s| { let _ = s.dom0.wire.lacp.remove("eth3"); }, "LACP aggregator", "eth2 with 00:23:04:ee:be:0a, key 32778; eth3 hears nobody"),
    (Ovs, "mode=lacp", |s| { let _ = s.dom0.wire.lacp.remove("eth3"); }, "LACP ports", "not eth3"),
];

#[rustfmt::skip]
const BOTH: &[BendBoth] = &[
    ("", |s| s.dom0.flush("xapi3"), "address", "none"),
    ("", |s| { let _ = s.dom0.set_mtu("xapi3", 1400); }, "xapi3 MTU", "1400"),
    ("", |s| s.dom0.replace_route("0.0.0.0/0", "xapi3", Some("172.16.51.1")), "default route", "via 172.16.51.1"),
];

#[test]
fn every_row_goes_bad() {
    let each = |backend, more, bend: fn(&mut State), name: &str, have: &str| {
        let dom0 = host(backend, more);
        dom0.change(bend);
        let found = bad(&dom0.verdict("bond1", false));
        let want = (name.to_string(), have.to_string());
        assert!(found.contains(&want), "{backend:?} {want:?}: {found:#?}");
    };
    for (backend, more, bend, name, have) in BENDS {
        each(*backend, more, *bend, name, have);
    }
    for backend in BACKENDS {
        for (more, bend, name, have) in BOTH {
            each(backend, more, *bend, name, have);
        }
    }
}

#[test]
fn a_member_that_is_coming_up_is_waited_for_and_not_good_before() {
    for backend in BACKENDS {
        let dom0 = host(backend, "mode=active-backup");
        dom0.change(|s| s.dom0.nics.get_mut("eth3").unwrap().link = false);
        dom0.change(|s| s.dom0.advance(1000));
        dom0.change(|s| s.dom0.nics.get_mut("eth3").unwrap().link = true);
        let now = bad(&dom0.verdict("bond1", false));
        let coming = match backend {
            Backend::Bridge => ("eth3 link".to_string(), "going back".to_string()),
            _ => ("eth3 enabled".to_string(), "coming up".to_string()),
        };
        assert!(now.contains(&coming), "{backend:?} {now:#?}");
        is_good(&dom0.verdict("bond1", true));
    }
}

#[test]
fn the_management_has_its_address_its_route_and_the_inventory() {
    for backend in BACKENDS {
        let dom0 = Dom0::new(Flavour::El7, backend);
        let network = dom0.said("xe network-create name-label=MGT");
        let state = dom0.model.state();
        let uuid = |nic: &str| state.pool.pifs[&format!("xen01/{nic}")].uuid.clone();
        let pifs = format!("{},{}", uuid("eth0"), uuid("eth3"));
        dom0.said(&format!(
            "xe bond-create network-uuid={network} pif-uuids={pifs} mode=active-backup"
        ));
        dom0.change(|s| s.dom0.advance(40_000));
        is_good(&dom0.verdict("MGT", false));
        dom0.change(|s| s.dom0.routes.retain(|_, r| r.to != "0.0.0.0/0"));
        let found = bad(&dom0.verdict("MGT", false));
        assert_eq!(found, [("default route".into(), "not through the bond".into())], "{backend:?}");
        let file = dom0.at("etc/xensource-inventory");
        let text = std::fs::read_to_string(&file).unwrap().replace("'xapi3'", "'xenbr0'");
        std::fs::write(&file, text).unwrap();
        let found = bad(&dom0.verdict("MGT", false));
        assert!(found.contains(&("management interface".into(), "xenbr0".into())), "{found:#?}");
    }
}

#[test]
fn what_xapi_does_not_say_is_never_good() {
    let dom0 = host(Backend::Openvswitch, "mode=active-backup");
    let inv = Inventory::read(&dom0.host, Ask::default()).unwrap();
    let carrier = Carrier::read(&dom0.host, &inv, "bond1");
    let rows = |alter: &dyn Fn(&mut Inventory)| {
        let mut inv = inv.clone();
        alter(&mut inv);
        let bond = Managed::named(&dom0.host, &inv, "bond1").unwrap().unwrap();
        let rows = verify::managed_rows(&inv, &bond, &inv.kernel, &carrier);
        failed(&rows).iter().map(|c| c.name.to_string()).collect::<Vec<_>>()
    };
    assert!(rows(&|_| {}).is_empty());
    let xapi = |inv: &mut Inventory| inv.xapi.clone().unwrap();
    let set = |inv: &mut Inventory, new| inv.xapi = Some(new);
    let mode = rows(&|inv| {
        let mut all = xapi(inv);
        all.bonds.iter_mut().for_each(|bond| bond.mode = None);
        set(inv, all);
    });
    assert_eq!(mode, ["mode"]);
    let network = rows(&|inv| {
        let mut all = xapi(inv);
        all.networks.clear();
        set(inv, all);
    });
    assert!(network.contains(&"bond1 bridge".to_string()), "{network:?}");
    let address = rows(&|inv| inv.kernel.addresses.clear());
    assert_eq!(address, ["address"]);
    let devices = rows(&|inv| drop(inv.kernel.devices.remove("eth3")));
    assert!(devices.contains(&"eth3 link".to_string()), "{devices:?}");
    let of: Ipv4Net = "172.16.51.11/24".parse().unwrap();
    assert_eq!(Managed::named(&dom0.host, &inv, "NAS").unwrap().unwrap().address(), Some(of));
}

#[test]
fn what_is_not_on_disk_is_a_row_of_its_own() {
    for backend in BACKENDS {
        let dom0 = Dom0::altered(Flavour::El7, backend, |s| {
            s.dom0.saves = crate::model::state::Saves::REAL;
        });
        dom0.managed("mode=active-backup");
        let found = bad(&dom0.verdict("bond1", false));
        assert_eq!(found.len(), 1, "{found:#?}");
        assert_eq!(found[0].0, "survives a power cut");
        dom0.change(|s| s.dom0.advance(301_000));
        is_good(&dom0.verdict("bond1", false));
    }
}

#[test]
fn a_name_that_two_networks_have_is_refused() {
    let dom0 = host(Backend::Openvswitch, "");
    dom0.change(|s| s.pool.networks.get_mut("xapi0").unwrap().name_label = "NAS".into());
    let inv = Inventory::read(&dom0.host, Ask::default()).unwrap();
    let error = Managed::named(&dom0.host, &inv, "NAS").unwrap_err();
    assert!(format!("{error:#}").contains("several bonds lie on a network called NAS"));
    assert!(Managed::named(&dom0.host, &inv, "bond1").unwrap().is_some());
    assert!(Managed::named(&dom0.host, &inv, "bond9").unwrap().is_none());
}
