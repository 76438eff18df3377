//! `xe`.

use super::{BOTH, Dom0};
use crate::model::state::{Backend, Flavour, How, Lie, Vm, Xapi};

fn host() -> Dom0 {
    Dom0::new(Flavour::El7, Backend::Bridge)
}

#[test]
fn prints_records_as_the_real_printer_does() {
    let dom0 = host();
    let uuid = dom0.pif("eth2");
    let text = dom0.ok(&format!("xe pif-list uuid={uuid} params=MAC,device,bond-slave-of,bond-master-of,nonsense,other-config,disallow-unplug"));
    assert_eq!(
        text,
        "device ( RO)             : eth2\n                MAC ( RO): 00:1b:21:0a:01:02\n     bond-master-of ( RO): \n      bond-slave-of ( RO): <not in database>\n    disallow-unplug ( RW): false\n       other-config (MRW): ethtool-gro: off\n\n\n"
    );
    // The literal sample of tests/ground/xapi.md, A6, with this pool's values.
    let me = dom0.model.state().pool.hosts["xen01"].uuid.clone();
    assert_eq!(
        dom0.ok("xe host-list name-label=xen01"),
        format!(
            "uuid ( RO)                : {me}\n          name-label ( RW): xen01\n    name-description ( RW): Default install\n\n\n"
        )
    );
}

#[test]
fn minimal_prints_the_first_field_in_record_order() {
    let dom0 = host();
    let uuid = dom0.pif("eth2");
    assert_eq!(dom0.ok(&format!("xe pif-list uuid={uuid} params=MAC,device --minimal")), "eth2\n");
    assert_eq!(dom0.ok("xe pif-list device=eth9 --minimal"), "\n");
    assert_eq!(dom0.ok("xe pif-list device=eth9"), "");
    assert_eq!(
        dom0.ok("xe pif-list device=eth2 device=eth9 physical=true --minimal").matches(',').count(),
        2
    );
}

#[test]
fn a_vlan_pif_has_its_nics_device() {
    let dom0 = host();
    assert_eq!(
        dom0.ok("xe pif-list device=eth1 host-name-label=xen01 params=VLAN --minimal")
            .matches(',')
            .count(),
        2
    );
}

#[test]
fn an_unknown_filter_is_an_error_only_when_a_record_is_left() {
    let dom0 = Dom0::altered(Flavour::El5, Backend::Bridge, |s| s.dom0.features.xe_managed = false);
    let err = dom0.bad("xe pif-list managed=true");
    assert_eq!(err, "Error: Unknown field 'managed'\n");
    assert_eq!(dom0.ok("xe pif-list device=eth9 managed=true"), "");
    assert!(!dom0.ok("xe pif-list params=all").contains("managed"));
    assert!(!dom0.ok("xe help pif-introduce").contains("managed"));
}

#[test]
fn arguments_are_split_at_line_ends_and_the_first_of_a_repeated_key_counts() {
    let dom0 = host();
    let (two, three) = (dom0.pif("eth2"), dom0.pif("eth3"));
    dom0.ok(&format!("xe pif-forget uuid={two} uuid={three}"));
    assert_eq!((dom0.pif("eth2").as_str(), dom0.pif("eth3")), ("", three.clone()));
    let _ = dom0.model.execute(
        "xe",
        &[
            "pif-param-set".into(),
            format!("uuid={three}"),
            "other-config:a=b\ndisallow-unplug=true".into(),
        ],
    );
    assert!(dom0.model.state().pool.pifs["xen01/eth3"].disallow_unplug);
}

#[test]
fn errors_have_the_words_and_the_status_of_the_real_ones() {
    let dom0 = host();
    let me = dom0.model.state().pool.hosts["xen01"].uuid.clone();
    let (eth0, eth1, eth2, eth4) =
        (dom0.pif("eth0"), dom0.pif("eth1"), dom0.pif("eth2"), dom0.pif("eth4"));
    let cases = [
        ("xe pif-forget".to_string(), "Required parameter not found: uuid\nFor usage run: 'xe help'\n".to_string()),
        ("xe pif-bend".to_string(), "Unknown command: pif-bend\nFor usage run: 'xe help'\n".to_string()),
        ("xe pif-list oops".to_string(), "Error: Unknown field 'oops'\n".to_string()),
        ("xe pif-forget uuid=x".to_string(), "The uuid you supplied was invalid.\ntype: PIF\nuuid: x\n".to_string()),
        (format!("xe pif-forget uuid={eth4}"), format!("This operation cannot be performed because the pif is bonded.\nPIF: {eth4}\n")),
        (format!("xe pif-forget uuid={eth1}"), format!("Operation cannot proceed while a VLAN exists on this interface.\nPIF: {eth1}\n")),
        (format!("xe pif-forget uuid={eth0}"), format!("The operation you requested cannot be performed because the specified PIF is the management interface.\nPIF: {eth0}\n")),
        (format!("xe pif-introduce host-uuid={me} device=eth2"), "A PIF with this specified device name already exists.\ndevice: eth2\n".to_string()),
        (format!("xe pif-introduce host-uuid={me} device=eth9 mac=00:1b:21:0a:01:99"), "Could not find a network interface with the specified device name and MAC address.\ndevice: eth9\nmac: 00:1b:21:0a:01:99\n".to_string()),
        (format!("xe pif-introduce host-uuid={me} device=eth2 mac=zz"), "The MAC address specified is not valid.\nMAC: zz\n".to_string()),
        (format!("xe pif-reconfigure-ip uuid={eth2} mode=auto"), "Error: Expected 'dhcp','none' or 'static', got auto\n".to_string()),
        (format!("xe pif-param-set uuid={eth2} disallow-unplug=yes"), "Error: Failed to parse parameter 'disallow-unplug': expecting a boolean (true or false)\n".to_string()),
        (format!("xe pif-plug uuid={eth4}"), format!("This PIF is a bond slave and cannot be plugged.\nPIF: {eth4}\n")),
    ];
    for (line, want) in cases {
        assert_eq!(dom0.bad(&line), want, "{line}");
    }
    let err =
        dom0.bad(&format!("xe pif-param-get uuid={eth2} param-name=other-config param-key=nope"));
    assert_eq!(err, "Error: Key nope not found in map\n");
    assert!(
        dom0.bad(&format!("xe pif-unplug uuid={eth1}"))
            .starts_with("Network has active VIFs\nnetwork: ")
    );
}

#[test]
fn forgetting_an_old_masters_management_pif_is_let_through() {
    let dom0 = Dom0::altered(Flavour::El5, Backend::Bridge, |s| s.dom0.features.xe_managed = false);
    dom0.ok(&format!("xe pif-forget uuid={}", dom0.pif("eth0")));
    assert!(!dom0.read("proc/net/route").contains("xenbr0"), "the host is cut off");
}

#[test]
fn ha_and_redo_log_protect_attached_pifs_only() {
    let dom0 = host();
    let eth2 = dom0.pif("eth2");
    dom0.model.change(|s| s.pool.ha_enabled = true);
    assert!(dom0.bad(&format!("xe pif-forget uuid={eth2}")).contains("HA is enabled on the Pool"));
    dom0.model.change(|s| (s.pool.ha_enabled, s.pool.redo_log_enabled) = (false, true));
    assert!(dom0.bad(&format!("xe pif-forget uuid={eth2}")).contains("redo log is enabled"));
    dom0.model
        .change(|s| s.pool.pifs.get_mut("xen01/eth2").expect("there").currently_attached = false);
    dom0.ok(&format!("xe pif-forget uuid={eth2}"));
}

#[test]
fn xapi_down_starting_or_without_master_refuses_everything() {
    let dom0 = host();
    dom0.model.change(|s| s.dom0.xapi = Xapi::Down);
    assert_eq!(dom0.bad("xe host-list"), "Error: Connection refused (calling connect )\n");
    let (status, out, err) = dom0.run("xe");
    assert_eq!((status, out.as_str()), (0, ""), "usage needs no server, and is no output");
    assert!(err.starts_with("Usage"));
    dom0.model.change(|s| s.dom0.xapi = Xapi::Starting);
    assert_eq!(
        dom0.bad("xe host-list"),
        "The host toolstack is still initialising. Please wait.\n"
    );
    dom0.model.change(|s| {
        s.dom0.xapi = Xapi::Up;
        s.pool.master = "xen02".into();
        s.pool.hosts.get_mut("xen02").expect("there").live = false;
    });
    assert_eq!(dom0.bad("xe host-list"), "Lost connection to the server.\n");
}

#[test]
fn forget_frees_the_nic_even_with_disallow_unplug_and_introduce_loses_everything() {
    for flavour in BOTH {
        let dom0 = Dom0::new(flavour, Backend::Bridge);
        let old = dom0.pif("eth2");
        let network = dom0.ok(&format!("xe pif-param-get uuid={old} param-name=network-uuid"));
        assert_eq!(dom0.read("sys/class/net/eth2/brport/state"), "3\n");
        dom0.ok(&format!("xe pif-param-set uuid={old} disallow-unplug=true"));
        dom0.ok(&format!("xe pif-forget uuid={old}"));
        assert!(!dom0.exists("sys/class/net/eth2/brport") && !dom0.exists("sys/class/net/xenbr2"));
        assert_eq!(dom0.sysfs("eth2/operstate"), "down");
        let me = dom0.model.state().pool.hosts["xen01"].uuid.clone();
        let new =
            dom0.ok(&format!("xe pif-introduce host-uuid={me} device=eth2 MAC=zz managed=true"));
        let new = new.trim();
        assert_ne!(new, old);
        assert_eq!(
            dom0.ok(&format!("xe pif-param-get uuid={new} param-name=network-uuid")),
            network
        );
        assert_eq!(dom0.ok(&format!("xe pif-param-get uuid={new} param-name=other-config")), "\n");
        let pif = dom0.model.state().pool.pifs["xen01/eth2"].clone();
        assert!(!pif.currently_attached && !pif.disallow_unplug);
        dom0.ok(&format!("xe pif-plug uuid={new}"));
        assert_eq!(dom0.sysfs("eth2/operstate"), "up");
    }
}

#[test]
fn introduce_makes_a_network_unless_exactly_one_has_the_bridge() {
    let dom0 = host();
    dom0.ok(&format!("xe pif-forget uuid={}", dom0.pif("eth2")));
    dom0.model.change(|s| {
        let mut twin = s.pool.networks["xenbr2"].clone();
        twin.uuid = s.new_uuid();
        s.pool.networks.insert("twin".into(), twin);
    });
    let me = dom0.model.state().pool.hosts["xen01"].uuid.clone();
    dom0.ok(&format!("xe pif-introduce host-uuid={me} device=eth2"));
    assert_eq!(dom0.model.state().pool.pifs["xen01/eth2"].network, "xenbr2-2");
}

#[test]
fn an_old_xe_takes_managed_false_for_nothing_and_a_scan_readopts_but_not_the_unmanaged() {
    let dom0 = Dom0::altered(Flavour::El5, Backend::Bridge, |s| s.dom0.features.xe_managed = false);
    let me = dom0.model.state().pool.hosts["xen01"].uuid.clone();
    dom0.ok(&format!("xe pif-forget uuid={}", dom0.pif("eth2")));
    dom0.ok(&format!("xe pif-introduce host-uuid={me} device=eth2 managed=false"));
    assert!(dom0.model.state().pool.pifs["xen01/eth2"].managed);

    let dom0 = host();
    let me = dom0.model.state().pool.hosts["xen01"].uuid.clone();
    for nic in ["eth2", "eth3"] {
        dom0.ok(&format!("xe pif-forget uuid={}", dom0.pif(nic)));
    }
    let new = dom0.ok(&format!("xe pif-introduce host-uuid={me} device=eth2 managed=false"));
    dom0.ok(&format!("xe pif-scan host-uuid={me}"));
    let pifs = dom0.model.state().pool.pifs;
    assert!(!pifs["xen01/eth2"].managed && pifs["xen01/eth3"].managed);
    assert!(dom0.bad(&format!("xe pif-plug uuid={}", new.trim())).contains("not managed by xapi"));
}

#[test]
fn an_enslaved_nics_mac_misleads_an_old_xapi() {
    for (flavour, works) in [(Flavour::El5, false), (Flavour::El7, true)] {
        let dom0 = Dom0::new(flavour, Backend::Bridge);
        dom0.prepared("mode=active-backup miimon=100");
        dom0.ok("ifup bond51");
        let me = dom0.model.state().pool.hosts["xen01"].uuid.clone();
        let (status, ..) =
            dom0.run(&format!("xe pif-introduce host-uuid={me} device=eth3 mac=00:1b:21:0a:01:03"));
        assert_eq!(status == 0, works);
        dom0.ok(&format!("xe pif-scan host-uuid={me}"));
        let noted = dom0.model.state().pool.pifs["xen01/eth3"].mac.clone();
        assert_eq!(noted == "00:1b:21:0a:01:03", works, "{noted}");
        let plug = dom0.run(&format!("xe pif-plug uuid={}", dom0.pif("eth3")));
        assert_eq!(plug.0, i32::from(works), "silent on old releases");
        assert_eq!(dom0.model.state().dom0.master_of("eth3"), Some("bond51"));
    }
}

#[test]
fn reconfigure_puts_the_address_on_the_bridge_and_clears_what_is_not_said() {
    let dom0 = host();
    let eth2 = dom0.pif("eth2");
    dom0.ok(&format!("xe pif-reconfigure-ip uuid={eth2} mode=static ip=10.9.0.5 netmask=255.255.255.0 gateway=10.9.0.1 dns=10.9.0.2"));
    assert!(dom0.read("proc/net/route").contains("xenbr2\t0000090A"));
    dom0.ok(&format!(
        "xe pif-reconfigure-ip uuid={eth2} mode=STATIC IP=10.9.0.6 netmask=255.255.255.0"
    ));
    let pif = dom0.model.state().pool.pifs["xen01/eth2"].clone();
    assert_eq!((pif.gateway.as_str(), pif.dns.as_str(), pif.ip.as_str()), ("", "", "10.9.0.6"));
    assert!(dom0.read("proc/net/fib_trie").contains("|-- 10.9.0.6\n"));
    assert!(!dom0.read("proc/net/fib_trie").contains("|-- 10.9.0.5\n"));
}

#[test]
fn a_network_gives_mtu_and_routes_when_its_nic_is_plugged_and_takes_no_route_away() {
    for backend in [Backend::Bridge, Backend::Openvswitch] {
        let dom0 = Dom0::new(Flavour::El7, backend);
        let eth2 = dom0.pif("eth2");
        let of = |dom0: &Dom0| dom0.model.state().pool.networks["xenbr2"].uuid.clone();
        let set = |what: &str| dom0.ok(&format!("xe network-param-set uuid={} {what}", of(&dom0)));
        set("MTU=9000");
        set("other-config:static-routes=10.99.0.0/16/172.16.51.1");
        assert_eq!(dom0.sysfs("eth2/mtu"), "1500", "not before it is plugged");
        dom0.ok(&format!("xe pif-plug uuid={eth2}"));
        assert_eq!(
            (dom0.sysfs("eth2/mtu"), dom0.sysfs("xenbr2/mtu")),
            ("9000".into(), "9000".into())
        );
        let routed =
            |dom0: &Dom0| dom0.read("proc/net/route").contains("xenbr2\t0000630A\t013310AC");
        assert!(!routed(&dom0), "the router is out of reach without an address");
        let line = format!(
            "xe pif-reconfigure-ip uuid={eth2} mode=static IP=172.16.51.11 netmask=255.255.255.0"
        );
        dom0.ok(&line);
        assert!(routed(&dom0));
        let db = dom0.read("var/lib/xcp/networkd.db");
        assert!(db.contains("\"ipv4_routes\":[{\"subnet\":\"10.99.0.0\",\"netmask\":16,"), "{db}");
        let network = of(&dom0);
        dom0.ok(&format!(
            "xe network-param-remove uuid={network} param-name=other-config param-key=static-routes"
        ));
        dom0.ok(&format!("xe pif-plug uuid={eth2}"));
        assert!(routed(&dom0), "it is set, and never taken away");
        dom0.ok(&format!("xe pif-reconfigure-ip uuid={eth2} mode=none"));
        assert!(!routed(&dom0), "with its address it goes");
        set("other-config:static-routes=nonsense");
        dom0.ok(&line);
        assert!(!routed(&dom0));
    }
}

#[test]
fn commands_fail_lie_and_hang_as_told_and_the_transcript_says_what_changed() {
    let dom0 = host();
    let eth2 = dom0.pif("eth2");
    let tell = |how, after| {
        dom0.model.change(|s| {
            assert!(
                s.dom0.lies.insert("xe pif-forget".into(), Lie { how, times: 1, after }).is_none()
            )
        });
    };
    let line = format!("xe pif-forget uuid={eth2}");
    for (how, status) in [(How::Fails, 1), (How::Lies, 0), (How::Hangs, -1)] {
        tell(how, 0);
        assert_eq!(dom0.run(&line).0, status);
        assert_eq!(dom0.pif("eth2"), eth2, "{how:?} has no effect");
    }
    tell(How::FailsAfter, 0);
    assert_eq!(dom0.run(&line).0, 1);
    assert_eq!(dom0.pif("eth2"), "");
    let ran = dom0.model.state().dom0.transcript;
    let changes: Vec<_> =
        ran.iter().filter(|r| r.changed).map(|r| (r.command.as_str(), r.status)).collect();
    assert_eq!(changes, [(line.as_str(), 1)]);
}

#[test]
fn a_host_is_evacuated_enabled_or_not_and_enabled_by_its_boot() {
    let dom0 = Dom0::new(Flavour::El7, Backend::Openvswitch);
    let uuid = |name: &str| dom0.model.state().pool.hosts[name].uuid.clone();
    let running = |on: &str| {
        let vms = dom0.model.state().pool.vms;
        let here =
            |(_, vm): &(String, Vm)| !vm.is_control_domain && vm.resident_on.as_deref() == Some(on);
        vms.into_iter().filter(here).map(|(name, _)| name).collect::<Vec<_>>()
    };
    let me = uuid("xen01");
    dom0.ok(&format!("xe host-disable uuid={}", uuid("xen02")));
    dom0.ok(&format!("xe host-evacuate uuid={me}"));
    dom0.ok(&format!("xe host-disable uuid={me}"));
    assert_eq!(running("xen01"), [""; 0]);
    assert_eq!(running("xen02"), ["vm-git", "vm-mail"]);
    assert_eq!(running("xen03"), ["vm-ci", "vm-db", "vm-log", "vm-web"]);
    dom0.model.reboot().unwrap();
    dom0.wait(60);
    assert!(dom0.model.state().pool.hosts["xen01"].enabled);
    assert!(!dom0.model.state().pool.hosts["xen02"].enabled);
    // Nowhere else is its network.
    dom0.ok(&format!("xe host-disable uuid={}", uuid("xen03")));
    dom0.model.change(|state| state.pool.pifs.retain(|key, _| key != "xen01/eth1.30"));
    let error = dom0.bad(&format!("xe host-evacuate uuid={}", uuid("xen03")));
    assert!(error.contains("doesn't have a PIF"), "{error}");
}
