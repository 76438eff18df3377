//! What is found on a host, alone: the host, the spec, and every finding as it is shown. Where one
//! bars the way an apply is refused, and changes nothing.
//!
//! A case is called by the code that it is about, or by that and a word (`nic-no-link-el5`), or
//! `healthy-...`. It has `case.json` (a [`Found`]), `args`, `spec.ini` and `host/` as those of
//! whole jobs have. Wanted: `want.txt`.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::Value;
use similar::TextDiff;
use xenbond::engine::{self, Engine, Signals, Situation};
use xenbond::host::{Host, Kind};
use xenbond::inventory::{Inventory, on_host, resolve};
use xenbond::ledger::Orders;
use xenbond::model::state::{Backend, Flavour};
use xenbond::outcome::Ending;
use xenbond::plan;
use xenbond::preflight::{self, Code, Finding, barring};
use xenbond::rehearse::recorded;
use xenbond::render::Templates;
use xenbond::report;
use xenbond::spec::{Request, Spec};

use super::case::{Case, folders, golden};
use super::job::{Setup, nothing, request};
use super::model_host::{Scribe, Taken, Witness, merge};
use crate::dom0::Dom0;

/// The host of a case.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Found {
    /// `el5` or `el7`.
    flavour: Flavour,
    /// The backend that runs.
    backend: Backend,
    /// The host of the pool; else `xen01`.
    #[serde(default)]
    me: Option<String>,
    /// The VMs are not moved away before.
    #[serde(default)]
    vms_stay: bool,
    /// What is otherwise than in the built-in pool, as a merge patch (RFC 7396).
    #[serde(default = "nothing")]
    patch: Value,
    /// What is otherwise in the inventory than the model can show, as a merge patch.
    #[serde(default = "nothing")]
    inventory: Value,
}

/// The code that a case is about: the longest that its name begins with.
fn subject(name: &str) -> Option<Code> {
    let fits = |code: &&Code| {
        name.strip_prefix(code.name()).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    Code::ALL.iter().filter(fits).max_by_key(|code| code.name().len()).copied()
}

/// Runs a case.
pub fn run(case: &Case) -> Result<()> {
    let text = case.text("case.json")?.context("the case has no case.json")?;
    let found: Found = serde_json::from_str(&text).context("reading case.json")?;
    let setup = Setup::of_host(found.flavour, found.backend, found.vms_stay, found.patch);
    let me = found.me.as_deref().unwrap_or("xen01");
    let (dom0, witness) = Witness::new(&setup, me)?;
    case.lay("host", dom0.root())?;
    let (request, accepted) = request(case)?;
    let Situation { spec, inv, .. } = engine::look(&dom0.host, &request)?;
    let mut value = serde_json::to_value(&inv)?;
    merge(&mut value, &found.inventory);
    value["format"] = 1.into();
    let wire = inv.wire;
    let mut inv = Inventory::of_document(value.to_string().as_bytes())?;
    inv.wire = wire;
    // Nothing else of an order bears on a finding.
    let unguarded = case.text("args")?.unwrap_or_default().contains("--confirm-within\n0");
    let orders = Orders { confirm_within: unguarded.then_some(0), ..Orders::default() };
    let all = said(&request, &spec, &inv, orders)?;
    ensure!(all.is_sorted_by_key(|f| (f.severity, f.code)), "the worst does not come first");
    ensure!(witness.take_commands().is_empty(), "a command was run that changes the host");
    let name = case.name.rsplit_once('/').context("a topic")?.1;
    if let Some(code) = subject(name) {
        ensure!(all.iter().any(|f| f.code == code), "{code} was not found: {all:#?}");
    } else {
        ensure!(name.starts_with("healthy-"), "the case is called by no code");
        let bars = barring(&all, &[]);
        ensure!(bars.is_empty(), "a healthy host has {bars:#?}");
    }
    rehearses(&inv, &request, &all, orders, found.inventory == nothing())?;
    if found.inventory == nothing() && !barring(&all, &accepted).is_empty() {
        refused(&dom0, &witness, &request, &accepted, orders)?;
    }
    case.compare("want.txt", &report::findings(&all))
}

/// Everything that is found, with what a change of the bond that stands would interrupt.
fn said(request: &Request, spec: &Spec, inv: &Inventory, orders: Orders) -> Result<Vec<Finding>> {
    let nics = resolve(spec, inv);
    let mut all = preflight::check_request(request, spec, &nics, inv);
    if let Ok(plan) = plan::build(spec, &nics, inv, &Templates::load(None)?) {
        all.extend(preflight::interrupted(&plan.takes_down(), inv));
        let kept = plan::not_given_back(spec, &nics, &plan::Recorded::default(), inv);
        all.extend(preflight::not_given_back(&kept, spec, inv));
        all.extend(preflight::restarts(plan.completes()));
        all.extend(preflight::unguarded(plan.moves_management(), orders.confirm_within));
        all.sort_by_key(|f| (f.severity, f.code));
    }
    Ok(all)
}

/// What bars the way bars it: an apply is refused and leaves the host as it was.
fn refused(
    dom0: &Dom0,
    witness: &Witness,
    request: &Request,
    accepted: &[String],
    orders: Orders,
) -> Result<()> {
    let own = |host: &Host| host.list("/var/lib/xenbond").unwrap_or_default();
    let (before, had) = (Taken::of(&dom0.model), own(&dom0.host));
    let engine = Engine {
        host: &dom0.host,
        templates: &Templates::load(None)?,
        accepted,
        orders,
        signals: &Signals::default(),
    };
    let outcome = engine.apply(request, |_| Ok(()), &mut Scribe(witness));
    let refused = outcome.as_ref().map_or(true, |o| o.ending == Ending::Refused);
    ensure!(refused, "it is barred, and an apply ended as {outcome:?}");
    let ran = witness.take_commands();
    ensure!(ran.is_empty(), "refused, and commands were run: {ran:?}");
    let has = own(&dom0.host);
    ensure!(has == had, "refused, and /var/lib/xenbond has {has:?} instead of {had:?}");
    before.ensure_same(&Taken::of(&dom0.model)).context("refused")
}

/// What no model shows: who runs it, what is on the wire and in the lock, how full its disks are,
/// what only a socket tells, a text that was not understood, a service that nothing could be asked
/// of, and a XAPI that does not answer. `rehearse` judges the recorded host too, so nothing is lost.
const NOT_SHOWN: [Code; 17] = [
    Code::NotRoot,
    Code::AddressAnswers,
    Code::GatewayNotProven,
    Code::SubnetRoutable,
    Code::AnotherRun,
    Code::NoSpace,
    Code::MtuTooLarge,
    Code::TransactionOpen,
    Code::XapiUnreachable,
    Code::PoolMasterUnreachable,
    Code::HostNotFound,
    Code::PifUnreadable,
    Code::NothingBringsItUp,
    Code::NicInfiniband,
    Code::NameNotText,
    Code::SpeedUnknown,
    Code::RecordNotUnderstood,
];

/// The host as its inventory records it, made a model of elsewhere: the same is found on that, and
/// its inventory is the same where it was read `whole` from a model.
fn rehearses(
    inv: &Inventory,
    request: &Request,
    found: &[Finding],
    orders: Orders,
    whole: bool,
) -> Result<()> {
    let spec = &on_host(request.for_host(&inv.names())?, inv);
    let told = Inventory { wire: Default::default(), ..inv.clone() };
    let text = format!("{:#}", told.to_document()?);
    let read = Inventory::of_document(text.as_bytes())?;
    ensure!(format!("{:#}", read.to_document()?) == text, "the document is read as another one");
    let codes: BTreeSet<Code> = found.iter().map(|f| f.code).collect();
    if NOT_SHOWN.iter().any(|code| codes.contains(code)) {
        return Ok(());
    }
    let folder = xenbond::model::scratch()?;
    let made = recorded::create(folder.path(), &read, spec);
    if codes.contains(&Code::NotADom0) {
        let error = made.err().context("no dom0, and a model of it")?;
        ensure!(error.to_string().contains("`xapi` is null"), "{error:#}");
        return Ok(());
    }
    let model = made.context("making a model of the recorded host")?;
    let again = engine::look_for(&Dom0::around(model).host, spec)?;
    let (was, is) = (shown(inv)?, shown(&again)?);
    let diff = TextDiff::from_lines(&*was, &*is).unified_diff().to_string();
    ensure!(was == is || !whole, "the model of the recorded host has another inventory\n{diff}");
    let (was, is) =
        (report::findings(found), report::findings(&said(request, spec, &again, orders)?));
    let diff = TextDiff::from_lines(&*was, &*is).unified_diff().to_string();
    ensure!(*was == *is, "on the model of the recorded host other things are found\n{diff}");
    Ok(())
}

/// An inventory without what differs from boot to boot and from disk to disk.
fn shown(inv: &Inventory) -> Result<String> {
    let mut inv = inv.clone();
    inv.kernel.boot_id = None;
    inv.wire = Default::default();
    for place in &mut inv.ground.places {
        place.free = None;
    }
    for kind in inv.files.values_mut() {
        if let Kind::File { xattrs, .. } = kind {
            xattrs.clear();
        }
    }
    Ok(format!("{:#}", serde_json::to_value(&inv)?))
}

/// Every code has a case that is called by it, which [`run`] sees raise it, and is not in what
/// some other case wants.
pub fn both_ways() {
    let root = golden().join(super::FINDINGS);
    let cases = folders(&root);
    let subjects: BTreeSet<Code> = cases.iter().filter_map(|name| subject(name)).collect();
    let wants: Vec<String> = cases
        .iter()
        .map(|name| std::fs::read_to_string(root.join(name).join("want.txt")).unwrap_or_default())
        .collect();
    for code in Code::ALL {
        assert!(subjects.contains(code), "no case in golden/findings raises {code}");
        let said = format!(" {code}: ");
        assert!(wants.iter().any(|want| !want.contains(&said)), "every case raises {code}");
        assert!(wants.iter().any(|want| want.contains(&said)), "no case wants {code}");
    }
}
