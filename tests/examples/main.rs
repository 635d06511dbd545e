//! Every example is valid and says the same as its manifest; every one that can be run here is run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod example;
#[path = "../golden/mod.rs"]
mod golden;
#[path = "../support/mod.rs"]
mod support;

use std::sync::{Mutex, OnceLock};

use example::Example;
use oam_provider::nomad::job::Job;
use oam_provider::oam::{ComponentType, Node, def, manifest};
use oam_provider::{scopes, traits};
use serde_json::{Value, json};
use support::{Options, Servers, Workspace, docker, eventually};

/// How many examples are run at once: most of the time of each is Nomad's wait for health.
const AT_ONCE: usize = 8;

#[test]
fn all_examples_are_valid_and_formatted() {
    side_by_side(example::all(), |example| {
        let work = example.workspace();
        // No host of these tests knows actions yet.
        if !example.name.starts_with("actions/") {
            let problems = work.validate();
            assert!(problems.is_empty(), "{problems:#?}");
        }
        let format = work.run(&["fmt", "-check", "-diff"]);
        assert_eq!(format.code, Some(0), "{}", format.output);
    });
}

#[test]
fn every_component_type_trait_and_scope_has_an_example_in_both_forms() {
    let components = ComponentType::NAMES
        .iter()
        .map(|name| format!("components/{name}"));
    let traits = traits::ALL
        .iter()
        .map(|it| format!("traits/{}", it.field.oam));
    let scopes = scopes::ALL.iter().map(|it| format!("scopes/{}", it.kind));
    let wanted: Vec<_> = components.chain(traits).chain(scopes).collect();
    let all = example::all();
    for name in &wanted {
        let example = all.iter().find(|example| example.name == *name);
        let example = example.unwrap_or_else(|| panic!("examples/{name}/main.tf is missing"));
        assert!(
            example.is_whole(),
            "examples/{name} has no `provider \"oam\" {{}}`"
        );
        assert!(
            example.manifest().is_some(),
            "examples/{name}/app.yaml is missing"
        );
    }
    let groups = ["components/", "traits/", "scopes/"];
    for Example { name, .. } in &all {
        let grouped = groups.iter().any(|group| name.starts_with(group));
        assert!(
            !grouped || wanted.contains(name),
            "examples/{name} is of nothing that there is"
        );
    }
}

#[test]
fn a_manifest_comes_to_the_same_jobs_as_the_hcl_beside_it() {
    let both: Vec<_> = example::all()
        .into_iter()
        .filter(|example| example.is_whole() && example.manifest().is_some())
        .collect();
    assert!(both.len() >= 22);
    side_by_side(both, |example| {
        let document = example.manifest().unwrap();
        let node = manifest::read(&document)
            .unwrap_or_else(|faults| panic!("{faults:#?}"))
            .node;
        let of_manifest = serde_json::to_string_pretty(&jobs(node)).unwrap();
        let of_hcl = serde_json::to_string_pretty(&jobs(planned(example))).unwrap();
        assert!(
            of_manifest == of_hcl,
            "of the manifest:\n{of_manifest}\nof the HCL:\n{of_hcl}"
        );
    });
}

#[test]
fn the_examples_without_containers_run() {
    let servers = support::servers();
    servers.nomad.namespace("team-a");
    let all = runnable(|example| {
        let plain = |need: &String| ["exec", "namespace"].contains(&need.as_str());
        if example.needs.contains("exec") && !servers.nomad.has_driver("exec") {
            eprintln!(
                "skipped: {}: the driver exec does not work here",
                example.name
            );
            return false;
        }
        example.needs.iter().all(plain)
    });
    assert!(all.len() >= 15, "too few examples are run");
    side_by_side(all, |example| run(servers, example.workspace()));
}

#[test]
fn the_examples_with_containers_run() {
    let all = runnable(|example| {
        let platform = ["docker", "vault", "consul", "mesh", "volume"];
        example
            .needs
            .iter()
            .any(|need| platform.contains(&need.as_str()))
    });
    assert!(all.len() >= 5, "too few examples are run");
    if !docker::ready() {
        return;
    }
    let servers = platform();
    let vault = servers.vault();
    vault.write("site/api", &json!({ "key": "k-1" }));
    vault.write(
        "orders/db",
        &json!({ "username": "orders", "password": "p-1" }),
    );
    servers.consul.write_key("site/greeting", "hello");
    side_by_side(all, |example| {
        run(servers, example.workspace_with_our_image())
    });
}

#[test]
fn what_no_machine_here_can_run_is_planned_by_nomad() {
    let all = runnable(|example| example.needs.contains("qemu"));
    assert!(!all.is_empty());
    for example in all {
        let plan = on(support::servers(), example.workspace()).try_plan();
        plan.succeeded();
        // Nomad has taken the jobs, and only the driver is in their way.
        assert!(!plan.diagnostics.is_empty());
        for diagnostic in &plan.diagnostics {
            assert_eq!(diagnostic.severity, "warning", "{diagnostic:?}");
            assert!(
                diagnostic.detail.contains("without the task's driver"),
                "{diagnostic:?}"
            );
        }
        eprintln!(
            "planned, not run: {}: there is no QEMU with a disk image",
            example.name
        );
    }
}

/// Servers with all that examples may need.
fn platform() -> &'static Servers {
    static SERVERS: OnceLock<Servers> = OnceLock::new();
    SERVERS.get_or_init(|| {
        Servers::start(Options {
            containers: true,
            vault: true,
            ..Options::default()
        })
    })
}

/// The examples on their own that are chosen.
fn runnable(chosen: impl Fn(&Example) -> bool) -> Vec<Example> {
    let all = example::all().into_iter();
    all.filter(|example| example.is_whole() && chosen(example))
        .collect()
}

/// A workspace on these servers.
fn on(servers: &Servers, mut work: Workspace) -> Workspace {
    work.set("NOMAD_ADDR", &servers.nomad.address);
    work.set("CONSUL_HTTP_ADDR", &servers.consul.address);
    work
}

/// Applies an example, sees that nothing is left to do and that what runs once has run, and destroys it.
fn run(servers: &Servers, work: Workspace) {
    let work = on(servers, work);
    work.apply();
    work.plan().assert_empty();
    for job in applied_jobs(&work) {
        let (id, namespace) = (
            job["id"].as_str().unwrap(),
            job["namespace"].as_str().unwrap(),
        );
        let live = servers.nomad.job(namespace, id).expect("the job is there");
        if live["Type"] == "batch" && live["Periodic"].is_null() {
            eventually("the job has run to its end", || {
                let all = servers.nomad.allocations(namespace, id);
                let complete = |one: &Value| one["ClientStatus"] == "complete";
                (!all.is_empty() && all.iter().all(complete)).then_some(())
            });
        }
    }
    work.destroy();
}

/// The jobs of the applications in the state.
fn applied_jobs(work: &Workspace) -> Vec<Value> {
    let state: Value = serde_json::from_str(&work.run(&["show", "-json"]).output).unwrap();
    let resources = state["values"]["root_module"]["resources"]
        .as_array()
        .unwrap();
    let jobs = resources
        .iter()
        .filter_map(|it| it["values"]["jobs"].as_object());
    let jobs: Vec<_> = jobs.flat_map(|jobs| jobs.values().cloned()).collect();
    assert!(!jobs.is_empty(), "{state:#}");
    jobs
}

/// The application of an example in its normal form, as Terraform has read it from the HCL.
fn planned(example: &Example) -> Node {
    let plan = example.offline().plan().json;
    let resources = plan["planned_values"]["root_module"]["resources"]
        .as_array()
        .unwrap();
    let [application] = resources.as_slice() else {
        panic!("not one resource: {plan:#}");
    };
    let mut values = application["values"].as_object().unwrap().clone();
    // What the provider adds to the model.
    values.retain(|name, _| def::application().field(name).is_some());
    Node::from(&Value::Object(values))
}

/// The jobs of an application.
fn jobs(node: Node) -> Vec<Job> {
    let case = golden::Case {
        name: "example".to_owned(),
        node,
    };
    golden::translate(&case)
        .into_iter()
        .map(|one| one.job)
        .collect()
}

/// Does it for each, some at once, and says at the end which have failed.
fn side_by_side(all: Vec<Example>, act: impl Fn(&Example) + Sync) {
    let rest = Mutex::new(all.into_iter());
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(example) = next(&rest) {
                    let done =
                        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| act(&example)));
                    if done.is_err() {
                        failed.lock().unwrap().push(example.name);
                    }
                }
            });
        }
    });
    assert_eq!(failed.into_inner().unwrap(), Vec::<String>::new());
}

fn next(rest: &Mutex<std::vec::IntoIter<Example>>) -> Option<Example> {
    rest.lock().unwrap().next()
}
