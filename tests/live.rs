//! The golden jobs on the real Nomad: it accepts them, what it makes of them is no drift, and what
//! somebody else makes of them is.

#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "generate/mod.rs"]
mod generate;
#[path = "golden/mod.rs"]
mod golden;
#[path = "support/mod.rs"]
mod support;

use std::sync::OnceLock;

use oam_provider::oam;
use oam_provider::translate::drift;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use support::{Options, Servers};

/// Nothing runs here, so that the Vault that some jobs need is only promised.
fn nomad() -> &'static support::nomad::Nomad {
    static SERVERS: OnceLock<Servers> = OnceLock::new();
    let servers = SERVERS.get_or_init(|| {
        Servers::start(Options {
            promises_vault: true,
            ..Options::default()
        })
    });
    &servers.nomad
}

/// Fields of a live job that only the server writes, or that say nothing of the job.
const BOOKKEEPING: [&str; 18] = [
    "/CreateIndex",
    "/ModifyIndex",
    "/JobModifyIndex",
    "/SubmitTime",
    "/Version",
    "/Stable",
    "/Status",
    "/StatusDescription",
    "/NomadTokenID",
    "/ConsulToken",
    "/ConsulNamespace",
    "/VaultToken",
    "/VaultNamespace",
    "/Dispatched",
    "/DispatchIdempotencyToken",
    "/VersionTag",
    // An agent sees the jobs of its own region alone.
    "/Region",
    "/TaskGroups/0/Scaling/",
];

#[test]
fn nomad_accepts_every_golden_job() {
    let nomad = nomad();
    nomad.namespace("team-a");
    nomad.put("/v1/node/pool/gpu", &json!({ "Name": "gpu" }));
    for case in golden::cases() {
        for translation in golden::translate(&case) {
            let answer = nomad.post("/v1/validate/job", &json!({ "Job": translation.job }));
            let answer = answer.json();
            assert_eq!(
                answer["ValidationErrors"],
                Value::Null,
                "{}: {answer}",
                case.name
            );
            assert_eq!(answer["Error"], "", "{}: {answer}", case.name);
            assert_eq!(answer["Warnings"], "", "{}: {answer}", case.name);
        }
    }
}

/// The edges of what the checks let through: Nomad must not be the one that refuses.
#[test]
fn nomad_accepts_what_passes_the_checks() {
    let nomad = nomad();
    let web = |more: Value| {
        let mut component = json!({
            "type": "webservice", "image": "nginx", "port": {"http": {"port": 80}},
        });
        for (field, value) in more.as_object().unwrap() {
            component[field] = value.clone();
        }
        component
    };
    let csi = |mode: &str, reads: bool| {
        json!({"d": {
            "type": "csi", "source": "x", "mount_path": "/d", "access_mode": mode, "read_only": reads,
        }})
    };
    let mut components = vec![
        web(json!({"resources": {"cpu": "1m", "memory": "10Mi"}})),
        web(json!({"health_check": {"path": "/a%20b?c=1", "interval": "1s", "timeout": "1s"}})),
        web(json!({"restart_policy": {"attempts": 120, "delay": "15s"}})),
        web(json!({"restart_policy": {"interval": "5s", "attempts": 0}})),
        web(json!({"restart_policy": {"delay": "0s", "mode": "delay"}})),
        web(json!({"scaler": {"replicas": 0, "max": 3}})),
        web(json!({"scaler": {"min": 0, "max": 1, "metric": "custom"}})),
        web(
            json!({"port": {"a": {"port": 53, "expose": true}, "b": {"port": 53, "protocol": "UDP"}, "http": {"port": 80}}}),
        ),
        web(json!({"volume": csi("single-node-writer", true)})),
        web(json!({"volume": csi("multi-node-single-writer", true), "scaler": {"replicas": 2}})),
        web(json!({"volume": csi("multi-node-multi-writer", false), "scaler": {"replicas": 2}})),
    ];
    for schedule in [
        "*/15 * * * *",
        "*/59 */23 */31 */12 */6",
        "0 3 * * MON-FRI",
        "0 0 L * *",
        "0 0 15W * *",
        "0 0 * JAN,feb 5#2",
        "0 0 ? * 7",
        "  0  0 29 2 * ",
        "@annually",
    ] {
        components.push(json!({"type": "cron-task", "command": ["true"], "schedule": schedule}));
    }
    for component in components {
        let node = oam::Node::from(&json!({"name": "shop", "component": {"web": component}}));
        let translation = golden::translate(&golden::Case {
            name: component.to_string(),
            node,
        });
        let answer = nomad.post("/v1/validate/job", &json!({ "Job": translation[0].job }));
        assert_eq!(answer.json()["Error"], "", "{component}");
    }
}

#[test]
fn what_nomad_makes_of_a_job_is_no_drift_and_every_other_change_is() {
    let nomad = nomad();
    nomad.namespace("live");
    nomad.put("/v1/node/pool/gpu", &json!({ "Name": "gpu" }));
    let mut tried = 0;
    let mut missed = Vec::new();
    for case in golden::cases() {
        for mut translation in golden::translate(&case) {
            let id = format!("live-{}", translation.job.id);
            translation.job.namespace = "live".to_owned();
            translation.job.name.clone_from(&id);
            translation.job.id = id;
            nomad.register(&serde_json::to_value(&translation.job).unwrap());
            let live = nomad.job("live", &translation.job.id).unwrap();
            let found = drift::compare(&translation, &live);
            assert_eq!(found, Vec::new(), "{}", translation.job.id);

            for (change, changed) in changes(&live) {
                let found = drift::compare(&translation, &changed);
                // A count that an autoscaler may choose is its own business.
                let scaled = change.ends_with("/Count") && case.name == "scaler";
                if found.is_empty() && !scaled && !is_the_servers(&live, &change) {
                    missed.push(format!("{}: {}: {change}", case.name, translation.job.id));
                }
                tried += 1;
            }
            nomad.stop("live", &translation.job.id, true);
        }
    }
    assert_eq!(missed, Vec::<String>::new(), "of {tried}");
    println!("{tried} changes of live jobs were all found");
    assert!(tried > 3000, "{tried}");
}

/// What each server sets by its own configuration or version, so that nothing tells what it should be:
/// the audience and lifetime of the identities that it adds, and the arguments of the proxies.
fn is_the_servers(live: &Value, change: &str) -> bool {
    let identity = change.contains("/Identities/") && !change.ends_with("/Name")
        || change.contains("/Identity/")
            && change.contains("/Services/")
            && !change.ends_with("/Name")
            && !change.ends_with("/ServiceName");
    let task: Vec<_> = change.split('/').take(5).collect();
    let proxy = change.contains("/Config/args/")
        && live.pointer(&task.join("/")).is_some_and(|task| {
            let kind = task["Kind"].as_str().unwrap_or_default();
            kind.starts_with("connect-proxy:")
        });
    identity || proxy
}

/// How many changes of one field are tried on each random job.
const CHANGES: usize = 20;

/// Nomad must take every application that passes the checks, and what it makes of it must be no drift, while
/// a change of any one field is.
/// `OAM_TEST_APPLICATIONS` says how many are tried.
#[test]
fn random_applications_are_taken_and_show_no_drift() {
    let count = std::env::var("OAM_TEST_APPLICATIONS").ok();
    let count: u64 = count.and_then(|count| count.parse().ok()).unwrap_or(100);
    let nomad = nomad();
    nomad.namespace("random");
    for pool in ["gpu", "a_b"] {
        nomad.put(&format!("/v1/node/pool/{pool}"), &json!({ "Name": pool }));
    }
    let mut runner = TestRunner::deterministic();
    let (mut tried, mut mutated) = (0, 0);
    let mut missed = Vec::new();
    for number in 0..count {
        let application = generate::application()
            .new_tree(&mut runner)
            .unwrap()
            .current();
        let case = golden::Case {
            name: application.to_string(),
            node: oam::Node::from(&application),
        };
        for mut translation in golden::translate(&case) {
            let id = format!("random-{number}-{}", translation.job.id);
            translation.job.namespace = "random".to_owned();
            translation.job.name.clone_from(&id);
            translation.job.id = id;
            // Nowhere to run, so that nothing does.
            translation.job.datacenters = vec!["nowhere".to_owned()];
            let job = serde_json::to_value(&translation.job).unwrap();
            let answer = nomad.ask(
                reqwest::Method::PUT,
                "/v1/jobs",
                Some(json!({ "Job": job }).to_string()),
            );
            let answer = answer.unwrap();
            assert_eq!(answer.status, 200, "{}\n{job:#}", answer.body);
            let live = nomad.job("random", &translation.job.id).unwrap();
            let found = drift::compare(&translation, &live);
            assert_eq!(found, Vec::new(), "{job:#}");
            let all = changes(&live);
            for _ in 0..CHANGES {
                let at = (0..all.len()).new_tree(&mut runner).unwrap().current();
                let (change, changed) = &all[at];
                // A count that an autoscaler may choose is its own business.
                let group = &translation.job.task_groups[0];
                let scaled = change.ends_with("/Count") && group.scaling.is_some();
                let hidden = drift::compare(&translation, changed).is_empty();
                if hidden && !scaled && !is_the_servers(&live, change) {
                    missed.push(format!("{change} of {job}"));
                }
                mutated += 1;
            }
            nomad.delete(&format!(
                "/v1/job/{}?namespace=random&purge=true",
                translation.job.id
            ));
            tried += 1;
        }
    }
    println!(
        "{tried} jobs of {count} random applications show no drift; of {mutated} changes of one field {} are hidden",
        missed.len()
    );
    assert_eq!(missed, Vec::<String>::new());
}

/// The live job with one thing changed, in every way that is tried.
fn changes(live: &Value) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    let mut leaves = Vec::new();
    walk(live, String::new(), &mut leaves);
    for pointer in leaves {
        if BOOKKEEPING.iter().any(|field| pointer.starts_with(field)) && !pointer.ends_with("/Min")
        {
            continue;
        }
        let mut changed = live.clone();
        let place = changed.pointer_mut(&pointer).unwrap();
        *place = match &*place {
            Value::Bool(value) => (!value).into(),
            Value::Number(number) => (number.as_i64().unwrap_or_default() + 7).into(),
            Value::String(text) => format!("{text}x").into(),
            other => panic!("{other} is no leaf"),
        };
        all.push((pointer, changed));
    }
    let constraint = json!({ "LTarget": "${attr.kernel.name}", "RTarget": "x", "Operand": "=" });
    let affinity =
        json!({ "LTarget": "${node.class}", "RTarget": "x", "Operand": "=", "Weight": 5 });
    let template = json!({ "EmbeddedTmpl": "x", "DestPath": "local/x", "ChangeMode": "restart" });
    let task = json!({ "Name": "second", "Driver": "raw_exec", "Config": { "command": "true" } });
    for (list, item) in [
        ("/Constraints", &constraint),
        ("/TaskGroups/0/Constraints", &constraint),
        ("/TaskGroups/0/Tasks/0/Constraints", &constraint),
        ("/Affinities", &affinity),
        (
            "/TaskGroups/0/Spreads",
            &json!({ "Attribute": "${node.dc}", "Weight": 50 }),
        ),
        ("/TaskGroups/0/Tasks/0/Templates", &template),
        (
            "/TaskGroups/0/Tasks/0/Artifacts",
            &json!({ "GetterSource": "x" }),
        ),
        ("/TaskGroups/0/Tasks", &task),
        (
            "/TaskGroups",
            &json!({ "Name": "second", "Count": 1, "Tasks": [task] }),
        ),
        (
            "/TaskGroups/0/Services",
            &json!({ "Name": "second", "Provider": "consul" }),
        ),
    ] {
        let mut changed = live.clone();
        let (parent, name) = list.rsplit_once('/').unwrap();
        let place = &mut changed.pointer_mut(parent).unwrap()[name];
        if place.is_null() {
            *place = json!([]);
        }
        place.as_array_mut().unwrap().push(item.clone());
        all.push((format!("{list}: one more"), changed));
    }
    for (place, value) in [
        ("/Stop", json!(true)),
        ("/Meta/extra", json!("x")),
        ("/TaskGroups/0/Tasks/0/Env", json!({ "EXTRA": "x" })),
        ("/TaskGroups/0/Tasks/0/User", json!("nobody")),
        ("/TaskGroups/0/Tasks/0/Config/extra", json!("x")),
        (
            "/TaskGroups/0/Tasks/0/Lifecycle",
            json!({ "Hook": "prestart", "Sidecar": false }),
        ),
        ("/TaskGroups/0/Tasks", json!([])),
        ("/TaskGroups", json!([])),
        ("/NodePool", json!("other")),
        ("/Datacenters", json!(["dc9"])),
    ] {
        let mut changed = live.clone();
        let (parent, name) = place.rsplit_once('/').unwrap();
        changed.pointer_mut(parent).unwrap()[name] = value;
        all.push((place.to_owned(), changed));
    }
    all
}

fn walk(value: &Value, pointer: String, leaves: &mut Vec<String>) {
    match value {
        Value::Null => {}
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                walk(item, format!("{pointer}/{index}"), leaves);
            }
        }
        Value::Object(entries) => {
            for (key, item) in entries {
                let key = key.replace('~', "~0").replace('/', "~1");
                walk(item, format!("{pointer}/{key}"), leaves);
            }
        }
        _ => leaves.push(pointer),
    }
}
