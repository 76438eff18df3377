//! A dom0 of the model, the engine on it, and the stories that it is led through.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use xenbond::engine::{Aim, Engine, FILE_CHANGED, Observer, WayBack};
use xenbond::host::Clock;
use xenbond::inventory::Inventory;
use xenbond::ledger::Orders;
use xenbond::model::state::{Backend, Flavour, How, Lie, Saves, State};
use xenbond::outcome::{Ending, Outcome, StepState};
use xenbond::plan::Plan;
use xenbond::preflight::Finding;
use xenbond::spec::{Raw, Request};

use super::End;
use super::job::{Job, free_bond0};
use super::moment::Moment;
use super::strike::{Boot, EDIT, Fault, Liar, Seen, Strike};
use crate::dom0::{Dom0, Notes};

/// A host and what is asked of it.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    pub flavour: Flavour,
    /// Whether the backend must change, which takes a reboot.
    pub switch: bool,
    pub nics: usize,
    /// Files of others lie where ours are to be, and beside them.
    pub existing: bool,
    /// XAPI keeps an unmanaged record of each NIC, or none.
    pub unmanaged: bool,
    /// A bond of ours of so many NICs, in another mode, stands already.
    pub replaces: Option<usize>,
    /// The address is on a tag, and a route leads on from there.
    pub tagged: bool,
    /// What is asked.
    pub job: Job,
}

const fn scenario(
    flavour: Flavour,
    switch: bool,
    nics: usize,
    existing: bool,
    unmanaged: bool,
    replaces: Option<usize>,
) -> Scenario {
    let (tagged, job) = (false, Job::Make);
    Scenario { flavour, switch, nics, existing, unmanaged, replaces, tagged, job }
}

/// The first eight have each pair of choices in each combination.
pub const SCENARIOS: [Scenario; 34] = [
    scenario(Flavour::El7, true, 2, true, false, None),
    scenario(Flavour::El7, true, 3, false, true, None),
    scenario(Flavour::El5, true, 2, true, true, None),
    scenario(Flavour::El5, true, 3, false, false, None),
    scenario(Flavour::El7, false, 2, false, true, None),
    Scenario { tagged: true, ..scenario(Flavour::El7, false, 3, true, false, None) },
    scenario(Flavour::El5, false, 2, false, false, None),
    scenario(Flavour::El5, false, 3, true, true, None),
    scenario(Flavour::El7, false, 3, false, true, Some(2)),
    scenario(Flavour::El5, false, 2, true, false, Some(3)),
    Scenario { job: Job::Remove, ..scenario(Flavour::El7, false, 2, true, true, None) },
    Scenario { job: Job::Remove, ..scenario(Flavour::El5, false, 3, true, false, None) },
    Scenario {
        job: Job::Remove,
        tagged: true,
        ..scenario(Flavour::El7, true, 2, false, false, None)
    },
    Scenario { job: Job::Live, ..scenario(Flavour::El7, false, 2, false, true, None) },
    Scenario {
        job: Job::Live,
        tagged: true,
        ..scenario(Flavour::El5, false, 2, true, false, None)
    },
    Scenario { job: Job::Adopt, ..scenario(Flavour::El7, false, 2, false, true, None) },
    Scenario { job: Job::Adopt, ..scenario(Flavour::El5, false, 2, true, true, None) },
    Scenario { job: Job::First, ..scenario(Flavour::El7, true, 2, true, false, None) },
    Scenario { job: Job::First, ..scenario(Flavour::El5, false, 2, true, true, None) },
    Scenario { job: Job::Last, ..scenario(Flavour::El7, true, 2, true, true, None) },
    Scenario { job: Job::Last, ..scenario(Flavour::El5, true, 2, false, false, None) },
    storage(Job::Storage, Flavour::El7, false, true),
    storage(Job::Storage, Flavour::El5, false, false),
    storage(Job::Storage, Flavour::El7, true, false),
    storage(Job::Storage, Flavour::El5, true, true),
    storage(Job::StorageLive, Flavour::El7, false, true),
    storage(Job::StorageLive, Flavour::El5, true, true),
    storage(Job::StorageRemove, Flavour::El7, false, true),
    storage(Job::XapiBond, Flavour::El7, false, true),
    storage(Job::XapiBond, Flavour::El5, true, false),
    storage(Job::XapiManagement, Flavour::El7, true, false),
    storage(Job::XapiManagement, Flavour::El5, false, false),
    storage(Job::XapiLive, Flavour::El7, true, true),
    storage(Job::XapiRemove, Flavour::El7, false, true),
];

/// A storage NIC on either backend, with an MTU and a route of its own or without.
const fn storage(job: Job, flavour: Flavour, openvswitch: bool, tagged: bool) -> Scenario {
    Scenario { job, tagged, ..scenario(flavour, openvswitch, 1, false, false, None) }
}

impl Scenario {
    pub fn name(&self) -> String {
        if self.job.is_storage() || self.job.is_xapi_bond() {
            let flavour = if self.flavour == Flavour::El5 { "el5" } else { "el7" };
            let backend = if self.switch { "Open vSwitch" } else { "bridge" };
            let more = if self.tagged { ", MTU and route" } else { "" };
            return format!("{}, {flavour}, {backend}{more}", self.job.name());
        }
        let words = [
            (self.job != Job::Make).then(|| self.job.name().to_string()),
            Some(if self.flavour == Flavour::El5 { "el5" } else { "el7" }.to_string()),
            self.switch.then(|| "switch".to_string()),
            Some(format!("{} NICs", self.nics)),
            self.replaces.map(|n| format!("instead of {n}")),
            Some(if self.unmanaged { "unmanaged" } else { "forget" }.to_string()),
            self.existing.then(|| "existing files".to_string()),
            self.tagged.then(|| "tag and route".to_string()),
        ];
        words.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    /// A storage NIC.
    fn storage_request(&self, address: &str, full: bool) -> Request {
        let more = "mtu=9000\nroutes=10.99.0.0/16 via 172.16.51.1\n";
        let more = if full { more } else { "" };
        let text =
            format!("[bond]\nkind=managed\nnics=eth2\nuse=storage\naddress={address}\n{more}");
        let mut raw = Raw::default();
        raw.file("spec", &text).unwrap();
        raw.finish().unwrap()
    }

    /// A bond that XAPI makes.
    fn xapi_request(&self, mode: &str, address: &str, full: bool) -> Request {
        let more = "mtu=9000\nroutes=10.99.0.0/16 via 172.16.51.1\n";
        let more = if full { more } else { "" };
        let rest = match self.job {
            Job::XapiManagement => "network=MGT\nnics=eth0,eth3\nuse=management\n".to_string(),
            _ => format!("network=NAS\nnics=eth2,eth3\nuse=storage\naddress={address}\n{more}"),
        };
        let mut raw = Raw::default();
        raw.file("spec", &format!("[bond]\nkind=managed\nmode={mode}\n{rest}")).unwrap();
        raw.finish().unwrap()
    }

    fn request(&self, nics: usize, mode: &str) -> Request {
        if self.job.is_xapi_bond() {
            return self.xapi_request("active-backup", "172.16.51.11/24", self.tagged);
        }
        if self.job.is_storage() {
            return self.storage_request("172.16.51.11/24", self.tagged);
        }
        let nics = ["eth2", "eth3", "eth1"][..nics].join(",");
        self.request_of(&nics, mode, 9000, "172.16.51.11/24")
    }

    /// The bond with another slave in the place of one, and with all else that may change while it
    /// is up.
    fn live_request(&self) -> Request {
        if self.job.is_xapi_bond() {
            return self.xapi_request("balance-slb", "172.16.51.77/24", false);
        }
        if self.job.is_storage() {
            return self.storage_request("172.16.51.77/24", false);
        }
        let mode = "active-backup\nmiimon=200\nupdelay=400\nprimary=eth1";
        self.request_of("eth2,eth1", mode, 1500, "172.16.51.77/24")
    }

    fn request_of(&self, nics: &str, mode: &str, mtu: u32, address: &str) -> Request {
        let pif = if self.unmanaged { "unmanaged" } else { "forget" };
        let mut raw = Raw::default();
        let tagged =
            if self.tagged { "vlan=51\nroutes=10.99.0.0/16 via 172.16.51.1\n" } else { "" };
        let text = format!(
            "[bond]\nname=bond51\nnics={nics}\nmode={mode}\nmtu={mtu}\npif={pif}\naddress={address}\n{tagged}"
        );
        raw.file("spec", &text).unwrap();
        raw.finish().unwrap()
    }
}

/// Agrees after something else has happened.
struct Asked<'a>(&'a dyn Fn());

impl Observer for Asked<'_> {
    fn begins(&mut self, _: usize, _: usize, _: &str) {}
    fn ended(&mut self, _: StepState, _: Duration) {}
    fn note(&mut self, _: &str) {}
    fn agrees(&mut self, _: &Plan, _: &[Finding], _: &Inventory) -> bool {
        (self.0)();
        true
    }
}

/// One run of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    Apply,
    Resume,
    Rollback,
}

/// A run to be struck: from this moment on, after a boot or not, with a fault that always
/// strikes, and with those that may.
pub struct Stage {
    /// What led here.
    pub story: &'static str,
    pub act: Act,
    pub start: Moment,
    pub given: Option<(usize, Fault)>,
    pub seen: Vec<Seen>,
    /// The host at each minute of the wait for the disk and after it, and what the verdict was.
    pub later: Option<(Ending, Vec<Later>)>,
}

/// A moment after a verdict.
pub struct Later {
    pub moment: Moment,
    /// Whether the transaction still waits for the disk.
    pub waits: bool,
}

/// A dom0 and what is asked of it.
pub struct Scene {
    dom0: Dom0,
    strike: Arc<Strike>,
    request: Request,
    /// Before anything was touched.
    pub untouched: Moment,
    /// Before the bonds were made that stand already.
    earlier: Option<Moment>,
    scenario: Scenario,
}

/// A bond as the recipe has it: its file under another name, lines of its own in a file of modprobe.
fn makes_by_hand(dom0: &Dom0, flavour: Flavour) {
    let run = |program: &str, args: &[&str]| {
        let args: Vec<String> = args.iter().map(ToString::to_string).collect();
        let _ = dom0.model.execute(program, &args);
    };
    for nic in ["eth2", "eth3"] {
        let uuid = format!("uuid={}", dom0.model.state().pool.pifs[&format!("xen01/{nic}")].uuid);
        run("xe", &["pif-unplug", &uuid]);
        run("xe", &["pif-forget", &uuid]);
    }
    let scripts = dom0.at("etc/sysconfig/network-scripts");
    for nic in ["eth2", "eth3"] {
        let text = format!("DEVICE={nic}\nONBOOT=yes\nBOOTPROTO=none\nMASTER=bond51\nSLAVE=yes\n");
        std::fs::write(scripts.join(format!("ifcfg-{nic}")), text).unwrap();
    }
    let text = "DEVICE=bond51\nONBOOT=yes\nBOOTPROTO=none\nIPADDR=172.16.51.11\nNETMASK=255.255.255.0\nMTU=9000\nBONDING_OPTS=\"mode=1 miimon=100\"\n";
    std::fs::write(scripts.join("ifcfg-bond0"), text).unwrap();
    let conf =
        if flavour == Flavour::El5 { "etc/modprobe.conf" } else { "etc/modprobe.d/nas.conf" };
    let before = std::fs::read_to_string(dom0.at(conf)).unwrap_or_default();
    let lines = "alias bond51 bonding\noptions bond51 mode=1 miimon=100\n";
    std::fs::write(dom0.at(conf), before + lines).unwrap();
    if flavour == Flavour::El7 {
        // Nothing else would bring it up at a boot.
        let units = dom0.at("etc/systemd/system");
        let text = "[Unit]\nAfter=xcp-networkd.service\n[Service]\nType=oneshot\nExecStart=/sbin/ifup bond0\n";
        std::fs::write(units.join("nas.service"), text).unwrap();
        let link = units.join("multi-user.target.wants/nas.service");
        std::os::unix::fs::symlink("/etc/systemd/system/nas.service", link).unwrap();
    }
    run("ifup", &["bond0"]);
    dom0.model.pause(Duration::from_secs(310));
}

fn is(outcome: &Result<Outcome>, ending: Ending) -> bool {
    outcome.as_ref().is_ok_and(|o| o.ending == ending)
}

impl Scene {
    pub fn new(scenario: Scenario) -> Self {
        let bridge = if scenario.switch { Backend::Openvswitch } else { Backend::Bridge };
        let dom0 = Dom0::new(scenario.flavour, bridge);
        dom0.model.change(|state| state.dom0.saves = Saves::REAL);
        let model = Arc::clone(&dom0.model);
        if scenario.existing {
            let scripts = dom0.at("etc/sysconfig/network-scripts");
            std::fs::write(scripts.join("ifcfg-eth2"), "DEVICE=eth2\nONBOOT=no\n").unwrap();
            std::fs::write(scripts.join("ifcfg-backup0"), "DEVICE=backup0\nONBOOT=no\n").unwrap();
        }
        model.change(free_eth1);
        if !scenario.job.is_change() {
            model.change(free_bond0);
        }
        model.reboot().unwrap();
        model.pause(Duration::from_secs(60));
        if scenario.job == Job::Adopt {
            makes_by_hand(&dom0, scenario.flavour);
        }
        let strike = Arc::new(Strike::new(Arc::clone(&model)));
        let liar = Liar { model: Arc::clone(&model), strike: Arc::clone(&strike) };
        let dom0 = dom0.run_by(Arc::new(liar)).watched(strike.clone());
        let mut scene = Self {
            untouched: Moment::of(&model),
            earlier: None,
            request: scenario.request(scenario.nics, "active-backup"),
            strike,
            dom0,
            scenario,
        };
        scene.makes_bonds();
        if let Some(nics) = scenario.replaces {
            let wanted =
                std::mem::replace(&mut scene.request, scenario.request(nics, "balance-xor"));
            assert!(
                is(&scene.run(Act::Apply), Ending::Done),
                "{}: the first bond",
                scenario.name()
            );
            scene.request = wanted;
            let earlier = std::mem::replace(&mut scene.untouched, Moment::of(&scene.dom0.model));
            scene.earlier = Some(earlier);
        }
        scene
    }

    /// The bonds that stand before the job.
    fn makes_bonds(&mut self) {
        let first = match self.scenario.job {
            Job::Make | Job::Adopt | Job::Storage | Job::XapiBond | Job::XapiManagement => return,
            Job::Live
            | Job::Remove
            | Job::StorageLive
            | Job::StorageRemove
            | Job::XapiLive
            | Job::XapiRemove => {
                vec![self.request.clone()]
            }
            Job::First | Job::Last => vec![self.request.clone(), second()],
        };
        let name = self.scenario.name();
        for request in first {
            let made = self.to_the_end(self.apply(&request, &|| {}));
            assert!(is(&made, Ending::Done), "{name}: {made:?}");
        }
        if self.scenario.job == Job::Last {
            let gone =
                self.to_the_end(self.roll_back(&Aim::Bond("bond51".parse().unwrap()), &|| {}));
            assert!(is(&gone, Ending::RolledBack), "{name}: {gone:?}");
        }
        if matches!(self.scenario.job, Job::Live | Job::StorageLive | Job::XapiLive) {
            self.request = self.scenario.live_request();
        }
        self.dom0.model.pause(Duration::from_secs(60));
        let now = Moment::of(&self.dom0.model);
        self.earlier = Some(std::mem::replace(&mut self.untouched, now));
    }

    pub fn run(&self, act: Act) -> Result<Outcome> {
        self.run_asked(act, &|| {})
    }

    /// Goes on as the boot does, with nobody beside it.
    pub fn run_by_itself(&self) -> Result<Outcome> {
        self.dom0.engine(Orders::default(), |engine| engine.resume_by_itself(&mut Notes::default()))
    }

    /// Has a command misbehave so many times; no more with none.
    pub fn lie(&self, command: &str, how: How, times: u32) {
        self.lies_after(0, command, how, times);
    }

    /// A program that does as it should so many times before it does not.
    pub fn lies_after(&self, after: u32, command: &str, how: How, times: u32) {
        self.dom0.model.change(|state| {
            state.dom0.lies.insert(command.into(), Lie { how, times, after });
            state.dom0.lies.retain(|_, lie| lie.times > 0);
        });
    }

    /// What differs from the host that nobody touched, and is not XAPI's to bring back.
    pub fn wrong_without_xapi(&self) -> Vec<String> {
        let of_xapi = |text: &String| text.starts_with("PIF ") || text.starts_with("NIC ");
        self.differences().into_iter().filter(|text| !of_xapi(text)).collect()
    }

    /// Whether such a program has misbehaved since it was told to.
    pub fn has_lied(&self, command: &str) -> bool {
        self.dom0.model.state().dom0.lies.get(command).is_none_or(|lie| lie.after == 0)
    }

    pub fn reboot(&self) {
        self.dom0.model.reboot().unwrap();
    }

    /// The job in another mode: a second person's.
    pub fn run_other(&self, scenario: Scenario, nics: usize) -> Result<Outcome> {
        self.dom0.engine(Orders::default(), |engine| {
            let request = scenario.request(nics, "balance-xor");
            engine.apply(&request, |_| Ok(()), &mut Notes::default())
        })
    }

    /// A run, at whose question something else happens first.
    pub fn run_asked(&self, act: Act, meanwhile: &dyn Fn()) -> Result<Outcome> {
        let job = self.scenario.job;
        match (act, job.bond()) {
            (Act::Resume, _) => self.engine(|engine| engine.resume(&mut Notes::default())),
            (_, Some(bond)) => self.roll_back(&Aim::Bond(bond), meanwhile),
            (Act::Rollback, None) => self.roll_back(&Aim::Newest, meanwhile),
            (Act::Apply, None)
                if [Job::Remove, Job::StorageRemove, Job::XapiRemove].contains(&job) =>
            {
                self.engine(|engine| {
                    let name = match job {
                        Job::StorageRemove => "eth2",
                        Job::XapiRemove => "bond1",
                        _ => "bond51",
                    };
                    let (bond, to) = (name.parse().unwrap(), job.backend(self.scenario.switch));
                    engine.remove(&bond, None, to, &mut Asked(meanwhile))
                })
            }
            (Act::Apply, None) if job == Job::Adopt => self
                .engine(|engine| engine.adopt(&"bond51".parse().unwrap(), &mut Asked(meanwhile))),
            (Act::Apply, None) => self.apply(&self.request, meanwhile),
        }
    }

    fn engine<T>(&self, act: impl FnOnce(&Engine<'_>) -> T) -> T {
        // A confirmation is a person's, who is not beside these hosts.
        let unguarded = self.scenario.job == Job::XapiManagement;
        let orders = Orders { confirm_within: unguarded.then_some(0), ..Orders::default() };
        self.dom0.engine(orders, |engine| {
            let accepted = [FILE_CHANGED.to_string(), "no-dead-mans-switch".to_string()];
            act(&Engine { accepted: &accepted, ..*engine })
        })
    }

    fn apply(&self, request: &Request, meanwhile: &dyn Fn()) -> Result<Outcome> {
        self.engine(|engine| engine.apply(request, |_| Ok(()), &mut Asked(meanwhile)))
    }

    fn roll_back(&self, aim: &Aim, meanwhile: &dyn Fn()) -> Result<Outcome> {
        let agrees = |_: &WayBack| {
            meanwhile();
            true
        };
        self.engine(|engine| engine.rollback(aim, agrees, &mut Notes::default()))
    }

    /// From the host as wanted on: a change is taken back, and the second of two bonds goes too.
    pub fn goes_on(&self) -> Result<Outcome> {
        match self.scenario.job {
            Job::First => {
                // One that others came in the way of is run again first.
                self.run_to_the_end(Act::Rollback)?;
                let second = Aim::Bond("bond52".parse().unwrap());
                self.to_the_end(self.roll_back(&second, &|| {}))
            }
            _ => self.run_to_the_end(Act::Rollback),
        }
    }

    /// Whether that has led where it should.
    pub fn has_gone_on(&self) -> bool {
        if self.scenario.job.is_change() { self.is_untouched() } else { self.is_earlier() }
    }

    pub fn root(&self) -> &Path {
        self.dom0.model.root()
    }

    pub fn now(&self) -> Moment {
        Moment::of(&self.dom0.model)
    }

    pub fn load(&self, moment: &Moment, boot: Boot) {
        moment.put(&self.dom0.model);
        self.strike.arm(&[], false);
        match boot {
            Boot::None => {}
            Boot::Saved => self.dom0.model.reboot().unwrap(),
            Boot::Unsaved => self.dom0.model.cut().unwrap(),
        }
    }

    /// The host now, and at each minute of the five that XAPI and networkd may take.
    fn minutes(&self) -> Vec<Moment> {
        let mut minutes = vec![self.now()];
        for _ in 0..5 {
            self.dom0.model.pause(Duration::from_secs(60));
            minutes.push(self.now());
        }
        minutes
    }

    pub fn is_untouched(&self) -> bool {
        self.comparable(&self.now()) == self.comparable(&self.untouched)
    }

    /// Lets all come that XAPI may still do for a client that was killed.
    pub fn lets_late_come(&self) {
        self.dom0.model.pause(Duration::from_secs(90));
        self.strike.late();
    }

    /// What differs from where a job that ended so has led at last, but for a file that others
    /// changed; and whether what they wrote is lost.
    pub fn harm(&self, end: End, path: &Path, text: Option<&str>) -> Vec<String> {
        let mut now = self.comparable(&self.now());
        let gone_on = self.earlier.as_ref().filter(|_| end == End::Wanted);
        let gone_on = gone_on.filter(|_| !self.scenario.job.is_change());
        let mut before = self.comparable(gone_on.unwrap_or(&self.untouched));
        let name = path.display().to_string();
        now.remove(&name);
        before.remove(&name);
        let mut wrong: Vec<String> = xenbond::rehearse::differences(&before, &now);
        let real = self.dom0.model.root().join(path);
        let saved = || {
            let history = self.dom0.model.root().join("var/lib/xenbond/history");
            let folders = std::fs::read_dir(history).into_iter().flatten().flatten();
            let name = name.replace('/', "_");
            let texts = folders.map(|f| f.path().join("changed-since").join(&name));
            texts.filter_map(|f| std::fs::read_to_string(f).ok()).any(|t| t.contains(EDIT))
        };
        let kept = match text {
            None => !real.exists(),
            Some(_) => std::fs::read_to_string(&real).is_ok_and(|t| t.contains(EDIT)) || saved(),
        };
        if !kept {
            wrong.push(format!("{name}: what others did is lost"));
        }
        wrong
    }

    /// Whether a rollback has found nothing of this job to undo, and undid the job before.
    pub fn is_earlier(&self) -> bool {
        let now = || self.comparable(&self.now());
        self.earlier.as_ref().is_some_and(|earlier| now() == self.comparable(earlier))
    }

    /// What a moment is compared by: a file that two bonds share gets the time of the last.
    fn comparable(&self, moment: &Moment) -> BTreeMap<String, String> {
        let mut view = moment.view();
        if !self.scenario.job.is_change()
            && let Some(text) = view.get_mut("etc/modprobe.conf")
        {
            let (mode, rest) = text.split_once(' ').unwrap();
            *text = format!("{mode} {}", rest.split_once(' ').unwrap().1);
        }
        view
    }

    /// What differs from the untouched host.
    pub fn differences(&self) -> Vec<String> {
        xenbond::rehearse::differences(&self.untouched.view(), &self.now().view())
    }

    pub fn is_as_wanted(&self) -> bool {
        // After a boot XAPI takes its time.
        self.dom0.model.pause(Duration::from_secs(60));
        let nothing = |run: Result<Outcome>| is(&run, Ending::NothingToDo);
        nothing(self.run(Act::Apply))
            && match self.scenario.job {
                Job::First => nothing(self.apply(&second(), &|| {})),
                Job::Last => self.is_earlier(),
                _ => true,
            }
    }

    /// Takes the reboots that are asked for, until the run ends.
    fn to_the_end(&self, first: Result<Outcome>) -> Result<Outcome> {
        let mut last = first;
        for _ in 0..3 {
            if !is(&last, Ending::WaitingForReboot) {
                break;
            }
            self.dom0.model.reboot().unwrap();
            last = self.run(Act::Resume);
        }
        last
    }

    /// A run and what it asks for; a rollback that says that it is incomplete is run again.
    pub fn run_to_the_end(&self, act: Act) -> Result<Outcome> {
        let last = self.to_the_end(self.run(act));
        if last.is_err() || is(&last, Ending::RollbackIncomplete) {
            return self.to_the_end(self.run(Act::Rollback));
        }
        last
    }

    /// A stage with these faults, and the reboots that follow; `None` when not all struck.
    pub fn strike(&self, stage: &Stage, at: usize, fault: Fault) -> Option<Result<Outcome>> {
        self.load(&stage.start, Boot::None);
        let faults: Vec<(usize, Fault)> = stage.given.into_iter().chain([(at, fault)]).collect();
        self.strike.arm(&faults, false);
        let first = self.run(stage.act);
        let struck = self.strike.struck();
        self.strike.disarm();
        (struck == faults.len()).then(|| self.to_the_end(first))
    }

    /// Takes a run from here on, with the reboots and runs that follow it, and records each.
    fn record(
        &self,
        story: &'static str,
        first: Act,
        given: Option<(usize, Fault)>,
        stages: &mut Vec<Stage>,
    ) -> Outcome {
        let (mut act, mut given) = (first, given);
        loop {
            let start = self.now();
            let faults: Vec<(usize, Fault)> = given.into_iter().collect();
            self.strike.arm(&faults, true);
            let outcome = self.run(act).unwrap();
            assert_eq!(self.strike.struck(), faults.len(), "{story}");
            let (seen, waits) = (self.strike.seen(), self.strike.waits());
            self.strike.arm(&[], false);
            let ends = outcome.ending != Ending::WaitingForReboot;
            let later = |moment: Moment, waits: bool| Later { moment, waits };
            let later = ends.then(|| {
                let waited = waits.into_iter().map(|moment| later(moment, true));
                let after = self.minutes().into_iter().map(|moment| later(moment, false));
                (outcome.ending, waited.chain(after).collect())
            });
            stages.push(Stage { story, act, start, given, seen, later });
            if ends {
                return outcome;
            }
            self.dom0.model.reboot().unwrap();
            (act, given) = (Act::Resume, None);
        }
    }

    /// The runs of the last of these acts, each taken to its end.
    pub fn recorded(&self, acts: &[Act]) -> Vec<Stage> {
        let mut all = Vec::new();
        for act in acts {
            all.clear();
            self.record("by name", *act, None, &mut all);
        }
        all
    }

    /// Has the bond its slaves the other way round, and the address of the one that is first then:
    /// as after the first was taken out and put in again.
    pub fn turn_slaves(&mut self) {
        self.dom0.model.change(|state| {
            let bond = state.dom0.bonds.get_mut("bond51").unwrap();
            bond.slaves.reverse();
            bond.mac.clone_from(&bond.slaves[0].own_mac);
            for slave in &bond.slaves {
                state.dom0.nics.get_mut(&slave.name).unwrap().mac.clone_from(&bond.mac);
            }
        });
        self.untouched = self.now();
    }

    /// Every run that is to be struck: apply and rollback as they should go; an apply that fails
    /// at its end and rolls itself back; and runs that go on where an apply or a rollback was
    /// cut off, whether as a new run or after a power cut.
    pub fn stages(&self) -> Vec<Stage> {
        let mut all = Vec::new();
        let job = self.scenario.job;
        let outcome = self.record(job.name(), Act::Apply, None, &mut all);
        assert_eq!(job.means(outcome.ending), Some(End::Wanted), "{outcome:?}");
        assert!(self.is_as_wanted(), "{}", self.scenario.name());
        if !job.is_change() {
            self.cut_off(0, &mut all);
            return all;
        }
        let words = match job {
            Job::Make => "Ifup",
            job if job.is_storage() => "pif-reconfigure-ip",
            Job::XapiLive => "pif-reconfigure-ip",
            Job::XapiRemove => "bond-destroy",
            job if job.is_xapi_bond() => "bond-create",
            _ => "pif-introduce",
        };
        let ifup = self.last_command(&all, words);
        let applied = all.len();
        let outcome = self.record("rollback", Act::Rollback, None, &mut all);
        assert_eq!(outcome.ending, Ending::RolledBack, "{:?}", outcome.error);
        assert_eq!(self.differences(), Vec::<String>::new());

        // The bond does not come up: the verification finds out, and all is undone.
        let (stage, at) = ifup;
        self.load(&all[stage].start, Boot::None);
        let outcome =
            self.record("failing apply", all[stage].act, Some((at, Fault::Lies)), &mut all);
        assert_eq!(outcome.ending, Ending::RolledBack, "{:?}", outcome.error);
        assert_eq!(self.differences(), Vec::<String>::new());

        // Cut off where most is done.
        let cut = all[stage].seen[at - 1].left_by(Fault::PowerCut).unwrap();
        self.load(&cut, Boot::Saved);
        self.record("resume after a power cut", Act::Resume, None, &mut all);
        self.cut_off(applied, &mut all);
        all
    }

    /// A rollback that was cut off in its midst: by the death of the process, and, where it is the
    /// job, by the power too, after which the boot goes on with it.
    fn cut_off(&self, stage: usize, all: &mut Vec<Stage>) {
        let middle = all[stage].seen.len() / 2;
        let cut = all[stage].seen[middle].left_by(Fault::DiesAfter).unwrap();
        let power = all[stage].seen[middle].left_by(Fault::PowerCut).unwrap();
        self.load(&cut, Boot::None);
        let outcome = self.record("rollback cut off", Act::Rollback, None, all);
        assert_eq!(outcome.ending, Ending::RolledBack, "{:?}", outcome.error);
        if !self.scenario.job.is_change() {
            self.load(&power, Boot::Saved);
            self.record("resume after a power cut", Act::Resume, None, all);
        }
    }

    /// Where such a command was run last: the stage, and the effect's number.
    fn last_command(&self, stages: &[Stage], words: &str) -> (usize, usize) {
        let is = |seen: &Seen| seen.is_command && seen.text.contains(words);
        let of = |stage: &Stage| Some(stage.seen.iter().rposition(is)? + 1);
        let all = stages.iter().enumerate().rev();
        all.filter_map(|(at, stage)| Some((at, of(stage)?))).next().unwrap()
    }
}

/// The second of two bonds.
fn second() -> Request {
    let mut raw = Raw::default();
    let text = "[bond]\nname=bond52\nnics=eth4,eth5\naddress=172.16.52.11/24\n";
    raw.file("second", text).unwrap();
    raw.finish().unwrap()
}

/// The third NIC that a bond may have: without the machines and VLANs of the built-in pool.
pub fn free_eth1(state: &mut State) {
    let pool = &mut state.pool;
    pool.vlans.clear();
    pool.pifs.retain(|_, pif| pif.vlan < 0);
    pool.vifs.clear();
    for vm in pool.vms.values_mut().filter(|vm| !vm.is_control_domain) {
        vm.resident_on = Some("xen02".into());
    }
}
