//! Dozens of runs of Terraform at once, each with a state of its own: of those that want the same, exactly one
//! gets it, and the others are told why not.

use std::time::Duration;

use serde_json::Value;

use crate::support::terraform::{Running, provider_block};
use crate::support::{Action, Gate, Proxy, Run, Workspace, servers};

/// How many runs there are at once.
const RUNS: usize = 24;

const PREFIX: &str = "races";

const APPLY: &[&str] = &["apply", "-json", "-auto-approve"];

fn configuration(name: &str, greeting: &str) -> String {
    let part = |component: &str| {
        format!(
            r#"
  component "{component}" {{
    type     = "cron-task"
    schedule = "0 0 1 1 *"
    driver   = "raw_exec"
    command  = ["/bin/true"]
    env      = {{ A = "{greeting}" }}
  }}"#
        )
    };
    let (one, two) = (part("one"), part("two"));
    format!("resource \"oam_application\" \"it\" {{\n  name = \"{name}\"\n{one}{two}\n}}\n")
}

fn workspace(configuration: &str) -> Workspace {
    let work = Workspace::bare(configuration);
    work.write("provider.tf", &provider_block(servers(), PREFIX));
    work
}

/// Runs all of them at once, with these arguments.
fn at_once(all: &[Workspace], arguments: &[&str]) -> Vec<Run> {
    let running: Vec<_> = all.iter().map(|work| work.start(arguments)).collect();
    std::thread::scope(|threads| {
        let waits = running
            .into_iter()
            .map(|it| threads.spawn(move || it.wait()));
        let waits: Vec<_> = waits.collect();
        waits.into_iter().map(|it| it.join().unwrap()).collect()
    })
}

/// The one that succeeded; all others have failed with an error that says one of these.
fn winner(runs: &[Run], says: &[&str]) -> usize {
    let won: Vec<_> = (0..runs.len())
        .filter(|at| runs[*at].code == Some(0))
        .collect();
    let errors = |at: usize| {
        let errors = runs[at].failed();
        let text = errors
            .iter()
            .map(|it| format!("{}: {}\n", it.summary, it.detail));
        text.collect::<String>()
    };
    assert_eq!(won.len(), 1, "these won: {won:?}");
    for at in (0..runs.len()).filter(|at| *at != won[0]) {
        let told = errors(at);
        assert!(says.iter().any(|it| told.contains(it)), "{told}");
    }
    won[0]
}

/// Both jobs say this, in this version, and the record is settled in this revision and says the same.
fn consistent(name: &str, greeting: &str, version: u64, revision: u64) {
    let servers = servers();
    let ids = servers.nomad.job_ids(&format!("{name}-"));
    assert_eq!(ids, [format!("{name}-one"), format!("{name}-two")]);
    for id in ids {
        let job = servers.nomad.job("default", &id).unwrap();
        assert_eq!(
            job["TaskGroups"][0]["Tasks"][0]["Env"]["A"], greeting,
            "{id}"
        );
        assert_eq!(job["Version"], version, "{id}");
    }
    let record = servers.consul.record(PREFIX, "default", name).unwrap();
    assert_eq!(record["phase"], "settled", "{record}");
    assert_eq!(record["revision"], revision, "{record}");
    let document = record["document"].to_string();
    assert!(
        document.contains(&format!("\"value\":\"{greeting}\"")),
        "{document}"
    );
    let key = format!("/v1/kv/{PREFIX}/applications/default/{name}");
    let entry: Value = servers.consul.get(&key);
    assert!(entry[0].get("Session").is_none(), "it is still locked");
}

#[test]
fn of_many_creations_at_once_one_wins() {
    let all: Vec<_> = (0..RUNS)
        .map(|at| workspace(&configuration("rx-create", &format!("by-{at}"))))
        .collect();
    let runs = at_once(&all, APPLY);
    let won = winner(&runs, &["exists already"]);
    consistent("rx-create", &format!("by-{won}"), 0, 1);
    all[won].plan().assert_empty();
    all[won].destroy();
    assert_eq!(servers().nomad.job_ids("rx-create-"), Vec::<String>::new());
}

#[test]
fn of_many_creations_of_the_same_one_wins() {
    let all: Vec<_> = (0..RUNS / 2)
        .map(|_| workspace(&configuration("rx-same", "same")))
        .collect();
    let runs = at_once(&all, APPLY);
    let won = winner(&runs, &["exists already"]);
    consistent("rx-same", "same", 0, 1);
    all[won].plan().assert_empty();
    all[won].destroy();
}

#[test]
fn of_many_updates_at_once_one_wins_and_the_others_can_follow() {
    let first = workspace(&configuration("rx-update", "zero"));
    first.apply();
    let all: Vec<_> = (0..RUNS)
        .map(|at| {
            let work = first.fork();
            work.change(&configuration("rx-update", &format!("by-{at}")));
            work
        })
        .collect();
    // All plans are made from the same record, before any is applied.
    for run in at_once(&all, &["plan", "-json", "-out=saved.tfplan"]) {
        run.succeeded();
    }
    let runs = at_once(&all, &["apply", "-json", "saved.tfplan"]);
    let won = winner(&runs, &["has changed since the plan", "changed since"]);
    consistent("rx-update", &format!("by-{won}"), 1, 2);
    all[won].plan().assert_empty();
    // One that has lost plans anew and comes next.
    let next = &all[(won + 1) % RUNS];
    next.apply();
    consistent("rx-update", &format!("by-{}", (won + 1) % RUNS), 2, 3);
    next.destroy();
}

#[test]
fn of_destroys_and_updates_at_once_one_wins() {
    let first = workspace(&configuration("rx-end", "zero"));
    first.apply();
    let all: Vec<_> = (0..RUNS / 2)
        .map(|at| {
            let work = first.fork();
            work.change(&configuration("rx-end", &format!("by-{at}")));
            work
        })
        .collect();
    let (ends, updates) = all.split_at(RUNS / 4);
    let plan = ["plan", "-json", "-out=saved.tfplan"];
    for run in at_once(updates, &plan) {
        run.succeeded();
    }
    for run in at_once(ends, &[plan[0], plan[1], plan[2], "-destroy"]) {
        run.succeeded();
    }
    let runs = at_once(&all, &["apply", "-json", "saved.tfplan"]);
    let won = winner(&runs, &["changed since", "is gone", "no longer"]);
    if won < RUNS / 4 {
        assert_eq!(servers().nomad.job_ids("rx-end-"), Vec::<String>::new());
        assert_eq!(servers().consul.record(PREFIX, "default", "rx-end"), None);
    } else {
        consistent("rx-end", &format!("by-{won}"), 1, 2);
        all[won].destroy();
    }
}

#[test]
fn different_applications_do_not_get_into_each_others_way() {
    let name = |at: usize| format!("rx-many-{at:02}");
    let all: Vec<_> = (0..RUNS)
        .map(|at| workspace(&configuration(&name(at), "one")))
        .collect();
    for run in at_once(&all, APPLY) {
        run.succeeded();
    }
    for at in 0..RUNS {
        consistent(&name(at), "one", 0, 1);
    }
    for run in at_once(&all, &["destroy", "-json", "-auto-approve"]) {
        run.succeeded();
    }
    assert_eq!(servers().nomad.job_ids("rx-many-"), Vec::<String>::new());
}

/// Many that come one after the other, as pipelines do: each plans and applies until it gets through.
#[test]
fn everybody_gets_through_in_the_end() {
    let first = workspace(&configuration("rx-queue", "zero"));
    first.apply();
    let all: Vec<_> = (0..6)
        .map(|at| {
            let work = first.fork();
            work.change(&configuration("rx-queue", &format!("by-{at}")));
            work
        })
        .collect();
    let mut left: Vec<_> = (0..all.len()).collect();
    for _ in 0..all.len() {
        let running: Vec<(usize, Running)> =
            left.iter().map(|at| (*at, all[*at].start(APPLY))).collect();
        let ended: Vec<_> = running
            .into_iter()
            .map(|(at, it)| (at, it.wait()))
            .collect();
        let before = left.len();
        left.retain(|at| {
            let run = &ended.iter().find(|(it, _)| it == at).unwrap().1;
            run.code != Some(0)
        });
        assert!(left.len() < before, "nobody got through");
        if left.is_empty() {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let record = servers()
        .consul
        .record(PREFIX, "default", "rx-queue")
        .unwrap();
    // Each has counted once.
    assert_eq!(record["revision"], 7, "{record}");
    first
        .run(&["apply", "-json", "-auto-approve", "-refresh-only"])
        .succeeded();
    first.destroy();
}

/// A scope by this name that makes the object `rx-object`; of a kind, `namespace` or `node_pool`.
fn scope(kind: &str, name: &str) -> String {
    let field = if kind == "namespace" {
        "namespace"
    } else {
        "pool_name"
    };
    format!(
        "resource \"oam_{kind}_scope\" \"it\" {{\n  name = \"{name}\"\n  {field} = \"rx-object\"\n  create = true\n}}\n"
    )
}

/// The object `rx-object` of this kind, as Nomad has it.
fn object(kind: &str) -> Option<Value> {
    let path = if kind == "namespace" {
        "namespace"
    } else {
        "node/pool"
    };
    servers().nomad.find(&format!("/v1/{path}/rx-object"))
}

#[test]
fn of_many_scopes_that_make_the_same_object_one_makes_it() {
    for (kind, id) in [("namespace", "namespace"), ("node_pool", "node-pool")] {
        let name = |at: usize| format!("rx-scope-{at}");
        let all: Vec<_> = (0..RUNS / 2)
            .map(|at| workspace(&scope(kind, &name(at))))
            .collect();
        for run in at_once(&all, &["plan", "-json", "-out=saved.tfplan"]) {
            run.succeeded();
        }
        let runs = at_once(&all, &["apply", "-json", "saved.tfplan"]);
        let won = winner(&runs, &["already exists"]);
        let owner = format!("{id}/{}", name(won));
        assert_eq!(object(kind).unwrap()["Meta"]["oam.scope"], owner);
        // The others have left nothing.
        let keys = servers()
            .consul
            .keys(&format!("{PREFIX}/scopes/{id}/rx-scope-"));
        assert_eq!(keys, [format!("{PREFIX}/scopes/{owner}")]);
        all[won].plan().assert_empty();
        all[won].destroy();
        assert_eq!(object(kind), None);
    }
}

/// The one stands just before it makes the namespace, and the other, who has not found it either, comes next.
#[test]
fn a_scope_waits_for_another_that_makes_the_same_namespace() {
    let nomad = Proxy::start(&servers().nomad.address);
    let gate = Gate::new();
    let held = gate.clone();
    nomad.rule(
        move |seen| match seen.method == "PUT" && seen.path.starts_with("/v1/namespace") {
            true => Action::Hold(held.clone()),
            false => Action::Forward,
        },
    );
    let block = provider_block(servers(), "rx-waits");
    let first = workspace(&scope("namespace", "first"));
    first.write(
        "provider.tf",
        &block.replace(&servers().nomad.address, &nomad.address),
    );
    let second = workspace(&scope("namespace", "second"));
    second.write("provider.tf", &block);
    // Planned before there is anything.
    let [one, two] = [&first, &second].map(Workspace::plan);
    let one = first.start(&["apply", "-json", &one.file]);
    gate.wait_for_arrival();
    let two = second.start(&["apply", "-json", &two.file]);
    crate::support::eventually("the second has begun", || {
        servers().consul.key("rx-waits/scopes/namespace/second")
    });
    gate.open();
    one.wait().succeeded();
    let told = two.wait().failed();
    let text = format!("{}: {}", told[0].summary, told[0].detail);
    assert!(text.contains("already exists"), "{text}");
    assert!(text.contains("namespace/first"), "{text}");
    assert_eq!(
        object("namespace").unwrap()["Meta"]["oam.scope"],
        "namespace/first"
    );
    first.plan().assert_empty();
    first.destroy();
    assert_eq!(servers().consul.keys("rx-waits/"), Vec::<String>::new());
}
