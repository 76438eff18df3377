//! Which change repaired the bond of which other one. Pure; must not know what follows from it.

use crate::host::Kind;
use crate::plan::Plan;
use crate::step::Step;

/// Whether a change found the bond of the one `before` broken: a NIC of it back under XAPI, or,
/// asked for the same, something else than files of other templates.
#[must_use]
pub fn repairs(plan: &Plan, before: &Plan) -> bool {
    if plan.spec.bond != before.spec.bond {
        return false;
    }
    let had = |step: &Step| match step {
        Step::ForgetPif(record) => before.nics.iter().any(|nic| nic.device == record.device),
        _ => false,
    };
    let written = |path: &str| -> Option<&Kind> {
        let mut files = before.steps.iter().filter_map(Step::file);
        files.find(|file| file.path == path).map(|file| &file.want)
    };
    let mut files = plan.steps.iter().filter_map(Step::file).peekable();
    let only_renewed = files.peek().is_some()
        && files.all(|file| written(&file.path).is_none_or(|want| want.same_but_time(&file.was)));
    plan.steps.iter().any(had) || (plan.spec == before.spec && !only_renewed)
}
