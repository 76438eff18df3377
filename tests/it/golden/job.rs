//! Whole jobs on the model: plan, apply with its reboot, apply again, verify, rollback with its
//! reboot, and the comparison.
//!
//! A case has `case.json` (a [`Setup`]), `args` (one flag or value on each line), `spec.ini` and
//! `host/`, files that lie on the host before; all but the first may be missing. Wanted:
//! `want.txt`, or `want-HOST.txt` for each host.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use serde::Deserialize;
use serde_json::Value;
use xenbond::cli::{Cli, Command};
use xenbond::engine::{self, Engine};
use xenbond::host::Clock;
use xenbond::ledger::Orders;
use xenbond::model::state::{Backend, Flavour, State};
use xenbond::outcome::{Ending, Exit, Outcome};
use xenbond::plan;
use xenbond::preflight::barring;
use xenbond::render::Templates;
use xenbond::report::{self, View};
use xenbond::spec::{BackendChoice, Raw, Request, Spec, Use};
use xenbond::verify::{self, Question, Running};

use super::case::Case;
use super::model_host::{Scribe, Taken, Witness};
use crate::dom0::Dom0;

/// The host of a case, and how its job ends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    /// `el5` or `el7`.
    pub flavour: Flavour,
    /// The backend that runs before.
    pub backend: Backend,
    /// The hosts of the pool that it is run on; none: `xen01`.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// The VMs are not moved away before.
    #[serde(default)]
    pub vms_stay: bool,
    /// What is otherwise than in the built-in pool, as a merge patch (RFC 7396).
    #[serde(default = "nothing")]
    pub patch: Value,
    /// What happens right before a command, once.
    #[serde(default)]
    pub before: BTreeMap<String, Value>,
    /// What happens right after a command, once.
    #[serde(default)]
    pub after: BTreeMap<String, Value>,
    /// The host boots once more before the rollback, and the bond must be up again.
    #[serde(default)]
    boots: bool,
    /// The exit code that the apply must have in the end.
    exit: u8,
    /// The codes of all findings that bar the way.
    #[serde(default)]
    findings: Vec<String>,
}

impl Setup {
    /// A host that nothing is done to.
    pub fn of_host(flavour: Flavour, backend: Backend, vms_stay: bool, patch: Value) -> Self {
        Self {
            flavour,
            backend,
            vms_stay,
            patch,
            hosts: Vec::new(),
            before: BTreeMap::new(),
            after: BTreeMap::new(),
            boots: false,
            exit: 0,
            findings: Vec::new(),
        }
    }
}

/// An empty patch.
pub fn nothing() -> Value {
    Value::Object(serde_json::Map::new())
}

/// Runs a case.
pub fn run(case: &Case) -> Result<()> {
    let text = case.text("case.json")?.context("the case has no case.json")?;
    let setup: Setup = serde_json::from_str(&text).context("reading case.json")?;
    let (request, accepted) = request(case)?;
    let hosts =
        if setup.hosts.is_empty() { vec!["xen01".to_string()] } else { setup.hosts.clone() };
    for me in &hosts {
        let (dom0, witness) = Witness::new(&setup, me)?;
        case.lay("host", dom0.root())?;
        let templates = Templates::load(None)?;
        let job =
            Job { setup: &setup, request: &request, accepted: &accepted, witness, dom0, templates };
        let done = job.run();
        if let Err(error) = done {
            bail!("{me}: {error:#}\nup to there:\n{}", job.witness.log());
        }
        let file = if hosts.len() == 1 { "want.txt".into() } else { format!("want-{me}.txt") };
        case.compare(&file, &job.witness.log())?;
    }
    Ok(())
}

/// What the case asks for, and which warnings it accepts.
pub fn request(case: &Case) -> Result<(Request, Vec<String>)> {
    let args = case.text("args")?.unwrap_or_default();
    let words = ["xenbond", "apply"].into_iter().chain(args.lines());
    let Command::Apply(args) = Cli::try_parse_from(words)?.command else { bail!("no apply") };
    let mut raw = Raw::default();
    if let Some(text) = case.text("spec.ini")? {
        raw.file("spec.ini", &text)?;
    }
    for (flag, key, value) in args.spec.flags() {
        raw.flag(&flag, &key, value);
    }
    Ok((raw.finish()?, args.planning.accept))
}

/// Writes down how a run ended.
pub fn verdict(witness: &Witness, outcome: &Outcome) {
    for note in &outcome.notes {
        witness.say(&format!("note: {note}\n"));
    }
    if let Some(error) = &outcome.error {
        witness.say(&report::error(error, outcome.hint.as_deref()));
    } else if let Some(hint) = &outcome.hint {
        witness.say(&format!("hint: {hint}\n"));
    }
    let said = xenbond::outcome::verdict(outcome);
    witness.say(&format!("{said}\nexit {}\n", outcome.exit.code()));
}

/// A job under way.
struct Job<'a> {
    setup: &'a Setup,
    request: &'a Request,
    accepted: &'a [String],
    witness: Arc<Witness>,
    dom0: Dom0,
    templates: Templates,
}

impl Job<'_> {
    fn say(&self, text: &str) {
        self.witness.say(text);
    }

    fn now(&self) -> Taken {
        Taken::of(self.witness.model())
    }

    fn with<T>(&self, act: impl FnOnce(&Engine<'_>, &mut Scribe<'_>) -> Result<T>) -> Result<T> {
        let signals = xenbond::engine::Signals::default();
        let engine = Engine {
            host: &self.dom0.host,
            templates: &self.templates,
            accepted: self.accepted,
            orders: Orders::default(),
            signals: &signals,
        };
        act(&engine, &mut Scribe(&self.witness))
    }

    fn run(&self) -> Result<()> {
        let before = self.now();
        let (spec, planned) = self.plan()?;
        before.ensure_same(&self.now()).context("after plan")?;
        let mut outcome = self.apply()?;
        let exit = outcome.exit.code();
        ensure!(exit == self.setup.exit, "apply ended with {exit}, wanted {}", self.setup.exit);
        if outcome.ending == Ending::WaitingForConfirmation {
            self.say("\n=== xenbond confirm\n");
            outcome = self.with(|engine, scribe| engine.confirm(scribe))?;
            self.verdict(&outcome);
        }
        let expected = match exit {
            0 | 6 => Ending::Done,
            1 => Ending::Refused,
            3 => Ending::RolledBack,
            _ => bail!("no job may end so"),
        };
        ensure!(outcome.ending == expected, "apply ended as {:?}", outcome.ending);
        ensure!(self.witness.is_over(), "something was to happen that did not");
        let ran = self.witness.take_commands();
        match expected {
            Ending::Refused => {
                ensure!(ran.is_empty(), "commands were run: {ran:?}");
                ensure!(!self.dom0.host.exists("/var/lib/xenbond"), "it left /var/lib/xenbond");
            }
            Ending::Done => {
                let mut ran: Vec<String> = ran.iter().map(ToString::to_string).collect();
                // Where it must wait for the disk, a boot is to go on with it.
                ran.retain(|command| !command.contains("xenbond-resume"));
                if exit == 6 {
                    ran.retain(|command| !command.starts_with("systemctl daemon-reload"));
                }
                let same = |(planned, ran): (&String, &String)| is_as_planned(planned, ran);
                let all = ran.len() == planned.len() && planned.iter().zip(&ran).all(same);
                ensure!(all, "planned were {planned:#?}, run were {ran:#?}");
                self.holds(&spec)?;
                self.show(&before, &spec)?;
                self.again(&spec)?;
                self.rollback()?;
            }
            _ => {}
        }
        let after = self.now();
        before.ensure_same(&after)?;
        if expected != Ending::Refused {
            let mut left = self.dom0.host.list("/var/lib/xenbond")?;
            left.retain(|name| !["lock", "history"].contains(&name.as_str()));
            ensure!(left.is_empty(), "left in /var/lib/xenbond: {left:?}");
        }
        self.say(
            "\n=== compared with the host before: /etc, XAPI's records and the kernel are the same",
        );
        let uuids = before.records_diff(&after)?;
        self.say(if uuids.is_empty() { "\n" } else { ", but for uuids\n" });
        self.say(&uuids);
        Ok(())
    }

    /// `xenbond plan`; the spec of this host, and the commands of its plan.
    fn plan(&self) -> Result<(Spec, Vec<String>)> {
        self.say("=== xenbond plan\n");
        self.with(|engine, _| {
            let proposal = engine.propose(self.request)?;
            let found = &proposal.findings;
            let next = ["xenbond", "apply", "--spec", "bond.ini"].map(String::from).to_vec();
            self.say(&report::proposal(&proposal, &View { brief: false, next }));
            let mut bars: Vec<String> =
                barring(found, self.accepted).iter().map(|f| f.code.to_string()).collect();
            bars.dedup();
            let wanted = &self.setup.findings;
            ensure!(bars == *wanted, "barred by {bars:?}, wanted {wanted:?}");
            let steps = proposal.plan.into_iter().flat_map(|p| p.steps);
            let commands = steps.flat_map(|s| s.commands()).map(|c| c.to_string()).collect();
            Ok((proposal.situation.spec, commands))
        })
    }

    fn apply(&self) -> Result<Outcome> {
        self.say("\n=== xenbond apply --yes\n");
        let outcome = self.with(|engine, scribe| engine.apply(self.request, |_| Ok(()), scribe))?;
        self.to_the_end(outcome)
    }

    /// Takes the reboots that are waited for.
    fn to_the_end(&self, mut outcome: Outcome) -> Result<Outcome> {
        self.verdict(&outcome);
        for _ in 0..2 {
            if outcome.ending != Ending::WaitingForReboot {
                break;
            }
            self.say("\n=== the host reboots; xenbond resume\n");
            self.witness.model().reboot()?;
            outcome = self.with(|engine, scribe| engine.resume(scribe))?;
            self.verdict(&outcome);
        }
        Ok(outcome)
    }

    fn verdict(&self, outcome: &Outcome) {
        verdict(&self.witness, outcome);
    }

    /// What must be so after an apply that says it is done, whatever the golden says.
    fn holds(&self, spec: &Spec) -> Result<()> {
        let state = self.witness.model().state();
        let dom0 = &state.dom0;
        if spec.managed().is_some() {
            return keeps(&state, spec);
        }
        ensure!(dom0.executed.is_empty(), "a shell would have run {:?}", dom0.executed);
        let bond = dom0.bonds.get(spec.bond.as_str()).context("the kernel has no such bond")?;
        let mode = u32::from(spec.mode.number());
        ensure!(bond.options.get("mode") == Some(&mode), "the bond's options: {:?}", bond.options);
        ensure!(bond.up && bond.master.is_none(), "the bond is down or a port");
        ensure!(bond.slaves.len() == spec.nics.len(), "slaves: {:?}", bond.slaves);
        for nic in &spec.nics {
            let named = |name: &String, mac: &str| [name, mac].contains(&nic.to_string().as_str());
            let (name, live) = dom0
                .nics
                .iter()
                .find(|(name, live)| named(name, &live.permanent_mac))
                .with_context(|| format!("the kernel has no {nic}"))?;
            let slave = bond.slaves.iter().find(|s| s.name == *name);
            let status = slave.map(|s| s.status.as_str());
            ensure!(status == Some("up"), "slave {name} is {status:?}");
            ensure!(live.master.as_deref() == Some(spec.bond.as_str()), "{name} is elsewhere");
            ensure!(spec.mtu.is_none_or(|mtu| mtu == live.mtu), "{name} has MTU {}", live.mtu);
            let pif = state.pool.pifs.get(&format!("{}/{name}", dom0.me));
            ensure!(pif.is_none_or(|pif| !pif.managed), "XAPI manages {name}");
        }
        ensure!(spec.mtu.is_none_or(|mtu| mtu == bond.mtu), "the bond has MTU {}", bond.mtu);
        for network in spec.networks() {
            let address = network.address.to_string();
            for (device, all) in &dom0.addresses {
                let wanted = device == network.device;
                ensure!(all.contains(&address) == wanted, "{address} and {device}: {all:?}");
                ensure!(!wanted || all.len() == 1, "{device} has {all:?}");
            }
            let device = network.device;
            ensure!(dom0.addresses.contains_key(device), "{device} has no address");
            if let Some(tagged) = network.tagged {
                let live = dom0.devices.get(device).context("the tag has no device")?;
                let tag = (live.lies_on(device), live.tag);
                ensure!(
                    tag == (Some(spec.bond.as_str()), Some(tagged.tag().number())),
                    "{device} is {tag:?}"
                );
                ensure!(network.mtu.is_none_or(|mtu| mtu == live.mtu), "{device}: {}", live.mtu);
            }
        }
        let own = dom0.addresses.contains_key(spec.bond.as_str());
        ensure!(own == spec.vlan.is_none(), "whether the bond has an address: {own}");
        let default = dom0.routes.values().find(|route| route.to == "0.0.0.0/0");
        ensure!(default.is_some_and(|route| route.dev == "xenbr0"), "default route: {default:?}");
        let bridge = dom0.running == Backend::Bridge;
        ensure!(bridge || spec.backend == BackendChoice::Keep, "{:?} runs", dom0.running);
        Ok(())
    }

    /// What has become of the host.
    fn show(&self, before: &Taken, spec: &Spec) -> Result<()> {
        let now = self.now();
        let lost = before.lost(&now);
        ensure!(lost.is_empty(), "files of others are lost: {lost:?}");
        self.say(&format!("\n=== /etc, before and after\n{}", before.files_diff(&now)));
        self.say(&format!(
            "\n=== XAPI's records, before and after\n{}",
            before.records_diff(&now)?
        ));
        if spec.managed().is_some() {
            return Ok(());
        }
        let path = format!("/proc/net/bonding/{}", spec.bond);
        let text = self.dom0.host.read_text(&path)?.context("the kernel shows no bond")?;
        self.say(&format!("\n=== {path}\n{text}"));
        Ok(())
    }

    /// Everything that must change nothing: verify, apply once more, and a boot.
    fn again(&self, spec: &Spec) -> Result<()> {
        self.say("\n=== xenbond verify\n");
        self.verify(spec)?;
        let before = self.now();
        self.say("\n=== xenbond apply --yes, once more\n");
        let outcome = self.with(|engine, scribe| engine.apply(self.request, |_| Ok(()), scribe))?;
        self.verdict(&outcome);
        let end = (outcome.ending, outcome.exit);
        ensure!(end == (Ending::NothingToDo, Exit::AsAsked), "apply once more ended as {end:?}");
        before.ensure_same(&self.now()).context("after apply once more")?;
        if self.setup.boots {
            self.say("\n=== the host reboots; xenbond verify\n");
            self.witness.model().reboot()?;
            self.witness.model().pause(std::time::Duration::from_secs(60));
            self.verify(spec)?;
            self.holds(spec).context("after a boot")?;
        }
        let ran = self.witness.take_commands();
        ensure!(ran.is_empty(), "commands were run: {ran:?}");
        Ok(())
    }

    /// As `verify` does it.
    fn verify(&self, spec: &Spec) -> Result<()> {
        let inv = engine::look_for(&self.dom0.host, spec)?;
        let nics: Vec<_> = xenbond::inventory::resolve(spec, &inv).into_iter().flatten().collect();
        let changed = plan::file_changes_of(spec, &nics, &inv, &self.templates)?;
        let verdict = verify::judge(Question {
            spec,
            nics: &nics,
            absent: &[],
            accepted: &[],
            kernel: Running::Settling {
                host: &self.dom0.host,
                within: verify::limit(spec),
                waits: &mut |_| {},
            },
            witnesses: &[
                verify::Witness::Host(&inv, &changed),
                verify::Witness::Nics(&self.dom0.host),
                verify::Witness::Servers(&self.dom0.host, verify::Patience::Once),
            ],
        })?;
        self.say(&report::checks(&verdict));
        ensure!(verdict.is_good(), "verify found differences");
        Ok(())
    }

    fn rollback(&self) -> Result<()> {
        self.say("\n=== xenbond rollback --yes\n");
        let outcome =
            self.with(|engine, scribe| engine.rollback(&engine::Aim::Newest, |_| true, scribe))?;
        let outcome = self.to_the_end(outcome)?;
        let end = (outcome.ending, outcome.exit);
        ensure!(end == (Ending::RolledBack, Exit::AsAsked), "rollback ended as {end:?}");
        let executed = self.witness.model().state().dom0.executed;
        ensure!(executed.is_empty(), "a shell would have run {executed:?}");
        Ok(())
    }
}

/// Whether a command is the planned one, in which a word may stand for a uuid that there was not yet.
fn is_as_planned(planned: &str, ran: &str) -> bool {
    let words = |text: &str| text.split(' ').map(str::to_string).collect::<Vec<_>>();
    let (planned, ran) = (words(planned), words(ran));
    let same = |(planned, ran): (&String, &String)| match planned.split_once("-OF-") {
        Some((key, _)) => {
            let key = key.trim_end_matches("UUID").trim_end_matches("PIF");
            ran.strip_prefix(key).is_some_and(|uuid| uuid.len() == 36)
        }
        None => planned == ran,
    };
    planned.len() == ran.len() && planned.iter().zip(&ran).all(same)
}

/// What must be so of a NIC that XAPI keeps, or of a bond.
fn keeps(state: &State, spec: &Spec) -> Result<()> {
    let dom0 = &state.dom0;
    let pif = &state.pool.pifs[&format!("{}/{}", dom0.me, spec.bond)];
    let bridge = &state.pool.networks[&pif.network].bridge;
    if let Some((managed, _)) = spec.xapi_bond() {
        ensure!(pif.managed && pif.currently_attached, "{pif:?}");
        for nic in &spec.nics {
            let nic = &dom0.nics[&nic.to_string()];
            ensure!(nic.master.is_some() && spec.mtu.is_none_or(|mtu| mtu == nic.mtu), "{nic:?}");
        }
        let on = dom0.addresses.get(bridge);
        let default = dom0.routes.values().find(|route| route.to == "0.0.0.0/0");
        let default = default.context("there is no default route")?;
        return match managed.purpose {
            Use::Storage => {
                let address = spec.address.context("no address")?.to_string();
                ensure!(on.is_some_and(|on| on.len() == 1 && on.contains(&address)), "{on:?}");
                let purpose = pif.other_config.get("management_purpose");
                let is = purpose.is_some_and(|text| text == "Storage");
                ensure!(is && pif.disallow_unplug && default.dev == "xenbr0", "{pif:?}");
                Ok(())
            }
            Use::Management => {
                ensure!(on.is_some_and(|on| on.len() == 1), "{bridge} has {on:?}");
                ensure!(pif.management && default.dev == *bridge, "{pif:?}, {default:?}");
                Ok(())
            }
            Use::Network => {
                ensure!(on.is_none() && default.dev == "xenbr0", "{on:?}, {default:?}");
                Ok(())
            }
        };
    }
    let address = spec.address.context("no address")?;
    let on = dom0.addresses.get(bridge).context("the bridge has no address")?;
    ensure!(on.len() == 1 && on.contains(&address.to_string()), "{bridge} has {on:?}");
    let has = (pif.ip.as_str(), pif.netmask.as_str(), pif.gateway.as_str());
    let mask = address.netmask().to_string();
    ensure!(has == (&address.addr.to_string(), &mask, ""), "XAPI has {has:?}");
    ensure!(pif.managed && pif.currently_attached && pif.disallow_unplug, "{pif:?}");
    let purpose = pif.other_config.get("management_purpose");
    ensure!(purpose.is_some_and(|text| text == "Storage"), "{:?}", pif.other_config);
    let nic = &dom0.nics[spec.bond.as_str()];
    ensure!(nic.master.is_some() && spec.mtu.is_none_or(|mtu| mtu == nic.mtu), "{nic:?}");
    let default = dom0.routes.values().find(|route| route.to == "0.0.0.0/0");
    ensure!(default.is_some_and(|route| route.dev == "xenbr0"), "default route: {default:?}");
    for route in &spec.routes {
        let via = dom0.routes.values().find(|r| r.to == route.to.to_string());
        ensure!(via.is_some_and(|r| r.dev == *bridge), "{route}: {via:?}");
    }
    Ok(())
}
