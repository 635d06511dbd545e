//! Runs a scenario once as it is, then once for each cut, and looks at what is there afterwards.
//!
//! Each cut has an application of its own. What comes before and after the cut runs is done for all of
//! them at once, by one Terraform that has their states put together: it saves most of the time, and lets
//! the locks of dead providers run out side by side.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::cuts::{Call, Counter, Cut};
use crate::scenarios::{SHARED, Scenario, Step};
use crate::support::terraform::{Running, providers};
use crate::support::{Gate, Proxy, Run, Servers, Workspace};

/// How many cut runs there are at once, in one scenario.
const AT_ONCE: usize = 4;

/// How many cuts are looked after by one Terraform.
const BATCH: usize = 60;

/// A scenario on servers.
pub struct Trial<'s> {
    servers: &'s Servers,
    scenario: &'s Scenario,
    /// The key prefix of everything in it.
    prefix: String,
    shared: Workspace,
}

/// What a run came to that was cut.
struct Ended {
    run: Run,
    /// Whether the call ever came.
    reached: bool,
    state: Option<Value>,
}

/// How the cuts of a trial came out.
#[derive(Default, Debug)]
pub struct Outcome {
    /// How many cuts were made.
    pub made: usize,
    /// Those whose call did not come this time.
    pub missed: Vec<String>,
    /// What did not come out even.
    pub wrong: Vec<String>,
    /// How many of the cut runs came to a good end by themselves.
    pub succeeded: usize,
}

/// What is in Nomad of an application: the version of each job and its `A`, by namespace and ID without the
/// application's name.
type World = BTreeMap<(String, String), (u64, String)>;

impl<'s> Trial<'s> {
    /// Makes what the applications share.
    pub fn new(servers: &'s Servers, scenario: &'s Scenario) -> Self {
        let prefix = scenario.name.to_owned();
        let shared = Workspace::bare(&SHARED.replace("PREFIX", &prefix));
        let mut trial = Self {
            servers,
            scenario,
            prefix,
            shared,
        };
        trial.provider(&trial.shared, "30s");
        Self::reach(
            &mut trial.shared,
            &servers.nomad.address,
            &servers.consul.address,
        );
        trial.shared.apply();
        trial
    }

    fn provider(&self, work: &Workspace, timeout: &str) {
        let prefix = &self.prefix;
        work.write(
            "provider.tf",
            &format!(
                "provider \"oam\" {{\n  nomad {{\n    timeout = \"{timeout}\"\n  }}\n  consul {{\n    \
                 timeout = \"{timeout}\"\n    key_prefix = \"{prefix}\"\n  }}\n}}\n"
            ),
        );
    }

    fn reach(work: &mut Workspace, nomad: &str, consul: &str) {
        work.set("NOMAD_ADDR", nomad);
        work.set("CONSUL_HTTP_ADDR", consul);
    }

    /// A workspace for one application, with this state.
    fn alone(&self, name: &str, step: Step, state: Option<&Value>) -> Workspace {
        let text = match step {
            Step::Apply(text) => text,
            Step::Destroy => self.scenario.before.unwrap_or_default(),
        };
        let work = Workspace::bare(&text.replace("EACH", "").replace("NAME", name));
        if let Some(state) = state {
            work.write("terraform.tfstate", &state.to_string());
        }
        work
    }

    /// A workspace for many applications, with these states.
    fn together(&self, text: &str, states: &BTreeMap<String, Option<Value>>) -> Workspace {
        let names: Vec<_> = states.keys().collect();
        let each = format!("for_each = toset({})", json!(names));
        let text = text.replace("EACH", &each).replace("NAME", "${each.key}");
        let mut work = Workspace::bare(&text);
        self.provider(&work, "30s");
        let (nomad, consul) = (&self.servers.nomad.address, &self.servers.consul.address);
        Self::reach(&mut work, nomad, consul);
        if let Some(state) = merged(states) {
            work.write("terraform.tfstate", &state.to_string());
        }
        work
    }

    /// What is applied before, for these applications: the state of each.
    fn before(&self, names: &[String]) -> BTreeMap<String, Option<Value>> {
        let mut states: BTreeMap<_, _> = names.iter().map(|name| (name.clone(), None)).collect();
        if let Some(text) = self.scenario.before {
            let work = self.together(text, &states);
            work.run(&["apply", "-json", "-auto-approve", "-parallelism=32"])
                .succeeded();
            let all = state(&work).expect("a state");
            for (name, state) in &mut states {
                *state = Some(only(&all, name));
            }
        }
        states
    }

    /// Runs the scenario as it is, and gives its calls.
    pub fn calls(&self) -> Vec<Call> {
        let name = format!("{}-ref", self.scenario.name);
        let before = self.before(std::slice::from_ref(&name)).remove(&name);
        let all = std::sync::Arc::new(Mutex::new(BTreeSet::new()));
        let record = |server: &'static str, proxy: &Proxy| {
            let (all, mut counter) = (all.clone(), Counter::new(server, &name));
            proxy.rule(move |seen| {
                all.lock().unwrap().extend(counter.call(seen));
                crate::support::Action::Forward
            });
        };
        let (nomad, consul) = self.proxies();
        record("nomad", &nomad);
        record("consul", &consul);
        let mut work = self.alone(&name, self.scenario.run, before.flatten().as_ref());
        self.provider(&work, "30s");
        Self::reach(&mut work, &nomad.address, &consul.address);
        work.run(arguments(self.scenario.run)).succeeded();
        // What it comes to is what all the others have to come to.
        let states = [(name.clone(), state(&work))].into();
        let wrong = self.comes_out_even(&states, &[], None);
        assert!(wrong.is_empty(), "without a cut: {wrong:#?}");
        let all = all.lock().unwrap();
        all.iter().cloned().collect()
    }

    fn proxies(&self) -> (Proxy, Proxy) {
        (
            Proxy::start(&self.servers.nomad.address),
            Proxy::start(&self.servers.consul.address),
        )
    }

    /// Makes the cuts, and looks at what they come to. `judge` looks at each run that was cut and not killed.
    pub fn run(
        &self,
        cuts: &[Cut],
        timeout: fn(&Cut) -> &'static str,
        judge: impl Fn(&Cut, &Run) -> Result<(), String> + Sync,
    ) -> Outcome {
        let reference = self.reference();
        let mut outcome = Outcome::default();
        for (number, cuts) in cuts.chunks(BATCH).enumerate() {
            let name = |at: usize| format!("{}-{number}x{at:02}", self.scenario.name);
            let names: Vec<_> = (0..cuts.len()).map(name).collect();
            let before = self.before(&names);
            let ended = Mutex::new(BTreeMap::new());
            let next = AtomicUsize::new(0);
            std::thread::scope(|threads| {
                for _ in 0..AT_ONCE {
                    threads.spawn(|| {
                        loop {
                            let at = next.fetch_add(1, Ordering::SeqCst);
                            let (Some(cut), Some(name)) = (cuts.get(at), names.get(at)) else {
                                return;
                            };
                            let run = self.cut(cut, name, before[name].as_ref(), timeout(cut));
                            ended.lock().unwrap().insert(at, run);
                        }
                    });
                }
            });
            let mut states = BTreeMap::new();
            let mut labels = Vec::new();
            for (at, ended) in ended.into_inner().unwrap() {
                let cut = &cuts[at];
                outcome.made += 1;
                outcome.succeeded += usize::from(ended.run.code == Some(0));
                if !ended.reached {
                    outcome.missed.push(cut.to_string());
                }
                if ended.reached
                    && !cut.deed.kills()
                    && let Err(wrong) = judge(cut, &ended.run)
                {
                    outcome.wrong.push(format!("{cut}: {wrong}"));
                }
                labels.push((names[at].clone(), cut.to_string()));
                states.insert(names[at].clone(), ended.state);
            }
            let wrong = self.comes_out_even(&states, &labels, Some(&reference));
            outcome.wrong.extend(wrong);
        }
        outcome
    }

    /// What an application is to come to, that is applied and never cut; asked for once the trial's calls are
    /// known.
    fn reference(&self) -> World {
        let Step::Apply(text) = self.scenario.then else {
            return World::new();
        };
        let name = format!("{}-model", self.scenario.name);
        let mut state = self
            .before(std::slice::from_ref(&name))
            .remove(&name)
            .flatten();
        for step in [self.scenario.run, self.scenario.then] {
            if step == Step::Destroy {
                // Nothing is there before it is destroyed, and it comes to the same when it is kept.
                continue;
            }
            let mut work = self.alone(&name, step, state.as_ref());
            self.provider(&work, "30s");
            let (nomad, consul) = (&self.servers.nomad.address, &self.servers.consul.address);
            Self::reach(&mut work, nomad, consul);
            work.run(arguments(step)).succeeded();
            state = self::state(&work);
        }
        let world = self.world(&name);
        assert!(!world.is_empty(), "the model has jobs");
        let work = self.together(text, &[(name, state)].into());
        work.destroy();
        world
    }

    /// One run, cut.
    fn cut(&self, cut: &Cut, name: &str, before: Option<&Value>, timeout: &str) -> Ended {
        let (nomad, consul) = self.proxies();
        let gate = Gate::new();
        let reached = std::sync::Arc::new(AtomicBool::new(false));
        for (server, proxy) in [("nomad", &nomad), ("consul", &consul)] {
            let mut counter = Counter::new(server, name);
            let (gate, reached, cut) = (gate.clone(), reached.clone(), cut.clone());
            proxy.rule(move |seen| {
                if counter.call(seen).as_ref() != Some(&cut.call) {
                    return crate::support::Action::Forward;
                }
                reached.store(true, Ordering::SeqCst);
                cut.deed.action(&gate)
            });
        }
        let mut work = self.alone(name, self.scenario.run, before);
        self.provider(&work, timeout);
        Self::reach(&mut work, &nomad.address, &consul.address);
        let running = work.start(arguments(self.scenario.run));
        let run = match cut.deed.kills() {
            true => kill_at(&gate, running),
            false => running.wait(),
        };
        Ended {
            run,
            reached: reached.load(Ordering::SeqCst),
            state: state(&work),
        }
    }

    /// Asks for what is to be, once, and looks whether it is. Gives what is wrong. Without a reference, only
    /// whether Terraform thinks so, too.
    fn comes_out_even(
        &self,
        states: &BTreeMap<String, Option<Value>>,
        labels: &[(String, String)],
        reference: Option<&World>,
    ) -> Vec<String> {
        let label = |name: &str| {
            let found = labels.iter().find(|(it, _)| it == name);
            found
                .map_or("not cut", |(_, label)| label.as_str())
                .to_owned()
        };
        let mut wrong = Vec::new();
        let mut work = None;
        if let Step::Apply(text) = self.scenario.then {
            let all = self.together(text, states);
            let run = all.run(&["apply", "-json", "-auto-approve", "-parallelism=32"]);
            wrong.extend(
                run.diagnostics
                    .iter()
                    .filter(|it| it.severity == "error")
                    .map(|error| {
                        let text = format!("{}: {}", error.summary, error.detail);
                        let whose = labels.iter().find(|(name, _)| text.contains(name.as_str()));
                        let whose = whose.map_or("of which is not known", |(_, label)| label);
                        format!("{whose}: does not converge: {text}")
                    }),
            );
            assert!(run.code.is_some(), "{run:?}");
            if run.code == Some(0) {
                let plan = all.plan_with(&["-parallelism=32"]);
                for change in plan.json["resource_changes"]
                    .as_array()
                    .into_iter()
                    .flatten()
                {
                    if change["change"]["actions"] != json!(["no-op"]) {
                        let name = change["index"].as_str().unwrap_or_default();
                        wrong.push(format!(
                            "{}: not empty: {:#}",
                            label(name),
                            change["change"]
                        ));
                    }
                }
                let drift = plan.json["resource_drift"].as_array();
                for change in drift.into_iter().flatten() {
                    let name = change["index"].as_str().unwrap_or_default();
                    wrong.push(format!("{}: drifted: {:#}", label(name), change["change"]));
                }
            }
            if let Some(reference) = reference {
                for name in states.keys() {
                    let mut world = self.world(name);
                    if !self.scenario.same_versions {
                        for (place, (version, _)) in &mut world {
                            *version = reference.get(place).map_or(*version, |it| it.0);
                        }
                    }
                    if world != *reference {
                        wrong.push(format!(
                            "{}: the jobs are {world:?}, and not {reference:?}",
                            label(name)
                        ));
                    }
                    let said = self.record(name);
                    wrong.extend(said.into_iter().map(|it| format!("{}: {it}", label(name))));
                }
            }
            work = Some(all);
        }
        // Nothing is there of which no record tells, and no record of nothing.
        wrong.extend(self.orphans());
        let work =
            work.unwrap_or_else(|| self.together(self.scenario.before.unwrap_or_default(), states));
        let run = work.run(&["destroy", "-json", "-auto-approve", "-parallelism=32"]);
        for error in run.diagnostics.iter().filter(|it| it.severity == "error") {
            wrong.push(format!(
                "does not destroy: {}: {}",
                error.summary, error.detail
            ));
        }
        for name in states.keys() {
            let jobs = self.world(name);
            if !jobs.is_empty() {
                wrong.push(format!("{}: left in Nomad: {jobs:?}", label(name)));
            }
            for folder in ["applications", "revisions"] {
                let keys = self
                    .servers
                    .consul
                    .keys(&format!("{}/{folder}/default/{name}", self.prefix));
                if !keys.is_empty() {
                    wrong.push(format!("{}: left in Consul: {keys:?}", label(name)));
                }
            }
        }
        wrong
    }

    /// The jobs of an application, whatever their state.
    fn world(&self, name: &str) -> World {
        let nomad = &self.servers.nomad;
        let stubs = nomad.get(&format!("/v1/jobs?namespace=*&prefix={name}-"));
        let jobs = stubs.as_array().unwrap().iter().map(|stub| {
            let (id, namespace) = (text(&stub["ID"]), text(&stub["Namespace"]));
            let job = nomad.job(&namespace, &id).unwrap_or_default();
            let greeting = text(&job["TaskGroups"][0]["Tasks"][0]["Env"]["A"]);
            let stopped = if job["Stop"] == true { " stopped" } else { "" };
            let place = (namespace, id[name.len()..].to_owned());
            (
                place,
                (job["Version"].as_u64().unwrap_or(99), greeting + stopped),
            )
        });
        jobs.collect()
    }

    /// What is wrong with the record of an application that is as it should be.
    fn record(&self, name: &str) -> Vec<String> {
        let consul = &self.servers.consul;
        let place = format!("applications/default/{name}");
        let Some(found) = consul.find(&format!("/v1/kv/{}/{place}", self.prefix)) else {
            return vec!["the record is lost".to_owned()];
        };
        let mut wrong = Vec::new();
        if found[0].get("Session").is_some() {
            wrong.push("the record is locked".to_owned());
        }
        let record = consul
            .record(&self.prefix, "default", name)
            .unwrap_or_default();
        if record["phase"] != "settled" || record.get("operation").is_some() {
            wrong.push(format!("the record is not settled: {record}"));
        }
        let revision = record["revision"].as_u64().unwrap_or_default();
        let kept = format!("{}/revisions/default/{name}/{revision:010}", self.prefix);
        if consul.key(&kept).is_none() {
            wrong.push(format!("revision {revision} is not kept"));
        }
        wrong
    }

    /// Jobs of an application of this scenario of which no record tells.
    fn orphans(&self) -> Vec<String> {
        let nomad = &self.servers.nomad;
        let prefix = self.scenario.name;
        let stubs = nomad.get(&format!("/v1/jobs?namespace=*&meta=true&prefix={prefix}-"));
        let orphan = |stub: &Value| {
            let owner = text(&stub["Meta"]["oam.application"]);
            let record = format!("{}/applications/{owner}", self.prefix);
            let told = self.servers.consul.key(&record);
            let id = text(&stub["ID"]);
            let known =
                told.is_some_and(|(record, _)| record.contains(&format!("\"id\":\"{id}\"")));
            (!known).then(|| format!("the job {id} of {owner} is in no record"))
        };
        stubs
            .as_array()
            .unwrap()
            .iter()
            .filter_map(orphan)
            .collect()
    }
}

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.shared.destroy();
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn arguments(step: Step) -> &'static [&'static str] {
    match step {
        Step::Apply(_) => &["apply", "-json", "-auto-approve"],
        Step::Destroy => &["destroy", "-json", "-auto-approve"],
    }
}

/// Waits for the end, and kills the provider as soon as a call stands at the gate.
fn kill_at(gate: &Gate, running: Running) -> Run {
    let over = AtomicBool::new(false);
    let terraform = running.id();
    std::thread::scope(|threads| {
        threads.spawn(|| {
            while !over.load(Ordering::SeqCst) {
                if gate.has_arrival() {
                    for provider in providers(terraform) {
                        let _ = nix::sys::signal::kill(provider, nix::sys::signal::SIGKILL);
                    }
                    return;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        let run = running.wait();
        over.store(true, Ordering::SeqCst);
        run
    })
}

/// What Terraform has written of its state.
fn state(work: &Workspace) -> Option<Value> {
    let text = std::fs::read_to_string(work.folder().join("terraform.tfstate")).ok()?;
    serde_json::from_str(&text).ok()
}

/// One application's part of a state, as one that is alone has it.
fn only(all: &Value, name: &str) -> Value {
    let mut state = all.clone();
    for resource in state["resources"].as_array_mut().unwrap() {
        let instances = resource["instances"].as_array_mut().unwrap();
        instances.retain(|it| it["index_key"] == name);
        for instance in instances {
            instance.as_object_mut().unwrap().remove("index_key");
        }
    }
    state
}

/// The states put together; `None` where there is nothing in them.
fn merged(states: &BTreeMap<String, Option<Value>>) -> Option<Value> {
    let mut all: Option<Value> = None;
    let mut resources: BTreeMap<String, Value> = BTreeMap::new();
    for (name, state) in states {
        let Some(state) = state else { continue };
        all.get_or_insert_with(|| state.clone());
        for resource in state["resources"].as_array().into_iter().flatten() {
            let address = format!("{}.{}", resource["type"], resource["name"]);
            let entry = resources.entry(address).or_insert_with(|| {
                let mut empty = resource.clone();
                empty["instances"] = json!([]);
                empty
            });
            for instance in resource["instances"].as_array().into_iter().flatten() {
                let mut instance = instance.clone();
                instance["index_key"] = json!(name);
                entry["instances"].as_array_mut().unwrap().push(instance);
            }
        }
    }
    let mut all = all?;
    all["resources"] = resources.into_values().collect();
    Some(all)
}
