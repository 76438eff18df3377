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
    // No call is answered before all have been made: calls one after the other would never end.
    // The wire is asked where XAPI says that the NICs are.
    let wires = root.transcript().iter().filter(|(c, _)| c.starts_with("arping ")).count();
    assert_eq!(wires, 2, "one for each NIC");
    fs::create_dir(root.at(".dom0/calls")).unwrap();
    let script = |calls: usize| {
        format!(
            ": > \"$root/.dom0/calls/$$\"\nfor _ in $(seq 3000); do\n  n=$(ls \"$root/.dom0/calls\" | wc -l)\n  [ \"$n\" -ge {} ] && exec \"$real\" \"$@\"\n  sleep 0.02\ndone\necho 'not asked at the same time' >&2\nexit 1\n",
            calls
        )
    };
    root.wrap("opt/xensource/bin/xe", &script(asked.len()));
    root.wrap("sbin/arping", &script(asked.len() + wires));
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
    // The host is read again once the lock is held, and for the verdict.
    let readings = added.iter().filter(|c| c.starts_with("xe host-list ")).count();
    assert_eq!(readings, 2, "{added:#?}");
    // Each reading has two lists of PIFs, as has the look at each PIF that is to be forgotten. Each
    // NIC is forgotten and introduced, which makes four proofs, and one list says what is on disk.
    let lists = added.iter().filter(|c| c.starts_with("xe pif-list ")).count();
    assert_eq!(lists, 2 * readings + 2 * 2 + 4 + 1, "{added:#?}");
    assert_eq!(added.len(), changing + lists + readings * (planned - 2), "{added:#?}");
}
