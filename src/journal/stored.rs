//! `plan.json`: everything that a transaction needs but the bytes of the files as they were, which
//! lie in `originals/` and are only referred to, by name and digest.

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};

use super::Header;
use crate::host::{Host, Kind, join};
use crate::inventory::facts::digest;
use crate::json;
use crate::paths::original_name;

/// The text.
///
/// # Errors
/// When the header has no JSON form, which it always has.
pub(super) fn text(header: &Header) -> Result<Vec<u8>> {
    let mut value = serde_json::to_value(header)?;
    each_original(&mut value, &mut |path, file| {
        let kind: Kind = json::of(Value::Object(file.clone()))?;
        let bytes = kind.bytes().unwrap_or_default();
        let kept = json!({"name": original_name(path), "digest": digest(bytes)});
        file.insert("bytes".into(), kept);
        Ok(())
    })?;
    Ok(serde_json::to_vec_pretty(&value)?)
}

/// The header, with the bytes from the folder of the originals.
///
/// # Errors
/// When the text is none, or an original is missing or another one.
pub(super) fn read(host: &Host, originals: &str, text: &[u8]) -> Result<Header> {
    let mut value: Value = serde_json::from_slice(text)?;
    each_original(&mut value, &mut |_, file| {
        let kept = &file["bytes"];
        let (Some(name), Some(recorded)) = (kept["name"].as_str(), kept["digest"].as_str()) else {
            return Ok(());
        };
        ensure!(!name.contains('/'), "`{}` names no original", name.escape_debug());
        let path = join(originals, name);
        let bytes = host.read(&path)?.with_context(|| format!("{path} is missing"))?;
        ensure!(digest(&bytes) == recorded, "{path} does not hold what was recorded");
        // The form of its bytes in a document is the kind's own.
        let (mode, mtime, xattrs) = (0, None, Default::default());
        let whole = Kind::File { bytes, mode, uid: 0, gid: 0, mtime, xattrs };
        file.insert("bytes".into(), serde_json::to_value(whole)?["bytes"].take());
        Ok(())
    })?;
    Ok(json::of(value)?)
}

type Act<'a> = dyn FnMut(&str, &mut Map<String, Value>) -> Result<()> + 'a;

/// Calls `act` with each file as it was, and its path: in a step's `was`, or among the files that a
/// step keeps beside its path.
fn each_original(value: &mut Value, act: &mut Act<'_>) -> Result<()> {
    match value {
        Value::Array(all) => all.iter_mut().try_for_each(|one| each_original(one, act)),
        Value::Object(record) => {
            if let Some(path) = record.get("path").and_then(Value::as_str).map(String::from) {
                if is_file(record) {
                    return act(&path, record);
                }
                if let Some(Value::Object(was)) =
                    record.get_mut("was").filter(|was| was.as_object().is_some_and(is_file))
                {
                    return act(&path, was);
                }
            }
            record.values_mut().try_for_each(|one| each_original(one, act))
        }
        _ => Ok(()),
    }
}

fn is_file(record: &Map<String, Value>) -> bool {
    record.get("kind").and_then(Value::as_str) == Some("file")
}
