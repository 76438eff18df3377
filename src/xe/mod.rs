//! Every `xe` command line of the program, and what its answers mean; only what
//! `undo.sh` asks is spelt with that script.
//!
//! State is always read by listing it again: exit codes say little and message texts drift
//! between releases (facts/xapi.md section B0).

mod failure;
mod guards;
mod record;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::host::{Cmd, Host, Output, Program};
use crate::net::{Backend, IfName, MacAddr, Uuid};
pub use failure::{Failure, failure, killed};
pub use guards::{Bond, ClusterHost, Pbd, Pool, bonds, cluster_hosts, pbds, pool};
use record::{Record, parse};

/// How long a call may take: dom0 under load has been seen to need 30 s (facts/xapi.md section G).
const LIMIT: Duration = Duration::from_secs(60);

/// `pif-reconfigure-ip` polls the host for up to 300 s itself (facts/xapi.md section B7).
const RECONFIGURE_LIMIT: Duration = Duration::from_secs(330);

/// A host of the pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PoolHost {
    /// XAPI's uuid; that of this host is `INSTALLATION_UUID` of its inventory file.
    pub uuid: Uuid,
    /// What an administrator calls it; neither unique nor the hostname.
    pub name_label: String,
    /// Its hostname.
    pub hostname: String,
    /// The backend that was running when its XAPI started; a host too old to say is on `bridge`
    /// (facts/xapi.md section D).
    pub backend: Backend,
    /// Product and version, for people.
    pub product: String,
}

/// IP settings by the names of `pif-list`, in the order of the names. A list and no map: there are
/// a few, and a large pool has thousands of PIFs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "BTreeMap<String, String>", into = "BTreeMap<String, String>")]
pub struct IpSettings(Vec<(Cow<'static, str>, String)>);

impl IpSettings {
    /// The value of one, if it is set.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }
}

impl From<BTreeMap<String, String>> for IpSettings {
    fn from(map: BTreeMap<String, String>) -> Self {
        Self(map.into_iter().map(|(name, value)| (name.into(), value)).collect())
    }
}

impl From<IpSettings> for BTreeMap<String, String> {
    fn from(settings: IpSettings) -> Self {
        settings.0.into_iter().map(|(name, value)| (name.into(), value)).collect()
    }
}

/// A physical interface record: of a NIC, a VLAN, a bond or a tunnel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pif {
    /// XAPI's uuid: another one after a forget.
    pub uuid: Uuid,
    /// The device; a VLAN's is that of its NIC.
    pub device: String,
    /// The MAC address as XAPI knows it.
    pub mac: String,
    /// Whether it stands for a NIC.
    pub physical: bool,
    /// Whether XAPI touches it; `None` where XAPI has no such field (6.2 and older).
    pub managed: Option<bool>,
    /// Whether it is plugged.
    pub attached: bool,
    /// VLAN tag; -1: none.
    pub vlan: i32,
    /// Set when it stands for a bond.
    pub bond_master_of: String,
    /// The managed bond that it is a slave of.
    pub bond_slave_of: Option<Uuid>,
    /// A tunnel or SR-IOV relation, as `field: value` pairs; empty on a plain NIC.
    pub relations: BTreeMap<String, String>,
    /// Whether the host is managed through it.
    pub management: bool,
    /// Its network.
    pub network: Uuid,
    /// Whether XAPI refuses to unplug it.
    pub disallow_unplug: bool,
    /// IP settings by the names of `pif-list`: those that a forget loses.
    pub ip: IpSettings,
    /// `properties`, such as `gro`.
    pub properties: BTreeMap<String, String>,
    /// `other-config`, whole.
    pub other_config: BTreeMap<String, String>,
}

impl Pif {
    /// Whether it stands for a NIC itself and not for something on top of one: filtering by
    /// device alone finds VLANs too (xen-api#5571, facts/xapi.md section H).
    #[must_use]
    pub fn is_nic(&self) -> bool {
        self.physical && self.vlan == -1
    }

    /// Whether XAPI touches it.
    #[must_use]
    pub fn is_managed(&self) -> bool {
        self.managed != Some(false)
    }

    /// The IP settings that someone made: what DHCP gave is not among them.
    #[must_use]
    pub fn static_ip(&self) -> IpSettings {
        let mut ip = self.ip.clone();
        if self.ip_mode() == "dhcp" {
            ip.0.retain(|(name, _)| !["IP", "netmask", "gateway", "DNS"].contains(&&**name));
        }
        ip
    }

    /// The IP configuration mode as `pif-reconfigure-ip` takes it.
    #[must_use]
    pub fn ip_mode(&self) -> String {
        self.ip
            .get("IP-configuration-mode")
            .map_or_else(|| "none".into(), |m| m.to_ascii_lowercase())
    }
}

/// A network and its bridge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Network {
    /// XAPI's uuid.
    pub uuid: Uuid,
    /// Its bridge.
    pub bridge: String,
}

/// A virtual interface of a VM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Vif {
    /// XAPI's uuid.
    pub uuid: Uuid,
    /// Its VM.
    pub vm: Uuid,
    /// Its network.
    pub network: Uuid,
    /// Whether it is plugged.
    pub attached: bool,
}

/// A VM; no dom0, template or snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Vm {
    /// XAPI's uuid.
    pub uuid: Uuid,
    /// What people call it.
    pub name_label: String,
    /// The host that it runs on, or is paused on.
    pub runs_on: Option<Uuid>,
}

/// What a PIF is and where it hangs.
const PIF_OWN: &[&str] = &[
    "uuid",
    "device",
    "MAC",
    "physical",
    "managed",
    "currently-attached",
    "VLAN",
    "bond-master-of",
    "bond-slave-of",
    "management",
    "network-uuid",
    "disallow-unplug",
];

/// Its IP settings, which a forget loses (facts/xapi.md section B4).
const PIF_IP: &[&str] = &[
    "IP-configuration-mode",
    "IP",
    "netmask",
    "gateway",
    "IPv6-configuration-mode",
    "IPv6",
    "IPv6-gateway",
    "primary-address-type",
    "DNS",
];

/// Relations that bar a forget.
const PIF_RELATIONS: &[&str] = &[
    "sriov-physical-PIF-of",
    "sriov-logical-PIF-of",
    "tunnel-access-PIF-of",
    "tunnel-transport-PIF-of",
];

/// Maps of a PIF that people write; asked for apart from the rest.
const PIF_MAPS: &[&str] = &["uuid", "properties", "other-config"];

fn list(class: &str, filters: &[String], params: &[&str]) -> Cmd {
    let mut args = vec![format!("{class}-list")];
    args.extend_from_slice(filters);
    args.push(format!("params={}", params.join(",")));
    Cmd::read(Program::Xe, &args, LIMIT)
}

/// What `each` makes of every record, of which those without `optional` fields are whole.
fn read<T>(
    host: &Host,
    cmd: &Cmd,
    params: &[&str],
    optional: &[&str],
    each: impl Fn(&Record) -> Result<T>,
) -> Result<Vec<T>> {
    let (output, all) = records(host, cmd, params, optional, each)?;
    output.check(cmd)?;
    all
}

/// The same whatever its exit status: both are the caller's to judge.
fn records<T>(
    host: &Host,
    cmd: &Cmd,
    params: &[&str],
    optional: &[&str],
    each: impl Fn(&Record) -> Result<T>,
) -> Result<(Output, Result<Vec<T>>)> {
    let mut all = Vec::new();
    let mut keep = |record: &Record| each(record).map(|one| all.push(one));
    let mut ended = Ok(());
    let output = host.run_reading(cmd, &mut |printed| {
        ended = parse(printed, params, optional, &mut keep);
    })?;
    let ended = ended.with_context(|| format!("reading what `{cmd}` printed"));
    Ok((output, ended.map(|()| all)))
}

/// All hosts of the pool.
///
/// # Errors
/// When XAPI does not answer, or not in its own form. So for every reader here.
pub fn hosts(host: &Host) -> Result<Vec<PoolHost>> {
    let params = ["uuid", "name-label", "hostname", "software-version"];
    read(host, &list("host", &[], &params), &params, &["hostname"], |record| {
        let version = record.map("software-version");
        let part = |key: &str| version.get(key).cloned().unwrap_or_default();
        Ok(PoolHost {
            uuid: record.uuid()?,
            name_label: record.text("name-label"),
            hostname: record.text("hostname"),
            backend: version
                .get("network_backend")
                .map_or(Backend::Bridge, |word| word.as_str().into()),
            product: format!("{} {}", part("product_brand"), part("product_version"))
                .trim()
                .to_string(),
        })
    })
}

/// All PIFs of this host, without `properties` and `other-config`.
pub fn pifs(host: &Host, of: &Uuid) -> Result<Vec<Pif>> {
    // Machine-made, all of them: no person's text can forge a record among these.
    let fields = [PIF_OWN, PIF_IP, PIF_RELATIONS].concat();
    // Fields of later releases: unknown names in `params=` are left out without a word.
    let later = |f: &&str| f.starts_with("IPv6") || ["managed", "primary-address-type"].contains(f);
    let optional: Vec<&str> =
        fields.iter().filter(|f| PIF_RELATIONS.contains(f) || later(f)).copied().collect();
    let cmd = list("pif", &[format!("host-uuid={of}")], &fields);
    read(host, &cmd, &fields, &optional, pif)
}

fn pif(record: &Record) -> Result<Pif> {
    let value = |field: &&'static str| {
        let value = record.get(field).filter(|v| !["", record::NULL].contains(v))?;
        Some((Cow::Borrowed(*field), value.to_string()))
    };
    let mut ip: Vec<_> = PIF_IP.iter().filter_map(value).collect();
    ip.sort_unstable();
    Ok(Pif {
        uuid: record.uuid()?,
        device: record.text("device"),
        mac: record.get("MAC").unwrap_or_default().to_ascii_lowercase(),
        physical: record.bool("physical")?,
        managed: record.get("managed").is_some().then(|| record.bool("managed")).transpose()?,
        attached: record.bool("currently-attached")?,
        vlan: record.get("VLAN").unwrap_or_default().parse().context("VLAN")?,
        bond_master_of: record.text("bond-master-of"),
        bond_slave_of: record.reference("bond-slave-of")?,
        relations: PIF_RELATIONS.iter().filter_map(value).map(|(n, v)| (n.into(), v)).collect(),
        management: record.bool("management")?,
        network: record.get("network-uuid").unwrap_or_default().parse().context("network-uuid")?,
        disallow_unplug: record.bool("disallow-unplug")?,
        ip: IpSettings(ip),
        properties: BTreeMap::new(),
        other_config: BTreeMap::new(),
    })
}

/// What people wrote about the PIFs of this host, as `xe` printed it: text that may be ambiguous.
pub type PifTexts = BTreeMap<Uuid, (String, String)>;

/// `properties` and `other-config` of every PIF of this host.
pub fn pif_texts(host: &Host, of: &Uuid) -> Result<PifTexts> {
    let cmd = list("pif", &[format!("host-uuid={of}")], PIF_MAPS);
    let texts = read(host, &cmd, PIF_MAPS, &["properties"], |record| {
        Ok((record.uuid()?, (record.text("properties"), record.text("other-config"))))
    })?;
    let mut by_pif = PifTexts::new();
    by_pif.extend(texts);
    Ok(by_pif)
}

/// One map of a PIF, exactly. `xe` joins keys and values without escaping them, so a map of more
/// than one pair is read key by key (facts/xapi.md section A2).
///
/// # Errors
/// When the keys read one by one do not make up the text.
fn exact_map(host: &Host, pif: &Uuid, field: &str, text: &str) -> Result<BTreeMap<String, String>> {
    if !record::is_ambiguous(text) {
        return Ok(record::map(text));
    }
    let mut exact = BTreeMap::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (key, _) = rest.split_once(": ").context("a map without a key")?;
        let args = [
            "pif-param-get",
            &format!("uuid={pif}"),
            &format!("param-name={field}"),
            &format!("param-key={key}"),
        ];
        let cmd = Cmd::read(Program::Xe, &args, LIMIT);
        let value = host.run(&cmd)?.check(&cmd)?.text();
        let value = value.strip_suffix('\n').unwrap_or(&value).to_string();
        let pair = format!("{key}: {value}");
        rest = rest
            .strip_prefix(&pair)
            .map(|rest| rest.strip_prefix("; ").unwrap_or(rest))
            .with_context(|| {
                format!("`{cmd}` does not agree with the {field} that pif-list printed")
            })?;
        exact.insert(key.to_string(), value);
    }
    Ok(exact)
}

/// The record with its maps, read exactly.
///
/// # Errors
/// When a map cannot be read exactly, or holds what `xe` could not set again.
pub fn with_maps(host: &Host, of: &Uuid, pif: Pif) -> Result<Pif> {
    let texts = pif_texts(host, of)?;
    fill_maps(host, pif, &texts)
}

/// The same, with the texts at hand.
///
/// # Errors
/// See [`with_maps`].
pub fn fill_maps(host: &Host, pif: Pif, texts: &PifTexts) -> Result<Pif> {
    let (properties, other_config) =
        texts.get(&pif.uuid).context("the two lists of PIFs differ")?;
    let exact = |field: &str, text: &str| {
        let map =
            exact_map(host, &pif.uuid, field, text).with_context(|| format!("reading {field}"))?;
        // Arguments of `xe` are joined with line ends on the wire (facts/xapi.md section A4).
        match map.iter().find(|(key, value)| key.contains('\n') || value.contains('\n')) {
            Some((key, _)) => {
                bail!("{field} key `{key}` holds a line end, which `xe` cannot set again")
            }
            None => Ok(map),
        }
    };
    let (properties, other_config) =
        (exact("properties", properties)?, exact("other-config", other_config)?);
    Ok(Pif { properties, other_config, ..pif })
}

/// All networks of the pool.
pub fn networks(host: &Host) -> Result<Vec<Network>> {
    let params = ["uuid", "bridge"];
    read(host, &list("network", &[], &params), &params, &[], |record| {
        Ok(Network { uuid: record.uuid()?, bridge: record.text("bridge") })
    })
}

/// What people call the pool's networks. Asked for apart from the rest: a name is a person's text.
pub fn network_names(host: &Host) -> Result<BTreeMap<Uuid, String>> {
    let params = ["uuid", "name-label"];
    let named = |record: &Record| Ok((record.uuid()?, record.text("name-label")));
    let names = read(host, &list("network", &[], &params), &params, &[], named)?;
    let mut by_network = BTreeMap::new();
    by_network.extend(names);
    Ok(by_network)
}

/// All VIFs of the pool.
pub fn vifs(host: &Host) -> Result<Vec<Vif>> {
    let params = ["uuid", "vm-uuid", "network-uuid", "currently-attached"];
    let vifs = read(host, &list("vif", &[], &params), &params, &[], |record| {
        // Those of a VM or network that is going away are nobody's.
        let field = |name| record.get(name)?.parse::<Uuid>().ok();
        let (Some(vm), Some(network)) = (field("vm-uuid"), field("network-uuid")) else {
            return Ok(None);
        };
        let attached = record.bool("currently-attached")?;
        Ok(Some(Vif { uuid: record.uuid()?, vm, network, attached }))
    })?;
    Ok(vifs.into_iter().flatten().collect())
}

/// The VMs of the pool. The command itself leaves out templates, and with them snapshots.
pub fn vms(host: &Host) -> Result<Vec<Vm>> {
    let params = ["uuid", "name-label", "power-state", "resident-on"];
    let filters = ["is-control-domain=false".into()];
    read(host, &list("vm", &filters, &params), &params, &[], |record| {
        let up = matches!(record.get("power-state"), Some("running" | "paused"));
        let on = record.text("resident-on").parse().ok();
        Ok(Vm {
            uuid: record.uuid()?,
            name_label: record.text("name-label"),
            runs_on: on.filter(|_| up),
        })
    })
}

fn change(args: &[String]) -> Cmd {
    let limit = if args[0] == "pif-reconfigure-ip" { RECONFIGURE_LIMIT } else { LIMIT };
    Cmd::change(Program::Xe, args, limit)
}

fn of_pif(command: &str, pif: &str) -> Cmd {
    change(&[command.to_string(), format!("uuid={pif}")])
}

/// Unplugs a PIF: it makes the checks for VIFs and `disallow-unplug` that forget does not make
/// (facts/xapi.md section B6).
#[must_use]
pub fn unplug(pif: &str) -> Cmd {
    of_pif("pif-unplug", pif)
}

/// Plugs a PIF.
#[must_use]
pub fn plug(pif: &str) -> Cmd {
    of_pif("pif-plug", pif)
}

/// Forgets a PIF.
#[must_use]
pub fn forget(pif: &str) -> Cmd {
    of_pif("pif-forget", pif)
}

/// Introduces the PIF of a NIC; prints its new uuid.
#[must_use]
pub fn introduce(of: &Uuid, device: &IfName, mac: &MacAddr, managed: bool) -> Cmd {
    let mut args = vec![
        "pif-introduce".to_string(),
        format!("host-uuid={of}"),
        format!("device={device}"),
        format!("mac={mac}"),
    ];
    if !managed {
        args.push("managed=false".into());
    }
    change(&args)
}

/// The commands that give a PIF as it is `now` what the recorded one had and a forget loses
/// (facts/xapi.md section B4), all but the plug: only what differs is set.
#[must_use]
pub fn restore(now: &Pif, recorded: &Pif) -> Vec<Cmd> {
    let uuid = format!("uuid={}", now.uuid);
    let set = |setting: String| change(&["pif-param-set".into(), uuid.clone(), setting]);
    let mut cmds = Vec::new();
    if now.static_ip() != recorded.static_ip() {
        let mut args =
            vec!["pif-reconfigure-ip".into(), uuid.clone(), format!("mode={}", recorded.ip_mode())];
        for name in ["IP", "netmask", "gateway", "DNS"] {
            args.extend(recorded.static_ip().get(name).map(|value| format!("{name}={value}")));
        }
        cmds.push(change(&args));
    }
    for (field, had, has) in [
        ("properties", &recorded.properties, &now.properties),
        ("other-config", &recorded.other_config, &now.other_config),
    ] {
        for (key, value) in had.iter().filter(|(key, value)| has.get(*key) != Some(*value)) {
            cmds.push(set(format!("{field}:{key}={value}")));
        }
        // XAPI sets properties and removes none.
        let removable = field != "properties";
        for key in has.keys().filter(|key| removable && !had.contains_key(*key)) {
            let (field, key) = (format!("param-name={field}"), format!("param-key={key}"));
            cmds.push(change(&["pif-param-remove".into(), uuid.clone(), field, key]));
        }
    }
    if now.disallow_unplug != recorded.disallow_unplug {
        cmds.push(set(format!("disallow-unplug={}", recorded.disallow_unplug)));
    }
    cmds
}

/// Writes the pool's database to disk before a reboot.
#[must_use]
pub fn sync_database() -> Cmd {
    change(&["pool-sync-database".into()])
}
