//! What holds for every application: its document reads back, its jobs are as they should be until
//! something in them changes, and what is not known yet is no mistake.

#![allow(missing_docs, clippy::expect_used, clippy::unwrap_used, clippy::panic)]

#[path = "properties/attacks.rs"]
mod attacks;
#[path = "generate/mod.rs"]
mod generate;
#[path = "golden/mod.rs"]
mod golden;

use generate::application;
use oam_provider::oam::{self, Node, def};
use oam_provider::provider::convert;
use oam_provider::translate::{self, Target, Translation, drift};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

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
        prop_assert_eq!(without_empty(&oam::from_document(&document).unwrap()), without_empty(&node));
    }

    #[test]
    fn a_manifest_and_the_hcl_that_says_the_same_give_the_same_jobs(application in application()) {
        let node = Node::from(&application);
        let document = oam::to_document(&node);
        // As Terraform hands it over: every attribute there, and no block as an empty one.
        let ty = convert::block(def::application()).implied_type();
        let mut hcl = convert::to_value(&node, &ty);
        convert::complete(&mut hcl, def::application());
        let wanted = bytes(&convert::to_node(&hcl));
        for text in [document.to_string(), format!("{document:#}"), yaml(&document, 0)] {
            let manifest = oam::manifest::read(&text).map_err(|faults| {
                TestCaseError::fail(format!("{faults:#?}\n{text}"))
            })?;
            prop_assert_eq!(&wanted, &bytes(&manifest.node), "{}", text);
        }
    }

    #[test]
    fn a_job_as_it_should_be_has_no_drift_and_one_with_a_change_has(
        application in application(),
        place in any::<Index>(),
    ) {
        for translation in translated(&Node::from(&application)) {
            let live = drift::expected(&translation);
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

/// The jobs of an application, as they are sent.
fn bytes(application: &Node) -> Vec<u8> {
    let jobs: Vec<_> = translated(application)
        .into_iter()
        .map(|it| it.job)
        .collect();
    serde_json::to_vec(&jobs).unwrap()
}

/// A document as YAML in block style.
fn yaml(value: &Value, depth: usize) -> String {
    let indent = "  ".repeat(depth);
    let inner = |value: &Value| match value {
        Value::Object(entries) if !entries.is_empty() => format!("\n{}", yaml(value, depth + 1)),
        Value::Array(items) if !items.is_empty() => format!("\n{}", yaml(value, depth + 1)),
        value => format!(" {value}\n"),
    };
    match value {
        Value::Object(entries) => entries
            .iter()
            .map(|(key, value)| format!("{indent}{}:{}", json!(key), inner(value)))
            .collect(),
        Value::Array(items) => items
            .iter()
            .map(|item| format!("{indent}-{}", inner(item)))
            .collect(),
        value => format!("{indent}{value}\n"),
    }
}

/// The same without empty lists and maps of blocks, which a document has not.
fn without_empty(node: &Node) -> Node {
    match node {
        Node::Map(entries) => {
            let entries = entries
                .iter()
                .map(|(name, node)| (name.clone(), without_empty(node)));
            let kept = entries.filter(|(name, node)| {
                let block = matches!(
                    name.as_str(),
                    "env"
                        | "env_from"
                        | "port"
                        | "upstream"
                        | "container"
                        | "sidecar"
                        | "volume"
                        | "constraint"
                );
                !(block && (*node == Node::Map([].into()) || *node == Node::List(Vec::new())))
            });
            Node::Map(kept.collect())
        }
        Node::List(items) => Node::List(items.iter().map(without_empty).collect()),
        node => node.clone(),
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
        ("MaxParallel", json!(1)),
        ("HealthCheck", json!("checks")),
        ("ChangeMode", json!("restart")),
        ("Mode", json!("host")),
    ];
    defaults.contains(&(field, value.clone()))
}
