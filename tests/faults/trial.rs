//! Runs a scenario once as it is, then once for each cut, and looks at what is there afterwards.
//!
//! Each cut has a name of its own, and so an application, a tenant or scopes of its own. What comes before
//! and after the cut runs is done for all of them at once, by one Terraform that has their states put
//! together: it saves most of the time, and lets the locks of dead providers run out side by side.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::cuts::{Call, Counter, Cut};
use crate::inventory::{Inventory, World, differences};
use crate::scenarios::{Scenario, Step};
use crate::support::terraform::{Running, providers};
use crate::support::{Gate, Proxy, Role, Run, Servers, Tokens, Workspace, guarded, servers};

/// How many cut runs there are at once, in one scenario.
const AT_ONCE: usize = 4;

/// How many cuts are looked after by one Terraform.
const BATCH: usize = 60;

/// A scenario on servers.
pub struct Trial<'s> {
    servers: &'static Servers,
    scenario: &'s Scenario,
    tokens: Tokens,
    shared: Option<Workspace>,
}

/// One of the servers: what it is called, and what tells the provider its address and its token.
struct Door {
    server: &'static str,
    address: &'static str,
    token: &'static str,
}

static DOORS: [Door; 3] = [
    Door {
        server: "nomad",
        address: "NOMAD_ADDR",
        token: "NOMAD_TOKEN",
    },
    Door {
        server: "consul",
        address: "CONSUL_HTTP_ADDR",
        token: "CONSUL_HTTP_TOKEN",
    },
    Door {
        server: "vault",
        address: "VAULT_ADDR",
        token: "VAULT_TOKEN",
    },
];

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

impl<'s> Trial<'s> {
    /// Makes what all share.
    pub fn new(scenario: &'s Scenario) -> Self {
        let servers = match scenario.guarded {
            true => guarded(),
            false => servers(),
        };
        let mut trial = Self {
            servers,
            scenario,
            tokens: servers.tokens(Role::Everything, scenario.name),
            shared: None,
        };
        if !scenario.shared.is_empty() {
            let shared = trial.straight(&scenario.shared.replace("PREFIX", scenario.name));
            shared.apply();
            trial.shared = Some(shared);
        }
        trial
    }

    /// The names of all that is made here begin so, and so do the keys of the records.
    fn prefix(&self) -> &str {
        self.scenario.name
    }

    fn provider(&self, work: &Workspace, timeout: &str) {
        let prefix = self.prefix();
        let vault = match self.servers.has_vault() {
            true => format!("  vault {{\n    timeout = \"{timeout}\"\n  }}\n"),
            false => String::new(),
        };
        work.write(
            "provider.tf",
            &format!(
                "provider \"oam\" {{\n  nomad {{\n    timeout = \"{timeout}\"\n  }}\n  consul {{\n    \
                 timeout = \"{timeout}\"\n    key_prefix = \"{prefix}\"\n  }}\n{vault}}}\n"
            ),
        );
    }

    /// The servers that there are, each with its own address.
    fn doors(&self) -> Vec<(&'static Door, &str)> {
        let Servers { nomad, consul, .. } = self.servers;
        let vault = self.servers.has_vault().then(|| self.servers.vault());
        let addresses = [
            Some(&nomad.address),
            Some(&consul.address),
            vault.map(|it| &it.address),
        ];
        let doors = DOORS.iter().zip(addresses);
        doors
            .filter_map(|(door, address)| Some((door, address?.as_str())))
            .collect()
    }

    /// Has a workspace reach the servers at these addresses.
    fn reach<'a>(
        &self,
        work: &mut Workspace,
        doors: impl IntoIterator<Item = (&'static Door, &'a str)>,
    ) {
        let Tokens {
            nomad,
            consul,
            vault,
        } = &self.tokens;
        for (door, address) in doors {
            work.set(door.address, address);
            let token = match door.server {
                "nomad" => nomad,
                "consul" => consul,
                _ => vault,
            };
            if let Some(token) = token {
                work.set(door.token, token);
            }
        }
    }

    /// A workspace that reaches the servers themselves.
    fn straight(&self, text: &str) -> Workspace {
        let mut work = Workspace::bare(text);
        self.provider(&work, "30s");
        self.reach(&mut work, self.doors());
        work
    }

    /// The text and the state of one name by itself.
    fn alone(&self, work: &Workspace, name: &str, step: Step, state: Option<&Value>) {
        let text = match step {
            Step::Apply(text) => text,
            Step::Destroy => self.scenario.before.unwrap_or_default(),
        };
        let text = text.replace("EACH", "").replace("INDEX", "");
        work.change(&text.replace("NAME", name));
        if let Some(state) = state {
            work.write("terraform.tfstate", &state.to_string());
        }
    }

    /// A workspace for many names, with these states.
    fn together(&self, text: &str, states: &BTreeMap<String, Option<Value>>) -> Workspace {
        let names: Vec<_> = states.keys().collect();
        let each = format!("for_each = toset({})", json!(names));
        let text = text.replace("EACH", &each).replace("INDEX", "[each.key]");
        let work = self.straight(&text.replace("NAME", "${each.key}"));
        if let Some(state) = merged(states) {
            work.write("terraform.tfstate", &state.to_string());
        }
        work
    }

    /// What there is now.
    fn inventory(&self) -> Inventory {
        Inventory::of(self.servers, self.prefix())
    }

    /// What is applied before, for these names: the state of each.
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
        let name = format!("{}ref", self.prefix());
        let before = self.before(std::slice::from_ref(&name)).remove(&name);
        let all = std::sync::Arc::new(Mutex::new(BTreeSet::new()));
        let proxies = self.proxies();
        for (door, proxy) in &proxies {
            let (all, mut counter) = (all.clone(), Counter::new(door.server, &name));
            proxy.rule(move |seen| {
                all.lock().unwrap().extend(counter.call(seen));
                crate::support::Action::Forward
            });
        }
        let work = self.through(&proxies, "30s");
        self.alone(&work, &name, self.scenario.run, before.flatten().as_ref());
        work.run(arguments(self.scenario.run)).succeeded();
        // What it comes to is what all the others have to come to.
        let states = [(name.clone(), state(&work))].into();
        let wrong = self.comes_out_even(&states, &[], None);
        assert!(wrong.is_empty(), "without a cut: {wrong:#?}");
        let all = all.lock().unwrap();
        all.iter().cloned().collect()
    }

    fn proxies(&self) -> Vec<(&'static Door, Proxy)> {
        let doors = self.doors().into_iter();
        doors
            .map(|(door, address)| (door, Proxy::start(address)))
            .collect()
    }

    /// A workspace that reaches the servers through these.
    fn through(&self, proxies: &[(&'static Door, Proxy)], timeout: &str) -> Workspace {
        let mut work = Workspace::bare("");
        self.provider(&work, timeout);
        let doors = proxies.iter();
        self.reach(
            &mut work,
            doors.map(|(door, proxy)| (*door, proxy.address.as_str())),
        );
        work
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
            let name = |at: usize| format!("{}{number}x{at:02}", self.prefix());
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
            // Whatever was begun, a record tells of it.
            let now = self.inventory();
            for (name, label) in &labels {
                let lost = now.orphans(name, false).into_iter();
                outcome
                    .wrong
                    .extend(lost.map(|it| format!("{label}: {it}")));
            }
            let wrong = self.comes_out_even(&states, &labels, Some(&reference));
            outcome.wrong.extend(wrong);
        }
        outcome
    }

    /// What there is to be of a name that is never cut; asked for once the trial's calls are known.
    fn reference(&self) -> World {
        let Step::Apply(text) = self.scenario.then else {
            return World::new();
        };
        let name = format!("{}model", self.prefix());
        let mut state = self
            .before(std::slice::from_ref(&name))
            .remove(&name)
            .flatten();
        for step in [self.scenario.run, self.scenario.then] {
            if step == Step::Destroy {
                // Nothing is there before it is destroyed, and it comes to the same when it is kept.
                continue;
            }
            let work = self.straight("");
            self.alone(&work, &name, step, state.as_ref());
            work.run(arguments(step)).succeeded();
            state = self::state(&work);
        }
        let world = self.inventory().world(&name);
        assert!(!world.is_empty(), "there is something of the model");
        let work = self.together(text, &[(name, state)].into());
        work.destroy();
        world
    }

    /// One run, cut.
    fn cut(&self, cut: &Cut, name: &str, before: Option<&Value>, timeout: &str) -> Ended {
        let proxies = self.proxies();
        let gate = Gate::new();
        let reached = std::sync::Arc::new(AtomicBool::new(false));
        for (door, proxy) in &proxies {
            let mut counter = Counter::new(door.server, name);
            let (gate, reached, cut) = (gate.clone(), reached.clone(), cut.clone());
            proxy.rule(move |seen| {
                if counter.call(seen).as_ref() != Some(&cut.call) {
                    return crate::support::Action::Forward;
                }
                reached.store(true, Ordering::SeqCst);
                cut.deed.action(&gate)
            });
        }
        let work = self.through(&proxies, timeout);
        self.alone(&work, name, self.scenario.run, before);
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
                let now = self.inventory();
                for name in states.keys() {
                    let same = self.scenario.same_versions;
                    let mut said = differences(&now.world(name), reference, same);
                    said.extend(now.orphans(name, true));
                    wrong.extend(said.into_iter().map(|it| format!("{}: {it}", label(name))));
                }
            }
            work = Some(all);
        }
        let work =
            work.unwrap_or_else(|| self.together(self.scenario.before.unwrap_or_default(), states));
        let run = work.run(&["destroy", "-json", "-auto-approve", "-parallelism=32"]);
        for error in run.diagnostics.iter().filter(|it| it.severity == "error") {
            wrong.push(format!(
                "does not destroy: {}: {}",
                error.summary, error.detail
            ));
        }
        let now = self.inventory();
        for name in states.keys() {
            let left = now.left(name).into_iter();
            wrong.extend(left.map(|place| format!("{}: left: the {place}", label(name))));
        }
        wrong
    }
}

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking()
            && let Some(shared) = &self.shared
        {
            shared.destroy();
        }
    }
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

/// One name's part of a state, as one that is alone has it.
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
