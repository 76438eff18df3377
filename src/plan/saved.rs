//! A plan on disk, and whether the host is still what it was made for.

use anyhow::{Context, Result, anyhow};
use serde::{Deserialize, Serialize};

use super::Plan;
use crate::inventory::Inventory;
use crate::inventory::facts::{self, Facts};
use crate::outcome::Hint;

/// This version of the program, which may plan otherwise than another.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A plan and the facts that it rests on.
#[derive(Serialize, Deserialize)]
pub struct SavedPlan {
    xenbond: String,
    digest: String,
    /// The plan.
    pub plan: Plan,
    facts: Facts,
}

impl SavedPlan {
    /// The plan with the facts that it rests on, from the inventory that it was made of.
    #[must_use]
    pub fn of(plan: &Plan, inv: &Inventory) -> Self {
        let facts = plan.facts(inv);
        let digest = facts::digest_of(&facts);
        Self { xenbond: VERSION.into(), digest, plan: plan.clone(), facts }
    }

    /// Whether the host is still what it was made for, and `now`, made of the same spec on the
    /// host as it is, the same plan.
    ///
    /// # Errors
    /// When it is not, with what has moved.
    pub fn still_fresh(&self, now: Option<&Plan>, inv: &Inventory) -> Result<()> {
        let moved: Vec<String> = facts::differences(&self.facts, &self.plan.facts(inv))
            .iter()
            .map(ToString::to_string)
            .collect();
        let why = if self.digest != facts::digest_of(&self.facts) {
            "its facts were changed since it was written".to_string()
        } else if !moved.is_empty() {
            moved.join("; ")
        } else if now == Some(&self.plan) {
            return Ok(());
        } else if self.xenbond == VERSION {
            "the plan would be different now".to_string()
        } else {
            format!("xenbond {} made it, and this one, {VERSION}, plans otherwise", self.xenbond)
        };
        Err(anyhow!("the saved plan is stale: {why}"))
            .context(Hint("xenbond plan --out FILE again, read it, and apply that one".into()))
    }
}
