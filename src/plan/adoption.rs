//! The files of a bond that was made by hand, as a bond of ours has them: its own and those of its
//! NICs replaced, those of other names taken away, and the lines about it taken out of the files of
//! modprobe, the recipe's reversed alias included. Pure.

use anyhow::Result;

use super::{files, rendered};
use crate::host::Kind;
use crate::inventory::{Inventory, Nic};
use crate::modprobe::{self, Directive};
use crate::paths;
use crate::preflight;
use crate::render::{Templates, is_ours};
use crate::spec::Spec;
use crate::step::FileChange;

/// The files that change.
///
/// # Errors
/// When a template does not yield the spec.
pub(super) fn changes(
    spec: &Spec,
    nics: &[Nic],
    inv: &Inventory,
    templates: &Templates,
) -> Result<Vec<FileChange>> {
    let mut all: Vec<(String, Kind)> = preflight::files_elsewhere(spec, nics, inv)
        .into_iter()
        .map(|path| (path, Kind::Absent))
        .collect();
    all.extend(inv.files.iter().filter_map(|(path, kind)| {
        let text = without_lines(path, kind, spec.bond.as_str())?;
        Some((path.clone(), text))
    }));
    let clean = inv.with_files(&all);
    let rendered = rendered(spec, nics, &clean, templates)?;
    all.retain(|(path, _)| !rendered.iter().any(|(wanted, _)| wanted == path));
    all.extend(rendered);
    Ok(files(spec, inv, all))
}

/// A file of modprobe's without the lines about the bond; `None` where it has none, or is ours.
pub(super) fn without_lines(path: &str, kind: &Kind, bond: &str) -> Option<Kind> {
    let Kind::File { bytes, mode, uid, gid, xattrs, .. } = kind else { return None };
    if !paths::is_modprobe(path)
        || is_ours(kind)
        || modprobe::block(bytes, bond).ok().flatten().is_some()
    {
        return None;
    }
    let rest = modprobe::without(bytes, |directive| match directive {
        // The recipe has it the wrong way round: `alias bonding bond51`.
        Directive::Alias { alias, module } => {
            alias == bond || (alias == modprobe::DRIVER && module == bond)
        }
        Directive::Options { module, .. } | Directive::Install { module, .. } => module == bond,
        _ => false,
    })?;
    let xattrs = xattrs.clone();
    Some(Kind::File { bytes: rest, mode: *mode, uid: *uid, gid: *gid, mtime: None, xattrs })
}
