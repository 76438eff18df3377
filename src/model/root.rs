//! The files that a dom0 of each flavour has before anything of ours is on it.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use anyhow::{Context, Result};

use super::programs::modprobe;
use super::programs::shell::Shell;
use super::state::{Backend, Flavour, Init, State, uuid_of};
use super::stores;

/// Programs, by flavour: their files.
fn programs(state: &State) -> Vec<&'static str> {
    let mut list = vec![
        "opt/xensource/bin/xe",
        "opt/xensource/bin/xe-switch-network-backend",
        "opt/xensource/bin/xe-toolstack-restart",
        "opt/xensource/bin/xapi-wait-init-complete",
        "usr/bin/logger",
        "usr/bin/wall",
        "usr/bin/ovs-appctl",
        "usr/bin/ovs-vsctl",
    ];
    if state.dom0.saves.networkd.is_some() {
        list.push("opt/xensource/libexec/networkd_db");
    }
    match state.dom0.flavour {
        Flavour::El5 => {
            list.extend(["sbin/ip", "usr/sbin/brctl", "sbin/arping", "bin/ping", "sbin/ethtool"])
        }
        Flavour::El7 => {
            list.extend(["usr/sbin/ip", "usr/sbin/brctl", "usr/sbin/arping", "usr/bin/ping"]);
            list.push("usr/sbin/ethtool");
        }
    }
    let names = ["ifup", "ifdown", "modprobe", "modinfo", "chkconfig", "shutdown"];
    let old = [
        "sbin/ifup",
        "sbin/ifdown",
        "sbin/modprobe",
        "sbin/modinfo",
        "sbin/chkconfig",
        "sbin/shutdown",
    ];
    let new = [
        "usr/sbin/ifup",
        "usr/sbin/ifdown",
        "usr/sbin/modprobe",
        "usr/sbin/modinfo",
        "usr/sbin/chkconfig",
        "usr/sbin/shutdown",
    ];
    for at in 0..names.len() {
        list.push(if state.dom0.flavour == Flavour::El5 { old[at] } else { new[at] });
    }
    if state.dom0.features.init == Init::Systemd {
        list.push("usr/bin/systemctl");
    }
    list
}

const SERVICE: &str = "#! /bin/bash\n#\n# network       Bring up/down networking\n#\n# chkconfig: 2345 10 90\n# description: Activates/Deactivates all network interfaces configured to start at boot time.\n";
const OVS_SERVICE: &str = "#!/bin/sh\n#\n# openvswitch\n#\n# chkconfig: 2345 09 91\n# description: Manage Open vSwitch kernel modules and user-space daemons\n";

/// Writes them. What already stands there is kept.
pub(super) fn write(root: &Path, state: &mut State) -> Result<()> {
    let el5 = state.dom0.flavour == Flavour::El5;
    let sysv = state.dom0.features.init == Init::Sysv;
    let folders = [
        "etc/modprobe.d",
        "etc/sysconfig/network-scripts",
        "etc/rc.d/init.d",
        "var/lib",
        "var/log",
        "tmp",
        "sys",
        "proc/net",
    ];
    for folder in folders {
        fs::create_dir_all(root.join(folder)).with_context(|| format!("making folder {folder}"))?;
    }
    if el5 {
        for folder in ["sbin", "bin", "usr/bin", "usr/sbin"] {
            fs::create_dir_all(root.join(folder))?;
        }
    } else {
        for folder in ["sbin", "bin", "lib"] {
            fs::create_dir_all(root.join("usr").join(folder))?;
            link(root, &format!("usr/{folder}"), folder)?;
        }
    }
    if !sysv {
        fs::create_dir_all(root.join("run/systemd/system"))?;
        fs::create_dir_all(root.join("etc/systemd/system/multi-user.target.wants"))?;
        for unit in ["openvswitch", "openvswitch-xapi-sync", "xapi", "xcp-networkd", "sshd"] {
            let text = format!(
                "[Unit]\nDescription={unit}\n\n[Service]\nExecStart=/usr/libexec/{unit}\n\n[Install]\nWantedBy=multi-user.target\n"
            );
            file(root, &format!("usr/lib/systemd/system/{unit}.service"), &text)?;
            let on = !unit.starts_with("openvswitch") || state.dom0.running == Backend::Openvswitch;
            if on {
                let at = format!("etc/systemd/system/multi-user.target.wants/{unit}.service");
                link(root, &format!("/usr/lib/systemd/system/{unit}.service"), &at)?;
            }
        }
    } else {
        file(root, "etc/rc.d/init.d/openvswitch", OVS_SERVICE)?;
    }
    link(root, "rc.d/init.d", "etc/init.d")?;
    file(root, "etc/rc.d/init.d/network", SERVICE)?;
    for level in '0'..='6' {
        fs::create_dir_all(root.join(format!("etc/rc.d/rc{level}.d")))?;
        let on = sysv && ('2'..='5').contains(&level);
        let name = if on { "S10network" } else { "K90network" };
        link(root, "../init.d/network", &format!("etc/rc.d/rc{level}.d/{name}"))?;
        if sysv && state.dom0.running == Backend::Openvswitch {
            let name = if on { "S09openvswitch" } else { "K91openvswitch" };
            link(root, "../init.d/openvswitch", &format!("etc/rc.d/rc{level}.d/{name}"))?;
        }
    }
    configuration(root, state)?;
    stores::create(root, state).context("writing what XAPI and networkd keep")?;
    for path in programs(state) {
        file(root, path, "#!/bin/sh\n# a program of the model: it runs in process\nexit 127\n")?;
        fs::set_permissions(root.join(path), Permissions::from_mode(0o755))?;
    }
    link(root, "../../opt/xensource/bin/xe", "usr/bin/xe")
}

/// `/etc/xensource-inventory`.
fn inventory(state: &State) -> String {
    let host = state.host();
    let field =
        |name: &str| host.and_then(|h| h.software_version.get(name)).cloned().unwrap_or_default();
    let uuid = host.map(|h| h.uuid.clone()).unwrap_or_default();
    let control = state
        .pool
        .vms
        .values()
        .find(|v| v.is_control_domain && v.resident_on.as_ref() == Some(&state.dom0.me));
    let control = control.map(|v| v.uuid.clone()).unwrap_or_default();
    format!(
        "PRIMARY_DISK='/dev/sda'\nPRODUCT_VERSION='{}'\nDOM0_VCPUS='8'\nCONTROL_DOMAIN_UUID='{control}'\nDOM0_MEM='4096'\nCOMPANY_NAME_SHORT='Open Source'\nMANAGEMENT_ADDRESS_TYPE='IPv4'\nPRODUCT_BRAND='{}'\nINSTALLATION_UUID='{uuid}'\nKERNEL_VERSION='{}'\nXEN_VERSION='{}'\nPLATFORM_VERSION='{}'\nPLATFORM_NAME='XCP'\nBUILD_NUMBER='{}'\nMANAGEMENT_INTERFACE='xenbr0'\nINSTALLATION_DATE='2024-03-05 09:12:44.120391'\n",
        field("product_version"),
        field("product_brand"),
        state.dom0.kernel,
        field("xen"),
        field("platform_version"),
        field("build_number"),
    )
}

fn configuration(root: &Path, state: &mut State) -> Result<()> {
    let el5 = state.dom0.flavour == Flavour::El5;
    let address = state.host().map(|h| h.address.clone()).unwrap_or_default();
    file(root, "etc/xensource-inventory", &inventory(state))?;
    file(root, "etc/xensource/network.conf", &format!("{}\n", state.dom0.running.word()))?;
    if state.dom0.running == Backend::Openvswitch {
        file(root, "etc/modprobe.d/blacklist-bridge.conf", "install bridge /bin/true\n")?;
    }
    let master = state.pool.hosts.get(&state.pool.master).map(|h| h.address.clone());
    let role = match master {
        Some(address) if state.pool.master != state.dom0.me => format!("slave:{address}"),
        _ => "master".to_string(),
    };
    file(root, "etc/xensource/pool.conf", &role)?;
    if state.pool.redo_log_enabled {
        // `enable_redo_log` attaches its VDI on every host of the pool.
        file(root, "etc/xensource/static-vdis/0/reason", "general metadata VDI")?;
        file(root, "etc/xensource/static-vdis/0/vdi-uuid", &uuid_of("redo log"))?;
    }
    file(root, "etc/hostname", &format!("{}\n", state.dom0.me))?;
    file(root, "etc/resolv.conf", "nameserver 10.20.0.2\n")?;
    file(root, "etc/fstab", "/dev/sda1 / ext3 defaults 1 1\n")?;
    let network = format!("NETWORKING=yes\nHOSTNAME={}\n", state.dom0.me);
    let scripts = "etc/sysconfig/network-scripts";
    file(
        root,
        &format!("{scripts}/ifcfg-lo"),
        "DEVICE=lo\nIPADDR=127.0.0.1\nNETMASK=255.0.0.0\nNETWORK=127.0.0.0\nBROADCAST=127.255.255.255\nONBOOT=yes\nNAME=loopback\n",
    )?;
    boot_scripts(root, scripts, state.dom0.features.initscripts)?;
    file(root, &format!("{scripts}/interface-rename-data/static-rules.conf"), "# Static rules.\n")?;
    if el5 {
        file(root, "sbin/vconfig", "#!/bin/sh\n# a program of the boot scripts\nexit 127\n")?;
        file(root, "etc/sysconfig/network", &network)?;
        file(root, "etc/redhat-release", "XenServer release 6.5.0-90233c (xenenterprise)\n")?;
        file(
            root,
            "etc/modprobe.conf",
            "alias scsi_hostadapter megaraid_sas\nalias scsi_hostadapter1 ata_piix\n# ixgbe: see the hardware notes\noptions ixgbe max_vfs=0\nalias char-major-10-1   msr\n",
        )?;
        file(
            root,
            "etc/modprobe.d/modprobe.conf.dist",
            "# default modutils aliases\nalias net-pf-4 off\ninstall binfmt-0000 /bin/true\n",
        )?;
        let slave = "# DO NOT EDIT: This file generated by the installer\nXEMANAGED=yes\nDEVICE=eth0\nONBOOT=no\nTYPE=Ethernet\nHWADDR=00:1b:21:0a:01:00\nBRIDGE=xenbr0\n";
        file(root, &format!("{scripts}/ifcfg-eth0"), slave)?;
        let bridge = format!(
            "# DO NOT EDIT: This file generated by the installer\nXEMANAGED=yes\nDEVICE=xenbr0\nONBOOT=no\nTYPE=Bridge\nDELAY=0\nSTP=off\nPIFDEV=eth0\nBOOTPROTO=none\nNETMASK=255.255.255.0\nIPADDR={address}\nGATEWAY=10.20.0.1\nPEERDNS=yes\nDNS1=10.20.0.2\n"
        );
        file(root, &format!("{scripts}/ifcfg-xenbr0"), &bridge)?;
    } else {
        file(root, "etc/sysconfig/network", &network)?;
        file(root, "etc/redhat-release", "XCP-ng release 8.2.1 (xenenterprise)\n")?;
        file(
            root,
            "etc/modprobe.d/mlx4.conf",
            "# Configuration file for the Mellanox ConnectX-2/ConnectX-3 driver mlx4_core\n",
        )?;
        file(
            root,
            "usr/lib/modprobe.d/dist-blacklist.conf",
            "blacklist i8xx_tco\nblacklist pcspkr\n",
        )?;
        file(root, "etc/systemd/system.conf", "[Manager]\n")?;
    }
    let lines = modprobe::module(&Shell::new(root, state)).join("\0");
    let module = format!("lib/modules/{}/kernel/drivers/net/bonding/bonding.ko", state.dom0.kernel);
    file(root, &module, &format!("\u{7f}ELF\0{lines}\0"))
}

/// The boot scripts, as far as their texts tell anything.
fn boot_scripts(root: &Path, scripts: &str, release: Flavour) -> Result<()> {
    let mut functions =
        "# is_available, need_config, source_config, install_bonding_driver: BONDING_OPTS\n"
            .to_string();
    if release == Flavour::El7 {
        functions.push_str("# ethtool_set\n");
    }
    file(root, &format!("{scripts}/network-functions"), &functions)?;
    for script in ["ifup-eth", "ifdown-eth", "ifup-post", "ifup-routes"] {
        let by = if release == Flavour::El5 { "/sbin/vconfig rem" } else { "ip link delete" };
        let text = match script {
            "ifdown-eth" => format!("#!/bin/bash\n# a VLAN goes by {by}\n"),
            _ => "#!/bin/bash\n".to_string(),
        };
        file(root, &format!("{scripts}/{script}"), &text)?;
        fs::set_permissions(root.join(scripts).join(script), Permissions::from_mode(0o755))?;
    }
    Ok(())
}

fn file(root: &Path, path: &str, text: &str) -> Result<()> {
    let real = root.join(path);
    if real.symlink_metadata().is_ok() {
        return Ok(());
    }
    if let Some(folder) = real.parent() {
        fs::create_dir_all(folder).with_context(|| format!("making the folder of {path}"))?;
    }
    fs::write(&real, text).with_context(|| format!("writing {path} of the model"))
}

fn link(root: &Path, target: &str, path: &str) -> Result<()> {
    let real = root.join(path);
    if real.symlink_metadata().is_ok() {
        return Ok(());
    }
    symlink(target, real).with_context(|| format!("linking {path} of the model"))
}

/// The programs' files, for stand-ins that take their places.
pub(super) fn program_files(state: &State) -> Vec<&'static str> {
    programs(state)
}
