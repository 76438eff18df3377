//! What else of the host bears on a change of its network: storage that is in use, what the next
//! boot will do to the NICs, and whether there is room to write. Files, `/proc` and `/sys` only.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::storage::{StoragePath, StorageUse};
use crate::host::{Host, join};
use crate::ifcfg;
use crate::ledger::Lock;
use crate::net::MacAddr;
use crate::order;
use crate::paths;

/// A name that interface-rename gives a NIC at boot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenameRule {
    /// The file that says so.
    pub file: String,
    /// The name.
    pub name: String,
    /// The NIC, by MAC address,
    pub mac: Option<MacAddr>,
    /// or by PCI function.
    pub pci: Option<String>,
}

/// A place that a change writes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The folder.
    pub folder: String,
    /// Where its file system is mounted, when that is read-only.
    pub read_only: Option<String>,
    /// Bytes that root may still write there; `None`: unknown.
    pub free: Option<u64>,
}

/// One reading.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ground {
    /// The pool's master, where this host is a member.
    pub pool_master: Option<String>,
    /// Whether the pool's redo log is on: every host then has a static VDI for it.
    pub redo_log: bool,
    /// Whether XAPI is to set the network up anew at its next start.
    pub network_reset: bool,
    /// Mounts and iSCSI sessions.
    pub storage: Vec<StoragePath>,
    /// Devices that carry FCoE.
    pub fcoe: Vec<String>,
    /// NICs that the host boots from, by the firmware's iSCSI table.
    pub boot_nics: Vec<MacAddr>,
    /// What interface-rename will do.
    pub rename_rules: Vec<RenameRule>,
    /// Another program than XAPI's own that says which NICs a rescan leaves alone.
    pub rescan_rules: Option<String>,
    /// The file that says that this XAPI does without Linux bridges.
    pub no_linux_bridge: Option<String>,
    /// Whether the boot scripts know `BONDING_OPTS`; `None` where there are none.
    pub bonding_opts: Option<bool>,
    /// Whether they hand several settings of a NIC to `ethtool`, and not only those of its link.
    #[serde(default)]
    pub ethtool_set: Option<bool>,
    /// Whether the boot scripts make VLANs by a program that is not there.
    #[serde(default)]
    pub no_vconfig: bool,
    /// The device that the boot scripts give the default route.
    pub gateway_device: Option<String>,
    /// The gateway that the boot scripts try on every interface whose subnet has it.
    pub gateway: Option<Ipv4Addr>,
    /// Where a change writes.
    pub places: Vec<Place>,
    /// Another run that is changing the host now, in its own words.
    pub other_run: Option<String>,
}

/// `static-vdis/N/reason` of the redo log's VDI (xapi `xapi_globs.ml`, `gen_metadata_vdi_reason`),
/// which `enable_redo_log` attaches on every host of the pool (xapi `xapi_pool.ml`).
const REDO_LOG: &str = "general metadata VDI";

/// The same of the database under high availability (`ha_metadata_vdi_reason` there).
const HA_DATABASE: &str = "HA metadata VDI";

/// XAPI's own program for `non-managed-pifs` (xapi `xapi_globs.ml`): it names what the firmware
/// boots from.
const RESCAN_RULES: &str = "/opt/xensource/libexec/bfs-interfaces";

/// By which the boot scripts of el5 make VLANs (tests/ground/initscripts.md, J1).
const VCONFIG: &str = "/sbin/vconfig";

/// File systems that come over the network. Those of FUSE (gluster, MooseFS) too: their type, or
/// that of FUSE, is all that tells.
fn comes_over_the_network(kind: &str) -> bool {
    const KINDS: [&str; 8] = ["nfs", "nfs4", "cifs", "smb3", "ceph", "glusterfs", "lustre", "fuse"];
    KINDS.contains(&kind) || kind.starts_with("fuse.")
}

impl Ground {
    /// Reads what else of the host bears on a change.
    ///
    /// # Errors
    /// When a file that is there cannot be read.
    pub fn read(host: &Host) -> Result<Self> {
        let text = |path: &str| -> Result<String> { Ok(host.read_text(path)?.unwrap_or_default()) };
        let mounts = text("/proc/mounts")?;
        let network = ifcfg::parse(&text("/etc/sysconfig/network")?);
        let (rescan, bridge) = settings(host)?;
        let functions = host.read_text(&join(paths::NETWORK_SCRIPTS, "network-functions"))?;
        let knows = |word: &str| functions.as_ref().map(|text| text.contains(word));
        let mut storage = mounted(&mounts, &hosts(&text("/etc/hosts")?));
        storage.extend(iscsi(host)?);
        Ok(Self {
            pool_master: text("/etc/xensource/pool.conf")?
                .trim()
                .strip_prefix("slave:")
                .map(String::from),
            redo_log: redo_log(host)?,
            network_reset: host.exists(paths::NETWORK_RESET),
            storage,
            fcoe: fcoe(host)?,
            boot_nics: boot_nics(host)?,
            rename_rules: rename_rules(host)?,
            rescan_rules: rescan,
            no_linux_bridge: bridge,
            bonding_opts: knows("BONDING_OPTS"),
            ethtool_set: knows("ethtool_set"),
            no_vconfig: host
                .read_text(&join(paths::NETWORK_SCRIPTS, "ifdown-eth"))?
                .is_some_and(|text| text.contains(VCONFIG) && !host.exists(VCONFIG)),
            gateway_device: network
                .get("GATEWAYDEV")
                .filter(|device| !device.is_empty())
                .map(String::from),
            gateway: network.get("GATEWAY").and_then(|gateway| gateway.parse().ok()),
            places: places(host, &mounts),
            other_run: other_run(host)?,
        })
    }
}

/// Who changes this host now. Asking the lock holds it for a moment, so it is asked only when the
/// process that it names may be another one that lives: a transaction that goes on after its
/// reboot looks at the host with the lock in its own hands.
pub(crate) fn other_run(host: &Host) -> Result<Option<String>> {
    let words = host.read_text(&join(paths::STATE, "lock"))?.unwrap_or_default();
    let pid = words.strip_prefix("pid ").and_then(|rest| rest.split(',').next()?.parse().ok());
    let other = pid.is_some_and(|pid| pid != std::process::id() && host.lives(pid));
    Ok(if other { Lock::holder(host) } else { None })
}

fn redo_log(host: &Host) -> Result<bool> {
    Ok(static_vdis(host)?.iter().any(|reason| reason == REDO_LOG))
}

/// Whether XAPI writes its database to a disk of its own, so that its file tells nothing: with
/// high availability to that alone, with a redo log to that at once
/// (tests/ground/xapi-measured.md, M20).
pub(super) fn database_is_elsewhere(host: &Host) -> bool {
    let all = static_vdis(host).unwrap_or_default();
    all.iter().any(|reason| [REDO_LOG, HA_DATABASE].contains(&reason.as_str()))
}

/// What the disks are for that XAPI attaches to this host before it has its database.
fn static_vdis(host: &Host) -> Result<Vec<String>> {
    const STATIC_VDIS: &str = "/etc/xensource/static-vdis";
    let mut reasons = Vec::new();
    for name in host.list(STATIC_VDIS)? {
        let folder = join(STATIC_VDIS, &name);
        let reason = host.read_text(&join(&folder, "reason"))?.unwrap_or_default();
        if !host.exists(&join(&folder, "delete-next-boot")) {
            reasons.push(reason.trim().to_string());
        }
    }
    Ok(reasons)
}

/// `/proc/mounts`: source, mount point, type, options. NFS and SMB show their server in the option
/// `addr=`; of the others it stands only in the source, maybe several of them, maybe by name.
fn mounted(mounts: &str, hosts: &BTreeMap<String, Ipv4Addr>) -> Vec<StoragePath> {
    let mut found = Vec::new();
    for line in mounts.lines() {
        let [source, _, kind, options, ..] = line.split(' ').collect::<Vec<_>>()[..] else {
            continue;
        };
        if !comes_over_the_network(kind) {
            continue;
        }
        let option = |key: &str| options.split(',').find_map(|o| o.strip_prefix(key));
        let mut servers: Vec<Ipv4Addr> =
            option("addr=").into_iter().filter_map(|addr| addr.parse().ok()).collect();
        if servers.is_empty() && option("addr=").is_none() {
            let named = [Some(source), option("mon_addr=")];
            servers =
                named.into_iter().flatten().flat_map(|text| servers_in(text, hosts)).collect();
        }
        for server in servers {
            let used = StorageUse::Mount { source: source.into(), filesystem: kind.into() };
            found.push(StoragePath { used, server });
        }
    }
    found
}

/// The servers that a source names: by address, or by a name of `/etc/hosts`.
fn servers_in(text: &str, hosts: &BTreeMap<String, Ipv4Addr>) -> Vec<Ipv4Addr> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || ".-_".contains(c)));
    let named = |word: &str| word.parse().ok().or_else(|| hosts.get(word).copied());
    let mut found: Vec<Ipv4Addr> = words.filter_map(named).collect();
    found.dedup();
    found
}

/// The names of `/etc/hosts`, the first line of a name counts; those of this host itself left out.
fn hosts(text: &str) -> BTreeMap<String, Ipv4Addr> {
    let mut all = BTreeMap::new();
    for line in text.lines() {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        let Some(addr) = words.next().and_then(|addr| addr.parse::<Ipv4Addr>().ok()) else {
            continue;
        };
        for name in words.filter(|_| !addr.is_loopback()) {
            all.entry(name.to_string()).or_insert(addr);
        }
    }
    all
}

/// Connections of iSCSI sessions: the address that the session is connected to now, or else was
/// told to (drivers/scsi/scsi_transport_iscsi.c).
fn iscsi(host: &Host) -> Result<Vec<StoragePath>> {
    const CONNECTIONS: &str = "/sys/class/iscsi_connection";
    let mut found = Vec::new();
    for name in host.list(CONNECTIONS)? {
        let folder = join(CONNECTIONS, &name);
        let server = ["address", "persistent_address"]
            .iter()
            .find_map(|file| host.attribute(&join(&folder, file))?.parse::<Ipv4Addr>().ok());
        if let Some(server) = server {
            found.push(StoragePath { used: StorageUse::Iscsi { connection: name }, server });
        }
    }
    Ok(found)
}

/// Devices below FCoE hosts, by the name that both drivers give themselves, `... over DEVICE`
/// (drivers/scsi/fcoe/fcoe.c `fcoe_shost_config`, drivers/scsi/bnx2fc/bnx2fc_fcoe.c), and those
/// that are to get one.
fn fcoe(host: &Host) -> Result<Vec<String>> {
    const HOSTS: &str = "/sys/class/fc_host";
    const CONFIG: &str = "/etc/fcoe";
    let mut found = Vec::new();
    for name in host.list(HOSTS)? {
        let said = host.attribute(&format!("{HOSTS}/{name}/symbolic_name")).unwrap_or_default();
        found.extend(said.rsplit_once(" over ").map(|(_, device)| device.to_string()));
    }
    for name in host.list(CONFIG)? {
        let Some(device) = name.strip_prefix("cfg-") else { continue };
        let text = host.read_text(&join(CONFIG, &name))?.unwrap_or_default();
        if ifcfg::parse(&text).get("FCOE_ENABLE") == Some("yes") {
            found.push(device.to_string());
        }
    }
    order::sort(&mut found);
    found.dedup();
    Ok(found)
}

fn boot_nics(host: &Host) -> Result<Vec<MacAddr>> {
    const TABLE: &str = "/sys/firmware/ibft";
    let names = host.list(TABLE)?;
    let nics = names.iter().filter(|name| name.starts_with("ethernet"));
    Ok(nics.filter_map(|n| host.attribute(&format!("{TABLE}/{n}/mac"))?.parse().ok()).collect())
}

/// The rules of interface-rename: `static-rules.conf` overrides what was so at the last boot,
/// `dynamic-rules.json` (tests/ground/xapi.md, C6).
fn rename_rules(host: &Host) -> Result<Vec<RenameRule>> {
    let folder = join(paths::NETWORK_SCRIPTS, "interface-rename-data");
    let file = join(&folder, "static-rules.conf");
    let mut rules = static_rules(&file, &host.read_text(&file)?.unwrap_or_default());
    let file = join(&folder, "dynamic-rules.json");
    let last = last_boot(&file, &host.read_text(&file)?.unwrap_or_default());
    let ruled = |rule: &RenameRule| {
        rules.iter().any(|r: &RenameRule| {
            r.name == rule.name || r.mac == rule.mac || (r.pci.is_some() && r.pci == rule.pci)
        })
    };
    let last: Vec<RenameRule> = last.into_iter().filter(|rule| !ruled(rule)).collect();
    rules.extend(last);
    Ok(rules)
}

/// Lines `eth2: mac = "00:1b:21:0a:01:02"`, by `mac`, `pci`, or what only the firmware knows. Blanks
/// may stand anywhere, values in either quotes or none, and the domain of a PCI function may be
/// left out (interface-rename, xcp/net/ifrename/static.py).
fn static_rules(file: &str, text: &str) -> Vec<RenameRule> {
    let rule = |line: &str| {
        let line = line.split('#').next()?;
        let (name, rest) = line.split_once(':')?;
        let (method, value) = rest.split_once('=')?;
        let method = method.trim().to_ascii_lowercase();
        let value = value.trim().trim_matches(['"', '\'']).trim();
        let rule = RenameRule {
            file: file.into(),
            name: name.trim().into(),
            mac: (method == "mac").then(|| value.parse().ok()).flatten(),
            pci: (method == "pci").then(|| function(value)).flatten(),
        };
        (rule.mac.is_some() || rule.pci.is_some()).then_some(rule)
    };
    text.lines().filter_map(rule).collect()
}

/// A PCI function in full. `...[1]` is the second of several NICs on one function, which the kernel
/// does not tell apart here.
fn function(text: &str) -> Option<String> {
    let text = text.strip_suffix("[0]").unwrap_or(text).to_ascii_lowercase();
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_hexdigit() || b == b'.');
    match text.split(':').collect::<Vec<_>>()[..] {
        [bus, device] if digits(bus) && digits(device) => Some(format!("0000:{text}")),
        [domain, bus, device] if digits(domain) && digits(bus) && digits(device) => Some(text),
        _ => None,
    }
}

/// `{"lastboot": [[MAC, PCI, NAME], ...]}`
fn last_boot(file: &str, text: &str) -> Vec<RenameRule> {
    // Comment lines stand before the document.
    let json: String = text.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    let value: serde_json::Value = serde_json::from_slice(json.as_bytes()).unwrap_or_default();
    let entries = value["lastboot"].as_array().cloned().unwrap_or_default();
    let rule = |entry: &serde_json::Value| {
        Some(RenameRule {
            file: file.into(),
            name: entry[2].as_str()?.into(),
            mac: Some(entry[0].as_str()?.parse().ok()?),
            pci: None,
        })
    };
    entries.iter().filter_map(rule).collect()
}

/// Another `non-managed-pifs` than XAPI's own, and where `support-linux-bridge` is false: the flag
/// of xen-api#6620, which may stand in either daemon's configuration.
fn settings(host: &Host) -> Result<(Option<String>, Option<String>)> {
    const FOLDER: &str = "/etc/xapi.conf.d";
    let mut files = vec!["/etc/xapi.conf".to_string()];
    files.extend(host.list(FOLDER)?.iter().map(|name| join(FOLDER, name)));
    files.push("/etc/xcp-networkd.conf".into());
    let (mut rescan, mut bridge) = (None, None);
    for file in files {
        for line in host.read_text(&file)?.unwrap_or_default().lines() {
            match line.split_once('=').map(|(key, value)| (key.trim(), value.trim())) {
                Some(("non-managed-pifs", path)) => {
                    rescan = Some(path.to_string()).filter(|path| path != RESCAN_RULES);
                }
                Some(("support-linux-bridge", "false")) => bridge = Some(file.clone()),
                _ => {}
            }
        }
    }
    Ok((rescan, bridge))
}

/// The folders that a change writes to.
fn places(host: &Host, mounts: &str) -> Vec<Place> {
    let wanted = [paths::NETWORK_SCRIPTS, paths::MODPROBE_D, paths::SYSTEMD_UNITS, paths::VAR_LIB];
    let place = |folder: &str| Place {
        folder: folder.into(),
        read_only: read_only(mounts, folder),
        free: host.free_space(folder),
    };
    wanted.into_iter().filter(|folder| host.exists(folder)).map(place).collect()
}

/// The mount point that a folder lies below, when that is mounted read-only: the longest, and of
/// several mounts on one the last.
fn read_only(mounts: &str, folder: &str) -> Option<String> {
    let mut best: Option<(&str, bool)> = None;
    for line in mounts.lines() {
        let [_, at, _, options, ..] = line.split(' ').collect::<Vec<_>>()[..] else { continue };
        let below = folder.strip_prefix(at.trim_end_matches('/'));
        if below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            && best.is_none_or(|(other, _)| other.len() <= at.len())
        {
            best = Some((at, options.split(',').any(|option| option == "ro")));
        }
    }
    best.filter(|(_, read_only)| *read_only).map(|(at, _)| at.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_of_mounts_are_read_from_their_options() {
        let text = "\
/dev/sda1 / ext3 rw 0 0
172.16.51.2:/export/vm /run/sr-mount/7c0f nfs4 rw,vers=4.1,clientaddr=10.20.0.11,addr=172.16.51.2 0 0
filer:/iso /run/sr-mount/a\\040b nfs ro,addr=10.9.9.9,mountaddr=10.9.9.8 0 0
//10.0.0.9/isos /mnt cifs rw,username=x,addr=10.0.0.9 0 0
host:/v6 /v6 nfs4 rw,addr=fd00::2 0 0
tmpfs /run tmpfs rw 0 0
10.0.1.1:6789,10.0.1.2:6789:/ /ceph ceph rw,name=admin,secret=<hidden> 0 0
admin@1b.fs=/ /ceph2 ceph rw,mon_addr=10.0.1.3:6789/10.0.1.4:6789 0 0
10.0.2.1:/gv0 /gluster fuse.glusterfs rw 0 0
mfs#mfs1:9421 /mfs fuse rw 0 0
gvfsd-fuse /run/user/0/gvfs fuse.gvfsd-fuse rw 0 0
";
        let names = hosts("127.0.0.1 localhost filer2\n10.9.9.7\tmfs1.example mfs1 # x\n");
        let found: Vec<String> =
            mounted(text, &names).iter().map(|s| format!("{} {}", s.used, s.server)).collect();
        assert_eq!(
            found,
            [
                "the nfs4 mount of 172.16.51.2:/export/vm 172.16.51.2",
                "the nfs mount of filer:/iso 10.9.9.9",
                "the cifs mount of //10.0.0.9/isos 10.0.0.9",
                "the ceph mount of 10.0.1.1:6789,10.0.1.2:6789:/ 10.0.1.1",
                "the ceph mount of 10.0.1.1:6789,10.0.1.2:6789:/ 10.0.1.2",
                "the ceph mount of admin@1b.fs=/ 10.0.1.3",
                "the ceph mount of admin@1b.fs=/ 10.0.1.4",
                "the fuse.glusterfs mount of 10.0.2.1:/gv0 10.0.2.1",
                "the fuse mount of mfs#mfs1:9421 10.9.9.7",
            ]
        );
    }

    #[test]
    fn a_folder_is_as_the_file_system_it_lies_on() {
        let text = "\
/dev/sda1 / ext3 rw,relatime 0 0
/dev/sda2 /var ext3 ro 0 0
/dev/sda3 /var/lib ext3 rw 0 0
/dev/sda4 /etc/sys ext3 ro 0 0
tmpfs /opt tmpfs rw 0 0
/dev/sda5 /opt ext3 ro,noatime 0 0
";
        for (folder, want) in [
            ("/etc/sysconfig", None),
            ("/etc/sys", Some("/etc/sys")),
            ("/var", Some("/var")),
            ("/var/log", Some("/var")),
            ("/var/lib", None),
            ("/opt/xensource", Some("/opt")),
        ] {
            assert_eq!(read_only(text, folder).as_deref(), want, "{folder}");
        }
        assert_eq!(read_only("/dev/root / ext3 ro 0 0\n", "/etc").as_deref(), Some("/"));
        assert_eq!(read_only("", "/etc"), None);
    }

    #[test]
    fn rules_of_interface_rename_are_read_by_mac_and_pci() {
        let text = "# eth9: mac = \"00:00:00:00:00:09\"\n\neth2:mac = \"00:1B:21:0A:01:03\"\n\
            eth3: pci = \"0000:03:00.1\"\neth4: ppn = \"p1p1\"\neth5: pci = \"0000:03:00.1[1]\"\n\
            \teth6 :MAC='00:1B:21:0A:01:06' # c\neth7:pci=04:00.0\neth8: pci = 0000:05:00.A[0]\n";
        let rules = static_rules("f", text);
        let shown: Vec<String> = rules
            .iter()
            .map(|r| format!("{} {:?} {:?}", r.name, r.mac.map(|m| m.to_string()), r.pci))
            .collect();
        assert_eq!(
            shown,
            [
                "eth2 Some(\"00:1b:21:0a:01:03\") None",
                "eth3 None Some(\"0000:03:00.1\")",
                "eth6 Some(\"00:1b:21:0a:01:06\") None",
                "eth7 None Some(\"0000:04:00.0\")",
                "eth8 None Some(\"0000:05:00.a\")",
            ]
        );
        let text = "# Automatically adjusted file.\n{\"lastboot\": [[\"00:1b:21:0a:01:03\", \
            \"0000:04:00.1\", \"eth7\"], [\"x\", \"y\", \"eth8\"]], \"old\": []}\n";
        let rules = last_boot("f", text);
        assert_eq!((rules.len(), rules[0].name.as_str()), (1, "eth7"));
        for text in ["", "{", "[]", "{\"lastboot\": 3}"] {
            assert_eq!(last_boot("f", text), vec![], "{text}");
        }
    }
}
