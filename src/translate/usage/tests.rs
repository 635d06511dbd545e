#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::{Value, json};

use super::*;
use crate::oam::{self, Node};
use crate::translate::{Place, Target, translate};

/// Of an application in the normal form, where three nodes run what runs on every node.
fn of(application: &Value, target: &Target) -> (u64, u64, u64) {
    let application = oam::parse(&Node::from(application)).unwrap();
    let Usage {
        jobs,
        cpu_mhz,
        memory_mb,
    } = usage(&translate(&application, target), |_| 3);
    (jobs, cpu_mhz, memory_mb)
}

/// Of one component with 200 MHz and 64 MiB, and what else is said of it.
fn component(fields: Value) -> (u64, u64, u64) {
    let mut component = json!({
        "type": "worker",
        "command": ["sleep", "1"],
        "resources": { "cpu": "200m", "memory": "64Mi" },
    });
    let all = component.as_object_mut().unwrap();
    all.extend(fields.as_object().unwrap().clone());
    all.retain(|_, value| !value.is_null());
    let application = json!({ "name": "shop", "component": { "web": component } });
    of(&application, &Target::default())
}

#[test]
fn a_component_counts_with_what_it_may_have_at_most() {
    let cases = [
        (json!({}), (1, 200, 64)),
        // Nomad's own defaults.
        (json!({ "resources": null }), (1, 100, 300)),
        (json!({ "resources": { "cpu": "1" } }), (1, 1000, 300)),
        (json!({ "resources": { "memory": "1Gi" } }), (1, 100, 1024)),
        // Instances.
        (json!({ "scaler": { "replicas": 3 } }), (1, 600, 192)),
        (json!({ "scaler": { "replicas": 0 } }), (1, 0, 0)),
        (json!({ "scaler": { "min": 2 } }), (1, 400, 128)),
        (
            json!({ "scaler": { "replicas": 2, "min": 1, "max": 5 } }),
            (1, 1000, 320),
        ),
        (json!({ "scaler": { "min": 4, "max": 4 } }), (1, 800, 256)),
        // Canaries run beside what is there, and replaced instances do not.
        (
            json!({ "scaler": { "replicas": 3 }, "update_strategy": { "max_parallel": 2 } }),
            (1, 600, 192),
        ),
        (
            json!({ "scaler": { "replicas": 3 }, "update_strategy": { "strategy": "canary" } }),
            (1, 800, 256),
        ),
        (
            json!({
                "scaler": { "replicas": 3 },
                "update_strategy": { "strategy": "canary", "canary": 2 },
            }),
            (1, 1000, 320),
        ),
        (
            json!({ "scaler": { "replicas": 3 }, "update_strategy": { "strategy": "blue-green" } }),
            (1, 1200, 384),
        ),
        (
            json!({
                "scaler": { "replicas": 2, "min": 1, "max": 4 },
                "update_strategy": { "strategy": "canary" },
            }),
            (1, 1000, 320),
        ),
        // Every task of an instance.
        (
            json!({
                "container": { "side": { "command": ["true"], "resources": { "cpu": "50m", "memory": "16Mi" } } },
                "scaler": { "replicas": 2 },
            }),
            (1, 500, 160),
        ),
        // What runs once, by schedule and on every node.
        (json!({ "type": "task" }), (1, 200, 64)),
        (
            json!({ "type": "cron-task", "schedule": "@daily", "scaler": { "replicas": 2 } }),
            (1, 400, 128),
        ),
        (json!({ "type": "daemon" }), (1, 600, 192)),
        (
            json!({
                "type": "daemon",
                "update_strategy": { "strategy": "canary", "canary": 100 },
            }),
            (1, 600, 192),
        ),
    ];
    for (fields, expected) in cases {
        assert_eq!(component(fields.clone()), expected, "{fields}");
    }
}

#[test]
fn sidecars_and_proxies_count_too() {
    let web = json!({
        "type": "webservice",
        "image": "nginx:1.25",
        "port": { "http": { "port": 80 } },
        "resources": { "cpu": "200m", "memory": "64Mi" },
        "health_check": {},
        "scaler": { "replicas": 2 },
        "sidecar": { "log": { "image": "log:1", "resources": { "cpu": "10m", "memory": "10Mi" } } },
    });
    let mesh = |scope: Value| {
        json!({
            "name": "shop",
            "component": { "web": web.clone() },
            "network_scope": { "mesh": scope },
        })
    };
    let target = Target::default();
    let cases = [
        (json!({ "network_mode": "bridge" }), (1, 420, 148)),
        (
            json!({ "network_mode": "bridge", "service_mesh": true }),
            (1, 920, 404),
        ),
        (
            json!({ "network_mode": "bridge", "service_mesh": true, "connect_sidecar": false }),
            (1, 420, 148),
        ),
    ];
    for (scope, expected) in cases {
        assert_eq!(of(&mesh(scope.clone()), &target), expected, "{scope}");
    }
}

#[test]
fn a_component_counts_in_each_of_its_clusters() {
    let worker = |clusters: &[&str]| {
        json!({
            "type": "worker",
            "command": ["true"],
            "resources": { "cpu": "100m", "memory": "10Mi" },
            "target_clusters": clusters,
        })
    };
    let application = json!({
        "name": "shop",
        "component": {
            "one": worker(&["east"]),
            "both": worker(&["east", "west"]),
            "home": worker(&[]),
        },
    });
    let clusters = ["east", "west"].map(|name| (name.to_owned(), Place::default()));
    let several = Target {
        clusters: clusters.into(),
        ..Target::default()
    };
    assert_eq!(of(&application, &several), (4, 400, 40));
    // Without such clusters they are datacenters of one.
    assert_eq!(of(&application, &Target::default()), (3, 300, 30));
}

#[test]
fn no_number_is_too_large() {
    let group = TaskGroup {
        count: u64::MAX,
        tasks: vec![Task::default(), Task::default()],
        ..TaskGroup::default()
    };
    let job = Job {
        task_groups: vec![group.clone(), group],
        ..Job::default()
    };
    let all = usage_of_job(&job, || 1);
    assert_eq!((all.jobs, all.cpu_mhz), (1, u64::MAX));
}
