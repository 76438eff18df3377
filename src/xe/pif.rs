//! PIFs: what XAPI knows of this host's NICs, VLANs, bonds and tunnels.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use super::record::{self, Record};
use super::{LIMIT, List, Listed, OddRecord};
use crate::host::{Cmd, Host, Program};
use crate::net::{IfName, Ipv4Net, MacAddr, Uuid};
use crate::order;

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

impl IpSettings {
    /// A fixed address, without a gateway.
    #[must_use]
    pub fn fixed(net: Ipv4Net) -> Self {
        let texts = [
            ("IP", net.addr.to_string()),
            ("IP-configuration-mode", "Static".to_string()),
            ("netmask", net.netmask().to_string()),
        ];
        Self(texts.map(|(name, value)| (name.into(), value)).into())
    }

    /// The configuration mode as `pif-reconfigure-ip` takes it.
    #[must_use]
    pub fn mode(&self) -> String {
        self.get("IP-configuration-mode").map_or_else(|| "none".into(), str::to_ascii_lowercase)
    }

    /// The address with its subnet, where it is a fixed one.
    #[must_use]
    pub fn address(&self) -> Option<Ipv4Net> {
        let (addr, mask) = (self.get("IP")?.parse().ok()?, self.get("netmask")?.parse().ok()?);
        Ipv4Net::with_netmask(addr, mask).ok().filter(|_| self.mode() == "static")
    }

    /// Whether both are the same configuration. What DHCP gave is not compared, nor name servers:
    /// a release may keep those that are not named (tests/ground/xapi.md, B7).
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        let of = |ip: &Self| {
            let fixed = |name| ip.get(name).filter(|_| ip.mode() == "static").map(String::from);
            (ip.mode(), ["IP", "netmask", "gateway"].map(fixed))
        };
        of(self) == of(other)
    }
}

impl From<BTreeMap<String, String>> for IpSettings {
    fn from(map: BTreeMap<String, String>) -> Self {
        Self(map.into_iter().map(|(name, value)| (name.into(), value)).collect())
    }
}

impl From<IpSettings> for BTreeMap<String, String> {
    fn from(settings: IpSettings) -> Self {
        order::map(settings.0.into_iter().map(|(name, value)| (name.into(), value)))
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
    pub mac: MacAddr,
    /// Whether it stands for a NIC.
    pub physical: bool,
    /// Whether XAPI touches it; `None` where XAPI has no such field (6.2 and older).
    pub managed: Option<bool>,
    /// Whether it is plugged.
    pub attached: bool,
    /// VLAN tag; -1: none.
    pub vlan: i32,
    /// Set when it stands for a bond.
    pub bond_master_of: Vec<Uuid>,
    /// The managed bond that it is a slave of.
    pub bond_slave_of: Option<Uuid>,
    /// Tunnel and SR-IOV relations by field; empty on a plain NIC.
    pub relations: BTreeMap<String, Vec<Uuid>>,
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
    /// device alone finds VLANs too (xen-api#5571, tests/ground/xapi.md, H1).
    #[must_use]
    pub fn is_nic(&self) -> bool {
        self.physical && self.vlan == -1
    }

    /// Whether it is a slave of the bond whose PIF the other is.
    #[must_use]
    pub fn is_slave_of(&self, bond: &Self) -> bool {
        self.bond_slave_of.as_ref().is_some_and(|of| bond.bond_master_of.contains(of))
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
        self.ip.mode()
    }
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

/// Its IP settings, which a forget loses (tests/ground/xapi.md, B4).
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

/// All PIFs of this host, without `properties` and `other-config`.
///
/// # Errors
/// When XAPI does not answer, or not in its own form.
pub fn pifs(host: &Host, of: &Uuid) -> Result<Listed<Pif>> {
    // Machine-made, all of them: no person's text can forge a record among these.
    let fields = [PIF_OWN, PIF_IP, PIF_RELATIONS].concat();
    // Fields of later releases: unknown names in `params=` are left out without a word.
    let later = |f: &&str| f.starts_with("IPv6") || ["managed", "primary-address-type"].contains(f);
    let optional: Vec<&str> =
        fields.iter().filter(|f| PIF_RELATIONS.contains(f) || later(f)).copied().collect();
    List::of("pif", &fields).only(format!("host-uuid={of}")).maybe(&optional).read(host, pif)
}

fn pif(record: &Record) -> Result<Pif> {
    let value = |field: &&'static str| {
        let value = record.get(field).filter(|v| !["", record::NULL].contains(v))?;
        Some((Cow::Borrowed(*field), value.to_string()))
    };
    let mut ip: Vec<_> = PIF_IP.iter().filter_map(value).collect();
    order::sort(&mut ip);
    let mut relations = BTreeMap::new();
    for field in PIF_RELATIONS {
        let others = record.references(field)?;
        if !others.is_empty() {
            relations.insert((*field).to_string(), others);
        }
    }
    Ok(Pif {
        uuid: record.uuid()?,
        device: record.text("device"),
        mac: record.get("MAC").unwrap_or_default().parse().context("field `MAC`")?,
        physical: record.bool("physical")?,
        managed: record.get("managed").is_some().then(|| record.bool("managed")).transpose()?,
        attached: record.bool("currently-attached")?,
        vlan: record.get("VLAN").unwrap_or_default().parse().context("field `VLAN`")?,
        bond_master_of: record.references("bond-master-of")?,
        bond_slave_of: record.reference("bond-slave-of")?,
        relations,
        management: record.bool("management")?,
        network: record
            .get("network-uuid")
            .unwrap_or_default()
            .parse()
            .context("field `network-uuid`")?,
        disallow_unplug: record.bool("disallow-unplug")?,
        ip: IpSettings(ip),
        properties: BTreeMap::new(),
        other_config: BTreeMap::new(),
    })
}

/// What people wrote about the PIFs of this host, as `xe` printed it: text that may be ambiguous.
pub type PifTexts = BTreeMap<Uuid, (String, String)>;

/// `properties` and `other-config` of every PIF of this host.
///
/// # Errors
/// As of [`pifs`].
pub fn pif_texts(host: &Host, of: &Uuid) -> Result<PifTexts> {
    let list = List::of("pif", PIF_MAPS).only(format!("host-uuid={of}")).maybe(&["properties"]);
    let texts = list.read(host, |record| {
        Ok((record.uuid()?, (record.text("properties"), record.text("other-config"))))
    })?;
    Ok(order::map(texts.all))
}

/// One map of a record, exactly. `xe` joins keys and values without escaping them, so a map of more
/// than one pair is read key by key (tests/ground/xapi.md, A2).
///
/// # Errors
/// When the keys read one by one do not make up the text.
pub(super) fn exact_map(
    host: &Host,
    (class, of): (&str, &Uuid),
    field: &str,
    text: &str,
    until: Duration,
) -> Result<BTreeMap<String, String>> {
    if !record::is_ambiguous(text) {
        return Ok(record::map(text));
    }
    let mut exact = BTreeMap::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (key, _) = rest.split_once(": ").context("a map without a key")?;
        let args = [
            &format!("{class}-param-get"),
            &format!("uuid={of}"),
            &format!("param-name={field}"),
            &format!("param-key={key}"),
        ];
        let left = until.saturating_sub(host.clock().elapsed());
        ensure!(!left.is_zero(), "XAPI took too long over it");
        let cmd = Cmd::read(Program::Xe, &args, left);
        let value = host.run(&cmd)?.check(&cmd)?.text();
        let value = value.strip_suffix('\n').unwrap_or(&value).to_string();
        let pair = format!("{key}: {value}");
        rest = rest
            .strip_prefix(&pair)
            .map(|rest| rest.strip_prefix("; ").unwrap_or(rest))
            .with_context(|| {
                format!("`{cmd}` does not agree with the {field} that {class}-list printed")
            })?;
        exact.insert(key.to_string(), value);
    }
    Ok(exact)
}

/// Why `xe` cannot set a key to a value.
fn not_settable(key: &str, value: &str) -> Option<&'static str> {
    // Arguments of `xe` are joined with line ends on the wire (tests/ground/xapi.md, A4), and other
    // control characters are refused or cut, by release (tests/ground/xapi-measured.md, M14).
    if key.contains('\n') || value.contains('\n') {
        Some("holds a line end")
    } else if key.contains(char::is_control) || value.contains(char::is_control) {
        Some("holds a control character")
    } else if key.is_empty() {
        Some("is empty")
    } else if key.contains('=') {
        Some("has a `=` in its name")
    } else {
        None
    }
}

/// The record with its maps, read exactly.
///
/// # Errors
/// When a map cannot be read exactly, or holds what `xe` could not set again.
pub fn with_maps(host: &Host, of: &Uuid, pif: Pif) -> Result<Pif> {
    let texts = pif_texts(host, of)?;
    fill_maps(host, pif, &texts, host.clock().elapsed() + LIMIT)
}

/// The record with its maps, read exactly by the texts at hand, `until` when by the host's clock:
/// an `xe` that hangs is not waited for again and again.
///
/// # Errors
/// See [`with_maps`].
pub fn fill_maps(host: &Host, pif: Pif, texts: &PifTexts, until: Duration) -> Result<Pif> {
    let (properties, other_config) =
        texts.get(&pif.uuid).context("the two lists of PIFs differ")?;
    let exact = |field: &str, text: &str| {
        let map = exact_map(host, ("pif", &pif.uuid), field, text, until)
            .with_context(|| format!("reading {field}"))?;
        for (key, value) in &map {
            if let Some(why) = not_settable(key, value) {
                let key = key.escape_debug();
                bail!("{field} key `{key}` {why}, which `xe` cannot set again");
            }
        }
        Ok(map)
    };
    let (properties, other_config) =
        (exact("properties", properties)?, exact("other-config", other_config)?);
    Ok(Pif { properties, other_config, ..pif })
}

impl OddRecord {
    /// Whether it may be the record of a NIC's PIF.
    #[must_use]
    pub fn may_be_of(&self, device: &str) -> bool {
        let named = self.device.as_ref().filter(|name| name.parse::<IfName>().is_ok());
        self.class == "pif" && named.is_none_or(|name| name == device)
    }
}

impl Listed<Pif> {
    /// The record of a NIC on this host.
    ///
    /// # Errors
    /// When a record that may be the NIC's was not understood: nothing is known of it then.
    pub fn nic(&self, device: &str) -> Result<Option<&Pif>> {
        if let Some(odd) = self.odd.iter().find(|odd| odd.may_be_of(device)) {
            bail!("{odd}");
        }
        Ok(self.all.iter().find(|pif| pif.is_nic() && pif.device == device))
    }
}
