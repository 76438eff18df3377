//! The bonding driver of this host: its version, and which of the modes, options and words that not
//! every driver has it knows. Asked of the driver itself, since no version number says what a
//! vendor's kernel was given.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::LOOK_LIMIT;
use crate::host::{Cmd, Host, Output, Program};
use crate::net::BondMode;
use crate::options::Young;
use crate::order;
use crate::paths::{PROC_BONDING, sys_net};

/// What is known of the driver.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Driver {
    /// Its version; drivers from Linux 5.6 on have none of their own.
    pub version: Option<String>,
    /// The kernel that it was built for.
    pub kernel: Option<String>,
    /// Whether it has mode 7.
    #[serde(skip)]
    pub(super) has_slb: Option<bool>,
    /// Whether it knows an option or `OPTION=WORD`; what could not be told is missing.
    pub knows: BTreeMap<String, bool>,
}

impl Driver {
    /// Asks it, when `modinfo` answers.
    pub(super) fn read(host: &Host) -> Option<Self> {
        let ask = |args: &[&str]| {
            let cmd = Cmd::read(Program::Modinfo, args, LOOK_LIMIT);
            host.run(&cmd).ok().filter(Output::success).map(|output| output.text())
        };
        let described = ask(&["bonding"])?;
        let module = || host.read(ask(&["-n", "bonding"])?.trim()).ok()?;
        let module = module().filter(|bytes| is_plain(bytes));
        let holds = |text: &[u8]| Some(module.as_ref()?.windows(text.len()).any(|p| p == text));
        let slb = BondMode::BalanceSlb.name();
        let has_slb = if described.contains(slb) { Some(true) } else { holds(slb.as_bytes()) };
        let shown = shown_options(host);
        let knows = |young: &Young| match (&shown, young.word) {
            (Some(shown), None) => Some(shown.iter().any(|name| name == young.row.name)),
            (None, None) if young.row.parameter => Some(has_parameter(&described, young.row.name)),
            _ => holds(format!("\0{}\0", young.text()).as_bytes()),
        };
        let knows = Young::all().filter_map(|young| Some((young.to_string(), knows(&young)?)));
        Some(Self {
            version: field(&described, "version").map(|word| format!("v{word}")),
            kernel: field(&described, "vermagic"),
            has_slb,
            knows: order::map(knows),
        })
    }

    /// Whether it knows this; `None` when that cannot be told.
    #[must_use]
    pub fn knows(&self, young: &Young) -> Option<bool> {
        self.knows.get(&young.to_string()).copied()
    }
}

impl std::fmt::Display for Driver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.version, &self.kernel) {
            (Some(version), Some(kernel)) => write!(f, "{version} of kernel {kernel}"),
            (Some(version), None) => f.write_str(version),
            (None, Some(kernel)) => write!(f, "that of kernel {kernel}"),
            (None, None) => f.write_str("of unknown version"),
        }
    }
}

/// The options of a bond that stands, as `/sys` has them: a driver that is loaded shows all that it
/// knows of every bond.
fn shown_options(host: &Host) -> Option<Vec<String>> {
    let bonds = host.list(PROC_BONDING).ok()?;
    let names = host.list(&format!("{}/bonding", sys_net(bonds.first()?))).ok()?;
    (!names.is_empty()).then_some(names)
}

/// The first word of a line `NAME:  text`.
fn field(text: &str, name: &str) -> Option<String> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.split_whitespace().next().map(String::from)
}

/// Whether there is a line `parm:  NAME:text`.
fn has_parameter(text: &str, name: &str) -> bool {
    let parameters = text.lines().filter_map(|line| line.strip_prefix("parm:"));
    parameters.filter_map(|line| line.trim_start().split_once(':')).any(|(found, _)| found == name)
}

/// Whether the module is not compressed, so that its words can be looked for.
fn is_plain(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x7fELF")
}
