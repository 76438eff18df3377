//! What is in the JSON document of each command, as a JSON Schema. Knows forms, and no values.

use std::iter::Peekable;
use std::str::Chars;

use serde_json::{Map, Value, json};

/// The documents by the command that prints them, in short: `name:type` is a field, `name?:type`
/// one that may be missing. A type is `s` text, `n` a whole number, `f` a number, `b` yes or no,
/// `x` anything, `{...}` fields, `a|b` one of these words, `*TYPE` a list; with `?` behind it
/// also null. A capital begins the name of one of [`SHARED`].
const DOCUMENTS: [(&str, &str); 18] = [
    (
        "plan",
        "spec:x findings:*Finding changes:b steps:*{number:n title:s undo:s commands:**s \
         sysfs:*{path:s value:s} files:*{path:s change:create|replace|remove diff:s} reboot:b} \
         digest:s? seconds:n? interrupts:n? reboot:b? vms:*s? cannot_be_undone:*s?",
    ),
    ("apply", ""),
    ("resume", ""),
    ("confirm", ""),
    (
        "rollback",
        "headline:s transactions:*s findings:*Finding steps:*s interrupts:n? reboot:b \
         cannot_be_undone:*s",
    ),
    ("adopt", ""),
    ("remove", ""),
    ("verify", "ok:b checks:*Check"),
    ("list", "bonds:*{name:s kind:s mode:s? nics:*s address:s? since:s ok:b? rollback:s}"),
    ("spec", "spec:s"),
    ("init", "free:*Nic held:*Nic spec:s"),
    (
        "status",
        "ok:b release:s? kernel:s? backend:{running:s? next_boot:s?} xapi_error:s? nics:*Nic \
         bonds:*{name:s ours:b as_asked:b? \
         xapi:{mode:s? slaves:*s plugged:b bridge:s? management:b addresses:*s}? \
         kernel:Running? vswitch:Running?} \
         transaction:{id:s bond:s phase:s boot_id?:s open:b started:s last:s why:s? asked:b? \
         done:n steps:n seconds_left:n? run:s? left:*Item hint:s?}? \
         record_error:{what:s hint:s?}? drift:*Check left_alone:*s",
    ),
    (
        "show",
        "bonds:*{name:s? driver_version:s? kernel_driver:b? mode:s? mode_number:n? mode_text:s? \
         fail_over_mac:s? mii_status:s? active_slave:s? primary:s? primary_reselect:s? miimon:n? \
         updelay:n? downdelay:n? peer_notif_delay:n? arp_interval:n? arp_missed_max:n? \
         arp_ip_target:*s? ns_ip6_target:*s? xmit_hash_policy:s? lacp_active:s? lacp_rate:s? \
         min_links:n? ad_select:s? system_priority:n? system_mac:s? \
         aggregator:{id:n? ports:n? actor_key:n? partner_key:n? partner_mac:s?}? \
         no_active_aggregator:b? slb_buckets:*{bucket:n slave:s}? lacp?:s? lacp_fallback_ab?:b? \
         slaves:*{name:s mii_status:s? speed_mbps:n? duplex:s? link_failure_count:n? \
         perm_hwaddr:s? queue_id:n? aggregator_id:n? promiscuity:n? flags:n? \
         actor_churn_state:s? partner_churn_state:s? actor_churned_count:n? \
         partner_churned_count:n? actor:Pdu? partner:Pdu? enabled?:b? active?:b? may_enable?:b? \
         updelay_left?:n? downdelay_left?:n?}} \
         lacp:*{name:s? status:s? sys_id:s? key:n? rate:s? slaves:*{name:s current:b? attached:b? \
         defaulted:b? may_enable:b? partner_sys_id:s? partner_key:n? actor_state:*s? \
         partner_state:*s?}}",
    ),
    (
        "drill",
        "ok:b target:s cut_links:b interval_ms:n slaves:*{name:s ok:b sent:n lost:n gap_ms:n? \
         why:s? timeline:s} error:s?",
    ),
    (
        "inventory",
        "format:n may_change:b xensource:x programs:x init:x network_service:b network_conf:x \
         files:x unnamed:*s pipes?:*s behind?:x kernel:x ground:x wire:x xapi:x xapi_error:s? \
         driver_has_slb:b? has_vlans:b? driver:x tuning?:x transaction:x made?:*s",
    ),
    (
        "rehearse",
        "result:Result exit:n transaction:s? steps:*Step error:s? hint:s? effects:n differences:*s",
    ),
    ("findings", "findings:*{code:s severity:Severity meaning:s remedy:s}"),
    (
        "log",
        "transaction:s started:s phase:s entries:*{at:s who:s \
         kind:begins|ended|ran|wrote|removed|note|rollback what:s status:s? seconds:f? boot?:s} \
         transactions:*{id:s bond:s phase:s started:s}",
    ),
];

/// What several documents have.
const SHARED: [(&str, &str); 9] = [
    ("Severity", "error|warning|note"),
    ("Finding", "{code:s severity:Severity message:s hint:s}"),
    ("Check", "{bond:s name:s want:s have:s? ok:b hint:s? required:b}"),
    ("Item", "{what:s command:s}"),
    (
        "Nic",
        "{device:s mac:s? link:s? speed_mbps:n? duplex:s? mtu:n? driver:s? pif:s? managed:b? \
         plugged:b? network:s? bridge:s? used_by:*s}",
    ),
    (
        "Running",
        "{mode:s? link:s? active_slave:s? miimon:n? mtu:n? slaves:*{name:s link:s? carries:b} \
         addresses:*s vlans?:*{device:s tag:n mtu:n? addresses:*s} bridge:s?}",
    ),
    (
        "Pdu",
        "{system_priority:n? system_mac:s? key:n? port_priority:n? port_number:n? port_state:n?}",
    ),
    (
        "Result",
        "done|nothing-to-do|refused|rolled-back|rollback-incomplete|closed|waiting-for-reboot|\
         waiting-for-confirmation",
    ),
    ("Step", "{number:n title:s state:pending|done|failed|undone|not-undone seconds:f?}"),
];

/// How a run ended; also what a command prints that could not do its work.
const OUTCOME: &str = "result:Result exit:n transaction:s? steps:*Step error:s? hint:s? \
    findings:*Finding notes:*s pending:*Item not_saved:*Item left:*Item";

/// What every document has.
const COMMON: &str = "version:n host:s? bond:s? ";

/// The commands that print a document.
pub fn documented() -> impl Iterator<Item = &'static str> {
    DOCUMENTS.iter().map(|(command, _)| *command)
}

/// The schema of what a command prints with `--json`.
#[must_use]
pub fn schema(command: &str) -> Option<Value> {
    let (_, own) = DOCUMENTS.iter().find(|(name, _)| *name == command)?;
    let mut any = vec![document(OUTCOME)];
    if !own.is_empty() {
        any.insert(0, document(own));
    }
    Some(json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": format!("xenbond {command} --json"),
        "anyOf": any,
    }))
}

fn document(fields: &str) -> Value {
    self::fields(&mut format!("{COMMON}{fields}").chars().peekable())
}

type Text<'a> = Peekable<Chars<'a>>;

/// An object, up to the end of its fields.
fn fields(text: &mut Text<'_>) -> Value {
    let (mut all, mut required) = (Map::new(), Vec::new());
    loop {
        while text.next_if_eq(&' ').is_some() {}
        let name = word(text);
        if name.is_empty() {
            text.next();
            return json!({"type": "object", "properties": all, "required": required});
        }
        if text.next_if_eq(&'?').is_none() {
            required.push(name.clone());
        }
        text.next();
        all.insert(name, form(text));
    }
}

/// A type.
fn form(text: &mut Text<'_>) -> Value {
    let form = plain(text);
    if text.next_if_eq(&'?').is_some() { json!({"anyOf": [form, {"type": "null"}]}) } else { form }
}

/// A type without what stands behind it.
fn plain(text: &mut Text<'_>) -> Value {
    if text.next_if_eq(&'*').is_some() {
        return json!({"type": "array", "items": plain(text)});
    }
    if text.next_if_eq(&'{').is_some() {
        return fields(text);
    }
    let word = word(text);
    match word.as_str() {
        "s" => json!({"type": "string"}),
        "n" => json!({"type": "integer"}),
        "f" => json!({"type": "number"}),
        "b" => json!({"type": "boolean"}),
        "x" => json!({}),
        words if words.contains('|') => json!({"enum": words.split('|').collect::<Vec<_>>()}),
        name => {
            let shared = SHARED.iter().find(|(known, _)| *known == name);
            shared.map_or(Value::Bool(false), |(_, form)| plain(&mut form.chars().peekable()))
        }
    }
}

fn word(text: &mut Text<'_>) -> String {
    let mut word = String::new();
    while let Some(c) = text.next_if(|c| c.is_ascii_alphanumeric() || "_-|".contains(*c)) {
        word.push(c);
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_of_the_table_is_read_to_its_end() {
        for command in documented() {
            let schema = schema(command).unwrap();
            let text = schema.to_string();
            assert!(!text.contains("false"), "{command}: a type that there is not: {text}");
            for one in schema["anyOf"].as_array().unwrap() {
                assert_eq!(one["properties"]["host"]["anyOf"][0]["type"], "string");
                assert!(!one["properties"].as_object().unwrap().contains_key(""));
            }
        }
        assert!(schema("man").is_none());
    }

    #[test]
    fn a_form_in_short_is_a_schema() {
        let read = |text: &str| form(&mut text.chars().peekable());
        assert_eq!(
            read("*{a:s b?:n}?"),
            json!({"anyOf": [
                {"type": "array", "items": {
                    "type": "object",
                    "properties": {"a": {"type": "string"}, "b": {"type": "integer"}},
                    "required": ["a"],
                }},
                {"type": "null"},
            ]})
        );
        assert_eq!(read("Severity"), json!({"enum": ["error", "warning", "note"]}));
    }
}
