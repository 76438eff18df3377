//! What a glance at each kind of host shows.

use std::sync::{Arc, Mutex};

use super::*;
use crate::dom0::Dom0;
use crate::engine::{Engine, Signals};
use crate::host::{Clock as _, Cmd, Output, Runner};
use crate::ledger::{Lock, Orders, Phase};
use crate::model::Model;
use crate::model::state::{Backend, Flavour, State, Xapi as XapiState};
use crate::outcome::Ending;
use crate::report::Teller;
use crate::report::status as text;
use crate::spec::{Raw, Request};

/// Makes the usual bond, with more settings or others.
pub(crate) fn apply(host: &Host, more: &[(&'static str, &str)]) {
    let mut raw = Raw::default();
    let usual = [("name", "bond51"), ("nics", "eth2,eth3"), ("address", "172.16.51.11/24")];
    let others = usual.iter().filter(|(key, _)| !more.iter().any(|(k, _)| k == key));
    for (key, value) in others.chain(more) {
        raw.flag(key, key, (*value).to_string());
    }
    let request: Request = raw.finish().unwrap();
    let (templates, signals) = (Templates::load(None).unwrap(), Signals::default());
    let engine = Engine {
        host,
        templates: &templates,
        accepted: &[],
        orders: Orders::default(),
        signals: &signals,
    };
    let done = engine.apply(&request, |_| Ok(()), &mut Teller::new(true, true)).unwrap();
    assert_eq!(done.ending, Ending::Done, "{done:?}");
}

impl Dom0 {
    /// With the usual bond.
    fn applied(flavour: Flavour) -> Self {
        let dom0 = Self::new(flavour, Backend::Bridge);
        apply(&dom0.host, &[]);
        dom0
    }

    fn remove(&self, path: &str) -> &Self {
        std::fs::remove_file(self.at(path)).unwrap();
        self
    }

    fn status(&self) -> Status {
        let status = read(&self.host, &Templates::load(None).unwrap()).unwrap();
        let text = text(&status);
        for line in text.lines() {
            assert_eq!(line.trim_end(), line);
        }
        status
    }

    /// The names of what is no longer as asked.
    fn drift(&self) -> Vec<String> {
        let status = self.status();
        assert_eq!(status.ok, status.drift.is_empty());
        status.drift.iter().map(|d| format!("{}: {}", d.bond, d.check.name)).collect()
    }
}

fn nic<'a>(status: &'a Status, device: &str) -> &'a NicView {
    status.nics.iter().find(|n| n.device == device).expect(device)
}

fn bond<'a>(status: &'a Status, name: &str) -> &'a BondView {
    status.bonds.iter().find(|b| b.name == name).expect(name)
}

const SCRIPTS: &str = "/etc/sysconfig/network-scripts";

#[test]
fn every_nic_is_shown_with_what_holds_it() {
    let status = Dom0::new(Flavour::El5, Backend::Bridge).status();
    assert_eq!(status.nics.len(), 6);
    for (device, uses) in [
        ("eth0", vec!["management", "10.20.0.11/24"]),
        ("eth1", vec!["VLAN 30, 40", "VM vm-db", "VM vm-web"]),
        ("eth2", vec![]),
        ("eth4", vec!["slave of bond0 (active)"]),
        ("eth5", vec!["slave of bond0"]),
    ] {
        assert_eq!(nic(&status, device).used_by, uses, "{device}");
    }
    let eth2 = nic(&status, "eth2");
    assert_eq!(eth2.mac.as_deref(), Some("00:1b:21:0a:01:02"));
    assert_eq!((eth2.link, eth2.speed_mbps), (Some("up"), Some(10_000)));
    assert_eq!((eth2.managed, eth2.plugged), (Some(true), Some(true)));
    assert_eq!((eth2.bridge.as_deref(), eth2.driver.as_deref()), (Some("xenbr2"), Some("ixgbe")));
    assert!(eth2.pif.is_some() && eth2.network.is_some());
}

#[test]
fn a_managed_bond_is_shown_as_xapi_and_as_the_kernel_see_it() {
    let status = Dom0::new(Flavour::El5, Backend::Bridge).status();
    let both = bond(&status, "bond0");
    assert_eq!((both.ours, both.as_asked), (false, Some(true)), "as XAPI has it");
    let xapi = both.xapi.as_ref().unwrap();
    assert_eq!((xapi.mode.as_deref(), xapi.plugged), (Some("balance-slb"), true));
    assert_eq!(xapi.slaves, ["eth4", "eth5"]);
    let kernel = both.kernel.as_ref().unwrap();
    assert_eq!((kernel.mode, kernel.miimon), (Some("balance-slb"), Some(100)));
    assert_eq!(kernel.slaves.len(), 2);
    // Under Open vSwitch the kernel has no such bond.
    let status = Dom0::new(Flavour::El7, Backend::Openvswitch).status();
    let of_xapi = bond(&status, "bond0");
    assert!(of_xapi.xapi.is_some() && of_xapi.kernel.is_none());
    assert_eq!(nic(&status, "eth4").used_by, ["slave of bond0 in XAPI"]);
    assert_eq!(status.backend.running, Some(crate::net::Backend::Openvswitch));
}

#[test]
fn the_management_address_on_a_bond_of_xapi_is_found_on_both_backends() {
    for (flavour, backend) in
        [(Flavour::El5, Backend::Bridge), (Flavour::El7, Backend::Openvswitch)]
    {
        let dom0 = Dom0::new(flavour, backend);
        let bridge = bond(&dom0.status(), "bond0").xapi.clone().unwrap().bridge.unwrap();
        dom0.change(|state| {
            let of_bond = |pif: &&mut crate::model::state::Pif| {
                pif.device == "bond0" && pif.host == "xen01" && pif.vlan == -1
            };
            state.pool.pifs.values_mut().find(of_bond).unwrap().management = true;
            state.dom0.addresses.entry(bridge.clone()).or_default().insert("10.9.9.9/24".into());
            let (to, dev) = ("10.9.9.0/24".to_string(), bridge.clone());
            let route = crate::model::state::Route { to, dev, via: None, metric: 0 };
            state.dom0.routes.insert(format!("10.9.9.0/24 {bridge}"), route);
        });
        let status = dom0.status();
        let of_xapi = bond(&status, "bond0").xapi.as_ref().unwrap();
        assert_eq!(
            (of_xapi.management, &of_xapi.addresses[..]),
            (true, &["10.9.9.9/24".into()][..])
        );
        let text = text(&status).to_string();
        assert!(text.contains(&format!("{bridge}, management, 10.9.9.9/24")), "{text}");
    }
}

#[test]
fn a_host_that_is_as_asked_has_no_drift() {
    for flavour in [Flavour::El5, Flavour::El7] {
        let dom0 = Dom0::applied(flavour);
        let status = dom0.status();
        assert!(status.ok, "{:?}", status.drift);
        let ours = bond(&status, "bond51");
        assert_eq!((ours.ours, ours.as_asked), (true, Some(true)));
        assert!(ours.xapi.is_none() && ours.kernel.is_some());
        assert_eq!(nic(&status, "eth2").used_by, ["slave of bond51 (active)"]);
        assert_eq!(nic(&status, "eth2").managed, Some(false));
        let tx = status.transaction.unwrap();
        assert_eq!((tx.bond.as_str(), tx.open, tx.phase), ("bond51", false, Phase::Done));
        assert_eq!(tx.done, tx.steps);
    }
}

#[test]
fn the_way_of_the_traffic_is_drawn() {
    let dom0 = Dom0::applied(Flavour::El7);
    let drawn = |dom0: &Dom0| text(&dom0.status()).to_string();
    let both = drawn(&dom0);
    assert!(both.contains("\nbond51 ==+== eth2  up, carries\n         +-- eth3  up\n"), "{both}");
    // Of a bond without an active slave each carries; of one without a link none.
    assert!(both.contains("\nbond0  ==+== eth4  up, carries\n         +== eth5  up, carries\n"));
    dom0.model.change(|state| {
        for nic in ["eth4", "eth5"] {
            state.dom0.nics.get_mut(nic).unwrap().link = false;
        }
    });
    dom0.model.pause(std::time::Duration::from_secs(60));
    let down = drawn(&dom0);
    assert!(down.contains("\nbond0  --+-- eth4  down\n         +-- eth5  down\n"), "{down}");
}

#[test]
fn a_run_that_works_on_the_transaction_is_told() {
    let dom0 = Dom0::applied(Flavour::El7);
    let _lock = Lock::take(&dom0.host).unwrap();
    let other = "pid 1, since then\n";
    std::fs::write(dom0.root().join("var/lib/xenbond/lock"), other).unwrap();
    let status = dom0.status();
    let tx = status.transaction.as_ref().unwrap();
    let run = format!("pid 1, since then, transaction {}", tx.id);
    assert_eq!((tx.run.as_ref(), tx.hint.as_ref()), (Some(&run), None));
    assert!(text(&status).contains(&format!("  a run is at work on it: {run}\n")));
}

/// A host on which another run begins while XAPI is asked.
struct BeginsMeanwhile {
    model: Arc<Model>,
    lock: Mutex<Option<Lock>>,
}

impl Runner for BeginsMeanwhile {
    fn run(&self, cmd: &Cmd) -> Result<Output> {
        let mut lock = self.lock.lock().unwrap();
        if lock.is_none() {
            let root = self.model.root();
            let host = Host::new(root, self.model.clone(), self.model.clone());
            *lock = Some(Lock::take(&host)?);
            std::fs::write(root.join("var/lib/xenbond/lock"), "pid 1, since then\n")?;
        }
        drop(lock);
        self.model.run(cmd)
    }

    fn own_program(&self) -> Result<Vec<u8>> {
        self.model.own_program()
    }

    fn detach(&self, path: &str, args: &[&str], log: &str) -> Result<()> {
        self.model.detach(path, args, log)
    }
}

#[test]
fn a_run_that_begins_while_xapi_is_asked_is_told_too() {
    let dom0 = Dom0::applied(Flavour::El7);
    let runner = Arc::new(BeginsMeanwhile { model: dom0.model.clone(), lock: Mutex::default() });
    let host = Host::new(dom0.root(), runner, dom0.model.clone());
    let status = read(&host, &Templates::load(None).unwrap()).unwrap();
    let run = status.transaction.unwrap().run;
    assert!(run.as_ref().is_some_and(|run| run.starts_with("pid 1, since then")), "{run:?}");
}

#[test]
fn what_happens_behind_its_back_is_named() {
    let dom0 = Dom0::applied(Flavour::El7);
    let pif = |manage: bool| {
        move |state: &mut State| {
            let ours = |p: &&mut crate::model::state::Pif| p.device == "eth2" && p.host == "xen01";
            state.pool.pifs.values_mut().find(ours).unwrap().managed = manage;
        }
    };
    dom0.change(pif(true));
    assert_eq!(dom0.drift(), ["bond51: eth2 in XAPI"], "a rescan has adopted it");
    dom0.change(pif(false));
    dom0.change(|state| state.dom0.nics.get_mut("eth3").unwrap().link = false);
    assert_eq!(dom0.drift(), ["bond51: eth3 link"]);
    dom0.change(|state| state.dom0.nics.get_mut("eth3").unwrap().link = true);
    dom0.change(|state| state.dom0.clock += 60_000);
    std::fs::write(dom0.at("/etc/xensource/network.conf"), "openvswitch\n").unwrap();
    assert_eq!(dom0.drift(), ["bond51: backend at the next boot"]);
    std::fs::write(dom0.at("/etc/xensource/network.conf"), "bridge\n").unwrap();
    assert_eq!(dom0.drift(), Vec::<String>::new());
    dom0.remove(&format!("{SCRIPTS}/ifcfg-eth3")).remove("/etc/modprobe.d/bond51.conf");
    assert_eq!(
        dom0.drift(),
        [
            "bond51: file /etc/modprobe.d/bond51.conf",
            "bond51: file /etc/sysconfig/network-scripts/ifcfg-eth3",
            "bond51: next boot",
        ]
    );
}

#[test]
fn a_configuration_of_ours_without_a_record_names_the_parts_that_it_has_lost() {
    for flavour in [Flavour::El5, Flavour::El7] {
        let dom0 = Dom0::applied(flavour);
        std::fs::remove_dir_all(dom0.at("/var/lib/xenbond")).unwrap();
        let status = dom0.status();
        assert!(status.ok, "whole, if unknown: {:?}", status.drift);
        assert_eq!((bond(&status, "bond51").ours, status.transaction.is_some()), (true, false));
        dom0.remove(&format!("{SCRIPTS}/ifcfg-eth3"));
        assert_eq!(dom0.drift(), [format!("bond51: file {SCRIPTS}/ifcfg-eth3")]);
        dom0.remove(&format!("{SCRIPTS}/ifcfg-bond51"));
        let mut want = vec![
            format!("bond51: file {SCRIPTS}/ifcfg-bond51"),
            format!("bond51: file {SCRIPTS}/ifcfg-eth3"),
        ];
        assert_eq!(dom0.drift(), want);
        if flavour == Flavour::El7 {
            dom0.remove("/etc/modprobe.d/bond51.conf")
                .remove("/etc/systemd/system/multi-user.target.wants/xenbond-bond51.service");
            want.push("bond51: file /etc/modprobe.d/bond51.conf".into());
            want.push(
                "bond51: file /etc/systemd/system/multi-user.target.wants/xenbond-bond51.service"
                    .into(),
            );
        } else {
            std::fs::write(dom0.at("/etc/modprobe.conf"), "alias eth0 e1000\n").unwrap();
            want.push("bond51: file /etc/modprobe.conf (our block)".into());
        }
        assert_eq!(dom0.drift(), want);
    }
}

#[test]
fn without_xapi_the_kernels_half_is_shown_and_the_rest_is_unknown() {
    let dom0 = Dom0::applied(Flavour::El5);
    dom0.change(|state| state.dom0.xapi = XapiState::Down);
    let status = dom0.status();
    assert!(!status.ok && status.xapi_error.is_some());
    assert_eq!(status.nics.len(), 6);
    assert_eq!(nic(&status, "eth2").managed, None);
    assert_eq!(nic(&status, "eth2").used_by, ["slave of bond51 (active)"]);
    assert!(text(&status).contains("XAPI could not be asked: "), "{}", text(&status));
}

#[test]
fn names_cannot_make_a_terminal_act() {
    let dom0 = Dom0::new(Flavour::El7, Backend::Bridge);
    dom0.change(|state| {
        let vm = state.pool.vms.get_mut("vm-web").unwrap();
        vm.name_label = "\u{1b}[31m".to_string() + &"wide ".repeat(60);
        for network in state.pool.networks.values_mut() {
            network.name_label = "\u{1b}]0;x\u{7}a network with a name of its own".into();
        }
    });
    let status = dom0.status();
    assert!(!text(&status).contains('\u{1b}'), "{}", text(&status));
}
