//! Input that nobody would send: nothing panics, nothing hangs, and memory stays within bounds.
//!
//! Each test makes `OAM_FUZZ_CASES` inputs (2,000 otherwise; `make fuzz` makes a million) from seeds that
//! follow one another, beginning at `OAM_FUZZ_SEED` or anywhere. What fails says its seed and its input: run it
//! alone with that seed and one case.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../generate/mod.rs"]
mod generate;
mod harness;
mod make;

use std::sync::Arc;

use fastrand::Rng;
use futures_util::FutureExt;
use harness::cases;
use make::{bytes, document, json_text, mutate, mutate_json, mutate_text, ty, value};
use oam_provider::oam::{self, Node, Severity, def};
use oam_provider::protocol::action::Action;
use oam_provider::protocol::data_source::DataSource;
use oam_provider::protocol::function::Function;
use oam_provider::protocol::resource::{Provider, Resource};
use oam_provider::protocol::value::{Number, Type, Value, dynamic, json, msgpack};
use oam_provider::provider::{OamProvider, convert};
use oam_provider::translate::{self, Target};
use serde_json::Value as Json;

fn provider() -> OamProvider {
    OamProvider::new(|_| None)
}

/// A value that was read can be written, and what was written reads as the same.
fn comes_back(read: &Value, ty: &Type) {
    let written = msgpack::encode(read, ty).unwrap();
    let again = msgpack::decode(&written, ty).unwrap();
    assert_eq!(&again, read);
}

#[test]
fn msgpack_of_any_type() {
    cases("msgpack", |rng, input| {
        let ty = ty(rng, 4);
        let mut encoded = match rng.u8(..8) {
            0 => bytes(rng),
            _ => msgpack::encode(&value(rng, &ty, 3), &ty).unwrap(),
        };
        mutate(rng, &mut encoded);
        input.say(|| format!("{} {encoded:02x?}", ty.to_json()));
        if let Ok(read) = msgpack::decode(&encoded, &ty) {
            comes_back(&read, &ty);
        }
    });
}

#[test]
fn state_json_of_any_type() {
    cases("state JSON", |rng, input| {
        let ty = ty(rng, 4);
        let mut text = json_text(rng, &ty, 3).into_bytes();
        mutate(rng, &mut text);
        input.say(|| format!("{} {}", ty.to_json(), String::from_utf8_lossy(&text)));
        if let Ok(read) = json::decode(&text, &ty) {
            comes_back(&read, &ty);
        }
    });
}

#[test]
fn numbers() {
    const PARTS: [&str; 14] = [
        "-",
        "+",
        ".",
        "e",
        "E",
        "0",
        "9",
        "1",
        "_",
        "inf",
        "nan",
        "9223372036854775808",
        "e-99999",
        "0000000000",
    ];
    cases("numbers", |rng, input| {
        let text: String = (0..rng.usize(1..8))
            .map(|_| PARTS[rng.usize(..PARTS.len())])
            .collect();
        input.say(|| text.clone());
        if let Ok(number) = text.parse::<Number>() {
            number.to_f64();
            assert_eq!(number.to_string().parse(), Ok(number));
        }
        let _ = Number::try_from(f64::from_bits(rng.u64(..)));
    });
}

#[test]
fn types() {
    cases("types", |rng, input| {
        let mut json = ty(rng, 5).to_json();
        mutate_json(rng, &mut json);
        input.say(|| json.to_string());
        if let Ok(ty) = Type::from_json(&json) {
            let again = Type::from_json(&ty.to_json()).unwrap();
            assert_eq!(again, ty);
        }
        let any = document(rng, 5);
        if let Ok(value) = dynamic::from_json(&any) {
            comes_back(&value, &Type::Dynamic);
            dynamic::to_json(&value).unwrap();
        }
    });
}

/// What Terraform says of each kind of object, by the object's own schema, and what is wrong with it.
#[test]
fn configurations_by_their_schemas() {
    type Check = Box<dyn Fn(&Value)>;
    let mut checks: Vec<(&str, Type, Check)> = Vec::new();
    for (name, resource) in provider().resources() {
        let ty = resource.schema().implied_type();
        let check =
            move |config: &Value| drop(Resource::validate(&*resource, config).now_or_never());
        checks.push((name, ty, Box::new(check)));
    }
    for (name, source) in provider().data_sources() {
        let ty = source.schema().implied_type();
        let check =
            move |config: &Value| drop(DataSource::validate(&*source, config).now_or_never());
        checks.push((name, ty, Box::new(check)));
    }
    for (name, action) in provider().actions() {
        let ty = action.schema().implied_type();
        let check = move |config: &Value| drop(Action::validate(&*action, config).now_or_never());
        checks.push((name, ty, Box::new(check)));
    }
    let own = Arc::new(provider());
    let ty = own.schema().implied_type();
    let check = move |config: &Value| drop(own.validate(config).now_or_never());
    checks.push(("provider", ty, Box::new(check)));
    cases("configurations", |rng, input| {
        let (name, ty, check) = &checks[rng.usize(..checks.len())];
        let mut encoded = msgpack::encode(&value(rng, ty, 2), ty).unwrap();
        if rng.bool() {
            mutate(rng, &mut encoded);
        }
        input.say(|| format!("{name} {encoded:02x?}"));
        if let Ok(read) = msgpack::decode(&encoded, ty) {
            comes_back(&read, ty);
            check(&read);
        }
    });
}

/// The application as Terraform hands it over: of blocks, with anything in any of them.
#[test]
fn applications_in_hcl() {
    let resources = provider().resources();
    let (_, resource) = &resources[0];
    let ty = resource.schema().implied_type();
    cases("applications", |rng, input| {
        let mut json = make::application(rng);
        for _ in 0..rng.usize(..4) {
            mutate_json(rng, &mut json);
        }
        input.say(|| json.to_string());
        let node = Node::from(&json);
        sound(&node);
        let mut hcl = convert::to_value(&node, &ty);
        convert::complete(&mut hcl, def::application());
        resource.validate(&hcl).now_or_never().unwrap();
    });
}

/// What validation lets through can be parsed, translated, compared with itself and written as a document.
fn sound(node: &Node) {
    let problems = oam::validate(node);
    if problems
        .iter()
        .any(|problem| problem.severity == Severity::Error)
    {
        return;
    }
    let application = match oam::parse(node) {
        Ok(application) => application,
        // What is not known yet, and scopes that a record has.
        Err(_) if !node.is_wholly_known() || !oam::is_resolved(node) => return,
        Err(problems) => panic!("{problems:?}"),
    };
    let target = Target {
        namespace: "default".to_owned(),
        datacenters: vec!["*".to_owned()],
        ..Target::default()
    };
    for translation in translate::translate(&application, &target) {
        let job = translate::drift::expected(&translation);
        let differences = translate::drift::compare(&translation, &job);
        assert!(differences.is_empty(), "{differences:?}");
    }
    let document = oam::to_document(node);
    oam::from_document(&document).unwrap();
}

/// A live job is what a server says, and so anything.
#[test]
fn live_jobs() {
    cases("live jobs", |rng, input| {
        let json = make::application(rng);
        let application = oam::parse(&Node::from(&json)).unwrap();
        let target = Target {
            namespace: "default".to_owned(),
            datacenters: vec!["*".to_owned()],
            ..Target::default()
        };
        let translations = translate::translate(&application, &target);
        let translation = &translations[rng.usize(..translations.len())];
        let mut job = serde_json::to_value(&translation.job).unwrap();
        for _ in 0..rng.usize(1..6) {
            mutate_json(rng, &mut job);
        }
        input.say(|| format!("{json} {job}"));
        translate::drift::compare(translation, &job);
        translate::drift::scaled_count(translation, &job);
    });
}

#[test]
fn manifests() {
    cases("manifests", |rng, input| {
        let text = make::manifest(rng);
        input.say(|| text.clone());
        match oam::manifest::read(&text) {
            Ok(manifest) => {
                sound(&manifest.node);
                for problem in oam::validate(&manifest.node) {
                    let fault = manifest.fault(&problem);
                    assert!(fault.location.line >= 1 && fault.location.column >= 1);
                }
            }
            Err(faults) => assert!(!faults.is_empty()),
        }
    });
}

#[test]
fn states_of_any_version() {
    let resources = provider().resources();
    cases("states", |rng, input| {
        let (name, resource) = &resources[rng.usize(..resources.len())];
        let ty = resource.schema().implied_type();
        let mut text = json_text(rng, &ty, 2).into_bytes();
        if rng.bool() {
            mutate(rng, &mut text);
        }
        let version = rng.i64(-1..4);
        input.say(|| format!("{name} {version} {}", String::from_utf8_lossy(&text)));
        if let Ok(upgraded) = resource.upgrade(version, &text) {
            comes_back(&upgraded, &ty);
        }
        if let Ok(state) = json::decode(&text, &ty) {
            resource.identify(&state);
            resource.generate(&state, state.clone());
        }
        if let Some(schema) = resource.identity() {
            let _ = resource.import_id(&value(rng, &schema.implied_type(), 1));
        }
    });
}

#[test]
fn functions() {
    let functions: Vec<(&str, Arc<dyn Function>)> = provider().functions();
    cases("functions", |rng, input| {
        let (name, function) = &functions[rng.usize(..functions.len())];
        let arguments: Vec<Value> = function
            .signature()
            .parameters
            .iter()
            .map(|parameter| match (&parameter.ty, rng.u8(..3)) {
                (Type::String, 1..) => make::manifest(rng).into(),
                (Type::Dynamic, 1..) => {
                    let mut json = make::application(rng);
                    mutate_json(rng, &mut json);
                    dynamic::from_json(&json).unwrap_or(Value::Null)
                }
                (ty, _) => value(rng, ty, 3),
            })
            .collect();
        input.say(|| format!("{name} {arguments:?}"));
        // As the service does: what is null or not known does not get here, unless it may.
        let fits =
            function
                .signature()
                .parameters
                .iter()
                .zip(&arguments)
                .all(|(parameter, argument)| {
                    (parameter.allow_null || !argument.is_null())
                        && (parameter.allow_unknown || argument.is_wholly_known())
                });
        if fits && let Ok(result) = function.call(arguments) {
            msgpack::encode(&result, &function.signature().returns).unwrap();
        }
    });
}

/// Inputs that were made to hurt, each small.
#[test]
fn what_was_made_to_hurt() {
    let ty = Type::Dynamic;
    let list = Type::List(Box::new(Type::String));
    let deep = 100_000;
    // A length that nothing follows, at every depth.
    let lengths: Vec<u8> = {
        let ty = br#"["list","dynamic"]"#;
        let mut one = vec![0x92, 0xa0 + u8::try_from(ty.len()).unwrap()];
        one.extend(ty);
        one.extend([0xdd, 0x7f, 0xff, 0xff, 0xff]);
        let mut all = one.repeat(64);
        all.extend(vec![0; 1 << 20]);
        all
    };
    assert!(msgpack::decode(&lengths, &ty).is_err());
    for bytes in [
        vec![0x91; deep],
        vec![0x81; deep],
        vec![0xdd, 0xff, 0xff, 0xff, 0xff],
        vec![0xdb, 0xff, 0xff, 0xff, 0xff],
        vec![0xc9, 0xff, 0xff, 0xff, 0xff, 12],
    ] {
        assert!(msgpack::decode(&bytes, &ty).is_err());
        assert!(msgpack::decode(&bytes, &list).is_err());
    }
    let nested = br#"{"type":"dynamic","value":"#.repeat(deep);
    assert!(json::decode(&nested, &ty).is_err());
    let nested = [nested, vec![b'1'], vec![b'}'; deep]].concat();
    assert!(json::decode(&nested, &ty).is_err());
    for text in [
        "[", "{\"a\":", "- ", "a: \n ", "? ", "[{a: ", "&a [", "!!seq [", "'", "|\n ",
    ] {
        assert!(oam::manifest::read(&text.repeat(20_000)).is_err(), "{text}");
        assert!(json::decode(text.repeat(deep).as_bytes(), &list).is_err());
    }
    let laughs: String = (0..40)
        .map(|level| match level {
            0 => "a0: &a0 [x, x, x, x, x, x, x, x]\n".to_owned(),
            level => format!(
                "a{level}: &a{level} [{}]\n",
                vec![format!("*a{}", level - 1); 8].join(", ")
            ),
        })
        .collect();
    assert!(oam::manifest::read(&laughs).is_err());
    for number in [
        "1e99999999999999999999",
        "1e-9223372036854775808",
        "1e9223372036854775807",
        "0e9999999",
        "-0e-9",
    ] {
        let _ = number.parse::<Number>();
        let _ = json::decode(number.as_bytes(), &Type::Number);
    }
    // A megabyte of numbers of few letters and many digits.
    let numbers = format!("[{}]", vec!["1e9999"; 150_000].join(","));
    let _ = json::decode(numbers.as_bytes(), &Type::List(Box::new(Type::Number)));
    let document: Json =
        serde_json::from_str(&format!("{}1{}", "[".repeat(120), "]".repeat(120))).unwrap();
    let _ = dynamic::from_json(&document);
    let _ = mutate_text(&mut Rng::with_seed(1), "a: b");
    harness::within_bounds();
}
