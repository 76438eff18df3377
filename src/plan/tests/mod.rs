//! Which steps a host needs, from hosts of the built-in pool as they are, as they become when
//! the steps are taken, and as others leave them.

mod live;

use super::*;
use crate::dom0::Dom0;
use crate::inventory::{Ask, resolve};
use crate::model::state::{Backend, Flavour, State};
use crate::service::Init;
use crate::service::Service;
use crate::spec::tests::usual as spec;

const SCRIPTS: &str = "/etc/sysconfig/network-scripts";
const EL5: Flavour = Flavour::El5;
const EL7: Flavour = Flavour::El7;

impl Dom0 {
    fn inventory(&self, spec: &Spec) -> Inventory {
        Inventory::read(&self.host, Ask { nics: &spec.nics, driver: false, ..Ask::default() })
            .unwrap()
    }

    fn plan(&self, spec: &Spec) -> Plan {
        let inv = self.inventory(spec);
        build(spec, &resolve(spec, &inv), &inv, &templates()).unwrap()
    }

    /// Takes all steps of the plan for the spec.
    fn become_as(&self, spec: &Spec) {
        for step in self.plan(spec).steps {
            step.perform(&self.host).unwrap_or_else(|e| panic!("{}: {e:#}", step.title()));
        }
    }

    /// Undoes all steps of a plan.
    fn take_back(&self, plan: &Plan) {
        for step in plan.steps.iter().rev() {
            let undone = step.undo(&self.host, &mut crate::step::Kept::default());
            undone.unwrap_or_else(|e| panic!("{}: {e:#}", step.undo_title()));
        }
    }

    #[track_caller]
    fn needs(&self, spec: &Spec, steps: &[&str]) -> Plan {
        let plan = self.plan(spec);
        assert_eq!(titles(&plan), steps);
        plan
    }
}

fn templates() -> Templates {
    Templates::load(None).unwrap()
}

/// Titles, with the folders of paths left out.
fn titles(plan: &Plan) -> Vec<String> {
    let short = |step: &Step| {
        let title = step.title().replace(&format!("{SCRIPTS}/"), "");
        title.replace("/etc/modprobe.d/", "modprobe.d/")
    };
    plan.steps.iter().map(short).collect()
}

const SWITCH: &str = "switch the network backend from openvswitch to bridge";
const REBOOT: &str = "reboot to start the bridge backend";
const VERIFY: &str = "verify bond51, within 11 s";
const UNIT: &str = "enable xenbond-bond51.service (brings bond51 up at boot)";
const EL7_FILES: [&str; 6] = [
    "create modprobe.d/bond51.conf",
    "create ifcfg-eth2",
    "create ifcfg-eth3",
    "create ifcfg-bond51",
    UNIT,
    "bring up bond51",
];
const PIFS: [&str; 4] = [
    "remove eth2 from XAPI (forget its PIF)",
    "create an unmanaged PIF for eth2 in XAPI",
    "remove eth3 from XAPI (forget its PIF)",
    "create an unmanaged PIF for eth3 in XAPI",
];

/// The free NICs eth4 and eth5 beside eth2 and eth3.
fn without_managed_bond(state: &mut State) {
    state.dom0.bonds.clear();
    state.pool.bonds.clear();
    state.pool.pifs.retain(|key, _| !key.ends_with("/bond0"));
    for nic in ["eth4", "eth5"] {
        let nic = state.dom0.nics.get_mut(nic).unwrap();
        (nic.master, nic.mac) = (None, nic.permanent_mac.clone());
    }
}

#[test]
fn a_host_on_open_vswitch_is_switched_and_rebooted_first() {
    let dom0 = Dom0::new(EL7, Backend::Openvswitch);
    let wanted = [&[SWITCH, REBOOT], &PIFS[..], &EL7_FILES, &[VERIFY]].concat();
    let plan = dom0.needs(&spec(&[]), &wanted);
    assert!(plan.reboots());
    let Step::SwitchBackend(switch) = &plan.steps[0] else { panic!("{:?}", plan.steps[0]) };
    let recorded: Vec<&str> = switch.files.iter().map(|f| f.path.as_str()).collect();
    for path in [
        "/etc/xensource/network.conf",
        "/etc/modprobe.d/blacklist-bridge.conf",
        "/etc/modprobe.d/blacklist-bridge",
        "/etc/sysconfig/network-scripts/ifcfg-lo",
    ] {
        assert!(recorded.contains(&path), "{path} is not among {recorded:?}");
    }
    let absent = switch.files.iter().find(|f| f.path == paths::BLACKLISTS[0]).unwrap();
    assert_eq!(absent.was, Kind::Absent);
    for original in &switch.files {
        assert!(plan.originals().any(|o| o == *original), "{}", original.path);
    }
}

#[test]
fn a_host_on_the_bridge_is_not_rebooted() {
    let wanted = [&PIFS[..], &EL7_FILES, &[VERIFY]].concat();
    let plan = Dom0::new(EL7, Backend::Bridge).needs(&spec(&[]), &wanted);
    assert!(!plan.reboots());
    let numbers: Vec<usize> = plan.steps.iter().map(|s| s.commands().len()).collect();
    assert_eq!(numbers, [2, 1, 2, 1, 0, 0, 0, 0, 2, 1, 0]);
}

#[test]
fn el5_has_its_options_in_modprobe_conf_and_no_unit() {
    let files = [
        "add our lines to /etc/modprobe.conf",
        "create ifcfg-eth2",
        "create ifcfg-eth3",
        "create ifcfg-bond51",
        "bring up bond51",
    ];
    let wanted = [&[SWITCH, REBOOT], &PIFS[..], &files, &[VERIFY]].concat();
    let dom0 = Dom0::new(EL5, Backend::Openvswitch);
    let plan = dom0.needs(&spec(&[]), &wanted);
    let change = plan.steps.iter().find_map(Step::file).unwrap();
    assert_eq!(change.block_of.as_deref(), Some("bond51"));
    let was = change.was.bytes().unwrap();
    assert!(change.want.bytes().unwrap().starts_with(was) && !was.is_empty());
    let Step::SwitchBackend(switch) = &plan.steps[0] else { panic!("{:?}", plan.steps[0]) };
    assert!(switch.files.iter().any(|f| f.path.ends_with("/ifcfg-xenbr0")));
    Dom0::new(EL5, Backend::Bridge).needs(&spec(&[]), &[&PIFS[..], &files, &[VERIFY]].concat());
}

#[test]
fn pifs_are_forgotten_and_introduced_as_unmanaged_where_xapi_can() {
    let forget = [PIFS[0], PIFS[2]];
    for (pif, managed_field, wanted) in [
        ("auto", true, &PIFS[..]),
        ("auto", false, &forget),
        ("forget", true, &forget),
        ("forget", false, &forget),
        ("unmanaged", true, &PIFS),
    ] {
        let dom0 =
            Dom0::altered(EL7, Backend::Bridge, |s| s.dom0.features.xe_managed = managed_field);
        let plan = dom0.needs(&spec(&[("pif", pif)]), &[wanted, &EL7_FILES, &[VERIFY]].concat());
        let lost = plan.cannot_be_undone();
        assert_eq!(lost.len(), wanted.len(), "{lost:?}");
        assert!(lost[0].starts_with("the PIF of eth2 gets another uuid than "), "{lost:?}");
    }
}

#[test]
fn a_nic_without_a_pif_is_introduced_only_when_that_was_asked_for() {
    let gone = |s: &mut State| drop(s.pool.pifs.remove("xen01/eth3"));
    let rest = [&EL7_FILES[..], &[VERIFY]].concat();
    Dom0::altered(EL7, Backend::Bridge, gone).needs(&spec(&[]), &[&PIFS[..2], &rest].concat());
    Dom0::altered(EL7, Backend::Bridge, gone)
        .needs(&spec(&[("pif", "unmanaged")]), &[&PIFS[..2], &PIFS[3..], &rest].concat());
    let unmanaged = |s: &mut State| s.pool.pifs.get_mut("xen01/eth3").unwrap().managed = false;
    Dom0::altered(EL7, Backend::Bridge, unmanaged).needs(&spec(&[]), &[&PIFS[..2], &rest].concat());
}

#[test]
fn what_runs_and_what_is_set_for_the_next_boot_are_two_things() {
    let set = |word: &str, backend| {
        let dom0 = Dom0::new(EL7, backend);
        std::fs::write(dom0.at(paths::NETWORK_CONF), format!("{word}\n")).unwrap();
        let plan = dom0.plan(&spec(&[]));
        titles(&plan).into_iter().filter(|t| t.contains("backend")).collect::<Vec<_>>()
    };
    assert_eq!(set("bridge", Backend::Openvswitch), [REBOOT]);
    assert_eq!(set("openvswitch", Backend::Bridge), [SWITCH]);
    assert!(set("bridge", Backend::Bridge).is_empty());
    let keep = Dom0::new(EL7, Backend::Openvswitch);
    keep.needs(&spec(&[("backend", "keep")]), &[&PIFS[..], &EL7_FILES, &[VERIFY]].concat());
}

#[test]
fn a_host_that_is_as_asked_needs_nothing() {
    for (flavour, more) in [
        (EL5, &[][..]),
        (EL7, &[]),
        (EL7, &[("mode", "4"), ("lacp_rate", "fast")]),
        (EL7, &[("primary", "eth3"), ("mtu", "9000")]),
        (EL7, &[("pif", "forget")]),
        (EL7, &[("pif", "unmanaged")]),
    ] {
        let spec = spec(more);
        let dom0 = Dom0::new(flavour, Backend::Bridge);
        dom0.become_as(&spec);
        let plan = dom0.needs(&spec, &[]);
        assert_eq!(plan.nics.len(), 2, "{flavour:?} {more:?}");
        assert_eq!(plan.originals().count(), 0);
    }
}

#[test]
fn only_what_changed_is_done_again() {
    let spec = spec(&[]);
    let dom0 = Dom0::new(EL7, Backend::Bridge);
    dom0.become_as(&spec);
    let again = |change: &dyn Fn(), steps: &[&str]| {
        change();
        dom0.needs(&spec, steps);
        dom0.become_as(&spec);
        dom0.needs(&spec, &[]);
    };
    let write = |path: &str, text: &str| std::fs::write(dom0.at(path), text).unwrap();
    let remove = |path: &str| std::fs::remove_file(dom0.at(path)).unwrap();
    again(
        &|| write("etc/modprobe.d/bond51.conf", "x\n"),
        &["replace modprobe.d/bond51.conf", VERIFY],
    );
    again(&|| remove("etc/modprobe.d/bond51.conf"), &["create modprobe.d/bond51.conf", VERIFY]);
    again(
        &|| write("etc/sysconfig/network-scripts/ifcfg-eth3", "DEVICE=eth3\n"),
        &["replace ifcfg-eth3", VERIFY],
    );
    again(
        &|| remove("etc/sysconfig/network-scripts/ifcfg-bond51"),
        &["create ifcfg-bond51", VERIFY],
    );
    again(&|| remove(&Service::of_bond(&spec.bond, Init::Systemd).link()), &[UNIT, VERIFY]);
    again(
        &|| write(&Service::of_bond(&spec.bond, Init::Systemd).file(), "[Unit]\n"),
        &[UNIT, VERIFY],
    );
}

#[test]
fn a_file_of_another_mode_is_written_again() {
    use std::os::unix::fs::PermissionsExt;
    let spec = spec(&[]);
    let dom0 = Dom0::new(EL7, Backend::Bridge);
    dom0.become_as(&spec);
    let path = dom0.at("etc/modprobe.d/bond51.conf");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    dom0.needs(&spec, &["replace modprobe.d/bond51.conf", VERIFY]);
}

#[test]
fn a_bond_that_was_taken_down_is_brought_up() {
    let asked = spec(&[]);
    let dom0 = Dom0::new(EL7, Backend::Bridge);
    dom0.become_as(&asked);
    dom0.plan(&asked);
    let bond = asked.bond.clone();
    let device =
        BondDevice { bond, slaves: Vec::new(), mac: None, links: Vec::new(), tuned: Vec::new() };
    Step::TakeDown(device).perform(&dom0.host).unwrap();
    dom0.needs(&asked, &["bring up bond51", VERIFY]);
    let slow = spec(&[("miimon", "200")]);
    let plan = dom0.plan(&slow);
    let changed =
        ["replace modprobe.d/bond51.conf", "replace ifcfg-bond51", "bring up bond51", VERIFY];
    assert_eq!(titles(&plan), changed);
}

#[test]
fn a_slave_that_is_asked_for_no_more_loses_its_file() {
    let dom0 = Dom0::altered(EL7, Backend::Bridge, without_managed_bond);
    dom0.become_as(&spec(&[("nics", "eth2,eth3,eth4")]));
    let fewer = spec(&[("nics", "eth2,eth4")]);
    let out = "remove eth3 from bond51 while it is up";
    let plan = dom0.needs(&fewer, &["remove ifcfg-eth3", out, VERIFY]);
    assert!(plan.scope.nics.iter().any(|n| n.as_str() == "eth3"), "{:?}", plan.scope);
    dom0.become_as(&fewer);
    dom0.needs(&fewer, &[]);
    assert!(!dom0.at("etc/sysconfig/network-scripts/ifcfg-eth3").exists());
    let more = spec(&[("nics", "eth2,eth4,eth5")]);
    dom0.needs(
        &more,
        &[
            "remove eth5 from XAPI (forget its PIF)",
            "create an unmanaged PIF for eth5 in XAPI",
            "create ifcfg-eth5",
            "add eth5 to bond51 while it is up",
            VERIFY,
        ],
    );
    // The bond has the address of its first slave, which goes with that one.
    let others = spec(&[("nics", "eth4,eth5")]);
    dom0.become_as(&more);
    dom0.needs(&others, &["bring bond51 down", "remove ifcfg-eth2", "bring up bond51", VERIFY]);
}

#[test]
fn a_change_of_one_tag_leaves_the_bond_and_the_others_alone() {
    let vlans = |file: &str| -> Spec {
        let text = format!(
            "[bond]\nname=bond51\nnics=eth2,eth3\nmtu=9000\naddress=172.16.51.11/24\n{file}"
        );
        let mut raw = crate::spec::Raw::default();
        raw.file("spec", &text).unwrap();
        raw.finish().unwrap().for_host(&[]).unwrap()
    };
    let two = vlans("vlan=51\n[vlan 52]\naddress=172.16.52.11/24\n");
    let dom0 = Dom0::new(EL7, Backend::Bridge);
    let steps = titles(&dom0.plan(&two));
    let files = ["create ifcfg-bond51", "create ifcfg-bond51.51", "create ifcfg-bond51.52"];
    assert_eq!(steps[7..10], files);
    assert_eq!(
        steps[11..],
        ["bring up bond51", "bring up bond51.51", "bring up bond51.52", VERIFY]
    );
    dom0.become_as(&two);
    dom0.needs(&two, &[]);
    let small = vlans("vlan=51\n[vlan 52]\naddress=172.16.52.11/24\nmtu=1500\n");
    let down = "bring bond51.52 down";
    let up = "bring up bond51.52";
    let mtu = "set the MTU of bond51.52 to 1500 while it is up";
    dom0.needs(&small, &["replace ifcfg-bond51.52", mtu, VERIFY]);
    dom0.become_as(&small);
    dom0.needs(&small, &[]);
    // The tag that somebody has taken down alone, and the one that goes alone.
    dom0.change(|state| state.dom0.drop_device("bond51.52"));
    dom0.needs(&small, &[up, VERIFY]);
    dom0.become_as(&small);
    dom0.change(|state| state.dom0.set_up("bond51.51", false));
    dom0.needs(&small, &["bring bond51.51 down", "bring up bond51.51", VERIFY]);
    dom0.become_as(&small);
    let one = vlans("vlan=51\n");
    let plan = dom0.needs(&one, &[down, "remove ifcfg-bond51.52", UNIT, VERIFY]);
    assert_eq!(plan.scope.vlans.len(), 2, "{:?}", plan.scope);
    let routed = vlans("vlan=51\nroutes=10.99.0.0/16 via 172.16.51.1\n");
    dom0.become_as(&one);
    let route = "set the route to 10.99.0.0/16 by bond51.51 while it is up";
    dom0.needs(&routed, &["create route-bond51.51", route, VERIFY]);
    dom0.become_as(&routed);
    dom0.needs(&routed, &[]);
    dom0.change(|state| state.dom0.routes.retain(|_, route| route.via.is_none()));
    dom0.needs(&routed, &[route, VERIFY]);
    dom0.become_as(&routed);
    // A bond that is made anew takes its tags along, and those before it.
    let gone = ["remove ifcfg-bond51.51", "remove route-bond51.51"];
    let files = ["replace ifcfg-bond51", UNIT];
    let down = ["bring bond51.51 down", "bring bond51 down"];
    let conf = ["replace modprobe.d/bond51.conf"];
    let address = "set the address of bond51 to 172.16.51.11/24 while it is up";
    for (file, steps) in [
        ("", [&down[..1], &gone, &files, &[address, VERIFY]].concat()),
        (
            "mode=balance-xor\n",
            [&down[..], &gone, &conf, &files, &["bring up bond51", VERIFY]].concat(),
        ),
    ] {
        let plain = vlans(file);
        let plan = dom0.needs(&plain, &steps);
        for step in &plan.steps[..plan.steps.len() - 1] {
            step.perform(&dom0.host).unwrap();
        }
        assert!(!dom0.at("sys/class/net/bond51.51").exists());
        dom0.needs(&plain, &[]);
        dom0.take_back(&plan);
        dom0.needs(&routed, &[]);
    }
}

#[test]
fn files_of_others_are_no_slaves_of_ours() {
    let dom0 = Dom0::new(EL7, Backend::Bridge);
    std::fs::write(dom0.at(&format!("{SCRIPTS}/ifcfg-eth5")), "DEVICE=eth5\nMASTER=bond51\n")
        .unwrap();
    dom0.needs(&spec(&[]), &[&PIFS[..], &EL7_FILES, &[VERIFY]].concat());
}

#[test]
fn every_step_says_what_it_does_and_how_it_is_undone() {
    for dom0 in [Dom0::new(EL5, Backend::Openvswitch), Dom0::new(EL7, Backend::Openvswitch)] {
        for step in dom0.plan(&spec(&[])).steps {
            for sentence in [step.title(), step.undo_title()] {
                assert!(sentence.starts_with(|c: char| c.is_ascii_lowercase()), "{sentence}");
                assert!(!sentence.ends_with('.') && !sentence.contains('\n'), "{sentence}");
            }
            assert!(step.commands().iter().all(|c| c.changes), "{}", step.title());
        }
    }
}

#[test]
fn the_scope_has_all_that_the_steps_touch() {
    let plan = Dom0::new(EL7, Backend::Openvswitch).plan(&spec(&[]));
    let scope = &plan.scope;
    assert_eq!(scope.bond.as_str(), "bond51");
    assert_eq!(scope.nics.iter().map(IfName::as_str).collect::<Vec<_>>(), ["eth2", "eth3"]);
    assert_eq!(scope.subnet.unwrap().to_string(), "172.16.51.0/24");
    for step in &plan.steps {
        assert!(step.file().is_none_or(|f| scope.paths.contains(&f.path)), "{}", step.title());
    }
    for path in
        [paths::NETWORK_CONF.to_string(), Service::of_bond(&plan.spec.bond, Init::Systemd).link()]
    {
        assert!(scope.paths.contains(&path), "{path}");
    }
    assert!(scope.paths.is_sorted() && scope.nics.is_sorted());
}

#[test]
fn a_plan_reads_back_from_json() {
    for (flavour, backend, more) in [
        (EL5, Backend::Openvswitch, &[][..]),
        (EL7, Backend::Openvswitch, &[("nics", "00:1b:21:0a:01:02,eth3"), ("mtu", "9000")]),
        (
            EL7,
            Backend::Bridge,
            &[("pif", "forget"), ("primary", "eth2"), ("probes", "172.16.51.2:2049")],
        ),
    ] {
        let dom0 = Dom0::new(flavour, backend);
        std::fs::write(dom0.at(&format!("{SCRIPTS}/ifcfg-eth3")), b"DEVICE=eth3\n\xff\n").unwrap();
        let plan = dom0.plan(&spec(more));
        let json = serde_json::to_string(&plan).unwrap();
        assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), plan);
    }
}

#[test]
fn a_nic_that_is_not_there_makes_no_plan() {
    let dom0 = Dom0::new(EL7, Backend::Bridge);
    let spec = spec(&[("nics", "eth2,eth9")]);
    let inv = dom0.inventory(&spec);
    let error = build(&spec, &resolve(&spec, &inv), &inv, &templates()).unwrap_err().to_string();
    assert_eq!(error, "not every NIC of the spec is on this host");
}

#[test]
fn the_facts_of_a_plan_move_when_what_it_rests_on_does() {
    let spec = spec(&[]);
    let dom0 = Dom0::new(EL7, Backend::Bridge);
    let plan = dom0.plan(&spec);
    let before = plan.facts(&dom0.inventory(&spec));
    assert_eq!(plan.facts(&dom0.inventory(&spec)), before);
    std::fs::write(dom0.at(&format!("{SCRIPTS}/ifcfg-eth3")), "DEVICE=eth3\n").unwrap();
    let now = plan.facts(&dom0.inventory(&spec));
    let named: Vec<String> =
        facts::differences(&before, &now).iter().map(|d| d.fact.to_string()).collect();
    assert_eq!(named, [format!("file {SCRIPTS}/ifcfg-eth3")]);
}
