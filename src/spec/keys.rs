//! The keys of `[bond]`, each with its flag and its help: the spec's own ones here, the driver's
//! options from their table. Files, flags, help and completions are made from this list.

use std::borrow::Cow;

use crate::options::{TABLE, Values};

/// A key of `[bond]`, which is a flag as well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// How a spec file calls it.
    pub name: &'static str,
    /// How the command line calls it, without dashes before it.
    pub flag: Cow<'static, str>,
    /// What stands for a value of it in the help.
    pub word: &'static str,
    /// Its help.
    pub help: &'static str,
    /// Where the help shows it.
    pub group: Group,
    /// Whether the flag may be given more than once; a file has a list then.
    pub many: bool,
    /// What the flag means without a value, where it may be without one.
    pub alone: Option<&'static str>,
    /// Another name that it goes by, in a file and, with dashes, as a flag.
    pub alias: Option<&'static str>,
    /// Which kinds of bond have it.
    pub kinds: Kinds,
}

/// Which kinds of bond have a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kinds {
    /// Each.
    Both,
    /// One that XAPI does not manage.
    Unmanaged,
    /// One that XAPI manages, and the storage NIC.
    Managed,
}

/// The groups of the help that flags of a spec are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// What is made.
    What,
    /// How the bond behaves.
    Behaviour,
    /// How it is done.
    Way,
    /// What keeps the host safe.
    Safety,
}

const fn key(
    [name, flag, word]: [&'static str; 3],
    help: &'static str,
    group: Group,
    many: bool,
    kinds: Kinds,
) -> Key {
    let (flag, alone, alias) = (Cow::Borrowed(flag), None, None);
    Key { name, flag, word, help, group, many, alone, alias, kinds }
}

/// The keys that are no option of the driver.
const OWN: [Key; 16] = [
    key(
        ["name", "bond", "NAME"],
        "The bond's device name, such as bond51",
        Group::What,
        false,
        Kinds::Unmanaged,
    ),
    key(
        ["nics", "nic", "DEVICE_OR_MAC"],
        "A NIC by device or MAC address; two or more, also with commas",
        Group::What,
        true,
        Kinds::Both,
    ),
    key(
        ["mode", "mode", "MODE"],
        "Bonding mode by name or number, 0 to 7 [default: active-backup]",
        Group::Behaviour,
        false,
        Kinds::Both,
    ),
    key(
        ["mtu", "mtu", "BYTES"],
        "MTU of the bond and its slaves [default: 1500]",
        Group::What,
        false,
        Kinds::Both,
    ),
    key(
        ["vlan", "vlan", "TAG"],
        "Tag of the VLAN that the address is on, 1 to 4094; the bond has none then",
        Group::What,
        false,
        Kinds::Unmanaged,
    ),
    key(
        ["routes", "route", "ROUTE"],
        "A network behind a router, as 'NET via GATEWAY'; repeatable",
        Group::What,
        true,
        Kinds::Both,
    ),
    key(
        ["probes", "probe", "IP[:PORT]"],
        "A storage server that must answer, with a TCP port if any; repeatable",
        Group::Safety,
        true,
        Kinds::Both,
    ),
    key(
        ["optional_probes", "probe-optional", "IP[:PORT]"],
        "A server whose answer is reported and not required; repeatable",
        Group::Safety,
        true,
        Kinds::Both,
    ),
    key(
        ["backend", "backend", "WHICH"],
        "bridge: switch the backend to it if needed; keep: leave it [default: bridge]",
        Group::Way,
        false,
        Kinds::Unmanaged,
    ),
    key(
        ["pif", "pif", "HOW"],
        "What becomes of the PIFs: auto, forget, unmanaged [default: auto]",
        Group::Way,
        false,
        Kinds::Unmanaged,
    ),
    key(
        ["address", "address", "IP/PREFIX"],
        "The bond's address with its prefix, such as 172.16.51.11/24",
        Group::What,
        false,
        Kinds::Both,
    ),
    key(
        ["netmask", "netmask", "MASK"],
        "The netmask, for an address without a prefix",
        Group::What,
        false,
        Kinds::Both,
    ),
    key(
        ["ethtool", "ethtool", "[NIC ]SETTING VALUE"],
        "How a NIC, or each, is tuned: \"ring-rx 4096\", \"eth2 gro off\"; repeatable",
        Group::Behaviour,
        true,
        Kinds::Unmanaged,
    ),
    Key {
        name: "keep_ethtool",
        flag: Cow::Borrowed("keep-ethtool"),
        word: "yes|no",
        help: "Keep tuning the NICs as XAPI does now, by their PIFs' ethtool-* and mtu keys [default: no]",
        group: Group::Behaviour,
        many: false,
        alone: Some("yes"),
        alias: None,
        kinds: Kinds::Unmanaged,
    },
    key(
        ["linkdelay", "linkdelay", "SECONDS"],
        "How long ifup waits for slow switch ports, in seconds, 1 to 30",
        Group::Behaviour,
        false,
        Kinds::Unmanaged,
    ),
    key(
        ["kind", "kind", "KIND"],
        "unmanaged: by the driver and the boot scripts; managed: by XAPI [default: unmanaged]",
        Group::What,
        false,
        Kinds::Both,
    ),
];

/// The keys of what XAPI keeps.
const MANAGED: [Key; 4] = [
    key(
        ["network", "network", "NAME"],
        "managed: the bond's network by its name, made where there is none",
        Group::What,
        false,
        Kinds::Managed,
    ),
    key(
        ["use", "use", "USE"],
        "managed: what it is for: storage, management, network",
        Group::What,
        false,
        Kinds::Managed,
    ),
    key(
        ["lacp_time", "lacp-time", "WORD"],
        "managed, 802.3ad: slow or fast LACP",
        Group::Behaviour,
        false,
        Kinds::Managed,
    ),
    key(
        ["hashing_algorithm", "hashing-algorithm", "WORD"],
        "managed, 802.3ad: src_mac or tcpudp_ports",
        Group::Behaviour,
        false,
        Kinds::Managed,
    ),
];

/// Every key of `[bond]`.
#[must_use]
pub fn keys() -> Vec<Key> {
    let options = TABLE.iter().map(|row| Key {
        name: row.name,
        flag: row.name.replace('_', "-").into(),
        word: row.word,
        help: row.help,
        group: Group::Behaviour,
        many: matches!(row.values, Values::Targets),
        alone: None,
        alias: row.alias,
        kinds: Kinds::Unmanaged,
    });
    OWN.into_iter().chain(options).chain(MANAGED).collect()
}
