//! An inventory as a document, which `inventory` prints and `rehearse` reads on another machine.
//!
//! It is read by hand: an error then names the place in the document, and derived code for thirty
//! types would be a thirtieth of the program.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use anyhow::{Context, Result, anyhow, bail};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    Address, Device, DeviceKind, Ground, Init, Inventory, Kernel, Place, RenameRule, Route,
    StoragePath, Wire, Xapi,
};
use crate::host::{Kind, Program};
use crate::ledger::Summary;
use crate::net::{Backend, Ipv4Net, MacAddr, Uuid};
use crate::outcome::Hint;
use crate::xe::{Bond, ClusterHost, IpSettings, Network, Pbd, Pif, Pool, PoolHost, Vif, Vm};

/// The format of the document; another one where a field was taken away or means something else.
const FORMAT: u64 = 1;

impl Inventory {
    /// The document.
    ///
    /// # Errors
    /// When the value has no JSON form, which it always has.
    pub fn to_document(&self) -> Result<Value> {
        let mut document = serde_json::to_value(self)?;
        document["format"] = FORMAT.into();
        Ok(document)
    }

    /// Reads a document. What is on the wire is not in it.
    ///
    /// # Errors
    /// When it is none of this program's format, with what to type to get one.
    pub fn of_document(text: &[u8]) -> Result<Self> {
        let read = || -> Result<Self> {
            let value: Value =
                serde_json::from_slice(text).map_err(|error| anyhow!("it is no JSON: {error}"))?;
            match value.get("format").map(Value::as_u64) {
                Some(Some(FORMAT)) => {}
                Some(_) => {
                    bail!("it has format {}, and this xenbond reads {FORMAT}", value["format"])
                }
                None => bail!("it is no inventory for this xenbond: the field `format` is missing"),
            }
            Self::from_json(&value).map_err(|error| anyhow!(error))
        };
        read().context(Hint(format!(
            "on the host, with this version ({}): xenbond inventory > FILE",
            env!("CARGO_PKG_VERSION")
        )))
    }
}

/// What a value is read as; an error begins with the place.
type Read<T> = Result<T, String>;

trait FromJson: Sized {
    fn from_json(value: &Value) -> Read<Self>;
}

fn wrong(value: &Value, wanted: &str) -> String {
    match value {
        Value::Null => format!(" is null or missing: it must be {wanted}"),
        other => {
            let text: String = other.to_string().chars().take(40).collect();
            format!(" must be {wanted}, and is {text}")
        }
    }
}

/// Not inlined: there are eighty of them, of twenty types.
#[inline(never)]
fn field<T: FromJson>(record: &Value, name: &str) -> Read<T> {
    T::from_json(&record[name]).map_err(|error| joined(name, &error))
}

/// The place `name`, and within it that of the error.
fn joined(name: &str, error: &str) -> String {
    let dot = if error.starts_with(' ') { "" } else { "." };
    format!("{name}{dot}{error}")
}

macro_rules! records {
    ($($record:ty { $($field:ident),+ })+) => { $(
        impl FromJson for $record {
            fn from_json(value: &Value) -> Read<Self> {
                if !value.is_object() {
                    return Err(wrong(value, "a record"));
                }
                Ok(Self { $($field: field(value, stringify!($field))?),+ })
            }
        }
    )+ };
}

records! {
    Inventory {
        may_change, xensource, programs, init, network_service, network_conf, files, kernel, ground,
        wire, xapi, xapi_error, driver_has_slb, transaction
    }
    Kernel {
        devices, bonds, bond_options, addresses, addresses_known, routes, modules, boot_id, hostname
    }
    Device {
        address, mtu, max_mtu, operstate, carrier, speed, duplex, driver, pci, vfs, up, master,
        kind
    }
    Route { device, to, gateway }
    Address { device, net }
    Ground {
        pool_master, redo_log, network_reset, storage, fcoe, boot_nics, rename_rules, rescan_rules,
        no_linux_bridge, bonding_opts, gateway_device, gateway, places, other_run
    }
    StoragePath { what, server }
    RenameRule { file, name, mac, pci }
    Place { folder, read_only, free }
    Xapi {
        hosts, pifs, networks, vifs, vms, other_vms, pool, bonds, cluster_hosts, pbds, unreadable
    }
    PoolHost { uuid, name_label, hostname, backend, product }
    Pif {
        uuid, device, mac, physical, managed, attached, vlan, bond_master_of, bond_slave_of,
        relations, management, network, disallow_unplug, ip, properties, other_config
    }
    Network { uuid, bridge }
    Vif { uuid, vm, network, attached }
    Vm { uuid, name_label, runs_on }
    Pool { master, ha_enabled }
    Bond { uuid, master, slaves, mode }
    ClusterHost { uuid, pif }
    Pbd { uuid, sr_name, servers }
}

impl FromJson for Wire {
    fn from_json(_: &Value) -> Read<Self> {
        Ok(Self::default())
    }
}

impl FromJson for String {
    fn from_json(value: &Value) -> Read<Self> {
        value.as_str().map(Self::from).ok_or_else(|| wrong(value, "a text"))
    }
}

impl FromJson for bool {
    fn from_json(value: &Value) -> Read<Self> {
        value.as_bool().ok_or_else(|| wrong(value, "true or false"))
    }
}

macro_rules! numbers {
    ($($number:ty)+) => { $(
        impl FromJson for $number {
            fn from_json(value: &Value) -> Read<Self> {
                let number = value.as_i64().and_then(|n| Self::try_from(n).ok());
                number.ok_or_else(|| wrong(value, "a number in its range"))
            }
        }
    )+ };
}

numbers! { u32 u64 i32 usize }

macro_rules! words {
    ($($word:ty: $wanted:literal,)+) => { $(
        impl FromJson for $word {
            fn from_json(value: &Value) -> Read<Self> {
                let word = value.as_str().and_then(|text| text.parse().ok());
                word.ok_or_else(|| wrong(value, $wanted))
            }
        }
    )+ };
}

words! {
    Uuid: "a uuid",
    MacAddr: "a MAC address",
    Ipv4Addr: "an IPv4 address",
    Ipv4Net: "an address with its prefix",
}

/// Those that have a form of their own in the journal.
macro_rules! journalled {
    ($($record:ty: $wanted:literal,)+) => { $(
        impl FromJson for $record {
            fn from_json(value: &Value) -> Read<Self> {
                as_in_the_journal(value).ok_or_else(|| wrong(value, $wanted))
            }
        }
    )+ };
}

journalled! {
    Kind: "a file",
    Summary: "a transaction",
    Init: "systemd or sysv",
    DeviceKind: "a kind of device",
    Program: "a program",
    Backend: "a backend's word",
}

fn as_in_the_journal<T: DeserializeOwned>(value: &Value) -> Option<T> {
    serde_json::from_slice(value.to_string().as_bytes()).ok()
}

impl<T: FromJson> FromJson for Option<T> {
    fn from_json(value: &Value) -> Read<Self> {
        if value.is_null() { Ok(None) } else { T::from_json(value).map(Some) }
    }
}

/// Calls `each` with the members of a list.
fn members(value: &Value, each: &mut dyn FnMut(&Value) -> Read<()>) -> Read<()> {
    let list = value.as_array().ok_or_else(|| wrong(value, "a list"))?;
    for (at, member) in list.iter().enumerate() {
        each(member).map_err(|error| joined(&at.to_string(), &error))?;
    }
    Ok(())
}

impl<T: FromJson> FromJson for Vec<T> {
    fn from_json(value: &Value) -> Read<Self> {
        let mut all = Self::new();
        members(value, &mut |member| {
            all.push(T::from_json(member)?);
            Ok(())
        })?;
        Ok(all)
    }
}

impl<T: FromJson + Ord> FromJson for BTreeSet<T> {
    fn from_json(value: &Value) -> Read<Self> {
        let mut all = Self::new();
        members(value, &mut |member| {
            all.insert(T::from_json(member)?);
            Ok(())
        })?;
        Ok(all)
    }
}

impl FromJson for IpSettings {
    fn from_json(value: &Value) -> Read<Self> {
        BTreeMap::from_json(value).map(BTreeMap::into)
    }
}

impl<K: FromJson + Ord, T: FromJson> FromJson for BTreeMap<K, T> {
    fn from_json(value: &Value) -> Read<Self> {
        let fields = value.as_object().ok_or_else(|| wrong(value, "a record"))?;
        let mut all = Self::new();
        for (key, value) in fields {
            let member = K::from_json(&Value::from(key.as_str()))
                .and_then(|key| Ok((key, T::from_json(value)?)))
                .map_err(|error| joined(key, &error))?;
            all.insert(member.0, member.1);
        }
        Ok(all)
    }
}
