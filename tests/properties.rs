//! What holds for every application: its document reads back, its jobs are as they should be until
//! something in them changes, and what is not known yet is no mistake.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use oam_provider::oam::{self, Node};
use oam_provider::translate::{self, Target, Translation, drift};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Map, Value, json};

/// Text with what JSON, HCL, Nomad and Traefik give a meaning to in it.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{0,8}",
        "[ -~]{0,12}",
        Just("${NOMAD_PORT_http}".to_owned()),
        Just("a`b\"c\\d=e/f\n".to_owned()),
        Just("æøå 日本".to_owned()),
    ]
}

fn label() -> impl Strategy<Value = String> {
    "[a-z]([a-z0-9-]{0,5}[a-z0-9])?"
}

/// An object of those fields that are there.
fn block(fields: Vec<(&'static str, Option<Value>)>) -> Value {
    let set = fields
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(set.collect::<Map<_, _>>())
}

fn resources() -> impl Strategy<Value = Value> {
    let cpu = prop_oneof!["[1-9][0-9]{0,3}m", "[1-9]", "0\\.[1-9]"];
    let memory = prop_oneof!["[1-9][0-9]{1,3}Mi", "[1-9]Gi", "1\\.5Gi"];
    (option::of(cpu), option::of(memory)).prop_map(|(cpu, memory)| {
        block(vec![
            ("cpu", cpu.map(Value::from)),
            ("memory", memory.map(Value::from)),
        ])
    })
}

fn restart_policy() -> impl Strategy<Value = Value> {
    let mode = select(vec!["fail", "delay"]);
    (option::of(1..5u64), option::of(mode), any::<bool>()).prop_map(|(attempts, mode, times)| {
        block(vec![
            ("attempts", attempts.map(Value::from)),
            ("mode", mode.map(Value::from)),
            ("delay", times.then(|| json!("1m30s"))),
            ("interval", times.then(|| json!("2h"))),
        ])
    })
}

fn health_check() -> impl Strategy<Value = Value> {
    let path = option::of(select(vec!["/", "/health?ready=1", "/a%20b"]));
    let duration = || option::of(select(vec!["1s", "1m", "2500ms"]));
    (path, duration(), duration()).prop_map(|(path, interval, timeout)| {
        block(vec![
            ("path", path.map(Value::from)),
            ("interval", interval.map(Value::from)),
            ("timeout", timeout.map(Value::from)),
        ])
    })
}

fn scaler() -> impl Strategy<Value = Value> {
    let metric = option::of(select(vec!["cpu", "memory", "custom"]));
    let bounds = (1..5u64, 0..5u64, option::of(0..5u64));
    (bounds, metric, any::<bool>()).prop_map(|((min, room, replicas), metric, scales)| {
        let max = min + room;
        block(vec![
            (
                "replicas",
                replicas.map(|more| (min + more.min(room)).into()),
            ),
            ("min", Some(min.into())),
            ("max", scales.then(|| max.into())),
            ("metric", metric.filter(|_| scales).map(Value::from)),
        ])
    })
}

fn ingress() -> impl Strategy<Value = Value> {
    let middleware = vec(select(vec!["auth@file", "zip", "a.b-c_d"]), 0..3);
    (
        any::<bool>(),
        option::of(any::<bool>()),
        option::of(middleware),
    )
        .prop_map(|(tls, strip, middleware)| {
            block(vec![
                ("host", Some(json!("shop.example.com"))),
                ("tls", tls.then_some(json!(true))),
                ("path_prefix", strip.map(|_| json!("/api"))),
                ("strip_prefix", strip.map(Value::from)),
                ("middleware", middleware.map(Value::from)),
            ])
        })
}

fn ports() -> impl Strategy<Value = Value> {
    let port = (any::<bool>(), option::of(select(vec!["TCP", "UDP"])));
    btree_map(label(), port, 0..3).prop_map(|ports| {
        let mut made = Map::new();
        for (number, (label, (expose, protocol))) in (8000_u64..).zip(ports) {
            let port = block(vec![
                ("port", Some(number.into())),
                ("expose", expose.then_some(json!(true))),
                ("protocol", protocol.map(Value::from)),
            ]);
            made.insert(label, port);
        }
        made.insert("http".to_owned(), json!({"port": 80}));
        Value::Object(made)
    })
}

fn volumes() -> impl Strategy<Value = Value> {
    btree_map(label(), any::<bool>(), 1..3).prop_map(|volumes| {
        let made = volumes.into_iter().map(|(label, reads)| {
            let mount = format!("/mnt/{label}");
            let volume = json!({"source": "data", "mount_path": mount, "read_only": reads});
            (label, volume)
        });
        Value::Object(made.collect())
    })
}

fn component() -> impl Strategy<Value = Value> {
    let kind = select(oam::ComponentType::NAMES.to_vec());
    let program = (
        any::<bool>(),
        vec(text(), 0..3),
        option::of(vec(text(), 0..3)),
    );
    let env = option::of(btree_map("[A-Z_]{1,6}", text(), 0..3));
    let blocks = (
        option::of(resources()),
        option::of(restart_policy()),
        option::of(health_check()),
    );
    let traits = (
        option::of(scaler()),
        option::of(ingress()),
        option::of(volumes()),
    );
    (kind, program, env, ports(), blocks, traits).prop_map(
        |(kind, (image, rest, args), env, ports, blocks, traits)| {
            let (image, program) = match kind {
                "executableworkload.nomad.oam.dev" => (false, true),
                "containerizedworkload.nomad.oam.dev" => (true, true),
                "vmworkload.nomad.oam.dev" => (true, false),
                _ => (image, true),
            };
            let long = matches!(kind, "webservice" | "worker" | "daemon");
            let serves = matches!(kind, "webservice" | "daemon");
            let scales = matches!(kind, "webservice" | "worker" | "task");
            let command: Vec<_> = std::iter::once("run".to_owned()).chain(rest).collect();
            block(vec![
                ("type", Some(kind.into())),
                ("image", image.then(|| json!("nginx:1.25"))),
                (
                    "command",
                    (program && (!image || command.len() > 2)).then(|| command.into()),
                ),
                ("args", args.map(Value::from)),
                ("env", env.map(|env| json!(env))),
                (
                    "schedule",
                    (kind == "cron-task").then(|| json!("*/15 * * * *")),
                ),
                ("port", Some(ports)),
                ("resources", blocks.0),
                ("restart_policy", blocks.1),
                ("health_check", blocks.2.filter(|_| long)),
                ("scaler", traits.0.filter(|_| scales)),
                ("ingress", traits.1.filter(|_| serves)),
                ("volume", traits.2),
            ])
        },
    )
}

fn application() -> impl Strategy<Value = Value> {
    let labels = option::of(btree_map("[a-z.]{1,8}", text(), 0..3));
    let tenant = option::of("[a-z0-9]{2,6}");
    let components = btree_map(label(), component(), 1..4);
    (labels, tenant, components).prop_map(|(labels, tenant, components)| {
        block(vec![
            ("name", Some(json!("shop"))),
            ("tenant", tenant.map(Value::from)),
            ("labels", labels.map(|labels| json!(labels))),
            ("component", Some(json!(components))),
        ])
    })
}

fn translated(application: &Node) -> Vec<Translation> {
    let target = Target {
        namespace: "default".to_owned(),
        region: None,
        datacenters: vec!["*".to_owned()],
        ..Target::default()
    };
    translate::translate(&oam::parse(application).unwrap(), &target)
}

fn errors(application: &Node) -> Vec<oam::Problem> {
    let problems = oam::validate(application).into_iter();
    problems
        .filter(|problem| problem.severity == oam::Severity::Error)
        .collect()
}

/// The pointers to all values that are neither maps nor lists.
fn leaves(value: &Value, pointer: &str, found: &mut Vec<String>) {
    let escaped = |key: &str| key.replace('~', "~0").replace('/', "~1");
    match value {
        Value::Object(entries) => entries.iter().for_each(|(key, entry)| {
            leaves(entry, &format!("{pointer}/{}", escaped(key)), found);
        }),
        Value::Array(items) => items.iter().enumerate().for_each(|(index, item)| {
            leaves(item, &format!("{pointer}/{index}"), found);
        }),
        _ => found.push(pointer.to_owned()),
    }
}

fn other(value: &Value) -> Value {
    match value {
        Value::Bool(value) => (!value).into(),
        Value::Number(number) => (number.as_i64().unwrap_or_default() + 1000).into(),
        Value::String(text) => format!("{text}x").into(),
        _ => json!("x"),
    }
}

/// How many nodes there are, and puts an unknown in the place of one of them.
fn forget(node: &mut Node, left: &mut usize) {
    if *left == 0 {
        *node = Node::Unknown;
    }
    *left = left.wrapping_sub(1);
    match node {
        Node::Map(entries) => entries.values_mut().for_each(|entry| forget(entry, left)),
        Node::List(items) => items.iter_mut().for_each(|item| forget(item, left)),
        _ => {}
    }
}

fn size(node: &Node) -> usize {
    1 + match node {
        Node::Map(entries) => entries.values().map(size).sum(),
        Node::List(items) => items.iter().map(size).sum(),
        _ => 0,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_document_gives_back_the_application(application in application()) {
        let node = Node::from(&application);
        prop_assert_eq!(errors(&node), Vec::new());
        let document = oam::to_document(&node);
        prop_assert_eq!(&oam::from_document(&document).unwrap(), &node);
        let text = document.to_string();
        let read = oam::manifest::read(&text);
        prop_assert!(read.is_ok(), "{}: {:?}", text, read.err());
        prop_assert_eq!(read.unwrap().node, node);
    }

    #[test]
    fn a_job_as_it_should_be_has_no_drift_and_one_with_a_change_has(
        application in application(),
        place in any::<Index>(),
    ) {
        for translation in translated(&Node::from(&application)) {
            let live = serde_json::to_value(&translation.job).unwrap();
            prop_assert_eq!(drift::compare(&translation, &live), Vec::new());
            let mut all = Vec::new();
            leaves(&live, "", &mut all);
            let pointer = place.get(&all);
            let mut changed = live.clone();
            let value = changed.pointer_mut(pointer).unwrap();
            *value = other(value);
            let found = drift::compare(&translation, &changed);
            prop_assert!(!found.is_empty(), "{} is hidden", pointer);
            // And away with it.
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            let mut changed = live.clone();
            let was = live.pointer(pointer).unwrap();
            let unset = matches!(was, Value::Bool(false) | Value::Null)
                || *was == json!(0) || *was == json!("");
            if let Value::Object(entries) = changed.pointer_mut(parent).unwrap() {
                entries.remove(&key.replace("~1", "/").replace("~0", "~"));
                let found = drift::compare(&translation, &changed);
                let free = parent.ends_with("/Env") || parent.ends_with("/Meta");
                let default = is_default(pointer, was);
                prop_assert!(!found.is_empty() || (unset && !free) || default, "{} is gone", pointer);
            }
        }
    }

    #[test]
    fn what_is_not_known_yet_is_no_mistake(application in application(), place in any::<Index>()) {
        let mut node = Node::from(&application);
        let mut place = 1 + place.index(size(&node).saturating_sub(1).max(1));
        forget(&mut node, &mut place);
        prop_assert_eq!(errors(&node), Vec::new());
    }
}

/// Whether Nomad would fill in the same value, so that nothing is lost without it.
fn is_default(pointer: &str, value: &Value) -> bool {
    let field = pointer.rsplit('/').next().unwrap_or_default();
    let defaults = [
        ("Count", json!(1)),
        ("Provider", json!("consul")),
        ("Mode", json!("fail")),
        ("Attempts", json!(2)),
        ("Attempts", json!(3)),
        ("Enabled", json!(true)),
        ("CPU", json!(100)),
        ("MemoryMB", json!(300)),
    ];
    defaults.contains(&(field, value.clone()))
}
