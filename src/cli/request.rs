//! From arguments to what is asked for; what is wrong with them is a fault of usage.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};

use super::flags::SpecArgs;
use crate::net::{IfName, shown};
use crate::outcome::Hint;
use crate::preflight;
use crate::render::Templates;
use crate::spec::{Raw, Request};

/// The mark of a usage error: the command line or the spec was wrong, before any host was looked
/// at.
#[derive(Debug)]
pub(super) struct Usage;

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("usage")
    }
}

/// The longest spec: a line for each host of the largest pool is a tenth of it, and one that never
/// ends must.
const LONGEST: u64 = 256 << 10;

/// The spec that flags and file ask for.
pub(super) fn request(args: &SpecArgs) -> Result<Request> {
    let read = || -> Result<Request> {
        let mut raw = Raw::default();
        if let Some(file) = &args.spec {
            let (name, bytes) = if file == "-" {
                let mut bytes = Vec::new();
                let read = std::io::stdin().take(LONGEST + 1).read_to_end(&mut bytes);
                read.context("reading standard input")?;
                ("standard input", bytes)
            } else {
                let mut bytes = Vec::new();
                let read = std::fs::File::open(file)
                    .and_then(|file| file.take(LONGEST + 1).read_to_end(&mut bytes));
                read.with_context(|| format!("reading {file}"))?;
                (file.as_str(), bytes)
            };
            ensure!(bytes.len() as u64 <= LONGEST, "{name} is longer than {} KiB", LONGEST >> 10);
            let text = String::from_utf8(bytes).map_err(|_| anyhow!("{name} is not UTF-8 text"))?;
            raw.file(name, &text)?;
        }
        for (flag, key, value) in args.flags() {
            raw.flag(&flag, &key, value);
        }
        raw.finish()
    };
    read().context(Usage)
}

pub(super) fn templates(folder: Option<&Path>) -> Result<Templates> {
    Templates::load(folder).context(Usage)
}

pub(super) fn check_codes(accept: &[String]) -> Result<()> {
    for code in accept {
        ensure!(
            preflight::Code::ALL.iter().any(|c| c.name() == code),
            anyhow!(
                "--accept {}: there is no finding of that code; `xenbond findings` lists them",
                code.escape_debug()
            )
            .context(Usage)
        );
    }
    Ok(())
}

/// What to type where a list was written with a space after its comma.
pub(super) fn after_comma(error: &clap::Error, args: &[std::ffi::OsString]) -> Option<String> {
    use clap::error::{ContextKind, ContextValue};
    let ContextValue::String(extra) = error.get(ContextKind::InvalidArg)? else { return None };
    let before = args.windows(2).find(|pair| pair[1] == **extra)?[0].to_str()?;
    let list = before.strip_suffix(',').or(extra.strip_prefix(',').map(|_| before))?;
    let next = extra.trim_start_matches(',');
    Some(format!("write a list without spaces: {list},{next}"))
}

/// The device that a bond's name is; `None`: it can only be a network's name. A slip of the pen is
/// neither.
pub(super) fn device_or_network(text: &str) -> Result<Option<IfName>> {
    let device = text.parse::<IfName>();
    let number = text.replace(' ', "").strip_prefix("bond").map(|rest| rest.parse::<u32>().is_ok());
    if device.is_ok() || text.starts_with(['/', '.']) || text.is_empty() || number == Some(true) {
        return device.context("BOND").context(Usage).map(Some);
    }
    Ok(None)
}

/// Refuses a name that is no device's and no network's either.
pub(super) fn no_such_network(text: Option<&str>, device: Option<&IfName>) -> Result<()> {
    match text.filter(|_| device.is_none()) {
        Some(name) => Err(anyhow!(Hint("xenbond status, which shows every bond".into()))
            .context(format!("no bond of XAPI's lies on a network called {}", shown(name)))),
        None => Ok(()),
    }
}
