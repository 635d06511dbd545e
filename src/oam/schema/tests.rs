#![allow(clippy::unwrap_used)]
use std::collections::BTreeSet;

use serde_json::json;

use super::super::application::COMPONENT;
use super::super::{self as oam, Node, Path, Severity, Step, form};
use super::*;

/// A value of a component's own field that is right in some type.
fn sample(kind: ComponentType, name: &str) -> Value {
    match name {
        "image" => json!("a:1"),
        "image_pull_secret" => json!("secret/data/registry"),
        "driver" => match kind {
            ComponentType::Vm => json!("qemu"),
            ComponentType::Executable => json!("raw_exec"),
            _ => json!("docker"),
        },
        "command" => json!(["run"]),
        "args" => json!(["a"]),
        "env" => json!({ "A": "1" }),
        "env_from" => json!({ "B": { "consul_key": { "key": "a" } } }),
        "schedule" => json!("@daily"),
        "time_zone" => json!("Europe/Berlin"),
        "port" => json!({ "http": { "port": 80 } }),
        "upstream" => json!({ "db": { "port": 5432 } }),
        "resources" => json!({ "cpu": "1" }),
        "restart_policy" => json!({ "attempts": 1 }),
        "health_check" => json!({ "path": "/" }),
        "container" => json!({ "beside": { "image": "b:1" } }),
        _ => Value::Null,
    }
}

/// An application with one component of a type that has all it needs, and `more`.
fn application(at: usize, more: &[&str]) -> Node {
    let kind = ComponentType::ALL[at];
    let mut names = vec!["port"];
    names.extend(match kind {
        ComponentType::Executable => ["command"].as_slice(),
        ComponentType::CronTask => &["image", "schedule"],
        _ => &["image"],
    });
    names.extend(more);
    let mut component = json!({ "type": ComponentType::NAMES[at] });
    for name in names {
        component[name] = sample(kind, name);
    }
    // Only what is in a mesh calls others.
    let network = match more {
        ["upstream"] if fields::takes(kind, "upstream") => {
            json!({ "mesh": { "service_mesh": true } })
        }
        _ => json!({}),
    };
    Node::from(&json!({ "name": "a", "component": { "c": component }, "network_scope": network }))
}

fn own_fields() -> Vec<&'static str> {
    let own = COMPONENT.fields().map(|field| field.name);
    own.filter(|name| !BESIDE.contains(name) && !traits::is_trait(name))
        .collect()
}

#[test]
fn the_schema_and_the_checks_take_the_same_fields_of_each_type() {
    for (at, kind) in ComponentType::ALL.iter().enumerate() {
        for name in own_fields() {
            let problems = oam::validate(&application(at, &[name]));
            let place = Path::component("c").0;
            let blamed = |problem: &&oam::Problem| {
                problem.path.0.starts_with(&place)
                    && matches!(problem.path.0.get(2), Some(Step::Field(field)) if field == name)
            };
            let refused = problems.iter().any(|problem| blamed(&problem));
            assert_eq!(
                refused,
                !fields::takes(*kind, name),
                "{kind:?} {name}: {problems:#?}"
            );
            if !refused {
                assert_eq!(problems, [], "{kind:?} {name}");
            }
        }
    }
}

#[test]
fn the_schema_and_the_checks_need_the_same_fields_of_each_type() {
    for (at, kind) in ComponentType::ALL.iter().enumerate() {
        for name in own_fields() {
            // Containers are as good as a program of its own, where there may be any.
            let Node::Map(mut entries) = application(at, &["container"]) else {
                continue;
            };
            let Some(Node::Map(components)) = entries.get_mut("component") else {
                continue;
            };
            if let Some(Node::Map(component)) = components.get_mut("c") {
                for other in own_fields() {
                    if other == name || !fields::takes(*kind, other) {
                        component.remove(other);
                    }
                }
            }
            let problems = oam::validate(&Node::Map(entries));
            let refused = problems.iter().any(|problem| {
                matches!(problem.path.0.get(2), Some(Step::Field(field)) if field == name)
            });
            // What a webservice serves can be a port of a container, too.
            let needed =
                fields::needs(*kind, name) || (name, *kind) == ("port", ComponentType::Webservice);
            assert_eq!(refused, needed, "{kind:?} {name}: {problems:#?}");
        }
    }
}

#[test]
fn every_kind_has_a_schema_that_compiles_under_each_of_its_names() {
    let mut seen = BTreeSet::new();
    for kind in kinds() {
        assert!(seen.insert(kind), "{kind} twice");
        let schema = of(kind).unwrap();
        assert_eq!(schema["title"], kind);
        assert!(
            schema["description"].as_str().unwrap().ends_with('.'),
            "{kind}"
        );
        Schema::compile(&schema).unwrap();
    }
    for definition in traits::ALL {
        assert_eq!(of(definition.field.name), of(definition.field.oam));
    }
    for definition in scopes::ALL {
        assert_eq!(of(definition.field), of(definition.kind));
        assert_eq!(of(definition.id), of(definition.kind));
    }
    assert_eq!(of("nothing"), None);
    assert!(COMPILED.is_some());
}

#[test]
fn descriptions_are_sentences() {
    fn look(schema: &Value, at: &str) {
        match schema {
            Value::Object(entries) => {
                for (name, inner) in entries {
                    if let ("description", Value::String(text)) = (name.as_str(), inner) {
                        assert!(text.ends_with('.'), "{at}: {text}");
                    }
                    look(inner, &format!("{at}/{name}"));
                }
            }
            Value::Array(items) => items.iter().for_each(|item| look(item, at)),
            _ => {}
        }
    }
    look(&generate::application(), "");
}

#[test]
fn patterns_take_what_the_checks_take() {
    for form in form::ALL.iter().filter(|form| !form.pattern.is_empty()) {
        assert!(
            form.pattern.starts_with('^') && form.pattern.ends_with('$'),
            "{}",
            form.what
        );
        let schema = Schema::compile(&json!({ "pattern": form.pattern })).unwrap();
        let takes = |text: &str| {
            let document = super::super::text::read(&json!(text).to_string()).unwrap();
            schema.check(&document).is_empty()
        };
        for text in form.good {
            assert!(takes(text), "{}: {text:?}", form.what);
        }
        // What a pattern cannot say: amounts of nothing, what is known by its name, and the like.
        let left: Vec<_> = form
            .bad
            .iter()
            .copied()
            .filter(|text| takes(text))
            .collect();
        let expected: &[&str] = match form.what {
            "an amount of CPU" => &["0"],
            "an amount of memory" => &["0Mi"],
            "a schedule" => &["@reboot", "H * * * *"],
            "a path" => &["/../x"],
            "the path of requests" => &["/../x", "/a//b", "/./a"],
            "the name of a signal" => &["SIGFOO"],
            "an attribute of a node" => &["${node.class", "node.class}"],
            "a range of addresses" => &["10.0.0/8", "10.0.0.0/33"],
            "an IP address" => &["10.0.0"],
            _ => &[],
        };
        assert_eq!(left, expected, "{}", form.what);
    }
}

#[test]
fn a_valid_application_is_of_the_schema() {
    for at in 0..ComponentType::ALL.len() {
        let node = application(at, &[]);
        let problems = oam::validate(&node);
        assert!(
            problems
                .iter()
                .all(|problem| problem.severity != Severity::Error),
            "{problems:?}"
        );
        let text = oam::to_document(&node).to_string();
        let faults = check(&super::super::text::read(&text).unwrap());
        assert_eq!(faults, [], "{text}");
    }
}
