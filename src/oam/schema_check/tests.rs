#![allow(clippy::unwrap_used)]
use std::fmt::Write;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::json;

use super::super::text::read;
use super::*;

/// The shape that the schemas of applications have: `if` and `then` by `type`.
fn schema() -> Schema {
    let when = |kind: &str, then: &str| {
        json!({
            "if": { "properties": { "type": { "const": kind } }, "required": ["type"] },
            "then": { "properties": { "properties": { "$ref": format!("#/$defs/{then}") } } },
        })
    };
    Schema::compile(&json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["kind", "components"],
        "additionalProperties": false,
        "properties": {
            "kind": { "const": "Application" },
            "components": { "type": "array", "minItems": 1, "items": { "$ref": "#/$defs/component" } },
        },
        "$defs": {
            "component": {
                "type": "object",
                "required": ["name", "type"],
                "additionalProperties": false,
                "properties": {
                    "name": {
                        "type": "string",
                        "pattern": "^[a-z0-9-]+$",
                        "description": "A name has lower-case letters, digits and hyphens.",
                    },
                    "type": { "enum": ["webservice", "worker"], "description": "What it is." },
                    "properties": { "type": "object" },
                    "traits": { "type": "array", "maxItems": 3, "items": { "$ref": "#/$defs/trait" } },
                },
                "allOf": [when("webservice", "webservice"), when("worker", "worker")],
            },
            "webservice": {
                "type": "object",
                "required": ["image", "port"],
                "additionalProperties": false,
                "properties": {
                    "image": { "type": "string", "maxLength": 10, "description": "The image to run." },
                    "port": { "type": "integer", "minimum": 1, "maximum": 65535 },
                    "replicas": { "type": ["integer", "null"] },
                    "env": {
                        "type": "object",
                        "propertyNames": { "pattern": "^[A-Z0-9]+$" },
                        "additionalProperties": { "type": "string" },
                    },
                    "amount": { "anyOf": [{ "type": "string" }, { "type": "number", "exclusiveMinimum": 0 }] },
                },
            },
            "worker": {
                "type": "object",
                "allOf": [{ "$ref": "#/$defs/base" }],
                "unevaluatedProperties": false,
            },
            "base": { "properties": { "image": { "type": "string" }, "command": true, "old": false } },
            "trait": {
                "oneOf": [
                    {
                        "properties": {
                            "type": { "const": "scaler" },
                            "mode": { "enum": ["cpu", "memory"] },
                            "max": { "type": "integer" },
                        },
                        "required": ["type", "max"],
                    },
                    { "properties": { "type": { "const": "ingress" } }, "required": ["type", "host"] },
                ],
            },
        },
    }))
    .unwrap()
}

/// The problems of a text, each as `line:column pointer: summary. detail`.
fn say(text: &str) -> Vec<String> {
    let problem = |problem: SchemaProblem| {
        let SchemaProblem {
            location,
            pointer,
            summary,
            detail,
        } = problem;
        let (line, column) = (location.line, location.column);
        format!("{line}:{column} {pointer}: {summary}. {detail}")
    };
    let problems = schema().check(&read(text).unwrap());
    problems.into_iter().map(problem).collect()
}

/// The problems of one component, whose `type` is on line 4.
fn component(rest: &str) -> Vec<String> {
    say(&format!(
        "kind: Application\ncomponents:\n- name: web\n  {rest}"
    ))
}

#[test]
fn what_is_right_has_no_problem() {
    let text = "\
kind: Application
components:
- name: web
  type: webservice
  properties: {image: nginx, port: 80, replicas: null, env: {A1: x}, amount: 1.5}
  traits:
  - {type: scaler, max: 3, mode: cpu}
  - {type: ingress, host: example.com}
- {name: w, type: worker, properties: {image: x, command: [a]}}
- {name: v, type: worker}
";
    assert_eq!(say(text), [""; 0]);
}

#[test]
fn every_problem_of_a_document_is_said_once_and_in_order() {
    let text = "\
kind: Aplication
components:
- name: Web
  type: webservice
  properties:
    image: nginx:1.25.3
    prot: 80
    replica: 2
    env:
      a b: c
      B: 1
- {name: w}
extra: 1
";
    assert_eq!(
        say(text),
        [
            "1:7 kind: Unknown value \"Aplication\". It must be `Application`. Did you mean \
             `Application`?",
            "3:9 components[0].name: \"Web\" is not written as it must be. A name has \
             lower-case letters, digits and hyphens.",
            "6:5 components[0].properties.port: Missing \"port\". `components[0].properties` needs it.",
            "6:12 components[0].properties.image: Text too long. It can have at most 10 characters. \
             The image to run.",
            "7:5 components[0].properties.prot: Unknown field \"prot\". `components[0].properties` \
             has no such field. Did you mean `port`?",
            "8:5 components[0].properties.replica: Unknown field \"replica\". \
             `components[0].properties` has no such field. Did you mean `replicas`?",
            "10:7 components[0].properties.env[\"a b\"]: Key \"a b\" is not allowed. It must match the \
             pattern `^[A-Z0-9]+$`.",
            "11:10 components[0].properties.env.B: Wrong kind of value. It must be text, and is a \
             whole number. Write it in quotes.",
            "12:3 components[1].type: Missing \"type\". `components[1]` needs it: What it is.",
            "13:1 extra: Unknown field \"extra\". The document has no such field. It can have \
             `components` and `kind`.",
        ]
    );
}

#[test]
fn keywords_in_words() {
    let table = [
        (
            "type: webservce",
            "4:9 components[0].type: Unknown value \"webservce\". It must be one of `webservice` and \
             `worker`. Did you mean `webservice`? What it is.",
        ),
        (
            "type: webservice\n  properties: {image: x, port: 0}",
            "5:32 components[0].properties.port: `0` is out of range. It must be at least 1.",
        ),
        (
            "type: webservice\n  properties: {image: x, port: 65536}",
            "5:32 components[0].properties.port: `65536` is out of range. It must be at most 65535.",
        ),
        (
            "type: webservice\n  properties: {image: x, port: 1.5}",
            "5:32 components[0].properties.port: Wrong kind of value. It must be a whole number, and \
             is a number with a fraction.",
        ),
        (
            "type: webservice\n  properties: {port: 1, image: }",
            "5:30 components[0].properties.image: Wrong kind of value. It must be text, and is nothing. \
             The image to run.",
        ),
        (
            "type: webservice\n  properties: {image: x, port: 1, replicas: many}",
            "5:45 components[0].properties.replicas: Wrong kind of value. It must be nothing or a whole \
             number, and is text.",
        ),
        (
            "type: webservice\n  properties: [1]",
            "5:15 components[0].properties: Wrong kind of value. It must be a map, and is a list.",
        ),
        (
            "type: worker\n  properties:\n    imag: x",
            "6:5 components[0].properties.imag: Unknown field \"imag\". `components[0].properties` has \
             no such field. Did you mean `image`?",
        ),
        (
            "type: worker\n  properties:\n    old: x",
            "6:5 components[0].properties.old: Not allowed here. A field of this name has no place \
             here. Remove it.",
        ),
        (
            "type: worker\n  traits: [{}, {}, {}, {}]",
            "5:11 components[0].traits: Too many items. The list can have at most 3 items.",
        ),
    ];
    for (text, expected) in table {
        assert!(
            component(text).contains(&expected.to_owned()),
            "{text}\n{:#?}",
            component(text)
        );
    }
    assert_eq!(
        say("kind: Application\ncomponents: []"),
        ["2:13 components: Too few items. The list needs at least 1 item."]
    );
    assert_eq!(
        say("- 1"),
        ["1:1 the document: Wrong kind of value. It must be a map, and is a list."]
    );
}

#[test]
fn only_the_branch_that_is_meant_speaks() {
    let table = [
        (
            "{type: scaler, max: x}",
            "5:25 components[0].traits[0].max: Wrong kind of value. It must be a whole number, and is \
             text.",
        ),
        (
            "{type: scaler, max: 1, mode: disk}",
            "5:34 components[0].traits[0].mode: Unknown value \"disk\". It must be one of `cpu` and \
             `memory`.",
        ),
        (
            "{type: ingress}",
            "5:5 components[0].traits[0].host: Missing \"host\". `components[0].traits[0]` needs it.",
        ),
        (
            "{type: ingres}",
            "5:12 components[0].traits[0].type: Unknown value \"ingres\". It must be one of `scaler` \
             and `ingress`. Did you mean `ingress`?",
        ),
        (
            "{max: 1}",
            "5:5 components[0].traits[0].type: Missing \"type\". `components[0].traits[0]` needs it.",
        ),
    ];
    for (text, expected) in table {
        assert_eq!(
            component(&format!("type: worker\n  traits:\n  - {text}")).len(),
            1,
            "{text}"
        );
        let said = component(&format!("type: worker\n  traits: \n  - {text}"));
        assert_eq!(said, [expected.replacen("5:", "6:", 1)]);
    }
    let amount = |value: &str| {
        component(&format!(
            "type: webservice\n  properties: {{image: x, port: 1, amount: {value}}}"
        ))
    };
    assert_eq!(
        amount("[]"),
        [
            "5:43 components[0].properties.amount: Wrong kind of value. It must be text or a number, and \
          is a list."
        ]
    );
    assert_eq!(
        amount("-1"),
        ["5:43 components[0].properties.amount: `-1` is out of range. It must be more than 0."]
    );
}

#[test]
fn keys_that_are_numbers_and_keys_with_slashes_keep_their_places() {
    let schema = json!({ "additionalProperties": { "items": { "type": "string" } } });
    let schema = Schema::compile(&schema).unwrap();
    let document = read("'0': [a, b]\n'a/b~c':\n- x\n- 1\n'007': [2]\n").unwrap();
    let problems = schema.check(&document);
    let places: Vec<_> = problems
        .iter()
        .map(|p| format!("{} {}", p.location, p.pointer))
        .collect();
    assert_eq!(
        places,
        ["line 4, column 3 [\"a/b~c\"][1]", "line 5, column 9 007[0]"]
    );
}

#[test]
fn a_schema_that_is_wrong_or_needs_another_is_refused() {
    for schema in [
        json!({ "type": "nothing" }),
        json!({ "$ref": "https://example.com/schema.json" }),
        json!({ "$ref": "file:///etc/hostname" }),
        json!({ "$ref": "#/$defs/missing" }),
        json!({ "pattern": "(?=x)" }),
    ] {
        assert!(Schema::compile(&schema).is_err(), "{schema}");
    }
}

#[test]
fn a_document_that_is_all_wrong_takes_no_time() {
    let mut text = "kind: Application\ncomponents:\n".to_owned();
    for number in 0..3_000 {
        writeln!(
            text,
            "- {{name: w, type: webservice, properties: {{ab{number}: 1, ac{number}: 1}}}}"
        )
        .unwrap();
    }
    let document = read(&text).unwrap();
    let schema = schema();
    let start = Instant::now();
    assert_eq!(schema.check(&document).len(), MAX_PROBLEMS);
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
}

fn any_value() -> impl Strategy<Value = Value> {
    let word = prop::sample::select(vec![
        "kind",
        "Application",
        "components",
        "name",
        "type",
        "webservice",
        "worker",
        "properties",
        "traits",
        "scaler",
        "ingress",
        "image",
        "port",
        "amount",
        "env",
        "mode",
        "max",
        "x/~y",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-2..70_000).prop_map(Value::from),
        word.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 60, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((word.clone(), inner), 0..6)
                .prop_map(|pairs| pairs.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()),
        ]
    })
}

proptest! {
    /// Whatever the validator refuses has a problem, and nothing else.
    #[test]
    fn a_document_has_problems_if_it_is_not_valid(components in any_value()) {
        let schema = schema();
        let text = json!({ "kind": "Application", "components": [components] }).to_string();
        let document = read(&text).unwrap();
        let problems = schema.check(&document);
        prop_assert_eq!(problems.is_empty(), schema.validator.is_valid(&document.value));
        for problem in problems {
            prop_assert!(problem.detail.ends_with(['.', '?']), "{}", problem.detail);
        }
    }
}
