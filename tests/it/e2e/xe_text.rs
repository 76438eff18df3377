//! An `xe` that answers with what it never should: a plan is refused in a sentence.

use std::fs;

use super::root::{Root, with_spec};

const UUID: &str = "11111111-2222-3333-4444-555555555555";

/// Puts a script in the place of `xe` and asks for a plan.
fn plan_with(what: &str, script: &str) {
    let root = Root::new("el7", "bridge");
    root.wrap("opt/xensource/bin/xe", script);
    let start = root.snapshot().files;
    let run = root.exits(1, &with_spec(&["plan"]));
    let said = run.out.clone() + &run.err;
    assert!(said.contains("XAPI") || said.contains("xe"), "{what}: {run:?}");
    assert!(said.len() < 8000, "{what}: {} bytes of message", said.len());
    let bad = |c: char| c.is_control() && c != '\n';
    assert!(!said.contains(bad), "{what}: {said:?}");
    assert_eq!(start, root.snapshot().files, "{what}");
    assert!(!root.at("var/lib/xenbond").exists(), "{what}");
}

/// All of `xe` but `pif-list` is as it should be.
fn pif_list(script: &str) -> String {
    format!("if [ \"$1\" != pif-list ]; then exec \"$real\" \"$@\"; fi\n{script}")
}

#[test]
fn nothing_at_all() {
    plan_with("silence", "exit 0\n");
}

#[test]
fn usage_with_exit_code_0() {
    plan_with("usage", "echo 'Usage: xe <cmd> [-s server] [-p port]'\nexit 0\n");
}

#[test]
fn an_error_with_exit_code_0() {
    plan_with(
        "error text",
        &pif_list("echo 'Error: the server failed to handle your request.'\nexit 0\n"),
    );
}

#[test]
fn a_prompt() {
    plan_with("prompt", "printf 'Username: '\nread -r user\necho\nexit 0\n");
}

#[test]
fn an_error_with_control_characters() {
    plan_with("colours", "printf '\\033[31mno\\033[0m\\007\\r\\n' >&2\nexit 1\n");
}

#[test]
fn an_answer_that_is_no_utf_8() {
    plan_with("bytes", &pif_list("printf 'uuid ( RO) : \\377\\376\\200\\n\\n\\n'\nexit 0\n"));
}

#[test]
fn an_answer_that_is_cut_off() {
    plan_with(
        "cut off",
        &pif_list("text=$(\"$real\" \"$@\")\nprintf '%s' \"${text:0:400}\"\nexit 0\n"),
    );
}

#[test]
fn records_with_the_same_uuid() {
    plan_with("twice", &pif_list("\"$real\" \"$@\"\n\"$real\" \"$@\"\nexit 0\n"));
}

#[test]
fn a_record_with_a_field_twice() {
    plan_with(
        "field twice",
        &pif_list(&format!(
            "printf 'uuid ( RO) : {UUID}\\n    device ( RO): eth2\\n    device ( RO): eth0\\n\\n\\n'\nexit 0\n"
        )),
    );
}

#[test]
fn a_record_without_its_fields() {
    plan_with("no fields", &pif_list(&format!("printf 'uuid ( RO) : {UUID}\\n\\n\\n'\nexit 0\n")));
}

#[test]
fn a_field_that_is_neither_true_nor_false() {
    plan_with(
        "maybe",
        &pif_list(
            "text=$(\"$real\" \"$@\")\nprintf '%s\\n\\n\\n' \"${text//true/maybe}\"\nexit 0\n",
        ),
    );
}

#[test]
fn an_answer_of_10_megabytes_without_a_line_end() {
    plan_with(
        "10 MB",
        &pif_list("printf -v text '%*s' 10000000 x\nprintf '%s' \"$text\"\nexit 0\n"),
    );
}

#[test]
fn an_error_of_10_megabytes() {
    plan_with(
        "10 MB of stderr",
        "printf -v text '%*s' 10000000 x\nprintf '%s' \"$text\" >&2\nexit 1\n",
    );
}

#[test]
fn an_apply_is_refused_as_well() {
    let root = Root::new("el7", "bridge");
    root.wrap("opt/xensource/bin/xe", &pif_list("echo 'Error: no.'\nexit 0\n"));
    let start = root.snapshot().files;
    root.exits(1, &with_spec(&["apply", "--yes"]));
    assert_eq!(start, root.snapshot().files);
    assert!(!root.at("var/lib/xenbond").exists());
}

#[test]
fn a_process_that_kills_itself() {
    plan_with("killed", &pif_list("kill -9 $$\n"));
}

#[test]
fn a_program_that_is_no_program() {
    let root = Root::new("el7", "bridge");
    let xe = root.at("opt/xensource/bin/xe");
    fs::remove_file(&xe).unwrap();
    let run = root.exits(1, &with_spec(&["plan"]));
    assert!(run.out.contains("xe") || run.err.contains("xe"), "{run:?}");
    fs::write(&xe, "not a program").unwrap();
    let run = root.exits(1, &with_spec(&["plan"]));
    assert!(run.out.contains("xe") || run.err.contains("xe"), "{run:?}");
}

#[test]
fn a_name_label_that_forges_a_record_is_only_a_name() {
    let root = Root::new("el7", "bridge");
    let forged = format!("x\n\n\nuuid ( RO) : {UUID}\n    device ( RO): eth2\n\n\n");
    root.set(&serde_json::json!({"pool": {"networks": {"xenbr2": {"name_label": forged}},
        "vms": {"vm-spare": {"name_label": forged}}}}));
    let run = root.xenbond(&with_spec(&["plan"]));
    assert!([0, 1].contains(&run.code), "{run:?}");
    assert!(!run.out.contains(UUID), "{run:?}");
}
