//! Every document that a test of this folder reads is held to the schema that `xenbond schema` prints
//! for its command: what the schema does not have, no document may have either.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::{Mutex, OnceLock};

use serde_json::{Value, json};

/// The schema of a command; `None` for a word that is none.
fn of(command: &str) -> Option<Value> {
    static KNOWN: OnceLock<Mutex<BTreeMap<String, Option<Value>>>> = OnceLock::new();
    let mut known = KNOWN.get_or_init(Mutex::default).lock().unwrap();
    known
        .entry(command.to_string())
        .or_insert_with(|| {
            let output =
                Command::new(env!("CARGO_BIN_EXE_xenbond")).args(["schema", command]).output();
            let output = output.unwrap();
            output.status.success().then(|| serde_json::from_slice(&output.stdout).unwrap())
        })
        .clone()
}

/// Holds a document to the schema of the command that printed it.
pub fn hold(args: &[&str], document: &Value) {
    let Some(command) = args.iter().find(|word| !word.starts_with('-')) else { return };
    // A command that there is not prints how a run ended, as every command may.
    let schema = of(command).unwrap_or_else(|| of("apply").unwrap());
    let faults: Vec<String> = schema["anyOf"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|one| fault(one, document, "document"))
        .collect();
    let count = schema["anyOf"].as_array().unwrap().len();
    assert!(faults.len() < count, "{args:?}: {}\n{document:#}", faults.join("\nor "));
}

/// The first thing that is not as the schema has it.
fn fault(schema: &Value, value: &Value, at: &str) -> Option<String> {
    if let Some(any) = schema["anyOf"].as_array() {
        let faults: Option<Vec<String>> = any.iter().map(|one| fault(one, value, at)).collect();
        return faults.and_then(|faults| faults.into_iter().next());
    }
    if let Some(words) = schema["enum"].as_array() {
        return (!words.contains(value)).then(|| format!("{at} is {value}"));
    }
    let is = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    match schema["type"].as_str() {
        None => return None,
        Some("number") if is == "integer" => {}
        Some(want) if want == is => {}
        Some(want) => return Some(format!("{at} is of type {is}, and not {want}")),
    }
    let none = json!([]);
    let items = value.as_array().unwrap_or(none.as_array().unwrap());
    if let Some(fault) =
        items.iter().find_map(|one| fault(&schema["items"], one, &format!("{at}[]")))
    {
        return Some(fault);
    }
    for (key, value) in value.as_object().into_iter().flatten() {
        let at = format!("{at}.{key}");
        let Some(schema) = schema["properties"].get(key) else {
            return Some(format!("{at} is not in the schema"));
        };
        if let Some(fault) = fault(schema, value, &at) {
            return Some(fault);
        }
    }
    let required = schema["required"].as_array().into_iter().flatten();
    let missing = required.filter_map(Value::as_str).find(|key| value.get(key).is_none());
    missing.map(|key| format!("{at} has no {key}"))
}

#[test]
fn a_document_with_more_less_or_else_than_its_schema_is_noticed() {
    let schema = json!({
        "type": "object",
        "properties": {
            "a": {"type": "string"},
            "b": {"anyOf": [{"type": "array", "items": {"enum": ["x", "y"]}}, {"type": "null"}]},
        },
        "required": ["a"],
    });
    for (document, good) in [
        (json!({"a": "1", "b": ["x"]}), true),
        (json!({"a": "1", "b": null}), true),
        (json!({"a": "1"}), true),
        (json!({"b": null}), false),
        (json!({"a": 1}), false),
        (json!({"a": "1", "b": ["z"]}), false),
        (json!({"a": "1", "c": 1}), false),
    ] {
        assert_eq!(fault(&schema, &document, "it").is_none(), good, "{document}");
    }
}

#[test]
fn every_document_names_its_version_and_its_host() {
    let root = super::root::Root::new("el7", "bridge");
    root.apply();
    for command in ["status", "list", "verify", "show", "init", "inventory", "findings", "log"] {
        let document = root.json(0, &[command]);
        assert_eq!((&document["version"], &document["host"]), (&json!(1), &json!("xen01")));
    }
    assert_eq!(root.json(0, &["verify"])["bond"], "bond51");
    assert_eq!(root.json(0, &["apply", "bond51", "--yes"])["bond"], "bond51");
    assert_eq!(root.json(0, &["rollback", "--yes"])["bond"], "bond51");
    assert_eq!(root.json(0, &["list"])["bond"], Value::Null);
    root.exits(2, &["schema", "man"]);
}
