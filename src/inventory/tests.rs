//! What is concluded from what was read: backend, names, services, programs.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::dom0::Dom0;
use crate::host::{OsClock, Output, Runner, Status};
use crate::model::state::{Backend, Flavour, State, Xapi as XapiState};
use crate::net;

/// What is read of a host of the built-in pool.
fn read(flavour: Flavour, backend: Backend, alter: impl FnOnce(&mut State, &Path)) -> Inventory {
    let dom0 = Dom0::new(flavour, backend);
    dom0.change(|state| alter(state, dom0.root()));
    Inventory::read(&dom0.host, Ask { nics: &[], driver: true, ..Ask::default() }).unwrap()
}

fn healthy() -> Inventory {
    read(Flavour::El7, Backend::Bridge, |_, _| {})
}

fn me(inv: &mut Inventory) -> &mut crate::xe::PoolHost {
    let uuid = inv.host_uuid().unwrap();
    inv.xapi.as_mut().unwrap().hosts.iter_mut().find(|h| h.uuid == uuid).unwrap()
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(k, v)| ((*k).to_string(), (*v).to_string())).collect()
}

#[test]
fn a_host_is_read_with_its_features() {
    for (flavour, init, service, conf) in
        [(Flavour::El5, Init::Sysv, true, true), (Flavour::El7, Init::Systemd, false, false)]
    {
        for backend in [Backend::Bridge, Backend::Openvswitch] {
            let inv = read(flavour, backend, |_, _| {});
            assert!(inv.may_change, "a root of its own is anybody's");
            assert_eq!((inv.init, inv.network_service), (init, service), "{flavour:?}");
            assert_eq!(inv.reads_modprobe_conf(), conf, "{flavour:?}");
            assert_eq!(inv.network_conf, Some(backend.word().into()));
            assert_eq!(inv.running_backend(), Some(backend.word().into()));
            assert_eq!((inv.driver_has_slb, inv.xapi_error.as_deref()), (Some(true), None));
            assert_eq!(inv.management_bridge(), Some("xenbr0"));
            assert_eq!(inv.names(), ["xen01"]);
            assert_eq!(inv.xapi.as_ref().unwrap().hosts.len(), 3);
            assert!(inv.transaction.is_none());
            assert_eq!(*inv.file("/etc/no-such-file"), Kind::Absent);
            assert!(inv.file("/etc/sysconfig/network-scripts/ifcfg-lo").bytes().is_some());
        }
    }
}

#[test]
fn xapi_is_asked_each_list_once_and_no_command_of_another_kind() {
    let dom0 = Dom0::new(Flavour::El7, Backend::Openvswitch);
    Inventory::read(
        &dom0.host,
        Ask { nics: &["eth3".parse().unwrap()], driver: false, ..Ask::default() },
    )
    .unwrap();
    let ran = dom0.model.state().dom0.transcript;
    let mut asked: Vec<&str> =
        ran.iter().filter_map(|r| r.command.strip_prefix("xe ")?.split(' ').next()).collect();
    asked.sort_unstable();
    // Two of PIFs: what people write is asked for apart, so that it forges nothing.
    let want = [
        "bond-list",
        "cluster-host-list",
        "host-list",
        "network-list",
        "pbd-list",
        "pif-list",
        "pif-list",
        "pool-list",
        "vif-list",
        "vm-list",
    ];
    assert_eq!(asked, want);
}

#[test]
fn the_wire_is_asked_where_xapi_says_that_the_nics_are_heard() {
    let other = |state: &mut State| {
        let network = state.pool.networks.values_mut().find(|n| n.bridge == "xenbr2").unwrap();
        network.bridge = "xapi7".into();
        let device = state.dom0.devices.remove("xenbr2").unwrap();
        state.dom0.devices.insert("xapi7".into(), device);
    };
    let usual: fn(&mut State) = |_| {};
    for (backend, alter, want) in [
        (Backend::Bridge, usual, &["xenbr2", "xenbr3"][..]),
        (Backend::Openvswitch, usual, &["xenbr2", "xenbr3"]),
        (Backend::Openvswitch, other, &["xapi7", "xenbr3"]),
    ] {
        let dom0 = Dom0::new(Flavour::El7, backend);
        dom0.change(alter);
        let request = Request::of(crate::spec::tests::usual(&[]));
        Inventory::read(&dom0.host, Ask { request: Some(&request), ..Ask::default() }).unwrap();
        let ran = dom0.model.state().dom0.transcript;
        let asked = ran.iter().filter_map(|r| r.command.strip_prefix("arping ")?.split(' ').nth(6));
        let mut asked: Vec<&str> = asked.collect();
        asked.sort_unstable();
        assert_eq!(asked, want, "{backend:?}");
    }
}

#[test]
fn an_inventory_reads_back_from_json() {
    let inv = healthy();
    let json = inv.to_document().unwrap();
    let again = Inventory::of_document(json.to_string().as_bytes()).unwrap();
    assert_eq!(again.to_document().unwrap(), json);
}

#[test]
fn the_running_backend_is_the_kernels_and_not_the_word_that_xapi_read_last() {
    let ovs = || read(Flavour::El7, Backend::Openvswitch, |_, _| {});
    // The word was changed and the toolstack restarted, but not the host.
    let mut restarted = ovs();
    me(&mut restarted).backend = net::Backend::Bridge;
    restarted.network_conf = Some(net::Backend::Bridge);
    assert_eq!(restarted.running_backend(), Some(net::Backend::Openvswitch));
    // The same on a host that was rebooted.
    let mut rebooted = healthy();
    assert_eq!(rebooted.running_backend(), Some(net::Backend::Bridge));
    rebooted.kernel.modules.insert("openvswitch".into());
    assert_eq!(
        rebooted.running_backend(),
        Some(net::Backend::Bridge),
        "a module alone runs nothing"
    );
    let mut unknown = ovs();
    unknown.xapi.as_mut().unwrap().hosts.clear();
    assert_eq!(unknown.running_backend(), None);
    unknown.xapi = None;
    assert_eq!(unknown.running_backend(), None);
    let mut no_dom0 = ovs();
    no_dom0.xensource = None;
    assert_eq!(no_dom0.running_backend(), None);
}

#[test]
fn the_kernel_is_believed_in_either_direction() {
    let mut restarted = healthy();
    me(&mut restarted).backend = net::Backend::Openvswitch;
    assert_eq!(restarted.running_backend(), Some(net::Backend::Bridge));
}

#[test]
fn a_host_goes_by_its_hostname_and_by_a_name_label_of_its_own() {
    let named = |hostname: &str, xapi: &str, label: &str, other: &str| {
        let mut inv = healthy();
        inv.kernel.hostname = Some(hostname.into()).filter(|h: &String| !h.is_empty());
        me(&mut inv).hostname = xapi.into();
        let uuid = inv.host_uuid().unwrap();
        for host in &mut inv.xapi.as_mut().unwrap().hosts {
            host.name_label = if host.uuid == uuid { label } else { other }.into();
        }
        inv.names()
    };
    assert_eq!(named("xen01", "xen01", "xen01", "x"), ["xen01"]);
    assert_eq!(named("xen01", "xen01", "Rack 7", "x"), ["xen01", "Rack 7"]);
    assert_eq!(
        named("xen01", "xen01", "same", "same"),
        ["xen01"],
        "others have that name-label too"
    );
    assert_eq!(named("xen01.example", "old", "x", "y"), ["xen01.example", "old", "x", "xen01"]);
    assert_eq!(named("xen01.a", "xen01.b", "xen01", "y"), ["xen01.a", "xen01.b", "xen01"]);
    assert_eq!(named("", "", "", "y"), Vec::<String>::new());
    let mut alone = healthy();
    alone.xapi = None;
    assert_eq!(alone.names(), ["xen01"]);
}

#[test]
fn the_hosts_inventory_file_is_read_like_a_shell_would() {
    for (text, want) in [
        ("A='b'\n", &[("A", "b")][..]),
        ("A='b'\nA='c'\n", &[("A", "c")]),
        ("A=b\nB=\nC=''\n", &[("A", "b"), ("B", ""), ("C", "")]),
        ("A='b=c'\n", &[("A", "b=c")]),
        ("A = 'b'\r\n", &[("A", "b")]),
        ("nothing\n\n# c\n", &[]),
        ("A='2024-03-05 09:12:44'", &[("A", "2024-03-05 09:12:44")]),
        ("A='b\nB=c'\n", &[("A", "'b"), ("B", "c'")]),
        ("A='", &[("A", "'")]),
        ("", &[]),
    ] {
        assert_eq!(parse_xensource(text), map(want), "{text:?}");
    }
}

#[test]
fn a_uuid_that_is_none_makes_no_host() {
    let bad = read(Flavour::El7, Backend::Bridge, |_, root| {
        std::fs::write(root.join("etc/xensource-inventory"), "INSTALLATION_UUID='x'\n").unwrap();
    });
    assert_eq!(bad.host_uuid(), None);
    assert_eq!(bad.management_bridge(), None);
    assert!(
        bad.xapi_error.as_ref().unwrap().contains("has no INSTALLATION_UUID"),
        "{:?}",
        bad.xapi_error
    );
    let mut unset = healthy();
    unset.xensource.as_mut().unwrap().insert("MANAGEMENT_INTERFACE".into(), String::new());
    assert_eq!(unset.management_bridge(), None);
}

#[test]
fn what_xapi_does_not_answer_is_in_the_value() {
    for state in [XapiState::Down, XapiState::Starting] {
        let inv = read(Flavour::El7, Backend::Bridge, |s, _| s.dom0.xapi = state);
        assert!(inv.xapi.is_none());
        let error = inv.xapi_error.as_deref().unwrap();
        assert!(error.starts_with("running `xe ") && !error.is_empty(), "{error}");
        assert!(!inv.kernel.devices.is_empty() && inv.network_conf.is_some());
    }
}

#[test]
fn only_files_that_a_step_may_touch_are_read() {
    let inv = read(Flavour::El5, Backend::Bridge, |_, root| {
        let scripts = root.join("etc/sysconfig/network-scripts");
        for name in
            ["route-bond51", "rule-bond51", "ifcfg-eth2.save", "keys-eth2", ".ifcfg-eth3.xenbond"]
        {
            std::fs::write(scripts.join(name), "x").unwrap();
        }
    });
    let names: Vec<&str> = inv
        .files
        .keys()
        .filter_map(|p| p.strip_prefix("/etc/sysconfig/network-scripts/"))
        .collect();
    assert_eq!(
        names,
        [
            "ifcfg-eth0",
            "ifcfg-eth2.save",
            "ifcfg-lo",
            "ifcfg-xenbr0",
            "route-bond51",
            "rule-bond51"
        ]
    );
    for path in [paths::MODPROBE_CONF, paths::NETWORK_CONF, "/etc/modprobe.d/modprobe.conf.dist"] {
        assert!(inv.files.contains_key(path), "{path}");
    }
}

/// A host on which every command says the same.
struct Says(Status, &'static str);

impl Runner for Says {
    fn run(&self, _: &Cmd) -> Result<Output> {
        Ok(Output { status: self.0, stdout: Vec::from(self.1), stderr: Vec::new() })
    }

    fn own_program(&self) -> Result<Vec<u8>> {
        anyhow::bail!("it has no file")
    }

    fn detach(&self, path: &str, _: &[&str], _: &str) -> Result<()> {
        anyhow::bail!("{path} cannot be started")
    }
}

fn saying(status: Status, text: &'static str, programs: &[&str]) -> (tempfile::TempDir, Host) {
    let root = crate::model::scratch().unwrap();
    std::fs::create_dir(root.path().join("sbin")).unwrap();
    for program in programs {
        let path = root.path().join("sbin").join(program);
        std::fs::write(&path, "#!/bin/false\n").unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let host = Host::new(root.path(), Arc::new(Says(status, text)), Arc::new(OsClock::default()));
    (root, host)
}

#[test]
fn the_network_service_is_what_chkconfig_says_of_runlevel_three() {
    let ok = Status::Exited(0);
    for (status, text, on) in [
        (ok, "network        \t0:off\t1:off\t2:on\t3:on\t4:on\t5:on\t6:off\n", Some(true)),
        (ok, "network        \t0:off\t1:off\t2:on\t3:off\t4:on\t5:on\t6:off\n", Some(false)),
        (
            ok,
            "\nNote: This output shows SysV services only 3:on\n\nnetwork 0:off 1:off 2:off 3:off\n",
            Some(false),
        ),
        (ok, "network-late \t3:on\nnetwork\t3:off\n", Some(false)),
        (ok, "netconsole \t3:on\n", None),
        (ok, "network on\n", None),
        (ok, "", None),
        (Status::Exited(1), "network \t3:on\n", None),
        (Status::TimedOut, "network \t3:on\n", None),
    ] {
        let (_root, host) = saying(status, text, &["chkconfig"]);
        assert_eq!(network_service(&host, &host.programs()), on, "{text:?}");
    }
    let (_root, host) = saying(ok, "network 3:on\n", &[]);
    assert_eq!(network_service(&host, &host.programs()), None, "there is nothing to ask");
}

#[test]
fn the_init_is_told_by_what_runs_and_not_by_what_is_installed() {
    for (programs, folder, init) in [
        (&["chkconfig"][..], false, Init::Sysv),
        (&["chkconfig", "systemctl"], false, Init::Sysv),
        (&["chkconfig", "systemctl"], true, Init::Systemd),
        (&["systemctl"], false, Init::Systemd),
        (&[], false, Init::Sysv),
    ] {
        let (root, host) = saying(Status::Exited(1), "", programs);
        if folder {
            std::fs::create_dir_all(root.path().join("run/systemd/system")).unwrap();
        }
        let inv = Inventory::read(&host, Ask::default()).unwrap();
        assert_eq!(inv.init, init, "{programs:?} {folder}");
        assert_eq!(inv.network_service, init == Init::Sysv, "what cannot be asked is as released");
        assert!(inv.xensource.is_none() && inv.xapi.is_none() && inv.driver_has_slb.is_none());
        assert!(inv.xapi_error.as_ref().unwrap().contains("there is no `xe` here"));
    }
}

#[test]
fn the_driver_is_asked_for_mode_seven() {
    assert_eq!(healthy().driver_has_slb, Some(true));
    let ok = Status::Exited(0);
    for (status, text, has) in [
        (ok, "parm: mode:0 for balance-rr, 7 for balance-slb (charp)\n", Some(true)),
        (ok, "/nowhere/bonding.ko\n", None),
        (Status::Exited(1), "balance-slb", None),
    ] {
        let (_root, host) = saying(status, text, &["modinfo"]);
        assert_eq!(Driver::read(&host).and_then(|d| d.has_slb), has, "{text:?}");
    }
    let (root, host) = saying(ok, "/bonding.ko\n", &["modinfo"]);
    for (module, has) in
        [(&b"\x7fELF\0balance-alb\0balance-slb\0"[..], true), (b"\x7fELF\0balance-alb\0", false)]
    {
        std::fs::write(root.path().join("bonding.ko"), module).unwrap();
        assert_eq!(Driver::read(&host).unwrap().has_slb, Some(has));
    }
}

#[test]
fn the_driver_says_what_it_knows_by_its_files_its_parameters_or_its_module() {
    let said = "filename: /bonding.ko\nversion:        3.7.1\nvermagic:       4.19.0+1 SMP\n\
        parm:           lp_interval:text (uint)\nparm:           miimon:text (int)\n";
    let (root, host) = saying(Status::Exited(0), said, &["modinfo"]);
    let know = |names: &[&str]| -> Vec<Option<bool>> {
        let driver = Driver::read(&host).unwrap();
        assert_eq!(driver.to_string(), "v3.7.1 of kernel 4.19.0+1");
        names.iter().map(|name| driver.knows.get(*name).copied()).collect()
    };
    let names =
        ["lp_interval", "arp_all_targets", "ad_actor_system", "xmit_hash_policy=vlan+srcmac"];
    assert_eq!(know(&names), [Some(true), Some(false), None, None], "no module to read");
    // `modinfo -n` says the whole text here, so that is the file's name.
    let module = root.path().join(said.trim());
    std::fs::create_dir_all(module.parent().unwrap()).unwrap();
    std::fs::write(&module, b"\xfd7zXZ\0ad_actor_system\0").unwrap();
    assert_eq!(know(&names)[2], None, "what is compressed says nothing");
    std::fs::write(&module, b"\x7fELF\0ad_actor_system\0vlan+srcmacs\0").unwrap();
    assert_eq!(know(&names), [Some(true), Some(false), Some(true), Some(false)]);
    for path in ["proc/net/bonding", "sys/class/net/bond0/bonding"] {
        std::fs::create_dir_all(root.path().join(path)).unwrap();
    }
    std::fs::write(root.path().join("proc/net/bonding/bond0"), "").unwrap();
    std::fs::write(root.path().join("sys/class/net/bond0/bonding/arp_all_targets"), "").unwrap();
    assert_eq!(know(&names), [Some(false), Some(true), Some(false), Some(false)]);
}

#[test]
fn a_speed_that_an_old_kernel_does_not_know_is_none() {
    let folder = crate::model::scratch().unwrap();
    let nic = folder.path().join("sys/class/net/eth2");
    std::fs::create_dir_all(&nic).unwrap();
    std::fs::write(nic.join("address"), "00:1b:21:0a:01:02\n").unwrap();
    for (text, want) in [("4294967295\n", None), ("-1\n", None), ("10000\n", Some(10_000))] {
        std::fs::write(nic.join("speed"), text).unwrap();
        let kernel = Kernel::read(&Host::of_machine(folder.path())).unwrap();
        assert_eq!(kernel.devices["eth2"].speed, want, "{text}");
    }
}
