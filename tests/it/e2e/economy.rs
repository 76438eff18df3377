//! A call of `xe` is a login to XAPI and, on a pool member, a round trip to the master: what is
//! asked, how often, and what at the same time.

use std::collections::BTreeSet;
use std::fs;

use super::root::{Root, with_spec};

fn xe(commands: &[(String, bool)]) -> Vec<String> {
    commands.iter().map(|(c, _)| c.clone()).filter(|c| c.starts_with("xe ")).collect()
}

#[test]
fn a_plan_asks_each_question_once_and_all_at_the_same_time() {
    let root = Root::new("el7", "bridge");
    root.exits(0, &with_spec(&["plan"]));
    let asked = xe(&root.transcript());
    let different: BTreeSet<&String> = asked.iter().collect();
    assert_eq!(different.len(), asked.len(), "something is asked twice: {asked:#?}");
    for list in
        asked.iter().filter(|c| ["pif", "pbd"].iter().any(|t| c.contains(&format!(" {t}-list"))))
    {
        assert!(list.contains(" host-uuid="), "not filtered by host on the server: {list}");
    }
    // No call is answered before all have been made, of the wire too: calls one after the other
    // would never end.
    let wires = root.transcript().iter().filter(|(c, _)| c.starts_with("arping ")).count();
    assert_eq!(wires, 2, "one for each NIC");
    fs::create_dir(root.at(".dom0/calls")).unwrap();
    let script = format!(
        ": > \"$root/.dom0/calls/$$\"\nfor _ in $(seq 3000); do\n  n=$(ls \"$root/.dom0/calls\" | wc -l)\n  [ \"$n\" -ge {} ] && exec \"$real\" \"$@\"\n  sleep 0.02\ndone\necho 'not asked at the same time' >&2\nexit 1\n",
        asked.len() + wires
    );
    for program in ["opt/xensource/bin/xe", "sbin/arping"] {
        root.wrap(program, &script);
    }
    root.exits(0, &with_spec(&["plan"]));
    assert_eq!(fs::read_dir(root.at(".dom0/calls")).unwrap().count(), asked.len() + wires);
}

#[test]
fn an_apply_adds_a_call_for_each_effect_and_a_list_for_each_step_that_it_proves() {
    let root = Root::new("el7", "bridge");
    root.exits(0, &with_spec(&["plan"]));
    let planned = xe(&root.transcript()).len();
    root.apply();
    let all = xe(&root.transcript());
    let added = &all[2 * planned..];
    let effects = ["pif-unplug", "pif-forget", "pif-introduce"];
    let is_effect = |c: &&String| effects.iter().any(|e| c.contains(e));
    let changing = added.iter().filter(is_effect).count();
    assert_eq!(changing, 6, "{added:#?}");
    // Each NIC is forgotten and introduced, which makes four proofs, and the verdict is the fifth.
    let lists = added.iter().filter(|c| c.starts_with("xe pif-list ")).count();
    assert_eq!(lists, 5, "{added:#?}");
    assert_eq!(added.len(), changing + lists, "{added:#?}");
}
