//! Each finding with its cause.

use super::*;
/// The finding, how it comes about (what is asked for, how the host is bent), what else is found
/// then, and a part of its message.
pub(super) type Case =
    (Code, &'static [(&'static str, &'static str)], Bend, &'static [Code], &'static str);

#[rustfmt::skip]
pub(super) const CASES: &[Case] = &[
    (NotRoot, &[], Value(|_, i| i.may_change = false), &[], "only root"),
    (NotADom0, &[], Disk(|root| std::fs::remove_file(root.join("etc/xensource-inventory")).unwrap()), &[],
        "/etc/xensource-inventory is missing"),
    (XapiUnreachable, &[], Bend::State(|s| s.dom0.xapi = XapiState::Down), &[], "XAPI could not be asked"),
    (XapiUnreachable, &[], Bend::State(|s| s.dom0.xapi = XapiState::Starting), &[], "XAPI could not be asked"),
    (XapiUnreachable, &[], Disk(|root| {
        std::fs::remove_file(root.join("usr/bin/xe")).unwrap();
        std::fs::remove_file(root.join("opt/xensource/bin/xe")).unwrap();
    }), &[], "there is no `xe` here"),
    (HostNotFound, &[], Value(|_, i| i.xapi.as_mut().unwrap().hosts.retain(|h| h.name_label != "xen01")), &[],
        "XAPI has no host with that uuid"),
    (TransactionOpen, &[], Value(|_, i| i.transaction = transaction(&[("name", "bond52")], Phase::Applying)), &[],
        "transaction 20261120130000-bond52 for bond52 is not finished"),
    (TransactionOpen, &[], Value(|_, i| {
        i.transaction = transaction(&[("mtu", "9000")], Phase::WaitingForReboot { boot_id: "x".into() });
    }), &[], "for bond51 is waiting for a reboot"),
    (NoBootScripts, &[], Value(|_, i| drop(i.programs.remove(&Program::Ifup))), &[], "there is no ifup"),
    (NoBootScripts, &[], Value(|_, i| drop(i.programs.remove(&Program::Ifdown))), &[], "no ifdown"),
    (NoBridgeBackend, &[], Value(|_, i| drop(i.programs.remove(&Program::XeSwitchNetworkBackend))), &[],
        "there is no xe-switch-network-backend"),
    (NetworkConfMissing, &[], Disk(|root| std::fs::remove_file(root.join("etc/xensource/network.conf")).unwrap()), &[],
        "/etc/xensource/network.conf is missing"),
    (NetworkConfVswitch, &[], Disk(|root| std::fs::write(root.join("etc/xensource/network.conf"), "vswitch\n").unwrap()),
        &[], "would set openvswitch and report success"),
    (BridgeBlacklisted, &[], Disk(|root| std::fs::write(root.join("etc/modprobe.d/local.conf"), "install bridge /bin/true\n").unwrap()),
        &[], "/etc/modprobe.d/local.conf keeps the bridge module from loading"),
    (BridgeBlacklisted, &[], Disk(|root| std::fs::write(root.join("etc/modprobe.d/x.conf"), "blacklist bridge\n").unwrap()),
        &[], "/etc/modprobe.d/x.conf keeps"),
    (NothingBringsItUp, &[], Value(|_, i| drop(i.programs.remove(&Program::Systemctl))), &[], "without `systemctl`"),
    (NothingBringsItUp, &[], Value(|_, i| {
        i.init = Init::Sysv;
        i.programs.remove(&Program::Chkconfig);
    }), &[], "without `chkconfig`"),
    (NicMissing, &[("nics", "eth2,eth9")], Not, &[],
        "NIC eth9 is not on this host, which has eth0, eth1, eth2, eth3, eth4, eth5"),
    (NicMissing, &[("nics", "eth2,00:1b:21:0a:02:03")], Not, &[], "NIC 00:1b:21:0a:02:03 is not on this host"),
    (NicNamedTwice, &[("nics", "eth2,eth3,00:1b:21:0a:01:02")], Not, &[],
        "00:1b:21:0a:01:02 is eth2, which the spec names already"),
    (NicNotPhysical, &[], Value(|_, i| pif(i, "eth3").physical = false), &[], "XAPI has no physical PIF for eth3"),
    (NicNotPhysical, &[], Value(|_, i| i.xapi.as_mut().unwrap().pifs.retain(|p| p.device != "eth3")), &[],
        "XAPI has no physical PIF for eth3"),
    (NicNotPhysical, &[], Value(|_, i| device(i, "eth3").kind = DeviceKind::Vlan), &[], "eth3 is a VLAN"),
    (NicNotPhysical, &[], Value(|_, i| device(i, "eth3").kind = DeviceKind::Bond), &[], "eth3 is a bond"),
    (NicNotPhysical, &[], Value(|_, i| device(i, "eth3").kind = DeviceKind::Bridge), &[], "eth3 is a bridge"),
    (NicNotPhysical, &[], Value(|_, i| device(i, "eth3").kind = DeviceKind::Tun), &[], "eth3 is a tun device"),
    (NicIsManagement, &[("nics", "eth0,eth3")], Not, &[], "eth0 carries the management"),
    (NicIsManagement, &[], Value(|_, i| pif(i, "eth3").management = true), &[], "eth3 carries the management"),
    (NicIsManagement, &[], Value(|_, i| {
        let xensource = i.xensource.as_mut().unwrap();
        xensource.insert("MANAGEMENT_INTERFACE".into(), "xenbr3".into());
    }), &[], "eth3 carries the management"),
    (NicInManagedBond, &[("nics", "eth4,eth3")], Not, &[], "eth4 is a slave of the managed bond bond0"),
    (NicInOtherBond, &[], Value(|_, i| {
        device(i, "eth3").master = Some("bond7".into());
        let text = "Bonding Mode: fault-tolerance (active-backup)\n\nSlave Interface: eth3\nPermanent HW addr: 00:1b:21:0a:01:03\n";
        i.kernel.bonds.insert("bond7".into(), text.into());
    }), &[], "eth3 is a slave of bond7"),
    (NicInOtherBond, &[], Value(|_, i| {
        for (name, text) in [("eth3", "DEVICE=eth3\nMASTER=bond7\n"), ("bond7", "DEVICE=bond7\n")] {
            let ours = file(&format!("# xenbond wrote this file for bond7\n{text}"));
            i.files.insert(format!("/etc/sysconfig/network-scripts/ifcfg-{name}"), ours);
        }
    }), &[], "ifcfg-eth3 has eth3 in bond7, which it is not in now"),
    (NicInOtherBond, &[], Value(|_, i| {
        let ours = file("# xenbond wrote this file for bond7\nDEVICE=eth3\nMASTER=bond7\n");
        i.files.insert("/etc/sysconfig/network-scripts/ifcfg-eth3".into(), ours);
        i.made.push("bond7".parse().unwrap());
    }), &[], "ifcfg-eth3 has eth3 in bond7, which it is not in now"),
    (NicHasVlans, &[("nics", "eth1,eth3")], Not, &[VmsLoseNetwork], "eth1 carries VLAN 30, 40"),
    (NicHasTunnels, &[], Bend::State(|s| {
        let tunnel = Tunnel {
            uuid: crate::model::state::uuid_of("tunnel"),
            access: "xen01/eth1.40".into(),
            transport: "xen01/eth3".into(),
        };
        s.pool.tunnels.insert("t".into(), tunnel);
    }), &[TunnelsNeedOpenvswitch], "a tunnel lies on the PIF of eth3"),
    (NicHasTunnels, &[], Bend::State(|s| {
        s.pool.pifs.get_mut("xen01/eth3").unwrap().sriov = Some(crate::model::state::uuid_of("sriov"));
    }), &[], "an SR-IOV network lies on the PIF of eth3"),
    (NicHasVifs, &[], Bend::State(|s| {
        s.pool.vms.get_mut("vm-web").unwrap().resident_on = Some("xen01".into());
        s.pool.vifs.get_mut("vm-web/0").unwrap().network = "xenbr3".into();
    }), &[VmsRunning], "running VMs use the network of eth3: vm-web"),
    (NicHasIp, &[], Bend::State(|s| {
        let pif = s.pool.pifs.get_mut("xen01/eth3").unwrap();
        pif.ip_configuration_mode = "Static".into();
        (pif.ip, pif.netmask) = ("192.168.9.1".into(), "255.255.255.0".into());
    }), &[], "the PIF of eth3 has IP configuration mode static (192.168.9.1)"),
    (NicHasIp, &[], Bend::State(|s| {
        s.pool.pifs.get_mut("xen01/eth3").unwrap().ip_configuration_mode = "DHCP".into();
    }), &[], "the PIF of eth3 has IP configuration mode dhcp"),
    (NicHasIp, &[], Value(|_, i| {
        let net = "192.168.9.1/24".parse().unwrap();
        i.kernel.addresses.push(Address { device: "xenbr3".into(), net });
    }), &[], "eth3 carries 192.168.9.1/24 on xenbr3"),
    (NicDisallowsUnplug, &[], Bend::State(|s| s.pool.pifs.get_mut("xen01/eth3").unwrap().disallow_unplug = true), &[],
        "the PIF of eth3 has disallow-unplug=true"),
    (NicMacMismatch, &[], Bend::State(|s| s.pool.pifs.get_mut("xen01/eth3").unwrap().mac = "00:1b:21:0a:01:99".into()),
        &[], "eth3 has the permanent MAC 00:1b:21:0a:01:03, and its PIF says 00:1b:21:0a:01:99"),
    (PifUnreadable, &[], Bend::State(|s| {
        s.pool.pifs.get_mut("xen01/eth3").unwrap().other_config.insert("note".into(), "a\nb".into());
    }), &[], "the PIF of eth3 cannot be restored: other-config key `note` holds a line end"),
    (PifUnreadable, &[], Bend::State(|s| {
        s.pool.pifs.get_mut("xen01/eth3").unwrap().properties.insert("a: b".into(), "c".into());
    }), &[], "the PIF of eth3 cannot be restored: reading properties"),
    (PifUnmanagedUnsupported, &[("pif", "unmanaged")], Bend::State(|s| s.dom0.features.xe_managed = false), &[],
        "--pif unmanaged was asked for"),
    (PrimaryNotSlave, &[("nics", "eth2,00:1b:21:0a:01:03"), ("primary", "eth5")], Not, &[],
        "primary eth5 is not a slave of bond51"),
    (BondNameReserved, &[("name", "bond3")], Not, &[], "the name bond3 is taken: XAPI calls its own bonds bond0 to bond9"),
    (BondNameReserved, &[("name", "bond0")], Bend::State(|s| s.pool.bonds.clear()), &[], "a PIF of this host has it"),
    (BondNameReserved, &[("name", "bond12")], Value(|_, i| pif(i, "bond0").device = "bond12".into()), &[],
        "the name bond12 is taken: a PIF of this host has it"),
    (BondNameTaken, &[], Value(|_, i| {
        i.kernel.devices.insert("bond51".into(), Device { kind: DeviceKind::Bond, ..Device::default() });
    }), &[], "the kernel has a bond called bond51"),
    (BondNameTaken, &[("name", "xenbr1")], Not, &[], "the kernel has a device called xenbr1"),
    (BondNameScript, &[("name", "eth51")], Not, &[], "would run ifup-eth for eth51"),
    (BondNameScript, &[("name", "ppp")], Not, &[], "would run ifup-ppp for ppp"),
    (FileNotPlain, &[], Disk(|root| {
        let scripts = root.join("etc/sysconfig/network-scripts");
        std::os::unix::fs::symlink("ifcfg-lo", scripts.join("ifcfg-eth3")).unwrap();
    }), &[NicFileExists], "ifcfg-eth3 is not a plain file"),
    (FileNotPlain, &[], Disk(|root| std::fs::create_dir(root.join("etc/modprobe.d/bond51.conf")).unwrap()), &[],
        "/etc/modprobe.d/bond51.conf is not a plain file"),
    (FileNotPlain, &[], Disk(|root| std::os::unix::fs::symlink("x", root.join("etc/modprobe.conf")).unwrap()), &[],
        "/etc/modprobe.conf is not a plain file"),
    (MasterNamedElsewhere, &[], Value(|_, i| {
        let path = "/etc/sysconfig/network-scripts/ifcfg-eth5.save";
        i.files.insert(path.into(), file("DEVICE=eth5\nMASTER=bond51\nSLAVE=yes\n"));
    }), &[], "ifcfg-eth5.save makes its device a slave of bond51"),
    (MasterNamedElsewhere, &[], Value(|_, i| {
        i.init = Init::Sysv;
        i.network_service = true;
        let ours = file("# xenbond wrote this file for bond5; x\nDEVICE=eth5\nMASTER=bond5\nSLAVE=yes\n");
        i.files.insert("/etc/sysconfig/network-scripts/ifcfg-eth5".into(), ours);
    }), &[], "ifup bond5 of this release would run the slaves of bond51 as well"),
    (AddressTaken, &[], Value(|_, i| {
        let net = "172.16.51.11/32".parse().unwrap();
        i.kernel.addresses.push(Address { device: "xenbr5".into(), net });
    }), &[SubnetOverlap], "172.16.51.11 is already configured here, on xenbr5"),
    (AddressTaken, &[("address", "10.20.0.11/24")], Not, &[SubnetOverlap], "on xenbr0"),
    (SubnetOverlap, &[("address", "10.20.0.200/24")], Not, &[],
        "10.20.0.0/24 overlaps the subnet 10.20.0.0/24 of xenbr0, the management subnet"),
    (SubnetOverlap, &[("address", "10.20.99.1/16")], Not, &[], "10.20.0.0/16 overlaps the subnet 10.20.0.0/24"),
    (SubnetOverlap, &[], Value(|_, i| {
        let to = "172.16.0.0/12".parse().unwrap();
        i.kernel.routes.push(Route { device: "xenbr5".into(), to, gateway: None, metric: 0 });
    }), &[], "172.16.51.0/24 overlaps the route to 172.16.0.0/12 of xenbr5"),
    (ModeUnknown, &[("mode", "7")], Bend::State(|s| s.dom0.features.slb = false), &[SlbBehaviour],
        "mode balance-slb (7) is not in what `modinfo bonding` says"),
    (ModeUnknown, &[("mode", "7")], Value(|_, i| i.driver_has_slb = None), &[SlbBehaviour], "cannot be told"),
    (NicTuningUnsupported, &[("ethtool", "gro off")], Value(|_, _| {}), &[],
        "ethtool shows no gro of eth2: its driver does not have it"),
    (NicTuningUnsupported, &[("ethtool", "eth3 ring-rx 1024")], Disk(|root| {
        std::fs::write(root.join("etc/sysconfig/network-scripts/network-functions"), "BONDING_OPTS\n").unwrap();
    }), &[], "the boot scripts of this host set speed, duplex and autoneg of a NIC and nothing else: not ring-rx of eth3"),
    (NicTuningUnsupported, &[("ethtool", "speed 1000, autoneg off")], Disk(|root| {
        std::fs::remove_file(root.join("usr/sbin/ethtool")).unwrap();
    }), &[], "there is no ethtool on this host"),
    (NicTunedByXapi, &[("ethtool", "eth2 gro on")], Value(|_, i| {
        i.tuning.insert("eth2".into(), crate::spec::TuningGroup::Offload.read("generic-receive-offload: on"));
        let config = &mut pif(i, "eth2").other_config;
        config.insert("ethtool-gro".into(), "off".into());
        config.insert("ethtool-rx".into(), "true".into());
        config.insert("ethtool-ufo".into(), "off".into());
    }), &[], "XAPI sets ethtool-rx=true, ethtool-ufo=off on eth2, which ends when it no longer manages the NIC"),
    (OptionUnknown, &[("peer_notif_delay", "200")], Not, &[],
        "the bonding driver v3.7.1 of kernel 4.19.0+1 does not know peer_notif_delay, which Linux has from 5.3 on"),
    (OptionUnknown, &[("mode", "2"), ("xmit_hash_policy", "vlan+srcmac")], Not, &[SwitchSetup],
        "does not know xmit_hash_policy=vlan+srcmac, which Linux has from 5.12 on"),
    (OptionUnknown, &[("mode", "0"), ("packets_per_slave", "8")], Value(|_, i| i.driver = None), &[SwitchSetup],
        "whether the bonding driver knows packets_per_slave, which Linux has from 3.14 on, cannot be told"),
    (OptionUnknown, &[("mode", "5"), ("tlb_dynamic_lb", "0")], Value(|_, i| i.driver.as_mut().unwrap().knows.clear()), &[],
        "knows tlb_dynamic_lb, which Linux has from 3.16 on, cannot be told: its module cannot be read"),
    (VmsRunning, &[], Bend::State(|s| s.pool.vms.get_mut("vm-web").unwrap().resident_on = Some("xen01".into())), &[],
        "the host must be rebooted, and 1 VM run here: vm-web"),
    (ManagementBecomesSlave, &[], Value(|_, i| {
        i.files.insert("/etc/sysconfig/network-scripts/ifcfg-eth0".into(), file("DEVICE=eth0\nMASTER=bond60\nSLAVE=yes\n"));
    }), &[], "ifcfg-eth0 makes eth0, which carries the management, a slave of bond60"),
    (BackendKept, &[("backend", "keep")], Not, &[], "the running backend is openvswitch"),
    (BondFileExists, &[], Value(|_, i| {
        i.files.insert("/etc/sysconfig/network-scripts/ifcfg-bond51".into(), file("DEVICE=bond51\n"));
    }), &[], "ifcfg-bond51 exists, and xenbond did not write it"),
    (NicNoLink, &[], Bend::State(|s| s.dom0.nics.get_mut("eth3").unwrap().link = false), &[], "eth3 has no link"),
    (NicFileExists, &[], Value(|_, i| {
        i.files.insert("/etc/sysconfig/network-scripts/ifcfg-eth3".into(), file("DEVICE=eth3\n"));
    }), &[], "ifcfg-eth3 exists, and will be replaced"),
    (BackendDiffers, &[], Value(|_, i| i.network_conf = Some(crate::net::Backend::Bridge)), &[BridgeBlacklisted],
        "the running backend is openvswitch, and /etc/xensource/network.conf says bridge"),
    (SwitchSetup, &[("mode", "802.3ad")], Not, &[], "put the ports of all slaves into one LACP group"),
    (SwitchSetup, &[("mode", "balance-rr")], Not, &[], "without LACP"),
    (SlbBehaviour, &[("mode", "balance-slb")], Not, &[], "chooses the slave by source MAC"),
    (SpeedsDiffer, &[], Bend::State(|s| s.dom0.nics.get_mut("eth3").unwrap().speed = 1000), &[],
        "the links of bond51 differ: eth2 10000 Mb/s full, eth3 1000 Mb/s full"),
    (SpeedsDiffer, &[], Bend::State(|s| s.dom0.nics.get_mut("eth3").unwrap().duplex = "half".into()), &[],
        "eth3 10000 Mb/s half"),
    (DriversDiffer, &[], Bend::State(|s| s.dom0.nics.get_mut("eth3").unwrap().driver = "bnx2x".into()), &[],
        "the NICs have different drivers: eth2 ixgbe, eth3 bnx2x"),
    (AlertsLost, &[], Not, &[], "XAPI will send no alert when a slave of bond51 fails"),
    (PoolMasterUnreachable, &[], Bend::State(|s| {
        s.pool.master = "xen02".into();
        s.pool.hosts.get_mut("xen02").unwrap().live = false;
    }), &[], "asks its master, 10.20.0.12: running `xe "),
    (AnotherRun, &[], Value(|_, i| i.ground.other_run = Some("pid 1, since then".into())), &[],
        "another xenbond is changing this host: pid 1, since then"),
    (CannotWrite, &[], Bend::State(|s| {
        s.dom0.mounts.insert("/etc".into(), "/dev/sda2 /etc ext3 ro,noatime 0 0".into());
    }), &[], "/etc/modprobe.d lies on a file system that is read-only, /etc"),
    (NoSpace, &[], Value(|_, i| {
        i.ground.places.push(Place { folder: "/var/lib".into(), read_only: None, free: Some(300 << 10) });
    }), &[], "/var/lib has 300 KiB left, and a change may need 8192 KiB"),
    (NoBridgeBackend, &[], Disk(|root| {
        std::fs::write(root.join("etc/xapi.conf"), "log-level = info\nsupport-linux-bridge = false\n").unwrap();
    }), &[], "/etc/xapi.conf says support-linux-bridge = false"),
    (NoBridgeBackend, &[], Value(|_, i| {
        i.xensource.as_mut().unwrap().insert("PRODUCT_VERSION".into(), "9.0.0".into());
    }), &[], "this is XCP-ng 9.0.0"),
    (BondsNeedOpenvswitch, &[], Bend::State(|s| s.pool.bonds.get_mut("xen01/bond0").unwrap().mode = "lacp".into()), &[],
        "the managed bond bond0 speaks LACP"),
    (BondsNeedOpenvswitch, &[], Bend::State(|s| {
        s.pool.bonds.get_mut("xen01/bond0").unwrap().slaves.insert("xen01/eth1".into());
    }), &[], "the managed bond bond0 has 3 NICs"),
    (TunnelsNeedOpenvswitch, &[], Bend::State(|s| {
        let tunnel = Tunnel {
            uuid: crate::model::state::uuid_of("tunnel"),
            access: "xen01/eth1.40".into(),
            transport: "xen01/eth1".into(),
        };
        s.pool.tunnels.insert("t".into(), tunnel);
    }), &[], "1 private network of this host run through tunnels (xapi2)"),
    (HaEnabled, &[], Bend::State(|s| s.pool.ha_enabled = true), &[], "high availability is on"),
    (RedoLogEnabled, &[], Bend::State(|s| s.pool.redo_log_enabled = true), &[], "the pool's redo log is on"),
    (NetworkResetPending, &[], Disk(|root| {
        std::fs::create_dir_all(root.join("var/tmp")).unwrap();
        std::fs::write(root.join("var/tmp/network-reset"), "DEVICE=eth0\n").unwrap();
    }), &[], "/var/tmp/network-reset is there"),
    (BondingBlocked, &[], Disk(|root| std::fs::write(root.join("etc/modprobe.d/x.conf"), "alias bonding bond51\n").unwrap()),
        &[], "`alias bonding bond51` in /etc/modprobe.d/x.conf keeps the bonding driver from loading"),
    (BondingBlocked, &[], Disk(|root| std::fs::write(root.join("etc/modprobe.d/x.conf"), "install bonding /bin/true\n").unwrap()),
        &[], "`install bonding /bin/true` in"),
    (NicHasVlans, &[], Value(|_, i| {
        i.kernel.devices.insert("eth3.51".into(), Device { kind: DeviceKind::Vlan, ..Device::default() });
    }), &[], "eth3 carries VLAN 51"),
    (NicHasTunnels, &[], Value(|_, i| device(i, "eth3").vfs = Some(4)), &[], "eth3 has 4 SR-IOV virtual functions"),
    (NicHasFcoe, &[], Disk(|root| {
        std::fs::create_dir_all(root.join("sys/class/fc_host/host7")).unwrap();
        std::fs::write(root.join("sys/class/fc_host/host7/symbolic_name"), "fcoe v0.1 over eth3.100-fcoe\n").unwrap();
    }), &[], "FCoE runs over eth3"),
    (NicHasFcoe, &[], Disk(|root| {
        std::fs::create_dir_all(root.join("etc/fcoe")).unwrap();
        std::fs::write(root.join("etc/fcoe/cfg-eth2"), "FCOE_ENABLE=\"yes\"\n").unwrap();
    }), &[], "FCoE runs over eth2"),
    (NicBootsHost, &[], Disk(|root| {
        std::fs::create_dir_all(root.join("sys/firmware/ibft/ethernet0")).unwrap();
        std::fs::write(root.join("sys/firmware/ibft/ethernet0/mac"), "00:1b:21:0a:01:03\n").unwrap();
    }), &[], "boots this host from iSCSI through eth3"),
    (NicClustered, &[], Bend::State(|s| {
        let host = crate::model::state::ClusterHost {
            uuid: crate::model::state::uuid_of("cluster host"),
            host: "xen01".into(),
            pif: "xen01/eth3".into(),
            enabled: true,
        };
        s.pool.cluster_hosts.insert("xen01".into(), host);
    }), &[], "the pool's cluster talks through eth3"),
    (NicCarriesStorage, &[], Value(|_, i| {
        let to = "192.168.9.0/24".parse().unwrap();
        i.kernel.routes.push(Route { device: "xenbr3".into(), to, gateway: None, metric: 0 });
        let server = "192.168.9.9".parse().unwrap();
        i.ground.storage.push(StoragePath { used: StorageUse::Iscsi { connection: "connection1:0".into() }, server });
    }), &[], "iSCSI connection1:0 is reached at 192.168.9.9 through eth3"),
    (NicCarriesStorage, &[], Bend::State(|s| {
        let route = crate::model::state::Route { to: "192.168.9.0/24".into(), dev: "xenbr3".into(), via: None, metric: 0 };
        s.dom0.routes.insert("192.168.9.0/24 xenbr3".into(), route);
        let pbd = s.pool.pbds.get_mut("xen01/local-xen01").unwrap();
        pbd.device_config = [("server".into(), "192.168.9.9".into())].into();
    }), &[], "storage repository \"Local storage\" is reached at 192.168.9.9 through eth3"),
    (NicWillBeRenamed, &[], Value(|_, i| {
        let mac = Some("00:1b:21:0a:01:03".parse().unwrap());
        i.ground.rename_rules.push(RenameRule { file: "f".into(), name: "eth9".into(), mac, pci: None });
    }), &[], "the next boot calls eth3 (00:1b:21:0a:01:03) eth9: f"),
    (NicWillBeRenamed, &[], Value(|_, i| {
        let pci = Some("0000:03:00.1".into());
        i.ground.rename_rules.push(RenameRule { file: "f".into(), name: "eth3".into(), mac: None, pci });
    }), &[], "the next boot gives the name eth3 to another NIC: f"),
    (NicWillBeRenamed, &[], Value(|_, i| {
        i.files.insert("/etc/sysconfig/network-scripts/ifcfg-eth9".into(), file("DEVICE=eth9\nHWADDR=00:1B:21:0A:01:03\n"));
    }), &[], "the next boot calls eth3 (00:1b:21:0a:01:03) eth9: /etc/sysconfig/network-scripts/ifcfg-eth9"),
    (DefaultRouteByBond, &[], Disk(|root| {
        std::fs::write(root.join("etc/sysconfig/network"), "NETWORKING=yes\nGATEWAYDEV=bond51\n").unwrap();
    }), &[], "GATEWAYDEV=bond51"),
    (DefaultRouteByBond, &[], Disk(|root| {
        std::fs::write(root.join("etc/sysconfig/network"), "NETWORKING=yes\nGATEWAY=172.16.51.1\n").unwrap();
    }), &[], "GATEWAY=172.16.51.1, which is on the bond's subnet"),
    (DeviceNamedElsewhere, &[], Value(|_, i| {
        i.files.insert("/etc/sysconfig/network-scripts/ifcfg-eth3.save".into(), file("DEVICE=eth3\nONBOOT=yes\n"));
    }), &[], "ifcfg-eth3.save configures eth3 as well"),
    (DeviceNamedElsewhere, &[], Value(|_, i| {
        i.files.insert("/etc/sysconfig/network-scripts/ifcfg-bond51.30".into(), file("DEVICE=bond51.30\nVLAN=yes\n"));
    }), &[], "ifcfg-bond51.30 configures bond51.30 as well"),
    (RouteFileExists, &[], Value(|_, i| {
        i.files.insert("/etc/sysconfig/network-scripts/route-bond51".into(), file("default via 172.16.51.1\n"));
    }), &[], "ifup bond51 would set the routes in it"),
    (ModprobeContradicts, &[], Disk(|root| std::fs::write(root.join("etc/modprobe.d/x.conf"), "options bonding max_bonds=2\n").unwrap()),
        &[], "`options bonding max_bonds=2` in /etc/modprobe.d/x.conf"),
    (ModprobeContradicts, &[], Disk(|root| std::fs::write(root.join("etc/modprobe.d/x.conf"), "alias bond51 off\n").unwrap()),
        &[], "`alias bond51 off` in"),
    (NoBondingOpts, &[], Value(|_, i| {
        i.ground.bonding_opts = Some(false);
        i.kernel.modules.insert("bonding".into());
    }), &[], "know no BONDING_OPTS"),
    (VmsLoseNetwork, &[], Bend::State(|s| s.pool.vifs.get_mut("vm-spare/0").unwrap().network = "xenbr3".into()), &[],
        "the network of eth3 could not start on this host or move to it: vm-spare"),
    (NetworkNotRestorable, &[], Bend::State(|s| s.pool.networks.get_mut("xenbr3").unwrap().bridge = "xapi7".into()), &[],
        "eth3 is on the network with the bridge xapi7, and XAPI looks for the one with xenbr3"),
    (NetworkNotRestorable, &[], Bend::State(|s| s.pool.networks.get_mut("xapi2").unwrap().bridge = "xenbr3".into()), &[],
        "2 networks have the bridge xenbr3"),
    (StorageMoves, &[], Bend::State(|s| {
        let line = "172.16.51.2:/vm /run/sr-mount/x nfs4 rw,addr=172.16.51.2 0 0";
        s.dom0.mounts.insert("/run/sr-mount/x".into(), line.into());
    }), &[], "the nfs4 mount of 172.16.51.2:/vm is reached at 172.16.51.2 through xenbr0 now"),
    (PoolBackends, &[], Not, &[], "0 of 3 hosts of the pool run the bridge backend; still on another (xen01, xen02, xen03)"),
    (PoolBackends, &[], Bend::State(|s| {
        s.pool.hosts.get_mut("xen02").unwrap().software_version.insert("network_backend".into(), "bridge".into());
    }), &[], "1 of 3 hosts of the pool run the bridge backend (xen02); still on another (xen01, xen03)"),
    (ForgetDoesNotLast, &[("pif", "forget")], Not, &[], "a rescan of the host's NICs takes them back"),
    (ForgetDoesNotLast, &[], Bend::State(|s| s.dom0.features.xe_managed = false), &[], "takes them back"),
    (RescanRulesChanged, &[], Disk(|root| {
        std::fs::create_dir(root.join("etc/xapi.conf.d")).unwrap();
        std::fs::write(root.join("etc/xapi.conf.d/x.conf"), "non-managed-pifs = /opt/x\n").unwrap();
    }), &[], "a rescan asks /opt/x which NICs to leave alone"),
    (MtuTooLarge, &[("mtu", "9000")], Value(|_, i| device(i, "eth3").max_mtu = Some(1500)), &[],
        "MTU 9000 is asked for, and the driver of eth3 takes 1500 at the most"),
    (AddressAnswers, &[], Value(|_, i| {
        i.wire.answers.push(Answer { device: "xenbr3".into(), mac: None });
    }), &[], "172.16.51.11 is in use: a MAC address that was not understood answers for it, heard on xenbr3"),
    (SubnetRoutable, &[], Value(|_, i| i.wire.routed.push(("172.16.51.2".parse().unwrap(), "xenbr0".into()))), &[],
        "172.16.51.2 answers already, by way of xenbr0"),
    (ArpNotValidated, &[("miimon", "0"), ("arp_interval", "1000"), ("arp_ip_target", "172.16.51.2")], Not, &[],
        "arp_interval without arp_validate"),
    (NicInUse, &[], Bend::State(|s| {
        s.pool.pifs.get_mut("xen01/eth3").unwrap().managed = false;
        let bridge = s.dom0.devices.remove("xenbr3").unwrap();
        s.dom0.devices.insert("brstor".into(), crate::model::state::Device { kind: "bridge".into(), ..bridge });
        s.dom0.nics.get_mut("eth3").unwrap().master = Some("brstor".into());
    }), &[], "eth3 is a port of brstor, which is not a bridge of XAPI's"),
    (NicInUse, &[], Value(|_, i| {
        device(i, "eth3").uppers.insert("mv0".into());
    }), &[], "mv0 lies on eth3"),
    (BondEdited, &[], Value(|_, i| {
        let text = "Bonding Mode: fault-tolerance (active-backup)\n\nSlave Interface: eth9\n";
        i.kernel.bonds.insert("bond51".into(), text.into());
        let ours = file("# xenbond wrote this file for bond51\nDEVICE=bond51\n");
        i.files.insert("/etc/sysconfig/network-scripts/ifcfg-bond51".into(), ours);
    }), &[], "ifcfg-eth9 no longer makes eth9 a slave of bond51"),
    (NicInfiniband, &[], Value(|_, i| {
        device(i, "eth3").infiniband = true;
        device(i, "eth3").address = None;
    }), &[], "eth3 is InfiniBand"),
    (NicMtuPending, &[], Bend::State(|s| s.pool.networks.get_mut("xenbr3").unwrap().mtu = 9000), &[],
        "eth3 has an MTU of 1500, and XAPI gives it 9000 when it is next plugged"),
    (NicMtuPending, &[], Bend::State(|s| {
        let config = &mut s.pool.pifs.get_mut("xen01/eth2").unwrap().other_config;
        config.insert("mtu".into(), "9000".into());
    }), &[NicTunedByXapi], "eth2 has an MTU of 1500, and XAPI gives it 9000"),
    (FileNotPlain, &[], Value(|_, i| i.pipes.push("/etc/modprobe.d/f.conf".into())), &[], "f.conf is a pipe"),
    (NameNotText, &[], Value(|_, i| i.unnamed.push("/etc/modprobe.d/\u{fffd}".into())), &[], "is not UTF-8 text"),
    (SpeedUnknown, &[], Value(|_, i| device(i, "eth3").speed = None), &[], "eth3 has a link, and its driver tells no speed"),
    (BondCarriesMore, &[], Value(|_, i| {
        i.transaction = transaction(&[], Phase::Done);
        let net = "172.16.52.11/24".parse().unwrap();
        i.kernel.addresses.push(Address { device: "bond51".into(), net });
    }), &[], "172.16.52.11/24 lies on bond51, and goes when bond51 is taken down"),
    (DefaultRouteGoes, &[], Value(|_, i| {
        i.transaction = transaction(&[], Phase::Done);
        i.kernel.routes.retain(|route| route.to.prefix > 0);
        let to = "0.0.0.0/0".parse().unwrap();
        let gateway = Some("172.16.51.1".parse().unwrap());
        i.kernel.routes.push(Route { device: "bond51".into(), to, gateway, metric: 0 });
    }), &[], "the only default route leads through bond51 via 172.16.51.1, and goes"),
    (VlanBlocked, &[("vlan", "51")], Disk(|root| std::fs::write(root.join("etc/modprobe.d/x.conf"), "install 8021q /bin/true\n").unwrap()),
        &[], "`install 8021q /bin/true` in /etc/modprobe.d/x.conf keeps"),
    (VlanUnsupported, &[("vlan", "51")], Bend::State(|s| s.dom0.features.missing_modules.extend(["8021q".into()])), &[],
        "this kernel has no module 8021q"),
    (VlanUnsupported, &[("vlan", "51")], Value(|_, i| i.ground.no_vconfig = true), &[], "by /sbin/vconfig, and it is not there"),
    (SubnetOverlap, &[("routes", "10.20.0.0/16 via 172.16.51.1")], Not, &[],
        "the route to 10.20.0.0/16 overlaps the subnet 10.20.0.0/24 of xenbr0, the management subnet"),
    (RouteFileExists, &[("vlan", "51")], Disk(|root| {
        std::fs::write(root.join("etc/sysconfig/network-scripts/route-bond51.51"), "default via 172.16.51.1\n").unwrap();
    }), &[], "route-bond51.51 exists: ifup bond51.51 would set the routes in it"),
    (VlanTaken, &[("vlan", "51")], Value(|_, i| drop(i.kernel.devices.insert("bond51.51".into(), Device::default()))), &[],
        "the kernel has a device called bond51.51"),
    (VlanTaken, &[("vlan", "51")], Value(|_, i| {
        let vlan = Some(crate::inventory::VlanOf { tag: 51, device: "bond51".into() });
        i.kernel.devices.insert("nas".into(), Device { vlan, ..Device::default() });
    }), &[], "tag 51 on bond51 is the device nas already"),
    (RecordNotUnderstood, &[], Bend::State(|s| s.pool.pifs.get_mut("xen01/eth1").unwrap().mac = "<invalid reference>".into()), &[],
        "the pif of eth1 "),
    (PifUnreadable, &[], Bend::State(|s| s.pool.pifs.get_mut("xen01/eth3").unwrap().mac = "<not in database>".into()), &[],
        "the PIF of eth3 cannot be restored: the pif of eth3 "),
    (NicHasVlans, &[], Bend::State(|s| {
        let vlan = crate::model::state::Device {
            kind: "vlan".into(), mac: "00:1b:21:0a:01:03".into(), mtu: 1500, up: true, master: None,
            below: Some("eth3".into()), tag: Some(50),
        };
        s.dom0.devices.insert("nas".into(), vlan);
    }), &[], "eth3 carries VLAN 50"),
    (NicHasIp, &[], Bend::State(|s| {
        s.dom0.addresses6.entry("xenbr3".into()).or_default().insert("fd00:51::11".parse().unwrap());
    }), &[], "eth3 carries fd00:51::11 on xenbr3"),
    (BridgeBlacklisted, &[], Disk(|root| std::fs::write(root.join("etc/modprobe.d/x.conf"), "install bridge /usr/bin/true\n").unwrap()),
        &[], "/etc/modprobe.d/x.conf keeps"),
    (DeviceNamedElsewhere, &[], Disk(|root| {
        std::fs::write(root.join("etc/sysconfig/network-scripts/ifcfg-nas"), "HWADDR=00:1b:21:0a:01:03\n").unwrap();
    }), &[], "ifcfg-nas configures eth3 (00:1b:21:0a:01:03) as well"),
    (DeviceNamedElsewhere, &[], Disk(|root| {
        std::fs::write(root.join("etc/sysconfig/network-scripts/ifcfg-nas"), "DEVICE=nas\nVLAN=yes\nPHYSDEV=eth2\n").unwrap();
    }), &[], "ifcfg-nas configures nas on eth2 as well"),
    (DeviceNamedElsewhere, &[], Disk(|root| {
        std::fs::write(root.join("etc/sysconfig/network-scripts/ifcfg-bond51-range0"), "IPADDR_START=172.16.51.20\n").unwrap();
    }), &[], "ifcfg-bond51-range0 configures addresses of bond51 as well"),
];
