//! The emulated `xe`: its argument rules, its printer, its lists and its errors
//! (facts/xapi.md sections A and B0). The commands that work on PIFs are in `xe_pif.rs`.

use crate::model::programs::shell::Shell;
use crate::model::state::{Flavour, Map, Xapi};
mod answer;
mod host;
mod pif;
mod records;

use answer::{Answer, Args, Fault, find};
use records::{CLASSES, Field, Record, Value, records};

/// Words that the client keeps to itself.
const CLIENT: [&str; 9] = [
    "server",
    "port",
    "username",
    "password",
    "passwordfile",
    "nossl",
    "debug",
    "debugonfail",
    "traceparent",
];

/// Runs `xe`; its exit status.
pub(crate) fn run(shell: &mut Shell<'_>, argv: &[String]) -> i32 {
    shell.took += 200;
    // The arguments go over the wire joined by line ends, so one with a line end is several.
    let words: Vec<&str> = argv.iter().flat_map(|a| a.split('\n')).collect();
    let mut args = Args { pairs: Vec::new(), minimal: false };
    let mut bare = Vec::new();
    let mut command = None;
    let mut skip = false;
    for word in words {
        if std::mem::take(&mut skip) {
            continue;
        }
        match word {
            "--minimal" => args.minimal = true,
            "--help" | "-help" | "/?" if command.is_none() => {
                return usage(shell);
            }
            "-s" | "-h" | "-p" | "-u" | "-pw" | "-pwf" => skip = true,
            _ if word.starts_with("--") => {
                args.pairs.push((word[2..].to_string(), "true".to_string()))
            }
            _ => match word.split_once('=') {
                Some((key, _)) if CLIENT.contains(&key) => {}
                _ if command.is_none() => command = Some(word),
                Some((key, value)) => args.pairs.push((key.to_string(), value.to_string())),
                None => bare.push(word),
            },
        }
    }
    let Some(command) = command else { return usage(shell) };
    if let Some(fault) = refused(shell) {
        return fail(shell, fault);
    }
    if command == "help" {
        return help(shell, bare.first().copied());
    }
    if let Some(word) = bare.first() {
        let text = format!("Syntax error: {word}");
        return fail(shell, Fault::Usage(text));
    }
    match command_of(shell, command, &args) {
        Ok(lines) => {
            for line in lines {
                shell.say(line);
            }
            0
        }
        Err(fault) => fail(shell, fault),
    }
}

fn usage(shell: &mut Shell<'_>) -> i32 {
    shell.say("Usage: xe <cmd> [-s server] [-p port] ([-u username] [-pw password] or [-pwf <password file>]) <other arguments>");
    shell.say(
        "\nA full list of commands can be obtained by running \n\txe help -s <server> -p <port>",
    );
    0
}

fn help(shell: &mut Shell<'_>, command: Option<&str>) -> i32 {
    match command {
        Some("pif-introduce") => {
            let managed = if shell.features().xe_managed { ", managed" } else { "" };
            shell.say("command name            : pif-introduce");
            shell.say("        reqd params     : host-uuid, device");
            shell.say(format!("        optional params : mac{managed}"));
            shell.say("        description     : Create a new PIF object representing a physical interface on this host.\n");
        }
        Some(other) => {
            shell.complain(format!("Responding with Unknown command {other}"));
        }
        None => shell.say("Usage: xe <command> [-s server] ..."),
    }
    0
}

/// Why nothing at all can be asked now.
fn refused(shell: &Shell<'_>) -> Option<Fault> {
    let state = &*shell.state;
    match state.dom0.xapi {
        Xapi::Down => {
            return Some(Fault::Plain("Connection refused (calling connect )".to_string()));
        }
        Xapi::Starting => {
            return Some(Fault::Api(
                "The host toolstack is still initialising. Please wait.",
                Vec::new(),
            ));
        }
        Xapi::Up => {}
    }
    let master = state.pool.hosts.get(&state.pool.master);
    let lost = state.pool.master != state.dom0.me && master.is_some_and(|m| !m.live);
    lost.then(|| Fault::Usage("Lost connection to the server.".to_string()))
}

fn fail(shell: &mut Shell<'_>, fault: Fault) -> i32 {
    match fault {
        Fault::Api(sentence, params) => {
            shell.complain(sentence);
            for (label, value) in params {
                shell.complain(format!("{label}: {value}"));
            }
        }
        Fault::Internal(text) => {
            let gap = if shell.state.dom0.flavour == Flavour::El5 { "  " } else { " " };
            shell.complain(format!(
                "The server failed to handle your request, due to an internal error.{gap}The given message may give details useful for debugging the problem."
            ));
            shell.complain(format!("message: Failure: {text}"));
        }
        Fault::Plain(text) => shell.complain(format!("Error: {text}")),
        Fault::Usage(text) => {
            let hint = !text.starts_with("Lost");
            shell.complain(text);
            if hint {
                shell.complain("For usage run: 'xe help'");
            }
        }
    }
    1
}

fn command_of(shell: &mut Shell<'_>, command: &str, args: &Args) -> Answer {
    let special =
        pif::command(shell, command, args).or_else(|| host::command(shell, command, args));
    if let Some(answer) = special {
        return answer;
    }
    let unknown = || Fault::Usage(format!("Unknown command: {command}"));
    if command == "pool-sync-database" {
        return Ok(Vec::new());
    }
    // Clusters came with 7.5.
    let known = |name: &str| name != "cluster-host" || shell.state.dom0.flavour == Flavour::El7;
    let parts = CLASSES.iter().filter(|(name, ..)| known(name)).find_map(|(name, kind, shown)| {
        Some((*name, *kind, *shown, command.strip_prefix(name)?.strip_prefix('-')?))
    });
    let Some((class, kind, shown, verb)) = parts else {
        let empty = ["network-sriov-list", "message-list"];
        return if empty.contains(&command) { Ok(Vec::new()) } else { Err(unknown()) };
    };
    match verb {
        "list" => list(shell, class, shown, args),
        "param-list" => {
            let record = find(shell, class, kind, args.need("uuid")?)?;
            Ok(vec![format!("{}\n", print(&record.fields.iter().collect::<Vec<_>>()))])
        }
        "param-get" => {
            let record = find(shell, class, kind, args.need("uuid")?)?;
            let name = args.need("param-name")?;
            let field = record
                .field(name)
                .ok_or_else(|| Fault::Internal(format!("Unknown field '{name}'")))?;
            match (args.get("param-key"), &field.value) {
                (None, _) => Ok(vec![field.text()]),
                (Some(key), Value::Map(map)) => map
                    .get(key)
                    .map(|v| vec![v.clone()])
                    .ok_or_else(|| Fault::Internal(format!("Key {key} not found in map"))),
                (Some(_), _) => Err(Fault::Internal(format!("Field '{name}' is not a map"))),
            }
        }
        "param-set" => set(shell, class, kind, args),
        "param-remove" => {
            let record = find(shell, class, kind, args.need("uuid")?)?;
            let (name, key) = (args.need("param-name")?, args.need("param-key")?);
            let map = pif::map_of(shell.state, class, &record.key, name).ok_or_else(|| {
                Fault::Internal(format!("Cannot remove parameters from field '{name}'"))
            })?;
            map.remove(key)
                .map(|_| Vec::new())
                .ok_or_else(|| Fault::Plain(format!("Key {key} not found in map")))
        }
        "param-add" => {
            let record = find(shell, class, kind, args.need("uuid")?)?;
            let name = args.need("param-name")?;
            let map = pif::map_of(shell.state, class, &record.key, name).ok_or_else(|| {
                Fault::Internal(format!("Cannot add parameters to field '{name}'"))
            })?;
            for (key, value) in args.pairs.iter().filter(|(k, _)| k != "uuid" && k != "param-name")
            {
                map.insert(key.clone(), value.clone());
            }
            Ok(Vec::new())
        }
        "param-clear" => {
            let record = find(shell, class, kind, args.need("uuid")?)?;
            let name = args.need("param-name")?;
            let map = pif::map_of(shell.state, class, &record.key, name)
                .ok_or_else(|| Fault::Internal(format!("Cannot clear field '{name}'")))?;
            map.clear();
            Ok(Vec::new())
        }
        _ => Err(unknown()),
    }
}

fn list(shell: &Shell<'_>, class: &str, shown: &[&str], args: &Args) -> Answer {
    let mut found = records(shell.state, class);
    if class == "vm" {
        found.retain(|r| r.field("is-a-template").is_some_and(|f| f.text() == "false"));
    }
    let mut seen: Vec<&str> = vec!["params", "database", "minimal"];
    for (name, want) in &args.pairs {
        if seen.contains(&name.as_str()) {
            continue;
        }
        seen.push(name);
        let (base, key) = name.split_once(':').map_or((name.as_str(), None), |(b, k)| (b, Some(k)));
        let Some(first) = found.first() else { break };
        if first.field(base).is_none() {
            return Err(Fault::Internal(format!("Unknown field '{base}'")));
        }
        found.retain(|record| match (record.field(base).map(|f| &f.value), key) {
            (Some(Value::Map(map)), Some(key)) => map.get(key) == Some(want),
            (Some(Value::Set(list)), Some("contains")) => list.contains(want),
            (Some(Value::Text(have)), None) if base == "MAC" => have.eq_ignore_ascii_case(want),
            (Some(_), None) => record.field(base).is_some_and(|f| f.text() == *want),
            _ => false,
        });
    }
    let wanted: Option<Vec<&str>> = args.get("params").map(|p| p.split(',').collect());
    let pick = |record: &Record| -> Vec<Field> {
        let takes = |name: &str| match &wanted {
            Some(list) => list.contains(&"all") || list.contains(&name),
            None => shown.contains(&name),
        };
        record.fields.iter().filter(|f| takes(f.name)).cloned().collect()
    };
    let rows: Vec<Vec<Field>> = found.iter().map(pick).collect();
    if args.minimal {
        let escape = |text: String| text.replace('\\', "\\\\").replace(',', "\\,");
        let firsts: Vec<String> =
            rows.iter().filter_map(|r| r.first()).map(|f| escape(f.text())).collect();
        return Ok(vec![firsts.join(",")]);
    }
    Ok(rows.iter().map(|row| format!("{}\n", print(&row.iter().collect::<Vec<_>>()))).collect())
}

/// `multi_line_record`: the first name padded on its right, the others on their left.
fn print(fields: &[&Field]) -> String {
    let width = 4 + fields.iter().map(|f| f.label().len()).max().unwrap_or(0);
    let lines: Vec<String> = fields
        .iter()
        .enumerate()
        .map(|(at, field)| match at {
            0 => format!("{:<width$}: {}", field.label(), field.text()),
            _ => format!("{:>width$}: {}", field.label(), field.text()),
        })
        .collect();
    format!("{}\n", lines.join("\n"))
}

fn set(shell: &mut Shell<'_>, class: &str, kind: &'static str, args: &Args) -> Answer {
    let record = find(shell, class, kind, args.need("uuid")?)?;
    for (name, value) in args.pairs.iter().filter(|(k, _)| k != "uuid") {
        if let Some((base, key)) = name.split_once(':') {
            let map: &mut Map = pif::map_of(shell.state, class, &record.key, base)
                .ok_or_else(|| Fault::Internal(format!("Field '{base}' is not a map or a set")))?;
            map.insert(key.to_string(), value.clone());
            continue;
        }
        let field =
            record.field(name).ok_or_else(|| Fault::Internal(format!("Unknown field '{name}'")))?;
        if !field.writable || !matches!(field.value, Value::Text(_)) {
            return Err(Fault::Internal(format!("Field '{name}' is read-only.")));
        }
        pif::assign(shell.state, class, &record.key, name, value)?;
    }
    Ok(Vec::new())
}
